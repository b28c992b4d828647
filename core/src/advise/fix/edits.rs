//! Insertions into a program, and where everything else stands afterwards.
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::program::{
    Attachment, BufferItem, CommandBufferIndex, EventDeclaration, EventOperationKind, LoadAction, Locus,
    Pass, PassItem, PassKind, Primitive, Program, Step, StoreAction,
};

/// Something put into a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Insertion {
    /// Where; all places are those of the program before.
    pub at: Where,
    /// What.
    pub item: Inserted,
}

/// Where something is put into a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Where {
    /// In front of the item with this number of a pass, or behind its last.
    Pass(CommandBufferIndex, u32, u32),
    /// In front of the item with this number of a command buffer, or behind its last.
    CommandBuffer(CommandBufferIndex, u32),
    /// In front of this step.
    BeforeStep(u32),
    /// Behind this step.
    AfterStep(u32),
    /// In the place of what stands there.
    Instead(Locus),
}

/// What is put into a program.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Inserted {
    /// Into a pass.
    PassItem(PassItem),
    /// Into a pass: it ends there, and another of the same label goes on, which loads what the first has stored. Both wait for
    /// the fences that the pass waited for up to there, and both update those that it updates from there on.
    NewPass,
    /// Into a command buffer.
    BufferItem(BufferItem),
    /// Among the steps of the CPU.
    Step(Step),
}

/// What is put into a program, each with a number that says what it belongs to.
#[derive(Clone, Debug, Default)]
pub(in crate::advise) struct Edits {
    pub(in crate::advise) fences: Vec<String>,
    pub(in crate::advise) events: Vec<EventDeclaration>,
    pub(in crate::advise) insertions: Vec<(usize, Insertion)>,
    /// Taken out.
    pub(in crate::advise) without: HashSet<Locus>,
}

/// The insertions by place.
#[derive(Default)]
struct Places<'a> {
    without: Option<&'a HashSet<Locus>>,
    pass_items: BTreeMap<(CommandBufferIndex, u32, u32), Vec<&'a PassItem>>,
    breaks: BTreeSet<(CommandBufferIndex, u32, u32)>,
    buffer_items: BTreeMap<(CommandBufferIndex, u32), Vec<&'a BufferItem>>,
    before_steps: BTreeMap<u32, Vec<&'a Step>>,
    after_steps: BTreeMap<u32, Vec<&'a Step>>,
    instead: BTreeMap<Locus, &'a PassItem>,
}

/// Where the places of the program before are now.
#[derive(Debug, Default)]
pub(in crate::advise) struct Moved {
    new: HashMap<Locus, Locus>,
    old: HashMap<Locus, Locus>,
}

impl Moved {
    /// The place that a former place has now.
    pub(in crate::advise) fn to(&self, locus: Locus) -> Option<Locus> {
        self.new.get(&locus).copied()
    }

    /// The former place of a place; nothing for what was put in.
    pub(in crate::advise) fn back(&self, locus: Locus) -> Option<Locus> {
        self.old.get(&locus).copied()
    }

    /// Every place that was there before, as it was and as it is; one that two passes share now, twice.
    pub(in crate::advise) fn all(&self) -> impl Iterator<Item = (Locus, Locus)> {
        self.old.iter().map(|(new, old)| (*old, *new))
    }

    fn note(&mut self, old: Locus, new: Locus) {
        self.new.insert(old, new);
        self.old.insert(new, old);
    }

    /// A second place of what stands at another as well.
    fn share(&mut self, old: Locus, new: Locus) {
        self.old.insert(new, old);
    }
}

impl Edits {
    /// The program with all of it.
    pub(in crate::advise) fn applied(&self, program: &Program) -> (Program, Moved) {
        let mut places = Places { without: Some(&self.without), ..Places::default() };
        for (_, insertion) in &self.insertions {
            match (insertion.at, &insertion.item) {
                (Where::Pass(buffer, pass, at), Inserted::PassItem(item)) => {
                    places.pass_items.entry((buffer, pass, at)).or_default().push(item);
                }
                (Where::Pass(buffer, pass, at), Inserted::NewPass) => {
                    places.breaks.insert((buffer, pass, at));
                }
                (Where::CommandBuffer(buffer, at), Inserted::BufferItem(item)) => {
                    places.buffer_items.entry((buffer, at)).or_default().push(item);
                }
                (Where::BeforeStep(step), Inserted::Step(item)) => {
                    places.before_steps.entry(step).or_default().push(item);
                }
                (Where::AfterStep(step), Inserted::Step(item)) => {
                    places.after_steps.entry(step).or_default().push(item);
                }
                (Where::Instead(locus), Inserted::PassItem(item)) => {
                    places.instead.insert(locus, item);
                }
                // Nothing makes an insertion whose kind does not fit its place.
                _ => {}
            }
        }
        places.applied(self, program)
    }
}

impl Places<'_> {
    fn left_out(&self, locus: Locus) -> bool {
        self.without.is_some_and(|without| without.contains(&locus))
    }

    fn applied(&self, edits: &Edits, program: &Program) -> (Program, Moved) {
        let mut moved = Moved::default();
        let mut new = program.clone();
        new.fences.extend(edits.fences.iter().cloned());
        new.events.extend(edits.events.iter().cloned());
        for (body, number) in new.command_buffers.iter_mut().zip(0..) {
            let buffer = CommandBufferIndex(number);
            let old = std::mem::take(&mut body.items);
            let count = old.len() as u32;
            for (item, place) in old.into_iter().zip(0..) {
                self.put_items(buffer, place, &mut body.items);
                let now = body.items.len() as u32;
                match item {
                    BufferItem::Pass(pass) => {
                        moved.note(Locus::Pass { buffer, pass: place }, Locus::Pass { buffer, pass: now });
                        let parts = self.pass((buffer, place), now, pass, &mut moved);
                        body.items.extend(parts.into_iter().map(BufferItem::Pass));
                    }
                    BufferItem::Event(_) if self.left_out(Locus::Event { buffer, item: place }) => {}
                    BufferItem::Event(operation) => {
                        let old = Locus::Event { buffer, item: place };
                        moved.note(old, Locus::Event { buffer, item: now });
                        body.items.push(BufferItem::Event(operation));
                    }
                }
            }
            self.put_items(buffer, count, &mut body.items);
        }
        let (mut old, mut now) = (0, 0);
        new.steps = self.steps(&program.steps, &mut old, &mut now, &mut moved);
        (new, moved)
    }

    fn put_items(&self, buffer: CommandBufferIndex, place: u32, items: &mut Vec<BufferItem>) {
        let Some(added) = self.buffer_items.get(&(buffer, place)) else { return };
        // What others wait for goes first, else two queues could wait for each other.
        let is_wait = |item: &&&BufferItem| matches!(item, BufferItem::Event(operation) if operation.kind == EventOperationKind::Wait);
        items.extend(added.iter().filter(|item| !is_wait(item)).map(|item| (*item).clone()));
        items.extend(added.iter().filter(is_wait).map(|item| (*item).clone()));
    }

    /// A pass with what is put into it: more than one where it is split.
    fn pass(
        &self,
        (buffer, place): (CommandBufferIndex, u32),
        now: u32,
        mut pass: Pass,
        moved: &mut Moved,
    ) -> Vec<Pass> {
        let alone = pass.attachments_at().is_some();
        let old = std::mem::take(&mut pass.items);
        let from = |number| Locus::PassItem { buffer, pass: place, item: number };
        let stays = |number: &u32| !self.left_out(from(*number));
        let mut parts = vec![pass];
        let mut keep = |parts: &mut Vec<Pass>, item: PassItem, from: Option<Locus>, again: bool| {
            let pass = now + parts.len() as u32 - 1;
            let Some(part) = parts.last_mut() else { return };
            let to = Locus::PassItem { buffer, pass, item: part.items.len() as u32 };
            match from {
                Some(from) if again => moved.share(from, to),
                Some(from) => moved.note(from, to),
                None => {}
            }
            part.items.push(item);
        };
        for number in 0..=old.len() as u32 {
            let added = self.pass_items.get(&(buffer, place, number)).into_iter().flatten();
            let (held, others) = added.copied().partition::<Vec<&PassItem>, _>(|item| holds(item));
            // Attachments without draws stand behind what holds the pass; elsewhere nothing is to be gained by a chain.
            let is_split = self.breaks.contains(&(buffer, place, number));
            let (first, second) = if alone && !is_split { (held, others) } else { (others, held) };
            first.into_iter().for_each(|item| keep(&mut parts, item.clone(), None, false));
            if is_split {
                for (item, other) in
                    once(&old, number..old.len() as u32, is_update).filter(|own| stays(&own.1))
                {
                    keep(&mut parts, item.clone(), Some(from(other)), true);
                }
                split(&mut parts);
                for (item, other) in once(&old, 0..number, is_kept).filter(|own| stays(&own.1)) {
                    keep(&mut parts, item.clone(), Some(from(other)), true);
                }
            }
            second.into_iter().for_each(|item| keep(&mut parts, item.clone(), None, false));
            if let Some(item) = old.get(number as usize).filter(|_| stays(&number)) {
                let item = self.instead.get(&from(number)).copied().unwrap_or(item).clone();
                keep(&mut parts, item, Some(from(number)), false);
            }
        }
        parts
    }

    fn steps(&self, steps: &[Step], old: &mut u32, now: &mut u32, moved: &mut Moved) -> Vec<Step> {
        let mut all = Vec::new();
        for step in steps {
            let from = *old;
            *old += 1;
            let before = self.before_steps.get(&from).into_iter().flatten();
            all.extend(before.inspect(|_| *now += 1).map(|step| (*step).clone()));
            if !self.left_out(Locus::Step(from)) {
                moved.note(Locus::Step(from), Locus::Step(*now));
                *now += 1;
                let mut step = step.clone();
                if let Step::Thread { body, .. } | Step::Notify { body, .. } = &mut step {
                    *body = self.steps(body, old, now, moved);
                }
                all.push(step);
            }
            let after = self.after_steps.get(&from).into_iter().flatten();
            all.extend(after.inspect(|_| *now += 1).map(|step| (*step).clone()));
        }
        all
    }
}

/// Ends the last of some passes, and begins another that goes on where it ends.
fn split(parts: &mut Vec<Pass>) {
    let Some(first) = parts.last_mut() else { return };
    let mut second = Pass { label: first.label.clone(), kind: first.kind.clone(), items: Vec::new() };
    attachments(&mut first.kind).for_each(|own| own.store = StoreAction::Store);
    attachments(&mut second.kind).for_each(|own| own.load = LoadAction::Load);
    parts.push(second);
}

fn attachments(kind: &mut PassKind) -> impl Iterator<Item = &mut Attachment> {
    let all = match kind {
        PassKind::Render { color, depth } => Some(color.iter_mut().chain(depth)),
        PassKind::Compute { .. } | PassKind::Blit => None,
    };
    all.into_iter().flatten()
}

/// Some items of a part of a pass with their numbers, each of equal ones once.
fn once(
    items: &[PassItem],
    range: std::ops::Range<u32>,
    wanted: fn(&PassItem) -> bool,
) -> impl Iterator<Item = (&PassItem, u32)> {
    let start = range.start as usize;
    let part = items.get(start..range.end as usize).unwrap_or_default();
    part.iter()
        .zip(range)
        .enumerate()
        .filter(move |(place, (item, _))| wanted(item) && !part[..*place].contains(item))
        .map(|(_, own)| own)
}

fn is_update(item: &PassItem) -> bool {
    matches!(item, PassItem::Synchronization(own) if matches!(own.primitive, Primitive::UpdateFence { .. }))
}

/// Whether it counts for the rest of its encoder, whatever comes between.
fn is_kept(item: &PassItem) -> bool {
    match item {
        PassItem::UseResource { .. } => true,
        PassItem::Synchronization(own) => matches!(own.primitive, Primitive::WaitForFence { .. }),
        PassItem::Command(_) => false,
    }
}

/// Whether it holds what follows it; the others are waited for.
const fn holds(item: &PassItem) -> bool {
    match item {
        PassItem::Synchronization(own) => {
            !matches!(own.primitive, Primitive::UpdateFence { .. } | Primitive::ProducerBarrier { .. })
        }
        PassItem::Command(_) | PassItem::UseResource { .. } => true,
    }
}
