//! The bodies of resources: what encoders, submission and backends know of a buffer or a texture.
use std::ops::Range;
use std::sync::Arc;

use fencepost_core::ResourceId;

use crate::api::ResourceCore;
use crate::backend::Allocation;
use crate::{PixelFormat, SamplerDescriptor};

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

/// A texture: a range of an allocation, laid out by the backend.
#[derive(Debug)]
pub(crate) struct TextureBody {
    pub(crate) resource: ResourceId,
    pub(crate) allocation: Arc<dyn Allocation>,
    /// Bytes from the start of the allocation. A multiple of the backend's texture alignment.
    pub(crate) offset: u64,
    pub(crate) shape: TextureShape,
    /// Label, device, heap; gives the name and the memory back at the end.
    pub(crate) core: ResourceCore,
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
