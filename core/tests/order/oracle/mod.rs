//! The rules once more, by brute force: scopes are predicates over positions, everything is compared with everything.
//!
//! Nothing here is shared with the engine but the program, its accesses and the order of release, which is an input of
//! both. What is before a node is what, kept from ending, keeps the node from starting, in any execution.
mod read;
mod scope;

use std::collections::HashMap;

use fencepost_core::program::{Locus, Program, Use};
use fencepost_core::{Order, Stage};

pub(crate) use scope::Shows;
use scope::{FULL, Scope, covers, hazard};

/// A position on a queue: a place in a pass (items at odd numbers, gaps at even ones) or behind a moment.
#[derive(Clone, Copy, PartialEq)]
struct Spot {
    queue: usize,
    at: (usize, usize),
    pass: Option<usize>,
}

#[derive(Default)]
struct Node {
    /// Predecessors; whether the edge makes writes visible is the successor's matter, but for direct edges.
    all: Vec<(usize, Shows)>,
    any: Option<Vec<usize>>,
}

struct Sync {
    node: usize,
    first: Scope,
    second: Scope,
    shows: Shows,
}

struct ItemOf {
    node: usize,
    spot: Spot,
    stage: Stage,
    tracked: bool,
    uses: Vec<Use>,
}

pub(crate) struct Oracle {
    nodes: Vec<Node>,
    pub(crate) items: HashMap<(Locus, Stage), usize>,
    pub(crate) steps: HashMap<u32, usize>,
}

impl Oracle {
    pub(crate) fn of(program: &Program, order: &Order) -> Self {
        let read = read::Reading::of(program, order);
        let mut oracle = read.oracle;
        oracle.connect(program, &read.syncs, &read.items, &read.spots);
        oracle
    }

    fn node(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    fn connect(&mut self, program: &Program, syncs: &[Sync], items: &[ItemOf], spots: &[Spot]) {
        for sync in syncs {
            for item in items {
                if (sync.first)(item.spot, item.stage) {
                    self.nodes[sync.node].all.push((item.node, sync.shows.clone()));
                }
                if (sync.second)(item.spot, item.stage) {
                    self.nodes[item.node].all.push((sync.node, Shows::Only(Vec::new())));
                }
            }
            for later in syncs.iter().filter(|later| later.node != sync.node) {
                let share = |spot: &Spot| {
                    Stage::EACH.iter().any(|s| (sync.second)(*spot, *s) && (later.first)(*spot, *s))
                };
                if spots.iter().any(share) {
                    self.nodes[later.node].all.push((sync.node, later.shows.clone()));
                }
            }
        }
        for (n, first) in items.iter().enumerate().filter(|(_, item)| item.tracked) {
            for second in
                items[n..].iter().filter(|second| second.tracked && second.spot.pass != first.spot.pass)
            {
                let hazard = |a: &Use| second.uses.iter().any(|b| hazard(program, a, b));
                if first.uses.iter().any(hazard) {
                    self.nodes[second.node].all.push((first.node, FULL));
                }
            }
        }
    }

    /// For every node, whether `first` is before it.
    pub(crate) fn after(&self, first: usize) -> Vec<bool> {
        self.grow(
            |node, fired| {
                let all = node.all.iter().all(|(before, _)| fired[*before]);
                all && node.any.as_ref().is_none_or(|any| any.iter().any(|before| fired[*before]))
            },
            |fired| fired[first] = false,
        )
        .iter()
        .enumerate()
        .map(|(node, fired)| node != first && !fired)
        .collect()
    }

    /// For every node, whether what `first` writes of this kind or resource is visible to it.
    pub(crate) fn seen(&self, first: usize, after: &[bool], asked: &Shows, program: &Program) -> Vec<bool> {
        let free = |node: &usize| *node != first && !after[*node];
        let unseen = self.grow(
            |node, unseen| {
                let all = node.all.iter().all(|(before, shows)| {
                    if covers(shows, asked, program) { free(before) } else { unseen[*before] }
                });
                all && node.any.as_ref().is_none_or(|any| any.iter().any(free))
            },
            |unseen| unseen[first] = true,
        );
        unseen.iter().map(|unseen| !unseen).collect()
    }

    /// The least set that a rule allows, grown from nothing.
    fn grow(&self, rule: impl Fn(&Node, &[bool]) -> bool, fix: impl Fn(&mut [bool])) -> Vec<bool> {
        let mut set = vec![false; self.nodes.len()];
        loop {
            let before = set.clone();
            for (index, node) in self.nodes.iter().enumerate() {
                set[index] = set[index] || rule(node, &set);
                fix(&mut set);
            }
            if set == before {
                return set;
            }
        }
    }
}
