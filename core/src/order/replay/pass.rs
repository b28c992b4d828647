//! One pass of a program, as calls of the engine.
use super::Item;
use super::machine::Machine;
use crate::place::{ResourceDescriptor, ResourceShape, Tracking};
use crate::program::{
    Command, CommandBufferIndex, DispatchType, Locus, MemoryScope, Pass, PassItem, PassKind, Placement,
    Primitive, Program, QueueIndex, QueueMode, ResourceDeclaration, ResourceIndex, Shape, TrackingMode, Use,
};
use crate::{
    Access, AccessKind, BarrierFilter, BarrierScope, Engine, Extent, FenceId, MemoryId, QueueId, ResourceId,
    Stages,
};

/// The engine's names for what a program declares, by index.
pub(super) struct Names {
    pub(super) queues: Vec<QueueId>,
    pub(super) resources: Vec<ResourceId>,
    fences: Vec<FenceId>,
}

impl Names {
    pub(super) fn register(program: &Program, engine: &mut Engine) -> Self {
        let queues = program.queues.iter().map(|queue| engine.add_queue(queue.mode)).collect();
        let fences = program.fences.iter().map(|_| engine.add_fence()).collect();
        let heaps: Vec<MemoryId> = program.heaps.iter().map(|_| engine.add_memory()).collect();
        let mut places: Vec<(MemoryId, u64)> = Vec::new();
        let mut resources = Vec::new();
        for (number, declaration) in program.resources.iter().enumerate() {
            let (memory, start) = match declaration.placement {
                Placement::Own => (engine.add_memory(), 0),
                Placement::Heap { heap, offset } => (heaps[heap.index()], offset),
                Placement::SameAs(other) => places[other.index()],
            };
            places.push((memory, start));
            let size = program.byte_size(ResourceIndex(number as u32));
            resources.push(engine.add_resource(ResourceDescriptor {
                memory,
                bytes: start..start.saturating_add(size),
                shape: match declaration.shape {
                    Shape::Buffer { .. } => ResourceShape::Buffer,
                    Shape::Texture { mips, slices, .. } => ResourceShape::Texture { mips, slices },
                },
                tracking: tracking(program, declaration),
            }));
        }
        Self { queues, resources, fences }
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

impl Machine<'_> {
    pub(super) fn run_pass(
        &mut self,
        queue: QueueIndex,
        buffer: CommandBufferIndex,
        number: u32,
        pass: &Pass,
    ) {
        let mode = self.program.queues[queue.index()].mode;
        let serial = match pass.kind {
            PassKind::Blit | PassKind::Compute { dispatch_type: Some(DispatchType::Serial) } => true,
            PassKind::Compute { dispatch_type: None } => mode == QueueMode::Tracked,
            PassKind::Compute { .. } | PassKind::Render { .. } => false,
        };
        let id = self.names.queues[queue.index()];
        self.engine.begin_pass(id, serial);
        let alone = pass.attachments_at();
        let own = Locus::Pass { buffer, pass: number };
        for (item, place) in pass.items.iter().zip(0..) {
            if alone == Some(place) {
                self.run_item(id, own, Stages::FRAGMENT, pass.own_uses());
            }
            let locus = Locus::PassItem { buffer, pass: number, item: place };
            if self.without.contains(&locus) {
                continue;
            }
            self.stand_at(locus);
            match item {
                PassItem::Command(command) => self.run_command(id, locus, pass, command),
                PassItem::Synchronization(synchronization) => {
                    self.run_primitive(id, pass, &synchronization.primitive);
                }
                PassItem::UseResource { resource, read, write } => {
                    self.declare(id, pass, *resource, *read, *write);
                }
            }
        }
        if alone == Some(pass.items.len() as u32) {
            self.run_item(id, own, Stages::FRAGMENT, pass.own_uses());
        }
        self.engine.end_pass(id);
    }

    fn run_command(&mut self, queue: QueueId, locus: Locus, pass: &Pass, command: &Command) {
        let uses = if command.work.is_tracked() { self.program.uses(pass, command) } else { Vec::new() };
        self.run_item(queue, locus, command.work.stages(), uses);
    }

    /// Work at a place, with what tracking sees of it.
    fn run_item(&mut self, queue: QueueId, locus: Locus, stages: Stages, uses: Vec<Use>) {
        self.stand_at(locus);
        let access = |used: Use| Access {
            resource: self.names.resources[used.part.resource.index()],
            extent: used.part.extent,
            kind: used.kind,
            stage: used.stage,
        };
        let accesses: Vec<Access> = uses.into_iter().map(access).collect();
        let mut node = self.engine.command(queue, stages, &accesses);
        for stage in stages.iter_stages() {
            self.items.push(Item { node, locus, stage });
            self.nodes.entry(locus).or_default().push(node);
            node.0 += 1;
        }
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
