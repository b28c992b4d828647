//! Two queues take turns through one event, each inside a single command buffer. The one that waits is committed first.
use fencepost::{Device, Error, ResourceOptions};

fn main() -> Result<(), Error> {
    let device = Device::system_default();
    let library = device.new_library_with_wgsl(
        "@group(0) @binding(0) var<storage, read_write> turn: array<u32>;
         override first: u32 = 0;
         @compute @workgroup_size(1)
         fn take() { if turn[0] % 2 == first { turn[0] += 1u; } }",
    )?;
    let player = |first: f64| {
        device.new_compute_pipeline_state(&library.new_function_with_constants("take", &[("first", first)])?)
    };
    let players = [player(0.0)?, player(1.0)?];
    let turn = device.new_buffer(4, ResourceOptions::SHARED.untracked())?;
    let event = device.new_event();

    let mut buffers = Vec::new();
    for (number, player) in (0u64..).zip(&players) {
        let work = device.new_command_queue().command_buffer();
        for round in 0..10 {
            // Player 0 takes turns 0, 2, 4 …, player 1 takes 1, 3, 5 …; the event counts the turns that are over.
            work.encode_wait_for_event(&event, 2 * round + number)?;
            let mut compute = work.compute_command_encoder()?;
            compute.set_compute_pipeline_state(player)?;
            compute.set_buffer(0, &turn, 0)?;
            compute.dispatch_threadgroups([1, 1, 1])?;
            compute.end_encoding();
            work.encode_signal_event(&event, 2 * round + number + 1)?;
        }
        buffers.push(work);
    }
    for work in buffers.iter().rev() {
        work.commit()?;
    }
    for work in &buffers {
        work.wait_until_completed()?;
    }
    assert_eq!(turn.read::<u32>(..)?, [20]);
    println!("20 turns, one after another, on two queues");
    Ok(())
}
