//! Values: what an expression's words are.

use naga::{Expression as E, Handle, Literal, ScalarKind};

use super::entry::part_of;
use super::memory::{Index, Place};
use super::shape::{Kind, Layout, Shape};
use super::{Lowered, Lowerer, Refusal, Result, Words};
use crate::shader::lane::{Address, BinaryOperation, Operation, Space, UnaryOperation, Value};

/// Elements that are chosen among by comparing the index with each.
const COMPARED_MAX: u32 = 4;

impl Lowerer<'_> {
    /// Evaluates an expression where it is emitted.
    pub(super) fn evaluate(&mut self, handle: Handle<E>) -> Result<()> {
        let lowered = self.compute(handle)?;
        self.frame.values[handle.index()] = Some(lowered);
        Ok(())
    }

    /// What an expression stands for. One that needs no emitting (a constant, a variable) is looked up where it is used.
    pub(super) fn lowered(&mut self, handle: Handle<E>) -> Result<Lowered> {
        if let Some(known) = &self.frame.values[handle.index()] {
            return Ok(known.clone());
        }
        self.compute(handle)
    }

    pub(super) fn words(&mut self, handle: Handle<E>) -> Result<Words> {
        match self.lowered(handle)? {
            Lowered::Words(words) => Ok(words),
            Lowered::Place(_) | Lowered::Resource(_) => {
                Err(Refusal::unsupported("a pointer or resource as a value"))
            }
        }
    }

    /// A scalar.
    pub(super) fn word(&mut self, handle: Handle<E>) -> Result<Value> {
        let words = self.words(handle)?;
        match words.first() {
            Some(&word) => Ok(word),
            None => Err(Refusal::invalid("a value without words".to_owned())),
        }
    }

    pub(super) fn place(&mut self, handle: Handle<E>) -> Result<Place> {
        match self.lowered(handle)? {
            Lowered::Place(place) => Ok(place),
            Lowered::Words(_) | Lowered::Resource(_) => Err(Refusal::unsupported("a value as a pointer")),
        }
    }

    fn compute(&mut self, handle: Handle<E>) -> Result<Lowered> {
        let span = self.frame.function.expressions.get_span(handle);
        self.check_size()?;
        self.expression(handle).map_err(|refusal| refusal.or_at(span))
    }

    fn expression(&mut self, handle: Handle<E>) -> Result<Lowered> {
        let function = self.frame.function;
        let words = match function.expressions[handle] {
            E::FunctionArgument(index) => return Ok(self.frame.arguments[index as usize].clone()),
            E::GlobalVariable(global) => return self.global(global),
            E::LocalVariable(local) => {
                let place = self.frame.locals[local.index()].clone();
                return place
                    .map(Lowered::Place)
                    .ok_or_else(|| Refusal::invalid("a variable before it is".to_owned()));
            }
            E::Access { base, index } => return self.access(base, index),
            E::AccessIndex { base, index } => return self.access_index(base, index),
            E::Literal(literal) => self.literal(literal)?,
            E::Constant(constant) => self.global_expression(self.module.constants[constant].init)?,
            E::ZeroValue(ty) => {
                let shape = self.shapes.get(ty)?;
                self.zeroes(&shape)?
            }
            E::Compose { ty, ref components } => {
                let shape = self.shapes.get(ty)?;
                self.check_words(&shape)?;
                let mut words = Words::new();
                for &component in components {
                    words.extend(self.words(component)?);
                }
                words
            }
            E::Splat { size, value } => std::iter::repeat_n(self.word(value)?, size as usize).collect(),
            E::Swizzle { size, vector, pattern } => {
                let words = self.words(vector)?;
                pattern[..size as usize].iter().map(|&component| words[component as usize]).collect()
            }
            E::Load { pointer } => {
                let place = self.place(pointer)?;
                self.load(&place)?
            }
            E::ImageSample { .. } => self.image_sample(handle)?,
            E::ImageLoad { image, coordinate, array_index, sample, level } => {
                if sample.is_some() {
                    return Err(Refusal::unsupported("a multisampled texture"));
                }
                self.image_load(image, coordinate, array_index, level)?
            }
            E::ImageQuery { image, query } => self.image_query(image, query)?,
            E::ArrayLength(pointer) => {
                let place = self.place(pointer)?;
                Words::from_slice(&[self.array_length(&place)?])
            }
            ref other => self.arithmetic(handle, other)?,
        };
        Ok(Lowered::Words(words))
    }

    fn arithmetic(&mut self, handle: Handle<E>, expression: &E) -> Result<Words> {
        match *expression {
            E::Unary { op, expr } => self.unary_expression(op, expr),
            E::Binary { op, left, right } => self.binary_expression(op, left, right),
            E::Select { condition, accept, reject } => self.select_expression(condition, accept, reject),
            E::Relational { fun, argument } => self.relational(fun, argument),
            E::Math { fun, arg, arg1, arg2, arg3 } => self.math(handle, fun, [Some(arg), arg1, arg2, arg3]),
            E::As { expr, kind, convert } => self.cast(expr, kind, convert),
            E::CallResult(_) | E::AtomicResult { .. } | E::WorkGroupUniformLoadResult { .. } => {
                Err(Refusal::invalid("a result is used before its statement".to_owned()))
            }
            E::Override(_) => Err(Refusal::invalid("an override constant without a value".to_owned())),
            E::Derivative { .. } => Err(Refusal::unsupported("a derivative")),
            E::SubgroupBallotResult | E::SubgroupOperationResult { .. } => {
                Err(Refusal::unsupported("a subgroup operation"))
            }
            E::CooperativeLoad { .. } | E::CooperativeMultiplyAdd { .. } => {
                Err(Refusal::unsupported("a cooperative matrix"))
            }
            E::RayQueryVertexPositions { .. }
            | E::RayQueryProceedResult
            | E::RayQueryGetIntersection { .. } => Err(Refusal::unsupported("a ray query")),
            // All other expressions are handled by the caller.
            ref other => Err(Refusal::unsupported(format!("the expression {other:?}"))),
        }
    }

    fn global(&mut self, global: Handle<naga::GlobalVariable>) -> Result<Lowered> {
        match self.globals.get(&global) {
            Some(lowered) => Ok(lowered.clone()),
            None => {
                let name = self.module.global_variables[global].name.clone().unwrap_or_default();
                Err(Refusal::unsupported(format!("the variable `{name}` in this way")))
            }
        }
    }

    fn access(&mut self, base: Handle<E>, index: Handle<E>) -> Result<Lowered> {
        let at = self.word(index)?;
        match self.lowered(base)? {
            Lowered::Place(place) => Ok(Lowered::Place(self.part(&place, Index::Dynamic(at))?)),
            Lowered::Words(words) => {
                let shape = self.shape(base)?;
                Ok(Lowered::Words(self.choose(&shape, &words, at)?))
            }
            Lowered::Resource(_) => Err(Refusal::unsupported("a binding array")),
        }
    }

    fn access_index(&mut self, base: Handle<E>, index: u32) -> Result<Lowered> {
        match self.lowered(base)? {
            Lowered::Place(place) => Ok(Lowered::Place(self.part(&place, Index::Constant(index))?)),
            Lowered::Words(words) => {
                let shape = self.shape(base)?;
                Ok(Lowered::Words(part_of(&shape, &words, index)?))
            }
            Lowered::Resource(_) => Err(Refusal::unsupported("a binding array")),
        }
    }

    /// The element of a value at an index known only when running: by comparing, from a table, or through memory.
    fn choose(&mut self, shape: &std::rc::Rc<Shape>, words: &Words, at: Value) -> Result<Words> {
        let Some((element, stride, count)) = shape.elements(Layout::Packed) else {
            return Err(Refusal::invalid("an index into a scalar".to_owned()));
        };
        if let Some(index) = self.builder.constant_of(at) {
            return part_of(shape, words, index.min(count - 1));
        }
        let constants: Option<Vec<u32>> = words.iter().map(|&word| self.builder.constant_of(word)).collect();
        let (space, base) = match constants {
            Some(constants) => (Space::Constant, self.table(constants)),
            None if count <= COMPARED_MAX => return Ok(self.compare_and_choose(&element, words, count, at)),
            None => {
                let allocated = self.allocated();
                let place = self.allocate(shape, true)?;
                self.store(&place, words);
                self.release(allocated);
                (Space::Private, place.base)
            }
        };
        let index = Some(self.scaled(at, stride, count));
        let addresses = (0..element.words).map(|word| Address { space, base: base + word, index });
        Ok(addresses.map(|address| self.builder.emit(Operation::Load(address))).collect())
    }

    fn compare_and_choose(&mut self, element: &Shape, words: &Words, count: u32, at: Value) -> Words {
        let size = element.words as usize;
        let mut chosen: Words = words[words.len() - size..].into();
        for index in (0..count as usize - 1).rev() {
            let number = self.builder.constant(index as u32);
            let here = self.binary(BinaryOperation::Equal, at, number);
            for (word, &candidate) in chosen.iter_mut().zip(&words[index * size..]) {
                *word = self.builder.emit(Operation::Select(here, candidate, *word));
            }
        }
        chosen
    }

    pub(super) fn literal(&mut self, literal: Literal) -> Result<Words> {
        let word = match literal {
            Literal::F32(value) => value.to_bits(),
            Literal::U32(value) => value,
            Literal::I32(value) => value as u32,
            Literal::Bool(value) => u32::from(value),
            // Only in declarations that nothing typed uses; the front end has made the others concrete.
            Literal::AbstractInt(value) => value as u32,
            Literal::AbstractFloat(value) => (value as f32).to_bits(),
            Literal::F64(_) => return Err(Refusal::unsupported("the type f64")),
            Literal::F16(_) => return Err(Refusal::unsupported("the type f16")),
            Literal::U16(_) => return Err(Refusal::unsupported("the type u16")),
            Literal::I16(_) => return Err(Refusal::unsupported("the type i16")),
            Literal::U64(_) => return Err(Refusal::unsupported("the type u64")),
            Literal::I64(_) => return Err(Refusal::unsupported("the type i64")),
        };
        Ok(Words::from_slice(&[self.builder.constant(word)]))
    }

    pub(super) fn zeroes(&mut self, shape: &Shape) -> Result<Words> {
        self.check_words(shape)?;
        let zero = self.builder.constant(0);
        Ok(std::iter::repeat_n(zero, shape.words as usize).collect())
    }

    /// Conversions, and bit casts where `convert` is absent.
    fn cast(&mut self, from: Handle<E>, to: ScalarKind, convert: Option<u8>) -> Result<Words> {
        let words = self.words(from)?;
        let Some(width) = convert else {
            // Both sides have 32 bits: their shapes exist.
            self.shape(from)?;
            return Ok(words);
        };
        let to = super::shape::kind(naga::Scalar { kind: to, width })?;
        let Some(from) = self.shape(from)?.kind() else {
            return Err(Refusal::unsupported("a conversion of an aggregate"));
        };
        Ok(words.into_iter().map(|word| self.convert(word, from, to)).collect())
    }

    fn convert(&mut self, word: Value, from: Kind, to: Kind) -> Value {
        let unary = match (from, to) {
            (Kind::Float, Kind::Signed) => UnaryOperation::FToS,
            (Kind::Float, Kind::Unsigned) => UnaryOperation::FToU,
            (Kind::Signed, Kind::Float) => UnaryOperation::SToF,
            (Kind::Unsigned | Kind::Bool, Kind::Float) => UnaryOperation::UToF,
            (Kind::Float, Kind::Bool) => {
                let zero = self.builder.constant(0);
                return self.binary(BinaryOperation::NotEqualF, word, zero);
            }
            (Kind::Signed | Kind::Unsigned, Kind::Bool) => {
                let zero = self.builder.constant(0);
                return self.binary(BinaryOperation::NotEqual, word, zero);
            }
            (Kind::Float, Kind::Float)
            | (Kind::Bool, Kind::Bool)
            | (Kind::Signed | Kind::Unsigned | Kind::Bool, Kind::Signed | Kind::Unsigned) => return word,
        };
        self.unary(unary, word)
    }

    pub(super) fn unary(&mut self, operation: UnaryOperation, word: Value) -> Value {
        self.builder.emit(Operation::Unary(operation, word))
    }
}
