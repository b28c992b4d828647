//! The barrier within a pass (rules 3.3.1 to 3.3.6).
//!
//! ```text
//!   pass P    c1 [blit]   k0 [dispatch]  ──barrier blit→dispatch──  c2 [blit]   k1 [dispatch]
//!                └───────────────────────────────────────────────────────────────►┘
//! ```
//!
//! First scope: items of this pass before the barrier, in the *after* stages. Second scope: items of this pass after
//! it, in the *before* stages. Other passes are neither waited for nor held. An empty mask is no barrier.
use super::link::{Primitive, Reach};
use super::queue::{Class, Hold};
use crate::{Engine, QueueId, Stages, Visibility};

impl Engine {
    /// A barrier within the open pass: later items in `before` wait for earlier items in `after`.
    pub fn barrier(&mut self, queue: QueueId, after: Stages, before: Stages, visibility: Visibility) {
        let link = self.link(Primitive::IntraPassBarrier);
        let Some(queue) = self.queues.get_mut(queue.0).filter(|queue| queue.open && !queue.serial) else {
            return;
        };
        self.edges.clear();
        queue.this_pass(after, &mut self.graph, &mut self.edges);
        let reach = Reach::from(visibility);
        if let Some(handle) = self.graph.gather(&mut self.edges, reach, link) {
            let hold = Hold { handle, after: after.dense(), reach, class: Class::Barrier };
            queue.hold_pass(before, hold, &mut self.graph);
        }
    }
}
