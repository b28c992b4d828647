//! Judging a command list: ours while it is fed, and Khronos' synchronization validation on the same list.
//!
//! The list is a chain: copies between the two halves of a buffer, to and fro, each behind a barrier for the one before. Theirs judges while
//! the list is recorded and submitted, so its time is what recording and submitting take with the layer, less what they take
//! without. A layer is loaded when an instance is made and cannot be turned off, so each setting has a process of its own, which
//! prints two numbers. All checks but those of synchronization are off.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use fencepost_bench::raw::Raw;
use fencepost_core::program::{
    BufferItem, Command as ProgramCommand, CommandBuffer, DeviceDeclaration, DeviceKind, Pass, PassItem,
    PassKind, Placement, Primitive, QueueDeclaration, QueueIndex, QueueMode, ResourceDeclaration,
    ResourceIndex, Shape, Step, StorageMode, Synchronization, TrackingMode, Work,
};
use fencepost_core::validate::{Online, Refused, ThreadIndex};
use fencepost_core::{Stages, Visibility};

use crate::clock::each;

const SOURCE: &str = "@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@compute @workgroup_size(1) fn main() { words[0] = words[0] + 1u; }";

const COUNTS: [usize; 5] = [250, 1000, 4000, 8000, 64_000];
/// Commands in one of our command buffers, where there are many.
const BUFFER: usize = 1000;

pub(crate) fn run() {
    println!(
        "| commands | ours, ns each | ours in command buffers of {BUFFER} | Khronos, ns each | lavapipe without, ns each |"
    );
    println!("|---|---|---|---|---|");
    for count in COUNTS {
        let [whole, parts] =
            [count, BUFFER].map(|buffer| ours(count, buffer).map_or(f64::NAN, |(time, _)| time));
        let [with, without] = [ask(count, true), ask(count, false)];
        let theirs = match (&with, &without) {
            (Some(with), Some(without)) => format!("{:.0}", with - without),
            _ => "not here".to_owned(),
        };
        let without = without.map_or_else(|| "not here".to_owned(), |time| format!("{time:.0}"));
        println!("| {count} | {whole:.0} | {parts:.0} | {theirs} | {without} |");
    }
    println!();
    println!("| commands, in command buffers of {BUFFER} | ours, ns each | records at most |");
    println!("|---|---|---|");
    for count in [1000, 10_000, 100_000, 1_000_000] {
        if let Ok((time, records)) = ours(count, BUFFER) {
            println!("| {count} | {time:.0} | {records} |");
        }
    }
}

/// Nanoseconds for each command, and the most that was remembered.
fn ours(count: usize, buffer: usize) -> Result<(f64, usize), Refused> {
    // Long enough for the processor's clock, which is coarse, and in which what others do on the machine does not count.
    let runs = (400_000 / count).max(1);
    let mut records = 0;
    let start = spent();
    for _ in 0..runs {
        let mut chain = Chain::new()?;
        let mut left = count;
        while left > 0 {
            let now = left.min(buffer);
            chain.feed(chain.body(now))?;
            records = records.max(chain.online.records());
            left -= now;
        }
        assert!(chain.online.take_findings().is_empty(), "the chain has every barrier that it needs");
    }
    let whole = spent() - start;
    // Less what it takes to make the list.
    let chain = Chain::new()?;
    let start = spent();
    for _ in 0..runs {
        (0..count).step_by(buffer).for_each(|done| drop(chain.body((count - done).min(buffer))));
    }
    let bodies = spent() - start;
    Ok((each(whole.saturating_sub(bodies), count * runs), records))
}

/// What this thread has spent of the processor's time; the time of day where the system does not say.
fn spent() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|word| word.parse().ok());
    nanoseconds.map_or_else(|| START.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

struct Chain {
    online: Online,
    queue: QueueIndex,
    main: ThreadIndex,
    words: ResourceIndex,
}

impl Chain {
    fn new() -> Result<Self, Refused> {
        let mut online = Online::new();
        let device = online.add_device(DeviceDeclaration { name: "d".to_owned(), kind: DeviceKind::Any });
        let mode = QueueMode::Explicit;
        let queue = online.add_queue(QueueDeclaration { name: "q".to_owned(), mode, device })?;
        let words = online.add_resource(ResourceDeclaration {
            name: "words".to_owned(),
            device,
            shape: Shape::Buffer { size: 256, init: None },
            storage: StorageMode::Private,
            tracking: TrackingMode::Untracked,
            placement: Placement::Own,
        })?;
        let main = online.add_thread(None)?;
        Ok(Self { online, queue, main, words })
    }

    fn body(&self, count: usize) -> CommandBuffer {
        let (stages, visibility) = (Stages::BLIT, Visibility::DEVICE);
        let item = |primitive| PassItem::Synchronization(Synchronization { label: None, primitive });
        let mut items =
            vec![item(Primitive::ConsumerBarrier { after_queue: stages, before: stages, visibility })];
        for number in 0..count {
            if number > 0 {
                items.push(item(Primitive::Barrier { after: stages, before: stages, visibility }));
            }
            let (first, second) = (self.words.bytes(0..128), self.words.bytes(128..256));
            let (from, to) = if number % 2 == 0 { (first, second) } else { (second, first) };
            let work = Work::Copy { from, to };
            items.push(PassItem::Command(ProgramCommand { label: String::new(), work }));
        }
        let kind = PassKind::Compute { dispatch_type: None };
        let pass = Pass { label: "P".to_owned(), kind, items };
        CommandBuffer { label: "cb".to_owned(), queue: self.queue, items: vec![BufferItem::Pass(pass)] }
    }

    fn feed(&mut self, body: CommandBuffer) -> Result<(), Refused> {
        let buffer = self.online.add_command_buffer(body)?;
        self.online.step(self.main, Step::Commit(vec![buffer]))?;
        self.online.remove_command_buffer(buffer);
        Ok(())
    }
}

/// Nanoseconds for each command in a process with the layer or without. None where either is not here, or where the layer does not
/// see the race that is there without barriers.
fn ask(count: usize, layer: bool) -> Option<f64> {
    let said = |barriers: &str| {
        let mut command = Command::new(std::env::current_exe().ok()?);
        command.args([
            "worker",
            "validate",
            &count.min(if barriers == "no" { 2 } else { count }).to_string(),
            barriers,
        ]);
        command.env("LP_NUM_THREADS", "0");
        if layer {
            command.env("VK_INSTANCE_LAYERS", "VK_LAYER_KHRONOS_validation");
            command.env("VK_LAYER_ENABLES", "VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT");
            let off =
                ["CORE_CHECKS", "OBJECT_LIFETIMES", "API_PARAMETERS", "UNIQUE_HANDLES", "THREAD_SAFETY"];
            let off = off.map(|check| format!("VK_VALIDATION_FEATURE_DISABLE_{check}_EXT")).join(":");
            command.env("VK_LAYER_DISABLES", off);
        }
        let output = command.output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    if layer && !said("no")?.contains("SYNC-HAZARD") {
        return None;
    }
    said("yes")?.lines().last()?.trim().parse().ok()
}

/// A worker's side of [`ask`].
pub(crate) fn worker(rest: &[String]) -> ExitCode {
    let count = rest.first().and_then(|text| text.parse::<u32>().ok()).unwrap_or(1);
    let barriers = rest.get(1).is_none_or(|word| word == "yes");
    let time = || {
        let raw = Raw::new(SOURCE, 256, 1).ok()?;
        let runs = (64_000 / count).clamp(3, 10);
        let mut least = Duration::MAX;
        for _ in 0..runs {
            least = least.min(raw.chain(count, barriers).ok()?);
        }
        Some(least)
    };
    match time() {
        Some(time) => {
            println!("{:.1}", each(time, count as usize));
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    }
}
