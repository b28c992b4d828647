//! Two processes and a pair of counters; and what is left when one of them is killed.
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use fencepost_ipc::{Counter, PeerWatch, SharedMemory, Spin, Waited, send_handle};

use crate::leaks::Held;
use crate::other::{Other, setting, start};

/// Answers every number of `pings` with the same of `pongs`, until the other side has gone. Spins as `pongs` says at the start.
pub(crate) fn pong(pings: &Counter, pongs: &Counter, peer: &PeerWatch) {
    let spin = if pongs.value() == PARKED { Spin::Never } else { Spin::Adaptive };
    pings.set_spin(spin);
    let mut turn = pongs.value() + 1;
    while pings.wait_while(turn, None, || !peer.has_gone()) == Waited::Reached {
        pongs.raise(turn);
        turn += 1;
    }
}

/// The first value of both counters says whether waits look before they sleep.
const SPINNING: u64 = 1;
const PARKED: u64 = 2;

/// A process that answers, and the counters between.
fn table(first: u64) -> (Other, Counter, Counter) {
    let (pings, pongs) = (Counter::new().unwrap(), Counter::new().unwrap());
    pings.raise(first);
    pongs.raise(first);
    let other = start("pong");
    other.send(&pings);
    other.send(&pongs);
    (other, pings, pongs)
}

fn play(first: u64, turns: u64) {
    let (other, pings, pongs) = table(first);
    let peer = other.watch();
    pongs.set_spin(if first == PARKED { Spin::Never } else { Spin::Adaptive });
    for turn in first + 1..=first + turns {
        assert!(pings.raise(turn));
        assert_eq!(pongs.wait_while(turn, None, || !peer.has_gone()), Waited::Reached);
        assert_eq!(pongs.value(), turn, "answers come one by one");
    }
    drop(other.socket.shutdown(std::net::Shutdown::Both));
    assert!(other.ends().success());
}

#[test]
fn ping_pong_spinning() {
    play(SPINNING, setting("FENCEPOST_PING_PONGS", 100_000));
}

#[test]
fn ping_pong_parked() {
    play(PARKED, setting("FENCEPOST_PARKED_PING_PONGS", 5_000));
}

/// Fills the memory, then says so.
pub(crate) fn write(memory: &SharedMemory, written: &Counter) {
    for (index, word) in memory.words().iter().enumerate() {
        word.store(index as u32 * 3, Relaxed);
    }
    written.raise(1);
}

/// What was written before a raise is seen by whoever has seen the value, also across processes, also after the writer's death.
#[test]
fn memory_written_before_a_raise_is_seen_after_it() {
    let (memory, written) = (SharedMemory::new(1 << 20).unwrap(), Counter::new().unwrap());
    let other = start("write");
    send_handle(&other.socket, &memory.handle("picture").unwrap()).unwrap();
    other.send(&written);
    let peer = other.watch();
    assert_eq!(written.wait_while(1, None, || !peer.has_gone()), Waited::Reached);
    assert!(other.ends().success());
    for (index, word) in memory.words().iter().enumerate() {
        assert_eq!(word.load(Relaxed), index as u32 * 3);
    }
}

/// The other process is killed in the middle of things, again and again: every wait ends, and every answer that was counted was given.
#[test]
fn a_killed_peer_ends_every_wait_and_leaves_nothing() {
    assert!(start("kills").ends().success(), "see above");
}

/// In a process of its own, so that what it holds is its own.
pub(crate) fn kills() {
    let rounds = setting("FENCEPOST_KILLS", 20);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    one_kill(&mut random);
    let before = Held::now();
    for _ in 0..rounds {
        one_kill(&mut random);
    }
    assert_eq!(Held::now(), before, "after {rounds} rounds");
}

fn one_kill(random: &mut u64) {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let (other, pings, pongs) = table(if *random >> 63 == 0 { SPINNING } else { PARKED });
    let peer = other.watch();
    let last = pings.value() + (*random >> 40) % 300;
    let moment = Duration::from_micros((*random >> 20) % 400);
    let mut turn = pings.value();
    let (mut other, mut killed_at) = (Some(other), None);
    loop {
        turn += 1;
        pings.raise(turn);
        if turn > last {
            let begin = *killed_at.get_or_insert_with(Instant::now);
            if begin.elapsed() >= moment
                && let Some(other) = other.take()
            {
                other.kill();
            }
        }
        match pongs.wait_while(turn, None, || !peer.has_gone()) {
            Waited::Reached => assert_eq!(pongs.value(), turn),
            ended => {
                assert_eq!(ended, Waited::Abandoned);
                assert!(other.is_none(), "nobody has killed it");
                assert!(pongs.value() < turn);
                return;
            }
        }
    }
}

/// A waiter that was killed in its sleep does not disturb those who come after it.
#[test]
fn a_killed_waiter_leaves_a_working_counter() {
    let counter = Counter::new().unwrap();
    let sleeping = start("wait for 1");
    sleeping.send(&counter);
    let view = SharedMemory::try_from(counter.handle("").unwrap().into_file()).unwrap();
    while view.words()[18].load(Relaxed) & 1 == 0 {
        std::thread::yield_now(); // until it sleeps, or is about to
    }
    sleeping.kill();
    let next = start("wait for 1");
    next.send(&counter);
    counter.raise(1);
    assert!(next.ends().success());
}
