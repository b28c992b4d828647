//! What is missing between two accesses: the nearest thing that almost orders them, and by what it misses.
//!
//! A judgement for people, made only for what has been found. The primitives in the two passes are tried in turn: which of them would
//! order the two if one thing about it were different? The nearest miss is a wrong stage, then a wrong place, then a
//! primitive of the wrong scope.
use super::finding::Gap;
use super::walk::{Mark, Scene};
use crate::program::{
    CommandBufferIndex, FenceIndex, Locus, MemoryScope, Pass, PassItem, Placement, Primitive, Program,
    QueueMode, Shape, TrackingMode,
};
use crate::{Stage, Stages};

/// A mark's place in a pass. Items are counted with the attachments' own item where the pass has one.
struct Stand<'a> {
    buffer: CommandBufferIndex,
    pass: u32,
    item: u32,
    stage: Stage,
    body: &'a Pass,
    /// It is the attachments' own item.
    alone: bool,
}

/// Near misses, the nearest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Near {
    Stage,
    Place,
    Scope,
}

pub(super) fn of_race(scene: &Scene<'_>, earlier: &Mark, later: &Mark) -> Gap {
    let program = scene.program;
    let (first, second) = match (stand(program, earlier), stand(program, later)) {
        (Some(first), Some(second)) => (first, second),
        (Some(_), None) => return Gap::NotWaited,
        (None, Some(second)) => return cpu_first(scene, second.buffer, earlier),
        (None, None) => return Gap::Nothing,
    };
    let queue = |stand: &Stand<'_>| program.command_buffers[stand.buffer.index()].queue;
    let one_queue = queue(&first) == queue(&second);
    let one_pass = first.buffer == second.buffer && first.pass == second.pass;
    let mut misses = Vec::new();
    if one_pass {
        within_pass(&first, &second, &mut misses);
    } else {
        if one_queue {
            in_first_pass(&first, &second, &mut misses);
            in_second_pass(&first, &second, &mut misses);
        }
        fences(&first, &second, &mut misses);
    }
    misses.sort_by_key(|(near, _)| *near);
    match misses.first() {
        Some((_, gap)) => *gap,
        None if !one_queue => Gap::Queues,
        None => untracked(program, earlier, later, queue(&second).index(), one_pass),
    }
}

/// A primitive that orders the two without making what the first did visible: of all that are on any way from one to the other,
/// one that stands in a pass of the two and orders them by itself, else the first by its place. So the answer is the program's,
/// and not that of one of several ways that are as short.
pub(super) fn of_stale(scene: &Scene<'_>, earlier: &Mark, later: &Mark) -> Gap {
    let program = scene.program;
    let links = scene.known.between(earlier.point, later.node());
    let places = links.iter().filter_map(|link| scene.known.locus(link.site));
    let ends = stand(program, earlier).zip(stand(program, later));
    let nearness = |locus: Locus| match &ends {
        Some((first, second)) => u8::from(!orders_both(program, locus, first, second)),
        None => 1,
    };
    let hidden = places.filter_map(|locus| {
        let primitive = primitive_at(program, locus)?;
        let gap = match primitive {
            Primitive::MemoryBarrier { scope, .. } if !shows(program, scope, [earlier, later]) => {
                Gap::OtherResources(locus)
            }
            Primitive::Barrier { visibility, .. }
            | Primitive::ConsumerBarrier { visibility, .. }
            | Primitive::ProducerBarrier { visibility, .. }
                if visibility.is_empty() =>
            {
                Gap::ExecutionOnly(locus)
            }
            _ => return None,
        };
        Some(((nearness(locus), locus), gap))
    });
    hidden.min_by_key(|(rank, _)| *rank).map_or(Gap::Nothing, |(_, gap)| gap)
}

fn primitive_at(program: &Program, locus: Locus) -> Option<&Primitive> {
    let Locus::PassItem { buffer, pass, item } = locus else { return None };
    match program.pass(buffer, pass)?.items.get(item as usize)? {
        PassItem::Synchronization(own) => Some(&own.primitive),
        _ => None,
    }
}

/// Whether a memory barrier shows what both touch.
fn shows(program: &Program, scope: &MemoryScope, marks: [&Mark; 2]) -> bool {
    marks.into_iter().all(|mark| match scope {
        MemoryScope::Resources(named) => named.contains(&mark.resource),
        MemoryScope::Kinds { buffers, textures, render_targets } => {
            match program.resource(mark.resource).shape {
                Shape::Buffer { .. } => *buffers,
                Shape::Texture { .. } => *textures || *render_targets,
            }
        }
    })
}

/// Whether a primitive in a pass of two commands orders them by itself, as far as stages say.
fn orders_both(program: &Program, locus: Locus, first: &Stand<'_>, second: &Stand<'_>) -> bool {
    let (Some(primitive), Locus::PassItem { buffer, pass, .. }) = (primitive_at(program, locus), locus)
    else {
        return false;
    };
    let in_pass = |stand: &Stand<'_>| (stand.buffer, stand.pass) == (buffer, pass);
    let lacks = |after, before| lacking(after, before, first.stage, second.stage, locus).is_some();
    match *primitive {
        Primitive::Barrier { after, before, .. } => {
            in_pass(first) && in_pass(second) && !lacks(after, before)
        }
        Primitive::MemoryBarrier { after, before, .. } => {
            let (after, before) = (after.unwrap_or(Stages::EVERY), before.unwrap_or(Stages::EVERY));
            in_pass(first) && in_pass(second) && !lacks(after, before)
        }
        Primitive::ConsumerBarrier { after_queue, before, .. } => {
            in_pass(second) && !in_pass(first) && !lacks(after_queue, before)
        }
        Primitive::ProducerBarrier { after, before_queue, .. } => {
            in_pass(first) && !in_pass(second) && !lacks(after, before_queue)
        }
        Primitive::UpdateFence { .. } | Primitive::WaitForFence { .. } => false,
    }
}

fn stand<'a>(program: &'a Program, mark: &Mark) -> Option<Stand<'a>> {
    let stage = mark.stage?;
    match mark.locus {
        Locus::PassItem { buffer, pass, item } => {
            let body = program.pass(buffer, pass)?;
            Some(Stand { buffer, pass, item, stage, body, alone: false })
        }
        Locus::Pass { buffer, pass } => {
            let body = program.pass(buffer, pass)?;
            Some(Stand { buffer, pass, item: body.attachments_at()?, stage, body, alone: true })
        }
        Locus::Event { .. } | Locus::Step(_) => None,
    }
}

impl Stand<'_> {
    fn locus(&self, item: u32) -> Locus {
        let item = if self.alone && item > self.item { item - 1 } else { item };
        Locus::PassItem { buffer: self.buffer, pass: self.pass, item }
    }

    fn primitives(&self) -> impl Iterator<Item = (u32, &Primitive)> {
        self.body.items.iter().zip(0..).filter_map(|(item, index)| match item {
            PassItem::Synchronization(synchronization) => {
                let index = if self.alone && index >= self.item { index + 1 } else { index };
                Some((index, &synchronization.primitive))
            }
            _ => None,
        })
    }
}

/// The stage that a primitive lacks, where it lacks one.
fn lacking(after: Stages, before: Stages, first: Stage, second: Stage, locus: Locus) -> Option<Gap> {
    let has = |stages: Stages, stage: Stage| stages.contains(stage.mask());
    match (has(after, first), has(before, second)) {
        (false, _) => Some(Gap::FirstStage(locus, first)),
        (true, false) => Some(Gap::SecondStage(locus, second)),
        (true, true) => None,
    }
}

fn within_pass(first: &Stand<'_>, second: &Stand<'_>, misses: &mut Vec<(Near, Gap)>) {
    for (item, primitive) in first.primitives() {
        let locus = first.locus(item);
        match *primitive {
            Primitive::Barrier { after, before, .. } => {
                let lacks = lacking(after, before, first.stage, second.stage, locus);
                misses.extend(placed(item, first.item, second.item, locus, lacks));
            }
            Primitive::MemoryBarrier { after, before, .. } => {
                let (after, before) = (after.unwrap_or(Stages::EVERY), before.unwrap_or(Stages::EVERY));
                let lacks = lacking(after, before, first.stage, second.stage, locus);
                misses.extend(placed(item, first.item, second.item, locus, lacks));
            }
            Primitive::ConsumerBarrier { .. } | Primitive::ProducerBarrier { .. }
                if first.item < item && item < second.item =>
            {
                misses.push((Near::Scope, Gap::WithoutPass(locus)));
            }
            _ => {}
        }
    }
}

/// A barrier within the pass of both: between them with a wrong stage, or with the right ones at a wrong place.
fn placed(item: u32, first: u32, second: u32, locus: Locus, lacks: Option<Gap>) -> Option<(Near, Gap)> {
    match lacks {
        Some(gap) => (first < item && item < second).then_some((Near::Stage, gap)),
        None if item < first => Some((Near::Place, Gap::TooEarly(locus))),
        None if item > second => Some((Near::Place, Gap::TooLate(locus))),
        None => None,
    }
}

/// Barriers in the pass of the first of two passes.
fn in_first_pass(first: &Stand<'_>, second: &Stand<'_>, misses: &mut Vec<(Near, Gap)>) {
    for (item, primitive) in first.primitives() {
        let locus = first.locus(item);
        match *primitive {
            Primitive::ProducerBarrier { after, before_queue, .. } => {
                match lacking(after, before_queue, first.stage, second.stage, locus) {
                    Some(gap) if item > first.item => misses.push((Near::Stage, gap)),
                    None if item < first.item => misses.push((Near::Place, Gap::TooEarly(locus))),
                    _ => {}
                }
            }
            Primitive::ConsumerBarrier { after_queue, before, .. }
                if lacking(after_queue, before, first.stage, second.stage, locus).is_none() =>
            {
                misses.push((Near::Place, Gap::OwnPass(locus)));
            }
            Primitive::Barrier { after, before, .. }
                if item > first.item
                    && lacking(after, before, first.stage, second.stage, locus).is_none() =>
            {
                misses.push((Near::Scope, Gap::WithinPass(locus)));
            }
            _ => {}
        }
    }
}

/// Barriers in the pass of the second of two passes.
fn in_second_pass(first: &Stand<'_>, second: &Stand<'_>, misses: &mut Vec<(Near, Gap)>) {
    for (item, primitive) in second.primitives() {
        let locus = second.locus(item);
        match *primitive {
            Primitive::ConsumerBarrier { after_queue, before, .. } => {
                match lacking(after_queue, before, first.stage, second.stage, locus) {
                    Some(gap) if item < second.item => misses.push((Near::Stage, gap)),
                    None if item > second.item => misses.push((Near::Place, Gap::TooLate(locus))),
                    _ => {}
                }
            }
            Primitive::ProducerBarrier { after, before_queue, .. }
                if lacking(after, before_queue, first.stage, second.stage, locus).is_none() =>
            {
                misses.push((Near::Place, Gap::LaterPasses(locus)));
            }
            Primitive::Barrier { after, before, .. }
                if item < second.item
                    && lacking(after, before, first.stage, second.stage, locus).is_none() =>
            {
                misses.push((Near::Scope, Gap::WithinPass(locus)));
            }
            _ => {}
        }
    }
}

/// Updates in the first's pass and waits in the second's.
fn fences(first: &Stand<'_>, second: &Stand<'_>, misses: &mut Vec<(Near, Gap)>) {
    let updates: Vec<(u32, FenceIndex, Stages)> = first
        .primitives()
        .filter_map(|(item, primitive)| match *primitive {
            Primitive::UpdateFence { fence, after } => Some((item, fence, after.unwrap_or(Stages::EVERY))),
            _ => None,
        })
        .collect();
    for (item, primitive) in second.primitives() {
        let Primitive::WaitForFence { fence, before } = *primitive else { continue };
        let before = before.unwrap_or(Stages::EVERY);
        for &(update, updated, after) in &updates {
            let miss = fence_miss(first, second, (update, after), (item, before), fence == updated);
            misses.extend(miss);
        }
    }
}

fn fence_miss(
    first: &Stand<'_>,
    second: &Stand<'_>,
    (update, after): (u32, Stages),
    (wait, before): (u32, Stages),
    same: bool,
) -> Option<(Near, Gap)> {
    let (at_update, at_wait) = (first.locus(update), second.locus(wait));
    let placed = update > first.item && wait < second.item;
    let lacks = if !after.contains(first.stage.mask()) {
        Some(Gap::FirstStage(at_update, first.stage))
    } else if !before.contains(second.stage.mask()) {
        Some(Gap::SecondStage(at_wait, second.stage))
    } else {
        None
    };
    match (same, lacks) {
        (true, Some(gap)) => placed.then_some((Near::Stage, gap)),
        (true, None) if update < first.item => Some((Near::Place, Gap::TooEarly(at_update))),
        (true, None) if wait > second.item => Some((Near::Place, Gap::TooLate(at_wait))),
        (false, None) if placed => Some((Near::Scope, Gap::OtherFence { update: at_update, wait: at_wait })),
        _ => None,
    }
}

/// The CPU touches what a commit before it has handed to the GPU, or nobody told the GPU to wait for the CPU.
fn cpu_first(scene: &Scene<'_>, buffer: CommandBufferIndex, step: &Mark) -> Gap {
    let commit = scene.commits.get(buffer.index()).copied().flatten();
    let before = |commit| scene.known.ordered(scene.known.point(commit), step.node());
    if commit.is_some_and(before) { Gap::AfterCommit } else { Gap::Nothing }
}

/// Why hazard tracking, which the resource has or could have, did not order the two.
fn untracked(program: &Program, earlier: &Mark, later: &Mark, queue: usize, one_pass: bool) -> Gap {
    if one_pass || earlier.resource != later.resource {
        return Gap::Nothing;
    }
    let declaration = program.resource(later.resource);
    let tracked = match (declaration.tracking, declaration.placement) {
        (TrackingMode::Untracked, _) => false,
        (_, Placement::Heap { heap, .. }) => program.heaps[heap.index()].tracked,
        (TrackingMode::Default | TrackingMode::Tracked, _) => true,
    };
    if !tracked {
        return Gap::Nothing;
    }
    if program.queues[queue].mode == QueueMode::Explicit {
        // Everything is tracked by default; only who asked for it is told that it does nothing here.
        let asked = declaration.tracking == TrackingMode::Tracked;
        return if asked { Gap::TrackingInert } else { Gap::Nothing };
    }
    let pointers = |mark: &Mark| {
        let Locus::PassItem { buffer, pass, item } = mark.locus else { return false };
        let item = program.pass(buffer, pass).and_then(|pass| pass.items.get(item as usize));
        matches!(item, Some(PassItem::Command(command)) if !command.work.is_tracked())
    };
    let unseen = [earlier, later].into_iter().find(|mark| pointers(mark));
    unseen.map_or(Gap::Nothing, |mark| Gap::Undeclared(mark.locus))
}
