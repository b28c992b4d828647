//! What an encoder can encode (rule 3.3.4).
//!
//! Barriers within a pass and fences speak of their own encoder and may name only stages that it has; queue barriers
//! speak of the queue and may name any (rules 4.1.6 and 4.2.4). A render pass may not wait for its own fragments or
//! tiles: a tile renderer shades a whole tile at once (rule 3.3.4).
use super::super::finding::{Finding, Misuse, Spot};
use super::finding;
use crate::Stages;
use crate::program::{
    BufferItem, CommandBufferIndex, Locus, Pass, PassItem, PassKind, Primitive, Program, QueueMode,
};

const RENDER: Stages =
    Stages::VERTEX.union(Stages::FRAGMENT).union(Stages::TILE).union(Stages::OBJECT).union(Stages::MESH);
const LATE: Stages = Stages::FRAGMENT.union(Stages::TILE);

pub(super) fn buffer(program: &Program, buffer: CommandBufferIndex, findings: &mut Vec<Finding>) {
    let body = &program.command_buffers[buffer.index()];
    let mode = program.queues[body.queue.index()].mode;
    for (item, place) in body.items.iter().zip(0..) {
        let BufferItem::Pass(pass) = item else { continue };
        let can = encodable(pass, mode);
        for (item, index) in pass.items.iter().zip(0..) {
            let spot = Spot::At(Locus::PassItem { buffer, pass: place, item: index });
            match item {
                PassItem::Command(command) => {
                    let wrong = command.work.stages().difference(can);
                    if !wrong.is_empty() {
                        findings.push(finding(Misuse::StageNotInEncoder(wrong), spot));
                    }
                }
                PassItem::Synchronization(item) => primitive(&item.primitive, can, spot, findings),
                PassItem::UseResource { .. } => {}
            }
        }
    }
}

/// The stages that a pass's commands can have.
fn encodable(pass: &Pass, mode: QueueMode) -> Stages {
    match (&pass.kind, mode) {
        (PassKind::Compute { .. }, QueueMode::Explicit) => {
            Stages::DISPATCH | Stages::BLIT | Stages::ACCELERATION_STRUCTURE
        }
        (PassKind::Compute { .. }, QueueMode::Tracked) => Stages::DISPATCH,
        (PassKind::Blit, _) => Stages::BLIT,
        (PassKind::Render { .. }, _) => RENDER,
    }
}

fn primitive(primitive: &Primitive, can: Stages, spot: Spot, findings: &mut Vec<Finding>) {
    let (after, before, own) = match *primitive {
        Primitive::Barrier { after, before, .. } => (Some(after), Some(before), true),
        Primitive::MemoryBarrier { after, before, .. } => (after, before, true),
        Primitive::ConsumerBarrier { after_queue, before, .. } => (Some(after_queue), Some(before), false),
        Primitive::ProducerBarrier { after, before_queue, .. } => (Some(after), Some(before_queue), false),
        Primitive::UpdateFence { after, .. } => (after, None, true),
        Primitive::WaitForFence { before, .. } => (None, before, true),
    };
    let named = after.unwrap_or_default() | before.unwrap_or_default();
    let wrong = (named & Stages::ALL).difference(can);
    if own && !wrong.is_empty() {
        findings.push(finding(Misuse::StageNotInEncoder(wrong), spot));
    }
    let waits_within = matches!(primitive, Primitive::Barrier { .. } | Primitive::MemoryBarrier { .. });
    if waits_within && can == RENDER && after.unwrap_or_default().intersects(LATE) {
        findings.push(finding(Misuse::FragmentInAfter, spot));
    }
    if [after, before].into_iter().flatten().any(|stages| stages.is_empty()) {
        findings.push(finding(Misuse::EmptyStages, spot));
    }
}
