//! Every program file on the CPU device: a clean one leaves what its author meant in any legal order, a racy one does not.

use std::time::Duration;

use fencepost::replay::program::value::{Start, expected, expected_from};
use fencepost::replay::program::{Expectation, Program};
use fencepost::replay::{Options, Replay};
use fencepost::{Error, ErrorKind};

use crate::files;

/// Legal orders that a clean program is run in.
const ORDERS: u64 = 20;
/// A racy one shows itself in one of these, mostly in one of the first.
const ORDERS_TO_SHOW: u64 = 1000;

/// Races between writes of the same bytes: no order of them leaves anything else.
const SILENT: [&str; 1] = ["clear-twice-no-barrier.kdl"];

/// What its author expects of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// It is right.
    Clean,
    /// Some order shows a race, or a copy that was not brought over.
    Wrong,
    /// It waits for ever.
    Stuck,
    /// The library refuses it, or runs it all the same.
    Misuse,
    /// Neither: a question about order, or writes that this device makes visible anyway.
    Else,
}

impl Means {
    fn of(program: &Program) -> Self {
        let expects = |wanted: fn(&Expectation) -> bool| program.expectations.iter().any(wanted);
        if expects(|line| matches!(line, Expectation::Stuck { .. })) {
            Self::Stuck
        } else if expects(|line| matches!(line, Expectation::Misuse { .. })) {
            Self::Misuse
        } else if expects(|line| matches!(line, Expectation::Race { .. } | Expectation::Managed { .. })) {
            Self::Wrong
        } else if expects(|line| matches!(line, Expectation::Clean)) {
            Self::Clean
        } else {
            Self::Else
        }
    }
}

fn check(program: &Program) -> Result<(), String> {
    let (meant, noisy) = (expected(program), expected_from(program, Start::Noise));
    let starts = [(Start::Zeros, &meant), (Start::Noise, &noisy)];
    let replay = Replay::new(program.clone());
    let said = |error: Error| error.to_string();
    match Means::of(program) {
        Means::Clean => {
            let first = replay.run(&Options::default()).map_err(said)?;
            if let Some(difference) = first.difference(&meant) {
                return Err(format!("all at once: {difference:?}"));
            }
            for seed in 0..ORDERS {
                let (start, meant) = starts[(seed % 2) as usize];
                let options = Options { start, ..Options::seeded(seed) };
                let outcome = replay.run(&options).map_err(said)?;
                if !outcome.finished {
                    return Err(format!("seed {seed}: not finished"));
                }
                if let Some(difference) = outcome.difference(meant) {
                    return Err(format!("seed {seed}: {difference:?}"));
                }
            }
        }
        Means::Wrong => {
            for seed in 0..ORDERS_TO_SHOW {
                let (start, meant) = starts[(seed % 2) as usize];
                let options = Options { start, ..Options::seeded(seed) };
                if replay.run(&options).map_err(said)?.difference(meant).is_some() {
                    return Ok(());
                }
            }
            return Err(format!("none of {ORDERS_TO_SHOW} orders shows it"));
        }
        Means::Stuck => {
            let options = Options { timeout: Duration::from_millis(50), ..Options::default() };
            if replay.run(&options).map_err(said)?.finished {
                return Err("it came to its end".into());
            }
        }
        Means::Misuse | Means::Else => {
            let options = Options { timeout: Duration::from_millis(200), ..Options::default() };
            match replay.run(&options) {
                Err(error) if error.kind() == ErrorKind::Unsupported => return Err(said(error)),
                _ => {}
            }
        }
    }
    Ok(())
}

#[test]
fn every_file_does_on_a_device_what_it_says() {
    let mut failures = Vec::new();
    let mut counts = [0; 2];
    for (name, program) in files::programs().filter(|(name, _)| !SILENT.contains(&name.as_str())) {
        match Means::of(&program) {
            Means::Clean => counts[0] += 1,
            Means::Wrong => counts[1] += 1,
            _ => {}
        }
        if let Err(failure) = check(&program) {
            failures.push(format!("{name}: {failure}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(counts[0] >= 60 && counts[1] >= 30, "{counts:?} clean and wrong files were run");
}
