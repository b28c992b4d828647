//! Events, as far as they are order (rules 6.4 to 6.6).
//!
//! ```text
//!   QA   R1 ── signal ──┐    R2
//!   QB   C1             └─ wait ──► C2
//! ```
//!
//! A signal is reached when everything earlier on its queue has ended, of earlier command buffers too; later work
//! does not wait for it. A wait holds everything later on its queue; earlier work goes on. Which signals a wait
//! follows is decided by values, which are not order: the caller says so.
use super::link::{Handle, Primitive, Reach};
use crate::{Engine, NodeId, QueueId, Stages};

impl Engine {
    /// A gate after everything earlier on the queue; the node whose completion raises the event's value.
    pub fn signal_event(&mut self, queue: QueueId) -> NodeId {
        let link = self.link(Primitive::EventSignal);
        self.end_pass(queue);
        self.edges.clear();
        if let Some(queue) = self.queues.get_mut(queue.0) {
            queue.earlier_passes(Stages::EVERY, &mut self.graph, &mut self.edges);
            self.edges.extend(queue.wait);
        }
        self.graph.gate(&mut self.edges, Reach::FULL, link).node
    }

    /// Everything later on the queue waits for these signals. None of them: the value was reached already, or the
    /// CPU raised it, and there is nothing to wait for.
    pub fn wait_for_event(&mut self, queue: QueueId, signals: &[NodeId]) {
        let link = self.link(Primitive::EventWait);
        self.end_pass(queue);
        let Some(queue) = self.queues.get_mut(queue.0) else { return };
        self.edges.clear();
        self.edges.extend(signals.iter().map(|&node| Handle::plain(node).through(Reach::FULL, link)));
        // One handle holds the queue: the last wait stands for all.
        self.edges.extend(queue.wait);
        queue.wait = self.graph.gather(&mut self.edges, Reach::NONE, None);
    }
}
