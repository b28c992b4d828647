//! What every device must be able to do. A backend never decides an order: it runs the nodes of a plan, each after its predecessors.
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use fencepost_core::NodeId;

use crate::record::{Recording, TextureRegion, TextureShape};
use crate::shader::Function;
use crate::{Error, SizeAndAlign};

pub(crate) mod cpu;

/// A device's memory, pipelines and execution.
pub(crate) trait Backend: Send + Sync + Debug {
    /// For people: the device's name.
    fn name(&self) -> String;
    /// The longest buffer, in bytes.
    fn max_buffer_length(&self) -> u64;
    /// Zeroed memory. `OutOfMemory` where there is none.
    fn allocate(&self, bytes: u64) -> Result<Arc<dyn Allocation>, Error>;
    /// Bytes and alignment that a texture of this shape takes in an allocation.
    fn texture_size_and_align(&self, shape: &TextureShape) -> SizeAndAlign;
    /// Bytes of a region, rows `bytes_per_row` apart, slices `bytes_per_image` apart. Nothing in flight writes it.
    fn read_texture(&self, region: &TextureRegion, layout: crate::record::LinearLayout, out: &mut [u8]);
    /// The way back. Nothing in flight uses it.
    fn write_texture(&self, region: &TextureRegion, layout: crate::record::LinearLayout, bytes: &[u8]);
    /// Makes a kernel runnable.
    fn pipeline(&self, function: &Function) -> Result<Arc<dyn Pipeline>, Error>;
    /// Takes nodes over; never blocks. Each runs once its predecessors have completed, and is reported to `completion` on whatever thread.
    /// Predecessors are nodes of this or of an earlier call.
    fn submit(&self, work: Planned, completion: &Arc<dyn Completion>);
    /// Somebody on the CPU waits or polls: a device that holds work back (an adversarial schedule) gets going.
    fn drive(&self);
}

/// A kernel that a backend can run. Downcast by the backend that made it.
pub(crate) trait Pipeline: Send + Sync + Debug + Any {}

/// Memory that a backend gave out. Downcast by the backend that made it.
pub(crate) trait Allocation: Send + Sync + Debug + Any {
    /// Bytes.
    fn length(&self) -> u64;
    /// Copies bytes out. The caller has checked the range.
    fn read(&self, offset: u64, out: &mut [u8]);
    /// Copies bytes in. The caller has checked the range.
    fn write(&self, offset: u64, bytes: &[u8]);
}

/// What happens when nodes complete.
pub(crate) trait Completion: Send + Sync + Debug {
    /// A node has run (or was skipped because what it follows failed). Called once a node, on any thread, with no backend lock held.
    fn completed(&self, node: NodeId, outcome: Outcome);
}

/// How a node ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// It ran. Times in nanoseconds since the device was made; equal for nodes that take no time.
    Done { started_ns: u64, ended_ns: u64 },
    /// It could not: a kernel without end, an indirect dispatch beyond the limits, a panic of a host function.
    Failed(Error),
}

/// Part of a plan, made only by `submit`.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    pub(crate) nodes: Vec<PlannedNode>,
    /// Predecessors of all nodes; a node holds a range. Each is an earlier node.
    pub(crate) predecessors: Vec<NodeId>,
}

/// One node and what it does.
#[derive(Debug)]
pub(crate) struct PlannedNode {
    pub(crate) id: NodeId,
    pub(crate) predecessors: std::ops::Range<u32>,
    pub(crate) work: Work,
}

/// What a node does when its turn comes.
#[derive(Debug)]
pub(crate) enum Work {
    /// Runs a command of a recording.
    Command { recording: Arc<Recording>, index: u32 },
    /// Nothing: it stands for "all of these have completed".
    Gate,
}
