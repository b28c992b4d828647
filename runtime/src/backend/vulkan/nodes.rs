//! Nodes on their way to the planner: under what name it knows them, who is held back, what has failed.
//!
//! A node that waits for a value has no place in any queue of the driver until the value is there: nothing that was handed to the driver
//! ever waits for the host. What follows such a node is held back with it. The planner wants names that grow, so nodes get new ones in the
//! order in which they are placed.
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use fencepost_core::NodeId;
use smallvec::SmallVec;

use crate::Error;

/// A node and what it is behind.
#[derive(Debug)]
pub(super) struct Ready<T> {
    pub(super) node: NodeId,
    /// The planner's name for it.
    pub(super) name: NodeId,
    /// The planner's names for its predecessors.
    pub(super) predecessors: SmallVec<[NodeId; 4]>,
    /// What failed before it.
    pub(super) cause: Option<Error>,
    pub(super) payload: T,
}

/// Nodes that were taken and not forgotten.
#[derive(Debug)]
pub(super) struct Nodes<T> {
    names: HashMap<NodeId, NodeId>,
    /// Nodes in the order of their names.
    placed: VecDeque<NodeId>,
    next_name: u64,
    held: HashMap<NodeId, Held<T>>,
    failed: HashMap<NodeId, Error>,
}

/// A node that has no place yet.
#[derive(Debug)]
struct Held<T> {
    predecessors: SmallVec<[NodeId; 4]>,
    /// Predecessors that have no place yet, and one more while it waits for a value.
    missing: u32,
    shut: bool,
    followers: Vec<NodeId>,
    cause: Option<Error>,
    payload: T,
}

impl<T> Nodes<T> {
    pub(super) fn new() -> Self {
        Self {
            names: HashMap::new(),
            placed: VecDeque::new(),
            next_name: 0,
            held: HashMap::new(),
            failed: HashMap::new(),
        }
    }

    /// Takes a node. It comes back at once where it may be placed. `waits` is for one that waits for a value.
    pub(super) fn take(
        &mut self,
        node: NodeId,
        predecessors: &[NodeId],
        waits: bool,
        payload: T,
    ) -> Option<Ready<T>> {
        let mut names = SmallVec::new();
        let mut cause = None;
        let mut missing = u32::from(waits);
        for predecessor in predecessors {
            if let Some(held) = self.held.get_mut(predecessor) {
                held.followers.push(node);
                missing += 1;
                continue;
            }
            names.extend(self.names.get(predecessor).copied());
            if let Some(error) = self.failed.get(predecessor) {
                cause.get_or_insert_with(|| error.clone());
            }
        }
        if missing > 0 {
            let followers = Vec::new();
            self.held
                .insert(node, Held { predecessors: names, missing, shut: waits, followers, cause, payload });
            return None;
        }
        Some(self.name(node, names, cause, payload))
    }

    /// The value that a node waits for is there: `place` is called with it and those behind it that may be placed now, in their order.
    /// It says why one of them will not run, where that is so.
    pub(super) fn open(&mut self, node: NodeId, mut place: impl FnMut(Ready<T>) -> Option<Error>) {
        let Some(held) = self.held.get_mut(&node).filter(|held| held.shut) else { return };
        (held.shut, held.missing) = (false, held.missing - 1);
        let mut free: BinaryHeap<Reverse<NodeId>> = BinaryHeap::new();
        if held.missing == 0 {
            free.push(Reverse(node));
        }
        while let Some(Reverse(node)) = free.pop() {
            let Some(held) = self.held.remove(&node) else { continue };
            let ready = self.name(node, held.predecessors, held.cause, held.payload);
            let name = ready.name;
            let error = place(ready);
            if let Some(error) = &error {
                self.failed.insert(node, error.clone());
            }
            for follower in held.followers {
                let Some(next) = self.held.get_mut(&follower) else { continue };
                next.predecessors.push(name);
                if let Some(error) = &error {
                    next.cause.get_or_insert_with(|| error.clone());
                }
                next.missing -= 1;
                if next.missing == 0 {
                    free.push(Reverse(follower));
                }
            }
        }
    }

    /// A node will not run: whoever follows learns of it.
    pub(super) fn fail(&mut self, node: NodeId, error: &Error) {
        self.failed.insert(node, error.clone());
    }

    /// Nodes below this one are never named again. Names below the answer are free to be forgotten.
    pub(super) fn retire(&mut self, below: NodeId) -> NodeId {
        while let Some(node) = self.placed.front().copied().filter(|node| *node < below) {
            self.names.remove(&node);
            self.placed.pop_front();
        }
        self.failed.retain(|node, _| *node >= below);
        NodeId(self.next_name - self.placed.len() as u64)
    }

    /// Whether nothing is held back.
    pub(super) fn none_held(&self) -> bool {
        self.held.is_empty()
    }

    fn name(
        &mut self,
        node: NodeId,
        predecessors: SmallVec<[NodeId; 4]>,
        cause: Option<Error>,
        payload: T,
    ) -> Ready<T> {
        let name = NodeId(self.next_name);
        self.next_name += 1;
        self.names.insert(node, name);
        self.placed.push_back(node);
        Ready { node, name, predecessors, cause, payload }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::DeviceError;

    fn names<T>(ready: &Ready<T>) -> Vec<u64> {
        ready.predecessors.iter().map(|name| name.0).collect()
    }

    #[test]
    fn what_follows_a_wait_is_held_back_and_others_are_not() {
        let mut nodes = Nodes::new();
        assert!(nodes.take(NodeId(0), &[], true, ()).is_none());
        assert!(nodes.take(NodeId(1), &[NodeId(0)], false, ()).is_none());
        let other = nodes.take(NodeId(2), &[], false, ()).expect("nothing holds it");
        assert_eq!(other.name, NodeId(0));
        assert!(nodes.take(NodeId(3), &[NodeId(1), NodeId(2)], false, ()).is_none());
        let mut placed = Vec::new();
        nodes.open(NodeId(0), |ready| {
            placed.push((ready.node.0, ready.name.0, names(&ready)));
            None
        });
        assert_eq!(placed, [(0, 1, vec![]), (1, 2, vec![1]), (3, 3, vec![0, 2])]);
        assert!(nodes.none_held());
        assert_eq!(nodes.retire(NodeId(2)), NodeId(0), "the first name belongs to node 2, which is in use");
        assert_eq!(nodes.retire(NodeId(4)), NodeId(4));
    }

    #[test]
    fn failures_reach_those_who_follow_and_nobody_else() {
        let mut nodes = Nodes::new();
        let error = Error::from(DeviceError::OutOfMemory { bytes: 1 });
        nodes.take(NodeId(0), &[], true, ());
        nodes.take(NodeId(1), &[NodeId(0)], false, ());
        nodes.take(NodeId(2), &[NodeId(1)], false, ());
        let mut causes = Vec::new();
        nodes.open(NodeId(0), |ready| {
            causes.push(ready.cause.is_some());
            (ready.node == NodeId(1)).then(|| error.clone()).or(ready.cause)
        });
        assert_eq!(causes, [false, false, true]);
        assert!(nodes.take(NodeId(3), &[NodeId(2)], false, ()).expect("free").cause.is_some());
        assert!(nodes.take(NodeId(4), &[NodeId(0)], false, ()).expect("free").cause.is_none());
    }
}
