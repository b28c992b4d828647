//! Memory that kernels, copies and the host reach: one buffer over each allocation.
//!
//! What the host reaches directly it sees as atomic words, as on the CPU device: a race in a user's program is a wrong value. The rest
//! goes by way of staging memory.
#![allow(unsafe_code, reason = "calls the Vulkan driver, and sees mapped memory as atomic words")]
use std::any::Any;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use ash::vk;
#[cfg(target_os = "linux")]
use fencepost_ipc::SharedMemory;
use gpu_allocator::MemoryLocation;
use gpu_allocator::vulkan::Allocation as Place;

use super::gpu::Gpu;
use super::utility::Utility;
use crate::Error;
use crate::backend::cpu::memory::bytes::{self, Stores};
use crate::backend::{Allocation, Residence};
use crate::error::DeviceError;
use crate::record::TextureShape;

/// A piece of memory with a buffer over all of it.
pub(super) struct Block {
    gpu: Arc<Gpu>,
    pub(super) buffer: vk::Buffer,
    pub(super) memory: vk::DeviceMemory,
    /// Of the first byte in `memory`.
    pub(super) offset: u64,
    length: u64,
    /// Which kind of memory, as a mask; all bits where that is not known.
    pub(super) kinds: u32,
    mapped: Option<NonNull<AtomicU32>>,
    owner: Owner,
}

/// Whom the memory belongs to.
enum Owner {
    Allocator(Option<Place>),
    /// Pages of the process, which are kept by holding them.
    #[cfg(target_os = "linux")]
    Imported(Arc<SharedMemory>),
}

/// An allocation of a device.
#[derive(Debug)]
pub(crate) struct VulkanMemory {
    pub(super) block: Block,
    utility: Arc<Utility>,
}

impl VulkanMemory {
    /// Zeroed memory.
    pub(super) fn new(utility: &Arc<Utility>, length: u64, residence: Residence) -> Result<Self, Error> {
        let block = Block::new(&utility.gpu, length, residence)?;
        let made = Self { block, utility: Arc::clone(utility) };
        // Texels are cleared as texels.
        if !matches!(residence, Residence::Texture(_)) {
            made.clear()?;
        }
        Ok(made)
    }

    /// Memory that other processes may see.
    #[cfg(target_os = "linux")]
    pub(super) fn over(utility: &Arc<Utility>, memory: &Arc<SharedMemory>) -> Result<Self, Error> {
        Ok(Self { block: Block::over(&utility.gpu, memory)?, utility: Arc::clone(utility) })
    }

    /// The same bytes as another device of the same GPU uses them.
    pub(super) fn gpu(&self) -> &Arc<Gpu> {
        &self.utility.gpu
    }

    /// As this backend's own.
    pub(super) fn of(allocation: &dyn Allocation) -> &Self {
        match (allocation as &dyn Any).downcast_ref() {
            Some(memory) => memory,
            None => unreachable!("the API refuses resources of other devices"),
        }
    }

    pub(super) fn buffer(&self) -> vk::Buffer {
        self.block.buffer
    }

    /// Copies bytes from another one; nothing in flight uses either.
    pub(super) fn copy_from(&self, offset: u64, source: &Self, from: u64, length: u64) -> Result<(), Error> {
        if length == 0 {
            return Ok(());
        }
        if let (Some(to), Some(words)) = (self.block.words(), source.block.words()) {
            let stores = Stores::of_total(length);
            bytes::copy(words, from as usize, to, offset as usize, length as usize, stores);
            return Ok(());
        }
        let region = vk::BufferCopy { src_offset: from, dst_offset: offset, size: length };
        self.utility.run(|commands| commands.copy_buffer(source.buffer(), self.buffer(), &[region]))
    }

    fn clear(&self) -> Result<(), Error> {
        let length = self.block.length;
        match self.block.words() {
            Some(words) => {
                bytes::fill(words, 0, length as usize, 0, Stores::of_total(length));
                Ok(())
            }
            None => self.utility.run(|commands| commands.fill_buffer(self.block.buffer, 0, length, 0)),
        }
    }
}

impl Allocation for VulkanMemory {
    fn length(&self) -> u64 {
        self.block.length
    }

    /// Of memory that the host does not reach, nothing is read from a device that is lost.
    fn read(&self, offset: u64, out: &mut [u8]) {
        if let Some(words) = self.block.words() {
            return bytes::read(words, offset as usize, out, Stores::of_total(out.len() as u64));
        }
        let size = out.len() as u64;
        let region = vk::BufferCopy { src_offset: offset, dst_offset: 0, size };
        let copy = |commands: super::commands::Commands<'_>, staging| {
            commands.copy_buffer(self.block.buffer, staging, &[region]);
        };
        self.utility.staged(size, |_| {}, copy, |staging| staging.read(0, out)).ok();
    }

    /// Of memory that the host does not reach, nothing is written to a device that is lost.
    fn write(&self, offset: u64, bytes: &[u8]) {
        if let Some(words) = self.block.words() {
            return bytes::write(words, offset as usize, bytes, Stores::of_total(bytes.len() as u64));
        }
        let size = bytes.len() as u64;
        let region = vk::BufferCopy { src_offset: 0, dst_offset: offset, size };
        let copy = |commands: super::commands::Commands<'_>, staging| {
            commands.copy_buffer(staging, self.block.buffer, &[region]);
        };
        self.utility.staged(size, |staging| staging.write(0, bytes), copy, |_| {}).ok();
    }

    /// The memory stays where it is; what was in it is gone, as on the CPU device.
    fn discard(&self) {
        self.clear().ok();
    }

    #[cfg(target_os = "linux")]
    fn shared_memory(&self) -> Option<&Arc<SharedMemory>> {
        match &self.block.owner {
            Owner::Allocator(_) => None,
            Owner::Imported(memory) => Some(memory),
        }
    }
}

impl Block {
    /// Memory of the allocator; what is in it is anybody's guess.
    pub(super) fn new(gpu: &Arc<Gpu>, length: u64, residence: Residence) -> Result<Self, Error> {
        gpu.settle();
        let buffer = create_buffer(gpu, length, false)?;
        let mut made = Self {
            gpu: Arc::clone(gpu),
            buffer,
            memory: vk::DeviceMemory::null(),
            offset: 0,
            length,
            kinds: u32::MAX,
            mapped: None,
            owner: Owner::Allocator(None),
        };
        // SAFETY: the buffer is the device's.
        let mut needs = unsafe { gpu.raw.get_buffer_memory_requirements(buffer) };
        // A heap's textures lie there as well: what an ordinary one needs is taken for what they all need.
        let image = match residence {
            Residence::Texture(shape) => gpu.image_requirements(&shape),
            _ => gpu.image_requirements(&ORDINARY),
        };
        // Some drivers keep textures away from memory that the host reaches; what the host must reach goes there all the same.
        let location = location(gpu, residence);
        let reached = match location {
            MemoryLocation::GpuOnly => u32::MAX,
            _ => gpu
                .memory_types(vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT),
        };
        if needs.memory_type_bits & image.memory_type_bits & reached != 0 {
            needs.memory_type_bits &= image.memory_type_bits;
        }
        needs.alignment = needs.alignment.max(gpu.limits.granularity).max(image.alignment);
        if length >= HEAP_ALIGNMENT {
            // Large enough to be a heap of textures, which may be aligned so.
            needs.alignment = needs.alignment.max(HEAP_ALIGNMENT);
        }
        let place = gpu.allocate(needs, location, true)?;
        made.offset = place.offset();
        // SAFETY: the memory is only used as this block, which gives it back with the place.
        made.memory = unsafe { place.memory() };
        made.mapped =
            place.mapped_ptr().map(NonNull::cast).filter(|_| !matches!(residence, Residence::Texture(_)));
        made.kinds = gpu.memory_types(place.memory_properties());
        made.owner = Owner::Allocator(Some(place));
        // SAFETY: the place was made for what this buffer needs, and nothing is bound to the buffer yet.
        let bound = unsafe { gpu.raw.bind_buffer_memory(buffer, made.memory, made.offset) };
        bound.map_err(|result| gpu.error("vkBindBufferMemory", result))?;
        Ok(made)
    }

    /// Pages of the process, which the driver takes as they are.
    #[cfg(target_os = "linux")]
    fn over(gpu: &Arc<Gpu>, memory: &Arc<SharedMemory>) -> Result<Self, Error> {
        let Some(import) = &gpu.host_memory else {
            return Err(DeviceError::ForeignMemory { device: gpu.name() }.into());
        };
        let words = memory.words();
        let start: NonNull<AtomicU32> = NonNull::from(words).cast();
        let length = words.len() as u64 * 4;
        let kind = vk::ExternalMemoryHandleTypeFlags::HOST_ALLOCATION_EXT;
        let mut properties = vk::MemoryHostPointerPropertiesEXT::default();
        // SAFETY: the pages are mapped as long as `memory` lives.
        let asked = unsafe {
            (import.fp().get_memory_host_pointer_properties_ext)(
                gpu.raw.handle(),
                kind,
                start.as_ptr().cast(),
                &mut properties,
            )
        };
        asked.result().map_err(|_| Error::from(DeviceError::ForeignMemory { device: gpu.name() }))?;
        gpu.settle();
        let buffer = create_buffer(gpu, length, true)?;
        let mut made = Self {
            gpu: Arc::clone(gpu),
            buffer,
            memory: vk::DeviceMemory::null(),
            offset: 0,
            length,
            kinds: u32::MAX,
            mapped: Some(start),
            owner: Owner::Imported(Arc::clone(memory)),
        };
        // SAFETY: the buffer is the device's.
        let needs = unsafe { gpu.raw.get_buffer_memory_requirements(buffer) };
        let host = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
        let possible = needs.memory_type_bits & properties.memory_type_bits & gpu.memory_types(host);
        if possible == 0 {
            return Err(DeviceError::ForeignMemory { device: gpu.name() }.into());
        }
        let pages = gpu.limits.host_import_alignment;
        let mut import = vk::ImportMemoryHostPointerInfoEXT::default()
            .handle_type(kind)
            .host_pointer(start.as_ptr().cast());
        let allocate = vk::MemoryAllocateInfo::default()
            .allocation_size(length.next_multiple_of(pages))
            .memory_type_index(possible.trailing_zeros())
            .push_next(&mut import);
        // SAFETY: mappings are whole pages, and the driver has named this kind of memory for them.
        let bound = unsafe { gpu.raw.allocate_memory(&allocate, None) };
        made.memory = bound.map_err(|_| Error::from(DeviceError::ForeignMemory { device: gpu.name() }))?;
        // SAFETY: the memory is as long as the buffer needs, and nothing is bound to it yet.
        let bound = unsafe { gpu.raw.bind_buffer_memory(buffer, made.memory, 0) };
        bound.map_err(|result| gpu.error("vkBindBufferMemory", result))?;
        Ok(made)
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// All of it, where the host reaches it.
    pub(super) fn words(&self) -> Option<&[AtomicU32]> {
        let start = self.mapped?;
        // SAFETY: the mapping lives as long as the memory, which is this value's; it is aligned for words (the allocator aligns places
        // by what buffers need, pages are aligned anyway), and only ever accessed atomically by the host. What kernels do to it at the
        // same time is outside of the host's memory model, like the work of another process.
        Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), (self.length / 4) as usize) })
    }

    pub(super) fn read(&self, offset: u64, out: &mut [u8]) {
        if let Some(words) = self.words() {
            bytes::read(words, offset as usize, out, Stores::of_total(out.len() as u64));
        }
    }

    pub(super) fn write(&self, offset: u64, bytes: &[u8]) {
        if let Some(words) = self.words() {
            bytes::write(words, offset as usize, bytes, Stores::of_total(bytes.len() as u64));
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: parts in flight hold what their commands use, so nothing uses it any more.
        unsafe { self.gpu.raw.destroy_buffer(self.buffer, None) };
        match &mut self.owner {
            Owner::Allocator(place) => {
                if let Some(place) = place.take() {
                    self.gpu.free(place);
                }
            }
            #[cfg(target_os = "linux")]
            // SAFETY: as above; the pages stay whoever's they are.
            Owner::Imported(_) => unsafe { self.gpu.raw.free_memory(self.memory, None) },
        }
    }
}

// SAFETY: the mapping is reached through `&AtomicU32` only, and the driver's objects may be used from any thread.
unsafe impl Send for Block {}

// SAFETY: everything that `&Block` gives access to is atomic or a name.
unsafe impl Sync for Block {}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block").field("length", &self.length).finish_non_exhaustive()
    }
}

fn create_buffer(gpu: &Gpu, length: u64, imported: bool) -> Result<vk::Buffer, Error> {
    let usage = vk::BufferUsageFlags::STORAGE_BUFFER
        | vk::BufferUsageFlags::UNIFORM_BUFFER
        | vk::BufferUsageFlags::INDIRECT_BUFFER
        | vk::BufferUsageFlags::TRANSFER_SRC
        | vk::BufferUsageFlags::TRANSFER_DST;
    let mut external = vk::ExternalMemoryBufferCreateInfo::default()
        .handle_types(vk::ExternalMemoryHandleTypeFlags::HOST_ALLOCATION_EXT);
    let mut create = vk::BufferCreateInfo::default().size(length).usage(usage);
    if imported {
        create = create.push_next(&mut external);
    }
    if length > gpu.limits.max_buffer_length {
        return Err(DeviceError::OutOfMemory { bytes: length }.into());
    }
    // SAFETY: the length is from 1 to the device's limit, and the usages are those of every device.
    let made = unsafe { gpu.raw.create_buffer(&create, None) };
    made.map_err(|result| match result {
        vk::Result::ERROR_OUT_OF_DEVICE_MEMORY | vk::Result::ERROR_OUT_OF_HOST_MEMORY => {
            DeviceError::OutOfMemory { bytes: length }.into()
        }
        other => gpu.error("vkCreateBuffer", other),
    })
}

/// Where the allocator is to look.
fn location(gpu: &Gpu, residence: Residence) -> MemoryLocation {
    let both = vk::MemoryPropertyFlags::DEVICE_LOCAL
        | vk::MemoryPropertyFlags::HOST_VISIBLE
        | vk::MemoryPropertyFlags::HOST_COHERENT;
    match residence {
        // Without memory that both reach at full speed, copies go by way of the CPU's copy, which the GPU reaches.
        Residence::GpuCopy if gpu.memory_types(both) == 0 => MemoryLocation::GpuOnly,
        Residence::Shared | Residence::CpuCopy => MemoryLocation::GpuToCpu,
        Residence::GpuCopy => MemoryLocation::CpuToGpu,
        Residence::Private | Residence::Texture(_) => MemoryLocation::GpuOnly,
    }
}

/// What the largest alignment of a texture is on every driver that is known.
const HEAP_ALIGNMENT: u64 = 64 << 10;

/// What any texture needs of memory, as far as that can be known before.
const ORDINARY: TextureShape =
    TextureShape { format: crate::PixelFormat::Rgba8Unorm, width: 64, height: 64, mips: 1, slices: 1 };
