//! Synchronization of which less would order the same conflicts.
//!
//! What is not redundant is narrowed, stage by stage and kind by kind, as long as nothing is lost; all that is found may be narrowed
//! at once. Then the conflicts that depend on it are looked at: where one primitive of smaller scope would order all of them, that is
//! told instead. A wait stands for its signals, of events and of fences.
//!
//! Less is not always better. A queue barrier between the only two passes that it reaches orders what a fence would, in
//! one line instead of three. So each finding says what the width costs: two pieces of work that are held apart and would then
//! be free to overlap, where there are two such. What takes the place of the wider primitive is put into the program and
//! played, so neither what is kept nor what is freed is a guess.
use std::collections::HashSet;

use super::fix::{Edits, Inserted, Insertion, Problem, Relation, Where, choose, edits};
use super::mending::{Change, Mending};
use super::scope::{Role, Scope, Site};
use super::weigh::Weighed;
use crate::program::{
    BufferItem, Locus, MemoryScope, Pass, PassItem, PassKind, Primitive, Program, QueueMode, UnknownName,
};
use crate::validate::conflicts::Conflict;
use crate::validate::{Finding, Kind, Less, Spot, TooWide};
use crate::{NodeId, Order, Stages};

/// What is too wide of what is not in `without`.
///
/// # Errors
/// The program names something that it does not declare.
pub(super) fn find(weighed: &Weighed<'_>, without: &HashSet<Locus>) -> Result<Vec<Finding>, UnknownName> {
    let mut narrowed = weighed.program.clone();
    let problem = Problem::of(weighed.program, weighed.order, core::iter::empty());
    let mut findings = Vec::new();
    for site in weighed.sites.iter().filter(|site| !without.contains(&site.locus)) {
        let wide = match smaller_scope(weighed, &problem, site, without)? {
            Some(wide) => Some(wide),
            None => narrower(weighed, site, &mut narrowed, without)?,
        };
        findings.extend(wide.map(|wide| Finding {
            kind: Kind::TooWide(wide),
            first: None,
            second: Some(Spot::At(site.locus)),
            resource: None,
            extent: None,
        }));
    }
    Ok(findings)
}

/// A scope that holds everything that depends on a synchronization.
fn smaller_scope(
    weighed: &Weighed<'_>,
    problem: &Problem<'_>,
    site: &Site,
    without: &HashSet<Locus>,
) -> Result<Option<TooWide>, UnknownName> {
    let reaches = matches!(site.scope, Scope::ConsumerBarrier | Scope::ProducerBarrier)
        || matches!(site.role, Role::Wait(_) | Role::CpuWait);
    if !reaches {
        return Ok(None);
    }
    let mut fewer = without.clone();
    fewer.insert(site.locus);
    let loss = weighed.trial(weighed.program, &fewer)?;
    let Some(first) = loss.conflicts.first().filter(|_| !loss.other) else { return Ok(None) };
    let Some(to) = least(problem, &loss.conflicts).filter(|to| to.rank() < site.scope.rank()) else {
        return Ok(None);
    };
    let less = Less::Scope { from: site.scope, to, first: first.first.locus, second: first.second.locus };
    let additions = choose(problem, &loss.conflicts);
    if additions.iter().any(|addition| addition.scope().rank() > to.rank()) {
        return Ok(None);
    }
    let mut edits = edits(weighed.program, weighed.order, &additions);
    let events = edits.events.iter().map(|event| (event.name.clone(), event.shared));
    let (fences, events) = (edits.fences.clone(), events.collect());
    let puts = edits.insertions.iter().map(|(_, insertion)| Change::Put(insertion.clone()));
    let changes = puts.chain([Change::Drop(site.locus)]).collect();
    edits.without.insert(site.locus);
    let replaced = replaced(weighed, &edits)?;
    Ok(replaced.map(|frees| TooWide { less, mending: Box::new(Mending { fences, events, changes }), frees }))
}

/// Whether every conflict stays well ordered with some edits, and what is freed by them.
#[allow(clippy::option_option, reason = "the outer says whether it may be done, the inner what it gains")]
fn replaced(weighed: &Weighed<'_>, edits: &Edits) -> Result<Option<Option<(Locus, Locus)>>, UnknownName> {
    let (program, moved) = edits.applied(weighed.program);
    let order = Order::of(&program)?;
    let to = |locus: Locus| moved.to(locus);
    let kept = weighed
        .conflicts
        .kept
        .iter()
        .all(|conflict| conflict.moved(to).is_some_and(|conflict| conflict.is_kept(&order)));
    Ok((kept && order.stuck().len() <= weighed.order.stuck().len()).then(|| freed(weighed.order, &order, to)))
}

/// Two pieces of work that are ordered, and not any more in another order, where a place may have moved.
fn freed(before: &Order, after: &Order, to: impl Fn(Locus) -> Option<Locus>) -> Option<(Locus, Locus)> {
    let mut number = (None, 0);
    let both = before.items().iter().filter_map(|item| {
        number = if number.0 == Some(item.locus) { (number.0, number.1 + 1) } else { (Some(item.locus), 0) };
        let work = matches!(item.locus, Locus::PassItem { .. } | Locus::Pass { .. });
        let node = to(item.locus).and_then(|locus| after.nodes(locus).get(number.1).copied());
        node.filter(|_| work).map(|node| (item.locus, item.node, node))
    });
    let work: Vec<(Locus, NodeId, NodeId)> = both.collect();
    for (place, later) in work.iter().enumerate() {
        // The nearest first: it shows best what is gained.
        let loses = |earlier: &&(Locus, NodeId, NodeId)| {
            before.ordered(earlier.1, later.1) && !after.ordered(earlier.2, later.2)
        };
        if let Some(earlier) = work[..place].iter().rev().find(loses) {
            return Some((earlier.0, later.0));
        }
    }
    None
}

/// The smallest scope of one primitive that orders these; nothing where they end on the CPU.
fn least(problem: &Problem<'_>, conflicts: &[Conflict]) -> Option<Scope> {
    let mut pairs = HashSet::new();
    let mut scope = Scope::IntrapassBarrier;
    for conflict in conflicts {
        let own = match problem.relation(conflict)? {
            Relation::Pass(..) => return None,
            Relation::Queue(first, second) => {
                pairs.insert((first.buffer, first.pass, second.buffer, second.pass));
                Scope::Fence
            }
            Relation::Queues { shared: false, .. } => Scope::Event,
            Relation::Queues { shared: true, .. } => Scope::SharedEvent,
            Relation::ToCpu { .. } | Relation::FromCpu { .. } | Relation::Cpu { .. } => return None,
        };
        scope = scope.max(own);
    }
    Some(if scope == Scope::Fence && pairs.len() > 1 { Scope::ConsumerBarrier } else { scope })
}

/// Fewer stages or kinds of a primitive in a pass; `program` keeps them.
fn narrower(
    weighed: &Weighed<'_>,
    site: &Site,
    program: &mut Program,
    without: &HashSet<Locus>,
) -> Result<Option<TooWide>, UnknownName> {
    let Some(own) = primitive(program, site.locus).cloned() else { return Ok(None) };
    let Some(whole) = named_stages(program, site.locus) else { return Ok(None) };
    let (mut best, mut changed) = (own.clone(), false);
    let mut trial = |next: Primitive, best: &mut Primitive| -> Result<bool, UnknownName> {
        put(program, site.locus, next.clone());
        let holds = weighed.trial(program, without)?.is_none();
        if holds {
            *best = next;
        } else {
            put(program, site.locus, best.clone());
        }
        Ok(holds)
    };
    for side in [Side::After, Side::Before] {
        let Some(stages) = side.of(&own).map(|stages| stages.unwrap_or(whole)) else { continue };
        // Most of the stages of a wide mask are those of no command at all.
        let used = stages & weighed_stages(weighed.program);
        let mut left = stages;
        if used != stages && !used.is_empty() && trial(side.with(&best, used), &mut best)? {
            (left, changed) = (used, true);
        }
        for stage in left.iter_stages() {
            let less = left.difference(stage.mask());
            if !less.is_empty() && trial(side.with(&best, less), &mut best)? {
                (left, changed) = (less, true);
            }
        }
    }
    if changed {
        let told = |side: Side| {
            let (now, former) = (side.of(&best).flatten(), side.of(&own).flatten());
            if now == former { None } else { now }
        };
        let less = Less::Stages { after: told(Side::After), before: told(Side::Before) };
        return narrowed(weighed, site, best, less).map(Some);
    }
    let Primitive::MemoryBarrier { scope: MemoryScope::Kinds { .. }, .. } = own else { return Ok(None) };
    for kind in 0..3 {
        if let Some(less) = fewer_kinds(&best, kind) {
            changed |= trial(less, &mut best)?;
        }
    }
    match best {
        Primitive::MemoryBarrier { ref scope, .. } if changed => {
            let less = Less::Kinds(scope.clone());
            narrowed(weighed, site, best, less).map(Some)
        }
        _ => Ok(None),
    }
}

/// A finding about a primitive that becomes another in its place.
fn narrowed(
    weighed: &Weighed<'_>,
    site: &Site,
    primitive: Primitive,
    less: Less,
) -> Result<TooWide, UnknownName> {
    let mut program = weighed.program.clone();
    put(&mut program, site.locus, primitive);
    let frees = freed(weighed.order, &Order::of(&program)?, Some);
    let item = match site.locus {
        Locus::PassItem { buffer, pass, item } => {
            program.pass(buffer, pass).and_then(|pass| pass.items.get(item as usize)).cloned()
        }
        _ => None,
    };
    let insertion = |item| Insertion { at: Where::Instead(site.locus), item: Inserted::PassItem(item) };
    let changes = item.map(|item| Change::Put(insertion(item))).into_iter().collect();
    Ok(TooWide { less, mending: Box::new(Mending { changes, ..Mending::default() }), frees })
}

/// A memory barrier without one of several kinds of resource.
fn fewer_kinds(primitive: &Primitive, kind: u8) -> Option<Primitive> {
    let mut less = primitive.clone();
    let Primitive::MemoryBarrier { scope: MemoryScope::Kinds { buffers, textures, render_targets }, .. } =
        &mut less
    else {
        return None;
    };
    let named = u8::from(*buffers) + u8::from(*textures) + u8::from(*render_targets);
    let own = match kind {
        0 => buffers,
        1 => textures,
        _ => render_targets,
    };
    (std::mem::replace(own, false) && named > 1).then_some(less)
}

#[derive(Clone, Copy)]
enum Side {
    After,
    Before,
}

impl Side {
    /// The stages of a side; `Some(None)` where it names none and means all of its pass.
    fn of(self, primitive: &Primitive) -> Option<Option<Stages>> {
        match (self, primitive) {
            (Self::After, Primitive::Barrier { after, .. } | Primitive::ProducerBarrier { after, .. }) => {
                Some(Some(*after))
            }
            (Self::After, Primitive::ConsumerBarrier { after_queue, .. }) => Some(Some(*after_queue)),
            (Self::Before, Primitive::Barrier { before, .. } | Primitive::ConsumerBarrier { before, .. }) => {
                Some(Some(*before))
            }
            (Self::Before, Primitive::ProducerBarrier { before_queue, .. }) => Some(Some(*before_queue)),
            (Self::After, Primitive::MemoryBarrier { after: Some(after), .. }) => Some(Some(*after)),
            (Self::Before, Primitive::MemoryBarrier { before: Some(before), .. }) => Some(Some(*before)),
            (Self::After, Primitive::UpdateFence { after, .. }) => Some(*after),
            (Self::Before, Primitive::WaitForFence { before, .. }) => Some(*before),
            _ => None,
        }
    }

    fn with(self, primitive: &Primitive, stages: Stages) -> Primitive {
        let mut new = primitive.clone();
        match (self, &mut new) {
            (Self::After, Primitive::Barrier { after, .. } | Primitive::ProducerBarrier { after, .. }) => {
                *after = stages;
            }
            (Self::After, Primitive::ConsumerBarrier { after_queue, .. }) => *after_queue = stages,
            (Self::Before, Primitive::Barrier { before, .. } | Primitive::ConsumerBarrier { before, .. }) => {
                *before = stages;
            }
            (Self::Before, Primitive::ProducerBarrier { before_queue, .. }) => *before_queue = stages,
            (Self::After, Primitive::MemoryBarrier { after, .. } | Primitive::UpdateFence { after, .. }) => {
                *after = Some(stages);
            }
            (
                Self::Before,
                Primitive::MemoryBarrier { before, .. } | Primitive::WaitForFence { before, .. },
            ) => {
                *before = Some(stages);
            }
            _ => {}
        }
        new
    }
}

fn primitive(program: &Program, locus: Locus) -> Option<&Primitive> {
    let Locus::PassItem { buffer, pass, item } = locus else { return None };
    match program.pass(buffer, pass)?.items.get(item as usize)? {
        PassItem::Synchronization(own) => Some(&own.primitive),
        _ => None,
    }
}

fn put(program: &mut Program, locus: Locus, primitive: Primitive) {
    let Locus::PassItem { buffer, pass, item } = locus else { return };
    let items = program.command_buffers.get_mut(buffer.index()).map(|body| &mut body.items);
    let Some(BufferItem::Pass(pass)) = items.and_then(|items| items.get_mut(pass as usize)) else { return };
    if let Some(PassItem::Synchronization(own)) = pass.items.get_mut(item as usize) {
        own.primitive = primitive;
    }
}

/// The stages of a pass where its encoder has primitives that name stages; nothing where it has not.
fn named_stages(program: &Program, locus: Locus) -> Option<Stages> {
    let Locus::PassItem { buffer, pass, .. } = locus else { return None };
    let queue = program.command_buffers.get(buffer.index())?.queue;
    let explicit = program.queues.get(queue.index())?.mode == QueueMode::Explicit;
    let pass = program.pass(buffer, pass)?;
    let own = stages_of(pass);
    let whole =
        matches!(primitive(program, locus)?, Primitive::UpdateFence { .. } | Primitive::WaitForFence { .. });
    (explicit || matches!(pass.kind, PassKind::Render { .. }) || !whole).then_some(own)
}

fn stages_of(pass: &Pass) -> Stages {
    let own = if pass.attachments_at().is_some() { Stages::FRAGMENT } else { Stages::empty() };
    pass.items.iter().fold(own, |set, item| match item {
        PassItem::Command(command) => set | command.work.stages(),
        _ => set,
    })
}

/// The stages of all commands.
fn weighed_stages(program: &Program) -> Stages {
    let items = program.command_buffers.iter().flat_map(|body| &body.items);
    items.fold(Stages::empty(), |set, item| match item {
        BufferItem::Pass(pass) => set | stages_of(pass),
        BufferItem::Event(_) => set,
    })
}
