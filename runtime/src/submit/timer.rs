//! Wakes the submission up when a wait has waited too long. Its thread exists only while a deadline does.
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::signal::EventUser;

/// The next deadline of one device.
#[derive(Debug, Default)]
pub(super) struct Timer {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    due: Option<Instant>,
    running: bool,
}

impl Timer {
    /// From now on this is the next deadline: then, `user` is pumped once.
    pub(super) fn set(&self, due: Option<Instant>, user: &Weak<dyn EventUser>) {
        let mut state = self.shared.state.lock();
        if state.due == due {
            return;
        }
        state.due = due;
        if state.running {
            self.shared.changed.notify_one();
        } else if due.is_some() {
            let (shared, user) = (Arc::clone(&self.shared), user.clone());
            let spawned =
                std::thread::Builder::new().name("fencepost timer".into()).spawn(move || shared.run(&user));
            // Without a thread the wait stays a wait; the next commit looks at the clock again.
            state.running = spawned.is_ok();
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.shared.state.lock().due = None;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn run(&self, user: &Weak<dyn EventUser>) {
        let mut state = self.state.lock();
        while let Some(due) = state.due {
            if Instant::now() < due {
                self.changed.wait_until(&mut state, due);
                continue;
            }
            state.due = None;
            parking_lot::MutexGuard::unlocked(&mut state, || {
                if let Some(user) = user.upgrade() {
                    user.pump();
                }
            });
        }
        state.running = false;
    }
}
