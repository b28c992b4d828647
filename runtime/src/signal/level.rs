//! The word behind an event: a value that only grows, and whether a raise has anyone to tell.
//!
//! A watcher announces itself and then reads the value; a raise writes the value and then looks for watchers. Both sides are
//! sequentially consistent, so at least one of them sees the other and no raise is ever missed.
#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A value that only grows.
#[derive(Debug)]
pub(crate) struct Level {
    value: AtomicU64,
    watched: AtomicBool,
}

impl Level {
    pub(crate) fn new() -> Self {
        Self { value: AtomicU64::new(0), watched: AtomicBool::new(false) }
    }

    #[inline]
    pub(crate) fn value(&self) -> u64 {
        self.value.load(Ordering::Acquire)
    }

    /// Whether raises tell. Somebody who announces himself meanwhile may be missed.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::SeqCst)
    }

    /// Raises the value. True: it grew, and somebody watches.
    #[inline]
    pub(crate) fn raise(&self, value: u64) -> bool {
        let before = self.value.fetch_max(value, Ordering::SeqCst);
        between();
        before < value && self.watched.load(Ordering::SeqCst)
    }

    /// From now on raises tell. Returns the value as it is after that.
    pub(crate) fn watch(&self) -> u64 {
        self.watched.store(true, Ordering::SeqCst);
        between();
        self.value.load(Ordering::SeqCst)
    }

    /// Nobody is left to tell. The caller holds the lock under which watchers announce themselves.
    pub(crate) fn unwatch(&self) {
        self.watched.store(false, Ordering::SeqCst);
    }
}

/// Sequentially consistent accesses of one thread stay in their order. loom takes them for weaker ones and knows that only of fences.
pub(super) fn between() {
    #[cfg(loom)]
    loom::sync::atomic::fence(Ordering::SeqCst);
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::{Arc, Mutex};

    use super::Level;

    /// A watcher either sees the value at once or is told of it.
    #[test]
    fn no_raise_is_missed() {
        loom::model(|| {
            let level = Arc::new(Level::new());
            let table = Arc::new(Mutex::new(false));
            let raising = {
                let (level, table) = (Arc::clone(&level), Arc::clone(&table));
                loom::thread::spawn(move || {
                    if level.raise(1) {
                        *table.lock().unwrap() = true;
                    }
                })
            };
            let seen = {
                let _table = table.lock().unwrap();
                level.watch() >= 1
            };
            raising.join().unwrap();
            assert!(seen || *table.lock().unwrap(), "the watcher sleeps forever");
        });
    }

    /// Two raises leave the larger value, whatever their order.
    #[test]
    fn the_larger_value_stays() {
        loom::model(|| {
            let level = Arc::new(Level::new());
            let other = {
                let level = Arc::clone(&level);
                loom::thread::spawn(move || level.raise(2))
            };
            level.raise(1);
            other.join().unwrap();
            assert_eq!(level.value(), 2);
        });
    }
}
