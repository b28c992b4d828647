//! What compiling needs to know of a kernel's statement tree: positions, nesting, definitions and uses.
//!
//! Statements are numbered in reading order; a statement with others inside covers a range of numbers. Everything later is a
//! question about such numbers: whether one statement stands inside another, how far a value is alive, which statement of a list holds
//! another one.
use std::collections::HashMap;

use crate::shader::lane::{
    Address, AtomicOperation, Kernel, Label, Operation, Statement, TexelOperation, Value, Variable,
};

/// A statement by its number.
pub(super) type Position = u32;
/// A list of statements by its number; 0 is the kernel's body.
pub(super) type List = u32;

/// A statement tree with numbers.
#[derive(Debug)]
pub(super) struct Outline<'k> {
    pub(super) nodes: Vec<Node<'k>>,
    pub(super) lists: Vec<Statements>,
    pub(super) values: Vec<ValueUse>,
    pub(super) variables: Vec<VariableUse>,
    pub(super) blocks: HashMap<Label, Position>,
}

/// A statement.
#[derive(Debug)]
pub(super) struct Node<'k> {
    pub(super) statement: &'k Statement,
    /// The list it stands in.
    pub(super) list: List,
    /// The last statement inside it; itself where there is none.
    pub(super) end: Position,
    /// Lists inside: `accept` and `reject` of an `If`, the body of the others.
    pub(super) inner: [List; 2],
}

/// A list of statements.
#[derive(Debug)]
pub(super) struct Statements {
    /// The statement it is part of; the kernel's body has none.
    pub(super) parent: Option<Position>,
    pub(super) nodes: Vec<Position>,
}

/// Where a value is made and used. Uses by dead statements do not count.
#[derive(Clone, Debug, Default)]
pub(super) struct ValueUse {
    pub(super) definition: Position,
    pub(super) alive: bool,
    /// The last statement that uses it.
    pub(super) last_use: Position,
    /// How long its word must stay: the last use, or one past the end of the outermost loop around a use but not the definition.
    pub(super) until: Position,
    /// The outermost loop around the definition but not some use: lanes leave such a loop at different times, each with its own value.
    pub(super) escapes: Option<Position>,
}

/// Where a variable is read and set. Reads nobody needs do not count.
#[derive(Clone, Debug, Default)]
pub(super) struct VariableUse {
    pub(super) reads: Vec<Position>,
    pub(super) sets: Vec<Position>,
    /// The innermost list that holds every read, and where every read is behind a `Set` of the same pass through the list.
    pub(super) scope: List,
    /// The kernel's body is the scope and some read sees the zero from the start.
    pub(super) starts_zero: bool,
}

impl<'k> Outline<'k> {
    pub(super) fn new(kernel: &'k Kernel) -> Self {
        let mut outline = Self {
            nodes: Vec::new(),
            lists: Vec::new(),
            values: vec![ValueUse::default(); kernel.values as usize],
            variables: vec![VariableUse::default(); kernel.variables as usize],
            blocks: HashMap::new(),
        };
        outline.add_list(None, &kernel.body);
        outline.find_definitions();
        outline.find_alive();
        outline.find_uses();
        outline.find_scopes();
        outline
    }

    /// Whether a statement stands inside another, or is it.
    pub(super) fn contains(&self, outer: Position, inner: Position) -> bool {
        outer <= inner && inner <= self.nodes[outer as usize].end
    }

    /// Whether a list holds a statement, however deep.
    pub(super) fn list_contains(&self, list: List, position: Position) -> bool {
        self.child(list, position).is_some()
    }

    /// The statement of `list` itself that holds `position`.
    pub(super) fn child(&self, list: List, position: Position) -> Option<Position> {
        self.around(position).find(|&node| self.nodes[node as usize].list == list)
    }

    /// The statement and all it stands in, innermost first.
    pub(super) fn around(&self, position: Position) -> impl Iterator<Item = Position> {
        std::iter::successors(Some(position), |&node| {
            self.lists[self.nodes[node as usize].list as usize].parent
        })
    }

    /// Whether the program still needs what a statement does.
    pub(super) fn is_needed(&self, position: Position) -> bool {
        match self.nodes[position as usize].statement {
            Statement::Let { result, .. } => self.values[result.0 as usize].alive,
            Statement::LetTexel { results, .. } => {
                results.iter().any(|value| self.values[value.0 as usize].alive)
            }
            Statement::Set { variable, .. } => {
                let variable = &self.variables[variable.0 as usize];
                !variable.reads.is_empty() && self.list_contains(variable.scope, position)
            }
            _ => true,
        }
    }

    fn add_list(&mut self, parent: Option<Position>, statements: &'k [Statement]) -> List {
        let list = self.lists.len() as List;
        self.lists.push(Statements { parent, nodes: Vec::with_capacity(statements.len()) });
        for statement in statements {
            let position = self.nodes.len() as Position;
            self.lists[list as usize].nodes.push(position);
            self.nodes.push(Node { statement, list, end: position, inner: [0; 2] });
            let inner = match statement {
                Statement::If { accept, reject, .. } => {
                    [self.add_list(Some(position), accept), self.add_list(Some(position), reject)]
                }
                Statement::Block { label, body } => {
                    self.blocks.insert(*label, position);
                    [self.add_list(Some(position), body), 0]
                }
                Statement::Loop { body } => [self.add_list(Some(position), body), 0],
                _ => [0; 2],
            };
            let end = self.nodes.len() as Position - 1;
            let node = &mut self.nodes[position as usize];
            (node.end, node.inner) = (end, inner);
        }
        list
    }

    fn find_definitions(&mut self) {
        for (position, node) in self.nodes.iter().enumerate() {
            for value in results(node.statement) {
                self.values[value.0 as usize].definition = position as Position;
            }
        }
    }

    /// Marks what has an effect and what that needs, from the end to the start, until variables bring nothing new.
    fn find_alive(&mut self) {
        let mut variables = vec![false; self.variables.len()];
        loop {
            let mut changed = false;
            for node in self.nodes.iter().rev() {
                let needed = match node.statement {
                    Statement::Let { result, .. } => self.values[result.0 as usize].alive,
                    Statement::LetTexel { results, .. } => {
                        results.iter().any(|value| self.values[value.0 as usize].alive)
                    }
                    Statement::Set { variable, .. } => variables[variable.0 as usize],
                    _ => true,
                };
                if !needed {
                    continue;
                }
                for_each_operand(node.statement, |value| self.values[value.0 as usize].alive = true);
                if let Some(variable) = read_variable(node.statement) {
                    changed |= !std::mem::replace(&mut variables[variable.0 as usize], true);
                }
            }
            if !changed {
                return;
            }
        }
    }

    fn find_uses(&mut self) {
        for position in 0..self.nodes.len() as Position {
            let statement = self.nodes[position as usize].statement;
            if let Statement::Set { variable, .. } = statement {
                self.variables[variable.0 as usize].sets.push(position);
            }
            let dead = match statement {
                Statement::Let { result, .. } => !self.values[result.0 as usize].alive,
                _ => false,
            };
            if dead {
                continue;
            }
            if let Some(variable) = read_variable(statement) {
                self.variables[variable.0 as usize].reads.push(position);
            }
            let mut operands = Vec::new();
            for_each_operand(statement, |value| operands.push(value));
            for value in operands {
                self.add_use(value, position);
            }
        }
    }

    fn add_use(&mut self, value: Value, position: Position) {
        let definition = self.values[value.0 as usize].definition;
        let is_loop =
            |&node: &Position| matches!(self.nodes[node as usize].statement, Statement::Loop { .. });
        let entered =
            self.around(position).filter(is_loop).filter(|&node| !self.contains(node, definition)).last();
        let left =
            self.around(definition).filter(is_loop).filter(|&node| !self.contains(node, position)).last();
        let until = entered.map_or(position, |node| self.nodes[node as usize].end + 1);
        let entry = &mut self.values[value.0 as usize];
        entry.last_use = entry.last_use.max(position);
        entry.until = entry.until.max(until);
        entry.escapes = match (entry.escapes, left) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    fn find_scopes(&mut self) {
        for index in 0..self.variables.len() {
            let Some(&first) = self.variables[index].reads.first() else { continue };
            let mut list = self.nodes[first as usize].list;
            let starts_zero = loop {
                let (inside, covered) = self.scope_holds(list, &self.variables[index]);
                if inside && covered {
                    break false;
                }
                match self.lists[list as usize].parent {
                    Some(parent) => list = self.nodes[parent as usize].list,
                    None => break true,
                }
            };
            let variable = &mut self.variables[index];
            (variable.scope, variable.starts_zero) = (list, starts_zero);
        }
    }

    /// Whether a list holds every read, and whether each is behind a `Set`.
    fn scope_holds(&self, scope: List, variable: &VariableUse) -> (bool, bool) {
        let inside = variable.reads.iter().all(|&read| self.list_contains(scope, read));
        let covered = inside && variable.reads.iter().all(|&read| self.is_behind_set(scope, read, variable));
        (inside, covered)
    }

    /// Whether some list from the read's own up to `scope` has a `Set` of its own before the read.
    fn is_behind_set(&self, scope: List, read: Position, variable: &VariableUse) -> bool {
        for node in self.around(read) {
            let list = self.nodes[node as usize].list;
            if variable.sets.iter().any(|&set| set < node && self.nodes[set as usize].list == list) {
                return true;
            }
            if list == scope {
                return false;
            }
        }
        false
    }
}

/// Values that a statement makes.
pub(super) fn results(statement: &Statement) -> impl Iterator<Item = Value> {
    let results: [Option<Value>; 4] = match statement {
        Statement::Let { result, .. } => [Some(*result), None, None, None],
        Statement::LetTexel { results, .. } => results.map(Some),
        Statement::Atomic { result, .. } => [*result, None, None, None],
        _ => [None; 4],
    };
    results.into_iter().flatten()
}

/// The variable whose value a statement reads.
pub(super) fn read_variable(statement: &Statement) -> Option<Variable> {
    match statement {
        Statement::Let { operation: Operation::Variable(variable), .. } => Some(*variable),
        _ => None,
    }
}

/// Values that a statement itself uses; those used by statements inside it are theirs.
pub(super) fn for_each_operand(statement: &Statement, mut f: impl FnMut(Value)) {
    match statement {
        Statement::Let { operation, .. } => operation_operands(operation, f),
        Statement::LetTexel { operation, .. } => texel_operands(operation, f),
        Statement::Set { value, .. } => f(*value),
        Statement::Store { address, value } => {
            address_operands(address, &mut f);
            f(*value);
        }
        Statement::StoreTexel { coordinates, slice, texel, .. } => {
            coordinates.iter().chain(slice).chain(texel).copied().for_each(f);
        }
        Statement::Atomic { address, operation, .. } => {
            address_operands(address, &mut f);
            atomic_operands(operation, f);
        }
        Statement::If { condition, .. } => f(*condition),
        Statement::Block { .. }
        | Statement::Loop { .. }
        | Statement::Exit { .. }
        | Statement::Barrier
        | Statement::Fence => {}
    }
}

/// Values that an operation uses.
pub(super) fn operation_operands(operation: &Operation, mut f: impl FnMut(Value)) {
    match operation {
        Operation::Constant(_)
        | Operation::Variable(_)
        | Operation::BufferWords(_)
        | Operation::Builtin(_) => {}
        Operation::Unary(_, a) => f(*a),
        Operation::Binary(_, a, b) => [*a, *b].into_iter().for_each(f),
        Operation::FusedMultiplyAdd(a, b, c) | Operation::Select(a, b, c) => {
            [*a, *b, *c].into_iter().for_each(f);
        }
        Operation::Load(address) => address_operands(address, &mut f),
        Operation::TextureQuery { level, .. } => level.iter().copied().for_each(f),
    }
}

/// Values that a texel operation uses.
pub(super) fn texel_operands(operation: &TexelOperation, f: impl FnMut(Value)) {
    match operation {
        TexelOperation::Load { coordinates, slice, level, .. } => {
            coordinates.iter().chain(slice).chain(level).copied().for_each(f);
        }
        TexelOperation::Sample { coordinates, slice, level, reference, .. } => {
            coordinates.iter().chain(slice).chain(level).chain(reference).copied().for_each(f);
        }
        TexelOperation::Gather { coordinates, slice, reference, .. } => {
            coordinates.iter().chain(slice).chain(reference).copied().for_each(f);
        }
    }
}

fn address_operands(address: &Address, f: &mut impl FnMut(Value)) {
    address.index.iter().copied().for_each(f);
}

fn atomic_operands(operation: &AtomicOperation, mut f: impl FnMut(Value)) {
    match *operation {
        AtomicOperation::Load => {}
        AtomicOperation::Store(value)
        | AtomicOperation::Add(value)
        | AtomicOperation::Subtract(value)
        | AtomicOperation::And(value)
        | AtomicOperation::Or(value)
        | AtomicOperation::ExclusiveOr(value)
        | AtomicOperation::SignedMin(value)
        | AtomicOperation::SignedMax(value)
        | AtomicOperation::UnsignedMin(value)
        | AtomicOperation::UnsignedMax(value)
        | AtomicOperation::Exchange(value) => f(value),
        AtomicOperation::CompareExchange { expected, desired } => {
            f(expected);
            f(desired);
        }
    }
}
