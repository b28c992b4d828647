//! A missing barrier gives a wrong answer here, not a lucky one: the adversarial schedule looks for the order that shows it.
use fencepost::{Device, Error, ResourceOptions, Schedule, Stages, Visibility};

const KERNEL: &str = "
    @group(0) @binding(0) var<storage, read_write> words: array<u32>;
    @compute @workgroup_size(64)
    fn add_one(@builtin(global_invocation_id) id: vec3<u32>) { words[id.x] += 1u; }";

/// Fills a buffer with 1s by a fill, adds 1 by a kernel, and returns what is there.
fn run(seed: u64, with_barrier: bool) -> Result<u32, Error> {
    let device = Device::cpu();
    device.set_schedule(Schedule::Adversarial(seed));
    let library = device.new_library_with_wgsl(KERNEL)?;
    let add_one = device.new_compute_pipeline_state(&library.new_function("add_one")?)?;
    let words = device.new_buffer(256, ResourceOptions::SHARED)?;

    let queue = device.new_explicit_command_queue();
    let work = device.new_command_buffer();
    work.begin(&device.new_command_allocator())?;
    let mut compute = work.compute_command_encoder()?;
    compute.fill_buffer(&words, .., 1)?;
    if with_barrier {
        compute.barrier(Stages::BLIT, Stages::DISPATCH, Visibility::DEVICE)?;
    }
    compute.set_compute_pipeline_state(&add_one)?;
    compute.set_buffer(0, &words, 0)?;
    compute.dispatch_threadgroups([1, 1, 1])?;
    compute.end_encoding();
    work.end()?;
    queue.commit(&[&work])?.wait_until_completed()?;
    Ok(words.read::<u32>(..4)?[0])
}

fn main() -> Result<(), Error> {
    let right = 0x0101_0102;
    for seed in 0..100 {
        assert_eq!(run(seed, true)?, right, "with the barrier every order gives the right answer");
    }
    for seed in 0..100 {
        let word = run(seed, false)?;
        if word != right {
            println!("without the barrier, seed {seed} leaves {word:#010x} and not {right:#010x}");
            return Ok(());
        }
    }
    unreachable!("one of a hundred orders starts the kernel before the fill");
}
