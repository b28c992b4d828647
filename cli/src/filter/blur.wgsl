// One direction of a separable Gaussian. A level is blurred twice: along x into the scratch texture, along y back into the level.

struct Taps {
    // (1, 0) or (0, 1): the step from texel to texel.
    direction: vec2<i32>,
    // Texels on each side of the middle.
    radius: i32,
    padding: i32,
    // The middle's weight first; the sum over both sides is 1.
    weights: array<vec4<f32>, 16>,
}

@group(0) @binding(0) var source: texture_2d<f32>;
@group(0) @binding(1) var<uniform> taps: Taps;
@group(0) @binding(2) var to_scratch: texture_storage_2d<rgba16float, write>;
@group(0) @binding(3) var to_level: texture_storage_2d<rgba8unorm, write>;

fn weight(tap: i32) -> f32 {
    return taps.weights[tap / 4][tap % 4];
}

fn blurred(middle: vec2<i32>) -> vec4<f32> {
    let last = vec2<i32>(textureDimensions(source)) - 1;
    var sum = weight(0) * textureLoad(source, middle, 0);
    for (var tap = 1; tap <= taps.radius; tap++) {
        let before = clamp(middle - tap * taps.direction, vec2(0), last);
        let after = clamp(middle + tap * taps.direction, vec2(0), last);
        sum += weight(tap) * (textureLoad(source, before, 0) + textureLoad(source, after, 0));
    }
    return sum;
}

@compute @workgroup_size(16, 8)
fn horizontal(@builtin(global_invocation_id) id: vec3<u32>) {
    if any(id.xy >= textureDimensions(source)) { return; }
    textureStore(to_scratch, id.xy, blurred(vec2<i32>(id.xy)));
}

@compute @workgroup_size(16, 8)
fn vertical(@builtin(global_invocation_id) id: vec3<u32>) {
    if any(id.xy >= textureDimensions(source)) { return; }
    textureStore(to_level, id.xy, blurred(vec2<i32>(id.xy)));
}
