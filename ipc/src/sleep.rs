//! How a thread sleeps on a futex, once looking has brought nothing ([`crate::spin`]), and for how long in all.
//!
//! Sleep is cut into slices. A process that is killed between raising a value and waking others leaves sleepers behind that nobody wakes,
//! so each looks again by itself now and then; and someone who writes into the words on purpose can wake us without end, so wakes that
//! bring nothing are soon answered by sleeping on the clock.
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicU32;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::futex;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::protocol::{Park, Wake};

/// The system's futex, seen by all processes that map the word.
pub(crate) struct Futex;

impl Wake for Futex {
    fn wake_all(&self, parking: &AtomicU32) {
        let _nobody_can_be_told = futex::wake(parking, futex::Flags::empty(), i32::MAX as u32);
    }
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The value is there.
    Reached,
    /// The time is over and the value is not there.
    TimedOut,
    /// The caller's question was answered with no, and the value is not there.
    Abandoned,
}

/// One wait's patience: until when, and whether to go on.
pub(crate) struct Patience<K> {
    deadline: Option<Instant>,
    keep_waiting: K,
    slice: Duration,
    /// Wakes in a row that brought no other value.
    fruitless: u32,
    slices_looked: u32,
    seen: Option<u64>,
    /// Why it ends, if it ends without the value.
    pub(crate) ended: Waited,
}

impl<K: FnMut() -> bool> Patience<K> {
    /// `slice`: how long it may take until a sleeper looks again by itself.
    pub(crate) fn new(deadline: Option<Instant>, slice: Duration, keep_waiting: K) -> Self {
        Self {
            deadline,
            keep_waiting,
            slice,
            fruitless: 0,
            slices_looked: 0,
            seen: None,
            ended: Waited::TimedOut,
        }
    }

    /// Whether it is enough, for a waiter that looks since `looking`. It asks as often as a sleeper would.
    pub(crate) fn ends_while_looking(&mut self, now: Instant, looking: Duration) -> bool {
        if looking >= self.slice * (self.slices_looked + 1) {
            self.slices_looked += 1;
            return self.ends();
        }
        self.is_over_at(now)
    }

    /// Whether the deadline has passed. A wait that only looks in passing need not announce itself to those who raise.
    pub(crate) fn is_over(&mut self) -> bool {
        self.ended == Waited::Abandoned || self.is_late()
    }

    /// As [`is_over_at`](Self::is_over_at) now; without a deadline nobody asks the clock.
    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn is_over_at(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    fn ends(&mut self) -> bool {
        if self.is_late() {
            return true;
        }
        if !(self.keep_waiting)() {
            self.ended = Waited::Abandoned;
            return true;
        }
        false
    }

    /// Until when to sleep now: in the system's time, or `Break` where it is enough.
    pub(crate) fn next(&mut self, seen: u64) -> ControlFlow<(), Timespec> {
        if self.ends() {
            return ControlFlow::Break(());
        }
        if self.seen.replace(seen) != Some(seen) {
            self.fruitless = 0;
        }
        let rest = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let rest = rest.map_or(self.slice, |rest| self.slice.min(rest));
        ControlFlow::Continue(system_time_after(rest))
    }

    /// How a sleep ended.
    pub(crate) fn slept(&mut self, outcome: Result<(), Errno>) {
        match outcome {
            Err(Errno::TIMEDOUT) => self.fruitless = 0,
            Ok(()) | Err(Errno::AGAIN | Errno::INTR) if self.fruitless < TRUSTED_WAKES => self.fruitless += 1,
            // Woken without end, or no futex to be had: the clock is slower, but it keeps what a wait promises.
            _ => thread::sleep(POLL),
        }
    }
}

impl<K: FnMut() -> bool> Park for Patience<K> {
    fn park(&mut self, parking: &AtomicU32, expected: u32, value: u64) -> ControlFlow<()> {
        let until = self.next(value)?;
        let outcome =
            futex::wait_bitset(parking, futex::Flags::empty(), expected, Some(&until), NonZeroU32::MAX);
        self.slept(outcome);
        ControlFlow::Continue(())
    }
}

fn system_time_after(rest: Duration) -> Timespec {
    let now = clock_gettime(ClockId::Monotonic);
    // A slice is short, so nothing here can overflow but the nanoseconds of a second.
    let nanoseconds = now.tv_nsec + i64::from(rest.subsec_nanos());
    Timespec {
        tv_sec: now.tv_sec + rest.as_secs() as i64 + nanoseconds / SECOND_NS,
        tv_nsec: nanoseconds % SECOND_NS,
    }
}

/// A sleeper that nothing else wakes looks again after this time.
pub(crate) const SLICE: Duration = Duration::from_millis(250);
/// The same where somebody wants to be asked whether to go on.
pub(crate) const ASKING_SLICE: Duration = Duration::from_millis(20);
/// After so many wakes without a new value a waiter goes by the clock.
const TRUSTED_WAKES: u32 = 64;
const POLL: Duration = Duration::from_millis(1);
const SECOND_NS: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::protocol::Words;

    /// The two words of a counter in ordinary memory: the protocol and the system's futex, without files.
    #[derive(Default)]
    struct Plain {
        value: AtomicU64,
        parking: AtomicU32,
    }

    impl Plain {
        fn words(&self) -> Words<'_> {
            Words { value: &self.value, parking: &self.parking }
        }
    }

    #[test]
    fn turns_between_two_threads_that_sleep() {
        let ways = [Plain::default(), Plain::default()];
        let turns = if cfg!(miri) { 20 } else { 2000 };
        thread::scope(|scope| {
            scope.spawn(|| {
                for turn in 1..=turns {
                    assert!(ways[0].words().wait(turn, &mut Patience::new(None, SLICE, || true)));
                    assert!(ways[1].words().raise(turn, &Futex));
                }
            });
            for turn in 1..=turns {
                assert!(ways[0].words().raise(turn, &Futex));
                assert!(ways[1].words().wait(turn, &mut Patience::new(None, SLICE, || true)));
            }
        });
        assert!(!ways[0].words().raise(1, &Futex), "it was further");
    }

    #[test]
    fn a_wait_ends_when_it_is_told_to() {
        let plain = Plain::default();
        let deadline = Some(Instant::now() + Duration::from_millis(2));
        let mut patience = Patience::new(deadline, SLICE, || true);
        assert!(!plain.words().wait(1, &mut patience));
        assert_eq!(patience.ended, Waited::TimedOut);
        let mut asked = 0;
        let mut patience = Patience::new(None, POLL, || {
            asked += 1;
            asked < 3
        });
        assert!(!plain.words().wait(1, &mut patience));
        assert_eq!(patience.ended, Waited::Abandoned);
        assert_eq!(plain.parking.load(std::sync::atomic::Ordering::Relaxed), 1, "it says that it was here");
        assert!(plain.words().raise(1, &Futex));
    }
}
