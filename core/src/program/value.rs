//! What a program computes: a value for every command, and the result of running the document in order.
//!
//! Kernels of a program have no code. So that the same program can run anywhere and its result be compared, each command gets a synthetic
//! value that depends on its label, on everything it reads and on the order it reads it in: a command that runs too early reads
//! something else and leaves something else. A word is 32 bits, little endian; all arithmetic wraps.

use std::collections::{BTreeMap, VecDeque};

use super::{
    BufferItem, Command, CommandBufferIndex, EventIndex, EventOperation, EventOperationKind, LoadAction,
    Locus, Part, Pass, PassItem, PassKind, Placement, Program, QueueIndex, QueueMode, ResourceIndex, Shape,
    Step, StorageMode, Work, mipmap,
};
use crate::Stage;

/// The hash of a command's label path `pass.label`: FNV-1a of 32 bits.
///
/// ```
/// use fencepost_core::program::value::label_hash;
/// assert_eq!(label_hash("", ""), (0x811c_9dc5 ^ u32::from(b'.')).wrapping_mul(16_777_619));
/// ```
pub fn label_hash(pass: &str, label: &str) -> u32 {
    let path = pass.bytes().chain([b'.']).chain(label.bytes());
    path.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619))
}

/// What a kernel starts word `i` with, before it mixes in what it reads.
pub fn seed_word(hash: u32, i: u32) -> u32 {
    hash ^ i.wrapping_mul(2_654_435_761)
}

/// How a kernel mixes in a word that it reads.
pub fn mix_word(x: u32, read: u32) -> u32 {
    (x ^ read).wrapping_mul(16_777_619)
}

/// Word `i` of the `n`-th CPU write of a document, `n` counted from 1.
pub fn cpu_word(n: u32, i: u32) -> u32 {
    n.wrapping_add(i).wrapping_mul(0x9E37_79B9)
}

/// What memory holds before anything is written to it: what a program leaves must not depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Start {
    /// Zero words.
    #[default]
    Zeros,
    /// Words that are all different, so that a copy of what nobody wrote shows where a zero would not. An `init` stays what it is.
    Noise,
}

impl Start {
    /// Word `i` of a memory. Heaps are memories first, then what has memory of its own, in the order of the document.
    pub const fn word(self, memory: usize, i: u32) -> u32 {
        match self {
            Self::Zeros => 0,
            Self::Noise => {
                let mixed =
                    i.wrapping_mul(0x9E37_79B9) ^ (memory as u32).wrapping_add(1).wrapping_mul(0x85EB_CA6B);
                (mixed ^ (mixed >> 15)).wrapping_mul(0x2C1B_3C6D)
            }
        }
    }
}

/// Where a step stands in the document: how much stands before it, blocks of threads and notifications included.
///
/// CPU writes and reads are counted as they stand there, whichever runs first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Steps.
    pub step: u32,
    /// CPU writes.
    pub writes: u32,
    /// CPU reads.
    pub reads: u32,
}

impl Place {
    /// The place behind a step that stands here.
    #[must_use]
    pub fn after(self, step: &Step) -> Self {
        let count = |counts: fn(&Step) -> bool| count(step, counts);
        Self {
            step: self.step + count(|_| true),
            writes: self.writes + count(|step| matches!(step, Step::Write(_))),
            reads: self.reads + count(|step| matches!(step, Step::Read(_))),
        }
    }

    /// The place of the first step inside of a block that stands here.
    #[must_use]
    pub const fn inside(self) -> Self {
        Self { step: self.step + 1, ..self }
    }
}

/// How many of a step and the steps of its blocks count.
fn count(step: &Step, counts: fn(&Step) -> bool) -> u32 {
    let inner = match step {
        Step::Thread { body, .. } | Step::Notify { body, .. } => body.as_slice(),
        _ => &[],
    };
    u32::from(counts(step)) + inner.iter().map(|step| count(step, counts)).sum::<u32>()
}

/// The result of running a program in order, one command at a time, each wait honoured.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    memories: Vec<Vec<u8>>,
    places: Vec<(usize, usize, usize)>,
    /// What each `read` of the CPU saw, by its number in the document, from 0.
    pub reads: BTreeMap<u32, (Part, Vec<u8>)>,
    /// What each stage that reads and writes nothing has made of what it read: its own words, as many as its longest read has. Nobody
    /// else sees them, but a device that runs the program can tell.
    pub seen: BTreeMap<(Locus, Stage), Vec<u8>>,
    /// For memories with managed resources: the bytes that the CPU wrote last.
    by_cpu: Vec<Vec<bool>>,
    /// For each resource, whether it has no memory.
    memoryless: Vec<bool>,
    /// Queues and threads that still wait at the end: nothing in the document releases them.
    pub waiting: usize,
}

impl Expected {
    /// Bytes of a resource at the end.
    pub fn bytes(&self, resource: ResourceIndex) -> &[u8] {
        let (memory, start, end) = self.places[resource.index()];
        &self.memories[memory][start..end]
    }

    /// Of a managed resource, for each byte whether the CPU wrote it last, and so has it; else the GPU has. `None` for all others,
    /// which have one copy.
    pub fn by_cpu(&self, resource: ResourceIndex) -> Option<&[bool]> {
        let (memory, start, end) = self.places[resource.index()];
        self.by_cpu[memory].get(start..end)
    }

    /// Whether a resource has bytes at the end: a memoryless one has none.
    pub fn has_bytes(&self, resource: ResourceIndex) -> bool {
        !self.memoryless.get(resource.index()).is_some_and(|memoryless| *memoryless)
    }

    /// Words of a resource at the end.
    pub fn words(&self, resource: ResourceIndex) -> Vec<u32> {
        words(self.bytes(resource))
    }
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect()
}

/// Runs a program in order and says what it leaves behind.
///
/// A command runs when its command buffer has been committed, all that stands before it on its queue has run, and no event wait holds the
/// queue; the CPU goes on as far as it can between the steps of the queues. A program without races has this one result in every legal
/// order; one with races has several, and this is the one its author meant.
///
/// ```
/// use fencepost_core::program::value::{expected, label_hash, mix_word, seed_word};
/// use fencepost_core::program::{Part, Program, QueueMode};
///
/// let mut p = Program::builder();
/// let q = p.queue("q", QueueMode::Tracked);
/// let a = p.buffer("A", 8);
/// let cb = p.command_buffer("cb", q, |items| {
///     items.compute("P", |pass| { pass.dispatch("k", [a], [a]); });
/// });
/// p.steps().commit([cb]);
/// let h = label_hash("P", "k");
/// assert_eq!(expected(&p.build()).words(a), [0, 1].map(|i| mix_word(seed_word(h, i), 0)));
/// ```
pub fn expected(program: &Program) -> Expected {
    expected_from(program, Start::Zeros)
}

/// The same where memory starts as something else.
pub fn expected_from(program: &Program, start: Start) -> Expected {
    let mut machine = Machine::new(program, start);
    machine.start_thread(&program.steps, Place::default(), None);
    while machine.advance() {}
    machine.finish()
}

/// An item of a queue that has been committed and has not run.
#[derive(Clone, Copy)]
enum Pending<'a> {
    Item(CommandBufferIndex, u32, &'a BufferItem),
    Event(&'a EventOperation),
    End(CommandBufferIndex),
}

struct Thread<'a> {
    /// With their numbers in document order.
    steps: VecDeque<(Place, &'a Step)>,
    /// Not before the event has the value: a notification.
    after: Option<(EventIndex, u64)>,
}

struct Machine<'a> {
    program: &'a Program,
    expected: Expected,
    queues: Vec<VecDeque<Pending<'a>>>,
    /// Slots of tracked queues that wait for the commit of the buffer that reserved them.
    reserved: Vec<VecDeque<(CommandBufferIndex, bool)>>,
    events: Vec<u64>,
    committed: Vec<bool>,
    completed: Vec<bool>,
    threads: Vec<Thread<'a>>,
}

impl<'a> Machine<'a> {
    fn new(program: &'a Program, content: Start) -> Self {
        let mut memories: Vec<Vec<u8>> =
            program.heaps.iter().map(|heap| vec![0; heap.size as usize]).collect();
        let mut starts: Vec<(usize, usize, u32)> = Vec::new();
        let mut places: Vec<(usize, usize, usize)> = Vec::new();
        for index in 0..program.resources.len() {
            let resource = ResourceIndex(index as u32);
            let size = program.byte_size(resource) as usize;
            let (memory, start) = match program.resource(resource).placement {
                Placement::Own => {
                    memories.push(Vec::new());
                    (memories.len() - 1, 0)
                }
                Placement::Heap { heap, offset } => (heap.index(), offset as usize),
                Placement::SameAs(other) => (places[other.index()].0, places[other.index()].1),
            };
            let needed = start + size;
            if memories[memory].len() < needed {
                memories[memory].resize(needed, 0);
            }
            if let Shape::Buffer { init: Some(init), .. } = program.resource(resource).shape {
                starts.push((index, memory, init));
            }
            places.push((memory, start, needed));
        }
        for (memory, bytes) in memories.iter_mut().enumerate() {
            let words = (0..).flat_map(|i| content.word(memory, i).to_le_bytes());
            bytes.iter_mut().zip(words).for_each(|(byte, start)| *byte = start);
        }
        for (index, memory, init) in starts {
            let (_, start, end) = places[index];
            for (i, word) in memories[memory][start..end].chunks_exact_mut(4).enumerate() {
                word.copy_from_slice(&init.wrapping_add(i as u32).to_le_bytes());
            }
        }
        let all = program.resources.iter();
        let memoryless = all.map(|own| own.storage == StorageMode::Memoryless).collect();
        let mut by_cpu = vec![Vec::new(); memories.len()];
        for (declared, &(memory, ..)) in program.resources.iter().zip(&places) {
            if declared.storage == StorageMode::Managed {
                by_cpu[memory] = vec![false; memories[memory].len()];
            }
        }
        Self {
            program,
            expected: Expected { memories, places, by_cpu, memoryless, ..Expected::default() },
            queues: program.queues.iter().map(|_| VecDeque::new()).collect(),
            reserved: program.queues.iter().map(|_| VecDeque::new()).collect(),
            events: vec![0; program.events.len()],
            committed: vec![false; program.command_buffers.len()],
            completed: vec![false; program.command_buffers.len()],
            threads: Vec::new(),
        }
    }

    /// A thread whose first step stands here.
    fn start_thread(&mut self, steps: &'a [Step], first: Place, after: Option<(EventIndex, u64)>) {
        let mut place = first;
        let placed = steps.iter().map(|step| {
            let own = place;
            place = own.after(step);
            (own, step)
        });
        self.threads.push(Thread { steps: placed.collect(), after });
    }

    fn finish(mut self) -> Expected {
        let parked = self.queues.iter().filter(|queue| !queue.is_empty()).count();
        // A notification that nobody triggers is no thread that waits.
        let blocked =
            self.threads.iter().filter(|thread| thread.after.is_none() && !thread.steps.is_empty()).count();
        self.expected.waiting = parked + blocked;
        self.expected
    }

    /// Runs one step of the CPU after all queues have gone as far as they can. False when nothing moves any more.
    fn advance(&mut self) -> bool {
        let mut moved = false;
        while (0..self.queues.len()).any(|queue| self.run_queue(queue)) {
            moved = true;
        }
        // Threads run beside each other; the one whose next step stands first in the document goes first.
        let mut waiting: Vec<usize> = (0..self.threads.len()).collect();
        waiting.sort_by_key(|&index| self.threads[index].steps.front().map(|step| step.0.step));
        waiting.into_iter().any(|index| self.run_thread(index)) || moved
    }

    fn run_queue(&mut self, queue: usize) -> bool {
        let mut moved = false;
        while let Some(&item) = self.queues[queue].front() {
            match item {
                Pending::Item(_, _, BufferItem::Event(operation)) | Pending::Event(operation) => {
                    if !self.event(operation) {
                        break;
                    }
                }
                Pending::Item(buffer, number, BufferItem::Pass(pass)) => self.run_pass(buffer, number, pass),
                Pending::End(buffer) => self.completed[buffer.index()] = true,
            }
            self.queues[queue].pop_front();
            moved = true;
        }
        moved
    }

    fn event(&mut self, operation: &EventOperation) -> bool {
        let value = &mut self.events[operation.event.index()];
        match operation.kind {
            EventOperationKind::Signal => {
                *value = (*value).max(operation.value);
                true
            }
            EventOperationKind::Wait => *value >= operation.value,
        }
    }

    fn run_thread(&mut self, index: usize) -> bool {
        if let Some((event, value)) = self.threads[index].after
            && self.events[event.index()] < value
        {
            return false;
        }
        self.threads[index].after = None;
        let Some(&(place, step)) = self.threads[index].steps.front() else { return false };
        if !self.run_step(step, place) {
            return false;
        }
        self.threads[index].steps.pop_front();
        true
    }

    /// Runs a step of the CPU, or answers false where it has to wait.
    fn run_step(&mut self, step: &'a Step, place: Place) -> bool {
        match step {
            Step::Write(part) => self.cpu_write(part, place.writes + 1),
            Step::Read(part) => {
                let bytes = self.load(part);
                self.expected.reads.insert(place.reads, (part.clone(), bytes));
            }
            Step::Commit(buffers) => buffers.iter().for_each(|&buffer| self.commit(buffer)),
            Step::Enqueue(buffer) => {
                // A slot is reserved once, on a queue that has slots, and not behind the commit.
                let queue = self.program.command_buffers[buffer.index()].queue;
                let slots = &mut self.reserved[queue.index()];
                let has_slots = self.program.queues[queue.index()].mode == QueueMode::Tracked;
                let slot = slots.iter().any(|(reserved, _)| reserved == buffer);
                if has_slots && !slot && !self.committed[buffer.index()] {
                    slots.push_back((*buffer, false));
                }
            }
            Step::QueueEvent { queue, operation } => {
                self.queues[queue.index()].push_back(Pending::Event(operation));
            }
            Step::WaitUntilCompleted(buffer) => return self.completed[buffer.index()],
            Step::SetSignaledValue { event, value } => {
                let current = &mut self.events[event.index()];
                *current = (*current).max(*value);
            }
            Step::WaitUntilSignaled { event, value, timeout_ms } => {
                return timeout_ms.is_some() || self.events[event.index()] >= *value;
            }
            Step::Notify { event, value, body } => {
                self.start_thread(body, place.inside(), Some((*event, *value)));
            }
            Step::Thread { body, .. } => self.start_thread(body, place.inside(), None),
            Step::DidModify(_) | Step::MakeAliasable(_) => {}
        }
        true
    }

    /// Puts a buffer on its queue; on a tracked queue, buffers behind a reserved slot wait for it.
    fn commit(&mut self, buffer: CommandBufferIndex) {
        if std::mem::replace(&mut self.committed[buffer.index()], true) {
            return;
        }
        let queue = self.program.command_buffers[buffer.index()].queue;
        let slots = &mut self.reserved[queue.index()];
        match slots.iter_mut().find(|(reserved, committed)| *reserved == buffer && !committed) {
            Some(slot) => slot.1 = true,
            None => slots.push_back((buffer, true)),
        }
        while self.reserved[queue.index()].front().is_some_and(|slot| slot.1) {
            if let Some((buffer, _)) = self.reserved[queue.index()].pop_front() {
                self.append(queue, buffer);
            }
        }
    }

    fn append(&mut self, queue: QueueIndex, buffer: CommandBufferIndex) {
        let items = self.program.command_buffers[buffer.index()].items.iter();
        let pending = &mut self.queues[queue.index()];
        pending.extend(items.zip(0..).map(|(item, number)| Pending::Item(buffer, number, item)));
        pending.push_back(Pending::End(buffer));
    }

    fn run_pass(&mut self, buffer: CommandBufferIndex, number: u32, pass: &Pass) {
        let mut targets = Vec::new();
        if let PassKind::Render { color, depth } = &pass.kind {
            for attachment in color.iter().chain(depth) {
                if attachment.load == LoadAction::Clear {
                    let zeros = vec![0; self.load(&attachment.texture).len()];
                    self.store(&attachment.texture, &zeros);
                }
            }
            targets.extend(color.first().map(|attachment| attachment.texture.clone()));
        }
        for (item, place) in pass.items.iter().zip(0..) {
            if let PassItem::Command(command) = item {
                let locus = Locus::PassItem { buffer, pass: number, item: place };
                self.run_command(locus, pass, command, &targets);
            }
        }
    }

    fn run_command(&mut self, locus: Locus, pass: &Pass, command: &Command, targets: &[Part]) {
        let hash = label_hash(&pass.label, &command.label);
        match &command.work {
            Work::Copy { from, to } => {
                let bytes = self.load(from);
                let length = bytes.len().min(self.load(to).len());
                self.store(to, &bytes[..length]);
            }
            Work::Fill { to, value } => {
                let bytes = vec![*value; self.load(to).len()];
                self.store(to, &bytes);
            }
            Work::GenerateMipmaps { texture } => self.generate_mipmaps(*texture),
            Work::Dispatch { reads, writes, atomics, .. } => {
                self.run_kernel((locus, Stage::Dispatch), hash, reads, writes);
                atomics.iter().for_each(|part| self.add(hash, part));
            }
            Work::Draw { vertex_reads, vertex_writes, fragment_reads, fragment_writes } => {
                self.run_kernel((locus, Stage::Vertex), hash, vertex_reads, vertex_writes);
                let writes: Vec<Part> = targets.iter().chain(fragment_writes).cloned().collect();
                self.run_kernel((locus, Stage::Fragment), hash, fragment_reads, &writes);
            }
            Work::Synchronize { .. } | Work::Optimize { .. } => {}
        }
    }

    fn run_kernel(&mut self, place: (Locus, Stage), hash: u32, reads: &[Part], writes: &[Part]) {
        let reads: Vec<Vec<u32>> = reads.iter().map(|part| words(&self.load(part))).collect();
        let compute = |length: usize, k: usize| -> Vec<u8> {
            let word = |i: u32| {
                let mixed = reads
                    .iter()
                    .filter(|read| !read.is_empty())
                    .fold(seed_word(hash, i), |x, read| mix_word(x, read[i as usize % read.len()]));
                mixed.wrapping_add(k as u32)
            };
            (0..length as u32).flat_map(|i| word(i).to_le_bytes()).collect()
        };
        if writes.is_empty() && !reads.is_empty() {
            let longest = reads.iter().map(Vec::len).max().unwrap_or(0);
            self.expected.seen.insert(place, compute(longest, 0));
        }
        for (k, part) in writes.iter().enumerate() {
            let length = self.load(part).len() / 4;
            self.store(part, &compute(length, k));
        }
    }

    /// Atomics add each word's seed, so that their order does not matter.
    fn add(&mut self, hash: u32, part: &Part) {
        let former = words(&self.load(part));
        let sums =
            former.iter().zip(0..).flat_map(|(word, i)| word.wrapping_add(seed_word(hash, i)).to_le_bytes());
        let bytes: Vec<u8> = sums.collect();
        self.store(part, &bytes);
    }

    fn generate_mipmaps(&mut self, texture: ResourceIndex) {
        let Shape::Texture { width, height, mips, slices, format } = self.program.resource(texture).shape
        else {
            return;
        };
        for slice in 0..slices {
            for mip in 1..mips {
                let size =
                    |level: u32| [width, height].map(|side| side.checked_shr(level).unwrap_or(0).max(1));
                let above = self.load(&texture.subresources(mip - 1..mip, slice..slice + 1));
                let below = mipmap::smaller(&above, size(mip - 1), size(mip), format);
                self.store(&texture.subresources(mip..mip + 1, slice..slice + 1), &below);
            }
        }
    }

    fn cpu_write(&mut self, part: &Part, n: u32) {
        let length = self.load(part).len() as u32 / 4;
        let bytes: Vec<u8> = (0..length).flat_map(|i| cpu_word(n, i).to_le_bytes()).collect();
        self.store_by(part, &bytes, true);
    }

    fn load(&self, part: &Part) -> Vec<u8> {
        let bytes = self.expected.bytes(part.resource);
        let ranges = self.program.byte_ranges(part);
        ranges
            .iter()
            .flat_map(|range| bytes.get(range.start as usize..range.end as usize).unwrap_or(&[]))
            .copied()
            .collect()
    }

    fn store(&mut self, part: &Part, from: &[u8]) {
        self.store_by(part, from, false);
    }

    fn store_by(&mut self, part: &Part, mut from: &[u8], cpu: bool) {
        let (memory, start, _) = self.expected.places[part.resource.index()];
        for range in self.program.byte_ranges(part) {
            let (to, rest) = from.split_at(from.len().min((range.end - range.start) as usize));
            let first = start + range.start as usize;
            if let Some(bytes) = self.expected.memories[memory].get_mut(first..first + to.len()) {
                bytes.copy_from_slice(to);
            }
            if let Some(by_cpu) = self.expected.by_cpu[memory].get_mut(first..first + to.len()) {
                by_cpu.fill(cpu);
            }
            from = rest;
        }
    }
}
#[cfg(test)]
mod tests {
    use super::super::{BufferOptions, Builder, QueueMode, StorageMode};
    use super::*;

    #[test]
    fn a_wait_committed_before_its_signal_is_honoured() {
        let mut p = Builder::default();
        let [qa, qb] = ["QA", "QB"].map(|name| p.queue(name, QueueMode::Tracked));
        let a = p.buffer_with("A", 16, BufferOptions { init: Some(5), ..BufferOptions::default() });
        let b = p.buffer("B", 16);
        let c = p.buffer("C", 16);
        let e = p.event("E");
        let late = p.command_buffer("late", qb, |items| {
            items.wait_for_event("w", e, 1);
            items.blit("P2", |pass| {
                pass.copy("c2", b, c);
            });
        });
        let early = p.command_buffer("early", qa, |items| {
            items.blit("P1", |pass| {
                pass.copy("c1", a, b);
            });
            items.signal_event("s", e, 1);
        });
        p.steps().commit([late]).commit([early]);
        let expected = expected(&p.build());
        assert_eq!(expected.words(c), [5, 6, 7, 8]);
        assert_eq!(expected.waiting, 0);
    }

    #[test]
    fn an_enqueued_buffer_holds_back_what_is_behind_it() {
        let mut p = Builder::default();
        let q = p.queue("q", QueueMode::Tracked);
        let a = p.buffer("A", 4);
        let fill = |label: &'static str, value| {
            move |items: &mut super::super::QueueItems| {
                items.blit(label, |pass| {
                    pass.fill("f", a, value);
                });
            }
        };
        let first = p.command_buffer("first", q, fill("P1", 1));
        let second = p.command_buffer("second", q, fill("P2", 2));
        // Once reserved is reserved, and once committed is committed.
        p.steps()
            .enqueue(first)
            .enqueue(first)
            .commit([second])
            .commit([first])
            .enqueue(second)
            .commit([first]);
        let expected = expected(&p.build());
        assert_eq!(expected.bytes(a), [2; 4]);
        assert_eq!(expected.waiting, 0);
    }

    #[test]
    fn the_cpu_waits_and_notifications_run() {
        let mut p = Builder::default();
        let q = p.queue("q", QueueMode::Tracked);
        let shared = BufferOptions { storage: StorageMode::Shared, ..BufferOptions::default() };
        let [a, b] = ["A", "B"].map(|name| p.buffer_with(name, 4, shared));
        let x = p.shared_event("X");
        let cb = p.command_buffer("cb", q, |items| {
            items.signal_event("s", x, 2);
            items.wait_for_event("w", x, 3);
            items.blit("P", |pass| {
                pass.copy("c", a, b);
            });
        });
        p.steps().notify(x, 2, |then| {
            then.write(a).set_signaled_value(x, 3);
        });
        p.steps().commit([cb]).wait_until_completed(cb).read(b);
        let expected = expected(&p.build());
        assert_eq!(expected.words(b), [cpu_word(1, 0)]);
        assert_eq!(expected.reads[&0].1, expected.bytes(b));
        assert_eq!(expected.waiting, 0);
    }

    #[test]
    fn writes_are_counted_as_they_stand_in_the_document() {
        let mut p = Builder::default();
        let shared = BufferOptions { storage: StorageMode::Shared, ..BufferOptions::default() };
        let [a, b] = ["A", "B"].map(|name| p.buffer_with(name, 4, shared));
        let x = p.shared_event("X");
        p.steps().notify(x, 1, |then| {
            then.write(a);
        });
        p.steps().write(b).set_signaled_value(x, 1);
        let expected = expected(&p.build());
        assert_eq!((expected.words(a), expected.words(b)), (vec![cpu_word(1, 0)], vec![cpu_word(2, 0)]));
    }

    #[test]
    fn what_nothing_releases_is_counted() {
        let mut p = Builder::default();
        let q = p.queue("q", QueueMode::Explicit);
        let e = p.event("E");
        let cb = p.command_buffer("cb", q, |_| ());
        p.steps().wait_for_event("w", q, e, 1).commit([cb]).wait_until_completed(cb);
        assert_eq!(expected(&p.build()).waiting, 2);
    }

    #[test]
    fn overlapping_places_are_one_memory() {
        let mut p = Builder::default();
        let q = p.queue("q", QueueMode::Tracked);
        let heap = p.heap("H", 64, false);
        let place = |offset| BufferOptions {
            placement: Placement::Heap { heap, offset },
            ..BufferOptions::default()
        };
        let a = p.buffer_with("A", 16, place(0));
        let b = p.buffer_with("B", 16, place(8));
        let cb = p.command_buffer("cb", q, |items| {
            items.blit("P", |pass| {
                pass.fill("f", a, 7);
            });
        });
        p.steps().commit([cb]);
        assert_eq!(expected(&p.build()).bytes(b)[..9], [7, 7, 7, 7, 7, 7, 7, 7, 0]);
    }
}
