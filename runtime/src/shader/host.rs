//! Host functions: kernels that are Rust closures, with declared accesses.
//!
//! Some kernels are worth native code, and tests want kernels that do odd things. A host function is used like any other: it has
//! bindings, runs by threadgroups, side by side with everything that nothing orders. What it is bound to may be written by others at
//! the same time when a program lacks a barrier, so it sees words through atomics and never through references to plain data.
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::lane::{Binding, BindingKind};

/// What a host function does to one buffer that it is bound to.
///
/// Order follows from what is declared: a function that writes what it declared as read races.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostBinding {
    /// As `@group` of a shader.
    pub group: u32,
    /// As `@binding` of a shader.
    pub binding: u32,
    /// For messages.
    pub name: String,
    /// The function reads the buffer.
    pub reads: bool,
    /// The function writes the buffer.
    pub writes: bool,
    /// Bytes that must be bound at least.
    pub minimum_bytes: u32,
}

impl HostBinding {
    /// A buffer of group 0 that is only read.
    pub fn read(binding: u32, name: &str) -> Self {
        let name = name.to_owned();
        Self { group: 0, binding, name, reads: true, writes: false, minimum_bytes: 4 }
    }

    /// A buffer of group 0 that is only written.
    pub fn write(binding: u32, name: &str) -> Self {
        Self { reads: false, writes: true, ..Self::read(binding, name) }
    }

    /// A buffer of group 0 that is read and written.
    pub fn read_write(binding: u32, name: &str) -> Self {
        Self { writes: true, ..Self::read(binding, name) }
    }
}

type Body = Box<dyn Fn(&HostContext<'_>) + Send + Sync>;

/// A closure with its declarations.
pub(crate) struct HostFunction {
    name: String,
    threads: [u32; 3],
    bindings: Vec<Binding>,
    body: Body,
}

impl HostFunction {
    pub(crate) fn new(
        name: &str,
        bindings: &[HostBinding],
        threads: [u32; 3],
        body: impl Fn(&HostContext<'_>) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let bindings = bindings.iter().map(HostBinding::declare).collect();
        Arc::new(Self { name: name.to_owned(), threads, bindings, body: Box::new(body) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn threads_per_threadgroup(&self) -> [u32; 3] {
        self.threads
    }

    pub(crate) fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// Calls the closure; its panic comes back as a message.
    pub(crate) fn call(&self, context: &HostContext<'_>) -> Result<(), String> {
        // What the closure shares with others is behind atomics or its own locks, so nothing of ours is left half done.
        catch_unwind(AssertUnwindSafe(|| (self.body)(context))).map_err(|panic| {
            let message = panic.downcast_ref::<&str>().map(|message| (*message).to_owned());
            message
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "(no message)".into())
        })
    }
}

impl fmt::Debug for HostFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostFunction").field("name", &self.name).finish_non_exhaustive()
    }
}

impl HostBinding {
    fn declare(&self) -> Binding {
        Binding {
            group: self.group,
            binding: self.binding,
            name: self.name.clone(),
            kind: BindingKind::Buffer { minimum_bytes: self.minimum_bytes, uniform: false },
            reads: self.reads,
            writes: self.writes,
            atomic_only: false,
        }
    }
}

/// What a host function sees: some threadgroups of a dispatch, and the buffers bound.
#[derive(Debug)]
pub struct HostContext<'a> {
    pub(crate) buffers: &'a [HostBuffer<'a>],
    pub(crate) grid: [u32; 3],
    pub(crate) threads: Option<[u32; 3]>,
    pub(crate) groups: Range<u64>,
}

impl<'a> HostContext<'a> {
    /// The buffer of a binding, by its place in the declarations; one without words where there is none.
    pub fn buffer(&self, index: usize) -> HostBuffer<'a> {
        self.buffers.get(index).copied().unwrap_or(HostBuffer { words: &[] })
    }

    /// The threadgroups that this call is for, numbered with x fastest. One dispatch may be several calls, on several threads at once.
    pub fn threadgroups(&self) -> Range<u64> {
        self.groups.clone()
    }

    /// Threadgroups of the whole dispatch in x, y, z.
    pub fn threadgroups_per_grid(&self) -> [u32; 3] {
        self.grid
    }

    /// Threads of the whole dispatch in x, y, z where it was given in threads: the last threadgroups may be partial.
    pub fn threads_per_grid(&self) -> Option<[u32; 3]> {
        self.threads
    }

    /// Where a threadgroup of that number stands in the grid.
    pub fn threadgroup_position(&self, number: u64) -> [u32; 3] {
        let [width, height, _] = self.grid.map(|length| u64::from(length.max(1)));
        [(number % width) as u32, (number / width % height) as u32, (number / width / height) as u32]
    }
}

/// The bytes of a bound buffer, as words that others may be writing.
///
/// Loads and stores are single words without order between them (relaxed); what orders commands is the device. Outside of the
/// buffer a load yields 0 and a store does nothing, as in kernels.
#[derive(Clone, Copy, Debug)]
pub struct HostBuffer<'a> {
    pub(crate) words: &'a [AtomicU32],
}

impl<'a> HostBuffer<'a> {
    /// Words of 4 bytes.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// A word.
    pub fn load(&self, word: usize) -> u32 {
        self.words.get(word).map_or(0, |word| word.load(Relaxed))
    }

    /// Writes a word.
    pub fn store(&self, word: usize, value: u32) {
        if let Some(word) = self.words.get(word) {
            word.store(value, Relaxed);
        }
    }

    /// A word as `f32`.
    pub fn load_f32(&self, word: usize) -> f32 {
        f32::from_bits(self.load(word))
    }

    /// Writes an `f32`.
    pub fn store_f32(&self, word: usize, value: f32) {
        self.store(word, value.to_bits());
    }

    /// One byte.
    pub fn load_byte(&self, byte: usize) -> u8 {
        self.load(byte / 4).to_le_bytes()[byte % 4]
    }

    /// Writes one byte and leaves its neighbours as they are, also when others write them at the same time.
    pub fn store_byte(&self, byte: usize, value: u8) {
        let Some(word) = self.words.get(byte / 4) else { return };
        let shift = byte % 4 * 8;
        let updated = |old: u32| Some(old & !(0xff << shift) | u32::from(value) << shift);
        // The closure always yields a word, so this always succeeds.
        word.fetch_update(Relaxed, Relaxed, updated).ok();
    }

    /// All words, for atomic operations of any kind.
    pub fn words(&self) -> &'a [AtomicU32] {
        self.words
    }
}
