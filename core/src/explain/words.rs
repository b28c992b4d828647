//! Words for things that have no name of their own.
use crate::program::Primitive;
use crate::{Stage, Stages};

pub(super) const fn stage(stage: Stage) -> &'static str {
    stage.name()
}

pub(super) fn stages(stages: Stages) -> String {
    let all: Vec<&str> = stages.iter_stages().map(stage).collect();
    if all.is_empty() { "no stage".to_owned() } else { all.join(" ") }
}

pub(super) const fn primitive(primitive: &Primitive) -> &'static str {
    match primitive {
        Primitive::Barrier { .. } => "barrier within the pass",
        Primitive::ConsumerBarrier { .. } => "consumer barrier",
        Primitive::ProducerBarrier { .. } => "producer barrier",
        Primitive::MemoryBarrier { .. } => "memory barrier",
        Primitive::UpdateFence { .. } => "fence update",
        Primitive::WaitForFence { .. } => "fence wait",
    }
}

/// `a waits`, `a and b wait`, `a, b and c wait`.
pub(super) fn list(all: &[String], many: &str, one: &str) -> String {
    match all {
        [] => String::new(),
        [only] => format!("{only} {one}"),
        [front @ .., last] => format!("{} and {last} {many}", front.join(", ")),
    }
}

/// `a fence`, `an event`.
pub(super) fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}
