//! A program with changes. Insertions and what is dropped go through the edits of `fix`, last, since they alone move places.
use super::{Change, Mending};
use crate::advise::fix::Edits;
use crate::program::{
    BufferItem, CommandBufferIndex, EventDeclaration, LoadAction, Locus, Pass, PassItem, PassKind, Placement,
    Program, ResourceIndex, Step, Work,
};

pub(super) fn applied(mending: &Mending, program: &Program) -> Program {
    let mut program = program.clone();
    let mut edits = Edits { fences: mending.fences.clone(), ..Edits::default() };
    edits.events = mending
        .events
        .iter()
        .map(|(name, shared)| EventDeclaration { name: name.clone(), shared: *shared })
        .collect();
    for change in &mending.changes {
        match change {
            Change::Put(insertion) => edits.insertions.push((0, insertion.clone())),
            Change::Drop(locus) => {
                edits.without.insert(*locus);
            }
            _ => declare(&mut program, change),
        }
    }
    edits.applied(&program).0
}

/// Changes that move no place.
fn declare(program: &mut Program, change: &Change) {
    match change {
        Change::Storage(resource, storage) => {
            let Some(own) = program.resources.get_mut(resource.index()) else { return };
            own.storage = *storage;
            if let Placement::Heap { heap, .. } = own.placement
                && let Some(heap) = program.heaps.get_mut(heap.index())
            {
                heap.storage = *storage;
            }
        }
        Change::TrackedHeap(heap) => {
            if let Some(heap) = program.heaps.get_mut(heap.index()) {
                heap.tracked = true;
            }
        }
        Change::SharedEvent(event) => {
            if let Some(event) = program.events.get_mut(event.index()) {
                event.shared = true;
            }
        }
        Change::Clear { buffer, pass, attachment } => {
            let Some(Pass { kind: PassKind::Render { color, depth }, .. }) =
                pass_mut(program, *buffer, *pass)
            else {
                return;
            };
            if let Some(own) = color.iter_mut().chain(depth).nth(*attachment as usize) {
                own.load = LoadAction::Clear;
            }
        }
        Change::ComputePass { buffer, pass } => {
            if let Some(pass) = pass_mut(program, *buffer, *pass) {
                pass.kind = PassKind::Compute { dispatch_type: Some(crate::program::DispatchType::Serial) };
            }
        }
        Change::Again { step, buffer, label } => again(program, *step, *buffer, label),
        Change::View { command, resource, device, name } => {
            let Some(own) = program.resources.get(resource.index()) else { return };
            let mut view = own.clone();
            (view.name, view.device) = (name.clone(), *device);
            view.placement = Placement::SameAs(*resource);
            let new = ResourceIndex(program.resources.len() as u32);
            program.resources.push(view);
            let Locus::PassItem { buffer, pass, item } = *command else { return };
            let item = pass_mut(program, buffer, pass).and_then(|pass| pass.items.get_mut(item as usize));
            if let Some(item) = item {
                rename(item, *resource, new);
            }
        }
        // The caller has the rest.
        Change::Put(_) | Change::Drop(_) => {}
    }
}

fn pass_mut(program: &mut Program, buffer: CommandBufferIndex, pass: u32) -> Option<&mut Pass> {
    match program.command_buffers.get_mut(buffer.index())?.items.get_mut(pass as usize)? {
        BufferItem::Pass(pass) => Some(pass),
        BufferItem::Event(_) => None,
    }
}

fn again(program: &mut Program, step: u32, buffer: CommandBufferIndex, label: &str) {
    fn put(steps: &mut [Step], left: &mut u32, from: CommandBufferIndex, to: CommandBufferIndex) -> bool {
        for step in steps {
            if *left == 0 {
                if let Step::Commit(all) = step
                    && let Some(own) = all.iter_mut().rev().find(|own| **own == from)
                {
                    *own = to;
                }
                return true;
            }
            *left -= 1;
            if let Step::Thread { body, .. } | Step::Notify { body, .. } = step
                && put(body, left, from, to)
            {
                return true;
            }
        }
        false
    }
    let Some(mut copy) = program.command_buffers.get(buffer.index()).cloned() else { return };
    label.clone_into(&mut copy.label);
    let new = CommandBufferIndex(program.command_buffers.len() as u32);
    program.command_buffers.push(copy);
    put(&mut program.steps, &mut { step }, buffer, new);
}

/// A pass item that names another resource.
fn rename(item: &mut PassItem, from: ResourceIndex, to: ResourceIndex) {
    let renamed = |resource: &mut ResourceIndex| {
        if *resource == from {
            *resource = to;
        }
    };
    match item {
        PassItem::UseResource { resource, .. } => renamed(resource),
        PassItem::Synchronization(_) => {}
        PassItem::Command(command) => match &mut command.work {
            Work::Copy { from, to } => [from, to].into_iter().for_each(|part| renamed(&mut part.resource)),
            Work::Fill { to, .. } => renamed(&mut to.resource),
            Work::GenerateMipmaps { texture } | Work::Optimize { texture, .. } => renamed(texture),
            Work::Synchronize { resource, .. } => renamed(resource),
            Work::Dispatch { reads, writes, atomics, .. } => {
                for part in reads.iter_mut().chain(writes).chain(atomics) {
                    renamed(&mut part.resource);
                }
            }
            Work::Draw { vertex_reads, vertex_writes, fragment_reads, fragment_writes } => {
                let all = vertex_reads.iter_mut().chain(vertex_writes);
                for part in all.chain(fragment_reads).chain(fragment_writes) {
                    renamed(&mut part.resource);
                }
            }
        },
    }
}
