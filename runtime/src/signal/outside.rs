//! The part of a shared event that other processes see.
//!
//! An event that was never given away has none: its value is a word of its own, and raising it concerns nobody outside. Once it has a
//! handle, a counter in shared memory stands beside that word. What is raised here is raised there at once. What is raised there is
//! fetched when somebody looks or waits on the CPU, who then waits on the counter itself; and for queues and listeners that wait, one
//! thread for many events watches ([`super::watcher`]), only while there are any.
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::Instant;

use fencepost_ipc::{Counter, Spin, Spinning};
use parking_lot::Mutex;

use super::watcher::Post;
use super::{EventBody, EventHandle};
use crate::Error;
use crate::error::IpcError;

/// Whether other processes may see an event, and by what.
#[derive(Debug, Default)]
pub(super) struct Outside {
    present: AtomicBool,
    post: OnceLock<Post>,
    /// How waits of threads look before they sleep while nobody outside sees the event. The counter has its own.
    spinning: Spinning,
    chosen: Mutex<Spin>,
}

impl Outside {
    /// Sequentially consistent, as the raise of a level before it: either a raise finds the counter, or who makes the counter finds the
    /// raised value.
    #[inline]
    pub(super) fn post(&self) -> Option<&Post> {
        if self.present.load(Ordering::SeqCst) { self.post.get() } else { None }
    }

    /// Whether another process may have it.
    pub(super) fn is_open(&self) -> bool {
        self.present.load(Ordering::SeqCst)
    }

    pub(super) fn counter(&self) -> Option<&Counter> {
        self.post().map(Post::counter)
    }
}

impl EventBody {
    /// A shared event whose value other processes may have raised already.
    pub(crate) fn of_counter(counter: Counter) -> Result<EventHandle, Error> {
        let event = EventHandle::new(true);
        event.open(counter)?;
        event.fetch();
        Ok(event)
    }

    /// Calls `with` with the counter that other processes see, which is made for the first caller.
    pub(crate) fn with_counter<T>(&self, with: impl FnOnce(&Counter) -> T) -> Result<T, Error> {
        if self.outside().post().is_none() {
            self.open(Counter::new().map_err(IpcError::of("`SharedEvent::handle`"))?)?;
        }
        match self.outside().counter() {
            Some(counter) => Ok(with(counter)),
            None => unreachable!("an event that was opened stays open"),
        }
    }

    fn open(&self, counter: Counter) -> Result<(), Error> {
        let post = Post::new(self.weak(), counter)?;
        // Somebody else may have been faster; then theirs is the event's.
        let _same_either_way = self.outside().post.set(post);
        if let Some(post) = self.outside().post.get() {
            post.counter().set_spin(*self.outside().chosen.lock());
        }
        self.outside().present.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.raise_outside(self.value_now());
        // Whoever waits already is told of what is raised outside.
        self.watch_outside();
        Ok(())
    }

    /// The value has grown here.
    #[inline]
    pub(super) fn raise_outside(&self, value: u64) {
        if let Some(counter) = self.outside().counter() {
            counter.raise(value);
        }
    }

    /// Takes over what was raised outside. No lock is held.
    pub(crate) fn fetch(&self) {
        if let Some(counter) = self.outside().counter() {
            let value = counter.value();
            if value > self.value_now() {
                // Before anything here can come of it.
                if let Some(event) = self.weak().upgrade() {
                    self.watches().outside(&event, value);
                }
                self.raise(value);
            }
        }
    }

    /// Somebody here waits for more than the value as it is now: from now on raises outside are fetched.
    pub(super) fn watch_outside(&self) {
        if let Some(post) = self.outside().post() {
            post.watch(self.value_now());
        }
    }

    /// For how long threads look before they sleep, here and on what is outside.
    pub(crate) fn set_spin(&self, spin: Spin) {
        let mut chosen = self.outside().chosen.lock();
        *chosen = spin;
        self.outside().spinning.choose(spin);
        if let Some(counter) = self.outside().counter() {
            counter.set_spin(spin);
        }
    }

    /// Looks for a while before it is time to sleep; true: `there` has said yes.
    pub(super) fn look(&self, deadline: Option<Instant>, there: impl FnMut() -> bool) -> bool {
        self.outside().spinning.look(deadline, there)
    }

    /// Sleeps until the value is there, if it can be raised outside; `None` where it cannot.
    pub(super) fn sleep_outside(&self, value: u64, deadline: Option<Instant>) -> Option<bool> {
        let counter = self.outside().counter()?;
        counter.wait(value, deadline);
        self.fetch();
        Some(self.value_now() >= value)
    }
}
