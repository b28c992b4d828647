//! Automatic hazard tracking (rules 2.2), on tracked queues only.
//!
//! ```text
//!   P1   k1 writes A:0..64 ──────────┐      k2 writes A:64..128
//!   P2   k3 reads A:0..32            └──► k3
//!   P3   k4 writes A ◄── k3, k2
//! ```
//!
//! An access waits for those accesses of *earlier passes*, of any tracked queue of the device, that it conflicts
//! with on the same resource. Metal takes resources whole; here a buffer is tracked by bytes and a texture by mips ×
//! slices, which orders a subset and never less than the memory needs. A tracked heap is one unit, as in Metal.
//! Accesses of one pass are never ordered against each other: a serial pass has its own order, a concurrent one its
//! barriers. What is reached by pointer is not seen unless declared, and memory that two resources share outside a
//! tracked heap is not seen either.
//!
//! Per resource there is a list of spans, each with who used it last: in passes before the latest, and in the latest.
//! A write in a pass follows everything recorded from earlier passes, so when the next pass comes it stands for all
//! of it; this is what keeps the records short.
use core::ops::Range;

use super::graph::Graph;
use super::link::{Handle, Primitive, Reach};
use crate::place::{ResourceDescriptor, ResourceShape, Tracking};
use crate::slots::Slots;
use crate::{Access, AccessKind, Extent, MemoryId, NodeId, PassId, ResourceId, Site, Stage};

/// All that is tracked on a device.
#[derive(Clone, Debug)]
pub(super) struct Tracker {
    resources: Slots<(ResourceDescriptor, Spans)>,
    /// Heaps, each as one unit.
    memories: Slots<Spans>,
    /// Places whose lists have grown long: each list becomes a gate once the command's items are made.
    crowded: Vec<Tracked>,
}

/// The item that makes an access.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    pub(super) node: NodeId,
    /// The first item of its command.
    pub(super) first: NodeId,
    /// Everything below has completed.
    pub(super) retired: NodeId,
    pub(super) pass: PassId,
    pub(super) serial: bool,
    /// Only accesses of this stage are its own.
    pub(super) stage: Stage,
    pub(super) site: Site,
}

#[derive(Clone, Copy, Debug)]
enum Tracked {
    Resource(ResourceId),
    Memory(MemoryId),
}

/// Spans that cover what has been used so far, sorted, without overlap.
#[derive(Clone, Debug, Default)]
struct Spans {
    list: Vec<Span>,
    /// Beyond this many, spans are searched for what may be joined or dropped.
    limit: usize,
}

#[derive(Clone, Debug)]
struct Span {
    range: Range<u64>,
    /// The latest pass that used it.
    pass: PassId,
    /// Its uses in passes before that.
    before: Uses,
    /// Whether some of the reads in `before` follow all of its writes.
    writes_read: bool,
    /// Its uses in that pass.
    current: Uses,
}

/// Nearly always there is one write at most and one read, which therefore have places of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Uses {
    /// A write, where there is any.
    write: Option<NodeId>,
    /// A read, where there is any.
    read: Option<NodeId>,
    /// All others.
    more: Vec<Used>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Used {
    node: NodeId,
    /// Never [`AccessKind::ReadWrite`], which is a write here.
    kind: AccessKind,
}

impl Tracker {
    pub(super) const fn new() -> Self {
        Self { resources: Slots::new(), memories: Slots::new(), crowded: Vec::new() }
    }

    pub(super) fn add_memory(&mut self) -> MemoryId {
        MemoryId(self.memories.add(Spans::default()))
    }

    pub(super) fn remove_memory(&mut self, memory: MemoryId) {
        self.memories.remove(memory.0);
    }

    pub(super) fn add_resource(&mut self, descriptor: ResourceDescriptor) -> ResourceId {
        ResourceId(self.resources.add((descriptor, Spans::default())))
    }

    pub(super) fn remove_resource(&mut self, resource: ResourceId) {
        self.resources.remove(resource.0);
    }

    pub(super) fn descriptor(&self, resource: ResourceId) -> Option<&ResourceDescriptor> {
        self.resources.get(resource.0).map(|(descriptor, _)| descriptor)
    }

    /// How many uses it holds.
    pub(super) fn records(&self) -> usize {
        let spans = |spans: &Spans| {
            spans.list.iter().map(|span| 1 + span.before.len() + span.current.len()).sum::<usize>()
        };
        let resources: usize = self.resources.iter().map(|(_, own)| spans(own)).sum();
        resources + self.memories.iter().map(spans).sum::<usize>()
    }

    /// Every node that later ones may follow.
    pub(super) fn each_node(&self, mut each: impl FnMut(NodeId)) {
        let resources = self.resources.iter().map(|(_, spans)| spans);
        for span in resources.chain(self.memories.iter()).flat_map(|spans| &spans.list) {
            span.before.each(|used| each(used.node));
            span.current.each(|used| each(used.node));
        }
    }

    /// Records accesses of one item and adds what they wait for.
    pub(super) fn access_all(&mut self, accesses: &[Access], item: &Use, edges: &mut Vec<Handle>) {
        for access in accesses.iter().filter(|access| access.stage == item.stage) {
            let Some((descriptor, spans)) = self.resources.get_mut(access.resource.0) else { continue };
            match descriptor.tracking {
                Tracking::Untracked => {}
                Tracking::WithHeap => {
                    let memory = descriptor.memory;
                    let Some(spans) = self.memories.get_mut(memory.0) else { continue };
                    if spans.access(0..1, access.kind, item, edges) {
                        self.crowded.push(Tracked::Memory(memory));
                    }
                }
                Tracking::Tracked => {
                    let crowded = &mut self.crowded;
                    each_range(descriptor, &access.extent, |range| {
                        if spans.access(range, access.kind, item, edges) {
                            crowded.push(Tracked::Resource(access.resource));
                        }
                    });
                }
            }
        }
    }

    /// Lists that have grown long become gates, so that who comes next has few predecessors.
    #[inline]
    pub(super) fn gather_crowds(&mut self, graph: &mut Graph) {
        if !self.crowded.is_empty() {
            self.gather_all(graph);
        }
    }

    fn gather_all(&mut self, graph: &mut Graph) {
        for tracked in self.crowded.drain(..) {
            let spans = match tracked {
                Tracked::Resource(resource) => self.resources.get_mut(resource.0).map(|(_, spans)| spans),
                Tracked::Memory(memory) => self.memories.get_mut(memory.0),
            };
            // Neighbours have often been used by the same items; they share a gate.
            let (mut before, mut current) = (Gathered::default(), Gathered::default());
            for span in spans.into_iter().flat_map(|spans| &mut spans.list) {
                before.gather(&mut span.before, CROWD_BEFORE, graph);
                current.gather(&mut span.current, CROWD, graph);
            }
        }
    }
}

/// The ranges that a part of a resource takes: bytes of a buffer, or numbers of (mip, slice), mip by mip.
fn each_range(descriptor: &ResourceDescriptor, extent: &Extent, mut found: impl FnMut(Range<u64>)) {
    let length = descriptor.bytes.end.saturating_sub(descriptor.bytes.start);
    match (descriptor.shape, extent) {
        (ResourceShape::Buffer, Extent::Bytes(bytes)) => {
            found(bytes.start.min(length)..bytes.end.min(length))
        }
        (_, extent) if extent.is_empty() => {}
        (ResourceShape::Texture { mips, slices }, Extent::Subresources { mips: m, slices: s }) => {
            let whole = u64::from(slices);
            let (first, last) = (u64::from(s.start), u64::from(s.end.min(slices)));
            if first == 0 && last == whole {
                found(u64::from(m.start) * whole..u64::from(m.end.min(mips)) * whole);
            } else {
                (m.start..m.end.min(mips)).for_each(|mip| {
                    let mip = u64::from(mip) * whole;
                    found(mip + first..mip + last);
                });
            }
        }
        (ResourceShape::Buffer, _) => found(0..length),
        (ResourceShape::Texture { mips, slices }, _) => found(0..u64::from(mips) * u64::from(slices)),
    }
}

impl Spans {
    /// Records an access and adds what it waits for. `true` where a list has grown long.
    #[inline]
    fn access(&mut self, range: Range<u64>, kind: AccessKind, item: &Use, edges: &mut Vec<Handle>) -> bool {
        if let [only] = self.list.as_mut_slice()
            && only.range == range
        {
            only.access(kind, item, edges)
        } else {
            self.access_parts(range, kind, item, edges)
        }
    }

    /// The same where the range is not the only one ever used.
    fn access_parts(
        &mut self,
        range: Range<u64>,
        kind: AccessKind,
        item: &Use,
        edges: &mut Vec<Handle>,
    ) -> bool {
        if range.is_empty() {
            return false;
        }
        self.shorten(item.retired);
        let mut place = self.list.partition_point(|span| span.range.end <= range.start);
        let mut start = range.start;
        let mut crowded = false;
        while start < range.end {
            place = self.cut(place, start..range.end);
            let span = &mut self.list[place];
            start = span.range.end;
            crowded |= span.access(kind, item, edges);
            place += 1;
        }
        crowded
    }

    /// Makes a span begin at the start of `range` and end within it; returns its place. `place` is that of the
    /// first span that ends after the start.
    fn cut(&mut self, place: usize, range: Range<u64>) -> usize {
        match self.list.get_mut(place) {
            Some(span) if span.range.start < range.start => {
                let mut rest = span.clone();
                span.range.end = range.start;
                rest.range.start = range.start;
                self.list.insert(place + 1, rest);
                self.cut(place + 1, range)
            }
            Some(span) if span.range.start == range.start => {
                if span.range.end > range.end {
                    let mut rest = span.clone();
                    span.range.end = range.end;
                    rest.range.start = range.end;
                    self.list.insert(place + 1, rest);
                }
                place
            }
            next => {
                let end = next.map_or(range.end, |span| span.range.start.min(range.end));
                self.list.insert(place, Span::new(range.start..end));
                place
            }
        }
    }

    /// Once spans are many: drops those whose uses have all completed and joins equal neighbours.
    fn shorten(&mut self, retired: NodeId) {
        if self.list.len() <= self.limit.max(SPANS_LEAST) {
            return;
        }
        self.list.retain_mut(|span| {
            span.before.drop_completed(retired);
            span.current.drop_completed(retired);
            span.before.len() + span.current.len() > 0
        });
        self.list.dedup_by(|next, span| {
            let same = next.range.start == span.range.end
                && (next.pass, next.writes_read) == (span.pass, span.writes_read)
                && next.before == span.before
                && next.current == span.current;
            if same {
                span.range.end = next.range.end;
            }
            same
        });
        self.limit = self.list.len() * 2;
    }
}

impl Span {
    fn new(range: Range<u64>) -> Self {
        Self { range, pass: PassId(0), before: Uses::default(), writes_read: false, current: Uses::default() }
    }

    /// Records a use and adds what it waits for. `true` where a list has grown long.
    #[inline]
    fn access(&mut self, kind: AccessKind, item: &Use, edges: &mut Vec<Handle>) -> bool {
        let others = self.pass == item.pass;
        if !others {
            self.next_pass(item.pass, item.retired);
        }
        let kind = if kind == AccessKind::ReadWrite { AccessKind::Write } else { kind };
        // Commands of a serial pass follow each other.
        let earlier = item.serial && others;
        if !(earlier && self.current.waited(kind, item)) {
            let follows_writes = self.writes_read && kind != AccessKind::Read;
            let mut wait = |used: Used| {
                let conflict = kind == AccessKind::Write || used.kind != kind;
                if conflict && !(follows_writes && used.kind == AccessKind::Write) {
                    edges.push(Handle::full(used.node, Primitive::HazardTracking, item.site));
                }
            };
            self.before.each(&mut wait);
        }
        if earlier {
            self.current.stand_for(kind, item.first);
        }
        self.current.add(Used { node: item.node, kind });
        // What came before is worth a gate only if it is waited for more than once.
        self.before.more.len() > CROWD_BEFORE && others || self.current.more.len() > CROWD
    }

    /// What the latest pass did joins what came before; a write of it stands for all that came before.
    fn next_pass(&mut self, pass: PassId, retired: NodeId) {
        self.pass = pass;
        if self.current.write.is_some() {
            std::mem::swap(&mut self.before, &mut self.current);
            self.writes_read = false;
        } else {
            if self.before.more.len() > CROWD / 2 {
                self.before.drop_completed(retired);
            }
            self.writes_read |= self.current.read.is_some();
            self.current.each(|used| self.before.add(used));
        }
        self.current.clear();
    }
}

impl Uses {
    fn len(&self) -> usize {
        usize::from(self.write.is_some()) + usize::from(self.read.is_some()) + self.more.len()
    }

    fn each(&self, mut seen: impl FnMut(Used)) {
        if let Some(node) = self.write {
            seen(Used { node, kind: AccessKind::Write });
        }
        if let Some(node) = self.read {
            seen(Used { node, kind: AccessKind::Read });
        }
        self.more.iter().copied().for_each(seen);
    }

    fn add(&mut self, new: Used) {
        let place = match new.kind {
            AccessKind::Read => Some(&mut self.read),
            AccessKind::Write | AccessKind::ReadWrite => Some(&mut self.write),
            AccessKind::Atomic => None,
        };
        match place {
            Some(place) if place.is_none_or(|node| node == new.node) => *place = Some(new.node),
            _ if self.more.last() == Some(&new) => {}
            _ => self.more.push(new),
        }
    }

    /// Whether an earlier command of the same serial pass has waited for all that a use of this kind waits for.
    fn waited(&self, kind: AccessKind, item: &Use) -> bool {
        let earlier = |node: NodeId| node < item.first;
        self.write.is_some_and(earlier)
            || kind == AccessKind::Read && self.read.is_some_and(earlier)
            || self.more.iter().any(|used| used.kind == kind && earlier(used.node))
    }

    /// In a serial pass a command follows all earlier ones: a write stands for all their uses, and any use for those
    /// of its kind.
    fn stand_for(&mut self, kind: AccessKind, first: NodeId) {
        self.retain(|used| used.node >= first || kind != AccessKind::Write && kind != used.kind);
    }

    fn drop_completed(&mut self, below: NodeId) {
        self.retain(|used| used.node >= below);
    }

    fn retain(&mut self, keep: impl Fn(Used) -> bool) {
        self.write = self.write.filter(|&node| keep(Used { node, kind: AccessKind::Write }));
        self.read = self.read.filter(|&node| keep(Used { node, kind: AccessKind::Read }));
        if !self.more.is_empty() {
            self.more.retain(|used| keep(*used));
            let mut next = |kind| {
                let place = self.more.iter().position(|used| used.kind == kind)?;
                Some(self.more.remove(place).node)
            };
            self.write = self.write.or_else(|| next(AccessKind::Write));
            self.read = self.read.or_else(|| next(AccessKind::Read));
        }
    }

    /// Makes one use of all those of a kind.
    fn gather(&mut self, graph: &mut Graph) {
        let mut edges = Vec::new();
        for kind in [AccessKind::Read, AccessKind::Write, AccessKind::Atomic] {
            self.each(|used| edges.extend((used.kind == kind).then(|| Handle::plain(used.node))));
            self.more.retain(|used| used.kind != kind);
            let all = graph.gather(&mut edges, Reach::NONE, None).map(|handle| handle.node);
            match kind {
                AccessKind::Read => self.read = all,
                AccessKind::Write | AccessKind::ReadWrite => self.write = all,
                AccessKind::Atomic => self.more.extend(all.map(|node| Used { node, kind })),
            }
        }
    }

    fn clear(&mut self) {
        self.write = None;
        self.read = None;
        self.more.clear();
    }
}

/// The list gathered last, as it was and as it is.
#[derive(Clone, Debug, Default)]
struct Gathered {
    from: Uses,
    to: Uses,
}

impl Gathered {
    /// Makes few uses of many.
    fn gather(&mut self, uses: &mut Uses, most: usize, graph: &mut Graph) {
        if uses.more.len() <= most {
            return;
        }
        if *uses != self.from {
            self.from = uses.clone();
            uses.gather(graph);
            self.to = uses.clone();
        } else {
            *uses = self.to.clone();
        }
    }
}

/// A list of more uses than this becomes gates.
const CROWD: usize = 16;
/// The same for uses that several items wait for.
const CROWD_BEFORE: usize = 2;
const SPANS_LEAST: usize = 32;
