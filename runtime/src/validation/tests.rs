//! What the validator keeps.
use crate::{Buffer, CpuOptions, Device, ResourceOptions, Validation};

/// So many records of what was, and so many places in the source.
fn kept(device: &Device) -> usize {
    device.shared.validator.as_ref().map_or(0, |validator| validator.feed.lock().size())
}

/// Frames as an app makes them: a fence for all, new command buffers, events and buffers each, three frames in flight.
fn run(device: &Device, frames: u64) {
    let (queue, done, fence) = (device.new_command_queue(), device.new_shared_event(), device.new_fence());
    let ring: Vec<Buffer> = (0..3)
        .map(|_| device.new_buffer(256, ResourceOptions::SHARED.untracked()).expect("a buffer"))
        .collect();
    for frame in 1..=frames {
        assert!(done.wait_until_signaled_value(frame.saturating_sub(3), std::time::Duration::from_secs(60)));
        let own = &ring[frame as usize % 3];
        own.contents().expect("shared").write(0, &[frame; 4]).expect("in bounds");
        let scratch = device.new_buffer(64, ResourceOptions::PRIVATE).expect("a buffer");
        let event = device.new_event();
        let work = queue.command_buffer();
        let mut blit = work.blit_command_encoder().expect("an encoder");
        blit.copy_buffer(own, 0, &scratch, 0, 32).expect("a copy");
        blit.update_fence(&fence).expect("an update");
        blit.end_encoding();
        work.encode_signal_event(&event, 1).expect("a signal");
        work.encode_wait_for_event(&event, 1).expect("a wait");
        let mut blit = work.blit_command_encoder().expect("an encoder");
        blit.wait_for_fence(&fence).expect("a wait");
        blit.copy_buffer(&scratch, 0, own, 128, 32).expect("a copy");
        blit.end_encoding();
        work.encode_signal_event(&done, frame).expect("a signal");
        work.commit().expect("clean");
    }
    assert!(done.wait_until_signaled_value(frames, std::time::Duration::from_secs(60)));
}

#[test]
fn a_long_running_app_takes_no_more_than_a_short_one() {
    let device =
        Device::cpu_with(CpuOptions { validation: Some(Validation::Report), ..CpuOptions::default() });
    device.set_validation_handler(|finding| panic!("{finding}"));
    run(&device, 1_000);
    let short = kept(&device);
    run(&device, 10_000);
    let long = kept(&device);
    assert!(long <= 2 * short, "{short} records after 1000 frames, {long} after 11000");
}

#[test]
fn refused_commits_leave_nothing() {
    let device = Device::cpu_with(CpuOptions { validation: Some(Validation::Deny), ..CpuOptions::default() });
    device.set_validation_handler(|_| {});
    let queue = device.new_command_queue();
    let numbers = device.new_buffer(256, ResourceOptions::SHARED.untracked()).expect("a buffer");
    let fill = || {
        let work = queue.command_buffer();
        let mut blit = work.blit_command_encoder().expect("an encoder");
        blit.fill_buffer(&numbers, .., 1).expect("a fill");
        blit.end_encoding();
        work
    };
    fill().commit().expect("the first");
    let refuse = |times: u32| (0..times).for_each(|_| drop(fill().commit().expect_err("a race")));
    refuse(10);
    let few = kept(&device);
    refuse(500);
    let many = kept(&device);
    assert!(many <= 2 * few, "{few} records after 10 refusals, {many} after 510");
}
