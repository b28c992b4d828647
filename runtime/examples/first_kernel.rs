//! The shortest whole way: a kernel, a buffer, a queue, a result.
use fencepost::{Device, Error, ResourceOptions};

fn main() -> Result<(), Error> {
    let device = Device::system_default();
    let library = device.new_library_with_wgsl(
        "@group(0) @binding(0) var<storage, read_write> numbers: array<u32>;
         @compute @workgroup_size(64)
         fn square(@builtin(global_invocation_id) id: vec3<u32>) { numbers[id.x] *= numbers[id.x]; }",
    )?;
    let square = device.new_compute_pipeline_state(&library.new_function("square")?)?;
    let numbers = device.new_buffer_with_data(&(0..256).collect::<Vec<u32>>(), ResourceOptions::SHARED)?;

    let queue = device.new_command_queue();
    let work = queue.command_buffer();
    let mut compute = work.compute_command_encoder()?;
    compute.set_compute_pipeline_state(&square)?;
    compute.set_buffer(0, &numbers, 0)?;
    compute.dispatch_threadgroups([4, 1, 1])?;
    compute.end_encoding();
    work.commit()?;
    work.wait_until_completed()?;

    let squares = numbers.read::<u32>(..)?;
    assert_eq!(squares[255], 255 * 255);
    println!("255² = {} on {}", squares[255], device.name());
    Ok(())
}
