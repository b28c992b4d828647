//! Judging an application while it runs: the same play and the same detectors, fed piece by piece.
//!
//! A document is there as a whole; of an application only the past is. So what an [`Online`] says differs from what
//! [`validate`](super::validate()) says of the document that the application has been:
//!
//! * a wait that several signals could have released follows what is before each of those that were known when it was
//!   passed; a later one that could have come first takes nothing away any more;
//! * nothing is final. That a wait is stuck, or a command buffer never committed, is said when it is [asked](Online::stuck)
//!   for;
//! * findings come in the order in which they are found.
//!
//! **The CPU.** Every thread of the application is a [thread](Online::add_thread) here, and its steps come in its own order. What
//! was not waited for is not known to be over, whatever the device has done in the meantime: so a race is found whether it
//! has shown or not. A handler that runs when something has happened is a thread of its own, whose first step is the wait:
//!
//! | handler of | first step |
//! |---|---|
//! | a command buffer's completion | [`Step::WaitUntilCompleted`] |
//! | an event's value | [`Step::WaitUntilSignaled`] |
//!
//! An event that is raised from outside, by another process for example, is raised by a step of a thread that goes on from
//! nothing.
//!
//! **Memory.** Whatever the application lets go of is [removed](Online::remove_command_buffer) here too. Its index is used for
//! something new as soon as nothing that is remembered names it any more. Of the past is remembered what a later call
//! may still clash with or wait for: for each byte its last write and the reads since, for each queue, fence, event and
//! thread what would follow it. The rest goes, in sweeps that come when memory has doubled. Some things are bounded on top of
//! that, at the price of a finding in rare cases: a hundred or so accesses of one byte that nothing orders, the last 64 raises
//! of an event and more. Explanations of stale accesses name the primitive as long as it is remembered.
mod shelf;
mod sweep;

use shelf::Shelf;

use super::finding::Finding;
use super::judge::Judge;
use super::stuck::{self, Progress};
use crate::Engine;
use crate::order::{Machine, Script};
use crate::program::{
    BufferItem, CommandBuffer, CommandBufferIndex, DeviceDeclaration, DeviceIndex, EventDeclaration,
    EventIndex, FenceIndex, HeapDeclaration, HeapIndex, Locus, Program, QueueDeclaration, QueueIndex,
    ResourceDeclaration, ResourceIndex, Step, UnknownName,
};

/// A thread of an application, as an [`Online`] counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThreadIndex(pub u32);

/// Something that an [`Online`] cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It names something that is not declared, or was removed.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// A step with steps of its own.
    #[error("a `{0}` step holds other steps; online, these come one by one on a thread of their own")]
    Nested(&'static str),
}

/// A validator that is fed while an application runs.
///
/// ```
/// use fencepost_core::program::*;
/// use fencepost_core::validate::Online;
/// use fencepost_core::{AccessKind, Stages};
///
/// let mut online = Online::new();
/// let device = online.add_device(DeviceDeclaration { name: "gpu".into(), kind: DeviceKind::Any });
/// let queue = online.add_queue(QueueDeclaration { name: "q".into(), mode: QueueMode::Explicit, device })?;
/// let buffer = online.add_resource(ResourceDeclaration {
///     name: "A".into(),
///     device,
///     shape: Shape::Buffer { size: 64, init: None },
///     storage: StorageMode::Shared,
///     tracking: TrackingMode::Untracked,
///     placement: Placement::Own,
/// })?;
/// let fill = Work::Fill { to: buffer.whole(), value: 1 };
/// let pass = Pass {
///     label: "P".into(),
///     kind: PassKind::Compute { dispatch_type: None },
///     items: vec![PassItem::Command(Command { label: "f".into(), work: fill })],
/// };
/// let work = CommandBuffer { label: "cb".into(), queue, items: vec![BufferItem::Pass(pass)] };
/// let work = online.add_command_buffer(work)?;
///
/// let main = online.add_thread(None)?;
/// online.step(main, Step::Commit(vec![work]))?;
/// assert!(online.take_findings().is_empty());
/// // The CPU has not waited.
/// online.step(main, Step::Read(buffer.whole()))?;
/// assert_eq!(online.take_findings()[0].code(), "race");
/// // Now it has.
/// online.step(main, Step::WaitUntilCompleted(work))?;
/// online.step(main, Step::Write(buffer.whole()))?;
/// assert!(online.take_findings().is_empty());
/// # Ok::<(), fencepost_core::validate::Refused>(())
/// ```
#[derive(Clone, Debug)]
pub struct Online {
    program: Program,
    machine: Machine,
    judge: Judge,
    queues: Shelf,
    heaps: Shelf,
    resources: Shelf,
    fences: Shelf,
    events: Shelf,
    buffers: Shelf,
    threads: Shelf,
    steps: Shelf,
    /// How many items of command buffers came since the last sweep, and how many may come before the next.
    fed: usize,
    fed_limit: usize,
}

impl Default for Online {
    fn default() -> Self {
        Self::new()
    }
}

impl Online {
    /// One that knows nothing yet.
    pub fn new() -> Self {
        Self {
            program: Program::default(),
            machine: Machine::new(Engine::for_judging_once()),
            judge: Judge::default(),
            queues: Shelf::default(),
            heaps: Shelf::default(),
            resources: Shelf::default(),
            fences: Shelf::default(),
            events: Shelf::default(),
            buffers: Shelf::default(),
            threads: Shelf::default(),
            steps: Shelf::default(),
            fed: 0,
            fed_limit: sweep::ITEMS_LEAST,
        }
    }

    /// What is declared, and the command buffers and steps that are still remembered: what findings speak of. It stays as it
    /// is until the next call that changes anything, so findings are [explained](crate::explain) when they are taken.
    pub const fn program(&self) -> &Program {
        &self.program
    }

    /// A new device. Devices are never removed.
    pub fn add_device(&mut self, declaration: DeviceDeclaration) -> DeviceIndex {
        self.program.devices.push(declaration);
        DeviceIndex(self.program.devices.len() as u32 - 1)
    }

    /// A new queue.
    ///
    /// # Errors
    /// Its device is unknown.
    pub fn add_queue(&mut self, declaration: QueueDeclaration) -> Result<QueueIndex, Refused> {
        self.known("device", declaration.device.0)?;
        let index = QueueIndex(self.queues.take());
        self.machine.set_queue(index, declaration.mode);
        put(&mut self.program.queues, index.index(), declaration);
        Ok(index)
    }

    /// A new heap.
    pub fn add_heap(&mut self, declaration: HeapDeclaration) -> HeapIndex {
        let index = HeapIndex(self.heaps.take());
        self.machine.set_heap(index);
        self.judge.layout.set_heap(index.index());
        put(&mut self.program.heaps, index.index(), declaration);
        index
    }

    /// A new buffer or texture.
    ///
    /// # Errors
    /// Its device, its heap, or the resource whose memory it shares is unknown.
    pub fn add_resource(&mut self, declaration: ResourceDeclaration) -> Result<ResourceIndex, Refused> {
        declaration.check(&|what, index| self.known(what, index))?;
        let index = ResourceIndex(self.resources.take());
        put(&mut self.program.resources, index.index(), declaration);
        self.machine.set_resource(index, &self.program);
        self.judge.layout.set_resource(index, &self.program);
        self.judge.calls.resource(&self.program, index, &mut self.judge.findings);
        Ok(index)
    }

    /// A new fence.
    pub fn add_fence(&mut self, name: String) -> FenceIndex {
        let index = FenceIndex(self.fences.take());
        self.machine.set_fence(index);
        put(&mut self.program.fences, index.index(), name);
        index
    }

    /// A new event, with the value 0.
    pub fn add_event(&mut self, declaration: EventDeclaration) -> EventIndex {
        let index = EventIndex(self.events.take());
        self.machine.set_event(index);
        put(&mut self.program.events, index.index(), declaration);
        index
    }

    /// A command buffer as it was recorded. It does nothing before it is committed.
    ///
    /// # Errors
    /// It names something unknown.
    pub fn add_command_buffer(&mut self, body: CommandBuffer) -> Result<CommandBufferIndex, Refused> {
        body.check(&|what, index| self.known(what, index))?;
        let index = CommandBufferIndex(self.buffers.take());
        self.fed += items(&body);
        self.machine.set_buffer(index);
        put(&mut self.program.command_buffers, index.index(), body);
        self.judge.calls.buffer(&self.program, index, &mut self.judge.findings);
        Ok(index)
    }

    /// What a command buffer holds: for one that has been enqueued, or is recorded anew, and is not committed yet.
    ///
    /// # Errors
    /// It names something unknown, or is unknown itself.
    pub fn set_command_buffer(
        &mut self,
        buffer: CommandBufferIndex,
        body: CommandBuffer,
    ) -> Result<(), Refused> {
        self.known("command buffer", buffer.0)?;
        body.check(&|what, index| self.known(what, index))?;
        self.fed += items(&body);
        put(&mut self.program.command_buffers, buffer.index(), body);
        self.judge.calls.buffer(&self.program, buffer, &mut self.judge.findings);
        Ok(())
    }

    /// A thread of the CPU, or a handler. It goes on from where another thread is now, or from nothing: then nothing is before
    /// its first step.
    ///
    /// # Errors
    /// The other thread is unknown.
    pub fn add_thread(&mut self, after: Option<ThreadIndex>) -> Result<ThreadIndex, Refused> {
        if let Some(after) = after {
            self.known("thread", after.0)?;
        }
        let index = ThreadIndex(self.threads.take());
        self.machine.set_thread(index.0 as usize, after.map(|after| after.0 as usize));
        Ok(index)
    }

    /// The next step of a thread; the place that findings name it by. A wait for what is not there yet holds the thread: this
    /// step and those that follow it are judged once the wait is over. One with a timeout is over at once.
    ///
    /// # Errors
    /// It names something unknown, or has steps of its own.
    pub fn step(&mut self, thread: ThreadIndex, step: Step) -> Result<Locus, Refused> {
        self.known("thread", thread.0)?;
        if self.machine.wants_sweep() || self.fed > self.fed_limit {
            self.sweep(true);
        }
        match &step {
            Step::Thread { .. } => return Err(Refused::Nested("thread")),
            Step::Notify { .. } => return Err(Refused::Nested("notify")),
            other => other.check(&|what, index| self.known(what, index))?,
        }
        let number = self.steps.take();
        self.judge.calls.step(&self.program, &step, number, &mut self.judge.findings);
        put(&mut self.program.steps, number as usize, step);
        self.machine.push_step(thread.0 as usize, number);
        // Only what is named keeps it, once it is done.
        self.steps.remove(number);
        self.machine.play(Script::flat(&self.program), &mut self.judge);
        Ok(Locus::Step(number))
    }

    /// Whether a thread waits for what is not there yet. An application that knows of the wait's end knows more than what
    /// was told here.
    pub fn is_waiting(&self, thread: ThreadIndex) -> bool {
        self.machine.is_waiting(thread.0 as usize)
    }

    /// The value that an event has by what was told so far.
    pub fn value(&self, event: EventIndex) -> u64 {
        self.machine.value(event)
    }

    /// The application has let go of a queue. What was committed to it goes on.
    pub fn remove_queue(&mut self, queue: QueueIndex) {
        self.queues.remove(queue.0);
    }

    /// The application has let go of a heap.
    pub fn remove_heap(&mut self, heap: HeapIndex) {
        self.heaps.remove(heap.0);
    }

    /// The application has let go of a resource. Work that uses it may still be on its way.
    pub fn remove_resource(&mut self, resource: ResourceIndex) {
        self.resources.remove(resource.0);
    }

    /// The application has let go of a fence.
    pub fn remove_fence(&mut self, fence: FenceIndex) {
        self.fences.remove(fence.0);
    }

    /// The application has let go of an event.
    pub fn remove_event(&mut self, event: EventIndex) {
        self.events.remove(event.0);
    }

    /// The application has let go of a command buffer: it will neither commit it nor wait for it any more, which is told where it
    /// never was committed. What was committed goes on.
    pub fn remove_command_buffer(&mut self, buffer: CommandBufferIndex) {
        if self.buffers.remove(buffer.0) {
            self.judge.calls.commits.never([buffer].into_iter(), &mut self.judge.findings);
            self.machine.give_up_slot(buffer, &self.program);
            self.machine.play(Script::flat(&self.program), &mut self.judge);
        }
    }

    /// A thread has come to its end. Steps that it has still to do go on.
    pub fn remove_thread(&mut self, thread: ThreadIndex) {
        self.threads.remove(thread.0);
    }

    /// What was found since the last call, in the order in which it was found.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.judge.findings)
    }

    /// What would be wrong if nothing more came: waits that nothing releases, command buffers that are never committed.
    pub fn stuck(&self) -> Vec<Finding> {
        let (script, mut findings) = (Script::flat(&self.program), Vec::new());
        let waits = self.machine.stuck(script);
        if !waits.is_empty() {
            stuck::find(script, &waits, &self.progress(), &mut findings);
        }
        let buffers = self.buffers.live().map(CommandBufferIndex);
        self.judge.calls.commits.never(buffers, &mut findings);
        findings
    }

    /// Forgets at once what it would forget in time, the latest past included, of which otherwise some is kept for
    /// explanations.
    pub fn forget(&mut self) {
        self.sweep(false);
    }

    /// How many records it holds of what was, of all kinds: the measure of its memory. Bounded by what is there, and what is
    /// under way.
    pub fn records(&self) -> usize {
        let items: usize = self.program.command_buffers.iter().map(|body| 1 + items(body)).sum();
        self.machine.records() + self.judge.records() + items + self.program.steps.len()
    }

    fn progress(&self) -> Progress {
        let mut progress = Progress {
            previous: vec![None; self.program.steps.len()],
            played: self.steps.held().map(Locus::Step).collect(),
            ..Progress::default()
        };
        progress.passed = progress.played.clone();
        for steps in self.machine.waiting_steps() {
            let mut last = None;
            for number in steps {
                progress.previous[number as usize] = last.replace(number);
                progress.played.remove(&Locus::Step(number));
            }
        }
        for number in self.machine.waiting_operations() {
            progress.passed.remove(&Locus::Step(number));
        }
        for buffer in self.buffers.held().map(CommandBufferIndex) {
            let (begun, ended) = self.machine.progress(buffer);
            progress.begun.extend(begun.then_some(buffer));
            progress.ended.extend(ended.then_some(buffer));
        }
        let events = 0..self.program.events.len() as u32;
        progress.reached = events.map(|event| self.machine.value(EventIndex(event))).collect();
        progress
    }

    fn known(&self, what: &'static str, index: u32) -> Result<(), UnknownName> {
        let (is_live, declared) = match what {
            "device" => {
                let declared = self.program.devices.len();
                ((index as usize) < declared, declared)
            }
            "queue" => (self.queues.is_live(index), self.program.queues.len()),
            "heap" => (self.heaps.is_live(index), self.program.heaps.len()),
            "resource" => (self.resources.is_live(index), self.program.resources.len()),
            "fence" => (self.fences.is_live(index), self.program.fences.len()),
            "event" => (self.events.is_live(index), self.program.events.len()),
            "thread" => (self.threads.is_live(index), self.threads.len()),
            _ => (self.buffers.is_live(index), self.program.command_buffers.len()),
        };
        if is_live { Ok(()) } else { Err(UnknownName { what, index, declared }) }
    }
}

/// How much stands in a command buffer.
fn items(body: &CommandBuffer) -> usize {
    let item = |item: &BufferItem| match item {
        BufferItem::Pass(pass) => 1 + pass.items.len(),
        BufferItem::Event(_) => 1,
    };
    body.items.iter().map(item).sum()
}

/// Sets the value at an index that is there, or comes next.
fn put<T>(list: &mut Vec<T>, index: usize, value: T) {
    super::walk::put(list, index, value);
}
