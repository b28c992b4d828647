//! From a recording to a command buffer of a program.
//!
//! A command's accesses come from reflection, so a program says of a kernel what it touches and not what it computes. What has no word of
//! its own in programs is written as the copy that touches the same parts in the same stage.
use fencepost_core::program::{
    Attachment, BufferItem, Command, DeviceIndex, DispatchType, EventOperation, EventOperationKind,
    MemoryScope, Part, Pass, PassItem, PassKind, Primitive, QueueMode, Synchronization, Work,
};
use fencepost_core::{Access, AccessKind, BarrierScope, Extent, FenceId, Stage, Stages};

use super::names::Names;
use super::{Ledger, Site};
use crate::record::{self, Item, Recording, Transfer};

impl Ledger {
    /// What was recorded, as passes and event operations, and where each stands in the app. All that it names is declared.
    pub(crate) fn translate(
        &self,
        device: DeviceIndex,
        mode: QueueMode,
        recording: &Recording,
    ) -> (Vec<BufferItem>, Sites) {
        let mut translation = Translation {
            ledger: self,
            device,
            mode,
            recording,
            items: Vec::new(),
            sites: Sites::default(),
            site: None,
            pass: None,
            passes: Names::default(),
            command: 0,
            hidden: &[],
        };
        recording.items.iter().enumerate().for_each(|(place, item)| translation.item(place, item));
        (translation.items, translation.sites)
    }
}

/// Where the things of a command buffer stand in the app.
#[derive(Debug, Default)]
pub(crate) struct Sites(Vec<ItemSites>);

/// A pass with its items, or an event operation.
#[derive(Debug, Default)]
struct ItemSites {
    own: Option<Site>,
    items: Vec<Option<Site>>,
}

impl Sites {
    /// Of a pass or an event operation, by its place in the command buffer.
    pub(crate) fn own(&self, place: u32) -> Option<Site> {
        self.0.get(place as usize)?.own
    }

    /// Of what stands in a pass.
    pub(crate) fn item(&self, pass: u32, item: u32) -> Option<Site> {
        self.0.get(pass as usize)?.items.get(item as usize).copied().flatten()
    }
}

struct Translation<'a> {
    ledger: &'a Ledger,
    device: DeviceIndex,
    mode: QueueMode,
    recording: &'a Recording,
    items: Vec<BufferItem>,
    sites: Sites,
    /// Of the item that is being translated.
    site: Option<Site>,
    pass: Option<OpenPass>,
    passes: Names,
    /// The next command.
    command: usize,
    /// What the next command reaches through pointers.
    hidden: &'a [Access],
}

struct OpenPass {
    pass: Pass,
    sites: ItemSites,
    labels: Names,
    encodable: Stages,
    /// With these the accesses of its draws end.
    attached: Vec<Access>,
}

impl<'a> Translation<'a> {
    fn item(&mut self, place: usize, item: &'a Item) {
        self.site = self.recording.note(place).map(|note| note.site);
        match item {
            Item::BeginPass { kind, dispatch_type, label } => self.begin(*kind, *dispatch_type, *label),
            Item::EndPass => self.end(),
            Item::Attach { attachments } => {
                let recording = self.recording;
                self.attach(&recording.attachments[attachments.start as usize..attachments.end as usize]);
            }
            Item::Command { stages, label, accesses } => {
                let accesses = &self.recording.accesses[accesses.start as usize..accesses.end as usize];
                let label = label.or_else(|| self.recording.note(place).and_then(|note| note.name));
                self.command(*stages, self.recording.label(label), accesses);
            }
            Item::Hidden { accesses } => {
                self.hidden = &self.recording.accesses[accesses.start as usize..accesses.end as usize];
            }
            Item::Declare { accesses } => {
                let accesses = &self.recording.accesses[accesses.start as usize..accesses.end as usize];
                accesses.iter().for_each(|access| self.declare(access));
            }
            Item::SignalEvent { event, value } => {
                self.operation(event.body(), *value, EventOperationKind::Signal);
            }
            Item::WaitForEvent { event, value } => self.operation(event, *value, EventOperationKind::Wait),
            synchronization => {
                let primitive = self.primitive(synchronization);
                self.push(
                    primitive.map(|primitive| {
                        PassItem::Synchronization(Synchronization { label: None, primitive })
                    }),
                );
            }
        }
    }

    fn begin(&mut self, kind: crate::PassKind, dispatch_type: crate::DispatchType, label: Option<u32>) {
        let explicit = self.mode == QueueMode::Explicit;
        let (noun, kind, encodable) = match kind {
            crate::PassKind::Compute => {
                let concurrent = dispatch_type == crate::DispatchType::Concurrent;
                // Each mode has its default.
                let dispatch_type = (concurrent != explicit).then_some(if concurrent {
                    DispatchType::Concurrent
                } else {
                    DispatchType::Serial
                });
                let encodable = if explicit {
                    Stages::DISPATCH | Stages::BLIT | Stages::ACCELERATION_STRUCTURE
                } else {
                    Stages::DISPATCH
                };
                ("compute", PassKind::Compute { dispatch_type }, encodable)
            }
            crate::PassKind::Blit => ("blit", PassKind::Blit, Stages::BLIT),
            crate::PassKind::Render => {
                let kind = PassKind::Render { color: Vec::new(), depth: None };
                let encodable = kind.declared_stages();
                ("render", kind, encodable)
            }
        };
        let label = self.passes.label(self.recording.label(label).unwrap_or_default(), noun);
        let pass = Pass { label, kind, items: Vec::new() };
        let sites = ItemSites { own: self.site, items: Vec::new() };
        let (labels, attached) = (Names::default(), Vec::new());
        self.pass = Some(OpenPass { pass, sites, labels, encodable, attached });
    }

    /// The pass draws to these.
    fn attach(&mut self, attachments: &[record::Attachment]) {
        let translated = |is_depth: bool| -> Vec<Attachment> {
            let of_kind = attachments.iter().filter(|attachment| attachment.is_depth == is_depth);
            let translate = |attachment: &record::Attachment| {
                let texture = self.part(&attachment.access)?;
                Some(Attachment { texture, load: attachment.load, store: attachment.store })
            };
            of_kind.filter_map(translate).collect()
        };
        let (color, depth) = (translated(false), translated(true).pop());
        let Some(open) = &mut self.pass else { return };
        open.pass.kind = PassKind::Render { color, depth };
        // A part without bytes is attached, and nobody touches it.
        let touched = attachments.iter().map(|attachment| &attachment.access);
        open.attached = touched.filter(|access| !access.extent.is_empty()).cloned().collect();
    }

    fn end(&mut self) {
        if let Some(open) = self.pass.take() {
            self.items.push(BufferItem::Pass(open.pass));
            self.sites.0.push(open.sites);
        }
    }

    fn push(&mut self, item: Option<PassItem>) {
        // Nothing but event operations stands outside of passes.
        if let (Some(open), Some(item)) = (&mut self.pass, item) {
            open.pass.items.push(item);
            open.sites.items.push(self.site);
        }
    }

    fn operation(
        &mut self,
        event: &std::sync::Arc<crate::signal::EventBody>,
        value: u64,
        kind: EventOperationKind,
    ) {
        let event = self.ledger.event_of(event);
        if let Some(event) = event {
            self.items.push(BufferItem::Event(EventOperation { label: None, event, value, kind }));
            self.sites.0.push(ItemSites { own: self.site, items: Vec::new() });
        }
    }

    fn command(&mut self, stages: Stages, label: Option<&str>, accesses: &[Access]) {
        let hidden = std::mem::take(&mut self.hidden);
        let command = self.recording.commands.get(self.command);
        self.command += stages.bits().count_ones() as usize;
        let transfer = match command {
            Some(record::Command::Transfer(index)) => self.recording.transfers.get(*index as usize),
            _ => None,
        };
        let (noun, work) = if stages.contains(Stages::VERTEX) {
            ("draw", self.draw(accesses))
        } else if stages == Stages::FRAGMENT {
            // What a pass without draws does to its attachments follows from its having them.
            return;
        } else if stages == Stages::BLIT {
            self.transfer(transfer, accesses)
        } else {
            ("dispatch", self.dispatch(accesses, hidden))
        };
        let Some(open) = &mut self.pass else { return };
        let label = open.labels.label(label.unwrap_or_default(), noun);
        open.pass.items.push(PassItem::Command(Command { label, work }));
        open.sites.items.push(self.site);
    }

    fn dispatch(&self, accesses: &[Access], hidden: &[Access]) -> Work {
        // What is reached through pointers alone is `indirect`: tracking does not see it.
        let indirect = accesses.is_empty() && !hidden.is_empty();
        let parts = |of: fn(AccessKind) -> bool| -> Vec<Part> {
            let all = accesses.iter().chain(hidden);
            all.filter(|access| of(access.kind)).filter_map(|access| self.part(access)).collect()
        };
        Work::Dispatch {
            reads: parts(|kind| matches!(kind, AccessKind::Read | AccessKind::ReadWrite)),
            writes: parts(|kind| matches!(kind, AccessKind::Write | AccessKind::ReadWrite)),
            atomics: parts(|kind| kind == AccessKind::Atomic),
            cost: 1,
            indirect,
        }
    }

    fn draw(&self, accesses: &[Access]) -> Work {
        let attached = self.pass.as_ref().map_or(&[][..], |open| &open.attached);
        let accesses = accesses.strip_suffix(attached).unwrap_or(accesses);
        let parts = |vertex: bool, of: fn(AccessKind) -> bool| -> Vec<Part> {
            let stage = |access: &&Access| (access.stage == Stage::Vertex) == vertex;
            let all = accesses.iter().filter(stage).filter(|access| of(access.kind));
            all.filter_map(|access| self.part(access)).collect()
        };
        Work::Draw {
            vertex_reads: parts(true, AccessKind::reads),
            vertex_writes: parts(true, AccessKind::writes),
            fragment_reads: parts(false, AccessKind::reads),
            fragment_writes: parts(false, AccessKind::writes),
        }
    }

    fn transfer(&self, transfer: Option<&Transfer>, accesses: &[Access]) -> (&'static str, Work) {
        let read = accesses.iter().find(|access| access.kind.reads()).and_then(|access| self.part(access));
        let written =
            accesses.iter().rev().find(|access| access.kind.writes()).and_then(|access| self.part(access));
        match (transfer, read, written) {
            (
                Some(Transfer::SynchronizeBuffer { .. } | Transfer::SynchronizeTexture { .. }),
                Some(Part { resource, extent }),
                _,
            ) => {
                let extent = if is_all(transfer, &extent) { Extent::Whole } else { extent };
                ("synchronize", Work::Synchronize { resource, extent })
            }
            (Some(Transfer::FillBuffer { value, .. } | Transfer::FillParts { value, .. }), _, Some(to)) => {
                ("fill", Work::Fill { to, value: *value })
            }
            (Some(Transfer::GenerateMipmaps { texture }), Some(from), Some(to)) => {
                let shape = &texture.body.shape;
                if (texture.mips, texture.slices) == (shape.mips, shape.slices) {
                    ("mipmaps", Work::GenerateMipmaps { texture: from.resource })
                } else {
                    ("mipmaps", Work::Copy { from, to })
                }
            }
            (None, Some(from), Some(to)) if from.extent == to.extent && self.is_whole(&from) => {
                ("optimize", Work::Optimize { texture: from.resource, for_gpu: true })
            }
            (_, Some(from), Some(to)) => ("copy", Work::Copy { from, to }),
            // A transfer that touches less than that is none of ours.
            _ => ("copy", self.dispatch(accesses, &[])),
        }
    }

    /// Whether a part of a texture is all of it.
    fn is_whole(&self, part: &Part) -> bool {
        let whole = |view: &record::TextureView| {
            let same = self.ledger.resource_of(self.device, view.body.resource) == Some(part.resource);
            same && part.extent == record::TextureView::whole(&view.body).extent()
        };
        self.recording.textures.iter().any(whole)
    }

    fn declare(&mut self, access: &Access) {
        let resource = self.ledger.resource_of(self.device, access.resource);
        let (read, write) = (access.kind.reads(), access.kind.writes());
        self.push(resource.map(|resource| PassItem::UseResource { resource, read, write }));
    }

    fn primitive(&self, item: &Item) -> Option<Primitive> {
        Some(match item {
            Item::Barrier { after, before, visibility } => {
                Primitive::Barrier { after: *after, before: *before, visibility: *visibility }
            }
            Item::ConsumerBarrier { after_queue, before, visibility } => Primitive::ConsumerBarrier {
                after_queue: *after_queue,
                before: *before,
                visibility: *visibility,
            },
            Item::ProducerBarrier { after, before_queue, visibility } => Primitive::ProducerBarrier {
                after: *after,
                before_queue: *before_queue,
                visibility: *visibility,
            },
            Item::MemoryBarrier { scope, resources, after, before } => {
                let named = &self.recording.accesses[resources.start as usize..resources.end as usize];
                let (after, before) = (self.named(*after), self.named(*before));
                Primitive::MemoryBarrier { scope: self.scope(*scope, named), after, before }
            }
            Item::UpdateFence { fence, after } => {
                Primitive::UpdateFence { fence: self.fence(*fence)?, after: self.named(*after) }
            }
            Item::WaitForFence { fence, before } => {
                Primitive::WaitForFence { fence: self.fence(*fence)?, before: self.named(*before) }
            }
            _ => return None,
        })
    }

    /// Stages that are not all that the encoder has.
    fn named(&self, stages: Stages) -> Option<Stages> {
        let all = self.pass.as_ref().map(|open| open.encodable);
        (Some(stages) != all).then_some(stages)
    }

    fn scope(&self, scope: BarrierScope, named: &[Access]) -> MemoryScope {
        if named.is_empty() {
            return MemoryScope::Kinds {
                buffers: scope.contains(BarrierScope::BUFFERS),
                textures: scope.contains(BarrierScope::TEXTURES),
                render_targets: scope.contains(BarrierScope::RENDER_TARGETS),
            };
        }
        let index = |access: &Access| self.ledger.resource_of(self.device, access.resource);
        MemoryScope::Resources(named.iter().filter_map(index).collect())
    }

    fn fence(&self, fence: FenceId) -> Option<fencepost_core::program::FenceIndex> {
        self.ledger.fence_of(self.device, fence)
    }

    /// What an access touches. All that a recording names was declared, so there is an answer.
    fn part(&self, access: &Access) -> Option<Part> {
        self.ledger.part_of(self.device, access.resource, &access.extent)
    }
}

/// Whether a synchronization brings all of its resource.
fn is_all(transfer: Option<&Transfer>, extent: &Extent) -> bool {
    match transfer {
        Some(Transfer::SynchronizeTexture { texture, .. }) => {
            *extent == record::TextureView::whole(texture).extent()
        }
        _ => true,
    }
}
