//! Memory files whose length can never change again.
//!
//! A process that maps a file is killed when it touches a page that the file has lost meanwhile. So a length is only believed of a file
//! that is sealed against shrinking, and only files that the kernel keeps in ordinary pages can be: what is checked here holds for as
//! long as the file lives, whatever its other owners do.
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{MemfdFlags, OFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fcntl_getfl};
use rustix::fs::{fstat, fstatfs, ftruncate, memfd_create};
use rustix::io::Errno;

use crate::Error;

/// Zeros, sealed at this length.
pub(crate) fn create(name: &str, length: u64) -> Result<OwnedFd, Error> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        // A kernel before 6.3 does not know that memory can be forbidden to run as a program.
        Err(Errno::INVAL) => memfd_create(name, flags),
        made => made,
    };
    let file = file.map_err(Error::system("make a memory file"))?;
    ftruncate(&file, length).map_err(|errno| match errno {
        Errno::INVAL | Errno::FBIG => Error::BadLength { length },
        errno => Error::system("give a memory file its length")(errno),
    })?;
    fcntl_add_seals(&file, FIXED_LENGTH | SealFlags::SEAL).map_err(Error::system("seal a memory file"))?;
    Ok(file)
}

/// The length of a memory file that came from somebody else.
pub(crate) fn checked_length(file: BorrowedFd<'_>) -> Result<u64, Error> {
    // Seals first: it is the one question that never reaches a file system, which may belong to whoever sent the file.
    let seals = fcntl_get_seals(file).map_err(|_| Error::NotMemory)?;
    if !seals.contains(FIXED_LENGTH) {
        return Err(Error::NotSealed);
    }
    let system = fstatfs(file).map_err(Error::system("look at a memory file"))?;
    if system.f_type as u64 != IN_ORDINARY_PAGES {
        return Err(Error::NotMemory);
    }
    let mode = fcntl_getfl(file).map_err(Error::system("look at a memory file"))?;
    if (mode & OFlags::RWMODE) != OFlags::RDWR || seals.intersects(SealFlags::WRITE | SealFlags::FUTURE_WRITE)
    {
        return Err(Error::ReadOnly);
    }
    let length = fstat(file).map_err(Error::system("look at a memory file"))?.st_size;
    u64::try_from(length).map_err(|_| Error::NotMemory)
}

/// A second descriptor of the same file, closed when a program is run.
pub(crate) fn duplicate(file: impl AsFd) -> Result<OwnedFd, Error> {
    rustix::io::fcntl_dupfd_cloexec(file, 0).map_err(Error::system("duplicate a descriptor"))
}

/// What keeps a length as it is.
const FIXED_LENGTH: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);

/// What `fstatfs` calls the file system of memory files. Huge pages have one of their own: they can run out after they were promised.
const IN_ORDINARY_PAGES: u64 = 0x0102_1994;
