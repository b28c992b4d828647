//! What happens, as steps of the judge.
use std::collections::HashMap;
use std::sync::Arc;

use fencepost_core::explain::Explainer;
use fencepost_core::program::{
    BufferItem, CommandBuffer, CommandBufferIndex, DeviceDeclaration, DeviceIndex, DeviceKind,
    EventDeclaration, EventIndex, FenceIndex, HeapDeclaration, HeapIndex, Locus, QueueDeclaration,
    QueueIndex, ResourceDeclaration, ResourceIndex, Step,
};
use fencepost_core::validate::{Online, Spot, ThreadIndex};

use super::finding::{Finding, Place};
use crate::observe::{Declare, Follow, Gone, Group, Happening, Ledger, Site, Sites};
use crate::signal::EventBody;
use crate::submit::CommandBufferState;

/// The judge, what its indices stand for, and where things stand in the app.
#[derive(Debug)]
pub(super) struct Feed {
    ledger: Ledger,
    court: Court,
    /// What was before the commits that the judge was asked of and that are under way, by device.
    before: HashMap<DeviceIndex, Before>,
    /// How much has been told.
    told: u64,
}

/// The judge, and where things stand in the app.
#[derive(Debug)]
struct Court {
    judged: Judged,
    /// Of commands and event operations, by command buffer.
    recorded: HashMap<CommandBufferIndex, Sites>,
    /// Of steps, by number. Those of another process have none.
    steps: Vec<Option<Site>>,
}

/// Before a commit: the judge, and which of the command buffers are new to it.
#[derive(Debug)]
struct Before {
    judged: Judged,
    new: Vec<Arc<CommandBufferState>>,
    /// How much had been told.
    told: u64,
}

/// The judge and the CPU's one thread there.
#[derive(Clone, Debug)]
struct Judged {
    online: Online,
    cpu: ThreadIndex,
}

impl Feed {
    pub(super) fn new() -> Self {
        let mut online = Online::new();
        let cpu = new_thread(&mut online, None);
        let judged = Judged { online, cpu };
        let court = Court { judged, recorded: HashMap::new(), steps: Vec::new() };
        Self { ledger: Ledger::plain(), court, before: HashMap::new(), told: 0 }
    }

    /// One more device.
    pub(super) fn add_device(&mut self, name: &str) -> DeviceIndex {
        let declaration = DeviceDeclaration { name: name.to_owned(), kind: DeviceKind::Any };
        self.court.judged.online.add_device(declaration)
    }

    /// Something happened: what is found wrong with it.
    pub(super) fn tell(&mut self, device: DeviceIndex, happening: Happening<'_>, site: Site) -> Vec<Finding> {
        self.told += 1;
        self.ledger.follow(&mut self.court, device, happening, site);
        self.court.findings()
    }

    /// Another process has raised an event: what is found wrong with what this has released.
    pub(super) fn outside(&mut self, event: &Arc<EventBody>, value: u64) -> Vec<Finding> {
        self.told += 1;
        self.ledger.follow_outside(&mut self.court, event, value);
        self.court.findings()
    }

    /// An object is gone.
    pub(super) fn gone(&mut self, device: DeviceIndex, gone: Gone) {
        self.told += 1;
        self.ledger.gone(&mut self.court, device, gone);
    }

    /// Keeps the judge as it is, for the case that the next commit of the device is refused.
    pub(super) fn remember(&mut self, device: DeviceIndex, group: &Group) {
        let new = group.iter().map(|(_, state)| state);
        let new = new.filter(|state| self.ledger.known_buffer(state).is_none()).cloned().collect();
        // The commit itself is told next.
        let before = Before { judged: self.court.judged.clone(), new, told: self.told + 1 };
        self.before.insert(device, before);
    }

    /// The commit was accepted.
    pub(super) fn accept(&mut self, device: DeviceIndex) {
        self.before.remove(&device);
    }

    /// The commit was refused: it never was.
    pub(super) fn undo(&mut self, device: DeviceIndex) {
        let Some(Before { judged, new, told }) = self.before.remove(&device) else { return };
        if told == self.told {
            self.court.judged = judged;
        } else {
            // Another device has told something meanwhile, which stays. What was refused counts as over for the CPU.
            for buffer in new.iter().filter_map(|state| self.ledger.known_buffer(state)) {
                self.court.step_on(self.court.judged.cpu, Step::WaitUntilCompleted(buffer), None);
                self.court.go_on();
                self.court.buffer_gone(buffer);
            }
        }
        // One that was enqueued stays known: its place on the queue is kept.
        new.iter().for_each(|state| self.ledger.forget_buffer(state));
    }

    /// How much it keeps.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        let Court { judged, recorded, steps } = &self.court;
        judged.online.records() + recorded.len() + steps.len() + self.ledger.size()
    }
}

impl Court {
    fn step_on(&mut self, thread: ThreadIndex, step: Step, site: Option<Site>) {
        // The ledger names only what it has declared, so nothing is refused.
        if let Ok(Locus::Step(number)) = self.judged.online.step(thread, step) {
            let number = number as usize;
            if number >= self.steps.len() {
                self.steps.resize(number + 1, None);
            }
            self.steps[number] = site;
        }
    }

    /// The CPU's wait is over, and the judge does not know why: work that failed, or that it was never told of.
    fn go_on(&mut self) {
        if self.is_held() {
            let waiting = self.judged.cpu;
            self.judged.cpu = new_thread(&mut self.judged.online, Some(waiting));
            self.judged.online.remove_thread(waiting);
        }
    }

    /// What was found, in words.
    fn findings(&mut self) -> Vec<Finding> {
        let found = self.judged.online.take_findings();
        if found.is_empty() {
            return Vec::new();
        }
        let program = self.judged.online.program();
        let explainer = Explainer::of(program);
        let place = |spot: Option<Spot>| {
            spot.map(|spot| Place { path: explainer.path(spot), location: self.site(spot) })
        };
        let finding = |found: fencepost_core::validate::Finding| Finding {
            explanation: explainer.explain(&found),
            resource: found.resource.map(|resource| explainer.resource(resource).to_owned()),
            first: place(found.first),
            second: place(found.second),
            found: Box::new(found),
        };
        found.into_iter().map(finding).collect()
    }

    fn site(&self, spot: Spot) -> Option<Site> {
        match spot {
            Spot::At(Locus::Step(number)) => self.steps.get(number as usize).copied().flatten(),
            Spot::At(Locus::PassItem { buffer, pass, item }) => self.recorded.get(&buffer)?.item(pass, item),
            Spot::At(Locus::Event { buffer, item }) => self.recorded.get(&buffer)?.own(item),
            Spot::Pass(buffer, pass) => self.recorded.get(&buffer)?.own(pass),
            _ => None,
        }
    }
}

/// A thread that goes on from another one, which is there.
fn new_thread(online: &mut Online, after: Option<ThreadIndex>) -> ThreadIndex {
    match online.add_thread(after) {
        Ok(thread) => thread,
        Err(_) => unreachable!("the thread that it goes on from is removed only afterwards"),
    }
}

impl Follow for Court {
    fn command_buffer(&mut self, empty: CommandBuffer) -> CommandBufferIndex {
        match self.judged.online.add_command_buffer(empty) {
            Ok(buffer) => buffer,
            Err(_) => unreachable!("its queue is declared, and it names nothing else"),
        }
    }

    fn holds(&mut self, buffer: CommandBufferIndex, items: Vec<BufferItem>, sites: Sites) {
        let online = &mut self.judged.online;
        let CommandBuffer { label, queue, .. } = &online.program().command_buffers[buffer.index()];
        let body = CommandBuffer { label: label.clone(), queue: *queue, items };
        // Refused only where it names what is not declared, and it does not.
        if online.set_command_buffer(buffer, body).is_ok() {
            self.recorded.insert(buffer, sites);
        }
    }

    fn step(&mut self, step: Step, site: Site) {
        let may_be_raised = matches!(step, Step::WaitUntilSignaled { .. });
        self.step_on(self.judged.cpu, step, Some(site));
        if !may_be_raised {
            self.go_on();
        }
    }

    fn raise_outside(&mut self, seen: &[(EventIndex, u64)], event: EventIndex, value: u64) {
        if self.judged.online.value(event) < value {
            let outside = new_thread(&mut self.judged.online, Some(self.judged.cpu));
            for &(event, value) in seen {
                // What it does not know of it cannot wait for.
                let value = value.min(self.judged.online.value(event));
                if value > 0 {
                    self.step_on(outside, Step::WaitUntilSignaled { event, value, timeout_ms: None }, None);
                }
            }
            self.step_on(outside, Step::SetSignaledValue { event, value }, None);
            self.judged.online.remove_thread(outside);
        }
        self.go_on();
    }

    fn is_held(&self) -> bool {
        self.judged.online.is_waiting(self.judged.cpu)
    }
}

impl Declare for Court {
    const FORGETS: bool = true;

    fn queue(&mut self, declaration: QueueDeclaration) -> QueueIndex {
        match self.judged.online.add_queue(declaration) {
            Ok(queue) => queue,
            Err(_) => unreachable!("its device is declared, and devices stay"),
        }
    }

    fn heap(&mut self, declaration: HeapDeclaration) -> HeapIndex {
        self.judged.online.add_heap(declaration)
    }

    fn resource(&mut self, declaration: ResourceDeclaration) -> ResourceIndex {
        match self.judged.online.add_resource(declaration) {
            Ok(resource) => resource,
            Err(_) => {
                unreachable!("its device and what it lies in are declared before it, and it holds them")
            }
        }
    }

    fn fence(&mut self, name: String) -> FenceIndex {
        self.judged.online.add_fence(name)
    }

    fn event(&mut self, declaration: EventDeclaration) -> EventIndex {
        self.judged.online.add_event(declaration)
    }

    fn queue_gone(&mut self, queue: QueueIndex) {
        self.judged.online.remove_queue(queue);
    }

    fn heap_gone(&mut self, heap: HeapIndex) {
        self.judged.online.remove_heap(heap);
    }

    fn resource_gone(&mut self, resource: ResourceIndex) {
        self.judged.online.remove_resource(resource);
    }

    fn fence_gone(&mut self, fence: FenceIndex) {
        self.judged.online.remove_fence(fence);
    }

    fn event_gone(&mut self, event: EventIndex) {
        self.judged.online.remove_event(event);
    }

    fn buffer_gone(&mut self, buffer: CommandBufferIndex) {
        self.judged.online.remove_command_buffer(buffer);
    }
}
