//! What buffers and textures have in common: whose they are, where their bytes come from, who orders their uses.
//!
//! A resource has a name in the device's order engine and a place in an allocation. Both are given back when the last user of the
//! body lets go: the program's handles, recordings in flight, views.
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fencepost_core::{Access, AccessKind, Extent, ResourceId, Stage};

use crate::api::device::DeviceShared;
use crate::api::heap::HeapShared;
use crate::api::label::Label;
use crate::api::managed::CpuCopy;
use crate::api::memory::DeviceMemory;
use crate::api::sharing::OwnMemory;
use crate::error::ResourceError;
use crate::observe::Gone;
use crate::record::{BufferBody, Recorder, TextureBody, TextureView};
use crate::{Error, HazardTrackingMode, ResourceOptions, ResourceUsage, StorageMode};

/// The part of a resource that is the same for buffers and textures.
#[derive(Debug)]
pub(crate) struct ResourceCore {
    pub(crate) label: Label,
    pub(crate) device: Arc<DeviceShared>,
    pub(crate) resource: ResourceId,
    /// As asked for, with defaults resolved.
    pub(crate) options: ResourceOptions,
    pub(crate) home: Home,
    /// The CPU's copy of a managed resource.
    pub(crate) managed: Option<CpuCopy>,
}

/// Where a resource's memory comes from.
#[derive(Debug)]
pub(crate) enum Home {
    /// An allocation of its own, maybe seen by other devices too.
    Own(Arc<OwnMemory>),
    /// A place in a memory that others share.
    Memory(Arc<DeviceMemory>),
    /// All of a texture, seen as words: the name is the texture's.
    Texture(Arc<TextureBody>),
    /// A place on a heap.
    Heap { heap: Arc<HeapShared>, place: Range<u64>, state: Arc<PlaceState> },
}

/// What became of a resource's place on an automatic heap.
#[derive(Debug, Default)]
pub(crate) struct PlaceState {
    /// The heap may give the place to others.
    pub(crate) aliasable: AtomicBool,
    /// It has done so.
    pub(crate) reused: AtomicBool,
}

impl ResourceCore {
    /// That the resource still has its memory.
    #[inline]
    pub(crate) fn check_alive(&self, call: &'static str, noun: &'static str) -> Result<(), Error> {
        match &self.home {
            Home::Heap { heap, state, .. } if state.reused.load(Ordering::Acquire) => {
                Err(ResourceError::Reused { call, resource: self.label.of(noun), heap: heap.describe() }
                    .into())
            }
            _ => Ok(()),
        }
    }

    /// That the CPU may look into it.
    pub(crate) fn check_cpu_access(&self, call: &'static str, noun: &'static str) -> Result<(), Error> {
        self.check_alive(call, noun)?;
        if matches!(self.options.storage_mode, StorageMode::Shared | StorageMode::Managed) {
            return Ok(());
        }
        Err(ResourceError::Storage {
            call,
            resource: self.label.of(noun),
            mode: self.options.storage_mode,
            mend: "Copy to or from a shared resource on a queue",
        }
        .into())
    }

    /// The CPU's copy, or the error that says there is none.
    pub(crate) fn copy(&self, call: &'static str, noun: &'static str) -> Result<&CpuCopy, Error> {
        let (resource, mode) = (|| self.label.of(noun), self.options.storage_mode);
        self.managed
            .as_ref()
            .ok_or_else(|| ResourceError::NotManaged { call, resource: resource(), mode }.into())
    }

    /// Whether others may get its memory while somebody still has it.
    #[inline]
    pub(crate) fn can_be_lost(&self) -> bool {
        matches!(self.home, Home::Heap { .. })
    }

    /// Bytes from the start of the heap, where there is one.
    pub(crate) fn heap_offset(&self) -> Option<u64> {
        match &self.home {
            Home::Own(_) | Home::Memory(_) | Home::Texture(_) => None,
            Home::Heap { place, .. } => Some(place.start),
        }
    }

    pub(crate) fn make_aliasable(&self, noun: &'static str) -> Result<(), Error> {
        match &self.home {
            Home::Own(_) | Home::Memory(_) | Home::Texture(_) => Err(ResourceError::NotAliasable {
                resource: self.label.of(noun),
                why: "which is on no heap",
                mend: "Only memory of a heap can be given to others",
            }
            .into()),
            Home::Heap { heap, place, state } => {
                if !state.aliasable.swap(true, Ordering::AcqRel) {
                    heap.give_back(place, Some(state));
                }
                Ok(())
            }
        }
    }

    pub(crate) fn is_aliasable(&self) -> bool {
        match &self.home {
            Home::Own(_) | Home::Memory(_) | Home::Texture(_) => false,
            Home::Heap { state, .. } => state.aliasable.load(Ordering::Acquire),
        }
    }
}

impl Drop for ResourceCore {
    fn drop(&mut self) {
        if matches!(self.home, Home::Texture(_)) {
            return;
        }
        self.device.watch.gone(Gone::Resource(self.resource));
        self.device.submission.remove_resource(self.resource);
        match &self.home {
            Home::Own(memory) => memory.forget(self.resource),
            Home::Memory(_) | Home::Texture(_) => {}
            Home::Heap { heap, place, state } => {
                if !state.aliasable.load(Ordering::Acquire) {
                    heap.give_back(place, None);
                }
            }
        }
    }
}

/// A buffer or a texture, where either will do.
#[doc(alias = "MTLResource")]
pub trait Resource: sealed::Sealed {}

/// What a resource is, seen from inside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ResourceRef<'a> {
    Buffer(&'a Arc<BufferBody>),
    Texture(&'a TextureView),
}

impl ResourceRef<'_> {
    pub(crate) fn core(&self) -> &ResourceCore {
        match self {
            Self::Buffer(body) => &body.core,
            Self::Texture(view) => &view.body.core,
        }
    }

    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Buffer(_) => "buffer",
            Self::Texture(_) => "texture",
        }
    }

    /// All of it, by a kernel.
    pub(crate) fn access(&self, usage: ResourceUsage) -> Access {
        let extent = match self {
            Self::Buffer(_) => Extent::Whole,
            Self::Texture(view) => view.extent(),
        };
        let kind = match (usage.contains(ResourceUsage::READ), usage.contains(ResourceUsage::WRITE)) {
            (true, true) => AccessKind::ReadWrite,
            (false, true) => AccessKind::Write,
            _ => AccessKind::Read,
        };
        Access { resource: self.core().resource, extent, kind, stage: Stage::Dispatch }
    }

    /// The whole resource, also where it is a view.
    pub(crate) fn whole(&self, usage: ResourceUsage) -> Access {
        Access { extent: Extent::Whole, ..self.access(usage) }
    }

    /// Keeps it as long as the recording lives.
    pub(crate) fn keep(&self, recorder: &mut Recorder) {
        match self {
            Self::Buffer(body) => {
                recorder.buffer(body);
            }
            Self::Texture(view) => {
                recorder.texture(view);
            }
        }
    }
}

pub(crate) mod sealed {
    /// Only this crate has resources.
    pub trait Sealed {
        #[doc(hidden)]
        fn inside(&self) -> Inside<'_>;
    }

    /// What a resource is, for this crate alone.
    #[derive(Debug)]
    pub struct Inside<'a>(pub(crate) super::ResourceRef<'a>);
}

impl dyn Resource + '_ {
    pub(crate) fn reference(&self) -> ResourceRef<'_> {
        self.inside().0
    }
}

/// The options of a resource with an allocation of its own, defaults resolved.
pub(crate) fn resolve_options(
    call: &'static str,
    options: ResourceOptions,
) -> Result<ResourceOptions, Error> {
    check_storage(call, options.storage_mode)?;
    let hazard_tracking_mode = match options.hazard_tracking_mode {
        HazardTrackingMode::Default => HazardTrackingMode::Tracked,
        asked => asked,
    };
    Ok(ResourceOptions { hazard_tracking_mode, ..options })
}

/// That a storage mode is one that there is.
pub(crate) fn check_storage(call: &'static str, mode: StorageMode) -> Result<(), Error> {
    let mend = match mode {
        StorageMode::Shared | StorageMode::Private | StorageMode::Managed => return Ok(()),
        StorageMode::Memoryless => "Use private storage: only render passes have memoryless textures",
    };
    Err(ResourceError::Unsupported { what: format!("{call} with storage mode {mode:?}"), mend }.into())
}
