//! Places: where a pointer points, and how words are read and written there.
//!
//! Bounds: an index into anything of fixed size is clamped to it here, hence stays inside the object whatever its value. An index into
//! a runtime array is only kept from wrapping; the back end compares it with the real length.

use std::rc::Rc;

use super::shape::{Form, Layout, Shape};
use super::{Lowerer, Refusal, Result, VALUE_WORDS_MAX, Words};
use crate::shader::builder::Nest;
use crate::shader::lane::{
    Address, AtomicOperation, BinaryOperation, Operation, Space, Statement, Value, Variable,
};

/// What a pointer points at.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) root: Root,
    /// Words from the root, or variables after the first.
    pub(super) base: u32,
    pub(super) index: Option<Value>,
    pub(super) shape: Rc<Shape>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// A word each.
    Variables(Variable),
    Memory(Space),
}

/// The part of an aggregate that is chosen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Index {
    Constant(u32),
    Dynamic(Value),
}

/// Private memory grows with calls and shrinks with returns.
#[derive(Debug, Default)]
pub(super) struct Private {
    next: u32,
    pub(super) high: u32,
}

/// Variables of more words lie in memory even when all their indices are constants.
const VARIABLES_MAX: u32 = 64;

/// Objects of more words are zeroed by a loop.
const UNROLLED_MAX: u32 = 16;

/// Most words of private memory: with 1024 lanes, 64 MiB a thread.
const PRIVATE_WORDS_MAX: u32 = 1 << 14;

impl Place {
    pub(super) fn new(root: Root, base: u32, shape: Rc<Shape>) -> Self {
        Self { root, base, index: None, shape }
    }

    pub(super) fn is_atomic(&self) -> bool {
        matches!(self.shape.form, Form::Atomic(_))
    }

    fn layout(&self) -> Layout {
        match self.root {
            Root::Variables(_) => Layout::Packed,
            Root::Memory(space) => Layout::of(space),
        }
    }

    /// Offsets of its words from its base.
    fn offsets(&self) -> Vec<u32> {
        let mut offsets = Vec::with_capacity(self.shape.words as usize);
        self.shape.offsets(self.layout(), 0, &mut offsets);
        offsets
    }
}

impl Lowerer<'_> {
    /// Memory for a variable; `dynamic` where an index is known only when running.
    pub(super) fn allocate(&mut self, shape: &Rc<Shape>, dynamic: bool) -> Result<Place> {
        if !dynamic && shape.words <= VARIABLES_MAX {
            let first = self.builder.variables(shape.words);
            return Ok(Place::new(Root::Variables(first), 0, Rc::clone(shape)));
        }
        let base = self.private.next;
        self.private.next = base.saturating_add(shape.words);
        self.private.high = self.private.high.max(self.private.next);
        if self.private.high > PRIVATE_WORDS_MAX {
            let bytes = u64::from(self.private.high) * 4;
            return Err(Refusal::too_large(format!("{bytes} bytes of variables in each invocation")));
        }
        Ok(Place::new(Root::Memory(Space::Private), base, Rc::clone(shape)))
    }

    /// Whether private memory given out now has never been written: it is zero then.
    pub(super) fn is_fresh(&self) -> bool {
        self.loops == 0 && self.private.next >= self.private.high
    }

    /// How much private memory is in use: give it to [`Self::release`] when the function returns.
    pub(super) fn allocated(&self) -> u32 {
        self.private.next
    }

    pub(super) fn release(&mut self, allocated: u32) {
        self.private.next = allocated;
    }

    /// A part of what a place holds.
    pub(super) fn part(&mut self, place: &Place, index: Index) -> Result<Place> {
        let index = match index {
            Index::Dynamic(value) => self.builder.constant_of(value).map_or(index, Index::Constant),
            Index::Constant(_) => index,
        };
        let too_far = || Refusal::too_large("an offset of more than 32 bits");
        match index {
            Index::Constant(index) => {
                let (shape, offset) = place.shape.part(index, place.layout()).ok_or_else(too_far)?;
                let base = place.base.checked_add(offset).ok_or_else(too_far)?;
                Ok(Place { base, shape, ..place.clone() })
            }
            Index::Dynamic(index) => {
                if let Root::Variables(_) = place.root {
                    // `usage` has sent every variable that is indexed so to memory.
                    return Err(Refusal::unsupported("a dynamic index here"));
                }
                let elements = place.shape.elements(place.layout());
                let (shape, stride, count) = elements.ok_or_else(too_far)?;
                let offset = self.scaled(index, stride, count);
                let index = match place.index {
                    Some(before) => self.binary(BinaryOperation::Add, before, offset),
                    None => offset,
                };
                Ok(Place { index: Some(index), shape, ..place.clone() })
            }
        }
    }

    /// An index in words, inside of `count` elements; 0: unlimited, and merely not wrapping.
    pub(super) fn scaled(&mut self, index: Value, stride: u32, count: u32) -> Value {
        let limit = match count {
            0 if stride <= 1 => u32::MAX,
            0 => u32::MAX / stride - 1,
            count => count - 1,
        };
        let limit = self.builder.constant(limit);
        let clamped = self.binary(BinaryOperation::MinU, index, limit);
        let stride = self.builder.constant(stride);
        self.binary(BinaryOperation::Multiply, clamped, stride)
    }

    /// All words of a place.
    pub(super) fn load(&mut self, place: &Place) -> Result<Words> {
        self.check_words(&place.shape)?;
        self.note(place, true, false, place.is_atomic());
        let mut words = Words::new();
        for offset in place.offsets() {
            let word = match place.root {
                Root::Variables(first) => {
                    let variable = Variable(first.0 + place.base + offset);
                    self.builder.emit(Operation::Variable(variable))
                }
                Root::Memory(space) => {
                    let address =
                        Address { space, base: place.base.saturating_add(offset), index: place.index };
                    if place.is_atomic() {
                        self.builder.atomic(address, AtomicOperation::Load)
                    } else {
                        self.builder.emit(Operation::Load(address))
                    }
                }
            };
            words.push(word);
        }
        Ok(words)
    }

    /// Replaces all words of a place.
    pub(super) fn store(&mut self, place: &Place, words: &[Value]) {
        self.note(place, false, true, place.is_atomic());
        for (offset, &value) in place.offsets().into_iter().zip(words) {
            match place.root {
                Root::Variables(first) => self.builder.set(Variable(first.0 + place.base + offset), value),
                Root::Memory(space) => {
                    let address =
                        Address { space, base: place.base.saturating_add(offset), index: place.index };
                    self.builder.push(if place.is_atomic() {
                        Statement::Atomic { result: None, address, operation: AtomicOperation::Store(value) }
                    } else {
                        Statement::Store { address, value }
                    });
                }
            }
        }
    }

    /// Zeroes a place.
    pub(super) fn zero(&mut self, place: &Place) -> Result<()> {
        let zero = self.builder.constant(0);
        let Root::Memory(space @ (Space::Private | Space::Workgroup)) = place.root else {
            self.check_words(&place.shape)?;
            self.store(place, &vec![zero; place.shape.words as usize]);
            return Ok(());
        };
        if place.shape.words <= UNROLLED_MAX {
            self.store(place, &vec![zero; place.shape.words as usize]);
            return Ok(());
        }
        let counter = self.builder.variables(1);
        let exit = self.builder.label();
        let (one, words) = (self.builder.constant(1), self.builder.constant(place.shape.words));
        self.builder.set(counter, zero);
        self.builder.open(Nest::Block);
        self.builder.open(Nest::Loop);
        let at = self.builder.emit(Operation::Variable(counter));
        let done = self.binary(BinaryOperation::LessEqualU, words, at);
        self.builder.when(done, |builder| builder.push(Statement::Exit { label: exit }));
        let index = match place.index {
            Some(index) => self.binary(BinaryOperation::Add, index, at),
            None => at,
        };
        let address = Address { space, base: place.base, index: Some(index) };
        self.builder.push(Statement::Store { address, value: zero });
        let next = self.binary(BinaryOperation::Add, at, one);
        self.builder.set(counter, next);
        let body = self.builder.close();
        self.builder.push(Statement::Loop { body });
        let body = self.builder.close();
        self.builder.push(Statement::Block { label: exit, body });
        Ok(())
    }

    /// The address of a word that an atomic operation works on.
    pub(super) fn atomic_address(&mut self, place: &Place) -> Result<Address> {
        match place.root {
            Root::Memory(space @ (Space::Buffer(_) | Space::Workgroup)) => {
                self.note(place, true, true, true);
                Ok(Address { space, base: place.base, index: place.index })
            }
            Root::Memory(Space::Private | Space::Constant) | Root::Variables(_) => {
                Err(Refusal::unsupported("an atomic operation outside of buffers and workgroup memory"))
            }
        }
    }

    /// Elements of the runtime array at a place.
    pub(super) fn array_length(&mut self, place: &Place) -> Result<Value> {
        let (Root::Memory(Space::Buffer(binding)), Some((_, stride, 0))) =
            (place.root, place.shape.elements(place.layout()))
        else {
            return Err(Refusal::unsupported("the length of something else than a runtime array"));
        };
        let words = self.builder.emit(Operation::BufferWords(binding));
        let base = self.builder.constant(place.base);
        let stride = self.builder.constant(stride);
        let rest = self.binary(BinaryOperation::Subtract, words, base);
        Ok(self.binary(BinaryOperation::DivideU, rest, stride))
    }

    /// Words of a read-only table, put into the kernel once.
    pub(super) fn table(&mut self, words: Vec<u32>) -> u32 {
        if let Some(&at) = self.tables.get(&words) {
            return at;
        }
        let at = self.constants.len() as u32;
        self.constants.extend_from_slice(&words);
        self.tables.insert(words, at);
        at
    }

    /// Refuses values of too many words.
    pub(super) fn check_words(&self, shape: &Shape) -> Result<()> {
        self.check_size()?;
        if shape.words <= VALUE_WORDS_MAX {
            return Ok(());
        }
        Err(Refusal::too_large(format!("a value of {} words", shape.words)))
    }

    /// Notes how a bound buffer is used.
    fn note(&mut self, place: &Place, reads: bool, writes: bool, atomic: bool) {
        if let Root::Memory(Space::Buffer(binding)) = place.root {
            let binding = &mut self.bindings[binding as usize];
            binding.reads |= reads;
            binding.writes |= writes;
            binding.atomic_only &= atomic;
        }
    }

    pub(super) fn binary(&mut self, operation: BinaryOperation, a: Value, b: Value) -> Value {
        self.builder.emit(Operation::Binary(operation, a, b))
    }
}
