//! Programs: what an app asks of its devices, as values.
//!
//! A program holds resources, queues, command buffers with passes, every synchronization primitive, and what the CPU does in document
//! order. It is the input of everything that judges order without running anything, and of everything that runs the same work on a
//! device to see whether the judgement holds. It says nothing about how kernels compute; [`value`] gives every command a synthetic value,
//! so that any device's result can be compared with the one of running the document in order.
//!
//! Things are named by their index in the program's lists; [`Builder`] hands the indices out, so that a program it builds cannot name what is
//! not there.

mod builder;
mod check;
mod locus;
mod memoryless;
mod mipmap;
mod uses;
pub mod value;

use core::ops::Range;

pub use builder::{BufferOptions, Builder, PassBuilder, QueueItems, Steps, TextureOptions};

pub use check::UnknownName;
pub use locus::{Locus, split_stage};
pub use uses::Use;

use crate::{Conflict, Extent, Stages, Visibility};

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            /// The index in the program's list.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index!(/** An index into [`Program::devices`]. */ DeviceIndex);
index!(/** An index into [`Program::queues`]. */ QueueIndex);
index!(/** An index into [`Program::heaps`]. */ HeapIndex);
index!(/** An index into [`Program::resources`]. */ ResourceIndex);
index!(/** An index into [`Program::fences`]. */ FenceIndex);
index!(/** An index into [`Program::events`]. */ EventIndex);
index!(/** An index into [`Program::command_buffers`]. */ CommandBufferIndex);

/// A whole program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// At least one once a queue or resource is there; the first is the default.
    pub devices: Vec<DeviceDeclaration>,
    /// Queues.
    pub queues: Vec<QueueDeclaration>,
    /// Heaps.
    pub heaps: Vec<HeapDeclaration>,
    /// Buffers and textures.
    pub resources: Vec<ResourceDeclaration>,
    /// Fences, by name.
    pub fences: Vec<String>,
    /// Events and shared events.
    pub events: Vec<EventDeclaration>,
    /// Command buffers. Being here does nothing: [`Step::Commit`] does.
    pub command_buffers: Vec<CommandBuffer>,
    /// What the CPU does, in document order.
    pub steps: Vec<Step>,
    /// What the program's author expects of a checker.
    pub expectations: Vec<Expectation>,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceDeclaration {
    /// Its name.
    pub name: String,
    /// What it may be.
    pub kind: DeviceKind,
}

/// What a device may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceKind {
    /// Whatever there is.
    #[default]
    Any,
    /// The CPU device.
    Cpu,
    /// A Vulkan device.
    Vulkan,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueDeclaration {
    /// Its name.
    pub name: String,
    /// Metal 3 or Metal 4.
    pub mode: QueueMode,
    /// Whose queue it is.
    pub device: DeviceIndex,
}

/// The two kinds of queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum QueueMode {
    /// Metal 4: tracking is inert, compute passes are concurrent, event operations stand on the queue.
    #[default]
    Explicit,
    /// Metal 3: tracked resources are ordered, compute passes are serial unless asked, event operations stand in command buffers.
    Tracked,
}

/// A heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeapDeclaration {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Whether the heap is tracked, as one unit.
    pub tracked: bool,
    /// Who reaches its memory.
    pub storage: StorageMode,
}

/// Who reaches a resource's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StorageMode {
    /// The GPU alone.
    #[default]
    Private,
    /// CPU and GPU, one copy.
    Shared,
    /// CPU and GPU, a copy each.
    Managed,
    /// Nobody: an attachment that lives inside a render pass and has no memory (see [`Program::needs_memory`]).
    Memoryless,
}

/// A resource's own wish about tracking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TrackingMode {
    /// Tracked on its own, the heap's mode on a heap.
    #[default]
    Default,
    /// Tracked, where its heap is.
    Tracked,
    /// Not tracked.
    Untracked,
}

/// A buffer or a texture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceDeclaration {
    /// Its name.
    pub name: String,
    /// Whose resource it is.
    pub device: DeviceIndex,
    /// What it is.
    pub shape: Shape,
    /// Who reaches its memory.
    pub storage: StorageMode,
    /// Its wish about tracking.
    pub tracking: TrackingMode,
    /// Where its bytes are.
    pub placement: Placement,
}

/// Where a resource's bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// In memory of its own.
    #[default]
    Own,
    /// On a heap at a byte offset; what overlaps there aliases.
    Heap {
        /// The heap.
        heap: HeapIndex,
        /// Bytes.
        offset: u64,
    },
    /// In the memory of another resource, from its first byte: seen by another device, for example.
    SameAs(ResourceIndex),
}

/// What a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Bytes.
    Buffer {
        /// How many.
        size: u64,
        /// Word `i` starts as this plus `i`; all words as 0 without it.
        init: Option<u32>,
    },
    /// Texels. They start as zero.
    Texture {
        /// Columns of level 0.
        width: u32,
        /// Rows of level 0.
        height: u32,
        /// Levels.
        mips: u32,
        /// Slices.
        slices: u32,
        /// What a texel is.
        format: Format,
    },
}

/// Texel formats of programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the formats")]
pub enum Format {
    #[default]
    Rgba8Unorm,
    R32Uint,
    R32Float,
    Rgba32Float,
    Depth32Float,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDeclaration {
    /// Its name.
    pub name: String,
    /// The CPU, other devices and other processes see it.
    pub shared: bool,
}

/// A part of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// The resource.
    pub resource: ResourceIndex,
    /// Which part.
    pub extent: Extent,
}

/// A command buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandBuffer {
    /// Its label.
    pub label: String,
    /// The queue it is meant for.
    pub queue: QueueIndex,
    /// Passes and event operations in order.
    pub items: Vec<BufferItem>,
}

/// What stands in a command buffer.
#[derive(Clone, Debug, PartialEq)]
pub enum BufferItem {
    /// A pass.
    Pass(Pass),
    /// An event operation between passes.
    Event(EventOperation),
}

/// A signal of or a wait for an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventOperation {
    /// Its label.
    pub label: Option<String>,
    /// The event.
    pub event: EventIndex,
    /// The value signalled or waited for.
    pub value: u64,
    /// Which of the two.
    pub kind: EventOperationKind,
}

/// Signal or wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventOperationKind {
    /// Raises the event to the value after all earlier work of the queue.
    Signal,
    /// Holds all later work of the queue until the event has the value.
    Wait,
}

/// A pass: one encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// Its label.
    pub label: String,
    /// Compute, blit or render.
    pub kind: PassKind,
    /// Commands, synchronization and declarations in order.
    pub items: Vec<PassItem>,
}

/// Kinds of pass.
#[derive(Clone, Debug, PartialEq)]
pub enum PassKind {
    /// Dispatches, and on explicit queues copies, fills and mips.
    Compute {
        /// Serial or concurrent; the queue's default where absent.
        dispatch_type: Option<DispatchType>,
    },
    /// Copies, fills, mips: always serial.
    Blit,
    /// Draws.
    Render {
        /// Colour attachments in order.
        color: Vec<Attachment>,
        /// The depth attachment.
        depth: Option<Attachment>,
    },
}

/// Whether a compute pass runs its commands one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DispatchType {
    /// Each ends, visibly, before the next starts.
    Serial,
    /// They may overlap.
    Concurrent,
}

/// A texture that a render pass draws to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The texture.
    pub texture: Part,
    /// What happens before the first draw.
    pub load: LoadAction,
    /// What happens after the last one.
    pub store: StoreAction,
}

/// What a render pass does with an attachment before its first draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LoadAction {
    /// Keeps what is there: a read.
    Load,
    /// Overwrites it.
    #[default]
    Clear,
    /// Leaves it undefined.
    DontCare,
}

/// What a render pass does with an attachment after its last draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StoreAction {
    /// Writes it to memory.
    #[default]
    Store,
    /// Leaves it undefined.
    DontCare,
}

/// What stands in a pass.
#[derive(Clone, Debug, PartialEq)]
pub enum PassItem {
    /// Work.
    Command(Command),
    /// A synchronization primitive.
    Synchronization(Synchronization),
    /// A declared indirect use: `use_resource`.
    UseResource {
        /// The resource.
        resource: ResourceIndex,
        /// Declared as read.
        read: bool,
        /// Declared as written.
        write: bool,
    },
}

/// A command.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Its label, unique in its pass.
    pub label: String,
    /// What it does.
    pub work: Work,
}

/// What a command does.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Copies as many bytes as both have.
    Copy {
        /// Read.
        from: Part,
        /// Written.
        to: Part,
    },
    /// Repeats one byte.
    Fill {
        /// Written.
        to: Part,
        /// The byte.
        value: u8,
    },
    /// Makes all levels but the first.
    GenerateMipmaps {
        /// Level 0 is read, the others are written.
        texture: ResourceIndex,
    },
    /// Runs a kernel.
    Dispatch {
        /// Read.
        reads: Vec<Part>,
        /// Written.
        writes: Vec<Part>,
        /// Touched by atomics only.
        atomics: Vec<Part>,
        /// How many times slower than plain.
        cost: u32,
        /// It reaches its resources through pointers: tracking does not see them.
        indirect: bool,
    },
    /// Draws.
    Draw {
        /// Read by the vertex stage.
        vertex_reads: Vec<Part>,
        /// Written by the vertex stage.
        vertex_writes: Vec<Part>,
        /// Read by the fragment stage.
        fragment_reads: Vec<Part>,
        /// Written by the fragment stage, besides the attachments.
        fragment_writes: Vec<Part>,
    },
    /// Brings a managed resource's GPU copy to its CPU copy.
    Synchronize {
        /// The resource.
        resource: ResourceIndex,
        /// All of it, or one level of one slice of a texture.
        extent: Extent,
    },
    /// Changes a texture's layout for the GPU or for the CPU: a write.
    Optimize {
        /// The texture.
        texture: ResourceIndex,
        /// For the GPU, else for the CPU.
        for_gpu: bool,
    },
}

impl Work {
    /// The stages that do it.
    pub fn stages(&self) -> Stages {
        match self {
            Self::Dispatch { .. } => Stages::DISPATCH,
            Self::Draw { .. } => Stages::VERTEX | Stages::FRAGMENT,
            Self::Copy { .. }
            | Self::Fill { .. }
            | Self::GenerateMipmaps { .. }
            | Self::Synchronize { .. }
            | Self::Optimize { .. } => Stages::BLIT,
        }
    }
}

/// A synchronization primitive in a pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Synchronization {
    /// Its label; named by its place without one.
    pub label: Option<String>,
    /// Which.
    pub primitive: Primitive,
}

/// Every primitive that stands in a pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Primitive {
    /// Within the pass.
    Barrier {
        /// Stages of earlier commands.
        after: Stages,
        /// Stages of later commands.
        before: Stages,
        /// Whether writes become visible.
        visibility: Visibility,
    },
    /// Earlier passes of the queue before later commands of this pass and of later passes.
    ConsumerBarrier {
        /// Stages of earlier passes.
        after_queue: Stages,
        /// Stages of what follows.
        before: Stages,
        /// Whether writes become visible.
        visibility: Visibility,
    },
    /// Earlier passes and earlier commands of this pass before later passes.
    ProducerBarrier {
        /// Stages of what precedes.
        after: Stages,
        /// Stages of later passes.
        before_queue: Stages,
        /// Whether writes become visible.
        visibility: Visibility,
    },
    /// Metal 3, within the pass: for kinds of resource or for single ones.
    MemoryBarrier {
        /// What becomes visible.
        scope: MemoryScope,
        /// Stages of earlier commands; all where absent (compute).
        after: Option<Stages>,
        /// Stages of later commands; all where absent (compute).
        before: Option<Stages>,
    },
    /// Captures the pass so far.
    UpdateFence {
        /// The fence.
        fence: FenceIndex,
        /// Stages captured; the whole pass so far where absent.
        after: Option<Stages>,
    },
    /// Holds later commands until every earlier update is done.
    WaitForFence {
        /// The fence.
        fence: FenceIndex,
        /// Stages held; every stage where absent.
        before: Option<Stages>,
    },
}

impl Primitive {
    /// The stages that it names: of what it waits for, and of what it holds.
    pub(crate) fn stages_mut(&mut self) -> [Option<&mut Stages>; 2] {
        match self {
            Self::Barrier { after, before, .. }
            | Self::ConsumerBarrier { after_queue: after, before, .. }
            | Self::ProducerBarrier { after, before_queue: before, .. } => [Some(after), Some(before)],
            Self::MemoryBarrier { after, before, .. } => [after.as_mut(), before.as_mut()],
            Self::UpdateFence { after, .. } => [after.as_mut(), None],
            Self::WaitForFence { before, .. } => [None, before.as_mut()],
        }
    }
}

/// What a Metal 3 memory barrier makes visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemoryScope {
    /// Kinds of resource.
    Kinds {
        /// Buffers.
        buffers: bool,
        /// Textures.
        textures: bool,
        /// Render targets.
        render_targets: bool,
    },
    /// These resources.
    Resources(Vec<ResourceIndex>),
}

/// What the CPU does.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Stores through the mapping.
    Write(Part),
    /// Publishes a CPU write to a managed buffer.
    DidModify(Part),
    /// Commits command buffers as one group.
    Commit(Vec<CommandBufferIndex>),
    /// Reserves the slot of a command buffer on its tracked queue.
    Enqueue(CommandBufferIndex),
    /// An event operation on an explicit queue.
    QueueEvent {
        /// The queue.
        queue: QueueIndex,
        /// The operation.
        operation: EventOperation,
    },
    /// Blocks until a command buffer has completed.
    WaitUntilCompleted(CommandBufferIndex),
    /// Raises a shared event.
    SetSignaledValue {
        /// The event.
        event: EventIndex,
        /// The value.
        value: u64,
    },
    /// Blocks until a shared event has a value, or for so long.
    WaitUntilSignaled {
        /// The event.
        event: EventIndex,
        /// The value.
        value: u64,
        /// Milliseconds; for ever where absent.
        timeout_ms: Option<u64>,
    },
    /// Does something on another thread once a shared event has a value.
    Notify {
        /// The event.
        event: EventIndex,
        /// The value.
        value: u64,
        /// What is done then.
        body: Vec<Self>,
    },
    /// Loads through the mapping.
    Read(Part),
    /// Lets the heap give the memory to others.
    MakeAliasable(ResourceIndex),
    /// Runs steps beside the rest of the document from here on.
    Thread {
        /// Its name.
        name: String,
        /// What it does.
        body: Vec<Self>,
    },
}

/// One line of what an author expects of a checker. Sites are label paths.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the words of the format's `expect` lines")]
pub enum Expectation {
    /// No race, nothing stuck, no misuse.
    Clean,
    /// A race on a resource, as narrowly described as the author likes.
    Race { resource: ResourceIndex, first: Option<String>, second: Option<String>, kind: Option<RaceKind> },
    /// The first must happen before the second.
    Ordered { first: String, second: String },
    /// Neither happens before the other.
    Unordered { first: String, second: String },
    /// This synchronization orders no conflict that is not ordered without it.
    Redundant { site: String },
    /// This synchronization is needed.
    Needed { site: String },
    /// Nothing will release this wait.
    Stuck { site: String },
    /// A misuse with this code.
    Misuse { site: String, code: String },
    /// Ordered, but not made visible.
    Stale { site: String },
    /// A managed resource was not published or not synchronized.
    Managed { resource: ResourceIndex, code: String },
    /// The smallest primitive that resolves the race on a resource.
    Fix { resource: ResourceIndex, primitive: String },
}

impl Expectation {
    /// The word that the line begins with.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Race { .. } => "race",
            Self::Ordered { .. } => "ordered",
            Self::Unordered { .. } => "unordered",
            Self::Redundant { .. } => "redundant",
            Self::Needed { .. } => "needed",
            Self::Stuck { .. } => "stuck",
            Self::Misuse { .. } => "misuse",
            Self::Stale { .. } => "stale",
            Self::Managed { .. } => "managed",
            Self::Fix { .. } => "fix",
        }
    }
}

/// The three races.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RaceKind {
    /// A read that should see a write.
    ReadAfterWrite,
    /// A write that should not be seen by a read.
    WriteAfterRead,
    /// Two writes whose last should stay.
    WriteAfterWrite,
}

impl From<RaceKind> for Conflict {
    fn from(kind: RaceKind) -> Self {
        match kind {
            RaceKind::ReadAfterWrite => Self::ReadAfterWrite,
            RaceKind::WriteAfterRead => Self::WriteAfterRead,
            RaceKind::WriteAfterWrite => Self::WriteAfterWrite,
        }
    }
}

impl Program {
    /// Starts building a program.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A resource's declaration.
    pub fn resource(&self, resource: ResourceIndex) -> &ResourceDeclaration {
        &self.resources[resource.index()]
    }

    /// Bytes that a resource takes: a texture's levels and slices packed without gaps, slice by slice, level by level.
    pub fn byte_size(&self, resource: ResourceIndex) -> u64 {
        match self.resource(resource).shape {
            Shape::Buffer { size, .. } => size,
            Shape::Texture { slices, .. } => {
                let mips = self.mips(resource);
                let slice = mips.fold(0, |sum: u64, mip| sum.saturating_add(self.level_size(resource, mip)));
                slice.saturating_mul(u64::from(slices))
            }
        }
    }

    /// Bytes of a part of a resource, as half-open ranges of the resource's bytes in ascending order.
    pub fn byte_ranges(&self, part: &Part) -> Vec<Range<u64>> {
        let whole = self.byte_size(part.resource);
        match &part.extent {
            Extent::Whole => core::iter::once(0..whole).collect(),
            Extent::Bytes(range) => vec![range.clone()],
            Extent::Subresources { mips, slices } => {
                let levels: Vec<u64> =
                    self.mips(part.resource).map(|mip| self.level_size(part.resource, mip)).collect();
                let slice_size: u64 = levels.iter().sum();
                let mut ranges = Vec::new();
                for slice in slices.clone() {
                    for mip in mips.clone() {
                        let before: u64 = levels.iter().take(mip as usize).sum();
                        let start = u64::from(slice) * slice_size + before;
                        ranges.push(start..start + levels.get(mip as usize).copied().unwrap_or(0));
                    }
                }
                ranges
            }
        }
    }

    fn mips(&self, resource: ResourceIndex) -> Range<u32> {
        match self.resource(resource).shape {
            Shape::Buffer { .. } => 0..0,
            Shape::Texture { mips, .. } => 0..mips,
        }
    }

    fn level_size(&self, resource: ResourceIndex, mip: u32) -> u64 {
        match self.resource(resource).shape {
            Shape::Buffer { .. } => 0,
            Shape::Texture { width, height, format, .. } => {
                let texel = if format == Format::Rgba32Float { 16 } else { 4 };
                let extent = |size: u32| u64::from(size.checked_shr(mip).unwrap_or(0).max(1));
                extent(width).saturating_mul(extent(height)).saturating_mul(texel)
            }
        }
    }
}
