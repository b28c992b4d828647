//! Random kernels on the CPU device and on lavapipe, compared byte by byte.
//!
//! `agree [--start SEED] [--seeds N | --seconds N] [--print SEED] [--keep-going]`. A kernel on which the two differ is reduced and
//! printed with the first word that differs; the program then ends with failure (or goes on with `--keep-going`).
//! Without lavapipe the CPU device runs alone, twice, in two schedules: what differs then is a bug too.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use fencepost_fuzz::judge::{Judges, Verdict};
use fencepost_fuzz::{Choices, kernel, reduce};

/// How many reduced kernels are tried for one that fails.
const REDUCTION_STEPS: usize = 1_500;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| -> Option<u64> {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse().ok()
    };
    if let Some(seed) = number("--print") {
        println!("{}", kernel(&mut Choices::random(seed)).source);
        return ExitCode::SUCCESS;
    }
    let judges = Judges::new();
    println!("judges: {}", judges.names());
    let start = number("--start").unwrap_or(0);
    let seeds = number("--seeds");
    let budget = number("--seconds").map(Duration::from_secs);
    let keep_going = arguments.iter().any(|argument| argument == "--keep-going");
    let begin = Instant::now();
    let mut failures = 0;
    let mut seed = start;
    loop {
        let done = match (seeds, budget) {
            (Some(seeds), _) => seed - start >= seeds,
            (None, budget) => begin.elapsed() >= budget.unwrap_or(Duration::from_secs(60)),
        };
        if done || (failures > 0 && !keep_going) {
            break;
        }
        if !try_seed(&judges, seed) {
            failures += 1;
        }
        seed += 1;
    }
    println!("{} kernels in {} s, {failures} failures", seed - start, begin.elapsed().as_secs());
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether all judges agree on this seed's kernel; otherwise the reduced kernel is printed.
fn try_seed(judges: &Judges, seed: u64) -> bool {
    let mut choices = Choices::random(seed);
    let workload = kernel(&mut choices);
    let verdict = judges.judge(&workload);
    if verdict == Verdict::Agree {
        return true;
    }
    println!("seed {seed}: {verdict}");
    let kind = verdict.kind();
    let small = reduce(
        choices.into_taken().0,
        |choices| judges.judge(&kernel(choices)).kind() == kind,
        REDUCTION_STEPS,
    );
    let workload = kernel(&mut Choices::replay(small.clone()));
    println!("reduced to {} choices: {}\n{}", small.len(), judges.judge(&workload), workload.source);
    false
}
