//! The engine by itself, as a device drives it: plans without clocks, retiring, names taken back, long runs.
use std::collections::HashSet;

use fencepost_core::{
    Access, AccessKind, BarrierFilter, BarrierScope, Engine, Extent, FenceId, NodeId, NodeKind, Plan,
    Primitive, QueueId, QueueMode, ResourceDescriptor, ResourceId, ResourceShape, Site, Stage, Stages,
    Tracking, Visibility,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// One call, with small numbers for names.
#[derive(Clone, Debug)]
enum Call {
    Begin(usize, bool),
    Command(usize, Stages, Vec<(usize, u64, AccessKind)>),
    Declare(usize, usize, AccessKind),
    Barrier(usize, Stages, Stages),
    Memory(usize, Stages, Stages),
    Consumer(usize, Stages, Stages),
    Producer(usize, Stages, Stages),
    Update(usize, usize, Stages),
    Wait(usize, usize, Stages),
    Signal(usize),
    WaitForLast(usize),
    WaitForValue(usize),
    Plan,
    /// Everything below the node in this many hundredths of all has completed.
    Retire(u64),
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let stage = || {
        let one =
            select(vec![Stages::DISPATCH, Stages::BLIT, Stages::VERTEX, Stages::VERTEX | Stages::FRAGMENT]);
        vec(one, 1..=2).prop_map(|all| all.into_iter().collect::<Stages>())
    };
    let kind =
        || select(vec![AccessKind::Read, AccessKind::Write, AccessKind::ReadWrite, AccessKind::Atomic]);
    let q = 0..2usize;
    let call = prop_oneof![
        4 => (q.clone(), any::<bool>()).prop_map(|(q, serial)| Call::Begin(q, serial)),
        12 => (q.clone(), stage(), vec((0..4usize, 0..4u64, kind()), 0..=3)).prop_map(|(q, s, a)| Call::Command(q, s, a)),
        1 => (q.clone(), 0..4usize, kind()).prop_map(|(q, r, k)| Call::Declare(q, r, k)),
        2 => (q.clone(), stage(), stage()).prop_map(|(q, a, b)| Call::Barrier(q, a, b)),
        1 => (q.clone(), stage(), stage()).prop_map(|(q, a, b)| Call::Memory(q, a, b)),
        2 => (q.clone(), stage(), stage()).prop_map(|(q, a, b)| Call::Consumer(q, a, b)),
        2 => (q.clone(), stage(), stage()).prop_map(|(q, a, b)| Call::Producer(q, a, b)),
        2 => (q.clone(), 0..2usize, stage()).prop_map(|(q, f, s)| Call::Update(q, f, s)),
        2 => (q.clone(), 0..2usize, stage()).prop_map(|(q, f, s)| Call::Wait(q, f, s)),
        1 => q.clone().prop_map(Call::Signal),
        1 => q.clone().prop_map(Call::WaitForLast),
        1 => q.prop_map(Call::WaitForValue),
        2 => Just(Call::Plan),
        2 => (0..100u64).prop_map(Call::Retire),
    ];
    vec(call, 1..120)
}

struct Driver {
    engine: Engine,
    queues: [QueueId; 2],
    resources: [ResourceId; 4],
    fences: [FenceId; 2],
    /// Every item, in order.
    items: Vec<NodeId>,
    signal: Option<NodeId>,
    /// Predecessors of every node, from its plans.
    before: Vec<Vec<NodeId>>,
    retired: NodeId,
}

impl Driver {
    fn new(mut engine: Engine) -> Self {
        let queues = [engine.add_queue(QueueMode::Tracked), engine.add_queue(QueueMode::Tracked)];
        let memory = engine.add_memory();
        let mut resource = |start, shape, tracking| {
            engine.add_resource(ResourceDescriptor { memory, bytes: start..start + 64, shape, tracking })
        };
        let resources = [
            resource(0, ResourceShape::Buffer, Tracking::Tracked),
            resource(64, ResourceShape::Texture { mips: 3, slices: 2 }, Tracking::Tracked),
            resource(128, ResourceShape::Buffer, Tracking::WithHeap),
            resource(192, ResourceShape::Buffer, Tracking::WithHeap),
        ];
        let fences = [engine.add_fence(), engine.add_fence()];
        let (items, before) = (Vec::new(), Vec::new());
        Self { engine, queues, resources, fences, items, signal: None, before, retired: NodeId(0) }
    }

    fn run(&mut self, call: &Call, retire: bool) {
        let engine = &mut self.engine;
        let queue = |q: &usize| self.queues[*q];
        match call {
            Call::Begin(q, serial) => drop(engine.begin_pass(queue(q), *serial)),
            Call::Command(q, stages, uses) => {
                let access = |(r, part, kind): &(usize, u64, AccessKind)| {
                    stages
                        .iter_stages()
                        .map(|stage| Access {
                            resource: self.resources[*r],
                            extent: match (r, part) {
                                (_, 3) => Extent::Whole,
                                (1, part) => Extent::Subresources {
                                    mips: *part as u32..*part as u32 + 1,
                                    slices: 1..2,
                                },
                                (_, part) => Extent::Bytes(part * 16..part * 16 + 24),
                            },
                            kind: *kind,
                            stage,
                        })
                        .collect::<Vec<_>>()
                };
                let accesses: Vec<Access> = uses.iter().flat_map(access).collect();
                let first = engine.command(queue(q), *stages, &accesses);
                self.items.extend(stages.iter_stages().zip(first.0..).map(|(_, node)| NodeId(node)));
            }
            Call::Declare(q, r, kind) => {
                let (resource, extent) = (self.resources[*r], Extent::Whole);
                engine.declare(queue(q), &[Access { resource, extent, kind: *kind, stage: Stage::Dispatch }]);
            }
            Call::Barrier(q, a, b) => engine.barrier(queue(q), *a, *b, Visibility::DEVICE),
            Call::Memory(q, a, b) => {
                engine.memory_barrier(queue(q), BarrierFilter::Scope(BarrierScope::BUFFERS), *a, *b);
            }
            Call::Consumer(q, a, b) => engine.consumer_barrier(queue(q), *a, *b, Visibility::DEVICE),
            Call::Producer(q, a, b) => engine.producer_barrier(queue(q), *a, *b, Visibility::empty()),
            Call::Update(q, f, s) => engine.update_fence(queue(q), self.fences[*f], *s),
            Call::Wait(q, f, s) => engine.wait_for_fence(queue(q), self.fences[*f], *s),
            Call::Signal(q) => self.signal = Some(engine.signal_event(queue(q))),
            Call::WaitForLast(q) => engine.wait_for_event(queue(q), self.signal.as_slice()),
            Call::WaitForValue(q) => drop(engine.wait_for_value(queue(q))),
            Call::Plan => self.take(),
            Call::Retire(hundredths) if retire && !self.items.is_empty() => {
                // Completed nodes are always a whole beginning here, so any cut is one that can happen.
                let below = self.items[self.items.len() * *hundredths as usize / 100];
                engine.retire(below);
                self.retired = self.retired.max(below);
            }
            Call::Retire(_) => {}
        }
    }

    fn take(&mut self) {
        let mut plan = Plan::default();
        self.engine.take_plan(&mut plan);
        for node in &plan.nodes {
            assert_eq!(node.id.0, self.before.len() as u64, "nodes come in order, each once");
            let predecessors = plan.predecessors_of(node).to_vec();
            assert!(predecessors.iter().all(|before| *before < node.id));
            let distinct: HashSet<&NodeId> = predecessors.iter().collect();
            assert_eq!(distinct.len(), predecessors.len());
            self.before.push(predecessors);
        }
    }

    /// For every item, the earlier items that the plans put before it, by number.
    fn closure(&mut self) -> Vec<HashSet<usize>> {
        self.take();
        let mut all: Vec<HashSet<NodeId>> = Vec::new();
        for before in &self.before {
            let mut set: HashSet<NodeId> = before.iter().copied().collect();
            for node in before {
                set.extend(&all[node.0 as usize]);
            }
            all.push(set);
        }
        let earlier = |item: &NodeId| {
            let set = &all[item.0 as usize];
            (0..self.items.len()).filter(|n| set.contains(&self.items[*n])).collect()
        };
        self.items.iter().map(earlier).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// With clocks and without, and whatever has been retired, the same items are put before the same items, as far
    /// as they have not completed.
    #[test]
    fn plans_agree(calls in calls()) {
        let mut exact = Driver::new(Engine::with_clocks());
        let mut cheap = Driver::new(Engine::new());
        let mut retiring = [Driver::new(Engine::new()), Driver::new(Engine::with_clocks())];
        // What had completed when each item was made: it may be missing among its predecessors.
        let mut completed: [Vec<usize>; 2] = [Vec::new(), Vec::new()];
        for call in &calls {
            exact.run(call, false);
            cheap.run(call, false);
            for (driver, completed) in retiring.iter_mut().zip(&mut completed) {
                driver.run(call, true);
                let below = driver.items.partition_point(|item| *item < driver.retired);
                completed.resize(driver.items.len(), below);
            }
        }
        let expected = exact.closure();
        prop_assert_eq!(&cheap.closure(), &expected);
        let clocks = exact.engine.clocks().unwrap();
        for (n, before) in expected.iter().enumerate() {
            for m in 0..n {
                prop_assert_eq!(clocks.ordered(exact.items[m], exact.items[n]), before.contains(&m));
            }
        }
        for (driver, completed) in retiring.iter_mut().zip(&completed) {
            let found = driver.closure();
            for (n, before) in expected.iter().enumerate() {
                for m in 0..n {
                    let (here, there) = (found[n].contains(&m), before.contains(&m));
                    prop_assert!(here == there || !here && m < completed[n], "{} before {}: {}", m, n, there);
                }
            }
        }
        let driver = &retiring[1];
        let clocks = driver.engine.clocks().unwrap();
        for (n, before) in expected.iter().enumerate() {
            for m in (0..n).filter(|m| driver.items[*m] >= driver.retired) {
                prop_assert_eq!(clocks.ordered(driver.items[m], driver.items[n]), before.contains(&m));
            }
        }
    }
}

fn buffer(engine: &mut Engine, tracking: Tracking) -> ResourceId {
    let memory = engine.add_memory();
    engine.add_resource(ResourceDescriptor {
        memory,
        bytes: 0..1 << 20,
        shape: ResourceShape::Buffer,
        tracking,
    })
}

fn access(resource: ResourceId, bytes: std::ops::Range<u64>, kind: AccessKind) -> Access {
    Access { resource, extent: Extent::Bytes(bytes), kind, stage: Stage::Dispatch }
}

/// Runs a frame again and again, a few in flight; the largest number of records after the first frames and after all.
fn long_run(mut engine: Engine, frames: u64, mut frame: impl FnMut(&mut Engine, u64)) -> (usize, usize) {
    let mut plan = Plan::default();
    let mut ends = std::collections::VecDeque::new();
    let (mut early, mut late) = (0, 0);
    for n in 0..frames {
        frame(&mut engine, n);
        engine.take_plan(&mut plan);
        ends.push_back(plan.nodes.last().map_or(NodeId(0), |node| NodeId(node.id.0 + 1)));
        if ends.len() > 3 {
            engine.retire(ends.pop_front().unwrap());
        }
        let records = engine.records();
        if n < frames / 10 { early = early.max(records) } else { late = late.max(records) }
    }
    (early, late)
}

/// A million commands of every kind leave no more behind than a hundred thousand do.
#[test]
fn memory_is_flat_over_a_million_commands() {
    for clocks in [false, true] {
        let mut engine = if clocks { Engine::with_clocks() } else { Engine::new() };
        let tracked = engine.add_queue(QueueMode::Tracked);
        let explicit = engine.add_queue(QueueMode::Explicit);
        let constant = buffer(&mut engine, Tracking::Tracked);
        let ring = buffer(&mut engine, Tracking::Tracked);
        let fence = engine.add_fence();
        let (early, late) = long_run(engine, 10_000, |engine, n| {
            // Read by all and never written; a part of a ring that moves on; a resource that lives for one frame.
            let passing = buffer(engine, Tracking::Tracked);
            let start = n * 4096 % (1 << 20);
            for pass in 0..5 {
                engine.begin_pass(tracked, pass % 2 == 0);
                for k in 0..8 {
                    let read = access(constant, 0..1 << 20, AccessKind::Read);
                    let write = access(ring, start + k * 512..start + k * 512 + 700, AccessKind::Write);
                    let mine = access(passing, 0..64, AccessKind::Atomic);
                    engine.command(tracked, Stages::DISPATCH, &[read, write, mine]);
                }
            }
            let signal = engine.signal_event(tracked);
            engine.wait_for_event(explicit, &[signal]);
            for _ in 0..5 {
                engine.begin_pass(explicit, false);
                engine.wait_for_fence(explicit, fence, Stages::DISPATCH);
                for _ in 0..8 {
                    engine.command(explicit, Stages::DISPATCH, &[]);
                    engine.command(explicit, Stages::BLIT, &[]);
                }
                engine.barrier(explicit, Stages::DISPATCH, Stages::BLIT, Visibility::DEVICE);
                engine.producer_barrier(explicit, Stages::BLIT, Stages::DISPATCH, Visibility::DEVICE);
                engine.consumer_barrier(explicit, Stages::VERTEX, Stages::FRAGMENT, Visibility::empty());
                engine.update_fence(explicit, fence, Stages::BLIT);
            }
            engine.end_pass(explicit);
            engine.remove_resource(passing);
        });
        assert!(late <= early + early / 10, "clocks {clocks}: {early} records early, {late} late");
    }
}

#[test]
fn a_queue_without_barriers_forgets_what_has_completed() {
    let mut engine = Engine::new();
    let queue = engine.add_queue(QueueMode::Explicit);
    let (early, late) = long_run(engine, 2_000, |engine, _| {
        engine.begin_pass(queue, false);
        (0..50).for_each(|_| {
            engine.command(queue, Stages::DISPATCH, &[]);
        });
        engine.end_pass(queue);
    });
    assert!(late <= early * 2, "{early} records early, {late} late");
}

/// A thousand producers and a thousand consumers cost two thousand edges, not a million.
#[test]
fn edges_stay_proportional_to_items() {
    let mut engine = Engine::new();
    let queue = engine.add_queue(QueueMode::Explicit);
    engine.begin_pass(queue, false);
    for _ in 0..4 {
        (0..1000).for_each(|_| {
            engine.command(queue, Stages::DISPATCH, &[]);
        });
        engine.barrier(queue, Stages::DISPATCH, Stages::DISPATCH, Visibility::DEVICE);
    }
    engine.end_pass(queue);
    let mut plan = Plan::default();
    engine.take_plan(&mut plan);
    assert!(plan.predecessors.len() <= 8_010, "{} edges", plan.predecessors.len());
    assert!(plan.nodes.iter().filter(|node| node.kind == NodeKind::Gate).count() <= 8);
}

#[test]
fn a_resource_taken_back_while_its_work_is_in_flight() {
    let mut engine = Engine::with_clocks();
    let queue = engine.add_queue(QueueMode::Tracked);
    let first = buffer(&mut engine, Tracking::Tracked);
    engine.begin_pass(queue, true);
    let write = engine.command(queue, Stages::DISPATCH, &[access(first, 0..4, AccessKind::Write)]);
    engine.remove_resource(first);
    engine.remove_resource(first);
    let others: Vec<ResourceId> = (0..1000).map(|_| buffer(&mut engine, Tracking::Tracked)).collect();
    assert!(!others.contains(&first));
    engine.begin_pass(queue, true);
    // The old name means nothing, and no new one finds the old one's records.
    let stale = engine.command(queue, Stages::DISPATCH, &[access(first, 0..4, AccessKind::Write)]);
    assert!(!engine.clocks().unwrap().ordered(write, stale));
    for other in others {
        engine.begin_pass(queue, true);
        let node = engine.command(queue, Stages::DISPATCH, &[access(other, 0..4, AccessKind::Write)]);
        assert!(!engine.clocks().unwrap().ordered(write, node));
    }
}

#[test]
fn unknown_names_order_nothing_and_break_nothing() {
    let mut engine = Engine::with_clocks();
    let queue = engine.add_queue(QueueMode::Tracked);
    let nobody = QueueId(77);
    engine.begin_pass(nobody, true);
    let outside = engine.command(nobody, Stages::VERTEX | Stages::FRAGMENT, &[]);
    engine.barrier(nobody, Stages::ALL, Stages::ALL, Visibility::DEVICE);
    engine.wait_for_event(nobody, &[outside]);
    let signal = engine.signal_event(nobody);
    assert!(signal > outside);
    // No pass is open: synchronization of a pass has nothing to stand in.
    engine.update_fence(queue, FenceId(5), Stages::ALL);
    engine.consumer_barrier(queue, Stages::ALL, Stages::ALL, Visibility::DEVICE);
    let node = engine.command(queue, Stages::DISPATCH, &[access(ResourceId(9), 0..1, AccessKind::Write)]);
    engine.retire(NodeId(u64::MAX));
    let after = engine.command(queue, Stages::DISPATCH, &[]);
    assert!(!engine.clocks().unwrap().ordered(node, after));
    engine.remove_queue(queue);
    engine.remove_queue(queue);
    let mut plan = Plan::default();
    engine.take_plan(&mut plan);
    assert_eq!(plan.nodes.len(), 5);
}

#[test]
fn why_names_every_primitive_on_the_way() {
    let mut engine = Engine::with_clocks();
    let queue = engine.add_queue(QueueMode::Explicit);
    let fence = engine.add_fence();
    engine.begin_pass(queue, false);
    let first = engine.command(queue, Stages::DISPATCH, &[]);
    engine.at(Site(1));
    engine.barrier(queue, Stages::DISPATCH, Stages::BLIT, Visibility::DEVICE);
    engine.at(Site(2));
    // Relayed: no blit stands between the barrier and the update.
    engine.update_fence(queue, fence, Stages::BLIT);
    engine.begin_pass(queue, true);
    engine.at(Site(3));
    engine.wait_for_fence(queue, fence, Stages::DISPATCH);
    let middle = engine.command(queue, Stages::DISPATCH, &[]);
    engine.at(Site(4));
    let last = engine.command(queue, Stages::BLIT, &[]);
    let hops = engine.clocks().unwrap().why(first, last).unwrap();
    let links: Vec<(Primitive, u32)> = hops.iter().map(|hop| (hop.link.primitive, hop.link.site.0)).collect();
    let expected = [
        (Primitive::IntraPassBarrier, 1),
        (Primitive::FenceUpdate, 2),
        (Primitive::FenceWait, 3),
        (Primitive::SerialPass, 4),
    ];
    assert_eq!(links, expected);
    assert_eq!((hops[2].node, hops[3].node), (middle, last));
}

/// Once its lists have grown, planning a command allocates nothing.
#[test]
fn planning_allocates_nothing_in_the_steady_state() {
    let mut engine = Engine::new();
    let queue = engine.add_queue(QueueMode::Tracked);
    let buffers: Vec<ResourceId> = (0..8).map(|_| buffer(&mut engine, Tracking::Tracked)).collect();
    let mut plan = Plan::default();
    let mut group = |engine: &mut Engine| {
        for n in 0..1000 {
            engine.begin_pass(queue, n % 2 == 0);
            let read = access(buffers[n % 8], 0..64, AccessKind::Read);
            let write = access(buffers[(n + 3) % 8], 0..64, AccessKind::Write);
            engine.command(queue, Stages::DISPATCH, &[read, write]);
        }
        engine.end_pass(queue);
        engine.take_plan(&mut plan);
        engine.retire(NodeId(plan.nodes.last().map_or(0, |node| node.id.0.saturating_sub(100))));
    };
    (0..32).for_each(|_| group(&mut engine));
    let allocated = allocation_counter::measure(|| group(&mut engine));
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
}
