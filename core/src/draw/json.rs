//! A timeline as data, for whoever draws it in another way.
//!
//! One object. Things that an arrow or a finding points to are named by their list and their place in it: `"bars/3"`.
use std::fmt::Write as _;

use super::escape::json as quoted;
use crate::AccessKind;
use crate::timeline::{
    Anchor, ArrowKind, Bar, Conflict, Effect, Fate, Group, GroupKind, Hold, HoldKind, Lane, Mark, Owner,
    Timeline,
};
use crate::validate::Severity;

/// A timeline as one JSON object. `title` is the program's name.
///
/// ```
/// use fencepost_core::draw::json;
/// use fencepost_core::timeline::Timeline;
/// let empty = json(&Timeline::default(), "nothing");
/// assert!(empty.starts_with("{\"title\": \"nothing\", \"end\": 0,"));
/// ```
pub fn json(timeline: &Timeline, title: &str) -> String {
    let mut out = format!("{{\"title\": {}, \"end\": {},\n", quoted(title), timeline.end);
    list(&mut out, "lanes", timeline.lanes.iter().map(lane), ",");
    list(&mut out, "groups", timeline.groups.iter().map(group), ",");
    list(&mut out, "bars", timeline.bars.iter().map(bar), ",");
    list(&mut out, "holds", timeline.holds.iter().map(hold), ",");
    list(&mut out, "marks", timeline.marks.iter().map(mark), ",");
    let arrows = timeline.arrows.iter().map(|arrow| {
        let kind = match arrow.kind {
            ArrowKind::Barrier => "barrier",
            ArrowKind::Fence => "fence",
            ArrowKind::Event => "event",
            ArrowKind::Tracking => "tracking",
            ArrowKind::Cpu => "cpu",
            ArrowKind::Stuck => "stuck",
        };
        format!("{{\"from\": {}, \"to\": {}, \"kind\": \"{kind}\"}}", anchor(arrow.from), anchor(arrow.to))
    });
    list(&mut out, "arrows", arrows, ",");
    list(&mut out, "conflicts", timeline.conflicts.iter().map(conflict), "");
    out.push_str("}\n");
    out
}

// Writing to a string does not fail.
fn list(out: &mut String, name: &str, objects: impl Iterator<Item = String>, end: &str) {
    let objects: Vec<String> = objects.collect();
    let body = match objects.is_empty() {
        true => String::new(),
        false => format!("\n  {}\n", objects.join(",\n  ")),
    };
    let _ = writeln!(out, "\"{name}\": [{body}]{end}");
}

fn lane(lane: &Lane) -> String {
    let kind = match lane.owner {
        Owner::Thread(_) => "thread",
        Owner::Queue(_) => "queue",
    };
    format!(
        "{{\"kind\": \"{kind}\", \"name\": {}, \"detail\": {}}}",
        quoted(&lane.name),
        quoted(&lane.detail)
    )
}

fn group(group: &Group) -> String {
    let kind = match group.kind {
        GroupKind::Steps => "steps",
        GroupKind::Events => "events",
        GroupKind::Pass(..) => "pass",
    };
    format!(
        "{{\"lane\": {}, \"kind\": \"{kind}\", \"label\": {}, \"detail\": {}, \"fate\": \"{}\", \"start\": {}, \
         \"end\": {}}}",
        group.lane,
        quoted(&group.label),
        quoted(&group.detail),
        fate(group.fate),
        group.start,
        group.end
    )
}

fn bar(bar: &Bar) -> String {
    let touched = |reads: bool| {
        let own = bar.touches.iter().filter(|touch| match touch.kind {
            AccessKind::Atomic => false,
            kind => {
                if reads {
                    kind.reads()
                } else {
                    kind.writes()
                }
            }
        });
        strings(own.map(|touch| touch.part.as_str()))
    };
    let atomics = bar.touches.iter().filter(|touch| touch.kind == AccessKind::Atomic);
    format!(
        "{{\"group\": {}, \"label\": {}, \"path\": {}, \"stage\": {}, \"start\": {}, \"end\": {}, \"reads\": {}, \
         \"writes\": {}, \"atomics\": {}}}",
        bar.group,
        quoted(&bar.label),
        quoted(&bar.path),
        bar.stage.map_or_else(|| "null".to_owned(), |own| quoted(own.name())),
        bar.start,
        bar.end,
        touched(true),
        touched(false),
        strings(atomics.map(|touch| touch.part.as_str()))
    )
}

fn hold(hold: &Hold) -> String {
    let kind = match hold.kind {
        HoldKind::Barrier => "barrier",
        HoldKind::Fence => "fence",
        HoldKind::Event => "event",
        HoldKind::Tracking => "tracking",
        HoldKind::Completion => "completion",
    };
    let effect = match hold.effect {
        Effect::Holds => "holds",
        Effect::Satisfied => "satisfied",
        Effect::Nothing => "nothing",
        Effect::Never => "never",
        Effect::NeverReached => "never-reached",
    };
    let bars: Vec<String> = hold.bars.iter().map(|bar| anchor(Anchor::Bar(*bar))).collect();
    format!(
        "{{\"group\": {}, \"kind\": \"{kind}\", \"label\": {}, \"stage\": {}, \"from\": {}, \"to\": {}, \
         \"effect\": \"{effect}\", \"bars\": [{}]}}",
        hold.group,
        quoted(&hold.label),
        hold.stage.map_or_else(|| "null".to_owned(), |own| quoted(own.name())),
        hold.from,
        hold.to,
        bars.join(", ")
    )
}

fn mark(mark: &Mark) -> String {
    format!(
        "{{\"group\": {}, \"label\": {}, \"at\": {}, \"fate\": \"{}\"}}",
        mark.group,
        quoted(&mark.label),
        mark.at,
        fate(mark.fate)
    )
}

fn conflict(conflict: &Conflict) -> String {
    let severity = match conflict.severity {
        Severity::Error => "error",
        _ => "warning",
    };
    let place = |place: Option<Anchor>| place.map_or_else(|| "null".to_owned(), anchor);
    format!(
        "{{\"code\": {}, \"severity\": \"{severity}\", \"parts\": {}, \"first\": {}, \"second\": {}, \
         \"message\": {}}}",
        quoted(conflict.finding.code()),
        strings(conflict.parts.iter().map(String::as_str)),
        place(conflict.first),
        place(conflict.second),
        quoted(&conflict.message)
    )
}

fn anchor(anchor: Anchor) -> String {
    match anchor {
        Anchor::Bar(number) => format!("\"bars/{number}\""),
        Anchor::Hold(number) => format!("\"holds/{number}\""),
        Anchor::Mark(number) => format!("\"marks/{number}\""),
        Anchor::Group(number) => format!("\"groups/{number}\""),
    }
}

const fn fate(fate: Fate) -> &'static str {
    match fate {
        Fate::Runs => "runs",
        Fate::Stuck => "stuck",
        Fate::NotCommitted => "not-committed",
    }
}

fn strings<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<String> = all.map(quoted).collect();
    format!("[{}]", all.join(", "))
}
