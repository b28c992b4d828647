//! `fencepost test`: programs held against what they expect of a checker.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fencepost_core::program::Expectation;
use fencepost_core::validate::{Verdict, hold};

use crate::findings::{Checked, NoProgram, colour};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Programs with `expect` blocks.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What has become of a file.
struct Outcome {
    text: String,
    holds: bool,
}

/// 0 where all files hold, 1 where one does not, 2 where one is no program.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let (mut passed, mut failed, mut worst) = (0, 0, 0);
    let mut text = String::new();
    for path in &arguments.files {
        match read(path) {
            Ok(checked) => {
                let outcome = held(&checked, colour());
                text += &outcome.text;
                passed += usize::from(outcome.holds);
                failed += usize::from(!outcome.holds);
                worst = worst.max(u8::from(!outcome.holds));
            }
            Err(fault) => {
                eprint!("{}", fault.0);
                failed += 1;
                worst = 2;
            }
        }
    }
    text += &format!("{passed} passed, {failed} failed\n");
    // Nobody who has closed the pipe wants the rest.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::from(worst)
}

/// Reads and validates a file, with advice where the file speaks of it.
fn read(path: &Path) -> Result<Checked, NoProgram> {
    let checked = Checked::read(path)?;
    let speaks =
        |line: &Expectation| matches!(line, Expectation::Redundant { .. } | Expectation::Needed { .. });
    if checked.program.expectations.iter().any(speaks) { checked.advise() } else { Ok(checked) }
}

fn held(checked: &Checked, colour: bool) -> Outcome {
    let holding = hold(&checked.program, &checked.order, &checked.findings);
    let mut faults = String::new();
    for (number, verdict) in holding.lines.iter().enumerate() {
        let Some(expectation) = checked.program.expectations.get(number) else { continue };
        match verdict {
            Verdict::Held => {}
            Verdict::Failed => {
                let span = checked.places.expectation(number);
                faults += &checked.complain(span, failure(expectation), "this does not hold", colour);
            }
        }
    }
    for &index in &holding.unexpected {
        faults += &checked.report(&checked.remedies(), &checked.findings[index], colour);
    }
    let holds = faults.is_empty();
    let mut text = String::new();
    let word = if holds { "ok  " } else { "FAIL" };
    // Writing to a string does not fail.
    let _ = writeln!(text, "{word} {}", checked.name);
    text += &faults;
    Outcome { text, holds }
}

fn failure(expectation: &Expectation) -> String {
    match expectation {
        Expectation::Clean => "The program has errors, and is expected to be clean.".to_owned(),
        Expectation::Ordered { first, second } => format!("{first} is not ordered before {second}."),
        Expectation::Unordered { first, second } => {
            format!("{first} and {second} are ordered, or name no work.")
        }
        Expectation::Redundant { site } => {
            format!(
                "{site} is not redundant: without it, a conflict that is ordered would not be, or a wait would hang."
            )
        }
        Expectation::Needed { site } => {
            format!("{site} is not needed: every conflict that is ordered stays so without it.")
        }
        Expectation::Fix { primitive, .. } => {
            format!("{primitive} is not the smallest primitive that mends a race on this resource.")
        }
        _ => format!("No such finding: {}.", expectation.word()),
    }
}
