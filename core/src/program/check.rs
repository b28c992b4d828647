//! Whether a program names only what is there.
//!
//! A builder's programs do; one read from elsewhere, or put together by hand, may not. Everything that follows a
//! program's names asks here first, and then need not ask at every step.
use super::{BufferItem, MemoryScope, PassItem, Placement, Primitive, Program, Step, Work};

/// A program names something that it does not declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the program names {what} number {index}, but declares only {declared} of them")]
pub struct UnknownName {
    /// What is named: `"queue"`, `"resource"` and so on.
    pub what: &'static str,
    /// Its number, from 0.
    pub index: u32,
    /// How many there are.
    pub declared: usize,
}

impl Program {
    /// Whether every name has a declaration; a resource that shares another's memory comes after it.
    ///
    /// # Errors
    /// The first name that has none.
    pub fn check_names(&self) -> Result<(), UnknownName> {
        for (number, resource) in self.resources.iter().enumerate() {
            known("device", resource.device.0, self.devices.len())?;
            match resource.placement {
                Placement::Own => {}
                Placement::Heap { heap, .. } => known("heap", heap.0, self.heaps.len())?,
                Placement::SameAs(other) => known("resource", other.0, number)?,
            }
        }
        for queue in &self.queues {
            known("device", queue.device.0, self.devices.len())?;
        }
        for buffer in &self.command_buffers {
            known("queue", buffer.queue.0, self.queues.len())?;
            for item in &buffer.items {
                match item {
                    BufferItem::Event(operation) => known("event", operation.event.0, self.events.len())?,
                    BufferItem::Pass(pass) => {
                        let attachments = pass.attachments().map(|attachment| attachment.texture.resource.0);
                        self.known_resources(attachments)?;
                        pass.items.iter().try_for_each(|item| self.check_pass_item(item))?;
                    }
                }
            }
        }
        self.all_steps().into_iter().try_for_each(|step| self.check_step(step))
    }

    fn check_pass_item(&self, item: &PassItem) -> Result<(), UnknownName> {
        match item {
            PassItem::UseResource { resource, .. } => self.known_resources([resource.0]),
            PassItem::Synchronization(synchronization) => match &synchronization.primitive {
                Primitive::UpdateFence { fence, .. } | Primitive::WaitForFence { fence, .. } => {
                    known("fence", fence.0, self.fences.len())
                }
                Primitive::MemoryBarrier { scope: MemoryScope::Resources(resources), .. } => {
                    self.known_resources(resources.iter().map(|resource| resource.0))
                }
                _ => Ok(()),
            },
            PassItem::Command(command) => match &command.work {
                Work::Copy { from, to } => self.known_resources([from.resource.0, to.resource.0]),
                Work::Fill { to, .. } => self.known_resources([to.resource.0]),
                Work::GenerateMipmaps { texture } | Work::Optimize { texture, .. } => {
                    self.known_resources([texture.0])
                }
                Work::Synchronize { resource } => self.known_resources([resource.0]),
                Work::Dispatch { reads, writes, atomics, .. } => {
                    let parts = reads.iter().chain(writes).chain(atomics);
                    self.known_resources(parts.map(|part| part.resource.0))
                }
                Work::Draw { vertex_reads, vertex_writes, fragment_reads, fragment_writes } => {
                    let vertex = vertex_reads.iter().chain(vertex_writes);
                    let parts = vertex.chain(fragment_reads).chain(fragment_writes);
                    self.known_resources(parts.map(|part| part.resource.0))
                }
            },
        }
    }

    fn check_step(&self, step: &Step) -> Result<(), UnknownName> {
        let buffers = self.command_buffers.len();
        match step {
            Step::Write(part) | Step::Read(part) | Step::DidModify(part) => {
                self.known_resources([part.resource.0])
            }
            Step::MakeAliasable(resource) => self.known_resources([resource.0]),
            Step::Commit(all) => all.iter().try_for_each(|buffer| known("command buffer", buffer.0, buffers)),
            Step::Enqueue(buffer) | Step::WaitUntilCompleted(buffer) => {
                known("command buffer", buffer.0, buffers)
            }
            Step::QueueEvent { queue, operation } => {
                known("queue", queue.0, self.queues.len())?;
                known("event", operation.event.0, self.events.len())
            }
            Step::SetSignaledValue { event, .. }
            | Step::WaitUntilSignaled { event, .. }
            | Step::Notify { event, .. } => known("event", event.0, self.events.len()),
            Step::Thread { .. } => Ok(()),
        }
    }

    fn known_resources(&self, resources: impl IntoIterator<Item = u32>) -> Result<(), UnknownName> {
        resources.into_iter().try_for_each(|index| known("resource", index, self.resources.len()))
    }
}

const fn known(what: &'static str, index: u32, declared: usize) -> Result<(), UnknownName> {
    if (index as usize) < declared { Ok(()) } else { Err(UnknownName { what, index, declared }) }
}
