//! naga IR to lane IR: everything that has structure is taken apart here.
//!
//! Calls are inlined, so that pointers passed to functions are places known at compile time. A value is the list of its words. A `var`
//! that is only ever indexed by constants becomes variables, one a word; any other lies in private memory. A `return` leaves a
//! labelled block around the inlined body, as `break` and `continue` do around loops.
//!
//! | file | lowers |
//! |---|---|
//! | `entry` | the entry point: its arguments, what it is bound to, its memory |
//! | `shape` | types: words, offsets, strides |
//! | `usage` | which variables are indexed dynamically |
//! | `statement`, `call` | control flow, stores, atomics, calls |
//! | `expression`, `operator`, `math`, `packing`, `matrix` | values |
//! | `memory` | places: loads, stores, indexing, zeroing |
//! | `texture` | texels and samples |

mod call;
mod entry;
mod expression;
mod math;
mod matrix;
mod memory;
mod operator;
mod packing;
mod shape;
mod statement;
mod texture;
mod usage;

use std::rc::Rc;

use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{Expression, FastHashMap, GlobalVariable, Handle, Span};
use smallvec::SmallVec;

use self::memory::Place;
use self::shape::{Shape, Shapes};
use self::usage::Usage;
use super::builder::Builder;
use super::lane::{Binding, Kernel, Label, Value};
use super::{ShaderError, ShaderErrorKind};

/// The words of a value.
type Words = SmallVec<[Value; 4]>;

type Result<T> = std::result::Result<T, Refusal>;

/// Why a function was not lowered, and where.
#[derive(Debug)]
pub(super) struct Refusal(Box<Reason>);

#[derive(Debug)]
struct Reason {
    kind: ShaderErrorKind,
    message: String,
    span: Span,
}

impl Refusal {
    fn new(kind: ShaderErrorKind, message: String) -> Self {
        Self(Box::new(Reason { kind, message, span: Span::UNDEFINED }))
    }

    fn unsupported(what: impl std::fmt::Display) -> Self {
        Self::new(
            ShaderErrorKind::Unsupported,
            format!("the kernel uses {what}, which this device does not support"),
        )
    }

    fn invalid(message: String) -> Self {
        Self::new(ShaderErrorKind::Invalid, message)
    }

    fn too_large(what: impl std::fmt::Display) -> Self {
        Self::new(ShaderErrorKind::TooLarge, format!("the kernel is too large for this device: {what}"))
    }

    /// Names the place, unless a closer one is named.
    fn or_at(mut self, span: Span) -> Self {
        if !self.0.span.is_defined() {
            self.0.span = span;
        }
        self
    }

    pub(super) fn into_error(self, source: Option<&str>) -> ShaderError {
        ShaderError::new(self.0.kind, self.0.message).at(source, self.0.span)
    }
}

/// Most operations of a kernel with all calls inlined. A kernel of that size takes the interpreter a millisecond a workgroup.
const OPERATIONS_MAX: usize = 1 << 18;

/// Most calls and blocks within each other: whoever walks the body recurses as deep.
const NESTING_MAX: usize = 256;

/// Most words of one value.
const VALUE_WORDS_MAX: u32 = 1 << 14;

/// Lowers one compute entry point of a module without overrides.
pub(super) fn lower(module: &naga::Module, info: &ModuleInfo, name: &str) -> Result<Kernel> {
    let found = module
        .entry_points
        .iter()
        .position(|entry| entry.stage == naga::ShaderStage::Compute && entry.name == name);
    let Some(index) = found else {
        return Err(Refusal::new(ShaderErrorKind::FunctionNotFound, format!("no compute function `{name}`")));
    };
    Lowerer::new(module, info, index)?.entry_point(index)
}

/// What an expression stands for.
#[derive(Clone, Debug)]
enum Lowered {
    /// A value.
    Words(Words),
    /// A pointer.
    Place(Place),
    /// A texture or sampler: index into the bindings.
    Resource(u32),
}

/// The state of lowering one kernel.
#[derive(Debug)]
struct Lowerer<'m> {
    module: &'m naga::Module,
    info: &'m ModuleInfo,
    shapes: Shapes<'m>,
    usage: Usage,
    builder: Builder,
    bindings: Vec<Binding>,
    /// Where each module variable is that the kernel uses.
    globals: FastHashMap<Handle<GlobalVariable>, Lowered>,
    /// Constant tables, and where each begins.
    constants: Vec<u32>,
    tables: FastHashMap<Vec<u32>, u32>,
    private: memory::Private,
    workgroup_words: u32,
    /// Loops around the statement being lowered, those of callers too.
    loops: u32,
    frame: Frame<'m>,
}

/// A function being inlined.
#[derive(Debug)]
struct Frame<'m> {
    /// Absent for the entry point.
    handle: Option<Handle<naga::Function>>,
    function: &'m naga::Function,
    info: &'m FunctionInfo,
    arguments: Vec<Lowered>,
    locals: Vec<Option<Place>>,
    /// Expressions evaluated so far, by handle.
    values: Vec<Option<Lowered>>,
    /// The block around the body, and the variables that take the result.
    leave: Label,
    result: Option<Place>,
    /// Blocks that `break` and `continue` leave.
    exit: Option<Label>,
    next: Option<Label>,
}

impl<'m> Frame<'m> {
    fn new(
        handle: Option<Handle<naga::Function>>,
        function: &'m naga::Function,
        info: &'m FunctionInfo,
        leave: Label,
    ) -> Self {
        Self {
            handle,
            function,
            info,
            arguments: Vec::new(),
            locals: vec![None; function.local_variables.len()],
            values: vec![None; function.expressions.len()],
            leave,
            result: None,
            exit: None,
            next: None,
        }
    }
}

impl<'m> Lowerer<'m> {
    fn new(module: &'m naga::Module, info: &'m ModuleInfo, index: usize) -> Result<Self> {
        let entry = &module.entry_points[index];
        let workgroup_size = entry::workgroup_size(entry)?;
        let mut builder = Builder::new(workgroup_size);
        let leave = builder.label();
        let frame = Frame::new(None, &entry.function, info.get_entry_point(index), leave);
        Ok(Self {
            module,
            info,
            shapes: Shapes::new(module),
            usage: Usage::of(module, &entry.function),
            builder,
            bindings: Vec::new(),
            globals: FastHashMap::default(),
            constants: Vec::new(),
            tables: FastHashMap::default(),
            private: memory::Private::default(),
            workgroup_words: 0,
            loops: 0,
            frame,
        })
    }

    /// The shape of an expression's value, or of what it points at.
    fn shape(&mut self, expression: Handle<Expression>) -> Result<Rc<Shape>> {
        let ty = &self.frame.info[expression].ty;
        match ty.handle() {
            Some(handle) => self.shapes.get(handle),
            None => self.shapes.of(ty.inner_with(&self.module.types)),
        }
    }

    /// Refuses a kernel that has grown too large.
    fn check_size(&self) -> Result<()> {
        if self.builder.emitted() > OPERATIONS_MAX {
            return Err(Refusal::too_large(format!(
                "more than {OPERATIONS_MAX} operations with all calls inlined"
            )));
        }
        if self.builder.depth() > NESTING_MAX {
            return Err(Refusal::too_large(format!(
                "more than {NESTING_MAX} calls and blocks within each other"
            )));
        }
        Ok(())
    }
}
