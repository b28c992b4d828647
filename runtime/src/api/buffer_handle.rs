//! Buffers over memory that other processes see.
//!
//! Whether a buffer can be given away is decided when it is made: memory that kernels may be using cannot move elsewhere later.
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use fencepost_ipc::{Handle, HandleKind, SharedMemory, receive_handle, send_handle};

use crate::error::IpcError;
use crate::{Buffer, Device, Error, ResourceOptions};

/// What another process makes a [`Buffer`] over the same memory of: a descriptor and a label.
///
/// It is sent as a [`SharedEventHandle`](crate::SharedEventHandle) is. The memory lives as long as some process has it.
///
/// ```
/// use fencepost::{BufferHandle, Device, ResourceOptions};
/// use std::os::unix::net::UnixStream;
/// let (ours, theirs) = UnixStream::pair().unwrap();
/// let buffer = Device::cpu().new_shareable_buffer(16, ResourceOptions::SHARED)?;
/// buffer.handle()?.send(&ours)?;
/// // In another process, with a device of its own:
/// let same = Device::cpu().buffer_from_handle(BufferHandle::receive(&theirs)?, ResourceOptions::SHARED)?;
/// same.write(4, &[7u32])?;
/// assert_eq!(buffer.read::<u32>(..)?, [0, 7, 0, 0]);
/// # Ok::<(), fencepost::Error>(())
/// ```
pub struct BufferHandle {
    handle: Handle,
}

impl BufferHandle {
    /// The label of the buffer when the handle was made; empty where there was none.
    pub fn label(&self) -> &str {
        self.handle.label()
    }

    /// Sends it over a connected Unix socket.
    ///
    /// # Errors
    /// The other side has closed the socket; the socket would block and may not.
    pub fn send(&self, socket: impl AsFd) -> Result<(), Error> {
        Ok(send_handle(socket, &self.handle).map_err(IpcError::of("`send` of a buffer's handle"))?)
    }

    /// Receives one that was [sent](Self::send). It waits as long as the socket does.
    ///
    /// # Errors
    /// The other side has closed the socket; what arrives is no handle of a buffer.
    pub fn receive(socket: impl AsFd) -> Result<Self, Error> {
        const CALL: &str = "`receive` of a buffer's handle";
        let handle = receive_handle(socket).map_err(IpcError::of(CALL))?;
        if handle.kind() != HandleKind::Memory {
            let (found, expected) = (handle.kind(), HandleKind::Memory);
            return Err(IpcError::of(CALL)(fencepost_ipc::Error::WrongKind { found, expected }).into());
        }
        Ok(Self { handle })
    }
}

impl Buffer {
    /// What another process makes a buffer over the same memory of.
    ///
    /// Its work there and the work here know nothing of each other: a [`SharedEvent`](crate::SharedEvent) orders them. The guards of the
    /// CPU look at the work of their own process only.
    ///
    /// # Errors
    /// A buffer that was not made by [`Device::new_shareable_buffer`], over shared memory or from a handle; a label of more than 1000 bytes;
    /// no descriptor is to be had.
    pub fn handle(&self) -> Result<BufferHandle, Error> {
        const CALL: &str = "`Buffer::handle`";
        // A part of an allocation cannot be given away alone.
        let whole = self.body.offset == 0 && self.body.length == self.body.allocation.length();
        let Some(memory) = self.body.allocation.shared_memory().filter(|_| whole) else {
            return Err(IpcError::NotShareable { call: CALL, buffer: self.describe() }.into());
        };
        Ok(BufferHandle { handle: memory.handle(&self.label()).map_err(IpcError::of(CALL))? })
    }
}

impl Device {
    /// A buffer of zeros whose memory other processes can see: one that has a [handle](Buffer::handle).
    ///
    /// # Errors
    /// As [`new_buffer`](Self::new_buffer); no descriptor is to be had.
    pub fn new_shareable_buffer(&self, length: u64, options: ResourceOptions) -> Result<Buffer, Error> {
        const CALL: &str = "`new_shareable_buffer`";
        crate::api::device::check_length(&self.shared, CALL, length)?;
        let memory = SharedMemory::new(length).map_err(IpcError::of(CALL))?;
        Buffer::over(&self.shared, CALL, &Arc::new(memory), options)
    }

    /// A buffer over memory that another process has given away. Its length is the memory's. Where this process has the memory already,
    /// by another handle or as its maker, the guards see the work of all buffers over it.
    ///
    /// # Errors
    /// A handle of memory that could be cut short under a reader, cannot be written, or is none; more than
    /// [`max_buffer_length`](Self::max_buffer_length); a storage mode that is not supported; a guard of the CPU that holds the memory by
    /// another buffer.
    pub fn buffer_from_handle(
        &self,
        handle: BufferHandle,
        options: ResourceOptions,
    ) -> Result<Buffer, Error> {
        const CALL: &str = "`buffer_from_handle`";
        let label = handle.label().to_owned();
        let memory = SharedMemory::try_from(handle.handle).map_err(IpcError::of(CALL))?;
        let buffer = Buffer::over(&self.shared, CALL, &Arc::new(memory), options)?;
        buffer.set_label(&label);
        Ok(buffer)
    }

    /// A buffer over shared memory that the program has, without a copy. Several devices can have one each over the same memory.
    ///
    /// The program may read and write the memory by itself at any time, as words; what the guards refuse, it does at its own risk, which is a
    /// wrong value and nothing worse. Of two buffers over the same memory the guards see the work of both; nothing orders it but events,
    /// and on one device fences and barriers.
    ///
    /// # Errors
    /// More than [`max_buffer_length`](Self::max_buffer_length); a storage mode that is not supported; a guard of the CPU that holds the
    /// memory by another buffer.
    #[doc(alias = "newBufferWithBytesNoCopy")]
    pub fn buffer_with_bytes_no_copy(
        &self,
        memory: &Arc<SharedMemory>,
        options: ResourceOptions,
    ) -> Result<Buffer, Error> {
        Buffer::over(&self.shared, "`buffer_with_bytes_no_copy`", memory, options)
    }
}

impl From<OwnedFd> for BufferHandle {
    /// A descriptor that came by a transport of the program's own. What it is worth shows when a buffer is made of it.
    fn from(file: OwnedFd) -> Self {
        match Handle::new(HandleKind::Memory, "", file) {
            Ok(handle) => Self { handle },
            Err(error) => {
                unreachable!("a handle is refused for a long label only, and there is none: {error}")
            }
        }
    }
}

impl From<BufferHandle> for OwnedFd {
    fn from(handle: BufferHandle) -> Self {
        handle.handle.into_file()
    }
}

impl AsFd for BufferHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl fmt::Debug for BufferHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferHandle").field("label", &self.label()).finish_non_exhaustive()
    }
}
