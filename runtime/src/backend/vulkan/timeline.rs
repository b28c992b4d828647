//! Numbers that a queue raises and that host and queues wait for.
#![allow(unsafe_code, reason = "calls the Vulkan driver")]
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ash::vk;

use super::gpu::Gpu;
use crate::Error;

/// A timeline semaphore, and how far the host has seen it come.
pub(super) struct Timeline {
    gpu: Arc<Gpu>,
    pub(super) raw: vk::Semaphore,
    /// Greatest value that was seen to be reached.
    reached: AtomicU64,
}

impl Timeline {
    /// A new one, at 0.
    pub(super) fn new(gpu: &Arc<Gpu>) -> Result<Self, Error> {
        let mut kind = vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
        let create = vk::SemaphoreCreateInfo::default().push_next(&mut kind);
        // SAFETY: timelines are a feature of every device that is opened.
        let raw = unsafe { gpu.raw.create_semaphore(&create, None) };
        let raw = raw.map_err(|result| gpu.error("vkCreateSemaphore", result))?;
        Ok(Self { gpu: Arc::clone(gpu), raw, reached: AtomicU64::new(0) })
    }

    /// What was seen last.
    pub(super) fn reached(&self) -> u64 {
        self.reached.load(Ordering::Acquire)
    }

    /// Looks.
    pub(super) fn look(&self) -> Result<u64, vk::Result> {
        // SAFETY: the semaphore is a timeline of this device.
        let value = unsafe { self.gpu.raw.get_semaphore_counter_value(self.raw) }?;
        if self.reached.fetch_max(value, Ordering::AcqRel) < value {
            self.gpu.note_progress();
        }
        Ok(value)
    }

    /// Raises it from the host. The caller sees to it that values grow.
    pub(super) fn raise(&self, value: u64) -> Result<(), vk::Result> {
        let signal = vk::SemaphoreSignalInfo::default().semaphore(self.raw).value(value);
        // SAFETY: no queue raises this one, and the value is greater than all before.
        unsafe { self.gpu.raw.signal_semaphore(&signal) }
    }

    /// Sleeps until any of these is reached, or so many nanoseconds have passed.
    pub(super) fn wait_any(
        gpu: &Gpu,
        semaphores: &[vk::Semaphore],
        values: &[u64],
        timeout_ns: u64,
    ) -> Result<(), vk::Result> {
        let wait = vk::SemaphoreWaitInfo::default()
            .flags(vk::SemaphoreWaitFlags::ANY)
            .semaphores(semaphores)
            .values(values);
        // SAFETY: the semaphores are timelines of this device, whoever waits for them keeps them.
        match unsafe { gpu.raw.wait_semaphores(&wait, timeout_ns) } {
            Err(vk::Result::TIMEOUT) => Ok(()),
            answer => answer,
        }
    }

    /// Sleeps until this value is reached.
    pub(super) fn wait(&self, value: u64) -> Result<(), vk::Result> {
        Self::wait_any(&self.gpu, &[self.raw], &[value], u64::MAX)?;
        self.reached.fetch_max(value, Ordering::AcqRel);
        Ok(())
    }
}

impl Drop for Timeline {
    fn drop(&mut self) {
        // SAFETY: whoever submits with it holds it until the point is reached.
        unsafe { self.gpu.raw.destroy_semaphore(self.raw, None) };
    }
}

impl fmt::Debug for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeline").field("reached", &self.reached).finish_non_exhaustive()
    }
}
