//! The runtime's calls.
use super::{Item, Names, identifier};
use crate::advise::Change;
use crate::explain::words;
use crate::program::{
    BufferItem, Command, CommandBufferIndex, EventOperation, EventOperationKind, MemoryScope, Part, Pass,
    PassItem, PassKind, Placement, Primitive, Shape, Step, StorageMode, Work,
};
use crate::{Extent, Stages, Visibility};

pub(super) fn new_fence(name: &str) -> String {
    format!("let {} = device.new_fence();", identifier(name))
}

/// The end of a render pass; the runtime has none of its own yet that could begin in its place.
pub(super) fn new_pass() -> String {
    "encoder.end_encoding(); /* a render encoder that loads */".to_owned()
}

pub(super) fn new_event(name: &str, shared: bool) -> String {
    let call = if shared { "new_shared_event" } else { "new_event" };
    format!("let {} = device.{call}();", identifier(name))
}

impl Names<'_> {
    pub(super) fn runtime(&self, item: Item<'_>, buffer: Option<CommandBufferIndex>) -> String {
        let owner = || identifier(buffer.map_or("command_buffer", |buffer| self.buffer(buffer)));
        match item {
            Item::Pass(item) => self.runtime_item(item),
            Item::Buffer(BufferItem::Pass(pass)) => self.runtime_pass(pass, &owner()),
            Item::Buffer(BufferItem::Event(own)) => self.event_call(&format!("{}.encode_", owner()), own),
            Item::Step(step) => self.runtime_step(step),
        }
    }

    fn runtime_pass(&self, pass: &Pass, owner: &str) -> String {
        let call = match pass.kind {
            PassKind::Compute { .. } => "compute_command_encoder()",
            PassKind::Blit => "blit_command_encoder()",
            PassKind::Render { .. } => "render_command_encoder()",
        };
        let items: Vec<String> = pass.items.iter().map(|item| self.runtime_item(item)).collect();
        format!("let mut encoder = {owner}.{call}?; {} encoder.end_encoding();", items.join(" "))
    }

    fn runtime_item(&self, item: &PassItem) -> String {
        match item {
            PassItem::Synchronization(own) => self.primitive_call(&own.primitive),
            PassItem::Command(command) => self.command_call(command),
            PassItem::UseResource { resource, read, write } => {
                let usage = [(*read, "ResourceUsage::READ"), (*write, "ResourceUsage::WRITE")];
                let usage: Vec<&str> = usage.iter().filter(|own| own.0).map(|own| own.1).collect();
                let resource = identifier(self.resource(*resource));
                format!("encoder.use_resource(&{resource}, {})?;", usage.join(" | "))
            }
        }
    }

    fn primitive_call(&self, primitive: &Primitive) -> String {
        match primitive {
            Primitive::Barrier { after, before, visibility } => {
                barrier("barrier", *after, *before, *visibility)
            }
            Primitive::ConsumerBarrier { after_queue, before, visibility } => {
                barrier("barrier_after_queue_stages", *after_queue, *before, *visibility)
            }
            Primitive::ProducerBarrier { after, before_queue, visibility } => {
                barrier("barrier_before_queue_stages", *after, *before_queue, *visibility)
            }
            Primitive::MemoryBarrier { scope, after, before } => {
                let named = after.zip(*before).map_or_else(String::new, |(after, before)| {
                    format!(", {}, {}", stages(after), stages(before))
                });
                match scope {
                    MemoryScope::Kinds { .. } => {
                        format!("encoder.memory_barrier_with_scope({}{named})?;", kinds(scope))
                    }
                    MemoryScope::Resources(all) => {
                        let name = |own| format!("&{}", identifier(self.resource(own)));
                        let names: Vec<String> = all.iter().map(|own| name(*own)).collect();
                        format!("encoder.memory_barrier_with_resources(&[{}]{named})?;", names.join(", "))
                    }
                }
            }
            Primitive::UpdateFence { fence, after } => {
                let name = identifier(self.fence(*fence));
                match after {
                    Some(after) => {
                        format!("encoder.update_fence_after_stages(&{name}, {})?;", stages(*after))
                    }
                    None => format!("encoder.update_fence(&{name})?;"),
                }
            }
            Primitive::WaitForFence { fence, before } => {
                let name = identifier(self.fence(*fence));
                match before {
                    Some(before) => {
                        format!("encoder.wait_for_fence_before_stages(&{name}, {})?;", stages(*before))
                    }
                    None => format!("encoder.wait_for_fence(&{name})?;"),
                }
            }
        }
    }

    fn command_call(&self, command: &Command) -> String {
        let name = |part: &Part| identifier(self.resource(part.resource));
        let is_buffer = |part: &Part| {
            matches!(self.explainer.program.resource(part.resource).shape, Shape::Buffer { .. })
        };
        match &command.work {
            Work::Copy { from, to } => {
                let (first, second) = (self.bytes(from), self.bytes(to));
                let size = (first.1 - first.0).min(second.1 - second.0);
                let (source, target) = (name(from), name(to));
                match (is_buffer(from), is_buffer(to)) {
                    (true, true) => format!(
                        "encoder.copy_buffer(&{source}, {}, &{target}, {}, {size})?;",
                        first.0, second.0
                    ),
                    (false, false) => format!("encoder.copy_texture(&{source}, &{target})?;"),
                    (true, false) => {
                        format!("encoder.copy_buffer_to_texture(&{source}, layout, &{target}, place, size)?;")
                    }
                    (false, true) => {
                        format!("encoder.copy_texture_to_buffer(&{source}, place, size, &{target}, layout)?;")
                    }
                }
            }
            Work::Fill { to, value } => {
                let (start, end) = self.bytes(to);
                format!("encoder.fill_buffer(&{}, {start}..{end}, {value})?;", name(to))
            }
            Work::GenerateMipmaps { texture } => {
                format!("encoder.generate_mipmaps(&{})?;", identifier(self.resource(*texture)))
            }
            Work::Synchronize { resource, extent } => {
                let name = identifier(self.resource(*resource));
                match extent {
                    Extent::Subresources { mips, slices } => {
                        format!("encoder.synchronize_texture(&{name}, {}, {})?;", slices.start, mips.start)
                    }
                    _ => format!("encoder.synchronize(&{name})?;"),
                }
            }
            Work::Optimize { texture, for_gpu } => {
                let side = if *for_gpu { "gpu" } else { "cpu" };
                let texture = identifier(self.resource(*texture));
                format!("encoder.optimize_contents_for_{side}_access(&{texture})?;")
            }
            Work::Dispatch { .. } => "encoder.dispatch_threads(threads)?;".to_owned(),
            Work::Draw { .. } => "encoder.draw_primitives(vertices)?;".to_owned(),
        }
    }

    fn event_call(&self, owner: &str, operation: &EventOperation) -> String {
        let verb = match operation.kind {
            EventOperationKind::Signal => "signal_event",
            EventOperationKind::Wait => "wait_for_event",
        };
        format!("{owner}{verb}(&{}, {})?;", identifier(self.event(operation.event)), operation.value)
    }

    fn runtime_step(&self, step: &Step) -> String {
        let event = |own| identifier(self.event(own));
        match step {
            Step::QueueEvent { queue, operation } => {
                self.event_call(&format!("{}.", identifier(self.queue(*queue))), operation)
            }
            Step::WaitUntilCompleted(buffer) => {
                format!("{}.wait_until_completed()?;", identifier(self.buffer(*buffer)))
            }
            Step::SetSignaledValue { event: own, value } => {
                format!("{}.set_signaled_value({value});", event(*own))
            }
            Step::WaitUntilSignaled { event: own, value, timeout_ms } => {
                let limit = timeout_ms.map_or_else(
                    || "Duration::MAX".to_owned(),
                    |limit| format!("Duration::from_millis({limit})"),
                );
                format!("{}.wait_until_signaled_value({value}, {limit});", event(*own))
            }
            Step::Notify { event: own, value, body } => {
                let body = self.runtime_body(body);
                format!("{}.notify(&listener, {value}, move |event, value| {{ {body} }});", event(*own))
            }
            Step::Thread { body, .. } => {
                format!("std::thread::spawn(move || {{ {} }});", self.runtime_body(body))
            }
            Step::Commit(buffers) => self.commit_call(buffers),
            Step::Enqueue(buffer) => format!("{}.enqueue()?;", identifier(self.buffer(*buffer))),
            Step::MakeAliasable(own) => format!("{}.make_aliasable()?;", identifier(self.resource(*own))),
            Step::Write(part) => {
                let (start, _) = self.bytes(part);
                format!("{}.write({start}, &values)?;", identifier(self.resource(part.resource)))
            }
            Step::Read(part) => {
                let ((start, end), name) = (self.bytes(part), identifier(self.resource(part.resource)));
                format!("{name}.read::<u32>({start}..{end})?;")
            }
            Step::DidModify(part) => {
                let ((start, end), name) = (self.bytes(part), identifier(self.resource(part.resource)));
                format!("{name}.did_modify_range({start}..{end})?;")
            }
        }
    }

    fn runtime_body(&self, steps: &[Step]) -> String {
        let calls: Vec<String> = steps.iter().map(|step| self.runtime_step(step)).collect();
        calls.join(" ")
    }

    fn commit_call(&self, buffers: &[CommandBufferIndex]) -> String {
        let names: Vec<String> = buffers.iter().map(|own| identifier(self.buffer(*own))).collect();
        let first = buffers.first().copied();
        if !self.is_explicit(first) {
            return names.iter().map(|name| format!("{name}.commit()?;")).collect::<Vec<_>>().join(" ");
        }
        let queue = first.and_then(|own| self.queue_of(own)).map_or("queue", |queue| self.queue(queue));
        let names: Vec<String> = names.iter().map(|name| format!("&{name}")).collect();
        format!("{}.commit(&[{}])?;", identifier(queue), names.join(", "))
    }

    pub(super) fn runtime_declared(&self, change: &Change) -> String {
        let program = self.explainer.program;
        match change {
            Change::Put(_) | Change::Drop(_) => String::new(),
            Change::Storage(resource, storage) => {
                let own = program.resource(*resource);
                let mode = storage_mode(*storage);
                match (own.placement, own.shape) {
                    (Placement::Heap { .. }, _) => {
                        format!("heap_descriptor.options.storage_mode = {mode};")
                    }
                    (_, Shape::Buffer { size, .. }) => format!(
                        "let {} = device.new_buffer({size}, ResourceOptions {{ storage_mode: {mode}, \
                         ..Default::default() }})?;",
                        identifier(&own.name)
                    ),
                    (_, Shape::Texture { .. }) => {
                        format!("texture_descriptor.resource_options.storage_mode = {mode};")
                    }
                }
            }
            Change::TrackedHeap(_) => {
                "heap_descriptor.options.hazard_tracking_mode = HazardTrackingMode::Tracked;".to_owned()
            }
            Change::SharedEvent(event) => new_event(self.event(*event), true),
            // The runtime has no render passes of its own yet; whoever has them some other way reads what to change.
            Change::Clear { .. } => "/* load action: clear */".to_owned(),
            Change::ComputePass { buffer, .. } => {
                format!("let mut encoder = {}.compute_command_encoder()?;", identifier(self.buffer(*buffer)))
            }
            Change::Again { buffer, label, .. } => {
                let (own, label) = (self.buffer(*buffer), identifier(label));
                let queue = self.queue_of(*buffer).map_or("queue", |queue| self.queue(queue));
                let queue = identifier(queue);
                if self.is_explicit(Some(*buffer)) {
                    let new = "device.new_command_buffer()";
                    format!("let {label} = {new}; /* as in {own} */ {queue}.commit(&[&{label}])?;")
                } else {
                    format!("let {label} = {queue}.command_buffer(); /* as in {own} */ {label}.commit()?;")
                }
            }
            Change::View { resource, device, name, .. } => {
                let device = program.devices.get(device.index()).map_or("device", |device| &device.name);
                let (device, name) = (identifier(device), identifier(name));
                let own = program.resource(*resource);
                let (source, mode) = (identifier(&own.name), "HazardTrackingMode::Default");
                match own.shape {
                    Shape::Buffer { .. } => {
                        format!("let {name} = {device}.new_buffer_sharing(&{source}, .., {mode})?;")
                    }
                    Shape::Texture { .. } => {
                        format!("let {name} = {device}.new_texture_sharing(&{source}, {mode})?;")
                    }
                }
            }
        }
    }
}

fn barrier(call: &str, after: Stages, before: Stages, shown: Visibility) -> String {
    let shown = match (shown.contains(Visibility::DEVICE), shown.contains(Visibility::RESOURCE_ALIAS)) {
        (true, false) => "Visibility::DEVICE",
        (false, false) => "Visibility::empty()",
        (false, true) => "Visibility::RESOURCE_ALIAS",
        (true, true) => "Visibility::DEVICE | Visibility::RESOURCE_ALIAS",
    };
    format!("encoder.{call}({}, {}, {shown})?;", stages(after), stages(before))
}

fn stages(own: Stages) -> String {
    if own == Stages::ALL {
        return "Stages::ALL".to_owned();
    }
    let name = |stage| format!("Stages::{}", words::stage(stage).replace('-', "_").to_uppercase());
    let all: Vec<String> = own.iter_stages().map(name).collect();
    if all.is_empty() { "Stages::empty()".to_owned() } else { all.join(" | ") }
}

fn kinds(scope: &MemoryScope) -> String {
    let MemoryScope::Kinds { buffers, textures, render_targets } = scope else { return String::new() };
    let kinds = [(buffers, "BUFFERS"), (textures, "TEXTURES"), (render_targets, "RENDER_TARGETS")];
    let kinds = kinds.iter().filter(|(named, _)| **named);
    let kinds: Vec<String> = kinds.map(|(_, kind)| format!("BarrierScope::{kind}")).collect();
    if kinds.is_empty() { "BarrierScope::empty()".to_owned() } else { kinds.join(" | ") }
}

const fn storage_mode(storage: StorageMode) -> &'static str {
    match storage {
        StorageMode::Private => "StorageMode::Private",
        StorageMode::Shared => "StorageMode::Shared",
        StorageMode::Managed => "StorageMode::Managed",
        StorageMode::Memoryless => "StorageMode::Memoryless",
    }
}
