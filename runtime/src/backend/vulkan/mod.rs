//! Any Vulkan 1.3 driver, found at run time.
//!
//! The engine's nodes become waves: segments for the driver's queues, with as few barriers as keep the order
//! ([`fencepost_core::waves`]). Nothing here decides what waits for what, and nothing that was handed to the driver ever waits for the
//! host: a node that waits for a value is held back until the value is there, and what follows it too.
//!
//! ```text
//!   nodes ─► waves ─► encode ─► gpu          what is held back, what is ordered how, commands, queues
//!               ▲                 │
//!               └── executor ◄── timelines   what has ended: a thread waits for points and tells
//!   memory, image, pipeline                  what commands work on
//!   utility                                  what the host does to memory that it does not reach
//! ```
//!
//! Absent: draws, host functions, adversarial schedules. A driver that hangs takes the kernel with it; there is no time limit.
mod commands;
mod context;
mod encode;
mod executor;
mod exit;
mod gpu;
mod image;
mod instance;
mod memory;
mod nodes;
mod pipeline;
#[cfg(test)]
mod tests;
mod timeline;
mod tools;
mod transfer;
mod utility;

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;

use fencepost_core::NodeId;

use super::cpu::texel::{TextureLayout, region};
use super::{Allocation, Backend, Image, Pipeline, Planned, Residence};
use crate::error::{DeviceError, VulkanError};
use crate::record::{LinearLayout, TextureBody, TextureRegion, TextureShape};
use crate::shader::Function;
use crate::{Error, Schedule, SizeAndAlign, VulkanOptions};
use executor::Executor;
use gpu::Gpu;
use image::{VulkanImage, buffer_copies, linear_copies};
use instance::{Candidate, Instance};
use memory::VulkanMemory;
use pipeline::VulkanPipeline;

/// A device of a Vulkan driver.
#[derive(Debug)]
pub(crate) struct VulkanDevice {
    executor: Arc<Executor>,
    watcher: Option<JoinHandle<()>>,
}

/// UUIDs of all devices, the best first, and whether each is a GPU and not a program.
pub(crate) fn devices() -> Vec<([u8; 16], bool)> {
    let Ok(instance) = Instance::get() else { return Vec::new() };
    instance.candidates().iter().map(|found| (found.uuid, !found.is_cpu())).collect()
}

impl VulkanDevice {
    /// The device that the options name, or the best.
    pub(crate) fn open(options: &VulkanOptions) -> Result<Self, Error> {
        let instance = Instance::get()?;
        let candidates = instance.candidates();
        let named = |candidate: &&Candidate| {
            let name = options.name.as_ref().map(|name| name.to_lowercase());
            name.is_none_or(|name| {
                candidate.name.to_lowercase().contains(&name) || candidate.uuid_text() == name
            }) && options.uuid.is_none_or(|uuid| candidate.uuid == uuid)
        };
        let Some(candidate) = candidates.iter().find(named) else {
            let found =
                candidates.iter().map(|candidate| candidate.name.as_str()).collect::<Vec<_>>().join(", ");
            let asked = match (&options.name, &options.uuid) {
                (Some(name), _) => format!("named `{name}`"),
                (None, Some(uuid)) => format!("with the UUID {uuid:02x?}"),
                (None, None) => "of version 1.3 with a compute queue".to_owned(),
            };
            return Err(VulkanError::NoDevice { asked, found }.into());
        };
        Self::on(&Gpu::open(instance, candidate, options.pipeline_cache.clone())?)
    }

    fn on(gpu: &Arc<Gpu>) -> Result<Self, Error> {
        let executor = Executor::new(gpu)?;
        let watching = Arc::clone(&executor);
        let thread = std::thread::Builder::new().name("fencepost vulkan".to_owned());
        exit::watch_for_exit();
        let watch = move || {
            watching.watch();
            let _busy = exit::busy();
            drop(watching);
        };
        let watcher = thread.spawn(watch).map_err(|error| {
            let (device, result) = (gpu.name(), error.to_string());
            Error::from(VulkanError::Driver { device, call: "the start of its thread", result })
        })?;
        Ok(Self { executor, watcher: Some(watcher) })
    }

    fn gpu(&self) -> &Arc<Gpu> {
        &self.executor.gpu
    }

    /// Rows of a region, one behind the other, from and to the image.
    fn tight(region: &TextureRegion) -> (LinearLayout, u64) {
        let bytes_per_row = u64::from(region.size[0]) * u64::from(region.body.shape.format.bytes_per_texel());
        let bytes_per_image = bytes_per_row * u64::from(region.size[1]);
        let slices = u64::from(region.slices.end - region.slices.start);
        (LinearLayout { bytes_per_row, bytes_per_image }, bytes_per_image * slices)
    }
}

impl Drop for VulkanDevice {
    fn drop(&mut self) {
        self.executor.stop();
        // The last handle may go on the watcher's own thread, which then ends by itself.
        if let Some(watcher) = self.watcher.take()
            && watcher.thread().id() != std::thread::current().id()
        {
            watcher.join().ok();
        }
    }
}

impl Backend for VulkanDevice {
    fn name(&self) -> String {
        self.gpu().name()
    }

    fn uuid(&self) -> Option<[u8; 16]> {
        Some(self.gpu().candidate.uuid)
    }

    fn max_buffer_length(&self) -> u64 {
        self.gpu().limits.max_buffer_length
    }

    fn allocate(&self, bytes: u64, residence: Residence) -> Result<Arc<dyn Allocation>, Error> {
        let bytes = bytes.max(4).checked_next_multiple_of(4).ok_or(DeviceError::OutOfMemory { bytes })?;
        Ok(Arc::new(VulkanMemory::new(&self.executor.utility, bytes, residence)?))
    }

    fn share(&self, allocation: &Arc<dyn Allocation>) -> Result<Arc<dyn Allocation>, Error> {
        let any: &dyn Any = &**allocation;
        let here = |memory: &&VulkanMemory| Arc::ptr_eq(memory.gpu(), self.gpu());
        if any.downcast_ref().filter(here).is_some() {
            return Ok(Arc::clone(allocation));
        }
        #[cfg(target_os = "linux")]
        if let Some(memory) = allocation.shared_memory() {
            return self.adopt(memory);
        }
        Err(DeviceError::ForeignMemory { device: self.name() }.into())
    }

    #[cfg(target_os = "linux")]
    fn adopt(&self, memory: &Arc<fencepost_ipc::SharedMemory>) -> Result<Arc<dyn Allocation>, Error> {
        Ok(Arc::new(VulkanMemory::over(&self.executor.utility, memory)?))
    }

    fn image(
        &self,
        allocation: &Arc<dyn Allocation>,
        offset: u64,
        shape: &TextureShape,
        own: bool,
    ) -> Result<Option<Arc<dyn Image>>, Error> {
        let memory = VulkanMemory::of(&**allocation);
        Ok(Some(Arc::new(VulkanImage::new(&self.executor.utility, memory, offset, shape, own)?)))
    }

    fn share_image(&self, image: Option<&Arc<dyn Image>>) -> Result<Option<Arc<dyn Image>>, Error> {
        match image {
            Some(image) if (&**image as &dyn Any).is::<VulkanImage>() => Ok(Some(Arc::clone(image))),
            _ => Err(DeviceError::ForeignMemory { device: self.name() }.into()),
        }
    }

    fn has_unified_memory(&self) -> bool {
        self.gpu().candidate.has_unified_memory()
    }

    fn texture_size_and_align(&self, shape: &TextureShape) -> SizeAndAlign {
        let needs = self.gpu().image_requirements(shape);
        let granularity = self.gpu().limits.granularity;
        // The CPU's copy of a managed texture is as long.
        let size = needs.size.max(TextureLayout::new(shape).bytes());
        let size = size.checked_next_multiple_of(granularity).unwrap_or(size);
        SizeAndAlign { size, align: needs.alignment.max(granularity) }
    }

    fn copy(
        &self,
        from: &dyn Allocation,
        from_offset: u64,
        to: &dyn Allocation,
        to_offset: u64,
        length: u64,
    ) -> Result<(), Error> {
        VulkanMemory::of(to).copy_from(to_offset, VulkanMemory::of(from), from_offset, length)
    }

    fn upload_texture(
        &self,
        from: &dyn Allocation,
        from_offset: u64,
        texture: &TextureBody,
        bytes: &[Range<u64>],
    ) -> Result<(), Error> {
        let image = VulkanImage::of(texture);
        let copies = |bytes: &Range<u64>| linear_copies(&texture.shape, from_offset, bytes.clone());
        let copies: Vec<_> = bytes.iter().flat_map(copies).collect();
        self.executor.utility.run(|commands| {
            image.lay_out(commands);
            commands.copy_to_image(VulkanMemory::of(from).buffer(), image.raw, &copies);
        })
    }

    fn read_texture(
        &self,
        memory: &dyn Allocation,
        region: &TextureRegion,
        layout: LinearLayout,
        out: &mut [u8],
    ) -> Result<(), Error> {
        let row = |at: usize| row_start(region, layout, at);
        if !is_own(memory, region) {
            for (number, bytes) in region::rows(region).into_iter().enumerate() {
                let (to, length) = (row(number), (bytes.end - bytes.start) as usize);
                memory.read(bytes.start, &mut out[to..to + length]);
            }
            return Ok(());
        }
        let (image, (tight, bytes)) = (VulkanImage::of(&region.body), Self::tight(region));
        let copies = buffer_copies(region, 0, tight);
        let length = tight.bytes_per_row as usize;
        self.executor.utility.staged(
            bytes,
            |_| {},
            |commands, staging| {
                image.lay_out(commands);
                commands.copy_from_image(image.raw, staging, &copies);
            },
            |staging| {
                for number in 0..(bytes / tight.bytes_per_row.max(1)) as usize {
                    let to = row(number);
                    staging.read((number * length) as u64, &mut out[to..to + length]);
                }
            },
        )
    }

    fn write_texture(
        &self,
        memory: &dyn Allocation,
        region: &TextureRegion,
        layout: LinearLayout,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let row = |at: usize| row_start(region, layout, at);
        if !is_own(memory, region) {
            for (number, place) in region::rows(region).into_iter().enumerate() {
                let (from, length) = (row(number), (place.end - place.start) as usize);
                memory.write(place.start, &bytes[from..from + length]);
            }
            return Ok(());
        }
        let (image, (tight, needed)) = (VulkanImage::of(&region.body), Self::tight(region));
        let copies = buffer_copies(region, 0, tight);
        let length = tight.bytes_per_row as usize;
        self.executor.utility.staged(
            needed,
            |staging| {
                for number in 0..(needed / tight.bytes_per_row.max(1)) as usize {
                    let from = row(number);
                    staging.write((number * length) as u64, &bytes[from..from + length]);
                }
            },
            |commands, staging| {
                image.lay_out(commands);
                commands.copy_to_image(staging, image.raw, &copies);
            },
            |_| {},
        )
    }

    fn texture_rows(&self, region: &TextureRegion) -> Vec<Range<u64>> {
        region::rows(region)
    }

    fn pipeline(&self, function: &Function) -> Result<Arc<dyn Pipeline>, Error> {
        Ok(Arc::new(VulkanPipeline::new(self.gpu(), function)?))
    }

    fn submit(&self, work: &Planned) {
        self.executor.submit(work);
    }

    fn open(&self, node: NodeId) {
        self.executor.open(node);
    }

    fn retire(&self, below: NodeId) {
        self.executor.retire(below);
    }

    fn drive(&self) {}

    fn wait_begins(&self) {}

    fn wait_ends(&self) {}

    fn let_go(&self) {}

    fn holds_back(&self) -> bool {
        false
    }

    fn set_schedule(&self, _schedule: Schedule) {}
}

/// Whether what goes to the driver is judged (`FENCEPOST_VULKAN_CHECK=1`): for those who test this crate.
fn is_checked() -> bool {
    std::env::var_os("FENCEPOST_VULKAN_CHECK").is_some_and(|value| !value.is_empty() && value != "0")
}

/// Whether bytes are those of the texture itself, and not the CPU's copy of it.
fn is_own(memory: &dyn Allocation, region: &TextureRegion) -> bool {
    std::ptr::addr_eq(memory, &*region.body.allocation)
}

/// Where a row of a region is in the caller's bytes, rows of all slices numbered through.
fn row_start(region: &TextureRegion, layout: LinearLayout, number: usize) -> usize {
    let rows = region.size[1].max(1) as usize;
    let (image, row) = ((number / rows) as u64, (number % rows) as u64);
    (image * layout.bytes_per_image + row * layout.bytes_per_row) as usize
}
