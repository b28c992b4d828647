//! Every conflict of a program with what has become of it: for those who weigh synchronization.
//!
//! The validator tells of neighbours; whoever takes synchronization away, or adds some, must know of every conflict. Those
//! that are well ordered are many, but few of them say something of their own: where `x` is before the write `z` and `z` before
//! `y`, and both conflicts are well ordered, so is the one between `x` and `y`, by the same chain. So each byte
//! remembers, besides its frontier, what each write on it stands for, and looks behind a write only where the write itself is
//! not well ordered before the newcomer.
//!
//! ```text
//!   x  write ─► z  write ─► y  read       told: x–z, z–y        (x–y follows)
//!   x  write ─► z  write    y  read       told: x–z, z–y, x–y   (z–y is a race, so x–y is looked at)
//! ```
use std::collections::{BTreeSet, HashMap, HashSet};

use smallvec::SmallVec;

use super::spans::Spans;
use super::walk::{self, Layout, Mark, at};
use super::{history, race, stale};
use crate::order::{Known, Script};
use crate::program::{Locus, Program, ResourceIndex};
use crate::{AccessKind, Moment, NodeId, Order, Stage};

/// Two accesses of which one must come first, in the order of the play.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Conflict {
    pub(crate) first: End,
    pub(crate) second: End,
    /// By which names the two touch the bytes.
    pub(crate) resources: [ResourceIndex; 2],
    /// The first writes, so order alone does not do.
    pub(crate) writes: bool,
}

/// One access of a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct End {
    /// The command or step.
    pub(crate) locus: Locus,
    /// None for the CPU.
    pub(crate) stage: Option<Stage>,
    /// Whose node it is: another place for what a commit uploads.
    pub(crate) at: Locus,
    number: u8,
}

/// What has become of the conflicts of a program.
#[derive(Debug, Default)]
pub(crate) struct Conflicts {
    /// Ordered, and visible where that matters. All others that are so follow from these.
    pub(crate) kept: BTreeSet<Conflict>,
    /// Ordered, and not visible.
    pub(crate) stale: BTreeSet<Conflict>,
    /// Not ordered.
    pub(crate) racing: BTreeSet<Conflict>,
}

impl End {
    /// Its node in some play of the program, where it is played.
    pub(crate) fn node(&self, order: &Order) -> Option<NodeId> {
        order.nodes(self.at).get(usize::from(self.number)).copied()
    }
}

impl Conflict {
    /// The same conflict where its places have moved; nothing where one of them is gone.
    pub(crate) fn moved(&self, to: impl Fn(Locus) -> Option<Locus>) -> Option<Self> {
        let end = |end: &End| Some(End { locus: to(end.locus)?, at: to(end.at)?, ..*end });
        Some(Self { first: end(&self.first)?, second: end(&self.second)?, ..self.clone() })
    }

    /// Whether it is ordered in some play of the program.
    pub(crate) fn is_ordered(&self, order: &Order) -> bool {
        let ends = self.first.node(order).zip(self.second.node(order));
        ends.is_some_and(|(first, second)| order.ordered(first, second))
    }

    /// Whether it is ordered, and visible where that matters, in some play of the program.
    pub(crate) fn is_kept(&self, order: &Order) -> bool {
        let (Some(first), Some(second)) = (self.first.node(order), self.second.node(order)) else {
            return false;
        };
        let shown = |resource: &ResourceIndex| order.visible_to(first, second, *resource);
        order.ordered(first, second) && (!self.writes || self.resources.iter().all(shown))
    }
}

impl Conflicts {
    /// Those of a play, without those of some places.
    pub(crate) fn of(program: &Program, order: &Order, without: &HashSet<Locus>) -> Self {
        let layout = Layout::of(program);
        let steps = order.moments().iter().filter_map(|moment| match *moment {
            Moment::Step(number) => Some(Locus::Step(number)),
            _ => None,
        });
        let of_steps = steps.filter_map(|locus| Some((*order.nodes(locus).first()?, locus))).collect();
        let mut seen = Seen {
            of_steps,
            marks: Vec::new(),
            entries: Vec::new(),
            memories: Vec::new(),
            order,
            known: order.known(),
            found: Self::default(),
        };
        let all = program.all_steps();
        walk::walk(Script::document(program, &all), order, &layout, |deed| {
            if !without.contains(&deed.locus) {
                seen.see(deed.touches());
            }
        });
        seen.found
    }
}

struct Seen<'a> {
    order: &'a Order,
    known: Known<'a>,
    of_steps: HashMap<NodeId, Locus>,
    marks: Vec<Mark>,
    entries: Vec<Entry>,
    memories: Vec<Spans<Frontier>>,
    found: Conflicts,
}

/// A mark on some bytes, with the entries that it stands for there.
struct Entry {
    mark: usize,
    behind: Vec<u32>,
}

/// Entries that nothing stands for.
#[derive(Clone, Debug, Default, PartialEq)]
struct Frontier(SmallVec<[u32; 2]>);

enum Fate {
    Kept,
    Stale,
    Racing,
    /// No conflict.
    None,
}

impl Seen<'_> {
    fn see(&mut self, marks: &[Mark]) {
        let first = self.marks.len();
        self.marks.extend_from_slice(marks);
        let mut memories = std::mem::take(&mut self.memories);
        for number in first..self.marks.len() {
            let (memory, place) = (self.marks[number].memory, self.marks[number].place.clone());
            at(&mut memories, memory).over(&place, |_, frontier| self.compare(frontier, number));
        }
        for number in first..self.marks.len() {
            let (memory, place) = (self.marks[number].memory, self.marks[number].place.clone());
            at(&mut memories, memory).over(&place, |_, frontier| self.add(frontier, number));
        }
        self.memories = memories;
    }

    fn compare(&mut self, frontier: &Frontier, later: usize) {
        let mut open: Vec<u32> = frontier.0.to_vec();
        while let Some(next) = open.pop() {
            let entry = &self.entries[next as usize];
            let fate = self.fate(entry.mark, later);
            let pair = self.conflict(entry.mark, later);
            if !matches!(fate, Fate::Kept) {
                open.extend_from_slice(&entry.behind);
            }
            let Some(pair) = pair else { continue };
            match fate {
                Fate::Kept => self.found.kept.insert(pair),
                Fate::Stale => self.found.stale.insert(pair),
                Fate::Racing => self.found.racing.insert(pair),
                Fate::None => false,
            };
        }
    }

    fn add(&mut self, frontier: &mut Frontier, number: usize) {
        let own = &self.marks[number];
        let mut behind = Vec::new();
        if matches!(own.kind, AccessKind::Write | AccessKind::ReadWrite) {
            frontier.0.retain(|next| {
                let earlier = self.entries[*next as usize].mark;
                let stays =
                    !own.contains(&self.marks[earlier]) || !matches!(self.fate(earlier, number), Fate::Kept);
                if !stays {
                    behind.push(*next);
                }
                stays
            });
        }
        frontier.0.push(self.entries.len() as u32);
        self.entries.push(Entry { mark: number, behind });
    }

    fn fate(&self, earlier: usize, later: usize) -> Fate {
        let (x, y) = (&self.marks[earlier], &self.marks[later]);
        if !history::conflict(x, y) {
            // What the CPU's copy of a managed resource lacks is told as such; the order is needed all the same.
            let brought = y.managed_read && x.stage.is_some() && x.kind.writes() && x.meets(y);
            return if brought && !race::is(x, y, &self.known) { Fate::Kept } else { Fate::None };
        }
        if race::is(x, y, &self.known) {
            Fate::Racing
        } else if stale::is(x, y, &self.known) {
            Fate::Stale
        } else {
            Fate::Kept
        }
    }

    fn conflict(&self, earlier: usize, later: usize) -> Option<Conflict> {
        let (x, y) = (&self.marks[earlier], &self.marks[later]);
        Some(Conflict {
            first: self.end(x)?,
            second: self.end(y)?,
            resources: [x.resource, y.resource],
            writes: x.kind.writes() && !y.managed_read,
        })
    }

    fn end(&self, mark: &Mark) -> Option<End> {
        let own = self.order.nodes(mark.locus).iter().position(|node| *node == mark.node());
        let (at, number) = match own {
            Some(number) => (mark.locus, number),
            None => (*self.of_steps.get(&mark.node())?, 0),
        };
        Some(End { locus: mark.locus, stage: mark.stage, at, number: u8::try_from(number).ok()? })
    }
}
