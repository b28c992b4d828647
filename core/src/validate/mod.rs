//! What is wrong with a program: races, stale accesses, stuck waits, undefined contents, misuse.
//!
//! A judge of [`Order`]: it knows what must happen before what, and looks for conflicts that nothing orders. One
//! detector a file; each gives [`Finding`]s, which are data. Only [`explain`](crate::explain) has words for
//! them.
//!
//! | file | finds |
//! |---|---|
//! | `race` | conflicting accesses, neither ordered before the other |
//! | `stale` | ordered ones whose write is not made visible |
//! | `stuck` | waits that nothing releases |
//! | `managed` | copies of managed resources that differ where they are read |
//! | `uninitialized` | reads of undefined contents |
//! | `misuse` | calls that Metal does not allow, or that cannot be meant |
//!
//! The accesses of a program are seen once, in the order of its play, and compared with what each byte remembers
//! (`history`), so the cost of a command does not grow with their number. Work behind a stuck wait is never played, and
//! so not judged.
//!
//! What it takes for granted: a command's own accesses are the command's own affair; the bytes of one texture's levels
//! and slices are apart, and its place as a whole meets other resources in the same memory.
mod clash;
pub(crate) mod conflicts;
mod expect;
mod finding;
mod gap;
mod history;
mod managed;
mod misuse;
mod race;
mod spans;
mod stale;
mod stuck;
mod uninitialized;
mod walk;

pub use expect::{Holding, Verdict, hold};
pub use finding::{
    Clash, Finding, Gap, Kind, Managed, Misuse, Redundant, Severity, Spot, Stuck, StuckReason, TooWide,
    Touch, Uninitialized,
};

use clash::Clashes;
use managed::Copies;
use misuse::Aliasing;
use uninitialized::Initialization;
use walk::Layout;

use crate::Order;
use crate::program::{Locus, Program, UnknownName};

/// Everything that is wrong with a program, in the order of the places it is about. Empty for a clean one.
///
/// ```
/// use fencepost_core::program::{Program, QueueMode};
/// use fencepost_core::validate::{Severity, validate};
///
/// let mut p = Program::builder();
/// let q = p.queue("q", QueueMode::Explicit);
/// let [a, b] = ["A", "B"].map(|name| p.buffer(name, 64));
/// let cb = p.command_buffer("cb", q, |items| {
///     items.compute("P1", |pass| { pass.copy("c1", a, b).dispatch("k1", [b], [a]); });
/// });
/// p.steps().commit([cb]);
/// let findings = validate(&p.build())?;
/// assert_eq!(findings.iter().map(|finding| finding.code()).collect::<Vec<_>>(), ["race", "race"]);
/// assert_eq!(findings[0].severity(), Severity::Error);
/// assert_eq!(findings[0].resource, Some(a));
/// # Ok::<(), fencepost_core::program::UnknownName>(())
/// ```
///
/// # Errors
/// The program names something that it does not declare.
pub fn validate(program: &Program) -> Result<Vec<Finding>, UnknownName> {
    Ok(validate_order(program, &Order::of(program)?))
}

/// [`validate`], for a program whose order is there. `order` must be the program's own.
pub fn validate_order(program: &Program, order: &Order) -> Vec<Finding> {
    let layout = Layout::of(program);
    let mut findings = Vec::new();
    stuck::find(program, order, &mut findings);
    misuse::find(program, order, &mut findings);
    let mut clashes = Clashes::new(layout.memories());
    let mut copies = Copies::new(program, &layout);
    let mut initialization = Initialization::new(program, &layout);
    let mut aliasing = Aliasing::default();
    walk::walk(program, order, &layout, |deed| {
        clashes.see(deed, program, order, &mut findings);
        copies.see(deed, order, &mut findings);
        initialization.see(deed, program, &mut findings);
        aliasing.see(deed, program, &mut findings);
    });
    findings.sort_by_key(|finding| (place(finding), finding.severity()));
    findings
}

/// Where a finding stands in the document: declarations, then command buffers, then what the CPU does.
fn place(finding: &Finding) -> (u8, u32, u32, u32) {
    match finding.spot() {
        None => (0, finding.resource.map_or(0, |resource| resource.0), 0, 0),
        Some(Spot::CommandBuffer(buffer)) => (1, buffer.0, 0, 0),
        Some(Spot::Pass(buffer, pass) | Spot::At(Locus::Pass { buffer, pass })) => (1, buffer.0, pass + 1, 0),
        Some(Spot::At(Locus::Event { buffer, item })) => (1, buffer.0, item + 1, 0),
        Some(Spot::At(Locus::PassItem { buffer, pass, item })) => (1, buffer.0, pass + 1, item + 1),
        Some(Spot::At(Locus::Step(number))) => (2, number, 0, 0),
    }
}
