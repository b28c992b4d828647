//! A fix as code, in three languages: lines of the text form with where they go, Metal's calls, and the runtime's.
//!
//! What changes is data ([`Mending`]); here it gets words. Each language has a file with the same functions, so that
//! what one can say, all can. Names are those of the program; where an encoder is meant, and the program has no name
//! for it, it is called `encoder`. What is to go stands there as a comment: `/-` in the text form, which
//! takes a line out, `/* … */` in the others.
mod kdl;
mod metal;
mod runtime;

use super::Explainer;
use crate::advise::{Change, Inserted, Insertion, Mending, Where};
use crate::program::{
    BufferItem, CommandBufferIndex, EventIndex, FenceIndex, Locus, PassItem, QueueIndex, QueueMode,
    ResourceIndex, Step,
};
use crate::validate::Spot;

/// What mends a finding, as code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Lines of a program's text, each with where it goes, with `; ` between them.
    pub text: String,
    /// Metal's calls as Objective-C writes them.
    pub metal: String,
    /// The runtime's calls.
    pub calls: String,
}

impl Explainer<'_> {
    /// A fix as code.
    ///
    /// ```
    /// use fencepost_core::Order;
    /// use fencepost_core::advise::{Mending, Remedies};
    /// use fencepost_core::explain::Explainer;
    /// use fencepost_core::program::{Program, QueueMode};
    /// use fencepost_core::validate::validate_order;
    ///
    /// let mut p = Program::builder();
    /// let q = p.queue("q", QueueMode::Explicit);
    /// let [a, b] = ["A", "B"].map(|name| p.buffer(name, 64));
    /// let cb = p.command_buffer("cb", q, |items| {
    ///     items.compute("P", |pass| { pass.copy("c", a, b).dispatch("k", [b], [b]); });
    /// });
    /// p.steps().commit([cb]);
    /// let program = p.build();
    /// let order = Order::of(&program)?;
    /// let finding = &validate_order(&program, &order)[0];
    /// let mending = Mending::of(&program, &Remedies::of(&program, &order), finding).expect("a barrier");
    /// let code = Explainer::of(&program).code(&mending);
    /// assert_eq!(code.text, "barrier after=blit before=dispatch in front of P.k");
    /// assert_eq!(code.calls, "encoder.barrier(Stages::BLIT, Stages::DISPATCH, Visibility::DEVICE)?;");
    /// # Ok::<(), fencepost_core::program::UnknownName>(())
    /// ```
    pub fn code(&self, mending: &Mending) -> Code {
        let names = Names { explainer: self, mending };
        let fences = mending.fences.iter().map(|name| Code {
            text: format!("fence {name}"),
            metal: metal::new_fence(name),
            calls: runtime::new_fence(name),
        });
        let events = mending.events.iter().map(|(name, shared)| Code {
            text: format!("{} {name}", if *shared { "shared-event" } else { "event" }),
            metal: metal::new_event(name, *shared),
            calls: runtime::new_event(name, *shared),
        });
        let changes = mending.changes.iter().map(|change| names.change(change));
        let all: Vec<Code> = fences.chain(events).chain(changes).collect();
        let joined = |of: fn(&Code) -> &str, between: &str| {
            let parts: Vec<&str> = all.iter().map(of).filter(|part| !part.is_empty()).collect();
            parts.join(between)
        };
        Code {
            text: joined(|code| &code.text, "; "),
            metal: joined(|code| &code.metal, " "),
            calls: joined(|code| &code.calls, " "),
        }
    }

    fn place(&self, at: Where) -> String {
        let step = |number| self.path(Spot::At(Locus::Step(number)));
        match at {
            Where::Pass(buffer, pass, item) => {
                let items = self.program.pass(buffer, pass).map_or(0, |pass| pass.items.len() as u32);
                let own = self.path(Spot::Pass(buffer, pass));
                match item {
                    0 => format!("at the start of {own}"),
                    item if item >= items => format!("at the end of {own}"),
                    item => {
                        format!("in front of {}", self.path(Spot::At(Locus::PassItem { buffer, pass, item })))
                    }
                }
            }
            Where::CommandBuffer(buffer, item) => self.between(buffer, item),
            Where::BeforeStep(number) if (number as usize) < self.steps.len() => {
                format!("in front of {}", step(number))
            }
            Where::BeforeStep(_) => "at the end".to_owned(),
            Where::AfterStep(number) => format!("behind {}", step(number)),
            Where::Instead(locus) => format!("instead of {}", self.path(Spot::At(locus))),
        }
    }

    fn between(&self, buffer: CommandBufferIndex, item: u32) -> String {
        let items = self.program.command_buffers.get(buffer.index()).map(|body| &body.items);
        match items.and_then(|items| items.get(item as usize)) {
            Some(BufferItem::Pass(_)) => format!("in front of {}", self.path(Spot::Pass(buffer, item))),
            Some(BufferItem::Event(_)) => {
                format!("in front of {}", self.path(Spot::At(Locus::Event { buffer, item })))
            }
            None => format!("at the end of {}", self.path(Spot::CommandBuffer(buffer))),
        }
    }
}

/// Something that can be said in every language.
#[derive(Clone, Copy)]
enum Item<'a> {
    Pass(&'a PassItem),
    Buffer(&'a BufferItem),
    Step(&'a Step),
}

impl<'a> Item<'a> {
    const fn of(inserted: &'a Inserted) -> Option<Self> {
        Some(match inserted {
            Inserted::PassItem(item) => Self::Pass(item),
            Inserted::BufferItem(item) => Self::Buffer(item),
            Inserted::Step(step) => Self::Step(step),
            Inserted::NewPass => return None,
        })
    }
}

/// What things are called: those of the program, and those that are new.
struct Names<'a> {
    explainer: &'a Explainer<'a>,
    mending: &'a Mending,
}

impl Names<'_> {
    fn change(&self, change: &Change) -> Code {
        match change {
            Change::Put(Insertion { at: at @ Where::Pass(buffer, pass, _), item: Inserted::NewPass }) => {
                let pass = self.explainer.program.pass(*buffer, *pass);
                let text = pass.map_or_else(String::new, |pass| self.new_pass(pass));
                Code {
                    text: format!("{text} {}", self.explainer.place(*at)),
                    metal: self.metal_new_pass(*buffer),
                    calls: runtime::new_pass(),
                }
            }
            Change::Put(Insertion { at, item }) => {
                let (Some(item), buffer) = (Item::of(item), buffer_of(*at)) else { return Code::default() };
                Code {
                    text: format!("{} {}", self.line(item), self.explainer.place(*at)),
                    metal: self.metal(item, buffer),
                    calls: self.runtime(item, buffer),
                }
            }
            Change::Drop(locus) => {
                let Some((item, buffer)) = self.item(*locus) else { return Code::default() };
                let comment = |call: String| format!("/* {call} */");
                Code {
                    text: format!("/-{} at {}", self.line(item), self.explainer.at(*locus)),
                    metal: comment(self.metal(item, buffer)),
                    calls: comment(self.runtime(item, buffer)),
                }
            }
            _ => Code {
                text: self.declared(change),
                metal: self.metal_declared(change),
                calls: self.runtime_declared(change),
            },
        }
    }

    /// What stands at a place, and in which command buffer.
    fn item(&self, locus: Locus) -> Option<(Item<'_>, Option<CommandBufferIndex>)> {
        let program = self.explainer.program;
        Some(match locus {
            Locus::PassItem { buffer, pass, item } => {
                (Item::Pass(program.pass(buffer, pass)?.items.get(item as usize)?), Some(buffer))
            }
            Locus::Pass { buffer, pass: item } | Locus::Event { buffer, item } => {
                let items = &program.command_buffers.get(buffer.index())?.items;
                (Item::Buffer(items.get(item as usize)?), Some(buffer))
            }
            Locus::Step(number) => (Item::Step(self.explainer.steps.get(number as usize)?), None),
        })
    }

    fn fence(&self, fence: FenceIndex) -> &str {
        let program = &self.explainer.program.fences;
        let new = || self.mending.fences.get(fence.index().checked_sub(program.len())?);
        program.get(fence.index()).or_else(new).map_or("?", String::as_str)
    }

    fn event(&self, event: EventIndex) -> &str {
        let program = &self.explainer.program.events;
        let new = || self.mending.events.get(event.index().checked_sub(program.len())?);
        match program.get(event.index()) {
            Some(event) => &event.name,
            None => new().map_or("?", |(name, _)| name),
        }
    }

    fn resource(&self, resource: ResourceIndex) -> &str {
        self.explainer.resource(resource)
    }

    fn buffer(&self, buffer: CommandBufferIndex) -> &str {
        self.explainer.buffer(buffer)
    }

    fn queue(&self, queue: QueueIndex) -> &str {
        self.explainer.program.queues.get(queue.index()).map_or("?", |queue| &queue.name)
    }

    fn queue_of(&self, buffer: CommandBufferIndex) -> Option<QueueIndex> {
        self.explainer.program.command_buffers.get(buffer.index()).map(|body| body.queue)
    }

    fn is_explicit(&self, buffer: Option<CommandBufferIndex>) -> bool {
        let queue = buffer.and_then(|buffer| self.queue_of(buffer));
        queue
            .and_then(|queue| self.explainer.program.queues.get(queue.index()))
            .is_none_or(|queue| queue.mode == QueueMode::Explicit)
    }
}

fn buffer_of(at: Where) -> Option<CommandBufferIndex> {
    match at {
        Where::Pass(buffer, ..)
        | Where::CommandBuffer(buffer, _)
        | Where::Instead(Locus::PassItem { buffer, .. } | Locus::Event { buffer, .. }) => Some(buffer),
        Where::BeforeStep(_) | Where::AfterStep(_) | Where::Instead(_) => None,
    }
}

/// A name as languages other than the text form take it.
fn identifier(name: &str) -> String {
    let letter = |letter: char| if letter.is_alphanumeric() { letter } else { '_' };
    let text: String = name.chars().map(letter).collect();
    if text.starts_with(|first: char| first.is_ascii_digit()) { format!("_{text}") } else { text }
}
