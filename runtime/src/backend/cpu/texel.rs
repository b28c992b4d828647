//! Where a texture's texels lie in memory, and what they mean.
//!
//! A texture here is rows of texels without gaps: nothing is tiled or compressed, so the CPU and kernels read the same bytes. Slices
//! follow each other; a slice holds its levels from the largest to the smallest:
//!
//! ```text
//!   slice 0                                   slice 1
//!   | level 0 ........ | level 1 .. | level 2 | level 0 ........ | …
//! ```
//!
//! Every image (one level of one slice) starts at a multiple of its texel's size from the texture's first byte, and of 4 bytes, so texels
//! never straddle more words than they must: a texel smaller than a word lies in one, any other is whole words. Images of whole words
//! have no gaps between them: a texture of a program lies here as the program's own pages say.
use std::sync::atomic::AtomicU32;

use crate::PixelFormat;
use crate::backend::cpu::memory::{ALIGNMENT, Memory};
use crate::record::{TextureShape, TextureView};

mod format;
pub(crate) mod lanes;
mod mipmap;
pub(crate) mod region;
mod sample;
#[cfg(test)]
mod tests;

/// Where the images of a texture are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextureLayout {
    shape: TextureShape,
    slice_bytes: u64,
}

/// One level of one slice, in bytes from the texture's first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Image {
    /// Of the first texel.
    pub(crate) offset: u64,
    /// From one row to the next; rows touch.
    pub(crate) row_bytes: u64,
    /// Texels of a row.
    pub(crate) width: u32,
    /// Rows.
    pub(crate) height: u32,
}

/// A texture as a kernel sees it: some levels and slices of its words, in one format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TexelView<'a> {
    words: &'a [AtomicU32],
    layout: TextureLayout,
    format: PixelFormat,
    first_mip: u32,
    levels: u32,
    first_slice: u32,
    slices: u32,
}

impl TextureLayout {
    /// The layout of a texture. Sizes that no memory has come out as more bytes than any allocation gets.
    pub(crate) fn new(shape: &TextureShape) -> Self {
        let mut layout = Self { shape: *shape, slice_bytes: 0 };
        layout.slice_bytes = layout.image_in_slice(shape.mips).offset;
        layout
    }

    /// Bytes of the whole texture.
    pub(crate) fn bytes(&self) -> u64 {
        self.slice_bytes.saturating_mul(u64::from(self.shape.slices))
    }

    /// Alignment of the texture's first byte.
    pub(crate) const fn alignment() -> u64 {
        ALIGNMENT as u64
    }

    /// Where one level of one slice is.
    pub(crate) fn image(&self, mip: u32, slice: u32) -> Image {
        let image = self.image_in_slice(mip);
        let offset = self.slice_bytes.saturating_mul(u64::from(slice)).saturating_add(image.offset);
        Image { offset, ..image }
    }

    /// A level by its offset in a slice; the level behind the last one stands at the slice's end.
    fn image_in_slice(&self, mip: u32) -> Image {
        let mut offset = 0_u64;
        for larger in 0..mip {
            let image = self.extent(larger);
            let bytes = image.row_bytes.saturating_mul(u64::from(image.height));
            let alignment = u64::from(self.shape.format.bytes_per_texel()).max(4);
            offset = offset.saturating_add(bytes).saturating_add(alignment - 1) & !(alignment - 1);
        }
        Image { offset, ..self.extent(mip) }
    }

    fn extent(&self, mip: u32) -> Image {
        let side = |length: u32| length.checked_shr(mip).unwrap_or(0).max(1);
        let (width, height) = (side(self.shape.width), side(self.shape.height));
        let row_bytes = u64::from(width) * u64::from(self.shape.format.bytes_per_texel());
        Image { offset: 0, row_bytes, width, height }
    }
}

impl<'a> TexelView<'a> {
    /// What a kernel sees of a texture in `memory`, which is where the texture's body lies.
    pub(crate) fn new(view: &TextureView, memory: &'a Memory) -> Self {
        let layout = TextureLayout::new(&view.body.shape);
        let first_word = (view.body.offset / 4) as usize;
        let words = &memory.words()[first_word..first_word + (layout.bytes() / 4) as usize];
        Self::of_words(
            words,
            &layout,
            view.format,
            view.first_mip..view.first_mip + view.mips,
            view.first_slice..view.first_slice + view.slices,
        )
    }

    /// The same from the texture's own words.
    pub(crate) fn of_words(
        words: &'a [AtomicU32],
        layout: &TextureLayout,
        format: PixelFormat,
        mips: std::ops::Range<u32>,
        slices: std::ops::Range<u32>,
    ) -> Self {
        Self {
            words,
            layout: *layout,
            format,
            first_mip: mips.start,
            levels: mips.end - mips.start,
            first_slice: slices.start,
            slices: slices.end - slices.start,
        }
    }

    /// A level of the view's first slice.
    #[inline(always)]
    fn image(&self, level: u32) -> Image {
        self.layout.image(self.first_mip + level, self.first_slice)
    }

    /// From one slice to the next.
    #[inline(always)]
    fn slice_bytes(&self) -> u64 {
        self.layout.slice_bytes
    }
}
