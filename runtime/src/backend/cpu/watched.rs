//! The word between a worker and its watchdog.
//!
//! A worker notes when its command began, and takes the note back when it is done. The watchdog stops a worker by claiming that very
//! word, so a stop meant for one command can never hit the next: a word that still says what it said a whole limit ago is the same
//! command. A worker that loses the race for its word waits for the flag and lowers it.
#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};

/// What one worker runs, since when.
#[derive(Debug)]
pub(super) struct Watched {
    /// Nanoseconds plus [`FIRST`], or one of the states below it.
    word: AtomicU64,
}

const IDLE: u64 = 0;
const STOPPING: u64 = 1;
const STOPPED: u64 = 2;
const FIRST: u64 = 3;

impl Watched {
    pub(super) fn new() -> Self {
        Self { word: AtomicU64::new(IDLE) }
    }

    /// A command runs that began at that time.
    pub(super) fn begin(&self, started_ns: u64) {
        self.word.store(started_ns + FIRST, Ordering::Release);
    }

    /// It runs no more. `lower` takes the stop flag back where the watchdog has raised it.
    pub(super) fn end(&self, lower: impl FnOnce()) {
        let began = self.word.load(Ordering::Relaxed);
        if began >= FIRST
            && self.word.compare_exchange(began, IDLE, Ordering::AcqRel, Ordering::Acquire).is_ok()
        {
            return;
        }
        while self.word.load(Ordering::Acquire) != STOPPED {
            #[cfg(loom)]
            loom::thread::yield_now();
            #[cfg(not(loom))]
            std::hint::spin_loop();
        }
        lower();
        self.word.store(IDLE, Ordering::Release);
    }

    /// Raises the flag where the command began before `deadline_ns`.
    pub(super) fn stop_before(&self, deadline_ns: u64, raise: impl FnOnce()) {
        let began = self.word.load(Ordering::Acquire);
        if began >= FIRST
            && began - FIRST < deadline_ns
            && self.word.compare_exchange(began, STOPPING, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        {
            raise();
            self.word.store(STOPPED, Ordering::Release);
        }
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, Ordering};

    use super::Watched;

    /// A stop for the first command never hits the second one.
    #[test]
    fn a_stop_hits_only_its_own_command() {
        loom::model(|| {
            let watched = Arc::new(Watched::new());
            let stop = Arc::new(AtomicBool::new(false));
            watched.begin(1);
            let watchdog = {
                let (watched, stop) = (Arc::clone(&watched), Arc::clone(&stop));
                loom::thread::spawn(move || watched.stop_before(5, || stop.store(true, Ordering::Relaxed)))
            };
            watched.end(|| stop.store(false, Ordering::Relaxed));
            watched.begin(10);
            assert!(!stop.load(Ordering::Relaxed), "the second command is stopped for the first one");
            watchdog.join().unwrap();
            watched.end(|| panic!("the second command was not to be stopped"));
        });
    }
}
