//! The mutation score: is spoilt synchronization noticed, and only that?
//!
//! Every synchronization of every clean program under `programs/` is spoilt in every way. What brute force finds wrong with the
//! result the validator must flag, and nothing else; what is there twice must be advised as redundant. Large programs, which are tables of
//! many alike pairs, take part with `FENCEPOST_MUTANTS=all`. `docs/mutation.md` has the score.

mod judge;
mod mutants;
#[path = "../../../core/tests/order/oracle/mod.rs"]
mod oracle;
#[path = "../common/programs.rs"]
mod programs;

use std::collections::BTreeMap;
use std::path::PathBuf;

use fencepost_core::Order;
use fencepost_core::advise::redundant;
use fencepost_core::program::{Expectation, Program};
use fencepost_core::validate::{Severity, validate_order};

use judge::{Verdict, judge};
use mutants::{Kind, Mutant};
use programs::programs;

/// Pairs of accesses grow as the square: a program with more work items than this is large.
const LARGE: usize = 60;

/// Mutants of a large program that are judged, evenly spread.
const SAMPLE: usize = 30;

#[derive(Debug, Default)]
struct Score {
    mutants: u32,
    /// Brute force finds something wrong, or for doubles: there is a double.
    harmful: u32,
    noticed: u32,
    /// Flagged although nothing is wrong.
    alarms: u32,
}

fn clean_programs() -> Vec<(String, Program)> {
    let clean = |(file, _, program): (PathBuf, String, Program)| {
        let name = file.file_stem()?.to_string_lossy().into_owned();
        program.expectations.contains(&Expectation::Clean).then_some((name, program))
    };
    programs().into_iter().filter_map(clean).collect()
}

/// What the validator says.
fn flagged(program: &Program, order: &Order) -> Verdict {
    let findings = validate_order(program, order);
    let has = |codes: &[&str]| {
        let mut errors = findings.iter().filter(|finding| finding.severity() == Severity::Error);
        errors.any(|finding| codes.contains(&finding.code()))
    };
    Verdict { clash: has(&["race", "stale", "managed"]), stuck: has(&["stuck"]) }
}

/// Judges a mutant twice; a complaint where the two differ.
fn try_out(mutant: &Mutant, score: &mut Score) -> Option<String> {
    let order = Order::of(&mutant.program).expect("a mutant names what is declared");
    score.mutants += 1;
    if mutant.kind == Kind::Duplicate {
        score.harmful += 1;
        let advised = redundant(&mutant.program, &order).expect("a mutant names what is declared");
        let noticed = mutant.sites.iter().any(|site| advised.contains(site));
        score.noticed += u32::from(noticed);
        return (!noticed).then(|| "not advised as redundant".to_owned());
    }
    let (is, said) = (judge(&mutant.program, &order), flagged(&mutant.program, &order));
    let harmful = is != Verdict::default();
    score.harmful += u32::from(harmful);
    score.noticed += u32::from(harmful && is == said);
    score.alarms += u32::from(!harmful && said != is);
    (is != said).then(|| format!("brute force says {is:?}, the validator {said:?}"))
}

#[test]
fn spoilt_synchronization_is_noticed() {
    let all = std::env::var("FENCEPOST_MUTANTS").is_ok_and(|value| value == "all");
    let mut scores: BTreeMap<Kind, Score> = Kind::ALL.iter().map(|kind| (*kind, Score::default())).collect();
    let (mut survivors, mut programs) = (Vec::new(), 0);
    for (name, program) in clean_programs() {
        let order = Order::of(&program).expect("a program names what it declares");
        let large = order.items().len() > LARGE;
        if large && !all {
            continue;
        }
        assert_eq!(judge(&program, &order), Verdict::default(), "{name} is not clean by brute force");
        programs += 1;
        let mutants = mutants::all(&program);
        let stride = if large { mutants.len().div_ceil(SAMPLE).max(1) } else { 1 };
        for mutant in mutants.iter().step_by(stride) {
            let score = scores.entry(mutant.kind).or_default();
            if let Some(complaint) = try_out(mutant, score) {
                survivors.push(format!("{name}: {}: {complaint}", mutant.what));
            }
        }
    }
    report(&scores, programs);
    survivors.iter().for_each(|survivor| println!("{survivor}"));
    for (kind, score) in &scores {
        let wrong = score.harmful - score.noticed + score.alarms;
        assert!(score.mutants >= 50, "{kind:?}: only {} mutants", score.mutants);
        assert!(wrong * 100 <= score.mutants, "{kind:?}: {wrong} of {}: {survivors:#?}", score.mutants);
    }
}

fn report(scores: &BTreeMap<Kind, Score>, programs: u32) {
    println!("{programs} clean programs");
    println!("| kind | mutants | harmful | noticed | harmless, and flagged | score |");
    for (kind, Score { mutants, harmful, noticed, alarms }) in scores {
        let right = mutants - (harmful - noticed) - alarms;
        let score = 100.0 * f64::from(right) / f64::from((*mutants).max(1));
        println!("| {kind:?} | {mutants} | {harmful} | {noticed} | {alarms} | {score:.2} % |");
    }
}
