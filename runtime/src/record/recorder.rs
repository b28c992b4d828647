//! What encoders write through: a recording that grows, with the small memories that make writing cheap.
//!
//! A recorder belongs to whoever holds it: the command buffer between encoders, the encoder while it is open. So recording takes no
//! lock. Resources bound again and again are counted once: a small table remembers where each stands in the recording.
use std::ops::Range;
use std::panic::Location;
use std::sync::Arc;

use fencepost_core::{Access, Stages};

use super::{
    Attachment, BufferBody, Command, Item, ManagedBody, Note, Recording, SamplerBody, TextureBody,
    TextureView, Transfer,
};
use crate::api::{FenceBody, Slot};
use crate::backend::Pipeline;
use crate::observe::Site;

/// A recording while it grows.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) recording: Recording,
    /// Where buffers stand in `recording.buffers`, by the low bits of their names.
    seen: Seen,
    /// What compute encoders bind where, empty between encoders.
    pub(crate) slots: Vec<Slot>,
    /// Labels of open debug groups, innermost last.
    groups: Vec<u32>,
    /// Passes begun so far.
    passes: u32,
    /// Somebody wants to know where in the app each item stands.
    watched: bool,
    /// Where the call that appends next stands.
    site: Option<Site>,
}

/// A direct-mapped memory: a buffer's name and its index.
#[derive(Debug)]
struct Seen([(u32, u32); SEEN]);

const SEEN: usize = 32;
const NOBODY: (u32, u32) = (u32::MAX, u32::MAX);

impl Default for Seen {
    fn default() -> Self {
        Self([NOBODY; SEEN])
    }
}

impl Recorder {
    pub(crate) fn new(recording: Recording, watched: bool) -> Self {
        Self { recording, watched, ..Self::default() }
    }

    /// What is appended next is appended by the caller's caller.
    #[inline]
    #[track_caller]
    pub(crate) fn here(&mut self) {
        if self.watched {
            self.site = Some(Location::caller());
        }
    }

    /// What is appended next is appended there.
    pub(crate) fn at(&mut self, site: Site) {
        self.site = Some(site);
    }

    /// Appends an item.
    #[inline]
    pub(crate) fn push(&mut self, item: Item) {
        if self.watched {
            self.note(None);
        }
        self.recording.items.push(item);
    }

    /// Appends a synchronization. One with an empty set of stages orders nothing, and only those who watch want to know of it.
    pub(crate) fn synchronize(&mut self, item: Item) {
        if self.watched || !item.is_idle() {
            self.push(item);
        }
    }

    /// Notes where the item appended next stands, with a name for it if it is a command without a label.
    #[cold]
    fn note(&mut self, name: Option<&str>) {
        let item = self.recording.items.len() as u32;
        let noted = self.recording.notes.last().is_some_and(|note| note.item == item);
        if let Some(site) = self.site.filter(|_| !noted) {
            let name = name.map(|name| self.label(name));
            self.recording.notes.push(Note { item, site, name });
        }
    }

    /// The command appended next runs this function.
    #[inline]
    pub(crate) fn runs(&mut self, function: impl FnOnce() -> String) {
        if self.watched {
            self.note(Some(&function()));
        }
    }

    /// The index of a buffer in the recording, which from now on keeps it.
    #[inline]
    pub(crate) fn buffer(&mut self, body: &Arc<BufferBody>) -> u32 {
        let name = body.resource.0;
        let seen = &mut self.seen.0[name as usize % SEEN];
        if seen.0 == name {
            return seen.1;
        }
        let index = self.recording.buffers.len() as u32;
        self.recording.buffers.push(Arc::clone(body));
        *seen = (name, index);
        self.manage_buffer(body);
        index
    }

    /// Keeps the managed resources of a transfer.
    pub(crate) fn keep_managed(&mut self, transfer: &Transfer) {
        match transfer {
            Transfer::CopyBuffer { source, destination } => {
                self.manage_buffer(&source.body);
                self.manage_buffer(&destination.body);
            }
            Transfer::CopyBufferToTexture { source: buffer, destination: texture, .. }
            | Transfer::CopyTextureToBuffer { source: texture, destination: buffer, .. } => {
                self.manage_buffer(&buffer.body);
                self.manage_texture(&texture.body);
            }
            Transfer::CopyTexture { source, destination } => {
                self.manage_texture(&source.body);
                self.manage_texture(&destination.body);
            }
            Transfer::FillBuffer { destination, .. } => self.manage_buffer(&destination.body),
            Transfer::SynchronizeBuffer { buffer, .. } => self.manage_buffer(buffer),
            Transfer::SynchronizeTexture { texture, .. } => self.manage_texture(texture),
            Transfer::GenerateMipmaps { texture } => self.manage_texture(&texture.body),
            // Whoever records these keeps each buffer.
            Transfer::CopyParts { .. } | Transfer::FillParts { .. } => {}
        }
    }

    fn manage_buffer(&mut self, body: &Arc<BufferBody>) {
        if body.core.managed.is_some() {
            self.recording.managed.push(ManagedBody::Buffer(Arc::clone(body)));
        }
    }

    fn manage_texture(&mut self, body: &Arc<TextureBody>) {
        if body.core.managed.is_some() {
            self.recording.managed.push(ManagedBody::Texture(Arc::clone(body)));
        }
    }

    /// The index of a view in the recording, which from now on keeps its texture.
    pub(crate) fn texture(&mut self, view: &TextureView) -> u32 {
        let textures = &mut self.recording.textures;
        let known = textures.iter().rev().take(SEEN).position(|known| known == view);
        if let Some(back) = known {
            return (textures.len() - 1 - back) as u32;
        }
        textures.push(view.clone());
        let index = (textures.len() - 1) as u32;
        self.manage_texture(&view.body);
        index
    }

    /// Keeps a texture that no binding names.
    pub(crate) fn keep_texture(&mut self, body: &Arc<TextureBody>) {
        self.texture(&TextureView::whole(body));
    }

    /// The index of a pipeline; the last one is known again.
    pub(crate) fn pipeline(&mut self, pipeline: &Arc<dyn Pipeline>) -> u32 {
        let pipelines = &mut self.recording.pipelines;
        if !pipelines.last().is_some_and(|last| Arc::ptr_eq(last, pipeline)) {
            pipelines.push(Arc::clone(pipeline));
        }
        (pipelines.len() - 1) as u32
    }

    /// The index of a sampler.
    pub(crate) fn sampler(&mut self, sampler: &SamplerBody) -> u32 {
        let samplers = &mut self.recording.samplers;
        let known = samplers.iter().rev().take(SEEN).position(|known| known == sampler);
        if let Some(back) = known {
            return (samplers.len() - 1 - back) as u32;
        }
        samplers.push(*sampler);
        (samplers.len() - 1) as u32
    }

    /// Keeps a fence, so that its name stays its own.
    pub(crate) fn fence(&mut self, fence: &Arc<FenceBody>) {
        if !self.recording.fences.iter().rev().take(SEEN).any(|known| Arc::ptr_eq(known, fence)) {
            self.recording.fences.push(Arc::clone(fence));
        }
    }

    pub(crate) fn label(&mut self, label: &str) -> u32 {
        let labels = &mut self.recording.labels;
        if labels.last().is_none_or(|last| last != label) {
            labels.push(label.to_owned());
        }
        (labels.len() - 1) as u32
    }

    pub(crate) fn push_group(&mut self, label: &str) {
        let label = self.label(label);
        self.groups.push(label);
    }

    /// False where no group is open beyond the `outer` ones that were there before.
    pub(crate) fn pop_group(&mut self, outer: usize) -> bool {
        let open = self.groups.len() > outer;
        if open {
            self.groups.pop();
        }
        open
    }

    /// Closes the groups that an encoder left open.
    pub(crate) fn close_groups(&mut self, outer: usize) {
        self.groups.truncate(outer);
    }

    pub(crate) fn open_groups(&self) -> usize {
        self.groups.len()
    }

    /// Leaves a mark in the pass that is open or next.
    pub(crate) fn signpost(&mut self, text: &str) {
        let label = self.label(text);
        self.recording.signposts.push((self.passes.saturating_sub(1), label));
    }

    pub(crate) fn begin_pass(&mut self, item: Item) {
        self.passes += 1;
        self.push(item);
    }

    /// Notes what the command appended next reaches through pointers.
    #[inline]
    pub(crate) fn hide(&mut self, accesses: &Range<u32>) {
        if !accesses.is_empty() {
            self.recording.items.push(Item::Hidden { accesses: accesses.clone() });
        }
    }

    /// Says what the render pass that was just begun draws to. Whoever calls keeps it alive.
    pub(crate) fn attach(&mut self, attachments: impl IntoIterator<Item = Attachment>) {
        let start = self.recording.attachments.len() as u32;
        self.recording.attachments.extend(attachments);
        let end = self.recording.attachments.len() as u32;
        if start < end {
            self.recording.items.push(Item::Attach { attachments: start..end });
        }
    }

    /// Appends a command whose accesses are in the recording already.
    #[inline]
    pub(crate) fn command(&mut self, command: Command, stages: Stages, accesses: Range<u32>) {
        self.recording.commands.push(command);
        let label = self.groups.last().copied();
        self.push(Item::Command { stages, label, accesses });
    }

    /// Appends a command of several stages: the work of each, in their order.
    pub(crate) fn staged_command<const N: usize>(
        &mut self,
        work: [Command; N],
        stages: Stages,
        accesses: Range<u32>,
    ) {
        debug_assert_eq!(stages.bits().count_ones() as usize, N, "a command for each stage");
        self.recording.commands.extend(work);
        let label = self.groups.last().copied();
        self.push(Item::Command { stages, label, accesses });
    }

    /// Appends accesses; their range.
    pub(crate) fn accesses(&mut self, accesses: impl IntoIterator<Item = Access>) -> Range<u32> {
        let start = self.recording.accesses.len() as u32;
        self.recording.accesses.extend(accesses);
        start..self.recording.accesses.len() as u32
    }

    /// Appends earlier accesses again, and one more; their range.
    pub(crate) fn accesses_with(&mut self, earlier: &Range<u32>, one: Access) -> Range<u32> {
        let accesses = &mut self.recording.accesses;
        let start = accesses.len() as u32;
        accesses.extend_from_within(earlier.start as usize..earlier.end as usize);
        accesses.push(one);
        start..accesses.len() as u32
    }
}
