//! Threads and tasks that wait for a value. Each has one place in the event's table and is woken by name: a raise that is not for it
//! does not touch it.
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::EventBody;
use super::event::Place;
use crate::observe::Happening;

/// Completes when a shared event has reached a value; see [`SharedEvent::signaled`](crate::SharedEvent::signaled).
///
/// Dropped before, it leaves nothing behind.
#[must_use = "a future does nothing until it is polled"]
pub struct Signaled {
    event: Arc<EventBody>,
    value: u64,
    place: Option<Place>,
    /// Where the app asks.
    site: &'static Location<'static>,
    told: bool,
}

impl Signaled {
    pub(crate) fn new(event: &Arc<EventBody>, value: u64, site: &'static Location<'static>) -> Self {
        Self { event: Arc::clone(event), value, place: None, site, told: value == 0 }
    }
}

impl Future for Signaled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.event.enroll(this.value, context.waker(), &mut this.place) {
            if !std::mem::replace(&mut this.told, true) {
                this.event.watches().tell(Happening::Reached(&this.event, this.value), this.site);
            }
            return Poll::Ready(());
        }
        this.event.drive();
        Poll::Pending
    }
}

impl Drop for Signaled {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.event.withdraw(place);
        }
    }
}

impl fmt::Debug for Signaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signaled")
            .field("event", &self.event)
            .field("value", &self.value)
            .finish_non_exhaustive()
    }
}

/// A thread asleep.
struct Sleeper {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Sleeps until one of these values is there: which. `None` when `timeout` ran out first.
pub(crate) fn sleep_until_any(waits: &[(&EventBody, u64)], timeout: Option<Duration>) -> Option<usize> {
    let reached = || waits.iter().position(|(event, value)| event.value_now() >= *value);
    if let Some(first) = reached() {
        return Some(first);
    }
    waits.iter().for_each(|(event, _)| event.fetch());
    if let Some(first) = reached() {
        return Some(first);
    }
    // A time that the clock cannot tell is no limit, and the longest one need not be asked about.
    let limit = timeout.filter(|timeout| *timeout != Duration::MAX);
    let deadline = limit.and_then(|timeout| Instant::now().checked_add(timeout));
    if timeout != Some(Duration::ZERO) && looked(waits, deadline, || reached().is_some()) {
        return reached();
    }
    let users: Vec<_> = waits.iter().flat_map(|(event, _)| event.users()).collect();
    users.iter().for_each(|user| user.wait_begins());
    let found = asleep(waits, deadline, reached);
    users.iter().for_each(|user| user.wait_ends());
    found
}

/// Looks for a while: that costs nobody anything but this thread, and what is raised meanwhile has nobody to wake. Not where a device
/// does nothing before somebody sleeps, and not where another process may raise the value: who sleeps on that word looks at it first.
fn looked(waits: &[(&EventBody, u64)], deadline: Option<Instant>, there: impl FnMut() -> bool) -> bool {
    match waits {
        [(first, _), ..] if !waits.iter().any(|(event, _)| event.is_driven() || event.is_outside()) => {
            first.look(deadline, there)
        }
        _ => false,
    }
}

fn asleep(
    waits: &[(&EventBody, u64)],
    deadline: Option<Instant>,
    reached: impl Fn() -> Option<usize>,
) -> Option<usize> {
    // Where another process may raise the value, a thread sleeps on what that process raises, and nobody stands between.
    if let [(event, value)] = waits
        && let Some(reached) = event.sleep_outside(*value, deadline)
    {
        return reached.then_some(0);
    }
    let sleeper = Arc::new(Sleeper { thread: std::thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&sleeper));
    let mut places = vec![None; waits.len()];
    let there =
        waits.iter().zip(&mut places).any(|((event, value), place)| event.enroll(*value, &waker, place));
    while !there && !sleeper.woken.load(Ordering::Acquire) {
        match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            None => std::thread::park(),
            Some(Duration::ZERO) => break,
            Some(left) => std::thread::park_timeout(left),
        }
    }
    for ((event, _), place) in waits.iter().zip(places) {
        place.into_iter().for_each(|place| event.withdraw(place));
    }
    reached()
}
