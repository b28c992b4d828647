//! A second, slow interpreter of lane IR, as plain as its definition: one lane after the other through every statement.
//!
//! It shares nothing with the device's interpreter, so that both, and the values that each test computes by itself, must agree.
//! It knows no textures.

use std::collections::HashMap;

use crate::shader::lane::{
    Address, AtomicOperation as A, BinaryOperation as B, Builtin, Kernel, Label, Operation, Space, Statement,
    UnaryOperation as U, Value,
};

/// Runs all workgroups of a grid, one after the other. Buffers are in the order of the kernel's bindings.
pub(super) fn run(kernel: &Kernel, buffers: &mut [Vec<u32>], groups: [u32; 3]) {
    for z in 0..groups[2] {
        for y in 0..groups[1] {
            for x in 0..groups[0] {
                Machine::new(kernel, buffers, groups, [x, y, z]).run();
            }
        }
    }
}

struct Machine<'k> {
    kernel: &'k Kernel,
    buffers: &'k mut [Vec<u32>],
    groups: [u32; 3],
    group: [u32; 3],
    lanes: usize,
    values: Vec<Vec<u32>>,
    variables: Vec<Vec<u32>>,
    private: Vec<Vec<u32>>,
    workgroup: Vec<u32>,
    parked: HashMap<Label, Vec<bool>>,
}

impl<'k> Machine<'k> {
    fn new(kernel: &'k Kernel, buffers: &'k mut [Vec<u32>], groups: [u32; 3], group: [u32; 3]) -> Self {
        let lanes = kernel.workgroup_size.iter().product::<u32>() as usize;
        Self {
            kernel,
            buffers,
            groups,
            group,
            lanes,
            // What no lane has computed is recognizable.
            values: vec![vec![0xdead_beef; lanes]; kernel.values as usize],
            variables: vec![vec![0; lanes]; kernel.variables as usize],
            private: vec![vec![0; kernel.private_words as usize]; lanes],
            workgroup: vec![0; kernel.workgroup_words as usize],
            parked: HashMap::new(),
        }
    }

    fn run(&mut self) {
        let mut mask = vec![true; self.lanes];
        let kernel = self.kernel;
        self.block(&kernel.body, &mut mask);
    }

    fn block(&mut self, statements: &[Statement], mask: &mut Vec<bool>) {
        for statement in statements {
            if mask.contains(&true) {
                self.statement(statement, mask);
            }
        }
    }

    fn statement(&mut self, statement: &Statement, mask: &mut Vec<bool>) {
        match statement {
            Statement::If { condition, accept, reject } => {
                let holds = |lane: usize| self.values[condition.0 as usize][lane] != 0;
                let mut taken: Vec<bool> = (0..self.lanes).map(|lane| mask[lane] && holds(lane)).collect();
                let mut other: Vec<bool> = (0..self.lanes).map(|lane| mask[lane] && !holds(lane)).collect();
                self.block(accept, &mut taken);
                self.block(reject, &mut other);
                *mask = taken.iter().zip(&other).map(|(&a, &b)| a || b).collect();
            }
            Statement::Block { label, body } => {
                self.parked.insert(*label, vec![false; self.lanes]);
                self.block(body, mask);
                let parked = self.parked.remove(label).expect("inserted above");
                mask.iter_mut().zip(parked).for_each(|(here, back)| *here |= back);
            }
            Statement::Loop { body } => {
                while mask.contains(&true) {
                    self.block(body, mask);
                }
            }
            Statement::Exit { label } => {
                let parked = self.parked.get_mut(label).expect("verified");
                for (here, there) in mask.iter_mut().zip(parked) {
                    *there |= std::mem::take(here);
                }
            }
            Statement::Barrier | Statement::Fence => {}
            Statement::LetTexel { .. } | Statement::StoreTexel { .. } => panic!("a texture"),
            other => (0..self.lanes).filter(|&lane| mask[lane]).for_each(|lane| self.lane(other, lane)),
        }
    }

    fn lane(&mut self, statement: &Statement, lane: usize) {
        let of = |machine: &Self, value: Value| machine.values[value.0 as usize][lane];
        match statement {
            Statement::Let { result, operation } => {
                self.values[result.0 as usize][lane] = self.operation(operation, lane);
            }
            Statement::Set { variable, value } => {
                self.variables[variable.0 as usize][lane] = of(self, *value)
            }
            Statement::Store { address, value } => {
                let value = of(self, *value);
                if let Some(word) = self.word(address, lane) {
                    *word = value;
                }
            }
            Statement::Atomic { result, address, operation } => {
                let former = self.atomic(address, operation, lane);
                if let Some(result) = result {
                    self.values[result.0 as usize][lane] = former;
                }
            }
            other => panic!("{other:?}"),
        }
    }

    fn word(&mut self, address: &Address, lane: usize) -> Option<&mut u32> {
        let index = address.index.map_or(0, |index| self.values[index.0 as usize][lane]);
        let at = usize::try_from(u64::from(address.base) + u64::from(index)).ok()?;
        match address.space {
            Space::Buffer(binding) => self.buffers[binding as usize].get_mut(at),
            Space::Workgroup => Some(&mut self.workgroup[at]),
            Space::Private => Some(&mut self.private[lane][at]),
            Space::Constant => panic!("a store to a table"),
        }
    }

    fn atomic(&mut self, address: &Address, operation: &A, lane: usize) -> u32 {
        let of = |machine: &Self, value: &Value| machine.values[value.0 as usize][lane];
        let operand = match operation {
            A::Load => 0,
            A::Store(v) | A::Add(v) | A::Subtract(v) | A::And(v) | A::Or(v) | A::ExclusiveOr(v) => {
                of(self, v)
            }
            A::SignedMin(v) | A::SignedMax(v) | A::UnsignedMin(v) | A::UnsignedMax(v) | A::Exchange(v) => {
                of(self, v)
            }
            A::CompareExchange { desired, .. } => of(self, desired),
        };
        let expected =
            if let A::CompareExchange { expected, .. } = operation { of(self, expected) } else { 0 };
        let Some(word) = self.word(address, lane) else { return 0 };
        let former = *word;
        *word = match operation {
            A::Load => former,
            A::Store(_) | A::Exchange(_) => operand,
            A::Add(_) => former.wrapping_add(operand),
            A::Subtract(_) => former.wrapping_sub(operand),
            A::And(_) => former & operand,
            A::Or(_) => former | operand,
            A::ExclusiveOr(_) => former ^ operand,
            A::SignedMin(_) => (former as i32).min(operand as i32) as u32,
            A::SignedMax(_) => (former as i32).max(operand as i32) as u32,
            A::UnsignedMin(_) => former.min(operand),
            A::UnsignedMax(_) => former.max(operand),
            A::CompareExchange { .. } => {
                if former == expected {
                    operand
                } else {
                    former
                }
            }
        };
        former
    }

    fn operation(&mut self, operation: &Operation, lane: usize) -> u32 {
        let of = |value: &Value| self.values[value.0 as usize][lane];
        match operation {
            Operation::Constant(word) => *word,
            Operation::Variable(variable) => self.variables[variable.0 as usize][lane],
            Operation::Unary(operation, a) => unary(*operation, of(a)),
            Operation::Binary(operation, a, b) => binary(*operation, of(a), of(b)),
            Operation::FusedMultiplyAdd(a, b, c) => {
                let [a, b, c] = [a, b, c].map(|value| f32::from_bits(of(value)));
                a.mul_add(b, c).to_bits()
            }
            Operation::Select(condition, a, b) => {
                if of(condition) != 0 {
                    of(a)
                } else {
                    of(b)
                }
            }
            Operation::Load(address) if address.space == Space::Constant => {
                let index = address.index.map_or(0, |index| of(&index));
                self.kernel.constants[address.base as usize + index as usize]
            }
            Operation::Load(address) => self.word(address, lane).map_or(0, |word| *word),
            Operation::BufferWords(binding) => self.buffers[*binding as usize].len() as u32,
            Operation::TextureQuery { .. } => panic!("a texture"),
            Operation::Builtin(builtin) => self.builtin(*builtin, lane as u32),
        }
    }

    fn builtin(&self, builtin: Builtin, lane: u32) -> u32 {
        let [x, y, _] = self.kernel.workgroup_size;
        let local = [lane % x, lane / x % y, lane / (x * y)];
        match builtin {
            Builtin::LocalInvocationId(axis) => local[axis as usize],
            Builtin::LocalInvocationIndex => lane,
            Builtin::GlobalInvocationId(axis) => {
                let axis = axis as usize;
                self.group[axis] * self.kernel.workgroup_size[axis] + local[axis]
            }
            Builtin::WorkgroupId(axis) => self.group[axis as usize],
            Builtin::NumWorkgroups(axis) => self.groups[axis as usize],
        }
    }
}

fn unary(operation: U, a: u32) -> u32 {
    let (s, f) = (a as i32, f32::from_bits(a));
    let float = match operation {
        U::LogicalNot => return u32::from(a == 0),
        U::BitwiseNot => return !a,
        U::NegateS => return s.wrapping_neg() as u32,
        U::AbsS => return s.wrapping_abs() as u32,
        U::SignS => return s.signum() as u32,
        U::CountOneBits => return a.count_ones(),
        U::ReverseBits => return a.reverse_bits(),
        U::CountLeadingZeros => return a.leading_zeros(),
        U::CountTrailingZeros => return a.trailing_zeros(),
        U::FirstLeadingBitU => return 31u32.wrapping_sub(a.leading_zeros()),
        U::FirstLeadingBitS => return 31u32.wrapping_sub((if s < 0 { !a } else { a }).leading_zeros()),
        U::FirstTrailingBit => return if a == 0 { u32::MAX } else { a.trailing_zeros() },
        U::FToS => return f as i32 as u32,
        U::FToU => return f as u32,
        U::PackHalfLow => return u32::from(half::f16::from_f32(f).to_bits()),
        U::NegateF => return a ^ 0x8000_0000,
        U::AbsF => return a & 0x7fff_ffff,
        U::SignF => {
            if f > 0.0 {
                1.0
            } else if f < 0.0 {
                -1.0
            } else {
                0.0
            }
        }
        U::Ceil => f.ceil(),
        U::Floor => f.floor(),
        U::Round => f.round_ties_even(),
        U::Trunc => f.trunc(),
        U::Fract => f - f.floor(),
        U::Sqrt => f.sqrt(),
        U::InverseSqrt => 1.0 / f.sqrt(),
        U::Exp => f.exp(),
        U::Exp2 => f.exp2(),
        U::Log => f.ln(),
        U::Log2 => f.log2(),
        U::Sin => f.sin(),
        U::Cos => f.cos(),
        U::Tan => f.tan(),
        U::Asin => f.asin(),
        U::Acos => f.acos(),
        U::Atan => f.atan(),
        U::Sinh => f.sinh(),
        U::Cosh => f.cosh(),
        U::Tanh => f.tanh(),
        U::Asinh => f.asinh(),
        U::Acosh => f.acosh(),
        U::Atanh => f.atanh(),
        U::QuantizeToF16 => half::f16::from_f32(f).to_f32(),
        U::SToF => s as f32,
        U::UToF => a as f32,
        U::UnpackHalfLow => half::f16::from_bits(a as u16).to_f32(),
    };
    float.to_bits()
}

fn binary(operation: B, a: u32, b: u32) -> u32 {
    let (s, t) = (a as i32, b as i32);
    let (f, g) = (f32::from_bits(a), f32::from_bits(b));
    match operation {
        B::Add => a.wrapping_add(b),
        B::Subtract => a.wrapping_sub(b),
        B::Multiply => a.wrapping_mul(b),
        B::DivideS => s.checked_div(t).unwrap_or(s) as u32,
        B::DivideU => a.checked_div(b).unwrap_or(a),
        B::RemainderS => s.checked_rem(t).unwrap_or(0) as u32,
        B::RemainderU => a.checked_rem(b).unwrap_or(0),
        B::MinS => s.min(t) as u32,
        B::MinU => a.min(b),
        B::MaxS => s.max(t) as u32,
        B::MaxU => a.max(b),
        B::And => a & b,
        B::Or => a | b,
        B::ExclusiveOr => a ^ b,
        B::ShiftLeft => a << (b % 32),
        B::ShiftRightS => (s >> (b % 32)) as u32,
        B::ShiftRightU => a >> (b % 32),
        B::Equal => u32::from(a == b),
        B::NotEqual => u32::from(a != b),
        B::LessS => u32::from(s < t),
        B::LessU => u32::from(a < b),
        B::LessEqualS => u32::from(s <= t),
        B::LessEqualU => u32::from(a <= b),
        B::AddF => (f + g).to_bits(),
        B::SubtractF => (f - g).to_bits(),
        B::MultiplyF => (f * g).to_bits(),
        B::DivideF => (f / g).to_bits(),
        B::RemainderF => (f % g).to_bits(),
        B::MinF => f.min(g).to_bits(),
        B::MaxF => f.max(g).to_bits(),
        B::EqualF => u32::from(f == g),
        B::NotEqualF => u32::from(f != g),
        B::LessF => u32::from(f < g),
        B::LessEqualF => u32::from(f <= g),
        B::Atan2 => f.atan2(g).to_bits(),
        B::Pow => f.powf(g).to_bits(),
        B::Ldexp => ((f64::from(f) * 2f64.powi(t.clamp(-1000, 1000))) as f32).to_bits(),
    }
}
