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

    /// Always: this is an encoder of copies.
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "the methods above ask every encoder")]
    fn check_transfers(&self, _call: &'static str) -> Result<(), crate::Error> {
        Ok(())
    }
}
