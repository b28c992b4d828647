//! Waits that do not pass: those in flight that fail or take too long, and those that nobody is left to release.
//!
//! A wait in flight holds all of its queue that is behind it, and fails only what is its own: on a tracked queue the rest of its command
//! buffer, on an explicit queue all that was committed behind it (rule 6.13). So a failed wait is passed like any other, and what it
//! fails is refused before it starts.
//!
//! A wait that is not in flight can be hopeless. The program may raise an event as long as it has a handle of it, or has recorded a
//! signal that it has not committed; another device may, as long as it has a signal to hand over. What remains are signals that this
//! device holds back itself. If each of them stands behind a wait of the same kind, none will ever run.
//!
//! A wait whose signal has failed fails with it, though the program could raise the event: it is not to wait for a repair that
//! nobody has promised. But a signal of this device that was committed and is held back is such a promise, as long as it may run.
//! That holds for waits in flight as well.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use fencepost_core::{NodeId, QueueId};

use super::part::Part;
use super::queue::{Committed, Entry};
use super::{After, State, Submission, dependency};
use crate::Error;
use crate::error::{DeviceError, SubmitError};
use crate::record::Item;
use crate::signal::{EventBody, Gate, Standing};

/// Signals of an event that the queues of a device hold back.
#[derive(Default)]
struct Kept {
    /// All that count as recorded, also those of a buffer that were handed over already.
    recorded: usize,
    /// Queues and values of those still to be handed over.
    pending: Vec<(usize, u64)>,
}

/// A wait that nobody may release.
struct Hopeless {
    /// Its queue's.
    index: usize,
    event: Arc<EventBody>,
    value: u64,
    /// What its signal failed of, where it had one.
    broken: Option<Error>,
    /// Where it is in flight.
    gate: Option<Arc<Gate>>,
}

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
        state.doubted.retain(|(_, gate, _)| gate.is_doubtful());
        if !std::mem::take(&mut state.review_due) && state.doubted.is_empty() {
            return false;
        }
        let hopeless = state.hopeless();
        let mut moved = false;
        for Hopeless { index, event, value, broken, gate } in &hopeless {
            if let (Some(gate), Some(error)) = (gate, broken) {
                state.doubted.retain(|(_, known, _)| !Arc::ptr_eq(known, gate));
                after.push(After::Fail(Arc::clone(gate), error.clone()));
                continue;
            }
            moved = true;
            let (id, queue) = &mut state.queues[*index];
            let id = *id;
            let abandoned = || SubmitError::Abandoned { event: event.describe(), value: *value }.into();
            let error: Error = broken.as_ref().map_or_else(abandoned, dependency);
            match queue.entries.pop_front() {
                Some(Entry::Committed(committed)) => {
                    committed.state.fail(&error);
                    self.break_rest(committed, after);
                }
                Some(entry) => {
                    self.break_behind(state, id, &error, after);
                    if let Entry::Wait { event, .. } = entry {
                        after.push(After::DropEvent(event));
                    }
                }
                None => {}
            }
            state.unhold(id);
        }
        moved
    }
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

    /// A wait whose signal has failed is held like any other while another queue holds anything back, until it was seen whether that
    /// helps. Where there is no such thing it fails at once, for chains of failures may be long.
    pub(super) fn or_held(&self, queue: QueueId, standing: Standing) -> Standing {
        let others = || self.queues.iter().any(|(id, other)| *id != queue && !other.entries.is_empty());
        match standing {
            Standing::Broken(_) if others() => Standing::Held,
            standing => standing,
        }
    }

    /// Waits that nobody is left to release.
    fn hopeless(&self) -> Vec<Hopeless> {
        let mut held = self.held_and_doubted();
        if held.iter().all(|wait| wait.broken.is_none() && wait.event.has_handles()) {
            return Vec::new();
        }
        let kept = self.kept_signals();
        let none = Kept::default();
        // Whatever has a chance gives those behind it one.
        loop {
            let before = held.len();
            let stuck: Vec<usize> = held.iter().map(|wait| wait.index).collect();
            let has_chance = |wait: &Hopeless| {
                let kept = kept.get(&Arc::as_ptr(&wait.event)).unwrap_or(&none);
                let someone = || wait.event.has_handles() || wait.event.recorded_signals() > kept.recorded;
                let from_elsewhere = wait.event.value_now() >= wait.value
                    || wait.event.is_promised(wait.value)
                    || (wait.broken.is_none() && someone());
                let runs = |(queue, given): &(usize, u64)| {
                    *given >= wait.value && !stuck.contains(queue) && !self.is_held_alike(*queue, wait)
                };
                from_elsewhere || kept.pending.iter().any(runs)
            };
            let chances: Vec<bool> = held.iter().map(has_chance).collect();
            let mut chances = chances.into_iter();
            held.retain(|_| !chances.next().unwrap_or(false));
            if held.len() == before {
                return held;
            }
        }
    }

    /// Waits that hold a queue, and those in flight whose signal has failed.
    fn held_and_doubted(&self) -> Vec<Hopeless> {
        let mut all: Vec<Hopeless> = Vec::new();
        for (index, (_, queue)) in self.queues.iter().enumerate() {
            if let Some((event, value)) = queue.first_held() {
                let (event, broken) = (Arc::clone(event), event.broken(value));
                all.push(Hopeless { index, event, value, broken, gate: None });
            }
        }
        for (id, gate, error) in &self.doubted {
            let index = self.queues.iter().position(|(known, _)| known == id);
            // A queue that is gone holds nothing back, and nothing of the sort can be behind the wait.
            let index = index.unwrap_or(usize::MAX);
            if let Some(event) = gate.event() {
                let (value, broken, gate) = (gate.value(), Some(error.clone()), Some(Arc::clone(gate)));
                all.push(Hopeless { index, event, value, broken, gate });
            }
        }
        all
    }

    /// Whether a queue is held until the same event has the same or a larger value: who gives it that releases this wait too, and
    /// what stands behind there is no help.
    fn is_held_alike(&self, queue: usize, wait: &Hopeless) -> bool {
        let first = self.queues.get(queue).and_then(|(_, queue)| queue.first_held());
        first.is_some_and(|(event, value)| Arc::ptr_eq(event, &wait.event) && value >= wait.value)
    }

    fn kept_signals(&self) -> HashMap<*const EventBody, Kept> {
        let mut all: HashMap<*const EventBody, Kept> = HashMap::new();
        for (index, (_, queue)) in self.queues.iter().enumerate() {
            for entry in &queue.entries {
                match entry {
                    Entry::Signal { event, value } => {
                        let kept = all.entry(Arc::as_ptr(event.body())).or_default();
                        kept.recorded += 1;
                        kept.pending.push((index, *value));
                    }
                    Entry::Committed(Committed { recording, cursor, .. }) => {
                        for (number, item) in recording.items.iter().enumerate() {
                            if let Item::SignalEvent { event, value } = item {
                                let kept = all.entry(Arc::as_ptr(event.body())).or_default();
                                kept.recorded += 1;
                                if number >= cursor.item {
                                    kept.pending.push((index, *value));
                                }
                            }
                        }
                    }
                    Entry::Wait { .. } | Entry::Reserved(_) => {}
                }
            }
        }
        all
    }
}
