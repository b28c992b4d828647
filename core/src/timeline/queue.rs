//! Queues as lanes: a group for each pass, and one for the event operations between them.
use std::collections::HashSet;

use super::build::Builder;
use super::times::cost;
use super::{
    Anchor, ArrowKind, Bar, Effect, Fate, GroupKind, Hold, HoldKind, Lane, Mark, Owner, Time, Touched, words,
};
use crate::Stage;
use crate::order::Moment;
use crate::program::{
    BufferItem, CommandBufferIndex, EventOperation, EventOperationKind, Locus, Pass, PassItem, QueueIndex,
    QueueMode, Step,
};

/// What a queue takes, in its order.
enum Entry {
    Pass(CommandBufferIndex, u32),
    Event(Locus),
}

struct Walk {
    queue: QueueIndex,
    lane: usize,
    /// The group of the event operations, once there is one.
    events: Option<usize>,
    /// Behind what it has done, and behind what it would do.
    cursor: Time,
    /// The end of the last wait.
    waited: Time,
}

impl<'a> Builder<'a> {
    pub(super) fn queues(&mut self) {
        for (queue, number) in self.program.queues.iter().zip(0..) {
            let entries = self.entries(QueueIndex(number));
            let mode = match queue.mode {
                QueueMode::Explicit => "queue",
                QueueMode::Tracked => "tracked queue",
            };
            let detail = match self.program.devices.get(queue.device.index()) {
                Some(device) if self.program.devices.len() > 1 => format!("{mode} of {}", device.name),
                _ => mode.to_owned(),
            };
            let lane = self.timeline.lanes.len();
            self.timeline.lanes.push(Lane {
                owner: Owner::Queue(QueueIndex(number)),
                name: queue.name.clone(),
                detail,
            });
            let mut walk = Walk { queue: QueueIndex(number), lane, events: None, cursor: 0, waited: 0 };
            for (entry, fate) in entries {
                match entry {
                    Entry::Pass(buffer, item) => self.pass(&mut walk, buffer, item, fate),
                    Entry::Event(locus) => self.operation(&mut walk, locus, fate),
                }
            }
        }
    }

    /// What a queue takes: what was played, then what stands behind a wait, then what is never committed.
    fn entries(&self, queue: QueueIndex) -> Vec<(Entry, Fate)> {
        let mut entries = Vec::new();
        let mut seen: HashSet<Locus> = HashSet::new();
        let own = |buffer: CommandBufferIndex| {
            self.program.command_buffers.get(buffer.index()).is_some_and(|body| body.queue == queue)
        };
        let on_queue = |locus: Locus| match locus {
            Locus::Event { buffer, .. } => own(buffer),
            Locus::Step(number) => {
                matches!(self.steps.get(number as usize), Some(Step::QueueEvent { queue: on, .. }) if *on == queue)
            }
            Locus::PassItem { .. } | Locus::Pass { .. } => false,
        };
        for moment in self.order.moments() {
            match *moment {
                Moment::Pass(buffer, item) if own(buffer) => {
                    seen.insert(Locus::Event { buffer, item });
                    entries.push((Entry::Pass(buffer, item), Fate::Runs));
                }
                Moment::Event(locus) if on_queue(locus) => {
                    seen.insert(locus);
                    entries.push((Entry::Event(locus), Fate::Runs));
                }
                _ => {}
            }
        }
        let rest = |buffer: CommandBufferIndex, fate: Fate, seen: &mut HashSet<Locus>| {
            let mut rest = Vec::new();
            let items = self.program.command_buffers.get(buffer.index()).map_or(&[][..], |body| &body.items);
            for (item, place) in items.iter().zip(0..) {
                let locus = Locus::Event { buffer, item: place };
                if seen.insert(locus) {
                    rest.push(match item {
                        BufferItem::Pass(_) => (Entry::Pass(buffer, place), fate),
                        BufferItem::Event(_) => (Entry::Event(locus), fate),
                    });
                }
            }
            rest
        };
        for (step, number) in self.steps.iter().zip(0..) {
            match step {
                Step::Commit(buffers) => {
                    for buffer in buffers.iter().filter(|buffer| own(**buffer)) {
                        entries.extend(rest(*buffer, Fate::Stuck, &mut seen));
                    }
                }
                Step::QueueEvent { .. }
                    if on_queue(Locus::Step(number)) && seen.insert(Locus::Step(number)) =>
                {
                    entries.push((Entry::Event(Locus::Step(number)), Fate::Stuck));
                }
                _ => {}
            }
        }
        for number in 0..self.program.command_buffers.len() as u32 {
            if own(CommandBufferIndex(number)) {
                entries.extend(rest(CommandBufferIndex(number), Fate::NotCommitted, &mut seen));
            }
        }
        entries
    }

    fn pass(&mut self, walk: &mut Walk, buffer: CommandBufferIndex, item: u32, fate: Fate) {
        let Some(pass) = self.program.pass(buffer, item) else { return };
        let group = self.group(walk.lane, GroupKind::Pass(buffer, item), fate);
        self.first.entry(buffer).or_insert(group);
        let mode =
            self.program.queues.get(walk.queue.index()).map_or(QueueMode::Explicit, |queue| queue.mode);
        let mut detail = words::pass(pass, mode).to_owned();
        if self.program.command_buffers.len() > 1
            && let Some(body) = self.program.command_buffers.get(buffer.index())
        {
            detail = format!("{detail} · {}", body.label);
        }
        match fate {
            Fate::Runs => {}
            Fate::Stuck => detail += " · never starts",
            Fate::NotCommitted => detail += " · never committed",
        }
        if let Some(own) = self.timeline.groups.get_mut(group) {
            own.label.clone_from(&pass.label);
            own.detail = detail;
        }
        for (item_of_pass, place) in pass.items.iter().zip(0..) {
            if matches!(item_of_pass, PassItem::Command(_)) {
                self.command(walk, group, pass, Locus::PassItem { buffer, pass: item, item: place }, fate);
            }
        }
        if !pass.own_uses().is_empty() {
            self.attachments(walk, group, pass, Locus::Pass { buffer, pass: item }, fate);
        }
        if self.timeline.groups[group].start == Time::MAX {
            let at = walk.cursor.max(walk.waited);
            let own = &mut self.timeline.groups[group];
            (own.start, own.end) = (at, at);
        }
        walk.cursor = walk.cursor.max(self.timeline.groups[group].end);
    }

    /// What a render pass without draws does to its attachments.
    fn attachments(&mut self, walk: &Walk, group: usize, pass: &Pass, locus: Locus, fate: Fate) {
        let node = self.order.nodes(locus).first().copied().filter(|_| fate == Fate::Runs);
        let (start, end) = match node {
            Some(node) => (self.times.start(node), self.times.end(node)),
            None => (walk.cursor, walk.cursor + 1),
        };
        let touch = |used: &crate::program::Use| Touched {
            part: words::part(self.program, &self.explainer, &used.part),
            kind: used.kind,
        };
        let touches = pass.own_uses().iter().map(touch).collect();
        let (label, path) = ("attachments".to_owned(), self.path(locus));
        let stage = Some(Stage::Fragment);
        self.bar(Bar { group, stage, locus, label, path, touches, start, end }, node);
    }

    fn command(&mut self, walk: &Walk, group: usize, pass: &Pass, locus: Locus, fate: Fate) {
        let Locus::PassItem { item, .. } = locus else { return };
        let Some(PassItem::Command(command)) = pass.items.get(item as usize) else { return };
        let uses = self.program.uses(pass, command);
        let nodes = self.order.nodes(locus).to_vec();
        for (stage, number) in command.work.stages().iter_stages().zip(0..) {
            let node = nodes.get(number).copied().filter(|_| fate == Fate::Runs);
            let (start, end) = match node {
                Some(node) => (self.times.start(node), self.times.end(node)),
                None => (walk.cursor, walk.cursor + cost(self.program, locus).min(2)),
            };
            let touch = |used: &crate::program::Use| Touched {
                part: words::part(self.program, &self.explainer, &used.part),
                kind: used.kind,
            };
            let touches = uses.iter().filter(|used| used.stage == stage).map(touch).collect();
            let (label, path) = (command.label.clone(), self.path(locus));
            let bar = Bar { group, stage: Some(stage), locus, label, path, touches, start, end };
            self.bar(bar, node);
        }
    }

    fn operation(&mut self, walk: &mut Walk, locus: Locus, fate: Fate) {
        let Some(operation) = words::operation(self.program, locus).cloned() else { return };
        let group = match walk.events {
            Some(group) => group,
            None => {
                let group = self.group(walk.lane, GroupKind::Events, Fate::Runs);
                walk.events = Some(group);
                group
            }
        };
        let label = words::event(self.program, &operation);
        match operation.kind {
            EventOperationKind::Signal => self.signal(walk, group, locus, &operation, label, fate),
            EventOperationKind::Wait => self.wait(walk, group, locus, &operation, label, fate),
        }
    }

    fn signal(
        &mut self,
        walk: &Walk,
        group: usize,
        locus: Locus,
        operation: &EventOperation,
        label: String,
        fate: Fate,
    ) {
        // A step has a node of its own, which comes before the operation that it puts on the queue.
        let node = self.order.nodes(locus).last().copied().filter(|_| fate == Fate::Runs);
        let at = node.map_or(walk.cursor, |node| self.times.end(node));
        let mark = self.mark(Mark { group, locus, label, at, fate }, node);
        self.raises.push((operation.event, operation.value, Anchor::Mark(mark), fate));
    }

    fn wait(
        &mut self,
        walk: &mut Walk,
        group: usize,
        locus: Locus,
        operation: &EventOperation,
        label: String,
        fate: Fate,
    ) {
        let (from, to, effect) = match (fate, self.waits.get(&locus)) {
            (Fate::Runs, Some((to, _))) if *to > walk.waited => {
                (self.wait_from(locus, *to).max(walk.waited), *to, Effect::Holds)
            }
            (Fate::Runs, _) => (walk.waited, walk.waited + 1, Effect::Satisfied),
            _ if self.stuck.contains(&locus) => (walk.cursor, walk.cursor + 1, Effect::Never),
            _ => (walk.cursor, walk.cursor + 1, Effect::NeverReached),
        };
        if effect != Effect::Satisfied {
            walk.waited = to;
            walk.cursor = walk.cursor.max(to);
        }
        let (kind, loci, bars) = (HoldKind::Event, vec![locus], Vec::new());
        let hold = self.hold(Hold { group, stage: None, loci, kind, label, from, to, bars, effect });
        self.awaited.push((operation.event, operation.value, Anchor::Hold(hold), locus));
    }

    /// When the last work starts that a wait for an event waits for.
    fn wait_from(&self, locus: Locus, to: Time) -> Time {
        let nodes = self.waits.get(&locus).map_or(&[][..], |wait| &wait.1);
        let mut starts = Vec::new();
        for node in nodes {
            for (before, _) in self.order.links(*node) {
                for work in self.times.behind(before, to).0 {
                    if self.times.end(work) == to {
                        starts.push(self.times.start(work));
                    }
                }
            }
        }
        starts.into_iter().filter(|start| *start < to).max().unwrap_or_else(|| to.saturating_sub(1))
    }

    /// From signals to the waits that they release, and from those that cannot come to the waits that lack them.
    pub(super) fn event_arrows(&mut self) {
        for (event, value, to, locus) in self.awaited.clone() {
            let effect = match to {
                Anchor::Hold(hold) => self.timeline.holds[hold].effect,
                _ => Effect::Satisfied,
            };
            let raises = self.raises.clone();
            let enough = raises.iter().filter(|raise| raise.0 == event && raise.1 >= value);
            if effect == Effect::Never {
                for raise in enough.filter(|raise| raise.3 != Fate::Runs) {
                    self.arrow(raise.2, to, ArrowKind::Stuck);
                }
                continue;
            }
            let nodes = self.waits.get(&locus).map_or(&[][..], |wait| &wait.1);
            let direct: Vec<Anchor> =
                nodes.iter().filter_map(|node| self.of_node.get(node)).copied().collect();
            // Where several signals could have come first, the wait follows only what is before all of them.
            let all: Vec<Anchor> = match direct.is_empty() {
                true => enough.filter(|raise| raise.3 == Fate::Runs).map(|raise| raise.2).collect(),
                false => direct,
            };
            for from in all {
                let at = self.timeline.span(from).map_or(0, |span| span.1);
                if at <= self.timeline.span(to).map_or(0, |span| span.1) && effect != Effect::NeverReached {
                    self.arrow(from, to, ArrowKind::Event);
                }
            }
        }
    }
}
