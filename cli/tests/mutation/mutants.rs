//! Every way to spoil one synchronization of a program.
//!
//! A mutant differs from its program at one place: a primitive of a pass, an event operation, a declaration, a wait of the CPU or a value
//! that it sets. It lacks it, or has it with less, elsewhere, for something else, or twice.

use fencepost_core::program::{
    BufferItem, CommandBufferIndex, EventDeclaration, EventIndex, EventOperation, FenceIndex, Locus,
    MemoryScope, Pass, PassItem, Primitive, Program, QueueIndex, ResourceIndex, Step,
};
use fencepost_core::{Stage, Stages, Visibility};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// It is gone.
    Remove,
    /// It lacks a stage, its visibility, a kind or one of its resources.
    Narrow,
    /// It stands one place earlier or later, or its value is lower.
    Shift,
    /// It names another fence, event, resource, queue or command buffer.
    Retarget,
    /// It is there twice.
    Duplicate,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Remove, Self::Narrow, Self::Shift, Self::Retarget, Self::Duplicate];
}

pub(crate) struct Mutant {
    pub(crate) kind: Kind,
    /// Where, and how.
    pub(crate) what: String,
    /// Where it stands, and where its double does.
    pub(crate) sites: [Locus; 2],
    pub(crate) program: Program,
}

/// All mutants of a program.
pub(crate) fn all(program: &Program) -> Vec<Mutant> {
    let mut program = program.clone();
    program.expectations.clear();
    // Something else to name, where the program has only one.
    program.fences.push("another fence".to_owned());
    program.events.push(EventDeclaration { name: "another event".to_owned(), shared: true });
    let mut maker = Maker { program: &program, mutants: Vec::new() };
    for (buffer, number) in program.command_buffers.iter().zip(0..) {
        let index = CommandBufferIndex(number);
        for (item, place) in buffer.items.iter().zip(0..) {
            match item {
                BufferItem::Event(operation) => maker.event_in_buffer(index, place, operation),
                BufferItem::Pass(pass) => {
                    for (item, at) in pass.items.iter().zip(0..) {
                        maker.pass_item(index, place, at, item);
                    }
                }
            }
        }
    }
    for (step, number) in program.all_steps().into_iter().zip(0..) {
        maker.step(number, step);
    }
    maker.mutants
}

struct Maker<'a> {
    program: &'a Program,
    mutants: Vec<Mutant>,
}

impl Maker<'_> {
    fn add(&mut self, kind: Kind, locus: Locus, how: &str, change: impl FnOnce(&mut Program)) {
        let mut program = self.program.clone();
        change(&mut program);
        let what = format!("{} {how}", self.program.full_path(locus));
        self.mutants.push(Mutant { kind, what, sites: [locus, behind(locus)], program });
    }

    fn pass_item(&mut self, buffer: CommandBufferIndex, pass: u32, item: u32, body: &PassItem) {
        let locus = Locus::PassItem { buffer, pass, item };
        let index = item as usize;
        let changed: Vec<(Kind, String, PassItem)> = match body {
            PassItem::Command(_) => return,
            PassItem::Synchronization(synchronization) => {
                let with = |(kind, how, primitive)| {
                    let mut changed = synchronization.clone();
                    changed.primitive = primitive;
                    (kind, how, PassItem::Synchronization(changed))
                };
                changed(self.program, &synchronization.primitive).into_iter().map(with).collect()
            }
            PassItem::UseResource { resource, read, write } => {
                declared(self.program, *resource, *read, *write)
            }
        };
        for (kind, how, new) in changed {
            self.add(kind, locus, &how, |program| items(program, buffer, pass)[index] = new);
        }
        self.add(Kind::Remove, locus, "removed", |program| {
            items(program, buffer, pass).remove(index);
        });
        // To declare a use twice costs nothing and orders nothing: no synchronization is redundant.
        if matches!(body, PassItem::Synchronization(_)) {
            self.add(Kind::Duplicate, locus, "twice", |program| {
                items(program, buffer, pass).insert(index + 1, body.clone());
            });
        }
        if index > 0 {
            self.add(Kind::Shift, locus, "earlier", |program| {
                items(program, buffer, pass).swap(index - 1, index)
            });
        }
        if self.program.pass(buffer, pass).is_some_and(|pass| index + 1 < pass.items.len()) {
            self.add(Kind::Shift, locus, "later", |program| {
                items(program, buffer, pass).swap(index, index + 1)
            });
        }
    }

    fn event_in_buffer(&mut self, buffer: CommandBufferIndex, item: u32, operation: &EventOperation) {
        let locus = Locus::Event { buffer, item };
        let index = item as usize;
        for (kind, how, new) in events(self.program, operation) {
            self.add(kind, locus, &how, |program| {
                program.command_buffers[buffer.index()].items[index] = BufferItem::Event(new);
            });
        }
        self.add(Kind::Remove, locus, "removed", |program| {
            program.command_buffers[buffer.index()].items.remove(index);
        });
        self.add(Kind::Duplicate, locus, "twice", |program| {
            program.command_buffers[buffer.index()]
                .items
                .insert(index + 1, BufferItem::Event(operation.clone()));
        });
        if index > 0 {
            self.add(Kind::Shift, locus, "earlier", |program| {
                program.command_buffers[buffer.index()].items.swap(index - 1, index);
            });
        }
        if index + 1 < self.program.command_buffers[buffer.index()].items.len() {
            self.add(Kind::Shift, locus, "later", |program| {
                program.command_buffers[buffer.index()].items.swap(index, index + 1);
            });
        }
    }

    fn step(&mut self, number: u32, step: &Step) {
        let locus = Locus::Step(number);
        let changed: Vec<(Kind, String, Step)> = match step {
            Step::QueueEvent { queue, operation } => {
                let with =
                    |(kind, how, operation)| (kind, how, Step::QueueEvent { queue: *queue, operation });
                let mut all: Vec<_> = events(self.program, operation).into_iter().map(with).collect();
                let others =
                    (0..self.program.queues.len() as u32).map(QueueIndex).filter(|other| other != queue);
                all.extend(others.map(|other| {
                    let step = Step::QueueEvent { queue: other, operation: operation.clone() };
                    (Kind::Retarget, format!("on queue {}", other.0), step)
                }));
                all
            }
            Step::WaitUntilCompleted(buffer) => {
                let all = (0..self.program.command_buffers.len() as u32).map(CommandBufferIndex);
                let others = all.filter(|other| other != buffer);
                let wait = |other: CommandBufferIndex| {
                    (Kind::Retarget, format!("for buffer {}", other.0), Step::WaitUntilCompleted(other))
                };
                others.map(wait).collect()
            }
            Step::SetSignaledValue { event, value } => values(self.program, *event, *value)
                .map(|(kind, how, event, value)| (kind, how, Step::SetSignaledValue { event, value }))
                .collect(),
            Step::WaitUntilSignaled { event, value, timeout_ms } => values(self.program, *event, *value)
                .map(|(kind, how, event, value)| {
                    (kind, how, Step::WaitUntilSignaled { event, value, timeout_ms: *timeout_ms })
                })
                .collect(),
            // Its body is no synchronization, and would go with it.
            Step::Notify { event, value, body } => {
                for (kind, how, event, value) in values(self.program, *event, *value).collect::<Vec<_>>() {
                    let body = body.clone();
                    self.add(kind, locus, &how, |program| {
                        at(&mut program.steps, number, |steps, index| {
                            steps[index] = Step::Notify { event, value, body };
                        });
                    });
                }
                return;
            }
            _ => return,
        };
        for (kind, how, new) in changed {
            self.add(kind, locus, &how, |program| {
                at(&mut program.steps, number, |steps, index| steps[index] = new);
            });
        }
        self.add(Kind::Remove, locus, "removed", |program| {
            at(&mut program.steps, number, |steps, index| {
                steps.remove(index);
            });
        });
        self.add(Kind::Duplicate, locus, "twice", |program| {
            at(&mut program.steps, number, |steps, index| steps.insert(index + 1, step.clone()));
        });
        self.add(Kind::Shift, locus, "earlier", |program| {
            at(&mut program.steps, number, |steps, index| steps.swap(index.saturating_sub(1), index));
        });
        self.add(Kind::Shift, locus, "later", |program| {
            at(&mut program.steps, number, |steps, index| {
                let last = steps.len() - 1;
                steps.swap(index, (index + 1).min(last));
            });
        });
    }
}

/// The place right behind.
const fn behind(locus: Locus) -> Locus {
    match locus {
        Locus::PassItem { buffer, pass, item } => Locus::PassItem { buffer, pass, item: item + 1 },
        Locus::Event { buffer, item } => Locus::Event { buffer, item: item + 1 },
        Locus::Step(number) => Locus::Step(number + 1),
        Locus::Pass { .. } => locus,
    }
}

fn items(program: &mut Program, buffer: CommandBufferIndex, pass: u32) -> &mut Vec<PassItem> {
    match &mut program.command_buffers[buffer.index()].items[pass as usize] {
        BufferItem::Pass(Pass { items, .. }) => items,
        BufferItem::Event(_) => unreachable!("the caller came from a pass"),
    }
}

/// Changes the list that holds a step, at its place there.
fn at(steps: &mut Vec<Step>, number: u32, change: impl FnOnce(&mut Vec<Step>, usize)) {
    fn find<'a>(steps: &'a mut Vec<Step>, left: &mut u32) -> Option<(&'a mut Vec<Step>, usize)> {
        let mut inner = None;
        for (index, step) in steps.iter().enumerate() {
            if *left == 0 {
                return Some((steps, index));
            }
            *left -= 1;
            let length = length(step);
            if *left < length {
                inner = Some(index);
                break;
            }
            *left -= length;
        }
        match &mut steps[inner?] {
            Step::Thread { body, .. } | Step::Notify { body, .. } => find(body, left),
            _ => None,
        }
    }
    let mut left = number;
    if let Some((steps, index)) = find(steps, &mut left) {
        change(steps, index);
    }
}

/// How many steps are inside of one.
fn length(step: &Step) -> u32 {
    match step {
        Step::Thread { body, .. } | Step::Notify { body, .. } => {
            body.iter().map(|step| 1 + length(step)).sum()
        }
        _ => 0,
    }
}

/// A primitive with less, or for something else.
fn changed(program: &Program, primitive: &Primitive) -> Vec<(Kind, String, Primitive)> {
    let mut all = Vec::new();
    let mut narrow = |how: String, primitive| all.push((Kind::Narrow, how, primitive));
    match primitive.clone() {
        Primitive::Barrier { after, before, visibility } => {
            for (less, how) in fewer(after) {
                narrow(format!("after {how}"), Primitive::Barrier { after: less, before, visibility });
            }
            for (less, how) in fewer(before) {
                narrow(format!("before {how}"), Primitive::Barrier { after, before: less, visibility });
            }
            narrow(
                "hidden".to_owned(),
                Primitive::Barrier { after, before, visibility: Visibility::empty() },
            );
        }
        Primitive::ConsumerBarrier { after_queue, before, visibility } => {
            let with = |after_queue, before, visibility| Primitive::ConsumerBarrier {
                after_queue,
                before,
                visibility,
            };
            fewer(after_queue)
                .for_each(|(less, how)| narrow(format!("after {how}"), with(less, before, visibility)));
            fewer(before)
                .for_each(|(less, how)| narrow(format!("before {how}"), with(after_queue, less, visibility)));
            narrow("hidden".to_owned(), with(after_queue, before, Visibility::empty()));
        }
        Primitive::ProducerBarrier { after, before_queue, visibility } => {
            let with = |after, before_queue, visibility| Primitive::ProducerBarrier {
                after,
                before_queue,
                visibility,
            };
            fewer(after)
                .for_each(|(less, how)| narrow(format!("after {how}"), with(less, before_queue, visibility)));
            fewer(before_queue)
                .for_each(|(less, how)| narrow(format!("before {how}"), with(after, less, visibility)));
            narrow("hidden".to_owned(), with(after, before_queue, Visibility::empty()));
        }
        Primitive::MemoryBarrier { scope, after, before } => memory(program, &scope, after, before, &mut all),
        Primitive::UpdateFence { fence, after } => {
            for (less, how) in fewer(after.unwrap_or(Stages::EVERY)) {
                narrow(format!("after {how}"), Primitive::UpdateFence { fence, after: Some(less) });
            }
            for (other, how) in other_fences(program, fence) {
                all.push((Kind::Retarget, how, Primitive::UpdateFence { fence: other, after }));
            }
        }
        Primitive::WaitForFence { fence, before } => {
            for (less, how) in fewer(before.unwrap_or(Stages::EVERY)) {
                narrow(format!("before {how}"), Primitive::WaitForFence { fence, before: Some(less) });
            }
            for (other, how) in other_fences(program, fence) {
                all.push((Kind::Retarget, how, Primitive::WaitForFence { fence: other, before }));
            }
        }
    }
    all
}

fn memory(
    program: &Program,
    scope: &MemoryScope,
    after: Option<Stages>,
    before: Option<Stages>,
    all: &mut Vec<(Kind, String, Primitive)>,
) {
    let with = |scope| Primitive::MemoryBarrier { scope, after, before };
    match scope {
        MemoryScope::Kinds { buffers, textures, render_targets } => {
            let kinds = [*buffers, *textures, *render_targets];
            for dropped in (0..3).filter(|kind| kinds[*kind]) {
                let [buffers, textures, render_targets] =
                    core::array::from_fn(|kind| kinds[kind] && kind != dropped);
                let scope = MemoryScope::Kinds { buffers, textures, render_targets };
                all.push((Kind::Narrow, format!("without kind {dropped}"), with(scope)));
            }
        }
        MemoryScope::Resources(resources) => {
            for dropped in resources {
                let rest = resources.iter().copied().filter(|resource| resource != dropped).collect();
                all.push((
                    Kind::Narrow,
                    format!("without {}", name(program, *dropped)),
                    with(MemoryScope::Resources(rest)),
                ));
                for other in other_resources(program, *dropped) {
                    let swapped =
                        resources.iter().map(|resource| if resource == dropped { other } else { *resource });
                    let scope = MemoryScope::Resources(swapped.collect());
                    all.push((Kind::Retarget, format!("for {}", name(program, other)), with(scope)));
                }
            }
        }
    }
    for (less, how) in after.into_iter().flat_map(fewer) {
        let primitive = Primitive::MemoryBarrier { scope: scope.clone(), after: Some(less), before };
        all.push((Kind::Narrow, format!("after {how}"), primitive));
    }
    for (less, how) in before.into_iter().flat_map(fewer) {
        let primitive = Primitive::MemoryBarrier { scope: scope.clone(), after, before: Some(less) };
        all.push((Kind::Narrow, format!("before {how}"), primitive));
    }
}

fn declared(
    program: &Program,
    resource: ResourceIndex,
    read: bool,
    write: bool,
) -> Vec<(Kind, String, PassItem)> {
    let mut all = Vec::new();
    if write {
        let less = PassItem::UseResource { resource, read: true, write: false };
        all.push((Kind::Narrow, "only read".to_owned(), less));
    }
    for other in other_resources(program, resource) {
        let item = PassItem::UseResource { resource: other, read, write };
        all.push((Kind::Retarget, format!("for {}", name(program, other)), item));
    }
    all
}

fn events(program: &Program, operation: &EventOperation) -> Vec<(Kind, String, EventOperation)> {
    // The label stays, so that places are named as before.
    let with = |(kind, how, event, value)| (kind, how, EventOperation { event, value, ..operation.clone() });
    values(program, operation.event, operation.value).map(with).collect()
}

/// Lower values, and other events.
fn values(
    program: &Program,
    event: EventIndex,
    value: u64,
) -> impl Iterator<Item = (Kind, String, EventIndex, u64)> {
    let lower = value.checked_sub(1).map(|lower| (Kind::Shift, format!("value {lower}"), event, lower));
    let others = (0..program.events.len() as u32).map(EventIndex).filter(move |other| *other != event);
    let others: Vec<_> =
        others.map(|other| (Kind::Retarget, format!("event {}", other.0), other, value)).collect();
    lower.into_iter().chain(others)
}

/// A set without one of its stages, for each of those that programs have work in.
fn fewer(stages: Stages) -> impl Iterator<Item = (Stages, String)> {
    const WORK: Stages = Stages::VERTEX.union(Stages::FRAGMENT).union(Stages::DISPATCH).union(Stages::BLIT);
    let all: Vec<Stage> = (stages & WORK).iter_stages().collect();
    all.into_iter()
        .map(move |stage| ((stages & Stages::EVERY) - stage.mask(), format!("not {}", stage.name())))
}

fn other_fences(program: &Program, fence: FenceIndex) -> impl Iterator<Item = (FenceIndex, String)> {
    let all = (0..program.fences.len() as u32).map(FenceIndex).filter(move |other| *other != fence);
    all.map(|other| (other, format!("fence {}", other.0)))
}

fn other_resources(
    program: &Program,
    resource: ResourceIndex,
) -> impl Iterator<Item = ResourceIndex> + use<> {
    // Others behave alike; a few are enough.
    (0..program.resources.len() as u32).map(ResourceIndex).filter(move |other| *other != resource).take(4)
}

fn name(program: &Program, resource: ResourceIndex) -> &str {
    &program.resource(resource).name
}
