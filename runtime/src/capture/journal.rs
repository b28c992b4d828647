//! The program of a capture, while it grows.
use std::sync::Arc;

use fencepost_core::Extent;
use fencepost_core::program::{
    BufferItem, CommandBuffer, CommandBufferIndex, DeviceDeclaration, DeviceIndex, DeviceKind,
    EventDeclaration, EventIndex, EventOperation, EventOperationKind, FenceIndex, HeapDeclaration, HeapIndex,
    Part, Program, QueueDeclaration, QueueIndex, QueueMode, ResourceDeclaration, ResourceIndex, Step,
};
use parking_lot::Mutex;

use crate::api::QueueShared;
use crate::observe::{Body, Declare, Gone, Group, Happening, Ledger, Site, Watcher};
use crate::signal::EventBody;

/// What a capture has seen.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    ledger: Ledger,
    program: Written,
}

/// A program that is declared into. Nothing goes from it: what is gone was there.
#[derive(Debug, Default)]
struct Written(Program);

impl Journal {
    /// One more device.
    pub(super) fn add_device(&self, number: usize) -> DeviceIndex {
        let name = if number == 0 { "gpu".to_owned() } else { format!("gpu{}", number + 1) };
        self.0.lock().program.0.devices.push(DeviceDeclaration { name, kind: DeviceKind::Any });
        super::device(number)
    }

    /// The program; an empty one is left.
    pub(super) fn take(&self) -> Program {
        std::mem::take(&mut self.0.lock().program.0)
    }
}

impl Watcher for Journal {
    fn tell(&self, device: DeviceIndex, happening: Happening<'_>, _site: Site) {
        let mut pages = self.0.lock();
        match happening {
            Happening::Read(body, extent) => {
                let part = pages.part(device, body, extent);
                pages.access(part, Step::Read);
            }
            Happening::Write(body, extent) => {
                let part = pages.part(device, body, extent);
                pages.access(part, Step::Write);
            }
            Happening::Published(body, extent) => {
                let part = pages.part(device, body, extent);
                pages.step(Step::DidModify(part));
            }
            Happening::Sight(queue, group) => pages.sight(device, queue, group),
            Happening::Commit(queue, group) => pages.commit(device, queue, group),
            Happening::Enqueue(queue, state) => {
                let queue = pages.queue(device, queue);
                let buffer = pages.buffer(queue, state);
                pages.step(Step::Enqueue(buffer));
            }
            Happening::Signal(queue, event, value) => {
                pages.queue_event(device, queue, event, value, EventOperationKind::Signal);
            }
            Happening::Wait(queue, event, value) => {
                pages.queue_event(device, queue, event, value, EventOperationKind::Wait);
            }
            Happening::Completed(state) => {
                if let Some(buffer) = pages.ledger.completed(state) {
                    pages.step(Step::WaitUntilCompleted(buffer));
                }
            }
            Happening::Raise(event, value) => {
                let event = pages.event(event, None);
                pages.step(Step::SetSignaledValue { event, value });
            }
            Happening::Reached(body, value) => {
                let event = pages.event(body, None);
                if pages.ledger.reached(body, value) {
                    pages.step(Step::WaitUntilSignaled { event, value, timeout_ms: None });
                }
            }
            Happening::Aliasable(body) => {
                let resource = pages.resource(device, body);
                pages.step(Step::MakeAliasable(resource));
            }
        }
    }

    fn gone(&self, device: DeviceIndex, gone: Gone) {
        let Pages { ledger, program } = &mut *self.0.lock();
        ledger.gone(program, device, gone);
    }
}

impl Pages {
    fn step(&mut self, step: Step) {
        self.program.0.steps.push(step);
    }

    /// An access of the CPU. One that goes on where the last step ended is the same step: nothing came in between.
    fn access(&mut self, part: Part, step: fn(Part) -> Step) {
        if part.extent.is_empty() {
            return;
        }
        let last = match (self.program.0.steps.last_mut(), step(part.clone())) {
            (Some(Step::Read(last)), Step::Read(_)) | (Some(Step::Write(last)), Step::Write(_)) => Some(last),
            _ => None,
        };
        if let Some(last) = last.filter(|last| last.resource == part.resource)
            && let (Extent::Bytes(before), Extent::Bytes(now)) = (&mut last.extent, &part.extent)
            && before.end == now.start
        {
            before.end = now.end;
            return;
        }
        self.step(step(part));
    }

    fn queue(&mut self, device: DeviceIndex, queue: &QueueShared) -> QueueIndex {
        self.ledger.queue(&mut self.program, device, queue)
    }

    fn part(&mut self, device: DeviceIndex, body: Body<'_>, extent: &Extent) -> Part {
        self.ledger.part(&mut self.program, device, body, extent)
    }

    fn resource(&mut self, device: DeviceIndex, body: Body<'_>) -> ResourceIndex {
        self.ledger.resource(&mut self.program, device, body)
    }

    /// The index of an event. A value that it had before it was seen is raised first: by the CPU, or where only queues can, by the queue
    /// that uses it.
    fn event(&mut self, body: &Arc<EventBody>, queue: Option<QueueIndex>) -> EventIndex {
        let (event, before) = self.ledger.event(&mut self.program, body);
        match (before, queue) {
            (Some(value), _) if body.is_shared() => self.step(Step::SetSignaledValue { event, value }),
            (Some(value), Some(queue)) => self.signal_before(queue, event, value),
            _ => {}
        }
        event
    }

    fn signal_before(&mut self, queue: QueueIndex, event: EventIndex, value: u64) {
        let operation = EventOperation { label: None, event, value, kind: EventOperationKind::Signal };
        if self.program.mode(queue) == QueueMode::Explicit {
            return self.step(Step::QueueEvent { queue, operation });
        }
        let name = &self.program.0.events[event.index()].name;
        let buffer = CommandBuffer {
            label: format!("before-the-capture-{name}"),
            queue,
            items: vec![BufferItem::Event(operation)],
        };
        let index = self.program.push(buffer);
        self.step(Step::Commit(vec![index]));
    }

    /// Declares all that a group names.
    fn sight(&mut self, device: DeviceIndex, queue: &QueueShared, group: &Group) {
        let queue = self.queue(device, queue);
        for (recording, _) in group {
            for item in &recording.items {
                if let Some(event) = item.event() {
                    self.event(event, Some(queue));
                }
            }
            self.ledger.declare_all(&mut self.program, device, recording);
        }
    }

    fn commit(&mut self, device: DeviceIndex, queue: &QueueShared, group: &Group) {
        let mode = queue.mode;
        let queue = self.queue(device, queue);
        let mut indices = Vec::with_capacity(group.len());
        for (recording, state) in group {
            let buffer = self.buffer(queue, state);
            let (items, _) = self.ledger.translate(device, mode, recording);
            self.program.0.command_buffers[buffer.index()].items = items;
            indices.push(buffer);
        }
        if !indices.is_empty() {
            self.step(Step::Commit(indices));
        }
    }

    fn buffer(
        &mut self,
        queue: QueueIndex,
        state: &Arc<crate::submit::CommandBufferState>,
    ) -> CommandBufferIndex {
        let Self { ledger, program } = self;
        ledger.buffer(program, state, |program, label| {
            program.push(CommandBuffer { label, queue, items: Vec::new() })
        })
    }

    fn queue_event(
        &mut self,
        device: DeviceIndex,
        queue: &QueueShared,
        event: &Arc<EventBody>,
        value: u64,
        kind: EventOperationKind,
    ) {
        let queue = self.queue(device, queue);
        let event = self.event(event, Some(queue));
        let operation = EventOperation { label: None, event, value, kind };
        self.step(Step::QueueEvent { queue, operation });
    }
}

impl Written {
    fn mode(&self, queue: QueueIndex) -> QueueMode {
        self.0.queues[queue.index()].mode
    }

    fn push(&mut self, buffer: CommandBuffer) -> CommandBufferIndex {
        self.0.command_buffers.push(buffer);
        CommandBufferIndex(self.0.command_buffers.len() as u32 - 1)
    }
}

impl Declare for Written {
    const FORGETS: bool = false;

    fn queue(&mut self, declaration: QueueDeclaration) -> QueueIndex {
        self.0.queues.push(declaration);
        QueueIndex(self.0.queues.len() as u32 - 1)
    }

    fn heap(&mut self, declaration: HeapDeclaration) -> HeapIndex {
        self.0.heaps.push(declaration);
        HeapIndex(self.0.heaps.len() as u32 - 1)
    }

    fn resource(&mut self, declaration: ResourceDeclaration) -> ResourceIndex {
        self.0.resources.push(declaration);
        ResourceIndex(self.0.resources.len() as u32 - 1)
    }

    fn fence(&mut self, name: String) -> FenceIndex {
        self.0.fences.push(name);
        FenceIndex(self.0.fences.len() as u32 - 1)
    }

    fn event(&mut self, declaration: EventDeclaration) -> EventIndex {
        self.0.events.push(declaration);
        EventIndex(self.0.events.len() as u32 - 1)
    }

    fn queue_gone(&mut self, _queue: QueueIndex) {}
    fn heap_gone(&mut self, _heap: HeapIndex) {}
    fn resource_gone(&mut self, _resource: ResourceIndex) {}
    fn fence_gone(&mut self, _fence: FenceIndex) {}
    fn event_gone(&mut self, _event: EventIndex) {}
    fn buffer_gone(&mut self, _buffer: CommandBufferIndex) {}
}
