//! What a process holds after many rounds of everything: descriptors, mappings, memory.
use std::os::unix::net::UnixStream;

use fencepost_ipc::{Counter, PeerWatch, SharedMemory, receive_handle, send_handle};

use crate::other::{setting, start};

/// What the system says that this process holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Held {
    descriptors: usize,
    mappings: usize,
    /// Bytes of files that are mapped and shared: what counters and memory take.
    shared_kib: u64,
}

impl Held {
    pub(crate) fn now() -> Self {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let shared = status.lines().find_map(|line| line.strip_prefix("RssShmem:")).unwrap();
        Self {
            descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            mappings: maps.lines().filter(|line| line.contains("memfd:fencepost")).count(),
            shared_kib: shared.trim().trim_end_matches(" kB").parse().unwrap(),
        }
    }
}

#[test]
fn nothing_is_left_after_many_rounds() {
    assert!(start("leaks").ends().success(), "see above");
}

/// In a process of its own, so that what it holds is its own.
pub(crate) fn rounds() {
    one_round();
    let before = Held::now();
    for _ in 0..setting("FENCEPOST_LEAK_ROUNDS", 1000) {
        one_round();
    }
    assert_eq!(Held::now(), before);
}

fn one_round() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (counter, memory) = (Counter::new().unwrap(), SharedMemory::new(100_000).unwrap());
    let watch = PeerWatch::socket(&ours).unwrap();
    send_handle(&ours, &counter.handle("a counter").unwrap()).unwrap();
    send_handle(&ours, &memory.handle("memory").unwrap()).unwrap();
    send_handle(&ours, &memory.handle("never received").unwrap()).unwrap();
    let counter = Counter::try_from(receive_handle(&theirs).unwrap()).unwrap();
    // The wrong way round: refused, and closed.
    assert!(Counter::try_from(receive_handle(&theirs).unwrap()).is_err());
    counter.raise(1);
    memory.words()[20_000].store(1, std::sync::atomic::Ordering::Relaxed);
    assert!(counter.wait(1, None));
    assert!(!watch.has_gone());
}
