//! Which values are the same for every lane, and where lanes part.
//!
//! A value is *uniform* where all lanes that run its statement get the same word: it is computed once and kept once. Control is
//! *divergent* at an `If` whose condition is not uniform, and at a `Block` that some lanes leave while others stay: those rest until
//! the block ends, and come back with what their variables held when they left.
//!
//! The three questions hang on each other, so everything starts out uniform and is corrected until nothing changes:
//!
//! - a value varies if an operand does, or if its operation differs by lane;
//! - a variable varies if a varying value is put into it, or if some lanes miss a `Set` and may look at the variable afterwards;
//! - a block diverges if an `Exit` to it stands behind a divergent `If`, or inside a divergent block within it: then lanes
//!   are resting there which must not be carried along.
use std::collections::HashSet;

use super::outline::{Outline, Position, operation_operands, texel_operands};
use crate::shader::lane::{AtomicOperation, Builtin, Kernel, Operation, Space, Statement, Value, Variable};

/// The answers.
#[derive(Debug)]
pub(super) struct Uniformity {
    varying_values: Vec<bool>,
    varying_variables: Vec<bool>,
    divergent_blocks: HashSet<Position>,
    workgroup_size: [u32; 3],
}

impl Uniformity {
    pub(super) fn new(kernel: &Kernel, outline: &Outline<'_>) -> Self {
        let mut result = Self {
            varying_values: vec![false; kernel.values as usize],
            varying_variables: vec![false; kernel.variables as usize],
            divergent_blocks: HashSet::new(),
            workgroup_size: kernel.workgroup_size,
        };
        while result.correct(outline) {}
        result
    }

    /// Whether lanes may have different words of a value.
    pub(super) fn varies(&self, value: Value) -> bool {
        self.varying_values[value.0 as usize]
    }

    /// Whether lanes may have different words of a variable.
    pub(super) fn variable_varies(&self, variable: Variable) -> bool {
        self.varying_variables[variable.0 as usize]
    }

    /// Whether lanes part at an `If`, or rest at the end of a `Block`.
    pub(super) fn diverges(&self, outline: &Outline<'_>, position: Position) -> bool {
        match outline.nodes[position as usize].statement {
            Statement::If { condition, .. } => self.varies(*condition),
            Statement::Block { .. } => self.divergent_blocks.contains(&position),
            _ => false,
        }
    }

    /// Whether all lanes that reach an `Exit` can jump to the end of its block together.
    pub(super) fn exit_is_jump(&self, outline: &Outline<'_>, exit: Position, block: Position) -> bool {
        outline.around(exit).take_while(|&node| node != block).all(|node| !self.diverges(outline, node))
    }

    /// Whether lanes that are not active at a `Set` never look at the variable before it is set again, so that the `Set` may change
    /// them too.
    pub(super) fn set_is_total(&self, outline: &Outline<'_>, variable: Variable, set: Position) -> bool {
        let usage = &outline.variables[variable.0 as usize];
        let scope = outline.lists[usage.scope as usize].parent;
        outline.around(set).skip(1).take_while(|&node| Some(node) != scope).all(|node| {
            if !self.diverges(outline, node) {
                return true;
            }
            let is = |node: Position, wanted: fn(&Statement) -> bool| {
                wanted(outline.nodes[node as usize].statement)
            };
            let is_block = is(node, |statement| matches!(statement, Statement::Block { .. }));
            // Lanes that have left the block meet its reads again in the next iteration of a loop around it.
            let mut outer = outline.around(node).skip(1).take_while(|&outer| Some(outer) != scope);
            let comes_back =
                outer.any(|outer| is(outer, |statement| matches!(statement, Statement::Loop { .. })));
            is_block && !comes_back && usage.reads.iter().all(|&read| outline.contains(node, read))
        })
    }

    /// Whether an operation gives every lane the same word.
    pub(super) fn operation_is_uniform(&self, operation: &Operation) -> bool {
        let inherent = match *operation {
            Operation::Variable(variable) => !self.variable_varies(variable),
            Operation::Load(address) => address.space != Space::Private,
            Operation::Builtin(builtin) => self.builtin_is_uniform(builtin),
            _ => true,
        };
        let mut uniform = inherent;
        operation_operands(operation, |value| uniform &= !self.varies(value));
        uniform
    }

    fn builtin_is_uniform(&self, builtin: Builtin) -> bool {
        match builtin {
            Builtin::LocalInvocationId(axis) | Builtin::GlobalInvocationId(axis) => {
                self.workgroup_size.get(usize::from(axis)).is_none_or(|&size| size == 1)
            }
            Builtin::LocalInvocationIndex => self.workgroup_size == [1; 3],
            Builtin::WorkgroupId(_) | Builtin::NumWorkgroups(_) => true,
        }
    }

    /// One pass over all statements; says whether anything changed.
    fn correct(&mut self, outline: &Outline<'_>) -> bool {
        let mut changed = false;
        for (position, node) in outline.nodes.iter().enumerate() {
            let position = position as Position;
            match node.statement {
                Statement::Let { result, operation } => {
                    let escapes = outline.values[result.0 as usize].escapes.is_some();
                    if escapes || !self.operation_is_uniform(operation) {
                        changed |= self.value_varies(*result);
                    }
                }
                Statement::LetTexel { results, operation } => {
                    let mut varies = false;
                    texel_operands(operation, |value| varies |= self.varies(value));
                    for result in results {
                        if varies || outline.values[result.0 as usize].escapes.is_some() {
                            changed |= self.value_varies(*result);
                        }
                    }
                }
                Statement::Atomic { result: Some(result), address, operation } => {
                    let escapes = outline.values[result.0 as usize].escapes.is_some();
                    let same = matches!(operation, AtomicOperation::Load)
                        && address.index.is_none_or(|index| !self.varies(index));
                    if escapes || !same {
                        changed |= self.value_varies(*result);
                    }
                }
                Statement::Set { variable, value }
                    if outline.is_needed(position)
                        && (self.varies(*value) || !self.set_is_total(outline, *variable, position)) =>
                {
                    let entry = &mut self.varying_variables[variable.0 as usize];
                    changed |= !std::mem::replace(entry, true);
                }
                Statement::Exit { label } => {
                    if let Some(&block) = outline.blocks.get(label)
                        && !self.exit_is_jump(outline, position, block)
                    {
                        changed |= self.divergent_blocks.insert(block);
                    }
                }
                _ => {}
            }
        }
        changed
    }

    fn value_varies(&mut self, value: Value) -> bool {
        !std::mem::replace(&mut self.varying_values[value.0 as usize], true)
    }
}
