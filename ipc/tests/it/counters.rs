//! One counter, several threads, and someone who writes into its words.
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use fencepost_ipc::{Counter, Error, MOST_COUNTERS, SharedMemory, Spin, Waited, wait_any, wait_any_while};

const SHORT: Duration = Duration::from_millis(2);

/// The words of a counter, for somebody who does not keep to the rules: 16 and 17 are the value, 18 is slept on.
pub(crate) fn words_of(counter: &Counter) -> SharedMemory {
    SharedMemory::try_from(counter.handle("").unwrap().into_file()).unwrap()
}

/// The word that sleepers sleep on.
fn parking(words: &SharedMemory) -> &AtomicU32 {
    &words.words()[18]
}

pub(crate) fn until_somebody_sleeps(words: &SharedMemory) {
    while parking(words).load(Relaxed) & 1 == 0 {
        thread::yield_now();
    }
}

#[test]
fn the_value_only_grows() {
    let counter = Counter::new().unwrap();
    assert_eq!(counter.value(), 0);
    assert!(counter.wait(0, None), "everybody has seen 0");
    assert!(counter.raise(5));
    assert!(!counter.raise(5) && !counter.raise(4));
    assert_eq!(counter.value(), 5);
    assert!(counter.raise(u64::MAX));
    assert!(!counter.raise(0));
    assert_eq!(counter.value(), u64::MAX);
}

#[test]
fn waits_end_with_the_value_or_the_time() {
    let counter = Counter::new().unwrap();
    for spin in [Spin::Adaptive, Spin::Never, Spin::For(Duration::from_micros(10)), Spin::For(Duration::MAX)]
    {
        counter.set_spin(spin);
        assert!(!counter.wait_for(1, SHORT), "{spin:?}");
        assert!(!counter.wait_for(1, Duration::ZERO), "{spin:?}");
        assert!(!counter.wait(1, Some(Instant::now())), "{spin:?}");
        assert!(counter.wait_for(0, Duration::ZERO));
        assert_eq!(counter.wait_while(1, None, || false), Waited::Abandoned, "{spin:?}");
        let deadline = Some(Instant::now() + SHORT);
        assert_eq!(counter.wait_while(1, deadline, || true), Waited::TimedOut, "{spin:?}");
        counter.set_spin(Spin::Never);
    }
    counter.raise(1);
    assert!(counter.wait_for(1, Duration::MAX));
    assert_eq!(counter.wait_while(1, None, || false), Waited::Reached, "the value comes before the question");
}

/// A wait whose value needs looking for ever ends when it is told to, without a raise.
#[test]
fn an_interrupt_asks_again() {
    let counter = Arc::new(Counter::new().unwrap());
    let (stop, words) = (Arc::new(AtomicBool::new(false)), words_of(&counter));
    let waiting = {
        let (counter, stop) = (Arc::clone(&counter), Arc::clone(&stop));
        thread::spawn(move || counter.wait_while(1, None, || !stop.load(Relaxed)))
    };
    until_somebody_sleeps(&words);
    stop.store(true, Relaxed);
    counter.interrupt();
    assert_eq!(waiting.join().unwrap(), Waited::Abandoned);
}

#[test]
fn one_raise_wakes_all_and_the_largest_stays() {
    for spin in [Spin::Never, Spin::Adaptive] {
        let counter = Arc::new(Counter::new().unwrap());
        counter.set_spin(spin);
        let waiters: Vec<_> = (1..=16)
            .map(|value| {
                let counter = Arc::clone(&counter);
                thread::spawn(move || counter.wait(value << 32, None))
            })
            .collect();
        let raisers: Vec<_> = (0..4)
            .map(|which| {
                let counter = Arc::clone(&counter);
                thread::spawn(move || {
                    for step in 0..=16 {
                        counter.raise((step << 32) + which);
                    }
                })
            })
            .collect();
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
        raisers.into_iter().for_each(|raiser| raiser.join().unwrap());
        assert_eq!(counter.value(), (16 << 32) + 3);
    }
}

#[test]
fn what_was_seen_stays_seen() {
    let counter = Counter::new().unwrap();
    counter.raise(9);
    assert_eq!(counter.value(), 9);
    let words = words_of(&counter);
    words.words()[16].store(3, Relaxed);
    assert_eq!(counter.value(), 9);
    assert!(counter.wait(9, None));
    assert!(!counter.wait_for(10, SHORT));
    assert!(counter.raise(10), "raising goes on");
    assert_eq!((counter.value(), words.words()[16].load(Relaxed)), (10, 10));
}

/// Somebody raises the value and takes the sleepers' bit away without waking anybody, as one does who is killed in between.
#[test]
fn a_raise_without_a_wake_up_is_found() {
    let counter = Arc::new(Counter::new().unwrap());
    counter.set_spin(Spin::Never);
    let words = words_of(&counter);
    let waiting = {
        let counter = Arc::clone(&counter);
        thread::spawn(move || counter.wait(1, None))
    };
    until_somebody_sleeps(&words);
    parking(&words).fetch_add(1, Relaxed);
    words.words()[16].store(1, Relaxed);
    assert!(waiting.join().unwrap());
}

/// Somebody wakes a waiter without end, with and without changing the words: it keeps to its deadline.
#[test]
fn wakes_without_end_do_not_hold_a_wait_beyond_its_deadline() {
    let counter = Arc::new(Counter::new().unwrap());
    counter.set_spin(Spin::Never);
    let (words, stop) = (words_of(&counter), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                parking(&words).fetch_add(3, Relaxed);
                counter.interrupt();
            }
        });
        let deadline = Some(Instant::now() + Duration::from_millis(50));
        assert!(!counter.wait(1, deadline));
        assert_eq!(wait_any(&[(&counter, 1)], Some(Instant::now() + SHORT)).unwrap(), None);
        stop.store(true, Relaxed);
    });
}

#[test]
fn any_of_several() {
    let counters: Vec<_> = (0..4).map(|_| Counter::new().unwrap()).collect();
    let waits: Vec<_> = counters.iter().map(|counter| (counter, 1)).collect();
    assert_eq!(wait_any(&waits, Some(Instant::now() + SHORT)).unwrap(), None);
    assert_eq!(wait_any(&[], None).unwrap(), None, "nobody can raise what is not there");
    assert_eq!(wait_any_while(&waits, None, || false).unwrap(), Err(Waited::Abandoned));
    for last in (0..4).rev() {
        let words = words_of(&counters[last]);
        let found = thread::scope(|scope| {
            let waiting = scope.spawn(|| wait_any(&waits[..=last], None).unwrap());
            until_somebody_sleeps(&words);
            counters[last].raise(1);
            waiting.join().unwrap()
        });
        assert_eq!(found, Some(last));
        assert_eq!(wait_any(&waits, None).unwrap(), Some(last), "without sleeping");
    }
}

#[test]
fn any_of_too_many() {
    let counter = Counter::new().unwrap();
    let waits = vec![(&counter, 1); MOST_COUNTERS + 1];
    let refused = wait_any(&waits, None).unwrap_err();
    assert!(matches!(refused, Error::TooManyCounters { found: 129, most: 128 }), "{refused}");
    assert_eq!(wait_any(&waits[1..], Some(Instant::now() + SHORT)).unwrap(), None, "so many are fine");
}

/// The same counter from many threads at once, in and out of sleep: what was written before a raise is there after the wait.
#[test]
fn many_turns_between_threads() {
    let counters = [Counter::new().unwrap(), Counter::new().unwrap()];
    let (data, start) = (AtomicU32::new(0), Barrier::new(2));
    let turns = if cfg!(miri) { 10 } else { 2000 };
    thread::scope(|scope| {
        for side in 0..2 {
            let (counters, data, start) = (&counters, &data, &start);
            scope.spawn(move || {
                start.wait();
                counters[1 - side].set_spin(if side == 0 { Spin::Never } else { Spin::Adaptive });
                for turn in 1..=turns {
                    if side == 1 || turn > 1 {
                        let wanted = if side == 0 { turn - 1 } else { turn };
                        assert!(counters[1 - side].wait(wanted, None));
                    }
                    let expected = (turn as u32 - 1) * 2 + side as u32;
                    assert_eq!(data.swap(expected + 1, Relaxed), expected);
                    counters[side].raise(turn);
                }
            });
        }
    });
}
