//! Metal's calls, as Objective-C writes them: Metal 4's on explicit queues, Metal 3's on tracked ones.
use super::{Item, Names, identifier};
use crate::advise::Change;
use crate::explain::words;
use crate::program::{
    BufferItem, Command, CommandBufferIndex, EventOperation, EventOperationKind, MemoryScope, Part, Pass,
    PassItem, PassKind, Placement, Primitive, Shape, Step, StorageMode, Work,
};
use crate::{Extent, Stage, Stages, Visibility};

pub(super) fn new_fence(name: &str) -> String {
    format!("id<MTLFence> {} = [device newFence];", identifier(name))
}

pub(super) fn new_event(name: &str, shared: bool) -> String {
    let kind = if shared { "SharedEvent" } else { "Event" };
    format!("id<MTL{kind}> {} = [device new{kind}];", identifier(name))
}

impl Names<'_> {
    pub(super) fn metal(&self, item: Item<'_>, buffer: Option<CommandBufferIndex>) -> String {
        match item {
            Item::Pass(item) => self.metal_item(item, buffer),
            Item::Buffer(BufferItem::Pass(pass)) => self.metal_pass(pass, buffer),
            Item::Buffer(BufferItem::Event(own)) => {
                let owner = identifier(buffer.map_or("commandBuffer", |buffer| self.buffer(buffer)));
                let verb = match own.kind {
                    EventOperationKind::Signal => "encodeSignalEvent",
                    EventOperationKind::Wait => "encodeWaitForEvent",
                };
                format!("[{owner} {verb}:{} value:{}];", identifier(self.event(own.event)), own.value)
            }
            Item::Step(step) => self.metal_step(step),
        }
    }

    /// The end of a render pass and the beginning of what goes on in its place.
    pub(super) fn metal_new_pass(&self, buffer: CommandBufferIndex) -> String {
        format!(
            "[encoder endEncoding]; descriptor.colorAttachments[0].loadAction = MTLLoadActionLoad; \
             encoder = [{} renderCommandEncoderWithDescriptor:descriptor];",
            identifier(self.buffer(buffer))
        )
    }

    fn metal_pass(&self, pass: &Pass, buffer: Option<CommandBufferIndex>) -> String {
        let owner = identifier(buffer.map_or("commandBuffer", |buffer| self.buffer(buffer)));
        let (kind, call) = match pass.kind {
            PassKind::Compute { .. } => ("Compute", "computeCommandEncoder"),
            PassKind::Blit => ("Blit", "blitCommandEncoder"),
            PassKind::Render { .. } => ("Render", "renderCommandEncoderWithDescriptor:descriptor"),
        };
        let version = if self.is_explicit(buffer) { "MTL4" } else { "MTL" };
        let items: Vec<String> = pass.items.iter().map(|item| self.metal_item(item, buffer)).collect();
        format!(
            "id<{version}{kind}CommandEncoder> encoder = [{owner} {call}]; {} [encoder endEncoding];",
            items.join(" ")
        )
    }

    fn metal_item(&self, item: &PassItem, buffer: Option<CommandBufferIndex>) -> String {
        match item {
            PassItem::Synchronization(own) => self.metal_primitive(&own.primitive, buffer),
            PassItem::Command(command) => self.metal_command(command),
            PassItem::UseResource { resource, read, write } => {
                let usage = [(*read, "MTLResourceUsageRead"), (*write, "MTLResourceUsageWrite")];
                let usage: Vec<&str> = usage.iter().filter(|own| own.0).map(|own| own.1).collect();
                let resource = identifier(self.resource(*resource));
                format!("[encoder useResource:{resource} usage:{}];", usage.join(" | "))
            }
        }
    }

    fn metal_primitive(&self, primitive: &Primitive, buffer: Option<CommandBufferIndex>) -> String {
        let explicit = self.is_explicit(buffer);
        let options = |shown: Visibility| format!("visibilityOptions:{}", visibility(shown));
        match primitive {
            Primitive::Barrier { after, before, visibility } => format!(
                "[encoder barrierAfterEncoderStages:{} beforeEncoderStages:{} {}];",
                stages(*after),
                stages(*before),
                options(*visibility)
            ),
            Primitive::ConsumerBarrier { after_queue, before, visibility } => {
                let (after, before) = (stages(*after_queue), stages(*before));
                let options = if explicit { format!(" {}", options(*visibility)) } else { String::new() };
                format!("[encoder barrierAfterQueueStages:{after} beforeStages:{before}{options}];")
            }
            Primitive::ProducerBarrier { after, before_queue, visibility } => format!(
                "[encoder barrierAfterStages:{} beforeQueueStages:{} {}];",
                stages(*after),
                stages(*before_queue),
                options(*visibility)
            ),
            Primitive::MemoryBarrier { scope, after, before } => {
                self.metal_memory_barrier(scope, after.zip(*before))
            }
            Primitive::UpdateFence { fence, after } => {
                let after = after.map(|own| match explicit {
                    true => format!(" afterEncoderStages:{}", stages(own)),
                    false => format!(" afterStages:{}", render_stages(own)),
                });
                let name = identifier(self.fence(*fence));
                format!("[encoder updateFence:{name}{}];", after.unwrap_or_default())
            }
            Primitive::WaitForFence { fence, before } => {
                let before = before.map(|own| match explicit {
                    true => format!(" beforeEncoderStages:{}", stages(own)),
                    false => format!(" beforeStages:{}", render_stages(own)),
                });
                let name = identifier(self.fence(*fence));
                format!("[encoder waitForFence:{name}{}];", before.unwrap_or_default())
            }
        }
    }

    fn metal_memory_barrier(&self, scope: &MemoryScope, named: Option<(Stages, Stages)>) -> String {
        let named = named.map_or_else(String::new, |(after, before)| {
            format!(" afterStages:{} beforeStages:{}", render_stages(after), render_stages(before))
        });
        match scope {
            MemoryScope::Kinds { buffers, textures, render_targets } => {
                let kinds = [(buffers, "Buffers"), (textures, "Textures"), (render_targets, "RenderTargets")];
                let kinds = kinds.iter().filter(|(named, _)| **named);
                let kinds: Vec<String> = kinds.map(|(_, kind)| format!("MTLBarrierScope{kind}")).collect();
                let kinds = if kinds.is_empty() { "0".to_owned() } else { kinds.join(" | ") };
                format!("[encoder memoryBarrierWithScope:{kinds}{named}];")
            }
            MemoryScope::Resources(all) => {
                let names: Vec<String> = all.iter().map(|own| identifier(self.resource(*own))).collect();
                format!(
                    "[encoder memoryBarrierWithResources:(id<MTLResource>[]){{{}}} count:{}{named}];",
                    names.join(", "),
                    names.len()
                )
            }
        }
    }

    fn metal_command(&self, command: &Command) -> String {
        let name = |part: &Part| identifier(self.resource(part.resource));
        let is_buffer = |part: &Part| {
            matches!(self.explainer.program.resource(part.resource).shape, Shape::Buffer { .. })
        };
        match &command.work {
            Work::Copy { from, to } if is_buffer(from) && is_buffer(to) => {
                let (first, second) = (self.bytes(from), self.bytes(to));
                format!(
                    "[encoder copyFromBuffer:{} sourceOffset:{} toBuffer:{} destinationOffset:{} size:{}];",
                    name(from),
                    first.0,
                    name(to),
                    second.0,
                    (first.1 - first.0).min(second.1 - second.0)
                )
            }
            Work::Copy { from, to } => {
                let kind = |part: &Part| if is_buffer(part) { "Buffer" } else { "Texture" };
                format!("[encoder copyFrom{}:{} to{}:{}];", kind(from), name(from), kind(to), name(to))
            }
            Work::Fill { to, value } => {
                let (start, end) = self.bytes(to);
                let range = format!("NSMakeRange({start}, {})", end - start);
                format!("[encoder fillBuffer:{} range:{range} value:{value}];", name(to))
            }
            Work::GenerateMipmaps { texture } => {
                format!("[encoder generateMipmapsForTexture:{}];", identifier(self.resource(*texture)))
            }
            Work::Synchronize { resource, extent } => {
                let name = identifier(self.resource(*resource));
                match extent {
                    Extent::Subresources { mips, slices } => format!(
                        "[encoder synchronizeTexture:{name} slice:{} level:{}];",
                        slices.start, mips.start
                    ),
                    _ => format!("[encoder synchronizeResource:{name}];"),
                }
            }
            Work::Optimize { texture, for_gpu } => {
                let side = if *for_gpu { "GPU" } else { "CPU" };
                let texture = identifier(self.resource(*texture));
                format!("[encoder optimizeContentsFor{side}Access:{texture}];")
            }
            Work::Dispatch { .. } => {
                "[encoder dispatchThreads:threads threadsPerThreadgroup:group];".to_owned()
            }
            Work::Draw { .. } => {
                "[encoder drawPrimitives:MTLPrimitiveTypeTriangle vertexStart:0 vertexCount:count];"
                    .to_owned()
            }
        }
    }

    /// The bytes of a part of a buffer; all of it for what is none.
    pub(super) fn bytes(&self, part: &Part) -> (u64, u64) {
        match (&part.extent, self.explainer.program.resource(part.resource).shape) {
            (Extent::Bytes(bytes), _) => (bytes.start, bytes.end.max(bytes.start)),
            (_, Shape::Buffer { size, .. }) => (0, size),
            (_, Shape::Texture { .. }) => (0, self.explainer.program.byte_size(part.resource)),
        }
    }

    fn metal_step(&self, step: &Step) -> String {
        let event = |own| identifier(self.event(own));
        match step {
            Step::QueueEvent { queue, operation: EventOperation { event: own, value, kind, .. } } => {
                let verb = match kind {
                    EventOperationKind::Signal => "signalEvent",
                    EventOperationKind::Wait => "waitForEvent",
                };
                format!("[{} {verb}:{} value:{value}];", identifier(self.queue(*queue)), event(*own))
            }
            Step::WaitUntilCompleted(buffer) => {
                format!("[{} waitUntilCompleted];", identifier(self.buffer(*buffer)))
            }
            Step::SetSignaledValue { event: own, value } => {
                format!("{}.signaledValue = {value};", event(*own))
            }
            Step::WaitUntilSignaled { event: own, value, timeout_ms } => {
                let limit = timeout_ms.map_or_else(|| "UINT64_MAX".to_owned(), |limit| limit.to_string());
                format!("[{} waitUntilSignaledValue:{value} timeoutMS:{limit}];", event(*own))
            }
            Step::Notify { event: own, value, body } => format!(
                "[{} notifyListener:listener atValue:{value} block:^(id<MTLSharedEvent> e, uint64_t v) {{ {} }}];",
                event(*own),
                self.metal_body(body)
            ),
            Step::Thread { body, .. } => {
                format!("[NSThread detachNewThreadWithBlock:^{{ {} }}];", self.metal_body(body))
            }
            Step::Commit(buffers) => self.metal_commit(buffers),
            Step::Enqueue(buffer) => format!("[{} enqueue];", identifier(self.buffer(*buffer))),
            Step::MakeAliasable(own) => format!("[{} makeAliasable];", identifier(self.resource(*own))),
            Step::Write(part) => {
                let ((start, end), name) = (self.bytes(part), identifier(self.resource(part.resource)));
                format!("memcpy((char *){name}.contents + {start}, bytes, {});", end - start)
            }
            Step::Read(part) => {
                let ((start, end), name) = (self.bytes(part), identifier(self.resource(part.resource)));
                format!("memcpy(bytes, (char *){name}.contents + {start}, {});", end - start)
            }
            Step::DidModify(part) => {
                let ((start, end), name) = (self.bytes(part), identifier(self.resource(part.resource)));
                format!("[{name} didModifyRange:NSMakeRange({start}, {})];", end - start)
            }
        }
    }

    fn metal_body(&self, steps: &[Step]) -> String {
        let calls: Vec<String> = steps.iter().map(|step| self.metal_step(step)).collect();
        calls.join(" ")
    }

    fn metal_commit(&self, buffers: &[CommandBufferIndex]) -> String {
        let names: Vec<String> = buffers.iter().map(|own| identifier(self.buffer(*own))).collect();
        let first = buffers.first().copied();
        if !self.is_explicit(first) {
            return names.iter().map(|name| format!("[{name} commit];")).collect::<Vec<_>>().join(" ");
        }
        let queue = first.and_then(|own| self.queue_of(own)).map_or("queue", |queue| self.queue(queue));
        let list = names.join(", ");
        let queue = identifier(queue);
        format!("[{queue} commit:(id<MTL4CommandBuffer>[]){{{list}}} count:{}];", names.len())
    }

    fn metal_again(&self, buffer: CommandBufferIndex, label: &str) -> String {
        let (own, label) = (self.buffer(buffer), identifier(label));
        let queue = self.queue_of(buffer).map_or("queue", |queue| self.queue(queue));
        let queue = identifier(queue);
        if self.is_explicit(Some(buffer)) {
            format!(
                "id<MTL4CommandBuffer> {label} = [device newCommandBuffer]; /* as in {own} */ \
                 [{queue} commit:(id<MTL4CommandBuffer>[]){{{label}}} count:1];"
            )
        } else {
            format!(
                "id<MTLCommandBuffer> {label} = [{queue} commandBuffer]; /* as in {own} */ [{label} commit];"
            )
        }
    }

    pub(super) fn metal_declared(&self, change: &Change) -> String {
        let program = self.explainer.program;
        match change {
            Change::Put(_) | Change::Drop(_) => String::new(),
            Change::Storage(resource, storage) => {
                let own = program.resource(*resource);
                let mode = storage_mode(*storage);
                match (own.placement, own.shape) {
                    (Placement::Heap { .. }, _) => {
                        format!("heapDescriptor.storageMode = MTLStorageMode{mode};")
                    }
                    (_, Shape::Buffer { size, .. }) => format!(
                        "{} = [device newBufferWithLength:{size} options:MTLResourceStorageMode{mode}];",
                        identifier(&own.name)
                    ),
                    (_, Shape::Texture { .. }) => {
                        format!("textureDescriptor.storageMode = MTLStorageMode{mode};")
                    }
                }
            }
            Change::TrackedHeap(_) => {
                "heapDescriptor.hazardTrackingMode = MTLHazardTrackingModeTracked;".to_owned()
            }
            Change::SharedEvent(event) => {
                format!("id<MTLSharedEvent> {} = [device newSharedEvent];", identifier(self.event(*event)))
            }
            Change::Clear { buffer, pass, attachment } => {
                let colours = match program.pass(*buffer, *pass).map(|pass| &pass.kind) {
                    Some(PassKind::Render { color, .. }) => color.len(),
                    _ => 0,
                };
                let place = if (*attachment as usize) < colours {
                    format!("colorAttachments[{attachment}]")
                } else {
                    "depthAttachment".to_owned()
                };
                format!("descriptor.{place}.loadAction = MTLLoadActionClear;")
            }
            Change::ComputePass { buffer, .. } => format!(
                "id<MTL4ComputeCommandEncoder> encoder = [{} computeCommandEncoder];",
                identifier(self.buffer(*buffer))
            ),
            Change::Again { buffer, label, .. } => self.metal_again(*buffer, label),
            Change::View { resource, device, name, .. } => {
                let device = program.devices.get(device.index()).map_or("device", |device| &device.name);
                let (own, name) = (program.resource(*resource), identifier(name));
                match own.shape {
                    Shape::Buffer { size, .. } => format!(
                        "id<MTLBuffer> {name} = [{} newBufferWithBytesNoCopy:{}.contents length:{size} \
                         options:MTLResourceStorageModeShared deallocator:nil];",
                        identifier(device),
                        identifier(&own.name)
                    ),
                    Shape::Texture { .. } => format!(
                        "id<MTLTexture> {name} = [{} newSharedTextureWithHandle:[{} newSharedTextureHandle]];",
                        identifier(device),
                        identifier(&own.name)
                    ),
                }
            }
        }
    }
}

const fn storage_mode(storage: StorageMode) -> &'static str {
    match storage {
        StorageMode::Private => "Private",
        StorageMode::Shared => "Shared",
        StorageMode::Managed => "Managed",
        StorageMode::Memoryless => "Memoryless",
    }
}

fn stages(own: Stages) -> String {
    named(own, "MTLStage")
}

/// The stages of a Metal 3 render encoder.
fn render_stages(own: Stages) -> String {
    named(own, "MTLRenderStage")
}

fn named(own: Stages, prefix: &str) -> String {
    if own == Stages::ALL {
        return "MTLStageAll".to_owned();
    }
    let capital = |stage: Stage| -> String {
        let parts = words::stage(stage).split('-').map(|part| {
            let (first, rest) = part.split_at(1);
            format!("{}{rest}", first.to_uppercase())
        });
        parts.collect()
    };
    let all: Vec<String> = own.iter_stages().map(|stage| format!("{prefix}{}", capital(stage))).collect();
    if all.is_empty() { "0".to_owned() } else { all.join(" | ") }
}

fn visibility(own: Visibility) -> &'static str {
    match (own.contains(Visibility::DEVICE), own.contains(Visibility::RESOURCE_ALIAS)) {
        (true, false) => "MTL4VisibilityOptionDevice",
        (false, false) => "MTL4VisibilityOptionNone",
        (false, true) => "MTL4VisibilityOptionResourceAlias",
        (true, true) => "MTL4VisibilityOptionDevice | MTL4VisibilityOptionResourceAlias",
    }
}
