//! Waiting for whichever of several counters comes first. (Waiting for all of them is waiting for one after the other: none ever falls.)
//!
//! A kernel since 5.16 sleeps on several words at once. Before that there is no such sleep: a wait then sleeps on its first counter and
//! looks at the others each millisecond, which keeps all that is promised and is later. Who would rather have a thread for each counter asks
//! [`waits_for_several`].
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::{ClockId, futex};

use crate::sleep::{ASKING_SLICE, Patience, SLICE};
use crate::{Counter, Error, Waited};

/// The most counters that one wait takes: what the system's wait for several futexes does.
pub const MOST_COUNTERS: usize = 128;

/// Waits until one of the counters has its value: its index. `None` where `deadline` passed first, and at once where there is no counter.
///
/// ```
/// use fencepost_ipc::{Counter, wait_any};
/// let (first, second) = (Counter::new()?, Counter::new()?);
/// second.raise(5);
/// assert_eq!(wait_any(&[(&first, 1), (&second, 5)], None)?, Some(1));
/// # Ok::<(), fencepost_ipc::Error>(())
/// ```
///
/// # Errors
/// More than [`MOST_COUNTERS`].
pub fn wait_any(waits: &[(&Counter, u64)], deadline: Option<Instant>) -> Result<Option<usize>, Error> {
    wait(waits, Patience::new(deadline, slice(SLICE), || true)).map(Result::ok)
}

/// As [`wait_any`], and asks `keep_waiting` as [`Counter::wait_while`] does. Where none has its value it says why: never `Reached`.
///
/// # Errors
/// As [`wait_any`].
pub fn wait_any_while(
    waits: &[(&Counter, u64)],
    deadline: Option<Instant>,
    keep_waiting: impl FnMut() -> bool,
) -> Result<Result<usize, Waited>, Error> {
    wait(waits, Patience::new(deadline, slice(ASKING_SLICE), keep_waiting))
}

/// Whether the system sleeps on several counters at once: Linux since 5.16, unless the process is forbidden to. Where it does not,
/// [`wait_any`] sleeps on the first of its counters and looks at the others each millisecond.
pub fn waits_for_several() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    // Nothing to wait for is no valid question, where the question is known at all.
    *KNOWN.get_or_init(|| {
        let asked = futex::waitv(&[], futex::WaitvFlags::empty(), None, ClockId::Monotonic);
        !matches!(asked, Err(Errno::NOSYS | Errno::PERM))
    })
}

fn slice(usual: Duration) -> Duration {
    if waits_for_several() { usual } else { POLL }
}

fn wait(
    waits: &[(&Counter, u64)],
    mut patience: Patience<impl FnMut() -> bool>,
) -> Result<Result<usize, Waited>, Error> {
    let reached = || waits.iter().position(|(counter, value)| counter.has_seen(*value));
    if waits.len() > MOST_COUNTERS {
        return Err(Error::TooManyCounters { found: waits.len(), most: MOST_COUNTERS });
    }
    if waits.is_empty() {
        return Ok(Err(Waited::TimedOut));
    }
    if let Some(index) = reached() {
        return Ok(Ok(index));
    }
    loop {
        let mut asleep = Vec::with_capacity(waits.len());
        let mut first = None;
        let mut sum: u64 = 0;
        for (index, (counter, value)) in waits.iter().enumerate() {
            let words = counter.words();
            let (parking, seen) = words.announce();
            if seen >= *value {
                counter.note(seen);
                return Ok(Ok(index));
            }
            sum = sum.wrapping_add(seen);
            asleep.push(waiter(words.parking, parking));
            first.get_or_insert((words.parking, parking));
        }
        let ControlFlow::Continue(until) = patience.next(sum) else {
            return Ok(reached().ok_or(patience.ended));
        };
        let slept = match first {
            Some((parking, expected)) if !waits_for_several() => {
                futex::wait_bitset(parking, futex::Flags::empty(), expected, Some(&until), NonZeroU32::MAX)
            }
            _ => futex::waitv(&asleep, futex::WaitvFlags::empty(), Some(&until), ClockId::Monotonic)
                .map(|_| ()),
        };
        patience.slept(slept);
    }
}

fn waiter(parking: &AtomicU32, expected: u32) -> futex::Wait {
    let mut waiter = futex::Wait::new();
    waiter.val = u64::from(expected);
    waiter.uaddr = futex::WaitPtr::new(parking.as_ptr().cast());
    waiter.flags = futex::WaitFlags::SIZE_U32;
    waiter
}

/// How late a wait for several may be where the system cannot wait for them.
const POLL: Duration = Duration::from_millis(1);
