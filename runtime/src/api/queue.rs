//! Command queues: what is committed to one starts in the order of its places.
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use fencepost_core::QueueId;

use crate::api::command_buffer::Taken;
use crate::api::commit::{Commit, CommitOptions};
use crate::api::device::{DeviceShared, label_or_empty};
use crate::api::event::{self, AnyEvent};
use crate::api::label::Label;
use crate::api::residency_set::QueueSets;
use crate::error::EncodeError;
use crate::observe::{Gone, Happening};
use crate::submit::MAX_UNCOMPLETED;
use crate::{CommandBuffer, CommandBufferDescriptor, Device, Error, QueueMode, ResidencySet};

/// Takes command buffers and runs them.
///
/// A *tracked* queue makes its command buffers itself, orders conflicting uses of tracked resources, and its compute encoders are
/// serial unless asked otherwise. An *explicit* queue takes command buffers of the device in groups and orders nothing that no
/// barrier, fence or event orders. Clones are the same queue; threads may share one.
///
/// ```
/// use fencepost::{Device, QueueMode};
/// let device = Device::cpu();
/// let queue = device.new_command_queue();
/// assert_eq!(queue.mode(), QueueMode::Tracked);
/// let work = queue.command_buffer();
/// work.commit()?;
/// work.wait_until_completed()?;
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLCommandQueue")]
#[doc(alias = "MTL4CommandQueue")]
#[derive(Clone)]
pub struct CommandQueue {
    pub(crate) shared: Arc<QueueShared>,
}

/// What a queue is made from.
#[doc(alias = "MTLCommandQueueDescriptor")]
#[doc(alias = "MTL4CommandQueueDescriptor")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandQueueDescriptor {
    /// Its label; empty for none.
    pub label: String,
    /// How many command buffers of a tracked queue may be made and not completed. Asking for one more waits until one has completed.
    pub max_command_buffer_count: usize,
}

impl Default for CommandQueueDescriptor {
    fn default() -> Self {
        Self { label: String::new(), max_command_buffer_count: MAX_UNCOMPLETED }
    }
}

pub(crate) struct QueueShared {
    pub(crate) device: Arc<DeviceShared>,
    pub(crate) id: QueueId,
    pub(crate) mode: QueueMode,
    pub(crate) label: Arc<Label>,
    residency: QueueSets,
}

impl QueueShared {
    pub(crate) fn create(
        device: &Arc<DeviceShared>,
        mode: QueueMode,
        descriptor: &CommandQueueDescriptor,
    ) -> CommandQueue {
        let id = device.submission.add_queue(mode, descriptor.max_command_buffer_count);
        let label = Arc::new(Label::default());
        label.set(&descriptor.label);
        device.submission.label_queue(id, &label);
        let residency = QueueSets::default();
        CommandQueue { shared: Arc::new(Self { device: Arc::clone(device), id, mode, label, residency }) }
    }

    /// "queue `label`", for messages.
    pub(crate) fn describe(&self) -> String {
        self.label.of("queue")
    }
}

impl CommandQueue {
    /// A command buffer of this queue, open for recording. It keeps all that it uses until it has completed.
    ///
    /// Waits while as many as [`CommandQueueDescriptor::max_command_buffer_count`] of them are made and not completed. On an explicit
    /// queue this is the same as [`Device::new_command_buffer`]: the buffer must `begin`.
    #[doc(alias = "commandBuffer")]
    pub fn command_buffer(&self) -> CommandBuffer {
        self.command_buffer_with_descriptor(&CommandBufferDescriptor::default())
    }

    /// A command buffer as one likes it.
    #[doc(alias = "commandBufferWithDescriptor")]
    pub fn command_buffer_with_descriptor(&self, descriptor: &CommandBufferDescriptor) -> CommandBuffer {
        match self.shared.mode {
            QueueMode::Tracked => CommandBuffer::tracked(&self.shared, descriptor),
            QueueMode::Explicit => CommandBuffer::explicit(&self.shared.device),
        }
    }

    /// A command buffer that says not to keep what it uses.
    ///
    /// DIFFERENCE: Metal leaves it to the program then to keep resources alive. Here memory is never given back while work in flight
    /// uses it, so the flag only comes back from [`CommandBuffer::retained_references`].
    #[doc(alias = "commandBufferWithUnretainedReferences")]
    pub fn command_buffer_with_unretained_references(&self) -> CommandBuffer {
        let descriptor =
            CommandBufferDescriptor { retained_references: false, ..CommandBufferDescriptor::default() };
        self.command_buffer_with_descriptor(&descriptor)
    }

    /// Commits command buffers as one group, in this order. All or none.
    ///
    /// # Errors
    /// A command buffer that is of another device or queue, has an encoder open, has not ended (explicit), was committed already
    /// (tracked), or would use bytes that the CPU holds by a guard.
    #[doc(alias = "commit:count:")]
    #[track_caller]
    pub fn commit(&self, buffers: &[&CommandBuffer]) -> Result<Commit, Error> {
        self.commit_with_options(buffers, CommitOptions::new())
    }

    /// The same with handlers that are called once for the group.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    #[doc(alias = "commit:count:options:")]
    #[track_caller]
    pub fn commit_with_options(
        &self,
        buffers: &[&CommandBuffer],
        options: CommitOptions,
    ) -> Result<Commit, Error> {
        let mut taken = Taken::default();
        for buffer in buffers {
            taken.take(buffer, &self.shared)?;
        }
        taken.commit(&self.shared, options, Location::caller())
    }

    /// Raises the event once everything that the queue accepted before has completed. It covers no later commit.
    ///
    /// # Errors
    /// A tracked queue, whose command buffers signal events; an event of another device.
    #[doc(alias = "signalEvent:value:")]
    #[track_caller]
    pub fn signal_event(&self, event: &impl AnyEvent, value: u64) -> Result<(), Error> {
        let body = self.check_event("`signal_event` on a queue", event)?;
        let device = &self.shared.device;
        let mut turn = device.watch.turn();
        if let Some(turn) = &mut turn {
            body.watches().add(&device.watch);
            turn.tell(Happening::Signal(&self.shared, &body, value), Location::caller());
        }
        device.submission.queue_signal(self.shared.id, &body, value);
        Ok(())
    }

    /// Holds everything that the queue accepts later until the event's value is reached.
    ///
    /// # Errors
    /// As [`signal_event`](Self::signal_event).
    #[doc(alias = "waitForEvent:value:")]
    #[track_caller]
    pub fn wait_for_event(&self, event: &impl AnyEvent, value: u64) -> Result<(), Error> {
        let body = self.check_event("`wait_for_event` on a queue", event)?;
        let device = &self.shared.device;
        let mut turn = device.watch.turn();
        if let Some(turn) = &mut turn {
            body.watches().add(&device.watch);
            turn.tell(Happening::Wait(&self.shared, &body, value), Location::caller());
        }
        device.submission.queue_wait(self.shared.id, &body, value);
        Ok(())
    }

    /// Says that all work of the queue needs what is in this set. It changes nothing, for a device has what it has given out in its reach; the
    /// queue keeps the set. See [`ResidencySet`].
    ///
    /// # Errors
    /// A set of another device; more than 32 sets.
    #[doc(alias = "addResidencySet:")]
    pub fn add_residency_set(&self, set: &ResidencySet) -> Result<(), Error> {
        self.add_residency_sets(&[set])
    }

    /// The same for several sets: all or none.
    ///
    /// # Errors
    /// As [`add_residency_set`](Self::add_residency_set).
    #[doc(alias = "addResidencySets:count:")]
    pub fn add_residency_sets(&self, sets: &[&ResidencySet]) -> Result<(), Error> {
        let shared = &self.shared;
        for set in sets {
            let theirs = &set.shared;
            shared.device.owns(&theirs.device, || theirs.describe(), || shared.describe())?;
        }
        shared.residency.add("`add_residency_sets`", sets)
    }

    /// Takes a set from the queue. Does nothing where the queue does not have it.
    #[doc(alias = "removeResidencySet:")]
    pub fn remove_residency_set(&self, set: &ResidencySet) {
        self.remove_residency_sets(&[set]);
    }

    /// The same for several sets.
    #[doc(alias = "removeResidencySets:count:")]
    pub fn remove_residency_sets(&self, sets: &[&ResidencySet]) {
        self.shared.residency.remove(sets);
    }

    /// Whether hazards are tracked or all order is explicit.
    pub fn mode(&self) -> QueueMode {
        self.shared.mode
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

    fn check_event(
        &self,
        call: &'static str,
        event: &impl AnyEvent,
    ) -> Result<Arc<crate::signal::EventBody>, Error> {
        if self.shared.mode == QueueMode::Tracked {
            return Err(EncodeError::WrongMode {
                call,
                belongs: "explicit queues",
                object: self.shared.describe(),
                is: "tracked",
                mend: "Encode it into a command buffer of the queue",
            }
            .into());
        }
        event::usable(event, &self.shared.device, || self.shared.describe())
    }
}

impl Drop for QueueShared {
    fn drop(&mut self) {
        self.device.watch.gone(Gone::Queue(self.id));
        self.device.submission.remove_queue(self.id);
    }
}

impl fmt::Debug for CommandQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl fmt::Debug for QueueShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandQueue")
            .field("label", &self.label)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
