//! Times: the least of several runs.

use std::time::{Duration, Instant};

/// Runs until both `runs` and `budget` are spent, whichever is later up to four times the runs; gives the least time.
pub(crate) fn least(runs: usize, budget: Duration, mut work: impl FnMut()) -> Duration {
    let begin = Instant::now();
    let mut least = Duration::MAX;
    let mut done = 0;
    while done < runs || (begin.elapsed() < budget && done < runs * 4) {
        let start = Instant::now();
        work();
        least = least.min(start.elapsed());
        done += 1;
    }
    least
}

/// Nanoseconds for each of `count` things that took `whole`.
pub(crate) fn each(whole: Duration, count: usize) -> f64 {
    whole.as_secs_f64() * 1e9 / count as f64
}
