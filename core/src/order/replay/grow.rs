//! A machine whose document grows: declarations, threads and steps that come one by one, under indices that may have been
//! another's.
use super::Machine;
use super::machine::{Buffer, Event, Pending};
use super::pass::put;
use crate::order::Roots;
use crate::program::{
    CommandBufferIndex, EventIndex, FenceIndex, HeapIndex, Program, QueueIndex, QueueMode, ResourceIndex,
};

impl Machine {
    pub(crate) fn set_queue(&mut self, index: QueueIndex, mode: QueueMode) {
        let queue = self.new_queue();
        put(&mut self.queues, index.index(), queue);
        put(&mut self.names.queues, index.index(), self.engine.add_queue(mode));
    }

    pub(crate) fn set_heap(&mut self, index: HeapIndex) {
        put(&mut self.names.heaps, index.index(), self.engine.add_memory());
    }

    pub(crate) fn set_resource(&mut self, index: ResourceIndex, program: &Program) {
        self.names.set_resource(index, program, &mut self.engine);
    }

    pub(crate) fn set_fence(&mut self, index: FenceIndex) {
        put(&mut self.names.fences, index.index(), self.engine.add_fence());
    }

    pub(crate) fn set_event(&mut self, index: EventIndex) {
        put(&mut self.events, index.index(), Event::default());
    }

    pub(crate) fn set_buffer(&mut self, index: CommandBufferIndex) {
        put(&mut self.buffers, index.index(), Buffer::default());
    }

    /// A thread that goes on from where another is, or from nothing.
    pub(crate) fn set_thread(&mut self, index: usize, after: Option<usize>) {
        let thread = self.new_thread(after);
        put(&mut self.threads, index, thread);
    }

    /// A step at the end of a thread's list.
    pub(crate) fn push_step(&mut self, thread: usize, number: u32) {
        if let Some(thread) = self.threads.get_mut(thread) {
            thread.steps.push_back(number);
        }
    }

    /// Steps that threads have still to do, thread by thread.
    pub(crate) fn waiting_steps(&self) -> impl Iterator<Item = impl Iterator<Item = u32>> {
        self.threads.iter().map(|thread| thread.steps.iter().copied())
    }

    /// Steps whose event operations the queues have still to come to.
    pub(crate) fn waiting_operations(&self) -> impl Iterator<Item = u32> {
        self.queues.iter().flat_map(super::machine::Queue::waiting_operations)
    }

    /// Whether a queue has come to a command buffer, and to its end.
    pub(crate) fn progress(&self, buffer: CommandBufferIndex) -> (bool, bool) {
        self.buffers.get(buffer.index()).map_or((false, false), |buffer| (buffer.begun, buffer.completed))
    }

    /// The value that an event has by now.
    pub(crate) fn value(&self, event: EventIndex) -> u64 {
        self.events.get(event.index()).map_or(0, |event| event.value)
    }

    /// Whether so much has come since the last sweep that the next one pays.
    pub(crate) fn wants_sweep(&self) -> bool {
        self.engine.wants_sweep()
    }

    /// Names all that the machine may follow, after making it little.
    pub(crate) fn name(&mut self, roots: &mut Roots) {
        self.engine.gather_long();
        self.threads.iter().filter_map(|thread| thread.last).for_each(|node| roots.node(node));
        for queue in &self.queues {
            queue.slots.iter().filter_map(|slot| slot.1).for_each(|(commit, _)| roots.node(commit));
            queue.ended.iter().for_each(|node| roots.node(*node));
            for pending in &queue.pending {
                let (Pending::Buffer { commit: node, .. } | Pending::Operation { call: node, .. }) = pending;
                roots.node(*node);
            }
        }
        self.buffers.iter().flat_map(|buffer| &buffer.nodes).for_each(|node| roots.node(*node));
        self.events.iter().flat_map(|event| &event.raises).for_each(|raise| roots.node(raise.node));
    }

    /// The steps that committed what the queues have still to come to.
    pub(crate) fn waiting_commits(&self) -> impl Iterator<Item = u32> {
        self.queues.iter().flat_map(|queue| {
            let slots = queue.slots.iter().filter_map(|slot| slot.1).map(|(_, step)| step);
            slots.chain(queue.pending.iter().filter_map(|pending| match pending {
                Pending::Buffer { step, .. } => Some(*step),
                Pending::Operation { .. } => None,
            }))
        })
    }

    /// Forgets what neither it nor the caller names.
    pub(crate) fn sweep(
        &mut self,
        roots: Roots,
        buffer: impl Fn(CommandBufferIndex) -> bool,
        step: impl Fn(u32) -> bool,
    ) {
        self.sites.retain(buffer, step);
        self.engine.sweep(roots);
    }

    /// A command buffer that has a slot on its queue will never be committed: those behind it need not wait for it.
    pub(crate) fn give_up_slot(&mut self, buffer: CommandBufferIndex, program: &Program) {
        if !self.buffers[buffer.index()].committed {
            let queue = &mut self.queues[program.command_buffers[buffer.index()].queue.index()];
            queue.slots.retain(|slot| slot.0 != buffer);
            queue.release();
        }
    }

    /// A command buffer that nobody will wait for.
    pub(crate) fn drop_buffer(&mut self, index: CommandBufferIndex) {
        self.buffers[index.index()].nodes = Vec::new();
    }

    /// Whether a command buffer was committed and its queue has not come to its end.
    pub(crate) fn is_under_way(&self, index: CommandBufferIndex) -> bool {
        self.buffers.get(index.index()).is_some_and(|buffer| buffer.committed && !buffer.completed)
    }

    pub(crate) fn drop_resource(&mut self, index: ResourceIndex) {
        self.engine.remove_resource(self.names.resources[index.index()]);
    }

    /// The memory of a resource that had its own, which nothing shares any more.
    pub(crate) fn drop_memory_of(&mut self, index: ResourceIndex) {
        self.engine.remove_memory(self.names.places[index.index()].0);
    }

    pub(crate) fn drop_heap(&mut self, index: HeapIndex) {
        self.engine.remove_memory(self.names.heaps[index.index()]);
    }

    pub(crate) fn drop_fence(&mut self, index: FenceIndex) {
        self.engine.remove_fence(self.names.fences[index.index()]);
    }

    /// A fence that nothing will wait for any more.
    pub(crate) fn clear_fence(&mut self, index: FenceIndex) {
        self.engine.clear_fence(self.names.fences[index.index()]);
    }

    pub(crate) fn drop_event(&mut self, index: EventIndex) {
        self.events[index.index()].raises = Vec::new();
    }

    pub(crate) fn drop_queue(&mut self, index: QueueIndex) {
        self.queues[index.index()].ended = Vec::new();
        self.engine.remove_queue(self.names.queues[index.index()]);
    }

    /// A queue that nothing is left on.
    pub(crate) fn is_idle(&self, index: QueueIndex) -> bool {
        let queue = &self.queues[index.index()];
        queue.slots.is_empty() && queue.pending.is_empty()
    }

    /// A thread that has no steps left to do.
    pub(crate) fn is_done(&self, thread: usize) -> bool {
        self.threads[thread].steps.is_empty()
    }

    pub(crate) fn drop_thread(&mut self, thread: usize) {
        self.threads[thread].last = None;
    }

    /// How many records of past work it holds.
    pub(crate) fn records(&self) -> usize {
        let buffers: usize = self.buffers.iter().map(|buffer| 1 + buffer.nodes.len()).sum();
        let events: usize = self.events.iter().map(|event| 1 + event.raises.len()).sum();
        let steps: usize = self.threads.iter().map(|thread| 1 + thread.steps.len()).sum();
        let queues: usize =
            self.queues.iter().map(|queue| queue.slots.len() + queue.pending.len() + queue.ended.len()).sum();
        self.engine.records() + self.sites.records() + buffers + events + steps + queues
    }
}
