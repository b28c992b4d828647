//! The objects that a program declares, made on its devices.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use fencepost_core::Tracking;
use fencepost_core::program::value::Start;
use fencepost_core::program::{
    BufferItem, DeviceIndex, EventIndex, FenceIndex, Format, Part, PassItem, Placement, Primitive, Program,
    QueueIndex, QueueMode, ResourceIndex, Shape, Step, StorageMode, TrackingMode,
};

use super::kernel::Kernel;
use crate::api::{DeviceMemory, HeapFacts, Placed};
use crate::backend::{Allocation, Residence};
use crate::error::ReplayError;
use crate::record::{TextureShape, TextureView};
use crate::{
    Buffer, CommandQueue, CommandQueueDescriptor, ComputePipelineState, Device, Error, Event, Fence,
    PixelFormat, ResourceOptions, SharedEvent,
};

/// Everything that is made before the first command buffer.
#[derive(Debug)]
pub(super) struct Objects {
    devices: Vec<Device>,
    pub(super) queues: Vec<CommandQueue>,
    pub(super) resources: Vec<Made>,
    pub(super) fences: Vec<Fence>,
    pub(super) events: Vec<AnyEvent>,
}

/// A resource of the program.
#[derive(Debug)]
pub(super) struct Made {
    /// All its bytes; of a texture, those of its levels and slices as [`Program::byte_ranges`] says.
    pub(super) words: Buffer,
    /// Where it is a texture.
    pub(super) texels: Option<TextureView>,
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
    pub(super) fn new(program: &Program, devices: &[Device], start: Start) -> Result<Self, Error> {
        // A program without a queue or a resource declares no device, and its fences and events need none.
        let first = devices.first().cloned().unwrap_or_else(Device::cpu);
        let device = |index: Option<DeviceIndex>| index.map_or(&first, |index| &devices[index.index()]);
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
        let events = program.events.iter().zip(0..).map(|(event, index)| {
            if event.shared {
                let made = first.new_shared_event();
                made.set_label(&event.name);
                AnyEvent::Shared(made)
            } else {
                let made = device(user_of_event(program, EventIndex(index))).new_event();
                made.set_label(&event.name);
                AnyEvent::Plain(made)
            }
        });
        let events = events.collect();
        let fences = program.fences.iter().zip(0..).map(|(name, index)| {
            let fence = device(user_of_fence(program, FenceIndex(index))).new_fence();
            fence.set_label(name);
            fence
        });
        let fences = fences.collect();
        let resources = resources(program, devices, start)?;
        Ok(Self { devices: devices.to_vec(), queues, resources, fences, events })
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

    /// All bytes of a resource.
    pub(super) fn words(&self, resource: ResourceIndex) -> &Buffer {
        &self.resources[resource.index()].words
    }

    /// The CPU's copies of managed resources.
    pub(super) fn copies(&self) -> BTreeMap<ResourceIndex, Vec<u8>> {
        let bytes = |(index, made): (u32, &Made)| {
            let body = &made.words.body;
            let mut bytes = vec![0; made.words.length() as usize];
            let (memory, start) = body.core.managed.as_ref().map(|_| body.cpu_memory())?;
            memory.read(start, &mut bytes);
            Some((ResourceIndex(index), bytes))
        };
        (0..).zip(&self.resources).filter_map(bytes).collect()
    }

    /// The bytes of every resource, once nothing runs any more.
    pub(super) fn read_back(&self) -> Vec<Vec<u8>> {
        self.resources.iter().map(|made| bytes_of(&made.words)).collect()
    }
}

/// Where a program puts its resources: heaps first, then what has memory of its own, in the order of the document.
struct Memories<'a> {
    program: &'a Program,
    devices: &'a [Device],
    /// Bytes of each memory.
    sizes: Vec<u64>,
    /// Memory and offset of each resource.
    places: Vec<(usize, u64)>,
    made: Vec<Option<Arc<DeviceMemory>>>,
    /// The CPU's copies of those with managed resources.
    copies: Vec<Option<Arc<dyn Allocation>>>,
    /// The same for each further device.
    views: HashMap<(usize, DeviceIndex), Arc<DeviceMemory>>,
}

impl<'a> Memories<'a> {
    fn of(program: &'a Program, devices: &'a [Device]) -> Self {
        let mut sizes: Vec<u64> = program.heaps.iter().map(|heap| heap.size).collect();
        let mut places: Vec<(usize, u64)> = Vec::new();
        for (number, declared) in (0..).zip(&program.resources) {
            let (memory, start) = match declared.placement {
                Placement::Own => {
                    sizes.push(0);
                    (sizes.len() - 1, 0)
                }
                Placement::Heap { heap, offset } => (heap.index(), offset),
                Placement::SameAs(other) => places[other.index()],
            };
            places.push((memory, start));
            let end = start.saturating_add(program.byte_size(ResourceIndex(number)));
            sizes[memory] = sizes[memory].max(end);
        }
        let (made, copies) = (vec![None; sizes.len()], vec![None; sizes.len()]);
        Self { program, devices, sizes, places, made, copies, views: HashMap::new() }
    }

    /// The memory of a resource as its device sees it.
    fn memory(&mut self, resource: ResourceIndex) -> Result<Arc<DeviceMemory>, Error> {
        let index = self.places[resource.index()].0;
        let owner = self.program.resource(resource).device;
        let device = &self.devices[owner.index()];
        if let Some(view) = self.views.get(&(index, owner)) {
            return Ok(Arc::clone(view));
        }
        let view = match &self.made[index] {
            Some(made) => made.seen_by(device),
            None => {
                let heap = self.program.heaps.get(index).map(|heap| HeapFacts {
                    label: heap.name.clone(),
                    size: heap.size,
                    tracked: heap.tracked,
                    storage: options(heap.storage).storage_mode,
                });
                DeviceMemory::new(device, self.sizes[index], heap)?
            }
        };
        self.made[index].get_or_insert_with(|| Arc::clone(&view));
        self.views.insert((index, owner), Arc::clone(&view));
        Ok(view)
    }

    /// The memory of the CPU's copy of a managed resource.
    fn copy(&mut self, resource: ResourceIndex) -> Result<Option<Arc<dyn Allocation>>, Error> {
        let (index, declared) = (self.places[resource.index()].0, self.program.resource(resource));
        if declared.storage != StorageMode::Managed {
            return Ok(None);
        }
        if let Some(copy) = &self.copies[index] {
            return Ok(Some(Arc::clone(copy)));
        }
        let device = &self.devices[declared.device.index()];
        let copy = device.shared.allocate(self.sizes[index].next_multiple_of(4), Residence::CpuCopy)?;
        Ok(Some(Arc::clone(self.copies[index].insert(copy))))
    }

    /// What everything starts as.
    fn fill(&self, start: Start) {
        for (index, memory) in self.made.iter().enumerate() {
            let Some(memory) = memory else { continue };
            let write = |offset: u64, bytes: &[u8]| {
                memory.allocation().write(offset, bytes);
                self.copies[index].iter().for_each(|copy| copy.write(offset, bytes));
            };
            if start != Start::Zeros {
                let words = 0..self.sizes[index].div_ceil(4) as u32;
                let bytes: Vec<u8> = words.flat_map(|i| start.word(index, i).to_le_bytes()).collect();
                write(0, &bytes);
            }
        }
        for (declared, &(index, offset)) in self.program.resources.iter().zip(&self.places) {
            if let (Shape::Buffer { init: Some(init), size }, Some(memory)) =
                (declared.shape, &self.made[index])
            {
                let words = (0..(size / 4) as u32).flat_map(|i| init.wrapping_add(i).to_le_bytes());
                let bytes: Vec<u8> = words.collect();
                memory.allocation().write(offset, &bytes);
                self.copies[index].iter().for_each(|copy| copy.write(offset, &bytes));
            }
        }
    }
}

/// All bytes of a buffer, wherever it lies, once nothing runs any more.
pub(super) fn bytes_of(buffer: &Buffer) -> Vec<u8> {
    let mut bytes = vec![0; buffer.length() as usize];
    buffer.body.allocation.read(buffer.body.offset, &mut bytes);
    bytes
}

fn resources(program: &Program, devices: &[Device], start: Start) -> Result<Vec<Made>, Error> {
    let mut memories = Memories::of(program, devices);
    let mut made = Vec::with_capacity(program.resources.len());
    for (number, declared) in (0..).zip(&program.resources) {
        let resource = ResourceIndex(number);
        let length = program.byte_size(resource);
        let memory = memories.memory(resource)?;
        let copy = memories.copy(resource)?;
        let tracking = tracking(program, resource);
        let placed = Placed {
            offset: memories.places[resource.index()].1,
            options: match tracking {
                Tracking::Untracked => options(declared.storage).untracked(),
                Tracking::Tracked | Tracking::WithHeap => options(declared.storage).tracked(),
            },
            tracking,
            label: &declared.name,
            copy: copy.as_ref(),
        };
        let (texels, words) = match declared.shape {
            Shape::Buffer { .. } => (None, memory.buffer(length, placed)),
            Shape::Texture { width, height, mips, slices, format } => {
                let shape = TextureShape { format: pixel_format(format), width, height, mips, slices };
                let (texels, words) = memory.texture(shape, length, placed);
                (Some(texels), words)
            }
        };
        made.push(Made { words, texels });
    }
    memories.fill(start);
    Ok(made)
}

/// A resource on a heap takes the heap's mode or none; the others are tracked unless they ask not to be.
fn tracking(program: &Program, resource: ResourceIndex) -> Tracking {
    let declared = program.resource(resource);
    match (declared.tracking, declared.placement) {
        (TrackingMode::Untracked, _) => Tracking::Untracked,
        (_, Placement::Heap { heap, .. }) if program.heaps[heap.index()].tracked => Tracking::WithHeap,
        (_, Placement::Heap { .. }) => Tracking::Untracked,
        (_, Placement::Own | Placement::SameAs(_)) => Tracking::Tracked,
    }
}

const fn options(mode: StorageMode) -> ResourceOptions {
    let storage_mode = match mode {
        StorageMode::Private => crate::StorageMode::Private,
        StorageMode::Shared => crate::StorageMode::Shared,
        StorageMode::Managed => crate::StorageMode::Managed,
        StorageMode::Memoryless => crate::StorageMode::Memoryless,
    };
    ResourceOptions { storage_mode, ..ResourceOptions::SHARED }
}

/// The format with the same bytes; depth is a float like any other to what programs do with it.
const fn pixel_format(format: Format) -> PixelFormat {
    match format {
        Format::Rgba8Unorm => PixelFormat::Rgba8Unorm,
        Format::R32Uint => PixelFormat::R32Uint,
        Format::R32Float | Format::Depth32Float => PixelFormat::R32Float,
        Format::Rgba32Float => PixelFormat::Rgba32Float,
    }
}

/// The device whose queue uses a fence first.
fn user_of_fence(program: &Program, fence: FenceIndex) -> Option<DeviceIndex> {
    let uses = |item: &PassItem| match item {
        PassItem::Synchronization(item) => match item.primitive {
            Primitive::UpdateFence { fence: used, .. } | Primitive::WaitForFence { fence: used, .. } => {
                used == fence
            }
            _ => false,
        },
        _ => false,
    };
    let in_buffer = |item: &BufferItem| match item {
        BufferItem::Pass(pass) => pass.items.iter().any(uses),
        BufferItem::Event(_) => false,
    };
    let buffer = program.command_buffers.iter().find(|buffer| buffer.items.iter().any(in_buffer))?;
    Some(program.queues[buffer.queue.index()].device)
}

/// The device whose queue uses an event first.
fn user_of_event(program: &Program, event: EventIndex) -> Option<DeviceIndex> {
    let in_buffer =
        |item: &BufferItem| matches!(item, BufferItem::Event(operation) if operation.event == event);
    let buffers = program.command_buffers.iter();
    let in_buffers = buffers.filter(|buffer| buffer.items.iter().any(in_buffer)).map(|buffer| buffer.queue);
    let on_queues = program.all_steps().into_iter().filter_map(|step| match step {
        Step::QueueEvent { queue, operation } if operation.event == event => Some(*queue),
        _ => None,
    });
    let queue = in_buffers.chain(on_queues).next()?;
    Some(program.queues[queue.index()].device)
}

/// The bytes of a part, from its first to its last one.
pub(super) fn hull(program: &Program, part: &Part) -> core::ops::Range<u64> {
    let ranges = program.byte_ranges(part);
    ranges.first().map_or(0..0, |first| first.start..ranges.last().unwrap_or(first).end)
}

/// The bytes of a part, those that touch joined.
pub(super) fn runs(program: &Program, part: &Part) -> Vec<core::ops::Range<u64>> {
    let mut runs: Vec<core::ops::Range<u64>> = Vec::new();
    for range in program.byte_ranges(part).into_iter().filter(|range| !range.is_empty()) {
        match runs.last_mut().filter(|last| last.end == range.start) {
            Some(last) => last.end = range.end,
            None => runs.push(range),
        }
    }
    runs
}
