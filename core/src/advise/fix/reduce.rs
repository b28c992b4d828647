//! From a set of additions that mends to one of which nothing can be left out.
//!
//! Each step asks the order engine whether all is still mended: leave one out, the dearest first; take a fence for a queue
//! barrier; name a stage less; stand closer to the work.
use std::cmp::Reverse;

use super::addition::{Addition, Kinds};
use super::choose::length;
use super::problem::{Problem, Relation};
use crate::Stages;
use crate::program::UnknownName;
use crate::validate::conflicts::Conflict;

/// The same with nothing in it that can be left out.
///
/// # Errors
/// The program names something that it does not declare.
pub(super) fn reduced(problem: &Problem<'_>, mut all: Vec<Addition>) -> Result<Vec<Addition>, UnknownName> {
    let mut open: Vec<Addition> = all.clone();
    open.sort_by_key(|addition| Reverse(addition.cost()));
    for addition in open {
        let Some(place) = all.iter().position(|own| *own == addition) else { continue };
        let mut fewer = all.clone();
        fewer.remove(place);
        if problem.is_mended(&fewer)? {
            all = fewer;
        }
    }
    for place in 0..all.len() {
        if matches!(all[place], Addition::Consumer { .. } | Addition::Producer { .. }) {
            as_fence(problem, &mut all, place)?;
        }
    }
    for place in 0..all.len() {
        narrow(problem, &mut all, place)?;
    }
    Ok(all)
}

/// The conflicts that an addition of a set is there for.
///
/// # Errors
/// The program names something that it does not declare.
pub(super) fn depends(
    problem: &Problem<'_>,
    all: &[Addition],
    place: usize,
) -> Result<Vec<Conflict>, UnknownName> {
    let mut fewer = all.to_vec();
    fewer.remove(place);
    problem.rest(&fewer)
}

/// A queue barrier on which one pair of passes depends becomes a fence.
fn as_fence(problem: &Problem<'_>, all: &mut [Addition], place: usize) -> Result<(), UnknownName> {
    let mut pair = None;
    for conflict in depends(problem, all, place)? {
        let Some(Relation::Queue(first, second)) = problem.relation(&conflict) else { return Ok(()) };
        let own = ((first.buffer, first.pass), (second.buffer, second.pass));
        if *pair.get_or_insert(own) != own {
            return Ok(());
        }
    }
    let (Some((from, to)), Some((after, before))) = (pair, all[place].stages()) else { return Ok(()) };
    let fence = Addition::Fence { from, update_at: length(problem, from), to, wait_at: 0, after, before };
    replace(problem, all, place, fence)
}

/// Names a stage less, as long as that does.
fn narrow(problem: &Problem<'_>, all: &mut [Addition], place: usize) -> Result<(), UnknownName> {
    let Some((after, before)) = all[place].stages() else { return Ok(()) };
    for (named, second) in [(after, false), (before, true)] {
        for stage in named.iter_stages() {
            let mut less = all[place].clone();
            if let Some((after, before)) = less.stages_mut() {
                let own: &mut Stages = if second { before } else { after };
                own.remove(stage.mask());
                if own.is_empty() {
                    continue;
                }
            }
            replace(problem, all, place, less)?;
        }
    }
    Ok(())
}

/// Moves additions as close to what depends on them as they can stand.
///
/// # Errors
/// The program names something that it does not declare.
pub(super) fn tighten(problem: &Problem<'_>, all: &mut [Addition]) -> Result<(), UnknownName> {
    for place in 0..all.len() {
        let needed = depends(problem, all, place)?;
        let closer = closer(problem, &all[place], &needed);
        if let Some(closer) = closer {
            replace(problem, all, place, closer)?;
        }
        for plainer in plainer(&all[place]) {
            replace(problem, all, place, plainer)?;
        }
    }
    Ok(())
}

/// What costs the same and says less: a memory barrier for one kind of resource, a wait for the end of a command buffer.
fn plainer(addition: &Addition) -> Vec<Addition> {
    match *addition {
        Addition::Barrier { pass, at, after, before, kinds } if kinds.buffers && kinds.textures => {
            let one = |buffers| Kinds { buffers, textures: !buffers };
            [true, false]
                .map(|buffers| Addition::Barrier { pass, at, after, before, kinds: one(buffers) })
                .to_vec()
        }
        Addition::Watch { from, step } => vec![Addition::Completion { buffer: from.0, step }],
        _ => Vec::new(),
    }
}

pub(super) fn closer(problem: &Problem<'_>, addition: &Addition, needed: &[Conflict]) -> Option<Addition> {
    let firsts = || needed.iter().filter_map(|conflict| problem.places.place(conflict.first.at));
    let seconds = || needed.iter().filter_map(|conflict| problem.places.place(conflict.second.at));
    let in_front = |(buffer, pass)| {
        let own = seconds().filter(|place| (place.buffer, place.pass) == (buffer, pass));
        own.map(|place| place.in_front).min()
    };
    let behind = |(buffer, pass)| {
        let own = firsts().filter(|place| (place.buffer, place.pass) == (buffer, pass));
        own.map(|place| place.behind).max()
    };
    let mut closer = addition.clone();
    match &mut closer {
        Addition::Barrier { pass, at, .. } | Addition::Consumer { pass, at, .. } => *at = in_front(*pass)?,
        Addition::Producer { pass, at, .. } => *at = behind(*pass)?,
        Addition::Fence { from, update_at, to, wait_at, .. } => {
            *update_at = behind(*from)?;
            *wait_at = in_front(*to)?;
        }
        Addition::Event { from, .. } => {
            let queue = problem.program.command_buffers[from.0.index()].queue;
            let last = firsts().filter(|place| place.queue == queue).max_by_key(|place| place.time)?;
            *from = (last.buffer, last.pass);
        }
        Addition::Show { .. }
        | Addition::Split { .. }
        | Addition::Completion { .. }
        | Addition::Watch { .. }
        | Addition::Release { .. }
        | Addition::HandOver { .. } => return None,
    }
    (closer != *addition).then_some(closer)
}

/// Takes another addition for one, where that mends as well.
fn replace(
    problem: &Problem<'_>,
    all: &mut [Addition],
    place: usize,
    other: Addition,
) -> Result<(), UnknownName> {
    let former = std::mem::replace(&mut all[place], other);
    if !problem.is_mended(all)? {
        all[place] = former;
    }
    Ok(())
}
