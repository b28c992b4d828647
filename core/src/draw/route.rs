//! Ways of arrows: along zones and between tracks, where no text stands.
//!
//! A line leaves its source into the zone where the source ends, runs up or down there, along the gutter beside the
//! track of its target where that is in another zone, and up or down in the zone of the target. Lines of one source
//! share their way as far as it is the same; other lines in the same zone or gutter keep apart, each in a slot of
//! its own.
use std::collections::BTreeMap;

use super::place::{Cell, Placed};
use crate::timeline::{Anchor, Arrow, ArrowKind, Timeline};

/// A side of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
    /// The edge that the line meets first, from above or from below.
    Edge,
    /// The dot of a mark.
    Dot,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    /// An arrow of the timeline.
    Order(ArrowKind),
    /// What a finding misses, by its number.
    Missing(usize),
}

/// One end of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port {
    pub(super) anchor: Anchor,
    pub(super) zone: usize,
    pub(super) side: Side,
}

/// A line on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) line: Line,
    pub(super) from: Port,
    pub(super) to: Port,
    /// The gutter between the zones of the ends, where they differ.
    pub(super) gutter: Option<usize>,
    /// Lines with one net share their slots.
    net: (Anchor, Line),
}

/// Slots of all lines, and how many there are in each zone and gutter.
#[derive(Debug, Default)]
pub(super) struct Routes {
    pub(super) ways: Vec<Way>,
    zones: BTreeMap<(usize, Net), usize>,
    gutters: BTreeMap<(usize, Net), usize>,
    pub(super) zone_slots: Vec<usize>,
    pub(super) gutter_slots: Vec<usize>,
    /// Pairs of places in conflict that have no line.
    pub(super) left_out: usize,
}

type Net = (Anchor, Line);
/// What a line takes of a zone or a gutter.
type Taken = BTreeMap<(usize, Net), (i32, i32)>;

impl Routes {
    pub(super) fn of(timeline: &Timeline, placed: &Placed) -> Self {
        let mut routes = Self::default();
        for arrow in &timeline.arrows {
            routes.ways.extend(order(timeline, placed, arrow));
        }
        // One line for two places, however much is found between them.
        let mut pairs: Vec<(Anchor, Anchor)> = Vec::new();
        for (number, conflict) in timeline.conflicts.iter().enumerate() {
            let (Some(first), Some(second)) = (conflict.first, conflict.second) else { continue };
            if pairs.contains(&(first, second)) {
                continue;
            }
            if pairs.len() < super::LINES_MOST {
                routes.ways.extend(missing(placed, number, first, second));
            } else {
                routes.left_out += 1;
            }
            pairs.push((first, second));
        }
        routes.find_slots(timeline, placed);
        routes
    }

    /// The slot of a way's line in a zone.
    pub(super) fn zone_slot(&self, way: &Way, zone: usize) -> usize {
        self.zones.get(&(zone, way.net)).copied().unwrap_or(0)
    }

    /// The slot of a way's line in its gutter.
    pub(super) fn gutter_slot(&self, way: &Way, gutter: usize) -> usize {
        self.gutters.get(&(gutter, way.net)).copied().unwrap_or(0)
    }

    /// The slot of a mark's dot.
    pub(super) fn dot_slot(&self, mark: usize, zone: usize) -> usize {
        let anchor = Anchor::Mark(mark);
        let mut slots = self.zones.iter().filter(|((at, net), _)| *at == zone && net.0 == anchor);
        slots.next().map_or(0, |(_, slot)| *slot)
    }

    fn find_slots(&mut self, timeline: &Timeline, placed: &Placed) {
        let tops = rough_tops(placed);
        let (mut zones, mut gutters) = (Taken::new(), Taken::new());
        let take = |taken: &mut Taken, at: usize, net: Net, from: i32, to: i32| {
            let span = taken.entry((at, net)).or_insert((i32::MAX, i32::MIN));
            *span = (span.0.min(from).min(to), span.1.max(from).max(to));
        };
        for way in &self.ways {
            let (from, to) = (rough_y(placed, &tops, way.from), rough_y(placed, &tops, way.to));
            match way.gutter {
                None => take(&mut zones, way.from.zone, way.net, from, to),
                Some(gutter) => {
                    let y = tops.get(gutter).copied().unwrap_or_else(|| rough_end(placed, &tops))
                        - ROUGH_GUTTER / 2;
                    take(&mut zones, way.from.zone, way.net, from, y);
                    take(&mut zones, way.to.zone, way.net, y, to);
                    let (a, b) = (way.from.zone as i32, way.to.zone as i32);
                    take(&mut gutters, gutter, way.net, a, b);
                }
            }
        }
        for (number, mark) in timeline.marks.iter().enumerate() {
            let anchor = Anchor::Mark(number);
            let zone = placed.zone(mark.at);
            let port = Port { anchor, zone, side: Side::Dot };
            let y = rough_y(placed, &tops, port);
            let own = zones.keys().find(|(at, net)| *at == zone && net.0 == anchor).map(|key| key.1);
            let net = own.unwrap_or((anchor, Line::Order(ArrowKind::Cpu)));
            take(&mut zones, zone, net, y - 7, y + 7);
        }
        (self.zones, self.zone_slots) = slots(&zones, placed.cuts.len(), 6);
        (self.gutters, self.gutter_slots) = slots(&gutters, placed.tracks.len() + 1, 0);
    }
}

/// The first free slot for each, from the one that begins first.
fn slots(taken: &Taken, places: usize, apart: i32) -> (BTreeMap<(usize, Net), usize>, Vec<usize>) {
    let mut all: Vec<_> = taken.iter().collect();
    all.sort_by_key(|((place, net), (from, to))| (*place, *from, *to, *net));
    let mut counts = vec![0; places];
    let mut found = BTreeMap::new();
    let mut ends: Vec<i32> = Vec::new();
    let mut current = usize::MAX;
    for ((place, net), (from, to)) in all {
        if *place != current {
            current = *place;
            ends.clear();
        }
        let slot = match ends.iter().position(|end| *end < *from - apart) {
            Some(slot) => slot,
            None => {
                ends.push(0);
                ends.len() - 1
            }
        };
        ends[slot] = *to;
        found.insert((*place, *net), slot);
        if let Some(count) = counts.get_mut(*place) {
            *count = ends.len();
        }
    }
    (found, counts)
}

fn order(timeline: &Timeline, placed: &Placed, arrow: &Arrow) -> Option<Way> {
    let line = Line::Order(arrow.kind);
    let from = match arrow.from {
        Anchor::Mark(number) => {
            Port { anchor: arrow.from, zone: placed.zone(timeline.marks.get(number)?.at), side: Side::Dot }
        }
        anchor => Port { anchor, zone: placed.cells.get(&anchor)?.to, side: Side::Right },
    };
    let to = match arrow.to {
        Anchor::Group(number) => {
            let block = placed.blocks.get(number)?;
            Port { anchor: arrow.to, zone: block.from, side: Side::Left }
        }
        Anchor::Mark(number) => {
            let zone = placed.zone(timeline.marks.get(number)?.at);
            Port { anchor: arrow.to, zone, side: Side::Dot }
        }
        anchor => {
            let cell = placed.cells.get(&anchor)?;
            match (anchor, from.zone > cell.from && from.zone <= cell.to) {
                (Anchor::Hold(_), true) => Port { anchor, zone: from.zone, side: Side::Edge },
                (Anchor::Hold(_), false) if arrow.kind == ArrowKind::Stuck => {
                    Port { anchor, zone: cell.to, side: Side::Edge }
                }
                _ => Port { anchor, zone: cell.from, side: Side::Left },
            }
        }
    };
    Some(way(placed, line, from, to, (arrow.from, line)))
}

/// The line of an order that is missing: from an end of the first to a beginning of the second where time allows.
fn missing(placed: &Placed, number: usize, first: Anchor, second: Anchor) -> Option<Way> {
    let (Anchor::Bar(_), Anchor::Bar(_)) = (first, second) else { return None };
    let (a, b) = (placed.cells.get(&first)?, placed.cells.get(&second)?);
    let (from, to) = sides(a, b);
    let zone = |cell: &Cell, side: Side| if side == Side::Left { cell.from } else { cell.to };
    let from = Port { anchor: first, zone: zone(a, from), side: from };
    let to = Port { anchor: second, zone: zone(b, to), side: to };
    let line = Line::Missing(number);
    Some(way(placed, line, from, to, (first, line)))
}

const fn sides(a: &Cell, b: &Cell) -> (Side, Side) {
    if a.to <= b.from {
        (Side::Right, Side::Left)
    } else if b.to <= a.from {
        (Side::Left, Side::Right)
    } else if a.to != b.to && a.from == b.from {
        (Side::Left, Side::Left)
    } else {
        (Side::Right, Side::Right)
    }
}

fn way(placed: &Placed, line: Line, from: Port, to: Port, net: Net) -> Way {
    let gutter = (from.zone != to.zone).then(|| {
        let (a, b) = (track(placed, from.anchor), track(placed, to.anchor));
        // Beside the track of the target, on the side of the source.
        if a <= b { b } else { b + 1 }
    });
    Way { line, from, to, gutter, net }
}

pub(super) fn track(placed: &Placed, anchor: Anchor) -> usize {
    let group = match anchor {
        Anchor::Group(group) => Some(group),
        _ => placed.cells.get(&anchor).map(|cell| cell.group),
    };
    group.and_then(|group| placed.blocks.get(group)).map_or(0, |block| block.track)
}

/// Tops of tracks with gutters of one height: enough to know what is above what.
fn rough_tops(placed: &Placed) -> Vec<i32> {
    let mut y = 0;
    let top = |height: &i32| {
        y += ROUGH_GUTTER;
        let top = y;
        y += height;
        top
    };
    placed.tracks.iter().map(top).collect()
}

fn rough_end(placed: &Placed, tops: &[i32]) -> i32 {
    tops.last().zip(placed.tracks.last()).map_or(0, |(top, height)| top + height + ROUGH_GUTTER)
}

fn rough_y(placed: &Placed, tops: &[i32], port: Port) -> i32 {
    let top = tops.get(track(placed, port.anchor)).copied().unwrap_or(0);
    match placed.cells.get(&port.anchor) {
        Some(cell) => top + cell.y + cell.height / 2,
        None => top + super::place::HEADER / 2,
    }
}

const ROUGH_GUTTER: i32 = 100;
