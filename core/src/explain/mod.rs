//! What findings mean, in words: the only home of English.
//!
//! An explanation is one sentence of what happens with both places, one of which order there is and which is missing,
//! and one of advice; then the fix as [`Code`]. Places and parts are written as in the text form of programs, so that they can be found there.
//! The words may change; the codes and properties of [`validate`](crate::validate) do not.
mod advice;
mod clash;
mod code;
mod misuse;
mod repair;
mod words;

pub use code::Code;

use std::collections::HashMap;

use crate::Extent;
use crate::program::{
    BufferItem, CommandBufferIndex, Locus, PassItem, Primitive, Program, ResourceIndex, Shape, Step,
};
use crate::validate::{Finding, Kind, Managed, Spot, Stuck, StuckReason, Uninitialized};

/// A finding in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What happens, in one sentence.
    pub what: String,
    /// Which order there is and which is missing, in one sentence, where order is the matter.
    pub order: Option<String>,
    /// What mends it, in one sentence.
    pub advice: String,
}

impl Explanation {
    /// What happens and what is missing, without the advice.
    pub fn message(&self) -> String {
        match &self.order {
            Some(order) => format!("{} {order}", self.what),
            None => self.what.clone(),
        }
    }
}

/// Explains the findings of one program.
///
/// ```
/// use fencepost_core::explain::Explainer;
/// use fencepost_core::program::{Program, QueueMode};
/// use fencepost_core::validate::validate;
///
/// let mut p = Program::builder();
/// let q = p.queue("q", QueueMode::Explicit);
/// let [a, b, c] = ["A", "B", "C"].map(|name| p.buffer(name, 64));
/// let cb = p.command_buffer("cb", q, |items| {
///     items.compute("P1", |pass| { pass.copy("c1", a, b).dispatch("k1", [b], [c]); });
/// });
/// p.steps().commit([cb]);
/// let program = p.build();
/// let findings = validate(&program)?;
/// let explanation = Explainer::of(&program).explain(&findings[0]);
/// assert_eq!(explanation.what, "P1.k1 (dispatch) reads B:0..64 while P1.c1 (blit) may still be writing it.");
/// # Ok::<(), fencepost_core::program::UnknownName>(())
/// ```
#[derive(Debug)]
pub struct Explainer<'a> {
    program: &'a Program,
    steps: Vec<&'a Step>,
    /// How many places have a path without its command buffer.
    counts: HashMap<String, u32>,
}

impl<'a> Explainer<'a> {
    /// Explains findings of this program. They must be its own.
    pub fn of(program: &'a Program) -> Self {
        let steps = program.all_steps();
        let mut counts: HashMap<String, u32> = HashMap::new();
        for (body, number) in program.command_buffers.iter().zip(0..) {
            let buffer = CommandBufferIndex(number);
            for (item, place) in body.items.iter().zip(0..) {
                let BufferItem::Pass(pass) = item else { continue };
                *counts.entry(pass.label.clone()).or_default() += 1;
                for item in 0..pass.items.len() as u32 {
                    let locus = Locus::PassItem { buffer, pass: place, item };
                    *counts.entry(program.path_among(locus, &steps)).or_default() += 1;
                }
            }
        }
        Self { program, steps, counts }
    }

    /// A place's label path: as short as names it alone.
    pub fn path(&self, spot: Spot) -> String {
        let short = match spot {
            Spot::CommandBuffer(buffer) => return self.buffer(buffer).to_owned(),
            Spot::Pass(buffer, pass) => {
                self.program.pass(buffer, pass).map_or("?", |pass| &pass.label).to_owned()
            }
            Spot::At(locus) => self.program.path_among(locus, &self.steps),
        };
        if self.counts.get(&short).is_none_or(|count| *count <= 1) {
            return short;
        }
        match spot {
            Spot::Pass(buffer, _) | Spot::At(Locus::PassItem { buffer, .. } | Locus::Pass { buffer, .. }) => {
                format!("{}.{short}", self.buffer(buffer))
            }
            _ => short,
        }
    }

    /// A part of a resource as an access expression without the name: `0..64`, `mip1,slice0`.
    pub fn extent(&self, resource: ResourceIndex, extent: &Extent) -> String {
        let range = |word: &str, start: u32, end: u32| match end - start {
            1 => format!("{word}{start}"),
            _ => format!("{word}{start}..{end}"),
        };
        match (extent, self.program.resource(resource).shape) {
            (Extent::Bytes(bytes), _) => format!("{}..{}", bytes.start, bytes.end),
            (Extent::Whole, Shape::Buffer { size, .. }) => format!("0..{size}"),
            (Extent::Whole, Shape::Texture { mips, slices, .. }) => {
                format!("{},{}", range("mip", 0, mips), range("slice", 0, slices))
            }
            (Extent::Subresources { mips, slices }, _) => {
                let (mips, slices) =
                    (range("mip", mips.start, mips.end), range("slice", slices.start, slices.end));
                format!("{mips},{slices}")
            }
        }
    }

    /// A resource's name.
    pub fn resource(&self, resource: ResourceIndex) -> &str {
        &self.program.resource(resource).name
    }

    /// A finding in words.
    pub fn explain(&self, finding: &Finding) -> Explanation {
        let mut explanation = match &finding.kind {
            Kind::Race(clash) => self.race(finding, clash),
            Kind::Stale(clash) => self.stale(finding, clash),
            Kind::Stuck(stuck) => self.stuck(finding, stuck),
            Kind::Managed(managed) => self.managed(finding, *managed),
            Kind::Uninitialized(what) => self.uninitialized(finding, *what),
            Kind::Misuse(misuse) => self.misuse(finding, *misuse),
            Kind::Redundant(redundant) => self.redundant(finding, redundant),
            Kind::TooWide(wide) => self.too_wide(finding, wide),
        };
        if let Some(rest) = explanation.what.strip_prefix("the ") {
            explanation.what = format!("The {rest}");
        }
        explanation
    }

    fn buffer(&self, buffer: CommandBufferIndex) -> &str {
        self.program.command_buffers.get(buffer.index()).map_or("?", |body| &body.label)
    }

    fn at(&self, locus: Locus) -> String {
        self.path(Spot::At(locus))
    }

    fn first(&self, finding: &Finding) -> String {
        finding.first.map_or_else(String::new, |spot| self.path(spot))
    }

    fn second(&self, finding: &Finding) -> String {
        finding.second.map_or_else(String::new, |spot| self.path(spot))
    }

    /// The part that a finding is about, as an access expression.
    fn part(&self, finding: &Finding) -> String {
        match (finding.resource, &finding.extent) {
            (Some(resource), Some(extent)) => {
                format!("{}:{}", self.resource(resource), self.extent(resource, extent))
            }
            (Some(resource), None) => self.resource(resource).to_owned(),
            (None, _) => String::new(),
        }
    }

    fn primitive(&self, locus: Locus) -> Option<&'a Primitive> {
        let Locus::PassItem { buffer, pass, item } = locus else { return None };
        match self.program.pass(buffer, pass)?.items.get(item as usize)? {
            PassItem::Synchronization(synchronization) => Some(&synchronization.primitive),
            _ => None,
        }
    }

    /// What an event operation or a CPU's wait waits for.
    fn awaited(&self, locus: Locus) -> String {
        let operation = match locus {
            Locus::Event { buffer, item } => {
                match self
                    .program
                    .command_buffers
                    .get(buffer.index())
                    .and_then(|body| body.items.get(item as usize))
                {
                    Some(BufferItem::Event(operation)) => Some((operation.event, operation.value)),
                    _ => None,
                }
            }
            Locus::Step(number) => match self.steps.get(number as usize) {
                Some(Step::QueueEvent { operation, .. }) => Some((operation.event, operation.value)),
                Some(Step::WaitUntilSignaled { event, value, .. } | Step::Notify { event, value, .. }) => {
                    Some((*event, *value))
                }
                Some(Step::WaitUntilCompleted(buffer)) => {
                    return format!("the end of {}", self.buffer(*buffer));
                }
                _ => None,
            },
            Locus::PassItem { .. } | Locus::Pass { .. } => None,
        };
        operation.map_or_else(String::new, |(event, value)| {
            format!(
                "{} to reach {value}",
                self.program.events.get(event.index()).map_or("?", |event| &event.name)
            )
        })
    }

    fn stuck(&self, finding: &Finding, stuck: &Stuck) -> Explanation {
        let wait = self.second(finding);
        let awaited = match finding.second {
            Some(Spot::At(locus)) => self.awaited(locus),
            _ => String::new(),
        };
        let mut what = format!("{wait} waits for {awaited}, and nothing will release it");
        if !stuck.behind.is_empty() {
            let behind: Vec<String> = stuck.behind.iter().map(|locus| self.at(*locus)).collect();
            what += &format!("; {} with it", words::list(&behind, "wait", "waits"));
        }
        what.push('.');
        let (order, advice) = match &stuck.reason {
            StuckReason::NeverSignalled { highest: None, .. } => (
                "No signal of it is anywhere in the program.".to_owned(),
                "Signal the value, or drop the wait.".to_owned(),
            ),
            StuckReason::NeverSignalled { value, highest: Some(highest) } => (
                format!("The highest value that anything signals is {highest}."),
                format!("Signal {value}, or wait for {highest}."),
            ),
            StuckReason::NeverNotified { notification, value, highest } => (
                format!(
                    "Its signal is in the notification {}, which waits for {}, and nothing brings that.",
                    self.at(*notification),
                    self.awaited(*notification)
                ),
                match highest {
                    Some(highest) if highest < value => format!("Signal {value}, or notify at {highest}."),
                    _ => "Signal the value that the notification waits for.".to_owned(),
                },
            ),
            StuckReason::OwnFuture { signal } => (
                format!("Its signal {} stands behind the wait itself on the same way.", self.at(*signal)),
                format!("Move {} to in front of {wait}, or to another queue.", self.at(*signal)),
            ),
            StuckReason::Cycle(all) => {
                let next = all.iter().skip(1).chain(all.first());
                let link = |(wait, next): (&Locus, &Locus)| {
                    format!("{} for what stands behind {}", self.at(*wait), self.at(*next))
                };
                let links: Vec<String> = all.iter().zip(next).map(link).collect();
                (
                    format!("The waits wait for each other: {}.", links.join(", ")),
                    "Let one of them signal before it waits.".to_owned(),
                )
            }
            StuckReason::NeverCommitted(buffer) => (
                format!(
                    "What it waits for is in or behind {}, which is never committed.",
                    self.buffer(*buffer)
                ),
                format!("Commit {}.", self.buffer(*buffer)),
            ),
        };
        Explanation { what, order: Some(order), advice }
    }

    fn managed(&self, finding: &Finding, managed: Managed) -> Explanation {
        let (first, second, part) = (self.first(finding), self.second(finding), self.part(finding));
        match managed {
            Managed::NotPublished => Explanation {
                what: format!(
                    "{second} reads the GPU's copy of {part}, which lacks what the CPU wrote ({first})."
                ),
                order: Some(
                    "No did-modify covers all of those bytes between the write and the commit.".to_owned(),
                ),
                advice: format!("Put did-modify {part} between {first} and the commit."),
            },
            Managed::NotSynchronized => Explanation {
                what: format!("The CPU ({second}) reads its copy of {part}, which lacks what {first} wrote."),
                order: Some(format!("No synchronize stands behind {first} that the CPU has waited for.")),
                advice: format!(
                    "Encode a synchronize behind {first} in a blit pass, and wait for its command buffer before reading."
                ),
            },
        }
    }

    fn uninitialized(&self, finding: &Finding, what: Uninitialized) -> Explanation {
        let (second, part) = (self.second(finding), self.part(finding));
        match what {
            Uninitialized::Alias(owner) => {
                let owner = self.resource(owner);
                Explanation {
                    what: format!(
                        "{second} reads {part}, which was last written as {owner} and is undefined since."
                    ),
                    order: None,
                    advice: format!("Write {part} after the last use of {owner}, before it is read."),
                }
            }
            Uninitialized::Attachment => Explanation {
                what: format!("{second} loads the attachment {part}, which nothing has written."),
                order: None,
                advice: "Use load=clear or load=dont-care.".to_owned(),
            },
        }
    }
}
