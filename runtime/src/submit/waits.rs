//! Waits that do not pass: those in flight that fail or take too long, and those that nobody is left to release.
//!
//! A wait in flight holds all of its queue that is behind it, and fails only what is its own: on a tracked queue the rest of its command
//! buffer, on an explicit queue all that was committed behind it (rule 6.13). So a failed wait is passed like any other, and what it
//! fails is refused before it starts.
//!
//! A wait that is not in flight can be hopeless. The program may raise an event as long as it has a handle of it, or has recorded a
//! signal that it has not committed; another device may, as long as it has a signal to hand over. What remains are signals that this
//! device holds back itself. If each of them stands behind a wait of the same kind, none will ever run.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use fencepost_core::NodeId;

use super::part::Part;
use super::queue::{Committed, Entry, Queue};
use super::{After, State, Submission};
use crate::Error;
use crate::error::{DeviceError, SubmitError};
use crate::record::Item;
use crate::signal::EventBody;

/// Signals of an event that the queues of a device hold back.
#[derive(Default)]
struct Kept {
    /// All that count as recorded, also those of a buffer that were handed over already.
    recorded: usize,
    /// Queues and values of those still to be handed over.
    pending: Vec<(usize, u64)>,
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
        if !std::mem::take(&mut state.review_due) {
            return false;
        }
        let hopeless = state.hopeless();
        for (index, event, value) in &hopeless {
            let (id, queue) = &mut state.queues[*index];
            let id = *id;
            let error: Error = SubmitError::Abandoned { event: event.describe(), value: *value }.into();
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
        !hopeless.is_empty()
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
    fn part_of(&self, node: NodeId) -> Option<&Arc<Part>> {
        self.in_flight.get(self.in_flight.partition_point(|part| part.nodes_end <= node))
    }

    pub(super) fn timed_out(&self, event: &EventBody, value: u64) -> Error {
        let limit_ms = self.event_timeout.unwrap_or_default().as_millis();
        DeviceError::EventTimeout { event: event.describe(), value, limit_ms }.into()
    }

    /// A queue is held by a wait for this event.
    pub(super) fn note_held(&mut self, event: &EventBody) {
        self.review_due |= !event.has_handles();
    }

    /// Queues whose first wait nobody is left to release, with what they wait for.
    fn hopeless(&self) -> Vec<(usize, Arc<EventBody>, u64)> {
        let wait = |(index, (_, queue)): (usize, &(_, Queue))| {
            let (event, value) = queue.first_held()?;
            Some((index, Arc::clone(event), value))
        };
        let mut held: Vec<(usize, Arc<EventBody>, u64)> =
            self.queues.iter().enumerate().filter_map(wait).collect();
        if held.iter().all(|(_, event, _)| event.has_handles()) {
            return Vec::new();
        }
        let kept = self.kept_signals();
        let none = Kept::default();
        // Whatever has a chance gives those behind it one.
        loop {
            let before = held.len();
            let stuck: Vec<usize> = held.iter().map(|(index, ..)| *index).collect();
            held.retain(|(_, event, value)| {
                let kept = kept.get(&Arc::as_ptr(event)).unwrap_or(&none);
                let from_elsewhere = event.has_handles()
                    || event.recorded_signals() > kept.recorded
                    || event.value_now() >= *value
                    || event.is_promised(*value);
                let runs = |(queue, given): &(usize, u64)| given >= value && !stuck.contains(queue);
                !from_elsewhere && !kept.pending.iter().any(runs)
            });
            if held.len() == before {
                return held;
            }
        }
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
