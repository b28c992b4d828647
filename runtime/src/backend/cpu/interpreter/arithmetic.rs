//! What every operation computes from the words of one lane. The only place: uniform values go through these functions one by one, and
//! the loops over lanes through the same ones sixteen at a time, so that a value never depends on whether it was found to be uniform.
//!
//! Nothing is contracted or reordered: a product and a sum are rounded twice unless the kernel says `fma`.
use half::f16;

use crate::shader::lane::{BinaryOperation, UnaryOperation};

fn float(word: u32) -> f32 {
    f32::from_bits(word)
}

/// An operation of one value.
#[inline(always)]
pub(super) fn unary(operation: UnaryOperation, a: u32) -> u32 {
    use UnaryOperation as U;
    match operation {
        U::LogicalNot => u32::from(a == 0),
        U::BitwiseNot => !a,
        U::NegateS => a.wrapping_neg(),
        U::NegateF => a ^ SIGN,
        U::AbsS => (a as i32).wrapping_abs() as u32,
        U::AbsF => a & !SIGN,
        U::SignS => (a as i32).signum() as u32,
        U::SignF => sign(float(a)).to_bits(),
        U::CountOneBits => a.count_ones(),
        U::ReverseBits => a.reverse_bits(),
        U::CountLeadingZeros => a.leading_zeros(),
        U::CountTrailingZeros => a.trailing_zeros(),
        U::FirstLeadingBitS => first_leading_bit(if (a as i32) < 0 { !a } else { a }),
        U::FirstLeadingBitU => first_leading_bit(a),
        U::FirstTrailingBit => {
            if a == 0 {
                u32::MAX
            } else {
                a.trailing_zeros()
            }
        }
        U::FToS => to_signed(float(a)) as u32,
        U::FToU => to_unsigned(float(a)),
        U::SToF => (a as i32 as f32).to_bits(),
        U::UToF => (a as f32).to_bits(),
        U::QuantizeToF16 => f16::from_f32(float(a)).to_f32().to_bits(),
        U::UnpackHalfLow => f16::from_bits(a as u16).to_f32().to_bits(),
        U::PackHalfLow => u32::from(f16::from_f32(float(a)).to_bits()),
        _ => unary_float(operation, float(a)).to_bits(),
    }
}

/// Functions of one float.
#[inline(always)]
fn unary_float(operation: UnaryOperation, a: f32) -> f32 {
    use UnaryOperation as U;
    match operation {
        U::Ceil => a.ceil(),
        U::Floor => a.floor(),
        U::Round => a.round_ties_even(),
        U::Trunc => a.trunc(),
        U::Fract => a - a.floor(),
        U::Sqrt => a.sqrt(),
        U::InverseSqrt => 1.0 / a.sqrt(),
        U::Exp => a.exp(),
        U::Exp2 => a.exp2(),
        U::Log => a.ln(),
        U::Log2 => a.log2(),
        U::Sin => a.sin(),
        U::Cos => a.cos(),
        U::Tan => a.tan(),
        U::Asin => a.asin(),
        U::Acos => a.acos(),
        U::Atan => a.atan(),
        U::Sinh => a.sinh(),
        U::Cosh => a.cosh(),
        U::Tanh => a.tanh(),
        U::Asinh => a.asinh(),
        U::Acosh => a.acosh(),
        U::Atanh => a.atanh(),
        _ => unreachable!("`unary` computes all operations that are no function of one float"),
    }
}

/// An operation of two values.
#[inline(always)]
pub(super) fn binary(operation: BinaryOperation, a: u32, b: u32) -> u32 {
    use BinaryOperation as B;
    let (signed_a, signed_b) = (a as i32, b as i32);
    match operation {
        B::Add => a.wrapping_add(b),
        B::Subtract => a.wrapping_sub(b),
        B::Multiply => a.wrapping_mul(b),
        B::DivideS => {
            if b == 0 {
                a
            } else {
                signed_a.wrapping_div(signed_b) as u32
            }
        }
        B::DivideU => a.checked_div(b).unwrap_or(a),
        B::RemainderS => {
            if b == 0 {
                0
            } else {
                signed_a.wrapping_rem(signed_b) as u32
            }
        }
        B::RemainderU => a.checked_rem(b).unwrap_or(0),
        B::MinS => signed_a.min(signed_b) as u32,
        B::MinU => a.min(b),
        B::MaxS => signed_a.max(signed_b) as u32,
        B::MaxU => a.max(b),
        B::And => a & b,
        B::Or => a | b,
        B::ExclusiveOr => a ^ b,
        B::ShiftLeft => a.wrapping_shl(b),
        B::ShiftRightS => signed_a.wrapping_shr(b) as u32,
        B::ShiftRightU => a.wrapping_shr(b),
        B::Equal => u32::from(a == b),
        B::NotEqual => u32::from(a != b),
        B::LessS => u32::from(signed_a < signed_b),
        B::LessU => u32::from(a < b),
        B::LessEqualS => u32::from(signed_a <= signed_b),
        B::LessEqualU => u32::from(a <= b),
        B::EqualF => u32::from(float(a) == float(b)),
        B::NotEqualF => u32::from(float(a) != float(b)),
        B::LessF => u32::from(float(a) < float(b)),
        B::LessEqualF => u32::from(float(a) <= float(b)),
        B::Ldexp => ldexp(float(a), signed_b).to_bits(),
        _ => binary_float(operation, float(a), float(b)).to_bits(),
    }
}

/// Functions of two floats.
#[inline(always)]
fn binary_float(operation: BinaryOperation, a: f32, b: f32) -> f32 {
    use BinaryOperation as B;
    match operation {
        B::AddF => a + b,
        B::SubtractF => a - b,
        B::MultiplyF => a * b,
        B::DivideF => a / b,
        B::RemainderF => a % b,
        B::MinF => a.min(b),
        B::MaxF => a.max(b),
        B::Atan2 => a.atan2(b),
        B::Pow => a.powf(b),
        _ => unreachable!("`binary` computes all operations that are no function of two floats"),
    }
}

/// `a * b + c` rounded once.
#[inline(always)]
pub(super) fn fused_multiply_add(a: u32, b: u32, c: u32) -> u32 {
    float(a).mul_add(float(b), float(c)).to_bits()
}

/// The second where the first is not 0, else the third.
#[inline(always)]
pub(super) fn select(condition: u32, a: u32, b: u32) -> u32 {
    if condition == 0 { b } else { a }
}

/// 1, -1 or 0; 0 for NaN, which is neither above nor below.
#[inline(always)]
fn sign(a: f32) -> f32 {
    if a > 0.0 {
        1.0
    } else if a < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// The number of the highest one, or all bits for 0.
#[inline(always)]
fn first_leading_bit(a: u32) -> u32 {
    // For 0 this is 31 - 32, which wraps to the word that WGSL asks for.
    31_u32.wrapping_sub(a.leading_zeros())
}

/// Saturating, NaN to 0. Written so that it becomes vector code, which Rust's own `as` does not.
#[inline(always)]
fn to_signed(a: f32) -> i32 {
    /// The largest float below 2³¹.
    const LARGEST: f32 = 2_147_483_520.0;
    let number = if a.is_nan() { 0.0 } else { a };
    let clamped = number.clamp(i32::MIN as f32, LARGEST);
    // SAFETY: the number is finite and between -2³¹ and 2³¹ - 128, so it has an integer part that `i32` holds.
    let truncated = unsafe { clamped.to_int_unchecked::<i32>() };
    if number > LARGEST { i32::MAX } else { truncated }
}

/// Saturating, NaN to 0.
#[inline(always)]
fn to_unsigned(a: f32) -> u32 {
    const HALF: f32 = 2_147_483_648.0;
    // NaN fails both comparisons. What is not below 2³¹ is brought there, converted, and brought back.
    let low = if a > 0.0 { a } else { 0.0 };
    let high = to_signed(low - HALF) as u32;
    let result = if low < HALF { to_signed(low) as u32 } else { high.wrapping_add(1 << 31) };
    if low >= 2.0 * HALF { u32::MAX } else { result }
}

/// `a · 2^exponent` rounded once: the product is exact in 64 bits, or far outside of what 32 bits hold.
#[inline(always)]
fn ldexp(a: f32, exponent: i32) -> f32 {
    let exponent = exponent.clamp(-1000, 1000);
    let power = f64::from_bits(((exponent + 1023) as u64) << 52);
    (f64::from(a) * power) as f32
}

const SIGN: u32 = 1 << 31;
