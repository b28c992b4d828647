//! Clocks: is this before that, in the time of a look-up, over any graph the primitives build.
//!
//! The nodes are laid in *chains*: a node goes behind a predecessor that ends a chain, else behind any chain's end
//! that is before it, else it opens a chain. What is before a node is then one node per chain, the latest: its
//! clock. `a` is before `b` when `b`'s clock holds, on `a`'s chain, `a` or a later node. The same holds for
//! visibility, kind by kind, since what is visible to a node makes all before it on its chain visible too.
//!
//! ```text
//!   chain 0   copy ──► gate ──► dispatch          clock of dispatch: { 0: gate, 1: copy' }
//!   chain 1   copy' ────┘
//! ```
//!
//! What a node knows of its own chain stands in the node, what it knows of the others in its clock; a node that only
//! goes on from its predecessor shares the predecessor's clock. So do nodes with the same predecessors: a thousand
//! dispatches behind one gate cost a thousand pointers. There are as many chains as nodes that nothing orders, and chains
//! whose end has completed are taken again: memory follows the width of what is in flight, never the length of what
//! has been.
//!
//! Memory barriers that name single resources make these visible and no others. Such marks stand beside the others, and
//! only as long as these say less.
//!
//! Who judges a program that runs on and on has no completed nodes, and [sweeps](super::sweep) instead.
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use smallvec::SmallVec;

use super::link::{Handle, Link, Reach};
use crate::plan::NodeKind;
use crate::{NodeId, ResourceId};

/// What an engine remembers of its live nodes to answer questions about them. Made by
/// [`Engine::with_clocks`](crate::Engine::with_clocks).
#[derive(Clone, Debug)]
pub struct Clocks {
    /// The node of `records[0]`.
    pub(super) base: NodeId,
    pub(super) records: VecDeque<Record>,
    /// Older nodes that are still remembered, by number.
    pub(super) kept: Vec<(NodeId, Record)>,
    /// Everything below has completed.
    retired: u64,
    pub(super) chains: Vec<Chain>,
    /// Chains that nothing is on any more.
    pub(super) free: Vec<u32>,
    /// How many marks the clocks have that were made since the last sweep.
    pub(super) made: usize,
    /// How many nodes are remembered, and marks made, when the next sweep pays.
    pub(super) limits: (usize, usize),
    join: Join,
    direct: Vec<NodeId>,
    pub(super) empty: Arc<Clock>,
}

/// Where a node stands, for questions about it as the earlier of two: its chain and its number. It outlives what is
/// remembered of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Point {
    pub(crate) chain: u32,
    pub(crate) number: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) kind: NodeKind,
    pub(super) edges: SmallVec<[Handle; 2]>,
    pub(super) chain: u32,
    /// A memory barrier that names resources.
    is_named: bool,
    /// The latest nodes of its own chain before it.
    own: Marks,
    /// The same for all other chains; what it says of its own may be out of date.
    pub(super) clock: Arc<Clock>,
    /// The clock of a node that has only this one before it, by an edge with no visibility and by one with full.
    pub(super) after: [Option<Arc<Clock>>; 2],
}

#[derive(Clone, Debug)]
pub(super) struct Chain {
    /// One more than the last node's number.
    pub(super) end: u64,
    pub(super) is_free: bool,
}

#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Sorted by chain.
    pub(super) entries: SmallVec<[Entry; 4]>,
    /// What is visible of single resources only, sorted by resource and chain.
    pub(super) named: Vec<Named>,
    /// Entries before it cannot lend their chain any more.
    lent: AtomicUsize,
    /// Everything ordered is visible, too.
    is_full: bool,
}

/// The latest nodes of one chain that are before a node, each as one more than its number; zero is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) chain: u32,
    marks: Marks,
}

#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    ordered: u64,
    buffers: u64,
    textures: u64,
}

/// The latest node of a chain that is visible where it writes one resource, as one more than its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    resource: ResourceId,
    pub(super) chain: u32,
    mark: u64,
}

/// A table by chain in which clocks are joined.
#[derive(Clone, Debug, Default)]
struct Join {
    marks: Vec<Marks>,
    touched: Vec<u32>,
    named: Vec<Named>,
}

impl Clocks {
    pub(super) fn new() -> Self {
        Self {
            base: NodeId(0),
            records: VecDeque::new(),
            kept: Vec::new(),
            retired: 0,
            chains: Vec::new(),
            free: Vec::new(),
            made: 0,
            limits: (super::sweep::NODES_LEAST, super::sweep::MARKS_LEAST),
            join: Join::default(),
            direct: Vec::new(),
            empty: Arc::new(Clock { is_full: true, ..Clock::default() }),
        }
    }

    /// Whether `first` must have ended before `second` starts. `false` for nodes that have been retired.
    pub fn ordered(&self, first: NodeId, second: NodeId) -> bool {
        self.point(first).is_some_and(|first| self.is_before(first, second))
    }

    /// Whether `first` is ordered before `second` and all its writes, of whatever kind, are visible to it: some path
    /// between them passes through a visibility operation for buffers, and some path through one for textures.
    pub fn visible(&self, first: NodeId, second: NodeId) -> bool {
        let Some(first) = self.point(first) else { return false };
        let marks = self.marks(first, second);
        marks.buffers.min(marks.textures) > first.number
    }

    /// Whether writes to one resource of a kind pass from `first` to `second`.
    pub(crate) fn is_visible(&self, first: Point, second: NodeId, kind: Reach, resource: ResourceId) -> bool {
        let marks = self.marks(first, second);
        let mark = if kind == Reach::BUFFERS { marks.buffers } else { marks.textures };
        mark > first.number || self.named(first.chain, second, resource) > first.number
    }

    /// What a node stands for, while it is remembered.
    pub fn kind(&self, node: NodeId) -> Option<NodeKind> {
        self.record(node).map(|record| record.kind)
    }

    /// How many nodes and chains are remembered: the measure of its memory.
    pub fn size(&self) -> (usize, usize) {
        (self.records.len() + self.kept.len(), self.chains.len())
    }

    /// What a node follows directly, each with the primitive that says so; nothing for a node that only collects.
    pub fn links(&self, node: NodeId) -> impl Iterator<Item = (NodeId, Option<Link>)> + '_ {
        let edges = self.record(node).into_iter().flat_map(|record| record.edges.iter());
        edges.map(|edge| (edge.node, edge.link()))
    }

    pub(crate) fn point(&self, node: NodeId) -> Option<Point> {
        Some(Point { chain: self.record(node)?.chain, number: node.0 })
    }

    #[inline]
    pub(crate) fn is_before(&self, first: Point, second: NodeId) -> bool {
        self.marks(first, second).ordered > first.number
    }

    /// The latest nodes that are before (or are) *every* one of `nodes`, none before another, sorted.
    pub(super) fn meet(&self, nodes: &[NodeId]) -> Vec<NodeId> {
        let common = self.common(nodes);
        let covered = |entry: &Entry| {
            let point = Point { chain: entry.chain, number: entry.marks.ordered - 1 };
            common.iter().any(|later| self.is_before(point, NodeId(later.marks.ordered - 1)))
        };
        let apart = common.iter().filter(|entry| !covered(entry));
        let mut apart: Vec<NodeId> = apart.map(|entry| NodeId(entry.marks.ordered - 1)).collect();
        apart.sort_unstable();
        apart
    }

    /// The latest node of each chain that is before (or is) every one of `nodes`.
    pub(super) fn common(&self, nodes: &[NodeId]) -> SmallVec<[Entry; 4]> {
        let clock_and_own = |node: &NodeId| {
            let record = self.record(*node)?;
            let mut entries = record.clock.entries.clone();
            raise(&mut entries, record.chain, Marks { ordered: node.0 + 1, ..Marks::default() });
            Some(entries)
        };
        let mut clocks = nodes.iter().filter_map(clock_and_own);
        let Some(mut common) = clocks.next() else { return SmallVec::new() };
        for other in clocks {
            common.retain(|entry| {
                let found = other.binary_search_by_key(&entry.chain, |other| other.chain);
                let mark = found.map_or(0, |place| other[place].marks.ordered);
                entry.marks.ordered = entry.marks.ordered.min(mark);
                entry.marks.ordered > 0
            });
        }
        common
    }

    pub(super) fn record(&self, node: NodeId) -> Option<&Record> {
        match node.0.checked_sub(self.base.0) {
            Some(place) => self.records.get(place as usize),
            None => {
                let place = self.kept.binary_search_by_key(&node, |(node, _)| *node).ok()?;
                Some(&self.kept[place].1)
            }
        }
    }

    fn record_mut(&mut self, node: NodeId) -> Option<&mut Record> {
        match node.0.checked_sub(self.base.0) {
            Some(place) => self.records.get_mut(place as usize),
            None => {
                let place = self.kept.binary_search_by_key(&node, |(node, _)| *node).ok()?;
                Some(&mut self.kept[place].1)
            }
        }
    }

    /// Adds the next node. `edges` are clean: live, latest first, one per predecessor.
    pub(super) fn push(&mut self, id: NodeId, kind: NodeKind, edges: &[Handle]) {
        self.direct.clear();
        if let Some(latest) = edges.first()
            && (edges.len() == 1 || self.stands_for_all(latest, &edges[1..]))
        {
            self.direct.push(latest.node);
            self.push_after(id, kind, edges);
            return;
        }
        let clock = match edges {
            [] => Arc::clone(&self.empty),
            _ => match self.like_last(edges) {
                Some(clock) => clock,
                None => self.joined(edges),
            },
        };
        let chain = self.chain(&clock, edges);
        let own = clock.marks(chain);
        self.add(id, kind, edges, (chain, own, clock));
    }

    /// A node after exactly these nodes and all before them, of whatever is no longer remembered.
    pub(super) fn push_meet(&mut self, id: NodeId, mut entries: SmallVec<[Entry; 4]>) {
        for Entry { marks, .. } in &mut entries {
            *marks = Marks { ordered: marks.ordered, buffers: marks.ordered, textures: marks.ordered };
        }
        let clock = Arc::new(Clock::of(entries, Vec::new()));
        let chain = self.chain(&clock, &[]);
        let own = clock.marks(chain);
        self.add(id, NodeKind::Gate, &[], (chain, own, clock));
    }

    /// The predecessors of the node pushed last that no other of its predecessors follows.
    pub(super) fn direct_predecessors(&self) -> &[NodeId] {
        &self.direct
    }

    /// The node shows only these resources to who comes after it.
    pub(super) fn name_resources(&mut self, node: NodeId, resources: &[ResourceId]) {
        let Some(record) = self.record_mut(node) else { return };
        let mut entries = record.clock.entries.clone();
        if record.own.ordered > 0 {
            raise(&mut entries, record.chain, record.own);
        }
        let mut named = record.clock.named.clone();
        for &resource in resources {
            named.extend(entries.iter().map(|entry| Named {
                resource,
                chain: entry.chain,
                mark: entry.marks.ordered,
            }));
        }
        record.is_named = true;
        record.clock = Arc::new(Clock::of(entries, named));
    }

    pub(super) fn retire(&mut self, below: NodeId) {
        self.retired = self.retired.max(below.0);
        while self.base < below {
            let Some(record) = self.records.pop_front() else { break };
            self.base.0 += 1;
            let chain = &mut self.chains[record.chain as usize];
            if chain.end == self.base.0 {
                chain.is_free = true;
                self.free.push(record.chain);
            }
        }
    }

    fn add(&mut self, id: NodeId, kind: NodeKind, edges: &[Handle], place: (u32, Marks, Arc<Clock>)) {
        let (chain, own, clock) = place;
        self.chains[chain as usize].end = id.0 + 1;
        let edges = SmallVec::from_slice(edges);
        let after = [None, None];
        self.records.push_back(Record { kind, edges, chain, is_named: false, own, clock, after });
    }

    /// What `second` knows of a chain.
    #[inline]
    fn marks(&self, first: Point, second: NodeId) -> Marks {
        let Some(second) = self.record(second) else { return Marks::default() };
        if second.chain == first.chain { second.own } else { second.clock.marks(first.chain) }
    }

    fn named(&self, chain: u32, second: NodeId, resource: ResourceId) -> u64 {
        let Some(second) = self.record(second).filter(|second| !second.clock.named.is_empty()) else {
            return 0;
        };
        let named = &second.clock.named;
        let place = named.binary_search_by_key(&(resource, chain), |named| (named.resource, named.chain));
        place.map_or(0, |place| named[place].mark)
    }

    /// Whether the latest predecessor follows the others and shows all that they show.
    pub(super) fn stands_for_all(&self, latest: &Handle, others: &[Handle]) -> bool {
        others.iter().all(|other| {
            let Some(point) = self.point(other.node) else { return false };
            let marks = self.marks(point, latest.node);
            // What is visible to the latest brings along all that is before it.
            let shown = |kind, mark| {
                !other.reach.contains(kind) || latest.reach.contains(kind) || mark > point.number
            };
            marks.ordered > point.number
                && shown(Reach::BUFFERS, marks.buffers)
                && shown(Reach::TEXTURES, marks.textures)
        })
    }

    /// Adds a node for which the first of its predecessors stands for all.
    fn push_after(&mut self, id: NodeId, kind: NodeKind, edges: &[Handle]) {
        let edge = &edges[0];
        let Some(record) = self.record(edge.node) else {
            let clock = Arc::clone(&self.empty);
            let chain = self.chain(&clock, &[]);
            return self.add(id, kind, edges, (chain, Marks::default(), clock));
        };
        let chain = record.chain;
        let goes_on = self.chains[chain as usize].end == edge.node.0 + 1;
        if goes_on && (edge.reach == Reach::NONE || record.clock.is_full) {
            let own = Marks::of(edge).max(record.own.through(edge.reach));
            let clock = Arc::clone(&record.clock);
            return self.add(id, kind, edges, (chain, own, clock));
        }
        let clock = self.after(edge);
        let chain = self.chain(&clock, &edges[..1]);
        let own = clock.marks(chain);
        self.add(id, kind, edges, (chain, own, clock));
    }

    /// The clock of a node with one predecessor, which says all of the predecessor's chain too.
    fn after(&mut self, edge: &Handle) -> Arc<Clock> {
        let cached = match edge.reach {
            Reach::NONE => Some(0),
            Reach::FULL => Some(1),
            _ => None,
        };
        let retired = self.retired;
        let Some(record) = self.record_mut(edge.node) else { return Arc::clone(&self.empty) };
        if let Some(clock) = cached.and_then(|slot| record.after[slot].as_ref()) {
            return Arc::clone(clock);
        }
        let kept = record.clock.entries.iter().filter(|entry| entry.marks.ordered > retired);
        let mut entries: SmallVec<[Entry; 4]> =
            kept.map(|entry| Entry { chain: entry.chain, marks: entry.marks.through(edge.reach) }).collect();
        raise(&mut entries, record.chain, Marks::of(edge).max(record.own.through(edge.reach)));
        let clock = Arc::new(Clock::of(entries, record.clock.named.clone()));
        if let Some(slot) = cached {
            record.after[slot] = Some(Arc::clone(&clock));
        }
        self.made += clock.entries.len();
        clock
    }

    /// The last node's clock, where it has the same edges: what stands side by side behind the same gates.
    fn like_last(&mut self, edges: &[Handle]) -> Option<Arc<Clock>> {
        let last = self.records.back()?;
        let same = |(a, b): (&Handle, &Handle)| a.node == b.node && a.reach == b.reach;
        if last.is_named || last.edges.len() != edges.len() || !last.edges.iter().zip(edges).all(same) {
            return None;
        }
        let clock = Arc::clone(&last.clock);
        self.join_strict(edges);
        self.join.clear();
        Some(clock)
    }

    fn joined(&mut self, edges: &[Handle]) -> Arc<Clock> {
        self.join_strict(edges);
        for edge in edges {
            if let Some(record) = self.record(edge.node) {
                let chain = record.chain;
                self.join.add(chain, Marks::of(edge));
            }
        }
        let clock = self.join.take(self.retired);
        self.made += clock.entries.len();
        Arc::new(clock)
    }

    /// Joins what is strictly before the predecessors, and finds which of them are needed.
    fn join_strict(&mut self, edges: &[Handle]) {
        let mut join = std::mem::take(&mut self.join);
        join.grow(self.chains.len());
        let mut last: Option<(*const Clock, Reach)> = None;
        for edge in edges {
            let Some(record) = self.record(edge.node) else { continue };
            join.add(record.chain, record.own.through(edge.reach));
            let key = (Arc::as_ptr(&record.clock), edge.reach);
            if last.replace(key) == Some(key) {
                continue;
            }
            for entry in &record.clock.entries {
                join.add(entry.chain, entry.marks.through(edge.reach));
            }
            join.named.extend_from_slice(&record.clock.named);
        }
        let mut direct = std::mem::take(&mut self.direct);
        direct.extend(edges.iter().map(|edge| edge.node).filter(|node| {
            self.record(*node).is_some_and(|record| join.marks[record.chain as usize].ordered <= node.0)
        }));
        self.direct = direct;
        self.join = join;
    }

    /// A chain that a node with this clock may be laid on.
    fn chain(&mut self, clock: &Clock, edges: &[Handle]) -> u32 {
        for edge in edges.iter().take(LOOKED_AT) {
            if let Some(record) = self.record(edge.node)
                && self.chains[record.chain as usize].end == edge.node.0 + 1
            {
                return record.chain;
            }
        }
        let from = clock.lent.load(Ordering::Relaxed);
        let retired = self.retired;
        let ends = |entry: &Entry| {
            entry.marks.ordered > retired && self.chains[entry.chain as usize].end == entry.marks.ordered
        };
        let found = clock.entries.iter().skip(from).position(ends);
        // A chain's end only moves on, so an entry that is none now will never be one again.
        clock.lent.store(found.map_or(clock.entries.len(), |place| from + place + 1), Ordering::Relaxed);
        if let Some(place) = found {
            return clock.entries[from + place].chain;
        }
        if let Some(chain) = self.free.pop() {
            self.chains[chain as usize].is_free = false;
            return chain;
        }
        self.chains.push(Chain { end: 0, is_free: false });
        (self.chains.len() - 1) as u32
    }
}

impl Clock {
    pub(super) fn of(entries: SmallVec<[Entry; 4]>, mut named: Vec<Named>) -> Self {
        let shown = |chain: u32| {
            let place = entries.binary_search_by_key(&chain, |entry| entry.chain);
            place.map_or(0, |place| entries[place].marks.buffers.min(entries[place].marks.textures))
        };
        if !named.is_empty() {
            named.retain(|named| named.mark > shown(named.chain));
            named.sort_unstable_by_key(|named| (named.resource, named.chain, std::cmp::Reverse(named.mark)));
            named.dedup_by_key(|named| (named.resource, named.chain));
        }
        let full = |entry: &Entry| entry.marks.buffers.min(entry.marks.textures) == entry.marks.ordered;
        let is_full = named.is_empty() && entries.iter().all(full);
        Self { entries, named, lent: AtomicUsize::new(0), is_full }
    }

    #[inline]
    fn marks(&self, chain: u32) -> Marks {
        let place = self.entries.binary_search_by_key(&chain, |entry| entry.chain);
        place.map_or_else(|_| Marks::default(), |place| self.entries[place].marks)
    }
}

impl Marks {
    /// Those of the node that an edge comes from.
    const fn of(edge: &Handle) -> Self {
        let ordered = edge.node.0 + 1;
        Self { ordered, buffers: 0, textures: 0 }.through(edge.reach)
    }

    /// As seen across an edge.
    const fn through(self, reach: Reach) -> Self {
        let buffers = if reach.contains(Reach::BUFFERS) { self.ordered } else { self.buffers };
        let textures = if reach.contains(Reach::TEXTURES) { self.ordered } else { self.textures };
        Self { ordered: self.ordered, buffers, textures }
    }

    fn max(self, other: Self) -> Self {
        Self {
            ordered: self.ordered.max(other.ordered),
            buffers: self.buffers.max(other.buffers),
            textures: self.textures.max(other.textures),
        }
    }
}

impl Join {
    fn grow(&mut self, chains: usize) {
        if self.marks.len() < chains {
            self.marks.resize(chains, Marks::default());
        }
    }

    fn add(&mut self, chain: u32, marks: Marks) {
        if marks.ordered == 0 {
            return;
        }
        let own = &mut self.marks[chain as usize];
        if own.ordered == 0 {
            self.touched.push(chain);
        }
        *own = own.max(marks);
    }

    fn clear(&mut self) {
        for chain in self.touched.drain(..) {
            self.marks[chain as usize] = Marks::default();
        }
        self.named.clear();
    }

    /// The joined clock without what has completed; the table is empty again.
    fn take(&mut self, retired: u64) -> Clock {
        self.touched.sort_unstable();
        let mut entries = SmallVec::with_capacity(self.touched.len());
        for chain in self.touched.drain(..) {
            let marks = std::mem::take(&mut self.marks[chain as usize]);
            if marks.ordered > retired {
                entries.push(Entry { chain, marks });
            }
        }
        Clock::of(entries, std::mem::take(&mut self.named))
    }
}

fn raise(entries: &mut SmallVec<[Entry; 4]>, chain: u32, marks: Marks) {
    match entries.binary_search_by_key(&chain, |entry| entry.chain) {
        Ok(place) => entries[place].marks = entries[place].marks.max(marks),
        Err(place) => entries.insert(place, Entry { chain, marks }),
    }
}

/// How many predecessors are asked for their chain before the clock is searched.
const LOOKED_AT: usize = 8;
