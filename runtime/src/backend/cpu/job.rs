//! A command while it runs: so many units of work, any of them on any thread, in phases that follow each other.
//!
//! A unit is a threadgroup of a dispatch, a block of bytes or a row of texels of a copy. Schedules differ in who runs which units when;
//! what a unit does is the same for all of them and stands here.
use std::any::Any;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use smallvec::SmallVec;

use super::interpreter::{BoundResource, Scratch, Stop};
use super::memory::Memory;
use super::pipeline::{CpuPipeline, Kernel};
use super::texel::TexelView;
use super::transfer;
use crate::Error;
use crate::backend::{Allocation, Part, Pipeline};
use crate::error::DeviceError;
use crate::record::{Bound, BoundBuffer, Command, Grid, MAX_GROUPS, Output, Recording};
use crate::shader::{HostBuffer, HostContext};

/// A command that has started.
#[derive(Clone, Debug)]
pub(super) struct Job {
    part: Arc<Part>,
    command: u32,
    /// Of a dispatch: as given, or as read from memory.
    grid: Grid,
    phase: u32,
    units: u64,
}

/// Why units did not run to their end.
#[derive(Debug)]
pub(super) enum Fault {
    /// The stop flag was raised.
    Stopped,
    Failed(Error),
}

/// What a thread needs to run units.
#[derive(Debug, Default)]
pub(super) struct Bench {
    scratch: Scratch,
    /// Bytes given by value, as words of this thread's own.
    bytes: Vec<AtomicU32>,
}

impl Job {
    /// Starts a command of a part. `None`: it has nothing to do.
    pub(super) fn start(part: Arc<Part>, command: u32) -> Result<Option<Self>, Error> {
        let grid = Grid { groups: [0; 3], threads: None };
        let mut job = Self { part, command, grid, phase: 0, units: 0 };
        let Some(recording) = job.part.recording.as_deref() else { return Ok(None) };
        match &recording.commands[command as usize] {
            Command::Dispatch { grid, .. } | Command::Fragments { grid, .. } => {
                job.grid = *grid;
                job.units = groups(grid.groups);
            }
            Command::DispatchIndirect { pipeline, arguments, .. } => {
                let pipeline = cpu_pipeline(&*recording.pipelines[*pipeline as usize]);
                job.grid = Grid { groups: indirect(pipeline, buffer(recording, *arguments))?, threads: None };
                job.units = groups(job.grid.groups);
            }
            Command::Transfer(index) => {
                job.units = transfer::units(&recording.transfers[*index as usize], 0).unwrap_or(0);
            }
            Command::Nothing => {}
        }
        Ok((job.units > 0).then_some(job))
    }

    /// Units of the present phase.
    pub(super) fn units(&self) -> u64 {
        self.units
    }

    /// The next phase, once every unit of the present one has run. `None`: that was the last.
    pub(super) fn next_phase(&self) -> Option<Self> {
        let phase = self.phase + 1;
        let units = transfer::units(self.transfer()?, phase)?;
        Some(Self { phase, units, ..self.clone() })
    }

    /// Nanoseconds that units may take; `None` before anything is known.
    pub(super) fn estimate_ns(&self, units: u64) -> Option<u64> {
        match self.pipeline() {
            Some(pipeline) => pipeline.estimate_ns(units),
            None => Some(units.saturating_mul(transfer::UNIT_NS)),
        }
    }

    /// Units took so long.
    pub(super) fn note(&self, units: u64, ns: u64) {
        if let Some(pipeline) = self.pipeline() {
            pipeline.note(units, ns);
        }
    }

    /// Whether it calls a closure of the program, which may wait for anything.
    pub(super) fn is_host(&self) -> bool {
        self.pipeline().is_some_and(|pipeline| matches!(pipeline.kernel, Kernel::Host(_)))
    }

    /// The function's name, for errors.
    pub(super) fn name(&self) -> &str {
        self.pipeline().map_or("transfer", CpuPipeline::name)
    }

    /// Runs units of the present phase.
    pub(super) fn run(&self, units: Range<u64>, bench: &mut Bench, stop: &Stop) -> Result<(), Fault> {
        let Some(recording) = self.part.recording.as_deref() else { return Ok(()) };
        match &recording.commands[self.command as usize] {
            Command::Dispatch { pipeline, bindings, .. }
            | Command::DispatchIndirect { pipeline, bindings, .. } => {
                let pipeline = cpu_pipeline(&*recording.pipelines[*pipeline as usize]);
                let bound = &recording.bindings[bindings.start as usize..bindings.end as usize];
                self.dispatch(recording, pipeline, bound, units, bench, stop)
            }
            Command::Fragments { pipeline, bindings, output, .. } => {
                let pipeline = cpu_pipeline(&*recording.pipelines[*pipeline as usize]);
                let bound = &recording.bindings[bindings.start as usize..bindings.end as usize];
                self.dispatch(recording, pipeline, bound, units.clone(), bench, stop)?;
                take_over(recording, &recording.outputs[*output as usize], units);
                Ok(())
            }
            Command::Transfer(index) => {
                transfer::run(&recording.transfers[*index as usize], self.phase, units);
                Ok(())
            }
            Command::Nothing => Ok(()),
        }
    }

    fn dispatch(
        &self,
        recording: &Recording,
        pipeline: &CpuPipeline,
        bound: &[Bound],
        units: Range<u64>,
        bench: &mut Bench,
        stop: &Stop,
    ) -> Result<(), Fault> {
        bench.bytes.clear();
        for bound in bound {
            if let Bound::Bytes { words } = bound {
                let words = &recording.words[words.start as usize..words.end as usize];
                bench.bytes.extend(words.iter().map(|word| AtomicU32::new(*word)));
            }
        }
        let mut bytes = bench.bytes.as_slice();
        match &pipeline.kernel {
            Kernel::Interpreted(prepared) => {
                let bound: SmallVec<[_; 4]> =
                    bound.iter().map(|bound| resource(recording, bound, &mut bytes)).collect();
                prepared.run(&bound, &self.grid, units, &mut bench.scratch, stop).map_err(|_| Fault::Stopped)
            }
            Kernel::Host(function) => {
                let words = |bound| HostBuffer { words: words(recording, bound, &mut bytes) };
                let buffers: SmallVec<[_; 8]> = bound.iter().map(words).collect();
                let Grid { groups, threads } = self.grid;
                let context = HostContext { buffers: &buffers, grid: groups, threads, groups: units };
                function.call(&context).map_err(|message| {
                    let function = pipeline.name().to_owned();
                    Fault::Failed(DeviceError::HostPanic { function, message }.into())
                })
            }
        }
    }

    fn pipeline(&self) -> Option<&CpuPipeline> {
        pipeline_of(self.part.recording.as_deref()?, self.command).map(|(pipeline, _)| pipeline)
    }

    fn transfer(&self) -> Option<&crate::record::Transfer> {
        let recording = self.part.recording.as_deref()?;
        match &recording.commands[self.command as usize] {
            Command::Transfer(index) => recording.transfers.get(*index as usize),
            _ => None,
        }
    }
}

/// Nanoseconds that a command may take, before it has started; `None` before anything is known.
pub(super) fn estimate_ns(recording: &Recording, command: u32) -> Option<u64> {
    match pipeline_of(recording, command) {
        Some((pipeline, groups)) => pipeline.estimate_ns(groups),
        None => match &recording.commands[command as usize] {
            Command::Transfer(index) => {
                let units = transfer::units(&recording.transfers[*index as usize], 0).unwrap_or(0);
                Some(units.saturating_mul(transfer::UNIT_NS))
            }
            _ => Some(0),
        },
    }
}

/// The pipeline of a dispatch, and its threadgroups where they are known.
fn pipeline_of(recording: &Recording, command: u32) -> Option<(&CpuPipeline, u64)> {
    match &recording.commands[command as usize] {
        Command::Dispatch { pipeline, grid, .. } | Command::Fragments { pipeline, grid, .. } => {
            Some((cpu_pipeline(&*recording.pipelines[*pipeline as usize]), groups(grid.groups)))
        }
        Command::DispatchIndirect { pipeline, .. } => {
            Some((cpu_pipeline(&*recording.pipelines[*pipeline as usize]), 1))
        }
        _ => None,
    }
}

/// This device's own side of a pipeline.
fn cpu_pipeline(pipeline: &dyn Pipeline) -> &CpuPipeline {
    match (pipeline as &dyn Any).downcast_ref() {
        Some(pipeline) => pipeline,
        None => unreachable!("the API refuses pipelines of other devices"),
    }
}

/// This device's own side of an allocation.
pub(super) fn memory(allocation: &dyn Allocation) -> &Memory {
    match (allocation as &dyn Any).downcast_ref() {
        Some(memory) => memory,
        None => unreachable!("the API refuses resources of other devices"),
    }
}

fn groups(groups: [u32; 3]) -> u64 {
    groups.into_iter().map(u64::from).product()
}

fn buffer(recording: &Recording, bound: BoundBuffer) -> &[AtomicU32] {
    let body = &recording.buffers[bound.buffer as usize];
    let first = ((body.offset + bound.offset) / 4) as usize;
    &memory(&*body.allocation).words()[first..first + (bound.length / 4) as usize]
}

/// `bytes` are the words of all bindings by value that are still to come.
fn resource<'a>(recording: &'a Recording, bound: &Bound, bytes: &mut &'a [AtomicU32]) -> BoundResource<'a> {
    match bound {
        Bound::Texture(index) => {
            let view = &recording.textures[*index as usize];
            BoundResource::Texture(TexelView::new(view, memory(&*view.body.allocation)))
        }
        Bound::Sampler(index) => BoundResource::Sampler(&recording.samplers[*index as usize]),
        Bound::Buffer(_) | Bound::Bytes { .. } => BoundResource::Buffer(words(recording, bound, bytes)),
    }
}

/// The words of a bound buffer; none for what is no buffer.
fn words<'a>(recording: &'a Recording, bound: &Bound, bytes: &mut &'a [AtomicU32]) -> &'a [AtomicU32] {
    match bound {
        Bound::Buffer(bound) => buffer(recording, *bound),
        Bound::Bytes { words } => {
            let (mine, rest) = bytes.split_at(words.len());
            *bytes = rest;
            mine
        }
        Bound::Texture(_) | Bound::Sampler(_) => &[],
    }
}

/// Puts the colours of some groups where no later draw of the pass has been.
fn take_over(recording: &Recording, output: &Output, groups: Range<u64>) {
    let colors = buffer(recording, output.colors);
    let start = groups.start.saturating_mul(output.pixels_of_group) as usize;
    let end = (groups.end.saturating_mul(output.pixels_of_group) as usize).min(colors.len());
    let attachment = output.attachment.iter().flat_map(|part| buffer(recording, *part));
    // Held over the stores: of two draws at one pixel the earlier one must not store last.
    let mut last = output.last.lock();
    let pixels = last.iter_mut().zip(attachment).zip(colors).take(end).skip(start);
    for ((last, pixel), color) in pixels.filter(|((last, _), _)| **last <= output.draw) {
        *last = output.draw;
        pixel.store(color.load(Relaxed), Relaxed);
    }
}

/// Three counts from memory, checked as those of a direct dispatch are.
fn indirect(pipeline: &CpuPipeline, arguments: &[AtomicU32]) -> Result<[u32; 3], Error> {
    let groups = std::array::from_fn(|axis| arguments.get(axis).map_or(0, |word| word.load(Relaxed)));
    if Grid::fits(groups, pipeline.threads_per_threadgroup()) {
        return Ok(groups);
    }
    let axis = (0..3).find(|&axis| groups[axis] > MAX_GROUPS[axis]).unwrap_or(0);
    let function = pipeline.name().to_owned();
    Err(DeviceError::IndirectGrid { function, groups, limit: MAX_GROUPS[axis] }.into())
}
