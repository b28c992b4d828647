//! Operators: component by component, but for products of matrices.

use naga::{BinaryOperator, Expression, Handle, RelationalFunction, UnaryOperator};

use super::shape::{Form, Kind};
use super::{Lowerer, Refusal, Result, Words};
use crate::shader::lane::{BinaryOperation as B, Operation, UnaryOperation as U, Value};

impl Lowerer<'_> {
    pub(super) fn unary_expression(
        &mut self,
        operator: UnaryOperator,
        operand: Handle<Expression>,
    ) -> Result<Words> {
        let words = self.words(operand)?;
        let kind = self.shape(operand)?.kind();
        let operation = match (operator, kind) {
            (UnaryOperator::Negate, Some(Kind::Float)) => U::NegateF,
            (UnaryOperator::Negate, _) => U::NegateS,
            (UnaryOperator::LogicalNot, _) => U::LogicalNot,
            (UnaryOperator::BitwiseNot, _) => U::BitwiseNot,
        };
        Ok(words.into_iter().map(|word| self.unary(operation, word)).collect())
    }

    pub(super) fn binary_expression(
        &mut self,
        operator: BinaryOperator,
        left: Handle<Expression>,
        right: Handle<Expression>,
    ) -> Result<Words> {
        let (a, b) = (self.words(left)?, self.words(right)?);
        let (left, right) = (self.shape(left)?, self.shape(right)?);
        if operator == BinaryOperator::Multiply {
            match (&left.form, &right.form) {
                (Form::Matrix { column, .. }, Form::Vector { .. } | Form::Matrix { .. }) => {
                    return Ok(self.matrix_product(&a, &b, column.words as usize));
                }
                (Form::Vector { .. }, Form::Matrix { .. }) => return Ok(self.vector_matrix_product(&a, &b)),
                _ => {}
            }
        }
        let Some(kind) = left.kind() else {
            return Err(Refusal::unsupported("an operator on aggregates"));
        };
        let operation = component_operation(operator, kind);
        Ok(self.components(&a, &b, |lowerer, a, b| match operation {
            Component::Plain(operation) => lowerer.binary(operation, a, b),
            Component::Swapped(operation) => lowerer.binary(operation, b, a),
        }))
    }

    /// Pairs components; a scalar goes with each of the other's.
    pub(super) fn components(
        &mut self,
        a: &[Value],
        b: &[Value],
        mut with: impl FnMut(&mut Self, Value, Value) -> Value,
    ) -> Words {
        let count = a.len().max(b.len());
        let of = |words: &[Value], index: usize| if words.len() == 1 { words[0] } else { words[index] };
        (0..count).map(|index| with(self, of(a, index), of(b, index))).collect()
    }

    pub(super) fn zip(&mut self, operation: B, a: &[Value], b: &[Value]) -> Words {
        self.components(a, b, |lowerer, a, b| lowerer.binary(operation, a, b))
    }

    pub(super) fn select_expression(
        &mut self,
        condition: Handle<Expression>,
        accept: Handle<Expression>,
        reject: Handle<Expression>,
    ) -> Result<Words> {
        let condition = self.words(condition)?;
        let (accept, reject) = (self.words(accept)?, self.words(reject)?);
        let pairs = accept.into_iter().zip(reject).enumerate();
        Ok(pairs
            .map(|(index, (accept, reject))| {
                let condition = if condition.len() == 1 { condition[0] } else { condition[index] };
                self.select(condition, accept, reject)
            })
            .collect())
    }

    pub(super) fn select(&mut self, condition: Value, accept: Value, reject: Value) -> Value {
        self.builder.emit(Operation::Select(condition, accept, reject))
    }

    pub(super) fn relational(
        &mut self,
        function: RelationalFunction,
        argument: Handle<Expression>,
    ) -> Result<Words> {
        let words = self.words(argument)?;
        Ok(match function {
            RelationalFunction::All => self.reduce(B::And, &words),
            RelationalFunction::Any => self.reduce(B::Or, &words),
            RelationalFunction::IsNan => {
                words.iter().map(|&word| self.binary(B::NotEqualF, word, word)).collect()
            }
            RelationalFunction::IsInf => {
                let infinity = self.float(f32::INFINITY);
                words
                    .iter()
                    .map(|&word| {
                        let size = self.unary(U::AbsF, word);
                        self.binary(B::EqualF, size, infinity)
                    })
                    .collect()
            }
        })
    }

    /// Folds components into one, from the first to the last.
    fn reduce(&mut self, operation: B, words: &[Value]) -> Words {
        let folded = words.iter().copied().reduce(|a, b| self.binary(operation, a, b));
        folded.into_iter().collect()
    }

    pub(super) fn float(&mut self, value: f32) -> Value {
        self.builder.constant(value.to_bits())
    }
}

/// An operation, and whether it takes its operands the other way round.
#[derive(Clone, Copy)]
enum Component {
    Plain(B),
    Swapped(B),
}

fn component_operation(operator: BinaryOperator, kind: Kind) -> Component {
    use BinaryOperator as O;
    use Component::{Plain, Swapped};
    let by_kind = |signed, unsigned, float| match kind {
        Kind::Signed => signed,
        Kind::Unsigned | Kind::Bool => unsigned,
        Kind::Float => float,
    };
    match operator {
        O::Add => Plain(by_kind(B::Add, B::Add, B::AddF)),
        O::Subtract => Plain(by_kind(B::Subtract, B::Subtract, B::SubtractF)),
        O::Multiply => Plain(by_kind(B::Multiply, B::Multiply, B::MultiplyF)),
        O::Divide => Plain(by_kind(B::DivideS, B::DivideU, B::DivideF)),
        O::Modulo => Plain(by_kind(B::RemainderS, B::RemainderU, B::RemainderF)),
        O::Equal => Plain(by_kind(B::Equal, B::Equal, B::EqualF)),
        O::NotEqual => Plain(by_kind(B::NotEqual, B::NotEqual, B::NotEqualF)),
        O::Less => Plain(by_kind(B::LessS, B::LessU, B::LessF)),
        O::LessEqual => Plain(by_kind(B::LessEqualS, B::LessEqualU, B::LessEqualF)),
        O::Greater => Swapped(by_kind(B::LessS, B::LessU, B::LessF)),
        O::GreaterEqual => Swapped(by_kind(B::LessEqualS, B::LessEqualU, B::LessEqualF)),
        O::And | O::LogicalAnd => Plain(B::And),
        O::InclusiveOr | O::LogicalOr => Plain(B::Or),
        O::ExclusiveOr => Plain(B::ExclusiveOr),
        O::ShiftLeft => Plain(B::ShiftLeft),
        O::ShiftRight => Plain(by_kind(B::ShiftRightS, B::ShiftRightU, B::ShiftRightU)),
    }
}
