//! The CPU between commits, where a whole program is judged.
//!
//! ```text
//!   CPU     write A ──► commit ─────────────────► wait until completed ──► read A
//!   queue                  └──► P1   P2   P3 ───────────┘
//! ```
//!
//! Steps of one thread follow each other. A commit is before everything that its queue accepts from then on, a call
//! that puts an event operation on a queue likewise. Waiting for a command buffer follows everything in it,
//! and on a tracked queue everything in the command buffers before it, since completion is told in the queue's order (rule 7.3.3). What a
//! thread starts follows the start. The device's own engine needs none of this: its work is handed over after the
//! commit anyway.
use super::link::{Handle, Link, Primitive, Reach};
use crate::{Engine, NodeId, QueueId};

impl Engine {
    /// A step of a CPU thread, after these nodes.
    pub fn cpu_step(&mut self, after: impl IntoIterator<Item = NodeId>) -> NodeId {
        self.joint(after, Primitive::Cpu)
    }

    /// Everything later on the queue follows this step.
    pub fn hold_queue(&mut self, queue: QueueId, step: NodeId) {
        let link = self.link(Primitive::Cpu);
        self.hold(queue, step, link);
    }

    /// A wait for an event of which only this is known: all of `after` is before it.
    pub(super) fn wait_gate(&mut self, after: impl IntoIterator<Item = NodeId>) -> NodeId {
        self.joint(after, Primitive::EventWait)
    }

    /// The same for a wait that any of several signals may have released, for who judges: what is before every one of them is
    /// before it.
    pub(super) fn wait_gate_behind_any(&mut self, signals: &[NodeId]) -> NodeId {
        self.graph.meet(signals)
    }

    /// All of these as one node.
    pub(super) fn all_of(&mut self, nodes: &mut Vec<NodeId>) {
        self.edges.clear();
        self.edges.extend(nodes.drain(..).map(Handle::plain));
        nodes.extend(self.graph.gather(&mut self.edges, Reach::NONE, None).map(|handle| handle.node));
    }

    pub(crate) const fn is_for_judging(&self) -> bool {
        self.graph.is_for_judging()
    }

    /// Everything later on the queue follows this gate.
    pub(super) fn hold_queue_behind(&mut self, queue: QueueId, gate: NodeId) {
        self.hold(queue, gate, None);
    }

    /// What everything later on the queue waits for.
    pub(super) fn queue_wait(&self, queue: QueueId) -> Option<NodeId> {
        self.queues.get(queue.0).and_then(|queue| queue.wait).map(|wait| wait.node)
    }

    fn hold(&mut self, queue: QueueId, node: NodeId, link: Option<Link>) {
        self.end_pass(queue);
        let Some(queue) = self.queues.get_mut(queue.0) else { return };
        self.edges.clear();
        let reach = if link.is_some() { Reach::FULL } else { Reach::NONE };
        self.edges.push(Handle::plain(node).through(reach, link));
        self.edges.extend(queue.wait);
        queue.wait = self.graph.gather(&mut self.edges, Reach::NONE, None);
    }

    /// A gate after these nodes, whatever their number.
    fn joint(&mut self, after: impl IntoIterator<Item = NodeId>, primitive: Primitive) -> NodeId {
        let link = self.link(primitive);
        self.edges.clear();
        self.edges.extend(after.into_iter().map(Handle::plain));
        self.graph.gate(&mut self.edges, Reach::FULL, link).node
    }
}
