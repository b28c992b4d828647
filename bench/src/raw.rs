//! lavapipe with nothing between: Vulkan through ash, one pipeline with one storage buffer.
//!
//! What a dispatch costs here is what the driver costs. Everything is made once and lives as long as the process: a benchmark's
//! worker ends soon.

use std::error::Error;
use std::time::{Duration, Instant};

use ash::vk;

/// A Vulkan device with a pipeline bound to a buffer.
pub struct Raw {
    device: ash::Device,
    queue: vk::Queue,
    pool: vk::CommandPool,
    commands: Vec<vk::CommandBuffer>,
    fence: vk::Fence,
    pipeline: vk::Pipeline,
    layout: vk::PipelineLayout,
    set: vk::DescriptorSet,
    buffer: vk::Buffer,
    memory: vk::DeviceMemory,
    bytes: u64,
    /// Keeps the loader's library mapped.
    _entry: ash::Entry,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

impl Raw {
    /// lavapipe, with the kernel `main` of this WGSL bound to a zeroed storage buffer of so many bytes.
    ///
    /// # Errors
    /// Where the loader or lavapipe is not there, or the kernel does not compile.
    pub fn new(source: &str, bytes: u64, command_buffers: u32) -> Outcome<Self> {
        // SAFETY: the library found is the system's Vulkan loader, whose initialisers may be run.
        let entry = unsafe { ash::Entry::load() }?;
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let create = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: the description is complete and outlives the call.
        let instance = unsafe { entry.create_instance(&create, None) }?;
        let physical = find_lavapipe(&instance)?;
        let priorities = [1.0];
        let queues =
            [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&priorities)];
        let create = vk::DeviceCreateInfo::default().queue_create_infos(&queues);
        // SAFETY: queue family 0 of lavapipe exists and does compute.
        let device = unsafe { instance.create_device(physical, &create, None) }?;
        // SAFETY: one queue of family 0 was asked for above.
        let queue = unsafe { device.get_device_queue(0, 0) };
        let create =
            vk::CommandPoolCreateInfo::default().flags(vk::CommandPoolCreateFlags::RESET_COMMAND_BUFFER);
        // SAFETY: the device is alive; family 0 exists.
        let pool = unsafe { device.create_command_pool(&create, None) }?;
        let allocate =
            vk::CommandBufferAllocateInfo::default().command_pool(pool).command_buffer_count(command_buffers);
        // SAFETY: the pool was made just now and nobody else uses it.
        let commands = unsafe { device.allocate_command_buffers(&allocate) }?;
        // SAFETY: the device is alive.
        let fence = unsafe { device.create_fence(&vk::FenceCreateInfo::default(), None) }?;
        let set_layout = set_layout(&device)?;
        let (layout, pipeline) = pipeline(&device, set_layout, source)?;
        let (buffer, memory) = storage(&instance, physical, &device, bytes)?;
        let set = bind(&device, set_layout, buffer)?;
        let _entry = entry;
        Ok(Self {
            device,
            queue,
            pool,
            commands,
            fence,
            pipeline,
            layout,
            set,
            buffer,
            memory,
            bytes,
            _entry,
        })
    }

    /// Records so many one-workgroup dispatches into each command buffer, submits them all at once, and waits.
    ///
    /// # Errors
    /// Whatever the driver says.
    pub fn run(&self, dispatches: u32) -> Outcome<()> {
        for commands in &self.commands {
            self.record(*commands, dispatches)?;
        }
        for (index, commands) in self.commands.iter().enumerate() {
            let last = index + 1 == self.commands.len();
            let commands = [*commands];
            let submit = vk::SubmitInfo::default().command_buffers(&commands);
            let fence = if last { self.fence } else { vk::Fence::null() };
            // SAFETY: the command buffers are recorded and idle; the fence is unsignaled and used by this submission alone.
            unsafe { self.device.queue_submit(self.queue, &[submit], fence) }?;
        }
        let fences = [self.fence];
        // SAFETY: the fence belongs to this device.
        unsafe { self.device.wait_for_fences(&fences, true, u64::MAX) }?;
        // SAFETY: nothing in flight uses the fence: it was waited for just now.
        unsafe { self.device.reset_fences(&fences) }?;
        Ok(())
    }

    fn record(&self, commands: vk::CommandBuffer, dispatches: u32) -> Outcome<()> {
        let begin = vk::CommandBufferBeginInfo::default().flags(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
        // SAFETY: the command buffer is idle and its pool allows it to be begun again.
        unsafe { self.device.begin_command_buffer(commands, &begin) }?;
        // SAFETY: the command buffer is being recorded; the pipeline is a compute pipeline.
        unsafe { self.device.cmd_bind_pipeline(commands, vk::PipelineBindPoint::COMPUTE, self.pipeline) };
        for _ in 0..dispatches {
            let (point, sets) = (vk::PipelineBindPoint::COMPUTE, [self.set]);
            // SAFETY: the set has the layout that the pipeline was made with.
            unsafe { self.device.cmd_bind_descriptor_sets(commands, point, self.layout, 0, &sets, &[]) };
            // SAFETY: pipeline and set are bound; one workgroup is within every limit.
            unsafe { self.device.cmd_dispatch(commands, 1, 1, 1) };
        }
        // SAFETY: the command buffer is being recorded.
        unsafe { self.device.end_command_buffer(commands) }?;
        Ok(())
    }

    /// Records so many copies between the two halves of the buffer, to and fro, into the first command buffer, each behind a
    /// barrier for the one before if asked for, and submits it. The time until the call for submission returns.
    ///
    /// # Errors
    /// Whatever the driver says.
    pub fn chain(&self, copies: u32, barriers: bool) -> Outcome<Duration> {
        let start = Instant::now();
        let commands = *self.commands.first().ok_or("no command buffer")?;
        let begin = vk::CommandBufferBeginInfo::default().flags(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
        // SAFETY: the command buffer is idle and its pool allows it to be begun again.
        unsafe { self.device.begin_command_buffer(commands, &begin) }?;
        let stage = vk::PipelineStageFlags::TRANSFER;
        let access = vk::AccessFlags::TRANSFER_READ | vk::AccessFlags::TRANSFER_WRITE;
        let memory = [vk::MemoryBarrier::default().src_access_mask(access).dst_access_mask(access)];
        let half = self.bytes / 2;
        for number in 0..copies {
            if barriers && number > 0 {
                let none = vk::DependencyFlags::empty();
                // SAFETY: transfers and their accesses are what this queue has.
                unsafe {
                    self.device.cmd_pipeline_barrier(commands, stage, stage, none, &memory, &[], &[]);
                }
            }
            let (from, to) = if number % 2 == 0 { (0, half) } else { (half, 0) };
            let region = [vk::BufferCopy { src_offset: from, dst_offset: to, size: half }];
            // SAFETY: both halves lie within the buffer and do not meet.
            unsafe { self.device.cmd_copy_buffer(commands, self.buffer, self.buffer, &region) };
        }
        // SAFETY: the command buffer is being recorded.
        unsafe { self.device.end_command_buffer(commands) }?;
        let commands = [commands];
        let submit = vk::SubmitInfo::default().command_buffers(&commands);
        // SAFETY: the command buffer is recorded and idle; the fence is unsignaled and used by this submission alone.
        unsafe { self.device.queue_submit(self.queue, &[submit], self.fence) }?;
        let time = start.elapsed();
        let fences = [self.fence];
        // SAFETY: the fence belongs to this device.
        unsafe { self.device.wait_for_fences(&fences, true, u64::MAX) }?;
        // SAFETY: nothing in flight uses the fence: it was waited for just now.
        unsafe { self.device.reset_fences(&fences) }?;
        Ok(time)
    }

    /// The first word of the buffer.
    ///
    /// # Errors
    /// Where the memory cannot be mapped.
    pub fn first_word(&self) -> Outcome<u32> {
        // SAFETY: the memory is host-visible and not mapped.
        let start =
            unsafe { self.device.map_memory(self.memory, 0, self.bytes, vk::MemoryMapFlags::empty()) }?;
        // SAFETY: the mapping holds at least four aligned bytes, and nothing in flight writes them.
        let word = unsafe { start.cast::<u32>().read() };
        // SAFETY: mapped above, and no pointer into it is kept.
        unsafe { self.device.unmap_memory(self.memory) };
        Ok(word)
    }
}

impl std::fmt::Debug for Raw {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Raw").field("pool", &self.pool).finish_non_exhaustive()
    }
}

pub(crate) fn find_lavapipe(instance: &ash::Instance) -> Outcome<vk::PhysicalDevice> {
    // SAFETY: the instance is alive.
    for physical in unsafe { instance.enumerate_physical_devices() }? {
        // SAFETY: the handle comes from this instance.
        let properties = unsafe { instance.get_physical_device_properties(physical) };
        if properties.device_name_as_c_str()?.to_string_lossy().contains("llvmpipe") {
            return Ok(physical);
        }
    }
    Err("lavapipe is not here".into())
}

fn set_layout(device: &ash::Device) -> Outcome<vk::DescriptorSetLayout> {
    let bindings = [vk::DescriptorSetLayoutBinding::default()
        .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
        .descriptor_count(1)
        .stage_flags(vk::ShaderStageFlags::COMPUTE)];
    let create = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
    // SAFETY: the description is complete and outlives the call.
    Ok(unsafe { device.create_descriptor_set_layout(&create, None) }?)
}

fn pipeline(
    device: &ash::Device,
    set_layout: vk::DescriptorSetLayout,
    source: &str,
) -> Outcome<(vk::PipelineLayout, vk::Pipeline)> {
    let words = spirv(source)?;
    let create = vk::ShaderModuleCreateInfo::default().code(&words);
    // SAFETY: the words are valid SPIR-V: naga has validated the module that it wrote.
    let module = unsafe { device.create_shader_module(&create, None) }?;
    let set_layouts = [set_layout];
    let create = vk::PipelineLayoutCreateInfo::default().set_layouts(&set_layouts);
    // SAFETY: the set layout belongs to this device.
    let layout = unsafe { device.create_pipeline_layout(&create, None) }?;
    let stage = vk::PipelineShaderStageCreateInfo::default()
        .stage(vk::ShaderStageFlags::COMPUTE)
        .module(module)
        .name(c"main");
    let create = vk::ComputePipelineCreateInfo::default().stage(stage).layout(layout);
    // SAFETY: module and layout belong to this device, and the layout has what the module uses.
    let made = unsafe { device.create_compute_pipelines(vk::PipelineCache::null(), &[create], None) };
    let pipelines = made.map_err(|(_, error)| error)?;
    Ok((layout, pipelines[0]))
}

fn spirv(source: &str) -> Outcome<Vec<u32>> {
    let module = naga::front::wgsl::parse_str(source)?;
    let (flags, capabilities) = (naga::valid::ValidationFlags::all(), naga::valid::Capabilities::default());
    let info = naga::valid::Validator::new(flags, capabilities).validate(&module)?;
    let options = naga::back::spv::Options { lang_version: (1, 3), ..Default::default() };
    Ok(naga::back::spv::write_vec(&module, &info, &options, None)?)
}

fn storage(
    instance: &ash::Instance,
    physical: vk::PhysicalDevice,
    device: &ash::Device,
    bytes: u64,
) -> Outcome<(vk::Buffer, vk::DeviceMemory)> {
    let copies = vk::BufferUsageFlags::TRANSFER_SRC | vk::BufferUsageFlags::TRANSFER_DST;
    let usage = vk::BufferUsageFlags::STORAGE_BUFFER | copies;
    let create = vk::BufferCreateInfo::default().size(bytes).usage(usage);
    // SAFETY: the description is complete and outlives the call.
    let buffer = unsafe { device.create_buffer(&create, None) }?;
    // SAFETY: the buffer belongs to this device.
    let needs = unsafe { device.get_buffer_memory_requirements(buffer) };
    // SAFETY: the physical device belongs to this instance.
    let kinds = unsafe { instance.get_physical_device_memory_properties(physical) };
    let wanted = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
    let kind = (0..kinds.memory_type_count)
        .find(|kind| {
            let flags = kinds.memory_types[*kind as usize].property_flags;
            needs.memory_type_bits & (1 << kind) != 0 && flags.contains(wanted)
        })
        .ok_or("no memory that the CPU can see")?;
    let allocate = vk::MemoryAllocateInfo::default().allocation_size(needs.size).memory_type_index(kind);
    // SAFETY: the memory type is one that the buffer allows.
    let memory = unsafe { device.allocate_memory(&allocate, None) }?;
    // SAFETY: the memory is as large as the buffer needs, and neither is bound yet.
    unsafe { device.bind_buffer_memory(buffer, memory, 0) }?;
    Ok((buffer, memory))
}

fn bind(
    device: &ash::Device,
    layout: vk::DescriptorSetLayout,
    buffer: vk::Buffer,
) -> Outcome<vk::DescriptorSet> {
    let sizes = [vk::DescriptorPoolSize { ty: vk::DescriptorType::STORAGE_BUFFER, descriptor_count: 1 }];
    let create = vk::DescriptorPoolCreateInfo::default().max_sets(1).pool_sizes(&sizes);
    // SAFETY: the description is complete and outlives the call.
    let pool = unsafe { device.create_descriptor_pool(&create, None) }?;
    let layouts = [layout];
    let allocate = vk::DescriptorSetAllocateInfo::default().descriptor_pool(pool).set_layouts(&layouts);
    // SAFETY: the pool has room for one set with one storage buffer.
    let sets = unsafe { device.allocate_descriptor_sets(&allocate) }?;
    let buffers = [vk::DescriptorBufferInfo { buffer, offset: 0, range: vk::WHOLE_SIZE }];
    let write = vk::WriteDescriptorSet::default()
        .dst_set(sets[0])
        .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
        .buffer_info(&buffers);
    // SAFETY: the set is not in use, and its binding 0 is a storage buffer.
    unsafe { device.update_descriptor_sets(&[write], &[]) };
    Ok(sets[0])
}
