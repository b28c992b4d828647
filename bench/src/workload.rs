//! A kernel with its data, in no device's words.

/// One kernel, what it is bound to and how far it is dispatched.
#[derive(Clone, Debug)]
pub struct Workload {
    /// For people.
    pub name: String,
    /// WGSL with one entry point named `main`.
    pub source: String,
    /// Bindings of group 0, in order.
    pub resources: Vec<Resource>,
    /// Workgroups in x, y, z.
    pub groups: [u32; 3],
}

/// One binding.
#[derive(Clone, Debug)]
pub enum Resource {
    /// `var<storage>`, with its first contents.
    Storage(Vec<u8>),
    /// `var<uniform>`, with its contents.
    Uniform(Vec<u8>),
    /// `texture_2d<f32>` of `rgba8unorm`, with its texels.
    Texture {
        /// Width and height in texels.
        size: [u32; 2],
        /// Four bytes a texel, rows tight.
        texels: Vec<u8>,
    },
    /// `texture_storage_2d<rgba8unorm, write>`.
    StorageTexture {
        /// Width and height in texels.
        size: [u32; 2],
    },
    /// A sampler that interpolates and clamps to the edge.
    LinearSampler,
}

impl Resource {
    /// Contents from typed values.
    pub fn storage<T: bytemuck::NoUninit>(values: &[T]) -> Self {
        Self::Storage(bytemuck::cast_slice(values).to_vec())
    }

    /// Zeros, in bytes.
    pub fn zeros(bytes: usize) -> Self {
        Self::Storage(vec![0; bytes])
    }

    /// The bytes that the kernel starts from; none for samplers and storage textures.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Storage(bytes) | Self::Uniform(bytes) | Self::Texture { texels: bytes, .. } => bytes,
            Self::StorageTexture { .. } | Self::LinearSampler => &[],
        }
    }
}
