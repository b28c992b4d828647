//! Kernels: from WGSL or SPIR-V through naga to lane IR, with what they are bound to.
pub mod lane;
