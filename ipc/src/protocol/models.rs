//! Every interleaving of a few raises and waits, over a futex made of a lock and a condition variable.
use std::ops::ControlFlow;

use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use super::{Park, Wake, Words};

/// A counter, and the system's side of its futex.
struct Counter {
    value: AtomicU64,
    parking: AtomicU32,
    asleep: Mutex<u32>,
    woken: Condvar,
}

impl Counter {
    fn new(value: u64, parking: u32) -> Arc<Self> {
        Arc::new(Self {
            value: AtomicU64::new(value),
            parking: AtomicU32::new(parking),
            asleep: Mutex::new(0),
            woken: Condvar::new(),
        })
    }

    fn words(&self) -> Words<'_> {
        Words { value: &self.value, parking: &self.parking }
    }

    fn raise(&self, value: u64) -> bool {
        self.words().raise(value, self)
    }

    fn wait(&self, value: u64) -> bool {
        self.words().wait(value, &mut Sleeper(self))
    }
}

impl Wake for Counter {
    fn wake_all(&self, _: &AtomicU32) {
        let _asleep = self.asleep.lock().unwrap();
        self.woken.notify_all();
    }
}

/// Sleeps as the futex does: looks at the word and falls asleep in one step. Never gives up, so a missed raise is a deadlock.
struct Sleeper<'a>(&'a Counter);

impl Park for Sleeper<'_> {
    fn park(&mut self, parking: &AtomicU32, expected: u32, _: u64) -> ControlFlow<()> {
        let mut asleep = self.0.asleep.lock().unwrap();
        if parking.load(Ordering::SeqCst) == expected {
            *asleep += 1;
            asleep = self.0.woken.wait(asleep).unwrap();
            *asleep -= 1;
        }
        ControlFlow::Continue(())
    }
}

fn on_a_thread(
    counter: &Arc<Counter>,
    work: impl FnOnce(&Counter) + Send + 'static,
) -> thread::JoinHandle<()> {
    let counter = Arc::clone(counter);
    thread::spawn(move || work(&counter))
}

/// Three threads have too many schedules for all of them: those with up to three switches that nobody asked for.
fn model_of_three(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// A waiter that parks is woken by the raise that satisfies it.
#[test]
fn no_raise_is_missed() {
    loom::model(|| {
        let counter = Counter::new(0, 0);
        let raising = on_a_thread(&counter, |counter| assert!(counter.raise(1)));
        assert!(counter.wait(1));
        raising.join().unwrap();
    });
}

/// Jumps that leave the low half of the value as it was wake as well as any other.
#[test]
fn a_jump_by_two_to_the_32_wakes() {
    loom::model(|| {
        let counter = Counter::new(0, 0);
        let raising = on_a_thread(&counter, |counter| {
            counter.raise(1 << 32);
            counter.raise(2 << 32);
        });
        assert!(counter.wait(2 << 32));
        raising.join().unwrap();
    });
}

/// Two raise, one waits for the larger value: whichever comes last, it is woken, and the larger value stays.
#[test]
fn two_signallers_and_a_waiter() {
    model_of_three(|| {
        let counter = Counter::new(0, 0);
        let low = on_a_thread(&counter, |counter| {
            counter.raise(1);
        });
        let high = on_a_thread(&counter, |counter| {
            counter.raise(2);
        });
        assert!(counter.wait(2));
        low.join().unwrap();
        high.join().unwrap();
        assert_eq!(counter.words().value(), 2);
    });
}

/// Two waiters for different values: the wake-up of the first does not take the second's announcement with it.
#[test]
fn two_waiters_and_a_signaller() {
    model_of_three(|| {
        let counter = Counter::new(0, 0);
        let first = on_a_thread(&counter, |counter| assert!(counter.wait(1)));
        let second = on_a_thread(&counter, |counter| assert!(counter.wait(2)));
        counter.raise(1);
        counter.raise(2);
        first.join().unwrap();
        second.join().unwrap();
    });
}

/// A wake-up that brings nothing sends the waiter back to sleep, and takes no later one from it.
#[test]
fn spurious_wakes_lose_nothing() {
    model_of_three(|| {
        let counter = Counter::new(0, 0);
        let waking = on_a_thread(&counter, |counter| counter.words().interrupt(counter));
        let raising = on_a_thread(&counter, |counter| assert!(counter.raise(1)));
        assert!(counter.wait(1));
        waking.join().unwrap();
        raising.join().unwrap();
    });
}

/// A killed waiter leaves its bit: the next raise clears it and the protocol goes on, also where the wake-ups wrap around.
#[test]
fn what_a_killed_waiter_leaves_does_no_harm() {
    loom::model(|| {
        let counter = Counter::new(0, u32::MAX);
        let raising = on_a_thread(&counter, |counter| {
            counter.raise(1);
            counter.raise(2);
        });
        assert!(counter.wait(2));
        raising.join().unwrap();
    });
}

/// Who has seen the value sees what was written before the raise.
#[test]
fn a_raise_publishes() {
    loom::model(|| {
        let counter = Counter::new(0, 0);
        let data = Arc::new(AtomicU32::new(0));
        let raising = {
            let data = Arc::clone(&data);
            on_a_thread(&counter, move |counter| {
                data.store(7, Ordering::Relaxed);
                counter.raise(1);
            })
        };
        if counter.words().value() >= 1 {
            assert_eq!(data.load(Ordering::Relaxed), 7);
        }
        raising.join().unwrap();
    });
}
