//! The engine and the brute-force oracle agree on every pair of every random program.
use std::collections::HashMap;

use fencepost_core::program::value::expected;
use fencepost_core::program::{BufferItem, Locus, Program, ResourceIndex, Step};
use fencepost_core::{NodeId, Order};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use crate::oracle::{Oracle, Shows};
use crate::random::programs;

/// How many random programs: 2048, or what `FENCEPOST_CASES` says.
fn cases() -> u32 {
    std::env::var("FENCEPOST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(2048)
}

#[test]
fn every_pair_of_random_programs() {
    let config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    let mut counts = Counts::default();
    let counted = std::cell::RefCell::new(&mut counts);
    let result =
        TestRunner::new(config).run(&programs(), |program| agree(&program, &mut counted.borrow_mut()));
    match result {
        Err(TestError::Fail(reason, program)) => panic!("{reason}\n{}", shown(&program)),
        Err(error) => panic!("{error}"),
        Ok(()) => {}
    }
    println!("{counts:?}");
    assert!(
        counts.ordered > counts.pairs / 50 && counts.ordered < counts.pairs / 2,
        "degenerate: {counts:?}"
    );
    assert!(counts.hidden > 0 && counts.stuck > 0 && counts.partly > 0, "degenerate: {counts:?}");
}

/// A program without its declarations, which are the same for all; and its items.
pub(crate) fn shown(program: &Program) -> String {
    let modes: Vec<_> = program.queues.iter().map(|queue| queue.mode).collect();
    let mut text = format!("{modes:?}\n");
    for buffer in &program.command_buffers {
        text += &format!("{} on {:?}\n", buffer.label, buffer.queue);
        for item in &buffer.items {
            match item {
                BufferItem::Event(event) => text += &format!("  {event:?}\n"),
                BufferItem::Pass(pass) => {
                    text += &format!("  {} {:?}\n", pass.label, pass.kind);
                    pass.items.iter().for_each(|item| text += &format!("    {item:?}\n"));
                }
            }
        }
    }
    program.steps.iter().for_each(|step| text += &format!("{step:?}\n"));
    if let Ok(order) = Order::of(program) {
        order.items().iter().for_each(|item| text += &format!("{item:?}\n"));
    }
    text
}

#[derive(Debug, Default)]
struct Counts {
    programs: u64,
    pairs: u64,
    ordered: u64,
    /// Ordered pairs that nothing makes visible.
    hidden: u64,
    /// Ordered pairs that are visible for some resources only.
    partly: u64,
    stuck: u64,
}

fn agree(program: &Program, counts: &mut Counts) -> Result<(), TestCaseError> {
    let order = Order::of(program).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let oracle = Oracle::of(program, &order);
    let items = order.items().iter().map(|item| (item.node, oracle.items[&(item.locus, item.stage)]));
    let steps = oracle.steps.iter().filter_map(|(number, node)| {
        let found = order.nodes(Locus::Step(*number)).first()?;
        Some((*found, *node))
    });
    let pairs: Vec<(NodeId, usize)> = items.chain(steps).collect();
    let kinds = [(true, false), (false, true)].map(|(buffers, textures)| Shows::Kinds { buffers, textures });
    for &(first, a) in &pairs {
        let after = oracle.after(a);
        let seen = kinds.each_ref().map(|kind| oracle.seen(a, &after, kind, program));
        let all: Vec<ResourceIndex> = (0..program.resources.len() as u32).map(ResourceIndex).collect();
        let each: Vec<Vec<bool>> = all
            .iter()
            .map(|resource| oracle.seen(a, &after, &Shows::Only(vec![*resource]), program))
            .collect();
        for &(second, b) in pairs.iter().filter(|(_, b)| *b != a) {
            let name = || format!("{first:?} and {second:?}");
            counts.pairs += 1;
            counts.ordered += u64::from(after[b]);
            prop_assert_eq!(order.ordered(first, second), after[b], "ordered: {}", name());
            prop_assert_eq!(order.why(first, second).is_some(), after[b], "why: {}", name());
            if !after[b] {
                continue;
            }
            let visible = seen[0][b] && seen[1][b];
            prop_assert_eq!(order.visible(first, second), visible, "visible: {}", name());
            for (resource, seen) in all.iter().zip(&each) {
                let visible = order.visible_to(first, second, *resource);
                prop_assert_eq!(visible, seen[b], "visible to {:?}: {}", resource, name());
            }
            counts.hidden += u64::from(!each.iter().any(|seen| seen[b]));
            counts.partly += u64::from(each.iter().any(|seen| seen[b]) && !visible);
        }
    }
    let timed = |step: &&Step| matches!(step, Step::WaitUntilSignaled { timeout_ms: Some(_), .. });
    if !program.all_steps().iter().any(timed) {
        // Another machine, which runs the program for its values, comes to rest with as many waits.
        prop_assert_eq!(order.stuck().len(), expected(program).waiting);
    }
    counts.programs += 1;
    counts.stuck += u64::from(!order.stuck().is_empty());
    plan_is_tight(&order)
}

/// The plan's closure is the order, and no edge of it follows from others.
fn plan_is_tight(order: &Order) -> Result<(), TestCaseError> {
    let plan = order.plan();
    let mut before: HashMap<NodeId, Vec<bool>> = HashMap::new();
    for (index, node) in plan.nodes.iter().enumerate() {
        let mut set = vec![false; index];
        for (n, predecessor) in plan.predecessors_of(node).iter().enumerate() {
            prop_assert!(*predecessor < node.id);
            for other in &plan.predecessors_of(node)[n + 1..] {
                let follows = order.ordered(*predecessor, *other) || order.ordered(*other, *predecessor);
                prop_assert!(
                    !follows && predecessor != other,
                    "transitive: {:?} and {:?}",
                    predecessor,
                    other
                );
            }
            set[predecessor.0 as usize] = true;
            let theirs = before[predecessor].clone();
            set.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine |= theirs);
        }
        for (earlier, mine) in set.iter().enumerate() {
            let ordered = order.ordered(NodeId(earlier as u64), node.id);
            prop_assert_eq!(*mine, ordered, "plan and order differ: {} and {:?}", earlier, node.id);
        }
        before.insert(node.id, set);
    }
    Ok(())
}
