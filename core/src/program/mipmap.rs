//! Smaller levels of a texture, as `generate-mipmaps` makes them: each texel is the mean of what it covers in the level above.
//!
//! A side of even length covers two texels of the larger side; one of odd length `2n + 1` covers three, the outer two in part, so that
//! nothing is lost at an edge:
//!
//! ```text
//!   above:  |  0  |  1  |  2  |  3  |  4  |      2n + 1 = 5
//!   below:  |      0       |      1       |      n = 2: texel 0 covers 0, 1 and half of 2
//! ```
//!
//! Floats are summed as 32-bit floats: each texel times its column's weight along a row, from left to right, then each row's sum times the
//! row's weight, from the top down; a NaN comes out as the one with the bits `0x7fc00000`. Components of 8 bits are such floats from 0 to 1 and round to
//! the nearest, half to even. Integers are summed exactly and rounded down. So every device that says it does the same
//! leaves the same bits.
use super::Format;

/// What a smaller side covers of a larger one at one of its texels.
struct Cover {
    first: usize,
    /// Of so many texels.
    parts: [u32; 3],
    whole: u32,
    count: usize,
}

impl Cover {
    const fn new(above: u32, here: u32, index: u32) -> Self {
        let (first, parts, whole, count) = if above == here {
            (index, [1, 0, 0], 1, 1)
        } else if above.is_multiple_of(2) {
            (2 * index, [1, 1, 0], 2, 2)
        } else {
            (2 * index, [here - index, here, index + 1], above, 3)
        };
        Self { first: first as usize, parts, whole, count }
    }

    fn weight(&self, texel: usize) -> f32 {
        self.parts[texel] as f32 / self.whole as f32
    }
}

/// One level of one slice from the level above it.
pub(super) fn smaller(above: &[u8], from: [u32; 2], to: [u32; 2], format: Format) -> Vec<u8> {
    let texel = if format == Format::Rgba32Float { 16 } else { 4 };
    let mut below = Vec::with_capacity(to[0] as usize * to[1] as usize * texel);
    for y in 0..to[1] {
        let down = Cover::new(from[1], to[1], y);
        for x in 0..to[0] {
            let across = Cover::new(from[0], to[0], x);
            let at = |column: usize, row: usize| {
                let place = (down.first + row) * from[0] as usize + across.first + column;
                above.get(place * texel..(place + 1) * texel).unwrap_or(&[0; 16])
            };
            match format {
                Format::R32Uint => below.extend(integer(&across, &down, &at)),
                Format::Rgba8Unorm => {
                    let mean = float::<4>(&across, &down, |column, row| {
                        let texel = at(column, row);
                        core::array::from_fn(|index| f32::from(texel[index]) / 255.0)
                    });
                    below.extend(mean.map(|mean| (mean.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8));
                }
                Format::R32Float | Format::Depth32Float | Format::Rgba32Float => {
                    let mean = float::<4>(&across, &down, |column, row| {
                        let texel = at(column, row);
                        core::array::from_fn(|index| texel.get(4 * index..).map_or(0.0, float_at))
                    });
                    below.extend(mean.into_iter().flat_map(f32::to_le_bytes).take(texel));
                }
            }
        }
    }
    below
}

fn float<const N: usize>(across: &Cover, down: &Cover, texel: impl Fn(usize, usize) -> [f32; N]) -> [f32; N] {
    let mut sum = [0.0_f32; N];
    for row in 0..down.count {
        let mut line = [0.0_f32; N];
        for column in 0..across.count {
            let texel = texel(column, row);
            for (line, texel) in line.iter_mut().zip(texel) {
                *line += texel * across.weight(column);
            }
        }
        for (sum, line) in sum.iter_mut().zip(line) {
            *sum += line * down.weight(row);
        }
    }
    sum.map(|sum| if sum.is_nan() { f32::from_bits(0x7fc0_0000) } else { sum })
}

fn integer<'a>(across: &Cover, down: &Cover, texel: &impl Fn(usize, usize) -> &'a [u8]) -> [u8; 4] {
    let mut sum = 0;
    for row in 0..down.count {
        for column in 0..across.count {
            let part = u128::from(across.parts[column]) * u128::from(down.parts[row]);
            sum += u128::from(word_at(texel(column, row))) * part;
        }
    }
    let whole = u128::from(across.whole) * u128::from(down.whole);
    ((sum / whole) as u32).to_le_bytes()
}

fn word_at(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

fn float_at(bytes: &[u8]) -> f32 {
    f32::from_bits(word_at(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_side_loses_nothing() {
        let above: Vec<u8> = [0_u32, 10, 20, 30, 40].into_iter().flat_map(u32::to_le_bytes).collect();
        let below = smaller(&above, [5, 1], [2, 1], Format::R32Uint);
        // 0 × 2/5 + 10 × 2/5 + 20 × 1/5, and the same from the other side.
        assert_eq!(below, [8_u32, 32].map(u32::to_le_bytes).concat());
    }

    #[test]
    fn bytes_round_half_to_even() {
        let above = [0, 1, 2, 3, 1, 2, 3, 4];
        assert_eq!(smaller(&above, [2, 1], [1, 1], Format::Rgba8Unorm), [0, 2, 2, 4]);
    }

    #[test]
    fn every_nan_is_the_same_one() {
        let above: Vec<u8> = [0xffc0_1234_u32, 0x7f80_0001].into_iter().flat_map(u32::to_le_bytes).collect();
        let below = smaller(&above, [2, 1], [1, 1], Format::R32Float);
        assert_eq!(below, 0x7fc0_0000_u32.to_le_bytes());
    }
}
