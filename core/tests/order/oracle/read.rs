//! A program, moment by moment, as nodes, positions and scopes.
use std::collections::HashMap;

use fencepost_core::program::{
    BufferItem, Command, CommandBufferIndex, DispatchType, EventIndex, EventOperation, EventOperationKind,
    FenceIndex, LoadAction, Locus, Pass, PassItem, PassKind, Primitive, Program, QueueMode, Step, Use,
};
use fencepost_core::{AccessKind, Moment, Order, Stage};

use super::scope::{FULL, none, scopes};
use super::{ItemOf, Oracle, Scope, Spot, Sync};

pub(super) struct Reading<'a> {
    pub(super) oracle: Oracle,
    pub(super) syncs: Vec<Sync>,
    pub(super) items: Vec<ItemOf>,
    pub(super) spots: Vec<Spot>,
    program: &'a Program,
    steps: Vec<&'a Step>,
    moments: &'a [Moment],
    updates: Vec<(FenceIndex, usize, usize)>,
    raises: Vec<(EventIndex, u64, usize)>,
    waits: Vec<(EventIndex, u64, usize)>,
    ends: HashMap<CommandBufferIndex, Vec<usize>>,
}

/// Behind everything in a moment.
const END: usize = usize::MAX;

impl<'a> Reading<'a> {
    pub(super) fn of(program: &'a Program, order: &'a Order) -> Self {
        let mut read = Self {
            oracle: Oracle { nodes: Vec::new(), items: HashMap::new(), steps: HashMap::new() },
            syncs: Vec::new(),
            items: Vec::new(),
            spots: Vec::new(),
            program,
            steps: program.all_steps(),
            moments: order.moments(),
            updates: Vec::new(),
            raises: Vec::new(),
            waits: Vec::new(),
            ends: HashMap::new(),
        };
        read.thread(&program.steps, None, &mut 0);
        for (m, moment) in read.moments.iter().enumerate() {
            match *moment {
                Moment::Step(number) => read.step(number),
                Moment::Begin(buffer) => read.begin(m, buffer),
                Moment::Pass(buffer, pass) => read.pass(m, buffer, pass),
                Moment::Event(locus) => read.event(m, locus),
                Moment::End(buffer) => read.end(m, buffer),
            }
        }
        for &(event, value, node) in read.waits.iter().filter(|wait| wait.1 > 0) {
            let enough = read.raises.iter().filter(|raise| raise.0 == event && raise.1 >= value);
            read.oracle.nodes[node].any = Some(enough.map(|raise| raise.2).collect());
        }
        read
    }

    /// Steps of a thread follow each other, the first follows what starts the thread.
    fn thread(&mut self, steps: &[Step], start: Option<usize>, number: &mut u32) {
        let mut last = start;
        for step in steps {
            let node = self.oracle.node();
            self.oracle.steps.insert(*number, node);
            *number += 1;
            self.after(node, last);
            last = Some(node);
            if let Step::Thread { body, .. } | Step::Notify { body, .. } = step {
                self.thread(body, last, number);
            }
        }
    }

    fn step(&mut self, number: u32) {
        let node = self.oracle.steps[&number];
        match self.steps[number as usize] {
            Step::SetSignaledValue { event, value } => self.raises.push((*event, *value, node)),
            // A wait that was passed without its value ran into its timeout.
            Step::WaitUntilSignaled { event, value, .. }
                if self.raises.iter().any(|raise| raise.0 == *event && raise.1 >= *value) =>
            {
                self.waits.push((*event, *value, node));
            }
            Step::Notify { event, value, body } if !body.is_empty() => {
                let (first, gate) = (self.oracle.steps[&(number + 1)], self.oracle.node());
                self.after(first, [gate]);
                self.waits.push((*event, *value, gate));
            }
            Step::WaitUntilCompleted(buffer) => self.after(node, self.ends[buffer].clone()),
            _ => {}
        }
    }

    /// A commit is before all that its queue does from then on.
    fn begin(&mut self, m: usize, buffer: CommandBufferIndex) {
        let commits = |n: &u32| matches!(self.steps[*n as usize], Step::Commit(all) if all.contains(&buffer));
        let done = self.moments[..m].iter().filter_map(|moment| match moment {
            Moment::Step(number) => Some(*number),
            _ => None,
        });
        let number = done.into_iter().find(commits).expect("a queue comes only to what was committed");
        let hold = self.hold(self.queue(buffer), m);
        self.after(hold, [self.oracle.steps[&number]]);
        self.spots.push(Spot { queue: self.queue(buffer), at: (m, END), pass: None });
    }

    fn pass(&mut self, m: usize, buffer: CommandBufferIndex, number: u32) {
        let queue = self.queue(buffer);
        let pass = self.program.pass(buffer, number).expect("a pass was released");
        let tracked = self.program.queues[queue].mode == QueueMode::Tracked;
        let compute = matches!(pass.kind, PassKind::Compute { .. });
        let serial = match pass.kind {
            PassKind::Blit | PassKind::Compute { dispatch_type: Some(DispatchType::Serial) } => true,
            PassKind::Compute { dispatch_type: None } => tracked,
            _ => false,
        };
        let (mut last, mut declared) = (Vec::new(), Vec::new());
        let alone = pass.attachments_at();
        for (i, item) in pass.items.iter().enumerate() {
            let spot = Spot { queue, at: (m, 2 * i + 1), pass: Some(m) };
            let locus = Locus::PassItem { buffer, pass: number, item: i as u32 };
            if alone == Some(i as u32) {
                self.alone(m, buffer, number, pass, &declared);
            }
            match item {
                PassItem::Command(command) => {
                    let now = self.command(pass, command, spot, locus, tracked, &declared);
                    now.iter().for_each(|node| self.after(*node, last.clone()));
                    last = if serial { now } else { Vec::new() };
                }
                PassItem::UseResource { resource, read, write } => {
                    let kind = if *write { AccessKind::Write } else { AccessKind::Read };
                    let kind = if *read && *write { AccessKind::ReadWrite } else { kind };
                    let stages = if compute { vec![Stage::Dispatch] } else { Stage::EACH[..5].to_vec() };
                    declared.extend(stages.into_iter().map(|stage| Use {
                        part: resource.whole(),
                        kind,
                        stage,
                    }));
                }
                PassItem::Synchronization(sync) => self.primitive(&sync.primitive, spot, serial, compute),
            }
        }
        if alone == Some(pass.items.len() as u32) {
            self.alone(m, buffer, number, pass, &declared);
        }
        self.spots.extend((0..=2 * pass.items.len()).map(|k| Spot { queue, at: (m, k), pass: Some(m) }));
        self.spots.push(Spot { queue, at: (m, END), pass: None });
    }

    fn command(
        &mut self,
        pass: &Pass,
        command: &Command,
        spot: Spot,
        locus: Locus,
        tracked: bool,
        declared: &[Use],
    ) -> Vec<usize> {
        let mut uses = self.program.uses(pass, command);
        uses.retain(|_| command.work.is_tracked());
        uses.extend_from_slice(declared);
        let stages = command.work.stages().iter_stages();
        stages.map(|stage| self.item(locus, stage, spot, tracked, &uses)).collect()
    }

    fn item(&mut self, locus: Locus, stage: Stage, spot: Spot, tracked: bool, uses: &[Use]) -> usize {
        let node = self.oracle.node();
        self.oracle.items.insert((locus, stage), node);
        let uses = uses.iter().filter(|used| used.stage == stage).cloned().collect();
        self.items.push(ItemOf { node, spot, stage, tracked, uses });
        node
    }

    /// The attachments of a render pass without draws, behind the last item that holds the pass.
    fn alone(&mut self, m: usize, buffer: CommandBufferIndex, number: u32, pass: &Pass, declared: &[Use]) {
        let holds = |item: &PassItem| match item {
            PassItem::Synchronization(sync) => {
                matches!(sync.primitive, Primitive::WaitForFence { .. } | Primitive::ConsumerBarrier { .. })
            }
            _ => false,
        };
        let behind = pass.items.iter().rposition(holds).map_or(0, |last| last + 1);
        let queue = self.queue(buffer);
        let tracked = self.program.queues[queue].mode == QueueMode::Tracked;
        let kind = |load| if load == LoadAction::Load { AccessKind::ReadWrite } else { AccessKind::Write };
        let attached = pass.attachments().map(|attachment| Use {
            part: attachment.texture.clone(),
            kind: kind(attachment.load),
            stage: Stage::Fragment,
        });
        let uses: Vec<Use> = attached.chain(declared.iter().cloned()).collect();
        // Items stand at odd numbers; this one is in the gap, where nothing else is.
        let spot = Spot { queue, at: (m, 2 * behind), pass: Some(m) };
        self.item(Locus::Pass { buffer, pass: number }, Stage::Fragment, spot, tracked, &uses);
    }

    fn primitive(&mut self, primitive: &Primitive, spot: Spot, serial: bool, compute: bool) {
        let node = self.oracle.node();
        if let Some((first, second, shows)) = scopes(primitive, spot, serial, compute) {
            self.syncs.push(Sync { node, first, second, shows });
        }
        match *primitive {
            Primitive::UpdateFence { fence, .. } => self.updates.push((fence, spot.at.0, node)),
            Primitive::WaitForFence { fence, .. } => {
                let ahead = self.updates.iter().filter(|update| update.0 == fence && update.1 != spot.at.0);
                let ahead: Vec<usize> = ahead.map(|update| update.2).collect();
                self.after(node, ahead);
            }
            _ => {}
        }
    }

    fn event(&mut self, m: usize, locus: Locus) {
        let (queue, operation, call) = self.operation(locus);
        let hold = self.hold(queue, m);
        self.after(hold, call);
        match operation.kind {
            EventOperationKind::Signal => {
                let node = self.oracle.node();
                self.after(node, call);
                let first: Scope = Box::new(move |spot, _| spot.queue == queue && spot.at < (m, 0));
                self.syncs.push(Sync { node, first, second: none(), shows: FULL });
                self.raises.push((operation.event, operation.value, node));
            }
            EventOperationKind::Wait => {
                let node = self.hold(queue, m);
                self.waits.push((operation.event, operation.value, node));
            }
        }
        self.spots.push(Spot { queue, at: (m, END), pass: None });
    }

    fn operation(&self, locus: Locus) -> (usize, &'a EventOperation, Option<usize>) {
        if let Locus::Step(number) = locus
            && let Step::QueueEvent { queue, operation } = self.steps[number as usize]
        {
            return (queue.index(), operation, Some(self.oracle.steps[&number]));
        }
        if let Locus::Event { buffer, item } = locus
            && let BufferItem::Event(operation) =
                &self.program.command_buffers[buffer.index()].items[item as usize]
        {
            return (self.queue(buffer), operation, None);
        }
        unreachable!("event operations stand on queues and in command buffers, between passes")
    }

    /// Completion follows the buffer's items and signals, and all that holds the queue at its end; on a tracked queue also whatever
    /// the completion of those before it follows.
    fn end(&mut self, m: usize, buffer: CommandBufferIndex) {
        let queue = self.queue(buffer);
        let own = |locus: &Locus| matches!(locus, Locus::PassItem { buffer: b, .. } | Locus::Pass { buffer: b, .. } if *b == buffer);
        let items = self.oracle.items.iter().filter(|((locus, _), _)| own(locus)).map(|(_, node)| *node);
        let begin = self.moments.iter().position(|other| *other == Moment::Begin(buffer));
        let inside = Spot { queue, at: (begin.expect("it ends, so it began"), END), pass: None };
        let signals =
            self.syncs.iter().filter(|sync| (sync.first)(inside, Stage::Blit)).map(|sync| sync.node);
        let here = Spot { queue, at: (m, END), pass: None };
        let holds = self.syncs.iter().filter(|sync| (sync.second)(here, Stage::Blit)).map(|sync| sync.node);
        let mut ends: Vec<usize> = items.chain(signals).chain(holds).collect();
        if self.program.queues[queue].mode == QueueMode::Tracked {
            let before = self.ends.iter().filter(|(other, _)| self.queue(**other) == queue);
            ends.extend(before.flat_map(|(_, nodes)| nodes));
            ends.sort_unstable();
            ends.dedup();
        }
        self.ends.insert(buffer, ends);
    }

    /// Something that holds all of a queue from a moment on.
    fn hold(&mut self, queue: usize, m: usize) -> usize {
        let node = self.oracle.node();
        let second: Scope = Box::new(move |spot, _| spot.queue == queue && spot.at >= (m, END));
        self.syncs.push(Sync { node, first: none(), second, shows: FULL });
        node
    }

    fn after(&mut self, node: usize, before: impl IntoIterator<Item = usize>) {
        self.oracle.nodes[node].all.extend(before.into_iter().map(|before| (before, FULL)));
    }

    fn queue(&self, buffer: CommandBufferIndex) -> usize {
        self.program.command_buffers[buffer.index()].queue.index()
    }
}
