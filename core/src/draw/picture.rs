//! A timeline as shapes: rectangles, lines and texts with their places, before they are written in any format.
//!
//! Shapes come in layers. Lines lie above boxes and holds and below bars, and run where no text stands, so nothing
//! that is to be read is crossed.
use super::badges::Badges;
use super::font;
use super::grid::{CHIP, Frame, Grid, LABEL, MARGIN, NAME, NAMES_MOST, SMALL, chips};
use super::place::Placed;
use super::route::{Line, Port, Routes, Side, Way};
use crate::AccessKind;
use crate::timeline::{Anchor, ArrowKind, Effect, Fate, GroupKind, HoldKind, Owner, Timeline};

/// A picture, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels.
    pub width: i32,
    /// Pixels.
    pub height: i32,
    /// What it shows, in a few words.
    pub title: String,
    /// What it shows, for those who do not see it.
    pub description: String,
    /// From the lowest to the uppermost.
    pub elements: Vec<Element>,
}

/// Shapes that are one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// What it is, in full.
    pub title: Option<String>,
    /// From the lowest to the uppermost.
    pub shapes: Vec<Shape>,
}

/// One shape. What it looks like follows from its style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A rectangle with round corners.
    Rectangle {
        /// Where.
        frame: Frame,
        /// Of the corners.
        radius: i32,
        /// The name of its style.
        style: &'static str,
    },
    /// A line through points.
    Line {
        /// At least two.
        points: Vec<(i32, i32)>,
        /// The name of its style.
        style: &'static str,
    },
    /// A filled polygon.
    Polygon {
        /// The corners.
        points: Vec<(i32, i32)>,
        /// The name of its style.
        style: &'static str,
    },
    /// A circle.
    Circle {
        /// The middle.
        at: (i32, i32),
        /// Pixels.
        radius: i32,
        /// The name of its style.
        style: &'static str,
    },
    /// One line of text.
    Text {
        /// What it takes at most.
        frame: Frame,
        /// Of the letters.
        size: i32,
        /// What stands there.
        text: String,
        /// The name of its style.
        style: &'static str,
    },
}

impl Shape {
    /// The name of its style.
    pub const fn style(&self) -> &'static str {
        match self {
            Self::Rectangle { style, .. }
            | Self::Line { style, .. }
            | Self::Polygon { style, .. }
            | Self::Circle { style, .. }
            | Self::Text { style, .. } => style,
        }
    }
}

impl Picture {
    /// Draws a timeline. `title` is the program's name.
    pub fn of(timeline: &Timeline, title: &str) -> Self {
        let placed = Placed::of(timeline);
        let routes = Routes::of(timeline, &placed);
        let badges = Badges::of(timeline);
        let grid = Grid::of(timeline, &placed, &routes, &badges);
        let mut painter = Painter { timeline, placed, routes, grid, badges, layers: Default::default() };
        painter.lanes(title);
        painter.groups();
        painter.holds();
        painter.lines();
        painter.bars();
        painter.marks();
        painter.finish(title)
    }

    /// Every text with the room that it takes.
    pub fn texts(&self) -> impl Iterator<Item = (&str, Frame)> {
        self.shapes().filter_map(|shape| match shape {
            Shape::Text { frame, text, .. } => Some((text.as_str(), *frame)),
            _ => None,
        })
    }

    /// Every stretch of a line between two points.
    pub fn stretches(&self) -> impl Iterator<Item = ((i32, i32), (i32, i32))> {
        let lines = self.shapes().filter_map(|shape| match shape {
            Shape::Line { points, .. } => Some(points),
            _ => None,
        });
        lines.flat_map(|points| points.windows(2).map(|pair| (pair[0], pair[1])))
    }

    fn shapes(&self) -> impl Iterator<Item = &Shape> {
        self.elements.iter().flat_map(|element| &element.shapes)
    }
}

/// Layers from the lowest to the uppermost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    Ground,
    Boxes,
    Holds,
    Lines,
    Bars,
    Texts,
}

pub(super) struct Painter<'a> {
    pub(super) timeline: &'a Timeline,
    placed: Placed,
    pub(super) routes: Routes,
    pub(super) grid: Grid,
    badges: Badges,
    layers: super::fold::Layers,
}

impl Painter<'_> {
    pub(super) fn add(&mut self, layer: Layer, title: Option<String>, shapes: Vec<Shape>) {
        self.layers[layer as usize].push(Element { title, shapes });
    }

    /// Whether any line stands for an order that is missing.
    pub(super) fn misses(&self) -> bool {
        let mut lines = self.routes.ways.iter().map(|way| way.line);
        lines.any(|line| matches!(line, Line::Missing(_) | Line::Order(ArrowKind::Stuck)))
    }

    fn frame(&self, anchor: Anchor) -> Option<Frame> {
        self.grid.frame(&self.placed, self.timeline, anchor)
    }

    /// Badges from a right edge leftwards; where they begin.
    fn badge_row(&self, anchor: Anchor, right: i32, middle: i32, shapes: &mut Vec<Shape>) -> i32 {
        let mut x = right;
        for badge in self.badges.at(anchor).iter().rev() {
            x -= badge.width();
            badge.draw(x, middle, shapes);
        }
        x
    }

    fn lanes(&mut self, title: &str) {
        let most = self.grid.right - MARGIN;
        let title = font::fitted(title, NAME, most);
        let shape = text(&title, MARGIN, 24, NAME, most, "title");
        self.add(Layer::Texts, None, shape.into_iter().collect());
        for (number, lane) in self.timeline.lanes.iter().enumerate() {
            let Some((top, bottom)) = self.grid.lanes.get(number).copied() else { continue };
            let (x, width) = (self.grid.left, self.grid.right - self.grid.left);
            let frame = Frame { x, y: top, width, height: bottom - top };
            let style = if matches!(lane.owner, Owner::Queue(_)) { "lane" } else { "cpulane" };
            let shapes = vec![Shape::Rectangle { frame, radius: 6, style }];
            self.add(Layer::Ground, Some(format!("{} {}", lane.detail, lane.name)), shapes);
            let middle = (top + bottom) / 2;
            let mut shapes = Vec::new();
            shapes.extend(text(&lane.name, x + 10, middle - 1, NAME, NAMES_MOST, "name"));
            shapes.extend(text(&lane.detail, x + 10, middle + 13, SMALL, NAMES_MOST, "muted"));
            self.add(Layer::Texts, None, shapes);
        }
    }

    fn groups(&mut self) {
        for (number, group) in self.timeline.groups.iter().enumerate() {
            let anchor = Anchor::Group(number);
            if !matches!(group.kind, GroupKind::Pass(..)) {
                continue;
            }
            let Some(frame) = self.frame(anchor) else { continue };
            let Some(block) = self.placed.blocks.get(number) else { continue };
            let style = if group.fate == Fate::Runs { "pass" } else { "ghostpass" };
            let mut shapes = vec![Shape::Rectangle { frame, radius: 6, style }];
            let mut labels = Vec::new();
            let x = self.grid.zone_end(block.from);
            let mut right = self.grid.clear(block.from, block.to);
            right = self.badge_row(anchor, right, frame.y + 12, &mut labels);
            let label = font::fitted(&group.label, LABEL, right - x);
            let used = font::width(&label, LABEL);
            labels.extend(text(&label, x, frame.y + 16, LABEL, right - x, "label"));
            let rest = right - x - used - 8;
            let detail = font::fitted(&group.detail, SMALL, rest);
            // A word cut down to a letter or two says nothing.
            if detail.chars().count() > 3 {
                labels.extend(text(&detail, x + used + 8, frame.y + 16, SMALL, rest, "muted"));
            }
            for row in &block.rows {
                let Some(stage) = row.stage else { continue };
                let row_frame =
                    Frame { x: frame.x + 3, y: frame.y + row.y, width: frame.width - 6, height: row.height };
                shapes.push(Shape::Rectangle { frame: row_frame, radius: 4, style: "row" });
                let most = self.grid.clear(block.from, block.to) - x;
                labels.extend(text(stage.name(), x, row_frame.y + 11, SMALL, most, "stage"));
            }
            let title = format!("{} ({})", group.label, group.detail);
            self.add(Layer::Boxes, Some(title), shapes);
            self.add(Layer::Texts, None, labels);
        }
    }

    fn holds(&mut self) {
        for (number, hold) in self.timeline.holds.iter().enumerate() {
            let anchor = Anchor::Hold(number);
            let (Some(frame), Some(cell)) = (self.frame(anchor), self.placed.cells.get(&anchor).copied())
            else {
                continue;
            };
            let alarm = self.badges.at(anchor).iter().any(|badge| badge.is_error);
            let style = match (hold.effect, alarm) {
                (Effect::Never, _) | (_, true) => "holdnever",
                (Effect::Holds, _) => "hold",
                _ => "holdidle",
            };
            let mut shapes = vec![Shape::Rectangle { frame, radius: 3, style }];
            if hold.effect == Effect::Holds {
                let x = frame.right() - 1;
                let points = vec![(x, frame.y), (x, frame.bottom())];
                shapes.push(Shape::Line { points, style: wall(hold.kind) });
            }
            let word = hold.effect.word();
            let title = match word {
                Some(word) => format!("{}: {word}", hold.label),
                None => format!("{}: held from {} to {}", hold.label, hold.from, hold.to),
            };
            self.add(Layer::Holds, Some(title), shapes);
            let mut labels = Vec::new();
            let right = self.grid.clear(cell.from, cell.to) - 4;
            let right = self.badge_row(anchor, right + 2, frame.y + frame.height.min(36) / 2, &mut labels);
            let most = right - frame.x - 6;
            let mut lines = font::wrapped(&hold.label, SMALL, most);
            if frame.height < 30 {
                lines = vec![font::fitted(&hold.label, SMALL, most)];
                if let Some(word) = word {
                    let longer = format!("{} · {word}", hold.label);
                    if font::width(&longer, SMALL) <= most {
                        lines = vec![longer];
                    }
                }
            } else if let Some(word) = word {
                lines = vec![font::fitted(&hold.label, SMALL, most), word.to_owned()];
            }
            if lines.len() > 2 {
                let rest = lines.split_off(1).join(" ");
                lines.push(font::fitted(&rest, SMALL, most));
            }
            let count = lines.len() as i32;
            let mut y = frame.middle() - count * 12 / 2 + 9;
            for (line, number) in lines.iter().zip(0..) {
                let second = number == 1 && word.is_some();
                let style = match (style, second) {
                    ("holdnever", true) => "alarm",
                    (_, true) => "mutedem",
                    _ => "holdlabel",
                };
                labels.extend(text(line, frame.x + 6, y, SMALL, most, style));
                y += 12;
            }
            self.add(Layer::Texts, None, labels);
        }
    }

    fn bars(&mut self) {
        for (number, bar) in self.timeline.bars.iter().enumerate() {
            let anchor = Anchor::Bar(number);
            let Some(frame) = self.frame(anchor) else { continue };
            let ghost = self.timeline.groups.get(bar.group).is_none_or(|group| group.fate != Fate::Runs);
            let found = !self.badges.at(anchor).is_empty();
            let style = if ghost { "ghost" } else { super::style::bar(bar.stage) };
            let mut shapes = vec![Shape::Rectangle { frame, radius: 4, style }];
            if found {
                let frame = Frame {
                    x: frame.x - 1,
                    y: frame.y - 1,
                    width: frame.width + 2,
                    height: frame.height + 2,
                };
                shapes.push(Shape::Rectangle { frame, radius: 5, style: "alarmframe" });
            }
            let right = self.badge_row(anchor, frame.right() - 3, frame.y + 11, &mut shapes);
            let label_y = if bar.touches.is_empty() { frame.middle() + 4 } else { frame.y + 14 };
            let style = if ghost { "muted" } else { "label" };
            shapes.extend(text(&bar.label, frame.x + 7, label_y, LABEL, right - frame.x - 10, style));
            self.chips(number, frame, ghost, &mut shapes);
            self.add(Layer::Bars, Some(self.bar_title(number)), shapes);
        }
    }

    fn bar_title(&self, number: usize) -> String {
        let Some(bar) = self.timeline.bars.get(number) else { return String::new() };
        let touched = bar.touches.iter().map(|touch| {
            let verb = match touch.kind {
                AccessKind::Read => "reads",
                AccessKind::Write => "writes",
                AccessKind::ReadWrite => "reads and writes",
                AccessKind::Atomic => "changes by atomics",
            };
            format!("{verb} {}", touch.part)
        });
        let touched: Vec<String> = touched.collect();
        let stage = bar.stage.map_or("CPU", crate::Stage::name);
        format!("{} ({stage}), from {} to {}: {}", bar.path, bar.start, bar.end, touched.join(", "))
    }

    /// What a bar touches: outlined for a read, filled for a write.
    fn chips(&self, number: usize, bar: Frame, ghost: bool, shapes: &mut Vec<Shape>) {
        let Some(touches) = self.timeline.bars.get(number).map(chips) else { return };
        let (mut x, y) = (bar.x + 6, bar.y + 19);
        let room = bar.right() - 5;
        let alarmed = self.alarmed(number);
        for (place, touch) in touches.iter().enumerate() {
            let rest = touches.len() - place;
            let more = format!("+{rest}");
            let reserved = if rest > 1 { font::width(&more, SMALL) + CHIP } else { 0 };
            let name = font::fitted(touch.0, SMALL, room - x - CHIP + 4);
            let width = font::width(&name, SMALL) + CHIP - 4;
            if name != touch.0 && place > 0 || x + width + reserved > room && rest > 1 && place > 0 {
                shapes.extend(text(&more, x, y + 10, SMALL, room - x, "muted"));
                return;
            }
            let frame = Frame { x, y, width, height: 13 };
            let alarm = alarmed.iter().any(|part| {
                *part == touch.0 || touch.0.split_once(':').is_some_and(|(name, _)| name == part)
            });
            let (box_style, text_style) = super::style::chip(touch.1, alarm, ghost);
            shapes.push(Shape::Rectangle { frame, radius: 3, style: box_style });
            shapes.extend(text(&name, x + 5, y + 10, SMALL, width - 5, text_style));
            x += width + 4;
        }
    }

    /// Parts of resources about which a bar is in conflict; whole names stand for all their parts.
    fn alarmed(&self, number: usize) -> Vec<String> {
        let anchor = Some(Anchor::Bar(number));
        let mut names = Vec::new();
        for conflict in &self.timeline.conflicts {
            if conflict.first == anchor {
                names.extend(conflict.parts.first().cloned());
            }
            if conflict.second == anchor {
                names.extend(conflict.parts.last().cloned());
            }
        }
        names
    }

    fn marks(&mut self) {
        for (number, mark) in self.timeline.marks.iter().enumerate() {
            let anchor = Anchor::Mark(number);
            let Some(frame) = self.frame(anchor) else { continue };
            let zone = self.placed.zone(mark.at);
            let x = self.grid.slot_x(zone, self.routes.dot_slot(number, zone));
            let y = frame.middle();
            let runs = mark.fate == Fate::Runs;
            let style = if runs { "dot" } else { "ghostdot" };
            let mut shapes = vec![Shape::Circle { at: (x, y), radius: 4, style }];
            let before = zone > 0;
            let badges = self.badges.width(anchor);
            let most = frame.width - 4 - badges;
            let label = font::fitted(&mark.label, SMALL, most);
            let used = font::width(&label, SMALL);
            // A badge stands behind the text, on whichever side of the dot the text is.
            let end = if before { frame.right() } else { frame.x + 8 + used + badges };
            let right = self.badge_row(anchor, end, y, &mut shapes);
            let style = if runs { "marklabel" } else { "muted" };
            shapes.extend(text(&label, right - used - 4, y + 4, SMALL, used, style));
            let (a, b) = if before { (frame.right(), x - 4) } else { (x + 4, frame.x + 2) };
            shapes.push(Shape::Line { points: vec![(a, y), (b, y)], style: "leader" });
            self.add(Layer::Bars, Some(mark.label.clone()), shapes);
        }
    }

    fn lines(&mut self) {
        for way in self.routes.ways.clone() {
            let Some(points) = self.points(&way) else { continue };
            let style = super::style::line(way.line);
            let title = match way.line {
                Line::Missing(number) => {
                    self.timeline.conflicts.get(number).map(|found| found.message.clone())
                }
                Line::Order(_) => None,
            };
            let mut shapes = Vec::new();
            if let Some(head) = head(&points) {
                let style = match way.line {
                    Line::Missing(_) | Line::Order(ArrowKind::Stuck) => "redhead",
                    Line::Order(ArrowKind::Cpu) => "softhead",
                    Line::Order(_) => "head",
                };
                shapes.push(Shape::Polygon { points: head, style });
            }
            let middle = longest(&points);
            shapes.insert(0, Shape::Line { points, style });
            if matches!(way.line, Line::Missing(_) | Line::Order(ArrowKind::Stuck)) {
                shapes.extend(cross(middle));
            }
            self.add(Layer::Lines, title, shapes);
        }
    }

    fn points(&self, way: &Way) -> Option<Vec<(i32, i32)>> {
        let red = matches!(way.line, Line::Missing(_));
        let start_x = self.grid.slot_x(way.from.zone, self.routes.zone_slot(way, way.from.zone));
        let end_x = self.grid.slot_x(way.to.zone, self.routes.zone_slot(way, way.to.zone));
        let (from, from_y) = self.port(way.from, start_x, red, None)?;
        let via = way.gutter.map(|gutter| self.grid.slot_y(gutter, self.routes.gutter_slot(way, gutter)));
        let (to, to_y) = self.port(way.to, end_x, red, Some(via.unwrap_or(from_y)))?;
        let mut points = vec![(from, from_y), (start_x, from_y)];
        if let Some(y) = via {
            points.extend([(start_x, y), (end_x, y)]);
        }
        points.extend([(end_x, to_y), (to, to_y)]);
        points.dedup();
        Some(points)
    }

    /// Where a line leaves or arrives; `coming` is the height that it comes from.
    fn port(&self, port: Port, slot: i32, red: bool, coming: Option<i32>) -> Option<(i32, i32)> {
        let frame = self.frame(port.anchor)?;
        let y = match port.anchor {
            Anchor::Group(_) => frame.y + 12,
            _ if red => frame.middle() + 9,
            _ => frame.middle(),
        };
        Some(match port.side {
            Side::Left => (frame.x - if red { 1 } else { 0 }, y),
            Side::Right => (frame.right() + if red { 1 } else { 0 }, y),
            Side::Dot => {
                let Anchor::Mark(number) = port.anchor else { return None };
                (self.grid.slot_x(port.zone, self.routes.dot_slot(number, port.zone)), y)
            }
            Side::Edge => {
                let above = coming.is_some_and(|coming| coming < frame.middle());
                (slot, if above { frame.y } else { frame.bottom() })
            }
        })
    }

    /// Where time may be cut, and how far to the right nothing but lines' ends stands there.
    fn cuts(&self) -> Vec<(i32, i32)> {
        let zones = self.placed.cuts.len();
        (1..zones.saturating_sub(1)).map(|zone| (self.grid.cut(zone), self.grid.clear(zone, zones))).collect()
    }

    fn finish(mut self, title: &str) -> Picture {
        let cuts = self.cuts();
        let folded = super::fold::fold(&mut self.layers, &self.grid, &cuts);
        let width = folded.right + MARGIN;
        let bottom = self.captions(folded.bottom + 4, width);
        let height = self.legend(bottom, width) + 6;
        let frame = Frame { x: 0, y: 0, width, height };
        let ground =
            Element { title: None, shapes: vec![Shape::Rectangle { frame, radius: 0, style: "ground" }] };
        let description = super::words::description(self.timeline);
        let elements = core::iter::once(ground).chain(self.layers.into_iter().flatten()).collect();
        Picture { width, height, title: title.to_owned(), description, elements }
    }
}

/// One line of text at a baseline, cut where it is too wide; nothing where nothing fits.
pub(super) fn text(
    text: &str,
    x: i32,
    baseline: i32,
    size: i32,
    most: i32,
    style: &'static str,
) -> Option<Shape> {
    let text = font::fitted(text, size, most);
    if text.trim().is_empty() {
        return None;
    }
    let frame = Frame { x, y: baseline - size * 8 / 10, width: font::width(&text, size), height: size };
    Some(Shape::Text { frame, size, text, style })
}

/// A small triangle at the end of a line.
fn head(points: &[(i32, i32)]) -> Option<Vec<(i32, i32)>> {
    let (end, before) = (points.last()?, points.get(points.len().checked_sub(2)?)?);
    let (dx, dy) = ((end.0 - before.0).signum(), (end.1 - before.1).signum());
    let back = (end.0 - dx * 7, end.1 - dy * 7);
    Some(vec![*end, (back.0 + dy * 4, back.1 + dx * 4), (back.0 - dy * 4, back.1 - dx * 4)])
}

/// The middle of the longest stretch.
fn longest(points: &[(i32, i32)]) -> (i32, i32) {
    let length = |pair: &&[(i32, i32)]| (pair[0].0 - pair[1].0).abs() + (pair[0].1 - pair[1].1).abs();
    let longest = points.windows(2).max_by_key(length);
    longest.map_or((0, 0), |pair| ((pair[0].0 + pair[1].0) / 2, (pair[0].1 + pair[1].1) / 2))
}

/// A cross: what would have to be there is not.
fn cross((x, y): (i32, i32)) -> [Shape; 3] {
    let line = |points| Shape::Line { points, style: "cross" };
    [
        Shape::Circle { at: (x, y), radius: 6, style: "crossground" },
        line(vec![(x - 4, y - 4), (x + 4, y + 4)]),
        line(vec![(x - 4, y + 4), (x + 4, y - 4)]),
    ]
}

const fn wall(kind: HoldKind) -> &'static str {
    match kind {
        HoldKind::Tracking => "softwall",
        _ => "wall",
    }
}
