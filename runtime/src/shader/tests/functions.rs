//! Every built-in function and operator of core WGSL, on odd and on plain arguments.
#![allow(clippy::manual_clamp, reason = "`clamp` passes NaN on, where WGSL's minimum and maximum do not")]

use half::f16;

use super::harness::{FLOATS, MODERATE, WORDS, bits, check, pairs, singles, triples};

fn f(word: u32) -> f32 {
    f32::from_bits(word)
}

fn one(value: f32) -> Vec<u32> {
    vec![value.to_bits()]
}

/// A function of one float, on all floats.
fn float1(expression: &str, tolerance: f32, expected: impl Fn(f32) -> f32) {
    let body = format!("out[at] = bitcast<u32>({expression});");
    check("", &body, 1, &singles(&bits(&FLOATS)), tolerance, |a, _, _| one(expected(f(a))));
}

/// A function of two floats, on all pairs.
fn float2(expression: &str, tolerance: f32, expected: impl Fn(f32, f32) -> f32) {
    let body = format!("out[at] = bitcast<u32>({expression});");
    let inputs = pairs(&bits(&FLOATS), &bits(&FLOATS));
    check("", &body, 1, &inputs, tolerance, |a, b, _| one(expected(f(a), f(b))));
}

/// A function of three plain floats.
fn float3(expression: &str, expected: impl Fn(f32, f32, f32) -> f32) {
    let body = format!("out[at] = bitcast<u32>({expression});");
    let inputs = triples(&bits(&MODERATE), &bits(&MODERATE), &bits(&MODERATE));
    check("", &body, 1, &inputs, 0.0, |a, b, c| one(expected(f(a), f(b), f(c))));
}

fn word1(expression: &str, expected: impl Fn(u32) -> u32) {
    let body = format!("out[at] = bitcast<u32>({expression});");
    check("", &body, 1, &singles(&WORDS), 0.0, |a, _, _| vec![expected(a)]);
}

fn word2(expression: &str, expected: impl Fn(u32, u32) -> u32) {
    let body = format!("out[at] = bitcast<u32>({expression});");
    check("", &body, 1, &pairs(&WORDS, &WORDS), 0.0, |a, b, _| vec![expected(a, b)]);
}

fn word3(expression: &str, expected: impl Fn(u32, u32, u32) -> u32) {
    let body = format!("out[at] = bitcast<u32>({expression});");
    check("", &body, 1, &triples(&WORDS, &WORDS, &WORDS), 0.0, |a, b, c| vec![expected(a, b, c)]);
}

/// Three words to as many as `expected` gives, on plain floats.
fn plain(declarations: &str, body: &str, expected: impl Fn(f32, f32, f32) -> Vec<f32>) {
    let inputs = triples(&bits(&MODERATE), &bits(&MODERATE), &bits(&MODERATE[..4]));
    let width = expected(0.0, 0.0, 0.0).len();
    check(declarations, body, width, &inputs, 0.0, |a, b, c| bits(&expected(f(a), f(b), f(c))));
}

#[test]
fn rounding() {
    float1("ceil(a)", 0.0, f32::ceil);
    float1("floor(a)", 0.0, f32::floor);
    float1("round(a)", 0.0, f32::round_ties_even);
    float1("trunc(a)", 0.0, f32::trunc);
    float1("fract(a)", 0.0, |a| a - a.floor());
    float1("abs(a)", 0.0, f32::abs);
    float1("-a", 0.0, |a| -a);
    float1("sign(a)", 0.0, |a| {
        if a > 0.0 {
            1.0
        } else if a < 0.0 {
            -1.0
        } else {
            0.0
        }
    });
    // Either zero may come out of zeros of both signs.
    float1("saturate(a)", 1e-9, |a| a.max(0.0).min(1.0));
    float1("quantizeToF16(a)", 0.0, |a| f16::from_f32(a).to_f32());
    float1("sqrt(a)", 0.0, f32::sqrt);
}

#[test]
fn transcendental_functions() {
    let share = 1e-5;
    float1("inverseSqrt(abs(a))", share, |a| 1.0 / a.abs().sqrt());
    float1("exp(clamp(a, -50.0, 50.0))", share, |a| a.max(-50.0).min(50.0).exp());
    float1("exp2(clamp(a, -50.0, 50.0))", share, |a| a.max(-50.0).min(50.0).exp2());
    let positive: Vec<f32> = FLOATS.iter().copied().filter(|&x| x > 1e-30 && x.is_finite()).collect();
    let at = |expression: &str, values: &[f32], expected: fn(f32) -> f32| {
        let body = format!("out[at] = bitcast<u32>({expression});");
        check("", &body, 1, &singles(&bits(values)), share, |a, _, _| one(expected(f(a))));
    };
    at("log(a)", &positive, f32::ln);
    at("log2(a)", &positive, f32::log2);
    at("acosh(a + 1.0)", &positive[..6], |a| (a + 1.0).acosh());
    let small = [-0.9f32, -0.5, -0.1, 0.1, 0.3, 0.5, 0.99];
    for (expression, expected) in [
        ("sin(a)", f32::sin as fn(f32) -> f32),
        ("cos(a)", f32::cos),
        ("tan(a)", f32::tan),
        ("asin(a)", f32::asin),
        ("acos(a)", f32::acos),
        ("atan(a)", f32::atan),
        ("sinh(a)", f32::sinh),
        ("cosh(a)", f32::cosh),
        ("tanh(a)", f32::tanh),
        ("asinh(a)", f32::asinh),
        ("atanh(a)", f32::atanh),
    ] {
        at(expression, &small, expected);
    }
    let inputs = pairs(&bits(&small), &bits(&small));
    check("", "out[at] = bitcast<u32>(atan2(a, b));", 1, &inputs, share, |a, b, _| one(f(a).atan2(f(b))));
    let inputs = pairs(&bits(&positive[..6]), &bits(&small));
    check("", "out[at] = bitcast<u32>(pow(a, b));", 1, &inputs, share, |a, b, _| one(f(a).powf(f(b))));
}

#[test]
fn float_operators() {
    float2("a + b", 0.0, |a, b| a + b);
    float2("a - b", 0.0, |a, b| a - b);
    float2("a * b", 0.0, |a, b| a * b);
    float2("a / b", 0.0, |a, b| a / b);
    float2("a % b", 0.0, |a, b| a % b);
    float2("step(a, b)", 0.0, |a, b| f32::from(u8::from(a <= b)));
    for (operator, expected) in [
        ("<", (|a, b| a < b) as fn(f32, f32) -> bool),
        ("<=", |a, b| a <= b),
        (">", |a, b| a > b),
        (">=", |a, b| a >= b),
        ("==", |a, b| a == b),
        ("!=", |a, b| a != b),
    ] {
        float2(&format!("select(0.0, 1.0, a {operator} b)"), 0.0, |a, b| f32::from(u8::from(expected(a, b))));
    }
    // A NaN may yield either operand, zeros either sign.
    let plain: Vec<u32> = bits(&FLOATS[2..FLOATS.len() - 1]);
    let check2 = |body: &str, expected: fn(f32, f32) -> f32| {
        check("", body, 1, &pairs(&plain, &plain), 0.0, |a, b, _| one(expected(f(a), f(b))));
    };
    check2("out[at] = bitcast<u32>(min(a, b));", f32::min);
    check2("out[at] = bitcast<u32>(max(a, b));", f32::max);
}

#[test]
fn no_contraction() {
    // Rounded twice: 1 + 2^-23 squared, less 1, differs in the last bit from the fused one.
    float3("a * b + c", |a, b, c| a * b + c);
    float3("fma(a, b, c)", f32::mul_add);
    let close = bits(&[1.000_000_1, 1.000_000_2, 0.999_999_9, -1.000_000_4]);
    let inputs = triples(&close, &close, &bits(&[-1.0, 1.0, -0.999_999_9]));
    check("", "out[at] = bitcast<u32>(a * b + c);", 1, &inputs, 0.0, |a, b, c| one(f(a) * f(b) + f(c)));
    check("", "out[at] = bitcast<u32>(fma(a, b, c));", 1, &inputs, 0.0, |a, b, c| {
        one(f(a).mul_add(f(b), f(c)))
    });
}

#[test]
fn interpolation() {
    float3("mix(a, b, c)", |a, b, c| a * (1.0 - c) + b * c);
    float3("clamp(a, min(b, c), max(b, c))", |a, b, c| a.max(b.min(c)).min(b.max(c)));
    float3("smoothstep(a, b, c)", |a, b, c| {
        let t = ((c - a) / (b - a)).max(0.0).min(1.0);
        t * t * (3.0 - 2.0 * t)
    });
    float1("radians(a)", 0.0, |a| a * (std::f32::consts::PI / 180.0));
    float1("degrees(a)", 0.0, |a| a * (180.0 / std::f32::consts::PI));
    plain(
        "",
        "let m = mix(vec2(a, b), vec2(b, c), 0.25); out[at] = bitcast<u32>(m.x); out[at + 1] = bitcast<u32>(m.y);",
        |a, b, c| vec![a * 0.75 + b * 0.25, b * 0.75 + c * 0.25],
    );
}

#[test]
fn decomposition() {
    let finite: Vec<u32> = bits(&FLOATS).into_iter().filter(|&word| f(word).is_finite()).collect();
    let body = "let m = modf(a); out[at] = bitcast<u32>(m.fract); out[at + 1] = bitcast<u32>(m.whole);";
    check("", body, 2, &singles(&finite), 0.0, |a, _, _| bits(&[f(a) - f(a).trunc(), f(a).trunc()]));
    let body = "let m = frexp(a); out[at] = bitcast<u32>(m.fract); out[at + 1] = bitcast<u32>(m.exp);";
    check("", body, 2, &singles(&finite), 0.0, |a, _, _| {
        let (mut fraction, mut exponent) = (f64::from(f(a)), 0i32);
        while fraction != 0.0 && fraction.abs() >= 1.0 {
            fraction /= 2.0;
            exponent += 1;
        }
        while fraction != 0.0 && fraction.abs() < 0.5 {
            fraction *= 2.0;
            exponent -= 1;
        }
        vec![(fraction as f32).to_bits(), exponent as u32]
    });
    let body =
        "let m = frexp(vec2(a, b)); out[at] = bitcast<u32>(m.fract.y); out[at + 1] = bitcast<u32>(m.exp.y);";
    check("", body, 2, &[[0, 12f32.to_bits(), 0]], 0.0, |_, _, _| vec![0.75f32.to_bits(), 4]);
    let exponents: Vec<u32> = [0i32, 1, -1, 10, -20].iter().map(|&e| e as u32).collect();
    let body = "out[at] = bitcast<u32>(ldexp(a, bi));";
    check("", body, 1, &pairs(&bits(&MODERATE), &exponents), 0.0, |a, b, _| one(f(a) * 2f32.powi(b as i32)));
}

#[test]
fn integer_operators() {
    word2("au + bu", u32::wrapping_add);
    word2("au - bu", u32::wrapping_sub);
    word2("au * bu", u32::wrapping_mul);
    word2("au / bu", |a, b| a.checked_div(b).unwrap_or(a));
    word2("au % bu", |a, b| a.checked_rem(b).unwrap_or(0));
    word2("ai / bi", |a, b| (a as i32).checked_div(b as i32).unwrap_or(a as i32) as u32);
    word2("ai % bi", |a, b| (a as i32).checked_rem(b as i32).unwrap_or(0) as u32);
    word2("au & bu", |a, b| a & b);
    word2("au | bu", |a, b| a | b);
    word2("au ^ bu", |a, b| a ^ b);
    word2("au << (bu & 31u)", |a, b| a << (b & 31));
    word2("au >> (bu & 31u)", |a, b| a >> (b & 31));
    word2("ai >> (bu & 31u)", |a, b| ((a as i32) >> (b & 31)) as u32);
    word2("min(au, bu)", u32::min);
    word2("max(au, bu)", u32::max);
    word2("min(ai, bi)", |a, b| (a as i32).min(b as i32) as u32);
    word2("max(ai, bi)", |a, b| (a as i32).max(b as i32) as u32);
    word1("~au", |a| !a);
    word1("-ai", u32::wrapping_neg);
    word1("abs(ai)", |a| (a as i32).wrapping_abs() as u32);
    word1("abs(au)", |a| a);
    word1("sign(ai)", |a| (a as i32).signum() as u32);
    word3("clamp(au, min(bu, cu), max(bu, cu))", |a, b, c| a.clamp(b.min(c), b.max(c)));
    word3("clamp(ai, min(bi, ci), max(bi, ci))", |a, b, c| {
        let (a, b, c) = (a as i32, b as i32, c as i32);
        a.clamp(b.min(c), b.max(c)) as u32
    });
    for (operator, signed, unsigned) in [
        ("<", (|a, b| a < b) as fn(i32, i32) -> bool, (|a, b| a < b) as fn(u32, u32) -> bool),
        ("<=", |a, b| a <= b, |a, b| a <= b),
        (">", |a, b| a > b, |a, b| a > b),
        (">=", |a, b| a >= b, |a, b| a >= b),
        ("==", |a, b| a == b, |a, b| a == b),
        ("!=", |a, b| a != b, |a, b| a != b),
    ] {
        word2(&format!("select(0u, 1u, au {operator} bu)"), |a, b| u32::from(unsigned(a, b)));
        word2(&format!("select(0u, 1u, ai {operator} bi)"), |a, b| u32::from(signed(a as i32, b as i32)));
    }
}

#[test]
fn bits_of_integers() {
    word1("countOneBits(au)", u32::count_ones);
    word1("countLeadingZeros(au)", u32::leading_zeros);
    word1("countTrailingZeros(au)", u32::trailing_zeros);
    word1("reverseBits(au)", u32::reverse_bits);
    word1("firstLeadingBit(au)", |a| a.checked_ilog2().unwrap_or(u32::MAX));
    word1("firstLeadingBit(ai)", |a| {
        (if (a as i32) < 0 { !a } else { a }).checked_ilog2().unwrap_or(u32::MAX)
    });
    word1("firstTrailingBit(au)", |a| if a == 0 { u32::MAX } else { a.trailing_zeros() });
    let field = |a: u64, offset: u32, count: u32| {
        let offset = offset.min(32);
        let count = count.min(32 - offset);
        (a >> offset) & ((1u64 << count) - 1)
    };
    word3("extractBits(au, bu, cu)", |a, b, c| field(u64::from(a), b, c) as u32);
    word3("extractBits(ai, bu, cu)", |a, b, c| {
        let count = c.min(32 - b.min(32));
        let low = field(u64::from(a), b, c) as u32;
        if count == 0 { 0 } else { ((low << (32 - count)) as i32 >> (32 - count)) as u32 }
    });
    word3("insertBits(au, 0x5a5a5a5au, bu, cu)", |a, b, c| {
        let offset = b.min(32);
        let count = c.min(32 - offset);
        let mask = (((1u64 << count) - 1) << offset) as u32;
        (a & !mask) | (((0x5a5a_5a5au64 << offset) as u32) & mask)
    });
}

#[test]
fn conversions() {
    let body = |expression: &str| format!("out[at] = bitcast<u32>({expression});");
    let floats = singles(&bits(&FLOATS));
    check("", &body("i32(a)"), 1, &floats, 0.0, |a, _, _| vec![f(a) as i32 as u32]);
    check("", &body("u32(a)"), 1, &floats, 0.0, |a, _, _| vec![f(a) as u32]);
    check("", &body("u32(bool(a))"), 1, &floats, 0.0, |a, _, _| vec![u32::from(f(a) != 0.0)]);
    word1("f32(ai)", |a| (a as i32 as f32).to_bits());
    word1("f32(au)", |a| (a as f32).to_bits());
    word1("i32(au)", |a| a);
    word1("u32(ai)", |a| a);
    word1("f32(au != 0u)", |a| f32::from(u8::from(a != 0)).to_bits());
    word1("i32(bool(ai))", |a| u32::from(a != 0));
    word1("bitcast<vec2<i32>>(vec2<f32>(a, b)).x", |a| a);
    word2("vec2<f32>(vec2<u32>(au, bu)).y", |_, b| (b as f32).to_bits());
    word1("select(7u, 9u, !bool(au))", |a| if a == 0 { 9 } else { 7 });
}

#[test]
fn packing() {
    let norm = |x: f32, least: f32, most: f32| (0.5 + most * x.max(least).min(1.0)).floor() as i32 as u32;
    plain("", "out[at] = pack4x8snorm(vec4(a, b, c, 0.3));", |a, b, c| {
        let n = |x| norm(x, -1.0, 127.0) & 0xff;
        vec![f32::from_bits(n(a) | n(b) << 8 | n(c) << 16 | n(0.3) << 24)]
    });
    plain("", "out[at] = pack4x8unorm(vec4(a, b, c, 0.3));", |a, b, c| {
        let n = |x| norm(x, 0.0, 255.0);
        vec![f32::from_bits(n(a) | n(b) << 8 | n(c) << 16 | n(0.3) << 24)]
    });
    plain("", "out[at] = pack2x16snorm(vec2(a, b));", |a, b, _| {
        let n = |x| norm(x, -1.0, 32767.0) & 0xffff;
        vec![f32::from_bits(n(a) | n(b) << 16)]
    });
    plain("", "out[at] = pack2x16unorm(vec2(a, b));", |a, b, _| {
        let n = |x| norm(x, 0.0, 65535.0);
        vec![f32::from_bits(n(a) | n(b) << 16)]
    });
    plain("", "out[at] = pack2x16float(vec2(a, b));", |a, b, _| {
        let n = |x| u32::from(f16::from_f32(x).to_bits());
        vec![f32::from_bits(n(a) | n(b) << 16)]
    });
    word2("pack4xI8(vec4(ai, bi, 1, -1))", |a, b| (a & 0xff) | (b & 0xff) << 8 | 0xff01_0000);
    word2("pack4xU8(vec4(au, bu, 1u, 2u))", |a, b| (a & 0xff) | (b & 0xff) << 8 | 0x0201_0000);
    word2("pack4xI8Clamp(vec4(ai, bi, 1, -1))", |a, b| {
        let n = |x: u32| (x as i32).clamp(-128, 127) as u32 & 0xff;
        n(a) | n(b) << 8 | 0xff01_0000
    });
    word2("pack4xU8Clamp(vec4(au, bu, 1u, 2u))", |a, b| a.min(255) | b.min(255) << 8 | 0x0201_0000);
}

#[test]
fn unpacking() {
    let vec4 = |function: &str, wrap: &str| {
        format!("let v = {function}(au); for (var k = 0u; k < 4u; k++) {{ out[at + k] = {wrap}(v[k]); }}")
    };
    let bytes = |a: u32| a.to_le_bytes();
    let words = singles(&WORDS);
    check("", &vec4("unpack4x8snorm", "bitcast<u32>"), 4, &words, 0.0, |a, _, _| {
        bits(&bytes(a).map(|b| (f32::from(b as i8) / 127.0).max(-1.0)))
    });
    check("", &vec4("unpack4x8unorm", "bitcast<u32>"), 4, &words, 0.0, |a, _, _| {
        bits(&bytes(a).map(|b| f32::from(b) / 255.0))
    });
    check("", &vec4("unpack4xI8", "bitcast<u32>"), 4, &words, 0.0, |a, _, _| {
        bytes(a).map(|b| b as i8 as u32).to_vec()
    });
    check("", &vec4("unpack4xU8", "u32"), 4, &words, 0.0, |a, _, _| bytes(a).map(u32::from).to_vec());
    let vec2 = |function: &str| {
        format!("let v = {function}(au); out[at] = bitcast<u32>(v.x); out[at + 1] = bitcast<u32>(v.y);")
    };
    let halves = |a: u32| [a as u16, (a >> 16) as u16];
    check("", &vec2("unpack2x16snorm"), 2, &words, 0.0, |a, _, _| {
        bits(&halves(a).map(|h| (f32::from(h as i16) / 32767.0).max(-1.0)))
    });
    check("", &vec2("unpack2x16unorm"), 2, &words, 0.0, |a, _, _| {
        bits(&halves(a).map(|h| f32::from(h) / 65535.0))
    });
    check("", &vec2("unpack2x16float"), 2, &words, 0.0, |a, _, _| {
        bits(&halves(a).map(|h| f16::from_bits(h).to_f32()))
    });
    let dot = |a: u32, b: u32, of: fn(u8) -> i32| -> u32 {
        bytes(a).into_iter().zip(bytes(b)).map(|(x, y)| of(x).wrapping_mul(of(y))).fold(0, i32::wrapping_add)
            as u32
    };
    word2("dot4I8Packed(au, bu)", |a, b| dot(a, b, |x| i32::from(x as i8)));
    word2("dot4U8Packed(au, bu)", |a, b| dot(a, b, i32::from));
}

#[test]
fn geometry() {
    let dot =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).reduce(|a, b| a + b).unwrap_or_default();
    let length = move |a: &[f32]| dot(a, a).sqrt();
    let out3 =
        "out[at] = bitcast<u32>(v.x); out[at + 1] = bitcast<u32>(v.y); out[at + 2] = bitcast<u32>(v.z);";
    let vector = |expression: &str| {
        format!("let p = vec3(a, b, c); let q = vec3(c, a, 0.5); let v = {expression}; {out3}")
    };
    plain("", "out[at] = bitcast<u32>(dot(vec3(a, b, c), vec3(b, c, a)));", move |a, b, c| {
        vec![dot(&[a, b, c], &[b, c, a])]
    });
    plain("", "out[at] = bitcast<u32>(length(vec3(a, b, c)));", move |a, b, c| vec![length(&[a, b, c])]);
    plain("", "out[at] = bitcast<u32>(length(a));", |a, _, _| vec![a.abs()]);
    plain("", "out[at] = bitcast<u32>(distance(vec2(a, b), vec2(c, a)));", move |a, b, c| {
        vec![length(&[a - c, b - a])]
    });
    plain("", "out[at] = bitcast<u32>(distance(a, b));", |a, b, _| vec![(a - b).abs()]);
    plain("", &vector("cross(p, q)"), |a, b, c| vec![b * 0.5 - c * a, c * c - a * 0.5, a * a - b * c]);
    plain("", &vector("normalize(p)"), move |a, b, c| {
        let l = length(&[a, b, c]);
        vec![a / l, b / l, c / l]
    });
    plain("", &vector("faceForward(p, q, p)"), move |a, b, c| {
        let front = dot(&[c, a, 0.5], &[a, b, c]) < 0.0;
        [a, b, c].map(|x| if front { x } else { -x }).to_vec()
    });
    plain("", &vector("reflect(p, q)"), move |a, b, c| {
        let twice = 2.0 * dot(&[c, a, 0.5], &[a, b, c]);
        vec![a - twice * c, b - twice * a, c - twice * 0.5]
    });
    plain("", &vector("refract(p, q, 0.75)"), move |a, b, c| {
        let (p, q) = ([a, b, c], [c, a, 0.5]);
        let d = dot(&q, &p);
        let k = 1.0 - 0.75 * 0.75 * (1.0 - d * d);
        let back = 0.75 * d + k.sqrt();
        (0..3).map(|i| if k < 0.0 { 0.0 } else { 0.75 * p[i] - back * q[i] }).collect()
    });
    word2("dot(vec2(au, bu), vec2(bu, 3u))", |a, b| a.wrapping_mul(b).wrapping_add(b.wrapping_mul(3)));
    word2("dot(vec2(ai, bi), vec2(bi, -3))", |a, b| {
        a.wrapping_mul(b).wrapping_add(b.wrapping_mul(-3i32 as u32))
    });
}

#[test]
fn matrices() {
    let out = "out[at] = bitcast<u32>(m[0][0]); out[at + 1] = bitcast<u32>(m[1][0]); out[at + 2] = bitcast<u32>(m[0][1]);";
    let m = |expression: &str| {
        format!("let p = mat2x2(a, b, c, 2.0); let q = mat2x2(c, 3.0, a, b); let m = {expression}; {out}")
    };
    plain("", &m("p + q"), |a, b, c| vec![a + c, c + a, b + 3.0]);
    plain("", &m("p - q"), |a, b, c| vec![a - c, c - a, b - 3.0]);
    plain("", &m("p * 2.0"), |a, b, c| vec![a * 2.0, c * 2.0, b * 2.0]);
    plain("", &m("3.0 * p"), |a, b, c| vec![3.0 * a, 3.0 * c, 3.0 * b]);
    plain("", &m("p * q"), |a, b, c| vec![a * c + c * 3.0, a * a + c * b, b * c + 2.0 * 3.0]);
    plain("", &m("transpose(p)"), |a, b, c| vec![a, b, c]);
    let v = "let m = mat2x3(a, b, c, 1.0, 2.0, 3.0); let v = m * vec2(b, c); let w = vec3(a, b, c) * m;
             out[at] = bitcast<u32>(v.x); out[at + 1] = bitcast<u32>(v.z); out[at + 2] = bitcast<u32>(w.y);
             out[at + 3] = bitcast<u32>(transpose(m)[2].y);";
    plain("", v, |a, b, c| vec![a * b + 1.0 * c, c * b + 3.0 * c, a * 1.0 + b * 2.0 + c * 3.0, 3.0]);
    plain("", "out[at] = bitcast<u32>(determinant(mat2x2(a, b, c, 2.0)));", |a, b, c| vec![a * 2.0 - b * c]);
    plain("", "out[at] = bitcast<u32>(determinant(mat3x3(a, b, c, 1.0, 2.0, 3.0, c, a, b)));", |a, b, c| {
        vec![a * (2.0 * b - 3.0 * a) - b * (1.0 * b - 3.0 * c) + c * (1.0 * a - 2.0 * c)]
    });
    let columns = "let m = mat4x4(2.0, 0.0, 0.0, 0.0, 0.0, a, 0.0, 0.0, 0.0, 0.0, b, 0.0, 1.0, 1.0, 1.0, c);
                   out[at] = bitcast<u32>(determinant(m));";
    plain("", columns, |a, b, c| {
        let product = 2.0 * (a * (b * c));
        // Zero terms add up to positive zero.
        vec![if product == 0.0 { 0.0 } else { product }]
    });
}

#[test]
fn booleans_and_selection() {
    word2("u32(all(vec2(au > 2u, bu > 2u)))", |a, b| u32::from(a > 2 && b > 2));
    word2("u32(any(vec2(au > 2u, bu > 2u)))", |a, b| u32::from(a > 2 || b > 2));
    word2("u32(au > 2u && bu > 2u)", |a, b| u32::from(a > 2 && b > 2));
    word2("u32(au > 2u || bu > 2u)", |a, b| u32::from(a > 2 || b > 2));
    word2("u32((au > 2u) == (bu > 2u))", |a, b| u32::from((a > 2) == (b > 2)));
    word2("u32((au > 2u) != (bu > 2u))", |a, b| u32::from((a > 2) != (b > 2)));
    word2("u32((au > 2u) & (bu > 2u) | (au == bu))", |a, b| u32::from((a > 2) & (b > 2) | (a == b)));
    word2("u32(!(au > bu))", |a, b| u32::from(a <= b));
    word3("select(au, bu, cu > 100u)", |a, b, c| if c > 100 { b } else { a });
    word2("select(vec2(au, 1u), vec2(2u, bu), vec2(au > bu, bu > au)).y", |a, b| if b > a { b } else { 1 });
    word3("vec4(au, bu, cu, 9u).wzyx.y", |_, _, c| c);
    word3("vec3(vec2(au, bu), cu)[cu % 3u]", |a, b, c| [a, b, c][(c % 3) as usize]);
    word2("u32(all(bool(au)))", |a, _| u32::from(a != 0));
}
