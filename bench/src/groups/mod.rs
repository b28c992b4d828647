//! The groups of measurements, one file each.

mod kernels;

use std::process::ExitCode;

/// Every group by name.
pub(crate) const NAMES: [&str; 1] = ["kernels"];

/// Runs a group; false where there is none of that name.
pub(crate) fn run(name: &str) -> bool {
    match name {
        "kernels" => kernels::run(),
        _ => return false,
    }
    true
}

/// Part of a group in a process of its own, for what is set by environment variables at start.
pub(crate) fn worker(_name: &str, _rest: &[String]) -> ExitCode {
    ExitCode::from(2)
}
