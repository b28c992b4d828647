//! Fences: waits that find no update, or one of their own pass (rules 5.3.4, 5.3.7 and 5.4).
use std::collections::HashMap;

use super::super::finding::{Finding, Misuse, Spot};
use super::finding;
use crate::program::{CommandBufferIndex, FenceIndex, Locus, PassItem, Primitive, Program, QueueIndex};
use crate::{Moment, Order};

/// An update that was released.
struct Update {
    pass: (CommandBufferIndex, u32),
    queue: QueueIndex,
    locus: Locus,
}

pub(super) fn find(program: &Program, order: &Order, findings: &mut Vec<Finding>) {
    let mut updates: HashMap<FenceIndex, Vec<Update>> = HashMap::new();
    for moment in order.moments() {
        let Moment::Pass(buffer, place) = *moment else { continue };
        let Some(pass) = program.pass(buffer, place) else { continue };
        let queue = program.command_buffers[buffer.index()].queue;
        for (item, index) in pass.items.iter().zip(0..) {
            let PassItem::Synchronization(synchronization) = item else { continue };
            let locus = Locus::PassItem { buffer, pass: place, item: index };
            match synchronization.primitive {
                Primitive::UpdateFence { fence, .. } => {
                    let own = updates.entry(fence).or_default();
                    // One of a queue is enough to know that it has been updated there, the latest to know of the pass.
                    own.retain(|update| update.queue != queue || update.pass != (buffer, place));
                    own.push(Update { pass: (buffer, place), queue, locus });
                }
                Primitive::WaitForFence { fence, .. } => {
                    let ahead = updates.get(&fence).map_or(&[][..], Vec::as_slice);
                    findings.extend(wait(fence, ahead, (buffer, place), queue, locus));
                }
                _ => {}
            }
        }
    }
}

fn wait(
    fence: FenceIndex,
    ahead: &[Update],
    pass: (CommandBufferIndex, u32),
    queue: QueueIndex,
    locus: Locus,
) -> Option<Finding> {
    let spot = Spot::At(locus);
    if let Some(own) = ahead.iter().find(|update| update.pass == pass) {
        let first = Some(Spot::At(own.locus));
        return Some(Finding { first, ..finding(Misuse::UpdateBeforeWait(fence), spot) });
    }
    if ahead.is_empty() {
        return Some(finding(Misuse::NeverUpdated(fence), spot));
    }
    let across = ahead.iter().find(|update| update.queue != queue)?;
    let first = Some(Spot::At(across.locus));
    Some(Finding { first, ..finding(Misuse::FenceAcrossQueues(fence), spot) })
}
