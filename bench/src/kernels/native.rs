//! The kernels as a Rust program would write them: loops over slices, rows spread over rayon's threads.

use bytemuck::cast_slice_mut;
use rayon::prelude::*;

use crate::Resource;

fn floats(resource: &Resource) -> &[f32] {
    bytemuck::cast_slice(resource.bytes())
}

fn words(resource: &Resource) -> &[u32] {
    bytemuck::cast_slice(resource.bytes())
}

pub(super) fn saxpy(resources: &[Resource], out: &mut [u32]) {
    let (x, y) = (floats(&resources[0]), floats(&resources[1]));
    let out: &mut [f32] = cast_slice_mut(out);
    let chunks = out.par_chunks_mut(1 << 14).zip(x.par_chunks(1 << 14)).zip(y.par_chunks(1 << 14));
    chunks.for_each(|((out, x), y)| {
        for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
            *out = 1.5 * x + y;
        }
    });
}

const WEIGHTS: [f32; 5] = [0.0625, 0.25, 0.375, 0.25, 0.0625];

pub(super) fn blur(resources: &[Resource], out: &mut [u32]) {
    let source = resources[0].bytes();
    out.par_chunks_mut(2048).enumerate().for_each(|(y, row)| {
        for (x, out) in row.iter_mut().enumerate() {
            let mut sum = [0f32; 4];
            for (dy, vertical) in WEIGHTS.iter().enumerate() {
                let line = (y + dy).saturating_sub(2).min(2047) * 2048;
                for (dx, horizontal) in WEIGHTS.iter().enumerate() {
                    let at = (line + (x + dx).saturating_sub(2).min(2047)) * 4;
                    for (sum, texel) in sum.iter_mut().zip(&source[at..at + 4]) {
                        *sum += f32::from(*texel) / 255.0 * (horizontal * vertical);
                    }
                }
            }
            *out = u32::from_ne_bytes(sum.map(|value| (value * 255.0 + 0.5) as u8));
        }
    });
}

pub(super) fn matmul(resources: &[Resource], out: &mut [u32]) {
    let (a, b) = (floats(&resources[0]), floats(&resources[1]));
    let out: &mut [f32] = cast_slice_mut(out);
    out.par_chunks_mut(512).enumerate().for_each(|(y, row)| {
        for (x, out) in row.iter_mut().enumerate() {
            *out = (0..512).fold(0.0, |sum, k| sum + a[y * 512 + k] * b[k * 512 + x]);
        }
    });
}

pub(super) fn reduce(resources: &[Resource], out: &mut [u32]) {
    let out: &mut [f32] = cast_slice_mut(out);
    let groups = out.par_iter_mut().with_min_len(64).zip(floats(&resources[0]).par_chunks(256));
    groups.for_each(|(out, group)| {
        let mut sums = [0f32; 8];
        for part in group.as_chunks::<8>().0 {
            sums.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
        }
        *out = sums.iter().sum();
    });
}

pub(super) fn histogram(resources: &[Resource], out: &mut [u32]) {
    let count = |chunk: &[u8]| {
        let mut bins = [0u32; 256];
        chunk.iter().for_each(|byte| bins[usize::from(*byte)] += 1);
        bins
    };
    let add = |mut a: [u32; 256], b: [u32; 256]| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    let bins = resources[0].bytes().par_chunks(1 << 18).map(count).reduce(|| [0; 256], add);
    out.copy_from_slice(&bins);
}

pub(super) fn mandelbrot(_: &[Resource], out: &mut [u32]) {
    out.par_chunks_mut(1024).enumerate().for_each(|(row, line)| {
        let cy = row as f32 / 1024.0 * 3.0 - 1.5;
        for (column, out) in line.iter_mut().enumerate() {
            let cx = column as f32 / 1024.0 * 3.0 - 2.25;
            let (mut x, mut y, mut n) = (0f32, 0f32, 0);
            while n < 256 && x * x + y * y <= 4.0 {
                let next = x * x - y * y + cx;
                y = 2.0 * x * y + cy;
                x = next;
                n += 1;
            }
            *out = n;
        }
    });
}

pub(super) fn nbody(resources: &[Resource], out: &mut [u32]) {
    let bodies: &[[f32; 4]] = bytemuck::cast_slice(resources[0].bytes());
    let force = |here: &[f32; 4]| {
        let mut force = [0f32; 4];
        for other in bodies {
            let d = [other[0] - here[0], other[1] - here[1], other[2] - here[2]];
            let inverse = 1.0 / (d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + 0.01).sqrt();
            let scale = other[3] * inverse * inverse * inverse;
            force.iter_mut().zip(d).for_each(|(force, d)| *force += d * scale);
        }
        force
    };
    let out: &mut [[f32; 4]] = cast_slice_mut(out);
    out.par_iter_mut().with_min_len(64).zip(bodies).for_each(|(out, body)| *out = force(body));
}

pub(super) fn trig(resources: &[Resource], out: &mut [u32]) {
    let value = |x: &f32| x.sin() * x.cos() + (-x * x).exp() * (1.0 + x.abs()).ln() + x.abs().sqrt();
    let out: &mut [f32] = cast_slice_mut(out);
    let pairs = out.par_iter_mut().with_min_len(1 << 14).zip(floats(&resources[0]));
    pairs.for_each(|(out, x)| *out = value(x));
}

pub(super) fn bilinear(resources: &[Resource], out: &mut [u32]) {
    let source: Vec<[f32; 4]> =
        words(&resources[0]).par_iter().map(|word| word.to_ne_bytes().map(f32::from)).collect();
    out.par_chunks_mut(2048).enumerate().for_each(|(y, row)| {
        let (y0, y1, fy) = taps(y);
        for (x, out) in row.iter_mut().enumerate() {
            let (x0, x1, fx) = taps(x);
            let at = |x: usize, y: usize| &source[y * 1024 + x];
            let (a, b, c, d) = (at(x0, y0), at(x1, y0), at(x0, y1), at(x1, y1));
            let texel = std::array::from_fn(|channel: usize| {
                let top = a[channel] + (b[channel] - a[channel]) * fx;
                let bottom = c[channel] + (d[channel] - c[channel]) * fx;
                (top + (bottom - top) * fy + 0.5) as u8
            });
            *out = u32::from_ne_bytes(texel);
        }
    });
}

/// The two texels of a 1024-texel line around texel `i` of a line twice as long, and the weight of the second.
fn taps(i: usize) -> (usize, usize, f32) {
    let at = (i as f32 + 0.5) / 2.0 - 0.5;
    let first = at.floor();
    let clamp = |value: f32| value.clamp(0.0, 1023.0) as usize;
    (clamp(first), clamp(first + 1.0), at - first)
}
