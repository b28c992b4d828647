//! What moves bytes without a program's kernel.
//!
//! Copies come out as if by way of a third place, which is what they are sent by where source and destination overlap. Fills of bytes that
//! are no whole words take the rest from a table, since the driver fills words.
use std::ops::Range;
use std::sync::Arc;

use ash::vk;
use fencepost_core::Stages;

use super::encode::{Encoder, Resource};
use super::gpu::Gpu;
use super::image::{VulkanImage, buffer_copies, linear_copies};
use super::memory::VulkanMemory;
use crate::Error;
use crate::backend::Allocation;
use crate::record::{BufferSlice, LinearLayout, TextureBody, TextureRegion, TextureView, Transfer};

/// That a transfer can be recorded.
pub(super) fn check(gpu: &Gpu, transfer: &Transfer) -> Result<(), Error> {
    let textures: &[&Arc<TextureBody>] = match transfer {
        Transfer::GenerateMipmaps { texture } => &[&texture.body],
        Transfer::CopyTexture { source, destination } => &[&source.body, &destination.body],
        Transfer::CopyBufferToTexture { destination: region, .. }
        | Transfer::CopyTextureToBuffer { source: region, .. } => &[&region.body],
        _ => &[],
    };
    if textures.iter().any(|body| !VulkanImage::is_there(body)) {
        return Err(gpu.lacks("the mip levels of a replayed program's texture", "Use the CPU device"));
    }
    if let Transfer::GenerateMipmaps { texture } = transfer
        && texture.mips > 1
    {
        for level in 1..texture.mips {
            VulkanImage::of(&texture.body).view(&level_of(texture, level - 1), false)?;
            VulkanImage::of(&texture.body).view(&level_of(texture, level), true)?;
        }
    }
    Ok(())
}

/// Records a transfer.
pub(super) fn encode(encoder: &mut Encoder<'_>, transfer: &Transfer) -> Result<(), Error> {
    match transfer {
        Transfer::CopyBuffer { source, destination } => {
            copy_parts(encoder, std::slice::from_ref(source), std::slice::from_ref(destination))
        }
        Transfer::CopyParts { source, destination } => copy_parts(encoder, source, destination),
        Transfer::FillBuffer { destination, value } => fill(encoder, destination, *value),
        Transfer::FillParts { destination, value } => {
            destination.iter().try_for_each(|slice| fill(encoder, slice, *value))
        }
        Transfer::SynchronizeBuffer { buffer, parts } => {
            if let Some(copy) = &buffer.core.managed {
                let region = |part: &Range<u64>| vk::BufferCopy {
                    src_offset: buffer.offset + part.start,
                    dst_offset: copy.offset + part.start,
                    size: part.end - part.start,
                };
                let regions: Vec<_> = parts.iter().filter(|part| !part.is_empty()).map(region).collect();
                encoder.commands.copy_buffer(
                    handle(&*buffer.allocation),
                    handle(&*copy.allocation),
                    &regions,
                );
            }
            Ok(())
        }
        Transfer::SynchronizeTexture { texture, mips, slices } => {
            synchronize(encoder, texture, mips, slices);
            Ok(())
        }
        Transfer::CopyBufferToTexture { source, layout, destination } => {
            let image = image(encoder, &destination.body);
            let copies = buffer_copies(destination, start(source), *layout);
            encoder.commands.copy_to_image(handle(&*source.body.allocation), image, &copies);
            Ok(())
        }
        Transfer::CopyTextureToBuffer { source, destination, layout } => {
            let image = image(encoder, &source.body);
            let copies = buffer_copies(source, start(destination), *layout);
            encoder.commands.copy_from_image(image, handle(&*destination.body.allocation), &copies);
            Ok(())
        }
        Transfer::CopyTexture { source, destination } => copy_texture(encoder, source, destination),
        Transfer::GenerateMipmaps { texture } => mipmaps(encoder, texture),
    }
}

/// Runs of bytes that both sides have in one piece: source, destination, length.
fn pieces(source: &[BufferSlice], destination: &[BufferSlice]) -> Vec<(Run, Run)> {
    let mut found = Vec::new();
    let (mut from, mut to) = (source.iter().map(Run::of), destination.iter().map(Run::of));
    let (mut left, mut right) = (from.next(), to.next());
    while let (Some(one), Some(other)) = (&mut left, &mut right) {
        let length = one.length.min(other.length);
        if length > 0 {
            found.push((Run { length, ..*one }, Run { length, ..*other }));
        }
        one.take(length);
        other.take(length);
        if one.length == 0 {
            left = from.next();
        }
        if other.length == 0 {
            right = to.next();
        }
    }
    found
}

/// Bytes of a buffer.
#[derive(Clone, Copy, Debug)]
struct Run {
    buffer: vk::Buffer,
    start: u64,
    length: u64,
}

impl Run {
    fn of(slice: &BufferSlice) -> Self {
        Self { buffer: handle(&*slice.body.allocation), start: start(slice), length: slice.length }
    }

    fn take(&mut self, length: u64) {
        self.start += length;
        self.length -= length;
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.buffer == other.buffer
            && self.start < other.start + other.length
            && other.start < self.start + self.length
    }
}

fn copy_parts(
    encoder: &mut Encoder<'_>,
    source: &[BufferSlice],
    destination: &[BufferSlice],
) -> Result<(), Error> {
    let pieces = pieces(source, destination);
    let copy = |from: u64, to: u64, size: u64| vk::BufferCopy { src_offset: from, dst_offset: to, size };
    let overlap = pieces.iter().any(|(from, _)| pieces.iter().any(|(_, to)| from.overlaps(to)));
    if !overlap {
        for (from, to) in pieces {
            let region = copy(from.start, to.start, from.length);
            encoder.commands.copy_buffer(from.buffer, to.buffer, &[region]);
        }
        return Ok(());
    }
    let scratch = encoder.context.scratch(pieces.iter().map(|(from, _)| from.length).sum())?;
    let places = pieces.iter().scan(0, |sum, (from, _)| {
        *sum += from.length;
        Some(*sum - from.length)
    });
    let places: Vec<u64> = places.collect();
    for ((from, _), place) in pieces.iter().zip(&places) {
        encoder.commands.copy_buffer(from.buffer, scratch, &[copy(from.start, *place, from.length)]);
    }
    encoder.commands.barrier(Stages::BLIT, Stages::BLIT);
    for ((_, to), place) in pieces.iter().zip(&places) {
        encoder.commands.copy_buffer(scratch, to.buffer, &[copy(*place, to.start, to.length)]);
    }
    Ok(())
}

fn fill(encoder: &mut Encoder<'_>, slice: &BufferSlice, value: u8) -> Result<(), Error> {
    let Run { buffer, start, length } = Run::of(slice);
    let end = start + length;
    let (first, last) = (start.next_multiple_of(4).min(end), (end - end % 4).max(start));
    let edges = if first < last { [start..first, last..end] } else { [start..end, end..end] };
    for edge in edges.into_iter().filter(|edge| !edge.is_empty()) {
        // Fewer than four bytes, or up to six around the border of two words.
        let mut at = edge.start;
        while at < edge.end {
            let size = (edge.end - at).min(4);
            let region = vk::BufferCopy { src_offset: 4 * u64::from(value), dst_offset: at, size };
            encoder.commands.copy_buffer(encoder.tools.pattern()?.buffer, buffer, &[region]);
            at += size;
        }
    }
    if first < last {
        encoder.commands.fill_buffer(buffer, first, last - first, u32::from_ne_bytes([value; 4]));
    }
    Ok(())
}

/// The bytes of the GPU's copy of some levels and slices come to the CPU's.
fn synchronize(
    encoder: &mut Encoder<'_>,
    texture: &Arc<TextureBody>,
    mips: &Range<u32>,
    slices: &Range<u32>,
) {
    let Some(copy) = &texture.core.managed else { return };
    let image = image(encoder, texture);
    let layout = crate::backend::cpu::texel::TextureLayout::new(&texture.shape);
    for (mip, slice) in mips.clone().flat_map(|mip| slices.clone().map(move |slice| (mip, slice))) {
        let level = layout.image(mip, slice);
        let bytes = level.offset..level.offset + level.row_bytes * u64::from(level.height);
        let copies = linear_copies(&texture.shape, copy.offset, bytes);
        encoder.commands.copy_from_image(image, handle(&*copy.allocation), &copies);
    }
}

fn copy_texture(
    encoder: &mut Encoder<'_>,
    source: &TextureRegion,
    destination: &TextureRegion,
) -> Result<(), Error> {
    let (from, to) = (image(encoder, &source.body), image(encoder, &destination.body));
    let [width, height] = source.size;
    if may_overlap(source, destination) {
        let bytes_per_row = u64::from(width) * u64::from(source.body.shape.format.bytes_per_texel());
        let layout = LinearLayout { bytes_per_row, bytes_per_image: bytes_per_row * u64::from(height) };
        let slices = u64::from(source.slices.end - source.slices.start);
        let scratch = encoder.context.scratch((layout.bytes_per_image * slices).max(4))?;
        encoder.commands.copy_from_image(from, scratch, &buffer_copies(source, 0, layout));
        encoder.commands.barrier(Stages::BLIT, Stages::BLIT);
        encoder.commands.copy_to_image(scratch, to, &buffer_copies(destination, 0, layout));
        return Ok(());
    }
    let offset = |[x, y]: [u32; 2]| vk::Offset3D { x: x as i32, y: y as i32, z: 0 };
    for (one, other) in source.slices.clone().zip(destination.slices.clone()) {
        let region = vk::ImageCopy::default()
            .src_subresource(VulkanImage::level(source.mip, one))
            .src_offset(offset(source.origin))
            .dst_subresource(VulkanImage::level(destination.mip, other))
            .dst_offset(offset(destination.origin))
            .extent(vk::Extent3D { width, height, depth: 1 });
        encoder.commands.copy_image(from, to, region);
    }
    Ok(())
}

/// Each level from the one above it, all slices at once.
fn mipmaps(encoder: &mut Encoder<'_>, texture: &TextureView) -> Result<(), Error> {
    if texture.mips < 2 {
        return Ok(());
    }
    image(encoder, &texture.body);
    let own = VulkanImage::of(&texture.body);
    let pipeline = encoder.tools.mipmap(texture.format)?;
    for level in 1..texture.mips {
        if level > 1 {
            encoder.commands.barrier(Stages::DISPATCH, Stages::DISPATCH);
        }
        let above = Resource::Image(own.view(&level_of(texture, level - 1), false)?);
        let here = Resource::Image(own.view(&level_of(texture, level), true)?);
        let [width, height] = texture.level_size(level);
        let groups = [width.div_ceil(8), height.div_ceil(8), texture.slices];
        encoder.dispatch(&pipeline, &[above, here], groups)?;
    }
    Ok(())
}

/// One level of a view, as an array of its slices.
fn level_of(texture: &TextureView, level: u32) -> TextureView {
    TextureView { first_mip: texture.first_mip + level, mips: 1, array: true, ..texture.clone() }
}

/// The image of a texture, with its layout.
fn image(encoder: &Encoder<'_>, body: &TextureBody) -> vk::Image {
    let image = VulkanImage::of(body);
    image.lay_out(encoder.commands);
    image.raw
}

fn handle(allocation: &dyn Allocation) -> vk::Buffer {
    VulkanMemory::of(allocation).buffer()
}

fn start(slice: &BufferSlice) -> u64 {
    slice.body.offset + slice.offset
}

/// Whether the textures of two regions share bytes, and their regions may.
fn may_overlap(a: &TextureRegion, b: &TextureRegion) -> bool {
    if Arc::ptr_eq(&a.body, &b.body) {
        return a.mip == b.mip && a.slices.start < b.slices.end && b.slices.start < a.slices.end;
    }
    let (one, other) = (VulkanMemory::of(&*a.body.allocation), VulkanMemory::of(&*b.body.allocation));
    let bytes = |region: &TextureRegion| {
        let size = one.gpu().image_requirements(&region.body.shape).size;
        region.body.offset..region.body.offset + size
    };
    let (left, right) = (bytes(a), bytes(b));
    one.buffer() == other.buffer() && left.start < right.end && right.start < left.end
}
