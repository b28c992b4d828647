//! Handlers and buffers that begin anew: X7 and X8, which are of the calls and not of any program's order.
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use fencepost::{
    Buffer, CommandAllocator, CommandBuffer, CpuOptions, Device, Error, ResourceOptions, Schedule,
};

fn device(seed: u64) -> Device {
    Device::cpu_with(CpuOptions { schedule: Schedule::Adversarial(seed), ..CpuOptions::default() })
}

/// X7: the wait returns after the handler. A wait for what the buffer signals does not, so the handler may need whoever waits so.
#[test]
fn x7_a_wait_returns_after_the_handlers() -> Result<(), Error> {
    for seed in 0..50 {
        let device = device(seed);
        let (queue, event) = (device.new_command_queue(), device.new_shared_event());
        let work = queue.command_buffer();
        work.encode_signal_event(&event, 1)?;
        let (go_on, held) = mpsc::channel::<()>();
        let called = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&called);
        work.add_completed_handler(move |_| {
            held.recv().ok();
            std::thread::yield_now();
            noted.store(true, SeqCst);
        })?;
        work.commit()?;
        assert!(event.wait_until_signaled_value(1, Duration::from_secs(20)));
        assert!(!called.load(SeqCst), "the handler still waits for this thread");
        go_on.send(()).expect("the handler is there");
        work.wait_until_completed()?;
        assert!(called.load(SeqCst), "seed {seed}: the handler ran before the wait returned");
    }
    Ok(())
}

/// X8: the first commit runs what was recorded first, though the buffer has been recorded anew since. The same allocator is taken as
/// well, but what is in flight holds it: it cannot be reset.
#[test]
fn x8_a_buffer_begins_anew_after_its_commit() -> Result<(), Error> {
    let fill = |work: &CommandBuffer,
                allocator: &CommandAllocator,
                at: u64,
                value: u8,
                target: &Buffer|
     -> Result<(), Error> {
        work.begin(allocator)?;
        let mut encoder = work.compute_command_encoder()?;
        encoder.fill_buffer(target, at..at + 64, value)?;
        encoder.end_encoding();
        work.end()
    };
    for seed in 0..50 {
        let device = device(seed);
        let (queue, key) = (device.new_explicit_command_queue(), device.new_shared_event());
        let target = device.new_buffer(192, ResourceOptions::SHARED)?;
        let [first, second] = [device.new_command_allocator(), device.new_command_allocator()];
        let work = device.new_command_buffer();
        fill(&work, &first, 0, 1, &target)?;
        queue.wait_for_event(&key, 1)?;
        let one = queue.commit(&[&work])?;
        fill(&work, &second, 64, 2, &target)?;
        assert!(!one.is_completed() && first.reset().is_err(), "the first one still needs its allocator");
        let two = queue.commit(&[&work])?;
        // Recorded once more and never committed.
        fill(&work, &second, 128, 3, &target)?;
        key.set_signaled_value(1);
        one.wait_until_completed()?;
        two.wait_until_completed()?;
        first.reset()?;
        let mut bytes = [9_u8; 192];
        target.read_into(0, &mut bytes)?;
        let is = |part: usize, value: u8| bytes[part * 64..][..64].iter().all(|byte| *byte == value);
        assert!(is(0, 1) && is(1, 2) && is(2, 0), "seed {seed}: {bytes:?}");
    }
    Ok(())
}
