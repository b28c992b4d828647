//! What a command does, recorded with exactly the accesses that the order engine is told of when it judges the program.
//!
//! Resources are reached as words, textures too: a part of a texture is the bytes of its levels and slices. What is recorded for the order
//! is still the texture with its levels and slices.

use core::ops::Range;
use std::sync::Arc;

use fencepost_core::program::value::label_hash;
use fencepost_core::program::{
    Command, CommandBufferIndex, LoadAction, Locus, Part, Pass, PassItem, PassKind, Program, Use, Work,
};
use fencepost_core::{Access, Extent, Stage};
use parking_lot::Mutex;

use super::kernel::{GROUP, Kernel, Words};
use super::objects::{Kernels, Objects, hull, runs};
use crate::api::EncoderCore;
use crate::error::ReplayError;
use crate::record::{self, Bound, BoundBuffer, BufferSlice, Grid, Output, Recorder, TextureView, Transfer};
use crate::{BindingIndex, Buffer, ComputePipelineState, Device, Error, ResourceOptions, Stages};

/// A pass whose commands are being recorded.
pub(super) struct Recording<'a> {
    program: &'a Program,
    objects: &'a Objects,
    kernels: &'a Kernels,
    device: &'a Device,
    pass: &'a Pass,
    /// Draws so far.
    draws: u32,
    /// Which draw was last at each pixel of the first attachment, where there are several.
    last: Option<Arc<Mutex<Vec<u32>>>>,
    /// The command that is being recorded.
    locus: Locus,
    seen: Vec<Seen>,
}

/// What a stage that writes nothing has made of what it read.
pub(super) type Seen = ((Locus, Stage), Buffer);

/// A kernel with the parts that it is bound to, in the order of its bindings.
struct Bindings<'a> {
    kernel: Kernel,
    parts: Vec<Operand<'a>>,
}

/// What a kernel is bound to.
enum Operand<'a> {
    Part(&'a Part),
    /// Memory that nobody else sees.
    Scratch(Buffer),
}

/// The work of one stage, ready to be recorded.
enum Job<'a> {
    Kernel(Bindings<'a>),
    /// A kernel whose first write is `colors`, which go to the attachment.
    Draw {
        bindings: Bindings<'a>,
        colors: Buffer,
        attachment: &'a Part,
    },
}

impl<'a> Recording<'a> {
    pub(super) fn new(
        program: &'a Program,
        objects: &'a Objects,
        kernels: &'a Kernels,
        device: &'a Device,
        pass: &'a Pass,
    ) -> Self {
        let several = pass.items.iter().filter(|item| is_draw(item)).count() > 1;
        let pixels = pass.attachments().next().map(|attachment| words_of(program, &attachment.texture));
        let last = pixels.filter(|_| several).map(|pixels| Arc::new(Mutex::new(vec![0; pixels as usize])));
        let locus = Locus::Step(0);
        Self { program, objects, kernels, device, pass, draws: 0, last, locus, seen: Vec::new() }
    }

    /// The next command is this item of the pass.
    pub(super) fn stand_at(&mut self, (buffer, pass): (CommandBufferIndex, u32), item: u32) {
        self.locus = Locus::PassItem { buffer, pass, item };
    }

    pub(super) fn seen(self) -> Vec<Seen> {
        self.seen
    }

    /// Records a command.
    pub(super) fn record(&mut self, core: &mut EncoderCore, command: &'a Command) -> Result<(), Error> {
        let (stages, tracked) = (command.work.stages(), command.work.is_tracked());
        let uses = self.program.uses(self.pass, command);
        self.check_parts(core, &uses)?;
        core.push_debug_group(&command.label);
        match &command.work {
            Work::Dispatch { reads, writes, atomics, cost, indirect: _ } => {
                let kernel = Kernel { cost: *cost, ..Kernel::default() };
                let writes = self.all(Stage::Dispatch, reads, all(writes))?;
                let bindings = self.bindings(command, kernel, &[], reads, &writes, atomics)?;
                let work = self.stage(core.recorder(), Job::Kernel(bindings))?;
                self.push(core, uses, stages, [work], tracked);
            }
            Work::Draw { vertex_reads, vertex_writes, fragment_reads, fragment_writes } => {
                let writes = self.all(Stage::Vertex, vertex_reads, all(vertex_writes))?;
                let vertex = self.bindings(command, Kernel::default(), &[], vertex_reads, &writes, &[])?;
                let fragment = self.fragment(command, fragment_reads, fragment_writes)?;
                let vertex = self.stage(core.recorder(), Job::Kernel(vertex))?;
                let fragment = self.stage(core.recorder(), fragment)?;
                self.push(core, uses, stages, [vertex, fragment], tracked);
            }
            other => {
                let work = match self.transfer(other)? {
                    Some(work) => transfer(core.recorder(), work),
                    None => record::Command::Nothing,
                };
                self.push(core, uses, stages, [work], tracked);
            }
        }
        core.pop_debug_group()
    }

    /// Says what a render pass draws to.
    pub(super) fn attach(&self, core: &mut EncoderCore) -> Result<(), Error> {
        let depth = match &self.pass.kind {
            PassKind::Render { depth, .. } => depth.as_ref(),
            PassKind::Compute { .. } | PassKind::Blit => None,
        };
        let mut attachments = Vec::new();
        for attachment in self.pass.attachments() {
            let (part, kind, stage) = (attachment.texture.clone(), attachment.access_kind(), Stage::Fragment);
            let used = Use { part, kind, stage };
            self.check_parts(core, std::slice::from_ref(&used))?;
            let body = &self.objects.words(used.part.resource).body;
            core.recorder().buffer(body);
            attachments.push(record::Attachment {
                access: Access { resource: body.resource, extent: used.part.extent, kind, stage },
                is_depth: depth.is_some_and(|depth| std::ptr::eq(depth, attachment)),
                load: attachment.load,
                store: attachment.store,
            });
        }
        core.recorder().attach(attachments);
        Ok(())
    }

    /// Records what a render pass without draws does to its attachments.
    pub(super) fn record_attachments(&self, core: &mut EncoderCore) -> Result<(), Error> {
        let uses = self.pass.own_uses();
        self.check_parts(core, &uses)?;
        let cleared = self.pass.attachments().filter(|attachment| attachment.load == LoadAction::Clear);
        let destination: Vec<BufferSlice> =
            cleared.flat_map(|attachment| self.slices(&attachment.texture)).collect();
        let work = match destination.is_empty() {
            true => record::Command::Nothing,
            false => transfer(core.recorder(), Transfer::FillParts { destination, value: 0 }),
        };
        self.push(core, uses, Stages::FRAGMENT, [work], true);
        Ok(())
    }

    /// That all that is used lies in resources of this device.
    fn check_parts(&self, core: &EncoderCore, uses: &[Use]) -> Result<(), Error> {
        for used in uses {
            let words = self.objects.words(used.part.resource);
            // Of a memoryless texture only attachments come this far, and they have memory of the pass.
            if !self.program.is_memoryless(used.part.resource) {
                core.check_buffer("a command", words)?;
            }
            words.range("a command", hull(self.program, &used.part))?;
        }
        Ok(())
    }

    /// What moves bytes; nothing where there are none to move.
    fn transfer(&self, work: &Work) -> Result<Option<Transfer>, Error> {
        Ok(match work {
            Work::Copy { from, to } => self.copy(from, to),
            Work::Fill { to, value } => {
                Some(Transfer::FillParts { destination: self.slices(to), value: *value })
            }
            Work::GenerateMipmaps { texture } => {
                let several = |view: &&TextureView| view.mips > 1;
                let texels = self.objects.resources[texture.index()].texels.as_ref().filter(several);
                texels.map(|texture| Transfer::GenerateMipmaps { texture: texture.clone() })
            }
            Work::Synchronize { resource, extent } => {
                let body = &self.objects.words(*resource).body;
                body.core.copy("`synchronize`", "resource")?;
                let parts = match extent {
                    Extent::Whole => std::iter::once(0..body.length).collect(),
                    _ => {
                        let part = Part { resource: *resource, extent: extent.clone() };
                        self.program.byte_ranges(&part).into_iter().collect()
                    }
                };
                Some(Transfer::SynchronizeBuffer { buffer: Arc::clone(body), parts })
            }
            // Layouts never change on this device.
            Work::Optimize { .. } => None,
            Work::Dispatch { .. } | Work::Draw { .. } => {
                unreachable!("kernels are recorded by those who make their bindings")
            }
        })
    }

    fn copy(&self, from: &Part, to: &Part) -> Option<Transfer> {
        let (mut source, mut destination) = (self.slices(from), self.slices(to));
        let length = |slices: &[BufferSlice]| slices.iter().map(|slice| slice.length).sum::<u64>();
        let common = length(&source).min(length(&destination));
        shorten(&mut source, common);
        shorten(&mut destination, common);
        match (source.as_slice(), destination.as_slice()) {
            ([], _) => None,
            ([source], [destination]) => {
                Some(Transfer::CopyBuffer { source: source.clone(), destination: destination.clone() })
            }
            _ => Some(Transfer::CopyParts { source, destination }),
        }
    }

    /// Appends the work of stages, with what it uses.
    fn push<const N: usize>(
        &self,
        core: &mut EncoderCore,
        uses: Vec<Use>,
        stages: Stages,
        work: [record::Command; N],
        tracked: bool,
    ) {
        let recorder = core.recorder();
        for used in &uses {
            recorder.buffer(&self.objects.words(used.part.resource).body);
        }
        let accesses = recorder.accesses(uses.into_iter().map(|used| Access {
            resource: self.objects.words(used.part.resource).body.resource,
            extent: used.part.extent,
            kind: used.kind,
            stage: used.stage,
        }));
        if tracked {
            recorder.staged_command(work, stages, accesses);
        } else {
            recorder.hide(&accesses);
            recorder.staged_command(work, stages, 0..0);
        }
        core.used |= stages;
    }

    /// The fragment stage of the next draw: the pixels of the first colour attachment are its first write.
    fn fragment(
        &mut self,
        command: &Command,
        reads: &'a [Part],
        writes: &'a [Part],
    ) -> Result<Job<'a>, Error> {
        self.draws += 1;
        let first = self.draws == 1;
        let colors = match &self.pass.kind {
            PassKind::Render { color, .. } => color.as_slice(),
            _ => &[],
        };
        let target = colors.first().map(|attachment| &attachment.texture);
        // Every draw covers the first attachment, so that nobody sees it cleared but who reads it.
        let seen = |part: &Part| Some(part) != target || reads.iter().any(|read| self.overlap(read, part));
        let cleared = self.pass.attachments().filter(|attachment| attachment.load == LoadAction::Clear);
        let clears = cleared.map(|attachment| &attachment.texture).filter(|part| first && seen(part));
        let clears: Vec<&Part> = clears.collect();
        let kernel = Kernel::default();
        let Some((target, _)) = target.zip(self.last.as_ref()) else {
            let writes: Vec<Operand<'a>> = target.into_iter().chain(writes).map(Operand::Part).collect();
            let writes = self.all(Stage::Fragment, reads, writes)?;
            return self.bindings(command, kernel, &clears, reads, &writes, &[]).map(Job::Kernel);
        };
        let colors = self.scratch(words_of(self.program, target))?;
        let mut all = vec![Operand::Scratch(colors.clone())];
        all.extend(writes.iter().map(Operand::Part));
        let bindings = self.bindings(command, kernel, &clears, reads, &all, &[])?;
        Ok(Job::Draw { bindings, colors, attachment: target })
    }

    /// What a stage writes; where that is nothing, memory that shows what it has read.
    fn all(
        &mut self,
        stage: Stage,
        reads: &[Part],
        mut writes: Vec<Operand<'a>>,
    ) -> Result<Vec<Operand<'a>>, Error> {
        let longest = reads.iter().map(|part| words_of(self.program, part)).max();
        if let (true, Some(words)) = (writes.is_empty(), longest.filter(|words| *words > 0)) {
            let shown = self.device.new_buffer(words * 4, ResourceOptions::PRIVATE.untracked())?;
            self.seen.push(((self.locus, stage), shown.clone()));
            writes.push(Operand::Scratch(shown));
        }
        Ok(writes)
    }

    /// A kernel and what it is bound to.
    fn bindings(
        &self,
        command: &Command,
        mut kernel: Kernel,
        clears: &[&'a Part],
        reads: &'a [Part],
        writes: &[Operand<'a>],
        atomics: &'a [Part],
    ) -> Result<Bindings<'a>, Error> {
        kernel.hash = label_hash(&self.pass.label, &command.label);
        let mut parts: Vec<Operand<'a>> = Vec::new();
        // What has no word is not bound.
        let mut bind = |operand: Operand<'a>, list: &mut Vec<Words>| -> Result<bool, Error> {
            let words = self.words(command, &operand)?;
            let has_words = words.count() > 0;
            if has_words {
                parts.push(operand);
                list.push(words);
            }
            Ok(has_words)
        };
        for part in clears {
            bind(Operand::Part(part), &mut kernel.clears)?;
        }
        for part in reads {
            bind(Operand::Part(part), &mut kernel.reads)?;
        }
        for (number, operand) in (0..).zip(writes) {
            if bind(operand.clone(), &mut kernel.writes)? {
                kernel.numbers.push(number);
            }
        }
        for part in atomics {
            bind(Operand::Part(part), &mut kernel.atomics)?;
        }
        kernel.in_steps = self.needs_steps(&kernel, &parts);
        if kernel.in_steps {
            parts.push(Operand::Scratch(self.scratch(u64::from(kernel.longest()))?));
        }
        Ok(Bindings { kernel, parts })
    }

    /// Whether an invocation may write what another one reads or writes.
    fn needs_steps(&self, kernel: &Kernel, parts: &[Operand<'_>]) -> bool {
        let longest = kernel.longest_write();
        let reads = kernel.clears.len()..kernel.clears.len() + kernel.reads.len();
        let words = kernel.clears.iter().chain(&kernel.reads).chain(&kernel.writes).chain(&kernel.atomics);
        let words: Vec<&Words> = words.collect();
        let clash = |one: usize, other: usize| {
            let (Operand::Part(left), Operand::Part(right)) = (&parts[one], &parts[other]) else {
                return false;
            };
            if (reads.contains(&one) && reads.contains(&other)) || !self.overlap(left, right) {
                return false;
            }
            // The same words in the same order are each one invocation's own, unless a short read starts anew.
            let wraps = [one, other].iter().any(|at| reads.contains(at) && words[*at].count() < longest);
            wraps || self.spans(left) != self.spans(right)
        };
        (0..parts.len()).any(|one| (one + 1..parts.len()).any(|other| clash(one, other)))
    }

    /// Whether two parts share bytes of memory.
    fn overlap(&self, left: &Part, right: &Part) -> bool {
        let (left, right) = (self.spans(left), self.spans(right));
        left.0 == right.0
            && left
                .1
                .iter()
                .any(|one| right.1.iter().any(|other| one.start < other.end && other.start < one.end))
    }

    /// The memory of a part and its bytes there.
    fn spans(&self, part: &Part) -> (*const (), Vec<Range<u64>>) {
        let body = &self.objects.words(part.resource).body;
        let shift = |range: Range<u64>| body.offset + range.start..body.offset + range.end;
        let memory = Arc::as_ptr(&body.allocation).cast::<()>();
        (memory, runs(self.program, part).into_iter().map(shift).collect())
    }

    /// Where the words of an operand are from its first one.
    fn words(&self, command: &Command, operand: &Operand<'_>) -> Result<Words, Error> {
        let part = match operand {
            Operand::Part(part) => part,
            Operand::Scratch(buffer) => return Ok(Words { runs: vec![(0, (buffer.length() / 4) as u32)] }),
        };
        let runs = runs(self.program, part);
        let start = runs.first().map_or(0, |first| first.start);
        let base = self.objects.words(part.resource).body.offset;
        let aligned = |run: &Range<u64>| (base + run.start).is_multiple_of(4);
        if !runs.iter().all(aligned) {
            let command = format!("{}.{}", self.pass.label, command.label);
            let resource = self.program.resource(part.resource).name.clone();
            return Err(ReplayError::Unaligned { command, resource }.into());
        }
        let words =
            runs.iter().map(|run| (((run.start - start) / 4) as u32, ((run.end - run.start) / 4) as u32));
        Ok(Words { runs: words.collect() })
    }

    /// Memory for words that nobody else sees.
    fn scratch(&self, words: u64) -> Result<Buffer, Error> {
        self.device.new_buffer((words * 4).max(4), ResourceOptions::PRIVATE.untracked())
    }

    /// The slices that a part's bytes are.
    fn slices(&self, part: &Part) -> Vec<BufferSlice> {
        let body = &self.objects.words(part.resource).body;
        let slice = |range: Range<u64>| BufferSlice {
            body: Arc::clone(body),
            offset: range.start,
            length: range.end - range.start,
        };
        runs(self.program, part).into_iter().map(slice).collect()
    }

    /// Puts a stage's bindings into the recording.
    fn stage(&self, recorder: &mut Recorder, job: Job<'a>) -> Result<record::Command, Error> {
        let (bound, colors) = match job {
            Job::Kernel(bindings) => (bindings, None),
            Job::Draw { bindings, colors, attachment } => (bindings, Some((colors, attachment))),
        };
        if bound.kernel.longest() == 0 {
            return Ok(record::Command::Nothing);
        }
        let state = self.kernels.pipeline(self.device, &bound.kernel)?;
        let operands: Vec<BoundBuffer> =
            bound.parts.iter().map(|operand| self.operand(recorder, operand)).collect();
        let bindings = bind(recorder, &state, &operands);
        let pipeline = recorder.pipeline(&state.inner.pipeline);
        let grid = Grid { groups: [bound.kernel.groups(), 1, 1], threads: None };
        let Some(((colors, attachment), last)) = colors.zip(self.last.as_ref()) else {
            return Ok(record::Command::Dispatch { pipeline, bindings, grid });
        };
        let pixels = colors.length() / 4;
        let output = Output {
            colors: self.operand(recorder, &Operand::Scratch(colors)),
            pixels_of_group: if bound.kernel.in_steps { pixels } else { u64::from(GROUP) },
            attachment: self.attachment(recorder, attachment),
            draw: self.draws,
            last: Arc::clone(last),
        };
        let outputs = &mut recorder.recording.outputs;
        outputs.push(output);
        Ok(record::Command::Fragments { pipeline, bindings, grid, output: outputs.len() as u32 - 1 })
    }

    fn operand(&self, recorder: &mut Recorder, operand: &Operand<'_>) -> BoundBuffer {
        match operand {
            Operand::Part(part) => {
                let range = hull(self.program, part);
                let buffer = recorder.buffer(&self.objects.words(part.resource).body);
                BoundBuffer { buffer, offset: range.start, length: (range.end - range.start) / 4 * 4 }
            }
            Operand::Scratch(scratch) => {
                let buffer = recorder.buffer(&scratch.body);
                BoundBuffer { buffer, offset: 0, length: scratch.length() }
            }
        }
    }

    fn attachment(&self, recorder: &mut Recorder, part: &Part) -> smallvec::SmallVec<[BoundBuffer; 1]> {
        let buffer = recorder.buffer(&self.objects.words(part.resource).body);
        let bound = |range: Range<u64>| BoundBuffer {
            buffer,
            offset: range.start,
            length: (range.end - range.start) / 4 * 4,
        };
        runs(self.program, part).into_iter().map(bound).collect()
    }
}

impl Clone for Operand<'_> {
    fn clone(&self) -> Self {
        match self {
            Self::Part(part) => Self::Part(part),
            Self::Scratch(buffer) => Self::Scratch(buffer.clone()),
        }
    }
}

fn all(parts: &[Part]) -> Vec<Operand<'_>> {
    parts.iter().map(Operand::Part).collect()
}

fn is_draw(item: &PassItem) -> bool {
    matches!(item, PassItem::Command(Command { work: Work::Draw { .. }, .. }))
}

fn words_of(program: &Program, part: &Part) -> u64 {
    runs(program, part).iter().map(|range| (range.end - range.start) / 4).sum()
}

fn transfer(recorder: &mut Recorder, transfer: Transfer) -> record::Command {
    let transfers = &mut recorder.recording.transfers;
    transfers.push(transfer);
    record::Command::Transfer(transfers.len() as u32 - 1)
}

/// Keeps the first bytes.
fn shorten(slices: &mut Vec<BufferSlice>, mut length: u64) {
    slices.retain_mut(|slice| {
        slice.length = slice.length.min(length);
        length -= slice.length;
        slice.length > 0
    });
}

/// Binds operands, given by the number of their binding, in the order in which the function asks for them.
fn bind(recorder: &mut Recorder, state: &ComputePipelineState, operands: &[BoundBuffer]) -> Range<u32> {
    let slot = |number: usize| BindingIndex::from(number as u32).slot();
    let bindings = &mut recorder.recording.bindings;
    let start = bindings.len() as u32;
    let find = |need: u32| (0..operands.len()).find(|&number| slot(number) == Some(need));
    bindings.extend(
        state
            .inner
            .needs
            .iter()
            .filter_map(|need| find(need.slot))
            .map(|number| Bound::Buffer(operands[number])),
    );
    start..bindings.len() as u32
}
