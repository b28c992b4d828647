//! Command buffers: recorded once, committed, and asked what became of them.
//!
//! While an encoder is open it owns the recording; the command buffer only remembers that. So recording takes no lock, and a second
//! encoder, an event operation or a commit meanwhile finds nothing to work on and says why.
mod take;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::api::blit_encoder::BlitCommandEncoder;
use crate::api::command_allocator::{AllocatorShared, CommandAllocator};
use crate::api::compute_encoder::ComputeCommandEncoder;
use crate::api::device::{DeviceShared, label_or_empty};
use crate::api::encoder::EncoderCore;
use crate::api::event::{self, AnyEvent};
use crate::api::label::Label;
use crate::api::queue::QueueShared;
use crate::api::render_encoder::RenderCommandEncoder;
use crate::error::EncodeError;
use crate::observe::{Gone, Happening};
use crate::record::{Item, Recorder};
use crate::signal::SignalRight;
use crate::submit::CommandBufferState;
use crate::{
    CommandBufferStatus, CommandEncoderErrorState, CommandQueue, Device, DispatchType, Error, PassKind,
};

pub(crate) use take::Taken;

/// A list of passes and event operations, recorded on the CPU and run by a queue.
///
/// One of a tracked queue is open from the start, is committed once, and can be asked for its status, its error and its times. One for
/// explicit queues is made by the device, recorded between [`begin`](Self::begin) and [`end`](Self::end), committed in a group by
/// [`CommandQueue::commit`], and may then be begun anew at once. Clones are the same command buffer.
///
/// ```
/// use fencepost::{CommandBufferStatus, Device};
/// let device = Device::cpu();
/// let (queue, buffer) = (device.new_command_queue(), device.new_buffer(64, Default::default())?);
/// let work = queue.command_buffer();
/// let mut encoder = work.blit_command_encoder()?;
/// encoder.fill_buffer(&buffer, 16..32, 0xff)?;
/// encoder.end_encoding();
/// work.commit()?;
/// work.wait_until_completed()?;
/// assert_eq!(work.status(), CommandBufferStatus::Completed);
/// assert_eq!(buffer.read::<u32>(12..20)?, [0, u32::MAX]);
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLCommandBuffer")]
#[doc(alias = "MTL4CommandBuffer")]
#[derive(Clone)]
pub struct CommandBuffer {
    shared: Arc<CommandBufferShared>,
}

/// What a command buffer is made from.
#[doc(alias = "MTLCommandBufferDescriptor")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandBufferDescriptor {
    /// It keeps what it uses; see [`CommandQueue::command_buffer_with_unretained_references`].
    pub retained_references: bool,
    /// Where it ends with an error, [`CommandBuffer::encoder_infos`] says what became of each encoder. Metal's `errorOptions`.
    pub encoder_execution_status: bool,
}

impl Default for CommandBufferDescriptor {
    fn default() -> Self {
        Self { retained_references: true, encoder_execution_status: false }
    }
}

/// What became of one encoder of a command buffer.
#[doc(alias = "MTLCommandBufferEncoderInfo")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandBufferEncoderInfo {
    /// Kernels or copies.
    pub kind: PassKind,
    /// The encoder's label; empty where there is none.
    pub label: String,
    /// Marks left in it with `insert_debug_signpost`.
    pub debug_signposts: Vec<String>,
    /// How it ended; `Unknown` unless [`CommandBufferDescriptor::encoder_execution_status`] was asked for.
    pub error_state: CommandEncoderErrorState,
    /// When its first command started and its last one ended, since the device was made; `None` where nothing ran.
    pub gpu_times: Option<(Duration, Duration)>,
}

pub(crate) struct CommandBufferShared {
    device: Arc<DeviceShared>,
    /// The queue and the state of one that is tracked.
    tracked: Option<(Arc<QueueShared>, Arc<CommandBufferState>)>,
    descriptor: CommandBufferDescriptor,
    label: Label,
    inner: Mutex<Inner>,
}

impl Drop for CommandBufferShared {
    fn drop(&mut self) {
        if let Some((_, state)) = &self.tracked
            && state.status_now() == CommandBufferStatus::Enqueued
        {
            self.device.watch.gone(Gone::Buffer(Arc::as_ptr(state).addr()));
        }
    }
}

#[derive(Default)]
struct Inner {
    phase: Phase,
    /// Of one for explicit queues, while it is open or has ended.
    allocator: Option<Arc<AllocatorShared>>,
    scheduled_handlers: Vec<Handler>,
    completed_handlers: Vec<Handler>,
    /// Of the passes, in their order; kept for `encoder_infos`.
    signposts: Vec<(u32, String)>,
}

type Handler = Box<dyn FnOnce(&CommandBuffer) + Send>;

/// Who has the recording.
#[derive(Default)]
enum Phase {
    /// Nobody: for explicit queues, before `begin`.
    #[default]
    Idle,
    /// This buffer.
    Open(Box<Recorder>),
    /// An encoder.
    Encoding { kind: PassKind, label: String },
    /// This buffer, for the commit alone: for explicit queues, after `end`.
    Ended(Box<Recorder>),
    /// The device.
    Committed,
}

impl CommandBuffer {
    pub(crate) fn tracked(queue: &Arc<QueueShared>, descriptor: &CommandBufferDescriptor) -> Self {
        let device = &queue.device;
        let state = device.submission.new_command_buffer(queue.id);
        let recorder = Box::new(Recorder::new(device.pool.take(), device.watch.is_on()));
        let inner = Inner { phase: Phase::Open(recorder), ..Inner::default() };
        Self::new(device, Some((Arc::clone(queue), state)), *descriptor, inner)
    }

    pub(crate) fn explicit(device: &Arc<DeviceShared>) -> Self {
        Self::new(device, None, CommandBufferDescriptor::default(), Inner::default())
    }

    fn new(
        device: &Arc<DeviceShared>,
        tracked: Option<(Arc<QueueShared>, Arc<CommandBufferState>)>,
        descriptor: CommandBufferDescriptor,
        inner: Inner,
    ) -> Self {
        let (label, inner) = (Label::default(), Mutex::new(inner));
        let device = Arc::clone(device);
        Self { shared: Arc::new(CommandBufferShared { device, tracked, descriptor, label, inner }) }
    }

    /// Opens a command buffer for explicit queues; its commands are counted to the allocator. One that has ended and was not committed
    /// is recorded anew.
    ///
    /// # Errors
    /// One of a tracked queue; one that is open; an allocator of another device or that serves another open command buffer.
    #[doc(alias = "beginCommandBufferWithAllocator")]
    pub fn begin(&self, allocator: &CommandAllocator) -> Result<(), Error> {
        let shared = &self.shared;
        shared.check_explicit("`begin`")?;
        let allocator = &allocator.shared;
        shared.device.owns(&allocator.device, || allocator.describe(), || shared.describe())?;
        let mut inner = shared.inner.lock();
        if matches!(inner.phase, Phase::Open(_) | Phase::Encoding { .. }) {
            return Err(EncodeError::BegunTwice { buffer: shared.describe() }.into());
        }
        allocator.open(shared)?;
        inner.phase =
            Phase::Open(Box::new(Recorder::new(shared.device.pool.take(), shared.device.watch.is_on())));
        inner.allocator = Some(Arc::clone(allocator));
        Ok(())
    }

    /// Closes a command buffer for explicit queues; it can be committed now, and its allocator can serve another one.
    ///
    /// # Errors
    /// One of a tracked queue; one that has not begun or has an encoder open.
    #[doc(alias = "endCommandBuffer")]
    pub fn end(&self) -> Result<(), Error> {
        const CALL: &str = "`end`";
        let shared = &self.shared;
        shared.check_explicit(CALL)?;
        let mut inner = shared.inner.lock();
        match std::mem::take(&mut inner.phase) {
            Phase::Open(recorder) => {
                let bytes = recorder.recording.bytes();
                inner.phase = Phase::Ended(recorder);
                if let Some(allocator) = &inner.allocator {
                    allocator.close(bytes);
                }
                Ok(())
            }
            other => {
                inner.phase = other;
                Err(shared.not_open(CALL, &inner.phase))
            }
        }
    }

    /// Starts a pass of kernels: serial on a tracked queue, concurrent on an explicit one.
    ///
    /// # Errors
    /// A command buffer with an open encoder, or that is not being recorded.
    #[doc(alias = "computeCommandEncoder")]
    #[track_caller]
    pub fn compute_command_encoder(&self) -> Result<ComputeCommandEncoder, Error> {
        let dispatch_type =
            if self.shared.tracked.is_some() { DispatchType::Serial } else { DispatchType::Concurrent };
        self.encoder("`compute_command_encoder`", PassKind::Compute, dispatch_type)
            .map(ComputeCommandEncoder::new)
    }

    /// Starts a pass of kernels that run one after another, or as they like.
    ///
    /// # Errors
    /// As [`compute_command_encoder`](Self::compute_command_encoder), and a serial one for an explicit queue.
    #[doc(alias = "computeCommandEncoderWithDispatchType")]
    #[track_caller]
    pub fn compute_command_encoder_with_dispatch_type(
        &self,
        dispatch_type: DispatchType,
    ) -> Result<ComputeCommandEncoder, Error> {
        const CALL: &str = "`compute_command_encoder_with_dispatch_type`";
        if dispatch_type == DispatchType::Serial {
            const SERIAL: &str = "`compute_command_encoder_with_dispatch_type(Serial)`";
            self.shared.check_tracked(SERIAL, "Put barriers between commands that depend on each other")?;
        }
        self.encoder(CALL, PassKind::Compute, dispatch_type).map(ComputeCommandEncoder::new)
    }

    /// Starts a pass of copies and fills, one after another.
    ///
    /// # Errors
    /// As [`compute_command_encoder`](Self::compute_command_encoder), and a command buffer for explicit queues, whose compute encoders
    /// copy and fill.
    #[doc(alias = "blitCommandEncoder")]
    #[track_caller]
    pub fn blit_command_encoder(&self) -> Result<BlitCommandEncoder, Error> {
        const CALL: &str = "`blit_command_encoder`";
        self.shared.check_tracked(CALL, "Record copies and fills in a compute encoder")?;
        self.encoder(CALL, PassKind::Blit, DispatchType::Serial).map(BlitCommandEncoder::new)
    }

    /// Starts a pass of draws.
    pub(crate) fn render_command_encoder(&self) -> Result<RenderCommandEncoder, Error> {
        const CALL: &str = "`render_command_encoder`";
        self.encoder(CALL, PassKind::Render, DispatchType::Concurrent).map(RenderCommandEncoder::new)
    }

    /// Raises the event once everything earlier on the queue has completed, while later passes may be running already.
    ///
    /// # Errors
    /// A command buffer with an open encoder, or that was committed, or for explicit queues; an event of another device.
    #[doc(alias = "encodeSignalEvent:value:")]
    #[track_caller]
    pub fn encode_signal_event(&self, event: &impl AnyEvent, value: u64) -> Result<(), Error> {
        let event = self.check_event("`encode_signal_event`", event)?;
        self.append("`encode_signal_event`", Item::SignalEvent { event: SignalRight::new(&event), value })
    }

    /// Holds everything later on the queue until the event's value is reached.
    ///
    /// # Errors
    /// As [`encode_signal_event`](Self::encode_signal_event).
    #[doc(alias = "encodeWaitForEvent:value:")]
    #[track_caller]
    pub fn encode_wait_for_event(&self, event: &impl AnyEvent, value: u64) -> Result<(), Error> {
        let event = self.check_event("`encode_wait_for_event`", event)?;
        self.append("`encode_wait_for_event`", Item::WaitForEvent { event, value })
    }

    /// Reserves the next place on its queue. Whatever is enqueued or committed later waits for this one's commit. Once it has a place,
    /// this changes nothing.
    ///
    /// # Errors
    /// A command buffer for explicit queues.
    #[track_caller]
    pub fn enqueue(&self) -> Result<(), Error> {
        let (queue, state) = self.shared.tracked("`enqueue`")?;
        let mut turn = self.shared.device.watch.turn();
        self.shared.device.submission.enqueue(queue.id, state);
        if let Some(turn) = &mut turn {
            turn.tell(Happening::Enqueue(queue, state), Location::caller());
        }
        Ok(())
    }

    /// Hands it over, at the place that [`enqueue`](Self::enqueue) reserved or at the end of its queue.
    ///
    /// # Errors
    /// One with an open encoder; one that was committed; one for explicit queues, which queues commit in groups; one that would use
    /// bytes that the CPU holds by a guard (drop the guard and commit again).
    #[track_caller]
    pub fn commit(&self) -> Result<(), Error> {
        let (queue, _) = self.shared.tracked("`commit` of a command buffer")?;
        let mut taken = Taken::default();
        taken.take(self, queue)?;
        taken.commit(queue, super::CommitOptions::new(), Location::caller()).map(|_| ())
    }

    /// Calls `handler` once the device has it.
    ///
    /// # Errors
    /// One that was committed, or one for explicit queues.
    #[doc(alias = "addScheduledHandler")]
    pub fn add_scheduled_handler(&self, handler: impl FnOnce(&Self) + Send + 'static) -> Result<(), Error> {
        self.handlers("`add_scheduled_handler`", |inner| inner.scheduled_handlers.push(Box::new(handler)))
    }

    /// Calls `handler` once it has ended, well or with an error. [`wait_until_completed`](Self::wait_until_completed) returns after it.
    /// Handlers of one queue's command buffers are called in the queue's order, though their work may end in any other.
    ///
    /// # Errors
    /// One that was committed, or one for explicit queues, whose commits take feedback handlers.
    #[doc(alias = "addCompletedHandler")]
    pub fn add_completed_handler(&self, handler: impl FnOnce(&Self) + Send + 'static) -> Result<(), Error> {
        self.handlers("`add_completed_handler`", |inner| inner.completed_handlers.push(Box::new(handler)))
    }

    /// Sleeps until the device has it and its scheduled handlers have run.
    ///
    /// # Errors
    /// One that was not committed, or one for explicit queues.
    #[doc(alias = "waitUntilScheduled")]
    pub fn wait_until_scheduled(&self) -> Result<(), Error> {
        self.committed("`wait_until_scheduled`")?.wait_until_scheduled();
        Ok(())
    }

    /// Sleeps until it and every command buffer before it on its queue have ended and their completed handlers have run.
    ///
    /// # Errors
    /// What it ended with, where it did not end well; one that was not committed, or one for explicit queues.
    #[doc(alias = "waitUntilCompleted")]
    #[track_caller]
    pub fn wait_until_completed(&self) -> Result<(), Error> {
        let state = self.committed("`wait_until_completed`")?;
        state.wait_until_completed();
        self.shared.device.watch.tell(Happening::Completed(state), Location::caller());
        state.error().map_or(Ok(()), Err)
    }

    /// How far it has come. One for explicit queues has no status of its own: it is `Committed` from its commit until it begins anew.
    #[track_caller]
    pub fn status(&self) -> CommandBufferStatus {
        match &self.shared.tracked {
            Some((_, state)) => {
                let status = state.status();
                if status >= CommandBufferStatus::Completed {
                    self.shared.device.watch.tell(Happening::Completed(state), Location::caller());
                }
                status
            }
            None => match self.shared.inner.lock().phase {
                Phase::Committed => CommandBufferStatus::Committed,
                _ => CommandBufferStatus::NotEnqueued,
            },
        }
    }

    /// What it ended with, where it did not end well; `None` before the end. For explicit queues, the commit's feedback has it.
    pub fn error(&self) -> Option<Error> {
        self.shared
            .tracked
            .as_ref()
            .filter(|(_, state)| state.has_ended())
            .and_then(|(_, state)| state.error())
    }

    /// Its encoders in their order, once it was committed.
    #[doc(alias = "MTLCommandBufferEncoderInfoErrorKey")]
    pub fn encoder_infos(&self) -> Vec<CommandBufferEncoderInfo> {
        let Some((_, state)) = &self.shared.tracked else { return Vec::new() };
        let signposts = self.shared.inner.lock().signposts.clone();
        let known = self.shared.descriptor.encoder_execution_status;
        let info = |(index, pass): (usize, crate::submit::PassReport)| CommandBufferEncoderInfo {
            kind: pass.kind,
            label: pass.label.unwrap_or_default(),
            debug_signposts: signposts
                .iter()
                .filter(|(owner, _)| *owner as usize == index)
                .map(|(_, text)| text.clone())
                .collect(),
            error_state: if known { pass.state } else { CommandEncoderErrorState::Unknown },
            gpu_times: pass
                .times
                .map(|(start, end)| (Duration::from_nanos(start), Duration::from_nanos(end))),
        };
        state.passes().into_iter().enumerate().map(info).collect()
    }

    /// When its first command started, since the device was made; `None` before the end and where nothing ran.
    #[doc(alias = "GPUStartTime")]
    #[track_caller]
    pub fn gpu_start_time(&self) -> Option<Duration> {
        let (start, _) = self.shared.times()?;
        Some(Duration::from_nanos(start))
    }

    /// When its last command ended, since the device was made; `None` before the end and where nothing ran.
    #[doc(alias = "GPUEndTime")]
    #[track_caller]
    pub fn gpu_end_time(&self) -> Option<Duration> {
        let (_, end) = self.shared.times()?;
        Some(Duration::from_nanos(end))
    }

    /// Whether it was asked to keep what it uses.
    #[doc(alias = "retainedReferences")]
    pub fn retained_references(&self) -> bool {
        self.shared.descriptor.retained_references && self.shared.tracked.is_some()
    }

    /// Its queue; `None` for explicit queues.
    #[doc(alias = "commandQueue")]
    pub fn command_queue(&self) -> Option<CommandQueue> {
        self.shared.tracked.as_ref().map(|(queue, _)| CommandQueue { shared: Arc::clone(queue) })
    }

    /// The device that it belongs to.
    pub fn device(&self) -> Device {
        Device { shared: Arc::clone(&self.shared.device) }
    }

    /// Its label; empty where there is none.
    pub fn label(&self) -> String {
        label_or_empty(&self.shared.label)
    }

    /// Gives it a name for messages and pictures.
    #[doc(alias = "setLabel")]
    pub fn set_label(&self, label: &str) {
        self.shared.label.set(label);
        if let Some((_, state)) = &self.shared.tracked {
            state.set_label(label);
        }
    }

    /// Says that this command buffer needs what is in a set. It changes nothing and keeps nothing, for a device has what it has given out in
    /// its reach: see [`ResidencySet`](crate::ResidencySet).
    ///
    /// # Errors
    /// A set of another device; a command buffer with an open encoder, or that is not being recorded.
    #[doc(alias = "useResidencySet:")]
    #[doc(alias = "useResidencySets:count:")]
    pub fn use_residency_set(&self, set: &crate::ResidencySet) -> Result<(), Error> {
        let (theirs, shared) = (&set.shared, &self.shared);
        shared.device.owns(&theirs.device, || theirs.describe(), || shared.describe())?;
        self.with_recorder("`use_residency_set`", |_| ())
    }

    /// Names the commands that follow, over encoders too, until the group is popped.
    ///
    /// # Errors
    /// A command buffer with an open encoder, or that is not being recorded.
    #[doc(alias = "pushDebugGroup")]
    pub fn push_debug_group(&self, label: &str) -> Result<(), Error> {
        self.with_recorder("`push_debug_group`", |recorder| recorder.push_group(label))
    }

    /// Ends the innermost debug group.
    ///
    /// # Errors
    /// As [`push_debug_group`](Self::push_debug_group), and no open group.
    #[doc(alias = "popDebugGroup")]
    pub fn pop_debug_group(&self) -> Result<(), Error> {
        if self.with_recorder("`pop_debug_group`", |recorder| recorder.pop_group(0))? {
            return Ok(());
        }
        Err(EncodeError::NoDebugGroup { object: self.shared.describe() }.into())
    }

    /// The recording so far.
    #[cfg(test)]
    pub(crate) fn look<R>(&self, look: impl FnOnce(&crate::record::Recording) -> R) -> R {
        self.with_recorder("`look`", |recorder| look(&recorder.recording)).expect("no encoder is open")
    }

    #[track_caller]
    fn append(&self, call: &'static str, item: Item) -> Result<(), Error> {
        let site = Location::caller();
        self.with_recorder(call, |recorder| {
            recorder.at(site);
            recorder.push(item);
        })
    }

    fn with_recorder<R>(
        &self,
        call: &'static str,
        write: impl FnOnce(&mut Recorder) -> R,
    ) -> Result<R, Error> {
        let mut inner = self.shared.inner.lock();
        match &mut inner.phase {
            Phase::Open(recorder) => Ok(write(recorder)),
            other => Err(self.shared.not_open(call, other)),
        }
    }

    fn check_event(
        &self,
        call: &'static str,
        event: &impl AnyEvent,
    ) -> Result<Arc<crate::signal::EventBody>, Error> {
        self.shared.check_tracked(call, "Signal and wait on the queue")?;
        event::usable(event, &self.shared.device, || self.shared.describe())
    }

    fn handlers(&self, call: &'static str, add: impl FnOnce(&mut Inner)) -> Result<(), Error> {
        self.shared.check_tracked(call, "Give the commit a feedback handler")?;
        let mut inner = self.shared.inner.lock();
        if matches!(inner.phase, Phase::Committed) {
            return Err(EncodeError::Committed { call, buffer: self.shared.describe() }.into());
        }
        add(&mut inner);
        Ok(())
    }

    fn committed(&self, call: &'static str) -> Result<&Arc<CommandBufferState>, Error> {
        let (_, state) = self.shared.tracked(call)?;
        if matches!(self.shared.inner.lock().phase, Phase::Committed) {
            return Ok(state);
        }
        Err(EncodeError::NotCommitted { call, buffer: self.shared.describe() }.into())
    }

    #[track_caller]
    fn encoder(
        &self,
        call: &'static str,
        kind: PassKind,
        dispatch_type: DispatchType,
    ) -> Result<EncoderCore, Error> {
        let mut inner = self.shared.inner.lock();
        match std::mem::take(&mut inner.phase) {
            Phase::Open(recorder) => {
                inner.phase = Phase::Encoding { kind, label: String::new() };
                Ok(EncoderCore::new(&self.shared, recorder, kind, dispatch_type))
            }
            other => {
                inner.phase = other;
                Err(self.shared.not_open(call, &inner.phase))
            }
        }
    }
}

impl CommandBufferShared {
    pub(crate) fn device(&self) -> &Arc<DeviceShared> {
        &self.device
    }

    pub(crate) fn is_tracked(&self) -> bool {
        self.tracked.is_some()
    }

    /// "command buffer `label`", for messages.
    pub(crate) fn describe(&self) -> String {
        self.label.of("command buffer")
    }

    /// An encoder has ended: its recording comes back.
    pub(crate) fn encoder_ended(&self, recorder: Box<Recorder>) {
        self.inner.lock().phase = Phase::Open(recorder);
    }

    /// The open encoder has a new label.
    pub(crate) fn encoder_labelled(&self, new: &str) {
        if let Phase::Encoding { label, .. } = &mut self.inner.lock().phase {
            new.clone_into(label);
        }
    }

    /// That it is one of a tracked queue.
    pub(crate) fn check_tracked(&self, call: &'static str, mend: &'static str) -> Result<(), Error> {
        if self.is_tracked() { Ok(()) } else { Err(self.not_tracked(call, mend)) }
    }

    #[cold]
    fn not_tracked(&self, call: &'static str, mend: &'static str) -> Error {
        let (belongs, object, is) =
            ("command buffers of tracked queues", self.describe(), "for explicit queues");
        EncodeError::WrongMode { call, belongs, object, is, mend }.into()
    }

    fn tracked(&self, call: &'static str) -> Result<&(Arc<QueueShared>, Arc<CommandBufferState>), Error> {
        let mend = "Commit it with `CommandQueue::commit`, and ask the commit";
        self.tracked.as_ref().ok_or_else(|| self.not_tracked(call, mend))
    }

    fn check_explicit(&self, call: &'static str) -> Result<(), Error> {
        if !self.is_tracked() {
            return Ok(());
        }
        let (belongs, object, is) =
            ("command buffers for explicit queues", self.describe(), "of a tracked queue");
        let mend = "It is open from the start until its commit";
        Err(EncodeError::WrongMode { call, belongs, object, is, mend }.into())
    }

    /// Who has times knows that it has ended.
    #[track_caller]
    fn times(&self) -> Option<(u64, u64)> {
        let (_, state) = self.tracked.as_ref()?;
        let times = state.times()?;
        self.device.watch.tell(Happening::Completed(state), Location::caller());
        Some(times)
    }

    /// Why a call that needs an open buffer without an encoder cannot go on.
    #[cold]
    fn not_open(&self, call: &'static str, phase: &Phase) -> Error {
        let buffer = self.describe();
        match phase {
            Phase::Idle => EncodeError::NotBegun { call, buffer },
            Phase::Encoding { kind, label } => {
                EncodeError::EncoderOpen { call, buffer, encoder: describe_encoder(*kind, label) }
            }
            Phase::Ended(_) => EncodeError::Ended { call, buffer },
            Phase::Committed if !self.is_tracked() => EncodeError::NotBegun { call, buffer },
            Phase::Committed | Phase::Open(_) => EncodeError::Committed { call, buffer },
        }
        .into()
    }
}

impl fmt::Debug for CommandBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl fmt::Debug for CommandBufferShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandBuffer")
            .field("label", &self.label)
            .field("tracked", &self.is_tracked())
            .finish_non_exhaustive()
    }
}

/// "compute encoder `label`", for messages.
pub(crate) fn describe_encoder(kind: PassKind, label: &str) -> String {
    let noun = match kind {
        PassKind::Compute => "compute encoder",
        PassKind::Blit => "blit encoder",
        PassKind::Render => "render encoder",
    };
    if label.is_empty() { format!("a {noun} without a label") } else { format!("{noun} `{label}`") }
}
