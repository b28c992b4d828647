//! What a command buffer is after recording: how far it has come, who is told, and what became of each pass.
//!
//! Completions arrive from many threads, thousands to a buffer, so what they touch are a few atomic words; the lock is for handlers,
//! errors and those who sleep. A buffer is *open* once for each part in flight and once while anything of it is still to be handed
//! over; whoever closes the last one ends it.
//!
//! Buffers of a tracked queue are told of in the queue's order, though their work overlaps (rule 7.3.3): each keeps the next one open
//! until it has ended itself, and lets those go who wait for the next one's handlers after those who wait for its own.
//!
//! ```text
//!   first    work ─────────► end ─► handlers ─► who waits for it
//!   second   work ──►          └─► end ─► handlers ─► │ └─► who waits for it
//! ```
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::{Condvar, Mutex};

use super::slots::Slot;
use crate::backend::Outcome;
use crate::record::{Item, Recording};
use crate::signal::{EventUser, SerialQueue};
use crate::{CommandBufferStatus, CommandEncoderErrorState, Error, PassKind};

/// Called with the command buffer, off every thread of the device, no lock held.
pub(super) type Handler = Box<dyn FnOnce(&Arc<CommandBufferState>) + Send>;

/// How far a command buffer has come. Safe to ask from any thread.
pub(crate) struct CommandBufferState {
    status: AtomicU8,
    /// Parts in flight, and one more while something is still to be handed over.
    open: AtomicU32,
    /// Its own handlers, and the buffer before it whose waiters are let go first.
    untold: AtomicU32,
    failed: AtomicBool,
    /// Somebody has looked or slept until it ends.
    watched: AtomicBool,
    /// The first pass of which something has not run.
    failed_pass: AtomicU32,
    started_ns: AtomicU64,
    ended_ns: AtomicU64,
    passes: OnceLock<Box<[PassRecord]>>,
    inner: Mutex<Inner>,
    changed: Condvar,
    handlers: Arc<SerialQueue>,
    device: Weak<dyn EventUser>,
    this: Weak<Self>,
}

#[derive(Default)]
struct Inner {
    label: String,
    scheduled_handlers: Vec<Handler>,
    completed_handlers: Vec<Handler>,
    scheduled_handlers_ran: bool,
    completed_handlers_ran: bool,
    error: Option<Error>,
    slot: Option<Slot>,
    /// The next one of its queue, until that may be told of.
    next: Option<Arc<CommandBufferState>>,
}

/// What became of one pass, and when it ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PassReport {
    pub(crate) kind: PassKind,
    /// The encoder's label.
    pub(crate) label: Option<String>,
    /// Meaningful where the command buffer ended with an error.
    pub(crate) state: CommandEncoderErrorState,
    /// Nanoseconds since the device was made: the first start and the last end of its commands. `None` where nothing ran.
    pub(crate) times: Option<(u64, u64)>,
}

struct PassRecord {
    kind: PassKind,
    label: Option<String>,
    /// Commands of the pass.
    commands: u32,
    ran: AtomicU32,
    skipped: AtomicBool,
    faulted: AtomicBool,
    started_ns: AtomicU64,
    ended_ns: AtomicU64,
}

impl CommandBufferState {
    pub(super) fn new(
        handlers: Arc<SerialQueue>,
        device: Weak<dyn EventUser>,
        slot: Option<Slot>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            status: AtomicU8::new(CommandBufferStatus::NotEnqueued as u8),
            open: AtomicU32::new(1),
            untold: AtomicU32::new(1),
            failed: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            failed_pass: AtomicU32::new(u32::MAX),
            started_ns: AtomicU64::new(u64::MAX),
            ended_ns: AtomicU64::new(0),
            passes: OnceLock::new(),
            inner: Mutex::new(Inner { slot, ..Inner::default() }),
            changed: Condvar::new(),
            handlers,
            device,
            this: this.clone(),
        })
    }

    pub(crate) fn label(&self) -> String {
        self.inner.lock().label.clone()
    }

    pub(crate) fn set_label(&self, label: &str) {
        label.clone_into(&mut self.inner.lock().label);
    }

    /// How far it has come. Gets a device going that holds work back until somebody looks.
    pub(crate) fn status(&self) -> CommandBufferStatus {
        let status = self.status_now();
        if status >= CommandBufferStatus::Committed && !ended(status) {
            self.watched.store(true, Ordering::SeqCst);
            self.with_device(|device| device.drive());
            return self.status_now();
        }
        status
    }

    /// The first error of the buffer, once it has ended.
    pub(crate) fn error(&self) -> Option<Error> {
        self.inner.lock().error.clone()
    }

    /// Calls `handler` when the buffer is scheduled. False: it was committed already, and the handler is dropped.
    #[must_use]
    pub(crate) fn add_scheduled_handler(&self, handler: Handler) -> bool {
        let mut inner = self.inner.lock();
        let open = self.status_now() < CommandBufferStatus::Committed;
        if open {
            inner.scheduled_handlers.push(handler);
        }
        open
    }

    /// Calls `handler` when the buffer has ended. False: it was committed already, and the handler is dropped.
    #[must_use]
    pub(crate) fn add_completed_handler(&self, handler: Handler) -> bool {
        let mut inner = self.inner.lock();
        let open = self.status_now() < CommandBufferStatus::Committed;
        if open {
            inner.completed_handlers.push(handler);
        }
        open
    }

    /// Sleeps until the buffer is scheduled and its scheduled handlers have run. The caller knows that it was committed.
    pub(crate) fn wait_until_scheduled(&self) {
        self.sleep_until(|state, inner| {
            inner.scheduled_handlers_ran
                || (state.handlers.is_current() && state.status_now() >= CommandBufferStatus::Scheduled)
        });
    }

    /// Sleeps until the buffer has ended and its completed handlers have run (rule 1.1.5). The caller knows that it was committed.
    /// On the thread of handlers themselves it only waits for the work: waiting for handlers there would never end.
    pub(crate) fn wait_until_completed(&self) {
        self.sleep_until(|state, inner| {
            inner.completed_handlers_ran || (state.handlers.is_current() && ended(state.status_now()))
        });
    }

    /// When its first command started and its last one ended, in nanoseconds since the device was made; absent before the end and
    /// where nothing ran.
    pub(crate) fn times(&self) -> Option<(u64, u64)> {
        let times = (self.started_ns.load(Ordering::Relaxed), self.ended_ns.load(Ordering::Relaxed));
        (ended(self.status_now()) && times.0 <= times.1).then_some(times)
    }

    /// One report for each pass in the order of encoding; empty before the commit.
    pub(crate) fn passes(&self) -> Vec<PassReport> {
        self.passes.get().map(|passes| passes.iter().map(PassRecord::report).collect()).unwrap_or_default()
    }

    pub(crate) fn status_now(&self) -> CommandBufferStatus {
        const ALL: [CommandBufferStatus; 6] = [
            CommandBufferStatus::NotEnqueued,
            CommandBufferStatus::Enqueued,
            CommandBufferStatus::Committed,
            CommandBufferStatus::Scheduled,
            CommandBufferStatus::Completed,
            CommandBufferStatus::Error,
        ];
        ALL[usize::from(self.status.load(Ordering::Acquire)).min(5)]
    }

    /// False: it has a place already.
    pub(super) fn set_enqueued(&self) -> bool {
        self.step(CommandBufferStatus::NotEnqueued, CommandBufferStatus::Enqueued)
    }

    /// False: it was committed already. The second value tells whether it had a place.
    pub(super) fn set_committed(&self) -> (bool, bool) {
        // Handlers are added under the same lock, so none comes too late to be seen.
        let _inner = self.inner.lock();
        let enqueued = self.step(CommandBufferStatus::Enqueued, CommandBufferStatus::Committed);
        (enqueued || self.step(CommandBufferStatus::NotEnqueued, CommandBufferStatus::Committed), enqueued)
    }

    /// Makes room for what becomes of each pass.
    pub(super) fn set_passes(&self, recording: &Recording) {
        let mut passes: Vec<PassRecord> = Vec::new();
        for item in &recording.items {
            match item {
                Item::BeginPass { kind, label, .. } => {
                    passes.push(PassRecord::new(*kind, recording.label(*label)));
                }
                Item::Command { stages, .. } => {
                    if let Some(pass) = passes.last_mut() {
                        pass.commands += stages.bits().count_ones();
                    }
                }
                _ => {}
            }
        }
        // A buffer is committed once, so nobody was here before.
        self.passes.set(passes.into_boxed_slice()).ok();
    }

    /// The device has it, or its first part.
    pub(super) fn set_scheduled(&self) {
        if self.step(CommandBufferStatus::Committed, CommandBufferStatus::Scheduled) {
            let handlers = std::mem::take(&mut self.inner.lock().scheduled_handlers);
            // A handler that waits for it waits for no handlers.
            self.changed.notify_all();
            self.call(handlers, Self::scheduled_handlers_ran);
        }
    }

    /// One more part is in flight.
    pub(super) fn open(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// This one is told of after `before`, the one before it on its queue. Nothing of it has been closed yet.
    pub(super) fn follow(&self, before: &Self) {
        let mut inner = before.inner.lock();
        if inner.completed_handlers_ran {
            return;
        }
        if !ended(before.status_now()) {
            self.open();
        }
        self.untold.fetch_add(1, Ordering::Relaxed);
        inner.next = self.this.upgrade();
    }

    /// A part has ended, or nothing more will be handed over. The last one ends the buffer, and those behind it that waited for that.
    pub(super) fn close(&self) {
        if !self.close_one() {
            return;
        }
        let mut next = self.end();
        while let Some(state) = next.filter(|next| next.close_one()) {
            next = state.end();
        }
    }

    fn close_one(&self) -> bool {
        self.open.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether it has ended. Unlike [`status`](Self::status), this gets nothing going.
    pub(crate) fn has_ended(&self) -> bool {
        ended(self.status_now())
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Its error, where something in these first passes has not run.
    pub(super) fn failed_before(&self, passes: u32) -> Option<Error> {
        (self.failed_pass.load(Ordering::Acquire) < passes).then(|| self.error()).flatten()
    }

    /// The first error stays.
    pub(super) fn fail(&self, error: &Error) {
        self.inner.lock().error.get_or_insert_with(|| error.clone());
        self.failed.store(true, Ordering::Release);
    }

    /// Commands of a pass have ended so.
    pub(super) fn pass_ended(&self, pass: u32, count: u32, outcome: &Outcome) {
        if !matches!(outcome, Outcome::Done { .. }) {
            self.failed_pass.fetch_min(pass, Ordering::AcqRel);
        }
        let Some(pass) = self.passes.get().and_then(|passes| passes.get(pass as usize)) else { return };
        match outcome {
            Outcome::Done { started_ns, ended_ns } => {
                pass.ran.fetch_add(count, Ordering::Relaxed);
                lower(&pass.started_ns, *started_ns);
                raise(&pass.ended_ns, *ended_ns);
                lower(&self.started_ns, *started_ns);
                raise(&self.ended_ns, *ended_ns);
            }
            Outcome::Failed(error) => {
                pass.faulted.store(true, Ordering::Relaxed);
                self.fail(error);
            }
            Outcome::Skipped(error) => {
                pass.skipped.store(true, Ordering::Relaxed);
                self.fail(error);
            }
        }
    }

    /// All of it is over, and so are those before it. The next one, which may be over since this is.
    fn end(&self) -> Option<Arc<Self>> {
        self.set_scheduled();
        let mut inner = self.inner.lock();
        let status =
            if inner.error.is_some() { CommandBufferStatus::Error } else { CommandBufferStatus::Completed };
        self.status.store(status as u8, Ordering::Release);
        let handlers = std::mem::take(&mut inner.completed_handlers);
        let slot = inner.slot.take();
        let next = inner.next.clone();
        drop(inner);
        drop(slot);
        if self.watched.load(Ordering::SeqCst) || !handlers.is_empty() {
            self.with_device(|device| device.let_go());
        }
        self.changed.notify_all();
        self.call(handlers, Self::told);
        next
    }

    /// Calls handlers on their own thread, then `then`; at once where there are none.
    fn call(&self, handlers: Vec<Handler>, then: fn(&Self)) {
        let this = self.this.upgrade();
        if let Some(this) = this.filter(|_| !handlers.is_empty()) {
            for handler in handlers {
                let this = Arc::clone(&this);
                self.handlers.push(Box::new(move || handler(&this)));
            }
            self.handlers.push(Box::new(move || then(&this)));
        } else {
            then(self);
        }
    }

    fn scheduled_handlers_ran(&self) {
        self.inner.lock().scheduled_handlers_ran = true;
        self.changed.notify_all();
    }

    /// Its completed handlers have run, or those who waited for the buffer before it have been let go. After both, those who wait for
    /// it are.
    fn told(&self) {
        let mut next = self.told_one();
        while let Some(state) = next {
            next = state.told_one();
        }
    }

    fn told_one(&self) -> Option<Arc<Self>> {
        if self.untold.fetch_sub(1, Ordering::AcqRel) > 1 {
            return None;
        }
        let next = {
            let mut inner = self.inner.lock();
            inner.completed_handlers_ran = true;
            inner.next.take()
        };
        self.changed.notify_all();
        next
    }

    fn sleep_until(&self, there: impl Fn(&Self, &Inner) -> bool) {
        if there(self, &self.inner.lock()) {
            return;
        }
        self.watched.store(true, Ordering::SeqCst);
        self.with_device(|device| device.wait_begins());
        let mut inner = self.inner.lock();
        while !there(self, &inner) {
            self.changed.wait(&mut inner);
        }
        drop(inner);
        self.with_device(|device| device.wait_ends());
    }

    fn with_device(&self, call: impl FnOnce(&dyn EventUser)) {
        if let Some(device) = self.device.upgrade() {
            call(&*device);
        }
    }

    fn step(&self, from: CommandBufferStatus, to: CommandBufferStatus) -> bool {
        self.status.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl PassRecord {
    fn new(kind: PassKind, label: Option<&str>) -> Self {
        Self {
            kind,
            label: label.map(str::to_owned),
            commands: 0,
            ran: AtomicU32::new(0),
            skipped: AtomicBool::new(false),
            faulted: AtomicBool::new(false),
            started_ns: AtomicU64::new(u64::MAX),
            ended_ns: AtomicU64::new(0),
        }
    }

    fn report(&self) -> PassReport {
        let ran = self.ran.load(Ordering::Relaxed);
        let state = if self.faulted.load(Ordering::Relaxed) {
            CommandEncoderErrorState::Faulted
        } else if self.skipped.load(Ordering::Relaxed) || (0 < ran && ran < self.commands) {
            CommandEncoderErrorState::Affected
        } else if ran == self.commands {
            CommandEncoderErrorState::Completed
        } else {
            CommandEncoderErrorState::Pending
        };
        let times = (self.started_ns.load(Ordering::Relaxed), self.ended_ns.load(Ordering::Relaxed));
        PassReport {
            kind: self.kind,
            label: self.label.clone(),
            state,
            times: (times.0 <= times.1).then_some(times),
        }
    }
}

impl Drop for CommandBufferState {
    fn drop(&mut self) {
        // Its place on the queue holds nothing back any more.
        if self.status_now() == CommandBufferStatus::Enqueued {
            self.with_device(|device| device.pump());
        }
    }
}

impl fmt::Debug for CommandBufferState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandBufferState").field("status", &self.status_now()).finish_non_exhaustive()
    }
}

fn ended(status: CommandBufferStatus) -> bool {
    status >= CommandBufferStatus::Completed
}

/// A read first: thousands of commands later the word hardly ever changes, and a read is shared where a write is not.
fn lower(word: &AtomicU64, value: u64) {
    if value < word.load(Ordering::Relaxed) {
        word.fetch_min(value, Ordering::Relaxed);
    }
}

fn raise(word: &AtomicU64, value: u64) {
    if value > word.load(Ordering::Relaxed) {
        word.fetch_max(value, Ordering::Relaxed);
    }
}
