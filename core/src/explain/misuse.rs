//! Misuse in words.
use super::{Explainer, Explanation, words};
use crate::program::{BufferItem, FenceIndex, Locus, PassItem, Primitive, Step};
use crate::validate::{Finding, Misuse, Spot};

impl Explainer<'_> {
    pub(super) fn misuse(&self, finding: &Finding, misuse: Misuse) -> Explanation {
        let (first, second) = (self.first(finding), self.second(finding));
        let resource = finding.resource.map_or("", |resource| self.resource(resource));
        let (what, advice) = match misuse {
            Misuse::StageNotInEncoder(stages) => (
                format!("{second} has stages that its encoder cannot encode ({}).", words::stages(stages)),
                "Name only stages that commands of this pass can have; a queue barrier may name any."
                    .to_owned(),
            ),
            Misuse::FragmentInAfter => (
                format!(
                    "{second} makes a render pass wait for its own fragments or tiles, which a tile renderer cannot do."
                ),
                "End the pass, and order the next one by a queue barrier or a fence.".to_owned(),
            ),
            Misuse::UpdateBeforeWait(fence) => (
                format!(
                    "{second} waits for {} in the pass that updates it before ({first}).",
                    self.fence(fence)
                ),
                format!("Move the wait to in front of {first}, or use a barrier within the pass."),
            ),
            Misuse::WrongStorageMode => self.storage(finding, &second, resource),
            Misuse::NotAliasable => (
                format!("{second} makes {resource} aliasable, which is not on a heap."),
                format!("Drop the call, or place {resource} on a heap."),
            ),
            Misuse::WrongDevice => (
                match finding.resource {
                    Some(_) => format!("{second} uses {resource}, which belongs to another device."),
                    None => format!("{second} uses what work of another device uses too."),
                },
                "Share memory with same-memory-as and order with a shared event.".to_owned(),
            ),
            Misuse::CommittedTwice(buffer) => (
                format!("{second} commits {} again, after {first}.", self.path(Spot::CommandBuffer(buffer))),
                "Record a command buffer for each commit.".to_owned(),
            ),
            Misuse::UseAfterAliasing => (
                format!("{second} uses {resource}, whose memory was given away before ({first})."),
                format!("Commit the last use of {resource} before it is made aliasable."),
            ),
            Misuse::WrongQueueMode => self.queue_mode(finding, &second),
            Misuse::EmptyStages
            | Misuse::NeverUpdated(_)
            | Misuse::SignalNotIncreasing { .. }
            | Misuse::NeverCommitted
            | Misuse::TrackedOnUntrackedHeap
            | Misuse::FenceAcrossQueues(_) => self.doubtful(finding, misuse),
        };
        Explanation { what, order: None, advice }
    }

    /// What is defined and hardly meant.
    fn doubtful(&self, finding: &Finding, misuse: Misuse) -> (String, String) {
        let (first, second) = (self.first(finding), self.second(finding));
        let resource = finding.resource.map_or("", |resource| self.resource(resource));
        match misuse {
            Misuse::EmptyStages => (
                format!("{second} names no stage, so it orders nothing."),
                "Name the stages, or drop it.".to_owned(),
            ),
            Misuse::NeverUpdated(fence) => (
                format!(
                    "{second} waits for {}, which nothing has updated, so it waits for nothing.",
                    self.fence(fence)
                ),
                "Update the fence in an earlier pass, or drop the wait.".to_owned(),
            ),
            Misuse::SignalNotIncreasing { value, reached } => (
                match finding.first {
                    Some(_) => {
                        format!("{second} signals {value}, but the event is at {reached} by then ({first}).")
                    }
                    None => format!("{second} signals {value}, which every event has from the start."),
                },
                format!("Signal a value above {reached}."),
            ),
            Misuse::NeverCommitted => (
                format!("{second} is never committed, so it does nothing."),
                format!("Commit {second}, or drop it."),
            ),
            Misuse::TrackedOnUntrackedHeap => (
                format!("{resource} asks for tracking on an untracked heap, so it is not tracked."),
                "Make the heap tracked, or order its uses by fences.".to_owned(),
            ),
            Misuse::FenceAcrossQueues(fence) => (
                format!("{second} waits for {}, which {first} updates on another queue.", self.fence(fence)),
                "Use an event between queues.".to_owned(),
            ),
            Misuse::StageNotInEncoder(_)
            | Misuse::FragmentInAfter
            | Misuse::UpdateBeforeWait(_)
            | Misuse::WrongStorageMode
            | Misuse::NotAliasable
            | Misuse::WrongDevice
            | Misuse::CommittedTwice(_)
            | Misuse::UseAfterAliasing
            | Misuse::WrongQueueMode => unreachable!("the caller has words for what is forbidden"),
        }
    }

    fn fence(&self, fence: FenceIndex) -> &str {
        self.program.fences.get(fence.index()).map_or("?", String::as_str)
    }

    fn storage(&self, finding: &Finding, second: &str, resource: &str) -> (String, String) {
        let step = match finding.second {
            Some(Spot::At(Locus::Step(number))) => self.steps.get(number as usize),
            _ => None,
        };
        if finding.resource.is_some_and(|resource| self.program.is_memoryless(resource)) {
            return (
                format!("{second} asks for memory of {resource}, which is memoryless."),
                format!(
                    "Give {resource} storage=private, or use it as an attachment alone, without load=load and store=store."
                ),
            );
        }
        match step {
            Some(Step::Write(_) | Step::Read(_)) => (
                format!("The CPU reaches into {resource} ({second}), which is private to the GPU."),
                format!(
                    "Give {resource} storage=shared or storage=managed, or copy by way of a shared buffer."
                ),
            ),
            Some(_) => (
                format!("{second} publishes {resource}, which is not managed."),
                format!("Drop the call, or give {resource} storage=managed."),
            ),
            None => (
                format!("{second} synchronizes {resource}, which is not managed."),
                format!("Drop the command, or give {resource} storage=managed."),
            ),
        }
    }

    fn queue_mode(&self, finding: &Finding, second: &str) -> (String, String) {
        let item = |locus: Locus| {
            let Locus::PassItem { buffer, pass, item } = locus else { return None };
            self.program.pass(buffer, pass)?.items.get(item as usize)
        };
        let (what, explicit, instead) = match finding.second {
            Some(Spot::Pass(..)) => ("is a blit pass", true, "Put its commands in a compute pass."),
            Some(Spot::At(locus @ Locus::PassItem { .. })) => match item(locus) {
                Some(PassItem::Synchronization(synchronization)) => match synchronization.primitive {
                    Primitive::MemoryBarrier { .. } => {
                        ("is a memory barrier", true, "Use a barrier with stages.")
                    }
                    Primitive::ProducerBarrier { .. } => {
                        ("is a producer barrier", false, "Use a consumer barrier or a fence.")
                    }
                    _ => ("is a barrier by stages within the pass", false, "Use a memory-barrier."),
                },
                _ => ("is not for it", false, "Use another queue."),
            },
            Some(Spot::At(Locus::Event { buffer, item })) => {
                let body = self.program.command_buffers.get(buffer.index());
                match body.and_then(|body| body.items.get(item as usize)) {
                    Some(BufferItem::Event(_)) => (
                        "is an event operation in a command buffer",
                        true,
                        "Put it on the queue, between commits.",
                    ),
                    _ => ("is not for it", true, "Use another queue."),
                }
            }
            Some(Spot::At(Locus::Step(number))) => match self.steps.get(number as usize) {
                Some(Step::Enqueue(_)) => ("reserves a slot", true, "Drop it: commits give the order."),
                _ => (
                    "is an event operation on the queue",
                    false,
                    "Put it in a command buffer, between passes.",
                ),
            },
            _ => ("is not for it", true, "Use another queue."),
        };
        let (mode, other) = if explicit { ("explicit", "tracked") } else { ("tracked", "explicit") };
        (
            format!("{second} {what}, which {other} queues have and this {mode} queue has not."),
            instead.to_owned(),
        )
    }
}
