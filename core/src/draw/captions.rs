//! Below the lanes: the findings in words, and what the signs mean.
use super::badges::{Badge, numbered};
use super::font;
use super::grid::{Frame, MARGIN, SMALL};
use super::picture::{Layer, Painter, Shape, text};
use crate::AccessKind;
use crate::timeline::{Anchor, ArrowKind, Conflict, Effect, Fate};
use crate::validate::Severity;

impl Painter<'_> {
    /// The findings; where they end.
    pub(super) fn captions(&mut self, top: i32, width: i32) -> i32 {
        let mut y = top;
        let numbered = numbered(self.timeline);
        let badge =
            |(number, own): (usize, &Vec<&Conflict>)| Badge::one(number, own[0].severity == Severity::Error);
        let badges: Vec<Badge> = numbered.iter().enumerate().map(badge).collect();
        let left = MARGIN + badges.iter().map(Badge::width).max().unwrap_or(0) + 6;
        let most = width - MARGIN - left;
        for (badge, conflicts) in badges.iter().zip(&numbered) {
            let mut shapes = Vec::new();
            badge.draw(left - 6 - badge.width(), y + 9, &mut shapes);
            let message = self.caption(conflicts);
            for line in font::wrapped(&message, CAPTION, most) {
                shapes.extend(text(&line, left, y + 13, CAPTION, most, "caption"));
                y += LINE;
            }
            y += 5;
            self.add(Layer::Texts, None, shapes);
        }
        if self.routes.left_out > 0 {
            let line = format!("Red lines stand for the first {} pairs of places.", super::LINES_MOST);
            let shape = text(&line, left, y + 13, CAPTION, most, "muted");
            self.add(Layer::Texts, None, shape.into_iter().collect());
            y += LINE + 5;
        }
        y
    }

    /// What the first of some findings says, and towards which other places the same holds.
    fn caption(&self, conflicts: &[&Conflict]) -> String {
        let Some((first, rest)) = conflicts.split_first() else { return String::new() };
        let message = format!("{}: {}", first.finding.code(), first.message);
        let name = |conflict: &&&Conflict| match conflict.first? {
            Anchor::Bar(number) => self.timeline.bars.get(number).map(|bar| bar.path.as_str()),
            Anchor::Hold(number) => self.timeline.holds.get(number).map(|hold| hold.label.as_str()),
            Anchor::Mark(number) => self.timeline.marks.get(number).map(|mark| mark.label.as_str()),
            Anchor::Group(number) => self.timeline.groups.get(number).map(|group| group.label.as_str()),
        };
        let names: Vec<&str> = rest.iter().filter_map(|own| name(&own)).collect();
        if names.is_empty() { message } else { format!("{message} The same with {}.", names.join(", ")) }
    }

    /// The signs that the picture uses; where they end.
    pub(super) fn legend(&mut self, top: i32, width: i32) -> i32 {
        let (mut x, mut y) = (MARGIN, top + 4);
        let mut shapes = Vec::new();
        for (sign, words) in self.signs() {
            let needed = 30 + font::width(words, SMALL);
            if x > MARGIN && x + needed > width - MARGIN {
                (x, y) = (MARGIN, y + 18);
            }
            sign_shapes(sign, x, y, &mut shapes);
            shapes.extend(text(words, x + 30, y + 11, SMALL, width - x - 30, "muted"));
            x += needed + 18;
        }
        let end = if shapes.is_empty() { y } else { y + 18 };
        self.add(Layer::Texts, None, shapes);
        end
    }

    fn signs(&self) -> Vec<(Sign, &'static str)> {
        let timeline = self.timeline;
        let touched = |kind: fn(AccessKind) -> bool| {
            timeline.bars.iter().any(|bar| bar.touches.iter().any(|touch| kind(touch.kind)))
        };
        let arrow = |kind: fn(ArrowKind) -> bool| timeline.arrows.iter().any(|arrow| kind(arrow.kind));
        let mut signs = Vec::new();
        let mut add = |shown: bool, sign: Sign, words: &'static str| {
            if shown {
                signs.push((sign, words));
            }
        };
        add(touched(|kind| matches!(kind, AccessKind::Read | AccessKind::ReadWrite)), Sign::Read, "reads");
        add(touched(|kind| matches!(kind, AccessKind::Write | AccessKind::ReadWrite)), Sign::Write, "writes");
        add(touched(|kind| kind == AccessKind::Atomic), Sign::Atomic, "atomics");
        add(timeline.holds.iter().any(|hold| hold.effect == Effect::Holds), Sign::Hold, "is held");
        let idle = |effect| matches!(effect, Effect::Satisfied | Effect::Nothing | Effect::NeverReached);
        add(timeline.holds.iter().any(|hold| idle(hold.effect)), Sign::Idle, "nothing to hold");
        add(!timeline.marks.is_empty(), Sign::Dot, "signal, update or call");
        let ordered = |kind| matches!(kind, ArrowKind::Barrier | ArrowKind::Fence | ArrowKind::Event);
        add(arrow(ordered), Sign::Order, "by a barrier, fence or event");
        add(arrow(|kind| kind == ArrowKind::Tracking), Sign::Tracking, "by tracking");
        add(arrow(|kind| kind == ArrowKind::Cpu), Sign::Soft, "by the CPU");
        add(self.misses(), Sign::Missing, "order that is missing");
        add(timeline.groups.iter().any(|group| group.fate != Fate::Runs), Sign::Ghost, "never runs");
        signs
    }
}

#[derive(Clone, Copy)]
enum Sign {
    Read,
    Write,
    Atomic,
    Hold,
    Idle,
    Dot,
    Order,
    Tracking,
    Soft,
    Missing,
    Ghost,
}

fn sign_shapes(sign: Sign, x: i32, y: i32, shapes: &mut Vec<Shape>) {
    let frame = Frame { x, y: y + 1, width: 24, height: 13 };
    let rectangle = |style| Shape::Rectangle { frame, radius: 3, style };
    let line = |style| Shape::Line { points: vec![(x, y + 8), (x + 18, y + 8)], style };
    let head =
        |style| Shape::Polygon { points: vec![(x + 24, y + 8), (x + 17, y + 4), (x + 17, y + 12)], style };
    match sign {
        Sign::Read => shapes.push(rectangle("readchip")),
        Sign::Write => shapes.push(rectangle("writechip")),
        Sign::Atomic => shapes.push(rectangle("atomicchip")),
        Sign::Hold => {
            let end = vec![(x + 23, y + 1), (x + 23, y + 14)];
            shapes.extend([rectangle("hold"), Shape::Line { points: end, style: "wall" }]);
        }
        Sign::Idle => shapes.push(rectangle("holdidle")),
        Sign::Dot => shapes.push(Shape::Circle { at: (x + 12, y + 8), radius: 4, style: "dot" }),
        Sign::Order => shapes.extend([line("order"), head("head")]),
        Sign::Tracking => shapes.extend([line("tracking"), head("head")]),
        Sign::Soft => shapes.extend([line("soft"), head("softhead")]),
        Sign::Missing => shapes.extend([line("missing"), head("redhead")]),
        Sign::Ghost => shapes.push(rectangle("ghost")),
    }
}

const CAPTION: i32 = 11;
const LINE: i32 = 15;
