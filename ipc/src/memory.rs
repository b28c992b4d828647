//! Memory that several processes read and write.
use std::fmt;
use std::sync::atomic::AtomicU32;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::mapping::Mapping;
use crate::{Error, Handle, HandleKind, file};

/// Zeroed memory of a fixed length, which any process that has its handle reads and writes.
///
/// It starts at a page. Others may write at any time, so it is seen as atomic words; who may write when is for a
/// [`Counter`](crate::Counter) to say.
///
/// ```
/// use fencepost_ipc::SharedMemory;
/// use std::sync::atomic::Ordering::Relaxed;
/// let ours = SharedMemory::new(100)?;
/// let theirs = SharedMemory::try_from(ours.handle("picture")?)?; // in another process, say
/// theirs.words()[3].store(7, Relaxed);
/// assert_eq!(ours.words()[3].load(Relaxed), 7);
/// assert_eq!(theirs.length(), 100);
/// # Ok::<(), fencepost_ipc::Error>(())
/// ```
pub struct SharedMemory {
    mapping: Mapping,
}

impl SharedMemory {
    /// Zeros, which nobody else has.
    ///
    /// # Errors
    /// A length of 0 or one that no address space holds; the system has no descriptor left.
    pub fn new(length: u64) -> Result<Self, Error> {
        Ok(Self { mapping: Mapping::create("fencepost-memory", length)? })
    }

    /// Bytes of it, as its maker asked for. It never changes.
    pub fn length(&self) -> u64 {
        self.mapping.length() as u64
    }

    /// All of it as words. The last one is whole even where the length is not a multiple of 4.
    #[inline]
    pub fn words(&self) -> &[AtomicU32] {
        self.mapping.words()
    }

    /// What another process makes the same memory of. The label is for people.
    ///
    /// # Errors
    /// A label too long to be sent; no descriptor left.
    pub fn handle(&self, label: &str) -> Result<Handle, Error> {
        Handle::new(HandleKind::Memory, label, file::duplicate(self)?)
    }
}

impl TryFrom<OwnedFd> for SharedMemory {
    type Error = Error;

    /// The memory in a file that came from somewhere, which is checked.
    ///
    /// # Errors
    /// The file is no memory file, not sealed, not writable, or empty.
    fn try_from(file: OwnedFd) -> Result<Self, Error> {
        Ok(Self { mapping: Mapping::of(file)? })
    }
}

impl TryFrom<Handle> for SharedMemory {
    type Error = Error;

    /// # Errors
    /// A handle of something else; otherwise as for its descriptor.
    fn try_from(handle: Handle) -> Result<Self, Error> {
        handle.into_file_of(HandleKind::Memory)?.try_into()
    }
}

impl AsFd for SharedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.mapping.file().as_fd()
    }
}

impl From<SharedMemory> for OwnedFd {
    fn from(memory: SharedMemory) -> Self {
        memory.mapping.into_file()
    }
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory").field("length", &self.length()).finish_non_exhaustive()
    }
}
