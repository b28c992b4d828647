//! The peer: wgpu on lavapipe, Mesa's Vulkan device that is a program.

use std::borrow::Cow;
use std::sync::mpsc;

use wgpu::util::DeviceExt as _;

use crate::{Resource, Workload};

/// wgpu with one device.
#[derive(Debug)]
pub struct Peer {
    device: wgpu::Device,
    queue: wgpu::Queue,
    /// The adapter's own name.
    pub name: String,
}

/// A kernel bound to its data, ready to run any number of times.
#[derive(Debug)]
pub struct Prepared<'a> {
    peer: &'a Peer,
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    bound: Vec<Bound>,
    groups: [u32; 3],
}

#[derive(Debug)]
enum Bound {
    Buffer(wgpu::Buffer),
    Texture(wgpu::Texture, wgpu::TextureView),
    Sampler(wgpu::Sampler),
}

impl Peer {
    /// lavapipe, where the loader finds it.
    pub fn lavapipe() -> Option<Self> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::VULKAN;
        descriptor.flags = wgpu::InstanceFlags::empty();
        let instance = wgpu::Instance::new(descriptor);
        let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
        let adapter = adapters.into_iter().find(|adapter| adapter.get_info().name.contains("llvmpipe"))?;
        let name = format!("{} ({})", adapter.get_info().name, adapter.get_info().driver_info);
        let descriptor = wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).ok()?;
        Some(Self { device, queue, name })
    }

    /// wgpu's backend that does nothing: what remains is wgpu's own work.
    pub fn noop() -> Self {
        let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        Self { device, queue, name: "wgpu, no-op backend".to_owned() }
    }

    /// Compiles and binds.
    pub fn prepare(&self, workload: &Workload) -> Prepared<'_> {
        let source = wgpu::ShaderSource::Wgsl(Cow::Borrowed(&workload.source));
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
        let layout = self.layout(workload);
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let bound: Vec<_> = workload.resources.iter().map(|resource| self.bind(resource)).collect();
        let entries: Vec<_> = bound
            .iter()
            .enumerate()
            .map(|(binding, bound)| wgpu::BindGroupEntry {
                binding: u32::try_from(binding).unwrap_or(u32::MAX),
                resource: match bound {
                    Bound::Buffer(buffer) => buffer.as_entire_binding(),
                    Bound::Texture(_, view) => wgpu::BindingResource::TextureView(view),
                    Bound::Sampler(sampler) => wgpu::BindingResource::Sampler(sampler),
                },
            })
            .collect();
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &layout,
            entries: &entries,
        });
        Prepared { peer: self, pipeline, group, bound, groups: workload.groups }
    }

    /// Every binding, used by the kernel or not: a layout that wgpu derives leaves out what is not used.
    fn layout(&self, workload: &Workload) -> wgpu::BindGroupLayout {
        let buffer = |ty| wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None };
        let entries: Vec<_> = (0u32..)
            .zip(&workload.resources)
            .map(|(binding, resource)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                count: None,
                ty: match resource {
                    Resource::Storage(_) => {
                        let declared = format!("@binding({binding}) var<storage, read>");
                        buffer(wgpu::BufferBindingType::Storage {
                            read_only: workload.source.contains(&declared),
                        })
                    }
                    Resource::Uniform(_) => buffer(wgpu::BufferBindingType::Uniform),
                    Resource::Texture { .. } => wgpu::BindingType::Texture {
                        sample_type: wgpu::TextureSampleType::Float { filterable: true },
                        view_dimension: wgpu::TextureViewDimension::D2,
                        multisampled: false,
                    },
                    Resource::StorageTexture { .. } => wgpu::BindingType::StorageTexture {
                        access: wgpu::StorageTextureAccess::WriteOnly,
                        format: wgpu::TextureFormat::Rgba8Unorm,
                        view_dimension: wgpu::TextureViewDimension::D2,
                    },
                    Resource::LinearSampler => {
                        wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering)
                    }
                },
            })
            .collect();
        self.device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
    }

    fn bind(&self, resource: &Resource) -> Bound {
        let buffer = |bytes: &[u8], usage| {
            let usage = usage | wgpu::BufferUsages::COPY_SRC;
            let descriptor = wgpu::util::BufferInitDescriptor { label: None, contents: bytes, usage };
            Bound::Buffer(self.device.create_buffer_init(&descriptor))
        };
        match resource {
            Resource::Storage(bytes) => buffer(bytes, wgpu::BufferUsages::STORAGE),
            Resource::Uniform(bytes) => buffer(bytes, wgpu::BufferUsages::UNIFORM),
            Resource::Texture { size, texels } => {
                let usage = wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST;
                let descriptor = texture_descriptor(*size, usage);
                let order = wgpu::util::TextureDataOrder::LayerMajor;
                with_view(self.device.create_texture_with_data(&self.queue, &descriptor, order, texels))
            }
            Resource::StorageTexture { size } => {
                let usage = wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::COPY_SRC;
                with_view(self.device.create_texture(&texture_descriptor(*size, usage)))
            }
            Resource::LinearSampler => Bound::Sampler(self.device.create_sampler(&wgpu::SamplerDescriptor {
                mag_filter: wgpu::FilterMode::Linear,
                min_filter: wgpu::FilterMode::Linear,
                ..Default::default()
            })),
        }
    }

    /// Blocks until all that was submitted has run.
    pub fn wait(&self) {
        self.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device of a benchmark is not lost");
    }
}

fn texture_descriptor(size: [u32; 2], usage: wgpu::TextureUsages) -> wgpu::TextureDescriptor<'static> {
    wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage,
        view_formats: &[],
    }
}

fn with_view(texture: wgpu::Texture) -> Bound {
    let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
    Bound::Texture(texture, view)
}

impl Prepared<'_> {
    /// Records `dispatches` dispatches in one pass, and the pass's own work at its end; nothing is submitted.
    pub fn record(&self, dispatches: usize) -> wgpu::CommandBuffer {
        let mut encoder = self.peer.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&self.pipeline);
            for _ in 0..dispatches {
                pass.set_bind_group(0, &self.group, &[]);
                pass.dispatch_workgroups(self.groups[0], self.groups[1], self.groups[2]);
            }
        }
        encoder.finish()
    }

    /// Runs once, from recording to completion.
    pub fn run(&self) {
        self.run_many(1);
    }

    /// Runs `dispatches` dispatches in one pass, from recording to completion.
    pub fn run_many(&self, dispatches: usize) {
        self.submit(dispatches);
        self.peer.wait();
    }

    /// Records `dispatches` dispatches in one command buffer and submits it.
    pub fn submit(&self, dispatches: usize) {
        self.peer.queue.submit([self.record(dispatches)]);
    }

    /// The bytes that a binding holds now; rows of textures are tight.
    pub fn read(&self, binding: usize) -> Vec<u8> {
        let device = &self.peer.device;
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let staging = |size| {
            let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage,
                mapped_at_creation: false,
            })
        };
        let (out, rows) = match &self.bound[binding] {
            Bound::Buffer(buffer) => {
                let out = staging(buffer.size());
                encoder.copy_buffer_to_buffer(buffer, 0, &out, 0, buffer.size());
                (out, None)
            }
            Bound::Texture(texture, _) => {
                let row = texture.width() * 4;
                let padded = row.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
                let out = staging(u64::from(padded) * u64::from(texture.height()));
                let layout = wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some(padded),
                    rows_per_image: None,
                };
                let destination = wgpu::TexelCopyBufferInfo { buffer: &out, layout };
                encoder.copy_texture_to_buffer(texture.as_image_copy(), destination, texture.size());
                (out, Some((row as usize, padded as usize)))
            }
            Bound::Sampler(_) => return Vec::new(),
        };
        self.peer.queue.submit([encoder.finish()]);
        let (sender, receiver) = mpsc::channel();
        out.slice(..).map_async(wgpu::MapMode::Read, move |result| drop(sender.send(result)));
        self.peer.wait();
        receiver.recv().expect("the callback ran").expect("a staging buffer can be mapped");
        let bytes = out.slice(..).get_mapped_range().expect("mapped just now").to_vec();
        match rows {
            None => bytes,
            Some((row, padded)) => bytes.chunks(padded).flat_map(|line| &line[..row]).copied().collect(),
        }
    }
}

/// Whether naga accepts this WGSL for what lavapipe can do; what is wrong with it otherwise.
pub fn validate(source: &str) -> Result<(), String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|error| error.emit_to_string(source))?;
    let flags = naga::valid::ValidationFlags::all();
    let mut validator = naga::valid::Validator::new(flags, naga::valid::Capabilities::default());
    validator.validate(&module).map(drop).map_err(|error| error.emit_to_string(source))
}

/// Records so many dispatches into one pass, the kernels taking turns, and what wgpu does at the end of a recording. Nothing is
/// submitted.
pub fn record_in_turn(prepared: &[Prepared<'_>], dispatches: usize) -> Option<wgpu::CommandBuffer> {
    let first = prepared.first()?;
    let mut encoder = first.peer.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&first.pipeline);
        for one in prepared.iter().cycle().take(dispatches) {
            pass.set_bind_group(0, &one.group, &[]);
            pass.dispatch_workgroups(one.groups[0], one.groups[1], one.groups[2]);
        }
    }
    Some(encoder.finish())
}
