//! `cargo run --release --manifest-path bench/Cargo.toml -- <group>…`: fencepost beside its peers.
//!
//! Every number comes from this process, one contender after the other, so that ratios mean something on a machine whose
//! absolute speed does not. Times are the least of several runs: noise only ever adds.

mod clock;
mod groups;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [worker, name, rest @ ..] = &arguments[..]
        && worker == "worker"
    {
        return groups::worker(name, rest);
    }
    if arguments.is_empty() {
        eprintln!("usage: fencepost-bench <group>…, groups: {}", groups::NAMES.join(" "));
        return ExitCode::from(2);
    }
    println!("{} CPUs", std::thread::available_parallelism().map_or(1, usize::from));
    for name in &arguments {
        println!("\n== {name}");
        if !groups::run(name) {
            eprintln!("no group `{name}`, groups: {}", groups::NAMES.join(" "));
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
