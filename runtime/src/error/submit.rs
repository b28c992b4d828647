//! What commit and the CPU's guards find.
use std::fmt;

use fencepost_core::Extent;

use super::{Cause, ErrorKind};
use crate::submit::InFlight;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    #[error("command buffer {label:?} was committed already. Record a new one, a command buffer runs once")]
    AlreadyCommitted { label: String },
    #[error(
        "{command} would use {part} of {resource}, which the CPU holds by a guard. \
         Drop the guard before the commit"
    )]
    GuardHeld { command: String, part: String, resource: String },
    #[error(
        "the device was dropped before command buffer {label:?} could start: a wait in front of it was never released"
    )]
    DeviceDropped { label: String },
}

impl Cause for SubmitError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::AlreadyCommitted { .. } => ErrorKind::AlreadyCommitted,
            Self::GuardHeld { .. } => ErrorKind::InFlight,
            Self::DeviceDropped { .. } => ErrorKind::DeviceLost,
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
