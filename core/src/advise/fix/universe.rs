//! Everything that can be added to a small program, and what each reaches.
//!
//! The work of a program is numbered: its items and the steps of the CPU, at most 128 of them. A set of them is a word of bits.
use std::collections::{BTreeSet, HashMap};

use super::super::reach::{Passed, Place};
use super::super::weigh::threads;
use super::addition::{Addition, Cost, Kinds, PassPlace, commit_of, takes_events};
use super::choose::length;
use super::problem::{Problem, Trial};
use crate::order::is_serial;
use crate::program::{Locus, PassItem, PassKind, QueueIndex};
use crate::validate::conflicts::End;
use crate::{Moment, Stage, Stages};

/// The work of a program.
pub(super) struct Ground {
    all: Vec<Work>,
    numbers: HashMap<(Locus, Option<Stage>), usize>,
    /// For each, the others of its pass, or what follows on its thread.
    pub(super) passes: Vec<u128>,
    /// For each, what its queue or its thread has at or behind its place.
    pub(super) queues: Vec<u128>,
}

#[derive(Clone, Copy)]
enum Work {
    Item { locus: Locus, number: u8, stage: Stage, place: Place },
    Step { step: u32, thread: usize },
}

/// Something that can be added, and what it can hold: all that is in its first scope before all that is in its second.
pub(super) struct Candidate {
    pub(super) addition: Addition,
    pub(super) first: u128,
    pub(super) second: u128,
    /// What it costs with the fewest stages.
    pub(super) least: Cost,
}

impl Candidate {
    fn of(addition: Addition, first: u128, second: u128) -> Self {
        let (scope, stages) = addition.cost();
        Self { addition, first, second, least: (scope, stages.min(2)) }
    }

    /// Whether it reaches whatever another of its cost does, with nothing to be narrowed.
    pub(super) fn dominates(&self, other: &Self) -> bool {
        self.addition.stages().is_none()
            && self.least == other.least
            && other.first & !self.first == 0
            && other.second & !self.second == 0
    }

    /// Less for what reaches further.
    pub(super) const fn narrowness(&self) -> u32 {
        256 - self.first.count_ones() - self.second.count_ones()
    }
}

impl Ground {
    /// Nothing where there is too much work.
    pub(super) fn of(problem: &Problem<'_>) -> Option<Self> {
        let threads = threads(problem.program);
        let mut all = Vec::new();
        let mut last = None;
        let mut number = 0;
        for item in problem.order.items() {
            number = if last == Some(item.locus) { number + 1 } else { 0 };
            last = Some(item.locus);
            let place = problem.places.place(item.locus)?;
            all.push(Work::Item { locus: item.locus, number, stage: item.stage, place });
        }
        for moment in problem.order.moments() {
            if let Moment::Step(step) = *moment {
                all.push(Work::Step { step, thread: *threads.get(step as usize)? });
            }
        }
        if all.len() > 128 {
            return None;
        }
        let key = |work: &Work| match *work {
            Work::Item { locus, stage, .. } => (locus, Some(stage)),
            Work::Step { step, .. } => (Locus::Step(step), None),
        };
        let numbers = all.iter().map(key).zip(0..).collect();
        let group = |is: &dyn Fn(&Work, &Work) -> bool| {
            all.iter().map(|own| bits(&all, |other| is(own, other))).collect::<Vec<u128>>()
        };
        let passes = group(&|own, other| match (own, other) {
            (Work::Item { place: own, .. }, Work::Item { place: other, .. }) => {
                (own.buffer, own.pass) == (other.buffer, other.pass)
            }
            _ => follows(own, other),
        });
        let queues = group(&|own, other| match (own, other) {
            (Work::Item { place: own, .. }, Work::Item { place: other, .. }) => {
                own.queue == other.queue && own.number <= other.number
            }
            _ => follows(own, other),
        });
        Some(Self { all, numbers, passes, queues })
    }

    pub(super) fn number(&self, end: &End) -> Option<usize> {
        let stage = if matches!(end.at, Locus::Step(_)) { None } else { end.stage };
        self.numbers.get(&(end.at, stage)).copied()
    }

    pub(super) fn is_cpu(&self, number: usize) -> bool {
        matches!(self.all.get(number), Some(Work::Step { .. }))
    }

    /// For each, what is behind it with some additions.
    pub(super) fn after(&self, trial: &Trial) -> Vec<u128> {
        let node = |work: &Work| match *work {
            Work::Item { locus, number, .. } => trial
                .moved
                .to(locus)
                .and_then(|locus| trial.order.nodes(locus).get(usize::from(number)).copied()),
            Work::Step { step, .. } => {
                trial.moved.to(Locus::Step(step)).and_then(|locus| trial.order.nodes(locus).first().copied())
            }
        };
        let nodes: Vec<_> = self.all.iter().map(node).collect();
        let behind =
            |first| bits(&nodes, |second| second.is_some_and(|second| trial.order.ordered(first, second)));
        nodes.iter().map(|node| node.map_or(0, behind)).collect()
    }

    fn items(&self, is: impl Fn(&Place, Stage) -> bool) -> u128 {
        bits(&self.all, |work| matches!(work, Work::Item { place, stage, .. } if is(place, *stage)))
    }

    /// The steps of a step's thread up to it, or from it on.
    fn steps(&self, step: u32, on: bool) -> u128 {
        let thread = self.all.iter().find_map(|work| match *work {
            Work::Step { step: own, thread } if own == step => Some(thread),
            _ => None,
        });
        bits(&self.all, |work| match *work {
            Work::Step { step: own, thread: other } => {
                Some(other) == thread && if on { own >= step } else { own <= step }
            }
            Work::Item { .. } => false,
        })
    }
}

/// Whether one step is behind another on its thread.
const fn follows(own: &Work, other: &Work) -> bool {
    match (own, other) {
        (Work::Step { step: own, thread }, Work::Step { step: other, thread: same }) => {
            *thread == *same && *own <= *other
        }
        _ => false,
    }
}

fn bits<T>(all: &[T], is: impl Fn(&T) -> bool) -> u128 {
    all.iter().zip(0..).filter(|(own, _)| is(own)).fold(0, |set, (_, number)| set | 1 << number)
}

/// Every primitive, where it reaches furthest, with every stage there is.
pub(super) fn universe(problem: &Problem<'_>, ground: &Ground) -> Vec<Candidate> {
    let mut all = Vec::new();
    let passes = problem.places.passes();
    for &(pass, passed) in &passes {
        within(problem, ground, pass, &mut all);
        on_queue(problem, ground, pass, passed, &passes, &mut all);
    }
    let (signals, waits) = (signals(problem, &passes), held(problem, &passes));
    for &(from, sent) in &signals {
        let first = ground.items(|place, _| place.queue == sent.queue && place.number <= sent.number);
        for &(to, held) in waits.iter().filter(|(_, held)| held.queue != sent.queue) {
            let device = |queue: QueueIndex| problem.program.queues[queue.index()].device;
            let shared = device(sent.queue) != device(held.queue);
            let second = ground.items(|place, _| place.queue == held.queue && place.number >= held.number);
            all.push(Candidate::of(Addition::Event { from, to, shared }, first, second));
        }
    }
    with_cpu(ground, &signals, &waits, &mut all);
    all.retain(|own| own.first != 0 && own.second != 0);
    all
}

/// What makes a barrier visible that hides a write from an access that follows it.
pub(super) fn shows(problem: &Problem<'_>) -> Vec<Addition> {
    let mut all: Vec<Addition> = Vec::new();
    for conflict in problem.broken.iter().filter(|conflict| conflict.is_ordered(problem.order)) {
        let new = problem.all_hiding(&conflict.resources).into_iter().filter(|show| !all.contains(show));
        all.extend(new.collect::<Vec<_>>());
    }
    all
}

fn within(problem: &Problem<'_>, ground: &Ground, pass: PassPlace, all: &mut Vec<Candidate>) {
    let Some(body) = problem.program.pass(pass.0, pass.1) else { return };
    let mode = problem.program.command_buffers.get(pass.0.index());
    let mode = mode.and_then(|own| problem.program.queues.get(own.queue.index())).map(|queue| queue.mode);
    if mode.is_some_and(|mode| is_serial(body, mode)) {
        return;
    }
    let render = matches!(body.kind, PassKind::Render { .. });
    let late = if render { Stages::FRAGMENT | Stages::TILE } else { Stages::empty() };
    let before = stages(problem, pass);
    let after = before.difference(late);
    if after.is_empty() {
        return;
    }
    let kinds = Kinds { buffers: true, textures: true };
    for (_, at) in body.items.iter().zip(0..).skip(1).filter(|(item, _)| matches!(item, PassItem::Command(_)))
    {
        // What a primitive of the pass holds counts as waited for, wherever the work of its stage stands.
        let first = ground.items(|place, stage| in_pass(place, pass) && after.contains(stage.mask()));
        let second = ground.items(|place, _| in_pass(place, pass) && place.item >= at);
        all.push(Candidate::of(Addition::Barrier { pass, at, after, before, kinds }, first, second));
    }
}

fn on_queue(
    problem: &Problem<'_>,
    ground: &Ground,
    to: PassPlace,
    passed: Passed,
    passes: &[(PassPlace, Passed)],
    all: &mut Vec<Candidate>,
) {
    let own = stages(problem, to);
    let earlier =
        passes.iter().filter(|(_, other)| other.queue == passed.queue && other.number < passed.number);
    for &(from, _) in earlier {
        let after = stages(problem, from);
        if !after.is_empty() && !own.is_empty() {
            let update_at = length(problem, from);
            let fence = Addition::Fence { from, update_at, to, wait_at: 0, after, before: own };
            let first = ground.items(|place, _| in_pass(place, from));
            all.push(Candidate::of(fence, first, ground.items(|place, _| in_pass(place, to))));
        }
    }
    let some = |holds: &dyn Fn(u32) -> bool| {
        let on = passes.iter().filter(|(_, other)| other.queue == passed.queue && holds(other.number));
        on.fold(Stages::empty(), |set, (pass, _)| set | stages(problem, *pass))
    };
    let (after, before) = (some(&|number| number < passed.number), some(&|number| number >= passed.number));
    let first = ground.items(|place, _| place.queue == passed.queue && place.number < passed.number);
    let second = ground.items(|place, _| place.queue == passed.queue && place.number >= passed.number);
    all.push(Candidate::of(Addition::Consumer { pass: to, at: 0, after, before }, first, second));
}

/// Additions between the CPU and a queue, and between two threads.
fn with_cpu(
    ground: &Ground,
    signals: &[(PassPlace, Passed)],
    waits: &[(PassPlace, Passed)],
    all: &mut Vec<Candidate>,
) {
    let steps: Vec<(u32, usize)> = ground
        .all
        .iter()
        .filter_map(|work| match *work {
            Work::Step { step, thread } => Some((step, thread)),
            Work::Item { .. } => None,
        })
        .collect();
    for &(step, thread) in &steps {
        let (upto, on) = (ground.steps(step, false), ground.steps(step, true));
        for &(from, sent) in signals {
            let first = ground.items(|place, _| place.queue == sent.queue && place.number <= sent.number);
            all.push(Candidate::of(Addition::Watch { from, step }, first, on));
        }
        for &(to, held) in waits {
            let second = ground.items(|place, _| place.queue == held.queue && place.number >= held.number);
            all.push(Candidate::of(Addition::Release { step, to }, upto, second));
        }
        for &(second, _) in steps.iter().filter(|(_, other)| *other != thread) {
            all.push(Candidate::of(
                Addition::HandOver { first: step, second },
                upto,
                ground.steps(second, true),
            ));
        }
    }
}

/// The passes behind which signals can stand: on queues that take them between commits, the last of each commit.
fn signals(problem: &Problem<'_>, passes: &[(PassPlace, Passed)]) -> Vec<(PassPlace, Passed)> {
    let mut seen = BTreeSet::new();
    let last =
        passes.iter().rev().filter(|(pass, passed)| seen.insert((passed.queue, group(problem, *pass))));
    last.copied().collect()
}

/// The passes in front of which waits can stand: the first of each commit.
fn held(problem: &Problem<'_>, passes: &[(PassPlace, Passed)]) -> Vec<(PassPlace, Passed)> {
    let mut seen = BTreeSet::new();
    let first = passes.iter().filter(|(pass, passed)| seen.insert((passed.queue, group(problem, *pass))));
    first.copied().collect()
}

/// What has a place for event operations of its own: a pass, or a commit.
fn group(problem: &Problem<'_>, pass: PassPlace) -> (Option<PassPlace>, Option<u32>) {
    if takes_events(problem.program, pass.0) {
        (Some(pass), None)
    } else {
        (None, commit_of(problem.program, problem.order, pass.0))
    }
}

fn in_pass(place: &Place, pass: PassPlace) -> bool {
    (place.buffer, place.pass) == pass
}

/// The stages of a pass's work.
fn stages(problem: &Problem<'_>, (buffer, pass): PassPlace) -> Stages {
    let Some(body) = problem.program.pass(buffer, pass) else { return Stages::empty() };
    let own = if body.attachments_at().is_some() { Stages::FRAGMENT } else { Stages::empty() };
    body.items.iter().fold(own, |set, item| match item {
        PassItem::Command(command) => set | command.work.stages(),
        _ => set,
    })
}
