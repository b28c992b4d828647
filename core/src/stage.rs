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
    /// The kinds of resource that a Metal 3 memory barrier makes visible. The bit values are those of
    /// `MTLBarrierScope`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    #[doc(alias = "MTLBarrierScope")]
    pub struct BarrierScope: u32 {
        /// Buffers.
        const BUFFERS = 1 << 0;
        /// Textures.
        const TEXTURES = 1 << 1;
        /// Textures written as attachments. An access does not say how a texture was bound, so this counts as textures.
        const RENDER_TARGETS = 1 << 2;
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

    /// The word for it in the text form of programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vertex => "vertex",
            Self::Fragment => "fragment",
            Self::Tile => "tile",
            Self::Object => "object",
            Self::Mesh => "mesh",
            Self::ResourceState => "resource-state",
            Self::Dispatch => "dispatch",
            Self::Blit => "blit",
            Self::AccelerationStructure => "acceleration-structure",
            Self::MachineLearning => "machine-learning",
        }
    }

    /// The stage's place in [`Stage::EACH`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl Stages {
    /// Every stage that Metal names: what [`Stages::ALL`] means once the unused bits are gone.
    pub const EVERY: Self = Self::from_bits_truncate(0x7c00_001f);

    /// The stages of the set, in order of their index. Bits that name no stage are skipped.
    ///
    /// ```
    /// use fencepost_core::{Stage, Stages};
    /// let set = Stages::BLIT | Stages::VERTEX;
    /// assert!(set.iter_stages().eq([Stage::Vertex, Stage::Blit]));
    /// assert_eq!(Stages::ALL.iter_stages().count(), Stage::COUNT);
    /// ```
    pub fn iter_stages(self) -> impl Iterator<Item = Stage> + Clone {
        let mut rest = self.dense();
        core::iter::from_fn(move || {
            let index = rest.trailing_zeros() as usize;
            rest &= rest.wrapping_sub(1);
            Stage::EACH.get(index).copied()
        })
    }

    /// One bit per stage, bit `n` for [`Stage::EACH`]`[n]`.
    pub(crate) const fn dense(self) -> u16 {
        let bits = self.bits();
        ((bits & 0x1f) | (((bits >> 26) & 0x1f) << 5)) as u16
    }
}
