//! Reads of what is not defined: bytes that changed their owner, and attachments with nothing in them.
//!
//! Two resources of a heap that overlap take turns. When one has been written, what the other holds there is undefined
//! until somebody writes it under that name (rule 2.3.4). Memory shared on purpose (`same-memory-as`) has one content.
//! Fresh memory is zero, so a read of what nobody ever wrote is defined, except where a pass asks for an attachment's
//! content: loading what was never stored cannot be meant.
use super::finding::{Finding, Kind, Spot, Uninitialized};
use super::spans::Spans;
use super::walk::{Deed, Mark, Scene, at};
use crate::program::{Placement, Program, ResourceIndex, Shape};
use crate::{AccessKind, Extent};

/// Watches the deeds of a program for undefined reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Initialization {
    /// For every byte of every heap, the resource that wrote it last.
    owners: Vec<Spans<Option<ResourceIndex>>>,
    /// For every texture that has been an attachment or may be, what has been written.
    written: Vec<Vec<Extent>>,
}

impl Initialization {
    pub(super) fn see(&mut self, deed: &Deed<'_>, scene: &Scene<'_>, findings: &mut Vec<Finding>) {
        let on_heap = |mark: &Mark| scene.layout.is_on_heap(mark.resource);
        for mark in &deed.marks {
            if mark.attachment.is_some() && mark.kind.reads() {
                self.load(mark, scene.program, findings);
            }
            if on_heap(mark) && reads(mark) {
                self.read(mark, findings);
            }
        }
        for mark in deed.marks.iter().filter(|mark| mark.kind.writes()) {
            if on_heap(mark) {
                at(&mut self.owners, mark.memory).over(&mark.place, |_, owner| *owner = Some(mark.resource));
            }
            if let Shape::Texture { .. } = scene.program.resource(mark.resource).shape {
                let written = at(&mut self.written, mark.resource.index());
                if !written.iter().any(|extent| *extent == mark.extent || *extent == Extent::Whole) {
                    written.push(mark.extent.clone());
                }
            }
        }
    }

    /// Forgets a resource whose index will be another's.
    pub(super) fn drop_resource(&mut self, resource: ResourceIndex, memory: usize) {
        at(&mut self.written, resource.index()).clear();
        let owners = at(&mut self.owners, memory).values_mut();
        owners.filter(|owner| **owner == Some(resource)).for_each(|owner| *owner = None);
    }

    /// Forgets a memory: nothing lies in it any more.
    pub(super) fn drop_memory(&mut self, memory: usize) {
        *at(&mut self.owners, memory) = Spans::default();
    }

    pub(super) fn records(&self) -> usize {
        let owners: usize = self.owners.iter().map(Spans::len).sum();
        owners + self.written.iter().map(Vec::len).sum::<usize>()
    }

    fn read(&mut self, mark: &Mark, findings: &mut Vec<Finding>) {
        let mut first = None;
        at(&mut self.owners, mark.memory).over(&mark.place, |range, owner| {
            if let Some(owner) = owner.filter(|owner| *owner != mark.resource) {
                first.get_or_insert((range, owner));
            }
        });
        let Some((range, owner)) = first else { return };
        let extent = match &mark.extent {
            Extent::Subresources { .. } => mark.extent.clone(),
            Extent::Bytes(bytes) => {
                let base = mark.place.start - bytes.start.min(mark.place.start);
                Extent::Bytes(range.start - base..range.end - base)
            }
            Extent::Whole => Extent::Bytes(range.start - mark.place.start..range.end - mark.place.start),
        };
        findings.push(finding(mark, Uninitialized::Alias(owner), extent));
    }

    fn load(&mut self, mark: &Mark, program: &Program, findings: &mut Vec<Finding>) {
        let initial = matches!(program.resource(mark.resource).placement, Placement::SameAs(_));
        let written = self.written.get(mark.resource.index()).map_or(&[][..], Vec::as_slice);
        if !initial && !written.iter().any(|extent| extent.overlaps(&mark.extent)) {
            findings.push(finding(mark, Uninitialized::Attachment, mark.extent.clone()));
        }
    }
}

/// An attachment's load is judged by itself, and an atomic adds to what is there.
const fn reads(mark: &Mark) -> bool {
    matches!(mark.kind, AccessKind::Read | AccessKind::ReadWrite | AccessKind::Atomic)
}

fn finding(mark: &Mark, what: Uninitialized, extent: Extent) -> Finding {
    Finding {
        kind: Kind::Uninitialized(what),
        first: None,
        second: Some(Spot::from(mark.locus)),
        resource: Some(mark.resource),
        extent: Some(extent),
    }
}
