//! Checks of this repository that no lint covers.
//!
//! Clippy knows Rust but not this project: that the order engine does no input or output, that only `submit` plans, that a
//! rule has one home. `cargo run -p xtask -- tidy` reads the tree as text and syntax and names every place that breaks one.
//! `cargo run -p xtask -- pictures` draws the manual's pictures anew.
#![forbid(unsafe_code)]

mod pictures;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => tidy::run(&root),
        Some("pictures") => pictures::run(&root),
        _ => {
            eprintln!("usage: cargo run -p xtask -- tidy|pictures");
            ExitCode::from(2)
        }
    }
}
