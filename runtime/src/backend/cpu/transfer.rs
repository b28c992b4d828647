//! What moves bytes without a kernel, cut into units that any thread may run.
//!
//! A unit is a block of bytes or a row of texels, rows numbered through all slices. Levels of a mip chain are phases: each needs the
//! whole of the one above. What may overlap itself is one unit, since only a copy in one go comes out as if by way of a third place.
use std::ops::Range;
use std::sync::Arc;

use super::job::memory;
use super::memory::bytes::Stores;
use super::texel::{TexelView, TextureLayout, region};
use crate::api::ResourceCore;
use crate::backend::Allocation;
use crate::record::{
    BufferBody, BufferSlice, LinearLayout, TextureBody, TextureRegion, TextureView, Transfer,
};

/// Nanoseconds that a unit takes, roughly: a block of bytes, or a row of texels.
pub(super) const UNIT_NS: u64 = 2_000;

/// Bytes of a unit of a plain copy or fill: far beyond what handing a unit over costs.
const BLOCK: u64 = 64 * 1024;

/// Units of a phase; `None` where there is no such phase.
pub(super) fn units(transfer: &Transfer, phase: u32) -> Option<u64> {
    match transfer {
        Transfer::GenerateMipmaps { texture } => (phase + 1 < texture.mips)
            .then(|| u64::from(rows_of_level(texture, phase + 1)) * u64::from(texture.slices)),
        _ if phase > 0 => None,
        Transfer::CopyBuffer { source, destination } if overlap(source, destination) => Some(1),
        Transfer::CopyBuffer { source, .. } => Some(source.length.div_ceil(BLOCK)),
        Transfer::FillBuffer { destination, .. } => Some(destination.length.div_ceil(BLOCK)),
        Transfer::CopyParts { .. } => Some(1),
        Transfer::SynchronizeBuffer { parts, .. } => Some(match parts.as_slice() {
            [part] => (part.end - part.start).div_ceil(BLOCK),
            parts => parts.len() as u64,
        }),
        Transfer::SynchronizeTexture { mips, slices, .. } => {
            Some(u64::from(mips.end - mips.start) * u64::from(slices.end - slices.start))
        }
        Transfer::FillParts { destination, .. } => Some(destination.len() as u64),
        Transfer::CopyBufferToTexture { destination: region, .. }
        | Transfer::CopyTextureToBuffer { source: region, .. } => Some(rows(region)),
        Transfer::CopyTexture { source, destination } if may_overlap(source, destination) => Some(1),
        Transfer::CopyTexture { destination, .. } => Some(rows(destination)),
    }
}

/// Runs units of a phase.
pub(super) fn run(transfer: &Transfer, phase: u32, units: Range<u64>) {
    match transfer {
        Transfer::GenerateMipmaps { texture } => {
            let level = phase + 1;
            let view = TexelView::new(texture, memory(&*texture.body.allocation));
            each_slice(rows_of_level(texture, level), units, |slice, rows| {
                view.generate_mip_rows(level, slice, rows);
            });
        }
        Transfer::CopyBuffer { source, destination } => {
            let whole = overlap(source, destination);
            let bytes = if whole { 0..source.length } else { blocks(&units, source.length) };
            let (from, to) = (start(source) + bytes.start, start(destination) + bytes.start);
            let (stores, length) = (Stores::of_total(source.length), bytes.end - bytes.start);
            let source = memory(&*source.body.allocation);
            memory(&*destination.body.allocation).copy_from(to, source, from, length, stores);
        }
        Transfer::FillBuffer { destination, value } => {
            let bytes = blocks(&units, destination.length);
            let first = start(destination) + bytes.start;
            let (stores, length) = (Stores::of_total(destination.length), bytes.end - bytes.start);
            memory(&*destination.body.allocation).fill(first, length, *value, stores);
        }
        Transfer::CopyParts { source, destination } => copy_parts(source, destination),
        Transfer::SynchronizeBuffer { buffer, parts } => synchronize_buffer(buffer, parts, &units),
        Transfer::SynchronizeTexture { texture, mips, slices } => {
            synchronize_texture(texture, mips, slices, units);
        }
        Transfer::FillParts { destination, value } => {
            fill_parts(&destination[units.start as usize..units.end as usize], *value);
        }
        Transfer::CopyBufferToTexture { source, layout, destination } => {
            let stores = region::stores(destination);
            each_slice(destination.size[1], units, |slice, rows| {
                let from = start(source) + linear(*layout, slice, rows.start);
                let to = part(destination, slice, rows);
                let (texture, buffer) = (memory(&*to.body.allocation), memory(&*source.body.allocation));
                region::copy_from_buffer(&to, texture, buffer, from, *layout, stores);
            });
        }
        Transfer::CopyTextureToBuffer { source, destination, layout } => {
            let stores = region::stores(source);
            each_slice(source.size[1], units, |slice, rows| {
                let to = start(destination) + linear(*layout, slice, rows.start);
                let from = part(source, slice, rows);
                let (texture, buffer) =
                    (memory(&*from.body.allocation), memory(&*destination.body.allocation));
                region::copy_to_buffer(&from, texture, buffer, to, *layout, stores);
            });
        }
        Transfer::CopyTexture { source, destination } => {
            let (from, to) = (memory(&*source.body.allocation), memory(&*destination.body.allocation));
            let stores = region::stores(source);
            if may_overlap(source, destination) {
                return region::copy_to_texture(source, from, destination, to, stores);
            }
            each_slice(destination.size[1], units, |slice, rows| {
                let (source, destination) =
                    (part(source, slice, rows.clone()), part(destination, slice, rows));
                region::copy_to_texture(&source, from, &destination, to, stores);
            });
        }
    }
}

/// Brings parts of a buffer to the CPU's copy: blocks of the only one, or some of several.
fn synchronize_buffer(buffer: &BufferBody, parts: &[Range<u64>], units: &Range<u64>) {
    let bring = |bytes, of: &Range<u64>| {
        let stores = Stores::of_total(of.end - of.start);
        synchronize(&buffer.core, &*buffer.allocation, buffer.offset, bytes, stores);
    };
    if let [part] = parts {
        let bytes = blocks(units, part.end - part.start);
        return bring(part.start + bytes.start..part.start + bytes.end, part);
    }
    parts[units.start as usize..units.end as usize].iter().for_each(|part| bring(part.clone(), part));
}

/// Brings images of a texture to the CPU's copy, numbered through all levels of one slice after the other.
fn synchronize_texture(texture: &TextureBody, mips: &Range<u32>, slices: &Range<u32>, units: Range<u64>) {
    let layout = TextureLayout::new(&texture.shape);
    each_slice(mips.end - mips.start, units, |slice, levels| {
        for level in levels {
            let image = layout.image(mips.start + level, slices.start + slice);
            let end = image.offset + image.row_bytes * u64::from(image.height);
            let stores = Stores::of_total(end - image.offset);
            synchronize(&texture.core, &*texture.allocation, texture.offset, image.offset..end, stores);
        }
    });
}

/// Brings bytes of a resource to the CPU's copy.
fn synchronize(core: &ResourceCore, from: &dyn Allocation, offset: u64, bytes: Range<u64>, stores: Stores) {
    if let Some(copy) = &core.managed {
        let (to, length) = (copy.offset + bytes.start, bytes.end - bytes.start);
        memory(&*copy.allocation).copy_from(to, memory(from), offset + bytes.start, length, stores);
    }
}

fn fill_parts(slices: &[BufferSlice], value: u8) {
    for slice in slices {
        memory(&*slice.body.allocation).fill(
            start(slice),
            slice.length,
            value,
            Stores::of_total(slice.length),
        );
    }
}

/// All of it is read before anything is written.
fn copy_parts(source: &[BufferSlice], destination: &[BufferSlice]) {
    let mut bytes = Vec::new();
    for slice in source {
        let from = bytes.len();
        bytes.resize(from + slice.length as usize, 0);
        memory(&*slice.body.allocation).read(start(slice), &mut bytes[from..]);
    }
    let mut rest = bytes.as_slice();
    for slice in destination {
        let (part, behind) = rest.split_at(rest.len().min(slice.length as usize));
        memory(&*slice.body.allocation).write(start(slice), part);
        rest = behind;
    }
}

/// Some rows of one slice of a region, the slice counted from the region's first one.
fn part(region: &TextureRegion, slice: u32, rows: Range<u32>) -> TextureRegion {
    let slice = region.slices.start + slice;
    TextureRegion {
        body: Arc::clone(&region.body),
        mip: region.mip,
        slices: slice..slice + 1,
        origin: [region.origin[0], region.origin[1] + rows.start],
        size: [region.size[0], rows.end - rows.start],
    }
}

/// Where a row of an image is, in bytes from the first one.
fn linear(layout: LinearLayout, image: u32, row: u32) -> u64 {
    u64::from(image) * layout.bytes_per_image + u64::from(row) * layout.bytes_per_row
}

fn start(slice: &BufferSlice) -> u64 {
    slice.body.offset + slice.offset
}

fn rows(region: &TextureRegion) -> u64 {
    let slices = u64::from(region.slices.end - region.slices.start);
    if region.size[0] == 0 { 0 } else { slices * u64::from(region.size[1]) }
}

fn rows_of_level(texture: &TextureView, level: u32) -> u32 {
    texture.body.shape.height.checked_shr(texture.first_mip + level).unwrap_or(0).max(1)
}

/// Bytes of some blocks.
fn blocks(units: &Range<u64>, length: u64) -> Range<u64> {
    units.start * BLOCK..units.end.saturating_mul(BLOCK).min(length)
}

/// Rows of slices of one height, numbered through: calls `run` for the rows of each slice.
fn each_slice(height: u32, units: Range<u64>, run: impl Fn(u32, Range<u32>)) {
    let height = u64::from(height).max(1);
    let mut first = units.start;
    while first < units.end {
        let slice = first / height;
        let last = units.end.min((slice + 1) * height);
        run(slice as u32, (first - slice * height) as u32..(last - slice * height) as u32);
        first = last;
    }
}

fn overlap(a: &BufferSlice, b: &BufferSlice) -> bool {
    std::ptr::eq(memory(&*a.body.allocation), memory(&*b.body.allocation))
        && start(a) < start(b) + b.length
        && start(b) < start(a) + a.length
}

/// Whether the textures of two regions share bytes, and their regions may.
fn may_overlap(a: &TextureRegion, b: &TextureRegion) -> bool {
    if Arc::ptr_eq(&a.body, &b.body) {
        let slices = a.slices.start < b.slices.end && b.slices.start < a.slices.end;
        return slices && a.mip == b.mip;
    }
    let end = |region: &TextureRegion| {
        region.body.offset + super::texel::TextureLayout::new(&region.body.shape).bytes()
    };
    std::ptr::eq(memory(&*a.body.allocation), memory(&*b.body.allocation))
        && a.body.offset < end(b)
        && b.body.offset < end(a)
}
