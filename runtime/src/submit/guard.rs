//! What the CPU may touch while work is in flight, and what may be committed while the CPU touches it.
//!
//! Nothing is noted down for the sake of this: whoever asks pays for a look at all that was committed and has not ended. A command that
//! has run counts as over when the CPU could see that it has: when its command buffer has completed, or a signal behind it has run.
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fencepost_core::{Access, AccessKind, Extent, Places, QueueId, ResourceId, Stage};
use smallvec::SmallVec;

use super::queue::Entry;
use super::{State, Submission};
use crate::record::{Item, Recording};

/// A command that the CPU would race with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InFlight {
    /// The command buffer's label, maybe empty.
    pub(crate) command_buffer: String,
    /// Labels of the pass and the command.
    pub(crate) pass: Option<String>,
    pub(crate) command: Option<String>,
}

/// The CPU's claim on a part of a resource, until dropped: no command that conflicts can be committed.
#[derive(Debug)]
pub(crate) struct Hold {
    submission: Arc<Submission>,
    id: u64,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.submission.lock().holds.retain(|(id, _)| *id != self.id);
    }
}

impl Submission {
    /// Claims a part of a resource for the CPU, or says what is in the way.
    pub(crate) fn hold(
        self: &Arc<Self>,
        resource: ResourceId,
        extent: &Extent,
        write: bool,
    ) -> Result<Hold, InFlight> {
        let access = access(resource, extent, write);
        let mut state = self.lock();
        if let Some(in_flight) = state.conflict(&access) {
            return Err(in_flight);
        }
        let id = state.next_hold;
        state.next_hold += 1;
        state.holds.push((id, access));
        Ok(Hold { submission: Arc::clone(self), id })
    }

    /// Whether the CPU holds any part of a resource's memory.
    pub(crate) fn is_held(&self, resource: ResourceId) -> bool {
        let all = access(resource, &Extent::Whole, true);
        let state = self.lock();
        state.holds.iter().any(|(_, held)| state.engine.conflict(held, &all).is_some())
    }
}

impl State {
    /// A claim of the CPU that a recording conflicts with, and the command that does.
    pub(super) fn held(&self, recording: &Recording) -> Option<(&Access, InFlight)> {
        self.holds
            .iter()
            .find_map(|(_, held)| Some((held, self.find(recording, 0..recording.items.len(), held)?)))
    }

    fn conflict(&self, cpu: &Access) -> Option<InFlight> {
        // Whoever has seen a signal of a queue knows that everything before it has ended, whether or not that has been noted yet.
        let mut passed = SmallVec::<[QueueId; 4]>::new();
        for part in self.in_flight.iter().rev() {
            let done = part.has_ended() || passed.contains(&part.queue);
            if !passed.contains(&part.queue) && part.signaled.load(Ordering::Acquire) {
                passed.push(part.queue);
            }
            if done {
                continue;
            }
            let (Some(recording), Some(owner)) = (&part.recording, &part.owner) else { continue };
            let first = part.reached.load(Ordering::Acquire).max(part.items.start);
            if let Some(found) = self.find(recording, first..part.items.end, cpu) {
                return Some(InFlight { command_buffer: owner.label(), ..found });
            }
        }
        self.queues.iter().find_map(|(_, queue)| self.conflict_behind(&queue.entries, cpu))
    }

    /// Among what is still to be handed over: up to a wait that only the CPU may release, for there the CPU decides the order.
    fn conflict_behind(&self, entries: &std::collections::VecDeque<Entry>, cpu: &Access) -> Option<InFlight> {
        for entry in entries {
            match entry {
                Entry::Wait { event, value } if event.is_for_others(*value) => return None,
                Entry::Committed(committed) => {
                    let items = &committed.recording.items;
                    let first = committed.cursor.item;
                    let held = items[first..].iter().position(|item| match item {
                        Item::WaitForEvent { event, value } => event.is_for_others(*value),
                        _ => false,
                    });
                    let end = held.map_or(items.len(), |held| first + held);
                    if let Some(found) = self.find(&committed.recording, first..end, cpu) {
                        return Some(InFlight { command_buffer: committed.state.label(), ..found });
                    }
                    if held.is_some() {
                        return None;
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// The first command among these items that conflicts. Labels of the pass and of itself come along.
    fn find(&self, recording: &Recording, items: std::ops::Range<usize>, cpu: &Access) -> Option<InFlight> {
        let start = items.start;
        let hit =
            start
                + recording.items[items].iter().position(|item| {
                    let (Item::Command { accesses, .. }
                    | Item::Hidden { accesses }
                    | Item::Declare { accesses }) = item
                    else {
                        return false;
                    };
                    let accesses = &recording.accesses[accesses.start as usize..accesses.end as usize];
                    accesses.iter().any(|access| self.engine.conflict(access, cpu).is_some())
                })?;
        let pass = recording.items[..=hit].iter().rev().find_map(|item| match item {
            Item::BeginPass { label, .. } => recording.label(*label).map(str::to_owned),
            _ => None,
        });
        let command = match &recording.items[hit] {
            Item::Command { label, .. } => recording.label(*label).map(str::to_owned),
            _ => None,
        };
        Some(InFlight { command_buffer: String::new(), pass, command })
    }
}

fn access(resource: ResourceId, extent: &Extent, write: bool) -> Access {
    let kind = if write { AccessKind::Write } else { AccessKind::Read };
    Access { resource, extent: extent.clone(), kind, stage: Stage::Blit }
}
