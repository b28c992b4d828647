//! Built-in functions, as the WGSL specification defines each by simpler ones.
//!
//! Where it gives a formula, that formula is computed, in its order and with no fused steps, so that plain loops on the host agree.

use naga::{Expression, Handle, MathFunction as M};

use super::shape::{Form, Kind};
use super::{Lowerer, Refusal, Result, Words};
use crate::shader::lane::{BinaryOperation as B, Operation, UnaryOperation as U, Value};

impl Lowerer<'_> {
    /// A function of one to four arguments.
    #[allow(clippy::too_many_lines, reason = "one line or two for each function: a table")]
    pub(super) fn math(
        &mut self,
        handle: Handle<Expression>,
        function: M,
        arguments: [Option<Handle<Expression>>; 4],
    ) -> Result<Words> {
        let first = arguments[0].unwrap_or(handle);
        let shape = self.shape(first)?;
        let kind = shape.kind().ok_or_else(|| Refusal::unsupported("a function of an aggregate"))?;
        let mut words: [Words; 4] = Default::default();
        for (words, argument) in words.iter_mut().zip(arguments) {
            if let Some(argument) = argument {
                *words = self.words(argument)?;
            }
        }
        let [a, b, c, d] = words;
        if let Some(operation) = unary_operation(function, kind) {
            return Ok(a.into_iter().map(|word| self.unary(operation, word)).collect());
        }
        if let Some(operation) = binary_operation(function, kind) {
            return Ok(self.zip(operation, &a, &b));
        }
        match function {
            // Of an unsigned number.
            M::Abs => Ok(a),
            M::Clamp => {
                let (least, most) = least_and_most(kind);
                let raised = self.zip(most, &a, &b);
                Ok(self.zip(least, &raised, &c))
            }
            M::Saturate => {
                let (zero, one) = (self.float(0.0), self.float(1.0));
                let raised = self.zip(B::MaxF, &a, &[zero]);
                Ok(self.zip(B::MinF, &raised, &[one]))
            }
            M::Radians => Ok(self.scale(&a, std::f32::consts::PI / 180.0)),
            M::Degrees => Ok(self.scale(&a, 180.0 / std::f32::consts::PI)),
            M::Modf => Ok(self.modf(&a)),
            M::Frexp => Ok(self.frexp(&a)),
            M::Fma => {
                let triples = a.into_iter().zip(b).zip(c);
                Ok(triples
                    .map(|((a, b), c)| self.builder.emit(Operation::FusedMultiplyAdd(a, b, c)))
                    .collect())
            }
            M::Mix => Ok(self.mix(&a, &b, &c)),
            M::Step => Ok(self.step(&a, &b)),
            M::SmoothStep => Ok(self.smooth_step(&a, &b, &c)),
            M::ExtractBits => Ok(self.extract_bits(&a, &b, &c, kind)),
            M::InsertBits => Ok(self.insert_bits(&a, &b, &c, &d)),
            M::Transpose | M::Determinant | M::Inverse => match &shape.form {
                Form::Matrix { column, .. } => Ok(self.matrix_function(function, &a, column.words as usize)),
                _ => Err(Refusal::unsupported("a matrix function of something else")),
            },
            M::Dot
            | M::Cross
            | M::Outer
            | M::Distance
            | M::Length
            | M::Normalize
            | M::FaceForward
            | M::Reflect
            | M::Refract => Ok(self.geometry(function, &a, &b, &c, kind)),
            _ => self.packing(function, &a, &b),
        }
    }

    fn matrix_function(&mut self, function: M, matrix: &[Value], rows: usize) -> Words {
        match function {
            M::Transpose => self.transpose(matrix, rows),
            M::Determinant => Words::from_slice(&[self.determinant(matrix, rows)]),
            _ => self.inverse(matrix, rows),
        }
    }

    fn scale(&mut self, words: &[Value], factor: f32) -> Words {
        let factor = self.float(factor);
        self.zip(B::MultiplyF, words, &[factor])
    }

    /// The fractional parts, then the whole parts.
    fn modf(&mut self, words: &[Value]) -> Words {
        let whole: Words = words.iter().map(|&word| self.unary(U::Trunc, word)).collect();
        let mut parts = self.zip(B::SubtractF, words, &whole);
        parts.extend(whole);
        parts
    }

    /// The fractions in [0.5, 1), then the exponents. Of zero, infinities and NaN: itself, and 0.
    fn frexp(&mut self, words: &[Value]) -> Words {
        let mut fractions = Words::new();
        let mut exponents = Words::new();
        let constant = |lowerer: &mut Self, word| lowerer.builder.constant(word);
        let (zero, least_normal) = (constant(self, 0), self.float(f32::MIN_POSITIVE));
        for &word in words {
            // Subnormal numbers are made normal first.
            let size = self.unary(U::AbsF, word);
            let is_small = self.binary(B::LessF, size, least_normal);
            let factor = self.float((1u32 << 25) as f32);
            let grown = self.binary(B::MultiplyF, word, factor);
            let normal = self.select(is_small, grown, word);
            let (twenty_three, exponent_mask) = (constant(self, 23), constant(self, 0xff));
            let shifted = self.binary(B::ShiftRightU, normal, twenty_three);
            let biased = self.binary(B::And, shifted, exponent_mask);
            let (bias, small_bias) = (constant(self, 126), constant(self, 126 + 25));
            let bias = self.select(is_small, small_bias, bias);
            let exponent = self.binary(B::Subtract, biased, bias);
            let (keep, half) = (constant(self, 0x807f_ffff), constant(self, 0x3f00_0000));
            let kept = self.binary(B::And, normal, keep);
            let fraction = self.binary(B::Or, kept, half);
            let is_zero = self.binary(B::EqualF, word, zero);
            let is_odd = self.binary(B::Equal, biased, exponent_mask);
            let is_itself = self.binary(B::Or, is_zero, is_odd);
            fractions.push(self.select(is_itself, word, fraction));
            exponents.push(self.select(is_itself, zero, exponent));
        }
        fractions.extend(exponents);
        fractions
    }

    /// `from * (1 - t) + to * t`.
    fn mix(&mut self, from: &[Value], to: &[Value], t: &[Value]) -> Words {
        let one = self.float(1.0);
        let rest = self.zip(B::SubtractF, &[one], t);
        let (from, to) = (self.zip(B::MultiplyF, from, &rest), self.zip(B::MultiplyF, to, t));
        self.zip(B::AddF, &from, &to)
    }

    /// 1 where the edge is reached, else 0.
    fn step(&mut self, edge: &[Value], x: &[Value]) -> Words {
        let (zero, one) = (self.float(0.0), self.float(1.0));
        let reached = self.zip(B::LessEqualF, edge, x);
        reached.into_iter().map(|reached| self.select(reached, one, zero)).collect()
    }

    /// `t * t * (3 - 2 * t)` where `t = clamp((x - low) / (high - low), 0, 1)`.
    fn smooth_step(&mut self, low: &[Value], high: &[Value], x: &[Value]) -> Words {
        let (zero, one, two, three) = (self.float(0.0), self.float(1.0), self.float(2.0), self.float(3.0));
        let above = self.zip(B::SubtractF, x, low);
        let range = self.zip(B::SubtractF, high, low);
        let ratio = self.zip(B::DivideF, &above, &range);
        let raised = self.zip(B::MaxF, &ratio, &[zero]);
        let t = self.zip(B::MinF, &raised, &[one]);
        let square = self.zip(B::MultiplyF, &t, &t);
        let double = self.zip(B::MultiplyF, &[two], &t);
        let rest = self.zip(B::SubtractF, &[three], &double);
        self.zip(B::MultiplyF, &square, &rest)
    }

    /// Offset and count within 32 bits, as the specification cuts them.
    fn bit_range(&mut self, offset: Value, count: Value) -> (Value, Value) {
        let width = self.builder.constant(32);
        let offset = self.binary(B::MinU, offset, width);
        let room = self.binary(B::Subtract, width, offset);
        (offset, self.binary(B::MinU, count, room))
    }

    fn extract_bits(&mut self, words: &[Value], offset: &[Value], count: &[Value], kind: Kind) -> Words {
        let (offset, count) = self.bit_range(offset[0], count[0]);
        let (width, zero) = (self.builder.constant(32), self.builder.constant(0));
        let down = self.binary(B::Subtract, width, count);
        let up = self.binary(B::Subtract, down, offset);
        let is_empty = self.binary(B::Equal, count, zero);
        let shift = if kind == Kind::Signed { B::ShiftRightS } else { B::ShiftRightU };
        let extract = |&word: &Value| {
            let high = self.binary(B::ShiftLeft, word, up);
            let low = self.binary(shift, high, down);
            self.select(is_empty, zero, low)
        };
        words.iter().map(extract).collect()
    }

    fn insert_bits(&mut self, words: &[Value], new: &[Value], offset: &[Value], count: &[Value]) -> Words {
        let (offset, count) = self.bit_range(offset[0], count[0]);
        let (width, one, all) =
            (self.builder.constant(32), self.builder.constant(1), self.builder.constant(u32::MAX));
        let above = self.binary(B::ShiftLeft, one, count);
        let some = self.binary(B::Subtract, above, one);
        let is_full = self.binary(B::Equal, count, width);
        let ones = self.select(is_full, all, some);
        let mask = self.binary(B::ShiftLeft, ones, offset);
        let keep = self.unary(U::BitwiseNot, mask);
        self.components(words, new, |lowerer, word, new| {
            let kept = lowerer.binary(B::And, word, keep);
            let moved = lowerer.binary(B::ShiftLeft, new, offset);
            let added = lowerer.binary(B::And, moved, mask);
            lowerer.binary(B::Or, kept, added)
        })
    }

    fn geometry(&mut self, function: M, a: &Words, b: &Words, c: &Words, kind: Kind) -> Words {
        match function {
            M::Dot => {
                let (multiply, add) =
                    if kind == Kind::Float { (B::MultiplyF, B::AddF) } else { (B::Multiply, B::Add) };
                Words::from_slice(&[self.dot(a, b, multiply, add)])
            }
            M::Cross => self.cross(a, b),
            // Columns: the first vector by each component of the second.
            M::Outer => b.iter().flat_map(|&b| self.zip(B::MultiplyF, a, &[b])).collect(),
            M::Distance => {
                let difference = self.zip(B::SubtractF, a, b);
                Words::from_slice(&[self.length(&difference)])
            }
            M::Length => Words::from_slice(&[self.length(a)]),
            M::Normalize => {
                let length = self.length(a);
                self.zip(B::DivideF, a, &[length])
            }
            M::FaceForward => {
                let zero = self.float(0.0);
                let side = self.dot(b, c, B::MultiplyF, B::AddF);
                let is_front = self.binary(B::LessF, side, zero);
                let turn = |&word: &Value| {
                    let turned = self.unary(U::NegateF, word);
                    self.select(is_front, word, turned)
                };
                a.iter().map(turn).collect()
            }
            M::Reflect => {
                let two = self.float(2.0);
                let along = self.dot(b, a, B::MultiplyF, B::AddF);
                let double = self.binary(B::MultiplyF, two, along);
                let back = self.zip(B::MultiplyF, &[double], b);
                self.zip(B::SubtractF, a, &back)
            }
            _ => self.refract(a, b, c[0]),
        }
    }

    fn cross(&mut self, a: &[Value], b: &[Value]) -> Words {
        let mut component = |x: usize, y: usize| {
            let left = self.binary(B::MultiplyF, a[x], b[y]);
            let right = self.binary(B::MultiplyF, a[y], b[x]);
            self.binary(B::SubtractF, left, right)
        };
        Words::from_slice(&[component(1, 2), component(2, 0), component(0, 1)])
    }

    fn length(&mut self, words: &[Value]) -> Value {
        if let [word] = *words {
            return self.unary(U::AbsF, word);
        }
        let square = self.dot(words, words, B::MultiplyF, B::AddF);
        self.unary(U::Sqrt, square)
    }

    /// `k = 1 - e * e * (1 - dot(n, i)²)`; 0 where `k < 0`, else `e * i - (e * dot(n, i) + sqrt(k)) * n`.
    fn refract(&mut self, incident: &[Value], normal: &[Value], ratio: Value) -> Words {
        let (zero, one) = (self.float(0.0), self.float(1.0));
        let along = self.dot(normal, incident, B::MultiplyF, B::AddF);
        let square = self.binary(B::MultiplyF, along, along);
        let sine = self.binary(B::SubtractF, one, square);
        let ratio_square = self.binary(B::MultiplyF, ratio, ratio);
        let bent = self.binary(B::MultiplyF, ratio_square, sine);
        let k = self.binary(B::SubtractF, one, bent);
        let is_total = self.binary(B::LessF, k, zero);
        let root = self.unary(U::Sqrt, k);
        let scaled = self.binary(B::MultiplyF, ratio, along);
        let down = self.binary(B::AddF, scaled, root);
        let forward = self.zip(B::MultiplyF, &[ratio], incident);
        let back = self.zip(B::MultiplyF, &[down], normal);
        let refracted = self.zip(B::SubtractF, &forward, &back);
        refracted.into_iter().map(|word| self.select(is_total, zero, word)).collect()
    }
}

fn least_and_most(kind: Kind) -> (B, B) {
    match kind {
        Kind::Signed => (B::MinS, B::MaxS),
        Kind::Unsigned | Kind::Bool => (B::MinU, B::MaxU),
        Kind::Float => (B::MinF, B::MaxF),
    }
}

fn unary_operation(function: M, kind: Kind) -> Option<U> {
    Some(match (function, kind) {
        (M::Abs, Kind::Signed) => U::AbsS,
        (M::Abs, Kind::Float) => U::AbsF,
        (M::Sign, Kind::Signed) => U::SignS,
        (M::Sign, Kind::Float) => U::SignF,
        (M::FirstLeadingBit, Kind::Signed) => U::FirstLeadingBitS,
        (M::FirstLeadingBit, _) => U::FirstLeadingBitU,
        (M::FirstTrailingBit, _) => U::FirstTrailingBit,
        (M::CountOneBits, _) => U::CountOneBits,
        (M::ReverseBits, _) => U::ReverseBits,
        (M::CountLeadingZeros, _) => U::CountLeadingZeros,
        (M::CountTrailingZeros, _) => U::CountTrailingZeros,
        (M::Ceil, _) => U::Ceil,
        (M::Floor, _) => U::Floor,
        (M::Round, _) => U::Round,
        (M::Trunc, _) => U::Trunc,
        (M::Fract, _) => U::Fract,
        (M::Sqrt, _) => U::Sqrt,
        (M::InverseSqrt, _) => U::InverseSqrt,
        (M::Exp, _) => U::Exp,
        (M::Exp2, _) => U::Exp2,
        (M::Log, _) => U::Log,
        (M::Log2, _) => U::Log2,
        (M::Sin, _) => U::Sin,
        (M::Cos, _) => U::Cos,
        (M::Tan, _) => U::Tan,
        (M::Asin, _) => U::Asin,
        (M::Acos, _) => U::Acos,
        (M::Atan, _) => U::Atan,
        (M::Sinh, _) => U::Sinh,
        (M::Cosh, _) => U::Cosh,
        (M::Tanh, _) => U::Tanh,
        (M::Asinh, _) => U::Asinh,
        (M::Acosh, _) => U::Acosh,
        (M::Atanh, _) => U::Atanh,
        (M::QuantizeToF16, _) => U::QuantizeToF16,
        _ => return None,
    })
}

fn binary_operation(function: M, kind: Kind) -> Option<B> {
    let (least, most) = least_and_most(kind);
    Some(match function {
        M::Min => least,
        M::Max => most,
        M::Atan2 => B::Atan2,
        M::Pow => B::Pow,
        M::Ldexp => B::Ldexp,
        _ => return None,
    })
}
