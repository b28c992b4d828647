//! Compute pipelines: functions made ready to run on a device.
use std::fmt;
use std::sync::Arc;

use fencepost_core::AccessKind;

use crate::api::binding_index::{BindingIndex, MAX_BINDING, MAX_GROUP};
use crate::api::device::DeviceShared;
use crate::api::label::Label;
use crate::backend::Pipeline;
use crate::error::{BindingError, ResourceError};
use crate::shader::lane::{Binding, BindingKind};
use crate::{Device, Error, Function};

/// A function that a device can run.
///
/// ```
/// use fencepost::Device;
/// let device = Device::cpu();
/// let library = device.new_library_with_wgsl("@compute @workgroup_size(8, 8) fn idle() {}")?;
/// let pipeline = device.new_compute_pipeline_state(&library.new_function("idle")?)?;
/// assert_eq!(pipeline.threads_per_threadgroup(), [8, 8, 1]);
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLComputePipelineState")]
#[derive(Clone)]
pub struct ComputePipelineState {
    pub(crate) inner: Arc<PipelineInner>,
}

pub(crate) struct PipelineInner {
    pub(crate) device: Arc<DeviceShared>,
    pub(crate) function: Function,
    pub(crate) pipeline: Arc<dyn Pipeline>,
    /// What each binding of the function takes, ready for recording.
    pub(crate) needs: Box<[Need]>,
    pub(crate) threads: [u32; 3],
    label: Label,
}

/// A binding as recording sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    /// Where the encoder keeps what is bound there.
    pub(crate) slot: u32,
    pub(crate) kind: BindingKind,
    /// How the kernel uses it; `None` where it never touches it.
    pub(crate) access: Option<AccessKind>,
}

impl ComputePipelineState {
    pub(crate) fn create(device: &Arc<DeviceShared>, function: &Function) -> Result<Self, Error> {
        let needs = function.bindings().iter().map(Need::new).collect::<Result<_, Error>>()?;
        let threads = function.threads_per_threadgroup();
        let total = threads.iter().map(|&side| u64::from(side)).product();
        if total == 0 || total > MAX_THREADS {
            let (call, what) = ("`new_compute_pipeline_state`", "the thread count of a threadgroup");
            return Err(
                ResourceError::Number { call, what, value: total, least: 1, most: MAX_THREADS }.into()
            );
        }
        let pipeline = device.backend().pipeline(function)?;
        let inner = PipelineInner {
            device: Arc::clone(device),
            function: function.clone(),
            pipeline,
            needs,
            threads,
            label: Label::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Threads of a threadgroup in x, y, z: the source fixes them.
    #[doc(alias = "requiredThreadsPerThreadgroup")]
    pub fn threads_per_threadgroup(&self) -> [u32; 3] {
        self.inner.threads
    }

    /// Threads of a threadgroup, altogether.
    #[doc(alias = "maxTotalThreadsPerThreadgroup")]
    pub fn max_total_threads_per_threadgroup(&self) -> u32 {
        self.inner.threads.iter().product()
    }

    /// The function.
    pub fn function(&self) -> &Function {
        &self.inner.function
    }

    /// The device that it runs on.
    pub fn device(&self) -> Device {
        Device { shared: Arc::clone(&self.inner.device) }
    }

    /// Its label; the function's name where there is none.
    pub fn label(&self) -> String {
        self.inner
            .label
            .get()
            .map_or_else(|| self.inner.function.name().to_owned(), |label| label.to_string())
    }

    /// Gives it a name for people.
    #[doc(alias = "setLabel")]
    pub fn set_label(&self, label: &str) {
        self.inner.label.set(label);
    }
}

impl Need {
    fn new(binding: &Binding) -> Result<Self, Error> {
        let index = BindingIndex { group: binding.group, binding: binding.binding };
        let Some(slot) = index.slot() else {
            let (groups, bindings) = (MAX_GROUP, MAX_BINDING);
            return Err(
                BindingError::Index { group: index.group, binding: index.binding, groups, bindings }.into()
            );
        };
        let access = match (binding.reads, binding.writes) {
            (false, false) => None,
            _ if binding.atomic_only => Some(AccessKind::Atomic),
            (true, false) => Some(AccessKind::Read),
            (false, true) => Some(AccessKind::Write),
            (true, true) => Some(AccessKind::ReadWrite),
        };
        Ok(Self { slot, kind: binding.kind, access })
    }
}

impl fmt::Debug for ComputePipelineState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComputePipelineState").field("label", &self.label()).finish_non_exhaustive()
    }
}

const MAX_THREADS: u64 = 1_024;
