//! Which calls belong to which mode of queue, and command buffers that are committed never or twice.
//!
//! | of tracked queues only | of explicit queues only |
//! |---|---|
//! | blit passes, memory barriers | barriers within a pass, producer barriers |
//! | event operations in command buffers, `enqueue` | event operations on the queue |
use super::super::finding::{Finding, Misuse, Spot};
use super::super::names::Names;
use super::super::walk::at;
use super::finding;
use crate::program::{
    BufferItem, CommandBufferIndex, Locus, Pass, PassItem, PassKind, Primitive, Program, QueueMode, Step,
};

pub(super) fn buffer(program: &Program, buffer: CommandBufferIndex, findings: &mut Vec<Finding>) {
    let body = &program.command_buffers[buffer.index()];
    let mode = program.queues[body.queue.index()].mode;
    for (item, place) in body.items.iter().zip(0..) {
        match item {
            BufferItem::Event(_) if mode == QueueMode::Explicit => {
                let spot = Spot::At(Locus::Event { buffer, item: place });
                findings.push(finding(Misuse::WrongQueueMode, spot));
            }
            BufferItem::Event(_) => {}
            BufferItem::Pass(pass) => in_pass(buffer, place, pass, mode, findings),
        }
    }
}

fn in_pass(
    buffer: CommandBufferIndex,
    place: u32,
    pass: &Pass,
    mode: QueueMode,
    findings: &mut Vec<Finding>,
) {
    if mode == QueueMode::Explicit && pass.kind == PassKind::Blit {
        findings.push(finding(Misuse::WrongQueueMode, Spot::Pass(buffer, place)));
    }
    for (item, index) in pass.items.iter().zip(0..) {
        let PassItem::Synchronization(synchronization) = item else { continue };
        let owner = match synchronization.primitive {
            Primitive::Barrier { .. } | Primitive::ProducerBarrier { .. } => QueueMode::Explicit,
            Primitive::MemoryBarrier { .. } => QueueMode::Tracked,
            Primitive::ConsumerBarrier { .. }
            | Primitive::UpdateFence { .. }
            | Primitive::WaitForFence { .. } => mode,
        };
        if owner != mode {
            let spot = Spot::At(Locus::PassItem { buffer, pass: place, item: index });
            findings.push(finding(Misuse::WrongQueueMode, spot));
        }
    }
}

/// The step that committed each command buffer first.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Commits(Vec<Option<u32>>);

impl Commits {
    pub(super) fn step(&mut self, program: &Program, step: &Step, number: u32, findings: &mut Vec<Finding>) {
        let spot = Spot::At(Locus::Step(number));
        match step {
            Step::QueueEvent { queue, .. } if program.queues[queue.index()].mode == QueueMode::Tracked => {
                findings.push(finding(Misuse::WrongQueueMode, spot));
            }
            Step::Enqueue(buffer) => {
                let queue = program.command_buffers[buffer.index()].queue;
                if program.queues[queue.index()].mode == QueueMode::Explicit {
                    findings.push(finding(Misuse::WrongQueueMode, spot));
                }
            }
            Step::Commit(buffers) => {
                for buffer in buffers {
                    let commit = at(&mut self.0, buffer.index());
                    if let Some(first) = *commit {
                        let first = Some(Spot::At(Locus::Step(first)));
                        findings.push(Finding { first, ..finding(Misuse::CommittedTwice(*buffer), spot) });
                    }
                    commit.get_or_insert(number);
                }
            }
            _ => {}
        }
    }

    pub(super) fn name(&self, names: &mut Names) {
        self.0.iter().flatten().for_each(|step| names.step(*step));
    }

    pub(in super::super) fn drop_buffer(&mut self, buffer: CommandBufferIndex) {
        *at(&mut self.0, buffer.index()) = None;
    }

    /// What can be said once nothing more comes: of these command buffers, those that were never committed.
    pub(in super::super) fn never(
        &self,
        buffers: impl Iterator<Item = CommandBufferIndex>,
        findings: &mut Vec<Finding>,
    ) {
        let never = buffers.filter(|buffer| self.0.get(buffer.index()).is_none_or(Option::is_none));
        findings.extend(never.map(|buffer| finding(Misuse::NeverCommitted, Spot::CommandBuffer(buffer))));
    }
}
