//! From what is bound where to the list that a dispatch carries, and to its accesses.
use std::ops::Range;

use fencepost_core::{Access, AccessKind, Extent, ResourceId, Stage};

use super::ComputeCommandEncoder;
use crate::api::pipeline::{Need, PipelineInner};
use crate::error::{BindingError, Place};
use crate::record::{Bound, BoundBuffer, Recording, TextureView};
use crate::shader::lane::{BindingKind, SampleKind, StorageFormat, TextureDimension};
use crate::{Buffer, Error, PixelFormat, TextureUsage};

/// What is bound at one index.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Slot {
    #[default]
    Empty,
    Buffer {
        bound: BoundBuffer,
        resource: ResourceId,
        by_pointer: bool,
    },
    Bytes {
        start: u32,
        end: u32,
    },
    Texture {
        index: u32,
        usage: TextureUsage,
    },
    Sampler {
        index: u32,
    },
}

/// Bindings and accesses of a dispatch, in the recording.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) pipeline: u32,
    pub(super) bindings: Range<u32>,
    pub(super) accesses: Range<u32>,
    /// Those that hazard tracking does not see.
    pub(super) hidden: Range<u32>,
}

impl ComputeCommandEncoder {
    /// The bindings of the next dispatch: those of the last one where nothing has changed.
    #[inline]
    pub(super) fn resolved(&mut self) -> Result<Resolved, Error> {
        if self.on_heap {
            self.check_bound()?;
        }
        match &self.resolved {
            Some(resolved) => Ok(resolved.clone()),
            None => self.resolve(),
        }
    }

    /// That what the function needs still has its memory: it was bound while it had.
    fn check_bound(&mut self) -> Result<(), Error> {
        const CALL: &str = "a dispatch";
        let Some(pipeline) = &self.pipeline else { return Ok(()) };
        let recording = &self.core.recorder().recording;
        for need in &pipeline.inner.needs {
            match self.slots.get(need.slot as usize) {
                Some(Slot::Buffer { bound, .. }) => {
                    recording.buffers[bound.buffer as usize].core.check_alive(CALL, "buffer")?;
                }
                Some(Slot::Texture { index, .. }) => {
                    recording.textures[*index as usize].body.core.check_alive(CALL, "texture")?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn resolve(&mut self) -> Result<Resolved, Error> {
        let Some(pipeline) = &self.pipeline else {
            return Err(BindingError::NoPipeline { encoder: self.core.describe() }.into());
        };
        let inner = &*pipeline.inner;
        let recorder = self.core.recorder();
        let index = recorder.pipeline(&inner.pipeline);
        let recording = &mut recorder.recording;
        let (bindings, accesses) = (recording.bindings.len(), recording.accesses.len());
        for (number, need) in inner.needs.iter().enumerate() {
            let slot = self.slots.get(need.slot as usize).copied().unwrap_or_default();
            if !add(recording, need, slot) {
                recording.bindings.truncate(bindings);
                recording.accesses.truncate(accesses);
                return Err(unfit(recording, inner, number, slot));
            }
        }
        let seen = recording.accesses.len() as u32;
        if self.by_pointer {
            add_hidden(recording, &inner.needs, &self.slots);
        }
        let resolved = Resolved {
            pipeline: index,
            bindings: bindings as u32..recording.bindings.len() as u32,
            accesses: accesses as u32..seen,
            hidden: seen..recording.accesses.len() as u32,
        };
        self.resolved = Some(resolved.clone());
        Ok(resolved)
    }
}

/// Adds one binding; false where what is bound does not fit.
#[inline]
fn add(recording: &mut Recording, need: &Need, slot: Slot) -> bool {
    match (need.kind, slot) {
        (BindingKind::Buffer { minimum_bytes, .. }, Slot::Buffer { bound, resource, by_pointer }) => {
            if bound.length < u64::from(minimum_bytes) {
                return false;
            }
            recording.bindings.push(Bound::Buffer(bound));
            if let Some(kind) = need.access
                && !by_pointer
            {
                recording.accesses.push(bytes(resource, bound, kind));
            }
            true
        }
        (BindingKind::Buffer { minimum_bytes, .. }, Slot::Bytes { start, end }) => {
            let fits = (end - start) * 4 >= minimum_bytes && !writes(need.access);
            if fits {
                recording.bindings.push(Bound::Bytes { words: start..end });
            }
            fits
        }
        (
            BindingKind::SampledTexture { .. } | BindingKind::StorageTexture { .. },
            Slot::Texture { index, usage },
        ) => add_texture(recording, need, index, usage),
        (BindingKind::Sampler { comparison }, Slot::Sampler { index }) => {
            let fits = recording.samplers[index as usize].compare_function.is_some() == comparison;
            if fits {
                recording.bindings.push(Bound::Sampler(index));
            }
            fits
        }
        _ => false,
    }
}

/// Adds the accesses that tracking does not see, behind those that it does.
#[cold]
fn add_hidden(recording: &mut Recording, needs: &[Need], slots: &[Slot]) {
    for need in needs {
        if let Some(Slot::Buffer { bound, resource, by_pointer: true }) = slots.get(need.slot as usize)
            && let Some(kind) = need.access
        {
            recording.accesses.push(bytes(*resource, *bound, kind));
        }
    }
}

/// A kernel's access to bound bytes.
#[inline]
fn bytes(resource: ResourceId, bound: BoundBuffer, kind: AccessKind) -> Access {
    let extent = Extent::Bytes(bound.offset..bound.offset + bound.length);
    Access { resource, extent, kind, stage: Stage::Dispatch }
}

fn add_texture(recording: &mut Recording, need: &Need, index: u32, usage: TextureUsage) -> bool {
    let view = &recording.textures[index as usize];
    if misfit(need, view, usage).is_some() {
        return false;
    }
    let last_mip = match need.kind {
        // A storage texture shows one level.
        BindingKind::StorageTexture { .. } => view.first_mip + 1,
        _ => view.first_mip + view.mips,
    };
    if let Some(kind) = need.access {
        let slices = view.first_slice..view.first_slice + view.slices;
        let extent = Extent::Subresources { mips: view.first_mip..last_mip, slices };
        let access = Access { resource: view.body.resource, extent, kind, stage: Stage::Dispatch };
        recording.accesses.push(access);
    }
    recording.bindings.push(Bound::Texture(index));
    true
}

/// Why a texture does not fit a binding that takes textures.
fn misfit(need: &Need, view: &TextureView, usage: TextureUsage) -> Option<&'static str> {
    let (dimension, wanted, missing) = match need.kind {
        BindingKind::SampledTexture { dimension, .. } => {
            (dimension, TextureUsage::SHADER_READ, "Add the usage SHADER_READ to the texture's descriptor")
        }
        BindingKind::StorageTexture { dimension, .. } if writes(need.access) => {
            (dimension, TextureUsage::SHADER_WRITE, "Add the usage SHADER_WRITE to the texture's descriptor")
        }
        BindingKind::StorageTexture { dimension, .. } => {
            (dimension, TextureUsage::SHADER_READ, "Add the usage SHADER_READ to the texture's descriptor")
        }
        BindingKind::Buffer { .. } | BindingKind::Sampler { .. } => {
            return Some("Bind what the function declares");
        }
    };
    let format_fits = match need.kind {
        BindingKind::SampledTexture { sample, .. } => sample == sample_kind(view.format),
        BindingKind::StorageTexture { format, .. } => view.format == pixel_format(format),
        BindingKind::Buffer { .. } | BindingKind::Sampler { .. } => true,
    };
    if view.array != (dimension == TextureDimension::D2Array) {
        Some("Bind a view of the other type, made with `new_texture_view_of`")
    } else if !format_fits {
        Some("Bind a texture or a view of a format that fits")
    } else if !usage.contains(wanted) {
        Some(missing)
    } else {
        None
    }
}

/// Words what does not fit.
#[cold]
fn unfit(recording: &Recording, inner: &PipelineInner, number: usize, slot: Slot) -> Error {
    let need = &inner.needs[number];
    let binding = &inner.function.bindings()[number];
    let place = Place { name: binding.name.clone(), group: binding.group, binding: binding.binding };
    let function = inner.function.name().to_owned();
    let needed = describe_need(need.kind);
    let (bound, mend) = match slot {
        Slot::Empty => {
            let mend = "Bind one before the dispatch";
            return BindingError::Missing { function, needed, place, mend }.into();
        }
        Slot::Buffer { bound, .. } => {
            let name = recording.buffers[bound.buffer as usize].core.label.of("buffer");
            if let BindingKind::Buffer { minimum_bytes, .. } = need.kind {
                let (needed, bound_bytes) = (u64::from(minimum_bytes), bound.length);
                return BindingError::TooSmall { function, needed, place, bound: name, bound_bytes }.into();
            }
            (name, "Bind what the function declares")
        }
        Slot::Bytes { start, end } => {
            let bytes = u64::from(end - start) * 4;
            let name = "the value of `set_bytes`".to_owned();
            match need.kind {
                BindingKind::Buffer { minimum_bytes, .. } if bytes < u64::from(minimum_bytes) => {
                    let needed = u64::from(minimum_bytes);
                    return BindingError::TooSmall {
                        function,
                        needed,
                        place,
                        bound: name,
                        bound_bytes: bytes,
                    }
                    .into();
                }
                BindingKind::Buffer { .. } => (name, "The function writes there: bind a buffer"),
                _ => (name, "Bind what the function declares"),
            }
        }
        Slot::Texture { index, usage } => {
            let view = &recording.textures[index as usize];
            let mend = misfit(need, view, usage).unwrap_or("Bind what the function declares");
            (describe_view(view), mend)
        }
        Slot::Sampler { index } => {
            let comparison = recording.samplers[index as usize].compare_function.is_some();
            let name = if comparison { "a comparison sampler" } else { "a sampler without a comparison" };
            (name.to_owned(), "Bind what the function declares")
        }
    };
    BindingError::Wrong { function, needed, place, bound, mend: mend.to_owned() }.into()
}

fn describe_need(kind: BindingKind) -> String {
    let shape =
        |dimension| if dimension == TextureDimension::D2Array { "2D array texture" } else { "2D texture" };
    match kind {
        BindingKind::Buffer { uniform: true, .. } => "a uniform buffer".to_owned(),
        BindingKind::Buffer { uniform: false, .. } => "a storage buffer".to_owned(),
        BindingKind::SampledTexture { sample, dimension } => {
            let sample = match sample {
                SampleKind::Float => "float",
                SampleKind::Sint => "signed integer",
                SampleKind::Uint => "unsigned integer",
            };
            format!("a {} of {sample} components", shape(dimension))
        }
        BindingKind::StorageTexture { format, dimension } => {
            format!("a {} for storage in the format {:?}", shape(dimension), pixel_format(format))
        }
        BindingKind::Sampler { comparison: true } => "a comparison sampler".to_owned(),
        BindingKind::Sampler { comparison: false } => "a sampler without a comparison".to_owned(),
    }
}

fn describe_view(view: &TextureView) -> String {
    let shape = if view.array { "2D array" } else { "2D" };
    format!("{} ({shape}, {:?})", view.body.core.label.of("texture"), view.format)
}

fn writes(access: Option<AccessKind>) -> bool {
    matches!(access, Some(AccessKind::Write | AccessKind::ReadWrite | AccessKind::Atomic))
}

fn sample_kind(format: PixelFormat) -> SampleKind {
    if format.is_integer() { SampleKind::Uint } else { SampleKind::Float }
}

fn pixel_format(format: StorageFormat) -> PixelFormat {
    match format {
        StorageFormat::R8Unorm => PixelFormat::R8Unorm,
        StorageFormat::Rg8Unorm => PixelFormat::Rg8Unorm,
        StorageFormat::Rgba8Unorm => PixelFormat::Rgba8Unorm,
        StorageFormat::R16Float => PixelFormat::R16Float,
        StorageFormat::Rgba16Float => PixelFormat::Rgba16Float,
        StorageFormat::R32Float => PixelFormat::R32Float,
        StorageFormat::Rgba32Float => PixelFormat::Rgba32Float,
        StorageFormat::R32Uint => PixelFormat::R32Uint,
        StorageFormat::Rgba32Uint => PixelFormat::Rgba32Uint,
    }
}

/// A kernel's read of some bytes.
pub(super) fn reads(buffer: &Buffer, offset: u64, length: u64) -> Access {
    let extent = Extent::Bytes(offset..offset + length);
    Access { resource: buffer.body.resource, extent, kind: AccessKind::Read, stage: Stage::Dispatch }
}

/// A kernel's read of anything in a resource.
pub(super) fn reads_all(resource: ResourceId) -> Access {
    Access { resource, extent: Extent::Whole, kind: AccessKind::Read, stage: Stage::Dispatch }
}
