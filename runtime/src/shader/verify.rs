//! Checks lane IR: what a back end may rely on, in one place.
//!
//! A back end indexes slots, bindings and memory by what the IR says, and leaves labelled blocks by name. Were any of that out of range, or
//! a value used where its `Let` has not run, results would be wrong without a word. Tests verify every kernel they lower; debug builds
//! verify every kernel that is made.

use std::collections::HashSet;

use super::fold;
use super::lane::{
    Address, AtomicOperation, BindingKind, Builtin, Kernel, Label, Operation, Space, Statement,
    TexelOperation, Value, Variable,
};

/// Says what breaks the rules of lane IR, if anything.
pub(super) fn verify(kernel: &Kernel) -> Result<(), String> {
    let lanes: u64 = kernel.workgroup_size.iter().map(|&size| u64::from(size)).product();
    if !(1..=1024).contains(&lanes) {
        return Err(format!("{lanes} lanes in a workgroup"));
    }
    let mut checker = Checker {
        kernel,
        defined: vec![false; kernel.values as usize],
        visible: HashSet::new(),
        labels: Vec::new(),
    };
    checker.block(&kernel.body).map(|_| ())
}

struct Checker<'k> {
    kernel: &'k Kernel,
    /// By value: some statement has defined it.
    defined: Vec<bool>,
    /// Values whose definition has run in all lanes that are here.
    visible: HashSet<Value>,
    labels: Vec<Label>,
}

type Check = Result<(), String>;

/// Definitions in the order of a list of statements, each with the labels that some lanes left to before it.
type Definitions = Vec<(Value, HashSet<Label>)>;

impl Checker<'_> {
    /// Checks statements; what they define is visible after them. Returns the labels that some lanes leave to, and how many of the
    /// definitions precede the first such statement: those alone are visible where the lanes meet again.
    fn block(&mut self, statements: &[Statement]) -> Result<(HashSet<Label>, Definitions), String> {
        let mut left = HashSet::new();
        let mut definitions = Vec::new();
        for statement in statements {
            self.statement(statement, &mut left, &mut definitions)
                .map_err(|error| format!("{error}, in {statement:?}"))?;
        }
        Ok((left, definitions))
    }

    fn statement(
        &mut self,
        statement: &Statement,
        left: &mut HashSet<Label>,
        definitions: &mut Definitions,
    ) -> Check {
        match statement {
            Statement::Let { result, operation } => {
                self.operation(operation)?;
                self.define(*result, left, definitions)
            }
            Statement::LetTexel { results, operation } => {
                self.texel(operation)?;
                results.iter().try_for_each(|&result| self.define(result, left, definitions))
            }
            Statement::Set { variable, value } => {
                self.variable(*variable)?;
                self.value(*value)
            }
            Statement::Store { address, value } => {
                if address.space == Space::Constant {
                    return Err("a store to a table".to_owned());
                }
                self.address(address)?;
                self.value(*value)
            }
            Statement::StoreTexel { binding, coordinates, slice, texel } => {
                self.texture(*binding, true)?;
                coordinates.iter().chain(slice).chain(texel).try_for_each(|&value| self.value(value))
            }
            Statement::Atomic { result, address, operation } => {
                self.atomic(address, operation)?;
                result.map_or(Ok(()), |result| self.define(result, left, definitions))
            }
            Statement::Exit { label } => {
                if !self.labels.contains(label) {
                    return Err(format!("{label} is not around"));
                }
                left.insert(*label);
                Ok(())
            }
            Statement::Barrier | Statement::Fence => Ok(()),
            Statement::If { condition, accept, reject } => {
                self.value(*condition)?;
                left.extend(self.scope(accept)?.0);
                left.extend(self.scope(reject)?.0);
                Ok(())
            }
            Statement::Loop { body } => {
                left.extend(self.scope(body)?.0);
                Ok(())
            }
            Statement::Block { label, body } => self.labelled(*label, body, left, definitions),
        }
    }

    fn labelled(
        &mut self,
        label: Label,
        body: &[Statement],
        left: &mut HashSet<Label>,
        definitions: &mut Definitions,
    ) -> Check {
        if self.labels.contains(&label) {
            return Err(format!("{label} is around already"));
        }
        self.labels.push(label);
        let (inner_left, inner) = self.scope(body)?;
        self.labels.pop();
        let before = left.clone();
        for (value, left_before) in inner {
            // Lanes that left this block earlier are back, and have not run the definition.
            if !left_before.contains(&label) {
                self.visible.insert(value);
                definitions.push((value, before.union(&left_before).copied().collect()));
            }
        }
        left.extend(inner_left.into_iter().filter(|&inner| inner != label));
        Ok(())
    }

    /// Checks a block whose definitions end with it.
    fn scope(&mut self, statements: &[Statement]) -> Result<(HashSet<Label>, Definitions), String> {
        let (left, definitions) = self.block(statements)?;
        for (value, _) in &definitions {
            self.visible.remove(value);
        }
        Ok((left, definitions))
    }

    fn define(&mut self, value: Value, left: &HashSet<Label>, definitions: &mut Definitions) -> Check {
        match self.defined.get_mut(value.0 as usize) {
            None => return Err(format!("{value} of {} values", self.kernel.values)),
            Some(true) => return Err(format!("{value} is defined twice")),
            Some(defined) => *defined = true,
        }
        self.visible.insert(value);
        definitions.push((value, left.clone()));
        Ok(())
    }

    fn value(&self, value: Value) -> Check {
        if self.visible.contains(&value) {
            return Ok(());
        }
        Err(format!("{value} is not defined here"))
    }

    fn variable(&self, variable: Variable) -> Check {
        if variable.0 < self.kernel.variables {
            return Ok(());
        }
        Err(format!("{variable} of {} variables", self.kernel.variables))
    }

    fn operation(&self, operation: &Operation) -> Check {
        let mut result = Ok(());
        fold::operands(operation, |value| {
            if let Err(error) = self.value(value) {
                result = Err(error);
            }
        });
        result?;
        match operation {
            Operation::Variable(variable) => self.variable(*variable),
            Operation::Load(address) => self.address(address),
            Operation::BufferWords(binding) => self.buffer(*binding),
            Operation::TextureQuery { binding, .. } => self.texture(*binding, false),
            Operation::Builtin(
                Builtin::LocalInvocationId(axis)
                | Builtin::GlobalInvocationId(axis)
                | Builtin::WorkgroupId(axis)
                | Builtin::NumWorkgroups(axis),
            ) if *axis > 2 => Err(format!("axis {axis}")),
            _ => Ok(()),
        }
    }

    fn texel(&self, operation: &TexelOperation) -> Check {
        let mut result = Ok(());
        let mut copy = *operation;
        fold::map_texel_operands(&mut copy, |value| {
            if let Err(error) = self.value(value) {
                result = Err(error);
            }
            value
        });
        result?;
        match operation {
            TexelOperation::Load { binding, .. } => self.texture(*binding, false),
            TexelOperation::Sample { binding, sampler, .. }
            | TexelOperation::Gather { binding, sampler, .. } => {
                self.texture(*binding, false)?;
                match self.kernel.bindings.get(*sampler as usize).map(|binding| binding.kind) {
                    Some(BindingKind::Sampler { .. }) => Ok(()),
                    other => Err(format!("binding {sampler} is {other:?}, not a sampler")),
                }
            }
        }
    }

    fn atomic(&self, address: &Address, operation: &AtomicOperation) -> Check {
        if !matches!(address.space, Space::Buffer(_) | Space::Workgroup) {
            return Err(format!("an atomic operation at {address}"));
        }
        self.address(address)?;
        let mut copy = *operation;
        let mut result = Ok(());
        fold::map_atomic_operands(&mut copy, |value| {
            if let Err(error) = self.value(value) {
                result = Err(error);
            }
            value
        });
        result
    }

    fn address(&self, address: &Address) -> Check {
        if let Some(index) = address.index {
            self.value(index)?;
        }
        let words = match address.space {
            Space::Buffer(binding) => return self.buffer(binding),
            Space::Workgroup => self.kernel.workgroup_words,
            Space::Private => self.kernel.private_words,
            Space::Constant => self.kernel.constants.len() as u32,
        };
        if address.base < words {
            return Ok(());
        }
        Err(format!("{address} of {words} words"))
    }

    fn buffer(&self, binding: u32) -> Check {
        match self.kernel.bindings.get(binding as usize).map(|binding| binding.kind) {
            Some(BindingKind::Buffer { .. }) => Ok(()),
            other => Err(format!("binding {binding} is {other:?}, not a buffer")),
        }
    }

    fn texture(&self, binding: u32, must_store: bool) -> Check {
        match self.kernel.bindings.get(binding as usize).map(|binding| binding.kind) {
            Some(BindingKind::StorageTexture { .. }) => Ok(()),
            Some(BindingKind::SampledTexture { .. }) if !must_store => Ok(()),
            other => Err(format!("binding {binding} is {other:?}, not such a texture")),
        }
    }
}
