//! What is known while a program is played, and who looks on.
use super::Script;
use super::sites::Sites;
use crate::order::{Link, Point};
use crate::program::{CommandBufferIndex, Locus, ResourceIndex};
use crate::{Engine, NodeId, ResourceId, Site};

/// What can be asked of a play, whatever its point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(super) engine: &'a Engine,
    pub(super) resources: &'a [ResourceId],
    pub(super) sites: &'a Sites,
}

/// Something that was just played.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Played {
    /// A thread did this step.
    Step { number: u32, node: NodeId },
    /// A queue came to this command buffer.
    Begin(CommandBufferIndex),
    /// A queue came to this pass.
    Pass(CommandBufferIndex, u32),
    /// A command of that pass, or the pass's own work, with the first of its nodes, which follow each other in the order
    /// of the stages.
    Item { locus: Locus, first: NodeId },
    /// A queue came past this event operation; the node of a signal.
    Event { locus: Locus, node: Option<NodeId> },
    /// A queue came to the end of this command buffer.
    End(CommandBufferIndex),
}

/// Looks on while a program is played.
pub(crate) trait Watch {
    fn see(&mut self, script: Script<'_>, played: Played, known: &Known<'_>);
}

impl Known<'_> {
    /// Where a node that was just made stands.
    pub(crate) fn point(&self, node: NodeId) -> Point {
        let point = self.engine.clocks().and_then(|clocks| clocks.point(node));
        point.unwrap_or(Point { chain: u32::MAX, number: node.0 })
    }

    pub(crate) fn ordered(&self, first: Point, second: NodeId) -> bool {
        self.engine.clocks().is_some_and(|clocks| clocks.is_before(first, second))
    }

    pub(crate) fn visible_to(&self, first: Point, second: NodeId, resource: ResourceIndex) -> bool {
        let resource = self.resources.get(resource.index());
        resource.is_some_and(|resource| self.engine.is_visible(first, second, *resource))
    }

    /// Every primitive on any chain from one to the other.
    pub(crate) fn between(&self, first: Point, second: NodeId) -> Vec<Link> {
        let clocks = self.engine.clocks();
        clocks.map_or_else(Vec::new, |clocks| clocks.between(NodeId(first.number), second))
    }

    pub(crate) fn locus(&self, site: Site) -> Option<Locus> {
        self.sites.locus(site)
    }
}
