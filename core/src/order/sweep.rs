//! Forgetting what cannot matter any more, where nothing ever completes.
//!
//! Who runs work retires what has completed. Who judges a program must not: that the device has come past something does not
//! order it. What can be forgotten there follows from what is still named. A node is needed
//!
//! * as a predecessor of nodes to come, while a queue, a fence, hazard tracking or the caller names it: then with its clock;
//! * as the earlier one in a question, while the caller holds its [`Point`]: then its chain alone is needed, since the
//!   clocks of later nodes know chains by number.
//!
//! All other nodes go, and chains on which nothing is named are taken out of all clocks and used again. The latest nodes stay
//! whole for a while: explanations are about neighbours. So memory follows what is named, and a sweep that comes when it has
//! doubled costs each node a constant.
use std::collections::HashMap;
use std::sync::Arc;

use super::clock::{Clock, Clocks, Point};
use crate::{Engine, NodeId};

/// What is still named.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    nodes: Vec<NodeId>,
    /// By chain.
    chains: Vec<bool>,
    /// How much of everything was looked at to find them.
    pub(crate) work: usize,
    /// The latest nodes stay whole.
    pub(crate) keep_latest: bool,
}

impl Roots {
    /// Nodes to come may follow it.
    pub(crate) fn node(&mut self, node: NodeId) {
        self.nodes.push(node);
    }

    /// Questions may be asked about it, as the earlier one.
    pub(crate) fn point(&mut self, point: Point) {
        self.work += 1;
        if point.chain != u32::MAX {
            let place = point.chain as usize;
            if place >= self.chains.len() {
                self.chains.resize(place + 1, false);
            }
            self.chains[place] = true;
        }
    }
}

impl Engine {
    /// Whether so much has come since the last sweep that the next one pays.
    pub(crate) fn wants_sweep(&self) -> bool {
        self.clocks().is_some_and(|clocks| {
            clocks.records.len() + clocks.kept.len() > clocks.limits.0 || clocks.made > clocks.limits.1
        })
    }

    /// Long lists become short. Comes before what is named is looked for; no pass is open.
    pub(crate) fn gather_long(&mut self) {
        for queue in self.queues.iter_mut() {
            queue.gather_long(&mut self.graph);
        }
        for fence in self.fences.iter_mut() {
            fence.gather_long(&mut self.graph);
        }
    }

    /// Forgets what neither the engine nor the caller names.
    pub(crate) fn sweep(&mut self, mut roots: Roots) {
        let mut name = |node| roots.nodes.push(node);
        self.queues.iter().for_each(|queue| queue.each_node(&mut name));
        self.fences.iter().for_each(|fence| fence.each_node(&mut name));
        self.tracker.each_node(&mut name);
        if let Some(clocks) = &mut self.graph.clocks {
            clocks.sweep(roots);
        }
    }
}

impl Clocks {
    fn sweep(&mut self, mut roots: Roots) {
        roots.nodes.sort_unstable();
        roots.nodes.dedup();
        let is_named = |node: &NodeId| roots.nodes.binary_search(node).is_ok();
        self.kept.retain(|(node, _)| is_named(node));
        let window = if roots.keep_latest { WINDOW } else { 0 };
        let old = self.records.len().saturating_sub(window);
        for record in self.records.drain(..old) {
            if is_named(&self.base) {
                self.kept.push((self.base, record));
            }
            self.base.0 += 1;
        }
        self.free_chains(&roots);
        let left = self.drop_free();
        let nodes = self.kept.len() + self.records.len();
        self.limits = ((2 * nodes + roots.work).max(NODES_LEAST), (2 * left + roots.work).max(MARKS_LEAST));
        self.made = 0;
    }

    /// Frees every chain on which nothing is named.
    fn free_chains(&mut self, roots: &Roots) {
        let mut live = roots.chains.clone();
        live.resize(self.chains.len(), false);
        let records = self.kept.iter().map(|(_, record)| record).chain(&self.records);
        records.for_each(|record| live[record.chain as usize] = true);
        for (number, (chain, live)) in (0..).zip(self.chains.iter_mut().zip(live)) {
            if !live && !chain.is_free {
                chain.is_free = true;
                self.free.push(number);
            }
        }
    }

    /// Takes freed chains out of all clocks; how many marks are left.
    fn drop_free(&mut self) -> usize {
        let mut renewed: HashMap<*const Clock, Arc<Clock>> = HashMap::new();
        let (chains, mut left) = (&self.chains, 0);
        let is_free = |chain: u32| chains[chain as usize].is_free;
        let all = self.kept.iter_mut().map(|(_, record)| record).chain(&mut self.records);
        for record in all {
            record.after = [None, None];
            let own = renewed.entry(Arc::as_ptr(&record.clock)).or_insert_with(|| {
                left += record.clock.entries.len() + record.clock.named.len();
                if record.clock.entries.iter().any(|entry| is_free(entry.chain)) {
                    let mut entries = record.clock.entries.clone();
                    entries.retain(|entry| !is_free(entry.chain));
                    let mut named = record.clock.named.clone();
                    named.retain(|named| !is_free(named.chain));
                    Arc::new(Clock::of(entries, named))
                } else {
                    Arc::clone(&record.clock)
                }
            });
            record.clock = Arc::clone(own);
        }
        left
    }
}

/// The latest nodes, which stay whole.
const WINDOW: usize = 256;
/// Fewer nodes are never swept.
pub(super) const NODES_LEAST: usize = 4096;
/// Fewer marks are never swept.
pub(super) const MARKS_LEAST: usize = 1 << 16;
