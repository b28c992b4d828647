//! The word behind a gate: several may open it, one does.
//!
//! Whoever raises the value, whoever breaks the promise, and whoever takes the wait back meet here, and what follows from opening a node
//! must happen once. The word also says to the table of the event that there is nothing left to be noted down.
#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, Ordering};

/// Something that is done by whoever comes first.
#[derive(Debug)]
pub(crate) struct Once(AtomicBool);

impl Once {
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// True for the first caller, and for no other.
    pub(crate) fn claim(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// Somebody came. What he had done before is seen.
    pub(crate) fn is_claimed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::atomic::{AtomicU32, Ordering};
    use loom::sync::{Arc, Mutex};

    use super::super::level::Level;
    use super::Once;

    /// A gate with the table that it stands in, used as events use it.
    struct Gate {
        level: Level,
        once: Once,
        listed: Mutex<bool>,
        opened: AtomicU32,
        refused: AtomicU32,
    }

    impl Gate {
        fn new() -> Arc<Self> {
            let [opened, refused] = [(); 2].map(|()| AtomicU32::new(0));
            Arc::new(Self {
                level: Level::new(),
                once: Once::new(),
                listed: Mutex::new(false),
                opened,
                refused,
            })
        }

        fn open(&self) {
            if self.once.claim() {
                self.opened.fetch_add(1, Ordering::Relaxed);
            }
        }

        fn enroll(&self) {
            let mut listed = self.listed.lock().unwrap();
            if self.level.watch() >= 1 {
                drop(listed);
                return self.open();
            }
            *listed = !self.once.is_claimed();
        }

        fn raise(&self) {
            if self.level.raise(1) && std::mem::take(&mut *self.listed.lock().unwrap()) {
                self.open();
            }
        }

        /// What is behind the wait was refused first, and whoever finds the gate claimed by this sees it.
        fn give_up(&self) {
            self.refused.store(1, Ordering::Relaxed);
            let first = self.once.claim();
            *self.listed.lock().unwrap() = false;
            if first {
                self.opened.fetch_add(1, Ordering::Relaxed);
            }
        }

        fn is_over(&self) {
            assert_eq!(self.opened.load(Ordering::Relaxed), 1, "opened once, by whoever");
            assert!(!*self.listed.lock().unwrap(), "an open gate stays in nobody's table");
        }
    }

    /// A raise and a hand-over meet: neither relies on the other in vain.
    #[test]
    fn a_raise_opens_what_is_being_enrolled() {
        loom::model(|| {
            let gate = Gate::new();
            let raising = Arc::clone(&gate);
            let raising = loom::thread::spawn(move || raising.raise());
            gate.enroll();
            raising.join().unwrap();
            gate.is_over();
        });
    }

    /// A wait that is given up while it is noted down, or while its value comes.
    #[test]
    fn a_gate_is_opened_once_and_leaves_the_table() {
        loom::model(|| {
            let gate = Gate::new();
            let (raising, giving_up) = (Arc::clone(&gate), Arc::clone(&gate));
            let raising = loom::thread::spawn(move || raising.raise());
            let giving_up = loom::thread::spawn(move || giving_up.give_up());
            gate.enroll();
            raising.join().unwrap();
            giving_up.join().unwrap();
            gate.is_over();
        });
    }

    /// The table may see the claim before the hand-over does, and then sees what was refused.
    #[test]
    fn who_sees_the_claim_sees_what_was_before() {
        loom::model(|| {
            let gate = Gate::new();
            let giving_up = Arc::clone(&gate);
            let giving_up = loom::thread::spawn(move || giving_up.give_up());
            if gate.once.is_claimed() {
                assert_eq!(gate.refused.load(Ordering::Relaxed), 1);
            }
            giving_up.join().unwrap();
            gate.is_over();
        });
    }
}
