//! The smallest dispatch, whole: one workgroup of 64, from recording to completion, many in flight.
//!
//! lavapipe decides once, from `LP_NUM_THREADS`, whether its own threads run kernels or the thread that submits; so each setting has
//! a process of its own, which prints one number.

use std::process::{Command, ExitCode};
use std::time::Duration;

use fencepost::{Buffer, CommandQueue, ComputePipelineState, CpuOptions, Device, Error, ResourceOptions};
use fencepost_bench::lavapipe::Peer;
use fencepost_bench::raw::Raw;
use fencepost_bench::{Resource, Workload};

use crate::clock::{each, least};

const SOURCE: &str = "@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) { words[i] = words[i] * 3u + 1u; }";

const BUDGET: Duration = Duration::from_millis(400);

/// Dispatches in a command buffer, command buffers.
const SHAPES: [(usize, usize); 2] = [(1024, 1), (1, 256)];

pub(crate) fn run() {
    println!("| microseconds for each dispatch | 1024 in one command buffer | 256 command buffers of one |");
    println!("|---|---|---|");
    for (name, threads) in [("fencepost, as many threads as cores", 0), ("fencepost, one thread", 1)] {
        let cells: Vec<_> = SHAPES.iter().map(|shape| ours(*shape, threads)).collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
    for (name, worker, threads) in [
        ("lavapipe through ash, no threads of its own", "tiny-ash", Some("0")),
        ("lavapipe through ash, its threads", "tiny-ash", None),
        ("lavapipe through wgpu, no threads of its own", "tiny-wgpu", Some("0")),
        ("lavapipe through wgpu, its threads", "tiny-wgpu", None),
    ] {
        let cells: Vec<_> = SHAPES.iter().map(|shape| ask(worker, *shape, threads)).collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
}

/// Our device: dispatches of their own slices of a buffer, which nothing orders, on an explicit queue.
fn ours((dispatches, buffers): (usize, usize), threads: usize) -> String {
    let measured = Independent::new(dispatches, threads).and_then(|independent| {
        independent.run(dispatches, buffers)?;
        let time = least(5, BUDGET, || independent.run(dispatches, buffers).expect("it ran before"));
        Ok(each(time, dispatches * buffers) / 1e3)
    });
    measured.map_or_else(|error| error.to_string(), |time| format!("{time:.2}"))
}

struct Independent {
    device: Device,
    queue: CommandQueue,
    pipeline: ComputePipelineState,
    words: Buffer,
}

impl Independent {
    fn new(dispatches: usize, threads: usize) -> Result<Self, Error> {
        let device = Device::cpu_with(CpuOptions { threads, ..CpuOptions::default() });
        let library = device.new_library_with_wgsl(SOURCE)?;
        let pipeline = device.new_compute_pipeline_state(&library.new_function("main")?)?;
        let words = device.new_buffer(dispatches as u64 * 256, ResourceOptions::SHARED)?;
        Ok(Self { queue: device.new_explicit_command_queue(), device, pipeline, words })
    }

    /// Records, commits and waits for all.
    fn run(&self, dispatches: usize, buffers: usize) -> Result<(), Error> {
        let mut last = None;
        for _ in 0..buffers {
            let (commands, allocator) =
                (self.device.new_command_buffer(), self.device.new_command_allocator());
            commands.begin(&allocator)?;
            let mut encoder = commands.compute_command_encoder()?;
            encoder.set_compute_pipeline_state(&self.pipeline)?;
            for slot in 0..dispatches as u64 {
                encoder.set_buffer_range(0, &self.words, slot * 256..(slot + 1) * 256)?;
                encoder.dispatch_threadgroups([1, 1, 1])?;
            }
            encoder.end_encoding();
            commands.end()?;
            last = Some(self.queue.commit(&[&commands])?);
        }
        last.map_or(Ok(()), |last| last.wait_until_completed())
    }
}

/// What a worker prints, in a process with this many threads of lavapipe.
fn ask(worker: &str, (dispatches, buffers): (usize, usize), threads: Option<&str>) -> String {
    let Ok(program) = std::env::current_exe() else { return String::new() };
    let mut command = Command::new(program);
    command.args(["worker", worker, &dispatches.to_string(), &buffers.to_string()]);
    match threads {
        Some(threads) => command.env("LP_NUM_THREADS", threads),
        None => command.env_remove("LP_NUM_THREADS"),
    };
    match command.output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "not here".to_owned(),
    }
}

/// A worker's side of [`ask`].
pub(crate) fn worker(name: &str, rest: &[String]) -> ExitCode {
    let number = |at: usize| rest.get(at).and_then(|text| text.parse::<usize>().ok()).unwrap_or(1);
    let (dispatches, buffers) = (number(0), number(1));
    let time = match name {
        "tiny-ash" => ash(dispatches, buffers),
        _ => wgpu(dispatches, buffers),
    };
    match time {
        Some(time) => {
            println!("{:.2}", each(time, dispatches * buffers) / 1e3);
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    }
}

fn ash(dispatches: usize, buffers: usize) -> Option<Duration> {
    let raw = Raw::new(SOURCE, 256, u32::try_from(buffers).ok()?).ok()?;
    let dispatches = u32::try_from(dispatches).ok()?;
    raw.run(dispatches).ok()?;
    // The kernel has run: 0 → 1 → 4 → 13 …
    if raw.first_word().ok()? == 0 {
        return None;
    }
    Some(least(5, BUDGET, || raw.run(dispatches).expect("it ran before")))
}

fn wgpu(dispatches: usize, buffers: usize) -> Option<Duration> {
    let peer = Peer::lavapipe()?;
    let resources = vec![Resource::zeros(256)];
    let workload =
        Workload { name: "tiny".to_owned(), source: SOURCE.to_owned(), resources, groups: [1, 1, 1] };
    let prepared = peer.prepare(&workload);
    Some(least(5, BUDGET, || {
        for _ in 0..buffers {
            prepared.submit(dispatches);
        }
        peer.wait();
    }))
}
