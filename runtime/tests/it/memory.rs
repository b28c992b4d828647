//! Memory: what the CPU may touch and when, heaps, storage modes, views.
use fencepost::{
    ErrorKind, HazardTrackingMode, HeapDescriptor, HeapKind, PixelFormat, Region, ResourceOptions,
    TextureDescriptor, TextureKind, TextureUsage,
};

use crate::common::{misuse, numbers, run};

#[test]
fn the_cpu_does_not_touch_what_is_in_flight() {
    let device = crate::common::device();
    let (queue, gate) = (device.new_command_queue(), device.new_event());
    let (source, target) = (numbers(&device, "source", &[5; 4]), numbers(&device, "target", &[0; 4]));
    let held = queue.command_buffer();
    held.set_label("frame");
    held.encode_wait_for_event(&gate, 1).expect("no encoder is open");
    let mut blit = held.blit_command_encoder().expect("it is open");
    blit.set_label("upload");
    blit.push_debug_group("copy rows");
    blit.copy_buffer(&source, 0, &target, 0, 8).expect("inside");
    blit.end_encoding();
    held.commit().expect("a wait may come before its signal");

    let kind = ErrorKind::InFlight;
    let words = ["buffer `target`", "bytes 4..12", "`copy rows`", "pass `upload`", "command buffer `frame`"];
    misuse(target.read::<u32>(4..12), kind, &words);
    misuse(target.write(0, &[1u32]), kind, &["`target`"]);
    misuse(source.write(0, &[1u32]), kind, &["`source`"]);
    misuse(target.try_read_guard(..).map(drop), kind, &["`target`"]);
    assert_eq!(source.read::<u32>(0..8).expect("two that read do not conflict"), [5, 5]);
    target.write(8, &[9u32]).expect("other bytes are free");

    let signal = device.new_command_queue().command_buffer();
    signal.encode_signal_event(&gate, 1).expect("no encoder is open");
    run(&signal);
    held.wait_until_completed().expect("the gate is open");
    assert_eq!(target.read::<u32>(..).expect("it has completed"), [5, 5, 9, 0]);
}

#[test]
fn a_commit_does_not_touch_what_the_cpu_holds() {
    let device = crate::common::device();
    let queue = device.new_command_queue();
    let buffer = numbers(&device, "data", &[0; 4]);
    let work = queue.command_buffer();
    work.set_label("frame");
    let mut blit = work.blit_command_encoder().expect("it is open");
    blit.fill_buffer(&buffer, 0..8, 1).expect("inside");
    blit.end_encoding();
    let guard = buffer.read_guard(4..12).expect("nothing is in flight");
    misuse(
        work.commit(),
        ErrorKind::InFlight,
        &["a command of command buffer `frame`", "bytes 4..12", "buffer `data`", "guard"],
    );
    assert_eq!(guard.read::<u32>(..).expect("inside"), [0, 0]);
    assert_eq!(guard.length(), 8);
    misuse(guard.read::<u32>(4..12), ErrorKind::OutOfBounds, &["4..12"]);
    drop(guard);
    let elsewhere = buffer.write_guard(8..).expect("nothing is in flight");
    run(&work);
    elsewhere.write(4, &[7u32]).expect("inside");
    misuse(elsewhere.write(5, &[7u32]), ErrorKind::OutOfBounds, &["8 bytes"]);
    drop(elsewhere);
    assert_eq!(buffer.read::<u32>(..).expect("it has completed"), [0x0101_0101, 0x0101_0101, 0, 7]);
}

#[test]
fn private_memory_is_reached_by_copies_only() {
    let device = crate::common::device();
    let queue = device.new_command_queue();
    let private = device.new_buffer(16, ResourceOptions::PRIVATE).expect("there is memory");
    private.set_label("hidden");
    let kind = ErrorKind::WrongStorageMode;
    misuse(private.read::<u8>(..), kind, &["`hidden`", "Private"]);
    misuse(private.write(0, &[1u8]), kind, &["`hidden`", "Copy"]);
    misuse(device.new_buffer_with_data(&[1u32], ResourceOptions::PRIVATE), kind, &["Private"]);
    let descriptor =
        TextureDescriptor::new_2d(PixelFormat::R8Unorm, 4, 4).with_options(ResourceOptions::PRIVATE);
    let image = device.new_texture(&descriptor).expect("there is memory");
    misuse(image.get_bytes(&mut [0; 16], 4, Region::new(0, 0, 4, 4), 0, 0), kind, &["texture"]);
    let shared = numbers(&device, "shared", &[1, 2, 3, 4]);
    let back = numbers(&device, "back", &[0; 4]);
    let work = queue.command_buffer();
    let mut blit = work.blit_command_encoder().expect("it is open");
    blit.copy_buffer(&shared, 0, &private, 0, 16).expect("inside");
    blit.copy_buffer(&private, 4, &back, 0, 12).expect("inside");
    blit.end_encoding();
    run(&work);
    assert_eq!(back.read::<u32>(..).expect("it has completed"), [2, 3, 4, 0]);
}

#[test]
fn defaults_of_tracking_are_resolved() {
    let device = crate::common::device();
    let tracking = |options: ResourceOptions| options.hazard_tracking_mode;
    let own = device.new_buffer(16, ResourceOptions::SHARED).expect("there is memory");
    assert_eq!(tracking(own.resource_options()), HazardTrackingMode::Tracked);
    let heap = |options| {
        device.new_heap(&HeapDescriptor { size: 4096, options, ..Default::default() }).expect("memory")
    };
    let untracked = heap(ResourceOptions::SHARED);
    assert_eq!(tracking(untracked.resource_options()), HazardTrackingMode::Untracked);
    let inherited = untracked.new_buffer(16, ResourceOptions::SHARED).expect("there is room");
    assert_eq!(tracking(inherited.resource_options()), HazardTrackingMode::Untracked);
    let words = ["heap", "untracked"];
    misuse(untracked.new_buffer(16, ResourceOptions::SHARED.tracked()), ErrorKind::WrongTrackingMode, &words);
    let tracked = heap(ResourceOptions::SHARED.tracked());
    let opted_out = tracked.new_buffer(16, ResourceOptions::SHARED.untracked()).expect("opting out is fine");
    assert_eq!(tracking(opted_out.resource_options()), HazardTrackingMode::Untracked);
    let words = ["storage mode", "Private", "Shared"];
    misuse(tracked.new_buffer(16, ResourceOptions::PRIVATE), ErrorKind::WrongStorageMode, &words);
}

#[test]
fn an_automatic_heap_of_the_summed_sizes_holds_everything() {
    let device = crate::common::device();
    // Private, since some drivers keep textures away from memory that the CPU reaches.
    let options = ResourceOptions::PRIVATE;
    let image = TextureDescriptor::new_2d(PixelFormat::Rgba8Unorm, 33, 17).with_all_mips();
    let image = TextureDescriptor { resource_options: options, ..image };
    let sizes = [
        device.heap_buffer_size_and_align(1000, options).expect("it is valid"),
        device.heap_texture_size_and_align(&image).expect("it is valid"),
        device.heap_buffer_size_and_align(7, options).expect("it is valid"),
    ];
    let size = sizes.iter().map(|size| size.size.next_multiple_of(size.align)).sum();
    let heap =
        device.new_heap(&HeapDescriptor { size, options, ..Default::default() }).expect("there is memory");
    assert_eq!(heap.max_available_size(256).expect("a power of two"), size);
    let first = heap.new_buffer(1000, options).expect("there is room");
    let second = heap.new_texture(&image).expect("there is room");
    let third = heap.new_buffer(7, options).expect("there is room");
    assert_eq!((heap.used_size(), heap.max_available_size(1).expect("a power of two")), (size, 0));
    drop((first, third));
    assert_eq!(heap.used_size(), sizes[1].size);
    second.make_aliasable().expect("it is on a heap");
    assert_eq!(heap.used_size(), 0);
    assert_eq!(heap.max_available_size(256).expect("a power of two"), size);
    misuse(heap.max_available_size(3), ErrorKind::InvalidArgument, &["power of two"]);
}

#[test]
fn aliasable_memory_is_lost_to_its_next_owner() {
    let device = crate::common::device();
    let heap = device.new_heap(&HeapDescriptor { size: 512, ..Default::default() }).expect("there is memory");
    let first = heap.new_buffer(512, ResourceOptions::SHARED).expect("there is room");
    first.set_label("first");
    first.write(0, &[1u32]).expect("nothing is in flight");
    assert!(!first.is_aliasable());
    first.make_aliasable().expect("it is on a heap");
    first.make_aliasable().expect("twice is no harm");
    assert!(first.is_aliasable());
    assert_eq!(first.read::<u32>(0..4).expect("nobody else has the memory yet"), [1]);
    let second = heap.new_buffer(256, ResourceOptions::SHARED).expect("the memory is free again");
    let kind = ErrorKind::Aliasing;
    misuse(first.read::<u32>(0..4), kind, &["`first`", "heap", "new resource"]);
    let work = device.new_command_queue().command_buffer();
    let mut blit = work.blit_command_encoder().expect("it is open");
    misuse(blit.fill_buffer(&first, .., 0), kind, &["`first`"]);
    blit.fill_buffer(&second, .., 2).expect("the new owner");
    blit.end_encoding();
    drop(first);
    run(&work);
    assert_eq!(heap.used_size(), 256, "dropping the former owner frees nothing twice");
    misuse(numbers(&device, "own", &[0]).make_aliasable(), kind, &["`own`", "on no heap"]);
}

#[test]
fn what_was_bound_before_it_was_lost_is_refused_too() {
    let device = crate::common::device();
    let heap = device.new_heap(&HeapDescriptor { size: 256, ..Default::default() }).expect("there is memory");
    let first = heap.new_buffer(64, ResourceOptions::SHARED).expect("there is room");
    first.set_label("first");
    let output = numbers(&device, "output", &[0; 4]);
    let work = device.new_command_queue().command_buffer();
    let mut encoder = work.compute_command_encoder().expect("it is open");
    encoder.set_compute_pipeline_state(&crate::common::pipeline(&device, "copy")).expect("same device");
    encoder.set_buffer(0, &first, 0).expect("it has its memory");
    encoder.set_buffer(1, &output, 0).expect("same device");
    encoder.dispatch_threads([4, 1, 1]).expect("all is bound");
    first.make_aliasable().expect("it is on a heap");
    encoder.dispatch_threads([4, 1, 1]).expect("nobody else has the memory yet");
    let second = heap.new_buffer(64, ResourceOptions::SHARED).expect("the memory is free again");
    misuse(encoder.dispatch_threads([4, 1, 1]), ErrorKind::Aliasing, &["a dispatch", "`first`"]);
    encoder.set_buffer(0, &second, 0).expect("the new owner");
    encoder.dispatch_threads([4, 1, 1]).expect("all is bound");
    encoder.end_encoding();
    run(&work);
}

#[test]
fn a_placement_heap_puts_resources_where_it_is_told() {
    let device = crate::common::device();
    let descriptor = HeapDescriptor { size: 1024, kind: HeapKind::Placement, ..Default::default() };
    let heap = device.new_heap(&descriptor).expect("there is memory");
    let options = ResourceOptions::SHARED;
    let whole = heap.new_buffer_at(1024, options, 0).expect("inside");
    let part = heap.new_buffer_at(256, options, 512).expect("inside");
    part.write(0, &[0xabcd_u32]).expect("nothing is in flight");
    assert_eq!(whole.read::<u32>(512..516).expect("nothing is in flight"), [0xabcd]);
    assert_eq!((part.heap_offset(), heap.used_size()), (Some(512), 1024));
    misuse(heap.new_buffer_at(256, options, 100), ErrorKind::Misaligned, &["100", "256"]);
    misuse(heap.new_buffer_at(512, options, 768), ErrorKind::OutOfBounds, &["768..1280", "heap"]);
    misuse(heap.new_buffer(16, options), ErrorKind::InvalidArgument, &["automatic"]);
    let automatic = device.new_heap(&HeapDescriptor { size: 1024, ..Default::default() }).expect("memory");
    misuse(automatic.new_buffer_at(16, options, 0), ErrorKind::InvalidArgument, &["placement"]);
}

#[test]
fn the_cpu_sees_conflicts_through_aliases() {
    let device = crate::common::device();
    let (queue, gate) = (device.new_command_queue(), device.new_event());
    let descriptor = HeapDescriptor { size: 1024, kind: HeapKind::Placement, ..Default::default() };
    let heap = device.new_heap(&descriptor).expect("there is memory");
    let (low, high) = (
        heap.new_buffer_at(512, ResourceOptions::SHARED, 0).expect("inside"),
        heap.new_buffer_at(512, ResourceOptions::SHARED, 256).expect("inside"),
    );
    let work = queue.command_buffer();
    work.encode_wait_for_event(&gate, 1).expect("no encoder is open");
    let mut blit = work.blit_command_encoder().expect("it is open");
    blit.fill_buffer(&high, .., 1).expect("inside");
    blit.end_encoding();
    work.commit().expect("a wait may come before its signal");
    misuse(low.read::<u8>(..), ErrorKind::InFlight, &["buffer"]);
    assert_eq!(low.read::<u8>(..256).expect("below the alias"), [0; 256]);
    let signal = device.new_command_queue().command_buffer();
    signal.encode_signal_event(&gate, 1).expect("no encoder is open");
    run(&signal);
    work.wait_until_completed().expect("the gate is open");
    assert_eq!(low.read::<u8>(256..).expect("it has completed"), [1; 256]);
}

#[test]
fn views_show_parts_of_a_texture() {
    let device = crate::common::device();
    let descriptor = TextureDescriptor::new_2d_array(PixelFormat::R32Uint, 8, 4, 3).with_mips(2);
    let usage = descriptor.usage | TextureUsage::PIXEL_FORMAT_VIEW;
    let image = device.new_texture(&TextureDescriptor { usage, ..descriptor }).expect("there is memory");
    let view = image.new_texture_view_of(PixelFormat::R32Uint, TextureKind::D2, 1..2, 2..3).expect("inside");
    assert_eq!((view.width(), view.height(), view.array_length(), view.is_view()), (4, 2, 1, true));
    let texel = 77u32.to_le_bytes();
    view.replace_region(Region::new(3, 1, 1, 1), 0, 0, &texel, 4).expect("inside");
    let mut found = [0; 4];
    image.get_bytes(&mut found, 4, Region::new(3, 1, 1, 1), 1, 2).expect("inside");
    assert_eq!(found, texel);
    assert_eq!(
        image.new_texture_view(PixelFormat::R32Float).expect("same size").pixel_format(),
        PixelFormat::R32Float
    );
    misuse(image.new_texture_view(PixelFormat::R8Unorm), ErrorKind::InvalidArgument, &["another size"]);
    misuse(
        image.new_texture_view_of(PixelFormat::R32Uint, TextureKind::D2, 0..1, 0..2),
        ErrorKind::InvalidArgument,
        &["slice count"],
    );
    misuse(
        image.new_texture_view_of(PixelFormat::R32Uint, TextureKind::D2, 1..3, 0..1),
        ErrorKind::OutOfBounds,
        &["levels"],
    );
    misuse(view.make_aliasable(), ErrorKind::Aliasing, &["view"]);
    let plain = device.new_texture(&descriptor).expect("there is memory");
    misuse(plain.new_texture_view(PixelFormat::R32Float), ErrorKind::InvalidArgument, &["PIXEL_FORMAT_VIEW"]);
}

#[test]
fn textures_that_make_no_sense_are_refused() {
    let device = crate::common::device();
    let plain = |width, height| TextureDescriptor::new_2d(PixelFormat::R8Unorm, width, height);
    let kind = ErrorKind::InvalidArgument;
    misuse(device.new_texture(&plain(0, 4)), kind, &["width", "0"]);
    misuse(device.new_texture(&plain(4, 20_000)), kind, &["height", "16384"]);
    misuse(device.new_texture(&plain(4, 4).with_mips(4)), kind, &["level count", "3"]);
    misuse(device.new_texture(&TextureDescriptor { array_length: 2, ..plain(4, 4) }), kind, &["slice count"]);
    let image = device.new_texture(&plain(4, 4)).expect("there is memory");
    misuse(image.replace_region(Region::new(0, 0, 4, 4), 0, 0, &[0; 15], 4), kind, &["15", "16"]);
    misuse(image.replace_region(Region::new(0, 0, 4, 4), 0, 0, &[0; 16], 3), kind, &["bytes_per_row"]);
    let work = device.new_command_queue().command_buffer();
    let mut blit = work.blit_command_encoder().expect("it is open");
    misuse(blit.generate_mipmaps(&image), kind, &["level count"]);
    let integers = TextureDescriptor::new_2d(PixelFormat::R32Uint, 4, 4).with_mips(2);
    misuse(
        blit.generate_mipmaps(&device.new_texture(&integers).expect("memory")),
        kind,
        &["R32Uint", "filtered"],
    );
    let other = device.new_texture(&plain(8, 4)).expect("there is memory");
    misuse(blit.copy_texture(&image, &other), kind, &["width", "(4, 4, 1, 1)", "(8, 4, 1, 1)"]);
}

#[test]
fn a_seen_signal_frees_what_is_before_it() {
    // Whichever signal of the queue has raised the value: all that its queue was given before has ended.
    let device = crate::common::device();
    let event = device.new_shared_event();
    let queue = device.new_command_queue();
    let buffers = [(); 3].map(|()| device.new_buffer(256, ResourceOptions::SHARED.untracked()).unwrap());
    for frame in 1..=3000u64 {
        let buffer = &buffers[frame as usize % 3];
        if frame > 3 {
            assert!(event.wait_until_signaled_value(frame - 3, std::time::Duration::from_secs(30)));
        }
        buffer.write(0, &[frame]).expect("the GPU is through with the frame three before");
        let work = queue.command_buffer();
        let mut blit = work.blit_command_encoder().unwrap();
        blit.fill_buffer(buffer, .., 1).unwrap();
        blit.end_encoding();
        work.encode_signal_event(&event, frame).unwrap();
        work.commit().unwrap();
    }
}
