//! From a signal to somebody who sleeps: how long until a handler, a task or a thread runs.
//!
//! The sleeper is let fall asleep first, and says when it runs by the same clock. It runs on the other core, wherever it comes from.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use fencepost::{Device, SharedEvent, SharedEventListener, Spin};

use super::pin;
use super::ways::{direction, signal_futex, wait_futex};

const ROUNDS: u64 = 300;
/// Until somebody who is about to sleep does.
const ASLEEP: Duration = Duration::from_micros(300);

/// When somebody ran: nanoseconds since `begin`, for one round after the other.
#[derive(Clone)]
struct Clock {
    begin: Instant,
    ran: Arc<AtomicU64>,
    round: Arc<AtomicU64>,
}

impl Clock {
    fn new() -> Self {
        Self { begin: Instant::now(), ran: Arc::default(), round: Arc::default() }
    }

    fn now(&self) -> u64 {
        self.begin.elapsed().as_nanos() as u64
    }

    /// The sleeper runs.
    fn tell(&self, round: u64) {
        self.ran.store(self.now(), Ordering::Relaxed);
        self.round.store(round, Ordering::Release);
    }

    /// Signals round after round; how long each took until the sleeper ran.
    fn measure(&self, mut signal: impl FnMut(u64)) -> Vec<u64> {
        pin(0);
        let mut took = Vec::new();
        for round in 1..=ROUNDS {
            thread::sleep(ASLEEP);
            let before = self.now();
            signal(round);
            while self.round.load(Ordering::Acquire) < round {
                std::hint::spin_loop();
            }
            took.push(self.ran.load(Ordering::Relaxed).saturating_sub(before));
        }
        took.sort_unstable();
        took
    }
}

pub(super) fn run() {
    println!("| from a signal until a sleeper runs, µs | median | least |\n|---|---|---|");
    let raw = Arc::new(AtomicU32::new(0));
    let sleeping = Arc::clone(&raw);
    row(
        "raw: a thread on a futex",
        move |round| wait_futex(&sleeping, round),
        move |round| signal_futex(&raw, round),
    );
    for (kind, name) in [
        ("counter-park", "counter: a thread"),
        ("event-inside-park", "shared event: a thread"),
        ("event-park", "shared event that others have: a thread"),
        ("condvar", "std condvar"),
        ("parking-lot", "parking_lot condvar"),
        ("tokio", "tokio Notify: a task"),
        ("eventfd", "eventfd"),
        ("iceoryx2", "iceoryx2 event"),
        ("vulkan", "vkWaitSemaphores on lavapipe"),
    ] {
        let name_of_service = format!("fencepost-bench/{}/delivery", std::process::id());
        let Some(way) = direction(kind, &name_of_service) else { continue };
        let (from, to) = (way.from, way.to);
        row(name, move |round| to.wait(round), move |round| from.signal(round));
    }
    let (sender, receiver) = mpsc::channel();
    let take = move |_| receiver.recv().expect("it is sent");
    row("std channel", take, move |_| sender.send(()).expect("it is received"));
    let event = event();
    let task = event.clone();
    row(
        "shared event: a task",
        move |round| pollster::block_on(task.signaled(round)),
        move |round| event.set_signaled_value(round),
    );
    notifications();
}

fn event() -> SharedEvent {
    let event = Device::cpu().new_shared_event();
    event.set_spin(Spin::Never);
    event
}

/// A thread that waits for each round, and what signals it.
fn row(name: &str, wait: impl Fn(u64) + Send + 'static, signal: impl FnMut(u64)) {
    let clock = Clock::new();
    let sleeper = clock.clone();
    let thread = thread::spawn(move || {
        pin(1);
        for round in 1..=ROUNDS {
            wait(round);
            sleeper.tell(round);
        }
    });
    print(name, &clock.measure(signal));
    thread.join().expect("nothing in it panics");
}

/// Handlers, on a listener's own thread.
fn notifications() {
    let (event, clock, listener) = (event(), Clock::new(), SharedEventListener::new());
    let register = |round: u64| {
        let clock = clock.clone();
        event.notify(&listener, round, move |_, _| {
            clock.tell(round);
            // The thread is the listener's: this says where it runs from now on.
            if round == 1 {
                pin(1);
            }
        });
    };
    (1..=ROUNDS).for_each(register);
    print("shared event: a notification", &clock.measure(|round| event.set_signaled_value(round)));
}

fn print(name: &str, took: &[u64]) {
    let micros = |nanoseconds: u64| nanoseconds as f64 / 1e3;
    println!("| {name} | {:.2} | {:.2} |", micros(took[took.len() / 2]), micros(took[0]));
}
