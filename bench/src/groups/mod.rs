//! The groups of measurements, one file each.

mod events;
mod kernels;
mod memory;
mod plan;
mod record;
mod tiny;
mod validate;

use std::process::ExitCode;

/// Every group by name.
pub(crate) const NAMES: [&str; 7] = ["record", "plan", "tiny", "validate", "events", "kernels", "memory"];

/// Runs a group; false where there is none of that name.
pub(crate) fn run(name: &str) -> bool {
    match name {
        "events" => return events::run(None),
        "kernels" => kernels::run(),
        "memory" => memory::run(),
        "plan" => plan::run(),
        "record" => record::run(),
        "tiny" => tiny::run(),
        "validate" => validate::run(),
        _ => return name.strip_prefix("events-").is_some_and(|table| events::run(Some(table))),
    }
    true
}

/// Part of a group in a process of its own, for what is set by environment variables at start.
pub(crate) fn worker(name: &str, rest: &[String]) -> ExitCode {
    match name.split('-').next() {
        Some("events") => events::worker(name, rest),
        Some("tiny") => tiny::worker(name, rest),
        Some("validate") => validate::worker(rest),
        _ => ExitCode::from(2),
    }
}
