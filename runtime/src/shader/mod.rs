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

mod builder;
mod dump;
mod error;
mod fold;
mod host;
pub mod lane;
mod lower;
mod module;
mod optimize;
mod spirv;
mod stack;
mod verify;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use error::{ShaderError, ShaderErrorKind};
pub(crate) use host::HostFunction;
pub use host::{HostBinding, HostBuffer, HostContext};
pub(crate) use module::Module;
pub(crate) use spirv::SpirvOptions;

/// A function that a compute pipeline can be made from.
#[doc(alias = "MTLFunction")]
#[derive(Clone, Debug)]
pub struct Function {
    body: Body,
    /// Absent for host functions.
    source: Option<Source>,
}

/// Where a kernel comes from: for devices that compile it in another way.
#[derive(Clone, Debug)]
struct Source {
    module: Module,
    constants: Arc<[(String, f64)]>,
}

/// What stands behind a function.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// Lane IR, for a backend to run or compile.
    Kernel(Arc<lane::Kernel>),
    /// A closure, for the CPU device to call.
    Host(Arc<HostFunction>),
}

impl Function {
    pub(crate) fn kernel(kernel: lane::Kernel, module: &Module, constants: &[(&str, f64)]) -> Self {
        let constants = constants.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
        let source = Some(Source { module: module.clone(), constants });
        Self { body: Body::Kernel(Arc::new(kernel)), source }
    }

    /// A kernel that is a Rust closure, for the CPU device alone.
    ///
    /// The closure is called with some threadgroups of a dispatch at a time, on several threads at once. What it is bound to is declared
    /// by `bindings`, in the order in which [`HostContext::buffer`] numbers them: order between commands follows from the declarations.
    /// A panic ends its command buffer with an error.
    ///
    /// ```
    /// use fencepost::{Function, HostBinding};
    /// let bindings = [HostBinding::read(0, "input"), HostBinding::write(1, "output")];
    /// let double = Function::host("double", &bindings, [1, 1, 1], |context| {
    ///     let (input, output) = (context.buffer(0), context.buffer(1));
    ///     for group in context.threadgroups() {
    ///         output.store(group as usize, input.load(group as usize) * 2);
    ///     }
    /// });
    /// assert_eq!(double.name(), "double");
    /// ```
    pub fn host(
        name: &str,
        bindings: &[HostBinding],
        threads_per_threadgroup: [u32; 3],
        body: impl Fn(&HostContext<'_>) + Send + Sync + 'static,
    ) -> Self {
        let function = HostFunction::new(name, bindings, threads_per_threadgroup, body);
        Self { body: Body::Host(function), source: None }
    }

    pub(crate) fn body(&self) -> &Body {
        &self.body
    }

    /// Its name in the library.
    pub fn name(&self) -> &str {
        match &self.body {
            Body::Kernel(kernel) => &kernel.name,
            Body::Host(function) => function.name(),
        }
    }

    /// Invocations of a threadgroup in x, y, z, as the source fixes them (`@workgroup_size`).
    pub fn threads_per_threadgroup(&self) -> [u32; 3] {
        match &self.body {
            Body::Kernel(kernel) => kernel.workgroup_size,
            Body::Host(function) => function.threads_per_threadgroup(),
        }
    }

    /// What it must be bound to, by group and binding: only what it uses, whatever else its module declares.
    pub fn bindings(&self) -> &[lane::Binding] {
        match &self.body {
            Body::Kernel(kernel) => &kernel.bindings,
            Body::Host(function) => function.bindings(),
        }
    }
}
