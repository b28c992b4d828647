//! `fencepost fix`: the program with the smallest synchronization that mends it, and with every comment where it was.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use fencepost_cli::format::{EditError, edit, print};
use fencepost_core::advise::{fix, fix_and_prune};
use fencepost_core::explain::Explainer;

use crate::findings::{Checked, NoProgram};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A program.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Also take out what is redundant.
    #[arg(long)]
    prune: bool,
}

/// 0 where the program is printed, 2 where the file is none.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match Checked::read(&arguments.file).and_then(|checked| fixed(&checked, arguments.prune)) {
        Ok(text) => {
            // Nobody who has closed the pipe wants the rest.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprint!("{}", fault.0);
            ExitCode::from(2)
        }
    }
}

fn fixed(checked: &Checked, pruned: bool) -> Result<String, NoProgram> {
    let told = |error: &dyn std::fmt::Display| NoProgram(format!("fencepost: {}: {error}\n", checked.name));
    let fix = if pruned { fix_and_prune } else { fix };
    let fixed = fix(&checked.program).map_err(|error| told(&error))?;
    let explainer = Explainer::of(&fixed.program);
    for left in &fixed.left {
        eprintln!("fencepost: {}: not mended: {}", checked.name, explainer.left(left));
    }
    match edit(&checked.source, &checked.program, &fixed.program, |place| fixed.origin(place)) {
        Err(EditError::NotInPlace) => {
            eprintln!(
                "fencepost: {}: the text cannot be changed in place, so it is written anew, without its comments",
                checked.name
            );
            print(&fixed.program).map_err(|error| told(&error))
        }
        text => text.map_err(|error| told(&error)),
    }
}
