//! How a thread waits: first by looking, then by sleeping on a futex.
//!
//! Waking a sleeper costs tens of microseconds on a machine with several cores, looking costs a tenth of one and burns a core. So a wait
//! looks for about as long as a wake-up would cost and sleeps after that; where looking has not paid lately it looks for less.
//!
//! Sleep is cut into slices. A process that is killed between raising a value and waking others leaves sleepers behind that nobody wakes,
//! so each looks again by itself now and then; and someone who writes into the words on purpose can wake us without end, so wakes that
//! bring nothing are soon answered by sleeping on the clock.
use std::hint::spin_loop;
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::futex;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::protocol::{Park, Wake, Words};

/// For how long a wait looks before it sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spin {
    /// As it has paid lately: at most as long as a wake-up costs, and not at all where there is only one core.
    #[default]
    Adaptive,
    /// Never: every wait that is not satisfied sleeps at once.
    Never,
    /// For so long, whatever it brings.
    For(Duration),
}

/// How long waits of one counter look, and what they have learned.
#[derive(Debug)]
pub(crate) struct Spinning {
    /// Nanoseconds, or [`ADAPTIVE`].
    chosen: AtomicU64,
    /// Nanoseconds.
    learned: AtomicU64,
    waits: AtomicU32,
}

impl Spinning {
    pub(crate) fn new() -> Self {
        Self {
            chosen: AtomicU64::new(ADAPTIVE),
            learned: AtomicU64::new(LONGEST_NS),
            waits: AtomicU32::new(0),
        }
    }

    pub(crate) fn choose(&self, spin: Spin) {
        let chosen = match spin {
            Spin::Adaptive => ADAPTIVE,
            Spin::Never => 0,
            Spin::For(time) => u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).min(ADAPTIVE - 1),
        };
        self.chosen.store(chosen, Relaxed);
    }

    /// Looks until the value is there (true), it is time to sleep, or the wait is over.
    pub(crate) fn look(
        &self,
        words: Words<'_>,
        value: u64,
        patience: &mut Patience<impl FnMut() -> bool>,
    ) -> bool {
        let chosen = self.chosen.load(Relaxed);
        if chosen != ADAPTIVE {
            return look_for(words, value, chosen, patience).is_some();
        }
        if *ALONE.get_or_init(|| thread::available_parallelism().map_or(1, usize::from) == 1) {
            return false;
        }
        let learned = self.learned.load(Relaxed);
        // Now and then a wait looks for as long as can pay at all: otherwise nobody would notice that it pays again.
        let probing = self.waits.fetch_add(1, Relaxed).is_multiple_of(PROBE_EVERY);
        let limit = if probing { LONGEST_NS } else { learned };
        let took = look_for(words, value, limit, patience);
        let better = took.map_or(learned / 2, |took| learned.max(took).saturating_mul(2));
        let better = better.clamp(SHORTEST_NS, LONGEST_NS);
        if better != learned {
            self.learned.store(better, Relaxed);
        }
        took.is_some()
    }
}

/// The nanoseconds that it took, rounded down to the last look at the clock.
fn look_for(
    words: Words<'_>,
    value: u64,
    limit_ns: u64,
    patience: &mut Patience<impl FnMut() -> bool>,
) -> Option<u64> {
    if limit_ns == 0 {
        return None;
    }
    let mut begin = None;
    loop {
        for _ in 0..LOOKS {
            if words.value() >= value {
                return Some(begin.map_or(0, nanoseconds_since));
            }
            spin_loop();
        }
        let now = Instant::now();
        let looking = now - *begin.get_or_insert(now);
        if looking.as_nanos() >= u128::from(limit_ns) || patience.ends_while_looking(now, looking) {
            return None;
        }
    }
}

fn nanoseconds_since(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

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
    fn ends_while_looking(&mut self, now: Instant, looking: Duration) -> bool {
        if looking >= self.slice * (self.slices_looked + 1) {
            self.slices_looked += 1;
            return self.ends(now);
        }
        self.is_over_at(now)
    }

    /// Whether the deadline has passed. A wait that only looks in passing need not announce itself to those who raise.
    pub(crate) fn is_over(&mut self) -> bool {
        self.ended == Waited::Abandoned || self.is_over_at(Instant::now())
    }

    fn is_over_at(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    fn ends(&mut self, now: Instant) -> bool {
        if self.is_over_at(now) {
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
        let now = Instant::now();
        if self.ends(now) {
            return ControlFlow::Break(());
        }
        if self.seen.replace(seen) != Some(seen) {
            self.fruitless = 0;
        }
        let rest = self.deadline.map_or(self.slice, |deadline| self.slice.min(deadline - now));
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

/// Whether the process has one core to itself and no more.
static ALONE: OnceLock<bool> = OnceLock::new();

const ADAPTIVE: u64 = u64::MAX;
/// About what waking a sleeper costs between two cores: looking for longer than that loses against sleeping.
const LONGEST_NS: u64 = 50_000;
/// Looks that always pay: a few round trips of a cache line.
const SHORTEST_NS: u64 = 500;
/// One wait in so many looks for as long as can pay.
const PROBE_EVERY: u32 = 16;
/// Looks between two looks at the clock.
const LOOKS: u32 = 32;

/// A sleeper that nothing else wakes looks again after this time.
pub(crate) const SLICE: Duration = Duration::from_millis(250);
/// The same where somebody wants to be asked whether to go on.
pub(crate) const ASKING_SLICE: Duration = Duration::from_millis(20);
/// After so many wakes without a new value a waiter goes by the clock.
const TRUSTED_WAKES: u32 = 64;
const POLL: Duration = Duration::from_millis(1);
const SECOND_NS: i64 = 1_000_000_000;
