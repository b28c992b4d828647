//! What the benchmarks and the random-kernel tests share: one description of a kernel with its data, and two ways to run it.
//!
//! A [`Workload`] is a WGSL kernel with everything that it is bound to. [`lavapipe`] runs it through wgpu on Mesa's software
//! Vulkan; [`ours`] runs it on the CPU device of fencepost. Both get the same text and the same bytes and give bytes back, so
//! that a comparison of times is also a comparison of results.

pub mod compare;
pub mod kernels;
pub mod lavapipe;
pub mod ours;
pub mod raw;
pub mod timeline;
pub mod workload;

pub use workload::{Resource, Workload};
