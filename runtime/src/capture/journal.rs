//! The program of a capture, while it grows.
use std::sync::Arc;

use fencepost_core::Extent;
use fencepost_core::program::{
    BufferItem, CommandBuffer, CommandBufferIndex, DeviceDeclaration, DeviceIndex, DeviceKind,
    EventDeclaration, EventIndex, FenceIndex, HeapDeclaration, HeapIndex, Program, QueueDeclaration,
    QueueIndex, ResourceDeclaration, ResourceIndex, Step,
};
use parking_lot::Mutex;

use crate::observe::{Declare, Follow, Gone, Happening, Ledger, Site, Sites, Watcher};
use crate::signal::EventBody;

/// What a capture has seen.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    ledger: Ledger,
    program: Written,
}

/// A program that grows. Nothing goes from it: what is gone was there.
#[derive(Debug, Default)]
struct Written {
    program: Program,
    /// How often another process has raised an event.
    others: u32,
}

impl Journal {
    /// One more device.
    pub(super) fn add_device(&self, number: usize) -> DeviceIndex {
        let name = if number == 0 { "gpu".to_owned() } else { format!("gpu{}", number + 1) };
        self.0.lock().program.program.devices.push(DeviceDeclaration { name, kind: DeviceKind::Any });
        super::device(number)
    }

    /// The program; an empty one is left.
    pub(super) fn take(&self) -> Program {
        std::mem::take(&mut self.0.lock().program.program)
    }
}

impl Watcher for Journal {
    fn tell(&self, device: DeviceIndex, happening: Happening<'_>, site: Site) {
        let Pages { ledger, program } = &mut *self.0.lock();
        ledger.follow(program, device, happening, site);
    }

    fn outside(&self, event: &Arc<EventBody>, value: u64) {
        let Pages { ledger, program } = &mut *self.0.lock();
        ledger.follow_outside(program, event, value);
    }

    fn identity(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn gone(&self, device: DeviceIndex, gone: Gone) {
        let Pages { ledger, program } = &mut *self.0.lock();
        ledger.gone(program, device, gone);
    }
}

impl Follow for Written {
    fn command_buffer(&mut self, empty: CommandBuffer) -> CommandBufferIndex {
        self.program.command_buffers.push(empty);
        CommandBufferIndex(self.program.command_buffers.len() as u32 - 1)
    }

    fn holds(&mut self, buffer: CommandBufferIndex, items: Vec<BufferItem>, _: Sites) {
        if let Some(body) = self.program.command_buffers.get_mut(buffer.index()) {
            body.items = items;
        }
    }

    /// An access that goes on where the last step ended is the same step: nothing came in between.
    fn step(&mut self, step: Step, _: Site) {
        let steps = &mut self.program.steps;
        if let (Some(Step::Read(last)), Step::Read(part)) | (Some(Step::Write(last)), Step::Write(part)) =
            (steps.last_mut(), &step)
            && last.resource == part.resource
            && let (Extent::Bytes(before), Extent::Bytes(now)) = (&mut last.extent, &part.extent)
            && before.end == now.start
        {
            before.end = now.end;
            return;
        }
        steps.push(step);
    }

    fn raise_outside(&mut self, seen: &[(EventIndex, u64)], event: EventIndex, value: u64) {
        let wait = |&(event, value): &_| Step::WaitUntilSignaled { event, value, timeout_ms: None };
        let mut body: Vec<Step> = seen.iter().map(wait).collect();
        body.push(Step::SetSignaledValue { event, value });
        self.others += 1;
        let name = format!("other-process{}", self.others);
        self.program.steps.push(Step::Thread { name, body });
    }
}

impl Declare for Written {
    const FORGETS: bool = false;

    fn queue(&mut self, declaration: QueueDeclaration) -> QueueIndex {
        self.program.queues.push(declaration);
        QueueIndex(self.program.queues.len() as u32 - 1)
    }

    fn heap(&mut self, declaration: HeapDeclaration) -> HeapIndex {
        self.program.heaps.push(declaration);
        HeapIndex(self.program.heaps.len() as u32 - 1)
    }

    fn resource(&mut self, declaration: ResourceDeclaration) -> ResourceIndex {
        self.program.resources.push(declaration);
        ResourceIndex(self.program.resources.len() as u32 - 1)
    }

    fn fence(&mut self, name: String) -> FenceIndex {
        self.program.fences.push(name);
        FenceIndex(self.program.fences.len() as u32 - 1)
    }

    fn event(&mut self, declaration: EventDeclaration) -> EventIndex {
        self.program.events.push(declaration);
        EventIndex(self.program.events.len() as u32 - 1)
    }

    fn queue_gone(&mut self, _queue: QueueIndex) {}
    fn heap_gone(&mut self, _heap: HeapIndex) {}
    fn resource_gone(&mut self, _resource: ResourceIndex) {}
    fn fence_gone(&mut self, _fence: FenceIndex) {}
    fn event_gone(&mut self, _event: EventIndex) {}
    fn buffer_gone(&mut self, _buffer: CommandBufferIndex) {}
}
