//! From what must be ordered to what a driver is told: few barriers, few submissions, nothing held back that could run.
//!
//! A driver's queue knows only "all that came before, all that comes after": a barrier orders every earlier command of its stages before
//! every later one. So a graph of edges becomes *waves*: within a segment, commands are re-ordered by level (the longest way to them), and
//! one merged barrier with the narrowest stages stands between two levels, where anything needs it. Chains that were recorded one behind
//! the other run side by side, with as many barriers as the longest of them has steps.
//!
//! ```text
//!   recorded          a1→a2→a3  b1→b2  c1          by level          a1 b1 c1 | a2 b2 | a3
//! ```
//!
//! *Lanes* are the driver's queues: in order each, at once together. A *segment* is a run of steps of one lane that is submitted as a whole
//! and raises the lane's timeline to its *point*. What depends on another lane waits for that lane's point. What the host has already seen
//! to be complete costs nothing, but is waited for all the same: only a wait makes its writes visible on another lane.
//!
//! [`Waves`] plans, [`Enforced`] judges: it takes the steps as a driver does and says which edge of the graph they do not enforce.
//!
//! ```
//! use fencepost_core::waves::{Emitted, Kind, Step, Unit, Waves};
//! use fencepost_core::{NodeId, Stage, Stages};
//!
//! let mut waves = Waves::new(1);
//! // Two chains of two, one behind the other.
//! for (node, predecessors) in [(0, &[][..]), (1, &[NodeId(0)]), (2, &[]), (3, &[NodeId(2)])] {
//!     let kind = Kind::Work(Stage::Dispatch);
//!     waves.place(Unit { node: NodeId(node), predecessors, lane: 0, tag: node as u32, kind });
//! }
//! let mut emitted = Emitted::default();
//! waves.flush(&mut emitted);
//! let barrier = Step::Barrier { after: Stages::DISPATCH, before: Stages::DISPATCH };
//! assert_eq!(emitted.steps, [Step::Run(0), Step::Run(2), barrier, Step::Run(1), Step::Run(3)]);
//! ```
mod enforced;
mod lane;
mod planner;

use core::ops::Range;

use smallvec::SmallVec;

use crate::{NodeId, Stage, Stages};

pub use enforced::{Enforced, Unenforced};
pub use planner::Waves;

/// A node to be placed.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    /// Its name. Names grow from unit to unit.
    pub node: NodeId,
    /// What it must run after: earlier nodes. Those that were retired have ended.
    pub predecessors: &'a [NodeId],
    /// The driver's queue that it runs on, below the number that [`Waves::new`] was given.
    pub lane: u32,
    /// The caller's number for it.
    pub tag: u32,
    /// What it does.
    pub kind: Kind,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Work of a stage.
    Work(Stage),
    /// Nothing: it has ended when its predecessors have.
    Gate,
    /// A gate whose end the host is to see at once, and not only when what comes behind it has ended as well.
    Point,
}

/// One step of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Runs the unit with this tag; of units placed together, the first one's.
    Run(u32),
    /// All earlier work of the stages `after` on this lane ends, with its writes visible, before later work of the stages `before` starts.
    Barrier {
        /// Stages waited for.
        after: Stages,
        /// Stages held back.
        before: Stages,
    },
}

/// Steps that are submitted together. Segments are submitted in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The driver's queue.
    pub lane: u32,
    /// What the lane's timeline is raised to at the end: one more than by the segment before.
    pub point: u64,
    /// Points of lanes that are waited for by all of it. All of them belong to earlier segments.
    pub waits: SmallVec<[(u32, u64); 4]>,
    /// What it does, as a range of [`Emitted::steps`].
    pub steps: Range<u32>,
}

/// When a node has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The unit's tag.
    pub tag: u32,
    /// It has ended when all of these points are reached; at once where there are none.
    pub needs: SmallVec<[(u32, u64); 2]>,
}

/// What came of the units placed since the last flush.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Emitted {
    /// In the order in which they are to be submitted.
    pub segments: Vec<Segment>,
    /// Steps of all segments.
    pub steps: Vec<Step>,
    /// Every unit, in the order of placing.
    pub ended: Vec<Ended>,
}

impl Emitted {
    /// The steps of a segment of this.
    pub fn steps_of(&self, segment: &Segment) -> &[Step] {
        self.steps.get(segment.steps.start as usize..segment.steps.end as usize).unwrap_or(&[])
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.segments.clear();
        self.steps.clear();
        self.ended.clear();
    }
}
