//! `fencepost check`: what is wrong with programs.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

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
        let (text, exit) = match Checked::read(path) {
            Ok(checked) => (shown(&checked, arguments.format), u8::from(checked.count().0 > 0)),
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
            let reports = checked.findings.iter().map(|finding| checked.report(finding, colour) + "\n");
            let reports: String = reports.collect();
            let summary = match checked.count() {
                (0, 0) => "clean".to_owned(),
                (0, warnings) => counted(warnings, "warning"),
                (errors, 0) => counted(errors, "error"),
                (errors, warnings) => {
                    format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"))
                }
            };
            format!("{reports}{}: {summary}\n", checked.name)
        }
    }
}
