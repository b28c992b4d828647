//! The counter: a number in shared memory that only grows, and threads of any process that wait for it.
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::mapping::Mapping;
use crate::protocol::Words;
use crate::sleep::{ASKING_SLICE, Futex, Patience, SLICE};
use crate::{Error, Handle, HandleKind, Spin, Spinning, Waited, file, layout};

/// A 64-bit number in shared memory that starts at 0 and only grows, and that any process which has its handle can raise and wait for.
///
/// Raising it while nobody sleeps costs one atomic operation, a wait for a value that was seen before costs a load. What was written before
/// a raise is seen by whoever has seen the value.
///
/// The other processes are not trusted. They can raise the number as they like and they can make a wait last until its deadline; they cannot
/// make this process crash, read outside of the counter, or see the number fall.
///
/// ```
/// use fencepost_ipc::Counter;
/// use std::time::Duration;
/// let ours = Counter::new()?;
/// let theirs = Counter::try_from(ours.handle("frames")?)?; // in another process, say
/// theirs.raise(3);
/// assert!(ours.wait_for(2, Duration::from_secs(10)));
/// assert_eq!(ours.value(), 3);
/// # Ok::<(), fencepost_ipc::Error>(())
/// ```
pub struct Counter {
    mapping: Mapping,
    /// The largest value that this process has seen. What was seen once stays seen, whatever others write.
    seen: AtomicU64,
    spinning: Spinning,
}

impl Counter {
    /// A counter with value 0, which nobody else has.
    ///
    /// # Errors
    /// The system has no memory or no descriptor left.
    pub fn new() -> Result<Self, Error> {
        let mapping = Mapping::create("fencepost-counter", layout::LENGTH)?;
        layout::write_head(mapping.long_words());
        Ok(Self::over(mapping))
    }

    fn over(mapping: Mapping) -> Self {
        Self { mapping, seen: AtomicU64::new(0), spinning: Spinning::new() }
    }

    /// The value now.
    #[inline]
    pub fn value(&self) -> u64 {
        let (now, seen) = (self.words().value(), self.seen.load(Ordering::Acquire));
        if now > seen {
            return self.note(now);
        }
        seen
    }

    /// Raises the value and wakes whoever waits for it; a smaller or equal one changes nothing. True: it grew.
    #[inline]
    pub fn raise(&self, value: u64) -> bool {
        self.words().raise(value, &Futex)
    }

    /// Waits until the value is there: true. False where `deadline` passed first; `None` waits for ever.
    #[inline]
    pub fn wait(&self, value: u64, deadline: Option<Instant>) -> bool {
        self.has_seen(value)
            || self.wait_longer(value, Patience::new(deadline, SLICE, || true)) == Waited::Reached
    }

    /// Waits until the value is there: true. False where so much time passed first.
    #[inline]
    pub fn wait_for(&self, value: u64, timeout: Duration) -> bool {
        // A deadline that no clock can show never comes.
        self.has_seen(value) || self.wait(value, Instant::now().checked_add(timeout))
    }

    /// Waits until the value is there, `deadline` has passed, or `keep_waiting` says no. It is asked before each sleep, at least every 20
    /// milliseconds, and when an [`interrupt`](Self::interrupt) ends a sleep.
    ///
    /// A wait that is to end with the life of another process asks a [`PeerWatch`](crate::PeerWatch):
    /// `counter.wait_while(7, deadline, || !peer.has_gone())`.
    pub fn wait_while(
        &self,
        value: u64,
        deadline: Option<Instant>,
        keep_waiting: impl FnMut() -> bool,
    ) -> Waited {
        if self.has_seen(value) {
            return Waited::Reached;
        }
        self.wait_longer(value, Patience::new(deadline, ASKING_SLICE, keep_waiting))
    }

    /// Wakes everybody who waits, in all processes: each looks again, asks whether to go on, and sleeps again if that is all there is.
    pub fn interrupt(&self) {
        self.words().interrupt(&Futex);
    }

    /// How waits of this process through this value look for changes before they sleep.
    pub fn set_spin(&self, spin: Spin) {
        self.spinning.choose(spin);
    }

    /// What another process makes the same counter of. The label is for people.
    ///
    /// # Errors
    /// A label too long to be sent; no descriptor left.
    pub fn handle(&self, label: &str) -> Result<Handle, Error> {
        Handle::new(HandleKind::Counter, label, file::duplicate(self)?)
    }

    /// Whether the value is there, by the cheapest look that can tell: most waits are satisfied.
    #[inline]
    pub(crate) fn has_seen(&self, value: u64) -> bool {
        self.seen.load(Ordering::Acquire) >= value || self.value() >= value
    }

    #[inline]
    pub(crate) fn words(&self) -> Words<'_> {
        let value: &AtomicU64 = &self.mapping.long_words()[layout::VALUE];
        let parking: &AtomicU32 = &self.mapping.words()[layout::PARKING];
        Words { value, parking }
    }

    #[cold]
    pub(crate) fn note(&self, now: u64) -> u64 {
        self.seen.fetch_max(now, Ordering::AcqRel).max(now)
    }

    #[cold]
    fn wait_longer(&self, value: u64, mut patience: Patience<impl FnMut() -> bool>) -> Waited {
        let words = self.words();
        let looked = self
            .spinning
            .look_until(|| words.value() >= value, |now, looking| patience.ends_while_looking(now, looking));
        let reached = looked || (!patience.is_over() && words.wait(value, &mut patience));
        if reached {
            self.note(value);
            return Waited::Reached;
        }
        patience.ended
    }
}

impl TryFrom<OwnedFd> for Counter {
    type Error = Error;

    /// The counter in a memory file that came from somewhere. Everything about it is checked.
    ///
    /// # Errors
    /// Whatever is wrong with the file: it is no memory file, not sealed, not writable, has another length, holds no counter or one of
    /// another version.
    fn try_from(file: OwnedFd) -> Result<Self, Error> {
        let length = file::checked_length(file.as_fd())?;
        if length != layout::LENGTH {
            return Err(Error::WrongLength { found: length, expected: layout::LENGTH });
        }
        let mapping = Mapping::of(file)?;
        layout::check_head(mapping.long_words())?;
        Ok(Self::over(mapping))
    }
}

impl TryFrom<Handle> for Counter {
    type Error = Error;

    /// # Errors
    /// A handle of something else; otherwise as for its descriptor.
    fn try_from(handle: Handle) -> Result<Self, Error> {
        handle.into_file_of(HandleKind::Counter)?.try_into()
    }
}

impl AsFd for Counter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.mapping.file().as_fd()
    }
}

impl From<Counter> for OwnedFd {
    fn from(counter: Counter) -> Self {
        counter.mapping.into_file()
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counter").field("value", &self.value()).finish_non_exhaustive()
    }
}
