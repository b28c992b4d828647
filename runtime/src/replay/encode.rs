//! Command buffers of a program, encoded through the library's own encoders.

use core::ops::Range;

use fencepost_core::program::value::label_hash;
use fencepost_core::program::{
    BufferItem, Command, DispatchType, EventOperationKind, FenceIndex, MemoryScope, Part, Pass, PassItem,
    PassKind, Primitive, Program, QueueMode, Work,
};

use super::kernel::Kernel;
use super::objects::{AnyEvent, Kernels, Objects, range};
use crate::error::ReplayError;
use crate::{
    BarrierScope, BlitCommandEncoder, Buffer, CommandBuffer, ComputeCommandEncoder, Device, Error, Fence,
    Resource, ResourceUsage, Stages,
};

/// Every command buffer of the program, ready to be committed.
pub(super) fn command_buffers(
    program: &Program,
    objects: &Objects,
    kernels: &Kernels,
) -> Result<Vec<CommandBuffer>, Error> {
    program
        .command_buffers
        .iter()
        .map(|declared| command_buffer(program, objects, kernels, declared))
        .collect()
}

fn command_buffer(
    program: &Program,
    objects: &Objects,
    kernels: &Kernels,
    declared: &fencepost_core::program::CommandBuffer,
) -> Result<CommandBuffer, Error> {
    let device = objects.device_of(program, declared.queue);
    let mode = program.queues[declared.queue.index()].mode;
    let buffer = match mode {
        QueueMode::Tracked => objects.queues[declared.queue.index()].command_buffer(),
        QueueMode::Explicit => {
            let buffer = device.new_command_buffer();
            buffer.begin(&device.new_command_allocator())?;
            buffer
        }
    };
    buffer.set_label(&declared.label);
    for item in &declared.items {
        match item {
            BufferItem::Pass(pass) => Encode { program, objects, kernels, device, pass }.run(&buffer)?,
            BufferItem::Event(operation) => {
                let event = &objects.events[operation.event.index()];
                match (event, operation.kind) {
                    (AnyEvent::Plain(event), EventOperationKind::Signal) => {
                        buffer.encode_signal_event(event, operation.value)?;
                    }
                    (AnyEvent::Plain(event), EventOperationKind::Wait) => {
                        buffer.encode_wait_for_event(event, operation.value)?;
                    }
                    (AnyEvent::Shared(event), EventOperationKind::Signal) => {
                        buffer.encode_signal_event(event, operation.value)?;
                    }
                    (AnyEvent::Shared(event), EventOperationKind::Wait) => {
                        buffer.encode_wait_for_event(event, operation.value)?;
                    }
                }
            }
        }
    }
    if mode == QueueMode::Explicit {
        buffer.end()?;
    }
    Ok(buffer)
}

/// One pass being encoded.
struct Encode<'a> {
    program: &'a Program,
    objects: &'a Objects,
    kernels: &'a Kernels,
    device: &'a Device,
    pass: &'a Pass,
}

impl Encode<'_> {
    fn run(&self, buffer: &CommandBuffer) -> Result<(), Error> {
        match &self.pass.kind {
            PassKind::Compute { dispatch_type } => {
                let mut compute = match dispatch_type {
                    None => buffer.compute_command_encoder()?,
                    Some(DispatchType::Serial) => {
                        buffer.compute_command_encoder_with_dispatch_type(crate::DispatchType::Serial)?
                    }
                    Some(DispatchType::Concurrent) => {
                        buffer.compute_command_encoder_with_dispatch_type(crate::DispatchType::Concurrent)?
                    }
                };
                compute.set_label(&self.pass.label);
                self.pass.items.iter().try_for_each(|item| self.compute(&mut compute, item))?;
                compute.end_encoding();
            }
            PassKind::Blit => {
                let mut blit = buffer.blit_command_encoder()?;
                blit.set_label(&self.pass.label);
                self.pass.items.iter().try_for_each(|item| self.blit(&mut blit, item))?;
                blit.end_encoding();
            }
            PassKind::Render { .. } => {
                return Err(ReplayError::Unsupported {
                    what: "a render pass",
                    name: self.pass.label.clone(),
                }
                .into());
            }
        }
        Ok(())
    }

    fn unsupported(&self, what: &'static str, label: &str) -> Error {
        ReplayError::Unsupported { what, name: format!("{}.{label}", self.pass.label) }.into()
    }

    fn bytes(&self, part: &Part) -> (&Buffer, Range<u64>) {
        (&self.objects.buffers[part.resource.index()], range(self.program, part))
    }

    fn fence(&self, fence: FenceIndex) -> &Fence {
        &self.objects.fences[fence.index()]
    }

    fn compute(&self, compute: &mut ComputeCommandEncoder, item: &PassItem) -> Result<(), Error> {
        match item {
            PassItem::Command(command) => self.compute_command(compute, command),
            PassItem::Synchronization(synchronization) => {
                self.compute_primitive(compute, &synchronization.primitive)
            }
            PassItem::UseResource { resource, read, write } => {
                let mut usage = ResourceUsage::empty();
                usage.set(ResourceUsage::READ, *read);
                usage.set(ResourceUsage::WRITE, *write);
                compute.use_resource(&self.objects.buffers[resource.index()], usage)
            }
        }
    }

    fn compute_command(&self, compute: &mut ComputeCommandEncoder, command: &Command) -> Result<(), Error> {
        compute.push_debug_group(&command.label);
        match &command.work {
            Work::Copy { from, to } => {
                let ((source, from), (destination, to)) = (self.bytes(from), self.bytes(to));
                let length = (from.end - from.start).min(to.end - to.start);
                compute.copy_buffer(source, from.start, destination, to.start, length)?;
            }
            Work::Fill { to, value } => {
                let (buffer, range) = self.bytes(to);
                compute.fill_buffer(buffer, range, *value)?;
            }
            Work::Dispatch { reads, writes, atomics, cost, indirect } => {
                self.dispatch(compute, &command.label, [reads, writes, atomics], *cost, *indirect)?;
            }
            Work::GenerateMipmaps { .. }
            | Work::Draw { .. }
            | Work::Synchronize { .. }
            | Work::Optimize { .. } => {
                return Err(self.unsupported("a command on textures or managed resources", &command.label));
            }
        }
        compute.pop_debug_group()
    }

    fn dispatch(
        &self,
        compute: &mut ComputeCommandEncoder,
        label: &str,
        [reads, writes, atomics]: [&Vec<Part>; 3],
        cost: u32,
        indirect: bool,
    ) -> Result<(), Error> {
        let written = || writes.iter().chain(atomics);
        if reads.iter().any(|read| written().any(|write| self.half_overlap(read, write))) {
            return Err(self.unsupported("a dispatch that reads and writes overlapping parts", label));
        }
        let words = |parts: &[Part]| -> Vec<u32> {
            parts
                .iter()
                .map(|part| self.bytes(part).1)
                .map(|range| ((range.end - range.start) / 4) as u32)
                .collect()
        };
        let kernel = Kernel {
            hash: label_hash(&self.pass.label, label),
            reads: words(reads),
            writes: words(writes),
            atomics: words(atomics),
            cost,
        };
        compute.set_compute_pipeline_state(&self.kernels.pipeline(self.device, &kernel)?)?;
        for (index, part) in (0..).zip(reads.iter().chain(written())) {
            let (buffer, range) = self.bytes(part);
            if indirect {
                compute.set_buffer_by_pointer(index, buffer, range)?;
            } else {
                compute.set_buffer_range(index, buffer, range)?;
            }
        }
        compute.dispatch_threadgroups([kernel.groups(), 1, 1])
    }

    /// The same bytes can be read and written word by word; other overlaps have no order inside a kernel.
    fn half_overlap(&self, read: &Part, write: &Part) -> bool {
        let same_memory = self.program.resource(read.resource).placement
            == self.program.resource(write.resource).placement
            && read.resource == write.resource;
        let (read, write) = (self.bytes(read).1, self.bytes(write).1);
        same_memory && read != write && read.start < write.end && write.start < read.end
    }

    fn compute_primitive(
        &self,
        compute: &mut ComputeCommandEncoder,
        primitive: &Primitive,
    ) -> Result<(), Error> {
        match primitive {
            Primitive::Barrier { after, before, visibility } => compute.barrier(*after, *before, *visibility),
            Primitive::ConsumerBarrier { after_queue, before, visibility } => {
                compute.barrier_after_queue_stages(*after_queue, *before, *visibility);
                Ok(())
            }
            Primitive::ProducerBarrier { after, before_queue, visibility } => {
                compute.barrier_before_queue_stages(*after, *before_queue, *visibility)
            }
            Primitive::MemoryBarrier { scope, .. } => match scope {
                MemoryScope::Kinds { buffers, textures, render_targets } => {
                    let mut scope = BarrierScope::empty();
                    scope.set(BarrierScope::BUFFERS, *buffers);
                    scope.set(BarrierScope::TEXTURES, *textures);
                    scope.set(BarrierScope::RENDER_TARGETS, *render_targets);
                    compute.memory_barrier_with_scope(scope)
                }
                MemoryScope::Resources(resources) => {
                    let buffers: Vec<&dyn Resource> = resources
                        .iter()
                        .map(|resource| &self.objects.buffers[resource.index()] as &dyn Resource)
                        .collect();
                    compute.memory_barrier_with_resources(&buffers)
                }
            },
            Primitive::UpdateFence { fence, after: None } => compute.update_fence(self.fence(*fence)),
            Primitive::UpdateFence { fence, after: Some(after) } => {
                compute.update_fence_after_stages(self.fence(*fence), *after)
            }
            Primitive::WaitForFence { fence, before: None } => compute.wait_for_fence(self.fence(*fence)),
            Primitive::WaitForFence { fence, before: Some(before) } => {
                compute.wait_for_fence_before_stages(self.fence(*fence), *before)
            }
        }
    }

    fn blit(&self, blit: &mut BlitCommandEncoder, item: &PassItem) -> Result<(), Error> {
        match item {
            PassItem::Command(Command { label, work }) => {
                blit.push_debug_group(label);
                match work {
                    Work::Copy { from, to } => {
                        let ((source, from), (destination, to)) = (self.bytes(from), self.bytes(to));
                        let length = (from.end - from.start).min(to.end - to.start);
                        blit.copy_buffer(source, from.start, destination, to.start, length)?;
                    }
                    Work::Fill { to, value } => {
                        let (buffer, range) = self.bytes(to);
                        blit.fill_buffer(buffer, range, *value)?;
                    }
                    _ => {
                        return Err(self.unsupported("a command that a replayed blit pass cannot run", label));
                    }
                }
                blit.pop_debug_group()
            }
            PassItem::Synchronization(synchronization) => match &synchronization.primitive {
                Primitive::ConsumerBarrier { after_queue, before, visibility } => {
                    blit.barrier_after_queue_stages(*after_queue, *before, *visibility);
                    Ok(())
                }
                Primitive::UpdateFence { fence, after } => {
                    blit.update_fence_after_stages(self.fence(*fence), after.unwrap_or(Stages::BLIT))
                }
                Primitive::WaitForFence { fence, before } => {
                    blit.wait_for_fence_before_stages(self.fence(*fence), before.unwrap_or(Stages::BLIT))
                }
                _ => Err(self.unsupported("a barrier that a blit pass does not have", "barrier")),
            },
            PassItem::UseResource { .. } => {
                Err(self.unsupported("a declaration in a blit pass", "use-resource"))
            }
        }
    }
}
