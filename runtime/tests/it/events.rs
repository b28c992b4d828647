//! Events as their users see them: who is told of what, and when.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use fencepost::{CpuOptions, Device, Error, Obstacle, ResourceOptions, Schedule};

use crate::common::{numbers, pipeline};

/// Every wait that nothing in flight will release, with the chain to what stands in its way.
#[test]
fn stuck_waits_have_names() -> Result<(), Error> {
    let (device, other) = (crate::common::device(), crate::common::device());
    let [first, second] = ["first", "second"].map(|label| {
        let event = device.new_shared_event();
        event.set_label(label);
        event
    });
    let queue = |device: &Device, label: &str| {
        let queue = device.new_command_queue();
        queue.set_label(label);
        queue
    };
    let (qa, qb) = (queue(&device, "qa"), queue(&other, "qb"));
    let wait =
        |queue: &fencepost::CommandQueue, label: &str, [from, to]: [(&fencepost::SharedEvent, u64); 2]| {
            let work = queue.command_buffer();
            work.set_label(label);
            work.encode_wait_for_event(from.0, from.1)?;
            work.encode_signal_event(to.0, to.1)?;
            work.commit()?;
            Ok::<_, Error>(work)
        };
    assert_eq!(device.stuck_waits(), []);
    let a = wait(&qa, "a", [(&first, 1), (&second, 1)])?;
    assert!(device.stuck_waits()[0].signals.is_empty());
    let b = wait(&qb, "b", [(&second, 1), (&first, 1)])?;
    let stuck = device.stuck_waits();
    assert_eq!(stuck.len(), 1, "the other device has its own");
    assert_eq!((stuck[0].queue.as_str(), stuck[0].command_buffer.as_deref()), ("qa", Some("a")));
    let signal = &stuck[0].signals[0];
    assert_eq!((signal.queue.as_str(), signal.command_buffer.as_deref(), signal.value), ("qb", Some("b"), 1));
    assert_eq!(signal.behind, Some(Obstacle::Wait { event: "second".to_owned(), value: 1 }));
    assert_eq!(
        stuck[0].to_string(),
        "command buffer `a` on queue `qa` waits for event `first` to reach 1, which has 0; \
         command buffer `b` on queue `qb` would signal 1, behind the wait for event `second` to reach 1"
    );
    second.set_signaled_value(1);
    b.wait_until_completed()?;
    a.wait_until_completed()?;
    assert_eq!((device.stuck_waits(), other.stuck_waits()), (vec![], vec![]));
    Ok(())
}

/// What is behind an enqueued place says so; what a queue itself waits for has no command buffer.
#[test]
fn stuck_waits_of_queues_and_behind_places() -> Result<(), Error> {
    let device = crate::common::device();
    let (tracked, explicit) = (device.new_command_queue(), device.new_explicit_command_queue());
    let event = device.new_event();
    let place = tracked.command_buffer();
    place.set_label("place");
    place.enqueue()?;
    let work = tracked.command_buffer();
    work.encode_signal_event(&event, 5)?;
    work.commit()?;
    explicit.wait_for_event(&event, 3)?;
    let stuck = device.stuck_waits();
    assert_eq!((stuck.len(), stuck[0].command_buffer.as_ref(), stuck[0].signals.len()), (1, None, 1));
    let behind = Obstacle::Uncommitted { command_buffer: "place".to_owned() };
    assert_eq!((stuck[0].signals[0].value, &stuck[0].signals[0].behind), (5, &Some(behind)));
    assert!(stuck[0].has_handles && !stuck[0].is_seen_outside);
    drop(event);
    let stuck = device.stuck_waits();
    assert!(
        !stuck[0].has_handles && stuck[0].to_string().ends_with("; no handle of it is left"),
        "{}",
        stuck[0]
    );
    place.commit()?;
    work.wait_until_completed()?;
    assert_eq!(device.stuck_waits(), []);
    Ok(())
}

/// S11 both ways, in adversarial orders: never more than three frames in flight, and no frame reads another one's bytes.
#[test]
fn s11_three_frames_in_flight() -> Result<(), Error> {
    for seed in 0..20 {
        for by_event in [false, true] {
            frames(seed, by_event)?;
        }
    }
    Ok(())
}

fn frames(seed: u64, by_event: bool) -> Result<(), Error> {
    const FRAMES: u32 = 12;
    let device =
        Device::cpu_with(CpuOptions { schedule: Schedule::Adversarial(seed), ..CpuOptions::default() });
    let (queue, copy, done) =
        (device.new_command_queue(), pipeline(&device, "copy"), device.new_shared_event());
    let untracked = ResourceOptions::SHARED.untracked();
    let vertices = (0..3).map(|_| device.new_buffer(256, untracked)).collect::<Result<Vec<_>, _>>()?;
    let frames: Vec<_> =
        (1..=FRAMES).map(|frame| numbers(&device, &format!("frame {frame}"), &[0; 64])).collect();
    let (give, take) = mpsc::channel();
    (0..3).for_each(|_| give.send(()).expect("it has a receiver"));
    let in_flight = Arc::new(AtomicU32::new(0));
    for (frame, output) in (1..=FRAMES).zip(&frames) {
        if by_event {
            let before = u64::from(frame).saturating_sub(3);
            assert!(done.wait_until_signaled_value(before, Duration::from_secs(20)));
        } else {
            take.recv_timeout(Duration::from_secs(20)).expect("every frame completes");
            assert!(in_flight.fetch_add(1, SeqCst) < 3, "four frames in flight");
        }
        let buffer = &vertices[frame as usize % 3];
        // Were the frame three before still in flight, this would be refused.
        buffer.write(0, &[frame; 64])?;
        let work = queue.command_buffer();
        let mut encoder = work.compute_command_encoder()?;
        encoder.set_compute_pipeline_state(&copy)?;
        encoder.set_buffer(0, buffer, 0)?;
        encoder.set_buffer(1, output, 0)?;
        encoder.dispatch_threadgroups([16, 1, 1])?;
        encoder.end_encoding();
        work.encode_signal_event(&done, u64::from(frame))?;
        let (give, in_flight) = (give.clone(), Arc::clone(&in_flight));
        work.add_completed_handler(move |_| {
            in_flight.fetch_sub(1, SeqCst);
            give.send(()).ok();
        })?;
        work.commit()?;
    }
    assert!(done.wait_until_signaled_value(u64::from(FRAMES), Duration::from_secs(20)));
    for (frame, output) in (1..=FRAMES).zip(&frames) {
        assert_eq!(output.read::<u32>(..)?, [frame; 64], "seed {seed}, by event: {by_event}");
    }
    Ok(())
}
