//! Emits lane IR, and emits no operation twice.
//!
//! An interpreter pays for every operation, so the cheap optimizations live where operations are born: an operation of constants is
//! folded, one that an enclosing block has computed is reused, one that a loop cannot change is put in front of the loop. Lowering and
//! the later passes all emit through here, hence all profit. Constants stand at the start of the kernel, each once.

use naga::{FastHashMap, FastHashSet};

use super::fold;
use super::lane::{
    Address, AtomicOperation, BinaryOperation, Binding, BindingKind, Builtin, Kernel, Label, Operation,
    Space, Statement, TexelOperation, UnaryOperation, Value, Variable,
};

/// Builds the body of one kernel.
#[derive(Debug)]
pub(super) struct Builder {
    workgroup_size: [u32; 3],
    /// Constants; they come before everything else.
    prelude: Vec<Statement>,
    /// Open blocks, the innermost last.
    open: Vec<Open>,
    /// What is computed already, and visible here.
    known: FastHashMap<Operation, Value>,
    values: Vec<Known>,
    variables: u32,
    labels: u32,
    emitted: usize,
    /// Uniform buffers: a load from one yields the same all along.
    fixed: FastHashSet<u32>,
}

#[derive(Debug, Default)]
struct Open {
    statements: Vec<Statement>,
    /// Entries of `known` that go when this block closes.
    computed: Vec<Operation>,
    kind: Nest,
}

/// What a nested list of statements belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Nest {
    /// A labelled block, or the kernel.
    #[default]
    Block,
    /// One side of a branch.
    Arm,
    /// The body of a loop.
    Loop,
}

impl Open {
    /// Every lane that came in is still here, and nothing has happened.
    fn is_straight(&self) -> bool {
        self.statements.iter().all(|statement| matches!(statement, Statement::Let { .. }))
    }
}

/// What is known of a value.
#[derive(Clone, Copy, Debug)]
struct Known {
    constant: Option<u32>,
    /// No lane's word is above, as an unsigned number.
    limit: u32,
    /// The open block that defines it.
    depth: usize,
}

impl Builder {
    pub(super) fn new(workgroup_size: [u32; 3]) -> Self {
        Self {
            workgroup_size,
            prelude: Vec::new(),
            open: vec![Open::default()],
            known: FastHashMap::default(),
            values: Vec::new(),
            variables: 0,
            labels: 0,
            emitted: 0,
            fixed: FastHashSet::default(),
        }
    }

    pub(super) fn workgroup_size(&self) -> [u32; 3] {
        self.workgroup_size
    }

    /// Names the result of an operation, by a `Let` or by what is there already.
    pub(super) fn emit(&mut self, operation: Operation) -> Value {
        let operation = match fold::simplify(operation, |value| self.constant_of(value)) {
            fold::Simplified::Value(value) => return value,
            fold::Simplified::Constant(word) => return self.constant(word),
            fold::Simplified::Operation(operation) => operation,
        };
        if let Operation::Binary(BinaryOperation::MinU, value, limit) = operation
            && self.constant_of(limit).is_some_and(|limit| self.limit(value) <= limit)
        {
            return value;
        }
        if let Some(&value) = self.known.get(&operation) {
            return value;
        }
        let pure = self.is_pure(&operation);
        let depth = if pure { self.place(&operation) } else { self.open.len() - 1 };
        let result = self.define(None, self.limit_of(&operation), depth);
        self.open[depth].statements.push(Statement::Let { result, operation });
        if pure {
            self.known.insert(operation, result);
            self.open[depth].computed.push(operation);
        }
        result
    }

    /// Reads a variable before the outermost of the loops whose bodies leave it alone. `loops` counts those, from the innermost out.
    pub(super) fn emit_variable(&mut self, variable: Variable, loops: usize) -> Value {
        let bodies = (0..self.open.len()).rev().filter(|&depth| self.open[depth].kind == Nest::Loop);
        let depth = bodies.take(loops).last().map_or(self.open.len() - 1, |depth| depth - 1);
        let result = self.define(None, u32::MAX, depth);
        let operation = Operation::Variable(variable);
        self.open[depth].statements.push(Statement::Let { result, operation });
        result
    }

    /// The same word for every lane.
    pub(super) fn constant(&mut self, word: u32) -> Value {
        let operation = Operation::Constant(word);
        if let Some(&value) = self.known.get(&operation) {
            return value;
        }
        let result = self.define(Some(word), word, 0);
        self.prelude.push(Statement::Let { result, operation });
        self.known.insert(operation, result);
        result
    }

    /// Numbers a value that another statement than `Let` defines here.
    pub(super) fn defined(&mut self) -> Value {
        self.define(None, u32::MAX, self.open.len() - 1)
    }

    /// The word of a value that is the same constant for every lane.
    pub(super) fn constant_of(&self, value: Value) -> Option<u32> {
        self.values[value.0 as usize].constant
    }

    /// No lane's word of this value is above, as an unsigned number.
    pub(super) fn limit(&self, value: Value) -> u32 {
        self.values[value.0 as usize].limit
    }

    pub(super) fn variables(&mut self, count: u32) -> Variable {
        let first = self.variables;
        self.variables += count;
        Variable(first)
    }

    pub(super) fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    /// Numbers all variables of a kernel whose body is emitted anew.
    pub(super) fn adopt(&mut self, kernel: &Kernel) {
        self.variables = kernel.variables;
        for (index, binding) in (0..).zip(&kernel.bindings) {
            self.bound(index, binding);
        }
    }

    /// Tells what a binding is.
    pub(super) fn bound(&mut self, index: u32, binding: &Binding) {
        if matches!(binding.kind, BindingKind::Buffer { uniform: true, .. }) {
            self.fixed.insert(index);
        }
    }

    /// Blocks open now, within each other.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Statements emitted so far, those in open blocks too.
    pub(super) fn emitted(&self) -> usize {
        self.emitted
    }

    pub(super) fn push(&mut self, statement: Statement) {
        self.emitted += 1;
        let innermost = self.open.len() - 1;
        self.open[innermost].statements.push(statement);
    }

    pub(super) fn open(&mut self, kind: Nest) {
        self.open.push(Open { kind, ..Open::default() });
    }

    /// Ends the block opened last. What only it has computed is forgotten.
    pub(super) fn close(&mut self) -> Vec<Statement> {
        let block = self.open.pop().unwrap_or_default();
        for operation in &block.computed {
            self.known.remove(operation);
        }
        block.statements
    }

    /// Lanes with a non-zero condition run what `accept` emits.
    pub(super) fn when(&mut self, condition: Value, accept: impl FnOnce(&mut Self)) {
        self.open(Nest::Arm);
        accept(self);
        let accept = self.close();
        self.push(Statement::If { condition, accept, reject: Vec::new() });
    }

    pub(super) fn set(&mut self, variable: Variable, value: Value) {
        self.push(Statement::Set { variable, value });
    }

    pub(super) fn texel(&mut self, operation: TexelOperation) -> [Value; 4] {
        let results = [self.defined(), self.defined(), self.defined(), self.defined()];
        self.push(Statement::LetTexel { results, operation });
        results
    }

    pub(super) fn atomic(&mut self, address: Address, operation: AtomicOperation) -> Value {
        let result = self.defined();
        self.push(Statement::Atomic { result: Some(result), address, operation });
        result
    }

    /// Moves the finished body into a kernel.
    pub(super) fn finish(mut self, kernel: &mut Kernel) {
        kernel.values = self.values.len() as u32;
        kernel.variables = self.variables;
        let body = self.close();
        kernel.body = self.prelude;
        kernel.body.extend(body);
    }

    fn define(&mut self, constant: Option<u32>, limit: u32, depth: usize) -> Value {
        self.emitted += 1;
        self.values.push(Known { constant, limit, depth });
        Value(self.values.len() as u32 - 1)
    }

    /// The block to compute a pure operation in: in front of the outermost loop that does not define an operand.
    fn place(&self, operation: &Operation) -> usize {
        let mut deepest = 0;
        fold::operands(operation, |value| deepest = deepest.max(self.values[value.0 as usize].depth));
        let mut blocks = deepest + 1..self.open.len();
        let Some(body) = blocks.find(|&depth| self.open[depth].kind == Nest::Loop) else {
            return self.open.len() - 1;
        };
        // The block that leaving the loop leaves: whoever is in front of it enters it.
        let mut place = body - 1;
        while place > deepest && self.open[place].kind == Nest::Block && self.open[place].is_straight() {
            place -= 1;
        }
        place
    }

    /// Yields the same wherever it stands, as long as its operands do.
    fn is_pure(&self, operation: &Operation) -> bool {
        match operation {
            Operation::Variable(_) => false,
            Operation::Load(Address { space: Space::Constant, .. }) => true,
            Operation::Load(Address { space: Space::Buffer(binding), .. }) => self.fixed.contains(binding),
            Operation::Load(_) => false,
            _ => true,
        }
    }

    fn limit_of(&self, operation: &Operation) -> u32 {
        use BinaryOperation as B;
        let of = |value: Value| self.limit(value);
        match *operation {
            Operation::Builtin(Builtin::LocalInvocationId(axis)) => {
                self.workgroup_size[usize::from(axis)] - 1
            }
            Operation::Builtin(Builtin::LocalInvocationIndex) => {
                self.workgroup_size.iter().product::<u32>() - 1
            }
            Operation::Binary(B::And | B::MinU, a, b) => of(a).min(of(b)),
            Operation::Binary(B::RemainderU, a, b) => match self.constant_of(b) {
                Some(divisor) if divisor > 0 => of(a).min(divisor - 1),
                _ => of(a),
            },
            Operation::Binary(B::DivideU, a, b) => {
                self.constant_of(b).map_or_else(|| of(a), |divisor| of(a) / divisor.max(1))
            }
            Operation::Binary(B::ShiftRightU, a, b) => {
                self.constant_of(b).map_or_else(|| of(a), |amount| of(a) >> (amount & 31))
            }
            Operation::Binary(B::Add, a, b) => of(a).saturating_add(of(b)),
            Operation::Binary(B::Multiply, a, b) => of(a).saturating_mul(of(b)),
            Operation::Binary(B::MaxU, a, b) | Operation::Select(_, a, b) => of(a).max(of(b)),
            Operation::Binary(operation, ..) if is_comparison(operation) => 1,
            Operation::Unary(UnaryOperation::LogicalNot, _) => 1,
            Operation::Unary(UnaryOperation::PackHalfLow, _) => 0xffff,
            Operation::Unary(
                UnaryOperation::CountOneBits
                | UnaryOperation::CountLeadingZeros
                | UnaryOperation::CountTrailingZeros,
                _,
            ) => 32,
            _ => u32::MAX,
        }
    }
}

fn is_comparison(operation: BinaryOperation) -> bool {
    use BinaryOperation as B;
    matches!(
        operation,
        B::Equal
            | B::NotEqual
            | B::LessS
            | B::LessU
            | B::LessEqualS
            | B::LessEqualU
            | B::EqualF
            | B::NotEqualF
            | B::LessF
            | B::LessEqualF
    )
}
