//! Lines of the text form.
use super::{Item, Names};
use crate::advise::Change;
use crate::explain::words;
use crate::program::{
    Attachment, BufferItem, Command, DeviceIndex, EventOperation, EventOperationKind, Format, LoadAction,
    Part, Pass, PassItem, PassKind, Placement, Primitive, ResourceDeclaration, ResourceIndex, Shape, Step,
    StorageMode, StoreAction, Synchronization, Work,
};
use crate::validate::Spot;
use crate::{Extent, Stages, Visibility};

impl Names<'_> {
    pub(super) fn line(&self, item: Item<'_>) -> String {
        match item {
            Item::Pass(PassItem::Synchronization(own)) => self.primitive_line(own),
            Item::Pass(PassItem::Command(own)) => self.command_line(own),
            Item::Pass(PassItem::UseResource { resource, read, write }) => {
                let usage = match (read, write) {
                    (true, true) => "\"read write\"",
                    (false, true) => "write",
                    _ => "read",
                };
                format!("use-resource {} usage={usage}", self.resource(*resource))
            }
            Item::Buffer(BufferItem::Event(operation)) => self.operation_line(operation, None),
            Item::Buffer(BufferItem::Pass(pass)) => self.pass_line(pass),
            Item::Step(step) => self.step_line(step),
        }
    }

    /// The end of a render pass and the beginning of what goes on in its place.
    pub(super) fn new_pass(&self, pass: &Pass) -> String {
        let attachments = self.attachments(&pass.kind, Some(LoadAction::Load)).join("; ");
        format!("}}; render {} {{ {attachments};", pass.label)
    }

    fn pass_line(&self, pass: &Pass) -> String {
        let word = match pass.kind {
            PassKind::Compute { .. } => "compute",
            PassKind::Blit => "blit",
            PassKind::Render { .. } => "render",
        };
        let attachments = self.attachments(&pass.kind, None);
        let items = pass.items.iter().map(|item| self.line(Item::Pass(item)));
        let body: Vec<String> = attachments.into_iter().chain(items).collect();
        format!("{word} {} {{ {} }}", pass.label, body.join("; "))
    }

    /// The attachments of a render pass, all with one load action where it is given.
    fn attachments(&self, kind: &PassKind, load: Option<LoadAction>) -> Vec<String> {
        let PassKind::Render { color, depth } = kind else { return Vec::new() };
        let color = color.iter().map(|own| self.attachment("color", own, load));
        color.chain(depth.iter().map(|own| self.attachment("depth", own, load))).collect()
    }

    fn attachment(&self, word: &str, own: &Attachment, load: Option<LoadAction>) -> String {
        let load = match load.unwrap_or(own.load) {
            LoadAction::Load => "load",
            LoadAction::Clear => "clear",
            LoadAction::DontCare => "dont-care",
        };
        let store = match own.store {
            StoreAction::Store => "store",
            StoreAction::DontCare => "dont-care",
        };
        format!("{word} {} load={load} store={store}", self.access(&own.texture))
    }

    fn primitive_line(&self, own: &Synchronization) -> String {
        let label = own.label.as_ref().map_or_else(String::new, |label| format!(" {label}"));
        let of = |word: &str, stages: &Stages| format!(" {word}={}", quoted(&stage_words(*stages)));
        let optional = |word: &str, stages: &Option<Stages>| {
            stages.as_ref().map_or_else(String::new, |stages| of(word, stages))
        };
        let barrier = |(after, first): (&str, &Stages), (before, second): (&str, &Stages), shown| {
            format!("barrier{label}{}{}{}", of(after, first), of(before, second), visibility(shown))
        };
        match &own.primitive {
            Primitive::Barrier { after, before, visibility } => {
                barrier(("after", after), ("before", before), *visibility)
            }
            Primitive::ConsumerBarrier { after_queue, before, visibility } => {
                barrier(("after-queue", after_queue), ("before", before), *visibility)
            }
            Primitive::ProducerBarrier { after, before_queue, visibility } => {
                barrier(("after", after), ("before-queue", before_queue), *visibility)
            }
            Primitive::MemoryBarrier { scope, after, before } => format!(
                "memory-barrier{label} {}{}{}",
                self.explainer.memory_scope(scope),
                optional("after", after),
                optional("before", before)
            ),
            Primitive::UpdateFence { fence, after } => {
                format!("update-fence{label} {}{}", self.fence(*fence), optional("after", after))
            }
            Primitive::WaitForFence { fence, before } => {
                format!("wait-for-fence{label} {}{}", self.fence(*fence), optional("before", before))
            }
        }
    }

    fn command_line(&self, command: &Command) -> String {
        let label = &command.label;
        match &command.work {
            Work::Copy { from, to } => {
                format!("copy {label} from={} to={}", self.access(from), self.access(to))
            }
            Work::Fill { to, value } => format!("fill {label} {} value={value}", self.access(to)),
            Work::GenerateMipmaps { texture } => {
                format!("generate-mipmaps {label} {}", self.resource(*texture))
            }
            Work::Synchronize { resource, extent } => {
                let part = Part { resource: *resource, extent: extent.clone() };
                format!("synchronize {label} {}", self.access(&part))
            }
            Work::Optimize { texture, for_gpu } => {
                let word = if *for_gpu { "optimize-for-gpu" } else { "optimize-for-cpu" };
                format!("{word} {label} {}", self.resource(*texture))
            }
            Work::Dispatch { reads, writes, atomics, cost, indirect } => {
                let word = if *indirect { "indirect" } else { "dispatch" };
                let lists = self.lists(&[("reads", reads), ("writes", writes), ("atomics", atomics)]);
                let cost = if *cost == 1 { String::new() } else { format!(" cost={cost}") };
                format!("{word} {label}{lists}{cost}")
            }
            Work::Draw { vertex_reads, vertex_writes, fragment_reads, fragment_writes } => {
                let lists = self.lists(&[
                    ("vertex-reads", vertex_reads),
                    ("vertex-writes", vertex_writes),
                    ("fragment-reads", fragment_reads),
                    ("fragment-writes", fragment_writes),
                ]);
                format!("draw {label}{lists}")
            }
        }
    }

    fn lists(&self, lists: &[(&str, &Vec<Part>)]) -> String {
        let list = |(name, parts): &(&str, &Vec<Part>)| {
            let parts: Vec<String> = parts.iter().map(|part| self.access(part)).collect();
            if parts.is_empty() { String::new() } else { format!(" {name}={}", quoted(&parts.join(" "))) }
        };
        lists.iter().map(list).collect()
    }

    /// An access expression.
    fn access(&self, part: &Part) -> String {
        let name = self.resource(part.resource);
        match part.extent {
            Extent::Whole => name.to_owned(),
            _ => format!("{name}:{}", self.explainer.extent(part.resource, &part.extent)),
        }
    }

    fn operation_line(&self, operation: &EventOperation, queue: Option<&str>) -> String {
        let verb = match operation.kind {
            EventOperationKind::Signal => "signal-event",
            EventOperationKind::Wait => "wait-for-event",
        };
        let label = operation.label.as_ref().map_or_else(String::new, |label| format!(" {label}"));
        let queue = queue.map_or_else(String::new, |queue| format!(" {queue}"));
        format!("{verb}{label}{queue} {} value={}", self.event(operation.event), operation.value)
    }

    fn step_line(&self, step: &Step) -> String {
        match step {
            Step::QueueEvent { queue, operation } => self.operation_line(operation, Some(self.queue(*queue))),
            Step::WaitUntilCompleted(buffer) => {
                format!("wait-until-completed {}", self.explainer.path(Spot::CommandBuffer(*buffer)))
            }
            Step::SetSignaledValue { event, value } => {
                format!("set-signaled-value {} value={value}", self.event(*event))
            }
            Step::WaitUntilSignaled { event, value, timeout_ms } => {
                let limit = timeout_ms.map_or_else(String::new, |limit| format!(" timeout-ms={limit}"));
                format!("wait-until-signaled {} value={value}{limit}", self.event(*event))
            }
            Step::Notify { event, value, body } => {
                format!("notify {} value={value} {{ {} }}", self.event(*event), self.body(body))
            }
            Step::Thread { name, body } => format!("thread {name} {{ {} }}", self.body(body)),
            Step::Commit(buffers) => {
                let names: Vec<&str> = buffers.iter().map(|buffer| self.buffer(*buffer)).collect();
                format!("commit {}", names.join(" "))
            }
            Step::Enqueue(buffer) => format!("enqueue {}", self.buffer(*buffer)),
            Step::MakeAliasable(resource) => format!("make-aliasable {}", self.resource(*resource)),
            Step::Write(part) => format!("write {}", self.access(part)),
            Step::Read(part) => format!("read {}", self.access(part)),
            Step::DidModify(part) => {
                let resource = self.resource(part.resource);
                format!("did-modify {resource}:{}", self.explainer.extent(part.resource, &part.extent))
            }
        }
    }

    fn body(&self, steps: &[Step]) -> String {
        let lines: Vec<String> = steps.iter().map(|step| self.step_line(step)).collect();
        lines.join("; ")
    }

    /// A change that is no line more or less: the new line, and what it stands for.
    pub(super) fn declared(&self, change: &Change) -> String {
        let program = self.explainer.program;
        match change {
            Change::Put(_) | Change::Drop(_) => String::new(),
            Change::Storage(resource, storage) => match program.resource(*resource).placement {
                Placement::Heap { heap, .. } => {
                    program.heaps.get(heap.index()).map_or_else(String::new, |heap| {
                        let tracked = if heap.tracked { " tracking=tracked" } else { "" };
                        let storage = storage_word(*storage);
                        format!(
                            "heap {0} size={1}{tracked} storage={storage} instead of heap {0}",
                            heap.name, heap.size
                        )
                    })
                }
                _ => {
                    let mut own = program.resource(*resource).clone();
                    own.storage = *storage;
                    format!("{} instead of its declaration", self.declaration(&own))
                }
            },
            Change::TrackedHeap(heap) => program.heaps.get(heap.index()).map_or_else(String::new, |heap| {
                let storage = match heap.storage {
                    StorageMode::Private => String::new(),
                    other => format!(" storage={}", storage_word(other)),
                };
                format!(
                    "heap {0} size={1} tracking=tracked{storage} instead of heap {0}",
                    heap.name, heap.size
                )
            }),
            Change::SharedEvent(event) => {
                format!("shared-event {0} instead of event {0}", self.event(*event))
            }
            Change::Clear { buffer, pass, attachment } => {
                let Some(PassKind::Render { color, depth }) =
                    program.pass(*buffer, *pass).map(|pass| &pass.kind)
                else {
                    return String::new();
                };
                let words = color.iter().map(|_| "color").chain(["depth"]);
                let mut all = words.zip(color.iter().chain(depth)).skip(*attachment as usize);
                let path = self.explainer.path(Spot::Pass(*buffer, *pass));
                all.next().map_or_else(String::new, |(word, own)| {
                    let line = self.attachment(word, own, Some(LoadAction::Clear));
                    format!("{line} in {path} instead of load=load")
                })
            }
            Change::ComputePass { buffer, pass } => {
                let path = self.explainer.path(Spot::Pass(*buffer, *pass));
                let label = program.pass(*buffer, *pass).map_or("?", |pass| &pass.label);
                format!("compute {label} dispatch-type=serial instead of blit {path}")
            }
            Change::Again { step, buffer, label } => {
                let (own, queue) = (self.buffer(*buffer), self.queue_of(*buffer));
                let queue = queue.map_or("?", |queue| self.queue(queue));
                let at = self.explainer.at(crate::program::Locus::Step(*step));
                format!(
                    "command-buffer {label} queue={queue} {{ /* as in {own} */ }}; commit {label} instead of {own} at {at}"
                )
            }
            Change::View { command, resource, device, name } => self.view(*command, *resource, *device, name),
        }
    }

    fn view(
        &self,
        command: crate::program::Locus,
        resource: ResourceIndex,
        device: DeviceIndex,
        name: &str,
    ) -> String {
        let own = self.explainer.program.resource(resource);
        let view = ResourceDeclaration {
            name: name.to_owned(),
            device,
            placement: Placement::SameAs(resource),
            ..own.clone()
        };
        let at = self.explainer.at(command);
        format!("{}; {name} instead of {} in {at}", self.declaration(&view), own.name)
    }

    fn declaration(&self, own: &ResourceDeclaration) -> String {
        let program = self.explainer.program;
        let mut line = match own.shape {
            Shape::Buffer { size, init } => {
                let init = init.map_or_else(String::new, |init| format!(" init={init}"));
                format!("buffer {} size={size}{init}", own.name)
            }
            Shape::Texture { width, height, mips, slices, format } => {
                let mips = if mips == 1 { String::new() } else { format!(" mips={mips}") };
                let slices = if slices == 1 { String::new() } else { format!(" slices={slices}") };
                let format = match format {
                    Format::Rgba8Unorm => "",
                    Format::R32Uint => " format=r32uint",
                    Format::R32Float => " format=r32float",
                    Format::Rgba32Float => " format=rgba32float",
                    Format::Depth32Float => " format=depth32float",
                };
                format!("texture {} width={width} height={height}{format}{mips}{slices}", own.name)
            }
        };
        if own.device.index() > 0
            && let Some(device) = program.devices.get(own.device.index())
        {
            line += &format!(" device={}", device.name);
        }
        match own.placement {
            Placement::Own => {}
            Placement::Heap { heap, offset } => {
                let heap = program.heaps.get(heap.index()).map_or("?", |heap| &heap.name);
                line += &format!(" heap={heap} offset={offset}");
            }
            Placement::SameAs(other) => line += &format!(" same-memory-as={}", self.resource(other)),
        }
        if own.storage != StorageMode::Private {
            line += &format!(" storage={}", storage_word(own.storage));
        }
        line
    }
}

const fn storage_word(storage: StorageMode) -> &'static str {
    match storage {
        StorageMode::Private => "private",
        StorageMode::Shared => "shared",
        StorageMode::Managed => "managed",
        StorageMode::Memoryless => "memoryless",
    }
}

fn stage_words(stages: Stages) -> String {
    match stages {
        Stages::ALL => "all".to_owned(),
        none if none.is_empty() => String::new(),
        some => words::stages(some),
    }
}

fn visibility(own: Visibility) -> &'static str {
    match (own.contains(Visibility::DEVICE), own.contains(Visibility::RESOURCE_ALIAS)) {
        (true, false) => "",
        (false, false) => " visibility=none",
        (false, true) => " visibility=resource-alias",
        (true, true) => " visibility=\"device resource-alias\"",
    }
}

/// In quotes where it has blanks, or nothing.
fn quoted(text: &str) -> String {
    if text.is_empty() || text.contains(' ') { format!("\"{text}\"") } else { text.to_owned() }
}
