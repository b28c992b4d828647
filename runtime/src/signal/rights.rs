//! The counts that decide whether anybody is left who may raise an event: handles of the program, and recorded signals.
//!
//! Both fall to nothing without any lock, and a queue may begin to wait just then. So the last to leave looks for queues that wait, and a
//! queue that begins to wait looks for who has left; whoever comes second in that order of all accesses finds that nobody is left.
#[cfg(loom)]
use loom::sync::atomic::{AtomicUsize, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicUsize, Ordering};

use super::level::between;

/// How many may raise an event.
#[derive(Debug)]
pub(crate) struct Rights {
    handles: AtomicUsize,
    signals: AtomicUsize,
}

impl Rights {
    pub(crate) fn new() -> Self {
        Self { handles: AtomicUsize::new(0), signals: AtomicUsize::new(0) }
    }

    pub(crate) fn add_handle(&self) {
        self.handles.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn add_signal(&self) {
        self.signals.fetch_add(1, Ordering::SeqCst);
    }

    /// True: it was the last handle, and queues that wait are to look.
    pub(crate) fn drop_handle(&self) -> bool {
        let last = self.handles.fetch_sub(1, Ordering::SeqCst) == 1;
        between();
        last
    }

    /// True: no handle is left either, and queues that wait are to look.
    pub(crate) fn drop_signal(&self) -> bool {
        self.signals.fetch_sub(1, Ordering::SeqCst);
        between();
        self.handles.load(Ordering::SeqCst) == 0
    }

    pub(crate) fn has_handles(&self) -> bool {
        between();
        self.handles.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn signals(&self) -> usize {
        between();
        self.signals.load(Ordering::SeqCst)
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::atomic::{AtomicBool, Ordering};
    use loom::sync::{Arc, Mutex};

    use super::super::level::Level;
    use super::Rights;

    /// An event with one handle and one recorded signal, and a queue of which the table knows or does not.
    struct Event {
        rights: Rights,
        level: Level,
        held: Mutex<bool>,
        abandoned: AtomicBool,
    }

    impl Event {
        fn new() -> Arc<Self> {
            let (rights, level) = (Rights::new(), Level::new());
            rights.add_handle();
            rights.add_signal();
            Arc::new(Self { rights, level, held: Mutex::new(false), abandoned: AtomicBool::new(false) })
        }

        /// A queue comes to its wait.
        fn hold(&self) {
            {
                let mut held = self.held.lock().unwrap();
                self.level.watch();
                *held = true;
            }
            if !self.rights.has_handles() {
                self.review();
            }
        }

        fn someone_left(&self) {
            if self.level.is_watched() && *self.held.lock().unwrap() {
                self.review();
            }
        }

        /// The queue looks whether anybody is left.
        fn review(&self) {
            if !self.rights.has_handles() && self.rights.signals() == 0 {
                self.abandoned.store(true, Ordering::SeqCst);
            }
        }
    }

    /// The last handle and the last signal go while a queue comes to its wait: somebody tells it.
    #[test]
    fn nobody_waits_for_what_nobody_can_raise() {
        loom::model(|| {
            let event = Event::new();
            let (one, two) = (Arc::clone(&event), Arc::clone(&event));
            let handle = loom::thread::spawn(move || {
                if one.rights.drop_handle() {
                    one.someone_left();
                }
            });
            let signal = loom::thread::spawn(move || {
                if two.rights.drop_signal() {
                    two.someone_left();
                }
            });
            event.hold();
            handle.join().unwrap();
            signal.join().unwrap();
            assert!(event.abandoned.load(Ordering::SeqCst), "the queue waits for ever");
        });
    }

    /// A signal that is recorded through the handle before that goes keeps hope.
    #[test]
    fn a_recorded_signal_outlives_its_handle() {
        loom::model(|| {
            let event = Event::new();
            event.rights.drop_signal();
            let recording = Arc::clone(&event);
            let recording = loom::thread::spawn(move || {
                recording.rights.add_signal();
                if recording.rights.drop_handle() {
                    recording.someone_left();
                }
            });
            event.hold();
            recording.join().unwrap();
            assert!(!event.abandoned.load(Ordering::SeqCst), "a signal is still to come");
        });
    }
}
