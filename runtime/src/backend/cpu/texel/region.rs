//! Rectangles of texels from and to rows of bytes, and from texture to texture.
//!
//! Both sides have the same texel size, and bytes are copied as they are. A region's level and slices count from its texture's first ones.
use super::TextureLayout;
use crate::backend::Allocation;
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
    for (image, slice) in region.slices.clone().enumerate() {
        let place = Place::new(region, slice);
        for row in 0..u64::from(region.size[1]) {
            let at = (image as u64 * linear.bytes_per_image + row * linear.bytes_per_row) as usize;
            let out = &mut out[at..at + place.used_bytes as usize];
            texture.read(place.offset + row * place.row_bytes, out);
        }
    }
}

/// Copies rows of bytes into a region. Both were checked by whoever recorded it.
pub(crate) fn write(region: &TextureRegion, texture: &Memory, linear: LinearLayout, bytes: &[u8]) {
    for (image, slice) in region.slices.clone().enumerate() {
        let place = Place::new(region, slice);
        for row in 0..u64::from(region.size[1]) {
            let at = (image as u64 * linear.bytes_per_image + row * linear.bytes_per_row) as usize;
            texture.write(place.offset + row * place.row_bytes, &bytes[at..at + place.used_bytes as usize]);
        }
    }
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
) {
    for (image, slice) in region.slices.clone().enumerate() {
        let place = Place::new(region, slice);
        let to = offset + image as u64 * linear.bytes_per_image;
        let rows = place.rows(region, place.row_bytes, linear.bytes_per_row);
        buffer.copy_rows_from(to, texture, place.offset, rows);
    }
}

/// Copies a buffer's memory into a region, from `offset` bytes after its start.
pub(crate) fn copy_from_buffer(
    region: &TextureRegion,
    texture: &Memory,
    buffer: &Memory,
    offset: u64,
    linear: LinearLayout,
) {
    for (image, slice) in region.slices.clone().enumerate() {
        let place = Place::new(region, slice);
        let from = offset + image as u64 * linear.bytes_per_image;
        let rows = place.rows(region, linear.bytes_per_row, place.row_bytes);
        texture.copy_rows_from(place.offset, buffer, from, rows);
    }
}

/// Copies a region to another of the same size.
pub(crate) fn copy_to_texture(
    source: &TextureRegion,
    source_memory: &Memory,
    destination: &TextureRegion,
    destination_memory: &Memory,
) {
    for (from, to) in source.slices.clone().zip(destination.slices.clone()) {
        let (from, to) = (Place::new(source, from), Place::new(destination, to));
        let rows = from.rows(source, from.row_bytes, to.row_bytes);
        destination_memory.copy_rows_from(to.offset, source_memory, from.offset, rows);
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

    fn rows(&self, region: &TextureRegion, source_pitch: u64, destination_pitch: u64) -> Rows {
        Rows {
            bytes: self.used_bytes as usize,
            count: region.size[1] as usize,
            source_pitch: source_pitch as usize,
            destination_pitch: destination_pitch as usize,
        }
    }
}
