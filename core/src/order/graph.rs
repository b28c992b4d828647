//! The graph that the primitives build, as it goes out: nodes with their predecessors, reduced.
//!
//! Every edge leads back to an earlier node, so a node is finished the moment it is made. Predecessors that have
//! completed are dropped, and so are those that another predecessor already follows: exactly with clocks, and by
//! one look at the other's own predecessors without.
use std::cmp::{Ordering, Reverse};

use super::clock::Clocks;
use super::link::{Handle, Link, Reach};
use crate::plan::{NodeKind, Plan, PlanNode};
use crate::{NodeId, ResourceId};

#[derive(Clone, Debug)]
pub(crate) struct Graph {
    next: NodeId,
    /// Everything below has completed.
    retired: NodeId,
    plan: Plan,
    /// Whether anybody takes plans.
    plans: bool,
    /// Whether what others imply is left out of gates: fewer nodes, but which ones depends on the order so far, and not on
    /// the calls alone.
    pub(super) shortens: bool,
    pub(super) clocks: Option<Box<Clocks>>,
}

impl Graph {
    pub(crate) fn new(clocks: bool, plans: bool) -> Self {
        let clocks = clocks.then(|| Box::new(Clocks::new()));
        Self { next: NodeId(0), retired: NodeId(0), plan: Plan::default(), plans, shortens: false, clocks }
    }

    /// Whether nobody runs the nodes: then commands that nothing tells apart may be one node.
    pub(crate) const fn is_for_judging(&self) -> bool {
        !self.plans
    }

    /// The name of the node made next.
    pub(crate) const fn next(&self) -> NodeId {
        self.next
    }

    pub(crate) const fn retired(&self) -> NodeId {
        self.retired
    }

    pub(crate) fn is_live(&self, node: NodeId) -> bool {
        node >= self.retired
    }

    pub(crate) fn clocks(&self) -> Option<&Clocks> {
        self.clocks.as_deref()
    }

    /// A node after `edges`, which come back cleaned.
    pub(crate) fn push(&mut self, kind: NodeKind, edges: &mut Vec<Handle>) -> NodeId {
        let id = self.next;
        self.next = NodeId(id.0 + 1);
        self.clean(edges);
        let start = self.plan.predecessors.len() as u32;
        if let Some(clocks) = &mut self.clocks {
            clocks.push(id, kind, edges);
            if !self.plans {
                return id;
            }
            self.plan.predecessors.extend_from_slice(clocks.direct_predecessors());
        } else {
            match edges.as_slice() {
                [] => {}
                [only] => self.plan.predecessors.push(only.node),
                several => self.push_reduced(several),
            }
        }
        let predecessors = start..self.plan.predecessors.len() as u32;
        self.plan.nodes.push(PlanNode { id, kind, predecessors });
        id
    }

    /// A gate after exactly what is before every one of `nodes`. For who judges: no plan knows it.
    pub(crate) fn meet(&mut self, nodes: &[NodeId]) -> NodeId {
        let id = self.next;
        if let Some(clocks) = &mut self.clocks {
            self.next = NodeId(id.0 + 1);
            let common = clocks.common(nodes);
            clocks.push_meet(id, common);
        }
        id
    }

    /// "All of these", seen through a primitive: nothing, the only one, or a gate. Empties `edges`.
    pub(crate) fn gather(
        &mut self,
        edges: &mut Vec<Handle>,
        reach: Reach,
        link: Option<Link>,
    ) -> Option<Handle> {
        self.clean(edges);
        if self.shortens
            && let ([latest, others @ ..], Some(clocks)) = (edges.as_slice(), &self.clocks)
            && clocks.stands_for_all(latest, others)
        {
            edges.truncate(1);
        }
        let handle = match edges.as_slice() {
            [] => None,
            [only] if link.is_none() => Some(*only),
            [only] if only.is_plain() || self.clocks.is_none() => {
                Some(only.through(only.reach.union(reach), link))
            }
            _ => Some(self.gate(edges, reach, link)),
        };
        edges.clear();
        handle
    }

    /// A gate after all of `edges`, which are emptied, even where there is none or only one.
    pub(crate) fn gate(&mut self, edges: &mut Vec<Handle>, reach: Reach, link: Option<Link>) -> Handle {
        if link.is_some() {
            if self.clocks.is_some() {
                self.unlink(edges);
            }
            for edge in edges.iter_mut() {
                *edge = edge.through(edge.reach.union(reach), link);
            }
        }
        let node = self.push(NodeKind::Gate, edges);
        edges.clear();
        Handle::plain(node)
    }

    /// An edge names one primitive, so that explanations miss none: what came through one already gets a gate first.
    fn unlink(&mut self, edges: &mut [Handle]) {
        for edge in edges.iter_mut().filter(|edge| !edge.is_plain()) {
            let node = self.push(NodeKind::Gate, &mut vec![*edge]);
            *edge = Handle::plain(node);
        }
    }

    /// Notes that the gate made last shows only these resources to who comes after it.
    pub(crate) fn name_resources(&mut self, node: NodeId, resources: &[ResourceId]) {
        if let Some(clocks) = &mut self.clocks {
            clocks.name_resources(node, resources);
        }
    }

    pub(crate) fn take_plan(&mut self, plan: &mut Plan) {
        plan.clear();
        std::mem::swap(plan, &mut self.plan);
    }

    pub(crate) fn retire(&mut self, completed_below: NodeId) {
        self.retired = self.retired.max(completed_below.min(self.next));
        if let Some(clocks) = &mut self.clocks {
            clocks.retire(self.retired);
        }
    }

    /// Drops what has completed, sorts latest first, and makes one edge of several from the same node.
    fn clean(&self, edges: &mut Vec<Handle>) {
        match edges.as_mut_slice() {
            [] | [_] => {}
            [first, second] => match first.node.cmp(&second.node) {
                Ordering::Less => std::mem::swap(first, second),
                Ordering::Equal => {
                    *first = first.joined(second);
                    edges.pop();
                }
                Ordering::Greater => {}
            },
            _ => {
                edges.retain(|edge| self.is_live(edge.node));
                edges.sort_unstable_by_key(|edge| Reverse(edge.node));
                edges.dedup_by(|later, kept| {
                    let same = later.node == kept.node;
                    if same {
                        *kept = kept.joined(later);
                    }
                    same
                });
            }
        }
        while edges.last().is_some_and(|edge| !self.is_live(edge.node)) {
            edges.pop();
        }
    }

    /// Without clocks: an edge is dropped where a later predecessor of this plan has it as its own. Long lists go out
    /// as they are: looking at all of them costs more than a few edges too many.
    fn push_reduced(&mut self, edges: &[Handle]) {
        let first = self.plan.nodes.first().map_or(self.next, |node| node.id);
        for (index, edge) in edges.iter().enumerate() {
            let later = if edges.len() > LOOKED_AT { &[] } else { &edges[..index] };
            let covered = later.iter().any(|later| {
                let place = later.node.0.wrapping_sub(first.0) as usize;
                self.plan.nodes.get(place).is_some_and(|node| {
                    let own = self.plan.predecessors_of(node);
                    own.iter().take(LOOKED_AT).any(|&node| node == edge.node)
                })
            });
            if !covered {
                self.plan.predecessors.push(edge.node);
            }
        }
    }
}

/// How many predecessors are compared when looking for edges to leave out without clocks.
const LOOKED_AT: usize = 8;
