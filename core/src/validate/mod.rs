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
//! [`validate`](validate()) judges a whole program; [`Online`] is fed with one piece by piece, while an application runs, by the
//! same play and the same detectors.
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
mod judge;
mod managed;
mod misuse;
mod names;
mod online;
mod race;
mod spans;
mod stale;
mod stuck;
mod uninitialized;
mod walk;

pub use expect::{Holding, Verdict, hold};
pub use finding::{
    Clash, Finding, Gap, Kind, Less, Managed, Misuse, Redundant, Severity, Spot, Stuck, StuckReason, TooWide,
    Touch, Uninitialized,
};

pub use online::{Online, Refused, ThreadIndex};

use judge::Judge;
use stuck::Progress;

use crate::order::{Script, play_document};
use crate::program::{CommandBufferIndex, Locus, Program, ResourceIndex, UnknownName};
use crate::{Engine, Order};

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
    program.check_names()?;
    let steps = program.all_steps();
    let script = Script::document(program, &steps);
    let (machine, judge) = play_document(script, Engine::for_judging, || Judge::of(program));
    let (stuck, mut findings) = (machine.stuck(script), Vec::new());
    if !stuck.is_empty() {
        // Which of many things keeps it is worth a second look.
        let progress = Progress::of(program, &Order::of(program)?);
        stuck::find(script, &stuck, &progress, &mut findings);
    }
    Ok(sorted(script, judge, findings))
}

/// [`validate`], for a program whose order is there. `order` must be the program's own.
pub fn validate_order(program: &Program, order: &Order) -> Vec<Finding> {
    let steps = program.all_steps();
    let script = Script::document(program, &steps);
    let (mut judge, known) = (Judge::of(program), order.known());
    order.replay(script, |played| judge.look(script, played, &known));
    let mut findings = Vec::new();
    if !order.stuck().is_empty() {
        stuck::find(script, order.stuck(), &Progress::of(program, order), &mut findings);
    }
    sorted(script, judge, findings)
}

/// These findings, those of a play, and what declarations and calls show by themselves, in the order of their places.
fn sorted(script: Script<'_>, mut judge: Judge, mut findings: Vec<Finding>) -> Vec<Finding> {
    let program = script.program;
    let buffers = || (0..program.command_buffers.len() as u32).map(CommandBufferIndex);
    for number in 0..program.resources.len() as u32 {
        judge.calls.resource(program, ResourceIndex(number), &mut findings);
    }
    buffers().for_each(|buffer| judge.calls.buffer(program, buffer, &mut findings));
    for (number, step) in script.steps() {
        judge.calls.step(program, step, number, &mut findings);
    }
    judge.calls.commits.never(buffers(), &mut findings);
    findings.append(&mut judge.findings);
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
