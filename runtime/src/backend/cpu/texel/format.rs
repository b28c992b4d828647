//! Texels in memory and as four words.
//!
//! Float components become the bits of an `f32`, unsigned ones stay as they are. What a format lacks reads as 0, alpha as 1. Writing
//! rounds as the graphics interfaces ask: a normalised component to the nearest integer, ties to even, NaN as 0; a 16-bit float to the
//! nearest, ties to even.
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use half::f16;

use super::TexelView;
use crate::PixelFormat;

/// A texel as a kernel sees it.
pub(crate) type Texel = [u32; 4];

pub(super) const ONE: u32 = 1.0_f32.to_bits();

/// Reads the texel at a byte offset.
#[inline(always)]
pub(super) fn load(words: &[AtomicU32], offset: usize, format: PixelFormat) -> Texel {
    let word = |index: usize| words[offset / 4 + index].load(Relaxed);
    // Small texels lie in one word, lowest byte first.
    let small = || word(0).to_le_bytes();
    let at = offset % 4;
    match format {
        PixelFormat::R8Unorm => [unorm(small()[at]), 0, 0, ONE],
        PixelFormat::Rg8Unorm => [unorm(small()[at]), unorm(small()[at + 1]), 0, ONE],
        PixelFormat::Rgba8Unorm => small().map(unorm),
        PixelFormat::R16Float => [float16(u16::from_le_bytes([small()[at], small()[at + 1]])), 0, 0, ONE],
        PixelFormat::Rgba16Float => {
            let (low, high) = (word(0), word(1));
            [low, low >> 16, high, high >> 16].map(|half| float16(half as u16))
        }
        PixelFormat::R32Float => [word(0), 0, 0, ONE],
        PixelFormat::R32Uint => [word(0), 0, 0, 1],
        PixelFormat::Rgba32Float | PixelFormat::Rgba32Uint => [word(0), word(1), word(2), word(3)],
    }
}

/// Writes the texel at a byte offset. Other texels in the same word stay as they are, whoever writes them meanwhile.
#[inline(always)]
pub(super) fn store(words: &[AtomicU32], offset: usize, format: PixelFormat, texel: Texel) {
    let word = |index: usize, value: u32| words[offset / 4 + index].store(value, Relaxed);
    let at = offset % 4;
    match format {
        PixelFormat::R8Unorm => store_part(&words[offset / 4], at, [to_unorm(texel[0])]),
        PixelFormat::Rg8Unorm => {
            store_part(&words[offset / 4], at, [to_unorm(texel[0]), to_unorm(texel[1])]);
        }
        PixelFormat::Rgba8Unorm => word(0, u32::from_le_bytes(texel.map(to_unorm))),
        PixelFormat::R16Float => store_part(&words[offset / 4], at, to_float16(texel[0]).to_le_bytes()),
        PixelFormat::Rgba16Float => {
            let [r, g, b, a] = texel.map(|component| u32::from(to_float16(component)));
            word(0, r | g << 16);
            word(1, b | a << 16);
        }
        PixelFormat::R32Float | PixelFormat::R32Uint => word(0, texel[0]),
        PixelFormat::Rgba32Float | PixelFormat::Rgba32Uint => {
            for (index, component) in texel.into_iter().enumerate() {
                word(index, component);
            }
        }
    }
}

impl TexelView<'_> {
    /// Reads a texel; zeros where there is none. Coordinates are signed or unsigned alike: what is negative is outside.
    #[inline(always)]
    pub(crate) fn load(&self, [x, y]: [u32; 2], slice: u32, level: u32) -> Texel {
        match self.offset([x, y], slice, level) {
            Some(offset) => load(self.words, offset, self.format),
            None => [0; 4],
        }
    }

    /// Writes a texel of the first level; nothing where there is none.
    #[inline(always)]
    pub(crate) fn store(&self, [x, y]: [u32; 2], slice: u32, texel: Texel) {
        self.store_at([x, y], slice, 0, texel);
    }

    /// Writes a texel of any level; nothing where there is none.
    #[inline(always)]
    pub(super) fn store_at(&self, [x, y]: [u32; 2], slice: u32, level: u32, texel: Texel) {
        if let Some(offset) = self.offset([x, y], slice, level) {
            store(self.words, offset, self.format, texel);
        }
    }

    /// The byte offset of a texel, if there is such a texel.
    #[inline(always)]
    fn offset(&self, [x, y]: [u32; 2], slice: u32, level: u32) -> Option<usize> {
        if level >= self.levels || slice >= self.slices {
            return None;
        }
        let image = self.image(level);
        if x >= image.width || y >= image.height {
            return None;
        }
        let texel = u64::from(x) * u64::from(self.format.bytes_per_texel());
        Some(
            (image.offset + u64::from(slice) * self.slice_bytes() + u64::from(y) * image.row_bytes + texel)
                as usize,
        )
    }
}

#[inline(always)]
pub(super) fn unorm(byte: u8) -> u32 {
    (f32::from(byte) / 255.0).to_bits()
}

#[inline(always)]
pub(super) fn to_unorm(word: u32) -> u8 {
    let value = f32::from_bits(word);
    // NaN is not above 0.
    let value = if value > 0.0 { value } else { 0.0 };
    let value = if value < 1.0 { value } else { 1.0 };
    // Adding 2²³ leaves no room for a fraction, so the sum rounds to the nearest integer, ties to even, in its lowest bits.
    (value * 255.0 + 8_388_608.0).to_bits() as u8
}

#[inline(always)]
pub(super) fn float16(bits: u16) -> u32 {
    f16::from_bits(bits).to_f32().to_bits()
}

#[inline(always)]
fn to_float16(word: u32) -> u16 {
    f16::from_f32(f32::from_bits(word)).to_bits()
}

/// Puts bytes into a word by compare-exchange.
#[inline(always)]
fn store_part<const N: usize>(word: &AtomicU32, at: usize, bytes: [u8; N]) {
    let mut old = word.load(Relaxed);
    loop {
        let mut new = old.to_le_bytes();
        new[at..at + N].copy_from_slice(&bytes);
        match word.compare_exchange_weak(old, u32::from_le_bytes(new), Relaxed, Relaxed) {
            Ok(_) => return,
            Err(now) => old = now,
        }
    }
}
