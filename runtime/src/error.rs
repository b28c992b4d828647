//! One opaque error. What can be told apart is its kind and whose fault it is; the wording lives in the private tree below and may
//! change.
//!
//! A misuse that one call can see is an error of that call. What goes wrong while work runs is an error of the command buffer.
mod binding;
mod capture;
mod device;
mod encode;
#[cfg(target_os = "linux")]
mod ipc;
mod replay;
mod resource;
mod shader;
mod submit;
mod validation;
mod vulkan;

use std::fmt;
use std::sync::Arc;

pub(crate) use binding::{BindingError, Place};
pub(crate) use capture::CaptureError;
pub(crate) use device::DeviceError;
pub(crate) use encode::EncodeError;
#[cfg(target_os = "linux")]
pub(crate) use ipc::IpcError;
pub(crate) use replay::ReplayError;
pub(crate) use resource::ResourceError;
pub(crate) use submit::{SubmitError, part};
pub(crate) use validation::ValidationError;
pub(crate) use vulkan::VulkanError;

/// What went wrong, and whose fault it is.
///
/// Its text says what happened, with both sides and their labels, and then how to mend it.
#[derive(Clone)]
pub struct Error {
    inner: Arc<Inner>,
}

struct Inner {
    kind: ErrorKind,
    fault: Fault,
    cause: Box<dyn std::error::Error + Send + Sync>,
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The caller's: reading the program would have shown it.
    Misuse,
    /// The device's: it cannot do that. Ask first.
    Unsupported,
    /// The world's: the device is gone, or what this work depended on failed.
    Lost,
    /// The world's: there is no memory left, or no room on a heap.
    OutOfMemory,
    /// Something took longer than it may.
    Timeout,
}

/// What went wrong. New kinds may be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call needs that no encoder is open: a second encoder, an event operation inside a pass, a commit before `end_encoding`.
    EncoderOpen,
    /// The call needs a command buffer that is being recorded, and this one is not: committed already, not begun, or ended.
    NotRecording,
    /// The command buffer was committed already.
    AlreadyCommitted,
    /// The call needs a committed command buffer.
    NotCommitted,
    /// The call belongs to the other mode of queue.
    WrongQueueMode,
    /// The object belongs to another device.
    WrongDevice,
    /// The command allocator serves an open command buffer, or its commands are still in flight.
    AllocatorInUse,
    /// A stage that the encoder cannot encode.
    InvalidStages,
    /// A fence waited for after its update in the same pass.
    FenceOrder,
    /// A dispatch without a pipeline.
    MissingPipeline,
    /// A dispatch with nothing bound where its function needs a resource.
    MissingBinding,
    /// A dispatch with a resource of the wrong kind bound.
    WrongBinding,
    /// A dispatch with too few bytes bound.
    BindingTooSmall,
    /// A dispatch of no or of too many workgroups.
    InvalidGrid,
    /// Bytes or texels outside of a resource.
    OutOfBounds,
    /// An offset or a pitch that is not a multiple of what it must be.
    Misaligned,
    /// A size, count or format that makes no sense or does not fit the other side.
    InvalidArgument,
    /// The storage mode forbids it.
    WrongStorageMode,
    /// The content was lent to the device or is gone, or cannot be lent.
    Purgeable,
    /// The hazard tracking mode is not to be had here.
    WrongTrackingMode,
    /// Work in flight uses what the CPU wants, or a guard of the CPU holds what work would use.
    InFlight,
    /// The resource's memory belongs to somebody else by now, or it cannot be made aliasable.
    Aliasing,
    /// The heap has no room.
    HeapExhausted,
    /// What came from another process is damaged, or no handle of this kind.
    InvalidHandle,
    /// The system would not make, map, send or receive what crosses the border of a process, or the other side has gone.
    Process,
    /// The shader does not parse or is not valid.
    InvalidShader,
    /// The library has no such function, or the function no such constant.
    NotFound,
    /// The device cannot do that.
    Unsupported,
    /// There is no memory left.
    OutOfMemory,
    /// A kernel or a wait took longer than it may.
    Timeout,
    /// A host function panicked.
    HostFunctionPanicked,
    /// Work that this work follows failed, so it did not run.
    DependencyFailed,
    /// Nobody is left who could raise the event that this work waits for.
    Abandoned,
    /// The device is gone.
    DeviceLost,
    /// A file cannot be written.
    File,
    /// The commit would race or misuse something, and the device [denies](crate::Validation::Deny) such commits.
    Validation,
}

/// A cause that knows its kind. Each room has an enum of its own below `error/`.
pub(crate) trait Cause: std::error::Error + Send + Sync + 'static {
    fn kind(&self) -> ErrorKind;
}

impl Error {
    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.inner.fault
    }

    /// What is wrong with a commit, where validation has refused it.
    pub fn finding(&self) -> Option<&crate::validation::Finding> {
        match self.inner.cause.downcast_ref::<ValidationError>() {
            Some(ValidationError::Denied { finding }) => Some(finding),
            None => None,
        }
    }

    /// An error whose text belongs to nobody else.
    pub(crate) fn with_fault(
        kind: ErrorKind,
        fault: Fault,
        cause: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self { inner: Arc::new(Inner { kind, fault, cause: Box::new(cause) }) }
    }
}

impl<C: Cause> From<C> for Error {
    #[cold]
    fn from(cause: C) -> Self {
        let kind = cause.kind();
        Self::with_fault(kind, kind.usual_fault(), cause)
    }
}

impl ErrorKind {
    const fn usual_fault(self) -> Fault {
        match self {
            Self::Unsupported => Fault::Unsupported,
            Self::OutOfMemory | Self::HeapExhausted => Fault::OutOfMemory,
            Self::Timeout => Fault::Timeout,
            Self::DependencyFailed | Self::DeviceLost | Self::File | Self::InvalidHandle | Self::Process => {
                Fault::Lost
            }
            _ => Fault::Misuse,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.cause.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.inner.kind, self.inner.cause)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.cause.source()
    }
}
