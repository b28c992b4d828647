//! What mends a finding, as changes of its program: whatever the finding is, and not only where order is missing.
//!
//! [`Remedies`] knows the smallest primitive that orders a race. A wait that hangs, a call that Metal does not allow, a
//! read of what nobody has written lack something else: a signal, another place for a call, another declaration. A
//! [`Mending`] is both: changes that can be applied, so that what is proposed can be tried, and told in words and in code by
//! [`explain`](crate::explain).
//!
//! | file | mends |
//! |---|---|
//! | `stuck` | waits that nothing releases |
//! | `misuse` | calls that Metal does not allow, or that cannot be meant |
//! | `rest` | undefined contents, copies that no call brings together, and what is wasted |
//! | `apply` | makes of a program and changes another program |
//!
//! Where several things would do, as with a wait that may be given its signal or be dropped, the first of a fixed list is
//! taken after which the finding is gone.
mod apply;
mod misuse;
mod rest;
mod stuck;

use super::fix::{Inserted, Insertion, Remedies, Repair, Where};
use crate::program::{
    BufferItem, CommandBufferIndex, DeviceIndex, EventIndex, HeapIndex, Locus, Program, ResourceIndex, Step,
    StorageMode,
};
use crate::validate::{Finding, Kind};

/// What mends one finding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mending {
    /// Names of new fences. Their indices follow those of the program.
    pub fences: Vec<String>,
    /// Names of new events, and whether they are shared. Their indices follow those of the program.
    pub events: Vec<(String, bool)>,
    /// What changes; all places are those of the program before.
    pub changes: Vec<Change>,
}

/// A change of a program. Places are those of the program before.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// Something is put in, or takes the place of what was there.
    Put(Insertion),
    /// A synchronization, an event operation or a step goes.
    Drop(Locus),
    /// A resource gets another storage mode; that of its heap, where it is on one.
    Storage(ResourceIndex, StorageMode),
    /// A heap becomes tracked.
    TrackedHeap(HeapIndex),
    /// An event becomes shared.
    SharedEvent(EventIndex),
    /// A render pass clears an attachment that it loads: by number, the depth attachment behind those of colour.
    Clear {
        /// The command buffer.
        buffer: CommandBufferIndex,
        /// The pass, by its place there.
        pass: u32,
        /// The number of the attachment.
        attachment: u32,
    },
    /// A blit pass becomes a compute pass.
    ComputePass {
        /// The command buffer.
        buffer: CommandBufferIndex,
        /// The pass, by its place there.
        pass: u32,
    },
    /// A step commits a copy of a command buffer instead of the command buffer.
    Again {
        /// The step.
        step: u32,
        /// The command buffer.
        buffer: CommandBufferIndex,
        /// The label of the copy.
        label: String,
    },
    /// A command names another resource in the same memory, which belongs to its own device.
    View {
        /// The command.
        command: Locus,
        /// The resource of another device.
        resource: ResourceIndex,
        /// The command's device.
        device: DeviceIndex,
        /// The name of the new resource.
        name: String,
    },
}

impl Mending {
    /// What mends a finding; nothing where nothing is known to. `remedies` must be the program's own.
    ///
    /// ```
    /// use fencepost_core::Order;
    /// use fencepost_core::advise::{Change, Mending, Remedies};
    /// use fencepost_core::program::{Program, QueueMode};
    /// use fencepost_core::validate::{validate, validate_order};
    ///
    /// let mut p = Program::builder();
    /// let q = p.queue("q", QueueMode::Explicit);
    /// let [a, b] = ["A", "B"].map(|name| p.buffer(name, 64));
    /// let cb = p.command_buffer("cb", q, |items| {
    ///     items.compute("P", |pass| { pass.copy("c", a, b); });
    /// });
    /// p.steps().commit([cb]).commit([cb]);
    /// let program = p.build();
    /// let order = Order::of(&program)?;
    /// let findings = validate_order(&program, &order);
    /// let mending = Mending::of(&program, &Remedies::of(&program, &order), &findings[0]);
    /// let mending = mending.expect("a command buffer for each commit");
    /// assert!(matches!(mending.changes[..], [Change::Again { .. }]));
    /// assert!(validate(&mending.applied(&program))?.iter().all(|finding| finding.code() != "misuse"));
    /// # Ok::<(), fencepost_core::program::UnknownName>(())
    /// ```
    pub fn of(program: &Program, remedies: &Remedies<'_>, finding: &Finding) -> Option<Self> {
        let mending = match &finding.kind {
            Kind::Stuck(stuck) => stuck::mending(program, finding, stuck),
            Kind::Misuse(misuse) => misuse::mending(program, finding, *misuse),
            Kind::Uninitialized(what) => rest::initialized(program, finding, *what),
            Kind::Redundant(_) => rest::without(finding),
            Kind::TooWide(wide) => Some((*wide.mending).clone()),
            Kind::Race(_) | Kind::Stale(_) => remedies.of_finding(finding).map(Self::from),
            Kind::Managed(managed) => match remedies.of_finding(finding) {
                Some(repair) => Some(Self::from(repair)),
                None => rest::one_copy(program, finding, *managed),
            },
        };
        mending.filter(|mending| !mending.changes.is_empty())
    }

    /// The program with the changes. Expectations stay as they are.
    pub fn applied(&self, program: &Program) -> Program {
        apply::applied(self, program)
    }

    fn changing(changes: impl IntoIterator<Item = Change>) -> Self {
        Self { changes: changes.into_iter().collect(), ..Self::default() }
    }
}

impl From<Repair> for Mending {
    fn from(repair: Repair) -> Self {
        let Repair { fences, events, insertions, .. } = repair;
        Self { fences, events, changes: insertions.into_iter().map(Change::Put).collect() }
    }
}

/// Into a pass, in front of an item.
fn into_pass((buffer, pass): (CommandBufferIndex, u32), item: u32, new: crate::program::PassItem) -> Change {
    Change::Put(Insertion { at: Where::Pass(buffer, pass, item), item: Inserted::PassItem(new) })
}

/// Into a command buffer, in front of an item.
fn into_buffer(buffer: CommandBufferIndex, item: u32, new: BufferItem) -> Change {
    Change::Put(Insertion { at: Where::CommandBuffer(buffer, item), item: Inserted::BufferItem(new) })
}

fn before_step(step: u32, new: Step) -> Change {
    Change::Put(Insertion { at: Where::BeforeStep(step), item: Inserted::Step(new) })
}

fn after_step(step: u32, new: Step) -> Change {
    Change::Put(Insertion { at: Where::AfterStep(step), item: Inserted::Step(new) })
}

/// The number of the last step that stands in no body.
fn last_step(program: &Program) -> Option<u32> {
    let last = program.steps.last()?;
    let number = program.all_steps().iter().position(|step| core::ptr::eq(*step, last))?;
    Some(number as u32)
}

/// The first step that commits a command buffer.
fn commit_of(program: &Program, buffer: CommandBufferIndex) -> Option<u32> {
    let commits = |step: &&Step| matches!(step, Step::Commit(all) if all.contains(&buffer));
    program.all_steps().iter().position(commits).map(|number| number as u32)
}

/// A name that nothing in a program has: the stem, or the stem with a number.
fn fresh(program: &Program, stem: &str) -> String {
    let passes = program.command_buffers.iter().flat_map(|body| &body.items);
    let passes: Vec<&str> = passes
        .filter_map(|item| match item {
            BufferItem::Pass(pass) => Some(pass.label.as_str()),
            BufferItem::Event(_) => None,
        })
        .collect();
    let taken = |name: &str| {
        program.fences.iter().any(|own| own == name)
            || program.events.iter().any(|own| own.name == name)
            || program.resources.iter().any(|own| own.name == name)
            || program.heaps.iter().any(|own| own.name == name)
            || program.queues.iter().any(|own| own.name == name)
            || program.devices.iter().any(|own| own.name == name)
            || program.command_buffers.iter().any(|own| own.label == name)
            || passes.contains(&name)
    };
    let dash = if stem.ends_with(|last: char| last.is_ascii_digit()) { "-" } else { "" };
    let numbered = (2..).map(|number: u32| format!("{stem}{dash}{number}"));
    core::iter::once(stem.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}
