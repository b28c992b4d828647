//! The bodies of resources: what encoders, submission and backends know of a buffer or a texture.
use std::ops::Range;
use std::sync::Arc;

use fencepost_core::{Extent, ResourceId};

use crate::api::ResourceCore;
use crate::backend::{Allocation, Image};
use crate::{Error, PixelFormat, SamplerDescriptor};

/// A buffer: a range of an allocation with a name in the order engine.
#[derive(Debug)]
pub(crate) struct BufferBody {
    /// Its name in the device's order engine.
    pub(crate) resource: ResourceId,
    /// Where its bytes are.
    pub(crate) allocation: Arc<dyn Allocation>,
    /// Bytes from the start of the allocation. A multiple of 4.
    pub(crate) offset: u64,
    /// Bytes. A multiple of 4.
    pub(crate) length: u64,
    /// Label, device, heap; gives the name and the memory back at the end.
    pub(crate) core: ResourceCore,
}

/// Bytes of a buffer that a transfer uses. Any offset and length.
#[derive(Clone, Debug)]
pub(crate) struct BufferSlice {
    /// The buffer; holding it keeps its memory.
    pub(crate) body: Arc<BufferBody>,
    /// Bytes from the start of the buffer.
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) length: u64,
}

/// Shape and format of a texture, all that its layout depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TextureShape {
    pub(crate) format: PixelFormat,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) mips: u32,
    pub(crate) slices: u32,
}

impl TextureShape {
    /// Texels of a level: half of the level before, rounded down, at least one.
    pub(crate) const fn level_size(&self, level: u32) -> [u32; 2] {
        let width = if level < 32 { self.width >> level } else { 0 };
        let height = if level < 32 { self.height >> level } else { 0 };
        [if width == 0 { 1 } else { width }, if height == 0 { 1 } else { height }]
    }
}

/// A texture: a range of an allocation, laid out by the backend.
#[derive(Debug)]
pub(crate) struct TextureBody {
    pub(crate) resource: ResourceId,
    pub(crate) allocation: Arc<dyn Allocation>,
    /// Bytes from the start of the allocation. A multiple of the backend's texture alignment.
    pub(crate) offset: u64,
    pub(crate) shape: TextureShape,
    /// What the backend needs besides; absent where the texels are bytes like any others.
    pub(crate) image: Option<Arc<dyn Image>>,
    /// Label, device, heap; gives the name and the memory back at the end.
    pub(crate) core: ResourceCore,
}

/// A managed buffer or texture.
#[derive(Clone, Debug)]
pub(crate) enum ManagedBody {
    Buffer(Arc<BufferBody>),
    Texture(Arc<TextureBody>),
}

impl ManagedBody {
    /// Brings what the CPU has published to the GPU's copy.
    pub(crate) fn upload(&self) -> Result<(), Error> {
        match self {
            Self::Buffer(body) => {
                body.core.managed.as_ref().map_or(Ok(()), |copy| copy.upload(&*body.allocation, body.offset))
            }
            Self::Texture(body) => {
                body.core.managed.as_ref().map_or(Ok(()), |copy| copy.upload_texture(body))
            }
        }
    }
}

/// A texture as bound: a view of some mips and slices of a body, maybe in another format of the same texel size.
#[derive(Clone, Debug)]
pub(crate) struct TextureView {
    pub(crate) body: Arc<TextureBody>,
    pub(crate) format: PixelFormat,
    /// First level of the body that the view shows, and how many.
    pub(crate) first_mip: u32,
    pub(crate) mips: u32,
    /// First slice of the body that the view shows, and how many.
    pub(crate) first_slice: u32,
    pub(crate) slices: u32,
    /// Bound as an array (a 2D array with one slice is still an array).
    pub(crate) array: bool,
}

impl TextureView {
    /// All of a texture, as it is.
    pub(crate) fn whole(body: &Arc<TextureBody>) -> Self {
        let TextureShape { format, mips, slices, .. } = body.shape;
        Self { body: Arc::clone(body), format, first_mip: 0, mips, first_slice: 0, slices, array: slices > 1 }
    }

    /// The mips and slices of the body that it shows.
    pub(crate) fn extent(&self) -> Extent {
        Extent::Subresources {
            mips: self.first_mip..self.first_mip + self.mips,
            slices: self.first_slice..self.first_slice + self.slices,
        }
    }

    /// Texels of a level of the view, counted from its first one.
    pub(crate) fn level_size(&self, level: u32) -> [u32; 2] {
        self.body.shape.level_size(self.first_mip + level)
    }
}

impl PartialEq for TextureView {
    /// The same body, seen in the same way.
    fn eq(&self, other: &Self) -> bool {
        let seen =
            |view: &Self| (view.format, view.first_mip, view.mips, view.first_slice, view.slices, view.array);
        Arc::ptr_eq(&self.body, &other.body) && seen(self) == seen(other)
    }
}

/// A rectangle of one mip of some slices. The view's format is the body's; mip and slices count from those of the body.
#[derive(Clone, Debug)]
pub(crate) struct TextureRegion {
    pub(crate) body: Arc<TextureBody>,
    pub(crate) mip: u32,
    pub(crate) slices: Range<u32>,
    pub(crate) origin: [u32; 2],
    pub(crate) size: [u32; 2],
}

/// A sampler is its descriptor.
pub(crate) type SamplerBody = SamplerDescriptor;
