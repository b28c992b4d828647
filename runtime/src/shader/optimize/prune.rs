//! Drops what nothing needs: values, variables that nobody reads, memory that nobody loads, branches that only change those.

use naga::FastHashMap;

use super::{map_operands, walk};
use crate::shader::fold;
use crate::shader::lane::{Kernel, Operation, Space, Statement, TexelOperation, Value, Variable};

pub(super) fn prune(kernel: &mut Kernel) {
    let mut reads_private = false;
    walk(&kernel.body, &mut |statement| {
        if let Statement::Let { operation: Operation::Load(address), .. } = statement {
            reads_private |= address.space == Space::Private;
        }
    });
    let mut needs = Needs { reads_private, ..Needs::default() };
    needs.collect(&kernel.body, &mut Vec::new());
    needs.propagate();
    needs.keep(&mut kernel.body);
    if !reads_private {
        kernel.private_words = 0;
    }
}

#[derive(Default)]
struct Needs {
    reads_private: bool,
    operations: FastHashMap<Value, Operation>,
    texels: FastHashMap<Value, TexelOperation>,
    /// What sets a variable: the values, and the conditions under which that happens.
    sets: FastHashMap<Variable, Vec<Value>>,
    values: FastHashMap<Value, ()>,
    variables: FastHashMap<Variable, ()>,
    pending: Vec<Value>,
}

impl Needs {
    /// Finds what acts outside of the kernel's own values. A condition is needed where something under it is.
    fn collect(&mut self, statements: &[Statement], conditions: &mut Vec<Value>) {
        for statement in statements {
            match statement {
                Statement::Let { result, operation } => {
                    self.operations.insert(*result, *operation);
                }
                Statement::LetTexel { results, operation } => {
                    for result in results {
                        self.texels.insert(*result, *operation);
                    }
                }
                Statement::Set { variable, value } => {
                    let set = self.sets.entry(*variable).or_default();
                    set.push(*value);
                    set.extend(conditions.iter());
                }
                Statement::If { condition, accept, reject } => {
                    conditions.push(*condition);
                    self.collect(accept, conditions);
                    self.collect(reject, conditions);
                    conditions.pop();
                }
                Statement::Block { body, .. } | Statement::Loop { body } => self.collect(body, conditions),
                other if self.is_idle(other) => {}
                other => {
                    map_operands(&mut other.clone(), |value| {
                        self.pending.push(value);
                        value
                    });
                    self.pending.extend(conditions.iter());
                }
            }
        }
    }

    /// A store to memory that nothing loads.
    fn is_idle(&self, statement: &Statement) -> bool {
        matches!(statement, Statement::Store { address, .. } if address.space == Space::Private && !self.reads_private)
    }

    fn propagate(&mut self) {
        while let Some(value) = self.pending.pop() {
            if self.values.insert(value, ()).is_some() {
                continue;
            }
            if let Some(operation) = self.operations.get(&value) {
                fold::operands(operation, |operand| self.pending.push(operand));
                if let Operation::Variable(variable) = operation
                    && self.variables.insert(*variable, ()).is_none()
                {
                    self.pending.extend(self.sets.get(variable).into_iter().flatten());
                }
            }
            if let Some(mut operation) = self.texels.get(&value).copied() {
                fold::map_texel_operands(&mut operation, |operand| {
                    self.pending.push(operand);
                    operand
                });
            }
        }
    }

    fn keep(&self, statements: &mut Vec<Statement>) {
        statements.retain_mut(|statement| match statement {
            Statement::Let { result, .. } => self.values.contains_key(result),
            Statement::LetTexel { results, .. } => {
                results.iter().any(|result| self.values.contains_key(result))
            }
            Statement::Set { variable, .. } => self.variables.contains_key(variable),
            Statement::Atomic { result, .. } => {
                *result = result.filter(|result| self.values.contains_key(result));
                true
            }
            Statement::If { accept, reject, .. } => {
                self.keep(accept);
                self.keep(reject);
                !accept.is_empty() || !reject.is_empty()
            }
            Statement::Block { body, .. } => {
                self.keep(body);
                !body.is_empty()
            }
            Statement::Loop { body } => {
                self.keep(body);
                true
            }
            other => !self.is_idle(other),
        });
    }
}
