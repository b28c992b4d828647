//! What planning costs per command: `cargo bench -p fencepost-core --bench plan`.
use std::hint::black_box;
use std::time::Instant;

use fencepost_core::waves::{Emitted, Kind, Unit, Waves};
use fencepost_core::{
    Access, AccessKind, Engine, Extent, MemoryId, NodeId, Plan, QueueMode, ResourceDescriptor, ResourceId,
    ResourceShape, Stage, Stages, Tracking, Visibility,
};

const COMMANDS: usize = 1 << 21;
/// The best of so many runs counts: others use the machine too.
const RUNS: usize = 5;
/// Commands between two plans, and how many stay in flight.
const GROUP: usize = 1024;
const IN_FLIGHT: u64 = 4096;

fn main() {
    println!("{:<64} {:>8}", "per command", "ns");
    let report = |what: &str, run: &dyn Fn() -> f64| {
        let best = (0..RUNS).map(|_| run()).fold(f64::INFINITY, f64::min);
        println!("{what:<64} {best:>8.1}");
    };
    report("tracked dispatch, two resources, one serial pass", &|| chains(Engine::new(), 1, false));
    report("tracked dispatch, two resources, 32 chains in a pass each", &|| chains(Engine::new(), 32, true));
    report("the same with clocks", &|| chains(Engine::with_clocks(), 32, true));
    report("dispatch behind a barrier each, explicit queue", &|| barriers(Engine::new(), 1));
    report("1024 dispatches between barriers, explicit queue", &|| barriers(Engine::new(), 1024));
    report("the same with clocks", &|| barriers(Engine::with_clocks(), 1024));
    report("into waves: chains of 32, one behind the other", &|| waves(32, false));
    report("into waves: 32 chains, round robin", &|| waves(32, true));
}

fn buffer(engine: &mut Engine, memory: MemoryId, tracking: Tracking) -> ResourceId {
    let shape = ResourceShape::Buffer;
    engine.add_resource(ResourceDescriptor { memory, bytes: 0..4096, shape, tracking })
}

/// Dispatches that each read one buffer and write another, round robin over chains that do not touch each other.
fn chains(mut engine: Engine, chains: usize, own_pass: bool) -> f64 {
    let queue = engine.add_queue(QueueMode::Tracked);
    let memory = engine.add_memory();
    let buffers: Vec<ResourceId> =
        (0..chains * 2).map(|_| buffer(&mut engine, memory, Tracking::Tracked)).collect();
    let access =
        |resource, kind| Access { resource, extent: Extent::Bytes(0..4096), kind, stage: Stage::Dispatch };
    let calls: Vec<[Access; 2]> = (0..chains * 2)
        .map(|n| {
            let (chain, turn) = (n % chains * 2, n / chains % 2);
            let (from, to) = (buffers[chain + turn], buffers[chain + 1 - turn]);
            [access(from, AccessKind::Read), access(to, AccessKind::Write)]
        })
        .collect();
    let mut plan = Plan::default();
    let start = Stopwatch::start();
    engine.begin_pass(queue, true);
    for (n, accesses) in (0..COMMANDS).zip(calls.iter().cycle()) {
        if own_pass {
            engine.begin_pass(queue, true);
        }
        let node = engine.command(queue, Stages::DISPATCH, accesses);
        hand_over(&mut engine, n, node, &mut plan);
    }
    start.elapsed_ns() / COMMANDS as f64
}

fn barriers(mut engine: Engine, between: usize) -> f64 {
    let queue = engine.add_queue(QueueMode::Explicit);
    let mut plan = Plan::default();
    let start = Stopwatch::start();
    engine.begin_pass(queue, false);
    for n in 0..COMMANDS {
        if n % between == 0 {
            engine.barrier(queue, Stages::DISPATCH, Stages::DISPATCH, Visibility::DEVICE);
        }
        let node = engine.command(queue, Stages::DISPATCH, &[]);
        hand_over(&mut engine, n, node, &mut plan);
    }
    start.elapsed_ns() / COMMANDS as f64
}

/// Placing alone: nodes of chains that are 32 long.
fn waves(chains: u64, round_robin: bool) -> f64 {
    let mut waves = Waves::new(4);
    let mut emitted = Emitted::default();
    let start = Stopwatch::start();
    for node in 0..COMMANDS as u64 {
        let back = if round_robin { chains } else { 1 };
        let starts = if round_robin { node % GROUP as u64 / chains == 0 } else { node % 32 == 0 };
        let before = [NodeId(node.wrapping_sub(back))];
        let predecessors = if starts { &[][..] } else { &before };
        let kind = Kind::Work(Stage::Dispatch);
        waves.place(Unit { node: NodeId(node), predecessors, lane: 0, tag: node as u32, kind });
        if node % GROUP as u64 == GROUP as u64 - 1 {
            waves.flush(&mut emitted);
            black_box(&emitted);
            waves.retire(NodeId(node.saturating_sub(IN_FLIGHT)));
        }
    }
    start.elapsed_ns() / COMMANDS as f64
}

fn hand_over(engine: &mut Engine, n: usize, node: NodeId, plan: &mut Plan) {
    if n % GROUP == GROUP - 1 {
        engine.take_plan(plan);
        black_box(&plan);
        engine.retire(NodeId(node.0.saturating_sub(IN_FLIGHT)));
    }
}

/// Time on the processor where the system tells it, so that others on the machine do not count; else on the wall.
enum Stopwatch {
    Processor(u64),
    Wall(Instant),
}

impl Stopwatch {
    fn start() -> Self {
        processor_ns().map_or_else(|| Self::Wall(Instant::now()), Self::Processor)
    }

    fn elapsed_ns(&self) -> f64 {
        match self {
            Self::Processor(start) => processor_ns().map_or(f64::NAN, |now| (now - start) as f64),
            Self::Wall(start) => start.elapsed().as_nanos() as f64,
        }
    }
}

fn processor_ns() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split_whitespace().next()?.parse().ok()
}
