//! What releases a wait that hangs: the signal that it lacks, a signal in front of it, a commit; at last, no wait.
//!
//! What the author meant is not known, so the proposals are tried in a fixed order, and the first after which the wait
//! and those behind it no longer hang is taken.
use super::misuse::{event_operation, with_value};
use super::{Change, Mending, after_step, before_step, commit_of, into_buffer, last_step};
use crate::Order;
use crate::program::{
    BufferItem, CommandBufferIndex, EventIndex, EventOperation, EventOperationKind, Locus, Program,
    QueueIndex, Step,
};
use crate::validate::{Finding, Spot, Stuck, StuckReason};

pub(super) fn mending(program: &Program, finding: &Finding, stuck: &Stuck) -> Option<Mending> {
    let Some(Spot::At(wait)) = finding.second else { return None };
    let mut proposals = Vec::new();
    match &stuck.reason {
        StuckReason::NeverSignalled { value, highest } => {
            let event = awaited(program, wait).map(|(event, _)| event);
            proposals.extend(event.map(|event| given(program, wait, event, *value, *highest)));
        }
        StuckReason::NeverNotified { notification, value, highest } => {
            let event = awaited(program, *notification).map(|(event, _)| event);
            proposals.extend(event.map(|event| given(program, *notification, event, *value, *highest)));
        }
        StuckReason::OwnFuture { signal } => proposals.push(vec![in_front(program, wait, *signal)]),
        StuckReason::Cycle(all) => proposals.push(broken(program, all)),
        StuckReason::NeverCommitted(buffer) => {
            let commit = || Step::Commit(vec![*buffer]);
            let here = match wait {
                Locus::Step(number) => Some(before_step(number, commit())),
                _ => None,
            };
            let last = last_step(program).map(|step| after_step(step, commit()));
            proposals.push(here.into_iter().chain(last).map(|change| Some(vec![change])).collect());
        }
    }
    let proposals = proposals.into_iter().flatten().flatten().map(Mending::changing);
    let before = hanging(program)?;
    let dropped = Mending::changing([Change::Drop(wait)]);
    proposals
        .chain([dropped])
        .find(|mending| hanging(&mending.applied(program)).is_some_and(|after| after < before))
}

/// How many waits hang; nothing where the changes have made no program.
fn hanging(program: &Program) -> Option<usize> {
    Order::of(program).ok().map(|order| order.stuck().len())
}

type Proposal = Option<Vec<Change>>;

/// What a place waits for.
fn awaited(program: &Program, locus: Locus) -> Option<(EventIndex, u64)> {
    if let Some(operation) = super::misuse::operation(program, locus) {
        return Some((operation.event, operation.value));
    }
    let Locus::Step(number) = locus else { return None };
    match program.all_steps().get(number as usize)? {
        Step::WaitUntilSignaled { event, value, .. } | Step::Notify { event, value, .. } => {
            Some((*event, *value))
        }
        _ => None,
    }
}

/// Every signal of an event with its value.
fn signals(program: &Program, event: EventIndex) -> Vec<(Locus, u64)> {
    let mut all = Vec::new();
    for (body, number) in program.command_buffers.iter().zip(0..) {
        for (item, place) in body.items.iter().zip(0..) {
            let BufferItem::Event(own) = item else { continue };
            if own.event == event && own.kind == EventOperationKind::Signal {
                let locus = Locus::Event { buffer: CommandBufferIndex(number), item: place };
                all.push((locus, own.value));
            }
        }
    }
    for (step, number) in program.all_steps().iter().zip(0..) {
        match step {
            Step::QueueEvent { operation: own, .. }
                if own.event == event && own.kind == EventOperationKind::Signal =>
            {
                all.push((Locus::Step(number), own.value));
            }
            Step::SetSignaledValue { event: own, value } if *own == event => {
                all.push((Locus::Step(number), *value));
            }
            _ => {}
        }
    }
    all
}

/// The value: by the highest signal that there is, by the end of another queue's work, by the CPU.
fn given(
    program: &Program,
    wait: Locus,
    event: EventIndex,
    value: u64,
    highest: Option<u64>,
) -> Vec<Proposal> {
    let mut all = Vec::new();
    if highest.is_some_and(|highest| highest < value) {
        let signals = signals(program, event);
        let highest = signals.iter().max_by_key(|signal| signal.1);
        all.push(highest.and_then(|(locus, _)| with_value(program, *locus, |own| *own = value)));
    }
    let own = queue_of(program, wait);
    let operation = EventOperation { label: None, event, value, kind: EventOperationKind::Signal };
    for (number, body) in program.command_buffers.iter().enumerate().rev() {
        if Some(body.queue) == own {
            continue;
        }
        let place = (CommandBufferIndex(number as u32), body.items.len() as u32);
        all.push(event_operation(program, place, operation.clone()).map(|change| vec![change]));
    }
    if program.events.get(event.index()).is_some_and(|event| event.shared) {
        let signal = || Step::SetSignaledValue { event, value };
        let step = match wait {
            Locus::Step(number) => match program.all_steps().get(number as usize) {
                Some(Step::WaitUntilSignaled { .. }) => Some(before_step(number, signal())),
                _ => Some(after_step(number, signal())),
            },
            Locus::Event { buffer, .. } => commit_of(program, buffer).map(|step| after_step(step, signal())),
            Locus::PassItem { .. } | Locus::Pass { .. } => None,
        };
        all.push(step.map(|change| vec![change]));
    }
    all
}

/// A signal goes in front of a wait.
fn in_front(program: &Program, wait: Locus, signal: Locus) -> Proposal {
    let put = match wait {
        Locus::Event { buffer, item } => {
            let own = super::misuse::operation(program, signal)?;
            into_buffer(buffer, item, BufferItem::Event(own))
        }
        Locus::Step(number) => {
            let steps = program.all_steps();
            let step = match signal {
                Locus::Step(signal) => (*steps.get(signal as usize)?).clone(),
                Locus::Event { buffer, .. } => {
                    // The command buffer with the signal is committed behind the wait: its commit goes in front.
                    let commit = commit_of(program, buffer)?;
                    let step = (*steps.get(commit as usize)?).clone();
                    return Some(vec![before_step(number, step), Change::Drop(Locus::Step(commit))]);
                }
                Locus::PassItem { .. } | Locus::Pass { .. } => return None,
            };
            before_step(number, step)
        }
        Locus::PassItem { .. } | Locus::Pass { .. } => return None,
    };
    Some(vec![put, Change::Drop(signal)])
}

/// One of the waits of a cycle stands behind the signal that another waits for.
fn broken(program: &Program, all: &[Locus]) -> Vec<Proposal> {
    let next = all.iter().skip(1).chain(all.first());
    let link = |(wait, next): (&Locus, &Locus)| -> Vec<Proposal> {
        let Some((event, value)) = awaited(program, *wait) else { return Vec::new() };
        let queue = queue_of(program, *next);
        let signals = signals(program, event).into_iter().filter(|(_, own)| *own >= value);
        let same = signals.filter(|(locus, _)| queue.is_none() || queue_of(program, *locus) == queue);
        same.map(|(signal, _)| in_front(program, *next, signal)).collect()
    };
    all.iter().zip(next).flat_map(link).collect()
}

fn queue_of(program: &Program, locus: Locus) -> Option<QueueIndex> {
    match locus {
        Locus::Event { buffer, .. } => program.command_buffers.get(buffer.index()).map(|body| body.queue),
        Locus::Step(number) => match program.all_steps().get(number as usize)? {
            Step::QueueEvent { queue, .. } => Some(*queue),
            _ => None,
        },
        Locus::PassItem { .. } | Locus::Pass { .. } => None,
    }
}
