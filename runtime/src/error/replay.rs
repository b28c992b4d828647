//! Errors of replaying programs.
use super::{Cause, ErrorKind};

/// What a replay cannot do, or what the program got wrong in a way that no call of the library sees.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    #[error(
        "`{name}` is {what}, which a replay does not support. Replay the program without it, or judge it by the order engine alone"
    )]
    Unsupported { what: &'static str, name: String },
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
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Unaligned { .. } => ErrorKind::Misaligned,
            Self::PlainEvent { .. } => ErrorKind::InvalidArgument,
        }
    }
}
