//! Whole modules: reflection, SPIR-V.

use naga::back::spv;
use naga::valid::{Capabilities, ValidationFlags, Validator};

use super::harness::run_module;
use super::kernel;
use crate::shader::Module;
use crate::shader::lane::{Binding, BindingKind, SampleKind, StorageFormat, TextureDimension};

/// Goes through SPIR-V.
fn spirv(source: &str) -> Vec<u32> {
    let module = naga::front::wgsl::parse_str(source).expect("valid");
    let info = Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module).expect("valid");
    spv::write_vec(&module, &info, &spv::Options::default(), None).expect("written")
}

const COLLATZ: &str = "
    @group(0) @binding(0) var<storage, read_write> data: array<u32>;
    var<workgroup> total: atomic<u32>;
    fn steps(start: u32) -> u32 {
        var n = start; var count = 0u;
        while (n > 1u) { if (n % 2u == 0u) { n /= 2u; } else { n = 3u * n + 1u; } count++; }
        return count;
    }
    @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) i: u32) {
        var table = array<u32, 8>(); table[i] = steps(data[i]);
        atomicAdd(&total, table[i]); workgroupBarrier();
        switch i { case 0u: { data[i] = atomicLoad(&total); } case 1u, 2u: { data[i] = 0u; } default: { data[i] = table[i]; } }
    }";

#[test]
fn spirv_computes_the_same() {
    let words = spirv(COLLATZ);
    let swapped: Vec<u32> = words.iter().map(|word| word.swap_bytes()).collect();
    let steps = [0, 0, 1, 7, 2, 5, 8, 16];
    let expected = [steps.iter().sum(), 0, 0, 7, 2, 5, 8, 16];
    for words in [words, swapped] {
        let module = Module::from_spirv(&words).expect("SPIR-V");
        assert_eq!(module.function_names().collect::<Vec<_>>(), ["main"]);
        let found = run_module(&module, &[], &[(0..8).collect()], [1, 1, 1]);
        assert_eq!(found[0], expected);
    }
}

#[test]
fn spirv_override_constants() {
    // naga writes no specialization constants: a module by hand. `data[0] = constant`, of id 5, which is 3 by default.
    #[rustfmt::skip]
    let words = [
        0x0723_0203, 0x0001_0300, 0, 20, 0,
        0x0002_0011, 1, // Capability Shader
        0x0003_000e, 0, 1, // MemoryModel Logical GLSL450
        0x0005_000f, 5, 1, 0x6e69_616d, 0, // EntryPoint GLCompute %1 "main"
        0x0006_0010, 1, 17, 1, 1, 1, // ExecutionMode %1 LocalSize 1 1 1
        0x0004_0047, 2, 1, 5, // Decorate %2 SpecId 5
        0x0003_0047, 3, 3, // Decorate %3 BufferBlock
        0x0005_0048, 3, 0, 35, 0, // MemberDecorate %3 0 Offset 0
        0x0004_0047, 4, 34, 0, // Decorate %4 DescriptorSet 0
        0x0004_0047, 4, 33, 0, // Decorate %4 Binding 0
        0x0002_0013, 5, // %5 = TypeVoid
        0x0003_0021, 6, 5, // %6 = TypeFunction %5
        0x0004_0015, 7, 32, 0, // %7 = TypeInt 32 0
        0x0003_001e, 3, 7, // %3 = TypeStruct %7
        0x0004_0020, 8, 2, 3, // %8 = TypePointer Uniform %3
        0x0004_0020, 9, 2, 7, // %9 = TypePointer Uniform %7
        0x0004_003b, 8, 4, 2, // %4 = Variable %8 Uniform
        0x0004_0015, 10, 32, 1, // %10 = TypeInt 32 1
        0x0004_002b, 10, 11, 0, // %11 = Constant %10 0
        0x0004_0032, 7, 2, 3, // %2 = SpecConstant %7 3
        0x0005_0036, 5, 1, 0, 6, // %1 = Function %5 None %6
        0x0002_00f8, 12, // Label
        0x0005_0041, 9, 13, 4, 11, // %13 = AccessChain %9 %4 %11
        0x0003_003e, 13, 2, // Store %13 %2
        0x0001_00fd, 0x0001_0038, // Return, FunctionEnd
    ];
    let module = Module::from_spirv(&words).expect("SPIR-V");
    let run = |constants: &[(&str, f64)]| run_module(&module, constants, &[vec![0]], [1, 1, 1]);
    assert_eq!(run(&[]), [[3]]);
    assert_eq!(run(&[("5", 42.0)]), [[42]]);
}

#[test]
fn bindings_are_what_is_used() {
    let source = "
        struct Head { count: u32, items: array<vec4<f32>> }
        @group(1) @binding(3) var<storage, read_write> both: array<u32>;
        @group(0) @binding(5) var<storage, read> input: Head;
        @group(0) @binding(2) var<uniform> size: vec3<f32>;
        @group(0) @binding(9) var<storage, read_write> counter: atomic<u32>;
        @group(0) @binding(1) var<storage, read_write> unused: array<u32>;
        @group(2) @binding(0) var photo: texture_2d<f32>;
        @group(2) @binding(1) var layers: texture_2d_array<u32>;
        @group(2) @binding(2) var depth: texture_depth_2d;
        @group(2) @binding(3) var output: texture_storage_2d<rgba8unorm, write>;
        @group(2) @binding(4) var smooth_: sampler;
        @group(2) @binding(5) var shadow: sampler_comparison;
        @group(2) @binding(6) var asked: texture_2d<f32>;
        fn store(at: u32) { let p = &both; (*p)[at] = 1u; }
        @compute @workgroup_size(1) fn main() {
            if (false) { store(2u); }
            let x = input.items[0].x + size.x;
            atomicAdd(&counter, u32(x));
            let a = textureSampleLevel(photo, smooth_, vec2(0.5), 0.0);
            let b = textureLoad(layers, vec2(0), 1, 0);
            let c = textureSampleCompareLevel(depth, shadow, vec2(0.5), 0.5);
            textureStore(output, vec2(0), a * c + vec4<f32>(b) + f32(textureDimensions(asked).x));
        }";
    let bindings = kernel(source).bindings;
    let storage = |minimum_bytes| BindingKind::Buffer { minimum_bytes, uniform: false };
    let texture = |sample, dimension| BindingKind::SampledTexture { sample, dimension };
    let expected = [
        (0, 2, "size", BindingKind::Buffer { minimum_bytes: 12, uniform: true }, (true, false, false)),
        (0, 5, "input", storage(32), (true, false, false)),
        (0, 9, "counter", storage(4), (true, true, true)),
        (1, 3, "both", storage(4), (false, true, false)),
        (2, 0, "photo", texture(SampleKind::Float, TextureDimension::D2), (true, false, false)),
        (2, 1, "layers", texture(SampleKind::Uint, TextureDimension::D2Array), (true, false, false)),
        (2, 2, "depth", texture(SampleKind::Float, TextureDimension::D2), (true, false, false)),
        (
            2,
            3,
            "output",
            BindingKind::StorageTexture {
                format: StorageFormat::Rgba8Unorm,
                dimension: TextureDimension::D2,
            },
            (false, true, false),
        ),
        (2, 4, "smooth_", BindingKind::Sampler { comparison: false }, (true, false, false)),
        (2, 5, "shadow", BindingKind::Sampler { comparison: true }, (true, false, false)),
        (2, 6, "asked", texture(SampleKind::Float, TextureDimension::D2), (false, false, false)),
    ];
    let expected = expected.map(|(group, binding, name, kind, (reads, writes, atomic_only))| Binding {
        group,
        binding,
        name: name.to_owned(),
        kind,
        reads,
        writes,
        atomic_only,
    });
    assert_eq!(bindings, expected);
}
