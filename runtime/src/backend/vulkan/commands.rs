//! A command buffer that is being recorded. Each call is one command; what orders commands is said by whoever records.
#![allow(unsafe_code, reason = "calls the Vulkan driver")]
use ash::vk;
use fencepost_core::Stages;

use super::gpu::Gpu;
use crate::Error;

/// A command buffer, recorded by one thread.
///
/// What commands name is kept by whoever records, until the point of the segment is reached; ranges were checked when the work was
/// encoded. That is what every call here rests on.
#[derive(Clone, Copy)]
pub(super) struct Commands<'a> {
    pub(super) gpu: &'a Gpu,
    pub(super) raw: vk::CommandBuffer,
}

/// A pool with one command buffer.
#[derive(Debug)]
pub(super) struct CommandPool {
    pool: vk::CommandPool,
    pub(super) buffer: vk::CommandBuffer,
}

impl CommandPool {
    pub(super) fn new(gpu: &Gpu) -> Result<Self, Error> {
        let create = vk::CommandPoolCreateInfo::default()
            .flags(vk::CommandPoolCreateFlags::TRANSIENT)
            .queue_family_index(gpu.candidate.family);
        // SAFETY: the device has queues of this family.
        let pool = unsafe { gpu.raw.create_command_pool(&create, None) };
        let pool = pool.map_err(|result| gpu.error("vkCreateCommandPool", result))?;
        let allocate = vk::CommandBufferAllocateInfo::default().command_pool(pool).command_buffer_count(1);
        // SAFETY: nobody else knows the pool.
        let buffers = unsafe { gpu.raw.allocate_command_buffers(&allocate) };
        let buffer = buffers.map_err(|result| gpu.error("vkAllocateCommandBuffers", result))?;
        Ok(Self { pool, buffer: buffer.first().copied().unwrap_or_default() })
    }

    /// Empties it and begins.
    pub(super) fn begin<'a>(&mut self, gpu: &'a Gpu) -> Result<Commands<'a>, vk::Result> {
        // SAFETY: the command buffer's last point was reached, as all who use the pool see to.
        unsafe { gpu.raw.reset_command_pool(self.pool, vk::CommandPoolResetFlags::empty()) }?;
        let begin = vk::CommandBufferBeginInfo::default().flags(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
        // SAFETY: it is in its first state, after the reset.
        unsafe { gpu.raw.begin_command_buffer(self.buffer, &begin) }?;
        Ok(Commands { gpu, raw: self.buffer })
    }

    /// Gives it back. Nothing of it is in flight.
    pub(super) fn destroy(&mut self, gpu: &Gpu) {
        // SAFETY: nothing of it is in flight, and the null handle is allowed for one destroyed before.
        unsafe { gpu.raw.destroy_command_pool(std::mem::take(&mut self.pool), None) };
    }
}

impl Commands<'_> {
    pub(super) fn end(self) -> Result<(), vk::Result> {
        // SAFETY: see the type.
        unsafe { self.gpu.raw.end_command_buffer(self.raw) }
    }

    /// Earlier work of some stages ends, with its writes visible, before later work of others.
    pub(super) fn barrier(self, after: Stages, before: Stages) {
        let barrier = vk::MemoryBarrier2::default()
            .src_stage_mask(stages(after))
            .src_access_mask(writes(after))
            .dst_stage_mask(stages(before))
            .dst_access_mask(accesses(before));
        self.memory_barrier(barrier);
    }

    /// Says to validation layers what a wait for a timeline has said: some of them take a timeline for a semaphore of two states, and see
    /// hazards where a wait skips a value. Nothing where nobody watches.
    pub(super) fn to_layers(self) {
        if self.gpu.checked {
            let all = vk::PipelineStageFlags2::ALL_COMMANDS;
            let memory = vk::AccessFlags2::MEMORY_READ | vk::AccessFlags2::MEMORY_WRITE;
            let barrier = vk::MemoryBarrier2::default()
                .src_stage_mask(all)
                .src_access_mask(memory)
                .dst_stage_mask(all)
                .dst_access_mask(memory);
            self.memory_barrier(barrier);
        }
    }

    /// What was written so far by these stages can be read by the host, once the point is reached.
    pub(super) fn to_host(self, after: Stages) {
        let barrier = vk::MemoryBarrier2::default()
            .src_stage_mask(stages(after))
            .src_access_mask(writes(after))
            .dst_stage_mask(vk::PipelineStageFlags2::HOST)
            .dst_access_mask(vk::AccessFlags2::HOST_READ);
        self.memory_barrier(barrier);
    }

    /// What kernels wrote is there as the arguments of dispatches.
    pub(super) fn to_indirect(self) {
        let barrier = vk::MemoryBarrier2::default()
            .src_stage_mask(vk::PipelineStageFlags2::COMPUTE_SHADER)
            .src_access_mask(vk::AccessFlags2::SHADER_STORAGE_WRITE)
            .dst_stage_mask(vk::PipelineStageFlags2::DRAW_INDIRECT)
            .dst_access_mask(vk::AccessFlags2::INDIRECT_COMMAND_READ);
        self.memory_barrier(barrier);
    }

    fn memory_barrier(self, barrier: vk::MemoryBarrier2<'_>) {
        let barriers = [barrier];
        let dependency = vk::DependencyInfo::default().memory_barriers(&barriers);
        // SAFETY: see the type.
        unsafe { self.gpu.raw.cmd_pipeline_barrier2(self.raw, &dependency) };
    }

    /// Gives an image its layout. What was in it is lost.
    pub(super) fn lay_out(self, image: vk::Image, range: vk::ImageSubresourceRange) {
        let both = Stages::DISPATCH | Stages::BLIT;
        let barriers = [vk::ImageMemoryBarrier2::default()
            .src_stage_mask(stages(both))
            .src_access_mask(writes(both))
            .dst_stage_mask(stages(both))
            .dst_access_mask(accesses(both))
            .old_layout(vk::ImageLayout::UNDEFINED)
            .new_layout(vk::ImageLayout::GENERAL)
            .image(image)
            .subresource_range(range)];
        let dependency = vk::DependencyInfo::default().image_memory_barriers(&barriers);
        // SAFETY: see the type.
        unsafe { self.gpu.raw.cmd_pipeline_barrier2(self.raw, &dependency) };
    }

    /// Zeros everywhere in an image.
    pub(super) fn clear_image(self, image: vk::Image, range: vk::ImageSubresourceRange) {
        let zero = vk::ClearColorValue { uint32: [0; 4] };
        // SAFETY: see the type; the image is laid out for anything.
        unsafe {
            self.gpu.raw.cmd_clear_color_image(self.raw, image, vk::ImageLayout::GENERAL, &zero, &[range])
        };
    }

    pub(super) fn copy_buffer(self, from: vk::Buffer, to: vk::Buffer, regions: &[vk::BufferCopy]) {
        if !regions.is_empty() {
            // SAFETY: see the type; regions neither are empty nor overlap.
            unsafe { self.gpu.raw.cmd_copy_buffer(self.raw, from, to, regions) };
        }
    }

    /// Offset and length are multiples of 4.
    pub(super) fn fill_buffer(self, buffer: vk::Buffer, offset: u64, length: u64, word: u32) {
        if length > 0 {
            // SAFETY: see the type.
            unsafe { self.gpu.raw.cmd_fill_buffer(self.raw, buffer, offset, length, word) };
        }
    }

    pub(super) fn copy_to_image(self, from: vk::Buffer, to: vk::Image, regions: &[vk::BufferImageCopy]) {
        if !regions.is_empty() {
            let layout = vk::ImageLayout::GENERAL;
            // SAFETY: see the type; the image is laid out for anything.
            unsafe { self.gpu.raw.cmd_copy_buffer_to_image(self.raw, from, to, layout, regions) };
        }
    }

    pub(super) fn copy_from_image(self, from: vk::Image, to: vk::Buffer, regions: &[vk::BufferImageCopy]) {
        if !regions.is_empty() {
            let layout = vk::ImageLayout::GENERAL;
            // SAFETY: see the type; the image is laid out for anything.
            unsafe { self.gpu.raw.cmd_copy_image_to_buffer(self.raw, from, layout, to, regions) };
        }
    }

    pub(super) fn copy_image(self, from: vk::Image, to: vk::Image, region: vk::ImageCopy) {
        let layout = vk::ImageLayout::GENERAL;
        // SAFETY: see the type; both images are laid out for anything, and regions do not overlap.
        unsafe { self.gpu.raw.cmd_copy_image(self.raw, from, layout, to, layout, &[region]) };
    }

    pub(super) fn bind_pipeline(self, pipeline: vk::Pipeline) {
        // SAFETY: see the type.
        unsafe { self.gpu.raw.cmd_bind_pipeline(self.raw, vk::PipelineBindPoint::COMPUTE, pipeline) };
    }

    pub(super) fn bind_set(self, layout: vk::PipelineLayout, set: vk::DescriptorSet) {
        let point = vk::PipelineBindPoint::COMPUTE;
        // SAFETY: see the type; the set has the layout's own.
        unsafe { self.gpu.raw.cmd_bind_descriptor_sets(self.raw, point, layout, 0, &[set], &[]) };
    }

    /// Twelve bytes: the invocations of the grid.
    pub(super) fn push_threads(self, layout: vk::PipelineLayout, threads: [u32; 3]) {
        let bytes: &[u8] = bytemuck::bytes_of(&threads);
        // SAFETY: see the type; the layout has a range of so many bytes.
        unsafe { self.gpu.raw.cmd_push_constants(self.raw, layout, vk::ShaderStageFlags::COMPUTE, 0, bytes) };
    }

    pub(super) fn dispatch(self, groups: [u32; 3]) {
        let [x, y, z] = groups;
        // SAFETY: see the type; pipeline and set are bound, and the counts are within the device's limits.
        unsafe { self.gpu.raw.cmd_dispatch(self.raw, x, y, z) };
    }

    pub(super) fn dispatch_indirect(self, buffer: vk::Buffer, offset: u64) {
        // SAFETY: see the type; the counts are made by a kernel of ours, within the device's limits.
        unsafe { self.gpu.raw.cmd_dispatch_indirect(self.raw, buffer, offset) };
    }
}

/// Stages as Vulkan names them: those that this backend's commands run in, and no more, since wide masks cost.
fn stages(stages: Stages) -> vk::PipelineStageFlags2 {
    let mut mask = vk::PipelineStageFlags2::NONE;
    if stages.intersects(Stages::DISPATCH) {
        mask |= vk::PipelineStageFlags2::COMPUTE_SHADER;
    }
    if stages.intersects(Stages::BLIT) {
        mask |= vk::PipelineStageFlags2::ALL_TRANSFER;
    }
    mask
}

fn writes(stages: Stages) -> vk::AccessFlags2 {
    let mut mask = vk::AccessFlags2::NONE;
    if stages.intersects(Stages::DISPATCH) {
        mask |= vk::AccessFlags2::SHADER_STORAGE_WRITE;
    }
    if stages.intersects(Stages::BLIT) {
        mask |= vk::AccessFlags2::TRANSFER_WRITE;
    }
    mask
}

fn accesses(stages: Stages) -> vk::AccessFlags2 {
    let mut mask = writes(stages);
    if stages.intersects(Stages::DISPATCH) {
        mask |= vk::AccessFlags2::SHADER_STORAGE_READ
            | vk::AccessFlags2::SHADER_SAMPLED_READ
            | vk::AccessFlags2::UNIFORM_READ;
    }
    if stages.intersects(Stages::BLIT) {
        mask |= vk::AccessFlags2::TRANSFER_READ;
    }
    mask
}
