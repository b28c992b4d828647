//! Kernels: from WGSL or SPIR-V through naga to lane IR, with what they are bound to.
//!
//! ```text
//!   WGSL ─┐                                      ┌► lower ─► optimize ─► verify ─► lane::Kernel ─► a backend
//!         ├► naga module ─► validate ─► overrides ┤
//!   SPIR-V┘                                      └► reflect ─► bindings ─► accesses of a dispatch
//! ```
//!
//! Everything that a device cannot do is said here, once, with the source line: a backend gets kernels that it can run.
//! Absent: 16- and 64-bit scalars, subgroups, 1D, 3D, cube and multisampled textures, ray queries, binding arrays.

mod error;
pub mod lane;
mod lower;
mod module;

use std::sync::Arc;

pub use error::{ShaderError, ShaderErrorKind};
pub(crate) use module::Module;

/// A function that a compute pipeline can be made from.
#[doc(alias = "MTLFunction")]
#[derive(Clone, Debug)]
pub struct Function {
    body: Body,
}

/// What stands behind a function.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// Lane IR, for a backend to run or compile.
    Kernel(Arc<lane::Kernel>),
}

impl Function {
    pub(crate) fn kernel(kernel: lane::Kernel) -> Self {
        Self { body: Body::Kernel(Arc::new(kernel)) }
    }

    pub(crate) fn body(&self) -> &Body {
        &self.body
    }

    /// Its name in the library.
    pub fn name(&self) -> &str {
        match &self.body {
            Body::Kernel(kernel) => &kernel.name,
        }
    }

    /// Invocations of a threadgroup in x, y, z, as the source fixes them (`@workgroup_size`).
    pub fn threads_per_threadgroup(&self) -> [u32; 3] {
        match &self.body {
            Body::Kernel(kernel) => kernel.workgroup_size,
        }
    }

    /// What it must be bound to, by group and binding: only what it uses, whatever else its module declares.
    pub fn bindings(&self) -> &[lane::Binding] {
        match &self.body {
            Body::Kernel(kernel) => &kernel.bindings,
        }
    }
}
