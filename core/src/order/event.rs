//! Events, as far as they are order (rules 6.4 to 6.6).
//!
//! ```text
//!   QA   R1 ── signal ──┐    R2
//!   QB   C1             └─ wait ──► C2
//! ```
//!
//! A signal is reached when everything earlier on its queue has ended, of earlier command buffers too; later work
//! does not wait for it. A wait holds everything later on its queue; earlier work goes on. Which signals a wait
//! follows is decided by values, which are not order: the caller says so. Where it cannot know, since a signal that is
//! handed over later may be the quicker one, the wait follows none of them and the caller watches the value.
use super::link::{Handle, Primitive, Reach};
use crate::plan::NodeKind;
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

    /// Everything later on the queue waits until an event has a value: for the node returned, which ends when the caller
    /// sees the value. It follows no signal, because none is certain to be the first: any that is large enough will do,
    /// of any queue, of the CPU, of another device, also one that is handed over later. The caller hands the wait over
    /// only when some signal was handed over that gives the value, so it cannot hang.
    ///
    /// ```
    /// use fencepost_core::*;
    /// let mut engine = Engine::new();
    /// let [slow, quick, waiting] = std::array::from_fn(|_| engine.add_queue(QueueMode::Explicit));
    /// let first = engine.signal_event(slow);
    /// let wait = engine.wait_for_value(waiting);
    /// let second = engine.signal_event(quick);
    /// engine.begin_pass(waiting, false);
    /// let work = engine.command(waiting, Stages::DISPATCH, &[]);
    ///
    /// let mut plan = Plan::default();
    /// engine.take_plan(&mut plan);
    /// let of = |id| plan.nodes.iter().find(|node| node.id == id).unwrap();
    /// assert_eq!(plan.predecessors_of(of(work)), [wait]);
    /// assert_eq!(of(wait).kind, NodeKind::Value);
    /// assert_eq!(plan.predecessors_of(of(wait)), [], "neither {first:?} nor {second:?} is certain");
    /// ```
    pub fn wait_for_value(&mut self, queue: QueueId) -> NodeId {
        let link = self.link(Primitive::EventWait);
        self.end_pass(queue);
        self.edges.clear();
        // Waits of a queue are passed in order (rule 6.12).
        self.edges.extend(self.queues.get(queue.0).and_then(|queue| queue.wait));
        let node = self.graph.push(NodeKind::Value, &mut self.edges);
        if let Some(queue) = self.queues.get_mut(queue.0) {
            queue.wait = Some(Handle::plain(node).through(Reach::FULL, link));
        }
        node
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
