//! Lane IR run the plain way: one lane after another, with recursion for nesting. No masks, no uniformity, no slots.
//!
//! Good for kernels whose lanes do not talk to each other: there the order of lanes makes no difference.
use std::collections::HashMap;

use super::super::arithmetic;
use crate::record::Grid;
use crate::shader::lane::{Builtin, Kernel, Label, Operation, Space, Statement, Value, Variable};

struct Lane<'k> {
    kernel: &'k Kernel,
    values: HashMap<Value, u32>,
    variables: HashMap<Variable, u32>,
    private: Vec<u32>,
    local: [u32; 3],
    group: [u32; 3],
    groups: [u32; 3],
}

/// How a list of statements ended.
enum End {
    Fell,
    Left(Label),
}

/// Runs every lane of every group.
pub(super) fn run(kernel: &Kernel, buffers: &mut [Vec<u32>], grid: Grid) {
    let each = |size: [u32; 3]| {
        (0..size[2]).flat_map(move |z| (0..size[1]).flat_map(move |y| (0..size[0]).map(move |x| [x, y, z])))
    };
    for group in each(grid.groups) {
        for local in each(kernel.workgroup_size) {
            let global: Vec<u32> =
                (0..3).map(|axis| group[axis] * kernel.workgroup_size[axis] + local[axis]).collect();
            if grid.threads.is_some_and(|threads| (0..3).any(|axis| global[axis] >= threads[axis])) {
                continue;
            }
            let mut lane = Lane {
                kernel,
                values: HashMap::new(),
                variables: HashMap::new(),
                private: vec![0; kernel.private_words as usize],
                local,
                group,
                groups: grid.groups,
            };
            lane.list(&kernel.body, buffers);
        }
    }
}

impl Lane<'_> {
    fn list(&mut self, statements: &[Statement], buffers: &mut [Vec<u32>]) -> End {
        for statement in statements {
            if let End::Left(label) = self.statement(statement, buffers) {
                return End::Left(label);
            }
        }
        End::Fell
    }

    fn statement(&mut self, statement: &Statement, buffers: &mut [Vec<u32>]) -> End {
        match statement {
            Statement::Let { result, operation } => {
                let word = self.operation(operation, buffers);
                self.values.insert(*result, word);
            }
            Statement::Set { variable, value } => {
                self.variables.insert(*variable, self.values[value]);
            }
            Statement::Store { address, value } => {
                let at = self.address(address.base, address.index);
                let word = self.values[value];
                let memory = match address.space {
                    Space::Buffer(binding) => &mut buffers[binding as usize],
                    Space::Private => &mut self.private,
                    other => panic!("the reference does not store to {other:?}"),
                };
                if let Some(to) = memory.get_mut(at) {
                    *to = word;
                }
            }
            Statement::If { condition, accept, reject } => {
                let list = if self.values[condition] != 0 { accept } else { reject };
                return self.list(list, buffers);
            }
            Statement::Block { label, body } => match self.list(body, buffers) {
                End::Left(left) if left != *label => return End::Left(left),
                _ => {}
            },
            Statement::Loop { body } => loop {
                if let End::Left(label) = self.list(body, buffers) {
                    return End::Left(label);
                }
            },
            Statement::Exit { label } => return End::Left(*label),
            other => panic!("the reference does not run {other:?}"),
        }
        End::Fell
    }

    fn operation(&self, operation: &Operation, buffers: &[Vec<u32>]) -> u32 {
        let value = |value: Value| self.values[&value];
        match *operation {
            Operation::Constant(word) => word,
            Operation::Variable(variable) => self.variables.get(&variable).copied().unwrap_or(0),
            Operation::Unary(operation, a) => arithmetic::unary(operation, value(a)),
            Operation::Binary(operation, a, b) => arithmetic::binary(operation, value(a), value(b)),
            Operation::FusedMultiplyAdd(a, b, c) => {
                arithmetic::fused_multiply_add(value(a), value(b), value(c))
            }
            Operation::Select(condition, a, b) => value(if value(condition) != 0 { a } else { b }),
            Operation::Load(address) => {
                let memory = match address.space {
                    Space::Buffer(binding) => &buffers[binding as usize],
                    Space::Private => &self.private,
                    Space::Constant => &self.kernel.constants,
                    Space::Workgroup => panic!("the reference has no workgroup memory"),
                };
                memory.get(self.address(address.base, address.index)).copied().unwrap_or(0)
            }
            Operation::BufferWords(binding) => buffers[binding as usize].len() as u32,
            Operation::TextureQuery { .. } => panic!("the reference has no textures"),
            Operation::Builtin(builtin) => self.builtin(builtin),
        }
    }

    fn address(&self, base: u32, index: Option<Value>) -> usize {
        base as usize + index.map_or(0, |index| self.values[&index] as usize)
    }

    fn builtin(&self, builtin: Builtin) -> u32 {
        let [width, height, _] = self.kernel.workgroup_size;
        match builtin {
            Builtin::LocalInvocationId(axis) => self.local[usize::from(axis)],
            Builtin::LocalInvocationIndex => (self.local[2] * height + self.local[1]) * width + self.local[0],
            Builtin::GlobalInvocationId(axis) => {
                let axis = usize::from(axis);
                self.group[axis] * self.kernel.workgroup_size[axis] + self.local[axis]
            }
            Builtin::WorkgroupId(axis) => self.group[usize::from(axis)],
            Builtin::NumWorkgroups(axis) => self.groups[usize::from(axis)],
        }
    }
}
