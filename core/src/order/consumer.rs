//! The consumer barrier: a pass that waits for its queue (rules 4.1).
//!
//! ```text
//!   P1   c1 [blit] ────────────────┐
//!   P2   c2 [blit]  ─barrier blit→dispatch─  ├──► k2 [dispatch]
//!   P3   c3 [blit]                 └──► k3 [dispatch]
//! ```
//!
//! First scope: all passes strictly before this one on the queue, of earlier command buffers too, in the *after*
//! stages. This pass is never in it, not even what stands before the barrier. Second scope: items of this pass after
//! the barrier and of every later pass, in the *before* stages. A later pass is thereby held until what came before
//! *this* pass has ended, and no longer.
use super::link::{Primitive, Reach};
use super::queue::{Class, Hold};
use crate::{Engine, QueueId, Stages, Visibility};

impl Engine {
    /// A consumer queue barrier in the open pass.
    pub fn consumer_barrier(
        &mut self,
        queue: QueueId,
        after_queue: Stages,
        before: Stages,
        visibility: Visibility,
    ) {
        let link = self.link(Primitive::ConsumerBarrier);
        let Some(queue) = self.queues.get_mut(queue.0).filter(|queue| queue.open) else { return };
        self.edges.clear();
        queue.earlier_passes(after_queue, &mut self.graph, &mut self.edges);
        let reach = Reach::from(visibility);
        if let Some(handle) = self.graph.gather(&mut self.edges, reach, link) {
            let hold = Hold { handle, after: after_queue.dense(), reach, class: Class::Barrier };
            queue.hold_from_here(before, hold, &mut self.graph);
        }
    }
}
