//! Metal's resource synchronization in Rust: queues, command buffers, encoders, barriers, fences, events and hazard tracking.
//!
//! What no peer has on top: the runtime knows every dependency. It overlaps all that nothing orders, and on the CPU device
//! it can replay a program in an adversarial order, so that a missing barrier gives a wrong answer instead of a lucky one.

mod api;
mod backend;
mod error;
mod record;
mod shader;
mod signal;
mod submit;

pub use bytemuck::Pod;
pub use fencepost_core::{BarrierScope, QueueMode, Stage, Stages, Visibility};

pub use crate::api::{
    AddressMode, AnyEvent, BindingIndex, BlitCommandEncoder, Buffer, BufferLayout, BufferReadGuard,
    BufferWriteGuard, CommandAllocator, CommandBuffer, CommandBufferDescriptor, CommandBufferEncoderInfo,
    CommandBufferStatus, CommandEncoderErrorState, CommandQueue, CommandQueueDescriptor, Commit,
    CommitFeedback, CommitOptions, CompareFunction, ComputeCommandEncoder, ComputePipelineState,
    CpuCacheMode, CpuOptions, Device, DispatchType, Event, Fence, Filter, HazardTrackingMode, Heap,
    HeapDescriptor, HeapKind, Library, MipFilter, PassKind, PixelFormat, Region, Resource, ResourceOptions,
    ResourceUsage, SamplerDescriptor, SamplerState, Schedule, SharedEvent, SizeAndAlign, StorageMode,
    Texture, TextureDescriptor, TextureKind, TexturePlace, TextureUsage,
};
pub use crate::error::{Error, ErrorKind, Fault};
pub use crate::shader::{Function, HostBinding, HostBuffer, HostContext, ShaderError, ShaderErrorKind, lane};
pub use crate::signal::SharedEventListener;

/// The example of the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
