//! What the host does to memory that it does not reach: short submissions that it waits for.
//!
//! Clearing new memory, texels from and to the CPU, the copies of managed resources. Nothing here waits for anything but work that has
//! been submitted, so it comes to its end whatever the program does.
use std::sync::Arc;

use parking_lot::Mutex;

use super::commands::{CommandPool, Commands};
use super::gpu::{Batch, Gpu};
use super::memory::Block;
use super::timeline::Timeline;
use crate::Error;
use crate::backend::Residence;

/// Submissions of the host.
#[derive(Debug)]
pub(super) struct Utility {
    pub(super) gpu: Arc<Gpu>,
    /// One for each lane of the device.
    pub(super) lanes: Vec<Timeline>,
    /// Raised by each submission here.
    pub(super) timeline: Timeline,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    pool: CommandPool,
    point: u64,
    staging: Option<Block>,
}

impl Utility {
    pub(super) fn new(gpu: &Arc<Gpu>) -> Result<Arc<Self>, Error> {
        let lanes = (0..gpu.queue_count()).map(|_| Timeline::new(gpu)).collect::<Result<_, _>>()?;
        let timeline = Timeline::new(gpu)?;
        let inner = Mutex::new(Inner { pool: CommandPool::new(gpu)?, point: 0, staging: None });
        Ok(Arc::new(Self { gpu: Arc::clone(gpu), lanes, timeline, inner }))
    }

    /// Runs commands and waits for their end.
    pub(super) fn run(&self, record: impl FnOnce(Commands<'_>)) -> Result<(), Error> {
        self.inner.lock().run(self, record)
    }

    /// Runs commands with some bytes of memory that the host reaches: filled before, looked at afterwards.
    pub(super) fn staged(
        &self,
        bytes: u64,
        fill: impl FnOnce(&Block),
        record: impl FnOnce(Commands<'_>, ash::vk::Buffer),
        look: impl FnOnce(&Block),
    ) -> Result<(), Error> {
        let mut inner = self.inner.lock();
        let fits = inner.staging.as_ref().is_some_and(|block| block.length() >= bytes);
        if !fits {
            inner.staging = None;
            let length = bytes.next_power_of_two().max(STAGING_BYTES);
            inner.staging = Some(Block::new(&self.gpu, length, Residence::CpuCopy)?);
        }
        let Some(staging) = inner.staging.take() else {
            unreachable!("it was made just now where it was missing")
        };
        fill(&staging);
        let answer = inner.run(self, |commands| record(commands, staging.buffer));
        if answer.is_ok() {
            look(&staging);
        }
        // What is large is not kept.
        inner.staging = (staging.length() <= STAGING_KEPT_BYTES).then_some(staging);
        answer
    }
}

impl Inner {
    fn run(&mut self, utility: &Utility, record: impl FnOnce(Commands<'_>)) -> Result<(), Error> {
        let gpu = &*utility.gpu;
        let failed = |result| gpu.error("a submission of the host", result);
        let commands = self.pool.begin(gpu).map_err(failed)?;
        commands.to_layers();
        record(commands);
        commands.to_host(fencepost_core::Stages::BLIT);
        commands.end().map_err(failed)?;
        // All that has been seen to end: only a wait makes its writes visible.
        let ended =
            utility.lanes.iter().map(|lane| (lane.raw, lane.reached())).filter(|(_, point)| *point > 0);
        let waits = ended.collect();
        let point = self.point + 1;
        let signal = (utility.timeline.raw, point);
        // The last queue: work is spread from the first on.
        let batch = Batch { waits, commands: self.pool.buffer, signal };
        gpu.submit(gpu.queue_count() - 1, &[batch]).map_err(failed)?;
        self.point = point;
        utility.timeline.wait(point).map_err(failed)
    }
}

impl Drop for Utility {
    fn drop(&mut self) {
        self.inner.get_mut().pool.destroy(&self.gpu);
    }
}

const STAGING_BYTES: u64 = 64 << 10;
const STAGING_KEPT_BYTES: u64 = 16 << 20;
