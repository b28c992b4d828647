//! The smallest synchronization that mends a program.
//!
//! **Cost.** A set of additions costs the sum of its scopes first and the number of the stages that it names second:
//!
//! | addition | scope |
//! |---|---|
//! | visibility for a barrier that is there | 0, and one stage |
//! | barrier within a pass | 1 |
//! | fence from one pass to another | 2 |
//! | consumer or producer barrier | 3 |
//! | a render pass in two | 64 |
//! | event, or a signal of one | 256 |
//! | shared event, or a signal of one | 65 536 |
//! | the CPU waits | 16 777 216 |
//!
//! So a queue barrier stands for two fences or more, and nothing that leaves a queue, a device or the GPU is ever spent to
//! save what does not.
//!
//! **Way.** `open` gives waits that hang the signals that they lack, so that all is played; `split` ends render passes that race with their own
//! fragments; `copies` brings the copies of managed resources together. Then `choose` finds a set that mends, `reduce` leaves out and
//! narrows what it can, and for small programs `exact` finds the cheapest there is. All of them ask the order engine what a set does. A
//! conflict is ordered in the direction of the play, which is a legal execution, so nothing that is added can hang.
//!
//! **What it cannot mend** is told ([`Left`]): a CPU that waits for what it commits later, misuse, copies of managed resources that no
//! call at that place can bring together.
mod addition;
mod choose;
mod copies;
mod edits;
mod exact;
mod narrow;
mod open;
mod problem;
mod reduce;
mod split;
mod universe;

use std::collections::{HashMap, HashSet};

pub use edits::{Inserted, Insertion, Where};

use super::redundant as redundant_sites;
use super::scope::Scope;
use crate::Order;
use crate::program::{
    BufferItem, CommandBufferIndex, EventIndex, FenceIndex, Locus, Part, PassItem, Primitive, Program,
    ResourceIndex, Step, UnknownName,
};
use crate::validate::conflicts::{Conflict, Conflicts};
use crate::validate::{Finding, Kind, Managed, Severity, Spot, StuckReason, validate_order};
use addition::{Addition, EVENT, SPLIT};
pub(super) use addition::{edits, takes_events};
pub(super) use choose::choose;
pub(super) use edits::Edits;
use exact::Cheapest;
use open::Signal;
pub(super) use problem::{Problem, Relation};
use split::End;

/// A mended program.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// The program with everything added.
    pub program: Program,
    /// What was added.
    pub repairs: Vec<Repair>,
    /// What was taken out: places of the program before.
    pub removed: Vec<Locus>,
    /// Errors that stay, at their places in [`program`](Self::program).
    pub left: Vec<Left>,
    /// Whether it is proven that nothing cheaper mends the program, which programs of up to eight commands are searched for. Where it is
    /// not, nothing that was added can be left out or narrowed.
    pub is_least: bool,
    origins: HashMap<Locus, Locus>,
}

/// Something that was added, and what for.
#[derive(Clone, Debug, PartialEq)]
pub struct Repair {
    /// How far it reaches; nothing for what brings copies of a managed resource together, and for a pass that becomes two.
    pub scope: Option<Scope>,
    /// What it costs.
    pub cost: (u64, u32),
    /// The conflicts that depend on it: the two places, and the resource as the later one names it. Places of the program
    /// before, where they were there.
    pub mends: Vec<(Locus, Locus, ResourceIndex)>,
    /// Names of the fences that it needs.
    pub fences: Vec<String>,
    /// Names of the events that it needs, and whether they are shared.
    pub events: Vec<(String, bool)>,
    /// What goes where.
    pub insertions: Vec<Insertion>,
}

/// An error that synchronization does not mend.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    /// The error.
    pub finding: Finding,
    /// Why it stays.
    pub reason: LeftReason,
}

/// Why an error stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeftReason {
    /// The CPU waits for the end of a command buffer that nothing commits.
    NeverCommitted,
    /// The CPU waits for the end of a command buffer whose commit stands behind that very wait, or behind another such.
    CommittedBehind,
    /// A call that Metal does not allow has to go.
    Misuse,
    /// The CPU writes after the commit, so that nothing publishes in time.
    PublishedTooLate,
    /// Explicit queues have no call that brings a managed resource back.
    NoSynchronize,
    /// Nothing was found that orders it.
    Blocked,
}

impl Fixed {
    /// What was added costs this much: the sum of the scopes, then the number of stages named (see the table above).
    pub fn cost(&self) -> (u64, u32) {
        self.repairs.iter().map(|repair| repair.cost).fold((0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1))
    }

    /// Where something of the mended program stood before; nothing for what was added.
    pub fn origin(&self, locus: Locus) -> Option<Locus> {
        self.origins.get(&locus).copied()
    }

    /// Everything in the mended program that was not there before: items of command buffers first, then steps.
    pub fn added(&self) -> Vec<Locus> {
        let mut all = Vec::new();
        for (body, number) in self.program.command_buffers.iter().zip(0..) {
            let buffer = CommandBufferIndex(number);
            for (item, place) in body.items.iter().zip(0..) {
                match item {
                    BufferItem::Event(_) => all.push(Locus::Event { buffer, item: place }),
                    BufferItem::Pass(pass) => {
                        let items = (0..).zip(&pass.items).map(|(item, _)| item);
                        all.extend(items.map(|item| Locus::PassItem { buffer, pass: place, item }));
                    }
                }
            }
        }
        all.extend((0..).zip(self.program.all_steps()).map(|(number, _)| Locus::Step(number)));
        all.retain(|locus| self.origin(*locus).is_none());
        all
    }
}

/// Mends a program: adds the smallest synchronization that leaves no conflict unordered or unseen.
///
/// ```
/// use fencepost_core::advise::{Scope, fix};
/// use fencepost_core::program::{Program, QueueMode};
/// use fencepost_core::validate::validate;
///
/// let mut p = Program::builder();
/// let q = p.queue("q", QueueMode::Explicit);
/// let [a, b, c] = ["A", "B", "C"].map(|name| p.buffer(name, 64));
/// let cb = p.command_buffer("cb", q, |items| {
///     items.compute("P1", |pass| { pass.copy("c1", a, b); });
///     items.compute("P2", |pass| { pass.dispatch("k2", [b], [c]); });
/// });
/// p.steps().commit([cb]);
/// let fixed = fix(&p.build())?;
/// assert_eq!(fixed.repairs.iter().map(|repair| repair.scope).collect::<Vec<_>>(), [Some(Scope::Fence)]);
/// assert_eq!(fixed.added().len(), 2, "an update and a wait");
/// assert!(validate(&fixed.program)?.is_empty());
/// # Ok::<(), fencepost_core::program::UnknownName>(())
/// ```
///
/// # Errors
/// The program names something that it does not declare.
pub fn fix(program: &Program) -> Result<Fixed, UnknownName> {
    program.check_names()?;
    let is_small = exact::is_small(program);
    let (openings, mut is_least) = open::alternatives(program, is_small)?;
    let ways = if is_small { WAYS / openings.len().max(1) } else { 1 };
    let mut best: Option<Fixing> = None;
    for signals in &openings {
        let mut opened = Fixing::of(program)?;
        opened.open(signals);
        let order = Order::of(&opened.program)?;
        let (splits, all) = split::alternatives(&opened.program, &order, ways);
        is_least &= all;
        for ends in &splits {
            let mut fixing = opened.clone();
            fixing.split(ends);
            fixing.mend()?;
            is_least &= fixing.is_least;
            if best.as_ref().is_none_or(|best| fixing.cost() < best.cost()) {
                best = Some(fixing);
            }
        }
    }
    let fixing = best.map_or_else(|| Fixing::of(program), Ok)?;
    Fixing { is_least, ..fixing }.done()
}

/// Takes the redundant synchronization out of a program.
///
/// # Errors
/// The program names something that it does not declare.
pub fn prune(program: &Program) -> Result<Fixed, UnknownName> {
    let mut fixing = Fixing::of(program)?;
    fixing.prune()?;
    fixing.done()
}

/// [`fix`], then [`prune`].
///
/// # Errors
/// The program names something that it does not declare.
pub fn fix_and_prune(program: &Program) -> Result<Fixed, UnknownName> {
    let fixed = fix(program)?;
    let mut fixing = Fixing {
        program: fixed.program,
        origins: fixed.origins,
        repairs: fixed.repairs,
        removed: Vec::new(),
        is_least: fixed.is_least,
    };
    fixing.prune()?;
    fixing.done()
}

/// The smallest primitive that mends each error by itself.
///
/// ```
/// use fencepost_core::Order;
/// use fencepost_core::advise::{Remedies, Scope};
/// use fencepost_core::program::{Program, QueueMode};
/// use fencepost_core::validate::validate_order;
///
/// let mut p = Program::builder();
/// let q = p.queue("q", QueueMode::Explicit);
/// let [a, b, c] = ["A", "B", "C"].map(|name| p.buffer(name, 64));
/// let cb = p.command_buffer("cb", q, |items| {
///     items.compute("P", |pass| { pass.copy("c", a, b).dispatch("k", [b], [c]); });
/// });
/// p.steps().commit([cb]);
/// let program = p.build();
/// let order = Order::of(&program)?;
/// let findings = validate_order(&program, &order);
/// let remedy = Remedies::of(&program, &order).of_finding(&findings[0]);
/// assert_eq!(remedy.and_then(|repair| repair.scope), Some(Scope::IntrapassBarrier));
/// # Ok::<(), fencepost_core::program::UnknownName>(())
/// ```
pub struct Remedies<'a> {
    problem: Problem<'a>,
    by_places: HashMap<(Spot, Spot), Vec<Conflict>>,
}

impl core::fmt::Debug for Remedies<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Remedies").field("places", &self.by_places.len()).finish_non_exhaustive()
    }
}

impl<'a> Remedies<'a> {
    /// Looks at all errors of a program. `order` must be the program's own.
    pub fn of(program: &'a Program, order: &'a Order) -> Self {
        let conflicts = Conflicts::of(program, order, &HashSet::new());
        let problem = Problem::of(program, order, core::iter::empty());
        let mut by_places: HashMap<(Spot, Spot), Vec<Conflict>> = HashMap::new();
        for conflict in conflicts.racing.into_iter().chain(conflicts.stale) {
            if problem.relation(&conflict).is_some() {
                let places = (Spot::from(conflict.first.locus), Spot::from(conflict.second.locus));
                by_places.entry(places).or_default().push(conflict);
            }
        }
        Self { problem, by_places }
    }

    /// What mends one of the program's errors; nothing where synchronization does not.
    pub fn of_finding(&self, finding: &Finding) -> Option<Repair> {
        let (program, order) = (self.problem.program, self.problem.order);
        if let Kind::Managed(_) = finding.kind {
            let edits = copies::missing(program, order, core::slice::from_ref(finding));
            return (!edits.insertions.is_empty()).then(|| repair(program, &edits, 0, None, Vec::new()));
        }
        let all = self.by_places.get(&(finding.first?, finding.second?))?;
        let own: Vec<Conflict> = all.iter().filter(|conflict| is_of(conflict, finding)).cloned().collect();
        let addition = self.smallest(&own)?;
        let edits = edits(program, order, core::slice::from_ref(&addition));
        Some(repair(program, &edits, 0, Some(&addition), own.iter().map(mended).collect()))
    }

    /// The scopes of the smallest primitives that mend the conflicts on a resource, each by itself.
    pub(crate) fn scopes(&self, resource: ResourceIndex) -> Vec<Scope> {
        let own = self.by_places.values().flatten().filter(|conflict| conflict.resources.contains(&resource));
        own.filter_map(|conflict| Some(self.smallest(core::slice::from_ref(conflict))?.scope())).collect()
    }

    /// One primitive that orders all of some conflicts, which are between the same two places.
    fn smallest(&self, conflicts: &[Conflict]) -> Option<Addition> {
        let within = conflicts.iter().find(|conflict| self.problem.needs_split(conflict));
        if let Some((conflict, Relation::Pass(first, second))) =
            within.and_then(|conflict| Some((conflict, self.problem.relation(conflict)?)))
        {
            let (after, before) = self.problem.stages(conflict);
            let pass = (first.buffer, first.pass);
            return Some(Addition::Split { pass, at: second.in_front, after, before });
        }
        let first = choose::choose(&self.problem, conflicts).into_iter().next()?;
        Some(reduce::closer(&self.problem, &first, conflicts).unwrap_or(first))
    }
}

fn is_of(conflict: &Conflict, finding: &Finding) -> bool {
    let spot = |locus: Locus| Some(Spot::from(locus));
    spot(conflict.first.locus) == finding.first
        && spot(conflict.second.locus) == finding.second
        && finding.resource.is_none_or(|resource| conflict.resources[1] == resource)
}

const fn mended(conflict: &Conflict) -> (Locus, Locus, ResourceIndex) {
    (conflict.first.locus, conflict.second.locus, conflict.resources[1])
}

/// What belongs to one number of some edits of a program.
fn repair(
    program: &Program,
    edits: &Edits,
    number: usize,
    addition: Option<&Addition>,
    mends: Vec<(Locus, Locus, ResourceIndex)>,
) -> Repair {
    let (scope, cost) = (addition.map(Addition::scope), addition.map_or((0, 0), Addition::cost));
    let own =
        edits.insertions.iter().filter(|(own, _)| *own == number).map(|(_, insertion)| insertion.clone());
    let insertions: Vec<Insertion> = own.collect();
    let (mut fences, mut events) = (Vec::new(), Vec::new());
    for insertion in &insertions {
        if let Some(name) = new_fence(insertion)
            .and_then(|fence| edits.fences.get(fence.index().checked_sub(program.fences.len())?))
            && !fences.contains(name)
        {
            fences.push(name.clone());
        }
        if let Some(event) = new_event(insertion)
            .and_then(|event| edits.events.get(event.index().checked_sub(program.events.len())?))
            && !events.iter().any(|(name, _)| *name == event.name)
        {
            events.push((event.name.clone(), event.shared));
        }
    }
    Repair { scope, cost, mends, fences, events, insertions }
}

fn new_fence(insertion: &Insertion) -> Option<FenceIndex> {
    let Inserted::PassItem(PassItem::Synchronization(own)) = &insertion.item else { return None };
    match own.primitive {
        Primitive::UpdateFence { fence, .. } | Primitive::WaitForFence { fence, .. } => Some(fence),
        _ => None,
    }
}

fn new_event(insertion: &Insertion) -> Option<EventIndex> {
    match &insertion.item {
        Inserted::BufferItem(BufferItem::Event(operation))
        | Inserted::Step(Step::QueueEvent { operation, .. }) => Some(operation.event),
        Inserted::Step(Step::SetSignaledValue { event, .. } | Step::WaitUntilSignaled { event, .. }) => {
            Some(*event)
        }
        _ => None,
    }
}

/// A program on its way.
#[derive(Clone)]
struct Fixing {
    program: Program,
    origins: HashMap<Locus, Locus>,
    repairs: Vec<Repair>,
    removed: Vec<Locus>,
    /// Nothing cheaper does what was done by now.
    is_least: bool,
}

impl Fixing {
    fn of(program: &Program) -> Result<Self, UnknownName> {
        program.check_names()?;
        let (program, moved) = Edits::default().applied(program);
        let origins = moved.all().map(|(_, locus)| (locus, locus)).collect();
        Ok(Self { program, origins, repairs: Vec::new(), removed: Vec::new(), is_least: true })
    }

    fn apply(&mut self, edits: &Edits) {
        let (program, moved) = edits.applied(&self.program);
        let kept = moved.all().filter_map(|(old, new)| Some((new, *self.origins.get(&old)?)));
        self.origins = kept.collect();
        self.program = program;
    }

    /// Gives waits that hang signals.
    fn open(&mut self, signals: &[Signal]) {
        let edits = open::edits(signals);
        for (signal, number) in signals.iter().zip(0..) {
            let scope = if signal.cost == EVENT { Scope::Event } else { Scope::SharedEvent };
            let own = repair(&self.program, &edits, number, None, Vec::new());
            self.repairs.push(Repair { scope: Some(scope), cost: (signal.cost, 0), ..own });
        }
        self.apply(&edits);
    }

    /// Splits render passes.
    fn split(&mut self, ends: &[End]) {
        let edits = split::edits(ends);
        for (end, number) in ends.iter().zip(0..) {
            let origin = |locus: Locus| self.origins.get(&locus).copied();
            let mends = end.between.iter().filter_map(|conflict| conflict.moved(origin));
            let mends = mends.map(|conflict| mended(&conflict)).collect();
            let own = repair(&self.program, &edits, number, None, mends);
            self.repairs.push(Repair { cost: (SPLIT, 0), ..own });
        }
        self.apply(&edits);
    }

    /// Brings copies together and orders what is not, until there is nothing to do.
    fn mend(&mut self) -> Result<(), UnknownName> {
        for _ in 0..ROUNDS {
            let order = Order::of(&self.program)?;
            let findings = validate_order(&self.program, &order);
            let copies = copies::missing(&self.program, &order, &findings);
            if !copies.insertions.is_empty() {
                self.bring(&copies);
                continue;
            }
            self.publish_less()?;
            if !self.order(&Order::of(&self.program)?)? {
                break;
            }
        }
        Ok(())
    }

    /// Takes publications together, as far as that does.
    fn publish_less(&mut self) -> Result<(), UnknownName> {
        loop {
            let steps = (0..self.program.all_steps().len() as u32)
                .filter(|step| !self.origins.contains_key(&Locus::Step(*step)));
            let steps: Vec<u32> = steps.collect();
            let Some(fewer) = copies::fewer(&self.program, &steps)? else { return Ok(()) };
            let publishes = |repair: &Repair, wanted: &Part| {
                repair.insertions.iter().any(
                    |insertion| matches!(&insertion.item, Inserted::Step(Step::DidModify(part)) if part == wanted),
                )
            };
            if let Some(place) = self.repairs.iter().position(|repair| publishes(repair, &fewer.gone)) {
                self.repairs.remove(place);
            }
            if let Some((former, part)) = fewer.instead
                && let Some(repair) = self.repairs.iter_mut().find(|repair| publishes(repair, &former))
            {
                let item = Inserted::Step(Step::DidModify(part));
                repair.insertions.iter_mut().for_each(|insertion| insertion.item = item.clone());
            }
            self.apply(&fewer.edits);
        }
    }

    fn cost(&self) -> (u64, u32) {
        self.repairs.iter().map(|repair| repair.cost).fold((0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1))
    }

    /// Brings copies together.
    fn bring(&mut self, edits: &Edits) {
        let mut numbers: Vec<usize> = edits.insertions.iter().map(|(number, _)| *number).collect();
        numbers.dedup();
        // One call that is missing cannot be none.
        self.is_least &= numbers.len() == 1 && self.repairs.iter().all(|repair| repair.scope.is_some());
        let new = numbers.into_iter().map(|number| repair(&self.program, edits, number, None, Vec::new()));
        self.repairs.extend(new);
        self.apply(edits);
    }

    /// Orders what is not; `false` where nothing could be done.
    fn order(&mut self, order: &Order) -> Result<bool, UnknownName> {
        let conflicts = Conflicts::of(&self.program, order, &HashSet::new());
        let broken = conflicts.racing.into_iter().chain(conflicts.stale);
        let program = self.program.clone();
        let mut problem = Problem::of(&program, order, broken);
        let Cheapest { additions, is_least } = additions(&mut problem)?;
        if additions.is_empty() {
            return Ok(false);
        }
        self.is_least &= is_least;
        let edits = edits(&program, order, &additions);
        for (addition, number) in additions.iter().zip(0..) {
            let needed = reduce::depends(&problem, &additions, number)?;
            let origin = |locus: Locus| self.origins.get(&locus).copied();
            let mends = needed.iter().filter_map(|conflict| conflict.moved(origin)).map(|own| mended(&own));
            let mut mends: Vec<_> = mends.collect();
            mends.dedup();
            self.repairs.push(repair(&program, &edits, number, Some(addition), mends));
        }
        self.apply(&edits);
        Ok(true)
    }

    fn prune(&mut self) -> Result<(), UnknownName> {
        loop {
            let order = Order::of(&self.program)?;
            let without = redundant_sites(&self.program, &order)?;
            if without.is_empty() {
                return Ok(());
            }
            let mut gone: Vec<Locus> =
                without.iter().filter_map(|site| self.origins.get(site).copied()).collect();
            gone.sort_unstable();
            self.removed.append(&mut gone);
            self.apply(&Edits { without, ..Edits::default() });
        }
    }

    fn done(self) -> Result<Fixed, UnknownName> {
        let order = Order::of(&self.program)?;
        let mut left = Vec::new();
        for finding in validate_order(&self.program, &order) {
            if finding.severity() == Severity::Error {
                let reason = left_for(&finding);
                left.push(Left { finding, reason });
            }
        }
        let Self { program, origins, repairs, removed, is_least } = self;
        Ok(Fixed { program, repairs, removed, left, is_least, origins })
    }
}

/// The cheapest additions that are known to order all that can be ordered. What cannot leaves the problem.
fn additions(problem: &mut Problem<'_>) -> Result<Cheapest, UnknownName> {
    let mut all = Vec::new();
    for _ in 0..ROUNDS {
        let rest = problem.rest(&all)?;
        if rest.is_empty() {
            break;
        }
        let new = choose::choose(problem, &rest);
        let before = all.len();
        all.extend(new.into_iter().filter(|addition| !all.contains(addition)).collect::<Vec<_>>());
        if all.len() == before {
            break;
        }
    }
    let rest: HashSet<Conflict> = problem.rest(&all)?.into_iter().collect();
    problem.broken.retain(|conflict| !rest.contains(conflict));
    if problem.broken.is_empty() {
        return Ok(Cheapest { additions: Vec::new(), is_least: true });
    }
    all = reduce::reduced(problem, all)?;
    let mut cheapest = exact::cheapest(problem, all)?;
    reduce::tighten(problem, &mut cheapest.additions)?;
    Ok(cheapest)
}

/// Why an error stays.
fn left_for(finding: &Finding) -> LeftReason {
    match &finding.kind {
        Kind::Stuck(stuck) => match stuck.reason {
            StuckReason::NeverCommitted(_) => LeftReason::NeverCommitted,
            _ => LeftReason::CommittedBehind,
        },
        Kind::Managed(Managed::NotPublished) => LeftReason::PublishedTooLate,
        Kind::Managed(Managed::NotSynchronized) => LeftReason::NoSynchronize,
        Kind::Race(_) | Kind::Stale(_) => LeftReason::Blocked,
        _ => LeftReason::Misuse,
    }
}

const ROUNDS: usize = 16;
/// How many ways to open waits and to split passes are tried in full.
const WAYS: usize = 32;
