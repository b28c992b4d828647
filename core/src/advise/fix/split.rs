//! Render passes that race with their own fragments: where to end them and go on in another.
//!
//! A tile-based GPU runs all vertices of a render pass before its fragments, so nothing in the pass can wait for a fragment or a
//! tile of it (rule 3.2.3): the pass has to end in between. Whatever else is added, a conflict within a pass is only
//! ordered by what stands in the pass between its two commands, so each such conflict needs an end there. The conflicts are intervals on the
//! pass, and the fewest ends that meet all of them are found from the left, each as far right as the first interval that is not met
//! allows: no program with fewer passes is clean.
use std::collections::{BTreeMap, HashSet};

use super::addition::PassPlace;
use super::edits::{Edits, Inserted, Insertion, Where};
use super::problem::{Problem, Relation};
use crate::Order;
use crate::program::{PassItem, Program};
use crate::validate::conflicts::{Conflict, Conflicts};

/// An end of a pass, and the conflicts that it lies between.
#[derive(Clone)]
pub(super) struct End {
    pub(super) pass: PassPlace,
    pub(super) at: u32,
    pub(super) between: Vec<Conflict>,
}

/// A conflict within a pass: the first place in front of which the pass may end, the last, and itself.
type Interval = (u32, u32, Conflict);

/// The ways to end passes as often as must be, at most so many, and whether these are all. Without passes to end, one way: none.
pub(super) fn alternatives(program: &Program, order: &Order, most: usize) -> (Vec<Vec<End>>, bool) {
    let mut ways = vec![Vec::new()];
    let mut all = true;
    for (pass, intervals) in intervals(program, order) {
        let least = from_the_left(&intervals);
        let mut own = Vec::new();
        let places = places(program, pass);
        choose(&intervals, &places, (least.len(), most), &mut Vec::new(), &mut own);
        if own.is_empty() || own.len() * ways.len() > most {
            own = vec![least];
            all = false;
        }
        let longer = |way: &Vec<End>| {
            let own = own.iter().map(|places| ends(pass, places, &intervals));
            own.map(|ends| way.iter().cloned().chain(ends).collect::<Vec<End>>()).collect::<Vec<_>>()
        };
        ways = ways.iter().flat_map(longer).collect();
    }
    (ways, all)
}

fn intervals(program: &Program, order: &Order) -> BTreeMap<PassPlace, Vec<Interval>> {
    let problem = Problem::of(program, order, core::iter::empty());
    let conflicts = Conflicts::of(program, order, &HashSet::new());
    let mut passes: BTreeMap<PassPlace, Vec<Interval>> = BTreeMap::new();
    for conflict in conflicts.racing.into_iter().chain(conflicts.stale) {
        if let Some(Relation::Pass(first, second)) = problem.relation(&conflict)
            && problem.needs_split(&conflict)
        {
            let own = passes.entry((first.buffer, first.pass)).or_default();
            own.push((first.behind, second.in_front, conflict));
        }
    }
    passes
}

/// The fewest places that meet all intervals, each as far right as it may be.
fn from_the_left(intervals: &[Interval]) -> Vec<u32> {
    let mut places: Vec<u32> = Vec::new();
    let mut open: Vec<(u32, u32)> = intervals.iter().map(|(first, last, _)| (*last, *first)).collect();
    open.sort_unstable();
    for (last, first) in open {
        if places.last().is_none_or(|place| *place < first) {
            places.push(last);
        }
    }
    places
}

/// The places in front of the commands of a pass.
fn places(program: &Program, pass: PassPlace) -> Vec<u32> {
    let items = program.pass(pass.0, pass.1).into_iter().flat_map(|pass| &pass.items);
    let commands = (0..).zip(items).filter(|(_, item)| matches!(item, PassItem::Command(_)));
    commands.map(|(place, _)| place).collect()
}

/// Every choice of so many places that meets all intervals, or more choices than are asked for.
fn choose(
    intervals: &[Interval],
    places: &[u32],
    (count, most): (usize, usize),
    own: &mut Vec<u32>,
    all: &mut Vec<Vec<u32>>,
) {
    let met = |(first, last, _): &Interval| own.iter().any(|place| first <= place && place <= last);
    let Some((first, last, _)) = intervals.iter().filter(|interval| !met(interval)).min_by_key(|own| own.1)
    else {
        if own.len() == count {
            all.push(own.clone());
        }
        return;
    };
    if own.len() == count || all.len() > most {
        return;
    }
    // Places rise, so that no choice comes twice.
    let behind = own.last().copied();
    for place in places.iter().filter(|place| first <= *place && *place <= last && Some(**place) > behind) {
        own.push(*place);
        choose(intervals, places, (count, most), own, all);
        own.pop();
    }
}

fn ends(pass: PassPlace, places: &[u32], intervals: &[Interval]) -> Vec<End> {
    let mut ends: Vec<End> = places.iter().map(|at| End { pass, at: *at, between: Vec::new() }).collect();
    for (first, last, conflict) in intervals {
        if let Some(end) = ends.iter_mut().find(|end| *first <= end.at && end.at <= *last) {
            end.between.push(conflict.clone());
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
