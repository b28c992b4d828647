//! Whether a program names only what is there.
//!
//! A builder's programs do; one read from elsewhere, or put together by hand, may not. Everything that follows a
//! program's names asks here first, and then need not ask at every step.
use super::{
    BufferItem, CommandBuffer, MemoryScope, Part, PassItem, Placement, Primitive, Program,
    ResourceDeclaration, Step, Work,
};

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

/// Says whether a name of a kind has a declaration.
pub(crate) type Known<'a> = &'a dyn Fn(&'static str, u32) -> Result<(), UnknownName>;

impl Program {
    /// Whether every name has a declaration; a resource that shares another's memory comes after it.
    ///
    /// # Errors
    /// The first name that has none.
    pub fn check_names(&self) -> Result<(), UnknownName> {
        let known = |what, index| self.is_declared(what, index);
        for (number, resource) in self.resources.iter().enumerate() {
            resource.check(&known)?;
            if let Placement::SameAs(other) = resource.placement
                && other.index() >= number
            {
                return Err(UnknownName { what: "resource", index: other.0, declared: number });
            }
        }
        self.queues.iter().try_for_each(|queue| known("device", queue.device.0))?;
        self.command_buffers.iter().try_for_each(|buffer| buffer.check(&known))?;
        self.all_steps().into_iter().try_for_each(|step| step.check(&known))
    }

    fn is_declared(&self, what: &'static str, index: u32) -> Result<(), UnknownName> {
        let declared = match what {
            "device" => self.devices.len(),
            "queue" => self.queues.len(),
            "heap" => self.heaps.len(),
            "resource" => self.resources.len(),
            "fence" => self.fences.len(),
            "event" => self.events.len(),
            _ => self.command_buffers.len(),
        };
        if (index as usize) < declared { Ok(()) } else { Err(UnknownName { what, index, declared }) }
    }
}

impl ResourceDeclaration {
    pub(crate) fn check(&self, known: Known<'_>) -> Result<(), UnknownName> {
        known("device", self.device.0)?;
        match self.placement {
            Placement::Own => Ok(()),
            Placement::Heap { heap, .. } => known("heap", heap.0),
            Placement::SameAs(other) => known("resource", other.0),
        }
    }
}

impl CommandBuffer {
    pub(crate) fn check(&self, known: Known<'_>) -> Result<(), UnknownName> {
        known("queue", self.queue.0)?;
        for item in &self.items {
            match item {
                BufferItem::Event(operation) => known("event", operation.event.0)?,
                BufferItem::Pass(pass) => {
                    pass.attachments().try_for_each(|attachment| attachment.texture.check(known))?;
                    pass.items.iter().try_for_each(|item| item.check(known))?;
                }
            }
        }
        Ok(())
    }
}

impl PassItem {
    fn check(&self, known: Known<'_>) -> Result<(), UnknownName> {
        let all = |parts: &[Part]| parts.iter().try_for_each(|part| part.check(known));
        match self {
            Self::UseResource { resource, .. } => known("resource", resource.0),
            Self::Synchronization(synchronization) => match &synchronization.primitive {
                Primitive::UpdateFence { fence, .. } | Primitive::WaitForFence { fence, .. } => {
                    known("fence", fence.0)
                }
                Primitive::MemoryBarrier { scope: MemoryScope::Resources(resources), .. } => {
                    resources.iter().try_for_each(|resource| known("resource", resource.0))
                }
                _ => Ok(()),
            },
            Self::Command(command) => match &command.work {
                Work::Copy { from, to } => from.check(known).and_then(|()| to.check(known)),
                Work::Fill { to, .. } => to.check(known),
                Work::GenerateMipmaps { texture } | Work::Optimize { texture, .. } => {
                    known("resource", texture.0)
                }
                Work::Synchronize { resource, .. } => known("resource", resource.0),
                Work::Dispatch { reads, writes, atomics, .. } => {
                    [reads, writes, atomics].into_iter().try_for_each(|parts| all(parts))
                }
                Work::Draw { vertex_reads, vertex_writes, fragment_reads, fragment_writes } => {
                    let parts = [vertex_reads, vertex_writes, fragment_reads, fragment_writes];
                    parts.into_iter().try_for_each(|parts| all(parts))
                }
            },
        }
    }
}

impl Step {
    pub(crate) fn check(&self, known: Known<'_>) -> Result<(), UnknownName> {
        match self {
            Self::Write(part) | Self::Read(part) | Self::DidModify(part) => part.check(known),
            Self::MakeAliasable(resource) => known("resource", resource.0),
            Self::Commit(all) => all.iter().try_for_each(|buffer| known("command buffer", buffer.0)),
            Self::Enqueue(buffer) | Self::WaitUntilCompleted(buffer) => known("command buffer", buffer.0),
            Self::QueueEvent { queue, operation } => {
                known("queue", queue.0)?;
                known("event", operation.event.0)
            }
            Self::SetSignaledValue { event, .. }
            | Self::WaitUntilSignaled { event, .. }
            | Self::Notify { event, .. } => known("event", event.0),
            Self::Thread { .. } => Ok(()),
        }
    }
}

impl Part {
    fn check(&self, known: Known<'_>) -> Result<(), UnknownName> {
        known("resource", self.resource.0)
    }
}
