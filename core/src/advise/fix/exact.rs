//! The cheapest set of additions, for small programs.
//!
//! A set that mends contains, for any conflict that is still broken, something that begins a way from its first access: a
//! primitive whose first scope holds that access or something behind it. So the search takes a broken conflict, tries each primitive
//! that could be the next on such a way, asks the engine what is broken then, and goes on, never beyond the scopes of the best set known. All
//! primitives stand where they reach furthest and name every stage there is; each set that mends is then narrowed, and the one
//! with the fewest stages of those with the smallest scopes is the answer.
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::super::reach::{Passed, Place};
use super::addition::{Addition, Cost, EVENT, Kinds, PassPlace, cost, edits};
use super::choose::{length, with_cpu};
use super::problem::{Problem, Relation};
use super::reduce::reduced;
use crate::program::{BufferItem, Locus, PassItem, PassKind, UnknownName};
use crate::validate::conflicts::Conflict;
use crate::{Item, NodeId, Order, Stage, Stages};

/// The cheapest set, no dearer than `known`.
///
/// # Errors
/// The program names something that it does not declare.
pub(super) fn cheapest(problem: &Problem<'_>, known: Vec<Addition>) -> Result<Vec<Addition>, UnknownName> {
    let cost = cost(&known);
    let universe = universe(problem);
    let mut search = Search { problem, universe, best: known, cost, seen: HashSet::new(), left: MOST };
    search.from(&[])?;
    Ok(search.best)
}

/// Whether a program is small enough for the search.
pub(super) fn is_small(problem: &Problem<'_>) -> bool {
    let items = problem.program.command_buffers.iter().flat_map(|body| &body.items);
    let passes = items.filter_map(|item| match item {
        BufferItem::Pass(pass) => Some(pass),
        BufferItem::Event(_) => None,
    });
    let commands = passes.flat_map(|pass| &pass.items).filter(|item| matches!(item, PassItem::Command(_)));
    commands.count() <= COMMANDS
}

struct Search<'a> {
    problem: &'a Problem<'a>,
    universe: Vec<Addition>,
    best: Vec<Addition>,
    cost: Cost,
    seen: HashSet<String>,
    left: u32,
}

impl Search<'_> {
    fn from(&mut self, chosen: &[Addition]) -> Result<(), UnknownName> {
        if self.left == 0 || cost(chosen).0 > self.cost.0 || !self.seen.insert(key(chosen)) {
            return Ok(());
        }
        self.left -= 1;
        let rest = self.problem.rest(chosen)?;
        if self.at_least(chosen, &rest) > self.cost.0 {
            return Ok(());
        }
        let Some(next) = rest.iter().max_by_key(|conflict| self.problem.least(conflict)) else {
            let narrow = reduced(self.problem, chosen.to_vec())?;
            if cost(&narrow) < self.cost {
                self.cost = cost(&narrow);
                self.best = narrow;
            }
            return Ok(());
        };
        for longer in self.longer(chosen, next)? {
            self.from(&longer)?;
        }
        Ok(())
    }

    /// What the set may become next, the cheapest first.
    fn longer(&self, chosen: &[Addition], conflict: &Conflict) -> Result<Vec<Vec<Addition>>, UnknownName> {
        let reached = self.reached(chosen, conflict)?;
        let mut all: Vec<Vec<Addition>> = Vec::new();
        let direct = self.problem.relation(conflict).and_then(|relation| with_cpu(self.problem, relation));
        let own = self
            .universe
            .iter()
            .chain(&direct)
            .chain(&self.problem.hiding(conflict))
            .cloned()
            .collect::<Vec<_>>();
        for addition in own {
            if !chosen.contains(&addition)
                && self.may_reach(&addition, conflict)
                && self.leads_on(&addition, &reached)
            {
                let mut longer = chosen.to_vec();
                longer.push(addition);
                all.push(longer);
            }
        }
        all.retain(|longer| cost(longer).0 <= self.cost.0);
        all.sort_by_key(|longer| cost(longer).0);
        Ok(all)
    }

    /// What the scopes of a set cost at least once it mends these as well: a barrier for each pass that needs one, and something that leads
    /// to each queue that nothing leads to yet.
    fn at_least(&self, chosen: &[Addition], rest: &[Conflict]) -> u64 {
        let (mut passes, mut queues) = (BTreeSet::new(), BTreeMap::new());
        for conflict in rest {
            match self.problem.relation(conflict) {
                Some(Relation::Pass(first, _)) => {
                    passes.insert((first.buffer, first.pass));
                }
                Some(Relation::Queues { first, second, shared }) if !self.problem.is_led(first, second) => {
                    let own: &mut bool = queues.entry(second.queue).or_insert(true);
                    *own &= shared;
                }
                _ => {}
            }
        }
        for addition in chosen {
            match addition {
                Addition::Barrier { pass, .. } => {
                    passes.remove(pass);
                }
                Addition::Event { to, .. } | Addition::Release { to, .. } => {
                    queues.remove(&self.problem.program.command_buffers[to.0.index()].queue);
                }
                // The CPU may lead anywhere.
                Addition::Completion { .. } | Addition::Watch { .. } | Addition::HandOver { .. } => {
                    queues.clear()
                }
                _ => {}
            }
        }
        cost(chosen).0 + passes.len() as u64 + queues.len() as u64 * EVENT
    }

    /// Whether what an addition holds may be on a way to the second access of a conflict: it is not played after it.
    fn may_reach(&self, addition: &Addition, conflict: &Conflict) -> bool {
        let places = &self.problem.places;
        let relation = self.problem.relation(conflict);
        if let Some(Relation::Pass(first, second)) = relation {
            return match addition {
                Addition::Barrier { pass, at, .. } => {
                    *pass == (first.buffer, first.pass) && *at <= second.in_front
                }
                Addition::Show { .. } => true,
                _ => false,
            };
        }
        let Some(second) = places.place(conflict.second.at) else { return true };
        let to = match addition {
            Addition::Barrier { pass, .. } | Addition::Consumer { pass, .. } => *pass,
            Addition::Fence { to, .. } | Addition::Event { to, .. } => *to,
            _ => return true,
        };
        places.passed(to).is_none_or(|passed| passed.time <= second.time)
    }

    /// The work that the first access of a conflict is before, itself included.
    fn reached(&self, chosen: &[Addition], conflict: &Conflict) -> Result<Vec<(Locus, Stage)>, UnknownName> {
        let (program, moved) =
            edits(self.problem.program, self.problem.order, chosen).applied(self.problem.program);
        let order = Order::of(&program)?;
        let first: Option<NodeId> =
            conflict.moved(|locus| moved.to(locus)).and_then(|conflict| conflict.first.node(&order));
        let Some(first) = first else { return Ok(Vec::new()) };
        let behind =
            order.items().iter().filter(|item| item.node == first || order.ordered(first, item.node));
        Ok(behind.filter_map(|item| Some((moved.back(item.locus)?, item.stage))).collect())
    }

    /// Whether the first scope of an addition holds any of this work.
    fn leads_on(&self, addition: &Addition, reached: &[(Locus, Stage)]) -> bool {
        let places = &self.problem.places;
        reached.iter().any(|(locus, stage)| {
            let Some(own) = places.place(*locus) else { return false };
            let pass = (own.buffer, own.pass);
            match *addition {
                Addition::Barrier { pass: at_pass, at, after, .. } => {
                    pass == at_pass && own.behind <= at && after.contains(stage.mask())
                }
                Addition::Fence { from, after, .. } => pass == from && after.contains(stage.mask()),
                Addition::Consumer { pass: to, after, .. } => places.passed(to).is_some_and(|to| {
                    to.queue == own.queue && own.number < to.number && after.contains(stage.mask())
                }),
                Addition::Event { from, .. } => places
                    .passed(from)
                    .is_some_and(|from| from.queue == own.queue && own.number <= from.number),
                Addition::Completion { buffer, .. } => own.buffer == buffer,
                _ => true,
            }
        }) || matches!(addition, Addition::Show { .. } | Addition::Release { .. } | Addition::HandOver { .. })
    }
}

impl Problem<'_> {
    /// Whether anything that is there leads from a pass or a later one of its queue to another pass or an earlier one of
    /// its own, over whatever queues, if the passes of each queue were in order.
    fn is_led(&self, first: Place, second: Place) -> bool {
        let items = self.order.items();
        let place = |item: &Item| self.places.place(item.locus);
        let mut led = BTreeMap::from([(first.queue, first.number)]);
        loop {
            let before = led.clone();
            for from in items {
                let on =
                    place(from).filter(|own| led.get(&own.queue).is_some_and(|least| own.number >= *least));
                if on.is_none() {
                    continue;
                }
                for to in items.iter().filter(|to| self.order.ordered(from.node, to.node)) {
                    if let Some(own) = place(to) {
                        let least = led.entry(own.queue).or_insert(own.number);
                        *least = own.number.min(*least);
                    }
                }
            }
            if led == before {
                return led.get(&second.queue).is_some_and(|least| *least <= second.number);
            }
        }
    }

    /// How dear what orders a conflict by itself is.
    fn least(&self, conflict: &Conflict) -> u8 {
        match self.relation(conflict) {
            None | Some(Relation::Pass(..)) => 0,
            Some(Relation::Queue(..)) => 1,
            Some(Relation::Queues { shared, .. }) => 2 + u8::from(shared),
            Some(Relation::FromCpu { .. }) => 4,
            Some(Relation::ToCpu { .. } | Relation::Cpu { .. }) => 5,
        }
    }
}

fn key(chosen: &[Addition]) -> String {
    let mut all: Vec<String> = chosen.iter().map(|addition| format!("{addition:?}")).collect();
    all.sort();
    all.concat()
}

/// Every primitive, where it reaches furthest, with every stage there is.
fn universe(problem: &Problem<'_>) -> Vec<Addition> {
    let passes = problem.places.passes();
    let mut all = Vec::new();
    for (place, passed) in &passes {
        let own = stages(problem, *place);
        within(problem, *place, own, &mut all);
        let earlier: Vec<&(PassPlace, Passed)> = passes
            .iter()
            .filter(|(_, other)| other.queue == passed.queue && other.number < passed.number)
            .collect();
        for (from, _) in &earlier {
            if let Some((after, before)) = pairs(stages(problem, *from), own) {
                let update_at = length(problem, *from);
                all.push(Addition::Fence { from: *from, update_at, to: *place, wait_at: 0, after, before });
            }
        }
        let on_queue = |holds: &dyn Fn(u32) -> bool| {
            let own = passes.iter().filter(|(_, other)| other.queue == passed.queue && holds(other.number));
            own.fold(Stages::empty(), |set, (place, _)| set | stages(problem, *place))
        };
        let (before, behind) =
            (on_queue(&|number| number < passed.number), on_queue(&|number| number >= passed.number));
        all.extend(pairs(before, behind).map(|(after, before)| Addition::Consumer {
            pass: *place,
            at: 0,
            after,
            before,
        }));
        events(problem, &passes, *place, *passed, &mut all);
    }
    all
}

fn within(problem: &Problem<'_>, pass: PassPlace, stages: Stages, all: &mut Vec<Addition>) {
    let Some(body) = problem.program.pass(pass.0, pass.1) else { return };
    let render = matches!(body.kind, PassKind::Render { .. });
    let late = if render { Stages::FRAGMENT | Stages::TILE } else { Stages::empty() };
    let kinds = Kinds { buffers: true, textures: true };
    for (item, at) in body.items.iter().zip(0..) {
        if at > 0 && matches!(item, PassItem::Command(_)) {
            all.extend(pairs(stages.difference(late), stages).map(|(after, before)| Addition::Barrier {
                pass,
                at,
                after,
                before,
                kinds,
            }));
        }
    }
}

fn events(
    problem: &Problem<'_>,
    passes: &[(PassPlace, Passed)],
    to: PassPlace,
    passed: Passed,
    all: &mut Vec<Addition>,
) {
    for (queue, number) in problem.program.queues.iter().zip(0..) {
        let last = passes.iter().rfind(|(_, other)| other.queue.0 == number && other.time < passed.time);
        if let Some((from, other)) = last
            && other.queue != passed.queue
        {
            let device = problem.program.queues[passed.queue.index()].device;
            all.push(Addition::Event { from: *from, to, shared: queue.device != device });
        }
    }
}

/// Both, where neither is empty.
fn pairs(after: Stages, before: Stages) -> Option<(Stages, Stages)> {
    (!after.is_empty() && !before.is_empty()).then_some((after, before))
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

/// Programs with more commands than this are not searched.
const COMMANDS: usize = 8;
/// How many sets are tried; what is known by then is the answer.
const MOST: u32 = 1024;
