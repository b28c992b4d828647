//! What must go on goes on: whoever raises a value, whatever fails, and whichever thread of the program gets there first.
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use fencepost::replay::program::{Program, QueueMode, value};
use fencepost::replay::{Options, Replay};
use fencepost::{
    CommandBuffer, CommandBufferStatus, CommandQueue, CommitOptions, CpuOptions, Device, Error, ErrorKind,
    Function, Schedule, SharedEventListener,
};

/// What a wait of a test takes at most, where nothing is wrong.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A buffer of the queue with one dispatch of a host function.
pub(crate) fn host(
    queue: &CommandQueue,
    body: impl Fn() + Send + Sync + 'static,
) -> Result<CommandBuffer, Error> {
    let device = queue.device();
    let state =
        device.new_compute_pipeline_state(&Function::host("host", &[], [1, 1, 1], move |_| body()))?;
    let work = queue.command_buffer();
    let mut encoder = work.compute_command_encoder()?;
    encoder.set_compute_pipeline_state(&state)?;
    encoder.dispatch_threadgroups([1, 1, 1])?;
    encoder.end_encoding();
    Ok(work)
}

#[track_caller]
fn ends(work: &CommandBuffer, how: CommandBufferStatus) {
    let deadline = Instant::now() + SOON;
    while work.status() < CommandBufferStatus::Completed {
        assert!(Instant::now() < deadline, "it waits for ever");
        std::thread::sleep(Duration::from_micros(100));
    }
    assert_eq!(work.status(), how, "{:?}", work.error());
}

/// Work that was taken over is run although another schedule takes its runner's place while that one still wakes up.
#[test]
fn a_new_schedule_leaves_no_work_behind() -> Result<(), Error> {
    let device = Device::cpu_with(CpuOptions { threads: 2, ..CpuOptions::default() });
    let queue = device.new_command_queue();
    for _ in 0..10 {
        device.set_schedule(Schedule::Parallel);
        // A worker that has run something, and sleeps.
        let first = host(&queue, || {})?;
        first.commit()?;
        first.wait_until_completed()?;
        std::thread::sleep(Duration::from_millis(3));
        let second = host(&queue, || {})?;
        second.commit()?;
        device.set_schedule(Schedule::Adversarial(1));
        ends(&second, CommandBufferStatus::Completed);
    }
    Ok(())
}

/// L3: a wait for a shared event is the CPU's to release, also where work that still runs has promised the same value.
#[test]
fn the_cpu_releases_a_wait_that_work_has_promised() -> Result<(), Error> {
    let device = Device::cpu_with(CpuOptions { threads: 2, ..CpuOptions::default() });
    let (event, gate) = (device.new_shared_event(), device.new_shared_event());
    let (slow, quick) = (device.new_command_queue(), device.new_command_queue());
    let held = gate.clone();
    let promising = host(&slow, move || assert!(held.wait_until_signaled_value(1, SOON * 2)))?;
    promising.encode_signal_event(&event, 1)?;
    promising.commit()?;
    let waiting = quick.command_buffer();
    waiting.encode_wait_for_event(&event, 1)?;
    waiting.commit()?;
    assert!(waiting.status() < CommandBufferStatus::Completed);
    event.set_signaled_value(1);
    ends(&waiting, CommandBufferStatus::Completed);
    gate.set_signaled_value(1);
    promising.wait_until_completed()
}

/// A wait whose signal fails ends at once, on both kinds of queue, and what is committed afterwards runs.
#[test]
fn a_failed_signal_ends_the_waits_for_it() -> Result<(), Error> {
    for shared in [false, true] {
        for promised in [false, true] {
            let device = Device::cpu_with(CpuOptions { threads: 2, ..CpuOptions::default() });
            let (plain, visible) = (device.new_event(), device.new_shared_event());
            let gate = device.new_shared_event();
            let (producer, tracked) = (device.new_command_queue(), device.new_command_queue());
            let explicit = device.new_explicit_command_queue();
            let opened = gate.clone();
            let failing = host(&producer, move || {
                assert!(opened.wait_until_signaled_value(1, SOON));
                panic!("on purpose");
            })?;
            if shared {
                failing.encode_signal_event(&visible, 1)?;
            } else {
                failing.encode_signal_event(&plain, 1)?;
            }
            if promised {
                failing.commit()?;
            }
            let waiting = tracked.command_buffer();
            let allocator = device.new_command_allocator();
            let behind = device.new_command_buffer();
            behind.begin(&allocator)?;
            let mut encoder = behind.compute_command_encoder()?;
            encoder.fill_buffer(&device.new_buffer(64, Default::default())?, .., 1)?;
            encoder.end_encoding();
            behind.end()?;
            if shared {
                waiting.encode_wait_for_event(&visible, 1)?;
                explicit.wait_for_event(&visible, 1)?;
            } else {
                waiting.encode_wait_for_event(&plain, 1)?;
                explicit.wait_for_event(&plain, 1)?;
            }
            waiting.commit()?;
            let group = explicit.commit(&[&behind])?;
            if !promised {
                failing.commit()?;
            }
            gate.set_signaled_value(1);
            ends(&failing, CommandBufferStatus::Error);
            ends(&waiting, CommandBufferStatus::Error);
            assert_eq!(waiting.error().map(|error| error.kind()), Some(ErrorKind::DependencyFailed));
            let ended = group.wait_until_completed().map_err(|error| error.kind());
            assert_eq!(ended, Err(ErrorKind::DependencyFailed), "shared: {shared}, promised: {promised}");
            std::thread::sleep(Duration::from_millis(1));
            behind.begin(&allocator)?;
            behind.end()?;
            explicit.commit(&[&behind])?.wait_until_completed()?;
        }
    }
    Ok(())
}

/// A long chain of waits whose first signal fails comes to its end, and the stack of no thread does.
#[test]
fn a_failure_runs_down_a_long_chain() -> Result<(), Error> {
    let device = crate::common::device();
    device.set_event_timeout(Some(Duration::from_millis(200)));
    let queue = device.new_command_queue_with_descriptor(&fencepost::CommandQueueDescriptor {
        max_command_buffer_count: 20_000,
        ..Default::default()
    });
    let (never, event) = (device.new_event(), device.new_event());
    let mut works = Vec::new();
    for value in 1..20_000 {
        let work = queue.command_buffer();
        if value == 1 {
            work.encode_wait_for_event(&never, 1)?;
        } else {
            work.encode_wait_for_event(&event, value)?;
        }
        work.encode_signal_event(&event, value + 1)?;
        work.commit()?;
        works.push(work);
    }
    for work in &works {
        ends(work, CommandBufferStatus::Error);
    }
    Ok(())
}

/// X8, from the handler of the commit itself: a buffer begins anew while the thread that committed it is still on its way.
#[test]
fn a_feedback_handler_begins_a_buffer_anew() -> Result<(), Error> {
    let device = crate::common::device();
    let queue = device.new_explicit_command_queue();
    let [first, second] = [device.new_command_allocator(), device.new_command_allocator()];
    for _ in 0..20 {
        let works: Vec<CommandBuffer> = (0..300).map(|_| device.new_command_buffer()).collect();
        for work in &works {
            work.begin(&first)?;
            work.end()?;
        }
        let (sender, receiver) = mpsc::channel();
        let (again, next) = (works[works.len() - 1].clone(), second.clone());
        let options = CommitOptions::new().with_feedback_handler(move |_| {
            let begun = again.begin(&next);
            std::thread::sleep(Duration::from_millis(1));
            sender.send(begun.and_then(|()| again.end())).ok();
        });
        queue.commit_with_options(&works.iter().collect::<Vec<_>>(), options)?;
        receiver.recv().expect("the handler ran")?;
        second.reset()?;
        first.reset()?;
    }
    Ok(())
}

/// Nothing starts while a program still commits, also where its commits share an allocator: else a seed would not give an order.
#[test]
fn a_commit_sets_no_adversary_going() -> Result<(), Error> {
    let waited = || -> Result<bool, Error> {
        let device =
            Device::cpu_with(CpuOptions { schedule: Schedule::Adversarial(1), ..CpuOptions::default() });
        let queue = device.new_explicit_command_queue();
        let (allocator, started) = (device.new_command_allocator(), Arc::new(AtomicBool::new(false)));
        let noted = Arc::clone(&started);
        let function = Function::host("note", &[], [1, 1, 1], move |_| noted.store(true, SeqCst));
        let state = device.new_compute_pipeline_state(&function)?;
        for _ in 0..2 {
            let work = device.new_command_buffer();
            work.begin(&allocator)?;
            let mut encoder = work.compute_command_encoder()?;
            encoder.set_compute_pipeline_state(&state)?;
            encoder.dispatch_threadgroups([1, 1, 1])?;
            encoder.end_encoding();
            work.end()?;
            queue.commit(&[&work])?;
        }
        std::thread::sleep(Duration::from_millis(5));
        Ok(!started.load(SeqCst))
    };
    // A slow machine may take longer than the device's patience now and then.
    for _ in 0..20 {
        if waited()? {
            return Ok(());
        }
    }
    panic!("the second commit starts the first one");
}

/// Rule 1.1.5: also on a listener's thread, a wait returns after the completed handlers.
#[test]
fn a_listener_waits_for_handlers() -> Result<(), Error> {
    let device = crate::common::device();
    let (queue, event) = (device.new_command_queue(), device.new_shared_event());
    let work = queue.command_buffer();
    let done = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&done);
    work.add_completed_handler(move |_| {
        std::thread::sleep(Duration::from_millis(50));
        noted.store(true, SeqCst);
    })?;
    work.commit()?;
    ends(&work, CommandBufferStatus::Completed);
    let (sender, receiver) = mpsc::channel();
    event.notify(&SharedEventListener::new(), 0, move |_, _| {
        work.wait_until_completed().ok();
        sender.send(done.load(SeqCst)).ok();
    });
    assert!(receiver.recv_timeout(SOON).expect("it was called"), "the wait returned before the handler did");
    Ok(())
}

/// A value may be the largest there is, and a replay may have all the time there is.
#[test]
fn the_largest_values_are_values() -> Result<(), Error> {
    let device = crate::common::device();
    let (queue, event) = (device.new_command_queue(), device.new_shared_event());
    let work = queue.command_buffer();
    work.encode_wait_for_event(&event, u64::MAX)?;
    work.encode_signal_event(&event, 0)?;
    work.commit()?;
    assert!(!event.wait_until_signaled_value(u64::MAX, Duration::from_millis(1)));
    event.set_signaled_value(u64::MAX);
    assert!(event.wait_until_signaled_value(u64::MAX, Duration::MAX));
    work.wait_until_completed()?;
    let program = Program::builder().build();
    assert!(Replay::new(program).run(&Options { timeout: Duration::MAX, ..Options::default() })?.finished);
    Ok(())
}

/// What a notification commits belongs to the program: a replay ends after it.
#[test]
fn a_replay_waits_for_what_its_notifications_commit() -> Result<(), Error> {
    let mut p = Program::builder();
    let q = p.queue("q", QueueMode::Tracked);
    let a = p.buffer("A", 64);
    let event = p.shared_event("E");
    let first = p.command_buffer("first", q, |items| {
        items.signal_event("raise", event, 1);
    });
    let second = p.command_buffer("second", q, |items| {
        items.blit("P", |pass| {
            pass.fill("f", a, 7);
        });
    });
    p.steps().notify(event, 1, |steps| {
        steps.commit([second]);
    });
    p.steps().commit([first]);
    let program = p.build();
    let expected = value::expected(&program);
    let replay = Replay::new(program);
    for _ in 0..50 {
        let outcome = replay.run(&Options::default())?;
        assert_eq!(outcome.difference(&expected), None);
    }
    Ok(())
}
