//! What the CPU may touch while work is in flight, and what may be committed while the CPU touches it.
//!
//! Nothing is noted down for the sake of this: whoever asks pays for a look at all that was committed and has not ended. A command that
//! has run counts as over when the CPU could see that it has: when its command buffer has completed, or a signal behind it has run.
//!
//! Claims are of two kinds. A *guard* is kept as long as the program likes, and keeps other guards away too. A copy by the CPU claims
//! its bytes while it lasts: work cannot be committed into it, but two copies that meet are the program's affair, as two stores are.
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, ThreadId};

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

/// Who claims.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimant {
    /// Claims of one guard on several resources do not stand in each other's way.
    id: u64,
    /// Where a guard was taken, and by whom; absent for a copy.
    guard: Option<(&'static Location<'static>, ThreadId)>,
}

/// A guard that stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuardTaken {
    pub(crate) writes: bool,
    pub(crate) site: &'static Location<'static>,
    /// By the thread that asks: it would wait for itself.
    pub(crate) own: bool,
}

/// What stands in the way of the CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Obstruction {
    Work(InFlight),
    Guard(GuardTaken),
}

/// A claim that has been granted.
#[derive(Debug)]
pub(super) struct Claim {
    access: Access,
    by: Claimant,
}

/// The CPU's claim on a part of a resource, until dropped: no command that conflicts can be committed.
#[derive(Debug)]
pub(crate) struct Hold {
    submission: Arc<Submission>,
    resource: ResourceId,
    id: u64,
}

impl Claimant {
    /// A copy by the CPU.
    pub(crate) fn copy() -> Self {
        Self { id: next_claimant(), guard: None }
    }

    /// A guard, taken here by this thread.
    pub(crate) fn guard(site: &'static Location<'static>) -> Self {
        Self { id: next_claimant(), guard: Some((site, thread::current().id())) }
    }
}

impl Claim {
    /// How a commit or another guard names it, where it is a guard.
    fn taken(&self) -> Option<GuardTaken> {
        let (site, thread) = self.by.guard?;
        let writes = self.access.kind != AccessKind::Read;
        Some(GuardTaken { writes, site, own: thread == thread::current().id() })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.submission.lock();
        state.holds.retain(|claim| claim.by.id != self.id || claim.access.resource != self.resource);
        drop(state);
        self.submission.progress.step();
    }
}

impl Submission {
    /// Claims a part of a resource for the CPU, or says what is in the way.
    pub(crate) fn hold(
        self: &Arc<Self>,
        resource: ResourceId,
        extent: &Extent,
        write: bool,
        by: Claimant,
    ) -> Result<Hold, Obstruction> {
        let access = access(resource, extent, write);
        let mut state = self.lock();
        if let Some(obstruction) = state.obstruction(&access, by) {
            return Err(obstruction);
        }
        state.holds.push(Claim { access, by });
        Ok(Hold { submission: Arc::clone(self), resource, id: by.id })
    }

    /// Sleeps until nothing stands in the way of a claim. Somebody else may be quicker, so it is to be asked for again. An error where the
    /// thread would wait for a guard that it holds itself.
    pub(crate) fn wait_until_free(
        &self,
        resource: ResourceId,
        extent: &Extent,
        write: bool,
        by: Claimant,
    ) -> Result<(), GuardTaken> {
        let access = access(resource, extent, write);
        self.backend.wait_begins();
        let freed = self.progress.sleep_until(|| match self.lock().obstruction(&access, by) {
            None => Some(Ok(())),
            Some(Obstruction::Guard(guard)) if guard.own => Some(Err(guard)),
            Some(_) => None,
        });
        self.backend.wait_ends();
        freed
    }

    /// Whether the CPU holds any part of a resource's memory.
    pub(crate) fn is_held(&self, resource: ResourceId) -> bool {
        let all = access(resource, &Extent::Whole, true);
        let state = self.lock();
        state.holds.iter().any(|claim| state.engine.conflict(&claim.access, &all).is_some())
    }
}

impl State {
    /// A claim of the CPU that a recording conflicts with, the guard that it is, and the command that does.
    pub(super) fn held(&self, recording: &Recording) -> Option<(&Access, Option<GuardTaken>, InFlight)> {
        self.holds.iter().find_map(|claim| {
            let command = self.find(recording, 0..recording.items.len(), &claim.access)?;
            Some((&claim.access, claim.taken(), command))
        })
    }

    /// What stands in the way of a claim: a guard of somebody else, or work.
    fn obstruction(&self, access: &Access, by: Claimant) -> Option<Obstruction> {
        let others = self.holds.iter().filter(|claim| claim.by.id != by.id);
        let mut guards = others.filter(|claim| self.engine.conflict(&claim.access, access).is_some());
        guards
            .find_map(Claim::taken)
            .map(Obstruction::Guard)
            .or_else(|| self.conflict(access).map(Obstruction::Work))
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

fn next_claimant() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
