//! Tests of lowering: every kernel is verified, what it computes is compared with plain Rust, some dumps are held as text.

use super::lane::Kernel;
use super::{Module, ShaderError, verify};

mod functions;
mod golden;
mod harness;
mod module;
mod reference;
mod refusal;
mod statements;
mod textures;

/// Lowers the function `main`.
fn kernel(source: &str) -> Kernel {
    let module = Module::from_wgsl(source).unwrap_or_else(|error| panic!("{error}\n{source}"));
    kernel_of(&module, "main", &[])
}

fn kernel_of(module: &Module, name: &str, constants: &[(&str, f64)]) -> Kernel {
    let function = module.function(name, constants).unwrap_or_else(|error| panic!("{error}"));
    let super::Body::Kernel(kernel) = function.body() else { panic!("a kernel") };
    verify::verify(kernel).unwrap_or_else(|error| panic!("{error}\n{kernel}"));
    kernel.as_ref().clone()
}

fn refusal(source: &str) -> ShaderError {
    match Module::from_wgsl(source).and_then(|module| module.function("main", &[])) {
        Ok(function) => panic!("lowered to {:?}", function.bindings()),
        Err(error) => error,
    }
}
