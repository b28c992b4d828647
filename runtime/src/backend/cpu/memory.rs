//! Memory that kernels on several threads may read and write at once.
//!
//! A missing barrier in a program is the program's bug, never undefined behaviour of ours. So no Rust reference but `&AtomicU32` ever
//! points into this memory: words are accessed by relaxed atomics, bytes by way of their word ([`bytes`]). Relaxed is enough: what
//! orders commands is the scheduler, whose own hand-over between threads publishes all that a command wrote.
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

#[cfg(target_os = "linux")]
use fencepost_ipc::SharedMemory;
#[cfg(target_os = "linux")]
use std::sync::Arc;

use crate::Error;
use crate::backend::Allocation;
use crate::error::DeviceError;
use bytes::Stores;

pub(crate) mod bytes;
pub(crate) mod row;
#[cfg(test)]
mod tests;

/// A zeroed piece of memory, shared by threads.
pub(crate) struct Memory {
    start: NonNull<AtomicU32>,
    words: usize,
    length: u64,
    owner: Owner,
}

/// Whom the words belong to.
enum Owner {
    /// This value, which had them from the allocator.
    Allocator,
    /// A mapping, which is kept by holding it.
    #[cfg(target_os = "linux")]
    Mapping(Arc<SharedMemory>),
}

/// Alignment of a memory's first byte. What is placed at a multiple of it is aligned for every texel.
///
/// No more than what the system's `calloc` gives: asking for more would make the allocator write zeros into every page.
pub(crate) const ALIGNMENT: usize = 16;

/// Rows that are copied from one place to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Bytes of a row that are copied.
    pub(crate) bytes: usize,
    /// How many rows.
    pub(crate) count: usize,
    /// Bytes from one row to the next at the source.
    pub(crate) source_pitch: usize,
    /// Bytes from one row to the next at the destination.
    pub(crate) destination_pitch: usize,
}

impl Memory {
    /// Zeroed memory. `OutOfMemory` where the allocator has none.
    pub(crate) fn new(length: u64) -> Result<Self, Error> {
        let refused = || Error::from(DeviceError::OutOfMemory { bytes: length });
        let words = usize::try_from(length.div_ceil(4)).map_err(|_| refused())?;
        let Some(layout) = layout(words) else { return Err(refused()) };
        if words == 0 {
            return Ok(Self { start: NonNull::dangling(), words, length, owner: Owner::Allocator });
        }
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        let start = NonNull::new(start.cast::<AtomicU32>()).ok_or_else(refused)?;
        Ok(Self { start, words, length, owner: Owner::Allocator })
    }

    /// Memory that other processes may read and write too: to us they are kernels that race.
    #[cfg(target_os = "linux")]
    pub(crate) fn over(memory: Arc<SharedMemory>) -> Self {
        let words = memory.words();
        let (start, count) = (NonNull::from(words).cast(), words.len());
        Self { start, words: count, length: count as u64 * 4, owner: Owner::Mapping(memory) }
    }

    /// All of it as words. The last one is whole even where the length is not a multiple of 4.
    pub(crate) fn words(&self) -> &[AtomicU32] {
        // SAFETY: `start` is aligned and points to `words` words (or is dangling where there are none) that are initialised (zeroed,
        // and every bit pattern is a value), live as long as `self`, which owns them or holds the mapping that does, and are only ever
        // accessed atomically or by machine instructions that stand for atomics.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }

    /// Sets every byte of a range. The caller has checked the range.
    pub(crate) fn fill(&self, offset: u64, length: u64, value: u8, stores: Stores) {
        bytes::fill(self.words(), offset as usize, length as usize, value, stores);
    }

    /// Copies bytes out, of so many in all. The caller has checked the range.
    pub(crate) fn read_part(&self, offset: u64, out: &mut [u8], stores: Stores) {
        bytes::read(self.words(), offset as usize, out, stores);
    }

    /// Copies bytes in, of so many in all. The caller has checked the range.
    pub(crate) fn write_part(&self, offset: u64, bytes: &[u8], stores: Stores) {
        bytes::write(self.words(), offset as usize, bytes, stores);
    }

    /// Copies bytes from `source`, which may be `self`: overlapping ranges come out as if copied by way of a third place. The caller
    /// has checked both ranges.
    pub(crate) fn copy_from(
        &self,
        offset: u64,
        source: &Self,
        source_offset: u64,
        length: u64,
        stores: Stores,
    ) {
        let (from, to) = (source_offset as usize, offset as usize);
        bytes::copy(source.words(), from, self.words(), to, length as usize, stores);
    }

    /// Copies rows of bytes from `source`. Rows that overlap rows of the other side come out in an undefined order of copies. The
    /// caller has checked the ranges.
    pub(crate) fn copy_rows_from(
        &self,
        offset: u64,
        source: &Self,
        source_offset: u64,
        rows: Rows,
        stores: Stores,
    ) {
        let (from, to) = (source_offset as usize, offset as usize);
        bytes::copy_rows(source.words(), from, self.words(), to, rows, stores);
    }
}

impl Memory {
    /// Gives whole pages back to the system, which gives zeroed ones for them at the next touch; what is left of the first and the last
    /// page is zeroed here. False where the memory is not ours to give, or the system does not take it.
    #[cfg(all(target_os = "linux", not(miri)))]
    fn give_pages_back(&self) -> bool {
        use rustix::mm::{Advice, madvise};
        if !matches!(self.owner, Owner::Allocator) {
            return false;
        }
        let (page, bytes) = (rustix::param::page_size(), self.words * size_of::<AtomicU32>());
        let before = self.start.addr().get().next_multiple_of(page) - self.start.addr().get();
        let pages = bytes.saturating_sub(before) / page * page;
        if pages == 0 {
            return false;
        }
        let first = self.start.as_ptr().wrapping_byte_add(before);
        // SAFETY: the pages lie inside of memory that the allocator gave to this value, so none of its own records are in them. To
        // everybody who reads it through `&AtomicU32`, the system stores zeros.
        let given = unsafe { madvise(first.cast(), pages, Advice::LinuxDontNeed) };
        bytes::fill(self.words(), 0, before, 0, Stores::Cached);
        bytes::fill(self.words(), before + pages, bytes - before - pages, 0, Stores::Cached);
        given.is_ok()
    }

    #[cfg(not(all(target_os = "linux", not(miri))))]
    fn give_pages_back(&self) -> bool {
        false
    }
}

impl Allocation for Memory {
    fn length(&self) -> u64 {
        self.length
    }

    fn read(&self, offset: u64, out: &mut [u8]) {
        self.read_part(offset, out, Stores::of_total(out.len() as u64));
    }

    fn write(&self, offset: u64, bytes: &[u8]) {
        self.write_part(offset, bytes, Stores::of_total(bytes.len() as u64));
    }

    fn discard(&self) {
        if !self.give_pages_back() {
            self.fill(0, self.length, 0, Stores::of_total(self.length));
        }
    }

    fn first_byte(&self) -> Option<NonNull<u8>> {
        Some(self.start.cast())
    }

    #[cfg(target_os = "linux")]
    fn shared_memory(&self) -> Option<&Arc<SharedMemory>> {
        match &self.owner {
            Owner::Allocator => None,
            Owner::Mapping(memory) => Some(memory),
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.words == 0 || !matches!(self.owner, Owner::Allocator) {
            return;
        }
        if let Some(layout) = layout(self.words) {
            // SAFETY: `start` was allocated by this allocator with this same layout, and nobody borrows from `self` any more.
            unsafe { dealloc(self.start.as_ptr().cast(), layout) };
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("length", &self.length).finish_non_exhaustive()
    }
}

// SAFETY: the memory belongs to this value, or to a mapping that any thread may use and drop, and is reached through `&AtomicU32` only; the allocator takes it back on any thread.
unsafe impl Send for Memory {}

// SAFETY: everything that `&Memory` gives access to is atomic.
unsafe impl Sync for Memory {}

/// The layout of so many words, if there can be such a thing.
fn layout(words: usize) -> Option<Layout> {
    let bytes = words.checked_mul(size_of::<AtomicU32>())?;
    Layout::from_size_align(bytes, ALIGNMENT).ok()
}
