//! Happens-before and visibility, by primitive.
//!
//! Metal orders nothing by default and offers nine ways to ask for order. Each has a file here whose documentation
//! is the rule; all of them come down to edges between *items*, the work of one command in one stage:
//!
//! | file | primitive |
//! |---|---|
//! | `intra_pass` | barrier within a pass |
//! | `memory_barrier` | Metal 3's memory barrier within a pass |
//! | `consumer`, `producer` | queue barriers |
//! | `fence` | fences |
//! | `event` | events: the order that a signal and a wait give |
//! | `serial` | serial passes |
//! | `tracking` | automatic hazard tracking |
//! | `cpu` | what the CPU does between commits |
//!
//! **Composition.** An edge means: starts after it has ended. So edges compose through real work. They also compose
//! where the second scope of one primitive and the first scope of the next share a position, whether or not a
//! command lies there; a fence that only relays in an empty pass works.
//!
//! **Visibility.** An ordered pair is visible when some path between the two has an operation that makes writes
//! visible: every primitive does, except barriers asked for `none` and memory barriers, which do for what they name.
mod clock;
mod consumer;
mod cpu;
mod engine;
mod event;
mod fence;
mod graph;
mod intra_pass;
mod link;
mod memory_barrier;
mod producer;
mod queue;
mod replay;
mod serial;
mod sweep;
mod tracking;
mod why;

pub use clock::Clocks;
pub(crate) use clock::Point;
pub use engine::Engine;
pub use link::{Link, Primitive};
pub use memory_barrier::BarrierFilter;
pub use replay::{Item, Moment, Order};
pub(crate) use replay::{Known, Machine, Played, Script, Watch, is_serial, play_document};
pub(crate) use sweep::Roots;
pub use why::Hop;
