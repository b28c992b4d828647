//! Signals and waits, beside the system's own means, the usual libraries, another library for processes, and Vulkan.
//!
//! Contenders are run in turn, several times over, so that a busy moment of the machine meets all of them. Where it says *raw* there is
//! nothing between the loop and the system: that is the metal which ours is held to.

mod alone;
mod commit;
mod delivery;
mod fan_out;
mod iceoryx;
mod memory;
mod turns;
mod ways;

use std::process::ExitCode;

/// The tables by name, in the order in which they stand.
const TABLES: [(&str, fn()); 6] = [
    ("alone", alone::run),
    ("turns", turns::run),
    ("delivery", delivery::run),
    ("fan-out", fan_out::run),
    ("commit", commit::run),
    ("memory", memory::run),
];

/// One table, or all of them; false where there is none of that name.
pub(crate) fn run(only: Option<&str>) -> bool {
    let wanted = TABLES.iter().filter(|(name, _)| only.is_none_or(|only| only == *name));
    let mut found = false;
    for (_, table) in wanted {
        table();
        println!();
        found = true;
    }
    found
}

/// The other process of a table.
pub(crate) fn worker(name: &str, rest: &[String]) -> ExitCode {
    match name {
        "events-memory" => memory::worker(rest),
        _ => turns::worker(name.trim_start_matches("events-"), rest),
    }
}

/// Keeps this thread on one core; on a machine with fewer it stays where it is.
fn pin(core: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    let _where_it_is = rustix::thread::sched_setaffinity(None, &set);
}

/// Lets this thread run on every core.
fn unpin() {
    let mut set = rustix::thread::CpuSet::new();
    (0..rustix::thread::CpuSet::MAX_CPU).for_each(|core| set.set(core));
    let _where_it_is = rustix::thread::sched_setaffinity(None, &set);
}
