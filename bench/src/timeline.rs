//! A timeline semaphore of lavapipe, through ash: what Vulkan has for a number that the CPU and queues raise and wait for.

use std::error::Error;
use std::time::{Duration, Instant};

use ash::vk;

use crate::raw::find_lavapipe;

/// A semaphore with a value, and a queue that signals and waits for it.
pub struct Timeline {
    device: ash::Device,
    queue: vk::Queue,
    semaphore: vk::Semaphore,
    /// Keeps the loader's library mapped.
    _entry: ash::Entry,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

impl Timeline {
    /// A semaphore with value 0. Like everything here it lives as long as the process.
    ///
    /// # Errors
    /// Where the loader or lavapipe is not there.
    pub fn new() -> Outcome<Self> {
        // SAFETY: the library found is the system's Vulkan loader, whose initialisers may be run.
        let entry = unsafe { ash::Entry::load() }?;
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let create = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: the description is complete and outlives the call.
        let instance = unsafe { entry.create_instance(&create, None) }?;
        let physical = find_lavapipe(&instance)?;
        let priorities = [1.0];
        let queues =
            [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&priorities)];
        let mut features = vk::PhysicalDeviceVulkan12Features::default().timeline_semaphore(true);
        let create = vk::DeviceCreateInfo::default().queue_create_infos(&queues).push_next(&mut features);
        // SAFETY: queue family 0 of lavapipe exists, and every Vulkan 1.2 has timeline semaphores.
        let device = unsafe { instance.create_device(physical, &create, None) }?;
        // SAFETY: one queue of family 0 was asked for above.
        let queue = unsafe { device.get_device_queue(0, 0) };
        let semaphore = semaphore(&device)?;
        Ok(Self { device, queue, semaphore, _entry: entry })
    }

    /// Another semaphore of the same device, with value 0.
    ///
    /// # Errors
    /// Whatever the driver says.
    pub fn another(&self) -> Outcome<Self> {
        let semaphore = semaphore(&self.device)?;
        Ok(Self { device: self.device.clone(), queue: self.queue, semaphore, _entry: self._entry.clone() })
    }

    /// `vkSignalSemaphore`. The value must be larger than the one before.
    pub fn signal(&self, value: u64) {
        let signal = vk::SemaphoreSignalInfo::default().semaphore(self.semaphore).value(value);
        // SAFETY: the semaphore is a timeline of this device; the caller raises it and nobody else does at the same time.
        unsafe { self.device.signal_semaphore(&signal) }.expect("the device is there");
    }

    /// `vkWaitSemaphores` without a time limit.
    pub fn wait(&self, value: u64) {
        let (semaphores, values) = ([self.semaphore], [value]);
        let wait = vk::SemaphoreWaitInfo::default().semaphores(&semaphores).values(&values);
        // SAFETY: the semaphore is a timeline of this device.
        unsafe { self.device.wait_semaphores(&wait, u64::MAX) }.expect("the device is there");
    }

    /// Submits so many empty batches, each of which signals the next value and, if asked for, waits for the one before. The time that the
    /// submission took; it has completed when the call returns.
    ///
    /// # Errors
    /// Whatever the driver says.
    pub fn batches(&self, first: u64, count: u64, waits: bool) -> Outcome<Duration> {
        let semaphores = [self.semaphore];
        let stages = [vk::PipelineStageFlags::ALL_COMMANDS];
        let (before, after): (Vec<_>, Vec<_>) = (first..first + count).map(|n| ([n - 1], [n])).unzip();
        let values = before.iter().zip(&after).map(|(before, after)| {
            let values = vk::TimelineSemaphoreSubmitInfo::default().signal_semaphore_values(after);
            if waits { values.wait_semaphore_values(before) } else { values }
        });
        let mut values: Vec<_> = values.collect();
        let batches = values.iter_mut().map(|values| {
            let batch = vk::SubmitInfo::default().signal_semaphores(&semaphores);
            let batch =
                if waits { batch.wait_semaphores(&semaphores).wait_dst_stage_mask(&stages) } else { batch };
            batch.push_next(values)
        });
        let batches: Vec<_> = batches.collect();
        let begin = Instant::now();
        // SAFETY: the values grow from batch to batch and begin above what the semaphore has.
        unsafe { self.device.queue_submit(self.queue, &batches, vk::Fence::null()) }?;
        let time = begin.elapsed();
        self.wait(first + count - 1);
        Ok(time)
    }
}

impl std::fmt::Debug for Timeline {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Timeline").field("semaphore", &self.semaphore).finish_non_exhaustive()
    }
}

fn semaphore(device: &ash::Device) -> Outcome<vk::Semaphore> {
    let mut kind = vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
    let create = vk::SemaphoreCreateInfo::default().push_next(&mut kind);
    // SAFETY: the device was made with the feature.
    Ok(unsafe { device.create_semaphore(&create, None) }?)
}
