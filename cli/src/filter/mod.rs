//! `fencepost filter`: a picture's mip levels, each blurred, through one aliased heap.
//!
//! The work is the classic multistage filter: a blit pass fills level 0 and makes the others, then every level is blurred by a compute pass of
//! two dispatches, along x into a scratch texture and along y back. The scratch textures follow each other in one piece of a heap, so a
//! stage must not start before the one before it has ended, although no two of them touch the same texture. What says so is the reader's
//! choice: one fence, an event per stage, or hazard tracking with no explicit synchronization at all. The picture is the same.

mod gaussian;
mod picture;
mod report;
mod stages;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use fencepost::{Device, Schedule};
use indicatif::{ProgressBar, ProgressStyle};

use crate::Failure;

/// What `fencepost filter` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The picture to filter: PNG or JPEG.
    picture: PathBuf,
    /// Where the filtered picture goes; the ending says how (png, jpg).
    #[arg(short, long)]
    output: PathBuf,
    /// What keeps the stages in order.
    #[arg(long, value_enum, default_value_t = Sync::Fence)]
    sync: Sync,
    /// Writes one picture in the input's size, blended from the levels around this one (0 is the input), instead of all levels
    /// beside each other. A number beyond the last level means the last.
    #[arg(long, allow_negative_numbers = true)]
    level: Option<f32>,
    /// How many levels to make and blur below level 0: all by default, and no more than there are.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    levels: Option<u32>,
    /// The blur's standard deviation, in texels of each level: up to 21.
    #[arg(long, default_value_t = 2.0, value_parser = sigma)]
    sigma: f32,
    /// Runs unordered work in a random legal order drawn from this seed, one piece at a time, instead of side by side.
    #[arg(long)]
    seed: Option<u64>,
}

/// What keeps the stages in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Sync {
    /// One fence that every stage waits for and updates; resources untracked.
    Fence,
    /// One event, a value per stage; resources untracked.
    Events,
    /// Nothing explicit: resources and heap are tracked.
    Tracked,
}

fn sigma(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(sigma) if (0.1..=21.0).contains(&sigma) => Ok(sigma),
        _ => Err("a number from 0.1 to 21".to_owned()),
    }
}

/// Filters one picture and says what happened.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.level.is_some_and(|level| !level.is_finite() || level < 0.0) {
        return Err(Failure::Input("--level takes a number from 0 up".to_owned()));
    }
    picture::check_output(&arguments.output)?;
    let input = picture::load(&arguments.picture)?;
    let device = Device::system_default();
    if let Some(seed) = arguments.seed {
        device.set_schedule(Schedule::Adversarial(seed));
    }
    let filter = stages::Filter::new(&device, &input, arguments.levels, arguments.sigma, arguments.sync)?;
    let progress = progress(filter.stages());
    let filtered = filter.run(&input, |done| progress.set_position(done))?;
    progress.finish_and_clear();

    let output = match arguments.level {
        Some(level) => picture::blended(&filtered.levels, level),
        None => picture::side_by_side(&filtered.levels),
    };
    picture::save(&output, &arguments.output)?;
    report::print(&device, arguments.sync, &filtered);
    println!("wrote {} ({} × {})", arguments.output.display(), output.width(), output.height());
    Ok(())
}

/// A bar on a terminal, nothing elsewhere.
fn progress(stages: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(stages);
    if let Ok(style) = ProgressStyle::with_template("{spinner} stage {pos}/{len} {wide_bar} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
