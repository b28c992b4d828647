//! Control flow, memory, calls, atomics and barriers: small kernels, and what plain Rust makes of them.

use super::harness::{run, run_with};

/// Runs a kernel of 16 lanes with a buffer of 64 words, `data`, that counts from 0.
fn data(body: &str) -> Vec<u32> {
    data_with("", body)
}

fn data_with(declarations: &str, body: &str) -> Vec<u32> {
    let source = format!(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
         {declarations}
         @compute @workgroup_size(16) fn main(@builtin(local_invocation_index) i: u32) {{ {body} }}"
    );
    run(&source, &[(0..64).collect()], [1, 1, 1]).remove(0)
}

fn expect(found: &[u32], lanes: u32, expected: impl Fn(u32) -> u32) {
    let expected: Vec<u32> = (0..lanes).map(expected).collect();
    assert_eq!(found[..lanes as usize], expected);
}

#[test]
fn branches() {
    let found =
        data("if (i < 4u) { data[i] = 1u; } else if (i < 8u) { data[i] = 2u; } else { data[i] = 3u; }");
    expect(&found, 16, |i| {
        if i < 4 {
            1
        } else if i < 8 {
            2
        } else {
            3
        }
    });
    let found = data("var x = 5u; if (i > 7u) { x = 9u; } data[i] = x;");
    expect(&found, 16, |i| if i > 7 { 9 } else { 5 });
    let found =
        data("var x = i; var y = 1u; if (i % 2u == 0u) { let t = x; x = y; y = t; } data[i] = x * 100u + y;");
    expect(&found, 16, |i| if i % 2 == 0 { 100 + i } else { i * 100 + 1 });
    let found = data("if (i > 3u && data[i] % 2u == 0u) { data[i] = 77u; }");
    expect(&found, 16, |i| if i > 3 && i % 2 == 0 { 77 } else { i });
}

#[test]
fn switches() {
    let found = data(
        "switch i { case 1u: { data[i] = 10u; } case 2u, 3u: { if (i == 3u) { break; } data[i] = 20u; }
                    default: { data[i] = 30u; } case 5u: { data[i] = 50u; } }
         data[i] += 1u;",
    );
    expect(&found, 16, |i| match i {
        1 => 11,
        2 => 21,
        3 => 4,
        5 => 51,
        _ => 31,
    });
    let found = data(
        "switch i32(i) - 3 { case -1: { data[i] = 1u; } case 0, default: { data[i] = 2u; } case 4: { return; } } data[i] *= 2u;",
    );
    expect(&found, 16, |i| match i {
        2 => 2,
        7 => 7,
        _ => 4,
    });
    let found = data(
        "for (var k = 0u; k < 5u; k++) { switch k { case 2u: { continue; } case 4u: { break; } default: { data[i] += 10u; } } data[i] += 1u; }",
    );
    // k = 0, 1, 3 add 11; 4 adds 1; 2 nothing.
    expect(&found, 16, |i| i + 34);
}

#[test]
fn loops() {
    let found = data("var s = 0u; for (var k = 0u; k <= i; k++) { s += k; } data[i] = s;");
    expect(&found, 16, |i| i * (i + 1) / 2);
    let found = data(
        "var s = 0u; var k = i; while (k > 0u) { if (k % 3u == 0u) { k -= 1u; continue; } s += k; k -= 1u; } data[i] = s;",
    );
    expect(&found, 16, |i| (0..=i).filter(|k| k % 3 != 0).sum());
    let found = data(
        "var k = 0u; loop { if (k == i) { break; } k++; continuing { data[i] += 2u; break if k >= 8u; } } data[i] += 1000u * k;",
    );
    expect(&found, 16, |i| i + 2 * i.min(8) + 1000 * i.min(8));
    let found = data(
        "var s = 0u;
         for (var a = 0u; a < 4u; a++) { for (var b = 0u; b < 6u; b++) { if (b > i) { break; } if (a == 2u) { continue; } s += a * 10u + b; } if (a == i) { break; } }
         data[i] = s;",
    );
    expect(&found, 16, |i| {
        let mut s = 0;
        for a in 0..4 {
            for b in 0..6 {
                if b > i {
                    break;
                }
                if a != 2 {
                    s += a * 10 + b;
                }
            }
            if a == i {
                break;
            }
        }
        s
    });
}

#[test]
fn continuing_sees_the_body() {
    let found = data(
        "var s = 0u; var k = 0u; loop { let step = k % 3u + 1u; if (i == 3u) { break; } s += step; continuing { k += step; break if k > 10u; } } data[i] = s * 100u + k;",
    );
    expect(&found, 16, |i| {
        let (mut s, mut k) = (0, 0);
        loop {
            let step = k % 3 + 1;
            if i == 3 {
                break;
            }
            s += step;
            k += step;
            if k > 10 {
                break;
            }
        }
        s * 100 + k
    });
}

#[test]
fn variables_in_loops_start_anew() {
    let found = data(
        "var s = 0u; for (var k = 0u; k < 3u; k++) { var x: u32; var y = 5u; x += k; y += x; s += y; } data[i] = s;",
    );
    expect(&found, 16, |_| 5 + 6 + 7);
    let declarations = "fn f(k: u32) -> u32 { var table: array<u32, 8>; table[k % 8u] += 1u; var n = 0u; for (var j = 0u; j < 8u; j++) { n += table[j]; } return n; }";
    let found =
        data_with(declarations, "var s = 0u; for (var k = 0u; k < 4u; k++) { s += f(k + i); } data[i] = s;");
    expect(&found, 16, |_| 4);
    let declarations = "fn f(k: u32) -> u32 { var table: array<u32, 40>; table[k] += 1u; var n = 0u; for (var j = 0u; j < 40u; j++) { n += table[j]; } return n; }";
    let found = data_with(
        declarations,
        "var s = 0u; for (var k = 0u; k < 4u; k++) { s += f(k + i); } s += f(1u); data[i] = s;",
    );
    expect(&found, 16, |_| 5);
}

#[test]
fn functions_return_early() {
    let declarations = "fn f(x: u32) -> u32 { if (x > 10u) { return 1u; } for (var k = 0u; k < 5u; k++) { if (k == x) { return 100u + k; } } return 2u; }
                        fn g(x: u32) -> u32 { return f(x) + f(x + 1u); }";
    let f = |x: u32| {
        if x > 10 {
            1
        } else if x < 5 {
            100 + x
        } else {
            2
        }
    };
    let found = data_with(declarations, "data[i] = g(i);");
    expect(&found, 16, |i| f(i) + f(i + 1));
    let found = data("if (i > 5u) { return; } data[i] = 9u;");
    expect(&found, 16, |i| if i > 5 { i } else { 9 });
}

#[test]
fn pointers_as_arguments() {
    let declarations = "struct S { a: u32, b: array<u32, 3> }
                        fn bump(p: ptr<function, u32>, by: u32) { *p += by; }
                        fn put(p: ptr<function, S>, at: u32, to: u32) { (*p).b[at] = to; (*p).a += 1u; }
                        fn total(s: S) -> u32 { return s.a + s.b[0] * 10u + s.b[1] * 100u + s.b[2] * 1000u; }";
    let found = data_with(
        declarations,
        "var x = i; bump(&x, 3u); var s: S; s.a = x; put(&s, i % 3u, 7u); bump(&s.b[1], 1u); data[i] = total(s);",
    );
    expect(&found, 16, |i| {
        let mut b = [0; 3];
        b[(i % 3) as usize] = 7;
        b[1] += 1;
        i + 4 + b[0] * 10 + b[1] * 100 + b[2] * 1000
    });
    let declarations = "var<private> scale: u32 = 3u; fn twice(p: ptr<private, u32>) { *p *= 2u; }";
    let found = data_with(declarations, "twice(&scale); data[i] = scale + i;");
    expect(&found, 16, |i| 6 + i);
}

#[test]
fn aggregates() {
    let declarations = "struct P { xy: vec2<u32>, z: u32 } struct Q { p: array<P, 2>, m: mat2x2<f32>, on: bool }
                        fn make(i: u32) -> Q { return Q(array<P, 2>(P(vec2(i, 1u), 2u), P(vec2(3u, i), 5u)), mat2x2(1.0, 2.0, 3.0, f32(i)), i > 4u); }";
    let body = "let q = make(i); var r = q; r.p[1] = r.p[0]; r.m[1].y += 1.0; r.p[0].xy.y = 8u; let k = i % 2u;
                data[i] = r.p[k].xy.x + r.p[k].xy.y * 10u + q.p[1].z * 100u + u32(r.m[1][1]) * 1000u + select(0u, 100000u, r.on);";
    let found = data_with(declarations, body);
    expect(&found, 16, |i| {
        let y = if i % 2 == 0 { 8 } else { 1 };
        i + y * 10 + 500 + (i + 1) * 1000 + if i > 4 { 100_000 } else { 0 }
    });
}

#[test]
fn dynamic_indices_stay_inside() {
    let found =
        data("var a = array<u32, 4>(10u, 20u, 30u, 40u); a[i] += 1u; data[i] = a[0] + a[1] + a[2] + a[3];");
    expect(&found, 16, |_| 101);
    let found = data("var v = vec3<u32>(1u, 2u, 3u); v[i] = 9u; data[i] = v.x * 100u + v.y * 10u + v.z;");
    expect(&found, 16, |i| [923, 193, 129][i.min(2) as usize]);
    let found = data("let table = array<u32, 5>(3u, 1u, 4u, 1u, 5u); data[i] = table[i];");
    expect(&found, 16, |i| [3, 1, 4, 1, 5][i.min(4) as usize]);
    let found =
        data("let a = array<u32, 6>(i, 1u, 2u, 3u, 4u, i * 2u); data[i] = a[i % 6u] + a[5u - i % 6u];");
    expect(&found, 16, |i| {
        let a = [i, 1, 2, 3, 4, i * 2];
        a[(i % 6) as usize] + a[(5 - i % 6) as usize]
    });
    let found = data(
        "var m = mat3x2<f32>(1.0, 2.0, 3.0, 4.0, 5.0, 6.0); m[i % 3u][i % 2u] = 0.0; let c = m[i % 3u]; data[i] = u32(c.x * 10.0 + c.y);",
    );
    expect(&found, 16, |i| {
        let mut m = [[1, 2], [3, 4], [5, 6]];
        m[(i % 3) as usize][(i % 2) as usize] = 0;
        let c = m[(i % 3) as usize];
        c[0] * 10 + c[1]
    });
    let found = data("let v = vec4<u32>(i, 5u, 6u, 7u); data[i] = v[i32(i) - 2];");
    expect(&found, 16, |i| match i {
        2 => 2,
        3 => 5,
        4 => 6,
        _ => 7,
    });
}

#[test]
fn buffers_have_no_other_limit_than_their_length() {
    let found = data("data[i * 8u] = 1u; let x = data[i + 60u]; data[i] = x;");
    expect(&found, 16, |i| if i > 3 { 0 } else { 60 + i });
    let found = data("data[i] = arrayLength(&data);");
    expect(&found, 16, |_| 64);
    let source = "struct H { count: u32, pad: vec2<u32>, items: array<vec3<u32>> }
                  @group(0) @binding(0) var<storage, read_write> h: H;
                  @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
                      h.items[i].y = arrayLength(&h.items); h.count = 5u; h.items[i + 0x10000000u].x = 9u;
                  }";
    let found = run(source, &[vec![0; 4 + 4 * 3]], [1, 1, 1]).remove(0);
    assert_eq!(found, [5, 0, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0]);
}

#[test]
fn layout_of_buffers() {
    let source = "struct U { m: mat3x3<f32>, a: array<vec2<f32>, 2>, s: f32, v: vec3<f32>, t: f32, n: mat2x2<f32>, w: array<mat4x3<f32>, 2> }
                  @group(0) @binding(0) var<storage, read> u: U;
                  @group(0) @binding(1) var<storage, read_write> out: array<f32>;
                  @compute @workgroup_size(1) fn main() {
                      out[0] = u.m[1][2]; out[1] = u.a[1].y; out[2] = u.s; out[3] = u.v.z; out[4] = u.t; out[5] = u.n[1].x; out[6] = u.w[1][3][2];
                      let whole = u; var k = 2u; out[7] = whole.w[1][k].y; out[8] = u.m[k].x;
                  }";
    // mat3x3 at 0 (columns of 4 words), a at 12, s at 16, v at 20, t at 23, n at 24, w at 28 (16 words each).
    let words: Vec<u32> = (0..60).map(|i| (i as f32).to_bits()).collect();
    let found = run(source, &[words, vec![0; 9]], [1, 1, 1]).remove(1);
    let found: Vec<f32> = found.into_iter().map(f32::from_bits).collect();
    assert_eq!(found, [6.0, 15.0, 16.0, 22.0, 23.0, 26.0, 58.0, 53.0, 8.0]);
    let source = "struct U { a: array<vec4<u32>, 2>, b: vec3<u32> } @group(0) @binding(0) var<uniform> u: U;
                  @group(0) @binding(1) var<storage, read_write> out: array<u32>;
                  @compute @workgroup_size(1) fn main() { for (var i = 0u; i < 2u; i++) { out[i] = u.a[i].z; } out[2] = u.b.y; }";
    let found = run(source, &[(0..12).collect(), vec![0; 3]], [1, 1, 1]).remove(1);
    assert_eq!(found, [2, 6, 9]);
}

#[test]
fn atomics() {
    let declarations = "";
    let source = |body: &str| {
        format!(
            "@group(0) @binding(0) var<storage, read_write> u: array<atomic<u32>, 8>;
             @group(0) @binding(1) var<storage, read_write> s: array<atomic<i32>, 8>;
             @group(0) @binding(2) var<storage, read_write> out: array<u32>;
             var<workgroup> w: atomic<u32>;
             {declarations}
             @compute @workgroup_size(16) fn main(@builtin(local_invocation_index) i: u32) {{ {body} }}"
        )
    };
    let body = "atomicAdd(&u[0], i); atomicSub(&u[1], 1u); atomicMax(&u[2], i * 3u); atomicMin(&u[3], i + 2u);
                atomicAnd(&u[4], ~(1u << i)); atomicOr(&u[5], 1u << i); atomicXor(&u[6], i); atomicStore(&u[7], 5u);
                atomicMin(&s[0], -i32(i)); atomicMax(&s[1], i32(i) - 20); atomicAdd(&s[2], -1);
                out[i] = atomicAdd(&w, 1u); workgroupBarrier(); out[i + 16u] = atomicLoad(&w) + atomicLoad(&u[7]);";
    let u = [100, 100, 7, 50, 0xffff_ffff, 0, 0, 0].to_vec();
    let s = [5, -30i32 as u32, 0, 0, 0, 0, 0, 0].to_vec();
    let found = run(&source(body), &[u, s, vec![0; 32]], [1, 1, 1]);
    assert_eq!(found[0], [220, 84, 45, 2, 0xffff_0000, 0xffff, 0, 5]);
    assert_eq!(found[1][..3], [-15i32 as u32, -5i32 as u32, -16i32 as u32]);
    let mut tickets = found[2][..16].to_vec();
    tickets.sort_unstable();
    assert_eq!(tickets, (0..16).collect::<Vec<_>>());
    assert!(found[2][16..].iter().all(|&n| n == 21), "{:?}", found[2]);
    let body = "let r = atomicCompareExchangeWeak(&u[i % 8u], 3u, i + 50u); out[i] = r.old_value * 2u + u32(r.exchanged); out[i + 16u] = atomicExchange(&s[0], 1) == 1 && i > 0u;";
    let body = body.replace("atomicExchange(&s[0], 1) == 1 && i > 0u", "u32(atomicExchange(&s[0], 1))");
    let found = run(&source(&body), &[vec![3, 0, 3, 0, 3, 0, 3, 0], vec![9; 8], vec![0; 32]], [1, 1, 1]);
    assert_eq!(found[0], [50, 0, 52, 0, 54, 0, 56, 0]);
    let expected: Vec<u32> = (0..16)
        .map(|i| {
            if i % 2 == 1 {
                0
            } else if i < 8 {
                7
            } else {
                (i - 8 + 50) * 2
            }
        })
        .collect();
    assert_eq!(found[2][..16], expected);
    assert_eq!(found[2][16..].iter().filter(|&&n| n == 9).count(), 1);
}

#[test]
fn workgroup_memory_and_barriers() {
    let declarations = "var<workgroup> tile: array<u32, 16>; var<workgroup> sum: u32;";
    let body = "tile[i] = data[i] * 2u; workgroupBarrier();
                for (var step = 8u; step > 0u; step /= 2u) { if (i < step) { tile[i] += tile[i + step]; } workgroupBarrier(); }
                if (i == 0u) { sum = tile[0]; } storageBarrier(); textureBarrier();
                let all = workgroupUniformLoad(&sum); data[i] = all + tile[15u - i] * 0u;";
    let found = data_with(declarations, body);
    expect(&found, 16, |_| 240);
}

#[test]
fn builtins() {
    let source = "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
                  struct In { @builtin(global_invocation_id) g: vec3<u32>, @builtin(num_workgroups) n: vec3<u32> }
                  @compute @workgroup_size(2, 3, 1) fn main(in: In, @builtin(local_invocation_id) l: vec3<u32>,
                          @builtin(workgroup_id) w: vec3<u32>, @builtin(local_invocation_index) i: u32) {
                      let group = w.x + w.y * in.n.x + w.z * in.n.x * in.n.y;
                      out[group * 6u + i] = in.g.x + in.g.y * 10u + in.g.z * 100u + l.x * 1000u + l.y * 10000u + in.n.z * 100000u;
                  }";
    let found = run(source, &[vec![0; 6 * 8]], [2, 2, 2]).remove(0);
    for (at, &word) in found.iter().enumerate() {
        let (group, lane) = (at as u32 / 6, at as u32 % 6);
        let (x, y, z) = (group % 2 * 2 + lane % 2, group / 2 % 2 * 3 + lane / 2, group / 4);
        assert_eq!(word, x + y * 10 + z * 100 + lane % 2 * 1000 + lane / 2 * 10_000 + 200_000, "{at}");
    }
}

#[test]
fn private_variables_and_constants() {
    let declarations = "const N = 4u; const T = array<f32, N>(0.5, 1.5, 2.5, 3.5); const V = vec3<i32>(1, -2, 3);
                        var<private> p: array<u32, 4> = array<u32, 4>(9u, 8u, 7u, 6u); var<private> q: vec2<u32>;
                        fn next() -> u32 { q.x += 1u; return q.x; }";
    let body = "p[i % N] += next() + next(); data[i] = p[0] + p[1] * 10u + p[2] * 100u + p[3] * 1000u + q.x * 10000u + u32(T[i % N]) * 100000u + u32(V[i % 3u] + 2);";
    let found = data_with(declarations, body);
    expect(&found, 16, |i| {
        let mut p = [9, 8, 7, 6];
        p[(i % 4) as usize] += 3;
        p[0] + p[1] * 10 + p[2] * 100 + p[3] * 1000 + 20_000 + i % 4 * 100_000 + [3, 0, 5][(i % 3) as usize]
    });
}

#[test]
fn assignments() {
    let found = data(
        "var v = vec4<u32>(1u, 2u, 3u, 4u); v.y = i; v[2] += 5u; let w = v.wx; _ = data[0]; v = v + vec4(1u); var x = 3u; x <<= 2u; x |= 1u; x ^= 2u; x -= 1u; x--; x %= 100u; data[i] = v.x + v.y * 10u + v.z * 1000u + w.x * 10000u + x * 100000u;",
    );
    expect(&found, 16, |i| 2 + (i + 1) * 10 + 9000 + 40_000 + 13 * 100_000);
}

#[test]
fn override_constants() {
    let source = "override size: u32 = 4u; @id(7) override scale: f32; override on: bool = false; override n = size * 2u;
                  @group(0) @binding(0) var<storage, read_write> out: array<f32>;
                  var<workgroup> w: array<f32, n>;
                  @compute @workgroup_size(size) fn main(@builtin(local_invocation_index) i: u32) {
                      w[n - 1u - i] = f32(i) * scale; workgroupBarrier(); out[i] = w[n - 1u - i] + select(0.0, 100.0, on) + f32(n);
                  }";
    let floats = |words: Vec<u32>| words.into_iter().map(f32::from_bits).collect::<Vec<_>>();
    let found = run_with(source, &[("7", 0.5)], &[vec![0; 8]], [1, 1, 1]).remove(0);
    assert_eq!(floats(found), [8.0, 8.5, 9.0, 9.5, 0.0, 0.0, 0.0, 0.0]);
    let given = [("scale", 2.0), ("size", 8.0), ("on", 1.0)];
    let found = run_with(source, &given, &[vec![0; 8]], [1, 1, 1]).remove(0);
    assert_eq!(floats(found), [116.0, 118.0, 120.0, 122.0, 124.0, 126.0, 128.0, 130.0]);
}
