//! Metal's objects in Rust case, one file each.
//!
//! Names are Metal's. What differs between Metal 3 and Metal 4 is the mode of a queue, not a second set of types: a *tracked* queue
//! gives birth to its command buffers and orders conflicting uses of tracked resources by itself; an *explicit* queue takes command
//! buffers in groups and orders nothing that no barrier, fence or event orders. Nothing here names a backend.
mod binding_index;
mod blit_encoder;
mod buffer;
#[cfg(target_os = "linux")]
mod buffer_handle;
mod command_allocator;
mod command_buffer;
mod commit;
mod compute_encoder;
mod device;
mod encoder;
mod event;
mod fence;
mod frames;
mod guard;
mod heap;
mod label;
mod library;
mod managed;
mod memory;
mod memoryless;
mod options;
mod peer;
mod pipeline;
mod pixel_format;
mod purgeable;
mod queue;
mod render_encoder;
mod residency_set;
mod resource;
mod sampler;
mod sampler_state;
#[cfg(target_os = "linux")]
mod shared_event_handle;
mod sharing;
mod stuck;
#[cfg(test)]
mod tests;
mod texture;
mod texture_guard;
mod transfer;

pub(crate) use compute_encoder::Slot;
pub(crate) use encoder::EncoderCore;
pub(crate) use fence::FenceBody;
pub(crate) use heap::HeapShared;
pub(crate) use label::Label;
pub(crate) use memory::{DeviceMemory, HeapFacts, Placed};
pub(crate) use queue::QueueShared;
pub(crate) use render_encoder::RenderCommandEncoder;
pub(crate) use resource::{Home, ResourceCore};

pub use binding_index::BindingIndex;
pub use blit_encoder::BlitCommandEncoder;
pub use buffer::{Buffer, BufferContents};
#[cfg(target_os = "linux")]
pub use buffer_handle::BufferHandle;
pub use command_allocator::CommandAllocator;
pub use command_buffer::{CommandBuffer, CommandBufferDescriptor, CommandBufferEncoderInfo};
pub use commit::{Commit, CommitFeedback, CommitOptions};
pub use compute_encoder::ComputeCommandEncoder;
pub use device::Device;
pub use event::{AnyEvent, Event, SharedEvent};
pub use fence::Fence;
pub use frames::{Frame, FrameWork, Frames};
pub use guard::{BufferReadGuard, BufferWriteGuard};
pub use heap::Heap;
pub use library::Library;
pub use options::*;
pub use pipeline::ComputePipelineState;
pub use pixel_format::PixelFormat;
pub use purgeable::PurgeableState;
pub use queue::{CommandQueue, CommandQueueDescriptor};
pub use residency_set::{Allocation, ResidencySet, ResidencySetDescriptor};
pub use resource::Resource;
pub use sampler::{AddressMode, CompareFunction, Filter, MipFilter, SamplerDescriptor};
pub use sampler_state::SamplerState;
#[cfg(target_os = "linux")]
pub use shared_event_handle::SharedEventHandle;
pub use stuck::{Obstacle, PendingSignal, StuckWait};
pub use texture::Texture;
pub use texture_guard::{TextureReadGuard, TextureWriteGuard};
pub use transfer::{BufferLayout, TexturePlace};
