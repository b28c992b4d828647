//! WGSL from end to end, against plain loops: equal to the bit wherever both sides do the same arithmetic.
use std::sync::Arc;

use super::*;
use crate::backend::cpu::texel::{TexelView, TextureLayout};
use crate::record::TextureShape;
use crate::shader::{Body, Module};
use crate::{Filter, PixelFormat, SamplerDescriptor};

pub(super) fn lower(source: &str) -> Arc<Kernel> {
    let function = Module::from_wgsl(source).unwrap().function("main", &[]).unwrap();
    match function.body() {
        Body::Kernel(kernel) => Arc::clone(kernel),
        Body::Host(_) => panic!("a shader is no closure"),
    }
}

fn bits(floats: &[f32]) -> Vec<u32> {
    floats.iter().map(|float| float.to_bits()).collect()
}

fn numbers(count: usize) -> Vec<f32> {
    (0..count as u32).map(|index| (index.wrapping_mul(0x9e37_79b9) >> 8) as f32 / 65536.0 - 128.0).collect()
}

#[test]
fn matrices_multiply() {
    const N: usize = 24;
    let kernel = lower(
        "@group(0) @binding(0) var<storage, read> a: array<f32>;
         @group(0) @binding(1) var<storage, read> b: array<f32>;
         @group(0) @binding(2) var<storage, read_write> out: array<f32>;
         @compute @workgroup_size(8, 8)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             var sum = 0.0;
             for (var k = 0u; k < 24u; k++) { sum += a[id.y * 24u + k] * b[k * 24u + id.x]; }
             out[id.y * 24u + id.x] = sum;
         }",
    );
    let (a, b) = (numbers(N * N), numbers(2 * N * N).split_off(N * N));
    let out = run(&kernel, &[bits(&a), bits(&b), vec![0; N * N]], grid([3, 3, 1]));
    for (index, &word) in out[2].iter().enumerate() {
        let (y, x) = (index / N, index % N);
        let sum = (0..N).fold(0.0, |sum, k| sum + a[y * N + k] * b[k * N + x]);
        assert_eq!(word, sum.to_bits(), "at {x}, {y}");
    }
}

#[test]
fn a_tree_reduces() {
    let kernel = lower(
        "@group(0) @binding(0) var<storage, read> source: array<f32>;
         @group(0) @binding(1) var<storage, read_write> out: array<f32>;
         var<workgroup> partial: array<f32, 64>;
         @compute @workgroup_size(64)
         fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
             partial[lane] = source[group.x * 64u + lane];
             workgroupBarrier();
             for (var step = 32u; step > 0u; step >>= 1u) {
                 if (lane < step) { partial[lane] += partial[lane + step]; }
                 workgroupBarrier();
             }
             if (lane == 0u) { out[group.x] = partial[0]; }
         }",
    );
    let source = numbers(64 * 5);
    let out = run(&kernel, &[bits(&source), vec![0; 5]], grid([5, 1, 1]));
    for group in 0..5 {
        let mut partial = source[group * 64..][..64].to_vec();
        for step in [32, 16, 8, 4, 2, 1] {
            for lane in 0..step {
                partial[lane] += partial[lane + step];
            }
        }
        assert_eq!(out[1][group], partial[0].to_bits());
    }
}

#[test]
fn a_histogram_counts() {
    let kernel = lower(
        "@group(0) @binding(0) var<storage, read> source: array<u32>;
         @group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>>;
         var<workgroup> local: array<atomic<u32>, 16>;
         @compute @workgroup_size(50)
         fn main(@builtin(local_invocation_index) lane: u32, @builtin(global_invocation_id) id: vec3<u32>) {
             if (id.x < arrayLength(&source)) {
                 var word = source[id.x];
                 for (var k = 0; k < 8; k++) { atomicAdd(&local[word & 15u], 1u); word >>= 4u; }
             }
             workgroupBarrier();
             if (lane < 16u) { atomicAdd(&bins[lane], atomicLoad(&local[lane])); }
         }",
    );
    let source: Vec<u32> = (0..333_u32).map(|index| index.wrapping_mul(0x9e37_79b9)).collect();
    let mut expected = vec![0; 16];
    for word in &source {
        (0..8).for_each(|nibble| expected[(word >> (4 * nibble) & 15) as usize] += 1);
    }
    let out = run(&kernel, &[source, vec![0; 16]], grid([7, 1, 1]));
    assert_eq!(out[1], expected);
}

#[test]
fn mandelbrot_diverges() {
    let kernel = lower(
        "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
         @compute @workgroup_size(16, 4)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             let cx = f32(id.x) / 64.0 * 3.0 - 2.25;
             let cy = f32(id.y) / 64.0 * 3.0 - 1.5;
             var x = 0.0;
             var y = 0.0;
             var n = 0u;
             while (n < 100u && x * x + y * y <= 4.0) {
                 let next = x * x - y * y + cx;
                 y = 2.0 * x * y + cy;
                 x = next;
                 n++;
             }
             out[id.y * 64u + id.x] = n;
         }",
    );
    let out = run(&kernel, &[vec![0; 64 * 64]], grid([4, 16, 1]));
    for (index, &found) in out[0].iter().enumerate() {
        let (cx, cy) = ((index % 64) as f32 / 64.0 * 3.0 - 2.25, (index / 64) as f32 / 64.0 * 3.0 - 1.5);
        let (mut x, mut y, mut n) = (0_f32, 0_f32, 0);
        while n < 100 && x * x + y * y <= 4.0 {
            (x, y) = (x * x - y * y + cx, 2.0 * x * y + cy);
            n += 1;
        }
        assert_eq!(found, n, "at {index}");
    }
}

const BLUR: [f32; 5] = [0.0625, 0.25, 0.375, 0.25, 0.0625];
const SIDE: usize = 37;

/// A 5 × 5 blur of packed texels, summed in the order of the kernels below.
fn blurred(source: &[u32], x: usize, y: usize) -> u32 {
    let mut sum = [0_f32; 4];
    for (dy, vertical) in BLUR.iter().enumerate() {
        for (dx, horizontal) in BLUR.iter().enumerate() {
            let clamp = |at: usize| at.saturating_sub(2).min(SIDE - 1);
            let texel = source[clamp(y + dy) * SIDE + clamp(x + dx)].to_le_bytes();
            for (sum, texel) in sum.iter_mut().zip(texel) {
                *sum += f32::from(texel) / 255.0 * (horizontal * vertical);
            }
        }
    }
    u32::from_le_bytes(sum.map(|value| (value.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8))
}

fn picture() -> Vec<u32> {
    (0..(SIDE * SIDE) as u32).map(|index| index.wrapping_mul(0x9e37_79b9)).collect()
}

/// The largest difference of two packed texels in any component.
fn distance(a: u32, b: u32) -> u8 {
    let pairs = a.to_le_bytes().into_iter().zip(b.to_le_bytes());
    pairs.map(|(a, b)| a.abs_diff(b)).max().unwrap()
}

#[test]
fn a_buffer_is_blurred() {
    let kernel = lower(
        "@group(0) @binding(0) var<storage, read> source: array<u32>;
         @group(0) @binding(1) var<storage, read_write> out: array<u32>;
         fn weight(d: i32) -> f32 {
             if (d == 0) { return 0.375; }
             if (d == 1 || d == -1) { return 0.25; }
             return 0.0625;
         }
         @compute @workgroup_size(8, 8)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             if (any(id.xy >= vec2<u32>(37u))) { return; }
             var sum = vec4<f32>(0.0);
             for (var dy = -2; dy <= 2; dy++) {
                 for (var dx = -2; dx <= 2; dx++) {
                     let x = clamp(i32(id.x) + dx, 0, 36);
                     let y = clamp(i32(id.y) + dy, 0, 36);
                     sum += unpack4x8unorm(source[y * 37 + x]) * (weight(dx) * weight(dy));
                 }
             }
             out[id.y * 37u + id.x] = pack4x8unorm(sum);
         }",
    );
    let source = picture();
    let out = run(&kernel, &[source.clone(), vec![0; SIDE * SIDE]], grid([5, 5, 1]));
    for (index, &found) in out[1].iter().enumerate() {
        // WGSL packs by floor(0.5 + 255 x), which differs from the nearest even at a tie only.
        let expected = blurred(&source, index % SIDE, index / SIDE);
        assert!(distance(found, expected) <= 1, "at {index}: {found:#x}, not {expected:#x}");
    }
}

fn rgba8(side: usize) -> TextureShape {
    TextureShape {
        format: PixelFormat::Rgba8Unorm,
        width: side as u32,
        height: side as u32,
        mips: 1,
        slices: 1,
    }
}

pub(super) fn view<'a>(words: &'a [AtomicU32], shape: &TextureShape) -> TexelView<'a> {
    TexelView::of_words(words, &TextureLayout::new(shape), shape.format, 0..shape.mips, 0..shape.slices)
}

/// Words for a texture, the given ones first.
fn texture(shape: &TextureShape, texels: &[u32]) -> Vec<AtomicU32> {
    let mut all = texels.to_vec();
    all.resize(TextureLayout::new(shape).bytes() as usize / 4, 0);
    words(&all)
}

#[test]
fn a_texture_is_blurred() {
    let kernel = lower(
        "@group(0) @binding(0) var source: texture_2d<f32>;
         @group(0) @binding(1) var out: texture_storage_2d<rgba8unorm, write>;
         @compute @workgroup_size(16, 4)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             var weights = array<f32, 5>(0.0625, 0.25, 0.375, 0.25, 0.0625);
             var sum = vec4<f32>(0.0);
             let size = vec2<i32>(textureDimensions(source));
             for (var dy = 0; dy < 5; dy++) {
                 for (var dx = 0; dx < 5; dx++) {
                     let at = clamp(vec2<i32>(id.xy) + vec2<i32>(dx - 2, dy - 2), vec2<i32>(0), size - 1);
                     sum += textureLoad(source, at, 0) * (weights[dx] * weights[dy]);
                 }
             }
             textureStore(out, id.xy, sum);
         }",
    );
    let shape = rgba8(SIDE);
    let source = picture();
    let (from, to) = (texture(&shape, &source), texture(&shape, &[]));
    let bound = [BoundResource::Texture(view(&from, &shape)), BoundResource::Texture(view(&to, &shape))];
    run_bound(&kernel, &bound, grid([3, 10, 1])).unwrap();
    for (index, &found) in read(&to)[..SIDE * SIDE].iter().enumerate() {
        assert_eq!(found, blurred(&source, index % SIDE, index / SIDE), "at {index}");
    }
}

/// Twice as large by bilinear sampling, the level taken from a lane-dependent expression.
#[test]
fn a_texture_is_sampled() {
    let kernel = lower(
        "@group(0) @binding(0) var source: texture_2d<f32>;
         @group(0) @binding(1) var smooth_clamped: sampler;
         @group(0) @binding(2) var out: texture_storage_2d<rgba32float, write>;
         @compute @workgroup_size(8, 8)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             let at = (vec2<f32>(id.xy) + 0.5) / 74.0;
             textureStore(out, id.xy, textureSampleLevel(source, smooth_clamped, at, f32(id.x) * 0.0));
         }",
    );
    let shape = rgba8(SIDE);
    let large = TextureShape { format: PixelFormat::Rgba32Float, width: 74, height: 74, mips: 1, slices: 1 };
    let source = picture();
    let sampler =
        SamplerDescriptor { min_filter: Filter::Linear, mag_filter: Filter::Linear, ..Default::default() };
    let (from, to) = (texture(&shape, &source), texture(&large, &[]));
    let bound = [
        BoundResource::Texture(view(&from, &shape)),
        BoundResource::Sampler(&sampler),
        BoundResource::Texture(view(&to, &large)),
    ];
    run_bound(&kernel, &bound, grid([10, 10, 1])).unwrap();
    let component = |x: i32, y: i32, component: usize| {
        let clamp = |at: i32| at.clamp(0, SIDE as i32 - 1) as usize;
        f32::from(source[clamp(y) * SIDE + clamp(x)].to_le_bytes()[component]) / 255.0
    };
    for (index, &found) in read(&to)[..74 * 74 * 4].iter().enumerate() {
        let (x, y, which) = (index / 4 % 74, index / 4 / 74, index % 4);
        let (u, v) = ((x as f32 + 0.5) / 2.0 - 0.5, (y as f32 + 0.5) / 2.0 - 0.5);
        let (column, row) = (u.floor() as i32, v.floor() as i32);
        let (fx, fy) = (u - u.floor(), v - v.floor());
        let upper = component(column, row, which) * (1.0 - fx) + component(column + 1, row, which) * fx;
        let lower =
            component(column, row + 1, which) * (1.0 - fx) + component(column + 1, row + 1, which) * fx;
        let expected = upper * (1.0 - fy) + lower * fy;
        assert!((f32::from_bits(found) - expected).abs() < 1e-4, "at {x}, {y}: not {expected}");
    }
}
