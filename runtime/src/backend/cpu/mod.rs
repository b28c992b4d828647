//! The CPU device: always there, and the place where a wrong order shows.
//!
//! It runs the graph of nodes itself: a node starts when its predecessors have ended. *How* it picks among the ready ones is a schedule:
//! [`pool`] runs as much at once as there are threads, [`schedule`] one thing at a time in an order chosen against the program. Both
//! share one graph ([`graph`]), one way to run units of a command ([`job`]) and one clock ([`floor`]), so the schedule may change while
//! work is in flight.
//!
//! ```text
//!   submit ─► graph ─► ready ─► pool or adversary ─► job: units ─► interpreter, host function, transfer
//!               ▲                                                                   │
//!               └──────────────────── end: successors ◄─────────────────────────────┘
//! ```
mod claim;
mod floor;
mod graph;
pub(crate) mod interpreter;
mod job;
mod links;
pub(crate) mod memory;
mod pipeline;
mod pool;
mod schedule;
mod sleep;
#[cfg(test)]
mod tests;
pub(crate) mod texel;
mod transfer;
mod watch;
mod watched;

use std::any::Any;
use std::sync::Arc;

use fencepost_core::NodeId;
use parking_lot::RwLock;

use crate::backend::{Allocation, Backend, Image, Pipeline, Planned, Residence};
use crate::error::DeviceError;
use crate::record::{LinearLayout, TextureBody, TextureRegion, TextureShape};
use crate::shader::Function;
use crate::{CpuOptions, Error, Schedule, SizeAndAlign};
use floor::Floor;
use memory::Memory;
use memory::bytes::Stores;
use pipeline::CpuPipeline;
use pool::Pool;
use schedule::Adversary;
use texel::TextureLayout;

/// A device that needs nothing but the CPU.
#[derive(Debug)]
pub(crate) struct CpuDevice {
    floor: Arc<Floor>,
    threads: usize,
    runner: RwLock<Runner>,
}

/// Who runs what is ready.
#[derive(Debug)]
enum Runner {
    Pool(Pool),
    Adversary(Adversary),
}

impl CpuDevice {
    /// Makes a device. Its threads start with its first work.
    pub(crate) fn new(options: &CpuOptions) -> Self {
        let floor = Arc::new(Floor::new(options.kernel_timeout));
        let runner = RwLock::new(Runner::new(&floor, options.threads, options.schedule));
        Self { floor, threads: options.threads, runner }
    }
}

impl Runner {
    fn new(floor: &Arc<Floor>, threads: usize, schedule: Schedule) -> Self {
        match schedule {
            Schedule::Parallel => Self::Pool(Pool::new(Arc::clone(floor), threads)),
            Schedule::Adversarial(seed) => Self::Adversary(Adversary::new(Arc::clone(floor), seed)),
        }
    }
}

impl Backend for CpuDevice {
    fn name(&self) -> String {
        "CPU".into()
    }

    fn max_buffer_length(&self) -> u64 {
        MAX_BUFFER_LENGTH
    }

    fn allocate(&self, bytes: u64, _residence: Residence) -> Result<Arc<dyn Allocation>, Error> {
        Ok(Arc::new(Memory::new(bytes)?))
    }

    fn share(&self, allocation: &Arc<dyn Allocation>) -> Result<Arc<dyn Allocation>, Error> {
        let any: &dyn Any = &**allocation;
        if any.is::<Memory>() {
            return Ok(Arc::clone(allocation));
        }
        #[cfg(target_os = "linux")]
        if let Some(memory) = allocation.shared_memory() {
            return self.adopt(memory);
        }
        Err(DeviceError::ForeignMemory { device: self.name() }.into())
    }

    #[cfg(target_os = "linux")]
    fn adopt(&self, memory: &Arc<fencepost_ipc::SharedMemory>) -> Result<Arc<dyn Allocation>, Error> {
        Ok(Arc::new(Memory::over(Arc::clone(memory))))
    }

    fn texture_size_and_align(&self, shape: &TextureShape) -> SizeAndAlign {
        SizeAndAlign { size: TextureLayout::new(shape).bytes(), align: TextureLayout::alignment() }
    }

    fn copy(
        &self,
        from: &dyn Allocation,
        from_offset: u64,
        to: &dyn Allocation,
        to_offset: u64,
        length: u64,
    ) -> Result<(), Error> {
        let stores = Stores::of_total(length);
        job::memory(to).copy_from(to_offset, job::memory(from), from_offset, length, stores);
        Ok(())
    }

    fn upload_texture(
        &self,
        from: &dyn Allocation,
        from_offset: u64,
        texture: &TextureBody,
        bytes: &[std::ops::Range<u64>],
    ) -> Result<(), Error> {
        bytes.iter().try_for_each(|bytes| {
            let (from_offset, to_offset) = (from_offset + bytes.start, texture.offset + bytes.start);
            self.copy(from, from_offset, &*texture.allocation, to_offset, bytes.end - bytes.start)
        })
    }

    fn share_image(&self, image: Option<&Arc<dyn Image>>) -> Result<Option<Arc<dyn Image>>, Error> {
        match image {
            None => Ok(None),
            Some(_) => Err(DeviceError::ForeignMemory { device: self.name() }.into()),
        }
    }

    fn has_unified_memory(&self) -> bool {
        true
    }

    fn read_texture(
        &self,
        memory: &dyn Allocation,
        region: &TextureRegion,
        layout: LinearLayout,
        out: &mut [u8],
    ) -> Result<(), Error> {
        texel::region::read(region, job::memory(memory), layout, out);
        Ok(())
    }

    fn write_texture(
        &self,
        memory: &dyn Allocation,
        region: &TextureRegion,
        layout: LinearLayout,
        bytes: &[u8],
    ) -> Result<(), Error> {
        texel::region::write(region, job::memory(memory), layout, bytes);
        Ok(())
    }

    fn texture_rows(&self, region: &TextureRegion) -> Vec<std::ops::Range<u64>> {
        texel::region::rows(region)
    }

    fn pipeline(&self, function: &Function) -> Result<Arc<dyn Pipeline>, Error> {
        Ok(Arc::new(CpuPipeline::new(function)))
    }

    fn submit(&self, work: &Planned) {
        match &*self.runner.read() {
            Runner::Pool(pool) => pool.submit(work),
            Runner::Adversary(adversary) => adversary.submit(work),
        }
    }

    fn open(&self, node: NodeId) {
        let Some(slot) = self.floor.graph.open(node) else { return };
        match &*self.runner.read() {
            Runner::Pool(pool) => pool.start(slot),
            Runner::Adversary(adversary) => adversary.start(slot),
        }
    }

    fn retire(&self, below: NodeId) {
        self.floor.graph.retire(below);
    }

    fn drive(&self) {
        if let Runner::Adversary(adversary) = &*self.runner.read() {
            adversary.drive();
        }
    }

    fn wait_begins(&self) {
        if let Runner::Adversary(adversary) = &*self.runner.read() {
            adversary.wait_begins();
        }
    }

    fn wait_ends(&self) {
        if let Runner::Adversary(adversary) = &*self.runner.read() {
            adversary.wait_ends();
        }
    }

    fn let_go(&self) {
        if let Runner::Adversary(adversary) = &*self.runner.read() {
            adversary.let_go();
        }
    }

    fn holds_back(&self) -> bool {
        matches!(&*self.runner.read(), Runner::Adversary(_))
    }

    fn set_schedule(&self, schedule: Schedule) {
        *self.runner.write() = Runner::new(&self.floor, self.threads, schedule);
    }
}

/// Word indices of kernels are 32 bits wide.
const MAX_BUFFER_LENGTH: u64 = 1 << 34;
