// Sums of 256 neighbours by halving.
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let g = group.y * 256u + group.x;
    partial[lane] = source[g * 256u + lane];
    workgroupBarrier();
    for (var step = 128u; step > 0u; step >>= 1u) {
        if (lane < step) { partial[lane] += partial[lane + step]; }
        workgroupBarrier();
    }
    if (lane == 0u) { out[g] = partial[0]; }
}
