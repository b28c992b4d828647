//! `fencepost run`: a program on a device, and whether it leaves what its author meant.

use std::path::PathBuf;

use fencepost::ErrorKind;
use fencepost::replay::program::value::{Expected, Start, expected, expected_from};
use fencepost::replay::program::{Format, Locus, Part, Program, ResourceIndex, Shape};
use fencepost::replay::{Difference, Options, Place, Replay};
use fencepost_cli::format;
use fencepost_core::Order;
use fencepost_core::explain::Explainer;
use fencepost_core::validate::{Severity, validate};

use crate::Failure;

/// Bytes of resources that a program may have to be run here.
const MOST_BYTES: u64 = 1 << 32;
/// Bytes up to which a program is also run on memory that does not start as zeros.
const MOST_NOISE: u64 = 1 << 26;

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
    let on_cpu = arguments.device == "cpu";
    if !on_cpu && arguments.schedules > 0 {
        return Err(Failure::Input(
            "`--schedules` needs the CPU device, which alone chooses among legal orders".into(),
        ));
    }
    let program = read(&arguments.file)?;
    let zeros = expected(&program);
    let replay = if on_cpu {
        Ok(Replay::new(program.clone()))
    } else {
        Replay::on(program.clone(), &arguments.device)
    };
    let replay = replay
        .map_err(|error| Failure::Input(format!("{error}; `fencepost devices` lists what there is")))?;
    one(&replay, &program, &zeros, Options::default(), "with everything at once")?;
    // Every other order starts with other bytes: a copy of zeros to zeros shows nothing.
    let noise =
        if byte_size(&program) > MOST_NOISE { zeros.clone() } else { expected_from(&program, Start::Noise) };
    for number in 0..arguments.schedules {
        let seed = arguments.seed.wrapping_add(number);
        let noisy = seed % 2 == 1 && byte_size(&program) <= MOST_NOISE;
        let (start, meant) = if noisy { (Start::Noise, &noise) } else { (Start::Zeros, &zeros) };
        let options = Options { start, ..Options::seeded(seed) };
        one(&replay, &program, meant, options, &format!("in the order of seed {seed}"))?;
    }
    println!(
        "as expected: {} in order of the document, at once, and in {} other legal orders",
        arguments.file.display(),
        arguments.schedules
    );
    Ok(())
}

/// Bytes of all resources.
fn byte_size(program: &Program) -> u64 {
    let sizes = (0..program.resources.len() as u32).map(|index| program.byte_size(ResourceIndex(index)));
    sizes.fold(0, u64::saturating_add)
}

fn read(path: &std::path::Path) -> Result<Program, Failure> {
    let name = path.display().to_string();
    let source = std::fs::read_to_string(path)
        .map_err(|error| Failure::Input(format!("cannot read the program {name}: {error}")))?;
    let parsed = format::parse(&name, &source).map_err(|error| Failure::Input(error.report(100, false)))?;
    let bytes = byte_size(&parsed.program);
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
    let place = place(program, &difference);
    Err(Failure::Answer(format!(
        "{how}, {place} as {:#010x}; running the document in order gives {:#010x}{}",
        difference.found,
        difference.expected,
        reasons(program)
    )))
}

/// Where a difference shows, in words.
fn place(program: &Program, difference: &Difference) -> String {
    let word = difference.word;
    match &difference.place {
        Place::Resource(resource) => {
            let declared = program.resource(*resource);
            let spot = spot(program, &resource.whole(), word);
            if program.devices.len() < 2 {
                return format!("the device leaves {spot}");
            }
            format!("device {} leaves {spot}", program.devices[declared.device.index()].name)
        }
        Place::Read(number, part) => {
            format!("the CPU's read number {} sees {}", number + 1, spot(program, part, word))
        }
        Place::Stage(locus, stage) => {
            let path = program.path(*locus);
            let device = device_of(program, *locus).unwrap_or_default();
            format!("what {path} reads in its {} stage{device} makes word {word}", stage.name())
        }
    }
}

/// A word of a part: of a texture, with its level, slice and texel.
fn spot(program: &Program, part: &Part, word: usize) -> String {
    let name = &program.resource(part.resource).name;
    let mut byte = word as u64 * 4;
    let mut in_resource = byte;
    for range in program.byte_ranges(part) {
        let length = range.end - range.start;
        if byte < length {
            in_resource = range.start + byte;
            break;
        }
        byte -= length;
    }
    let Shape::Texture { width, mips, slices, format, .. } = program.resource(part.resource).shape else {
        return format!("word {} of {name}", in_resource / 4);
    };
    let texel_bytes = if format == Format::Rgba32Float { 16 } else { 4 };
    for slice in 0..slices {
        for mip in 0..mips {
            let image = part.resource.subresources(mip..mip + 1, slice..slice + 1);
            let Some(range) = program.byte_ranges(&image).into_iter().next() else { continue };
            if range.contains(&in_resource) {
                let texel = (in_resource - range.start) / texel_bytes;
                let row = u64::from(width.checked_shr(mip).unwrap_or(0).max(1));
                let component = (in_resource - range.start) % texel_bytes / 4;
                let component =
                    if texel_bytes > 4 { format!(", component {component}") } else { String::new() };
                return format!(
                    "texel ({}, {}) of {name}, level {mip}, slice {slice}{component}",
                    texel % row,
                    texel / row
                );
            }
        }
    }
    format!("word {word} of {name}")
}

/// " on device …" of what stands in a command buffer, where there are several.
fn device_of(program: &Program, locus: Locus) -> Option<String> {
    let Locus::PassItem { buffer, .. } = locus else { return None };
    let queue = program.command_buffers.get(buffer.index())?.queue;
    let device = program.devices.get(program.queues[queue.index()].device.index())?;
    (program.devices.len() > 1).then(|| format!(" on device {}", device.name))
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
