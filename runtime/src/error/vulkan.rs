//! What a Vulkan device cannot do, or its driver says.
use super::{Cause, ErrorKind};

#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum VulkanError {
    #[error("no Vulkan driver is to be had here: {why}. Install one, or use `Device::cpu`")]
    NoDriver { why: String },
    #[error(
        "no Vulkan device {asked} among those there are ({found}). Name one of them, or use `Device::cpu`"
    )]
    NoDevice { asked: String, found: String },
    #[error("device {device} is lost: {call} answered {result}. Make a new device and what it needs")]
    Lost { device: String, call: &'static str, result: String },
    #[error("{call} failed on device {device}: {result}. Ask less of it, or use `Device::cpu`")]
    Driver { device: String, call: &'static str, result: String },
    #[error(
        "`{function}` is a host function, and device {device} runs no Rust closures. Run it on the CPU device (`Device::cpu`)"
    )]
    HostFunction { function: String, device: String },
    #[error("draws on device {device} are not supported. Run them on the CPU device (`Device::cpu`)")]
    Draw { device: String },
    #[error(
        "`{function}`: `{binding}` is bound from byte {offset} of its memory on, but device {device} needs a multiple of {multiple}. \
         Round the offset"
    )]
    BindingOffset { function: String, binding: String, offset: u64, multiple: u64, device: String },
    #[error(
        "`{function}`: `{binding}` is bound to {length} bytes, and a kernel of device {device} sees at most {most}. Bind a part of it"
    )]
    BindingLength { function: String, binding: String, length: u64, most: u64, device: String },
    #[error(
        "a dispatch of `{function}` starts {groups:?} workgroups, more than device {device} takes ({most:?}). Dispatch in several steps"
    )]
    Grid { function: String, groups: [u32; 3], most: [u32; 3], device: String },
    #[error(
        "`{function}` has barriers, and its grid of {threads:?} threads ends inside of a threadgroup: device {device} cannot run the \
         rest of such a group. Dispatch whole threadgroups and let the kernel look at the limit itself"
    )]
    PartialBarrier { function: String, threads: [u32; 3], device: String },
    #[error("{what} is not supported by device {device}. {mend}")]
    Lacks { what: String, device: String, mend: &'static str },
}

impl Cause for VulkanError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoDriver { .. }
            | Self::HostFunction { .. }
            | Self::Draw { .. }
            | Self::PartialBarrier { .. }
            | Self::Lacks { .. } => ErrorKind::Unsupported,
            Self::NoDevice { .. } => ErrorKind::NotFound,
            Self::Lost { .. } | Self::Driver { .. } => ErrorKind::DeviceLost,
            Self::BindingOffset { .. } => ErrorKind::Misaligned,
            Self::BindingLength { .. } => ErrorKind::InvalidArgument,
            Self::Grid { .. } => ErrorKind::InvalidGrid,
        }
    }
}
