//! The order of a program as a graph for Graphviz: what follows what, and by which primitive.
//!
//! Only direct edges are drawn. What only collects (everything before a barrier, say) is a point, so that a barrier between
//! ten and ten is twenty edges. A finding is a red edge that does not move anything.
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use super::escape::dot as quoted;
use crate::explain::Explainer;
use crate::order::{Link, Order, Primitive};
use crate::program::{BufferItem, CommandBufferIndex, Locus, Program, QueueIndex, Step};
use crate::validate::{Finding, Kind, Spot};
use crate::{NodeId, Stage};

/// The order of a program as a digraph. `order` and `findings` must be the program's own.
///
/// ```
/// use fencepost_core::draw::dot;
/// use fencepost_core::program::{Program, QueueMode};
/// use fencepost_core::{Order, Stages};
///
/// let mut p = Program::builder();
/// let q = p.queue("q", QueueMode::Explicit);
/// let [a, b] = ["A", "B"].map(|name| p.buffer(name, 64));
/// let cb = p.command_buffer("cb", q, |items| {
///     items.compute("P", |pass| {
///         pass.copy("c", a, b).barrier(Stages::BLIT, Stages::DISPATCH).dispatch("k", [b], [a]);
///     });
/// });
/// p.steps().commit([cb]);
/// let program = p.build();
/// let graph = dot(&program, &Order::of(&program)?, &[], "two");
/// assert!(graph.contains("n1 -> n2 [label=\"P.#1\"]"));
/// # Ok::<(), fencepost_core::program::UnknownName>(())
/// ```
pub fn dot(program: &Program, order: &Order, findings: &[Finding], title: &str) -> String {
    let graph = Graph::of(program, order);
    let mut out = format!(
        "digraph {} {{\n  rankdir=LR;\n  compound=true;\n  node [shape=box, style=rounded, fontname=\"monospace\"];\n  \
         edge [fontname=\"monospace\", fontsize=10];\n",
        quoted(title)
    );
    graph.steps(&mut out);
    for (queue, number) in program.queues.iter().zip(0..) {
        // Writing to a string does not fail.
        let _ = writeln!(out, "  subgraph cluster_q{number} {{\n    label={};", quoted(&queue.name));
        graph.passes(QueueIndex(number), &mut out);
        out.push_str("  }\n");
    }
    graph.edges(&mut out);
    graph.findings(findings, &mut out);
    out.push_str("}\n");
    out
}

struct Graph<'a> {
    program: &'a Program,
    order: &'a Order,
    explainer: Explainer<'a>,
    /// Nodes that stand for something.
    named: BTreeMap<NodeId, (Locus, Option<Stage>)>,
}

impl<'a> Graph<'a> {
    fn of(program: &'a Program, order: &'a Order) -> Self {
        let mut named = BTreeMap::new();
        for item in order.items() {
            named.insert(item.node, (item.locus, Some(item.stage)));
        }
        for (number, step) in program.all_steps().into_iter().enumerate() {
            // The end of a wait for completion that nothing follows is still a step.
            let locus = Locus::Step(number as u32);
            if let (Some(node), false) = (order.nodes(locus).first(), matches!(step, Step::QueueEvent { .. }))
            {
                named.insert(*node, (locus, None));
            }
            if let (Some(node), true) = (order.nodes(locus).last(), matches!(step, Step::QueueEvent { .. })) {
                named.insert(*node, (locus, None));
            }
        }
        for (body, number) in program.command_buffers.iter().zip(0..) {
            for item in 0..body.items.len() as u32 {
                let locus = Locus::Event { buffer: CommandBufferIndex(number), item };
                for node in order.nodes(locus) {
                    named.insert(*node, (locus, None));
                }
            }
        }
        Self { program, order, explainer: Explainer::of(program), named }
    }

    fn steps(&self, out: &mut String) {
        for (node, (locus, _)) in &self.named {
            if let Locus::Step(_) = locus {
                let label = self.explainer.path(Spot::At(*locus));
                let _ = writeln!(out, "  n{} [label={}, shape=ellipse];", node.0, quoted(&label));
            }
        }
    }

    fn passes(&self, queue: QueueIndex, out: &mut String) {
        for (body, number) in self.program.command_buffers.iter().zip(0..) {
            if body.queue != queue {
                continue;
            }
            let buffer = CommandBufferIndex(number);
            for (item, place) in body.items.iter().zip(0..) {
                match item {
                    BufferItem::Pass(pass) => {
                        let _ = writeln!(out, "    subgraph cluster_p{number}_{place} {{");
                        let _ = writeln!(out, "      label={};", quoted(&pass.label));
                        self.items(out, |locus| {
                            matches!(locus, Locus::PassItem { buffer: own, pass, .. } if own == buffer && pass == place)
                        });
                        out.push_str("    }\n");
                    }
                    BufferItem::Event(_) => {
                        self.items(out, |locus| locus == Locus::Event { buffer, item: place });
                    }
                }
            }
        }
    }

    fn items(&self, out: &mut String, own: impl Fn(Locus) -> bool) {
        for (node, (locus, of)) in self.named.iter().filter(|(_, (locus, _))| own(*locus)) {
            let path = self.explainer.path(Spot::At(*locus));
            let label = match of {
                Some(of) => format!("{path}\n{}", of.name()),
                None => path,
            };
            let _ = writeln!(out, "      n{} [label={}];", node.0, quoted(&label));
        }
    }

    /// Points and edges, from those that stand for something backwards.
    fn edges(&self, out: &mut String) {
        let mut points: HashSet<NodeId> = HashSet::new();
        let mut lines = Vec::new();
        for node in self.order.plan().nodes.iter().rev() {
            if !self.named.contains_key(&node.id) && !points.contains(&node.id) {
                continue;
            }
            for (before, label) in self.before(node.id) {
                if !self.named.contains_key(&before) {
                    points.insert(before);
                }
                let label = label.map_or_else(String::new, |label| format!(" [label={}]", quoted(&label)));
                lines.push(format!("  n{} -> n{}{label};\n", before.0, node.id.0));
            }
        }
        let mut points: Vec<NodeId> = points.into_iter().collect();
        points.sort_unstable();
        for node in points {
            let _ = writeln!(out, "  n{} [shape=point, label=\"\"];", node.0);
        }
        lines.iter().rev().for_each(|line| out.push_str(line));
    }

    /// What a node follows directly; a point that collects one thing only is passed over.
    fn before(&self, node: NodeId) -> BTreeMap<NodeId, Option<String>> {
        let mut found: BTreeMap<NodeId, Option<String>> = BTreeMap::new();
        for (before, link) in self.order.links(node) {
            let (mut before, mut label) = (before, link.map(|link| self.label(link)));
            while !self.named.contains_key(&before) {
                let mut behind = self.order.links(before);
                let (Some((only, link)), None) = (behind.next(), behind.next()) else { break };
                label = label.or_else(|| link.map(|link| self.label(link)));
                before = only;
            }
            let known = found.entry(before).or_default();
            *known = known.take().or(label);
        }
        let all: Vec<NodeId> = found.keys().copied().collect();
        found.retain(|before, _| !all.iter().any(|other| self.order.ordered(*before, *other)));
        found
    }

    fn label(&self, link: Link) -> String {
        match link.primitive {
            Primitive::SerialPass => return "serial".to_owned(),
            Primitive::HazardTracking => return "tracking".to_owned(),
            Primitive::Cpu => return "cpu".to_owned(),
            _ => {}
        }
        self.order.locus(link.site).map_or_else(String::new, |locus| self.explainer.path(Spot::At(locus)))
    }

    fn findings(&self, findings: &[Finding], out: &mut String) {
        let node = |spot: Option<Spot>, of: Option<Stage>| match spot? {
            Spot::At(locus) => {
                let found = self.named.iter().find(|(_, named)| **named == (locus, of));
                found.or_else(|| self.named.iter().find(|(_, named)| named.0 == locus)).map(|(node, _)| *node)
            }
            _ => None,
        };
        for finding in findings {
            let (first, second) = match &finding.kind {
                Kind::Race(clash) | Kind::Stale(clash) => (clash.first.stage, clash.second.stage),
                _ => (None, None),
            };
            let ends = (node(finding.first, first), node(finding.second, second));
            let (Some(from), Some(to)) = ends else { continue };
            let resource = finding.resource.map_or("", |resource| self.explainer.resource(resource));
            let label = format!("{} {resource}", finding.code());
            let _ = writeln!(
                out,
                "  n{} -> n{} [label={}, color=red, fontcolor=red, style=dashed, constraint=false];",
                from.0,
                to.0,
                quoted(label.trim_end())
            );
        }
    }
}
