//! Whether a program is sound, by brute force: every pair of accesses, and the order that the oracle finds between them.
//!
//! Nothing is shared with the validator but the program, what its commands touch, and the order in which its work is released. The oracle
//! is that of the core's own tests.

use std::collections::HashMap;
use std::ops::Range;

use fencepost_core::program::value::expected;
use fencepost_core::program::{
    BufferItem, CommandBufferIndex, Locus, Part, PassItem, Placement, Program, ResourceIndex, Shape, Step,
    StorageMode, Use, Work,
};
use fencepost_core::{AccessKind, Extent, Moment, Order, Stage};

use crate::oracle::{Oracle, Shows};

/// What is wrong with a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Two accesses conflict, and nothing orders them or the second does not see the first.
    pub(crate) clash: bool,
    /// Something waits for ever.
    pub(crate) stuck: bool,
}

struct Access {
    node: usize,
    /// The command or the step that it is of.
    deed: usize,
    /// The pass, for an attachment.
    attachment: Option<usize>,
    kind: AccessKind,
    resource: ResourceIndex,
    extent: Extent,
    memory: usize,
    bytes: Range<u64>,
}

pub(crate) fn judge(program: &Program, order: &Order) -> Verdict {
    let oracle = Oracle::of(program, order);
    let all = Reader::new(program, order, &oracle).read();
    let mut after: HashMap<usize, Vec<bool>> = HashMap::new();
    let mut seen: HashMap<(usize, ResourceIndex), Vec<bool>> = HashMap::new();
    let mut clash = false;
    for (later, y) in all.iter().enumerate() {
        for x in all[..later].iter().filter(|x| conflict(program, x, y)) {
            let follows = after.entry(x.node).or_insert_with(|| oracle.after(x.node));
            let ordered = follows[y.node];
            let mut sees = |resource| {
                let asked = Shows::Only(vec![resource]);
                let all = seen
                    .entry((x.node, resource))
                    .or_insert_with(|| oracle.seen(x.node, follows, &asked, program));
                all[y.node]
            };
            clash |= !ordered || (x.kind.writes() && !(sees(x.resource) && sees(y.resource)));
        }
    }
    let timed = |step: &&Step| matches!(step, Step::WaitUntilSignaled { timeout_ms: Some(_), .. });
    // Who has a timeout goes on; that is no matter of order.
    let stuck = if program.all_steps().iter().any(timed) {
        !order.stuck().is_empty()
    } else {
        expected(program).waiting > 0
    };
    Verdict { clash, stuck }
}

fn conflict(program: &Program, x: &Access, y: &Access) -> bool {
    let texture = matches!(program.resource(x.resource).shape, Shape::Texture { .. });
    let parts_meet = x.resource != y.resource || !texture || x.extent.overlaps(&y.extent);
    x.deed != y.deed
        && !(x.attachment.is_some() && x.attachment == y.attachment)
        && x.kind.conflict(y.kind).is_some()
        && x.memory == y.memory
        && x.bytes.start.max(y.bytes.start) < x.bytes.end.min(y.bytes.end)
        && parts_meet
}

/// Reads off what everything touches, in the order of the play.
struct Reader<'a> {
    program: &'a Program,
    order: &'a Order,
    oracle: &'a Oracle,
    all: Vec<Access>,
    deed: usize,
    /// What the CPU has published of managed resources, and no commit has brought over.
    published: Vec<Part>,
}

impl<'a> Reader<'a> {
    const fn new(program: &'a Program, order: &'a Order, oracle: &'a Oracle) -> Self {
        Self { program, order, oracle, all: Vec::new(), deed: 0, published: Vec::new() }
    }

    fn read(mut self) -> Vec<Access> {
        let steps = self.program.all_steps();
        for (moment, number) in self.order.moments().iter().zip(0..) {
            match *moment {
                Moment::Step(step) => self.step(step, steps[step as usize]),
                Moment::Pass(buffer, pass) => self.pass(number, buffer, pass),
                Moment::Begin(_) | Moment::Event(_) | Moment::End(_) => {}
            }
        }
        self.all
    }

    fn step(&mut self, number: u32, step: &Step) {
        self.deed += 1;
        let node = self.oracle.steps[&number];
        match step {
            Step::Write(part) => self.cpu(node, part, AccessKind::Write),
            Step::Read(part) => self.cpu(node, part, AccessKind::Read),
            Step::DidModify(part) if self.program.resource(part.resource).storage == StorageMode::Managed => {
                self.published.push(part.clone());
            }
            // The commit brings over what its command buffers use.
            Step::Commit(buffers) => {
                for part in std::mem::take(&mut self.published) {
                    if self.uses(buffers, part.resource) {
                        self.add(node, None, AccessKind::Write, &part, false);
                    } else {
                        self.published.push(part);
                    }
                }
            }
            _ => {}
        }
    }

    fn cpu(&mut self, node: usize, part: &Part, kind: AccessKind) {
        match self.program.resource(part.resource).storage {
            StorageMode::Private | StorageMode::Memoryless => {}
            StorageMode::Shared => self.add(node, None, kind, part, false),
            StorageMode::Managed => self.add(node, None, kind, part, true),
        }
    }

    fn pass(&mut self, number: usize, buffer: CommandBufferIndex, place: u32) {
        let Some(pass) = self.program.pass(buffer, place) else { return };
        self.deed += 1;
        for used in pass.own_uses() {
            let node = self.oracle.items[&(Locus::Pass { buffer, pass: place }, Stage::Fragment)];
            self.add(node, Some(number), used.kind, &used.part, false);
        }
        for (item, index) in pass.items.iter().zip(0..) {
            let PassItem::Command(command) = item else { continue };
            self.deed += 1;
            let uses = self.program.uses(pass, command);
            // A draw's attachments come last.
            let drawn = matches!(command.work, Work::Draw { .. });
            let bound = uses.len() - if drawn { pass.attachments().count() } else { 0 };
            for (Use { part, kind, stage }, place_of_use) in uses.into_iter().zip(0..) {
                let locus = Locus::PassItem { buffer, pass: place, item: index };
                let node = self.oracle.items[&(locus, stage)];
                self.add(node, (place_of_use >= bound).then_some(number), kind, &part, false);
                let managed = self.program.resource(part.resource).storage == StorageMode::Managed;
                if managed && matches!(command.work, Work::Synchronize { .. }) {
                    self.add(node, None, AccessKind::Write, &part, true);
                }
            }
        }
    }

    /// `copy`: the CPU's copy of a managed resource, which is memory of its own.
    fn add(&mut self, node: usize, attachment: Option<usize>, kind: AccessKind, part: &Part, copy: bool) {
        // What lives inside a pass meets nothing outside of it.
        if self.program.is_memoryless(part.resource) {
            return;
        }
        if part.extent.is_empty() && part.extent != Extent::Whole {
            return;
        }
        let (memory, start) = place(self.program, part.resource);
        let memory = if copy { usize::MAX - memory } else { memory };
        let size = self.program.byte_size(part.resource);
        let bytes = match &part.extent {
            Extent::Bytes(bytes) => start + bytes.start..start + bytes.end.min(size),
            Extent::Whole | Extent::Subresources { .. } => start..start + size,
        };
        let (resource, extent) = (part.resource, part.extent.clone());
        self.all.push(Access { node, deed: self.deed, attachment, kind, resource, extent, memory, bytes });
    }

    fn uses(&self, buffers: &[CommandBufferIndex], resource: ResourceIndex) -> bool {
        let bodies = buffers.iter().flat_map(|buffer| &self.program.command_buffers[buffer.index()].items);
        bodies.into_iter().any(|item| {
            let BufferItem::Pass(pass) = item else { return false };
            let own = pass.own_uses().into_iter();
            let commands = pass.items.iter().filter_map(|item| match item {
                PassItem::Command(command) => Some(self.program.uses(pass, command)),
                _ => None,
            });
            own.chain(commands.flatten()).any(|used| used.part.resource == resource)
        })
    }
}

/// The memory that a resource lies in, and where.
fn place(program: &Program, resource: ResourceIndex) -> (usize, u64) {
    match program.resource(resource).placement {
        Placement::Own => (program.heaps.len() + resource.index(), 0),
        Placement::Heap { heap, offset } => (heap.index(), offset),
        Placement::SameAs(other) => place(program, other),
    }
}
