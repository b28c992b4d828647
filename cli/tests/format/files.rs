//! Every file under `programs/`: it reads, prints, reads as the same, has a result, and its order is what it says.

use std::path::{Path, PathBuf};

use fencepost_cli::format::{parse, print};
use fencepost_core::Order;
use fencepost_core::program::value::expected;
use fencepost_core::program::{Expectation, Program};

use crate::races::{is_needed, races, stale};

fn files() -> Vec<PathBuf> {
    fn add(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                add(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "kdl") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    add(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../programs"), &mut files);
    files.sort();
    files
}

/// Every program with the name of its file; that all can be read is a test of its own.
pub(crate) fn programs() -> impl Iterator<Item = (String, Program)> {
    files().into_iter().filter_map(|path| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let source = std::fs::read_to_string(&path).ok()?;
        Some((name.clone(), parse(&name, &source).ok()?.program))
    })
}

/// Runs a check on every program and says all that fails at once.
fn check_all(check: impl Fn(&Program) -> Result<(), String>) {
    let mut failures = Vec::new();
    let files = files();
    for path in &files {
        let source = std::fs::read_to_string(path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy();
        let done = match parse(&name, &source) {
            Ok(parsed) => check(&parsed.program),
            Err(error) => Err(error.report(120, false)),
        };
        if let Err(failure) = done {
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
