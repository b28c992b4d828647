//! A machine whose document grows: declarations, threads and steps that come one by one, under indices that may have been
//! another's.
use super::Machine;
use super::machine::{Buffer, Event};
use super::pass::put;
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
}
