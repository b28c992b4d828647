//! Who sleeps until work has gone on: the CPU's guards that wait for bytes.
//!
//! Work ends on worker threads, thousands of times a second, and hardly ever does a guard wait. So those who end something pay for a fence
//! and a look at one word, and the lock is for those who sleep. A sleeper counts himself in *before* he looks at what is in flight;
//! whoever ends something looks at the count *after* it has ended. So one of the two sees the other.
#[cfg(loom)]
use loom::sync::atomic::{AtomicUsize, Ordering, fence};
#[cfg(loom)]
use loom::sync::{Condvar, Mutex};
#[cfg(not(loom))]
use parking_lot::{Condvar, Mutex};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicUsize, Ordering, fence};

/// Where sleepers are woken.
#[derive(Debug, Default)]
pub(super) struct Progress {
    sleepers: AtomicUsize,
    /// How often something has ended while somebody slept.
    steps: Mutex<u64>,
    stepped: Condvar,
}

impl Progress {
    /// Something has ended, or is no longer in the way.
    #[inline]
    pub(super) fn step(&self) {
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            self.wake();
        }
    }

    /// Sleeps until `look` finds something, which is asked anew after each step.
    pub(super) fn sleep_until<R>(&self, mut look: impl FnMut() -> Option<R>) -> R {
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let mut seen = *self.lock();
        let found = loop {
            if let Some(found) = look() {
                break found;
            }
            seen = self.sleep(seen);
        };
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
        found
    }

    /// Sleeps until there have been more steps than `seen`: how many.
    #[cfg(not(loom))]
    fn sleep(&self, seen: u64) -> u64 {
        let mut steps = self.lock();
        while *steps == seen {
            self.stepped.wait(&mut steps);
        }
        *steps
    }

    #[cfg(loom)]
    fn sleep(&self, seen: u64) -> u64 {
        let mut steps = self.lock();
        while *steps == seen {
            steps = self.stepped.wait(steps).unwrap();
        }
        *steps
    }

    #[cold]
    fn wake(&self) {
        *self.lock() += 1;
        self.stepped.notify_all();
    }

    #[cfg(not(loom))]
    fn lock(&self) -> parking_lot::MutexGuard<'_, u64> {
        self.steps.lock()
    }

    #[cfg(loom)]
    fn lock(&self) -> loom::sync::MutexGuard<'_, u64> {
        self.steps.lock().unwrap()
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, Ordering};

    use super::Progress;

    #[test]
    fn nobody_sleeps_through_the_last_step() {
        loom::model(|| {
            let shared = Arc::new((Progress::default(), [AtomicBool::new(false), AtomicBool::new(false)]));
            let ending = {
                let shared = Arc::clone(&shared);
                loom::thread::spawn(move || {
                    for ended in &shared.1 {
                        ended.store(true, Ordering::Release);
                        shared.0.step();
                    }
                })
            };
            let all = || shared.1.iter().all(|ended| ended.load(Ordering::Acquire)).then_some(());
            shared.0.sleep_until(all);
            ending.join().unwrap();
        });
    }
}
