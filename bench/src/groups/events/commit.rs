//! What an event operation costs in a command buffer: recording it, and the segment that it cuts in the commit.
//!
//! The same passes with and without operations between them; the difference is what the operations cost. A queue that waits for an event
//! of its own at the head keeps the device from running anything meanwhile, so a commit is a commit and nothing else.

use std::time::{Duration, Instant};

use fencepost::{Buffer, CommandQueue, Device, Error, ResourceOptions, SharedEvent};
use fencepost_bench::timeline::Timeline;

/// Passes in a command buffer, with an operation behind each.
const PASSES: u64 = 256;
const RUNS: usize = 40;

/// What stands behind each pass.
#[derive(Clone, Copy, PartialEq)]
enum Between {
    Nothing,
    Signals,
    SatisfiedWaits,
}

pub(super) fn run() {
    println!(
        "| {PASSES} passes and as many event operations, ns for each operation | record | commit | until completed |"
    );
    println!("|---|---|---|---|");
    let rows = [
        ("a signal behind each pass", Between::Signals, false),
        ("a satisfied wait before each pass", Between::SatisfiedWaits, false),
        ("a signal behind each pass, the queue is held", Between::Signals, true),
    ];
    for (name, between, held) in rows {
        match cost(between, held) {
            Ok([record, commit, whole]) => println!("| {name} | {record:.0} | {commit:.0} | {whole:.0} |"),
            Err(error) => println!("| {name} | {error} | | |"),
        }
    }
    for (name, waits) in [("signals", false), ("waits and signals", true)] {
        let measured = Timeline::new().and_then(|timeline| {
            let mut least = Duration::MAX;
            for run in 0..RUNS as u64 {
                least = least.min(timeline.batches(1 + run * PASSES, PASSES, waits)?);
            }
            Ok(least.as_secs_f64() * 1e9 / PASSES as f64)
        });
        let cell = measured.map_or_else(|error| error.to_string(), |time| format!("{time:.0}"));
        println!("| vkQueueSubmit on lavapipe: a batch that {name} | | {cell} | |");
    }
}

/// Nanoseconds that each operation adds.
fn cost(between: Between, held: bool) -> Result<[f64; 3], Error> {
    let bench = Bench::new()?;
    let mut least = [[Duration::MAX; 3]; 2];
    for _ in 0..RUNS {
        for (least, between) in least.iter_mut().zip([Between::Nothing, between]) {
            for (least, time) in least.iter_mut().zip(bench.once(between, held)?) {
                *least = (*least).min(time);
            }
        }
    }
    let [without, with] = least;
    let each =
        |which: usize| (with[which].as_secs_f64() - without[which].as_secs_f64()) * 1e9 / PASSES as f64;
    Ok([each(0), each(1), each(2)])
}

struct Bench {
    device: Device,
    queue: CommandQueue,
    buffer: Buffer,
}

impl Bench {
    fn new() -> Result<Self, Error> {
        let device = Device::cpu();
        let buffer = device.new_buffer(PASSES * 4, ResourceOptions::SHARED.untracked())?;
        Ok(Self { queue: device.new_command_queue(), device, buffer })
    }

    /// Recording, committing, and the time from there until everything has completed.
    fn once(&self, between: Between, held: bool) -> Result<[Duration; 3], Error> {
        let (event, gate) = (self.device.new_shared_event(), self.device.new_shared_event());
        event.set_signaled_value(1);
        let work = self.queue.command_buffer();
        if held {
            work.encode_wait_for_event(&gate, 1)?;
        }
        let begin = Instant::now();
        self.record(&work, &event, between)?;
        let recorded = begin.elapsed();
        let begin = Instant::now();
        work.commit()?;
        let committed = begin.elapsed();
        gate.set_signaled_value(1);
        work.wait_until_completed()?;
        Ok([recorded, committed, begin.elapsed()])
    }

    fn record(
        &self,
        work: &fencepost::CommandBuffer,
        event: &SharedEvent,
        between: Between,
    ) -> Result<(), Error> {
        for pass in 0..PASSES {
            if between == Between::SatisfiedWaits {
                work.encode_wait_for_event(event, 1)?;
            }
            let mut encoder = work.blit_command_encoder()?;
            encoder.fill_buffer(&self.buffer, pass * 4..pass * 4 + 4, 1)?;
            encoder.end_encoding();
            if between == Between::Signals {
                work.encode_signal_event(event, pass + 2)?;
            }
        }
        Ok(())
    }
}
