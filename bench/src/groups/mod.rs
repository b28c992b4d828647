//! The groups of measurements, one file each.

mod kernels;
mod plan;
mod record;
mod tiny;

use std::process::ExitCode;

/// Every group by name.
pub(crate) const NAMES: [&str; 4] = ["record", "plan", "tiny", "kernels"];

/// Runs a group; false where there is none of that name.
pub(crate) fn run(name: &str) -> bool {
    match name {
        "kernels" => kernels::run(),
        "plan" => plan::run(),
        "record" => record::run(),
        "tiny" => tiny::run(),
        _ => return false,
    }
    true
}

/// Part of a group in a process of its own, for what is set by environment variables at start.
pub(crate) fn worker(name: &str, rest: &[String]) -> ExitCode {
    match name.split('-').next() {
        Some("tiny") => tiny::worker(name, rest),
        _ => ExitCode::from(2),
    }
}
