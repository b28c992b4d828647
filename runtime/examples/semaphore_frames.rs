//! Three frames in flight by a counting semaphore, as Metal 3's samples do it: the CPU takes a place for each frame, and the completed
//! handler of its command buffer gives it back. `triple_buffering` does the same with a shared event,
//! and `frames` leaves both to a ring that cannot be used wrongly.
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use fencepost::{Device, Error, ResourceOptions};

const FRAMES: u32 = 30;
const IN_FLIGHT: u32 = 3;

fn main() -> Result<(), Error> {
    let device = Device::system_default();
    let library = device.new_library_with_wgsl(
        "@group(0) @binding(0) var<storage> vertices: array<u32>;
         @group(0) @binding(1) var<storage, read_write> sum: array<atomic<u32>>;
         @compute @workgroup_size(64)
         fn draw(@builtin(global_invocation_id) id: vec3<u32>) { atomicAdd(&sum[0], vertices[id.x]); }",
    )?;
    let draw = device.new_compute_pipeline_state(&library.new_function("draw")?)?;
    let vertices = (0..IN_FLIGHT)
        .map(|_| device.new_buffer(64 * 4, ResourceOptions::SHARED.untracked()))
        .collect::<Result<Vec<_>, _>>()?;
    // Atomics need no order: nothing makes one frame wait for another.
    let sum = device.new_buffer(4, ResourceOptions::SHARED.untracked())?;
    let queue = device.new_command_queue();

    // A channel with as many tokens as there are places is a counting semaphore.
    let (give, take) = mpsc::channel();
    (0..IN_FLIGHT).for_each(|_| give.send(()).expect("it has a receiver"));
    let (in_flight, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    for frame in 1..=FRAMES {
        take.recv().expect("every frame completes");
        most.fetch_max(in_flight.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // Frames may end in any order, but they are told of in the queue's: the place that was given back is the oldest frame's, so the
        // frame three before has completed, and a plain, checked write is allowed.
        let buffer = &vertices[(frame % IN_FLIGHT) as usize];
        buffer.write(0, &[frame; 64])?;
        let work = queue.command_buffer();
        let mut compute = work.compute_command_encoder()?;
        compute.set_compute_pipeline_state(&draw)?;
        compute.set_buffer(0, buffer, 0)?;
        compute.set_buffer(1, &sum, 0)?;
        compute.dispatch_threadgroups([1, 1, 1])?;
        compute.end_encoding();
        let (give, in_flight) = (give.clone(), Arc::clone(&in_flight));
        work.add_completed_handler(move |_| {
            in_flight.fetch_sub(1, Ordering::SeqCst);
            give.send(()).ok();
        })?;
        work.commit()?;
    }
    (0..IN_FLIGHT).for_each(|_| take.recv().expect("every frame completes"));
    assert_eq!(sum.read::<u32>(..)?, [64 * (FRAMES * (FRAMES + 1) / 2)]);
    assert!(most.load(Ordering::SeqCst) <= IN_FLIGHT, "never more than three frames in flight");
    println!("{FRAMES} frames, at most {} in flight, none mixed with another", most.load(Ordering::SeqCst));
    Ok(())
}
