//! Callbacks, one after another, on a thread of their own that is there only while there is something to call.
//!
//! Handlers and listeners belong to the program: they may block, panic, commit work or drop the last handle of a device. So none
//! runs inline, none runs under a lock, and a panic ends the one callback alone.
use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How long an idle thread stays, in case more comes: long against a frame, short against a program.
const LINGER: Duration = Duration::from_millis(200);

thread_local! {
    /// The queue whose callback runs on this thread.
    static CALLING: Cell<*const Shared> = const { Cell::new(std::ptr::null()) };
}

type Job = Box<dyn FnOnce() + Send>;

/// Callbacks in the order of [`push`](Self::push). Dropped with callbacks left, it still runs them.
#[derive(Debug)]
pub(crate) struct SerialQueue {
    shared: Arc<Shared>,
}

struct Shared {
    name: &'static str,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    running: bool,
    closed: bool,
}

impl SerialQueue {
    /// An empty queue; `name` names its thread.
    pub(crate) fn new(name: &'static str) -> Self {
        let shared = Shared { name, state: Mutex::default(), changed: Condvar::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Whether the calling thread runs a callback of this queue.
    pub(crate) fn is_current(&self) -> bool {
        std::ptr::eq(CALLING.get(), Arc::as_ptr(&self.shared))
    }

    /// Calls `job` after all that was pushed before.
    pub(crate) fn push(&self, job: Job) {
        let mut state = self.shared.state.lock();
        state.jobs.push_back(job);
        if state.running {
            self.shared.changed.notify_one();
            return;
        }
        state.running = true;
        drop(state);
        let shared = Arc::clone(&self.shared);
        let spawned = std::thread::Builder::new().name(self.shared.name.into()).spawn(move || shared.run());
        if spawned.is_err() {
            // No thread is to be had. A callback on the wrong thread is better than one that never comes.
            self.shared.run_until_empty();
        }
    }
}

impl Drop for SerialQueue {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn run(&self) {
        loop {
            let job = {
                let mut state = self.state.lock();
                loop {
                    if let Some(job) = state.jobs.pop_front() {
                        break job;
                    }
                    let timed_out = !state.closed && self.changed.wait_for(&mut state, LINGER).timed_out();
                    if state.jobs.is_empty() && (state.closed || timed_out) {
                        state.running = false;
                        return;
                    }
                }
            };
            call(self, job);
        }
    }

    fn run_until_empty(&self) {
        loop {
            let Some(job) = self.next_or_stop() else { return };
            call(self, job);
        }
    }

    fn next_or_stop(&self) -> Option<Job> {
        let mut state = self.state.lock();
        let job = state.jobs.pop_front();
        state.running = job.is_some();
        job
    }
}

fn call(queue: &Shared, job: Job) {
    let outer = CALLING.replace(queue);
    // The panic hook has reported it already; the queue goes on with the next callback.
    let _caught = catch_unwind(AssertUnwindSafe(job));
    CALLING.set(outer);
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SerialQueue").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn callbacks_keep_their_order_and_survive_a_panic() {
        let queue = SerialQueue::new("test");
        let (sender, receiver) = mpsc::channel();
        for number in 0..100 {
            let sender = sender.clone();
            queue.push(Box::new(move || {
                assert!(number != 50, "a callback panics on purpose");
                sender.send(number).ok();
            }));
        }
        drop((queue, sender));
        let got: Vec<i32> = receiver.iter().collect();
        assert_eq!(got, (0..100).filter(|&number| number != 50).collect::<Vec<_>>());
    }
}
