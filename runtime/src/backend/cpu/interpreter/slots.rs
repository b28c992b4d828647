//! Gives out slots for stretches of the program, and again once a stretch is over.
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::code::Slot;
use super::outline::Position;

/// Slots in use and free ones.
#[derive(Debug)]
pub(super) struct Slots {
    count: Slot,
    free: Vec<Slot>,
    taken: BinaryHeap<Reverse<(Position, Slot)>>,
}

impl Slots {
    /// Slots below `first` are never given out.
    pub(super) fn new(first: Slot) -> Self {
        Self { count: first, free: Vec::new(), taken: BinaryHeap::new() }
    }

    /// A slot that is nobody else's until `until` has been passed to `release`. The one freed last comes first: its words are in cache.
    pub(super) fn take(&mut self, until: Position) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        });
        self.taken.push(Reverse((until, slot)));
        slot
    }

    /// Takes back all slots that nobody needs after `position`.
    pub(super) fn release(&mut self, position: Position) {
        while let Some(&Reverse((until, slot))) = self.taken.peek()
            && until <= position
        {
            self.taken.pop();
            self.free.push(slot);
        }
    }

    /// How many slots there must be.
    pub(super) fn count(&self) -> Slot {
        self.count
    }
}
