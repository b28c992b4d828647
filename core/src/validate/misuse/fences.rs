//! Fences: waits that find no update, or one of their own pass (rules 5.3.4, 5.3.7 and 5.4).
use super::super::finding::{Finding, Misuse, Spot};
use super::super::names::Names;
use super::super::walk::at;
use super::finding;
use crate::order::Played;
use crate::program::{CommandBufferIndex, FenceIndex, Locus, PassItem, Primitive, Program, QueueIndex};

/// For every fence, the latest update on each queue that was released.
#[derive(Clone, Debug, Default)]
pub(super) struct Updates(Vec<Vec<Update>>);

#[derive(Clone, Debug)]
struct Update {
    pass: (CommandBufferIndex, u32),
    queue: QueueIndex,
    locus: Locus,
}

impl Updates {
    pub(super) fn name(&self, names: &mut Names) {
        self.0.iter().flatten().for_each(|update| names.locus(update.locus));
    }

    pub(super) fn drop_fence(&mut self, fence: FenceIndex) {
        at(&mut self.0, fence.index()).clear();
    }

    pub(super) fn records(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    pub(super) fn see(&mut self, program: &Program, played: Played, findings: &mut Vec<Finding>) {
        let Played::Pass(buffer, place) = played else { return };
        let Some(pass) = program.pass(buffer, place) else { return };
        let queue = program.command_buffers[buffer.index()].queue;
        for (item, index) in pass.items.iter().zip(0..) {
            let PassItem::Synchronization(synchronization) = item else { continue };
            let locus = Locus::PassItem { buffer, pass: place, item: index };
            match synchronization.primitive {
                Primitive::UpdateFence { fence, .. } => {
                    let own = at(&mut self.0, fence.index());
                    let update = Update { pass: (buffer, place), queue, locus };
                    match own.iter_mut().find(|update| update.queue == queue) {
                        Some(latest) => *latest = update,
                        None => own.push(update),
                    }
                }
                Primitive::WaitForFence { fence, .. } => {
                    let ahead = self.0.get(fence.index()).map_or(&[][..], Vec::as_slice);
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
