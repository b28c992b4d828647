//! The CPU device.
pub(crate) mod interpreter;
pub(crate) mod memory;
pub(crate) mod texel;
