//! Signals and waits: what they cost when nobody waits, and how long a hand-over takes, beside the system's own means.
//!
//! Hand-overs are turns that two sides take, each on a core of its own (or both on one), as two threads and as two processes. Contenders
//! are run in turn, several times over, so that a busy moment of the machine meets all of them.

use std::hint::black_box;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fencepost::Device;
use fencepost_ipc::{Counter, SharedMemory, Spin, receive_handle, send_handle};
use rustix::event::{EventfdFlags, eventfd};
use rustix::thread::futex;

use crate::clock::{each, least};

pub(crate) fn run() {
    alone();
    println!();
    hand_overs();
}

/// What a signal costs that nobody waits for, and a wait that is satisfied.
fn alone() {
    const TURNS: u64 = 1_000_000;
    let cost = |mut turn: Box<dyn FnMut(u64)>| {
        let mut next = 1;
        let time = least(5, Duration::from_millis(200), || {
            for _ in 0..TURNS {
                turn(black_box(next));
                next += 1;
            }
        });
        format!("{:.1}", each(time, TURNS as usize))
    };
    let row = |name: &str, signal: Box<dyn FnMut(u64)>, wait: Option<Box<dyn FnMut(u64)>>| {
        println!("| {name} | {} | {} |", cost(signal), wait.map_or("".to_owned(), cost));
    };
    println!("| nobody waits, ns | signal | satisfied wait |\n|---|---|---|");
    let (counter, seen) = (Counter::new().expect("memory"), Counter::new().expect("memory"));
    seen.raise(1);
    row(
        "counter between processes",
        Box::new(move |value| assert!(counter.raise(value))),
        Some(Box::new(move |_| assert!(seen.wait(1, None)))),
    );
    let (event, seen) = (Device::cpu().new_shared_event(), Device::cpu().new_shared_event());
    seen.set_signaled_value(1);
    row(
        "shared event, one process",
        Box::new(move |value| event.set_signaled_value(value)),
        Some(Box::new(move |_| assert!(seen.wait_until_signaled_value(1, Duration::MAX)))),
    );
    let (word, seen) = (AtomicU64::new(0), AtomicU64::new(1));
    row(
        "atomic maximum, no more",
        Box::new(move |value| assert!(word.fetch_max(value, Ordering::SeqCst) < value)),
        Some(Box::new(move |_| assert!(seen.load(Ordering::Acquire) >= 1))),
    );
    let (condvar, mutex) = (Condvar::new(), Mutex::new(0));
    row(
        "std mutex and condvar",
        Box::new(move |value| {
            *mutex.lock().expect("not poisoned") = value;
            condvar.notify_all();
        }),
        None,
    );
    let (condvar, mutex) = (parking_lot::Condvar::new(), parking_lot::Mutex::new(0));
    row(
        "parking_lot mutex and condvar",
        Box::new(move |value| {
            *mutex.lock() = value;
            condvar.notify_all();
        }),
        None,
    );
    let word = AtomicU32::new(0);
    row("futex, woken each time", Box::new(move |value| signal_futex(&word, value)), None);
    let file = eventfd(0, EventfdFlags::empty()).expect("a descriptor");
    let add = move |_| assert_eq!(rustix::io::write(&file, &1_u64.to_ne_bytes()), Ok(8));
    row("eventfd", Box::new(add), None);
}

/// Who takes turns by what.
const SIDES: [(&str, &str); 8] = [
    ("raw-spin", "raw: look at a word without end, stored"),
    ("raw-spin-max", "raw: look at a word without end, raised by an atomic maximum"),
    ("counter-spin", "counter, looking for long"),
    ("counter", "counter, as it comes"),
    ("raw-futex", "raw: sleep on a futex"),
    ("counter-park", "counter, sleeping at once"),
    ("eventfd", "eventfd"),
    ("pipe", "pipe"),
];

fn hand_overs() {
    println!("| one hand-over, µs | threads, two cores | processes, two cores | processes, one core |");
    println!("|---|---|---|---|");
    let mut times = vec![[Duration::MAX; 3]; SIDES.len()];
    for _round in 0..20 {
        for ((kind, _), times) in SIDES.iter().zip(&mut times) {
            let busy = kind.contains("spin");
            times[0] = times[0].min(turns_of_threads(kind));
            times[1] = times[1].min(turns_of_processes(kind, 1));
            // Looking for long while the other side needs the core measures the scheduler's time slices.
            if !busy {
                times[2] = times[2].min(turns_of_processes(kind, 0));
            }
        }
    }
    for ((kind, name), times) in SIDES.iter().zip(times) {
        let cell = |time: Duration| match time {
            Duration::MAX => String::new(),
            time => format!("{:.3}", each(time, turns(kind) as usize * 2) / 1e3),
        };
        println!("| {name} | {} | {} | {} |", cell(times[0]), cell(times[1]), cell(times[2]));
    }
}

/// How many turns each side takes in one run.
fn turns(kind: &str) -> u64 {
    match kind {
        kind if kind.contains("spin") => 5_000,
        _ => 1_000,
    }
}

/// Turns that are not measured.
const WARM: u64 = 100;

/// One direction of a table for two.
trait Way {
    fn signal(&self, turn: u64);
    fn wait(&self, turn: u64);
}

/// A word that is looked at without end.
struct RawSpin {
    memory: SharedMemory,
    maximum: bool,
}
/// A futex in its simplest use.
struct RawFutex(SharedMemory);
/// Ours.
struct Counting(Counter);
/// Eight bytes through a descriptor, written at one end and read at the other.
struct Bytes {
    from: Option<OwnedFd>,
    to: Option<OwnedFd>,
}

impl Way for RawSpin {
    fn signal(&self, turn: u64) {
        let word = &self.memory.words()[0];
        if self.maximum {
            assert!(word.fetch_max(turn as u32, Ordering::SeqCst) < turn as u32);
        } else {
            word.store(turn as u32, Ordering::Release);
        }
    }

    fn wait(&self, turn: u64) {
        while self.memory.words()[0].load(Ordering::Acquire) < turn as u32 {
            std::hint::spin_loop();
        }
    }
}

impl Way for RawFutex {
    fn signal(&self, turn: u64) {
        signal_futex(&self.0.words()[0], turn);
    }

    fn wait(&self, turn: u64) {
        let word = &self.0.words()[0];
        loop {
            let seen = word.load(Ordering::Acquire);
            if seen >= turn as u32 {
                return;
            }
            let _looks_again = futex::wait(word, futex::Flags::empty(), seen, None);
        }
    }
}

fn signal_futex(word: &AtomicU32, turn: u64) {
    word.store(turn as u32, Ordering::Release);
    let _nobody = futex::wake(word, futex::Flags::empty(), 1);
}

impl Way for Counting {
    fn signal(&self, turn: u64) {
        self.0.raise(turn);
    }

    fn wait(&self, turn: u64) {
        self.0.wait(turn, None);
    }
}

impl Way for Bytes {
    fn signal(&self, _: u64) {
        let to = self.to.as_ref().expect("this end signals");
        rustix::io::write(to, &1_u64.to_ne_bytes()).expect("the other end is there");
    }

    fn wait(&self, _: u64) {
        let from = self.from.as_ref().expect("this end waits");
        rustix::io::read(from, &mut [0; 8]).expect("the other end is there");
    }
}

fn from_memory(kind: &str, memory: SharedMemory) -> Box<dyn Way + Send> {
    match kind {
        "raw-spin" | "raw-spin-max" => Box::new(RawSpin { memory, maximum: kind == "raw-spin-max" }),
        _ => Box::new(RawFutex(memory)),
    }
}

fn from_counter(kind: &str, counter: Counter) -> Box<dyn Way + Send> {
    counter.set_spin(match kind {
        "counter-spin" => Spin::For(Duration::from_secs(1)),
        "counter-park" => Spin::Never,
        _ => Spin::Adaptive,
    });
    Box::new(Counting(counter))
}

/// Both ends of one direction: who signals, who waits, and a descriptor for a process that is to be either.
fn way(kind: &str) -> [(Box<dyn Way + Send>, OwnedFd); 2] {
    match kind {
        "eventfd" | "pipe" => {
            let (from, to) = if kind == "pipe" {
                rustix::pipe::pipe().expect("descriptors")
            } else {
                let file = eventfd(0, EventfdFlags::empty()).expect("a descriptor");
                (file.try_clone().expect("a descriptor"), file)
            };
            let copies = (from.try_clone().expect("a descriptor"), to.try_clone().expect("a descriptor"));
            [
                (Box::new(Bytes { from: None, to: Some(to) }), copies.1),
                (Box::new(Bytes { from: Some(from), to: None }), copies.0),
            ]
        }
        "raw-spin" | "raw-spin-max" | "raw-futex" => {
            let memory = SharedMemory::new(4096).expect("memory");
            let end = || {
                let file = memory.as_fd().try_clone_to_owned().expect("a descriptor");
                let copy = file.try_clone().expect("a descriptor");
                (from_memory(kind, SharedMemory::try_from(file).expect("it is ours")), copy)
            };
            [end(), end()]
        }
        _ => {
            let counter = Counter::new().expect("memory");
            let end = || {
                let file = counter.as_fd().try_clone_to_owned().expect("a descriptor");
                let copy = file.try_clone().expect("a descriptor");
                (from_counter(kind, Counter::try_from(file).expect("it is ours")), copy)
            };
            [end(), end()]
        }
    }
}

fn lead(pings: &dyn Way, pongs: &dyn Way, turns: u64) -> Duration {
    pin(0);
    let take = |turns: std::ops::Range<u64>| {
        for turn in turns {
            pings.signal(turn);
            pongs.wait(turn);
        }
    };
    // Until the other side is where it runs.
    take(1..WARM + 1);
    let begin = Instant::now();
    take(WARM + 1..WARM + turns + 1);
    begin.elapsed()
}

fn follow(pings: &dyn Way, pongs: &dyn Way, core: usize, turns: u64) {
    pin(core);
    for turn in 1..=WARM + turns {
        pings.wait(turn);
        pongs.signal(turn);
    }
}

fn turns_of_threads(kind: &str) -> Duration {
    let ([(ping, _), (ping_end, _)], [(pong, _), (pong_end, _)]) = (way(kind), way(kind));
    let turns = turns(kind);
    thread::scope(|scope| {
        scope.spawn(move || follow(&*ping_end, &*pong, 1, turns));
        scope.spawn(move || lead(&*ping, &*pong_end, turns)).join().expect("nothing in it panics")
    })
}

fn turns_of_processes(kind: &str, core: usize) -> Duration {
    let ([(ping, _), (_, ping_end)], [(_, pong), (pong_end, _)]) = (way(kind), way(kind));
    let (ours, theirs) = UnixStream::pair().expect("descriptors");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["worker", &format!("ipc-{kind}"), &core.to_string()])
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .expect("another process");
    for file in [ping_end, pong] {
        let handle = fencepost_ipc::Handle::new(fencepost_ipc::HandleKind::Memory, "", file);
        send_handle(&ours, &handle.expect("no label")).expect("it listens");
    }
    (&ours).read_exact(&mut [0]).expect("it is ready");
    let turns = turns(kind);
    let time = thread::scope(|scope| {
        scope.spawn(move || lead(&*ping, &*pong_end, turns)).join().expect("nothing in it panics")
    });
    child.wait().expect("it ends");
    time
}

/// The other process.
pub(crate) fn worker(name: &str, rest: &[String]) -> ExitCode {
    let kind = name.trim_start_matches("ipc-");
    let core = rest.first().and_then(|text| text.parse().ok()).unwrap_or(0);
    let socket = std::io::stdin();
    let file = || receive_handle(&socket).expect("it is sent").into_file();
    let end = |file: OwnedFd, waits: bool| -> Box<dyn Way + Send> {
        match kind {
            "eventfd" | "pipe" if waits => Box::new(Bytes { from: Some(file), to: None }),
            "eventfd" | "pipe" => Box::new(Bytes { from: None, to: Some(file) }),
            "raw-spin" | "raw-spin-max" | "raw-futex" => {
                from_memory(kind, SharedMemory::try_from(file).expect("memory"))
            }
            _ => from_counter(kind, Counter::try_from(file).expect("a counter")),
        }
    };
    let (pings, pongs) = (end(file(), true), end(file(), false));
    let ready = socket.as_fd().try_clone_to_owned().map(UnixStream::from);
    ready.and_then(|mut socket| socket.write_all(&[1])).expect("it listens");
    follow(&*pings, &*pongs, core, turns(kind));
    ExitCode::SUCCESS
}

/// Keeps this thread on one core; on a machine with fewer it stays where it is.
fn pin(core: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    let _where_it_is = rustix::thread::sched_setaffinity(None, &set);
}
