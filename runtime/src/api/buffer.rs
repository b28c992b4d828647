//! Buffers: bytes that kernels read and write.
//!
//! The CPU reaches them by copies and by guards, never by a pointer: each looks first whether work in flight uses the bytes, and says
//! which command does. So there is no race to lose, whatever the program forgets.
use std::fmt;
use std::ops::{Range, RangeBounds};
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;

use fencepost_core::{Extent, ResourceDescriptor, ResourceId, ResourceShape, Tracking};

use crate::api::device::{DeviceShared, check_length, label_or_empty};
use crate::api::guard;
use crate::api::label::Label;
use crate::api::managed::CpuCopy;
use crate::api::resource::sealed::Sealed as _;
use crate::api::resource::{
    Home, Resource, ResourceCore, ResourceRef, check_storage, resolve_options, resource_methods, sealed,
};
use crate::api::sharing::{self, OwnMemory, View};
use crate::backend::{Allocation, Residence};
use crate::error::ResourceError;
use crate::observe::{Body, Happening};
use crate::record::BufferBody;
use crate::{Error, HazardTrackingMode, Pod, ResourceOptions, SizeAndAlign, StorageMode};

/// Bytes that kernels and copies read and write.
///
/// Clones are the same buffer. Its memory lives until the last clone is gone and no work in flight uses it.
///
/// ```
/// use fencepost::{Device, ErrorKind};
/// let device = Device::cpu();
/// let buffer = device.new_buffer(16, Default::default())?;
/// buffer.write(4, &[1.5f32, 2.5])?;
/// assert_eq!(buffer.read::<f32>(..)?, [0.0, 1.5, 2.5, 0.0]);
/// assert_eq!(buffer.read::<f32>(8..32).unwrap_err().kind(), ErrorKind::OutOfBounds);
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLBuffer")]
#[derive(Clone)]
pub struct Buffer {
    pub(crate) body: Arc<BufferBody>,
    /// As asked for; the body's is rounded up to whole words.
    length: u64,
}

/// The memory of a buffer, unguarded. See [`Buffer::contents`].
///
/// ```
/// use fencepost::Device;
/// let buffer = Device::cpu().new_buffer(8, Default::default())?;
/// let contents = buffer.contents()?;
/// contents.write(4, &[7u32])?;
/// assert_eq!(contents.read::<u32>(..)?, [0, 7]);
/// # Ok::<(), fencepost::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BufferContents {
    buffer: Buffer,
}

/// Where a buffer lies in an allocation, in bytes.
struct Place {
    offset: u64,
    length: u64,
}

impl Buffer {
    pub(crate) fn create(
        device: &Arc<DeviceShared>,
        length: u64,
        options: ResourceOptions,
    ) -> Result<Self, Error> {
        const CALL: &str = "`new_buffer`";
        check_length(device, CALL, length)?;
        let options = resolve_options(options);
        check_storage(CALL, options.storage_mode)?;
        let words = round_up(length, WORD);
        let allocation = device.allocate(words, Residence::of(options.storage_mode))?;
        let managed = match options.storage_mode {
            StorageMode::Managed => {
                let copy = device.allocate(words, Residence::CpuCopy)?;
                Some(CpuCopy::new(device, copy, 0, words, ResourceShape::Buffer))
            }
            _ => None,
        };
        Ok(Self::of_allocation(device, allocation, length, options, managed))
    }

    /// A buffer over memory that other processes may see.
    #[cfg(target_os = "linux")]
    pub(crate) fn over(
        device: &Arc<DeviceShared>,
        call: &'static str,
        memory: &Arc<fencepost_ipc::SharedMemory>,
        options: ResourceOptions,
    ) -> Result<Self, Error> {
        check_length(device, call, memory.length())?;
        let options = resolve_options(options);
        check_storage(call, options.storage_mode)?;
        if options.storage_mode == StorageMode::Managed {
            let what = format!("{call} with storage mode {:?}", options.storage_mode);
            let mend = "Use shared storage: the CPU's copy of managed memory belongs to one process";
            return Err(ResourceError::Unsupported { what, mend }.into());
        }
        let (shared, allocation) = sharing::adopt(call, device, memory, options)?;
        let length = memory.length();
        let place = Place { offset: 0, length };
        Self::in_shared(call, device, &shared, allocation, place, || format!("memory of {length} bytes"))
    }

    fn of_allocation(
        device: &Arc<DeviceShared>,
        allocation: Arc<dyn Allocation>,
        length: u64,
        options: ResourceOptions,
        managed: Option<CpuCopy>,
    ) -> Self {
        let words = round_up(length, WORD);
        let memory = OwnMemory::new(device);
        let tracking = own_tracking(options.hazard_tracking_mode);
        let resource = register(device, memory.id(), 0..words, tracking);
        let core = ResourceCore {
            label: Label::default(),
            device: Arc::clone(device),
            resource,
            options,
            home: Home::Own(memory),
            managed,
        };
        Self::from_body(BufferBody { resource, allocation, offset: 0, length: words, core }, length)
    }

    /// A part of another buffer's memory, seen by `device`.
    pub(crate) fn sharing(
        device: &Arc<DeviceShared>,
        source: &Self,
        range: impl RangeBounds<u64>,
        mode: HazardTrackingMode,
    ) -> Result<Self, Error> {
        const CALL: &str = "`new_buffer_sharing`";
        let range = source.range(CALL, range)?;
        let length = range.end - range.start;
        check_length(device, CALL, length)?;
        if !range.start.is_multiple_of(HEAP_UNIT) {
            let (value, multiple) = (range.start, HEAP_UNIT);
            let what = "the start of the range";
            return Err(ResourceError::Alignment { call: CALL, what, value, multiple }.into());
        }
        let theirs = &source.body;
        let own = theirs.offset..theirs.offset + theirs.length;
        let shared = sharing::share(CALL, device, &theirs.core, NOUN, own, mode)?;
        let allocation = device.backend().share(&theirs.allocation)?;
        let place = Place { offset: theirs.offset + range.start, length };
        Self::in_shared(CALL, device, &shared, allocation, place, || source.describe())
    }

    /// A buffer in memory that others may see.
    fn in_shared(
        call: &'static str,
        device: &Arc<DeviceShared>,
        shared: &sharing::Shared,
        allocation: Arc<dyn Allocation>,
        Place { offset, length }: Place,
        source: impl Fn() -> String,
    ) -> Result<Self, Error> {
        let words = round_up(length, WORD);
        let bytes = offset..offset + words;
        let tracking = own_tracking(shared.options.hazard_tracking_mode);
        let resource = register(device, shared.memory.id(), bytes.clone(), tracking);
        let core = ResourceCore {
            label: Label::default(),
            device: Arc::clone(device),
            resource,
            options: shared.options,
            home: Home::Own(Arc::clone(&shared.memory)),
            managed: None,
        };
        // From here on the drop of the core takes back what was done.
        let body = BufferBody { resource, allocation, offset, length: words, core };
        shared.enter(call, source(), View { device: Arc::downgrade(device), resource, bytes })?;
        Ok(Self::from_body(body, length))
    }

    pub(crate) fn from_body(body: BufferBody, length: u64) -> Self {
        Self { body: Arc::new(body), length }
    }

    /// Its length in bytes, as asked for.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of memory that it takes: two copies where it is managed, none while its content is purged.
    #[doc(alias = "allocatedSize")]
    pub fn allocated_size(&self) -> u64 {
        self.body.core.allocated_size(self.body.length)
    }

    resource_methods!();

    /// Its label; empty where there is none.
    pub fn label(&self) -> String {
        label_or_empty(&self.body.core.label)
    }

    /// Gives it a name for messages.
    #[doc(alias = "setLabel")]
    pub fn set_label(&self, label: &str) {
        self.body.core.label.set(label);
    }

    /// Copies values out. The range is in bytes and holds a whole number of values.
    ///
    /// # Errors
    /// A range outside of the buffer or with part of a value; private storage; work in flight that writes these bytes (wait for it
    /// first); a write guard that holds them.
    #[doc(alias = "contents")]
    #[track_caller]
    pub fn read<T: Pod>(&self, range: impl RangeBounds<u64>) -> Result<Vec<T>, Error> {
        let range = self.range("`read`", range)?;
        let mut values = guard::zeros(whole_values::<T>("`read`", &range)?)?;
        self.read_bytes("`read`", range.start, bytemuck::cast_slice_mut(&mut values))?;
        Ok(values)
    }

    /// Copies values out into `values`, from byte `offset` on.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    #[track_caller]
    pub fn read_into<T: Pod>(&self, offset: u64, values: &mut [T]) -> Result<(), Error> {
        self.read_bytes("`read_into`", offset, bytemuck::cast_slice_mut(values))
    }

    /// Copies values in, from byte `offset` on.
    ///
    /// # Errors
    /// A range outside of the buffer; private storage; work in flight that uses these bytes (wait for it first); a guard that holds
    /// them.
    #[track_caller]
    pub fn write<T: Pod>(&self, offset: u64, values: &[T]) -> Result<(), Error> {
        const CALL: &str = "`write`";
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let range = self.part(CALL, offset, bytes.len() as u64)?;
        self.body.core.check_cpu_access(CALL, NOUN)?;
        let _hold = guard::hold(CALL, &self.body, &range, true)?;
        self.body.tell_write(range);
        let (memory, start) = self.body.cpu_memory();
        memory.write(start + offset, bytes);
        Ok(())
    }

    /// Tells a managed buffer's GPU copy what the CPU has written: these bytes are brought over by the next commit of work that uses the
    /// buffer, and only these. Until then the GPU sees the old ones. Work that was committed before does not see them in time.
    ///
    /// ```
    /// use fencepost::{Device, ResourceOptions, StorageMode};
    /// let device = Device::cpu();
    /// let managed = ResourceOptions { storage_mode: StorageMode::Managed, ..ResourceOptions::SHARED };
    /// let buffer = device.new_buffer(16, managed)?;
    /// let copied = device.new_buffer(16, ResourceOptions::SHARED)?;
    /// buffer.write(0, &[1u32, 2, 3, 4])?;
    /// buffer.did_modify_range(4..12)?;
    /// let work = device.new_command_queue().command_buffer();
    /// let mut blit = work.blit_command_encoder()?;
    /// blit.copy_buffer(&buffer, 0, &copied, 0, 16)?;
    /// blit.end_encoding();
    /// work.commit()?;
    /// work.wait_until_completed()?;
    /// assert_eq!(copied.read::<u32>(..)?, [0, 2, 3, 0]);
    /// # Ok::<(), fencepost::Error>(())
    /// ```
    ///
    /// # Errors
    /// A buffer that is not managed; a range outside of it.
    #[doc(alias = "didModifyRange:")]
    #[track_caller]
    pub fn did_modify_range(&self, range: impl RangeBounds<u64>) -> Result<(), Error> {
        const CALL: &str = "`did_modify_range`";
        let copy = self.body.core.copy(CALL, NOUN)?;
        let range = self.range(CALL, range)?;
        let watch = &self.body.core.device.watch;
        if watch.is_on() {
            let extent = self.body.told(range.clone());
            watch.tell(Happening::Published(Body::Buffer(&self.body), &extent), Location::caller());
        }
        copy.publish(range);
        Ok(())
    }

    /// A view of the memory that asks nobody: for programs that order CPU and GPU themselves.
    ///
    /// The guards refuse whatever *could* be in flight. A program that knows better, because a shared event has told it that the GPU
    /// has come so far and waits, writes and reads through this. A race with a kernel is a wrong value and nothing worse. Where it must
    /// be a pointer, [`BufferContents::as_ptr`] is one, and what is done with it is `unsafe`.
    ///
    /// # Errors
    /// Private storage.
    pub fn contents(&self) -> Result<BufferContents, Error> {
        self.body.core.check_cpu_access("`contents`", NOUN)?;
        Ok(BufferContents { buffer: self.clone() })
    }

    /// Lets the heap give this memory to others. It cannot be taken back.
    ///
    /// The buffer stays usable until somebody else owns the memory. Work that still uses it and work of the new owner are the
    /// program's to order, for example with a fence.
    ///
    /// # Errors
    /// A buffer that is on no heap.
    #[doc(alias = "makeAliasable")]
    #[track_caller]
    pub fn make_aliasable(&self) -> Result<(), Error> {
        self.body.core.make_aliasable(NOUN)?;
        let watch = &self.body.core.device.watch;
        watch.tell(Happening::Aliasable(Body::Buffer(&self.body)), Location::caller());
        Ok(())
    }

    /// "buffer `label`", for messages.
    pub(crate) fn describe(&self) -> String {
        self.body.core.label.of(NOUN)
    }

    /// Bytes of the buffer, checked.
    pub(crate) fn part(&self, call: &'static str, offset: u64, length: u64) -> Result<Range<u64>, Error> {
        match offset.checked_add(length) {
            Some(end) if end <= self.length => Ok(offset..end),
            end => Err(outside(call, self, offset, end.unwrap_or(u64::MAX))),
        }
    }

    pub(crate) fn range(
        &self,
        call: &'static str,
        range: impl RangeBounds<u64>,
    ) -> Result<Range<u64>, Error> {
        let (start, end) = guard::bounds(range, self.length);
        if start > end || end > self.length {
            return Err(outside(call, self, start, end));
        }
        Ok(start..end)
    }

    #[track_caller]
    fn read_bytes(&self, call: &'static str, offset: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let range = self.part(call, offset, bytes.len() as u64)?;
        self.body.core.check_cpu_access(call, NOUN)?;
        let _hold = guard::hold(call, &self.body, &range, false)?;
        let (memory, start) = self.body.cpu_memory();
        memory.read(start + offset, bytes);
        self.body.tell_read(range);
        Ok(())
    }
}

impl BufferContents {
    /// Copies values out. The range is in bytes and holds a whole number of values.
    ///
    /// # Errors
    /// A range outside of the buffer or with part of a value.
    #[track_caller]
    pub fn read<T: Pod>(&self, range: impl RangeBounds<u64>) -> Result<Vec<T>, Error> {
        const CALL: &str = "`read` of contents";
        let range = self.buffer.range(CALL, range)?;
        let mut values = guard::zeros(whole_values::<T>(CALL, &range)?)?;
        let body = &self.buffer.body;
        let (memory, start) = body.cpu_memory();
        memory.read(start + range.start, bytemuck::cast_slice_mut(&mut values));
        body.tell_read(range);
        Ok(values)
    }

    /// Copies values in, from byte `offset` on.
    ///
    /// # Errors
    /// A range outside of the buffer.
    #[track_caller]
    pub fn write<T: Pod>(&self, offset: u64, values: &[T]) -> Result<(), Error> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let range = self.buffer.part("`write` of contents", offset, bytes.len() as u64)?;
        let body = &self.buffer.body;
        body.tell_write(range);
        let (memory, start) = body.cpu_memory();
        memory.write(start + offset, bytes);
        Ok(())
    }

    /// The first byte, for what takes a pointer: decoders, system calls, other languages. It is good as long as this value or the buffer
    /// lives, for as many bytes as the buffer has.
    ///
    /// Whoever uses it answers for it. Kernels and the CPU's other calls access this memory as relaxed atomic words, so a plain load or
    /// store of a byte that any of them touches meanwhile is a data race: undefined behaviour, and not merely a wrong value. Order it
    /// as if for a guard: after completion, or after an observed shared event. Validation sees nothing of it.
    ///
    /// ```
    /// use fencepost::Device;
    /// let buffer = Device::cpu().new_buffer_with_data(&[5u8, 6], Default::default())?;
    /// let first = buffer.contents()?.as_ptr()?;
    /// // SAFETY: the buffer lives, and no work uses it.
    /// assert_eq!(unsafe { first.read() }, 5);
    /// # Ok::<(), fencepost::Error>(())
    /// ```
    ///
    /// # Errors
    /// A device whose memory has no address on the CPU.
    #[doc(alias = "contents")]
    pub fn as_ptr(&self) -> Result<NonNull<u8>, Error> {
        let (memory, start) = self.buffer.body.cpu_memory();
        let first =
            memory.first_byte().and_then(|first| NonNull::new(first.as_ptr().wrapping_add(start as usize)));
        first.ok_or_else(|| {
            let what = format!("a pointer to {}", self.buffer.describe());
            let mend = "Use `read` and `write`";
            ResourceError::Unsupported { what, mend }.into()
        })
    }
}

impl BufferBody {
    /// What the CPU reaches, and where the buffer's first byte is there.
    pub(crate) fn cpu_memory(&self) -> (&dyn Allocation, u64) {
        match &self.core.managed {
            Some(copy) => (&*copy.allocation, copy.offset),
            None => (&*self.allocation, self.offset),
        }
    }

    /// Bytes as those who watch know them: of a texture's words all of it, since bytes are no part of a texture.
    fn told(&self, bytes: Range<u64>) -> Extent {
        if matches!(self.core.home, Home::Texture(_)) { Extent::Whole } else { Extent::Bytes(bytes) }
    }

    /// Tells whoever watches that the CPU has loaded bytes.
    #[inline]
    #[track_caller]
    pub(crate) fn tell_read(self: &Arc<Self>, bytes: Range<u64>) {
        let watch = &self.core.device.watch;
        if watch.is_on() {
            watch.tell(Happening::Read(Body::Buffer(self), &self.told(bytes)), Location::caller());
        }
    }

    /// Tells whoever watches that the CPU is about to store bytes.
    #[inline]
    #[track_caller]
    pub(crate) fn tell_write(self: &Arc<Self>, bytes: Range<u64>) {
        let watch = &self.core.device.watch;
        if watch.is_on() {
            watch.tell(Happening::Write(Body::Buffer(self), &self.told(bytes)), Location::caller());
        }
    }
}

impl Resource for Buffer {}

impl sealed::Sealed for Buffer {
    fn inside(&self) -> sealed::Inside<'_> {
        sealed::Inside(ResourceRef::Buffer(&self.body))
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer")
            .field("label", &self.body.core.label)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// What a buffer takes on a heap.
pub(crate) fn size_and_align(device: &DeviceShared, length: u64) -> Result<SizeAndAlign, Error> {
    check_length(device, "`heap_buffer_size_and_align`", length)?;
    Ok(SizeAndAlign { size: round_up(length, HEAP_UNIT), align: HEAP_UNIT })
}

/// How a resource with an allocation of its own is tracked.
pub(crate) fn own_tracking(mode: HazardTrackingMode) -> Tracking {
    match mode {
        HazardTrackingMode::Untracked => Tracking::Untracked,
        HazardTrackingMode::Tracked | HazardTrackingMode::Default => Tracking::Tracked,
    }
}

/// Gives a buffer a name in the order engine.
pub(crate) fn register(
    device: &DeviceShared,
    memory: fencepost_core::MemoryId,
    bytes: Range<u64>,
    tracking: Tracking,
) -> ResourceId {
    device.submission.add_resource(ResourceDescriptor {
        memory,
        bytes,
        shape: ResourceShape::Buffer,
        tracking,
    })
}

/// How many values a range of bytes holds.
pub(crate) fn whole_values<T>(call: &'static str, range: &Range<u64>) -> Result<usize, Error> {
    let (length, size) = (range.end - range.start, size_of::<T>() as u64);
    if size == 0 || !length.is_multiple_of(size) {
        return Err(ResourceError::Alignment {
            call,
            what: "the length of the range",
            value: length,
            multiple: size,
        }
        .into());
    }
    // It fits, since the buffer itself is in memory.
    Ok((length / size) as usize)
}

pub(crate) const fn round_up(value: u64, multiple: u64) -> u64 {
    value.div_ceil(multiple) * multiple
}

#[cold]
fn outside(call: &'static str, buffer: &Buffer, start: u64, end: u64) -> Error {
    ResourceError::Bytes { call, start, end, buffer: buffer.describe(), length: buffer.length }.into()
}

/// Bytes of a word: kernels see whole words.
pub(crate) const WORD: u64 = 4;
/// Bytes that places on heaps are multiples of.
pub(crate) const HEAP_UNIT: u64 = 256;
pub(crate) const NOUN: &str = "buffer";
