//! Handles over Unix sockets.
//!
//! A record travels with exactly one descriptor. Whatever else arrives is closed: a sender can neither fill our table of descriptors nor
//! leave one open in programs that we run.
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;

use rustix::cmsg_space;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, send, sendmsg};

use crate::{Error, Handle, record};

/// Sends a handle over a connected Unix socket. The other side has the object then, whatever happens to this process.
///
/// # Errors
/// The other side has closed the socket; the socket would block and may not, which sends nothing.
pub fn send_handle(socket: impl AsFd, handle: &Handle) -> Result<(), Error> {
    let record = record::encode(handle.kind(), handle.label());
    let files = [handle.as_fd()];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&files)) {
        // The space is made for exactly this.
        return Err(send_refused(Errno::NOBUFS));
    }
    let mut sent =
        until_uninterrupted(|| sendmsg(&socket, &[IoSlice::new(&record)], &mut control, SendFlags::NOSIGNAL))
            .map_err(send_refused)?;
    while sent < record.len() {
        sent += until_uninterrupted(|| send(&socket, &record[sent..], SendFlags::NOSIGNAL))
            .map_err(send_refused)?;
    }
    Ok(())
}

/// Receives a handle that [`send_handle`] has sent. What it stands for is checked when the object is made of it.
///
/// It waits as long as the socket does: give the socket a time limit (`set_read_timeout`) where the other side is not to be trusted.
///
/// # Errors
/// The other side has closed the socket; the socket would block and may not; what arrives is no handle, has no descriptor or several. After
/// the last of these the socket is out of step.
pub fn receive_handle(socket: impl AsFd) -> Result<Handle, Error> {
    let mut record = [0; record::LENGTH];
    let mut files = Vec::new();
    let mut filled = 0;
    while filled < record.len() {
        match receive(&socket, &mut record[filled..], &mut files) {
            Ok((0, _)) if filled == 0 => return Err(Error::Closed),
            Ok((0, _)) => return Err(Error::NotAHandle("it ends in the middle")),
            Ok((bytes, true)) if files.len() <= 1 => filled += bytes,
            Ok(_) => return Err(Error::NotAHandle("it comes with more than one descriptor")),
            Err(Errno::AGAIN) if filled > 0 => {
                return Err(Error::NotAHandle("the rest of it has not come in time"));
            }
            Err(Errno::CONNRESET) => return Err(Error::Closed),
            Err(errno) => return Err(Error::system("receive a handle")(errno)),
        }
    }
    let (kind, label) = record::decode(&record)?;
    let file = files.pop().ok_or(Error::NotAHandle("it comes without a descriptor"))?;
    Handle::new(kind, label, file)
}

/// How many bytes, and whether all that came with them is here. Descriptors are collected; the system closes those that find no room.
fn receive(socket: &impl AsFd, into: &mut [u8], files: &mut Vec<OwnedFd>) -> Result<(usize, bool), Errno> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = until_uninterrupted(|| {
        recvmsg(socket, &mut [IoSliceMut::new(into)], &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(arrived) = message {
            files.extend(arrived);
        }
    }
    Ok((received.bytes, !received.flags.contains(ReturnFlags::CTRUNC)))
}

fn until_uninterrupted<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

fn send_refused(errno: Errno) -> Error {
    match errno {
        Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN => Error::Closed,
        errno => Error::system("send a handle")(errno),
    }
}
