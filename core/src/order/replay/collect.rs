//! What an [`Order`](super::Order) keeps of a play: moments, items, and the nodes and names of every place.
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::OnceLock;

use smallvec::SmallVec;

use super::sites::numbers;
use super::{Item, Known, Moment, Played, Script, Watch};
use crate::program::{BufferItem, CommandBufferIndex, Locus, PassItem, Step};
use crate::{NodeId, Stages};

/// Looks on and notes everything.
#[derive(Debug)]
pub(super) struct Collector {
    pub(super) items: Vec<Item>,
    pub(super) nodes: Nodes,
    pub(super) moments: Vec<Moment>,
}

impl Collector {
    pub(super) fn new(script: Script<'_>) -> Self {
        Self { items: Vec::new(), nodes: Nodes::new(script), moments: Vec::new() }
    }
}

impl Watch for Collector {
    fn see(&mut self, script: Script<'_>, played: Played, _: &Known<'_>) {
        match played {
            Played::Step { number, node } => {
                self.nodes.add(Locus::Step(number), &[node]);
                self.moments.push(Moment::Step(number));
            }
            Played::Begin(buffer) => self.moments.push(Moment::Begin(buffer)),
            Played::Pass(buffer, pass) => self.moments.push(Moment::Pass(buffer, pass)),
            Played::Item { locus, first } => {
                let stages = match locus {
                    Locus::PassItem { buffer, pass, item } => {
                        let pass = script.program.pass(buffer, pass);
                        match pass.and_then(|pass| pass.items.get(item as usize)) {
                            Some(PassItem::Command(command)) => command.work.stages(),
                            _ => return,
                        }
                    }
                    _ => Stages::FRAGMENT,
                };
                let start = self.items.len();
                for (stage, node) in stages.iter_stages().zip(first.0..) {
                    self.items.push(Item { node: NodeId(node), locus, stage });
                }
                let nodes: SmallVec<[NodeId; 2]> = self.items[start..].iter().map(|item| item.node).collect();
                self.nodes.add(locus, &nodes);
            }
            Played::Event { locus, node } => {
                self.nodes.add(locus, node.as_slice());
                self.moments.push(Moment::Event(locus));
            }
            Played::End(buffer) => self.moments.push(Moment::End(buffer)),
        }
    }
}

/// The nodes of every place.
#[derive(Debug)]
pub(super) struct Nodes {
    all: Vec<NodeId>,
    /// By the number of a place, in document order: where its nodes stand in `all`, and how many there are.
    places: Vec<(u32, u32)>,
    /// The number of the first place of each command buffer's items, and of what comes next.
    starts: Vec<Vec<u32>>,
    first_step: u32,
}

impl Nodes {
    fn new(script: Script<'_>) -> Self {
        let mut next = 0;
        let mut starts = Vec::new();
        for body in &script.program.command_buffers {
            let start = |item: &BufferItem| {
                let start = next;
                next += numbers(item);
                start
            };
            let mut own: Vec<u32> = body.items.iter().map(start).collect();
            own.push(next);
            starts.push(own);
        }
        let steps = script.steps().count();
        Self { all: Vec::new(), places: vec![(0, 0); next as usize + steps], starts, first_step: next }
    }

    pub(super) fn of(&self, locus: Locus) -> &[NodeId] {
        let found = self.number(locus).and_then(|number| self.places.get(number));
        let (start, count) = found.copied().unwrap_or_default();
        &self.all[start as usize..(start + count) as usize]
    }

    /// Adds nodes to those that the place has.
    fn add(&mut self, locus: Locus, nodes: &[NodeId]) {
        let Some(number) = self.number(locus) else { return };
        let Some(&(start, count)) = self.places.get(number) else { return };
        let new = self.all.len() as u32;
        self.all.extend_from_within(start as usize..(start + count) as usize);
        self.all.extend_from_slice(nodes);
        self.places[number] = (new, count + nodes.len() as u32);
    }

    fn number(&self, locus: Locus) -> Option<usize> {
        let start = |buffer: usize, item: u32| self.starts.get(buffer)?.get(item as usize).copied();
        let number = match locus {
            Locus::PassItem { buffer, pass, item } => {
                let number = start(buffer.index(), pass)?.checked_add(item)?;
                (number + 1 < start(buffer.index(), pass + 1)?).then_some(number)?
            }
            Locus::Pass { buffer, pass } => start(buffer.index(), pass + 1)?.checked_sub(1)?,
            Locus::Event { buffer, item } => start(buffer.index(), item)?,
            Locus::Step(number) => self.first_step.checked_add(number)?,
        };
        Some(number as usize)
    }
}

/// The label paths of every place that was played. The table by name is made when the first name is asked for.
#[derive(Debug)]
pub(super) struct Paths {
    /// All paths, one after another, each with its command buffer in front.
    text: String,
    /// Where each begins, where it begins without the command buffer, and where it ends.
    places: Vec<(Locus, [u32; 3])>,
    table: OnceLock<HashMap<String, Vec<Locus>>>,
}

impl Paths {
    pub(super) fn of(script: Script<'_>, nodes: &Nodes) -> Self {
        let mut paths = Self { text: String::new(), places: Vec::new(), table: OnceLock::new() };
        for (body, number) in script.program.command_buffers.iter().zip(0..) {
            let buffer = CommandBufferIndex(number);
            for (item, place) in body.items.iter().zip(0..) {
                match item {
                    BufferItem::Event(operation) => {
                        let locus = Locus::Event { buffer, item: place };
                        let label = Label(operation.label.as_deref(), place);
                        paths.add(nodes, locus, "", format_args!("{}.{label}", body.label));
                    }
                    BufferItem::Pass(pass) => {
                        let own = Locus::Pass { buffer, pass: place };
                        paths.add(nodes, own, &body.label, format_args!("{}", pass.label));
                        for (item, index) in pass.items.iter().zip(0..) {
                            let PassItem::Command(command) = item else { continue };
                            let locus = Locus::PassItem { buffer, pass: place, item: index };
                            let path = format_args!("{}.{}", pass.label, command.label);
                            paths.add(nodes, locus, &body.label, path);
                        }
                    }
                }
            }
        }
        for (number, step) in script.steps() {
            let locus = Locus::Step(number);
            match step {
                Step::QueueEvent { operation, .. } if operation.label.is_some() => {
                    let label = operation.label.as_deref().unwrap_or_default();
                    paths.add(nodes, locus, "", format_args!("{label}"));
                }
                _ => paths.add(nodes, locus, "", format_args!("cpu.#{number}")),
            }
        }
        paths
    }

    /// The places that a path names, with its command buffer or without.
    pub(super) fn named(&self, path: &str) -> &[Locus] {
        let table = self.table.get_or_init(|| {
            let mut table: HashMap<String, Vec<Locus>> = HashMap::new();
            for &(locus, [start, short, end]) in &self.places {
                let [full, short] = [start, short].map(|start| &self.text[start as usize..end as usize]);
                if full != short {
                    table.entry(full.to_owned()).or_default().push(locus);
                }
                table.entry(short.to_owned()).or_default().push(locus);
            }
            table
        });
        table.get(path).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, nodes: &Nodes, locus: Locus, buffer: &str, path: std::fmt::Arguments<'_>) {
        if nodes.of(locus).is_empty() {
            return;
        }
        let start = self.text.len() as u32;
        if !buffer.is_empty() {
            self.text.push_str(buffer);
            self.text.push('.');
        }
        let short = self.text.len() as u32;
        // Writing to a string does not fail.
        let _ = self.text.write_fmt(path);
        self.places.push((locus, [start, short, self.text.len() as u32]));
    }
}

/// A label, or the place of what has none.
struct Label<'a>(Option<&'a str>, u32);

impl std::fmt::Display for Label<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(label) => out.write_str(label),
            None => write!(out, "#{}", self.1),
        }
    }
}
