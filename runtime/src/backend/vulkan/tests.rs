//! What only this backend promises. Where no driver is, there is nothing to test: the steps of CI install one and insist on it.
use std::sync::Arc;

use super::VulkanDevice;
use crate::backend::Backend;
use crate::{Device, ErrorKind, Fault, ResourceOptions, VulkanOptions};

/// A device, unless there is none and nobody has said that there must be one.
fn device() -> Option<(Arc<VulkanDevice>, Device)> {
    match VulkanDevice::open(&VulkanOptions::default()) {
        Ok(made) => {
            let backend = Arc::new(made);
            let device = Device::of_backend(Arc::clone(&backend) as Arc<dyn Backend>, None);
            Some((backend, device))
        }
        Err(error) if std::env::var_os("FENCEPOST_TEST_DEVICE").is_none() => {
            assert_eq!(error.fault(), Fault::Unsupported, "{error}");
            None
        }
        Err(error) => panic!("a device is asked for: {error}"),
    }
}

#[test]
fn a_lost_device_fails_what_was_in_flight_and_whoever_waits() {
    let Some((backend, device)) = device() else { return };
    let buffer = device.new_buffer(4096, ResourceOptions::SHARED).expect("there is memory");
    let (queue, other) = (device.new_command_queue(), device.new_command_queue());
    let event = device.new_event();
    let fill = |value: u8| {
        let work = queue.command_buffer();
        let mut blit = work.blit_command_encoder().expect("a new buffer is open");
        blit.fill_buffer(&buffer, .., value).expect("the range is the buffer's");
        blit.end_encoding();
        work
    };
    let first = fill(1);
    first.commit().expect("it is sound");
    first.wait_until_completed().expect("the device is there");
    backend.executor.lose_at(0);
    // Waits for what the lost work would have raised.
    let waiter = other.command_buffer();
    waiter.encode_wait_for_event(&event, 1).expect("it is open");
    waiter.commit().expect("it is sound");
    let second = fill(2);
    second.encode_signal_event(&event, 1).expect("it is open");
    second.commit().expect("the device may be lost at any time");
    assert_eq!(second.wait_until_completed().unwrap_err().kind(), ErrorKind::DeviceLost);
    let error = waiter.wait_until_completed().unwrap_err();
    assert_eq!(error.fault(), Fault::Lost, "{error}");
    let third = fill(3);
    third.commit().expect("nobody knows before it runs");
    assert_eq!(third.wait_until_completed().unwrap_err().kind(), ErrorKind::DeviceLost);
    assert_eq!(buffer.read::<u8>(..1).expect("nothing is in flight"), [1]);
}
