//! Descriptors that a hostile or damaged process could send: each is refused for what it is, and none can hurt later.
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;

use fencepost_ipc::{Counter, Error, HandleKind, PeerWatch, SharedMemory};
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create, open};
use rustix::io::{Errno, pwrite};

const FIXED: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);

/// A memory file with these bytes, not sealed.
fn file(bytes: &[u8]) -> OwnedFd {
    let file = memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    assert_eq!(pwrite(&file, bytes, 0).unwrap(), bytes.len());
    file
}

fn sealed(bytes: &[u8], seals: SealFlags) -> OwnedFd {
    let file = file(bytes);
    fcntl_add_seals(&file, seals).unwrap();
    file
}

/// The bytes of a good counter with value 5.
fn good() -> Vec<u8> {
    let counter = Counter::new().unwrap();
    counter.raise(5);
    let mut bytes = vec![0; 4096];
    assert_eq!(rustix::io::pread(&counter, &mut bytes, 0).unwrap(), 4096);
    bytes
}

fn refused(file: impl Into<OwnedFd>) -> Error {
    Counter::try_from(file.into()).unwrap_err()
}

fn refused_as_memory(file: impl Into<OwnedFd>) -> Error {
    SharedMemory::try_from(file.into()).unwrap_err()
}

#[test]
fn a_counter_made_by_hand_is_taken() {
    let counter = Counter::try_from(sealed(&good(), FIXED)).unwrap();
    assert_eq!(counter.value(), 5);
}

#[test]
fn what_is_no_memory_file() {
    let null = || open("/dev/null", OFlags::RDWR, Mode::empty()).unwrap();
    let program = || open("/proc/self/exe", OFlags::RDONLY, Mode::empty()).unwrap();
    assert!(matches!(refused(null()), Error::NotMemory));
    assert!(matches!(refused(program()), Error::NotMemory));
    assert!(matches!(refused(rustix::pipe::pipe().unwrap().0), Error::NotMemory));
    assert!(matches!(refused(std::os::unix::net::UnixStream::pair().unwrap().0), Error::NotMemory));
    assert!(matches!(refused_as_memory(null()), Error::NotMemory));
    // Huge pages can be gone when they are touched, and that kills.
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | MemfdFlags::HUGETLB;
    if let Ok(huge) = memfd_create("test", flags)
        && ftruncate(&huge, 1 << 21).is_ok()
    {
        fcntl_add_seals(&huge, FIXED).unwrap();
        assert!(matches!(refused_as_memory(huge), Error::NotMemory));
    }
}

#[test]
fn what_could_still_shrink() {
    for seals in [SealFlags::empty(), SealFlags::GROW, SealFlags::SHRINK, SealFlags::SEAL] {
        assert!(matches!(refused(sealed(&good(), seals)), Error::NotSealed), "{seals:?}");
        assert!(matches!(refused_as_memory(sealed(&good(), seals)), Error::NotSealed), "{seals:?}");
    }
}

#[test]
fn what_cannot_be_written() {
    let ours = Counter::new().unwrap();
    let path = format!("/proc/self/fd/{}", ours.as_fd().as_raw_fd());
    let read_only = || open(&*path, OFlags::RDONLY, Mode::empty()).unwrap();
    assert!(matches!(refused(read_only()), Error::ReadOnly));
    assert!(matches!(refused_as_memory(read_only()), Error::ReadOnly));
    let path_only = open(&*path, OFlags::PATH, Mode::empty()).unwrap();
    assert!(matches!(refused(path_only), Error::NotMemory));
    for seals in [SealFlags::WRITE, SealFlags::FUTURE_WRITE] {
        assert!(matches!(refused(sealed(&good(), FIXED | seals)), Error::ReadOnly), "{seals:?}");
    }
}

#[test]
fn what_has_another_length() {
    for length in [0, 1, 100, 4095, 4097, 8192, 1 << 40] {
        let file = file(&[]);
        ftruncate(&file, length).unwrap();
        fcntl_add_seals(&file, FIXED).unwrap();
        let refused = refused(file);
        assert!(
            matches!(refused, Error::WrongLength { found, .. } if found == length),
            "{length}: {refused}"
        );
    }
    assert!(matches!(refused_as_memory(sealed(&[], FIXED)), Error::BadLength { length: 0 }));
    assert!(matches!(SharedMemory::new(0), Err(Error::BadLength { length: 0 })));
    assert!(matches!(SharedMemory::new(u64::MAX), Err(Error::BadLength { .. })));
    assert!(SharedMemory::new(1 << 62).is_err(), "no address space is so large");
}

#[test]
fn what_holds_something_else() {
    let mut bytes = good();
    bytes[0] ^= 1;
    assert!(matches!(refused(sealed(&bytes, FIXED)), Error::NotACounter));
    let mut bytes = good();
    bytes[8] = 2;
    assert!(matches!(refused(sealed(&bytes, FIXED)), Error::WrongVersion { found: 2, expected: 1 }));
    assert!(matches!(refused(sealed(&[0; 4096], FIXED)), Error::NotACounter));
    assert!(matches!(refused(sealed(&[0xff; 4096], FIXED)), Error::NotACounter));
    let memory = SharedMemory::new(4096).unwrap();
    let refused = Counter::try_from(memory.handle("").unwrap()).unwrap_err();
    assert!(
        matches!(refused, Error::WrongKind { found: HandleKind::Memory, expected: HandleKind::Counter }),
        "{refused}"
    );
}

/// A good head and noise behind it: whatever the words are, calls come back.
#[test]
fn noise_behind_a_good_head() {
    let mut random = 1_u64;
    for _ in 0..200 {
        let mut bytes = good();
        for byte in &mut bytes[16..] {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (random >> 56) as u8;
        }
        let counter = Counter::try_from(sealed(&bytes, FIXED)).unwrap();
        let value = counter.value();
        assert!(counter.wait(value, None));
        if value < u64::MAX {
            assert!(!counter.wait_for(value + 1, std::time::Duration::from_micros(10)));
            assert!(counter.raise(u64::MAX));
        }
        assert_eq!(counter.value(), u64::MAX);
        assert!(!counter.raise(u64::MAX));
    }
}

/// What we make ourselves nobody can shrink, and punching holes into it gives zeros.
#[test]
fn what_we_make_keeps_its_length() {
    let memory = SharedMemory::new(10_000).unwrap();
    assert_eq!(ftruncate(&memory, 0), Err(Errno::PERM));
    assert_eq!(ftruncate(&memory, 20_000), Err(Errno::PERM));
    assert_eq!(fcntl_add_seals(&memory, SealFlags::WRITE), Err(Errno::PERM));
    memory.words()[2000].store(7, Relaxed);
    let hole = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(&memory, hole, 0, 10_000).unwrap();
    assert_eq!(memory.words()[2000].load(Relaxed), 0);
    assert_eq!(memory.words().len(), 2500);
    assert_eq!(SharedMemory::new(10_001).unwrap().words().len(), 2501, "the last word is whole");
}

#[test]
fn a_watch_needs_something_that_tells() {
    let not_connected = [
        OwnedFd::from(std::os::unix::net::UnixDatagram::pair().unwrap().0),
        rustix::pipe::pipe().unwrap().0,
        OwnedFd::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap()),
    ];
    for file in not_connected {
        assert!(matches!(PeerWatch::socket(file), Err(Error::NotAConnection)));
    }
    assert!(matches!(PeerWatch::process(0), Err(Error::System { .. })));
    assert!(matches!(PeerWatch::process(u32::MAX), Err(Error::System { .. })));
}

#[test]
fn a_watch_on_a_process_tells_of_its_end() {
    let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let watch = PeerWatch::process(child.id()).unwrap();
    assert!(!watch.has_gone());
    child.kill().unwrap();
    assert!(watch.wait(None));
    assert!(watch.has_gone());
    child.wait().unwrap();
    assert!(watch.has_gone(), "also when nobody has that number any more");
}
