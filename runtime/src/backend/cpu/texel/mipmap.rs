//! Smaller levels from larger ones, by area.
//!
//! Each texel is the average of the area it covers in the level above. Along a side of even length that is two texels; along one of odd
//! length `2n + 1` it is three, the outer two in part:
//!
//! ```text
//!   above:  |  0  |  1  |  2  |  3  |  4  |      2n + 1 = 5
//!   below:  |      0       |      1       |      n = 2: texel 0 covers 0, 1 and half of 2
//! ```
//!
//! so no picture drifts or loses its edge, and every level has the average brightness of the first one. Integers are averaged exactly,
//! in the same proportions, and rounded down.
use std::ops::Range;

use super::TexelView;

/// Texels along one axis that a smaller one covers, and how much of each.
#[derive(Clone, Copy, Debug)]
struct Cover {
    first: u32,
    weights: [f32; 3],
    /// The same as parts of `whole`.
    parts: [u32; 3],
    whole: u32,
    count: usize,
}

impl TexelView<'_> {
    /// Writes rows of one level of a slice from the level above it. `level` is at least 1 and there.
    pub(crate) fn generate_mip_rows(&self, level: u32, slice: u32, rows: Range<u32>) {
        let Some(larger) = level.checked_sub(1) else { return };
        let (above, here) = (self.image(larger), self.image(level));
        for y in rows.start..rows.end.min(here.height) {
            let down = Cover::new(above.height, here.height, y);
            for x in 0..here.width {
                let across = Cover::new(above.width, here.width, x);
                let texel = if self.format.is_integer() {
                    self.integer_average(larger, slice, across, down)
                } else {
                    self.average(larger, slice, across, down)
                };
                self.store_at([x, y], slice, level, texel);
            }
        }
    }

    #[inline(always)]
    fn average(&self, level: u32, slice: u32, across: Cover, down: Cover) -> [u32; 4] {
        let mut sum = [0.0_f32; 4];
        for row in 0..down.count {
            let mut line = [0.0_f32; 4];
            for column in 0..across.count {
                let at = [across.first + column as u32, down.first + row as u32];
                let texel = self.load(at, slice, level).map(f32::from_bits);
                for component in 0..4 {
                    line[component] += texel[component] * across.weights[column];
                }
            }
            for component in 0..4 {
                sum[component] += line[component] * down.weights[row];
            }
        }
        // Of several NaNs a machine may keep any.
        sum.map(|sum| if sum.is_nan() { f32::NAN.to_bits() } else { sum.to_bits() })
    }

    fn integer_average(&self, level: u32, slice: u32, across: Cover, down: Cover) -> [u32; 4] {
        let mut sum = [0_u128; 4];
        for row in 0..down.count {
            for column in 0..across.count {
                let texel = self.load([across.first + column as u32, down.first + row as u32], slice, level);
                let weight = u128::from(across.parts[column]) * u128::from(down.parts[row]);
                for component in 0..4 {
                    sum[component] += u128::from(texel[component]) * weight;
                }
            }
        }
        let whole = u128::from(across.whole) * u128::from(down.whole);
        sum.map(|sum| (sum / whole) as u32)
    }
}

impl Cover {
    fn new(above: u32, here: u32, index: u32) -> Self {
        let (first, parts, whole, count) = if above == here {
            (index, [1, 0, 0], 1, 1)
        } else if above.is_multiple_of(2) {
            (2 * index, [1, 1, 0], 2, 2)
        } else {
            (2 * index, [here - index, here, index + 1], above, 3)
        };
        let weights = parts.map(|part| part as f32 / whole as f32);
        Self { first, weights, parts, whole, count }
    }
}
