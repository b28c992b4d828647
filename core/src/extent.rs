//! Which part of a resource an access touches.
use core::ops::Range;

/// A part of a resource: bytes of a buffer, or mips × slices of a texture. Ranges are half open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Bytes of a buffer.
    Bytes(Range<u64>),
    /// Every texel of some mip levels of some slices.
    Subresources {
        /// Mip levels.
        mips: Range<u32>,
        /// Array slices.
        slices: Range<u32>,
    },
}
