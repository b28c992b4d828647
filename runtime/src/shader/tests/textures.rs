//! Texels, samples and sizes: what a kernel asks for reaches the device, and comes back in the right components.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::harness::run_bound;
use super::kernel;
use crate::backend::cpu::interpreter::BoundResource;
use crate::backend::cpu::texel::{TexelView, TextureLayout};
use crate::record::TextureShape;
use crate::{CompareFunction, Filter, MipFilter, PixelFormat, SamplerDescriptor};

/// A texture with its own memory.
struct Texture {
    shape: TextureShape,
    words: Vec<AtomicU32>,
}

impl Texture {
    /// Each texel's red is `10000 * level + 1000 * slice + 10 * y + x`, for formats of one 32-bit component.
    fn numbered(format: PixelFormat, [width, height]: [u32; 2], mips: u32, slices: u32) -> Self {
        let shape = TextureShape { format, width, height, mips, slices };
        let layout = TextureLayout::new(&shape);
        let words: Vec<AtomicU32> = (0..layout.bytes() / 4).map(|_| AtomicU32::new(0)).collect();
        if format.bytes_per_texel() == 4 {
            for (mip, slice) in (0..mips).flat_map(|mip| (0..slices).map(move |slice| (mip, slice))) {
                let image = layout.image(mip, slice);
                for (y, x) in (0..image.height).flat_map(|y| (0..image.width).map(move |x| (y, x))) {
                    let number = 10_000 * mip + 1000 * slice + 10 * y + x;
                    let at = image.offset / 4 + u64::from(y) * image.row_bytes / 4 + u64::from(x);
                    let word =
                        if format == PixelFormat::R32Float { (number as f32).to_bits() } else { number };
                    words[at as usize].store(word, Relaxed);
                }
            }
        }
        Self { shape, words }
    }

    fn bound(&self) -> BoundResource<'_> {
        let Self { shape, words } = self;
        let layout = TextureLayout::new(shape);
        BoundResource::Texture(TexelView::of_words(
            words,
            &layout,
            shape.format,
            0..shape.mips,
            0..shape.slices,
        ))
    }

    fn words(&self) -> Vec<u32> {
        self.words.iter().map(|word| word.load(Relaxed)).collect()
    }
}

const LINEAR: SamplerDescriptor = SamplerDescriptor {
    min_filter: Filter::Linear,
    mag_filter: Filter::Linear,
    mip_filter: MipFilter::Linear,
    s_address_mode: crate::AddressMode::ClampToEdge,
    t_address_mode: crate::AddressMode::ClampToEdge,
    lod_min_clamp: 0.0,
    lod_max_clamp: f32::MAX,
    normalized_coordinates: true,
    compare_function: None,
};

/// Runs one lane of `body` with `out` at (0, 0) and resources after it; returns the first floats of `out`.
fn floats(declarations: &str, body: &str, resources: &[BoundResource<'_>], count: usize) -> Vec<f32> {
    let source = format!(
        "@group(0) @binding(0) var<storage, read_write> out: array<f32, 16>; {declarations}
         @compute @workgroup_size(1) fn main() {{ {body} }}"
    );
    let out: Vec<AtomicU32> = (0..16).map(|_| AtomicU32::new(0)).collect();
    let mut bound = vec![BoundResource::Buffer(&out)];
    bound.extend_from_slice(resources);
    run_bound(&kernel(&source), &bound, [1, 1, 1]);
    out[..count].iter().map(|word| f32::from_bits(word.load(Relaxed))).collect()
}

#[test]
fn texels_by_coordinates() {
    let texture = Texture::numbered(PixelFormat::R32Uint, [4, 3], 2, 3);
    let declarations = "@group(0) @binding(1) var t: texture_2d_array<u32>;";
    let body = "out[0] = f32(textureLoad(t, vec2(3, 2), 1, 0).x); out[1] = f32(textureLoad(t, vec2(1u, 0u), 2u, 1u).x);
                let t4 = textureLoad(t, vec2(0), 0, 0); out[2] = f32(t4.y + t4.z); out[3] = f32(t4.w);
                out[4] = f32(textureLoad(t, vec2(4, 0), 0, 0).x + textureLoad(t, vec2(-1, 0), 0, 0).x);
                out[5] = f32(textureLoad(t, vec2(0, 0), 3, 0).x + textureLoad(t, vec2(0), 1, 2).x);";
    let found = floats(declarations, body, &[texture.bound()], 6);
    assert_eq!(found, [1023.0, 12_001.0, 0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn sizes() {
    let texture = Texture::numbered(PixelFormat::R32Float, [8, 6], 3, 5);
    let declarations = "@group(0) @binding(1) var t: texture_2d_array<f32>;";
    let body = "let s = textureDimensions(t); let l = textureDimensions(t, 1); let last = textureDimensions(t, 2u);
                out[0] = f32(s.x); out[1] = f32(s.y); out[2] = f32(l.x); out[3] = f32(l.y); out[4] = f32(last.y);
                out[5] = f32(textureNumLevels(t)); out[6] = f32(textureNumLayers(t));";
    let found = floats(declarations, body, &[texture.bound()], 7);
    assert_eq!(found, [8.0, 6.0, 4.0, 3.0, 1.0, 3.0, 5.0]);
}

#[test]
fn stores() {
    let output = Texture::numbered(PixelFormat::Rgba8Unorm, [4, 2], 1, 2);
    output.words.iter().for_each(|word| word.store(0, Relaxed));
    let both = Texture::numbered(PixelFormat::R32Uint, [4, 2], 1, 1);
    let source = "@group(0) @binding(0) var o: texture_storage_2d_array<rgba8unorm, write>;
                  @group(0) @binding(1) var b: texture_storage_2d<r32uint, read_write>;
                  fn put(at: vec2<u32>) { textureStore(o, at, 1, vec4(1.0, 0.0, 0.5, 0.25)); }
                  @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
                      if (i % 2u == 0u) { put(vec2(i, 1u)); }
                      textureStore(o, vec2(7, 0), 0, vec4(1.0));
                      textureStore(b, vec2(i, 1u), textureLoad(b, vec2(i, 1u)) * 2u);
                  }";
    run_bound(&kernel(source), &[output.bound(), both.bound()], [1, 1, 1]);
    let layout = TextureLayout::new(&output.shape);
    let start = (layout.image(0, 1).offset / 4) as usize;
    let found = output.words();
    assert_eq!(found[start..start + 8], [0, 0, 0, 0, 0x4080_00ff, 0, 0x4080_00ff, 0]);
    assert!(found[..start].iter().all(|&word| word == 0));
    assert_eq!(both.words()[..8], [0, 1, 2, 3, 20, 22, 24, 26]);
}

#[test]
fn samples_at_a_level() {
    let texture = Texture::numbered(PixelFormat::R32Float, [4, 4], 3, 2);
    let declarations =
        "@group(0) @binding(1) var t: texture_2d_array<f32>; @group(0) @binding(2) var s: sampler;";
    // The middle of level 0 is the mean of texels 11, 12, 21, 22; of level 1 that of 0, 1, 10, 11.
    let body = "let m = vec2(0.5); out[0] = textureSampleLevel(t, s, m, 0, 0.0).x; out[1] = textureSampleLevel(t, s, m, 1u, 1.0).x;
                out[2] = textureSampleLevel(t, s, m, 0, 0.5).x; out[3] = textureSampleLevel(t, s, m, 0, 0.0, vec2(1, -1)).x;
                out[4] = textureSampleLevel(t, s, vec2(0.125, 0.875), 9, 0.0).x;
                out[5] = textureSampleGrad(t, s, m, 0, vec2(0.5, 0.0), vec2(0.0, 0.25)).x;
                out[6] = textureSampleGrad(t, s, m, 0, vec2(0.0), vec2(0.0)).x;
                out[7] = textureSampleLevel(t, s, m, 0, 0.0).w;";
    let found = floats(declarations, body, &[texture.bound(), BoundResource::Sampler(&LINEAR)], 8);
    let (zero, one) = (16.5, 10_005.5);
    assert_eq!(found, [zero, one + 1000.0, (zero + one) / 2.0, zero - 9.0, 1030.0, one, zero, 1.0]);
}

#[test]
fn base_clamped_to_its_edge() {
    let texture = Texture::numbered(PixelFormat::R32Float, [4, 4], 1, 1);
    let repeat = crate::AddressMode::Repeat;
    let sampler = SamplerDescriptor { s_address_mode: repeat, t_address_mode: repeat, ..LINEAR };
    let declarations = "@group(0) @binding(1) var t: texture_2d<f32>; @group(0) @binding(2) var s: sampler;";
    let body = "out[0] = textureSampleBaseClampToEdge(t, s, vec2(0.0)).x; out[1] = textureSampleBaseClampToEdge(t, s, vec2(9.0, 0.5)).x;";
    let found = floats(declarations, body, &[texture.bound(), BoundResource::Sampler(&sampler)], 2);
    assert_eq!(found, [0.0, 18.0]);
}

#[test]
fn depth_and_comparison() {
    let texture = Texture::numbered(PixelFormat::R32Float, [2, 2], 2, 1);
    let shadow = SamplerDescriptor { compare_function: Some(CompareFunction::Less), ..LINEAR };
    let declarations = "@group(0) @binding(1) var d: texture_depth_2d; @group(0) @binding(2) var c: sampler_comparison; @group(0) @binding(3) var s: sampler;";
    // The reference is less than three of the texels 0, 1, 10, 11.
    let body = "out[0] = textureSampleCompareLevel(d, c, vec2(0.5), 0.5); out[1] = textureSampleCompareLevel(d, c, vec2(0.5), 10.5, vec2(-1, 0));
                out[2] = textureSampleLevel(d, s, vec2(0.5), 1u); out[3] = textureSampleLevel(d, s, vec2(0.5), 0i); out[4] = textureLoad(d, vec2(1, 0), 0);
                let g = textureGatherCompare(d, c, vec2(0.5), 5.0); out[5] = g.x; out[6] = g.y; out[7] = g.z; out[8] = g.w;
                let h = textureGather(d, s, vec2(0.5)); out[9] = h.x; out[10] = h.y; out[11] = h.z; out[12] = h.w;";
    let resources = [texture.bound(), BoundResource::Sampler(&shadow), BoundResource::Sampler(&LINEAR)];
    let found = floats(declarations, body, &resources, 13);
    assert_eq!(found, [0.75, 0.0, 10_000.0, 5.5, 1.0, 1.0, 1.0, 0.0, 0.0, 10.0, 11.0, 1.0, 0.0]);
}

#[test]
fn gathers_of_a_component() {
    let texture = Texture::numbered(PixelFormat::R32Float, [4, 4], 1, 2);
    let declarations = "@group(0) @binding(1) var t: texture_2d_array<f32>; @group(0) @binding(2) var s: sampler;
                        fn look(t: texture_2d_array<f32>, s: sampler, at: vec2<f32>) -> vec4<f32> { return textureGather(0, t, s, at, 1, vec2(1, 0)); }";
    let body = "let g = look(t, s, vec2(0.5)); out[0] = g.x; out[1] = g.y; out[2] = g.z; out[3] = g.w;
                let a = textureGather(3, t, s, vec2(0.5), 0); out[4] = a.x + a.y + a.z + a.w; out[5] = textureGather(1, t, s, vec2(0.5), 0).x;";
    let found = floats(declarations, body, &[texture.bound(), BoundResource::Sampler(&LINEAR)], 6);
    assert_eq!(found, [1022.0, 1023.0, 1013.0, 1012.0, 4.0, 0.0]);
}

#[test]
fn integer_and_float_textures() {
    let words = Texture::numbered(PixelFormat::Rgba32Uint, [1, 1], 1, 1);
    (0..4).for_each(|at| words.words[at].store(at as u32 + 7, Relaxed));
    let half = Texture::numbered(PixelFormat::Rgba8Unorm, [1, 1], 1, 1);
    half.words[0].store(0xff80_4000, Relaxed);
    let declarations =
        "@group(0) @binding(1) var u: texture_2d<u32>; @group(0) @binding(2) var f: texture_2d<f32>;";
    let body = "let a = textureLoad(u, vec2(0), 0); let b = textureLoad(f, vec2(0), 0);
                for (var k = 0; k < 4; k++) { out[k] = f32(a[k]); out[k + 4] = b[k] * 255.0; }";
    let found = floats(declarations, body, &[words.bound(), half.bound()], 8);
    assert_eq!(found[..4], [7.0, 8.0, 9.0, 10.0]);
    assert!(found[4..].iter().zip([0.0, 64.0, 128.0, 255.0]).all(|(a, b)| (a - b).abs() < 1e-3), "{found:?}");
}
