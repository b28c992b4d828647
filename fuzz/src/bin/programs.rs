//! What cargo-fuzz does with programs and with regions of textures, without it: bytes from seeds, the same ones each time.
//!
//! `programs (format|validator|fix|textures) [--start SEED] [--seeds N | --seconds N]`. A seed that breaks a promise ends the run with a panic
//! that shows the program; the last line says which seed it was.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fencepost_fuzz::{Choices, programs};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| -> Option<u64> {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse().ok()
    };
    let target: fn(&[u8]) -> &'static str = match arguments.first().map(String::as_str) {
        Some("format") => programs::format,
        Some("validator") => programs::validator,
        Some("fix") => programs::fix,
        #[cfg(feature = "kernels")]
        Some("textures") => fencepost_fuzz::textures::regions,
        _ => {
            eprintln!("programs (format|validator|fix|textures) [--start SEED] [--seeds N | --seconds N]");
            return ExitCode::from(2);
        }
    };
    let start = number("--start").unwrap_or(0);
    let seeds = number("--seeds");
    let budget = number("--seconds").map_or(Duration::from_secs(20), Duration::from_secs);
    let begin = Instant::now();
    let mut seed = start;
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    while seeds.map_or(begin.elapsed() < budget, |seeds| seed - start < seeds) {
        let bytes = bytes(seed);
        match std::panic::catch_unwind(|| target(&bytes)) {
            Ok(what) => *counts.entry(what).or_default() += 1,
            Err(_) => {
                println!("seed {seed} breaks it");
                return ExitCode::FAILURE;
            }
        }
        seed += 1;
    }
    println!("{} inputs in {} s, all well: {counts:?}", seed - start, begin.elapsed().as_secs());
    // What is all of one kind tests little.
    if counts.len() > 1 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The bytes of a seed: of any length, most of them small.
fn bytes(seed: u64) -> Vec<u8> {
    let mut choices = Choices::random(seed);
    let length = 1 + choices.below(400);
    let limit = choices.pick(&[256, 16, 64]);
    (0..length).map(|_| u8::try_from(choices.below(limit)).unwrap_or(u8::MAX)).collect()
}
