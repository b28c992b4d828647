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

use std::collections::BTreeMap;
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
    /// What each `read` of the CPU saw, by its number in the document, from 0.
    pub reads: BTreeMap<u32, Vec<u8>>,
    /// The program ran to its end. If not, something waits for what never comes.
    pub finished: bool,
}

/// The first place where a result is not the expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The resource.
    pub resource: ResourceIndex,
    /// The number of the CPU's `read` that saw it, from 0; what is there at the end where absent.
    pub read: Option<u32>,
    /// The word, counted from the first of the resource, or of what was read.
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

    /// The first word that is not as expected, in what the CPU read or in what is there at the end; `None` where all are.
    pub fn difference(&self, expected: &Expected) -> Option<Difference> {
        let reads = expected.reads.iter().filter_map(|(&number, (part, bytes))| {
            let (word, expected, found) = first_difference(bytes, self.reads.get(&number)?)?;
            Some(Difference { resource: part.resource, read: Some(number), word, expected, found })
        });
        let resources = (0..).zip(&self.resources).filter_map(|(index, bytes)| {
            let resource = ResourceIndex(index);
            let (word, expected, found) = first_difference(expected.bytes(resource), bytes)?;
            Some(Difference { resource, read: None, word, expected, found })
        });
        reads.chain(resources).next()
    }
}

/// The first word that differs, with both values.
fn first_difference(expected: &[u8], found: &[u8]) -> Option<(usize, u32, u32)> {
    let words = |bytes: &'_ [u8]| -> Vec<u32> {
        bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect()
    };
    let pairs = words(expected).into_iter().zip(words(found)).enumerate();
    pairs
        .map(|(word, (expected, found))| (word, expected, found))
        .find(|(_, expected, found)| expected != found)
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

    /// The devices that it runs on, in the order of the program: to watch them, for example.
    pub fn devices(&self) -> &[Device] {
        &self.devices
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
        // No clock goes as far as the longest time there is; a year is as good as for ever.
        let now = Instant::now();
        let deadline = now.checked_add(options.timeout).unwrap_or_else(|| now + YEAR);
        let cpu = Arc::new(Cpu::new(program.clone(), objects, buffers, deadline));
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

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Runs a program once, on devices of its own.
///
/// # Errors
/// As [`Replay::run`].
pub fn run(program: &Program, options: &Options) -> Result<Outcome, Error> {
    Replay::new(program.clone()).run(options)
}
