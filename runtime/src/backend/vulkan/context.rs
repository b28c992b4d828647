//! What a segment is recorded with: a command buffer, descriptor sets, and memory for what lives as long as the segment.
//!
//! All of it is used again once the segment's point is reached, so the steady state asks the driver for nothing.
#![allow(unsafe_code, reason = "calls the Vulkan driver")]
use std::sync::Arc;

use ash::vk;

use super::commands::CommandPool;
use super::gpu::Gpu;
use super::memory::Block;
use crate::Error;
use crate::backend::Residence;

/// Everything that one segment needs besides what it works on.
#[derive(Debug)]
pub(super) struct Context {
    gpu: Arc<Gpu>,
    pub(super) commands: CommandPool,
    sets: Vec<vk::DescriptorPool>,
    /// Which of the pools is being used.
    current_set_pool: usize,
    /// Memory that the host writes and kernels read, or the other way round.
    pieces: Vec<Arc<Block>>,
    current_piece: usize,
    used: u64,
    /// Memory of the GPU alone, given back when the segment has ended.
    scratch: Vec<Block>,
}

/// Some bytes of a piece.
#[derive(Clone, Debug)]
pub(super) struct Slice {
    pub(super) block: Arc<Block>,
    pub(super) offset: u64,
}

impl Context {
    pub(super) fn new(gpu: &Arc<Gpu>) -> Result<Self, Error> {
        Ok(Self {
            gpu: Arc::clone(gpu),
            commands: CommandPool::new(gpu)?,
            sets: Vec::new(),
            current_set_pool: 0,
            pieces: Vec::new(),
            current_piece: 0,
            used: 0,
            scratch: Vec::new(),
        })
    }

    /// The segment has ended: all of it may be used again.
    pub(super) fn recycle(&mut self) {
        for pool in &self.sets[..self.sets.len().min(self.current_set_pool + 1)] {
            // SAFETY: the sets' last point was reached.
            unsafe { self.gpu.raw.reset_descriptor_pool(*pool, vk::DescriptorPoolResetFlags::empty()) }.ok();
        }
        (self.current_set_pool, self.current_piece, self.used) = (0, 0, 0);
        self.scratch.clear();
    }

    /// A set of this layout.
    pub(super) fn set(&mut self, layout: vk::DescriptorSetLayout) -> Result<vk::DescriptorSet, Error> {
        loop {
            let fresh = self.current_set_pool == self.sets.len();
            if fresh {
                let pool = create_pool(&self.gpu)?;
                self.sets.push(pool);
            }
            let layouts = [layout];
            let allocate = vk::DescriptorSetAllocateInfo::default()
                .descriptor_pool(self.sets[self.current_set_pool])
                .set_layouts(&layouts);
            // SAFETY: pool and layout are the device's, and nobody else has the pool.
            match unsafe { self.gpu.raw.allocate_descriptor_sets(&allocate) } {
                Ok(sets) => return Ok(sets.first().copied().unwrap_or_default()),
                Err(vk::Result::ERROR_OUT_OF_POOL_MEMORY | vk::Result::ERROR_FRAGMENTED_POOL) if !fresh => {
                    self.current_set_pool += 1;
                }
                Err(result) => return Err(self.gpu.error("vkAllocateDescriptorSets", result)),
            }
        }
    }

    /// Bytes that host and kernels reach, until the segment has ended and whoever else holds them has looked.
    pub(super) fn bytes(&mut self, length: u64) -> Result<Slice, Error> {
        let alignment = self.gpu.limits.storage_alignment.max(self.gpu.limits.uniform_alignment);
        loop {
            if self.current_piece == self.pieces.len() {
                let piece = Block::new(&self.gpu, PIECE_BYTES.max(length), Residence::CpuCopy)?;
                self.pieces.push(Arc::new(piece));
            }
            let piece = &self.pieces[self.current_piece];
            let offset = self.used.next_multiple_of(alignment);
            if offset + length <= piece.length() {
                self.used = offset + length;
                return Ok(Slice { block: Arc::clone(piece), offset });
            }
            self.current_piece += 1;
            self.used = 0;
        }
    }

    /// Memory of the GPU until the segment has ended.
    pub(super) fn scratch(&mut self, length: u64) -> Result<vk::Buffer, Error> {
        let block = Block::new(&self.gpu, length, Residence::Private)?;
        let buffer = block.buffer;
        self.scratch.push(block);
        Ok(buffer)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.commands.destroy(&self.gpu);
        for pool in self.sets.drain(..) {
            // SAFETY: the sets' last point was reached.
            unsafe { self.gpu.raw.destroy_descriptor_pool(pool, None) };
        }
    }
}

fn create_pool(gpu: &Gpu) -> Result<vk::DescriptorPool, Error> {
    let count = |(ty, descriptor_count)| vk::DescriptorPoolSize { ty, descriptor_count };
    let sizes = [
        (vk::DescriptorType::STORAGE_BUFFER, 4 * SETS),
        (vk::DescriptorType::UNIFORM_BUFFER, 2 * SETS),
        (vk::DescriptorType::SAMPLED_IMAGE, 2 * SETS),
        (vk::DescriptorType::STORAGE_IMAGE, 2 * SETS),
        (vk::DescriptorType::SAMPLER, 2 * SETS),
    ]
    .map(count);
    let create = vk::DescriptorPoolCreateInfo::default().max_sets(SETS).pool_sizes(&sizes);
    // SAFETY: the counts are not zero.
    let pool = unsafe { gpu.raw.create_descriptor_pool(&create, None) };
    pool.map_err(|result| gpu.error("vkCreateDescriptorPool", result))
}

const SETS: u32 = 256;
const PIECE_BYTES: u64 = 64 << 10;
