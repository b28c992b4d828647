//! Hand-overs: turns that two sides take, each on a core of its own (or both on one), as two threads and as two processes.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use fencepost_ipc::{Handle, HandleKind, receive_handle, send_handle};

use super::pin;
use super::ways::{Direction, Way, direction, end};
use crate::clock::each;

/// Who takes turns by what; whether between threads, and between processes.
const SIDES: [(&str, &str, bool, bool); 21] = [
    ("raw-spin", "raw: look at a word without end, stored", true, true),
    ("raw-spin-max", "raw: look at a word without end, raised by an atomic maximum", true, true),
    ("counter-spin", "counter, looking for long", true, true),
    ("event-inside-spin", "shared event, looking for long", true, false),
    ("event-spin", "shared event that others have, looking for long", true, true),
    ("raw-futex", "raw: sleep on a futex", true, true),
    ("raw-futex-limit", "raw: sleep on a futex, 250 ms at most", true, true),
    ("counter-park", "counter, sleeping at once", true, true),
    ("event-inside-park", "shared event, sleeping at once", true, false),
    ("event-park", "shared event that others have, sleeping at once", true, true),
    ("counter", "counter, as it comes", true, true),
    ("event-inside", "shared event, as it comes", true, false),
    ("event", "shared event that others have, as it comes", true, true),
    ("eventfd", "eventfd", true, true),
    ("pipe", "pipe", true, true),
    ("condvar", "std mutex and condvar", true, false),
    ("parking-lot", "parking_lot mutex and condvar", true, false),
    ("tokio", "tokio Notify", true, false),
    ("iceoryx2", "iceoryx2 event", true, true),
    ("vulkan", "vkSignalSemaphore, vkWaitSemaphores on lavapipe", true, false),
    ("raw-futex", "raw: sleep on a futex, once more", true, true),
];

const ROUNDS: usize = 10;

/// Threads on two cores, threads on one, processes on two, processes on one.
type Times = [Vec<Duration>; 4];

pub(super) fn run() {
    println!(
        "| one hand-over, µs (median; least) | threads, two cores | threads, one core | processes, two cores | processes, one core |"
    );
    println!("|---|---|---|---|---|");
    let mut times: Vec<Times> = SIDES.iter().map(|_| Times::default()).collect();
    for round in 0..ROUNDS {
        for ((kind, _, threads, processes), times) in SIDES.iter().zip(&mut times) {
            // Looking for long while the other side needs the core measures the scheduler's time slices.
            let busy = kind.contains("spin");
            for (place, wanted) in
                [*threads, *threads && !busy, *processes, *processes && !busy].iter().enumerate()
            {
                let core = 1 - place % 2;
                let took = match place {
                    _ if !wanted => None,
                    0 | 1 => turns_of_threads(kind, core, round),
                    _ => turns_of_processes(kind, core, round),
                };
                times[place].extend(took);
            }
        }
    }
    for ((kind, name, ..), times) in SIDES.iter().zip(&mut times) {
        let cells = times.each_mut().map(|times| cell(times, turns(kind) as usize * 2));
        println!("| {name} | {} |", cells.join(" | "));
    }
}

fn cell(times: &mut [Duration], count: usize) -> String {
    times.sort_unstable();
    let micros = |time: &Duration| format!("{:.3}", each(*time, count) / 1e3);
    match (times.get(times.len() / 2), times.first()) {
        (Some(median), Some(least)) => format!("{}; {}", micros(median), micros(least)),
        _ => String::new(),
    }
}

/// How many turns each side takes in one run.
fn turns(kind: &str) -> u64 {
    if kind.contains("spin") { 5_000 } else { 1_000 }
}

/// Turns that are not measured.
const WARM: u64 = 100;

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

/// A name that nobody else uses.
fn name(kind: &str, way: &str, round: usize, place: usize) -> String {
    format!("fencepost-bench/{}/{kind}/{round}/{place}/{way}", std::process::id())
}

fn turns_of_threads(kind: &str, core: usize, round: usize) -> Option<Duration> {
    let pings = direction(kind, &name(kind, "ping", round, core))?;
    let pongs = direction(kind, &name(kind, "pong", round, core))?;
    let (turns, start) = (turns(kind), Barrier::new(2));
    let (start, pings, pongs) = (&start, &pings, &pongs);
    Some(thread::scope(|scope| {
        scope.spawn(move || {
            start.wait();
            follow(&*pings.to, &*pongs.from, core, turns);
        });
        let leading = scope.spawn(move || {
            start.wait();
            lead(&*pings.from, &*pongs.to, turns)
        });
        leading.join().expect("nothing in it panics")
    }))
}

fn turns_of_processes(kind: &str, core: usize, round: usize) -> Option<Duration> {
    let Direction { from: ping, files: ping_files, name: ping_name, to: ping_end } =
        direction(kind, &name(kind, "ping", round, core + 2))?;
    let Direction { to: pong, files: pong_files, name: pong_name, .. } =
        direction(kind, &name(kind, "pong", round, core + 2))?;
    // The other process listens here, and nobody else.
    drop(ping_end);
    let (ours, theirs) = UnixStream::pair().expect("descriptors");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["worker", &format!("events-{kind}"), &core.to_string(), &ping_name, &pong_name])
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .expect("another process");
    if let (Some([_, waits]), Some([signals, _])) = (ping_files, pong_files) {
        for file in [waits, signals] {
            let handle = Handle::new(HandleKind::Memory, "", file).expect("no label");
            send_handle(&ours, &handle).expect("it listens");
        }
    }
    (&ours).read_exact(&mut [0]).expect("it is ready");
    let turns = turns(kind);
    let time = thread::scope(|scope| {
        scope.spawn(|| lead(&*ping, &*pong, turns)).join().expect("nothing in it panics")
    });
    child.wait().expect("it ends");
    Some(time)
}

/// The other process.
pub(super) fn worker(kind: &str, rest: &[String]) -> ExitCode {
    let word = |index: usize| rest.get(index).map_or("", String::as_str);
    let core = word(0).parse().unwrap_or(0);
    let socket = std::io::stdin();
    let file = || (kind != "iceoryx2").then(|| receive_handle(&socket).expect("it is sent").into_file());
    let (pings, pongs) = (end(kind, file(), word(1), true), end(kind, file(), word(2), false));
    let ready = socket.as_fd().try_clone_to_owned().map(UnixStream::from);
    ready.and_then(|mut socket| socket.write_all(&[1])).expect("it listens");
    follow(&*pings, &*pongs, core, turns(kind));
    ExitCode::SUCCESS
}
