//! What a program would lose without some of its synchronization.
//!
//! The whole program is played once, and its conflicts noted. A trial plays it again with some synchronization left out or
//! narrowed, and asks: is every conflict that was well ordered still so, is the same work played, has everything that the CPU waited
//! for still ended when it goes on? Places keep their names throughout, so the answers can be compared.
use std::collections::{HashMap, HashSet};

use super::scope::{Role, Site, sites};
use crate::program::{EventIndex, Locus, Program, QueueIndex, Step, StorageMode, UnknownName};
use crate::validate::conflicts::{Conflict, Conflicts};
use crate::validate::{Finding, Kind, validate_order};
use crate::{Moment, NodeId, Order};

/// A program as it is, to be compared with what it would be.
pub(super) struct Weighed<'a> {
    pub(super) program: &'a Program,
    pub(super) order: &'a Order,
    pub(super) conflicts: Conflicts,
    /// Its synchronization, as far as it is played, in document order.
    pub(super) sites: Vec<Site>,
    roles: HashMap<Locus, Role>,
    steps: Vec<&'a Step>,
    /// The thread of every step.
    threads: Vec<usize>,
    played: HashSet<Moment>,
    copies: Vec<Finding>,
    has_copies: bool,
}

/// What a trial lacks.
#[derive(Debug, Default)]
pub(super) struct Loss {
    /// Conflicts that are no longer well ordered.
    pub(super) conflicts: Vec<Conflict>,
    /// Something else: waits that nothing releases, copies that differ, a CPU that goes on too early.
    pub(super) other: bool,
}

impl Loss {
    pub(super) fn is_none(&self) -> bool {
        self.conflicts.is_empty() && !self.other
    }
}

impl<'a> Weighed<'a> {
    pub(super) fn of(program: &'a Program, order: &'a Order) -> Self {
        let has_copies = program.resources.iter().any(|resource| resource.storage == StorageMode::Managed);
        let all = sites(program);
        let mut weighed = Self {
            program,
            order,
            conflicts: Conflicts::of(program, order, &HashSet::new()),
            sites: Vec::new(),
            roles: all.iter().map(|site| (site.locus, site.role)).collect(),
            steps: program.all_steps(),
            threads: threads(program),
            played: order.moments().iter().copied().collect(),
            copies: if has_copies { copies(program, order) } else { Vec::new() },
            has_copies,
        };
        weighed.sites = all.into_iter().filter(|site| weighed.is_played(site)).collect();
        weighed
    }

    /// Whether a synchronization took part in the play.
    fn is_played(&self, site: &Site) -> bool {
        match (site.locus, site.role) {
            (Locus::PassItem { buffer, pass, .. }, _) => self.played.contains(&Moment::Pass(buffer, pass)),
            (Locus::Step(number), _) if !matches!(self.steps[number as usize], Step::QueueEvent { .. }) => {
                self.played.contains(&Moment::Step(number))
            }
            (locus, _) => self.played.contains(&Moment::Event(locus)),
        }
    }

    /// What is lost where `program` takes the place of the program and `without` of its places are left out. Both have the
    /// same places.
    ///
    /// # Errors
    /// The program names something that it does not declare.
    pub(super) fn trial(&self, program: &Program, without: &HashSet<Locus>) -> Result<Loss, UnknownName> {
        let order = Order::without(program, without)?;
        let commands = without.iter().any(|locus| {
            self.roles.get(locus) == Some(&Role::Copies) && matches!(locus, Locus::PassItem { .. })
        });
        // What a command that is left out touches is no matter any more, and what it stood for is told on its own.
        let own = commands.then(|| Conflicts::of(self.program, self.order, without));
        let conflicts = own.as_ref().unwrap_or(&self.conflicts);
        let lost = conflicts.kept.iter().filter(|conflict| !conflict.is_kept(&order));
        let raced = conflicts.stale.iter().filter(|conflict| !conflict.is_ordered(&order));
        let lost = lost.chain(raced);
        let other = order.stuck() != self.order.stuck()
            || !self.plays_the_same(&order, without)
            || !self.sees_the_same(&order, without)
            || self.has_copies
                && copies(program, &order).iter().any(|finding| !self.copies.contains(finding));
        Ok(Loss { conflicts: lost.cloned().collect(), other })
    }

    fn plays_the_same(&self, order: &Order, without: &HashSet<Locus>) -> bool {
        let left_out = |moment: &&Moment| match **moment {
            Moment::Step(number) => without.contains(&Locus::Step(number)),
            Moment::Event(locus) => without.contains(&locus),
            Moment::Begin(_) | Moment::Pass(..) | Moment::End(_) => false,
        };
        let expected = order.moments().len() + self.played.iter().filter(left_out).count();
        expected == self.played.len() && order.moments().iter().all(|moment| self.played.contains(moment))
    }

    /// Whether the CPU still sees what it saw: what has ended by the end of a thread, what has ended by a wait for an
    /// event, and how far a shared event comes, which others may look at.
    fn sees_the_same(&self, order: &Order, without: &HashSet<Locus>) -> bool {
        without.iter().all(|locus| match (self.roles.get(locus), *locus) {
            (Some(Role::CpuWait), Locus::Step(number)) => {
                let end = self.thread_end(number, order, without);
                self.has_ended(*locus, order, end)
            }
            (Some(Role::Signal(event, value)), locus) if self.is_shared(*event) => {
                !self.is_looked_at(*event)
                    && self.highest(*event, without) == self.highest(*event, &HashSet::new())
                    || self.is_late(locus, *event, *value, without)
            }
            _ => true,
        })
    }

    fn is_shared(&self, event: EventIndex) -> bool {
        self.program.events.get(event.index()).is_some_and(|event| event.shared)
    }

    /// Whether the CPU may look at an event: it waits for it, or nobody does, so that it must be there for somebody else.
    fn is_looked_at(&self, event: EventIndex) -> bool {
        let by_cpu = |step: &&Step| match step {
            Step::WaitUntilSignaled { event: own, .. } | Step::Notify { event: own, .. } => *own == event,
            _ => false,
        };
        let waited = |site: &Site| site.role == Role::Wait(event);
        self.steps.iter().any(by_cpu) || !self.sites.iter().any(waited)
    }

    /// Whether a signal comes when the event has its value already.
    fn is_late(&self, site: Locus, event: EventIndex, value: u64, without: &HashSet<Locus>) -> bool {
        let Some(&own) = self.order.nodes(site).last() else { return false };
        let played = |locus| self.order.moments().iter().position(|moment| *moment == Moment::Event(locus));
        // A queue comes past its signals one after another, though no work may lie between them.
        let before = |other| match (self.queue_of(other), self.queue_of(site)) {
            (Some(first), Some(second)) => first == second && played(other) < played(site),
            _ => false,
        };
        self.sites.iter().any(|other| {
            let Role::Signal(raised, enough) = other.role else { return false };
            let earlier = self.order.nodes(other.locus).last();
            raised == event
                && enough >= value
                && other.locus != site
                && !without.contains(&other.locus)
                && (before(other.locus) || earlier.is_some_and(|node| self.order.ordered(*node, own)))
        })
    }

    /// The queue that an event operation stands on.
    fn queue_of(&self, site: Locus) -> Option<QueueIndex> {
        match site {
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

    /// The highest value that the event is given.
    fn highest(&self, event: EventIndex, without: &HashSet<Locus>) -> u64 {
        let values = self.sites.iter().filter_map(|site| match site.role {
            Role::Signal(own, value) if own == event && !without.contains(&site.locus) => Some(value),
            _ => None,
        });
        values.max().unwrap_or(0)
    }

    /// The last node of a step's thread.
    fn thread_end(&self, number: u32, order: &Order, without: &HashSet<Locus>) -> Option<NodeId> {
        let thread = *self.threads.get(number as usize)?;
        let steps = (0..self.steps.len() as u32).rev().map(Locus::Step);
        let mut own = steps.zip(self.threads.iter().rev()).filter(|(_, own)| **own == thread);
        own.find_map(
            |(locus, _)| {
                if without.contains(&locus) { None } else { order.nodes(locus).first().copied() }
            },
        )
    }

    /// Whether all that had ended by a place has ended by a node of another play.
    fn has_ended(&self, place: Locus, order: &Order, by: Option<NodeId>) -> bool {
        let Some(&place) = self.order.nodes(place).first() else { return true };
        let mut number = (None, 0);
        self.order.items().iter().all(|item| {
            number =
                if number.0 == Some(item.locus) { (number.0, number.1 + 1) } else { (Some(item.locus), 0) };
            if !self.order.ordered(item.node, place) {
                return true;
            }
            match order.nodes(item.locus).get(number.1) {
                Some(node) => by.is_some_and(|by| order.ordered(*node, by)),
                // The work itself is left out.
                None => true,
            }
        })
    }
}

/// What is wrong with the copies of managed resources.
fn copies(program: &Program, order: &Order) -> Vec<Finding> {
    let mut all = validate_order(program, order);
    all.retain(|finding| matches!(finding.kind, Kind::Managed(_)));
    all
}

/// The number of the thread of every step; bodies of notifications are threads of their own.
pub(super) fn threads(program: &Program) -> Vec<usize> {
    fn add(steps: &[Step], own: usize, count: &mut usize, all: &mut Vec<usize>) {
        for step in steps {
            all.push(own);
            if let Step::Thread { body, .. } | Step::Notify { body, .. } = step {
                *count += 1;
                add(body, *count, count, all);
            }
        }
    }
    let mut all = Vec::new();
    add(&program.steps, 0, &mut 0, &mut all);
    all
}
