//! Three frames in flight, right by construction: `Frames` lends the vertices of a frame only when the frame that had them last is over.
//! `semaphore_frames` does the same by hand and needs a tracked queue, which tells of its frames in their order; here they may be told of in any.
use fencepost::{Device, Error, Frames, ResourceOptions};

const FRAMES: u32 = 30;
const IN_FLIGHT: usize = 3;

fn main() -> Result<(), Error> {
    let device = Device::system_default();
    let library = device.new_library_with_wgsl(
        "@group(0) @binding(0) var<storage> vertices: array<u32>;
         @group(0) @binding(1) var<storage, read_write> sums: array<atomic<u32>>;
         @compute @workgroup_size(64)
         fn draw(@builtin(global_invocation_id) id: vec3<u32>) { atomicAdd(&sums[id.x], vertices[id.x]); }",
    )?;
    let draw = device.new_compute_pipeline_state(&library.new_function("draw")?)?;
    // Untracked, like the vertices: nothing orders one frame behind another.
    let sums = device.new_buffer(64 * 4, ResourceOptions::SHARED.untracked())?;
    let queue = device.new_command_queue();

    let mut most = 0;
    let mut frames =
        Frames::<_, IN_FLIGHT>::new(|_| device.new_buffer(64 * 4, ResourceOptions::SHARED.untracked()))?;
    for number in 1..=FRAMES {
        // Sleeps while the frame three before is not over.
        let vertices = frames.begin()?;
        vertices.write(0, &[number; 64])?;
        let work = queue.command_buffer();
        let mut compute = work.compute_command_encoder()?;
        compute.set_compute_pipeline_state(&draw)?;
        compute.set_buffer(0, &vertices, 0)?;
        compute.set_buffer(1, &sums, 0)?;
        compute.dispatch_threadgroups([1, 1, 1])?;
        compute.end_encoding();
        // Takes the vertices back until this work is over.
        vertices.commit(&work)?;
        most = most.max(frames.in_flight());
    }
    frames.wait_until_idle()?;
    assert_eq!(sums.read::<u32>(..)?, [FRAMES * (FRAMES + 1) / 2; 64]);
    assert!(most <= IN_FLIGHT, "never more than three frames in flight");
    println!("{FRAMES} frames, at most {most} in flight, none mixed with another");
    Ok(())
}
