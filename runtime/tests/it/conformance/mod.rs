//! The documented scenarios on a device: judged by the order engine, and run.
//!
//! Every case is a program. A right one has its pairs in the engine's order, and leaves the expected values in every adversarial schedule
//! that is tried; a wrong one, which differs by a single edge, has its pair unordered in the engine, and some schedule leaves
//! something else. So the engine's word and the device's behaviour hold each other to account.
mod connected_gpus;
mod consumer;
mod event;
mod fence;
mod handlers;
mod heap;
mod intra_pass;
mod memory_barrier;
mod producer;
mod queue;
mod semaphore;
mod serial;
mod shared_event;
#[cfg(target_os = "linux")]
mod system_memory;
mod tracking;

use fencepost::replay::program::value::expected;
use fencepost::replay::program::{
    BufferOptions, Builder, CommandBufferIndex, PassBuilder, Program, QueueIndex, QueueItems, QueueMode,
    ResourceIndex, StorageMode, TrackingMode,
};
use fencepost::replay::{Options, Replay};
use fencepost_core::Order;

/// Schedules that a right program is run in. `FENCEPOST_SEEDS` changes it.
fn seeds() -> u64 {
    std::env::var("FENCEPOST_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1000)
}

/// Runs of a right program on a device that chooses by itself.
const TURNS: u32 = 5;

const NONE: [ResourceIndex; 0] = [];
/// Bytes of a buffer: several groups of the synthetic kernel, so that kernels can be interleaved.
const SIZE: u64 = 256;

/// A program with a queue and untracked buffers `A` to `E`, `A` with a pattern in it.
struct Scene {
    p: Builder,
    q: QueueIndex,
    r: [ResourceIndex; 5],
}

impl Scene {
    fn new(mode: QueueMode) -> Self {
        let mut p = Program::builder();
        let q = p.queue("q", mode);
        let r = ["A", "B", "C", "D", "E"].map(|name| {
            let init = (name == "A").then_some(0x1000);
            p.buffer_with(name, SIZE, BufferOptions { init, ..untracked() })
        });
        Self { p, q, r }
    }

    fn explicit() -> Self {
        Self::new(QueueMode::Explicit)
    }

    fn tracked() -> Self {
        Self::new(QueueMode::Tracked)
    }

    /// A command buffer, not committed yet.
    fn buffer(
        &mut self,
        label: &str,
        write: impl FnOnce(&mut QueueItems, [ResourceIndex; 5]),
    ) -> CommandBufferIndex {
        let r = self.r;
        self.p.command_buffer(label, self.q, |items| write(items, r))
    }

    /// A command buffer committed at once.
    fn commit(&mut self, label: &str, write: impl FnOnce(&mut QueueItems, [ResourceIndex; 5])) {
        let buffer = self.buffer(label, write);
        self.p.steps().commit([buffer]);
    }
}

fn untracked() -> BufferOptions {
    BufferOptions { tracking: TrackingMode::Untracked, ..BufferOptions::default() }
}

fn shared() -> BufferOptions {
    BufferOptions { storage: StorageMode::Shared, ..untracked() }
}

/// A slow command that nothing waits for: it gives others something to overlap with.
fn beside(pass: &mut PassBuilder, resource: ResourceIndex) {
    pass.dispatch("beside", [resource], [resource]);
}

/// The program's pairs are as told, and every schedule leaves the expected values.
#[track_caller]
fn right(p: Builder, ordered: &[[&str; 2]], may_overlap: &[[&str; 2]]) {
    let program = p.build();
    let order = Order::of(&program).expect("the program makes sense");
    assert!(order.stuck().is_empty(), "nothing waits for ever: {:?}", order.stuck());
    for [first, second] in ordered {
        assert!(order.is_ordered(first, second), "{first} must be before {second}");
    }
    for [first, second] in may_overlap {
        assert!(order.is_unordered(first, second), "{first} and {second} may overlap");
    }
    right_values(program);
}

/// Every schedule leaves the expected values.
#[track_caller]
fn right_values(program: Program) {
    let expected = expected(&program);
    assert_eq!(expected.waiting, 0, "the program comes to its end");
    let replay = crate::common::replay(program);
    if !crate::common::on_cpu() {
        // This device chooses among orders by itself.
        for turn in 0..TURNS {
            let outcome = replay.run(&Options::default()).expect("it runs");
            assert!(outcome.finished, "turn {turn} came to its end");
            assert_eq!(outcome.difference(&expected), None, "turn {turn}");
        }
        return;
    }
    let parallel = replay.run(&Options::default()).expect("it runs");
    assert_eq!(parallel.difference(&expected), None, "all at once");
    for seed in 0..seeds() {
        let outcome = replay.run(&Options::seeded(seed)).expect("it runs");
        assert!(outcome.finished, "seed {seed} came to its end");
        assert_eq!(outcome.difference(&expected), None, "seed {seed}");
    }
}

/// The pair is unordered, and some schedule leaves a wrong value.
#[track_caller]
fn wrong(p: Builder, [first, second]: [&str; 2]) {
    let program = p.build();
    let order = Order::of(&program).expect("the program makes sense");
    assert!(order.is_unordered(first, second), "{first} and {second} must be unordered");
    wrong_values(program);
}

/// Some schedule leaves a wrong value.
#[track_caller]
fn wrong_values(program: Program) {
    let expected = expected(&program);
    let replay = Replay::new(program);
    let differs = |seed| replay.run(&Options::seeded(seed)).expect("it runs").difference(&expected).is_some();
    assert!((0..1000).any(differs), "no schedule shows the missing synchronization");
}
