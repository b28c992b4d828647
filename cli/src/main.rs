//! The `fencepost` tool: one file per verb.
//!
//! Exit codes: 0 it worked, 1 the verb's own negative answer, 2 the input or the call was wrong.
#![forbid(unsafe_code)]

mod check;
mod devices;
mod draw;
mod failure;
mod filter;
mod findings;
mod fix;
mod run;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

/// Metal's resource synchronization at work: checks programs and runs them, filters a picture in stages that must follow each
/// other, and lists the devices.
#[derive(Debug, Parser)]
#[command(name = "fencepost", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Filters a picture in stages: mip levels, each blurred by two passes, synchronized by a fence, by events or by tracking.
    Filter(filter::Arguments),
    /// Runs a program on a device and compares what it leaves with the result of running it in order.
    Run(run::Arguments),
    /// Finds what is wrong with programs: races, stale reads, stuck waits, misuse.
    Check(check::Arguments),
    /// Holds programs against what they expect of a checker.
    Test(test::Arguments),
    /// Draws a program: passes, stages, resources, conflicts, what waits for what.
    Draw(draw::Arguments),
    /// Prints a program with the smallest synchronization that mends it.
    Fix(fix::Arguments),
    /// Lists what there is to run on.
    Devices,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.verb {
        Verb::Filter(arguments) => filter::run(&arguments),
        Verb::Run(arguments) => run::run(&arguments),
        Verb::Check(arguments) => return check::run(&arguments),
        Verb::Test(arguments) => return test::run(&arguments),
        Verb::Draw(arguments) => return draw::run(&arguments),
        Verb::Fix(arguments) => return fix::run(&arguments),
        Verb::Devices => devices::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("fencepost: {failure}");
            failure.exit_code()
        }
    }
}
