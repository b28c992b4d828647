@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let cx = f32(id.x) / 1024.0 * 3.0 - 2.25;
    let cy = f32(id.y) / 1024.0 * 3.0 - 1.5;
    var x = 0.0;
    var y = 0.0;
    var n = 0u;
    while (n < 256u && x * x + y * y <= 4.0) {
        let next = x * x - y * y + cx;
        y = 2.0 * x * y + cy;
        x = next;
        n++;
    }
    out[id.y * 1024u + id.x] = n;
}
