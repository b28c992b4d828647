//! What goes wrong between processes.
use super::{Cause, ErrorKind};

#[derive(Debug, thiserror::Error)]
pub(crate) enum IpcError {
    #[error("{call}: {source}")]
    Outside { call: &'static str, source: fencepost_ipc::Error },
    #[error(
        "`SharedEvent::handle`: no thread is to be had that watches what other processes raise: {source}"
    )]
    Thread { source: std::io::Error },
    #[error("{call}: the memory's file cannot be looked at: {source}")]
    Memory { call: &'static str, source: std::io::Error },
    #[error(
        "{call} of {buffer}, whose memory is this process's own. \
         Make it with `Device::new_shareable_buffer`: memory cannot move while kernels may use it"
    )]
    NotShareable { call: &'static str, buffer: String },
}

impl IpcError {
    /// For `map_err`: what `call` met.
    pub(crate) fn of(call: &'static str) -> impl Fn(fencepost_ipc::Error) -> Self {
        move |source| Self::Outside { call, source }
    }
}

impl Cause for IpcError {
    fn kind(&self) -> ErrorKind {
        use fencepost_ipc::Error;
        match self {
            Self::Outside { source, .. } => match source {
                Error::System { source, .. } if source.kind() == std::io::ErrorKind::OutOfMemory => {
                    ErrorKind::OutOfMemory
                }
                Error::System { .. } | Error::Closed => ErrorKind::Process,
                Error::LabelTooLong { .. } | Error::BadLength { .. } | Error::NotAConnection => {
                    ErrorKind::InvalidArgument
                }
                _ => ErrorKind::InvalidHandle,
            },
            Self::Thread { .. } | Self::Memory { .. } => ErrorKind::Process,
            Self::NotShareable { .. } => ErrorKind::Unsupported,
        }
    }
}

impl From<fencepost_ipc::Error> for super::Error {
    /// What the types of the crate below say by themselves, such as a [`PeerWatch`](crate::PeerWatch).
    fn from(source: fencepost_ipc::Error) -> Self {
        IpcError::Outside { call: "between processes", source }.into()
    }
}
