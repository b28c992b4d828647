//! Where in a text the parts of its program stand.

use fencepost_core::program::{
    CommandBufferIndex, DeviceIndex, EventIndex, FenceIndex, HeapIndex, Locus, QueueIndex, ResourceIndex,
};
use miette::SourceSpan;

/// The places of a program's parts, in bytes of its text. What the text does not have has no place.
///
/// ```
/// use fencepost_core::program::ResourceIndex;
///
/// let text = "buffer A size=64\nwrite A";
/// let parsed = fencepost_format::parse("two.kdl", text)?;
/// let span = parsed.source_map.resource(ResourceIndex(0)).unwrap();
/// assert_eq!(&text[span.offset()..span.offset() + span.len()], "buffer A size=64");
/// let span = parsed.source_map.step(0).unwrap();
/// assert_eq!(&text[span.offset()..], "write A");
/// # Ok::<(), fencepost_format::ParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceMap {
    pub(super) devices: Vec<Option<SourceSpan>>,
    pub(super) queues: Vec<SourceSpan>,
    pub(super) heaps: Vec<SourceSpan>,
    pub(super) resources: Vec<SourceSpan>,
    pub(super) fences: Vec<SourceSpan>,
    pub(super) events: Vec<SourceSpan>,
    pub(super) command_buffers: Vec<CommandBufferPlaces>,
    pub(super) steps: Vec<SourceSpan>,
    pub(super) expectations: Vec<SourceSpan>,
}

/// The places of a command buffer and of what stands in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CommandBufferPlaces {
    pub(super) span: SourceSpan,
    pub(super) items: Vec<ItemPlaces>,
}

/// The places of a pass and of what stands in it, or of an event operation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ItemPlaces {
    pub(super) span: SourceSpan,
    pub(super) items: Vec<SourceSpan>,
}

impl SourceMap {
    /// A device's declaration. The device that is there without one has no place.
    pub fn device(&self, device: DeviceIndex) -> Option<SourceSpan> {
        self.devices.get(device.index()).copied().flatten()
    }

    /// A queue's declaration.
    pub fn queue(&self, queue: QueueIndex) -> Option<SourceSpan> {
        self.queues.get(queue.index()).copied()
    }

    /// A heap's declaration.
    pub fn heap(&self, heap: HeapIndex) -> Option<SourceSpan> {
        self.heaps.get(heap.index()).copied()
    }

    /// A buffer's or a texture's declaration.
    pub fn resource(&self, resource: ResourceIndex) -> Option<SourceSpan> {
        self.resources.get(resource.index()).copied()
    }

    /// A fence's declaration.
    pub fn fence(&self, fence: FenceIndex) -> Option<SourceSpan> {
        self.fences.get(fence.index()).copied()
    }

    /// An event's declaration.
    pub fn event(&self, event: EventIndex) -> Option<SourceSpan> {
        self.events.get(event.index()).copied()
    }

    /// The line that opens a command buffer.
    pub fn command_buffer(&self, buffer: CommandBufferIndex) -> Option<SourceSpan> {
        self.command_buffers.get(buffer.index()).map(|places| places.span)
    }

    /// An item of a command buffer: the line that opens a pass, or an event operation.
    pub fn item(&self, buffer: CommandBufferIndex, item: u32) -> Option<SourceSpan> {
        self.items(buffer)?.get(item as usize).map(|places| places.span)
    }

    /// An item of a pass: a command, a synchronization, a declared use. Attachments do not count.
    pub fn pass_item(&self, buffer: CommandBufferIndex, pass: u32, item: u32) -> Option<SourceSpan> {
        self.items(buffer)?.get(pass as usize)?.items.get(item as usize).copied()
    }

    fn items(&self, buffer: CommandBufferIndex) -> Option<&[ItemPlaces]> {
        self.command_buffers.get(buffer.index()).map(|places| places.items.as_slice())
    }

    /// A step of the CPU, by its number in document order; a thread's or a notification's steps follow it at once.
    pub fn step(&self, number: u32) -> Option<SourceSpan> {
        self.steps.get(number as usize).copied()
    }

    /// Whatever a finding points at.
    pub fn locus(&self, locus: Locus) -> Option<SourceSpan> {
        match locus {
            Locus::PassItem { buffer, pass, item } => self.pass_item(buffer, pass, item),
            Locus::Event { buffer, item } | Locus::Pass { buffer, pass: item } => self.item(buffer, item),
            Locus::Step(number) => self.step(number),
        }
    }

    /// A line of an `expect` block, by its number among all of them.
    pub fn expectation(&self, number: usize) -> Option<SourceSpan> {
        self.expectations.get(number).copied()
    }
}
