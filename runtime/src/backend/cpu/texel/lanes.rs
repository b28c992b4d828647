//! Sixteen texels at once: what one step of the interpreter reads, writes or samples.
//!
//! All sixteen are in one image; then addresses, conversions and weights are loops over lanes that become vector instructions. The
//! arithmetic is that of single texels, to the bit.
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use half::f16;

use super::format;
use super::sample::{Levels, address, passes};
use super::{Image, TexelView};
use crate::backend::cpu::memory::row::{self, Row, WIDTH};
use crate::{AddressMode, Filter, PixelFormat, SamplerDescriptor};

/// Texels by component.
pub(crate) type Texels = [Row; 4];

/// Stands for a texel beyond the edges of a texture that is zero there.
const OUTSIDE: u32 = u32::MAX;

/// Where along one axis sixteen places fall.
struct Taps {
    texels: [Row; 2],
    /// Of the second one.
    weights: [f32; WIDTH],
}

impl TexelView<'_> {
    /// Reads texels of one image; zeros where there is none.
    #[inline(always)]
    pub(crate) fn load_lanes(&self, x: &Row, y: &Row, slice: u32, level: u32) -> Texels {
        if level >= self.levels || slice >= self.slices {
            return [[0; WIDTH]; 4];
        }
        self.load_image(&self.image(level), slice, x, y)
    }

    /// Writes texels of the first level where `active` is not 0 and there are such texels.
    #[inline(always)]
    pub(crate) fn store_lanes(&self, x: &Row, y: &Row, slice: u32, texels: &Texels, active: &Row) {
        if slice >= self.slices {
            return;
        }
        let image = self.image(0);
        if self.format == PixelFormat::Rgba8Unorm {
            let (offsets, inside) = self.offsets(&image, x, y);
            let mut words = [0; WIDTH];
            for (index, component) in texels.iter().enumerate() {
                for lane in 0..WIDTH {
                    let byte = format::to_unorm(component[lane]);
                    words[lane] |= u32::from(byte) << (8 * index);
                }
            }
            let memory = self.image_words(&image, slice);
            let mut everybody = true;
            for lane in 0..WIDTH {
                everybody &= active[lane] != 0
                    && inside[lane] != 0
                    && offsets[lane] == offsets[0].wrapping_add(4 * lane as u32);
            }
            if everybody
                && let Some(to) = memory.get(offsets[0] as usize / 4..).and_then(|to| to.first_chunk())
            {
                return row::store(to, &words);
            }
            for lane in (0..WIDTH).filter(|&lane| active[lane] & inside[lane] != 0) {
                memory[offsets[lane] as usize / 4].store(words[lane], Relaxed);
            }
            return;
        }
        for lane in (0..WIDTH).filter(|&lane| active[lane] != 0) {
            self.store([x[lane], y[lane]], slice, texels.map(|component| component[lane]));
        }
    }

    /// Samples one slice at one level of detail for all.
    #[inline(always)]
    pub(crate) fn sample_lanes(
        &self,
        sampler: &SamplerDescriptor,
        at: [&Row; 2],
        slice: i32,
        level: f32,
        offset: [i32; 2],
        reference: Option<&Row>,
    ) -> Texels {
        let slice = self.clamp_slice(slice);
        let Levels { filter, first, second, weight } = self.levels_of(sampler, level);
        let one = |level: u32| self.sample_image(sampler, filter, at, [slice, level], offset, reference);
        let texels = one(first);
        match second {
            Some(second) => blend(&texels, &one(second), &[weight; WIDTH]),
            None => texels,
        }
    }

    #[inline(always)]
    fn sample_image(
        &self,
        sampler: &SamplerDescriptor,
        filter: Filter,
        at: [&Row; 2],
        [slice, level]: [u32; 2],
        offset: [i32; 2],
        reference: Option<&Row>,
    ) -> Texels {
        let image = self.image(level);
        let modes = [sampler.s_address_mode, sampler.t_address_mode];
        let sides = [image.width, image.height];
        let [columns, rows] = [0, 1].map(|axis| {
            let scale = if sampler.normalized_coordinates { sides[axis] as f32 } else { 1.0 };
            Taps::new(at[axis], sides[axis], scale, filter, modes[axis], offset[axis])
        });
        let has_border = modes.contains(&AddressMode::ClampToZero);
        let tap = |column: usize, row: usize| {
            let (x, y) = (&columns.texels[column], &rows.texels[row]);
            let mut texels = self.load_image(&image, slice, x, y);
            if has_border {
                for lane in (0..WIDTH).filter(|&lane| x[lane] == OUTSIDE || y[lane] == OUTSIDE) {
                    texels[3][lane] = self.border_alpha();
                }
            }
            match reference {
                Some(reference) => compared(sampler, reference, &texels[0]),
                None => texels,
            }
        };
        match filter {
            Filter::Nearest => tap(0, 0),
            Filter::Linear => {
                let upper = blend(&tap(0, 0), &tap(1, 0), &columns.weights);
                let lower = blend(&tap(0, 1), &tap(1, 1), &columns.weights);
                blend(&upper, &lower, &rows.weights)
            }
        }
    }

    #[inline(always)]
    fn load_image(&self, image: &Image, slice: u32, x: &Row, y: &Row) -> Texels {
        let (offsets, inside) = self.offsets(image, x, y);
        let memory = self.image_words(image, slice);
        let word = |index: u32| gather(memory, &offsets, index);
        let mut texels = match self.format {
            PixelFormat::Rgba8Unorm => {
                let words = word(0);
                [0, 8, 16, 24].map(|shift| each(&words, |word| format::unorm((word >> shift) as u8)))
            }
            PixelFormat::R32Float => [word(0), [0; WIDTH], [0; WIDTH], [format::ONE; WIDTH]],
            PixelFormat::R32Uint => [word(0), [0; WIDTH], [0; WIDTH], [1; WIDTH]],
            PixelFormat::Rgba32Float | PixelFormat::Rgba32Uint => [0, 1, 2, 3].map(word),
            PixelFormat::Rgba16Float => {
                let (low, high) = (word(0), word(1));
                [(low, 0), (low, 16), (high, 0), (high, 16)]
                    .map(|(words, shift)| each(&words, |word| format::float16((word >> shift) as u16)))
            }
            PixelFormat::R8Unorm | PixelFormat::Rg8Unorm | PixelFormat::R16Float => {
                self.small(&word(0), &offsets)
            }
        };
        for component in &mut texels {
            for lane in 0..WIDTH {
                component[lane] &= inside[lane];
            }
        }
        texels
    }

    /// Texels of one or two bytes, from the words they are in.
    #[inline(always)]
    fn small(&self, words: &Row, offsets: &Row) -> Texels {
        let mut shifted = [0; WIDTH];
        for lane in 0..WIDTH {
            shifted[lane] = words[lane] >> (offsets[lane] % 4 * 8);
        }
        let red = match self.format {
            PixelFormat::R16Float => each(&shifted, |word| f16::from_bits(word as u16).to_f32().to_bits()),
            _ => each(&shifted, |word| format::unorm(word as u8)),
        };
        let green = match self.format {
            PixelFormat::Rg8Unorm => each(&shifted, |word| format::unorm((word >> 8) as u8)),
            _ => [0; WIDTH],
        };
        [red, green, [0; WIDTH], [format::ONE; WIDTH]]
    }

    /// Byte offsets in an image (0 where there is no such texel), and which texels are there. An image has less than 4 GiB.
    #[inline(always)]
    fn offsets(&self, image: &Image, x: &Row, y: &Row) -> (Row, Row) {
        let (row_bytes, texel_bytes) = (image.row_bytes as u32, self.format.bytes_per_texel());
        let (mut offsets, mut inside) = ([0; WIDTH], [0; WIDTH]);
        for lane in 0..WIDTH {
            let is_inside = x[lane] < image.width && y[lane] < image.height;
            inside[lane] = if is_inside { u32::MAX } else { 0 };
            let offset = y[lane].wrapping_mul(row_bytes).wrapping_add(x[lane].wrapping_mul(texel_bytes));
            offsets[lane] = offset & inside[lane];
        }
        (offsets, inside)
    }

    #[inline(always)]
    fn image_words(&self, image: &Image, slice: u32) -> &[AtomicU32] {
        let start = image.offset + u64::from(slice) * self.slice_bytes();
        let bytes = image.row_bytes * u64::from(image.height);
        &self.words[(start / 4) as usize..][..bytes.div_ceil(4) as usize]
    }
}

impl Taps {
    #[inline(always)]
    fn new(at: &Row, side: u32, scale: f32, filter: Filter, mode: AddressMode, offset: i32) -> Self {
        let shift = if filter == Filter::Linear { 0.5 } else { 0.0 };
        let mut weights = [0.0; WIDTH];
        let mut indices = [0_i32; WIDTH];
        for lane in 0..WIDTH {
            let (index, weight) = super::sample::tap(f32::from_bits(at[lane]) * scale - shift);
            weights[lane] = weight;
            indices[lane] = index + offset;
        }
        let texels = [0, 1].map(|next| {
            let mut texels = [0; WIDTH];
            if mode == AddressMode::ClampToEdge {
                for lane in 0..WIDTH {
                    texels[lane] = (indices[lane] + next).max(0).min(side as i32 - 1) as u32;
                }
            } else {
                for lane in 0..WIDTH {
                    texels[lane] = address(indices[lane] + next, side, mode).unwrap_or(OUTSIDE);
                }
            }
            texels
        });
        Self { texels, weights }
    }
}

/// One word of each texel: in a row if they are, else one by one.
#[inline(always)]
fn gather(memory: &[AtomicU32], offsets: &Row, index: u32) -> Row {
    let first = offsets[0];
    let mut distance = 0;
    for (lane, offset) in offsets.iter().enumerate() {
        distance |= offset.wrapping_sub(first) ^ (4 * lane as u32);
    }
    let at = |offset: u32| (offset / 4 + index) as usize;
    if distance == 0
        && let Some(words) = memory.get(at(first)..).and_then(|words| words.first_chunk())
    {
        return row::load(words);
    }
    let mut result = [0; WIDTH];
    for lane in 0..WIDTH {
        result[lane] = memory.get(at(offsets[lane])).map_or(0, |word| word.load(Relaxed));
    }
    result
}

#[inline(always)]
fn each(words: &Row, f: impl Fn(u32) -> u32) -> Row {
    let mut result = [0; WIDTH];
    for lane in 0..WIDTH {
        result[lane] = f(words[lane]);
    }
    result
}

#[inline(always)]
fn blend(a: &Texels, b: &Texels, weights: &[f32; WIDTH]) -> Texels {
    let mut result = [[0; WIDTH]; 4];
    for component in 0..4 {
        for lane in 0..WIDTH {
            let (a, b) = (f32::from_bits(a[component][lane]), f32::from_bits(b[component][lane]));
            result[component][lane] = (a * (1.0 - weights[lane]) + b * weights[lane]).to_bits();
        }
    }
    result
}

#[inline(always)]
fn compared(sampler: &SamplerDescriptor, reference: &Row, red: &Row) -> Texels {
    let mut result = [[0; WIDTH], [0; WIDTH], [0; WIDTH], [format::ONE; WIDTH]];
    for lane in 0..WIDTH {
        let passes = passes(sampler, f32::from_bits(reference[lane]), f32::from_bits(red[lane]));
        result[0][lane] = if passes { format::ONE } else { 0 };
    }
    result
}
