@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.y * 65536u + id.x;
    let x = source[i];
    out[i] = sin(x) * cos(x) + exp(-x * x) * log(1.0 + abs(x)) + sqrt(abs(x));
}
