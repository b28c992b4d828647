//! Misuse of the objects: what one call can see is an error of that call, and names both sides.
use fencepost::{BarrierScope, DispatchType, ErrorKind, ResourceOptions, ResourceUsage, Stages, Visibility};

use crate::common::{misuse, numbers, run, still_works};

#[test]
fn an_event_operation_inside_a_pass_is_refused() {
    let device = crate::common::device();
    let (queue, event) = (device.new_command_queue(), device.new_event());
    let work = queue.command_buffer();
    let encoder = work.blit_command_encoder().expect("it is open");
    misuse(work.encode_signal_event(&event, 1), ErrorKind::EncoderOpen, &["blit encoder", "end_encoding"]);
    misuse(work.encode_wait_for_event(&event, 1), ErrorKind::EncoderOpen, &["blit encoder"]);
    encoder.end_encoding();
    work.encode_signal_event(&event, 1).expect("no encoder is open");
    run(&work);
}

#[test]
fn a_second_encoder_is_refused_until_the_first_ends() {
    let device = crate::common::device();
    let work = device.new_command_queue().command_buffer();
    let first = work.compute_command_encoder().expect("it is open");
    misuse(work.blit_command_encoder(), ErrorKind::EncoderOpen, &["compute encoder"]);
    misuse(work.compute_command_encoder(), ErrorKind::EncoderOpen, &["compute encoder"]);
    misuse(work.push_debug_group("group"), ErrorKind::EncoderOpen, &["compute encoder"]);
    let concurrent = work.compute_command_encoder_with_dispatch_type(DispatchType::Concurrent);
    misuse(concurrent, ErrorKind::EncoderOpen, &["`compute_command_encoder_with_dispatch_type` on"]);
    drop(first);
    work.blit_command_encoder().expect("dropping an encoder ends it").end_encoding();
    run(&work);
}

#[test]
fn handlers_come_before_the_commit_and_waits_after_it() {
    let device = crate::common::device();
    let work = device.new_command_queue().command_buffer();
    misuse(
        work.wait_until_completed(),
        ErrorKind::NotCommitted,
        &["wait_until_completed", "Commit it first"],
    );
    misuse(work.wait_until_scheduled(), ErrorKind::NotCommitted, &["wait_until_scheduled"]);
    run(&work);
    misuse(work.add_completed_handler(|_| {}), ErrorKind::AlreadyCommitted, &["add_completed_handler"]);
    misuse(work.add_scheduled_handler(|_| {}), ErrorKind::AlreadyCommitted, &["add_scheduled_handler"]);
    misuse(
        work.encode_signal_event(&device.new_event(), 1),
        ErrorKind::AlreadyCommitted,
        &["encode_signal_event"],
    );
}

#[test]
fn an_explicit_command_buffer_goes_through_its_phases() {
    let device = crate::common::device();
    let queue = device.new_explicit_command_queue();
    let (allocator, other) = (device.new_command_allocator(), device.new_command_allocator());
    allocator.set_label("ring 0");
    let (work, second) = (device.new_command_buffer(), device.new_command_buffer());
    work.set_label("frame");
    let kind = ErrorKind::NotRecording;
    misuse(work.compute_command_encoder(), kind, &["`frame`", "`begin`"]);
    misuse(work.end(), kind, &["`frame`", "`begin`"]);
    misuse(queue.commit(&[&work]), kind, &["`frame`", "`begin`"]);
    work.begin(&allocator).expect("the allocator is free");
    misuse(work.begin(&other), kind, &["`frame`", "`end` first"]);
    misuse(second.begin(&allocator), ErrorKind::AllocatorInUse, &["`ring 0`", "`frame`"]);
    misuse(allocator.reset(), ErrorKind::AllocatorInUse, &["`ring 0`", "`frame`"]);
    misuse(queue.commit(&[&work]), kind, &["`frame`", "before `end`"]);
    let encoder = work.compute_command_encoder().expect("it has begun");
    misuse(work.end(), ErrorKind::EncoderOpen, &["compute encoder"]);
    encoder.end_encoding();
    work.end().expect("no encoder is open");
    misuse(work.compute_command_encoder(), kind, &["has ended"]);
    second.begin(&allocator).expect("the allocator is free again");
    second.end().expect("nothing is open");
    let foreign = crate::common::device().new_command_allocator();
    misuse(work.begin(&foreign), ErrorKind::WrongDevice, &["command allocator"]);
    queue
        .commit(&[&work, &second])
        .expect("both have ended")
        .wait_until_completed()
        .expect("they do nothing");
    misuse(queue.commit(&[&work]), kind, &["`begin`"]);
    allocator.reset().expect("all has completed");
}

#[test]
fn an_allocator_in_flight_is_not_reset() {
    let device = crate::common::device();
    let (queue, gate) = (device.new_explicit_command_queue(), device.new_shared_event());
    let (allocator, work) = (device.new_command_allocator(), device.new_command_buffer());
    work.begin(&allocator).expect("the allocator is free");
    work.end().expect("nothing is open");
    queue.wait_for_event(&gate, 1).expect("shared events are for all");
    let commit = queue.commit(&[&work]).expect("it has ended");
    misuse(allocator.reset(), ErrorKind::AllocatorInUse, &["1 command buffer"]);
    gate.set_signaled_value(1);
    commit.wait_until_completed().expect("the gate is open");
    allocator.reset().expect("all has completed");
}

#[test]
fn each_mode_of_queue_refuses_the_operations_of_the_other() {
    let device = crate::common::device();
    let kind = ErrorKind::WrongQueueMode;
    let (tracked, explicit) = (device.new_command_queue(), device.new_explicit_command_queue());
    let (buffer, event) = (numbers(&device, "data", &[0; 4]), device.new_event());
    misuse(tracked.signal_event(&event, 1), kind, &["tracked"]);
    misuse(tracked.wait_for_event(&event, 1), kind, &["tracked"]);
    let work = tracked.command_buffer();
    misuse(work.begin(&device.new_command_allocator()), kind, &["tracked"]);
    misuse(work.end(), kind, &["tracked"]);
    misuse(explicit.commit(&[&work]), kind, &["queue"]);
    let mut encoder = work.compute_command_encoder().expect("it is open");
    let (all, visibility) = (Stages::DISPATCH, Visibility::DEVICE);
    misuse(encoder.barrier(all, all, visibility), kind, &["memory_barrier_with_scope"]);
    misuse(encoder.barrier_before_queue_stages(all, all, visibility), kind, &["fence"]);
    misuse(encoder.fill_buffer(&buffer, .., 1), kind, &["blit encoder"]);
    encoder.end_encoding();
    run(&work);

    let work = device.new_command_buffer();
    work.begin(&device.new_command_allocator()).expect("the allocator is free");
    misuse(work.encode_signal_event(&event, 1), kind, &["explicit", "queue"]);
    misuse(work.enqueue(), kind, &["explicit"]);
    misuse(work.commit(), kind, &["CommandQueue::commit"]);
    misuse(work.add_completed_handler(|_| {}), kind, &["feedback handler"]);
    misuse(work.wait_until_completed(), kind, &["explicit"]);
    misuse(work.blit_command_encoder(), kind, &["compute encoder"]);
    misuse(work.compute_command_encoder_with_dispatch_type(DispatchType::Serial), kind, &["barriers"]);
    let mut encoder = work.compute_command_encoder().expect("it has begun");
    misuse(encoder.memory_barrier_with_scope(BarrierScope::BUFFERS), kind, &["`barrier`"]);
    misuse(encoder.memory_barrier_with_resources(&[&buffer]), kind, &["`barrier`"]);
    misuse(encoder.use_resource(&buffer, ResourceUsage::READ), kind, &["fences"]);
    encoder.end_encoding();
    work.end().expect("nothing is open");
    misuse(tracked.commit(&[&work]), kind, &["explicit"]);
    explicit.commit(&[&work]).expect("it has ended").wait_until_completed().expect("it does nothing");
    still_works(&tracked);
}

#[test]
fn stages_that_an_encoder_cannot_encode_are_refused() {
    let device = crate::common::device();
    let fence = device.new_fence();
    let kind = ErrorKind::InvalidStages;
    let work = device.new_command_buffer();
    work.begin(&device.new_command_allocator()).expect("the allocator is free");
    let mut encoder = work.compute_command_encoder().expect("it has begun");
    let (dispatch, visibility) = (Stages::DISPATCH, Visibility::DEVICE);
    misuse(
        encoder.barrier(Stages::FRAGMENT, dispatch, visibility),
        kind,
        &["FRAGMENT", "compute encoder", "BLIT"],
    );
    misuse(encoder.barrier(dispatch, Stages::ALL, visibility), kind, &["compute encoder"]);
    misuse(encoder.update_fence_after_stages(&fence, Stages::VERTEX), kind, &["VERTEX"]);
    misuse(
        encoder.wait_for_fence_before_stages(&fence, Stages::MACHINE_LEARNING),
        kind,
        &["MACHINE_LEARNING"],
    );
    for after in [Stages::DISPATCH, Stages::BLIT, Stages::ACCELERATION_STRUCTURE] {
        for before in [Stages::DISPATCH, Stages::BLIT, Stages::ACCELERATION_STRUCTURE] {
            encoder.barrier(after, before, visibility).expect("all nine pairs are legal");
        }
    }
    encoder.barrier(Stages::empty(), dispatch, visibility).expect("an empty set orders nothing");
    // Queue barriers may name stages that this encoder cannot run.
    encoder.barrier_after_queue_stages(Stages::FRAGMENT, Stages::VERTEX, visibility);
    encoder.barrier_before_queue_stages(Stages::ALL, Stages::ALL, visibility).expect("any stages");
    encoder.end_encoding();
    let work = device.new_command_queue().command_buffer();
    let mut blit = work.blit_command_encoder().expect("it is open");
    misuse(blit.update_fence_after_stages(&fence, Stages::DISPATCH), kind, &["blit encoder", "DISPATCH"]);
}

#[test]
fn a_fence_is_waited_for_before_it_is_updated() {
    let device = crate::common::device();
    let (fence, other) = (device.new_fence(), device.new_fence());
    fence.set_label("levels");
    let work = device.new_command_queue().command_buffer();
    let mut blit = work.blit_command_encoder().expect("it is open");
    blit.set_label("shrink");
    blit.wait_for_fence(&fence).expect("waiting first is the usual reuse");
    blit.update_fence(&fence).expect("same device");
    blit.wait_for_fence(&other).expect("another fence");
    misuse(blit.wait_for_fence(&fence), ErrorKind::FenceOrder, &["fence `levels`", "blit encoder `shrink`"]);
    blit.end_encoding();
    let mut next = work.blit_command_encoder().expect("no other is open");
    next.wait_for_fence(&fence).expect("another pass");
    next.end_encoding();
    run(&work);
}

#[test]
fn debug_groups_are_popped_where_they_were_pushed() {
    let device = crate::common::device();
    let work = device.new_command_queue().command_buffer();
    misuse(work.pop_debug_group(), ErrorKind::InvalidArgument, &["command buffer"]);
    work.push_debug_group("outer").expect("it is open");
    let mut blit = work.blit_command_encoder().expect("it is open");
    misuse(blit.pop_debug_group(), ErrorKind::InvalidArgument, &["blit encoder"]);
    blit.push_debug_group("inner");
    blit.pop_debug_group().expect("it is its own");
    blit.end_encoding();
    work.pop_debug_group().expect("the outer group is still open");
    run(&work);
}

#[test]
fn a_failed_group_commits_nothing() {
    let device = crate::common::device();
    let queue = device.new_command_queue();
    let buffer = numbers(&device, "data", &[0; 4]);
    let (good, bad) = (queue.command_buffer(), queue.command_buffer());
    let mut blit = good.blit_command_encoder().expect("it is open");
    blit.fill_buffer(&buffer, .., 3).expect("inside");
    blit.end_encoding();
    let open = bad.blit_command_encoder().expect("it is open");
    misuse(queue.commit(&[&good, &bad]), ErrorKind::EncoderOpen, &["blit encoder"]);
    open.end_encoding();
    assert_eq!(buffer.read::<u32>(..).expect("nothing is in flight"), [0; 4]);
    queue.commit(&[&good, &bad]).expect("now both can").wait_until_completed().expect("they end well");
    assert_eq!(buffer.read::<u8>(..).expect("it has completed"), [3; 16]);
    let other = device.new_command_queue();
    misuse(other.commit(&[&queue.command_buffer()]), ErrorKind::InvalidArgument, &["another queue"]);
}

#[test]
fn uses_without_a_usage_are_refused() {
    let device = crate::common::device();
    let buffer = device.new_buffer(64, ResourceOptions::SHARED).expect("there is memory");
    let work = device.new_command_queue().command_buffer();
    let mut encoder = work.compute_command_encoder().expect("it is open");
    misuse(
        encoder.use_resource(&buffer, ResourceUsage::empty()),
        ErrorKind::InvalidArgument,
        &["read nor write"],
    );
    misuse(encoder.set_bytes(0, &[0u8; 4097]), ErrorKind::InvalidArgument, &["4096"]);
    misuse(encoder.set_buffer((4, 0), &buffer, 0), ErrorKind::InvalidArgument, &["group 4"]);
    misuse(encoder.set_buffer(1000, &buffer, 0), ErrorKind::InvalidArgument, &["binding 1000"]);
}
