//! Who may still release a wait: all devices of this process at once.
//!
//! A wait can be released by whoever raises its event enough: a signal in flight, a signal that was committed and is held back, the program
//! or another process, as long as it has a handle or has recorded a signal. The first two may themselves be behind waits, of any device,
//! so that what looks like a promise can be a circle. Two questions are asked of the same picture.
//!
//! - *Stuck*: the waits that nobody releases, taken together. At first all are suspected; whatever has a chance gives those behind it one.
//!   A handle is a chance.
//! - *Without hope*: a wait whose signal has failed. It does not wait for a repair that nobody has promised (rule 6.13), so a handle is
//!   no chance for it, and what is behind the wait itself is none either: neither directly, nor through others that all who have
//!   promised to release them are behind it.
//!
//! ```text
//!   A   wait E ──► signal F            X, which had promised E, has failed.
//!   B   wait F ──► signal E            B's promise is behind A's, and A's is behind its own wait: A fails, and B with it.
//! ```
//!
//! Each device is looked at under its own lock, one after the other, and events after all of them. What has moved meanwhile has moved
//! towards its end: a signal that is found in none of its places has run by then, and a value that was raised is seen.
use std::collections::HashMap;
use std::sync::Arc;

use fencepost_core::{NodeId, QueueId};
use smallvec::SmallVec;

use super::queue::{Committed, Entry};
use super::{State, Submission};
use crate::Error;
use crate::record::Item;
use crate::signal::{EventBody, Gate};

/// Waits and signals of several devices.
#[derive(Default)]
pub(super) struct World {
    pub(super) waits: Vec<Wait>,
    kept: Vec<Kept>,
    /// All that count as recorded of an event, also those of a buffer that were handed over already.
    recorded: HashMap<*const EventBody, usize>,
    /// Waits that signals in flight are behind.
    behind: HashMap<(usize, NodeId), Behind>,
}

/// Waits by their numbers.
type Behind = SmallVec<[usize; 2]>;

/// A wait that holds a queue, or one in flight.
pub(super) struct Wait {
    pub(super) device: Arc<Submission>,
    pub(super) queue: QueueId,
    pub(super) event: Arc<EventBody>,
    pub(super) value: u64,
    /// What its signal failed of, where it had one.
    pub(super) broken: Option<Error>,
    /// Where it is in flight.
    pub(super) gate: Option<Arc<Gate>>,
    /// Of its queue.
    label: String,
}

/// A signal that was committed and is held back.
struct Kept {
    event: *const EventBody,
    value: u64,
    behind: Behind,
    label: String,
}

impl World {
    /// Adds what one device has. The caller has its lock.
    pub(super) fn add(&mut self, device: &Arc<Submission>, state: &State) {
        let gates = self.add_gates(device, state);
        let of_queue = self.add_flights(device.device(), state, &gates);
        for (id, queue) in &state.queues {
            let mut behind = of_queue.get(id).cloned().unwrap_or_default();
            if let Some((event, value)) = queue.first_held() {
                behind.push(self.waits.len());
                let (device, event, label) = (Arc::clone(device), Arc::clone(event), queue.label());
                let broken = event.broken(value);
                self.waits.push(Wait { device, queue: *id, event, value, broken, gate: None, label });
            }
            for entry in &queue.entries {
                match entry {
                    Entry::Signal { event, value } => {
                        self.keep(event.body(), *value, true, &behind, || queue.label());
                    }
                    Entry::Committed(Committed { recording, cursor, .. }) => {
                        for (number, item) in recording.items.iter().enumerate() {
                            if let Item::SignalEvent { event, value } = item {
                                let waits = number >= cursor.item;
                                self.keep(event.body(), *value, waits, &behind, || queue.label());
                            }
                        }
                    }
                    Entry::Wait { .. } | Entry::Reserved(_) => {}
                }
            }
        }
    }

    /// Waits that nobody releases, by number.
    pub(super) fn stuck(&self) -> Vec<usize> {
        let mut stuck: Vec<usize> = (0..self.waits.len()).collect();
        loop {
            let left: Vec<usize> = stuck
                .iter()
                .copied()
                .filter(|&wait| !self.has_chance(wait, &stuck) && !self.may_be_raised(wait))
                .collect();
            if left.len() == stuck.len() {
                return left;
            }
            stuck = left;
        }
    }

    /// Whether a wait whose signal has failed has no hope, given those that are stuck.
    pub(super) fn is_without_hope(&self, wait: usize, stuck: &[usize]) -> bool {
        let mut lost = stuck.to_vec();
        if !lost.contains(&wait) {
            lost.push(wait);
        }
        loop {
            let more = (0..self.waits.len()).find(|other| {
                !lost.contains(other)
                    && !self.waits[*other].event.is_outside()
                    && self.has_signals(*other)
                    && !self.has_chance(*other, &lost)
            });
            match more {
                Some(other) => lost.push(other),
                None => return !self.has_chance(wait, &lost),
            }
        }
    }

    /// Whether it counts on a signal that was committed and is held back, and on none in flight.
    pub(super) fn counts_on_what_is_kept(&self, wait: usize) -> bool {
        let wait = &self.waits[wait];
        !wait.event.is_promised(wait.value)
    }

    /// The way from a stuck wait along signals and what holds them, where it leads back to a wait on it: in words.
    pub(super) fn circle(&self, first: usize, stuck: &[usize]) -> Option<String> {
        let mut way: Vec<(usize, &str)> = Vec::new();
        let mut now = first;
        loop {
            if let Some(start) = way.iter().position(|(wait, _)| *wait == now) {
                return Some(self.tell(&way[start..]));
            }
            let wait = &self.waits[now];
            let of_it = |kept: &&Kept| kept.event == Arc::as_ptr(&wait.event) && kept.value >= wait.value;
            let next = self.kept.iter().filter(of_it).find_map(|kept| {
                let before = kept.behind.iter().find(|before| stuck.contains(before))?;
                Some((*before, kept.label.as_str()))
            });
            let (before, label) = next?;
            way.push((now, label));
            now = before;
        }
    }

    fn tell(&self, circle: &[(usize, &str)]) -> String {
        let named = |label: &str| match label {
            "" => "a queue without a label".to_owned(),
            label => format!("queue `{label}`"),
        };
        let parts = circle.iter().map(|(number, signals)| {
            let wait = &self.waits[*number];
            let (waits, event) = (named(&wait.label), wait.event.describe());
            format!(
                "{waits} waits for {event} to reach {}, which {} would signal",
                wait.value,
                named(signals)
            )
        });
        parts.collect::<Vec<_>>().join(" behind its own wait; ") + " behind its own wait"
    }

    /// Whether the value is there, or something that was committed gives it and is not behind one of these.
    fn has_chance(&self, wait: usize, lost: &[usize]) -> bool {
        let wait = &self.waits[wait];
        let event = &wait.event;
        let is_free = |behind: &Behind| !behind.iter().any(|before| lost.contains(before));
        let kept =
            self.kept.iter().filter(|kept| kept.event == Arc::as_ptr(event) && kept.value >= wait.value);
        if kept.into_iter().any(|kept| is_free(&kept.behind) && !self.is_held_alike(kept, wait)) {
            return true;
        }
        // What is in flight and was not seen is newer than this picture.
        let promises = event.promises_of(wait.value);
        let in_flight = |key: &(usize, NodeId)| self.behind.get(key).is_none_or(is_free);
        promises.iter().any(in_flight) || event.value_now() >= wait.value
    }

    /// Whether something that was committed is to give it the value.
    fn has_signals(&self, wait: usize) -> bool {
        let wait = &self.waits[wait];
        let event = Arc::as_ptr(&wait.event);
        self.kept.iter().any(|kept| kept.event == event && kept.value >= wait.value)
            || wait.event.is_promised(wait.value)
    }

    /// Whether the program or another process may still raise the event of a wait whose signal has not failed.
    fn may_be_raised(&self, wait: usize) -> bool {
        let wait = &self.waits[wait];
        let known = self.recorded.get(&Arc::as_ptr(&wait.event)).copied().unwrap_or(0);
        wait.broken.is_none() && (wait.event.has_handles() || wait.event.recorded_signals() > known)
    }

    /// Whether a signal is held until the same event has the same or a larger value: who gives it that releases this wait too, and
    /// what stands behind there is no help.
    fn is_held_alike(&self, kept: &Kept, wait: &Wait) -> bool {
        kept.behind.iter().map(|before| &self.waits[*before]).any(|before| {
            Arc::ptr_eq(&before.event, &wait.event) && before.value >= wait.value && before.gate.is_none()
        })
    }

    fn keep(
        &mut self,
        event: &Arc<EventBody>,
        value: u64,
        waits: bool,
        behind: &Behind,
        label: impl Fn() -> String,
    ) {
        let event = Arc::as_ptr(event);
        *self.recorded.entry(event).or_default() += 1;
        if waits {
            self.kept.push(Kept { event, value, behind: behind.clone(), label: label() });
        }
    }

    /// Waits in flight, by their nodes.
    fn add_gates(&mut self, device: &Arc<Submission>, state: &State) -> HashMap<NodeId, usize> {
        let mut gates = HashMap::new();
        for gate in state.shut.iter().filter(|gate| !gate.is_open()) {
            let (Some(event), Some(part)) = (gate.event(), state.part_of(gate.node())) else { continue };
            let doubted = state.doubted.iter().find(|(_, known, _)| Arc::ptr_eq(known, gate));
            let broken = doubted.map(|(.., error)| error.clone());
            let label = state.queues.iter().find(|(id, _)| *id == part.queue);
            let label = label.map(|(_, queue)| queue.label()).unwrap_or_default();
            gates.insert(gate.node(), self.waits.len());
            let (device, queue, value) = (Arc::clone(device), part.queue, gate.value());
            let gate = Some(Arc::clone(gate));
            self.waits.push(Wait { device, queue, event, value, broken, gate, label });
        }
        gates
    }

    /// Which waits signals in flight are behind, and which ones all that a queue has in flight is behind.
    fn add_flights(
        &mut self,
        device: usize,
        state: &State,
        gates: &HashMap<NodeId, usize>,
    ) -> HashMap<QueueId, Behind> {
        let mut of_queue: HashMap<QueueId, Behind> = HashMap::new();
        let mut of_node: HashMap<NodeId, Behind> = HashMap::new();
        for part in &state.in_flight {
            let waited = part.waited.as_ref().map(|waited| waited.gate.node());
            let mut all = Behind::new();
            if let Some((node, wait)) = waited.and_then(|node| Some((node, *gates.get(&node)?))) {
                add(of_node.entry(node).or_default(), &[wait]);
                add(&mut all, &[wait]);
            }
            for (node, before) in &part.edges {
                let Some(waits) = of_node.get(before).cloned() else { continue };
                add(&mut all, &waits);
                add(of_node.entry(*node).or_default(), &waits);
            }
            for signal in &part.signals {
                let waits = of_node.get(&signal.node).cloned().unwrap_or_default();
                self.behind.insert((device, signal.node), waits);
            }
            add(of_queue.entry(part.queue).or_default(), &all);
        }
        of_queue
    }
}

fn add(all: &mut Behind, more: &[usize]) {
    for wait in more {
        if !all.contains(wait) {
            all.push(*wait);
        }
    }
}
