//! What a program's author expects, held against what is found.
//!
//! A line about a race holds where the race is there, also where the validator tells only of a neighbour that stands for it.
//! A finding is expected where a line names it. A line about a fix holds where
//! a conflict on the resource is mended by such a primitive and by none of smaller scope.
use super::finding::{Clash, Finding, Kind, Misuse, Severity, Spot, StuckReason};
use super::history;
use super::race;
use super::walk::{self, Layout, Mark};
use crate::advise;
use crate::order::Script;
use crate::program::{
    BufferItem, CommandBufferIndex, Expectation, Locus, Program, RaceKind, ResourceIndex, Step, split_stage,
};
use crate::{AccessKind, Item, NodeId, Order, Stage};

/// Expectations and findings of a program, side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// For every expectation of the program, in its order.
    pub lines: Vec<Verdict>,
    /// Errors that no line names, as indices of the findings.
    pub unexpected: Vec<usize>,
}

/// What has become of an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is so.
    Held,
    /// It is not so.
    Failed,
}

/// Holds a program's expectations against its findings.
///
/// ```
/// use fencepost_core::program::{Expectation, Program, QueueMode};
/// use fencepost_core::validate::{Verdict, hold, validate_order};
/// use fencepost_core::Order;
///
/// let mut p = Program::builder();
/// let q = p.queue("q", QueueMode::Explicit);
/// let [a, b, c] = ["A", "B", "C"].map(|name| p.buffer(name, 64));
/// let cb = p.command_buffer("cb", q, |items| {
///     items.compute("P1", |pass| { pass.copy("c1", a, b).dispatch("k1", [b], [c]); });
/// });
/// p.steps().commit([cb]);
/// p.expect(Expectation::Clean);
/// let program = p.build();
/// let order = Order::of(&program)?;
/// let findings = validate_order(&program, &order);
/// let holding = hold(&program, &order, &findings);
/// assert_eq!(holding.lines, [Verdict::Failed]);
/// assert_eq!(holding.unexpected, [0]);
/// # Ok::<(), fencepost_core::program::UnknownName>(())
/// ```
pub fn hold(program: &Program, order: &Order, findings: &[Finding]) -> Holding {
    let held = Held { program, order, findings, steps: program.all_steps() };
    let lines = program.expectations.iter().map(|expectation| held.verdict(expectation)).collect();
    let error = |finding: &Finding| finding.severity() == Severity::Error;
    let expected = |finding: &Finding| program.expectations.iter().any(|line| held.names(line, finding));
    let unexpected = (0..findings.len())
        .filter(|index| error(&findings[*index]) && !expected(&findings[*index]))
        .collect();
    Holding { lines, unexpected }
}

struct Held<'a> {
    program: &'a Program,
    order: &'a Order,
    findings: &'a [Finding],
    steps: Vec<&'a Step>,
}

impl Held<'_> {
    fn verdict(&self, expectation: &Expectation) -> Verdict {
        let holds = match expectation {
            Expectation::Clean => self.findings.iter().all(|finding| finding.severity() != Severity::Error),
            Expectation::Ordered { first, second } => self.ordered(first, second),
            Expectation::Unordered { first, second } => self.unordered(first, second),
            Expectation::Race { resource, first, second, kind } => {
                self.findings.iter().any(|finding| self.names(expectation, finding))
                    || self.races(*resource, first.as_deref(), second.as_deref(), *kind)
            }
            Expectation::Stuck { .. }
            | Expectation::Misuse { .. }
            | Expectation::Stale { .. }
            | Expectation::Managed { .. } => {
                self.findings.iter().any(|finding| self.names(expectation, finding))
            }
            Expectation::Redundant { site } => self.redundant(site) == Some(true),
            Expectation::Needed { site } => self.redundant(site) == Some(false),
            Expectation::Fix { resource, primitive } => {
                let scopes = advise::Remedies::of(self.program, self.order).scopes(*resource);
                scopes.iter().any(|scope| scope.name() == primitive)
            }
        };
        if holds { Verdict::Held } else { Verdict::Failed }
    }

    /// Whether a synchronization may be taken away, by itself or with others; nothing where the path names none that is played.
    /// One that is needed only because an equal one is advised to go is not needed.
    fn redundant(&self, path: &str) -> Option<bool> {
        let advised =
            |finding: &Finding| matches!(finding.kind, Kind::Redundant(_)) && self.is(path, finding.second);
        if self.findings.iter().any(advised) {
            return Some(true);
        }
        let mut answer = None;
        for locus in self.program.locate(path) {
            let redundant = advise::is_redundant(self.program, self.order, locus).ok()??;
            answer = Some(redundant || answer.unwrap_or(false));
        }
        answer
    }

    /// Whether an expectation names a finding.
    fn names(&self, expectation: &Expectation, finding: &Finding) -> bool {
        match (expectation, &finding.kind) {
            (Expectation::Race { resource, first, second, kind }, Kind::Race(clash)) => {
                self.names_race(*resource, first.as_deref(), second.as_deref(), *kind, finding, clash)
            }
            (Expectation::Stale { site }, Kind::Stale(clash)) => {
                self.touches(site, finding.second, clash.second.stage)
            }
            (Expectation::Stuck { site }, Kind::Stuck(stuck)) => {
                let cycle: &[Locus] = match &stuck.reason {
                    StuckReason::Cycle(all) => all,
                    _ => &[],
                };
                let mut all = cycle.iter().chain(&stuck.behind);
                self.is(site, finding.second) || all.any(|locus| self.is(site, Some(Spot::At(*locus))))
            }
            (Expectation::Misuse { site, code }, Kind::Misuse(misuse)) => {
                let buffer = match misuse {
                    Misuse::CommittedTwice(buffer) => Some(Spot::CommandBuffer(*buffer)),
                    _ => None,
                };
                misuse.code() == code
                    && [finding.first, finding.second, buffer].into_iter().any(|spot| self.is(site, spot))
            }
            (Expectation::Managed { resource, code }, Kind::Managed(managed)) => {
                managed.code() == code && finding.resource == Some(*resource)
            }
            _ => false,
        }
    }

    fn names_race(
        &self,
        resource: ResourceIndex,
        first: Option<&str>,
        second: Option<&str>,
        kind: Option<RaceKind>,
        finding: &Finding,
        clash: &Clash,
    ) -> bool {
        let named = |path: Option<&str>, spot, stage| path.is_none_or(|path| self.touches(path, spot, stage));
        let fits = |kind: RaceKind| {
            clash.conflicts.iter().any(|conflict| *conflict == kind.into())
                || fits(kind, clash.first.kind, clash.second.kind)
        };
        [clash.first.resource, clash.second.resource].contains(&resource)
            && named(first, finding.first, clash.first.stage)
            && named(second, finding.second, clash.second.stage)
            && kind.is_none_or(fits)
    }

    /// Whether such a race is there, told or stood for.
    fn races(
        &self,
        resource: ResourceIndex,
        first: Option<&str>,
        second: Option<&str>,
        kind: Option<RaceKind>,
    ) -> bool {
        let mut marks: Vec<Mark> = Vec::new();
        let layout = Layout::of(self.program);
        let (script, known) = (Script::document(self.program, &self.steps), self.order.known());
        walk::walk(script, self.order, &layout, |deed| marks.extend_from_slice(deed.touches()));
        let named = |path: Option<&str>, mark: &Mark| {
            path.is_none_or(|path| self.touches(path, Some(Spot::from(mark.locus)), mark.stage))
        };
        let pair = |x: &Mark, y: &Mark| {
            [x.resource, y.resource].contains(&resource)
                && x.serial < y.serial
                && x.memory == y.memory
                && x.place.start.max(y.place.start) < x.place.end.min(y.place.end)
                && kind.is_none_or(|kind| fits(kind, x.kind, y.kind))
                && history::conflict(x, y)
                && race::is(x, y, &known)
        };
        let seconds: Vec<&Mark> = marks.iter().filter(|mark| named(second, mark)).collect();
        marks.iter().filter(|mark| named(first, mark)).any(|x| seconds.iter().any(|y| pair(x, y)))
    }

    fn ordered(&self, first: &str, second: &str) -> bool {
        let (first, second) = (self.nodes(first), self.nodes(second));
        let all = |a: &NodeId| second.iter().all(|b| self.order.ordered(*a, *b));
        !first.is_empty() && !second.is_empty() && first.iter().all(all)
    }

    fn unordered(&self, first: &str, second: &str) -> bool {
        let (first, second) = (self.nodes(first), self.nodes(second));
        let order = self.order;
        let none = |a: &NodeId| second.iter().all(|b| !order.ordered(*a, *b) && !order.ordered(*b, *a));
        !first.is_empty() && !second.is_empty() && first.iter().all(none)
    }

    /// The nodes of a place, or of all commands of a pass or of a command buffer.
    fn nodes(&self, path: &str) -> Vec<NodeId> {
        let own = self.order.named(path);
        if !own.is_empty() {
            return own;
        }
        let items = self.order.items().iter();
        let inside = |item: &&Item| match split_stage(path) {
            Some((place, stage)) if stage == item.stage => {
                self.contains(place, item.locus) || self.contains(path, item.locus)
            }
            _ => self.contains(path, item.locus),
        };
        items.filter(inside).map(|item| item.node).collect()
    }

    /// Whether a path is that of a place, or of one stage of it.
    fn touches(&self, path: &str, spot: Option<Spot>, stage: Option<Stage>) -> bool {
        let of_stage = |(place, named)| stage == Some(named) && self.is(place, spot);
        self.is(path, spot) || split_stage(path).is_some_and(of_stage)
    }

    /// Whether a path is a place's, with or without its command buffer.
    fn is(&self, path: &str, spot: Option<Spot>) -> bool {
        let program = self.program;
        let label = |buffer: CommandBufferIndex| {
            program.command_buffers.get(buffer.index()).map_or("", |body| &body.label)
        };
        match spot {
            None => false,
            Some(Spot::CommandBuffer(buffer)) => label(buffer) == path,
            Some(Spot::Pass(buffer, pass) | Spot::At(Locus::Pass { buffer, pass })) => {
                let Some(pass) = program.pass(buffer, pass) else { return false };
                pass.label == path || is_joined(path, label(buffer), &pass.label)
            }
            Some(Spot::At(locus)) => {
                program.path_among(locus, &self.steps) == path
                    || program.full_path_among(locus, &self.steps) == path
            }
        }
    }

    /// Whether a path names the pass or the command buffer of a place.
    fn contains(&self, path: &str, locus: Locus) -> bool {
        let (Locus::PassItem { buffer, pass, .. } | Locus::Pass { buffer, pass }) = locus else {
            return false;
        };
        let Some(body) = self.program.command_buffers.get(buffer.index()) else { return false };
        let Some(BufferItem::Pass(pass)) = body.items.get(pass as usize) else { return false };
        path == body.label || path == pass.label || is_joined(path, &body.label, &pass.label)
    }
}

fn is_joined(path: &str, buffer: &str, pass: &str) -> bool {
    path.strip_prefix(buffer).and_then(|rest| rest.strip_prefix('.')) == Some(pass)
}

/// Whether two accesses race in a way, where one that reads and writes may race in several.
const fn fits(kind: RaceKind, first: AccessKind, second: AccessKind) -> bool {
    match kind {
        RaceKind::ReadAfterWrite => first.writes() && second.reads(),
        RaceKind::WriteAfterRead => first.reads() && second.writes(),
        RaceKind::WriteAfterWrite => first.writes() && second.writes(),
    }
}
