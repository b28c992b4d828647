//! Where a resource is bound.

/// A group and a binding in it, as in WGSL's `@group(0) @binding(3)`. A plain number is a binding of group 0.
///
/// ```
/// use fencepost::BindingIndex;
/// assert_eq!(BindingIndex::from(3), BindingIndex { group: 0, binding: 3 });
/// assert_eq!(BindingIndex::from((1, 2)), BindingIndex { group: 1, binding: 2 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BindingIndex {
    /// The group, from 0 to 3.
    pub group: u32,
    /// The binding, from 0 to 999.
    pub binding: u32,
}

impl BindingIndex {
    /// Its place in an encoder's table, which is dense for small indices of any group.
    #[inline]
    pub(crate) const fn slot(self) -> Option<u32> {
        if self.group <= MAX_GROUP && self.binding <= MAX_BINDING {
            Some(self.binding * (MAX_GROUP + 1) + self.group)
        } else {
            None
        }
    }
}

impl From<u32> for BindingIndex {
    fn from(binding: u32) -> Self {
        Self { group: 0, binding }
    }
}

impl From<(u32, u32)> for BindingIndex {
    fn from((group, binding): (u32, u32)) -> Self {
        Self { group, binding }
    }
}

/// The last group.
pub(crate) const MAX_GROUP: u32 = 3;
/// The last binding.
pub(crate) const MAX_BINDING: u32 = 999;
