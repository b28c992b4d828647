//! Serial passes: each command starts when the one before has ended, and sees all it wrote (rules 1.3.2, 1.3.3).
//!
//! ```text
//!   pass (serial)   k1 ──► k2 ──► k3
//! ```
//!
//! This is the default of a Metal 3 compute encoder and the only way of a blit encoder, for tracked and untracked
//! memory alike, which is why barriers inside such a pass have nothing left to do and are ignored. The edges join
//! commands, not positions: an empty serial pass joins nothing.
use super::link::{Handle, Primitive};
use super::queue::Queue;
use crate::{NodeId, Site};

impl Queue {
    /// What the next command of a serial pass follows.
    pub(super) fn hold_serial(&self, site: Site, edges: &mut Vec<Handle>) {
        if self.open && self.serial {
            for node in self.last.clone().map(NodeId) {
                edges.push(Handle::full(node, Primitive::SerialPass, site));
            }
        }
    }

    /// Notes the items of the command just made, for the next one to follow.
    pub(super) const fn end_command(&mut self, first: NodeId, next: NodeId) {
        if self.serial {
            self.last = first.0..next.0;
        }
    }
}
