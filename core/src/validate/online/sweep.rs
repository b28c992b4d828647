//! Forgetting what was removed and nothing names any more.
use super::super::names::Names;
use super::super::walk::at;
use super::Online;
use crate::program::{
    BufferItem, CommandBuffer, CommandBufferIndex, EventIndex, FenceIndex, HeapIndex, QueueIndex,
    ResourceIndex, Step, UnknownName,
};

/// By kind of thing and index, what the command buffers and steps that are remembered speak of.
#[derive(Clone, Debug, Default)]
struct Spoken {
    queues: Vec<bool>,
    heaps: Vec<bool>,
    resources: Vec<bool>,
    fences: Vec<bool>,
    events: Vec<bool>,
}

impl Spoken {
    fn note(&mut self, what: &str, index: u32) {
        let list = match what {
            "queue" => &mut self.queues,
            "heap" => &mut self.heaps,
            "resource" => &mut self.resources,
            "fence" => &mut self.fences,
            "event" => &mut self.events,
            _ => return,
        };
        *at(list, index as usize) = true;
    }
}

fn has(list: &[bool], index: u32) -> bool {
    list.get(index as usize) == Some(&true)
}

impl Online {
    /// Forgets all that cannot matter any more.
    pub(super) fn sweep(&mut self, keep_latest: bool) {
        self.end_threads();
        self.end_buffers();
        self.drop_memories();
        self.drop_updates();
        let mut names = Names::default();
        names.roots.keep_latest = keep_latest;
        self.machine.name(&mut names.roots);
        self.judge.name(&mut names);
        self.name_waiting(&mut names);
        self.buffers.free(
            |index| has(&names.buffers, index),
            |index| {
                let buffer = CommandBufferIndex(index);
                self.judge.drop_buffer(buffer);
                self.machine.drop_buffer(buffer);
                let body = &mut self.program.command_buffers[buffer.index()];
                *body = CommandBuffer { label: String::new(), queue: body.queue, items: Vec::new() };
            },
        );
        self.steps.free(
            |index| has(&names.steps, index),
            |index| self.program.steps[index as usize] = Step::Commit(Vec::new()),
        );
        self.trim(&names);
        let spoken = self.spoken(&mut names);
        self.free_declarations(&names, &spoken);
        self.fed = 0;
        self.fed_limit = (2 * names.roots.work).max(ITEMS_LEAST);
        let (buffers, steps) = (&self.buffers, &self.steps);
        let held = |buffer: CommandBufferIndex| buffers.is_live(buffer.0) || buffers.is_removed(buffer.0);
        self.machine.sweep(names.roots, held, |step| steps.is_removed(step));
    }

    fn end_threads(&mut self) {
        let machine = &mut self.machine;
        let done: Vec<bool> = (0..self.threads.len()).map(|thread| machine.is_done(thread)).collect();
        self.threads.free(|index| !done[index as usize], |index| machine.drop_thread(index as usize));
    }

    /// What is known only for the sake of command buffers that are under way.
    fn end_buffers(&mut self) {
        for index in self.buffers.held().map(CommandBufferIndex) {
            if self.machine.progress(index).1 {
                self.judge.walker.drop_buffer(index);
                if self.buffers.is_removed(index.0) {
                    self.machine.drop_buffer(index);
                }
            }
        }
    }

    /// Memory whose every name is gone, and that nothing under way touches, has no history.
    fn drop_memories(&mut self) {
        if self.resources.removed().next().is_none() && self.heaps.removed().next().is_none() {
            return;
        }
        let mut used = vec![false; self.judge.layout.memories()];
        let layout = &self.judge.layout;
        for index in self.resources.live() {
            used[layout.place(ResourceIndex(index)).0] = true;
        }
        for index in self.heaps.live() {
            used[layout.memory_of(index as usize)] = true;
        }
        let mut note = |what: &'static str, index: u32| {
            if what == "resource" {
                used[layout.place(ResourceIndex(index)).0] = true;
            }
            Ok::<(), UnknownName>(())
        };
        let note = std::cell::RefCell::new(&mut note);
        for index in self.buffers.held().map(CommandBufferIndex) {
            let waits = self.buffers.is_live(index.0) && !self.machine.progress(index).1;
            if waits || self.machine.is_under_way(index) {
                let body = &self.program.command_buffers[index.index()];
                // Noting refuses nothing.
                let _ = body.check(&|what, index| (note.borrow_mut())(what, index));
            }
        }
        for number in self.machine.waiting_steps().flatten() {
            let _ =
                self.program.steps[number as usize].check(&|what, index| (note.borrow_mut())(what, index));
        }
        let resources = self.resources.removed().map(|index| layout.place(ResourceIndex(index)).0);
        let heaps = self.heaps.removed().map(|index| layout.memory_of(index as usize));
        let gone: Vec<usize> = resources.chain(heaps).filter(|memory| !used[*memory]).collect();
        gone.into_iter().for_each(|memory| self.judge.drop_memory(memory));
    }

    /// What removed fences have captured and removed events have been raised by, where nothing under way names them: nobody will
    /// wait for it any more. Their places would otherwise keep the command buffers that speak of them, and those them.
    fn drop_updates(&mut self) {
        if self.fences.removed().next().is_none() && self.events.removed().next().is_none() {
            return;
        }
        let spoken = std::cell::RefCell::new(Spoken::default());
        let note = |what: &'static str, index: u32| {
            spoken.borrow_mut().note(what, index);
            Ok::<(), UnknownName>(())
        };
        for index in self.buffers.held().map(CommandBufferIndex) {
            let waits = self.buffers.is_live(index.0) && !self.machine.progress(index).1;
            if waits || self.machine.is_under_way(index) {
                // Noting refuses nothing.
                let _ = self.program.command_buffers[index.index()].check(&note);
            }
        }
        for number in self.machine.waiting_steps().flatten().chain(self.machine.waiting_operations()) {
            let _ = self.program.steps[number as usize].check(&note);
        }
        let spoken = spoken.into_inner();
        for index in self.fences.removed().filter(|index| !has(&spoken.fences, *index)) {
            self.machine.clear_fence(FenceIndex(index));
            self.judge.calls.drop_fence(FenceIndex(index));
        }
        for index in self.events.removed().filter(|index| !has(&spoken.events, *index)) {
            self.machine.drop_event(EventIndex(index));
            self.judge.calls.drop_event(EventIndex(index));
        }
    }

    /// Names what is still to be done.
    fn name_waiting(&self, names: &mut Names) {
        for index in self.buffers.held().map(CommandBufferIndex) {
            if self.buffers.is_live(index.0) || self.machine.is_under_way(index) {
                names.buffer(index);
            }
        }
        let steps = self.machine.waiting_steps().flatten();
        let others = self.machine.waiting_operations().chain(self.machine.waiting_commits());
        for number in steps.chain(others) {
            names.step(number);
            let step = &self.program.steps[number as usize];
            // A command buffer that a thread has still to commit or to wait for is there, removed or not.
            match step {
                Step::Commit(all) => all.iter().for_each(|buffer| names.buffer(*buffer)),
                Step::Enqueue(buffer) | Step::WaitUntilCompleted(buffer) => names.buffer(*buffer),
                _ => {}
            }
        }
    }

    /// Passes that are over and not named need not be there any more.
    fn trim(&mut self, names: &Names) {
        for index in self.buffers.held().map(CommandBufferIndex) {
            if !self.machine.progress(index).1 {
                continue;
            }
            for (item, place) in self.program.command_buffers[index.index()].items.iter_mut().zip(0..) {
                if let BufferItem::Pass(pass) = item
                    && !pass.items.is_empty()
                    && !names.passes.contains(&(index, place))
                {
                    pass.items = Vec::new();
                }
            }
        }
    }

    /// What remembered command buffers and steps speak of. Nobody asks while nothing is removed.
    fn spoken(&self, names: &mut Names) -> Spoken {
        let spoken = std::cell::RefCell::new((Spoken::default(), 0));
        let note = |what: &'static str, index: u32| {
            let (spoken, count) = &mut *spoken.borrow_mut();
            spoken.note(what, index);
            *count += 1;
            Ok::<(), UnknownName>(())
        };
        for index in self.buffers.held() {
            // Noting refuses nothing.
            let _ = self.program.command_buffers[index as usize].check(&note);
        }
        for number in self.steps.held() {
            let _ = self.program.steps[number as usize].check(&note);
        }
        for index in self.resources.held() {
            let _ = self.program.resources[index as usize].check(&note);
        }
        let (spoken, count) = spoken.into_inner();
        names.roots.work += count;
        spoken
    }

    fn free_declarations(&mut self, names: &Names, spoken: &Spoken) {
        let (machine, judge) = (&mut self.machine, &mut self.judge);
        self.resources.free(
            |index| has(&names.resources, index) || has(&spoken.resources, index),
            |index| {
                let index = ResourceIndex(index);
                machine.drop_resource(index);
                judge.drop_resource(index);
                if let Some(memory) = judge.layout.drop_resource(index) {
                    judge.drop_memory(memory);
                    machine.drop_memory_of(index);
                }
            },
        );
        self.heaps.free(
            |index| has(&spoken.heaps, index),
            |index| {
                machine.drop_heap(HeapIndex(index));
                if let Some(memory) = judge.layout.drop_heap(index as usize) {
                    judge.drop_memory(memory);
                }
            },
        );
        self.fences.free(
            |index| has(&spoken.fences, index),
            |index| {
                machine.drop_fence(FenceIndex(index));
                judge.calls.drop_fence(FenceIndex(index));
            },
        );
        self.events.free(
            |index| has(&spoken.events, index),
            |index| {
                machine.drop_event(EventIndex(index));
                judge.calls.drop_event(EventIndex(index));
            },
        );
        let idle: Vec<bool> =
            (0..self.queues.len()).map(|queue| machine.is_idle(QueueIndex(queue as u32))).collect();
        self.queues.free(
            |index| has(&spoken.queues, index) || !idle[index as usize],
            |index| machine.drop_queue(QueueIndex(index)),
        );
    }
}

/// Fewer items of command buffers are never worth a sweep.
pub(super) const ITEMS_LEAST: usize = 1 << 14;
