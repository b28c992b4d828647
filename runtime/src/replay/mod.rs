//! Programs on a device: the same work that the order engine judges, run for real.
//!
//! A [`Program`] says what an app asks of its devices without saying how its kernels compute. Replaying gives every dispatch the synthetic
//! kernel of [`fencepost_core::program::value`], so that what is left in memory depends on what each command read, and compares it
//! with the result of running the document in order. Under [`Schedule::Adversarial`] a program without races gives that result for every seed, and
//! one with a race gives another for some seed.
//!
//! ```
//! use fencepost::replay::{self, program::{Program, QueueMode, value}};
//! use fencepost::{Schedule, Stages};
//!
//! let mut p = Program::builder();
//! let q = p.queue("q", QueueMode::Explicit);
//! let [a, b] = ["A", "B"].map(|name| p.buffer(name, 256));
//! let cb = p.command_buffer("cb", q, |items| {
//!     items.compute("P", |pass| {
//!         pass.fill("f", a, 7).barrier(Stages::BLIT, Stages::DISPATCH).dispatch("k", [a], [b]);
//!     });
//! });
//! p.steps().commit([cb]);
//! let program = p.build();
//! let expected = value::expected(&program);
//! let replay = replay::Replay::new(program);
//! for seed in 0..10 {
//!     let outcome = replay.run(&replay::Options::seeded(seed))?;
//!     assert_eq!(outcome.difference(&expected), None);
//! }
//! # Ok::<(), fencepost::Error>(())
//! ```
//!
//! Not replayed, and answered with an error of kind `Unsupported`: render passes, textures, managed resources, memory shared between devices,
//! and a dispatch that reads and writes parts which overlap without being the same.

mod encode;
mod kernel;
mod objects;
mod steps;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use fencepost_core::program;
use fencepost_core::program::value::Expected;
use fencepost_core::program::{Program, ResourceIndex};

use crate::{Device, Error, Schedule};
use objects::{Kernels, Objects};
use steps::Cpu;

/// How a program is replayed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How each device chooses among legal orders.
    pub schedule: Schedule,
    /// When a program that still waits is given up.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { schedule: Schedule::Parallel, timeout: Duration::from_secs(10) }
    }
}

impl Options {
    /// The legal order that a seed stands for.
    pub fn seeded(seed: u64) -> Self {
        Self { schedule: Schedule::Adversarial(seed), ..Self::default() }
    }
}

/// What a replay left behind.
#[derive(Clone, Debug)]
pub struct Outcome {
    resources: Vec<Vec<u8>>,
    /// What each `read` of the CPU saw, in the order they ran.
    pub reads: Vec<Vec<u8>>,
    /// The program ran to its end. If not, something waits for what never comes.
    pub finished: bool,
}

/// The first place where a result is not the expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The resource.
    pub resource: ResourceIndex,
    /// The word, counted from the resource's first.
    pub word: usize,
    /// What running the document in order leaves there.
    pub expected: u32,
    /// What is there.
    pub found: u32,
}

impl Outcome {
    /// Bytes of a resource at the end.
    pub fn bytes(&self, resource: ResourceIndex) -> &[u8] {
        &self.resources[resource.index()]
    }

    /// The first word that is not as expected; `None` where all are.
    pub fn difference(&self, expected: &Expected) -> Option<Difference> {
        (0..).zip(&self.resources).find_map(|(index, bytes)| {
            let resource = ResourceIndex(index);
            let words = expected.words(resource);
            let found =
                bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
            words
                .iter()
                .zip(found)
                .enumerate()
                .find(|(_, (expected, found))| *expected != found)
                .map(|(word, (expected, found))| Difference { resource, word, expected: *expected, found })
        })
    }
}

/// A program with its devices and compiled kernels, to be run any number of times.
///
/// Every run makes its resources anew, so that runs do not see each other.
#[derive(Debug)]
pub struct Replay {
    program: Program,
    devices: Vec<Device>,
    kernels: Kernels,
}

impl Replay {
    /// Makes a CPU device for each that the program declares.
    pub fn new(program: Program) -> Self {
        let devices = program.devices.iter().map(|_| Device::cpu()).collect();
        Self { program, devices, kernels: Kernels::default() }
    }

    /// Runs the program once.
    ///
    /// # Errors
    /// Whatever the program does wrong, as the error of the call that sees it; a command buffer that failed; what replay does not support
    /// (see the [module](self)).
    pub fn run(&self, options: &Options) -> Result<Outcome, Error> {
        let Self { program, devices, kernels } = self;
        devices.iter().for_each(|device| device.set_schedule(options.schedule));
        let objects = Arc::new(Objects::new(program, devices)?);
        let buffers = encode::command_buffers(program, &objects, kernels)?;
        let cpu = Arc::new(Cpu::new(program.clone(), objects, buffers, Instant::now() + options.timeout));
        let finished = cpu.run()?;
        let reads = cpu.reads();
        let resources = if finished {
            cpu.objects().read_back(program)?
        } else {
            vec![Vec::new(); program.resources.len()]
        };
        Ok(Outcome { resources, reads, finished })
    }
}

/// Runs a program once, on devices of its own.
///
/// # Errors
/// As [`Replay::run`].
pub fn run(program: &Program, options: &Options) -> Result<Outcome, Error> {
    Replay::new(program.clone()).run(options)
}
