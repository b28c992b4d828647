//! The order of a whole program, judged without running it.
//!
//! The document is played once: CPU threads in document order, each as far as it can; queues as soon as something
//! is committed to them, each in its own order, up to an event wait whose value has not been reached. What is played
//! goes into an [`Engine`], so a device that hands work over in the same order builds the same graph.
//!
//! **Values are not order.** Where one signal can release a wait, the wait follows it. Where several can, on different
//! queues or threads, any of them may have come first, so the wait follows only what is before *every* one of them. A
//! signal that itself comes after the wait takes nothing away from that: it could not have come first. This makes the
//! order its own definition: what is before a wait depends on what is before its signals, which may follow other
//! waits. The play therefore starts from the signals that were there when the wait was passed, and repeats with
//! what all signals of the play allow until nothing changes; each round orders less, so it ends, and what remains is
//! exactly what holds in every execution.
//!
//! **Stuck waits.** When nothing can go on, what still waits is reported, and nothing behind it is played.
mod collect;
mod grow;
mod known;
mod machine;
mod pass;
mod script;
mod sites;

use std::collections::HashSet;

use super::Engine;
use super::clock::Clocks;
use super::link::Link;
use super::why::Hop;
use crate::plan::Plan;
use crate::program::{
    CommandBufferIndex, EventOperationKind, Locus, Program, ResourceIndex, UnknownName, split_stage,
};
use crate::{NodeId, Site, Stage};
use collect::{Collector, Nodes, Paths};
use machine::Resolved;

pub(crate) use known::{Known, Played, Watch};
pub(crate) use machine::Machine;
pub(crate) use pass::is_serial;
pub(crate) use script::Script;

/// Happens-before and visibility among all that a program does.
///
/// ```
/// use fencepost_core::program::{Program, QueueMode};
/// use fencepost_core::{Order, Stages};
///
/// let mut p = Program::builder();
/// let q = p.queue("q", QueueMode::Explicit);
/// let [a, b] = ["A", "B"].map(|name| p.buffer(name, 64));
/// let cb = p.command_buffer("cb", q, |items| {
///     items.compute("P1", |pass| { pass.copy("c1", a, b); });
///     items.compute("P2", |pass| {
///         pass.consumer_barrier(Stages::BLIT, Stages::DISPATCH);
///         pass.dispatch("k2", [b], [b]);
///         pass.copy("c2", b, a);
///     });
/// });
/// p.steps().commit([cb]);
/// let order = Order::of(&p.build()).unwrap();
/// assert!(order.is_ordered("P1.c1", "P2.k2"));
/// assert!(order.is_unordered("P1.c1", "P2.c2"));
/// ```
#[derive(Debug)]
pub struct Order {
    machine: Machine,
    plan: Plan,
    items: Vec<Item>,
    nodes: Nodes,
    paths: Paths,
    moments: Vec<Moment>,
    stuck: Vec<Locus>,
}

/// A work item of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Item {
    /// Its node.
    pub node: NodeId,
    /// Its command.
    pub locus: Locus,
    /// Its stage.
    pub stage: Stage,
}

/// Something that the play did, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// A thread did this step.
    Step(u32),
    /// A queue came to this command buffer.
    Begin(CommandBufferIndex),
    /// A queue released this pass.
    Pass(CommandBufferIndex, u32),
    /// A queue came past this event operation, in a command buffer or on the queue.
    Event(Locus),
    /// A queue came to the end of this command buffer.
    End(CommandBufferIndex),
}

impl Order {
    /// Plays a program.
    ///
    /// # Errors
    /// The program names something that it does not declare.
    pub fn of(program: &Program) -> Result<Self, UnknownName> {
        Self::without(program, &HashSet::new())
    }

    /// Plays a program as if these synchronizations and steps did not stand there. All other places keep their names, so
    /// that the answer can be compared with that of the whole program.
    ///
    /// ```
    /// use std::collections::HashSet;
    /// use fencepost_core::program::{Program, QueueMode};
    /// use fencepost_core::{Order, Stages};
    ///
    /// let mut p = Program::builder();
    /// let q = p.queue("q", QueueMode::Explicit);
    /// let [a, b] = ["A", "B"].map(|name| p.buffer(name, 64));
    /// let cb = p.command_buffer("cb", q, |items| {
    ///     items.compute("P", |pass| {
    ///         pass.copy("c", a, b);
    ///         pass.barrier(Stages::BLIT, Stages::DISPATCH);
    ///         pass.dispatch("k", [b], [b]);
    ///     });
    /// });
    /// p.steps().commit([cb]);
    /// let program = p.build();
    /// let barrier = HashSet::from_iter(program.locate("P.#1"));
    /// assert!(Order::of(&program)?.is_ordered("P.c", "P.k"));
    /// assert!(Order::without(&program, &barrier)?.is_unordered("P.c", "P.k"));
    /// # Ok::<(), fencepost_core::program::UnknownName>(())
    /// ```
    ///
    /// # Errors
    /// The program names something that it does not declare.
    pub fn without(program: &Program, without: &HashSet<Locus>) -> Result<Self, UnknownName> {
        program.check_names()?;
        let steps = program.all_steps();
        let script = Script::document(program, &steps).without(without);
        let (mut machine, seen) = play_document(script, Engine::with_clocks, || Collector::new(script));
        let mut plan = Plan::default();
        machine.engine.take_plan(&mut plan);
        let Collector { items, nodes, moments } = seen;
        let (paths, stuck) = (Paths::of(script, &nodes), machine.stuck(script));
        Ok(Self { machine, plan, items, nodes, paths, moments, stuck })
    }

    /// Whether `first` must have ended before `second` starts.
    pub fn ordered(&self, first: NodeId, second: NodeId) -> bool {
        self.clocks().is_some_and(|clocks| clocks.ordered(first, second))
    }

    /// Whether `first` is before `second` and all it writes is visible there, whatever kind of resource it is.
    pub fn visible(&self, first: NodeId, second: NodeId) -> bool {
        self.clocks().is_some_and(|clocks| clocks.visible(first, second))
    }

    /// Whether `first` is before `second` and what it writes to one resource is visible there.
    pub fn visible_to(&self, first: NodeId, second: NodeId, resource: ResourceIndex) -> bool {
        let resource = self.machine.names.resources.get(resource.index());
        resource.is_some_and(|resource| self.machine.engine.visible_to(first, second, *resource))
    }

    /// A shortest chain of primitives from `first` to `second`; [`locus`](Self::locus) says where each stands.
    pub fn why(&self, first: NodeId, second: NodeId) -> Option<Vec<Hop>> {
        self.clocks()?.why(first, second)
    }

    /// What a node follows directly, each with the primitive that says so; nothing for a node that only collects.
    pub fn links(&self, node: NodeId) -> impl Iterator<Item = (NodeId, Option<Link>)> + '_ {
        self.clocks().into_iter().flat_map(move |clocks| clocks.links(node))
    }

    /// Where the primitive of a hop stands. For a serial pass and for hazard tracking: the later command.
    pub fn locus(&self, site: Site) -> Option<Locus> {
        self.known().locus(site)
    }

    /// Every work item that was released, in release order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The nodes at a place: the items of a command in order of their stages, the node of a step, the signal of an
    /// event operation. Nothing for what was never released.
    pub fn nodes(&self, locus: Locus) -> &[NodeId] {
        self.nodes.of(locus)
    }

    /// The nodes that a label path names; see [`Program::locate`]. A path with a stage behind it, `PASS.LABEL:stage`, names
    /// that one item of a command.
    pub fn named(&self, path: &str) -> Vec<NodeId> {
        let loci = self.paths.named(path);
        if !loci.is_empty() {
            return loci.iter().flat_map(|locus| self.nodes(*locus)).copied().collect();
        }
        let Some((place, stage)) = split_stage(path) else { return Vec::new() };
        let loci = self.paths.named(place);
        let named = |item: &&Item| item.stage == stage && loci.contains(&item.locus);
        self.items.iter().filter(named).map(|item| item.node).collect()
    }

    /// Whether everything that the first label path names is before everything that the second names. `false` where one
    /// of them names nothing.
    pub fn is_ordered(&self, first: &str, second: &str) -> bool {
        let (first, second) = (self.named(first), self.named(second));
        let all = |a: &NodeId| second.iter().all(|b| self.ordered(*a, *b));
        !first.is_empty() && !second.is_empty() && first.iter().all(all)
    }

    /// Whether nothing that one label path names is before anything that the other names. `false` where one of
    /// them names nothing.
    pub fn is_unordered(&self, first: &str, second: &str) -> bool {
        let (first, second) = (self.named(first), self.named(second));
        let none = |a: &NodeId| second.iter().all(|b| !self.ordered(*a, *b) && !self.ordered(*b, *a));
        !first.is_empty() && !second.is_empty() && first.iter().all(none)
    }

    /// Waits that nothing will release, of queues and of the CPU. What stands behind them was not played.
    pub fn stuck(&self) -> &[Locus] {
        &self.stuck
    }

    /// What was played, in order: a legal execution of the program, and the release order of its work.
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// The whole graph, transitive edges left out.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Tells again what was played, in its order.
    pub(crate) fn replay(&self, script: Script<'_>, mut tell: impl FnMut(Played)) {
        for moment in &self.moments {
            match *moment {
                Moment::Step(number) => {
                    let node = self.nodes(Locus::Step(number)).first().copied();
                    node.into_iter().for_each(|node| tell(Played::Step { number, node }));
                }
                Moment::Begin(buffer) => tell(Played::Begin(buffer)),
                Moment::Pass(buffer, pass) => {
                    tell(Played::Pass(buffer, pass));
                    self.replay_pass(script, buffer, pass, &mut tell);
                }
                Moment::Event(locus) => {
                    // A signal's node comes after that of the call that put it on the queue.
                    let signal = script.operation(locus).filter(|own| own.kind == EventOperationKind::Signal);
                    let node = signal.and_then(|_| self.nodes(locus).last().copied());
                    tell(Played::Event { locus, node });
                }
                Moment::End(buffer) => tell(Played::End(buffer)),
            }
        }
    }

    fn replay_pass(
        &self,
        script: Script<'_>,
        buffer: CommandBufferIndex,
        pass: u32,
        tell: &mut impl FnMut(Played),
    ) {
        let Some(body) = script.program.pass(buffer, pass) else { return };
        let mut item = |locus: Locus| {
            self.nodes(locus).first().into_iter().for_each(|&first| tell(Played::Item { locus, first }));
        };
        let alone = body.attachments_at();
        for place in 0..=body.items.len() as u32 {
            if alone == Some(place) {
                item(Locus::Pass { buffer, pass });
            }
            item(Locus::PassItem { buffer, pass, item: place });
        }
    }

    /// All that the play knows.
    pub(crate) fn known(&self) -> Known<'_> {
        self.machine.known()
    }

    fn clocks(&self) -> Option<&Clocks> {
        self.machine.engine.clocks()
    }
}

/// Plays a document until its waits follow no more than they must, with a fresh watch for every round. The last machine
/// and its watch.
pub(crate) fn play_document<W: Watch>(
    script: Script<'_>,
    engine: impl Fn() -> Engine,
    watch: impl Fn() -> W,
) -> (Machine, W) {
    let mut resolved = Resolved::default();
    if engine().is_for_judging() {
        // Nearly always one round is enough, and one round is all that such an engine can do.
        let (mut machine, mut watch) =
            (Machine::for_document(script, Engine::for_judging_once(), Resolved::default()), watch());
        machine.play(script, &mut watch);
        if machine.narrowed().is_none() {
            return (machine, watch);
        }
    }
    loop {
        let (mut machine, mut watch) = (Machine::for_document(script, engine(), resolved), watch());
        machine.play(script, &mut watch);
        match machine.narrowed() {
            Some(narrower) => resolved = narrower,
            None => return (machine, watch),
        }
    }
}
