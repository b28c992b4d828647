//! Stale accesses: ordered behind a write, but no operation on the way makes the write visible.
//!
//! A barrier asked for visibility `none` orders without freshness, and a memory barrier shows only the kinds of
//! resource or the resources that it names. A read then may see what was there before, and of two writes the first
//! may land last. A write behind a read needs order alone. Where the two accesses have different names for the same bytes,
//! the write must be visible under both.
use super::walk::Mark;
use crate::order::Known;

/// Whether what the earlier of two ordered, conflicting accesses writes may be missed by the later.
pub(super) fn is(earlier: &Mark, later: &Mark, known: &Known<'_>) -> bool {
    let seen = |resource| known.visible_to(earlier.point, later.node(), resource);
    let both = || seen(earlier.resource) && (later.resource == earlier.resource || seen(later.resource));
    earlier.kind.writes() && !both()
}
