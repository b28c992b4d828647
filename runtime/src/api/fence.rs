//! Fences: edges between passes.
//!
//! A fence has no state that a program could ask for. An update captures the work recorded before it in its pass; a wait holds the
//! work recorded after it until everything captured by all earlier updates has completed.
use std::fmt;
use std::sync::Arc;

use fencepost_core::FenceId;

use crate::Device;
use crate::api::device::{DeviceShared, label_or_empty};
use crate::api::label::Label;
use crate::observe::Gone;

/// Orders passes: what comes before an update in one pass happens before what comes after a wait in a later pass.
///
/// A wait joins *all* updates that were committed before it, not only the latest, and takes nothing away: any number of passes may
/// wait for the same updates. A wait with no update before it goes straight on. Within one pass, waiting first and updating later
/// is the usual reuse; the other way round is an error.
///
/// ```
/// use fencepost::{Device, ResourceOptions};
/// let device = Device::cpu();
/// let (queue, fence) = (device.new_command_queue(), device.new_fence());
/// let buffer = device.new_buffer(256, ResourceOptions::SHARED.untracked())?;
/// let work = queue.command_buffer();
/// let mut fill = work.blit_command_encoder()?;
/// fill.fill_buffer(&buffer, 0..128, 7)?;
/// fill.update_fence(&fence)?;
/// fill.end_encoding();
/// let mut copy = work.blit_command_encoder()?;
/// copy.wait_for_fence(&fence)?;
/// copy.copy_buffer(&buffer, 0, &buffer, 128, 128)?;
/// copy.end_encoding();
/// work.commit()?;
/// work.wait_until_completed()?;
/// assert_eq!(buffer.read::<u8>(..)?, [7; 256]);
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLFence")]
#[derive(Clone)]
pub struct Fence {
    pub(crate) body: Arc<FenceBody>,
}

/// A fence's name in the order engine, given back at the end.
#[derive(Debug)]
pub(crate) struct FenceBody {
    pub(crate) fence: FenceId,
    pub(crate) label: Label,
    pub(crate) device: Arc<DeviceShared>,
}

impl Fence {
    pub(crate) fn create(device: &Arc<DeviceShared>) -> Self {
        let fence = device.submission.add_fence();
        Self { body: Arc::new(FenceBody { fence, label: Label::default(), device: Arc::clone(device) }) }
    }

    /// The device whose passes it orders.
    pub fn device(&self) -> Device {
        Device { shared: Arc::clone(&self.body.device) }
    }

    /// Its label; empty where there is none.
    pub fn label(&self) -> String {
        label_or_empty(&self.body.label)
    }

    /// Gives it a name for messages.
    #[doc(alias = "setLabel")]
    pub fn set_label(&self, label: &str) {
        self.body.label.set(label);
    }
}

impl Drop for FenceBody {
    fn drop(&mut self) {
        self.device.watch.gone(Gone::Fence(self.fence));
        self.device.submission.remove_fence(self.fence);
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fence").field("label", &self.body.label).finish_non_exhaustive()
    }
}
