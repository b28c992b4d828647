//! What is wasted, and what would mend: synchronization weighed by the conflicts that it orders.
//!
//! Synchronization that orders too little is an error, and [`validate`](crate::validate) finds it. Synchronization that
//! orders too much costs time and looks like knowledge of a conflict that is not there. Both are questions about
//! conflicts: pairs of accesses to the same bytes of which one must come first. A synchronization is *redundant* if every conflict that is
//! ordered stays so without it, *too wide* if fewer stages or a primitive of smaller [`Scope`] would order the same conflicts.
//!
//! Besides conflicts there is what the CPU waits for: a wait of the CPU is not redundant while the end of its thread would
//! otherwise come before what it waited for, nor is a signal that a wait or a notification needs, nor the one that gives a shared event
//! its highest value, since whoever holds the event may look at it.
//!
//! | file | does |
//! |---|---|
//! | `weigh` | plays a program without some of its synchronization and compares |
//! | `redundant` | finds what may be taken away |
//! | `reach` | says which places a primitive reaches |
//! | `fix` | finds the smallest synchronization that mends |
//! | `wide` | finds what may be narrower, and what that would free |
//! | `mending` | says of any finding what change of the program mends it |
//! | `scope` | names scopes, and lists what synchronization there is |
mod fix;
mod mending;
mod reach;
mod redundant;
mod scope;
mod weigh;
mod wide;

use std::collections::HashSet;

pub use fix::{
    Fixed, Inserted, Insertion, Left, LeftReason, Remedies, Repair, Where, fix, fix_and_prune, prune,
};
pub use mending::{Change, Mending};
pub use scope::Scope;

use crate::Order;
use crate::program::{Locus, Program, UnknownName};
use crate::validate::Finding;
use weigh::Weighed;

/// What synchronization of a program is redundant or too wide, in document order. All of it may be followed at once.
///
/// Only what is played is judged: what stands behind a stuck wait is not.
///
/// ```
/// use fencepost_core::advise::advise;
/// use fencepost_core::program::{Program, QueueMode};
/// use fencepost_core::Stages;
///
/// let mut p = Program::builder();
/// let q = p.queue("q", QueueMode::Explicit);
/// let [a, b] = ["A", "B"].map(|name| p.buffer(name, 64));
/// let cb = p.command_buffer("cb", q, |items| {
///     items.compute("P", |pass| {
///         pass.copy("c", a, b);
///         pass.barrier(Stages::BLIT, Stages::DISPATCH);
///         pass.barrier(Stages::BLIT, Stages::DISPATCH);
///         pass.dispatch("k", [b], [b]);
///     });
/// });
/// p.steps().commit([cb]);
/// let program = p.build();
/// let advice = advise(&program)?;
/// assert_eq!(advice.len(), 1);
/// assert_eq!(advice[0].code(), "redundant");
/// // Of two equal ones, the later.
/// assert_eq!(advice[0].spot().map(|spot| format!("{spot:?}")).as_deref().map(|text| text.contains("item: 2")), Some(true));
/// # Ok::<(), fencepost_core::program::UnknownName>(())
/// ```
///
/// # Errors
/// The program names something that it does not declare.
pub fn advise(program: &Program) -> Result<Vec<Finding>, UnknownName> {
    advise_order(program, &Order::of(program)?)
}

/// [`advise`], for a program whose order is there. `order` must be the program's own.
///
/// # Errors
/// The program names something that it does not declare.
pub fn advise_order(program: &Program, order: &Order) -> Result<Vec<Finding>, UnknownName> {
    let weighed = Weighed::of(program, order);
    let without = redundant::find(&weighed)?;
    let rest = Order::without(program, &without)?;
    let mut findings = redundant::findings(&weighed, &without, &rest);
    findings.append(&mut wide::find(&weighed, &without)?);
    findings.sort_by_key(Finding::spot);
    Ok(findings)
}

/// The redundant synchronization of a program: all of it may be taken away at once.
///
/// # Errors
/// The program names something that it does not declare.
pub fn redundant(program: &Program, order: &Order) -> Result<HashSet<Locus>, UnknownName> {
    redundant::find(&Weighed::of(program, order))
}

/// Whether one synchronization may be taken away while all others stay. Nothing for a place that is none, or is not played.
///
/// # Errors
/// The program names something that it does not declare.
pub fn is_redundant(program: &Program, order: &Order, site: Locus) -> Result<Option<bool>, UnknownName> {
    redundant::alone(&Weighed::of(program, order), site)
}
