//! From nodes to submissions, and from points that were reached to nodes that have ended.
//!
//! ```text
//!   submit, open ─► nodes ─► waves ─► segments ─► command buffers ─► vkQueueSubmit2
//!                     held back ▲                                          │ points of timelines
//!   completions ◄── watcher ◄───┴──────────────────────────────────────────┘
//! ```
//!
//! Everything up to the submission happens under one lock and never waits. Completions come from the watcher's thread alone, with no
//! lock held: whoever submits holds locks of his own.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use fencepost_core::waves::{Emitted, Ended, Enforced, Kind, Segment, Step, Unit, Waves};
use fencepost_core::{NodeId, Stages};
use parking_lot::Mutex;

use super::context::Context;
use super::encode::{self, Encoder, Verdict};
use super::gpu::{Batch, Gpu};
use super::nodes::{Nodes, Ready};
use super::timeline::Timeline;
use super::tools::Tools;
use super::utility::Utility;
use crate::Error;
use crate::backend::{Outcome, Part, Planned, PlannedNode, Work};

/// Runs a device's nodes.
#[derive(Debug)]
pub(super) struct Executor {
    pub(super) gpu: Arc<Gpu>,
    pub(super) utility: Arc<Utility>,
    tools: Tools,
    clock: Instant,
    /// Wakes the watcher.
    bell: Timeline,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    nodes: Nodes<Flight>,
    waves: Waves,
    /// Where what is emitted is judged.
    enforced: Option<Enforced>,
    emitted: Emitted,
    flights: Vec<Option<Flight>>,
    free: Vec<u32>,
    lanes: Vec<Lane>,
    /// Have ended, and nobody was told.
    ended: Vec<u32>,
    lost: Option<Error>,
    /// How often the bell was rung.
    rung: u64,
    stop: bool,
    /// Submissions until one fails, for tests.
    fault_in: Option<u32>,
}

/// A node until it is reported.
#[derive(Debug)]
struct Flight {
    part: Arc<Part>,
    tag: u32,
    work: Work,
    /// Why it does not run: it has failed by itself (true), or follows what has.
    cause: Option<(bool, Error)>,
    verdict: Option<Verdict>,
    started_ns: u64,
}

/// A queue of the driver.
#[derive(Debug, Default)]
struct Lane {
    submitted: u64,
    in_flight: Vec<(u64, Context)>,
    spare: Vec<Context>,
    /// Units by the point of this lane that they need next.
    waiting: BTreeMap<u64, Vec<Ended>>,
    /// Up to which submission of the host its work has waited.
    utility: u64,
    /// Up to which of its own points its later work has waited.
    seen: u64,
    /// How far all devices of the GPU had come.
    others: u64,
    /// The watcher waits for it.
    watched: bool,
}

/// Nodes that ended so.
struct Report {
    part: Arc<Part>,
    tag: u32,
    count: u32,
    outcome: Outcome,
}

impl Executor {
    pub(super) fn new(gpu: &Arc<Gpu>) -> Result<Arc<Self>, Error> {
        let lanes = gpu.queue_count() as u32;
        let check = super::is_checked();
        let state = State {
            nodes: Nodes::new(),
            waves: Waves::new(lanes),
            enforced: check.then(|| Enforced::new(lanes)),
            emitted: Emitted::default(),
            flights: Vec::new(),
            free: Vec::new(),
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            ended: Vec::new(),
            lost: None,
            rung: 0,
            stop: false,
            fault_in: None,
        };
        Ok(Arc::new(Self {
            gpu: Arc::clone(gpu),
            utility: Utility::new(gpu)?,
            tools: Tools::new(gpu),
            clock: Instant::now(),
            bell: Timeline::new(gpu)?,
            state: Mutex::new(state),
        }))
    }

    pub(super) fn submit(&self, planned: &Planned) {
        let parts: Vec<Arc<Part>> = planned.parts.iter().cloned().map(Arc::new).collect();
        let mut state = self.state.lock();
        for node in &planned.nodes {
            let range = node.predecessors.start as usize..node.predecessors.end as usize;
            let part = Arc::clone(&parts[node.part as usize]);
            let flight =
                Flight { part, tag: node.tag, work: node.work, cause: None, verdict: None, started_ns: 0 };
            let waits = matches!(node.work, Work::Value);
            if let Some(ready) = state.nodes.take(node.id, &planned.predecessors[range], waits, flight) {
                let node = ready.node;
                if let Some(error) = state.place(self, ready) {
                    state.nodes.fail(node, &error);
                }
            }
        }
        state.flush(self);
    }

    pub(super) fn open(&self, node: NodeId) {
        let mut state = self.state.lock();
        // Out of the state while it is walked: placing needs the rest of it.
        let mut nodes = std::mem::replace(&mut state.nodes, Nodes::new());
        nodes.open(node, |ready| state.place(self, ready));
        state.nodes = nodes;
        state.flush(self);
    }

    pub(super) fn retire(&self, below: NodeId) {
        let mut state = self.state.lock();
        let names = state.nodes.retire(below);
        state.waves.retire(names);
        if let Some(enforced) = &mut state.enforced {
            enforced.retire(names);
        }
    }

    /// The watcher is to end when nothing is in flight any more.
    pub(super) fn stop(&self) {
        let mut state = self.state.lock();
        state.stop = true;
        state.ring(self);
    }

    /// From the given submission on, counted from the next, the driver is said to be lost.
    #[cfg(test)]
    pub(super) fn lose_at(&self, submission: u32) {
        self.state.lock().fault_in = Some(submission);
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Waits for timelines and reports what has ended, until the device is no more.
    pub(super) fn watch(&self) {
        loop {
            let busy = super::exit::busy();
            let mut state = self.state.lock();
            state.look(self);
            if state.lost.is_some() {
                state.give_up(self);
            }
            let reports = state.reports(self);
            if !reports.is_empty() {
                drop(state);
                for Report { part, tag, count, outcome } in reports {
                    part.completion.completed(tag, count, &outcome);
                }
                continue;
            }
            if state.stop && state.is_idle() {
                return;
            }
            let (semaphores, values) = state.next_points(self);
            drop(state);
            drop(busy);
            let answer = Timeline::wait_any(&self.gpu, &semaphores, &values, u64::MAX);
            if let Err(result) = answer {
                self.state.lock().lose(self.gpu.error("vkWaitSemaphores", result));
            }
        }
    }
}

impl State {
    /// Gives a node its place. An error: it will not run.
    fn place(&mut self, executor: &Executor, ready: Ready<Flight>) -> Option<Error> {
        let Ready { name, predecessors, cause, payload: mut flight, .. } = ready;
        flight.cause = self.why_not(executor, &flight, cause);
        let error = flight.cause.as_ref().map(|(_, error)| error.clone());
        let stage = match (&flight.part.recording, flight.work) {
            (Some(recording), Work::Command(command)) if error.is_none() => encode::stage(recording, command),
            _ => None,
        };
        let kind = match stage {
            Some(stage) => Kind::Work(stage),
            None if flight.tag & PlannedNode::ALONE != 0 => Kind::Point,
            None => Kind::Gate,
        };
        let lane = flight.part.queue % self.lanes.len() as u32;
        let tag = self.fly(flight);
        let unit = Unit { node: name, predecessors: &predecessors, lane, tag, kind };
        if self.lost.is_some() {
            // No point will be reached any more, and no order matters.
            self.ended.push(tag);
            return error;
        }
        if let Some(enforced) = &mut self.enforced {
            enforced.note(&unit);
        }
        self.waves.place(unit);
        error
    }

    fn why_not(&self, executor: &Executor, flight: &Flight, cause: Option<Error>) -> Option<(bool, Error)> {
        if let Some(error) = cause {
            return Some((false, error));
        }
        if let Some(error) = &self.lost {
            return Some((true, error.clone()));
        }
        if matches!(flight.work, Work::Value) {
            return None;
        }
        if let Some(error) = flight.part.completion.refused() {
            return Some((false, error));
        }
        match (&flight.part.recording, flight.work) {
            (Some(recording), Work::Command(command)) => {
                encode::check(&executor.gpu, recording, command).err().map(|error| (true, error))
            }
            _ => None,
        }
    }

    fn fly(&mut self, flight: Flight) -> u32 {
        match self.free.pop() {
            Some(tag) => {
                self.flights[tag as usize] = Some(flight);
                tag
            }
            None => {
                self.flights.push(Some(flight));
                self.flights.len() as u32 - 1
            }
        }
    }

    /// Hands everything that has a place to the driver.
    fn flush(&mut self, executor: &Executor) {
        let mut emitted = std::mem::take(&mut self.emitted);
        self.waves.flush(&mut emitted);
        if let Some(enforced) = &mut self.enforced
            && let Err(wrong) = enforced.check(&emitted)
        {
            // Asked for by those who test this crate: a wrong plan is a bug of ours, and no program should go on with it.
            panic!("the plan for the driver does not enforce the order of work: {wrong:?}");
        }
        self.hand_over(executor, &emitted);
        for ended in emitted.ended.drain(..) {
            self.await_points(executor, ended);
        }
        if self.lost.is_some() || !self.ended.is_empty() || self.has_unwatched() {
            self.ring(executor);
        }
        self.emitted = emitted;
    }

    fn hand_over(&mut self, executor: &Executor, emitted: &Emitted) {
        let mut batches: Vec<Batch> = Vec::new();
        let mut lane = 0;
        for segment in &emitted.segments {
            if segment.lane != lane {
                self.submit(executor, lane, &mut batches);
                lane = segment.lane;
            }
            match self.record(executor, segment, emitted.steps_of(segment)) {
                Ok(batch) => batches.push(batch),
                Err(error) => self.lose(error),
            }
        }
        self.submit(executor, lane, &mut batches);
    }

    fn submit(&mut self, executor: &Executor, lane: u32, batches: &mut Vec<Batch>) {
        let Some(last) = batches.last().map(|batch| batch.signal.1) else { return };
        if self.fault() {
            self.lose(executor.gpu.error("vkQueueSubmit2", ash::vk::Result::ERROR_DEVICE_LOST));
        }
        if self.lost.is_none() {
            match executor.gpu.submit(lane as usize, batches) {
                Ok(()) => self.lanes[lane as usize].submitted = last,
                Err(result) => self.lose(executor.gpu.error("vkQueueSubmit2", result)),
            }
        }
        batches.clear();
    }

    /// Records a segment. An error is one that nothing can be submitted after.
    fn record(&mut self, executor: &Executor, segment: &Segment, steps: &[Step]) -> Result<Batch, Error> {
        let gpu = &*executor.gpu;
        let index = segment.lane as usize;
        let mut context = match self.lanes[index].spare.pop() {
            Some(context) => context,
            None => Context::new(&executor.gpu)?,
        };
        let failed = |result| gpu.error("a command buffer", result);
        let commands = context.commands.begin(gpu).map_err(failed)?;
        let buffer = commands.raw;
        let now = executor.now_ns();
        let news = self.host_news(executor, index);
        if news.is_some() {
            commands.to_layers();
        }
        let mut encoder = Encoder::new(commands, &mut context, &executor.tools);
        for step in steps {
            match step {
                Step::Barrier { after, before } => encoder.commands.barrier(*after, *before),
                Step::Run(tag) => {
                    if let Some(Some(flight)) = self.flights.get_mut(*tag as usize) {
                        flight.started_ns = now;
                        flight.encode(&mut encoder);
                    }
                }
            }
        }
        if encoder.used != Stages::empty() {
            commands.to_host(encoder.used);
        }
        commands.end().map_err(failed)?;
        let lanes = &executor.utility.lanes;
        let mut waits: Vec<_> =
            segment.waits.iter().map(|(lane, point)| (lanes[*lane as usize].raw, *point)).collect();
        waits.extend(news.into_iter().flatten());
        let lane = &mut self.lanes[index];
        lane.in_flight.push((segment.point, context));
        Ok(Batch { waits, commands: buffer, signal: (lanes[index].raw, segment.point) })
    }

    /// What the host has seen to be complete since a lane's last submission: that is ordered, but only a wait makes its writes visible to
    /// what comes now.
    fn host_news(&mut self, executor: &Executor, index: usize) -> Option<[(ash::vk::Semaphore, u64); 2]> {
        let Utility { lanes, timeline, .. } = &*executor.utility;
        let (own, host) = (lanes[index].reached(), timeline.reached());
        let lane = &mut self.lanes[index];
        let others = executor.gpu.progress();
        if own <= lane.seen && host <= lane.utility && others == lane.others {
            return None;
        }
        (lane.seen, lane.utility, lane.others) = (own, host, others);
        Some([(lanes[index].raw, own), (timeline.raw, host)])
    }

    /// A unit ends with the last of its points; it stands with the first that has not been seen.
    fn await_points(&mut self, executor: &Executor, ended: Ended) {
        let lanes = &executor.utility.lanes;
        let open = ended.needs.iter().find(|(lane, point)| lanes[*lane as usize].reached() < *point);
        match open {
            Some(&(lane, point)) => {
                self.lanes[lane as usize].waiting.entry(point).or_default().push(ended);
            }
            None => self.ended.push(ended.tag),
        }
    }

    /// Looks at the timelines.
    fn look(&mut self, executor: &Executor) {
        let mut found = Vec::new();
        for (index, timeline) in executor.utility.lanes.iter().enumerate() {
            let lane = &mut self.lanes[index];
            if lane.waiting.is_empty() && lane.in_flight.is_empty() {
                continue;
            }
            let value = match timeline.look() {
                Ok(value) => value,
                Err(result) => {
                    self.lose(executor.gpu.error("vkGetSemaphoreCounterValue", result));
                    return;
                }
            };
            let later = lane.waiting.split_off(&(value + 1));
            found.extend(std::mem::replace(&mut lane.waiting, later).into_values().flatten());
            self.waves.completed(index as u32, value);
            if let Some(enforced) = &mut self.enforced {
                enforced.completed(index as u32, value);
            }
        }
        found.into_iter().for_each(|ended| self.await_points(executor, ended));
    }

    /// What is to be told. Contexts of segments that have ended are free from here on.
    fn reports(&mut self, executor: &Executor) -> Vec<Report> {
        let now = executor.now_ns();
        let mut reports: Vec<Report> = Vec::new();
        for tag in std::mem::take(&mut self.ended) {
            let Some(flight) = self.flights.get_mut(tag as usize).and_then(Option::take) else { continue };
            self.free.push(tag);
            let alone = flight.tag & PlannedNode::ALONE != 0;
            let (part, tag) = (Arc::clone(&flight.part), flight.tag);
            let outcome = flight.outcome(now);
            let same = reports.last_mut().filter(|last| {
                !alone
                    && last.tag == tag
                    && Arc::ptr_eq(&last.part, &part)
                    && matches!((&last.outcome, &outcome), (Outcome::Done { .. }, Outcome::Done { .. }))
            });
            match (same, &outcome) {
                (Some(last), Outcome::Done { started_ns, .. }) => {
                    last.count += 1;
                    if let Outcome::Done { started_ns: first, .. } = &mut last.outcome {
                        *first = (*first).min(*started_ns);
                    }
                }
                _ => reports.push(Report { part, tag, count: 1, outcome }),
            }
        }
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let reached = executor.utility.lanes[index].reached();
            for (_, mut context) in lane.in_flight.extract_if(.., |(point, _)| *point <= reached) {
                context.recycle();
                lane.spare.push(context);
            }
        }
        reports
    }

    /// The points to wait for, the bell among them.
    fn next_points(&mut self, executor: &Executor) -> (Vec<ash::vk::Semaphore>, Vec<u64>) {
        let (mut semaphores, mut values) = (vec![executor.bell.raw], vec![self.rung + 1]);
        for (index, (lane, timeline)) in self.lanes.iter_mut().zip(&executor.utility.lanes).enumerate() {
            lane.watched = lane.submitted > timeline.reached();
            // The first one always, since one wait for one semaphore makes some validation layers wait for themselves.
            if lane.watched || index == 0 {
                semaphores.push(timeline.raw);
                values.push(timeline.reached() + 1);
            }
        }
        (semaphores, values)
    }

    fn has_unwatched(&self) -> bool {
        self.lanes
            .iter()
            .any(|lane| !lane.watched && (!lane.waiting.is_empty() || !lane.in_flight.is_empty()))
    }

    fn ring(&mut self, executor: &Executor) {
        self.rung += 1;
        if let Err(result) = executor.bell.raise(self.rung) {
            self.lose(executor.gpu.error("vkSignalSemaphore", result));
        }
    }

    /// Nothing more goes to the driver.
    fn lose(&mut self, error: Error) {
        self.lost.get_or_insert(error);
    }

    /// The device is lost: all that was in flight has failed, once the driver is done with what it had.
    fn give_up(&mut self, executor: &Executor) {
        let Some(error) = self.lost.clone() else { return };
        for (lane, timeline) in self.lanes.iter_mut().zip(&executor.utility.lanes) {
            // A device that is really lost says so at once; otherwise what was submitted comes to its end.
            timeline.wait(lane.submitted).ok();
            for ended in std::mem::take(&mut lane.waiting).into_values().flatten() {
                let reached =
                    |(lane, point): &(u32, u64)| executor.utility.lanes[*lane as usize].reached() >= *point;
                if let Some(Some(flight)) = self.flights.get_mut(ended.tag as usize)
                    && !ended.needs.iter().all(reached)
                {
                    flight.cause.get_or_insert_with(|| (true, error.clone()));
                }
                self.ended.push(ended.tag);
            }
            lane.in_flight.clear();
        }
    }

    fn is_idle(&self) -> bool {
        self.ended.is_empty()
            && self.nodes.none_held()
            && self.lanes.iter().all(|lane| lane.waiting.is_empty() && lane.in_flight.is_empty())
    }

    fn fault(&mut self) -> bool {
        match &mut self.fault_in {
            None => false,
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }
}

impl Flight {
    fn encode(&mut self, encoder: &mut Encoder<'_>) {
        let (Some(recording), Work::Command(command)) = (self.part.recording.as_deref(), self.work) else {
            return;
        };
        match encoder.command(recording, command) {
            Ok(verdict) => self.verdict = verdict,
            // What follows has its place already and runs; this command buffer ends with the error.
            Err(error) => self.cause = Some((true, error)),
        }
    }

    fn outcome(self, now: u64) -> Outcome {
        let found = self.verdict.as_ref().and_then(Verdict::error).map(|error| (true, error));
        match self.cause.or(found) {
            None if self.started_ns == 0 => Outcome::Done { started_ns: now, ended_ns: now },
            None => Outcome::Done { started_ns: self.started_ns, ended_ns: now },
            Some((true, error)) => Outcome::Failed(error),
            Some((false, error)) => Outcome::Skipped(error),
        }
    }
}
