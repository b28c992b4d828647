//! Heaps: one piece of memory, many resources.
//!
//! An automatic heap finds places; a placement heap takes the program's word, and resources whose places overlap alias. What was made
//! aliasable on an automatic heap keeps its texels and bytes until somebody else is given the place; from then on using it is an
//! error, since its content is anybody's guess.
use std::fmt;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, Weak};

use fencepost_core::{Extent, MemoryId, ResourceId, Tracking};
use parking_lot::Mutex;
use range_alloc::RangeAllocator;

use crate::api::buffer::{self, HEAP_UNIT, WORD, round_up};
use crate::api::device::{DeviceShared, check_length, label_or_empty};
use crate::api::guard;
use crate::api::label::Label;
use crate::api::purgeable::Purgeable;
use crate::api::resource::{Home, PlaceState, ResourceCore, check_storage};
use crate::api::texture;
use crate::backend::{Allocation, Residence};
use crate::error::ResourceError;
use crate::observe::Gone;
use crate::record::{BufferBody, TextureBody};
use crate::submit::Claimant;
use crate::{
    Buffer, CpuCacheMode, Device, Error, HazardTrackingMode, HeapDescriptor, HeapKind, PurgeableState,
    ResourceOptions, StorageMode, Texture, TextureDescriptor,
};

/// A piece of memory to make buffers and textures of.
///
/// ```
/// use fencepost::{Device, HeapDescriptor, ResourceOptions};
/// let device = Device::cpu();
/// let options = ResourceOptions::SHARED;
/// let size = device.heap_buffer_size_and_align(1000, options)?.size;
/// let heap = device.new_heap(&HeapDescriptor { size, ..Default::default() })?;
/// let first = heap.new_buffer(1000, options)?;
/// assert!(heap.new_buffer(1000, options).is_err(), "the heap is full");
/// first.make_aliasable()?;
/// let second = heap.new_buffer(1000, options)?;
/// assert_eq!(first.heap_offset(), second.heap_offset());
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLHeap")]
#[derive(Clone)]
pub struct Heap {
    pub(crate) shared: Arc<HeapShared>,
}

/// What resources of a heap hold on to.
pub(crate) struct HeapShared {
    pub(crate) device: Arc<DeviceShared>,
    allocation: Arc<dyn Allocation>,
    pub(crate) memory: MemoryId,
    /// The heap as a whole, for `use_heap`; absent where it is untracked.
    pub(crate) whole: Option<ResourceId>,
    pub(crate) size: u64,
    kind: HeapKind,
    pub(crate) options: ResourceOptions,
    pub(crate) label: Label,
    places: Mutex<Places>,
    /// Whether the device may take the content of all that is on it; absent until somebody says something about it.
    pub(crate) purgeable: OnceLock<Arc<Purgeable>>,
}

/// Who has which bytes.
struct Places {
    /// Of an automatic heap.
    free: RangeAllocator<u64>,
    /// Places given back while their owner lives.
    aliasable: Vec<(Range<u64>, Weak<PlaceState>)>,
    /// Of a placement heap: where resources are.
    placed: Vec<Range<u64>>,
}

/// A place on the heap and what the resource there was asked to be.
struct Placed {
    place: Range<u64>,
    options: ResourceOptions,
    tracking: Tracking,
}

impl Heap {
    pub(crate) fn create(device: &Arc<DeviceShared>, descriptor: &HeapDescriptor) -> Result<Self, Error> {
        const CALL: &str = "`new_heap`";
        check_length(device, CALL, descriptor.size)?;
        check_storage(CALL, descriptor.options.storage_mode)?;
        if descriptor.options.storage_mode == StorageMode::Managed {
            let mend = "Use shared or private storage: managed resources have memory of their own";
            return Err(ResourceError::NoSuchStorage { call: CALL, mode: StorageMode::Managed, mend }.into());
        }
        let size = round_up(descriptor.size, HEAP_UNIT);
        let allocation = device.allocate(size, Residence::of(descriptor.options.storage_mode))?;
        let hazard_tracking_mode = match descriptor.options.hazard_tracking_mode {
            HazardTrackingMode::Default => HazardTrackingMode::Untracked,
            asked => asked,
        };
        let tracked = hazard_tracking_mode == HazardTrackingMode::Tracked;
        let memory = device.submission.add_memory();
        let whole = tracked.then(|| buffer::register(device, memory, 0..size, Tracking::WithHeap));
        let places = Places { free: RangeAllocator::new(0..size), aliasable: Vec::new(), placed: Vec::new() };
        let shared = HeapShared {
            device: Arc::clone(device),
            allocation,
            memory,
            whole,
            size,
            kind: descriptor.kind,
            options: ResourceOptions { hazard_tracking_mode, ..descriptor.options },
            label: Label::default(),
            places: Mutex::new(places),
            purgeable: OnceLock::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// A buffer on an automatic heap. Its content is whatever was there before.
    ///
    /// # Errors
    /// A heap without room; a placement heap; a storage mode that is not the heap's; tracked hazards on an untracked heap.
    #[doc(alias = "newBufferWithLength:options:")]
    pub fn new_buffer(&self, length: u64, options: ResourceOptions) -> Result<Buffer, Error> {
        self.buffer("`new_buffer` of a heap", length, options, None)
    }

    /// A buffer at a place of a placement heap, in bytes. It aliases whatever overlaps it.
    ///
    /// # Errors
    /// A place that is not on the heap or not a multiple of what
    /// [`heap_buffer_size_and_align`](Device::heap_buffer_size_and_align) says; otherwise as [`new_buffer`](Self::new_buffer).
    #[doc(alias = "newBufferWithLength:options:offset:")]
    pub fn new_buffer_at(&self, length: u64, options: ResourceOptions, offset: u64) -> Result<Buffer, Error> {
        self.buffer("`new_buffer_at`", length, options, Some(offset))
    }

    /// A texture on an automatic heap. Its content is whatever was there before. A memoryless one takes no place, and is on no heap.
    ///
    /// # Errors
    /// As [`new_buffer`](Self::new_buffer), and a descriptor that [`Device::new_texture`] would refuse.
    #[doc(alias = "newTextureWithDescriptor:")]
    pub fn new_texture(&self, descriptor: &TextureDescriptor) -> Result<Texture, Error> {
        self.texture("`new_texture` of a heap", descriptor, None)
    }

    /// A texture at a place of a placement heap, in bytes. It aliases whatever overlaps it.
    ///
    /// # Errors
    /// As [`new_buffer_at`](Self::new_buffer_at), and a descriptor that [`Device::new_texture`] would refuse.
    #[doc(alias = "newTextureWithDescriptor:offset:")]
    pub fn new_texture_at(&self, descriptor: &TextureDescriptor, offset: u64) -> Result<Texture, Error> {
        self.texture("`new_texture_at`", descriptor, Some(offset))
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.shared.size
    }

    /// Bytes that resources have and did not make aliasable.
    #[doc(alias = "usedSize")]
    pub fn used_size(&self) -> u64 {
        let places = self.shared.places.lock();
        match self.shared.kind {
            HeapKind::Automatic => self.shared.size - places.free.total_available(),
            HeapKind::Placement => covered(&places.placed),
        }
    }

    /// Bytes of memory that it takes: its size, or none while its content is purged.
    #[doc(alias = "currentAllocatedSize")]
    pub fn current_allocated_size(&self) -> u64 {
        if self.shared.state() == PurgeableState::Empty { 0 } else { self.shared.allocation.length() }
    }

    /// Says whether the device may take the content of all that is on the heap, and answers what was said before. What holds for a
    /// resource's own state ([`Buffer::set_purgeable_state`]) holds here for all of them at once.
    ///
    /// ```
    /// use fencepost::{Device, HeapDescriptor, PurgeableState, ResourceOptions};
    /// let heap = Device::cpu().new_heap(&HeapDescriptor { size: 4096, ..Default::default() })?;
    /// let buffer = heap.new_buffer(64, ResourceOptions::SHARED)?;
    /// heap.set_purgeable_state(PurgeableState::Empty)?;
    /// assert!(buffer.read::<u8>(..).is_err());
    /// assert_eq!(heap.current_allocated_size(), 0);
    /// assert_eq!(heap.set_purgeable_state(PurgeableState::NonVolatile)?, PurgeableState::Empty);
    /// # Ok::<(), fencepost::Error>(())
    /// ```
    ///
    /// # Errors
    /// Work in flight that uses something on it; a guard that holds some of it.
    #[doc(alias = "setPurgeableState:")]
    pub fn set_purgeable_state(&self, state: PurgeableState) -> Result<PurgeableState, Error> {
        const CALL: &str = "`set_purgeable_state`";
        let shared = &self.shared;
        if state == PurgeableState::KeepCurrent {
            return Ok(shared.state());
        }
        let memory = || std::iter::once(Arc::clone(&shared.allocation)).collect();
        let purgeable = shared.purgeable.get_or_init(|| Purgeable::new(memory()));
        let submission = &shared.device.submission;
        // A name for all of it, for as long as nobody may use any of it.
        let all = buffer::register(&shared.device, shared.memory, 0..shared.size, Tracking::Untracked);
        let held = submission.is_held(all);
        let hold = submission.hold(all, &Extent::Whole, true, Claimant::copy());
        let done = match &hold {
            _ if held => Err(ResourceError::HeldByGuard { call: CALL, resource: shared.describe() }.into()),
            Err(obstruction) => {
                Err(guard::conflict(CALL, "all".to_owned(), shared.describe(), obstruction, true))
            }
            Ok(_) => Ok(purgeable.set(&shared.device, state)),
        };
        drop(hold);
        submission.remove_resource(all);
        done
    }

    /// Bytes of the largest resource with this alignment that would find room. On a placement heap: all of it.
    ///
    /// # Errors
    /// An alignment that is no power of two.
    #[doc(alias = "maxAvailableSizeWithAlignment")]
    pub fn max_available_size(&self, alignment: u64) -> Result<u64, Error> {
        if !alignment.is_power_of_two() {
            let (call, what) = ("`max_available_size`", "the alignment, a power of two,");
            return Err(
                ResourceError::Number { call, what, value: alignment, least: 1, most: 1 << 63 }.into()
            );
        }
        if self.shared.kind == HeapKind::Placement {
            return Ok(self.shared.size);
        }
        Ok(self.shared.largest(&self.shared.places.lock(), alignment.max(HEAP_UNIT)))
    }

    /// How it gives out its memory.
    #[doc(alias = "type")]
    pub fn kind(&self) -> HeapKind {
        self.shared.kind
    }

    /// Where it lives and who orders the uses of what is on it; never `Default`.
    #[doc(alias = "resourceOptions")]
    pub fn resource_options(&self) -> ResourceOptions {
        self.shared.options
    }

    /// Who can reach what is on it.
    #[doc(alias = "storageMode")]
    pub fn storage_mode(&self) -> StorageMode {
        self.shared.options.storage_mode
    }

    /// How the CPU's caches treat what is on it.
    #[doc(alias = "cpuCacheMode")]
    pub fn cpu_cache_mode(&self) -> CpuCacheMode {
        self.shared.options.cpu_cache_mode
    }

    /// Whether tracked queues order the uses of what is on it, all of it as one thing; never `Default`.
    #[doc(alias = "hazardTrackingMode")]
    pub fn hazard_tracking_mode(&self) -> HazardTrackingMode {
        self.shared.options.hazard_tracking_mode
    }

    /// The device it belongs to.
    pub fn device(&self) -> Device {
        Device { shared: Arc::clone(&self.shared.device) }
    }

    /// Its label; empty where there is none.
    pub fn label(&self) -> String {
        label_or_empty(&self.shared.label)
    }

    /// Gives it a name for messages.
    #[doc(alias = "setLabel")]
    pub fn set_label(&self, label: &str) {
        self.shared.label.set(label);
    }

    fn buffer(
        &self,
        call: &'static str,
        length: u64,
        options: ResourceOptions,
        offset: Option<u64>,
    ) -> Result<Buffer, Error> {
        let device = &self.shared.device;
        check_length(device, call, length)?;
        let size = round_up(length, HEAP_UNIT);
        let placed = self.shared.place(call, size, HEAP_UNIT, options, offset)?;
        let words = round_up(length, WORD);
        let bytes = placed.place.start..placed.place.start + words;
        let resource = buffer::register(device, self.shared.memory, bytes, placed.tracking);
        let allocation = Arc::clone(&self.shared.allocation);
        let offset = placed.place.start;
        let core = self.core(resource, placed);
        Ok(Buffer::from_body(BufferBody { resource, allocation, offset, length: words, core }, length))
    }

    fn texture(
        &self,
        call: &'static str,
        descriptor: &TextureDescriptor,
        offset: Option<u64>,
    ) -> Result<Texture, Error> {
        let device = &self.shared.device;
        if descriptor.resource_options.storage_mode == StorageMode::Memoryless {
            return Texture::create(device, descriptor);
        }
        let shape = texture::check_descriptor(call, descriptor)?;
        let taken = texture::place_size(device, &shape);
        let placed = self.shared.place(call, taken.size, taken.align, descriptor.resource_options, offset)?;
        let bytes = device.backend().texture_size_and_align(&shape).size;
        let bytes = placed.place.start..placed.place.start + bytes;
        let resource = texture::register(device, self.shared.memory, bytes, &shape, placed.tracking);
        let allocation = Arc::clone(&self.shared.allocation);
        let offset = placed.place.start;
        let core = self.core(resource, placed);
        let image = device.backend().image(&allocation, offset, &shape, false)?;
        Ok(Texture::from_body(TextureBody { resource, allocation, offset, shape, image, core }, descriptor))
    }

    fn core(&self, resource: ResourceId, placed: Placed) -> ResourceCore {
        ResourceCore {
            label: Label::default(),
            device: Arc::clone(&self.shared.device),
            resource,
            options: placed.options,
            home: Home::Heap { heap: Arc::clone(&self.shared), place: placed.place, state: Arc::default() },
            managed: None,
        }
    }
}

impl HeapShared {
    /// "heap `label`", for messages.
    pub(crate) fn describe(&self) -> String {
        self.label.of("heap")
    }

    /// Whether the device may take the content.
    pub(crate) fn state(&self) -> PurgeableState {
        self.purgeable.get().map_or(PurgeableState::NonVolatile, |purgeable| purgeable.state())
    }

    /// The error of a use while its content is lent or gone.
    #[cold]
    pub(crate) fn not_there(&self, call: &'static str) -> Error {
        ResourceError::Purgeable { call, resource: self.describe(), state: self.state() }.into()
    }

    /// A resource is gone (no state) or was made aliasable: others may have its place.
    pub(crate) fn give_back(&self, place: &Range<u64>, state: Option<&Arc<PlaceState>>) {
        let mut places = self.places.lock();
        match self.kind {
            HeapKind::Automatic => {
                places.free.free_range(place.clone());
                places.aliasable.extend(state.map(|state| (place.clone(), Arc::downgrade(state))));
            }
            HeapKind::Placement => {
                if let Some(index) = places.placed.iter().position(|placed| placed == place) {
                    places.placed.swap_remove(index);
                }
            }
        }
    }

    fn place(
        &self,
        call: &'static str,
        size: u64,
        align: u64,
        options: ResourceOptions,
        offset: Option<u64>,
    ) -> Result<Placed, Error> {
        let (options, tracking) = self.resolve(call, options)?;
        let place = match (self.kind, offset) {
            (HeapKind::Automatic, None) => self.find(call, size, align)?,
            (HeapKind::Placement, Some(offset)) => self.take(call, size, align, offset)?,
            (HeapKind::Automatic, Some(_)) => {
                let mend = "Leave the offset out, or make a heap of kind `Placement`";
                return Err(self.wrong_kind(call, "placement", mend));
            }
            (HeapKind::Placement, None) => {
                let mend = "Name an offset, or make a heap of kind `Automatic`";
                return Err(self.wrong_kind(call, "automatic", mend));
            }
        };
        Ok(Placed { place, options, tracking })
    }

    /// A free place, which is free no longer. Whoever was there before has lost it.
    fn find(&self, call: &'static str, size: u64, align: u64) -> Result<Range<u64>, Error> {
        let mut places = self.places.lock();
        let Ok(place) = places.free.allocate_range_aligned(size, align) else {
            let largest = self.largest(&places, align);
            let heap = self.describe();
            return Err(ResourceError::HeapFull { call, needed: size, heap, largest, size: self.size }.into());
        };
        places.aliasable.retain(|(former, state)| {
            let Some(state) = state.upgrade() else { return false };
            let overlap = former.start < place.end && place.start < former.end;
            if overlap {
                state.reused.store(true, Ordering::Release);
            }
            !overlap
        });
        Ok(place)
    }

    /// The place that the program names.
    fn take(&self, call: &'static str, size: u64, align: u64, offset: u64) -> Result<Range<u64>, Error> {
        if !offset.is_multiple_of(align) {
            return Err(ResourceError::Alignment {
                call,
                what: "the offset",
                value: offset,
                multiple: align,
            }
            .into());
        }
        let end = offset.saturating_add(size);
        if end > self.size {
            let heap = self.describe();
            return Err(
                ResourceError::Bytes { call, start: offset, end, buffer: heap, length: self.size }.into()
            );
        }
        self.places.lock().placed.push(offset..end);
        Ok(offset..end)
    }

    /// What a resource here will be, and how it is tracked: it may opt out of its heap's tracking, never in.
    fn resolve(
        &self,
        call: &'static str,
        asked: ResourceOptions,
    ) -> Result<(ResourceOptions, Tracking), Error> {
        let wrong = |what, asked: String, own: String| {
            Err(ResourceError::HeapMode { call, what, asked, heap: self.describe(), own }.into())
        };
        if asked.storage_mode != self.options.storage_mode {
            let (asked, own) = (asked.storage_mode, self.options.storage_mode);
            return wrong("the storage mode", format!("{asked:?}"), format!("{own:?}"));
        }
        if asked.cpu_cache_mode != self.options.cpu_cache_mode {
            let (asked, own) = (asked.cpu_cache_mode, self.options.cpu_cache_mode);
            return wrong("the cache mode", format!("{asked:?}"), format!("{own:?}"));
        }
        let own = self.options.hazard_tracking_mode;
        let mode = match asked.hazard_tracking_mode {
            HazardTrackingMode::Default => own,
            HazardTrackingMode::Tracked if own != HazardTrackingMode::Tracked => {
                return Err(ResourceError::HeapTracking { call, heap: self.describe() }.into());
            }
            asked => asked,
        };
        let tracking =
            if mode == HazardTrackingMode::Tracked { Tracking::WithHeap } else { Tracking::Untracked };
        Ok((ResourceOptions { hazard_tracking_mode: mode, ..asked }, tracking))
    }

    fn largest(&self, places: &Places, align: u64) -> u64 {
        let mut largest = 0;
        let mut start = 0;
        for taken in places.free.allocated_ranges() {
            largest = largest.max(taken.start.saturating_sub(round_up(start, align)));
            start = taken.end;
        }
        largest.max(self.size.saturating_sub(round_up(start, align)))
    }

    fn wrong_kind(&self, call: &'static str, belongs: &'static str, mend: &'static str) -> Error {
        ResourceError::HeapKind { call, belongs, heap: self.describe(), mend }.into()
    }
}

impl Drop for HeapShared {
    fn drop(&mut self) {
        if let Some(whole) = self.whole {
            self.device.watch.gone(Gone::Resource(whole));
            self.device.submission.remove_resource(whole);
        }
        self.device.watch.gone(Gone::Memory(self.memory));
        self.device.submission.remove_memory(self.memory);
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl fmt::Debug for HeapShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap")
            .field("label", &self.label)
            .field("size", &self.size)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Bytes that lie in at least one of the ranges.
fn covered(ranges: &[Range<u64>]) -> u64 {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable_by_key(|range| range.start);
    let mut end = 0;
    let mut sum = 0;
    for range in sorted {
        sum += range.end.saturating_sub(range.start.max(end));
        end = end.max(range.end);
    }
    sum
}
