//! What is played: a program, with its steps by number.
//!
//! In a document steps nest, since threads and notifications have bodies, and are numbered from front to back. What comes
//! in piece by piece does not nest, and a step's number is its place in the list.
use std::collections::HashSet;

use crate::program::{BufferItem, EventOperation, Locus, Program, QueueIndex, Step};

/// A program and its steps by number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script<'a> {
    pub(crate) program: &'a Program,
    /// The steps of a document; without it they do not nest.
    nested: Option<&'a [&'a Step]>,
    /// What is passed over as if it did not stand there.
    without: Option<&'a HashSet<Locus>>,
}

impl<'a> Script<'a> {
    /// A whole document; `steps` are all of its steps.
    pub(crate) const fn document(program: &'a Program, steps: &'a [&'a Step]) -> Self {
        Self { program, nested: Some(steps), without: None }
    }

    /// A program whose steps do not nest.
    pub(crate) const fn flat(program: &'a Program) -> Self {
        Self { program, nested: None, without: None }
    }

    /// The same without some of its synchronizations and steps; all other places keep their names.
    pub(crate) const fn without(self, places: &'a HashSet<Locus>) -> Self {
        Self { without: Some(places), ..self }
    }

    /// Whether a place is played.
    pub(crate) fn has(&self, locus: Locus) -> bool {
        self.without.is_none_or(|without| !without.contains(&locus))
    }

    /// A step by its number.
    pub(crate) fn step(&self, number: u32) -> Option<&'a Step> {
        match self.nested {
            Some(steps) => steps.get(number as usize).copied(),
            None => self.program.steps.get(number as usize),
        }
    }

    /// Every step with its number.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (u32, &'a Step)> + use<'a> {
        let script = *self;
        (0..).map_while(move |number| Some((number, script.step(number)?)))
    }

    /// The event operation at a place, in a command buffer or on a queue.
    pub(crate) fn operation(&self, locus: Locus) -> Option<&'a EventOperation> {
        match locus {
            Locus::Event { buffer, item } => {
                match self.program.command_buffers.get(buffer.index())?.items.get(item as usize)? {
                    BufferItem::Event(operation) => Some(operation),
                    BufferItem::Pass(_) => None,
                }
            }
            Locus::Step(number) => match self.step(number)? {
                Step::QueueEvent { operation, .. } => Some(operation),
                _ => None,
            },
            Locus::PassItem { .. } | Locus::Pass { .. } => None,
        }
    }

    /// The queue that an event operation stands on.
    pub(crate) fn queue_of(&self, locus: Locus) -> Option<QueueIndex> {
        match locus {
            Locus::Event { buffer, .. } | Locus::PassItem { buffer, .. } | Locus::Pass { buffer, .. } => {
                Some(self.program.command_buffers.get(buffer.index())?.queue)
            }
            Locus::Step(number) => match self.step(number)? {
                Step::QueueEvent { queue, .. } => Some(*queue),
                _ => None,
            },
        }
    }
}
