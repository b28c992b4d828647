//! Waiting for whichever of several counters comes first. (Waiting for all of them is waiting for one after the other: none ever falls.)
use std::ops::ControlFlow;
use std::time::Instant;

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
/// More than [`MOST_COUNTERS`], or a kernel before 5.16, which cannot wait for several.
pub fn wait_any(waits: &[(&Counter, u64)], deadline: Option<Instant>) -> Result<Option<usize>, Error> {
    wait(waits, Patience::new(deadline, SLICE, || true)).map(Result::ok)
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
    wait(waits, Patience::new(deadline, ASKING_SLICE, keep_waiting))
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
        }
        let ControlFlow::Continue(until) = patience.next(sum) else {
            return Ok(reached().ok_or(patience.ended));
        };
        let slept = futex::waitv(&asleep, futex::WaitvFlags::empty(), Some(&until), ClockId::Monotonic);
        if let Err(rustix::io::Errno::NOSYS) = slept {
            return Err(Error::system("wait for several counters")(rustix::io::Errno::NOSYS));
        }
        patience.slept(slept.map(|_| ()));
    }
}

fn waiter(parking: &std::sync::atomic::AtomicU32, expected: u32) -> futex::Wait {
    let mut waiter = futex::Wait::new();
    waiter.val = u64::from(expected);
    waiter.uaddr = futex::WaitPtr::new(parking.as_ptr().cast());
    waiter.flags = futex::WaitFlags::SIZE_U32;
    waiter
}
