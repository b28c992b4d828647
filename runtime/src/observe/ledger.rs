//! What an app's objects are called in a program.
//!
//! A device names its objects by small numbers that are given again once an object is gone; a program names things by their place in its
//! lists. The ledger knows which is which, and declares a thing where it is seen first: so an object that nobody uses is not in the
//! program, and one that is gone leaves its name to the next.
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Weak};

use fencepost_core::program::{
    CommandBufferIndex, DeviceIndex, EventDeclaration, EventIndex, FenceIndex, Format, HeapDeclaration,
    HeapIndex, Part, Placement, QueueDeclaration, QueueIndex, ResourceDeclaration, ResourceIndex, Shape,
    StorageMode, TrackingMode,
};
use fencepost_core::{Extent, FenceId, MemoryId, QueueId, ResourceId};
use smallvec::SmallVec;

use super::names::Names;
use super::{Body, Gone};
use crate::api::{FenceBody, HeapFacts, HeapShared, Home, QueueShared, ResourceCore};
use crate::backend::Allocation;
use crate::record::{Recording, TextureShape, Transfer};
use crate::signal::EventBody;
use crate::submit::CommandBufferState;
use crate::{HazardTrackingMode, PixelFormat};

/// Where declarations go.
pub(crate) trait Declare {
    /// Whether a thing that is gone leaves its index to others.
    const FORGETS: bool;
    fn queue(&mut self, declaration: QueueDeclaration) -> QueueIndex;
    fn heap(&mut self, declaration: HeapDeclaration) -> HeapIndex;
    fn resource(&mut self, declaration: ResourceDeclaration) -> ResourceIndex;
    fn fence(&mut self, name: String) -> FenceIndex;
    fn event(&mut self, declaration: EventDeclaration) -> EventIndex;
    fn queue_gone(&mut self, queue: QueueIndex);
    fn heap_gone(&mut self, heap: HeapIndex);
    fn resource_gone(&mut self, resource: ResourceIndex);
    fn fence_gone(&mut self, fence: FenceIndex);
    fn event_gone(&mut self, event: EventIndex);
    fn buffer_gone(&mut self, buffer: CommandBufferIndex);
}

/// A resource that is declared.
#[derive(Debug)]
struct KnownResource {
    index: ResourceIndex,
    /// Where its memory is known, unless it is on a heap.
    memory: Option<usize>,
    /// Where its bytes start in what is declared: what sees memory of another resource is declared from that memory's first byte on.
    shift: u64,
    is_texture: bool,
}

/// Memory that more than one resource may see. The handle keeps its address from being another one's.
#[derive(Debug)]
struct KnownMemory {
    allocation: Weak<dyn Allocation>,
    /// Those that are declared and not gone.
    resources: SmallVec<[ResourceIndex; 1]>,
}

/// An event that is declared. The handle keeps its address from being another event's.
#[derive(Debug)]
struct KnownEvent {
    index: EventIndex,
    body: Weak<EventBody>,
    /// The largest value that the CPU has learnt of.
    reached: u64,
}

/// A command buffer that was enqueued or committed. The handle keeps its address from being another one's.
#[derive(Debug)]
struct KnownBuffer {
    index: CommandBufferIndex,
    state: Weak<CommandBufferState>,
    completed: bool,
}

/// Which object is which index.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    queues: HashMap<(DeviceIndex, QueueId), QueueIndex>,
    heaps: HashMap<(DeviceIndex, MemoryId), HeapIndex>,
    resources: HashMap<(DeviceIndex, ResourceId), KnownResource>,
    /// Memory that is not on a heap, by its address.
    allocations: HashMap<usize, KnownMemory>,
    fences: HashMap<(DeviceIndex, FenceId), FenceIndex>,
    events: HashMap<usize, KnownEvent>,
    buffers: HashMap<usize, KnownBuffer>,
    queue_names: Names,
    heap_names: Names,
    resource_names: Names,
    fence_names: Names,
    event_names: Names,
    buffer_names: Names,
    /// Look for what is gone when there are so many events or command buffers.
    sweep_at: usize,
}

impl Ledger {
    /// One for people: what is called by a label has just this label.
    pub(crate) fn plain() -> Self {
        Self {
            queue_names: Names::plain(),
            heap_names: Names::plain(),
            resource_names: Names::plain(),
            fence_names: Names::plain(),
            event_names: Names::plain(),
            buffer_names: Names::plain(),
            ..Self::default()
        }
    }

    /// The index of a queue.
    pub(crate) fn queue(
        &mut self,
        declare: &mut impl Declare,
        device: DeviceIndex,
        queue: &QueueShared,
    ) -> QueueIndex {
        let key = (device, queue.id);
        let names = &mut self.queue_names;
        index(&mut self.queues, key, || {
            let name = names.name(&text(queue.label.get()), "queue");
            declare.queue(QueueDeclaration { name, mode: queue.mode, device })
        })
    }

    /// The index of a buffer or a texture.
    pub(crate) fn resource(
        &mut self,
        declare: &mut impl Declare,
        device: DeviceIndex,
        body: Body<'_>,
    ) -> ResourceIndex {
        // A texture seen as words is the texture.
        let body = match body {
            Body::Buffer(words) => match &words.core.home {
                Home::Texture(texture) => Body::Texture(texture),
                _ => body,
            },
            Body::Texture(_) => body,
        };
        let (resource, core) = match body {
            Body::Buffer(body) => (body.resource, &body.core),
            Body::Texture(body) => (body.resource, &body.core),
        };
        let key = (device, resource);
        if let Some(resource) = self.resources.get(&key) {
            return resource.index;
        }
        let (allocation, offset) = match body {
            Body::Buffer(body) => (&body.allocation, body.offset),
            Body::Texture(body) => (&body.allocation, body.offset),
        };
        let placement = match &core.home {
            Home::Own(_) | Home::Texture(_) => self.own(allocation),
            Home::Memory(memory) => match memory.heap() {
                Some((name, facts)) => {
                    Placement::Heap { heap: self.memory(declare, device, name, facts), offset }
                }
                None => self.own(allocation),
            },
            Home::Heap { heap, place, .. } => {
                Placement::Heap { heap: self.heap(declare, device, heap), offset: place.start }
            }
        };
        let on_heap = matches!(placement, Placement::Heap { .. });
        let shift = if on_heap { 0 } else { offset };
        let (noun, shape) = match body {
            Body::Buffer(body) => ("buffer", Shape::Buffer { size: shift + body.length, init: None }),
            Body::Texture(body) => ("texture", texture(&body.shape, on_heap)),
        };
        let name = self.resource_names.name(&text(core.label.get()), noun);
        let declaration = ResourceDeclaration {
            name,
            device,
            shape,
            storage: storage(core.options.storage_mode),
            tracking: tracking(core),
            placement,
        };
        let index = declare.resource(declaration);
        let memory = (!on_heap).then(|| address(allocation));
        if let Some(address) = memory {
            let memory = self.allocations.entry(address).or_insert_with(|| KnownMemory {
                allocation: Arc::downgrade(allocation),
                resources: SmallVec::new(),
            });
            memory.resources.push(index);
        }
        let is_texture = matches!(body, Body::Texture(_));
        self.resources.insert(key, KnownResource { index, memory, shift, is_texture });
        index
    }

    /// Memory that is not on a heap: a resource's own, or that of the resource which was seen with it before.
    fn own(&self, allocation: &Arc<dyn Allocation>) -> Placement {
        let known = self.allocations.get(&address(allocation)).and_then(|memory| memory.resources.first());
        known.map_or(Placement::Own, |first| Placement::SameAs(*first))
    }

    /// A part of a resource, declared where it is seen first.
    pub(crate) fn part(
        &mut self,
        declare: &mut impl Declare,
        device: DeviceIndex,
        body: Body<'_>,
        extent: &Extent,
    ) -> Part {
        let resource = self.resource(declare, device, body);
        let id = match body {
            Body::Buffer(body) => body.resource,
            Body::Texture(body) => body.resource,
        };
        self.part_of(device, id, extent).unwrap_or_else(|| Part { resource, extent: extent.clone() })
    }

    /// A part of a resource that is declared.
    pub(super) fn part_of(&self, device: DeviceIndex, resource: ResourceId, extent: &Extent) -> Option<Part> {
        let KnownResource { index, shift, is_texture, .. } = self.resources.get(&(device, resource))?;
        let extent = match extent {
            // Where a texel lies among its words is the device's affair.
            Extent::Bytes(_) if *is_texture => Extent::Whole,
            Extent::Bytes(bytes) => Extent::Bytes(bytes.start + shift..bytes.end + shift),
            other => other.clone(),
        };
        Some(Part { resource: *index, extent })
    }

    fn heap(&mut self, declare: &mut impl Declare, device: DeviceIndex, heap: &Arc<HeapShared>) -> HeapIndex {
        let names = &mut self.heap_names;
        index(&mut self.heaps, (device, heap.memory), || {
            let name = names.name(&text(heap.label.get()), "heap");
            let declaration = HeapDeclaration {
                name,
                size: heap.size,
                tracked: heap.whole.is_some(),
                storage: storage(heap.options.storage_mode),
            };
            declare.heap(declaration)
        })
    }

    fn memory(
        &mut self,
        declare: &mut impl Declare,
        device: DeviceIndex,
        memory: MemoryId,
        facts: &HeapFacts,
    ) -> HeapIndex {
        let names = &mut self.heap_names;
        index(&mut self.heaps, (device, memory), || {
            let name = names.name(&facts.label, "heap");
            let (size, tracked) = (facts.size, facts.tracked);
            declare.heap(HeapDeclaration { name, size, tracked, storage: storage(facts.storage) })
        })
    }

    /// A heap as a whole, as a buffer that lies over all of it.
    fn whole_heap(&mut self, declare: &mut impl Declare, device: DeviceIndex, heap: &Arc<HeapShared>) {
        let Some(whole) = heap.whole else { return };
        if self.resources.contains_key(&(device, whole)) {
            return;
        }
        let placement = Placement::Heap { heap: self.heap(declare, device, heap), offset: 0 };
        let name = self.resource_names.name(&text(heap.label.get()), "all-of-heap");
        let declaration = ResourceDeclaration {
            name,
            device,
            shape: Shape::Buffer { size: heap.size, init: None },
            storage: storage(heap.options.storage_mode),
            tracking: TrackingMode::Default,
            placement,
        };
        let index = declare.resource(declaration);
        let known = KnownResource { index, memory: None, shift: 0, is_texture: false };
        self.resources.insert((device, whole), known);
    }

    fn fence(&mut self, declare: &mut impl Declare, device: DeviceIndex, fence: &FenceBody) -> FenceIndex {
        let names = &mut self.fence_names;
        index(&mut self.fences, (device, fence.fence), || {
            let name = names.name(&text(fence.label.get()), "fence");
            declare.fence(name)
        })
    }

    /// The index of an event, and the value that it had before it was seen, where it is seen first and has one.
    pub(crate) fn event(
        &mut self,
        declare: &mut impl Declare,
        body: &Arc<EventBody>,
    ) -> (EventIndex, Option<u64>) {
        let key = Arc::as_ptr(body).addr();
        if let Some(known) = self.events.get(&key) {
            return (known.index, None);
        }
        self.sweep(declare);
        let shared = body.is_shared();
        let name = self.event_names.name(&body.label(), if shared { "shared-event" } else { "event" });
        let index = declare.event(EventDeclaration { name: name.clone(), shared });
        self.events.insert(key, KnownEvent { index, body: Arc::downgrade(body), reached: 0 });
        let before = body.promised();
        (index, (before > 0).then_some(before))
    }

    /// The events that somebody may see, with their values now, in the order of their indices.
    pub(super) fn seen(&self, by: fn(&EventBody) -> bool) -> Vec<(EventIndex, u64)> {
        let bodies = self.events.values().filter_map(|known| Some((known.index, known.body.upgrade()?)));
        let values = bodies.filter(|(_, body)| by(body)).map(|(index, body)| (index, body.value_now()));
        let mut seen: Vec<_> = values.filter(|(_, value)| *value > 0).collect();
        seen.sort_unstable();
        seen
    }

    /// A name for a command buffer that stands for what was before.
    pub(super) fn earlier_name(&mut self) -> String {
        self.buffer_names.label("earlier", "command-buffer")
    }

    /// Notes that the CPU has learnt of a value; false where it knew of one as large.
    pub(crate) fn reached(&mut self, body: &Arc<EventBody>, value: u64) -> bool {
        let Some(known) = self.events.get_mut(&Arc::as_ptr(body).addr()) else { return false };
        let news = known.reached < value;
        known.reached = known.reached.max(value);
        news
    }

    /// The index of a command buffer that is known.
    pub(crate) fn known_buffer(&self, state: &Arc<CommandBufferState>) -> Option<CommandBufferIndex> {
        self.buffers.get(&Arc::as_ptr(state).addr()).map(|known| known.index)
    }

    /// The index of a command buffer, made with its name where it is seen first.
    pub(crate) fn buffer<D: Declare>(
        &mut self,
        declare: &mut D,
        state: &Arc<CommandBufferState>,
        make: impl FnOnce(&mut D, String) -> CommandBufferIndex,
    ) -> CommandBufferIndex {
        if let Some(known) = self.known_buffer(state) {
            return known;
        }
        self.sweep(declare);
        let name = self.buffer_names.label(&state.label(), "command-buffer");
        let index = make(declare, name);
        let state_handle = Arc::downgrade(state);
        let known = KnownBuffer { index, state: state_handle, completed: false };
        self.buffers.insert(Arc::as_ptr(state).addr(), known);
        index
    }

    /// A command buffer was not committed after all.
    pub(crate) fn forget_buffer(&mut self, state: &Arc<CommandBufferState>) {
        self.buffers.remove(&Arc::as_ptr(state).addr());
    }

    /// Notes that the CPU has learnt of a command buffer's end: its index, where it is known and this is news.
    pub(crate) fn completed(&mut self, state: &Arc<CommandBufferState>) -> Option<CommandBufferIndex> {
        let known = self.buffers.get_mut(&Arc::as_ptr(state).addr())?;
        (!std::mem::replace(&mut known.completed, true)).then_some(known.index)
    }

    /// Declares all that a recording names.
    pub(crate) fn declare_all(
        &mut self,
        declare: &mut impl Declare,
        device: DeviceIndex,
        recording: &Recording,
    ) {
        for body in &recording.buffers {
            self.resource(declare, device, Body::Buffer(body));
        }
        for view in &recording.textures {
            self.resource(declare, device, Body::Texture(&view.body));
        }
        for transfer in &recording.transfers {
            for body in bodies(transfer).into_iter().flatten() {
                self.resource(declare, device, body);
            }
        }
        for heap in &recording.heaps {
            self.whole_heap(declare, device, heap);
        }
        for fence in &recording.fences {
            self.fence(declare, device, fence);
        }
        for item in &recording.items {
            if let Some(event) = item.event() {
                self.event(declare, event);
            }
        }
    }

    /// The index of a resource that is declared.
    pub(super) fn resource_of(&self, device: DeviceIndex, resource: ResourceId) -> Option<ResourceIndex> {
        self.resources.get(&(device, resource)).map(|resource| resource.index)
    }

    /// The index of a fence that is declared.
    pub(super) fn fence_of(&self, device: DeviceIndex, fence: FenceId) -> Option<FenceIndex> {
        self.fences.get(&(device, fence)).copied()
    }

    /// The index of an event that is declared.
    pub(super) fn event_of(&self, body: &Arc<EventBody>) -> Option<EventIndex> {
        self.events.get(&Arc::as_ptr(body).addr()).map(|known| known.index)
    }

    /// An object is gone: its number stands for nothing until the next object has it.
    pub(crate) fn gone<D: Declare>(&mut self, declare: &mut D, device: DeviceIndex, gone: Gone) {
        match gone {
            Gone::Queue(id) => {
                if let Some(queue) = self.queues.remove(&(device, id)) {
                    declare.queue_gone(queue);
                }
            }
            Gone::Resource(id) => {
                if let Some(KnownResource { index, memory, .. }) = self.resources.remove(&(device, id)) {
                    let memory = memory.filter(|_| D::FORGETS);
                    if let Some(memory) = memory.and_then(|memory| self.allocations.get_mut(&memory)) {
                        memory.forget(index);
                    }
                    declare.resource_gone(index);
                }
            }
            Gone::Memory(id) => {
                if let Some(heap) = self.heaps.remove(&(device, id)) {
                    declare.heap_gone(heap);
                }
            }
            Gone::Buffer(address) => {
                let gone = |known: &KnownBuffer| known.state.strong_count() == 0;
                if self.buffers.get(&address).is_some_and(gone)
                    && let Some(known) = self.buffers.remove(&address)
                {
                    declare.buffer_gone(known.index);
                }
            }
            Gone::Fence(id) => {
                if let Some(fence) = self.fences.remove(&(device, id)) {
                    declare.fence_gone(fence);
                }
            }
        }
    }

    /// How much it keeps.
    #[cfg(test)]
    pub(crate) fn size(&self) -> usize {
        let objects = self.queues.len() + self.heaps.len() + self.resources.len() + self.fences.len();
        objects + self.events.len() + self.buffers.len() + self.allocations.len()
    }

    /// Lets go of events and command buffers that nobody has any more, now and then.
    fn sweep<D: Declare>(&mut self, declare: &mut D) {
        let count = self.events.len() + self.buffers.len() + self.allocations.len();
        if count < self.sweep_at.max(SWEEP) {
            return;
        }
        self.buffers.retain(|_, known| {
            let there = known.state.strong_count() > 0;
            if !there {
                declare.buffer_gone(known.index);
            }
            there
        });
        self.events.retain(|_, event| {
            let there = event.body.strong_count() > 0;
            if !there {
                declare.event_gone(event.index);
            }
            there
        });
        self.allocations.retain(|_, memory| memory.allocation.strong_count() > 0);
        self.sweep_at = 2 * (self.events.len() + self.buffers.len() + self.allocations.len());
    }
}

impl KnownMemory {
    fn forget(&mut self, resource: ResourceIndex) {
        self.resources.retain(|known| *known != resource);
    }
}

/// The index behind a key, declared where it is not there.
fn index<K: Eq + Hash, I: Copy>(known: &mut HashMap<K, I>, key: K, make: impl FnOnce() -> I) -> I {
    *known.entry(key).or_insert_with(make)
}

fn text(label: Option<Arc<str>>) -> String {
    label.map(|label| label.to_string()).unwrap_or_default()
}

/// The resources of a transfer.
pub(super) fn bodies(transfer: &Transfer) -> [Option<Body<'_>>; 2] {
    match transfer {
        Transfer::CopyBuffer { source, destination } => {
            [Some(Body::Buffer(&source.body)), Some(Body::Buffer(&destination.body))]
        }
        Transfer::CopyBufferToTexture { source, destination, .. } => {
            [Some(Body::Buffer(&source.body)), Some(Body::Texture(&destination.body))]
        }
        Transfer::CopyTextureToBuffer { source, destination, .. } => {
            [Some(Body::Texture(&source.body)), Some(Body::Buffer(&destination.body))]
        }
        Transfer::CopyTexture { source, destination } => {
            [Some(Body::Texture(&source.body)), Some(Body::Texture(&destination.body))]
        }
        Transfer::FillBuffer { destination, .. } => [Some(Body::Buffer(&destination.body)), None],
        Transfer::GenerateMipmaps { texture } => [Some(Body::Texture(&texture.body)), None],
        Transfer::SynchronizeBuffer { buffer, .. } => [Some(Body::Buffer(buffer)), None],
        Transfer::SynchronizeTexture { texture, .. } => [Some(Body::Texture(texture)), None],
        // What they use stands among the buffers of the recording.
        Transfer::CopyParts { .. } | Transfer::FillParts { .. } => [None, None],
    }
}

fn texture(shape: &TextureShape, on_heap: bool) -> Shape {
    let &TextureShape { width, height, mips, slices, format } = shape;
    let width = match format.bytes_per_texel() {
        // What it overlaps on a heap depends on its bytes, so there it has them, in wider texels.
        bytes @ (1 | 2) if on_heap => (width * bytes / 4).max(1),
        8 if on_heap => (width / 2).max(1),
        _ => width,
    };
    Shape::Texture { width, height, mips, slices, format: texel(format) }
}

fn address(allocation: &Arc<dyn Allocation>) -> usize {
    Arc::as_ptr(allocation).addr()
}

/// The format of programs that has texels of the same size, or of the next one.
const fn texel(format: PixelFormat) -> Format {
    match format {
        PixelFormat::R8Unorm | PixelFormat::Rg8Unorm | PixelFormat::Rgba8Unorm | PixelFormat::R16Float => {
            Format::Rgba8Unorm
        }
        PixelFormat::R32Float => Format::R32Float,
        PixelFormat::R32Uint => Format::R32Uint,
        PixelFormat::Rgba16Float | PixelFormat::Rgba32Float | PixelFormat::Rgba32Uint => Format::Rgba32Float,
    }
}

const fn storage(mode: crate::StorageMode) -> StorageMode {
    match mode {
        crate::StorageMode::Shared => StorageMode::Shared,
        crate::StorageMode::Managed => StorageMode::Managed,
        crate::StorageMode::Private => StorageMode::Private,
        crate::StorageMode::Memoryless => StorageMode::Memoryless,
    }
}

/// What a resource asks for, as far as it is not what its home gives it anyway.
fn tracking(core: &ResourceCore) -> TrackingMode {
    let home = match &core.home {
        Home::Memory(memory) if memory.heap().is_some_and(|(_, heap)| !heap.tracked) => {
            HazardTrackingMode::Untracked
        }
        Home::Own(_) | Home::Memory(_) | Home::Texture(_) => HazardTrackingMode::Tracked,
        Home::Heap { heap, .. } => heap.options.hazard_tracking_mode,
    };
    match core.options.hazard_tracking_mode {
        mode if mode == home => TrackingMode::Default,
        HazardTrackingMode::Untracked => TrackingMode::Untracked,
        HazardTrackingMode::Tracked | HazardTrackingMode::Default => TrackingMode::Tracked,
    }
}

/// So many events and command buffers are few.
const SWEEP: usize = 256;
