//! A program in time: when each piece of work can start at the earliest, and what it waits for until then.
//!
//! A picture of synchronization shows time, so somebody has to say when things happen. Nothing here runs: every piece
//! of work starts as soon as the [`Order`] lets it, on a machine that has room for everything. What may overlap then
//! does overlap, and what waits shows until when, and for what. Costs are those of the program, 1 where it names none.
//!
//! A timeline is data and knows nothing of drawing: lanes, groups in them (a pass, the steps of a thread, the event
//! operations of a queue), bars for work, [`Hold`]s for time spent waiting, [`Mark`]s for what takes no time, arrows from what
//! ends a wait, and the findings of the validator with the places they are about.
//!
//! ```
//! use fencepost_core::program::{Program, QueueMode};
//! use fencepost_core::timeline::Timeline;
//! use fencepost_core::Stages;
//!
//! let mut p = Program::builder();
//! let q = p.queue("q", QueueMode::Explicit);
//! let [a, b] = ["A", "B"].map(|name| p.buffer(name, 64));
//! let cb = p.command_buffer("cb", q, |items| {
//!     items.compute("P1", |pass| { pass.copy("c1", a, b); });
//!     items.compute("P2", |pass| {
//!         pass.consumer_barrier(Stages::BLIT, Stages::DISPATCH);
//!         pass.dispatch("k2", [b], [b]);
//!     });
//! });
//! p.steps().commit([cb]);
//! let timeline = Timeline::of(&p.build())?;
//! let times: Vec<_> = timeline.bars.iter().map(|bar| (bar.label.as_str(), bar.start, bar.end)).collect();
//! assert_eq!(times, [("c1", 0, 1), ("k2", 1, 2)]);
//! assert_eq!((timeline.holds[0].from, timeline.holds[0].to), (0, 1)); // k2 is held while c1 runs
//! # Ok::<(), fencepost_core::program::UnknownName>(())
//! ```
mod build;
mod conflicts;
mod cpu;
mod holds;
mod queue;
mod times;
mod words;

use crate::program::{CommandBufferIndex, Locus, Program, QueueIndex, UnknownName};
use crate::validate::{Finding, Severity, validate_order};
use crate::{AccessKind, Order, Stage};

/// A point in time: units of work since the start of the program.
pub type Time = u64;

/// A program in time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// Threads of the CPU, where what they do matters, then queues.
    pub lanes: Vec<Lane>,
    /// What stands together in a lane.
    pub groups: Vec<Group>,
    /// Work.
    pub bars: Vec<Bar>,
    /// Waiting.
    pub holds: Vec<Hold>,
    /// What takes no time.
    pub marks: Vec<Mark>,
    /// What ends a wait, and what commits a command buffer.
    pub arrows: Vec<Arrow>,
    /// What the validator found, in its order.
    pub conflicts: Vec<Conflict>,
    /// When everything has ended.
    pub end: Time,
}

/// Who does things one after another, or takes them in one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// A thread or a queue.
    pub owner: Owner,
    /// Its name.
    pub name: String,
    /// What kind of thread or queue it is.
    pub detail: String,
}

/// Whose lane it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A thread of the CPU: the document's own, or the step that starts it.
    Thread(Option<u32>),
    /// A queue.
    Queue(QueueIndex),
}

/// Things that stand together in a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The lane, by its number.
    pub lane: usize,
    /// What stands together.
    pub kind: GroupKind,
    /// Its label; empty where it needs none.
    pub label: String,
    /// What else is to say of it.
    pub detail: String,
    /// Whether it happens.
    pub fate: Fate,
    /// When it begins: the first work or waiting in it.
    pub start: Time,
    /// When it ends.
    pub end: Time,
}

/// What stands together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupKind {
    /// The steps of a thread.
    Steps,
    /// The event operations of a queue.
    Events,
    /// A pass.
    Pass(CommandBufferIndex, u32),
}

/// Whether something happens at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It happens.
    Runs,
    /// It stands behind a wait that nothing releases; its time is only a place.
    Stuck,
    /// It is in a command buffer that is never committed; its time is only a place.
    NotCommitted,
}

/// Work that takes time: a command in one stage, or a thread that touches memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The group, by its number.
    pub group: usize,
    /// The stage; none on the CPU.
    pub stage: Option<Stage>,
    /// Where it stands in the program.
    pub locus: Locus,
    /// Its label.
    pub label: String,
    /// Its label path.
    pub path: String,
    /// What it touches in this stage.
    pub touches: Vec<Touched>,
    /// The earliest start.
    pub start: Time,
    /// The end.
    pub end: Time,
}

/// What a bar touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The part, as an access expression.
    pub part: String,
    /// How.
    pub kind: AccessKind,
}

/// Time in which a primitive, or hazard tracking, keeps something from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The group, by its number.
    pub group: usize,
    /// The stage whose work is held; none for a whole queue and for a thread.
    pub stage: Option<Stage>,
    /// What holds: its place in the program. For hazard tracking the place of what is held.
    pub loci: Vec<Locus>,
    /// What kind of thing holds.
    pub kind: HoldKind,
    /// What holds, and until what.
    pub label: String,
    /// When the waiting begins: with the work that is waited for.
    pub from: Time,
    /// When it ends.
    pub to: Time,
    /// The bars held, by their numbers.
    pub bars: Vec<usize>,
    /// Whether it holds anything.
    pub effect: Effect,
}

impl Hold {
    /// Whether it is in a pass without commands, and only hands on what it waits for.
    pub fn is_relay(&self) -> bool {
        self.effect == Effect::Holds && self.bars.is_empty() && self.stage.is_some()
    }
}

/// What kind of thing keeps work from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldKind {
    /// A barrier of any kind.
    Barrier,
    /// A wait for a fence.
    Fence,
    /// A wait for an event, by a queue or by a thread.
    Event,
    /// Automatic hazard tracking.
    Tracking,
    /// A thread that waits for a command buffer.
    Completion,
}

/// What becomes of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It holds something, until its end.
    Holds,
    /// What it waits for has ended before anything asks; its time is only a place.
    Satisfied,
    /// It gives no order at all; its time is only a place.
    Nothing,
    /// Nothing releases it.
    Never,
    /// It stands behind a wait that nothing releases, or is never committed; its time is only a place.
    NeverReached,
}

/// Something that takes no time: a signal, an update, a producer barrier, a step of the CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The group, by its number.
    pub group: usize,
    /// Where it stands in the program.
    pub locus: Locus,
    /// What it is.
    pub label: String,
    /// When.
    pub at: Time,
    /// Whether it happens.
    pub fate: Fate,
}

/// Something that an arrow or a finding points to, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Anchor {
    /// A bar.
    Bar(usize),
    /// A hold.
    Hold(usize),
    /// A mark.
    Mark(usize),
    /// A group.
    Group(usize),
}

/// One thing makes another possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arrow {
    /// What comes first.
    pub from: Anchor,
    /// What follows.
    pub to: Anchor,
    /// By what.
    pub kind: ArrowKind,
}

/// What an arrow stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ArrowKind {
    /// A barrier.
    Barrier,
    /// A fence.
    Fence,
    /// An event.
    Event,
    /// Hazard tracking.
    Tracking,
    /// A commit, or a thread that waits for completion.
    Cpu,
    /// A signal that a wait needs and that cannot come.
    Stuck,
}

/// A finding and the places that it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// What the validator says.
    pub finding: Finding,
    /// How bad it is.
    pub severity: Severity,
    /// In words: what happens, and which order is missing.
    pub message: String,
    /// What it is about, as access expressions: the earlier place's and the later one's part.
    pub parts: Vec<String>,
    /// The earlier place, where the timeline has it.
    pub first: Option<Anchor>,
    /// The later place, or the only one.
    pub second: Option<Anchor>,
}

impl Timeline {
    /// The timeline of a program.
    ///
    /// # Errors
    /// The program names something that it does not declare.
    pub fn of(program: &Program) -> Result<Self, UnknownName> {
        let order = Order::of(program)?;
        let findings = validate_order(program, &order);
        Ok(Self::of_checked(program, &order, &findings))
    }

    /// The timeline of a program that has been judged. `order` and `findings` must be the program's own.
    pub fn of_checked(program: &Program, order: &Order, findings: &[Finding]) -> Self {
        build::build(program, order, findings)
    }

    /// The first and the last point in time of an anchor.
    pub fn span(&self, anchor: Anchor) -> Option<(Time, Time)> {
        match anchor {
            Anchor::Bar(number) => self.bars.get(number).map(|bar| (bar.start, bar.end)),
            Anchor::Hold(number) => self.holds.get(number).map(|hold| (hold.from, hold.to)),
            Anchor::Mark(number) => self.marks.get(number).map(|mark| (mark.at, mark.at)),
            Anchor::Group(number) => self.groups.get(number).map(|group| (group.start, group.end)),
        }
    }

    /// The group that an anchor is or stands in.
    pub fn group_of(&self, anchor: Anchor) -> Option<usize> {
        match anchor {
            Anchor::Bar(number) => self.bars.get(number).map(|bar| bar.group),
            Anchor::Hold(number) => self.holds.get(number).map(|hold| hold.group),
            Anchor::Mark(number) => self.marks.get(number).map(|mark| mark.group),
            Anchor::Group(number) => (number < self.groups.len()).then_some(number),
        }
    }
}
