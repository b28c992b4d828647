//! Signals that raise nothing: by then the event has the value, or a higher one (rules 6.2 and 6.12).
//!
//! Only a raise that certainly came before counts: one that is ordered before the signal, or one of the same queue, whose
//! signals are reached in turn. Of two others, each may be the one that raises.
use super::super::finding::{Finding, Misuse, Spot};
use super::finding;
use crate::program::{
    BufferItem, EventIndex, EventOperation, EventOperationKind, Locus, Program, QueueIndex, Step,
};
use crate::{Moment, NodeId, Order};

struct Raise {
    node: NodeId,
    value: u64,
    locus: Locus,
    queue: Option<QueueIndex>,
}

impl Raise {
    fn is_before(&self, later: &Self, order: &Order) -> bool {
        (self.queue.is_some() && self.queue == later.queue) || order.ordered(self.node, later.node)
    }
}

pub(super) fn find(program: &Program, order: &Order, findings: &mut Vec<Finding>) {
    let steps = program.all_steps();
    let mut raises: Vec<Vec<Raise>> = program.events.iter().map(|_| Vec::new()).collect();
    for moment in order.moments() {
        let raise = match *moment {
            Moment::Event(locus) => operation(program, &steps, locus)
                .filter(|operation| operation.kind == EventOperationKind::Signal)
                // A queue's operation has two nodes at its place: the call, then the signal.
                .map(|operation| (operation.event, operation.value, locus, order.nodes(locus).last())),
            Moment::Step(number) => match steps.get(number as usize) {
                Some(Step::SetSignaledValue { event, value }) => {
                    let locus = Locus::Step(number);
                    Some((*event, *value, locus, order.nodes(locus).first()))
                }
                _ => None,
            },
            _ => None,
        };
        if let Some((event, value, locus, Some(&node))) = raise {
            note(
                &mut raises,
                event,
                Raise { node, value, locus, queue: queue(program, &steps, locus) },
                order,
                findings,
            );
        }
    }
}

fn note(
    raises: &mut [Vec<Raise>],
    event: EventIndex,
    raise: Raise,
    order: &Order,
    findings: &mut Vec<Finding>,
) {
    let own = &mut raises[event.index()];
    let reached = own
        .iter()
        .filter(|earlier| earlier.value >= raise.value && earlier.is_before(&raise, order))
        .max_by_key(|earlier| earlier.value);
    if reached.is_some() || raise.value == 0 {
        let first = reached.map(|earlier| Spot::At(earlier.locus));
        let reached = reached.map_or(0, |earlier| earlier.value);
        let misuse = Misuse::SignalNotIncreasing { value: raise.value, reached };
        findings.push(Finding { first, ..finding(misuse, Spot::At(raise.locus)) });
        return;
    }
    // What is lower and earlier says nothing any more.
    own.retain(|earlier| !earlier.is_before(&raise, order));
    own.push(raise);
}

fn operation<'a>(program: &'a Program, steps: &[&'a Step], locus: Locus) -> Option<&'a EventOperation> {
    match locus {
        Locus::Event { buffer, item } => {
            match program.command_buffers[buffer.index()].items.get(item as usize)? {
                BufferItem::Event(operation) => Some(operation),
                BufferItem::Pass(_) => None,
            }
        }
        Locus::Step(number) => match steps.get(number as usize)? {
            Step::QueueEvent { operation, .. } => Some(operation),
            _ => None,
        },
        Locus::PassItem { .. } | Locus::Pass { .. } => None,
    }
}

/// Whose signals an operation's is one of.
fn queue(program: &Program, steps: &[&Step], locus: Locus) -> Option<QueueIndex> {
    match locus {
        Locus::Event { buffer, .. } => Some(program.command_buffers[buffer.index()].queue),
        Locus::Step(number) => match steps.get(number as usize)? {
            Step::QueueEvent { queue, .. } => Some(*queue),
            _ => None,
        },
        Locus::PassItem { .. } | Locus::Pass { .. } => None,
    }
}
