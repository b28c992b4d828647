//! Which signal releases a wait, what becomes of a wait that none releases, and what a failed wait takes along (rules 6.8, 6.13).
use std::sync::Arc;
use std::time::{Duration, Instant};

use fencepost::{
    AnyEvent, CommandBuffer, CommandBufferStatus, CommandQueue, Commit, CpuOptions, Device, Error, ErrorKind,
    Event, SharedEvent,
};

use crate::liveness::{SOON, host};

/// Work on a new queue that ends when the CPU says so, well or with a panic, and then signals.
fn promise(device: &Device, event: &impl AnyEvent, value: u64, well: bool) -> Result<SharedEvent, Error> {
    let let_go = device.new_shared_event();
    let held = let_go.clone();
    let work = host(&device.new_command_queue(), move || {
        assert!(held.wait_until_signaled_value(1, SOON * 2));
        assert!(well, "on purpose");
    })?;
    work.encode_signal_event(event, value)?;
    work.commit()?;
    Ok(let_go)
}

/// A signal of its own queue, at once.
fn signal(device: &Device, event: &impl AnyEvent, value: u64) -> Result<(), Error> {
    let work = device.new_command_queue().command_buffer();
    work.encode_signal_event(event, value)?;
    work.commit()
}

fn wait(queue: &CommandQueue, event: &impl AnyEvent, value: u64) -> Result<CommandBuffer, Error> {
    let work = queue.command_buffer();
    work.encode_wait_for_event(event, value)?;
    let target = queue.device().new_buffer(4, Default::default())?;
    let mut blit = work.blit_command_encoder()?;
    blit.fill_buffer(&target, .., 1)?;
    blit.end_encoding();
    work.commit()?;
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

#[track_caller]
fn fails(work: &CommandBuffer, how: ErrorKind) -> String {
    ends(work, CommandBufferStatus::Error);
    let error = work.error().expect("it failed");
    assert_eq!(error.kind(), how, "{error}");
    error.to_string()
}

fn busy_device() -> Device {
    Device::cpu_with(CpuOptions { threads: 4, ..CpuOptions::default() })
}

/// Both kinds of event, in turn.
fn each_event(test: impl Fn(&Device, &dyn Fn(&Device) -> Any) -> Result<(), Error>) -> Result<(), Error> {
    test(&busy_device(), &|device| Any::Plain(device.new_event()))?;
    test(&busy_device(), &|device| Any::Shared(device.new_shared_event()))
}

enum Any {
    Plain(Event),
    Shared(SharedEvent),
}

/// The calls that take either kind.
macro_rules! either {
    ($event:expr, $name:ident => $call:expr) => {
        match $event {
            Any::Plain($name) => $call,
            Any::Shared($name) => $call,
        }
    };
}

#[test]
fn a_later_but_quicker_signal_releases_the_wait() -> Result<(), Error> {
    each_event(|device, new| {
        let event = new(device);
        let slow = either!(&event, e => promise(device, e, 1, true))?;
        let queue = device.new_command_queue();
        let waiting = either!(&event, e => wait(&queue, e, 1))?;
        assert!(waiting.status() < CommandBufferStatus::Completed);
        either!(&event, e => signal(device, e, 2))?;
        ends(&waiting, CommandBufferStatus::Completed);
        slow.set_signaled_value(1);
        Ok(())
    })
}

#[test]
fn a_failed_signal_is_no_harm_while_another_one_comes() -> Result<(), Error> {
    each_event(|device, new| {
        for quick_fails in [false, true] {
            let event = new(device);
            let one = either!(&event, e => promise(device, e, 1, quick_fails))?;
            let two = either!(&event, e => promise(device, e, 3, !quick_fails))?;
            let queue = device.new_command_queue();
            let waiting = either!(&event, e => wait(&queue, e, 1))?;
            let (failing, good) = if quick_fails { (&two, &one) } else { (&one, &two) };
            failing.set_signaled_value(1);
            std::thread::sleep(Duration::from_millis(2));
            assert!(waiting.status() < CommandBufferStatus::Completed);
            good.set_signaled_value(1);
            ends(&waiting, CommandBufferStatus::Completed);
        }
        Ok(())
    })
}

/// Once all that were promised have failed. On a tracked queue only the buffer that waits fails, on an explicit queue all that was
/// committed behind the wait; and what is committed afterwards runs, at once and every time.
#[test]
fn a_wait_fails_with_the_last_of_its_signals() -> Result<(), Error> {
    each_event(|device, new| {
        let event = new(device);
        let signals = [1, 2].map(|value| either!(&event, e => promise(device, e, value, false)));
        let (tracked, explicit) = (device.new_command_queue(), device.new_explicit_command_queue());
        // Something in front that is still running: nothing of what follows may depend on when it is forgotten.
        let still = either!(&event, e => promise(device, e, 0, true))?;
        let waiting = either!(&event, e => wait(&tracked, e, 1))?;
        let behind = host(&tracked, || {})?;
        behind.commit()?;
        either!(&event, e => explicit.wait_for_event(e, 1))?;
        let held = [(); 2].map(|()| explicit_work(&explicit));
        either!(&event, e => explicit.wait_for_event(e, 9))?;
        let far = explicit_work(&explicit)?;
        for signal in signals {
            signal?.set_signaled_value(1);
        }
        fails(&waiting, ErrorKind::DependencyFailed);
        ends(&behind, CommandBufferStatus::Completed);
        for commit in held.into_iter().chain([Ok(far)]) {
            let ended = commit?.wait_until_completed().map_err(|error| error.kind());
            assert_eq!(ended, Err(ErrorKind::DependencyFailed));
        }
        explicit_work(&explicit)?.wait_until_completed()?;
        ends(
            &{
                let work = host(&tracked, || {})?;
                work.commit()?;
                work
            },
            CommandBufferStatus::Completed,
        );
        still.set_signaled_value(1);
        Ok(())
    })
}

fn explicit_work(queue: &CommandQueue) -> Result<Commit, Error> {
    let device = queue.device();
    let (work, allocator) = (device.new_command_buffer(), device.new_command_allocator());
    work.begin(&allocator)?;
    let mut encoder = work.compute_command_encoder()?;
    encoder.fill_buffer(&device.new_buffer(4, Default::default())?, .., 1)?;
    encoder.end_encoding();
    work.end()?;
    queue.commit(&[&work])
}

/// Rule 6.8, also for a wait that work in flight has promised: on a tracked queue its buffer ends and the next one runs; an explicit
/// queue is let go.
#[test]
fn waits_in_flight_have_a_time_limit() -> Result<(), Error> {
    each_event(|device, new| {
        let event = new(device);
        let slow = either!(&event, e => promise(device, e, 5, true))?;
        let (tracked, explicit) = (device.new_command_queue(), device.new_explicit_command_queue());
        let waits = [1, 2].map(|value| either!(&event, e => wait(&tracked, e, value)));
        let next = host(&tracked, || {})?;
        next.commit()?;
        either!(&event, e => explicit.wait_for_event(e, 3))?;
        either!(&event, e => explicit.wait_for_event(e, 4))?;
        let released = explicit_work(&explicit)?;
        assert!(!released.is_completed() && next.status() < CommandBufferStatus::Completed);
        // Set when the waits are in flight already: it counts from when the queue came to them.
        device.set_event_timeout(Some(Duration::from_millis(20)));
        for waiting in waits {
            let text = fails(&waiting?, ErrorKind::Timeout);
            assert!(text.contains("20 ms"), "{text}");
        }
        ends(&next, CommandBufferStatus::Completed);
        released.wait_until_completed()?;
        slow.set_signaled_value(1);
        Ok(())
    })
}

/// The last handle of an event is gone: whoever waits is told, and what it held is given back.
#[test]
fn a_wait_that_nobody_can_release_fails() -> Result<(), Error> {
    each_event(|device, new| {
        let token = Arc::new(());
        let kept = Arc::clone(&token);
        let (tracked, explicit) = (device.new_command_queue(), device.new_explicit_command_queue());
        let event = new(device);
        either!(&event, e => e.set_label("frame"));
        let waiting = host(&tracked, move || drop(Arc::clone(&kept)))?;
        either!(&event, e => waiting.encode_wait_for_event(e, 1))?;
        waiting.commit()?;
        let unused = tracked.command_buffer();
        either!(&event, e => unused.encode_signal_event(e, 1))?;
        either!(&event, e => explicit.wait_for_event(e, 2))?;
        let behind = explicit_work(&explicit)?;
        drop(event);
        std::thread::sleep(Duration::from_millis(2));
        assert!(
            waiting.status() < CommandBufferStatus::Completed,
            "a recorded signal may still be committed"
        );
        drop(unused);
        let text = fails(&waiting, ErrorKind::Abandoned);
        assert!(text.contains("event `frame`") && text.contains("reach 1"), "{text}");
        let ended = behind.wait_until_completed().map_err(|error| error.kind());
        assert_eq!(ended, Err(ErrorKind::Abandoned));
        explicit_work(&explicit)?.wait_until_completed()?;
        drop(waiting);
        let deadline = Instant::now() + SOON;
        while Arc::strong_count(&token) > 1 {
            assert!(Instant::now() < deadline, "a failed buffer keeps what it used");
            std::thread::yield_now();
        }
        Ok(())
    })
}

/// Queues that wait for each other's signals, or for their own, once no handle is left. Nothing but the limit would end them else, and the
/// device would live for ever.
#[test]
fn a_circle_of_waits_fails_when_nobody_can_break_it() -> Result<(), Error> {
    let device = busy_device();
    let [first, second, third] = [(); 3].map(|()| device.new_shared_event());
    let [a, b] = [(); 2].map(|()| device.new_command_queue());
    let circle = |queue: &CommandQueue, from: &SharedEvent, to: &SharedEvent| {
        let work = queue.command_buffer();
        work.encode_wait_for_event(from, 1)?;
        work.encode_signal_event(to, 1)?;
        work.commit()?;
        Ok::<_, Error>(work)
    };
    let (one, two) = (circle(&a, &first, &second)?, circle(&b, &second, &first)?);
    let own = circle(&device.new_command_queue(), &third, &third)?;
    drop((first, third));
    fails(&own, ErrorKind::Abandoned);
    assert!(one.status() < CommandBufferStatus::Completed, "somebody has a handle of the second");
    drop(second);
    fails(&one, ErrorKind::Abandoned);
    ends(&two, CommandBufferStatus::Error);
    Ok(())
}

/// A wait in flight whose signal fails, and one that is committed afterwards, wait for a signal that was committed and may still run.
#[test]
fn a_failed_signal_is_no_harm_while_one_that_is_held_back_may_come() -> Result<(), Error> {
    each_event(|device, new| {
        let (event, key) = (new(device), device.new_shared_event());
        let failing = either!(&event, e => promise(device, e, 1, false))?;
        let (tracked, explicit) = (device.new_command_queue(), device.new_explicit_command_queue());
        let waiting = either!(&event, e => wait(&tracked, e, 1))?;
        either!(&event, e => explicit.wait_for_event(e, 1))?;
        let behind = explicit_work(&explicit)?;
        let held = device.new_command_queue().command_buffer();
        held.encode_wait_for_event(&key, 1)?;
        either!(&event, e => held.encode_signal_event(e, 2))?;
        held.commit()?;
        failing.set_signaled_value(1);
        let deadline = Instant::now() + SOON;
        while device.stuck_waits().len() < 3 {
            assert!(
                Instant::now() < deadline,
                "two that wait, and what they wait for: {:?}",
                device.stuck_waits()
            );
            std::thread::yield_now();
        }
        let late = either!(&event, e => wait(&device.new_command_queue(), e, 1))?;
        for work in [&waiting, &late] {
            assert!(work.status() < CommandBufferStatus::Completed);
        }
        assert!(!behind.is_completed());
        key.set_signaled_value(1);
        for work in [&waiting, &late, &held] {
            ends(work, CommandBufferStatus::Completed);
        }
        behind.wait_until_completed()
    })
}

/// What is held back is no help where it stands behind the wait itself or behind a larger value of the same event, and no longer where it
/// has failed.
#[test]
fn a_signal_that_cannot_run_does_not_keep_a_wait_alive() -> Result<(), Error> {
    each_event(|device, new| {
        for how in 0..3 {
            let (event, key) = (new(device), device.new_shared_event());
            let failing = either!(&event, e => promise(device, e, 1, false))?;
            let tracked = device.new_command_queue();
            let waiting = either!(&event, e => wait(&tracked, e, 1))?;
            let other = if how == 0 { tracked } else { device.new_command_queue() };
            let held = other.command_buffer();
            if how == 1 {
                either!(&event, e => held.encode_wait_for_event(e, 2))?;
            } else {
                held.encode_wait_for_event(&key, 1)?;
            }
            either!(&event, e => held.encode_signal_event(e, 3))?;
            held.commit()?;
            failing.set_signaled_value(1);
            if how == 2 {
                std::thread::sleep(Duration::from_millis(2));
                assert!(waiting.status() < CommandBufferStatus::Completed, "the key may still come");
                drop(key);
                fails(&held, ErrorKind::Abandoned);
            }
            fails(&waiting, ErrorKind::DependencyFailed);
        }
        Ok(())
    })
}

/// Signals that are held back by something that can still happen keep hope: another event, an enqueued place, another device.
#[test]
fn a_wait_with_a_signal_to_come_goes_on() -> Result<(), Error> {
    let (device, other) = (busy_device(), busy_device());
    let (event, key) = (device.new_shared_event(), device.new_shared_event());
    let queue = device.new_command_queue();
    let waiting = wait(&device.new_command_queue(), &event, 1)?;
    let place = queue.command_buffer();
    place.enqueue()?;
    let signal = queue.command_buffer();
    signal.encode_signal_event(&event, 1)?;
    signal.commit()?;
    let late = wait(&device.new_command_queue(), &event, 2)?;
    let theirs = other.new_command_queue().command_buffer();
    theirs.encode_wait_for_event(&key, 1)?;
    theirs.encode_signal_event(&event, 2)?;
    theirs.commit()?;
    drop(event);
    std::thread::sleep(Duration::from_millis(2));
    assert!(waiting.status() < CommandBufferStatus::Completed);
    place.commit()?;
    ends(&waiting, CommandBufferStatus::Completed);
    assert!(late.status() < CommandBufferStatus::Completed);
    key.set_signaled_value(1);
    ends(&late, CommandBufferStatus::Completed);
    Ok(())
}
