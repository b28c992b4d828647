//! Kernels as text: what the optimizer must see through, and what it must not touch.
//!
//! `FENCEPOST_BLESS=1` rewrites the files.

use std::path::PathBuf;

use super::kernel;

/// Compares a kernel with `golden/<name>.txt`.
fn golden(name: &str, source: &str) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/shader/tests/golden").join(format!("{name}.txt"));
    let found = kernel(source).to_string();
    if std::env::var_os("FENCEPOST_BLESS").is_some() {
        std::fs::write(&path, &found).expect("a writable file");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{}:\n{found}", path.display());
}

#[test]
fn nothing_is_left_of_what_nobody_sees() {
    golden("nothing", "@compute @workgroup_size(1) fn main() { var x = 1u; if (x > 3u) { x += 2u; } }");
}

#[test]
fn a_bounds_test_and_a_call() {
    golden(
        "saxpy",
        "struct P { n: u32, a: f32 }
         @group(0) @binding(0) var<uniform> p: P;
         @group(0) @binding(1) var<storage, read> x: array<f32>;
         @group(0) @binding(2) var<storage, read_write> y: array<f32>;
         fn axpy(a: f32, x: f32, y: f32) -> f32 { if (a == 0.0) { return y; } return a * x + y; }
         @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             if (id.x >= p.n) { return; }
             y[id.x] = axpy(p.a, x[id.x], y[id.x]);
         }",
    );
}

#[test]
fn a_loop_keeps_only_what_changes() {
    golden(
        "matmul",
        "const N = 16u;
         @group(0) @binding(0) var<storage, read> a: array<f32>;
         @group(0) @binding(1) var<storage, read> b: array<f32>;
         @group(0) @binding(2) var<storage, read_write> c: array<f32>;
         @compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             var sum = 0.0;
             for (var k = 0u; k < N; k++) { sum += a[id.y * N + k] * b[k * N + id.x]; }
             c[id.y * N + id.x] = sum;
         }",
    );
}

#[test]
fn workgroup_indices_need_no_clamp() {
    golden(
        "reduce",
        "var<workgroup> tile: array<u32, 64>;
         @group(0) @binding(0) var<storage, read> input: array<u32>;
         @group(0) @binding(1) var<storage, read_write> total: atomic<u32>;
         @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) lane: u32, @builtin(global_invocation_id) id: vec3<u32>) {
             tile[lane] = input[id.x];
             workgroupBarrier();
             for (var step = 32u; step > 0u; step >>= 1u) {
                 if (lane < step) { tile[lane] += tile[lane + step]; }
                 workgroupBarrier();
             }
             if (lane == 0u) { atomicAdd(&total, tile[0]); }
         }",
    );
}

#[test]
fn a_blur_by_texels_and_a_table() {
    golden(
        "blur",
        "const WEIGHTS = array<f32, 3>(0.5, 0.25, 0.125);
         @group(0) @binding(0) var input: texture_2d<f32>;
         @group(0) @binding(1) var output: texture_storage_2d<rgba8unorm, write>;
         @compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             let size = vec2<i32>(textureDimensions(input));
             var sum = vec4(0.0);
             for (var d = -2; d <= 2; d++) {
                 let at = clamp(vec2<i32>(id.xy) + vec2(d, 0), vec2(0), size - 1);
                 sum += textureLoad(input, at, 0) * WEIGHTS[abs(d)];
             }
             textureStore(output, id.xy, sum);
         }",
    );
}

#[test]
fn samples_and_gathers() {
    golden(
        "samples",
        "@group(0) @binding(0) var photo: texture_2d_array<f32>;
         @group(0) @binding(1) var depth: texture_depth_2d;
         @group(0) @binding(2) var linear: sampler;
         @group(0) @binding(3) var shadow: sampler_comparison;
         @group(0) @binding(4) var<storage, read_write> out: array<vec4<f32>>;
         fn look(t: texture_2d_array<f32>, s: sampler, at: vec2<f32>) -> vec4<f32> { return textureSampleLevel(t, s, at, 1, 0.5, vec2(1, -1)); }
         @compute @workgroup_size(1) fn main() {
             let at = out[0].xy;
             out[1] = look(photo, linear, at);
             out[2] = textureSampleGrad(photo, linear, at, 2u, out[0].zw, out[3].xy);
             out[3].x = textureSampleCompareLevel(depth, shadow, at, 0.5);
             out[4] = textureGatherCompare(depth, shadow, at, 0.25) + textureGather(2, photo, linear, at, 0);
             out[5].x = textureSampleLevel(depth, linear, at, 1u) + textureLoad(depth, vec2(1, 2), 0);
             out[6].x = f32(textureNumLevels(photo) + textureNumLayers(photo)) + f32(textureDimensions(photo, 1).y);
         }",
    );
}

#[test]
fn a_variable_that_never_changes_is_a_table() {
    golden(
        "table",
        "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
         @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) i: u32) {
             var weights = array<u32, 5>(1u, 4u, 6u, 4u, 1u);
             for (var k = 0u; k < 5u; k++) { out[i] += weights[k] << i; }
         }",
    );
}
