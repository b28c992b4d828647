//! Commands: what does the work of a pass.

use fencepost_core::program::{Command, Part, Work};

use super::super::document::Node;
use super::super::error::{Fault, FaultKind};
use super::Parser;
use super::command_buffers::Labels;
use super::fields::{Fields, integer};

/// What a compute pass has besides synchronization.
pub(super) const COMPUTE: &[&str] =
    &["copy", "fill", "generate-mipmaps", "dispatch", "indirect", "optimize-for-gpu", "optimize-for-cpu"];

/// What a blit pass has besides synchronization.
pub(super) const BLIT: &[&str] =
    &["copy", "fill", "generate-mipmaps", "synchronize", "optimize-for-gpu", "optimize-for-cpu"];

/// What a render pass has besides synchronization.
pub(super) const RENDER: &[&str] = &["color", "depth", "draw"];

impl<'n> Parser<'n> {
    /// A command. Its name is one of those above.
    pub(super) fn command(
        &mut self,
        node: &'n Node<'_>,
        pass: &str,
        labels: &mut Labels<'n>,
    ) -> Option<Command> {
        let mut fields = Fields::of(node);
        let form = form(&node.name.value);
        let label = fields.argument(&mut self.faults, "a label", form);
        let label = label.and_then(|entry| self.label(entry, labels, format!("the pass `{pass}`")));
        let work = match &*node.name.value {
            "copy" => self.copy(&mut fields, form),
            "fill" => self.fill(&mut fields, form),
            "draw" => self.draw(&mut fields),
            "dispatch" => self.dispatch(&mut fields, false),
            "indirect" => self.dispatch(&mut fields, true),
            "synchronize" => {
                let part = fields.argument(&mut self.faults, "a resource", form);
                part.and_then(|entry| self.whole_or_images(entry))
                    .map(|Part { resource, extent }| Work::Synchronize { resource, extent })
            }
            other => {
                let texture = fields.argument(&mut self.faults, "a texture", form);
                let texture = texture.and_then(|entry| self.whole_texture(entry));
                texture.map(|texture| match other {
                    "generate-mipmaps" => Work::GenerateMipmaps { texture },
                    _ => Work::Optimize { texture, for_gpu: other == "optimize-for-gpu" },
                })
            }
        };
        fields.finish(&mut self.faults);
        Some(Command { label: label?.to_owned(), work: work? })
    }

    fn copy(&mut self, fields: &mut Fields<'n, '_>, form: &str) -> Option<Work> {
        let [from, to] = ["from", "to"].map(|name| {
            let entry = fields.required(&mut self.faults, name, form);
            entry.and_then(|entry| self.access(entry))
        });
        let (from, to) = (from?, to?);
        let [read, written] = [&from, &to].map(|part| self.size(part));
        if read != written {
            let kind = FaultKind::UnequalSizes { from: read, to: written };
            let fault = Fault::new(kind, fields.node.span, "the sizes differ");
            self.faults.add(fault.help("name equal ranges on both sides, `from=A:0..64 to=B:0..64`"));
        }
        Some(Work::Copy { from, to })
    }

    fn size(&self, part: &Part) -> u64 {
        self.program.byte_ranges(part).iter().map(|range| range.end - range.start).sum()
    }

    fn fill(&mut self, fields: &mut Fields<'n, '_>, form: &str) -> Option<Work> {
        let to = fields.argument(&mut self.faults, "what to fill", form);
        let to = to.and_then(|entry| self.access(entry));
        let value = fields.required(&mut self.faults, "value", form);
        let value = value.and_then(|entry| integer(&mut self.faults, entry, 0..=u64::from(u8::MAX)));
        Some(Work::Fill { to: to?, value: value? as u8 })
    }

    fn dispatch(&mut self, fields: &mut Fields<'n, '_>, indirect: bool) -> Option<Work> {
        let [reads, writes, atomics] = ["reads", "writes", "atomics"].map(|name| self.accesses(fields, name));
        let cost = match fields.property("cost") {
            Some(entry) => integer(&mut self.faults, entry, 1..=u64::from(u32::MAX)),
            None => Some(1),
        };
        Some(Work::Dispatch {
            reads: reads?,
            writes: writes?,
            atomics: atomics?,
            cost: cost? as u32,
            indirect,
        })
    }

    fn draw(&mut self, fields: &mut Fields<'n, '_>) -> Option<Work> {
        let [vertex_reads, vertex_writes, fragment_reads, fragment_writes] =
            ["vertex-reads", "vertex-writes", "fragment-reads", "fragment-writes"]
                .map(|name| self.accesses(fields, name));
        Some(Work::Draw {
            vertex_reads: vertex_reads?,
            vertex_writes: vertex_writes?,
            fragment_reads: fragment_reads?,
            fragment_writes: fragment_writes?,
        })
    }
}

/// How a command is written.
fn form(command: &str) -> &'static str {
    match command {
        "copy" => "copy c from=A to=B",
        "fill" => "fill f A value=7",
        "generate-mipmaps" => "generate-mipmaps g T",
        "dispatch" => "dispatch k reads=\"A B\" writes=C",
        "indirect" => "indirect k reads=\"A B\" writes=C",
        "optimize-for-gpu" => "optimize-for-gpu o T",
        "optimize-for-cpu" => "optimize-for-cpu o T",
        "synchronize" => "synchronize s M",
        _ => "draw d vertex-reads=A fragment-reads=U",
    }
}
