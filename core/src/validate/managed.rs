//! Managed resources: two copies, and the calls that bring one to the other (rules 8.3 and 8.5).
//!
//! ```text
//!   CPU copy   write ─► did-modify ─► commit ┐                 ┌► wait ─► read
//!   GPU copy                                 └► read … write ─► synchronize
//! ```
//!
//! What the CPU wrote is the GPU's once `did-modify` covers the bytes and then the command buffer is committed. What
//! the GPU wrote is the CPU's once `synchronize` came after it and the CPU has waited for that. Each byte remembers
//! which copy was written last and how far it has come.
use core::ops::Range;

use smallvec::SmallVec;

use super::finding::{Finding, Kind, Managed, Spot};
use super::names::Names;
use super::spans::Spans;
use super::walk::{Body, Deed, Mark, Scene, at};
use crate::order::{Known, Point};
use crate::program::{Locus, Part, Shape, Step, Work};
use crate::{Extent, NodeId};

/// Watches the deeds of a program for copies that differ.
#[derive(Clone, Debug, Default)]
pub(super) struct Copies {
    memories: Vec<Spans<State>>,
}

/// What was last written of a byte, and how far it has come.
#[derive(Clone, Debug, Default, PartialEq)]
enum State {
    #[default]
    Equal,
    Cpu {
        write: (Point, Locus),
        published: Ways,
    },
    Gpu {
        write: (Point, Locus),
        synchronized: Ways,
    },
}

/// Steps or commands that brought the bytes over, none of them behind another.
type Ways = SmallVec<[Point; 1]>;

impl Copies {
    pub(super) fn see(&mut self, deed: &Deed<'_>, scene: &Scene<'_>, findings: &mut Vec<Finding>) {
        let managed = |mark: &&Mark| scene.layout.is_managed(mark.resource);
        if !deed.marks.iter().any(|mark| managed(&mark)) {
            return;
        }
        let mut told = Vec::new();
        for mark in deed.marks.iter().filter(managed) {
            self.judge(deed, mark, scene, &mut told);
        }
        told.dedup_by_key(|finding: &mut Finding| (finding.first, finding.resource));
        findings.append(&mut told);
        for mark in deed.marks.iter().filter(managed) {
            self.note(deed, mark, scene);
        }
    }

    pub(super) fn name(&self, names: &mut Names) {
        for state in self.memories.iter().flat_map(Spans::values) {
            let (State::Cpu { write, published: ways } | State::Gpu { write, synchronized: ways }) = state
            else {
                continue;
            };
            names.point(write.0);
            names.locus(write.1);
            ways.iter().for_each(|way| names.point(*way));
        }
    }

    /// Forgets a memory: nothing lies in it any more.
    pub(super) fn drop_memory(&mut self, memory: usize) {
        *at(&mut self.memories, memory) = Spans::default();
    }

    pub(super) fn records(&self) -> usize {
        self.memories.iter().map(Spans::len).sum()
    }

    /// Looks at what a deed reads.
    fn judge(&mut self, deed: &Deed<'_>, mark: &Mark, scene: &Scene<'_>, findings: &mut Vec<Finding>) {
        let commit = match deed.body {
            Body::Command { buffer, .. } => scene.commits.get(buffer.index()).copied().flatten(),
            Body::Step(_) => None,
        };
        let known = &scene.known;
        let gpu = |state: &State| match state {
            State::Cpu { write, published } if known.ordered(write.0, mark.node()) => {
                let before = |publish: &Point| commit.is_some_and(|commit| known.ordered(*publish, commit));
                (!published.iter().any(before)).then_some((write.1, Managed::NotPublished))
            }
            _ => None,
        };
        let cpu = |state: &State| match state {
            State::Gpu { write, synchronized } => {
                let seen = synchronized.iter().any(|way| known.ordered(*way, mark.node()));
                (!seen).then_some((write.1, Managed::NotSynchronized))
            }
            _ => None,
        };
        let mut first: Option<(Range<u64>, (Locus, Managed))> = None;
        match deed.body {
            Body::Command { .. } if mark.kind.reads() => {
                self.over(mark, scene, |range, state| {
                    first = first.take().or_else(|| Some((range, gpu(state)?)))
                });
            }
            Body::Step(Step::Read(_)) => self.over(mark, scene, |range, state| {
                first = first.take().or_else(|| Some((range, cpu(state)?)))
            }),
            _ => {}
        }
        if let Some((range, (locus, managed))) = first {
            findings.push(Finding {
                kind: Kind::Managed(managed),
                first: Some(Spot::At(locus)),
                second: Some(Spot::At(mark.locus)),
                resource: Some(mark.resource),
                extent: Some(match scene.program.resource(mark.resource).shape {
                    Shape::Buffer { .. } => Extent::Bytes(range),
                    Shape::Texture { .. } => mark.extent.clone(),
                }),
            });
        }
    }

    /// Notes what a deed writes or brings over.
    fn note(&mut self, deed: &Deed<'_>, mark: &Mark, scene: &Scene<'_>) {
        let (own, known) = ((mark.point, mark.locus), &scene.known);
        match deed.body {
            Body::Step(Step::Write(_)) => {
                self.over(mark, scene, |_, state| *state = State::Cpu { write: own, published: Ways::new() });
            }
            Body::Step(Step::DidModify(_)) => self.over(mark, scene, |_, state| {
                if let State::Cpu { write, published } = state
                    && known.ordered(write.0, mark.node())
                {
                    add(published, own.0, known);
                }
            }),
            Body::Command { command: Some(command), .. }
                if matches!(command.work, Work::Synchronize { .. }) =>
            {
                self.over(mark, scene, |_, state| {
                    if let State::Gpu { write, synchronized } = state
                        && known.ordered(write.0, mark.node())
                    {
                        add(synchronized, own.0, known);
                    }
                });
            }
            Body::Command { .. } if mark.kind.writes() => {
                self.over(mark, scene, |_, state| {
                    *state = State::Gpu { write: own, synchronized: Ways::new() }
                });
            }
            Body::Command { .. } | Body::Step(_) => {}
        }
    }

    /// A byte has one state, whichever copy is touched. Ranges are bytes of the resource.
    fn over(&mut self, mark: &Mark, scene: &Scene<'_>, mut each: impl FnMut(Range<u64>, &mut State)) {
        let (memory, place) = scene.layout.place(mark.resource);
        let part = Part { resource: mark.resource, extent: mark.extent.clone() };
        for range in scene.program.byte_ranges(&part) {
            let range = place.start.saturating_add(range.start)..place.start.saturating_add(range.end);
            at(&mut self.memories, memory)
                .over(&range, |range, state| each(range.start - place.start..range.end - place.start, state));
        }
    }
}

fn add(ways: &mut Ways, way: Point, known: &Known<'_>) {
    if !ways.iter().any(|earlier| known.ordered(*earlier, NodeId(way.number))) {
        ways.push(way);
    }
}
