//! Operations of constants, and operations that change nothing.
//!
//! Only what every device rounds alike is folded: integers, comparisons, the five IEEE operations. `sin` of a constant stays, so that
//! a kernel gives one answer whether its argument was a constant or came from a buffer. A result that is NaN stays too: its bits are
//! the device's own.

use super::lane::{
    Address, AtomicOperation, BinaryOperation, Operation, TexelOperation, UnaryOperation, Value,
};

/// What became of an operation.
#[derive(Debug)]
pub(super) enum Simplified {
    /// It is this value.
    Value(Value),
    /// It is this word.
    Constant(u32),
    /// It has to be computed.
    Operation(Operation),
}

/// Simplifies an operation, given which values are constants.
pub(super) fn simplify(operation: Operation, constant: impl Fn(Value) -> Option<u32>) -> Simplified {
    match operation {
        Operation::Constant(word) => Simplified::Constant(word),
        Operation::Unary(unary, a) => match constant(a).and_then(|a| fold_unary(unary, a)) {
            Some(word) => Simplified::Constant(word),
            None => Simplified::Operation(operation),
        },
        Operation::Binary(binary, a, b) => simplify_binary(binary, a, b, constant),
        Operation::Select(condition, accept, reject) => match constant(condition) {
            Some(0) => Simplified::Value(reject),
            Some(_) => Simplified::Value(accept),
            None if accept == reject => Simplified::Value(accept),
            None => Simplified::Operation(operation),
        },
        Operation::FusedMultiplyAdd(a, b, c) => {
            let of = |value| constant(value).map(f32::from_bits);
            match (of(a), of(b), of(c)) {
                (Some(a), Some(b), Some(c)) if !a.mul_add(b, c).is_nan() => {
                    Simplified::Constant(a.mul_add(b, c).to_bits())
                }
                _ => Simplified::Operation(operation),
            }
        }
        Operation::Load(address) => Simplified::Operation(Operation::Load(constant_index(address, constant))),
        other => Simplified::Operation(other),
    }
}

/// Moves a constant index into the base.
pub(super) fn constant_index(address: Address, constant: impl Fn(Value) -> Option<u32>) -> Address {
    let sum = address.index.and_then(constant).and_then(|index| address.base.checked_add(index));
    sum.map_or(address, |base| Address { base, index: None, ..address })
}

fn simplify_binary(
    operation: BinaryOperation,
    mut a: Value,
    mut b: Value,
    constant: impl Fn(Value) -> Option<u32>,
) -> Simplified {
    use BinaryOperation as B;
    let (x, y) = (constant(a), constant(b));
    if let (Some(x), Some(y)) = (x, y)
        && let Some(word) = fold_binary(operation, x, y)
    {
        return Simplified::Constant(word);
    }
    // Constants to the right, else the older value to the left: more operations are then the same one.
    if is_commutative(operation) && (x.is_some() && y.is_none() || (x.is_some() == y.is_some() && b < a)) {
        (a, b) = (b, a);
    }
    const ONE_F: u32 = 1f32.to_bits();
    match (operation, constant(b)) {
        (
            B::Add
            | B::Subtract
            | B::Or
            | B::ExclusiveOr
            | B::ShiftLeft
            | B::ShiftRightS
            | B::ShiftRightU
            | B::SubtractF
            | B::MaxU,
            Some(0),
        )
        | (B::Multiply | B::DivideU | B::DivideS, Some(1))
        | (B::And | B::MinU, Some(u32::MAX))
        | (B::MultiplyF | B::DivideF, Some(ONE_F)) => Simplified::Value(a),
        (B::Multiply | B::And | B::MinU, Some(0)) | (B::RemainderU, Some(1)) => Simplified::Constant(0),
        (B::And | B::Or | B::MinU | B::MaxU | B::MinS | B::MaxS, _) if a == b => Simplified::Value(a),
        (B::Subtract | B::ExclusiveOr, _) if a == b => Simplified::Constant(0),
        _ => Simplified::Operation(Operation::Binary(operation, a, b)),
    }
}

/// Hands on every value that an operation takes.
pub(super) fn operands(operation: &Operation, mut take: impl FnMut(Value)) {
    let mut copy = *operation;
    map_operands(&mut copy, |value| {
        take(value);
        value
    });
}

/// Replaces every value that an operation takes.
pub(super) fn map_operands(operation: &mut Operation, mut with: impl FnMut(Value) -> Value) {
    match operation {
        Operation::Constant(_)
        | Operation::Variable(_)
        | Operation::BufferWords(_)
        | Operation::Builtin(_) => {}
        Operation::Unary(_, a) => *a = with(*a),
        Operation::Binary(_, a, b) => {
            *a = with(*a);
            *b = with(*b);
        }
        Operation::FusedMultiplyAdd(a, b, c) | Operation::Select(a, b, c) => {
            *a = with(*a);
            *b = with(*b);
            *c = with(*c);
        }
        Operation::Load(Address { index, .. }) | Operation::TextureQuery { level: index, .. } => {
            *index = index.map(with);
        }
    }
}

/// Replaces every value that a texel operation takes.
pub(super) fn map_texel_operands(operation: &mut TexelOperation, mut with: impl FnMut(Value) -> Value) {
    let (coordinates, optional) = match operation {
        TexelOperation::Load { coordinates, slice, level, .. } => {
            (coordinates, [Some(slice), Some(level), None])
        }
        TexelOperation::Sample { coordinates, slice, level, reference, .. } => {
            (coordinates, [Some(slice), Some(level), Some(reference)])
        }
        TexelOperation::Gather { coordinates, slice, reference, .. } => {
            (coordinates, [Some(slice), Some(reference), None])
        }
    };
    for value in coordinates.iter_mut().chain(optional.into_iter().flatten().flatten()) {
        *value = with(*value);
    }
}

/// Replaces every value that an atomic operation takes.
pub(super) fn map_atomic_operands(operation: &mut AtomicOperation, mut with: impl FnMut(Value) -> Value) {
    use AtomicOperation as A;
    match operation {
        A::Load => {}
        A::Store(value)
        | A::Add(value)
        | A::Subtract(value)
        | A::And(value)
        | A::Or(value)
        | A::ExclusiveOr(value)
        | A::SignedMin(value)
        | A::SignedMax(value)
        | A::UnsignedMin(value)
        | A::UnsignedMax(value)
        | A::Exchange(value) => *value = with(*value),
        A::CompareExchange { expected, desired } => {
            *expected = with(*expected);
            *desired = with(*desired);
        }
    }
}

fn is_commutative(operation: BinaryOperation) -> bool {
    use BinaryOperation as B;
    matches!(
        operation,
        B::Add
            | B::Multiply
            | B::MinS
            | B::MinU
            | B::MaxS
            | B::MaxU
            | B::And
            | B::Or
            | B::ExclusiveOr
            | B::Equal
            | B::NotEqual
            | B::EqualF
            | B::NotEqualF
    )
}

fn fold_unary(operation: UnaryOperation, a: u32) -> Option<u32> {
    use UnaryOperation as U;
    let s = a as i32;
    let f = f32::from_bits(a);
    let float = |value: f32| (!value.is_nan()).then_some(value.to_bits());
    Some(match operation {
        U::LogicalNot => u32::from(a == 0),
        U::BitwiseNot => !a,
        U::NegateS => a.wrapping_neg(),
        U::AbsS => s.wrapping_abs() as u32,
        U::SignS => s.signum() as u32,
        U::CountOneBits => a.count_ones(),
        U::ReverseBits => a.reverse_bits(),
        U::CountLeadingZeros => a.leading_zeros(),
        U::CountTrailingZeros => a.trailing_zeros(),
        U::FToS => (f as i32) as u32,
        U::FToU => f as u32,
        U::NegateF => return float(-f),
        U::AbsF => return float(f.abs()),
        U::Ceil => return float(f.ceil()),
        U::Floor => return float(f.floor()),
        U::Trunc => return float(f.trunc()),
        U::Round => return float(f.round_ties_even()),
        U::Sqrt => return float(f.sqrt()),
        U::SToF => (s as f32).to_bits(),
        U::UToF => (a as f32).to_bits(),
        _ => return None,
    })
}

fn fold_binary(operation: BinaryOperation, a: u32, b: u32) -> Option<u32> {
    use BinaryOperation as B;
    let (s, t) = (a as i32, b as i32);
    Some(match operation {
        B::Add => a.wrapping_add(b),
        B::Subtract => a.wrapping_sub(b),
        B::Multiply => a.wrapping_mul(b),
        B::DivideS => (if t == 0 { s } else { s.wrapping_div(t) }) as u32,
        B::DivideU => a.checked_div(b).unwrap_or(a),
        B::RemainderS => (if t == 0 { 0 } else { s.wrapping_rem(t) }) as u32,
        B::RemainderU => a.checked_rem(b).unwrap_or(0),
        B::MinS => s.min(t) as u32,
        B::MinU => a.min(b),
        B::MaxS => s.max(t) as u32,
        B::MaxU => a.max(b),
        B::And => a & b,
        B::Or => a | b,
        B::ExclusiveOr => a ^ b,
        B::ShiftLeft => a.wrapping_shl(b),
        B::ShiftRightS => s.wrapping_shr(b) as u32,
        B::ShiftRightU => a.wrapping_shr(b),
        B::Equal => u32::from(a == b),
        B::NotEqual => u32::from(a != b),
        B::LessS => u32::from(s < t),
        B::LessU => u32::from(a < b),
        B::LessEqualS => u32::from(s <= t),
        B::LessEqualU => u32::from(a <= b),
        _ => return fold_float(operation, f32::from_bits(a), f32::from_bits(b)),
    })
}

fn fold_float(operation: BinaryOperation, a: f32, b: f32) -> Option<u32> {
    use BinaryOperation as B;
    let value = match operation {
        B::AddF => a + b,
        B::SubtractF => a - b,
        B::MultiplyF => a * b,
        B::DivideF => a / b,
        B::EqualF => return Some(u32::from(a == b)),
        B::NotEqualF => return Some(u32::from(a != b)),
        B::LessF => return Some(u32::from(a < b)),
        B::LessEqualF => return Some(u32::from(a <= b)),
        _ => return None,
    };
    (!value.is_nan()).then_some(value.to_bits())
}
