//! Pictures of programs, in the manner of Metal's own figures: lanes, passes, stages, bars, and what waits for what.
//!
//! A race is easier to see than to read about. [`svg`](svg()) draws a [`Timeline`]: unordered work
//! stands side by side, so an overlap that should not be is an overlap on paper; what is held back shows as a hatched
//! stretch that says by what; a finding is a red line where order is missing, with its words below. [`json`](json()) gives the
//! timeline as data, [`dot`](dot()) the order as a graph.
//!
//! Nothing here opens a font or a file: widths are reckoned for fixed-pitch letters (`font`), places are whole pixels, and
//! the same program gives the same bytes on every machine. The steps are: rows and tracks (`place`), ways of lines where no text
//! stands (`route`), pixels (`grid`), shapes (`picture`), bands of one page's width (`fold`), and one writer for each format.
//!
//! ```
//! use fencepost_core::draw::{Theme, svg};
//! use fencepost_core::program::{Program, QueueMode};
//! use fencepost_core::timeline::Timeline;
//!
//! let mut p = Program::builder();
//! let q = p.queue("q", QueueMode::Explicit);
//! let [a, b] = ["A", "B"].map(|name| p.buffer(name, 64));
//! let cb = p.command_buffer("cb", q, |items| {
//!     items.compute("P", |pass| { pass.copy("c1", a, b).dispatch("k1", [b], [a]); });
//! });
//! p.steps().commit([cb]);
//! let drawn = svg(&Timeline::of(&p.build())?, "a race", Theme::Light);
//! assert!(drawn.starts_with("<svg") && drawn.contains("class=\"missing\""));
//! # Ok::<(), fencepost_core::program::UnknownName>(())
//! ```
mod badges;
mod captions;
mod dot;
mod escape;
mod fold;
mod font;
mod grid;
mod json;
mod picture;
mod place;
mod route;
mod style;
mod svg;
mod words;

pub use grid::Frame;
pub use picture::{Element, Picture, Shape};
pub use svg::Theme;

pub use dot::dot;
pub use json::json;

use crate::timeline::Timeline;

/// Pairs of places with a red line between them. Findings beyond these have numbers at their places and captions: more lines
/// would hide what they are about.
const LINES_MOST: usize = 16;

/// A timeline as SVG. `title` is the program's name.
pub fn svg(timeline: &Timeline, title: &str, theme: Theme) -> String {
    svg::write(&Picture::of(timeline, title), theme)
}
