//! What a hundred thousand who wait for one event take: memory, and nothing else. Each kind in a process of its own.

use std::pin::Pin;
use std::process::{Command, ExitCode};
use std::task::{Context, Waker};

use fencepost::{Device, SharedEvent, SharedEventListener, Signaled};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

const WAITERS: usize = 100_000;

const KINDS: [(&str, &str); 4] = [
    ("notifications", "shared event: notifications, each with a number of 8 bytes"),
    ("futures", "shared event: futures that were polled, without themselves"),
    ("tasks", "shared event: futures that were polled, with themselves"),
    ("tokio", "tokio Notify: futures that were polled, with themselves"),
];

pub(super) fn run() {
    println!("| {WAITERS} of one event | bytes each | threads |\n|---|---|---|");
    for (kind, name) in KINDS {
        let program = std::env::current_exe().expect("this program");
        let said = Command::new(program).args(["worker", "events-memory", kind]).output();
        let said = said.map_or_else(
            |error| error.to_string(),
            |said| String::from_utf8_lossy(&said.stdout).trim().to_owned(),
        );
        println!("| {name} | {said} |");
    }
}

/// Prints bytes for each, and the threads of the process.
pub(super) fn worker(rest: &[String]) -> ExitCode {
    let kind = rest.first().map_or("", String::as_str);
    let event = Device::cpu().new_shared_event();
    let before_futures = memory();
    match kind {
        "notifications" => {
            let listener = SharedEventListener::new();
            let before = memory();
            for value in 1..=WAITERS as u64 {
                let number = std::hint::black_box(value);
                event.notify(&listener, value, move |_, _| {
                    std::hint::black_box(number);
                });
            }
            print(memory() - before);
        }
        "futures" | "tasks" => {
            let mut futures: Vec<Signaled> =
                (1..=WAITERS as u64).map(|value| event.signaled(value)).collect();
            let before = if kind == "tasks" { before_futures } else { memory() };
            poll_all(&event, futures.iter_mut().map(Pin::new));
            print(memory() - before);
        }
        _ => {
            let notify = Notify::new();
            let mut futures: Vec<Pin<Box<Notified<'_>>>> =
                (0..WAITERS).map(|_| Box::pin(notify.notified())).collect();
            poll_all(&event, futures.iter_mut().map(Pin::as_mut));
            print(memory() - before_futures);
        }
    }
    ExitCode::SUCCESS
}

fn poll_all<'a, F: Future<Output = ()> + 'a>(
    event: &SharedEvent,
    futures: impl Iterator<Item = Pin<&'a mut F>>,
) {
    let mut context = Context::from_waker(Waker::noop());
    futures.for_each(|future| assert!(future.poll(&mut context).is_pending()));
    assert_eq!(event.signaled_value(), 0);
}

fn print(bytes: usize) {
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    println!("{} | {threads}", bytes / WAITERS);
}

/// Bytes of this process that are its own and in memory.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("it says so");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}
