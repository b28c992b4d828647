//! Kernels as the driver's pipelines: one for whole groups, and one for grids that end inside of a group, made when it is first needed.
#![allow(unsafe_code, reason = "calls the Vulkan driver")]
use std::any::Any;
use std::ffi::CString;
use std::fmt;
use std::sync::{Arc, OnceLock};

use ash::vk;

use super::gpu::Gpu;
use crate::Error;
use crate::backend::Pipeline;
use crate::error::VulkanError;
use crate::shader::lane::{Binding, BindingKind, Kernel, Statement};
use crate::shader::{Body, Function, SpirvOptions};

/// A kernel of a Vulkan device.
pub(crate) struct VulkanPipeline {
    gpu: Arc<Gpu>,
    pub(super) function: Function,
    set_layout: vk::DescriptorSetLayout,
    pub(super) layout: vk::PipelineLayout,
    whole: vk::Pipeline,
    partial: OnceLock<Result<vk::Pipeline, Error>>,
    has_barriers: bool,
}

impl Pipeline for VulkanPipeline {}

impl VulkanPipeline {
    pub(super) fn new(gpu: &Arc<Gpu>, function: &Function) -> Result<Self, Error> {
        let kernel = match function.body() {
            Body::Kernel(kernel) => kernel,
            Body::Host(_) => {
                let (function, device) = (function.name().to_owned(), gpu.name());
                return Err(VulkanError::HostFunction { function, device }.into());
            }
        };
        check_size(gpu, kernel)?;
        let mut made = Self {
            gpu: Arc::clone(gpu),
            function: function.clone(),
            set_layout: vk::DescriptorSetLayout::null(),
            layout: vk::PipelineLayout::null(),
            whole: vk::Pipeline::null(),
            partial: OnceLock::new(),
            has_barriers: has_barriers(&kernel.body),
        };
        made.set_layout = made.create_set_layout()?;
        made.layout = made.create_layout()?;
        made.whole = made.compile(false)?;
        Ok(made)
    }

    /// As this backend's own.
    pub(super) fn of(pipeline: &dyn Pipeline) -> &Self {
        match (pipeline as &dyn Any).downcast_ref() {
            Some(pipeline) => pipeline,
            None => unreachable!("the API refuses pipelines of other devices"),
        }
    }

    pub(super) fn set_layout(&self) -> vk::DescriptorSetLayout {
        self.set_layout
    }

    pub(super) fn bindings(&self) -> &[Binding] {
        self.function.bindings()
    }

    /// For grids of whole groups.
    pub(super) fn whole(&self) -> vk::Pipeline {
        self.whole
    }

    /// For a grid of so many threads, where some groups are cut off. Invocations beyond it return at once, which nobody waits for: only
    /// a kernel without barriers may do so.
    pub(super) fn partial(&self, threads: [u32; 3]) -> Result<vk::Pipeline, Error> {
        if self.has_barriers {
            let (function, device) = (self.function.name().to_owned(), self.gpu.name());
            return Err(VulkanError::PartialBarrier { function, threads, device }.into());
        }
        self.partial.get_or_init(|| self.compile(true)).clone()
    }

    fn create_set_layout(&self) -> Result<vk::DescriptorSetLayout, Error> {
        let bindings = (0..).zip(self.bindings()).map(|(number, binding)| {
            vk::DescriptorSetLayoutBinding::default()
                .binding(number)
                .descriptor_type(descriptor_type(binding.kind))
                .descriptor_count(1)
                .stage_flags(vk::ShaderStageFlags::COMPUTE)
        });
        let bindings: Vec<_> = bindings.collect();
        let create = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        // SAFETY: binding numbers differ.
        let made = unsafe { self.gpu.raw.create_descriptor_set_layout(&create, None) };
        made.map_err(|result| self.gpu.error("vkCreateDescriptorSetLayout", result))
    }

    fn create_layout(&self) -> Result<vk::PipelineLayout, Error> {
        let sets = [self.set_layout];
        let ranges =
            [vk::PushConstantRange::default().stage_flags(vk::ShaderStageFlags::COMPUTE).size(PUSHED_BYTES)];
        let create = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets).push_constant_ranges(&ranges);
        // SAFETY: the set's layout is the device's, and every device has room for so many bytes.
        let made = unsafe { self.gpu.raw.create_pipeline_layout(&create, None) };
        made.map_err(|result| self.gpu.error("vkCreatePipelineLayout", result))
    }

    fn compile(&self, partial: bool) -> Result<vk::Pipeline, Error> {
        let options = SpirvOptions { partial, bound_loops: false };
        let words = match self.function.spirv(options) {
            Some(words) => words?,
            None => unreachable!("host functions are refused before"),
        };
        let create = vk::ShaderModuleCreateInfo::default().code(&words);
        // SAFETY: the words are a valid module for Vulkan 1.3: they come from the writer, which got a validated one.
        let module = unsafe { self.gpu.raw.create_shader_module(&create, None) };
        let module = module.map_err(|result| self.gpu.error("vkCreateShaderModule", result))?;
        // A name has no zero inside: it is a WGSL identifier, or was read from zero-terminated words.
        let name = CString::new(self.function.name()).unwrap_or_default();
        let stage = vk::PipelineShaderStageCreateInfo::default()
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(module)
            .name(&name);
        let create = vk::ComputePipelineCreateInfo::default().stage(stage).layout(self.layout);
        // SAFETY: the module has an entry point of this name, and the layout has all of its bindings.
        let made = unsafe { self.gpu.raw.create_compute_pipelines(self.gpu.cache, &[create], None) };
        // SAFETY: pipelines need no module once they are made.
        unsafe { self.gpu.raw.destroy_shader_module(module, None) };
        let made = made.map_err(|(_, result)| self.gpu.error("vkCreateComputePipelines", result))?;
        Ok(made.first().copied().unwrap_or_default())
    }
}

impl Drop for VulkanPipeline {
    fn drop(&mut self) {
        let partial = self.partial.take().and_then(Result::ok).unwrap_or_default();
        for pipeline in [self.whole, partial] {
            // SAFETY: parts in flight hold their pipelines, so nothing uses it any more; null is allowed.
            unsafe { self.gpu.raw.destroy_pipeline(pipeline, None) };
        }
        // SAFETY: as above.
        unsafe { self.gpu.raw.destroy_pipeline_layout(self.layout, None) };
        // SAFETY: as above.
        unsafe { self.gpu.raw.destroy_descriptor_set_layout(self.set_layout, None) };
    }
}

impl fmt::Debug for VulkanPipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VulkanPipeline").field("function", &self.function.name()).finish_non_exhaustive()
    }
}

/// What a binding is to the driver.
pub(super) fn descriptor_type(kind: BindingKind) -> vk::DescriptorType {
    match kind {
        BindingKind::Buffer { uniform: true, .. } => vk::DescriptorType::UNIFORM_BUFFER,
        BindingKind::Buffer { uniform: false, .. } => vk::DescriptorType::STORAGE_BUFFER,
        BindingKind::SampledTexture { .. } => vk::DescriptorType::SAMPLED_IMAGE,
        BindingKind::StorageTexture { .. } => vk::DescriptorType::STORAGE_IMAGE,
        BindingKind::Sampler { .. } => vk::DescriptorType::SAMPLER,
    }
}

/// That the device takes groups of this size.
fn check_size(gpu: &Gpu, kernel: &Kernel) -> Result<(), Error> {
    let [x, y, z] = kernel.workgroup_size;
    let threads = x.saturating_mul(y).saturating_mul(z);
    let fits = kernel.workgroup_size.iter().zip(gpu.limits.max_group_size).all(|(side, most)| *side <= most);
    if threads > gpu.limits.max_group_threads || !fits {
        let what = format!("`{}` with {x} × {y} × {z} threads in a threadgroup", kernel.name);
        return Err(gpu.lacks(what, "Use smaller threadgroups"));
    }
    if u64::from(kernel.workgroup_words) * 4 > u64::from(gpu.limits.max_workgroup_bytes) {
        let bytes = u64::from(kernel.workgroup_words) * 4;
        let what = format!("`{}` with {bytes} bytes of workgroup memory", kernel.name);
        return Err(gpu.lacks(what, "Use less of it"));
    }
    Ok(())
}

fn has_barriers(body: &[Statement]) -> bool {
    body.iter().any(|statement| match statement {
        Statement::Barrier => true,
        Statement::If { accept, reject, .. } => has_barriers(accept) || has_barriers(reject),
        Statement::Block { body, .. } | Statement::Loop { body } => has_barriers(body),
        _ => false,
    })
}

/// The invocations of the grid in x, y and z.
const PUSHED_BYTES: u32 = 12;
