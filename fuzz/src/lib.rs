//! Random WGSL kernels, and how to make a failing one small.
//!
//! A kernel is generated from a list of choices ([`Choices`]): small numbers that say which construct comes next. The same list
//! gives the same kernel, a shorter or smaller list gives a smaller kernel, and every list gives a valid one. So a failing kernel
//! is reduced by editing its choices ([`reduce()`]), and libFuzzer's bytes are choices too.

mod choices;
pub mod generator;
pub mod judge;
mod reduce;

pub use choices::{Choices, Span};
pub use generator::kernel;
pub use reduce::reduce;
