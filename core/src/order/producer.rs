//! The producer barrier: a pass that others wait for (rules 4.2).
//!
//! ```text
//!   P1   c1 [blit] ──────────────────────┐
//!   P2   c2 [blit] ─barrier blit→dispatch┤   c3 [blit]   k2 [dispatch]
//!   P3                                   └──► k3 [dispatch]
//! ```
//!
//! First scope: items of this pass before the barrier, and all earlier passes of the queue, in the *after* stages.
//! Second scope: every later pass of the queue, in the *before* stages. The rest of this pass is neither waited for
//! nor held.
use super::link::{Primitive, Reach};
use super::queue::{Class, Hold};
use crate::{Engine, QueueId, Stages, Visibility};

impl Engine {
    /// A producer queue barrier in the open pass.
    pub fn producer_barrier(
        &mut self,
        queue: QueueId,
        after: Stages,
        before_queue: Stages,
        visibility: Visibility,
    ) {
        let link = self.link(Primitive::ProducerBarrier);
        let Some(queue) = self.queues.get_mut(queue.0).filter(|queue| queue.open) else { return };
        let mut edges = std::mem::take(&mut self.edges);
        edges.clear();
        queue.earlier_passes(after, &mut self.graph, &mut edges);
        queue.this_pass(after, &mut self.graph, &mut edges);
        let reach = Reach::from(visibility);
        if let Some(handle) = self.graph.gather(&mut edges, reach, link) {
            let hold = Hold { handle, after: after.dense(), reach, class: Class::Barrier };
            queue.hold_later_passes(before_queue, hold);
        }
        self.edges = edges;
    }
}
