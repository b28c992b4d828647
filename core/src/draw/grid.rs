//! From rows and zones to pixels.
use super::badges::Badges;
use super::font;
use super::place::{Placed, STAGE_LABEL};
use super::route::Routes;
use crate::AccessKind;
use crate::timeline::{Anchor, Bar, Effect, HoldKind, Timeline};

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Of the left edge.
    pub x: i32,
    /// Of the upper edge.
    pub y: i32,
    /// From left to right.
    pub width: i32,
    /// From top to bottom.
    pub height: i32,
}

impl Frame {
    /// Of the right edge.
    pub const fn right(&self) -> i32 {
        self.x + self.width
    }

    /// Of the lower edge.
    pub const fn bottom(&self) -> i32 {
        self.y + self.height
    }

    /// Halfway down.
    pub const fn middle(&self) -> i32 {
        self.y + self.height / 2
    }

    /// Whether the two have an area in common.
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }
}

/// Where zones, columns, tracks and lanes are.
#[derive(Debug)]
pub(super) struct Grid {
    /// Left edges of the zones.
    zones: Vec<i32>,
    zone_widths: Vec<i32>,
    zone_slots: Vec<usize>,
    tracks: Vec<i32>,
    gutters: Vec<i32>,
    /// Each lane's upper and lower edge.
    pub(super) lanes: Vec<(i32, i32)>,
    /// Left edge of the lanes, which names stand behind.
    pub(super) left: i32,
    pub(super) right: i32,
    pub(super) bottom: i32,
}

impl Grid {
    pub(super) fn of(timeline: &Timeline, placed: &Placed, routes: &Routes, badges: &Badges) -> Self {
        let widths = columns(timeline, placed, badges);
        let zone_slots = routes.zone_slots.clone();
        let zone_widths: Vec<i32> = zone_slots.iter().map(|slots| ZONE + *slots as i32 * SLOT).collect();
        let names = timeline.lanes.iter().map(|lane| {
            font::width(&lane.name, NAME)
                .min(NAMES_MOST)
                .max(font::width(&lane.detail, SMALL).min(NAMES_MOST))
        });
        let left = MARGIN;
        let mut x = left + names.max().unwrap_or(0) + 22;
        let fixed = x + zone_widths.iter().sum::<i32>() + MARGIN;
        // Many findings have many words, which take few lines on a wide page and many on a narrow one.
        let findings = timeline.conflicts.len().saturating_sub(FINDINGS_FEW) as i32;
        let least = (LEAST + findings.min(LEAST) * WIDER).min(LEAST_MOST);
        let spare = (least - fixed - widths.iter().sum::<i32>()).max(0) / widths.len().max(1) as i32;
        let mut zones = Vec::new();
        for (number, zone) in zone_widths.iter().enumerate() {
            zones.push(x);
            x += zone + widths.get(number).map_or(0, |width| width + spare.min(SPARE_MOST));
        }
        let right = x.max(least - MARGIN);
        let (mut tracks, mut gutters, mut lanes) = (Vec::new(), Vec::new(), Vec::new());
        let mut y = TOP;
        let gutter =
            |number: usize| GUTTER + routes.gutter_slots.get(number).map_or(0, |slots| *slots as i32 * SLOT);
        for (first, end) in &placed.lanes {
            let top = y;
            y += LANE_PADDING;
            for track in *first..*end {
                gutters.push(y);
                y += gutter(track);
                tracks.push(y);
                y += placed.tracks.get(track).copied().unwrap_or(0);
            }
            y += GUTTER + LANE_PADDING;
            lanes.push((top, y));
            y += LANE_GAP;
        }
        gutters.push(y);
        y += gutter(placed.tracks.len()) - GUTTER;
        Self { zones, zone_widths, zone_slots, tracks, gutters, lanes, left, right, bottom: y }
    }

    /// Where the column before a zone ends.
    pub(super) fn zone_start(&self, zone: usize) -> i32 {
        self.zones.get(zone).copied().unwrap_or(self.right)
    }

    /// Where the column behind a zone begins.
    pub(super) fn zone_end(&self, zone: usize) -> i32 {
        self.zone_start(zone) + self.zone_widths.get(zone).copied().unwrap_or(0)
    }

    /// Where the picture may be cut in a zone: behind the lines that stand in it, in front of the boxes behind it.
    pub(super) fn cut(&self, zone: usize) -> i32 {
        self.zone_end(zone) - EDGE - 2
    }

    pub(super) fn slot_x(&self, zone: usize, slot: usize) -> i32 {
        self.zone_start(zone) + ZONE / 2 + SLOT / 2 + slot as i32 * SLOT
    }

    pub(super) fn slot_y(&self, gutter: usize, slot: usize) -> i32 {
        self.gutters.get(gutter).copied().unwrap_or(self.bottom) + GUTTER / 2 + SLOT / 2 + slot as i32 * SLOT
    }

    pub(super) fn track(&self, track: usize) -> i32 {
        self.tracks.get(track).copied().unwrap_or(0)
    }

    /// How far right a text may reach that begins behind a zone: up to the next zone that has lines in it.
    pub(super) fn clear(&self, zone: usize, to: usize) -> i32 {
        let next = (zone + 1..to).find(|zone| self.zone_slots.get(*zone).is_some_and(|slots| *slots > 0));
        self.zone_start(next.unwrap_or(to))
    }

    pub(super) fn frame(&self, placed: &Placed, timeline: &Timeline, anchor: Anchor) -> Option<Frame> {
        if let Anchor::Group(group) = anchor {
            let block = placed.blocks.get(group)?;
            let right = match block.relay {
                true => self.zone_end(block.to) - EDGE - 3,
                false => self.zone_start(block.to) + EDGE,
            };
            let x = self.zone_end(block.from) - EDGE;
            return Some(Frame { x, y: self.track(block.track), width: right - x, height: block.height });
        }
        let cell = placed.cells.get(&anchor)?;
        let x = self.zone_end(cell.from);
        let hold = match anchor {
            Anchor::Hold(number) => Some(timeline.holds.get(number)?),
            _ => None,
        };
        let right = match hold {
            Some(hold) if hold.is_relay() => self.zone_end(cell.to) - EDGE - 6,
            // A wait reaches up to what it holds.
            Some(hold) if matches!(hold.effect, Effect::Holds | Effect::Never) => self.zone_end(cell.to),
            _ => self.zone_start(cell.to),
        };
        let y = self.track(placed.blocks.get(cell.group)?.track) + cell.y;
        Some(Frame { x, y, width: right - x, height: cell.height })
    }
}

/// How wide each column must be for what stands in it.
fn columns(timeline: &Timeline, placed: &Placed, badges: &Badges) -> Vec<i32> {
    let mut widths = vec![COLUMN; placed.cuts.len().saturating_sub(1)];
    let mut needs: Vec<(usize, usize, i32)> = Vec::new();
    for (anchor, cell) in &placed.cells {
        let marked = badges.width(*anchor);
        let need = match anchor {
            Anchor::Bar(number) => timeline.bars.get(*number).map_or(0, |bar| {
                let label = font::width(&bar.label, LABEL).min(LABEL_MOST) + marked;
                let chips: i32 = chips(bar).iter().map(|chip| font::width(chip.0, SMALL) + CHIP).sum();
                label.max(chips.min(CHIPS_MOST)) + 14
            }),
            Anchor::Hold(number) => timeline.holds.get(*number).map_or(0, |hold| {
                let label = font::width(&hold.label, SMALL);
                let one_line = matches!(hold.kind, HoldKind::Event | HoldKind::Completion);
                let most = if one_line { label } else { label.min((label / 2 + 30).max(96)) };
                let word = hold.effect.word().map_or(0, |word| font::width(word, SMALL));
                most.max(word).min(HOLD_MOST) + 14 + marked
            }),
            Anchor::Mark(number) => timeline
                .marks
                .get(*number)
                .map_or(0, |mark| font::width(&mark.label, SMALL).min(HOLD_MOST) + 10 + marked),
            Anchor::Group(_) => 0,
        };
        needs.push((cell.from, cell.to, need));
    }
    for (number, block) in placed.blocks.iter().enumerate().filter(|block| block.1.header) {
        let Some(group) = timeline.groups.get(number) else { continue };
        let marked = badges.width(Anchor::Group(number));
        let label = font::width(&group.label, LABEL).min(LABEL_MOST);
        let need = label + font::width(&group.detail, SMALL).min(LABEL_MOST) + 12 + marked;
        needs.push((block.from, block.from + 1, need));
    }
    needs.sort_unstable_by_key(|need| (need.1 - need.0, need.0));
    for (from, to, need) in needs {
        let Some(own) = widths.get(from..to).filter(|own| !own.is_empty()) else { continue };
        let missing = need - own.iter().sum::<i32>() - ZONE * (own.len() as i32 - 1);
        if missing > 0
            && let Some(last) = widths.get_mut(to - 1)
        {
            *last += missing;
        }
    }
    widths
}

/// What a bar touches, reads apart from writes.
pub(super) fn chips(bar: &Bar) -> Vec<(&str, AccessKind)> {
    let kinds = |kind| match kind {
        AccessKind::ReadWrite => [Some(AccessKind::Read), Some(AccessKind::Write)],
        kind => [Some(kind), None],
    };
    bar.touches
        .iter()
        .flat_map(|touch| kinds(touch.kind).into_iter().flatten().map(|kind| (touch.part.as_str(), kind)))
        .collect()
}

impl Effect {
    /// What a wait that holds nothing says of itself.
    pub(super) const fn word(self) -> Option<&'static str> {
        match self {
            Self::Holds => None,
            Self::Satisfied => Some("already done"),
            Self::Nothing => Some("orders nothing"),
            Self::Never => Some("never comes"),
            Self::NeverReached => Some("never reached"),
        }
    }
}

pub(super) const LABEL: i32 = 12;
pub(super) const NAME: i32 = 13;
pub(super) const SMALL: i32 = 10;
pub(super) const MARGIN: i32 = 14;
pub(super) const CHIP: i32 = 13;
pub(super) const NAMES_MOST: i32 = 130;
pub(super) const TOP: i32 = 40;
/// From a column to the border of the box around it.
const EDGE: i32 = 7;
const LABEL_MOST: i32 = 150;
const CHIPS_MOST: i32 = 210;
const HOLD_MOST: i32 = 170;
const COLUMN: i32 = 56;
const ZONE: i32 = 20;
const SLOT: i32 = 10;
const GUTTER: i32 = 8;
const LANE_PADDING: i32 = 2;
const LANE_GAP: i32 = 8;
const LEAST: i32 = 560;
const LEAST_MOST: i32 = 960;
/// Findings for which the least width is wide enough, and what each of the others adds to it.
const FINDINGS_FEW: usize = 5;
const WIDER: i32 = 40;
const SPARE_MOST: i32 = 90;
const _: () = assert!(STAGE_LABEL > SMALL, "the label of a stage stands above its bars");
