//! Rows: what stands beside what, and what below what.
//!
//! Time is cut at every point where something starts or ends. Between two cuts is a *column*, in which bars and texts
//! stand; at each cut is a *zone*, in which nothing stands but lines and dots. A group takes a *track* of its lane
//! that is free in its time; in it each stage has as many sub-rows as it has things that overlap.
use std::collections::BTreeMap;

use crate::Stage;
use crate::program::Locus;
use crate::timeline::{Anchor, GroupKind, Time, Timeline};

/// Where a thing stands: its box and its place in it, before there are pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) group: usize,
    /// Below the top of the track.
    pub(super) y: i32,
    pub(super) height: i32,
    /// The first and the last zone.
    pub(super) from: usize,
    pub(super) to: usize,
}

/// A row of a group: one stage, or what has none.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) stage: Option<Stage>,
    pub(super) y: i32,
    pub(super) height: i32,
}

/// A group in its track.
#[derive(Debug)]
pub(super) struct Block {
    /// Counted over all lanes.
    pub(super) track: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) header: bool,
    /// It hands on what it waits for, so that its end takes the zone behind it.
    pub(super) relay: bool,
    pub(super) rows: Vec<Row>,
    pub(super) height: i32,
}

/// Everything in its row.
#[derive(Debug, Default)]
pub(super) struct Placed {
    /// Points in time where something starts or ends; one zone each.
    pub(super) cuts: Vec<Time>,
    pub(super) blocks: Vec<Block>,
    pub(super) cells: BTreeMap<Anchor, Cell>,
    /// Heights of the tracks.
    pub(super) tracks: Vec<i32>,
    /// The first track of each lane, and behind the last.
    pub(super) lanes: Vec<(usize, usize)>,
}

/// What takes room in a row together: a bar with the holds before it, several bars behind one hold, or one thing.
#[derive(Default)]
struct Unit {
    from: usize,
    to: usize,
    bars: Vec<usize>,
    holds: Vec<usize>,
    marks: Vec<usize>,
}

impl Placed {
    pub(super) fn of(timeline: &Timeline) -> Self {
        let mut placed = Self { cuts: cuts(timeline), ..Self::default() };
        for group in 0..timeline.groups.len() {
            let block = placed.block(timeline, group);
            placed.blocks.push(block);
        }
        for lane in 0..timeline.lanes.len() {
            placed.lane(timeline, lane);
        }
        placed
    }

    /// The zone of a point in time.
    pub(super) fn zone(&self, time: Time) -> usize {
        self.cuts.partition_point(|cut| *cut < time).min(self.cuts.len() - 1)
    }

    fn block(&mut self, timeline: &Timeline, group: usize) -> Block {
        let own = &timeline.groups[group];
        let header = matches!(own.kind, GroupKind::Pass(..));
        let relay = timeline.holds.iter().any(|hold| hold.group == group && hold.is_relay());
        let mut block =
            Block { track: 0, from: usize::MAX, to: 0, header, relay, rows: Vec::new(), height: 0 };
        let mut y = if header { HEADER } else { PADDING };
        let mut stages: Vec<Option<Stage>> = Vec::new();
        let holds = timeline.holds.iter().filter(|hold| hold.group == group).map(|hold| hold.stage);
        for stage in timeline.bars.iter().filter(|bar| bar.group == group).map(|bar| bar.stage).chain(holds) {
            if !stages.contains(&stage) {
                stages.push(stage);
            }
        }
        for stage in stages {
            let mut units = self.units(timeline, group, stage);
            let events = own.kind == GroupKind::Events;
            if events {
                units.extend(self.marks(timeline, group));
            }
            let label = if stage.is_some() { STAGE_LABEL } else { 0 };
            let height = label + self.pack(timeline, group, &units, y + label, &mut block);
            let height = height + if stage.is_some() { 3 } else { 0 };
            block.rows.push(Row { stage, y, height });
            y += height + PADDING;
        }
        let marks = self.marks(timeline, group);
        let left = own.kind != GroupKind::Events || block.rows.is_empty();
        if left && !marks.is_empty() {
            y += self.pack(timeline, group, &marks, y, &mut block) + PADDING;
        }
        if block.from > block.to {
            let zone = self.zone(own.start);
            block.from = zone.min(self.cuts.len() - 2);
            block.to = block.from + 1;
        }
        block.height = y;
        block
    }

    /// Bars and holds of a stage, in the order in which they were encoded.
    fn units(&self, timeline: &Timeline, group: usize, stage: Option<Stage>) -> Vec<Unit> {
        let mut held: BTreeMap<&[usize], Vec<usize>> = BTreeMap::new();
        let mut units: Vec<(Locus, Unit)> = Vec::new();
        for (number, hold) in timeline.holds.iter().enumerate() {
            if hold.group != group || hold.stage != stage {
                continue;
            }
            if hold.bars.is_empty() {
                let (from, to) = (self.zone(hold.from), self.zone(hold.to));
                let unit = Unit { from, to, holds: vec![number], ..Unit::default() };
                units.push((hold.loci.first().copied().unwrap_or(Locus::Step(0)), unit));
            } else {
                held.entry(&hold.bars).or_default().push(number);
            }
        }
        for (number, bar) in timeline.bars.iter().enumerate() {
            if bar.group != group || bar.stage != stage {
                continue;
            }
            // The bars of a hold stand together, with all their holds before them.
            let (bars, holds) = match held.iter().find(|(bars, _)| bars.contains(&number)) {
                Some((bars, _)) if bars.first() != Some(&number) => continue,
                Some((bars, holds)) => (bars.to_vec(), holds.clone()),
                None => (vec![number], Vec::new()),
            };
            let start = holds.iter().map(|hold| timeline.holds[*hold].from).min();
            let end = bars.iter().map(|bar| timeline.bars[*bar].end).max();
            let (from, to) = (self.zone(start.unwrap_or(bar.start)), self.zone(end.unwrap_or(bar.end)));
            units.push((bar.locus, Unit { from, to, bars, holds, marks: Vec::new() }));
        }
        units.sort_by_key(|(locus, unit)| (*locus, unit.from));
        units.into_iter().map(|(_, unit)| unit).collect()
    }

    fn marks(&self, timeline: &Timeline, group: usize) -> Vec<Unit> {
        let mut units = Vec::new();
        for (number, mark) in timeline.marks.iter().enumerate() {
            if mark.group == group {
                // Its text stands before its dot, except at the very beginning.
                let to = self.zone(mark.at);
                let (from, to) = if to == 0 { (0, 1) } else { (to - 1, to) };
                units.push(Unit { from, to, marks: vec![number], ..Unit::default() });
            }
        }
        units
    }

    /// Puts each unit into the first sub-rows that are free; how high they are together.
    fn pack(
        &mut self,
        timeline: &Timeline,
        group: usize,
        units: &[Unit],
        top: i32,
        block: &mut Block,
    ) -> i32 {
        let pitch = if units.iter().any(|unit| !unit.bars.is_empty())
            || timeline.groups[group].kind != GroupKind::Events
                && units.iter().any(|unit| !unit.holds.is_empty())
        {
            BAR_ROW
        } else {
            MARK_ROW
        };
        let mut rows: Vec<Vec<(usize, usize)>> = Vec::new();
        for unit in units {
            let height = unit.bars.len().max(1);
            let free = |row: usize, rows: &[Vec<(usize, usize)>]| {
                (row..row + height).all(|row| {
                    rows.get(row).is_none_or(|taken| {
                        taken.iter().all(|(from, to)| unit.to <= *from || *to <= unit.from)
                    })
                })
            };
            let row = (0..).find(|row| free(*row, &rows)).unwrap_or(0);
            rows.resize_with(rows.len().max(row + height), Vec::new);
            for taken in &mut rows[row..row + height] {
                taken.push((unit.from, unit.to));
            }
            block.from = block.from.min(unit.from);
            block.to = block.to.max(unit.to);
            self.fill(timeline, group, unit, top, pitch, row as i32);
        }
        rows.len() as i32 * (pitch + GAP) - GAP
    }

    fn fill(&mut self, timeline: &Timeline, group: usize, unit: &Unit, top: i32, pitch: i32, row: i32) {
        let y = |row: i32| top + row * (pitch + GAP);
        let zones = |span: Option<(Time, Time)>| span.map(|span| (self.zone(span.0), self.zone(span.1)));
        let mut cells = Vec::new();
        for (bar, below) in unit.bars.iter().zip(row..) {
            let anchor = Anchor::Bar(*bar);
            let (from, to) = zones(timeline.span(anchor)).unwrap_or((unit.from, unit.to));
            cells.push((anchor, Cell { group, y: y(below), height: pitch, from, to }));
        }
        let count = unit.bars.len().max(1) as i32;
        for hold in &unit.holds {
            let anchor = Anchor::Hold(*hold);
            let (from, to) = zones(timeline.span(anchor)).unwrap_or((unit.from, unit.to));
            let height = count * (pitch + GAP) - GAP;
            cells.push((anchor, Cell { group, y: y(row), height, from, to }));
        }
        for mark in &unit.marks {
            let cell = Cell { group, y: y(row), height: pitch, from: unit.from, to: unit.to };
            cells.push((Anchor::Mark(*mark), cell));
        }
        self.cells.extend(cells);
    }

    /// Gives each group of a lane a track.
    fn lane(&mut self, timeline: &Timeline, lane: usize) {
        let first = self.tracks.len();
        let mut tracks: Vec<Vec<(usize, usize)>> = Vec::new();
        let own = |group: &usize| timeline.groups[*group].lane == lane;
        let mut groups: Vec<usize> = (0..timeline.groups.len()).filter(own).collect();
        // Events hold the whole queue: they stand above what they hold.
        groups.sort_by_key(|group| matches!(timeline.groups[*group].kind, GroupKind::Pass(..)));
        for group in groups {
            let block = &self.blocks[group];
            let alone = !block.header;
            let free = |track: &Vec<(usize, usize)>| {
                !alone && track.iter().all(|(from, to)| block.to <= *from || *to <= block.from)
            };
            let track = match tracks.iter().position(free) {
                Some(track) => track,
                None => {
                    tracks.push(Vec::new());
                    self.tracks.push(0);
                    tracks.len() - 1
                }
            };
            let span = if alone { (0, usize::MAX) } else { (block.from, block.to) };
            tracks[track].push(span);
            self.tracks[first + track] = self.tracks[first + track].max(block.height);
            self.blocks[group].track = first + track;
        }
        if tracks.is_empty() {
            self.tracks.push(MARK_ROW);
        }
        self.lanes.push((first, self.tracks.len()));
    }
}

/// Every point in time where something starts or ends; at least two.
fn cuts(timeline: &Timeline) -> Vec<Time> {
    let mut cuts = vec![0];
    cuts.extend(timeline.bars.iter().flat_map(|bar| [bar.start, bar.end]));
    cuts.extend(timeline.holds.iter().flat_map(|hold| [hold.from, hold.to]));
    cuts.extend(timeline.marks.iter().map(|mark| mark.at));
    cuts.extend(timeline.groups.iter().flat_map(|group| [group.start, group.end]));
    cuts.sort_unstable();
    cuts.dedup();
    if let [only] = cuts[..] {
        cuts.push(only.saturating_add(1));
    }
    cuts
}

pub(super) const HEADER: i32 = 24;
pub(super) const STAGE_LABEL: i32 = 15;
pub(super) const BAR_ROW: i32 = 36;
pub(super) const MARK_ROW: i32 = 20;
pub(super) const PADDING: i32 = 6;
const GAP: i32 = 4;
