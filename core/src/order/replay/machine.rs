//! Playing a document: threads, queues and events until nothing can go on.
//!
//! The machine holds no document: it is shown one at every call, whole or grown since the last call, and goes on from where
//! it was. So one machine plays documents, and applications while they run.
use std::collections::VecDeque;

use super::pass::Names;
use super::script::Script;
use super::sites::Sites;
use super::{Known, Played, Watch};
use crate::program::{
    BufferItem, CommandBuffer, CommandBufferIndex, EventIndex, EventOperation, EventOperationKind, Locus,
    Program, QueueIndex, QueueMode, Step,
};
use crate::{Engine, NodeId, Site};

/// What each wait of a play follows, by its number, as found by the play before; without it, what was there in time.
pub(super) type Resolved = Vec<Vec<NodeId>>;

#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(super) engine: Engine,
    pub(super) names: Names,
    pub(super) sites: Sites,
    resolved: Resolved,
    pub(super) threads: Vec<Thread>,
    pub(super) queues: Vec<Queue>,
    pub(super) events: Vec<Event>,
    pub(super) buffers: Vec<Buffer>,
    /// The waits passed, where they may have to be judged again with all signals known.
    waits: Option<Vec<Wait>>,
    next_series: u64,
}

/// A thread of the CPU, or the body of a notification.
#[derive(Clone, Debug)]
pub(super) struct Thread {
    /// Numbers of its steps still to do.
    pub(super) steps: VecDeque<u32>,
    /// The step of a document that starts it.
    opener: Option<u32>,
    /// What its next step follows.
    pub(super) last: Option<NodeId>,
    started: bool,
    /// A notification: not before the event has the value.
    when: Option<(EventIndex, u64)>,
    series: Series,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// Command buffers in the order of the queue, with their commit once there is one.
    pub(super) slots: VecDeque<(CommandBufferIndex, Option<(NodeId, u32)>)>,
    pub(super) pending: VecDeque<Pending>,
    /// How far the first of `pending` has come: its beginning, its items, its end.
    at: u32,
    series: Series,
    /// On a tracked queue: what the completion of the last command buffer that has ended follows (rule 7.3.3).
    pub(super) ended: Vec<NodeId>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Pending {
    Buffer {
        buffer: CommandBufferIndex,
        commit: NodeId,
        step: u32,
    },
    /// An operation that a step put on the queue.
    Operation {
        call: NodeId,
        step: u32,
    },
}

#[derive(Clone, Debug, Default)]
pub(super) struct Event {
    pub(super) value: u64,
    pub(super) raises: Vec<Raise>,
}

#[derive(Clone, Debug)]
pub(super) struct Raise {
    pub(super) node: NodeId,
    value: u64,
    series: Series,
}

/// Who raises an event, a queue or a thread: each one's raises come one after another.
type Series = u64;

#[derive(Clone, Debug, Default)]
pub(super) struct Buffer {
    pub(super) committed: bool,
    pub(super) begun: bool,
    pub(super) completed: bool,
    /// All that its completion follows.
    pub(super) nodes: Vec<NodeId>,
    /// The number of its first place.
    pub(super) site: u32,
}

/// A wait that was passed.
#[derive(Clone, Debug)]
struct Wait {
    event: EventIndex,
    value: u64,
    gate: NodeId,
    follows: Vec<NodeId>,
}

impl Machine {
    /// A machine for all of a document, of which waits may be judged again: [`narrowed`](Self::narrowed).
    pub(super) fn for_document(script: Script<'_>, engine: Engine, resolved: Resolved) -> Self {
        let program = script.program;
        let mut machine = Self { resolved, waits: Some(Vec::new()), ..Self::new(engine) };
        machine.names.register(program, &mut machine.engine);
        machine.queues = program.queues.iter().map(|_| machine.new_queue()).collect();
        machine.events.resize_with(program.events.len(), Event::default);
        machine.buffers.resize_with(program.command_buffers.len(), Buffer::default);
        machine.add_body(script, &program.steps, None, None, &mut 0);
        if let Some(main) = machine.threads.first_mut() {
            main.started = true;
        }
        machine
    }

    /// A machine that nothing is declared to yet.
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            names: Names::default(),
            sites: Sites::default(),
            resolved: Resolved::default(),
            threads: Vec::new(),
            queues: Vec::new(),
            events: Vec::new(),
            buffers: Vec::new(),
            waits: None,
            next_series: 0,
        }
    }

    /// Goes on until nothing can.
    pub(crate) fn play(&mut self, script: Script<'_>, watch: &mut impl Watch) {
        loop {
            while (0..self.queues.len()).any(|queue| self.run_queue(queue, script, watch)) {}
            let ready = (0..self.threads.len()).filter(|&thread| self.can_go_on(thread, script, false));
            let next = ready.min_by_key(|&thread| self.threads[thread].steps.front().copied());
            // Nothing moves any more: a wait that has a timeout now runs into it.
            let late = || (0..self.threads.len()).find(|&thread| self.can_go_on(thread, script, true));
            let Some(thread) = next.or_else(late) else { break };
            self.run_thread(thread, script, watch);
        }
    }

    /// What waits follow given all signals of this play, where that is less than they followed in it.
    pub(super) fn narrowed(&self) -> Option<Resolved> {
        let (clocks, waits) = (self.engine.clocks()?, self.waits.as_ref()?);
        let narrow = |wait: &Wait| {
            let before = |signal: &NodeId| clocks.ordered(wait.gate, *signal);
            let signals = self.signals(wait.event, wait.value);
            if signals.iter().all(|signal| wait.follows.contains(signal) || before(signal)) {
                return wait.follows.clone();
            }
            clocks.meet(&signals)
        };
        let narrower: Resolved = waits.iter().map(narrow).collect();
        let same = narrower.iter().zip(waits).all(|(now, wait)| *now == wait.follows);
        (!same).then_some(narrower)
    }

    /// Whether a thread has steps still to do.
    pub(crate) fn is_waiting(&self, thread: usize) -> bool {
        self.threads.get(thread).is_some_and(|thread| !thread.steps.is_empty())
    }

    /// What is known so far.
    pub(crate) fn known(&self) -> Known<'_> {
        Known { engine: &self.engine, resources: &self.names.resources, sites: &self.sites }
    }

    /// A thread that goes on from where another is, or from nothing.
    pub(super) fn new_thread(&mut self, after: Option<usize>) -> Thread {
        let last = after.and_then(|after| self.threads.get(after)).and_then(|thread| thread.last);
        self.next_series += 1;
        let (steps, series) = (VecDeque::new(), self.next_series);
        Thread { steps, opener: None, last, started: true, when: None, series }
    }

    pub(super) fn new_queue(&mut self) -> Queue {
        self.next_series += 1;
        Queue { series: self.next_series, ..Queue::default() }
    }

    fn add_body(
        &mut self,
        script: Script<'_>,
        steps: &[Step],
        opener: Option<u32>,
        when: Option<(EventIndex, u64)>,
        number: &mut u32,
    ) {
        let (thread, body) = (self.threads.len(), self.new_thread(None));
        self.threads.push(Thread { opener, started: false, when, ..body });
        for step in steps {
            let own = *number;
            if script.has(Locus::Step(own)) {
                self.threads[thread].steps.push_back(own);
            }
            *number += 1;
            match step {
                Step::Thread { body, .. } => self.add_body(script, body, Some(own), None, number),
                Step::Notify { event, value, body } => {
                    self.add_body(script, body, Some(own), Some((*event, *value)), number);
                }
                _ => {}
            }
        }
    }

    /// Whether a thread's next step can be done; `late` asks whether it is a wait whose timeout will pass.
    fn can_go_on(&self, thread: usize, script: Script<'_>, late: bool) -> bool {
        let body = &self.threads[thread];
        let (true, Some(&number)) = (body.started, body.steps.front()) else { return false };
        if body.when.is_some_and(|(event, value)| self.events[event.index()].value < value) {
            return false;
        }
        match script.step(number) {
            Some(Step::WaitUntilCompleted(buffer)) => self.buffers[buffer.index()].completed,
            Some(Step::WaitUntilSignaled { event, value, timeout_ms }) => {
                self.events[event.index()].value >= *value || (late && timeout_ms.is_some())
            }
            _ => true,
        }
    }

    /// Does a thread's next step.
    fn run_thread(&mut self, thread: usize, script: Script<'_>, watch: &mut impl Watch) {
        let Some(number) = self.threads[thread].steps.pop_front() else { return };
        let Some(step) = script.step(number) else { return };
        let site = self.sites.add_step(number);
        self.engine.at(Site(site));
        if let Some((event, value)) = self.threads[thread].when.take() {
            let start = self.threads[thread].last;
            self.threads[thread].last = Some(self.pass_wait(event, value, start));
        }
        let last = self.threads[thread].last;
        let node = match step {
            Step::WaitUntilCompleted(buffer) => {
                let nodes = &self.buffers[buffer.index()].nodes;
                self.engine.cpu_step(last.into_iter().chain(nodes.iter().copied()))
            }
            Step::WaitUntilSignaled { event, value, .. } if self.events[event.index()].value >= *value => {
                let gate = self.pass_wait(*event, *value, last);
                self.engine.cpu_step([gate])
            }
            _ => self.engine.cpu_step(last),
        };
        self.threads[thread].last = Some(node);
        watch.see(script, Played::Step { number, node }, &self.known());
        self.act(step, node, number, thread, script.program);
    }

    /// What a step sets going.
    fn act(&mut self, step: &Step, node: NodeId, number: u32, thread: usize, program: &Program) {
        match step {
            Step::Commit(buffers) => {
                buffers.iter().for_each(|buffer| self.commit(*buffer, node, number, program));
            }
            Step::Enqueue(buffer) => {
                let queue = program.command_buffers[buffer.index()].queue.index();
                let tracked = program.queues[queue].mode == QueueMode::Tracked;
                let reserved = self.queues[queue].slots.iter().any(|slot| slot.0 == *buffer);
                if tracked && !reserved && !self.buffers[buffer.index()].committed {
                    self.queues[queue].slots.push_back((*buffer, None));
                }
            }
            Step::QueueEvent { queue, .. } => {
                let operation = Pending::Operation { call: node, step: number };
                self.queues[queue.index()].pending.push_back(operation);
            }
            Step::SetSignaledValue { event, value } => {
                let series = self.threads[thread].series;
                self.raise(*event, *value, node, series);
            }
            Step::Thread { .. } | Step::Notify { .. } => {
                if let Some(body) = self.threads.iter_mut().find(|body| body.opener == Some(number)) {
                    body.started = true;
                    body.last = Some(node);
                }
            }
            Step::Write(_)
            | Step::DidModify(_)
            | Step::Read(_)
            | Step::MakeAliasable(_)
            | Step::WaitUntilCompleted(_)
            | Step::WaitUntilSignaled { .. } => {}
        }
    }

    /// Fills a command buffer's slot, and releases those at the front that are filled.
    fn commit(&mut self, buffer: CommandBufferIndex, commit: NodeId, step: u32, program: &Program) {
        if std::mem::replace(&mut self.buffers[buffer.index()].committed, true) {
            return;
        }
        let body = &program.command_buffers[buffer.index()];
        let queue = &mut self.queues[body.queue.index()];
        match queue.slots.iter_mut().find(|slot| slot.0 == buffer) {
            Some(slot) => slot.1 = Some((commit, step)),
            None => queue.slots.push_back((buffer, Some((commit, step)))),
        }
        queue.release();
    }

    /// Runs a queue up to a wait that holds it; `true` where anything moved.
    fn run_queue(&mut self, queue: usize, script: Script<'_>, watch: &mut impl Watch) -> bool {
        let mut moved = false;
        while let Some(&next) = self.queues[queue].pending.front() {
            if let Some((_, operation)) = self.queues[queue].operation(script)
                && operation.kind == EventOperationKind::Wait
                && self.events[operation.event.index()].value < operation.value
            {
                break;
            }
            match next {
                Pending::Buffer { buffer, commit, step } => {
                    self.run_part(queue, buffer, (commit, step), script, watch)
                }
                Pending::Operation { call, step } => {
                    self.queues[queue].pending.pop_front();
                    let Some(operation) = script.operation(Locus::Step(step)) else { continue };
                    let site = self.sites.add_step(step);
                    self.engine.at(Site(site));
                    self.engine.hold_queue(self.names.queues[queue], call);
                    self.run_operation(queue, Locus::Step(step), operation, script, watch);
                }
            }
            moved = true;
        }
        moved
    }

    /// Runs the beginning of the command buffer at the front of a queue, or its next item, or its end.
    fn run_part(
        &mut self,
        queue: usize,
        buffer: CommandBufferIndex,
        (commit, step): (NodeId, u32),
        script: Script<'_>,
        watch: &mut impl Watch,
    ) {
        let at = self.queues[queue].at;
        self.queues[queue].at += 1;
        let body = &script.program.command_buffers[buffer.index()];
        let item = at.checked_sub(1).map(|place| (place, body.items.get(place as usize)));
        match item {
            None => self.begin(queue, buffer, body, (commit, step)),
            Some((item, Some(BufferItem::Event(_)))) if !script.has(Locus::Event { buffer, item }) => {
                self.buffers[buffer.index()].site += 1;
                return;
            }
            Some((place, Some(BufferItem::Pass(pass)))) => {
                watch.see(script, Played::Pass(buffer, place), &self.known());
                self.run_pass(QueueIndex(queue as u32), buffer, place, pass, script, watch);
                return;
            }
            Some((item, Some(BufferItem::Event(operation)))) => {
                self.engine.at(Site(self.buffers[buffer.index()].site));
                self.buffers[buffer.index()].site += 1;
                let signal =
                    self.run_operation(queue, Locus::Event { buffer, item }, operation, script, watch);
                self.buffers[buffer.index()].nodes.extend(signal);
                return;
            }
            Some((_, None)) => self.end(queue, buffer, script.program),
        }
        let played = if at == 0 { Played::Begin(buffer) } else { Played::End(buffer) };
        watch.see(script, played, &self.known());
    }

    fn begin(
        &mut self,
        queue: usize,
        buffer: CommandBufferIndex,
        body: &CommandBuffer,
        (commit, step): (NodeId, u32),
    ) {
        let site = self.sites.add_step(step);
        self.engine.at(Site(site));
        self.engine.hold_queue(self.names.queues[queue], commit);
        let own = &mut self.buffers[buffer.index()];
        own.begun = true;
        own.site = self.sites.add_buffer(buffer, body);
    }

    fn end(&mut self, queue: usize, buffer: CommandBufferIndex, program: &Program) {
        self.queues[queue].at = 0;
        self.queues[queue].pending.pop_front();
        let wait = self.engine.queue_wait(self.names.queues[queue]);
        let tracked = program.queues[queue].mode == QueueMode::Tracked;
        let own = &mut self.buffers[buffer.index()];
        own.nodes.extend(wait);
        own.completed = true;
        if tracked {
            // Whoever sees it completed knows that all before it on the queue have completed too.
            own.nodes.append(&mut self.queues[queue].ended);
        }
        if (tracked || self.engine.is_for_judging()) && own.nodes.len() > NODES_MOST {
            self.engine.all_of(&mut own.nodes);
        }
        if tracked {
            self.queues[queue].ended.clone_from(&own.nodes);
        }
    }

    /// Passes an event operation; the node of a signal.
    fn run_operation(
        &mut self,
        queue: usize,
        locus: Locus,
        operation: &EventOperation,
        script: Script<'_>,
        watch: &mut impl Watch,
    ) -> Option<NodeId> {
        let id = self.names.queues[queue];
        let node = match operation.kind {
            EventOperationKind::Signal => {
                let node = self.engine.signal_event(id);
                self.raise(operation.event, operation.value, node, self.queues[queue].series);
                Some(node)
            }
            EventOperationKind::Wait => {
                let gate = self.pass_wait(operation.event, operation.value, None);
                self.engine.hold_queue_behind(id, gate);
                None
            }
        };
        watch.see(script, Played::Event { locus, node }, &self.known());
        node
    }

    fn raise(&mut self, event: EventIndex, value: u64, node: NodeId, series: Series) {
        let event = &mut self.events[event.index()];
        event.value = event.value.max(value);
        if self.waits.is_none() && event.raises.len() >= 2 * RAISES_MOST {
            event.raises.drain(..RAISES_MOST);
        }
        event.raises.push(Raise { node, value, series });
    }

    /// A gate for a wait whose value has been reached.
    fn pass_wait(&mut self, event: EventIndex, value: u64, also: Option<NodeId>) -> NodeId {
        let number = self.waits.as_ref().map_or(0, Vec::len);
        let follows = match self.resolved.get(number) {
            Some(resolved) => resolved.clone(),
            None => match (self.signals(event, value), self.engine.clocks()) {
                (signals, _) if signals.len() > 1 && self.waits.is_none() => {
                    vec![self.engine.wait_gate_behind_any(&signals)]
                }
                (signals, Some(clocks)) if signals.len() > 1 => clocks.meet(&signals),
                (signals, _) => signals,
            },
        };
        let gate = self.engine.wait_gate(follows.iter().copied().chain(also));
        if let Some(waits) = &mut self.waits {
            waits.push(Wait { event, value, gate, follows });
        }
        gate
    }

    /// The signals so far that may have released a wait: of each who raises the event, the first that raises it enough.
    fn signals(&self, event: EventIndex, value: u64) -> Vec<NodeId> {
        let mut found: Vec<&Raise> = Vec::new();
        for raise in
            self.events[event.index()].raises.iter().filter(|raise| raise.value >= value && value > 0)
        {
            if !found.iter().any(|earlier| earlier.series == raise.series) {
                found.push(raise);
            }
        }
        found.iter().map(|raise| raise.node).collect()
    }

    /// Who still waits, of queues and of the CPU.
    pub(crate) fn stuck(&self, script: Script<'_>) -> Vec<Locus> {
        let mut stuck: Vec<Locus> =
            self.queues.iter().filter_map(|queue| Some(queue.operation(script)?.0)).collect();
        // A notification that nobody triggers is no thread that waits.
        let runs = |thread: &&Thread| {
            thread.started
                && thread.when.is_none_or(|(event, value)| self.events[event.index()].value >= value)
        };
        for thread in self.threads.iter().filter(runs) {
            stuck.extend(thread.steps.front().map(|number| Locus::Step(*number)));
        }
        stuck
    }
}

impl Queue {
    /// Goes on to the committed command buffers at the front.
    pub(super) fn release(&mut self) {
        while let Some(&(buffer, Some((commit, step)))) = self.slots.front() {
            self.slots.pop_front();
            self.pending.push_back(Pending::Buffer { buffer, commit, step });
        }
    }

    /// Steps whose event operations it has still to come to.
    pub(super) fn waiting_operations(&self) -> impl Iterator<Item = u32> {
        self.pending.iter().filter_map(|pending| match pending {
            Pending::Operation { step, .. } => Some(*step),
            Pending::Buffer { .. } => None,
        })
    }

    /// The event operation that the queue comes to next, if it is one.
    fn operation<'a>(&self, script: Script<'a>) -> Option<(Locus, &'a EventOperation)> {
        let locus = match *self.pending.front()? {
            Pending::Buffer { buffer, .. } => Locus::Event { buffer, item: self.at.checked_sub(1)? },
            Pending::Operation { step, .. } => Locus::Step(step),
        };
        Some((locus, script.operation(locus).filter(|_| script.has(locus))?))
    }
}

/// What more nodes than this are followed by, is followed as one by who waits for a command buffer.
const NODES_MOST: usize = 8;
/// Of the raises of an event this many are remembered where there may be a wait at any time. A later wait for a value that only
/// forgotten ones gave first follows the oldest that is remembered.
const RAISES_MOST: usize = 64;
