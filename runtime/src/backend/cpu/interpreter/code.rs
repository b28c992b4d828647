//! What the interpreter runs: a flat list of instructions over slots.
//!
//! A *slot* holds one word per lane; a *uniform* holds one word. Targets of jumps are indices of instructions.
//!
//! Lanes that a divergent `If` sends the other way, and lanes that rest at the end of a block, are kept as masks in slots of their own.
//! A *frame* is one byte beside each such slot: whether there is anything in it.
use crate::shader::lane::{AtomicOperation, BinaryOperation, Space, TextureQuery, UnaryOperation};

/// A word per lane, by number.
pub(super) type Slot = u32;
/// One word for all lanes, by number.
pub(super) type UniformSlot = u32;
/// An instruction's index.
pub(super) type Target = u32;

/// The slot that has all bits set for every lane of a workgroup and none for the padding behind them.
pub(super) const EVERY_LANE: Slot = 0;
/// The slot with the mask of active lanes, valid unless every lane is active.
pub(super) const ACTIVE: Slot = 1;
/// The first of up to four slots with lane numbers.
pub(super) const FIRST_FREE_SLOT: Slot = 2;

/// Three uniforms: the workgroup's number.
pub(super) const WORKGROUP_ID: UniformSlot = 0;
/// Three uniforms: the number of the workgroup's first invocation.
pub(super) const FIRST_INVOCATION: UniformSlot = 3;
/// Three uniforms: how many workgroups there are.
pub(super) const NUM_WORKGROUPS: UniformSlot = 6;
/// Constants come next.
pub(super) const FIRST_CONSTANT: UniformSlot = 9;

/// Where a word comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// Each lane has its own.
    Lanes(Slot),
    /// All lanes have the same.
    Uniform(UniformSlot),
}

/// One step. Those with `Uniform` in their name compute one word for all lanes.
#[derive(Clone, Debug)]
pub(super) enum Instruction {
    Unary {
        operation: UnaryOperation,
        to: Slot,
        a: Slot,
    },
    Binary {
        operation: BinaryOperation,
        to: Slot,
        a: Operand,
        b: Operand,
    },
    FusedMultiplyAdd {
        to: Slot,
        a: Operand,
        b: Operand,
        c: Operand,
    },
    Select {
        to: Slot,
        condition: Operand,
        accept: Operand,
        reject: Operand,
    },
    /// Every active lane; others may change too.
    Copy {
        to: Slot,
        from: Operand,
    },
    /// Active lanes and no others.
    CopyActive {
        to: Slot,
        from: Operand,
    },
    Load {
        to: Slot,
        space: Space,
        base: u32,
        index: Operand,
    },
    Store {
        space: Space,
        base: u32,
        index: Operand,
        value: Operand,
    },
    Query {
        to: Slot,
        binding: u32,
        query: TextureQuery,
        level: Slot,
    },
    UniformUnary {
        operation: UnaryOperation,
        to: UniformSlot,
        a: UniformSlot,
    },
    UniformBinary {
        operation: BinaryOperation,
        to: UniformSlot,
        a: UniformSlot,
        b: UniformSlot,
    },
    UniformFusedMultiplyAdd {
        to: UniformSlot,
        a: UniformSlot,
        b: UniformSlot,
        c: UniformSlot,
    },
    UniformSelect {
        to: UniformSlot,
        condition: UniformSlot,
        accept: UniformSlot,
        reject: UniformSlot,
    },
    UniformCopy {
        to: UniformSlot,
        from: UniformSlot,
    },
    UniformLoad {
        to: UniformSlot,
        space: Space,
        base: u32,
        index: UniformSlot,
    },
    UniformBufferWords {
        to: UniformSlot,
        binding: u32,
    },
    UniformQuery {
        to: UniformSlot,
        binding: u32,
        query: TextureQuery,
        level: UniformSlot,
    },
    Atomic(Box<AtomicInstruction>),
    Texel(Box<TexelInstruction>),
    StoreTexel(Box<StoreTexelInstruction>),
    /// Orders the memory accesses around it, as other threads see them.
    Fence,
    Jump {
        target: Target,
    },
    /// Jumps if the condition is not 0 (`when`), or if it is.
    Branch {
        condition: UniformSlot,
        when: bool,
        target: Target,
    },
    /// Lanes whose condition is not 0 (or is, where negated) go on, the others are kept in `kept`. Where none goes on, the others do, at
    /// `target`.
    Split {
        condition: Slot,
        negate: bool,
        kept: Slot,
        frame: u32,
        target: Target,
    },
    /// Those that went on change places with those kept. Where nobody was kept: jumps to `target`.
    Else {
        kept: Slot,
        frame: u32,
        target: Target,
    },
    /// Those kept come back.
    Join {
        kept: Slot,
        frame: u32,
    },
    /// A block begins: nobody rests at its end.
    Enter {
        frame: u32,
    },
    /// Lanes whose condition is not 0 (or is, where negated) go to rest. Where no lane is left active: jumps to `target`.
    RestWhere {
        condition: Slot,
        negate: bool,
        rest: Slot,
        frame: u32,
        target: Target,
    },
    /// All active lanes go to rest.
    Rest {
        rest: Slot,
        frame: u32,
    },
    /// A block ends: those that rest come back.
    Leave {
        rest: Slot,
        frame: u32,
    },
    JumpIfNobody {
        target: Target,
    },
    /// Jumps unless no lane is active. Looks at the stop flag.
    Repeat {
        target: Target,
    },
    End,
}

/// An atomic operation over lanes.
#[derive(Clone, Debug)]
pub(super) struct AtomicInstruction {
    pub(super) to: Option<Operand>,
    pub(super) space: Space,
    pub(super) base: u32,
    pub(super) index: Operand,
    /// What to do; the values inside stand for `operands`.
    pub(super) operation: AtomicOperation,
    /// The operation's value; for a compare-exchange what is expected, then what is desired.
    pub(super) operands: [Operand; 2],
}

/// Reads texels.
#[derive(Clone, Debug)]
pub(super) struct TexelInstruction {
    pub(super) kind: TexelKind,
    /// Slots, or uniforms where every operand is uniform.
    pub(super) results: [Option<u32>; 4],
    pub(super) uniform: bool,
    pub(super) binding: u32,
    pub(super) coordinates: [Operand; 2],
    pub(super) slice: Option<Operand>,
}

/// How texels are read.
#[derive(Clone, Debug)]
pub(super) enum TexelKind {
    Load { level: Option<Operand> },
    Sample { sampler: u32, level: Option<Operand>, offset: [i32; 2], reference: Option<Operand> },
    Gather { sampler: u32, component: u8, offset: [i32; 2], reference: Option<Operand> },
}

/// Writes texels.
#[derive(Clone, Debug)]
pub(super) struct StoreTexelInstruction {
    pub(super) binding: u32,
    pub(super) coordinates: [Operand; 2],
    pub(super) slice: Option<Operand>,
    pub(super) texel: [Operand; 4],
}
