//! The nodes in flight: each knows how many it waits for and who waits for it.
//!
//! Nodes live in slots that are reused, so the steady state allocates nothing. Whoever inserts nodes (one at a time, in release order)
//! holds a lock that maps names to slots; whoever ends nodes touches only atomic words ([`links`](super::links)) and hands back the
//! slot. A slot is given out again only under the inserter's lock, so a predecessor that is looked up by name there is either that node
//! or one that has ended.
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use fencepost_core::NodeId;
use parking_lot::Mutex;

use super::links::{EDGES, FreeLink, FreeList, Links, NONE};
use crate::Error;
use crate::backend::{Part, Planned, PlannedNode, Work};

/// A node's place.
pub(super) type SlotIndex = u32;

/// What a node does when its turn comes.
#[derive(Debug)]
pub(super) struct Payload {
    /// Absent in nodes that only join the predecessors of another one.
    pub(super) part: Option<Arc<Part>>,
    pub(super) tag: u32,
    pub(super) work: Work,
    /// What failed before it.
    pub(super) cause: Option<Error>,
}

#[derive(Debug)]
struct Slot {
    links: Links,
    free: FreeLink,
    node: AtomicU64,
    /// Nanoseconds it is expected to take.
    weight: AtomicU32,
    payload: Mutex<Option<Payload>>,
}

/// All nodes in flight.
#[derive(Debug)]
pub(super) struct Graph {
    slots: Slots,
    free: FreeList,
    names: Mutex<Names>,
    /// Nodes that wait for a value.
    shut: Mutex<HashMap<NodeId, SlotIndex>>,
    any_failed: AtomicBool,
    failed: Mutex<HashMap<NodeId, Error>>,
}

/// Names of nodes that were inserted and not retired.
#[derive(Debug, Default)]
struct Names {
    first: u64,
    slots: VecDeque<SlotIndex>,
    spare: Vec<SlotIndex>,
    used: u32,
}

/// A name of no node: a slot that joins predecessors of another one.
const UNNAMED: u64 = u64::MAX;

impl Graph {
    pub(super) fn new() -> Self {
        Self {
            slots: Slots::new(),
            free: FreeList::new(),
            names: Mutex::default(),
            shut: Mutex::default(),
            any_failed: AtomicBool::new(false),
            failed: Mutex::default(),
        }
    }

    /// Inserts nodes; those that wait for nothing go to `ready` in their order.
    pub(super) fn insert(
        &self,
        planned: &Planned,
        weigh: impl Fn(&Part, Work) -> u32,
        ready: &mut Vec<SlotIndex>,
    ) {
        let parts: Vec<Arc<Part>> = planned.parts.iter().cloned().map(Arc::new).collect();
        let mut names = self.names.lock();
        for node in &planned.nodes {
            let part = &parts[node.part as usize];
            let predecessors =
                &planned.predecessors[node.predecessors.start as usize..node.predecessors.end as usize];
            let weight = weigh(part, node.work);
            let payload =
                Payload { part: Some(Arc::clone(part)), tag: node.tag, work: node.work, cause: None };
            let slot = self.insert_node(&mut names, node, predecessors, payload, weight, ready);
            names.note(node.id, slot);
        }
    }

    /// Nodes below this one are never named again.
    pub(super) fn retire(&self, below: NodeId) {
        self.names.lock().retire(below.0);
        if self.any_failed.load(Ordering::Acquire) {
            let mut failed = self.failed.lock();
            failed.retain(|node, _| *node >= below);
            self.any_failed.store(!failed.is_empty(), Ordering::Release);
        }
    }

    /// The value that a node waits for is there; the node where it is ready now.
    pub(super) fn open(&self, node: NodeId) -> Option<SlotIndex> {
        let slot = self.shut.lock().remove(&node)?;
        self.slots.get(slot).links.release_one().then_some(slot)
    }

    /// Takes what a ready node does. It is taken once.
    pub(super) fn take(&self, slot: SlotIndex) -> Option<Payload> {
        let mut payload = self.slots.get(slot).payload.lock().take()?;
        if let (None, Some(part)) = (&payload.cause, &payload.part)
            && !matches!(payload.work, Work::Value)
        {
            payload.cause = part.completion.refused();
        }
        Some(payload)
    }

    /// What a ready node does, for those who decide by it.
    pub(super) fn weight(&self, slot: SlotIndex) -> u32 {
        self.slots.get(slot).weight.load(Ordering::Relaxed)
    }

    /// Ends a node. Those that waited for it alone go to `ready`; all that follow learn of a failure.
    pub(super) fn end(&self, slot: SlotIndex, failure: Option<&Error>, ready: &mut Vec<SlotIndex>) {
        let node = self.slots.get(slot);
        let name = node.node.load(Ordering::Relaxed);
        if let Some(error) = failure
            && name != UNNAMED
        {
            self.failed.lock().insert(NodeId(name), error.clone());
            self.any_failed.store(true, Ordering::Release);
        }
        let mut edge = node.links.close();
        while edge != NONE {
            let index = edge / EDGES as u32;
            let successor = self.slots.get(index);
            edge = successor.links.next(edge);
            if let Some(error) = failure {
                successor.blame(error);
            }
            if successor.links.release_one() {
                ready.push(index);
            }
        }
        self.free.push(slot, &node.free);
    }

    fn insert_node(
        &self,
        names: &mut Names,
        node: &PlannedNode,
        predecessors: &[NodeId],
        payload: Payload,
        weight: u32,
        ready: &mut Vec<SlotIndex>,
    ) -> SlotIndex {
        // One that waits for a value has one more to wait for.
        let shut = u32::from(matches!(node.work, Work::Value));
        let slot = self.allocate(names, node.id.0, payload, weight);
        if shut > 0 {
            self.shut.lock().insert(node.id, slot);
        }
        if predecessors.len() <= EDGES {
            let missing = self.connect(names, slot, predecessors.iter().copied(), &[], shut);
            self.settle(slot, missing, ready);
            return slot;
        }
        // More than it has edges: others join them, as many as it takes, and it waits for those. None of them is settled before all are
        // linked: one that has ended has no name under which its failure could be found, and its slot might be given out again.
        let mut unsettled: Vec<(SlotIndex, u32)> = Vec::new();
        let mut joins: Vec<SlotIndex> = Vec::new();
        for some in predecessors.chunks(EDGES) {
            let join = self.allocate_join(names);
            unsettled.push((join, self.connect(names, join, some.iter().copied(), &[], 0)));
            joins.push(join);
        }
        while joins.len() > EDGES {
            let below = std::mem::take(&mut joins);
            for some in below.chunks(EDGES) {
                let join = self.allocate_join(names);
                unsettled.push((join, self.connect(names, join, std::iter::empty(), some, 0)));
                joins.push(join);
            }
        }
        unsettled.push((slot, self.connect(names, slot, std::iter::empty(), &joins, shut)));
        for (slot, missing) in unsettled {
            self.settle(slot, missing, ready);
        }
        slot
    }

    /// A slot is linked to all that it waits for; it is ready when `missing` of them were all.
    fn settle(&self, slot: SlotIndex, missing: u32, ready: &mut Vec<SlotIndex>) {
        if self.slots.get(slot).links.settle(missing) {
            ready.push(slot);
        }
    }

    /// Links a slot to nodes by name and to slots that it waits for, and `shut` others. How many of them have ended.
    fn connect(
        &self,
        names: &Names,
        slot: SlotIndex,
        predecessors: impl ExactSizeIterator<Item = NodeId>,
        joins: &[SlotIndex],
        shut: u32,
    ) -> u32 {
        let node = self.slots.get(slot);
        node.links.open((predecessors.len() + joins.len()) as u32 + shut);
        let mut missing = 0;
        let mut edge = slot * EDGES as u32;
        for predecessor in predecessors {
            if !self.link(names, predecessor, node, edge) {
                missing += 1;
            }
            edge += 1;
        }
        for join in joins {
            missing += u32::from(!self.slots.get(*join).links.link(&node.links, edge));
            edge += 1;
        }
        missing
    }

    /// False: that node has ended. If it failed, its successor knows.
    fn link(&self, names: &Names, predecessor: NodeId, node: &Slot, edge: u32) -> bool {
        if let Some(slot) = names.find(predecessor.0) {
            let slot = self.slots.get(slot);
            if slot.node.load(Ordering::Relaxed) == predecessor.0 && slot.links.link(&node.links, edge) {
                return true;
            }
        }
        if self.any_failed.load(Ordering::Acquire)
            && let Some(error) = self.failed.lock().get(&predecessor)
        {
            node.blame(error);
        }
        false
    }

    fn allocate_join(&self, names: &mut Names) -> SlotIndex {
        let payload = Payload { part: None, tag: 0, work: Work::Gate, cause: None };
        self.allocate(names, UNNAMED, payload, 0)
    }

    fn allocate(&self, names: &mut Names, node: u64, payload: Payload, weight: u32) -> SlotIndex {
        let index = self.free_slot(names);
        let slot = self.slots.get(index);
        slot.node.store(node, Ordering::Relaxed);
        slot.weight.store(weight, Ordering::Relaxed);
        *slot.payload.lock() = Some(payload);
        index
    }

    fn free_slot(&self, names: &mut Names) -> SlotIndex {
        if let Some(slot) = names.spare.pop() {
            return slot;
        }
        let mut slot = self.free.take();
        while slot != NONE {
            names.spare.push(slot);
            slot = self.slots.get(slot).free.next();
        }
        names.spare.pop().unwrap_or_else(|| {
            let slot = names.used;
            names.used += 1;
            self.slots.grow(slot);
            slot
        })
    }
}

impl Slot {
    fn new() -> Self {
        Self {
            links: Links::new(),
            free: FreeLink::new(),
            node: AtomicU64::new(UNNAMED),
            weight: AtomicU32::new(0),
            payload: Mutex::new(None),
        }
    }

    /// Something that it follows failed. The first failure counts.
    fn blame(&self, error: &Error) {
        if let Some(payload) = &mut *self.payload.lock() {
            payload.cause.get_or_insert_with(|| error.clone());
        }
    }
}

impl Names {
    fn note(&mut self, node: NodeId, slot: SlotIndex) {
        if self.slots.is_empty() {
            self.first = node.0;
        }
        // Names come in order without gaps; a gap would only be filled with a slot that does not bear the name.
        while self.first + (self.slots.len() as u64) < node.0 {
            self.slots.push_back(slot);
        }
        self.slots.push_back(slot);
    }

    fn find(&self, node: u64) -> Option<SlotIndex> {
        self.slots.get(usize::try_from(node.checked_sub(self.first)?).ok()?).copied()
    }

    fn retire(&mut self, below: u64) {
        let count = below.saturating_sub(self.first).min(self.slots.len() as u64);
        self.slots.drain(..count as usize);
        self.first += count;
    }
}

/// Slots by index, in blocks that never move: each twice as large as the one before.
#[derive(Debug)]
struct Slots {
    blocks: [OnceLock<Box<[Slot]>>; BLOCKS],
}

const FIRST_BLOCK: u32 = 64;
/// Blocks enough for every index whose edges still fit `u32`.
const BLOCKS: usize = 24;

impl Slots {
    fn new() -> Self {
        Self { blocks: std::array::from_fn(|_| OnceLock::new()) }
    }

    /// Block and place in it.
    fn place(index: SlotIndex) -> (usize, usize) {
        let block = (index / FIRST_BLOCK + 1).ilog2();
        (block as usize, (index - FIRST_BLOCK * ((1 << block) - 1)) as usize)
    }

    fn get(&self, index: SlotIndex) -> &Slot {
        let (block, place) = Self::place(index);
        match self.blocks[block].get() {
            Some(block) => &block[place],
            None => unreachable!("a slot is named only after its block was made"),
        }
    }

    fn grow(&self, index: SlotIndex) {
        let (block, _) = Self::place(index);
        self.blocks[block].get_or_init(|| (0..FIRST_BLOCK << block).map(|_| Slot::new()).collect());
    }
}
