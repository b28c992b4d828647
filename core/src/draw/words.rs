//! What a picture shows, for those who do not see it.
use crate::timeline::{Effect, GroupKind, Owner, Timeline};

pub(super) fn description(timeline: &Timeline) -> String {
    let passes = timeline.groups.iter().filter(|group| matches!(group.kind, GroupKind::Pass(..))).count();
    let queues = timeline.lanes.iter().filter(|lane| matches!(lane.owner, Owner::Queue(_))).count();
    let counted = |count: usize, thing: &str, things: &str| match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {things}"),
    };
    let mut sentences = vec![format!(
        "Timeline of {} on {}; each piece of work at its earliest possible start.",
        counted(passes, "pass", "passes"),
        counted(queues, "queue", "queues")
    )];
    let held = timeline.holds.iter().filter(|hold| hold.effect == Effect::Holds);
    let held: Vec<String> =
        held.take(WAITS_MOST).map(|hold| format!("{} until {}", hold.label, hold.to)).collect();
    if !held.is_empty() {
        sentences.push(format!("Held: {}.", held.join("; ")));
    }
    sentences.extend(timeline.conflicts.iter().take(WAITS_MOST).map(|conflict| {
        let code = conflict.finding.code();
        format!("{code}: {}", conflict.message)
    }));
    if timeline.conflicts.is_empty() {
        sentences.push("No findings.".to_owned());
    }
    sentences.join(" ")
}

const WAITS_MOST: usize = 12;
