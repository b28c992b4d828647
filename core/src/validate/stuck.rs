//! Stuck waits: nothing in the document will ever release them.
//!
//! The play stops where nothing can go on. Each wait that is left then has a reason: no signal gives the value at all, or every
//! signal that does stands behind a wait that is left, its own or another's, in a command buffer that is never committed, or in a
//! notification that nothing triggers.
//! Following "stands behind" from wait to wait either ends at such a reason or comes back: a cycle. Waits that only
//! stand behind a stuck one are its consequences, and told with it.
use std::collections::HashSet;

use super::finding::{Finding, Kind, Spot, Stuck, StuckReason};
use crate::order::Script;
use crate::program::{
    BufferItem, CommandBufferIndex, EventIndex, EventOperationKind, Locus, Program, QueueIndex, Step,
};
use crate::{Moment, Order};

/// How far a play has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// For every step, the last step before it on its thread; the step that starts the thread for the first.
    pub(super) previous: Vec<Option<u32>>,
    /// Steps that the CPU did.
    pub(super) played: HashSet<Locus>,
    /// Event operations that a queue came past.
    pub(super) passed: HashSet<Locus>,
    pub(super) begun: HashSet<CommandBufferIndex>,
    pub(super) ended: HashSet<CommandBufferIndex>,
    /// The highest value each event was raised to by what is not remembered.
    pub(super) reached: Vec<u64>,
}

impl Progress {
    pub(super) fn of(program: &Program, order: &Order) -> Self {
        let mut progress = Self::default();
        link(&program.steps, None, &mut progress.previous);
        for moment in order.moments() {
            match *moment {
                Moment::Step(number) => {
                    progress.played.insert(Locus::Step(number));
                }
                Moment::Begin(buffer) => {
                    progress.begun.insert(buffer);
                }
                Moment::End(buffer) => {
                    progress.ended.insert(buffer);
                }
                Moment::Event(locus) => {
                    progress.passed.insert(locus);
                }
                Moment::Pass(..) => {}
            }
        }
        progress
    }
}

struct Left<'a> {
    script: Script<'a>,
    program: &'a Program,
    progress: &'a Progress,
    waits: &'a [Locus],
}

/// What keeps something from being played.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Wait(Locus),
    Uncommitted(CommandBufferIndex),
    /// A notification or a thread that has not started for a wait that the CPU does not block on.
    Notify {
        step: u32,
        event: EventIndex,
        value: u64,
    },
}

/// Why each of these waits, at which a play has come to rest, is never released.
pub(super) fn find(script: Script<'_>, waits: &[Locus], progress: &Progress, findings: &mut Vec<Finding>) {
    let left = Left { script, program: script.program, progress, waits };
    let mut told: HashSet<Locus> = HashSet::new();
    let mut found: Vec<(Locus, StuckReason)> = Vec::new();
    for &wait in waits {
        if told.contains(&wait) {
            continue;
        }
        if let Some(reason) = left.reason(wait) {
            match &reason {
                StuckReason::Cycle(all) => told.extend(all),
                _ => {
                    told.insert(wait);
                }
            }
            found.push((wait, reason));
        }
    }
    for &(wait, ref reason) in &found {
        let own = |locus: &Locus| {
            *locus == wait || matches!(reason, StuckReason::Cycle(all) if all.contains(locus))
        };
        let follows = |locus: &&Locus| !told.contains(locus) && left.reaches(**locus, &own);
        let behind: Vec<Locus> = waits.iter().filter(follows).copied().collect();
        let first = match reason {
            StuckReason::OwnFuture { signal } => Some(Spot::At(*signal)),
            StuckReason::NeverCommitted(buffer) => Some(Spot::CommandBuffer(*buffer)),
            StuckReason::Cycle(all) => all.get(1).map(|locus| Spot::At(*locus)),
            StuckReason::NeverNotified { notification, .. } => Some(Spot::At(*notification)),
            StuckReason::NeverSignalled { .. } => None,
        };
        findings.push(Finding {
            kind: Kind::Stuck(Stuck { reason: reason.clone(), behind }),
            first,
            second: Some(Spot::At(wait)),
            resource: None,
            extent: None,
        });
    }
}

impl<'a> Left<'a> {
    /// Why a wait is never released, unless it is only a consequence of another's being stuck.
    fn reason(&self, wait: Locus) -> Option<StuckReason> {
        if let Some((event, value)) = self.awaited(wait) {
            let signals = self.signals(event);
            let enough: Vec<Locus> =
                signals.iter().filter(|(_, given)| *given >= value).map(|(locus, _)| *locus).collect();
            if enough.is_empty() {
                let reached =
                    self.progress.reached.get(event.index()).copied().filter(|reached| *reached > 0);
                let highest = signals.iter().map(|(_, given)| *given).chain(reached).max();
                return Some(StuckReason::NeverSignalled { value, highest });
            }
            if enough.iter().all(|signal| self.behind(*signal) == Some(Behind::Wait(wait))) {
                return Some(StuckReason::OwnFuture { signal: enough[0] });
            }
        }
        if let Some(cycle) = self.cycle(wait) {
            return Some(StuckReason::Cycle(cycle));
        }
        let roots = self.roots(wait);
        let uncommitted = roots.iter().find_map(|behind| match behind {
            Behind::Uncommitted(buffer) => Some(StuckReason::NeverCommitted(*buffer)),
            Behind::Wait(_) | Behind::Notify { .. } => None,
        });
        let follows = roots.iter().any(|behind| matches!(behind, Behind::Wait(_)));
        uncommitted.or_else(|| if follows { None } else { self.silent(&roots) })
    }

    /// The notification that nothing triggers: one whose value nobody signals, or else the first.
    fn silent(&self, roots: &[Behind]) -> Option<StuckReason> {
        let notified = roots.iter().filter_map(|behind| match *behind {
            Behind::Notify { step, event, value } => {
                let highest = self.signals(event).iter().map(|(_, given)| *given).max();
                Some(StuckReason::NeverNotified { notification: Locus::Step(step), value, highest })
            }
            Behind::Wait(_) | Behind::Uncommitted(_) => None,
        });
        let all: Vec<StuckReason> = notified.collect();
        let missing = |reason: &&StuckReason| match reason {
            StuckReason::NeverNotified { value, highest, .. } => {
                highest.is_none_or(|highest| highest < *value)
            }
            _ => false,
        };
        all.iter().find(missing).or_else(|| all.first()).cloned()
    }

    /// What a wait waits for, directly: what keeps each of its signals, or its command buffer's end.
    fn next(&self, wait: Locus) -> Vec<Behind> {
        match (self.awaited(wait), self.step(wait)) {
            (Some((event, value)), _) => self.keeping(event, value),
            (None, Some(Step::WaitUntilCompleted(buffer))) => {
                self.buffer_behind(*buffer).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn keeping(&self, event: EventIndex, value: u64) -> Vec<Behind> {
        let signals = self.signals(event);
        let enough = signals.iter().filter(|(_, given)| *given >= value);
        enough.filter_map(|(signal, _)| self.behind(*signal)).collect()
    }

    /// All that keeps a wait from being released, notifications that have not started and what keeps those included.
    fn roots(&self, wait: Locus) -> Vec<Behind> {
        let (mut open, mut found) = (self.next(wait), Vec::new());
        while let Some(behind) = open.pop() {
            if found.contains(&behind) {
                continue;
            }
            found.push(behind);
            if let Behind::Notify { event, value, .. } = behind {
                open.extend(self.keeping(event, value));
            }
        }
        found
    }

    /// The waits that one waits for, through notifications too.
    fn waits_for(&self, wait: Locus) -> Vec<Locus> {
        let waits = self.roots(wait).into_iter().filter_map(|behind| match behind {
            Behind::Wait(locus) => Some(locus),
            Behind::Notify { .. } | Behind::Uncommitted(_) => None,
        });
        let mut found: Vec<Locus> = waits.collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The shortest way from a wait back to itself.
    fn cycle(&self, wait: Locus) -> Option<Vec<Locus>> {
        let mut paths = vec![vec![wait]];
        let mut seen = HashSet::from([wait]);
        while !paths.is_empty() {
            let mut longer = Vec::new();
            for path in paths {
                let Some(&last) = path.last() else { continue };
                for next in self.waits_for(last) {
                    if next == wait {
                        return Some(path);
                    }
                    if seen.insert(next) {
                        let mut path = path.clone();
                        path.push(next);
                        longer.push(path);
                    }
                }
            }
            paths = longer;
        }
        None
    }

    /// Whether a wait waits, over whatever others, for one of some.
    fn reaches(&self, wait: Locus, goal: &dyn Fn(&Locus) -> bool) -> bool {
        let (mut open, mut seen) = (vec![wait], HashSet::from([wait]));
        while let Some(next) = open.pop() {
            for other in self.waits_for(next) {
                if goal(&other) {
                    return true;
                }
                if seen.insert(other) {
                    open.push(other);
                }
            }
        }
        false
    }

    fn step(&self, locus: Locus) -> Option<&'a Step> {
        match locus {
            Locus::Step(number) => self.script.step(number),
            _ => None,
        }
    }

    fn awaited(&self, wait: Locus) -> Option<(EventIndex, u64)> {
        if let Some(Step::WaitUntilSignaled { event, value, .. }) = self.step(wait) {
            return Some((*event, *value));
        }
        let operation = self.script.operation(wait)?;
        Some((operation.event, operation.value))
    }

    /// Every signal of an event, with its value.
    fn signals(&self, event: EventIndex) -> Vec<(Locus, u64)> {
        let mut all = Vec::new();
        for (body, number) in self.program.command_buffers.iter().zip(0..) {
            let buffer = CommandBufferIndex(number);
            for (item, place) in body.items.iter().zip(0..) {
                if let BufferItem::Event(operation) = item
                    && operation.kind == EventOperationKind::Signal
                    && operation.event == event
                {
                    all.push((Locus::Event { buffer, item: place }, operation.value));
                }
            }
        }
        for (number, step) in self.script.steps() {
            match step {
                Step::SetSignaledValue { event: raised, value } if *raised == event => {
                    all.push((Locus::Step(number), *value));
                }
                Step::QueueEvent { operation, .. }
                    if operation.kind == EventOperationKind::Signal && operation.event == event =>
                {
                    all.push((Locus::Step(number), operation.value));
                }
                _ => {}
            }
        }
        all
    }

    /// What keeps a signal from being played.
    fn behind(&self, signal: Locus) -> Option<Behind> {
        match signal {
            Locus::Event { buffer, .. } => self.buffer_behind(buffer),
            Locus::Step(number) if !self.progress.played.contains(&signal) => self.step_behind(number),
            Locus::Step(_) => match self.step(signal) {
                // The call was made, and the queue has not come to it.
                Some(Step::QueueEvent { queue, .. }) if !self.progress.passed.contains(&signal) => {
                    self.queue_front(*queue)
                }
                _ => None,
            },
            Locus::PassItem { .. } | Locus::Pass { .. } => None,
        }
    }

    /// What keeps a command buffer from coming to its end.
    fn buffer_behind(&self, buffer: CommandBufferIndex) -> Option<Behind> {
        let queue = self.program.command_buffers[buffer.index()].queue;
        if self.progress.ended.contains(&buffer) {
            return None;
        }
        let Some(number) = self.commit(buffer) else {
            return Some(Behind::Uncommitted(buffer));
        };
        if !self.progress.played.contains(&Locus::Step(number)) {
            return self.step_behind(number);
        }
        if self.progress.begun.contains(&buffer) {
            return self.queue_front(queue);
        }
        // Committed and not begun: something on the queue is in front of it, a wait or an empty slot.
        self.queue_front(queue).or_else(|| self.empty_slot(queue))
    }

    /// A command buffer that has a slot on the queue and is not committed.
    fn empty_slot(&self, queue: QueueIndex) -> Option<Behind> {
        self.script.steps().find_map(|(number, step)| match step {
            Step::Enqueue(buffer)
                if self.program.command_buffers[buffer.index()].queue == queue
                    && self.progress.played.contains(&Locus::Step(number)) =>
            {
                match self.commit(*buffer) {
                    None => Some(Behind::Uncommitted(*buffer)),
                    Some(commit) if !self.progress.played.contains(&Locus::Step(commit)) => {
                        self.step_behind(commit)
                    }
                    Some(_) => None,
                }
            }
            _ => None,
        })
    }

    /// The first step that commits a command buffer.
    fn commit(&self, buffer: CommandBufferIndex) -> Option<u32> {
        let commits = |step: &Step| matches!(step, Step::Commit(all) if all.contains(&buffer));
        self.script.steps().find_map(|(number, step)| commits(step).then_some(number))
    }

    /// The wait that holds a queue.
    fn queue_front(&self, queue: QueueIndex) -> Option<Behind> {
        let on = |locus: &&Locus| match **locus {
            Locus::Event { buffer, .. } => self.program.command_buffers[buffer.index()].queue == queue,
            Locus::Step(_) => {
                matches!(self.step(**locus), Some(Step::QueueEvent { queue: other, .. }) if *other == queue)
            }
            Locus::PassItem { .. } | Locus::Pass { .. } => false,
        };
        self.waits.iter().find(on).map(|locus| Behind::Wait(*locus))
    }

    /// The wait that holds the thread of a step that was not played.
    fn step_behind(&self, mut number: u32) -> Option<Behind> {
        loop {
            let locus = Locus::Step(number);
            if self.waits.contains(&locus) && !matches!(self.step(locus), Some(Step::QueueEvent { .. })) {
                return Some(Behind::Wait(locus));
            }
            let previous = self.progress.previous.get(number as usize).copied().flatten()?;
            if self.progress.played.contains(&Locus::Step(previous)) {
                // The first of a body that has not begun: a notification's, since threads begin at once.
                return match self.step(Locus::Step(previous)) {
                    Some(Step::Notify { event, value, .. }) => {
                        Some(Behind::Notify { step: previous, event: *event, value: *value })
                    }
                    _ => None,
                };
            }
            number = previous;
        }
    }
}

/// Fills in what each step follows.
fn link(steps: &[Step], start: Option<u32>, previous: &mut Vec<Option<u32>>) {
    let mut last = start;
    for step in steps {
        let number = previous.len() as u32;
        previous.push(last);
        last = Some(number);
        if let Step::Thread { body, .. } | Step::Notify { body, .. } = step {
            link(body, last, previous);
        }
    }
}
