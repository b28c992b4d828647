//! What can be added: each primitive with the places where it goes, and what it costs.
//!
//! The cost of a set is the sum of its scopes first, then the number of the stages that are named. A queue barrier costs less than two
//! fences, so that it takes their place; what leaves the queue costs more than any number of primitives on it that a small
//! program can need, so that it is never taken to save those.
use super::super::scope::Scope;
use super::edits::{Edits, Inserted, Insertion, Where};
use crate::program::{
    BufferItem, CommandBufferIndex, EventDeclaration, EventIndex, EventOperation, EventOperationKind,
    FenceIndex, Locus, MemoryScope, Pass, PassItem, PassKind, Primitive, Program, QueueMode, ResourceIndex,
    Shape, Step, Synchronization,
};
use crate::{Moment, Order, Stages, Visibility};

/// A pass of a program.
pub(in crate::advise) type PassPlace = (CommandBufferIndex, u32);

/// Something to add. Places are those of the program before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::advise) enum Addition {
    /// A barrier that is there makes visible what it orders; a memory barrier, these resources.
    Show { site: Locus, resources: Vec<ResourceIndex> },
    /// Within a pass, in front of an item.
    Barrier { pass: PassPlace, at: u32, after: Stages, before: Stages, kinds: Kinds },
    /// A consumer barrier in front of an item.
    Consumer { pass: PassPlace, at: u32, after: Stages, before: Stages },
    /// A producer barrier in front of an item, or behind the last.
    Producer { pass: PassPlace, at: u32, after: Stages, before: Stages },
    /// A fence from one pass to another.
    Fence { from: PassPlace, update_at: u32, to: PassPlace, wait_at: u32, after: Stages, before: Stages },
    /// A pass ends in front of an item and another goes on; a fence orders the two.
    Split { pass: PassPlace, at: u32, after: Stages, before: Stages },
    /// An event that is signaled behind one pass and waited for in front of another.
    Event { from: PassPlace, to: PassPlace, shared: bool },
    /// The CPU waits for a command buffer in front of a step.
    Completion { buffer: CommandBufferIndex, step: u32 },
    /// The CPU waits in front of a step for a shared event that is signaled behind a pass.
    Watch { from: PassPlace, step: u32 },
    /// The CPU raises a shared event behind a step, and a queue waits for it in front of a pass.
    Release { step: u32, to: PassPlace },
    /// One thread of the CPU raises a shared event behind a step, and another waits for it in front of one.
    HandOver { first: u32, second: u32 },
}

/// What a memory barrier shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::advise) struct Kinds {
    pub(in crate::advise) buffers: bool,
    pub(in crate::advise) textures: bool,
}

/// Scopes first, then stages.
pub(in crate::advise) type Cost = (u64, u32);

impl Addition {
    pub(in crate::advise) const fn scope(&self) -> Scope {
        match self {
            Self::Barrier { .. } | Self::Show { .. } => Scope::IntrapassBarrier,
            Self::Split { .. } => Scope::Fence,
            Self::Fence { .. } => Scope::Fence,
            Self::Consumer { .. } => Scope::ConsumerBarrier,
            Self::Producer { .. } => Scope::ProducerBarrier,
            Self::Event { shared: false, .. } => Scope::Event,
            Self::Event { shared: true, .. } | Self::Release { .. } => Scope::SharedEvent,
            Self::Completion { .. } | Self::Watch { .. } | Self::HandOver { .. } => Scope::CpuWait,
        }
    }

    pub(in crate::advise) fn cost(&self) -> Cost {
        if matches!(self, Self::Show { .. }) {
            return (0, 1);
        }
        let scope = match self.scope() {
            Scope::Fence if matches!(self, Self::Split { .. }) => SPLIT + 2,
            Scope::IntrapassBarrier => 1,
            Scope::Fence => 2,
            Scope::ConsumerBarrier | Scope::ProducerBarrier => 3,
            Scope::Event => EVENT,
            Scope::SharedEvent => SHARED_EVENT,
            Scope::CpuWait => 1 << 24,
        };
        let stages = self
            .stages()
            .map_or(0, |(after, before)| (after.iter_stages().count() + before.iter_stages().count()) as u32);
        (scope, stages)
    }

    pub(in crate::advise) const fn stages(&self) -> Option<(Stages, Stages)> {
        match *self {
            Self::Barrier { after, before, .. }
            | Self::Consumer { after, before, .. }
            | Self::Producer { after, before, .. }
            | Self::Fence { after, before, .. }
            | Self::Split { after, before, .. } => Some((after, before)),
            _ => None,
        }
    }

    pub(in crate::advise) const fn stages_mut(&mut self) -> Option<(&mut Stages, &mut Stages)> {
        match self {
            Self::Barrier { after, before, .. }
            | Self::Consumer { after, before, .. }
            | Self::Producer { after, before, .. }
            | Self::Fence { after, before, .. }
            | Self::Split { after, before, .. } => Some((after, before)),
            _ => None,
        }
    }
}

pub(in crate::advise) fn cost(all: &[Addition]) -> Cost {
    all.iter().map(Addition::cost).fold((0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1))
}

/// All of it as insertions, with fresh names. `order` is the program's own.
pub(in crate::advise) fn edits(program: &Program, order: &Order, all: &[Addition]) -> Edits {
    let mut writer = Writer { program, order, edits: Edits::default(), number: 0 };
    for addition in all {
        writer.write(addition);
        writer.number += 1;
    }
    writer.edits
}

struct Writer<'a> {
    program: &'a Program,
    order: &'a Order,
    edits: Edits,
    number: usize,
}

impl Writer<'_> {
    fn write(&mut self, addition: &Addition) {
        match *addition {
            Addition::Show { site, ref resources } => self.show(site, resources),
            Addition::Barrier { pass, at, after, before, kinds } => {
                let primitive = self.within(pass, after, before, kinds);
                self.primitive(pass, at, primitive);
            }
            Addition::Consumer { pass, at, after, before } => {
                let visibility = Visibility::DEVICE;
                self.primitive(
                    pass,
                    at,
                    Primitive::ConsumerBarrier { after_queue: after, before, visibility },
                );
            }
            Addition::Producer { pass, at, after, before } => {
                let visibility = Visibility::DEVICE;
                self.primitive(
                    pass,
                    at,
                    Primitive::ProducerBarrier { after, before_queue: before, visibility },
                );
            }
            Addition::Fence { from, update_at, to, wait_at, after, before } => {
                self.fence((from, update_at, after), (to, wait_at, before));
            }
            Addition::Split { pass, at, after, before } => {
                self.put(Where::Pass(pass.0, pass.1, at), Inserted::NewPass);
                self.fence((pass, at, after), (pass, at, before));
            }
            Addition::Event { from, to, shared } => {
                let event = self.event(shared);
                self.signal(from, event);
                self.wait(to, event);
            }
            Addition::Completion { buffer, step } => self.before(step, Step::WaitUntilCompleted(buffer)),
            Addition::Watch { from, step } => {
                let event = self.event(true);
                self.signal(from, event);
                self.before(step, Step::WaitUntilSignaled { event, value: 1, timeout_ms: None });
            }
            Addition::Release { step, to } => {
                let event = self.event(true);
                self.after(step, Step::SetSignaledValue { event, value: 1 });
                self.wait(to, event);
            }
            Addition::HandOver { first, second } => {
                let event = self.event(true);
                self.after(first, Step::SetSignaledValue { event, value: 1 });
                self.before(second, Step::WaitUntilSignaled { event, value: 1, timeout_ms: None });
            }
        }
    }

    fn fence(
        &mut self,
        (from, update_at, after): (PassPlace, u32, Stages),
        (to, wait_at, before): (PassPlace, u32, Stages),
    ) {
        let fence = FenceIndex((self.program.fences.len() + self.edits.fences.len()) as u32);
        let name = self.fresh("F");
        self.edits.fences.push(name);
        let after = self.names_stages(from).then_some(after);
        let before = self.names_stages(to).then_some(before);
        self.primitive(from, update_at, Primitive::UpdateFence { fence, after });
        self.primitive(to, wait_at, Primitive::WaitForFence { fence, before });
    }

    fn pass(&self, (buffer, pass): PassPlace) -> Option<&Pass> {
        self.program.pass(buffer, pass)
    }

    fn mode(&self, buffer: CommandBufferIndex) -> QueueMode {
        let queue = self.program.command_buffers.get(buffer.index()).map(|body| body.queue);
        queue
            .and_then(|queue| self.program.queues.get(queue.index()))
            .map_or(QueueMode::Explicit, |queue| queue.mode)
    }

    /// Compute and blit encoders of tracked queues have fences of whole passes only.
    fn names_stages(&self, place: PassPlace) -> bool {
        let render = self.pass(place).is_some_and(|pass| matches!(pass.kind, PassKind::Render { .. }));
        render || self.mode(place.0) == QueueMode::Explicit
    }

    /// The barrier within a pass that its queue has.
    fn within(&self, place: PassPlace, after: Stages, before: Stages, kinds: Kinds) -> Primitive {
        if self.mode(place.0) == QueueMode::Explicit {
            return Primitive::Barrier { after, before, visibility: Visibility::DEVICE };
        }
        let scope =
            MemoryScope::Kinds { buffers: kinds.buffers, textures: kinds.textures, render_targets: false };
        let render = self.pass(place).is_some_and(|pass| matches!(pass.kind, PassKind::Render { .. }));
        let named = render || !(after | before).difference(Stages::DISPATCH).is_empty();
        Primitive::MemoryBarrier { scope, after: named.then_some(after), before: named.then_some(before) }
    }

    fn primitive(&mut self, (buffer, pass): PassPlace, at: u32, primitive: Primitive) {
        let item = PassItem::Synchronization(Synchronization { label: None, primitive });
        self.put(Where::Pass(buffer, pass, at), Inserted::PassItem(item));
    }

    /// Gives a barrier visibility, once for all that ask for it.
    fn show(&mut self, site: Locus, resources: &[ResourceIndex]) {
        let Locus::PassItem { buffer, pass, item } = site else { return };
        let program = self.program;
        let at = Where::Instead(site);
        let former = self.edits.insertions.iter().rev().find(|(_, insertion)| insertion.at == at);
        let item = match former {
            Some((_, Insertion { item: Inserted::PassItem(item), .. })) => Some(item),
            _ => program.pass(buffer, pass).and_then(|pass| pass.items.get(item as usize)),
        };
        let Some(PassItem::Synchronization(mut own)) = item.cloned() else { return };
        match &mut own.primitive {
            Primitive::Barrier { visibility, .. }
            | Primitive::ConsumerBarrier { visibility, .. }
            | Primitive::ProducerBarrier { visibility, .. } => *visibility = Visibility::DEVICE,
            Primitive::MemoryBarrier { scope: MemoryScope::Resources(named), .. } => {
                let new = resources.iter().filter(|resource| !named.contains(resource));
                let new: Vec<ResourceIndex> = new.copied().collect();
                named.extend(new);
            }
            Primitive::MemoryBarrier { scope: MemoryScope::Kinds { buffers, textures, .. }, .. } => {
                for resource in resources {
                    match program.resource(*resource).shape {
                        Shape::Buffer { .. } => *buffers = true,
                        Shape::Texture { .. } => *textures = true,
                    }
                }
            }
            Primitive::UpdateFence { .. } | Primitive::WaitForFence { .. } => {}
        }
        self.put(at, Inserted::PassItem(PassItem::Synchronization(own)));
    }

    fn put(&mut self, at: Where, item: Inserted) {
        self.edits.insertions.push((self.number, Insertion { at, item }));
    }

    fn event(&mut self, shared: bool) -> EventIndex {
        let event = EventIndex((self.program.events.len() + self.edits.events.len()) as u32);
        let name = self.fresh(if shared { "X" } else { "E" });
        self.edits.events.push(EventDeclaration { name, shared });
        event
    }

    /// Behind a pass: in its command buffer, or behind its commit where events stand on the queue.
    fn signal(&mut self, place: PassPlace, event: EventIndex) {
        let operation = EventOperation { label: None, event, value: 1, kind: EventOperationKind::Signal };
        match self.commit(place.0) {
            Some(step) => {
                let queue = self.program.command_buffers[place.0.index()].queue;
                self.after(step, Step::QueueEvent { queue, operation });
            }
            None => {
                let at = Where::CommandBuffer(place.0, place.1 + 1);
                self.put(at, Inserted::BufferItem(BufferItem::Event(operation)));
            }
        }
    }

    fn wait(&mut self, place: PassPlace, event: EventIndex) {
        let operation = EventOperation { label: None, event, value: 1, kind: EventOperationKind::Wait };
        match self.commit(place.0) {
            Some(step) => {
                let queue = self.program.command_buffers[place.0.index()].queue;
                self.before(step, Step::QueueEvent { queue, operation });
            }
            None => {
                let at = Where::CommandBuffer(place.0, place.1);
                self.put(at, Inserted::BufferItem(BufferItem::Event(operation)));
            }
        }
    }

    /// The commit of a command buffer that takes event operations on its queue only.
    fn commit(&self, buffer: CommandBufferIndex) -> Option<u32> {
        if takes_events(self.program, buffer) {
            return None;
        }
        commit_of(self.program, self.order, buffer)
    }

    fn before(&mut self, step: u32, new: Step) {
        self.put(Where::BeforeStep(step), Inserted::Step(new));
    }

    fn after(&mut self, step: u32, new: Step) {
        self.put(Where::AfterStep(step), Inserted::Step(new));
    }

    fn fresh(&self, stem: &str) -> String {
        fresh(self.program, &self.edits, stem)
    }
}

/// Whether event operations stand in a command buffer: on tracked queues, and on those where their author has put some already.
pub(in crate::advise) fn takes_events(program: &Program, buffer: CommandBufferIndex) -> bool {
    let Some(own) = program.command_buffers.get(buffer.index()) else { return true };
    let tracked = program.queues.get(own.queue.index()).is_none_or(|queue| queue.mode == QueueMode::Tracked);
    let mut others = program.command_buffers.iter().filter(|body| body.queue == own.queue);
    tracked || others.any(|body| body.items.iter().any(|item| matches!(item, BufferItem::Event(_))))
}

/// The step that commits a command buffer: what comes first in the play, which need not be first in the document.
pub(in crate::advise) fn commit_of(
    program: &Program,
    order: &Order,
    buffer: CommandBufferIndex,
) -> Option<u32> {
    let steps = program.all_steps();
    let commits = |number: &u32| matches!(steps.get(*number as usize), Some(Step::Commit(all)) if all.contains(&buffer));
    order.moments().iter().find_map(|moment| match *moment {
        Moment::Step(number) => Some(number).filter(commits),
        _ => None,
    })
}

/// A name that nothing has yet: the stem, or the stem with the first number that is free.
fn fresh(program: &Program, edits: &Edits, stem: &str) -> String {
    let taken = |name: &str| {
        program.fences.iter().chain(&edits.fences).any(|own| own == name)
            || program.events.iter().chain(&edits.events).any(|own| own.name == name)
            || program.resources.iter().any(|own| own.name == name)
            || program.heaps.iter().any(|own| own.name == name)
            || program.queues.iter().any(|own| own.name == name)
            || program.devices.iter().any(|own| own.name == name)
            || program.command_buffers.iter().any(|own| own.label == name)
    };
    let numbered = (1..).map(|number: u32| format!("{stem}{number}"));
    core::iter::once(stem.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

/// What another pass costs: more than all the barriers and fences that a small program can need.
pub(in crate::advise) const SPLIT: u64 = 1 << 6;
/// What an event costs: more than all the primitives on one queue that a small program can need.
pub(in crate::advise) const EVENT: u64 = 1 << 8;
pub(in crate::advise) const SHARED_EVENT: u64 = 1 << 16;
