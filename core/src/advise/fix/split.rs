//! Render passes that race with their own fragments: where to end them and go on in another.
//!
//! A tile-based GPU runs all vertices of a render pass before its fragments, so nothing in the pass can wait for a fragment or a
//! tile of it (rule 3.3.7): the pass has to end in between. Whatever else is added, a conflict within a pass is only
//! ordered by what stands in the pass between its two commands, so each such conflict needs an end there. The conflicts are intervals on the
//! pass, and the fewest ends that meet all of them are found from the left, each as far right as the first interval that is not met
//! allows: no program with fewer passes is clean.
use std::collections::{BTreeMap, HashSet};

use super::addition::PassPlace;
use super::edits::{Edits, Inserted, Insertion, Where};
use super::problem::{Problem, Relation};
use crate::Order;
use crate::program::Program;
use crate::validate::conflicts::{Conflict, Conflicts};

/// An end of a pass, and the conflicts that it lies between.
pub(super) struct End {
    pub(super) pass: PassPlace,
    pub(super) at: u32,
    pub(super) between: Vec<Conflict>,
}

/// The ends that a program lacks.
pub(super) fn ends(program: &Program, order: &Order) -> Vec<End> {
    let problem = Problem::of(program, order, core::iter::empty());
    let conflicts = Conflicts::of(program, order, &HashSet::new());
    let mut passes: BTreeMap<PassPlace, Vec<(u32, u32, Conflict)>> = BTreeMap::new();
    for conflict in conflicts.racing.into_iter().chain(conflicts.stale) {
        if let Some(Relation::Pass(first, second)) = problem.relation(&conflict)
            && problem.needs_split(&conflict)
        {
            let own = passes.entry((first.buffer, first.pass)).or_default();
            own.push((second.in_front, first.behind, conflict));
        }
    }
    let mut ends = Vec::new();
    for (pass, mut own) in passes {
        own.sort();
        while let Some(&(at, ..)) = own.first() {
            let met = own.extract_if(.., |(in_front, behind, _)| *behind <= at && at <= *in_front);
            ends.push(End { pass, at, between: met.map(|(_, _, conflict)| conflict).collect() });
        }
    }
    ends
}

/// Ends as insertions, each with a number of its own.
pub(super) fn edits(ends: &[End]) -> Edits {
    let insertions = ends.iter().map(|end| {
        let at = Where::Pass(end.pass.0, end.pass.1, end.at);
        Insertion { at, item: Inserted::NewPass }
    });
    Edits { insertions: insertions.enumerate().collect(), ..Edits::default() }
}
