//! Every operation by itself, in its three forms: operands by lane, one operand uniform, both uniform.
use super::*;
use crate::shader::lane::UnaryOperation;

/// Words that are corners for one type or another.
const CORNERS: [u32; 30] = [
    0,
    1,
    2,
    3,
    31,
    32,
    33,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_ffff,
    0xffff_fffe,
    0x3f80_0000, // 1.0
    0xbf80_0000, // -1.0
    0x3f00_0000, // 0.5
    0x3fc0_0000, // 1.5
    0x4020_0000, // 2.5
    0xc020_0000, // -2.5
    0x4f00_0000, // 2^31
    0xcf00_0000, // -2^31
    0x4f80_0000, // 2^32
    0x4eff_ffff, // the float below 2^31
    0x4f7f_ffff, // the float below 2^32
    0x7f80_0000, // infinity
    0xff80_0000, // -infinity
    0x7fc0_0000, // NaN
    0x0000_0100, // denormal
    0x7f7f_ffff, // the largest float
    0x477f_e000, // the largest binary16
    0x3dcc_cccd, // 0.1
];

fn float(word: u32) -> f32 {
    f32::from_bits(word)
}

/// NaNs are one another's equal, whatever their bits.
fn same(a: u32, b: u32, is_float: bool) -> bool {
    a == b || is_float && float(a).is_nan() && float(b).is_nan()
}

/// What an operation gives for `a` and `b`: by lane, with `b` uniform, with `a` uniform, with both uniform.
fn all_forms(a: u32, b: u32, operation: impl Fn(Value, Value) -> Operation) -> Vec<u32> {
    let mut writer = Writer::new([8, 1, 1], 2);
    let lane = writer.lane();
    let zero = writer.binary(BinaryOperation::Multiply, lane, lane);
    // Zero in lane 0, which is the one looked at, but nobody knows.
    let [lanes_a, lanes_b] = [0, 1].map(|base| writer.load(Space::Buffer(0), base, Some(zero)));
    let [uniform_a, uniform_b] = [0, 1].map(|base| writer.load(Space::Buffer(0), base, None));
    let pairs = [(lanes_a, lanes_b), (lanes_a, uniform_b), (uniform_a, lanes_b), (uniform_a, uniform_b)];
    for (form, (a, b)) in pairs.into_iter().enumerate() {
        let result = writer.emit(operation(a, b));
        let first = writer.constant(0);
        let is_first = writer.binary(BinaryOperation::Equal, lane, first);
        writer.when(is_first, |writer| writer.store(Space::Buffer(1), form as u32, None, result), |_| ());
    }
    let input = vec![a, b];
    run(&writer.finish(), &[input, vec![0; 4]], grid([1, 1, 1])).pop().unwrap()
}

fn check_unary(operation: UnaryOperation, is_float: bool, expected: impl Fn(u32) -> u32) {
    for a in CORNERS {
        let expected = expected(a);
        for found in all_forms(a, 0, |a, _| Operation::Unary(operation, a)) {
            assert!(same(found, expected, is_float), "{operation:?} {a:#x}: {found:#x}, not {expected:#x}");
        }
    }
}

fn check_binary(operation: BinaryOperation, is_float: bool, expected: impl Fn(u32, u32) -> u32) {
    let corners = if cfg!(miri) { &CORNERS[..2] } else { &CORNERS[..] };
    for &a in corners {
        for &b in corners {
            let expected = expected(a, b);
            for found in all_forms(a, b, |a, b| Operation::Binary(operation, a, b)) {
                let text = format!("{operation:?} {a:#x} {b:#x}: {found:#x}, not {expected:#x}");
                assert!(same(found, expected, is_float), "{text}");
            }
        }
    }
}

#[test]
fn integers() {
    use BinaryOperation as B;
    let wide = |a: u32| i64::from(a as i32);
    let low = |a: i64| a as u32;
    check_binary(B::Add, false, |a, b| low(i64::from(a) + i64::from(b)));
    check_binary(B::Subtract, false, |a, b| low(i64::from(a) - i64::from(b)));
    check_binary(B::Multiply, false, |a, b| (u64::from(a) * u64::from(b)) as u32);
    check_binary(B::DivideS, false, |a, b| if b == 0 { a } else { low(wide(a) / wide(b)) });
    check_binary(B::RemainderS, false, |a, b| if b == 0 { 0 } else { low(wide(a) % wide(b)) });
    check_binary(B::DivideU, false, |a, b| a.checked_div(b).unwrap_or(a));
    check_binary(B::RemainderU, false, |a, b| if b == 0 { 0 } else { a % b });
    check_binary(B::MinS, false, |a, b| low(wide(a).min(wide(b))));
    check_binary(B::MaxS, false, |a, b| low(wide(a).max(wide(b))));
    check_binary(B::MinU, false, |a, b| if a < b { a } else { b });
    check_binary(B::MaxU, false, |a, b| if a < b { b } else { a });
    check_binary(B::And, false, |a, b| a & b);
    check_binary(B::Or, false, |a, b| a | b);
    check_binary(B::ExclusiveOr, false, |a, b| a ^ b);
    check_binary(B::ShiftLeft, false, |a, b| low(i64::from(a) << (b % 32)));
    check_binary(B::ShiftRightU, false, |a, b| a >> (b % 32));
    check_binary(B::ShiftRightS, false, |a, b| low(wide(a) >> (b % 32)));
    check_binary(B::Equal, false, |a, b| u32::from(a == b));
    check_binary(B::NotEqual, false, |a, b| u32::from(a != b));
    check_binary(B::LessS, false, |a, b| u32::from(wide(a) < wide(b)));
    check_binary(B::LessU, false, |a, b| u32::from(a < b));
    check_binary(B::LessEqualS, false, |a, b| u32::from(wide(a) <= wide(b)));
    check_binary(B::LessEqualU, false, |a, b| u32::from(a <= b));
}

#[test]
fn bits() {
    use UnaryOperation as U;
    let highest = |a: u32| (0..32).rev().find(|bit| a >> bit & 1 == 1).unwrap_or(u32::MAX);
    let lowest = |a: u32| (0..32).find(|bit| a >> bit & 1 == 1);
    check_unary(U::LogicalNot, false, |a| u32::from(a == 0));
    check_unary(U::BitwiseNot, false, |a| u32::MAX - a);
    check_unary(U::NegateS, false, |a| 0_u32.wrapping_sub(a));
    check_unary(U::AbsS, false, |a| if a >> 31 == 1 { 0_u32.wrapping_sub(a) } else { a });
    check_unary(U::SignS, false, |a| match a as i32 {
        0 => 0,
        1.. => 1,
        _ => u32::MAX,
    });
    check_unary(U::CountOneBits, false, |a| (0..32).map(|bit| a >> bit & 1).sum());
    check_unary(U::ReverseBits, false, |a| (0..32).map(|bit| (a >> bit & 1) << (31 - bit)).sum());
    check_unary(U::CountLeadingZeros, false, |a| 31_u32.wrapping_sub(highest(a)));
    check_unary(U::CountTrailingZeros, false, |a| lowest(a).unwrap_or(32));
    check_unary(U::FirstTrailingBit, false, |a| lowest(a).unwrap_or(u32::MAX));
    check_unary(U::FirstLeadingBitU, false, highest);
    check_unary(U::FirstLeadingBitS, false, |a| highest(if a >> 31 == 1 { !a } else { a }));
}

#[test]
fn conversions() {
    use UnaryOperation as U;
    check_unary(U::FToS, false, |a| float(a) as i32 as u32);
    check_unary(U::FToU, false, |a| float(a) as u32);
    check_unary(U::SToF, true, |a| (f64::from(a as i32) as f32).to_bits());
    check_unary(U::UToF, true, |a| (f64::from(a) as f32).to_bits());
    check_unary(U::QuantizeToF16, true, |a| half::f16::from_f32_const(float(a)).to_f32_const().to_bits());
    check_unary(U::PackHalfLow, false, |a| u32::from(half::f16::from_f32_const(float(a)).to_bits()));
    check_unary(U::UnpackHalfLow, true, |a| half::f16::from_bits(a as u16).to_f32_const().to_bits());
}

#[test]
fn floats() {
    use BinaryOperation as B;
    use UnaryOperation as U;
    // In 64 bits each of these is exact or rounds the same after rounding to 32 (double rounding is innocuous there).
    check_binary(B::AddF, true, |a, b| ((f64::from(float(a)) + f64::from(float(b))) as f32).to_bits());
    check_binary(B::SubtractF, true, |a, b| ((f64::from(float(a)) - f64::from(float(b))) as f32).to_bits());
    check_binary(B::MultiplyF, true, |a, b| ((f64::from(float(a)) * f64::from(float(b))) as f32).to_bits());
    check_binary(B::DivideF, true, |a, b| ((f64::from(float(a)) / f64::from(float(b))) as f32).to_bits());
    check_binary(B::RemainderF, true, |a, b| ((f64::from(float(a)) % f64::from(float(b))) as f32).to_bits());
    check_binary(B::EqualF, false, |a, b| u32::from(float(a) == float(b)));
    check_binary(B::NotEqualF, false, |a, b| u32::from(float(a) != float(b)));
    check_binary(B::LessF, false, |a, b| u32::from(float(a) < float(b)));
    check_binary(B::LessEqualF, false, |a, b| u32::from(float(a) <= float(b)));
    check_binary(B::Atan2, true, |a, b| float(a).atan2(float(b)).to_bits());
    check_binary(B::Pow, true, |a, b| float(a).powf(float(b)).to_bits());
    check_binary(B::Ldexp, true, |a, b| {
        { (f64::from(float(a)) * 2_f64.powi((b as i32).clamp(-600, 600))) as f32 }.to_bits()
    });
    check_unary(U::NegateF, true, |a| (-float(a)).to_bits());
    check_unary(U::AbsF, true, |a| float(a).abs().to_bits());
    check_unary(U::Ceil, true, |a| float(a).ceil().to_bits());
    check_unary(U::Floor, true, |a| float(a).floor().to_bits());
    check_unary(U::Trunc, true, |a| float(a).trunc().to_bits());
    check_unary(U::Fract, true, |a| (float(a) - float(a).floor()).to_bits());
    check_unary(U::Round, true, |a| float(a).round_ties_even().to_bits());
    check_unary(U::Sqrt, true, |a| float(a).sqrt().to_bits());
    check_unary(U::InverseSqrt, true, |a| (1.0 / float(a).sqrt()).to_bits());
    check_unary(U::SignF, true, |a| {
        let a = float(a);
        f32::from(i8::from(a > 0.0) - i8::from(a < 0.0)).to_bits()
    });
}

/// The smaller or larger number; the other one where one is NaN. Zeros of either sign are equal.
#[test]
fn minimum_and_maximum_of_floats() {
    for (operation, larger) in [(BinaryOperation::MinF, false), (BinaryOperation::MaxF, true)] {
        for a in CORNERS {
            for b in CORNERS {
                let expected = match (float(a), float(b)) {
                    (a, b) if a.is_nan() => b,
                    (a, b) if b.is_nan() => a,
                    (a, b) => {
                        if (a > b) == larger {
                            a
                        } else {
                            b
                        }
                    }
                };
                for found in all_forms(a, b, |a, b| Operation::Binary(operation, a, b)) {
                    let found = float(found);
                    assert!(
                        found == expected || found.is_nan() && expected.is_nan(),
                        "{a:#x} {b:#x}: {found}"
                    );
                }
            }
        }
    }
}

/// Functions without one right answer: within a few units in the last place of the 64-bit result.
#[test]
fn functions_are_accurate() {
    use UnaryOperation as U;
    type Case = (U, fn(f64) -> f64);
    let functions: [Case; 16] = [
        (U::Exp, f64::exp),
        (U::Exp2, f64::exp2),
        (U::Log, f64::ln),
        (U::Log2, f64::log2),
        (U::Sin, f64::sin),
        (U::Cos, f64::cos),
        (U::Tan, f64::tan),
        (U::Asin, f64::asin),
        (U::Acos, f64::acos),
        (U::Atan, f64::atan),
        (U::Sinh, f64::sinh),
        (U::Cosh, f64::cosh),
        (U::Tanh, f64::tanh),
        (U::Asinh, f64::asinh),
        (U::Acosh, f64::acosh),
        (U::Atanh, f64::atanh),
    ];
    for (operation, function) in functions {
        for a in [-3.0_f32, -1.0, -0.75, -0.1, 0.0, 0.001, 0.3, 0.5, 1.0, 1.25, 2.0, 7.5, 40.0] {
            let expected = function(f64::from(a));
            for found in all_forms(a.to_bits(), 0, |a, _| Operation::Unary(operation, a)) {
                let found = f64::from(float(found));
                let near = (found - expected).abs() <= expected.abs() * 1e-6 + 1e-6;
                assert!(
                    near || found == expected || found.is_nan() && expected.is_nan(),
                    "{operation:?} {a}: {found}"
                );
            }
        }
    }
}

#[test]
fn three_operands() {
    for (a, b) in [(0x3f80_0001_u32, 0x3f80_0001_u32), (0x4049_0fdb, 0xbf00_0001)] {
        let fused = float(a).mul_add(float(b), float(a)).to_bits();
        for found in all_forms(a, b, |a, b| Operation::FusedMultiplyAdd(a, b, a)) {
            assert_eq!(found, fused);
        }
    }
    for (a, b) in [(0, 5), (7, 5), (1 << 31, 5)] {
        for found in all_forms(a, b, |a, b| Operation::Select(a, b, a)) {
            assert_eq!(found, if a != 0 { b } else { a });
        }
    }
}
