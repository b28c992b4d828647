//! Who touched each byte last, and with whom a new access clashes.
//!
//! Comparing every access with every earlier one would cost a program of n commands n². Instead each byte keeps a
//! *frontier*: the accesses that no later one stands for. An access stands for an earlier one that is ordered before it, if
//! whatever conflicts with the earlier one conflicts with it too:
//!
//! ```text
//!   later one     stands for
//!   write         writes, reads, atomics
//!   read          reads
//!   atomic        atomics
//! ```
//!
//! What races with the earlier one then races with the one that stands for it, so nothing racy passes unseen, and each race is reported
//! between neighbours: mending those mends the rest. Where everything is ordered, the frontier of a byte is its last
//! write and the reads since.
//!
//! Attachments are written in the order of the draws, pixel by pixel, with no synchronization (rule 1.3.7): within a
//! pass they do not conflict, and a later draw stands for an earlier one.
use smallvec::SmallVec;

use super::spans::Spans;
use super::walk::Mark;
use super::{race, stale};
use crate::{AccessKind, Order};

/// What is known of all memories.
pub(super) struct History {
    memories: Vec<Spans<Frontier>>,
}

#[derive(Clone, Debug, Default)]
struct Frontier {
    marks: SmallVec<[Mark; 2]>,
}

impl PartialEq for Frontier {
    fn eq(&self, other: &Self) -> bool {
        let key = |mark: &Mark| (mark.node, mark.resource, mark.kind, mark.place.start, mark.place.end);
        self.marks.len() == other.marks.len()
            && self.marks.iter().zip(&other.marks).all(|(a, b)| key(a) == key(b) && a.extent == b.extent)
    }
}

/// What is wrong between two accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    Race,
    Stale,
}

impl History {
    pub(super) fn new(memories: usize) -> Self {
        Self { memories: (0..memories).map(|_| Spans::default()).collect() }
    }

    /// Tells every clash of a deed's accesses with the frontiers they meet, then makes them part of these.
    pub(super) fn see(&mut self, marks: &[Mark], order: &Order, mut tell: impl FnMut(&Mark, &Mark, Fault)) {
        for mark in marks {
            self.memories[mark.memory].over(&mark.place, |_, frontier| {
                frontier.compare(mark, order, &mut tell);
            });
        }
        for mark in marks {
            self.memories[mark.memory].over(&mark.place, |_, frontier| frontier.add(mark, order));
        }
    }
}

impl Frontier {
    fn compare(&self, mark: &Mark, order: &Order, tell: &mut impl FnMut(&Mark, &Mark, Fault)) {
        for earlier in &self.marks {
            if let Some(fault) = fault(earlier, mark, order)
                && !self.marks.iter().any(|other| stands_for(other, earlier, order))
            {
                tell(earlier, mark, fault);
            }
        }
    }

    fn add(&mut self, mark: &Mark, order: &Order) {
        if mark.kind.writes() && mark.kind != AccessKind::Atomic {
            self.marks.retain(|earlier| !stands_for(mark, earlier, order));
        } else {
            // Reads may be many and none before another; looking at the latest is enough to keep a sequence short.
            let skip = self.marks.len().saturating_sub(LOOKED_AT);
            let mut place = 0;
            self.marks.retain(|earlier| {
                place += 1;
                place <= skip || !stands_for(mark, earlier, order)
            });
        }
        if mark.kind.writes() && self.marks.len() > RACING_MOST {
            // Each of them that conflicts with the new one has been told.
            let mut over = self.marks.len() - RACING_MOST;
            self.marks.retain(|earlier| {
                let told = over > 0 && fault(earlier, mark, order).is_some();
                over -= usize::from(told);
                !told
            });
        }
        self.marks.push(mark.clone());
    }
}

/// Whether two accesses that share a place conflict at all.
pub(super) fn conflict(earlier: &Mark, later: &Mark) -> bool {
    let same_pass = earlier.attachment.is_some() && earlier.attachment == later.attachment;
    // What the CPU's own copy lacks is told as such.
    let copied = later.managed_read && earlier.stage.is_some();
    earlier.serial != later.serial
        && !same_pass
        && !copied
        && earlier.kind.conflict(later.kind).is_some()
        && earlier.meets(later)
}

fn fault(earlier: &Mark, later: &Mark, order: &Order) -> Option<Fault> {
    if !conflict(earlier, later) {
        None
    } else if race::is(earlier, later, order) {
        Some(Fault::Race)
    } else {
        stale::is(earlier, later, order).then_some(Fault::Stale)
    }
}

/// Whether `later` stands for `earlier` where their places meet.
fn stands_for(later: &Mark, earlier: &Mark, order: &Order) -> bool {
    let same_pass = earlier.attachment.is_some() && earlier.attachment == later.attachment;
    let class = match later.kind {
        AccessKind::Write | AccessKind::ReadWrite => true,
        AccessKind::Read | AccessKind::Atomic => earlier.kind == later.kind,
    };
    class
        && earlier.serial < later.serial
        && later.contains(earlier)
        && (same_pass || order.ordered(earlier.node, later.node))
}

const LOOKED_AT: usize = 16;
/// Beyond this many accesses that race on the same bytes, the oldest are let go once they have been told.
const RACING_MOST: usize = 64;
