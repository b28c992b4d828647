@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>>;
var<workgroup> local: array<atomic<u32>, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
    for (var k = 0u; k < 16u; k++) {
        let word = source[(group.x * 16u + k) * 256u + lane];
        atomicAdd(&local[word & 255u], 1u);
        atomicAdd(&local[(word >> 8u) & 255u], 1u);
        atomicAdd(&local[(word >> 16u) & 255u], 1u);
        atomicAdd(&local[word >> 24u], 1u);
    }
    workgroupBarrier();
    atomicAdd(&bins[lane], atomicLoad(&local[lane]));
}
