// 5 x 5 binomial blur of packed rgba8, edges repeated.
@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;

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
            let x = clamp(i32(id.x) + dx, 0, 2047);
            let y = clamp(i32(id.y) + dy, 0, 2047);
            sum += unpack4x8unorm(source[y * 2048 + x]) * (weight(dx) * weight(dy));
        }
    }
    out[id.y * 2048u + id.x] = pack4x8unorm(sum);
}
