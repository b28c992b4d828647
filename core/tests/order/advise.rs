//! Advice and fixes of random programs, held against brute force: what is advised may go, what is fixed is clean, what is added is
//! needed and the cheapest.
use std::collections::HashSet;

use fencepost_core::Order;
use fencepost_core::advise::{Fixed, LeftReason, advise, fix, is_redundant, prune, redundant};
use fencepost_core::program::{BufferItem, CommandBufferIndex, Locus, Program, Step};
use fencepost_core::validate::{Finding, Kind, Spot, validate};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use crate::random::programs;

fn cases(default: u32) -> Config {
    let cases = std::env::var("FENCEPOST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    Config { cases, failure_persistence: None, max_shrink_iters: 512, ..Config::default() }
}

fn run(config: Config, test: impl Fn(Program) -> Result<(), TestCaseError>) {
    match TestRunner::new(config).run(&programs(), test) {
        Err(TestError::Fail(reason, program)) => panic!("{reason}\n{}", crate::agreement::shown(&program)),
        Err(error) => panic!("{error}"),
        Ok(()) => {}
    }
}

/// What order is there to mend.
fn broken(program: &Program) -> Vec<Finding> {
    let mut all = validate(program).unwrap();
    all.retain(|finding| matches!(finding.kind, Kind::Race(_) | Kind::Stale(_)));
    all
}

#[test]
fn a_fixed_program_is_clean() {
    let counts = std::cell::Cell::new([0; 3]);
    run(cases(256), |program| {
        let racy = !broken(&program).is_empty();
        let fixed = fix(&program).unwrap();
        let left: HashSet<(Option<Spot>, Option<Spot>)> = fixed
            .left
            .iter()
            .filter(|left| left.reason == LeftReason::WithinRenderPass)
            .map(|left| (left.finding.first, left.finding.second))
            .collect();
        for finding in broken(&fixed.program) {
            prop_assert!(
                left.contains(&(finding.first, finding.second)),
                "{:#?}\n{:#?}",
                finding,
                fixed.repairs
            );
        }
        prop_assert!(
            racy || fixed.repairs.iter().all(|repair| repair.scope.is_none()),
            "{:#?}",
            fixed.repairs
        );
        let [r, f, l] = counts.get();
        counts.set([r + u32::from(racy), f + fixed.repairs.len() as u32, l + left.len() as u32]);
        Ok(())
    });
    println!("{:?}", counts.get());
    assert!(counts.get()[0] > 0, "degenerate programs");
}

/// The places of a fixed program that were not there before.
fn added(fixed: &Fixed) -> Vec<Locus> {
    let mut all = Vec::new();
    for (body, number) in fixed.program.command_buffers.iter().zip(0..) {
        let buffer = CommandBufferIndex(number);
        for (item, place) in body.items.iter().zip(0..) {
            match item {
                BufferItem::Event(_) => all.push(Locus::Event { buffer, item: place }),
                BufferItem::Pass(pass) => {
                    let items = 0..pass.items.len() as u32;
                    all.extend(items.map(|item| Locus::PassItem { buffer, pass: place, item }));
                }
            }
        }
    }
    all.extend((0..fixed.program.all_steps().len() as u32).map(Locus::Step));
    all.retain(|locus| fixed.origin(*locus).is_none());
    all
}

#[test]
fn nothing_of_a_fix_can_be_left_out() {
    let count = std::cell::Cell::new(0);
    run(cases(96), |program| {
        let fixed = fix(&program).unwrap();
        let order = Order::of(&fixed.program).unwrap();
        for site in added(&fixed) {
            let is_did_modify = matches!(site, Locus::Step(n) if matches!(fixed.program.all_steps()[n as usize], Step::DidModify(_)));
            if let Some(redundant) = is_redundant(&fixed.program, &order, site).unwrap() {
                count.set(count.get() + 1);
                prop_assert!(!redundant || is_did_modify, "{:?} of {:#?}", site, fixed.repairs);
            }
        }
        Ok(())
    });
    assert!(count.get() > 0, "degenerate programs");
}

/// Every conflict by its places, with what has become of it: nothing of the library but the order decides here.
fn fates(program: &Program, origin: impl Fn(Locus) -> Option<Locus>) -> HashSet<(Locus, Locus, bool)> {
    let order = Order::of(program).unwrap();
    crate::validate::conflicting(program, &order)
        .into_iter()
        .filter_map(|(first, second, well)| Some((origin(first)?, origin(second)?, well)))
        .collect()
}

#[test]
fn a_pruned_program_keeps_every_conflict_that_is_ordered_and_nothing_in_it_is_redundant() {
    let removed = std::cell::Cell::new(0);
    run(cases(96), |program| {
        let pruned = prune(&program).unwrap();
        removed.set(removed.get() + pruned.removed.len());
        let (were, are) = (fates(&program, Some), fates(&pruned.program, |locus| pruned.origin(locus)));
        // Of two that nothing orders either may be played first, and a wait that is taken out may turn commits of two threads round.
        let pairs = |all: &HashSet<(Locus, Locus, bool)>| -> HashSet<(Locus, Locus)> {
            all.iter().map(|(first, second, _)| (*first.min(second), *first.max(second))).collect()
        };
        prop_assert_eq!(pairs(&are), pairs(&were));
        let lost = |(first, second, well): &&(Locus, Locus, bool)| {
            *well && (!are.contains(&(*first, *second, true)) || are.contains(&(*first, *second, false)))
        };
        let partly = |(first, second, _): &&(Locus, Locus, bool)| were.contains(&(*first, *second, false));
        let lost: Vec<_> = were.iter().filter(lost).filter(|pair| !partly(pair)).collect();
        prop_assert!(lost.is_empty(), "{:?}", lost);
        let order = Order::of(&pruned.program).unwrap();
        prop_assert_eq!(redundant(&pruned.program, &order).unwrap(), HashSet::new());
        // Exactly what is advised goes.
        let advised = advise(&program).unwrap();
        let advised = advised.iter().filter(|finding| matches!(finding.kind, Kind::Redundant(_)));
        prop_assert!(advised.count() <= pruned.removed.len());
        Ok(())
    });
    assert!(removed.get() > 0, "degenerate programs");
}
