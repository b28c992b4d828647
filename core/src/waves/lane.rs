//! A driver's queue as the planner sees it: the segment that is open, the barriers so far, what it has waited for.
use std::collections::VecDeque;

use smallvec::{SmallVec, smallvec};

use super::{Emitted, Segment, Step};
use crate::{Stage, Stages};

/// A moment of a lane: a segment and a level in it. A barrier stands before its level.
pub(super) type Moment = (u64, u32);

/// Points of lanes, by lane.
pub(super) type Points = SmallVec<[u64; 4]>;

#[derive(Debug)]
pub(super) struct Lane {
    /// The point of the open segment.
    pub(super) point: u64,
    /// The host has seen it.
    pub(super) complete: u64,
    /// What the open segment runs: level, place in the order of release, tag.
    runs: Vec<(u32, u32, u32)>,
    /// The barrier before each level of the open segment.
    levels: Vec<(Stages, Stages)>,
    /// The highest level of the open segment that such a barrier stands before; 0 where there is none.
    latest: [[u32; Stage::COUNT]; Stage::COUNT],
    /// What the open segment waits for.
    waits: SmallVec<[(u32, u64); 4]>,
    /// The latest barrier from a stage to a stage in segments that are closed.
    barriers: [[Moment; Stage::COUNT]; Stage::COUNT],
    /// What all later work of this lane is behind, by lane.
    behind: Points,
    /// The same for segments that are closed and not known to be complete.
    closed: VecDeque<(u64, Points)>,
}

impl Lane {
    pub(super) fn new(lanes: u32) -> Self {
        Self {
            point: 1,
            complete: 0,
            runs: Vec::new(),
            levels: Vec::new(),
            latest: [[0; Stage::COUNT]; Stage::COUNT],
            waits: SmallVec::new(),
            barriers: [[(0, 0); Stage::COUNT]; Stage::COUNT],
            behind: smallvec![0; lanes as usize],
            closed: VecDeque::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Everything to come on this lane is behind that point already.
    pub(super) fn is_behind(&self, lane: u32, point: u64) -> bool {
        self.behind.get(lane as usize).is_some_and(|reached| *reached >= point)
    }

    /// The open segment waits for a point, and so for all that the segment of that point was behind.
    pub(super) fn wait(&mut self, lane: u32, point: u64, inherited: Option<&Points>) {
        match self.waits.iter_mut().find(|wait| wait.0 == lane) {
            Some(wait) => wait.1 = wait.1.max(point),
            None => self.waits.push((lane, point)),
        }
        let inherited = inherited.into_iter().flatten();
        for (mine, theirs) in self.behind.iter_mut().zip(inherited) {
            *mine = (*mine).max(*theirs);
        }
        if let Some(reached) = self.behind.get_mut(lane as usize) {
            *reached = (*reached).max(point);
        }
    }

    /// What the segment of a point was behind; unknown for one that is complete, where nobody needs it.
    pub(super) fn behind_at(&self, point: u64) -> Option<&Points> {
        let place = self.closed.binary_search_by_key(&point, |(point, _)| *point).ok()?;
        self.closed.get(place).map(|(_, points)| points)
    }

    /// The lowest level of the open segment that work can have behind work of this moment, were there a barrier.
    pub(super) fn level_behind(&self, from: Stage, to: Stage, moment: Moment) -> u32 {
        if moment.0 == self.point {
            return moment.1 + 1;
        }
        u32::from(self.barriers[from.index()][to.index()] <= moment)
    }

    /// Sees to it that work at this level is behind work of this moment.
    pub(super) fn order(&mut self, from: Stage, to: Stage, moment: Moment, level: u32) {
        let inside = moment.0 == self.point;
        let latest = &mut self.latest[from.index()][to.index()];
        let lowest = if inside { moment.1 + 1 } else { 1 };
        let is_covered =
            (lowest..=level).contains(latest) || !inside && self.barriers[from.index()][to.index()] > moment;
        if is_covered {
            return;
        }
        *latest = level.max(*latest);
        if self.levels.len() <= level as usize {
            self.levels.resize(level as usize + 1, Default::default());
        }
        let (after, before) = &mut self.levels[level as usize];
        *after |= from.mask();
        *before |= to.mask();
    }

    pub(super) fn run(&mut self, level: u32, tag: u32) {
        self.runs.push((level, self.runs.len() as u32, tag));
    }

    /// Ends the open segment.
    pub(super) fn close(&mut self, own: u32, out: &mut Emitted) {
        let start = out.steps.len() as u32;
        self.runs.sort_unstable();
        let mut at = 0;
        for &(level, _, tag) in &self.runs {
            while at < level {
                at += 1;
                if let Some(&(after, before)) = self.levels.get(at as usize)
                    && !after.is_empty()
                {
                    out.steps.push(Step::Barrier { after, before });
                    let pairs =
                        after.iter_stages().flat_map(|from| before.iter_stages().map(move |to| (from, to)));
                    pairs.for_each(|(from, to)| self.barriers[from.index()][to.index()] = (self.point, at));
                }
            }
            out.steps.push(Step::Run(tag));
        }
        self.runs.clear();
        if !self.levels.is_empty() {
            self.levels.clear();
            self.latest = [[0; Stage::COUNT]; Stage::COUNT];
        }
        let waits = core::mem::take(&mut self.waits);
        out.segments.push(Segment {
            lane: own,
            point: self.point,
            waits,
            steps: start..out.steps.len() as u32,
        });
        self.closed.push_back((self.point, self.behind.clone()));
        self.point += 1;
    }

    pub(super) fn completed(&mut self, point: u64) {
        self.complete = self.complete.max(point).min(self.point - 1);
        while self.closed.front().is_some_and(|(point, _)| *point <= self.complete) {
            self.closed.pop_front();
        }
    }
}
