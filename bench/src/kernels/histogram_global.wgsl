@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let word = source[id.y * 65536u + id.x];
    atomicAdd(&bins[word & 255u], 1u);
    atomicAdd(&bins[(word >> 8u) & 255u], 1u);
    atomicAdd(&bins[(word >> 16u) & 255u], 1u);
    atomicAdd(&bins[word >> 24u], 1u);
}
