//! Every file under `programs/`: it reads, prints, reads as the same, has a result, and its order is what it says.

use std::path::PathBuf;

use fencepost_cli::format::{parse, print};
use fencepost_core::Order;
use fencepost_core::program::value::expected;
use fencepost_core::program::{Expectation, Program};

use crate::races::{is_needed, races, stale};

/// Every program with the name of its file.
pub(crate) fn programs() -> impl Iterator<Item = (String, Program)> {
    let name = |path: PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
    crate::programs::programs().into_iter().filter_map(move |(path, _, program)| Some((name(path)?, program)))
}

/// Runs a check on every program and says all that fails at once.
fn check_all(check: impl Fn(&Program) -> Result<(), String>) {
    let files: Vec<(String, Program)> = programs().collect();
    let mut failures = Vec::new();
    for (name, program) in &files {
        if let Err(failure) = check(program) {
            failures.push(format!("{name}: {failure}"));
        }
    }
    assert!(files.len() >= 60, "{} files", files.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn they_read_as_what_they_print() {
    check_all(|program| {
        let text = print(program).map_err(|error| error.to_string())?;
        let again = parse("again.kdl", &text).map_err(|error| error.report(120, false))?;
        if again.program != *program {
            return Err(format!("reads otherwise once printed:\n{text}"));
        }
        let twice = print(&again.program).map_err(|error| error.to_string())?;
        if twice == text { Ok(()) } else { Err(format!("prints otherwise:\n{text}\n{twice}")) }
    });
}

#[test]
fn they_expect_something_and_have_a_result() {
    check_all(|program| {
        if program.expectations.is_empty() {
            return Err("expects nothing".to_owned());
        }
        let stuck = |it: &Expectation| matches!(it, Expectation::Stuck { .. });
        let waiting = expected(program).waiting;
        if (waiting > 0) == program.expectations.iter().any(stuck) {
            Ok(())
        } else {
            Err(format!("{waiting} wait at the end"))
        }
    });
}

#[test]
fn they_are_ordered_as_they_say() {
    check_all(|program| {
        let order = Order::of(program).map_err(|error| error.to_string())?;
        for expectation in &program.expectations {
            let holds = match expectation {
                Expectation::Ordered { first, second } => order.is_ordered(first, second),
                Expectation::Unordered { first, second } => order.is_unordered(first, second),
                Expectation::Stuck { site } => {
                    program.locate(site).iter().any(|locus| order.stuck().contains(locus))
                }
                _ => true,
            };
            if !holds {
                return Err(format!("{expectation:?} does not hold"));
            }
        }
        let expects_stuck = program.expectations.iter().any(|it| matches!(it, Expectation::Stuck { .. }));
        if order.stuck().is_empty() || expects_stuck { Ok(()) } else { Err("something is stuck".to_owned()) }
    });
}

#[test]
fn they_race_as_they_say() {
    check_all(|program| {
        let order = Order::of(program).map_err(|error| error.to_string())?;
        let races = races(program, &order);
        let expected = |it: &&Expectation| matches!(it, Expectation::Race { .. });
        for expectation in program.expectations.iter().filter(expected) {
            if !races.iter().any(|race| race.is_meant(expectation)) {
                return Err(format!("{expectation:?} is no race"));
            }
        }
        match races.iter().find(|race| !program.expectations.iter().any(|it| race.is_meant(it))) {
            Some(race) => Err(race.describe(program)),
            None => Ok(()),
        }
    });
}

#[test]
fn what_they_see_is_as_fresh_as_they_say() {
    check_all(|program| {
        let order = Order::of(program).map_err(|error| error.to_string())?;
        let mut found = stale(program, &order);
        let mut said: Vec<String> = Vec::new();
        for expectation in &program.expectations {
            if let Expectation::Stale { site } = expectation {
                said.push(site.clone());
            }
        }
        found.sort();
        found.dedup();
        if found == said { Ok(()) } else { Err(format!("stale are {found:?}, said are {said:?}")) }
    });
}

#[test]
fn they_need_what_they_say() {
    check_all(|program| {
        for expectation in &program.expectations {
            let (site, needed) = match expectation {
                Expectation::Needed { site } => (site, true),
                Expectation::Redundant { site } => (site, false),
                _ => continue,
            };
            let found = program.locate(site);
            if found.len() != 1 || is_needed(program, found[0]) != needed {
                return Err(format!("{expectation:?} does not hold"));
            }
        }
        Ok(())
    });
}
