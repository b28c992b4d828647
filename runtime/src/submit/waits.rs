//! Waits that do not pass: those in flight that fail or take too long, and those that nobody is left to release.
//!
//! A wait in flight holds all of its queue that is behind it, and fails only what is its own: on a tracked queue the rest of its command
//! buffer, on an explicit queue all that was committed behind it (rule 6.13). So a failed wait is passed like any other, and what it
//! fails is refused before it starts.
//!
//! Whether anybody is left to release a wait is asked of a picture of all that waits and signals ([`World`]). Where no other device uses
//! the events that are in question, the picture of this one is enough, and is judged under its lock, so that a chain of failures may be as
//! long as it likes. Where another one does, all devices of the process are looked at, with no lock held in between.
use std::sync::{Arc, Weak};
use std::time::Instant;

use fencepost_core::{NodeId, QueueId};
use parking_lot::Mutex;

use super::part::Part;
use super::queue::Entry;
use super::world::{Wait, World};
use super::{After, State, Submission, dependency};
use crate::Error;
use crate::error::{DeviceError, SubmitError};
use crate::signal::{EventBody, Gate, Standing};

impl Submission {
    /// A wait in flight has failed: what is behind it is refused, and it is passed.
    pub(super) fn fail_behind(&self, node: NodeId, error: &Error) {
        let mut after = Vec::new();
        let mut passed = Vec::new();
        {
            let mut state = self.lock();
            let first = state.in_flight.partition_point(|part| part.nodes_end <= node);
            let Some(part) = state.in_flight.get(first).cloned() else { return };
            for other in state.in_flight.range(first..).filter(|other| other.queue == part.queue) {
                if other.fails_with(&part) {
                    other.refuse(error);
                    passed.extend(other.waited.as_ref().map(|waited| Arc::clone(&waited.gate)));
                }
            }
            if part.owner.is_none() {
                self.break_behind(&mut state, part.queue, error, &mut after);
            }
        }
        // This node's own wait counts as passed already: whoever calls has claimed it.
        self.backend.open(node);
        passed.iter().for_each(|gate| gate.give_up(None));
        after.into_iter().for_each(After::run);
        crate::signal::EventUser::pump(self);
    }

    /// Waits in flight that have taken too long (rule 6.8).
    pub(super) fn time_out_waits(&self, state: &mut State, now: Instant, after: &mut Vec<After>) {
        let Some(timeout) = state.event_timeout else { return };
        let mut late = Vec::new();
        for (_, queue) in &mut state.queues {
            if let Some((gate, since)) = queue.first_wait()
                && now.saturating_duration_since(since) >= timeout
            {
                late.push(Arc::clone(gate));
            }
        }
        for gate in late {
            // Of a command buffer the wait fails it; of a queue it is let go.
            let owned = state.part_of(gate.node()).is_some_and(|part| part.owner.is_some());
            let event = gate.event().filter(|_| owned);
            let error = event.as_ref().map(|event| state.timed_out(event, gate.value()));
            after.extend(event.map(After::DropEvent));
            after.push(After::TimeOut(gate, error));
        }
    }

    /// Fails the waits that nobody is left to release. True: something moved.
    pub(super) fn review_waits(&self, state: &mut State, after: &mut Vec<After>) -> bool {
        state.doubted.retain(|(_, gate, _)| !gate.is_open());
        if !std::mem::take(&mut state.review_due) && state.doubted.is_empty() {
            return false;
        }
        let Some(this) = self.this.upgrade() else { return false };
        if state.is_in_question_elsewhere(self.device()) {
            after.push(After::Survey(this));
            return false;
        }
        let mut world = World::default();
        world.add(&this, state);
        let mut moved = false;
        for verdict in verdicts(&world) {
            moved |= self.carry_out(state, verdict, after);
        }
        moved
    }

    /// Looks at the waits of all devices of this process, and fails those that nobody is left to release. No lock is held.
    pub(super) fn survey() {
        let mut world = World::default();
        for device in all_devices() {
            world.add(&device, &device.lock());
        }
        for verdict in verdicts(&world) {
            let device = Arc::clone(&verdict.device);
            let mut after = Vec::new();
            let moved = device.carry_out(&mut device.lock(), verdict, &mut after);
            after.into_iter().for_each(After::run);
            if moved {
                crate::signal::EventUser::pump(&*device);
            }
        }
    }

    /// Fails a wait, unless it has moved since; or notes that one that was in doubt has hope. True: a queue may move.
    fn carry_out(&self, state: &mut State, verdict: Verdict, after: &mut Vec<After>) -> bool {
        let Verdict { queue: id, event, value, gate, error, .. } = verdict;
        if let Some(gate) = gate {
            state.doubted.retain(|(_, known, _)| !Arc::ptr_eq(known, &gate));
            after.extend(error.map(|error| After::Fail(gate, error)));
            return false;
        }
        let Some(error) = error else { return false };
        let held = state.queue(id).and_then(|queue| queue.first_held());
        if !held.is_some_and(|(held, awaited)| Arc::ptr_eq(held, &event) && awaited == value) {
            return false;
        }
        match state.queue(id).and_then(|queue| queue.entries.pop_front()) {
            Some(Entry::Committed(committed)) => {
                committed.state.fail(&error);
                self.break_rest(state, id, committed, after);
            }
            Some(entry) => {
                state.fail_stretch(id, &error);
                self.break_behind(state, id, &error, after);
                if let Entry::Wait { event, .. } = entry {
                    after.push(After::DropEvent(event));
                }
            }
            None => {}
        }
        state.unhold(id);
        true
    }
}

/// What becomes of a wait.
struct Verdict {
    device: Arc<Submission>,
    queue: QueueId,
    event: Arc<EventBody>,
    value: u64,
    gate: Option<Arc<Gate>>,
    /// What it fails with. `None`: its signal has failed, but another one in flight will do, and tells if it fails too.
    error: Option<Error>,
}

fn verdicts(world: &World) -> Vec<Verdict> {
    let may_fail = |wait: &Wait| wait.broken.is_some() || (wait.gate.is_none() && !wait.event.has_handles());
    if !world.waits.iter().any(may_fail) {
        return Vec::new();
    }
    let stuck = world.stuck();
    let lost = |(number, wait): (usize, &Wait)| {
        let error = match &wait.broken {
            Some(error) => {
                let hopeless = stuck.contains(&number) || world.is_without_hope(number, &stuck);
                if !hopeless && world.counts_on_what_is_kept(number) {
                    return None;
                }
                hopeless.then(|| if wait.gate.is_some() { error.clone() } else { dependency(error) })
            }
            None => {
                let is_held = stuck.contains(&number) && wait.gate.is_none();
                is_held.then(|| {
                    let (event, value) = (wait.event.describe(), wait.value);
                    match world.circle(number, &stuck) {
                        Some(circle) => SubmitError::Circle { event, value, circle }.into(),
                        None => SubmitError::Abandoned { event, value }.into(),
                    }
                })
            }
        };
        if error.is_none() && wait.broken.is_none() {
            return None;
        }
        let (device, event, gate) = (Arc::clone(&wait.device), Arc::clone(&wait.event), wait.gate.clone());
        Some(Verdict { device, queue: wait.queue, event, value: wait.value, gate, error })
    };
    world.waits.iter().enumerate().filter_map(lost).collect()
}

impl Part {
    /// Whether the failure of `first`'s wait is its failure. Both are of one queue, and it is not earlier.
    fn fails_with(&self, first: &Self) -> bool {
        match (&first.owner, &self.owner) {
            (Some(failed), Some(owner)) => Arc::ptr_eq(failed, owner),
            (Some(_), None) => false,
            (None, _) => true,
        }
    }
}

impl State {
    /// The part in flight that a node is of.
    pub(super) fn part_of(&self, node: NodeId) -> Option<&Arc<Part>> {
        self.in_flight.get(self.in_flight.partition_point(|part| part.nodes_end <= node))
    }

    pub(super) fn timed_out(&self, event: &EventBody, value: u64) -> Error {
        let limit_ms = self.event_timeout.unwrap_or_default().as_millis();
        DeviceError::EventTimeout { event: event.describe(), value, limit_ms }.into()
    }

    /// A queue is held by a wait for this event.
    pub(super) fn note_held(&mut self, event: &EventBody, value: u64) {
        self.review_due |= !event.has_handles() || event.broken(value).is_some();
    }

    /// A wait whose signal has failed is held like any other while another queue holds anything back, of this device or of another that uses
    /// the event, until it was seen whether that helps. Where there is no such thing it fails at once, for chains of failures may be long.
    pub(super) fn or_held(
        &self,
        device: usize,
        queue: QueueId,
        event: &EventBody,
        standing: Standing,
    ) -> Standing {
        let others = || self.queues.iter().any(|(id, other)| *id != queue && !other.entries.is_empty());
        match standing {
            Standing::Broken(_) if others() || event.is_used_elsewhere(device) => Standing::Held,
            standing => standing,
        }
    }

    /// Whether another device uses the event of a wait that may fail: then what is here does not tell whether it does.
    fn is_in_question_elsewhere(&self, device: usize) -> bool {
        let in_question = |event: &EventBody, value: u64| {
            (event.broken(value).is_some() || !event.has_handles()) && event.is_used_elsewhere(device)
        };
        let held = || self.queues.iter().filter_map(|(_, queue)| queue.first_held());
        let doubted = || self.doubted.iter().filter_map(|(_, gate, _)| Some((gate.event()?, gate.value())));
        held().any(|(event, value)| in_question(event, value))
            || doubted().any(|(event, _)| event.is_used_elsewhere(device))
    }
}

/// Every device of this process that is there.
fn all_devices() -> Vec<Arc<Submission>> {
    ALL.lock().iter().filter_map(Weak::upgrade).collect()
}

/// From now on the device is one of all.
pub(super) fn register(device: &Weak<Submission>) {
    let mut all = ALL.lock();
    all.retain(|device| device.strong_count() > 0);
    all.push(device.clone());
}

/// Devices of this process. A wait of one may be released by any other, and only who sees all of them sees that none will.
static ALL: Mutex<Vec<Weak<Submission>>> = Mutex::new(Vec::new());
