//! Command allocators: whose memory the commands of an explicit queue's command buffers are in.
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::api::command_buffer::CommandBufferShared;
use crate::api::device::{DeviceShared, label_or_empty};
use crate::api::label::Label;
use crate::error::EncodeError;
use crate::submit::CommandBufferState;
use crate::{Device, Error};

/// Memory for the commands of one open command buffer at a time.
///
/// A command buffer may be begun anew right after its commit, with another allocator or the same one; only [`reset`](Self::reset)
/// needs that everything recorded from the allocator has completed.
///
/// ```
/// use fencepost::Device;
/// let device = Device::cpu();
/// let (allocator, work) = (device.new_command_allocator(), device.new_command_buffer());
/// work.begin(&allocator)?;
/// work.end()?;
/// device.new_explicit_command_queue().commit(&[&work])?.wait_until_completed()?;
/// allocator.reset()?;
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTL4CommandAllocator")]
#[derive(Clone)]
pub struct CommandAllocator {
    pub(crate) shared: Arc<AllocatorShared>,
}

pub(crate) struct AllocatorShared {
    pub(crate) device: Arc<DeviceShared>,
    label: Label,
    state: Mutex<AllocatorState>,
}

#[derive(Default)]
struct AllocatorState {
    /// The command buffer that is open.
    open: Option<Weak<CommandBufferShared>>,
    in_flight: Vec<Arc<CommandBufferState>>,
    bytes: u64,
}

impl CommandAllocator {
    pub(crate) fn new(device: &Arc<DeviceShared>) -> Self {
        let shared =
            AllocatorShared { device: Arc::clone(device), label: Label::default(), state: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Gives the memory of everything recorded from it back.
    ///
    /// # Errors
    /// A command buffer recorded from it that is open, or was committed and has not completed.
    pub fn reset(&self) -> Result<(), Error> {
        let mut state = self.shared.state.lock();
        if let Some(open) = state.open_buffer() {
            let other = open.describe();
            return Err(EncodeError::AllocatorShared { allocator: self.shared.describe(), other }.into());
        }
        state.forget_ended();
        let in_flight = state.in_flight.len();
        if in_flight > 0 {
            return Err(
                EncodeError::AllocatorInFlight { allocator: self.shared.describe(), in_flight }.into()
            );
        }
        state.bytes = 0;
        Ok(())
    }

    /// Bytes of commands recorded from it since the last reset.
    #[doc(alias = "allocatedSize")]
    pub fn allocated_size(&self) -> u64 {
        self.shared.state.lock().bytes
    }

    /// The device that it belongs to.
    pub fn device(&self) -> Device {
        Device { shared: Arc::clone(&self.shared.device) }
    }

    /// Its label; empty where there is none.
    pub fn label(&self) -> String {
        label_or_empty(&self.shared.label)
    }

    /// Gives it a name for messages.
    #[doc(alias = "setLabel")]
    pub fn set_label(&self, label: &str) {
        self.shared.label.set(label);
    }
}

impl AllocatorShared {
    /// A command buffer begins; it is the only open one.
    pub(crate) fn open(&self, buffer: &Arc<CommandBufferShared>) -> Result<(), Error> {
        let mut state = self.state.lock();
        if let Some(open) = state.open_buffer() {
            return Err(
                EncodeError::AllocatorShared { allocator: self.describe(), other: open.describe() }.into()
            );
        }
        state.open = Some(Arc::downgrade(buffer));
        Ok(())
    }

    /// The command buffer has ended with so many bytes of commands.
    pub(crate) fn close(&self, bytes: u64) {
        let mut state = self.state.lock();
        state.open = None;
        state.bytes += bytes;
    }

    /// What was recorded from it is in flight.
    pub(crate) fn commit(&self, buffer: &Arc<CommandBufferState>) {
        let mut state = self.state.lock();
        state.forget_ended();
        state.in_flight.push(Arc::clone(buffer));
    }

    /// "command allocator `label`", for messages.
    pub(crate) fn describe(&self) -> String {
        self.label.of("command allocator")
    }
}

impl AllocatorState {
    /// A buffer that was dropped while open is open no longer.
    fn open_buffer(&self) -> Option<Arc<CommandBufferShared>> {
        self.open.as_ref().and_then(Weak::upgrade)
    }

    fn forget_ended(&mut self) {
        // A commit must not get a device going that holds work back: the order would depend on who is faster.
        self.in_flight.retain(|state| !state.has_ended());
    }
}

impl fmt::Debug for CommandAllocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandAllocator").field("label", &self.shared.label).finish_non_exhaustive()
    }
}
