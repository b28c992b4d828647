//! What the CPU does.

use fencepost_core::program::{CommandBufferIndex, EventIndex, Step};

use super::super::document::{Entry, Node};
use super::super::error::{Fault, FaultKind};
use super::Parser;
use super::fields::{Fields, integer, text};
use super::names::Kind;

/// Every step: what may stand in the block of a thread or of a notification, and at the top level behind declarations.
pub(in super::super) const STEPS: &[&str] = &[
    "write",
    "did-modify",
    "commit",
    "signal-event",
    "wait-for-event",
    "enqueue",
    "wait-until-completed",
    "set-signaled-value",
    "wait-until-signaled",
    "notify",
    "read",
    "make-aliasable",
    "thread",
];

impl<'n> Parser<'n> {
    /// A step. `place` and `others` say where it stands, and what may stand there besides steps, should it be none.
    pub(super) fn step(&mut self, node: &'n Node<'_>, place: &'static str, others: &[&str]) -> Option<Step> {
        let name = &*node.name.value;
        if !STEPS.contains(&name) {
            self.unknown_node(node, place, &[others, STEPS].concat());
            return None;
        }
        self.places.steps.push(node.span);
        let fields = Fields::of(node);
        match name {
            "write" => self.part_step(fields, "write A:0..64").map(Step::Write),
            "did-modify" => self.part_step(fields, "did-modify A:0..64").map(Step::DidModify),
            "read" => self.part_step(fields, "read A").map(Step::Read),
            "commit" => self.commit(fields),
            "signal-event" | "wait-for-event" => self.queue_event(fields),
            "enqueue" => self.buffer_step(fields, "enqueue cb").map(Step::Enqueue),
            "wait-until-completed" => {
                self.buffer_step(fields, "wait-until-completed cb").map(Step::WaitUntilCompleted)
            }
            "set-signaled-value" => {
                let mut fields = fields;
                let (event, value) = self.shared_event(&mut fields, "set-signaled-value X value=3");
                fields.finish(&mut self.faults);
                Some(Step::SetSignaledValue { event: event?, value: value? })
            }
            "wait-until-signaled" => self.wait_until_signaled(fields),
            "notify" => self.notify(fields),
            "make-aliasable" => self.make_aliasable(fields),
            _ => self.thread(fields),
        }
    }

    fn block(&mut self, node: &'n Node<'_>, place: &'static str) -> Vec<Step> {
        let nodes = node.children.as_deref().unwrap_or_default();
        let mut steps = Vec::new();
        for node in nodes {
            if self.faults.are_enough() {
                break;
            }
            steps.extend(self.step(node, place, &[]));
        }
        steps
    }

    fn part_step(&mut self, mut fields: Fields<'n, '_>, form: &str) -> Option<fencepost_core::program::Part> {
        let part = fields.argument(&mut self.faults, "a resource", form);
        let part = part.and_then(|entry| self.access(entry));
        fields.finish(&mut self.faults);
        part
    }

    fn buffer_name(&mut self, entry: &Entry<'_>) -> Option<CommandBufferIndex> {
        let name = text(&mut self.faults, entry)?;
        let named = self.names.resolve(&mut self.faults, Kind::CommandBuffer, name, entry.value_span)?;
        Some(CommandBufferIndex(named.index))
    }

    fn buffer_step(&mut self, mut fields: Fields<'n, '_>, form: &str) -> Option<CommandBufferIndex> {
        let buffer = fields.argument(&mut self.faults, "a command buffer", form);
        let buffer = buffer.and_then(|entry| self.buffer_name(entry));
        fields.finish(&mut self.faults);
        buffer
    }

    fn commit(&mut self, mut fields: Fields<'n, '_>) -> Option<Step> {
        let first = fields.argument(&mut self.faults, "a command buffer", "commit cb")?;
        let mut buffers = vec![self.buffer_name(first)];
        while let Some(entry) = fields.next_argument() {
            buffers.push(self.buffer_name(entry));
        }
        fields.finish(&mut self.faults);
        buffers.into_iter().collect::<Option<_>>().map(Step::Commit)
    }

    fn queue_event(&mut self, mut fields: Fields<'n, '_>) -> Option<Step> {
        let form = format!("{} n1 q E value=3", fields.node.name.value);
        if fields.arguments_left() < 2 {
            // Whether the queue or the event is there cannot be told.
            fields.missing(&mut self.faults, "a queue and an event".to_owned(), &form);
            return None;
        }
        let label = if fields.arguments_left() > 2 { fields.next_argument() } else { None };
        let label = label.map(|entry| {
            // Labels on queues are one place for the whole document.
            let mut labels = core::mem::take(&mut self.operations);
            let label = self.label(entry, &mut labels, "the document");
            self.operations = labels;
            label
        });
        let queue = fields.argument(&mut self.faults, "a queue", &form);
        let queue = queue.and_then(|entry| self.queue_name(entry));
        let operation = self.event_operation(fields, label, &form);
        Some(Step::QueueEvent { queue: queue?, operation: operation? })
    }

    /// A shared event and a value of it.
    fn shared_event(&mut self, fields: &mut Fields<'n, '_>, form: &str) -> (Option<EventIndex>, Option<u64>) {
        let entry = fields.argument(&mut self.faults, "a shared event", form);
        let event = entry.and_then(|entry| {
            let event = self.event_name(entry)?;
            let declaration = &self.program.events[event.index()];
            if declaration.shared {
                return Some(event);
            }
            let name = declaration.name.clone();
            let kind = FaultKind::WrongKind { name, expected: "a shared event", found: "an event" };
            let fault = Fault::new(kind, entry.value_span, "the CPU does not see this event");
            let fault = fault.help("declare it with `shared-event`");
            self.faults.add(match self.places.event(event) {
                Some(place) => fault.other(place, "declared here"),
                None => fault,
            });
            None
        });
        let value = fields.required(&mut self.faults, "value", form);
        (event, value.and_then(|entry| integer(&mut self.faults, entry, 0..=u64::MAX)))
    }

    fn wait_until_signaled(&mut self, mut fields: Fields<'n, '_>) -> Option<Step> {
        let (event, value) = self.shared_event(&mut fields, "wait-until-signaled X value=2");
        let timeout = fields.property("timeout-ms");
        let timeout_ms = match timeout {
            Some(entry) => Some(integer(&mut self.faults, entry, 0..=u64::MAX)),
            None => None,
        };
        fields.finish(&mut self.faults);
        let timeout_ms = match timeout_ms {
            Some(timeout) => Some(timeout?),
            None => None,
        };
        Some(Step::WaitUntilSignaled { event: event?, value: value?, timeout_ms })
    }

    fn notify(&mut self, mut fields: Fields<'n, '_>) -> Option<Step> {
        let (event, value) = self.shared_event(&mut fields, "notify X value=2 { … }");
        let node = fields.node;
        fields.finish_with_block(&mut self.faults);
        let body = self.block(node, "in a notification");
        Some(Step::Notify { event: event?, value: value?, body })
    }

    fn make_aliasable(&mut self, mut fields: Fields<'n, '_>) -> Option<Step> {
        let resource = fields.argument(&mut self.faults, "a resource", "make-aliasable S");
        let resource = resource.and_then(|entry| self.whole_resource(entry));
        fields.finish(&mut self.faults);
        resource.map(Step::MakeAliasable)
    }

    fn thread(&mut self, mut fields: Fields<'n, '_>) -> Option<Step> {
        let name = fields.argument(&mut self.faults, "a name", "thread worker { … }");
        let name = name.and_then(|entry| {
            let mut threads = core::mem::take(&mut self.threads);
            let name = self.label(entry, &mut threads, "the document");
            self.threads = threads;
            name
        });
        let node = fields.node;
        fields.finish_with_block(&mut self.faults);
        let body = self.block(node, "in a thread");
        Some(Step::Thread { name: name?.to_owned(), body })
    }
}
