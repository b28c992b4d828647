//! The judge of what was emitted: it takes steps as a driver does, and looks for edges of the graph that nothing enforces.
//!
//! It shares nothing with the planner. A *clock* says, for each lane and stage, up to which step of it something is behind; what a driver
//! guarantees moves clocks and nothing else does: a barrier hands what the stages in front of it are behind to the stages after it, a
//! timeline carries the clock of a whole lane to whoever waits for the point. An empty barrier chain carries nothing, since drivers
//! promise chains only through work.
use std::collections::{BTreeMap, HashMap};

use thiserror::Error;

use super::{Emitted, Kind, Segment, Step, Unit};
use crate::{NodeId, Stage, Stages};

/// An edge of the graph that the steps do not enforce.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unenforced {
    /// Work may start before its predecessor has ended, or without seeing what it wrote.
    #[error("node {} on lane {lane} is not behind its predecessor {}: no barrier or timeline wait lies between", .node.0, .predecessor.0)]
    Edge {
        /// The later one.
        node: NodeId,
        /// What it must be behind; work that a gate may stand in front of.
        predecessor: NodeId,
        /// The lane of the later one.
        lane: u32,
    },
    /// Work was placed and never run.
    #[error("node {} was placed and is in no segment", .0.0)]
    Lost(NodeId),
    /// A step runs what was not placed, or runs it twice.
    #[error("a segment of lane {lane} runs tag {tag}, which was not placed or has run")]
    Unknown {
        /// The lane.
        lane: u32,
        /// The unit's tag.
        tag: u32,
    },
    /// A segment waits for a point of a lane that no earlier segment raises.
    #[error("a segment of lane {lane} waits for point {} of lane {}, which nothing submitted before it raises", .wait.1, .wait.0)]
    Ahead {
        /// The lane that waits.
        lane: u32,
        /// Lane and point.
        wait: (u32, u64),
    },
}

/// Replays segments and judges them. One for all lanes of a device.
#[derive(Debug)]
pub struct Enforced {
    lanes: Vec<Lane>,
    nodes: BTreeMap<NodeId, Node>,
    /// What units placed since the last check are, by the tag that a step names.
    tags: HashMap<u32, Vec<NodeId>>,
}

#[derive(Debug)]
struct Node {
    predecessors: Vec<NodeId>,
    stage: Option<Stage>,
    /// Work that it stands for.
    marks: Vec<Mark>,
}

/// A step of a lane in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    node: NodeId,
    lane: usize,
    stage: Stage,
    step: u64,
}

#[derive(Debug)]
struct Lane {
    steps: u64,
    /// What later work of a stage is behind.
    front: Vec<Clock>,
    /// What is behind a barrier that waits for a stage.
    done: Vec<Clock>,
    /// The host has seen it.
    complete: u64,
    /// Clocks of points, from the latest one on that was complete at the last check.
    points: BTreeMap<u64, Clock>,
}

/// Steps by lane and stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Clock(Vec<u64>);

impl Clock {
    fn join(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine = (*mine).max(*theirs));
    }

    fn reach(&mut self, lane: usize, stage: Stage, step: u64) {
        let place = lane * Stage::COUNT + stage.index();
        if self.0.len() <= place {
            self.0.resize(place + 1, 0);
        }
        self.0[place] = self.0[place].max(step);
    }

    fn has(&self, mark: &Mark) -> bool {
        self.0.get(mark.lane * Stage::COUNT + mark.stage.index()).is_some_and(|step| *step >= mark.step)
    }
}

impl Enforced {
    /// A judge of so many lanes.
    pub fn new(lanes: u32) -> Self {
        let clocks = || vec![Clock::default(); Stage::COUNT];
        let lane =
            || Lane { steps: 0, front: clocks(), done: clocks(), complete: 0, points: BTreeMap::new() };
        Self { lanes: (0..lanes).map(|_| lane()).collect(), nodes: BTreeMap::new(), tags: HashMap::new() }
    }

    /// A unit as it was placed.
    pub fn note(&mut self, unit: &Unit<'_>) {
        self.note_together(std::slice::from_ref(unit));
    }

    /// Units as they were placed together.
    pub fn note_together(&mut self, units: &[Unit<'_>]) {
        let mut named = None;
        for unit in units {
            let stage = match unit.kind {
                Kind::Work(stage) => Some(stage),
                Kind::Gate | Kind::Point => None,
            };
            if stage.is_some() {
                self.tags.entry(*named.get_or_insert(unit.tag)).or_default().push(unit.node);
            } else {
                named = None;
            }
            let predecessors = unit.predecessors.to_vec();
            self.nodes.insert(unit.node, Node { predecessors, stage, marks: Vec::new() });
        }
    }

    /// Judges what came of all units noted since the last call.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&mut self, emitted: &Emitted) -> Result<(), Unenforced> {
        let runs = self.number(emitted)?;
        self.resolve();
        let mut runs = runs.into_iter();
        for segment in &emitted.segments {
            self.replay(segment, emitted.steps_of(segment), &mut runs)?;
        }
        // Now, and not before: what was placed since the last check may wait for what was complete then.
        for lane in &mut self.lanes {
            lane.points = lane.points.split_off(&lane.complete);
        }
        Ok(())
    }

    /// The host has seen a lane's timeline at a point: what is placed later waits for no earlier one.
    pub fn completed(&mut self, lane: u32, point: u64) {
        if let Some(lane) = self.lanes.get_mut(lane as usize) {
            lane.complete = lane.complete.max(point);
        }
    }

    /// Nodes below this one have ended, and no later unit names one of them.
    pub fn retire(&mut self, below: NodeId) {
        self.nodes = self.nodes.split_off(&below);
    }

    /// Gives every run its place on its lane: what each run step runs, in order.
    fn number(&mut self, emitted: &Emitted) -> Result<Vec<Vec<NodeId>>, Unenforced> {
        let mut tags = std::mem::take(&mut self.tags);
        let mut runs = Vec::new();
        for segment in &emitted.segments {
            let lane = segment.lane as usize;
            for step in emitted.steps_of(segment) {
                let Step::Run(tag) = step else { continue };
                let unknown = Unenforced::Unknown { lane: segment.lane, tag: *tag };
                let nodes = tags.remove(tag).ok_or_else(|| unknown.clone())?;
                let own = self.lanes.get_mut(lane).ok_or(unknown)?;
                own.steps += 1;
                for name in &nodes {
                    if let Some(node) = self.nodes.get_mut(name)
                        && let Some(stage) = node.stage
                    {
                        node.marks.push(Mark { node: *name, lane, stage, step: own.steps });
                    }
                }
                runs.push(nodes);
            }
        }
        // Those of a unit that was left out.
        match tags.into_values().flatten().min() {
            Some(lost) => Err(Unenforced::Lost(lost)),
            None => Ok(runs),
        }
    }

    /// What gates stand for. Predecessors are earlier nodes, so one pass in order is enough.
    fn resolve(&mut self) {
        let gates: Vec<_> =
            self.nodes.iter().filter(|(_, node)| node.stage.is_none() && node.marks.is_empty()).collect();
        let gates: Vec<_> =
            gates.into_iter().map(|(name, node)| (*name, node.predecessors.clone())).collect();
        for (name, predecessors) in gates {
            let mut marks: Vec<Mark> = Vec::new();
            for mark in
                predecessors.iter().filter_map(|name| self.nodes.get(name)).flat_map(|node| &node.marks)
            {
                match marks.iter_mut().find(|other| (other.lane, other.stage) == (mark.lane, mark.stage)) {
                    Some(other) if other.step >= mark.step => {}
                    Some(other) => *other = *mark,
                    None => marks.push(*mark),
                }
            }
            if let Some(node) = self.nodes.get_mut(&name) {
                node.marks = marks;
            }
        }
    }

    fn replay(
        &mut self,
        segment: &Segment,
        steps: &[Step],
        runs: &mut impl Iterator<Item = Vec<NodeId>>,
    ) -> Result<(), Unenforced> {
        for &wait in &segment.waits {
            let theirs = self.lanes.get(wait.0 as usize).and_then(|lane| lane.points.get(&wait.1));
            let clock = theirs.cloned().ok_or(Unenforced::Ahead { lane: segment.lane, wait })?;
            let front =
                self.lanes.get_mut(segment.lane as usize).into_iter().flat_map(|lane| &mut lane.front);
            front.for_each(|front| front.join(&clock));
        }
        for step in steps {
            match step {
                Step::Run(_) => self.run(segment.lane, &runs.next().unwrap_or_default())?,
                Step::Barrier { after, before } => self.barrier(segment.lane, *after, *before),
            }
        }
        if let Some(lane) = self.lanes.get_mut(segment.lane as usize) {
            let mut clock = Clock::default();
            lane.done.iter().for_each(|done| clock.join(done));
            lane.points.insert(segment.point, clock);
        }
        Ok(())
    }

    /// The nodes of one command: each is behind what it should be, but for each other.
    fn run(&mut self, lane: u32, names: &[NodeId]) -> Result<(), Unenforced> {
        let Some(own) = self.lanes.get_mut(lane as usize) else { return Ok(()) };
        for name in names {
            let Some(node) = self.nodes.get(name) else { continue };
            let Some(stage) = node.stage else { continue };
            let front = &own.front[stage.index()];
            let outside = node.predecessors.iter().filter(|name| !names.contains(name));
            let mut marks = outside.filter_map(|name| self.nodes.get(name)).flat_map(|node| &node.marks);
            if let Some(missing) = marks.find(|mark| !front.has(mark)) {
                return Err(Unenforced::Edge { node: *name, predecessor: missing.node, lane });
            }
        }
        for mark in names.iter().filter_map(|name| self.nodes.get(name)).flat_map(|node| &node.marks) {
            let done = &mut own.done[mark.stage.index()];
            done.join(&own.front[mark.stage.index()]);
            done.reach(mark.lane, mark.stage, mark.step);
        }
        Ok(())
    }

    fn barrier(&mut self, lane: u32, after: Stages, before: Stages) {
        let Some(own) = self.lanes.get_mut(lane as usize) else { return };
        let mut clock = Clock::default();
        after.iter_stages().for_each(|stage| clock.join(&own.done[stage.index()]));
        before.iter_stages().for_each(|stage| own.front[stage.index()].join(&clock));
    }
}
