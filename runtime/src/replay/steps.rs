//! What the CPU does in a replay: one thread for the document, one for each `thread` block, notifications where they fall.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fencepost_core::program::value::{Place, cpu_word};
use fencepost_core::program::{
    CommandBufferIndex, EventIndex, EventOperation, EventOperationKind, Part, Placement, Program, QueueIndex,
    QueueMode, Step,
};

use super::objects::{AnyEvent, Objects, runs};
use crate::random::Random;
use crate::{CommandBuffer, CommandBufferStatus, Commit, Error, Schedule};

/// The CPU side of a replay, shared by its threads.
#[derive(Debug)]
pub(super) struct Cpu {
    program: Program,
    objects: Arc<Objects>,
    buffers: Vec<CommandBuffer>,
    deadline: Instant,
    /// What the order of devices is drawn from.
    seed: Option<u64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What was committed; buffers of explicit queues with the commit that tells of their end.
    committed: Vec<(CommandBufferIndex, Option<Commit>)>,
    reads: BTreeMap<u32, Vec<u8>>,
    running: usize,
    /// What was asked for and has not been called to its end.
    notifications: Vec<(EventIndex, u64)>,
    failed: Option<Error>,
}

/// Why a list of steps did not come to its end.
enum Stop {
    Failed(Error),
    Deadline,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Cpu {
    pub(super) fn new(
        program: Program,
        objects: Arc<Objects>,
        buffers: Vec<CommandBuffer>,
        deadline: Instant,
        schedule: Schedule,
    ) -> Self {
        let seed = match schedule {
            Schedule::Parallel => None,
            Schedule::Adversarial(seed) => Some(seed),
        };
        Self { program, objects, buffers, deadline, seed, state: Mutex::default() }
    }

    pub(super) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// What the document's `read` steps saw.
    pub(super) fn reads(&self) -> BTreeMap<u32, Vec<u8>> {
        self.state().reads.clone()
    }

    /// Runs the document, then waits for its threads and for all that was committed. `false` where something still waits at the deadline.
    pub(super) fn run(self: &Arc<Self>) -> Result<bool, Error> {
        match self.steps(&self.program.steps, Place::default()).and_then(|()| self.finish()) {
            Ok(()) => Ok(true),
            Err(Stop::Deadline) => Ok(false),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs steps, the first of which stands here in the document.
    fn steps(self: &Arc<Self>, steps: &[Step], mut place: Place) -> Result<(), Stop> {
        for step in steps {
            self.step(step, place)?;
            place = place.after(step);
        }
        Ok(())
    }

    fn step(self: &Arc<Self>, step: &Step, place: Place) -> Result<(), Stop> {
        match step {
            Step::Write(part) => self.write(part, place.writes + 1)?,
            Step::Read(part) => self.read(part, place.reads)?,
            Step::Commit(buffers) => self.commit(buffers)?,
            Step::Enqueue(buffer) => self.buffers[buffer.index()].enqueue()?,
            Step::QueueEvent { queue, operation } => self.queue_event(*queue, operation)?,
            Step::WaitUntilCompleted(buffer) => self.wait_completed(*buffer)?,
            Step::SetSignaledValue { event, value } => {
                self.objects.shared_event(&self.program, *event)?.set_signaled_value(*value);
            }
            Step::WaitUntilSignaled { event, value, timeout_ms } => {
                let left = self.deadline.saturating_duration_since(Instant::now());
                let timeout = timeout_ms.map_or(left, |ms| Duration::from_millis(ms).min(left));
                let reached = self
                    .objects
                    .shared_event(&self.program, *event)?
                    .wait_until_signaled_value(*value, timeout);
                if !reached && timeout_ms.is_none() {
                    return Err(Stop::Deadline);
                }
            }
            Step::Notify { event, value, body } => {
                let (cpu, body, key) = (Arc::downgrade(self), body.clone(), (*event, *value));
                let event = self.objects.shared_event(&self.program, *event)?;
                self.state().notifications.push(key);
                event.notify(&crate::SharedEventListener::shared(), *value, move |_, _| {
                    // Gone: the replay was given up.
                    let Some(cpu) = cpu.upgrade() else { return };
                    cpu.run_beside(&body, place.inside());
                    let mut state = cpu.state();
                    if let Some(place) = state.notifications.iter().position(|pending| *pending == key) {
                        state.notifications.swap_remove(place);
                    }
                });
            }
            Step::Thread { body, .. } => {
                self.state().running += 1;
                let (cpu, body) = (Arc::clone(self), body.clone());
                std::thread::spawn(move || {
                    cpu.run_beside(&body, place.inside());
                    cpu.state().running -= 1;
                });
            }
            Step::DidModify(part) => {
                for run in runs(&self.program, part) {
                    self.objects.words(part.resource).did_modify_range(run)?;
                }
            }
            // Resources keep the place they were declared with; what has no heap cannot be asked.
            Step::MakeAliasable(resource) => {
                if !matches!(self.program.resource(*resource).placement, Placement::Heap { .. }) {
                    self.objects.words(*resource).make_aliasable()?;
                }
            }
        }
        Ok(())
    }

    /// Steps on another thread: an error is kept for the end.
    fn run_beside(self: &Arc<Self>, steps: &[Step], first: Place) {
        if let Err(Stop::Failed(error)) = self.steps(steps, first) {
            self.state().failed.get_or_insert(error);
        }
    }

    fn commit(&self, indices: &[CommandBufferIndex]) -> Result<(), Error> {
        let mut rest = indices;
        while let Some(first) = rest.first() {
            let queue = self.program.command_buffers[first.index()].queue;
            let same = rest
                .iter()
                .take_while(|index| self.program.command_buffers[index.index()].queue == queue)
                .count();
            let (group, others) = rest.split_at(same);
            let commit = match self.program.queues[queue.index()].mode {
                QueueMode::Tracked => {
                    group.iter().try_for_each(|index| self.buffers[index.index()].commit())?;
                    None
                }
                QueueMode::Explicit => {
                    let buffers: Vec<&CommandBuffer> =
                        group.iter().map(|index| &self.buffers[index.index()]).collect();
                    Some(self.objects.queues[queue.index()].commit(&buffers)?)
                }
            };
            self.state().committed.extend(group.iter().map(|&index| (index, commit.clone())));
            rest = others;
        }
        Ok(())
    }

    fn queue_event(&self, queue: QueueIndex, operation: &EventOperation) -> Result<(), Error> {
        let queue = &self.objects.queues[queue.index()];
        match (&self.objects.events[operation.event.index()], operation.kind) {
            (AnyEvent::Plain(event), EventOperationKind::Signal) => {
                queue.signal_event(event, operation.value)
            }
            (AnyEvent::Plain(event), EventOperationKind::Wait) => {
                queue.wait_for_event(event, operation.value)
            }
            (AnyEvent::Shared(event), EventOperationKind::Signal) => {
                queue.signal_event(event, operation.value)
            }
            (AnyEvent::Shared(event), EventOperationKind::Wait) => {
                queue.wait_for_event(event, operation.value)
            }
        }
    }

    /// Waits with the replay's deadline; a failed buffer is its error.
    fn wait_completed(&self, index: CommandBufferIndex) -> Result<(), Stop> {
        let mut pause = Duration::from_micros(10);
        while !self.has_completed(index)? {
            self.rest(&mut pause)?;
        }
        Ok(())
    }

    /// Whether a buffer has completed; a failed one is its error. To look is to get its device going.
    fn has_completed(&self, index: CommandBufferIndex) -> Result<bool, Error> {
        let buffer = &self.buffers[index.index()];
        let commit = self.state().committed.iter().find(|(committed, _)| *committed == index).cloned();
        match &commit {
            Some((_, Some(commit))) if commit.is_completed() => commit.wait_until_completed()?,
            Some((_, Some(_))) => return Ok(false),
            _ if buffer.status() >= CommandBufferStatus::Completed => buffer.wait_until_completed()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn rest(&self, pause: &mut Duration) -> Result<(), Stop> {
        if Instant::now() > self.deadline {
            return Err(Stop::Deadline);
        }
        std::thread::sleep(*pause);
        *pause = (*pause * 2).min(Duration::from_millis(1));
        Ok(())
    }

    /// Waits for buffers of several devices. Each device chooses its own order, but not when it runs beside the others: that is chosen here,
    /// so that one which the document commits to last comes first under some seed.
    fn wait_for_all(&self, buffers: &[CommandBufferIndex], turn: u64) -> Result<(), Stop> {
        let device = |index: &CommandBufferIndex| {
            self.program.queues[self.program.command_buffers[index.index()].queue.index()].device.0
        };
        let mut random = Random::new(self.seed.unwrap_or(0) ^ turn.rotate_left(32));
        let mut devices: Vec<u32> = (0..self.program.devices.len() as u32).collect();
        if self.seed.is_some() {
            for last in (1..devices.len()).rev() {
                devices.swap(last, random.below(last + 1));
            }
        }
        let mut left = buffers.to_vec();
        left.sort_by_key(|index| devices.iter().position(|known| *known == device(index)));
        let mut pause = Duration::from_micros(10);
        let mut since = Instant::now();
        while !left.is_empty() {
            // Held up, maybe by one of the others: then all of them go.
            let looked_at = if since.elapsed() < ALONE { 1 } else { left.len() };
            let before = left.len();
            for index in left.drain(..looked_at).collect::<Vec<_>>() {
                if !self.has_completed(index)? {
                    left.push(index);
                }
            }
            if left.len() < before {
                since = Instant::now();
                pause = Duration::from_micros(10);
            } else {
                self.rest(&mut pause)?;
            }
            left.sort_by_key(|index| devices.iter().position(|known| *known == device(index)));
        }
        Ok(())
    }

    fn write(&self, part: &Part, n: u32) -> Result<(), Error> {
        let contents = self.objects.words(part.resource).contents()?;
        let mut words = (0..).map(|i| cpu_word(n, i).to_le_bytes());
        // Whole words are written, whatever bytes they lie in; what is left of the last one stays as it is.
        let length: u64 = runs(&self.program, part).iter().map(|run| run.end - run.start).sum();
        let mut bytes: Vec<u8> = words.by_ref().take((length / 4) as usize).flatten().collect();
        for run in runs(&self.program, part) {
            let rest = bytes.split_off(bytes.len().min((run.end - run.start) as usize));
            contents.write(run.start, &bytes)?;
            bytes = rest;
        }
        Ok(())
    }

    fn read(&self, part: &Part, number: u32) -> Result<(), Error> {
        let contents = self.objects.words(part.resource).contents()?;
        let mut bytes = Vec::new();
        for run in runs(&self.program, part) {
            bytes.extend(contents.read::<u8>(run)?);
        }
        self.state().reads.insert(number, bytes);
        Ok(())
    }

    /// Threads and notifications commit, and what is committed notifies: nothing is over before all of it is.
    fn finish(&self) -> Result<(), Stop> {
        let mut waited = 0;
        loop {
            let rest: Vec<_> = self.state().committed[waited..].iter().map(|(index, _)| *index).collect();
            self.wait_for_all(&rest, waited as u64)?;
            waited += rest.len();
            // What is busy now may commit; what commits later is seen in the list.
            let busy = self.is_busy();
            if !busy && self.state().committed.len() == waited {
                break;
            }
            if Instant::now() > self.deadline {
                return Err(Stop::Deadline);
            }
            if busy {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
        match self.state().failed.take() {
            Some(error) => Err(Stop::Failed(error)),
            None => Ok(()),
        }
    }

    /// Whether a thread of the document still runs, or a notification whose value is there.
    fn is_busy(&self) -> bool {
        let pending = {
            let state = self.state();
            if state.running > 0 {
                return true;
            }
            state.notifications.clone()
        };
        pending.into_iter().any(|(event, value)| {
            let event = self.objects.shared_event(&self.program, event);
            event.is_ok_and(|event| event.signaled_value() >= value)
        })
    }
}

/// How long one device is let go before the others.
const ALONE: Duration = Duration::from_millis(1);
