//! What leads from one node to the next: who made the edge, and what it makes visible.
//!
//! A primitive with a single predecessor needs no node of its own. It is then a [`Handle`]: the predecessor
//! together with what passing through the primitive gives. A handle that has a link already becomes a gate before
//! another primitive is put on it, so that every edge names exactly one primitive.
use crate::{BarrierScope, NodeId, Site, Visibility};

/// What made an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Primitive {
    /// A barrier within a pass.
    IntraPassBarrier,
    /// A Metal 3 memory barrier within a pass.
    MemoryBarrier,
    /// A consumer queue barrier.
    ConsumerBarrier,
    /// A producer queue barrier.
    ProducerBarrier,
    /// The update of a fence.
    FenceUpdate,
    /// The wait for a fence.
    FenceWait,
    /// An event's signal.
    EventSignal,
    /// An event's wait.
    EventWait,
    /// A serial pass: each command follows the one before.
    SerialPass,
    /// Automatic hazard tracking.
    HazardTracking,
    /// The CPU: program order of a thread, a commit before what it commits, completion before who waits for it.
    Cpu,
}

/// The primitive that made an edge, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// The kind.
    pub primitive: Primitive,
    /// The number given to [`Engine::at`](crate::Engine::at) before the call that made it.
    pub site: Site,
}

/// Kinds of resource made visible on the way along an edge; empty is order alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Reach(u8);

impl Reach {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const BUFFERS: Self = Self(1);
    pub(crate) const TEXTURES: Self = Self(2);
    pub(crate) const FULL: Self = Self(3);

    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl From<Visibility> for Reach {
    fn from(visibility: Visibility) -> Self {
        if visibility.is_empty() { Self::NONE } else { Self::FULL }
    }
}

impl From<BarrierScope> for Reach {
    fn from(scope: BarrierScope) -> Self {
        let buffers = if scope.contains(BarrierScope::BUFFERS) { Self::BUFFERS } else { Self::NONE };
        let texels = BarrierScope::TEXTURES | BarrierScope::RENDER_TARGETS;
        buffers.union(if scope.intersects(texels) { Self::TEXTURES } else { Self::NONE })
    }
}

/// A node as seen through at most one primitive. Sixteen bytes: there are several to every command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handle {
    pub(crate) node: NodeId,
    site: Site,
    primitive: Option<Primitive>,
    pub(crate) reach: Reach,
}

impl Handle {
    /// The node itself.
    pub(crate) const fn plain(node: NodeId) -> Self {
        Self { node, site: Site(0), primitive: None, reach: Reach::NONE }
    }

    /// The node through a primitive with full visibility.
    pub(crate) const fn full(node: NodeId, primitive: Primitive, site: Site) -> Self {
        Self { node, site, primitive: Some(primitive), reach: Reach::FULL }
    }

    /// The same node through another primitive, or none.
    pub(crate) const fn through(self, reach: Reach, link: Option<Link>) -> Self {
        match link {
            Some(Link { primitive, site }) => Self { site, primitive: Some(primitive), reach, ..self },
            None => Self { primitive: None, reach, ..self },
        }
    }

    /// Both ways from the same node as one, named after one primitive.
    pub(crate) fn joined(self, other: &Self) -> Self {
        self.through(self.reach.union(other.reach), self.link().or_else(|| other.link()))
    }

    pub(crate) const fn is_plain(&self) -> bool {
        self.primitive.is_none()
    }

    pub(crate) fn link(&self) -> Option<Link> {
        self.primitive.map(|primitive| Link { primitive, site: self.site })
    }
}
