//! Command buffers and their passes.

use std::collections::HashMap;

use fencepost_core::program::{
    Attachment, BufferItem, CommandBuffer, EventIndex, EventOperation, EventOperationKind, Pass, PassItem,
    PassKind, QueueIndex,
};
use miette::SourceSpan;

use super::super::document::{Entry, Node, Value};
use super::super::error::{Fault, FaultKind};
use super::super::source_map::{CommandBufferPlaces, ItemPlaces};
use super::super::words::{DISPATCH_TYPES, LOAD_ACTIONS, STORE_ACTIONS};
use super::Parser;
use super::commands::{BLIT, COMPUTE, RENDER};
use super::fields::{Fields, integer, text, word};
use super::names::{Kind, Named};
use super::synchronization::SYNCHRONIZATION;

/// Labels of one place, each of which stands there once.
pub(super) type Labels<'n> = HashMap<&'n str, SourceSpan>;

/// What may stand in a command buffer.
const ITEMS: &[&str] = &["compute", "blit", "render", "signal-event", "wait-for-event"];

/// Attachments of a render pass, filled as they come.
#[derive(Default)]
struct Attachments {
    color: Vec<Attachment>,
    depth: Option<Attachment>,
}

impl<'n> Parser<'n> {
    pub(super) fn command_buffer(&mut self, node: &'n Node<'_>) {
        const FORM: &str = "command-buffer cb queue=q { … }";
        let faults = self.faults.list.len();
        let mut fields = Fields::of(node);
        let label = fields.argument(&mut self.faults, "a label", FORM);
        let label_span = label.map(|entry| entry.value_span);
        let label = label.and_then(|entry| text(&mut self.faults, entry));
        let queue = fields.required(&mut self.faults, "queue", FORM);
        let queue = queue.and_then(|entry| self.queue_name(entry));
        fields.finish_with_block(&mut self.faults);
        let broken = self.faults.list.len() > faults;
        let index = self.program.command_buffers.len() as u32;
        if let Some(label) = label {
            self.command_buffer_label(label, index, label_span, broken);
        }
        let mut places = CommandBufferPlaces { span: node.span, items: Vec::new() };
        let items = self.items(node.children.as_deref().unwrap_or_default(), &mut places.items);
        let label = label.unwrap_or_default().to_owned();
        let queue = queue.unwrap_or(QueueIndex(0));
        self.program.command_buffers.push(CommandBuffer { label, queue, items });
        self.places.command_buffers.push(places);
    }

    fn command_buffer_label(&mut self, label: &'n str, index: u32, span: Option<SourceSpan>, broken: bool) {
        match (self.names.get(Kind::CommandBuffer, label), span) {
            (Some(former), Some(span)) => {
                let kind =
                    FaultKind::DuplicateName { what: Kind::CommandBuffer.noun(), name: label.to_owned() };
                let mut fault = Fault::new(kind, span, "declared again");
                if let Some(former) = former.span {
                    fault = fault.other(former, "declared here first");
                }
                self.faults.add(fault.help("give one of them another label"));
            }
            _ => self.names.insert(Kind::CommandBuffer, label, Named { index, span, broken }),
        }
    }

    pub(super) fn queue_name(&mut self, entry: &Entry<'_>) -> Option<QueueIndex> {
        let name = text(&mut self.faults, entry)?;
        let named = self.names.resolve(&mut self.faults, Kind::Queue, name, entry.value_span)?;
        Some(QueueIndex(named.index))
    }

    fn items(&mut self, nodes: &'n [Node<'_>], places: &mut Vec<ItemPlaces>) -> Vec<BufferItem> {
        self.renders.clear();
        let mut passes = Labels::new();
        let mut operations = Labels::new();
        let mut items = Vec::with_capacity(nodes.len());
        for node in nodes {
            if self.faults.are_enough() {
                break;
            }
            let mut place = ItemPlaces { span: node.span, items: Vec::new() };
            let item = match &*node.name.value {
                "compute" | "blit" | "render" => {
                    self.pass(node, &mut passes, &mut place.items).map(BufferItem::Pass)
                }
                "signal-event" | "wait-for-event" => {
                    self.operation_in_buffer(node, &mut operations).map(BufferItem::Event)
                }
                _ => {
                    self.unknown_node(node, "in a command buffer", ITEMS);
                    None
                }
            };
            if let Some(item) = item {
                items.push(item);
                places.push(place);
            }
        }
        items
    }

    /// Enters a label. A place has each label once.
    pub(super) fn label(
        &mut self,
        entry: &'n Entry<'_>,
        labels: &mut Labels<'n>,
        place: impl Into<String>,
    ) -> Option<&'n str> {
        let label = text(&mut self.faults, entry)?;
        if let Some(former) = labels.insert(label, entry.value_span) {
            let kind = FaultKind::DuplicateLabel { label: label.to_owned(), place: place.into() };
            let fault = Fault::new(kind, entry.value_span, "stands here again");
            self.faults.add(fault.other(former, "stands here first").help("give one of them another label"));
        }
        Some(label)
    }

    /// The label of a pass. A render pass may have that of one before it: it goes on with what that one has stored, as the two
    /// parts of a pass do that had to end in between.
    fn pass_label(
        &mut self,
        node: &'n Node<'_>,
        entry: &'n Entry<'_>,
        labels: &mut Labels<'n>,
    ) -> Option<&'n str> {
        let is_render = node.name.value == "render";
        let label = match &entry.value {
            Value::String(label) if is_render && self.renders.contains_key(&**label) => Some(&**label),
            _ => self.label(entry, labels, "its command buffer"),
        };
        if let Some(label) = label.filter(|_| is_render) {
            self.renders.insert(label, entry.value_span);
        }
        label
    }

    fn pass(
        &mut self,
        node: &'n Node<'_>,
        labels: &mut Labels<'n>,
        places: &mut Vec<SourceSpan>,
    ) -> Option<Pass> {
        let mut fields = Fields::of(node);
        let form = format!("{} P {{ … }}", node.name.value);
        let label = fields.argument(&mut self.faults, "a label", &form);
        let label = label.and_then(|entry| self.pass_label(node, entry, labels));
        let mut dispatch_type = None;
        if node.name.value == "compute" {
            let given = fields.property("dispatch-type");
            dispatch_type =
                given.and_then(|entry| word(&mut self.faults, entry, DISPATCH_TYPES, "dispatch type"));
        }
        fields.finish_with_block(&mut self.faults);
        let children = node.children.as_deref().unwrap_or_default();
        let mut attachments = Attachments::default();
        let items = self.pass_items(node, label.unwrap_or_default(), children, &mut attachments, places);
        let kind = match &*node.name.value {
            "compute" => PassKind::Compute { dispatch_type },
            "blit" => PassKind::Blit,
            _ => PassKind::Render { color: attachments.color, depth: attachments.depth },
        };
        Some(Pass { label: label?.to_owned(), kind, items })
    }

    fn pass_items(
        &mut self,
        pass: &Node<'_>,
        label: &str,
        nodes: &'n [Node<'_>],
        attachments: &mut Attachments,
        places: &mut Vec<SourceSpan>,
    ) -> Vec<PassItem> {
        let (commands, place) = match &*pass.name.value {
            "compute" => (COMPUTE, "in a compute pass"),
            "blit" => (BLIT, "in a blit pass"),
            _ => (RENDER, "in a render pass"),
        };
        let mut labels = Labels::new();
        let mut items = Vec::with_capacity(nodes.len());
        for node in nodes {
            if self.faults.are_enough() {
                break;
            }
            let name = &*node.name.value;
            let item = match name {
                "color" | "depth" if commands.contains(&name) => {
                    self.attachment(node, attachments);
                    continue;
                }
                _ if commands.contains(&name) => {
                    self.command(node, label, &mut labels).map(PassItem::Command)
                }
                _ if SYNCHRONIZATION.contains(&name) => self.synchronization(node, label, &mut labels),
                _ => {
                    self.unknown_node(node, place, &[commands, SYNCHRONIZATION].concat());
                    None
                }
            };
            if let Some(item) = item {
                items.push(item);
                places.push(node.span);
            }
        }
        items
    }

    fn attachment(&mut self, node: &'n Node<'_>, attachments: &mut Attachments) {
        let mut fields = Fields::of(node);
        let form = format!("{} T load=clear store=store", node.name.value);
        let texture = fields.argument(&mut self.faults, "a texture", &form);
        let load = fields.property("load");
        let load = load.map(|entry| word(&mut self.faults, entry, LOAD_ACTIONS, "load action"));
        let store = fields.property("store");
        let store = store.map(|entry| word(&mut self.faults, entry, STORE_ACTIONS, "store action"));
        fields.finish(&mut self.faults);
        let part = texture.and_then(|entry| {
            let part = self.access(entry)?;
            self.texture_only(part.resource, entry.value_span).map(|_| part)
        });
        let (Some(texture), Some(load), Some(store)) = (
            part,
            load.unwrap_or_else(|| Some(Default::default())),
            store.unwrap_or_else(|| Some(Default::default())),
        ) else {
            return;
        };
        let attachment = Attachment { texture, load, store };
        if node.name.value == "color" {
            attachments.color.push(attachment);
        } else if attachments.depth.replace(attachment).is_some() {
            let fault = Fault::new(FaultKind::SecondDepth, node.span, "a second depth attachment");
            self.faults.add(fault.help("keep one, or start another render pass"));
        }
    }

    fn operation_in_buffer(&mut self, node: &'n Node<'_>, labels: &mut Labels<'n>) -> Option<EventOperation> {
        let mut fields = Fields::of(node);
        let label = if fields.arguments_left() > 1 { fields.next_argument() } else { None };
        let label = label.map(|entry| self.label(entry, labels, "its command buffer"));
        self.event_operation(fields, label, &format!("{} e1 E value=1", node.name.value))
    }

    /// A signal of or a wait for an event. The label is absent where none is given, and absent within where it is
    /// faulty.
    pub(super) fn event_operation(
        &mut self,
        mut fields: Fields<'n, '_>,
        label: Option<Option<&str>>,
        form: &str,
    ) -> Option<EventOperation> {
        let signals = fields.node.name.value == "signal-event";
        let event = fields.argument(&mut self.faults, "an event", form);
        let event = event.and_then(|entry| self.event_name(entry));
        let value = fields.required(&mut self.faults, "value", form);
        let value = value.and_then(|entry| integer(&mut self.faults, entry, 0..=u64::MAX));
        fields.finish(&mut self.faults);
        let label = match label {
            Some(label) => Some(label?.to_owned()),
            None => None,
        };
        let kind = if signals { EventOperationKind::Signal } else { EventOperationKind::Wait };
        Some(EventOperation { label, event: event?, value: value?, kind })
    }

    pub(super) fn event_name(&mut self, entry: &Entry<'_>) -> Option<EventIndex> {
        let name = text(&mut self.faults, entry)?;
        let named = self.names.resolve(&mut self.faults, Kind::Event, name, entry.value_span)?;
        Some(EventIndex(named.index))
    }
}
