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
    HeapIndex, Placement, QueueDeclaration, QueueIndex, ResourceDeclaration, ResourceIndex, Shape,
    StorageMode, TrackingMode,
};
use fencepost_core::{FenceId, MemoryId, QueueId, ResourceId};

use super::names::Names;
use super::{Body, Gone};
use crate::api::{FenceBody, HeapFacts, HeapShared, Home, QueueShared, ResourceCore};
use crate::record::{Recording, TextureShape, Transfer};
use crate::signal::EventBody;
use crate::submit::CommandBufferState;
use crate::{HazardTrackingMode, PixelFormat};

/// Where declarations go.
pub(crate) trait Declare {
    /// Whether a thing that is gone leaves its index and its name to others.
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
}

/// Something that is declared: its place and its name.
#[derive(Debug)]
struct Known<I> {
    index: I,
    name: String,
}

/// An event that is declared. The handle keeps its address from being another event's.
#[derive(Debug)]
struct KnownEvent {
    known: Known<EventIndex>,
    body: Weak<EventBody>,
    /// The largest value that the CPU has learnt of.
    reached: u64,
}

/// A command buffer that was enqueued or committed. The handle keeps its address from being another one's.
#[derive(Debug)]
struct KnownBuffer {
    index: CommandBufferIndex,
    name: String,
    state: Weak<CommandBufferState>,
    completed: bool,
}

/// Which object is which index.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    queues: HashMap<(DeviceIndex, QueueId), Known<QueueIndex>>,
    heaps: HashMap<(DeviceIndex, MemoryId), Known<HeapIndex>>,
    resources: HashMap<(DeviceIndex, ResourceId), Known<ResourceIndex>>,
    fences: HashMap<(DeviceIndex, FenceId), Known<FenceIndex>>,
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
            let (mode, declared) = (queue.mode, name.clone());
            Known { index: declare.queue(QueueDeclaration { name: declared, mode, device }), name }
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
        if let Some(known) = self.resources.get(&key) {
            return known.index;
        }
        let (noun, shape) = match body {
            Body::Buffer(body) => ("buffer", Shape::Buffer { size: body.length, init: None }),
            Body::Texture(body) => ("texture", texture(&body.shape)),
        };
        let placement = match &core.home {
            Home::Own(_) | Home::Texture(_) => Placement::Own,
            Home::Memory(memory) => match memory.heap() {
                Some((name, facts)) => {
                    let heap = self.memory(declare, device, name, facts);
                    let offset = match body {
                        Body::Buffer(body) => body.offset,
                        Body::Texture(body) => body.offset,
                    };
                    Placement::Heap { heap, offset }
                }
                None => Placement::Own,
            },
            Home::Heap { heap, place, .. } => {
                Placement::Heap { heap: self.heap(declare, device, heap), offset: place.start }
            }
        };
        let name = self.resource_names.name(&text(core.label.get()), noun);
        let declaration = ResourceDeclaration {
            name: name.clone(),
            device,
            shape,
            storage: storage(core.options.storage_mode),
            tracking: tracking(core),
            placement,
        };
        let index = declare.resource(declaration);
        self.resources.insert(key, Known { index, name });
        index
    }

    fn heap(&mut self, declare: &mut impl Declare, device: DeviceIndex, heap: &Arc<HeapShared>) -> HeapIndex {
        let names = &mut self.heap_names;
        index(&mut self.heaps, (device, heap.memory), || {
            let name = names.name(&text(heap.label.get()), "heap");
            let declaration = HeapDeclaration {
                name: name.clone(),
                size: heap.size,
                tracked: heap.whole.is_some(),
                storage: storage(heap.options.storage_mode),
            };
            Known { index: declare.heap(declaration), name }
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
            let declaration =
                HeapDeclaration { name: name.clone(), size, tracked, storage: storage(facts.storage) };
            Known { index: declare.heap(declaration), name }
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
            name: name.clone(),
            device,
            shape: Shape::Buffer { size: heap.size, init: None },
            storage: storage(heap.options.storage_mode),
            tracking: TrackingMode::Default,
            placement,
        };
        let index = declare.resource(declaration);
        self.resources.insert((device, whole), Known { index, name });
    }

    fn fence(&mut self, declare: &mut impl Declare, device: DeviceIndex, fence: &FenceBody) -> FenceIndex {
        let names = &mut self.fence_names;
        index(&mut self.fences, (device, fence.fence), || {
            let name = names.name(&text(fence.label.get()), "fence");
            Known { index: declare.fence(name.clone()), name }
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
            return (known.known.index, None);
        }
        self.sweep(declare);
        let shared = body.is_shared();
        let name = self.event_names.name(&body.label(), if shared { "shared-event" } else { "event" });
        let index = declare.event(EventDeclaration { name: name.clone(), shared });
        let known = Known { index, name };
        self.events.insert(key, KnownEvent { known, body: Arc::downgrade(body), reached: 0 });
        let before = body.promised();
        (index, (before > 0).then_some(before))
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
    pub(crate) fn buffer(
        &mut self,
        declare: &mut impl Declare,
        state: &Arc<CommandBufferState>,
        make: impl FnOnce(String) -> CommandBufferIndex,
    ) -> CommandBufferIndex {
        if let Some(known) = self.known_buffer(state) {
            return known;
        }
        self.sweep(declare);
        let name = self.buffer_names.label(&state.label(), "command-buffer");
        let index = make(name.clone());
        let state_handle = Arc::downgrade(state);
        let known = KnownBuffer { index, name, state: state_handle, completed: false };
        self.buffers.insert(Arc::as_ptr(state).addr(), known);
        index
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
        self.resources.get(&(device, resource)).map(|known| known.index)
    }

    /// The index of a fence that is declared.
    pub(super) fn fence_of(&self, device: DeviceIndex, fence: FenceId) -> Option<FenceIndex> {
        self.fences.get(&(device, fence)).map(|known| known.index)
    }

    /// The index of an event that is declared.
    pub(super) fn event_of(&self, body: &Arc<EventBody>) -> Option<EventIndex> {
        self.events.get(&Arc::as_ptr(body).addr()).map(|known| known.known.index)
    }

    /// An object is gone: its number stands for nothing until the next object has it.
    pub(crate) fn gone<D: Declare>(&mut self, declare: &mut D, device: DeviceIndex, gone: Gone) {
        let freed = match gone {
            Gone::Queue(id) => self.queues.remove(&(device, id)).map(|known| {
                declare.queue_gone(known.index);
                (&mut self.queue_names, known.name)
            }),
            Gone::Resource(id) => self.resources.remove(&(device, id)).map(|known| {
                declare.resource_gone(known.index);
                (&mut self.resource_names, known.name)
            }),
            Gone::Memory(id) => self.heaps.remove(&(device, id)).map(|known| {
                declare.heap_gone(known.index);
                (&mut self.heap_names, known.name)
            }),
            Gone::Fence(id) => self.fences.remove(&(device, id)).map(|known| {
                declare.fence_gone(known.index);
                (&mut self.fence_names, known.name)
            }),
        };
        if let Some((names, name)) = freed.filter(|_| D::FORGETS) {
            names.free(&name);
        }
    }

    /// Lets go of events and command buffers that nobody has any more, now and then.
    fn sweep<D: Declare>(&mut self, declare: &mut D) {
        let count = self.events.len() + self.buffers.len();
        if count < self.sweep_at.max(SWEEP) {
            return;
        }
        let names = &mut self.buffer_names;
        self.buffers.retain(|_, known| {
            let there = known.state.strong_count() > 0;
            if !there && D::FORGETS {
                names.free(&known.name);
            }
            there
        });
        let names = &mut self.event_names;
        self.events.retain(|_, event| {
            let there = event.body.strong_count() > 0;
            if !there {
                declare.event_gone(event.known.index);
                if D::FORGETS {
                    names.free(&event.known.name);
                }
            }
            there
        });
        self.sweep_at = 2 * (self.events.len() + self.buffers.len());
    }
}

/// The index behind a key, declared where it is not there.
fn index<K: Eq + Hash, I: Copy>(
    known: &mut HashMap<K, Known<I>>,
    key: K,
    make: impl FnOnce() -> Known<I>,
) -> I {
    known.entry(key).or_insert_with(make).index
}

fn text(label: Option<Arc<str>>) -> String {
    label.map(|label| label.to_string()).unwrap_or_default()
}

/// The resources of a transfer.
fn bodies(transfer: &Transfer) -> [Option<Body<'_>>; 2] {
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
        Transfer::SynchronizeBuffer { buffer } => [Some(Body::Buffer(buffer)), None],
        Transfer::SynchronizeTexture { texture, .. } => [Some(Body::Texture(texture)), None],
        // What they use stands among the buffers of the recording.
        Transfer::CopyParts { .. } | Transfer::FillParts { .. } => [None, None],
    }
}

fn texture(shape: &TextureShape) -> Shape {
    let &TextureShape { width, height, mips, slices, format } = shape;
    Shape::Texture { width, height, mips, slices, format: texel(format) }
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
        crate::StorageMode::Private | crate::StorageMode::Memoryless => StorageMode::Private,
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
