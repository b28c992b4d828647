//! The adversarial schedule: one thing at a time, in an order that the seed chooses among all legal ones.
//!
//! A device that runs everything as early as it can hides missing synchronization: the producer is nearly always done. This one looks for
//! the opposite. Among ready nodes it picks by a mood that the seed decides: any, by lasting priorities (so that some starve as long as
//! the order allows), or the newest first. Starts are held back for a while. Commands that nothing orders run interleaved, a few
//! threadgroups of one and then of the other, and the threadgroups of one command in any order.
//!
//! The CPU is one of those whose order is chosen. When somebody goes on who has waited for what has just ended, the device often rests
//! until he waits or looks again: what he does in between comes before all that nothing has ordered before it. Else the device would nearly
//! always have run everything by then, and whatever races behind such a wait would never show.
//!
//! The same program gives the same order with the same seed. So nothing starts while a program still commits: only when somebody on
//! the CPU waits or looks, or when nothing new has come for a while. Then it runs until nothing is ready.
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::floor::{Floor, skipped};
use super::graph::{Payload, SlotIndex};
use super::job::{Bench, Job};
use super::watch::Watchdog;
use crate::backend::{Outcome, Planned, PlannedNode, Work};
use crate::random::Random;

/// One thread that runs ready nodes in an order of its own. It starts with the first work.
#[derive(Debug)]
pub(super) struct Adversary {
    shared: Arc<Shared>,
    seed: u64,
}

#[derive(Debug)]
struct Shared {
    floor: Arc<Floor>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Ready, and not seen by the thread.
    inbox: Vec<SlotIndex>,
    /// Somebody has looked since the thread last went to rest.
    driven: bool,
    /// Threads that sleep until work has gone on.
    waiters: usize,
    /// How often somebody has looked or fallen asleep.
    looks: u64,
    /// Somebody has gone on who waited, when there had been so many looks.
    gone_on: Option<u64>,
    last_submit: Option<Instant>,
    spawned: bool,
    closed: bool,
}

/// How long after the last submission work starts although nobody looks.
const GRACE: Duration = Duration::from_millis(20);
/// Pieces that a command is cut into at most.
const PIECES: u64 = 12;
/// How long the CPU is let go first. Waking a thread takes a fraction of it.
const COURTESY: Duration = Duration::from_micros(500);
/// How long the device rests at most while the CPU acts.
const PATIENCE: Duration = Duration::from_millis(20);
/// Commands that run interleaved at most.
const RUNNING: usize = 4;

impl Adversary {
    pub(super) fn new(floor: Arc<Floor>, seed: u64) -> Self {
        let shared = Shared { floor, state: Mutex::default(), changed: Condvar::new() };
        Self { shared: Arc::new(shared), seed }
    }

    /// Takes nodes over.
    pub(super) fn submit(&self, work: &Planned) {
        let mut state = self.shared.state.lock();
        self.shared.floor.graph.insert(work, Floor::weigh, &mut state.inbox);
        state.last_submit = Some(Instant::now());
        if !state.spawned {
            let shared = Arc::clone(&self.shared);
            let executor = Executor::new(shared, self.seed);
            let spawned =
                std::thread::Builder::new().name("fencepost adversary".into()).spawn(move || executor.run());
            // Without a thread nothing runs; the next submission tries again.
            state.spawned = spawned.is_ok();
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Takes on a node that is ready now.
    pub(super) fn start(&self, slot: SlotIndex) {
        let mut state = self.shared.state.lock();
        state.inbox.push(slot);
        state.last_submit = Some(Instant::now());
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Somebody looks.
    pub(super) fn drive(&self) {
        let mut state = self.shared.state.lock();
        state.driven = true;
        state.looks += 1;
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Somebody sleeps until work has gone on.
    pub(super) fn wait_begins(&self) {
        let mut state = self.shared.state.lock();
        state.waiters += 1;
        state.looks += 1;
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Somebody goes on who waited.
    pub(super) fn let_go(&self) {
        let mut state = self.shared.state.lock();
        state.gone_on = Some(state.looks);
    }

    pub(super) fn wait_ends(&self) {
        let mut state = self.shared.state.lock();
        state.waiters = state.waiters.saturating_sub(1);
    }
}

impl Drop for Adversary {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    /// Rests until there is work and a reason to run it. False: the schedule is gone.
    fn rest(&self) -> bool {
        let mut state = self.state.lock();
        state.driven = false;
        loop {
            if state.inbox.is_empty() {
                if state.closed {
                    return false;
                }
                self.changed.wait(&mut state);
                continue;
            }
            // What was taken over is run, also when another schedule has taken this one's place.
            if state.driven || state.waiters > 0 || state.closed {
                return true;
            }
            let due = state.last_submit.map(|last| last + GRACE);
            match due.filter(|due| Instant::now() < *due) {
                Some(due) => {
                    self.changed.wait_until(&mut state, due);
                }
                None => return true,
            }
        }
    }

    /// Rests until somebody looks or falls asleep who had not done so by then, or for as long as patience lasts.
    fn rest_after(&self, looks: u64) {
        let until = Instant::now() + PATIENCE;
        let mut state = self.state.lock();
        while state.looks == looks && !state.closed && Instant::now() < until {
            self.changed.wait_until(&mut state, until);
        }
    }

    fn inbox(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// How the executor picks among ready nodes.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Any,
    /// The one of highest priority, given once and for all; so the lowest starve.
    Priority,
    Newest,
}

/// The thread that runs.
struct Executor {
    shared: Arc<Shared>,
    watchdog: Watchdog,
    random: Random,
    mood: Mood,
    ready: Vec<Ready>,
    running: Vec<Running>,
    bench: Bench,
    released: Vec<SlotIndex>,
}

/// A node that may start.
struct Ready {
    slot: SlotIndex,
    priority: u64,
    /// Steps that it is held back for.
    delay: usize,
}

/// A command that has started.
struct Running {
    slot: SlotIndex,
    payload: Payload,
    job: Job,
    started_ns: u64,
    /// What is left of the present phase, the next piece last.
    pieces: Vec<std::ops::Range<u64>>,
}

impl Executor {
    fn new(shared: Arc<Shared>, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mood = match random.below(4) {
            0 => Mood::Any,
            1 => Mood::Newest,
            _ => Mood::Priority,
        };
        Self {
            watchdog: Watchdog::new(1, shared.floor.limit, shared.floor.clock(), || {}),
            shared,
            random,
            mood,
            ready: Vec::new(),
            running: Vec::new(),
            bench: Bench::default(),
            released: Vec::new(),
        }
    }

    fn run(mut self) {
        while self.shared.rest() {
            self.watchdog.enter();
            self.run_until_idle();
            self.watchdog.leave();
        }
    }

    fn run_until_idle(&mut self) {
        loop {
            self.released.append(&mut self.shared.inbox().inbox);
            self.welcome();
            if self.ready.is_empty() && self.running.is_empty() {
                return;
            }
            self.step();
        }
    }

    /// Gives what became ready a priority and a delay.
    fn welcome(&mut self) {
        for slot in self.released.drain(..) {
            let priority = self.random.next();
            let delay = if self.random.once_in(4) { self.random.below(8) } else { 0 };
            self.ready.push(Ready { slot, priority, delay });
        }
    }

    /// Starts something, or runs a piece of something.
    fn step(&mut self) {
        for ready in &mut self.ready {
            ready.delay = ready.delay.saturating_sub(1);
        }
        let may_start = !self.ready.is_empty() && self.running.len() < RUNNING;
        if may_start && (self.running.is_empty() || self.random.once_in(3)) {
            if let Some(index) = self.pick() {
                let ready = self.ready.remove(index);
                self.start(ready.slot);
            }
        } else {
            self.run_piece();
        }
    }

    /// A ready node. `None`: all are held back, and something else can go on.
    fn pick(&mut self) -> Option<usize> {
        let awake: Vec<usize> = (0..self.ready.len()).filter(|&index| self.ready[index].delay == 0).collect();
        if awake.is_empty() {
            // With nothing else to do no delay holds.
            return self.running.is_empty().then(|| self.random.below(self.ready.len()));
        }
        let index = match self.mood {
            Mood::Any => awake[self.random.below(awake.len())],
            // Now and then another one: else nothing that the favourites wait for would ever be late.
            _ if self.random.once_in(8) => awake[self.random.below(awake.len())],
            Mood::Newest => awake.last().copied().unwrap_or(0),
            Mood::Priority => awake.into_iter().max_by_key(|&index| self.ready[index].priority).unwrap_or(0),
        };
        Some(index)
    }

    fn start(&mut self, slot: SlotIndex) {
        let now = self.shared.floor.now_ns();
        let done = Outcome::Done { started_ns: now, ended_ns: now };
        let Some(payload) = self.shared.floor.graph.take(slot) else { return };
        let job = match (&payload.cause, payload.work, &payload.part) {
            (Some(cause), ..) => {
                let outcome = skipped(cause);
                return self.end(slot, payload, &outcome);
            }
            (None, Work::Command(command), Some(part)) => Job::start(Arc::clone(part), command),
            _ => Ok(None),
        };
        match job {
            Err(error) => self.end(slot, payload, &Outcome::Failed(error)),
            Ok(None) => self.end(slot, payload, &done),
            Ok(Some(job)) => {
                let pieces = self.cut(job.units());
                self.running.push(Running { slot, payload, job, started_ns: now, pieces });
            }
        }
    }

    /// Cuts units in pieces, in any order.
    fn cut(&mut self, units: u64) -> Vec<std::ops::Range<u64>> {
        let piece = units.div_ceil(PIECES).max(1);
        let mut pieces: Vec<_> =
            (0..units.div_ceil(piece)).map(|index| index * piece..units.min((index + 1) * piece)).collect();
        for last in (1..pieces.len()).rev() {
            pieces.swap(last, self.random.below(last + 1));
        }
        pieces
    }

    fn run_piece(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let index = self.random.below(self.running.len());
        let running = &mut self.running[index];
        let Some(piece) = running.pieces.pop() else { return self.next_phase(index) };
        let post = self.watchdog.post(0);
        // From the piece's start: what other commands take in between is not this one's fault.
        post.watched.begin(self.shared.floor.now_ns());
        let result = running.job.run(piece, &mut self.bench, &post.stop);
        post.end();
        if let Err(fault) = result {
            let Running { slot, payload, job, .. } = self.running.remove(index);
            let error = self.shared.floor.error(fault, &job);
            self.end(slot, payload, &Outcome::Failed(error));
        } else if self.running[index].pieces.is_empty() {
            self.next_phase(index);
        }
    }

    fn next_phase(&mut self, index: usize) {
        if let Some(job) = self.running[index].job.next_phase() {
            self.running[index].pieces = self.cut(job.units());
            self.running[index].job = job;
            return;
        }
        let Running { slot, payload, started_ns, .. } = self.running.remove(index);
        let ended_ns = self.shared.floor.now_ns();
        self.end(slot, payload, &Outcome::Done { started_ns, ended_ns });
    }

    fn end(&mut self, slot: SlotIndex, payload: Payload, outcome: &Outcome) {
        let waited_for = payload.part.is_some() && payload.tag & PlannedNode::ALONE != 0;
        self.shared.floor.end(slot, payload, outcome, &mut self.released);
        self.welcome();
        let gone_on = self.shared.inbox().gone_on.take();
        let rests = !self.ready.is_empty() || !self.running.is_empty();
        if let Some(looks) = gone_on.filter(|_| rests)
            && self.random.once_in(2)
        {
            self.shared.rest_after(looks);
        } else if waited_for && self.random.once_in(8) {
            // The CPU is one of those whose order is chosen: now and then it comes first.
            std::thread::sleep(COURTESY);
        }
    }
}
