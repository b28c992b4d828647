//! What happens, as steps of a program.
//!
//! Who writes a program down and who judges one follow the app in the same words: this is the one place that has them. What differs
//! is where they go, a [`Follow`].
//!
//! **Other processes.** What another process has seen before it raises a shared event is hidden. But it can have seen only values that
//! were there: of events that it may have a handle of, and no larger ones. So a raise from outside is a thread of its own that first
//! waits for just these values, and goes on from what the CPU has done. That is at least the order that there is, and so
//! nothing is called a race that only the other process keeps apart (rule 10.8).
use std::sync::Arc;

use fencepost_core::Extent;
use fencepost_core::program::{
    BufferItem, CommandBuffer, CommandBufferIndex, DeviceIndex, EventIndex, EventOperation,
    EventOperationKind, Part, QueueIndex, QueueMode, Step,
};

use super::{Body, Declare, Group, Happening, Ledger, Site, Sites};
use crate::api::QueueShared;
use crate::signal::EventBody;
use crate::submit::CommandBufferState;

/// Where steps go.
pub(crate) trait Follow: Declare {
    /// A command buffer that holds nothing yet.
    fn command_buffer(&mut self, empty: CommandBuffer) -> CommandBufferIndex;
    /// What it holds, and where in the app each thing stands.
    fn holds(&mut self, buffer: CommandBufferIndex, items: Vec<BufferItem>, sites: Sites);
    /// The CPU did something.
    fn step(&mut self, step: Step, site: Site);
    /// Somebody raised an event who is not seen, and could have seen these values of others before.
    fn raise_outside(&mut self, seen: &[(EventIndex, u64)], event: EventIndex, value: u64);
    /// Whether the CPU has just waited for what nobody has done. It knows better.
    fn is_held(&self) -> bool {
        false
    }
}

/// A queue of the app and of the program.
#[derive(Clone, Copy)]
struct On<'a> {
    shared: &'a QueueShared,
    index: QueueIndex,
}

impl Ledger {
    /// Tells a follower what the app did, and where.
    pub(crate) fn follow(
        &mut self,
        follower: &mut impl Follow,
        device: DeviceIndex,
        happening: Happening<'_>,
        site: Site,
    ) {
        match happening {
            Happening::Read(body, extent) => self.access(follower, device, (body, extent), Step::Read, site),
            Happening::Write(body, extent) => {
                self.access(follower, device, (body, extent), Step::Write, site)
            }
            Happening::Published(body, extent) => {
                let part = self.part(follower, device, body, extent);
                follower.step(Step::DidModify(part), site);
            }
            Happening::Sight(queue, group) => self.sight(follower, device, queue, group, site),
            Happening::Commit(queue, group) => self.commit(follower, device, queue, group, site),
            Happening::Enqueue(queue, state) => {
                let queue = self.queue(follower, device, queue);
                let buffer = self.empty(follower, queue, state);
                follower.step(Step::Enqueue(buffer), site);
            }
            Happening::Signal(queue, event, value) => {
                self.operation(follower, device, queue, (event, value, EventOperationKind::Signal), site);
            }
            Happening::Wait(queue, event, value) => {
                self.operation(follower, device, queue, (event, value, EventOperationKind::Wait), site);
            }
            Happening::Completed(state) => {
                if let Some(buffer) = self.completed(state) {
                    follower.step(Step::WaitUntilCompleted(buffer), site);
                }
            }
            Happening::Raise(event, value) => {
                let event = self.known_event(follower, event, None, site);
                follower.step(Step::SetSignaledValue { event, value }, site);
            }
            Happening::Reached(body, value) => self.has_reached(follower, body, value, site),
            Happening::Aliasable(body) => {
                let resource = self.resource(follower, device, body);
                follower.step(Step::MakeAliasable(resource), site);
            }
        }
    }

    /// Tells a follower that another process has raised an event.
    pub(crate) fn follow_outside(&mut self, follower: &mut impl Follow, body: &Arc<EventBody>, value: u64) {
        // What it had before is known to be from outside just as well.
        let (event, _) = self.event(follower, body);
        let seen = self.seen(EventBody::is_open);
        follower.raise_outside(&seen, event, value);
    }

    fn access(
        &mut self,
        follower: &mut impl Follow,
        device: DeviceIndex,
        (body, extent): (Body<'_>, &Extent),
        step: fn(Part) -> Step,
        site: Site,
    ) {
        let part = self.part(follower, device, body, extent);
        if !part.extent.is_empty() {
            follower.step(step(part), site);
        }
    }

    fn has_reached(&mut self, follower: &mut impl Follow, body: &Arc<EventBody>, value: u64, site: Site) {
        let event = self.known_event(follower, body, None, site);
        if !self.reached(body, value) {
            return;
        }
        follower.step(Step::WaitUntilSignaled { event, value, timeout_ms: None }, site);
        if follower.is_held() {
            // Nobody who is followed has raised it: a device that nobody watches, which may have seen every event, or another process.
            let seen = self.seen(EventBody::is_shared);
            follower.raise_outside(&seen, event, value);
        }
    }

    /// Declares all that a group names.
    fn sight(
        &mut self,
        follower: &mut impl Follow,
        device: DeviceIndex,
        queue: &QueueShared,
        group: &Group,
        site: Site,
    ) {
        let on = On { shared: queue, index: self.queue(follower, device, queue) };
        for (recording, _) in group {
            for item in &recording.items {
                if let Some(event) = item.event() {
                    self.known_event(follower, event, Some(on), site);
                }
            }
            self.declare_all(follower, device, recording);
        }
    }

    fn commit(
        &mut self,
        follower: &mut impl Follow,
        device: DeviceIndex,
        queue: &QueueShared,
        group: &Group,
        site: Site,
    ) {
        let mode = queue.mode;
        let queue = self.queue(follower, device, queue);
        let mut buffers = Vec::with_capacity(group.len());
        for (recording, state) in group {
            let buffer = self.empty(follower, queue, state);
            let (items, sites) = self.translate(device, mode, recording);
            follower.holds(buffer, items, sites);
            buffers.push(buffer);
        }
        if !buffers.is_empty() {
            follower.step(Step::Commit(buffers), site);
        }
    }

    fn empty<F: Follow>(
        &mut self,
        follower: &mut F,
        queue: QueueIndex,
        state: &Arc<CommandBufferState>,
    ) -> CommandBufferIndex {
        self.buffer(follower, state, |follower, label| {
            follower.command_buffer(CommandBuffer { label, queue, items: Vec::new() })
        })
    }

    fn operation(
        &mut self,
        follower: &mut impl Follow,
        device: DeviceIndex,
        queue: &QueueShared,
        (event, value, kind): (&Arc<EventBody>, u64, EventOperationKind),
        site: Site,
    ) {
        let on = On { shared: queue, index: self.queue(follower, device, queue) };
        let event = self.known_event(follower, event, Some(on), site);
        let operation = EventOperation { label: None, event, value, kind };
        follower.step(Step::QueueEvent { queue: on.index, operation }, site);
    }

    /// The index of an event. A value that it had before it was seen is raised first: by the CPU, or where only queues can, by the queue
    /// that uses it.
    fn known_event(
        &mut self,
        follower: &mut impl Follow,
        body: &Arc<EventBody>,
        on: Option<On<'_>>,
        site: Site,
    ) -> EventIndex {
        let (event, before) = self.event(follower, body);
        match (before, on) {
            (Some(value), _) if body.is_shared() => {
                follower.step(Step::SetSignaledValue { event, value }, site);
            }
            (Some(value), Some(on)) => self.signal_before(follower, on, event, value, site),
            _ => {}
        }
        event
    }

    fn signal_before(
        &mut self,
        follower: &mut impl Follow,
        on: On<'_>,
        event: EventIndex,
        value: u64,
        site: Site,
    ) {
        let operation = EventOperation { label: None, event, value, kind: EventOperationKind::Signal };
        if on.shared.mode == QueueMode::Explicit {
            return follower.step(Step::QueueEvent { queue: on.index, operation }, site);
        }
        let label = self.earlier_name();
        let buffer = follower.command_buffer(CommandBuffer { label, queue: on.index, items: Vec::new() });
        follower.holds(buffer, vec![BufferItem::Event(operation)], Sites::default());
        follower.step(Step::Commit(vec![buffer]), site);
        follower.buffer_gone(buffer);
    }
}
