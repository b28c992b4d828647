//! `fencepost check`: what is wrong with programs.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use fencepost_core::validate::Severity;

use crate::findings::{Checked, colour, counted};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Programs.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Text for people, or one JSON object a file.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// 0 where there is no error, 1 where there is one, 2 where a file is no program.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let mut worst = 0;
    let mut out = std::io::stdout().lock();
    for path in &arguments.files {
        let (text, exit) = match Checked::read(path).and_then(Checked::advise) {
            Ok(checked) => (shown(&checked, arguments.format), u8::from(checked.count(Severity::Error) > 0)),
            Err(fault) => {
                eprint!("{}", fault.0);
                (String::new(), 2)
            }
        };
        worst = worst.max(exit);
        // Nobody who has closed the pipe wants the rest.
        if out.write_all(text.as_bytes()).is_err() {
            break;
        }
    }
    ExitCode::from(worst)
}

fn shown(checked: &Checked, format: Format) -> String {
    match format {
        Format::Json => format!("{}\n", checked.json()),
        Format::Text => {
            let colour = colour();
            let remedies = checked.remedies();
            let report = |finding| checked.report(&remedies, finding, colour) + "\n";
            let reports = checked.findings.iter().map(report);
            let reports: String = reports.collect();
            format!("{reports}{}: {}\n", checked.name, summary(checked))
        }
    }
}

/// `clean`, `2 errors, 1 warning`, `clean, 1 advice`.
fn summary(checked: &Checked) -> String {
    let [errors, warnings, advice] =
        [Severity::Error, Severity::Warning, Severity::Advice].map(|severity| checked.count(severity));
    let mut parts = Vec::new();
    if errors > 0 {
        parts.push(counted(errors, "error"));
    }
    if warnings > 0 {
        parts.push(counted(warnings, "warning"));
    }
    if parts.is_empty() {
        parts.push("clean".to_owned());
    }
    if advice > 0 {
        parts.push(format!("{advice} advice"));
    }
    parts.join(", ")
}
