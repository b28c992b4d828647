//! Pictures and timelines of random programs: work is where the order allows it, nothing lies on a text, nothing is cut off.
use std::collections::HashMap;

use fencepost_core::draw::{Picture, Theme, dot, json, svg};
use fencepost_core::program::Program;
use fencepost_core::timeline::{Fate, Timeline};
use fencepost_core::validate::validate_order;
use fencepost_core::{NodeId, Order};
use proptest::prelude::*;

use super::random;

/// The bar of each work item, by start and end.
fn spans(order: &Order, timeline: &Timeline) -> HashMap<NodeId, (u64, u64)> {
    let runs = |group: usize| timeline.groups[group].fate == Fate::Runs;
    let bars = timeline.bars.iter().filter(|bar| bar.stage.is_some() && runs(bar.group));
    let by_place: HashMap<_, _> = bars.map(|bar| ((bar.locus, bar.stage), (bar.start, bar.end))).collect();
    let item = |item: &fencepost_core::Item| {
        let span = by_place.get(&(item.locus, Some(item.stage)));
        (item.node, *span.unwrap_or_else(|| panic!("{item:?} has no bar")))
    };
    order.items().iter().map(item).collect()
}

fn nothing_covers_a_text(picture: &Picture) {
    let texts: Vec<_> = picture.texts().collect();
    for (number, (text, frame)) in texts.iter().enumerate() {
        let inside = frame.x >= 0
            && frame.y >= 0
            && frame.right() <= picture.width
            && frame.bottom() <= picture.height;
        assert!(inside, "{text:?} at {frame:?} is outside of {} × {}", picture.width, picture.height);
        for (other, place) in &texts[number + 1..] {
            assert!(!frame.overlaps(place), "{text:?} at {frame:?} lies on {other:?} at {place:?}");
        }
        for ((x, y), (to_x, to_y)) in picture.stretches() {
            let apart = x.max(to_x) < frame.x
                || frame.right() <= x.min(to_x)
                || y.max(to_y) < frame.y
                || frame.bottom() <= y.min(to_y);
            assert!(apart, "a line from {x},{y} to {to_x},{to_y} crosses {text:?} at {frame:?}");
        }
    }
}

fn drawn(program: &Program) {
    let order = Order::of(program).expect("a program that names what is there");
    let findings = validate_order(program, &order);
    let timeline = Timeline::of_checked(program, &order, &findings);
    let spans = spans(&order, &timeline);
    for first in order.items() {
        for second in order.items() {
            if order.ordered(first.node, second.node) {
                let (before, after) = (spans[&first.node], spans[&second.node]);
                assert!(before.1 <= after.0, "{first:?} is before {second:?}, {before:?} and {after:?}");
            }
        }
    }
    nothing_covers_a_text(&Picture::of(&timeline, "a random program"));
    for theme in [Theme::Auto, Theme::Light] {
        assert!(svg(&timeline, "<a & \"random\" program>", theme).ends_with("</svg>\n"));
    }
    assert!(json(&timeline, "p").ends_with("}\n"));
    assert!(dot(program, &order, &findings, "p").ends_with("}\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn work_is_where_the_order_allows_it_and_texts_are_free(program in random::programs()) {
        drawn(&program);
    }
}

fn cases() -> u32 {
    // Programs of up to a hundred commands: a few are enough for a change, a night looks at more.
    std::env::var("FENCEPOST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(160)
}
