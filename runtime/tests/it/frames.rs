//! The ring of frames: nothing is lent that work in flight may use, whatever the order in which frames end.
use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::Duration;

use fencepost::{
    Buffer, CommandBuffer, CommandBufferStatus, CommandQueue, Commit, CommitOptions, ComputePipelineState,
    CpuOptions, Device, Error, ErrorKind, Event, Frames, ResourceOptions, Schedule, Validation,
};
use proptest::prelude::*;

use crate::common::{numbers, pipeline, refused};

/// Words of a frame.
const WORDS: usize = 16;
const FRAMES: u32 = 16;

/// Frames that nothing orders: each copies its own words to a part of the output of its own.
struct Scene {
    device: Device,
    queue: CommandQueue,
    copy: ComputePipelineState,
    out: Buffer,
}

impl Scene {
    fn new(options: CpuOptions, explicit: bool) -> Self {
        let device = Device::cpu_with(options);
        let queue = if explicit { device.new_explicit_command_queue() } else { device.new_command_queue() };
        let out = device
            .new_buffer(u64::from(FRAMES) * WORDS as u64 * 4, ResourceOptions::SHARED.untracked())
            .expect("there is memory");
        Self { queue, copy: pipeline(&device, "copy"), out, device }
    }

    fn adversarial(seed: u64, explicit: bool) -> Self {
        let schedule = Schedule::Adversarial(seed);
        Self::new(CpuOptions { schedule, threads: 1, ..CpuOptions::default() }, explicit)
    }

    fn instance(&self) -> Result<Buffer, Error> {
        self.device.new_buffer(WORDS as u64 * 4, ResourceOptions::SHARED.untracked())
    }

    /// The CPU's side of a frame, unguarded: the ring alone keeps it from what is in flight.
    fn write(frame: u32, instance: &Buffer) -> Result<(), Error> {
        instance.contents()?.write(0, &[frame + 1; WORDS])
    }

    fn record(&self, work: &CommandBuffer, frame: u32, instance: &Buffer) -> Result<(), Error> {
        let part = u64::from(frame) * WORDS as u64 * 4;
        let mut compute = work.compute_command_encoder()?;
        compute.set_compute_pipeline_state(&self.copy)?;
        compute.set_buffer(0, instance, 0)?;
        compute.set_buffer_range(1, &self.out, part..part + WORDS as u64 * 4)?;
        compute.dispatch_threadgroups([WORDS as u32 / 4, 1, 1])?;
        compute.end_encoding();
        Ok(())
    }

    /// Whether every frame has copied its own words.
    fn is_unmixed(&self) -> Result<bool, Error> {
        let out = self.out.contents()?.read::<u32>(..)?;
        Ok(out.iter().zip(0..).all(|(word, at)| *word == at / WORDS as u32 + 1))
    }
}

fn by_ring<const N: usize>(scene: &Scene, explicit: bool) -> Result<bool, Error> {
    let mut frames = Frames::<_, N>::new(|_| scene.instance())?;
    for number in 0..FRAMES {
        let frame = frames.begin()?;
        assert_eq!(frame.index(), number as usize % N);
        Scene::write(number, &frame)?;
        if explicit {
            let work = scene.device.new_command_buffer();
            work.begin(&scene.device.new_command_allocator())?;
            scene.record(&work, number, &frame)?;
            work.end()?;
            frame.commit_group(&scene.queue, &[&work])?;
        } else {
            let work = scene.queue.command_buffer();
            scene.record(&work, number, &frame)?;
            frame.commit(&work)?;
        }
        assert!(frames.in_flight() <= N);
    }
    assert_eq!(frames.committed(), u64::from(FRAMES));
    frames.wait_until_idle()?;
    assert_eq!(frames.in_flight(), 0);
    scene.is_unmixed()
}

#[test]
fn frames_do_not_mix_in_any_schedule() -> Result<(), Error> {
    for seed in 0..60 {
        let explicit = seed % 2 == 0;
        assert!(by_ring::<1>(&Scene::adversarial(seed, explicit), explicit)?, "one, seed {seed}");
        assert!(by_ring::<2>(&Scene::adversarial(seed, explicit), explicit)?, "two, seed {seed}");
        assert!(by_ring::<3>(&Scene::adversarial(seed, explicit), explicit)?, "three, seed {seed}");
    }
    for explicit in [false, true] {
        assert!(by_ring::<3>(&Scene::new(CpuOptions::default(), explicit), explicit)?);
    }
    Ok(())
}

/// The same by a counting semaphore that the end of a frame gives back.
fn by_semaphore(scene: &Scene, explicit: bool) -> Result<bool, Error> {
    let instances = [scene.instance()?, scene.instance()?, scene.instance()?];
    let (give, take) = mpsc::channel();
    (0..3).for_each(|_| give.send(()).expect("it has a receiver"));
    let (mut tracked, mut commits) = (Vec::new(), Vec::new());
    for number in 0..FRAMES {
        // Looking gets a device going that holds work back.
        while take.try_recv().is_err() {
            let running =
                tracked.iter().filter(|work| CommandBuffer::status(work) < CommandBufferStatus::Completed);
            let _looked =
                running.count() + commits.iter().filter(|commit| Commit::is_completed(commit)).count();
            std::thread::yield_now();
        }
        let instance = &instances[number as usize % 3];
        Scene::write(number, instance)?;
        let give = give.clone();
        if explicit {
            let work = scene.device.new_command_buffer();
            work.begin(&scene.device.new_command_allocator())?;
            scene.record(&work, number, instance)?;
            work.end()?;
            let options =
                CommitOptions::new().with_feedback_handler(move |_| give.send(()).unwrap_or_default());
            commits.push(scene.queue.commit_with_options(&[&work], options)?);
        } else {
            let work = scene.queue.command_buffer();
            scene.record(&work, number, instance)?;
            work.add_completed_handler(move |_| give.send(()).unwrap_or_default())?;
            work.commit()?;
            tracked.push(work);
        }
    }
    tracked.iter().try_for_each(CommandBuffer::wait_until_completed)?;
    commits.iter().try_for_each(Commit::wait_until_completed)?;
    scene.is_unmixed()
}

/// On a tracked queue it is right: frames are told of in their order (rule 7.3.3).
#[test]
fn a_semaphore_keeps_frames_of_a_tracked_queue_apart() -> Result<(), Error> {
    for seed in 0..100 {
        assert!(by_semaphore(&Scene::adversarial(seed, false), false)?, "seed {seed}");
    }
    assert!(by_semaphore(&Scene::new(CpuOptions::default(), false), false)?);
    Ok(())
}

/// The twin: on an explicit queue it knows how many places are free, and not which. Frames that end out of order show it.
#[test]
fn a_semaphore_lets_frames_of_an_explicit_queue_mix() -> Result<(), Error> {
    for seed in 0..1000 {
        if !by_semaphore(&Scene::adversarial(seed, true), true)? {
            return Ok(());
        }
    }
    panic!("no schedule shows that a count is not enough");
}

#[test]
fn validation_finds_nothing_wrong_with_a_ring() -> Result<(), Error> {
    for explicit in [false, true] {
        let options = CpuOptions { validation: Some(Validation::Deny), ..CpuOptions::default() };
        assert!(by_ring::<3>(&Scene::new(options, explicit), explicit)?);
    }
    Ok(())
}

/// A frame that waits for its own event.
fn gated(scene: &Scene, gate: &Event) -> Result<CommandBuffer, Error> {
    let work = scene.queue.command_buffer();
    work.encode_wait_for_event(gate, 1)?;
    Ok(work)
}

fn open(scene: &Scene, gate: &Event) -> Result<(), Error> {
    let work = scene.device.new_command_queue().command_buffer();
    work.encode_signal_event(gate, 1)?;
    work.commit()
}

#[test]
fn a_frame_of_several_pieces_is_over_with_the_last() -> Result<(), Error> {
    let scene = Scene::new(CpuOptions::default(), false);
    let other = scene.device.new_explicit_command_queue();
    let gate = scene.device.new_event();
    let mut frames = Frames::<_, 1>::new(|index| Ok::<_, Error>(index as u32))?;
    let late = scene.device.new_command_queue().command_buffer();
    late.encode_wait_for_event(&gate, 1)?;
    let soon = scene.queue.command_buffer();
    let mut frame = frames.begin()?;
    *frame = 5;
    frame.commit_with(|value, frame| {
        assert_eq!(*value, 5);
        frame.commit(&late)?;
        frame.commit(&soon)?;
        frame.commit_group(&other, &[]).map(drop)
    })?;
    soon.wait_until_completed()?;
    assert!(frames.try_begin()?.is_none(), "one piece is still in flight");
    open(&scene, &gate)?;
    assert_eq!(*frames.begin()?, 5);
    assert_eq!(frames.wait_until_idle()?, [&mut 5]);
    Ok(())
}

#[test]
fn a_frame_that_fails_is_told_once() -> Result<(), Error> {
    let options = CpuOptions { kernel_timeout: Some(Duration::from_millis(20)), ..CpuOptions::default() };
    let scene = Scene::new(options, false);
    let library = scene.device.new_library_with_wgsl(
        "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
         @compute @workgroup_size(1) fn spin() { loop { if out[0] == 77u { break; } } }",
    )?;
    let spin = scene.device.new_compute_pipeline_state(&library.new_function("spin")?)?;
    let mut frames = Frames::<_, 2>::new(|_| Ok::<_, Error>(numbers(&scene.device, "data", &[0])))?;
    for fails in [true, false] {
        let frame = frames.begin()?;
        let work = scene.queue.command_buffer();
        if fails {
            let mut compute = work.compute_command_encoder()?;
            compute.set_compute_pipeline_state(&spin)?;
            compute.set_buffer(0, &frame, 0)?;
            compute.dispatch_threadgroups([1, 1, 1])?;
            compute.end_encoding();
        }
        frame.commit(&work)?;
    }
    refused(frames.begin(), ErrorKind::Timeout, &["spin"]);
    assert_eq!(frames.begin()?.index(), 0, "its place is free, and it is its turn");
    assert_eq!(frames.begin()?.index(), 0, "what is dropped without a commit leaves its turn");
    // What cannot be committed takes no place.
    let twice = scene.queue.command_buffer();
    twice.commit()?;
    refused(frames.begin()?.commit(&twice), ErrorKind::AlreadyCommitted, &[]);
    assert_eq!((frames.begin()?.index(), frames.committed()), (0, 2));
    frames.wait_until_idle()?;
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Begin,
    Drop,
    /// The frame in flight that is so far behind the oldest ends.
    End(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![3 => Just(Act::Begin), 1 => Just(Act::Drop), 3 => (0usize..4).prop_map(Act::End)];
    prop::collection::vec(act, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against a list: a place is lent exactly when the frame that had it last is over, in whatever order frames end.
    #[test]
    fn a_ring_lends_what_a_list_says(acts in acts()) {
        let scene = Scene::new(CpuOptions::default(), false);
        let run = || -> Result<(), Error> {
            let mut frames = Frames::<_, 3>::new(Ok::<_, Error>)?;
            // Of each place, the gate of the frame that has it.
            let mut places: [Option<(Event, CommandBuffer)>; 3] = [None, None, None];
            let mut in_flight: VecDeque<usize> = VecDeque::new();
            let mut next = 0;
            for act in acts {
                match act {
                    Act::Begin | Act::Drop => {
                        let frame = frames.try_begin()?;
                        assert_eq!(frame.is_none(), places[next].is_some());
                        let Some(frame) = frame else { continue };
                        assert_eq!((frame.index(), *frame), (next, next));
                        if let Act::Begin = act {
                            // A queue of its own: a queue waits for one thing after the other.
                            let queue = scene.device.new_command_queue();
                            let scene = Scene { queue, device: scene.device.clone(), copy: scene.copy.clone(), out: scene.out.clone() };
                            let gate = scene.device.new_event();
                            let work = gated(&scene, &gate)?;
                            frame.commit(&work)?;
                            places[next] = Some((gate, work));
                            in_flight.push_back(next);
                            next = (next + 1) % 3;
                        }
                    }
                    Act::End(which) => {
                        let Some(place) = in_flight.remove(which) else { continue };
                        let (gate, work) = places[place].take().expect("it is in flight");
                        open(&scene, &gate)?;
                        work.wait_until_completed()?;
                    }
                }
                assert_eq!(frames.in_flight(), in_flight.len());
            }
            for (gate, _) in places.iter().flatten() {
                open(&scene, gate)?;
            }
            frames.wait_until_idle()?;
            Ok(())
        };
        run().expect("nothing goes wrong");
    }
}
