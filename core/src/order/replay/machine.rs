//! Playing a document: threads, queues and events until nothing can go on.
use std::collections::{HashMap, HashSet, VecDeque};

use super::pass::Names;
use super::{Item, Moment, Order};
use crate::plan::Plan;
use crate::program::{
    BufferItem, CommandBufferIndex, EventIndex, EventOperation, EventOperationKind, Locus, Program,
    QueueIndex, QueueMode, Step,
};
use crate::{Engine, NodeId, Site};

/// What each wait of a play follows, by its number, as found by the play before; without it, what was there in time.
pub(super) type Resolved = Vec<Vec<NodeId>>;

pub(super) struct Machine<'a> {
    pub(super) program: &'a Program,
    pub(super) engine: Engine,
    pub(super) names: Names,
    pub(super) items: Vec<Item>,
    pub(super) nodes: HashMap<Locus, Vec<NodeId>>,
    pub(super) sites: Vec<Locus>,
    pub(super) moments: Vec<Moment>,
    pub(super) without: &'a HashSet<Locus>,
    resolved: &'a Resolved,
    steps: Vec<&'a Step>,
    threads: Vec<Thread>,
    queues: Vec<Queue<'a>>,
    events: Vec<Event>,
    buffers: Vec<Buffer>,
    waits: Vec<Wait>,
    stuck: Vec<Locus>,
}

/// A thread of the CPU, or the body of a notification.
struct Thread {
    /// Numbers of its steps still to do.
    steps: VecDeque<u32>,
    /// The step that starts it.
    opener: Option<u32>,
    /// What its next step follows.
    last: Option<NodeId>,
    started: bool,
    /// A notification: not before the event has the value.
    when: Option<(EventIndex, u64)>,
}

#[derive(Default)]
struct Queue<'a> {
    /// Command buffers in the order of the queue, with their commit once there is one.
    slots: VecDeque<(CommandBufferIndex, Option<(NodeId, Locus)>)>,
    pending: VecDeque<Pending<'a>>,
}

#[derive(Clone, Copy)]
enum Pending<'a> {
    Begin {
        buffer: CommandBufferIndex,
        commit: NodeId,
        locus: Locus,
    },
    Item {
        buffer: CommandBufferIndex,
        item: u32,
        body: &'a BufferItem,
    },
    /// An operation that a step put on the queue.
    Operation {
        call: NodeId,
        locus: Locus,
        operation: &'a EventOperation,
    },
    End(CommandBufferIndex),
}

#[derive(Default)]
struct Event {
    value: u64,
    raises: Vec<Raise>,
}

struct Raise {
    node: NodeId,
    value: u64,
    series: Series,
}

/// Who raises an event: each one's raises come one after another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Series {
    Queue(usize),
    Thread(usize),
}

#[derive(Default)]
struct Buffer {
    committed: bool,
    completed: bool,
    /// All that its completion follows.
    nodes: Vec<NodeId>,
}

/// A wait that was passed.
struct Wait {
    event: EventIndex,
    value: u64,
    gate: NodeId,
    follows: Vec<NodeId>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(program: &'a Program, without: &'a HashSet<Locus>, resolved: &'a Resolved) -> Self {
        let mut engine = Engine::with_clocks();
        let names = Names::register(program, &mut engine);
        let mut machine = Self {
            program,
            engine,
            names,
            items: Vec::new(),
            nodes: HashMap::new(),
            sites: Vec::new(),
            moments: Vec::new(),
            without,
            resolved,
            steps: program.all_steps(),
            threads: Vec::new(),
            queues: program.queues.iter().map(|_| Queue::default()).collect(),
            events: program.events.iter().map(|_| Event::default()).collect(),
            buffers: program.command_buffers.iter().map(|_| Buffer::default()).collect(),
            waits: Vec::new(),
            stuck: Vec::new(),
        };
        machine.add_thread(&program.steps, None, None, &mut 0);
        if let Some(main) = machine.threads.first_mut() {
            main.started = true;
        }
        machine
    }

    pub(super) fn play(&mut self) {
        loop {
            while (0..self.queues.len()).any(|queue| self.run_queue(queue)) {}
            let ready = (0..self.threads.len()).filter(|&thread| self.can_go_on(thread, false));
            let next = ready.min_by_key(|&thread| self.threads[thread].steps.front().copied());
            // Nothing moves any more: a wait that has a timeout now runs into it.
            let late = || (0..self.threads.len()).find(|&thread| self.can_go_on(thread, true));
            let Some(thread) = next.or_else(late) else { break };
            self.run_thread(thread);
        }
        self.report_stuck();
    }

    /// What waits follow given all signals of this play, where that is less than they followed in it.
    pub(super) fn narrowed(&self) -> Option<Resolved> {
        let clocks = self.engine.clocks()?;
        let narrow = |wait: &Wait| {
            let before = |signal: &NodeId| clocks.ordered(wait.gate, *signal);
            let signals = self.signals(wait.event, wait.value);
            if signals.iter().all(|signal| wait.follows.contains(signal) || before(signal)) {
                return wait.follows.clone();
            }
            clocks.meet(&signals)
        };
        let narrower: Resolved = self.waits.iter().map(narrow).collect();
        let same = narrower.iter().zip(&self.waits).all(|(now, wait)| *now == wait.follows);
        (!same).then_some(narrower)
    }

    pub(super) fn finish(mut self) -> Order {
        let mut plan = Plan::default();
        self.engine.take_plan(&mut plan);
        let mut paths: HashMap<String, Vec<Locus>> = HashMap::new();
        let mut loci: Vec<Locus> = self.nodes.keys().copied().collect();
        loci.sort_unstable();
        for locus in loci {
            let path = self.program.path_among(locus, &self.steps);
            let full = self.program.full_path_among(locus, &self.steps);
            if full != path {
                paths.entry(full).or_default().push(locus);
            }
            paths.entry(path).or_default().push(locus);
        }
        Order {
            engine: self.engine,
            plan,
            items: self.items,
            nodes: self.nodes,
            paths,
            sites: self.sites,
            resources: self.names.resources,
            moments: self.moments,
            stuck: self.stuck,
        }
    }

    /// The primitives that follow stand here.
    pub(super) fn stand_at(&mut self, locus: Locus) {
        self.engine.at(Site(self.sites.len() as u32));
        self.sites.push(locus);
    }

    fn add_thread(
        &mut self,
        steps: &'a [Step],
        opener: Option<u32>,
        when: Option<(EventIndex, u64)>,
        number: &mut u32,
    ) {
        let thread = self.threads.len();
        self.threads.push(Thread { steps: VecDeque::new(), opener, last: None, started: false, when });
        for step in steps {
            let own = *number;
            if !self.without.contains(&Locus::Step(own)) {
                self.threads[thread].steps.push_back(own);
            }
            *number += 1;
            match step {
                Step::Thread { body, .. } => self.add_thread(body, Some(own), None, number),
                Step::Notify { event, value, body } => {
                    self.add_thread(body, Some(own), Some((*event, *value)), number);
                }
                _ => {}
            }
        }
    }

    /// Whether a thread's next step can be done; `late` asks whether it is a wait whose timeout will pass.
    fn can_go_on(&self, thread: usize, late: bool) -> bool {
        let body = &self.threads[thread];
        let (true, Some(&number)) = (body.started, body.steps.front()) else { return false };
        if body.when.is_some_and(|(event, value)| self.events[event.index()].value < value) {
            return false;
        }
        match self.steps[number as usize] {
            Step::WaitUntilCompleted(buffer) => self.buffers[buffer.index()].completed,
            Step::WaitUntilSignaled { event, value, timeout_ms } => {
                self.events[event.index()].value >= *value || (late && timeout_ms.is_some())
            }
            _ => true,
        }
    }

    /// Does a thread's next step.
    fn run_thread(&mut self, thread: usize) {
        let Some(number) = self.threads[thread].steps.pop_front() else { return };
        let locus = Locus::Step(number);
        self.stand_at(locus);
        if let Some((event, value)) = self.threads[thread].when.take() {
            let start = self.threads[thread].last;
            self.threads[thread].last = Some(self.pass_wait(event, value, start));
        }
        let step = self.steps[number as usize];
        let mut after: Vec<NodeId> = self.threads[thread].last.into_iter().collect();
        match step {
            Step::WaitUntilCompleted(buffer) => after.extend(&self.buffers[buffer.index()].nodes),
            Step::WaitUntilSignaled { event, value, .. } if self.events[event.index()].value >= *value => {
                after = vec![self.pass_wait(*event, *value, self.threads[thread].last)];
            }
            _ => {}
        }
        let node = self.engine.cpu_step(&after);
        self.threads[thread].last = Some(node);
        self.nodes.insert(locus, vec![node]);
        self.moments.push(Moment::Step(number));
        self.act(step, node, number, thread);
    }

    /// What a step sets going.
    fn act(&mut self, step: &'a Step, node: NodeId, number: u32, thread: usize) {
        let locus = Locus::Step(number);
        match step {
            Step::Commit(buffers) => buffers.iter().for_each(|buffer| self.commit(*buffer, node, locus)),
            Step::Enqueue(buffer) => {
                let queue = self.program.command_buffers[buffer.index()].queue.index();
                let reserved = self.queues[queue].slots.iter().any(|slot| slot.0 == *buffer);
                let tracked = self.program.queues[queue].mode == QueueMode::Tracked;
                if tracked && !reserved && !self.buffers[buffer.index()].committed {
                    self.queues[queue].slots.push_back((*buffer, None));
                }
            }
            Step::QueueEvent { queue, operation } => {
                let operation = Pending::Operation { call: node, locus, operation };
                self.queues[queue.index()].pending.push_back(operation);
            }
            Step::SetSignaledValue { event, value } => {
                self.raise(*event, *value, node, Series::Thread(thread))
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
    fn commit(&mut self, buffer: CommandBufferIndex, commit: NodeId, locus: Locus) {
        if std::mem::replace(&mut self.buffers[buffer.index()].committed, true) {
            return;
        }
        let body = &self.program.command_buffers[buffer.index()];
        let queue = &mut self.queues[body.queue.index()];
        match queue.slots.iter_mut().find(|slot| slot.0 == buffer) {
            Some(slot) => slot.1 = Some((commit, locus)),
            None => queue.slots.push_back((buffer, Some((commit, locus)))),
        }
        while let Some(&(buffer, Some((commit, locus)))) = queue.slots.front() {
            queue.slots.pop_front();
            queue.pending.push_back(Pending::Begin { buffer, commit, locus });
            let items = self.program.command_buffers[buffer.index()].items.iter().zip(0..);
            let kept =
                items.filter(|(_, item)| !self.without.contains(&Locus::Event { buffer, item: *item }));
            queue.pending.extend(kept.map(|(body, item)| Pending::Item { buffer, item, body }));
            queue.pending.push_back(Pending::End(buffer));
        }
    }

    /// Runs a queue up to a wait that holds it; `true` where anything moved.
    fn run_queue(&mut self, queue: usize) -> bool {
        let mut moved = false;
        while let Some(&next) = self.queues[queue].pending.front() {
            if let Some(operation) = next.operation()
                && operation.kind == EventOperationKind::Wait
                && self.events[operation.event.index()].value < operation.value
            {
                break;
            }
            self.queues[queue].pending.pop_front();
            self.run_pending(queue, next);
            moved = true;
        }
        moved
    }

    fn run_pending(&mut self, queue: usize, next: Pending<'a>) {
        let id = self.names.queues[queue];
        match next {
            Pending::Begin { buffer, commit, locus } => {
                self.stand_at(locus);
                self.engine.hold_queue(id, commit);
                self.moments.push(Moment::Begin(buffer));
            }
            Pending::Item { buffer, item, body: BufferItem::Pass(pass) } => {
                self.moments.push(Moment::Pass(buffer, item));
                let first = self.items.len();
                self.run_pass(QueueIndex(queue as u32), buffer, item, pass);
                let nodes = self.items[first..].iter().map(|item| item.node);
                self.buffers[buffer.index()].nodes.extend(nodes);
            }
            Pending::Item { buffer, item, body: BufferItem::Event(operation) } => {
                let signal = self.run_operation(queue, Locus::Event { buffer, item }, operation);
                self.buffers[buffer.index()].nodes.extend(signal);
            }
            Pending::Operation { call, locus, operation } => {
                self.stand_at(locus);
                self.engine.hold_queue(id, call);
                self.run_operation(queue, locus, operation);
            }
            Pending::End(buffer) => {
                let wait = self.engine.queue_wait(id);
                let body = &mut self.buffers[buffer.index()];
                body.nodes.extend(wait);
                body.completed = true;
                self.moments.push(Moment::End(buffer));
            }
        }
    }

    /// Passes an event operation; the node of a signal.
    fn run_operation(&mut self, queue: usize, locus: Locus, operation: &EventOperation) -> Option<NodeId> {
        self.stand_at(locus);
        self.moments.push(Moment::Event(locus));
        let id = self.names.queues[queue];
        match operation.kind {
            EventOperationKind::Signal => {
                let node = self.engine.signal_event(id);
                self.nodes.entry(locus).or_default().push(node);
                self.raise(operation.event, operation.value, node, Series::Queue(queue));
                Some(node)
            }
            EventOperationKind::Wait => {
                let gate = self.pass_wait(operation.event, operation.value, None);
                self.engine.hold_queue_behind(id, gate);
                None
            }
        }
    }

    fn raise(&mut self, event: EventIndex, value: u64, node: NodeId, series: Series) {
        let event = &mut self.events[event.index()];
        event.value = event.value.max(value);
        event.raises.push(Raise { node, value, series });
    }

    /// A gate for a wait whose value has been reached.
    fn pass_wait(&mut self, event: EventIndex, value: u64, also: Option<NodeId>) -> NodeId {
        let follows = match self.resolved.get(self.waits.len()) {
            Some(resolved) => resolved.clone(),
            None => match (self.signals(event, value), self.engine.clocks()) {
                (signals, Some(clocks)) if signals.len() > 1 => clocks.meet(&signals),
                (signals, _) => signals,
            },
        };
        let mut after = follows.clone();
        after.extend(also);
        let gate = self.engine.wait_gate(&after);
        self.waits.push(Wait { event, value, gate, follows });
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

    /// Notes who still waits.
    fn report_stuck(&mut self) {
        for queue in &self.queues {
            self.stuck.extend(queue.pending.front().and_then(Pending::locus));
        }
        // A notification that nobody triggers is no thread that waits.
        let runs = |thread: &&Thread| {
            thread.started
                && thread.when.is_none_or(|(event, value)| self.events[event.index()].value >= value)
        };
        for thread in self.threads.iter().filter(runs) {
            self.stuck.extend(thread.steps.front().map(|number| Locus::Step(*number)));
        }
    }
}

impl<'a> Pending<'a> {
    const fn operation(self) -> Option<&'a EventOperation> {
        match self {
            Self::Item { body: BufferItem::Event(operation), .. } => Some(operation),
            Self::Operation { operation, .. } => Some(operation),
            _ => None,
        }
    }

    const fn locus(&self) -> Option<Locus> {
        match self {
            Self::Item { buffer, item, .. } => Some(Locus::Event { buffer: *buffer, item: *item }),
            Self::Operation { locus, .. } => Some(*locus),
            Self::Begin { .. } | Self::End(_) => None,
        }
    }
}
