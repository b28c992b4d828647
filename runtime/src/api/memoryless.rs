//! Memoryless textures: attachments whose texels live inside a render pass and nowhere else.
//!
//! A tile renderer keeps a depth buffer on the chip while it draws and throws it away at the end of the pass; memory behind it would be
//! filled for nobody. So such a texture has none. Everything that would need it (kernels, copies, the CPU, loading and storing) is refused by
//! name, and the type below stands where an allocation would: it has no byte to give.
use std::sync::Arc;

use crate::backend::Allocation;
use crate::error::ResourceError;
use crate::{Error, StorageMode, TextureDescriptor, TextureUsage};

/// What a memoryless texture has for an allocation.
#[derive(Debug)]
pub(crate) struct NoMemory;

impl NoMemory {
    /// For a texture that is an attachment and nothing else.
    pub(crate) fn for_texture(
        call: &'static str,
        descriptor: &TextureDescriptor,
    ) -> Result<Arc<dyn Allocation>, Error> {
        let others = TextureUsage::SHADER_READ | TextureUsage::SHADER_WRITE;
        if descriptor.usage.contains(TextureUsage::RENDER_TARGET) && !descriptor.usage.intersects(others) {
            return Ok(Arc::new(Self));
        }
        let mend = "Give it the usage `RENDER_TARGET` and no shader's, or make it private";
        Err(ResourceError::NoSuchStorage { call, mode: StorageMode::Memoryless, mend }.into())
    }
}

impl Allocation for NoMemory {
    fn length(&self) -> u64 {
        0
    }

    fn read(&self, _offset: u64, _out: &mut [u8]) {
        unreachable!("every call that reads asks first whether there is memory")
    }

    fn write(&self, _offset: u64, _bytes: &[u8]) {
        unreachable!("every call that writes asks first whether there is memory")
    }
}
