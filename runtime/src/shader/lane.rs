//! Lane IR: what a kernel is once structs, vectors, matrices, functions and pointers are gone.
//!
//! A kernel runs once for every invocation ("lane") of a workgroup. Every value is one 32-bit word per lane: `u32`, `i32` and `f32`
//! by their bits, `bool` as 0 or 1. Calls are inlined, aggregates are scalarised; what is indexed dynamically lives in memory.
//! Control flow is structured, so that a back end can run all lanes in step and keep a mask: a lane that exits a block rests until
//! the block ends. WGSL puts barriers into uniform control flow, hence a back end that runs the lanes of a workgroup in step needs
//! nothing for them; one that does not, splits there.
//!
//! Memory safety rests on one rule: a back end checks `base + index` of every address against the real length of what it addresses.
//! Lowering has already clamped indices into fixed-size arrays, so the check only ever decides for runtime-sized buffers:
//! a load outside yields 0, a store or an atomic outside does nothing. A buffer's runtime array has no other limit.
//!
//! Lowering puts constants at the start of a body, each once, and hoists what a loop cannot change in front of it, so a back end need
//! not look for either.
//!
//! Deliberately absent: 16- and 64-bit values, subgroups, derivatives, anything graphics.

/// An SSA value: one word per lane, assigned once by the `Let` that names it, used only where that `Let` dominates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(pub u32);

/// A mutable word per lane. Zero at kernel start. `Set` changes active lanes only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Variable(pub u32);

/// A block that can be left by `Exit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(pub u32);

/// A whole kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// The entry point's name.
    pub name: String,
    /// Lanes of a workgroup in x, y, z; their product is at most 1024.
    pub workgroup_size: [u32; 3],
    /// Values are numbered below this.
    pub values: u32,
    /// Variables are numbered below this.
    pub variables: u32,
    /// Words of private memory per lane, zero at kernel start.
    pub private_words: u32,
    /// Words of workgroup memory, zero when a workgroup starts.
    pub workgroup_words: u32,
    /// Read-only tables (constant arrays that are indexed dynamically).
    pub constants: Vec<u32>,
    /// What the kernel is bound to; addresses and texel operations name these by index.
    pub bindings: Vec<Binding>,
    /// What it does.
    pub body: Vec<Statement>,
}

/// One resource that a kernel is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Binding {
    /// `@group`.
    pub group: u32,
    /// `@binding`.
    pub binding: u32,
    /// The variable's name in the source, for messages.
    pub name: String,
    /// What may be bound.
    pub kind: BindingKind,
    /// The kernel reads it somewhere (static use).
    pub reads: bool,
    /// The kernel writes it somewhere (static use).
    pub writes: bool,
    /// Every access is an atomic.
    pub atomic_only: bool,
}

/// What kind of resource a binding takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindingKind {
    /// `var<storage>` or `var<uniform>`.
    Buffer {
        /// Bytes that must be there at least (the fixed part and one element of a runtime array).
        minimum_bytes: u32,
        /// `var<uniform>`.
        uniform: bool,
    },
    /// `texture_2d<…>`, `texture_2d_array<…>`, `texture_depth_2d` …
    SampledTexture {
        /// What a texel's components are read as.
        sample: SampleKind,
        /// Its dimension.
        dimension: TextureDimension,
    },
    /// `texture_storage_2d<…>`.
    StorageTexture {
        /// The texel format in the shader's words, for example `rgba8unorm`.
        format: StorageFormat,
        /// Its dimension.
        dimension: TextureDimension,
    },
    /// `sampler`.
    Sampler {
        /// `sampler_comparison`.
        comparison: bool,
    },
}

/// What a texel's components are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SampleKind {
    /// `f32` components.
    Float,
    /// `i32` components.
    Sint,
    /// `u32` components.
    Uint,
}

/// Shapes of textures that kernels take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextureDimension {
    /// One image.
    D2,
    /// Several slices.
    D2Array,
}

/// Formats of storage textures, those of the API that WGSL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the formats")]
pub enum StorageFormat {
    R8Unorm,
    Rg8Unorm,
    Rgba8Unorm,
    R16Float,
    Rgba16Float,
    R32Float,
    Rgba32Float,
    R32Uint,
    Rgba32Uint,
}

/// One step. Statements act on active lanes only.
#[derive(Clone, Debug)]
pub enum Statement {
    /// Names the result of an operation.
    Let {
        /// Assigned here and nowhere else.
        result: Value,
        /// What it is.
        operation: Operation,
    },
    /// Reads or samples a texel into four values.
    LetTexel {
        /// Red, green, blue, alpha.
        results: [Value; 4],
        /// How.
        operation: TexelOperation,
    },
    /// Changes a variable.
    Set {
        /// Which.
        variable: Variable,
        /// To what.
        value: Value,
    },
    /// Writes a word.
    Store {
        /// Where.
        address: Address,
        /// What.
        value: Value,
    },
    /// Writes a texel of a storage texture. Outside of the texture: nothing happens.
    StoreTexel {
        /// Index into [`Kernel::bindings`].
        binding: u32,
        /// Column and row.
        coordinates: [Value; 2],
        /// Slice, for arrays.
        slice: Option<Value>,
        /// Red, green, blue, alpha, in the components' own type.
        texel: [Value; 4],
    },
    /// An atomic operation.
    Atomic {
        /// The word's former value. Absent where nobody looks.
        result: Option<Value>,
        /// Where: a buffer or workgroup memory.
        address: Address,
        /// What.
        operation: AtomicOperation,
    },
    /// Lanes with a non-zero condition run `accept`, the others `reject`.
    If {
        /// The condition.
        condition: Value,
        /// Run by lanes where it is not 0.
        accept: Vec<Self>,
        /// Run by lanes where it is 0.
        reject: Vec<Self>,
    },
    /// A block that lanes can leave early.
    Block {
        /// Named by `Exit`.
        label: Label,
        /// Its statements.
        body: Vec<Self>,
    },
    /// Repeats until no lane is active: lanes leave by exiting a block around it.
    Loop {
        /// One iteration.
        body: Vec<Self>,
    },
    /// Active lanes go to the end of the block of this label.
    Exit {
        /// An enclosing block.
        label: Label,
    },
    /// Every lane of the workgroup arrives before one goes on; memory of the workgroup agrees.
    Barrier,
    /// Orders a lane's memory operations: who sees one after it sees those before it. Lanes do not wait for each other.
    Fence,
}

/// Where a word is: `base + index` words into a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// What is addressed.
    pub space: Space,
    /// Words, known at compile time.
    pub base: u32,
    /// Words per lane, added to `base` (wrapping is impossible after clamping; a back end checks all the same).
    pub index: Option<Value>,
}

/// Memory that an address points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// A buffer: index into [`Kernel::bindings`].
    Buffer(u32),
    /// Memory of the workgroup.
    Workgroup,
    /// Memory of the lane.
    Private,
    /// [`Kernel::constants`]; never stored to.
    Constant,
}

/// What an atomic does to its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtomicOperation {
    /// Reads.
    Load,
    /// Replaces; no result.
    Store(Value),
    /// Wrapping addition.
    Add(Value),
    /// Wrapping subtraction.
    Subtract(Value),
    /// Bitwise and.
    And(Value),
    /// Bitwise or.
    Or(Value),
    /// Bitwise exclusive or.
    ExclusiveOr(Value),
    /// Signed minimum.
    SignedMin(Value),
    /// Signed maximum.
    SignedMax(Value),
    /// Unsigned minimum.
    UnsignedMin(Value),
    /// Unsigned maximum.
    UnsignedMax(Value),
    /// Replaces, and yields the former value.
    Exchange(Value),
    /// Replaces where the former value equals `expected`; whether it did is `former == expected`, computed by the kernel.
    CompareExchange {
        /// What must be there.
        expected: Value,
        /// What to put there.
        desired: Value,
    },
}

/// What a `Let` computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The same word for every lane.
    Constant(u32),
    /// A variable's value now.
    Variable(Variable),
    /// Of one value.
    Unary(UnaryOperation, Value),
    /// Of two values.
    Binary(BinaryOperation, Value, Value),
    /// `a * b + c` rounded once.
    FusedMultiplyAdd(Value, Value, Value),
    /// The second where the first is not 0, else the third.
    Select(Value, Value, Value),
    /// A word from memory.
    Load(Address),
    /// Words of a bound buffer: its byte length / 4. Index into [`Kernel::bindings`].
    BufferWords(u32),
    /// Size of a bound texture.
    TextureQuery {
        /// Index into [`Kernel::bindings`].
        binding: u32,
        /// Which number.
        query: TextureQuery,
        /// The level asked about, clamped to what is there; absent is 0.
        level: Option<Value>,
    },
    /// A number that differs by lane or workgroup.
    Builtin(Builtin),
}

/// A number a texture is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the numbers")]
pub enum TextureQuery {
    Width,
    Height,
    Levels,
    Slices,
}

/// Where an invocation stands. The axis is 0, 1 or 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "WGSL's own words")]
pub enum Builtin {
    LocalInvocationId(u8),
    LocalInvocationIndex,
    GlobalInvocationId(u8),
    WorkgroupId(u8),
    NumWorkgroups(u8),
}

/// Operations of one value. `F` floats, `S` signed, `U` unsigned, none: any 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "WGSL's own words")]
pub enum UnaryOperation {
    /// 1 where the value is 0, else 0.
    LogicalNot,
    BitwiseNot,
    NegateS,
    NegateF,
    AbsS,
    AbsF,
    SignS,
    SignF,
    CountOneBits,
    ReverseBits,
    CountLeadingZeros,
    CountTrailingZeros,
    FirstLeadingBitS,
    FirstLeadingBitU,
    FirstTrailingBit,
    Ceil,
    Floor,
    /// Half to even.
    Round,
    Trunc,
    Fract,
    Sqrt,
    InverseSqrt,
    Exp,
    Exp2,
    Log,
    Log2,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Tanh,
    Asinh,
    Acosh,
    Atanh,
    /// Through binary16 and back.
    QuantizeToF16,
    /// Saturating, NaN to 0.
    FToS,
    /// Saturating, NaN to 0.
    FToU,
    SToF,
    UToF,
    /// Low 16 bits as binary16 to binary32.
    UnpackHalfLow,
    /// binary32 to binary16 in the low 16 bits.
    PackHalfLow,
}

/// Operations of two values. Comparisons yield 0 or 1. Integer arithmetic wraps; shifts take the amount modulo 32;
/// division by 0 yields the dividend, remainder by 0 yields 0, `MIN / -1` yields `MIN`, `MIN % -1` yields 0, as WGSL has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the usual words")]
pub enum BinaryOperation {
    Add,
    Subtract,
    Multiply,
    DivideS,
    DivideU,
    RemainderS,
    RemainderU,
    MinS,
    MinU,
    MaxS,
    MaxU,
    And,
    Or,
    ExclusiveOr,
    ShiftLeft,
    ShiftRightS,
    ShiftRightU,
    Equal,
    NotEqual,
    LessS,
    LessU,
    LessEqualS,
    LessEqualU,
    AddF,
    SubtractF,
    MultiplyF,
    DivideF,
    /// Truncated: the sign of the dividend.
    RemainderF,
    /// The other operand where one is NaN.
    MinF,
    /// The other operand where one is NaN.
    MaxF,
    EqualF,
    NotEqualF,
    LessF,
    LessEqualF,
    Atan2,
    Pow,
    /// `x · 2^y`, y signed.
    Ldexp,
}

/// How a texel is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TexelOperation {
    /// One texel by its coordinates (signed or unsigned alike). Outside of the texture: zeros.
    Load {
        /// Index into [`Kernel::bindings`]: sampled or storage texture.
        binding: u32,
        /// Column and row.
        coordinates: [Value; 2],
        /// Slice, for arrays.
        slice: Option<Value>,
        /// Mip level; absent is 0.
        level: Option<Value>,
    },
    /// Filtered at an explicit level, or with explicit derivatives turned into a level by lowering.
    Sample {
        /// Index into [`Kernel::bindings`]: the texture.
        binding: u32,
        /// Index into [`Kernel::bindings`]: the sampler.
        sampler: u32,
        /// Normalised, `f32`.
        coordinates: [Value; 2],
        /// Slice, for arrays: a signed integer, clamped.
        slice: Option<Value>,
        /// `f32` level; absent is 0.
        level: Option<Value>,
        /// Texels to add, constant.
        offset: [i32; 2],
        /// Compare each texel's red with this (`f32`) before filtering; the result is in red.
        reference: Option<Value>,
    },
    /// The four texels a bilinear sample would blend, one component of each, in WGSL's order.
    Gather {
        /// Index into [`Kernel::bindings`]: the texture.
        binding: u32,
        /// Index into [`Kernel::bindings`]: the sampler.
        sampler: u32,
        /// 0 red … 3 alpha.
        component: u8,
        /// Normalised, `f32`.
        coordinates: [Value; 2],
        /// Slice, for arrays.
        slice: Option<Value>,
        /// Texels to add, constant.
        offset: [i32; 2],
        /// Compare with this (`f32`) and yield 0 or 1.
        reference: Option<Value>,
    },
}
