//! Labels of what has no label of its own, in the words of the text form of programs.
use crate::explain::Explainer;
use crate::program::{
    BufferItem, DispatchType, EventOperation, EventOperationKind, Locus, MemoryScope, Part, Pass, PassItem,
    PassKind, Primitive, Program, QueueMode, Shape, Step, Synchronization,
};
use crate::validate::Spot;
use crate::{Extent, Stage, Stages, Visibility};

/// A part as an access expression, as short as it can be.
pub(super) fn part(program: &Program, explainer: &Explainer<'_>, part: &Part) -> String {
    let name = explainer.resource(part.resource);
    let extent = explainer.extent(part.resource, &part.extent);
    match (&part.extent, program.resource(part.resource).shape) {
        (Extent::Whole, _) => name.to_owned(),
        (Extent::Subresources { .. }, Shape::Texture { slices: 1, .. }) => {
            format!("{name}:{}", extent.split(',').next().unwrap_or_default())
        }
        _ => format!("{name}:{extent}"),
    }
}

/// What a pass is: `compute, serial`.
pub(super) fn pass(pass: &Pass, mode: QueueMode) -> &'static str {
    match (&pass.kind, mode) {
        (PassKind::Blit, _) => "blit",
        (PassKind::Render { .. }, _) => "render",
        (PassKind::Compute { dispatch_type: Some(DispatchType::Serial) }, _)
        | (PassKind::Compute { dispatch_type: None }, QueueMode::Tracked) => "compute, serial",
        (PassKind::Compute { .. }, _) => "compute",
    }
}

/// The primitive that stands at a place.
pub(super) fn synchronization(program: &Program, locus: Locus) -> Option<&Synchronization> {
    let Locus::PassItem { buffer, pass, item } = locus else { return None };
    match program.pass(buffer, pass)?.items.get(item as usize)? {
        PassItem::Synchronization(synchronization) => Some(synchronization),
        _ => None,
    }
}

/// The event operation that stands at a place.
pub(super) fn operation(program: &Program, locus: Locus) -> Option<&EventOperation> {
    match locus {
        Locus::Event { buffer, item } => {
            match program.command_buffers.get(buffer.index())?.items.get(item as usize)? {
                BufferItem::Event(operation) => Some(operation),
                BufferItem::Pass(_) => None,
            }
        }
        Locus::Step(number) => match program.all_steps().get(number as usize)? {
            Step::QueueEvent { operation, .. } => Some(operation),
            _ => None,
        },
        Locus::PassItem { .. } | Locus::Pass { .. } => None,
    }
}

/// `signal E=1`, `wait E=1`.
pub(super) fn event(program: &Program, operation: &EventOperation) -> String {
    let name = program.events.get(operation.event.index()).map_or("?", |event| &event.name);
    let verb = match operation.kind {
        EventOperationKind::Signal => "signal",
        EventOperationKind::Wait => "wait",
    };
    format!("{verb} {name}={}", operation.value)
}

/// What a primitive waits for, as a hold says it; `elsewhere` where it stands in another pass than what it holds.
pub(super) fn hold(program: &Program, explainer: &Explainer<'_>, locus: Locus, elsewhere: bool) -> String {
    let Some(synchronization) = synchronization(program, locus) else { return String::new() };
    let named = |what: &str, body: String| match (&synchronization.label, elsewhere) {
        (None, false) if body.is_empty() => what.to_owned(),
        (None, false) => format!("{what}: {body}"),
        (Some(label), false) => format!("{label}: {body}"),
        (_, true) => format!("{}: {body}", explainer.path(Spot::At(locus))),
    };
    match &synchronization.primitive {
        Primitive::Barrier { after, visibility, .. } => {
            named("barrier", format!("after {}{}", stages(*after), shown(*visibility)))
        }
        Primitive::ConsumerBarrier { after_queue, visibility, .. } => {
            named("barrier", format!("after earlier {}{}", stages(*after_queue), shown(*visibility)))
        }
        Primitive::ProducerBarrier { after, visibility, .. } => {
            named("barrier", format!("after {}{}", stages(*after), shown(*visibility)))
        }
        Primitive::MemoryBarrier { scope, .. } => named("memory-barrier", memory(explainer, scope)),
        Primitive::UpdateFence { fence, .. } | Primitive::WaitForFence { fence, .. } => {
            let name = program.fences.get(fence.index()).map_or("?", String::as_str);
            match (&synchronization.label, elsewhere) {
                (None, false) => format!("wait {name}"),
                _ => named("", format!("wait {name}")),
            }
        }
    }
}

/// What a primitive does that others wait for, as its mark says it.
pub(super) fn mark(program: &Program, synchronization: &Synchronization) -> String {
    let body = match &synchronization.primitive {
        Primitive::UpdateFence { fence, .. } => {
            format!("update {}", program.fences.get(fence.index()).map_or("?", String::as_str))
        }
        Primitive::ProducerBarrier { before_queue, .. } => {
            format!("before later {}", stages(*before_queue))
        }
        _ => String::new(),
    };
    match &synchronization.label {
        Some(label) => format!("{label}: {body}"),
        None => body,
    }
}

fn memory(explainer: &Explainer<'_>, scope: &MemoryScope) -> String {
    match scope {
        MemoryScope::Kinds { buffers, textures, render_targets } => {
            let kinds = [(*buffers, "buffers"), (*textures, "textures"), (*render_targets, "render-targets")];
            let named: Vec<&str> = kinds.iter().filter(|kind| kind.0).map(|kind| kind.1).collect();
            named.join(" ")
        }
        MemoryScope::Resources(resources) => {
            let names: Vec<&str> = resources.iter().map(|resource| explainer.resource(*resource)).collect();
            names.join(" ")
        }
    }
}

const fn shown(visibility: Visibility) -> &'static str {
    if visibility.is_empty() { ", visibility none" } else { "" }
}

/// `dispatch vertex`, `all`.
pub(super) fn stages(stages: Stages) -> String {
    if stages.contains(Stages::EVERY) {
        return "all".to_owned();
    }
    let all: Vec<&str> = stages.iter_stages().map(Stage::name).collect();
    if all.is_empty() { "no stage".to_owned() } else { all.join(" ") }
}
