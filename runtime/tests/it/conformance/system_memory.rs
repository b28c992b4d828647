//! S14: two devices over the same system memory, in this process and in two.
//!
//! One device copies what it has computed into memory that the program has allocated, another one draws from it without a copy of the
//! CPU's. Neither knows of the other's work: the program waits for the first before it commits to the second, or a shared event stands
//! between them. Devices here run in adversarial orders of their own.
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fencepost::{
    Buffer, BufferHandle, CommandBuffer, CpuOptions, Device, Error, PeerWatch, ResourceOptions, Schedule,
    SharedEvent, SharedEventHandle, SharedMemory,
};

use crate::common::{numbers, pipeline, run};

const SOON: Duration = Duration::from_secs(20);
const UNTRACKED: ResourceOptions = ResourceOptions::SHARED.untracked();
const WORDS: usize = 64;
const SEEDS: u64 = 50;

fn device(seed: u64) -> Device {
    Device::cpu_with(CpuOptions {
        schedule: Schedule::Adversarial(seed),
        threads: 1,
        ..CpuOptions::default()
    })
}

/// The simulation's part: computes in memory of its own and copies into the shared one.
fn simulate(
    device: &Device,
    shared: &Buffer,
    step: u32,
    signal: Option<&SharedEvent>,
) -> Result<CommandBuffer, Error> {
    let own = numbers(device, "own", &[1; WORDS]);
    let add = pipeline(device, "add");
    let work = device.new_command_queue().command_buffer();
    let mut encoder = work.compute_command_encoder()?;
    encoder.set_compute_pipeline_state(&add)?;
    encoder.set_buffer(1, &own, 0)?;
    encoder.set_bytes(2, &[step, 0])?;
    encoder.dispatch_threadgroups([WORDS as u32 / 4, 1, 1])?;
    encoder.end_encoding();
    let mut encoder = work.blit_command_encoder()?;
    encoder.copy_buffer(&own, 0, shared, 0, shared.length())?;
    encoder.end_encoding();
    if let Some(event) = signal {
        work.encode_signal_event(event, u64::from(step))?;
    }
    Ok(work)
}

/// The other device's part: a kernel that reads the shared memory.
fn draw(
    device: &Device,
    shared: &Buffer,
    seen: &Buffer,
    wait: Option<(&SharedEvent, u64)>,
) -> Result<CommandBuffer, Error> {
    let copy = pipeline(device, "copy");
    let work = device.new_command_queue().command_buffer();
    if let Some((event, value)) = wait {
        work.encode_wait_for_event(event, value)?;
    }
    let mut encoder = work.compute_command_encoder()?;
    encoder.set_compute_pipeline_state(&copy)?;
    encoder.set_buffer(0, shared, 0)?;
    encoder.set_buffer(1, seen, 0)?;
    encoder.dispatch_threadgroups([WORDS as u32 / 4, 1, 1])?;
    encoder.end_encoding();
    Ok(work)
}

struct Scene {
    sim: Device,
    view: Device,
    /// The same memory on each device.
    here: Buffer,
    there: Buffer,
    seen: Buffer,
}

impl Scene {
    fn new(seed: u64) -> Result<Self, Error> {
        let (sim, view) = (device(seed), device(seed.wrapping_mul(31) + 7));
        let memory = Arc::new(SharedMemory::new(WORDS as u64 * 4)?);
        let here = sim.buffer_with_bytes_no_copy(&memory, UNTRACKED)?;
        let there = view.buffer_with_bytes_no_copy(&memory, UNTRACKED)?;
        let seen = numbers(&view, "seen", &[0; WORDS]);
        Ok(Self { sim, view, here, there, seen })
    }
}

#[test]
fn s14_the_cpu_waits_for_one_device_before_it_commits_to_the_other() -> Result<(), Error> {
    for seed in 0..SEEDS {
        let s = Scene::new(seed)?;
        run(&simulate(&s.sim, &s.here, 6, None)?);
        run(&draw(&s.view, &s.there, &s.seen, None)?);
        assert_eq!(s.seen.read::<u32>(..)?, [7; WORDS], "seed {seed}");
    }
    Ok(())
}

#[test]
fn s14_a_completed_handler_commits_to_the_other_device() -> Result<(), Error> {
    for seed in 0..SEEDS {
        let s = Scene::new(seed)?;
        let drawing = draw(&s.view, &s.there, &s.seen, None)?;
        let simulating = simulate(&s.sim, &s.here, 6, None)?;
        let next = drawing.clone();
        simulating.add_completed_handler(move |_| next.commit().expect("it was recorded whole"))?;
        run(&simulating);
        drawing.wait_until_completed()?;
        assert_eq!(s.seen.read::<u32>(..)?, [7; WORDS], "seed {seed}");
    }
    Ok(())
}

#[test]
fn s14_a_shared_event_stands_between_the_devices() -> Result<(), Error> {
    for seed in 0..SEEDS {
        let s = Scene::new(seed)?;
        let event = s.sim.new_shared_event();
        let simulating = simulate(&s.sim, &s.here, 6, Some(&event))?;
        let drawing = draw(&s.view, &s.there, &s.seen, Some((&event, 6)))?;
        let order = if seed % 2 == 0 { [&simulating, &drawing] } else { [&drawing, &simulating] };
        order.into_iter().try_for_each(CommandBuffer::commit)?;
        drawing.wait_until_completed()?;
        simulating.wait_until_completed()?;
        assert_eq!(s.seen.read::<u32>(..)?, [7; WORDS], "seed {seed}");
    }
    Ok(())
}

#[test]
fn s14_without_either_the_other_device_races() {
    let differs = |seed: u64| {
        let s = Scene::new(seed)?;
        let drawing = draw(&s.view, &s.there, &s.seen, None)?;
        let simulating = simulate(&s.sim, &s.here, 6, None)?;
        drawing.commit()?;
        // Who is waited for first runs first: devices hold work back until somebody looks.
        if seed % 2 == 1 {
            drawing.wait_until_completed()?;
        }
        run(&simulating);
        drawing.wait_until_completed()?;
        Ok::<_, Error>(s.seen.read::<u32>(..)? != [7; WORDS])
    };
    assert!((0..1000).any(|seed| differs(seed).expect("it runs")), "no schedule shows the missing wait");
}

/// What the other process of a test is told, and the socket between them is its standard input.
const PART: &str = "FENCEPOST_S14_PART";
const STEPS: u32 = 20;

/// The same with each device in a process of its own, step by step through one memory: `written` says that a step is there, `read` that
/// it may be overwritten.
#[test]
fn s14_between_processes() -> Result<(), Error> {
    if std::env::var_os(PART).is_some() {
        return simulate_elsewhere();
    }
    let (socket, theirs) = UnixStream::pair().expect("descriptors");
    let mut other = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "conformance::system_memory::s14_between_processes", "--quiet"])
        .env(PART, "simulate")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()
        .expect("another process");
    let drawn = draw_each_step(&socket);
    assert!(other.wait().expect("it is a child").success());
    drawn
}

fn draw_each_step(socket: &UnixStream) -> Result<(), Error> {
    let view = device(1);
    let there = view.new_shareable_buffer(WORDS as u64 * 4, UNTRACKED)?;
    let [written, read] = [(); 2].map(|()| view.new_shared_event());
    there.handle()?.send(socket)?;
    for event in [&written, &read] {
        event.handle()?.send(socket)?;
    }
    let (peer, seen) = (PeerWatch::socket(socket)?, numbers(&view, "seen", &[0; WORDS]));
    for step in 1..=STEPS {
        let drawing = draw(&view, &there, &seen, Some((&written, u64::from(step))))?;
        drawing.encode_signal_event(&read, u64::from(step))?;
        drawing.commit()?;
        while !written.wait_until_signaled_value(u64::from(step), Duration::from_millis(20)) {
            assert!(!peer.has_gone(), "the other process failed, see above");
        }
        drawing.wait_until_completed()?;
        assert_eq!(seen.read::<u32>(..)?, [step + 1; WORDS]);
    }
    Ok(())
}

fn simulate_elsewhere() -> Result<(), Error> {
    let (socket, sim) = (std::io::stdin(), device(2));
    let here = sim.buffer_from_handle(BufferHandle::receive(&socket)?, UNTRACKED)?;
    let written = sim.shared_event_from_handle(SharedEventHandle::receive(&socket)?)?;
    let read = sim.shared_event_from_handle(SharedEventHandle::receive(&socket)?)?;
    for step in 1..=STEPS {
        assert!(read.wait_until_signaled_value(u64::from(step) - 1, SOON));
        run(&simulate(&sim, &here, step, Some(&written))?);
    }
    Ok(())
}
