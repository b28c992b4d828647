//! What orders the commands of passes: barriers, fences, declared uses.

use fencepost_core::program::{FenceIndex, MemoryScope, PassItem, Primitive, Synchronization};
use fencepost_core::{Stages, Visibility};

use super::super::document::{Entry, Node};
use super::super::error::{Fault, FaultKind};
use super::super::words::{MEMORY_SCOPES, STAGES, USAGES, VISIBILITIES};
use super::Parser;
use super::command_buffers::Labels;
use super::fields::{Fields, items, text, words};
use super::names::Kind;

/// What every pass may have.
pub(super) const SYNCHRONIZATION: &[&str] =
    &["barrier", "memory-barrier", "update-fence", "wait-for-fence", "use-resource"];

impl<'n> Parser<'n> {
    /// A synchronization primitive or a declared use. Its name is one of those above.
    pub(super) fn synchronization(
        &mut self,
        node: &'n Node<'_>,
        pass: &str,
        labels: &mut Labels<'n>,
    ) -> Option<PassItem> {
        let mut fields = Fields::of(node);
        let name = &*node.name.value;
        if name == "use-resource" {
            let used = self.use_resource(&mut fields);
            fields.finish(&mut self.faults);
            return used;
        }
        let operands = usize::from(matches!(name, "update-fence" | "wait-for-fence"));
        let label = if fields.arguments_left() > operands { fields.next_argument() } else { None };
        let label = label.map(|entry| self.label(entry, labels, format!("the pass `{pass}`")));
        let primitive = match name {
            "barrier" => self.barrier(&mut fields),
            "memory-barrier" => self.memory_barrier(&mut fields),
            "update-fence" => {
                let fence = self.fence_name(&mut fields, "update-fence F after=dispatch");
                let after = self.optional_stages(&mut fields, "after");
                fence.zip(after).map(|(fence, after)| Primitive::UpdateFence { fence, after })
            }
            _ => {
                let fence = self.fence_name(&mut fields, "wait-for-fence F before=blit");
                let before = self.optional_stages(&mut fields, "before");
                fence.zip(before).map(|(fence, before)| Primitive::WaitForFence { fence, before })
            }
        };
        fields.finish(&mut self.faults);
        let label = match label {
            Some(label) => Some(label?.to_owned()),
            None => None,
        };
        Some(PassItem::Synchronization(Synchronization { label, primitive: primitive? }))
    }

    fn use_resource(&mut self, fields: &mut Fields<'n, '_>) -> Option<PassItem> {
        const FORM: &str = "use-resource A usage=\"read write\"";
        let resource = fields.argument(&mut self.faults, "a resource", FORM);
        let resource = resource.and_then(|entry| self.whole_resource(entry));
        let usage = fields.required(&mut self.faults, "usage", FORM);
        let usage: Option<Vec<u8>> =
            usage.and_then(|entry| words(&mut self.faults, entry, USAGES, "usage of a resource"));
        let usage = usage?.into_iter().fold(0, |all, bit| all | bit);
        Some(PassItem::UseResource { resource: resource?, read: usage & 1 != 0, write: usage & 2 != 0 })
    }

    fn fence_name(&mut self, fields: &mut Fields<'n, '_>, form: &str) -> Option<FenceIndex> {
        let entry = fields.argument(&mut self.faults, "a fence", form)?;
        let name = text(&mut self.faults, entry)?;
        let named = self.names.resolve(&mut self.faults, Kind::Fence, name, entry.value_span)?;
        Some(FenceIndex(named.index))
    }

    fn stages(&mut self, entry: &Entry<'_>) -> Option<Stages> {
        words(&mut self.faults, entry, STAGES, "stage")
    }

    /// Stages that may be left out. Absent without the property, absent as a whole where it is faulty.
    fn optional_stages(&mut self, fields: &mut Fields<'n, '_>, name: &'static str) -> Option<Option<Stages>> {
        match fields.property(name) {
            Some(entry) => self.stages(entry).map(Some),
            None => Some(None),
        }
    }

    fn barrier(&mut self, fields: &mut Fields<'n, '_>) -> Option<Primitive> {
        const FORM: &str = "barrier after=blit before=dispatch";
        let after_queue = fields.property("after-queue");
        let before_queue = fields.property("before-queue");
        if let (Some(_), Some(before)) = (after_queue, before_queue) {
            let kind = FaultKind::Conflict { property: "after-queue", other: "before-queue" };
            let fault = Fault::new(kind, before.span, "the second side that reaches over the queue");
            self.faults.add(
                fault.help("a consumer barrier has `after-queue` and `before`, a producer barrier `after` and `before-queue`"),
            );
        }
        let after = self.side(fields, after_queue, "after", FORM);
        let before = self.side(fields, before_queue, "before", FORM);
        let visibility = self.visibility(fields);
        let (after, before, visibility) = (after?, before?, visibility?);
        Some(match (after_queue, before_queue) {
            (Some(_), _) => Primitive::ConsumerBarrier { after_queue: after, before, visibility },
            (None, Some(_)) => Primitive::ProducerBarrier { after, before_queue: before, visibility },
            (None, None) => Primitive::Barrier { after, before, visibility },
        })
    }

    /// One side of a barrier: in the form that reaches over the queue, or in the one that stays in the pass.
    fn side(
        &mut self,
        fields: &mut Fields<'n, '_>,
        over_queue: Option<&'n Entry<'_>>,
        name: &'static str,
        form: &str,
    ) -> Option<Stages> {
        let Some(over_queue) = over_queue else {
            let entry = fields.required(&mut self.faults, name, form)?;
            return self.stages(entry);
        };
        if let Some(within) = fields.property(name) {
            let (property, other) = match name {
                "after" => ("after", "after-queue"),
                _ => ("before", "before-queue"),
            };
            let fault =
                Fault::new(FaultKind::Conflict { property, other }, within.span, "the same side again");
            self.faults.add(fault.other(over_queue.span, "given here").help("keep one of them"));
        }
        self.stages(over_queue)
    }

    fn visibility(&mut self, fields: &mut Fields<'n, '_>) -> Option<Visibility> {
        let Some(entry) = fields.property("visibility") else { return Some(Visibility::DEVICE) };
        let bits: Vec<u32> = words(&mut self.faults, entry, VISIBILITIES, "visibility")?;
        Some(Visibility::from_bits_truncate(bits.into_iter().fold(0, |all, bit| all | bit)))
    }

    fn memory_barrier(&mut self, fields: &mut Fields<'n, '_>) -> Option<Primitive> {
        let resources = fields.property("resources");
        let scope = match (fields.property("scope"), resources) {
            (Some(scope), Some(_)) => {
                let kind = FaultKind::Conflict { property: "scope", other: "resources" };
                let fault = Fault::new(kind, scope.span, "a second selection");
                self.faults.add(fault.help("keep one of them"));
                None
            }
            (None, Some(resources)) => self.resource_list(resources).map(MemoryScope::Resources),
            _ => {
                let scope = fields.required(&mut self.faults, "scope", "memory-barrier scope=buffers");
                scope.and_then(|entry| self.memory_kinds(entry))
            }
        };
        let after = self.optional_stages(fields, "after");
        let before = self.optional_stages(fields, "before");
        Some(Primitive::MemoryBarrier { scope: scope?, after: after?, before: before? })
    }

    fn memory_kinds(&mut self, entry: &Entry<'_>) -> Option<MemoryScope> {
        let bits: Vec<u8> = words(&mut self.faults, entry, MEMORY_SCOPES, "kind of resource")?;
        let bits = bits.into_iter().fold(0, |all, bit| all | bit);
        Some(MemoryScope::Kinds {
            buffers: bits & 1 != 0,
            textures: bits & 2 != 0,
            render_targets: bits & 4 != 0,
        })
    }

    fn resource_list(&mut self, entry: &Entry<'_>) -> Option<Vec<fencepost_core::program::ResourceIndex>> {
        let list = text(&mut self.faults, entry)?;
        let resources: Vec<_> =
            items(entry, list).map(|(name, span)| self.resource_name(name, span)).collect();
        resources.into_iter().collect()
    }
}
