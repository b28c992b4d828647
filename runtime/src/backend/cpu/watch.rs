//! Ends kernels that run too long: a thread that looks at what every worker runs, a few times per limit. And since it looks anyway, it
//! has somebody else look for work that lies about.
//!
//! What worker and watchdog have in common is one word ([`watched`](super::watched)) and the flag that kernels look at.
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

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
}

struct Shared {
    posts: Box<[Post]>,
    limit: Option<Duration>,
    clock: Instant,
    nudge: Box<dyn Fn() + Send + Sync>,
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
    /// Watches so many workers, without a limit only to call `nudge` now and then.
    pub(super) fn new(
        posts: usize,
        limit: Option<Duration>,
        clock: Instant,
        nudge: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let posts = (0..posts).map(|_| Post::new()).collect();
        let (state, changed, nudge) = (Mutex::default(), Condvar::new(), Box::new(nudge));
        Self { shared: Arc::new(Shared { posts, limit, clock, nudge, state, changed }) }
    }

    pub(super) fn post(&self, worker: usize) -> &Post {
        &self.shared.posts[worker]
    }

    /// A worker is about to work, until it leaves.
    pub(super) fn enter(&self) {
        let mut state = self.shared.state.lock();
        state.active += 1;
        if !state.running {
            let shared = Arc::clone(&self.shared);
            let watch = move || shared.run();
            let spawned = std::thread::Builder::new().name("fencepost watchdog".into()).spawn(watch);
            // Without a thread nothing is stopped; the next one to enter tries again.
            state.running = spawned.is_ok();
        }
    }

    /// A worker is about to sleep.
    pub(super) fn leave(&self) {
        let mut state = self.shared.state.lock();
        state.active = state.active.saturating_sub(1);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn run(&self) {
        // At least four times a limit: nothing runs longer than a quarter above it.
        let pause = self.limit.map_or(PAUSE, |limit| (limit / 4).clamp(Duration::from_millis(1), PAUSE));
        let mut idle = 0;
        let mut state = self.state.lock();
        while !state.closed && idle < PATIENCE {
            self.changed.wait_for(&mut state, pause);
            idle = if state.active > 0 { 0 } else { idle + 1 };
            if let Some(limit) = self.limit {
                let deadline = self.clock.elapsed().saturating_sub(limit).as_nanos();
                let deadline = u64::try_from(deadline).unwrap_or(u64::MAX);
                for post in &self.posts {
                    post.watched.stop_before(deadline, || post.stop.raise());
                }
            }
            MutexGuard::unlocked(&mut state, || (self.nudge)());
        }
        // Whoever enters now finds `running` false and starts another watchdog.
        state.running = false;
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watchdog").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// Looks without anybody at work before the watchdog goes home.
const PATIENCE: u32 = 4;
