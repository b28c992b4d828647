//! Where workers without work sleep, and how whoever has work wakes them without paying when nobody sleeps.
//!
//! A worker announces that it will sleep, looks for work once more, and only then sleeps; whoever brings work makes it findable and then
//! looks for sleepers. With a full fence on both sides at least one of them sees the other. Every announced worker ends by taking one
//! permit or by taking its announcement back, so `announced + permits` is always the number of workers between the two.
#[cfg(loom)]
use loom::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicU32, Ordering, fence},
};
#[cfg(not(loom))]
use std::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicU32, Ordering, fence},
};

/// The bed of a pool's workers.
#[derive(Debug)]
pub(super) struct Sleep {
    announced: AtomicU32,
    /// Workers that there are.
    workers: AtomicU32,
    /// Workers inside a command that may be long: they will not look for work soon.
    occupied: AtomicU32,
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct State {
    permits: u32,
    closed: bool,
}

impl Sleep {
    pub(super) fn new() -> Self {
        Self {
            announced: AtomicU32::new(0),
            workers: AtomicU32::new(0),
            occupied: AtomicU32::new(0),
            state: Mutex::new(State::default()),
            woken: Condvar::new(),
        }
    }

    /// A worker starts: it will look for work.
    pub(super) fn join(&self) {
        self.workers.fetch_add(1, Ordering::Relaxed);
    }

    /// It did not start after all.
    pub(super) fn leave(&self) {
        self.workers.fetch_sub(1, Ordering::Relaxed);
    }

    /// The worker will not look for work soon. It must look now, and call others if there is any.
    pub(super) fn occupy(&self) {
        self.occupied.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// The worker will look for work again.
    pub(super) fn release(&self) {
        self.occupied.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether some worker will look before it sleeps or becomes occupied, so that work which can be found already needs no call.
    pub(super) fn will_look(&self) -> bool {
        fence(Ordering::SeqCst);
        let away = self.announced.load(Ordering::Relaxed) + self.occupied.load(Ordering::Relaxed);
        self.workers.load(Ordering::Relaxed) > away
    }

    /// Says that the worker is about to sleep. It must look for work now, and then [`sleep`](Self::sleep) or
    /// [`cancel`](Self::cancel).
    pub(super) fn announce(&self) {
        let state = self.lock();
        self.announced.fetch_add(1, Ordering::SeqCst);
        drop(state);
        fence(Ordering::SeqCst);
    }

    /// There was work after all.
    pub(super) fn cancel(&self) {
        let mut state = self.lock();
        if self.announced.load(Ordering::Relaxed) > 0 {
            self.announced.fetch_sub(1, Ordering::Relaxed);
        } else {
            // Somebody has woken this worker already: the permit must not wake another one for nothing.
            state.permits = state.permits.saturating_sub(1);
        }
    }

    /// Sleeps until woken. False: the pool is closed, and no worker is left who may have work for others.
    pub(super) fn sleep(&self) -> bool {
        let mut state = self.lock();
        loop {
            // Before the end, so that whoever was woken for something does it.
            if state.permits > 0 {
                state.permits -= 1;
                return true;
            }
            // Whoever leaves for good stays announced, so this remains true for the others.
            if state.closed && self.announced.load(Ordering::Relaxed) >= self.workers.load(Ordering::Relaxed)
            {
                self.woken.notify_all();
                return false;
            }
            state = self.woken.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// Wakes up to `count` workers for work that can be found already. How many were woken.
    pub(super) fn wake(&self, count: u32) -> u32 {
        fence(Ordering::SeqCst);
        if count == 0 || self.announced.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        let mut state = self.lock();
        let woken = count.min(self.announced.load(Ordering::Relaxed));
        self.announced.fetch_sub(woken, Ordering::Relaxed);
        state.permits += woken;
        drop(state);
        for _ in 0..woken {
            self.woken.notify_one();
        }
        woken
    }

    /// Workers that sleep or are about to.
    pub(super) fn sleepers(&self) -> u32 {
        self.announced.load(Ordering::Relaxed)
    }

    /// Nothing is brought any more. Workers leave when all of them are without work.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.woken.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicU32, Ordering};
    use loom::thread;

    use super::*;

    /// Work that needs no call, because a worker is awake, is found by that worker before it sleeps or becomes occupied.
    #[test]
    fn whoever_is_awake_looks() {
        loom::model(|| {
            let sleep = Arc::new(Sleep::new());
            let work = Arc::new(AtomicU32::new(0));
            sleep.join();
            let worker = {
                let (sleep, work) = (Arc::clone(&sleep), Arc::clone(&work));
                thread::spawn(move || {
                    sleep.occupy();
                    let seen = work.load(Ordering::Acquire) == 1;
                    // The long command would be here: whoever looks at the end of it looks too late.
                    seen
                })
            };
            work.store(1, Ordering::Release);
            let trusted = sleep.will_look();
            let seen = worker.join().unwrap();
            assert!(seen || !trusted, "the work lies about until the long command has ended");
        });
    }

    /// The same with a worker that goes to sleep: trusted or woken, it does the work.
    #[test]
    fn trusted_or_woken() {
        loom::model(|| {
            let sleep = Arc::new(Sleep::new());
            let work = Arc::new(AtomicU32::new(0));
            sleep.join();
            let worker = {
                let (sleep, work) = (Arc::clone(&sleep), Arc::clone(&work));
                thread::spawn(move || {
                    sleep.announce();
                    if work.load(Ordering::Acquire) == 1 {
                        sleep.cancel();
                    } else {
                        sleep.sleep();
                    }
                    assert_eq!(work.load(Ordering::Acquire), 1);
                })
            };
            work.store(1, Ordering::Release);
            if !sleep.will_look() {
                sleep.wake(1);
            }
            worker.join().unwrap();
        });
    }

    /// Work that is brought while a worker goes to sleep is done: loom reports a deadlock where it is not.
    #[test]
    fn no_wake_up_is_lost() {
        loom::model(|| {
            let sleep = Arc::new(Sleep::new());
            let work = Arc::new(AtomicU32::new(0));
            let worker = {
                let (sleep, work) = (Arc::clone(&sleep), Arc::clone(&work));
                thread::spawn(move || {
                    loop {
                        if work.load(Ordering::Acquire) == 1 {
                            return;
                        }
                        sleep.announce();
                        if work.load(Ordering::Acquire) == 1 {
                            sleep.cancel();
                            return;
                        }
                        sleep.sleep();
                    }
                })
            };
            work.store(1, Ordering::Release);
            sleep.wake(1);
            worker.join().unwrap();
            assert_eq!((sleep.sleepers(), sleep.lock().permits), (0, 0));
        });
    }
}
