//! What moves bytes without a kernel, cut into units that any thread may run.
use std::ops::Range;

use super::job::memory;
use super::memory::{Memory, Rows};
use super::mipmap;
use super::texel::TextureLayout;
use crate::record::{BufferSlice, LinearLayout, TextureBody, TextureRegion, Transfer};

/// Nanoseconds that a unit takes, roughly: a block of bytes, or a row of texels.
pub(super) const UNIT_NS: u64 = 2_000;

/// Bytes of a unit of a plain copy or fill: far beyond what handing a unit over costs.
const BLOCK: u64 = 64 * 1024;

/// Units of a phase; `None` where there is no such phase.
pub(super) fn units(transfer: &Transfer, phase: u32) -> Option<u64> {
    match transfer {
        Transfer::GenerateMipmaps { texture } => return mipmap::units(texture, phase),
        _ if phase > 0 => None,
        Transfer::CopyBuffer { source, destination } if overlap(source, destination) => Some(1),
        Transfer::CopyBuffer { source, .. } => Some(source.length.div_ceil(BLOCK)),
        Transfer::FillBuffer { destination, .. } => Some(destination.length.div_ceil(BLOCK)),
        Transfer::CopyBufferToTexture { destination: region, .. }
        | Transfer::CopyTextureToBuffer { source: region, .. } => Some(rows(region)),
        // What may overlap is copied by one thread in one go.
        Transfer::CopyTexture { source, destination } if same_bytes(source, destination) => Some(1),
        Transfer::CopyTexture { destination, .. } => Some(rows(destination)),
    }
}

/// Runs units of a phase.
pub(super) fn run(transfer: &Transfer, phase: u32, units: Range<u64>) {
    match transfer {
        Transfer::GenerateMipmaps { texture } => mipmap::run(texture, phase, units),
        Transfer::CopyBuffer { source, destination } => {
            let whole = overlap(source, destination);
            let bytes = if whole { 0..source.length } else { block(&units, source.length) };
            let (from, to) = (start(source) + bytes.start, start(destination) + bytes.start);
            let source = memory(&*source.body.allocation);
            memory(&*destination.body.allocation).copy_from(to, source, from, bytes.end - bytes.start);
        }
        Transfer::FillBuffer { destination, value } => {
            let bytes = block(&units, destination.length);
            let first = start(destination) + bytes.start;
            memory(&*destination.body.allocation).fill(first, bytes.end - bytes.start, *value);
        }
        Transfer::CopyBufferToTexture { source, layout, destination } => {
            for_slices(destination, units, |slice, rows| {
                let (from, pitch) = in_buffer(source, *layout, slice, rows.start);
                let to = Place::of(destination, slice, rows.start);
                let source = Place { memory: memory(&*source.body.allocation), offset: from, pitch };
                to.copy_from(source, row_bytes(destination), rows.end - rows.start);
            });
        }
        Transfer::CopyTextureToBuffer { source, destination, layout } => {
            for_slices(source, units, |slice, rows| {
                let (offset, pitch) = in_buffer(destination, *layout, slice, rows.start);
                let to = Place { memory: memory(&*destination.body.allocation), offset, pitch };
                to.copy_from(Place::of(source, slice, rows.start), row_bytes(source), rows.end - rows.start);
            });
        }
        Transfer::CopyTexture { source, destination } => {
            let whole = same_bytes(source, destination);
            let units = if whole { 0..rows(destination) } else { units };
            for_slices(destination, units, |slice, rows| {
                let to = Place::of(destination, slice, rows.start);
                let from = Place::of(source, slice, rows.start);
                to.copy_from(from, row_bytes(source), rows.end - rows.start);
            });
        }
    }
}

/// Texels of a region out to bytes, rows and slices apart as `layout` says. The caller has checked both.
pub(super) fn read(region: &TextureRegion, layout: LinearLayout, out: &mut [u8]) {
    each_row(region, layout, |offset, place, bytes| {
        region.body.allocation.read(place, &mut out[offset..offset + bytes])
    });
}

/// Bytes into texels of a region. The caller has checked both.
pub(super) fn write(region: &TextureRegion, layout: LinearLayout, bytes: &[u8]) {
    each_row(region, layout, |offset, place, length| {
        region.body.allocation.write(place, &bytes[offset..offset + length]);
    });
}

/// Where rows of texels or bytes are.
struct Place<'a> {
    memory: &'a Memory,
    /// Bytes of the memory.
    offset: u64,
    /// Bytes from one row to the next.
    pitch: u64,
}

impl<'a> Place<'a> {
    /// A row of a region in one of its slices, both counted from the region's own.
    fn of(region: &'a TextureRegion, slice: u32, row: u32) -> Self {
        let (offset, pitch) = in_texture(region, slice, row);
        Self { memory: memory(&*region.body.allocation), offset, pitch }
    }

    fn copy_from(&self, source: Place<'_>, bytes: u64, count: u32) {
        let rows = Rows {
            bytes: bytes as usize,
            count: count as usize,
            source_pitch: source.pitch as usize,
            destination_pitch: self.pitch as usize,
        };
        self.memory.copy_rows_from(self.offset, source.memory, source.offset, rows);
    }
}

fn in_texture(region: &TextureRegion, slice: u32, row: u32) -> (u64, u64) {
    let body: &TextureBody = &region.body;
    let image = TextureLayout::new(&body.shape).image(region.mip, region.slices.start + slice);
    let texel = u64::from(body.shape.format.bytes_per_texel());
    let first = u64::from(region.origin[1] + row) * image.row_bytes + u64::from(region.origin[0]) * texel;
    (body.offset + image.offset + first, image.row_bytes)
}

fn in_buffer(slice: &BufferSlice, layout: LinearLayout, image: u32, row: u32) -> (u64, u64) {
    let offset = u64::from(image) * layout.bytes_per_image + u64::from(row) * layout.bytes_per_row;
    (start(slice) + offset, layout.bytes_per_row)
}

fn start(slice: &BufferSlice) -> u64 {
    slice.body.offset + slice.offset
}

fn row_bytes(region: &TextureRegion) -> u64 {
    u64::from(region.size[0]) * u64::from(region.body.shape.format.bytes_per_texel())
}

fn rows(region: &TextureRegion) -> u64 {
    let slices = u64::from(region.slices.end - region.slices.start);
    if region.size[0] == 0 { 0 } else { slices * u64::from(region.size[1]) }
}

/// Bytes of some blocks.
fn block(units: &Range<u64>, length: u64) -> Range<u64> {
    units.start * BLOCK..units.end.saturating_mul(BLOCK).min(length)
}

/// Rows of all slices of a region, numbered through: calls `run` for the rows of each slice.
fn for_slices(region: &TextureRegion, units: Range<u64>, run: impl Fn(u32, Range<u32>)) {
    let height = u64::from(region.size[1]).max(1);
    let mut first = units.start;
    while first < units.end {
        let slice = first / height;
        let last = units.end.min((slice + 1) * height);
        run(slice as u32, (first - slice * height) as u32..(last - slice * height) as u32);
        first = last;
    }
}

fn each_row(region: &TextureRegion, layout: LinearLayout, mut run: impl FnMut(usize, u64, usize)) {
    for slice in 0..region.slices.end - region.slices.start {
        for row in 0..region.size[1] {
            let offset = u64::from(slice) * layout.bytes_per_image + u64::from(row) * layout.bytes_per_row;
            run(offset as usize, in_texture(region, slice, row).0, row_bytes(region) as usize);
        }
    }
}

fn overlap(a: &BufferSlice, b: &BufferSlice) -> bool {
    std::ptr::eq(memory(&*a.body.allocation), memory(&*b.body.allocation))
        && start(a) < start(b) + b.length
        && start(b) < start(a) + a.length
}

/// Whether the bytes from the first to the last row of two regions overlap.
fn same_bytes(a: &TextureRegion, b: &TextureRegion) -> bool {
    let span = |region: &TextureRegion| {
        let [_, height] = region.size;
        let slices = region.slices.end - region.slices.start;
        let last = in_texture(region, slices.saturating_sub(1), height.saturating_sub(1)).0;
        in_texture(region, 0, 0).0..last + row_bytes(region)
    };
    let (mine, theirs) = (span(a), span(b));
    std::ptr::eq(memory(&*a.body.allocation), memory(&*b.body.allocation))
        && mine.start < theirs.end
        && theirs.start < mine.end
}
