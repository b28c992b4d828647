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
use super::spans::Spans;
use super::walk::{Body, Deed, Layout, Mark};
use crate::program::{Locus, Part, Program, Shape, Step, StorageMode, Work};
use crate::{Extent, NodeId, Order};

/// Watches the deeds of a program for copies that differ.
pub(super) struct Copies<'a> {
    program: &'a Program,
    layout: &'a Layout,
    memories: Vec<Spans<State>>,
    /// The commit of each command buffer that has been committed.
    commits: Vec<Option<NodeId>>,
}

/// What was last written of a byte, and how far it has come.
#[derive(Clone, Debug, Default, PartialEq)]
enum State {
    #[default]
    Equal,
    Cpu {
        write: (NodeId, Locus),
        published: Ways,
    },
    Gpu {
        write: (NodeId, Locus),
        synchronized: Ways,
    },
}

/// Steps or commands that brought the bytes over, none of them behind another.
type Ways = SmallVec<[NodeId; 1]>;

impl<'a> Copies<'a> {
    pub(super) fn new(program: &'a Program, layout: &'a Layout) -> Self {
        Self {
            program,
            layout,
            memories: (0..layout.memories()).map(|_| Spans::default()).collect(),
            commits: vec![None; program.command_buffers.len()],
        }
    }

    pub(super) fn see(&mut self, deed: &Deed<'_>, order: &Order, findings: &mut Vec<Finding>) {
        if let Body::Step(Step::Commit(buffers)) = deed.body {
            let node = order.nodes(deed.locus).first().copied();
            for buffer in buffers {
                let commit = &mut self.commits[buffer.index()];
                *commit = commit.or(node);
            }
        }
        let program = self.program;
        let managed = |mark: &&Mark| program.resource(mark.resource).storage == StorageMode::Managed;
        let mut told = Vec::new();
        for mark in deed.marks.iter().filter(managed) {
            self.judge(deed, mark, order, &mut told);
        }
        told.dedup_by_key(|finding: &mut Finding| (finding.first, finding.resource));
        findings.append(&mut told);
        for mark in deed.marks.iter().filter(managed) {
            self.note(deed, mark, order);
        }
    }

    /// Looks at what a deed reads.
    fn judge(&mut self, deed: &Deed<'_>, mark: &Mark, order: &Order, findings: &mut Vec<Finding>) {
        let commit = match deed.body {
            Body::Command { buffer, .. } => self.commits[buffer.index()],
            Body::Step(_) => None,
        };
        let gpu = |state: &State| match state {
            State::Cpu { write, published } if order.ordered(write.0, mark.node) => {
                let before = |publish: &NodeId| commit.is_some_and(|commit| order.ordered(*publish, commit));
                (!published.iter().any(before)).then_some((write.1, Managed::NotPublished))
            }
            _ => None,
        };
        let cpu = |state: &State| match state {
            State::Gpu { write, synchronized } => {
                let seen = synchronized.iter().any(|node| order.ordered(*node, mark.node));
                (!seen).then_some((write.1, Managed::NotSynchronized))
            }
            _ => None,
        };
        let mut first: Option<(Range<u64>, (Locus, Managed))> = None;
        match deed.body {
            Body::Command { .. } if mark.kind.reads() => {
                self.over(mark, |range, state| first = first.take().or_else(|| Some((range, gpu(state)?))));
            }
            Body::Step(Step::Read(_)) => {
                self.over(mark, |range, state| first = first.take().or_else(|| Some((range, cpu(state)?))))
            }
            _ => {}
        }
        if let Some((range, (locus, managed))) = first {
            findings.push(Finding {
                kind: Kind::Managed(managed),
                first: Some(Spot::At(locus)),
                second: Some(Spot::At(mark.locus)),
                resource: Some(mark.resource),
                extent: Some(match self.program.resource(mark.resource).shape {
                    Shape::Buffer { .. } => Extent::Bytes(range),
                    Shape::Texture { .. } => mark.extent.clone(),
                }),
            });
        }
    }

    /// Notes what a deed writes or brings over.
    fn note(&mut self, deed: &Deed<'_>, mark: &Mark, order: &Order) {
        let own = (mark.node, mark.locus);
        match deed.body {
            Body::Step(Step::Write(_)) => {
                self.over(mark, |_, state| *state = State::Cpu { write: own, published: Ways::new() });
            }
            Body::Step(Step::DidModify(_)) => self.over(mark, |_, state| {
                if let State::Cpu { write, published } = state
                    && order.ordered(write.0, own.0)
                {
                    add(published, own.0, order);
                }
            }),
            Body::Command { command: Some(command), .. }
                if matches!(command.work, Work::Synchronize { .. }) =>
            {
                self.over(mark, |_, state| {
                    if let State::Gpu { write, synchronized } = state
                        && order.ordered(write.0, own.0)
                    {
                        add(synchronized, own.0, order);
                    }
                });
            }
            Body::Command { .. } if mark.kind.writes() => {
                self.over(mark, |_, state| *state = State::Gpu { write: own, synchronized: Ways::new() });
            }
            Body::Command { .. } | Body::Step(_) => {}
        }
    }

    /// A byte has one state, whichever copy is touched. Ranges are bytes of the resource.
    fn over(&mut self, mark: &Mark, mut each: impl FnMut(Range<u64>, &mut State)) {
        let (memory, place) = self.layout.place(mark.resource);
        let part = Part { resource: mark.resource, extent: mark.extent.clone() };
        for range in self.program.byte_ranges(&part) {
            let range = place.start.saturating_add(range.start)..place.start.saturating_add(range.end);
            self.memories[memory]
                .over(&range, |range, state| each(range.start - place.start..range.end - place.start, state));
        }
    }
}

fn add(ways: &mut Ways, way: NodeId, order: &Order) {
    if !ways.iter().any(|earlier| order.ordered(*earlier, way)) {
        ways.push(way);
    }
}
