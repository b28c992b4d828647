//! Tests of lowering: every kernel is verified; some dumps are held as text.

use super::lane::Kernel;
use super::{Module, ShaderErrorKind, verify};

/// Lowers the function `main`.
fn kernel(source: &str) -> Kernel {
    let module = Module::from_wgsl(source).unwrap_or_else(|error| panic!("{error}\n{source}"));
    let function = module.function("main", &[]).unwrap_or_else(|error| panic!("{error}\n{source}"));
    let super::Body::Kernel(kernel) = function.body() else { panic!("a kernel") };
    verify::verify(kernel).unwrap_or_else(|error| panic!("{error}\n{kernel}"));
    kernel.as_ref().clone()
}

fn refusal(source: &str) -> super::ShaderError {
    match Module::from_wgsl(source).and_then(|module| module.function("main", &[])) {
        Ok(function) => panic!("lowered to {:?}", function.bindings()),
        Err(error) => error,
    }
}

#[test]
fn adds_one() {
    let kernel = kernel(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             var x = data[id.x];
             for (var i = 0u; i < 4u; i++) { if (x > 10u) { break; } x += i; }
             data[id.x] = x + 1u;
         }",
    );
    println!("{kernel}");
}

#[test]
fn refuses_half_floats() {
    let error =
        refusal("enable f16;\n@compute @workgroup_size(1) fn main() { var x: f16 = 1.0h; x = x + x; }");
    assert_eq!(error.kind(), ShaderErrorKind::Unsupported, "{error}");
}
