//! What the CPU does in a replay: one thread for the document, one for each `thread` block, notifications where they fall.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fencepost_core::program::value::{Place, cpu_word};
use fencepost_core::program::{
    CommandBufferIndex, EventIndex, EventOperation, EventOperationKind, Part, Program, QueueIndex, QueueMode,
    Step,
};

use super::objects::{AnyEvent, Objects, range};
use crate::{CommandBuffer, CommandBufferStatus, Commit, Error};

/// The CPU side of a replay, shared by its threads.
#[derive(Debug)]
pub(super) struct Cpu {
    program: Program,
    objects: Arc<Objects>,
    buffers: Vec<CommandBuffer>,
    deadline: Instant,
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
    ) -> Self {
        Self { program, objects, buffers, deadline, state: Mutex::default() }
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
            // Nothing is managed here, and resources keep the place they were declared with.
            Step::DidModify(_) | Step::MakeAliasable(_) => {}
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
        let buffer = &self.buffers[index.index()];
        let commit = self.state().committed.iter().find(|(committed, _)| *committed == index).cloned();
        let mut pause = Duration::from_micros(10);
        loop {
            match &commit {
                Some((_, Some(commit))) if commit.is_completed() => return Ok(commit.wait_until_completed()?),
                Some((_, Some(_))) => {}
                _ if buffer.status() >= CommandBufferStatus::Completed => {
                    return Ok(buffer.wait_until_completed()?);
                }
                _ => {}
            }
            if Instant::now() > self.deadline {
                return Err(Stop::Deadline);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(1));
        }
    }

    fn write(&self, part: &Part, n: u32) -> Result<(), Error> {
        let range = range(&self.program, part);
        let contents = self.objects.buffers[part.resource.index()].contents()?;
        for i in 0..(range.end - range.start) / 4 {
            contents.write(range.start + i * 4, &[cpu_word(n, i as u32)])?;
        }
        Ok(())
    }

    fn read(&self, part: &Part, number: u32) -> Result<(), Error> {
        let range = range(&self.program, part);
        let contents = self.objects.buffers[part.resource.index()].contents()?;
        let bytes = contents.read::<u8>(range)?;
        self.state().reads.insert(number, bytes);
        Ok(())
    }

    /// Threads and notifications commit, and what is committed notifies: nothing is over before all of it is.
    fn finish(&self) -> Result<(), Stop> {
        let mut waited = 0;
        loop {
            let rest = self.state().committed[waited..].to_vec();
            rest.iter().try_for_each(|(index, _)| self.wait_completed(*index))?;
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
