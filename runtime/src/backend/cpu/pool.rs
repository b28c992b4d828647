//! The parallel schedule: as much at once as there are threads.
//!
//! Ready nodes lie in queues that workers steal from. Three prices decide who does what: a wake-up costs tens of microseconds, a hand-over
//! to another core a few hundred nanoseconds, a tiny dispatch less than one microsecond. So what becomes ready stays with the worker
//! that made it ready, a sleeper is woken only for more work than its wake-up costs, and a command is cut in pieces only where each of
//! them is worth a hand-over. What commands take is known from their earlier runs; what is unknown counts as long.
//!
//! Reports of the same pass are gathered and handed over together: a counter that every core writes would cost more than the dispatch.
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crossbeam_deque::{Injector, Steal, Stealer, Worker as Deque};
use parking_lot::Mutex;

use super::claim::Claims;
use super::floor::{Floor, UNKNOWN_NS, failure, skipped};
use super::graph::{Payload, SlotIndex};
use super::job::{Bench, Fault, Job};
use super::sleep::Sleep;
use super::watch::Watchdog;
use crate::backend::{Outcome, Part, Planned, PlannedNode, Work};

/// Threads that run ready nodes. They start with the first work and sleep when there is none.
#[derive(Debug)]
pub(super) struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    floor: Arc<Floor>,
    injector: Injector<Task>,
    stealers: Box<[Stealer<Task>]>,
    sleep: Sleep,
    watchdog: Watchdog,
    /// Queues of workers that have not started.
    unborn: Mutex<Vec<Deque<Task>>>,
    /// Reused by submissions.
    ready: Mutex<Vec<SlotIndex>>,
}

/// Something to do.
#[derive(Debug)]
enum Task {
    Node(SlotIndex),
    /// Pieces of a command that somebody has started.
    Help(Arc<Split>),
}

/// A command that several threads run.
#[derive(Debug)]
struct Split {
    job: Job,
    slot: SlotIndex,
    payload: Mutex<Option<Payload>>,
    started_ns: u64,
    claims: Claims,
    faulted: AtomicBool,
    fault: Mutex<Option<Fault>>,
}

/// Work below this is not worth waking a thread for.
const WAKE_NS: u64 = 20_000;
/// Work below this is not worth cutting.
const SPLIT_NS: u64 = 20_000;
/// What a piece of a command should take.
const PIECE_NS: u64 = 10_000;
/// Nodes reported together at most, so that nobody waits long for a report.
const GATHERED: u32 = 64;
/// Looks for work before sleeping, some microseconds in all: whoever commits one small buffer after the other should not pay a wake-up
/// for each of them.
const LOOKS: u32 = 64;
/// Submitted tasks that lie about before another worker is called.
const BACKLOG: usize = 32;

impl Pool {
    pub(super) fn new(floor: Arc<Floor>, threads: usize) -> Self {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let unborn: Vec<Deque<Task>> = (0..threads).map(|_| Deque::new_fifo()).collect();
        let stealers: Box<[_]> = unborn.iter().map(Deque::stealer).collect();
        let shared = Arc::new_cyclic(|this: &Weak<Shared>| {
            let pool = this.clone();
            // What was thought to be short may be endless this time, with tiny work waiting behind it.
            let nudge = move || {
                if let Some(pool) = pool.upgrade().filter(|pool| pool.has_work()) {
                    pool.call(1);
                }
            };
            Shared {
                injector: Injector::new(),
                stealers,
                sleep: Sleep::new(),
                watchdog: Watchdog::new(threads, floor.limit, floor.clock(), nudge),
                unborn: Mutex::new(unborn),
                ready: Mutex::default(),
                floor,
            }
        });
        Self { shared }
    }

    /// Takes nodes over.
    pub(super) fn submit(&self, work: &Planned) {
        let shared = &self.shared;
        let mut ready = shared.ready.lock();
        shared.floor.graph.insert(work, Floor::weigh, &mut ready);
        let mut ns = 0_u64;
        let any = !ready.is_empty();
        for slot in ready.drain(..) {
            ns += u64::from(shared.floor.graph.weight(slot));
            shared.injector.push(Task::Node(slot));
        }
        drop(ready);
        if any {
            shared.bring(ns);
        }
    }

    /// Takes on a node that is ready now.
    pub(super) fn start(&self, slot: SlotIndex) {
        self.shared.injector.push(Task::Node(slot));
        self.shared.bring(0);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // The last handle may go on a worker itself, so nobody is waited for.
        self.shared.sleep.close();
    }
}

impl Shared {
    /// Work that takes so long can be found now.
    fn bring(self: &Arc<Self>, ns: u64) {
        if ns < WAKE_NS && self.sleep.will_look() {
            // Sooner than a sleeper could be woken.
            return;
        }
        self.call(u32::try_from(ns / WAKE_NS).unwrap_or(u32::MAX).max(1));
    }

    /// Gets so many workers going, those that sleep first.
    fn call(self: &Arc<Self>, count: u32) {
        let missing =
            count.min(self.stealers.len() as u32) - self.sleep.wake(count.min(self.stealers.len() as u32));
        if missing == 0 {
            return;
        }
        let mut unborn = self.unborn.lock();
        for _ in 0..missing {
            let Some(local) = unborn.pop() else { return };
            let worker = Worker::new(Arc::clone(self), unborn.len(), local);
            self.sleep.join();
            let spawned = std::thread::Builder::new()
                .name(format!("fencepost worker {}", unborn.len()))
                .spawn(move || worker.run());
            if spawned.is_err() {
                // The queue went with the worker; the others do the work.
                self.sleep.leave();
                return;
            }
        }
    }

    fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.stealers.iter().any(|stealer| !stealer.is_empty())
    }
}

/// One thread of the pool.
struct Worker {
    shared: Arc<Shared>,
    index: usize,
    local: Deque<Task>,
    bench: Bench,
    ready: Vec<SlotIndex>,
    gathered: Gathered,
    /// The clock when it was last read.
    now_ns: u64,
}

/// Nodes that have ended and were not reported.
#[derive(Default)]
struct Gathered {
    part: Option<Arc<Part>>,
    tag: u32,
    count: u32,
    started_ns: u64,
    ended_ns: u64,
}

impl Worker {
    fn new(shared: Arc<Shared>, index: usize, local: Deque<Task>) -> Self {
        Self {
            shared,
            index,
            local,
            bench: Bench::default(),
            ready: Vec::new(),
            gathered: Gathered::default(),
            now_ns: 0,
        }
    }

    fn run(mut self) {
        self.shared.watchdog.enter();
        loop {
            while let Some(task) = self.find() {
                self.execute(task);
            }
            if self.look() {
                continue;
            }
            self.shared.sleep.announce();
            if self.shared.has_work() {
                self.shared.sleep.cancel();
                continue;
            }
            self.shared.watchdog.leave();
            if !self.shared.sleep.sleep() {
                return;
            }
            self.shared.watchdog.enter();
        }
    }

    /// Waits a little for work to come.
    fn look(&self) -> bool {
        (0..LOOKS).any(|look| {
            for _ in 0..8 {
                std::hint::spin_loop();
            }
            if look % 16 == 15 {
                std::thread::yield_now();
            }
            self.shared.has_work()
        })
    }

    /// Something to do: one's own first, then what was submitted, then what others have.
    fn find(&mut self) -> Option<Task> {
        if let Some(task) = self.local.pop() {
            return Some(task);
        }
        self.gathered.flush();
        let task = self.steal();
        self.now_ns = self.shared.floor.now_ns();
        task
    }

    fn steal(&self) -> Option<Task> {
        loop {
            let others = self.shared.stealers.iter().enumerate().filter(|(index, _)| *index != self.index);
            let stolen = self
                .shared
                .injector
                .steal_batch_and_pop(&self.local)
                .or_else(|| others.map(|(_, other)| other.steal_batch_and_pop(&self.local)).collect());
            match stolen {
                Steal::Success(task) => {
                    if self.shared.sleep.sleepers() > 0 && self.shared.injector.len() > BACKLOG {
                        self.shared.call(1);
                    }
                    return Some(task);
                }
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    fn execute(&mut self, task: Task) {
        match task {
            Task::Help(split) => self.help(&split),
            Task::Node(slot) => {
                let shared = Arc::clone(&self.shared);
                let Some(payload) = shared.floor.graph.take(slot) else { return };
                match (&payload.cause, payload.work, &payload.part) {
                    (Some(cause), ..) => {
                        let outcome = skipped(cause);
                        self.end(slot, payload, outcome);
                    }
                    (None, Work::Command(command), Some(part)) => {
                        let job = Job::start(Arc::clone(part), command);
                        self.start(slot, payload, job);
                    }
                    _ => {
                        let now = self.now_ns;
                        self.end(slot, payload, Outcome::Done { started_ns: now, ended_ns: now });
                    }
                }
            }
        }
    }

    /// Runs a command here, or cuts it in pieces for everybody.
    fn start(&mut self, slot: SlotIndex, payload: Payload, job: Result<Option<Job>, crate::Error>) {
        let started_ns = self.now_ns;
        let mut job = match job {
            Ok(Some(job)) => job,
            Ok(None) => {
                return self.end(slot, payload, Outcome::Done { started_ns, ended_ns: started_ns });
            }
            Err(error) => return self.end(slot, payload, Outcome::Failed(error)),
        };
        loop {
            let units = job.units();
            // A first unit tells how long the others take, where nobody knows.
            let alone = match job.estimate_ns(units) {
                Some(ns) if ns < SPLIT_NS => units,
                Some(_) if units > 1 && self.shared.stealers.len() > 1 => 0,
                None if units > 1 && self.shared.stealers.len() > 1 => 1,
                _ => units,
            };
            if let Err(fault) = self.run_alone(&job, 0..alone, started_ns) {
                let error = self.shared.floor.error(fault, &job);
                return self.end(slot, payload, Outcome::Failed(error));
            }
            if alone < units {
                return self.split(slot, payload, job, alone, started_ns);
            }
            match job.next_phase() {
                Some(next) => job = next,
                None => break,
            }
        }
        let ended_ns = self.now_ns;
        self.end(slot, payload, Outcome::Done { started_ns, ended_ns });
    }

    /// Runs units of a command that nobody helps with. Before one that may be long, what has ended is reported, and what lies about is
    /// for others to take.
    fn run_alone(&mut self, job: &Job, units: std::ops::Range<u64>, started_ns: u64) -> Result<(), Fault> {
        if units.is_empty() {
            return Ok(());
        }
        let long = job.is_host() || job.estimate_ns(units.end).unwrap_or(UNKNOWN_NS) >= WAKE_NS;
        if !long {
            return self.run_units(job, units, started_ns);
        }
        self.gathered.flush();
        self.shared.sleep.occupy();
        if !self.local.is_empty() || !self.shared.injector.is_empty() {
            self.shared.call(u32::try_from(self.local.len()).unwrap_or(u32::MAX).max(1));
        }
        // Reports may take their time, which is not the command's: neither its limit nor its estimate counts it.
        self.now_ns = self.shared.floor.now_ns();
        let result = self.run_units(job, units, self.now_ns);
        self.shared.sleep.release();
        result
    }

    fn run_units(&mut self, job: &Job, units: std::ops::Range<u64>, started_ns: u64) -> Result<(), Fault> {
        let count = units.end - units.start;
        let began = self.now_ns;
        let post = self.shared.watchdog.post(self.index);
        post.watched.begin(started_ns);
        let result = job.run(units, &mut self.bench, &post.stop);
        post.end();
        self.now_ns = self.shared.floor.now_ns();
        job.note(count, self.now_ns - began);
        result
    }

    /// Lets others help with the units from `first` on, and helps.
    fn split(&mut self, slot: SlotIndex, payload: Payload, job: Job, first: u64, started_ns: u64) {
        let left = job.units() - first;
        let workers = self.shared.stealers.len() as u64;
        let unit_ns = job.estimate_ns(left).unwrap_or(UNKNOWN_NS).div_ceil(left).max(1);
        // A few pieces for each worker, so that the last one does not keep all others waiting; none too small.
        let piece = (left / (workers * 4)).max(PIECE_NS.div_ceil(unit_ns)).clamp(1, left);
        let helpers = (left.div_ceil(piece) - 1).min(workers - 1) as u32;
        let split = Arc::new(Split {
            claims: Claims::new(first..job.units(), piece),
            job,
            slot,
            payload: Mutex::new(Some(payload)),
            started_ns,
            faulted: AtomicBool::new(false),
            fault: Mutex::new(None),
        });
        for _ in 0..helpers {
            self.local.push(Task::Help(Arc::clone(&split)));
        }
        self.shared.call(helpers);
        self.help(&split);
    }

    fn help(&mut self, split: &Arc<Split>) {
        self.shared.sleep.occupy();
        if !self.shared.injector.is_empty() {
            self.shared.call(1);
        }
        self.help_on(split);
        self.shared.sleep.release();
    }

    fn help_on(&mut self, split: &Arc<Split>) {
        while let Some(piece) = split.claims.claim() {
            if !split.faulted.load(Ordering::Relaxed)
                && let Err(fault) = self.run_units(&split.job, piece.clone(), split.started_ns)
            {
                split.faulted.store(true, Ordering::Relaxed);
                split.fault.lock().get_or_insert(fault);
            }
            if split.claims.done(&piece) {
                self.finish(split);
            }
        }
    }

    /// All units of a split command have run.
    fn finish(&mut self, split: &Split) {
        // Only the one that ran the last piece comes here.
        let Some(payload) = split.payload.lock().take() else { return };
        if let Some(fault) = split.fault.lock().take() {
            let error = self.shared.floor.error(fault, &split.job);
            return self.end(split.slot, payload, Outcome::Failed(error));
        }
        match split.job.next_phase() {
            Some(job) => self.split(split.slot, payload, job, 0, split.started_ns),
            None => {
                let outcome = Outcome::Done { started_ns: split.started_ns, ended_ns: self.now_ns };
                self.end(split.slot, payload, outcome);
            }
        }
    }

    /// Reports a node, now or together with others, and takes on what was waiting for it.
    fn end(&mut self, slot: SlotIndex, payload: Payload, outcome: Outcome) {
        let floor = Arc::clone(&self.shared.floor);
        match (&outcome, &payload.part) {
            (Outcome::Done { started_ns, ended_ns }, Some(_)) if payload.tag & PlannedNode::ALONE == 0 => {
                floor.graph.end(slot, failure(&outcome), &mut self.ready);
                self.gathered.add(payload, *started_ns, *ended_ns);
            }
            _ => {
                // What was gathered came first.
                self.gathered.flush();
                floor.end(slot, payload, &outcome, &mut self.ready);
            }
        }
        let mut ns = 0_u64;
        for slot in self.ready.drain(..) {
            ns += u64::from(floor.graph.weight(slot));
            self.local.push(Task::Node(slot));
        }
        // One of them this worker runs itself.
        if ns >= 2 * WAKE_NS && self.shared.sleep.sleepers() > 0 && self.local.len() > 1 {
            self.shared.call(u32::try_from(ns / WAKE_NS - 1).unwrap_or(u32::MAX));
        }
    }
}

impl Gathered {
    fn add(&mut self, payload: Payload, started_ns: u64, ended_ns: u64) {
        let same = match (&self.part, &payload.part) {
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs) && self.tag == payload.tag,
            _ => false,
        };
        if !same || self.count >= GATHERED {
            self.flush();
            *self = Self { part: payload.part, tag: payload.tag, count: 0, started_ns, ended_ns };
        }
        self.count += 1;
        self.started_ns = self.started_ns.min(started_ns);
        self.ended_ns = self.ended_ns.max(ended_ns);
    }

    fn flush(&mut self) {
        let Some(part) = self.part.take() else { return };
        let outcome = Outcome::Done { started_ns: self.started_ns, ended_ns: self.ended_ns };
        part.completion.completed(self.tag, self.count, &outcome);
    }
}
