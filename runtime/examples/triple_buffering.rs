//! Three frames in flight: the CPU writes a frame's buffer once the GPU is through with the frame three before.
use std::time::Duration;

use fencepost::{Device, Error, ResourceOptions};

const FRAMES: u64 = 30;

fn main() -> Result<(), Error> {
    let device = Device::system_default();
    let library = device.new_library_with_wgsl(
        "@group(0) @binding(0) var<storage> vertices: array<u32>;
         @group(0) @binding(1) var<storage, read_write> sum: array<atomic<u32>>;
         @compute @workgroup_size(64)
         fn draw(@builtin(global_invocation_id) id: vec3<u32>) { atomicAdd(&sum[0], vertices[id.x]); }",
    )?;
    let draw = device.new_compute_pipeline_state(&library.new_function("draw")?)?;
    let vertices = (0..3)
        .map(|_| device.new_buffer(64 * 4, ResourceOptions::SHARED.untracked()))
        .collect::<Result<Vec<_>, _>>()?;
    let sum = device.new_buffer(4, ResourceOptions::SHARED)?;
    let queue = device.new_command_queue();
    let done = device.new_shared_event();

    for frame in 1..=FRAMES {
        if frame > 3 && !done.wait_until_signaled_value(frame - 3, Duration::from_secs(10)) {
            unreachable!("the GPU finishes every frame");
        }
        // Nothing in flight uses this buffer any more: a plain, checked write is allowed.
        let buffer = &vertices[frame as usize % 3];
        buffer.write(0, &[frame as u32; 64])?;
        let work = queue.command_buffer();
        let mut compute = work.compute_command_encoder()?;
        compute.set_compute_pipeline_state(&draw)?;
        compute.set_buffer(0, buffer, 0)?;
        compute.set_buffer(1, &sum, 0)?;
        compute.dispatch_threadgroups([1, 1, 1])?;
        compute.end_encoding();
        work.encode_signal_event(&done, frame)?;
        work.commit()?;
        if frame == FRAMES {
            work.wait_until_completed()?;
        }
    }
    assert_eq!(sum.read::<u32>(..)?, [64 * (FRAMES * (FRAMES + 1) / 2) as u32]);
    println!("{FRAMES} frames, three in flight, none mixed with another");
    Ok(())
}
