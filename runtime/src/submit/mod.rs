//! Commit, plan, release, retire: the one place that feeds the order engine.
//!
//! Queues are lists of what was committed and not handed over. Only their heads move, by one rule: an item is handed over when every
//! value it waits for has been reached, or will be reached by a signal that was handed over before. So waits may be committed before
//! their signals, nothing handed over can deadlock (by induction over hand-overs), and no thread watches anything: commits, raises by
//! the CPU and failures call [`Submission::pump`], which goes on until no head moves.
//!
//! ```text
//!   commit ─► queue ─► pump: engine ─► plan ─► backend ─► completions ─► command buffer, events, retire
//!                        ▲                                                     │
//!                        └──────── raised by the CPU, failed, timed out ◄──────┘
//! ```
//!
//! Locks, in the order they may nest: the state here, then an event's table or a command buffer's inner lock, then a callback queue.
//! Completions take the state's lock only to retire, and only if it is free; if not, whoever has it looks again when he lets go of it.
mod command_buffer;
mod feed;
mod guard;
mod part;
mod progress;
mod queue;
mod slots;
mod stuck;
#[cfg(test)]
mod tests;
mod timer;
mod waits;
mod world;

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use fencepost_core::{
    Engine, FenceId, MemoryId, NodeId, Plan, QueueId, QueueMode, ResourceDescriptor, ResourceId,
};
use parking_lot::{Mutex, MutexGuard};

pub(crate) use command_buffer::{CommandBufferState, PassReport};
pub(crate) use guard::{Claimant, GuardTaken, Hold, InFlight, Obstruction};

use crate::Error;
use crate::api::Label;
use crate::backend::{Backend, Planned, Work};
use crate::error::{DeviceError, SubmitError, part};
use crate::record::{ManagedBody, Recording};
use crate::signal::{EventBody, EventUser, Gate, SerialQueue, SignalRight};
use guard::Claim;
use part::Part;
use progress::Progress;
use queue::{Committed, Cursor, Entry, Queue};
use timer::Timer;

/// How many uncompleted command buffers a queue takes unless told otherwise (rule 1.1.6).
pub(crate) const MAX_UNCOMPLETED: usize = 64;

/// A device's order engine, queues and work in flight.
#[derive(Debug)]
pub(crate) struct Submission {
    backend: Arc<dyn Backend>,
    state: Mutex<State>,
    /// Parts have ended that the engine has not been told of.
    retire_due: AtomicBool,
    /// Guards that wait for work to end.
    progress: Progress,
    handlers: Arc<SerialQueue>,
    timer: Timer,
    this: Weak<Self>,
}

#[derive(Debug)]
struct State {
    engine: Engine,
    /// In order of creation: few, and looked through whenever something may have moved.
    queues: Vec<(QueueId, Queue)>,
    /// In release order.
    in_flight: VecDeque<Arc<Part>>,
    /// Of them, those behind a wait that their event has not been told of.
    enrolling: Vec<Arc<Part>>,
    /// Somebody is gone who could raise a value that a queue waits for, or a queue waits for an event of which no handle is left.
    review_due: bool,
    /// Waits in flight whose signals in flight have failed, with why.
    doubted: Vec<(QueueId, Arc<Gate>, Error)>,
    /// Waits in flight in release order, but for those at the beginning that have passed.
    shut: VecDeque<Arc<Gate>>,
    /// This device, while a queue holds back what was committed: it is to run, whoever has let go of the device meanwhile.
    kept_alive: Option<Arc<Submission>>,
    holds: Vec<Claim>,
    event_timeout: Option<Duration>,
    /// Reused from call to call.
    plan: Plan,
    planned: Planned,
    assigned: Vec<(NodeId, u32, Work)>,
}

/// What must wait until the state's lock is free.
#[derive(Debug)]
enum After {
    /// Counted as open meanwhile: a buffer ends after its scheduled handlers have been called.
    Scheduled(Arc<CommandBufferState>),
    Close(Arc<CommandBufferState>),
    /// Another device, whose queues wait for what will never be signaled.
    Pump(Weak<dyn EventUser>),
    /// Maybe the last handles: what they hold gives names back, which takes the lock.
    DropRecording(Arc<Recording>),
    DropEvent(Arc<EventBody>),
    DropSignal(SignalRight),
    /// A wait that is in flight now.
    Enroll(Arc<Part>),
    /// A wait in flight that has taken too long: with the error of its command buffer, or with none where it is let go.
    TimeOut(Arc<Gate>, Option<Error>),
    /// A wait in flight that nobody is left to release.
    Fail(Arc<Gate>, Error),
    /// Whether anybody is left to release a wait takes a look at all devices.
    Survey(Arc<Submission>),
    /// Maybe the last handle of the device.
    DropDevice(Arc<Submission>),
}

impl Submission {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Arc<Self> {
        let made = Arc::new_cyclic(|this| Self {
            backend,
            state: Mutex::new(State {
                engine: Engine::new(),
                queues: Vec::new(),
                in_flight: VecDeque::new(),
                enrolling: Vec::new(),
                review_due: false,
                doubted: Vec::new(),
                shut: VecDeque::new(),
                kept_alive: None,
                holds: Vec::new(),
                event_timeout: None,
                plan: Plan::default(),
                planned: Planned::default(),
                assigned: Vec::new(),
            }),
            retire_due: AtomicBool::new(false),
            progress: Progress::default(),
            handlers: Arc::new(SerialQueue::new("fencepost handlers")),
            timer: Timer::default(),
            this: this.clone(),
        });
        waits::register(&made.this);
        made
    }

    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// How long a queue waits for a value before the wait counts as timed out (rule 6.8): on a tracked queue the command buffer ends
    /// with an error, on an explicit queue the later work is released. `None`, the default: for ever.
    pub(crate) fn set_event_timeout(&self, timeout: Option<Duration>) {
        self.lock().event_timeout = timeout;
        self.pump();
    }

    /// A queue that takes so many uncompleted command buffers.
    pub(crate) fn add_queue(&self, mode: QueueMode, max_uncompleted: usize) -> QueueId {
        let mut state = self.lock();
        let id = state.engine.add_queue(mode);
        state.queues.push((id, Queue::new(mode, max_uncompleted)));
        id
    }

    /// Nobody commits to it any more; it goes when all that it accepted was handed over.
    pub(crate) fn remove_queue(&self, queue: QueueId) {
        if let Some(queue) = self.lock().queue(queue) {
            queue.closed = true;
        }
        self.pump();
    }

    /// Messages call the queue so.
    pub(crate) fn label_queue(&self, queue: QueueId, label: &Arc<Label>) {
        if let Some(queue) = self.lock().queue(queue) {
            queue.label = Some(Arc::clone(label));
        }
    }

    pub(crate) fn add_memory(&self) -> MemoryId {
        self.lock().engine.add_memory()
    }

    pub(crate) fn remove_memory(&self, memory: MemoryId) {
        self.lock().engine.remove_memory(memory);
    }

    pub(crate) fn add_resource(&self, descriptor: ResourceDescriptor) -> ResourceId {
        self.lock().engine.add_resource(descriptor)
    }

    pub(crate) fn remove_resource(&self, resource: ResourceId) {
        self.lock().engine.remove_resource(resource);
    }

    pub(crate) fn add_fence(&self) -> FenceId {
        self.lock().engine.add_fence()
    }

    pub(crate) fn remove_fence(&self, fence: FenceId) {
        self.lock().engine.remove_fence(fence);
    }

    /// A command buffer of a queue. Sleeps while the queue has as many uncompleted ones as it takes (rule 1.1.6).
    pub(crate) fn new_command_buffer(&self, queue: QueueId) -> Arc<CommandBufferState> {
        let slots = self.lock().queue(queue).map(|queue| Arc::clone(&queue.slots));
        let slot = slots.map(|slots| {
            slots.try_take().unwrap_or_else(|| {
                self.backend.wait_begins();
                let slot = slots.take();
                self.backend.wait_ends();
                slot
            })
        });
        CommandBufferState::new(Arc::clone(&self.handlers), self.this.clone(), slot)
    }

    /// A command buffer of no queue, for one commit on an explicit queue.
    pub(crate) fn new_free_command_buffer(&self) -> Arc<CommandBufferState> {
        CommandBufferState::new(Arc::clone(&self.handlers), self.this.clone(), None)
    }

    /// Reserves the next place on the queue; does nothing for a buffer that has one.
    pub(crate) fn enqueue(&self, queue: QueueId, buffer: &Arc<CommandBufferState>) {
        let mut state = self.lock();
        if let Some(queue) = state.queue(queue)
            && buffer.set_enqueued()
        {
            queue.entries.push_back(Entry::Reserved(Arc::downgrade(buffer)));
        }
    }

    /// Commits command buffers in order, each at its reserved place or at the end of the queue. All or none: an error when one of
    /// them was committed already, or when it would use what a guard of the CPU holds.
    pub(crate) fn commit(
        &self,
        queue: QueueId,
        group: Vec<(Arc<Recording>, Arc<CommandBufferState>)>,
    ) -> Result<(), Error> {
        let holds_back = self.backend.holds_back();
        let user: Weak<dyn EventUser> = self.this.clone();
        for (recording, buffer) in &group {
            buffer.set_passes(recording);
            for item in &recording.items {
                if let Some(event) = item.event() {
                    event.attach(&user, holds_back);
                }
            }
        }
        let managed = || group.iter().flat_map(|(recording, _)| &recording.managed);
        if managed().next().is_some() {
            // A commit that is refused publishes nothing.
            self.lock().check(&group)?;
            // Brought over now: what the CPU publishes later is for later commits (rule 11.2.1).
            managed().try_for_each(ManagedBody::upload)?;
        }
        let mut state = self.lock();
        state.check(&group)?;
        let Some(queue) = state.queue(queue) else { return Ok(()) };
        for (recording, buffer) in group {
            let (committed, reserved) = buffer.set_committed();
            if committed {
                let entry = Committed { recording, state: buffer, cursor: Cursor::default(), in_line: false };
                queue.accept(entry, reserved);
            }
        }
        drop(state);
        self.pump();
        Ok(())
    }

    /// Raises an event when all that the queue accepted before has ended.
    pub(crate) fn queue_signal(&self, queue: QueueId, event: &Arc<EventBody>, value: u64) {
        self.push(queue, Entry::Signal { event: SignalRight::new(event), value }, event);
    }

    /// Holds all that the queue accepts later until the event's value is there.
    pub(crate) fn queue_wait(&self, queue: QueueId, event: &Arc<EventBody>, value: u64) {
        self.push(queue, Entry::Wait { event: Arc::clone(event), value }, event);
    }

    fn push(&self, queue: QueueId, entry: Entry, event: &Arc<EventBody>) {
        let user: Weak<dyn EventUser> = self.this.clone();
        event.attach(&user, self.backend.holds_back());
        if let Some(queue) = self.lock().queue(queue) {
            queue.entries.push_back(entry);
        }
        self.pump();
    }

    /// Names this device in the tables of events.
    fn device(&self) -> usize {
        self.this.as_ptr().addr()
    }

    /// The state, for all but those who end parts.
    fn lock(&self) -> Locked<'_> {
        Locked { state: Some(self.state.lock()), submission: self }
    }

    /// Parts have ended: their records go, now or when the lock is free again.
    fn retire_soon(&self) {
        self.retire_due.store(true, Ordering::SeqCst);
        self.retire_if_due();
    }

    fn retire_if_due(&self) {
        // Either whoever has the lock sees the flag after he lets go of it, or he is seen to have let go.
        fence(Ordering::SeqCst);
        while self.retire_due.load(Ordering::Relaxed) {
            let Some(mut state) = self.state.try_lock() else { return };
            let gone = self.retire(&mut state);
            drop(state);
            drop(gone);
            fence(Ordering::SeqCst);
        }
    }

    /// Tells engine and backend which nodes are over. What comes back is to be dropped when the lock is free: it may hold the last
    /// handle of anything.
    fn retire(&self, state: &mut State) -> Vec<Arc<Part>> {
        // A part that ends after the look below sets it again.
        self.retire_due.swap(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let count = state.in_flight.iter().take_while(|part| part.has_ended()).count();
        let gone: Vec<_> = state.in_flight.drain(..count).collect();
        if let Some(last) = gone.last() {
            state.engine.retire(last.nodes_end);
            self.backend.retire(last.nodes_end);
        }
        gone
    }

    fn set_timer(&self, state: &mut State) {
        let Some(timeout) = state.event_timeout else { return };
        let since = |queue: &mut Queue| queue.first_wait().map(|(_, since)| since).or(queue.held_since);
        let held = state.queues.iter_mut().filter_map(|(_, queue)| since(queue)).min();
        let user: Weak<dyn EventUser> = self.this.clone();
        self.timer.set(held.and_then(|since| since.checked_add(timeout)), &user);
    }
}

impl EventUser for Submission {
    fn pump(&self) {
        let mut after = Vec::new();
        let mut state = self.state.lock();
        let gone = self.retire(&mut state);
        let now = Instant::now();
        self.time_out_waits(&mut state, now, &mut after);
        while self.hand_over(&mut state, now, &mut after) || self.review_waits(&mut state, &mut after) {}
        if !state.planned.nodes.is_empty() {
            self.backend.submit(&state.planned);
            state.planned.parts.clear();
            state.planned.nodes.clear();
            state.planned.predecessors.clear();
        }
        after.extend(state.enrolling.drain(..).map(After::Enroll));
        self.set_timer(&mut state);
        let holds_back = state.queues.iter().any(|(_, queue)| queue.holds_work_back());
        if holds_back != state.kept_alive.is_some() {
            let before = std::mem::replace(&mut state.kept_alive, self.this.upgrade().filter(|_| holds_back));
            after.extend(before.map(After::DropDevice));
        }
        drop(state);
        drop(gone);
        after.into_iter().for_each(After::run);
        self.progress.step();
        self.retire_if_due();
    }

    fn review(&self) {
        self.lock().review_due = true;
        self.pump();
    }

    fn open(&self, node: NodeId) {
        self.backend.open(node);
    }

    fn gate_doubted(&self, gate: &Arc<Gate>, error: &Error) {
        let mut state = self.lock();
        let known = state.doubted.iter().any(|(_, known, _)| Arc::ptr_eq(known, gate));
        if let Some(queue) = state.part_of(gate.node()).map(|part| part.queue).filter(|_| !known) {
            state.doubted.push((queue, Arc::clone(gate), error.clone()));
        }
        drop(state);
        self.pump();
    }

    fn gate_failed(&self, node: NodeId, error: &Error) {
        self.fail_behind(node, error);
    }

    fn signals_of(&self, event: &EventBody) -> Vec<crate::PendingSignal> {
        self.unreleased_signals(event)
    }

    fn drive(&self) {
        self.backend.drive();
    }

    fn let_go(&self) {
        self.backend.let_go();
    }

    fn wait_begins(&self) {
        self.backend.wait_begins();
    }

    fn wait_ends(&self) {
        self.backend.wait_ends();
    }
}

/// The state's lock. Parts may end while somebody has it: he retires them when he lets go.
struct Locked<'a> {
    state: Option<MutexGuard<'a, State>>,
    submission: &'a Submission,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        match &self.state {
            Some(state) => state,
            None => unreachable!("it is let go only by the drop"),
        }
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        match &mut self.state {
            Some(state) => state,
            None => unreachable!("it is let go only by the drop"),
        }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.state = None;
        self.submission.retire_if_due();
    }
}

impl State {
    fn queue(&mut self, id: QueueId) -> Option<&mut Queue> {
        self.queues.iter_mut().find(|(name, _)| *name == id).map(|(_, queue)| queue)
    }

    /// Whether a group may be committed.
    fn check(&self, group: &[(Arc<Recording>, Arc<CommandBufferState>)]) -> Result<(), Error> {
        for (recording, buffer) in group {
            if buffer.status_now() >= crate::CommandBufferStatus::Committed {
                return Err(SubmitError::AlreadyCommitted { label: buffer.label() }.into());
            }
            if let Some((held, guard, command)) = self.held(recording) {
                let command = InFlight { command_buffer: buffer.label(), ..command }.to_string();
                let (part, resource) = (part(&held.extent), recording.name_of(held.resource));
                return Err(match guard {
                    Some(guard) => SubmitError::GuardHeld { command, part, resource, guard },
                    None => SubmitError::BeingCopied { command, part, resource },
                }
                .into());
            }
        }
        Ok(())
    }
}

impl After {
    fn run(self) {
        match self {
            Self::Scheduled(buffer) => {
                buffer.set_scheduled();
                buffer.close();
            }
            Self::Close(buffer) => buffer.close(),
            Self::Pump(user) => {
                if let Some(user) = user.upgrade() {
                    user.pump();
                }
            }
            Self::DropRecording(recording) => drop(recording),
            Self::DropEvent(event) => drop(event),
            Self::DropSignal(event) => drop(event),
            Self::Enroll(part) => {
                if let Some(waited) = &part.waited {
                    waited.event.enroll_gate(&waited.gate);
                }
            }
            Self::TimeOut(gate, error) => gate.give_up(error.as_ref()),
            Self::Fail(gate, error) => gate.give_up(Some(&error)),
            Self::Survey(device) => {
                Submission::survey();
                drop(device);
            }
            Self::DropDevice(device) => drop(device),
        }
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        // Nothing is in flight: each part holds the submission. What is left was never released, and now nothing will release it.
        let state = self.state.get_mut();
        for (_, queue) in &mut state.queues {
            for entry in queue.entries.drain(..) {
                if let Entry::Committed(Committed { state: buffer, .. }) = entry {
                    buffer.fail(&SubmitError::DeviceDropped { label: buffer.label() }.into());
                    buffer.close();
                }
            }
        }
    }
}

/// What skipped work says.
fn dependency(first: &Error) -> Error {
    if first.kind() == crate::ErrorKind::DependencyFailed {
        return first.clone();
    }
    DeviceError::Dependency { first: first.clone() }.into()
}
