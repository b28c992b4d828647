//! Storage modes, heaps and devices (rules 2.1.3, 2.3, 8.1 and 8.8).
use std::collections::{HashMap, HashSet};

use super::super::finding::{Finding, Misuse, Spot};
use super::super::names::Names;
use super::super::walk::{Body, Deed, at};
use super::{about, finding};
use crate::program::{
    BufferItem, CommandBufferIndex, DeviceIndex, EventIndex, FenceIndex, Locus, Pass, PassItem, Placement,
    Primitive, Program, ResourceIndex, Step, StorageMode, TrackingMode, Work,
};

pub(super) fn resource(program: &Program, index: ResourceIndex, findings: &mut Vec<Finding>) {
    let declaration = program.resource(index);
    let Placement::Heap { heap, .. } = declaration.placement else { return };
    if declaration.tracking == TrackingMode::Tracked && !program.heaps[heap.index()].tracked {
        findings.push(Finding {
            kind: super::Kind::Misuse(Misuse::TrackedOnUntrackedHeap),
            first: None,
            second: None,
            resource: Some(index),
            extent: None,
        });
    }
}

/// Which device each fence and each plain event belongs to: the first that uses it.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Devices {
    fences: Vec<Option<DeviceIndex>>,
    events: Vec<Option<DeviceIndex>>,
}

impl Devices {
    pub(super) fn buffer(
        &mut self,
        program: &Program,
        buffer: CommandBufferIndex,
        findings: &mut Vec<Finding>,
    ) {
        let body = &program.command_buffers[buffer.index()];
        let device = program.queues[body.queue.index()].device;
        for (item, place) in body.items.iter().zip(0..) {
            match item {
                BufferItem::Event(operation) => {
                    let spot = Spot::At(Locus::Event { buffer, item: place });
                    findings.extend(self.event(program, operation.event, device, spot));
                }
                BufferItem::Pass(pass) => {
                    let spot = |item| Spot::At(Locus::PassItem { buffer, pass: place, item });
                    if pass.attachments_at().is_some() {
                        let spot = Spot::At(Locus::Pass { buffer, pass: place });
                        let carried = program.carried_attachments(pass).into_iter();
                        findings.extend(carried.map(|own| about(Misuse::WrongStorageMode, spot, own)));
                    }
                    in_pass(program, pass, device, self, &spot, findings);
                }
            }
        }
    }

    pub(in super::super) fn drop_fence(&mut self, fence: FenceIndex) {
        *at(&mut self.fences, fence.index()) = None;
    }

    pub(in super::super) fn drop_event(&mut self, event: EventIndex) {
        *at(&mut self.events, event.index()) = None;
    }

    fn event(
        &mut self,
        program: &Program,
        event: EventIndex,
        device: DeviceIndex,
        spot: Spot,
    ) -> Option<Finding> {
        let own = *at(&mut self.events, event.index()).get_or_insert(device);
        let wrong = own != device && !program.events[event.index()].shared;
        wrong.then(|| finding(Misuse::WrongDevice, spot))
    }

    fn fence(&mut self, fence: FenceIndex, device: DeviceIndex, spot: Spot) -> Option<Finding> {
        let own = *at(&mut self.fences, fence.index()).get_or_insert(device);
        (own != device).then(|| finding(Misuse::WrongDevice, spot))
    }

    pub(super) fn step(&mut self, program: &Program, step: &Step, number: u32, findings: &mut Vec<Finding>) {
        let spot = Spot::At(Locus::Step(number));
        match step {
            Step::Write(part) | Step::Read(part)
                if matches!(
                    program.resource(part.resource).storage,
                    StorageMode::Private | StorageMode::Memoryless
                ) =>
            {
                findings.push(about(Misuse::WrongStorageMode, spot, part.resource));
            }
            Step::DidModify(part) if program.resource(part.resource).storage != StorageMode::Managed => {
                findings.push(about(Misuse::WrongStorageMode, spot, part.resource));
            }
            Step::MakeAliasable(resource)
                if !matches!(program.resource(*resource).placement, Placement::Heap { .. }) =>
            {
                findings.push(about(Misuse::NotAliasable, spot, *resource));
            }
            Step::QueueEvent { queue, operation } => {
                let device = program.queues[queue.index()].device;
                findings.extend(self.event(program, operation.event, device, spot));
            }
            _ => {}
        }
    }
}

fn in_pass(
    program: &Program,
    pass: &Pass,
    device: DeviceIndex,
    devices: &mut Devices,
    spot: &dyn Fn(u32) -> Spot,
    findings: &mut Vec<Finding>,
) {
    for (item, index) in pass.items.iter().zip(0..) {
        let needed = program.needs_memory(pass, item).into_iter();
        findings.extend(needed.map(|resource| about(Misuse::WrongStorageMode, spot(index), resource)));
        match item {
            PassItem::Command(command) => {
                let mut told = HashSet::new();
                program.each_use(pass, command, |part, _, _, _| {
                    let resource = part.resource;
                    if program.resource(resource).device != device && told.insert(resource) {
                        findings.push(about(Misuse::WrongDevice, spot(index), resource));
                    }
                });
                if let Work::Synchronize { resource, .. } = command.work
                    && !matches!(
                        program.resource(resource).storage,
                        StorageMode::Managed | StorageMode::Memoryless
                    )
                {
                    findings.push(about(Misuse::WrongStorageMode, spot(index), resource));
                }
            }
            PassItem::Synchronization(synchronization) => match synchronization.primitive {
                Primitive::UpdateFence { fence, .. } | Primitive::WaitForFence { fence, .. } => {
                    findings.extend(devices.fence(fence, device, spot(index)));
                }
                _ => {}
            },
            PassItem::UseResource { resource, .. } => {
                if program.resource(*resource).device != device {
                    findings.push(about(Misuse::WrongDevice, spot(index), *resource));
                }
            }
        }
    }
}

/// Watches the deeds of a program for uses of memory that was given away.
///
/// What counts is the commit: work that was committed before the resource was made aliasable may still be running.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Aliasing {
    given: HashMap<ResourceIndex, Locus>,
    /// Command buffers, each with what had been given away when it was committed.
    commits: HashMap<CommandBufferIndex, HashSet<ResourceIndex>>,
}

impl Aliasing {
    pub(in super::super) fn see(&mut self, deed: &Deed<'_>, program: &Program, findings: &mut Vec<Finding>) {
        match deed.body {
            Body::Step(Step::MakeAliasable(resource))
                if matches!(program.resource(*resource).placement, Placement::Heap { .. }) =>
            {
                self.given.entry(*resource).or_insert(deed.locus);
            }
            Body::Step(Step::Commit(buffers)) if !self.given.is_empty() => {
                for buffer in buffers {
                    let given = self.given.keys().copied().collect();
                    self.commits.entry(*buffer).or_insert(given);
                }
            }
            Body::Step(_) if self.given.is_empty() => {}
            Body::Step(_) => self.tell(deed, |_| true, findings),
            Body::Command { .. } if self.given.is_empty() => {}
            Body::Command { buffer, .. } => {
                if let Some(given) = self.commits.get(&buffer) {
                    self.tell(deed, |resource| given.contains(resource), findings);
                }
            }
        }
    }

    pub(in super::super) fn name(&self, names: &mut Names) {
        self.given.values().for_each(|locus| names.locus(*locus));
    }

    pub(in super::super) fn drop_buffer(&mut self, buffer: CommandBufferIndex) {
        self.commits.remove(&buffer);
    }

    pub(in super::super) fn drop_resource(&mut self, resource: ResourceIndex) {
        self.given.remove(&resource);
        self.commits.values_mut().for_each(|given| {
            given.remove(&resource);
        });
    }

    pub(in super::super) fn records(&self) -> usize {
        self.given.len() + self.commits.values().map(HashSet::len).sum::<usize>()
    }

    fn tell(&self, deed: &Deed<'_>, counts: impl Fn(&ResourceIndex) -> bool, findings: &mut Vec<Finding>) {
        let mut told = HashSet::new();
        for mark in &deed.marks {
            if let Some(given) = self.given.get(&mark.resource)
                && counts(&mark.resource)
                && told.insert(mark.resource)
            {
                let first = Some(Spot::At(*given));
                let spot = Spot::from(deed.locus);
                findings.push(Finding { first, ..about(Misuse::UseAfterAliasing, spot, mark.resource) });
            }
        }
    }
}
