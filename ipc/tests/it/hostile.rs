//! Someone who writes what he likes into what we share, while we use it: he can make us wait, and he can make us believe a value; he cannot
//! make us crash, run for ever, or see a value fall.
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use fencepost_ipc::{Counter, Error, SharedMemory, Spin, Waited, wait_any};

use crate::counters::words_of;
use crate::other::setting;

/// Every byte of the head, with every other value than its own, makes it no counter or one of another version.
#[test]
fn every_byte_of_the_head_counts() {
    let counter = Counter::new().unwrap();
    let words = words_of(&counter);
    let again = || Counter::try_from(counter.handle("").unwrap());
    for byte in 0..16usize {
        let word = &words.words()[byte / 4];
        let good = word.load(Relaxed);
        for change in 1..=255u32 {
            word.store(good ^ change << (byte % 4 * 8), Relaxed);
            let refused = again().unwrap_err();
            match byte {
                0..8 => assert!(matches!(refused, Error::NotACounter), "byte {byte}: {refused}"),
                _ => assert!(matches!(refused, Error::WrongVersion { .. }), "byte {byte}: {refused}"),
            }
        }
        word.store(good, Relaxed);
    }
    assert_eq!(again().unwrap().value(), 0);
    // Whatever stands in all the other bytes, it is a counter: those who come later read nothing but the value and the word to sleep on.
    words.words()[4..].iter().for_each(|word| word.store(u32::MAX, Relaxed));
    assert_eq!(again().unwrap().value(), u64::MAX);
    assert!(counter.wait(u64::MAX, None));
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 20
    }
}

/// Writes random bytes over all of it: mostly where it hurts, small and large values, single bits and whole pages.
fn scribble(words: &SharedMemory, seed: u64, stop: &AtomicBool) {
    let mut random = Random(seed);
    while !stop.load(Relaxed) {
        let at = if random.next().is_multiple_of(4) { random.next() % 1024 } else { 16 + random.next() % 3 };
        let word = &words.words()[at as usize];
        match random.next() % 5 {
            0 => word.store(random.next() as u32, Relaxed),
            1 => word.store((random.next() % 8) as u32, Relaxed),
            2 => word.store(0, Relaxed),
            3 => drop(word.fetch_xor(1 << (random.next() % 32), Relaxed)),
            _ => words.words().iter().for_each(|word| word.store(random.next() as u32, Relaxed)),
        }
        if random.next().is_multiple_of(64) {
            thread::yield_now();
        }
    }
}

/// All that a process does with a counter, while others scribble over it: each call returns, and what it has seen it goes on seeing.
#[test]
fn a_scribbler_can_only_make_us_wait() {
    for seed in 0..setting("FENCEPOST_SCRIBBLED", 8) {
        let counter = Counter::new().unwrap();
        let (words, stop) = (words_of(&counter), AtomicBool::new(false));
        thread::scope(|scope| {
            for which in 0..2 {
                let (words, stop) = (&words, &stop);
                scope.spawn(move || scribble(words, seed * 2 + which, stop));
            }
            let mut users = Vec::new();
            for spin in [Spin::Never, Spin::Adaptive, Spin::For(Duration::from_micros(3))] {
                let counter = &counter;
                users.push(scope.spawn(move || use_it(counter, spin, seed)));
            }
            users.into_iter().for_each(|user| user.join().unwrap());
            stop.store(true, Relaxed);
        });
    }
}

fn use_it(counter: &Counter, spin: Spin, seed: u64) {
    let mut random = Random(seed ^ 0x1234_5678);
    let mut seen = 0;
    counter.set_spin(spin);
    let soon = || Some(Instant::now() + Duration::from_micros(300));
    for _ in 0..60 {
        let value = counter.value();
        assert!(value >= seen, "it fell from {seen} to {value}");
        seen = value;
        let wanted = if random.next().is_multiple_of(2) { u64::MAX } else { random.next() % (1 << 34) };
        let reached = match random.next() % 4 {
            0 => counter.wait(wanted, soon()),
            1 => counter.wait_while(wanted, soon(), || true) == Waited::Reached,
            2 => wait_any(&[(counter, wanted), (counter, u64::MAX)], soon()).unwrap().is_some(),
            _ => {
                counter.raise(wanted);
                counter.interrupt();
                false
            }
        };
        assert!(!reached || counter.value() >= wanted, "it was there and is gone");
        // Who comes now may be refused, and nothing else.
        if let Ok(late) = Counter::try_from(counter.handle("").unwrap()) {
            late.wait(u64::MAX, soon());
        }
    }
}
