//! Reads of variables become the values they hold, where one way alone leads there.
//!
//! Structured control flow makes this simple: what a branch, a labelled block or a loop sets is unknown behind it (a loop: inside too),
//! everything else stays known. A short branch that only sets variables becomes a choice between values, which is known again.

use naga::FastHashSet;

use super::{map_operands, walk};
use crate::shader::builder::{Builder, Nest};
use crate::shader::fold;
use crate::shader::lane::{
    BinaryOperation, Kernel, Operation, Statement, TexelOperation, UnaryOperation, Value, Variable,
};

/// Operations that a branch may have to become a choice.
const CHOICE_MAX: usize = 6;

pub(super) fn forward(kernel: &mut Kernel) {
    let mut builder = Builder::new(kernel.workgroup_size);
    builder.adopt(kernel);
    // Variables are zero when the kernel starts.
    let zero = builder.constant(0);
    let mut pass = Forward {
        builder,
        values: vec![None; kernel.values as usize],
        held: vec![Some(zero); kernel.variables as usize],
        loops: Vec::new(),
    };
    let body = std::mem::take(&mut kernel.body);
    pass.block(body);
    pass.builder.finish(kernel);
}

struct Forward {
    builder: Builder,
    /// New values by old ones.
    values: Vec<Option<Value>>,
    /// What variables hold here.
    held: Vec<Option<Value>>,
    /// For each loop around, the variables that it sets.
    loops: Vec<FastHashSet<Variable>>,
}

impl Forward {
    fn block(&mut self, statements: Vec<Statement>) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn value(&self, old: Value) -> Value {
        // A value is defined before it is used; `verify` holds lowering to that.
        self.values[old.0 as usize].unwrap_or(old)
    }

    fn statement(&mut self, mut statement: Statement) {
        map_operands(&mut statement, |value| self.values[value.0 as usize].unwrap_or(value));
        match statement {
            Statement::Let { result, operation } => {
                let value = self.operation(operation);
                self.values[result.0 as usize] = Some(value);
            }
            Statement::LetTexel { results, operation } => self.texel(results, operation),
            Statement::Atomic { result: Some(result), address, operation } => {
                let address = fold::constant_index(address, |value| self.builder.constant_of(value));
                let value = self.builder.atomic(address, operation);
                self.values[result.0 as usize] = Some(value);
            }
            Statement::Store { address, value } => {
                let address = fold::constant_index(address, |value| self.builder.constant_of(value));
                self.builder.push(Statement::Store { address, value });
            }
            Statement::Set { variable, value } => self.set(variable, value),
            Statement::If { condition, accept, reject } => self.branch(condition, accept, reject),
            Statement::Block { label, body } => {
                let before = self.held.clone();
                let set = sets(&body);
                self.builder.open(Nest::Block);
                self.block(body);
                let body = self.builder.close();
                self.builder.push(Statement::Block { label, body });
                self.forget(before, &set);
            }
            Statement::Loop { body } => {
                let set = sets(&body);
                let before = self.held.clone();
                self.forget(before.clone(), &set);
                self.loops.push(set);
                self.builder.open(Nest::Loop);
                self.block(body);
                let body = self.builder.close();
                self.builder.push(Statement::Loop { body });
                let set = self.loops.pop().unwrap_or_default();
                self.forget(before, &set);
            }
            other => self.builder.push(other),
        }
    }

    fn operation(&mut self, operation: Operation) -> Value {
        let Operation::Variable(variable) = operation else { return self.builder.emit(operation) };
        if let Some(value) = self.held[variable.0 as usize] {
            return value;
        }
        let untouched = self.loops.iter().rev().take_while(|set| !set.contains(&variable)).count();
        let value = self.builder.emit_variable(variable, untouched);
        self.held[variable.0 as usize] = Some(value);
        value
    }

    fn texel(&mut self, results: [Value; 4], operation: TexelOperation) {
        for (old, new) in results.into_iter().zip(self.builder.texel(operation)) {
            self.values[old.0 as usize] = Some(new);
        }
    }

    fn set(&mut self, variable: Variable, value: Value) {
        if self.held[variable.0 as usize] != Some(value) {
            self.builder.set(variable, value);
            self.held[variable.0 as usize] = Some(value);
        }
    }

    fn forget(&mut self, before: Vec<Option<Value>>, set: &FastHashSet<Variable>) {
        self.held = before;
        for variable in set {
            self.held[variable.0 as usize] = None;
        }
    }

    fn branch(&mut self, condition: Value, accept: Vec<Statement>, reject: Vec<Statement>) {
        if let Some(word) = self.builder.constant_of(condition) {
            return self.block(if word != 0 { accept } else { reject });
        }
        if is_choice(&accept, &reject) {
            return self.choose(condition, accept, reject);
        }
        let before = self.held.clone();
        let mut set = FastHashSet::default();
        let mut arms = [accept, reject].map(|arm| {
            // Lanes that leave at the end of an arm are not there behind the branch.
            if !matches!(arm.last(), Some(Statement::Exit { .. })) {
                set.extend(sets(&arm));
            }
            self.held.clone_from(&before);
            self.builder.open(Nest::Arm);
            self.block(arm);
            self.builder.close()
        });
        let [accept, reject] = arms.each_mut().map(std::mem::take);
        self.builder.push(Statement::If { condition, accept, reject });
        self.forget(before, &set);
    }

    /// Computes both arms, and chooses what to set.
    fn choose(&mut self, condition: Value, accept: Vec<Statement>, reject: Vec<Statement>) {
        let set: FastHashSet<Variable> = sets(&accept).into_iter().chain(sets(&reject)).collect();
        let mut variables: Vec<Variable> = set.into_iter().collect();
        variables.sort_unstable();
        let former: Vec<Value> =
            variables.iter().map(|&variable| self.operation(Operation::Variable(variable))).collect();
        let known = self.held.clone();
        let mut chosen = Vec::new();
        for arm in [accept, reject] {
            self.held.clone_from(&known);
            for statement in arm {
                self.compute(statement);
            }
            let values = variables.iter().zip(&former);
            chosen.push(
                values
                    .map(|(variable, &former)| self.held[variable.0 as usize].unwrap_or(former))
                    .collect::<Vec<_>>(),
            );
        }
        self.held = known;
        for (index, variable) in variables.into_iter().enumerate() {
            let choice = Operation::Select(condition, chosen[0][index], chosen[1][index]);
            let value = self.builder.emit(choice);
            self.set(variable, value);
        }
    }

    /// A statement of an arm, without setting anything.
    fn compute(&mut self, statement: Statement) {
        match statement {
            Statement::Let { result, mut operation } => {
                fold::map_operands(&mut operation, |value| self.values[value.0 as usize].unwrap_or(value));
                let value = self.operation(operation);
                self.values[result.0 as usize] = Some(value);
            }
            Statement::Set { variable, value } => {
                self.held[variable.0 as usize] = Some(self.value(value));
            }
            // `is_choice` lets nothing else in.
            _ => {}
        }
    }
}

fn sets(statements: &[Statement]) -> FastHashSet<Variable> {
    let mut set = FastHashSet::default();
    walk(statements, &mut |statement| {
        if let Statement::Set { variable, .. } = statement {
            set.insert(*variable);
        }
    });
    set
}

/// Arms of a few cheap operations that set variables.
fn is_choice(accept: &[Statement], reject: &[Statement]) -> bool {
    let is_cheap = |statement: &Statement| match statement {
        Statement::Set { .. } => true,
        Statement::Let { operation, .. } => match operation {
            Operation::Constant(_)
            | Operation::Variable(_)
            | Operation::Select(..)
            | Operation::FusedMultiplyAdd(..) => true,
            Operation::Unary(unary, _) => is_cheap_unary(*unary),
            Operation::Binary(binary, ..) => is_cheap_binary(*binary),
            _ => false,
        },
        _ => false,
    };
    accept.len() + reject.len() <= CHOICE_MAX && accept.iter().chain(reject).all(is_cheap)
}

fn is_cheap_unary(operation: UnaryOperation) -> bool {
    use UnaryOperation as U;
    matches!(
        operation,
        U::LogicalNot
            | U::BitwiseNot
            | U::NegateS
            | U::NegateF
            | U::AbsS
            | U::AbsF
            | U::FToS
            | U::FToU
            | U::SToF
            | U::UToF
            | U::Floor
            | U::Ceil
            | U::Trunc
    )
}

fn is_cheap_binary(operation: BinaryOperation) -> bool {
    use BinaryOperation as B;
    !matches!(
        operation,
        B::DivideS
            | B::DivideU
            | B::RemainderS
            | B::RemainderU
            | B::DivideF
            | B::RemainderF
            | B::Atan2
            | B::Pow
            | B::Ldexp
    )
}
