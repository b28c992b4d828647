//! One signal for a thousand sleepers: until the last of them has run, and how long the one who signals is kept.

use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fencepost::{Device, SharedEventListener, Spin};
use fencepost_ipc::Counter;
use tokio::sync::Notify;

use super::unpin;
use super::ways::{signal_futex, wait_futex};

const WAITERS: usize = 1000;
const ROUNDS: usize = 10;

pub(super) fn run() {
    unpin();
    println!(
        "| {WAITERS} sleepers, ms (median) | until the last has run | the signal alone |\n|---|---|---|"
    );
    threads_of_the_system();
    threads_of_ours();
    let event = Device::cpu().new_shared_event();
    let task = event.clone();
    tasks(
        "shared event: tasks",
        move |value| {
            let event = task.clone();
            async move { event.signaled(value).await }
        },
        |value| event.set_signaled_value(value),
    );
    let notify = Arc::new(Notify::new());
    let task = Arc::clone(&notify);
    tasks(
        "tokio Notify: tasks",
        move |_| {
            let notify = Arc::clone(&task);
            async move { notify.notified().await }
        },
        |_| notify.notify_waiters(),
    );
    notifications();
}

fn threads_of_the_system() {
    let word = Arc::new(AtomicU32::new(0));
    let sleeping = Arc::clone(&word);
    threads(
        "raw: threads on a futex",
        move |value| wait_futex(&sleeping, value),
        |value| signal_futex(&word, value),
    );
    let pair = Arc::new((Mutex::new(0), Condvar::new()));
    let sleeping = Arc::clone(&pair);
    threads(
        "std condvar: threads",
        move |value| {
            let now = sleeping.0.lock().expect("not poisoned");
            drop(sleeping.1.wait_while(now, |now| *now < value).expect("not poisoned"));
        },
        |value| {
            *pair.0.lock().expect("not poisoned") = value;
            pair.1.notify_all();
        },
    );
    let pair = Arc::new((parking_lot::Mutex::new(0), parking_lot::Condvar::new()));
    let sleeping = Arc::clone(&pair);
    threads(
        "parking_lot condvar: threads",
        move |value| sleeping.1.wait_while(&mut sleeping.0.lock(), |now| *now < value),
        |value| {
            *pair.0.lock() = value;
            pair.1.notify_all();
        },
    );
}

fn threads_of_ours() {
    let counter = Arc::new(Counter::new().expect("memory"));
    counter.set_spin(Spin::Never);
    let sleeping = Arc::clone(&counter);
    threads(
        "counter: threads",
        move |value| assert!(sleeping.wait(value, None)),
        |value| assert!(counter.raise(value)),
    );
    let event = Device::cpu().new_shared_event();
    event.set_spin(Spin::Never);
    let sleeping = event.clone();
    threads(
        "shared event: threads",
        move |value| assert!(sleeping.wait_until_signaled_value(value, Duration::MAX)),
        |value| event.set_signaled_value(value),
    );
}

/// Threads that wait for each round and count themselves.
fn threads(name: &str, wait: impl Fn(u64) + Send + Sync + 'static, signal: impl Fn(u64)) {
    let (wait, ran) = (Arc::new(wait), Arc::new(AtomicUsize::new(0)));
    let sleepers: Vec<_> = (0..WAITERS)
        .map(|_| {
            let (wait, ran) = (Arc::clone(&wait), Arc::clone(&ran));
            let sleeper = thread::Builder::new().stack_size(1 << 16).spawn(move || {
                for round in 1..=ROUNDS as u64 {
                    wait(round);
                    ran.fetch_add(1, Ordering::Release);
                }
            });
            sleeper.expect("a thread")
        })
        .collect();
    let mut times = Vec::new();
    for round in 1..=ROUNDS {
        // Until those who ran before are asleep again.
        thread::sleep(Duration::from_millis(60));
        let begin = Instant::now();
        signal(round as u64);
        let signalled = begin.elapsed();
        while ran.load(Ordering::Acquire) < round * WAITERS {
            thread::yield_now();
        }
        times.push([begin.elapsed(), signalled]);
    }
    sleepers.into_iter().for_each(|sleeper| sleeper.join().expect("nothing in it panics"));
    print(name, &times);
}

/// Tasks on one thread, which is the one that signals: what it costs to wake and to run them.
fn tasks<F: Future<Output = ()> + Send + 'static>(name: &str, wait: impl Fn(u64) -> F, signal: impl Fn(u64)) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (mut times, looked_at) = (Vec::new(), Arc::new(AtomicUsize::new(0)));
    for round in 1..=ROUNDS {
        let start = || {
            let (waiting, looked_at) = (wait(round as u64), Arc::clone(&looked_at));
            runtime.spawn(async move {
                looked_at.fetch_add(1, Ordering::Release);
                waiting.await;
            })
        };
        let tasks: Vec<_> = (0..WAITERS).map(|_| start()).collect();
        runtime.block_on(async {
            while looked_at.load(Ordering::Acquire) < round * WAITERS {
                tokio::task::yield_now().await;
            }
            let begin = Instant::now();
            signal(round as u64);
            let signalled = begin.elapsed();
            let mut all = pin!(async {
                for task in tasks {
                    task.await.expect("nothing in it panics");
                }
            });
            all.as_mut().await;
            times.push([begin.elapsed(), signalled]);
        });
    }
    print(name, &times);
}

fn notifications() {
    let (event, listener) = (Device::cpu().new_shared_event(), SharedEventListener::new());
    let ran = Arc::new(AtomicUsize::new(0));
    let mut times = Vec::new();
    for round in 1..=ROUNDS {
        for _ in 0..WAITERS {
            let ran = Arc::clone(&ran);
            event.notify(&listener, round as u64, move |_, _| {
                ran.fetch_add(1, Ordering::Release);
            });
        }
        let begin = Instant::now();
        event.set_signaled_value(round as u64);
        let signalled = begin.elapsed();
        while ran.load(Ordering::Acquire) < round * WAITERS {
            thread::yield_now();
        }
        times.push([begin.elapsed(), signalled]);
    }
    print("shared event: notifications", &times);
}

fn print(name: &str, times: &[[Duration; 2]]) {
    let median = |which: usize| {
        let mut times: Vec<_> = times.iter().map(|time| time[which]).collect();
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e3
    };
    println!("| {name} | {:.2} | {:.3} |", median(0), median(1));
}
