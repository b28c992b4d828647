@group(0) @binding(0) var source: texture_2d<f32>;
@group(0) @binding(1) var out: texture_storage_2d<rgba8unorm, write>;

fn weight(d: i32) -> f32 {
    if (d == 0) { return 0.375; }
    if (d == 1 || d == -1) { return 0.25; }
    return 0.0625;
}

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var sum = vec4<f32>(0.0);
    for (var dy = -2; dy <= 2; dy++) {
        for (var dx = -2; dx <= 2; dx++) {
            let at = clamp(vec2<i32>(id.xy) + vec2<i32>(dx, dy), vec2<i32>(0), vec2<i32>(2047));
            sum += textureLoad(source, at, 0) * (weight(dx) * weight(dy));
        }
    }
    textureStore(out, id.xy, sum);
}
