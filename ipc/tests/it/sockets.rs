//! Handles over sockets: what arrives, and what a sender can do to us.
use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use fencepost_ipc::{Counter, Error, Handle, HandleKind, SharedMemory, receive_handle, send_handle};
use rustix::net::{AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::net::{SocketFlags, SocketType, sendmsg, socketpair};

fn packets() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

#[test]
fn what_is_sent_arrives_with_its_label() {
    fn round(ours: impl AsFd, theirs: impl AsFd) {
        let (counter, memory) = (Counter::new().unwrap(), SharedMemory::new(4097).unwrap());
        send_handle(&ours, &counter.handle("größer").unwrap()).unwrap();
        send_handle(&ours, &memory.handle("").unwrap()).unwrap();
        let handle = receive_handle(&theirs).unwrap();
        assert_eq!((handle.kind(), handle.label()), (HandleKind::Counter, "größer"));
        let flags = rustix::io::fcntl_getfd(&handle).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC), "programs that we run must not get it");
        counter.raise(7);
        assert_eq!(Counter::try_from(handle).unwrap().value(), 7);
        let handle = receive_handle(&theirs).unwrap();
        assert_eq!((handle.kind(), handle.label()), (HandleKind::Memory, ""));
        assert_eq!(SharedMemory::try_from(handle).unwrap().length(), 4097);
    }
    let (ours, theirs) = UnixStream::pair().unwrap();
    round(ours, theirs);
    let (ours, theirs) = packets();
    round(ours, theirs);
}

#[test]
fn a_transport_of_ones_own_needs_the_descriptor_alone() {
    let counter = Counter::new().unwrap();
    let copy = counter.as_fd().try_clone_to_owned().unwrap();
    Counter::try_from(copy).unwrap().raise(2);
    assert_eq!(counter.value(), 2);
    let file = OwnedFd::from(counter);
    assert_eq!(Counter::try_from(file).unwrap().value(), 2, "the number lives in the file");
}

#[test]
fn labels_have_a_limit() {
    let counter = Counter::new().unwrap();
    assert!(counter.handle(&"x".repeat(Handle::MAX_LABEL)).is_ok());
    let refused = counter.handle(&"x".repeat(Handle::MAX_LABEL + 1)).unwrap_err();
    assert!(matches!(refused, Error::LabelTooLong { length: 1001, most: 1000 }), "{refused}");
}

/// Bytes as `send_handle` makes them for this label, taken from the socket.
fn record_of(label: &str) -> [u8; 1024] {
    let (ours, theirs) = packets();
    send_handle(&ours, &Counter::new().unwrap().handle(label).unwrap()).unwrap();
    let mut record = [0; 1024];
    let (received, _) = rustix::net::recv(&theirs, &mut record, rustix::net::RecvFlags::empty()).unwrap();
    assert_eq!(received, record.len());
    record
}

fn send_raw(socket: impl AsFd, bytes: &[u8], files: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); 2048];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(files.is_empty() || control.push(SendAncillaryMessage::ScmRights(files)));
    let sent = sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).unwrap();
    assert_eq!(sent, bytes.len());
}

/// The other end of a pipe sees the last descriptor of this end closed.
fn closed_everywhere(other_end: &OwnedFd) -> bool {
    rustix::io::read(other_end, &mut [0]).unwrap() == 0
}

#[test]
fn descriptors_that_nobody_asked_for_are_closed() {
    for count in [2, 3, 4, 5, 200] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let many = vec![writer.as_fd(); count];
        send_raw(&ours, &record_of("many"), &many);
        drop(writer);
        assert!(matches!(receive_handle(&theirs), Err(Error::NotAHandle(_))), "{count} descriptors");
        assert!(closed_everywhere(&reader), "{count} descriptors");
    }
    // One with each half: also too many.
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let record = record_of("halves");
    send_raw(&ours, &record[..500], &[writer.as_fd()]);
    send_raw(&ours, &record[500..], &[writer.as_fd()]);
    drop(writer);
    assert!(matches!(receive_handle(&theirs), Err(Error::NotAHandle(_))));
    assert!(closed_everywhere(&reader));
}

#[test]
fn a_descriptor_that_is_no_memory_is_refused_when_it_is_used() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    send_raw(&ours, &record_of("a pipe"), &[writer.as_fd()]);
    drop(writer);
    let handle = receive_handle(&theirs).unwrap();
    assert!(matches!(Counter::try_from(handle), Err(Error::NotMemory)));
    assert!(closed_everywhere(&reader));
}

#[test]
fn damaged_records_are_refused() {
    let null = std::fs::File::open("/dev/null").unwrap();
    let refused = |bytes: &[u8], files: &[BorrowedFd<'_>]| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        send_raw(&ours, bytes, files);
        drop(ours);
        receive_handle(&theirs).unwrap_err()
    };
    let good = record_of("good");
    assert!(matches!(refused(&good, &[]), Error::NotAHandle(_)), "no descriptor");
    assert!(matches!(refused(&good[..1023], &[null.as_fd()]), Error::NotAHandle(_)), "too short");
    assert!(matches!(refused(&[0xa5; 1024], &[null.as_fd()]), Error::NotAHandle(_)), "noise");
    let (ours, theirs) = packets();
    send_raw(&ours, &good[..10], &[null.as_fd()]);
    drop(ours);
    assert!(matches!(receive_handle(&theirs), Err(Error::NotAHandle(_))), "a short packet");
}

#[test]
fn the_end_of_a_socket_is_told_apart() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(ours);
    assert!(matches!(receive_handle(&theirs), Err(Error::Closed)));
    let handle = Counter::new().unwrap().handle("").unwrap();
    assert!(matches!(send_handle(&theirs, &handle), Err(Error::Closed)));
}

#[test]
fn a_slow_sender_meets_the_sockets_time_limit() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let nothing = receive_handle(&theirs).unwrap_err();
    assert!(
        matches!(&nothing, Error::System { source, .. } if source.kind() == std::io::ErrorKind::WouldBlock)
    );
    ours.write_all(&record_of("slow")[..700]).unwrap();
    assert!(matches!(receive_handle(&theirs), Err(Error::NotAHandle(_))));
}
