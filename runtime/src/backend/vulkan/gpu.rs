//! A driver's device: its queues, limits and memory. Every [`Device`](crate::Device) on one GPU shares one, so that they reach the same
//! memory, and since two of them on one GPU would take turns instead of running at once.
#![allow(unsafe_code, reason = "calls the Vulkan driver")]
use std::collections::HashMap;
use std::ffi::c_char;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use ash::vk;
use gpu_allocator::vulkan::{
    Allocation as Block, AllocationCreateDesc, AllocationScheme, Allocator, AllocatorCreateDesc,
};
use gpu_allocator::{AllocationError, MemoryLocation};
use parking_lot::Mutex;

use super::instance::{Candidate, Instance};
use crate::error::{DeviceError, VulkanError};
use crate::record::TextureShape;
use crate::{Error, SamplerDescriptor};

/// A driver's device.
pub(super) struct Gpu {
    instance: Arc<Instance>,
    pub(super) candidate: Candidate,
    pub(super) raw: ash::Device,
    pub(super) limits: Limits,
    /// Access to a queue is one at a time.
    queues: Vec<Mutex<vk::Queue>>,
    /// Taken away before the device goes.
    allocator: Mutex<Option<Allocator>>,
    pub(super) host_memory: Option<ash::ext::external_memory_host::Device>,
    /// What images of these shapes need.
    images: Mutex<HashMap<TextureShape, vk::MemoryRequirements>>,
    samplers: Mutex<Vec<(SamplerDescriptor, vk::Sampler)>>,
    pub(super) cache: vk::PipelineCache,
    cache_path: Option<PathBuf>,
    pub(super) checked: bool,
    progress: AtomicU64,
}

/// What a driver says about itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_buffer_length: u64,
    pub(super) max_storage_range: u64,
    pub(super) max_uniform_range: u64,
    pub(super) storage_alignment: u64,
    pub(super) uniform_alignment: u64,
    pub(super) max_groups: [u32; 3],
    pub(super) max_group_threads: u32,
    pub(super) max_group_size: [u32; 3],
    pub(super) max_workgroup_bytes: u32,
    /// Buffers and images must not share such a piece of memory.
    pub(super) granularity: u64,
    pub(super) host_import_alignment: u64,
}

/// A submission to a queue.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) waits: Vec<(vk::Semaphore, u64)>,
    pub(super) commands: vk::CommandBuffer,
    pub(super) signal: (vk::Semaphore, u64),
}

impl Gpu {
    /// The device of a candidate: the one that others use already, or a new one.
    pub(super) fn open(
        instance: &Arc<Instance>,
        candidate: &Candidate,
        cache_path: Option<PathBuf>,
    ) -> Result<Arc<Self>, Error> {
        static OPEN: Mutex<Vec<Weak<Gpu>>> = Mutex::new(Vec::new());
        let mut open = OPEN.lock();
        open.retain(|gpu| gpu.strong_count() > 0);
        let known = open.iter().filter_map(Weak::upgrade).find(|gpu| {
            gpu.candidate.physical == candidate.physical && gpu.cache_path == cache_path && !gpu.is_lost()
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let made = Arc::new(Self::new(Arc::clone(instance), candidate.clone(), cache_path)?);
        open.push(Arc::downgrade(&made));
        Ok(made)
    }

    fn new(
        instance: Arc<Instance>,
        candidate: Candidate,
        cache_path: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let physical = candidate.physical;
        let (limits, formats) = facts(&instance, physical);
        let mut extensions: Vec<*const c_char> = Vec::new();
        let host_memory = instance.has(physical, ash::ext::external_memory_host::NAME);
        if host_memory {
            extensions.push(ash::ext::external_memory_host::NAME.as_ptr());
        }
        let priorities = vec![1.0; candidate.queues as usize];
        let queues = [vk::DeviceQueueCreateInfo::default()
            .queue_family_index(candidate.family)
            .queue_priorities(&priorities)];
        let features = vk::PhysicalDeviceFeatures::default().shader_storage_image_extended_formats(formats);
        let mut features_12 = vk::PhysicalDeviceVulkan12Features::default().timeline_semaphore(true);
        let mut features_13 =
            vk::PhysicalDeviceVulkan13Features::default().synchronization2(true).maintenance4(true);
        let create = vk::DeviceCreateInfo::default()
            .queue_create_infos(&queues)
            .enabled_extension_names(&extensions)
            .enabled_features(&features)
            .push_next(&mut features_12)
            .push_next(&mut features_13);
        let refused = |call, result: vk::Result| {
            Error::from(VulkanError::Driver {
                device: candidate.name.clone(),
                call,
                result: result.to_string(),
            })
        };
        // SAFETY: the handle is the instance's; the features are those that Vulkan 1.3 demands, or were asked for; extensions are there.
        let raw = unsafe { instance.raw.create_device(physical, &create, None) }
            .map_err(|result| refused("vkCreateDevice", result))?;
        let queue = |index| {
            // SAFETY: the device was made with so many queues of this family.
            Mutex::new(unsafe { raw.get_device_queue(candidate.family, index) })
        };
        let queues = (0..candidate.queues).map(queue).collect();
        let allocator = allocator(&instance, &raw, physical);
        let allocator =
            allocator.map_err(|_| refused("the allocator", vk::Result::ERROR_INITIALIZATION_FAILED))?;
        let host_memory =
            host_memory.then(|| ash::ext::external_memory_host::Device::new(&instance.raw, &raw));
        let mut gpu = Self {
            instance,
            candidate,
            raw,
            limits,
            queues,
            allocator: Mutex::new(Some(allocator)),
            host_memory,
            images: Mutex::default(),
            samplers: Mutex::default(),
            cache: vk::PipelineCache::null(),
            cache_path,
            checked: super::is_checked(),
            progress: AtomicU64::new(0),
        };
        gpu.load_cache();
        Ok(gpu)
    }

    pub(super) fn name(&self) -> String {
        self.candidate.name.clone()
    }

    /// How many queues there are, at least one.
    pub(super) fn queue_count(&self) -> usize {
        self.queues.len()
    }

    /// Words a driver's answer.
    #[cold]
    pub(super) fn error(&self, call: &'static str, result: vk::Result) -> Error {
        let (device, words) = (self.name(), result.to_string());
        match result {
            vk::Result::ERROR_DEVICE_LOST => VulkanError::Lost { device, call, result: words }.into(),
            vk::Result::ERROR_OUT_OF_DEVICE_MEMORY | vk::Result::ERROR_OUT_OF_HOST_MEMORY => {
                DeviceError::OutOfMemory { bytes: 0 }.into()
            }
            _ => VulkanError::Driver { device, call, result: words }.into(),
        }
    }

    /// Words what this device lacks.
    #[cold]
    pub(super) fn lacks(&self, what: impl Into<String>, mend: &'static str) -> Error {
        VulkanError::Lacks { what: what.into(), device: self.name(), mend }.into()
    }

    /// Submits to a queue, in order.
    pub(super) fn submit(&self, queue: usize, batches: &[Batch]) -> Result<(), vk::Result> {
        let stage = vk::PipelineStageFlags2::ALL_COMMANDS;
        let point = |&(semaphore, value): &(vk::Semaphore, u64)| {
            vk::SemaphoreSubmitInfo::default().semaphore(semaphore).value(value).stage_mask(stage)
        };
        let waits: Vec<Vec<_>> =
            batches.iter().map(|batch| batch.waits.iter().map(point).collect()).collect();
        let signals: Vec<_> = batches.iter().map(|batch| [point(&batch.signal)]).collect();
        let commands: Vec<_> = batches
            .iter()
            .map(|batch| [vk::CommandBufferSubmitInfo::default().command_buffer(batch.commands)])
            .collect();
        let infos = waits.iter().zip(&signals).zip(&commands).map(|((waits, signals), commands)| {
            vk::SubmitInfo2::default()
                .wait_semaphore_infos(waits)
                .signal_semaphore_infos(signals)
                .command_buffer_infos(commands)
        });
        let infos: Vec<_> = infos.collect();
        let queue = self.queues[queue % self.queues.len()].lock();
        // SAFETY: the lock makes this the only access to the queue. Command buffers are recorded and not in flight; semaphores are
        // timelines that only this crate raises, each to a greater value; what is named lives until its point is reached.
        unsafe { self.raw.queue_submit2(*queue, &infos, vk::Fence::null()) }
    }

    /// Memory for what needs this. `OutOfMemory` where there is none.
    pub(super) fn allocate(
        &self,
        requirements: vk::MemoryRequirements,
        location: MemoryLocation,
        linear: bool,
    ) -> Result<Block, Error> {
        let bytes = requirements.size;
        let refused = || Error::from(DeviceError::OutOfMemory { bytes });
        let description = AllocationCreateDesc {
            name: "fencepost",
            requirements,
            location,
            linear,
            allocation_scheme: AllocationScheme::GpuAllocatorManaged,
        };
        let mut allocator = self.allocator.lock();
        match allocator.as_mut().ok_or_else(refused)?.allocate(&description) {
            Ok(block) => Ok(block),
            Err(AllocationError::OutOfMemory | AllocationError::FailedToMap(_)) => Err(refused()),
            Err(error) => {
                Err(self.lacks(format!("memory of {bytes} bytes ({error})"), "Choose another storage mode"))
            }
        }
    }

    pub(super) fn free(&self, block: Block) {
        if let Some(allocator) = self.allocator.lock().as_mut() {
            // The block is this allocator's own, which is the one thing that it can complain about.
            allocator.free(block).ok();
        }
    }

    /// What an image of this shape needs; asked once.
    pub(super) fn image_requirements(&self, shape: &TextureShape) -> vk::MemoryRequirements {
        *self.images.lock().entry(*shape).or_insert_with(|| {
            let create = super::image::create_info(self, shape);
            let ask = vk::DeviceImageMemoryRequirements::default().create_info(&create);
            let mut answer = vk::MemoryRequirements2::default();
            // SAFETY: the description is one that an image may be made from, and `maintenance4` is on.
            unsafe { self.raw.get_device_image_memory_requirements(&ask, &mut answer) };
            answer.memory_requirements
        })
    }

    /// What an optimal image of this format can be used for.
    pub(super) fn format_features(&self, format: vk::Format) -> vk::FormatFeatureFlags {
        // SAFETY: the handle is the instance's.
        let properties = unsafe {
            self.instance.raw.get_physical_device_format_properties(self.candidate.physical, format)
        };
        properties.optimal_tiling_features
    }

    /// Kinds of memory, as a mask of their indices, that have these properties.
    pub(super) fn memory_types(&self, wanted: vk::MemoryPropertyFlags) -> u32 {
        // SAFETY: the handle is the instance's.
        let memory =
            unsafe { self.instance.raw.get_physical_device_memory_properties(self.candidate.physical) };
        let types = (0..).zip(memory.memory_types_as_slice());
        types
            .filter(|(_, kind)| kind.property_flags.contains(wanted))
            .fold(0, |mask, (index, _)| mask | 1 << index)
    }

    /// The sampler of a descriptor.
    pub(super) fn sampler(&self, descriptor: &SamplerDescriptor) -> Result<vk::Sampler, Error> {
        let mut samplers = self.samplers.lock();
        if let Some((_, made)) = samplers.iter().find(|(known, _)| known == descriptor) {
            return Ok(*made);
        }
        let create = super::image::sampler_info(descriptor);
        // SAFETY: the description is valid: no anisotropy, levels in order, coordinates normalised.
        let made = unsafe { self.raw.create_sampler(&create, None) };
        let made = made.map_err(|result| self.error("vkCreateSampler", result))?;
        samplers.push((*descriptor, made));
        Ok(made)
    }

    /// The compiled kernels of earlier runs, where the program has named a file for them.
    fn load_cache(&mut self) {
        let bytes = self.cache_path.as_ref().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        let create = vk::PipelineCacheCreateInfo::default().initial_data(&bytes);
        // SAFETY: the driver judges by the header whether the bytes are its own, and else takes none of them.
        self.cache = unsafe { self.raw.create_pipeline_cache(&create, None) }.unwrap_or_default();
    }

    /// Writes the compiled kernels down, for the next run. What cannot be written is compiled again.
    fn store_cache(&self) {
        let Some(path) = &self.cache_path else { return };
        // SAFETY: the cache is this device's.
        if let Ok(bytes) = unsafe { self.raw.get_pipeline_cache_data(self.cache) } {
            // By way of a second name, so that nobody finds half of it.
            let whole = path.with_extension("part");
            if std::fs::write(&whole, bytes).is_ok() {
                std::fs::rename(&whole, path).ok();
            }
        }
    }

    /// The host has seen that some queue has come further.
    pub(super) fn note_progress(&self) {
        self.progress.fetch_add(1, Ordering::AcqRel);
    }

    /// How often that has happened, where validation layers watch: what one device has seen may release another one of the same GPU.
    pub(super) fn progress(&self) -> u64 {
        if self.checked { self.progress.load(Ordering::Acquire) } else { 0 }
    }

    /// In front of memory that others may have used before. Those have seen their work end, but validation layers take nothing for an
    /// end that the host has seen by a timeline: where they watch, everything comes to its end first.
    pub(super) fn settle(&self) {
        if self.checked {
            let _all: Vec<_> = self.queues.iter().map(Mutex::lock).collect();
            // SAFETY: nobody uses a queue, and what was submitted waits for nothing but what was submitted.
            unsafe { self.raw.device_wait_idle() }.ok();
        }
    }

    fn is_lost(&self) -> bool {
        // SAFETY: the queue is empty or not, and the null fence is what an empty submission may name.
        let answer = unsafe { self.raw.queue_submit2(*self.queues[0].lock(), &[], vk::Fence::null()) };
        answer.is_err()
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        // Whoever had work in flight has waited for it; this is for a driver that still looks at something.
        // SAFETY: nobody else has the device any more.
        unsafe { self.raw.device_wait_idle() }.ok();
        self.store_cache();
        for (_, sampler) in self.samplers.get_mut().drain(..) {
            // SAFETY: nothing in flight uses it.
            unsafe { self.raw.destroy_sampler(sampler, None) };
        }
        // SAFETY: nobody compiles any more.
        unsafe { self.raw.destroy_pipeline_cache(self.cache, None) };
        drop(self.allocator.get_mut().take());
        // SAFETY: everything that was made from it is gone: all of it holds this value.
        unsafe { self.raw.destroy_device(None) };
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpu").field("name", &self.candidate.name).finish_non_exhaustive()
    }
}

/// An allocator of the device's memory.
fn allocator(
    instance: &Instance,
    raw: &ash::Device,
    physical: vk::PhysicalDevice,
) -> Result<Allocator, AllocationError> {
    Allocator::new(&AllocatorCreateDesc {
        instance: instance.raw.clone(),
        device: raw.clone(),
        physical_device: physical,
        debug_settings: gpu_allocator::AllocatorDebugSettings::default(),
        buffer_device_address: false,
        allocation_sizes: gpu_allocator::AllocationSizes::new(BLOCK_BYTES, BLOCK_BYTES),
    })
}

/// What a driver says about itself, and whether kernels may store to formats of one and two components.
fn facts(instance: &Instance, physical: vk::PhysicalDevice) -> (Limits, bool) {
    let mut maintenance_3 = vk::PhysicalDeviceMaintenance3Properties::default();
    let mut maintenance_4 = vk::PhysicalDeviceMaintenance4Properties::default();
    let mut host = vk::PhysicalDeviceExternalMemoryHostPropertiesEXT::default();
    let mut properties = vk::PhysicalDeviceProperties2::default()
        .push_next(&mut maintenance_3)
        .push_next(&mut maintenance_4)
        .push_next(&mut host);
    // SAFETY: the handle is the instance's; structures of extensions that a driver does not know are passed over.
    unsafe { instance.raw.get_physical_device_properties2(physical, &mut properties) };
    let all = properties.properties.limits;
    // SAFETY: the handle is the instance's.
    let features = unsafe { instance.raw.get_physical_device_features(physical) };
    let limits = Limits {
        max_buffer_length: maintenance_4
            .max_buffer_size
            .min(maintenance_3.max_memory_allocation_size)
            .min(MAX_BUFFER_LENGTH),
        max_storage_range: u64::from(all.max_storage_buffer_range) & !3,
        max_uniform_range: u64::from(all.max_uniform_buffer_range) & !3,
        storage_alignment: all.min_storage_buffer_offset_alignment.max(4),
        uniform_alignment: all.min_uniform_buffer_offset_alignment.max(4),
        max_groups: all.max_compute_work_group_count,
        max_group_threads: all.max_compute_work_group_invocations,
        max_group_size: all.max_compute_work_group_size,
        max_workgroup_bytes: all.max_compute_shared_memory_size,
        granularity: all.buffer_image_granularity.max(1),
        host_import_alignment: host.min_imported_host_pointer_alignment.max(1),
    };
    (limits, features.shader_storage_image_extended_formats == vk::TRUE)
}

/// Word indices of kernels are 32 bits wide.
const MAX_BUFFER_LENGTH: u64 = 1 << 34;
/// Bytes of the pieces that memory is taken in; what is larger has a piece of its own.
const BLOCK_BYTES: u64 = 64 << 20;
