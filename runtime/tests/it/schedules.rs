//! The same program under many schedules: what is ordered gives one answer, what is not shows.
use fencepost::{
    Buffer, CommandBufferStatus, CpuOptions, Device, Error, ResourceOptions, Schedule, SharedEvent, Stages,
    Visibility,
};

use crate::common::pipeline;

const SEEDS: u64 = 200;
const LINKS: usize = 6;

fn device(seed: u64) -> Device {
    let schedule = if seed == 0 { Schedule::Parallel } else { Schedule::Adversarial(seed) };
    Device::cpu_with(CpuOptions { threads: 2, schedule, ..Default::default() })
}

/// A first buffer with content, and empty ones behind it.
fn chain(device: &Device, options: ResourceOptions) -> Result<Vec<Buffer>, Error> {
    (0..=LINKS)
        .map(|index| device.new_buffer_with_data(&[if index == 0 { 9u32 } else { 0 }; 8], options))
        .collect()
}

/// Copies down the chain, one pass a link, with a fence between passes or not.
fn tracked(device: &Device, options: ResourceOptions, fenced: bool) -> Result<Vec<u32>, Error> {
    let (queue, copy, chain) =
        (device.new_command_queue(), pipeline(device, "copy"), chain(device, options)?);
    let fence = device.new_fence();
    for pair in chain.windows(2) {
        let work = queue.command_buffer();
        let mut encoder = work.compute_command_encoder()?;
        if fenced {
            encoder.wait_for_fence(&fence)?;
        }
        encoder.set_compute_pipeline_state(&copy)?;
        encoder.set_buffer(0, &pair[0], 0)?;
        encoder.set_buffer(1, &pair[1], 0)?;
        encoder.dispatch_threads([8, 1, 1])?;
        if fenced {
            encoder.update_fence(&fence)?;
        }
        encoder.end_encoding();
        work.commit()?;
    }
    settle(device, &queue, &chain[LINKS])
}

/// The same in one pass of an explicit queue, with or without barriers.
fn explicit(device: &Device, barriers: bool) -> Result<Vec<u32>, Error> {
    let chain = chain(device, ResourceOptions::SHARED)?;
    let (queue, work) = (device.new_explicit_command_queue(), device.new_command_buffer());
    work.begin(&device.new_command_allocator())?;
    let mut encoder = work.compute_command_encoder()?;
    for pair in chain.windows(2) {
        encoder.copy_buffer(&pair[0], 0, &pair[1], 0, 32)?;
        if barriers {
            encoder.barrier(Stages::BLIT, Stages::BLIT, Visibility::DEVICE)?;
        }
    }
    encoder.end_encoding();
    work.end()?;
    queue.commit(&[&work])?.wait_until_completed()?;
    chain[LINKS].read(..)
}

/// Everything that the queue accepted has completed; then the content.
fn settle(device: &Device, queue: &fencepost::CommandQueue, buffer: &Buffer) -> Result<Vec<u32>, Error> {
    let done: SharedEvent = device.new_shared_event();
    let work = queue.command_buffer();
    work.encode_signal_event(&done, 1)?;
    work.commit()?;
    assert!(done.wait_until_signaled_value(1, std::time::Duration::from_secs(60)));
    buffer.read(..)
}

#[test]
fn tracking_gives_one_answer_under_every_schedule() -> Result<(), Error> {
    for seed in 0..SEEDS {
        assert_eq!(tracked(&device(seed), ResourceOptions::SHARED, false)?, [9; 8], "seed {seed}");
    }
    Ok(())
}

#[test]
fn fences_give_one_answer_under_every_schedule() -> Result<(), Error> {
    for seed in 0..SEEDS {
        let options = ResourceOptions::SHARED.untracked();
        assert_eq!(tracked(&device(seed), options, true)?, [9; 8], "seed {seed}");
    }
    Ok(())
}

#[test]
fn without_tracking_and_fences_some_schedule_shows_it() -> Result<(), Error> {
    let wrong = (1..SEEDS)
        .map(|seed| tracked(&device(seed), ResourceOptions::SHARED.untracked(), false))
        .filter(|found| found.as_ref().is_ok_and(|found| *found != [9; 8]))
        .count();
    assert!(wrong > 0, "no seed of {SEEDS} shows the missing fence");
    Ok(())
}

/// The CPU waits for one queue and then writes what the other one's work may still be reading: under a good part of the seeds it does so
/// before that work runs. With a wait for that work it never does.
#[test]
fn the_cpu_runs_ahead_of_what_it_does_not_wait_for() -> Result<(), Error> {
    const SEEDS: u64 = 200;
    let late = |seed: u64, right: bool, polls: bool| -> Result<bool, Error> {
        let device = device(1 + seed);
        let copy = pipeline(&device, "copy");
        let untracked = ResourceOptions::SHARED.untracked();
        let buffers: Vec<Buffer> = [1u32, 0, 0]
            .iter()
            .map(|value| device.new_buffer_with_data(&[*value; 8], untracked))
            .collect::<Result<_, _>>()?;
        let work = |target: usize| {
            let work = device.new_command_queue().command_buffer();
            let mut encoder = work.compute_command_encoder()?;
            encoder.set_compute_pipeline_state(&copy)?;
            encoder.set_buffer(0, &buffers[0], 0)?;
            encoder.set_buffer(1, &buffers[target], 0)?;
            encoder.dispatch_threads([8, 1, 1])?;
            encoder.end_encoding();
            work.commit()?;
            Ok::<_, Error>(work)
        };
        let (slow, quick) = (work(1)?, work(2)?);
        let awaited = if right { &slow } else { &quick };
        while polls && awaited.status() < CommandBufferStatus::Completed {
            std::thread::yield_now();
        }
        awaited.wait_until_completed()?;
        // Behind the guards' back, as another process or a pointer would.
        buffers[0].contents()?.write(0, &[2u32; 8])?;
        slow.wait_until_completed()?;
        quick.wait_until_completed()?;
        Ok(buffers[1].read::<u32>(..)? != [1; 8])
    };
    for polls in [false, true] {
        let mut ahead = 0;
        for seed in 0..SEEDS {
            assert!(!late(seed, true, polls)?, "seed {seed}: the work was waited for");
            ahead += u32::from(late(seed, false, polls)?);
        }
        assert!(ahead > 0, "no seed of {SEEDS} lets the CPU run ahead, polls: {polls}");
    }
    Ok(())
}

#[test]
fn barriers_give_one_answer_and_their_absence_shows() -> Result<(), Error> {
    let mut wrong = 0;
    for seed in 1..SEEDS {
        assert_eq!(explicit(&device(seed), true)?, [9; 8], "seed {seed}");
        wrong += usize::from(explicit(&device(seed), false)? != [9; 8]);
    }
    assert!(wrong > 0, "no seed of {SEEDS} shows the missing barriers");
    Ok(())
}
