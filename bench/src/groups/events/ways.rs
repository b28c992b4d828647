//! One direction of a table for two, by each of the contenders.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use fencepost::{Device, SharedEvent, SharedEventHandle, Spin};
use fencepost_bench::timeline::Timeline;
use fencepost_ipc::{Counter, SharedMemory};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::thread::futex;
use tokio::sync::Notify;

use super::iceoryx::Ends;

/// A side signals turn after turn, the other waits for each.
pub(super) trait Way: Send + Sync {
    fn signal(&self, turn: u64);
    fn wait(&self, turn: u64);
}

pub(super) type AnyWay = Box<dyn Way>;

/// Both ends of one direction, and what a process that is to be either end is given.
pub(super) struct Direction {
    pub(super) from: AnyWay,
    pub(super) to: AnyWay,
    /// For the end that signals, and for the one that waits.
    pub(super) files: Option<[OwnedFd; 2]>,
    /// A name where there is no file.
    pub(super) name: String,
}

/// Makes a direction by this means; `None` where it cannot be had here.
pub(super) fn direction(kind: &str, name: &str) -> Option<Direction> {
    let of = |from: AnyWay, to: AnyWay| Direction { from, to, files: None, name: name.to_owned() };
    Some(match kind {
        "eventfd" | "pipe" => bytes(kind),
        "condvar" => {
            let pair = Arc::new((Mutex::new(0), Condvar::new()));
            of(Box::new(StdCondvar(Arc::clone(&pair))), Box::new(StdCondvar(pair)))
        }
        "parking-lot" => {
            let pair = Arc::new((parking_lot::Mutex::new(0), parking_lot::Condvar::new()));
            of(Box::new(LotCondvar(Arc::clone(&pair))), Box::new(LotCondvar(pair)))
        }
        "tokio" => {
            let notify = Arc::new(Notify::new());
            of(Box::new(Tokio(Arc::clone(&notify))), Box::new(Tokio(notify)))
        }
        "vulkan" => {
            let semaphore = Arc::new(Timeline::new().ok()?);
            of(Box::new(Vulkan(Arc::clone(&semaphore))), Box::new(Vulkan(semaphore)))
        }
        "iceoryx2" => {
            // The listener first: a notification without one is lost.
            let to = Box::new(Ends::new(name, true));
            of(Box::new(Ends::new(name, false)), to)
        }
        "event-inside" | "event-inside-spin" | "event-inside-park" => {
            let event = Device::cpu().new_shared_event();
            choose(kind, &event);
            of(Box::new(Event(event.clone())), Box::new(Event(event)))
        }
        _ => by_file(kind),
    })
}

fn bytes(kind: &str) -> Direction {
    let (from, to) = if kind == "pipe" {
        rustix::pipe::pipe().expect("descriptors")
    } else {
        let file = eventfd(0, EventfdFlags::empty()).expect("a descriptor");
        (file.try_clone().expect("a descriptor"), file)
    };
    let files = [&to, &from].map(|file| file.try_clone().expect("a descriptor"));
    Direction {
        from: Box::new(Bytes { from: None, to: Some(to) }),
        to: Box::new(Bytes { from: Some(from), to: None }),
        files: Some(files),
        name: String::new(),
    }
}

/// Both ends over one memory file.
fn by_file(kind: &str) -> Direction {
    let file: OwnedFd = if kind.starts_with("raw") {
        SharedMemory::new(4096).expect("memory").into()
    } else {
        Counter::new().expect("memory").into()
    };
    let copy = || file.as_fd().try_clone_to_owned().expect("a descriptor");
    let (from, to) = (end(kind, Some(copy()), "", false), end(kind, Some(copy()), "", true));
    Direction { from, to, files: Some([copy(), copy()]), name: String::new() }
}

/// One end of a direction, of a file or a name that came from whoever made it.
pub(super) fn end(kind: &str, file: Option<OwnedFd>, name: &str, waits: bool) -> AnyWay {
    let Some(file) = file else { return Box::new(Ends::new(name, waits)) };
    match kind {
        "eventfd" | "pipe" if waits => Box::new(Bytes { from: Some(file), to: None }),
        "eventfd" | "pipe" => Box::new(Bytes { from: None, to: Some(file) }),
        "raw-futex" => Box::new(RawFutex(SharedMemory::try_from(file).expect("memory"), None)),
        "raw-futex-limit" => {
            // As long as a counter sleeps before it looks again by itself.
            let limit = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };
            Box::new(RawFutex(SharedMemory::try_from(file).expect("memory"), Some(limit)))
        }
        "raw-spin" | "raw-spin-max" => {
            let memory = SharedMemory::try_from(file).expect("memory");
            Box::new(RawSpin { memory, maximum: kind == "raw-spin-max" })
        }
        "event" | "event-spin" | "event-park" => {
            let event = Device::cpu().shared_event_from_handle(SharedEventHandle::from(file));
            let event = event.expect("a counter");
            choose(kind, &event);
            Box::new(Event(event))
        }
        _ => {
            let counter = Counter::try_from(file).expect("a counter");
            counter.set_spin(spin(kind));
            Box::new(Counting(counter))
        }
    }
}

fn choose(kind: &str, event: &SharedEvent) {
    event.set_spin(spin(kind));
}

fn spin(kind: &str) -> Spin {
    match kind {
        kind if kind.ends_with("spin") => Spin::For(Duration::from_secs(1)),
        kind if kind.ends_with("park") => Spin::Never,
        _ => Spin::Adaptive,
    }
}

/// A word that is looked at without end.
struct RawSpin {
    memory: SharedMemory,
    maximum: bool,
}

impl Way for RawSpin {
    fn signal(&self, turn: u64) {
        let word = &self.memory.words()[0];
        if self.maximum {
            assert!(word.fetch_max(turn as u32, Ordering::SeqCst) < turn as u32);
        } else {
            word.store(turn as u32, Ordering::Release);
        }
    }

    fn wait(&self, turn: u64) {
        while self.memory.words()[0].load(Ordering::Acquire) < turn as u32 {
            std::hint::spin_loop();
        }
    }
}

/// A futex in its simplest use, each sleep with a time limit or without.
struct RawFutex(SharedMemory, Option<Timespec>);

impl Way for RawFutex {
    fn signal(&self, turn: u64) {
        signal_futex(&self.0.words()[0], turn);
    }

    fn wait(&self, turn: u64) {
        sleep_on_futex(&self.0.words()[0], turn, self.1.as_ref());
    }
}

pub(super) fn signal_futex(word: &AtomicU32, turn: u64) {
    word.store(turn as u32, Ordering::Release);
    let _nobody = futex::wake(word, futex::Flags::empty(), i32::MAX as u32);
}

pub(super) fn wait_futex(word: &AtomicU32, turn: u64) {
    sleep_on_futex(word, turn, None);
}

fn sleep_on_futex(word: &AtomicU32, turn: u64, limit: Option<&Timespec>) {
    loop {
        let seen = word.load(Ordering::Acquire);
        if seen >= turn as u32 {
            return;
        }
        let _looks_again = futex::wait(word, futex::Flags::empty(), seen, limit);
    }
}

/// Ours, alone and below a shared event.
struct Counting(Counter);
struct Event(SharedEvent);

impl Way for Counting {
    fn signal(&self, turn: u64) {
        self.0.raise(turn);
    }

    fn wait(&self, turn: u64) {
        self.0.wait(turn, None);
    }
}

impl Way for Event {
    fn signal(&self, turn: u64) {
        self.0.set_signaled_value(turn);
    }

    fn wait(&self, turn: u64) {
        self.0.wait_until_signaled_value(turn, Duration::MAX);
    }
}

/// Eight bytes through a descriptor, written at one end and read at the other.
struct Bytes {
    from: Option<OwnedFd>,
    to: Option<OwnedFd>,
}

impl Way for Bytes {
    fn signal(&self, _: u64) {
        let to = self.to.as_ref().expect("this end signals");
        rustix::io::write(to, &1_u64.to_ne_bytes()).expect("the other end is there");
    }

    fn wait(&self, _: u64) {
        let from = self.from.as_ref().expect("this end waits");
        rustix::io::read(from, &mut [0; 8]).expect("the other end is there");
    }
}

struct StdCondvar(Arc<(Mutex<u64>, Condvar)>);

impl Way for StdCondvar {
    fn signal(&self, turn: u64) {
        *self.0.0.lock().expect("not poisoned") = turn;
        self.0.1.notify_all();
    }

    fn wait(&self, turn: u64) {
        let value = self.0.0.lock().expect("not poisoned");
        drop(self.0.1.wait_while(value, |value| *value < turn).expect("not poisoned"));
    }
}

struct LotCondvar(Arc<(parking_lot::Mutex<u64>, parking_lot::Condvar)>);

impl Way for LotCondvar {
    fn signal(&self, turn: u64) {
        *self.0.0.lock() = turn;
        self.0.1.notify_all();
    }

    fn wait(&self, turn: u64) {
        let mut value = self.0.0.lock();
        self.0.1.wait_while(&mut value, |value| *value < turn);
    }
}

/// A task of the plainest executor: it sleeps where std's threads park.
struct Tokio(Arc<Notify>);

impl Way for Tokio {
    fn signal(&self, _: u64) {
        self.0.notify_one();
    }

    fn wait(&self, _: u64) {
        pollster::block_on(self.0.notified());
    }
}

struct Vulkan(Arc<Timeline>);

impl Way for Vulkan {
    fn signal(&self, turn: u64) {
        self.0.signal(turn);
    }

    fn wait(&self, turn: u64) {
        self.0.wait(turn);
    }
}

impl Way for Ends {
    fn signal(&self, _: u64) {
        self.notify();
    }

    fn wait(&self, _: u64) {
        Self::wait(self);
    }
}
