//! The order of Metal's resource synchronization, as values. No unsafe code, no input or output, no clock, no GPU.
#![forbid(unsafe_code)]

mod access;
mod extent;
mod identity;
mod order;
mod place;
mod plan;
pub mod program;
mod slots;
mod stage;

pub use access::{Access, AccessKind, Conflict};
pub use extent::Extent;
pub use identity::{FenceId, MemoryId, NodeId, PassId, QueueId, ResourceId, Site};
pub use order::{BarrierFilter, Clocks, Engine, Hop, Item, Link, Moment, Order, Primitive};
pub use place::{Places, ResourceDescriptor, ResourceShape, Tracking};
pub use plan::{NodeKind, Plan, PlanNode};
pub use program::QueueMode;
pub use stage::{BarrierScope, Stage, Stages, Visibility};
