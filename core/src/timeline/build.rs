//! Putting a timeline together: lanes, then what holds what, then findings.
use std::collections::{HashMap, HashSet};

use super::times::Times;
use super::{Anchor, Arrow, ArrowKind, Bar, Fate, Group, GroupKind, Hold, Mark, Time, Timeline};
use crate::explain::Explainer;
use crate::program::{CommandBufferIndex, EventIndex, Locus, Program, Step};
use crate::validate::{Finding, Spot};
use crate::{NodeId, Order};

pub(super) fn build(program: &Program, order: &Order, findings: &[Finding]) -> Timeline {
    let mut builder = Builder::new(program, order, findings);
    builder.threads();
    builder.queues();
    builder.pass_holds();
    builder.event_arrows();
    builder.cpu_arrows();
    builder.conflicts(findings);
    builder.finish()
}

pub(super) struct Builder<'a> {
    pub(super) program: &'a Program,
    pub(super) order: &'a Order,
    pub(super) explainer: Explainer<'a>,
    pub(super) steps: Vec<&'a Step>,
    pub(super) times: Times<'a>,
    pub(super) timeline: Timeline,
    /// Whether threads have lanes.
    pub(super) cpu: bool,
    pub(super) stuck: HashSet<Locus>,
    pub(super) waits: HashMap<Locus, (Time, Vec<NodeId>)>,
    pub(super) at: HashMap<Locus, Vec<Anchor>>,
    pub(super) of_node: HashMap<NodeId, Anchor>,
    /// The first group of each command buffer.
    pub(super) first: HashMap<CommandBufferIndex, usize>,
    /// Signals of events, by the event and the value.
    pub(super) raises: Vec<(EventIndex, u64, Anchor, Fate)>,
    /// Waits for events.
    pub(super) awaited: Vec<(EventIndex, u64, Anchor, Locus)>,
}

impl<'a> Builder<'a> {
    fn new(program: &'a Program, order: &'a Order, findings: &[Finding]) -> Self {
        let cpu = matters(program, findings);
        let times = Times::of(program, order, cpu);
        Self {
            program,
            order,
            explainer: Explainer::of(program),
            steps: program.all_steps(),
            waits: times.event_waits(),
            times,
            timeline: Timeline::default(),
            cpu,
            stuck: order.stuck().iter().copied().collect(),
            at: HashMap::new(),
            of_node: HashMap::new(),
            first: HashMap::new(),
            raises: Vec::new(),
            awaited: Vec::new(),
        }
    }

    pub(super) fn group(&mut self, lane: usize, kind: GroupKind, fate: Fate) -> usize {
        let (label, detail) = (String::new(), String::new());
        self.timeline.groups.push(Group { lane, kind, label, detail, fate, start: Time::MAX, end: 0 });
        self.timeline.groups.len() - 1
    }

    /// Adds a bar, and makes its group as long as it needs.
    pub(super) fn bar(&mut self, bar: Bar, node: Option<NodeId>) -> usize {
        let number = self.timeline.bars.len();
        self.widen(bar.group, bar.start, bar.end);
        self.note(bar.locus, Anchor::Bar(number));
        if let Some(node) = node {
            self.of_node.insert(node, Anchor::Bar(number));
        }
        self.timeline.bars.push(bar);
        number
    }

    pub(super) fn hold(&mut self, hold: Hold) -> usize {
        let number = self.timeline.holds.len();
        self.widen(hold.group, hold.from, hold.to);
        for locus in &hold.loci {
            self.at.entry(*locus).or_default().push(Anchor::Hold(number));
        }
        self.timeline.holds.push(hold);
        number
    }

    pub(super) fn mark(&mut self, mark: Mark, node: Option<NodeId>) -> usize {
        let number = self.timeline.marks.len();
        self.widen(mark.group, mark.at, mark.at);
        self.note(mark.locus, Anchor::Mark(number));
        if let Some(node) = node {
            self.of_node.insert(node, Anchor::Mark(number));
        }
        self.timeline.marks.push(mark);
        number
    }

    pub(super) fn arrow(&mut self, from: Anchor, to: Anchor, kind: ArrowKind) {
        self.timeline.arrows.push(Arrow { from, to, kind });
    }

    fn note(&mut self, locus: Locus, anchor: Anchor) {
        self.at.entry(locus).or_default().push(anchor);
    }

    fn widen(&mut self, group: usize, start: Time, end: Time) {
        if let Some(group) = self.timeline.groups.get_mut(group) {
            group.start = group.start.min(start);
            group.end = group.end.max(end);
        }
    }

    /// A place's label path, as short as names it alone.
    pub(super) fn path(&self, locus: Locus) -> String {
        self.explainer.path(Spot::At(locus))
    }

    fn finish(mut self) -> Timeline {
        for group in &mut self.timeline.groups {
            group.start = group.start.min(group.end);
            self.timeline.end = self.timeline.end.max(group.end);
        }
        self.timeline.arrows.sort_unstable();
        self.timeline.arrows.dedup();
        self.timeline
    }
}

/// Whether what the threads do matters: they touch memory, raise or wait for events, or there are several of them.
///
/// A program whose only thread commits, and waits for the end, says nothing that the queues do not.
fn matters(program: &Program, findings: &[Finding]) -> bool {
    let found = |finding: &Finding| {
        [finding.first, finding.second].into_iter().flatten().any(|spot| match spot {
            Spot::At(Locus::Step(number)) => {
                !matches!(program.all_steps().get(number as usize), Some(Step::QueueEvent { .. }))
            }
            _ => false,
        })
    };
    let mut waited = false;
    let steps = program.steps.iter().any(|step| match step {
        Step::WaitUntilCompleted(_) => {
            waited = true;
            false
        }
        Step::Commit(_) | Step::Enqueue(_) | Step::QueueEvent { .. } => waited,
        Step::MakeAliasable(_) => false,
        _ => true,
    });
    steps || findings.iter().any(found)
}
