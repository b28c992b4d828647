//! Random WGSL kernels and random programs, and how to make a failing kernel small.
//!
//! A kernel is generated from a list of choices ([`Choices`]): small numbers that say which construct comes next. The same list
//! gives the same kernel, a shorter or smaller list gives a smaller kernel, and every list gives a valid one. So a failing kernel
//! is reduced by editing its choices (`reduce`), and libFuzzer's bytes are choices too.
//!
//! [`programs`] has the same for programs: bytes are a text, or the choices that a program is made from. `textures` has it for regions of
//! textures, which a plain model judges.

mod choices;
#[cfg(feature = "kernels")]
pub mod generator;
#[cfg(feature = "kernels")]
pub mod judge;
#[path = "../../core/tests/order/oracle/mod.rs"]
mod oracle;
pub mod programs;
#[cfg(feature = "kernels")]
mod reduce;
#[cfg(feature = "kernels")]
pub mod textures;

pub use choices::{Choices, Span};
#[cfg(feature = "kernels")]
pub use generator::kernel;
#[cfg(feature = "kernels")]
pub use reduce::reduce;

/// Bytes as text into the WGSL front end and as words into the SPIR-V front end: an error at worst.
#[cfg(feature = "kernels")]
pub fn front_end(bytes: &[u8]) {
    let device = fencepost::Device::cpu();
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(library) = device.new_library_with_wgsl(text)
    {
        for name in library.function_names() {
            drop(library.new_function(name));
        }
    }
    let words: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
    drop(device.new_library_with_spirv(&words));
}

/// Bytes as the generator's choices: what it writes, the front end takes.
#[cfg(feature = "kernels")]
pub fn generated(bytes: &[u8]) {
    let choices = bytes.as_chunks::<2>().0.iter().map(|pair| u32::from(u16::from_le_bytes(*pair))).collect();
    let workload = kernel(&mut Choices::replay(choices));
    let library = fencepost::Device::cpu().new_library_with_wgsl(&workload.source);
    let function = library.and_then(|library| library.new_function("main"));
    assert!(function.is_ok(), "{}\n{}", function.unwrap_err(), workload.source);
}
