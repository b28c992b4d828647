//! Races: two accesses of the same bytes, one of them a write, and neither ordered before the other.
//!
//! The accesses may be of commands in one pass, of passes, of queues or devices, or of the CPU; aliased and shared
//! memory counts as the same bytes. Atomics do not race with atomics, and attachments of one pass do not race. Accesses of
//! one command are that command's own affair: nothing outside could order them.
use super::walk::Mark;
use crate::order::Known;

/// Whether two conflicting accesses, given in the order of a play, race. A play is a legal execution, so the later one is
/// never ordered before the earlier.
pub(super) fn is(earlier: &Mark, later: &Mark, known: &Known<'_>) -> bool {
    !known.ordered(earlier.point, later.node())
}
