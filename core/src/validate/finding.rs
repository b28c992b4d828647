//! What a validator finds, as data.
use crate::advise::{Mending, Scope};
use crate::program::{CommandBufferIndex, FenceIndex, Locus, MemoryScope, ResourceIndex};
use crate::{AccessKind, Conflict, Extent, Stage, Stages};

/// One thing that is wrong, or likely to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// The earlier of the two places that have to do with it, in the order in which work is released.
    pub first: Option<Spot>,
    /// The later one; the place where there is only one.
    pub second: Option<Spot>,
    /// What is touched.
    pub resource: Option<ResourceIndex>,
    /// Which part of it: for two accesses, the first part that both touch.
    pub extent: Option<Extent>,
}

/// A place that a finding names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Spot {
    /// A command, a synchronization, an event operation or a step of the CPU.
    At(Locus),
    /// A pass, by its place in the command buffer.
    Pass(CommandBufferIndex, u32),
    /// A command buffer.
    CommandBuffer(CommandBufferIndex),
}

impl From<Locus> for Spot {
    /// The attachments of a pass without draws are the pass.
    fn from(locus: Locus) -> Self {
        match locus {
            Locus::Pass { buffer, pass } => Self::Pass(buffer, pass),
            Locus::PassItem { .. } | Locus::Event { .. } | Locus::Step(_) => Self::At(locus),
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Results or progress depend on luck, or Metal forbids it.
    Error,
    /// Defined, and hardly meant.
    Warning,
    /// Right, and more than is needed.
    Advice,
}

/// What is wrong, with what only this kind has.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Two accesses conflict and nothing orders them.
    Race(Clash),
    /// Two accesses conflict and are ordered, but what the first writes is not visible to the second.
    Stale(Clash),
    /// A wait that nothing will release.
    Stuck(Stuck),
    /// A managed resource's copies differ where one is read.
    Managed(Managed),
    /// A read of what nothing has defined.
    Uninitialized(Uninitialized),
    /// A call that Metal does not allow, or that cannot be meant.
    Misuse(Misuse),
    /// A synchronization without which every conflict that is ordered stays so.
    Redundant(Redundant),
    /// A synchronization of which less would order the same conflicts.
    TooWide(TooWide),
}

impl Kind {
    /// The stable name of the kind.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Race(_) => "race",
            Self::Stale(_) => "stale",
            Self::Stuck(_) => "stuck",
            Self::Managed(_) => "managed",
            Self::Uninitialized(_) => "uninitialized",
            Self::Misuse(_) => "misuse",
            Self::Redundant(_) => "redundant",
            Self::TooWide(_) => "too-wide",
        }
    }
}

impl Finding {
    /// The stable name of its kind: `"race"`, `"stale"` and so on.
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// How bad it is.
    pub const fn severity(&self) -> Severity {
        match &self.kind {
            Kind::Race(_) | Kind::Stale(_) | Kind::Stuck(_) | Kind::Managed(_) => Severity::Error,
            Kind::Uninitialized(_) => Severity::Warning,
            Kind::Misuse(misuse) => misuse.severity(),
            Kind::Redundant(_) | Kind::TooWide(_) => Severity::Advice,
        }
    }

    /// The place that it is about: the later one, where there are two.
    pub fn spot(&self) -> Option<Spot> {
        self.second.or(self.first)
    }
}

/// Two accesses that conflict.
#[derive(Clone, Debug, PartialEq)]
pub struct Clash {
    /// How, the worst first; the commands may conflict in more than one way.
    pub conflicts: Vec<Conflict>,
    /// The access of the first place.
    pub first: Touch,
    /// The access of the second place.
    pub second: Touch,
    /// What keeps the two from being ordered, or the second from seeing the first.
    pub gap: Gap,
}

impl Clash {
    /// The worst way in which the two conflict.
    pub fn conflict(&self) -> Conflict {
        self.conflicts.first().copied().unwrap_or(Conflict::WriteAfterWrite)
    }
}

/// One access of a clash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Touch {
    /// By which name; two names may stand for the same bytes.
    pub resource: ResourceIndex,
    /// Which part.
    pub extent: Extent,
    /// How.
    pub kind: AccessKind,
    /// In which stage; on the CPU for `None`.
    pub stage: Option<Stage>,
}

/// What is missing between two accesses: nothing stands there, or what stands there misses by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Gap {
    /// No synchronization stands between the two.
    Nothing,
    /// They are on different queues, and nothing leads from one queue to the other.
    Queues,
    /// The CPU has not waited for the first.
    NotWaited,
    /// The CPU acts after the commit of the second.
    AfterCommit,
    /// The primitive's first scope lacks this stage.
    FirstStage(Locus, Stage),
    /// The primitive's second scope lacks this stage.
    SecondStage(Locus, Stage),
    /// A consumer barrier in the first's own pass: it speaks of earlier passes.
    OwnPass(Locus),
    /// A producer barrier in the second's own pass: it speaks of later passes.
    LaterPasses(Locus),
    /// A barrier within one pass, and the two are in two.
    WithinPass(Locus),
    /// A queue barrier, and the two are in one pass.
    WithoutPass(Locus),
    /// The primitive stands before the first.
    TooEarly(Locus),
    /// The primitive stands behind the second.
    TooLate(Locus),
    /// The pass updates one fence and the other pass waits for another.
    OtherFence {
        /// The update in the first's pass.
        update: Locus,
        /// The wait in the second's pass.
        wait: Locus,
    },
    /// Tracking would order them, but the queue is explicit.
    TrackingInert,
    /// Tracking does not see an access through pointers that nothing declares.
    Undeclared(Locus),
    /// The order comes without visibility, by this primitive.
    ExecutionOnly(Locus),
    /// The memory barrier shows other kinds of resource or other resources.
    OtherResources(Locus),
}

/// Why nothing will release a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Why.
    pub reason: StuckReason,
    /// Other waits that this one keeps from being released.
    pub behind: Vec<Locus>,
}

/// Why nothing will release a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StuckReason {
    /// No signal of the document gives this value; the highest that one gives is there, if there is any.
    NeverSignalled {
        /// The value waited for.
        value: u64,
        /// The highest value that the document gives.
        highest: Option<u64>,
    },
    /// The signal stands in a notification that nothing triggers.
    NeverNotified {
        /// The step that asks for the notification.
        notification: Locus,
        /// The value that it is for.
        value: u64,
        /// The highest value that the document gives its event.
        highest: Option<u64>,
    },
    /// The signal stands behind the wait itself.
    OwnFuture {
        /// The signal.
        signal: Locus,
    },
    /// Waits that wait for each other: this one and what each waits for, in turn.
    Cycle(Vec<Locus>),
    /// What it waits for is in a command buffer that is never committed.
    NeverCommitted(CommandBufferIndex),
}

/// What is wrong with a managed resource's copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Managed {
    /// The CPU wrote its copy, and the GPU reads its own: nothing published the bytes before the commit.
    NotPublished,
    /// The GPU wrote its copy, and the CPU reads its own: nothing brought the bytes over that the CPU waited for.
    NotSynchronized,
}

impl Managed {
    /// Its stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotPublished => "not-published",
            Self::NotSynchronized => "not-synchronized",
        }
    }
}

/// Why what is read is undefined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Uninitialized {
    /// The bytes were last written under another name that shares the memory.
    Alias(ResourceIndex),
    /// A pass loads an attachment that nothing has written.
    Attachment,
}

/// Calls that Metal does not allow, and some that cannot be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Misuse {
    /// A command, or stages of a primitive, that its encoder cannot encode: those stages.
    StageNotInEncoder(Stages),
    /// A render pass waits for its own fragments or tiles.
    FragmentInAfter,
    /// A pass waits for a fence that it has updated.
    UpdateBeforeWait(FenceIndex),
    /// The CPU reaches into private memory, or a call for managed resources names another.
    WrongStorageMode,
    /// A resource that is not on a heap.
    NotAliasable,
    /// Work of one device uses what belongs to another.
    WrongDevice,
    /// A command buffer is committed again.
    CommittedTwice(CommandBufferIndex),
    /// Work committed after the resource's memory was given away.
    UseAfterAliasing,
    /// A call that the other kind of queue has.
    WrongQueueMode,
    /// A primitive with an empty set of stages: it orders nothing.
    EmptyStages,
    /// A wait for a fence that nothing has updated: it waits for nothing.
    NeverUpdated(FenceIndex),
    /// A signal of a value that the event already has by then.
    SignalNotIncreasing {
        /// The value signalled.
        value: u64,
        /// The value reached before.
        reached: u64,
    },
    /// A command buffer that is never committed: it does nothing.
    NeverCommitted,
    /// A resource that asks for tracking on a heap that has none: it is not tracked.
    TrackedOnUntrackedHeap,
    /// A fence that is updated on another queue: Metal's own texts disagree on whether that works, and an event does.
    FenceAcrossQueues(FenceIndex),
}

impl Misuse {
    /// Its stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::StageNotInEncoder(_) => "stage-not-in-encoder",
            Self::FragmentInAfter => "fragment-in-after",
            Self::UpdateBeforeWait(_) => "update-before-wait",
            Self::WrongStorageMode => "wrong-storage-mode",
            Self::NotAliasable => "not-aliasable",
            Self::WrongDevice => "wrong-device",
            Self::CommittedTwice(_) => "committed-twice",
            Self::UseAfterAliasing => "use-after-aliasing",
            Self::WrongQueueMode => "wrong-queue-mode",
            Self::EmptyStages => "empty-stages",
            Self::NeverUpdated(_) => "never-updated",
            Self::SignalNotIncreasing { .. } => "signal-not-increasing",
            Self::NeverCommitted => "never-committed",
            Self::TrackedOnUntrackedHeap => "tracked-on-untracked-heap",
            Self::FenceAcrossQueues(_) => "fence-across-queues",
        }
    }

    /// How bad it is.
    pub const fn severity(self) -> Severity {
        match self {
            Self::StageNotInEncoder(_)
            | Self::FragmentInAfter
            | Self::UpdateBeforeWait(_)
            | Self::WrongStorageMode
            | Self::NotAliasable
            | Self::WrongDevice
            | Self::CommittedTwice(_)
            | Self::UseAfterAliasing
            | Self::WrongQueueMode => Severity::Error,
            Self::EmptyStages
            | Self::NeverUpdated(_)
            | Self::SignalNotIncreasing { .. }
            | Self::NeverCommitted
            | Self::TrackedOnUntrackedHeap
            | Self::FenceAcrossQueues(_) => Severity::Warning,
        }
    }
}

/// Why a synchronization is not needed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redundant {
    /// Nothing that it orders is a conflict.
    NoConflict,
    /// What it orders is ordered without it: these two places, for one.
    Ordered {
        /// The earlier of the two.
        first: Locus,
        /// The later.
        second: Locus,
        /// What orders them without it; nothing where a thread's own order does.
        by: Vec<Locus>,
    },
    /// The CPU's copy and the GPU's agree without it.
    CopiesAgree,
}

/// What would do instead of a wider synchronization.
#[derive(Clone, Debug, PartialEq)]
pub struct TooWide {
    /// What is less of it.
    pub less: Less,
    /// What takes its place.
    pub mending: Box<Mending>,
    /// Two places that are ordered, and would not be any more: what the width costs. Nothing where all that is ordered stays
    /// so, and the width is a matter of taste.
    pub frees: Option<(Locus, Locus)>,
}

/// In what a synchronization may be less.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Less {
    /// These stages, where the primitive names stages on that side.
    Stages {
        /// Of what it waits for.
        after: Option<Stages>,
        /// Of what it holds.
        before: Option<Stages>,
    },
    /// Fewer kinds of resource.
    Kinds(MemoryScope),
    /// A primitive of smaller scope.
    Scope {
        /// The scope of what stands there.
        from: Scope,
        /// The smaller one.
        to: Scope,
        /// A conflict that it must order.
        first: Locus,
        /// The later place of that conflict.
        second: Locus,
    },
}
