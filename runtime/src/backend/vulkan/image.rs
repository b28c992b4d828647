//! Textures as the driver's images, always in the layout that everything may use: then barriers need not know which images there are.
//!
//! The host's side of a texture, rows of bytes, and the CPU's copy of a managed one are laid out as on the CPU device.
#![allow(unsafe_code, reason = "calls the Vulkan driver")]
use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ash::vk;
use parking_lot::Mutex;

use super::commands::Commands;
use super::gpu::Gpu;
use super::memory::VulkanMemory;
use super::utility::Utility;
use crate::backend::Image;
use crate::backend::cpu::texel::TextureLayout;
use crate::record::{LinearLayout, TextureBody, TextureRegion, TextureShape, TextureView};
use crate::{AddressMode, CompareFunction, Error, Filter, MipFilter, PixelFormat, SamplerDescriptor};

/// An image in some memory.
pub(crate) struct VulkanImage {
    gpu: Arc<Gpu>,
    pub(super) raw: vk::Image,
    shape: TextureShape,
    /// It has its layout.
    laid_out: AtomicBool,
    views: Mutex<Vec<(ViewKey, vk::ImageView)>>,
}

/// What a view shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ViewKey {
    format: PixelFormat,
    first_mip: u32,
    mips: u32,
    first_slice: u32,
    slices: u32,
    array: bool,
    storage: bool,
}

impl Image for VulkanImage {}

impl VulkanImage {
    /// An image over memory from `offset` on. Where the memory is its own, it is all zeros; otherwise what is there is anybody's guess.
    pub(super) fn new(
        utility: &Arc<Utility>,
        memory: &VulkanMemory,
        offset: u64,
        shape: &TextureShape,
        own: bool,
    ) -> Result<Self, Error> {
        let gpu = &utility.gpu;
        let needs = gpu.image_requirements(shape);
        if needs.memory_type_bits & memory.block.kinds == 0 || memory.block.memory == vk::DeviceMemory::null()
        {
            return Err(gpu.lacks("a texture in memory of this storage mode", "Use private storage"));
        }
        if !(memory.block.offset + offset).is_multiple_of(needs.alignment) {
            return Err(gpu.lacks(
                "a texture at this place of a heap",
                "Make the heap larger, or give it memory of its own",
            ));
        }
        // SAFETY: the shape is within the API's limits, and the format's uses are those that the driver names.
        let raw = unsafe { gpu.raw.create_image(&create_info(gpu, shape), None) };
        let raw = raw.map_err(|result| gpu.error("vkCreateImage", result))?;
        let made = Self {
            gpu: Arc::clone(gpu),
            raw,
            shape: *shape,
            laid_out: AtomicBool::new(false),
            views: Mutex::default(),
        };
        // SAFETY: the place is as long and as aligned as such an image needs, which is what the API asked for before.
        let bound =
            unsafe { gpu.raw.bind_image_memory(raw, memory.block.memory, memory.block.offset + offset) };
        bound.map_err(|result| gpu.error("vkBindImageMemory", result))?;
        if own {
            utility.run(|commands| {
                made.lay_out(commands);
                commands.barrier(fencepost_core::Stages::BLIT, fencepost_core::Stages::BLIT);
                commands.clear_image(made.raw, made.range());
            })?;
        }
        Ok(made)
    }

    /// As this backend's own.
    pub(super) fn of(body: &TextureBody) -> &Self {
        match body.image.as_deref().and_then(|image| (image as &dyn Any).downcast_ref()) {
            Some(image) => image,
            None => unreachable!(
                "textures of this device are made with an image, and the API refuses those of others"
            ),
        }
    }

    /// Whether a texture is an image here; a replay's are words alone.
    pub(super) fn is_there(body: &TextureBody) -> bool {
        body.image.is_some()
    }

    /// In front of its first use: gives it its layout.
    pub(super) fn lay_out(&self, commands: Commands<'_>) {
        if !self.laid_out.swap(true, Ordering::Relaxed) {
            commands.lay_out(self.raw, self.range());
        }
    }

    fn range(&self) -> vk::ImageSubresourceRange {
        vk::ImageSubresourceRange::default()
            .aspect_mask(vk::ImageAspectFlags::COLOR)
            .level_count(self.shape.mips)
            .layer_count(self.shape.slices)
    }

    /// A view for a kernel; made once.
    pub(super) fn view(&self, view: &TextureView, storage: bool) -> Result<vk::ImageView, Error> {
        let key = ViewKey {
            format: view.format,
            first_mip: view.first_mip,
            mips: if storage { 1 } else { view.mips },
            first_slice: view.first_slice,
            slices: view.slices,
            array: view.array,
            storage,
        };
        let mut views = self.views.lock();
        if let Some((_, made)) = views.iter().find(|(known, _)| *known == key) {
            return Ok(*made);
        }
        let usage = if storage { vk::ImageUsageFlags::STORAGE } else { vk::ImageUsageFlags::SAMPLED };
        if !usages(&self.gpu, view.format).contains(usage) {
            let what = format!("a kernel's use of {:?} textures", view.format);
            return Err(self.gpu.lacks(what, "Use a format that every device has, for example Rgba8Unorm"));
        }
        let mut used_as = vk::ImageViewUsageCreateInfo::default().usage(usage);
        let kind = if key.array { vk::ImageViewType::TYPE_2D_ARRAY } else { vk::ImageViewType::TYPE_2D };
        let range = vk::ImageSubresourceRange::default()
            .aspect_mask(vk::ImageAspectFlags::COLOR)
            .base_mip_level(key.first_mip)
            .level_count(key.mips)
            .base_array_layer(key.first_slice)
            .layer_count(key.slices);
        let create = vk::ImageViewCreateInfo::default()
            .image(self.raw)
            .view_type(kind)
            .format(format(key.format))
            .subresource_range(range)
            .push_next(&mut used_as);
        // SAFETY: the parts are the image's, and the format is of the same class as its own.
        let made = unsafe { self.gpu.raw.create_image_view(&create, None) };
        let made = made.map_err(|result| self.gpu.error("vkCreateImageView", result))?;
        views.push((key, made));
        Ok(made)
    }

    /// One level of one slice of it.
    pub(super) fn level(mip: u32, slice: u32) -> vk::ImageSubresourceLayers {
        vk::ImageSubresourceLayers::default()
            .aspect_mask(vk::ImageAspectFlags::COLOR)
            .mip_level(mip)
            .base_array_layer(slice)
            .layer_count(1)
    }
}

impl Drop for VulkanImage {
    fn drop(&mut self) {
        for (_, view) in self.views.get_mut().drain(..) {
            // SAFETY: parts in flight hold what their commands use, so nothing uses it any more.
            unsafe { self.gpu.raw.destroy_image_view(view, None) };
        }
        // SAFETY: as above.
        unsafe { self.gpu.raw.destroy_image(self.raw, None) };
    }
}

impl fmt::Debug for VulkanImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VulkanImage").field("shape", &self.shape).finish_non_exhaustive()
    }
}

/// An image of this shape, for everything that its format can do.
pub(super) fn create_info(gpu: &Gpu, shape: &TextureShape) -> vk::ImageCreateInfo<'static> {
    let extent = vk::Extent3D { width: shape.width, height: shape.height, depth: 1 };
    vk::ImageCreateInfo::default()
        // Placed textures may lie where others lie, and views may have other formats.
        .flags(
            vk::ImageCreateFlags::MUTABLE_FORMAT
                | vk::ImageCreateFlags::ALIAS
                | vk::ImageCreateFlags::EXTENDED_USAGE,
        )
        .image_type(vk::ImageType::TYPE_2D)
        .format(format(shape.format))
        .extent(extent)
        .mip_levels(shape.mips)
        .array_layers(shape.slices)
        .samples(vk::SampleCountFlags::TYPE_1)
        .tiling(vk::ImageTiling::OPTIMAL)
        .usage(
            usages(gpu, shape.format) | vk::ImageUsageFlags::TRANSFER_SRC | vk::ImageUsageFlags::TRANSFER_DST,
        )
        .initial_layout(vk::ImageLayout::UNDEFINED)
}

/// What kernels can do with a format.
fn usages(gpu: &Gpu, pixel_format: PixelFormat) -> vk::ImageUsageFlags {
    let features = gpu.format_features(format(pixel_format));
    let mut usages = vk::ImageUsageFlags::empty();
    if features.contains(vk::FormatFeatureFlags::SAMPLED_IMAGE) {
        usages |= vk::ImageUsageFlags::SAMPLED;
    }
    if features.contains(vk::FormatFeatureFlags::STORAGE_IMAGE) {
        usages |= vk::ImageUsageFlags::STORAGE;
    }
    usages
}

/// The format as the driver names it.
pub(super) fn format(format: PixelFormat) -> vk::Format {
    match format {
        PixelFormat::R8Unorm => vk::Format::R8_UNORM,
        PixelFormat::Rg8Unorm => vk::Format::R8G8_UNORM,
        PixelFormat::Rgba8Unorm => vk::Format::R8G8B8A8_UNORM,
        PixelFormat::R16Float => vk::Format::R16_SFLOAT,
        PixelFormat::Rgba16Float => vk::Format::R16G16B16A16_SFLOAT,
        PixelFormat::R32Float => vk::Format::R32_SFLOAT,
        PixelFormat::Rgba32Float => vk::Format::R32G32B32A32_SFLOAT,
        PixelFormat::R32Uint => vk::Format::R32_UINT,
        PixelFormat::Rgba32Uint => vk::Format::R32G32B32A32_UINT,
    }
}

/// A sampler as the driver names it.
pub(super) fn sampler_info(sampler: &SamplerDescriptor) -> vk::SamplerCreateInfo<'static> {
    let filter = |filter| match filter {
        Filter::Nearest => vk::Filter::NEAREST,
        Filter::Linear => vk::Filter::LINEAR,
    };
    let address = |mode| match mode {
        AddressMode::ClampToEdge => vk::SamplerAddressMode::CLAMP_TO_EDGE,
        AddressMode::Repeat => vk::SamplerAddressMode::REPEAT,
        AddressMode::MirrorRepeat => vk::SamplerAddressMode::MIRRORED_REPEAT,
        AddressMode::ClampToZero => vk::SamplerAddressMode::CLAMP_TO_BORDER,
    };
    let compare = |function| match function {
        CompareFunction::Never => vk::CompareOp::NEVER,
        CompareFunction::Less => vk::CompareOp::LESS,
        CompareFunction::Equal => vk::CompareOp::EQUAL,
        CompareFunction::LessEqual => vk::CompareOp::LESS_OR_EQUAL,
        CompareFunction::Greater => vk::CompareOp::GREATER,
        CompareFunction::NotEqual => vk::CompareOp::NOT_EQUAL,
        CompareFunction::GreaterEqual => vk::CompareOp::GREATER_OR_EQUAL,
        CompareFunction::Always => vk::CompareOp::ALWAYS,
    };
    let (mode, most) = match sampler.mip_filter {
        // The first level alone, and still told apart whether the texture shrinks or grows.
        MipFilter::NotMipmapped => (vk::SamplerMipmapMode::NEAREST, 0.25),
        MipFilter::Nearest => (vk::SamplerMipmapMode::NEAREST, LEVELS_MAX),
        MipFilter::Linear => (vk::SamplerMipmapMode::LINEAR, LEVELS_MAX),
    };
    let info = vk::SamplerCreateInfo::default()
        .min_filter(filter(sampler.min_filter))
        .mag_filter(filter(sampler.mag_filter))
        .mipmap_mode(mode)
        .address_mode_u(address(sampler.s_address_mode))
        .address_mode_v(address(sampler.t_address_mode))
        .min_lod(sampler.lod_min_clamp.min(most))
        .max_lod(sampler.lod_max_clamp.min(most))
        .border_color(vk::BorderColor::FLOAT_TRANSPARENT_BLACK);
    match sampler.compare_function {
        Some(function) => info.compare_enable(true).compare_op(compare(function)),
        None => info,
    }
}

/// Copies between rows of bytes in a buffer and a region, slice by slice. `offset` is that of the first row.
pub(super) fn buffer_copies(
    region: &TextureRegion,
    offset: u64,
    layout: LinearLayout,
) -> Vec<vk::BufferImageCopy> {
    let texel = u64::from(region.body.shape.format.bytes_per_texel());
    let [width, height] = region.size;
    // Of one row the pitch does not matter, and may be less than the row.
    let row_length = if height > 1 { (layout.bytes_per_row / texel) as u32 } else { 0 };
    let copy = |(number, slice): (u64, u32)| {
        let [x, y] = region.origin.map(|side| side as i32);
        vk::BufferImageCopy::default()
            .buffer_offset(offset + number * layout.bytes_per_image)
            .buffer_row_length(row_length)
            .image_subresource(VulkanImage::level(region.mip, slice))
            .image_offset(vk::Offset3D { x, y, z: 0 })
            .image_extent(vk::Extent3D { width, height, depth: 1 })
    };
    (0..).zip(region.slices.clone()).map(copy).collect()
}

/// Copies between the rows of a texture as the CPU device lays them out, from `start` in a buffer on, and the image: for some bytes.
pub(super) fn linear_copies(shape: &TextureShape, start: u64, bytes: Range<u64>) -> Vec<vk::BufferImageCopy> {
    let layout = TextureLayout::new(shape);
    let texel = u64::from(shape.format.bytes_per_texel());
    let mut copies = Vec::new();
    for (mip, slice) in (0..shape.mips).flat_map(|mip| (0..shape.slices).map(move |slice| (mip, slice))) {
        let image = layout.image(mip, slice);
        let end = image.offset + image.row_bytes * u64::from(image.height);
        let mut at = bytes.start.max(image.offset);
        let end = bytes.end.min(end);
        while at < end {
            let (row, column) =
                ((at - image.offset) / image.row_bytes, (at - image.offset) % image.row_bytes);
            // Whole rows at once, else what is left of one.
            let whole = if column == 0 { (end - at) / image.row_bytes } else { 0 };
            let length = if whole > 0 { image.row_bytes } else { (image.row_bytes - column).min(end - at) };
            let extent =
                vk::Extent3D { width: length.div_ceil(texel) as u32, height: whole.max(1) as u32, depth: 1 };
            copies.push(
                vk::BufferImageCopy::default()
                    .buffer_offset(start + at)
                    .image_subresource(VulkanImage::level(mip, slice))
                    .image_offset(vk::Offset3D { x: (column / texel) as i32, y: row as i32, z: 0 })
                    .image_extent(extent),
            );
            at += length * whole.max(1);
        }
    }
    copies
}

/// More levels than any texture has.
const LEVELS_MAX: f32 = 32.0;
