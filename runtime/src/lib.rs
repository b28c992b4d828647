//! Metal's resource synchronization in Rust: queues, command buffers, encoders, barriers, fences, events and hazard tracking, on
//! any machine that has Rust.
//!
//! What no peer has on top: the runtime knows every dependency. It overlaps all that nothing orders, and on the CPU device it can
//! replay a program in an adversarial order, so that a missing barrier gives a wrong answer instead of a lucky one.
//!
//! ```
//! use fencepost::{Device, ResourceOptions};
//!
//! let device = Device::system_default();
//! let library = device.new_library_with_wgsl(
//!     "@group(0) @binding(0) var<storage, read_write> numbers: array<f32>;
//!      @compute @workgroup_size(64) fn square(@builtin(global_invocation_id) id: vec3u) {
//!          if id.x < arrayLength(&numbers) { numbers[id.x] *= numbers[id.x]; }
//!      }",
//! )?;
//! let square = device.new_compute_pipeline_state(&library.new_function("square")?)?;
//! let numbers = device.new_buffer_with_data(&[1.0f32, 2.0, 3.0], ResourceOptions::SHARED)?;
//!
//! let work = device.new_command_queue().command_buffer();
//! let mut encoder = work.compute_command_encoder()?;
//! encoder.set_compute_pipeline_state(&square)?;
//! encoder.set_buffer(0, &numbers, 0)?;
//! encoder.dispatch_threads([3, 1, 1])?;
//! encoder.end_encoding();
//! work.commit()?;
//! work.wait_until_completed()?;
//! assert_eq!(numbers.read::<f32>(..)?, [1.0, 4.0, 9.0]);
//! # Ok::<(), fencepost::Error>(())
//! ```
//!
//! # Two modes of queue
//!
//! A *tracked* queue ([`Device::new_command_queue`]) works as Metal 3's: it makes its command buffers, its compute encoders are serial
//! unless asked otherwise, and it orders conflicting uses of tracked resources by itself, by byte range and by mip and slice. An
//! *explicit* queue ([`Device::new_explicit_command_queue`]) works as Metal 4's: command buffers come from the device and are
//! committed in groups, everything in a pass may overlap, and nothing is ordered but by barriers, fences and events.
//!
//! # What orders work
//!
//! | between | use |
//! |---|---|
//! | commands of one pass | [`ComputeCommandEncoder::memory_barrier_with_scope`] (tracked), [`ComputeCommandEncoder::barrier`] (explicit) |
//! | this pass and earlier ones of the queue | [`ComputeCommandEncoder::barrier_after_queue_stages`], the consumer's barrier |
//! | this pass and later ones of the queue | [`ComputeCommandEncoder::barrier_before_queue_stages`], the producer's barrier |
//! | passes that know each other | [`Fence`] |
//! | queues of a device | [`Event`] |
//! | queues, devices and the CPU | [`SharedEvent`] |
//!
//! # Errors
//!
//! A misuse that one call can see is an error of that call; what goes wrong while work runs is an error of its command buffer and of
//! all that depends on it. An [`Error`] has a [kind](Error::kind), says [whose fault](Error::fault) it is, and its text names both
//! sides and the mend. Nothing a program does makes the library abort, and data races in kernels are wrong values, never undefined
//! behaviour.

mod api;
mod backend;
pub mod capture;
mod error;
mod observe;
mod random;
mod record;
pub mod replay;
mod shader;
mod signal;
mod submit;
pub mod validation;

pub use bytemuck::Pod;
pub use fencepost_core::{BarrierScope, QueueMode, Stage, Stages, Visibility};
#[cfg(target_os = "linux")]
pub use fencepost_ipc::{PeerWatch, SharedMemory, Spin};

pub use crate::api::{
    AddressMode, Allocation, AnyEvent, BindingIndex, BlitCommandEncoder, Buffer, BufferContents,
    BufferLayout, BufferReadGuard, BufferWriteGuard, CommandAllocator, CommandBuffer,
    CommandBufferDescriptor, CommandBufferEncoderInfo, CommandBufferStatus, CommandEncoderErrorState,
    CommandQueue, CommandQueueDescriptor, Commit, CommitFeedback, CommitOptions, CompareFunction,
    ComputeCommandEncoder, ComputePipelineState, CpuCacheMode, CpuOptions, Device, DispatchType, Event,
    Fence, Filter, Frame, FrameWork, Frames, HazardTrackingMode, Heap, HeapDescriptor, HeapKind, Library,
    MipFilter, Obstacle, PassKind, PendingSignal, PixelFormat, PurgeableState, Region, ResidencySet,
    ResidencySetDescriptor, Resource, ResourceOptions, ResourceUsage, SamplerDescriptor, SamplerState,
    Schedule, SharedEvent, SizeAndAlign, StorageMode, StuckWait, Texture, TextureDescriptor, TextureKind,
    TexturePlace, TextureReadGuard, TextureUsage, TextureWriteGuard, VulkanOptions,
};
#[cfg(target_os = "linux")]
pub use crate::api::{BufferHandle, SharedEventHandle};
pub use crate::error::{Error, ErrorKind, Fault};
pub use crate::shader::{Function, HostBinding, HostBuffer, HostContext, ShaderError, ShaderErrorKind, lane};
pub use crate::signal::{SharedEventListener, Signaled};
pub use crate::validation::Validation;

/// The examples of the README and of the manual compile and run.
#[cfg(doctest)]
mod pages {
    macro_rules! page {
        ($name:ident, $path:literal) => {
            #[doc = include_str!($path)]
            struct $name;
        };
    }
    page!(Readme, "../../README.md");
    page!(Tracking, "../../docs/manual/tracking.md");
    page!(Barriers, "../../docs/manual/barriers.md");
    page!(QueueBarriers, "../../docs/manual/queue-barriers.md");
    page!(Fences, "../../docs/manual/fences.md");
    page!(Events, "../../docs/manual/events.md");
    page!(CpuSide, "../../docs/manual/cpu-side.md");
    page!(Validation, "../../docs/manual/validation.md");
    page!(Memory, "../../docs/manual/memory.md");
}
