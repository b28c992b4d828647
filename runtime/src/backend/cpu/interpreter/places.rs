//! Spares copies between values and variables.
//!
//! A kernel in static single assignment reads a variable into a value, computes, and sets the variable to another value. Two copies of
//! all lanes each time would cost as much as the operation between them. So a value *is* its variable's slot where nothing sets the
//! variable while the value is alive, and an operation writes straight *into* the variable's slot where its result has no other use and
//! nobody looks at the variable between the two.
use std::collections::HashMap;

use super::outline::{Outline, Position};
use super::uniform::Uniformity;
use crate::shader::lane::{Operation, Statement, Value, Variable};

/// What shares a slot with what.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Values that are the slot of a variable.
    aliases: HashMap<Value, Variable>,
    /// Values that are computed into the slot of a variable, and by which `Set`.
    into: HashMap<Value, (Variable, Position)>,
    /// First and last position at which a variable's slot is in use.
    extents: Vec<Option<(Position, Position)>>,
}

impl Places {
    pub(super) fn new(outline: &Outline<'_>, uniformity: &Uniformity) -> Self {
        let mut places = Self::default();
        for index in 0..outline.variables.len() {
            places.find_aliases(outline, Variable(index as u32));
            places.find_direct_sets(outline, uniformity, Variable(index as u32));
            let extent = places.extent(outline, Variable(index as u32));
            places.extents.push(extent);
        }
        places
    }

    /// The variable whose slot a value is.
    pub(super) fn alias(&self, value: Value) -> Option<Variable> {
        self.aliases.get(&value).copied()
    }

    /// The variable whose slot a value is computed into.
    pub(super) fn computed_into(&self, value: Value) -> Option<Variable> {
        self.into.get(&value).map(|&(variable, _)| variable)
    }

    /// Whether a `Set` has nothing left to do.
    pub(super) fn is_done(&self, set: Position, value: Value) -> bool {
        self.into.get(&value).is_some_and(|&(_, by)| by == set)
    }

    /// Where a variable's slot is in use; nowhere for a variable that nobody needs.
    pub(super) fn variable_extent(&self, variable: Variable) -> Option<(Position, Position)> {
        self.extents[variable.0 as usize]
    }

    fn find_aliases(&mut self, outline: &Outline<'_>, variable: Variable) {
        let usage = &outline.variables[variable.0 as usize];
        for &read in &usage.reads {
            let Statement::Let { result, .. } = outline.nodes[read as usize].statement else { continue };
            let value = &outline.values[result.0 as usize];
            let is_set = usage.sets.iter().any(|&set| read < set && set < value.until);
            if value.escapes.is_none() && !is_set {
                self.aliases.insert(*result, variable);
            }
        }
    }

    fn find_direct_sets(&mut self, outline: &Outline<'_>, uniformity: &Uniformity, variable: Variable) {
        let usage = &outline.variables[variable.0 as usize];
        for &set in &usage.sets {
            let Statement::Set { value, .. } = *outline.nodes[set as usize].statement else { continue };
            if outline.is_needed(set)
                && uniformity.set_is_total(outline, variable, set)
                && self.can_compute_into(outline, uniformity, variable, value, set)
            {
                self.into.insert(value, (variable, set));
            }
        }
    }

    fn can_compute_into(
        &self,
        outline: &Outline<'_>,
        uniformity: &Uniformity,
        variable: Variable,
        value: Value,
        set: Position,
    ) -> bool {
        let usage = &outline.variables[variable.0 as usize];
        let made = &outline.values[value.0 as usize];
        let definition = made.definition;
        let node = &outline.nodes[definition as usize];
        let Statement::Let { operation, .. } = node.statement else { return false };
        let computes = !matches!(
            operation,
            Operation::Constant(_)
                | Operation::Variable(_)
                | Operation::Builtin(_)
                | Operation::BufferWords(_)
        );
        // Nothing but simple statements in between, so that nobody leaves after the computation and before the `Set`.
        let list = outline.nodes[set as usize].list;
        let straight = node.list == list
            && definition < set
            && (definition..set).all(|position| {
                let node = &outline.nodes[position as usize];
                node.list == list && node.end == position && !matches!(node.statement, Statement::Exit { .. })
            });
        let between = |position: Position| definition < position && position < set;
        let unseen = !usage.reads.iter().any(|&read| between(read))
            && !usage.sets.iter().any(|&other| between(other))
            && usage.reads.iter().all(|&read| self.is_over(outline, read, definition));
        computes
            && straight
            && unseen
            && made.escapes.is_none()
            && made.until == set
            && !self.into.contains_key(&value)
            && uniformity.varies(value) == uniformity.variable_varies(variable)
    }

    /// Whether an alias made before `position` is no longer needed after it.
    fn is_over(&self, outline: &Outline<'_>, read: Position, position: Position) -> bool {
        let Statement::Let { result, .. } = outline.nodes[read as usize].statement else { return true };
        let is_alias = self.aliases.contains_key(result);
        !is_alias || read > position || outline.values[result.0 as usize].until <= position
    }

    /// From the first to the last statement of the variable's scope that has to do with it, and on to the end of its aliases.
    fn extent(&self, outline: &Outline<'_>, variable: Variable) -> Option<(Position, Position)> {
        let usage = &outline.variables[variable.0 as usize];
        let touches = usage.reads.iter().chain(&usage.sets);
        let children = touches.filter_map(|&position| outline.child(usage.scope, position));
        let (mut first, mut last) = (Position::MAX, 0);
        for child in children {
            let end = outline.nodes[child as usize].end;
            first = first.min(child);
            last = last.max(if end == child { end } else { end + 1 });
        }
        for &read in &usage.reads {
            let Statement::Let { result, .. } = outline.nodes[read as usize].statement else { continue };
            if self.aliases.contains_key(result) {
                last = last.max(outline.values[result.0 as usize].until);
            }
        }
        // A value that is computed into the slot may stand before every other use of it.
        for (value, &(into, _)) in &self.into {
            if into == variable {
                first = first.min(outline.values[value.0 as usize].definition);
            }
        }
        let first = if usage.starts_zero { 0 } else { first };
        (!usage.reads.is_empty()).then_some((first, last))
    }
}
