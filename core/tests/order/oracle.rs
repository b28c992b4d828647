//! The rules once more, by brute force: scopes are predicates over positions, everything is compared with everything.
//!
//! Nothing here is shared with the engine but the program, its accesses and the order of release, which is an input of
//! both. What is before a node is what, kept from ending, keeps the node from starting, in any execution.
use std::collections::HashMap;

use fencepost_core::program::{
    BufferItem, DispatchType, EventOperationKind, Locus, MemoryScope, PassItem, PassKind, Placement,
    Primitive, Program, QueueMode, ResourceIndex, Shape, Step, TrackingMode, Use,
};
use fencepost_core::{AccessKind, Moment, Order, Stage, Stages, Visibility};

/// A position on a queue: a place in a pass (items at odd numbers, gaps at even ones) or behind a moment.
#[derive(Clone, Copy, PartialEq)]
struct Spot {
    queue: usize,
    at: (usize, usize),
    pass: Option<usize>,
}

type Scope = Box<dyn Fn(Spot, Stage) -> bool>;

/// What an operation shows of earlier writes, or what a question asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shows {
    Kinds { buffers: bool, textures: bool },
    Only(Vec<ResourceIndex>),
}

#[derive(Default)]
struct Node {
    /// Predecessors; whether the edge makes writes visible is the successor's matter, but for direct edges.
    all: Vec<(usize, Shows)>,
    any: Option<Vec<usize>>,
}

struct Sync {
    node: usize,
    first: Scope,
    second: Scope,
    shows: Shows,
}

struct ItemOf {
    node: usize,
    spot: Spot,
    stage: Stage,
    tracked: bool,
    uses: Vec<Use>,
}

pub(crate) struct Oracle {
    nodes: Vec<Node>,
    pub(crate) items: HashMap<(Locus, Stage), usize>,
    pub(crate) steps: HashMap<u32, usize>,
}

const FULL: Shows = Shows::Kinds { buffers: true, textures: true };
const END: usize = usize::MAX;

fn none() -> Scope {
    Box::new(|_, _| false)
}

impl Oracle {
    pub(crate) fn of(program: &Program, order: &Order) -> Self {
        let mut oracle = Self { nodes: Vec::new(), items: HashMap::new(), steps: HashMap::new() };
        let (all_steps, moments) = (program.all_steps(), order.moments());
        oracle.thread(&program.steps, None, &mut 0);
        let (mut syncs, mut items, mut spots) =
            (Vec::<Sync>::new(), Vec::<ItemOf>::new(), Vec::<Spot>::new());
        let (mut updates, mut raises) = (Vec::new(), Vec::new());
        let (mut waits, mut ends) = (Vec::new(), HashMap::new());
        for (m, moment) in moments.iter().enumerate() {
            let at = |buffer: usize| program.command_buffers[buffer].queue.index();
            match *moment {
                Moment::Step(n) => {
                    let step = oracle.steps[&n];
                    match all_steps[n as usize] {
                        Step::SetSignaledValue { event, value } => raises.push((*event, *value, step)),
                        // A wait that was passed without its value ran into its timeout.
                        Step::WaitUntilSignaled { event, value, .. }
                            if raises.iter().any(|raise| raise.0 == *event && raise.1 >= *value) =>
                        {
                            waits.push((*event, *value, step));
                        }
                        Step::Notify { event, value, body } if !body.is_empty() => {
                            let (first, gate) = (oracle.steps[&(n + 1)], oracle.node());
                            oracle.nodes[first].all.push((gate, FULL));
                            waits.push((*event, *value, gate));
                        }
                        Step::WaitUntilCompleted(buffer) => {
                            let end: &Vec<usize> = &ends[buffer];
                            oracle.nodes[step].all.extend(end.iter().map(|node| (*node, FULL)));
                        }
                        _ => {}
                    }
                }
                Moment::Begin(buffer) => {
                    let commits = |n: &u32| matches!(all_steps[*n as usize], Step::Commit(all) if all.contains(&buffer));
                    let done = moments[..m]
                        .iter()
                        .filter_map(|m| if let Moment::Step(n) = m { Some(*n) } else { None });
                    let commit = oracle.steps[&done.into_iter().find(commits).unwrap()];
                    oracle.hold(&mut syncs, at(buffer.index()), m, vec![(commit, FULL)]);
                    spots.push(Spot { queue: at(buffer.index()), at: (m, END), pass: None });
                }
                Moment::Pass(buffer, p) => {
                    let queue = at(buffer.index());
                    let pass = program.pass(buffer, p).unwrap();
                    let tracked = program.queues[queue].mode == QueueMode::Tracked;
                    let serial = match pass.kind {
                        PassKind::Blit | PassKind::Compute { dispatch_type: Some(DispatchType::Serial) } => {
                            true
                        }
                        PassKind::Compute { dispatch_type: None } => tracked,
                        _ => false,
                    };
                    let compute = matches!(pass.kind, PassKind::Compute { .. });
                    let (mut last, mut declared) = (Vec::new(), Vec::new());
                    for (i, item) in pass.items.iter().enumerate() {
                        let spot = Spot { queue, at: (m, 2 * i + 1), pass: Some(m) };
                        let locus = Locus::PassItem { buffer, pass: p, item: i as u32 };
                        match item {
                            PassItem::Command(command) => {
                                let mut now = Vec::new();
                                for stage in command.work.stages().iter_stages() {
                                    let node = oracle.node();
                                    oracle.items.insert((locus, stage), node);
                                    let mut uses = program.uses(pass, command);
                                    uses.retain(|used| used.stage == stage && command.work.is_tracked());
                                    uses.extend(
                                        declared.iter().filter(|used: &&Use| used.stage == stage).cloned(),
                                    );
                                    oracle.nodes[node].all.extend(last.iter().map(|last| (*last, FULL)));
                                    items.push(ItemOf { node, spot, stage, tracked, uses });
                                    now.push(node);
                                }
                                if serial {
                                    last = now;
                                }
                            }
                            PassItem::UseResource { resource, read, write } if compute => {
                                let kind = if *write { AccessKind::Write } else { AccessKind::Read };
                                let kind = if *read && *write { AccessKind::ReadWrite } else { kind };
                                declared.push(Use { part: resource.whole(), kind, stage: Stage::Dispatch });
                            }
                            PassItem::UseResource { .. } => {}
                            PassItem::Synchronization(sync) => {
                                let node = oracle.node();
                                if let Some((first, second, shows)) =
                                    scopes(&sync.primitive, spot, serial, compute)
                                {
                                    syncs.push(Sync { node, first, second, shows });
                                }
                                match sync.primitive {
                                    Primitive::UpdateFence { fence, .. } => updates.push((fence, m, node)),
                                    Primitive::WaitForFence { fence, .. } => {
                                        let ahead = updates
                                            .iter()
                                            .filter(|update| update.0 == fence && update.1 != m);
                                        oracle.nodes[node].all.extend(ahead.map(|update| (update.2, FULL)));
                                    }
                                    _ => {}
                                }
                            }
                        }
                    }
                    spots.extend((0..=2 * pass.items.len()).map(|k| Spot {
                        queue,
                        at: (m, k),
                        pass: Some(m),
                    }));
                    spots.push(Spot { queue, at: (m, END), pass: None });
                }
                Moment::Event(locus) => {
                    let (queue, operation, call) = match locus {
                        Locus::Step(n) => match all_steps[n as usize] {
                            Step::QueueEvent { queue, operation } => {
                                (queue.index(), operation, Some(oracle.steps[&n]))
                            }
                            _ => unreachable!("only such a step stands on a queue"),
                        },
                        Locus::Event { buffer, item } => {
                            let body = &program.command_buffers[buffer.index()].items[item as usize];
                            let BufferItem::Event(operation) = body else {
                                unreachable!("an event operation")
                            };
                            (at(buffer.index()), operation, None)
                        }
                        Locus::PassItem { .. } => unreachable!("event operations stand between passes"),
                    };
                    let calls: Vec<(usize, Shows)> = call.into_iter().map(|call| (call, FULL)).collect();
                    oracle.hold(&mut syncs, queue, m, calls.clone());
                    match operation.kind {
                        EventOperationKind::Signal => {
                            let node = oracle.node();
                            oracle.nodes[node].all = calls;
                            let first: Scope =
                                Box::new(move |spot, _| spot.queue == queue && spot.at < (m, 0));
                            syncs.push(Sync { node, first, second: none(), shows: FULL });
                            raises.push((operation.event, operation.value, node));
                        }
                        EventOperationKind::Wait => {
                            let node = oracle.hold(&mut syncs, queue, m, Vec::new());
                            waits.push((operation.event, operation.value, node));
                        }
                    }
                    spots.push(Spot { queue, at: (m, END), pass: None });
                }
                Moment::End(buffer) => {
                    let queue = at(buffer.index());
                    let own =
                        |locus: &Locus| matches!(locus, Locus::PassItem { buffer: b, .. } if *b == buffer);
                    let mut nodes: Vec<usize> = oracle
                        .items
                        .iter()
                        .filter(|((locus, _), _)| own(locus))
                        .map(|(_, node)| *node)
                        .collect();
                    // All that holds the queue here, and the signals of the buffer.
                    let here = Spot { queue, at: (m, END), pass: None };
                    nodes.extend(
                        syncs.iter().filter(|sync| (sync.second)(here, Stage::Blit)).map(|sync| sync.node),
                    );
                    let begin = moments.iter().position(|other| *other == Moment::Begin(buffer)).unwrap();
                    let inside = Spot { queue, at: (begin, END), pass: None };
                    nodes.extend(
                        syncs.iter().filter(|sync| (sync.first)(inside, Stage::Blit)).map(|sync| sync.node),
                    );
                    ends.insert(buffer, nodes);
                }
            }
        }
        for (event, value, node) in waits.into_iter().filter(|wait| wait.1 > 0) {
            let enough = raises.iter().filter(|raise| raise.0 == event && raise.1 >= value);
            oracle.nodes[node].any = Some(enough.map(|raise| raise.2).collect());
        }
        oracle.connect(program, &syncs, &items, &spots);
        oracle
    }

    fn node(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    /// Something that holds all of a queue from a moment on.
    fn hold(&mut self, syncs: &mut Vec<Sync>, queue: usize, m: usize, all: Vec<(usize, Shows)>) -> usize {
        let node = self.node();
        self.nodes[node].all = all;
        let second: Scope = Box::new(move |spot, _| spot.queue == queue && spot.at >= (m, END));
        syncs.push(Sync { node, first: none(), second, shows: FULL });
        node
    }

    /// Steps of a thread follow each other, the first follows what starts the thread.
    fn thread(&mut self, steps: &[Step], start: Option<usize>, number: &mut u32) {
        let mut last = start;
        for step in steps {
            let node = self.node();
            self.steps.insert(*number, node);
            *number += 1;
            self.nodes[node].all.extend(last.map(|last| (last, FULL)));
            last = Some(node);
            if let Step::Thread { body, .. } | Step::Notify { body, .. } = step {
                self.thread(body, last, number);
            }
        }
    }

    fn connect(&mut self, program: &Program, syncs: &[Sync], items: &[ItemOf], spots: &[Spot]) {
        for sync in syncs {
            for item in items {
                if (sync.first)(item.spot, item.stage) {
                    self.nodes[sync.node].all.push((item.node, sync.shows.clone()));
                }
                if (sync.second)(item.spot, item.stage) {
                    self.nodes[item.node].all.push((sync.node, Shows::Only(Vec::new())));
                }
            }
            for later in syncs.iter().filter(|later| later.node != sync.node) {
                let share = |spot: &Spot| {
                    Stage::EACH.iter().any(|s| (sync.second)(*spot, *s) && (later.first)(*spot, *s))
                };
                if spots.iter().any(share) {
                    self.nodes[later.node].all.push((sync.node, later.shows.clone()));
                }
            }
        }
        for (n, first) in items.iter().enumerate().filter(|(_, item)| item.tracked) {
            for second in
                items[n..].iter().filter(|second| second.tracked && second.spot.pass != first.spot.pass)
            {
                let hazard = |a: &Use| second.uses.iter().any(|b| hazard(program, a, b));
                if first.uses.iter().any(hazard) {
                    self.nodes[second.node].all.push((first.node, FULL));
                }
            }
        }
    }

    /// For every node, whether `first` is before it.
    pub(crate) fn after(&self, first: usize) -> Vec<bool> {
        self.grow(
            |node, fired| {
                let all = node.all.iter().all(|(before, _)| fired[*before]);
                all && node.any.as_ref().is_none_or(|any| any.iter().any(|before| fired[*before]))
            },
            |fired| fired[first] = false,
        )
        .iter()
        .enumerate()
        .map(|(node, fired)| node != first && !fired)
        .collect()
    }

    /// For every node, whether what `first` writes of this kind or resource is visible to it.
    pub(crate) fn seen(&self, first: usize, after: &[bool], asked: &Shows, program: &Program) -> Vec<bool> {
        let free = |node: &usize| *node != first && !after[*node];
        let unseen = self.grow(
            |node, unseen| {
                let all = node.all.iter().all(|(before, shows)| {
                    if covers(shows, asked, program) { free(before) } else { unseen[*before] }
                });
                all && node.any.as_ref().is_none_or(|any| any.iter().any(free))
            },
            |unseen| unseen[first] = true,
        );
        unseen.iter().map(|unseen| !unseen).collect()
    }

    /// The least set that a rule allows, grown from nothing.
    fn grow(&self, rule: impl Fn(&Node, &[bool]) -> bool, fix: impl Fn(&mut [bool])) -> Vec<bool> {
        let mut set = vec![false; self.nodes.len()];
        loop {
            let before = set.clone();
            for (index, node) in self.nodes.iter().enumerate() {
                set[index] = set[index] || rule(node, &set);
                fix(&mut set);
            }
            if set == before {
                return set;
            }
        }
    }
}

/// First and second scope of a primitive of a pass, and what it shows.
fn scopes(primitive: &Primitive, here: Spot, serial: bool, compute: bool) -> Option<(Scope, Scope, Shows)> {
    let (m, at, queue) = (here.pass, here.at, here.queue);
    let seen = |visibility: Visibility| {
        let full = !visibility.is_empty();
        Shows::Kinds { buffers: full, textures: full }
    };
    let earlier = |stages: Stages| -> Scope {
        Box::new(move |s, stage| s.pass == m && s.at < at && has(stages, stage))
    };
    let later = |stages: Stages| -> Scope {
        Box::new(move |s, stage| s.pass == m && s.at > at && has(stages, stage))
    };
    Some(match primitive {
        Primitive::Barrier { .. } | Primitive::MemoryBarrier { .. } if serial => return None,
        &Primitive::Barrier { after, before, visibility } => {
            (earlier(after), later(before), seen(visibility))
        }
        Primitive::MemoryBarrier { scope, after, before } => {
            let absent = if compute { Stages::DISPATCH } else { Stages::EVERY };
            let shows = match scope {
                MemoryScope::Kinds { buffers, textures, render_targets } => {
                    Shows::Kinds { buffers: *buffers, textures: *textures || *render_targets }
                }
                MemoryScope::Resources(all) => Shows::Only(all.clone()),
            };
            let pipeline = [Stages::OBJECT, Stages::VERTEX | Stages::MESH, Stages::FRAGMENT, Stages::TILE];
            let (mut after, mut before) = (after.unwrap_or(absent), before.unwrap_or(absent));
            let last = pipeline.iter().rposition(|level| after.intersects(*level));
            let first = pipeline.iter().position(|level| before.intersects(*level));
            after |= pipeline.iter().take(last.map_or(0, |last| last + 1)).copied().collect();
            before |= pipeline.iter().skip(first.unwrap_or(4)).copied().collect();
            (earlier(after), later(before), shows)
        }
        &Primitive::ConsumerBarrier { after_queue: a, before: b, visibility } => (
            Box::new(move |s, stage| s.queue == queue && s.pass.is_some() && s.pass < m && has(a, stage)),
            Box::new(move |s, stage| {
                s.queue == queue
                    && s.pass.is_some()
                    && (s.pass > m || s.at > at && s.pass == m)
                    && has(b, stage)
            }),
            seen(visibility),
        ),
        &Primitive::ProducerBarrier { after: a, before_queue: b, visibility } => (
            Box::new(move |s, stage| {
                s.queue == queue
                    && s.pass.is_some()
                    && (s.pass < m || s.at < at && s.pass == m)
                    && has(a, stage)
            }),
            Box::new(move |s, stage| s.queue == queue && s.pass.is_some() && s.pass > m && has(b, stage)),
            seen(visibility),
        ),
        Primitive::UpdateFence { after, .. } => (earlier(after.unwrap_or(Stages::EVERY)), none(), FULL),
        Primitive::WaitForFence { before, .. } => (none(), later(before.unwrap_or(Stages::EVERY)), FULL),
    })
}

fn has(stages: Stages, stage: Stage) -> bool {
    stages.contains(stage.mask())
}

fn covers(shows: &Shows, asked: &Shows, program: &Program) -> bool {
    match (shows, asked) {
        (Shows::Only(all), Shows::Only(one)) => one.iter().all(|one| all.contains(one)),
        (Shows::Only(_), Shows::Kinds { .. }) => false,
        (Shows::Kinds { buffers, textures }, Shows::Kinds { buffers: b, textures: t }) => {
            *buffers >= *b && *textures >= *t
        }
        (Shows::Kinds { buffers, textures }, Shows::Only(one)) => one.iter().all(|one| {
            if matches!(program.resource(*one).shape, Shape::Buffer { .. }) { *buffers } else { *textures }
        }),
    }
}

/// Whether tracking orders two uses: of one resource that overlap, or of one tracked heap.
fn hazard(program: &Program, a: &Use, b: &Use) -> bool {
    let (ra, rb) = (program.resource(a.part.resource), program.resource(b.part.resource));
    let unit = |placement| match placement {
        Placement::Heap { heap, .. } => Some((heap, program.heaps[heap.index()].tracked)),
        _ => None,
    };
    let off = |mode| mode == TrackingMode::Untracked;
    let meet = match (unit(ra.placement), unit(rb.placement)) {
        (Some((a, true)), Some((b, true))) => a == b,
        (None, None) => a.part.resource == b.part.resource && a.part.extent.overlaps(&b.part.extent),
        _ => false,
    };
    !off(ra.tracking) && !off(rb.tracking) && meet && a.kind.conflict(b.kind).is_some()
}
