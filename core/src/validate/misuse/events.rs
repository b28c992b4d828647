//! Signals that raise nothing: by then the event has the value, or a higher one (rules 6.2 and 6.12).
//!
//! Only a raise that certainly came before counts: one that is ordered before the signal, or one of the same queue, whose
//! signals are reached in turn. Of two others, each may be the one that raises.
use super::super::finding::{Finding, Misuse, Spot};
use super::super::names::Names;
use super::super::walk::{Scene, at};
use super::finding;
use crate::NodeId;
use crate::order::{Known, Played, Point};
use crate::program::{EventIndex, EventOperationKind, Locus, QueueIndex, Step};

/// For every event, the raises that a later one may fall short of.
#[derive(Clone, Debug, Default)]
pub(super) struct Raises(Vec<Vec<Raise>>);

#[derive(Clone, Debug)]
struct Raise {
    point: Point,
    value: u64,
    locus: Locus,
    queue: Option<QueueIndex>,
}

impl Raise {
    fn is_before(&self, later: &Self, known: &Known<'_>) -> bool {
        let one_queue = self.queue.is_some() && self.queue == later.queue;
        one_queue || known.ordered(self.point, NodeId(later.point.number))
    }
}

impl Raises {
    pub(super) fn name(&self, names: &mut Names) {
        for raise in self.0.iter().flatten() {
            names.point(raise.point);
            names.locus(raise.locus);
        }
    }

    pub(super) fn drop_event(&mut self, event: EventIndex) {
        at(&mut self.0, event.index()).clear();
    }

    pub(super) fn records(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    pub(super) fn see(&mut self, scene: &Scene<'_>, played: Played, findings: &mut Vec<Finding>) {
        let (event, value, locus, node) = match played {
            Played::Event { locus, node: Some(node) } => match scene.script.operation(locus) {
                Some(operation) if operation.kind == EventOperationKind::Signal => {
                    (operation.event, operation.value, locus, node)
                }
                _ => return,
            },
            Played::Step { number, node } => match scene.script.step(number) {
                Some(Step::SetSignaledValue { event, value }) => (*event, *value, Locus::Step(number), node),
                _ => return,
            },
            _ => return,
        };
        let (point, queue) = (scene.known.point(node), scene.script.queue_of(locus));
        self.note(event, Raise { point, value, locus, queue }, &scene.known, findings);
    }

    fn note(&mut self, event: EventIndex, raise: Raise, known: &Known<'_>, findings: &mut Vec<Finding>) {
        let own = at(&mut self.0, event.index());
        let reached = own
            .iter()
            .filter(|earlier| earlier.value >= raise.value && earlier.is_before(&raise, known))
            .max_by_key(|earlier| earlier.value);
        if reached.is_some() || raise.value == 0 {
            let first = reached.map(|earlier| Spot::At(earlier.locus));
            let reached = reached.map_or(0, |earlier| earlier.value);
            let misuse = Misuse::SignalNotIncreasing { value: raise.value, reached };
            findings.push(Finding { first, ..finding(misuse, Spot::At(raise.locus)) });
            return;
        }
        // What is lower and earlier says nothing any more.
        own.retain(|earlier| !earlier.is_before(&raise, known));
        if own.len() >= UNORDERED_MOST {
            own.remove(0);
        }
        own.push(raise);
    }
}

/// Raises of one event that nothing orders: the oldest beyond these is let go, and a later one that falls short of it alone
/// is not told.
const UNORDERED_MOST: usize = 64;
