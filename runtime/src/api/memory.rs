//! Memory by itself: an allocation with a name on a device, with resources at any of its bytes.
//!
//! Heaps give out places of one device's memory, each at a multiple of what the device likes. A program as a value puts its resources
//! wherever it says, on several devices at once, and a texture's bytes are words to whoever asks. So what replays make lies in one of these.
use std::fmt;
use std::sync::Arc;

use fencepost_core::{MemoryId, ResourceDescriptor, ResourceShape, Tracking};

use crate::api::buffer::round_up;
use crate::api::device::DeviceShared;
use crate::api::label::Label;
use crate::api::managed::CpuCopy;
use crate::api::resource::{Home, ResourceCore};
use crate::backend::{Allocation, Residence};
use crate::record::{BufferBody, TextureBody, TextureShape, TextureView};
use crate::{Buffer, Device, Error, ResourceOptions, StorageMode};

/// An allocation as one device sees it.
pub(crate) struct DeviceMemory {
    device: Arc<DeviceShared>,
    name: MemoryId,
    allocation: Arc<dyn Allocation>,
    heap: Option<HeapFacts>,
}

/// What a memory that stands for a heap is known by.
#[derive(Clone, Debug)]
pub(crate) struct HeapFacts {
    pub(crate) label: String,
    pub(crate) size: u64,
    pub(crate) tracked: bool,
    pub(crate) storage: StorageMode,
}

/// What lies where in a memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed<'a> {
    /// Bytes from the start of the memory.
    pub(crate) offset: u64,
    pub(crate) options: ResourceOptions,
    pub(crate) tracking: Tracking,
    pub(crate) label: &'a str,
    /// The memory of the CPU's copy, where it is managed.
    pub(crate) copy: Option<&'a Arc<dyn Allocation>>,
}

impl DeviceMemory {
    /// Zeroed memory, of a heap or of one resource and those that share it.
    pub(crate) fn new(device: &Device, bytes: u64, heap: Option<HeapFacts>) -> Result<Arc<Self>, Error> {
        let device = &device.shared;
        let allocation = device.allocate(round_up(bytes, 4), Residence::Shared)?;
        let name = device.submission.add_memory();
        Ok(Arc::new(Self { device: Arc::clone(device), name, allocation, heap }))
    }

    /// The same bytes for another device of the same backend. What one device orders, the other knows nothing of.
    pub(crate) fn seen_by(&self, device: &Device) -> Arc<Self> {
        let device = &device.shared;
        let name = device.submission.add_memory();
        let (allocation, heap) = (Arc::clone(&self.allocation), self.heap.clone());
        Arc::new(Self { device: Arc::clone(device), name, allocation, heap })
    }

    /// Its name in the order of work, and what it is known by, where it stands for a heap.
    pub(crate) fn heap(&self) -> Option<(MemoryId, &HeapFacts)> {
        self.heap.as_ref().map(|heap| (self.name, heap))
    }

    pub(crate) fn allocation(&self) -> &dyn Allocation {
        &*self.allocation
    }

    /// A buffer of `length` bytes.
    pub(crate) fn buffer(self: &Arc<Self>, length: u64, placed: Placed<'_>) -> Buffer {
        let mut core = self.core(length, ResourceShape::Buffer, placed);
        core.managed = self.copy(length, ResourceShape::Buffer, placed);
        Buffer::from_body(self.words(core, placed.offset, length), length)
    }

    /// A texture of `length` bytes, and its bytes as those of a buffer with the same name in the order of work.
    pub(crate) fn texture(
        self: &Arc<Self>,
        shape: TextureShape,
        length: u64,
        placed: Placed<'_>,
    ) -> (TextureView, Buffer) {
        let kind = ResourceShape::Texture { mips: shape.mips, slices: shape.slices };
        let core = self.core(length, kind, placed);
        let (resource, offset) = (core.resource, placed.offset);
        // Its texels are words to whoever asks, so it is no image.
        let allocation = Arc::clone(&self.allocation);
        let texture = Arc::new(TextureBody { resource, allocation, offset, shape, image: None, core });
        let core = ResourceCore {
            label: Label::default(),
            device: Arc::clone(&self.device),
            resource,
            options: placed.options,
            home: Home::Texture(Arc::clone(&texture)),
            managed: self.copy(length, kind, placed),
        };
        core.label.set(placed.label);
        (TextureView::whole(&texture), Buffer::from_body(self.words(core, offset, length), length))
    }

    fn copy(&self, length: u64, shape: ResourceShape, placed: Placed<'_>) -> Option<CpuCopy> {
        let allocation = Arc::clone(placed.copy?);
        Some(CpuCopy::new(&self.device, allocation, placed.offset, length, shape))
    }

    fn words(&self, core: ResourceCore, offset: u64, length: u64) -> BufferBody {
        let allocation = Arc::clone(&self.allocation);
        BufferBody { resource: core.resource, allocation, offset, length: round_up(length, 4), core }
    }

    fn core(self: &Arc<Self>, length: u64, shape: ResourceShape, placed: Placed<'_>) -> ResourceCore {
        let bytes = placed.offset..placed.offset.saturating_add(length);
        let descriptor = ResourceDescriptor { memory: self.name, bytes, shape, tracking: placed.tracking };
        let resource = self.device.submission.add_resource(descriptor);
        let core = ResourceCore {
            label: Label::default(),
            device: Arc::clone(&self.device),
            resource,
            options: placed.options,
            home: Home::Memory(Arc::clone(self)),
            managed: None,
        };
        core.label.set(placed.label);
        core
    }
}

impl Drop for DeviceMemory {
    fn drop(&mut self) {
        self.device.submission.remove_memory(self.name);
    }
}

impl fmt::Debug for DeviceMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceMemory").field("name", &self.name).finish_non_exhaustive()
    }
}
