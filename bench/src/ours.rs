//! Ourselves: a workload on fencepost's CPU device.

use fencepost::{
    Buffer, CommandQueue, ComputePipelineState, CpuOptions, Device, Error, Filter, PixelFormat, Region,
    ResourceOptions, SamplerDescriptor, SamplerState, Schedule, Texture, TextureDescriptor,
};

use crate::{Resource, Workload};

/// The CPU device with a tracked queue.
#[derive(Debug)]
pub struct Ours {
    /// The device.
    pub device: Device,
    /// A tracked queue of it.
    pub queue: CommandQueue,
}

/// A kernel bound to its data, ready to run any number of times.
#[derive(Debug)]
pub struct Prepared<'a> {
    ours: &'a Ours,
    pipeline: ComputePipelineState,
    bound: Vec<Bound>,
    groups: [u32; 3],
}

#[derive(Debug)]
enum Bound {
    Buffer(Buffer),
    Texture(Texture, [u32; 2]),
    Sampler(SamplerState),
}

impl Ours {
    /// On all cores.
    pub fn new() -> Self {
        Self::with(Schedule::Parallel)
    }

    /// With a schedule of one's own.
    pub fn with(schedule: Schedule) -> Self {
        let device = Device::cpu_with(CpuOptions { schedule, ..CpuOptions::default() });
        let queue = device.new_command_queue();
        Self { device, queue }
    }

    /// Compiles.
    ///
    /// # Errors
    /// What the front end or the device refuses.
    pub fn pipeline(&self, source: &str) -> Result<ComputePipelineState, Error> {
        let library = self.device.new_library_with_wgsl(source)?;
        self.device.new_compute_pipeline_state(&library.new_function("main")?)
    }

    /// Compiles and binds.
    ///
    /// # Errors
    /// What the front end or the device refuses.
    pub fn prepare(&self, workload: &Workload) -> Result<Prepared<'_>, Error> {
        let pipeline = self.pipeline(&workload.source)?;
        let bound =
            workload.resources.iter().map(|resource| self.bind(resource)).collect::<Result<_, _>>()?;
        Ok(Prepared { ours: self, pipeline, bound, groups: workload.groups })
    }

    fn bind(&self, resource: &Resource) -> Result<Bound, Error> {
        Ok(match resource {
            Resource::Storage(bytes) | Resource::Uniform(bytes) => {
                Bound::Buffer(self.device.new_buffer_with_bytes(bytes, ResourceOptions::SHARED)?)
            }
            Resource::Texture { size, texels } => {
                let texture = self.texture(*size)?;
                texture.replace_region(
                    Region::new(0, 0, size[0], size[1]),
                    0,
                    0,
                    texels,
                    u64::from(size[0]) * 4,
                )?;
                Bound::Texture(texture, *size)
            }
            Resource::StorageTexture { size } => Bound::Texture(self.texture(*size)?, *size),
            Resource::LinearSampler => Bound::Sampler(self.device.new_sampler_state(&SamplerDescriptor {
                min_filter: Filter::Linear,
                mag_filter: Filter::Linear,
                ..SamplerDescriptor::default()
            })?),
        })
    }

    fn texture(&self, [width, height]: [u32; 2]) -> Result<Texture, Error> {
        self.device.new_texture(&TextureDescriptor::new_2d(PixelFormat::Rgba8Unorm, width, height))
    }
}

impl Default for Ours {
    fn default() -> Self {
        Self::new()
    }
}

impl Prepared<'_> {
    /// Runs once, from recording to completion.
    ///
    /// # Errors
    /// What the device refuses, or what went wrong while it ran.
    pub fn run(&self) -> Result<(), Error> {
        let commands = self.ours.queue.command_buffer();
        let mut encoder = commands.compute_command_encoder()?;
        encoder.set_compute_pipeline_state(&self.pipeline)?;
        for (binding, bound) in (0u32..).zip(&self.bound) {
            match bound {
                Bound::Buffer(buffer) => encoder.set_buffer(binding, buffer, 0)?,
                Bound::Texture(texture, _) => encoder.set_texture(binding, texture)?,
                Bound::Sampler(sampler) => encoder.set_sampler_state(binding, sampler)?,
            }
        }
        encoder.dispatch_threadgroups(self.groups)?;
        encoder.end_encoding();
        commands.commit()?;
        commands.wait_until_completed()
    }

    /// The bytes that a binding holds now; rows of textures are tight.
    ///
    /// # Errors
    /// What the device refuses.
    pub fn read(&self, binding: usize) -> Result<Vec<u8>, Error> {
        match &self.bound[binding] {
            Bound::Buffer(buffer) => buffer.read::<u8>(..),
            Bound::Texture(texture, size) => {
                let mut bytes = vec![0; (size[0] * size[1] * 4) as usize];
                let region = Region::new(0, 0, size[0], size[1]);
                texture.get_bytes(&mut bytes, u64::from(size[0]) * 4, region, 0, 0)?;
                Ok(bytes)
            }
            Bound::Sampler(_) => Ok(Vec::new()),
        }
    }
}
