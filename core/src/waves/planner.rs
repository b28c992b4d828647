//! Where each node goes: which segment of its lane, and which level of it.
use std::collections::VecDeque;

use smallvec::SmallVec;

use super::lane::Lane;
use super::{Emitted, Ended, Kind, Unit};
use crate::{NodeId, Stage};

/// Plans segments. One for all lanes of a device, for as long as the device lives.
#[derive(Debug)]
pub struct Waves {
    lanes: Vec<Lane>,
    /// Where nodes are, from the name `first` on. Nodes below it have been retired.
    places: VecDeque<Place>,
    first: u64,
    out: Emitted,
}

/// All that a node stands for: itself, or what a gate is behind. The latest work of each lane and stage: what is behind it is behind all
/// earlier work of that lane and stage too.
type Place = SmallVec<[Mark; 1]>;

/// Work of a stage at a moment of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    point: u64,
    level: u32,
    lane: u16,
    stage: Stage,
}

impl Waves {
    /// A planner for so many lanes, at most 65 536; nothing is in flight.
    pub fn new(lanes: u32) -> Self {
        let lanes = lanes.clamp(1, 1 << 16);
        Self {
            lanes: (0..lanes).map(|_| Lane::new(lanes)).collect(),
            places: VecDeque::new(),
            first: 0,
            out: Emitted::default(),
        }
    }

    /// Takes the next node. A lane beyond the last counts as the last.
    pub fn place(&mut self, unit: Unit<'_>) {
        match unit.kind {
            Kind::Work(stage) => self.place_work(&[(unit, stage)]),
            Kind::Gate => {
                self.place_gate(unit);
            }
            Kind::Point => {
                let place = self.place_gate(unit);
                place.iter().for_each(|mark| self.close_if_open(mark.lane.into(), mark.point));
            }
        }
    }

    /// Takes nodes that one command of the driver runs: stages of one draw, draws of one render pass. All are behind what any of them is
    /// behind; what orders them among each other is the command's own affair. Units that do no work are placed by themselves.
    pub fn place_together(&mut self, units: &[Unit<'_>]) {
        let mut work: SmallVec<[(Unit<'_>, Stage); 8]> = SmallVec::new();
        for unit in units {
            match unit.kind {
                Kind::Work(stage) => work.push((*unit, stage)),
                Kind::Gate | Kind::Point => {
                    self.place_work(&work);
                    work.clear();
                    self.place(*unit);
                }
            }
        }
        self.place_work(&work);
    }

    /// Closes all open segments: what they are, and when each unit placed since the last call has ended. `out` is emptied first.
    pub fn flush(&mut self, out: &mut Emitted) {
        for lane in 0..self.lanes.len() {
            self.close(lane);
        }
        out.clear();
        std::mem::swap(&mut self.out, out);
    }

    /// The host has seen a lane's timeline at a point.
    pub fn completed(&mut self, lane: u32, point: u64) {
        if let Some(lane) = self.lanes.get_mut(lane as usize) {
            lane.completed(point);
        }
    }

    /// Nodes below this one have ended, and no later unit names one of them.
    pub fn retire(&mut self, below: NodeId) {
        while self.first < below.0 && self.places.pop_front().is_some() {
            self.first += 1;
        }
        if self.places.is_empty() {
            self.first = self.first.max(below.0);
        }
    }

    fn place_work(&mut self, units: &[(Unit<'_>, Stage)]) {
        let Some((head, _)) = units.first() else { return };
        let own = head.lane.min(self.lanes.len() as u32 - 1);
        let mut edges: SmallVec<[(Mark, Stage); 8]> = SmallVec::new();
        for (unit, to) in units {
            for node in unit.predecessors {
                if units.len() > 1 && units.iter().any(|(unit, _)| unit.node == *node) {
                    continue;
                }
                let open = self.marks(*node).iter().filter(|mark| !self.is_ordered(own, mark));
                edges.extend(open.map(|mark| (*mark, *to)));
            }
        }
        // Waits come first: they may close the open segment, and stand for barriers.
        if edges.iter().any(|(mark, _)| u32::from(mark.lane) != own) {
            edges.iter().for_each(|(mark, _)| self.wait_for(own, mark));
            edges.retain(|(mark, _)| !self.is_ordered(own, mark));
        }
        let lane = &mut self.lanes[own as usize];
        let moment = |mark: &Mark| (mark.point, mark.level);
        let levels = edges.iter().map(|(mark, to)| lane.level_behind(mark.stage, *to, moment(mark)));
        let level = levels.max().unwrap_or(0);
        for (mark, to) in &edges {
            lane.order(mark.stage, *to, moment(mark), level);
        }
        lane.run(level, head.tag);
        let point = lane.point;
        for (unit, stage) in units {
            let mark = Mark { point, level, lane: own as u16, stage: *stage };
            self.put(unit.node, SmallVec::from_elem(mark, 1));
            self.out.ended.push(Ended { tag: unit.tag, needs: SmallVec::from_elem((own, point), 1) });
        }
    }

    fn place_gate(&mut self, unit: Unit<'_>) -> Place {
        let mut place = Place::new();
        for node in unit.predecessors {
            for mark in self.marks(*node) {
                let same = |other: &&mut Mark| (other.lane, other.stage) == (mark.lane, mark.stage);
                match place.iter_mut().find(same) {
                    Some(other) if (other.point, other.level) >= (mark.point, mark.level) => {}
                    Some(other) => *other = *mark,
                    None => place.push(*mark),
                }
            }
        }
        let mut needs: SmallVec<[(u32, u64); 2]> = SmallVec::new();
        for mark in &place {
            match needs.iter_mut().find(|need| need.0 == u32::from(mark.lane)) {
                Some(need) => need.1 = need.1.max(mark.point),
                None => needs.push((mark.lane.into(), mark.point)),
            }
        }
        needs.retain(|need| !self.is_complete(need.0, need.1));
        self.out.ended.push(Ended { tag: unit.tag, needs });
        self.put(unit.node, place.clone());
        place
    }

    /// Where a node is: nothing for one that was retired.
    fn marks(&self, node: NodeId) -> &[Mark] {
        let index = node.0.checked_sub(self.first);
        index.and_then(|index| self.places.get(index as usize)).map_or(&[], |place| place)
    }

    /// Names that were left out stand for nothing.
    fn put(&mut self, node: NodeId, place: Place) {
        if self.places.is_empty() {
            self.first = node.0;
        }
        let Some(index) = node.0.checked_sub(self.first) else { return };
        let index = index as usize;
        if index < self.places.len() {
            self.places[index] = place;
            return;
        }
        self.places.resize_with(index, Place::new);
        self.places.push_back(place);
    }

    fn is_complete(&self, lane: u32, point: u64) -> bool {
        self.lanes.get(lane as usize).is_some_and(|lane| lane.complete >= point)
    }

    /// What lies on another lane is waited for by a whole segment; what is complete, by every segment that closes later.
    fn wait_for(&mut self, own: u32, mark: &Mark) {
        let theirs = u32::from(mark.lane);
        if theirs == own || self.is_ordered(own, mark) {
            return;
        }
        self.close_if_open(theirs, mark.point);
        // What is in the open segment already does not have to wait.
        self.close(own as usize);
        let inherited = self.lanes[theirs as usize].behind_at(mark.point).cloned();
        self.lanes[own as usize].wait(theirs, mark.point, inherited.as_ref());
    }

    /// All that comes on a lane is behind this anyway.
    fn is_ordered(&self, own: u32, mark: &Mark) -> bool {
        let theirs = u32::from(mark.lane);
        self.is_complete(theirs, mark.point) || self.lanes[own as usize].is_behind(theirs, mark.point)
    }

    fn close_if_open(&mut self, lane: u32, point: u64) {
        if self.lanes.get(lane as usize).is_some_and(|lane| lane.point == point) {
            self.close(lane as usize);
        }
    }

    fn close(&mut self, lane: usize) {
        if self.lanes.get(lane).is_none_or(Lane::is_empty) {
            return;
        }
        for other in 0..self.lanes.len() {
            let complete = self.lanes[other].complete;
            if complete > 0 && !self.lanes[lane].is_behind(other as u32, complete) {
                self.lanes[lane].wait(other as u32, complete, None);
            }
        }
        self.lanes[lane].close(lane as u32, &mut self.out);
    }
}
