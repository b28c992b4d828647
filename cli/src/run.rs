//! `fencepost run`: a program on a device, and whether it leaves what its author meant.

use std::path::PathBuf;

use fencepost::ErrorKind;
use fencepost::replay::program::Program;
use fencepost::replay::program::value::{Expected, expected};
use fencepost::replay::{Options, Replay};
use fencepost_cli::format;
use fencepost_core::Order;
use fencepost_core::explain::Explainer;
use fencepost_core::validate::{Severity, validate};

use crate::Failure;

/// Bytes of resources that a program may have to be run here.
const MOST_BYTES: u64 = 1 << 32;

/// What `fencepost run` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The program.
    file: PathBuf,
    /// What to run it on.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Besides the run with everything at once: how many legal orders to try, drawn from seeds that count up.
    #[arg(long, default_value_t = 0)]
    schedules: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Runs the program, and answers whether every run left the expected result.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.device != "cpu" {
        return Err(Failure::Input(format!(
            "there is no device `{}`; `fencepost devices` lists what there is",
            arguments.device
        )));
    }
    let program = read(&arguments.file)?;
    let expected = expected(&program);
    let replay = Replay::new(program.clone());
    one(&replay, &program, &expected, Options::default(), "with everything at once")?;
    for number in 0..arguments.schedules {
        let seed = arguments.seed.wrapping_add(number);
        one(&replay, &program, &expected, Options::seeded(seed), &format!("in the order of seed {seed}"))?;
    }
    println!(
        "as expected: {} in order of the document, at once, and in {} other legal orders",
        arguments.file.display(),
        arguments.schedules
    );
    Ok(())
}

fn read(path: &std::path::Path) -> Result<Program, Failure> {
    let name = path.display().to_string();
    let source = std::fs::read_to_string(path)
        .map_err(|error| Failure::Input(format!("cannot read the program {name}: {error}")))?;
    let parsed = format::parse(&name, &source).map_err(|error| Failure::Input(error.report(100, false)))?;
    let bytes: u64 = (0..parsed.program.resources.len() as u32)
        .map(|index| parsed.program.byte_size(fencepost::replay::program::ResourceIndex(index)))
        .fold(0, u64::saturating_add);
    if bytes > MOST_BYTES {
        return Err(Failure::Input(format!(
            "the resources of {name} take {bytes} bytes; at most {MOST_BYTES} can be run"
        )));
    }
    Ok(parsed.program)
}

/// One run: nothing to say where it leaves the expected result.
fn one(
    replay: &Replay,
    program: &Program,
    expected: &Expected,
    options: Options,
    how: &str,
) -> Result<(), Failure> {
    let outcome = replay.run(&options).map_err(|error| match error.kind() {
        ErrorKind::Unsupported => Failure::Input(error.to_string()),
        _ => Failure::Device(error),
    })?;
    if !outcome.finished {
        return Err(Failure::Answer(format!("{how}, the program did not come to its end{}", stuck(program))));
    }
    let Some(difference) = outcome.difference(expected) else { return Ok(()) };
    let name = &program.resource(difference.resource).name;
    let place = match difference.read {
        Some(number) => format!(
            "the CPU's read number {} sees word {} of what it reads of {name}",
            number + 1,
            difference.word
        ),
        None => format!("the device leaves word {} of {name}", difference.word),
    };
    Err(Failure::Answer(format!(
        "{how}, {place} as {:#010x}; running the document in order gives {:#010x}{}",
        difference.found,
        difference.expected,
        reasons(program)
    )))
}

/// The errors that a checker finds in the program: one of them explains the difference.
fn reasons(program: &Program) -> String {
    let Ok(findings) = validate(program) else { return String::new() };
    let explainer = Explainer::of(program);
    let errors = findings.iter().filter(|finding| finding.severity() == Severity::Error);
    errors
        .map(|finding| {
            let explanation = explainer.explain(finding);
            format!("\n  {}: {}\n    {}", finding.code(), explanation.message(), explanation.advice)
        })
        .collect()
}

/// What the order engine knows of waits that nothing releases.
fn stuck(program: &Program) -> String {
    let Ok(order) = Order::of(program) else { return String::new() };
    let paths: Vec<String> = order.stuck().iter().map(|&locus| program.path(locus)).collect();
    if paths.is_empty() { String::new() } else { format!(": nothing releases {}", paths.join(" and ")) }
}
