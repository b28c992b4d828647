//! Random expressions of a wanted type, whose value every implementation must agree on to the last bit.
//!
//! Integers wrap, so anything goes. Floats hold integers only, small enough that sums, products and fused products are exact:
//! each float expression carries a bound of its magnitude and is clamped before it could pass 2²². So it does not matter whether
//! a compiler contracts, reorders or keeps more bits. The sign of zero is never looked at.
//!
//! WGSL evaluates constant expressions when it compiles and refuses overflow there, so an operation always has one operand that
//! is known only at run time (`u.zero` is a uniform that holds 0).

use super::types::{BOOL, F32, I32, Scalar, Type, U32};
use super::{Generator, LIMIT, STORED};

/// An expression.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) text: String,
    /// Largest magnitude, for floats.
    pub(super) bound: f64,
    /// Only literals in it.
    constant: bool,
}

impl Value {
    /// What a variable or a call gives.
    pub(super) fn stored(text: String) -> Self {
        value(text, STORED)
    }

    /// The text of a `u32`, not known when the kernel is compiled.
    pub(super) fn text_at_run_time(self) -> String {
        self.text_at_run_time_as("u32")
    }

    /// The text of an integer of this type, not known when the kernel is compiled.
    pub(super) fn text_at_run_time_as(self, of: &str) -> String {
        if self.constant { format!("({} | {of}(u.zero))", self.text) } else { self.text }
    }
}

fn value(text: impl Into<String>, bound: f64) -> Value {
    Value { text: text.into(), bound, constant: false }
}

/// Comparisons of numbers.
const COMPARISONS: [&str; 6] = ["==", "<", "!=", ">", "<=", ">="];

impl Generator<'_> {
    /// An expression of this type, nested at most this deep.
    pub(super) fn expression(&mut self, wanted: Type, depth: u32) -> Value {
        self.choices.begin("expression");
        let value = match wanted {
            _ if depth == 0 || self.choices.below(5) == 0 => self.leaf(wanted),
            Type::Scalar(Scalar::U32 | Scalar::I32) | Type::Vector(Scalar::U32 | Scalar::I32, _) => {
                self.integer(wanted, depth - 1)
            }
            Type::Scalar(Scalar::F32) | Type::Vector(Scalar::F32, _) => self.float(wanted, depth - 1),
            Type::Scalar(Scalar::Bool) | Type::Vector(Scalar::Bool, _) => self.boolean(wanted, depth - 1),
            Type::Array(..) | Type::Struct(_) => self.leaf(wanted),
        };
        self.choices.end();
        value
    }

    /// A literal, a variable or part of one, or a value built of parts.
    fn leaf(&mut self, wanted: Type) -> Value {
        if self.choices.below(3) > 0
            && let Some(text) = self.place(wanted, false)
        {
            return value(text, STORED);
        }
        self.literal(wanted)
    }

    fn literal(&mut self, wanted: Type) -> Value {
        match wanted {
            Type::Scalar(scalar) => self.scalar_literal(scalar),
            Type::Vector(scalar, n) => {
                let parts: Vec<_> = (0..n).map(|_| self.scalar_literal(scalar).text).collect();
                Value {
                    text: format!("{}({})", wanted.name(), parts.join(", ")),
                    bound: 16.0,
                    constant: true,
                }
            }
            Type::Array(scalar, n) => {
                let parts: Vec<_> = (0..n).map(|_| self.scalar_literal(scalar).text).collect();
                value(format!("{}({})", wanted.name(), parts.join(", ")), 0.0)
            }
            Type::Struct(index) => {
                let fields = self.structs[index].clone();
                let parts: Vec<_> = fields.into_iter().map(|field| self.literal(field).text).collect();
                value(format!("S{index}({})", parts.join(", ")), 0.0)
            }
        }
    }

    fn scalar_literal(&mut self, scalar: Scalar) -> Value {
        let text = match scalar {
            Scalar::U32 => {
                let wide = [0, 1, 2, 31, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1234_5678];
                let number =
                    if self.choices.one_in(3) { self.choices.pick(&wide) } else { self.choices.below(16) };
                format!("{number}u")
            }
            Scalar::I32 => {
                let number = if self.choices.one_in(4) {
                    self.choices.pick(&[0, -1, i32::MAX, -i32::MAX, 0x1234_5678])
                } else {
                    i32::try_from(self.choices.below(16)).unwrap_or(0) - 4 * i32::from(self.choices.one_in(3))
                };
                format!("{number}i")
            }
            Scalar::F32 => {
                let sign = if self.choices.one_in(3) { "-" } else { "" };
                format!("{sign}{}.0", self.choices.below(16))
            }
            Scalar::Bool => (self.choices.below(2) == 1).to_string(),
        };
        Value { text: format!("({text})"), bound: 16.0, constant: true }
    }

    /// The same value, not known when the kernel is compiled.
    fn at_run_time(&self, of: Type, part: Value) -> Value {
        if !part.constant {
            return part;
        }
        let zero = match of.scalar() {
            Some(Scalar::U32) | None => "u.zero".to_owned(),
            Some(other) => format!("{}(u.zero)", other.name()),
        };
        let zero = if of.width() > 1 { format!("{}({zero})", of.name()) } else { zero };
        let operator = match of.scalar() {
            Some(Scalar::F32) => "+",
            Some(Scalar::Bool) => "!=",
            _ => "|",
        };
        value(format!("({} {operator} {zero})", part.text), part.bound)
    }

    /// Two operands, the second one known only at run time.
    fn operands(&mut self, of: Type, depth: u32) -> (Value, Value) {
        let a = self.expression(of, depth);
        let b = self.expression(of, depth);
        let b = self.at_run_time(of, b);
        (a, b)
    }

    pub(super) fn run_time(&mut self, of: Type, depth: u32) -> Value {
        let part = self.expression(of, depth);
        self.at_run_time(of, part)
    }

    /// An amount from 0 to 31 for shifts.
    fn amount(&mut self, like: Type, depth: u32) -> String {
        let amount = self.run_time(like.of(Scalar::U32), depth).text;
        let mask =
            if like.width() > 1 { format!("{}(31u)", like.of(Scalar::U32).name()) } else { "31u".to_owned() };
        format!("({amount} & {mask})")
    }

    fn integer(&mut self, wanted: Type, depth: u32) -> Value {
        let text = match self.choices.below(13) {
            0 => {
                let (a, b) = self.operands(wanted, depth);
                let operator = self.choices.pick(&["+", "-", "*", "^", "&", "|"]);
                format!("({} {operator} {})", a.text, b.text)
            }
            1 => {
                let (a, b) = self.operands(wanted, depth);
                let operator = self.choices.pick(&["/", "%"]);
                let a = self.at_run_time(wanted, a);
                format!("({} {operator} {})", a.text, b.text)
            }
            2 => {
                let a = self.run_time(wanted, depth).text;
                let amount = self.amount(wanted, depth);
                let operator = self.choices.pick(&["<<", ">>"]);
                format!("({a} {operator} {amount})")
            }
            3 => self.integer_function(wanted, depth),
            4 => {
                let (a, b) = self.operands(wanted, depth);
                let name = self.choices.pick(&["min", "max"]);
                format!("{name}({}, {})", a.text, b.text)
            }
            5 => return self.select(wanted, depth),
            6 => {
                let from = if wanted.scalar() == Some(Scalar::U32) { Scalar::I32 } else { Scalar::U32 };
                let from = self.choices.pick(&[from, Scalar::Bool]);
                let bits = from != Scalar::Bool && self.choices.below(2) == 1;
                let a = self.run_time(wanted.of(from), depth).text;
                if bits {
                    format!("bitcast<{}>({a})", wanted.name())
                } else {
                    format!("{}({a})", wanted.name())
                }
            }
            7 => {
                let a = self.run_time(wanted.of(Scalar::F32), depth);
                let a = self.clamped(wanted.of(Scalar::F32), a);
                let a = if wanted.scalar() == Some(Scalar::U32) { format!("abs({a})") } else { a };
                format!("{}({a})", wanted.name())
            }
            8 => {
                let a = self.run_time(wanted, depth).text;
                let signed = wanted.scalar() == Some(Scalar::I32);
                let operator = if signed { self.choices.pick(&["~", "-"]) } else { "~" };
                format!("({operator}{a})")
            }
            9 => self.bit_field(wanted, depth),
            10 => return self.vector_part(wanted, depth),
            11 => return self.call(wanted, depth),
            _ => self.special_integer(wanted, depth),
        };
        value(text, 0.0)
    }

    fn integer_function(&mut self, wanted: Type, depth: u32) -> String {
        let name = self.choices.pick(&[
            "abs",
            "countOneBits",
            "countLeadingZeros",
            "countTrailingZeros",
            "reverseBits",
            "firstLeadingBit",
            "firstTrailingBit",
        ]);
        let a = self.run_time(wanted, depth).text;
        format!("{name}({a})")
    }

    fn bit_field(&mut self, wanted: Type, depth: u32) -> String {
        let a = self.run_time(wanted, depth).text;
        let offset = self.run_time(U32, 0).text;
        let count = self.run_time(U32, 0).text;
        if self.choices.below(2) == 0 {
            format!("extractBits({a}, {offset} % 40u, {count} % 40u)")
        } else {
            let new = self.expression(wanted, depth).text;
            format!("insertBits({a}, {new}, {offset} % 40u, {count} % 40u)")
        }
    }

    /// Operations that only one shape of integer has.
    fn special_integer(&mut self, wanted: Type, depth: u32) -> String {
        match wanted {
            U32 => match self.choices.below(4) {
                0 => format!("input[{} % arrayLength(&input)]", self.run_time(U32, depth).text),
                1 => format!("TABLE[{} % 8u]", self.run_time(U32, depth).text),
                2 => {
                    let a = self.run_time(U32, depth).text;
                    let b = self.expression(U32, depth).text;
                    format!("dot4U8Packed({a}, {b})")
                }
                _ => format!("pack4xU8({})", self.run_time(Type::Vector(Scalar::U32, 4), depth).text),
            },
            I32 => {
                let a = self.run_time(U32, depth).text;
                let b = self.expression(U32, depth).text;
                format!("dot4I8Packed({a}, {b})")
            }
            Type::Vector(Scalar::U32, 4) => format!("unpack4xU8({})", self.run_time(U32, depth).text),
            Type::Vector(Scalar::I32, 4) => format!("unpack4xI8({})", self.run_time(U32, depth).text),
            Type::Vector(scalar, _) => {
                let a = self.run_time(wanted, depth).text;
                let scale = self.run_time(Type::Scalar(scalar), depth).text;
                let operator = self.choices.pick(&["*", "+", "-"]);
                format!("({a} {operator} {scale})")
            }
            _ => self.literal(wanted).text,
        }
    }

    fn select(&mut self, wanted: Type, depth: u32) -> Value {
        let (a, b) = self.operands(wanted, depth);
        let width = if self.choices.below(2) == 0 { BOOL } else { wanted.of(Scalar::Bool) };
        let condition = self.expression(width, depth).text;
        value(format!("select({}, {}, {condition})", a.text, b.text), a.bound.max(b.bound))
    }

    /// A component of a vector, a swizzle, a vector of parts, or a dot product.
    fn vector_part(&mut self, wanted: Type, depth: u32) -> Value {
        let Some(scalar) = wanted.scalar() else { return self.literal(wanted) };
        let n = 2 + self.choices.below(3);
        let letters = |generator: &mut Self, count: u32| -> String {
            (0..count).map(|_| char::from(b"xyzw"[generator.choices.below(n) as usize])).collect()
        };
        let source = Type::Vector(scalar, n);
        match wanted {
            Type::Scalar(_) if scalar != Scalar::Bool && self.choices.below(2) == 1 => {
                let (a, b) = self.operands(source, depth);
                let (a, b) = (self.within(source, a, 256.0), self.within(source, b, 256.0));
                value(format!("dot({}, {})", a.text, b.text), f64::from(n) * a.bound * b.bound)
            }
            Type::Scalar(_) => {
                let a = self.run_time(source, depth);
                value(format!("{}.{}", a.text, letters(self, 1)), a.bound)
            }
            Type::Vector(_, width) if self.choices.below(2) == 0 => {
                let a = self.run_time(source, depth);
                value(format!("{}.{}", a.text, letters(self, width)), a.bound)
            }
            _ => {
                let parts: Vec<_> =
                    (0..wanted.width()).map(|_| self.expression(Type::Scalar(scalar), depth)).collect();
                let bound = parts.iter().fold(0.0, |bound: f64, part| bound.max(part.bound));
                // naga looks for zero divisors among the parts too.
                let constant = parts.iter().any(|part| part.constant);
                let parts: Vec<_> = parts.into_iter().map(|part| part.text).collect();
                Value { text: format!("{}({})", wanted.name(), parts.join(", ")), bound, constant }
            }
        }
    }

    /// The float with a magnitude within `STORED`, as text.
    pub(super) fn clamped(&self, of: Type, part: Value) -> String {
        self.within(of, part, STORED).text
    }

    fn within(&self, of: Type, part: Value, bound: f64) -> Value {
        if of.scalar() != Some(Scalar::F32) || part.bound <= bound {
            return part;
        }
        let part = self.at_run_time(of, part);
        let name = of.name();
        value(format!("clamp({}, {name}(-{bound}.0), {name}({bound}.0))", part.text), bound)
    }

    fn float(&mut self, wanted: Type, depth: u32) -> Value {
        match self.choices.below(10) {
            0 => {
                let (a, b) = self.operands(wanted, depth);
                let operator = self.choices.pick(&["+", "-"]);
                self.checked(wanted, a.bound + b.bound, format!("({} {operator} {})", a.text, b.text))
            }
            1 => {
                let (a, b) = self.operands(wanted, depth);
                let (a, b) = (self.within(wanted, a, 1024.0), self.within(wanted, b, 1024.0));
                value(format!("({} * {})", a.text, b.text), a.bound * b.bound)
            }
            2 => {
                let name = self.choices.pick(&["abs", "floor", "ceil", "trunc", "round", "sign", "-"]);
                let a = self.run_time(wanted, depth);
                value(format!("({name}({}))", a.text), a.bound)
            }
            3 => {
                let name = self.choices.pick(&["min", "max"]);
                let (a, b) = self.operands(wanted, depth);
                value(format!("{name}({}, {})", a.text, b.text), a.bound.max(b.bound))
            }
            4 => self.select(wanted, depth),
            5 => {
                let from = self.choices.pick(&[Scalar::U32, Scalar::I32]);
                let a = self.run_time(wanted.of(from), depth).text;
                let name = wanted.of(from).name();
                let mask = if from == Scalar::U32 { "255u" } else { "255i" };
                value(format!("{}({a} & {name}({mask}))", wanted.name()), 255.0)
            }
            6 => self.vector_part(wanted, depth),
            7 => {
                let (a, b) = self.operands(wanted, depth);
                let (a, b) = (self.within(wanted, a, 1024.0), self.within(wanted, b, 1024.0));
                let c = self.expression(wanted, depth);
                let bound = a.bound * b.bound + c.bound;
                self.checked(wanted, bound, format!("fma({}, {}, {})", a.text, b.text, c.text))
            }
            8 => self.call(wanted, depth),
            _ => self.special_float(wanted, depth),
        }
    }

    fn special_float(&mut self, wanted: Type, depth: u32) -> Value {
        let Type::Vector(_, n @ (2 | 3)) = wanted else {
            let a = self.run_time(wanted, depth);
            return value(format!("floor({} * 0.5)", a.text), a.bound);
        };
        let columns: Vec<_> = (0..n)
            .map(|_| {
                let column = self.run_time(wanted, depth);
                self.within(wanted, column, STORED).text
            })
            .collect();
        let vector = self.run_time(wanted, depth);
        let vector = self.within(wanted, vector, STORED);
        let matrix = format!("mat{n}x{n}<f32>({})", columns.join(", "));
        let text = match self.choices.below(3) {
            0 => format!("({matrix} * {})", vector.text),
            1 => format!("({} * {matrix})", vector.text),
            _ => format!("(transpose({matrix}) * {})", vector.text),
        };
        value(text, f64::from(n) * STORED * STORED)
    }

    /// A float whose bound may have grown too large.
    fn checked(&self, of: Type, bound: f64, text: String) -> Value {
        let part = value(text, bound);
        if bound > LIMIT { self.within(of, part, STORED) } else { part }
    }

    fn boolean(&mut self, wanted: Type, depth: u32) -> Value {
        let text = match self.choices.below(6) {
            0 | 1 => {
                let scalar = self.choices.pick(&[Scalar::U32, Scalar::I32, Scalar::F32]);
                let (a, b) = self.operands(wanted.of(scalar), depth);
                format!("({} {} {})", a.text, self.choices.pick(&COMPARISONS), b.text)
            }
            2 => format!("(!{})", self.run_time(wanted, depth).text),
            3 => {
                let (a, b) = self.operands(wanted, depth);
                let operators: &[&str] =
                    if wanted == BOOL { &["&&", "||", "==", "!="] } else { &["&", "|", "==", "!="] };
                format!("({} {} {})", a.text, self.choices.pick(operators), b.text)
            }
            4 if wanted == BOOL => {
                let name = self.choices.pick(&["any", "all"]);
                let n = 2 + self.choices.below(3);
                format!("{name}({})", self.run_time(Type::Vector(Scalar::Bool, n), depth).text)
            }
            4 => return self.select(wanted, depth),
            _ => {
                let from = self.choices.pick(&[U32, I32, F32]).scalar().unwrap_or(Scalar::U32);
                let a = self.run_time(wanted.of(from), depth).text;
                format!("{}({a})", wanted.name())
            }
        };
        value(text, 0.0)
    }
}
