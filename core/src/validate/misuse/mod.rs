//! Misuse: calls that Metal does not allow, and some that cannot be meant, as far as a program's values show them.
//!
//! | file | looks at |
//! |---|---|
//! | `stages` | what an encoder can encode, and the stages that its primitives name |
//! | `queues` | which calls belong to which mode of queue, and what is committed how often |
//! | `fences` | waits for updates that are not there, or in the pass itself, or on another queue |
//! | `events` | signals that raise nothing |
//! | `memory` | storage modes, heaps, devices |
mod events;
mod fences;
mod memory;
mod queues;
mod stages;

use super::finding::{Finding, Kind, Misuse, Spot};
use crate::Order;
use crate::program::{Program, ResourceIndex};

pub(super) use memory::Aliasing;

pub(super) fn find(program: &Program, order: &Order, findings: &mut Vec<Finding>) {
    stages::find(program, findings);
    queues::find(program, findings);
    fences::find(program, order, findings);
    events::find(program, order, findings);
    memory::find(program, findings);
}

fn finding(misuse: Misuse, spot: Spot) -> Finding {
    Finding { kind: Kind::Misuse(misuse), first: None, second: Some(spot), resource: None, extent: None }
}

fn about(misuse: Misuse, spot: Spot, resource: ResourceIndex) -> Finding {
    Finding { resource: Some(resource), ..finding(misuse, spot) }
}
