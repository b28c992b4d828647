//! The kernels that the CPU device is measured on, their data, and the same work as plain loops over rayon.
//!
//! They are chosen to be unlike each other: memory alone (saxpy), neighbours (blur), inner products (matmul), barriers (reduce),
//! contended and private atomics (histograms), divergence (mandelbrot), arithmetic (n-body), library functions (trig), texels.

mod native;

use crate::{Resource, Workload};

/// One kernel of the table.
#[derive(Debug)]
pub struct Case {
    /// The kernel and its data.
    pub workload: Workload,
    /// The binding that holds the result.
    pub output: usize,
    /// How the result is read and how far two may differ.
    pub result: Kind,
    /// The same work as loops over rayon.
    pub native: Native,
}

/// Fills the words of the output from the resources.
pub type Native = fn(&[Resource], &mut [u32]);

/// What a result's bytes are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `u32` words that must be equal, except for this share of them (where a rounding decides a whole iteration).
    Words {
        /// From 0 to 1.
        may_differ: f64,
    },
    /// `f32` values that may differ by this much of the larger one (or absolutely where both are below 1).
    Floats {
        /// From 0 to 1.
        tolerance: f64,
    },
    /// Bytes of texels that may differ by this many steps.
    Texels {
        /// Steps of 1/255.
        steps: u8,
    },
}

/// Makes a case with its data.
pub type Make = fn() -> Case;

const EXACT: Kind = Kind::Words { may_differ: 0.0 };

impl Case {
    /// Words that the output holds.
    pub fn output_words(&self) -> usize {
        match &self.workload.resources[self.output] {
            Resource::StorageTexture { size } => (size[0] * size[1]) as usize,
            resource => resource.bytes().len() / 4,
        }
    }
}

/// Every kernel, made on demand: all of their data at once would be half a gigabyte.
pub const CASES: &[(&str, Make)] = &[
    ("saxpy 16 Mi", saxpy),
    ("blur 5x5 2048^2 buffer", blur),
    ("matmul 512", matmul),
    ("reduce 64 MiB", reduce),
    ("histogram global", histogram_global),
    ("histogram workgroup", histogram_workgroup),
    ("mandelbrot 1024^2", mandelbrot),
    ("n-body 4096", nbody),
    ("trig 4 Mi", trig),
    ("blur 5x5 2048^2 texture", blur_texture),
    ("bilinear x2 to 2048^2", bilinear),
];

fn case(source: &str, resources: Vec<Resource>, groups: [u32; 3], result: Kind, native: Native) -> Case {
    let output =
        resources.iter().rposition(|resource| !matches!(resource, Resource::LinearSampler)).unwrap_or(0);
    let workload = Workload { name: String::new(), source: source.to_owned(), resources, groups };
    Case { workload, output, result, native }
}

fn saxpy() -> Case {
    let n = 1 << 24;
    let resources = vec![floats(n, 1), floats(n, 2), Resource::zeros(n * 4)];
    case(
        include_str!("saxpy.wgsl"),
        resources,
        [256, 256, 1],
        Kind::Floats { tolerance: 1e-6 },
        native::saxpy,
    )
}

fn blur() -> Case {
    let n = 2048 * 2048;
    let resources = vec![words(n, 3), Resource::zeros(n * 4)];
    case(include_str!("blur.wgsl"), resources, [128, 128, 1], Kind::Texels { steps: 1 }, native::blur)
}

fn matmul() -> Case {
    let n = 512 * 512;
    let resources = vec![floats(n, 4), floats(n, 5), Resource::zeros(n * 4)];
    case(
        include_str!("matmul.wgsl"),
        resources,
        [32, 32, 1],
        Kind::Floats { tolerance: 1e-4 },
        native::matmul,
    )
}

fn reduce() -> Case {
    let resources = vec![floats(1 << 24, 6), Resource::zeros(65536 * 4)];
    case(
        include_str!("reduce.wgsl"),
        resources,
        [256, 256, 1],
        Kind::Floats { tolerance: 1e-4 },
        native::reduce,
    )
}

fn histogram_global() -> Case {
    let resources = vec![words(1 << 22, 7), Resource::zeros(256 * 4)];
    case(include_str!("histogram_global.wgsl"), resources, [256, 64, 1], EXACT, native::histogram)
}

fn histogram_workgroup() -> Case {
    let resources = vec![words(1 << 22, 7), Resource::zeros(256 * 4)];
    case(include_str!("histogram_workgroup.wgsl"), resources, [1024, 1, 1], EXACT, native::histogram)
}

fn mandelbrot() -> Case {
    let resources = vec![Resource::zeros(1024 * 1024 * 4)];
    let result = Kind::Words { may_differ: 0.01 };
    case(include_str!("mandelbrot.wgsl"), resources, [64, 64, 1], result, native::mandelbrot)
}

fn nbody() -> Case {
    let resources = vec![floats(4096 * 4, 8), Resource::zeros(4096 * 16)];
    case(include_str!("nbody.wgsl"), resources, [16, 1, 1], Kind::Floats { tolerance: 1e-2 }, native::nbody)
}

fn trig() -> Case {
    let n = 1 << 22;
    let resources = vec![floats(n, 9), Resource::zeros(n * 4)];
    case(include_str!("trig.wgsl"), resources, [256, 64, 1], Kind::Floats { tolerance: 2e-5 }, native::trig)
}

fn blur_texture() -> Case {
    let size = [2048, 2048];
    let texels = words(2048 * 2048, 3).bytes().to_vec();
    let resources = vec![Resource::Texture { size, texels }, Resource::StorageTexture { size }];
    case(include_str!("blur_texture.wgsl"), resources, [128, 128, 1], Kind::Texels { steps: 1 }, native::blur)
}

fn bilinear() -> Case {
    let texels = words(1024 * 1024, 10).bytes().to_vec();
    let source = Resource::Texture { size: [1024, 1024], texels };
    let resources = vec![source, Resource::LinearSampler, Resource::StorageTexture { size: [2048, 2048] }];
    case(include_str!("bilinear.wgsl"), resources, [128, 128, 1], Kind::Texels { steps: 1 }, native::bilinear)
}

/// Random values from -4 to 4.
fn floats(count: usize, seed: u64) -> Resource {
    let values: Vec<f32> = random(count, seed).map(|word| word as f32 / 2f32.powi(29) - 4.0).collect();
    Resource::storage(&values)
}

/// Random words.
fn words(count: usize, seed: u64) -> Resource {
    Resource::storage(&random(count, seed).collect::<Vec<u32>>())
}

/// splitmix64, the upper halves.
fn random(count: usize, seed: u64) -> impl Iterator<Item = u32> {
    (0..count as u64).map(move |i| {
        let mut z = (seed << 40 | (i + 1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    })
}
