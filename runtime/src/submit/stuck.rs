//! Which waits hold a queue, and who could release them.
//!
//! A program that waits for ever says nothing by itself. Whoever asks gets every wait that no work in flight will release, by name, with
//! all signals that are committed and have not run: those of this device and of every other one that uses the event. So the chain
//! from a wait to what stands in its way can be followed to its end. Nothing is noted down for the sake of this.
use std::sync::Arc;

use fencepost_core::QueueId;

use super::queue::{Committed, Entry, Queue};
use super::{State, Submission};
use crate::record::Item;
use crate::signal::{EventBody, Gate};
use crate::{Error, Obstacle, PendingSignal, StuckWait};

/// A wait at the head of a queue, or in flight with nothing else in flight to release it.
struct Held {
    queue: String,
    command_buffer: Option<String>,
    event: Arc<EventBody>,
    value: u64,
}

impl Submission {
    /// Waits that hold a queue now and that nothing in flight will release.
    pub(crate) fn stuck_waits(&self) -> Vec<StuckWait> {
        // Other devices are asked without the lock: they have one of their own.
        let held: Vec<Held> = self.lock().held_waits();
        let mut stuck = Vec::new();
        for Held { queue, command_buffer, event, value } in held {
            let reached = event.value_now();
            if reached < value && !event.is_promised(value) {
                let signals = event.pending_signals();
                let label = event.label();
                stuck.push(StuckWait {
                    queue,
                    command_buffer,
                    event: label,
                    value,
                    reached,
                    signals,
                    has_handles: event.has_handles(),
                    is_seen_outside: event.is_outside(),
                });
            }
        }
        stuck
    }

    /// Signals of an event that were committed to this device and not handed over.
    pub(super) fn unreleased_signals(&self, event: &EventBody) -> Vec<PendingSignal> {
        let state = self.lock();
        let mut found = Vec::new();
        for (_, queue) in &state.queues {
            queue.signals_of(event, &mut found);
        }
        found
    }
}

impl State {
    fn held_waits(&self) -> Vec<Held> {
        let head = |queue: &Queue| {
            let (event, value) = queue.first_held()?;
            let command_buffer = match queue.entries.front() {
                Some(Entry::Committed(committed)) => Some(committed.state.label()),
                _ => None,
            };
            Some(Held { queue: queue.label(), command_buffer, event: Arc::clone(event), value })
        };
        let in_flight = |(id, gate, _): &(QueueId, Arc<Gate>, Error)| {
            let part = self.part_of(gate.node()).filter(|_| !gate.is_open())?;
            let queue = self.queues.iter().find(|(known, _)| known == id);
            let queue = queue.map(|(_, queue)| queue.label()).unwrap_or_default();
            let command_buffer = part.owner.as_ref().map(|owner| owner.label());
            Some(Held { queue, command_buffer, event: gate.event()?, value: gate.value() })
        };
        let heads = self.queues.iter().filter_map(|(_, queue)| head(queue));
        self.doubted.iter().filter_map(in_flight).chain(heads).collect()
    }
}

impl Committed {
    /// The wait that its next item is.
    fn awaited(&self) -> Option<(&Arc<EventBody>, u64)> {
        match self.recording.items.get(self.cursor.item)? {
            Item::WaitForEvent { event, value } => Some((event, *value)),
            _ => None,
        }
    }
}

impl Queue {
    /// The wait that holds it.
    pub(super) fn first_held(&self) -> Option<(&Arc<EventBody>, u64)> {
        match self.entries.front()? {
            Entry::Wait { event, value } => Some((event, *value)),
            Entry::Committed(committed) => committed.awaited(),
            Entry::Signal { .. } | Entry::Reserved(_) => None,
        }
    }

    /// What keeps its head from being handed over.
    fn obstacle(&self) -> Option<Obstacle> {
        let wait = |event: &EventBody, value: u64| Some(Obstacle::Wait { event: event.label(), value });
        match self.entries.front()? {
            Entry::Reserved(buffer) => {
                let command_buffer = buffer.upgrade().map(|buffer| buffer.label()).unwrap_or_default();
                Some(Obstacle::Uncommitted { command_buffer })
            }
            Entry::Wait { event, value } => wait(event, *value),
            Entry::Committed(committed) => committed.awaited().and_then(|(event, value)| wait(event, value)),
            Entry::Signal { .. } => None,
        }
    }

    fn signals_of(&self, event: &EventBody, found: &mut Vec<PendingSignal>) {
        let mut add = |command_buffer: Option<String>, value: u64| {
            found.push(PendingSignal { queue: self.label(), command_buffer, value, behind: self.obstacle() });
        };
        for entry in &self.entries {
            match entry {
                Entry::Signal { event: raised, value } if std::ptr::eq(&**raised.body(), event) => {
                    add(None, *value)
                }
                Entry::Committed(committed) => {
                    for item in &committed.recording.items[committed.cursor.item..] {
                        if let Item::SignalEvent { event: raised, value } = item
                            && std::ptr::eq(&**raised.body(), event)
                        {
                            add(Some(committed.state.label()), *value);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}
