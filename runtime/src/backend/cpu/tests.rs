//! Plans of every shape on both schedules: nothing starts before what it follows, and every node ends once.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fencepost_core::NodeId;
use parking_lot::{Condvar, Mutex};

use super::CpuDevice;
use super::graph::Graph;
use crate::backend::{Backend, Completion, Outcome, Part, Planned, PlannedNode, Work};
use crate::error::DeviceError;
use crate::random::Random;
use crate::{CpuOptions, Error, Schedule};

/// Notes the order in which nodes end, each by its tag.
#[derive(Debug, Default)]
struct Log {
    ended: Mutex<Vec<u32>>,
    count: AtomicUsize,
    changed: Condvar,
}

impl Completion for Log {
    fn refused(&self) -> Option<Error> {
        None
    }

    fn completed(&self, tag: u32, count: u32, outcome: &Outcome) {
        assert_eq!(count, 1, "nodes that carry the bit are reported one by one");
        assert!(matches!(outcome, Outcome::Done { .. }));
        self.ended.lock().push(tag & !PlannedNode::ALONE);
        self.count.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_all();
    }
}

impl Log {
    fn wait_for(&self, count: usize) {
        let mut ended = self.ended.lock();
        while ended.len() < count {
            self.changed.wait(&mut ended);
        }
    }
}

/// A random graph: predecessors of each node, few or very many.
fn graph(random: &mut Random, nodes: usize) -> Vec<Vec<usize>> {
    (0..nodes)
        .map(|node| {
            let count = match random.below(10) {
                0 => random.below(200),
                1..4 => 0,
                _ => random.below(4),
            };
            let mut predecessors: Vec<usize> =
                (0..count.min(node)).map(|_| node - 1 - random.below(node.min(400))).collect();
            predecessors.sort_unstable();
            predecessors.dedup();
            predecessors
        })
        .collect()
}

/// Nodes `range` of a graph, numbered from 1000 on, all of one part.
fn planned(graph: &[Vec<usize>], range: std::ops::Range<usize>, log: &Arc<Log>) -> Planned {
    let mut planned = Planned::default();
    planned.parts.push(Part { recording: None, queue: 0, completion: Arc::clone(log) as _ });
    for node in range {
        let first = planned.predecessors.len() as u32;
        planned.predecessors.extend(graph[node].iter().map(|&node| NodeId(1000 + node as u64)));
        planned.nodes.push(PlannedNode {
            id: NodeId(1000 + node as u64),
            predecessors: first..planned.predecessors.len() as u32,
            part: 0,
            tag: PlannedNode::ALONE | node as u32,
            work: Work::Gate,
        });
    }
    planned
}

fn run(schedule: Schedule, seed: u64, nodes: usize) {
    let mut random = Random::new(seed);
    let graph = graph(&mut random, nodes);
    let device = CpuDevice::new(&CpuOptions { threads: 3, schedule, ..CpuOptions::default() });
    device.wait_begins();
    let log = Arc::new(Log::default());
    let mut from = 0;
    while from < nodes {
        let to = nodes.min(from + 1 + random.below(100));
        device.submit(&planned(&graph, from..to, &log));
        if random.once_in(5) {
            // Nothing that is over is named later than this: the graph looks back 400 nodes at most.
            log.wait_for(to);
            device.retire(NodeId(1000 + to.saturating_sub(400) as u64));
        }
        from = to;
    }
    log.wait_for(nodes);
    let mut ended = vec![false; nodes];
    for &node in log.ended.lock().iter() {
        let node = node as usize;
        assert!(!ended[node], "node {node} ended twice");
        assert!(graph[node].iter().all(|&before| ended[before]), "seed {seed}: node {node} came too early");
        ended[node] = true;
    }
}

#[test]
fn the_pool_keeps_every_edge() {
    for seed in 0..20 {
        run(Schedule::Parallel, seed, 3000);
    }
}

#[test]
fn the_adversary_keeps_every_edge() {
    for seed in 0..20 {
        run(Schedule::Adversarial(seed), seed, 1000);
    }
}

#[test]
fn a_schedule_may_change_while_work_is_in_flight() {
    let log = Arc::new(Log::default());
    let mut random = Random::new(7);
    let graph = graph(&mut random, 2000);
    let device = CpuDevice::new(&CpuOptions { threads: 2, ..CpuOptions::default() });
    for (index, first) in (0..2000).step_by(100).enumerate() {
        device.submit(&planned(&graph, first..first + 100, &log));
        let schedule = if index % 2 == 0 { Schedule::Adversarial(index as u64) } else { Schedule::Parallel };
        device.set_schedule(schedule);
    }
    log.wait_for(2000);
    assert_eq!(log.count.load(Ordering::SeqCst), 2000);
}

/// A node with more predecessors than edges learns of their failure, also where they end while it is being linked.
#[test]
fn a_failure_passes_through_joins() {
    let error: Error = DeviceError::HostPanic { function: "f".into(), message: "on purpose".into() }.into();
    let log = Arc::new(Log::default());
    for round in 0..2000_usize {
        let floor = Graph::new();
        // Many enough for joins of joins.
        let count = 40;
        let mut graph = vec![Vec::new(); count];
        graph.push((0..count).collect());
        let mut ready = Vec::new();
        floor.insert(&planned(&graph, 0..count, &log), |_, _| 0, &mut ready);
        let end_all = |mut ready: Vec<u32>| {
            let mut last = None;
            while let Some(slot) = ready.pop() {
                let payload = floor.take(slot).expect("a ready node is taken once");
                if payload.tag == PlannedNode::ALONE | count as u32 {
                    last = Some(payload.cause.is_some());
                }
                let failed = payload.part.is_some() || payload.cause.is_some();
                floor.end(slot, failed.then_some(&error), &mut ready);
            }
            last
        };
        let last = std::thread::scope(|scope| {
            let ending = scope.spawn(|| end_all(ready));
            (0..round % 500).for_each(|_| std::hint::spin_loop());
            let mut late = Vec::new();
            floor.insert(&planned(&graph, count..count + 1, &log), |_, _| 0, &mut late);
            let here = end_all(late);
            ending.join().expect("it ends").or(here)
        });
        assert_eq!(last, Some(true), "the node runs as if nothing had failed");
    }
}
