//! Misuse: calls that Metal does not allow, and some that cannot be meant, as far as a program's values show them.
//!
//! | file | looks at |
//! |---|---|
//! | `stages` | what an encoder can encode, and the stages that its primitives name |
//! | `queues` | which calls belong to which mode of queue, and what is committed how often |
//! | `fences` | waits for updates that are not there, or in the pass itself, or on another queue |
//! | `events` | signals that raise nothing |
//! | `memory` | storage modes, heaps, devices |
mod events;
mod fences;
mod memory;
mod queues;
mod stages;

use super::finding::{Finding, Kind, Misuse, Spot};
use super::names::Names;
use super::walk::Scene;
use crate::order::Played;
use crate::program::{CommandBufferIndex, EventIndex, FenceIndex, Program, ResourceIndex, Step};

pub(super) use memory::Aliasing;

/// Looks at calls, each by itself, and remembers of them what later ones are judged by.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    pub(super) commits: queues::Commits,
    pub(super) devices: memory::Devices,
    fences: fences::Updates,
    events: events::Raises,
}

impl Calls {
    /// A resource that is declared.
    pub(super) fn resource(&self, program: &Program, index: ResourceIndex, findings: &mut Vec<Finding>) {
        memory::resource(program, index, findings);
    }

    /// A command buffer as it was recorded.
    pub(super) fn buffer(
        &mut self,
        program: &Program,
        index: CommandBufferIndex,
        findings: &mut Vec<Finding>,
    ) {
        stages::buffer(program, index, findings);
        queues::buffer(program, index, findings);
        self.devices.buffer(program, index, findings);
    }

    /// A step, whether it is ever played or not.
    pub(super) fn step(&mut self, program: &Program, step: &Step, number: u32, findings: &mut Vec<Finding>) {
        self.commits.step(program, step, number, findings);
        self.devices.step(program, step, number, findings);
    }

    pub(super) fn name(&self, names: &mut Names) {
        self.commits.name(names);
        self.fences.name(names);
        self.events.name(names);
    }

    pub(super) fn drop_fence(&mut self, fence: FenceIndex) {
        self.fences.drop_fence(fence);
        self.devices.drop_fence(fence);
    }

    pub(super) fn drop_event(&mut self, event: EventIndex) {
        self.events.drop_event(event);
        self.devices.drop_event(event);
    }

    pub(super) fn records(&self) -> usize {
        self.fences.records() + self.events.records()
    }

    /// Something that was played.
    pub(super) fn see(&mut self, scene: &Scene<'_>, played: Played, findings: &mut Vec<Finding>) {
        self.fences.see(scene.program, played, findings);
        self.events.see(scene, played, findings);
    }
}

fn finding(misuse: Misuse, spot: Spot) -> Finding {
    Finding { kind: Kind::Misuse(misuse), first: None, second: Some(spot), resource: None, extent: None }
}

fn about(misuse: Misuse, spot: Spot, resource: ResourceIndex) -> Finding {
    Finding { resource: Some(resource), ..finding(misuse, spot) }
}
