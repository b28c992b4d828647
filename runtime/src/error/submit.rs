//! What commit and the CPU's guards find.
use super::{Cause, ErrorKind};

#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    #[error("command buffer {label:?} was committed already. Record a new one, a command buffer runs once")]
    AlreadyCommitted { label: String },
    #[error(
        "command buffer {label:?} uses bytes that the CPU holds a guard of. Drop the guard before the commit; \
         the order of the two could not be told"
    )]
    GuardHeld { label: String },
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
