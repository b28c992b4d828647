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
//! Readers may be many with nothing between them. Those of one pass and stage with no primitive between them, on an explicit
//! queue, are a *crowd*: whatever comes before or after one of them comes before or after all. A few of a crowd are
//! remembered and told. Of accesses that nothing orders, whether of a crowd or not, no more than a hundred or so are
//! remembered: a frontier is bounded.
//!
//! Attachments are written in the order of the draws, pixel by pixel, with no synchronization (rule 1.3.7): within a
//! pass they do not conflict, and a later draw stands for an earlier one.
use smallvec::SmallVec;

use super::names::Names;
use super::spans::Spans;
use super::walk::{Mark, at};
use super::{race, stale};
use crate::AccessKind;
use crate::order::Known;

/// What is known of all memories.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    memories: Vec<Spans<Frontier>>,
}

#[derive(Clone, Debug, Default)]
struct Frontier {
    marks: SmallVec<[Mark; 2]>,
}

impl PartialEq for Frontier {
    fn eq(&self, other: &Self) -> bool {
        let key = |mark: &Mark| {
            (mark.serial, mark.stage, mark.resource, mark.kind, mark.place.start, mark.place.end)
        };
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
    pub(super) fn name(&self, names: &mut Names) {
        let frontiers = self.memories.iter().flat_map(Spans::values);
        frontiers.flat_map(|frontier| &frontier.marks).for_each(|mark| names.mark(mark));
    }

    /// Forgets a memory: nothing lies in it any more.
    pub(super) fn drop_memory(&mut self, memory: usize) {
        *at(&mut self.memories, memory) = Spans::default();
    }

    pub(super) fn records(&self) -> usize {
        let frontiers = self.memories.iter().flat_map(Spans::values);
        frontiers.map(|frontier| 1 + frontier.marks.len()).sum()
    }

    /// Tells every clash of a deed's accesses with the frontiers they meet, then makes them part of these.
    pub(super) fn see(
        &mut self,
        marks: &[Mark],
        known: &Known<'_>,
        mut tell: impl FnMut(&Mark, &Mark, Fault),
    ) {
        for mark in marks {
            at(&mut self.memories, mark.memory).over(&mark.place, |_, frontier| {
                frontier.compare(mark, known, &mut tell);
            });
        }
        for mark in marks {
            at(&mut self.memories, mark.memory).over(&mark.place, |_, frontier| frontier.add(mark, known));
        }
    }
}

impl Frontier {
    fn compare(&self, mark: &Mark, known: &Known<'_>, tell: &mut impl FnMut(&Mark, &Mark, Fault)) {
        for earlier in &self.marks {
            if let Some(fault) = fault(earlier, mark, known) {
                tell(earlier, mark, fault);
            }
        }
    }

    fn add(&mut self, mark: &Mark, known: &Known<'_>) {
        let crowd =
            self.marks.iter().rev().take(CROWD_MOST).take_while(|earlier| alike(earlier, mark)).count();
        if crowd == CROWD_MOST {
            // Whatever races with this one races with all of them, and has been told or will be.
            return;
        }
        // What another of its crowd stands for is gone already.
        if crowd == 0 {
            self.marks.retain(|earlier| !stands_for(mark, earlier, known));
        }
        if self.marks.len() > RACING_MOST {
            self.shorten(mark, known);
        }
        self.marks.push(mark.clone());
    }

    #[cold]
    fn shorten(&mut self, mark: &Mark, known: &Known<'_>) {
        if mark.kind.writes() {
            // Each of them that conflicts with the new one has been told.
            let mut over = self.marks.len() - RACING_MOST;
            self.marks.retain(|earlier| {
                let told = over > 0 && fault(earlier, mark, known).is_some();
                over -= usize::from(told);
                !told
            });
        }
        if self.marks.len() >= UNORDERED_MOST {
            self.marks.drain(..UNORDERED_MOST / 2);
        }
    }
}

/// Whether two accesses are of one crowd and touch the same: ordered with the same, unordered with the same.
fn alike(earlier: &Mark, later: &Mark) -> bool {
    later.crowd.is_some()
        && earlier.crowd == later.crowd
        && earlier.kind == later.kind
        && matches!(later.kind, AccessKind::Read | AccessKind::Atomic)
        && earlier.stage == later.stage
        && earlier.resource == later.resource
        && earlier.extent == later.extent
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

fn fault(earlier: &Mark, later: &Mark, known: &Known<'_>) -> Option<Fault> {
    if !conflict(earlier, later) {
        None
    } else if race::is(earlier, later, known) {
        Some(Fault::Race)
    } else {
        stale::is(earlier, later, known).then_some(Fault::Stale)
    }
}

/// Whether `later` stands for `earlier` where their places meet.
fn stands_for(later: &Mark, earlier: &Mark, known: &Known<'_>) -> bool {
    let same_pass = earlier.attachment.is_some() && earlier.attachment == later.attachment;
    let class = match later.kind {
        AccessKind::Write | AccessKind::ReadWrite => true,
        AccessKind::Read | AccessKind::Atomic => earlier.kind == later.kind,
    };
    class
        && earlier.serial < later.serial
        && later.contains(earlier)
        && (same_pass || known.ordered(earlier.point, later.node()))
}

/// So many of a crowd of readers are remembered: the rest are ordered as these are.
const CROWD_MOST: usize = 16;
/// Beyond this many accesses that race on the same bytes, the oldest are let go once they have been told.
const RACING_MOST: usize = 64;
/// More accesses of the same bytes that nothing orders are not remembered: the older half is let go.
const UNORDERED_MOST: usize = 128;
