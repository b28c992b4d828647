//! When each node of the order can start and has ended, if everything starts as soon as it may.
//!
//! The order says nothing of a draw's vertices and its own fragments, which overlap. Fragments are made of vertices,
//! though, so a draw's fragments do not start before its vertices do.
use std::collections::{HashMap, HashSet};

use super::Time;
use crate::order::{Link, Order, Primitive};
use crate::program::{BufferItem, Locus, PassItem, Program, Step, Work};
use crate::{NodeId, Stage};

/// The times of a program's nodes, and how one leads to the next.
pub(super) struct Times<'a> {
    order: &'a Order,
    spans: HashMap<NodeId, (Time, Time)>,
    /// Nodes that stand for something: items, steps, signals. The others only collect.
    solid: HashSet<NodeId>,
}

impl<'a> Times<'a> {
    /// `cpu` says whether a thread takes time to touch memory.
    pub(super) fn of(program: &Program, order: &'a Order, cpu: bool) -> Self {
        let mut costs: HashMap<NodeId, Time> = HashMap::new();
        let mut vertices: HashMap<NodeId, NodeId> = HashMap::new();
        for item in order.items() {
            costs.insert(item.node, cost(program, item.locus));
            if let (Stage::Fragment, [vertex, fragment]) = (item.stage, order.nodes(item.locus)) {
                vertices.insert(*fragment, *vertex);
            }
        }
        let mut solid: HashSet<NodeId> = costs.keys().copied().collect();
        for (step, number) in program.all_steps().into_iter().zip(0..) {
            for node in order.nodes(Locus::Step(number)) {
                solid.insert(*node);
                if cpu && matches!(step, Step::Write(_) | Step::Read(_)) {
                    costs.insert(*node, 1);
                }
            }
        }
        for (body, number) in program.command_buffers.iter().zip(0..) {
            for (item, place) in body.items.iter().zip(0..) {
                if matches!(item, BufferItem::Event(_)) {
                    let buffer = crate::program::CommandBufferIndex(number);
                    solid.extend(order.nodes(Locus::Event { buffer, item: place }));
                }
            }
        }
        let mut spans: HashMap<NodeId, (Time, Time)> = HashMap::new();
        for node in &order.plan().nodes {
            let ends = order.plan().predecessors_of(node).iter();
            let mut start = ends.filter_map(|before| spans.get(before)).map(|span| span.1).max().unwrap_or(0);
            if let Some(vertices) = vertices.get(&node.id).and_then(|vertex| spans.get(vertex)) {
                start = start.max(vertices.0);
            }
            let cost = costs.get(&node.id).copied().unwrap_or(0);
            spans.insert(node.id, (start, start.saturating_add(cost)));
        }
        Self { order, spans, solid }
    }

    pub(super) fn start(&self, node: NodeId) -> Time {
        self.spans.get(&node).map_or(0, |span| span.0)
    }

    pub(super) fn end(&self, node: NodeId) -> Time {
        self.spans.get(&node).map_or(0, |span| span.1)
    }

    /// The primitives that hold a node directly, each with what it passes on. What only collects is looked through.
    pub(super) fn held_by(&self, node: NodeId) -> Vec<(Link, NodeId)> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            for (before, link) in self.order.links(node) {
                match link {
                    Some(link) => found.push((link, before)),
                    None if !self.solid.contains(&before) && seen.insert(before) => open.push(before),
                    None => {}
                }
            }
        }
        found.reverse();
        found
    }

    /// What stands behind a node that may only collect and ends no earlier than `least`: items, steps and signals, and the
    /// primitives on the way.
    pub(super) fn behind(&self, node: NodeId, least: Time) -> (Vec<NodeId>, Vec<Link>) {
        let (mut nodes, mut links) = (Vec::new(), Vec::new());
        let mut seen = HashSet::from([node]);
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            if self.solid.contains(&node) {
                nodes.push(node);
                continue;
            }
            for (before, link) in self.order.links(node) {
                if self.end(before) < least {
                    continue;
                }
                links.extend(link);
                if seen.insert(before) {
                    open.push(before);
                }
            }
        }
        nodes.sort_unstable();
        (nodes, links)
    }

    /// Nodes whose end the waits for events wait for, by the place of the wait.
    pub(super) fn event_waits(&self) -> HashMap<Locus, (Time, Vec<NodeId>)> {
        let mut waits: HashMap<Locus, (Time, Vec<NodeId>)> = HashMap::new();
        for node in &self.order.plan().nodes {
            for (before, link) in self.order.links(node.id) {
                let Some(link) = link.filter(|link| link.primitive == Primitive::EventWait) else { continue };
                let Some(locus) = self.order.locus(link.site) else { continue };
                let wait = waits.entry(locus).or_default();
                wait.0 = wait.0.max(self.end(before));
                wait.1.push(before);
            }
        }
        waits
    }

    /// Every place that gives any order, when what it waits for has ended, and what that is.
    pub(super) fn releases(&self) -> HashMap<Locus, (Time, Vec<NodeId>)> {
        let mut releases: HashMap<Locus, (Time, Vec<NodeId>)> = HashMap::new();
        // Only what leads to something that stands for something gives order.
        let mut useful = self.solid.clone();
        for node in self.order.plan().nodes.iter().rev() {
            if !useful.contains(&node.id) {
                continue;
            }
            useful.extend(self.order.links(node.id).map(|(before, _)| before));
            for (before, link) in self.order.links(node.id) {
                let Some(locus) = link.and_then(|link| self.order.locus(link.site)) else { continue };
                let release = releases.entry(locus).or_default();
                release.0 = release.0.max(self.end(before));
                release.1.push(before);
            }
        }
        releases
    }
}

/// What a command costs in each of its stages.
pub(super) fn cost(program: &Program, locus: Locus) -> Time {
    let Locus::PassItem { buffer, pass, item } = locus else {
        return Time::from(matches!(locus, Locus::Pass { .. }));
    };
    match program.pass(buffer, pass).and_then(|pass| pass.items.get(item as usize)) {
        Some(PassItem::Command(command)) => match command.work {
            Work::Dispatch { cost, .. } => Time::from(cost.max(1)),
            _ => 1,
        },
        _ => 0,
    }
}
