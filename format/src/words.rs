//! The words of the format that stand for values, in one place for the parser and the printer.

use fencepost_core::Stages;
use fencepost_core::program::{
    DeviceKind, DispatchType, Format, LoadAction, QueueMode, RaceKind, StorageMode, StoreAction, TrackingMode,
};

/// Words and what they mean.
pub(super) type Words<T> = &'static [(&'static str, T)];

pub(super) const DEVICE_KINDS: Words<DeviceKind> =
    &[("any", DeviceKind::Any), ("cpu", DeviceKind::Cpu), ("vulkan", DeviceKind::Vulkan)];

pub(super) const QUEUE_MODES: Words<QueueMode> =
    &[("explicit", QueueMode::Explicit), ("tracked", QueueMode::Tracked)];

pub(super) const STORAGE_MODES: Words<StorageMode> = &[
    ("private", StorageMode::Private),
    ("shared", StorageMode::Shared),
    ("managed", StorageMode::Managed),
    ("memoryless", StorageMode::Memoryless),
];

pub(super) const BUFFER_STORAGE_MODES: Words<StorageMode> =
    &[("private", StorageMode::Private), ("shared", StorageMode::Shared), ("managed", StorageMode::Managed)];

pub(super) const HEAP_STORAGE_MODES: Words<StorageMode> =
    &[("private", StorageMode::Private), ("shared", StorageMode::Shared)];

pub(super) const TRACKING_MODES: Words<TrackingMode> = &[
    ("default", TrackingMode::Default),
    ("tracked", TrackingMode::Tracked),
    ("untracked", TrackingMode::Untracked),
];

pub(super) const HEAP_TRACKING: Words<bool> = &[("untracked", false), ("tracked", true)];

pub(super) const FORMATS: Words<Format> = &[
    ("rgba8unorm", Format::Rgba8Unorm),
    ("r32uint", Format::R32Uint),
    ("r32float", Format::R32Float),
    ("rgba32float", Format::Rgba32Float),
    ("depth32float", Format::Depth32Float),
];

pub(super) const DISPATCH_TYPES: Words<DispatchType> =
    &[("serial", DispatchType::Serial), ("concurrent", DispatchType::Concurrent)];

pub(super) const LOAD_ACTIONS: Words<LoadAction> =
    &[("load", LoadAction::Load), ("clear", LoadAction::Clear), ("dont-care", LoadAction::DontCare)];

pub(super) const STORE_ACTIONS: Words<StoreAction> =
    &[("store", StoreAction::Store), ("dont-care", StoreAction::DontCare)];

pub(super) const STAGES: Words<Stages> = &[
    ("vertex", Stages::VERTEX),
    ("fragment", Stages::FRAGMENT),
    ("tile", Stages::TILE),
    ("object", Stages::OBJECT),
    ("mesh", Stages::MESH),
    ("resource-state", Stages::RESOURCE_STATE),
    ("dispatch", Stages::DISPATCH),
    ("blit", Stages::BLIT),
    ("acceleration-structure", Stages::ACCELERATION_STRUCTURE),
    ("machine-learning", Stages::MACHINE_LEARNING),
    ("all", Stages::ALL),
];

pub(super) const RACE_KINDS: Words<RaceKind> = &[
    ("raw", RaceKind::ReadAfterWrite),
    ("war", RaceKind::WriteAfterRead),
    ("waw", RaceKind::WriteAfterWrite),
];

/// Kinds of resource that a memory barrier names, as bits.
pub(super) const MEMORY_SCOPES: Words<u8> = &[("buffers", 1), ("textures", 2), ("render-targets", 4)];

pub(super) const USAGES: Words<u8> = &[("read", 1), ("write", 2)];

pub(super) const VISIBILITIES: Words<u32> = &[("none", 0), ("device", 1), ("resource-alias", 2)];

pub(super) const MISUSE_CODES: &[&str] = &[
    "stage-not-in-encoder",
    "fragment-in-after",
    "update-before-wait",
    "wrong-storage-mode",
    "not-aliasable",
    "wrong-device",
    "committed-twice",
    "use-after-aliasing",
    "wrong-queue-mode",
    "empty-stages",
    "never-updated",
    "signal-not-increasing",
    "never-committed",
    "tracked-on-untracked-heap",
    "fence-across-queues",
];

pub(super) const MANAGED_CODES: &[&str] = &["not-published", "not-synchronized"];

pub(super) const FIX_PRIMITIVES: &[&str] = &[
    "intrapass-barrier",
    "fence",
    "consumer-barrier",
    "producer-barrier",
    "event",
    "shared-event",
    "cpu-wait",
];

/// The word for a value.
pub(super) fn word<T: PartialEq + Copy>(words: Words<T>, value: T) -> &'static str {
    words.iter().find(|(_, meaning)| *meaning == value).map_or("", |(word, _)| word)
}

/// The word that someone may have meant: the nearest, where one is near.
pub(super) fn nearest<'a>(given: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    let allowed = (given.chars().count() / 3).max(1);
    let distances = words.into_iter().map(|word| (distance(&given, &word.to_lowercase(), allowed), word));
    let (distance, word) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= allowed).then_some(word)
}

/// How many letters to insert, to delete, to change or to swap with a neighbour. Gives up early beyond `limit`.
fn distance(a: &str, b: &str, limit: usize) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > limit {
        return limit + 1;
    }
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = core::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        assert_eq!(nearest("dipsatch", STAGES.iter().map(|(word, _)| *word)), Some("dispatch"));
        assert_eq!(nearest("Frag", ["fragment"]), None);
        assert_eq!(nearest("b", ["B", "CC"]), Some("B"));
    }
}
