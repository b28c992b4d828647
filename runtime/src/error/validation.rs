//! Errors of validation.
use super::{Cause, ErrorKind};
use crate::validation::Finding;

/// Why a commit was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ValidationError {
    #[error("the commit is refused, for this would be wrong. {finding}")]
    Denied { finding: Finding },
}

impl Cause for ValidationError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Validation
    }
}
