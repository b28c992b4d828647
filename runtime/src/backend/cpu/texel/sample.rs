//! Sampling: which texels a coordinate touches, and how they are blended.
//!
//! A level of detail at or below 0 magnifies, above it minifies. The nearest level is the one at most half a level away. Weights are
//! 32-bit floats, not rounded to a few bits as some hardware does.
use super::TexelView;
use super::format::Texel;
use crate::shader::lane::TextureQuery;
use crate::{AddressMode, CompareFunction, Filter, MipFilter, SamplerDescriptor};

/// Levels that are sampled.
pub(super) struct Levels {
    pub(super) filter: Filter,
    pub(super) first: u32,
    pub(super) second: Option<u32>,
    /// Of the second one.
    pub(super) weight: f32,
}

/// Up to two texels along one axis; `None` is outside of a texture that is zero there.
#[derive(Clone, Copy)]
struct Taps {
    texels: [Option<u32>; 2],
    /// Of the second one.
    weight: f32,
}

impl TexelView<'_> {
    /// A number about the view.
    #[inline(always)]
    pub(crate) fn query(&self, query: TextureQuery, level: u32) -> u32 {
        let image = self.image(level.min(self.levels.saturating_sub(1)));
        match query {
            TextureQuery::Width => image.width,
            TextureQuery::Height => image.height,
            TextureQuery::Levels => self.levels,
            TextureQuery::Slices => self.slices,
        }
    }

    /// Filters texels around a place. With a reference each is compared first, and red is how many pass (0 to 1).
    pub(crate) fn sample(
        &self,
        sampler: &SamplerDescriptor,
        at: [f32; 2],
        slice: i32,
        level: f32,
        offset: [i32; 2],
        reference: Option<f32>,
    ) -> Texel {
        let slice = self.clamp_slice(slice);
        let Levels { filter, first, second, weight } = self.levels_of(sampler, level);
        let one = |level: u32| self.sample_level(sampler, filter, at, [slice, level], offset, reference);
        let texel = one(first);
        let texel = second.map_or(texel, |second| blend(texel, one(second), weight));
        texel.map(f32::to_bits)
    }

    /// The levels that a level of detail means, and how texels are filtered there.
    #[inline(always)]
    pub(super) fn levels_of(&self, sampler: &SamplerDescriptor, level: f32) -> Levels {
        // In this order NaN and a minimum above the maximum come out as something: no level is outside in the end.
        let level = level.max(sampler.lod_min_clamp).min(sampler.lod_max_clamp);
        let filter = if level > 0.0 { sampler.min_filter } else { sampler.mag_filter };
        let last = self.levels.saturating_sub(1);
        let level = level.max(0.0).min(last as f32);
        match sampler.mip_filter {
            MipFilter::NotMipmapped => Levels { filter, first: 0, second: None, weight: 0.0 },
            MipFilter::Nearest => {
                Levels { filter, first: (level + 0.5).floor() as u32, second: None, weight: 0.0 }
            }
            MipFilter::Linear => {
                let (first, weight) = (level.floor() as u32, level - level.floor());
                let second = (weight > 0.0).then_some((first + 1).min(last));
                Levels { filter, first, second, weight }
            }
        }
    }

    /// The four texels a bilinear sample would blend, one component of each: lower left, lower right, upper right, upper left.
    pub(crate) fn gather(
        &self,
        sampler: &SamplerDescriptor,
        component: u8,
        at: [f32; 2],
        slice: i32,
        offset: [i32; 2],
        reference: Option<f32>,
    ) -> Texel {
        let slice = self.clamp_slice(slice);
        let [columns, rows] = self.taps(sampler, Filter::Linear, at, 0, offset);
        [(0, 1), (1, 1), (1, 0), (0, 0)].map(|(column, row)| {
            let texel = self.tap(columns.texels[column], rows.texels[row], slice, 0);
            let word = texel[usize::from(component) % 4];
            match reference {
                Some(reference) => {
                    f32::from(u8::from(passes(sampler, reference, f32::from_bits(word)))).to_bits()
                }
                None => word,
            }
        })
    }

    #[inline(always)]
    fn sample_level(
        &self,
        sampler: &SamplerDescriptor,
        filter: Filter,
        at: [f32; 2],
        [slice, level]: [u32; 2],
        offset: [i32; 2],
        reference: Option<f32>,
    ) -> [f32; 4] {
        let [columns, rows] = self.taps(sampler, filter, at, level, offset);
        let texel = |column: usize, row: usize| {
            let texel = self.tap(columns.texels[column], rows.texels[row], slice, level).map(f32::from_bits);
            match reference {
                Some(reference) => [f32::from(u8::from(passes(sampler, reference, texel[0]))), 0.0, 0.0, 1.0],
                None => texel,
            }
        };
        match filter {
            Filter::Nearest => texel(0, 0),
            Filter::Linear => {
                let upper = blend(texel(0, 0), texel(1, 0), columns.weight);
                let lower = blend(texel(0, 1), texel(1, 1), columns.weight);
                blend(upper, lower, rows.weight)
            }
        }
    }

    /// Columns and rows that a place touches.
    #[inline(always)]
    fn taps(
        &self,
        sampler: &SamplerDescriptor,
        filter: Filter,
        at: [f32; 2],
        level: u32,
        offset: [i32; 2],
    ) -> [Taps; 2] {
        let image = self.image(level);
        let sides = [image.width, image.height];
        let modes = [sampler.s_address_mode, sampler.t_address_mode];
        std::array::from_fn(|axis| {
            let side = sides[axis];
            let scale = if sampler.normalized_coordinates { side as f32 } else { 1.0 };
            let shift = if filter == Filter::Linear { 0.5 } else { 0.0 };
            let (index, weight) = tap(at[axis] * scale - shift);
            let index = index + offset[axis];
            Taps { texels: [index, index + 1].map(|index| address(index, side, modes[axis])), weight }
        })
    }

    #[inline(always)]
    fn tap(&self, column: Option<u32>, row: Option<u32>, slice: u32, level: u32) -> Texel {
        match (column, row) {
            (Some(column), Some(row)) => self.load([column, row], slice, level),
            _ => [0, 0, 0, self.border_alpha()],
        }
    }

    /// Beyond the edges a format without alpha is opaque, as it is inside.
    #[inline(always)]
    pub(super) fn border_alpha(&self) -> u32 {
        match (self.format.components(), self.format.is_integer()) {
            (4, _) => 0,
            (_, true) => 1,
            (_, false) => 1.0_f32.to_bits(),
        }
    }

    #[inline(always)]
    pub(super) fn clamp_slice(&self, slice: i32) -> u32 {
        slice.max(0).cast_unsigned().min(self.slices.saturating_sub(1))
    }
}

/// The texel before a place, and how far behind it the place is. Places far outside are brought to where integers still are exact.
#[inline(always)]
pub(super) fn tap(place: f32) -> (i32, f32) {
    /// More than any texture has, with room for offsets.
    const FAR: f32 = 1_073_741_824.0;
    let first = place.floor();
    let near = if first > -FAR { first } else { -FAR };
    let near = if near < FAR { near } else { FAR };
    // SAFETY: the number is between -2³⁰ and 2³⁰; NaN has failed the first comparison.
    let index = unsafe { near.to_int_unchecked::<i32>() };
    (index, place - first)
}

/// The texel that stands for an index, inside or not.
#[inline(always)]
pub(super) fn address(index: i32, side: u32, mode: AddressMode) -> Option<u32> {
    let (index, length) = (i64::from(index), i64::from(side));
    let index = match mode {
        AddressMode::ClampToEdge => index.clamp(0, length - 1),
        AddressMode::Repeat => index.rem_euclid(length),
        AddressMode::MirrorRepeat => {
            let index = index.rem_euclid(2 * length);
            index.min(2 * length - 1 - index)
        }
        AddressMode::ClampToZero => return (0..length).contains(&index).then_some(index as u32),
    };
    Some(index as u32)
}

#[inline(always)]
fn blend(a: [f32; 4], b: [f32; 4], weight: f32) -> [f32; 4] {
    std::array::from_fn(|component| a[component] * (1.0 - weight) + b[component] * weight)
}

#[inline(always)]
pub(super) fn passes(sampler: &SamplerDescriptor, reference: f32, texel: f32) -> bool {
    match sampler.compare_function {
        // A sampler without comparison never gets as far as a kernel that compares.
        None | Some(CompareFunction::Never) => false,
        Some(CompareFunction::Less) => reference < texel,
        Some(CompareFunction::Equal) => reference == texel,
        Some(CompareFunction::LessEqual) => reference <= texel,
        Some(CompareFunction::Greater) => reference > texel,
        Some(CompareFunction::NotEqual) => reference != texel,
        Some(CompareFunction::GreaterEqual) => reference >= texel,
        Some(CompareFunction::Always) => true,
    }
}
