//! Numbers for places: the sites that links carry, and what they stand for.
//!
//! A number is 32 bits wide and there is one for every item, so numbers are handed out by the run: one run for a command
//! buffer, one for a step. A run that is given back is free for others, so numbers never end.
use std::collections::BTreeMap;

use crate::Site;
use crate::program::{BufferItem, CommandBuffer, CommandBufferIndex, Locus};

/// Which number stands for which place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sites {
    /// By first number.
    runs: BTreeMap<u32, Run>,
    next: u32,
}

#[derive(Clone, Debug)]
struct Run {
    length: u32,
    of: Of,
}

#[derive(Clone, Debug)]
enum Of {
    Step(u32),
    /// The places of its items, each with whether it is a pass and where its numbers begin.
    Buffer(CommandBufferIndex, Box<[(u32, bool)]>),
}

impl Sites {
    /// Numbers for everything in a command buffer; the first of them.
    pub(crate) fn add_buffer(&mut self, index: CommandBufferIndex, body: &CommandBuffer) -> u32 {
        let mut length = 0;
        let start = |item: &BufferItem| {
            let start = length;
            length += numbers(item);
            (start, matches!(item, BufferItem::Pass(_)))
        };
        let starts = body.items.iter().map(start).collect();
        self.add(length, Of::Buffer(index, starts))
    }

    /// A number for a step.
    pub(crate) fn add_step(&mut self, number: u32) -> u32 {
        self.add(1, Of::Step(number))
    }

    /// What a number stands for.
    pub(crate) fn locus(&self, site: Site) -> Option<Locus> {
        let (first, run) = self.runs.range(..=site.0).next_back()?;
        let offset = site.0.checked_sub(*first).filter(|offset| *offset < run.length)?;
        match &run.of {
            Of::Step(number) => Some(Locus::Step(*number)),
            Of::Buffer(buffer, starts) => {
                let place = starts.partition_point(|(start, _)| *start <= offset).checked_sub(1)?;
                let (start, is_pass) = starts[place];
                let (buffer, place) = (*buffer, place as u32);
                let end = starts.get(place as usize + 1).map_or(run.length, |(start, _)| *start);
                Some(match is_pass {
                    false => Locus::Event { buffer, item: place },
                    true if offset + 1 == end => Locus::Pass { buffer, pass: place },
                    true => Locus::PassItem { buffer, pass: place, item: offset - start },
                })
            }
        }
    }

    /// Keeps the numbers of these places alone.
    pub(crate) fn retain(&mut self, buffer: impl Fn(CommandBufferIndex) -> bool, step: impl Fn(u32) -> bool) {
        self.runs.retain(|_, run| match run.of {
            Of::Step(number) => step(number),
            Of::Buffer(index, _) => buffer(index),
        });
    }

    /// How many runs it holds.
    pub(crate) fn records(&self) -> usize {
        self.runs.len()
    }

    fn add(&mut self, length: u32, of: Of) -> u32 {
        let mut first = self.next;
        if length == 0 {
            return first;
        }
        loop {
            let Some(end) = first.checked_add(length) else {
                first = 0;
                continue;
            };
            let before = self.runs.range(..end).next_back();
            match before.map(|(start, run)| start + run.length) {
                Some(taken) if taken > first => first = taken,
                _ => break,
            }
        }
        self.runs.insert(first, Run { length, of });
        self.next = first + length;
        first
    }
}

/// How many places an item has. The last one of a pass is the pass itself.
pub(crate) fn numbers(item: &BufferItem) -> u32 {
    match item {
        BufferItem::Event(_) => 1,
        BufferItem::Pass(pass) => pass.items.len() as u32 + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_round_and_miss_what_is_taken() {
        let mut sites = Sites { next: u32::MAX - 1, ..Sites::default() };
        assert_eq!(sites.add_step(7), u32::MAX - 1);
        assert_eq!(sites.add_step(8), 0, "the last number is never given: it has no end");
        sites.next = u32::MAX - 1;
        assert_eq!(sites.add_step(9), 1);
        assert_eq!(sites.locus(Site(u32::MAX - 1)), Some(Locus::Step(7)));
        assert_eq!(sites.locus(Site(0)), Some(Locus::Step(8)));
        assert_eq!(sites.locus(Site(2)), None);
        sites.retain(|_| true, |number| number != 8);
        assert_eq!(sites.locus(Site(0)), None);
        assert_eq!(sites.records(), 2);
    }
}
