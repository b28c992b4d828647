//! Blit encoders: copies, fills and mip generation of tracked queues, one after another.
use crate::api::encoder::{EncoderCore, common_methods};
use crate::api::transfer::transfer_methods;

/// Records a pass of copies and fills. They run in the order of recording.
///
/// It belongs to the thread that has it. Dropping it ends the pass.
///
/// ```
/// use fencepost::{Device, PixelFormat, TextureDescriptor, BufferLayout, TexturePlace};
/// let device = Device::cpu();
/// let pixels = device.new_buffer_with_bytes(&[10, 20, 30, 40], Default::default())?;
/// let image = device.new_texture(&TextureDescriptor::new_2d(PixelFormat::R8Unorm, 2, 2).with_all_mips())?;
/// let work = device.new_command_queue().command_buffer();
/// let mut blit = work.blit_command_encoder()?;
/// blit.copy_buffer_to_texture(&pixels, BufferLayout::rows(2), &image, TexturePlace::default(), [2, 2])?;
/// blit.generate_mipmaps(&image)?;
/// blit.copy_texture_to_buffer(&image, TexturePlace { level: 1, ..Default::default() }, [1, 1], &pixels, BufferLayout::rows(1))?;
/// blit.end_encoding();
/// work.commit()?;
/// work.wait_until_completed()?;
/// assert_eq!(pixels.read::<u8>(..)?, [25, 20, 30, 40]);
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLBlitCommandEncoder")]
#[derive(Debug)]
pub struct BlitCommandEncoder {
    core: EncoderCore,
}

impl BlitCommandEncoder {
    pub(crate) fn new(core: EncoderCore) -> Self {
        Self { core }
    }

    pub(crate) fn core(&mut self) -> &mut EncoderCore {
        &mut self.core
    }

    common_methods!();
    transfer_methods!();

    /// Brings what the GPU has written to a managed resource's CPU copy, which holds the old bytes until this command has run. The CPU
    /// reads them once the command buffer has completed, or once it has seen a shared event that was signalled behind.
    ///
    /// ```
    /// use fencepost::{Device, ResourceOptions, StorageMode};
    /// let device = Device::cpu();
    /// let managed = ResourceOptions { storage_mode: StorageMode::Managed, ..ResourceOptions::SHARED };
    /// let buffer = device.new_buffer(8, managed)?;
    /// let queue = device.new_command_queue();
    /// for (synchronized, seen) in [(false, 0), (true, 7)] {
    ///     let work = queue.command_buffer();
    ///     let mut blit = work.blit_command_encoder()?;
    ///     blit.fill_buffer(&buffer, .., 7)?;
    ///     if synchronized {
    ///         blit.synchronize(&buffer)?;
    ///     }
    ///     blit.end_encoding();
    ///     work.commit()?;
    ///     work.wait_until_completed()?;
    ///     assert_eq!(buffer.read::<u8>(..1)?, [seen]);
    /// }
    /// # Ok::<(), fencepost::Error>(())
    /// ```
    ///
    /// # Errors
    /// A resource that is not managed, or of another device.
    #[doc(alias = "synchronizeResource:")]
    #[track_caller]
    pub fn synchronize(&mut self, resource: &impl crate::Resource) -> Result<(), crate::Error> {
        self.core.here();
        self.core.synchronize("`synchronize`", resource, None)
    }

    /// The same for one level of one slice of a texture; other images keep what the CPU's copy holds.
    ///
    /// # Errors
    /// As [`synchronize`](Self::synchronize), and a slice or level that is not there.
    #[doc(alias = "synchronizeTexture:slice:level:")]
    #[track_caller]
    pub fn synchronize_texture(
        &mut self,
        texture: &crate::Texture,
        slice: u32,
        level: u32,
    ) -> Result<(), crate::Error> {
        const CALL: &str = "`synchronize_texture`";
        let image = texture.image(CALL, level, slice)?;
        self.core.here();
        self.core.synchronize(CALL, texture, Some(image))
    }

    /// Always: this is an encoder of copies.
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "the methods above ask every encoder")]
    fn check_transfers(&self, _call: &'static str) -> Result<(), crate::Error> {
        Ok(())
    }
}
