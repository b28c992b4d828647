//! What a signal costs that nobody waits for, and a wait that is satisfied.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use fencepost::Device;
use fencepost_bench::timeline::Timeline;
use fencepost_ipc::Counter;
use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::Notify;

use super::iceoryx::Ends;
use super::ways::signal_futex;
use crate::clock::{each, least};

pub(super) fn run() {
    println!("| nobody waits, ns | signal | satisfied wait |\n|---|---|---|");
    ours();
    locks();
    descriptors();
    others();
}

type Turn<'a> = Box<dyn FnMut(u64) + 'a>;

/// The least over several runs of so many turns each.
fn cost(turns: u64, mut turn: Turn<'_>) -> f64 {
    let mut next = 1;
    let time = least(5, Duration::from_millis(200), || {
        for _ in 0..turns {
            turn(black_box(next));
            next += 1;
        }
    });
    each(time, turns as usize)
}

const MANY: u64 = 1_000_000;
/// Where each turn is a system call.
const FEW: u64 = 20_000;

fn row(name: &str, turns: u64, signal: Turn<'_>, wait: Option<Turn<'_>>) {
    // The signals first: they are what satisfies the waits.
    let signal = cost(turns, signal);
    let wait = wait.map_or_else(String::new, |wait| format!("{:.1}", cost(turns, wait)));
    println!("| {name} | {signal:.1} | {wait} |");
}

/// Where a wait takes the signal away: a wait costs what both do, less what a signal does.
fn row_of_both(name: &str, turns: u64, signal: Turn<'_>, both: Turn<'_>) {
    let (both, signal) = (cost(turns, both), cost(turns, signal));
    println!("| {name} | {signal:.1} | {:.1} |", (both - signal).max(0.0));
}

fn ours() {
    let (counter, seen) = (Counter::new().expect("memory"), Counter::new().expect("memory"));
    seen.raise(1);
    row(
        "counter between processes",
        MANY,
        Box::new(|value| assert!(counter.raise(value))),
        Some(Box::new(|_| assert!(seen.wait(1, None)))),
    );
    let device = Device::cpu();
    for outside in [false, true] {
        let (event, seen) = (device.new_shared_event(), device.new_shared_event());
        let name = if outside { "shared event, others have it" } else { "shared event" };
        // What keeps it open for others.
        let _handles = outside.then(|| [event.handle(), seen.handle()].map(|handle| handle.expect("memory")));
        seen.set_signaled_value(1);
        row(
            name,
            MANY,
            Box::new(|value| event.set_signaled_value(value)),
            Some(Box::new(|_| assert!(seen.wait_until_signaled_value(1, Duration::MAX)))),
        );
    }
    let (word, seen) = (AtomicU64::new(0), AtomicU64::new(1));
    row(
        "raw: an atomic maximum, a load",
        MANY,
        Box::new(|value| assert!(word.fetch_max(value, Ordering::SeqCst) < value)),
        Some(Box::new(|_| assert!(seen.load(Ordering::Acquire) >= 1))),
    );
}

fn locks() {
    let (condvar, mutex) = (Condvar::new(), Mutex::new(0));
    row(
        "std mutex and condvar",
        MANY,
        Box::new(|value| {
            *mutex.lock().expect("not poisoned") = value;
            condvar.notify_all();
        }),
        Some(Box::new(|_| {
            let value = condvar.wait_while(mutex.lock().expect("not poisoned"), |value| *value == 0);
            assert!(*value.expect("not poisoned") > 0);
        })),
    );
    let (condvar, mutex) = (parking_lot::Condvar::new(), parking_lot::Mutex::new(0));
    row(
        "parking_lot mutex and condvar",
        MANY,
        Box::new(|value| {
            *mutex.lock() = value;
            condvar.notify_all();
        }),
        Some(Box::new(|_| {
            let mut value = mutex.lock();
            condvar.wait_while(&mut value, |value| *value == 0);
        })),
    );
    let notify = Notify::new();
    row_of_both(
        "tokio Notify",
        MANY,
        Box::new(|_| notify.notify_one()),
        Box::new(|_| {
            notify.notify_one();
            pollster::block_on(notify.notified());
        }),
    );
}

fn descriptors() {
    let (word, seen) = (AtomicU32::new(0), AtomicU32::new(1));
    row(
        "raw: futex, woken each time",
        FEW,
        Box::new(|value| signal_futex(&word, value)),
        Some(Box::new(|_| assert!(seen.load(Ordering::Acquire) >= 1))),
    );
    let file = eventfd(0, EventfdFlags::empty()).expect("a descriptor");
    let add = || assert_eq!(rustix::io::write(&file, &1_u64.to_ne_bytes()), Ok(8));
    let take = || assert_eq!(rustix::io::read(&file, &mut [0; 8]), Ok(8));
    row_of_both(
        "eventfd",
        FEW,
        Box::new(|_| add()),
        Box::new(|_| {
            add();
            take();
        }),
    );
    let (from, to) = rustix::pipe::pipe().expect("descriptors");
    let put = || assert_eq!(rustix::io::write(&to, &[1]), Ok(1));
    // A pipe is full one day, so what is put is taken by a call for very many.
    let mut room = vec![0; 1 << 14];
    row_of_both(
        "pipe",
        FEW,
        Box::new(|value| {
            put();
            if value.is_multiple_of(room.len() as u64) {
                rustix::io::read(&from, &mut room).expect("there is something");
            }
        }),
        Box::new(|_| {
            put();
            rustix::io::read(&from, &mut [0]).expect("there is something");
        }),
    );
}

fn others() {
    let ends = Ends::new(&format!("fencepost-bench/{}/alone", std::process::id()), true);
    row_of_both(
        "iceoryx2 event",
        FEW,
        Box::new(|_| ends.notify()),
        Box::new(|_| {
            ends.notify();
            ends.take();
        }),
    );
    let (signals, seen) = match Timeline::new().and_then(|first| Ok((first.another()?, first))) {
        Ok(both) => both,
        Err(error) => return println!("| vkSignalSemaphore, vkWaitSemaphores | {error} | |"),
    };
    seen.signal(1);
    row(
        "vkSignalSemaphore, vkWaitSemaphores on lavapipe",
        MANY,
        Box::new(|value| signals.signal(value)),
        Some(Box::new(|_| seen.wait(1))),
    );
}
