//! What nothing orders runs at once: two passes on buffers of their own overlap, a third that reads both waits for them.
use fencepost::{CommandBufferEncoderInfo, Device, Error, ResourceOptions};

const KERNELS: &str = "
    @group(0) @binding(0) var<storage, read_write> out: array<u32>;
    @group(0) @binding(1) var<storage> left: array<u32>;
    @group(0) @binding(2) var<storage> right: array<u32>;
    @compute @workgroup_size(64)
    fn work(@builtin(global_invocation_id) id: vec3<u32>) {
        var x = id.x;
        for (var i = 0; i < 2000; i++) { x = x * 1664525u + 1013904223u; }
        out[id.x] = x;
    }
    @compute @workgroup_size(64)
    fn join(@builtin(global_invocation_id) id: vec3<u32>) { out[id.x] = left[id.x] ^ right[id.x]; }";

fn main() -> Result<(), Error> {
    let device = Device::cpu();
    let library = device.new_library_with_wgsl(KERNELS)?;
    let work = device.new_compute_pipeline_state(&library.new_function("work")?)?;
    let join = device.new_compute_pipeline_state(&library.new_function("join")?)?;
    let buffer = || device.new_buffer(64 * 64 * 4, ResourceOptions::SHARED);
    let [left, right, both] = [buffer()?, buffer()?, buffer()?];

    let commands = device.new_command_queue().command_buffer();
    for (label, out) in [("left", &left), ("right", &right)] {
        let mut pass = commands.compute_command_encoder()?;
        pass.set_label(label);
        pass.set_compute_pipeline_state(&work)?;
        pass.set_buffer(0, out, 0)?;
        pass.dispatch_threadgroups([64, 1, 1])?;
        pass.end_encoding();
    }
    let mut pass = commands.compute_command_encoder()?;
    pass.set_label("join");
    pass.set_compute_pipeline_state(&join)?;
    pass.set_buffer(0, &both, 0)?;
    pass.set_buffer(1, &left, 0)?;
    pass.set_buffer(2, &right, 0)?;
    pass.dispatch_threadgroups([64, 1, 1])?;
    pass.end_encoding();
    commands.commit()?;
    commands.wait_until_completed()?;

    let passes = commands.encoder_infos();
    for CommandBufferEncoderInfo { label, gpu_times, .. } in &passes {
        if let Some((started, ended)) = gpu_times {
            println!("{label:<6} from {started:>10.3?} to {ended:>10.3?}");
        }
    }
    // Times are the machine's affair; that the last pass comes after both is not.
    let times: Vec<_> = passes.iter().filter_map(|pass| pass.gpu_times).collect();
    assert!(times[2].0 >= times[0].1 && times[2].0 >= times[1].1);
    assert!(both.read::<u32>(..)?.iter().all(|word| *word == 0), "equal work on both sides");
    Ok(())
}
