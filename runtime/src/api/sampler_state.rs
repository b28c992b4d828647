//! Samplers as objects.
use std::fmt;
use std::sync::Arc;

use crate::api::device::DeviceShared;
use crate::error::ResourceError;
use crate::{Device, Error, SamplerDescriptor};

/// A sampler, to be bound beside a texture.
///
/// ```
/// use fencepost::{Device, Filter, SamplerDescriptor};
/// let device = Device::cpu();
/// let descriptor = SamplerDescriptor { mag_filter: Filter::Linear, ..Default::default() };
/// let sampler = device.new_sampler_state(&descriptor)?;
/// assert_eq!(sampler.descriptor(), descriptor);
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLSamplerState")]
#[derive(Clone)]
pub struct SamplerState {
    pub(crate) device: Arc<DeviceShared>,
    pub(crate) descriptor: SamplerDescriptor,
    label: Option<Arc<str>>,
}

impl SamplerState {
    pub(crate) fn create(device: &Arc<DeviceShared>, descriptor: &SamplerDescriptor) -> Result<Self, Error> {
        const CALL: &str = "`new_sampler_state`";
        let &SamplerDescriptor { lod_min_clamp, lod_max_clamp, normalized_coordinates, .. } = descriptor;
        if !(lod_min_clamp >= 0.0 && lod_min_clamp <= lod_max_clamp) {
            let what = format!("{CALL} with levels from {lod_min_clamp} to {lod_max_clamp}");
            return Err(ResourceError::Levels { what }.into());
        }
        if !normalized_coordinates {
            let mend = "Divide coordinates by the texture's size, or load texels by their place";
            return Err(ResourceError::Unsupported {
                what: format!("{CALL} with coordinates in texels"),
                mend,
            }
            .into());
        }
        Ok(Self { device: Arc::clone(device), descriptor: *descriptor, label: None })
    }

    /// What it does.
    pub fn descriptor(&self) -> SamplerDescriptor {
        self.descriptor
    }

    /// The device it belongs to.
    pub fn device(&self) -> Device {
        Device { shared: Arc::clone(&self.device) }
    }

    /// Its label; empty where there is none.
    pub fn label(&self) -> &str {
        self.label.as_deref().unwrap_or_default()
    }

    /// The same with a name for messages. A sampler cannot be named later: clones are values.
    #[must_use]
    pub fn with_label(self, label: &str) -> Self {
        Self { label: Some(label.into()), ..self }
    }

    /// "sampler `label`", for messages.
    pub(crate) fn describe(&self) -> String {
        self.label
            .as_ref()
            .map_or_else(|| "a sampler without a label".to_owned(), |label| format!("sampler `{label}`"))
    }
}

impl fmt::Debug for SamplerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SamplerState").field("label", &self.label).finish_non_exhaustive()
    }
}
