//! What a device finds while it makes memory or runs work.
use super::{Cause, Error, ErrorKind};

#[derive(Debug, thiserror::Error)]
pub(crate) enum DeviceError {
    #[error("no memory is left for {bytes} bytes. Release resources first, or make them smaller")]
    OutOfMemory { bytes: u64 },
    #[error(
        "kernel `{function}` ran longer than {limit_ms} ms and was stopped. \
         Give its loops an end, or make the device with a longer `kernel_timeout`"
    )]
    KernelTimeout { function: String, limit_ms: u128 },
    #[error(
        "an indirect dispatch of `{function}` reads {groups:?} workgroups from its arguments, more than {limit} in one dimension. \
         Write smaller counts"
    )]
    IndirectGrid { function: String, groups: [u32; 3], limit: u32 },
    #[error("host function `{function}` panicked: {message}. Catch the panic inside the function")]
    HostPanic { function: String, message: String },
    #[error(
        "{device} cannot reach the memory of that resource's device. Give each device memory of its own and copy through the CPU"
    )]
    ForeignMemory { device: String },
    #[error("this work did not run, because what it waits for failed: {first}")]
    Dependency { first: Error },
    #[error(
        "the wait for {event} to reach {value} timed out after {limit_ms} ms. \
         Signal the value, or allow more time with `Device::set_event_timeout`"
    )]
    EventTimeout { event: String, value: u64, limit_ms: u128 },
}

impl Cause for DeviceError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::OutOfMemory { .. } => ErrorKind::OutOfMemory,
            Self::KernelTimeout { .. } | Self::EventTimeout { .. } => ErrorKind::Timeout,
            Self::ForeignMemory { .. } => ErrorKind::Unsupported,
            Self::IndirectGrid { .. } => ErrorKind::InvalidGrid,
            Self::HostPanic { .. } => ErrorKind::HostFunctionPanicked,
            Self::Dependency { .. } => ErrorKind::DependencyFailed,
        }
    }
}
