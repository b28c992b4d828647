//! The engine: one per device, fed in release order, one call per thing that an application asked for.
use smallvec::SmallVec;

use super::clock::{Clocks, Point};
use super::fence::Fence;
use super::graph::Graph;
use super::link::{Handle, Link, Primitive, Reach};
use super::queue::Queue;
use super::tracking::{Tracker, Use};
use crate::place::{Places, ResourceDescriptor, ResourceShape};
use crate::plan::{NodeKind, Plan};
use crate::program::QueueMode;
use crate::slots::Slots;
use crate::{Access, FenceId, MemoryId, NodeId, PassId, QueueId, ResourceId, Site, Stages};

/// Happens-before among the work of one device.
///
/// Calls come in *release order*: in the order in which runs of work between event operations are handed over, each
/// of them only when all it waits for was handed over before. So every edge leads to an earlier node, a wait can
/// never hang, and one pass over the calls is enough.
///
/// Names that the engine did not give out, or has taken back, are ignored: such a call orders nothing.
///
/// ```
/// use fencepost_core::*;
/// let mut engine = Engine::new();
/// let queue = engine.add_queue(QueueMode::Explicit);
/// engine.begin_pass(queue, false);
/// let copy = engine.command(queue, Stages::BLIT, &[]);
/// engine.barrier(queue, Stages::BLIT, Stages::DISPATCH, Visibility::DEVICE);
/// let dispatch = engine.command(queue, Stages::DISPATCH, &[]);
/// let other = engine.command(queue, Stages::BLIT, &[]);
/// engine.end_pass(queue);
///
/// let mut plan = Plan::default();
/// engine.take_plan(&mut plan);
/// let predecessors = |id| plan.predecessors_of(plan.nodes.iter().find(|node| node.id == id).unwrap());
/// assert_eq!(predecessors(dispatch), [copy]);
/// assert_eq!(predecessors(other), []);
/// ```
#[derive(Clone, Debug)]
pub struct Engine {
    pub(super) graph: Graph,
    pub(super) queues: Slots<Queue>,
    pub(super) fences: Slots<Fence>,
    pub(super) tracker: Tracker,
    pub(super) site: Site,
    /// Edges being collected, kept for its memory.
    pub(super) edges: Vec<Handle>,
    next_pass: PassId,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// An engine that plans and answers no questions.
    pub fn new() -> Self {
        Self::make(false, true)
    }

    /// An engine that also remembers enough of its live nodes to answer questions ([`clocks`](Self::clocks)), and
    /// whose plans leave out every transitive edge.
    pub fn with_clocks() -> Self {
        Self::make(true, true)
    }

    /// An engine that answers questions and gives no plan: for who judges a program and runs nothing.
    pub(crate) fn for_judging() -> Self {
        Self::make(true, false)
    }

    /// The same for who plays once: nodes have other names than in a play with other waits.
    pub(crate) fn for_judging_once() -> Self {
        let mut engine = Self::for_judging();
        engine.graph.shortens = true;
        engine
    }

    fn make(clocks: bool, plans: bool) -> Self {
        Self {
            graph: Graph::new(clocks, plans),
            queues: Slots::new(),
            fences: Slots::new(),
            tracker: Tracker::new(),
            site: Site(0),
            edges: Vec::new(),
            next_pass: PassId(0),
        }
    }

    /// A new queue.
    pub fn add_queue(&mut self, mode: QueueMode) -> QueueId {
        QueueId(self.queues.add(Queue::new(mode == QueueMode::Tracked)))
    }

    /// Forgets a queue. What it has handed over goes on.
    pub fn remove_queue(&mut self, queue: QueueId) {
        self.queues.remove(queue.0);
    }

    /// A new piece of memory: an allocation, or a heap.
    pub fn add_memory(&mut self) -> MemoryId {
        self.tracker.add_memory()
    }

    /// Forgets a piece of memory.
    pub fn remove_memory(&mut self, memory: MemoryId) {
        self.tracker.remove_memory(memory);
    }

    /// A new resource.
    pub fn add_resource(&mut self, descriptor: ResourceDescriptor) -> ResourceId {
        self.tracker.add_resource(descriptor)
    }

    /// Forgets a resource. Its name is not given to another one soon, and never with the same value: a name kept
    /// too long means nothing.
    pub fn remove_resource(&mut self, resource: ResourceId) {
        self.tracker.remove_resource(resource);
    }

    /// A new fence, updated by nothing.
    pub fn add_fence(&mut self) -> FenceId {
        FenceId(self.fences.add(Fence::default()))
    }

    /// Forgets a fence.
    pub fn remove_fence(&mut self, fence: FenceId) {
        self.fences.remove(fence.0);
    }

    /// Opens a pass on a queue; one that is still open ends. In a `serial` pass each command waits for the one before.
    pub fn begin_pass(&mut self, queue: QueueId, serial: bool) -> PassId {
        self.next_pass.0 += 1;
        if let Some(queue) = self.queues.get_mut(queue.0) {
            if queue.open {
                end_pass(queue, &mut self.graph, &mut self.fences);
            }
            queue.begin_pass(self.next_pass, serial);
        }
        self.next_pass
    }

    /// Ends the open pass of a queue.
    pub fn end_pass(&mut self, queue: QueueId) {
        if let Some(queue) = self.queues.get_mut(queue.0).filter(|queue| queue.open) {
            end_pass(queue, &mut self.graph, &mut self.fences);
        }
    }

    /// A command of the open pass: one item per stage, with consecutive names in the order of [`Stage`](crate::Stage);
    /// returns the first. `accesses` are those that hazard tracking sees: bound or declared, not reached by pointer.
    /// An access counts for the item of its stage.
    pub fn command(&mut self, queue: QueueId, stages: Stages, accesses: &[Access]) -> NodeId {
        self.command_with(queue, stages, accesses, false)
    }

    /// The same, where the command itself hands something from stage to stage through memory: each of its items follows the one of the
    /// stage before. No rule orders the stages of one command; a device that runs them apart has to.
    ///
    /// ```
    /// use fencepost_core::{Engine, Plan, QueueMode, Stages};
    /// let mut engine = Engine::new();
    /// let queue = engine.add_queue(QueueMode::Explicit);
    /// engine.begin_pass(queue, false);
    /// let vertex = engine.command_in_stages(queue, Stages::VERTEX | Stages::FRAGMENT, &[]);
    /// let mut plan = Plan::default();
    /// engine.take_plan(&mut plan);
    /// assert_eq!(plan.predecessors, [vertex]);
    /// ```
    pub fn command_in_stages(&mut self, queue: QueueId, stages: Stages, accesses: &[Access]) -> NodeId {
        self.command_with(queue, stages, accesses, true)
    }

    fn command_with(
        &mut self,
        queue: QueueId,
        stages: Stages,
        accesses: &[Access],
        in_stages: bool,
    ) -> NodeId {
        let first = self.graph.next();
        let Some(queue) = self.queues.get_mut(queue.0) else {
            self.edges.clear();
            for stage in stages.iter_stages() {
                self.graph.push(NodeKind::Item { stage }, &mut self.edges);
            }
            return first;
        };
        let seen = queue.tracked && !(accesses.is_empty() && queue.declared.is_empty());
        let crowds = self.graph.is_for_judging() && !queue.serial && !seen;
        if crowds && let Some(first) = queue.crowd(stages) {
            return first;
        }
        let (pass, serial, site, retired) = (queue.pass, queue.serial, self.site, self.graph.retired());
        let item = |node, stage| Use { node, first, retired, pass, serial, stage, site };
        let mut all = stages.iter_stages();
        if let (Some(stage), None) = (all.next(), all.next()) {
            self.edges.clear();
            collect(queue, &mut self.tracker, accesses, &item(first, stage), &mut self.edges);
            self.graph.push(NodeKind::Item { stage }, &mut self.edges);
            queue.add_item(stage, first, crowds);
        } else {
            // All edges are collected before any node is made, so that the names of the items are consecutive.
            let mut items = SmallVec::<[(Use, Vec<Handle>); 2]>::new();
            for (stage, number) in stages.iter_stages().zip(first.0..) {
                let (item, mut edges) = (item(NodeId(number), stage), Vec::new());
                collect(queue, &mut self.tracker, accesses, &item, &mut edges);
                if let (true, Some((before, _))) = (in_stages, items.last()) {
                    edges.push(Handle::plain(before.node));
                }
                items.push((item, edges));
            }
            for (Use { stage, node, .. }, edges) in &mut items {
                self.graph.push(NodeKind::Item { stage: *stage }, edges);
                queue.add_item(*stage, *node, crowds);
            }
        }
        queue.end_command(first, self.graph.next());
        self.tracker.gather_crowds(&mut self.graph);
        first
    }

    /// Accesses that all later commands of the open pass may make through pointers (`use_resource`, `use_heap`).
    /// Only hazard tracking reads them, for commands with an item of the access's stage.
    pub fn declare(&mut self, queue: QueueId, accesses: &[Access]) {
        if let Some(queue) = self.queues.get_mut(queue.0).filter(|queue| queue.tracked) {
            queue.declared.extend_from_slice(accesses);
        }
    }

    /// Names the place in the program of the primitives that follow, for [`Hop`](crate::Hop)s.
    pub const fn at(&mut self, site: Site) {
        self.site = site;
    }

    /// Hands out the nodes made since the last call. The plan's former content is dropped, its memory is used again.
    pub fn take_plan(&mut self, plan: &mut Plan) {
        self.graph.take_plan(plan);
    }

    /// Every node below has completed: nothing later needs to wait for it, and what is remembered of it may go.
    pub fn retire(&mut self, completed_below: NodeId) {
        self.graph.retire(completed_below);
    }

    /// How many records of past work it holds, of all kinds: the measure of its memory. Bounded by what is in flight
    /// and by the number of resources, if completed work is [retired](Self::retire).
    pub fn records(&self) -> usize {
        let clocks = self.clocks().map_or(0, |clocks| clocks.size().0 + clocks.size().1);
        let queues: usize = self.queues.iter().map(Queue::records).sum();
        let fences: usize = self.fences.iter().map(Fence::records).sum();
        clocks + queues + fences + self.tracker.records()
    }

    /// What answers questions, where the engine was made [`with_clocks`](Self::with_clocks).
    pub fn clocks(&self) -> Option<&Clocks> {
        self.graph.clocks()
    }

    /// Whether writes of `first` to one resource are visible to `second`: some path between them passes through a
    /// visibility operation for it. `false` without clocks.
    pub fn visible_to(&self, first: NodeId, second: NodeId, resource: ResourceId) -> bool {
        let point = self.clocks().and_then(|clocks| clocks.point(first));
        point.is_some_and(|first| self.is_visible(first, second, resource))
    }

    pub(crate) fn is_visible(&self, first: Point, second: NodeId, resource: ResourceId) -> bool {
        let Some((clocks, place)) = self.clocks().zip(self.place_of(resource)) else { return false };
        let kind = match place.shape {
            ResourceShape::Buffer => Reach::BUFFERS,
            ResourceShape::Texture { .. } => Reach::TEXTURES,
        };
        clocks.is_visible(first, second, kind, resource)
    }

    pub(super) const fn link(&self, primitive: Primitive) -> Option<Link> {
        Some(Link { primitive, site: self.site })
    }
}

/// Adds what an item waits for.
#[inline]
fn collect(queue: &Queue, tracker: &mut Tracker, accesses: &[Access], item: &Use, edges: &mut Vec<Handle>) {
    queue.hold_item(item.stage, edges);
    queue.hold_serial(item.site, edges);
    if queue.tracked {
        tracker.access_all(accesses, item, edges);
        if !queue.declared.is_empty() {
            tracker.access_all(&queue.declared, item, edges);
        }
    }
}

fn end_pass(queue: &mut Queue, graph: &mut Graph, fences: &mut Slots<Fence>) {
    queue.end_pass(graph);
    for &(fence, upto) in &queue.covers {
        if let Some(fence) = fences.get_mut(fence.0) {
            fence.drop_covered(upto, queue.pass);
        }
    }
    queue.covers.clear();
}

impl Places for Engine {
    fn place_of(&self, resource: ResourceId) -> Option<&ResourceDescriptor> {
        self.tracker.descriptor(resource)
    }
}
