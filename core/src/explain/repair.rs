//! A fix as lines of a program, with where they go, and as calls of the runtime.
use super::{Explainer, words};
use crate::Stages;
use crate::advise::{Inserted, Insertion, Left, LeftReason, Repair, Where};
use crate::program::{
    BufferItem, Command, CommandBufferIndex, EventIndex, EventOperation, EventOperationKind, FenceIndex,
    Locus, Pass, PassItem, Primitive, Step, Work,
};
use crate::validate::Spot;

impl Explainer<'_> {
    /// A fix in one line: what to declare, then each line of the text form with where it goes.
    pub fn fix(&self, repair: &Repair) -> String {
        let fences = repair.fences.iter().map(|name| format!("fence {name}"));
        let events = repair
            .events
            .iter()
            .map(|(name, shared)| format!("{} {name}", if *shared { "shared-event" } else { "event" }));
        let lines = repair
            .insertions
            .iter()
            .map(|insertion| format!("{} {}", self.line(repair, insertion), self.place(insertion.at)));
        fences.chain(events).chain(lines).collect::<Vec<_>>().join("; ")
    }

    /// The calls of the runtime that a fix stands for, in the order of its lines.
    pub fn calls(&self, repair: &Repair) -> String {
        let all = repair.insertions.iter().map(|insertion| self.call(repair, insertion));
        all.collect::<Vec<_>>().join(" ")
    }

    /// An error that a fix has left, and why. The explainer must be of the mended program.
    pub fn left(&self, left: &Left) -> String {
        let reason = match left.reason {
            LeftReason::NeverCommitted => {
                "Only a commit brings it to an end, and that is for the author to give."
            }
            LeftReason::CommittedBehind => {
                "No signal opens it: the commit has to move in front of the wait, or to another thread."
            }
            LeftReason::Misuse => "What Metal does not allow cannot be mended by synchronization.",
            LeftReason::PublishedTooLate => "The CPU writes after the commit, so nothing publishes in time.",
            LeftReason::NoSynchronize => "No call at that place brings the GPU's copy back.",
            LeftReason::Blocked => "No primitive was found that orders the two.",
        };
        format!("{} {reason}", self.explain(&left.finding).what)
    }

    fn place(&self, at: Where) -> String {
        let step = |number| self.path(Spot::At(Locus::Step(number)));
        match at {
            Where::Pass(buffer, pass, item) => {
                let items = self.program.pass(buffer, pass).map_or(0, |pass| pass.items.len() as u32);
                let own = self.path(Spot::Pass(buffer, pass));
                match item {
                    0 => format!("at the start of {own}"),
                    item if item >= items => format!("at the end of {own}"),
                    item => {
                        format!("in front of {}", self.path(Spot::At(Locus::PassItem { buffer, pass, item })))
                    }
                }
            }
            Where::CommandBuffer(buffer, item) => self.between(buffer, item),
            Where::BeforeStep(number) => format!("in front of {}", step(number)),
            Where::AfterStep(number) => format!("behind {}", step(number)),
            Where::Instead(locus) => format!("instead of {}", self.path(Spot::At(locus))),
        }
    }

    fn between(&self, buffer: CommandBufferIndex, item: u32) -> String {
        let items = self.program.command_buffers.get(buffer.index()).map(|body| &body.items);
        match items.and_then(|items| items.get(item as usize)) {
            Some(BufferItem::Pass(_)) => format!("in front of {}", self.path(Spot::Pass(buffer, item))),
            Some(BufferItem::Event(_)) => {
                format!("in front of {}", self.path(Spot::At(Locus::Event { buffer, item })))
            }
            None => format!("at the end of {}", self.path(Spot::CommandBuffer(buffer))),
        }
    }

    fn line(&self, repair: &Repair, insertion: &Insertion) -> String {
        match &insertion.item {
            Inserted::PassItem(PassItem::Synchronization(own)) => self.primitive_line(repair, &own.primitive),
            Inserted::BufferItem(BufferItem::Event(operation)) => self.operation(repair, operation, None),
            Inserted::BufferItem(BufferItem::Pass(Pass { label, items, .. })) => match items.first() {
                Some(PassItem::Command(Command { label: own, work: Work::Synchronize { resource, .. } })) => {
                    format!("blit {label} {{ synchronize {own} {} }}", self.resource(*resource))
                }
                _ => format!("blit {label}"),
            },
            Inserted::Step(step) => self.step_line(repair, step),
            Inserted::NewPass => "end the pass, and go on in another that loads what it stored,".to_owned(),
            Inserted::PassItem(_) => String::new(),
        }
    }

    fn primitive_line(&self, repair: &Repair, primitive: &Primitive) -> String {
        let after = |stages: &Stages| quoted(&words::stages(*stages));
        match primitive {
            Primitive::Barrier { after: first, before, .. } => {
                format!("barrier after={} before={}", after(first), after(before))
            }
            Primitive::ConsumerBarrier { after_queue, before, .. } => {
                format!("barrier after-queue={} before={}", after(after_queue), after(before))
            }
            Primitive::ProducerBarrier { after: first, before_queue, .. } => {
                format!("barrier after={} before-queue={}", after(first), after(before_queue))
            }
            Primitive::MemoryBarrier { scope, after: first, before } => {
                let first = first.as_ref().map_or_else(String::new, |own| format!(" after={}", after(own)));
                let before =
                    before.as_ref().map_or_else(String::new, |own| format!(" before={}", after(own)));
                format!("memory-barrier {}{first}{before}", self.memory_scope(scope))
            }
            Primitive::UpdateFence { fence, after: first } => {
                let first = first.as_ref().map_or_else(String::new, |own| format!(" after={}", after(own)));
                format!("update-fence {}{first}", self.fence_name(repair, *fence))
            }
            Primitive::WaitForFence { fence, before } => {
                let before =
                    before.as_ref().map_or_else(String::new, |own| format!(" before={}", after(own)));
                format!("wait-for-fence {}{before}", self.fence_name(repair, *fence))
            }
        }
    }

    fn operation(&self, repair: &Repair, operation: &EventOperation, queue: Option<&str>) -> String {
        let verb = match operation.kind {
            EventOperationKind::Signal => "signal-event",
            EventOperationKind::Wait => "wait-for-event",
        };
        let queue = queue.map_or_else(String::new, |queue| format!(" {queue}"));
        format!("{verb}{queue} {} value={}", self.event_name(repair, operation.event), operation.value)
    }

    fn step_line(&self, repair: &Repair, step: &Step) -> String {
        match step {
            Step::QueueEvent { queue, operation } => {
                let queue = self.program.queues.get(queue.index()).map(|queue| queue.name.as_str());
                self.operation(repair, operation, queue)
            }
            Step::WaitUntilCompleted(buffer) => {
                format!("wait-until-completed {}", self.path(Spot::CommandBuffer(*buffer)))
            }
            Step::SetSignaledValue { event, value } => {
                format!("set-signaled-value {} value={value}", self.event_name(repair, *event))
            }
            Step::WaitUntilSignaled { event, value, .. } => {
                format!("wait-until-signaled {} value={value}", self.event_name(repair, *event))
            }
            Step::DidModify(part) => {
                let resource = self.resource(part.resource);
                format!("did-modify {resource}:{}", self.extent(part.resource, &part.extent))
            }
            _ => String::new(),
        }
    }

    fn call(&self, repair: &Repair, insertion: &Insertion) -> String {
        let stages = |own: &Stages| {
            let all: Vec<String> = own
                .iter_stages()
                .map(|stage| format!("Stages::{}", words::stage(stage).replace('-', "_").to_uppercase()))
                .collect();
            all.join(" | ")
        };
        match &insertion.item {
            Inserted::PassItem(PassItem::Synchronization(own)) => match &own.primitive {
                Primitive::Barrier { after, before, .. } => {
                    format!("encoder.barrier({}, {}, Visibility::DEVICE)?;", stages(after), stages(before))
                }
                Primitive::ConsumerBarrier { after_queue, before, .. } => format!(
                    "encoder.barrier_after_queue_stages({}, {}, Visibility::DEVICE)?;",
                    stages(after_queue),
                    stages(before)
                ),
                Primitive::ProducerBarrier { after, before_queue, .. } => format!(
                    "encoder.barrier_before_queue_stages({}, {}, Visibility::DEVICE)?;",
                    stages(after),
                    stages(before_queue)
                ),
                Primitive::MemoryBarrier { .. } => {
                    "encoder.memory_barrier_with_scope(BarrierScope::BUFFERS | BarrierScope::TEXTURES)?;"
                        .to_owned()
                }
                Primitive::UpdateFence { fence, after } => {
                    let name = self.fence_name(repair, *fence);
                    match after {
                        Some(after) => {
                            format!("encoder.update_fence_after_stages(&{name}, {})?;", stages(after))
                        }
                        None => format!("encoder.update_fence(&{name})?;"),
                    }
                }
                Primitive::WaitForFence { fence, before } => {
                    let name = self.fence_name(repair, *fence);
                    match before {
                        Some(before) => {
                            format!("encoder.wait_for_fence_before_stages(&{name}, {})?;", stages(before))
                        }
                        None => format!("encoder.wait_for_fence(&{name})?;"),
                    }
                }
            },
            Inserted::NewPass => {
                "encoder.end_encoding(); let mut encoder = command_buffer.render_command_encoder()?;"
                    .to_owned()
            }
            Inserted::BufferItem(BufferItem::Event(operation)) => {
                self.event_call(repair, "command_buffer.encode_", operation)
            }
            Inserted::Step(Step::QueueEvent { operation, .. }) => {
                self.event_call(repair, "queue.", operation)
            }
            Inserted::Step(Step::WaitUntilCompleted(buffer)) => {
                format!("{}.wait_until_completed()?;", self.path(Spot::CommandBuffer(*buffer)))
            }
            Inserted::Step(Step::SetSignaledValue { event, value }) => {
                format!("{}.set_signaled_value({value});", self.event_name(repair, *event))
            }
            Inserted::Step(Step::WaitUntilSignaled { event, value, .. }) => {
                format!("{}.wait_until_signaled_value({value}, timeout);", self.event_name(repair, *event))
            }
            _ => String::new(),
        }
    }

    fn event_call(&self, repair: &Repair, owner: &str, operation: &EventOperation) -> String {
        let verb = match operation.kind {
            EventOperationKind::Signal => "signal_event",
            EventOperationKind::Wait => "wait_for_event",
        };
        format!("{owner}{verb}(&{}, {})?;", self.event_name(repair, operation.event), operation.value)
    }

    fn fence_name<'n>(&'n self, repair: &'n Repair, fence: FenceIndex) -> &'n str {
        let declared = self.program.fences.get(fence.index());
        declared.or_else(|| repair.fences.first()).map_or("?", String::as_str)
    }

    fn event_name<'n>(&'n self, repair: &'n Repair, event: EventIndex) -> &'n str {
        match self.program.events.get(event.index()) {
            Some(event) => &event.name,
            None => repair.events.first().map_or("?", |(name, _)| name),
        }
    }
}

/// In quotes where it has blanks.
fn quoted(text: &str) -> String {
    if text.contains(' ') { format!("\"{text}\"") } else { text.to_owned() }
}
