@group(0) @binding(0) var<storage, read> bodies: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let here = bodies[id.x].xyz;
    var force = vec3<f32>(0.0);
    for (var j = 0u; j < 4096u; j++) {
        let other = bodies[j];
        let d = other.xyz - here;
        let r2 = dot(d, d) + 0.01;
        let inverse = 1.0 / sqrt(r2);
        force += d * (other.w * inverse * inverse * inverse);
    }
    out[id.x] = vec4<f32>(force, 0.0);
}
