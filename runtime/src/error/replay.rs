//! Errors of replaying programs.
use super::{Cause, ErrorKind};

/// What the program got wrong in a way that no call of the library sees.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    #[error(
        "`{command}` uses bytes of `{resource}` that do not start at a whole word. Kernels see words: start at a multiple of 4 bytes"
    )]
    Unaligned { command: String, resource: String },
    #[error("the CPU uses event `{event}`, which is not shared. Declare it as a shared event")]
    PlainEvent { event: String },
}

impl Cause for ReplayError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unaligned { .. } => ErrorKind::Misaligned,
            Self::PlainEvent { .. } => ErrorKind::InvalidArgument,
        }
    }
}
