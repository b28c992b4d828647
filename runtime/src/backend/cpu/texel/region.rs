//! Rectangles of texels from and to rows of bytes, and from texture to texture.
//!
//! Both sides have the same texel size, and bytes are copied as they are. A region's level and slices count from its texture's first ones.
use super::TextureLayout;
use crate::backend::cpu::memory::bytes::Stores;
use crate::backend::cpu::memory::{Memory, Rows};
use crate::record::{LinearLayout, TextureRegion};

/// Where a region of one slice is in its memory, in bytes.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    row_bytes: u64,
    /// Bytes of a row of the region.
    used_bytes: u64,
}

/// Copies a region into rows of bytes. Both were checked by whoever recorded it.
pub(crate) fn read(region: &TextureRegion, texture: &Memory, linear: LinearLayout, out: &mut [u8]) {
    let stores = stores(region);
    for (image, slice) in region.slices.clone().enumerate() {
        let place = Place::new(region, slice);
        let (length, count) = place.runs(region, linear);
        for run in 0..count {
            let at = (image as u64 * linear.bytes_per_image + run * linear.bytes_per_row) as usize;
            let out = &mut out[at..at + length as usize];
            texture.read_part(place.offset + run * place.row_bytes, out, stores);
        }
    }
}

/// Copies rows of bytes into a region. Both were checked by whoever recorded it.
pub(crate) fn write(region: &TextureRegion, texture: &Memory, linear: LinearLayout, bytes: &[u8]) {
    let stores = stores(region);
    for (image, slice) in region.slices.clone().enumerate() {
        let place = Place::new(region, slice);
        let (length, count) = place.runs(region, linear);
        for run in 0..count {
            let at = (image as u64 * linear.bytes_per_image + run * linear.bytes_per_row) as usize;
            let bytes = &bytes[at..at + length as usize];
            texture.write_part(place.offset + run * place.row_bytes, bytes, stores);
        }
    }
}

/// How the bytes of a region are stored elsewhere, as far as its size tells.
pub(crate) fn stores(region: &TextureRegion) -> Stores {
    let [width, height] = region.size.map(u64::from);
    let slices = u64::from(region.slices.end - region.slices.start);
    let texel = u64::from(region.body.shape.format.bytes_per_texel());
    Stores::of_total(width.saturating_mul(height).saturating_mul(slices).saturating_mul(texel))
}

/// The bytes of a region's rows, from the texture's first one.
pub(crate) fn rows(region: &TextureRegion) -> Vec<std::ops::Range<u64>> {
    let mut rows = Vec::new();
    for slice in region.slices.clone() {
        let place = Place::new(region, slice);
        let first = place.offset - region.body.offset;
        let start = |row: u64| first + row * place.row_bytes;
        rows.extend((0..u64::from(region.size[1])).map(|row| start(row)..start(row) + place.used_bytes));
    }
    rows
}

/// Copies a region into a buffer's memory, `offset` bytes from its start.
pub(crate) fn copy_to_buffer(
    region: &TextureRegion,
    texture: &Memory,
    buffer: &Memory,
    offset: u64,
    linear: LinearLayout,
    stores: Stores,
) {
    for (image, slice) in region.slices.clone().enumerate() {
        let place = Place::new(region, slice);
        let to = offset + image as u64 * linear.bytes_per_image;
        let rows = place.rows(region, place.row_bytes, linear.bytes_per_row);
        buffer.copy_rows_from(to, texture, place.offset, rows, stores);
    }
}

/// Copies a buffer's memory into a region, from `offset` bytes after its start.
pub(crate) fn copy_from_buffer(
    region: &TextureRegion,
    texture: &Memory,
    buffer: &Memory,
    offset: u64,
    linear: LinearLayout,
    stores: Stores,
) {
    for (image, slice) in region.slices.clone().enumerate() {
        let place = Place::new(region, slice);
        let from = offset + image as u64 * linear.bytes_per_image;
        let rows = place.rows(region, linear.bytes_per_row, place.row_bytes);
        texture.copy_rows_from(place.offset, buffer, from, rows, stores);
    }
}

/// Copies a region to another of the same size.
pub(crate) fn copy_to_texture(
    source: &TextureRegion,
    source_memory: &Memory,
    destination: &TextureRegion,
    destination_memory: &Memory,
    stores: Stores,
) {
    for (from, to) in source.slices.clone().zip(destination.slices.clone()) {
        let (from, to) = (Place::new(source, from), Place::new(destination, to));
        let rows = from.rows(source, from.row_bytes, to.row_bytes);
        destination_memory.copy_rows_from(to.offset, source_memory, from.offset, rows, stores);
    }
}

impl Place {
    fn new(region: &TextureRegion, slice: u32) -> Self {
        let shape = &region.body.shape;
        let image = TextureLayout::new(shape).image(region.mip, slice);
        let texel_bytes = u64::from(shape.format.bytes_per_texel());
        let [x, y] = region.origin.map(u64::from);
        Self {
            offset: region.body.offset + image.offset + y * image.row_bytes + x * texel_bytes,
            row_bytes: image.row_bytes,
            used_bytes: u64::from(region.size[0]) * texel_bytes,
        }
    }

    /// Bytes of a run, and how many runs there are: rows, or all of them at once where they touch on both sides.
    fn runs(&self, region: &TextureRegion, linear: LinearLayout) -> (u64, u64) {
        let rows = u64::from(region.size[1]);
        let touch = self.used_bytes == self.row_bytes && self.used_bytes == linear.bytes_per_row;
        if touch { (self.used_bytes * rows, 1) } else { (self.used_bytes, rows) }
    }

    fn rows(&self, region: &TextureRegion, source_pitch: u64, destination_pitch: u64) -> Rows {
        Rows {
            bytes: self.used_bytes as usize,
            count: region.size[1] as usize,
            source_pitch: source_pitch as usize,
            destination_pitch: destination_pitch as usize,
        }
    }
}
