//! Render encoders: draws, and barriers between their stages.
//!
//! Nobody but replays of programs records render passes yet, so what a draw does is given here as the work of its two stages, each a
//! kernel with its bindings. Everything else is what any encoder has: stages, fences, barriers, the order of work.
use fencepost_core::Access;

use crate::api::encoder::EncoderCore;
use crate::api::resource::Resource;
use crate::error::EncodeError;
use crate::record::Item;
use crate::{BarrierScope, Error, Fence, ResourceUsage, Stages, Visibility};

/// Records a pass of draws. Stages and draws overlap unless something stands between them.
#[derive(Debug)]
pub(crate) struct RenderCommandEncoder {
    pub(crate) core: EncoderCore,
}

impl RenderCommandEncoder {
    pub(crate) fn new(core: EncoderCore) -> Self {
        Self { core }
    }

    /// Inside this pass, on explicit queues. No pass waits for its own fragments or tiles (rule 3.3.4): a tile renderer shades all draws of
    /// a tile at once.
    pub(crate) fn barrier(
        &mut self,
        after: Stages,
        before: Stages,
        visibility: Visibility,
    ) -> Result<(), Error> {
        const CALL: &str = "`barrier`";
        self.core.check_explicit(CALL, "Use a memory barrier")?;
        self.check_within(CALL, after, before)?;
        self.core.recorder().synchronize(Item::Barrier { after, before, visibility });
        Ok(())
    }

    /// Inside this pass, on tracked queues, for kinds of resource.
    pub(crate) fn memory_barrier_with_scope(
        &mut self,
        scope: BarrierScope,
        after: Stages,
        before: Stages,
    ) -> Result<(), Error> {
        const CALL: &str = "`memory_barrier_with_scope`";
        self.core.check_tracked(CALL, "Use `barrier`")?;
        self.check_within(CALL, after, before)?;
        if !scope.is_empty() && !after.is_empty() && !before.is_empty() {
            self.core.push(Item::MemoryBarrier { scope, resources: 0..0, after, before });
        }
        Ok(())
    }

    /// Inside this pass, on tracked queues, for these resources.
    pub(crate) fn memory_barrier_with_resources(
        &mut self,
        resources: &[&dyn Resource],
        after: Stages,
        before: Stages,
    ) -> Result<(), Error> {
        const CALL: &str = "`memory_barrier_with_resources`";
        self.core.check_tracked(CALL, "Use `barrier`")?;
        self.check_within(CALL, after, before)?;
        if !resources.is_empty() && !after.is_empty() && !before.is_empty() {
            let all = ResourceUsage::READ | ResourceUsage::WRITE;
            let recorder = self.core.recorder();
            resources.iter().for_each(|resource| resource.reference().keep(recorder));
            let resources =
                recorder.accesses(resources.iter().map(|resource| resource.reference().whole(all)));
            self.core.push(Item::MemoryBarrier { scope: BarrierScope::empty(), resources, after, before });
        }
        Ok(())
    }

    /// What came before on the queue and in this pass, before what later passes do.
    pub(crate) fn barrier_before_queue_stages(
        &mut self,
        after: Stages,
        before_queue: Stages,
        visibility: Visibility,
    ) -> Result<(), Error> {
        let mend = "Use a consumer barrier in the later pass, or a fence";
        self.core.check_explicit("`barrier_before_queue_stages`", mend)?;
        self.core.recorder().synchronize(Item::ProducerBarrier { after, before_queue, visibility });
        Ok(())
    }

    /// Says that draws from here on use a resource that they are not bound to. No stages are named, so each is meant.
    pub(crate) fn use_resource(
        &mut self,
        resource: &impl Resource,
        usage: ResourceUsage,
    ) -> Result<(), Error> {
        let reference = resource.inside().0;
        let (core, noun) = (reference.core(), reference.noun());
        let device = self.core.buffer.device();
        device.owns(&core.device, || core.label.of(noun), || self.core.describe())?;
        let stages = self.core.encodable;
        let recorder = self.core.recorder();
        reference.keep(recorder);
        let access = |stage| Access { stage, ..reference.access(usage) };
        let accesses = recorder.accesses(stages.iter_stages().map(access));
        self.core.push(Item::Declare { accesses });
        Ok(())
    }

    /// Captures the pass so far, in these stages.
    pub(crate) fn update_fence(&mut self, fence: &Fence, after: Option<Stages>) -> Result<(), Error> {
        let after = after.unwrap_or(self.core.encodable);
        self.core.update_fence("`update_fence`", fence, after)
    }

    /// Holds what follows in these stages.
    pub(crate) fn wait_for_fence(&mut self, fence: &Fence, before: Option<Stages>) -> Result<(), Error> {
        let before = before.unwrap_or(self.core.encodable);
        self.core.wait_for_fence("`wait_for_fence`", fence, before)
    }

    fn check_within(&self, call: &'static str, after: Stages, before: Stages) -> Result<(), Error> {
        self.core.check_stages(call, after)?;
        self.core.check_stages(call, before)?;
        let late = after & (Stages::FRAGMENT | Stages::TILE);
        if late.is_empty() {
            return Ok(());
        }
        Err(EncodeError::LateStages { call, named: late, encoder: self.core.describe() }.into())
    }
}
