//! Threads that watch what other processes raise, each for many events.
//!
//! A thread sleeps on the counters of its events at once, and on one more that is raised to make it look at its list again. An event is
//! on the list only while something here waits for it, and once: when its counter has grown past what was known, it is taken off and
//! told, and whoever still waits puts it on again. So events that nobody waits for cost the ones who raise them nothing.
use std::sync::{Arc, Weak};
use std::time::Duration;

use fencepost_ipc::{Counter, MOST_COUNTERS, wait_any};
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
                self.watcher.look_again();
            }
            None => {
                let (event, counter) = (self.event.clone(), Arc::clone(&self.counter));
                list.watched.push(Watched { event, counter, above });
                self.watcher.look_again();
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
        self.watcher.look_again();
    }
}

/// A thread and what it watches.
#[derive(Debug)]
struct Watcher {
    list: Mutex<List>,
    changes: Counter,
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
            if (1..MOST_COUNTERS - 1).contains(&list.posts) {
                list.posts += 1;
                drop(list);
                return Ok(watcher);
            }
        }
        let failed = IpcError::of("`SharedEvent::handle`");
        let list = Mutex::new(List { watched: Vec::new(), posts: 1 });
        let made = Arc::new(Self { list, changes: Counter::new().map_err(failed)? });
        let thread = Arc::clone(&made);
        std::thread::Builder::new()
            .name("fencepost watcher".into())
            .spawn(move || thread.run())
            .map_err(|source| IpcError::Thread { source })?;
        all.push(Arc::downgrade(&made));
        Ok(made)
    }

    /// The list has changed. Its lock is held, so changes are counted one by one.
    fn look_again(&self) {
        self.changes.raise(self.changes.value() + 1);
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
            let mut waits = vec![(&self.changes, changes)];
            waits.extend(counters.iter().map(|(counter, value)| (&**counter, *value)));
            if wait_any(&waits, None).is_err() {
                // A kernel before 5.16, which cannot sleep on several words: the clock is slower, but it keeps what is promised.
                std::thread::sleep(POLL);
            }
            drop(waits);
            drop(counters);
            for event in self.take_due() {
                if let Some(event) = event.upgrade() {
                    event.fetch();
                }
            }
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

const POLL: Duration = Duration::from_millis(1);
