//! A memory file in our address space. The one place where this crate is unsafe.
//!
//! Other processes write here at any time, so no Rust reference but to atomics ever points into it: whatever they do is a wrong value,
//! not undefined behaviour.
#![allow(unsafe_code, reason = "maps files and sees them as atomic words")]
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};

use rustix::fd::{AsFd, OwnedFd};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::{Error, file};

/// A memory file and all of its pages.
#[derive(Debug)]
pub(crate) struct Mapping {
    file: OwnedFd,
    pages: Pages,
}

impl Mapping {
    /// A new file of zeros.
    pub(crate) fn create(name: &str, length: u64) -> Result<Self, Error> {
        let file = file::create(name, length)?;
        Ok(Self { pages: Pages::of(&file, length)?, file })
    }

    /// A file that came from somebody else; it is checked.
    pub(crate) fn of(file: OwnedFd) -> Result<Self, Error> {
        let length = file::checked_length(file.as_fd())?;
        Ok(Self { pages: Pages::of(&file, length)?, file })
    }

    /// Bytes of the file.
    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.pages.length
    }

    pub(crate) fn file(&self) -> &OwnedFd {
        &self.file
    }

    pub(crate) fn into_file(self) -> OwnedFd {
        self.file
    }

    /// All of it as words of 32 bits. The last one is whole even where the length is not a multiple of 4: pages are whole.
    #[inline]
    pub(crate) fn words(&self) -> &[AtomicU32] {
        // SAFETY: the mapping starts at a page and covers whole pages, so this many words are mapped and aligned for as long as `self`
        // lives. The file is sealed against shrinking, so every page is there. All bits are a value, and all access is atomic.
        unsafe { std::slice::from_raw_parts(self.pages.start.as_ptr().cast(), self.length().div_ceil(4)) }
    }

    /// All of it as words of 64 bits. Who uses it sees to it that nobody uses the same bytes as words of 32.
    #[inline]
    pub(crate) fn long_words(&self) -> &[AtomicU64] {
        // SAFETY: as in `words`; only whole words count.
        unsafe { std::slice::from_raw_parts(self.pages.start.as_ptr(), self.length() / 8) }
    }
}

/// Pages of ours that are a file.
#[derive(Debug)]
struct Pages {
    start: NonNull<AtomicU64>,
    length: usize,
}

impl Pages {
    /// The whole of a file whose length is this and never changes.
    fn of(file: &OwnedFd, length: u64) -> Result<Self, Error> {
        let bytes = usize::try_from(length).ok().filter(|bytes| (1..=isize::MAX as usize).contains(bytes));
        let bytes = bytes.ok_or(Error::BadLength { length })?;
        let (access, shared) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: the kernel chooses a place where nothing is, so no memory of anybody's is replaced.
        let start = unsafe { mmap(std::ptr::null_mut(), bytes, access, shared, file, 0) };
        let start = start.map_err(Error::system("map a memory file"))?;
        let start = NonNull::new(start.cast()).ok_or(Error::BadLength { length })?;
        Ok(Self { start, length: bytes })
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the range is the one that was mapped, it is unmapped once, and nobody borrows from it any more.
        let _never_refused_for_a_whole_mapping = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

// SAFETY: the pages belong to the process, not to a thread, and are reached through atomics only.
unsafe impl Send for Pages {}

// SAFETY: everything that `&Pages` gives access to is atomic.
unsafe impl Sync for Pages {}
