//! Types as words: how many a value takes, and where each lies in memory.
//!
//! Buffers are laid out as the host sees them, with WGSL's strides and padding. All other memory is the kernel's own and *packed*: the
//! words of a value follow each other. A value is always the list of its words in packed order; loads and stores translate.

use std::rc::Rc;

use naga::proc::IndexableLength;
use naga::{Handle, Scalar, ScalarKind, Type, TypeInner};

use super::{Refusal, Result};
use crate::shader::lane::Space;

/// What a word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Signed,
    Unsigned,
    Float,
    Bool,
}

/// A type.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) form: Form,
    /// Words of a value; of a runtime array: 0.
    pub(super) words: u32,
}

#[derive(Debug)]
pub(super) enum Form {
    Scalar(Kind),
    Atomic(Kind),
    /// Elements of the scalar shape.
    Vector {
        element: Rc<Shape>,
        count: u32,
    },
    Matrix {
        column: Rc<Shape>,
        columns: u32,
    },
    /// Length 0: a runtime array. The stride is the host's, in words.
    Array {
        element: Rc<Shape>,
        length: u32,
        stride: u32,
    },
    /// Members with the host's offsets in words; the host's size in words.
    Struct {
        members: Vec<(Rc<Shape>, u32)>,
        span: u32,
    },
}

/// Where parts of a value lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Host,
    Packed,
}

impl Layout {
    pub(super) fn of(space: Space) -> Self {
        match space {
            Space::Buffer(_) => Self::Host,
            Space::Workgroup | Space::Private | Space::Constant => Self::Packed,
        }
    }
}

impl Shape {
    fn scalar(kind: Kind) -> Rc<Self> {
        Rc::new(Self { form: Form::Scalar(kind), words: 1 })
    }

    fn vector(kind: Kind, count: u32) -> Rc<Self> {
        Rc::new(Self { form: Form::Vector { element: Self::scalar(kind), count }, words: count })
    }

    /// The meaning of the words of a scalar, vector or matrix.
    pub(super) fn kind(&self) -> Option<Kind> {
        match &self.form {
            Form::Scalar(kind) | Form::Atomic(kind) => Some(*kind),
            Form::Vector { element, .. } => element.kind(),
            Form::Matrix { column, .. } => column.kind(),
            Form::Array { .. } | Form::Struct { .. } => None,
        }
    }

    /// What `[index]` and `.member` choose from: the element, the words between elements, and how many there are (0: unlimited).
    pub(super) fn elements(&self, layout: Layout) -> Option<(Rc<Self>, u32, u32)> {
        match &self.form {
            Form::Vector { element, count } => Some((Rc::clone(element), 1, *count)),
            Form::Matrix { column, columns } => {
                let stride = match layout {
                    // Columns are aligned like vectors: three words take four.
                    Layout::Host => column.words.next_power_of_two(),
                    Layout::Packed => column.words,
                };
                Some((Rc::clone(column), stride, *columns))
            }
            Form::Array { element, length, stride } => {
                let stride = if layout == Layout::Host { *stride } else { element.words };
                Some((Rc::clone(element), stride, *length))
            }
            Form::Scalar(_) | Form::Atomic(_) | Form::Struct { .. } => None,
        }
    }

    /// The shape and offset of a part.
    pub(super) fn part(&self, index: u32, layout: Layout) -> Option<(Rc<Self>, u32)> {
        if let Form::Struct { members, .. } = &self.form {
            let (member, offset) = members.get(index as usize)?;
            return Some(match layout {
                Layout::Host => (Rc::clone(member), *offset),
                Layout::Packed => (
                    Rc::clone(member),
                    members[..index as usize].iter().map(|(before, _)| before.words).sum(),
                ),
            });
        }
        let (element, stride, count) = self.elements(layout)?;
        let index = if count == 0 { index } else { index.min(count - 1) };
        Some((element, index.checked_mul(stride)?))
    }

    /// Offsets of all words of a value, in packed order.
    pub(super) fn offsets(&self, layout: Layout, base: u32, out: &mut Vec<u32>) {
        match &self.form {
            Form::Scalar(_) | Form::Atomic(_) => out.push(base),
            Form::Struct { members, .. } => {
                for index in 0..members.len() as u32 {
                    if let Some((member, offset)) = self.part(index, layout) {
                        member.offsets(layout, base + offset, out);
                    }
                }
            }
            Form::Vector { .. } | Form::Matrix { .. } | Form::Array { .. } => {
                if let Some((element, stride, count)) = self.elements(layout) {
                    for index in 0..count {
                        element.offsets(layout, base + index * stride, out);
                    }
                }
            }
        }
    }

    /// Words that the host sees; of a runtime array: with one element.
    pub(super) fn host_words(&self) -> u32 {
        match &self.form {
            Form::Scalar(_) | Form::Atomic(_) | Form::Vector { .. } => self.words,
            Form::Matrix { column, columns } => column.words.next_power_of_two() * columns,
            Form::Array { length, stride, .. } => stride * (*length).max(1),
            Form::Struct { members, span } => match members.last() {
                Some((last, offset)) if matches!(last.form, Form::Array { length: 0, .. }) => {
                    offset + last.host_words()
                }
                _ => *span,
            },
        }
    }
}

/// Shapes of a module's types.
#[derive(Debug)]
pub(super) struct Shapes<'m> {
    module: &'m naga::Module,
    known: Vec<Option<Rc<Shape>>>,
}

/// No value or memory object may be larger, in words.
const WORDS_MAX: u32 = 1 << 28;

impl<'m> Shapes<'m> {
    pub(super) fn new(module: &'m naga::Module) -> Self {
        Self { module, known: vec![None; module.types.len()] }
    }

    pub(super) fn get(&mut self, ty: Handle<Type>) -> Result<Rc<Shape>> {
        if let Some(known) = &self.known[ty.index()] {
            return Ok(Rc::clone(known));
        }
        let module = self.module;
        let shape =
            self.of(&module.types[ty].inner).map_err(|refusal| refusal.or_at(module.types.get_span(ty)))?;
        self.known[ty.index()] = Some(Rc::clone(&shape));
        Ok(shape)
    }

    pub(super) fn of(&mut self, inner: &TypeInner) -> Result<Rc<Shape>> {
        Ok(match *inner {
            TypeInner::Scalar(scalar) => Shape::scalar(kind(scalar)?),
            TypeInner::Atomic(scalar) => {
                let kind = kind(scalar)?;
                if kind == Kind::Float {
                    return Err(Refusal::unsupported("an atomic f32"));
                }
                Rc::new(Shape { form: Form::Atomic(kind), words: 1 })
            }
            TypeInner::Vector { size, scalar } => Shape::vector(kind(scalar)?, size as u32),
            TypeInner::Matrix { columns, rows, scalar } => {
                let column = Shape::vector(kind(scalar)?, rows as u32);
                let columns = columns as u32;
                Rc::new(Shape { words: column.words * columns, form: Form::Matrix { column, columns } })
            }
            TypeInner::Array { base, size, stride } => self.array(base, size, stride)?,
            TypeInner::Struct { ref members, span } => self.structure(members, span)?,
            // What a pointer points at; the pointer itself never is a value.
            TypeInner::Pointer { base, .. } => self.get(base)?,
            TypeInner::ValuePointer { size, scalar, .. } => match size {
                Some(size) => Shape::vector(kind(scalar)?, size as u32),
                None => Shape::scalar(kind(scalar)?),
            },
            TypeInner::CooperativeMatrix { .. } => return Err(Refusal::unsupported("a cooperative matrix")),
            TypeInner::AccelerationStructure { .. } | TypeInner::RayQuery { .. } => {
                return Err(Refusal::unsupported("a ray query"));
            }
            TypeInner::BindingArray { .. } => return Err(Refusal::unsupported("a binding array")),
            TypeInner::Image { .. } | TypeInner::Sampler { .. } => {
                return Err(Refusal::unsupported("a texture or sampler as a value"));
            }
        })
    }

    fn array(&mut self, base: Handle<Type>, size: naga::ArraySize, stride: u32) -> Result<Rc<Shape>> {
        let element = self.get(base)?;
        let length = match size.resolve(self.module.to_ctx()) {
            Ok(IndexableLength::Known(length)) => length,
            Ok(IndexableLength::Dynamic) => 0,
            Err(error) => return Err(Refusal::invalid(error.to_string())),
        };
        let stride = words(stride)?;
        let words = u64::from(element.words.max(stride)) * u64::from(length);
        if words > u64::from(WORDS_MAX) {
            return Err(Refusal::too_large(format!("an array of {words} words")));
        }
        Ok(Rc::new(Shape { words: element.words * length, form: Form::Array { element, length, stride } }))
    }

    fn structure(&mut self, members: &[naga::StructMember], span: u32) -> Result<Rc<Shape>> {
        let mut parts = Vec::with_capacity(members.len());
        let mut total = 0u32;
        for member in members {
            let shape = self.get(member.ty)?;
            total = total.saturating_add(shape.words);
            parts.push((shape, words(member.offset)?));
        }
        if total > WORDS_MAX {
            return Err(Refusal::too_large(format!("a structure of {total} words")));
        }
        Ok(Rc::new(Shape { words: total, form: Form::Struct { members: parts, span: span.div_ceil(4) } }))
    }
}

/// The meaning of a scalar; other widths than 32 bits are refused.
pub(super) fn kind(scalar: Scalar) -> Result<Kind> {
    let (kind, letter) = match scalar.kind {
        ScalarKind::Sint | ScalarKind::AbstractInt => (Kind::Signed, 'i'),
        ScalarKind::Uint => (Kind::Unsigned, 'u'),
        ScalarKind::Float | ScalarKind::AbstractFloat => (Kind::Float, 'f'),
        ScalarKind::Bool => return Ok(Kind::Bool),
    };
    let is_abstract = matches!(scalar.kind, ScalarKind::AbstractInt | ScalarKind::AbstractFloat);
    if scalar.width == 4 || is_abstract {
        return Ok(kind);
    }
    Err(Refusal::unsupported(format!("the type {letter}{}", u32::from(scalar.width) * 8)))
}

fn words(bytes: u32) -> Result<u32> {
    if bytes.is_multiple_of(4) {
        return Ok(bytes / 4);
    }
    Err(Refusal::unsupported(format!("an offset or stride of {bytes} bytes, which is no multiple of 4")))
}
