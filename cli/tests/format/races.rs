//! The races of a program by brute force: every pair of accesses, the bytes they share, and whether anything orders them.
//!
//! This is no validator. It is what the files' `race` and `clean` lines are held against, so that a file cannot claim what the
//! order does not say.

use std::collections::HashSet;
use std::ops::Range;

use fencepost_core::program::*;
use fencepost_core::{AccessKind, NodeId, Order, Stage};

/// An access of a command or of the CPU.
struct Access {
    node: NodeId,
    locus: Locus,
    /// None for the CPU.
    stage: Option<Stage>,
    /// The pass that it touches as its attachment: within one, draws write it in their order (rule 1.3.7).
    attachment: Option<(CommandBufferIndex, u32)>,
    resource: ResourceIndex,
    kind: AccessKind,
    memory: usize,
    bytes: Vec<Range<u64>>,
}

/// A pair that nothing orders, in the order of the play.
pub(crate) struct Race {
    resources: [ResourceIndex; 2],
    paths: [Vec<String>; 2],
    writes: [bool; 2],
}

impl Race {
    /// Whether an expectation means this race.
    pub(crate) fn is_meant(&self, by: &Expectation) -> bool {
        let Expectation::Race { resource, first, second, kind } = by else { return false };
        let named =
            |path: &Option<String>, at: usize| path.as_ref().is_none_or(|path| self.paths[at].contains(path));
        let kind_fits = match kind {
            None => true,
            Some(RaceKind::ReadAfterWrite) => self.writes == [true, false],
            Some(RaceKind::WriteAfterRead) => self.writes == [false, true],
            Some(RaceKind::WriteAfterWrite) => self.writes == [true, true],
        };
        self.resources.contains(resource) && named(first, 0) && named(second, 1) && kind_fits
    }

    pub(crate) fn describe(&self, program: &Program) -> String {
        let [first, second] = self.resources.map(|resource| &program.resource(resource).name);
        format!("{} of {first} races with {} of {second}", self.paths[0][0], self.paths[1][0])
    }
}

/// Every race of a program.
pub(crate) fn races(program: &Program, order: &Order) -> Vec<Race> {
    let accesses = accesses(program, order);
    let mut races = Vec::new();
    for (index, second) in accesses.iter().enumerate() {
        for first in &accesses[..index] {
            let ordered = order.ordered(first.node, second.node) || order.ordered(second.node, first.node);
            if first.locus != second.locus && !ordered && first.conflicts(second) {
                races.push(race(program, first, second));
            }
        }
    }
    races
}

/// Accesses that nobody sees: ordered, and the write not visible.
pub(crate) fn stale(program: &Program, order: &Order) -> Vec<String> {
    let accesses = accesses(program, order);
    let mut paths = Vec::new();
    for (index, second) in accesses.iter().enumerate() {
        for first in &accesses[..index] {
            let hidden = order.ordered(first.node, second.node)
                && !order.visible_to(first.node, second.node, first.resource);
            if hidden && first.kind != AccessKind::Read && first.conflicts(second) {
                paths.push(program.path(second.locus));
            }
        }
    }
    paths
}

/// Conflicts that something orders, by the full paths of both sides.
fn ordered_conflicts(program: &Program) -> HashSet<[String; 2]> {
    let Ok(order) = Order::of(program) else { return HashSet::new() };
    let accesses = accesses(program, &order);
    let mut pairs = HashSet::new();
    for (index, second) in accesses.iter().enumerate() {
        for first in &accesses[..index] {
            if order.ordered(first.node, second.node) && first.conflicts(second) {
                pairs.insert([first, second].map(|access| program.full_path(access.locus)));
            }
        }
    }
    pairs
}

/// Whether some conflict loses its order when the synchronization at a place is taken out.
pub(crate) fn is_needed(program: &Program, locus: Locus) -> bool {
    let mut without = program.clone();
    match locus {
        Locus::PassItem { buffer, pass, item } => {
            let BufferItem::Pass(pass) = &mut without.command_buffers[buffer.index()].items[pass as usize]
            else {
                return false;
            };
            pass.items.remove(item as usize);
        }
        Locus::Event { buffer, item } | Locus::Pass { buffer, pass: item } => {
            without.command_buffers[buffer.index()].items.remove(item as usize);
        }
        Locus::Step(number) => {
            let step = program.all_steps()[number as usize];
            without.steps.retain(|other| other != step);
        }
    }
    !ordered_conflicts(program).is_subset(&ordered_conflicts(&without))
}

fn race(program: &Program, first: &Access, second: &Access) -> Race {
    let paths = [first, second].map(|access| {
        let (short, full) = (program.path(access.locus), program.full_path(access.locus));
        let stages = access.stage.map(|stage| [&short, &full].map(|path| format!("{path}:{}", stage.name())));
        [short.clone(), full.clone()].into_iter().chain(stages.into_iter().flatten()).collect()
    });
    // An access that reads and writes races as a write; a read beside a write, as a read.
    let writes = [first, second].map(|access| access.kind != AccessKind::Read);
    Race { resources: [first.resource, second.resource], paths, writes }
}

impl Access {
    fn conflicts(&self, other: &Self) -> bool {
        let both = |kind| self.kind == kind && other.kind == kind;
        let meets = |a: &Range<u64>, b: &Range<u64>| a.start < b.end && b.start < a.end;
        let one_pass = self.attachment.is_some() && self.attachment == other.attachment;
        !one_pass
            && !both(AccessKind::Read)
            && !both(AccessKind::Atomic)
            && self.memory == other.memory
            && self.bytes.iter().any(|a| other.bytes.iter().any(|b| meets(a, b)))
    }
}

/// Everything that touches bytes, in the order of the play.
fn accesses(program: &Program, order: &Order) -> Vec<Access> {
    let mut accesses = Vec::new();
    let mut add = |node, locus, stage, attachment, part: &Part, kind| {
        // What lives inside a pass meets nothing outside of it.
        if program.is_memoryless(part.resource) {
            return;
        }
        let (memory, offset) = place(program, part.resource);
        let bytes =
            program.byte_ranges(part).into_iter().map(|bytes| bytes.start + offset..bytes.end + offset);
        accesses.push(Access {
            node,
            locus,
            stage,
            attachment,
            resource: part.resource,
            kind,
            memory,
            bytes: bytes.collect(),
        });
    };
    for item in order.items() {
        let uses = match item.locus {
            Locus::Pass { buffer, pass } => program.pass(buffer, pass).unwrap().own_uses(),
            Locus::PassItem { buffer, pass, item: place } => {
                let pass = program.pass(buffer, pass).unwrap();
                let PassItem::Command(command) = &pass.items[place as usize] else { continue };
                program.uses(pass, command)
            }
            Locus::Event { .. } | Locus::Step(_) => continue,
        };
        let (Locus::PassItem { buffer, pass, .. } | Locus::Pass { buffer, pass }) = item.locus else {
            continue;
        };
        // A draw's attachments come last among what it touches.
        let attached = program.pass(buffer, pass).unwrap().attachments().count();
        let bound = uses.len().saturating_sub(attached);
        for (used, number) in uses.into_iter().zip(0..) {
            if used.stage == item.stage {
                let attachment = (number >= bound).then_some((buffer, pass));
                add(item.node, item.locus, Some(item.stage), attachment, &used.part, used.kind);
            }
        }
    }
    for (locus, part) in brought_over(program) {
        order.nodes(locus).iter().for_each(|node| add(*node, locus, None, None, part, AccessKind::Write));
    }
    for (step, number) in program.all_steps().into_iter().zip(0..) {
        let locus = Locus::Step(number);
        let (part, kind) = match step {
            Step::Write(part) => (part, AccessKind::Write),
            Step::Read(part) => (part, AccessKind::Read),
            _ => continue,
        };
        // The CPU has a copy of its own of what is managed.
        if program.resource(part.resource).storage == StorageMode::Managed {
            continue;
        }
        order.nodes(locus).iter().for_each(|node| add(*node, locus, None, None, part, kind));
    }
    accesses.sort_by_key(|access| access.node);
    accesses
}

/// What the CPU published, with the commit of work that uses it: that writes the GPU's copy.
fn brought_over(program: &Program) -> Vec<(Locus, &Part)> {
    let (mut published, mut brought): (Vec<&Part>, _) = (Vec::new(), Vec::new());
    for (step, number) in program.all_steps().into_iter().zip(0..) {
        match step {
            Step::DidModify(part) => published.push(part),
            Step::Commit(buffers) => {
                let used = published.extract_if(.., |part| uses(program, buffers, part.resource));
                brought.extend(used.map(|part| (Locus::Step(number), part)));
            }
            _ => {}
        }
    }
    brought
}

/// Whether work of these command buffers touches a resource.
fn uses(program: &Program, buffers: &[CommandBufferIndex], resource: ResourceIndex) -> bool {
    let items = buffers.iter().flat_map(|buffer| &program.command_buffers[buffer.index()].items);
    let passes = items.filter_map(|item| if let BufferItem::Pass(pass) = item { Some(pass) } else { None });
    let used = passes.flat_map(|pass| {
        let commands = pass.items.iter().filter_map(|item| match item {
            PassItem::Command(command) => Some(program.uses(pass, command)),
            _ => None,
        });
        commands.flatten().chain(pass.own_uses()).collect::<Vec<_>>()
    });
    used.into_iter().any(|used| used.part.resource == resource)
}

/// The memory that a resource lies in, and where.
fn place(program: &Program, resource: ResourceIndex) -> (usize, u64) {
    match program.resource(resource).placement {
        Placement::Own => (program.heaps.len() + resource.index(), 0),
        Placement::Heap { heap, offset } => (heap.index(), offset),
        Placement::SameAs(other) => place(program, other),
    }
}
