//! The order engine by itself: what a tracked dispatch with two resources costs from the call to the finished plan.

use std::time::Duration;

use fencepost_core::{
    Access, AccessKind, Engine, Extent, Plan, QueueId, QueueMode, ResourceDescriptor, ResourceId,
    ResourceShape, Stage, Stages, Tracking,
};

use crate::clock::{each, least};

const DISPATCHES: usize = 1 << 14;
/// Commands between two plans, as one command buffer holds them.
const BATCH: usize = 256;

/// What the dispatches do with their buffers.
struct Shape {
    name: &'static str,
    chains: usize,
    per_pass: usize,
}

const SHAPES: [Shape; 4] = [
    Shape { name: "one chain, serial passes of 32", chains: 1, per_pass: 32 },
    Shape { name: "one chain, a pass for each dispatch", chains: 1, per_pass: 1 },
    Shape { name: "32 chains, a pass for each dispatch", chains: 32, per_pass: 1 },
    Shape { name: "1024 chains, a pass for each dispatch", chains: 1024, per_pass: 1 },
];

pub(crate) fn run() {
    println!("| dispatches that read one tracked buffer and write another | ns each | predecessors each |");
    println!("|---|---|---|");
    for shape in &SHAPES {
        let mut engine = Engine::new();
        let queue = engine.add_queue(QueueMode::Tracked);
        let buffers: Vec<_> = (0..shape.chains).map(|_| [buffer(&mut engine), buffer(&mut engine)]).collect();
        let mut plan = Plan::default();
        let mut edges = 0;
        let time = least(20, Duration::from_millis(500), || {
            edges = feed(&mut engine, queue, &buffers, shape.per_pass, &mut plan);
        });
        println!(
            "| {} | {:.0} | {:.1} |",
            shape.name,
            each(time, DISPATCHES),
            edges as f64 / DISPATCHES as f64
        );
    }
}

fn buffer(engine: &mut Engine) -> ResourceId {
    let memory = engine.add_memory();
    let shape = ResourceShape::Buffer;
    engine.add_resource(ResourceDescriptor { memory, bytes: 0..4096, shape, tracking: Tracking::Tracked })
}

/// Feeds and plans all dispatches, retiring each batch when the next one has been planned. Gives the edges made.
fn feed(
    engine: &mut Engine,
    queue: QueueId,
    chains: &[[ResourceId; 2]],
    per_pass: usize,
    plan: &mut Plan,
) -> usize {
    let mut edges = 0;
    for batch in 0..DISPATCHES / BATCH {
        for index in batch * BATCH..(batch + 1) * BATCH {
            if index.is_multiple_of(per_pass) {
                engine.begin_pass(queue, true);
            }
            let [a, b] = chains[index % chains.len()];
            let (from, to) = if (index / chains.len()).is_multiple_of(2) { (a, b) } else { (b, a) };
            let access = |resource, kind| Access {
                resource,
                extent: Extent::Bytes(0..4096),
                kind,
                stage: Stage::Dispatch,
            };
            engine.command(
                queue,
                Stages::DISPATCH,
                &[access(from, AccessKind::Read), access(to, AccessKind::Write)],
            );
            if (index + 1).is_multiple_of(per_pass) {
                engine.end_pass(queue);
            }
        }
        engine.take_plan(plan);
        edges += plan.predecessors.len();
        if let Some(first) = plan.nodes.first() {
            engine.retire(first.id);
        }
    }
    edges
}
