//! A program's deeds in the order of its play, each with what it touches.
//!
//! A deed is a command or a step of the CPU. What it touches is told by place in memory, so that aliases meet. A managed
//! resource has two copies, which are two memories: commands touch the GPU's; the CPU's steps touch the CPU's; `synchronize` reads the one
//! and writes the other. What `did-modify` publishes is written to the GPU's copy by the next commit of a command
//! buffer that uses the resource (rule 8.3).
use core::ops::Range;
use std::collections::HashSet;

use crate::program::{
    BufferItem, Command, CommandBufferIndex, Locus, Part, Pass, PassItem, Placement, Program, ResourceIndex,
    Shape, Step, StorageMode, Use, Work,
};
use crate::{AccessKind, Extent, Moment, NodeId, Order, Stage};

/// A command or a step.
pub(super) struct Deed<'a> {
    pub(super) locus: Locus,
    pub(super) body: Body<'a>,
    pub(super) marks: Vec<Mark>,
}

#[derive(Clone, Copy)]
pub(super) enum Body<'a> {
    /// A command; without one, what a render pass without draws does to its attachments.
    Command {
        buffer: CommandBufferIndex,
        command: Option<&'a Command>,
    },
    Step(&'a Step),
}

impl Deed<'_> {
    /// What it touches there and then: a `did-modify` touches nothing before the commit.
    pub(super) fn touches(&self) -> &[Mark] {
        match self.body {
            Body::Step(Step::DidModify(_)) => &[],
            Body::Step(_) | Body::Command { .. } => &self.marks,
        }
    }
}

/// One access of a deed.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) node: NodeId,
    /// The number of its deed in the order of the play.
    pub(super) serial: u32,
    pub(super) locus: Locus,
    /// None for the CPU.
    pub(super) stage: Option<Stage>,
    pub(super) kind: AccessKind,
    pub(super) resource: ResourceIndex,
    pub(super) extent: Extent,
    pub(super) memory: usize,
    pub(super) place: Range<u64>,
    /// Whether it touches all of every byte of `place`: not some levels of a texture.
    pub(super) dense: bool,
    /// The pass, where it touches it as an attachment.
    pub(super) attachment: Option<u32>,
    /// It is the CPU's own load of its copy of a managed resource.
    pub(super) managed_read: bool,
}

impl Mark {
    /// Whether it touches every byte of the other within any range of both places.
    pub(super) fn contains(&self, other: &Self) -> bool {
        self.dense
            || (self.resource == other.resource
                && match (&self.extent, &other.extent) {
                    (Extent::Subresources { mips, slices }, Extent::Subresources { mips: m, slices: s }) => {
                        mips.start <= m.start
                            && m.end <= mips.end
                            && slices.start <= s.start
                            && s.end <= slices.end
                    }
                    _ => false,
                })
    }

    /// Whether the two share a byte, given that their places do.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.dense || other.dense || self.resource != other.resource || self.extent.overlaps(&other.extent)
    }
}

/// Where every resource lies.
pub(super) struct Layout {
    places: Vec<(usize, Range<u64>)>,
    memories: usize,
}

impl Layout {
    pub(super) fn of(program: &Program) -> Self {
        let mut layout = Self { places: Vec::new(), memories: program.heaps.len() };
        for (number, declaration) in program.resources.iter().enumerate() {
            let (memory, start) = match declaration.placement {
                Placement::Own => {
                    layout.memories += 1;
                    (layout.memories - 1, 0)
                }
                Placement::Heap { heap, offset } => (heap.index(), offset),
                Placement::SameAs(other) => {
                    let (memory, place) = &layout.places[other.index()];
                    (*memory, place.start)
                }
            };
            let size = program.byte_size(ResourceIndex(number as u32));
            layout.places.push((memory, start..start.saturating_add(size)));
        }
        layout
    }

    /// How many memories there are, the CPU's copies of managed resources included.
    pub(super) const fn memories(&self) -> usize {
        self.memories * 2
    }

    /// The memory and bytes of all of a resource, as the GPU sees it.
    pub(super) fn place(&self, resource: ResourceIndex) -> (usize, Range<u64>) {
        self.places[resource.index()].clone()
    }

    /// The memory and the bytes that a part may take, and whether it takes all of them.
    fn place_of(&self, program: &Program, part: &Part) -> (usize, Range<u64>, bool) {
        let (memory, whole) = self.place(part.resource);
        let Shape::Texture { mips, slices, .. } = program.resource(part.resource).shape else {
            let Extent::Bytes(bytes) = &part.extent else { return (memory, whole, true) };
            let start = whole.start.saturating_add(bytes.start).min(whole.end);
            let end = whole.start.saturating_add(bytes.end).min(whole.end);
            return (memory, start..end, true);
        };
        let dense = match &part.extent {
            Extent::Whole | Extent::Bytes(_) => true,
            Extent::Subresources { mips: m, slices: s } => {
                m.start == 0 && m.end >= mips && s.start == 0 && s.end >= slices
            }
        };
        (memory, whole, dense)
    }
}

/// Visits every deed that was played.
pub(super) fn walk<'a>(
    program: &'a Program,
    order: &Order,
    layout: &Layout,
    mut visit: impl FnMut(&Deed<'a>),
) {
    let steps = program.all_steps();
    let mut published = Vec::new();
    let mut serial = 0;
    for (moment, number) in order.moments().iter().zip(0..) {
        match *moment {
            Moment::Step(step) => {
                let Some(body) = steps.get(step as usize).copied() else { continue };
                let at = At { order, layout, locus: Locus::Step(step), serial, pass: number };
                let mut marks = step_marks(program, &at, body);
                match body {
                    Step::DidModify(_) => published.extend_from_slice(&marks),
                    Step::Commit(buffers) => marks = upload(program, &at, buffers, &mut published),
                    _ => {}
                }
                visit(&Deed { locus: at.locus, body: Body::Step(body), marks });
                serial += 1;
            }
            Moment::Pass(buffer, place) => {
                let Some(pass) = program.pass(buffer, place) else { continue };
                if pass.attachments_at().is_some() {
                    let locus = Locus::Pass { buffer, pass: place };
                    let at = At { order, layout, locus, serial, pass: number };
                    let marks = own_marks(program, &at, pass);
                    visit(&Deed { locus, body: Body::Command { buffer, command: None }, marks });
                    serial += 1;
                }
                for (item, index) in pass.items.iter().zip(0..) {
                    let PassItem::Command(command) = item else { continue };
                    let locus = Locus::PassItem { buffer, pass: place, item: index };
                    let at = At { order, layout, locus, serial, pass: number };
                    let marks = command_marks(program, &at, pass, command);
                    visit(&Deed { locus, body: Body::Command { buffer, command: Some(command) }, marks });
                    serial += 1;
                }
            }
            Moment::Begin(_) | Moment::Event(_) | Moment::End(_) => {}
        }
    }
}

/// What a commit writes to the GPU's copies of managed resources: the published bytes of those that it uses. Each
/// write keeps the place of its `did-modify`.
fn upload(
    program: &Program,
    at: &At<'_>,
    buffers: &[CommandBufferIndex],
    published: &mut Vec<Mark>,
) -> Vec<Mark> {
    let Some(&node) = at.order.nodes(at.locus).first() else { return Vec::new() };
    if published.is_empty() {
        return Vec::new();
    }
    let bodies = buffers.iter().filter_map(|buffer| program.command_buffers.get(buffer.index()));
    let mut used = HashSet::new();
    for item in bodies.flat_map(|body| &body.items) {
        let BufferItem::Pass(pass) = item else { continue };
        used.extend(pass.own_uses().into_iter().map(|used| used.part.resource));
        for item in &pass.items {
            if let PassItem::Command(command) = item {
                used.extend(program.uses(pass, command).into_iter().map(|used| used.part.resource));
            }
        }
    }
    let ready = published.extract_if(.., |mark| used.contains(&mark.resource));
    ready.map(|mark| Mark { node, serial: at.serial, ..mark }).collect()
}

struct At<'a> {
    order: &'a Order,
    layout: &'a Layout,
    locus: Locus,
    serial: u32,
    pass: u32,
}

fn command_marks(program: &Program, at: &At<'_>, pass: &Pass, command: &Command) -> Vec<Mark> {
    let uses = program.uses(pass, command);
    let nodes = at.order.nodes(at.locus);
    let draws = matches!(command.work, Work::Draw { .. });
    // A draw's attachments come last.
    let filled = |part: &Part| !part.extent.is_empty();
    let attached =
        if draws { pass.attachments().filter(|attachment| filled(&attachment.texture)).count() } else { 0 };
    let first_attachment = uses.len().saturating_sub(attached);
    let mut marks = Vec::with_capacity(uses.len());
    for (used, index) in uses.into_iter().zip(0..) {
        let number = command.work.stages().iter_stages().position(|stage| stage == used.stage);
        let Some(node) = number.and_then(|number| nodes.get(number).copied()) else { continue };
        let mark = used_mark(program, at, node, used, index >= first_attachment);
        let managed = program.resource(mark.resource).storage == StorageMode::Managed;
        if managed && matches!(command.work, Work::Synchronize { .. }) {
            let memory = mark.memory + at.layout.memories;
            marks.push(Mark { memory, kind: AccessKind::Write, ..mark.clone() });
        }
        marks.push(mark);
    }
    marks
}

/// What a render pass without draws does to its attachments.
fn own_marks(program: &Program, at: &At<'_>, pass: &Pass) -> Vec<Mark> {
    let Some(&node) = at.order.nodes(at.locus).first() else { return Vec::new() };
    pass.own_uses().into_iter().map(|used| used_mark(program, at, node, used, true)).collect()
}

fn used_mark(program: &Program, at: &At<'_>, node: NodeId, used: Use, attached: bool) -> Mark {
    let (memory, place, dense) = at.layout.place_of(program, &used.part);
    Mark {
        node,
        serial: at.serial,
        locus: at.locus,
        stage: Some(used.stage),
        kind: used.kind,
        resource: used.part.resource,
        extent: used.part.extent,
        memory,
        place,
        dense,
        attachment: attached.then_some(at.pass),
        managed_read: false,
    }
}

fn step_marks(program: &Program, at: &At<'_>, step: &Step) -> Vec<Mark> {
    let (part, kind) = match step {
        Step::Write(part) | Step::DidModify(part) => (part, AccessKind::Write),
        Step::Read(part) => (part, AccessKind::Read),
        _ => return Vec::new(),
    };
    let storage = program.resource(part.resource).storage;
    let managed = storage == StorageMode::Managed;
    let publishes = matches!(step, Step::DidModify(_));
    let Some(&node) = at.order.nodes(at.locus).first() else { return Vec::new() };
    if part.extent.is_empty() || storage == StorageMode::Private || (publishes && !managed) {
        return Vec::new();
    }
    let (memory, place, dense) = at.layout.place_of(program, part);
    let cpu_copy = managed && !publishes;
    vec![Mark {
        node,
        serial: at.serial,
        locus: at.locus,
        stage: None,
        kind,
        resource: part.resource,
        extent: part.extent.clone(),
        memory: if cpu_copy { memory + at.layout.memories } else { memory },
        place,
        dense,
        attachment: None,
        managed_read: matches!(step, Step::Read(_)) && managed,
    }]
}
