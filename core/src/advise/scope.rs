//! How far a primitive reaches, smallest first: the measure of what is the least that does.
use core::fmt;

use crate::program::{
    BufferItem, CommandBufferIndex, EventIndex, EventOperationKind, Locus, PassItem, Primitive, Program,
    ResourceIndex, Step, StorageMode, Work,
};

/// How far a primitive reaches. The order is that of size; the two queue barriers are of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Within a pass: a barrier, or a memory barrier on a tracked queue.
    IntrapassBarrier,
    /// From one pass to one pass.
    Fence,
    /// From all earlier passes to one pass and what follows.
    ConsumerBarrier,
    /// From one pass and what precedes it to all later passes.
    ProducerBarrier,
    /// Between queues of one device.
    Event,
    /// Between devices, and between device and CPU.
    SharedEvent,
    /// The CPU stands still for it.
    CpuWait,
}

impl Scope {
    /// Its size: the two queue barriers have the same.
    pub const fn rank(self) -> u8 {
        match self {
            Self::IntrapassBarrier => 0,
            Self::Fence => 1,
            Self::ConsumerBarrier | Self::ProducerBarrier => 2,
            Self::Event => 3,
            Self::SharedEvent => 4,
            Self::CpuWait => 5,
        }
    }

    /// Its stable name, as programs write it: `"intrapass-barrier"` and so on.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IntrapassBarrier => "intrapass-barrier",
            Self::Fence => "fence",
            Self::ConsumerBarrier => "consumer-barrier",
            Self::ProducerBarrier => "producer-barrier",
            Self::Event => "event",
            Self::SharedEvent => "shared-event",
            Self::CpuWait => "cpu-wait",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A synchronization of a program that can be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Site {
    pub(super) locus: Locus,
    pub(super) scope: Scope,
    pub(super) role: Role,
}

/// What taking it away means for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It holds what follows, or is half of what does.
    Hold,
    /// It holds a queue until an event has a value.
    Wait(EventIndex),
    /// It releases waits: those go first.
    Signal(EventIndex, u64),
    /// The CPU stands still for it.
    CpuWait,
    /// It brings one copy of a managed resource to the other.
    Copies,
}

/// Every synchronization of a program, in document order.
pub(super) fn sites(program: &Program) -> Vec<Site> {
    let mut all = Vec::new();
    for (body, number) in program.command_buffers.iter().zip(0..) {
        let buffer = CommandBufferIndex(number);
        for (item, place) in body.items.iter().zip(0..) {
            match item {
                BufferItem::Event(operation) => {
                    let locus = Locus::Event { buffer, item: place };
                    all.push(event_site(program, locus, operation.event, operation.value, operation.kind));
                }
                BufferItem::Pass(pass) => {
                    let locus = |item| Locus::PassItem { buffer, pass: place, item };
                    let sites = pass.items.iter().zip(0..);
                    all.extend(sites.filter_map(|(item, index)| pass_site(program, locus(index), item)));
                }
            }
        }
    }
    let steps = program.all_steps();
    all.extend(steps.iter().zip(0..).filter_map(|(step, number)| step_site(program, number, step)));
    all
}

fn event_site(
    program: &Program,
    locus: Locus,
    event: EventIndex,
    value: u64,
    kind: EventOperationKind,
) -> Site {
    let shared = program.events.get(event.index()).is_some_and(|event| event.shared);
    let role = match kind {
        EventOperationKind::Signal => Role::Signal(event, value),
        EventOperationKind::Wait => Role::Wait(event),
    };
    Site { locus, scope: if shared { Scope::SharedEvent } else { Scope::Event }, role }
}

fn pass_site(program: &Program, locus: Locus, item: &PassItem) -> Option<Site> {
    let (scope, role) = match item {
        PassItem::Synchronization(synchronization) => {
            let scope = match synchronization.primitive {
                Primitive::Barrier { .. } | Primitive::MemoryBarrier { .. } => Scope::IntrapassBarrier,
                Primitive::UpdateFence { .. } | Primitive::WaitForFence { .. } => Scope::Fence,
                Primitive::ConsumerBarrier { .. } => Scope::ConsumerBarrier,
                Primitive::ProducerBarrier { .. } => Scope::ProducerBarrier,
            };
            (scope, Role::Hold)
        }
        PassItem::Command(command) => match command.work {
            Work::Synchronize { resource, .. } if is_managed(program, resource) => {
                (Scope::IntrapassBarrier, Role::Copies)
            }
            _ => return None,
        },
        PassItem::UseResource { .. } => return None,
    };
    Some(Site { locus, scope, role })
}

fn step_site(program: &Program, number: u32, step: &Step) -> Option<Site> {
    let locus = Locus::Step(number);
    Some(match *step {
        Step::QueueEvent { ref operation, .. } => {
            event_site(program, locus, operation.event, operation.value, operation.kind)
        }
        Step::SetSignaledValue { event, value } => {
            Site { locus, scope: Scope::SharedEvent, role: Role::Signal(event, value) }
        }
        Step::WaitUntilCompleted(_) | Step::WaitUntilSignaled { .. } => {
            Site { locus, scope: Scope::CpuWait, role: Role::CpuWait }
        }
        Step::DidModify(ref part) if is_managed(program, part.resource) => {
            Site { locus, scope: Scope::IntrapassBarrier, role: Role::Copies }
        }
        _ => return None,
    })
}

fn is_managed(program: &Program, resource: ResourceIndex) -> bool {
    program.resources.get(resource.index()).is_some_and(|own| own.storage == StorageMode::Managed)
}
