//! Ends kernels that run too long: a thread that looks at what every worker runs, a few times per limit.
//!
//! A worker notes when its command began in one word, and takes the note back when it is done. The watchdog stops a worker by claiming
//! that very word, so a stop meant for one command can never hit the next: a word that still says what it said a whole limit ago is the
//! same command. A worker that loses the race for its word waits for the flag and lowers it.
#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

#[cfg(not(loom))]
use parking_lot::{Condvar, Mutex};

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
    fn stop_before(&self, deadline_ns: u64, raise: impl FnOnce()) {
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

/// A worker as the watchdog sees it.
#[cfg(not(loom))]
#[derive(Debug)]
pub(super) struct Post {
    pub(super) watched: Watched,
    pub(super) stop: super::interpreter::Stop,
}

#[cfg(not(loom))]
impl Post {
    pub(super) fn new() -> Self {
        Self { watched: Watched::new(), stop: super::interpreter::Stop::new() }
    }

    /// Nothing runs here any more.
    pub(super) fn end(&self) {
        self.watched.end(|| self.stop.lower());
    }
}

/// The thread that watches, there only while somebody works.
#[cfg(not(loom))]
#[derive(Debug)]
pub(super) struct Watchdog {
    shared: Arc<Shared>,
    limit: Option<Duration>,
}

#[cfg(not(loom))]
#[derive(Debug)]
struct Shared {
    posts: Box<[Post]>,
    clock: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

#[cfg(not(loom))]
#[derive(Debug, Default)]
struct State {
    running: bool,
    closed: bool,
    /// Workers that are awake.
    active: u32,
}

#[cfg(not(loom))]
impl Watchdog {
    /// Watches so many workers; without a limit it never does anything.
    pub(super) fn new(posts: usize, limit: Option<Duration>, clock: Instant) -> Self {
        let posts = (0..posts).map(|_| Post::new()).collect();
        let shared = Shared { posts, clock, state: Mutex::default(), changed: Condvar::new() };
        Self { shared: Arc::new(shared), limit }
    }

    pub(super) fn post(&self, worker: usize) -> &Post {
        &self.shared.posts[worker]
    }

    pub(super) fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// A worker is about to work, until it leaves.
    pub(super) fn enter(&self) {
        let Some(limit) = self.limit else { return };
        let mut state = self.shared.state.lock();
        state.active += 1;
        if !state.running {
            let shared = Arc::clone(&self.shared);
            let watch = move || shared.run(limit);
            let spawned = std::thread::Builder::new().name("fencepost watchdog".into()).spawn(watch);
            // Without a thread nothing is stopped; the next one to enter tries again.
            state.running = spawned.is_ok();
        }
    }

    /// A worker is about to sleep.
    pub(super) fn leave(&self) {
        if self.limit.is_some() {
            let mut state = self.shared.state.lock();
            state.active = state.active.saturating_sub(1);
        }
    }
}

#[cfg(not(loom))]
impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.changed.notify_all();
    }
}

#[cfg(not(loom))]
impl Shared {
    fn run(&self, limit: Duration) {
        // Looks four times a limit: nothing runs longer than a quarter above it.
        let pause = (limit / 4).clamp(Duration::from_millis(1), Duration::from_secs(1));
        let mut idle = 0;
        let mut state = self.state.lock();
        while !state.closed && idle < PATIENCE {
            self.changed.wait_for(&mut state, pause);
            let now = self.clock.elapsed().saturating_sub(limit);
            idle = if state.active > 0 { 0 } else { idle + 1 };
            for post in &self.posts {
                post.watched
                    .stop_before(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), || post.stop.raise());
            }
        }
        // Whoever enters now finds `running` false and starts another watchdog.
        state.running = false;
    }
}

/// Looks without anybody at work before the watchdog goes home.
#[cfg(not(loom))]
const PATIENCE: u32 = 4;

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
