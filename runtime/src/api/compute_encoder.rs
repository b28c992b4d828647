//! Compute encoders: kernels with what they are bound to, and on explicit queues copies too.
//!
//! What is bound stays bound from dispatch to dispatch, as in Metal. A dispatch whose bindings nobody changed shares the list of the one
//! before; otherwise the list is made anew from the table of what is bound where, checked binding by binding against the function.
mod resolve;

use std::fmt;

use crate::api::binding_index::{BindingIndex, MAX_BINDING, MAX_GROUP};
use crate::api::encoder::{EncoderCore, common_methods};
use crate::api::resource::Resource;
use crate::api::transfer::transfer_methods;
use crate::error::{BindingError, ResourceError};
use crate::record::{BoundBuffer, Command, Grid, Item, MAX_GROUPS};
use crate::{
    BarrierScope, Buffer, ComputePipelineState, DispatchType, Error, Heap, ResourceUsage, SamplerState,
    Stages, Texture, Visibility,
};

use resolve::Resolved;
pub(crate) use resolve::Slot;

/// Records a pass of kernels; on explicit queues, copies and fills too.
///
/// A serial encoder runs its commands one after another. In a concurrent one they may overlap unless a barrier stands between them;
/// encoders of explicit queues are always concurrent. It belongs to the thread that has it. Dropping it ends the pass.
///
/// ```
/// use fencepost::{BarrierScope, Device, DispatchType};
/// let device = Device::cpu();
/// let library = device.new_library_with_wgsl(
///     "@group(0) @binding(0) var<storage, read_write> numbers: array<u32>;
///      @compute @workgroup_size(4) fn double(@builtin(global_invocation_id) id: vec3u) { numbers[id.x] *= 2; }",
/// )?;
/// let pipeline = device.new_compute_pipeline_state(&library.new_function("double")?)?;
/// let numbers = device.new_buffer_with_data(&[1u32, 2, 3, 4], Default::default())?;
/// let work = device.new_command_queue().command_buffer();
/// let mut encoder = work.compute_command_encoder_with_dispatch_type(DispatchType::Concurrent)?;
/// encoder.set_compute_pipeline_state(&pipeline)?;
/// encoder.set_buffer(0, &numbers, 0)?;
/// encoder.dispatch_threadgroups([1, 1, 1])?;
/// encoder.memory_barrier_with_scope(BarrierScope::BUFFERS)?;
/// encoder.dispatch_threadgroups([1, 1, 1])?;
/// encoder.end_encoding();
/// work.commit()?;
/// work.wait_until_completed()?;
/// assert_eq!(numbers.read::<u32>(..)?, [4, 8, 12, 16]);
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLComputeCommandEncoder")]
#[doc(alias = "MTL4ComputeCommandEncoder")]
pub struct ComputeCommandEncoder {
    core: EncoderCore,
    pipeline: Option<ComputePipelineState>,
    slots: Vec<Slot>,
    /// Something is bound that is on a heap, so that its memory may have a new owner at the next dispatch.
    on_heap: bool,
    /// Something is bound by pointer.
    by_pointer: bool,
    /// Of the last dispatch; absent once anything has changed.
    resolved: Option<Resolved>,
}

impl ComputeCommandEncoder {
    pub(crate) fn new(mut core: EncoderCore) -> Self {
        let slots = std::mem::take(&mut core.recorder().slots);
        Self { core, pipeline: None, slots, on_heap: false, by_pointer: false, resolved: None }
    }

    common_methods!();
    transfer_methods!();

    /// The kernel of the dispatches that follow.
    ///
    /// # Errors
    /// A pipeline of another device.
    #[doc(alias = "setComputePipelineState")]
    pub fn set_compute_pipeline_state(&mut self, pipeline: &ComputePipelineState) -> Result<(), Error> {
        let device = self.core.buffer.device();
        device.owns(
            &pipeline.inner.device,
            || format!("pipeline `{}`", pipeline.label()),
            || self.core.describe(),
        )?;
        if !self.pipeline.as_ref().is_some_and(|last| std::sync::Arc::ptr_eq(&last.inner, &pipeline.inner)) {
            self.pipeline = Some(pipeline.clone());
            self.resolved = None;
        }
        Ok(())
    }

    /// Binds a buffer from `offset` to its end.
    ///
    /// # Errors
    /// An offset outside of the buffer or not a multiple of 4; a buffer of another device or whose memory on a heap has a new owner; an
    /// index that no function has.
    #[doc(alias = "setBuffer:offset:atIndex:")]
    #[inline]
    pub fn set_buffer(
        &mut self,
        index: impl Into<BindingIndex>,
        buffer: &Buffer,
        offset: u64,
    ) -> Result<(), Error> {
        let length = buffer.body.length;
        if offset > length || !offset.is_multiple_of(ALIGNMENT) {
            return Err(bad_offset(buffer, offset));
        }
        self.bind_buffer(index.into(), buffer, offset..length, false)
    }

    /// Binds bytes of a buffer.
    ///
    /// # Errors
    /// As [`set_buffer`](Self::set_buffer); also an end that is neither a multiple of 4 nor the end of the buffer.
    #[doc(alias = "setBuffer:offset:atIndex:")]
    pub fn set_buffer_range(
        &mut self,
        index: impl Into<BindingIndex>,
        buffer: &Buffer,
        range: impl std::ops::RangeBounds<u64>,
    ) -> Result<(), Error> {
        let bytes = words(buffer, "`set_buffer_range`", range)?;
        self.bind_buffer(index.into(), buffer, bytes, false)
    }

    /// Binds bytes of a buffer as an argument buffer would: the kernel reaches them through a pointer, which hazard tracking does not see.
    ///
    /// The program orders such uses itself, or declares them with [`use_resource`](Self::use_resource) before the dispatch (rule 2.2.3).
    ///
    /// # Errors
    /// As [`set_buffer_range`](Self::set_buffer_range).
    #[doc(alias = "MTLArgumentEncoder")]
    pub fn set_buffer_by_pointer(
        &mut self,
        index: impl Into<BindingIndex>,
        buffer: &Buffer,
        range: impl std::ops::RangeBounds<u64>,
    ) -> Result<(), Error> {
        let bytes = words(buffer, "`set_buffer_by_pointer`", range)?;
        self.bind_buffer(index.into(), buffer, bytes, true)
    }

    /// Binds bytes by value, as a buffer that only this dispatch and those after it read. At most 4096 bytes.
    ///
    /// # Errors
    /// No bytes or too many; an index that no function has.
    #[doc(alias = "setBytes:length:atIndex:")]
    pub fn set_bytes<T: crate::Pod>(
        &mut self,
        index: impl Into<BindingIndex>,
        values: &[T],
    ) -> Result<(), Error> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        if bytes.is_empty() || bytes.len() > MAX_BYTES {
            return Err(BindingError::BytesLength { length: bytes.len(), limit: MAX_BYTES }.into());
        }
        let words = &mut self.core.recorder().recording.words;
        let start = words.len() as u32;
        words.extend(bytes.chunks(4).map(|chunk| {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            u32::from_ne_bytes(word)
        }));
        let end = words.len() as u32;
        self.bind(index.into(), Slot::Bytes { start, end })
    }

    /// Binds a texture or a view.
    ///
    /// # Errors
    /// A texture of another device or whose memory on a heap has a new owner; an index that no function has.
    #[doc(alias = "setTexture:atIndex:")]
    pub fn set_texture(&mut self, index: impl Into<BindingIndex>, texture: &Texture) -> Result<(), Error> {
        self.core.check_texture("`set_texture`", texture)?;
        self.on_heap |= texture.core().can_be_lost();
        let place = self.core.recorder().texture(&texture.view);
        self.bind(index.into(), Slot::Texture { index: place, usage: texture.usage })
    }

    /// Binds a sampler.
    ///
    /// # Errors
    /// A sampler of another device; an index that no function has.
    #[doc(alias = "setSamplerState:atIndex:")]
    pub fn set_sampler_state(
        &mut self,
        index: impl Into<BindingIndex>,
        sampler: &SamplerState,
    ) -> Result<(), Error> {
        let core = &mut self.core;
        core.buffer.device().owns(&sampler.device, || sampler.describe(), || core.describe())?;
        let place = core.recorder().sampler(&sampler.descriptor);
        self.bind(index.into(), Slot::Sampler { index: place })
    }

    /// Runs the kernel over so many threadgroups in x, y and z.
    ///
    /// # Errors
    /// A dimension of 0 or too large; no pipeline; a binding of its function with nothing bound, with a resource of the wrong kind, or
    /// with too few bytes.
    #[doc(alias = "dispatchThreadgroups:threadsPerThreadgroup:")]
    #[inline]
    #[track_caller]
    pub fn dispatch_threadgroups(&mut self, groups: [u32; 3]) -> Result<(), Error> {
        self.core.here();
        self.dispatch(Grid { groups, threads: None })
    }

    /// Runs the kernel over so many threads in x, y and z, in threadgroups of its own size; the last ones may be partial.
    ///
    /// # Errors
    /// As [`dispatch_threadgroups`](Self::dispatch_threadgroups).
    #[doc(alias = "dispatchThreads:threadsPerThreadgroup:")]
    #[track_caller]
    pub fn dispatch_threads(&mut self, threads: [u32; 3]) -> Result<(), Error> {
        self.core.here();
        let sides = self.pipeline()?.inner.threads;
        let mut groups = [0; 3];
        for axis in 0..3 {
            groups[axis] = threads[axis].div_ceil(sides[axis]);
        }
        let partial = (0..3).any(|axis| threads[axis] == 0 || !threads[axis].is_multiple_of(sides[axis]));
        self.dispatch(Grid { groups, threads: partial.then_some(threads) })
    }

    /// Runs the kernel over as many threadgroups as three `u32` in a buffer say when the command runs. Counts of 0 run nothing; counts
    /// that are too large are an error of the command buffer.
    ///
    /// # Errors
    /// An offset that is not a multiple of 4 or has fewer than 12 bytes behind it; a buffer of another device; otherwise as
    /// [`dispatch_threadgroups`](Self::dispatch_threadgroups).
    #[doc(alias = "dispatchThreadgroupsWithIndirectBuffer:indirectBufferOffset:threadsPerThreadgroup:")]
    #[track_caller]
    pub fn dispatch_threadgroups_indirect(&mut self, arguments: &Buffer, offset: u64) -> Result<(), Error> {
        const CALL: &str = "`dispatch_threadgroups_indirect`";
        self.core.here();
        self.core.check_buffer(CALL, arguments)?;
        if !offset.is_multiple_of(ALIGNMENT) {
            let what = "the offset of the arguments";
            return Err(
                ResourceError::Alignment { call: CALL, what, value: offset, multiple: ALIGNMENT }.into()
            );
        }
        arguments.part(CALL, offset, INDIRECT_BYTES)?;
        let resolved = self.resolved()?;
        let recorder = self.core.recorder();
        let buffer = recorder.buffer(&arguments.body);
        let arguments_range = BoundBuffer { buffer, offset, length: INDIRECT_BYTES };
        let accesses =
            recorder.accesses_with(&resolved.accesses, resolve::reads(arguments, offset, INDIRECT_BYTES));
        let command = Command::DispatchIndirect {
            pipeline: resolved.pipeline,
            bindings: resolved.bindings,
            arguments: arguments_range,
        };
        recorder.hide(&resolved.hidden);
        recorder.runs(|| name(self.pipeline.as_ref()));
        recorder.command(command, Stages::DISPATCH, accesses);
        self.core.used |= Stages::DISPATCH;
        Ok(())
    }

    /// Between the dispatches of a concurrent encoder: those recorded so far complete, and their effects on buffers or textures are
    /// visible, before those recorded later start. A serial encoder orders its dispatches anyway.
    ///
    /// # Errors
    /// An encoder for an explicit queue, which has [`barrier`](Self::barrier).
    #[doc(alias = "memoryBarrierWithScope")]
    #[track_caller]
    pub fn memory_barrier_with_scope(&mut self, scope: BarrierScope) -> Result<(), Error> {
        self.core.here();
        self.core.check_tracked("`memory_barrier_with_scope`", "Use `barrier`")?;
        if !scope.is_empty() {
            let (after, before) = (Stages::DISPATCH, Stages::DISPATCH);
            self.core.push(Item::MemoryBarrier { scope, resources: 0..0, after, before });
        }
        Ok(())
    }

    /// The same, for the effects on these resources alone. No resources order nothing.
    ///
    /// # Errors
    /// As [`memory_barrier_with_scope`](Self::memory_barrier_with_scope), and a resource of another device.
    #[doc(alias = "memoryBarrierWithResources")]
    #[track_caller]
    pub fn memory_barrier_with_resources(&mut self, resources: &[&dyn Resource]) -> Result<(), Error> {
        const CALL: &str = "`memory_barrier_with_resources`";
        self.core.here();
        self.core.check_tracked(CALL, "Use `barrier`")?;
        for resource in resources {
            self.check_resource(CALL, *resource)?;
        }
        if !resources.is_empty() {
            let all = ResourceUsage::READ | ResourceUsage::WRITE;
            let recorder = self.core.recorder();
            resources.iter().for_each(|resource| resource.reference().keep(recorder));
            let accesses =
                recorder.accesses(resources.iter().map(|resource| resource.reference().whole(all)));
            let (after, before) = (Stages::DISPATCH, Stages::DISPATCH);
            let scope = BarrierScope::empty();
            self.core.push(Item::MemoryBarrier { scope, resources: accesses, after, before });
        }
        Ok(())
    }

    /// Inside this pass: commands of the stages `before`, recorded from here on, wait for commands of the stages `after` recorded so
    /// far. Other passes are not touched. An empty set orders nothing.
    ///
    /// # Errors
    /// A stage that this encoder cannot encode; an encoder of a tracked queue, which has
    /// [`memory_barrier_with_scope`](Self::memory_barrier_with_scope).
    #[doc(alias = "barrierAfterEncoderStages:beforeEncoderStages:visibilityOptions:")]
    #[track_caller]
    pub fn barrier(&mut self, after: Stages, before: Stages, visibility: Visibility) -> Result<(), Error> {
        const CALL: &str = "`barrier`";
        self.core.here();
        self.core.check_explicit(CALL, "Use `memory_barrier_with_scope`")?;
        self.core.check_stages(CALL, after)?;
        self.core.check_stages(CALL, before)?;
        self.core.recorder().synchronize(Item::Barrier { after, before, visibility });
        Ok(())
    }

    /// A producer barrier: work of the stages `before_queue` of every *later* pass of the queue waits for work of the stages `after`
    /// recorded so far in this pass and in every earlier pass of the queue. Later work of this pass is not held.
    ///
    /// Any stages may be named. An empty set orders nothing.
    ///
    /// # Errors
    /// An encoder of a tracked queue.
    #[doc(alias = "barrierAfterStages:beforeQueueStages:visibilityOptions:")]
    #[track_caller]
    pub fn barrier_before_queue_stages(
        &mut self,
        after: Stages,
        before_queue: Stages,
        visibility: Visibility,
    ) -> Result<(), Error> {
        self.core.here();
        let mend = "Use `barrier_after_queue_stages` in the later pass, or a fence";
        self.core.check_explicit("`barrier_before_queue_stages`", mend)?;
        self.core.recorder().synchronize(Item::ProducerBarrier { after, before_queue, visibility });
        Ok(())
    }

    /// Says that dispatches recorded from here on use a resource that they are not bound to, so that tracking protects it.
    ///
    /// # Errors
    /// A usage that says neither read nor write; a resource of another device or whose memory has a new owner; an encoder for an
    /// explicit queue, where nothing is tracked.
    #[doc(alias = "useResource:usage:")]
    #[track_caller]
    pub fn use_resource(&mut self, resource: &impl Resource, usage: ResourceUsage) -> Result<(), Error> {
        const CALL: &str = "`use_resource`";
        self.core.here();
        self.core.check_tracked(CALL, "Order its uses by barriers, fences or events")?;
        self.check_resource(CALL, resource)?;
        if usage.is_empty() {
            return Err(ResourceError::NoUsage { call: CALL }.into());
        }
        let reference = resource.inside().0;
        let recorder = self.core.recorder();
        reference.keep(recorder);
        let accesses = recorder.accesses([reference.access(usage)]);
        self.core.push(Item::Declare { accesses });
        Ok(())
    }

    /// Says that dispatches recorded from here on read whatever is on a heap. Where the heap is tracked, tracking protects it; what they
    /// write there still needs [`use_resource`](Self::use_resource).
    ///
    /// # Errors
    /// A heap of another device; an encoder for an explicit queue.
    #[doc(alias = "useHeap")]
    #[track_caller]
    pub fn use_heap(&mut self, heap: &Heap) -> Result<(), Error> {
        const CALL: &str = "`use_heap`";
        self.core.here();
        self.core.check_tracked(CALL, "Order its uses by barriers, fences or events")?;
        let shared = &heap.shared;
        self.core.buffer.device().owns(&shared.device, || shared.describe(), || self.core.describe())?;
        if let Some(whole) = shared.whole {
            let recorder = self.core.recorder();
            recorder.recording.heaps.push(std::sync::Arc::clone(shared));
            let accesses = recorder.accesses([resolve::reads_all(whole)]);
            self.core.push(Item::Declare { accesses });
        }
        Ok(())
    }

    /// Whether dispatches run one after another.
    #[doc(alias = "dispatchType")]
    pub fn dispatch_type(&self) -> DispatchType {
        self.core.dispatch_type()
    }

    /// The stages that were recorded so far.
    pub fn stages(&self) -> Stages {
        self.core.used
    }

    pub(crate) fn core(&mut self) -> &mut EncoderCore {
        &mut self.core
    }

    #[inline]
    fn bind_buffer(
        &mut self,
        index: BindingIndex,
        buffer: &Buffer,
        bytes: std::ops::Range<u64>,
        by_pointer: bool,
    ) -> Result<(), Error> {
        self.core.check_buffer("`set_buffer`", buffer)?;
        self.on_heap |= buffer.body.core.can_be_lost();
        self.by_pointer |= by_pointer;
        let place = self.core.recorder().buffer(&buffer.body);
        let bound = BoundBuffer { buffer: place, offset: bytes.start, length: bytes.end - bytes.start };
        self.bind(index, Slot::Buffer { bound, resource: buffer.body.resource, by_pointer })
    }

    #[inline]
    fn bind(&mut self, index: BindingIndex, bound: Slot) -> Result<(), Error> {
        let Some(place) = index.slot() else { return Err(bad_index(index)) };
        let place = place as usize;
        if place >= self.slots.len() {
            self.slots.resize(place + 1, Slot::Empty);
        }
        if self.slots[place] != bound {
            self.slots[place] = bound;
            self.resolved = None;
        }
        Ok(())
    }

    #[inline]
    fn dispatch(&mut self, grid: Grid) -> Result<(), Error> {
        let threads = self.pipeline()?.inner.threads;
        if grid.groups.contains(&0) || !Grid::fits(grid.groups, threads) {
            return Err(self.bad_grid(grid));
        }
        let resolved = self.resolved()?;
        let command = Command::Dispatch { pipeline: resolved.pipeline, bindings: resolved.bindings, grid };
        let recorder = self.core.recorder();
        recorder.hide(&resolved.hidden);
        recorder.runs(|| name(self.pipeline.as_ref()));
        recorder.command(command, Stages::DISPATCH, resolved.accesses);
        self.core.used |= Stages::DISPATCH;
        Ok(())
    }

    fn pipeline(&self) -> Result<&ComputePipelineState, Error> {
        self.pipeline
            .as_ref()
            .ok_or_else(|| BindingError::NoPipeline { encoder: self.core.describe() }.into())
    }

    fn check_resource(&self, call: &'static str, resource: &dyn Resource) -> Result<(), Error> {
        let reference = resource.reference();
        let (core, noun) = (reference.core(), reference.noun());
        self.core.buffer.device().owns(&core.device, || core.label.of(noun), || self.core.describe())?;
        core.check_alive(call, noun)
    }

    pub(crate) fn check_transfers(&self, call: &'static str) -> Result<(), Error> {
        self.core.check_explicit(call, "Use a blit encoder")
    }

    #[cold]
    fn bad_grid(&self, grid: Grid) -> Error {
        let Ok(pipeline) = self.pipeline() else {
            return BindingError::NoPipeline { encoder: self.core.describe() }.into();
        };
        let function = pipeline.inner.function.name().to_owned();
        if grid.groups.contains(&0) {
            let (grid, unit) = match grid.threads {
                Some(threads) => (threads, "threads"),
                None => (grid.groups, "threadgroups"),
            };
            return BindingError::EmptyGrid { function, grid, unit }.into();
        }
        BindingError::LargeGrid { function, groups: grid.groups, limit: MAX_GROUPS }.into()
    }
}

impl Drop for ComputeCommandEncoder {
    fn drop(&mut self) {
        // The table's memory serves the next encoder of this command buffer.
        self.slots.clear();
        let slots = std::mem::take(&mut self.slots);
        self.core.recorder().slots = slots;
    }
}

impl fmt::Debug for ComputeCommandEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComputeCommandEncoder").field("core", &self.core).finish_non_exhaustive()
    }
}

/// Whole words of a buffer, checked.
fn words(
    buffer: &Buffer,
    call: &'static str,
    range: impl std::ops::RangeBounds<u64>,
) -> Result<std::ops::Range<u64>, Error> {
    let range = buffer.range(call, range)?;
    // The last word of a buffer is whole, whatever length was asked for.
    let end = if range.end == buffer.length() { buffer.body.length } else { range.end };
    for (what, value) in [("the start of the range", range.start), ("the end of the range", end)] {
        if !value.is_multiple_of(ALIGNMENT) {
            return Err(ResourceError::Alignment { call, what, value, multiple: ALIGNMENT }.into());
        }
    }
    Ok(range.start..end)
}

/// What a dispatch without a label is called.
fn name(pipeline: Option<&ComputePipelineState>) -> String {
    pipeline.map_or_else(String::new, |pipeline| pipeline.inner.function.name().to_owned())
}

#[cold]
fn bad_offset(buffer: &Buffer, offset: u64) -> Error {
    const CALL: &str = "`set_buffer`";
    if offset > buffer.body.length {
        let (end, length) = (buffer.length().max(offset), buffer.length());
        return ResourceError::Bytes { call: CALL, start: offset, end, buffer: buffer.describe(), length }
            .into();
    }
    ResourceError::Alignment { call: CALL, what: "the offset", value: offset, multiple: ALIGNMENT }.into()
}

#[cold]
fn bad_index(index: BindingIndex) -> Error {
    let BindingIndex { group, binding } = index;
    BindingError::Index { group, binding, groups: MAX_GROUP, bindings: MAX_BINDING }.into()
}

/// Of bound bytes: kernels see words.
const ALIGNMENT: u64 = 4;
/// Of `set_bytes`: Metal's own limit.
const MAX_BYTES: usize = 4_096;
/// Three counts.
const INDIRECT_BYTES: u64 = 12;
