//! The objects that a program declares, made on its devices.

use std::collections::HashMap;
use std::sync::Mutex;

use fencepost_core::program::{
    EventIndex, Part, Placement, Program, QueueIndex, QueueMode, ResourceIndex, Shape, StorageMode,
    TrackingMode,
};

use super::kernel::Kernel;
use crate::error::ReplayError;
use crate::{
    Buffer, CommandQueue, CommandQueueDescriptor, ComputePipelineState, Device, Error, Event, Fence,
    HazardTrackingMode, Heap, HeapDescriptor, HeapKind, ResourceOptions, SharedEvent,
};

/// Everything that is made before the first command buffer.
#[derive(Debug)]
pub(super) struct Objects {
    devices: Vec<Device>,
    pub(super) queues: Vec<CommandQueue>,
    pub(super) buffers: Vec<Buffer>,
    pub(super) fences: Vec<Fence>,
    pub(super) events: Vec<AnyEvent>,
}

/// An event of either kind.
#[derive(Debug)]
pub(super) enum AnyEvent {
    Plain(Event),
    Shared(SharedEvent),
}

/// Kernels that have been compiled, by device.
#[derive(Debug, Default)]
pub(super) struct Kernels(Mutex<HashMap<Kernel, Vec<ComputePipelineState>>>);

impl Kernels {
    /// The compiled kernel, made once a device.
    pub(super) fn pipeline(&self, device: &Device, kernel: &Kernel) -> Result<ComputePipelineState, Error> {
        let mut kernels = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let made = kernels.entry(kernel.clone()).or_default();
        if let Some(pipeline) = made.iter().find(|pipeline| pipeline.device() == *device) {
            return Ok(pipeline.clone());
        }
        let library = device.new_library_with_wgsl(&kernel.wgsl())?;
        let pipeline = device.new_compute_pipeline_state(&library.new_function("kernel")?)?;
        made.push(pipeline.clone());
        Ok(pipeline)
    }
}

impl Objects {
    pub(super) fn new(program: &Program, devices: &[Device]) -> Result<Self, Error> {
        // A program without a queue or a resource declares no device, and its fences and events need none.
        let first = devices.first().cloned().unwrap_or_else(Device::cpu);
        let queues = program.queues.iter().map(|queue| {
            let device = &devices[queue.device.index()];
            let made = match queue.mode {
                QueueMode::Explicit => device.new_explicit_command_queue(),
                QueueMode::Tracked => device.new_command_queue_with_descriptor(&CommandQueueDescriptor {
                    // Every command buffer of the document is made before the first is committed.
                    max_command_buffer_count: program.command_buffers.len().max(1),
                    ..CommandQueueDescriptor::default()
                }),
            };
            made.set_label(&queue.name);
            made
        });
        let queues = queues.collect();
        let heaps = heaps(program, devices)?;
        let events = program.events.iter().map(|event| {
            if event.shared {
                let made = first.new_shared_event();
                made.set_label(&event.name);
                AnyEvent::Shared(made)
            } else {
                let made = first.new_event();
                made.set_label(&event.name);
                AnyEvent::Plain(made)
            }
        });
        let fences = program.fences.iter().map(|name| {
            let fence = first.new_fence();
            fence.set_label(name);
            fence
        });
        let fences = fences.collect();
        let mut buffers: Vec<Buffer> = Vec::new();
        for index in 0..program.resources.len() {
            let buffer = buffer(program, ResourceIndex(index as u32), devices, &heaps, &buffers)?;
            buffers.push(buffer);
        }
        Ok(Self { devices: devices.to_vec(), queues, buffers, fences, events: events.collect() })
    }

    /// The device of a queue.
    pub(super) fn device_of(&self, program: &Program, queue: QueueIndex) -> &Device {
        &self.devices[program.queues[queue.index()].device.index()]
    }

    /// A shared event, or the error that says this event is none.
    pub(super) fn shared_event(&self, program: &Program, event: EventIndex) -> Result<&SharedEvent, Error> {
        match &self.events[event.index()] {
            AnyEvent::Shared(shared) => Ok(shared),
            AnyEvent::Plain(_) => {
                Err(ReplayError::PlainEvent { event: program.events[event.index()].name.clone() }.into())
            }
        }
    }

    /// The bytes of every resource, once nothing runs any more. What the CPU cannot reach is copied out, device by device.
    pub(super) fn read_back(&self, program: &Program) -> Result<Vec<Vec<u8>>, Error> {
        let mut bytes = vec![Vec::new(); self.buffers.len()];
        for device in &self.devices {
            let private: Vec<usize> = (0..self.buffers.len())
                .filter(|&index| program.resources[index].storage == StorageMode::Private)
                .filter(|&index| self.buffers[index].device() == *device)
                .collect();
            let size = private.iter().map(|&index| self.buffers[index].length()).sum();
            if size > 0 {
                let copy = device.new_buffer(size, ResourceOptions::SHARED)?;
                let commands = device.new_command_queue().command_buffer();
                let mut blit = commands.blit_command_encoder()?;
                let mut offset = 0;
                for &index in &private {
                    let buffer = &self.buffers[index];
                    blit.copy_buffer(buffer, 0, &copy, offset, buffer.length())?;
                    offset += buffer.length();
                }
                blit.end_encoding();
                commands.commit()?;
                commands.wait_until_completed()?;
                let mut all = copy.read::<u8>(..)?;
                for &index in private.iter().rev() {
                    bytes[index] = all.split_off(all.len() - self.buffers[index].length() as usize);
                }
            }
        }
        for (bytes, buffer) in bytes.iter_mut().zip(&self.buffers).filter(|(bytes, _)| bytes.is_empty()) {
            *bytes = buffer.read::<u8>(..)?;
        }
        Ok(bytes)
    }
}

fn heaps(program: &Program, devices: &[Device]) -> Result<Vec<Heap>, Error> {
    let Some(device) = devices.first() else { return Ok(Vec::new()) };
    let make = |heap: &fencepost_core::program::HeapDeclaration| {
        let options = storage(heap.storage, &heap.name)?;
        let tracking = if heap.tracked { HazardTrackingMode::Tracked } else { HazardTrackingMode::Untracked };
        let made = device.new_heap(&HeapDescriptor {
            size: heap.size,
            kind: HeapKind::Placement,
            options: ResourceOptions { hazard_tracking_mode: tracking, ..options },
        })?;
        made.set_label(&heap.name);
        Ok(made)
    };
    program.heaps.iter().map(make).collect()
}

fn storage(mode: StorageMode, name: &str) -> Result<ResourceOptions, Error> {
    match mode {
        StorageMode::Private => Ok(ResourceOptions::PRIVATE),
        StorageMode::Shared => Ok(ResourceOptions::SHARED),
        StorageMode::Managed => {
            Err(ReplayError::Unsupported { what: "a managed resource", name: name.to_owned() }.into())
        }
    }
}

fn buffer(
    program: &Program,
    resource: ResourceIndex,
    devices: &[Device],
    heaps: &[Heap],
    made: &[Buffer],
) -> Result<Buffer, Error> {
    let declared = program.resource(resource);
    let unsupported = |what| Error::from(ReplayError::Unsupported { what, name: declared.name.clone() });
    let Shape::Buffer { size, init } = declared.shape else { return Err(unsupported("a texture")) };
    let options = ResourceOptions {
        hazard_tracking_mode: match declared.tracking {
            TrackingMode::Default => HazardTrackingMode::Default,
            TrackingMode::Tracked => HazardTrackingMode::Tracked,
            TrackingMode::Untracked => HazardTrackingMode::Untracked,
        },
        ..storage(declared.storage, &declared.name)?
    };
    let device = &devices[declared.device.index()];
    let buffer = match declared.placement {
        Placement::Own => device.new_buffer(size, options)?,
        Placement::Heap { heap, offset } => heaps[heap.index()].new_buffer_at(size, options, offset)?,
        Placement::SameAs(other) if program.resource(other).device == declared.device => {
            made[other.index()].clone()
        }
        Placement::SameAs(_) => return Err(unsupported("memory shared between devices")),
    };
    buffer.set_label(&declared.name);
    if let Some(init) = init {
        let words: Vec<u32> = (0..(size / 4) as u32).map(|i| init.wrapping_add(i)).collect();
        initialize(device, &buffer, &words)?;
    }
    Ok(buffer)
}

/// Writes a buffer's first content, by a copy where the CPU cannot reach it.
fn initialize(device: &Device, buffer: &Buffer, words: &[u32]) -> Result<(), Error> {
    if buffer.resource_options().storage_mode != crate::StorageMode::Private {
        return buffer.write(0, words);
    }
    let upload = device.new_buffer_with_data(words, ResourceOptions::SHARED)?;
    let commands = device.new_command_queue().command_buffer();
    let mut blit = commands.blit_command_encoder()?;
    blit.copy_buffer(&upload, 0, buffer, 0, words.len() as u64 * 4)?;
    blit.end_encoding();
    commands.commit()?;
    commands.wait_until_completed()
}

/// The bytes of a part of a buffer.
pub(super) fn range(program: &Program, part: &Part) -> core::ops::Range<u64> {
    let ranges = program.byte_ranges(part);
    ranges.first().map_or(0..0, |first| first.start..ranges.last().unwrap_or(first).end)
}
