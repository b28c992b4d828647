//! The loader, found at run time, and the devices that its drivers have.
//!
//! Nothing is linked: a machine without a loader gets a typed error and goes on. The instance is made once a process and never given
//! back, since drivers do not like to be unloaded. Layers are the environment's affair (`VK_INSTANCE_LAYERS`).
#![allow(unsafe_code, reason = "calls the Vulkan loader")]
use std::ffi::CStr;
use std::sync::{Arc, OnceLock};

use ash::vk;

use crate::Error;
use crate::error::VulkanError;

/// The loader and its instance.
pub(super) struct Instance {
    pub(super) raw: ash::Instance,
    /// Keeps the library loaded.
    _entry: ash::Entry,
}

/// A device as enumerated.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(super) physical: vk::PhysicalDevice,
    pub(crate) name: String,
    pub(crate) uuid: [u8; 16],
    pub(super) kind: vk::PhysicalDeviceType,
    /// The family whose queues run everything, and how many it has.
    pub(super) family: u32,
    pub(super) queues: u32,
}

impl Instance {
    /// The process's instance.
    pub(super) fn get() -> Result<&'static Arc<Self>, Error> {
        static INSTANCE: OnceLock<Result<Arc<Instance>, VulkanError>> = OnceLock::new();
        INSTANCE.get_or_init(|| Self::load().map(Arc::new)).as_ref().map_err(|error| error.clone().into())
    }

    fn load() -> Result<Self, VulkanError> {
        let none = |why: String| VulkanError::NoDriver { why };
        // SAFETY: the system's Vulkan loader has no precondition for being loaded.
        let entry = unsafe { ash::Entry::load() }.map_err(|error| none(error.to_string()))?;
        // SAFETY: the loader stays loaded as long as `entry` lives.
        let version = unsafe { entry.try_enumerate_instance_version() };
        if version.ok().flatten().is_none_or(|version| version < vk::API_VERSION_1_3) {
            return Err(none("its loader is older than Vulkan 1.3".to_owned()));
        }
        let application =
            vk::ApplicationInfo::default().engine_name(c"fencepost").api_version(vk::API_VERSION_1_3);
        let create = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: the structure is valid and outlives the call; no extension or layer is named.
        let raw = unsafe { entry.create_instance(&create, None) };
        let raw = raw.map_err(|result| none(format!("it makes no instance ({result})")))?;
        Ok(Self { raw, _entry: entry })
    }

    /// Devices that can run compute and copies, the best first: discrete, integrated, virtual, then those that are programs.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        // SAFETY: the instance is never destroyed.
        let physical = unsafe { self.raw.enumerate_physical_devices() }.unwrap_or_default();
        let mut found: Vec<_> =
            physical.into_iter().filter_map(|physical| self.candidate(physical)).collect();
        found.sort_by_key(|candidate| rank(candidate.kind));
        found
    }

    fn candidate(&self, physical: vk::PhysicalDevice) -> Option<Candidate> {
        let mut id = vk::PhysicalDeviceIDProperties::default();
        let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut id);
        // SAFETY: the handle comes from this instance, and the chain is of structures that Vulkan 1.1 knows.
        unsafe { self.raw.get_physical_device_properties2(physical, &mut properties) };
        let properties = properties.properties;
        if properties.api_version < vk::API_VERSION_1_3 {
            return None;
        }
        // SAFETY: the handle comes from this instance.
        let families = unsafe { self.raw.get_physical_device_queue_family_properties(physical) };
        // One family for everything, so that no memory changes its owner; one that draws as well where there is one.
        let best =
            (0..).zip(&families).filter(|(_, family)| family.queue_flags.contains(vk::QueueFlags::COMPUTE));
        let (family, facts) = best.max_by_key(|(_, family)| {
            (family.queue_flags.contains(vk::QueueFlags::GRAPHICS), family.queue_count)
        })?;
        let name = properties.device_name_as_c_str().unwrap_or(c"").to_string_lossy().into_owned();
        let queues = facts.queue_count.min(QUEUES_MAX);
        Some(Candidate { physical, name, uuid: id.device_uuid, kind: properties.device_type, family, queues })
    }

    /// Whether a device has an extension.
    pub(super) fn has(&self, physical: vk::PhysicalDevice, extension: &CStr) -> bool {
        // SAFETY: the handle comes from this instance.
        let found = unsafe { self.raw.enumerate_device_extension_properties(physical) }.unwrap_or_default();
        found.iter().any(|found| found.extension_name_as_c_str() == Ok(extension))
    }
}

impl Candidate {
    /// A program that stands for a GPU.
    pub(crate) fn is_cpu(&self) -> bool {
        self.kind == vk::PhysicalDeviceType::CPU
    }

    /// CPU and GPU reach the same memory.
    pub(super) fn has_unified_memory(&self) -> bool {
        matches!(self.kind, vk::PhysicalDeviceType::CPU | vk::PhysicalDeviceType::INTEGRATED_GPU)
    }

    /// Its UUID as people write it.
    pub(crate) fn uuid_text(&self) -> String {
        let hex: String = self.uuid.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

fn rank(kind: vk::PhysicalDeviceType) -> u32 {
    match kind {
        vk::PhysicalDeviceType::DISCRETE_GPU => 0,
        vk::PhysicalDeviceType::INTEGRATED_GPU => 1,
        vk::PhysicalDeviceType::VIRTUAL_GPU => 2,
        vk::PhysicalDeviceType::CPU => 4,
        _ => 3,
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").finish_non_exhaustive()
    }
}

/// More queues than this gain nothing: a device has fewer engines.
const QUEUES_MAX: u32 = 16;
