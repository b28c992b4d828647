//! Why a verb did not get done, and what the shell hears of it.

use std::process::ExitCode;

/// A verb's failure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What was given cannot be used.
    #[error("{0}")]
    Input(String),
    /// What was made cannot be written.
    #[error("{0}")]
    Output(String),
    /// The verb's own negative answer.
    #[error("{0}")]
    Answer(String),
    /// The device or the library refused.
    #[error(transparent)]
    Device(#[from] fencepost::Error),
}

impl Failure {
    /// 2 for wrong input, 1 for everything that went wrong with good input.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Input(_) => ExitCode::from(2),
            Self::Output(_) | Self::Answer(_) | Self::Device(_) => ExitCode::FAILURE,
        }
    }
}
