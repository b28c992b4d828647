//! Shared events and buffers through their handles. Both ends are in this process, as two that know nothing of each other; two real
//! processes are S14's, and the example `two_processes`, where one of them is killed.
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::Duration;

use fencepost::{
    BufferHandle, Device, ErrorKind, HazardTrackingMode, PeerWatch, ResourceOptions, SharedEvent,
    SharedEventHandle, SharedEventListener, SharedMemory,
};

use crate::common::refused;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(2);

/// The same event as another process would have it.
fn elsewhere(event: &SharedEvent) -> SharedEvent {
    Device::cpu().shared_event_from_handle(event.handle().unwrap()).unwrap()
}

/// What the listener of an event gets, in order.
fn notified(event: &SharedEvent, values: &[u64]) -> mpsc::Receiver<(u64, u64)> {
    let (sender, receiver) = mpsc::channel();
    let listener = SharedEventListener::new();
    for &value in values {
        let sender = sender.clone();
        event.notify(&listener, value, move |_, reached| sender.send((value, reached)).unwrap());
    }
    receiver
}

#[test]
fn values_and_labels_cross_both_ways() {
    let ours = Device::cpu().new_shared_event();
    ours.set_label("frames");
    ours.set_signaled_value(3); // before anybody else has it
    let theirs = elsewhere(&ours);
    assert_eq!((theirs.label(), theirs.signaled_value()), ("frames".to_owned(), 3));
    theirs.set_signaled_value(5);
    assert_eq!(ours.signaled_value(), 5);
    ours.set_signaled_value(4);
    assert_eq!(theirs.signaled_value(), 5, "raised only");
    assert!(!ours.wait_until_signaled_value(6, SHORT));
    let waiting = std::thread::spawn(move || ours.wait_until_signaled_value(1 << 40, LONG));
    theirs.set_signaled_value(1 << 40);
    assert!(waiting.join().unwrap());
}

#[test]
fn queues_wait_for_the_other_process_and_signal_to_it() {
    let device = Device::cpu();
    let ours = device.new_shared_event();
    let queue = device.new_command_queue();
    // One wait is there before the event is given away, one comes after.
    let first = queue.command_buffer();
    first.encode_wait_for_event(&ours, 1).unwrap();
    first.encode_signal_event(&ours, 2).unwrap();
    first.commit().unwrap();
    let theirs = elsewhere(&ours);
    let second = queue.command_buffer();
    second.encode_wait_for_event(&ours, 3).unwrap();
    second.encode_signal_event(&ours, 4).unwrap();
    second.commit().unwrap();
    theirs.set_signaled_value(1);
    assert!(theirs.wait_until_signaled_value(2, LONG));
    assert!(!theirs.wait_until_signaled_value(4, SHORT));
    theirs.set_signaled_value(3);
    assert!(theirs.wait_until_signaled_value(4, LONG));
    second.wait_until_completed().unwrap();
}

#[test]
fn listeners_hear_the_other_process_in_order() {
    let ours = Device::cpu().new_shared_event();
    let before = notified(&ours, &[2, 1]);
    let theirs = elsewhere(&ours);
    let after = notified(&ours, &[3, 1, 4]);
    theirs.set_signaled_value(1);
    assert_eq!(before.recv_timeout(LONG), Ok((1, 1)));
    assert_eq!(after.recv_timeout(LONG), Ok((1, 1)));
    theirs.set_signaled_value(4);
    assert_eq!(before.recv_timeout(LONG), Ok((2, 4)));
    assert_eq!(after.recv_timeout(LONG), Ok((3, 4)));
    assert_eq!(after.recv_timeout(LONG), Ok((4, 4)));
    // What is raised here meanwhile takes nothing from what is raised there.
    let mixed = notified(&ours, &[6, 8]);
    ours.set_signaled_value(5);
    theirs.set_signaled_value(6);
    assert_eq!(mixed.recv_timeout(LONG), Ok((6, 6)));
    ours.set_signaled_value(7);
    theirs.set_signaled_value(8);
    assert_eq!(mixed.recv_timeout(LONG), Ok((8, 8)));
}

#[test]
fn a_waiter_from_before_the_handle_is_woken() {
    let ours = Device::cpu().new_shared_event();
    let waiting = {
        let ours = ours.clone();
        std::thread::spawn(move || ours.wait_until_signaled_value(2, LONG))
    };
    let theirs = elsewhere(&ours);
    theirs.set_signaled_value(1);
    theirs.set_signaled_value(2);
    assert!(waiting.join().unwrap());
}

/// More than one thread can watch at once.
#[test]
fn many_events_are_watched() {
    watch_many();
}

/// A kernel before 5.16 cannot wait for several counters: here the call is forbidden to a process of its own, in which threads for single
/// events and threads that look now and then take its place.
#[test]
fn events_are_watched_on_an_old_kernel() {
    const OLD: &str = "FENCEPOST_OLD_KERNEL";
    if std::env::var_os(OLD).is_none() {
        let name = "processes::events_are_watched_on_an_old_kernel";
        let mut test = std::process::Command::new(std::env::current_exe().unwrap());
        let ended = test.args(["--exact", name, "--quiet"]).env(OLD, "1").status().unwrap();
        assert!(ended.success(), "see above");
        return;
    }
    forbid_waiting_for_several();
    listeners_hear_the_other_process_in_order();
    queues_wait_for_the_other_process_and_signal_to_it();
    a_waiter_from_before_the_handle_is_woken();
    watch_many();
    // All of them are gone, and with them their threads: there is room for new ones.
    watch_many();
}

fn forbid_waiting_for_several() {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
    /// `futex_waitv` on every kind of processor, and "function not implemented".
    const CALL: (i64, u32) = (449, 38);
    let forbidden = std::collections::BTreeMap::from([(CALL.0, Vec::new())]);
    let here = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(forbidden, SeccompAction::Allow, SeccompAction::Errno(CALL.1), here);
    let filter: BpfProgram = filter.unwrap().try_into().unwrap();
    // For this thread and those that it starts.
    seccompiler::apply_filter(&filter).unwrap();
    assert!(!fencepost_ipc::waits_for_several());
}

fn watch_many() {
    let device = Device::cpu();
    let events: Vec<_> = (0..300).map(|_| device.new_shared_event()).collect();
    let others: Vec<_> = events.iter().map(elsewhere).collect();
    let heard: Vec<_> = events.iter().map(|event| notified(event, &[1])).collect();
    for other in others.iter().rev() {
        other.set_signaled_value(1);
    }
    for heard in heard {
        assert_eq!(heard.recv_timeout(LONG), Ok((1, 1)));
    }
}

#[test]
fn two_devices_over_one_memory() {
    let (here, there) = (Device::cpu(), Device::cpu());
    let options = ResourceOptions::SHARED;
    let ours = here.new_shareable_buffer(10, options).unwrap();
    ours.set_label("picture");
    let theirs = there.buffer_from_handle(ours.handle().unwrap(), options).unwrap();
    assert_eq!((theirs.label(), theirs.length()), ("picture".to_owned(), 10));
    let event = here.new_shared_event();
    let same = there.shared_event_from_handle(event.handle().unwrap()).unwrap();
    let copied = there.new_buffer(10, options).unwrap();
    let reading = there.new_command_queue().command_buffer();
    reading.encode_wait_for_event(&same, 1).unwrap();
    let mut encoder = reading.blit_command_encoder().unwrap();
    encoder.copy_buffer(&theirs, 0, &copied, 0, 10).unwrap();
    encoder.end_encoding();
    reading.commit().unwrap();
    let writing = here.new_command_queue().command_buffer();
    let mut encoder = writing.blit_command_encoder().unwrap();
    encoder.fill_buffer(&ours, .., 7).unwrap();
    encoder.end_encoding();
    writing.encode_signal_event(&event, 1).unwrap();
    writing.commit().unwrap();
    reading.wait_until_completed().unwrap();
    assert_eq!(copied.read::<u8>(..).unwrap(), [7; 10]);
    // A third name for the same bytes, whose work the guards see.
    let third = here.new_buffer_sharing(&theirs, .., HazardTrackingMode::Tracked).unwrap();
    third.write(0, &[9u8]).unwrap();
    assert_eq!(ours.read::<u8>(..2).unwrap(), [9, 7]);
}

#[test]
fn memory_of_the_programs_own() {
    let memory = std::sync::Arc::new(SharedMemory::new(8).unwrap());
    let (first, second) = (Device::cpu(), Device::cpu());
    let one = first.buffer_with_bytes_no_copy(&memory, ResourceOptions::SHARED).unwrap();
    let two = second.buffer_with_bytes_no_copy(&memory, ResourceOptions::SHARED).unwrap();
    one.write(0, &[1u32, 2]).unwrap();
    assert_eq!(two.read::<u32>(..).unwrap(), [1, 2]);
    memory.words()[1].store(3, std::sync::atomic::Ordering::Relaxed);
    drop((memory, one));
    assert_eq!(two.read::<u32>(..).unwrap(), [1, 3], "the memory lives as long as a buffer does");
}

#[test]
fn what_is_no_handle_is_refused() {
    let device = Device::cpu();
    let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    refused(device.shared_event_from_handle(null().into()), ErrorKind::InvalidHandle, &["no memory file"]);
    refused(device.buffer_from_handle(null().into(), ResourceOptions::SHARED), ErrorKind::InvalidHandle, &[]);
    // Memory is no event, and the other way round over a socket.
    let buffer = device.new_shareable_buffer(4096, ResourceOptions::SHARED).unwrap();
    let file = OwnedFd::from(buffer.handle().unwrap());
    refused(device.shared_event_from_handle(file.into()), ErrorKind::InvalidHandle, &["no counter"]);
    let (ours, theirs) = UnixStream::pair().unwrap();
    buffer.handle().unwrap().send(&ours).unwrap();
    refused(SharedEventHandle::receive(&theirs), ErrorKind::InvalidHandle, &["memory", "counter"]);
    drop(ours);
    refused(BufferHandle::receive(&theirs), ErrorKind::Process, &["closed"]);
    assert!(PeerWatch::socket(&theirs).unwrap().has_gone());
    // What cannot be given away says how to make what can.
    let plain = device.new_buffer(16, ResourceOptions::SHARED).unwrap();
    refused(plain.handle(), ErrorKind::Unsupported, &["new_shareable_buffer"]);
    refused(device.new_shareable_buffer(0, ResourceOptions::SHARED), ErrorKind::InvalidArgument, &[]);
    let event = device.new_shared_event();
    event.set_label(&"x".repeat(1001));
    refused(event.handle(), ErrorKind::InvalidArgument, &["1001"]);
}
