//! Commands as the driver's commands.
//!
//! What a command may not be is found out before it gets a place in the order ([`check`]), so that whatever follows it learns of it.
#![allow(unsafe_code, reason = "calls the Vulkan driver")]
use std::collections::HashMap;
use std::ops::Range;

use ash::vk;
use fencepost_core::{Stage, Stages};

use super::commands::Commands;
use super::context::{Context, Slice};
use super::gpu::Gpu;
use super::image::VulkanImage;
use super::memory::VulkanMemory;
use super::pipeline::{VulkanPipeline, descriptor_type};
use super::tools::Tools;
use super::transfer;
use crate::Error;
use crate::error::{DeviceError, VulkanError};
use crate::record::{Bound, BoundBuffer, Command, Grid, MAX_GROUPS, Recording, Transfer};
use crate::shader::lane::BindingKind;

/// Records one segment.
pub(super) struct Encoder<'a> {
    pub(super) commands: Commands<'a>,
    pub(super) context: &'a mut Context,
    pub(super) tools: &'a Tools,
    pipeline: vk::Pipeline,
    set: vk::DescriptorSet,
    /// Sets of this segment: the recording, its pipeline and the first of the bindings name one.
    sets: HashMap<(usize, u32, u32), vk::DescriptorSet>,
    /// Stages whose work was recorded.
    pub(super) used: Stages,
}

/// What is bound at one place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Resource {
    Buffer { buffer: vk::Buffer, offset: u64, length: u64 },
    Image(vk::ImageView),
    Sampler(vk::Sampler),
}

/// What an indirect dispatch has left for the host to look at.
#[derive(Debug)]
pub(super) struct Verdict {
    slice: Slice,
    function: String,
    most: [u32; 3],
}

/// The stage that a command runs in on this device; none where it does nothing.
pub(super) fn stage(recording: &Recording, command: u32) -> Option<Stage> {
    match &recording.commands[command as usize] {
        Command::Dispatch { .. } | Command::DispatchIndirect { .. } | Command::Fragments { .. } => {
            Some(Stage::Dispatch)
        }
        Command::Transfer(index) => match &recording.transfers[*index as usize] {
            // By kernels: the driver's own scaling averages in another way.
            Transfer::GenerateMipmaps { .. } => Some(Stage::Dispatch),
            _ => Some(Stage::Blit),
        },
        Command::Nothing => None,
    }
}

/// That a command can be recorded.
pub(super) fn check(gpu: &Gpu, recording: &Recording, command: u32) -> Result<(), Error> {
    match &recording.commands[command as usize] {
        Command::Dispatch { pipeline, bindings, grid } => {
            let pipeline = VulkanPipeline::of(&*recording.pipelines[*pipeline as usize]);
            check_bindings(gpu, recording, pipeline, bindings)?;
            if (0..3).any(|axis| grid.groups[axis] > gpu.limits.max_groups[axis]) {
                let function = pipeline.function.name().to_owned();
                let (groups, most, device) = (grid.groups, gpu.limits.max_groups, gpu.name());
                return Err(VulkanError::Grid { function, groups, most, device }.into());
            }
            cut_off(pipeline, grid).map_or(Ok(()), |threads| pipeline.partial(threads).map(|_| ()))
        }
        Command::DispatchIndirect { pipeline, bindings, .. } => {
            let pipeline = VulkanPipeline::of(&*recording.pipelines[*pipeline as usize]);
            check_bindings(gpu, recording, pipeline, bindings)
        }
        Command::Fragments { .. } => Err(VulkanError::Draw { device: gpu.name() }.into()),
        Command::Transfer(index) => transfer::check(gpu, &recording.transfers[*index as usize]),
        Command::Nothing => Ok(()),
    }
}

fn check_bindings(
    gpu: &Gpu,
    recording: &Recording,
    pipeline: &VulkanPipeline,
    bindings: &Range<u32>,
) -> Result<(), Error> {
    let bound = &recording.bindings[bindings.start as usize..bindings.end as usize];
    for (binding, bound) in pipeline.bindings().iter().zip(bound) {
        match (binding.kind, bound) {
            (BindingKind::Buffer { uniform, minimum_bytes }, Bound::Buffer(bound)) => {
                let offset = recording.buffers[bound.buffer as usize].offset + bound.offset;
                let limits = &gpu.limits;
                let (multiple, most, length) = match uniform {
                    true => (limits.uniform_alignment, limits.max_uniform_range, u64::from(minimum_bytes)),
                    false => (limits.storage_alignment, limits.max_storage_range, bound.length),
                };
                let names = || (pipeline.function.name().to_owned(), binding.name.clone(), gpu.name());
                if !offset.is_multiple_of(multiple) {
                    let (function, binding, device) = names();
                    return Err(
                        VulkanError::BindingOffset { function, binding, offset, multiple, device }.into()
                    );
                }
                if length > most {
                    let (function, binding, device) = names();
                    return Err(VulkanError::BindingLength { function, binding, length, most, device }.into());
                }
            }
            (kind, Bound::Texture(index)) => {
                let view = &recording.textures[*index as usize];
                if !VulkanImage::is_there(&view.body) {
                    return Err(
                        gpu.lacks("a texture of a replayed program as a texture", "Use the CPU device")
                    );
                }
                VulkanImage::of(&view.body).view(view, matches!(kind, BindingKind::StorageTexture { .. }))?;
            }
            (_, Bound::Sampler(index)) => {
                gpu.sampler(&recording.samplers[*index as usize])?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The grid's threads, where some groups are cut off.
fn cut_off(pipeline: &VulkanPipeline, grid: &Grid) -> Option<[u32; 3]> {
    let size = pipeline.function.threads_per_threadgroup();
    grid.threads.filter(|threads| (0..3).any(|axis| !threads[axis].is_multiple_of(size[axis].max(1))))
}

impl<'a> Encoder<'a> {
    pub(super) fn new(commands: Commands<'a>, context: &'a mut Context, tools: &'a Tools) -> Self {
        Self {
            commands,
            context,
            tools,
            pipeline: vk::Pipeline::null(),
            set: vk::DescriptorSet::null(),
            sets: HashMap::new(),
            used: Stages::empty(),
        }
    }

    /// Records a command that was checked.
    pub(super) fn command(&mut self, recording: &Recording, command: u32) -> Result<Option<Verdict>, Error> {
        self.used |= stage(recording, command).map_or(Stages::empty(), Stage::mask);
        match &recording.commands[command as usize] {
            Command::Dispatch { pipeline: index, bindings, grid } => {
                let pipeline = VulkanPipeline::of(&*recording.pipelines[*index as usize]);
                self.bind_recorded(recording, *index, bindings)?;
                match cut_off(pipeline, grid) {
                    None => self.bind_pipeline(pipeline.whole()),
                    Some(threads) => {
                        self.bind_pipeline(pipeline.partial(threads)?);
                        self.commands.push_threads(pipeline.layout, threads);
                    }
                }
                self.commands.dispatch(grid.groups);
                Ok(None)
            }
            Command::DispatchIndirect { pipeline, bindings, arguments } => {
                self.indirect(recording, *pipeline, bindings, *arguments).map(Some)
            }
            Command::Transfer(index) => {
                transfer::encode(self, &recording.transfers[*index as usize])?;
                Ok(None)
            }
            Command::Fragments { .. } => unreachable!("draws are refused before they are recorded"),
            Command::Nothing => Ok(None),
        }
    }

    /// A kernel of our own takes the counts from memory and hands on those within the limits.
    fn indirect(
        &mut self,
        recording: &Recording,
        index: u32,
        bindings: &Range<u32>,
        arguments: BoundBuffer,
    ) -> Result<Verdict, Error> {
        let (gpu, pipeline) = (self.commands.gpu, VulkanPipeline::of(&*recording.pipelines[index as usize]));
        let (check, made) = (self.tools.indirect()?, self.context.bytes(VERDICT_BYTES)?);
        let limits = self.context.bytes(16)?;
        let threads = pipeline.function.threads_per_threadgroup();
        let most: [u32; 3] = std::array::from_fn(|axis| {
            let in_reach = (1 << 32) / u64::from(threads[axis].max(1));
            MAX_GROUPS[axis].min(gpu.limits.max_groups[axis]).min(u32::try_from(in_reach).unwrap_or(u32::MAX))
        });
        let body = &recording.buffers[arguments.buffer as usize];
        let start = body.offset + arguments.offset;
        let aligned = start - start % gpu.limits.storage_alignment;
        let shift = ((start - aligned) / 4) as u32;
        limits.block.write(limits.offset, bytemuck::bytes_of(&[most[0], most[1], most[2], shift]));
        let asked = VulkanMemory::of(&*body.allocation).buffer();
        let length = start - aligned + 12;
        let resources = [
            Resource::Buffer { buffer: asked, offset: aligned, length },
            made.resource(VERDICT_BYTES),
            limits.resource(16),
        ];
        self.dispatch(check, &resources, [1; 3])?;
        self.commands.to_indirect();
        self.bind_recorded(recording, index, bindings)?;
        self.bind_pipeline(pipeline.whole());
        self.commands.dispatch_indirect(made.block.buffer, made.offset);
        Ok(Verdict { slice: made, function: pipeline.function.name().to_owned(), most })
    }

    /// Runs a kernel of this backend's own.
    pub(super) fn dispatch(
        &mut self,
        pipeline: &VulkanPipeline,
        resources: &[Resource],
        groups: [u32; 3],
    ) -> Result<(), Error> {
        let set = self.new_set(pipeline, resources)?;
        self.bind_set(pipeline, set);
        self.bind_pipeline(pipeline.whole());
        self.commands.dispatch(groups);
        Ok(())
    }

    fn bind_recorded(
        &mut self,
        recording: &Recording,
        index: u32,
        bindings: &Range<u32>,
    ) -> Result<(), Error> {
        let pipeline = VulkanPipeline::of(&*recording.pipelines[index as usize]);
        let key = (std::ptr::from_ref(recording).addr(), index, bindings.start);
        let bound = &recording.bindings[bindings.start as usize..bindings.end as usize];
        // In front of their first use.
        for bound in bound {
            if let Bound::Texture(texture) = bound {
                VulkanImage::of(&recording.textures[*texture as usize].body).lay_out(self.commands);
            }
        }
        if let Some(set) = self.sets.get(&key) {
            let set = *set;
            self.bind_set(pipeline, set);
            return Ok(());
        }
        let mut resources = Vec::with_capacity(bound.len());
        for (binding, bound) in pipeline.bindings().iter().zip(bound) {
            resources.push(self.resource(recording, binding.kind, bound)?);
        }
        let set = self.new_set(pipeline, &resources)?;
        self.sets.insert(key, set);
        self.bind_set(pipeline, set);
        Ok(())
    }

    fn resource(
        &mut self,
        recording: &Recording,
        kind: BindingKind,
        bound: &Bound,
    ) -> Result<Resource, Error> {
        Ok(match bound {
            Bound::Buffer(bound) => {
                let body = &recording.buffers[bound.buffer as usize];
                let length = match kind {
                    // Just the type, which has a size: what is bound may be longer than such bindings can be.
                    BindingKind::Buffer { uniform: true, minimum_bytes } => u64::from(minimum_bytes),
                    _ => bound.length,
                };
                let buffer = VulkanMemory::of(&*body.allocation).buffer();
                Resource::Buffer { buffer, offset: body.offset + bound.offset, length }
            }
            Bound::Bytes { words } => {
                let words = &recording.words[words.start as usize..words.end as usize];
                let slice = self.context.bytes(words.len() as u64 * 4)?;
                slice.block.write(slice.offset, bytemuck::cast_slice(words));
                slice.resource(words.len() as u64 * 4)
            }
            Bound::Texture(index) => {
                let view = &recording.textures[*index as usize];
                let storage = matches!(kind, BindingKind::StorageTexture { .. });
                Resource::Image(VulkanImage::of(&view.body).view(view, storage)?)
            }
            Bound::Sampler(index) => {
                Resource::Sampler(self.commands.gpu.sampler(&recording.samplers[*index as usize])?)
            }
        })
    }

    fn bind_set(&mut self, pipeline: &VulkanPipeline, set: vk::DescriptorSet) {
        if self.set != set {
            self.set = set;
            self.commands.bind_set(pipeline.layout, set);
        }
    }

    fn bind_pipeline(&mut self, pipeline: vk::Pipeline) {
        if self.pipeline != pipeline {
            self.pipeline = pipeline;
            self.commands.bind_pipeline(pipeline);
        }
    }

    fn new_set(
        &mut self,
        pipeline: &VulkanPipeline,
        resources: &[Resource],
    ) -> Result<vk::DescriptorSet, Error> {
        let gpu = self.commands.gpu;
        let set = self.context.set(pipeline.set_layout())?;
        let buffers: Vec<_> = resources.iter().map(Resource::buffer_info).collect();
        let images: Vec<_> = resources.iter().map(Resource::image_info).collect();
        let writes = (0..).zip(resources).zip(pipeline.bindings()).map(|((number, resource), binding)| {
            let write = vk::WriteDescriptorSet::default()
                .dst_set(set)
                .dst_binding(number)
                .descriptor_type(descriptor_type(binding.kind));
            let at = number as usize;
            match resource {
                Resource::Buffer { .. } => write.buffer_info(&buffers[at..=at]),
                Resource::Image(_) | Resource::Sampler(_) => write.image_info(&images[at..=at]),
            }
        });
        let writes: Vec<_> = writes.collect();
        // SAFETY: the set is new, and nothing in flight uses it; ranges and views were checked when the work was taken.
        unsafe { gpu.raw.update_descriptor_sets(&writes, &[]) };
        Ok(set)
    }
}

impl Resource {
    fn buffer_info(&self) -> vk::DescriptorBufferInfo {
        match *self {
            Self::Buffer { buffer, offset, length } => {
                vk::DescriptorBufferInfo::default().buffer(buffer).offset(offset).range(length)
            }
            Self::Image(_) | Self::Sampler(_) => vk::DescriptorBufferInfo::default(),
        }
    }

    fn image_info(&self) -> vk::DescriptorImageInfo {
        let general = vk::DescriptorImageInfo::default().image_layout(vk::ImageLayout::GENERAL);
        match *self {
            Self::Buffer { .. } => general,
            Self::Image(view) => general.image_view(view),
            Self::Sampler(sampler) => general.sampler(sampler),
        }
    }
}

impl Slice {
    fn resource(&self, length: u64) -> Resource {
        Resource::Buffer { buffer: self.block.buffer, offset: self.offset, length }
    }
}

impl Verdict {
    /// Once it has run: the error where its counts were beyond the limits.
    pub(super) fn error(&self) -> Option<Error> {
        let mut bytes = [0; VERDICT_BYTES as usize];
        self.slice.block.read(self.slice.offset, &mut bytes);
        let word =
            |index: usize| bytes.as_chunks::<4>().0.get(index).map_or(0, |word| u32::from_le_bytes(*word));
        if word(3) == 0 {
            return None;
        }
        let groups = [word(4), word(5), word(6)];
        let axis = (0..3).find(|&axis| groups[axis] > self.most[axis]).unwrap_or(0);
        let (function, limit) = (self.function.clone(), self.most[axis]);
        Some(DeviceError::IndirectGrid { function, groups, limit }.into())
    }
}

const VERDICT_BYTES: u64 = 32;
