//! Threads that watch what other processes raise, each for many events.
//!
//! A thread sleeps on the counters of its events at once, and on one more that is raised to make it look at its list again. An event is
//! on the list only while something here waits for it, and once: when its counter has grown past what was known, it is taken off and
//! told, and whoever still waits puts it on again. So events that nobody waits for cost the ones who raise them nothing.
//!
//! A kernel before 5.16 cannot sleep on several counters. There an event has a thread of its own, which sleeps on the event's counter and is
//! interrupted when its list changes; so many events and no more, and those that come after them share threads which look each
//! millisecond.
use std::sync::{Arc, Weak};

use fencepost_ipc::{Counter, MOST_COUNTERS, wait_any, waits_for_several};
use parking_lot::Mutex;

use super::EventBody;
use crate::Error;
use crate::error::IpcError;

/// An event's place with a watcher. Given back when it is dropped.
#[derive(Debug)]
pub(super) struct Post {
    event: Weak<EventBody>,
    counter: Arc<Counter>,
    watcher: Arc<Watcher>,
}

impl Post {
    pub(super) fn new(event: Weak<EventBody>, counter: Counter) -> Result<Self, Error> {
        Ok(Self { event, counter: Arc::new(counter), watcher: Watcher::with_room()? })
    }

    pub(super) fn counter(&self) -> &Counter {
        &self.counter
    }

    /// Tells the event once, when its counter is above this.
    pub(super) fn watch(&self, above: u64) {
        let mut list = self.watcher.list.lock();
        match list.watched.iter_mut().find(|watched| Arc::ptr_eq(&watched.counter, &self.counter)) {
            // It sleeps until less or until the same; when it wakes it looks again.
            Some(known) if known.above <= above => known.above = above,
            Some(known) => {
                known.above = above;
                self.watcher.look_again(&self.counter);
            }
            None => {
                let (event, counter) = (self.event.clone(), Arc::clone(&self.counter));
                list.watched.push(Watched { event, counter, above });
                self.watcher.look_again(&self.counter);
            }
        }
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        let mut list = self.watcher.list.lock();
        list.watched.retain(|watched| !Arc::ptr_eq(&watched.counter, &self.counter));
        list.posts -= 1;
        // Also lets go of the counter, and ends the thread after the last one.
        self.watcher.look_again(&self.counter);
    }
}

/// A thread and what it watches.
#[derive(Debug)]
struct Watcher {
    list: Mutex<List>,
    changes: Counter,
    /// How many events it takes.
    room: usize,
}

#[derive(Debug, Default)]
struct List {
    watched: Vec<Watched>,
    /// Events that have a place here. None left: the thread has ended, or is about to, and takes no more.
    posts: usize,
}

#[derive(Debug)]
struct Watched {
    event: Weak<EventBody>,
    counter: Arc<Counter>,
    above: u64,
}

impl Watcher {
    /// One that can take another event, with that place taken.
    fn with_room() -> Result<Arc<Self>, Error> {
        static ALL: Mutex<Vec<Weak<Watcher>>> = Mutex::new(Vec::new());
        let mut all = ALL.lock();
        all.retain(|watcher| watcher.strong_count() > 0);
        for watcher in all.iter().filter_map(Weak::upgrade) {
            let mut list = watcher.list.lock();
            if (1..watcher.room).contains(&list.posts) {
                list.posts += 1;
                drop(list);
                return Ok(watcher);
            }
        }
        let failed = IpcError::of("`SharedEvent::handle`");
        let list = Mutex::new(List { watched: Vec::new(), posts: 1 });
        let alone = !waits_for_several() && all.len() < MOST_ALONE;
        let room = if alone { 1 } else { MOST_COUNTERS - 1 };
        let made = Arc::new(Self { list, changes: Counter::new().map_err(failed)?, room });
        let thread = Arc::clone(&made);
        std::thread::Builder::new()
            .name("fencepost watcher".into())
            .spawn(move || thread.run())
            .map_err(|source| IpcError::Thread { source })?;
        all.push(Arc::downgrade(&made));
        Ok(made)
    }

    /// The list has changed, by this counter. Its lock is held, so changes are counted one by one.
    fn look_again(&self, counter: &Counter) {
        self.changes.raise(self.changes.value() + 1);
        if self.room == 1 {
            counter.interrupt();
        }
    }

    fn run(&self) {
        loop {
            let (changes, counters) = {
                let list = self.list.lock();
                if list.posts == 0 {
                    return;
                }
                // Nothing is above the largest number, so nobody waits for that.
                let waits = list.watched.iter().filter(|watched| watched.above < u64::MAX);
                let counters: Vec<_> =
                    waits.map(|watched| (Arc::clone(&watched.counter), watched.above + 1)).collect();
                (self.changes.value() + 1, counters)
            };
            self.sleep(changes, &counters);
            drop(counters);
            for event in self.take_due() {
                if let Some(event) = event.upgrade() {
                    event.fetch();
                }
            }
        }
    }

    /// Sleeps until one of these counters is there, or the list has changed for this time.
    fn sleep(&self, changes: u64, counters: &[(Arc<Counter>, u64)]) {
        if self.room == 1
            && let [(counter, value)] = counters
        {
            counter.wait_while(*value, None, || self.changes.value() < changes);
            return;
        }
        let mut waits = vec![(&self.changes, changes)];
        waits.extend(counters.iter().map(|(counter, value)| (&**counter, *value)));
        if let Err(error) = wait_any(&waits, None) {
            unreachable!("only too many counters are refused, and there is room for so many: {error}");
        }
    }

    fn take_due(&self) -> Vec<Weak<EventBody>> {
        let mut list = self.list.lock();
        list.watched
            .extract_if(.., |watched| watched.counter.value() > watched.above)
            .map(|watched| watched.event)
            .collect()
    }
}

/// Threads that have one event each.
const MOST_ALONE: usize = 64;
