//! One allocation, seen by several devices or by several resources of one.
//!
//! A resource belongs to one device. Two devices that work on the same bytes have a resource each, over one allocation, and neither
//! device's order engine knows of the other's work: a shared event orders them, or nothing does. Only the CPU's guards must look
//! everywhere, for a program that asks one device for its bytes means the bytes. So an allocation that is shared knows all its
//! resources, and a hold is taken on every device that has one.
//!
//! A hold and a new resource may come at once. The hold registers with its own device first and then reads the list; the new
//! resource enters the list first and then asks every device for holds. So one of the two sees the other.
//!
//! Memory that processes share comes in as often as the program likes: the same mapping on several devices, or the same file by several
//! handles. It is known by its file, and has one home in this process however it came.
#[cfg(target_os = "linux")]
use std::collections::HashMap;
use std::ops::Range;
#[cfg(target_os = "linux")]
use std::sync::LazyLock;
use std::sync::{Arc, OnceLock, Weak};

use fencepost_core::{Extent, MemoryId, ResourceId};
use parking_lot::Mutex;

use crate::api::device::DeviceShared;
use crate::api::purgeable::Purgeable;
use crate::api::resource::{Home, ResourceCore};
#[cfg(target_os = "linux")]
use crate::backend::Allocation;
use crate::error::ResourceError;
use crate::submit::{Claimant, GuardTaken, Hold, Obstruction};
use crate::{Error, HazardTrackingMode, ResourceOptions};

/// The name of an allocation in the order engine of one device. Given back with the last resource of that device.
#[derive(Debug)]
pub(crate) struct OwnMemory {
    device: Arc<DeviceShared>,
    id: MemoryId,
    /// Absent while only one resource uses the allocation.
    views: OnceLock<Arc<Views>>,
    /// Whether the device may take the content; absent until somebody says something about it.
    pub(crate) purgeable: OnceLock<Arc<Purgeable>>,
}

/// All resources of a shared allocation.
#[derive(Debug)]
pub(crate) struct Views {
    table: Mutex<Table>,
    /// Of memory that processes share: what all of its resources lie in.
    #[cfg(target_os = "linux")]
    adopted: Option<Weak<dyn Allocation>>,
}

#[derive(Debug, Default)]
struct Table {
    memories: Vec<Weak<OwnMemory>>,
    views: Vec<View>,
}

/// A resource over a shared allocation.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) device: Weak<DeviceShared>,
    pub(crate) resource: ResourceId,
    /// Bytes of the allocation.
    pub(crate) bytes: Range<u64>,
}

impl OwnMemory {
    /// A name for a new allocation.
    pub(crate) fn new(device: &Arc<DeviceShared>) -> Arc<Self> {
        Self::with_views(device, OnceLock::new())
    }

    fn with_views(device: &Arc<DeviceShared>, views: OnceLock<Arc<Views>>) -> Arc<Self> {
        let (id, purgeable) = (device.submission.add_memory(), OnceLock::new());
        Arc::new(Self { device: Arc::clone(device), id, views, purgeable })
    }

    pub(crate) fn id(&self) -> MemoryId {
        self.id
    }

    /// Whether more than one resource was ever made over the allocation.
    pub(crate) fn is_shared(&self) -> bool {
        self.views.get().is_some()
    }

    /// The name of the same allocation on `device`. `own` is the resource that it is the memory of.
    fn on(self: &Arc<Self>, device: &Arc<DeviceShared>, own: View) -> Arc<Self> {
        let views = self
            .views
            .get_or_init(|| Views::new(Table { memories: vec![Arc::downgrade(self)], views: vec![own] }));
        views.memory_on(device)
    }

    /// A resource is gone.
    pub(crate) fn forget(&self, resource: ResourceId) {
        if let Some(views) = self.views.get() {
            let own = Arc::as_ptr(&self.device);
            views
                .table
                .lock()
                .views
                .retain(|view| !(std::ptr::eq(view.device.as_ptr(), own) && view.resource == resource));
        }
    }
}

impl Views {
    fn new(table: Table) -> Arc<Self> {
        Arc::new(Self {
            table: Mutex::new(table),
            #[cfg(target_os = "linux")]
            adopted: None,
        })
    }

    /// The name of the allocation on `device`.
    fn memory_on(self: &Arc<Self>, device: &Arc<DeviceShared>) -> Arc<OwnMemory> {
        // Names that go with the end of this function may take a whole device with them: not under the lock.
        let mut seen = Vec::new();
        let mut table = self.table.lock();
        table.memories.retain(|memory| memory.strong_count() > 0);
        seen.extend(table.memories.iter().filter_map(Weak::upgrade));
        if let Some(known) = seen.iter().find(|memory| Arc::ptr_eq(&memory.device, device)) {
            return Arc::clone(known);
        }
        let made = OwnMemory::with_views(device, OnceLock::from(Arc::clone(self)));
        table.memories.push(Arc::downgrade(&made));
        drop(table);
        made
    }
}

impl Drop for OwnMemory {
    fn drop(&mut self) {
        self.device.submission.remove_memory(self.id);
    }
}

/// A resource over memory that another one has.
pub(crate) struct Shared {
    pub(crate) memory: Arc<OwnMemory>,
    pub(crate) options: ResourceOptions,
    views: Arc<Views>,
}

/// The memory of `source`, which is `bytes` of its allocation, as `device` names it.
pub(crate) fn share(
    call: &'static str,
    device: &Arc<DeviceShared>,
    source: &ResourceCore,
    noun: &'static str,
    bytes: Range<u64>,
    mode: HazardTrackingMode,
) -> Result<Shared, Error> {
    if source.managed.is_some() {
        let what = format!("{call} of {}, which is managed,", source.label.of(noun));
        let mend = "Use shared storage: what has two copies on one device would have more on two";
        return Err(ResourceError::Unsupported { what, mend }.into());
    }
    source.check_alive(call, noun)?;
    source.check_content(call, noun)?;
    let Home::Own(memory) = &source.home else {
        let what = format!("{call} of {}, which is on a heap,", source.label.of(noun));
        let mend = "Give it memory of its own: the heap may hand this memory to somebody else";
        return Err(ResourceError::Unsupported { what, mend }.into());
    };
    let own = View { device: Arc::downgrade(&source.device), resource: source.resource, bytes };
    let memory = memory.on(device, own);
    let hazard_tracking_mode = match mode {
        HazardTrackingMode::Default => HazardTrackingMode::Tracked,
        asked => asked,
    };
    let options = ResourceOptions { hazard_tracking_mode, ..source.options };
    let Some(views) = memory.views.get().cloned() else {
        unreachable!("a name that was asked for by another one has the list of both")
    };
    Ok(Shared { memory, options, views })
}

/// Homes of memory that processes share, by file.
#[cfg(target_os = "linux")]
type Homes = HashMap<(u64, u64), Weak<Views>>;

/// Memory that processes share, as `device` names it, and the allocation that all resources of this process over it lie in.
#[cfg(target_os = "linux")]
pub(crate) fn adopt(
    call: &'static str,
    device: &Arc<DeviceShared>,
    memory: &Arc<fencepost_ipc::SharedMemory>,
    options: ResourceOptions,
) -> Result<(Shared, Arc<dyn Allocation>), Error> {
    static HOMES: LazyLock<Mutex<Homes>> = LazyLock::new(Mutex::default);
    let file = file_of(call, memory)?;
    let (views, allocation) = {
        let mut homes = HOMES.lock();
        let known = homes.get(&file).and_then(Weak::upgrade);
        let home = known.and_then(|views| Some((views.adopted.as_ref()?.upgrade()?, views)));
        match home {
            Some((allocation, views)) => (views, device.backend().share(&allocation)?),
            None => {
                let allocation = device.backend().adopt(memory)?;
                let adopted = Some(Arc::downgrade(&allocation));
                let views = Arc::new(Views { table: Mutex::default(), adopted });
                // What is gone leaves its place when the room would have to grow.
                if homes.len() == homes.capacity() {
                    homes.retain(|_, views| views.strong_count() > 0);
                }
                homes.insert(file, Arc::downgrade(&views));
                (views, allocation)
            }
        }
    };
    let memory = views.memory_on(device);
    Ok((Shared { memory, options, views }, allocation))
}

/// What tells one memory file from all others as long as somebody has it.
#[cfg(target_os = "linux")]
fn file_of(call: &'static str, memory: &fencepost_ipc::SharedMemory) -> Result<(u64, u64), Error> {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let failed = |source| Error::from(crate::error::IpcError::Memory { call, source });
    let file = std::fs::File::from(memory.as_fd().try_clone_to_owned().map_err(failed)?);
    let known = file.metadata().map_err(failed)?;
    Ok((known.dev(), known.ino()))
}

impl Shared {
    /// The resource has its name: from now on the CPU's guards see it. An error where one of them holds the memory already.
    pub(crate) fn enter(&self, call: &'static str, source: String, view: View) -> Result<(), Error> {
        let others = {
            let mut table = self.views.table.lock();
            table.views.push(view);
            table.devices()
        };
        if others.iter().any(|(device, view)| device.submission.is_held(view.resource)) {
            return Err(ResourceError::HeldByGuard { call, resource: source }.into());
        }
        Ok(())
    }
}

impl Table {
    /// All resources whose devices are there.
    fn devices(&self) -> Vec<(Arc<DeviceShared>, View)> {
        self.views.iter().filter_map(|view| Some((view.device.upgrade()?, view.clone()))).collect()
    }
}

/// The CPU's claim on a part of a resource, on every device that sees its memory.
#[derive(Debug)]
pub(crate) struct CpuHold {
    _own: Hold,
    _others: Vec<Hold>,
}

/// What stands in the way of a claim, and the device that it stands on.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) obstruction: Obstruction,
    device: Arc<DeviceShared>,
    resource: ResourceId,
    part: Extent,
}

/// A part of a resource that the CPU wants.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) part: Extent,
    /// Bytes of the allocation, which are what a buffer's part is.
    pub(crate) bytes: Option<Range<u64>>,
    pub(crate) write: bool,
}

impl ResourceCore {
    /// Claims a part of the resource for the CPU, or says what is in the way.
    pub(crate) fn hold(&self, wanted: &Wanted, by: Claimant) -> Result<CpuHold, Refusal> {
        let claim = |device: &Arc<DeviceShared>, resource: ResourceId, part: &Extent| {
            let held = device.submission.hold(resource, part, wanted.write, by);
            let refusal = |obstruction| {
                let (device, part) = (Arc::clone(device), part.clone());
                Refusal { obstruction, device, resource, part }
            };
            held.map_err(refusal)
        };
        // Of a managed resource the CPU has its own copy, and no other device sees it.
        let name = self.managed.as_ref().map_or(self.resource, |copy| copy.resource);
        let own = claim(&self.device, name, &wanted.part)?;
        let mut others = Vec::new();
        for (device, view) in self.views_elsewhere() {
            let part = match &wanted.bytes {
                None => wanted.part.clone(),
                Some(bytes) => {
                    let start = bytes.start.max(view.bytes.start);
                    let end = bytes.end.min(view.bytes.end);
                    if start >= end {
                        continue;
                    }
                    Extent::Bytes(start - view.bytes.start..end - view.bytes.start)
                }
            };
            others.push(claim(&device, view.resource, &part)?);
        }
        Ok(CpuHold { _own: own, _others: others })
    }

    /// Sleeps until a part can be claimed, and claims it. While it sleeps it holds nothing. An error where the thread would wait for a
    /// guard that it holds itself.
    pub(crate) fn hold_when_free(&self, wanted: &Wanted, by: Claimant) -> Result<CpuHold, GuardTaken> {
        loop {
            match self.hold(wanted, by) {
                Ok(hold) => return Ok(hold),
                Err(Refusal { device, resource, part, .. }) => {
                    device.submission.wait_until_free(resource, &part, wanted.write, by)?;
                }
            }
        }
    }

    /// The resources of other devices over the same memory. The lock is free again before anything of it is dropped.
    pub(crate) fn views_elsewhere(&self) -> Vec<(Arc<DeviceShared>, View)> {
        let Home::Own(memory) = &self.home else { return Vec::new() };
        let Some(views) = memory.views.get() else { return Vec::new() };
        let mut all = views.table.lock().devices();
        all.retain(|(device, _)| !Arc::ptr_eq(device, &self.device));
        all
    }
}
