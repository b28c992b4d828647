//! Small numbers packed into a word, the first in the low bits.

use naga::MathFunction as M;

use super::{Lowerer, Refusal, Result, Words};
use crate::shader::lane::{BinaryOperation as B, UnaryOperation as U, Value};

impl Lowerer<'_> {
    pub(super) fn packing(&mut self, function: M, a: &[Value], b: &[Value]) -> Result<Words> {
        Ok(match function {
            M::Pack4x8snorm => self.pack_normalized(a, 8, -1.0, 127.0),
            M::Pack4x8unorm => self.pack_normalized(a, 8, 0.0, 255.0),
            M::Pack2x16snorm => self.pack_normalized(a, 16, -1.0, 32767.0),
            M::Pack2x16unorm => self.pack_normalized(a, 16, 0.0, 65535.0),
            M::Pack2x16float => {
                let halves: Words = a.iter().map(|&word| self.unary(U::PackHalfLow, word)).collect();
                self.pack(&halves, 16)
            }
            M::Pack4xI8 | M::Pack4xU8 => self.pack(a, 8),
            M::Pack4xI8Clamp => {
                let (low, high) = (self.builder.constant(-128i32 as u32), self.builder.constant(127));
                let raised = self.zip(B::MaxS, a, &[low]);
                let clamped = self.zip(B::MinS, &raised, &[high]);
                self.pack(&clamped, 8)
            }
            M::Pack4xU8Clamp => {
                let high = self.builder.constant(255);
                let clamped = self.zip(B::MinU, a, &[high]);
                self.pack(&clamped, 8)
            }
            M::Unpack4x8snorm => self.unpack_normalized(a[0], 8, true, 127.0),
            M::Unpack4x8unorm => self.unpack_normalized(a[0], 8, false, 255.0),
            M::Unpack2x16snorm => self.unpack_normalized(a[0], 16, true, 32767.0),
            M::Unpack2x16unorm => self.unpack_normalized(a[0], 16, false, 65535.0),
            M::Unpack2x16float => {
                let halves = self.unpack(a[0], 16, false);
                halves.into_iter().map(|half| self.unary(U::UnpackHalfLow, half)).collect()
            }
            M::Unpack4xI8 => self.unpack(a[0], 8, true),
            M::Unpack4xU8 => self.unpack(a[0], 8, false),
            M::Dot4I8Packed | M::Dot4U8Packed => {
                let signed = function == M::Dot4I8Packed;
                let (a, b) = (self.unpack(a[0], 8, signed), self.unpack(b[0], 8, signed));
                Words::from_slice(&[self.dot(&a, &b, B::Multiply, B::Add)])
            }
            other => return Err(Refusal::unsupported(format!("the function {other:?}"))),
        })
    }

    /// The low bits of each word beside each other.
    fn pack(&mut self, words: &[Value], bits: u32) -> Words {
        let mask = self.builder.constant((1 << bits) - 1);
        let mut packed = self.builder.constant(0);
        for (index, &word) in words.iter().enumerate() {
            let low = self.binary(B::And, word, mask);
            let shift = self.builder.constant(index as u32 * bits);
            let placed = self.binary(B::ShiftLeft, low, shift);
            packed = self.binary(B::Or, placed, packed);
        }
        Words::from_slice(&[packed])
    }

    /// `floor(0.5 + most * clamp(x, least, 1))` of each.
    fn pack_normalized(&mut self, words: &[Value], bits: u32, least: f32, most: f32) -> Words {
        let (least, one, most, half) =
            (self.float(least), self.float(1.0), self.float(most), self.float(0.5));
        let raised = self.zip(B::MaxF, words, &[least]);
        let clamped = self.zip(B::MinF, &raised, &[one]);
        let scaled = self.zip(B::MultiplyF, &[most], &clamped);
        let rounded = self.zip(B::AddF, &[half], &scaled);
        let whole: Words = rounded
            .into_iter()
            .map(|word| {
                let floor = self.unary(U::Floor, word);
                self.unary(U::FToS, floor)
            })
            .collect();
        self.pack(&whole, bits)
    }

    fn unpack(&mut self, word: Value, bits: u32, signed: bool) -> Words {
        let down = self.builder.constant(32 - bits);
        let mut words = Words::new();
        for at in (0..32).step_by(bits as usize) {
            let up = self.builder.constant(32 - bits - at);
            let high = self.binary(B::ShiftLeft, word, up);
            words.push(self.binary(if signed { B::ShiftRightS } else { B::ShiftRightU }, high, down));
        }
        words
    }

    /// Each divided by what stands for 1; signed ones are at least -1.
    fn unpack_normalized(&mut self, word: Value, bits: u32, signed: bool, most: f32) -> Words {
        let parts = self.unpack(word, bits, signed);
        let (most, least) = (self.float(most), self.float(-1.0));
        let to_float = if signed { U::SToF } else { U::UToF };
        let normalize = |part: Value| {
            let number = self.unary(to_float, part);
            let ratio = self.binary(B::DivideF, number, most);
            if signed { self.binary(B::MaxF, ratio, least) } else { ratio }
        };
        parts.into_iter().map(normalize).collect()
    }
}
