//! One pass of a program, as calls of the engine.
use smallvec::SmallVec;

use super::machine::Machine;
use super::script::Script;
use super::{Played, Watch};
use crate::place::{ResourceDescriptor, ResourceShape, Tracking};
use crate::program::{
    Command, CommandBufferIndex, DispatchType, Locus, MemoryScope, Part, Pass, PassItem, PassKind, Placement,
    Primitive, Program, QueueIndex, QueueMode, ResourceDeclaration, ResourceIndex, Shape, TrackingMode,
};
use crate::{
    Access, AccessKind, BarrierFilter, BarrierScope, Engine, Extent, FenceId, MemoryId, NodeId, QueueId,
    ResourceId, Site, Stage, Stages,
};

/// The engine's names for what a program declares, by index.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) queues: Vec<QueueId>,
    pub(super) resources: Vec<ResourceId>,
    pub(super) fences: Vec<FenceId>,
    pub(super) heaps: Vec<MemoryId>,
    pub(super) places: Vec<(MemoryId, u64)>,
}

impl Names {
    pub(super) fn register(&mut self, program: &Program, engine: &mut Engine) {
        self.queues = program.queues.iter().map(|queue| engine.add_queue(queue.mode)).collect();
        self.fences = program.fences.iter().map(|_| engine.add_fence()).collect();
        self.heaps = program.heaps.iter().map(|_| engine.add_memory()).collect();
        (0..program.resources.len() as u32)
            .for_each(|number| self.set_resource(ResourceIndex(number), program, engine));
    }

    /// Registers a resource whose index is the next, or was another's.
    pub(super) fn set_resource(&mut self, index: ResourceIndex, program: &Program, engine: &mut Engine) {
        let declaration = program.resource(index);
        let (memory, start) = match declaration.placement {
            Placement::Own => (engine.add_memory(), 0),
            Placement::Heap { heap, offset } => (self.heaps[heap.index()], offset),
            Placement::SameAs(other) => self.places[other.index()],
        };
        let resource = engine.add_resource(ResourceDescriptor {
            memory,
            bytes: start..start.saturating_add(program.byte_size(index)),
            shape: match declaration.shape {
                Shape::Buffer { .. } => ResourceShape::Buffer,
                Shape::Texture { mips, slices, .. } => ResourceShape::Texture { mips, slices },
            },
            tracking: tracking(program, declaration),
        });
        put(&mut self.places, index.index(), (memory, start));
        put(&mut self.resources, index.index(), resource);
    }
}

/// Sets the value at an index that is there, or comes next.
pub(super) fn put<T>(list: &mut Vec<T>, index: usize, value: T) {
    match list.get_mut(index) {
        Some(place) => *place = value,
        None => list.push(value),
    }
}

/// A resource on a heap takes the heap's mode or none; the others are tracked unless they ask not to be.
fn tracking(program: &Program, declaration: &ResourceDeclaration) -> Tracking {
    match (declaration.tracking, declaration.placement) {
        (TrackingMode::Untracked, _) => Tracking::Untracked,
        (_, Placement::Heap { heap, .. }) if program.heaps[heap.index()].tracked => Tracking::WithHeap,
        (_, Placement::Heap { .. }) => Tracking::Untracked,
        (_, Placement::Own | Placement::SameAs(_)) => Tracking::Tracked,
    }
}

impl Machine {
    pub(super) fn run_pass(
        &mut self,
        queue: QueueIndex,
        buffer: CommandBufferIndex,
        number: u32,
        pass: &Pass,
        script: Script<'_>,
        watch: &mut impl Watch,
    ) {
        let mode = script.program.queues[queue.index()].mode;
        let id = self.names.queues[queue.index()];
        self.engine.begin_pass(id, is_serial(pass, mode));
        let own = Locus::Pass { buffer, pass: number };
        let alone = pass.attachments_among(|item| script.has(Locus::PassItem { buffer, pass: number, item }));
        let first = self.buffers[buffer.index()].site;
        let last = first + pass.items.len() as u32;
        for (item, place) in pass.items.iter().zip(0..) {
            if alone == Some(place) {
                self.engine.at(Site(last));
                self.run_own(id, own, pass, script, watch);
            }
            if !script.has(Locus::PassItem { buffer, pass: number, item: place }) {
                continue;
            }
            self.engine.at(Site(first + place));
            match item {
                PassItem::Command(command) => {
                    let first = self.run_command(id, pass, command, script.program);
                    let count = command.work.stages().iter_stages().count() as u64;
                    let nodes = &mut self.buffers[buffer.index()].nodes;
                    let last = NodeId(first.0 + count.saturating_sub(1));
                    if nodes.last() != Some(&last) {
                        nodes.extend((first.0..first.0 + count).map(NodeId));
                    }
                    let locus = Locus::PassItem { buffer, pass: number, item: place };
                    watch.see(script, Played::Item { locus, first }, &self.known());
                }
                PassItem::Synchronization(synchronization) => {
                    self.run_primitive(id, pass, &synchronization.primitive);
                }
                PassItem::UseResource { resource, read, write } => {
                    self.declare(id, pass, *resource, *read, *write);
                }
            }
        }
        if alone == Some(pass.items.len() as u32) {
            self.engine.at(Site(last));
            self.run_own(id, own, pass, script, watch);
        }
        self.buffers[buffer.index()].site = last + 1;
        self.engine.end_pass(id);
    }

    /// The first of the command's nodes.
    fn run_command(&mut self, queue: QueueId, pass: &Pass, command: &Command, program: &Program) -> NodeId {
        let mut accesses = SmallVec::<[Access; 4]>::new();
        if command.work.is_tracked() {
            program.each_use(pass, command, |part, kind, stage, _| {
                accesses.push(self.access(part, kind, stage));
            });
        }
        self.engine.command(queue, command.work.stages(), &accesses)
    }

    /// The work of a render pass without draws.
    fn run_own(
        &mut self,
        queue: QueueId,
        locus: Locus,
        pass: &Pass,
        script: Script<'_>,
        watch: &mut impl Watch,
    ) {
        let Locus::Pass { buffer, .. } = locus else { return };
        let mut accesses = SmallVec::<[Access; 4]>::new();
        pass.each_own_use(|part, kind, stage| accesses.push(self.access(part, kind, stage)));
        let first = self.engine.command(queue, Stages::FRAGMENT, &accesses);
        self.buffers[buffer.index()].nodes.push(first);
        watch.see(script, Played::Item { locus, first }, &self.known());
    }

    fn access(&self, part: &Part, kind: AccessKind, stage: Stage) -> Access {
        let resource = self.names.resources[part.resource.index()];
        Access { resource, extent: part.extent.clone(), kind, stage }
    }

    /// A declaration protects later kernels of a compute pass, and every stage of later draws: in a render pass it names no
    /// stages.
    fn declare(&mut self, queue: QueueId, pass: &Pass, resource: ResourceIndex, read: bool, write: bool) {
        let kind = match (read, write) {
            (_, false) => AccessKind::Read,
            (false, true) => AccessKind::Write,
            (true, true) => AccessKind::ReadWrite,
        };
        let resource = self.names.resources[resource.index()];
        let access = |stage| Access { resource, extent: Extent::Whole, kind, stage };
        let accesses: Vec<Access> = pass.kind.declared_stages().iter_stages().map(access).collect();
        self.engine.declare(queue, &accesses);
    }

    fn run_primitive(&mut self, queue: QueueId, pass: &Pass, primitive: &Primitive) {
        let engine = &mut self.engine;
        match *primitive {
            Primitive::Barrier { after, before, visibility } => {
                engine.barrier(queue, after, before, visibility)
            }
            Primitive::ConsumerBarrier { after_queue, before, visibility } => {
                engine.consumer_barrier(queue, after_queue, before, visibility);
            }
            Primitive::ProducerBarrier { after, before_queue, visibility } => {
                engine.producer_barrier(queue, after, before_queue, visibility);
            }
            Primitive::UpdateFence { fence, after } => {
                engine.update_fence(queue, self.names.fences[fence.index()], after.unwrap_or(Stages::EVERY));
            }
            Primitive::WaitForFence { fence, before } => {
                engine.wait_for_fence(
                    queue,
                    self.names.fences[fence.index()],
                    before.unwrap_or(Stages::EVERY),
                );
            }
            Primitive::MemoryBarrier { ref scope, after, before } => {
                let compute = matches!(pass.kind, PassKind::Compute { .. });
                let absent = if compute { Stages::DISPATCH } else { Stages::EVERY };
                let (after, before) = (after.unwrap_or(absent), before.unwrap_or(absent));
                match scope {
                    MemoryScope::Kinds { buffers, textures, render_targets } => {
                        let mut scope = BarrierScope::empty();
                        scope.set(BarrierScope::BUFFERS, *buffers);
                        scope.set(BarrierScope::TEXTURES, *textures);
                        scope.set(BarrierScope::RENDER_TARGETS, *render_targets);
                        engine.memory_barrier(queue, BarrierFilter::Scope(scope), after, before);
                    }
                    MemoryScope::Resources(resources) => {
                        let name = |resource: &ResourceIndex| self.names.resources[resource.index()];
                        let resources: Vec<ResourceId> = resources.iter().map(name).collect();
                        engine.memory_barrier(queue, BarrierFilter::Resources(&resources), after, before);
                    }
                }
            }
        }
    }
}

/// Whether each command of a pass waits for the one before.
pub(crate) fn is_serial(pass: &Pass, mode: QueueMode) -> bool {
    match pass.kind {
        PassKind::Blit | PassKind::Compute { dispatch_type: Some(DispatchType::Serial) } => true,
        PassKind::Compute { dispatch_type: None } => mode == QueueMode::Tracked,
        PassKind::Compute { .. } | PassKind::Render { .. } => false,
    }
}
