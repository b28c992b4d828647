//! Guards of textures: the CPU's hold on images.
//!
//! Work in flight is known by level and slice, so that is what a guard holds: some levels of some slices. Otherwise all is as with
//! [buffers](super::guard).
use std::fmt;
use std::ops::Range;
use std::panic::Location;

use fencepost_core::Extent;

use crate::api::guard::{Meanwhile, Subject};
use crate::api::sharing::{CpuHold, Wanted};
use crate::api::texture::NOUN;
use crate::error::ResourceError;
use crate::{Error, Region, Texture};

/// Levels and slices of a texture held for reading. They are counted as the texture's own.
///
/// ```
/// use fencepost::{Device, PixelFormat, Region, TextureDescriptor};
/// let texture = Device::cpu().new_texture(&TextureDescriptor::new_2d(PixelFormat::R8Unorm, 4, 4).with_mips(2))?;
/// let guard = texture.read_guard(1..2, 0..1)?;
/// let mut texels = [9; 4];
/// guard.get_bytes(&mut texels, 2, Region::new(0, 0, 2, 2), 1, 0)?;
/// assert_eq!(texels, [0; 4]);
/// # Ok::<(), fencepost::Error>(())
/// ```
pub struct TextureReadGuard {
    held: Held,
}

/// Levels and slices of a texture held for reading and writing. They are counted as the texture's own.
///
/// ```
/// use fencepost::{Device, PixelFormat, Region, TextureDescriptor};
/// let texture = Device::cpu().new_texture(&TextureDescriptor::new_2d(PixelFormat::R8Unorm, 2, 1))?;
/// let guard = texture.write_guard(0..1, 0..1)?;
/// guard.replace_region(Region::new(1, 0, 1, 1), 0, 0, &[7], 1)?;
/// let mut texels = [9; 2];
/// guard.get_bytes(&mut texels, 2, Region::new(0, 0, 2, 1), 0, 0)?;
/// assert_eq!(texels, [0, 7]);
/// # Ok::<(), fencepost::Error>(())
/// ```
pub struct TextureWriteGuard {
    held: Held,
}

struct Held {
    texture: Texture,
    levels: Range<u32>,
    slices: Range<u32>,
    _hold: CpuHold,
}

impl Texture {
    /// Holds levels of slices for reading. It sleeps until no work in flight writes them and no write guard of another thread holds them;
    /// from then on, until the guard is dropped, work that would write them cannot be committed. It may sleep for ever as
    /// [`Buffer::read_guard`](crate::Buffer::read_guard) may.
    ///
    /// # Errors
    /// Levels or slices that are not there; private storage; a write guard of this same thread that holds some of them.
    #[track_caller]
    pub fn read_guard(&self, levels: Range<u32>, slices: Range<u32>) -> Result<TextureReadGuard, Error> {
        let held = self.take("`read_guard`", levels, slices, false, Meanwhile::Sleep)?;
        Ok(TextureReadGuard { held })
    }

    /// The same without sleeping.
    ///
    /// # Errors
    /// As [`read_guard`](Self::read_guard); also work in flight that writes them, which the error names, and any write guard that holds
    /// them.
    #[track_caller]
    pub fn try_read_guard(&self, levels: Range<u32>, slices: Range<u32>) -> Result<TextureReadGuard, Error> {
        let held = self.take("`try_read_guard`", levels, slices, false, Meanwhile::Refuse)?;
        Ok(TextureReadGuard { held })
    }

    /// Holds levels of slices for reading and writing. It sleeps until no work in flight uses them and no guard of another thread holds
    /// them; from then on, until the guard is dropped, work that would use them cannot be committed.
    ///
    /// # Errors
    /// Levels or slices that are not there; private storage; a guard of this same thread that holds some of them.
    #[track_caller]
    pub fn write_guard(&self, levels: Range<u32>, slices: Range<u32>) -> Result<TextureWriteGuard, Error> {
        let held = self.take("`write_guard`", levels, slices, true, Meanwhile::Sleep)?;
        Ok(TextureWriteGuard { held })
    }

    /// The same without sleeping.
    ///
    /// # Errors
    /// As [`write_guard`](Self::write_guard); also work in flight that uses them, which the error names, and any guard that holds them.
    #[track_caller]
    pub fn try_write_guard(
        &self,
        levels: Range<u32>,
        slices: Range<u32>,
    ) -> Result<TextureWriteGuard, Error> {
        let held = self.take("`try_write_guard`", levels, slices, true, Meanwhile::Refuse)?;
        Ok(TextureWriteGuard { held })
    }

    #[track_caller]
    fn take(
        &self,
        call: &'static str,
        levels: Range<u32>,
        slices: Range<u32>,
        write: bool,
        meanwhile: Meanwhile,
    ) -> Result<Held, Error> {
        let core = self.core();
        core.check_cpu_access(call, NOUN)?;
        self.check_part(call, "levels", &levels, self.view.mips)?;
        self.check_part(call, "slices", &slices, self.view.slices)?;
        let (mip, slice) = (self.view.first_mip, self.view.first_slice);
        let part = Extent::Subresources {
            mips: mip + levels.start..mip + levels.end,
            slices: slice + slices.start..slice + slices.end,
        };
        let words = || (in_words(&levels, &slices), self.describe());
        let subject = Subject { call, core, memory: &self.view.body.allocation, words: &words };
        let wanted = Wanted { part, bytes: None, write };
        let hold = subject.take(&wanted, meanwhile, Location::caller())?;
        Ok(Held { texture: self.clone(), levels, slices, _hold: hold })
    }
}

impl TextureReadGuard {
    /// Copies texels out, as [`Texture::get_bytes`] does.
    ///
    /// # Errors
    /// A level or slice that is not held; a region that is not there; too few bytes; rows that overlap.
    #[track_caller]
    pub fn get_bytes(
        &self,
        bytes: &mut [u8],
        bytes_per_row: u64,
        region: Region,
        level: u32,
        slice: u32,
    ) -> Result<(), Error> {
        self.held.get_bytes(bytes, bytes_per_row, region, level, slice)
    }
}

impl TextureWriteGuard {
    /// Copies texels out, as [`Texture::get_bytes`] does.
    ///
    /// # Errors
    /// A level or slice that is not held; a region that is not there; too few bytes; rows that overlap.
    #[track_caller]
    pub fn get_bytes(
        &self,
        bytes: &mut [u8],
        bytes_per_row: u64,
        region: Region,
        level: u32,
        slice: u32,
    ) -> Result<(), Error> {
        self.held.get_bytes(bytes, bytes_per_row, region, level, slice)
    }

    /// Copies texels in, as [`Texture::replace_region`] does.
    ///
    /// # Errors
    /// As [`get_bytes`](Self::get_bytes).
    #[track_caller]
    pub fn replace_region(
        &self,
        region: Region,
        level: u32,
        slice: u32,
        bytes: &[u8],
        bytes_per_row: u64,
    ) -> Result<(), Error> {
        const CALL: &str = "`replace_region` of a guard";
        self.held.check(CALL, level, slice)?;
        let texture = &self.held.texture;
        let (region, layout) = texture.cpu_region(CALL, region, level, slice, bytes.len(), bytes_per_row)?;
        texture.copy_in(&region, layout, bytes)
    }
}

impl Held {
    #[track_caller]
    fn get_bytes(
        &self,
        bytes: &mut [u8],
        bytes_per_row: u64,
        region: Region,
        level: u32,
        slice: u32,
    ) -> Result<(), Error> {
        const CALL: &str = "`get_bytes` of a guard";
        self.check(CALL, level, slice)?;
        let texture = &self.texture;
        let (region, layout) = texture.cpu_region(CALL, region, level, slice, bytes.len(), bytes_per_row)?;
        texture.copy_out(&region, layout, bytes)
    }

    fn check(&self, call: &'static str, level: u32, slice: u32) -> Result<(), Error> {
        for (what, asked, held) in [("level", level, &self.levels), ("slice", slice, &self.slices)] {
            if !held.contains(&asked) {
                let asked = u64::from(asked)..u64::from(asked) + 1;
                let (texture, has) = (self.texture.describe(), in_words(&self.levels, &self.slices));
                let texture = format!("the held part of {texture}");
                return Err(ResourceError::Texels { call, what, asked, texture, has }.into());
            }
        }
        Ok(())
    }
}

fn in_words(levels: &Range<u32>, slices: &Range<u32>) -> String {
    format!("levels {}..{} of slices {}..{}", levels.start, levels.end, slices.start, slices.end)
}

impl fmt::Debug for TextureReadGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TextureReadGuard").field(&self.held).finish()
    }
}

impl fmt::Debug for TextureWriteGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TextureWriteGuard").field(&self.held).finish()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&in_words(&self.levels, &self.slices))
    }
}
