//! What a command does to a resource, and when two such accesses conflict.
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
