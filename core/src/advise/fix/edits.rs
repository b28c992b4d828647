//! Insertions into a program, and where everything else stands afterwards.
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::program::{
    BufferItem, CommandBufferIndex, EventDeclaration, EventOperationKind, Locus, PassItem, Primitive,
    Program, Step,
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

    /// Every former place that is still there, and where it is.
    pub(in crate::advise) fn all(&self) -> impl Iterator<Item = (Locus, Locus)> {
        self.new.iter().map(|(old, new)| (*old, *new))
    }

    fn note(&mut self, old: Locus, new: Locus) {
        self.new.insert(old, new);
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
                    BufferItem::Pass(mut pass) => {
                        let alone = pass.attachments_at().is_some();
                        pass.items = self.pass((buffer, place, alone), now, pass.items, &mut moved);
                        moved.note(Locus::Pass { buffer, pass: place }, Locus::Pass { buffer, pass: now });
                        body.items.push(BufferItem::Pass(pass));
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

    fn pass(
        &self,
        (buffer, place, alone): (CommandBufferIndex, u32, bool),
        now: u32,
        old: Vec<PassItem>,
        moved: &mut Moved,
    ) -> Vec<PassItem> {
        let mut items = Vec::with_capacity(old.len());
        let put = |number: u32, items: &mut Vec<PassItem>| {
            let Some(added) = self.pass_items.get(&(buffer, place, number)) else { return };
            // Attachments without draws stand behind what holds the pass; elsewhere nothing is to be gained by a chain.
            let (first, second) = added.iter().partition::<Vec<&PassItem>, _>(|item| holds(item) == alone);
            items.extend(first.into_iter().chain(second).cloned());
        };
        let count = old.len() as u32;
        for (item, number) in old.into_iter().zip(0..) {
            put(number, &mut items);
            let from = Locus::PassItem { buffer, pass: place, item: number };
            if self.left_out(from) {
                continue;
            }
            moved.note(from, Locus::PassItem { buffer, pass: now, item: items.len() as u32 });
            items.push(self.instead.get(&from).map_or(item, |instead| (*instead).clone()));
        }
        put(count, &mut items);
        items
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

/// Whether it holds what follows it; the others are waited for.
const fn holds(item: &PassItem) -> bool {
    match item {
        PassItem::Synchronization(own) => {
            !matches!(own.primitive, Primitive::UpdateFence { .. } | Primitive::ProducerBarrier { .. })
        }
        PassItem::Command(_) | PassItem::UseResource { .. } => true,
    }
}
