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
//! Any program runs here. Textures are reached as the words of their levels and slices, a draw is a kernel for each of its stages, and
//! several devices are so many CPU devices over the same memory. What a stage without writes reads is kept and compared as well.

mod encode;
mod kernel;
mod objects;
mod steps;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fencepost_core::Stage;
pub use fencepost_core::program;
use fencepost_core::program::value::{Expected, Start};
use fencepost_core::program::{Locus, Part, Program, ResourceIndex};

use crate::{CpuOptions, Device, Error, Schedule, Validation};
use objects::{Kernels, Objects};
use steps::Cpu;

/// How a program is replayed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How each device chooses among legal orders.
    pub schedule: Schedule,
    /// When a program that still waits is given up.
    pub timeout: Duration,
    /// What memory holds before anything is written to it. Compare with
    /// [`expected_from`](program::value::expected_from) the same.
    pub start: Start,
}

impl Default for Options {
    fn default() -> Self {
        Self { schedule: Schedule::Parallel, timeout: Duration::from_secs(10), start: Start::Zeros }
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
    /// Of managed resources, the CPU's copy.
    copies: BTreeMap<ResourceIndex, Vec<u8>>,
    seen: BTreeMap<(Locus, Stage), Vec<u8>>,
    /// What each `read` of the CPU saw, by its number in the document, from 0.
    pub reads: BTreeMap<u32, Vec<u8>>,
    /// The program ran to its end. If not, something waits for what never comes.
    pub finished: bool,
}

/// The first place where a result is not the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where it shows.
    pub place: Place,
    /// The word, counted from the first of the resource, of what was read, or of what was made of it.
    pub word: usize,
    /// What running the document in order leaves there.
    pub expected: u32,
    /// What is there.
    pub found: u32,
}

/// Where a result can be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a resource at the end.
    Resource(ResourceIndex),
    /// In what the CPU's `read` of this number, from 0, saw of a part.
    Read(u32, Part),
    /// In what a stage that writes nothing has made of what it read.
    Stage(Locus, Stage),
}

impl Outcome {
    /// Bytes of a resource at the end; of a managed one, the GPU's copy.
    pub fn bytes(&self, resource: ResourceIndex) -> &[u8] {
        &self.resources[resource.index()]
    }

    /// The first word that is not as expected: in what the CPU read, in what a stage without writes read, or in what is there at the end.
    /// `None` where all are.
    ///
    /// A managed resource has two copies. What counts at the end is the copy of whoever wrote last.
    pub fn difference(&self, expected: &Expected) -> Option<Difference> {
        let told = |place, difference: Option<(usize, u32, u32)>| {
            difference.map(|(word, expected, found)| Difference { place, word, expected, found })
        };
        let reads = expected.reads.iter().filter_map(|(&number, (part, bytes))| {
            let found = first_difference(bytes, self.reads.get(&number)?);
            told(Place::Read(number, part.clone()), found)
        });
        let seen = expected.seen.iter().filter_map(|(&(locus, stage), bytes)| {
            let found = first_difference(bytes, self.seen.get(&(locus, stage))?);
            told(Place::Stage(locus, stage), found)
        });
        let resources = (0..).zip(&self.resources).filter_map(|(index, bytes)| {
            let resource = ResourceIndex(index);
            if !expected.has_bytes(resource) {
                return None;
            }
            let found = match (expected.by_cpu(resource), self.copies.get(&resource)) {
                (Some(by_cpu), Some(copy)) => {
                    let newer = |((gpu, cpu), by_cpu): ((&u8, &u8), &bool)| if *by_cpu { *cpu } else { *gpu };
                    let newest: Vec<u8> = bytes.iter().zip(copy).zip(by_cpu).map(newer).collect();
                    first_difference(expected.bytes(resource), &newest)
                }
                _ => first_difference(expected.bytes(resource), bytes),
            };
            told(Place::Resource(resource), found)
        });
        reads.chain(seen).chain(resources).next()
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
    ///
    /// The environment variable for validation is not for them: a program is replayed to see what comes of it, right or wrong, and
    /// judged without being run.
    pub fn new(program: Program) -> Self {
        Self::with_options(program, CpuOptions::default())
    }

    /// The same, with devices as one likes them.
    pub fn with_options(program: Program, options: CpuOptions) -> Self {
        let validation = options.validation.or(Some(Validation::Off));
        let options = CpuOptions { validation, ..options };
        let devices = program.devices.iter().map(|_| Device::cpu_with(options)).collect();
        Self { program, devices, kernels: Kernels::default() }
    }

    /// The same on the device of a name, as for [`Device::by_name`]: as many times as the program declares devices. Devices other than the
    /// CPU device choose among legal orders by themselves, whatever the options of a run say.
    ///
    /// # Errors
    /// No such device, or one that cannot be opened.
    pub fn on(program: Program, name: &str) -> Result<Self, Error> {
        let devices = program.devices.iter().map(|_| Device::by_name(name)).collect::<Result<_, _>>()?;
        Ok(Self { program, devices, kernels: Kernels::default() })
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
        let objects = Arc::new(Objects::new(program, devices, options.start)?);
        let (buffers, seen) = encode::command_buffers(program, &objects, kernels)?;
        // No clock goes as far as the longest time there is; a year is as good as for ever.
        let now = Instant::now();
        let deadline = now.checked_add(options.timeout).unwrap_or_else(|| now + YEAR);
        let cpu = Arc::new(Cpu::new(program.clone(), objects, buffers, deadline, options.schedule));
        let finished = cpu.run()?;
        let mut outcome = Outcome {
            resources: vec![Vec::new(); program.resources.len()],
            copies: BTreeMap::new(),
            seen: BTreeMap::new(),
            reads: cpu.reads(),
            finished,
        };
        if finished {
            outcome.resources = cpu.objects().read_back();
            outcome.copies = cpu.objects().copies();
            outcome.seen = seen.iter().map(|(place, words)| (*place, objects::bytes_of(words))).collect();
        }
        Ok(outcome)
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
