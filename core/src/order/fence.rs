//! Fences: one pass to others (rules 5.3 and 5.4).
//!
//! ```text
//!   P1   k1 [dispatch] ─update F after dispatch─────┐      k2 [dispatch]
//!   P2   k3 [dispatch]      ─wait F before blit─────┴──►  c1 [blit]
//! ```
//!
//! An update captures the items of its pass so far in its stages, with what those stages were made to wait for. A
//! wait holds the later items of its pass in its stages until *all* updates ahead of it in order have ended, on
//! whatever queue, whatever the number of waits before. It never waits for an update of its own pass, so it cannot
//! hang: an update before a wait in one pass is a mistake that shows as a missing edge.
//!
//! An update behind a wait for the same fence covers what that wait joined, once its pass has ended; so a fence that
//! goes from pass to pass holds one update and not all.
use super::graph::Graph;
use super::link::{Handle, Primitive, Reach};
use super::queue::{Class, Hold};
use crate::{Engine, FenceId, NodeId, PassId, QueueId, Stages};

#[derive(Clone, Debug, Default)]
pub(super) struct Fence {
    captures: Vec<Capture>,
    /// How many updates there have been.
    updates: u64,
}

#[derive(Clone, Debug)]
struct Capture {
    /// Counted from the fence's first.
    update: u64,
    pass: PassId,
    handle: Handle,
}

impl Engine {
    /// Updates a fence after the open pass's items so far in these stages.
    #[doc(alias = "updateFence")]
    pub fn update_fence(&mut self, queue: QueueId, fence: FenceId, after: Stages) {
        let link = self.link(Primitive::FenceUpdate);
        let Some(queue) = self.queues.get_mut(queue.0).filter(|queue| queue.open) else { return };
        let Some(body) = self.fences.get_mut(fence.0) else { return };
        self.edges.clear();
        queue.this_pass(after, &mut self.graph, &mut self.edges);
        let Some(handle) = self.graph.gather(&mut self.edges, Reach::FULL, link) else { return };
        body.captures.retain(|capture| self.graph.is_live(capture.handle.node));
        body.captures.push(Capture { update: body.updates, pass: queue.pass, handle });
        body.updates += 1;
        let joined = queue.waits.iter().filter(|wait| wait.0 == fence && wait.2 & after.dense() != 0);
        if let Some(upto) = joined.map(|wait| wait.1).max() {
            queue.covers.push((fence, upto));
        }
    }

    /// Holds the open pass's later items in these stages until all earlier updates of the fence have ended.
    #[doc(alias = "waitForFence")]
    pub fn wait_for_fence(&mut self, queue: QueueId, fence: FenceId, before: Stages) {
        let link = self.link(Primitive::FenceWait);
        let Some(queue) = self.queues.get_mut(queue.0).filter(|queue| queue.open) else { return };
        let Some(body) = self.fences.get(fence.0) else { return };
        self.edges.clear();
        let others = body.captures.iter().filter(|capture| capture.pass != queue.pass);
        self.edges.extend(others.map(|capture| capture.handle));
        queue.waits.push((fence, body.updates, before.dense()));
        if let Some(handle) = self.graph.gather(&mut self.edges, Reach::FULL, link) {
            let hold = Hold { handle, after: 0, reach: Reach::FULL, class: Class::Alone };
            queue.hold_pass(before, hold, &mut self.graph);
        }
    }
}

impl Engine {
    /// Forgets all updates of a fence.
    pub(crate) fn clear_fence(&mut self, fence: FenceId) {
        if let Some(body) = self.fences.get_mut(fence.0) {
            body.captures.clear();
        }
    }
}

impl Fence {
    /// How many updates it holds.
    pub(super) const fn records(&self) -> usize {
        self.captures.len()
    }

    /// Many updates become one gate, for who judges and never sees one complete. No pass is open, so none of them is that of
    /// a pass that may wait.
    pub(super) fn gather_long(&mut self, graph: &mut Graph) {
        if self.captures.len() <= CAPTURES_MOST {
            return;
        }
        let mut edges: Vec<Handle> = self.captures.iter().map(|capture| capture.handle).collect();
        let handle = graph.gate(&mut edges, Reach::NONE, None);
        self.captures.clear();
        self.captures.push(Capture {
            update: self.updates.saturating_sub(1),
            pass: PassId(u64::MAX),
            handle,
        });
    }

    /// Every node that later ones may follow.
    pub(super) fn each_node(&self, mut each: impl FnMut(NodeId)) {
        self.captures.iter().for_each(|capture| each(capture.handle.node));
    }

    /// An update of `pass`, which has ended, covers those before `upto` of other passes.
    pub(super) fn drop_covered(&mut self, upto: u64, pass: PassId) {
        self.captures.retain(|capture| capture.update >= upto || capture.pass == pass);
    }
}

/// Beyond this many, updates are gathered when an engine that judges is swept.
const CAPTURES_MOST: usize = 8;
