//! Lane IR as text, for golden tests and for looking at.
//!
//! ```text
//! kernel add workgroup_size(64, 1, 1)
//! binding 0: @group(0) @binding(0) data: storage buffer of at least 4 bytes, reads, writes
//!   %0 = constant 1
//!   %1 = GlobalInvocationId.x
//!   %2 = load binding0[%1]
//!   %3 = Add %2 %0
//!   store binding0[%1] %3
//! ```

use std::fmt::{self, Display, Formatter};

use super::lane::{
    Address, AtomicOperation, Binding, BindingKind, Builtin, Kernel, Label, Operation, Space, Statement,
    TexelOperation, Value, Variable,
};

impl Display for Kernel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [x, y, z] = self.workgroup_size;
        writeln!(f, "kernel {} workgroup_size({x}, {y}, {z})", self.name)?;
        for (index, binding) in self.bindings.iter().enumerate() {
            writeln!(f, "binding {index}: {binding}")?;
        }
        if self.private_words > 0 {
            writeln!(f, "private {} words", self.private_words)?;
        }
        if self.workgroup_words > 0 {
            writeln!(f, "workgroup {} words", self.workgroup_words)?;
        }
        if !self.constants.is_empty() {
            writeln!(f, "table {:?}", self.constants)?;
        }
        block(f, &self.body, 1)
    }
}

impl Display for Binding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "@group({}) @binding({}) {}: ", self.group, self.binding, self.name)?;
        match self.kind {
            BindingKind::Buffer { minimum_bytes, uniform } => {
                let space = if uniform { "uniform" } else { "storage" };
                write!(f, "{space} buffer of at least {minimum_bytes} bytes")?;
            }
            BindingKind::SampledTexture { sample, dimension } => {
                write!(f, "texture {dimension:?} of {sample:?}")?
            }
            BindingKind::StorageTexture { format, dimension } => {
                write!(f, "storage texture {dimension:?} of {format:?}")?;
            }
            BindingKind::Sampler { comparison } => {
                f.write_str(if comparison { "comparison sampler" } else { "sampler" })?;
            }
        }
        let flags =
            [(self.reads, ", reads"), (self.writes, ", writes"), (self.atomic_only, ", atomics only")];
        flags.iter().filter(|(flag, _)| *flag).try_for_each(|(_, text)| f.write_str(text))
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

impl Display for Variable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.0)
    }
}

impl Display for Label {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "'{}", self.0)
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.space {
            Space::Buffer(binding) => write!(f, "binding{binding}")?,
            Space::Workgroup => f.write_str("workgroup")?,
            Space::Private => f.write_str("private")?,
            Space::Constant => f.write_str("table")?,
        }
        match (self.base, self.index) {
            (base, None) => write!(f, "[{base}]"),
            (0, Some(index)) => write!(f, "[{index}]"),
            (base, Some(index)) => write!(f, "[{base} + {index}]"),
        }
    }
}

impl Display for Operation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            // Floats are readable as such, and rarely small as integers.
            Self::Constant(word) if (0x0080_0000..0xff80_0000).contains(word) => {
                write!(f, "constant {word:#010x} ({:?})", f32::from_bits(*word))
            }
            Self::Constant(word) => write!(f, "constant {}", *word as i32),
            Self::Variable(variable) => write!(f, "{variable}"),
            Self::Unary(operation, a) => write!(f, "{operation:?} {a}"),
            Self::Binary(operation, a, b) => write!(f, "{operation:?} {a} {b}"),
            Self::FusedMultiplyAdd(a, b, c) => write!(f, "fma {a} {b} {c}"),
            Self::Select(condition, a, b) => write!(f, "select {condition} ? {a} : {b}"),
            Self::Load(address) => write!(f, "load {address}"),
            Self::BufferWords(binding) => write!(f, "words of binding{binding}"),
            Self::TextureQuery { binding, query, level } => {
                write!(f, "{query:?} of binding{binding}")?;
                optional(f, "level", *level)
            }
            Self::Builtin(builtin) => match builtin {
                Builtin::LocalInvocationIndex => f.write_str("LocalInvocationIndex"),
                Builtin::LocalInvocationId(axis) => write!(f, "LocalInvocationId.{}", axis_name(*axis)),
                Builtin::GlobalInvocationId(axis) => write!(f, "GlobalInvocationId.{}", axis_name(*axis)),
                Builtin::WorkgroupId(axis) => write!(f, "WorkgroupId.{}", axis_name(*axis)),
                Builtin::NumWorkgroups(axis) => write!(f, "NumWorkgroups.{}", axis_name(*axis)),
            },
        }
    }
}

impl Display for TexelOperation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load { binding, coordinates: [x, y], slice, level } => {
                write!(f, "texel binding{binding} at {x} {y}")?;
                optional(f, "slice", *slice)?;
                optional(f, "level", *level)
            }
            Self::Sample { binding, sampler, coordinates: [x, y], slice, level, offset, reference } => {
                write!(f, "sample binding{binding} by binding{sampler} at {x} {y}")?;
                optional(f, "slice", *slice)?;
                optional(f, "level", *level)?;
                optional(f, "reference", *reference)?;
                if *offset == [0, 0] { Ok(()) } else { write!(f, " offset {offset:?}") }
            }
            Self::Gather { binding, sampler, component, coordinates: [x, y], slice, offset, reference } => {
                write!(f, "gather component {component} of binding{binding} by binding{sampler} at {x} {y}")?;
                optional(f, "slice", *slice)?;
                optional(f, "reference", *reference)?;
                if *offset == [0, 0] { Ok(()) } else { write!(f, " offset {offset:?}") }
            }
        }
    }
}

impl Display for AtomicOperation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load => f.write_str("load"),
            Self::Store(value) => write!(f, "store {value}"),
            Self::Add(value) => write!(f, "add {value}"),
            Self::Subtract(value) => write!(f, "subtract {value}"),
            Self::And(value) => write!(f, "and {value}"),
            Self::Or(value) => write!(f, "or {value}"),
            Self::ExclusiveOr(value) => write!(f, "xor {value}"),
            Self::SignedMin(value) => write!(f, "signed min {value}"),
            Self::SignedMax(value) => write!(f, "signed max {value}"),
            Self::UnsignedMin(value) => write!(f, "unsigned min {value}"),
            Self::UnsignedMax(value) => write!(f, "unsigned max {value}"),
            Self::Exchange(value) => write!(f, "exchange {value}"),
            Self::CompareExchange { expected, desired } => write!(f, "compare {expected} exchange {desired}"),
        }
    }
}

fn block(f: &mut Formatter<'_>, statements: &[Statement], depth: usize) -> fmt::Result {
    statements.iter().try_for_each(|one| statement(f, one, depth))
}

fn statement(f: &mut Formatter<'_>, statement: &Statement, depth: usize) -> fmt::Result {
    write!(f, "{:1$}", "", depth * 2)?;
    match statement {
        Statement::Let { result, operation } => writeln!(f, "{result} = {operation}"),
        Statement::LetTexel { results: [r, g, b, a], operation } => {
            writeln!(f, "{r} {g} {b} {a} = {operation}")
        }
        Statement::Set { variable, value } => writeln!(f, "{variable} = {value}"),
        Statement::Store { address, value } => writeln!(f, "store {address} {value}"),
        Statement::StoreTexel { binding, coordinates: [x, y], slice, texel: [r, g, b, a] } => {
            write!(f, "store texel binding{binding} at {x} {y}")?;
            optional(f, "slice", *slice)?;
            writeln!(f, ": {r} {g} {b} {a}")
        }
        Statement::Atomic { result, address, operation } => {
            if let Some(result) = result {
                write!(f, "{result} = ")?;
            }
            writeln!(f, "atomic {address} {operation}")
        }
        Statement::If { condition, accept, reject } => {
            writeln!(f, "if {condition} {{")?;
            block(f, accept, depth + 1)?;
            if !reject.is_empty() {
                writeln!(f, "{:1$}}} else {{", "", depth * 2)?;
                block(f, reject, depth + 1)?;
            }
            writeln!(f, "{:1$}}}", "", depth * 2)
        }
        Statement::Block { label, body } => {
            writeln!(f, "block {label} {{")?;
            block(f, body, depth + 1)?;
            writeln!(f, "{:1$}}}", "", depth * 2)
        }
        Statement::Loop { body } => {
            writeln!(f, "loop {{")?;
            block(f, body, depth + 1)?;
            writeln!(f, "{:1$}}}", "", depth * 2)
        }
        Statement::Exit { label } => writeln!(f, "exit {label}"),
        Statement::Barrier => writeln!(f, "barrier"),
        Statement::Fence => writeln!(f, "fence"),
    }
}

fn optional(f: &mut Formatter<'_>, name: &str, value: Option<Value>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {name} {value}"))
}

fn axis_name(axis: u8) -> char {
    match axis {
        0 => 'x',
        1 => 'y',
        _ => 'z',
    }
}
