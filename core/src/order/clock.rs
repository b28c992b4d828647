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
//! Nodes with the same predecessors share one clock, so a thousand dispatches behind one gate cost a thousand
//! pointers. There are as many chains as nodes that nothing orders, and chains whose end has completed are taken
//! again: memory follows the width of what is in flight, never the length of what has been.
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::link::{Handle, Link, Reach};
use crate::plan::NodeKind;
use crate::{NodeId, ResourceId};

/// What an engine remembers of its live nodes to answer questions about them. Made by
/// [`Engine::with_clocks`](crate::Engine::with_clocks).
#[derive(Debug)]
pub struct Clocks {
    /// The node of `records[0]`.
    base: NodeId,
    records: VecDeque<Record>,
    chains: Vec<Chain>,
    /// Chains whose last node has completed.
    free: Vec<u32>,
    join: Join,
    direct: Vec<NodeId>,
    empty: Arc<Clock>,
    /// Whether any gate has shown single resources only.
    has_named: bool,
}

/// Where a node stands, for questions about it as the earlier of two: its chain and its number. It outlives what is
/// remembered of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Point {
    pub(crate) chain: u32,
    pub(crate) number: u64,
}

#[derive(Debug)]
pub(super) struct Record {
    pub(super) kind: NodeKind,
    pub(super) edges: Box<[Handle]>,
    /// A memory barrier's own resources, visible to who follows this gate.
    pub(super) named: Option<Box<[ResourceId]>>,
    chain: u32,
    clock: Arc<Clock>,
    /// The clock of a node that has only this one before it, by an edge with no visibility and by one with full.
    after: [Option<Arc<Clock>>; 2],
}

#[derive(Debug)]
struct Chain {
    /// One more than the last node's number.
    end: u64,
}

#[derive(Debug, Default)]
struct Clock {
    /// Sorted by chain.
    entries: Vec<Entry>,
    /// Entries before it cannot lend their chain any more.
    lent: AtomicUsize,
}

/// The latest nodes of one chain that are before a node, each as one more than its number; zero is none.
#[derive(Clone, Copy, Debug)]
struct Entry {
    chain: u32,
    marks: Marks,
}

#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    ordered: u64,
    buffers: u64,
    textures: u64,
}

/// A table by chain in which clocks are joined.
#[derive(Debug, Default)]
struct Join {
    marks: Vec<Marks>,
    touched: Vec<u32>,
}

impl Clocks {
    pub(super) fn new() -> Self {
        Self {
            base: NodeId(0),
            records: VecDeque::new(),
            chains: Vec::new(),
            free: Vec::new(),
            join: Join::default(),
            direct: Vec::new(),
            empty: Arc::default(),
            has_named: false,
        }
    }

    /// Whether `first` must have ended before `second` starts. `false` for nodes that have been retired.
    pub fn ordered(&self, first: NodeId, second: NodeId) -> bool {
        self.marks(first, second).is_some_and(|marks| marks.ordered > first.0)
    }

    /// Whether `first` is ordered before `second` and all its writes, of whatever kind, are visible to it: some path
    /// between them passes through a visibility operation for buffers, and some path through one for textures.
    pub fn visible(&self, first: NodeId, second: NodeId) -> bool {
        self.marks(first, second).is_some_and(|marks| marks.buffers.min(marks.textures) > first.0)
    }

    pub(crate) fn point(&self, node: NodeId) -> Option<Point> {
        Some(Point { chain: self.record(node)?.chain, number: node.0 })
    }

    pub(crate) fn is_before(&self, first: Point, second: NodeId) -> bool {
        let marks = self.record(second).and_then(|record| record.clock.marks(first.chain));
        marks.is_some_and(|marks| marks.ordered > first.number)
    }

    pub(super) fn visible_kind(&self, first: NodeId, second: NodeId, kind: Reach) -> bool {
        let marks = self.marks(first, second).unwrap_or_default();
        let mark = if kind == Reach::BUFFERS { marks.buffers } else { marks.textures };
        mark > first.0
    }

    /// What a node stands for, while it is remembered.
    pub fn kind(&self, node: NodeId) -> Option<NodeKind> {
        self.record(node).map(|record| record.kind)
    }

    /// How many nodes and chains are remembered: the measure of its memory.
    pub fn size(&self) -> (usize, usize) {
        (self.records.len(), self.chains.len())
    }

    /// The latest nodes that are before (or are) *every* one of `nodes`, none before another, sorted.
    pub(super) fn meet(&self, nodes: &[NodeId]) -> Vec<NodeId> {
        let clock_and_own = |node: &NodeId| {
            let record = self.record(*node)?;
            let mut entries = record.clock.entries.clone();
            raise(&mut entries, record.chain, Marks { ordered: node.0 + 1, ..Marks::default() });
            Some(entries)
        };
        let mut clocks = nodes.iter().filter_map(clock_and_own);
        let Some(mut common) = clocks.next() else { return Vec::new() };
        for other in clocks {
            common.retain_mut(|entry| {
                let found = other.binary_search_by_key(&entry.chain, |other| other.chain);
                let mark = found.map_or(0, |place| other[place].marks.ordered);
                entry.marks.ordered = entry.marks.ordered.min(mark);
                entry.marks.ordered > 0
            });
        }
        let latest: Vec<NodeId> = common.iter().map(|entry| NodeId(entry.marks.ordered - 1)).collect();
        let covered = |node: &NodeId| latest.iter().any(|later| self.ordered(*node, *later));
        let mut apart: Vec<NodeId> = latest.iter().filter(|node| !covered(node)).copied().collect();
        apart.sort_unstable();
        apart
    }

    /// What a node follows directly, each with the primitive that says so; nothing for a node that only collects.
    pub fn links(&self, node: NodeId) -> impl Iterator<Item = (NodeId, Option<Link>)> + '_ {
        let edges = self.record(node).map_or(&[][..], |record| &record.edges);
        edges.iter().map(|edge| (edge.node, edge.link()))
    }

    pub(super) fn record(&self, node: NodeId) -> Option<&Record> {
        self.records.get(node.0.checked_sub(self.base.0)? as usize)
    }

    /// Adds the next node. `edges` are clean: live, latest first, one per predecessor.
    pub(super) fn push(&mut self, id: NodeId, kind: NodeKind, edges: &[Handle]) {
        self.direct.clear();
        let clock = match edges {
            [] => Arc::clone(&self.empty),
            [only] => {
                self.direct.push(only.node);
                self.after(only)
            }
            _ => match self.like_last(edges) {
                Some(clock) => clock,
                None => self.joined(edges),
            },
        };
        let chain = self.chain(&clock, edges);
        self.chains[chain as usize].end = id.0 + 1;
        let edges = edges.into();
        self.records.push_back(Record { kind, edges, named: None, chain, clock, after: [None, None] });
    }

    /// The predecessors of the node pushed last that no other of its predecessors follows.
    pub(super) fn direct_predecessors(&self) -> &[NodeId] {
        &self.direct
    }

    pub(super) const fn has_named(&self) -> bool {
        self.has_named
    }

    pub(super) fn name_resources(&mut self, node: NodeId, resources: &[ResourceId]) {
        self.has_named = true;
        let place = node.0.wrapping_sub(self.base.0) as usize;
        if let Some(record) = self.records.get_mut(place) {
            record.named = Some(resources.into());
        }
    }

    pub(super) fn retire(&mut self, below: NodeId) {
        while self.base < below {
            let Some(record) = self.records.pop_front() else { break };
            self.base.0 += 1;
            if self.chains[record.chain as usize].end == self.base.0 {
                self.free.push(record.chain);
            }
        }
    }

    /// What `second` knows of the chain of `first`.
    fn marks(&self, first: NodeId, second: NodeId) -> Option<Marks> {
        let chain = self.record(first)?.chain;
        self.record(second)?.clock.marks(chain)
    }

    /// The clock of a node with one predecessor.
    fn after(&mut self, edge: &Handle) -> Arc<Clock> {
        let cached = match edge.reach {
            Reach::NONE => Some(0),
            Reach::FULL => Some(1),
            _ => None,
        };
        let place = edge.node.0.wrapping_sub(self.base.0) as usize;
        let Some(record) = self.records.get_mut(place) else { return Arc::clone(&self.empty) };
        if let Some(clock) = cached.and_then(|slot| record.after[slot].as_ref()) {
            return Arc::clone(clock);
        }
        let base = self.base.0;
        let kept = record.clock.entries.iter().filter(|entry| entry.marks.ordered > base);
        let mut entries: Vec<Entry> =
            kept.map(|entry| Entry { chain: entry.chain, marks: entry.marks.through(edge.reach) }).collect();
        raise(&mut entries, record.chain, Marks::of(edge));
        let clock = Arc::new(Clock { entries, lent: AtomicUsize::new(0) });
        if let Some(slot) = cached {
            record.after[slot] = Some(Arc::clone(&clock));
        }
        clock
    }

    /// The last node's clock, where it has the same edges: what stands side by side behind the same gates.
    fn like_last(&mut self, edges: &[Handle]) -> Option<Arc<Clock>> {
        let last = self.records.back()?;
        let same = |(a, b): (&Handle, &Handle)| a.node == b.node && a.reach == b.reach;
        if last.edges.len() != edges.len() || !last.edges.iter().zip(edges).all(same) {
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
        Arc::new(Clock { entries: self.join.take(self.base.0), lent: AtomicUsize::new(0) })
    }

    /// Joins what is strictly before the predecessors, and finds which of them are needed.
    fn join_strict(&mut self, edges: &[Handle]) {
        let mut join = std::mem::take(&mut self.join);
        join.grow(self.chains.len());
        let mut last: Option<(*const Clock, Reach)> = None;
        for edge in edges {
            let Some(record) = self.record(edge.node) else { continue };
            let key = (Arc::as_ptr(&record.clock), edge.reach);
            if last.replace(key) == Some(key) {
                continue;
            }
            for entry in &record.clock.entries {
                join.add(entry.chain, entry.marks.through(edge.reach));
            }
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
        let base = self.base.0;
        let ends = |entry: &Entry| {
            entry.marks.ordered > base && self.chains[entry.chain as usize].end == entry.marks.ordered
        };
        let found = clock.entries.iter().skip(from).position(ends);
        // A chain's end only moves on, so an entry that is none now will never be one again.
        clock.lent.store(found.map_or(clock.entries.len(), |place| from + place + 1), Ordering::Relaxed);
        if let Some(place) = found {
            return clock.entries[from + place].chain;
        }
        self.free.pop().unwrap_or_else(|| {
            self.chains.push(Chain { end: 0 });
            (self.chains.len() - 1) as u32
        })
    }
}

impl Clock {
    fn marks(&self, chain: u32) -> Option<Marks> {
        let place = self.entries.binary_search_by_key(&chain, |entry| entry.chain).ok()?;
        Some(self.entries[place].marks)
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
    }

    /// The joined entries above `base`, sorted; the table is empty again.
    fn take(&mut self, base: u64) -> Vec<Entry> {
        self.touched.sort_unstable();
        let mut entries = Vec::with_capacity(self.touched.len());
        for chain in self.touched.drain(..) {
            let marks = std::mem::take(&mut self.marks[chain as usize]);
            if marks.ordered > base {
                entries.push(Entry { chain, marks });
            }
        }
        entries
    }
}

fn raise(entries: &mut Vec<Entry>, chain: u32, marks: Marks) {
    match entries.binary_search_by_key(&chain, |entry| entry.chain) {
        Ok(place) => entries[place].marks = entries[place].marks.max(marks),
        Err(place) => entries.insert(place, Entry { chain, marks }),
    }
}

/// How many predecessors are asked for their chain before the clock is searched.
const LOOKED_AT: usize = 8;
