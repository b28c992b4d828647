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
pub use fencepost_core::{Stage, Stages, Visibility};

pub use crate::api::{
    AddressMode, BarrierScope, CommandBufferStatus, CommandEncoderErrorState, CompareFunction, CpuCacheMode,
    CpuOptions, DispatchType, Filter, HazardTrackingMode, HeapDescriptor, HeapKind, MipFilter, PassKind,
    PixelFormat, Region, ResourceOptions, ResourceUsage, SamplerDescriptor, Schedule, SizeAndAlign,
    StorageMode, TextureDescriptor, TextureKind, TextureUsage,
};
pub use crate::error::{Error, ErrorKind, Fault};
pub use crate::shader::{Function, HostBinding, HostBuffer, HostContext, ShaderError, ShaderErrorKind, lane};
