//! The scopes of every primitive, what it shows, and what tracking orders.
use fencepost_core::program::{
    MemoryScope, Placement, Primitive, Program, ResourceIndex, Shape, TrackingMode, Use,
};
use fencepost_core::{Stage, Stages, Visibility};

use super::Spot;

pub(super) type Scope = Box<dyn Fn(Spot, Stage) -> bool>;

/// What an operation shows of earlier writes, or what a question asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shows {
    Kinds { buffers: bool, textures: bool },
    Only(Vec<ResourceIndex>),
}

pub(super) const FULL: Shows = Shows::Kinds { buffers: true, textures: true };

pub(super) fn none() -> Scope {
    Box::new(|_, _| false)
}

/// First and second scope of a primitive of a pass, and what it shows.
pub(super) fn scopes(
    primitive: &Primitive,
    here: Spot,
    serial: bool,
    compute: bool,
) -> Option<(Scope, Scope, Shows)> {
    let (m, at, queue) = (here.pass, here.at, here.queue);
    let seen = |visibility: Visibility| {
        let full = !visibility.is_empty();
        Shows::Kinds { buffers: full, textures: full }
    };
    let earlier = |stages: Stages| -> Scope {
        Box::new(move |s, stage| s.pass == m && s.at < at && has(stages, stage))
    };
    let later = |stages: Stages| -> Scope {
        Box::new(move |s, stage| s.pass == m && s.at > at && has(stages, stage))
    };
    Some(match primitive {
        Primitive::Barrier { .. } | Primitive::MemoryBarrier { .. } if serial => return None,
        &Primitive::Barrier { after, before, visibility } => {
            (earlier(after), later(before), seen(visibility))
        }
        Primitive::MemoryBarrier { scope, after, before } => {
            let absent = if compute { Stages::DISPATCH } else { Stages::EVERY };
            let shows = match scope {
                MemoryScope::Kinds { buffers, textures, render_targets } => {
                    Shows::Kinds { buffers: *buffers, textures: *textures || *render_targets }
                }
                MemoryScope::Resources(all) => Shows::Only(all.clone()),
            };
            let pipeline = [Stages::OBJECT, Stages::VERTEX | Stages::MESH, Stages::FRAGMENT, Stages::TILE];
            let (mut after, mut before) = (after.unwrap_or(absent), before.unwrap_or(absent));
            let last = pipeline.iter().rposition(|level| after.intersects(*level));
            let first = pipeline.iter().position(|level| before.intersects(*level));
            after |= pipeline.iter().take(last.map_or(0, |last| last + 1)).copied().collect();
            before |= pipeline.iter().skip(first.unwrap_or(4)).copied().collect();
            (earlier(after), later(before), shows)
        }
        &Primitive::ConsumerBarrier { after_queue: a, before: b, visibility } => (
            Box::new(move |s, stage| s.queue == queue && s.pass.is_some() && s.pass < m && has(a, stage)),
            Box::new(move |s, stage| {
                s.queue == queue
                    && s.pass.is_some()
                    && (s.pass > m || s.at > at && s.pass == m)
                    && has(b, stage)
            }),
            seen(visibility),
        ),
        &Primitive::ProducerBarrier { after: a, before_queue: b, visibility } => (
            Box::new(move |s, stage| {
                s.queue == queue
                    && s.pass.is_some()
                    && (s.pass < m || s.at < at && s.pass == m)
                    && has(a, stage)
            }),
            Box::new(move |s, stage| s.queue == queue && s.pass.is_some() && s.pass > m && has(b, stage)),
            seen(visibility),
        ),
        Primitive::UpdateFence { after, .. } => (earlier(after.unwrap_or(Stages::EVERY)), none(), FULL),
        Primitive::WaitForFence { before, .. } => (none(), later(before.unwrap_or(Stages::EVERY)), FULL),
    })
}

fn has(stages: Stages, stage: Stage) -> bool {
    stages.contains(stage.mask())
}

pub(super) fn covers(shows: &Shows, asked: &Shows, program: &Program) -> bool {
    match (shows, asked) {
        (Shows::Only(all), Shows::Only(one)) => one.iter().all(|one| all.contains(one)),
        (Shows::Only(_), Shows::Kinds { .. }) => false,
        (Shows::Kinds { buffers, textures }, Shows::Kinds { buffers: b, textures: t }) => {
            *buffers >= *b && *textures >= *t
        }
        (Shows::Kinds { buffers, textures }, Shows::Only(one)) => one.iter().all(|one| {
            if matches!(program.resource(*one).shape, Shape::Buffer { .. }) { *buffers } else { *textures }
        }),
    }
}

/// Whether tracking orders two uses: of one resource that overlap, or of one tracked heap.
pub(super) fn hazard(program: &Program, a: &Use, b: &Use) -> bool {
    let (ra, rb) = (program.resource(a.part.resource), program.resource(b.part.resource));
    let unit = |placement| match placement {
        Placement::Heap { heap, .. } => Some((heap, program.heaps[heap.index()].tracked)),
        _ => None,
    };
    let off = |mode| mode == TrackingMode::Untracked;
    let meet = match (unit(ra.placement), unit(rb.placement)) {
        (Some((a, true)), Some((b, true))) => a == b,
        (None, None) => a.part.resource == b.part.resource && a.part.extent.overlaps(&b.part.extent),
        _ => false,
    };
    !off(ra.tracking) && !off(rb.tracking) && meet && a.kind.conflict(b.kind).is_some()
}
