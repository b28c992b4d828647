//! Kernels of this backend's own, for what the driver has no command for, or none that can be trusted with a program's numbers.
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::gpu::Gpu;
use super::memory::Block;
use super::pipeline::VulkanPipeline;
use crate::backend::Residence;
use crate::shader::Module;
use crate::{Error, PixelFormat};

/// Kernels and tables, made when they are first needed.
#[derive(Debug)]
pub(super) struct Tools {
    gpu: Arc<Gpu>,
    /// Four times each byte.
    pattern: OnceLock<Result<Block, Error>>,
    indirect: OnceLock<Result<VulkanPipeline, Error>>,
    mipmaps: Mutex<Vec<(PixelFormat, Arc<VulkanPipeline>)>>,
}

impl Tools {
    pub(super) fn new(gpu: &Arc<Gpu>) -> Self {
        let gpu = Arc::clone(gpu);
        Self { gpu, pattern: OnceLock::new(), indirect: OnceLock::new(), mipmaps: Mutex::default() }
    }

    /// A buffer in which byte `v` stands four times from `4 v` on.
    pub(super) fn pattern(&self) -> Result<&Block, Error> {
        let made = self.pattern.get_or_init(|| {
            let block = Block::new(&self.gpu, 1024, Residence::CpuCopy)?;
            let bytes: Vec<u8> = (0..=u8::MAX).flat_map(|value| [value; 4]).collect();
            block.write(0, &bytes);
            Ok(block)
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// Looks at the arguments of an indirect dispatch before the driver does.
    pub(super) fn indirect(&self) -> Result<&VulkanPipeline, Error> {
        self.indirect.get_or_init(|| self.compile(INDIRECT, "check")).as_ref().map_err(Clone::clone)
    }

    /// Makes a level from the one above it.
    pub(super) fn mipmap(&self, format: PixelFormat) -> Result<Arc<VulkanPipeline>, Error> {
        let mut made = self.mipmaps.lock();
        if let Some((_, known)) = made.iter().find(|(known, _)| *known == format) {
            return Ok(Arc::clone(known));
        }
        let source = MIPMAP.replace("FORMAT", &format!("{format:?}").to_lowercase());
        let pipeline = Arc::new(self.compile(&source, "mipmap")?);
        made.push((format, Arc::clone(&pipeline)));
        Ok(pipeline)
    }

    fn compile(&self, source: &str, name: &str) -> Result<VulkanPipeline, Error> {
        VulkanPipeline::new(&self.gpu, &Module::from_wgsl(source)?.function(name, &[])?)
    }
}

/// Words 0 to 2: what is dispatched; 3: whether that is nothing because of a limit; 4 to 6: what was asked for.
/// `most.w` is the place of the arguments in what is bound.
const INDIRECT: &str = "
    @group(0) @binding(0) var<storage, read> asked: array<u32>;
    @group(0) @binding(1) var<storage, read_write> made: array<u32, 8>;
    @group(0) @binding(2) var<uniform> most: vec4<u32>;
    @compute @workgroup_size(1) fn check() {
        let groups = vec3<u32>(asked[most.w], asked[most.w + 1u], asked[most.w + 2u]);
        let fits = select(0u, 1u, all(groups <= most.xyz));
        made[0] = groups.x * fits;
        made[1] = groups.y * fits;
        made[2] = groups.z * fits;
        made[3] = 1u - fits;
        made[4] = groups.x;
        made[5] = groups.y;
        made[6] = groups.z;
    }";

/// The average of the area that a texel covers in the level above, as on the CPU device: two texels along an even side, three along an
/// odd one, the outer two in part.
const MIPMAP: &str = "
    @group(0) @binding(0) var above: texture_2d_array<f32>;
    @group(0) @binding(1) var here: texture_storage_2d_array<FORMAT, write>;
    struct Cover { first: u32, count: u32, weights: vec3<f32> }
    fn cover(above_side: u32, here_side: u32, index: u32) -> Cover {
        if above_side == here_side { return Cover(index, 1u, vec3<f32>(1.0, 0.0, 0.0)); }
        if above_side % 2u == 0u { return Cover(2u * index, 2u, vec3<f32>(0.5, 0.5, 0.0)); }
        let parts = vec3<f32>(vec3<u32>(here_side - index, here_side, index + 1u));
        return Cover(2u * index, 3u, parts / f32(above_side));
    }
    @compute @workgroup_size(8, 8) fn mipmap(@builtin(global_invocation_id) id: vec3<u32>) {
        let size = textureDimensions(here);
        if any(id.xy >= size) { return; }
        let larger = textureDimensions(above);
        let across = cover(larger.x, size.x, id.x);
        let down = cover(larger.y, size.y, id.y);
        var sum = vec4<f32>();
        for (var row = 0u; row < down.count; row++) {
            var line = vec4<f32>();
            for (var column = 0u; column < across.count; column++) {
                let at = vec2<u32>(across.first + column, down.first + row);
                line += textureLoad(above, at, id.z, 0) * across.weights[column];
            }
            sum += line * down.weights[row];
        }
        textureStore(here, id.xy, id.z, sum);
    }";
