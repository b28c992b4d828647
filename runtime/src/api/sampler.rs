//! How a texture is sampled between its texels, beyond its edges and between its levels.

/// How texels of one level are blended.
#[doc(alias = "MTLSamplerMinMagFilter")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Filter {
    /// The nearest texel.
    #[default]
    Nearest,
    /// The four nearest texels, weighted by their distance.
    Linear,
}

/// How mip levels are blended.
#[doc(alias = "MTLSamplerMipFilter")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MipFilter {
    /// Only the first level of the view.
    #[default]
    NotMipmapped,
    /// The nearest level.
    Nearest,
    /// The two nearest levels, weighted.
    Linear,
}

/// What lies beyond the edges of a texture.
#[doc(alias = "MTLSamplerAddressMode")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AddressMode {
    /// The texel at the edge.
    #[default]
    ClampToEdge,
    /// The texture again.
    Repeat,
    /// The texture again, mirrored each second time.
    MirrorRepeat,
    /// Zero in every component.
    ClampToZero,
}

/// How a reference is compared with a texel, for comparison samplers.
#[doc(alias = "MTLCompareFunction")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareFunction {
    /// Never true.
    Never,
    /// The reference is less.
    Less,
    /// They are equal.
    Equal,
    /// The reference is less or they are equal.
    LessEqual,
    /// The reference is greater.
    Greater,
    /// They differ.
    NotEqual,
    /// The reference is greater or they are equal.
    GreaterEqual,
    /// Always true.
    Always,
}

/// What a sampler does.
///
/// ```
/// use fencepost::{AddressMode, Filter, SamplerDescriptor};
/// let smooth = SamplerDescriptor { min_filter: Filter::Linear, mag_filter: Filter::Linear, ..Default::default() };
/// assert_eq!(smooth.s_address_mode, AddressMode::ClampToEdge);
/// ```
#[doc(alias = "MTLSamplerDescriptor")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerDescriptor {
    /// Where the texture shrinks.
    pub min_filter: Filter,
    /// Where the texture grows.
    pub mag_filter: Filter,
    /// Between levels.
    pub mip_filter: MipFilter,
    /// Beyond the left and right edges.
    pub s_address_mode: AddressMode,
    /// Beyond the upper and lower edges.
    pub t_address_mode: AddressMode,
    /// The lowest level of detail sampled.
    pub lod_min_clamp: f32,
    /// The highest level of detail sampled.
    pub lod_max_clamp: f32,
    /// Coordinates run from 0 to 1 over the texture; otherwise they are texels.
    pub normalized_coordinates: bool,
    /// Makes it a comparison sampler.
    pub compare_function: Option<CompareFunction>,
}

impl Default for SamplerDescriptor {
    fn default() -> Self {
        Self {
            min_filter: Filter::Nearest,
            mag_filter: Filter::Nearest,
            mip_filter: MipFilter::NotMipmapped,
            s_address_mode: AddressMode::ClampToEdge,
            t_address_mode: AddressMode::ClampToEdge,
            lod_min_clamp: 0.0,
            lod_max_clamp: f32::MAX,
            normalized_coordinates: true,
            compare_function: None,
        }
    }
}
