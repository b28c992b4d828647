//! Kernels: from WGSL or SPIR-V through naga to lane IR, with what they are bound to.
pub mod lane;

/// A kernel, ready to be made a pipeline.
#[derive(Clone, Debug)]
pub struct Function {}
