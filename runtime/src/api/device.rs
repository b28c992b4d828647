//! Devices: where memory comes from and work runs.
use std::fmt;
use std::sync::Arc;

use crate::api::command_allocator::CommandAllocator;
use crate::api::heap::Heap;
use crate::api::label::Label;
use crate::api::purgeable::Lent;
use crate::api::queue::QueueShared;
use crate::backend::{self, Backend};
use crate::error::{EncodeError, ResourceError};
use crate::observe::Watch;
use crate::record::RecordingPool;
use crate::submit::Submission;
use crate::validation::{self, Validation, Validator};
use crate::{
    Buffer, CommandBuffer, CommandQueue, CommandQueueDescriptor, ComputePipelineState, CpuOptions, Error,
    Event, Fence, Function, HazardTrackingMode, HeapDescriptor, Library, Pod, QueueMode, ResidencySet,
    ResidencySetDescriptor, ResourceOptions, SamplerDescriptor, SamplerState, Schedule, SharedEvent,
    SizeAndAlign, StorageMode, StuckWait, Texture, TextureDescriptor, VulkanOptions,
};

/// A device: all other objects are made by one, and belong to it.
///
/// Clones are the same device. Threads may share one and call it at the same time.
///
/// ```
/// let device = fencepost::Device::cpu();
/// let buffer = device.new_buffer_with_data(&[1u32, 2, 3], Default::default())?;
/// assert_eq!(buffer.read::<u32>(..)?, [1, 2, 3]);
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLDevice")]
#[derive(Clone)]
pub struct Device {
    pub(crate) shared: Arc<DeviceShared>,
}

/// What every object of a device holds.
pub(crate) struct DeviceShared {
    pub(crate) submission: Arc<Submission>,
    pub(crate) pool: Arc<RecordingPool>,
    /// Where what happens is told.
    pub(crate) watch: Arc<Watch>,
    /// Absent where validation is off.
    pub(crate) validator: Option<Arc<Validator>>,
    /// Memory that programs have lent back.
    pub(crate) lent: Lent,
    pub(crate) name: String,
}

impl DeviceShared {
    pub(crate) fn backend(&self) -> &dyn Backend {
        &**self.submission.backend()
    }

    /// That `theirs` is this device; `what` and `user` name both sides where it is not.
    #[inline]
    pub(crate) fn owns(
        self: &Arc<Self>,
        theirs: &Arc<Self>,
        what: impl FnOnce() -> String,
        user: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        if Arc::ptr_eq(self, theirs) {
            return Ok(());
        }
        Err(wrong_device(what(), &theirs.name, user(), &self.name))
    }
}

#[cold]
fn wrong_device(what: String, theirs: &str, user: String, ours: &str) -> Error {
    EncodeError::WrongDevice { what, theirs: theirs.to_owned(), user, ours: ours.to_owned() }.into()
}

impl Device {
    /// The device that a program should use where it does not care: the best GPU, or the CPU device where there is none. A Vulkan device
    /// that is itself a program on the CPU is never the default.
    ///
    /// The environment variable `FENCEPOST_DEVICE` names another one, as for [`by_name`](Self::by_name). What it names and cannot be opened
    /// is an error in the log, and the CPU device takes its place.
    ///
    /// Each call makes a device of its own; objects of one do not work with another.
    #[doc(alias = "MTLCreateSystemDefaultDevice")]
    pub fn system_default() -> Self {
        let named = std::env::var("FENCEPOST_DEVICE").ok().filter(|name| !name.is_empty());
        let opened = match named {
            Some(name) => Self::by_name(&name),
            None => match backend::vulkan_devices().into_iter().find(|(_, is_gpu)| *is_gpu) {
                Some((uuid, _)) => {
                    Self::vulkan_with(&VulkanOptions { uuid: Some(uuid), ..VulkanOptions::default() })
                }
                None => return Self::cpu(),
            },
        };
        opened.unwrap_or_else(|error| {
            log::error!("the CPU device is used: {error}");
            Self::cpu()
        })
    }

    /// Every device there is: GPUs, the best first, then the CPU device, then Vulkan devices that are programs on the CPU. A GPU that
    /// cannot be opened is left out, with an error in the log.
    #[doc(alias = "MTLCopyAllDevices")]
    pub fn all() -> Vec<Self> {
        let (gpus, programs): (Vec<_>, Vec<_>) =
            backend::vulkan_devices().into_iter().partition(|(_, is_gpu)| *is_gpu);
        let open = |(uuid, _)| {
            let opened = Self::vulkan_with(&VulkanOptions { uuid: Some(uuid), ..VulkanOptions::default() });
            opened.map_err(|error| log::error!("a device is left out: {error}")).ok()
        };
        let mut all: Vec<_> = gpus.into_iter().filter_map(open).collect();
        all.push(Self::cpu());
        all.extend(programs.into_iter().filter_map(open));
        all
    }

    /// The device of this name: `cpu` for the CPU device, `vulkan` for the best Vulkan device, or a part of a Vulkan device's name, or its
    /// UUID.
    ///
    /// ```
    /// use fencepost::Device;
    /// assert_eq!(Device::by_name("cpu")?.name(), "CPU");
    /// # Ok::<(), fencepost::Error>(())
    /// ```
    ///
    /// # Errors
    /// No such device, or one that cannot be opened.
    pub fn by_name(name: &str) -> Result<Self, Error> {
        match name.to_lowercase().as_str() {
            "cpu" => Ok(Self::cpu()),
            "vulkan" => Self::vulkan(),
            _ => {
                Self::vulkan_with(&VulkanOptions { name: Some(name.to_owned()), ..VulkanOptions::default() })
            }
        }
    }

    /// The best Vulkan device.
    ///
    /// ```
    /// use fencepost::{Device, ErrorKind};
    /// match Device::vulkan() {
    ///     Ok(device) => assert!(device.uuid().is_some()),
    ///     Err(error) => assert!(matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::NotFound), "no driver: {error}"),
    /// }
    /// ```
    ///
    /// # Errors
    /// No driver, or none with a device of Vulkan 1.3.
    pub fn vulkan() -> Result<Self, Error> {
        Self::vulkan_with(&VulkanOptions::default())
    }

    /// A Vulkan device as one likes it.
    ///
    /// Devices on one GPU share the driver's device, so memory of one can be [shared](Self::new_buffer_sharing) with another.
    ///
    /// # Errors
    /// No driver; no device that the options name; one that cannot be opened.
    pub fn vulkan_with(options: &VulkanOptions) -> Result<Self, Error> {
        Ok(Self::of_backend(backend::open_vulkan(options)?, options.validation))
    }

    /// The CPU device, with as many threads as there are cores.
    pub fn cpu() -> Self {
        Self::cpu_with(CpuOptions::default())
    }

    /// The CPU device as one likes it, for example with an adversarial schedule.
    pub fn cpu_with(options: CpuOptions) -> Self {
        Self::of_backend(backend::open_cpu(options), options.validation)
    }

    pub(crate) fn of_backend(backend: Arc<dyn Backend>, validation: Option<Validation>) -> Self {
        let submission = Submission::new(backend);
        let name = submission.backend().name();
        let watch = Arc::<Watch>::default();
        let validator = Validator::attach(&watch, &name, validation::mode(validation));
        let pool = Arc::default();
        let lent = Lent::default();
        Self { shared: Arc::new(DeviceShared { submission, pool, watch, validator, lent, name }) }
    }

    /// Whether it looks for races and misuse, and what it does about them.
    pub fn validation(&self) -> Validation {
        match &self.shared.validator {
            None => Validation::Off,
            Some(validator) if validator.denies() => Validation::Deny,
            Some(_) => Validation::Report,
        }
    }

    /// Calls `handler` with every finding of validation from now on, in place of the one before; without one, findings go to the `log`
    /// crate. It is called on the thread whose call showed the finding, before that call returns, and with no lock held. Where
    /// validation is off, it is never called.
    ///
    /// ```
    /// use fencepost::{CpuOptions, Device, ResourceOptions, Validation};
    /// use std::sync::mpsc;
    ///
    /// let device = Device::cpu_with(CpuOptions { validation: Some(Validation::Report), ..Default::default() });
    /// let (sender, found) = mpsc::channel();
    /// device.set_validation_handler(move |finding| { sender.send(finding.to_string()).ok(); });
    ///
    /// let numbers = device.new_buffer(64, ResourceOptions::SHARED)?;
    /// numbers.set_label("numbers");
    /// let work = device.new_command_queue().command_buffer();
    /// let mut blit = work.blit_command_encoder()?;
    /// blit.fill_buffer(&numbers, .., 7)?;
    /// blit.end_encoding();
    /// work.commit()?;
    /// numbers.contents()?.read::<u32>(..)?; // Nobody has waited.
    /// assert!(found.recv().unwrap().starts_with("race: "));
    /// # Ok::<(), fencepost::Error>(())
    /// ```
    pub fn set_validation_handler(
        &self,
        handler: impl Fn(&crate::validation::Finding) + Send + Sync + 'static,
    ) {
        if let Some(validator) = &self.shared.validator {
            validator.set_handler(Arc::new(handler));
        }
    }

    /// Its name, for people.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// What tells it from other devices of this machine, the same in every process. The CPU device has none.
    #[doc(alias = "registryID")]
    pub fn uuid(&self) -> Option<[u8; 16]> {
        self.shared.backend().uuid()
    }

    /// Bytes of the longest buffer.
    #[doc(alias = "maxBufferLength")]
    pub fn max_buffer_length(&self) -> u64 {
        self.shared.backend().max_buffer_length()
    }

    /// CPU and GPU reach the same memory.
    #[doc(alias = "hasUnifiedMemory")]
    pub fn has_unified_memory(&self) -> bool {
        self.shared.backend().has_unified_memory()
    }

    /// What suits resources of this device that both CPU and GPU use: shared where they reach the same memory, managed where each has its
    /// own, so that kernels run on memory that is near to them.
    ///
    /// It is advice. [`ResourceOptions::default`] is shared storage on every device, which every device has.
    ///
    /// ```
    /// use fencepost::{Device, ResourceOptions};
    /// assert_eq!(Device::cpu().default_resource_options(), ResourceOptions::SHARED);
    /// ```
    pub fn default_resource_options(&self) -> ResourceOptions {
        if self.has_unified_memory() { ResourceOptions::SHARED } else { ResourceOptions::MANAGED }
    }

    /// From now on, chooses among legal orders in this way. What was committed before may still run in the old way.
    pub fn set_schedule(&self, schedule: Schedule) {
        self.shared.backend().set_schedule(schedule);
    }

    /// How long a queue waits for an event's value before the wait counts as timed out; `None`, the default, for ever. On a tracked queue
    /// the command buffer then ends with an error; on an explicit queue the later work runs as if the value were there (rule 6.8).
    pub fn set_event_timeout(&self, timeout: Option<std::time::Duration>) {
        self.shared.submission.set_event_timeout(timeout);
    }

    /// Waits that hold a queue of this device now, and that no work in flight will release: each with the value that is missing and the
    /// signals that could give it. For a program that hangs; a wait that the CPU is about to release is among them.
    ///
    /// ```
    /// use fencepost::Device;
    /// let device = Device::cpu();
    /// let (queue, event) = (device.new_command_queue(), device.new_event());
    /// event.set_label("frame");
    /// let work = queue.command_buffer();
    /// work.encode_wait_for_event(&event, 3)?;
    /// work.commit()?;
    /// let stuck = device.stuck_waits();
    /// assert_eq!((stuck[0].event.as_str(), stuck[0].value, stuck[0].reached), ("frame", 3, 0));
    /// assert!(stuck[0].signals.is_empty(), "nobody has committed a signal");
    /// # Ok::<(), fencepost::Error>(())
    /// ```
    pub fn stuck_waits(&self) -> Vec<StuckWait> {
        self.shared.submission.stuck_waits()
    }

    /// A tracked queue: it orders conflicting uses of tracked resources by itself.
    #[doc(alias = "newCommandQueue")]
    pub fn new_command_queue(&self) -> CommandQueue {
        QueueShared::create(&self.shared, QueueMode::Tracked, &CommandQueueDescriptor::default())
    }

    /// A tracked queue with a limit of its own, or with a label.
    #[doc(alias = "newCommandQueueWithDescriptor")]
    pub fn new_command_queue_with_descriptor(&self, descriptor: &CommandQueueDescriptor) -> CommandQueue {
        QueueShared::create(&self.shared, QueueMode::Tracked, descriptor)
    }

    /// An explicit queue: nothing is ordered but by barriers, fences and events, and command buffers are committed in groups.
    #[doc(alias = "newMTL4CommandQueue")]
    #[doc(alias = "MTL4CommandQueue")]
    pub fn new_explicit_command_queue(&self) -> CommandQueue {
        QueueShared::create(&self.shared, QueueMode::Explicit, &CommandQueueDescriptor::default())
    }

    /// A command buffer for explicit queues; it must `begin` before it is recorded.
    #[doc(alias = "newCommandBuffer")]
    #[doc(alias = "MTL4CommandBuffer")]
    pub fn new_command_buffer(&self) -> CommandBuffer {
        CommandBuffer::explicit(&self.shared)
    }

    /// Memory for the commands of command buffers for explicit queues.
    #[doc(alias = "newCommandAllocator")]
    pub fn new_command_allocator(&self) -> CommandAllocator {
        CommandAllocator::new(&self.shared)
    }

    /// A buffer of zeros. Kernels see whole words: for them a length that is no multiple of 4 is rounded up.
    ///
    /// # Errors
    /// A length of 0 or beyond [`max_buffer_length`](Self::max_buffer_length); memoryless storage; no memory.
    #[doc(alias = "newBufferWithLength")]
    pub fn new_buffer(&self, length: u64, options: ResourceOptions) -> Result<Buffer, Error> {
        Buffer::create(&self.shared, length, options)
    }

    /// A buffer with these bytes.
    ///
    /// # Errors
    /// As [`new_buffer`](Self::new_buffer); also private storage, which the CPU cannot fill: copy from a shared buffer instead.
    #[doc(alias = "newBufferWithBytes")]
    #[track_caller]
    pub fn new_buffer_with_bytes(&self, bytes: &[u8], options: ResourceOptions) -> Result<Buffer, Error> {
        let buffer = self.new_buffer(bytes.len() as u64, options)?;
        buffer.write(0, bytes)?;
        if options.storage_mode == StorageMode::Managed {
            buffer.did_modify_range(..)?;
        }
        Ok(buffer)
    }

    /// A buffer with these values.
    ///
    /// # Errors
    /// As [`new_buffer_with_bytes`](Self::new_buffer_with_bytes).
    #[track_caller]
    pub fn new_buffer_with_data<T: Pod>(
        &self,
        values: &[T],
        options: ResourceOptions,
    ) -> Result<Buffer, Error> {
        self.new_buffer_with_bytes(bytemuck::cast_slice(values), options)
    }

    /// The memory of another buffer as this device sees it: a buffer over bytes of `source`, which may belong to any device.
    ///
    /// Two devices work on the same bytes in this way, each with a buffer of its own. Their order is the program's: hazard tracking and
    /// barriers of one device see nothing of the other, a [`SharedEvent`] orders them. Reads, writes and guards of the CPU look at the
    /// work of all of them. The memory lives until the last of the buffers is gone; the storage mode is the source's.
    ///
    /// On one device the two are two names for the same bytes, and tracking takes them for two resources.
    ///
    /// # Errors
    /// A range outside of the source, empty, or starting at no multiple of 256; a source on a heap; a guard of the CPU that holds some
    /// of the memory; a device that cannot reach it.
    ///
    /// ```
    /// use fencepost::{Device, HazardTrackingMode};
    /// let (first, second) = (Device::cpu(), Device::cpu());
    /// let here = first.new_buffer_with_data(&[1u32, 2], Default::default())?;
    /// let there = second.new_buffer_sharing(&here, .., HazardTrackingMode::Tracked)?;
    /// there.write(4, &[7u32])?;
    /// assert_eq!(here.read::<u32>(..)?, [1, 7]);
    /// # Ok::<(), fencepost::Error>(())
    /// ```
    #[doc(alias = "newBufferWithBytesNoCopy")]
    pub fn new_buffer_sharing(
        &self,
        source: &Buffer,
        range: impl std::ops::RangeBounds<u64>,
        mode: HazardTrackingMode,
    ) -> Result<Buffer, Error> {
        Buffer::sharing(&self.shared, source, range, mode)
    }

    /// The memory of another texture as this device sees it: the same texels, in a texture of this device.
    /// All that is said of [`new_buffer_sharing`](Self::new_buffer_sharing) holds.
    ///
    /// # Errors
    /// A source on a heap or a view; a device that cannot reach its memory.
    #[doc(alias = "newTextureWithDescriptor:iosurface:plane:")]
    pub fn new_texture_sharing(&self, source: &Texture, mode: HazardTrackingMode) -> Result<Texture, Error> {
        Texture::sharing(&self.shared, source, mode)
    }

    /// A texture of zeros.
    ///
    /// # Errors
    /// A size, level or slice count that makes no sense or is too large; memoryless storage of a texture that is no attachment or more
    /// than that; no memory.
    #[doc(alias = "newTextureWithDescriptor")]
    pub fn new_texture(&self, descriptor: &TextureDescriptor) -> Result<Texture, Error> {
        Texture::create(&self.shared, descriptor)
    }

    /// A sampler.
    ///
    /// # Errors
    /// A range of levels that is empty, or coordinates in texels, which are not supported.
    #[doc(alias = "newSamplerStateWithDescriptor")]
    pub fn new_sampler_state(&self, descriptor: &SamplerDescriptor) -> Result<SamplerState, Error> {
        SamplerState::create(&self.shared, descriptor)
    }

    /// A piece of memory to make resources of.
    ///
    /// # Errors
    /// A size of 0 or beyond [`max_buffer_length`](Self::max_buffer_length); managed or memoryless storage; no memory.
    #[doc(alias = "newHeapWithDescriptor")]
    pub fn new_heap(&self, descriptor: &HeapDescriptor) -> Result<Heap, Error> {
        Heap::create(&self.shared, descriptor)
    }

    /// What a buffer takes on a heap.
    ///
    /// # Errors
    /// A length of 0 or beyond [`max_buffer_length`](Self::max_buffer_length).
    #[doc(alias = "heapBufferSizeAndAlignWithLength")]
    pub fn heap_buffer_size_and_align(
        &self,
        length: u64,
        options: ResourceOptions,
    ) -> Result<SizeAndAlign, Error> {
        let _same_for_all = options;
        crate::api::buffer::size_and_align(&self.shared, length)
    }

    /// What a texture takes on a heap.
    ///
    /// # Errors
    /// A descriptor that [`new_texture`](Self::new_texture) would refuse.
    #[doc(alias = "heapTextureSizeAndAlignWithDescriptor")]
    pub fn heap_texture_size_and_align(&self, descriptor: &TextureDescriptor) -> Result<SizeAndAlign, Error> {
        crate::api::texture::size_and_align(&self.shared, descriptor)
    }

    /// A group of allocations that the GPU is to have in its reach. Here it always has: see [`ResidencySet`].
    #[doc(alias = "newResidencySetWithDescriptor")]
    pub fn new_residency_set(&self, descriptor: &ResidencySetDescriptor) -> ResidencySet {
        ResidencySet::create(&self.shared, descriptor)
    }

    /// A fence.
    #[doc(alias = "newFence")]
    pub fn new_fence(&self) -> Fence {
        Fence::create(&self.shared)
    }

    /// An event for the queues of this device, with value 0.
    #[doc(alias = "newEvent")]
    pub fn new_event(&self) -> Event {
        Event::create(&self.shared)
    }

    /// An event for the CPU and for queues of several devices, with value 0.
    #[doc(alias = "newSharedEvent")]
    pub fn new_shared_event(&self) -> SharedEvent {
        SharedEvent::create(&self.shared)
    }

    /// Functions from WGSL.
    ///
    /// # Errors
    /// Source that does not parse or is not valid; the message shows the line.
    #[doc(alias = "newLibraryWithSource")]
    pub fn new_library_with_wgsl(&self, source: &str) -> Result<Library, Error> {
        Library::from_wgsl(source)
    }

    /// Functions from SPIR-V.
    ///
    /// # Errors
    /// Words that are no valid SPIR-V, or use what the device does not have.
    #[doc(alias = "newLibraryWithData")]
    pub fn new_library_with_spirv(&self, words: &[u32]) -> Result<Library, Error> {
        Library::from_spirv(words)
    }

    /// A function made ready to run.
    ///
    /// # Errors
    /// A function that uses what the device does not have.
    #[doc(alias = "newComputePipelineStateWithFunction")]
    pub fn new_compute_pipeline_state(&self, function: &Function) -> Result<ComputePipelineState, Error> {
        ComputePipelineState::create(&self.shared, function)
    }
}

impl PartialEq for Device {
    /// The same device.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for Device {}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for DeviceShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("name", &self.name).finish_non_exhaustive()
    }
}

/// That a length is one a buffer or heap can have.
pub(crate) fn check_length(device: &DeviceShared, call: &'static str, length: u64) -> Result<(), Error> {
    let most = device.backend().max_buffer_length();
    if length == 0 || length > most {
        return Err(ResourceError::Number { call, what: "the length", value: length, least: 1, most }.into());
    }
    Ok(())
}

/// A label of an object that is gone is no label.
pub(crate) fn label_or_empty(label: &Label) -> String {
    label.get().map(|label| label.to_string()).unwrap_or_default()
}
