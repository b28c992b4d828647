//! What buffers and textures have in common: whose they are, where their bytes come from, who orders their uses.
//!
//! A resource has a name in the device's order engine and a place in an allocation. Both are given back when the last user of the
//! body lets go: the program's handles, recordings in flight, views.
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fencepost_core::{Access, AccessKind, Extent, ResourceId, Stage};
use smallvec::SmallVec;

use crate::api::device::DeviceShared;
use crate::api::guard;
use crate::api::heap::HeapShared;
use crate::api::label::Label;
use crate::api::managed::CpuCopy;
use crate::api::memory::DeviceMemory;
use crate::api::purgeable::Purgeable;
use crate::api::sharing::OwnMemory;
use crate::backend::Allocation;
use crate::error::ResourceError;
use crate::observe::Gone;
use crate::record::{BufferBody, Recorder, TextureBody, TextureView};
use crate::submit::{Claimant, Hold};
use crate::{Error, HazardTrackingMode, Heap, PurgeableState, ResourceOptions, ResourceUsage, StorageMode};

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
    /// That the resource has memory, and has it still.
    #[inline]
    pub(crate) fn check_alive(&self, call: &'static str, noun: &'static str) -> Result<(), Error> {
        if self.options.storage_mode == StorageMode::Memoryless {
            return Err(ResourceError::Memoryless { call, resource: self.label.of(noun) }.into());
        }
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
            return self.check_content(call, noun);
        }
        Err(ResourceError::Storage {
            call,
            resource: self.label.of(noun),
            mode: self.options.storage_mode,
            mend: "Copy to or from a shared resource on a queue",
        }
        .into())
    }

    /// That the content is not lent to the device, nor gone (rule 11.3).
    #[inline]
    pub(crate) fn check_content(&self, call: &'static str, noun: &'static str) -> Result<(), Error> {
        match self.purgeable().map(|purgeable| purgeable.state()) {
            None | Some(PurgeableState::NonVolatile) => Ok(()),
            Some(state) => {
                Err(ResourceError::Purgeable { call, resource: self.label.of(noun), state }.into())
            }
        }
    }

    /// The state of its memory, where it was ever changed.
    #[inline]
    fn purgeable(&self) -> Option<&Arc<Purgeable>> {
        match &self.home {
            Home::Own(memory) => memory.purgeable.get(),
            Home::Memory(_) => None,
            Home::Texture(body) => body.core.purgeable(),
            Home::Heap { heap, .. } => heap.purgeable.get(),
        }
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

    /// The heap that it is on.
    pub(crate) fn heap(&self) -> Option<Heap> {
        match &self.home {
            Home::Own(_) | Home::Memory(_) | Home::Texture(_) => None,
            Home::Heap { heap, .. } => Some(Heap { shared: Arc::clone(heap) }),
        }
    }

    /// Bytes of memory that this resource of so many bytes takes: a managed one has two copies, and what is purged has none.
    pub(crate) fn allocated_size(&self, bytes: u64) -> u64 {
        let empty = self.purgeable().is_some_and(|purgeable| purgeable.state() == PurgeableState::Empty);
        if empty || self.options.storage_mode == StorageMode::Memoryless {
            return 0;
        }
        bytes * (1 + u64::from(self.managed.is_some()))
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

/// What buffers and textures tell of themselves in the same words, written once.
macro_rules! resource_methods {
    () => {
        /// The device it belongs to.
        pub fn device(&self) -> crate::Device {
            crate::Device { shared: std::sync::Arc::clone(&self.inside().0.core().device) }
        }

        /// Where it lives and who orders its uses; never `Default`.
        #[doc(alias = "resourceOptions")]
        pub fn resource_options(&self) -> crate::ResourceOptions {
            self.inside().0.core().options
        }

        /// Who can reach its bytes.
        #[doc(alias = "storageMode")]
        pub fn storage_mode(&self) -> crate::StorageMode {
            self.resource_options().storage_mode
        }

        /// How the CPU's caches treat it.
        #[doc(alias = "cpuCacheMode")]
        pub fn cpu_cache_mode(&self) -> crate::CpuCacheMode {
            self.resource_options().cpu_cache_mode
        }

        /// Whether tracked queues order its uses; never `Default`.
        #[doc(alias = "hazardTrackingMode")]
        pub fn hazard_tracking_mode(&self) -> crate::HazardTrackingMode {
            self.resource_options().hazard_tracking_mode
        }

        /// The heap that it is on; `None` where it has memory of its own, or none.
        pub fn heap(&self) -> Option<crate::Heap> {
            self.inside().0.core().heap()
        }

        /// Its place on its heap, in bytes; `None` where it is on no heap.
        #[doc(alias = "heapOffset")]
        pub fn heap_offset(&self) -> Option<u64> {
            self.inside().0.core().heap_offset()
        }

        /// Whether the heap may give its memory to others; a view answers for its texture. Never so of a memoryless texture.
        #[doc(alias = "isAliasable")]
        pub fn is_aliasable(&self) -> bool {
            self.inside().0.core().is_aliasable()
        }

        /// Says whether the device may take the content, and answers what was said before.
        ///
        /// [`Volatile`](crate::PurgeableState::Volatile) content goes when another allocation finds no room, and at once on a device with an
        /// adversarial schedule. Until it is nonvolatile again, reads, writes and guards of the CPU and commits of work that uses it are
        /// errors. If the call that makes it [`NonVolatile`](crate::PurgeableState::NonVolatile) answers
        /// [`Empty`](crate::PurgeableState::Empty), the content is lost: write it anew. What is empty stays so until then.
        /// [`KeepCurrent`](crate::PurgeableState::KeepCurrent) only asks.
        ///
        /// ```
        /// use fencepost::{Device, ErrorKind, PurgeableState};
        /// let cache = Device::cpu().new_buffer_with_data(&[1u32, 2], Default::default())?;
        /// assert_eq!(cache.set_purgeable_state(PurgeableState::Empty)?, PurgeableState::NonVolatile);
        /// assert_eq!(cache.read::<u32>(..).unwrap_err().kind(), ErrorKind::Purgeable);
        /// if cache.set_purgeable_state(PurgeableState::NonVolatile)? == PurgeableState::Empty {
        ///     cache.write(0, &[1u32, 2])?; // It was lost: make it again.
        /// }
        /// assert_eq!(cache.read::<u32>(..)?, [1, 2]);
        /// # Ok::<(), fencepost::Error>(())
        /// ```
        ///
        /// # Errors
        /// A resource on a heap (set the heap's state), of several devices or processes, or without memory; work in flight that uses it; a
        /// guard that holds some of it.
        #[doc(alias = "setPurgeableState:")]
        pub fn set_purgeable_state(
            &self,
            state: crate::PurgeableState,
        ) -> Result<crate::PurgeableState, crate::Error> {
            self.inside().0.set_purgeable_state(state)
        }
    };
}

pub(crate) use resource_methods;

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

    /// Sets whether the device may take the content; what the state was.
    pub(crate) fn set_purgeable_state(&self, asked: PurgeableState) -> Result<PurgeableState, Error> {
        const CALL: &str = "`set_purgeable_state`";
        let (core, noun) = (self.core(), self.noun());
        if core.options.storage_mode == StorageMode::Memoryless {
            return Err(ResourceError::Memoryless { call: CALL, resource: core.label.of(noun) }.into());
        }
        if asked == PurgeableState::KeepCurrent {
            return Ok(core.purgeable().map_or(PurgeableState::NonVolatile, |purgeable| purgeable.state()));
        }
        let refused = |why, mend| {
            let resource = core.label.of(noun);
            Err(ResourceError::NotPurgeable { resource, why, mend }.into())
        };
        let own = match &core.home {
            Home::Own(own) => own,
            Home::Heap { .. } => return refused("which is on a heap", "Set the state of the heap"),
            Home::Memory(_) | Home::Texture(_) => {
                return refused("which has its memory in common with others", "Give it memory of its own");
            }
        };
        if own.is_shared() || self.crosses_processes() {
            let mend = "Give it memory of its own";
            return refused("whose memory other devices or processes see", mend);
        }
        let purgeable = own.purgeable.get_or_init(|| Purgeable::new(self.memory()));
        let held = self.hold_all(CALL)?;
        let before = purgeable.set(&core.device, asked);
        drop(held);
        Ok(before)
    }

    /// Its allocations: the GPU's, and the CPU's copy where it is managed.
    fn memory(&self) -> SmallVec<[Arc<dyn Allocation>; 2]> {
        let own = Arc::clone(match self {
            Self::Buffer(body) => &body.allocation,
            Self::Texture(view) => &view.body.allocation,
        });
        let copy = self.core().managed.as_ref().map(|copy| Arc::clone(&copy.allocation));
        std::iter::once(own).chain(copy).collect()
    }

    #[cfg(target_os = "linux")]
    fn crosses_processes(&self) -> bool {
        self.memory().iter().any(|memory| memory.shared_memory().is_some())
    }

    #[cfg(not(target_os = "linux"))]
    fn crosses_processes(&self) -> bool {
        false
    }

    /// Keeps work and guards away from all copies, or says who uses one.
    fn hold_all(&self, call: &'static str) -> Result<SmallVec<[Hold; 2]>, Error> {
        let (core, noun) = (self.core(), self.noun());
        let names = [Some(core.resource), core.managed.as_ref().map(|copy| copy.resource)];
        let submission = &core.device.submission;
        let hold = |name| {
            if submission.is_held(name) {
                return Err(ResourceError::HeldByGuard { call, resource: core.label.of(noun) }.into());
            }
            submission.hold(name, &Extent::Whole, true, Claimant::copy()).map_err(|obstruction| {
                guard::conflict(call, "all".to_owned(), core.label.of(noun), &obstruction, true)
            })
        };
        names.into_iter().flatten().map(hold).collect()
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
pub(crate) fn resolve_options(options: ResourceOptions) -> ResourceOptions {
    let hazard_tracking_mode = match options.hazard_tracking_mode {
        HazardTrackingMode::Default => HazardTrackingMode::Tracked,
        asked => asked,
    };
    ResourceOptions { hazard_tracking_mode, ..options }
}

/// That a storage mode is one that has memory.
pub(crate) fn check_storage(call: &'static str, mode: StorageMode) -> Result<(), Error> {
    if mode == StorageMode::Memoryless {
        let mend =
            "Use private storage: only textures that are attachments and nothing else do without memory";
        return Err(ResourceError::NoSuchStorage { call, mode, mend }.into());
    }
    Ok(())
}
