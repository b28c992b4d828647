//! Bad input: each kind gives a typed error, and the queue goes on.
use fencepost::{
    Device, ErrorKind, Fault, Filter, HeapDescriptor, PixelFormat, ResourceOptions, SamplerDescriptor,
    TextureDescriptor,
};

use crate::common::{misuse, numbers, pipeline, refused, run, still_works};

#[test]
fn a_shader_that_does_not_parse_shows_the_line() {
    let device = Device::cpu();
    let source = "@compute @workgroup_size(1)\nfn broken() {\n    let x = ;\n}";
    misuse(device.new_library_with_wgsl(source), ErrorKind::InvalidShader, &["line 3", "let x = ;"]);
    let source = "@compute @workgroup_size(1)\nfn mistyped() { let x: u32 = 1.5; }";
    misuse(device.new_library_with_wgsl(source), ErrorKind::InvalidShader, &["line 2"]);
    misuse(device.new_library_with_spirv(&[1, 2, 3]), ErrorKind::InvalidShader, &["SPIR-V"]);
    still_works(&device.new_command_queue());
}

#[test]
fn a_function_or_constant_that_is_not_there_is_named() {
    let library = Device::cpu().new_library_with_wgsl(crate::common::KERNELS).expect("it is valid");
    misuse(library.new_function("cpoy"), ErrorKind::NotFound, &["cpoy", "copy"]);
    let constants = [("factor", 1.0)];
    misuse(library.new_function_with_constants("copy", &constants), ErrorKind::NotFound, &["factor"]);
}

#[test]
fn a_constant_without_a_value_that_fits_is_named() {
    let source = "override sides: u32;
        @group(0) @binding(0) var<storage, read_write> words: array<u32>;
        @compute @workgroup_size(sides) fn count() { words[0] = sides; }";
    let library = Device::cpu().new_library_with_wgsl(source).expect("it is valid");
    let with = |constants: &[(&str, f64)]| library.new_function_with_constants("count", constants);
    misuse(with(&[]), ErrorKind::NotFound, &["`sides`", "new_function_with_constants"]);
    misuse(with(&[("sides", -1.0)]), ErrorKind::InvalidArgument, &["sides = -1"]);
    misuse(with(&[("sides", f64::NAN)]), ErrorKind::InvalidArgument, &["sides = NaN"]);
    misuse(with(&[("sides", 0.0)]), ErrorKind::InvalidArgument, &["sides = 0"]);
    misuse(with(&[("sides", 1.0), ("sides", 2.0)]), ErrorKind::InvalidArgument, &["`sides`", "twice"]);
    with(&[("sides", 4.0)]).expect("a value that fits");
}

#[test]
fn an_extension_that_is_not_there_is_unsupported_and_asks_nobody_to_report_it() {
    let source = "enable subgroups;\n@compute @workgroup_size(1) fn nothing() {}";
    let error = Device::cpu().new_library_with_wgsl(source).expect_err("there are no subgroups");
    assert_eq!((error.kind(), error.fault()), (ErrorKind::Unsupported, Fault::Unsupported));
    let text = error.to_string();
    assert!(text.contains("subgroups") && text.contains("line 1") && !text.contains("maintainers"), "{text}");
}

#[test]
fn a_missing_binding_is_named() {
    let device = Device::cpu();
    let (queue, copy) = (device.new_command_queue(), pipeline(&device, "copy"));
    let output = numbers(&device, "output", &[0; 4]);
    let work = queue.command_buffer();
    let mut encoder = work.compute_command_encoder().expect("it is open");
    misuse(
        encoder.dispatch_threadgroups([1, 1, 1]),
        ErrorKind::MissingPipeline,
        &["set_compute_pipeline_state"],
    );
    encoder.set_compute_pipeline_state(&copy).expect("same device");
    encoder.set_buffer(1, &output, 0).expect("same device");
    let words = ["`copy`", "`input`", "group 0", "binding 0", "storage buffer", "nothing is bound"];
    misuse(encoder.dispatch_threadgroups([1, 1, 1]), ErrorKind::MissingBinding, &words);
    encoder.end_encoding();
    run(&work);
    still_works(&queue);
}

#[test]
fn a_binding_of_the_wrong_kind_is_named() {
    let device = Device::cpu();
    let (queue, invert) = (device.new_command_queue(), pipeline(&device, "invert"));
    let buffer = numbers(&device, "not a picture", &[0; 4]);
    let texture = |format| {
        let texture = device.new_texture(&TextureDescriptor::new_2d(format, 4, 4)).expect("there is memory");
        texture.set_label("canvas");
        texture
    };
    let work = queue.command_buffer();
    let mut encoder = work.compute_command_encoder().expect("it is open");
    encoder.set_compute_pipeline_state(&invert).expect("same device");
    encoder.set_texture((1, 0), &texture(PixelFormat::Rgba8Unorm)).expect("same device");
    encoder.set_buffer((1, 1), &buffer, 0).expect("same device");
    let words = ["`drawing`", "group 1", "binding 1", "Rgba8Unorm", "buffer `not a picture`"];
    misuse(encoder.dispatch_threadgroups([1, 1, 1]), ErrorKind::WrongBinding, &words);
    encoder.set_texture((1, 1), &texture(PixelFormat::R32Float)).expect("same device");
    let words = ["texture `canvas`", "R32Float", "Rgba8Unorm"];
    misuse(encoder.dispatch_threadgroups([1, 1, 1]), ErrorKind::WrongBinding, &words);
    let array = TextureDescriptor::new_2d_array(PixelFormat::Rgba8Unorm, 4, 4, 2);
    encoder.set_texture((1, 1), &device.new_texture(&array).expect("there is memory")).expect("same device");
    misuse(
        encoder.dispatch_threadgroups([1, 1, 1]),
        ErrorKind::WrongBinding,
        &["2D array", "new_texture_view_of"],
    );
    encoder.set_texture((1, 0), &texture(PixelFormat::R32Uint)).expect("same device");
    misuse(
        encoder.dispatch_threadgroups([1, 1, 1]),
        ErrorKind::WrongBinding,
        &["`picture`", "float", "R32Uint"],
    );
    encoder.end_encoding();
    run(&work);
    still_works(&queue);
}

#[test]
fn a_sampler_of_the_wrong_kind_is_named() {
    let device = Device::cpu();
    let compare = SamplerDescriptor {
        min_filter: Filter::Linear,
        compare_function: Some(fencepost::CompareFunction::Less),
        ..Default::default()
    };
    let sampler = device.new_sampler_state(&compare).expect("it is valid").with_label("shadow");
    let picture = device.new_texture(&TextureDescriptor::new_2d(PixelFormat::R8Unorm, 4, 4)).expect("memory");
    let work = device.new_command_queue().command_buffer();
    let mut encoder = work.compute_command_encoder().expect("it is open");
    encoder.set_compute_pipeline_state(&pipeline(&device, "sample")).expect("same device");
    encoder.set_buffer(1, &numbers(&device, "output", &[0]), 0).expect("same device");
    encoder.set_texture((1, 0), &picture).expect("same device");
    encoder.set_sampler_state((1, 2), &sampler).expect("same device");
    let words = ["`smooth_sampler`", "without a comparison", "comparison sampler"];
    misuse(encoder.dispatch_threadgroups([1, 1, 1]), ErrorKind::WrongBinding, &words);
}

#[test]
fn a_binding_that_is_too_small_is_named() {
    let device = Device::cpu();
    let (queue, add) = (device.new_command_queue(), pipeline(&device, "add"));
    let (output, small) = (numbers(&device, "output", &[0; 4]), numbers(&device, "small", &[1, 2, 3]));
    let work = queue.command_buffer();
    let mut encoder = work.compute_command_encoder().expect("it is open");
    encoder.set_compute_pipeline_state(&add).expect("same device");
    encoder.set_buffer(1, &output, 0).expect("same device");
    encoder.set_buffer(2, &small, 8).expect("4 bytes are left");
    let words = ["`add`", "`step`", "binding 2", "8 bytes", "4 bytes", "buffer `small`"];
    misuse(encoder.dispatch_threadgroups([1, 1, 1]), ErrorKind::BindingTooSmall, &words);
    encoder.set_bytes(2, &[1u32]).expect("4 bytes");
    misuse(encoder.dispatch_threadgroups([1, 1, 1]), ErrorKind::BindingTooSmall, &["set_bytes"]);
    encoder.set_bytes(2, &[5u32, 0]).expect("8 bytes");
    encoder.dispatch_threadgroups([1, 1, 1]).expect("now it fits");
    encoder.end_encoding();
    run(&work);
    assert_eq!(output.read::<u32>(..).expect("it has completed"), [5; 4]);
}

#[test]
fn a_range_outside_of_a_resource_says_both() {
    let device = Device::cpu();
    let queue = device.new_command_queue();
    let buffer = numbers(&device, "small", &[0; 4]);
    misuse(buffer.read::<u8>(8..24), ErrorKind::OutOfBounds, &["8..24", "buffer `small`", "16 bytes"]);
    misuse(buffer.write(u64::MAX, &[1u8]), ErrorKind::OutOfBounds, &["`small`"]);
    misuse(buffer.read::<u32>(0..6), ErrorKind::Misaligned, &["6", "4"]);
    let image = device.new_texture(&TextureDescriptor::new_2d(PixelFormat::R8Unorm, 4, 4)).expect("memory");
    image.set_label("tiny");
    let region = fencepost::Region::new(2, 0, 3, 1);
    misuse(
        image.replace_region(region, 0, 0, &[0; 3], 3),
        ErrorKind::OutOfBounds,
        &["2..5", "`tiny`", "columns"],
    );
    misuse(image.replace_region(region, 1, 0, &[0; 3], 3), ErrorKind::OutOfBounds, &["level", "`tiny`"]);
    let work = queue.command_buffer();
    let mut encoder = work.compute_command_encoder().expect("it is open");
    misuse(encoder.set_buffer(0, &buffer, 20), ErrorKind::OutOfBounds, &["`small`", "16 bytes"]);
    misuse(encoder.set_buffer(0, &buffer, 2), ErrorKind::Misaligned, &["4"]);
    misuse(encoder.set_buffer_range(0, &buffer, 4..32), ErrorKind::OutOfBounds, &["4..32"]);
    misuse(encoder.dispatch_threadgroups_indirect(&buffer, 8), ErrorKind::OutOfBounds, &["8..20"]);
    encoder.end_encoding();
    let mut blit = work.blit_command_encoder().expect("no other is open");
    misuse(blit.fill_buffer(&buffer, 0..17, 1), ErrorKind::OutOfBounds, &["0..17"]);
    misuse(blit.copy_buffer(&buffer, 0, &buffer, 12, 8), ErrorKind::OutOfBounds, &["12..20"]);
    misuse(
        blit.copy_buffer(&buffer, 0, &buffer, 4, 8),
        ErrorKind::InvalidArgument,
        &["overlap", "0..8", "4..12"],
    );
    blit.end_encoding();
    run(&work);
    still_works(&queue);
}

#[test]
fn a_grid_of_nothing_or_too_much_is_refused() {
    let device = Device::cpu();
    let (queue, copy) = (device.new_command_queue(), pipeline(&device, "copy"));
    let (input, output) = (numbers(&device, "input", &[7; 4]), numbers(&device, "output", &[0; 4]));
    let work = queue.command_buffer();
    let mut encoder = work.compute_command_encoder().expect("it is open");
    encoder.set_compute_pipeline_state(&copy).expect("same device");
    encoder.set_buffer(0, &input, 0).expect("same device");
    encoder.set_buffer(1, &output, 0).expect("same device");
    misuse(encoder.dispatch_threadgroups([1, 0, 1]), ErrorKind::InvalidGrid, &["`copy`", "[1, 0, 1]"]);
    misuse(encoder.dispatch_threads([0, 1, 1]), ErrorKind::InvalidGrid, &["[0, 1, 1] threads"]);
    misuse(encoder.dispatch_threadgroups([1, 65_536, 1]), ErrorKind::InvalidGrid, &["65536", "65535"]);
    misuse(encoder.dispatch_threadgroups([u32::MAX, 1, 1]), ErrorKind::InvalidGrid, &["Split it"]);
    encoder.dispatch_threads([3, 1, 1]).expect("a partial group is fine");
    encoder.end_encoding();
    run(&work);
    assert_eq!(output.read::<u32>(..).expect("it has completed"), [7, 7, 7, 0]);
}

#[test]
fn an_indirect_grid_that_is_too_large_fails_its_command_buffer_alone() {
    let device = Device::cpu();
    let (queue, copy) = (device.new_command_queue(), pipeline(&device, "copy"));
    let counts = numbers(&device, "counts", &[1, 1 << 20, 1]);
    let (input, output) = (numbers(&device, "input", &[7; 4]), numbers(&device, "output", &[0; 4]));
    let work = queue.command_buffer();
    let mut encoder = work.compute_command_encoder().expect("it is open");
    encoder.set_compute_pipeline_state(&copy).expect("same device");
    encoder.set_buffer(0, &input, 0).expect("same device");
    encoder.set_buffer(1, &output, 0).expect("same device");
    encoder.dispatch_threadgroups_indirect(&counts, 0).expect("the counts are read later");
    encoder.end_encoding();
    work.commit().expect("the counts are read later");
    refused(work.wait_until_completed(), ErrorKind::InvalidGrid, &["`copy`", "1048576"]);
    assert_eq!(work.status(), fencepost::CommandBufferStatus::Error);
    still_works(&queue);
}

#[test]
fn an_encoder_left_open_holds_the_commit_back() {
    let device = Device::cpu();
    let queue = device.new_command_queue();
    let work = queue.command_buffer();
    work.set_label("frame");
    let mut encoder = work.compute_command_encoder().expect("it is open");
    encoder.set_label("shadows");
    let words = ["command buffer `frame`", "compute encoder `shadows`", "end_encoding"];
    misuse(work.commit(), ErrorKind::EncoderOpen, &words);
    encoder.end_encoding();
    run(&work);
    still_works(&queue);
}

#[test]
fn a_command_buffer_is_committed_once() {
    let device = Device::cpu();
    let queue = device.new_command_queue();
    let work = queue.command_buffer();
    work.set_label("frame");
    run(&work);
    misuse(work.commit(), ErrorKind::AlreadyCommitted, &["`frame`"]);
    misuse(
        work.compute_command_encoder(),
        ErrorKind::AlreadyCommitted,
        &["`frame`", "compute_command_encoder"],
    );
    misuse(queue.commit(&[&work]), ErrorKind::AlreadyCommitted, &["`frame`"]);
    let twice = queue.command_buffer();
    misuse(queue.commit(&[&twice, &twice]), ErrorKind::AlreadyCommitted, &["twice"]);
    run(&twice);
    still_works(&queue);
}

#[test]
fn objects_of_another_device_are_refused() {
    let (ours, theirs) = (Device::cpu(), Device::cpu());
    let buffer = numbers(&theirs, "foreign", &[0; 4]);
    let image = theirs.new_texture(&TextureDescriptor::new_2d(PixelFormat::R8Unorm, 4, 4)).expect("memory");
    let sampler = theirs.new_sampler_state(&SamplerDescriptor::default()).expect("it is valid");
    let queue = ours.new_command_queue();
    let work = queue.command_buffer();
    misuse(
        work.encode_signal_event(&theirs.new_event(), 1),
        ErrorKind::WrongDevice,
        &["event without a label", "command buffer", "open one and clone it"],
    );
    let mut encoder = work.compute_command_encoder().expect("it is open");
    let kind = ErrorKind::WrongDevice;
    misuse(encoder.set_buffer(0, &buffer, 0), kind, &["buffer `foreign`", "compute encoder"]);
    misuse(encoder.set_texture(0, &image), kind, &["texture"]);
    misuse(encoder.set_sampler_state(0, &sampler), kind, &["sampler"]);
    misuse(encoder.set_compute_pipeline_state(&pipeline(&theirs, "copy")), kind, &["pipeline `copy`"]);
    misuse(encoder.update_fence(&theirs.new_fence()), kind, &["fence"]);
    misuse(encoder.wait_for_fence(&theirs.new_fence()), kind, &["fence"]);
    misuse(encoder.use_resource(&buffer, fencepost::ResourceUsage::READ), kind, &["`foreign`"]);
    encoder.end_encoding();
    misuse(theirs.new_command_queue().commit(&[&work]), kind, &["command buffer", "queue"]);
    run(&work);
    still_works(&queue);
}

#[test]
fn a_full_heap_says_how_full() {
    let device = Device::cpu();
    let heap =
        device.new_heap(&HeapDescriptor { size: 1024, ..Default::default() }).expect("there is memory");
    heap.set_label("scratch");
    let options = ResourceOptions::SHARED.untracked();
    let _first = heap.new_buffer(512, options).expect("there is room");
    let error = refused(
        heap.new_buffer(600, options),
        ErrorKind::HeapExhausted,
        &["`scratch`", "768", "512", "1024"],
    );
    assert_eq!(error.fault(), Fault::OutOfMemory);
    heap.new_buffer(512, options).expect("the rest is still there");
}

#[test]
fn no_memory_is_an_error() {
    let device = Device::cpu();
    let length = device.max_buffer_length();
    misuse(device.new_buffer(0, ResourceOptions::SHARED), ErrorKind::InvalidArgument, &["length"]);
    misuse(device.new_buffer(u64::MAX, ResourceOptions::SHARED), ErrorKind::InvalidArgument, &["length"]);
    // The longest buffer may be had on a machine that promises more memory than it has; a thousand of them are too many for any.
    let mut kept = Vec::new();
    let refusal = (0..1 << 16).find_map(|_| match device.new_buffer(length, ResourceOptions::PRIVATE) {
        Ok(buffer) => {
            kept.push(buffer);
            None
        }
        Err(error) => Some(error),
    });
    let error = refusal.expect("some allocation is refused");
    assert_eq!((error.kind(), error.fault()), (ErrorKind::OutOfMemory, Fault::OutOfMemory), "{error}");
    drop(kept);
    still_works(&device.new_command_queue());
}

#[test]
fn a_kernel_without_end_is_stopped() {
    let options = fencepost::CpuOptions {
        kernel_timeout: Some(std::time::Duration::from_millis(200)),
        ..Default::default()
    };
    let device = Device::cpu_with(options);
    let queue = device.new_command_queue();
    let source = "@group(0) @binding(0) var<storage, read_write> numbers: array<u32>;
        @compute @workgroup_size(1) fn spin() { loop { numbers[0] += 1u; if numbers[1] == 1u { break; } } }";
    let library = device.new_library_with_wgsl(source).expect("it is valid");
    let spin = device
        .new_compute_pipeline_state(&library.new_function("spin").expect("it is there"))
        .expect("it runs");
    let buffer = numbers(&device, "numbers", &[0; 2]);
    let work = queue.command_buffer();
    let mut encoder = work.compute_command_encoder().expect("it is open");
    encoder.set_compute_pipeline_state(&spin).expect("same device");
    encoder.set_buffer(0, &buffer, 0).expect("same device");
    encoder.dispatch_threadgroups([1, 1, 1]).expect("all is bound");
    encoder.end_encoding();
    work.commit().expect("it can be committed");
    let error = refused(work.wait_until_completed(), ErrorKind::Timeout, &["`spin`", "200 ms"]);
    assert_eq!(error.fault(), Fault::Timeout);
    still_works(&queue);
}
