//! A program's deeds in the order of its play, each with what it touches.
//!
//! A deed is a command or a step of the CPU. What it touches is told by place in memory, so that aliases meet. A managed
//! resource has two copies, which are two memories: commands touch the GPU's; the CPU's steps touch the CPU's; `synchronize` reads the one
//! and writes the other. What `did-modify` publishes is written to the GPU's copy by the next commit of a command
//! buffer that uses the resource (rule 8.3).
use core::ops::Range;
use std::collections::HashSet;

use super::names::Names;
use crate::order::{Known, Played, Point, Script, is_serial};
use crate::program::{
    BufferItem, Command, CommandBufferIndex, Locus, Part, Pass, PassItem, Placement, Program, QueueMode,
    ResourceIndex, Shape, Step, StorageMode, Work,
};
use crate::{AccessKind, Extent, NodeId, Order, Stage};

/// What is there to judge a deed by.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) script: Script<'a>,
    pub(super) program: &'a Program,
    pub(super) layout: &'a Layout,
    pub(super) known: Known<'a>,
    /// The commit of each command buffer that has been committed.
    pub(super) commits: &'a [Option<NodeId>],
}

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
    pub(super) point: Point,
    /// The number of its deed in the order of the play.
    pub(super) serial: u64,
    /// What it shares with other commands that stand to all outside as it does, and are not ordered with it.
    pub(super) crowd: Option<u64>,
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
    pub(super) attachment: Option<u64>,
    /// It is the CPU's own load of its copy of a managed resource.
    pub(super) managed_read: bool,
}

impl Mark {
    /// Its node, while it is remembered: while its deed is judged.
    pub(super) const fn node(&self) -> NodeId {
        NodeId(self.point.number)
    }

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
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    places: Vec<Place>,
    memories: usize,
    /// The memories of heaps.
    heaps: Vec<usize>,
    /// How many heaps and resources there are for each pair of memories.
    users: Vec<u32>,
    free: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Place {
    memory: usize,
    bytes: Range<u64>,
    managed: bool,
    on_heap: bool,
}

impl Layout {
    pub(super) fn of(program: &Program) -> Self {
        let mut layout = Self::default();
        (0..program.heaps.len()).for_each(|heap| layout.set_heap(heap));
        (0..program.resources.len() as u32)
            .for_each(|number| layout.set_resource(ResourceIndex(number), program));
        layout
    }

    /// A heap whose index is the next, or was another's.
    pub(super) fn set_heap(&mut self, index: usize) {
        let memory = self.new_memory();
        self.users[memory / 2] = 1;
        put(&mut self.heaps, index, memory);
    }

    /// A resource whose index is the next, or was another's.
    pub(super) fn set_resource(&mut self, index: ResourceIndex, program: &Program) {
        let declaration = program.resource(index);
        let (memory, start) = match declaration.placement {
            Placement::Own => (self.new_memory(), 0),
            Placement::Heap { heap, offset } => (self.heaps[heap.index()], offset),
            Placement::SameAs(other) => {
                let place = &self.places[other.index()];
                (place.memory, place.bytes.start)
            }
        };
        self.users[memory / 2] += 1;
        let place = Place {
            memory,
            bytes: start..start.saturating_add(program.byte_size(index)),
            managed: declaration.storage == StorageMode::Managed,
            on_heap: matches!(declaration.placement, Placement::Heap { .. }),
        };
        put(&mut self.places, index.index(), place);
    }

    /// How many memories there are, the CPU's copies of managed resources included.
    pub(super) const fn memories(&self) -> usize {
        self.memories
    }

    /// The memory and bytes of all of a resource, as the GPU sees it.
    pub(super) fn place(&self, resource: ResourceIndex) -> (usize, Range<u64>) {
        let place = &self.places[resource.index()];
        (place.memory, place.bytes.clone())
    }

    pub(super) fn is_managed(&self, resource: ResourceIndex) -> bool {
        self.places[resource.index()].managed
    }

    pub(super) fn is_on_heap(&self, resource: ResourceIndex) -> bool {
        self.places[resource.index()].on_heap
    }

    /// A resource is gone. Its memory, if nothing lies in it any more.
    pub(super) fn drop_resource(&mut self, resource: ResourceIndex) -> Option<usize> {
        self.drop_user(self.places[resource.index()].memory)
    }

    /// A heap is gone. Its memory, if nothing lies in it any more.
    pub(super) fn drop_heap(&mut self, heap: usize) -> Option<usize> {
        self.drop_user(self.heaps[heap])
    }

    /// The memory of a heap.
    pub(super) fn memory_of(&self, heap: usize) -> usize {
        self.heaps[heap]
    }

    fn drop_user(&mut self, memory: usize) -> Option<usize> {
        let users = &mut self.users[memory / 2];
        *users -= 1;
        if *users == 0 {
            self.free.push(memory);
        }
        (*users == 0).then_some(memory)
    }

    /// Two memories at once: the GPU's copy has an even number, the CPU's copy of managed resources the next.
    fn new_memory(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.memories += 2;
            self.users.push(0);
            self.memories - 2
        })
    }

    /// The memory and the bytes that a part may take, and whether it takes all of them.
    fn place_of(&self, program: &Program, part: &Part) -> (usize, Range<u64>, bool) {
        let place = &self.places[part.resource.index()];
        let (memory, whole) = (place.memory, place.bytes.clone());
        match &part.extent {
            Extent::Whole => (memory, whole, true),
            Extent::Bytes(bytes) => {
                if let Shape::Texture { .. } = program.resource(part.resource).shape {
                    return (memory, whole, true);
                }
                let start = whole.start.saturating_add(bytes.start).min(whole.end);
                let end = whole.start.saturating_add(bytes.end).min(whole.end);
                (memory, start..end, true)
            }
            Extent::Subresources { mips: m, slices: s } => {
                let dense = match program.resource(part.resource).shape {
                    Shape::Buffer { .. } => true,
                    Shape::Texture { mips, slices, .. } => {
                        m.start == 0 && m.end >= mips && s.start == 0 && s.end >= slices
                    }
                };
                (memory, whole, dense)
            }
        }
    }
}

/// The memory of the CPU's copy of what lies in a memory.
pub(super) const fn cpu_copy(memory: usize) -> usize {
    memory + 1
}

/// Sets the value at an index that is there, or comes next.
pub(super) fn put<T>(list: &mut Vec<T>, index: usize, value: T) {
    match list.get_mut(index) {
        Some(place) => *place = value,
        None => list.push(value),
    }
}

/// The value at an index, made where there is none yet.
pub(super) fn at<T: Default>(list: &mut Vec<T>, index: usize) -> &mut T {
    if index >= list.len() {
        list.resize_with(index + 1, T::default);
    }
    &mut list[index]
}

/// Visits every deed of a program that was played.
pub(super) fn walk<'a>(script: Script<'a>, order: &Order, layout: &Layout, mut visit: impl FnMut(&Deed<'a>)) {
    let (mut walker, known) = (Walker::default(), order.known());
    order.replay(script, |played| {
        if let Some(deed) = walker.deed(script, layout, played, &known) {
            visit(&deed);
            walker.take_back(deed);
        }
    });
}

/// Makes deeds of what is played.
#[derive(Clone, Debug, Default)]
pub(super) struct Walker {
    serial: u64,
    pass: u64,
    crowd: Option<u64>,
    published: Vec<Mark>,
    commits: Vec<Option<NodeId>>,
    /// An empty list, kept for its memory.
    spare: Vec<Mark>,
}

impl Walker {
    /// The deed that was just played, if it is one. Its marks go [back](Self::take_back) when it has been judged.
    pub(super) fn deed<'a>(
        &mut self,
        script: Script<'a>,
        layout: &Layout,
        played: Played,
        known: &Known<'_>,
    ) -> Option<Deed<'a>> {
        let mut marks = std::mem::take(&mut self.spare);
        let (locus, body) = match played {
            Played::Step { number, node } => {
                self.serial += 1;
                let step = script.step(number)?;
                let locus = Locus::Step(number);
                let at = At { layout, locus, first: node, serial: self.serial, pass: 0, crowd: None };
                self.step(step, &at, known.point(node), script.program, &mut marks);
                (locus, Body::Step(step))
            }
            Played::Item { locus: locus @ Locus::PassItem { buffer, pass, item }, first } => {
                let pass = script.program.pass(buffer, pass)?;
                let PassItem::Command(command) = pass.items.get(item as usize)? else { return None };
                self.serial += 1;
                let queue = script.program.command_buffers[buffer.index()].queue;
                let mode = script.program.queues[queue.index()].mode;
                let goes_on = item > 0 && matches!(pass.items[item as usize - 1], PassItem::Command(_));
                if mode == QueueMode::Tracked || is_serial(pass, mode) {
                    self.crowd = None;
                } else if !goes_on || self.crowd.is_none() {
                    self.crowd = Some(self.serial);
                }
                let (serial, crowd) = (self.serial, self.crowd);
                let at = At { layout, locus, first, serial, pass: self.pass, crowd };
                command_marks(script.program, &at, pass, command, known, &mut marks);
                (locus, Body::Command { buffer, command: Some(command) })
            }
            Played::Item { locus: locus @ Locus::Pass { buffer, pass }, first } => {
                let pass = script.program.pass(buffer, pass)?;
                self.serial += 1;
                let at = At { layout, locus, first, serial: self.serial, pass: self.pass, crowd: None };
                pass.each_own_use(|part, kind, stage| {
                    marks.push(at.mark(script.program, part, kind, Some(stage), true, known.point(first)));
                });
                (locus, Body::Command { buffer, command: None })
            }
            Played::Pass(..) => {
                self.pass += 1;
                self.crowd = None;
                self.spare = marks;
                return None;
            }
            Played::Item { .. } | Played::Begin(_) | Played::Event { .. } | Played::End(_) => {
                self.spare = marks;
                return None;
            }
        };
        Some(Deed { locus, body, marks })
    }

    pub(super) fn take_back(&mut self, deed: Deed<'_>) {
        self.spare = deed.marks;
        self.spare.clear();
    }

    pub(super) fn name(&self, names: &mut Names) {
        self.published.iter().for_each(|mark| names.mark(mark));
        self.commits.iter().flatten().for_each(|commit| names.roots.node(*commit));
    }

    /// Nothing of a command buffer is to be judged any more.
    pub(super) fn drop_buffer(&mut self, buffer: CommandBufferIndex) {
        *at(&mut self.commits, buffer.index()) = None;
    }

    pub(super) fn drop_resource(&mut self, resource: ResourceIndex) {
        self.published.retain(|mark| mark.resource != resource);
    }

    pub(super) fn records(&self) -> usize {
        self.published.len() + self.commits.len()
    }

    pub(super) fn commits(&self) -> &[Option<NodeId>] {
        &self.commits
    }

    fn step(&mut self, step: &Step, at: &At<'_>, point: Point, program: &Program, marks: &mut Vec<Mark>) {
        marks.extend(step_mark(program, at, step, point));
        match step {
            Step::DidModify(_) => {
                for mark in &*marks {
                    // What lies within the new bytes is published with them.
                    let within = |old: &Mark| {
                        old.resource == mark.resource
                            && mark.place.start <= old.place.start
                            && old.place.end <= mark.place.end
                            && mark.contains(old)
                    };
                    self.published.retain(|old| !within(old));
                    self.published.push(mark.clone());
                }
            }
            Step::Commit(buffers) => {
                self.upload(program, at, buffers, point, marks);
                for buffer in buffers {
                    self::at(&mut self.commits, buffer.index()).get_or_insert(at.first);
                }
            }
            _ => {}
        }
    }

    /// What a commit writes to the GPU's copies of managed resources: the published bytes of those that it uses. Each
    /// write keeps the place of its `did-modify`.
    fn upload(
        &mut self,
        program: &Program,
        at: &At<'_>,
        buffers: &[CommandBufferIndex],
        point: Point,
        marks: &mut Vec<Mark>,
    ) {
        if self.published.is_empty() {
            return;
        }
        let bodies = buffers.iter().filter_map(|buffer| program.command_buffers.get(buffer.index()));
        let mut used = HashSet::new();
        for item in bodies.flat_map(|body| &body.items) {
            let BufferItem::Pass(pass) = item else { continue };
            pass.each_own_use(|part, _, _| {
                used.insert(part.resource);
            });
            for item in &pass.items {
                if let PassItem::Command(command) = item {
                    program.each_use(pass, command, |part, _, _, _| {
                        used.insert(part.resource);
                    });
                }
            }
        }
        let ready = self.published.extract_if(.., |mark| used.contains(&mark.resource));
        marks.extend(ready.map(|mark| Mark { point, serial: at.serial, ..mark }));
    }
}

/// Where a deed is done.
struct At<'a> {
    layout: &'a Layout,
    locus: Locus,
    first: NodeId,
    serial: u64,
    pass: u64,
    crowd: Option<u64>,
}

impl At<'_> {
    fn mark(
        &self,
        program: &Program,
        part: &Part,
        kind: AccessKind,
        stage: Option<Stage>,
        attached: bool,
        point: Point,
    ) -> Mark {
        let (memory, place, dense) = self.layout.place_of(program, part);
        Mark {
            point,
            serial: self.serial,
            crowd: self.crowd,
            locus: self.locus,
            stage,
            kind,
            resource: part.resource,
            extent: part.extent.clone(),
            memory,
            place,
            dense,
            attachment: attached.then_some(self.pass),
            managed_read: false,
        }
    }
}

fn command_marks(
    program: &Program,
    at: &At<'_>,
    pass: &Pass,
    command: &Command,
    known: &Known<'_>,
    marks: &mut Vec<Mark>,
) {
    let stages = command.work.stages();
    // One stage nearly always, and a few accesses of it.
    let mut last: Option<(Stage, Point)> = None;
    program.each_use(pass, command, |part, kind, stage, attached| {
        // What lives inside a pass meets nothing outside of it.
        if program.is_memoryless(part.resource) {
            return;
        }
        let point = match last {
            Some((of, point)) if of == stage => point,
            _ => {
                let Some(number) = stages.iter_stages().position(|own| own == stage) else { return };
                known.point(NodeId(at.first.0 + number as u64))
            }
        };
        last = Some((stage, point));
        let mark = at.mark(program, part, kind, Some(stage), attached, point);
        if matches!(command.work, Work::Synchronize { .. }) && at.layout.is_managed(part.resource) {
            let memory = cpu_copy(mark.memory);
            marks.push(Mark { memory, kind: AccessKind::Write, ..mark.clone() });
        }
        marks.push(mark);
    });
}

fn step_mark(program: &Program, at: &At<'_>, step: &Step, point: Point) -> Option<Mark> {
    let (part, kind) = match step {
        Step::Write(part) | Step::DidModify(part) => (part, AccessKind::Write),
        Step::Read(part) => (part, AccessKind::Read),
        _ => return None,
    };
    let storage = program.resource(part.resource).storage;
    let managed = storage == StorageMode::Managed;
    let publishes = matches!(step, Step::DidModify(_));
    let reached = matches!(storage, StorageMode::Shared | StorageMode::Managed);
    if part.extent.is_empty() || !reached || (publishes && !managed) {
        return None;
    }
    let mark = at.mark(program, part, kind, None, false, point);
    let copy = managed && !publishes;
    Some(Mark {
        memory: if copy { cpu_copy(mark.memory) } else { mark.memory },
        managed_read: matches!(step, Step::Read(_)) && managed,
        ..mark
    })
}
