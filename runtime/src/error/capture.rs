//! Errors of captures.
use super::{Cause, ErrorKind};

/// Why a capture could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    #[error("the captured program cannot be written to `{path}`: {cause}")]
    File { path: String, cause: String },
    #[error("the program has no text: {cause}")]
    Text { cause: String },
}

impl Cause for CaptureError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::File { .. } => ErrorKind::File,
            Self::Text { .. } => ErrorKind::InvalidArgument,
        }
    }
}
