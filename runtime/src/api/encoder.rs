//! What all encoders share: the recording they own, fences, barriers, labels, and the end.
//!
//! An encoder takes the recording out of its command buffer and gives it back at its end, by `end_encoding` or by being dropped.
use std::fmt;
use std::sync::Arc;

use fencepost_core::FenceId;
use smallvec::SmallVec;

use crate::api::command_buffer::{CommandBufferShared, describe_encoder};
use crate::error::EncodeError;
use crate::record::{Item, Recorder};
use crate::{DispatchType, Error, Fence, PassKind, Stages, Visibility};

pub(crate) struct EncoderCore {
    pub(crate) buffer: Arc<CommandBufferShared>,
    /// Absent only once the encoder has ended, which consumes it.
    recorder: Option<Box<Recorder>>,
    kind: PassKind,
    dispatch_type: DispatchType,
    label: String,
    /// Where the pass began, so that a label given later is put there.
    begin: usize,
    /// Debug groups of the command buffer, which are not this encoder's to pop.
    outer_groups: usize,
    /// Stages that it can encode.
    pub(crate) encodable: Stages,
    /// Stages that it has encoded.
    pub(crate) used: Stages,
    updated: SmallVec<[FenceId; 4]>,
}

impl EncoderCore {
    #[track_caller]
    pub(crate) fn new(
        buffer: &Arc<CommandBufferShared>,
        mut recorder: Box<Recorder>,
        kind: PassKind,
        dispatch_type: DispatchType,
    ) -> Self {
        let encodable = match (kind, buffer.is_tracked()) {
            (PassKind::Blit, _) => Stages::BLIT,
            (PassKind::Render, _) => RENDER,
            (PassKind::Compute, true) => Stages::DISPATCH,
            (PassKind::Compute, false) => Stages::DISPATCH | Stages::BLIT | Stages::ACCELERATION_STRUCTURE,
        };
        recorder.here();
        let begin = recorder.recording.items.len();
        recorder.begin_pass(Item::BeginPass { kind, dispatch_type, label: None });
        Self {
            buffer: Arc::clone(buffer),
            outer_groups: recorder.open_groups(),
            recorder: Some(recorder),
            kind,
            dispatch_type,
            label: String::new(),
            begin,
            encodable,
            used: Stages::empty(),
            updated: SmallVec::new(),
        }
    }

    #[inline]
    pub(crate) fn recorder(&mut self) -> &mut Recorder {
        match &mut self.recorder {
            Some(recorder) => recorder,
            None => unreachable!("only the end takes it, and nobody has the encoder after its end"),
        }
    }

    pub(crate) fn dispatch_type(&self) -> DispatchType {
        self.dispatch_type
    }

    /// "compute encoder `label`", for messages.
    pub(crate) fn describe(&self) -> String {
        describe_encoder(self.kind, &self.label)
    }

    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    pub(crate) fn set_label(&mut self, new: &str) {
        new.clone_into(&mut self.label);
        self.buffer.encoder_labelled(new);
        let begin = self.begin;
        let recorder = self.recorder();
        let index = (!new.is_empty()).then(|| recorder.label(new));
        if let Some(Item::BeginPass { label, .. }) = recorder.recording.items.get_mut(begin) {
            *label = index;
        }
    }

    pub(crate) fn push_debug_group(&mut self, label: &str) {
        self.recorder().push_group(label);
    }

    pub(crate) fn pop_debug_group(&mut self) -> Result<(), Error> {
        let outer = self.outer_groups;
        if self.recorder().pop_group(outer) {
            return Ok(());
        }
        Err(EncodeError::NoDebugGroup { object: self.describe() }.into())
    }

    pub(crate) fn insert_debug_signpost(&mut self, text: &str) {
        self.recorder().signpost(text);
    }

    /// What is appended next is appended by the caller's caller.
    #[inline]
    #[track_caller]
    pub(crate) fn here(&mut self) {
        self.recorder().here();
    }

    pub(crate) fn push(&mut self, item: Item) {
        self.recorder().push(item);
    }

    pub(crate) fn update_fence(
        &mut self,
        call: &'static str,
        fence: &Fence,
        after: Stages,
    ) -> Result<(), Error> {
        self.check_stages(call, after)?;
        self.check_fence(fence)?;
        self.recorder().fence(&fence.body);
        let fence = fence.body.fence;
        if !after.is_empty() && !self.updated.contains(&fence) {
            self.updated.push(fence);
        }
        self.recorder().synchronize(Item::UpdateFence { fence, after });
        Ok(())
    }

    pub(crate) fn wait_for_fence(
        &mut self,
        call: &'static str,
        fence: &Fence,
        before: Stages,
    ) -> Result<(), Error> {
        self.check_stages(call, before)?;
        self.check_fence(fence)?;
        if self.updated.contains(&fence.body.fence) {
            let fence = fence.body.label.of("fence");
            return Err(EncodeError::FenceOrder { encoder: self.describe(), fence }.into());
        }
        self.recorder().fence(&fence.body);
        self.recorder().synchronize(Item::WaitForFence { fence: fence.body.fence, before });
        Ok(())
    }

    /// A queue barrier before what follows; empty masks order nothing.
    pub(crate) fn consumer_barrier(&mut self, after_queue: Stages, before: Stages, visibility: Visibility) {
        // Tracked queues have no visibility to choose: their barriers always make writes visible.
        let visibility = if self.buffer.is_tracked() { Visibility::DEVICE } else { visibility };
        self.recorder().synchronize(Item::ConsumerBarrier { after_queue, before, visibility });
    }

    /// That every stage is one that this encoder can encode.
    pub(crate) fn check_stages(&self, call: &'static str, named: Stages) -> Result<(), Error> {
        if self.encodable.contains(named) {
            return Ok(());
        }
        let (encoder, encodable) = (self.describe(), self.encodable);
        Err(EncodeError::Stages { call, named, encoder, encodable }.into())
    }

    /// That this is an encoder of an explicit queue's command buffer.
    pub(crate) fn check_explicit(&self, call: &'static str, mend: &'static str) -> Result<(), Error> {
        if !self.buffer.is_tracked() {
            return Ok(());
        }
        let (belongs, is) = ("encoders for explicit queues", "of a tracked queue");
        Err(EncodeError::WrongMode { call, belongs, object: self.describe(), is, mend }.into())
    }

    /// That this is an encoder of a tracked queue's command buffer.
    pub(crate) fn check_tracked(&self, call: &'static str, mend: &'static str) -> Result<(), Error> {
        if self.buffer.is_tracked() {
            return Ok(());
        }
        let (belongs, is) = ("encoders of tracked queues", "for an explicit queue");
        Err(EncodeError::WrongMode { call, belongs, object: self.describe(), is, mend }.into())
    }

    fn check_fence(&self, fence: &Fence) -> Result<(), Error> {
        let body = &fence.body;
        self.buffer.device().owns(&body.device, || body.label.of("fence"), || self.describe())
    }
}

impl Drop for EncoderCore {
    fn drop(&mut self) {
        if let Some(mut recorder) = self.recorder.take() {
            recorder.close_groups(self.outer_groups);
            recorder.recording.items.push(Item::EndPass);
            self.buffer.encoder_ended(recorder);
        }
    }
}

impl fmt::Debug for EncoderCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("kind", &self.kind)
            .field("dispatch_type", &self.dispatch_type)
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// Stages of draws and of what a render pass does besides.
const RENDER: Stages =
    Stages::VERTEX.union(Stages::FRAGMENT).union(Stages::TILE).union(Stages::OBJECT).union(Stages::MESH);

/// The methods that every encoder has, written once.
macro_rules! common_methods {
    () => {
        /// Ends the pass. Dropping the encoder does the same.
        #[doc(alias = "endEncoding")]
        pub fn end_encoding(self) {}

        /// Captures the work recorded so far in this pass: waits for the fence in later passes are waits for it.
        ///
        /// # Errors
        /// A fence of another device.
        #[doc(alias = "updateFence")]
        #[track_caller]
        pub fn update_fence(&mut self, fence: &crate::Fence) -> Result<(), crate::Error> {
            self.core.here();
            let all = self.core.encodable;
            self.core.update_fence("`update_fence`", fence, all)
        }

        /// Captures the work of these stages recorded so far in this pass. An empty set captures nothing.
        ///
        /// # Errors
        /// A stage that this encoder cannot encode; a fence of another device.
        #[doc(alias = "updateFence:afterEncoderStages:")]
        #[track_caller]
        pub fn update_fence_after_stages(
            &mut self,
            fence: &crate::Fence,
            after: crate::Stages,
        ) -> Result<(), crate::Error> {
            self.core.here();
            self.core.update_fence("`update_fence_after_stages`", fence, after)
        }

        /// Holds the work recorded from here on until all that earlier updates of the fence captured has completed: updates by earlier
        /// passes of this command buffer and by command buffers committed before it.
        ///
        /// # Errors
        /// A fence that this pass has updated, whose wait could never end; a fence of another device.
        #[doc(alias = "waitForFence")]
        #[track_caller]
        pub fn wait_for_fence(&mut self, fence: &crate::Fence) -> Result<(), crate::Error> {
            self.core.here();
            let all = self.core.encodable;
            self.core.wait_for_fence("`wait_for_fence`", fence, all)
        }

        /// Holds only the work of these stages. An empty set holds nothing.
        ///
        /// # Errors
        /// As [`wait_for_fence`](Self::wait_for_fence), and a stage that this encoder cannot encode.
        #[doc(alias = "waitForFence:beforeEncoderStages:")]
        #[track_caller]
        pub fn wait_for_fence_before_stages(
            &mut self,
            fence: &crate::Fence,
            before: crate::Stages,
        ) -> Result<(), crate::Error> {
            self.core.here();
            self.core.wait_for_fence("`wait_for_fence_before_stages`", fence, before)
        }

        /// A consumer barrier: work of the stages `before`, recorded from here on in this pass and in every later pass of the queue, waits
        /// for work of the stages `after_queue` of every *earlier* pass of the queue. Work of this pass is never waited for.
        ///
        /// Any stages may be named. An empty set orders nothing. On a tracked queue the visibility is always that of the device.
        #[doc(alias = "barrierAfterQueueStages:beforeStages:")]
        #[doc(alias = "barrierAfterQueueStages:beforeStages:visibilityOptions:")]
        #[track_caller]
        pub fn barrier_after_queue_stages(
            &mut self,
            after_queue: crate::Stages,
            before: crate::Stages,
            visibility: crate::Visibility,
        ) {
            self.core.here();
            self.core.consumer_barrier(after_queue, before, visibility);
        }

        /// Names the commands that follow until the group is popped or the encoder ends.
        #[doc(alias = "pushDebugGroup")]
        pub fn push_debug_group(&mut self, label: &str) {
            self.core.push_debug_group(label);
        }

        /// Ends the innermost debug group of this encoder.
        ///
        /// # Errors
        /// No group of this encoder is open.
        #[doc(alias = "popDebugGroup")]
        pub fn pop_debug_group(&mut self) -> Result<(), crate::Error> {
            self.core.pop_debug_group()
        }

        /// Leaves a mark, to be found in [`CommandBufferEncoderInfo::debug_signposts`](crate::CommandBufferEncoderInfo).
        #[doc(alias = "insertDebugSignpost")]
        pub fn insert_debug_signpost(&mut self, text: &str) {
            self.core.insert_debug_signpost(text);
        }

        /// Its label; empty where there is none.
        pub fn label(&self) -> &str {
            self.core.label()
        }

        /// Gives the pass a name for messages and pictures.
        #[doc(alias = "setLabel")]
        pub fn set_label(&mut self, label: &str) {
            self.core.set_label(label);
        }
    };
}

pub(crate) use common_methods;
