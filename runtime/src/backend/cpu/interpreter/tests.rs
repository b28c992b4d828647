//! The interpreter against plain Rust.
//!
//! `operations` checks every operation of the IR by itself, `control` masks and divergence by hand-written kernels, `random` by random
//! ones against [`reference`], which runs one lane after another and knows neither masks nor uniformity. `shaders` runs real WGSL.
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::{BoundResource, Prepared, Scratch, Stop, Stopped};
use crate::record::Grid;
use crate::shader::lane::{
    Address, AtomicOperation, BinaryOperation, Binding, BindingKind, Builtin, Kernel, Label, Operation,
    Space, Statement, Value, Variable,
};

mod control;
mod operations;
mod random;
mod reference;
mod shaders;

/// A kernel without statements that is bound to so many storage buffers.
fn kernel(workgroup_size: [u32; 3], buffers: u32) -> Kernel {
    let kind = BindingKind::Buffer { minimum_bytes: 0, uniform: false };
    let binding = |index| Binding {
        group: 0,
        binding: index,
        name: format!("buffer{index}"),
        kind,
        reads: true,
        writes: true,
        atomic_only: false,
    };
    Kernel {
        name: "test".to_owned(),
        workgroup_size,
        values: 0,
        variables: 0,
        private_words: 0,
        workgroup_words: 0,
        constants: Vec::new(),
        bindings: (0..buffers).map(binding).collect(),
        body: Vec::new(),
    }
}

/// Writes statements and numbers values.
struct Writer {
    kernel: Kernel,
    open: Vec<Vec<Statement>>,
    labels: u32,
}

impl Writer {
    fn new(workgroup_size: [u32; 3], buffers: u32) -> Self {
        Self { kernel: kernel(workgroup_size, buffers), open: vec![Vec::new()], labels: 0 }
    }

    fn push(&mut self, statement: Statement) {
        self.open.last_mut().unwrap().push(statement);
    }

    fn value(&mut self) -> Value {
        self.kernel.values += 1;
        Value(self.kernel.values - 1)
    }

    fn variable(&mut self) -> Variable {
        self.kernel.variables += 1;
        Variable(self.kernel.variables - 1)
    }

    fn emit(&mut self, operation: Operation) -> Value {
        let result = self.value();
        self.push(Statement::Let { result, operation });
        result
    }

    fn constant(&mut self, word: u32) -> Value {
        self.emit(Operation::Constant(word))
    }

    fn lane(&mut self) -> Value {
        self.emit(Operation::Builtin(Builtin::LocalInvocationIndex))
    }

    fn binary(&mut self, operation: BinaryOperation, a: Value, b: Value) -> Value {
        self.emit(Operation::Binary(operation, a, b))
    }

    fn get(&mut self, variable: Variable) -> Value {
        self.emit(Operation::Variable(variable))
    }

    fn set(&mut self, variable: Variable, value: Value) {
        self.push(Statement::Set { variable, value });
    }

    fn load(&mut self, space: Space, base: u32, index: Option<Value>) -> Value {
        self.emit(Operation::Load(Address { space, base, index }))
    }

    fn store(&mut self, space: Space, base: u32, index: Option<Value>, value: Value) {
        self.push(Statement::Store { address: Address { space, base, index }, value });
    }

    fn atomic(&mut self, address: Address, operation: AtomicOperation) -> Value {
        let result = self.value();
        self.push(Statement::Atomic { result: Some(result), address, operation });
        result
    }

    fn inside(&mut self, f: impl FnOnce(&mut Self)) -> Vec<Statement> {
        self.open.push(Vec::new());
        f(self);
        self.open.pop().unwrap()
    }

    fn when(&mut self, condition: Value, accept: impl FnOnce(&mut Self), reject: impl FnOnce(&mut Self)) {
        let (accept, reject) = (self.inside(accept), self.inside(reject));
        self.push(Statement::If { condition, accept, reject });
    }

    fn block(&mut self, f: impl FnOnce(&mut Self, Label)) {
        self.labels += 1;
        let label = Label(self.labels);
        let body = self.inside(|writer| f(writer, label));
        self.push(Statement::Block { label, body });
    }

    fn repeat(&mut self, f: impl FnOnce(&mut Self)) {
        let body = self.inside(f);
        self.push(Statement::Loop { body });
    }

    fn exit(&mut self, label: Label) {
        self.push(Statement::Exit { label });
    }

    fn finish(mut self) -> Kernel {
        self.kernel.body = self.open.pop().unwrap();
        self.kernel
    }
}

fn words(words: &[u32]) -> Vec<AtomicU32> {
    words.iter().map(|&word| AtomicU32::new(word)).collect()
}

fn read(words: &[AtomicU32]) -> Vec<u32> {
    words.iter().map(|word| word.load(Relaxed)).collect()
}

fn grid(groups: [u32; 3]) -> Grid {
    Grid { groups, threads: None }
}

/// Runs a kernel over buffers, which come back as they are left.
fn run(kernel: &Kernel, buffers: &[Vec<u32>], grid: Grid) -> Vec<Vec<u32>> {
    let buffers: Vec<Vec<AtomicU32>> = buffers.iter().map(|buffer| words(buffer)).collect();
    let bound: Vec<_> = buffers.iter().map(|buffer| BoundResource::Buffer(buffer)).collect();
    run_bound(kernel, &bound, grid).unwrap();
    buffers.iter().map(|buffer| read(buffer)).collect()
}

fn run_bound(kernel: &Kernel, bound: &[BoundResource<'_>], grid: Grid) -> Result<(), Stopped> {
    let groups = grid.groups.iter().map(|&count| u64::from(count)).product();
    Prepared::new(kernel).run(bound, &grid, 0..groups, &mut Scratch::default(), &Stop::new())
}
