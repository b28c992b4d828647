//! Memoryless textures in programs: attachments that live inside a render pass.
//!
//! Nothing outside of the pass sees what one holds, so two passes that draw to one do not meet there, and whatever would carry its
//! content into a pass or out of it (a load, a store, a kernel, a copy, the CPU) asks for memory that is not there (rule 11.1.4).
use super::{
    Attachment, Command, LoadAction, Part, Pass, PassItem, Program, ResourceIndex, StorageMode, StoreAction,
    Work,
};
use crate::AccessKind;

impl Program {
    /// Whether a resource has no memory.
    pub fn is_memoryless(&self, resource: ResourceIndex) -> bool {
        self.resources.get(resource.index()).is_some_and(|own| own.storage == StorageMode::Memoryless)
    }

    /// The memoryless textures whose memory an item of a pass asks for, which they do not have. Where a pass loads or stores an attachment, its
    /// first draw asks.
    ///
    /// ```
    /// use fencepost_core::program::{Program, Command, Pass, PassItem, PassKind, StorageMode, Work};
    /// let mut builder = Program::builder();
    /// let depth = builder.texture("depth", 4, 4, Default::default());
    /// let mut program = builder.build();
    /// program.resources[0].storage = StorageMode::Memoryless;
    /// let pass = Pass { label: "P".into(), kind: PassKind::Blit, items: Vec::new() };
    /// let fill = Command { label: "f".into(), work: Work::Fill { to: depth.whole(), value: 1 } };
    /// assert_eq!(program.needs_memory(&pass, &PassItem::Command(fill)), [depth]);
    /// ```
    pub fn needs_memory(&self, pass: &Pass, item: &PassItem) -> Vec<ResourceIndex> {
        let mut all = Vec::new();
        let mut add = |resource: ResourceIndex| {
            if self.is_memoryless(resource) && !all.contains(&resource) {
                all.push(resource);
            }
        };
        match item {
            PassItem::Command(command) => {
                let draw = |item: &&PassItem| {
                    matches!(item, PassItem::Command(Command { work: Work::Draw { .. }, .. }))
                };
                if pass.items.iter().find(draw).is_some_and(|first| core::ptr::eq(first, item)) {
                    self.carried_attachments(pass).into_iter().for_each(&mut add);
                }
                self.each_named(pass, command, |part| add(part.resource));
            }
            PassItem::UseResource { resource, .. } => add(*resource),
            PassItem::Synchronization(_) => {}
        }
        all
    }

    /// The memoryless attachments that a pass loads or stores.
    pub fn carried_attachments(&self, pass: &Pass) -> Vec<ResourceIndex> {
        let carried = |attachment: &&Attachment| {
            attachment.load == LoadAction::Load || attachment.store == StoreAction::Store
        };
        let resources = pass.attachments().filter(carried).map(|attachment| attachment.texture.resource);
        resources.filter(|resource| self.is_memoryless(*resource)).collect()
    }

    /// What a command touches besides the attachments of its pass.
    fn each_named(&self, pass: &Pass, command: &Command, mut each: impl FnMut(&Part)) {
        self.each_use(pass, command, |part: &Part, _: AccessKind, _, attached| {
            if !attached {
                each(part);
            }
        });
    }
}
