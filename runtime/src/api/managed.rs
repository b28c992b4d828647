//! Managed resources: the CPU's copy, and how the bytes come from one copy to the other (rules 11.2.1 to 11.2.4).
//!
//! ```text
//!   CPU copy    write ─► did_modify ─► commit ┐                  ┌─► completed ─► read
//!   GPU copy                                  └─► kernels … ─► synchronize
//! ```
//!
//! There are two copies on every device, also where one would do: a program that forgets a call sees the old bytes everywhere, and not
//! only on a machine that its author does not have. Only published bytes move, and each only once.
//!
//! The CPU's copy has a name of its own in the order engine, for the guards alone: the CPU may touch its copy while kernels use theirs,
//! and only a `synchronize` in flight stands in the way.
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use fencepost_core::{MemoryId, ResourceDescriptor, ResourceId, ResourceShape, Tracking};
use parking_lot::Mutex;

use crate::Error;
use crate::api::device::DeviceShared;
use crate::backend::Allocation;
use crate::record::TextureBody;

/// The CPU's copy of a managed resource.
#[derive(Debug)]
pub(crate) struct CpuCopy {
    device: Arc<DeviceShared>,
    memory: MemoryId,
    /// Its name for guards.
    pub(crate) resource: ResourceId,
    pub(crate) allocation: Arc<dyn Allocation>,
    /// Of the resource's first byte.
    pub(crate) offset: u64,
    /// Bytes of the resource that the next commit brings to the GPU.
    published: Mutex<Intervals>,
}

impl CpuCopy {
    /// A copy of `length` bytes, from `offset` in its memory on.
    pub(crate) fn new(
        device: &Arc<DeviceShared>,
        allocation: Arc<dyn Allocation>,
        offset: u64,
        length: u64,
        shape: ResourceShape,
    ) -> Self {
        let memory = device.submission.add_memory();
        let resource = device.submission.add_resource(ResourceDescriptor {
            memory,
            bytes: 0..length,
            shape,
            tracking: Tracking::Untracked,
        });
        let device = Arc::clone(device);
        Self { device, memory, resource, allocation, offset, published: Mutex::default() }
    }

    /// These bytes of the resource are brought to the GPU by the next commit that uses it.
    pub(crate) fn publish(&self, bytes: Range<u64>) {
        self.published.lock().insert(bytes);
    }

    /// Brings what was published to the GPU's copy, whose first byte is at `offset`.
    pub(crate) fn upload(&self, to: &dyn Allocation, offset: u64) -> Result<(), Error> {
        let published = std::mem::take(&mut *self.published.lock());
        published.0.into_iter().try_for_each(|(start, end)| {
            let (from, into) = (self.offset + start, offset + start);
            self.device.backend().copy(&*self.allocation, from, to, into, end - start)
        })
    }

    /// The same for a texture.
    pub(crate) fn upload_texture(&self, texture: &TextureBody) -> Result<(), Error> {
        let published = std::mem::take(&mut *self.published.lock());
        if published.0.is_empty() {
            return Ok(());
        }
        let bytes: Vec<_> = published.0.into_iter().map(|(start, end)| start..end).collect();
        self.device.backend().upload_texture(&*self.allocation, self.offset, texture, &bytes)
    }
}

impl Drop for CpuCopy {
    fn drop(&mut self) {
        self.device.submission.remove_resource(self.resource);
        self.device.submission.remove_memory(self.memory);
    }
}

/// A set of bytes as ranges that neither meet nor touch: starts with their ends. A tree, since rows of a texture and scattered records come
/// in any order and by the thousand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Intervals(BTreeMap<u64, u64>);

impl Intervals {
    /// Adds bytes; ranges that meet or touch become one.
    pub(crate) fn insert(&mut self, bytes: Range<u64>) {
        if bytes.is_empty() {
            return;
        }
        let (mut first, mut last) = (bytes.start, bytes.end);
        while let Some((&start, &end)) = self.0.range(..=last).next_back()
            && end >= first
        {
            self.0.remove(&start);
            (first, last) = (first.min(start), last.max(end));
        }
        self.0.insert(first, last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn intervals_are_the_set_of_their_bytes() {
        let mut random = Random::new(5);
        for _ in 0..300 {
            let (mut intervals, mut bytes) = (Intervals::default(), [false; 64]);
            for _ in 0..random.below(24) {
                let start = random.below(64);
                let end = (start + random.below(9)).min(64);
                intervals.insert(start as u64..end as u64);
                bytes[start..end].fill(true);
            }
            let inside = |byte: u64| intervals.0.iter().any(|(start, end)| (*start..*end).contains(&byte));
            assert!((0..64).all(|byte| inside(byte) == bytes[byte as usize]), "{intervals:?}");
            let ends = intervals.0.values().zip(intervals.0.keys().skip(1));
            assert!(ends.into_iter().all(|(end, next)| end < next), "{intervals:?}");
        }
    }
}
