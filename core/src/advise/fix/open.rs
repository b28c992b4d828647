//! Waits that hang: the signals that they lack.
//!
//! A wait for an event hangs because no signal that is large enough comes in time. One more signal opens it, and there is always a
//! place for one: directly in front of the wait, where its queue or its thread has come to. Better is a signal behind what the wait
//! may be meant to follow, at the end of what another queue or another thread has done by then; a signal there orders conflicts as
//! well. So every such place is tried, and the one is taken after which the least is left to do.
//!
//! What no signal opens is a CPU that waits for the end of a command buffer which is committed behind the wait itself, or not at all.
use std::collections::HashSet;

use super::addition::{EVENT, SHARED_EVENT, takes_events};
use super::edits::{Edits, Inserted, Insertion, Moved, Where};
use crate::program::{
    BufferItem, CommandBufferIndex, EventIndex, EventOperation, EventOperationKind, Locus, Program,
    QueueIndex, Step, UnknownName,
};
use crate::validate::conflicts::Conflicts;
use crate::{Moment, Order};

/// A signal that opens a wait. The place is one of the program before.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Signal {
    pub(super) insertion: Insertion,
    pub(super) cost: u64,
    /// It stands in front of the wait that it opens.
    own: bool,
}

/// The ways to give a program the signals that it lacks, the likeliest first, and whether these are all of the cheapest: of signals
/// behind what has been played by then, which order the more the later they stand. Without waits that hang, one way: none.
/// `all` asks for more than the first.
///
/// # Errors
/// The program names something that it does not declare.
pub(super) fn alternatives(program: &Program, all: bool) -> Result<(Vec<Vec<Signal>>, bool), UnknownName> {
    let known = signals(program)?;
    if known.is_empty() {
        return Ok((vec![known], true));
    }
    if !all {
        return Ok((vec![known], false));
    }
    let cost = |all: &[Signal]| all.iter().map(|signal| signal.cost).sum::<u64>();
    let mut ways = Ways {
        program,
        limit: cost(&known),
        hanging: hanging(program, &known)?,
        all: Vec::new(),
        left: TRIED,
    };
    ways.from(&mut Vec::new())?;
    let all = ways.left > 0 && ways.all.len() <= WAYS;
    let mut found = ways.all;
    if !all {
        found.clear();
    }
    found.retain(|way| *way != known);
    found.insert(0, known);
    Ok((found, all))
}

/// Every way to open what some signals open, for no more than they cost.
struct Ways<'a> {
    program: &'a Program,
    limit: u64,
    hanging: HashSet<Locus>,
    all: Vec<Vec<Signal>>,
    left: u32,
}

impl Ways<'_> {
    fn from(&mut self, chosen: &mut Vec<Signal>) -> Result<(), UnknownName> {
        if self.left == 0 || self.all.len() > WAYS {
            return Ok(());
        }
        self.left -= 1;
        let stop = Stop::of(self.program, chosen)?;
        if stop.stuck.iter().all(|wait| self.hanging.contains(wait)) {
            let same =
                |way: &&Vec<Signal>| way.len() == chosen.len() && way.iter().all(|own| chosen.contains(own));
            if self.all.iter().find(same).is_none() {
                self.all.push(chosen.clone());
            }
            return Ok(());
        }
        let paid: u64 = chosen.iter().map(|signal| signal.cost).sum();
        let next: Vec<Signal> = stop.stuck.iter().flat_map(|wait| stop.opening(*wait)).collect();
        for signal in next {
            if paid + signal.cost <= self.limit && !chosen.contains(&signal) {
                chosen.push(signal);
                self.from(chosen)?;
                chosen.pop();
            }
        }
        Ok(())
    }
}

/// The waits that hang with some signals.
fn hanging(program: &Program, signals: &[Signal]) -> Result<HashSet<Locus>, UnknownName> {
    Ok(Stop::of(program, signals)?.stuck.into_iter().collect())
}

/// The signals that a program lacks, none of which can be left out: one way, found step by step.
///
/// # Errors
/// The program names something that it does not declare.
fn signals(program: &Program) -> Result<Vec<Signal>, UnknownName> {
    let mut chosen: Vec<Signal> = Vec::new();
    loop {
        let stop = Stop::of(program, &chosen)?;
        let next = match stop.next()? {
            Some(signal) => vec![signal],
            None => stop.triggers()?,
        };
        if next.is_empty() {
            break;
        }
        chosen.extend(next);
    }
    let hanging = hanging(program, &chosen)?;
    let mut place = 0;
    while place < chosen.len() {
        let mut fewer = chosen.clone();
        fewer.remove(place);
        if Stop::of(program, &fewer)?.stuck.iter().all(|wait| hanging.contains(wait)) {
            chosen = fewer;
        } else {
            place += 1;
        }
    }
    Ok(chosen)
}

/// Some signals as insertions, each with a number of its own.
pub(super) fn edits(signals: &[Signal]) -> Edits {
    let insertions = signals.iter().map(|signal| signal.insertion.clone()).enumerate();
    Edits { insertions: insertions.collect(), ..Edits::default() }
}

/// Where a program with some signals comes to rest; all places are those of the program without them.
struct Stop<'a> {
    program: &'a Program,
    steps: Vec<&'a Step>,
    chosen: &'a [Signal],
    moments: Vec<Moment>,
    stuck: Vec<Locus>,
    /// Conflicts that are not well ordered.
    broken: usize,
}

impl<'a> Stop<'a> {
    fn of(program: &'a Program, chosen: &'a [Signal]) -> Result<Self, UnknownName> {
        let (with, moved) = edits(chosen).applied(program);
        let order = Order::of(&with)?;
        let conflicts = Conflicts::of(&with, &order, &HashSet::new());
        let moments = order.moments().iter().filter_map(|moment| back(*moment, &moved));
        Ok(Self {
            program,
            steps: program.all_steps(),
            chosen,
            moments: moments.collect(),
            // What was put in waits for nothing.
            stuck: order.stuck().iter().filter_map(|locus| moved.back(*locus)).collect(),
            broken: conflicts.racing.len() + conflicts.stale.len(),
        })
    }

    /// The signal after which the least is left to do; nothing where no wait hangs that a signal opens.
    fn next(&self) -> Result<Option<Signal>, UnknownName> {
        let mut best = None;
        for &wait in &self.stuck {
            for signal in self.opening(wait) {
                let mut chosen = self.chosen.to_vec();
                chosen.push(signal.clone());
                let then = Stop::of(self.program, &chosen)?;
                if then.stuck.contains(&wait) {
                    continue;
                }
                let hanging = then.stuck.iter().filter(|wait| then.awaited(**wait).is_some()).count() as u64;
                let score = (signal.cost + hanging * EVENT, then.broken, signal.own);
                if best.as_ref().is_none_or(|(least, _)| score < *least) {
                    best = Some((score, signal));
                }
            }
        }
        Ok(best.map(|(_, signal)| signal))
    }

    /// Signals that bring notifications, one of which commits what the CPU waits for; none where no such wait is opened so.
    fn triggers(&self) -> Result<Vec<Signal>, UnknownName> {
        for &wait in &self.stuck {
            let Locus::Step(step) = wait else { continue };
            let mut chosen = self.chosen.to_vec();
            loop {
                let stop = Stop::of(self.program, &chosen)?;
                if !stop.stuck.contains(&wait) {
                    return Ok(chosen.split_off(self.chosen.len()));
                }
                let notified = stop.silent().into_iter().map(|(event, value)| Signal {
                    insertion: Insertion {
                        at: Where::BeforeStep(step),
                        item: Inserted::Step(Step::SetSignaledValue { event, value }),
                    },
                    cost: SHARED_EVENT,
                    own: true,
                });
                let held = stop
                    .stuck
                    .iter()
                    .filter_map(|wait| stop.opening(*wait).into_iter().rfind(|signal| signal.own));
                let new: Vec<Signal> =
                    notified.chain(held).filter(|signal| !chosen.contains(signal)).collect();
                if new.is_empty() {
                    break;
                }
                chosen.extend(new);
            }
        }
        Ok(Vec::new())
    }

    /// What the notifications that the CPU has asked for and that have not come wait for.
    fn silent(&self) -> Vec<(EventIndex, u64)> {
        let played = |number| self.moments.contains(&Moment::Step(number));
        let all = (0..).zip(&self.steps).filter_map(|(number, step)| match step {
            Step::Notify { event, value, body }
                if played(number) && !body.is_empty() && !played(number + 1) =>
            {
                Some((*event, *value))
            }
            _ => None,
        });
        all.collect()
    }

    /// What a wait waits for, where it is an event.
    fn awaited(&self, wait: Locus) -> Option<(EventIndex, u64)> {
        let of = |operation: &EventOperation| (operation.event, operation.value);
        match wait {
            Locus::Event { buffer, item } => {
                match self.program.command_buffers.get(buffer.index())?.items.get(item as usize)? {
                    BufferItem::Event(operation) => Some(of(operation)),
                    BufferItem::Pass(_) => None,
                }
            }
            Locus::Step(number) => match *self.steps.get(number as usize)? {
                Step::QueueEvent { operation, .. } => Some(of(operation)),
                Step::WaitUntilSignaled { event, value, .. } => Some((*event, *value)),
                _ => None,
            },
            Locus::PassItem { .. } | Locus::Pass { .. } => None,
        }
    }

    /// Every signal that may open a wait: as large as it asks for, or as the largest of all that hang for the event does.
    fn opening(&self, wait: Locus) -> Vec<Signal> {
        let Some((event, value)) = self.awaited(wait) else { return Vec::new() };
        let hanging = self.stuck.iter().filter_map(|wait| self.awaited(*wait));
        let most = hanging.filter(|own| own.0 == event).map(|own| own.1).max();
        let mut values = vec![value];
        values.extend(most.filter(|most| *most != value));
        let shared = self.program.events.get(event.index()).is_some_and(|event| event.shared);
        let own = self.queue_of(wait);
        let device = |queue: QueueIndex| self.program.queues.get(queue.index()).map(|queue| queue.device);
        let mut all = Vec::new();
        for value in values {
            let signal = EventOperation { label: None, event, value, kind: EventOperationKind::Signal };
            let set = Inserted::Step(Step::SetSignaledValue { event, value });
            let mut add = |at, item, own| {
                let cost = if shared { SHARED_EVENT } else { EVENT };
                all.push(Signal { insertion: Insertion { at, item }, cost, own });
            };
            for queue in (0..self.program.queues.len() as u32).map(QueueIndex) {
                if Some(queue) != own
                    && (shared || own.and_then(device) == device(queue))
                    && let Some((at, on_queue)) = self.end_of(queue)
                {
                    add(at, operation(on_queue.then_some(queue), &signal), false);
                }
            }
            if shared {
                self.ends_of_threads(wait)
                    .into_iter()
                    .for_each(|step| add(Where::AfterStep(step), set.clone(), false));
            }
            match (wait, own) {
                (Locus::Event { buffer, item }, _) => {
                    add(Where::CommandBuffer(buffer, item), operation(None, &signal), true);
                }
                (Locus::Step(step), Some(queue)) => {
                    add(Where::BeforeStep(step), operation(Some(queue), &signal), true);
                }
                (Locus::Step(step), None) => add(Where::BeforeStep(step), set, true),
                (Locus::PassItem { .. } | Locus::Pass { .. }, _) => {}
            }
        }
        all
    }

    /// Behind the last that a queue has done, and whether a step puts a signal there.
    fn end_of(&self, queue: QueueIndex) -> Option<(Where, bool)> {
        let of = |buffer: CommandBufferIndex| {
            self.program.command_buffers.get(buffer.index()).is_some_and(|body| body.queue == queue)
        };
        let within = |buffer, item| match takes_events(self.program, buffer) {
            true => Some((Where::CommandBuffer(buffer, item + 1), false)),
            false => self.commit_of(buffer).map(|step| (Where::AfterStep(step), true)),
        };
        self.moments.iter().rev().find_map(|moment| match *moment {
            Moment::Pass(buffer, pass) if of(buffer) => within(buffer, pass),
            Moment::Event(Locus::Event { buffer, item }) if of(buffer) => within(buffer, item),
            Moment::Event(Locus::Step(step)) if self.queue_of(Locus::Step(step)) == Some(queue) => {
                Some((Where::AfterStep(step), true))
            }
            _ => None,
        })
    }

    /// The last step that each thread has done, but for the one that waits.
    fn ends_of_threads(&self, wait: Locus) -> Vec<u32> {
        let threads = super::super::weigh::threads(self.program);
        let own = match (wait, self.queue_of(wait)) {
            (Locus::Step(step), None) => threads.get(step as usize),
            _ => None,
        };
        let mut found = std::collections::BTreeMap::new();
        for moment in &self.moments {
            if let Moment::Step(step) = *moment
                && let Some(thread) = threads.get(step as usize).filter(|thread| Some(*thread) != own)
            {
                found.insert(*thread, step);
            }
        }
        found.into_values().collect()
    }

    fn commit_of(&self, buffer: CommandBufferIndex) -> Option<u32> {
        self.moments.iter().find_map(|moment| match *moment {
            Moment::Step(step) => match self.steps.get(step as usize) {
                Some(Step::Commit(all)) if all.contains(&buffer) => Some(step),
                _ => None,
            },
            _ => None,
        })
    }

    /// The queue that waits, or signals.
    fn queue_of(&self, locus: Locus) -> Option<QueueIndex> {
        match locus {
            Locus::Event { buffer, .. } => {
                self.program.command_buffers.get(buffer.index()).map(|body| body.queue)
            }
            Locus::Step(number) => match self.steps.get(number as usize)? {
                Step::QueueEvent { queue, .. } => Some(*queue),
                _ => None,
            },
            Locus::PassItem { .. } | Locus::Pass { .. } => None,
        }
    }
}

/// A signal in a command buffer, or on a queue.
fn operation(queue: Option<QueueIndex>, signal: &EventOperation) -> Inserted {
    let operation = signal.clone();
    match queue {
        Some(queue) => Inserted::Step(Step::QueueEvent { queue, operation }),
        None => Inserted::BufferItem(BufferItem::Event(operation)),
    }
}

/// What was played, by its place before; nothing for what was put in.
fn back(moment: Moment, moved: &Moved) -> Option<Moment> {
    Some(match moment {
        Moment::Begin(_) | Moment::End(_) => moment,
        Moment::Step(number) => match moved.back(Locus::Step(number))? {
            Locus::Step(number) => Moment::Step(number),
            _ => return None,
        },
        Moment::Event(locus) => Moment::Event(moved.back(locus)?),
        Moment::Pass(buffer, pass) => match moved.back(Locus::Pass { buffer, pass })? {
            Locus::Pass { buffer, pass } => Moment::Pass(buffer, pass),
            _ => return None,
        },
    })
}

/// How many ways there may be: beyond that only the first are taken.
const WAYS: usize = 16;
/// How many sets of signals are looked at to find them.
const TRIED: u32 = 256;
