//! Levels of a texture from the level above, by rows.
use std::ops::Range;

use crate::record::TextureView;

/// Units of a phase.
pub(super) fn units(texture: &TextureView, phase: u32) -> Option<u64> {
    let level = phase + 1;
    if level >= texture.mips {
        return None;
    }
    let height = (texture.body.shape.height >> (texture.first_mip + level)).max(1);
    Some(u64::from(height) * u64::from(texture.slices))
}

/// Runs units of a phase.
pub(super) fn run(_texture: &TextureView, _phase: u32, _units: Range<u64>) {}
