//! Threads of the CPU as lanes: memory accesses are bars, waits are holds, and the rest are marks.
use std::collections::HashSet;

use super::build::Builder;
use super::{
    Anchor, ArrowKind, Bar, Effect, Fate, GroupKind, Hold, HoldKind, Lane, Mark, Owner, Time, Touched, words,
};
use crate::program::{CommandBufferIndex, EventIndex, Locus, Part, Step};
use crate::{AccessKind, NodeId};

/// Where a thread is.
struct Thread {
    group: usize,
    /// Behind what it has done, and behind what it would do.
    cursor: Time,
}

impl<'a> Builder<'a> {
    pub(super) fn threads(&mut self) {
        if self.cpu {
            self.thread(None, "CPU".to_owned(), &self.program.steps, &mut 0, None);
        }
    }

    fn thread(
        &mut self,
        start: Option<u32>,
        name: String,
        steps: &'a [Step],
        number: &mut u32,
        when: Option<(EventIndex, u64)>,
    ) {
        let detail = if when.is_some() { "notification" } else { "thread" };
        let lane = self.timeline.lanes.len();
        self.timeline.lanes.push(Lane { owner: Owner::Thread(start), name, detail: detail.to_owned() });
        let group = self.group(lane, GroupKind::Steps, Fate::Runs);
        let mut thread = Thread { group, cursor: 0 };
        if let Some(node) = start.and_then(|start| self.order.nodes(Locus::Step(start)).first()) {
            thread.cursor = self.times.end(*node);
        }
        if let (Some((event, value)), false) = (when, steps.is_empty()) {
            let locus = Locus::Step(*number);
            let started = self.order.nodes(locus).first().copied();
            let label = format!("when {}", self.value(event, value));
            let kind = HoldKind::Event;
            let hold = self.waiting(&mut thread, locus, started, kind, label);
            self.awaited.push((event, value, hold, locus));
        }
        let mut bodies = Vec::new();
        for step in steps {
            let own = *number;
            *number += 1;
            match step {
                Step::Thread { name, body } => {
                    bodies.push((own, name.clone(), body, *number, None));
                    self.point(&mut thread, own, format!("thread {name}"));
                }
                Step::Notify { event, value, body } => {
                    let name = self.value(*event, *value);
                    self.point(&mut thread, own, format!("notify {name}"));
                    bodies.push((own, name, body, *number, Some((*event, *value))));
                }
                _ => self.step(&mut thread, own, step),
            }
            *number += inside(step);
        }
        for (own, name, body, mut first, when) in bodies {
            self.thread(Some(own), name, body, &mut first, when);
        }
    }

    fn step(&mut self, thread: &mut Thread, number: u32, step: &Step) {
        let names = |buffers: &[CommandBufferIndex]| {
            let label = |buffer: &CommandBufferIndex| {
                self.program.command_buffers.get(buffer.index()).map_or("?", |body| &body.label)
            };
            buffers.iter().map(label).collect::<Vec<_>>().join(" ")
        };
        match step {
            Step::Write(part) => self.access(thread, number, "write", part, AccessKind::Write),
            Step::Read(part) => self.access(thread, number, "read", part, AccessKind::Read),
            Step::DidModify(part) => {
                let label = format!("did-modify {}", words::part(self.program, &self.explainer, part));
                self.point(thread, number, label);
            }
            Step::Commit(buffers) => {
                let label = format!("commit {}", names(buffers));
                self.point(thread, number, label);
            }
            Step::Enqueue(buffer) => {
                let label = format!("enqueue {}", names(&[*buffer]));
                self.point(thread, number, label);
            }
            Step::MakeAliasable(resource) => {
                let label = format!("make-aliasable {}", self.explainer.resource(*resource));
                self.point(thread, number, label);
            }
            Step::SetSignaledValue { event, value } => {
                let label = format!("set {}", self.value(*event, *value));
                let mark = self.point(thread, number, label);
                let fate = self.timeline.marks[mark].fate;
                self.raises.push((*event, *value, Anchor::Mark(mark), fate));
            }
            Step::WaitUntilCompleted(buffer) => {
                let node = self.order.nodes(Locus::Step(number)).first().copied();
                let label = format!("wait {}", names(&[*buffer]));
                self.waiting(thread, Locus::Step(number), node, HoldKind::Completion, label);
            }
            Step::WaitUntilSignaled { event, value, .. } => {
                let node = self.order.nodes(Locus::Step(number)).first().copied();
                let label = format!("wait {}", self.value(*event, *value));
                let hold = self.waiting(thread, Locus::Step(number), node, HoldKind::Event, label);
                self.awaited.push((*event, *value, hold, Locus::Step(number)));
            }
            // An event operation shows on its queue.
            Step::QueueEvent { .. } | Step::Thread { .. } | Step::Notify { .. } => {}
        }
    }

    fn access(&mut self, thread: &mut Thread, number: u32, verb: &str, part: &Part, kind: AccessKind) {
        let locus = Locus::Step(number);
        let node = self.order.nodes(locus).first().copied();
        let (start, end) = match node {
            Some(node) => (self.times.start(node), self.times.end(node)),
            None => (thread.cursor, thread.cursor + 1),
        };
        thread.cursor = thread.cursor.max(end);
        let touched = Touched { part: words::part(self.program, &self.explainer, part), kind };
        let bar = Bar {
            group: thread.group,
            stage: None,
            locus,
            label: verb.to_owned(),
            path: self.path(locus),
            touches: vec![touched],
            start,
            end,
        };
        self.bar(bar, node);
    }

    /// A step that takes no time.
    fn point(&mut self, thread: &mut Thread, number: u32, label: String) -> usize {
        let locus = Locus::Step(number);
        let node = self.order.nodes(locus).first().copied();
        let at = node.map_or(thread.cursor, |node| self.times.end(node));
        thread.cursor = thread.cursor.max(at);
        let fate = if node.is_some() { Fate::Runs } else { Fate::Stuck };
        self.mark(Mark { group: thread.group, locus, label, at, fate }, node)
    }

    /// A step that waits until `node` can start.
    fn waiting(
        &mut self,
        thread: &mut Thread,
        locus: Locus,
        node: Option<NodeId>,
        kind: HoldKind,
        label: String,
    ) -> Anchor {
        let from = thread.cursor;
        let (to, effect) = match node {
            Some(node) if self.times.start(node) > from => (self.times.start(node), Effect::Holds),
            // What takes no time is a mark.
            Some(node) => {
                let (group, at, fate) = (thread.group, from, Fate::Runs);
                return Anchor::Mark(self.mark(Mark { group, locus, label, at, fate }, Some(node)));
            }
            None if self.stuck.contains(&locus) => (from + 1, Effect::Never),
            None => (from + 1, Effect::NeverReached),
        };
        thread.cursor = to;
        let (group, loci, bars) = (thread.group, vec![locus], Vec::new());
        Anchor::Hold(self.hold(Hold { group, stage: None, loci, kind, label, from, to, bars, effect }))
    }

    fn value(&self, event: EventIndex, value: u64) -> String {
        let name = self.program.events.get(event.index()).map_or("?", |event| &event.name);
        format!("{name}={value}")
    }

    /// From commits to what they commit, and from what ends a command buffer to who waits for it.
    pub(super) fn cpu_arrows(&mut self) {
        if !self.cpu {
            return;
        }
        let mut committed = HashSet::new();
        for (number, step) in self.steps.clone().into_iter().enumerate() {
            let locus = Locus::Step(number as u32);
            let anchors = self.at.get(&locus).cloned().unwrap_or_default();
            match (step, anchors.first()) {
                (Step::Commit(buffers), Some(mark @ Anchor::Mark(_))) => {
                    for buffer in buffers {
                        // A second commit does nothing.
                        if let Some(group) = self.first.get(buffer).filter(|_| committed.insert(*buffer)) {
                            self.arrow(*mark, Anchor::Group(*group), ArrowKind::Cpu);
                        }
                    }
                }
                (Step::WaitUntilCompleted(_), Some(wait)) => {
                    let node = self.order.nodes(locus).first();
                    if let Some(from) = node.and_then(|node| self.last_before(*node)) {
                        self.arrow(from, *wait, ArrowKind::Cpu);
                    }
                }
                _ => {}
            }
        }
    }

    /// The work that ends last before a step may go on.
    fn last_before(&self, node: NodeId) -> Option<Anchor> {
        let links = self.order.links(node);
        let nodes = links.flat_map(|(before, _)| self.times.behind(before, self.times.end(before)).0);
        let bars = nodes.filter_map(|node| match self.of_node.get(&node) {
            Some(Anchor::Bar(bar)) if self.timeline.bars[*bar].stage.is_some() => Some(*bar),
            _ => None,
        });
        bars.max_by_key(|bar| (self.timeline.bars[*bar].end, *bar)).map(Anchor::Bar)
    }
}

/// How many steps stand in a step.
fn inside(step: &Step) -> u32 {
    match step {
        Step::Thread { body, .. } | Step::Notify { body, .. } => {
            body.iter().map(|step| 1 + inside(step)).sum()
        }
        _ => 0,
    }
}
