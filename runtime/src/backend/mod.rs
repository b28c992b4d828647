//! What every device must be able to do. A backend never decides an order: it runs the nodes of a plan, each after its predecessors.
use std::any::Any;
use std::fmt::Debug;
use std::ptr::NonNull;
use std::sync::Arc;

use fencepost_core::NodeId;

use crate::record::{LinearLayout, Recording, TextureBody, TextureRegion, TextureShape};
use crate::shader::Function;
use crate::{CpuOptions, Error, Schedule, SizeAndAlign, StorageMode, VulkanOptions};

pub(crate) mod cpu;
pub(crate) mod vulkan;

/// The device that is always there.
pub(crate) fn open_cpu(options: CpuOptions) -> Arc<dyn Backend> {
    Arc::new(cpu::CpuDevice::new(&options))
}

/// The Vulkan device that the options name, or the best.
pub(crate) fn open_vulkan(options: &VulkanOptions) -> Result<Arc<dyn Backend>, Error> {
    Ok(Arc::new(vulkan::VulkanDevice::open(options)?))
}

/// UUIDs of all Vulkan devices, the best first, and whether each is a GPU and not a program; none where there is no driver.
pub(crate) fn vulkan_devices() -> Vec<([u8; 16], bool)> {
    vulkan::devices()
}

/// A device's memory, pipelines and execution.
pub(crate) trait Backend: Send + Sync + Debug {
    /// For people: the device's name.
    fn name(&self) -> String;
    /// What tells it from other devices of this machine, also in other processes; the CPU device has none.
    fn uuid(&self) -> Option<[u8; 16]> {
        None
    }
    /// The longest buffer, in bytes.
    fn max_buffer_length(&self) -> u64;
    /// Zeroed memory for such a use. `OutOfMemory` where there is none.
    fn allocate(&self, bytes: u64, residence: Residence) -> Result<Arc<dyn Allocation>, Error>;
    /// Memory that a device gave out, as this device uses it. `Unsupported` where this device cannot reach it.
    fn share(&self, allocation: &Arc<dyn Allocation>) -> Result<Arc<dyn Allocation>, Error>;
    /// Memory that other processes may see, as this device uses it. `Unsupported` where this device cannot reach it.
    #[cfg(target_os = "linux")]
    fn adopt(&self, memory: &Arc<fencepost_ipc::SharedMemory>) -> Result<Arc<dyn Allocation>, Error>;
    /// What stands for a texture at a place of an allocation; nothing where its texels are bytes like any others. `own`: nobody else uses
    /// the memory, and the texels are zeros.
    fn image(
        &self,
        _allocation: &Arc<dyn Allocation>,
        _offset: u64,
        _shape: &TextureShape,
        _own: bool,
    ) -> Result<Option<Arc<dyn Image>>, Error> {
        Ok(None)
    }
    /// The same for a texture whose memory was shared with this device.
    fn share_image(&self, image: Option<&Arc<dyn Image>>) -> Result<Option<Arc<dyn Image>>, Error>;
    /// Whether CPU and GPU reach the same memory, whatever it was made for.
    fn has_unified_memory(&self) -> bool;
    /// Bytes and alignment that a texture of this shape takes in an allocation.
    fn texture_size_and_align(&self, shape: &TextureShape) -> SizeAndAlign;
    /// Copies bytes between two allocations of this backend; nothing in flight uses them.
    fn copy(
        &self,
        from: &dyn Allocation,
        from_offset: u64,
        to: &dyn Allocation,
        to_offset: u64,
        length: u64,
    ) -> Result<(), Error>;
    /// Brings bytes of the CPU's copy of a texture, whose first byte is at `from_offset`, to the texture. Nothing in flight uses them.
    fn upload_texture(
        &self,
        from: &dyn Allocation,
        from_offset: u64,
        texture: &TextureBody,
        bytes: &[std::ops::Range<u64>],
    ) -> Result<(), Error>;
    /// Bytes of a region, rows `bytes_per_row` apart, slices `bytes_per_image` apart. Nothing in flight writes it.
    /// `memory` is the texture's own, or the CPU's copy of it, which is laid out the same from its first byte on.
    fn read_texture(
        &self,
        memory: &dyn Allocation,
        region: &TextureRegion,
        layout: LinearLayout,
        out: &mut [u8],
    ) -> Result<(), Error>;
    /// The way back. Nothing in flight uses it.
    fn write_texture(
        &self,
        memory: &dyn Allocation,
        region: &TextureRegion,
        layout: LinearLayout,
        bytes: &[u8],
    ) -> Result<(), Error>;
    /// The bytes of a texture that a region's rows are, from the texture's first one.
    fn texture_rows(&self, region: &TextureRegion) -> Vec<std::ops::Range<u64>>;
    /// Makes a kernel runnable.
    fn pipeline(&self, function: &Function) -> Result<Arc<dyn Pipeline>, Error>;
    /// Takes nodes over; never blocks. Each runs once its predecessors have ended, and is reported to the completion of its part on
    /// whatever thread. Predecessors are nodes of this or of an earlier call. Calls come one at a time, in release order.
    fn submit(&self, work: &Planned);
    /// A node that waits for a value ([`Work::Value`]) may start. It was submitted and has not been let go before. Called on any thread.
    fn open(&self, node: NodeId);
    /// Nodes below this one have all been reported, and no later call names one of them.
    fn retire(&self, below: NodeId);
    /// Somebody on the CPU polls: a device that holds work back (an adversarial schedule) gets going.
    fn drive(&self);
    /// Somebody on the CPU sleeps until work has gone on: until `wait_ends`, nothing is held back.
    fn wait_begins(&self);
    fn wait_ends(&self);
    /// Somebody on the CPU goes on now who waited for what has just ended: a device that chooses its own order may let him act first.
    fn let_go(&self);
    /// Whether this device ever holds work back, so that those who poll must call [`drive`](Self::drive).
    fn holds_back(&self) -> bool;
    /// From the next call of [`submit`](Self::submit) on, legal orders are chosen so. Devices that cannot choose do nothing.
    fn set_schedule(&self, schedule: Schedule);
}

/// A kernel that a backend can run. Downcast by the backend that made it.
pub(crate) trait Pipeline: Send + Sync + Debug + Any {}

/// What memory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Residence {
    /// CPU and GPU reach it.
    Shared,
    /// The GPU reaches it.
    Private,
    /// What the GPU uses of a managed resource.
    GpuCopy,
    /// What the CPU uses of a managed resource.
    CpuCopy,
    /// A texture of this shape, alone.
    Texture(TextureShape),
}

impl Residence {
    /// Of a buffer or a heap.
    pub(crate) const fn of(mode: StorageMode) -> Self {
        match mode {
            StorageMode::Private | StorageMode::Memoryless => Self::Private,
            StorageMode::Managed => Self::GpuCopy,
            StorageMode::Shared => Self::Shared,
        }
    }
}

/// What stands for a texture besides its memory. Downcast by the backend that made it.
pub(crate) trait Image: Send + Sync + Debug + Any {}

/// Memory that a backend gave out. Downcast by the backend that made it.
pub(crate) trait Allocation: Send + Sync + Debug + Any {
    /// Bytes.
    fn length(&self) -> u64;
    /// Copies bytes out. The caller has checked the range.
    fn read(&self, offset: u64, out: &mut [u8]);
    /// Copies bytes in. The caller has checked the range.
    fn write(&self, offset: u64, bytes: &[u8]);
    /// Nobody needs the content any more: what is read from here on is undefined until it is written. A device that can gives the
    /// memory back to the system until then; others keep the bytes. Nothing in flight uses it.
    fn discard(&self) {}
    /// Where it is for the CPU, where it is anywhere.
    fn first_byte(&self) -> Option<NonNull<u8>> {
        None
    }
    /// What other processes see of it, where they can.
    #[cfg(target_os = "linux")]
    fn shared_memory(&self) -> Option<&Arc<fencepost_ipc::SharedMemory>> {
        None
    }
}

/// What happens when nodes end.
pub(crate) trait Completion: Send + Sync + Debug {
    /// `count` nodes of this part that carry this tag have ended so. Every node is counted once; nodes that carry
    /// [`PlannedNode::ALONE`] are reported one by one and at once, others may be reported together and a little later. Called on any
    /// thread, with no backend lock held.
    fn completed(&self, tag: u32, count: u32, outcome: &Outcome);
    /// Why nothing of this part is to run any more, where that is so. Asked before each node but those of [`Work::Value`], which start
    /// first in their part.
    fn refused(&self) -> Option<Error>;
}

/// How nodes ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// They ran. Times in nanoseconds since the device was made: the first start and the last end.
    Done { started_ns: u64, ended_ns: u64 },
    /// It could not run: a kernel without end, an indirect dispatch beyond the limits, a panic of a host function.
    Failed(Error),
    /// It did not run, because something that it follows failed, which is here.
    Skipped(Error),
}

/// Some nodes with their predecessors, made only by `submit`.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    /// What nodes belong to.
    pub(crate) parts: Vec<Part>,
    /// In release order.
    pub(crate) nodes: Vec<PlannedNode>,
    /// Predecessors of all nodes; a node holds a range. Each is an earlier node.
    pub(crate) predecessors: Vec<NodeId>,
}

/// What a run of nodes has in common: the share of one command buffer, or an event operation of a queue.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// What commands are commands of.
    pub(crate) recording: Option<Arc<Recording>>,
    /// The queue that it was committed to, as a small number: parts of different queues are to overlap where they can.
    pub(crate) queue: u32,
    /// Who is told.
    pub(crate) completion: Arc<dyn Completion>,
}

/// One node and what it does.
#[derive(Clone, Debug)]
pub(crate) struct PlannedNode {
    pub(crate) id: NodeId,
    pub(crate) predecessors: std::ops::Range<u32>,
    /// Index into the parts.
    pub(crate) part: u32,
    /// For the completion.
    pub(crate) tag: u32,
    pub(crate) work: Work,
}

impl PlannedNode {
    /// A bit of tags whose completion somebody waits for.
    pub(crate) const ALONE: u32 = 1 << 31;
}

/// What a node does when its turn comes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Runs a command of the part's recording.
    Command(u32),
    /// Nothing: it stands for "all of these have ended".
    Gate,
    /// Nothing: it ends when its predecessors have ended and it was opened ([`Backend::open`]).
    Value,
}
