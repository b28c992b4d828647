//! What mends a misuse: another place for the call, another call, another declaration, or no call.
use super::{Change, Mending, after_step, before_step, commit_of, fresh, into_buffer, into_pass, last_step};
use crate::advise::fix::{Inserted, Insertion, Where};
use crate::program::{
    BufferItem, Command, CommandBufferIndex, DeviceIndex, EventIndex, EventOperation, EventOperationKind,
    FenceIndex, Locus, MemoryScope, Pass, PassItem, PassKind, Placement, Primitive, Program, ResourceIndex,
    Step, StorageMode, Synchronization,
};
use crate::validate::{Finding, Misuse, Severity, Spot};
use crate::{Stages, Visibility};

pub(super) fn mending(program: &Program, finding: &Finding, misuse: Misuse) -> Option<Mending> {
    let one = |change: Change| Some(Mending::changing([change]));
    let here = match finding.second {
        Some(Spot::At(locus)) => Some(locus),
        _ => None,
    };
    match misuse {
        Misuse::StageNotInEncoder(wrong) => encodable(program, here?, wrong),
        Misuse::FragmentInAfter => render_pass_ends(program, here?),
        Misuse::UpdateBeforeWait(_) => {
            let Some(Spot::At(update)) = finding.first else { return None };
            moved_in_pass(program, here?, update)
        }
        Misuse::WrongStorageMode => one(storage(program, here?, finding.resource?)),
        Misuse::NotAliasable => one(Change::Drop(here?)),
        Misuse::WrongDevice => other_device(program, here?, finding.resource),
        Misuse::CommittedTwice(buffer) => {
            let Locus::Step(step) = here? else { return None };
            let label = fresh(program, &program.command_buffers.get(buffer.index())?.label);
            one(Change::Again { step, buffer, label })
        }
        Misuse::UseAfterAliasing => later_aliasable(program, finding, here?),
        Misuse::WrongQueueMode => queue_mode(program, finding),
        Misuse::EmptyStages => one(Change::Drop(here?)),
        Misuse::NeverUpdated(fence) => one(updated(program, here?, fence)),
        Misuse::SignalNotIncreasing { reached, .. } => {
            let higher = with_value(program, here?, |own| *own = reached.saturating_add(1));
            let proposals = higher.into_iter().chain([vec![Change::Drop(here?)]]).map(Mending::changing);
            let before = errors(program)?;
            proposals.into_iter().find(|own| errors(&own.applied(program)).is_some_and(|now| now <= before))
        }
        Misuse::NeverCommitted => {
            let Some(Spot::CommandBuffer(buffer)) = finding.second else { return None };
            let commit = Step::Commit(vec![buffer]);
            one(match last_step(program) {
                Some(step) => after_step(step, commit),
                None => before_step(0, commit),
            })
        }
        Misuse::TrackedOnUntrackedHeap => match program.resources.get(finding.resource?.index())?.placement {
            Placement::Heap { heap, .. } => one(Change::TrackedHeap(heap)),
            _ => None,
        },
        Misuse::FenceAcrossQueues(_) => {
            let Some(Spot::At(update)) = finding.first else { return None };
            event_instead(program, update, here?)
        }
    }
}

/// How many errors there are; nothing where the changes have made no program.
fn errors(program: &Program) -> Option<usize> {
    let all = crate::validate::validate(program).ok()?;
    Some(all.iter().filter(|finding| finding.severity() == Severity::Error).count())
}

fn pass_item(program: &Program, locus: Locus) -> Option<(CommandBufferIndex, u32, u32, &PassItem)> {
    let Locus::PassItem { buffer, pass, item } = locus else { return None };
    Some((buffer, pass, item, program.pass(buffer, pass)?.items.get(item as usize)?))
}

fn synchronization(primitive: Primitive) -> PassItem {
    PassItem::Synchronization(Synchronization { label: None, primitive })
}

/// The call without the stages that its encoder has not, or the command in a pass that has them.
fn encodable(program: &Program, here: Locus, wrong: Stages) -> Option<Mending> {
    let (buffer, pass, _, item) = pass_item(program, here)?;
    match item {
        PassItem::Command(command) => {
            let kind = if wrong.contains(Stages::BLIT) {
                PassKind::Blit
            } else if wrong.contains(Stages::DISPATCH) {
                PassKind::Compute { dispatch_type: None }
            } else {
                return Some(Mending::changing([Change::Drop(here)]));
            };
            let items = vec![PassItem::Command(command.clone())];
            let new = BufferItem::Pass(Pass { label: fresh(program, "P"), kind, items });
            Some(Mending::changing([into_buffer(buffer, pass + 1, new), Change::Drop(here)]))
        }
        PassItem::Synchronization(own) => {
            let mut own = own.clone();
            let left = own.primitive.stages_mut().into_iter().flatten().all(|stages| {
                *stages = if *stages == Stages::ALL { *stages } else { stages.difference(wrong) };
                !stages.is_empty()
            });
            Some(Mending::changing([if left {
                instead(here, PassItem::Synchronization(own))
            } else {
                Change::Drop(here)
            }]))
        }
        PassItem::UseResource { .. } => None,
    }
}

fn instead(here: Locus, item: PassItem) -> Change {
    Change::Put(Insertion { at: Where::Instead(here), item: Inserted::PassItem(item) })
}

/// The pass ends where it should wait for its own fragments, and what follows is another pass.
fn render_pass_ends(program: &Program, here: Locus) -> Option<Mending> {
    let (buffer, pass, item, own) = pass_item(program, here)?;
    let PassItem::Synchronization(own) = own else { return None };
    let mut own = own.primitive.clone();
    let [after, before] = own.stages_mut();
    let (after, before) =
        (after.map_or(Stages::FRAGMENT, |own| *own), before.map_or(Stages::FRAGMENT, |own| *own));
    let end = Insertion { at: Where::Pass(buffer, pass, item), item: Inserted::NewPass };
    let visibility = Visibility::DEVICE;
    let barrier = synchronization(Primitive::ConsumerBarrier { after_queue: after, before, visibility });
    Some(Mending::changing([Change::Drop(here), Change::Put(end), into_pass((buffer, pass), item, barrier)]))
}

/// One item of a pass in front of another.
fn moved_in_pass(program: &Program, from: Locus, to: Locus) -> Option<Mending> {
    let (buffer, pass, _, own) = pass_item(program, from)?;
    let (other, target, item, _) = pass_item(program, to)?;
    let fits = (buffer, pass) == (other, target);
    fits.then(|| Mending::changing([into_pass((buffer, pass), item, own.clone()), Change::Drop(from)]))
}

fn storage(program: &Program, here: Locus, resource: ResourceIndex) -> Change {
    // An attachment without memory that is asked for what it holds gets memory.
    let own = program.resources.get(resource.index()).map(|resource| resource.storage);
    if own == Some(StorageMode::Memoryless) && !matches!(here, Locus::Step(_)) {
        return Change::Storage(resource, StorageMode::Private);
    }
    let steps = program.all_steps();
    let step = match here {
        Locus::Step(number) => steps.get(number as usize),
        _ => None,
    };
    match step {
        Some(Step::Write(_) | Step::Read(_)) => Change::Storage(resource, StorageMode::Shared),
        _ => Change::Drop(here),
    }
}

/// The resource through a name of the command's own device; a fence or an event that crosses devices as a shared event.
fn other_device(program: &Program, here: Locus, resource: Option<ResourceIndex>) -> Option<Mending> {
    let device = |buffer: CommandBufferIndex| -> Option<DeviceIndex> {
        let queue = program.command_buffers.get(buffer.index())?.queue;
        Some(program.queues.get(queue.index())?.device)
    };
    let one = |change: Change| Some(Mending::changing([change]));
    if let Some(resource) = resource {
        let Locus::PassItem { buffer, .. } = here else { return None };
        let name = fresh(program, &program.resources.get(resource.index())?.name);
        return one(Change::View { command: here, resource, device: device(buffer)?, name });
    }
    if let Some(operation) = operation(program, here) {
        return one(Change::SharedEvent(operation.event));
    }
    let (buffer, _, _, PassItem::Synchronization(own)) = pass_item(program, here)? else { return None };
    let fence = match own.primitive {
        Primitive::UpdateFence { fence, .. } | Primitive::WaitForFence { fence, .. } => fence,
        _ => return None,
    };
    // The other side is the nearest use of the fence on another device.
    let elsewhere = fence_uses(program, fence).into_iter().find(|(locus, updates)| match locus {
        Locus::PassItem { buffer: other, .. } => {
            device(*other) != device(buffer)
                && *updates != matches!(own.primitive, Primitive::UpdateFence { .. })
        }
        _ => false,
    });
    match (elsewhere, &own.primitive) {
        (Some((other, _)), Primitive::UpdateFence { .. }) => event_instead(program, here, other),
        (Some((other, _)), _) => event_instead(program, other, here),
        (None, _) => one(Change::Drop(here)),
    }
}

/// Where a fence is updated (`true`) and waited for.
fn fence_uses(program: &Program, fence: FenceIndex) -> Vec<(Locus, bool)> {
    let mut all = Vec::new();
    for (body, number) in program.command_buffers.iter().zip(0..) {
        for (item, place) in body.items.iter().zip(0..) {
            let BufferItem::Pass(pass) = item else { continue };
            for (item, index) in pass.items.iter().zip(0..) {
                let PassItem::Synchronization(own) = item else { continue };
                let locus = Locus::PassItem { buffer: CommandBufferIndex(number), pass: place, item: index };
                match own.primitive {
                    Primitive::UpdateFence { fence: own, .. } if own == fence => all.push((locus, true)),
                    Primitive::WaitForFence { fence: own, .. } if own == fence => all.push((locus, false)),
                    _ => {}
                }
            }
        }
    }
    all
}

/// An event from the pass of a fence's update to the pass of its wait, which goes; the update goes with the last wait.
fn event_instead(program: &Program, update: Locus, wait: Locus) -> Option<Mending> {
    let (from, update_pass, _, PassItem::Synchronization(own)) = pass_item(program, update)? else {
        return None;
    };
    let (to, wait_pass, _, _) = pass_item(program, wait)?;
    let Primitive::UpdateFence { fence, .. } = own.primitive else { return None };
    let device = |buffer: CommandBufferIndex| {
        program.queues[program.command_buffers[buffer.index()].queue.index()].device
    };
    let shared = device(from) != device(to);
    let mut mending = Mending {
        events: vec![(fresh(program, if shared { "X" } else { "E" }), shared)],
        ..Mending::default()
    };
    let event = EventIndex(program.events.len() as u32);
    let operation = |kind| EventOperation { label: None, event, value: 1, kind };
    mending.changes.extend([
        event_operation(program, (from, update_pass + 1), operation(EventOperationKind::Signal))?,
        event_operation(program, (to, wait_pass), operation(EventOperationKind::Wait))?,
        Change::Drop(wait),
    ]);
    let waits = fence_uses(program, fence).into_iter().filter(|(_, updates)| !updates).count();
    if waits <= 1 {
        mending.changes.push(Change::Drop(update));
    }
    Some(mending)
}

/// An event operation at a place of a command buffer, or on its queue where it takes none.
pub(super) fn event_operation(
    program: &Program,
    (buffer, item): (CommandBufferIndex, u32),
    operation: EventOperation,
) -> Option<Change> {
    if crate::advise::fix::takes_events(program, buffer) {
        return Some(into_buffer(buffer, item, BufferItem::Event(operation)));
    }
    let queue = program.command_buffers.get(buffer.index())?.queue;
    let step = commit_of(program, buffer)?;
    Some(match operation.kind {
        EventOperationKind::Signal => after_step(step, Step::QueueEvent { queue, operation }),
        EventOperationKind::Wait => before_step(step, Step::QueueEvent { queue, operation }),
    })
}

/// The event operation that stands at a place.
pub(super) fn operation(program: &Program, locus: Locus) -> Option<EventOperation> {
    match locus {
        Locus::Event { buffer, item } => {
            match program.command_buffers.get(buffer.index())?.items.get(item as usize)? {
                BufferItem::Event(own) => Some(own.clone()),
                BufferItem::Pass(_) => None,
            }
        }
        Locus::Step(number) => match program.all_steps().get(number as usize)? {
            Step::QueueEvent { operation, .. } => Some(operation.clone()),
            _ => None,
        },
        Locus::PassItem { .. } | Locus::Pass { .. } => None,
    }
}

/// A signal or a wait with another value in its place.
pub(super) fn with_value(
    program: &Program,
    locus: Locus,
    change: impl FnOnce(&mut u64),
) -> Option<Vec<Change>> {
    let new = match locus {
        Locus::Event { buffer, item } => {
            let mut own = operation(program, locus)?;
            change(&mut own.value);
            into_buffer(buffer, item, BufferItem::Event(own))
        }
        Locus::Step(number) => {
            let mut step = (*program.all_steps().get(number as usize)?).clone();
            match &mut step {
                Step::QueueEvent { operation, .. } => change(&mut operation.value),
                Step::SetSignaledValue { value, .. } | Step::WaitUntilSignaled { value, .. } => change(value),
                _ => return None,
            }
            before_step(number, step)
        }
        Locus::PassItem { .. } | Locus::Pass { .. } => return None,
    };
    Some(vec![new, Change::Drop(locus)])
}

/// The resource is given away behind the commit of its last use.
fn later_aliasable(program: &Program, finding: &Finding, here: Locus) -> Option<Mending> {
    let (Some(Spot::At(given @ Locus::Step(_))), Some(resource)) = (finding.first, finding.resource) else {
        return None;
    };
    let step = match here {
        Locus::PassItem { buffer, .. } | Locus::Pass { buffer, .. } | Locus::Event { buffer, .. } => {
            commit_of(program, buffer)?
        }
        Locus::Step(step) => step,
    };
    Some(Mending::changing([after_step(step, Step::MakeAliasable(resource)), Change::Drop(given)]))
}

/// The update that a wait lacks, at the end of the pass before it; no wait where there is none.
fn updated(program: &Program, here: Locus, fence: FenceIndex) -> Change {
    let Locus::PassItem { buffer, pass, .. } = here else { return Change::Drop(here) };
    let items = program.command_buffers.get(buffer.index()).map_or(&[][..], |body| &body.items);
    let before = items.iter().zip(0..).take(pass as usize);
    let earlier = before.filter_map(|(item, place)| match item {
        BufferItem::Pass(own) => Some((place, own.items.len() as u32)),
        BufferItem::Event(_) => None,
    });
    match earlier.last() {
        Some((place, end)) => {
            into_pass((buffer, place), end, synchronization(Primitive::UpdateFence { fence, after: None }))
        }
        None => Change::Drop(here),
    }
}

fn queue_mode(program: &Program, finding: &Finding) -> Option<Mending> {
    let here = match finding.second? {
        Spot::Pass(buffer, pass) => {
            return Some(Mending::changing([Change::ComputePass { buffer, pass }]));
        }
        Spot::At(locus) => locus,
        Spot::CommandBuffer(_) => return None,
    };
    match here {
        Locus::PassItem { buffer, pass, .. } => primitive_of_mode(program, here, (buffer, pass)),
        Locus::Event { buffer, .. } => {
            let own = operation(program, here)?;
            let queue = program.command_buffers.get(buffer.index())?.queue;
            let step = commit_of(program, buffer)?;
            let kind = own.kind;
            let new = Step::QueueEvent { queue, operation: own };
            let put = match kind {
                EventOperationKind::Signal => after_step(step, new),
                EventOperationKind::Wait => before_step(step, new),
            };
            Some(Mending::changing([put, Change::Drop(here)]))
        }
        Locus::Step(number) => {
            let own = operation(program, here);
            let put = own.and_then(|own| into_command_buffer(program, number, own));
            Some(Mending::changing(put.into_iter().chain([Change::Drop(here)])))
        }
        Locus::Pass { .. } => None,
    }
}

/// An event operation of a queue at the end of what the queue was given before it, or in front of what comes next.
fn into_command_buffer(program: &Program, number: u32, own: EventOperation) -> Option<Change> {
    let steps = program.all_steps();
    let Step::QueueEvent { queue, .. } = steps.get(number as usize)? else { return None };
    let (before, after) = steps.split_at(number as usize);
    let mine = |buffer: &&CommandBufferIndex| {
        program.command_buffers.get(buffer.index()).is_some_and(|body| body.queue == *queue)
    };
    let commits = |step: &&Step| match step {
        Step::Commit(all) => all.clone(),
        _ => Vec::new(),
    };
    let earlier: Vec<CommandBufferIndex> = before.iter().flat_map(commits).collect();
    let later: Vec<CommandBufferIndex> = after.iter().flat_map(commits).collect();
    let (earlier, later) = (earlier.iter().rfind(|own| mine(own)), later.iter().find(|own| mine(own)));
    let last = |buffer: CommandBufferIndex| program.command_buffers[buffer.index()].items.len() as u32;
    let place = match own.kind {
        EventOperationKind::Signal => {
            earlier.map(|own| (*own, last(*own))).or_else(|| later.map(|own| (*own, 0)))
        }
        EventOperationKind::Wait => {
            later.map(|own| (*own, 0)).or_else(|| earlier.map(|own| (*own, last(*own))))
        }
    };
    place.map(|(buffer, item)| into_buffer(buffer, item, BufferItem::Event(own)))
}

/// What orders the same on a queue of this mode.
fn primitive_of_mode(
    program: &Program,
    here: Locus,
    (buffer, pass): (CommandBufferIndex, u32),
) -> Option<Mending> {
    let (_, _, _, PassItem::Synchronization(own)) = pass_item(program, here)? else { return None };
    let commands = program.pass(buffer, pass)?.items.iter().filter_map(|item| match item {
        PassItem::Command(Command { work, .. }) => Some(work.stages()),
        _ => None,
    });
    let stages = commands.fold(Stages::empty(), |all, own| all | own);
    let put = |primitive| {
        instead(here, PassItem::Synchronization(Synchronization { label: own.label.clone(), primitive }))
    };
    let change = match own.primitive {
        Primitive::MemoryBarrier { after, before, .. } => put(Primitive::Barrier {
            after: after.unwrap_or(stages),
            before: before.unwrap_or(stages),
            visibility: Visibility::DEVICE,
        }),
        Primitive::Barrier { .. } => put(Primitive::MemoryBarrier {
            scope: MemoryScope::Kinds { buffers: true, textures: true, render_targets: false },
            after: None,
            before: None,
        }),
        Primitive::ProducerBarrier { after, before_queue, visibility } => {
            let next = program.command_buffers.get(buffer.index())?.items.iter().zip(0..);
            let mut next = next.skip(pass as usize + 1);
            let next = next.find(|(item, _)| matches!(item, BufferItem::Pass(_)));
            let Some((_, next)) = next else { return Some(Mending::changing([Change::Drop(here)])) };
            let primitive =
                Primitive::ConsumerBarrier { after_queue: after, before: before_queue, visibility };
            let new = into_pass((buffer, next), 0, synchronization(primitive));
            return Some(Mending::changing([new, Change::Drop(here)]));
        }
        _ => return None,
    };
    Some(Mending::changing([change]))
}
