//! Command buffers of a program, encoded through the library's own encoders.

use fencepost_core::program::{
    BufferItem, CommandBufferIndex, DispatchType, EventOperationKind, FenceIndex, MemoryScope, Pass,
    PassItem, PassKind, Primitive, Program, QueueMode, ResourceIndex,
};

use super::objects::{AnyEvent, Kernels, Objects};
use super::work::{Recording, Seen};
use crate::api::RenderCommandEncoder;
use crate::error::ResourceError;
use crate::{
    BarrierScope, BlitCommandEncoder, CommandBuffer, ComputeCommandEncoder, Device, Error, Fence, Resource,
    ResourceUsage, Stages,
};

/// Every command buffer of the program, ready to be committed, and where stages that write nothing leave what they saw.
pub(super) fn command_buffers(
    program: &Program,
    objects: &Objects,
    kernels: &Kernels,
) -> Result<(Vec<CommandBuffer>, Vec<Seen>), Error> {
    let mut seen = Vec::new();
    let mut buffers = Vec::with_capacity(program.command_buffers.len());
    for number in 0..program.command_buffers.len() as u32 {
        buffers.push(command_buffer(program, objects, kernels, CommandBufferIndex(number), &mut seen)?);
    }
    Ok((buffers, seen))
}

fn command_buffer(
    program: &Program,
    objects: &Objects,
    kernels: &Kernels,
    index: CommandBufferIndex,
    seen: &mut Vec<Seen>,
) -> Result<CommandBuffer, Error> {
    let declared = &program.command_buffers[index.index()];
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
    for (item, number) in declared.items.iter().zip(0..) {
        match item {
            BufferItem::Pass(pass) => {
                let place = (index, number);
                seen.extend(Encode { program, objects, kernels, device, pass, place }.run(&buffer)?);
            }
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
    /// The command buffer, and the place of the pass in it.
    place: (CommandBufferIndex, u32),
}

impl<'a> Encode<'a> {
    fn run(&self, buffer: &CommandBuffer) -> Result<Vec<Seen>, Error> {
        let Self { program, objects, kernels, device, pass, place } = *self;
        check_memoryless(program, pass)?;
        let mut recording = Recording::new(program, objects, kernels, device, pass);
        match &pass.kind {
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
                compute.set_label(&pass.label);
                for (item, number) in pass.items.iter().zip(0..) {
                    recording.stand_at(place, number);
                    self.compute(&mut compute, &mut recording, item)?;
                }
                compute.end_encoding();
            }
            PassKind::Blit => {
                let mut blit = buffer.blit_command_encoder()?;
                blit.set_label(&pass.label);
                pass.items.iter().try_for_each(|item| self.blit(&mut blit, &mut recording, item))?;
                blit.end_encoding();
            }
            PassKind::Render { .. } => {
                let mut render = buffer.render_command_encoder()?;
                render.core.set_label(&pass.label);
                recording.attach(&mut render.core)?;
                let alone = pass.attachments_at();
                for (item, number) in pass.items.iter().zip(0..) {
                    if alone == Some(number) {
                        recording.record_attachments(&mut render.core)?;
                    }
                    recording.stand_at(place, number);
                    self.render(&mut render, &mut recording, item)?;
                }
                if alone == Some(pass.items.len() as u32) {
                    recording.record_attachments(&mut render.core)?;
                }
            }
        }
        Ok(recording.seen())
    }

    fn fence(&self, fence: FenceIndex) -> &Fence {
        &self.objects.fences[fence.index()]
    }

    fn resources(&self, named: &[ResourceIndex]) -> Vec<&dyn Resource> {
        named.iter().map(|resource| self.objects.words(*resource) as &dyn Resource).collect()
    }

    fn compute(
        &self,
        compute: &mut ComputeCommandEncoder,
        recording: &mut Recording<'a>,
        item: &'a PassItem,
    ) -> Result<(), Error> {
        match item {
            PassItem::Command(command) => {
                if command.work.stages() != Stages::DISPATCH {
                    compute.check_transfers("a copy or a fill")?;
                }
                recording.record(compute.core(), command)
            }
            PassItem::Synchronization(synchronization) => {
                self.compute_primitive(compute, &synchronization.primitive)
            }
            // Where nothing is tracked it says nothing.
            PassItem::UseResource { .. } if !compute.core().buffer.is_tracked() => Ok(()),
            PassItem::UseResource { resource, read, write } => {
                compute.use_resource(self.objects.words(*resource), usage(*read, *write))
            }
        }
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
                MemoryScope::Kinds { .. } => compute.memory_barrier_with_scope(kinds(scope)),
                MemoryScope::Resources(named) => {
                    compute.memory_barrier_with_resources(&self.resources(named))
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

    fn blit(
        &self,
        blit: &mut BlitCommandEncoder,
        recording: &mut Recording<'a>,
        item: &'a PassItem,
    ) -> Result<(), Error> {
        let primitive = match item {
            PassItem::Command(command) => return recording.record(blit.core(), command),
            // A blit pass reaches nothing through pointers.
            PassItem::UseResource { .. } => return Ok(()),
            PassItem::Synchronization(synchronization) => &synchronization.primitive,
        };
        match primitive {
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
            // Its commands run one after another, each visible to the next.
            Primitive::MemoryBarrier { .. } => Ok(()),
            Primitive::Barrier { .. } | Primitive::ProducerBarrier { .. } => blit
                .core()
                .check_explicit("a barrier", "Leave it out: the commands of a blit pass are in order"),
        }
    }

    fn render(
        &self,
        render: &mut RenderCommandEncoder,
        recording: &mut Recording<'a>,
        item: &'a PassItem,
    ) -> Result<(), Error> {
        let primitive = match item {
            PassItem::Command(command) => return recording.record(&mut render.core, command),
            PassItem::UseResource { resource, read, write } => {
                return render.use_resource(self.objects.words(*resource), usage(*read, *write));
            }
            PassItem::Synchronization(synchronization) => &synchronization.primitive,
        };
        match primitive {
            Primitive::Barrier { after, before, visibility } => render.barrier(*after, *before, *visibility),
            Primitive::ConsumerBarrier { after_queue, before, visibility } => {
                render.core.consumer_barrier(*after_queue, *before, *visibility);
                Ok(())
            }
            Primitive::ProducerBarrier { after, before_queue, visibility } => {
                render.barrier_before_queue_stages(*after, *before_queue, *visibility)
            }
            Primitive::MemoryBarrier { scope, after, before } => {
                let every = render.core.encodable;
                let (after, before) = (after.unwrap_or(every), before.unwrap_or(every));
                match scope {
                    MemoryScope::Kinds { .. } => {
                        render.memory_barrier_with_scope(kinds(scope), after, before)
                    }
                    MemoryScope::Resources(named) => {
                        render.memory_barrier_with_resources(&self.resources(named), after, before)
                    }
                }
            }
            Primitive::UpdateFence { fence, after } => render.update_fence(self.fence(*fence), *after),
            Primitive::WaitForFence { fence, before } => render.wait_for_fence(self.fence(*fence), *before),
        }
    }
}

fn usage(read: bool, write: bool) -> ResourceUsage {
    let mut usage = ResourceUsage::empty();
    usage.set(ResourceUsage::READ, read);
    usage.set(ResourceUsage::WRITE, write);
    usage
}

fn kinds(scope: &MemoryScope) -> BarrierScope {
    let mut kinds = BarrierScope::empty();
    if let MemoryScope::Kinds { buffers, textures, render_targets } = scope {
        kinds.set(BarrierScope::BUFFERS, *buffers);
        kinds.set(BarrierScope::TEXTURES, *textures);
        kinds.set(BarrierScope::RENDER_TARGETS, *render_targets);
    }
    kinds
}

/// That a pass asks for no memory of memoryless textures.
fn check_memoryless(program: &Program, pass: &Pass) -> Result<(), Error> {
    let of_items = pass.items.iter().flat_map(|item| program.needs_memory(pass, item));
    let of_pass = program.carried_attachments(pass);
    match of_items.chain(of_pass).next() {
        None => Ok(()),
        Some(resource) => {
            let resource = format!("texture `{}`", program.resource(resource).name);
            Err(ResourceError::Memoryless { call: "a command", resource }.into())
        }
    }
}
