//! What fails while it runs is an error of its command buffer, and nothing hangs or is lost.
use std::time::Duration;

use fencepost::{
    CommandBufferStatus, CpuOptions, Device, Error, ErrorKind, Fault, Function, HostBinding, ResourceOptions,
    Schedule,
};

use crate::common::{numbers, pipeline, refused, still_works};

fn devices() -> impl Iterator<Item = Device> {
    let schedules = [Schedule::Parallel, Schedule::Adversarial(1), Schedule::Adversarial(2)];
    schedules.into_iter().map(|schedule| {
        let kernel_timeout = Some(Duration::from_millis(50));
        Device::cpu_with(CpuOptions { schedule, kernel_timeout, ..CpuOptions::default() })
    })
}

#[test]
fn a_host_function_may_panic() -> Result<(), Error> {
    for device in devices() {
        let queue = device.new_command_queue();
        let bindings = [HostBinding::read_write(0, "numbers")];
        let function = Function::host("careless", &bindings, [1, 1, 1], |context| {
            let numbers = context.buffer(0);
            assert!(numbers.load(0) < 2, "too large");
            numbers.store(0, numbers.load(0) + 1);
        });
        let state = device.new_compute_pipeline_state(&function)?;
        let buffer = numbers(&device, "numbers", &[0; 4]);
        for round in 0..4 {
            let work = queue.command_buffer();
            let mut encoder = work.compute_command_encoder()?;
            encoder.set_compute_pipeline_state(&state)?;
            encoder.set_buffer(0, &buffer, 0)?;
            encoder.dispatch_threadgroups([1, 1, 1])?;
            encoder.end_encoding();
            work.commit()?;
            let ended = work.wait_until_completed();
            if round < 2 {
                ended?;
            } else {
                refused(ended, ErrorKind::HostFunctionPanicked, &["careless", "too large"]);
                assert_eq!(work.status(), CommandBufferStatus::Error);
            }
        }
        assert_eq!(buffer.read::<u32>(..)?, [2, 0, 0, 0]);
        still_works(&queue);
    }
    Ok(())
}

#[test]
fn indirect_counts_are_checked_when_they_are_read() -> Result<(), Error> {
    for device in devices() {
        let (queue, add) = (device.new_command_queue(), pipeline(&device, "add"));
        let output = numbers(&device, "output", &[0; 8]);
        for (counts, fine) in [([2, 1, 1], true), ([0, 1, 1], true), ([1, 65_536, 1], false)] {
            let arguments = numbers(&device, "arguments", &counts);
            let work = queue.command_buffer();
            let mut encoder = work.compute_command_encoder()?;
            encoder.set_compute_pipeline_state(&add)?;
            encoder.set_buffer(1, &output, 0)?;
            encoder.set_bytes(2, &[3u32, 0])?;
            encoder.dispatch_threadgroups_indirect(&arguments, 0)?;
            encoder.end_encoding();
            work.commit()?;
            let ended = work.wait_until_completed();
            if fine {
                ended?;
            } else {
                refused(ended, ErrorKind::InvalidGrid, &["add", "65536", "65535"]);
            }
        }
        assert_eq!(output.read::<u32>(..)?, [3; 8]);
        still_works(&queue);
    }
    Ok(())
}

#[test]
fn a_kernel_without_end_is_stopped() -> Result<(), Error> {
    for device in devices() {
        let queue = device.new_command_queue();
        let library = device.new_library_with_wgsl(
            "@group(0) @binding(0) var<storage, read_write> turns: array<u32>;
             @compute @workgroup_size(8) fn spin() { while turns[1] == 0 { turns[0] += 1; } }",
        )?;
        let state = device.new_compute_pipeline_state(&library.new_function("spin")?)?;
        let turns = device.new_buffer(8, ResourceOptions::SHARED)?;
        let work = queue.command_buffer();
        let mut encoder = work.compute_command_encoder()?;
        encoder.set_compute_pipeline_state(&state)?;
        encoder.set_buffer(0, &turns, 0)?;
        encoder.dispatch_threadgroups([3, 1, 1])?;
        encoder.end_encoding();
        work.commit()?;
        let error = refused(work.wait_until_completed(), ErrorKind::Timeout, &["spin", "50 ms"]);
        assert_eq!(error.fault(), Fault::Timeout);
        assert_ne!(turns.read::<u32>(..)?[0], 0, "it ran");
        still_works(&queue);
    }
    Ok(())
}

/// Short work is not held up by long work that nothing orders it with, on as many threads as there are.
#[test]
fn short_work_passes_long_work() -> Result<(), Error> {
    let device = Device::cpu_with(CpuOptions { threads: 2, ..CpuOptions::default() });
    let (long, short) = (device.new_command_queue(), device.new_command_queue());
    let event = device.new_shared_event();
    let released = event.clone();
    let function = Function::host("waits", &[], [1, 1, 1], move |_| {
        assert!(
            released.wait_until_signaled_value(1, Duration::from_secs(20)),
            "released by the short work's reader"
        );
    });
    let state = device.new_compute_pipeline_state(&function)?;
    let work = long.command_buffer();
    let mut encoder = work.compute_command_encoder()?;
    encoder.set_compute_pipeline_state(&state)?;
    encoder.dispatch_threadgroups([1, 1, 1])?;
    encoder.end_encoding();
    work.commit()?;
    still_works(&short);
    assert_ne!(work.status(), CommandBufferStatus::Completed);
    event.set_signaled_value(1);
    work.wait_until_completed()
}
