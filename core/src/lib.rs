//! The order of Metal's resource synchronization, as values. No unsafe code, no input or output, no clock, no GPU.
#![forbid(unsafe_code)]

mod access;
mod extent;
mod identity;
mod stage;

pub use access::{Access, AccessKind};
pub use extent::Extent;
pub use identity::{FenceId, MemoryId, NodeId, QueueId, ResourceId};
pub use stage::{Stage, Stages, Visibility};
pub mod program;
