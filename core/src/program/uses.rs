//! What a command touches: the accesses that its words stand for.
//!
//! A draw also touches its pass's attachments, in the fragment stage: it writes them, and reads them where the pass
//! loads what was there. A render pass without draws still loads, clears and stores: the pass itself is then one item
//! of work in the fragment stage.
use super::{
    Attachment, Command, LoadAction, Part, Pass, PassItem, PassKind, Primitive, Program, Shape, Work,
};
use crate::{AccessKind, Extent, Stage, Stages};

/// One access of a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Use {
    /// What it touches.
    pub part: Part,
    /// How.
    pub kind: AccessKind,
    /// In which stage.
    pub stage: Stage,
}

impl Work {
    /// Whether hazard tracking sees what the command touches: not what it reaches through pointers.
    pub const fn is_tracked(&self) -> bool {
        !matches!(self, Self::Dispatch { indirect: true, .. })
    }
}

impl Program {
    /// All that a command of a pass touches.
    ///
    /// ```
    /// use fencepost_core::program::{Program, Command, Pass, PassKind, Work};
    /// use fencepost_core::{AccessKind, Stage};
    /// let mut builder = Program::builder();
    /// let a = builder.buffer("A", 64);
    /// let program = builder.build();
    /// let pass = Pass { label: "P".into(), kind: PassKind::Blit, items: Vec::new() };
    /// let fill = Command { label: "f".into(), work: Work::Fill { to: a.bytes(0..8), value: 1 } };
    /// let uses = program.uses(&pass, &fill);
    /// assert_eq!((uses[0].kind, uses[0].stage), (AccessKind::Write, Stage::Blit));
    /// ```
    pub fn uses(&self, pass: &Pass, command: &Command) -> Vec<Use> {
        let mut uses = Vec::new();
        self.each_use(pass, command, |part, kind, stage, _| {
            uses.push(Use { part: part.clone(), kind, stage });
        });
        uses
    }

    /// [`uses`](Self::uses), one after another, each with whether it is that of an attachment.
    pub(crate) fn each_use(
        &self,
        pass: &Pass,
        command: &Command,
        mut each: impl FnMut(&Part, AccessKind, Stage, bool),
    ) {
        let mut add = |parts: &[Part], kind, stage| {
            parts.iter().filter(|part| is_something(part)).for_each(|part| each(part, kind, stage, false));
        };
        let one = core::slice::from_ref::<Part>;
        match &command.work {
            Work::Copy { from, to } => {
                add(one(from), AccessKind::Read, Stage::Blit);
                add(one(to), AccessKind::Write, Stage::Blit);
            }
            Work::Fill { to, .. } => add(one(to), AccessKind::Write, Stage::Blit),
            Work::GenerateMipmaps { texture } => {
                let shape = self.resources.get(texture.index()).map(|resource| resource.shape);
                if let Some(Shape::Texture { mips, slices, .. }) = shape {
                    add(&[texture.subresources(0..1, 0..slices)], AccessKind::Read, Stage::Blit);
                    add(&[texture.subresources(1..mips, 0..slices)], AccessKind::Write, Stage::Blit);
                }
            }
            Work::Dispatch { reads, writes, atomics, .. } => {
                add(reads, AccessKind::Read, Stage::Dispatch);
                add(writes, AccessKind::Write, Stage::Dispatch);
                add(atomics, AccessKind::Atomic, Stage::Dispatch);
            }
            Work::Draw { vertex_reads, vertex_writes, fragment_reads, fragment_writes } => {
                add(vertex_reads, AccessKind::Read, Stage::Vertex);
                add(vertex_writes, AccessKind::Write, Stage::Vertex);
                add(fragment_reads, AccessKind::Read, Stage::Fragment);
                add(fragment_writes, AccessKind::Write, Stage::Fragment);
                let some = pass.attachments().filter(|attachment| is_something(&attachment.texture));
                some.for_each(|attachment| {
                    each(&attachment.texture, attachment.access_kind(), Stage::Fragment, true)
                });
            }
            Work::Synchronize { resource, extent } => {
                add(&[Part { resource: *resource, extent: extent.clone() }], AccessKind::Read, Stage::Blit);
            }
            Work::Optimize { texture, .. } => add(&[texture.whole()], AccessKind::ReadWrite, Stage::Blit),
        }
    }
}

impl Attachment {
    /// How each draw of the pass touches it: it is written, and read where the pass loads what was there.
    pub const fn access_kind(&self) -> AccessKind {
        match self.load {
            LoadAction::Load => AccessKind::ReadWrite,
            LoadAction::Clear | LoadAction::DontCare => AccessKind::Write,
        }
    }
}

fn is_something(part: &Part) -> bool {
    !part.extent.is_empty() || part.extent == Extent::Whole
}

impl PassKind {
    /// The stages that a declared indirect use (`use-resource`) speaks for: kernels, or every stage of draws.
    pub const fn declared_stages(&self) -> Stages {
        match self {
            Self::Compute { .. } => Stages::DISPATCH,
            Self::Blit => Stages::empty(),
            Self::Render { .. } => Stages::VERTEX
                .union(Stages::FRAGMENT)
                .union(Stages::TILE)
                .union(Stages::OBJECT)
                .union(Stages::MESH),
        }
    }
}

impl Pass {
    /// The attachments of a render pass, depth last.
    pub fn attachments(&self) -> impl Iterator<Item = &Attachment> {
        let (color, depth) = match &self.kind {
            PassKind::Render { color, depth } => (color.as_slice(), depth.as_ref()),
            PassKind::Compute { .. } | PassKind::Blit => (&[][..], None),
        };
        color.iter().chain(depth)
    }

    /// Where the work on the attachments of a render pass without draws stands: in front of the item with this number.
    /// `None` for every other pass, whose attachments are its draws' affair.
    ///
    /// Loads and clears begin when nothing holds the pass any more, so it stands behind the last primitive that holds
    /// later passes' work back: a wait for a fence or a consumer barrier. What an update captures or a producer barrier
    /// waits for has to stand behind that.
    pub fn attachments_at(&self) -> Option<u32> {
        self.attachments_among(|_| true)
    }

    /// [`attachments_at`](Self::attachments_at), where some items are passed over: what is not there holds nothing.
    pub(crate) fn attachments_among(&self, there: impl Fn(u32) -> bool) -> Option<u32> {
        self.attachments().next()?;
        let (mut behind, mut number) = (0, 0);
        for item in &self.items {
            number += 1;
            match item {
                PassItem::Command(_) => return None,
                PassItem::Synchronization(synchronization) => {
                    let holds = matches!(
                        synchronization.primitive,
                        Primitive::WaitForFence { .. } | Primitive::ConsumerBarrier { .. }
                    );
                    behind = if holds && there(number - 1) { number } else { behind };
                }
                PassItem::UseResource { .. } => {}
            }
        }
        Some(behind)
    }

    /// What a render pass without draws touches: its attachments. Nothing for every other pass.
    pub fn own_uses(&self) -> Vec<Use> {
        let mut uses = Vec::new();
        self.each_own_use(|part, kind, stage| uses.push(Use { part: part.clone(), kind, stage }));
        uses
    }

    /// [`own_uses`](Self::own_uses), one after another.
    pub(crate) fn each_own_use(&self, mut each: impl FnMut(&Part, AccessKind, Stage)) {
        if self.attachments_at().is_some() {
            let some = self.attachments().filter(|attachment| is_something(&attachment.texture));
            some.for_each(|attachment| each(&attachment.texture, attachment.access_kind(), Stage::Fragment));
        }
    }
}
