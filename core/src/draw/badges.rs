//! Numbers of findings, on the things that they are about.
//!
//! Every finding has a number at each of its places, so a caption can be followed back to the picture. Findings of one kind
//! about one resource at one later place have one number together: what is missing there is one thing, however many places
//! it is missing towards. Neighbours are written as one: `3-7` is five numbers.
use super::font;
use super::grid::{Frame, SMALL};
use super::picture::{Shape, text};
use crate::timeline::{Anchor, Conflict, Timeline};
use crate::validate::{Kind, Severity};

/// The badges of everything that has any.
#[derive(Debug, Default)]
pub(super) struct Badges(Vec<(Anchor, Vec<Badge>)>);

/// One sign with one number or with several neighbours.
#[derive(Clone, Debug)]
pub(super) struct Badge {
    label: String,
    pub(super) is_error: bool,
}

/// Findings that have a number together.
pub(super) fn numbered(timeline: &Timeline) -> Vec<Vec<&Conflict>> {
    let alike = |first: &Conflict, second: &Conflict| {
        let (own, other) = (&first.finding, &second.finding);
        let same = match (&own.kind, &other.kind) {
            (Kind::Race(own), Kind::Race(other)) | (Kind::Stale(own), Kind::Stale(other)) => {
                own.conflict() == other.conflict()
            }
            _ => false,
        };
        same && own.second == other.second && own.resource == other.resource
    };
    let mut all: Vec<Vec<&Conflict>> = Vec::new();
    for conflict in &timeline.conflicts {
        // What is alike stands near: findings come in the order of their later places.
        match all.iter_mut().rev().take(NEAR).find(|own| alike(own[0], conflict)) {
            Some(own) => own.push(conflict),
            None => all.push(vec![conflict]),
        }
    }
    all
}

impl Badges {
    pub(super) fn of(timeline: &Timeline) -> Self {
        let mut numbers: Vec<(Anchor, Vec<usize>)> = Vec::new();
        let numbered = numbered(timeline);
        for (number, conflicts) in numbered.iter().enumerate() {
            let anchors = conflicts.iter().flat_map(|conflict| [conflict.first, conflict.second]);
            for anchor in anchors.flatten() {
                match numbers.iter_mut().find(|own| own.0 == anchor) {
                    Some(own) if own.1.last() == Some(&number) => {}
                    Some(own) => own.1.push(number),
                    None => numbers.push((anchor, vec![number])),
                }
            }
        }
        let is_error = |number: &usize| numbered[*number][0].severity == Severity::Error;
        let badges = |numbers: Vec<usize>| {
            let runs = numbers.chunk_by(|first, second| *second == first + 1);
            runs.map(|run| {
                let label = match run {
                    [first, .., last] => format!("{}-{}", first + 1, last + 1),
                    _ => run.first().map_or_else(String::new, |only| (only + 1).to_string()),
                };
                Badge { label, is_error: run.iter().any(is_error) }
            })
            .collect()
        };
        Self(numbers.into_iter().map(|(anchor, numbers)| (anchor, badges(numbers))).collect())
    }

    pub(super) fn at(&self, anchor: Anchor) -> &[Badge] {
        self.0.iter().find(|own| own.0 == anchor).map_or(&[], |own| &own.1)
    }

    /// Pixels that the badges of a thing take beside each other.
    pub(super) fn width(&self, anchor: Anchor) -> i32 {
        self.at(anchor).iter().map(Badge::width).sum()
    }
}

impl Badge {
    /// The badge of one finding.
    pub(super) fn one(number: usize, is_error: bool) -> Self {
        Self { label: (number + 1).to_string(), is_error }
    }

    /// Pixels, with the space to the next.
    pub(super) fn width(&self) -> i32 {
        (font::width(&self.label, SMALL) + 8).max(16) + 2
    }

    /// Drawn with its left edge at a place.
    pub(super) fn draw(&self, x: i32, middle: i32, shapes: &mut Vec<Shape>) {
        let style = if self.is_error { "badge" } else { "badgewarning" };
        let frame = Frame { x: x + 1, y: middle - 8, width: self.width() - 2, height: 16 };
        shapes.push(Shape::Rectangle { frame, radius: 8, style });
        let width = font::width(&self.label, SMALL);
        let left = frame.x + (frame.width - width) / 2;
        shapes.extend(text(&self.label, left, middle + 4, SMALL, width, "badgelabel"));
    }
}

/// How many numbers back a finding looks for one that is alike.
const NEAR: usize = 32;
