//! A function made runnable, and how long it takes as far as known.
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::interpreter::Prepared;
use crate::backend::Pipeline;
use crate::shader::{Body, Function, HostFunction};

/// A kernel of the CPU device.
#[derive(Debug)]
pub(super) struct CpuPipeline {
    pub(super) kernel: Kernel,
    name: String,
    threads: [u32; 3],
    /// Nanoseconds of one threadgroup, a moving average; 0 before the first run.
    group_ns: AtomicU32,
}

/// How it runs.
#[derive(Debug)]
pub(super) enum Kernel {
    Interpreted(Box<Prepared>),
    Host(Arc<HostFunction>),
}

impl Pipeline for CpuPipeline {}

impl CpuPipeline {
    pub(super) fn new(function: &Function) -> Self {
        let kernel = match function.body() {
            Body::Kernel(kernel) => Kernel::Interpreted(Box::new(Prepared::new(kernel))),
            Body::Host(function) => Kernel::Host(Arc::clone(function)),
        };
        Self {
            kernel,
            name: function.name().to_owned(),
            threads: function.threads_per_threadgroup(),
            group_ns: AtomicU32::new(0),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn threads_per_threadgroup(&self) -> [u32; 3] {
        self.threads
    }

    /// Nanoseconds that so many threadgroups may take; `None` before anything is known.
    pub(super) fn estimate_ns(&self, groups: u64) -> Option<u64> {
        let group_ns = self.group_ns.load(Relaxed);
        (group_ns > 0).then(|| groups.saturating_mul(u64::from(group_ns)))
    }

    /// So many threadgroups took so long. Losing a note of another thread does no harm.
    pub(super) fn note(&self, groups: u64, ns: u64) {
        let now = u32::try_from(ns / groups.max(1)).unwrap_or(u32::MAX).max(1);
        let before = self.group_ns.load(Relaxed);
        let average = if before == 0 { now } else { before - before / 4 + now / 4 };
        if average != before {
            self.group_ns.store(average.max(1), Relaxed);
        }
    }
}
