//! A first set of additions that orders everything, for programs of any size.
//!
//! Conflicts within one pass, within one queue, or from one queue to another are intervals on a line, and a barrier or an event
//! is a point on it: the fewest points that meet all intervals are found from the left, each as far right as the first interval
//! that is not met allows. On a queue a point is a queue barrier where it meets conflicts of several pairs of passes, else a
//! fence.
use std::collections::{BTreeMap, BTreeSet};

use super::super::reach::Place;
use super::addition::{Addition, Kinds, PassPlace};
use super::problem::{Problem, Relation};
use crate::Stages;
use crate::program::{QueueIndex, QueueMode};
use crate::validate::conflicts::Conflict;

/// A conflict on a line.
#[derive(Clone, Copy)]
struct Interval {
    first: Place,
    second: Place,
    stages: (Stages, Stages),
    kinds: Kinds,
}

/// Additions for these conflicts.
pub(in crate::advise) fn choose(problem: &Problem<'_>, broken: &[Conflict]) -> Vec<Addition> {
    let mut chosen = Vec::new();
    let mut passes: BTreeMap<PassPlace, Vec<Interval>> = BTreeMap::new();
    let mut queues: BTreeMap<QueueIndex, Vec<Interval>> = BTreeMap::new();
    let mut pairs: BTreeMap<(QueueIndex, QueueIndex, bool), Vec<Interval>> = BTreeMap::new();
    for conflict in broken {
        let hiding = problem.hiding(conflict);
        if let Some(show) = hiding.first() {
            if !chosen.contains(show) {
                chosen.push(show.clone());
            }
            continue;
        }
        let interval = |first, second| Interval {
            first,
            second,
            stages: problem.stages(conflict),
            kinds: problem.kinds(conflict),
        };
        match problem.relation(conflict) {
            Some(Relation::Pass(first, second)) => {
                passes.entry((first.buffer, first.pass)).or_default().push(interval(first, second));
            }
            Some(Relation::Queue(first, second)) => {
                queues.entry(first.queue).or_default().push(interval(first, second));
            }
            Some(Relation::Queues { first, second, shared }) => {
                let key = (first.queue, second.queue, shared);
                pairs.entry(key).or_default().push(interval(first, second));
            }
            Some(relation) => {
                let addition = with_cpu(problem, relation);
                chosen.extend(addition.filter(|addition| !chosen.contains(addition)));
            }
            None => {}
        }
    }
    passes.into_iter().for_each(|(pass, intervals)| within_pass(pass, intervals, &mut chosen));
    queues.into_iter().for_each(|(queue, intervals)| on_queue(problem, queue, intervals, &mut chosen));
    for ((from, _, shared), intervals) in pairs {
        between_queues(problem, from, shared, intervals, &mut chosen);
    }
    chosen
}

/// What orders a conflict with the CPU.
pub(super) fn with_cpu(problem: &Problem<'_>, relation: Relation) -> Option<Addition> {
    match relation {
        Relation::ToCpu { first, step } if problem.has_ended(first.buffer, step) => {
            Some(Addition::Completion { buffer: first.buffer, step })
        }
        Relation::ToCpu { first, step } => Some(Addition::Watch { from: (first.buffer, first.pass), step }),
        Relation::FromCpu { step, second } => {
            Some(Addition::Release { step, to: (second.buffer, second.pass) })
        }
        Relation::Cpu { first, second } => Some(Addition::HandOver { first, second }),
        Relation::Pass(..) | Relation::Queue(..) | Relation::Queues { .. } => None,
    }
}

fn within_pass(pass: PassPlace, mut intervals: Vec<Interval>, chosen: &mut Vec<Addition>) {
    intervals.sort_by_key(|interval| interval.second.in_front);
    while let Some(next) = intervals.first() {
        let at = next.second.in_front;
        let met = |interval: &mut Interval| interval.first.behind <= at && at <= interval.second.in_front;
        let (stages, kinds) = union(intervals.extract_if(.., met));
        chosen.push(Addition::Barrier { pass, at, after: stages.0, before: stages.1, kinds });
    }
}

fn on_queue(
    problem: &Problem<'_>,
    queue: QueueIndex,
    mut intervals: Vec<Interval>,
    chosen: &mut Vec<Addition>,
) {
    let explicit = problem.program.queues[queue.index()].mode == QueueMode::Explicit;
    intervals.sort_by_key(|interval| (interval.second.number, interval.first.number));
    while let Some(&Interval { first, second, .. }) = intervals.first() {
        let at = second.number;
        let meets = |interval: &Interval| interval.first.number < at && at <= interval.second.number;
        let met: Vec<&Interval> = intervals.iter().filter(|interval| meets(interval)).collect();
        let pass = |place: &Place| (place.buffer, place.pass);
        let froms: BTreeSet<PassPlace> = met.iter().map(|interval| pass(&interval.first)).collect();
        let tos: BTreeSet<PassPlace> = met.iter().map(|interval| pass(&interval.second)).collect();
        if froms.len() == 1 && tos.len() == 1 {
            let pair = |interval: &mut Interval| {
                interval.first.number == first.number && interval.second.number == second.number
            };
            let ((after, before), _) = union(intervals.extract_if(.., pair));
            chosen.push(Addition::Fence {
                from: pass(&first),
                update_at: length(problem, pass(&first)),
                to: pass(&second),
                wait_at: 0,
                after,
                before,
            });
            continue;
        }
        let from = if froms.len() == 1 && explicit { froms.first().copied() } else { None };
        let ((after, before), _) = union(intervals.extract_if(.., |interval| meets(interval)));
        chosen.push(match from {
            Some(pass) => Addition::Producer { pass, at: length(problem, pass), after, before },
            None => Addition::Consumer { pass: pass(&second), at: 0, after, before },
        });
    }
}

fn between_queues(
    problem: &Problem<'_>,
    from: QueueIndex,
    shared: bool,
    mut intervals: Vec<Interval>,
    chosen: &mut Vec<Addition>,
) {
    intervals.sort_by_key(|interval| interval.second.time);
    while let Some(next) = intervals.first() {
        let (time, to) = (next.second.time, (next.second.buffer, next.second.pass));
        let met: Vec<Interval> = intervals
            .extract_if(.., |interval| interval.first.time < time && time <= interval.second.time)
            .collect();
        // The signal stands as late as it may: behind the last pass of its queue that is played before.
        let passes = problem.places.passes();
        let before = passes.iter().filter(|(_, passed)| passed.queue == from && passed.time < time);
        let last = before.map(|(pass, _)| *pass).next_back();
        let own = met.iter().max_by_key(|interval| interval.first.time);
        let own = own.map(|interval| (interval.first.buffer, interval.first.pass));
        if let Some(from) = last.or(own) {
            chosen.push(Addition::Event { from, to, shared });
        }
    }
}

fn union(intervals: impl Iterator<Item = Interval>) -> ((Stages, Stages), Kinds) {
    let (mut stages, mut kinds) = ((Stages::empty(), Stages::empty()), Kinds::default());
    for interval in intervals {
        stages = (stages.0 | interval.stages.0, stages.1 | interval.stages.1);
        kinds.buffers |= interval.kinds.buffers;
        kinds.textures |= interval.kinds.textures;
    }
    (stages, kinds)
}

pub(super) fn length(problem: &Problem<'_>, (buffer, pass): PassPlace) -> u32 {
    problem.program.pass(buffer, pass).map_or(0, |pass| pass.items.len() as u32)
}
