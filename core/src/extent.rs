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

impl Extent {
    /// Whether two parts of *one* resource share anything. Parts in different measures (bytes against mips) are
    /// taken to meet, since nothing says where a texel lies.
    ///
    /// ```
    /// use fencepost_core::Extent;
    /// let mip = |n| Extent::Subresources { mips: n..n + 1, slices: 0..1 };
    /// assert!(!mip(0).overlaps(&mip(1)));
    /// assert!(mip(1).overlaps(&Extent::Whole));
    /// assert!(!Extent::Bytes(0..4).overlaps(&Extent::Bytes(4..8)));
    /// ```
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            _ if self.is_empty() || other.is_empty() => false,
            (Self::Bytes(a), Self::Bytes(b)) => a.start < b.end && b.start < a.end,
            (Self::Subresources { mips: m, slices: s }, Self::Subresources { mips: n, slices: t }) => {
                m.start < n.end && n.start < m.end && s.start < t.end && t.start < s.end
            }
            _ => true,
        }
    }

    /// Whether nothing lies in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Whole => false,
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Subresources { mips, slices } => mips.is_empty() || slices.is_empty(),
        }
    }
}
