//! Every program file that a device can run: a clean one leaves what its author meant in any legal order, a racy one does not.
use fencepost::replay::program::value::expected;
use fencepost::replay::program::{Expectation, Program};
use fencepost::replay::{Options, Replay};
use fencepost::{Error, ErrorKind};

use crate::files;

/// Legal orders that a clean program is run in; a racy one must show itself among ten times as many.
const ORDERS: u64 = 60;

/// A run's result, or nothing where the program has what a replay does not support.
fn supported<T>(result: Result<T, Error>) -> Option<Result<T, Error>> {
    match result {
        Err(error) if error.kind() == ErrorKind::Unsupported => None,
        other => Some(other),
    }
}

fn is_clean(program: &Program) -> bool {
    program.expectations.contains(&Expectation::Clean)
}

fn is_racy(program: &Program) -> bool {
    program.expectations.iter().any(|expectation| matches!(expectation, Expectation::Race { .. }))
}

#[test]
fn clean_files_leave_what_is_meant_and_racy_ones_do_not() {
    let (mut clean, mut racy) = (0, 0);
    for (name, program) in files::programs() {
        let expected = expected(&program);
        let misused = program.expectations.iter().any(|line| matches!(line, Expectation::Misuse { .. }));
        if expected.waiting > 0 || misused || !(is_clean(&program) || is_racy(&program)) {
            continue;
        }
        let replay = Replay::new(program.clone());
        let Some(first) = supported(replay.run(&Options::default())) else { continue };
        let first = first.unwrap_or_else(|error| panic!("{name}: {error}"));
        let differs = |seed| {
            let outcome =
                replay.run(&Options::seeded(seed)).unwrap_or_else(|error| panic!("{name}: {error}"));
            outcome.difference(&expected)
        };
        if is_clean(&program) {
            assert_eq!(first.difference(&expected), None, "{name}: all at once");
            for seed in 0..ORDERS {
                assert_eq!(differs(seed), None, "{name}: seed {seed}");
            }
            clean += 1;
        } else {
            assert!((0..10 * ORDERS).any(|seed| differs(seed).is_some()), "{name}: no order shows the race");
            racy += 1;
        }
    }
    assert!(clean >= 30 && racy >= 15, "{clean} clean and {racy} racy files were run");
}
