//! Managed resources: two copies, and each call that brings bytes over; without it the old bytes stay (S12, rules 11.2).
use fencepost::{
    Buffer, CommandQueue, Device, ErrorKind, PixelFormat, Region, ResourceOptions, Texture, TextureDescriptor,
};

use crate::common::{pipeline, refused, run};

const MANAGED: ResourceOptions = ResourceOptions::MANAGED;

/// A queue and a managed buffer of 64 bytes.
fn setup() -> (Device, CommandQueue, Buffer) {
    let device = crate::common::device();
    let queue = device.new_command_queue();
    let buffer = device.new_buffer(64, MANAGED).expect("there is memory");
    buffer.set_label("M");
    (device, queue, buffer)
}

/// What the GPU has of a buffer.
fn gpu_bytes(device: &Device, queue: &CommandQueue, buffer: &Buffer) -> Vec<u8> {
    let copy = device.new_buffer(buffer.length(), ResourceOptions::SHARED).expect("there is memory");
    let work = queue.command_buffer();
    let mut blit = work.blit_command_encoder().expect("it is open");
    blit.copy_buffer(buffer, 0, &copy, 0, buffer.length()).expect("inside");
    blit.end_encoding();
    work.commit().expect("nothing is held");
    work.wait_until_completed().expect("it runs");
    copy.read(..).expect("it has completed")
}

/// The GPU fills a part, and brings it to the CPU or not.
fn gpu_fill(
    queue: &CommandQueue,
    buffer: &Buffer,
    bytes: std::ops::Range<u64>,
    value: u8,
    synchronize: bool,
) {
    let work = queue.command_buffer();
    let mut blit = work.blit_command_encoder().expect("it is open");
    blit.fill_buffer(buffer, bytes, value).expect("inside");
    if synchronize {
        blit.synchronize(buffer).expect("it is managed");
    }
    blit.end_encoding();
    work.commit().expect("nothing is held");
    work.wait_until_completed().expect("it runs");
}

#[test]
fn s12_only_published_bytes_reach_the_gpu() {
    let (device, queue, buffer) = setup();
    buffer.write(0, &[7u8; 64]).expect("nothing is in flight");
    assert_eq!(gpu_bytes(&device, &queue, &buffer), [0; 64], "nothing was published");
    buffer.did_modify_range(8..24).expect("inside");
    buffer.did_modify_range(20..32).expect("inside");
    let mut seen = [0; 64];
    seen[8..32].fill(7);
    assert_eq!(gpu_bytes(&device, &queue, &buffer), seen);
    // What has been brought over is not brought over again.
    gpu_fill(&queue, &buffer, 0..64, 9, false);
    assert_eq!(gpu_bytes(&device, &queue, &buffer), [9; 64]);
    assert_eq!(buffer.read::<u8>(..).expect("it has completed"), [7; 64], "the CPU's copy is its own");
}

#[test]
fn s12_what_the_gpu_wrote_comes_by_synchronize_alone() {
    let (_device, queue, buffer) = setup();
    gpu_fill(&queue, &buffer, 0..16, 3, false);
    assert_eq!(buffer.read::<u8>(..).expect("it has completed"), [0; 64]);
    gpu_fill(&queue, &buffer, 16..32, 4, true);
    let mut seen = [0; 64];
    seen[..16].fill(3);
    seen[16..32].fill(4);
    assert_eq!(buffer.read::<u8>(..).expect("it has completed"), seen);
}

#[test]
fn the_next_commit_that_uses_it_publishes_and_no_other() {
    let (device, queue, buffer) = setup();
    let other = device.new_buffer(64, ResourceOptions::SHARED).expect("there is memory");
    let before = queue.command_buffer();
    let mut blit = before.blit_command_encoder().expect("it is open");
    blit.fill_buffer(&other, .., 1).expect("inside");
    blit.end_encoding();
    buffer.write(0, &[5u8; 4]).expect("nothing is in flight");
    buffer.did_modify_range(0..4).expect("inside");
    before.commit().expect("nothing is held");
    before.wait_until_completed().expect("it runs");
    // Still to come: what is written until then is what the GPU gets.
    buffer.write(0, &[6u8; 4]).expect("nothing is in flight");
    assert_eq!(gpu_bytes(&device, &queue, &buffer)[..5], [6, 6, 6, 6, 0]);
}

#[test]
fn s12_textures_publish_as_they_are_replaced_and_come_back_image_by_image() {
    let device = crate::common::device();
    let queue = device.new_command_queue();
    let shape = TextureDescriptor::new_2d_array(PixelFormat::R8Unorm, 4, 2, 2).with_mips(2);
    let texture = device.new_texture(&shape.with_options(MANAGED)).expect("there is memory");
    let plain = device.new_texture(&shape).expect("there is memory");
    let read = |texture: &Texture, level: u32, slice: u32| {
        let [width, height] = texture.level_size(level);
        let mut bytes = vec![0; (width * height) as usize];
        texture
            .get_bytes(&mut bytes, u64::from(width), Region::new(0, 0, width, height), level, slice)
            .expect("it has completed");
        bytes
    };
    texture.replace_region(Region::new(1, 0, 2, 2), 0, 1, &[1, 2, 3, 4], 2).expect("inside");
    let work = queue.command_buffer();
    let mut blit = work.blit_command_encoder().expect("it is open");
    blit.copy_texture(&texture, &plain).expect("the same shape");
    let upper = texture
        .new_texture_view_of(PixelFormat::R8Unorm, shape.texture_type, 0..1, 0..1)
        .expect("it is there");
    let source = device.new_buffer_with_bytes(&[8; 8], ResourceOptions::SHARED).expect("there is memory");
    for slice in 0..2 {
        let place = fencepost::TexturePlace { slice, ..Default::default() };
        let rows = fencepost::BufferLayout::rows(4);
        blit.copy_buffer_to_texture(&source, rows, &texture, place, [4, 2]).expect("inside");
    }
    blit.synchronize_texture(&upper, 0, 0).expect("it is managed");
    blit.end_encoding();
    work.commit().expect("nothing is held");
    work.wait_until_completed().expect("it runs");
    assert_eq!(read(&plain, 0, 1), [0, 1, 2, 0, 0, 3, 4, 0], "what was replaced, and no more");
    assert_eq!(read(&plain, 0, 0), [0; 8]);
    assert_eq!(read(&texture, 0, 0), [8; 8], "synchronized");
    assert_eq!(read(&texture, 0, 1), [0, 1, 2, 0, 0, 3, 4, 0], "not synchronized");
}

#[test]
fn the_cpu_may_touch_its_copy_while_the_gpu_uses_the_other() {
    let (device, queue, buffer) = setup();
    let gate = device.new_shared_event();
    let work = queue.command_buffer();
    work.encode_wait_for_event(&gate, 1).expect("it is open");
    let mut blit = work.blit_command_encoder().expect("it is open");
    blit.fill_buffer(&buffer, 0..8, 1).expect("inside");
    blit.end_encoding();
    let guard = buffer.write_guard(..).expect("nothing is in flight");
    work.commit().expect("the guard holds the other copy");
    guard.write(32, &[2u8]).expect("held");
    drop(guard);
    let back = queue.command_buffer();
    let mut blit = back.blit_command_encoder().expect("it is open");
    blit.synchronize(&buffer).expect("it is managed");
    blit.end_encoding();
    let guard = buffer.read_guard(..).expect("nothing is in flight");
    refused(back.commit(), ErrorKind::InFlight, &["buffer `M`"]);
    drop(guard);
    back.commit().expect("nothing is held");
    gate.set_signaled_value(1);
    back.wait_until_completed().expect("it runs");
    assert_eq!(buffer.read::<u8>(..9).expect("it has completed"), [1, 1, 1, 1, 1, 1, 1, 1, 0]);
}

#[test]
fn what_is_not_managed_has_no_second_copy() {
    let (device, queue, managed) = setup();
    let shared = device.new_buffer(64, ResourceOptions::SHARED).expect("there is memory");
    shared.set_label("S");
    refused(shared.did_modify_range(..), ErrorKind::WrongStorageMode, &["buffer `S`", "Shared"]);
    refused(managed.did_modify_range(60..68), ErrorKind::OutOfBounds, &["buffer `M`"]);
    let work = queue.command_buffer();
    let mut blit = work.blit_command_encoder().expect("it is open");
    refused(blit.synchronize(&shared), ErrorKind::WrongStorageMode, &["buffer `S`"]);
    let foreign = crate::common::device().new_buffer(64, MANAGED).expect("there is memory");
    refused(blit.synchronize(&foreign), ErrorKind::WrongDevice, &[]);
    let texture = device
        .new_texture(&TextureDescriptor::new_2d(PixelFormat::R8Unorm, 2, 2).with_options(MANAGED))
        .expect("there is memory");
    refused(blit.synchronize_texture(&texture, 0, 1), ErrorKind::OutOfBounds, &["level"]);
    refused(
        device.new_buffer_sharing(&managed, .., Default::default()),
        ErrorKind::Unsupported,
        &["managed"],
    );
    let filled = device.new_buffer_with_bytes(&[4; 8], MANAGED).expect("there is memory");
    blit.end_encoding();
    work.commit().expect("nothing is held");
    assert_eq!(gpu_bytes(&device, &queue, &filled), [4; 8], "what it is made with is in both copies");
}

/// Doubles the first words of a managed buffer by a kernel, and brings them back or not.
fn kernel(queue: &CommandQueue, buffer: &Buffer, synchronize: Option<bool>) -> fencepost::CommandBuffer {
    let work = queue.command_buffer();
    let copy_back = |before: bool| {
        if synchronize == Some(before) {
            let mut blit = work.blit_command_encoder().expect("it is open");
            blit.synchronize(buffer).expect("it is managed");
        }
    };
    copy_back(true);
    let mut kernels = work.compute_command_encoder().expect("it is open");
    kernels.set_compute_pipeline_state(&pipeline(&queue.device(), "add")).expect("it is this device's");
    kernels.set_buffer(1, buffer, 0).expect("it is this device's");
    kernels.set_bytes(2, &[5u32, 0]).expect("two words");
    kernels.dispatch_threads([4, 1, 1]).expect("everything is bound");
    kernels.end_encoding();
    copy_back(false);
    work
}

#[test]
fn s12_each_call_left_out_or_misplaced_leaves_old_bytes() {
    let (_device, queue, buffer) = setup();
    let start = |value: u32| {
        buffer.write(0, &[value; 4]).expect("nothing is in flight");
        buffer.did_modify_range(..16).expect("inside");
        run(&kernel(&queue, &buffer, Some(false)));
        buffer.read::<u32>(..16).expect("it has completed")
    };
    let added = start(10)[0] - 10;
    assert_eq!(start(20), [20 + added; 4], "all calls in their places");
    let seen = || buffer.read::<u32>(..16).expect("it has completed");
    // Not published: the kernel goes on with what the GPU has.
    buffer.write(0, &[500u32; 4]).expect("nothing is in flight");
    run(&kernel(&queue, &buffer, Some(false)));
    assert_eq!(seen(), [20 + 2 * added; 4]);
    // Published after the commit: this work does not see it, the next does.
    buffer.write(0, &[700u32; 4]).expect("nothing is in flight");
    let work = kernel(&queue, &buffer, None);
    run(&work);
    buffer.did_modify_range(..16).expect("inside");
    assert_eq!(seen(), [700; 4], "nothing came back");
    run(&kernel(&queue, &buffer, Some(false)));
    assert_eq!(seen(), [700 + added; 4]);
    // Published too little: the rest is old.
    buffer.write(0, &[900u32; 4]).expect("nothing is in flight");
    buffer.did_modify_range(..8).expect("inside");
    run(&kernel(&queue, &buffer, Some(false)));
    assert_eq!(seen(), [900 + added, 900 + added, 700 + 2 * added, 700 + 2 * added]);
    // Brought back before the kernel, and not at all: what was there before.
    let old = start(40);
    run(&kernel(&queue, &buffer, Some(true)));
    assert_eq!(seen(), old, "too early");
    run(&kernel(&queue, &buffer, None));
    assert_eq!(seen(), old, "not at all");
}

#[test]
fn s12_what_was_brought_back_is_read_after_completion_or_an_observed_event() {
    let (device, queue, buffer) = setup();
    let (ready, gate) = (device.new_shared_event(), device.new_shared_event());
    let work = queue.command_buffer();
    let mut blit = work.blit_command_encoder().expect("it is open");
    blit.fill_buffer(&buffer, .., 3).expect("inside");
    blit.synchronize(&buffer).expect("it is managed");
    blit.end_encoding();
    work.encode_signal_event(&ready, 1).expect("it is open");
    work.encode_wait_for_event(&gate, 1).expect("it is open");
    let held = queue.command_buffer();
    held.encode_wait_for_event(&gate, 1).expect("it is open");
    let mut blit = held.blit_command_encoder().expect("it is open");
    blit.synchronize(&buffer).expect("it is managed");
    blit.end_encoding();
    work.commit().expect("nothing is held");
    assert!(
        ready.wait_until_signaled_value(1, std::time::Duration::from_secs(60)),
        "nothing stands before it"
    );
    assert_eq!(buffer.read::<u8>(..).expect("the signal was behind it"), [3; 64]);
    gate.set_signaled_value(1);
    work.wait_until_completed().expect("the gate is open");
    run(&held);
}

#[test]
fn a_refused_commit_publishes_nothing() {
    let (device, queue, buffer) = setup();
    let shared = device.new_buffer(64, ResourceOptions::SHARED).expect("there is memory");
    let work = queue.command_buffer();
    let mut blit = work.blit_command_encoder().expect("it is open");
    blit.copy_buffer(&buffer, 0, &shared, 0, 64).expect("inside");
    blit.end_encoding();
    buffer.write(0, &[1u8; 8]).expect("nothing is in flight");
    buffer.did_modify_range(..8).expect("inside");
    let guard = shared.read_guard(..).expect("nothing is in flight");
    refused(work.commit(), ErrorKind::InFlight, &[]);
    drop(guard);
    // What the commit brings over is as it is at the commit that goes through.
    buffer.write(0, &[2u8; 8]).expect("nothing is in flight");
    run(&work);
    assert_eq!(shared.read::<u8>(..9).expect("it has completed"), [2, 2, 2, 2, 2, 2, 2, 2, 0]);
}

#[test]
fn two_copies_are_as_a_model_of_bytes_has_them() {
    const LENGTH: usize = 97;
    for seed in 0..60u64 {
        let mut state = seed;
        let mut below = |limit: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % limit
        };
        let device = Device::cpu();
        let queue = device.new_command_queue();
        let buffer = device.new_buffer(LENGTH as u64, MANAGED).expect("there is memory");
        let (mut cpu, mut gpu, mut published) = ([0u8; LENGTH], [0u8; LENGTH], [false; LENGTH]);
        for step in 0..40u8 {
            let start = below(LENGTH);
            let end = start + 1 + below(LENGTH - start);
            match below(5) {
                0 | 1 => {
                    buffer.write(start as u64, &vec![step; end - start]).expect("nothing is in flight");
                    cpu[start..end].fill(step);
                }
                2 => {
                    buffer.did_modify_range(start as u64..end as u64).expect("inside");
                    published[start..end].fill(true);
                }
                other => {
                    gpu_fill(&queue, &buffer, start as u64..end as u64, step ^ 0x80, other == 3);
                    for byte in (0..LENGTH).filter(|byte| published[*byte]) {
                        gpu[byte] = cpu[byte];
                    }
                    published.fill(false);
                    gpu[start..end].fill(step ^ 0x80);
                    if other == 3 {
                        cpu = gpu;
                    }
                }
            }
            assert_eq!(buffer.read::<u8>(..).expect("nothing is in flight"), cpu, "seed {seed}, step {step}");
        }
        for byte in (0..LENGTH).filter(|byte| published[*byte]) {
            gpu[byte] = cpu[byte];
        }
        assert_eq!(gpu_bytes(&device, &queue, &buffer), gpu, "seed {seed}");
    }
}

#[test]
fn s12_a_whole_texture_comes_back_and_layouts_may_change_in_between() {
    let device = Device::cpu();
    let queue = device.new_command_queue();
    let shape = TextureDescriptor::new_2d_array(PixelFormat::Rg8Unorm, 3, 3, 2).with_all_mips();
    let texture = device.new_texture(&shape.with_options(MANAGED)).expect("there is memory");
    let source = device.new_texture(&shape).expect("there is memory");
    let all = |level: u32| {
        let [width, height] = texture.level_size(level);
        (Region::new(0, 0, width, height), u64::from(width) * 2, vec![0; (width * height * 2) as usize])
    };
    for (level, slice) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let (region, pitch, bytes) = all(level);
        let value = (1 + level * 2 + slice) as u8;
        source
            .replace_region(region, level, slice, &vec![value; bytes.len()], pitch)
            .expect("nothing is in flight");
    }
    let bring = |synchronize: bool| {
        let work = queue.command_buffer();
        let mut blit = work.blit_command_encoder().expect("it is open");
        blit.copy_texture(&source, &texture).expect("the same shape");
        blit.optimize_contents_for_gpu_access(&texture).expect("it is this device's");
        blit.optimize_contents_for_cpu_access(&texture).expect("it is this device's");
        if synchronize {
            blit.synchronize(&texture).expect("it is managed");
        }
        blit.end_encoding();
        run(&work);
        [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(level, slice)| {
            let (region, pitch, mut bytes) = all(level);
            texture.get_bytes(&mut bytes, pitch, region, level, slice).expect("it has completed");
            assert!(bytes.iter().all(|byte| *byte == bytes[0]));
            bytes[0]
        })
    };
    assert_eq!(bring(false), [0; 4]);
    assert_eq!(bring(true), [1, 2, 3, 4]);
}
