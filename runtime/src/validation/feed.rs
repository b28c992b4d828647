//! What happens, as steps of the judge.
use std::collections::HashMap;
use std::sync::Arc;

use fencepost_core::Extent;
use fencepost_core::explain::Explainer;
use fencepost_core::program::{
    CommandBuffer, CommandBufferIndex, DeviceDeclaration, DeviceIndex, DeviceKind, EventDeclaration,
    EventIndex, EventOperation, EventOperationKind, FenceIndex, HeapDeclaration, HeapIndex, Locus, Part,
    QueueDeclaration, QueueIndex, ResourceDeclaration, ResourceIndex, Step,
};
use fencepost_core::validate::{Online, Spot, ThreadIndex};

use super::finding::{Finding, Place};
use crate::api::QueueShared;
use crate::observe::{Body, Declare, Gone, Group, Happening, Ledger, Site, Sites};
use crate::signal::EventBody;
use crate::submit::CommandBufferState;

/// The judge, what its indices stand for, and where things stand in the app.
#[derive(Debug)]
pub(super) struct Feed {
    ledger: Ledger,
    judged: Judged,
    /// Of commands and event operations, by command buffer.
    recorded: HashMap<CommandBufferIndex, Sites>,
    /// Of steps, by number.
    steps: Vec<Option<Site>>,
    /// What was before the commit that the judge is asked of.
    before: Option<Before>,
}

/// Before a commit: the judge, and which of the command buffers are new to it.
#[derive(Debug)]
struct Before {
    judged: Judged,
    new: Vec<Arc<CommandBufferState>>,
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
        Self {
            ledger: Ledger::plain(),
            judged: Judged { online, cpu },
            recorded: HashMap::new(),
            steps: Vec::new(),
            before: None,
        }
    }

    /// One more device.
    pub(super) fn add_device(&mut self, name: &str) -> DeviceIndex {
        let declaration = DeviceDeclaration { name: name.to_owned(), kind: DeviceKind::Any };
        self.judged.online.add_device(declaration)
    }

    /// Something happened: what is found wrong with it.
    pub(super) fn tell(&mut self, device: DeviceIndex, happening: Happening<'_>, site: Site) -> Vec<Finding> {
        match happening {
            Happening::Read(body, extent) => {
                let part = self.part(device, body, extent);
                self.step(Step::Read(part), site);
            }
            Happening::Write(body, extent) => {
                let part = self.part(device, body, extent);
                self.step(Step::Write(part), site);
            }
            Happening::Published(body, extent) => {
                let part = self.part(device, body, extent);
                self.step(Step::DidModify(part), site);
            }
            Happening::Sight(queue, group) => self.sight(device, queue, group, site),
            Happening::Commit(queue, group) => self.commit(device, queue, group, site),
            Happening::Enqueue(queue, state) => {
                let queue = self.ledger.queue(&mut self.judged, device, queue);
                let buffer = self.buffer(queue, state);
                self.step(Step::Enqueue(buffer), site);
            }
            Happening::Signal(queue, event, value) => {
                self.queue_event(device, queue, event, value, EventOperationKind::Signal, site);
            }
            Happening::Wait(queue, event, value) => {
                self.queue_event(device, queue, event, value, EventOperationKind::Wait, site);
            }
            Happening::Completed(state) => {
                if let Some(buffer) = self.ledger.completed(state) {
                    self.step(Step::WaitUntilCompleted(buffer), site);
                }
            }
            Happening::Raise(event, value) => {
                let event = self.event(event, None, site);
                self.step(Step::SetSignaledValue { event, value }, site);
            }
            Happening::Reached(body, value) => {
                let event = self.event(body, None, site);
                if self.ledger.reached(body, value) {
                    self.step(Step::WaitUntilSignaled { event, value, timeout_ms: None }, site);
                }
            }
            Happening::Aliasable(body) => {
                let resource = self.ledger.resource(&mut self.judged, device, body);
                self.step(Step::MakeAliasable(resource), site);
            }
        }
        self.findings()
    }

    /// An object is gone.
    pub(super) fn gone(&mut self, device: DeviceIndex, gone: Gone) {
        self.ledger.gone(&mut self.judged, device, gone);
    }

    /// Keeps the judge as it is, for the case that the next commit is refused.
    pub(super) fn remember(&mut self, group: &Group) {
        let new = group.iter().map(|(_, state)| state);
        let new = new.filter(|state| self.ledger.known_buffer(state).is_none()).cloned().collect();
        self.before = Some(Before { judged: self.judged.clone(), new });
    }

    /// The commit was accepted.
    pub(super) fn accept(&mut self) {
        self.before = None;
    }

    /// The commit was refused: it never was.
    pub(super) fn undo(&mut self) {
        let Some(Before { judged, new }) = self.before.take() else { return };
        self.judged = judged;
        // One that was enqueued stays known: its place on the queue is kept.
        new.iter().for_each(|state| self.ledger.forget_buffer(state));
    }

    /// How much it keeps.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.judged.online.records() + self.recorded.len() + self.steps.len() + self.ledger.size()
    }

    fn part(&mut self, device: DeviceIndex, body: Body<'_>, extent: &Extent) -> Part {
        self.ledger.part(&mut self.judged, device, body, extent)
    }

    /// A step of the CPU.
    fn step(&mut self, step: Step, site: Site) {
        if matches!(&step, Step::Read(part) | Step::Write(part) if part.extent.is_empty()) {
            return;
        }
        let raise = match step {
            Step::WaitUntilSignaled { event, value, .. } => Some(Step::SetSignaledValue { event, value }),
            _ => None,
        };
        self.step_on(self.judged.cpu, step, site);
        if !self.judged.online.is_waiting(self.judged.cpu) {
            return;
        }
        // The wait is over, and the judge does not know why: another process, a device that does not validate, or work that failed.
        if let Some(raise) = raise {
            let outside = new_thread(&mut self.judged.online, Some(self.judged.cpu));
            self.step_on(outside, raise, site);
            self.judged.online.remove_thread(outside);
        }
        if self.judged.online.is_waiting(self.judged.cpu) {
            let waiting = self.judged.cpu;
            self.judged.cpu = new_thread(&mut self.judged.online, Some(waiting));
            self.judged.online.remove_thread(waiting);
        }
    }

    fn step_on(&mut self, thread: ThreadIndex, step: Step, site: Site) {
        // The ledger names only what it has declared, so nothing is refused.
        if let Ok(Locus::Step(number)) = self.judged.online.step(thread, step) {
            let number = number as usize;
            if number >= self.steps.len() {
                self.steps.resize(number + 1, None);
            }
            self.steps[number] = Some(site);
        }
    }

    /// The index of an event. A value that it had before it was seen is there from the start.
    fn event(&mut self, body: &Arc<EventBody>, queue: Option<QueueIndex>, site: Site) -> EventIndex {
        let (event, before) = self.ledger.event(&mut self.judged, body);
        if let Some(value) = before {
            let step = match queue.filter(|_| !body.is_shared()) {
                None => Step::SetSignaledValue { event, value },
                Some(queue) => Step::QueueEvent {
                    queue,
                    operation: EventOperation { label: None, event, value, kind: EventOperationKind::Signal },
                },
            };
            self.step(step, site);
        }
        event
    }

    fn sight(&mut self, device: DeviceIndex, queue: &QueueShared, group: &Group, site: Site) {
        let queue = self.ledger.queue(&mut self.judged, device, queue);
        for (recording, _) in group {
            for item in &recording.items {
                if let Some(event) = item.event() {
                    self.event(event, Some(queue), site);
                }
            }
            self.ledger.declare_all(&mut self.judged, device, recording);
        }
    }

    fn commit(&mut self, device: DeviceIndex, queue: &QueueShared, group: &Group, site: Site) {
        let mode = queue.mode;
        let queue = self.ledger.queue(&mut self.judged, device, queue);
        let mut buffers = Vec::with_capacity(group.len());
        for (recording, state) in group {
            let buffer = self.buffer(queue, state);
            let (items, sites) = self.ledger.translate(device, mode, recording);
            let label = self.judged.online.program().command_buffers[buffer.index()].label.clone();
            let body = CommandBuffer { label, queue, items };
            // Refused only where it names what is not declared, and it does not.
            if self.judged.online.set_command_buffer(buffer, body).is_ok() {
                self.recorded.insert(buffer, sites);
                buffers.push(buffer);
            }
        }
        if !buffers.is_empty() {
            self.step(Step::Commit(buffers), site);
        }
    }

    fn buffer(&mut self, queue: QueueIndex, state: &Arc<CommandBufferState>) -> CommandBufferIndex {
        let Self { ledger, judged, .. } = self;
        ledger.buffer(judged, state, |judged, label| {
            let empty = CommandBuffer { label, queue, items: Vec::new() };
            let refused = CommandBufferIndex(u32::MAX);
            judged.online.add_command_buffer(empty).unwrap_or(refused)
        })
    }

    fn queue_event(
        &mut self,
        device: DeviceIndex,
        queue: &QueueShared,
        event: &Arc<EventBody>,
        value: u64,
        kind: EventOperationKind,
        site: Site,
    ) {
        let queue = self.ledger.queue(&mut self.judged, device, queue);
        let event = self.event(event, Some(queue), site);
        let operation = EventOperation { label: None, event, value, kind };
        self.step(Step::QueueEvent { queue, operation }, site);
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

impl Declare for Judged {
    const FORGETS: bool = true;

    fn queue(&mut self, declaration: QueueDeclaration) -> QueueIndex {
        match self.online.add_queue(declaration) {
            Ok(queue) => queue,
            Err(_) => unreachable!("its device is declared, and devices stay"),
        }
    }

    fn heap(&mut self, declaration: HeapDeclaration) -> HeapIndex {
        self.online.add_heap(declaration)
    }

    fn resource(&mut self, declaration: ResourceDeclaration) -> ResourceIndex {
        match self.online.add_resource(declaration) {
            Ok(resource) => resource,
            Err(_) => {
                unreachable!("its device and what it lies in are declared before it, and it holds them")
            }
        }
    }

    fn fence(&mut self, name: String) -> FenceIndex {
        self.online.add_fence(name)
    }

    fn event(&mut self, declaration: EventDeclaration) -> EventIndex {
        self.online.add_event(declaration)
    }

    fn queue_gone(&mut self, queue: QueueIndex) {
        self.online.remove_queue(queue);
    }

    fn heap_gone(&mut self, heap: HeapIndex) {
        self.online.remove_heap(heap);
    }

    fn resource_gone(&mut self, resource: ResourceIndex) {
        self.online.remove_resource(resource);
    }

    fn fence_gone(&mut self, fence: FenceIndex) {
        self.online.remove_fence(fence);
    }

    fn event_gone(&mut self, event: EventIndex) {
        self.online.remove_event(event);
    }

    fn buffer_gone(&mut self, buffer: CommandBufferIndex) {
        self.online.remove_command_buffer(buffer);
    }
}
