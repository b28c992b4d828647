//! Which variables are indexed dynamically, anywhere in the kernel, through pointers passed to functions too.
//!
//! Those have to lie in memory; all others become variables of the lane IR, which the optimizer sees through. And which local variables
//! are never written: a table written as `var` is a constant all the same.

use naga::{
    Block, Expression, FastHashSet, Function, GlobalVariable, Handle, LocalVariable, Module, Statement,
};

/// The answer, for all functions of a module and one entry point.
#[derive(Debug, Default)]
pub(super) struct Usage {
    /// By function handle.
    functions: Vec<Dynamic>,
    entry: Dynamic,
    globals: FastHashSet<Handle<GlobalVariable>>,
}

#[derive(Debug, Default)]
struct Dynamic {
    arguments: FastHashSet<u32>,
    locals: FastHashSet<Handle<LocalVariable>>,
    /// Locals that a statement stores to, or that are passed by pointer.
    written: FastHashSet<Handle<LocalVariable>>,
}

enum Root {
    Argument(u32),
    Local(Handle<LocalVariable>),
    Global(Handle<GlobalVariable>),
}

impl Usage {
    pub(super) fn of(module: &Module, entry: &Function) -> Self {
        let mut usage = Self::default();
        // A valid module has callees before their callers.
        for (_, function) in module.functions.iter() {
            let dynamic = usage.function(function);
            usage.functions.push(dynamic);
        }
        usage.entry = usage.function(entry);
        usage
    }

    /// Whether a local variable is indexed dynamically. No function: the entry point.
    pub(super) fn local(&self, function: Option<Handle<Function>>, local: Handle<LocalVariable>) -> bool {
        let dynamic = function.map_or(&self.entry, |function| &self.functions[function.index()]);
        dynamic.locals.contains(&local)
    }

    /// Whether a local variable keeps the value that it starts with. No function: the entry point.
    pub(super) fn is_constant(
        &self,
        function: Option<Handle<Function>>,
        local: Handle<LocalVariable>,
    ) -> bool {
        let dynamic = function.map_or(&self.entry, |function| &self.functions[function.index()]);
        !dynamic.written.contains(&local)
    }

    /// Whether a module variable is indexed dynamically.
    pub(super) fn global(&self, global: Handle<GlobalVariable>) -> bool {
        self.globals.contains(&global)
    }

    fn function(&mut self, function: &Function) -> Dynamic {
        let mut dynamic = Dynamic::default();
        for (_, expression) in function.expressions.iter() {
            if let Expression::Access { base, index } = *expression
                && !is_constant(&function.expressions[index])
            {
                self.mark(function, base, &mut dynamic);
            }
        }
        self.calls(function, &function.body, &mut dynamic);
        dynamic
    }

    fn mark(&mut self, function: &Function, pointer: Handle<Expression>, dynamic: &mut Dynamic) {
        match root(function, pointer) {
            Some(Root::Argument(argument)) => {
                dynamic.arguments.insert(argument);
            }
            Some(Root::Local(local)) => {
                dynamic.locals.insert(local);
            }
            Some(Root::Global(global)) => {
                self.globals.insert(global);
            }
            None => {}
        }
    }

    fn calls(&mut self, function: &Function, block: &Block, dynamic: &mut Dynamic) {
        for statement in block.iter() {
            match statement {
                Statement::Store { pointer, .. } => write(function, *pointer, dynamic),
                Statement::Call { function: callee, arguments, .. } => {
                    for (index, &argument) in arguments.iter().enumerate() {
                        write(function, argument, dynamic);
                        if self.functions[callee.index()].arguments.contains(&(index as u32)) {
                            self.mark(function, argument, dynamic);
                        }
                    }
                }
                Statement::Block(block) => self.calls(function, block, dynamic),
                Statement::If { accept, reject, .. } => {
                    self.calls(function, accept, dynamic);
                    self.calls(function, reject, dynamic);
                }
                Statement::Switch { cases, .. } => {
                    cases.iter().for_each(|case| self.calls(function, &case.body, dynamic));
                }
                Statement::Loop { body, continuing, .. } => {
                    self.calls(function, body, dynamic);
                    self.calls(function, continuing, dynamic);
                }
                _ => {}
            }
        }
    }
}

fn write(function: &Function, pointer: Handle<Expression>, dynamic: &mut Dynamic) {
    if let Some(Root::Local(local)) = root(function, pointer) {
        dynamic.written.insert(local);
    }
}

/// Known without running: the place it indexes is known too.
pub(super) fn is_constant(expression: &Expression) -> bool {
    matches!(expression, Expression::Literal(_) | Expression::Constant(_) | Expression::ZeroValue(_))
}

/// What a pointer points into. A value has no root.
fn root(function: &Function, mut pointer: Handle<Expression>) -> Option<Root> {
    loop {
        match function.expressions[pointer] {
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => pointer = base,
            Expression::FunctionArgument(argument) => return Some(Root::Argument(argument)),
            Expression::LocalVariable(local) => return Some(Root::Local(local)),
            Expression::GlobalVariable(global) => return Some(Root::Global(global)),
            _ => return None,
        }
    }
}
