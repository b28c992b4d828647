//! What keeps the commands of passes from starting, and where primitives stand that keep nothing.
use std::collections::{BTreeMap, HashSet};

use super::build::Builder;
use super::{Anchor, ArrowKind, Effect, Fate, GroupKind, Hold, HoldKind, Mark, Time, words};
use crate::order::Primitive as Linked;
use crate::program::{CommandBufferIndex, Locus, PassItem, PassKind, Primitive};
use crate::{NodeId, Stage, Stages};

/// One primitive that keeps a bar from starting.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Cause {
    to: Time,
    from: Time,
    locus: Locus,
    kind: u8,
    label: String,
    sources: Vec<Anchor>,
}

/// Bars that the same causes hold until the same time.
type Block = (usize, Option<Stage>, Time, Vec<Cause>);

impl Builder<'_> {
    pub(super) fn pass_holds(&mut self) {
        self.pass_marks();
        let mut blocks: BTreeMap<Block, Vec<usize>> = BTreeMap::new();
        for number in 0..self.timeline.bars.len() {
            let bar = &self.timeline.bars[number];
            let (group, stage, start) = (bar.group, bar.stage, bar.start);
            if stage.is_none() || self.timeline.groups[group].fate != Fate::Runs {
                continue;
            }
            let causes = self.causes(number);
            if !causes.is_empty() {
                blocks.entry((group, stage, start, causes)).or_default().push(number);
            }
        }
        for ((group, stage, _, causes), bars) in blocks {
            self.block(group, stage, causes, &bars);
        }
        self.idle_primitives();
    }

    /// One hold after the other, as each cause ends.
    fn block(&mut self, group: usize, stage: Option<Stage>, causes: Vec<Cause>, bars: &[usize]) {
        let mut until = 0;
        let mut last: Option<usize> = None;
        for cause in causes {
            let from = cause.from.max(until);
            let number = match last {
                Some(number) if cause.to <= until => {
                    let hold = &mut self.timeline.holds[number];
                    hold.loci.push(cause.locus);
                    hold.label = format!("{}, {}", hold.label, cause.label);
                    self.at.entry(cause.locus).or_default().push(Anchor::Hold(number));
                    number
                }
                _ => {
                    let kind = KINDS[usize::from(cause.kind)];
                    self.hold(Hold {
                        group,
                        stage,
                        loci: vec![cause.locus],
                        kind,
                        label: cause.label,
                        from,
                        to: cause.to,
                        bars: bars.to_vec(),
                        effect: Effect::Holds,
                    })
                }
            };
            let kind = ARROWS[usize::from(cause.kind)];
            for source in cause.sources {
                self.arrow(source, Anchor::Hold(number), kind);
            }
            until = until.max(cause.to);
            last = Some(number);
        }
    }

    /// What holds a bar until it starts, by when it ends.
    fn causes(&self, number: usize) -> Vec<Cause> {
        let bar = &self.timeline.bars[number];
        let nodes = self.order.nodes(bar.locus);
        let own = |node: &&NodeId| self.of_node.get(node) == Some(&Anchor::Bar(number));
        let Some(node) = nodes.iter().find(own) else { return Vec::new() };
        let links = self.times.held_by(*node);
        // Before this the pass has not come to the device, or its last command still runs.
        let floor = |link: &&(crate::order::Link, NodeId)| {
            matches!(link.0.primitive, Linked::Cpu | Linked::EventWait | Linked::SerialPass)
        };
        let floor = links.iter().filter(floor).map(|link| self.times.end(link.1)).max().unwrap_or(0);
        let mut causes: Vec<Cause> = Vec::new();
        for (link, source) in links {
            let to = self.times.end(source);
            let Some(locus) = self.order.locus(link.site) else { continue };
            let Some(kind) = kind(link.primitive) else { continue };
            if to <= floor {
                continue;
            }
            let (from, sources) = self.sources(source, to, link.primitive, locus);
            let label = self.hold_label(link.primitive, locus, number, source);
            match causes.iter_mut().find(|cause| cause.locus == locus && cause.kind == kind) {
                Some(cause) => {
                    if to > cause.to {
                        (cause.to, cause.from) = (to, from.max(floor));
                    }
                    cause.sources.extend(sources);
                    if cause.label != label && link.primitive == Linked::HazardTracking {
                        cause.label = merged(&cause.label, &label);
                    }
                }
                None => causes.push(Cause { to, from: from.max(floor), locus, kind, label, sources }),
            }
        }
        for cause in &mut causes {
            cause.sources.sort_unstable();
            cause.sources.dedup();
            self.fewer(&mut cause.sources, cause.from, cause.to);
        }
        causes.sort();
        causes
    }

    /// When the last of what is waited for starts, and what the arrows come from.
    fn sources(&self, node: NodeId, to: Time, primitive: Linked, locus: Locus) -> (Time, Vec<Anchor>) {
        let (last, _) = self.times.behind(node, to);
        let starts = last.iter().map(|node| self.times.start(*node)).filter(|start| *start < to);
        let from = starts.max().unwrap_or_else(|| to.saturating_sub(1));
        // What has ended by then does not explain why the wait lasts.
        let (nodes, links) = self.times.behind(node, from + 1);
        let mark = |locus: Locus| {
            let anchors = self.at.get(&locus).map_or(&[][..], Vec::as_slice);
            anchors.iter().find(|anchor| matches!(anchor, Anchor::Mark(_))).copied()
        };
        let marks: Vec<Anchor> = match primitive {
            Linked::FenceWait => {
                let fence = self.fence(locus);
                let updates = links.iter().filter(|link| link.primitive == Linked::FenceUpdate);
                let updates = updates.filter_map(|link| self.order.locus(link.site));
                updates.filter(|update| self.fence(*update) == fence).filter_map(mark).collect()
            }
            Linked::ProducerBarrier => mark(locus).into_iter().collect(),
            _ => Vec::new(),
        };
        if !marks.is_empty() {
            return (from, marks);
        }
        let bars = nodes.iter().filter_map(|node| self.of_node.get(node)).copied();
        (from, bars.filter(|anchor| matches!(anchor, Anchor::Bar(_))).collect())
    }

    /// The number of the fence that a place is about.
    fn fence(&self, locus: Locus) -> Option<u32> {
        match words::synchronization(self.program, locus)?.primitive {
            Primitive::UpdateFence { fence, .. } | Primitive::WaitForFence { fence, .. } => Some(fence.0),
            _ => None,
        }
    }

    /// Arrows come from what ends while the wait lasts; where that is much, from what ends last.
    fn fewer(&self, sources: &mut Vec<Anchor>, from: Time, to: Time) {
        let end = |source: &Anchor| self.timeline.span(*source).map_or(0, |span| span.1);
        if sources.iter().any(|source| end(source) > from) {
            sources.retain(|source| end(source) > from);
        }
        if sources.len() > ARROWS_MOST {
            sources.retain(|source| end(source) == to);
            sources.truncate(ARROWS_MOST);
        }
    }

    fn hold_label(&self, primitive: Linked, locus: Locus, bar: usize, source: NodeId) -> String {
        if primitive != Linked::HazardTracking {
            let own = self.pass_of(bar);
            let elsewhere =
                !matches!(locus, Locus::PassItem { buffer, pass, .. } if own == Some((buffer, pass)));
            return words::hold(self.program, &self.explainer, locus, elsewhere);
        }
        let mut names: Vec<&str> = Vec::new();
        for node in self.times.behind(source, 0).0 {
            let Some(Anchor::Bar(other)) = self.of_node.get(&node) else { continue };
            for mine in &self.timeline.bars[bar].touches {
                let clash = |theirs: &super::Touched| {
                    name(&theirs.part) == name(&mine.part) && theirs.kind.conflict(mine.kind).is_some()
                };
                if self.timeline.bars[*other].touches.iter().any(clash) && !names.contains(&name(&mine.part))
                {
                    names.push(name(&mine.part));
                }
            }
        }
        if names.is_empty() { "tracking".to_owned() } else { format!("tracks {}", names.join(" ")) }
    }

    fn pass_of(&self, bar: usize) -> Option<(CommandBufferIndex, u32)> {
        match self.timeline.bars.get(bar)?.locus {
            Locus::PassItem { buffer, pass, .. } | Locus::Pass { buffer, pass } => Some((buffer, pass)),
            Locus::Event { .. } | Locus::Step(_) => None,
        }
    }

    /// Updates of fences and producer barriers: others wait for them.
    fn pass_marks(&mut self) {
        let releases = self.times.releases();
        for group in 0..self.timeline.groups.len() {
            let own = &self.timeline.groups[group];
            let (GroupKind::Pass(buffer, pass), fate) = (own.kind, own.fate) else { continue };
            let (start, end) = (own.start, own.end);
            let Some(body) = self.program.pass(buffer, pass) else { continue };
            for (item, place) in body.items.iter().zip(0..) {
                let PassItem::Synchronization(synchronization) = item else { continue };
                let after = match synchronization.primitive {
                    Primitive::UpdateFence { after, .. } => after.unwrap_or(Stages::EVERY),
                    Primitive::ProducerBarrier { after, .. } => after,
                    _ => continue,
                };
                let locus = Locus::PassItem { buffer, pass, item: place };
                let at = match releases.get(&locus) {
                    Some((at, _)) => *at,
                    None => self.end_of(group, place, after).unwrap_or(start),
                };
                let at = if fate == Fate::Runs { at } else { end };
                let label = words::mark(self.program, synchronization);
                self.mark(Mark { group, locus, label, at, fate }, None);
            }
        }
    }

    /// When the last command of a group ends that stands before an item in one of these stages.
    fn end_of(&self, group: usize, place: u32, stages: Stages) -> Option<Time> {
        let bars = self.timeline.bars.iter().filter(|bar| bar.group == group);
        let earlier = bars.filter(|bar| {
            let before = match bar.locus {
                Locus::PassItem { item, .. } => item < place,
                _ => true,
            };
            before && bar.stage.is_some_and(|stage| stages.contains(stage.mask()))
        });
        earlier.map(|bar| bar.end).max()
    }

    /// Barriers and waits that hold nothing in time still have their place in their pass.
    fn idle_primitives(&mut self) {
        let releases = self.times.releases();
        let shown: HashSet<Locus> =
            self.timeline.holds.iter().flat_map(|hold| hold.loci.iter().copied()).collect();
        for group in 0..self.timeline.groups.len() {
            let (GroupKind::Pass(buffer, pass), fate) =
                (self.timeline.groups[group].kind, self.timeline.groups[group].fate)
            else {
                continue;
            };
            let Some(body) = self.program.pass(buffer, pass) else { continue };
            for (item, place) in body.items.iter().zip(0..) {
                let PassItem::Synchronization(synchronization) = item else { continue };
                let locus = Locus::PassItem { buffer, pass, item: place };
                let (before, kind) = match synchronization.primitive {
                    Primitive::Barrier { before, .. } | Primitive::ConsumerBarrier { before, .. } => {
                        (before, HoldKind::Barrier)
                    }
                    Primitive::MemoryBarrier { before, .. } => {
                        (before.unwrap_or(Stages::EVERY), HoldKind::Barrier)
                    }
                    Primitive::WaitForFence { before, .. } => {
                        (before.unwrap_or(Stages::EVERY), HoldKind::Fence)
                    }
                    Primitive::ProducerBarrier { .. } | Primitive::UpdateFence { .. } => continue,
                };
                if shown.contains(&locus) {
                    continue;
                }
                let stage = self.row_for(group, &body.kind, before);
                let label = words::hold(self.program, &self.explainer, locus, false);
                let (loci, bars) = (vec![locus], Vec::new());
                // A pass without commands hands on what it waits for.
                let empty = self.timeline.bars.iter().all(|bar| bar.group != group);
                if let (Fate::Runs, true, Some((to @ 1.., sources))) = (fate, empty, releases.get(&locus)) {
                    let (from, to, effect) = (*to - 1, *to, Effect::Holds);
                    let hold = self.hold(Hold { group, stage, loci, kind, label, from, to, bars, effect });
                    self.relay(hold, sources, locus);
                    continue;
                }
                let effect = match (fate, releases.contains_key(&locus)) {
                    (Fate::Runs, true) => Effect::Satisfied,
                    (Fate::Runs, false) => Effect::Nothing,
                    _ => Effect::NeverReached,
                };
                let mask = stage.map_or(Stages::EVERY, Stage::mask);
                let own = &self.timeline.groups[group];
                let from = self.end_of(group, place, mask).unwrap_or_else(|| own.start.min(own.end));
                let to = from + 1;
                self.hold(Hold { group, stage, loci, kind, label, from, to, bars, effect });
            }
        }
    }

    /// Arrows to a wait that only hands on.
    fn relay(&mut self, hold: usize, sources: &[NodeId], locus: Locus) {
        let (primitive, kind) = match self.timeline.holds[hold].kind {
            HoldKind::Fence => (Linked::FenceWait, ArrowKind::Fence),
            _ => (Linked::ConsumerBarrier, ArrowKind::Barrier),
        };
        let (from, to) = (self.timeline.holds[hold].from, self.timeline.holds[hold].to);
        let mut all: Vec<Anchor> =
            sources.iter().flat_map(|source| self.sources(*source, to, primitive, locus).1).collect();
        all.sort_unstable();
        all.dedup();
        self.fewer(&mut all, from, to);
        for source in all {
            self.arrow(source, Anchor::Hold(hold), kind);
        }
    }

    /// The row in which a primitive that holds nothing is shown: of a stage that the pass has, if there is one.
    fn row_for(&self, group: usize, pass: &PassKind, before: Stages) -> Option<Stage> {
        let bars = || self.timeline.bars.iter().filter(|bar| bar.group == group).filter_map(|bar| bar.stage);
        let usual = match pass {
            PassKind::Compute { .. } => Stages::DISPATCH | Stages::BLIT,
            PassKind::Blit => Stages::BLIT,
            PassKind::Render { .. } => Stages::VERTEX | Stages::FRAGMENT,
        };
        let held = bars().find(|stage| before.contains(stage.mask()));
        let held = held.or_else(|| (before & usual).iter_stages().next());
        held.or_else(|| before.iter_stages().next()).or_else(|| bars().next())
    }
}

/// The name in an access expression.
fn name(part: &str) -> &str {
    part.rsplit_once(':').map_or(part, |(name, _)| name)
}

/// `tracks A` and `tracks B` as one.
fn merged(first: &str, second: &str) -> String {
    match second.strip_prefix("tracks ") {
        Some(names) if first.starts_with("tracks ") => {
            let known: Vec<&str> = first.split(' ').collect();
            let new = names.split(' ').filter(|name| !known.contains(name));
            new.fold(first.to_owned(), |all, name| format!("{all} {name}"))
        }
        _ => first.to_owned(),
    }
}

/// The number of a primitive's kind in [`KINDS`] and [`ARROWS`]; none for what is no reason to wait in a pass.
const fn kind(primitive: Linked) -> Option<u8> {
    match primitive {
        Linked::IntraPassBarrier
        | Linked::MemoryBarrier
        | Linked::ConsumerBarrier
        | Linked::ProducerBarrier => Some(0),
        Linked::FenceWait => Some(1),
        Linked::HazardTracking => Some(2),
        Linked::FenceUpdate | Linked::EventSignal | Linked::EventWait | Linked::SerialPass | Linked::Cpu => {
            None
        }
    }
}

const KINDS: [HoldKind; 3] = [HoldKind::Barrier, HoldKind::Fence, HoldKind::Tracking];
const ARROWS: [ArrowKind; 3] = [ArrowKind::Barrier, ArrowKind::Fence, ArrowKind::Tracking];
/// Arrows to one hold.
const ARROWS_MOST: usize = 4;
