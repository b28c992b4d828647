//! The heads of the queues: what may be handed over is fed to the engine and becomes part of the plan.
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use fencepost_core::{Access, BarrierFilter, Engine, NodeId, Places, QueueId, Stages};
use smallvec::SmallVec;

use super::part::{GATE, Part, Signal, Waited};
use super::queue::{Committed, Cursor, Entry, Queue};
use super::{After, State, Submission, dependency};
use crate::backend::{Part as BackendPart, PlannedNode, Work};
use crate::record::{Item, Recording};
use crate::signal::{EventBody, EventUser, Gate, SignalRight, Standing};
use crate::{DispatchType, Error};

/// How far feeding came.
enum Fed {
    /// All of it.
    All,
    /// Up to a wait that may be handed over, in a part of its own: if it fails, what is in front of it goes on.
    Part,
    /// Up to a wait for a value that nobody has promised.
    Held { event: Arc<EventBody>, value: u64 },
    /// Up to a wait for a value whose signal will never run, and no other queue has anything left that might give it.
    Broken(Error),
}

/// How far a queue's first entry came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is done with.
    Done,
    /// Some of it was handed over: what it signals may release others.
    Partly,
    Stuck,
}

impl Submission {
    /// Hands over what may be handed over of each queue. True: something moved, so others may move too.
    pub(super) fn hand_over(&self, state: &mut State, now: Instant, after: &mut Vec<After>) -> bool {
        let mut moved = false;
        // Removal of one that is empty and closed leaves the others in their order.
        for index in (0..state.queues.len()).rev() {
            loop {
                let step = self.hand_over_head(state, index, now, after);
                moved |= step != Step::Stuck;
                if step != Step::Done {
                    break;
                }
            }
        }
        moved
    }

    /// Hands over what may be handed over of one queue's first entry.
    fn hand_over_head(&self, state: &mut State, index: usize, now: Instant, after: &mut Vec<After>) -> Step {
        let (id, queue) = &mut state.queues[index];
        let id = *id;
        match queue.entries.pop_front() {
            None => {
                if queue.closed {
                    state.queues.remove(index);
                    state.engine.remove_queue(id);
                }
                Step::Stuck
            }
            Some(Entry::Reserved(buffer)) => {
                // A buffer that was dropped before its commit holds nothing back.
                if buffer.strong_count() == 0 {
                    return Step::Done;
                }
                queue.entries.push_front(Entry::Reserved(buffer));
                Step::Stuck
            }
            Some(Entry::Signal { event, value }) => {
                self.feed_signal(state, id, event, value);
                Step::Done
            }
            Some(Entry::Wait { event, value }) => {
                let step = self.feed_wait(state, id, &event, value, now, after);
                after.push(After::DropEvent(event));
                step
            }
            Some(Entry::Committed(committed)) => self.feed_committed(state, id, committed, now, after),
        }
    }

    fn feed_signal(&self, state: &mut State, queue: QueueId, event: SignalRight, value: u64) {
        let node = state.engine.signal_event(queue);
        event.promise(self.device(), value, node);
        state.assigned.push((node, PlannedNode::ALONE, Work::Gate));
        let vouches = state.queue(queue).map(Queue::vouch).unwrap_or_default();
        let signals = vec![Signal { event, value, node, item: 0, passes: 0, vouches }];
        self.close_part(state, queue, Feed { signals, ..Feed::default() });
    }

    /// A wait of an explicit queue. When it times out, the later work is released (rule 6.8); when its signal fails, what has been
    /// committed behind it fails as well, just as if it had been handed over before.
    fn feed_wait(
        &self,
        state: &mut State,
        queue: QueueId,
        event: &Arc<EventBody>,
        value: u64,
        now: Instant,
        after: &mut Vec<After>,
    ) -> Step {
        let user: Weak<dyn EventUser> = self.this.clone();
        let standing = event.standing(value, &user);
        let standing = state.or_held(self.device(), queue, event, standing);
        if matches!(standing, Standing::Held) && !state.has_timed_out(queue, now) {
            state.note_held(event, value);
            if let Some(queue) = state.queue(queue) {
                queue.entries.push_front(Entry::Wait { event: Arc::clone(event), value });
            }
            return Step::Stuck;
        }
        match standing {
            Standing::Promised => {
                let waited = self.feed_value(state, queue, event, value, now);
                state.begin_work(queue);
                self.close_part(state, queue, Feed { waited: Some(waited), ..Feed::default() });
            }
            Standing::Broken(error) => {
                state.fail_stretch(queue, &dependency(&error));
                self.break_behind(state, queue, &dependency(&error), after);
            }
            Standing::Reached | Standing::Held => {
                state.begin_work(queue);
                state.engine.wait_for_event(queue, &[]);
            }
        }
        state.unhold(queue);
        Step::Done
    }

    /// A wait for a value that a signal in flight has promised: a node that the event opens.
    fn feed_value(
        &self,
        state: &mut State,
        queue: QueueId,
        event: &Arc<EventBody>,
        value: u64,
        now: Instant,
    ) -> Waited {
        let node = state.engine.wait_for_value(queue);
        state.assigned.push((node, GATE, Work::Value));
        let user: Weak<dyn EventUser> = self.this.clone();
        let since = state.queue(queue).and_then(|queue| queue.held_since).unwrap_or(now);
        Waited { gate: Arc::new(Gate::new(&user, event, node, value, since)), event: Arc::clone(event) }
    }

    /// All that a queue has accepted fails.
    pub(super) fn break_behind(
        &self,
        state: &mut State,
        queue: QueueId,
        error: &Error,
        after: &mut Vec<After>,
    ) {
        let entries = state.queue(queue).map(|queue| std::mem::take(&mut queue.entries));
        for entry in entries.unwrap_or_default() {
            match entry {
                Entry::Committed(committed) => {
                    committed.state.fail(error);
                    self.break_rest(state, queue, committed, after);
                }
                Entry::Signal { event, value } => {
                    state.queue(queue).map(Queue::vouch);
                    self.break_signal(&event, value, error, after);
                    after.push(After::DropSignal(event));
                }
                Entry::Wait { event, .. } => {
                    state.fail_stretch(queue, error);
                    after.push(After::DropEvent(event));
                }
                // Its buffer finds no place any more when it is committed, and takes one at the end.
                Entry::Reserved(_) => {}
            }
        }
    }

    fn feed_committed(
        &self,
        state: &mut State,
        queue: QueueId,
        mut committed: Committed,
        now: Instant,
        after: &mut Vec<After>,
    ) -> Step {
        if let Some(queue) = state.queue(queue) {
            queue.line_up(&mut committed);
        }
        if committed.state.has_failed() {
            state.unhold(queue);
            self.break_rest(state, queue, committed, after);
            return Step::Done;
        }
        let start = committed.cursor.item;
        let fed = loop {
            match self.feed_part(state, queue, &mut committed, now, after) {
                Fed::Part => {}
                fed => break fed,
            }
        };
        let moved = committed.cursor.item > start;
        match fed {
            Fed::All | Fed::Part => {
                state.unhold(queue);
                after.push(After::Close(committed.state));
                Step::Done
            }
            Fed::Held { event, value } => {
                if moved {
                    state.unhold(queue);
                }
                if state.has_timed_out(queue, now) {
                    return self.time_out(state, queue, committed, &event, value, after);
                }
                state.note_held(&event, value);
                if let Some(queue) = state.queue(queue) {
                    queue.entries.push_front(Entry::Committed(committed));
                }
                if moved { Step::Partly } else { Step::Stuck }
            }
            Fed::Broken(error) => {
                state.unhold(queue);
                committed.state.fail(&dependency(&error));
                self.break_rest(state, queue, committed, after);
                Step::Done
            }
        }
    }

    /// Hands over a part of a buffer.
    fn feed_part(
        &self,
        state: &mut State,
        queue: QueueId,
        committed: &mut Committed,
        now: Instant,
        after: &mut Vec<After>,
    ) -> Fed {
        let mut feed =
            Feed { items_start: committed.cursor.item, committed: Some(committed), ..Feed::default() };
        let mut cursor = committed.cursor;
        let fed = self.feed_items(state, queue, &committed.recording, &mut cursor, &mut feed, now);
        if matches!(fed, Fed::All) && !cursor.marked {
            // Nothing that could end stands for the end of the buffer: a point behind all that the queue accepted before does.
            let node = state.engine.signal_event(queue);
            state.assigned.push((node, GATE, Work::Gate));
        }
        feed.items_end = cursor.item;
        let handed_over = self.close_part(state, queue, feed);
        committed.cursor = cursor;
        if handed_over {
            committed.state.open();
            after.push(After::Scheduled(Arc::clone(&committed.state)));
        }
        fed
    }

    /// A wait has waited too long: on a tracked queue its buffer ends with an error (rule 6.8).
    fn time_out(
        &self,
        state: &mut State,
        queue: QueueId,
        committed: Committed,
        event: &EventBody,
        value: u64,
        after: &mut Vec<After>,
    ) -> Step {
        state.unhold(queue);
        committed.state.fail(&state.timed_out(event, value));
        self.break_rest(state, queue, committed, after);
        Step::Done
    }

    /// A buffer has failed: its remaining signals are never executed (rule 6.13), and nothing more of it is handed over.
    pub(super) fn break_rest(
        &self,
        state: &mut State,
        queue: QueueId,
        committed: Committed,
        after: &mut Vec<After>,
    ) {
        if let Some(first) = committed.state.error() {
            let error = dependency(&first);
            let rest = &committed.recording.items[committed.cursor.item..];
            if let Some(queue) = state.queue(queue) {
                queue.skip(rest, &error);
            }
            for item in rest {
                if let Item::SignalEvent { event, value } = item {
                    self.break_signal(event, *value, &error, after);
                }
            }
        }
        after.push(After::Close(committed.state));
        after.push(After::DropRecording(committed.recording));
    }

    /// Here and now, so that whoever of this device waits for it is reached by the loop over the heads and not by another call inside
    /// this one: a chain of failures may be as long as it likes.
    fn break_signal(&self, event: &EventBody, value: u64, error: &Error, after: &mut Vec<After>) {
        let own = self.device();
        let others = event.break_signal(value, error).into_iter();
        after.extend(others.filter(|user| user.as_ptr().cast::<()>().addr() != own).map(After::Pump));
    }

    fn feed_items(
        &self,
        state: &mut State,
        queue: QueueId,
        recording: &Arc<Recording>,
        cursor: &mut Cursor,
        feed: &mut Feed<'_>,
        now: Instant,
    ) -> Fed {
        while let Some(item) = recording.items.get(cursor.item) {
            match item {
                Item::WaitForEvent { event, value } => {
                    let user: Weak<dyn EventUser> = self.this.clone();
                    let standing = event.standing(*value, &user);
                    match state.or_held(self.device(), queue, event, standing) {
                        Standing::Reached => state.engine.wait_for_event(queue, &[]),
                        Standing::Promised if cursor.item > feed.items_start => return Fed::Part,
                        Standing::Promised => {
                            feed.waited = Some(self.feed_value(state, queue, event, *value, now));
                            state.unhold(queue);
                        }
                        Standing::Broken(error) => return Fed::Broken(error),
                        Standing::Held => return Fed::Held { event: Arc::clone(event), value: *value },
                    }
                    state.begin_work(queue);
                    cursor.marked = false;
                }
                Item::SignalEvent { event, value } => {
                    let node = state.engine.signal_event(queue);
                    event.promise(self.device(), *value, node);
                    let tag = PlannedNode::ALONE | feed.signals.len() as u32;
                    state.assigned.push((node, tag, Work::Gate));
                    let vouches = state.queue(queue).map(Queue::vouch).unwrap_or_default();
                    let (event, item, passes) = (event.clone(), cursor.item + 1, cursor.passes);
                    feed.signals.push(Signal { event, value: *value, node, item, passes, vouches });
                    cursor.marked = true;
                }
                item => {
                    if matches!(item, Item::BeginPass { .. }) {
                        state.begin_work(queue);
                    }
                    state.feed_item(queue, recording, item, cursor);
                }
            }
            cursor.item += 1;
        }
        Fed::All
    }

    /// Turns what was fed into a part of the plan. False: there was nothing in it.
    fn close_part(&self, state: &mut State, queue: QueueId, feed: Feed<'_>) -> bool {
        state.plan.clear();
        state.engine.take_plan(&mut state.plan);
        let Some(last) = state.plan.nodes.last() else { return false };
        let nodes_end = NodeId(last.id.0 + 1);
        // The submission is alive: somebody called it.
        let Some(submission) = self.this.upgrade() else { return false };
        if let Some(committed) = feed.committed {
            committed.state.open();
        }
        let part = Arc::new(Part {
            submission,
            queue,
            owner: feed.committed.map(|committed| Arc::clone(&committed.state)),
            recording: feed.committed.map(|committed| Arc::clone(&committed.recording)),
            items: feed.items_start..feed.items_end,
            nodes_end,
            signals: feed.signals,
            stretch: state.queue(queue).map(|queue| queue.present_stretch()).unwrap_or_default(),
            edges: state.edges_behind_waits(feed.waited.as_ref()),
            waited: feed.waited,
            refused: OnceLock::new(),
            remaining: AtomicU32::new(state.plan.nodes.len() as u32),
            reached: AtomicUsize::new(0),
            signaled: AtomicBool::new(false),
        });
        let recording = part.recording.clone();
        // Names of queues that are gone are given out again, with a count on top.
        let number = queue.0 & 0x00ff_ffff;
        state.plan_part(BackendPart { recording, queue: number, completion: Arc::clone(&part) as _ });
        if let Some(waited) = &part.waited {
            state.enrolling.push(Arc::clone(&part));
            state.shut.push_back(Arc::clone(&waited.gate));
            if let Some(queue) = state.queue(queue) {
                queue.note_waited(&waited.gate);
            }
        }
        state.in_flight.push_back(part);
        true
    }
}

/// Whether one stage of a command writes what another one touches: the command's own affair, which no rule orders.
fn hands_on(engine: &Engine, stages: Stages, accesses: &[Access]) -> bool {
    let conflicts = |(index, one): (usize, &Access)| {
        let others = accesses[index + 1..].iter().filter(|other| other.stage != one.stage);
        others.into_iter().any(|other| engine.conflict(one, other).is_some())
    };
    stages.bits().count_ones() > 1 && accesses.iter().enumerate().any(conflicts)
}

/// A part while it is being fed.
#[derive(Default)]
struct Feed<'a> {
    committed: Option<&'a Committed>,
    items_start: usize,
    items_end: usize,
    signals: Vec<Signal>,
    waited: Option<Waited>,
}

impl State {
    fn feed_item(&mut self, queue: QueueId, recording: &Recording, item: &Item, cursor: &mut Cursor) {
        let engine = &mut self.engine;
        match item {
            Item::BeginPass { dispatch_type, .. } => {
                engine.begin_pass(queue, matches!(dispatch_type, DispatchType::Serial));
                cursor.passes += 1;
            }
            Item::EndPass => engine.end_pass(queue),
            Item::Command { stages, accesses, .. } => {
                let accesses = &recording.accesses[accesses.start as usize..accesses.end as usize];
                let first = if hands_on(engine, *stages, accesses) {
                    engine.command_in_stages(queue, *stages, accesses)
                } else {
                    engine.command(queue, *stages, accesses)
                };
                // A node and a command for each stage.
                let pass = cursor.passes.saturating_sub(1);
                for number in 0..stages.bits().count_ones() {
                    let node = NodeId(first.0 + u64::from(number));
                    self.assigned.push((node, pass, Work::Command(cursor.command)));
                    cursor.command += 1;
                }
                cursor.marked = true;
            }
            Item::Declare { accesses } => {
                engine.declare(queue, &recording.accesses[accesses.start as usize..accesses.end as usize]);
            }
            // Nothing orders what is reached through pointers, and attachments are in the accesses of their draws.
            Item::Hidden { .. } | Item::Attach { .. } => {}
            idle if idle.is_idle() => {}
            Item::Barrier { after, before, visibility } => {
                engine.barrier(queue, *after, *before, *visibility)
            }
            Item::MemoryBarrier { scope, resources, after, before } => {
                let named = &recording.accesses[resources.start as usize..resources.end as usize];
                let resources: SmallVec<[_; 8]> = named.iter().map(|access| access.resource).collect();
                let filter = if resources.is_empty() {
                    BarrierFilter::Scope(*scope)
                } else {
                    BarrierFilter::Resources(&resources)
                };
                engine.memory_barrier(queue, filter, *after, *before);
            }
            Item::ConsumerBarrier { after_queue, before, visibility } => {
                engine.consumer_barrier(queue, *after_queue, *before, *visibility);
            }
            Item::ProducerBarrier { after, before_queue, visibility } => {
                engine.producer_barrier(queue, *after, *before_queue, *visibility);
            }
            Item::UpdateFence { fence, after } => engine.update_fence(queue, *fence, *after),
            Item::WaitForFence { fence, before } => engine.wait_for_fence(queue, *fence, *before),
            Item::SignalEvent { .. } | Item::WaitForEvent { .. } => {
                unreachable!("event operations are fed by the caller")
            }
        }
    }

    /// Appends the engine's plan to what goes to the backend, each node with its work.
    fn plan_part(&mut self, part: BackendPart) {
        let planned = &mut self.planned;
        let index = planned.parts.len() as u32;
        planned.parts.push(part);
        let shift = planned.predecessors.len() as u32;
        planned.predecessors.extend_from_slice(&self.plan.predecessors);
        let mut assigned = self.assigned.drain(..).peekable();
        planned.nodes.extend(self.plan.nodes.iter().map(|node| {
            let (_, tag, work) =
                assigned.next_if(|(id, ..)| *id == node.id).unwrap_or((node.id, GATE, Work::Gate));
            let predecessors = node.predecessors.start + shift..node.predecessors.end + shift;
            PlannedNode { id: node.id, predecessors, part: index, tag, work }
        }));
    }

    /// The queue has come to something that the next signal vouches for.
    fn begin_work(&mut self, queue: QueueId) {
        if let Some(queue) = self.queue(queue) {
            queue.stretch();
        }
    }

    /// The same, and it has failed already.
    pub(super) fn fail_stretch(&mut self, queue: QueueId, error: &Error) {
        if let Some(queue) = self.queue(queue) {
            queue.stretch().fail(error);
        }
    }

    /// What each node of the plan follows, where a wait is in flight that it may be behind.
    fn edges_behind_waits(&mut self, waited: Option<&Waited>) -> Box<[(NodeId, NodeId)]> {
        while self.shut.front().is_some_and(|gate| gate.is_open()) {
            self.shut.pop_front();
        }
        if self.shut.is_empty() && waited.is_none() {
            return Box::default();
        }
        let plan = &self.plan;
        let of = |node| plan.predecessors_of(node).iter();
        plan.nodes.iter().flat_map(|node| of(node).map(|before| (node.id, *before))).collect()
    }

    /// Notes that a queue is held; true when it has been held for too long.
    fn has_timed_out(&mut self, queue: QueueId, now: Instant) -> bool {
        let timeout = self.event_timeout;
        let Some(queue) = self.queue(queue) else { return false };
        let since = *queue.held_since.get_or_insert(now);
        timeout.is_some_and(|timeout| now.saturating_duration_since(since) >= timeout)
    }

    pub(super) fn unhold(&mut self, queue: QueueId) {
        if let Some(queue) = self.queue(queue) {
            queue.held_since = None;
        }
    }
}
