@group(0) @binding(0) var source: texture_2d<f32>;
@group(0) @binding(1) var smooth_clamped: sampler;
@group(0) @binding(2) var out: texture_storage_2d<rgba8unorm, write>;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = (vec2<f32>(id.xy) + 0.5) / 2048.0;
    textureStore(out, id.xy, textureSampleLevel(source, smooth_clamped, at, 0.0));
}
