//! Loops over lanes, sixteen at a time.
//!
//! A step reads sixteen words of each operand, computes, and writes sixteen words. Reading all before writing any makes it right for a
//! result to stand where an operand stood, and the compiler turns the step into vector instructions without having to prove anything
//! about overlap. Everything is inlined into its caller, which exists once for every machine and once for machines with AVX2.
use std::cell::Cell;

use super::arithmetic;
use crate::shader::lane::{BinaryOperation, UnaryOperation};

/// Lanes of a step.
pub(super) const WIDTH: usize = crate::backend::cpu::memory::row::WIDTH;

/// One word for each lane of a step.
pub(super) type Lanes = [u32; WIDTH];

/// Words of a slot.
pub(super) type Words<'a> = &'a [Cell<Lanes>];

/// Where an operation reads from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Lanes(Words<'a>),
    Uniform(u32),
}

impl Source<'_> {
    /// The words of one step.
    #[inline(always)]
    pub(super) fn step(&self, step: usize) -> Lanes {
        match self {
            Self::Lanes(words) => words[step].get(),
            Self::Uniform(word) => [*word; WIDTH],
        }
    }
}

#[inline(always)]
pub(super) fn map(to: Words<'_>, a: Words<'_>, f: impl Fn(u32) -> u32) {
    for (to, a) in to.iter().zip(a) {
        let a = a.get();
        let mut result = [0; WIDTH];
        for lane in 0..WIDTH {
            result[lane] = f(a[lane]);
        }
        to.set(result);
    }
}

#[inline(always)]
pub(super) fn map2(to: Words<'_>, a: Source<'_>, b: Source<'_>, f: impl Fn(u32, u32) -> u32) {
    match (a, b) {
        (Source::Lanes(a), Source::Lanes(b)) => {
            for ((to, a), b) in to.iter().zip(a).zip(b) {
                let (a, b) = (a.get(), b.get());
                let mut result = [0; WIDTH];
                for lane in 0..WIDTH {
                    result[lane] = f(a[lane], b[lane]);
                }
                to.set(result);
            }
        }
        (Source::Lanes(a), Source::Uniform(b)) => map(to, a, |a| f(a, b)),
        (Source::Uniform(a), Source::Lanes(b)) => map(to, b, |b| f(a, b)),
        (Source::Uniform(a), Source::Uniform(b)) => fill(to, f(a, b)),
    }
}

#[inline(always)]
pub(super) fn map3(
    to: Words<'_>,
    a: Source<'_>,
    b: Source<'_>,
    c: Source<'_>,
    f: impl Fn(u32, u32, u32) -> u32,
) {
    for (step, to) in to.iter().enumerate() {
        let (a, b, c) = (a.step(step), b.step(step), c.step(step));
        let mut result = [0; WIDTH];
        for lane in 0..WIDTH {
            result[lane] = f(a[lane], b[lane], c[lane]);
        }
        to.set(result);
    }
}

/// Every lane gets the same word.
#[inline(always)]
pub(super) fn fill(to: Words<'_>, word: u32) {
    for to in to {
        to.set([word; WIDTH]);
    }
}

/// Whether any word is not 0.
#[inline(always)]
pub(super) fn any(lanes: &Lanes) -> bool {
    let mut all = 0;
    for lane in lanes {
        all |= lane;
    }
    all != 0
}

/// An operation over lanes: a loop for each, with the operation known inside it.
#[inline(always)]
pub(super) fn unary(operation: UnaryOperation, to: Words<'_>, a: Words<'_>) {
    macro_rules! table {
        ($($name:ident)*) => {
            match operation {
                $(UnaryOperation::$name => map(to, a, |a| arithmetic::unary(UnaryOperation::$name, a)),)*
            }
        };
    }
    table!(
        LogicalNot BitwiseNot NegateS NegateF AbsS AbsF SignS SignF CountOneBits ReverseBits CountLeadingZeros
        CountTrailingZeros FirstLeadingBitS FirstLeadingBitU FirstTrailingBit Ceil Floor Round Trunc Fract Sqrt
        InverseSqrt Exp Exp2 Log Log2 Sin Cos Tan Asin Acos Atan Sinh Cosh Tanh Asinh Acosh Atanh QuantizeToF16
        FToS FToU SToF UToF UnpackHalfLow PackHalfLow
    );
}

#[inline(always)]
pub(super) fn binary(operation: BinaryOperation, to: Words<'_>, a: Source<'_>, b: Source<'_>) {
    macro_rules! table {
        ($($name:ident)*) => {
            match operation {
                $(BinaryOperation::$name => {
                    map2(to, a, b, |a, b| arithmetic::binary(BinaryOperation::$name, a, b));
                })*
            }
        };
    }
    table!(
        Add Subtract Multiply DivideS DivideU RemainderS RemainderU MinS MinU MaxS MaxU And Or ExclusiveOr
        ShiftLeft ShiftRightS ShiftRightU Equal NotEqual LessS LessU LessEqualS LessEqualU AddF SubtractF
        MultiplyF DivideF RemainderF MinF MaxF EqualF NotEqualF LessF LessEqualF Atan2 Pow Ldexp
    );
}
