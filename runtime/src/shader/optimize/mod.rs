//! Makes a kernel cheaper to interpret, without changing a bit of what it computes.
//!
//! ```text
//!   tidy ─► forward ─► tidy ─► prune ─► tidy ─► (once more) ─► number
//! ```
//!
//! *Forward* replaces reads of variables by the values they hold, and emits everything anew through the builder, which folds, reuses and
//! hoists. *Prune* drops what nothing uses. *Tidy* drops blocks that nobody leaves and leaving where one is going anyway. Absent:
//! whatever needs a cost model, and anything that would round differently.

mod forward;
mod prune;
mod tidy;

use super::fold;
use super::lane::{Kernel, Statement, Value, Variable};

/// What one round reveals, the next one uses; more find next to nothing.
const ROUNDS: usize = 2;

pub(super) fn optimize(kernel: &mut Kernel) {
    tidy::tidy(&mut kernel.body);
    for _ in 0..ROUNDS {
        forward::forward(kernel);
        tidy::tidy(&mut kernel.body);
        prune::prune(kernel);
        tidy::tidy(&mut kernel.body);
    }
    number(kernel);
}

/// Calls `visit` for every statement, those inside of others after them.
fn walk(statements: &[Statement], visit: &mut impl FnMut(&Statement)) {
    for statement in statements {
        visit(statement);
        match statement {
            Statement::If { accept, reject, .. } => {
                walk(accept, visit);
                walk(reject, visit);
            }
            Statement::Block { body, .. } | Statement::Loop { body } => walk(body, visit),
            _ => {}
        }
    }
}

/// Replaces the values that a statement itself takes, not those of statements inside.
fn map_operands(statement: &mut Statement, mut with: impl FnMut(Value) -> Value) {
    match statement {
        Statement::Let { operation, .. } => fold::map_operands(operation, with),
        Statement::LetTexel { operation, .. } => fold::map_texel_operands(operation, with),
        Statement::Set { value, .. } | Statement::If { condition: value, .. } => *value = with(*value),
        Statement::Store { address, value } => {
            *value = with(*value);
            address.index = address.index.map(with);
        }
        Statement::StoreTexel { coordinates, slice, texel, .. } => {
            for value in coordinates.iter_mut().chain(slice).chain(texel) {
                *value = with(*value);
            }
        }
        Statement::Atomic { address, operation, .. } => {
            address.index = address.index.map(&mut with);
            fold::map_atomic_operands(operation, with);
        }
        Statement::Block { .. }
        | Statement::Loop { .. }
        | Statement::Exit { .. }
        | Statement::Barrier
        | Statement::Fence => {}
    }
}

/// Numbers values and variables anew, without gaps.
fn number(kernel: &mut Kernel) {
    let mut numbers = Numbers {
        values: vec![0; kernel.values as usize],
        value: 0,
        variables: vec![None; kernel.variables as usize],
        variable: 0,
    };
    numbers.block(&mut kernel.body);
    kernel.values = numbers.value;
    kernel.variables = numbers.variable;
}

struct Numbers {
    values: Vec<u32>,
    value: u32,
    variables: Vec<Option<u32>>,
    variable: u32,
}

impl Numbers {
    fn block(&mut self, statements: &mut [Statement]) {
        for statement in statements {
            map_operands(statement, |value| Value(self.values[value.0 as usize]));
            match statement {
                Statement::Let { result, operation } => {
                    if let super::lane::Operation::Variable(variable) = operation {
                        self.variable(variable);
                    }
                    self.define(result);
                }
                Statement::LetTexel { results, .. } => {
                    results.iter_mut().for_each(|result| self.define(result))
                }
                Statement::Atomic { result: Some(result), .. } => self.define(result),
                Statement::Set { variable, .. } => self.variable(variable),
                Statement::If { accept, reject, .. } => {
                    self.block(accept);
                    self.block(reject);
                }
                Statement::Block { body, .. } | Statement::Loop { body } => self.block(body),
                _ => {}
            }
        }
    }

    fn define(&mut self, value: &mut Value) {
        self.values[value.0 as usize] = self.value;
        value.0 = self.value;
        self.value += 1;
    }

    fn variable(&mut self, variable: &mut Variable) {
        let next = self.variable;
        let number = *self.variables[variable.0 as usize].get_or_insert(next);
        self.variable = self.variable.max(number + 1);
        variable.0 = number;
    }
}
