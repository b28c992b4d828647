//! Residency sets: what an app wants to be in reach of the GPU, told in groups.
//!
//! On a device that pages its memory, commands may only touch what was made resident before. No device here does: what it has given out is in
//! its reach until it is dropped. So a set changes no meaning and no speed; it is here so that code written for Metal 4 keeps its shape, and
//! it does what can be seen from outside: it counts, keeps what it holds alive, and takes changes over at `commit`. What it does *not* do is
//! just as much worth knowing: it declares no use, protects nothing and orders nothing.
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::api::device::{DeviceShared, label_or_empty};
use crate::api::heap::HeapShared;
use crate::api::label::Label;
use crate::error::ResourceError;
use crate::record::{BufferBody, TextureBody};
use crate::{Buffer, Device, Error, Heap, Texture};

/// What a residency set is made from.
#[doc(alias = "MTLResidencySetDescriptor")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResidencySetDescriptor {
    /// Its label.
    pub label: String,
    /// How many allocations room is made for at once; more find room as well.
    pub initial_capacity: usize,
}

/// A group of allocations that an app wants to be in reach of the GPU.
///
/// Everything that a device has given out is in its reach, whether or not it is in a set. A set keeps what it holds alive, and that is all: it
/// is no [`use_resource`](crate::ComputeCommandEncoder::use_resource), and no order follows from it.
///
/// ```
/// use fencepost::{Device, ResourceOptions};
/// let device = Device::cpu();
/// let buffer = device.new_buffer(64, ResourceOptions::SHARED)?;
/// let set = device.new_residency_set(&Default::default());
/// set.add_allocation(&buffer)?;
/// assert_eq!(set.allocation_count(), 0, "not before it is committed");
/// set.commit();
/// assert!(set.contains_allocation(&buffer));
/// assert_eq!((set.allocation_count(), set.allocated_size()), (1, 64));
/// set.request_residency();
/// device.new_command_queue().add_residency_set(&set)?;
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLResidencySet")]
#[derive(Clone)]
pub struct ResidencySet {
    pub(crate) shared: Arc<ResidencySetShared>,
}

pub(crate) struct ResidencySetShared {
    pub(crate) device: Arc<DeviceShared>,
    label: Label,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    committed: Vec<Kept>,
    /// As it will be at the next commit.
    staged: Vec<Kept>,
}

/// What has memory that can be resident: a buffer, a texture or a heap.
#[doc(alias = "MTLAllocation")]
pub trait Allocation: sealed::Sealed {}

/// An allocation, kept alive.
#[derive(Clone)]
enum Kept {
    Buffer(Arc<BufferBody>),
    Texture(Arc<TextureBody>),
    Heap(Arc<HeapShared>),
}

mod sealed {
    /// Only this crate has allocations.
    pub trait Sealed {
        #[doc(hidden)]
        fn kept(&self) -> Inside;
    }

    /// What an allocation is, for this crate alone.
    #[allow(missing_debug_implementations, reason = "nobody outside can have one")]
    pub struct Inside(pub(super) super::Kept);
}

impl ResidencySet {
    pub(crate) fn create(device: &Arc<DeviceShared>, descriptor: &ResidencySetDescriptor) -> Self {
        let label = Label::default();
        label.set(&descriptor.label);
        let room = || Vec::with_capacity(descriptor.initial_capacity.min(MOST_AT_ONCE));
        let members = Mutex::new(Members { committed: room(), staged: room() });
        Self { shared: Arc::new(ResidencySetShared { device: Arc::clone(device), label, members }) }
    }

    /// Puts an allocation into the set, from the next [`commit`](Self::commit) on. One that is in it stays there once.
    ///
    /// # Errors
    /// An allocation of another device.
    #[doc(alias = "addAllocation:")]
    pub fn add_allocation(&self, allocation: &impl Allocation) -> Result<(), Error> {
        let kept = allocation.kept().0;
        let device = &self.shared.device;
        device.owns(kept.device(), || kept.describe(), || self.shared.describe())?;
        let mut members = self.shared.members.lock();
        if !members.staged.iter().any(|known| known.is(&kept)) {
            members.staged.push(kept);
        }
        Ok(())
    }

    /// Takes an allocation out of the set, from the next [`commit`](Self::commit) on. Does nothing where it is not in it.
    #[doc(alias = "removeAllocation:")]
    pub fn remove_allocation(&self, allocation: &impl Allocation) {
        let kept = allocation.kept().0;
        let mut members = self.shared.members.lock();
        let place = members.staged.iter().position(|known| known.is(&kept));
        let gone = place.map(|place| members.staged.remove(place));
        drop(members);
        // Maybe the last handle: what it holds is given back with no lock held.
        drop(gone);
    }

    /// Takes everything out of the set, from the next [`commit`](Self::commit) on.
    #[doc(alias = "removeAllAllocations")]
    pub fn remove_all_allocations(&self) {
        let gone = std::mem::take(&mut self.shared.members.lock().staged);
        drop(gone);
    }

    /// Makes the changes so far count.
    pub fn commit(&self) {
        let mut members = self.shared.members.lock();
        let staged = members.staged.clone();
        let before = std::mem::replace(&mut members.committed, staged);
        drop(members);
        drop(before);
    }

    /// Whether an allocation is in the set, as it was committed.
    #[doc(alias = "containsAllocation:")]
    pub fn contains_allocation(&self, allocation: &impl Allocation) -> bool {
        let kept = allocation.kept().0;
        self.shared.members.lock().committed.iter().any(|known| known.is(&kept))
    }

    /// How many allocations are in the set, as it was committed.
    #[doc(alias = "allocationCount")]
    pub fn allocation_count(&self) -> usize {
        self.shared.members.lock().committed.len()
    }

    /// Bytes of memory of what is in the set, as it was committed.
    #[doc(alias = "allocatedSize")]
    pub fn allocated_size(&self) -> u64 {
        self.shared.members.lock().committed.iter().map(Kept::allocated_size).sum()
    }

    /// Does nothing: what a device has given out is in its reach.
    #[doc(alias = "requestResidency")]
    pub fn request_residency(&self) {}

    /// Does nothing: what a device has given out stays in its reach until it is dropped.
    #[doc(alias = "endResidency")]
    pub fn end_residency(&self) {}

    /// The device it belongs to.
    pub fn device(&self) -> Device {
        Device { shared: Arc::clone(&self.shared.device) }
    }

    /// Its label; empty where there is none.
    pub fn label(&self) -> String {
        label_or_empty(&self.shared.label)
    }
}

impl ResidencySetShared {
    /// "residency set `label`", for messages.
    pub(crate) fn describe(&self) -> String {
        self.label.of("residency set")
    }
}

impl PartialEq for ResidencySet {
    /// The same set.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for ResidencySet {}

impl Kept {
    fn device(&self) -> &Arc<DeviceShared> {
        match self {
            Self::Buffer(body) => &body.core.device,
            Self::Texture(body) => &body.core.device,
            Self::Heap(heap) => &heap.device,
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Buffer(body) => body.core.label.of(crate::api::buffer::NOUN),
            Self::Texture(body) => body.core.label.of(crate::api::texture::NOUN),
            Self::Heap(heap) => heap.describe(),
        }
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Buffer(one), Self::Buffer(other)) => Arc::ptr_eq(one, other),
            (Self::Texture(one), Self::Texture(other)) => Arc::ptr_eq(one, other),
            (Self::Heap(one), Self::Heap(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    fn allocated_size(&self) -> u64 {
        match self {
            Self::Buffer(body) => body.core.allocated_size(body.length),
            Self::Texture(body) => {
                let backend = body.core.device.backend();
                body.core.allocated_size(backend.texture_size_and_align(&body.shape).size)
            }
            Self::Heap(heap) => Heap { shared: Arc::clone(heap) }.current_allocated_size(),
        }
    }
}

impl Allocation for Buffer {}

impl sealed::Sealed for Buffer {
    fn kept(&self) -> sealed::Inside {
        sealed::Inside(Kept::Buffer(Arc::clone(&self.body)))
    }
}

impl Allocation for Texture {}

impl sealed::Sealed for Texture {
    fn kept(&self) -> sealed::Inside {
        sealed::Inside(Kept::Texture(Arc::clone(&self.view.body)))
    }
}

impl Allocation for Heap {}

impl sealed::Sealed for Heap {
    fn kept(&self) -> sealed::Inside {
        sealed::Inside(Kept::Heap(Arc::clone(&self.shared)))
    }
}

/// The sets of a queue.
#[derive(Default)]
pub(crate) struct QueueSets(Mutex<Vec<ResidencySet>>);

impl QueueSets {
    pub(crate) fn add(&self, call: &'static str, sets: &[&ResidencySet]) -> Result<(), Error> {
        let mut own = self.0.lock();
        let mut all = own.clone();
        for set in sets {
            if !all.contains(set) {
                all.push((*set).clone());
            }
        }
        if all.len() > MOST_SETS {
            let (value, most) = (all.len() as u64, MOST_SETS as u64);
            return Err(ResourceError::Number {
                call,
                what: "the number of residency sets",
                value,
                least: 0,
                most,
            }
            .into());
        }
        *own = all;
        Ok(())
    }

    pub(crate) fn remove(&self, sets: &[&ResidencySet]) {
        let mut gone = Vec::new();
        let mut own = self.0.lock();
        for set in sets {
            if let Some(place) = own.iter().position(|known| known == *set) {
                gone.push(own.swap_remove(place));
            }
        }
        drop(own);
        drop(gone);
    }
}

impl fmt::Debug for ResidencySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResidencySet")
            .field("label", &self.shared.label)
            .field("allocations", &self.allocation_count())
            .finish_non_exhaustive()
    }
}

/// Metal's own limit for a queue.
const MOST_SETS: usize = 32;
/// More room is made as it is needed: a capacity is a wish, and must not take all memory.
const MOST_AT_ONCE: usize = 4096;
