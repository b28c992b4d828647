//! From a program to its text.
//!
//! There is one layout: declarations, command buffers, steps, expectations, with an empty line between them; two blanks
//! per level; properties in the order of their meaning, and those left out that say what holds without them. So the text of a
//! program changes only where the program does.

mod command_buffers;
mod line;
mod steps;

use fencepost_core::Extent;
use fencepost_core::program::{
    Attachment, BufferItem, DeviceKind, Part, Pass, PassItem, Placement, Program, QueueMode,
    ResourceDeclaration, ResourceIndex, Shape, Step, StorageMode, TrackingMode,
};

use super::words::{DEVICE_KINDS, FORMATS, QUEUE_MODES, STORAGE_MODES, TRACKING_MODES, word};
use line::Line;

/// A program has no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrintError {
    /// An index of the program leads nowhere.
    #[error("the program names {what} number {index}, and has none of that number")]
    NoSuch {
        /// What is named: a queue, a resource and so on.
        what: &'static str,
        /// Its number, from 0.
        index: u32,
    },
    /// A name that could not be told apart from an access expression.
    #[error("`{name}` cannot be written: names are not empty and have neither blanks nor colons")]
    Name {
        /// The name.
        name: String,
    },
    /// Bits that are no stage.
    #[error("the stages {bits:#x} have bits without a name")]
    Stages {
        /// All bits of the set.
        bits: u64,
    },
}

/// Writes a program. [`parse`](super::parse()) makes an equal program of the text, if it was a program that has one: a
/// program put together by hand may hold what no text means, a range outside its resource for example.
///
/// ```
/// use fencepost_format::{parse, print};
/// let parsed = parse("loose.kdl", "buffer A   size=0x40; write A // comments do not survive")?;
/// assert_eq!(print(&parsed.program)?, "buffer A size=64\n\nwrite A\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// An index that leads nowhere, a name that cannot be written, a stage without a name.
pub fn print(program: &Program) -> Result<String, PrintError> {
    let mut printer = Printer { program, text: String::new() };
    printer.declarations()?;
    for buffer in &program.command_buffers {
        printer.section();
        printer.command_buffer(buffer)?;
    }
    if !program.steps.is_empty() {
        printer.section();
        printer.steps(&program.steps, 0)?;
    }
    if !program.expectations.is_empty() {
        printer.section();
        printer.expectations()?;
    }
    Ok(printer.text)
}

/// A part of a program that has lines of its own.
#[derive(Clone, Copy)]
pub(super) enum Piece<'p> {
    PassItem(&'p PassItem),
    BufferItem(&'p BufferItem),
    Step(&'p Step),
    /// A line of a render pass: its word and what it says.
    Attachment(&'static str, &'p Attachment),
    /// The lines that open a pass.
    Opening(&'p Pass),
}

/// The lines of one part of a program, without the indentation of what it stands in.
pub(super) fn lines(program: &Program, piece: Piece<'_>) -> Result<Vec<String>, PrintError> {
    let mut printer = Printer { program, text: String::new() };
    let level = match piece {
        Piece::PassItem(item) => printer.pass_item(item).map(|()| 2)?,
        Piece::BufferItem(item) => printer.buffer_item(item).map(|()| 1)?,
        Piece::Step(step) => printer.steps(core::slice::from_ref(step), 0).map(|()| 0)?,
        Piece::Attachment(word, attachment) => printer.attachment(word, attachment).map(|()| 2)?,
        Piece::Opening(pass) => printer.opening(pass).map(|()| 1)?,
    };
    let indentation = "  ".repeat(level);
    let own = |line: &str| line.strip_prefix(&indentation).unwrap_or(line).to_owned();
    Ok(printer.text.lines().map(own).collect())
}

struct Printer<'p> {
    program: &'p Program,
    text: String,
}

impl Printer<'_> {
    /// An empty line before what comes, unless nothing came before.
    fn section(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    fn declarations(&mut self) -> Result<(), PrintError> {
        self.devices()?;
        for queue in &self.program.queues {
            let mut line = Line::new(0, "queue");
            line.name(&queue.name)?;
            if queue.mode != QueueMode::Explicit {
                line.property("mode", word(QUEUE_MODES, queue.mode));
            }
            self.device_property(&mut line, queue.device.0)?;
            line.end(&mut self.text);
        }
        for heap in &self.program.heaps {
            let mut line = Line::new(0, "heap");
            line.name(&heap.name)?;
            line.number("size", heap.size);
            if heap.tracked {
                line.property("tracking", "tracked");
            }
            if heap.storage != StorageMode::Private {
                line.property("storage", word(STORAGE_MODES, heap.storage));
            }
            line.end(&mut self.text);
        }
        for resource in &self.program.resources {
            self.resource(resource)?;
        }
        for fence in &self.program.fences {
            let mut line = Line::new(0, "fence");
            line.name(fence)?;
            line.end(&mut self.text);
        }
        for event in &self.program.events {
            let mut line = Line::new(0, if event.shared { "shared-event" } else { "event" });
            line.name(&event.name)?;
            line.end(&mut self.text);
        }
        Ok(())
    }

    fn devices(&mut self) -> Result<(), PrintError> {
        let program = self.program;
        let is_there_anyway = match program.devices.as_slice() {
            [only] => only.name == "gpu" && only.kind == DeviceKind::Any,
            _ => false,
        };
        if is_there_anyway && !(program.queues.is_empty() && program.resources.is_empty()) {
            return Ok(());
        }
        for device in &program.devices {
            let mut line = Line::new(0, "device");
            line.name(&device.name)?;
            if device.kind != DeviceKind::Any {
                line.property("kind", word(DEVICE_KINDS, device.kind));
            }
            line.end(&mut self.text);
        }
        Ok(())
    }

    fn device_property(&self, line: &mut Line, index: u32) -> Result<(), PrintError> {
        let device = get(&self.program.devices, "device", index)?;
        if index != 0 {
            line.property("device", &device.name);
        }
        Ok(())
    }

    fn resource(&mut self, resource: &ResourceDeclaration) -> Result<(), PrintError> {
        let is_texture = matches!(resource.shape, Shape::Texture { .. });
        let mut line = Line::new(0, if is_texture { "texture" } else { "buffer" });
        line.name(&resource.name)?;
        self.device_property(&mut line, resource.device.0)?;
        let mut storage = StorageMode::Private;
        let mut same_shape = None;
        match resource.placement {
            Placement::Own => {}
            Placement::Heap { heap, offset } => {
                let heap = get(&self.program.heaps, "heap", heap.0)?;
                line.property("heap", &heap.name);
                line.number("offset", offset);
                storage = heap.storage;
            }
            Placement::SameAs(other) => {
                let other_declaration = get(&self.program.resources, "resource", other.0)?;
                line.property("same-memory-as", &other_declaration.name);
                storage = other_declaration.storage;
                same_shape = Some((other, other_declaration.shape));
            }
        }
        self.shape(&mut line, resource.shape, same_shape);
        if resource.storage != storage {
            line.property("storage", word(STORAGE_MODES, resource.storage));
        }
        if resource.tracking != TrackingMode::Default {
            line.property("tracking", word(TRACKING_MODES, resource.tracking));
        }
        line.end(&mut self.text);
        Ok(())
    }

    /// What a resource is, as far as it is not what the resource is whose memory it shares.
    fn shape(&self, line: &mut Line, shape: Shape, same: Option<(ResourceIndex, Shape)>) {
        match shape {
            Shape::Buffer { size, init } => {
                if same.is_none_or(|(other, _)| self.program.byte_size(other) != size) {
                    line.number("size", size);
                }
                if let Some(init) = init {
                    line.number("init", u64::from(init));
                }
            }
            Shape::Texture { .. } if same.is_some_and(|(_, other)| other == shape) => {}
            Shape::Texture { width, height, mips, slices, format } => {
                line.number("width", u64::from(width));
                line.number("height", u64::from(height));
                if format != Default::default() {
                    line.property("format", word(FORMATS, format));
                }
                if mips != 1 {
                    line.number("mips", u64::from(mips));
                }
                if slices != 1 {
                    line.number("slices", u64::from(slices));
                }
            }
        }
    }

    fn resource_name(&self, resource: ResourceIndex) -> Result<&str, PrintError> {
        get(&self.program.resources, "resource", resource.0).map(|resource| resource.name.as_str())
    }

    /// An access expression.
    fn access(&self, part: &Part) -> Result<String, PrintError> {
        let declaration = get(&self.program.resources, "resource", part.resource.0)?;
        let name = &declaration.name;
        Ok(match &part.extent {
            Extent::Whole => name.clone(),
            Extent::Bytes(bytes) => format!("{name}:{}..{}", bytes.start, bytes.end),
            Extent::Subresources { mips, slices } => {
                let there = match declaration.shape {
                    Shape::Texture { mips, slices, .. } => [0..mips, 0..slices],
                    Shape::Buffer { .. } => [0..0, 0..0],
                };
                let range =
                    |word: &str, range: &core::ops::Range<u32>| match range.end.checked_sub(range.start) {
                        Some(1) => format!("{word}{}", range.start),
                        _ => format!("{word}{}..{}", range.start, range.end),
                    };
                match (*mips == there[0], *slices == there[1]) {
                    (_, true) => format!("{name}:{}", range("mip", mips)),
                    (true, false) => format!("{name}:{}", range("slice", slices)),
                    (false, false) => format!("{name}:{},{}", range("mip", mips), range("slice", slices)),
                }
            }
        })
    }

    /// Access expressions with blanks between them.
    fn accesses(&self, parts: &[Part]) -> Result<String, PrintError> {
        let all: Result<Vec<String>, PrintError> = parts.iter().map(|part| self.access(part)).collect();
        Ok(all?.join(" "))
    }
}

/// What an index names.
fn get<'a, T>(list: &'a [T], what: &'static str, index: u32) -> Result<&'a T, PrintError> {
    list.get(index as usize).ok_or(PrintError::NoSuch { what, index })
}
