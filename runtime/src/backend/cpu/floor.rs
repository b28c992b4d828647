//! What every schedule of the device shares: the nodes in flight, the clock, and how a node ends.
use std::time::{Duration, Instant};

use super::graph::{Graph, Payload, SlotIndex};
use super::job::{self, Fault, Job};
use crate::Error;
use crate::backend::{Outcome, Part, Work};
use crate::error::DeviceError;

/// Where commands run.
#[derive(Debug)]
pub(super) struct Floor {
    pub(super) graph: Graph,
    clock: Instant,
    /// Longest run of one command.
    pub(super) limit: Option<Duration>,
}

/// What a command takes that has never run: it may be long, so it counts as worth another thread.
pub(super) const UNKNOWN_NS: u64 = 50_000;

impl Floor {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { graph: Graph::new(), clock: Instant::now(), limit }
    }

    pub(super) fn clock(&self) -> Instant {
        self.clock
    }

    /// Nanoseconds since the device was made.
    pub(super) fn now_ns(&self) -> u64 {
        u64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Nanoseconds that a node may take.
    pub(super) fn weigh(part: &Part, work: Work) -> u32 {
        let ns = match (work, &part.recording) {
            (Work::Command(command), Some(recording)) => {
                job::estimate_ns(recording, command).unwrap_or(UNKNOWN_NS)
            }
            _ => 0,
        };
        u32::try_from(ns).unwrap_or(u32::MAX)
    }

    /// What a fault of a command is to its user.
    pub(super) fn error(&self, fault: Fault, job: &Job) -> Error {
        match fault {
            Fault::Failed(error) => error,
            Fault::Stopped => {
                let limit_ms = self.limit.unwrap_or_default().as_millis();
                DeviceError::KernelTimeout { function: job.name().to_owned(), limit_ms }.into()
            }
        }
    }

    /// Reports a node alone, and then lets go those that wait for it: whoever they are, what they follow is known by then.
    pub(super) fn end(
        &self,
        slot: SlotIndex,
        payload: Payload,
        outcome: &Outcome,
        ready: &mut Vec<SlotIndex>,
    ) {
        if let Some(part) = &payload.part {
            part.completion.completed(payload.tag, 1, outcome);
        }
        self.graph.end(slot, failure(outcome), ready);
    }
}

/// What those that follow are told.
pub(super) fn failure(outcome: &Outcome) -> Option<&Error> {
    match outcome {
        Outcome::Done { .. } => None,
        Outcome::Failed(error) | Outcome::Skipped(error) => Some(error),
    }
}

/// What a node says that follows a failure.
pub(super) fn skipped(first: &Error) -> Outcome {
    if first.kind() == crate::ErrorKind::DependencyFailed {
        return Outcome::Skipped(first.clone());
    }
    Outcome::Skipped(DeviceError::Dependency { first: first.clone() }.into())
}
