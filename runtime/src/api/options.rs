//! Small values that objects are made from or asked for: modes, masks, sizes, descriptors.
use std::path::PathBuf;
use std::time::Duration;

use bitflags::bitflags;

use crate::{PixelFormat, Validation};

bitflags! {
    /// How commands use a resource that they reach by other ways than a binding. The bit values are those of `MTLResourceUsage`.
    #[doc(alias = "MTLResourceUsage")]
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct ResourceUsage: u64 {
        /// They read it.
        const READ = 1 << 0;
        /// They write it. Leaving this out for a resource that is written is a race that tracking cannot see.
        const WRITE = 1 << 1;
    }
}

bitflags! {
    /// What a texture is for. The bit values are those of `MTLTextureUsage`.
    #[doc(alias = "MTLTextureUsage")]
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct TextureUsage: u64 {
        /// Kernels read or sample it.
        const SHADER_READ = 1 << 0;
        /// Kernels write it as a storage texture.
        const SHADER_WRITE = 1 << 1;
        /// Render passes draw to it.
        const RENDER_TARGET = 1 << 2;
        /// Views in another format may be made of it.
        const PIXEL_FORMAT_VIEW = 1 << 4;
    }
}

/// What kind of pass an encoder records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PassKind {
    /// Kernels; on explicit queues also copies, fills and mip generation.
    Compute,
    /// Copies, fills and mip generation.
    Blit,
    /// Draws. Only replays of programs record such passes: encoders for them do not exist yet.
    Render,
}

/// Whether the dispatches of a compute encoder run one after another.
#[doc(alias = "MTLDispatchType")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DispatchType {
    /// Each command completes and is visible before the next one starts. The default on tracked queues.
    #[default]
    Serial,
    /// Commands may overlap unless a barrier stands between them. Always so on explicit queues.
    Concurrent,
}

/// Who can reach a resource's bytes.
#[doc(alias = "MTLStorageMode")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StorageMode {
    /// One copy for CPU and GPU.
    #[default]
    Shared,
    /// A copy each, on every device, brought over by calls: [`Buffer::did_modify_range`](crate::Buffer::did_modify_range) and a commit towards
    /// the GPU, [`BlitCommandEncoder::synchronize`](crate::BlitCommandEncoder::synchronize) towards the CPU. A call that is missing leaves the old
    /// bytes there. Not on heaps.
    Managed,
    /// The GPU alone.
    Private,
    /// No memory at all: textures that are attachments of render passes and nothing else. Whatever would need their memory is an error.
    Memoryless,
}

/// Whether tracked queues order conflicting uses of a resource by themselves.
#[doc(alias = "MTLHazardTrackingMode")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HazardTrackingMode {
    /// Tracked for a resource of its own, untracked for a heap, the heap's mode for a resource on a heap.
    #[default]
    Default,
    /// The program orders its uses.
    Untracked,
    /// Tracked queues order them; explicit queues do not.
    Tracked,
}

/// How the CPU's caches treat a resource. It changes speed, never meaning.
#[doc(alias = "MTLCPUCacheMode")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CpuCacheMode {
    /// Reads and writes are cached.
    #[default]
    DefaultCache,
    /// For resources that the CPU writes and never reads.
    WriteCombined,
}

/// Where a resource lives and who orders its uses.
///
/// ```
/// use fencepost::{HazardTrackingMode, ResourceOptions, StorageMode};
/// let options = ResourceOptions::PRIVATE.untracked();
/// assert_eq!(options.storage_mode, StorageMode::Private);
/// assert_eq!(options.hazard_tracking_mode, HazardTrackingMode::Untracked);
/// ```
#[doc(alias = "MTLResourceOptions")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ResourceOptions {
    /// Who can reach the bytes.
    pub storage_mode: StorageMode,
    /// Who orders the uses.
    pub hazard_tracking_mode: HazardTrackingMode,
    /// How the CPU's caches treat it.
    pub cpu_cache_mode: CpuCacheMode,
}

impl ResourceOptions {
    /// Reachable by CPU and GPU, default tracking.
    pub const SHARED: Self = Self {
        storage_mode: StorageMode::Shared,
        hazard_tracking_mode: HazardTrackingMode::Default,
        cpu_cache_mode: CpuCacheMode::DefaultCache,
    };
    /// A copy each for CPU and GPU, default tracking.
    pub const MANAGED: Self = Self { storage_mode: StorageMode::Managed, ..Self::SHARED };
    /// Reachable by the GPU alone, default tracking.
    pub const PRIVATE: Self = Self { storage_mode: StorageMode::Private, ..Self::SHARED };
    /// No memory, for attachments.
    pub const MEMORYLESS: Self = Self { storage_mode: StorageMode::Memoryless, ..Self::SHARED };

    /// The same, with hazards left to the program.
    #[must_use]
    pub const fn untracked(self) -> Self {
        Self { hazard_tracking_mode: HazardTrackingMode::Untracked, ..self }
    }

    /// The same, with hazards tracked by tracked queues.
    #[must_use]
    pub const fn tracked(self) -> Self {
        Self { hazard_tracking_mode: HazardTrackingMode::Tracked, ..self }
    }
}

/// Bytes that a resource takes on a heap, and the alignment of its first byte.
#[doc(alias = "MTLSizeAndAlign")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SizeAndAlign {
    /// Bytes.
    pub size: u64,
    /// Bytes; a power of two.
    pub align: u64,
}

/// The shape of a texture, or how a view or a kernel sees it.
#[doc(alias = "MTLTextureType")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TextureKind {
    /// One image.
    #[default]
    D2,
    /// Several images of one size, called slices. One slice is still an array.
    D2Array,
}

/// What a texture is made from.
///
/// ```
/// use fencepost::{PixelFormat, TextureDescriptor};
/// let descriptor = TextureDescriptor::new_2d(PixelFormat::Rgba8Unorm, 640, 480).with_all_mips();
/// assert_eq!(descriptor.mipmap_level_count, 10);
/// ```
#[doc(alias = "MTLTextureDescriptor")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TextureDescriptor {
    /// One image or an array of them.
    pub texture_type: TextureKind,
    /// What a texel is.
    pub pixel_format: PixelFormat,
    /// Texels of a row of the first level.
    pub width: u32,
    /// Rows of the first level.
    pub height: u32,
    /// Levels, each half as wide and high as the one before, rounded down, at least 1.
    pub mipmap_level_count: u32,
    /// Slices; 1 for a texture that is no array.
    pub array_length: u32,
    /// What kernels do with it.
    pub usage: TextureUsage,
    /// Where it lives and who orders its uses.
    pub resource_options: ResourceOptions,
}

impl TextureDescriptor {
    /// One image with one level, read and written by kernels.
    #[doc(alias = "texture2DDescriptorWithPixelFormat")]
    pub const fn new_2d(pixel_format: PixelFormat, width: u32, height: u32) -> Self {
        Self {
            texture_type: TextureKind::D2,
            pixel_format,
            width,
            height,
            mipmap_level_count: 1,
            array_length: 1,
            usage: TextureUsage::SHADER_READ.union(TextureUsage::SHADER_WRITE),
            resource_options: ResourceOptions::SHARED,
        }
    }

    /// `array_length` images of one size.
    pub const fn new_2d_array(pixel_format: PixelFormat, width: u32, height: u32, array_length: u32) -> Self {
        Self { texture_type: TextureKind::D2Array, array_length, ..Self::new_2d(pixel_format, width, height) }
    }

    /// The same with every level down to one texel.
    #[must_use]
    pub const fn with_all_mips(self) -> Self {
        let largest = if self.width > self.height { self.width } else { self.height };
        Self { mipmap_level_count: if largest == 0 { 1 } else { largest.ilog2() + 1 }, ..self }
    }

    /// The same with so many levels.
    #[must_use]
    pub const fn with_mips(self, mipmap_level_count: u32) -> Self {
        Self { mipmap_level_count, ..self }
    }

    /// The same for these uses.
    #[must_use]
    pub const fn with_usage(self, usage: TextureUsage) -> Self {
        Self { usage, ..self }
    }

    /// The same with these options.
    #[must_use]
    pub const fn with_options(self, resource_options: ResourceOptions) -> Self {
        Self { resource_options, ..self }
    }
}

/// A rectangle of texels.
#[doc(alias = "MTLRegion")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// Column and row of the first texel.
    pub origin: [u32; 2],
    /// Columns and rows.
    pub size: [u32; 2],
}

impl Region {
    /// A rectangle at `(x, y)`.
    #[doc(alias = "MTLRegionMake2D")]
    pub const fn new(x: u32, y: u32, width: u32, height: u32) -> Self {
        Self { origin: [x, y], size: [width, height] }
    }
}

/// How a heap gives out its memory.
#[doc(alias = "MTLHeapType")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HeapKind {
    /// The heap finds a free place.
    #[default]
    Automatic,
    /// The program names the place; resources whose places overlap alias.
    Placement,
}

/// What a heap is made from.
#[doc(alias = "MTLHeapDescriptor")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HeapDescriptor {
    /// Bytes.
    pub size: u64,
    /// How memory is given out.
    pub kind: HeapKind,
    /// Where the heap lives and who orders the uses of what is on it. Default tracking means untracked; on a tracked heap the
    /// whole heap is the unit of tracking.
    pub options: ResourceOptions,
}

/// How a device chooses among orders that are all legal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Schedule {
    /// As much at once as there are threads.
    #[default]
    Parallel,
    /// One command after another in an order chosen by the seed among all legal ones, so that a missing synchronization shows. The
    /// same program with the same seed runs in the same order.
    Adversarial(u64),
}

/// What the CPU device is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CpuOptions {
    /// Threads that run kernels. 0: as many as the machine has cores.
    pub threads: usize,
    /// How it chooses among legal orders.
    pub schedule: Schedule,
    /// A kernel that runs longer is stopped, and its command buffer ends with an error. `None`: never.
    pub kernel_timeout: Option<Duration>,
    /// Whether it looks for races and misuse. `None`: as the environment variable `FENCEPOST_VALIDATION` says (`off`, `report` or
    /// `deny`), and not without one.
    pub validation: Option<Validation>,
}

/// Which Vulkan device is wanted, and how. The default is the best there is: a discrete GPU before an integrated one, a program that stands
/// for a GPU last.
///
/// ```
/// use fencepost::{Device, ErrorKind, VulkanOptions};
/// let options = VulkanOptions { name: Some("no such device".into()), ..Default::default() };
/// let error = Device::vulkan_with(&options).unwrap_err();
/// // Without a driver there are none at all.
/// assert!(matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct VulkanOptions {
    /// A part of its name, in any case, or its UUID as people write it.
    pub name: Option<String>,
    /// Its UUID.
    pub uuid: Option<[u8; 16]>,
    /// A file for compiled kernels: read when the device is opened, written when it goes. Without one, none are kept.
    pub pipeline_cache: Option<PathBuf>,
    /// Whether it looks for races and misuse, as for [`CpuOptions::validation`].
    pub validation: Option<Validation>,
}

impl Default for CpuOptions {
    fn default() -> Self {
        Self {
            threads: 0,
            schedule: Schedule::Parallel,
            kernel_timeout: Some(Duration::from_secs(10)),
            validation: None,
        }
    }
}

/// How far a command buffer has come. It only ever moves forward.
#[doc(alias = "MTLCommandBufferStatus")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CommandBufferStatus {
    /// It has no place on its queue yet.
    #[default]
    NotEnqueued,
    /// Its place on the queue is reserved.
    Enqueued,
    /// It can no longer be changed and will run when its turn comes.
    Committed,
    /// What it waits for is there; the device has it.
    Scheduled,
    /// It has run.
    Completed,
    /// It has ended with an error.
    Error,
}

/// What became of one encoder of a command buffer that ended with an error.
#[doc(alias = "MTLCommandEncoderErrorState")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CommandEncoderErrorState {
    /// Not asked for.
    #[default]
    Unknown,
    /// All of it ran.
    Completed,
    /// It was hit by an error, maybe not its own.
    Affected,
    /// None of it ran.
    Pending,
    /// The error is its own.
    Faulted,
}
