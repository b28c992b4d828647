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

pub(crate) fn run() {
    for table in [alone::run, turns::run, delivery::run, fan_out::run, commit::run, memory::run] {
        table();
        println!();
    }
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
