//! Devices, queues, heaps, resources, fences and events.

use core::ops::RangeInclusive;

use fencepost_core::program::{
    DeviceDeclaration, DeviceIndex, DeviceKind, EventDeclaration, Format, HeapDeclaration, HeapIndex,
    Placement, QueueDeclaration, QueueMode, ResourceDeclaration, ResourceIndex, Shape, StorageMode,
    TrackingMode,
};

use super::super::document::{Entry, Node};
use super::super::error::{Fault, FaultKind};
use super::super::words::{
    BUFFER_STORAGE_MODES, DEVICE_KINDS, FORMATS, HEAP_STORAGE_MODES, HEAP_TRACKING, QUEUE_MODES,
    STORAGE_MODES, TRACKING_MODES, Words,
};
use super::Parser;
use super::fields::{Fields, integer, text, word};
use super::names::{Kind, Named};

/// Bytes that a buffer or a heap may have: more than any device has, and little enough to add up without overflow.
const SIZES: RangeInclusive<u64> = 1..=1 << 40;
/// The largest side of a texture that Metal allows on any device.
const SIDES: RangeInclusive<u64> = 1..=16384;
/// The most slices that Metal allows.
const SLICES: RangeInclusive<u64> = 1..=2048;

/// What a declaration of a resource says besides its shape.
struct Options {
    device: Option<DeviceIndex>,
    storage: Option<StorageMode>,
    tracking: Option<TrackingMode>,
    placement: Option<Placement>,
}

impl<'n> Parser<'n> {
    /// Takes the name of a declaration. `None` where there is none to speak of.
    fn name(&mut self, fields: &mut Fields<'n, '_>, kind: Kind, form: &str) -> Option<&'n str> {
        let entry = fields.argument(&mut self.faults, "a name", form)?;
        let name = text(&mut self.faults, entry)?;
        if name.is_empty() || name.contains(|character: char| character == ':' || character.is_whitespace()) {
            let fault = FaultKind::BadName { name: name.to_owned() };
            let fault = Fault::new(fault, entry.value_span, "not a name");
            self.faults.add(fault.help("leave blanks and colons out of names"));
        }
        if let Some(former) = self.names.get(kind, name) {
            let what = fields.node.name.value.as_ref();
            let what = KINDS.iter().find(|kind| **kind == what).copied().unwrap_or_else(|| kind.noun());
            let duplicate = FaultKind::DuplicateName { what, name: name.to_owned() };
            let mut fault = Fault::new(duplicate, entry.value_span, "declared again");
            if let Some(span) = former.span {
                fault = fault.other(span, "declared here first");
            }
            self.faults.add(fault.help("give one of them another name"));
        }
        Some(name)
    }

    /// Enters a name, with faults in its declaration if any were found since `faults`.
    fn declare(&mut self, kind: Kind, name: Option<&'n str>, node: &Node<'_>, index: usize, faults: usize) {
        let Some(name) = name else { return };
        let broken = self.faults.list.len() > faults;
        let span = node.entries.first().map(|entry| entry.value_span);
        if self.names.get(kind, name).is_none() {
            self.names.insert(kind, name, Named { index: index as u32, span, broken });
        }
    }

    pub(super) fn device(&mut self, node: &'n Node<'_>) {
        let faults = self.faults.list.len();
        let mut fields = Fields::of(node);
        let name = self.name(&mut fields, Kind::Device, "device gpu");
        let kind = fields.property("kind");
        let kind = kind.and_then(|entry| word(&mut self.faults, entry, DEVICE_KINDS, "kind of device"));
        fields.finish(&mut self.faults);
        self.declare(Kind::Device, name, node, self.program.devices.len(), faults);
        let declaration = DeviceDeclaration {
            name: name.unwrap_or_default().to_owned(),
            kind: kind.unwrap_or(DeviceKind::Any),
        };
        self.program.devices.push(declaration);
        self.places.devices.push(Some(node.span));
    }

    fn device_property(&mut self, fields: &mut Fields<'n, '_>) -> Option<DeviceIndex> {
        let entry = fields.property("device")?;
        let name = text(&mut self.faults, entry)?;
        let named = self.names.resolve(&mut self.faults, Kind::Device, name, entry.value_span)?;
        Some(DeviceIndex(named.index))
    }

    pub(super) fn queue(&mut self, node: &'n Node<'_>) {
        let faults = self.faults.list.len();
        let mut fields = Fields::of(node);
        let name = self.name(&mut fields, Kind::Queue, "queue q");
        let mode = fields.property("mode");
        let mode = mode.and_then(|entry| word(&mut self.faults, entry, QUEUE_MODES, "mode of a queue"));
        let device = self.device_property(&mut fields);
        fields.finish(&mut self.faults);
        self.declare(Kind::Queue, name, node, self.program.queues.len(), faults);
        let name = name.unwrap_or_default().to_owned();
        let mode = mode.unwrap_or(QueueMode::Explicit);
        let device = device.unwrap_or(DeviceIndex(0));
        self.program.queues.push(QueueDeclaration { name, mode, device });
        self.places.queues.push(node.span);
    }

    pub(super) fn heap(&mut self, node: &'n Node<'_>) {
        let faults = self.faults.list.len();
        let mut fields = Fields::of(node);
        let name = self.name(&mut fields, Kind::Heap, "heap H size=65536");
        let size = fields.required(&mut self.faults, "size", "heap H size=65536");
        let size = size.and_then(|entry| integer(&mut self.faults, entry, SIZES));
        let tracking = fields.property("tracking");
        let tracked = tracking
            .and_then(|entry| word(&mut self.faults, entry, HEAP_TRACKING, "tracking mode of a heap"));
        let storage = fields.property("storage");
        let storage = storage
            .and_then(|entry| word(&mut self.faults, entry, HEAP_STORAGE_MODES, "storage mode of a heap"));
        fields.finish(&mut self.faults);
        self.declare(Kind::Heap, name, node, self.program.heaps.len(), faults);
        self.program.heaps.push(HeapDeclaration {
            name: name.unwrap_or_default().to_owned(),
            size: size.unwrap_or_default(),
            tracked: tracked.unwrap_or(false),
            storage: storage.unwrap_or_default(),
        });
        self.places.heaps.push(node.span);
    }

    pub(super) fn buffer(&mut self, node: &'n Node<'_>) {
        let faults = self.faults.list.len();
        let mut fields = Fields::of(node);
        let name = self.name(&mut fields, Kind::Resource, "buffer A size=4096");
        let options = self.options(&mut fields, BUFFER_STORAGE_MODES);
        let same = self.same_as(options.placement);
        let size = match same {
            Some(_) => fields.property("size"),
            None if options.placement.is_none() && fields.property("same-memory-as").is_some() => {
                fields.property("size")
            }
            None => fields.required(&mut self.faults, "size", "buffer A size=4096"),
        };
        let size = size.and_then(|entry| integer(&mut self.faults, entry, SIZES));
        let init = fields.property("init");
        let init = init.and_then(|entry| integer(&mut self.faults, entry, 0..=u64::from(u32::MAX)));
        fields.finish(&mut self.faults);
        let inherited = same.map(|resource| self.program.byte_size(resource));
        let size = size.or(inherited).unwrap_or_default();
        let shape = Shape::Buffer { size, init: init.map(|init| init as u32) };
        self.resource(node, name, shape, &options, faults);
    }

    pub(super) fn texture(&mut self, node: &'n Node<'_>) {
        let faults = self.faults.list.len();
        let mut fields = Fields::of(node);
        let name = self.name(&mut fields, Kind::Resource, "texture T width=64 height=64");
        let options = self.options(&mut fields, STORAGE_MODES);
        let shape = self.texture_shape(&mut fields, &options);
        fields.finish(&mut self.faults);
        self.resource(node, name, shape, &options, faults);
    }

    fn texture_shape(&mut self, fields: &mut Fields<'n, '_>, options: &Options) -> Shape {
        const FORM: &str = "texture T width=64 height=64";
        let same = self.same_as(options.placement).map(|resource| self.program.resource(resource).shape);
        let given = ["width", "height", "format", "mips", "slices"].map(|name| fields.property(name));
        if let Some(shape @ Shape::Texture { .. }) = same
            && given.iter().all(Option::is_none)
        {
            return shape;
        }
        let [_, _, format, mips, slices] = given;
        let mut side = |name| {
            let entry = fields.required(&mut self.faults, name, FORM);
            entry.and_then(|entry| integer(&mut self.faults, entry, SIDES)).unwrap_or(1) as u32
        };
        let (width, height) = (side("width"), side("height"));
        let levels = 1..=u64::from(width.max(height).ilog2()) + 1;
        let mut count = |entry: Option<&Entry<'_>>, bounds| {
            entry.and_then(|entry| integer(&mut self.faults, entry, bounds)).unwrap_or(1) as u32
        };
        let (mips, slices) = (count(mips, levels), count(slices, SLICES));
        let format = format.and_then(|entry| word(&mut self.faults, entry, FORMATS, "texel format"));
        Shape::Texture { width, height, mips, slices, format: format.unwrap_or(Format::Rgba8Unorm) }
    }

    fn options(&mut self, fields: &mut Fields<'n, '_>, storage_modes: Words<StorageMode>) -> Options {
        let storage = fields.property("storage");
        let tracking = fields.property("tracking");
        Options {
            device: self.device_property(fields),
            storage: storage.and_then(|entry| word(&mut self.faults, entry, storage_modes, "storage mode")),
            tracking: tracking
                .and_then(|entry| word(&mut self.faults, entry, TRACKING_MODES, "tracking mode")),
            placement: self.placement(fields),
        }
    }

    /// Where a resource lies. `None` where that cannot be told for faults.
    fn placement(&mut self, fields: &mut Fields<'n, '_>) -> Option<Placement> {
        let heap = fields.property("heap");
        let offset = fields.property("offset");
        let same = fields.property("same-memory-as");
        if let (Some(_), Some(same)) = (heap.or(offset), same) {
            let kind = FaultKind::Conflict { property: "heap", other: "same-memory-as" };
            let fault = Fault::new(kind, same.span, "a second place for the same bytes");
            self.faults.add(fault.help("keep one of them"));
            return None;
        }
        if let Some(same) = same {
            let name = text(&mut self.faults, same)?;
            let named = self.names.resolve(&mut self.faults, Kind::Resource, name, same.value_span)?;
            return (!named.broken).then_some(Placement::SameAs(ResourceIndex(named.index)));
        }
        let offset_value = match offset {
            Some(entry) => integer(&mut self.faults, entry, 0..=*SIZES.end()),
            None => Some(0),
        };
        let Some(heap) = heap else {
            if let Some(offset) = offset {
                let what = "the property `heap`".to_owned();
                let kind = FaultKind::Missing { node: fields.node.name.value.to_string(), what };
                let fault = Fault::new(kind, offset.span, "an offset into what?");
                self.faults.add(fault.help("write `heap=H offset=0`, or take the offset out"));
                return None;
            }
            return Some(Placement::Own);
        };
        let name = text(&mut self.faults, heap)?;
        let named = self.names.resolve(&mut self.faults, Kind::Heap, name, heap.value_span)?;
        let offset = offset_value?;
        (!named.broken).then_some(Placement::Heap { heap: HeapIndex(named.index), offset })
    }

    fn same_as(&self, placement: Option<Placement>) -> Option<ResourceIndex> {
        match placement {
            Some(Placement::SameAs(resource)) => Some(resource),
            _ => None,
        }
    }

    fn resource(
        &mut self,
        node: &'n Node<'_>,
        name: Option<&'n str>,
        shape: Shape,
        options: &Options,
        faults: usize,
    ) {
        let index = self.program.resources.len();
        let placement = options.placement.unwrap_or_default();
        let declaration = ResourceDeclaration {
            name: name.unwrap_or_default().to_owned(),
            device: options.device.unwrap_or(DeviceIndex(0)),
            shape,
            storage: options.storage.unwrap_or_else(|| self.inherited_storage(placement)),
            tracking: options.tracking.unwrap_or_default(),
            placement,
        };
        self.program.resources.push(declaration);
        self.places.resources.push(node.span);
        if self.faults.list.len() == faults {
            self.check_place(node, ResourceIndex(index as u32));
        }
        self.declare(Kind::Resource, name, node, index, faults);
    }

    /// Memory has one storage mode, whoever looks at it.
    fn inherited_storage(&self, placement: Placement) -> StorageMode {
        match placement {
            Placement::Own => StorageMode::default(),
            Placement::Heap { heap, .. } => self.program.heaps[heap.index()].storage,
            Placement::SameAs(other) => self.program.resource(other).storage,
        }
    }

    fn check_place(&mut self, node: &Node<'_>, resource: ResourceIndex) {
        let size = self.program.byte_size(resource);
        let (offset, room, what) = match self.program.resource(resource).placement {
            Placement::Own => return,
            Placement::Heap { heap, offset } => {
                let heap = &self.program.heaps[heap.index()];
                (offset, heap.size, format!("the heap `{}`", heap.name))
            }
            Placement::SameAs(other) => {
                let name = &self.program.resource(other).name;
                (0, self.program.byte_size(other), format!("the memory of `{name}`"))
            }
        };
        if offset + size > room {
            let text = self.program.resource(resource).name.clone();
            let label = format!("bytes {offset}..{} of {room}", offset + size);
            let fault = Fault::new(FaultKind::OutsideResource { text, what }, node.span, label);
            self.faults.add(fault.help("make it smaller, or what it lies in larger"));
        }
    }

    pub(super) fn fence(&mut self, node: &'n Node<'_>) {
        let faults = self.faults.list.len();
        let mut fields = Fields::of(node);
        let name = self.name(&mut fields, Kind::Fence, "fence F");
        fields.finish(&mut self.faults);
        self.declare(Kind::Fence, name, node, self.program.fences.len(), faults);
        self.program.fences.push(name.unwrap_or_default().to_owned());
        self.places.fences.push(node.span);
    }

    pub(super) fn event(&mut self, node: &'n Node<'_>) {
        let faults = self.faults.list.len();
        let shared = node.name.value == "shared-event";
        let mut fields = Fields::of(node);
        let name = self.name(&mut fields, Kind::Event, if shared { "shared-event X" } else { "event E" });
        fields.finish(&mut self.faults);
        self.declare(Kind::Event, name, node, self.program.events.len(), faults);
        self.program.events.push(EventDeclaration { name: name.unwrap_or_default().to_owned(), shared });
        self.places.events.push(node.span);
    }
}

/// Nodes whose word is also the noun for what they declare.
const KINDS: &[&str] = &["device", "queue", "heap", "buffer", "texture", "fence", "event"];
