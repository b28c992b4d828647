//! Ends kernels that run too long: a thread that looks at what every worker runs, a few times per limit.
//!
//! What worker and watchdog have in common is one word ([`watched`](super::watched)) and the flag that kernels look at.
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::interpreter::Stop;
use super::watched::Watched;

/// A worker as the watchdog sees it.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) watched: Watched,
    pub(super) stop: Stop,
}

impl Post {
    pub(super) fn new() -> Self {
        Self { watched: Watched::new(), stop: Stop::new() }
    }

    /// Nothing runs here any more.
    pub(super) fn end(&self) {
        self.watched.end(|| self.stop.lower());
    }
}

/// The thread that watches, there only while somebody works.
#[derive(Debug)]
pub(super) struct Watchdog {
    shared: Arc<Shared>,
    limit: Option<Duration>,
}

#[derive(Debug)]
struct Shared {
    posts: Box<[Post]>,
    clock: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: bool,
    closed: bool,
    /// Workers that are awake.
    active: u32,
}

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

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.changed.notify_all();
    }
}

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
const PATIENCE: u32 = 4;
