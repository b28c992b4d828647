//! A recording: what an encoder appends to and what the device runs. Its vectors come from a pool and go back to it.
use std::sync::{Arc, Weak};

use fencepost_core::{Access, ResourceId};
use parking_lot::Mutex;

use crate::api::{FenceBody, HeapShared, ResourceCore};
use crate::backend::Pipeline;
use crate::observe::Site;
use crate::record::{
    Attachment, Bound, BufferBody, Command, Item, ManagedBody, Output, SamplerBody, TextureBody, TextureView,
    Transfer,
};
use crate::{Error, PurgeableState};

/// Where an item stands in the app.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Note {
    pub(crate) item: u32,
    pub(crate) site: Site,
    /// A name for a command without a label, by index.
    pub(crate) name: Option<u32>,
}

/// A recording, immutable from commit on. Shared with the backend while in flight; it keeps all it names alive.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    /// The order of everything: passes, commands, synchronization, event operations.
    pub(crate) items: Vec<Item>,
    /// Commands in the order of [`Item::Command`], one for each stage of it.
    pub(crate) commands: Vec<Command>,
    /// Accesses of all commands and of all declarations.
    pub(crate) accesses: Vec<Access>,
    /// Bindings of all dispatches; a dispatch holds a range.
    pub(crate) bindings: Vec<Bound>,
    /// Buffers that bindings name. One may stand here twice.
    pub(crate) buffers: Vec<Arc<BufferBody>>,
    /// Textures that bindings name.
    pub(crate) textures: Vec<TextureView>,
    /// Samplers that bindings name.
    pub(crate) samplers: Vec<SamplerBody>,
    /// Pipelines that dispatches name.
    pub(crate) pipelines: Vec<Arc<dyn Pipeline>>,
    /// What transfers do.
    pub(crate) transfers: Vec<Transfer>,
    /// Managed resources that commands use: what was published of them is brought over by the commit.
    pub(crate) managed: Vec<ManagedBody>,
    /// Where the colours of draws go.
    pub(crate) outputs: Vec<Output>,
    /// What render passes draw to.
    pub(crate) attachments: Vec<Attachment>,
    /// Bytes given by value.
    pub(crate) words: Vec<u32>,
    /// Fences that items name: held so that a name is not given to another one meanwhile.
    pub(crate) fences: Vec<Arc<FenceBody>>,
    /// Heaps that declarations name.
    pub(crate) heaps: Vec<Arc<HeapShared>>,
    /// Labels by index; commands and passes without one have none.
    pub(crate) labels: Vec<String>,
    /// Marks left in passes: which pass of this recording, and the label.
    pub(crate) signposts: Vec<(u32, u32)>,
    /// Where items stand in the app, in the order of items; empty while nobody watches.
    pub(crate) notes: Vec<Note>,
    /// Where the vectors go at the end.
    pub(crate) pool: Weak<RecordingPool>,
}

impl Recording {
    /// The label of an item, if it has one.
    pub(crate) fn label(&self, index: Option<u32>) -> Option<&str> {
        self.labels.get(index? as usize).map(String::as_str)
    }

    /// What was noted of an item, if anything was.
    pub(crate) fn note(&self, item: usize) -> Option<&Note> {
        let place = self.notes.binary_search_by_key(&item, |note| note.item as usize);
        place.ok().and_then(|place| self.notes.get(place))
    }

    /// "buffer `label`" of a resource that commands here use, for messages.
    pub(crate) fn name_of(&self, resource: ResourceId) -> String {
        self.find_resource(|core, noun| names(core, resource).then(|| core.label.of(noun)))
            // Two names of one piece of memory: only the other one is used here.
            .unwrap_or_else(|| "a resource that shares memory with one that is used".to_owned())
    }

    /// That the content of everything that commands here use is there (rule 11.3).
    pub(crate) fn check_contents(&self, call: &'static str) -> Result<(), Error> {
        if let Some(heap) = self.heaps.iter().find(|heap| heap.state() != PurgeableState::NonVolatile) {
            return Err(heap.not_there(call));
        }
        self.find_resource(|core, noun| core.check_content(call, noun).err()).map_or(Ok(()), Err)
    }

    /// Asks of every buffer and texture that commands here use, by its core and its noun, until there is an answer.
    fn find_resource<T>(&self, find: impl Fn(&ResourceCore, &'static str) -> Option<T>) -> Option<T> {
        let buffer = |body: &Arc<BufferBody>| find(&body.core, "buffer");
        let texture = |body: &Arc<TextureBody>| find(&body.core, "texture");
        let transfer = |transfer: &Transfer| match transfer {
            Transfer::CopyBuffer { source, destination } => {
                buffer(&source.body).or_else(|| buffer(&destination.body))
            }
            Transfer::CopyBufferToTexture { source, destination, .. } => {
                buffer(&source.body).or_else(|| texture(&destination.body))
            }
            Transfer::CopyTextureToBuffer { source, destination, .. } => {
                texture(&source.body).or_else(|| buffer(&destination.body))
            }
            Transfer::CopyTexture { source, destination } => {
                texture(&source.body).or_else(|| texture(&destination.body))
            }
            Transfer::FillBuffer { destination, .. } => buffer(&destination.body),
            Transfer::SynchronizeBuffer { buffer: body, .. } => buffer(body),
            Transfer::SynchronizeTexture { texture: body, .. } => texture(body),
            Transfer::CopyParts { source, destination } => {
                source.iter().chain(destination).find_map(|slice| buffer(&slice.body))
            }
            Transfer::FillParts { destination, .. } => {
                destination.iter().find_map(|slice| buffer(&slice.body))
            }
            Transfer::GenerateMipmaps { texture: view } => texture(&view.body),
        };
        (self.buffers.iter().find_map(buffer))
            .or_else(|| self.textures.iter().find_map(|view| texture(&view.body)))
            .or_else(|| self.transfers.iter().find_map(transfer))
    }

    /// Bytes that the commands take.
    pub(crate) fn bytes(&self) -> u64 {
        let bytes = size_of_val(&*self.items)
            + size_of_val(&*self.commands)
            + size_of_val(&*self.accesses)
            + size_of_val(&*self.bindings)
            + size_of_val(&*self.transfers)
            + size_of_val(&*self.words);
        bytes as u64
    }

    fn clear(&mut self) {
        self.items.clear();
        self.commands.clear();
        self.accesses.clear();
        self.bindings.clear();
        self.buffers.clear();
        self.textures.clear();
        self.samplers.clear();
        self.pipelines.clear();
        self.transfers.clear();
        self.managed.clear();
        self.outputs.clear();
        self.attachments.clear();
        self.words.clear();
        self.fences.clear();
        self.heaps.clear();
        self.labels.clear();
        self.signposts.clear();
        self.notes.clear();
    }
}

/// Whether a resource has this name, for its GPU's or for its CPU's copy.
fn names(core: &ResourceCore, resource: ResourceId) -> bool {
    core.resource == resource || core.managed.as_ref().is_some_and(|copy| copy.resource == resource)
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            let mut spare = std::mem::take(self);
            spare.pool = Weak::new();
            spare.clear();
            pool.put(spare);
        }
    }
}

/// Emptied recordings of one device, so that recording allocates nothing in the steady state.
#[derive(Debug, Default)]
pub(crate) struct RecordingPool {
    spare: Mutex<Vec<Recording>>,
}

impl RecordingPool {
    /// An empty recording, with the vectors of an earlier one where there is one.
    pub(crate) fn take(self: &Arc<Self>) -> Recording {
        let mut recording = self.spare.lock().pop().unwrap_or_default();
        recording.pool = Arc::downgrade(self);
        recording
    }

    fn put(&self, recording: Recording) {
        let mut spare = self.spare.lock();
        if spare.len() < KEPT {
            spare.push(recording);
        }
    }
}

/// More spare recordings than this are freed. Metal's own limit of command buffers in flight.
const KEPT: usize = 64;
