//! A picture as SVG.
use std::collections::HashSet;
use std::fmt::Write as _;

use super::escape::xml;
use super::font;
use super::picture::{Element, Picture, Shape};
use super::style::{COLOURS, STYLES};

/// On which ground a picture stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Theme {
    /// Whatever the reader's own setting is.
    #[default]
    Auto,
    /// A light ground.
    Light,
    /// A dark ground.
    Dark,
}

// Writing to a string does not fail.
pub(super) fn write(picture: &Picture, theme: Theme) -> String {
    let (width, height) = (picture.width, picture.height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"title desc\" font-family=\"{FONTS}\">\n"
    );
    let _ = writeln!(out, "<title id=\"title\">{}</title>", xml(&picture.title));
    let _ = writeln!(out, "<desc id=\"desc\">{}</desc>", xml(&picture.description));
    out += &styles(picture, theme);
    for (name, ground, line) in
        [("hatch", "hatchground", "hatchline"), ("redhatch", "redhatchground", "redhatchline")]
    {
        let _ = writeln!(
            out,
            "<pattern id=\"{name}\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
             patternTransform=\"rotate(45)\"><rect class=\"{ground}\" width=\"6\" height=\"6\"/>\
             <line class=\"{line}\" x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\"/></pattern>"
        );
    }
    for element in &picture.elements {
        write_element(element, &mut out);
    }
    out += "</svg>\n";
    out
}

/// The rules of the styles that the picture has, and no others.
fn styles(picture: &Picture, theme: Theme) -> String {
    let mut used: HashSet<&str> =
        HashSet::from(["hatchground", "hatchline", "redhatchground", "redhatchline"]);
    used.extend(picture.elements.iter().flat_map(|element| &element.shapes).map(Shape::style));
    let rules = |dark: bool| {
        let mut rules = String::new();
        for (name, rule) in STYLES.iter().filter(|style| used.contains(style.0)) {
            let mut rule = (*rule).to_owned();
            for (colour, light, night) in COLOURS {
                rule = rule.replace(&format!("{{{colour}}}"), if dark { night } else { light });
            }
            let _ = writeln!(rules, ".{name}{{{rule}}}");
        }
        rules
    };
    match theme {
        Theme::Light => format!("<style>\n{}</style>\n", rules(false)),
        Theme::Dark => format!("<style>\n{}</style>\n", rules(true)),
        Theme::Auto => {
            let (day, night) = (rules(false), rules(true));
            format!("<style>\n{day}@media (prefers-color-scheme: dark) {{\n{night}}}\n</style>\n")
        }
    }
}

fn write_element(element: &Element, out: &mut String) {
    if element.shapes.is_empty() {
        return;
    }
    out.push_str("<g>");
    if let Some(title) = &element.title {
        let _ = write!(out, "<title>{}</title>", xml(title));
    }
    for shape in &element.shapes {
        write_shape(shape, out);
    }
    out.push_str("</g>\n");
}

fn write_shape(shape: &Shape, out: &mut String) {
    let list = |points: &[(i32, i32)]| {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        points.join(" ")
    };
    let _ = match shape {
        Shape::Rectangle { frame, radius, style } => write!(
            out,
            "<rect class=\"{style}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{radius}\"/>",
            frame.x, frame.y, frame.width, frame.height
        ),
        Shape::Line { points, style } => {
            write!(out, "<polyline class=\"{style}\" points=\"{}\"/>", list(points))
        }
        Shape::Polygon { points, style } => {
            write!(out, "<polygon class=\"{style}\" points=\"{}\"/>", list(points))
        }
        Shape::Circle { at, radius, style } => {
            write!(out, "<circle class=\"{style}\" cx=\"{}\" cy=\"{}\" r=\"{radius}\"/>", at.0, at.1)
        }
        Shape::Text { frame, size, text, style } => {
            // Letters that another font may have to lend take the width that was reckoned with.
            let length = match font::is_plain(text) {
                true => String::new(),
                false => format!(" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\"", frame.width),
            };
            let baseline = frame.y + size * 8 / 10;
            write!(
                out,
                "<text class=\"{style}\" x=\"{}\" y=\"{baseline}\" font-size=\"{size}\"{length} \
                 xml:space=\"preserve\">{}</text>",
                frame.x,
                xml(text)
            )
        }
    };
}

/// Fixed-pitch fonts, none wider than 0.61 of its size.
const FONTS: &str =
    "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace";
