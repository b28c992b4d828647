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

/// So many dispatches on one buffer, two to a pass; each waits for the one before, or nothing waits for anything.
fn chain(commands: u32, ordered: bool) -> Program {
    use fencepost_core::Stages;
    use fencepost_core::program::QueueMode;
    let mut program = Program::builder();
    let queue = program.queue("q", QueueMode::Explicit);
    let [a, b] = ["A", "B"].map(|name| program.buffer(name, 64));
    let buffer = program.command_buffer("cb", queue, |items| {
        for pass in 0..commands.div_ceil(2) {
            items.compute(&format!("P{pass}"), |own| {
                for number in 2 * pass..(2 * pass + 2).min(commands) {
                    if ordered && number % 2 == 0 {
                        own.consumer_barrier(Stages::DISPATCH, Stages::DISPATCH);
                    } else if ordered {
                        own.barrier(Stages::DISPATCH, Stages::DISPATCH);
                    }
                    own.dispatch(&format!("k{number}"), [a], [b]);
                }
            });
        }
    });
    program.steps().commit([buffer]);
    program.build()
}

#[test]
fn long_pictures_are_as_wide_as_a_page() {
    for commands in [4, 12, 30, 60] {
        for ordered in [true, false] {
            let timeline = Timeline::of(&chain(commands, ordered)).expect("names are there");
            let picture = Picture::of(&timeline, "a chain");
            assert!(picture.width <= 1300, "{commands} commands are {} wide", picture.width);
            nothing_covers_a_text(&picture);
            for number in 0..commands {
                let label = format!("k{number}");
                assert_eq!(picture.texts().filter(|(text, _)| *text == label).count(), 1, "{label}");
            }
        }
    }
}

#[test]
fn every_finding_has_a_number_at_both_of_its_places() {
    let timeline = Timeline::of(&chain(30, false)).expect("names are there");
    assert!(timeline.conflicts.len() > 100, "{} findings", timeline.conflicts.len());
    let picture = Picture::of(&timeline, "races");
    let (mut numbers, mut captions) = (Vec::new(), 0);
    for (text, _) in picture.texts() {
        captions += u32::from(text.starts_with("race: "));
        let ends: Vec<u32> = text.split('-').filter_map(|end| end.parse().ok()).collect();
        match ends.as_slice() {
            [only] => numbers.extend([*only]),
            [first, last] => numbers.extend(*first..=*last),
            _ => {}
        }
    }
    assert!(captions > 20, "{captions} captions");
    for number in 1..=captions {
        // At two places at least, and in front of its caption.
        assert!(numbers.iter().filter(|own| **own == number).count() >= 3, "{number} of {captions}");
    }
}
