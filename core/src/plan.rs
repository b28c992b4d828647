//! What must run after what: the engine's answer for whoever runs the work.
//!
//! A plan lists nodes in release order, each with its direct predecessors. Items are the work of one command in
//! one stage; gates stand for "all of these have ended", so that a barrier between a thousand producers and a
//! thousand consumers costs two thousand edges and not a million. A node runs when its predecessors have ended;
//! there is nothing else to obey.
//!
//! Plans are cut where the caller takes them: at every event operation, since what follows a signal must not hold it
//! back, and what follows a wait is handed over only when the wait may pass. Edges lead from plan to plan.
use core::ops::Range;

use crate::{NodeId, Stage};

/// Nodes since the last call of [`Engine::take_plan`](crate::Engine::take_plan). Reused, so that planning
/// allocates nothing once it has grown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In release order: ids grow by one from node to node.
    pub nodes: Vec<PlanNode>,
    /// Predecessors of all nodes; a node holds a range.
    pub predecessors: Vec<NodeId>,
}

/// One node of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanNode {
    /// Its name.
    pub id: NodeId,
    /// What it stands for.
    pub kind: NodeKind,
    /// Its direct predecessors, as a range of [`Plan::predecessors`]. All are earlier nodes, of this plan or of
    /// an earlier one.
    pub predecessors: Range<u32>,
}

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// The work of one command in one stage.
    Item {
        /// The stage.
        stage: Stage,
    },
    /// Nothing to run: it ends when its predecessors have ended.
    Gate,
    /// Nothing to run: it ends when its predecessors have ended and an event has reached a value, which only whoever runs the plan
    /// can see.
    Value,
}

impl Plan {
    /// The direct predecessors of a node of this plan.
    pub fn predecessors_of(&self, node: &PlanNode) -> &[NodeId] {
        self.predecessors.get(node.predecessors.start as usize..node.predecessors.end as usize).unwrap_or(&[])
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.predecessors.clear();
    }
}
