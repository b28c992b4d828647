//! From single statements to instructions.
use super::code::{
    AtomicInstruction, FIRST_INVOCATION, Instruction, NUM_WORKGROUPS, Operand, StoreTexelInstruction,
    TexelInstruction, TexelKind, UniformSlot, WORKGROUP_ID,
};
use super::compile::Compiler;
use super::outline::Position;
use crate::shader::lane::{
    Address, AtomicOperation, BinaryOperation, Builtin, Operation, Statement, TexelOperation, Value,
};

impl Compiler<'_> {
    pub(super) fn simple_statement(&mut self, position: Position, statement: &Statement) {
        match statement {
            Statement::Let { result, operation } => self.assign(position, *result, operation),
            Statement::LetTexel { results, operation } => self.texel(position, results, operation),
            Statement::Set { variable, value } => {
                if self.places.is_done(position, *value) {
                    return;
                }
                let from = self.operand(*value);
                let Some(to) = self.variables[variable.0 as usize] else { return };
                if self.uniformity.set_is_total(&self.outline, *variable, position) {
                    self.copy(to, from);
                } else {
                    self.copy_active(to, from);
                }
            }
            Statement::Store { address, value } => {
                let (index, value) = (self.index(address), self.operand(*value));
                self.push(Instruction::Store { space: address.space, base: address.base, index, value });
            }
            Statement::StoreTexel { binding, coordinates, slice, texel } => {
                let instruction = StoreTexelInstruction {
                    binding: *binding,
                    coordinates: coordinates.map(|value| self.operand(value)),
                    slice: slice.map(|value| self.operand(value)),
                    texel: texel.map(|value| self.operand(value)),
                };
                self.push(Instruction::StoreTexel(Box::new(instruction)));
            }
            Statement::Atomic { result, address, operation } => {
                self.atomic(position, *result, address, *operation);
            }
            // Lanes run in step, so everybody is here, and each memory access has happened when the next statement starts.
            Statement::Barrier => {}
            Statement::Fence => {
                self.push(Instruction::Fence);
            }
            Statement::If { .. }
            | Statement::Block { .. }
            | Statement::Loop { .. }
            | Statement::Exit { .. } => {
                unreachable!("control flow is compiled by `statement`")
            }
        }
    }

    /// Where a value is.
    pub(super) fn operand(&self, value: Value) -> Operand {
        match self.values[value.0 as usize] {
            Some(operand) => operand,
            None => unreachable!("value {value:?} is used before its definition"),
        }
    }

    /// All active lanes, and others if that is cheaper.
    pub(super) fn copy(&mut self, to: Operand, from: Operand) {
        match (to, from) {
            (Operand::Lanes(to), from) => {
                if Operand::Lanes(to) != from {
                    self.push(Instruction::Copy { to, from });
                }
            }
            (Operand::Uniform(to), Operand::Uniform(from)) => {
                if to != from {
                    self.push(Instruction::UniformCopy { to, from });
                }
            }
            (Operand::Uniform(_), Operand::Lanes(_)) => {
                unreachable!("what varies is never put where all lanes have one word")
            }
        }
    }

    fn copy_active(&mut self, to: Operand, from: Operand) {
        match to {
            Operand::Lanes(to) => {
                self.push(Instruction::CopyActive { to, from });
            }
            Operand::Uniform(_) => unreachable!("a variable that some lanes miss a `Set` of varies"),
        }
    }

    fn assign(&mut self, position: Position, result: Value, operation: &Operation) {
        let usage = &self.outline.values[result.0 as usize];
        let (until, escapes) = (usage.until, usage.escapes.is_some());
        let until = if escapes { position } else { until };
        let place = self.compute(position, result, operation, until);
        self.finish(result, place, escapes);
    }

    /// A value that outlives its loop has a slot of its own already, in which lanes that have left must not be touched.
    fn finish(&mut self, result: Value, place: Operand, escapes: bool) {
        if escapes {
            let home = self.operand(result);
            self.copy_active(home, place);
        } else {
            self.values[result.0 as usize] = Some(place);
        }
    }

    fn compute(
        &mut self,
        position: Position,
        result: Value,
        operation: &Operation,
        until: Position,
    ) -> Operand {
        match *operation {
            Operation::Constant(word) => return Operand::Uniform(self.constants[&word]),
            Operation::Builtin(builtin) => return self.builtin(position, builtin, until),
            Operation::BufferWords(binding) => {
                let to = self.new_uniform();
                self.push(Instruction::UniformBufferWords { to, binding });
                return Operand::Uniform(to);
            }
            Operation::Variable(variable) => {
                let Some(from) = self.variables[variable.0 as usize] else {
                    unreachable!("a variable that is read has a place")
                };
                if self.places.alias(result).is_some() {
                    return from;
                }
                let to = match from {
                    Operand::Lanes(_) => {
                        self.slots.release(position);
                        Operand::Lanes(self.slots.take(until))
                    }
                    Operand::Uniform(_) => Operand::Uniform(self.new_uniform()),
                };
                self.copy(to, from);
                return to;
            }
            _ => {}
        }
        if self.uniformity.operation_is_uniform(operation) {
            let to = match self.direct_place(result) {
                Some(Operand::Uniform(to)) => to,
                _ => self.new_uniform(),
            };
            self.compute_uniform(to, operation);
            return Operand::Uniform(to);
        }
        self.slots.release(position);
        let to = match self.direct_place(result) {
            Some(Operand::Lanes(to)) => to,
            _ => self.slots.take(until),
        };
        self.compute_lanes(to, operation);
        Operand::Lanes(to)
    }

    /// The place of the variable that a value is computed into.
    fn direct_place(&self, result: Value) -> Option<Operand> {
        self.variables[self.places.computed_into(result)?.0 as usize]
    }

    fn compute_lanes(&mut self, to: u32, operation: &Operation) {
        let lanes = |operand: Operand| match operand {
            Operand::Lanes(slot) => slot,
            Operand::Uniform(_) => unreachable!("the only operand of an operation that varies varies"),
        };
        let instruction = match *operation {
            Operation::Unary(operation, a) => Instruction::Unary { operation, to, a: lanes(self.operand(a)) },
            Operation::Binary(operation, a, b) => {
                Instruction::Binary { operation, to, a: self.operand(a), b: self.operand(b) }
            }
            Operation::FusedMultiplyAdd(a, b, c) => {
                let (a, b, c) = (self.operand(a), self.operand(b), self.operand(c));
                Instruction::FusedMultiplyAdd { to, a, b, c }
            }
            Operation::Select(condition, accept, reject) => {
                let (condition, accept) = (self.operand(condition), self.operand(accept));
                Instruction::Select { to, condition, accept, reject: self.operand(reject) }
            }
            Operation::Load(address) => {
                let index = self.index(&address);
                Instruction::Load { to, space: address.space, base: address.base, index }
            }
            Operation::TextureQuery { binding, query, level } => match level {
                Some(level) => Instruction::Query { to, binding, query, level: lanes(self.operand(level)) },
                None => unreachable!("a question without operands is uniform"),
            },
            Operation::Constant(_)
            | Operation::Variable(_)
            | Operation::BufferWords(_)
            | Operation::Builtin(_) => {
                unreachable!("`compute` has dealt with it")
            }
        };
        self.push(instruction);
    }

    fn compute_uniform(&mut self, to: UniformSlot, operation: &Operation) {
        let instruction = match *operation {
            Operation::Unary(operation, a) => Instruction::UniformUnary { operation, to, a: self.uniform(a) },
            Operation::Binary(operation, a, b) => {
                Instruction::UniformBinary { operation, to, a: self.uniform(a), b: self.uniform(b) }
            }
            Operation::FusedMultiplyAdd(a, b, c) => {
                let (a, b, c) = (self.uniform(a), self.uniform(b), self.uniform(c));
                Instruction::UniformFusedMultiplyAdd { to, a, b, c }
            }
            Operation::Select(condition, accept, reject) => {
                let (condition, accept) = (self.uniform(condition), self.uniform(accept));
                Instruction::UniformSelect { to, condition, accept, reject: self.uniform(reject) }
            }
            Operation::Load(address) => {
                let index = address.index.map_or(self.constants[&0], |index| self.uniform(index));
                Instruction::UniformLoad { to, space: address.space, base: address.base, index }
            }
            Operation::TextureQuery { binding, query, level } => {
                let level = level.map_or(self.constants[&0], |level| self.uniform(level));
                Instruction::UniformQuery { to, binding, query, level }
            }
            Operation::Constant(_)
            | Operation::Variable(_)
            | Operation::BufferWords(_)
            | Operation::Builtin(_) => {
                unreachable!("`compute` has dealt with it")
            }
        };
        self.push(instruction);
    }

    fn uniform(&self, value: Value) -> UniformSlot {
        match self.operand(value) {
            Operand::Uniform(slot) => slot,
            Operand::Lanes(_) => unreachable!("an operation on something that varies is not uniform"),
        }
    }

    fn index(&self, address: &Address) -> Operand {
        match address.index {
            Some(index) => self.operand(index),
            None => Operand::Uniform(self.constants[&0]),
        }
    }

    fn builtin(&mut self, position: Position, builtin: Builtin, until: Position) -> Operand {
        let zero = Operand::Uniform(self.constants[&0]);
        let is_one = |axis: u8| self.workgroup_size.get(usize::from(axis)).is_none_or(|&size| size == 1);
        match builtin {
            Builtin::WorkgroupId(axis) => Operand::Uniform(WORKGROUP_ID + u32::from(axis)),
            Builtin::NumWorkgroups(axis) => Operand::Uniform(NUM_WORKGROUPS + u32::from(axis)),
            Builtin::GlobalInvocationId(axis) if is_one(axis) => {
                Operand::Uniform(FIRST_INVOCATION + u32::from(axis))
            }
            Builtin::GlobalInvocationId(axis) => {
                let a = Operand::Uniform(FIRST_INVOCATION + u32::from(axis));
                let b = self.lane_number(Builtin::LocalInvocationId(axis)).unwrap_or(zero);
                self.slots.release(position);
                let to = self.slots.take(until);
                self.push(Instruction::Binary { operation: BinaryOperation::Add, to, a, b });
                Operand::Lanes(to)
            }
            local => self.lane_number(local).unwrap_or(zero),
        }
    }

    fn lane_number(&self, builtin: Builtin) -> Option<Operand> {
        let found = self.lane_numbers.iter().find(|&&(number, _)| number == builtin);
        found.map(|&(_, slot)| Operand::Lanes(slot))
    }

    fn atomic(
        &mut self,
        position: Position,
        result: Option<Value>,
        address: &Address,
        operation: AtomicOperation,
    ) {
        let index = self.index(address);
        let zero = Operand::Uniform(self.constants[&0]);
        let operands = match operation {
            AtomicOperation::Load => [zero; 2],
            AtomicOperation::Store(a)
            | AtomicOperation::Add(a)
            | AtomicOperation::Subtract(a)
            | AtomicOperation::And(a)
            | AtomicOperation::Or(a)
            | AtomicOperation::ExclusiveOr(a)
            | AtomicOperation::SignedMin(a)
            | AtomicOperation::SignedMax(a)
            | AtomicOperation::UnsignedMin(a)
            | AtomicOperation::UnsignedMax(a)
            | AtomicOperation::Exchange(a) => [self.operand(a), zero],
            AtomicOperation::CompareExchange { expected, desired } => {
                [self.operand(expected), self.operand(desired)]
            }
        };
        let result = result.filter(|result| self.outline.values[result.0 as usize].alive);
        let once = matches!((operation, index), (AtomicOperation::Load, Operand::Uniform(_)));
        let to = result.map(|result| {
            let usage = &self.outline.values[result.0 as usize];
            let until = if usage.escapes.is_some() { position } else { usage.until };
            if once {
                return Operand::Uniform(self.new_uniform());
            }
            self.slots.release(position);
            Operand::Lanes(self.slots.take(until))
        });
        let (space, base) = (address.space, address.base);
        let instruction = AtomicInstruction { to, space, base, index, operation, operands };
        self.push(Instruction::Atomic(Box::new(instruction)));
        if let (Some(result), Some(place)) = (result, to) {
            let escapes = self.outline.values[result.0 as usize].escapes.is_some();
            self.finish(result, place, escapes);
        }
    }

    fn texel(&mut self, position: Position, results: &[Value; 4], operation: &TexelOperation) {
        let mut uniform = true;
        super::outline::texel_operands(operation, |value| uniform &= !self.uniformity.varies(value));
        let (binding, coordinates, slice, kind) = match *operation {
            TexelOperation::Load { binding, coordinates, slice, level } => {
                let level = level.map(|value| self.operand(value));
                (binding, coordinates, slice, TexelKind::Load { level })
            }
            TexelOperation::Sample { binding, sampler, coordinates, slice, level, offset, reference } => {
                let level = level.map(|value| self.operand(value));
                let reference = reference.map(|value| self.operand(value));
                (binding, coordinates, slice, TexelKind::Sample { sampler, level, offset, reference })
            }
            TexelOperation::Gather { binding, sampler, component, coordinates, slice, offset, reference } => {
                let reference = reference.map(|value| self.operand(value));
                (binding, coordinates, slice, TexelKind::Gather { sampler, component, offset, reference })
            }
        };
        let coordinates = coordinates.map(|value| self.operand(value));
        let slice = slice.map(|value| self.operand(value));
        self.slots.release(position);
        let places = results.map(|result| {
            let usage = &self.outline.values[result.0 as usize];
            let until = if usage.escapes.is_some() { position } else { usage.until };
            let alive = usage.alive;
            alive.then(|| if uniform { self.new_uniform() } else { self.slots.take(until) })
        });
        let instruction = TexelInstruction { kind, results: places, uniform, binding, coordinates, slice };
        self.push(Instruction::Texel(Box::new(instruction)));
        for (&result, place) in results.iter().zip(places) {
            let Some(place) = place else { continue };
            let place = if uniform { Operand::Uniform(place) } else { Operand::Lanes(place) };
            let escapes = self.outline.values[result.0 as usize].escapes.is_some();
            self.finish(result, place, escapes);
        }
    }
}
