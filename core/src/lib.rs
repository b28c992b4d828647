//! The order of Metal's resource synchronization, as values. No unsafe code, no input or output, no clock, no GPU.
//!
//! Metal runs everything at once unless asked not to: by barriers within a pass, queue barriers, fences, events, serial
//! passes, hazard tracking, and by what the CPU does in between. This crate knows what each of these means, and nothing
//! of how a device does it:
//!
//! * [`Stages`], [`Extent`], [`Access`] say what work touches, and [`Places`] when two accesses conflict;
//! * [`Engine`] takes the calls of an application in release order and gives a [`Plan`]: each piece of work with what
//!   it must wait for, and nothing more. One per device; it forgets what has completed;
//! * [`program`] is what an application asks for as a value, and [`Order`] is happens-before and visibility for the
//!   whole of it: any pair, and why;
//! * [`validate`] finds what is wrong with a program, whole or while it runs, [`advise`] what is wasted and what would mend it, and [`explain`] has
//!   the words for both.
//!
//! ```
//! use fencepost_core::{Engine, Plan, QueueMode, Stages};
//!
//! let mut engine = Engine::new();
//! let queue = engine.add_queue(QueueMode::Explicit);
//! let fence = engine.add_fence();
//!
//! engine.begin_pass(queue, false);
//! let store = engine.command(queue, Stages::DISPATCH, &[]);
//! engine.update_fence(queue, fence, Stages::DISPATCH);
//!
//! engine.begin_pass(queue, false);
//! engine.wait_for_fence(queue, fence, Stages::BLIT);
//! let copy = engine.command(queue, Stages::BLIT, &[]);
//! let other = engine.command(queue, Stages::DISPATCH, &[]);
//! engine.end_pass(queue);
//!
//! let mut plan = Plan::default();
//! engine.take_plan(&mut plan);
//! let waits_for = |id| plan.predecessors_of(plan.nodes.iter().find(|node| node.id == id).unwrap());
//! assert_eq!(waits_for(copy), [store]);
//! assert_eq!(waits_for(other), []);
//! ```
#![forbid(unsafe_code)]

mod access;
pub mod advise;
pub mod draw;
pub mod explain;
mod extent;
mod identity;
mod order;
mod place;
mod plan;
pub mod program;
mod slots;
mod stage;
pub mod timeline;
pub mod validate;
pub mod waves;

pub use access::{Access, AccessKind, Conflict};
pub use extent::Extent;
pub use identity::{FenceId, MemoryId, NodeId, PassId, QueueId, ResourceId, Site};
pub use order::{BarrierFilter, Clocks, Engine, Hop, Item, Link, Moment, Order, Primitive};
pub use place::{Places, ResourceDescriptor, ResourceShape, Tracking};
pub use plan::{NodeKind, Plan, PlanNode};
pub use program::QueueMode;
pub use stage::{BarrierScope, Stage, Stages, Visibility};
