//! How a raise and a wait meet: two words that both sides reach, and nothing else.
//!
//! `value` only grows. `parking` is what sleepers sleep on: its lowest bit says that somebody may be asleep, the rest counts wake-ups. A
//! waiter sets the bit, looks at the value once more, and sleeps only while the word is as it left it. A raise writes the value and then
//! looks at the bit; only if it is set does it clear it, by counting one wake-up, and ask the system to wake everybody. Both sides are
//! sequentially consistent, so at least one of them sees the other and no raise is missed, by whatever amount the value jumps: nobody
//! sleeps on the value itself.
//!
//! A bit, not a count of waiters: a waiter that is killed never takes itself off a count, and every raise after that would pay for a
//! wake-up that wakes nobody. The bit is cleared by the next raise, whoever set it.
//!
//! This file knows neither files nor clocks, so that loom can run it; who sleeps how comes in through [`Wake`] and [`Park`].
use std::ops::ControlFlow;

#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The two words of a counter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    pub(crate) value: &'a AtomicU64,
    pub(crate) parking: &'a AtomicU32,
}

/// How everybody who sleeps on a word is woken.
pub(crate) trait Wake {
    fn wake_all(&self, parking: &AtomicU32);
}

/// How a thread sleeps on a word, and when it has had enough.
pub(crate) trait Park {
    /// Sleeps while `parking` is `expected`, until it is woken; it may come back early. `value` is what the waiter has seen. `Break`: give
    /// up.
    fn park(&mut self, parking: &AtomicU32, expected: u32, value: u64) -> ControlFlow<()>;
}

/// The bit of the parking word that says that somebody may be asleep.
const SLEEPERS: u32 = 1;
/// One wake-up in the rest of it.
const WAKE_UP: u32 = 2;

impl Words<'_> {
    /// The value now. Who has seen a value sees all that was written before it was raised to that.
    #[inline]
    pub(crate) fn value(self) -> u64 {
        self.value.load(Ordering::Acquire)
    }

    /// Raises the value, and wakes whoever sleeps; a smaller or equal value changes nothing. True: it grew.
    #[inline]
    pub(crate) fn raise(self, value: u64, system: &impl Wake) -> bool {
        let before = self.value.fetch_max(value, Ordering::SeqCst);
        if before >= value {
            return false;
        }
        between();
        let parking = self.parking.load(Ordering::SeqCst);
        if parking & SLEEPERS != 0 {
            self.wake(parking, system);
        }
        true
    }

    /// Wakes everybody, whatever the value: each looks again and goes back to sleep if that is all there is.
    pub(crate) fn interrupt(self, system: &impl Wake) {
        self.parking.fetch_add(WAKE_UP, Ordering::SeqCst);
        system.wake_all(self.parking);
    }

    /// Sleeps until the value is there: true. False where `parker` gave up first.
    pub(crate) fn wait(self, value: u64, parker: &mut impl Park) -> bool {
        loop {
            let (parking, seen) = self.announce();
            if seen >= value {
                return true;
            }
            if parker.park(self.parking, parking, seen).is_break() {
                return self.value() >= value;
            }
        }
    }

    /// Says that somebody is about to sleep; gives the word to sleep on, and the value as it is after that.
    #[inline]
    pub(crate) fn announce(self) -> (u32, u64) {
        let parking = self.parking.fetch_or(SLEEPERS, Ordering::SeqCst) | SLEEPERS;
        between();
        (parking, self.value.load(Ordering::SeqCst))
    }

    /// Whoever else changed the word meanwhile is either waking too, or has announced itself after the raise and so has seen it.
    #[cold]
    fn wake(self, parking: u32, system: &impl Wake) {
        let counted = (parking & !SLEEPERS).wrapping_add(WAKE_UP);
        let _changed_meanwhile =
            self.parking.compare_exchange(parking, counted, Ordering::SeqCst, Ordering::Relaxed);
        system.wake_all(self.parking);
    }
}

/// Sequentially consistent accesses of one thread stay in their order. loom takes them for weaker ones and knows that only of fences.
#[inline]
fn between() {
    #[cfg(loom)]
    loom::sync::atomic::fence(Ordering::SeqCst);
}

#[cfg(all(test, loom))]
#[path = "protocol/models.rs"]
mod models;
