//! Command buffers, passes and all that stands in passes.

use fencepost_core::program::{
    Attachment, BufferItem, Command, CommandBuffer, EventOperation, EventOperationKind, FenceIndex,
    MemoryScope, Part, Pass, PassItem, PassKind, Primitive, Synchronization, Work,
};
use fencepost_core::{Stages, Visibility};

use super::super::words::{DISPATCH_TYPES, LOAD_ACTIONS, STAGES, STORE_ACTIONS, word};
use super::line::{Line, close};
use super::{PrintError, Printer, get};

impl Printer<'_> {
    pub(super) fn command_buffer(&mut self, buffer: &CommandBuffer) -> Result<(), PrintError> {
        let queue = get(&self.program.queues, "queue", buffer.queue.0)?;
        let mut line = Line::new(0, "command-buffer");
        line.argument(&buffer.label).property("queue", &queue.name).open(&mut self.text);
        buffer.items.iter().try_for_each(|item| self.buffer_item(item))?;
        close(0, &mut self.text);
        Ok(())
    }

    pub(super) fn buffer_item(&mut self, item: &BufferItem) -> Result<(), PrintError> {
        match item {
            BufferItem::Pass(pass) => self.pass(pass),
            BufferItem::Event(operation) => {
                let mut line = Line::new(1, operation_word(operation.kind));
                line.label(operation.label.as_deref());
                self.operation(&mut line, operation)?;
                line.end(&mut self.text);
                Ok(())
            }
        }
    }

    /// The event and the value of an operation.
    pub(super) fn operation(&self, line: &mut Line, operation: &EventOperation) -> Result<(), PrintError> {
        let event = get(&self.program.events, "event", operation.event.0)?;
        line.argument(&event.name).number("value", operation.value);
        Ok(())
    }

    fn pass(&mut self, pass: &Pass) -> Result<(), PrintError> {
        self.opening(pass)?;
        pass.items.iter().try_for_each(|item| self.pass_item(item))?;
        close(1, &mut self.text);
        Ok(())
    }

    /// The line that opens a pass, and its attachments.
    pub(super) fn opening(&mut self, pass: &Pass) -> Result<(), PrintError> {
        let name = match &pass.kind {
            PassKind::Compute { .. } => "compute",
            PassKind::Blit => "blit",
            PassKind::Render { .. } => "render",
        };
        let mut line = Line::new(1, name);
        line.argument(&pass.label);
        if let PassKind::Compute { dispatch_type: Some(dispatch_type) } = pass.kind {
            line.property("dispatch-type", word(DISPATCH_TYPES, dispatch_type));
        }
        line.open(&mut self.text);
        if let PassKind::Render { color, depth } = &pass.kind {
            color.iter().try_for_each(|attachment| self.attachment("color", attachment))?;
            depth.iter().try_for_each(|attachment| self.attachment("depth", attachment))?;
        }
        Ok(())
    }

    pub(super) fn pass_item(&mut self, item: &PassItem) -> Result<(), PrintError> {
        match item {
            PassItem::Command(command) => self.command(command),
            PassItem::Synchronization(synchronization) => self.synchronization(synchronization),
            PassItem::UseResource { resource, read, write } => {
                let mut line = Line::new(2, "use-resource");
                line.argument(self.resource_name(*resource)?);
                line.property("usage", &selected(&[("read", *read), ("write", *write)]));
                line.end(&mut self.text);
                Ok(())
            }
        }
    }

    pub(super) fn attachment(&mut self, name: &str, attachment: &Attachment) -> Result<(), PrintError> {
        let mut line = Line::new(2, name);
        line.argument(&self.access(&attachment.texture)?)
            .property("load", word(LOAD_ACTIONS, attachment.load))
            .property("store", word(STORE_ACTIONS, attachment.store))
            .end(&mut self.text);
        Ok(())
    }

    fn command(&mut self, command: &Command) -> Result<(), PrintError> {
        let mut line = Line::new(2, command_word(&command.work));
        line.argument(&command.label);
        match &command.work {
            Work::Copy { from, to } => {
                line.property("from", &self.access(from)?).property("to", &self.access(to)?);
            }
            Work::Fill { to, value } => {
                line.argument(&self.access(to)?).number("value", u64::from(*value));
            }
            Work::Synchronize { resource, extent } => {
                let part = Part { resource: *resource, extent: extent.clone() };
                line.argument(&self.access(&part)?);
            }
            Work::GenerateMipmaps { texture: resource } | Work::Optimize { texture: resource, .. } => {
                line.argument(self.resource_name(*resource)?);
            }
            Work::Dispatch { reads, writes, atomics, cost, .. } => {
                self.lists(&mut line, &[("reads", reads), ("writes", writes), ("atomics", atomics)])?;
                if *cost != 1 {
                    line.number("cost", u64::from(*cost));
                }
            }
            Work::Draw { vertex_reads, vertex_writes, fragment_reads, fragment_writes } => {
                let lists = [
                    ("vertex-reads", vertex_reads),
                    ("vertex-writes", vertex_writes),
                    ("fragment-reads", fragment_reads),
                    ("fragment-writes", fragment_writes),
                ];
                self.lists(&mut line, &lists)?;
            }
        }
        line.end(&mut self.text);
        Ok(())
    }

    fn lists(&self, line: &mut Line, lists: &[(&str, &Vec<Part>)]) -> Result<(), PrintError> {
        for (name, parts) in lists.iter().filter(|(_, parts)| !parts.is_empty()) {
            line.property(name, &self.accesses(parts)?);
        }
        Ok(())
    }

    fn synchronization(&mut self, synchronization: &Synchronization) -> Result<(), PrintError> {
        let label = synchronization.label.as_deref();
        let mut line = Line::new(2, primitive_word(&synchronization.primitive));
        line.label(label);
        match &synchronization.primitive {
            Primitive::Barrier { after, before, visibility } => {
                barrier(&mut line, ("after", *after), ("before", *before), *visibility)?;
            }
            Primitive::ConsumerBarrier { after_queue, before, visibility } => {
                barrier(&mut line, ("after-queue", *after_queue), ("before", *before), *visibility)?;
            }
            Primitive::ProducerBarrier { after, before_queue, visibility } => {
                barrier(&mut line, ("after", *after), ("before-queue", *before_queue), *visibility)?;
            }
            Primitive::MemoryBarrier { scope, after, before } => {
                self.memory_scope(&mut line, scope)?;
                optional_stages(&mut line, "after", *after)?;
                optional_stages(&mut line, "before", *before)?;
            }
            Primitive::UpdateFence { fence, after } => {
                line.argument(self.fence(*fence)?);
                optional_stages(&mut line, "after", *after)?;
            }
            Primitive::WaitForFence { fence, before } => {
                line.argument(self.fence(*fence)?);
                optional_stages(&mut line, "before", *before)?;
            }
        }
        line.end(&mut self.text);
        Ok(())
    }

    fn fence(&self, fence: FenceIndex) -> Result<&str, PrintError> {
        get(&self.program.fences, "fence", fence.0).map(String::as_str)
    }

    fn memory_scope(&self, line: &mut Line, scope: &MemoryScope) -> Result<(), PrintError> {
        match scope {
            MemoryScope::Kinds { buffers, textures, render_targets } => {
                let kinds =
                    [("buffers", *buffers), ("textures", *textures), ("render-targets", *render_targets)];
                line.property("scope", &selected(&kinds));
            }
            MemoryScope::Resources(resources) => {
                let names: Result<Vec<&str>, PrintError> =
                    resources.iter().map(|resource| self.resource_name(*resource)).collect();
                line.property("resources", &names?.join(" "));
            }
        }
        Ok(())
    }
}

pub(super) const fn operation_word(kind: EventOperationKind) -> &'static str {
    match kind {
        EventOperationKind::Signal => "signal-event",
        EventOperationKind::Wait => "wait-for-event",
    }
}

const fn command_word(work: &Work) -> &'static str {
    match work {
        Work::Copy { .. } => "copy",
        Work::Fill { .. } => "fill",
        Work::GenerateMipmaps { .. } => "generate-mipmaps",
        Work::Dispatch { indirect: false, .. } => "dispatch",
        Work::Dispatch { indirect: true, .. } => "indirect",
        Work::Draw { .. } => "draw",
        Work::Synchronize { .. } => "synchronize",
        Work::Optimize { for_gpu: true, .. } => "optimize-for-gpu",
        Work::Optimize { for_gpu: false, .. } => "optimize-for-cpu",
    }
}

const fn primitive_word(primitive: &Primitive) -> &'static str {
    match primitive {
        Primitive::Barrier { .. } | Primitive::ConsumerBarrier { .. } | Primitive::ProducerBarrier { .. } => {
            "barrier"
        }
        Primitive::MemoryBarrier { .. } => "memory-barrier",
        Primitive::UpdateFence { .. } => "update-fence",
        Primitive::WaitForFence { .. } => "wait-for-fence",
    }
}

/// The words that hold, with blanks between them.
fn selected(words: &[(&str, bool)]) -> String {
    let words: Vec<&str> = words.iter().filter(|(_, holds)| *holds).map(|(word, _)| *word).collect();
    words.join(" ")
}

fn barrier(
    line: &mut Line,
    after: (&str, Stages),
    before: (&str, Stages),
    visibility: Visibility,
) -> Result<(), PrintError> {
    for (name, stages) in [after, before] {
        line.property(name, &stage_words(stages)?);
    }
    if visibility.is_empty() {
        line.property("visibility", "none");
    } else if visibility != Visibility::DEVICE {
        let bits = [
            ("device", visibility.contains(Visibility::DEVICE)),
            ("resource-alias", visibility.contains(Visibility::RESOURCE_ALIAS)),
        ];
        line.property("visibility", &selected(&bits));
    }
    Ok(())
}

fn optional_stages(line: &mut Line, name: &str, stages: Option<Stages>) -> Result<(), PrintError> {
    if let Some(stages) = stages {
        line.property(name, &stage_words(stages)?);
    }
    Ok(())
}

fn stage_words(stages: Stages) -> Result<String, PrintError> {
    if stages == Stages::ALL {
        return Ok("all".to_owned());
    }
    if !Stages::EVERY.contains(stages) {
        return Err(PrintError::Stages { bits: stages.bits() });
    }
    let words: Vec<&str> = stages.iter_stages().map(|stage| word(STAGES, stage.mask())).collect();
    Ok(words.join(" "))
}
