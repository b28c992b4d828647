//! What mends undefined contents, copies that no call brings together, and waste.
use super::{Change, Mending, before_step, commit_of, fresh, into_buffer, into_pass};
use crate::program::{
    BufferItem, Command, Locus, Pass, PassItem, PassKind, Primitive, Program, QueueMode, ResourceIndex, Step,
    StorageMode, Synchronization, Work,
};
use crate::validate::{Finding, Managed, Spot, Uninitialized};
use crate::{Extent, Stages, Visibility};

/// Contents for what is read, before it is read.
pub(super) fn initialized(program: &Program, finding: &Finding, what: Uninitialized) -> Option<Mending> {
    let (spot, resource) = (finding.second?, finding.resource?);
    let (buffer, pass) = match spot {
        Spot::At(Locus::PassItem { buffer, pass, .. } | Locus::Pass { buffer, pass })
        | Spot::Pass(buffer, pass) => (buffer, pass),
        _ => return written(program, spot, resource, finding.extent.clone()?),
    };
    match what {
        Uninitialized::Attachment => {
            let PassKind::Render { color, depth } = &program.pass(buffer, pass)?.kind else { return None };
            let mut all = color.iter().chain(depth).zip(0..);
            let (_, attachment) = all.find(|(attachment, _)| attachment.texture.resource == resource)?;
            Some(Mending::changing([Change::Clear { buffer, pass, attachment }]))
        }
        Uninitialized::Alias(_) => {
            let queue = program.command_buffers.get(buffer.index())?.queue;
            let explicit = program.queues.get(queue.index())?.mode == QueueMode::Explicit;
            let kind = if explicit { PassKind::Compute { dispatch_type: None } } else { PassKind::Blit };
            let part = crate::program::Part { resource, extent: finding.extent.clone()? };
            let fill = Command { label: "f".to_owned(), work: Work::Fill { to: part, value: 0 } };
            let label = fresh(program, "Z");
            // The other name's uses come before, what is read comes behind.
            let barrier = |after_queue, before| {
                let visibility = Visibility::DEVICE;
                let primitive = Primitive::ConsumerBarrier { after_queue, before, visibility };
                PassItem::Synchronization(Synchronization { label: None, primitive })
            };
            let items = vec![barrier(Stages::ALL, Stages::BLIT), PassItem::Command(fill)];
            let new = BufferItem::Pass(Pass { label, kind, items });
            let reads = barrier(Stages::BLIT, reader(program, spot));
            Some(Mending::changing([into_buffer(buffer, pass, new), into_pass((buffer, pass), 0, reads)]))
        }
    }
}

/// The CPU writes what it will read.
fn written(program: &Program, spot: Spot, resource: ResourceIndex, extent: Extent) -> Option<Mending> {
    let Spot::At(Locus::Step(step)) = spot else { return None };
    program.resources.get(resource.index())?;
    let write = Step::Write(crate::program::Part { resource, extent });
    Some(Mending::changing([before_step(step, write)]))
}

fn reader(program: &Program, spot: Spot) -> Stages {
    let Spot::At(Locus::PassItem { buffer, pass, item }) = spot else { return Stages::FRAGMENT };
    match program.pass(buffer, pass).and_then(|pass| pass.items.get(item as usize)) {
        Some(PassItem::Command(command)) => command.work.stages(),
        _ => Stages::ALL,
    }
}

/// Copies that no call brings together at that place.
pub(super) fn one_copy(program: &Program, finding: &Finding, managed: Managed) -> Option<Mending> {
    let resource = finding.resource?;
    match (managed, finding.first?) {
        // Written behind the commit: the write goes in front of it, and publishes.
        (Managed::NotPublished, Spot::At(locus @ Locus::Step(number))) => {
            let Some(Spot::At(Locus::PassItem { buffer, .. })) = finding.second else { return None };
            let commit = commit_of(program, buffer)?;
            let Step::Write(part) = (*program.all_steps().get(number as usize)?).clone() else { return None };
            let (write, publish) = (Step::Write(part.clone()), Step::DidModify(part));
            (commit < number).then(|| {
                Mending::changing([
                    before_step(commit, write),
                    before_step(commit, publish),
                    Change::Drop(locus),
                ])
            })
        }
        // Explicit queues have no call that brings a copy back, so there is one copy for both.
        _ => Some(Mending::changing([Change::Storage(resource, StorageMode::Shared)])),
    }
}

/// What is redundant goes.
pub(super) fn without(finding: &Finding) -> Option<Mending> {
    match finding.second? {
        Spot::At(locus) => Some(Mending::changing([Change::Drop(locus)])),
        Spot::Pass(..) | Spot::CommandBuffer(_) => None,
    }
}
