//! A kernel that is a Rust closure, behind one in WGSL that decides how many groups of it run.
use fencepost::{Device, Error, Function, HostBinding, ResourceOptions};

fn main() -> Result<(), Error> {
    let device = Device::cpu();
    let library = device.new_library_with_wgsl(
        "@group(0) @binding(0) var<storage, read_write> groups: array<u32, 3>;
         @compute @workgroup_size(1) fn decide() { groups = array<u32, 3>(5u, 1u, 1u); }",
    )?;
    let decide = device.new_compute_pipeline_state(&library.new_function("decide")?)?;
    let count = Function::host("count", &[HostBinding::write(0, "seen")], [1, 1, 1], |context| {
        for group in context.threadgroups() {
            context.buffer(0).store(group as usize, 1);
        }
    });
    let count = device.new_compute_pipeline_state(&count)?;
    let groups = device.new_buffer(12, ResourceOptions::PRIVATE)?;
    let seen = device.new_buffer(8 * 4, ResourceOptions::SHARED)?;

    let work = device.new_command_queue().command_buffer();
    let mut compute = work.compute_command_encoder()?;
    compute.set_compute_pipeline_state(&decide)?;
    compute.set_buffer(0, &groups, 0)?;
    compute.dispatch_threadgroups([1, 1, 1])?;
    compute.set_compute_pipeline_state(&count)?;
    compute.set_buffer(0, &seen, 0)?;
    compute.dispatch_threadgroups_indirect(&groups, 0)?;
    compute.end_encoding();
    work.commit()?;
    work.wait_until_completed()?;

    assert_eq!(seen.read::<u32>(..)?, [1, 1, 1, 1, 1, 0, 0, 0]);
    println!("the GPU decided on five groups, and five ran");
    Ok(())
}
