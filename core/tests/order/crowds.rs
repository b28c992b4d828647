//! Many uses of one resource in a pass: gates keep the edges few, and the order exactly that of the conflicts.
use std::collections::HashMap;
use std::ops::Range;

use fencepost_core::{
    Access, AccessKind, Engine, Extent, NodeId, Plan, QueueId, QueueMode, ResourceDescriptor, ResourceId,
    ResourceShape, Stage, Stages, Tracking,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Nodes of one test at most.
const MOST: usize = 1024;

type Use = (Range<u64>, AccessKind);

fn device() -> (Engine, QueueId, ResourceId) {
    let mut engine = Engine::new();
    let queue = engine.add_queue(QueueMode::Tracked);
    let memory = engine.add_memory();
    let resource = engine.add_resource(ResourceDescriptor {
        memory,
        bytes: 0..4096,
        shape: ResourceShape::Buffer,
        tracking: Tracking::Tracked,
    });
    (engine, queue, resource)
}

fn command(engine: &mut Engine, queue: QueueId, resource: ResourceId, (bytes, kind): Use) -> NodeId {
    let access = Access { resource, extent: Extent::Bytes(bytes), kind, stage: Stage::Dispatch };
    engine.command(queue, Stages::DISPATCH, &[access])
}

/// For every node, by its name, which nodes are before it.
fn closure(plan: &Plan) -> HashMap<NodeId, Vec<bool>> {
    let mut all = HashMap::<NodeId, Vec<bool>>::new();
    for node in &plan.nodes {
        let mut before = vec![false; MOST];
        for edge in plan.predecessors_of(node) {
            before[edge.0 as usize] = true;
            before.iter_mut().zip(&all[edge]).for_each(|(mine, theirs)| *mine |= *theirs);
        }
        all.insert(node.id, before);
    }
    all
}

fn uses() -> impl Strategy<Value = Vec<Use>> {
    let kind = select(vec![AccessKind::Read, AccessKind::Write, AccessKind::ReadWrite, AccessKind::Atomic]);
    // Mostly of one kind and of all bytes, so that lists grow long and parts share theirs.
    let parts = prop_oneof![4 => Just((0, 4)), 1 => (0..4u64, 1..5u64)];
    (kind.clone(), vec((parts, proptest::option::weighted(0.1, kind)), 1..50)).prop_map(|(most, all)| {
        let bytes = |(first, count): (u64, u64)| first * 16..(first + count).min(4) * 16;
        all.into_iter().map(|(parts, kind)| (bytes(parts), kind.unwrap_or(most))).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_is_that_of_the_conflicts(passes in vec((proptest::bool::weighted(0.3), uses()), 1..8)) {
        let (mut engine, queue, resource) = device();
        let mut made: Vec<(usize, Use, NodeId)> = Vec::new();
        let mut expected: Vec<Vec<bool>> = Vec::new();
        for (pass, (serial, uses)) in passes.iter().enumerate() {
            engine.begin_pass(queue, *serial);
            for one in uses {
                let node = command(&mut engine, queue, resource, one.clone());
                let mut before = vec![false; made.len()];
                for (n, (other, (bytes, kind), _)) in made.iter().enumerate() {
                    let conflict = kind.conflict(one.1).is_some() && bytes.start < one.0.end && one.0.start < bytes.end;
                    if *serial && *other == pass || conflict && *other != pass {
                        before[n] = true;
                        before.iter_mut().zip(&expected[n]).for_each(|(mine, theirs)| *mine |= *theirs);
                    }
                }
                made.push((pass, one.clone(), node));
                expected.push(before);
            }
        }
        let mut plan = Plan::default();
        engine.take_plan(&mut plan);
        prop_assume!(plan.nodes.len() < MOST);
        let found = closure(&plan);
        for (n, (_, _, node)) in made.iter().enumerate() {
            for (m, (_, _, earlier)) in made[..n].iter().enumerate() {
                prop_assert_eq!(found[node][earlier.0 as usize], expected[n][m], "{} before {}", m, n);
            }
        }
    }
}

/// Thirty-two writers, then as many readers, then writers again: a few edges each, not thirty-two.
#[test]
fn edges_stay_few_where_a_pass_has_many_users() {
    let (mut engine, queue, resource) = device();
    for pass in 0..8 {
        engine.begin_pass(queue, false);
        let kind = if pass % 2 == 0 { AccessKind::Write } else { AccessKind::Read };
        (0..32).for_each(|_| {
            command(&mut engine, queue, resource, (0..4096, kind));
        });
    }
    let mut plan = Plan::default();
    engine.take_plan(&mut plan);
    assert!(plan.predecessors.len() <= 8 * 32 * 5, "{} edges", plan.predecessors.len());
    assert!(plan.nodes.len() <= 8 * 32 + 8 * 4, "{} nodes", plan.nodes.len());
}
