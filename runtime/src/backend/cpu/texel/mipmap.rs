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
//! so no picture drifts or loses its edge, and every level has the average brightness of the first one.
use std::ops::Range;

use super::TexelView;

/// Texels along one axis that a smaller one covers, and how much of each.
#[derive(Clone, Copy, Debug)]
struct Cover {
    first: u32,
    weights: [f32; 3],
    count: usize,
}

impl TexelView<'_> {
    /// Writes rows of one level of a slice from the level above it. `level` is at least 1 and there; formats are filterable.
    pub(crate) fn generate_mip_rows(&self, level: u32, slice: u32, rows: Range<u32>) {
        let Some(larger) = level.checked_sub(1) else { return };
        let (above, here) = (self.image(larger), self.image(level));
        for y in rows.start..rows.end.min(here.height) {
            let down = Cover::new(above.height, here.height, y);
            for x in 0..here.width {
                let across = Cover::new(above.width, here.width, x);
                self.store_at([x, y], slice, level, self.average(larger, slice, across, down));
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
        sum.map(f32::to_bits)
    }
}

impl Cover {
    fn new(above: u32, here: u32, index: u32) -> Self {
        if above == here {
            return Self { first: index, weights: [1.0, 0.0, 0.0], count: 1 };
        }
        if above.is_multiple_of(2) {
            return Self { first: 2 * index, weights: [0.5, 0.5, 0.0], count: 2 };
        }
        let whole = above as f32;
        let weights = [(here - index) as f32 / whole, here as f32 / whole, (index + 1) as f32 / whole];
        Self { first: 2 * index, weights, count: 3 }
    }
}
