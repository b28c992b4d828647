//! Control flow, stores and atomics.

use naga::{AtomicFunction, Block, Expression, Handle, Statement as S, SwitchCase, SwitchValue};

use super::shape::Kind;
use super::{Lowered, Lowerer, Refusal, Result, Words};
use crate::shader::builder::Nest;
use crate::shader::lane::{AtomicOperation, BinaryOperation, Label, Statement, Value};

impl Lowerer<'_> {
    pub(super) fn block(&mut self, block: &Block) -> Result<()> {
        for (statement, &span) in block.span_iter() {
            self.statement(statement).map_err(|refusal| refusal.or_at(span))?;
        }
        Ok(())
    }

    fn statement(&mut self, statement: &S) -> Result<()> {
        self.check_size()?;
        match *statement {
            S::Emit(ref range) => range.clone().try_for_each(|expression| self.evaluate(expression)),
            S::Block(ref block) => self.block(block),
            S::If { condition, ref accept, ref reject } => self.branch(condition, accept, reject),
            S::Switch { selector, ref cases } => self.switch(selector, cases),
            S::Loop { ref body, ref continuing, break_if } => self.repeat(body, continuing, break_if),
            S::Break => self.leave(self.frame.exit),
            S::Continue => self.leave(self.frame.next),
            S::Return { value } => self.give_back(value),
            S::ControlBarrier(_) => {
                self.builder.push(Statement::Barrier);
                Ok(())
            }
            S::MemoryBarrier(_) => {
                self.builder.push(Statement::Fence);
                Ok(())
            }
            S::Store { pointer, value } => self.assign(pointer, value),
            S::ImageStore { image, coordinate, array_index, value } => {
                self.image_store(image, coordinate, array_index, value)
            }
            S::Atomic { pointer, fun, value, result } => self.atomic(pointer, fun, value, result),
            S::WorkGroupUniformLoad { pointer, result } => {
                let place = self.place(pointer)?;
                self.builder.push(Statement::Barrier);
                let words = self.load(&place)?;
                self.builder.push(Statement::Barrier);
                self.frame.values[result.index()] = Some(Lowered::Words(words));
                Ok(())
            }
            S::Call { function, ref arguments, result } => self.call(function, arguments, result),
            S::Kill => Err(Refusal::unsupported("`discard`")),
            S::ImageAtomic { .. } => Err(Refusal::unsupported("an atomic operation on a texture")),
            S::RayQuery { .. } => Err(Refusal::unsupported("a ray query")),
            S::RayPipelineFunction(_) => Err(Refusal::unsupported("a ray tracing pipeline")),
            S::SubgroupBallot { .. } | S::SubgroupGather { .. } | S::SubgroupCollectiveOperation { .. } => {
                Err(Refusal::unsupported("a subgroup operation"))
            }
            S::CooperativeStore { .. } => Err(Refusal::unsupported("a cooperative matrix")),
        }
    }

    fn leave(&mut self, label: Option<Label>) -> Result<()> {
        let Some(label) = label else {
            return Err(Refusal::invalid("`break` or `continue` outside of a loop".to_owned()));
        };
        self.builder.push(Statement::Exit { label });
        Ok(())
    }

    fn give_back(&mut self, value: Option<Handle<Expression>>) -> Result<()> {
        if let (Some(value), Some(place)) = (value, self.frame.result.clone()) {
            let words = self.words(value)?;
            self.store(&place, &words);
        }
        self.builder.push(Statement::Exit { label: self.frame.leave });
        Ok(())
    }

    fn branch(&mut self, condition: Handle<Expression>, accept: &Block, reject: &Block) -> Result<()> {
        let condition = self.word(condition)?;
        self.builder.open(Nest::Arm);
        self.block(accept)?;
        let accept = self.builder.close();
        self.builder.open(Nest::Arm);
        self.block(reject)?;
        let reject = self.builder.close();
        self.builder.push(Statement::If { condition, accept, reject });
        Ok(())
    }

    /// One block around all cases; a case that is done leaves it. Hence cases stand side by side however many there are.
    fn switch(&mut self, selector: Handle<Expression>, cases: &[SwitchCase]) -> Result<()> {
        let selector = self.word(selector)?;
        let exit = self.builder.label();
        let outer = self.frame.exit.replace(exit);
        self.builder.open(Nest::Block);
        let mut default = None;
        let mut start = 0;
        while start < cases.len() {
            // Empty cases that fall through share the body after them.
            let mut end = start;
            while end + 1 < cases.len() && cases[end].fall_through && cases[end].body.is_empty() {
                end += 1;
            }
            if cases[start..=end].iter().any(|case| case.value == SwitchValue::Default) {
                default = Some(end);
            } else {
                self.case(selector, &cases[start..=end], &cases[end..], exit)?;
            }
            start = end + 1;
        }
        if let Some(first) = default {
            self.case_body(&cases[first..])?;
        }
        let body = self.builder.close();
        self.builder.push(Statement::Block { label: exit, body });
        self.frame.exit = outer;
        Ok(())
    }

    fn case(
        &mut self,
        selector: Value,
        values: &[SwitchCase],
        rest: &[SwitchCase],
        exit: Label,
    ) -> Result<()> {
        let mut condition = self.builder.constant(0);
        for case in values {
            let word = match case.value {
                SwitchValue::I32(value) => value as u32,
                SwitchValue::U32(value) => value,
                SwitchValue::Default => continue,
            };
            let word = self.builder.constant(word);
            let equal = self.binary(BinaryOperation::Equal, selector, word);
            condition = self.binary(BinaryOperation::Or, equal, condition);
        }
        self.builder.open(Nest::Arm);
        self.case_body(rest)?;
        self.builder.push(Statement::Exit { label: exit });
        let accept = self.builder.close();
        self.builder.push(Statement::If { condition, accept, reject: Vec::new() });
        Ok(())
    }

    /// The first case's body, and those it falls into.
    fn case_body(&mut self, cases: &[SwitchCase]) -> Result<()> {
        for case in cases {
            self.block(&case.body)?;
            if !case.fall_through {
                break;
            }
        }
        Ok(())
    }

    fn repeat(
        &mut self,
        body: &Block,
        continuing: &Block,
        break_if: Option<Handle<Expression>>,
    ) -> Result<()> {
        let (exit, next) = (self.builder.label(), self.builder.label());
        let outer_exit = self.frame.exit.replace(exit);
        let outer_next = self.frame.next.replace(next);
        self.loops += 1;
        self.builder.open(Nest::Block);
        self.builder.open(Nest::Loop);
        self.builder.open(Nest::Block);
        self.block(body)?;
        let body = self.builder.close();
        self.builder.push(Statement::Block { label: next, body });
        self.block(continuing)?;
        if let Some(condition) = break_if {
            let condition = self.word(condition)?;
            self.builder.when(condition, |builder| builder.push(Statement::Exit { label: exit }));
        }
        let body = self.builder.close();
        self.builder.push(Statement::Loop { body });
        let body = self.builder.close();
        self.builder.push(Statement::Block { label: exit, body });
        self.loops -= 1;
        self.frame.exit = outer_exit;
        self.frame.next = outer_next;
        Ok(())
    }

    fn assign(&mut self, pointer: Handle<Expression>, value: Handle<Expression>) -> Result<()> {
        let place = self.place(pointer)?;
        if let Expression::ZeroValue(_) = self.frame.function.expressions[value] {
            return self.zero(&place);
        }
        let words = self.words(value)?;
        self.store(&place, &words);
        Ok(())
    }

    fn atomic(
        &mut self,
        pointer: Handle<Expression>,
        function: AtomicFunction,
        value: Handle<Expression>,
        result: Option<Handle<Expression>>,
    ) -> Result<()> {
        let place = self.place(pointer)?;
        let address = self.atomic_address(&place)?;
        let signed = place.shape.kind() == Some(Kind::Signed);
        let value = self.word(value)?;
        let mut expected = None;
        let operation = match function {
            AtomicFunction::Add => AtomicOperation::Add(value),
            AtomicFunction::Subtract => AtomicOperation::Subtract(value),
            AtomicFunction::And => AtomicOperation::And(value),
            AtomicFunction::InclusiveOr => AtomicOperation::Or(value),
            AtomicFunction::ExclusiveOr => AtomicOperation::ExclusiveOr(value),
            AtomicFunction::Min if signed => AtomicOperation::SignedMin(value),
            AtomicFunction::Min => AtomicOperation::UnsignedMin(value),
            AtomicFunction::Max if signed => AtomicOperation::SignedMax(value),
            AtomicFunction::Max => AtomicOperation::UnsignedMax(value),
            AtomicFunction::Exchange { compare: None } => AtomicOperation::Exchange(value),
            AtomicFunction::Exchange { compare: Some(compare) } => {
                let compare = self.word(compare)?;
                expected = Some(compare);
                AtomicOperation::CompareExchange { expected: compare, desired: value }
            }
        };
        let Some(result) = result else {
            self.builder.push(Statement::Atomic { result: None, address, operation });
            return Ok(());
        };
        let former = self.builder.atomic(address, operation);
        let mut words = Words::from_slice(&[former]);
        if let Some(expected) = expected {
            words.push(self.binary(BinaryOperation::Equal, former, expected));
        }
        self.frame.values[result.index()] = Some(Lowered::Words(words));
        Ok(())
    }
}
