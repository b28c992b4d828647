//! What a command does to a resource, and when two such accesses conflict.
//!
//! Two accesses conflict when they may touch the same bytes and swapping them could change a value: one of them
//! writes. Two atomics never conflict, whatever their order gives is what the application asked for.
//! Whether two accesses touch the same bytes is a question of place in memory and not of name, so it is asked of
//! [`Places`](crate::Places).
use crate::{Extent, ResourceId, Stage};

/// How an access touches its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessKind {
    /// Reads only.
    Read,
    /// Writes only.
    Write,
    /// Reads and writes.
    ReadWrite,
    /// Atomic read-modify-write: two atomics on the same object do not conflict (semantics rule 1.3.7).
    Atomic,
}

impl AccessKind {
    /// Whether it may change bytes.
    pub const fn writes(self) -> bool {
        !matches!(self, Self::Read)
    }

    /// Whether its result depends on bytes written before.
    pub const fn reads(self) -> bool {
        !matches!(self, Self::Write)
    }

    /// How `self`, first in order, conflicts with `later` on the same bytes; `None` where neither order matters.
    /// Where several names fit, the one that loses most counts: a read that misses a write, then a lost write.
    ///
    /// ```
    /// use fencepost_core::{AccessKind::*, Conflict};
    /// assert_eq!(Write.conflict(Read), Some(Conflict::ReadAfterWrite));
    /// assert_eq!(Read.conflict(Write), Some(Conflict::WriteAfterRead));
    /// assert_eq!(Write.conflict(Write), Some(Conflict::WriteAfterWrite));
    /// assert_eq!(Read.conflict(Read), None);
    /// assert_eq!(Atomic.conflict(Atomic), None);
    /// assert_eq!(Atomic.conflict(Read), Some(Conflict::ReadAfterWrite));
    /// ```
    pub const fn conflict(self, later: Self) -> Option<Conflict> {
        match (self, later) {
            (Self::Atomic, Self::Atomic) | (Self::Read, Self::Read) => None,
            _ if self.writes() && later.reads() => Some(Conflict::ReadAfterWrite),
            _ if self.writes() && later.writes() => Some(Conflict::WriteAfterWrite),
            _ => Some(Conflict::WriteAfterRead),
        }
    }
}

/// The three ways in which the order of two accesses matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Conflict {
    /// The later one reads what the earlier one writes.
    ReadAfterWrite,
    /// The later one overwrites what the earlier one reads.
    WriteAfterRead,
    /// Both write: the later one must win.
    WriteAfterWrite,
}

/// One access of one work item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// The resource, by its own name; aliases are found by place in memory.
    pub resource: ResourceId,
    /// Which part of it.
    pub extent: Extent,
    /// Read or write.
    pub kind: AccessKind,
    /// The stage that does it.
    pub stage: Stage,
}
