//! What the tests share: a kernel or two, and ways to say what is expected.
use fencepost::replay::{Replay, program::Program};
use fencepost::{
    Buffer, CommandBuffer, CommandQueue, ComputePipelineState, Device, Error, ErrorKind, Fault,
    ResourceOptions,
};

/// Kernels over two buffers of numbers, a texture, and a value.
pub(crate) const KERNELS: &str = "
    struct Step { amount: u32, spare: u32 }
    @group(0) @binding(0) var<storage, read> input: array<u32>;
    @group(0) @binding(1) var<storage, read_write> output: array<u32>;
    @group(0) @binding(2) var<uniform> step: Step;
    @group(1) @binding(0) var picture: texture_2d<f32>;
    @group(1) @binding(1) var drawing: texture_storage_2d<rgba8unorm, write>;
    @group(1) @binding(2) var smooth_sampler: sampler;

    @compute @workgroup_size(4) fn copy(@builtin(global_invocation_id) id: vec3u) {
        if id.x < arrayLength(&output) { output[id.x] = input[id.x]; }
    }
    @compute @workgroup_size(4) fn add(@builtin(global_invocation_id) id: vec3u) {
        if id.x < arrayLength(&output) { output[id.x] += step.amount; }
    }
    @compute @workgroup_size(4, 4) fn invert(@builtin(global_invocation_id) id: vec3u) {
        let texel = textureLoad(picture, id.xy, 0);
        textureStore(drawing, id.xy, vec4f(1.0 - texel.rgb, texel.a));
    }
    @compute @workgroup_size(1) fn sample(@builtin(global_invocation_id) id: vec3u) {
        output[id.x] = u32(textureSampleLevel(picture, smooth_sampler, vec2f(0.5), 0.0).r * 255.0);
    }";

/// The device that the tests are about: the CPU device, or the one that `FENCEPOST_TEST_DEVICE` names.
pub(crate) fn device() -> Device {
    match std::env::var("FENCEPOST_TEST_DEVICE") {
        Ok(name) => Device::by_name(&name).expect("the device that is to be tested is there"),
        Err(_) => Device::cpu(),
    }
}

/// Whether that is the CPU device, which alone chooses among legal orders.
pub(crate) fn on_cpu() -> bool {
    device().uuid().is_none()
}

/// A program on the device that the tests are about.
pub(crate) fn replay(program: Program) -> Replay {
    match std::env::var("FENCEPOST_TEST_DEVICE") {
        Ok(name) => Replay::on(program, &name).expect("the device that is to be tested is there"),
        Err(_) => Replay::new(program),
    }
}

/// A kernel of [`KERNELS`].
pub(crate) fn pipeline(device: &Device, function: &str) -> ComputePipelineState {
    let library = device.new_library_with_wgsl(KERNELS).expect("the kernels are valid");
    let function = library.new_function(function).expect("the function is there");
    device.new_compute_pipeline_state(&function).expect("the device runs it")
}

/// A labelled buffer of numbers.
pub(crate) fn numbers(device: &Device, label: &str, values: &[u32]) -> Buffer {
    let buffer = device.new_buffer_with_data(values, ResourceOptions::SHARED).expect("there is memory");
    buffer.set_label(label);
    buffer
}

/// That the call failed in this way, and says all of `words`.
#[track_caller]
pub(crate) fn refused<T>(result: Result<T, Error>, kind: ErrorKind, words: &[&str]) -> Error {
    let error = match result {
        Ok(_) => panic!("the call went through, {kind:?} was expected"),
        Err(error) => error,
    };
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
    error
}

/// The same, and it is the caller's fault.
#[track_caller]
pub(crate) fn misuse<T>(result: Result<T, Error>, kind: ErrorKind, words: &[&str]) {
    assert_eq!(refused(result, kind, words).fault(), Fault::Misuse);
}

/// That a queue still runs what it is given: nothing hangs, nothing is lost.
#[track_caller]
pub(crate) fn still_works(queue: &CommandQueue) {
    let device = queue.device();
    let buffer = numbers(&device, "probe", &[0; 4]);
    let work = queue.command_buffer();
    let mut blit = work.blit_command_encoder().expect("a new buffer is open");
    blit.fill_buffer(&buffer, .., 1).expect("the range is the buffer's");
    blit.end_encoding();
    run(&work);
    assert_eq!(buffer.read::<u8>(..).expect("nothing is in flight"), [1; 16]);
}

/// Commits and waits.
#[track_caller]
pub(crate) fn run(work: &CommandBuffer) {
    work.commit().expect("it can be committed");
    work.wait_until_completed().expect("it ends well");
}
