//! Long pictures in bands, one below the other, as music is written in staves.
//!
//! Sixty commands one after another are several pages wide, and a page shows them only so small that nobody can read them. So a
//! picture that is wider than a page is cut where the least stands in the way, and its parts are put below each
//! other. Every band has the lanes' names; a line that comes to the end of a band goes on at the same place of its
//! lane in the next. A lane in which nothing happens takes no room in a band, and neither does height that only other
//! bands need.
//!
//! Only places change here: what is apart before is apart afterwards, since within a band all shapes move together to the
//! side, and height goes only where nothing stands.
use super::font;
use super::grid::{Frame, Grid, LABEL, MARGIN, SMALL, TOP};
use super::picture::{Element, Layer, Shape, text};
use super::place::HEADER;

/// Elements of each layer, from the lowest to the uppermost.
pub(super) type Layers = [Vec<Element>; 6];

/// How far a picture reaches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folded {
    pub(super) right: i32,
    pub(super) bottom: i32,
}

/// A stretch of time, from pixel to pixel, and how far a text may reach that begins at its left edge.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: i32,
    to: i32,
    clear: i32,
}

/// Height that is left, as stretches of the wide picture with what each moves by, and the lanes.
struct Heights {
    stretches: Vec<(i32, i32, i32, i32)>,
    /// Of each lane that has something: its number, its upper and lower edge.
    lanes: Vec<(usize, i32, i32)>,
    bottom: i32,
}

/// Puts the layers of a picture into bands, if one does not do. `cuts` are the places at which time may be cut.
pub(super) fn fold(layers: &mut Layers, grid: &Grid, cuts: &[(i32, i32)]) -> Folded {
    let left = grid.zone_start(0);
    if grid.right + MARGIN <= WIDEST {
        return Folded { right: grid.right, bottom: grid.bottom };
    }
    let windows = windows(layers, grid, cuts);
    let right = left + windows.iter().map(|own| own.to - own.from).max().unwrap_or(0);
    let mut new = Layers::default();
    let mut top = TOP;
    for (number, window) in windows.iter().enumerate() {
        let heights = heights(layers, grid, *window, top);
        let band = Band {
            window: *window,
            dx: left - window.from,
            heights: &heights,
            grid,
            right,
            first: number == 0,
        };
        band.grounds(layers, &mut new);
        for (layer, elements) in layers.iter().enumerate() {
            if layer != Layer::Ground as usize {
                let elements = elements.iter();
                if layer == Layer::Holds as usize {
                    new[layer].extend(elements.filter_map(|element| band.hold(element)));
                } else {
                    new[layer].extend(elements.filter_map(|element| band.element(element)));
                }
            }
        }
        top = heights.bottom + BAND_GAP;
    }
    *layers = new;
    Folded { right, bottom: top - BAND_GAP }
}

/// Stretches of about the same width, cut where the fewest things are.
fn windows(layers: &Layers, grid: &Grid, cuts: &[(i32, i32)]) -> Vec<Window> {
    let (start, end) = (grid.zone_start(0), grid.right);
    let room = WIDEST - start - MARGIN;
    let mut windows = Vec::new();
    let (mut from, mut clear) = (start, grid.clear(0, cuts.len() + 1));
    while end - from > room {
        let bands = (end - from + room - 1) / room;
        let wanted = from + (end - from) / bands;
        let near = cuts.iter().filter(|cut| cut.0 > from + room / 4 && cut.0 <= from + room);
        let cost = |cut: &&(i32, i32)| in_the_way(layers, cut.0) * 40 + (cut.0 - wanted).abs();
        // A column alone may be wider than a page.
        let next = near.min_by_key(cost).or_else(|| cuts.iter().find(|cut| cut.0 > from));
        let Some(&(to, next_clear)) = next else { break };
        windows.push(Window { from, to, clear });
        (from, clear) = (to, next_clear);
    }
    windows.push(Window { from, to: end, clear });
    windows
}

/// How much a cut would go through: texts count most, bars and waits some, lines little.
fn in_the_way(layers: &Layers, x: i32) -> i32 {
    let through = |frame: &Frame| frame.x < x && x < frame.right();
    let weight = |layer: usize, shape: &Shape| match shape {
        Shape::Text { frame, .. } if through(frame) => 20,
        Shape::Rectangle { frame, .. } if through(frame) && layer == Layer::Bars as usize => 4,
        Shape::Rectangle { frame, .. } if through(frame) && layer == Layer::Boxes as usize => 2,
        Shape::Line { points, .. } => {
            let crossing = |pair: &[(i32, i32)]| pair[0].0.min(pair[1].0) < x && x < pair[0].0.max(pair[1].0);
            i32::from(points.windows(2).any(crossing))
        }
        _ => 0,
    };
    let ground = Layer::Ground as usize;
    let layers = layers.iter().enumerate().filter(|(layer, _)| *layer != ground);
    layers
        .flat_map(|(layer, elements)| elements.iter().map(move |element| (layer, element)))
        .flat_map(|(layer, element)| element.shapes.iter().map(move |shape| weight(layer, shape)))
        .sum()
}

/// Which heights a window needs, and where they come to stand below `top`.
fn heights(layers: &Layers, grid: &Grid, window: Window, top: i32) -> Heights {
    let mut taken: Vec<(i32, i32)> = Vec::new();
    for (layer, elements) in layers.iter().enumerate() {
        if layer == Layer::Ground as usize {
            continue;
        }
        for shape in elements.iter().flat_map(|element| &element.shapes) {
            take(shape, window, &mut taken);
        }
    }
    taken.sort_unstable();
    let mut merged: Vec<(i32, i32)> = Vec::new();
    for (from, to) in taken {
        match merged.last_mut() {
            Some(last) if from <= last.1 + KEPT => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    let mut heights = Heights { stretches: Vec::new(), lanes: Vec::new(), bottom: top };
    for (number, (lane_top, lane_bottom)) in grid.lanes.iter().enumerate() {
        let own: Vec<(i32, i32)> = merged
            .iter()
            .map(|(from, to)| (*from.max(lane_top), *to.min(lane_bottom)))
            .filter(|(from, to)| from < to)
            .collect();
        if own.is_empty() {
            continue;
        }
        let upper = heights.bottom;
        let mut y = upper + KEPT / 2;
        for (from, to) in own {
            heights.stretches.push((from, to, y, y + to - from));
            y += to - from + KEPT;
        }
        let lower = (y - KEPT / 2).max(upper + LANE_LEAST);
        heights.lanes.push((number, upper, lower));
        heights.bottom = lower + LANE_GAP;
    }
    heights.bottom = heights.bottom.max(top + LANE_GAP) - LANE_GAP;
    // What runs below the last lane, or between lanes, keeps its room at the bottom.
    let below = grid.lanes.last().map_or(0, |lane| lane.1);
    for (from, to) in
        merged.into_iter().map(|(from, to)| (from.max(below), to)).filter(|(from, to)| from < to)
    {
        let y = heights.bottom + KEPT / 2;
        heights.stretches.push((from, to, y, y + to - from));
        heights.bottom = y + to - from;
    }
    heights
}

/// The height that a shape takes in a window.
fn take(shape: &Shape, window: Window, taken: &mut Vec<(i32, i32)>) {
    let meets = |from: i32, to: i32| from < window.to && window.from < to;
    match shape {
        // Of a box its head and its edges: what stands in it takes its own height.
        Shape::Rectangle { frame, style: "pass" | "ghostpass" | "row", .. } => {
            let head = if matches!(shape.style(), "row") { 2 } else { HEADER };
            if meets(frame.x, frame.right()) {
                taken.extend([(frame.y - 1, frame.y + head), (frame.bottom() - 2, frame.bottom() + 1)]);
            }
        }
        // What ends at the cut is not drawn behind it.
        Shape::Rectangle { frame, .. } if frame.x < window.from && frame.right() <= window.from + STUB => {}
        Shape::Rectangle { frame, .. } | Shape::Text { frame, .. } => {
            if meets(frame.x, frame.right()) && frame.y >= TOP {
                taken.push((frame.y - 1, frame.bottom() + 1));
            }
        }
        Shape::Line { points, .. } => {
            for pair in points.windows(2) {
                let (from, to) = (pair[0].0.min(pair[1].0), pair[0].0.max(pair[1].0));
                if pair[0].1 == pair[1].1 && meets(from, to) {
                    taken.push((pair[0].1 - LINE, pair[0].1 + LINE));
                }
            }
        }
        Shape::Polygon { points, .. } => {
            let (from, to) = points
                .iter()
                .fold((i32::MAX, i32::MIN), |span, point| (span.0.min(point.0), span.1.max(point.0)));
            let (upper, lower) = points
                .iter()
                .fold((i32::MAX, i32::MIN), |span, point| (span.0.min(point.1), span.1.max(point.1)));
            if meets(from, to) {
                taken.push((upper, lower));
            }
        }
        Shape::Circle { at, radius, .. } => {
            if meets(at.0 - radius, at.0 + radius) {
                taken.push((at.1 - radius, at.1 + radius));
            }
        }
    }
}

/// One band, on its way from the wide picture to its place.
struct Band<'a> {
    window: Window,
    dx: i32,
    heights: &'a Heights,
    grid: &'a Grid,
    right: i32,
    first: bool,
}

impl Band<'_> {
    /// The height at which a height of the wide picture stands.
    fn y(&self, y: i32) -> i32 {
        let stretches = &self.heights.stretches;
        let next = stretches.iter().find(|own| y <= own.1);
        let before = stretches.iter().rfind(|own| own.1 < y);
        match (before, next) {
            (_, Some(own)) if own.0 <= y => own.2 + y - own.0,
            // In between, where nothing stands: as far from both, as far as there is room.
            (Some(before), Some(next)) => (before.3 + (y - before.1)).min(next.2),
            (Some(before), None) => (before.3 + (y - before.1)).min(self.heights.bottom),
            (None, Some(next)) => (next.2 - (next.0 - y)).max(next.2 - KEPT / 2),
            (None, None) => y,
        }
    }

    fn grounds(&self, layers: &Layers, new: &mut Layers) {
        let grounds = &layers[Layer::Ground as usize];
        for (number, upper, lower) in &self.heights.lanes {
            let Some(element) = grounds.get(*number) else { continue };
            let mut element = element.clone();
            for shape in &mut element.shapes {
                if let Shape::Rectangle { frame, .. } = shape {
                    (frame.y, frame.height) = (*upper, lower - upper);
                    frame.width = self.right - frame.x;
                }
            }
            new[Layer::Ground as usize].push(element);
        }
        // Names stand in the middle of their lanes.
        for element in &layers[Layer::Texts as usize] {
            let names = element.shapes.iter().filter_map(|shape| match shape {
                Shape::Text { frame, .. } if frame.right() <= self.grid.zone_start(0) && frame.y >= TOP => {
                    Some(frame)
                }
                _ => None,
            });
            let Some(frame) = names.min_by_key(|frame| frame.y) else { continue };
            let lane = self.grid.lanes.iter().position(|lane| lane.0 <= frame.y && frame.y < lane.1);
            let Some((number, upper, lower)) = self.heights.lanes.iter().find(|own| Some(own.0) == lane)
            else {
                continue;
            };
            let was = self.grid.lanes.get(*number).map_or(0, |lane| (lane.0 + lane.1) / 2);
            let dy = (upper + lower) / 2 - was;
            let mut element = element.clone();
            for shape in &mut element.shapes {
                if let Shape::Text { frame, .. } = shape {
                    frame.y += dy;
                }
            }
            new[Layer::Texts as usize].push(element);
        }
    }

    /// A wait, which reaches up to what it holds: behind the cut, where it ends in a zone that is cut. Its end stands in
    /// front of the cut then.
    fn hold(&self, element: &Element) -> Option<Element> {
        let Window { from, to, .. } = self.window;
        let frame = element.shapes.iter().find_map(|shape| match shape {
            Shape::Rectangle { frame, .. } => Some(*frame),
            _ => None,
        })?;
        if frame.x < from && frame.right() <= from + STUB {
            return None;
        }
        let mut element = element.clone();
        if frame.right() > to && frame.right() <= to + STUB {
            for shape in &mut element.shapes {
                match shape {
                    Shape::Rectangle { frame, .. } => frame.width = to - frame.x,
                    Shape::Line { points, .. } => points.iter_mut().for_each(|point| point.0 = to - 2),
                    _ => {}
                }
            }
        }
        self.element(&element)
    }

    /// What of an element stands in this band.
    fn element(&self, element: &Element) -> Option<Element> {
        let mut shapes = Vec::new();
        let mut goes_on = None;
        for shape in &element.shapes {
            if let (Shape::Rectangle { frame, style, .. }, true) = (shape, goes_on.is_none())
                && frame.x < self.window.from
                && frame.right() > self.window.from + STUB
            {
                goes_on = Some((*frame, *style));
            }
            self.shape(shape, &mut shapes);
        }
        if let Some((frame, style)) = goes_on {
            shapes.extend(self.again(element, frame, style));
        }
        (!shapes.is_empty()).then(|| Element { title: element.title.clone(), shapes })
    }

    /// The name of what goes on from the band before.
    fn again(&self, element: &Element, frame: Frame, style: &str) -> Option<Shape> {
        let is_pass = matches!(style, "pass" | "ghostpass");
        let label = element.shapes.iter().find_map(|shape| match shape {
            Shape::Text { text, frame, .. } if frame.x < self.window.from => Some((text.clone(), frame.y)),
            _ => None,
        });
        let (label, y) = match (is_pass, label) {
            (true, _) => {
                (element.title.as_ref()?.split(" (").next()?.to_owned(), frame.y + 16 - LABEL * 8 / 10)
            }
            (false, Some(label)) => label,
            (false, None) => return None,
        };
        let x = self.window.from + self.dx + 12;
        let end = frame.right().min(self.window.clear).min(self.window.to) + self.dx - 4;
        let label = format!("… {label}");
        // A name cut down to a letter or two says nothing.
        let whole = font::width(&label, SMALL) <= end - x;
        whole.then(|| text(&label, x, self.y(y) + LABEL * 8 / 10, SMALL, end - x, "muted")).flatten()
    }

    fn shape(&self, shape: &Shape, shapes: &mut Vec<Shape>) {
        let Window { from, to, .. } = self.window;
        let within = |x: i32| from <= x && x < to;
        match shape {
            Shape::Rectangle { frame, radius, style } => {
                let (left, right) = (frame.x.max(from), frame.right().min(to));
                // The end of a border in the next band would be but a line.
                if right - left > STUB.min(frame.width - 1) {
                    let (top, bottom) = (self.y(frame.y), self.y(frame.bottom()));
                    let frame =
                        Frame { x: left + self.dx, y: top, width: right - left, height: bottom - top };
                    shapes.push(Shape::Rectangle { frame, radius: *radius, style });
                }
            }
            Shape::Text { frame, size, text: words, style } => {
                // The title stands above the first band, names of lanes in each.
                if frame.y < TOP {
                    if self.first {
                        let most = self.right - frame.x;
                        shapes.extend(text(words, frame.x, frame.y + size * 8 / 10, *size, most, style));
                    }
                } else if within(frame.x) {
                    let baseline = self.y(frame.y) + size * 8 / 10;
                    let most = frame.width.min(to - frame.x - 4);
                    shapes.extend(text(words, frame.x + self.dx, baseline, *size, most, style));
                }
            }
            Shape::Line { points, style } => {
                for points in self.pieces(points) {
                    shapes.push(Shape::Line { points, style });
                }
            }
            Shape::Polygon { points, style } => {
                let middle = points.iter().map(|point| point.0).sum::<i32>() / points.len().max(1) as i32;
                if within(middle) {
                    // A head keeps its form, whatever the height around it does.
                    let dy = points.first().map_or(0, |point| self.y(point.1) - point.1);
                    let points = points.iter().map(|(x, y)| (x + self.dx, y + dy)).collect();
                    shapes.push(Shape::Polygon { points, style });
                }
            }
            Shape::Circle { at, radius, style } if within(at.0) => {
                shapes.push(Shape::Circle { at: (at.0 + self.dx, self.y(at.1)), radius: *radius, style });
            }
            Shape::Circle { .. } => {}
        }
    }

    /// The parts of a line in this band.
    fn pieces(&self, points: &[(i32, i32)]) -> Vec<Vec<(i32, i32)>> {
        let Window { from, to, .. } = self.window;
        let mut pieces: Vec<Vec<(i32, i32)>> = Vec::new();
        let mut open = false;
        for pair in points.windows(2) {
            let ((x, y), (to_x, to_y)) = (pair[0], pair[1]);
            let (start, end) = (x.clamp(from, to), to_x.clamp(from, to));
            let is_outside = if x == to_x { x < from || x >= to } else { start == end };
            if is_outside {
                open = false;
                continue;
            }
            let place = |x: i32, y: i32| (x + self.dx, self.y(y));
            match pieces.last_mut().filter(|_| open && start == x) {
                Some(piece) => piece.push(place(end, to_y)),
                None => pieces.push(vec![place(start, y), place(end, to_y)]),
            }
            open = end == to_x;
        }
        pieces
    }
}

/// A page, in pixels: text of this size is still read when an article shows it in half of them.
const WIDEST: i32 = 1240;
/// Height between things that stays where nothing stands.
const KEPT: i32 = 8;
/// Half of the height that a line needs.
const LINE: i32 = 5;
const LANE_GAP: i32 = 8;
const LANE_LEAST: i32 = 40;
const BAND_GAP: i32 = 22;
/// The part of a border that a cut may leave out.
const STUB: i32 = 12;
