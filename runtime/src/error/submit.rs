//! What commit and the CPU's guards find.
use std::fmt;

use fencepost_core::Extent;

use super::{Cause, ErrorKind};
use crate::submit::{GuardTaken, InFlight};
use crate::{Obstacle, PendingSignal, StuckWait};

#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    #[error("command buffer {label:?} was committed already. Record a new one, a command buffer runs once")]
    AlreadyCommitted { label: String },
    #[error(
        "{command} would use {part} of {resource}, which the CPU holds by {guard}. \
         Drop the guard before the commit"
    )]
    GuardHeld { command: String, part: String, resource: String, guard: GuardTaken },
    #[error(
        "{command} would use {part} of {resource}, which another thread is copying to or from. \
         Let that call return before the commit"
    )]
    BeingCopied { command: String, part: String, resource: String },
    #[error(
        "the device was dropped before command buffer {label:?} could start: a wait in front of it was never released"
    )]
    DeviceDropped { label: String },
    #[error(
        "the wait for {event} to reach {value} can never pass: no handle of the event is left, and no signal that could still run. \
         Keep the event until somebody has signaled it"
    )]
    Abandoned { event: String, value: u64 },
    #[error(
        "the wait for {event} to reach {value} is stuck: waits hold each other in a circle, and no handle of their events is left by \
         which anybody could break it: {circle}. Signal before waiting, on one of the queues"
    )]
    Circle { event: String, value: u64, circle: String },
}

impl Cause for SubmitError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::AlreadyCommitted { .. } => ErrorKind::AlreadyCommitted,
            Self::GuardHeld { .. } | Self::BeingCopied { .. } => ErrorKind::InFlight,
            Self::DeviceDropped { .. } => ErrorKind::DeviceLost,
            Self::Abandoned { .. } | Self::Circle { .. } => ErrorKind::Abandoned,
        }
    }
}

impl fmt::Display for InFlight {
    /// "command `c` of pass `p` of command buffer `b`", as far as there are labels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.command {
            Some(label) => write!(f, "command `{label}`")?,
            None => f.write_str("a command")?,
        }
        if let Some(label) = &self.pass {
            write!(f, " of pass `{label}`")?;
        }
        match self.command_buffer.as_str() {
            "" => f.write_str(" of a command buffer without a label"),
            label => write!(f, " of command buffer `{label}`"),
        }
    }
}

impl fmt::Display for GuardTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} guard taken at {}", if self.writes { "write" } else { "read" }, self.site)
    }
}

impl fmt::Display for StuckWait {
    /// Who waits for what, how far it has come, and each signal that is held back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, &self.queue, self.command_buffer.as_deref())?;
        write!(
            f,
            " waits for {} to reach {}, which has {}",
            Named("event", &self.event),
            self.value,
            self.reached
        )?;
        if self.signals.is_empty() {
            f.write_str("; no signal of it is committed")?;
        }
        self.signals.iter().try_for_each(|signal| write!(f, "; {signal}"))?;
        match (self.has_handles, self.is_seen_outside) {
            (_, true) => f.write_str("; another process may raise it"),
            (true, false) => Ok(()),
            (false, false) => f.write_str("; no handle of it is left"),
        }
    }
}

impl fmt::Display for PendingSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, &self.queue, self.command_buffer.as_deref())?;
        write!(f, " would signal {}", self.value)?;
        match &self.behind {
            None => Ok(()),
            Some(behind) => write!(f, ", behind {behind}"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait { event, value } => {
                write!(f, "the wait for {} to reach {value}", Named("event", event))
            }
            Self::Uncommitted { command_buffer } => {
                write!(f, "{}, which is not committed", Named("command buffer", command_buffer))
            }
        }
    }
}

fn place(f: &mut fmt::Formatter<'_>, queue: &str, command_buffer: Option<&str>) -> fmt::Result {
    if let Some(label) = command_buffer {
        write!(f, "{} on ", Named("command buffer", label))?;
    }
    write!(f, "{}", Named("queue", queue))
}

/// A noun and a label, if there is one.
struct Named<'a>(&'static str, &'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(noun, "") => write!(f, "{noun} without a label"),
            Self(noun, label) => write!(f, "{noun} `{label}`"),
        }
    }
}

/// A part of a resource in words.
pub(crate) fn part(extent: &Extent) -> String {
    match extent {
        Extent::Whole => "all".to_owned(),
        Extent::Bytes(bytes) => format!("bytes {}..{}", bytes.start, bytes.end),
        Extent::Subresources { mips, slices } => {
            format!("levels {}..{} of slices {}..{}", mips.start, mips.end, slices.start, slices.end)
        }
    }
}
