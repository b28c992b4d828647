//! Managed resources: the publications and the copies back that are missing.
use std::collections::HashSet;

use super::addition::{Addition, edits};
use super::edits::{Edits, Inserted, Insertion, Where};
use super::problem::Problem;
use crate::program::{
    BufferItem, Command, CommandBufferIndex, Locus, Part, Pass, PassItem, PassKind, Program, QueueMode,
    ResourceIndex, Shape, Step, UnknownName, Work,
};
use crate::validate::{Finding, Kind, Managed, Spot, validate_order};
use crate::{Extent, Moment, Order};

/// One publication less.
pub(super) struct Fewer {
    pub(super) edits: Edits,
    /// What is published no more.
    pub(super) gone: Part,
    /// What is published instead of something else.
    pub(super) instead: Option<(Part, Part)>,
}

/// A program with one publication less than these steps of it, with which no more is wrong with its copies: without one, or with two as one
/// behind the later.
///
/// # Errors
/// The program names something that it does not declare.
pub(super) fn fewer(program: &Program, steps: &[u32]) -> Result<Option<Fewer>, UnknownName> {
    let wrong = |edits: &Edits| -> Result<usize, UnknownName> {
        let (with, _) = edits.applied(program);
        let findings = validate_order(&with, &Order::of(&with)?);
        Ok(findings.iter().filter(|finding| matches!(finding.kind, Kind::Managed(_))).count())
    };
    let least = wrong(&Edits::default())?;
    let all = program.all_steps();
    let published = |step: u32| match all.get(step as usize) {
        Some(Step::DidModify(part)) => Some((step, part.clone())),
        _ => None,
    };
    let published: Vec<(u32, Part)> = steps.iter().filter_map(|step| published(*step)).collect();
    let without = |steps: &[u32]| Edits {
        without: steps.iter().map(|step| Locus::Step(*step)).collect(),
        ..Edits::default()
    };
    for (step, part) in &published {
        let edits = without(&[*step]);
        if wrong(&edits)? <= least {
            return Ok(Some(Fewer { edits, gone: part.clone(), instead: None }));
        }
    }
    for ((first, one), (second, other)) in
        published.iter().flat_map(|first| published.iter().map(move |second| (first, second)))
    {
        let Some(both) = together(program, one, other).filter(|_| first < second) else { continue };
        let mut edits = without(&[*first, *second]);
        let item = Inserted::Step(Step::DidModify(both.clone()));
        edits.insertions.push((0, Insertion { at: Where::AfterStep(*second), item }));
        if wrong(&edits)? <= least {
            return Ok(Some(Fewer { edits, gone: one.clone(), instead: Some((other.clone(), both)) }));
        }
    }
    Ok(None)
}

/// Two parts of one buffer as one, where nothing lies between them: all of it the CPU has written.
fn together(program: &Program, one: &Part, other: &Part) -> Option<Part> {
    let range = |part: &Part| match program.byte_ranges(part).as_slice() {
        [range] if part.resource == one.resource => Some(range.clone()),
        _ => None,
    };
    let (one_range, other_range) = (range(one)?, range(other)?);
    let (start, end) = (one_range.start.min(other_range.start), one_range.end.max(other_range.end));
    let meets = one_range.start.max(other_range.start) <= one_range.end.min(other_range.end);
    let buffer = matches!(program.resource(one.resource).shape, Shape::Buffer { .. });
    let part = |extent| Part { resource: one.resource, extent };
    (meets && buffer).then(|| if one == other { one.clone() } else { part(Extent::Bytes(start..end)) })
}

/// What brings the copies of a program together, as far as it is not there.
pub(super) fn missing(program: &Program, order: &Order, findings: &[Finding]) -> Edits {
    let mut all = Edits::default();
    let mut waits: Vec<Addition> = Vec::new();
    let mut labels = Labels::of(program);
    for finding in findings {
        let (Kind::Managed(managed), Some(Spot::At(first)), Some(resource)) =
            (&finding.kind, finding.first, finding.resource)
        else {
            continue;
        };
        let new = match managed {
            Managed::NotPublished => publish(program, order, first),
            Managed::NotSynchronized => {
                let Some(Spot::At(read)) = finding.second else { continue };
                match bring(program, order, first, read, resource) {
                    Bring::Wait(wait) => {
                        waits.push(wait);
                        continue;
                    }
                    Bring::Copy(buffer, pass) => Some(synchronize(buffer, pass, resource, &mut labels)),
                    Bring::Nothing => None,
                }
            }
        };
        let fresh = new.filter(|new| !all.insertions.iter().any(|(_, own)| same(own, new)));
        all.insertions.extend(fresh.map(|new| (all.insertions.len(), new)));
    }
    waits.dedup();
    let place = all.insertions.len();
    let waits = edits(program, order, &waits);
    all.events.extend(waits.events);
    all.insertions.extend(waits.insertions.into_iter().map(|(number, item)| (number + place, item)));
    all
}

/// The same but for the label.
fn same(own: &Insertion, new: &Insertion) -> bool {
    let resource = |insertion: &Insertion| match &insertion.item {
        Inserted::BufferItem(BufferItem::Pass(pass)) => match pass.items.first() {
            Some(PassItem::Command(Command { work: Work::Synchronize { resource, .. }, .. })) => {
                Some(*resource)
            }
            _ => None,
        },
        _ => None,
    };
    own == new || own.at == new.at && resource(own).is_some() && resource(own) == resource(new)
}

/// A `did-modify` of what a step writes, where it has none behind it.
fn publish(program: &Program, order: &Order, write: Locus) -> Option<Insertion> {
    let Locus::Step(number) = write else { return None };
    let steps = program.all_steps();
    let Some(Step::Write(part)) = steps.get(number as usize) else { return None };
    let next = steps.get(number as usize + 1);
    let there = matches!(next, Some(Step::DidModify(published)) if published == part);
    let played = !order.nodes(write).is_empty();
    (played && !there).then(|| Insertion {
        at: Where::AfterStep(number),
        item: Inserted::Step(Step::DidModify(part.clone())),
    })
}

enum Bring {
    /// There is a copy; the CPU has to wait for it.
    Wait(Addition),
    /// A copy behind this pass.
    Copy(CommandBufferIndex, u32),
    Nothing,
}

fn bring(program: &Program, order: &Order, write: Locus, read: Locus, resource: ResourceIndex) -> Bring {
    let (Locus::PassItem { buffer, pass, .. }, Locus::Step(step)) = (write, read) else {
        return Bring::Nothing;
    };
    let Some(&written) = order.nodes(write).last() else { return Bring::Nothing };
    let problem = Problem::of(program, order, core::iter::empty());
    for moment in order.moments() {
        let Moment::Pass(buffer, pass) = *moment else { continue };
        let items = program.pass(buffer, pass).into_iter().flat_map(|pass| &pass.items).zip(0..);
        for (item, index) in items {
            // One image of it may not be the one that is read.
            let PassItem::Command(Command {
                work: Work::Synchronize { resource: own, extent: Extent::Whole },
                ..
            }) = item
            else {
                continue;
            };
            let locus = Locus::PassItem { buffer, pass, item: index };
            let node = order.nodes(locus).first().copied();
            if *own == resource && node.is_some_and(|node| order.ordered(written, node)) {
                return Bring::Wait(if problem.has_ended(buffer, step) {
                    Addition::Completion { buffer, step }
                } else {
                    Addition::Watch { from: (buffer, pass), step }
                });
            }
        }
    }
    let queue = program.command_buffers.get(buffer.index()).map(|body| body.queue);
    let tracked = queue.is_some_and(|queue| program.queues[queue.index()].mode == QueueMode::Tracked);
    if tracked { Bring::Copy(buffer, pass) } else { Bring::Nothing }
}

/// A blit pass that brings a resource's GPU copy to the CPU's.
fn synchronize(
    buffer: CommandBufferIndex,
    pass: u32,
    resource: ResourceIndex,
    labels: &mut Labels,
) -> Insertion {
    let command =
        Command { label: "s".to_owned(), work: Work::Synchronize { resource, extent: Extent::Whole } };
    let pass_item =
        Pass { label: labels.fresh("S"), kind: PassKind::Blit, items: vec![PassItem::Command(command)] };
    Insertion {
        at: Where::CommandBuffer(buffer, pass + 1),
        item: Inserted::BufferItem(BufferItem::Pass(pass_item)),
    }
}

/// Labels of passes that are taken.
struct Labels(HashSet<String>);

impl Labels {
    fn of(program: &Program) -> Self {
        let items = program.command_buffers.iter().flat_map(|body| &body.items);
        let labels = items.filter_map(|item| match item {
            BufferItem::Pass(pass) => Some(pass.label.clone()),
            BufferItem::Event(_) => None,
        });
        Self(labels.collect())
    }

    fn fresh(&mut self, stem: &str) -> String {
        let numbered = (1..).map(|number: u32| format!("{stem}{number}"));
        let free = core::iter::once(stem.to_owned()).chain(numbered).find(|name| !self.0.contains(name));
        let name = free.unwrap_or_default();
        self.0.insert(name.clone());
        name
    }
}
