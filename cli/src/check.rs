//! `fencepost check`: what is wrong with programs.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use fencepost_core::explain::Explainer;
use fencepost_core::validate::{Kind, Less, Severity};

use crate::findings::{Checked, colour, counted};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Programs.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Text for people, or one JSON object a file.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Tell of every synchronization that is too wide, also of those whose width costs nothing and of many that are alike.
    #[arg(long)]
    all: bool,
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
            Ok(checked) => (shown(&checked, arguments), u8::from(checked.count(Severity::Error) > 0)),
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

fn shown(checked: &Checked, arguments: &Arguments) -> String {
    match arguments.format {
        Format::Json => format!("{}\n", checked.json()),
        Format::Text => {
            let colour = colour();
            let remedies = checked.remedies();
            let folded = if arguments.all { Folded::default() } else { Folded::of(checked) };
            let told = checked.findings.iter().enumerate().filter(|(number, _)| !folded.has(*number));
            let reports = told.map(|(_, finding)| checked.report(&remedies, finding, colour) + "\n");
            let reports: String = reports.collect();
            format!("{reports}{}{}: {}\n", folded.lines(checked), checked.name, summary(checked))
        }
    }
}

/// Findings about width that are told in one line together: what nothing is gained by, and many that are alike. A program
/// whose every pass has a queue barrier has one thing to learn, and not one for each.
#[derive(Default)]
struct Folded {
    /// Numbers of findings, by what they are.
    alike: BTreeMap<String, Vec<usize>>,
}

impl Folded {
    fn of(checked: &Checked) -> Self {
        let mut alike: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        for (number, finding) in checked.findings.iter().enumerate() {
            let Kind::TooWide(wide) = &finding.kind else { continue };
            let what = match &wide.less {
                Less::Scope { from, to, .. } => format!("{from} that could be {}", article(to.name())),
                Less::Stages { .. } => "synchronization that could name fewer stages".to_owned(),
                _ => "memory-barrier that could show less".to_owned(),
            };
            if wide.frees.is_none() {
                let free = ", though nothing would overlap that does not now";
                alike.entry(format!("{what}{free}")).or_default().push(number);
                continue;
            }
            let count = told.entry(what.clone()).or_default();
            *count += 1;
            if *count > ALIKE_MOST {
                alike.entry(format!("{what}, as above")).or_default().push(number);
            }
        }
        Self { alike }
    }

    fn has(&self, number: usize) -> bool {
        self.alike.values().any(|numbers| numbers.contains(&number))
    }

    fn lines(&self, checked: &Checked) -> String {
        let explainer = Explainer::of(&checked.program);
        let line = |(what, numbers): (&String, &Vec<usize>)| {
            let spots = numbers.iter().filter_map(|number| checked.findings[*number].spot());
            let names: Vec<String> = spots.take(NAMES_MOST).map(|spot| explainer.path(spot)).collect();
            let rest = match numbers.len().saturating_sub(NAMES_MOST) {
                0 => String::new(),
                rest => format!(" and {rest} more"),
            };
            format!("too-wide: {} {what}: {}{rest} (--all tells of each)\n", numbers.len(), names.join(", "))
        };
        let lines: String = self.alike.iter().map(line).collect();
        if lines.is_empty() { lines } else { lines + "\n" }
    }
}

/// `a fence`, `an event`.
fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
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

/// How many findings that are alike are told in full.
const ALIKE_MOST: usize = 3;

/// How many places a line names.
const NAMES_MOST: usize = 6;
