//! The cheapest set of additions, for small programs: branch and bound.
//!
//! All primitives stand where they reach furthest and name every stage there is. For a conflict that is still broken there are *cuts*: sets of primitives of
//! which any set that mends has one, because every way from the first access to the second has to pass through it.
//!
//! - What begins a way: a primitive whose first scope holds the first access, or something behind it.
//! - What leaves its pass, or its queue: if all passes, or all queues and threads, were in order within, and the second access was still not reached.
//! - What ends on the CPU: a wait in front of the second access, or in front of something before it.
//!
//! The search branches over the smallest cut, and what one branch has tried is out of bounds for the next, so that no set is met
//! twice. Cuts that share nothing bound from below what is still to be paid. Of two primitives of which one reaches whatever the other does,
//! the other is only tried where the first makes something hang. Each set that mends is brought to its [least stages](super::narrow),
//! and the cheapest is the answer.
//!
//! Not tried are fences from queue to queue, of which Metal's texts disagree, chains through stages that no command has, and sets after which a queue
//! takes its work in another order.
use super::addition::{Addition, Cost, cost};
use super::narrow::narrowest;
use super::problem::{Problem, Trial};
use super::universe::{Candidate, Ground, shows, universe};
use crate::program::{BufferItem, PassItem, Program, UnknownName};
use crate::validate::conflicts::Conflict;

/// A set of additions, and whether no other is cheaper.
pub(super) struct Cheapest {
    pub(super) additions: Vec<Addition>,
    pub(super) is_least: bool,
}

/// The cheapest set, no dearer than `known`, which mends.
///
/// # Errors
/// The program names something that it does not declare.
pub(super) fn cheapest(problem: &Problem<'_>, known: Vec<Addition>) -> Result<Cheapest, UnknownName> {
    let Some(ground) = Ground::of(problem).filter(|_| is_small(problem.program)) else {
        return Ok(Cheapest { additions: known, is_least: false });
    };
    let universe = universe(problem, &ground);
    let out = vec![false; universe.len()];
    let cost = cost(&known);
    let shows = shows(problem);
    let mut search = Search { problem, ground, universe, shows, best: known, cost, out, left: MOST };
    search.from(&mut Vec::new())?;
    Ok(Cheapest { additions: search.best, is_least: search.left > 0 })
}

/// Whether a program is small enough for the search.
pub(super) fn is_small(program: &Program) -> bool {
    let items = program.command_buffers.iter().flat_map(|body| &body.items);
    let passes = items.filter_map(|item| match item {
        BufferItem::Pass(pass) => Some(pass),
        BufferItem::Event(_) => None,
    });
    let commands = passes.flat_map(|pass| &pass.items).filter(|item| matches!(item, PassItem::Command(_)));
    commands.count() <= COMMANDS
}

struct Search<'a> {
    problem: &'a Problem<'a>,
    ground: Ground,
    universe: Vec<Candidate>,
    /// Barriers that are there made visible: they cost no scope.
    shows: Vec<Addition>,
    best: Vec<Addition>,
    cost: Cost,
    /// What was tried in a branch beside.
    out: Vec<bool>,
    left: u32,
}

/// Candidates of which one is needed, by their numbers, and the least that one of them costs.
struct Cut {
    members: Vec<usize>,
    least: Cost,
}

impl Search<'_> {
    /// Tries all that a set can become; whether something hung on the way.
    fn from(&mut self, chosen: &mut Vec<usize>) -> Result<bool, UnknownName> {
        let paid = chosen.iter().fold((0, 0), |sum, own| add(sum, self.universe[*own].least));
        if paid >= self.cost {
            return Ok(false);
        }
        if self.left == 0 {
            return Ok(true);
        }
        self.left -= 1;
        let mut set = self.shows.clone();
        set.extend(chosen.iter().map(|own| self.universe[*own].addition.clone()));
        let trial = self.problem.trial(&set)?;
        if trial.hangs {
            return Ok(true);
        }
        if trial.rest.is_empty() {
            if let Some(narrow) = narrowest(self.problem, set, self.cost)? {
                self.cost = cost(&narrow);
                self.best = narrow;
            }
            return Ok(false);
        }
        let cuts = self.cuts(&trial, chosen);
        if add(paid, self.bound(&cuts)) >= self.cost {
            return Ok(false);
        }
        let smallest = cuts.into_iter().min_by_key(|cut| (cut.members.len(), std::cmp::Reverse(cut.least)));
        self.branch(smallest.map(|cut| cut.members).unwrap_or_default(), chosen)
    }

    fn branch(&mut self, mut members: Vec<usize>, chosen: &mut Vec<usize>) -> Result<bool, UnknownName> {
        members.sort_by_key(|own| (self.universe[*own].least, self.universe[*own].narrowness()));
        let mut tried: Vec<(usize, bool)> = Vec::new();
        for &own in &members {
            let reaches = |other: usize| self.universe[other].dominates(&self.universe[own]);
            if !tried.iter().any(|(other, hung)| !hung && reaches(*other)) {
                chosen.push(own);
                let hung = self.from(chosen)?;
                chosen.pop();
                tried.push((own, hung));
            }
            self.out[own] = true;
        }
        members.iter().for_each(|own| self.out[*own] = false);
        Ok(tried.iter().any(|(_, hung)| *hung))
    }

    fn cuts(&self, trial: &Trial, chosen: &[usize]) -> Vec<Cut> {
        let after = self.ground.after(trial);
        let cut = |passes: &dyn Fn(&Candidate) -> bool| {
            let own = (0..self.universe.len()).filter(|own| !self.out[*own] && !chosen.contains(own));
            let members: Vec<usize> = own.filter(|own| passes(&self.universe[*own])).collect();
            let least = members.iter().map(|own| self.universe[*own].least).min();
            // None is left: the bound says so.
            Cut { members, least: least.unwrap_or((u64::MAX / 2, 0)) }
        };
        let leaves = |held: u128| move |own: &Candidate| own.first & held != 0 && own.second & !held != 0;
        let mut cuts = Vec::new();
        for conflict in &trial.rest {
            let Some((x, y)) = self.ends(conflict) else { continue };
            let begun = after[x] | 1 << x;
            cuts.push(cut(&leaves(begun)));
            for groups in [&self.ground.passes, &self.ground.queues] {
                let closed = closure(1 << x, &after, groups);
                if closed >> y & 1 == 0 {
                    cuts.push(cut(&leaves(closed)));
                }
            }
            if self.ground.is_cpu(y) {
                let before = (0..after.len()).filter(|own| after[*own] >> y & 1 == 1);
                let ended = before.fold(1 << y, |set: u128, own| set | 1 << own);
                cuts.push(cut(&|own| own.second & ended != 0 && own.first & !ended != 0));
            }
        }
        cuts
    }

    fn ends(&self, conflict: &Conflict) -> Option<(usize, usize)> {
        self.ground.number(&conflict.first).zip(self.ground.number(&conflict.second))
    }

    /// What cuts that share nothing cost together.
    fn bound(&self, cuts: &[Cut]) -> Cost {
        let mut open: Vec<&Cut> = cuts.iter().collect();
        open.sort_by_key(|cut| (std::cmp::Reverse(cut.least), cut.members.len()));
        let mut met = vec![false; self.universe.len()];
        let mut sum = (0, 0);
        for cut in open {
            if cut.members.iter().all(|own| !met[*own]) {
                cut.members.iter().for_each(|own| met[*own] = true);
                sum = add(sum, cut.least);
            }
        }
        sum
    }
}

/// All that is behind some items where each group is in order as well.
fn closure(from: u128, after: &[u128], groups: &[u128]) -> u128 {
    let (mut all, mut open) = (from, from);
    while open != 0 {
        let next = open.trailing_zeros() as usize;
        let new = (after[next] | groups[next]) & !all;
        all |= new;
        open = (open & (open - 1)) | new;
    }
    all
}

const fn add(first: Cost, second: Cost) -> Cost {
    (first.0.saturating_add(second.0), first.1.saturating_add(second.1))
}

/// Programs with more commands than this are not searched.
const COMMANDS: usize = 8;
/// How many sets are tried; what is known by then is the answer, and is not called the least.
const MOST: u32 = 1 << 16;
