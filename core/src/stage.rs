//! Stages: the classes of work that barriers and fences name, with Metal's bit values.
use bitflags::bitflags;

bitflags! {
    /// A set of stages. The bit values are those of `MTLStages`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct Stages: u64 {
        /// Vertex functions, vertex and index fetch, indirect draw arguments.
        const VERTEX = 1 << 0;
        /// Fragment functions, depth and stencil, attachment load, store, clear and resolve.
        const FRAGMENT = 1 << 1;
        /// Tile dispatches.
        const TILE = 1 << 2;
        /// Object functions of mesh draws.
        const OBJECT = 1 << 3;
        /// Mesh functions.
        const MESH = 1 << 4;
        /// Sparse mapping changes.
        const RESOURCE_STATE = 1 << 26;
        /// Compute kernels, and the reading of their indirect arguments.
        const DISPATCH = 1 << 27;
        /// Copies, fills, mip generation, content optimization, synchronization of managed resources.
        const BLIT = 1 << 28;
        /// Acceleration structure builds, refits and copies.
        const ACCELERATION_STRUCTURE = 1 << 29;
        /// Machine learning networks.
        const MACHINE_LEARNING = 1 << 30;
        /// Every stage. `MTLStageAll` is `NSIntegerMax`; only the named bits mean anything.
        const ALL = 0x7fff_ffff_ffff_ffff;
    }
}

bitflags! {
    /// What a barrier does to caches. The bit values are those of `MTL4VisibilityOptions`; empty is `none`:
    /// ordering without freshness.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct Visibility: u32 {
        /// Writes reach the point where the whole GPU agrees.
        const DEVICE = 1 << 0;
        /// Several virtual mappings of one page agree. Includes `DEVICE` here.
        const RESOURCE_ALIAS = 1 << 1;
    }
}

/// One stage, as a dense index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stage {
    /// See [`Stages::VERTEX`].
    Vertex,
    /// See [`Stages::FRAGMENT`].
    Fragment,
    /// See [`Stages::TILE`].
    Tile,
    /// See [`Stages::OBJECT`].
    Object,
    /// See [`Stages::MESH`].
    Mesh,
    /// See [`Stages::RESOURCE_STATE`].
    ResourceState,
    /// See [`Stages::DISPATCH`].
    Dispatch,
    /// See [`Stages::BLIT`].
    Blit,
    /// See [`Stages::ACCELERATION_STRUCTURE`].
    AccelerationStructure,
    /// See [`Stages::MACHINE_LEARNING`].
    MachineLearning,
}

impl Stage {
    /// How many stages there are.
    pub const COUNT: usize = 10;

    /// Every stage, in order of its index.
    pub const EACH: [Self; Self::COUNT] = [
        Self::Vertex,
        Self::Fragment,
        Self::Tile,
        Self::Object,
        Self::Mesh,
        Self::ResourceState,
        Self::Dispatch,
        Self::Blit,
        Self::AccelerationStructure,
        Self::MachineLearning,
    ];

    /// The set of this stage alone.
    pub const fn mask(self) -> Stages {
        match self {
            Self::Vertex => Stages::VERTEX,
            Self::Fragment => Stages::FRAGMENT,
            Self::Tile => Stages::TILE,
            Self::Object => Stages::OBJECT,
            Self::Mesh => Stages::MESH,
            Self::ResourceState => Stages::RESOURCE_STATE,
            Self::Dispatch => Stages::DISPATCH,
            Self::Blit => Stages::BLIT,
            Self::AccelerationStructure => Stages::ACCELERATION_STRUCTURE,
            Self::MachineLearning => Stages::MACHINE_LEARNING,
        }
    }
}
