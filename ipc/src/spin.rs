//! Looking before sleeping: for how long, and what it has brought lately.
//!
//! Waking a sleeper costs tens of microseconds on a machine with several cores, looking costs a tenth of one and burns a core. So a wait
//! looks for about as long as a wake-up would cost, and where looking has not paid lately, for less. What a wait looks at is its own
//! affair: a counter's word here, an event's value elsewhere.
use std::hint::spin_loop;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

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

/// How long the waits for one thing look, and what they have learned. A [`Counter`](crate::Counter) has its own; this is for waits for
/// words of one's own.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use fencepost_ipc::{Spin, Spinning};
/// let (spinning, there) = (Spinning::new(), AtomicBool::new(true));
/// spinning.choose(Spin::For(std::time::Duration::from_micros(5)));
/// if !spinning.look(None, || there.load(Ordering::Acquire)) {
///     // Now it is time to sleep.
/// }
/// ```
#[derive(Debug)]
pub struct Spinning {
    /// Nanoseconds, or [`ADAPTIVE`].
    chosen: AtomicU64,
    /// Nanoseconds.
    learned: AtomicU64,
    waits: AtomicU32,
}

impl Spinning {
    /// [`Spin::Adaptive`], and nothing learned.
    pub const fn new() -> Self {
        Self {
            chosen: AtomicU64::new(ADAPTIVE),
            learned: AtomicU64::new(LONGEST_NS),
            waits: AtomicU32::new(0),
        }
    }

    /// Waits from now on look so long.
    pub fn choose(&self, spin: Spin) {
        let chosen = match spin {
            Spin::Adaptive => ADAPTIVE,
            Spin::Never => 0,
            Spin::For(time) => u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).min(ADAPTIVE - 1),
        };
        self.chosen.store(chosen, Relaxed);
    }

    /// Looks until `there` says yes: true. False where it is time to sleep, or `deadline` has passed.
    #[inline]
    pub fn look(&self, deadline: Option<Instant>, there: impl FnMut() -> bool) -> bool {
        self.look_until(there, |now, _| deadline.is_some_and(|deadline| now >= deadline))
    }

    /// As [`look`](Self::look), until `ends` says so, which is told the time and how long it has been looked.
    #[inline]
    pub(crate) fn look_until(
        &self,
        there: impl FnMut() -> bool,
        ends: impl FnMut(Instant, Duration) -> bool,
    ) -> bool {
        let chosen = self.chosen.load(Relaxed);
        if chosen != ADAPTIVE {
            return look_for(there, chosen, ends).is_some();
        }
        if *ALONE.get_or_init(|| thread::available_parallelism().map_or(1, usize::from) == 1) {
            return false;
        }
        let learned = self.learned.load(Relaxed);
        // Now and then a wait looks for as long as can pay at all: otherwise nobody would notice that it pays again.
        let probing = self.waits.fetch_add(1, Relaxed).is_multiple_of(PROBE_EVERY);
        let limit = if probing { LONGEST_NS } else { learned };
        let took = look_for(there, limit, ends);
        let better = took.map_or(learned / 2, |took| learned.max(took).saturating_mul(2));
        let better = better.clamp(SHORTEST_NS, LONGEST_NS);
        if better != learned {
            self.learned.store(better, Relaxed);
        }
        took.is_some()
    }
}

impl Default for Spinning {
    fn default() -> Self {
        Self::new()
    }
}

/// The nanoseconds that it took, rounded down to the last look at the clock.
#[inline]
fn look_for(
    mut there: impl FnMut() -> bool,
    limit_ns: u64,
    mut ends: impl FnMut(Instant, Duration) -> bool,
) -> Option<u64> {
    if limit_ns == 0 {
        return None;
    }
    let mut begin = None;
    loop {
        for _ in 0..LOOKS {
            if there() {
                return Some(begin.map_or(0, nanoseconds_since));
            }
            spin_loop();
        }
        let now = Instant::now();
        let looking = now - *begin.get_or_insert(now);
        if looking.as_nanos() >= u128::from(limit_ns) || ends(now, looking) {
            return None;
        }
    }
}

fn nanoseconds_since(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_that_pays_goes_on_and_looking_that_does_not_gets_short() {
        let spinning = Spinning::new();
        for _ in 0..40 {
            spinning.look(None, || false);
        }
        // On one core alone nothing is learned.
        let alone = thread::available_parallelism().map_or(1, usize::from) == 1;
        assert!(alone || spinning.learned.load(Relaxed) == SHORTEST_NS);
        assert!(alone || spinning.look(None, || true));
        spinning.choose(Spin::Never);
        assert!(!spinning.look(None, || unreachable!("it never looks")));
        spinning.choose(Spin::For(Duration::MAX));
        assert!(!spinning.look(Some(Instant::now()), || false), "the deadline counts all the same");
        let mut looks = 0;
        assert!(spinning.look(None, || {
            looks += 1;
            looks == 1000
        }));
    }
}
