//! Where resources lie, and which accesses therefore meet.
//!
//! Two names may stand for the same bytes: placed resources of a heap overlap, an allocation is handed to the next
//! owner. So conflicts are looked for by place. A buffer's bytes have a known place; how a texture lays out its
//! mips and slices inside its place is the device's secret, so a texture meets another resource with its whole
//! place, and only itself by mips × slices.
use core::ops::Range;

use crate::{Access, Conflict, Extent, MemoryId, ResourceId};

/// What kind of thing lies in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourceShape {
    /// Bytes.
    Buffer,
    /// Texels in mip levels and array slices.
    Texture {
        /// Mip levels, at least 1.
        mips: u32,
        /// Array slices, at least 1.
        slices: u32,
    },
}

/// What automatic hazard tracking does for a resource, after inheritance from its heap (rules 2.1.2 and 2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "MTLHazardTrackingMode")]
pub enum Tracking {
    /// Nothing.
    Untracked,
    /// Conflicts on this resource are ordered on tracked queues.
    Tracked,
    /// The resource lies on a tracked heap: the whole heap counts as one object (rule 2.2.2).
    WithHeap,
}

/// A resource as the order engine knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceDescriptor {
    /// The memory it lies in.
    pub memory: MemoryId,
    /// Its place: bytes of the memory.
    pub bytes: Range<u64>,
    /// Buffer or texture.
    pub shape: ResourceShape,
    /// Whether and how it is tracked.
    pub tracking: Tracking,
}

impl ResourceDescriptor {
    /// Whether `mine` of this resource and `theirs` of `other` may share a byte. `same` says that both descriptors
    /// are those of one resource.
    pub fn meets(&self, mine: &Extent, other: &Self, theirs: &Extent, same: bool) -> bool {
        if same && matches!(self.shape, ResourceShape::Texture { .. }) {
            return mine.overlaps(theirs);
        }
        self.memory == other.memory && overlap(&self.place(mine), &other.place(theirs))
    }

    /// The bytes of the memory that a part of the resource may take.
    fn place(&self, extent: &Extent) -> Range<u64> {
        match (self.shape, extent) {
            (ResourceShape::Buffer, Extent::Bytes(bytes)) => {
                let start = self.bytes.start.saturating_add(bytes.start).min(self.bytes.end);
                start..self.bytes.start.saturating_add(bytes.end).min(self.bytes.end)
            }
            (_, extent) if extent.is_empty() => self.bytes.start..self.bytes.start,
            _ => self.bytes.clone(),
        }
    }
}

/// Where every resource lies. Implemented by whoever holds the descriptors.
pub trait Places {
    /// The descriptor of a resource, where there is one.
    fn place_of(&self, resource: ResourceId) -> Option<&ResourceDescriptor>;

    /// How two accesses conflict, `first` being the earlier one. `None` where they touch no common byte, where neither
    /// writes, where both are atomic, or where one of the resources is unknown.
    ///
    /// ```
    /// use fencepost_core::*;
    /// let mut engine = Engine::new();
    /// let memory = engine.add_memory();
    /// let mut buffer = |bytes| engine.add_resource(ResourceDescriptor {
    ///     memory, bytes, shape: ResourceShape::Buffer, tracking: Tracking::Untracked,
    /// });
    /// let (a, b) = (buffer(0..64), buffer(32..96));
    /// let write = Access { resource: a, extent: Extent::Bytes(0..40), kind: AccessKind::Write, stage: Stage::Blit };
    /// let read = Access { resource: b, extent: Extent::Bytes(0..4), kind: AccessKind::Read, stage: Stage::Dispatch };
    /// assert_eq!(engine.conflict(&write, &read), Some(Conflict::ReadAfterWrite)); // bytes 32 to 36 of the memory
    /// ```
    fn conflict(&self, first: &Access, second: &Access) -> Option<Conflict> {
        let conflict = first.kind.conflict(second.kind)?;
        let (mine, theirs) = (self.place_of(first.resource)?, self.place_of(second.resource)?);
        let same = first.resource == second.resource;
        mine.meets(&first.extent, theirs, &second.extent, same).then_some(conflict)
    }
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start.max(b.start) < a.end.min(b.end)
}
