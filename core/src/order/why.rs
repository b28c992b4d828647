//! Why is this before that: the primitives on the way, first to last.
//!
//! The clocks say *that* two nodes are ordered; a chain of edges says why. It is found backwards from the later node,
//! breadth first, through nothing but nodes that the earlier one is before, so it is a shortest chain and the search
//! ends. Gates that only collect are left out.
use std::collections::{HashMap, HashSet, VecDeque};

use super::clock::Clocks;
use super::link::Link;
use crate::NodeId;

/// One link of a chain from an earlier node to a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    /// The primitive that leads on.
    pub link: Link,
    /// Where it leads: the next item of the chain, or a gate where another primitive follows at once.
    pub node: NodeId,
}

impl Clocks {
    /// A shortest chain of primitives that orders `first` before `second`. `None` where nothing does.
    ///
    /// ```
    /// use fencepost_core::*;
    /// let mut engine = Engine::with_clocks();
    /// let queue = engine.add_queue(QueueMode::Explicit);
    /// engine.begin_pass(queue, false);
    /// let first = engine.command(queue, Stages::DISPATCH, &[]);
    /// engine.at(Site(7));
    /// engine.producer_barrier(queue, Stages::DISPATCH, Stages::BLIT, Visibility::DEVICE);
    /// engine.begin_pass(queue, false);
    /// let second = engine.command(queue, Stages::BLIT, &[]);
    ///
    /// let clocks = engine.clocks().unwrap();
    /// let link = Link { primitive: Primitive::ProducerBarrier, site: Site(7) };
    /// assert_eq!(clocks.why(first, second), Some(vec![Hop { link, node: second }]));
    /// assert_eq!(clocks.why(second, first), None);
    /// ```
    pub fn why(&self, first: NodeId, second: NodeId) -> Option<Vec<Hop>> {
        if !self.ordered(first, second) {
            return None;
        }
        let mut next = HashMap::new();
        let mut open = VecDeque::from([second]);
        while let Some(node) = open.pop_front().filter(|node| *node != first) {
            let Some(record) = self.record(node) else { continue };
            for edge in &record.edges {
                let leads = edge.node == first || self.ordered(first, edge.node);
                if leads && !next.contains_key(&edge.node) {
                    next.insert(edge.node, (node, edge.link()));
                    open.push_back(edge.node);
                }
            }
        }
        let mut hops: Vec<Hop> = Vec::new();
        let mut node = first;
        while node != second {
            let (to, link) = *next.get(&node)?;
            match (link, hops.last_mut()) {
                (Some(link), _) => hops.push(Hop { link, node: to }),
                (None, Some(hop)) => hop.node = to,
                (None, None) => {}
            }
            node = to;
        }
        Some(hops)
    }

    /// Every primitive on any chain from `first` to `second`, by its place: unlike a shortest chain, they are the same however
    /// many gates the graph has, since what is left out of a graph is only what others in it imply.
    pub(crate) fn between(&self, first: NodeId, second: NodeId) -> Vec<Link> {
        let mut links: Vec<Link> = Vec::new();
        let mut seen = HashSet::from([second]);
        let mut open = vec![second];
        while let Some(node) = open.pop() {
            let Some(record) = self.record(node).filter(|_| node != first) else { continue };
            for edge in &record.edges {
                if edge.node == first || self.ordered(first, edge.node) {
                    links.extend(edge.link());
                    if seen.insert(edge.node) {
                        open.push(edge.node);
                    }
                }
            }
        }
        links.sort_unstable_by_key(|link| (link.site, link.primitive));
        links.dedup();
        links
    }
}
