//! Which calls belong to which mode of queue, and command buffers that are committed never or twice.
//!
//! | of tracked queues only | of explicit queues only |
//! |---|---|
//! | blit passes, memory barriers | barriers within a pass, producer barriers |
//! | event operations in command buffers, `enqueue` | event operations on the queue |
use std::collections::HashMap;

use super::super::finding::{Finding, Misuse, Spot};
use super::finding;
use crate::program::{
    BufferItem, CommandBufferIndex, Locus, Pass, PassItem, PassKind, Primitive, Program, QueueMode, Step,
};

pub(super) fn find(program: &Program, findings: &mut Vec<Finding>) {
    for (body, number) in program.command_buffers.iter().zip(0..) {
        let buffer = CommandBufferIndex(number);
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
    steps(program, findings);
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

fn steps(program: &Program, findings: &mut Vec<Finding>) {
    let mut commits: HashMap<CommandBufferIndex, u32> = HashMap::new();
    for (step, number) in program.all_steps().into_iter().zip(0..) {
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
                    if let Some(first) = commits.get(buffer) {
                        let first = Some(Spot::At(Locus::Step(*first)));
                        findings.push(Finding { first, ..finding(Misuse::CommittedTwice(*buffer), spot) });
                    }
                    commits.entry(*buffer).or_insert(number);
                }
            }
            _ => {}
        }
    }
    let all = (0..program.command_buffers.len() as u32).map(CommandBufferIndex);
    let never = all.filter(|buffer| !commits.contains_key(buffer));
    findings.extend(never.map(|buffer| finding(Misuse::NeverCommitted, Spot::CommandBuffer(buffer))));
}
