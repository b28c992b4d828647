//! The whole way: recorded, committed, run, looked at.
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use fencepost::{
    BufferLayout, CommandBufferDescriptor, CommandBufferStatus, CommandEncoderErrorState,
    CommandQueueDescriptor, CommitOptions, DispatchType, ErrorKind, Filter, HeapDescriptor, PassKind,
    PixelFormat, Region, ResourceOptions, ResourceUsage, SamplerDescriptor, SharedEventListener, Stages,
    TextureDescriptor, TexturePlace, Visibility,
};

use crate::common::{numbers, pipeline, refused, run};

#[test]
fn a_serial_encoder_runs_dispatches_in_order() {
    let device = crate::common::device();
    let (queue, add) = (device.new_command_queue(), pipeline(&device, "add"));
    let output = device.new_buffer(64, ResourceOptions::SHARED.untracked()).expect("there is memory");
    let work = queue.command_buffer();
    let mut encoder = work.compute_command_encoder().expect("it is open");
    encoder.set_compute_pipeline_state(&add).expect("same device");
    encoder.set_buffer(1, &output, 0).expect("same device");
    for amount in 1..=10u32 {
        encoder.set_bytes(2, &[amount, 0]).expect("8 bytes");
        encoder.dispatch_threads([16, 1, 1]).expect("all is bound");
    }
    assert_eq!(encoder.stages(), Stages::DISPATCH);
    encoder.end_encoding();
    run(&work);
    assert_eq!(output.read::<u32>(..).expect("it has completed"), [55; 16]);
}

#[test]
fn tracking_orders_passes_over_command_buffers() {
    let device = crate::common::device();
    let (queue, copy) = (device.new_command_queue(), pipeline(&device, "copy"));
    let chain: Vec<_> =
        (0..8).map(|index| numbers(&device, "link", &[if index == 0 { 9 } else { 0 }; 64])).collect();
    let works: Vec<_> = chain
        .windows(2)
        .map(|pair| {
            let work = queue.command_buffer();
            let mut encoder = work
                .compute_command_encoder_with_dispatch_type(DispatchType::Concurrent)
                .expect("it is open");
            encoder.set_compute_pipeline_state(&copy).expect("same device");
            encoder.set_buffer(0, &pair[0], 0).expect("same device");
            encoder.set_buffer(1, &pair[1], 0).expect("same device");
            encoder.dispatch_threads([64, 1, 1]).expect("all is bound");
            encoder.end_encoding();
            work
        })
        .collect();
    queue
        .commit(&works.iter().collect::<Vec<_>>())
        .expect("all are whole")
        .wait_until_completed()
        .expect("they end");
    assert_eq!(chain[7].read::<u32>(..).expect("it has completed"), [9; 64]);
}

#[test]
fn textures_samplers_and_views_reach_kernels() {
    let device = crate::common::device();
    let picture =
        device.new_texture(&TextureDescriptor::new_2d(PixelFormat::Rgba8Unorm, 4, 4)).expect("memory");
    let drawing =
        device.new_texture(&TextureDescriptor::new_2d(PixelFormat::Rgba8Unorm, 4, 4)).expect("memory");
    let texels: Vec<u8> = (0..64).map(|byte| if byte % 4 == 3 { 255 } else { byte }).collect();
    picture.replace_region(Region::new(0, 0, 4, 4), 0, 0, &texels, 16).expect("inside");
    let linear =
        SamplerDescriptor { min_filter: Filter::Linear, mag_filter: Filter::Linear, ..Default::default() };
    let (output, sampler) =
        (numbers(&device, "output", &[0]), device.new_sampler_state(&linear).expect("valid"));
    let work = device.new_command_queue().command_buffer();
    let mut encoder = work.compute_command_encoder().expect("it is open");
    encoder.set_texture((1, 0), &picture).expect("same device");
    encoder.set_texture((1, 1), &drawing).expect("same device");
    encoder.set_compute_pipeline_state(&pipeline(&device, "invert")).expect("same device");
    encoder.dispatch_threadgroups([1, 1, 1]).expect("all is bound");
    encoder.set_sampler_state((1, 2), &sampler).expect("same device");
    encoder.set_buffer(1, &output, 0).expect("same device");
    encoder.set_compute_pipeline_state(&pipeline(&device, "sample")).expect("same device");
    encoder.dispatch_threadgroups([1, 1, 1]).expect("all is bound");
    encoder.end_encoding();
    run(&work);
    let mut found = [0; 64];
    drawing.get_bytes(&mut found, 16, Region::new(0, 0, 4, 4), 0, 0).expect("inside");
    let inverted: Vec<u8> = (0..64).map(|byte| if byte % 4 == 3 { 255 } else { 255 - byte }).collect();
    assert_eq!(found[..], inverted[..]);
    // The middle lies between the texels (1, 1), (2, 1), (1, 2) and (2, 2), whose reds are 20, 24, 36 and 40.
    assert_eq!(output.read::<u32>(..).expect("it has completed"), [30]);
}

#[test]
fn copies_move_rectangles_levels_and_slices() {
    let device = crate::common::device();
    let descriptor = TextureDescriptor::new_2d_array(PixelFormat::R8Unorm, 4, 4, 2).with_mips(2);
    let (first, second) =
        (device.new_texture(&descriptor).expect("memory"), device.new_texture(&descriptor).expect("memory"));
    let bytes: Vec<u8> = (0..32).collect();
    let source = device.new_buffer_with_bytes(&bytes, ResourceOptions::SHARED).expect("there is memory");
    let target = device.new_buffer(32, ResourceOptions::SHARED).expect("there is memory");
    let work = device.new_command_queue().command_buffer();
    let mut blit = work.blit_command_encoder().expect("it is open");
    let place = |level, slice, origin| TexturePlace { level, slice, origin };
    blit.copy_buffer_to_texture(
        &source,
        BufferLayout { offset: 1, bytes_per_row: 8 },
        &first,
        place(0, 1, [0, 0]),
        [4, 4],
    )
    .expect("inside");
    blit.copy_texture_region(&first, place(0, 1, [1, 1]), [2, 2], &first, place(1, 0, [0, 0]))
        .expect("inside");
    blit.copy_texture(&first, &second).expect("same shape");
    blit.optimize_contents_for_cpu_access(&second).expect("same device");
    blit.copy_texture_to_buffer(
        &second,
        place(1, 0, [0, 0]),
        [2, 2],
        &target,
        BufferLayout { offset: 2, bytes_per_row: 5 },
    )
    .expect("inside");
    blit.end_encoding();
    run(&work);
    let found = target.read::<u8>(..).expect("it has completed");
    assert_eq!(found[..10], [0, 0, 10, 11, 0, 0, 0, 18, 19, 0]);
}

#[test]
fn an_explicit_queue_orders_what_barriers_order() {
    let device = crate::common::device();
    let (queue, add) = (device.new_explicit_command_queue(), pipeline(&device, "add"));
    let (allocator, work) = (device.new_command_allocator(), device.new_command_buffer());
    let output = numbers(&device, "output", &[0; 16]);
    let back = numbers(&device, "back", &[0; 16]);
    work.begin(&allocator).expect("the allocator is free");
    let mut encoder = work.compute_command_encoder().expect("it has begun");
    let (dispatch, blit, visibility) = (Stages::DISPATCH, Stages::BLIT, Visibility::DEVICE);
    encoder.fill_buffer(&output, .., 0).expect("inside");
    encoder.barrier(blit, dispatch, visibility).expect("it encodes both");
    encoder.set_compute_pipeline_state(&add).expect("same device");
    encoder.set_buffer(1, &output, 0).expect("same device");
    encoder.set_bytes(2, &[3u32, 0]).expect("8 bytes");
    encoder.dispatch_threads([16, 1, 1]).expect("all is bound");
    encoder.barrier_before_queue_stages(dispatch, blit, visibility).expect("any stages");
    assert_eq!(encoder.stages(), dispatch | blit);
    encoder.end_encoding();
    let mut encoder = work.compute_command_encoder().expect("no other is open");
    encoder.copy_buffer(&output, 0, &back, 0, 64).expect("inside");
    encoder.end_encoding();
    work.end().expect("nothing is open");
    let (sender, receiver) = mpsc::channel();
    let options = CommitOptions::new()
        .with_feedback_handler(move |feedback| sender.send(feedback.clone()).expect("kept"));
    let commit = queue.commit_with_options(&[&work], options).expect("it has ended");
    commit.wait_until_completed().expect("it ends well");
    assert!(commit.is_completed());
    let feedback = receiver.recv_timeout(Duration::from_secs(10)).expect("the handler is called");
    assert!(feedback.error.is_none() && feedback.gpu_start_time <= feedback.gpu_end_time, "{feedback:?}");
    assert!(receiver.recv().is_err(), "the handler is called once");
    assert_eq!(back.read::<u32>(..).expect("it has completed"), [3; 16]);
    assert!(allocator.allocated_size() > 0);
    allocator.reset().expect("all has completed");
    assert_eq!(allocator.allocated_size(), 0);
}

#[test]
fn feedback_of_an_empty_group_comes_too() {
    let device = crate::common::device();
    for queue in [device.new_command_queue(), device.new_explicit_command_queue()] {
        let (sender, receiver) = mpsc::channel();
        let options = CommitOptions::new().with_feedback_handler(move |feedback| {
            sender.send(feedback.error.is_none()).expect("kept");
        });
        queue.commit_with_options(&[], options).expect("nothing can be wrong");
        assert!(receiver.recv_timeout(Duration::from_secs(10)).expect("the handler is called"));
        queue.commit(&[]).expect("nothing can be wrong").wait_until_completed().expect("nothing to wait for");
    }
}

#[test]
fn a_command_buffer_is_begun_anew_right_after_its_commit() {
    let device = crate::common::device();
    let (queue, gate) = (device.new_explicit_command_queue(), device.new_shared_event());
    let work = device.new_command_buffer();
    let target = numbers(&device, "target", &[0; 2]);
    let record = |value: u8, range: std::ops::Range<u64>| {
        work.begin(&device.new_command_allocator()).expect("a new allocator is free");
        let mut encoder = work.compute_command_encoder().expect("it has begun");
        encoder.fill_buffer(&target, range, value).expect("inside");
        encoder.end_encoding();
        work.end().expect("nothing is open");
        queue.commit(&[&work]).expect("it has ended")
    };
    queue.wait_for_event(&gate, 1).expect("shared events are for all");
    let (first, second) = (record(1, 0..4), record(2, 4..8));
    assert!(!first.is_completed());
    gate.set_signaled_value(1);
    first.wait_until_completed().expect("the gate is open");
    second.wait_until_completed().expect("the gate is open");
    assert_eq!(target.read::<u32>(..).expect("both have completed"), [0x0101_0101, 0x0202_0202]);
}

#[test]
fn handlers_run_before_the_wait_returns() {
    let device = crate::common::device();
    let work = device.new_command_queue().command_buffer();
    work.set_label("frame");
    let calls = Arc::new(AtomicU32::new(0));
    let (scheduled, completed) = (Arc::clone(&calls), Arc::clone(&calls));
    work.add_scheduled_handler(move |work| {
        assert!(work.status() >= CommandBufferStatus::Scheduled);
        scheduled.fetch_add(1, Ordering::SeqCst);
    })
    .expect("before the commit");
    work.add_completed_handler(move |work| {
        assert_eq!((work.status(), work.label().as_str()), (CommandBufferStatus::Completed, "frame"));
        completed.fetch_add(10, Ordering::SeqCst);
    })
    .expect("before the commit");
    assert_eq!(work.status(), CommandBufferStatus::NotEnqueued);
    work.enqueue().expect("it is tracked");
    assert_eq!(work.status(), CommandBufferStatus::Enqueued);
    run(&work);
    assert_eq!(calls.load(Ordering::SeqCst), 11);
    assert_eq!(Arc::strong_count(&calls), 1, "handlers are dropped once they have run");
}

#[test]
fn an_enqueued_command_buffer_holds_back_the_next() {
    let device = crate::common::device();
    let queue = device.new_command_queue();
    let (first, second) = (queue.command_buffer(), queue.command_buffer());
    first.enqueue().expect("it is tracked");
    second.commit().expect("it is whole");
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(second.status(), CommandBufferStatus::Committed);
    first.commit().expect("it is whole");
    second.wait_until_completed().expect("it ends well");
    assert_eq!(first.status(), CommandBufferStatus::Completed);
}

#[test]
fn what_became_of_each_encoder_is_known() {
    let device = crate::common::device();
    let (queue, copy) = (device.new_command_queue(), pipeline(&device, "copy"));
    let (counts, data) =
        (numbers(&device, "counts", &[0x8000_0000, 1, 1]), numbers(&device, "data", &[0; 4]));
    let output = numbers(&device, "output", &[0; 4]);
    let descriptor = CommandBufferDescriptor { encoder_execution_status: true, ..Default::default() };
    let work = queue.command_buffer_with_descriptor(&descriptor);
    let mut blit = work.blit_command_encoder().expect("it is open");
    blit.set_label("clear");
    blit.insert_debug_signpost("before the fill");
    blit.fill_buffer(&data, .., 1).expect("inside");
    blit.end_encoding();
    let mut encoder = work.compute_command_encoder().expect("no other is open");
    encoder.set_label("culprit");
    encoder.set_compute_pipeline_state(&copy).expect("same device");
    encoder.set_buffer(0, &data, 0).expect("same device");
    encoder.set_buffer(1, &output, 0).expect("same device");
    encoder.dispatch_threadgroups_indirect(&counts, 0).expect("the counts are read later");
    encoder.end_encoding();
    let mut blit = work.blit_command_encoder().expect("no other is open");
    blit.set_label("follower");
    blit.copy_buffer(&output, 0, &data, 0, 4).expect("inside");
    blit.end_encoding();
    work.commit().expect("it is whole");
    let error = refused(work.wait_until_completed(), ErrorKind::InvalidGrid, &[]);
    assert_eq!(work.error().map(|found| found.to_string()), Some(error.to_string()));
    let infos = work.encoder_infos();
    let kinds: Vec<_> = infos.iter().map(|info| info.kind).collect();
    assert_eq!(kinds, [PassKind::Blit, PassKind::Compute, PassKind::Blit]);
    let states: Vec<_> = infos.iter().map(|info| (info.label.as_str(), info.error_state)).collect();
    use CommandEncoderErrorState::{Affected, Completed, Faulted};
    assert_eq!(states, [("clear", Completed), ("culprit", Faulted), ("follower", Affected)]);
    assert_eq!(infos[0].debug_signposts, ["before the fill"]);
    assert!(infos[0].gpu_times.is_some());
}

#[test]
fn a_queue_takes_as_many_command_buffers_as_it_was_told() {
    let device = crate::common::device();
    let descriptor = CommandQueueDescriptor { max_command_buffer_count: 2, label: "narrow".to_owned() };
    let queue = device.new_command_queue_with_descriptor(&descriptor);
    assert_eq!(queue.label(), "narrow");
    for _ in 0..100 {
        queue.command_buffer().commit().expect("it is whole");
    }
    let (first, second) = (queue.command_buffer(), queue.command_buffer());
    let (sender, receiver) = mpsc::channel();
    let other = queue.clone();
    let third = std::thread::spawn(move || sender.send(other.command_buffer().label()));
    assert!(receiver.recv_timeout(Duration::from_millis(50)).is_err(), "the third waits");
    drop(first);
    receiver.recv_timeout(Duration::from_secs(10)).expect("dropping one makes room");
    third.join().expect("it does not panic").expect("the receiver is there");
    run(&second);
}

#[test]
fn shared_events_tell_listeners_and_threads() {
    let device = crate::common::device();
    let (queue, event) = (device.new_command_queue(), device.new_shared_event());
    let listener = SharedEventListener::new();
    let (sender, receiver) = mpsc::channel();
    for value in [2, 1] {
        let sender = sender.clone();
        event.notify(&listener, value, move |event, reached| {
            assert!(event.signaled_value() >= reached);
            sender.send((value, reached >= value)).expect("kept");
        });
    }
    assert!(!event.wait_until_signaled_value(1, Duration::from_millis(5)));
    let work = queue.command_buffer();
    work.encode_wait_for_event(&event, 1).expect("no encoder is open");
    work.encode_signal_event(&event, 2).expect("no encoder is open");
    work.commit().expect("a wait may come before its signal");
    event.set_signaled_value(1);
    assert!(event.wait_until_signaled_value(2, Duration::from_secs(10)));
    event.set_signaled_value(1);
    assert_eq!(event.signaled_value(), 2, "a smaller value changes nothing");
    let told: Vec<_> =
        (0..2).map(|_| receiver.recv_timeout(Duration::from_secs(10)).expect("told")).collect();
    assert_eq!(told, [(1, true), (2, true)]);
}

#[test]
fn declared_uses_and_heaps_are_tracked() {
    let device = crate::common::device();
    let (queue, copy) = (device.new_command_queue(), pipeline(&device, "copy"));
    let options = ResourceOptions::SHARED.tracked();
    let heap =
        device.new_heap(&HeapDescriptor { size: 4096, options, ..Default::default() }).expect("memory");
    let (input, output) =
        (heap.new_buffer(64, options).expect("room"), heap.new_buffer(64, options).expect("room"));
    input.write(0, &[4u32; 16]).expect("nothing is in flight");
    let work = queue.command_buffer();
    let mut encoder = work.compute_command_encoder().expect("it is open");
    encoder.use_heap(&heap).expect("same device");
    encoder.use_resource(&output, ResourceUsage::READ | ResourceUsage::WRITE).expect("same device");
    encoder.memory_barrier_with_resources(&[&input, &output]).expect("it is tracked");
    encoder.set_compute_pipeline_state(&copy).expect("same device");
    encoder.set_buffer(0, &input, 0).expect("same device");
    encoder.set_buffer_range(1, &output, 16..48).expect("inside");
    encoder.dispatch_threads([16, 1, 1]).expect("all is bound");
    encoder.end_encoding();
    let mut blit = work.blit_command_encoder().expect("no other is open");
    blit.copy_buffer(&output, 16, &output, 0, 4).expect("inside");
    blit.end_encoding();
    run(&work);
    let found = output.read::<u32>(..13 * 4).expect("it has completed");
    assert_eq!(found[..1], [4]);
    assert_eq!(found[4..12], [4; 8], "the bound range is written, and no more");
}

#[test]
fn resources_live_as_long_as_work_uses_them() {
    let device = crate::common::device();
    let (queue, gate) = (device.new_command_queue(), device.new_shared_event());
    let target = numbers(&device, "target", &[0; 4]);
    let work = queue.command_buffer_with_unretained_references();
    assert!(!work.retained_references());
    work.encode_wait_for_event(&gate, 1).expect("no encoder is open");
    {
        let source = numbers(&device, "short-lived", &[8; 4]);
        let fence = device.new_fence();
        let mut blit = work.blit_command_encoder().expect("it is open");
        blit.wait_for_fence(&fence).expect("same device");
        blit.copy_buffer(&source, 0, &target, 0, 16).expect("inside");
        blit.update_fence(&fence).expect("same device");
    }
    work.commit().expect("dropping the encoder ended it");
    drop(queue);
    gate.set_signaled_value(1);
    work.wait_until_completed().expect("the gate is open");
    assert_eq!(target.read::<u32>(..).expect("it has completed"), [8; 4]);
}
