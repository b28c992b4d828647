//! What a texel is: its components, their types and its size.

/// The format of a texture's texels.
///
/// "Unorm" components are stored as integers and read as numbers from 0 to 1; "Float" components are IEEE 754 numbers of 16 or 32
/// bits; "Uint" components are read as they are. Components lie in memory in the order of their letters, little endian.
#[doc(alias = "MTLPixelFormat")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PixelFormat {
    /// One 8-bit component, normalised.
    R8Unorm,
    /// Two 8-bit components, normalised.
    Rg8Unorm,
    /// Four 8-bit components, normalised.
    Rgba8Unorm,
    /// One 16-bit float.
    R16Float,
    /// Four 16-bit floats.
    Rgba16Float,
    /// One 32-bit float.
    R32Float,
    /// Four 32-bit floats.
    Rgba32Float,
    /// One 32-bit unsigned integer.
    R32Uint,
    /// Four 32-bit unsigned integers.
    Rgba32Uint,
}

impl PixelFormat {
    /// Every format.
    pub const EACH: [Self; 9] = [
        Self::R8Unorm,
        Self::Rg8Unorm,
        Self::Rgba8Unorm,
        Self::R16Float,
        Self::Rgba16Float,
        Self::R32Float,
        Self::Rgba32Float,
        Self::R32Uint,
        Self::Rgba32Uint,
    ];

    /// Bytes of one texel.
    pub const fn bytes_per_texel(self) -> u32 {
        match self {
            Self::R8Unorm => 1,
            Self::Rg8Unorm | Self::R16Float => 2,
            Self::Rgba8Unorm | Self::R32Float | Self::R32Uint => 4,
            Self::Rgba16Float => 8,
            Self::Rgba32Float | Self::Rgba32Uint => 16,
        }
    }

    /// How many components a texel has.
    pub const fn components(self) -> u32 {
        match self {
            Self::R8Unorm | Self::R16Float | Self::R32Float | Self::R32Uint => 1,
            Self::Rg8Unorm => 2,
            Self::Rgba8Unorm | Self::Rgba16Float | Self::Rgba32Float | Self::Rgba32Uint => 4,
        }
    }

    /// Components are unsigned integers, read as such by kernels; never filtered.
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::R32Uint | Self::Rgba32Uint)
    }
}
