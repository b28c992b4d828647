//! Writing a program in Rust, in the order and the words of its text form.

use core::ops::Range;

use super::{
    Attachment, BufferItem, Command, CommandBuffer, CommandBufferIndex, DeviceDeclaration, DeviceIndex,
    DeviceKind, DispatchType, EventDeclaration, EventIndex, EventOperation, EventOperationKind, Expectation,
    FenceIndex, Format, HeapDeclaration, HeapIndex, MemoryScope, Part, Pass, PassItem, PassKind, Placement,
    Primitive, Program, QueueDeclaration, QueueIndex, QueueMode, ResourceDeclaration, ResourceIndex, Shape,
    Step, StorageMode, Synchronization, TrackingMode, Work,
};
use crate::{Extent, Stages, Visibility};

impl ResourceIndex {
    /// All of the resource.
    pub const fn whole(self) -> Part {
        Part { resource: self, extent: Extent::Whole }
    }

    /// Some bytes of a buffer.
    pub const fn bytes(self, range: Range<u64>) -> Part {
        Part { resource: self, extent: Extent::Bytes(range) }
    }

    /// Some levels and slices of a texture.
    pub const fn subresources(self, mips: Range<u32>, slices: Range<u32>) -> Part {
        Part { resource: self, extent: Extent::Subresources { mips, slices } }
    }
}

impl From<ResourceIndex> for Part {
    fn from(resource: ResourceIndex) -> Self {
        resource.whole()
    }
}

/// What a buffer may have besides a name and a size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the declaration")]
pub struct BufferOptions {
    pub device: Option<DeviceIndex>,
    pub storage: StorageMode,
    pub tracking: TrackingMode,
    pub placement: Placement,
    pub init: Option<u32>,
}

/// What a texture may have besides a name and a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the declaration")]
pub struct TextureOptions {
    pub device: Option<DeviceIndex>,
    pub storage: StorageMode,
    pub tracking: TrackingMode,
    pub placement: Placement,
    pub format: Format,
    pub mips: u32,
    pub slices: u32,
}

impl Default for TextureOptions {
    fn default() -> Self {
        Self {
            device: None,
            storage: StorageMode::default(),
            tracking: TrackingMode::default(),
            placement: Placement::default(),
            format: Format::default(),
            mips: 1,
            slices: 1,
        }
    }
}

/// Builds a [`Program`].
///
/// ```
/// use fencepost_core::program::{Program, QueueMode};
/// use fencepost_core::Stages;
///
/// let mut p = Program::builder();
/// let q = p.queue("q", QueueMode::Explicit);
/// let [a, b] = ["A", "B"].map(|name| p.buffer(name, 64));
/// let cb = p.command_buffer("cb", q, |items| {
///     items.compute("P1", |pass| {
///         pass.copy("c1", a, b);
///         pass.barrier(Stages::BLIT, Stages::DISPATCH);
///         pass.dispatch("k1", [b], [b]);
///     });
/// });
/// p.steps().commit([cb]);
/// assert_eq!(p.build().command_buffers[0].label, "cb");
/// ```
#[derive(Debug, Default)]
pub struct Builder {
    program: Program,
    steps: Steps,
}

fn next<T>(list: &mut Vec<T>, item: T) -> u32 {
    list.push(item);
    list.len() as u32 - 1
}

impl Builder {
    /// Declares a device. Without one, a device `gpu` of any kind is there.
    pub fn device(&mut self, name: &str, kind: DeviceKind) -> DeviceIndex {
        DeviceIndex(next(&mut self.program.devices, DeviceDeclaration { name: name.to_owned(), kind }))
    }

    fn default_device(&mut self) -> DeviceIndex {
        if self.program.devices.is_empty() {
            self.device("gpu", DeviceKind::Any);
        }
        DeviceIndex(0)
    }

    /// Declares a queue of the default device.
    pub fn queue(&mut self, name: &str, mode: QueueMode) -> QueueIndex {
        let device = self.default_device();
        self.queue_on(name, mode, device)
    }

    /// Declares a queue.
    pub fn queue_on(&mut self, name: &str, mode: QueueMode, device: DeviceIndex) -> QueueIndex {
        QueueIndex(next(&mut self.program.queues, QueueDeclaration { name: name.to_owned(), mode, device }))
    }

    /// Declares a private heap.
    pub fn heap(&mut self, name: &str, size: u64, tracked: bool) -> HeapIndex {
        let heap = HeapDeclaration { name: name.to_owned(), size, tracked, storage: StorageMode::Private };
        HeapIndex(next(&mut self.program.heaps, heap))
    }

    /// Declares a buffer with defaults.
    pub fn buffer(&mut self, name: &str, size: u64) -> ResourceIndex {
        self.buffer_with(name, size, BufferOptions::default())
    }

    /// Declares a buffer.
    pub fn buffer_with(&mut self, name: &str, size: u64, options: BufferOptions) -> ResourceIndex {
        let BufferOptions { device, storage, tracking, placement, init } = options;
        let shape = Shape::Buffer { size, init };
        self.resource(name, device, shape, storage, tracking, placement)
    }

    /// Declares a texture.
    pub fn texture(&mut self, name: &str, width: u32, height: u32, options: TextureOptions) -> ResourceIndex {
        let TextureOptions { device, storage, tracking, placement, format, mips, slices } = options;
        let shape = Shape::Texture { width, height, mips, slices, format };
        self.resource(name, device, shape, storage, tracking, placement)
    }

    fn resource(
        &mut self,
        name: &str,
        device: Option<DeviceIndex>,
        shape: Shape,
        storage: StorageMode,
        tracking: TrackingMode,
        placement: Placement,
    ) -> ResourceIndex {
        let device = device.unwrap_or_else(|| self.default_device());
        let declaration =
            ResourceDeclaration { name: name.to_owned(), device, shape, storage, tracking, placement };
        ResourceIndex(next(&mut self.program.resources, declaration))
    }

    /// Declares a fence.
    pub fn fence(&mut self, name: &str) -> FenceIndex {
        FenceIndex(next(&mut self.program.fences, name.to_owned()))
    }

    /// Declares an event.
    pub fn event(&mut self, name: &str) -> EventIndex {
        EventIndex(next(&mut self.program.events, EventDeclaration { name: name.to_owned(), shared: false }))
    }

    /// Declares a shared event.
    pub fn shared_event(&mut self, name: &str) -> EventIndex {
        EventIndex(next(&mut self.program.events, EventDeclaration { name: name.to_owned(), shared: true }))
    }

    /// Writes a command buffer. It runs once it is committed.
    pub fn command_buffer(
        &mut self,
        label: &str,
        queue: QueueIndex,
        write: impl FnOnce(&mut QueueItems),
    ) -> CommandBufferIndex {
        let mut items = QueueItems::default();
        write(&mut items);
        let buffer = CommandBuffer { label: label.to_owned(), queue, items: items.items };
        CommandBufferIndex(next(&mut self.program.command_buffers, buffer))
    }

    /// What the CPU does.
    pub fn steps(&mut self) -> &mut Steps {
        &mut self.steps
    }

    /// Adds an expectation.
    pub fn expect(&mut self, expectation: Expectation) {
        self.program.expectations.push(expectation);
    }

    /// The program.
    pub fn build(mut self) -> Program {
        self.program.steps = self.steps.steps;
        self.program
    }
}

/// The items of a command buffer being written.
#[derive(Debug, Default)]
pub struct QueueItems {
    items: Vec<BufferItem>,
}

impl QueueItems {
    /// A compute pass in the queue's default mode.
    pub fn compute(&mut self, label: &str, write: impl FnOnce(&mut PassBuilder)) {
        self.pass(label, PassKind::Compute { dispatch_type: None }, write);
    }

    /// A compute pass whose commands may overlap.
    pub fn compute_concurrent(&mut self, label: &str, write: impl FnOnce(&mut PassBuilder)) {
        self.pass(label, PassKind::Compute { dispatch_type: Some(DispatchType::Concurrent) }, write);
    }

    /// A blit pass.
    pub fn blit(&mut self, label: &str, write: impl FnOnce(&mut PassBuilder)) {
        self.pass(label, PassKind::Blit, write);
    }

    /// A render pass with colour attachments.
    pub fn render(&mut self, label: &str, color: Vec<Attachment>, write: impl FnOnce(&mut PassBuilder)) {
        self.pass(label, PassKind::Render { color, depth: None }, write);
    }

    /// A pass of any kind.
    pub fn pass(&mut self, label: &str, kind: PassKind, write: impl FnOnce(&mut PassBuilder)) {
        let mut pass = PassBuilder::default();
        write(&mut pass);
        self.items.push(BufferItem::Pass(Pass { label: label.to_owned(), kind, items: pass.items }));
    }

    /// Signals an event between passes.
    pub fn signal_event(&mut self, label: &str, event: EventIndex, value: u64) {
        self.items.push(BufferItem::Event(operation(label, event, value, EventOperationKind::Signal)));
    }

    /// Waits for an event between passes.
    pub fn wait_for_event(&mut self, label: &str, event: EventIndex, value: u64) {
        self.items.push(BufferItem::Event(operation(label, event, value, EventOperationKind::Wait)));
    }
}

fn operation(label: &str, event: EventIndex, value: u64, kind: EventOperationKind) -> EventOperation {
    EventOperation { label: Some(label.to_owned()), event, value, kind }
}

/// The items of a pass being written.
#[derive(Debug, Default)]
pub struct PassBuilder {
    items: Vec<PassItem>,
}

fn parts<P: Into<Part>>(list: impl IntoIterator<Item = P>) -> Vec<Part> {
    list.into_iter().map(Into::into).collect()
}

impl PassBuilder {
    /// A command of any kind.
    pub fn command(&mut self, label: &str, work: Work) -> &mut Self {
        self.items.push(PassItem::Command(Command { label: label.to_owned(), work }));
        self
    }

    /// A copy.
    pub fn copy(&mut self, label: &str, from: impl Into<Part>, to: impl Into<Part>) -> &mut Self {
        self.command(label, Work::Copy { from: from.into(), to: to.into() })
    }

    /// A fill.
    pub fn fill(&mut self, label: &str, to: impl Into<Part>, value: u8) -> &mut Self {
        self.command(label, Work::Fill { to: to.into(), value })
    }

    /// A dispatch that binds what it uses.
    pub fn dispatch<R: Into<Part>, W: Into<Part>>(
        &mut self,
        label: &str,
        reads: impl IntoIterator<Item = R>,
        writes: impl IntoIterator<Item = W>,
    ) -> &mut Self {
        let (reads, writes) = (parts(reads), parts(writes));
        self.command(label, Work::Dispatch { reads, writes, atomics: Vec::new(), cost: 1, indirect: false })
    }

    /// A dispatch that reaches what it uses through pointers, unseen by tracking.
    pub fn indirect<R: Into<Part>, W: Into<Part>>(
        &mut self,
        label: &str,
        reads: impl IntoIterator<Item = R>,
        writes: impl IntoIterator<Item = W>,
    ) -> &mut Self {
        let (reads, writes) = (parts(reads), parts(writes));
        self.command(label, Work::Dispatch { reads, writes, atomics: Vec::new(), cost: 1, indirect: true })
    }

    /// A draw whose fragment stage reads and writes.
    pub fn draw<R: Into<Part>, F: Into<Part>>(
        &mut self,
        label: &str,
        vertex_reads: impl IntoIterator<Item = R>,
        fragment_reads: impl IntoIterator<Item = F>,
    ) -> &mut Self {
        let work = Work::Draw {
            vertex_reads: parts(vertex_reads),
            vertex_writes: Vec::new(),
            fragment_reads: parts(fragment_reads),
            fragment_writes: Vec::new(),
        };
        self.command(label, work)
    }

    /// A synchronization primitive with a label.
    pub fn primitive(&mut self, label: Option<&str>, primitive: Primitive) -> &mut Self {
        self.items
            .push(PassItem::Synchronization(Synchronization { label: label.map(str::to_owned), primitive }));
        self
    }

    /// A barrier within the pass, with device visibility.
    pub fn barrier(&mut self, after: Stages, before: Stages) -> &mut Self {
        self.primitive(None, Primitive::Barrier { after, before, visibility: Visibility::DEVICE })
    }

    /// A consumer barrier with device visibility.
    pub fn consumer_barrier(&mut self, after_queue: Stages, before: Stages) -> &mut Self {
        self.primitive(
            None,
            Primitive::ConsumerBarrier { after_queue, before, visibility: Visibility::DEVICE },
        )
    }

    /// A producer barrier with device visibility.
    pub fn producer_barrier(&mut self, after: Stages, before_queue: Stages) -> &mut Self {
        self.primitive(
            None,
            Primitive::ProducerBarrier { after, before_queue, visibility: Visibility::DEVICE },
        )
    }

    /// A Metal 3 memory barrier for buffers.
    pub fn memory_barrier_buffers(&mut self) -> &mut Self {
        let scope = MemoryScope::Kinds { buffers: true, textures: false, render_targets: false };
        self.primitive(None, Primitive::MemoryBarrier { scope, after: None, before: None })
    }

    /// Updates a fence after these stages; the whole pass so far for `None`.
    pub fn update_fence(&mut self, fence: FenceIndex, after: impl Into<Option<Stages>>) -> &mut Self {
        self.primitive(None, Primitive::UpdateFence { fence, after: after.into() })
    }

    /// Waits for a fence before these stages; before every stage for `None`.
    pub fn wait_for_fence(&mut self, fence: FenceIndex, before: impl Into<Option<Stages>>) -> &mut Self {
        self.primitive(None, Primitive::WaitForFence { fence, before: before.into() })
    }

    /// Declares an indirect use for the rest of the pass.
    pub fn use_resource(&mut self, resource: ResourceIndex, read: bool, write: bool) -> &mut Self {
        self.items.push(PassItem::UseResource { resource, read, write });
        self
    }
}

/// What the CPU does, being written.
#[derive(Debug, Default)]
pub struct Steps {
    steps: Vec<Step>,
}

impl Steps {
    /// Any step.
    pub fn step(&mut self, step: Step) -> &mut Self {
        self.steps.push(step);
        self
    }

    /// Commits command buffers as one group.
    pub fn commit(&mut self, buffers: impl IntoIterator<Item = CommandBufferIndex>) -> &mut Self {
        self.step(Step::Commit(buffers.into_iter().collect()))
    }

    /// Reserves a command buffer's slot.
    pub fn enqueue(&mut self, buffer: CommandBufferIndex) -> &mut Self {
        self.step(Step::Enqueue(buffer))
    }

    /// Blocks until a command buffer has completed.
    pub fn wait_until_completed(&mut self, buffer: CommandBufferIndex) -> &mut Self {
        self.step(Step::WaitUntilCompleted(buffer))
    }

    /// Signals an event on an explicit queue.
    pub fn signal_event(
        &mut self,
        label: &str,
        queue: QueueIndex,
        event: EventIndex,
        value: u64,
    ) -> &mut Self {
        self.step(Step::QueueEvent {
            queue,
            operation: operation(label, event, value, EventOperationKind::Signal),
        })
    }

    /// Waits for an event on an explicit queue.
    pub fn wait_for_event(
        &mut self,
        label: &str,
        queue: QueueIndex,
        event: EventIndex,
        value: u64,
    ) -> &mut Self {
        self.step(Step::QueueEvent {
            queue,
            operation: operation(label, event, value, EventOperationKind::Wait),
        })
    }

    /// Raises a shared event from the CPU.
    pub fn set_signaled_value(&mut self, event: EventIndex, value: u64) -> &mut Self {
        self.step(Step::SetSignaledValue { event, value })
    }

    /// Blocks until a shared event has a value.
    pub fn wait_until_signaled(&mut self, event: EventIndex, value: u64) -> &mut Self {
        self.step(Step::WaitUntilSignaled { event, value, timeout_ms: None })
    }

    /// Does something once a shared event has a value.
    pub fn notify(&mut self, event: EventIndex, value: u64, write: impl FnOnce(&mut Self)) -> &mut Self {
        let mut body = Self::default();
        write(&mut body);
        self.step(Step::Notify { event, value, body: body.steps })
    }

    /// Does something beside the rest of the document.
    pub fn thread(&mut self, name: &str, write: impl FnOnce(&mut Self)) -> &mut Self {
        let mut body = Self::default();
        write(&mut body);
        self.step(Step::Thread { name: name.to_owned(), body: body.steps })
    }

    /// Stores through the mapping.
    pub fn write(&mut self, part: impl Into<Part>) -> &mut Self {
        self.step(Step::Write(part.into()))
    }

    /// Loads through the mapping.
    pub fn read(&mut self, part: impl Into<Part>) -> &mut Self {
        self.step(Step::Read(part.into()))
    }
}
