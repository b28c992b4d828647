//! Runs a kernel on buffers of words and compares what it leaves with what plain Rust computes.

use std::sync::atomic::AtomicU32;

use super::{kernel_of, reference};
use crate::backend::cpu::interpreter::{BoundResource, Prepared, Scratch, Stop};
use crate::record::Grid;
use crate::shader::Module;
use crate::shader::lane::Kernel;

/// Runs `main` with buffers in the order of group and binding, by every interpreter there is; they must agree.
pub(super) fn run(source: &str, buffers: &[Vec<u32>], groups: [u32; 3]) -> Vec<Vec<u32>> {
    run_with(source, &[], buffers, groups)
}

pub(super) fn run_with(
    source: &str,
    constants: &[(&str, f64)],
    buffers: &[Vec<u32>],
    groups: [u32; 3],
) -> Vec<Vec<u32>> {
    let module = Module::from_wgsl(source).unwrap_or_else(|error| panic!("{error}\n{source}"));
    run_module(&module, constants, buffers, groups)
}

/// Runs `main` of a module, optimized and not.
pub(super) fn run_module(
    module: &Module,
    constants: &[(&str, f64)],
    buffers: &[Vec<u32>],
    groups: [u32; 3],
) -> Vec<Vec<u32>> {
    let plain = module.lowered("main", constants).unwrap_or_else(|error| panic!("{error}"));
    let expected = run_kernel(&plain, buffers, groups);
    let found = run_kernel(&kernel_of(module, "main", constants), buffers, groups);
    agree(&found, &expected, 0.0, &plain);
    found
}

fn run_kernel(kernel: &Kernel, buffers: &[Vec<u32>], groups: [u32; 3]) -> Vec<Vec<u32>> {
    assert_eq!(kernel.bindings.len(), buffers.len(), "{kernel}");
    let mut expected = buffers.to_vec();
    reference::run(kernel, &mut expected, groups);
    let found = interpret(kernel, buffers, groups);
    // The reference takes its transcendental functions from elsewhere.
    agree(&found, &expected, 1e-5, kernel);
    found
}

fn agree(found: &[Vec<u32>], expected: &[Vec<u32>], tolerance: f32, kernel: &Kernel) {
    for (binding, (found, expected)) in found.iter().zip(expected).enumerate() {
        for (at, (&x, &y)) in found.iter().zip(expected).enumerate() {
            let agree = near(x, y, tolerance);
            assert!(agree, "word {at} of binding {binding} is {x:#x}, should be {y:#x}\n{kernel}");
        }
    }
}

/// Runs a kernel by the device's interpreter.
fn interpret(kernel: &Kernel, buffers: &[Vec<u32>], groups: [u32; 3]) -> Vec<Vec<u32>> {
    let atomic = |words: &Vec<u32>| words.iter().map(|&word| AtomicU32::new(word)).collect::<Vec<_>>();
    let buffers: Vec<Vec<AtomicU32>> = buffers.iter().map(atomic).collect();
    let bound: Vec<_> = buffers.iter().map(|words| BoundResource::Buffer(words)).collect();
    run_bound(kernel, &bound, groups);
    buffers.into_iter().map(|words| words.into_iter().map(AtomicU32::into_inner).collect()).collect()
}

pub(super) fn run_bound(kernel: &Kernel, bound: &[BoundResource<'_>], groups: [u32; 3]) {
    let grid = Grid { groups, threads: None };
    let all = 0..groups.iter().map(|&size| u64::from(size)).product();
    let result = Prepared::new(kernel).run(bound, &grid, all, &mut Scratch::default(), &Stop::new());
    assert_eq!(result, Ok(()), "{kernel}");
}

/// Each lane gets one triple of inputs `a`, `b`, `c` (words) and leaves `width` words of `out`.
pub(super) fn check(
    declarations: &str,
    body: &str,
    width: usize,
    inputs: &[[u32; 3]],
    tolerance: f32,
    expected: impl Fn(u32, u32, u32) -> Vec<u32>,
) {
    for chunk in inputs.chunks(256) {
        let lanes = chunk.len();
        let source = format!(
            "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
             @group(0) @binding(1) var<storage, read> input: array<array<u32, 3>>;
             {declarations}
             @compute @workgroup_size({lanes}) fn main(@builtin(local_invocation_index) lane: u32) {{
                 let at = lane * {width}u;
                 let au = input[lane][0]; let bu = input[lane][1]; let cu = input[lane][2];
                 let ai = bitcast<i32>(au); let bi = bitcast<i32>(bu); let ci = bitcast<i32>(cu);
                 let a = bitcast<f32>(au); let b = bitcast<f32>(bu); let c = bitcast<f32>(cu);
                 {body}
             }}"
        );
        let buffers = [vec![0; lanes * width], chunk.concat()];
        let output = run(&source, &buffers, [1, 1, 1]);
        for (lane, &[a, b, c]) in chunk.iter().enumerate() {
            let found = &output[0][lane * width..][..width];
            let expected = expected(a, b, c);
            let agree = found.len() == expected.len()
                && found.iter().zip(&expected).all(|(&x, &y)| near(x, y, tolerance));
            assert!(
                agree,
                "{body}\nof {a:#x} {b:#x} {c:#x} ({:?} {:?} {:?})\nis {found:x?} ({:?})\nnot {expected:x?} ({:?})",
                f32::from_bits(a),
                f32::from_bits(b),
                f32::from_bits(c),
                floats(found),
                floats(&expected),
            );
        }
    }
}

fn floats(words: &[u32]) -> Vec<f32> {
    words.iter().map(|&word| f32::from_bits(word)).collect()
}

/// Equal, both NaN, or floats that differ by less than a share.
fn near(x: u32, y: u32, tolerance: f32) -> bool {
    let (f, g) = (f32::from_bits(x), f32::from_bits(y));
    x == y || (f.is_nan() && g.is_nan()) || (tolerance > 0.0 && (f - g).abs() <= tolerance * g.abs())
}

/// Floats with all that is odd about them.
pub(super) const FLOATS: [f32; 22] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    0.75,
    3.125,
    -7.75,
    100.25,
    -1000.5,
    1e-10,
    1e10,
    -3e20,
    f32::MIN_POSITIVE,
    1e-40,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

/// Floats that formulas of several steps keep finite.
pub(super) const MODERATE: [f32; 10] = [0.0, 1.0, -1.0, 0.5, 0.25, -0.75, 1.5, 3.125, -7.75, 20.0];

/// Integers with all that is odd about them.
pub(super) const WORDS: [u32; 16] =
    [0, 1, 2, 3, 5, 7, 31, 32, 33, 255, 256, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xdead_beef, 0xffff_ffff];

pub(super) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// All of `a`, with zeros.
pub(super) fn singles(a: &[u32]) -> Vec<[u32; 3]> {
    a.iter().map(|&a| [a, 0, 0]).collect()
}

/// All pairs.
pub(super) fn pairs(a: &[u32], b: &[u32]) -> Vec<[u32; 3]> {
    a.iter().flat_map(|&a| b.iter().map(move |&b| [a, b, 0])).collect()
}

/// All triples.
pub(super) fn triples(a: &[u32], b: &[u32], c: &[u32]) -> Vec<[u32; 3]> {
    let with = |pair: [u32; 3]| c.iter().map(move |&c| [pair[0], pair[1], c]);
    pairs(a, b).into_iter().flat_map(with).collect()
}
