//! Shared events on the way to another process.
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use fencepost_ipc::{Counter, Handle, HandleKind, receive_handle, send_handle};

use crate::error::IpcError;
use crate::signal::EventBody;
use crate::{Device, Error, SharedEvent};

/// What another process makes a [`SharedEvent`] of: a descriptor and a label.
///
/// It is sent over a connected Unix socket; who has another transport sends the descriptor (it is an [`AsFd`], and an [`OwnedFd`] goes
/// both ways). The event lives as long as some process has it, whoever made it.
///
/// ```
/// use fencepost::{Device, SharedEventHandle};
/// use std::os::unix::net::UnixStream;
/// let (ours, theirs) = UnixStream::pair().unwrap();
/// let event = Device::cpu().new_shared_event();
/// event.handle()?.send(&ours)?;
/// // In another process, with a device of its own:
/// let same = Device::cpu().shared_event_from_handle(SharedEventHandle::receive(&theirs)?)?;
/// same.set_signaled_value(5);
/// assert_eq!(event.signaled_value(), 5);
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLSharedEventHandle")]
pub struct SharedEventHandle {
    handle: Handle,
}

impl SharedEventHandle {
    /// The label of the event when the handle was made; empty where there was none.
    pub fn label(&self) -> &str {
        self.handle.label()
    }

    /// Sends it over a connected Unix socket.
    ///
    /// # Errors
    /// The other side has closed the socket; the socket would block and may not.
    pub fn send(&self, socket: impl AsFd) -> Result<(), Error> {
        Ok(send_handle(socket, &self.handle).map_err(IpcError::of("`send` of a shared event's handle"))?)
    }

    /// Receives one that was [sent](Self::send). It waits as long as the socket does: give the socket a time limit where the other side is
    /// not to be trusted.
    ///
    /// # Errors
    /// The other side has closed the socket; what arrives is no handle of a shared event.
    pub fn receive(socket: impl AsFd) -> Result<Self, Error> {
        const CALL: &str = "`receive` of a shared event's handle";
        let handle = receive_handle(socket).map_err(IpcError::of(CALL))?;
        if handle.kind() != HandleKind::Counter {
            let (found, expected) = (handle.kind(), HandleKind::Counter);
            return Err(IpcError::of(CALL)(fencepost_ipc::Error::WrongKind { found, expected }).into());
        }
        Ok(Self { handle })
    }
}

impl SharedEvent {
    /// What another process makes the same event of. From now on raises are seen there, and raises from there are seen here.
    ///
    /// # Errors
    /// A label of more than 1000 bytes; no memory, no descriptor or no thread is to be had.
    #[doc(alias = "newSharedEventHandle")]
    pub fn handle(&self) -> Result<SharedEventHandle, Error> {
        let handle = self.body.with_counter(|counter| counter.handle(&self.label()))?;
        Ok(SharedEventHandle { handle: handle.map_err(IpcError::of("`SharedEvent::handle`"))? })
    }
}

impl Device {
    /// A shared event of another process (or of this one), for the CPU and for queues of any device here.
    ///
    /// The other processes are not trusted: they can raise the value as they like and leave a wait without its signal, for which there are
    /// time limits ([`set_event_timeout`](Self::set_event_timeout)), and no more.
    ///
    /// # Errors
    /// A handle that stands for no event of this version, damaged or from a process that did not make it as this library does; no
    /// memory, no descriptor or no thread is to be had.
    #[doc(alias = "newSharedEventWithHandle")]
    pub fn shared_event_from_handle(&self, handle: SharedEventHandle) -> Result<SharedEvent, Error> {
        let label = handle.label().to_owned();
        let counter = Counter::try_from(handle.handle);
        let body = EventBody::of_counter(counter.map_err(IpcError::of("`shared_event_from_handle`"))?)?;
        body.set_label(&label);
        Ok(SharedEvent::of_body(&self.shared, body))
    }
}

impl From<OwnedFd> for SharedEventHandle {
    /// A descriptor that came by a transport of the program's own. What it is worth shows when an event is made of it.
    fn from(file: OwnedFd) -> Self {
        match Handle::new(HandleKind::Counter, "", file) {
            Ok(handle) => Self { handle },
            Err(error) => {
                unreachable!("a handle is refused for a long label only, and there is none: {error}")
            }
        }
    }
}

impl From<SharedEventHandle> for OwnedFd {
    fn from(handle: SharedEventHandle) -> Self {
        handle.handle.into_file()
    }
}

impl AsFd for SharedEventHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl fmt::Debug for SharedEventHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedEventHandle").field("label", &self.label()).finish_non_exhaustive()
    }
}
