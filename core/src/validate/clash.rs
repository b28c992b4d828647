//! From clashing accesses to findings: one for each pair of deeds, resource and kind of fault, at the first place.
use std::collections::BTreeMap;

use super::finding::{Clash, Finding, Kind, Spot, Touch};
use super::gap;
use super::history::{Fault, History};
use super::walk::{Deed, Mark, Scene};
use crate::program::{Program, ResourceIndex, Shape};
use crate::{Conflict, Extent};

/// Watches the deeds of a program for races and stale accesses.
#[derive(Clone, Debug, Default)]
pub(super) struct Clashes {
    pub(super) history: History,
}

/// The first place of a pair, and all ways in which it conflicts.
struct Pair {
    earlier: Mark,
    later: Mark,
    start: u64,
    conflicts: Vec<Conflict>,
}

impl Clashes {
    pub(super) fn see(&mut self, deed: &Deed<'_>, scene: &Scene<'_>, findings: &mut Vec<Finding>) {
        let mut pairs: BTreeMap<(u64, Fault, ResourceIndex), Pair> = BTreeMap::new();
        self.history.see(deed.touches(), &scene.known, |earlier, later, fault| {
            let Some(conflict) = earlier.kind.conflict(later.kind) else { return };
            let start = earlier.place.start.max(later.place.start);
            let pair = pairs.entry((earlier.serial, fault, later.resource)).or_insert_with(|| Pair {
                earlier: earlier.clone(),
                later: later.clone(),
                start,
                conflicts: Vec::new(),
            });
            if !pair.conflicts.contains(&conflict) {
                pair.conflicts.push(conflict);
            }
            let key = |start: u64, earlier: &Mark, later: &Mark| {
                let conflict = earlier.kind.conflict(later.kind).map_or(u8::MAX, rank);
                (conflict, start, later.stage, earlier.stage)
            };
            if key(start, earlier, later) < key(pair.start, &pair.earlier, &pair.later) {
                (pair.earlier, pair.later, pair.start) = (earlier.clone(), later.clone(), start);
            }
        });
        for ((_, fault, resource), mut pair) in pairs {
            pair.conflicts.sort_by_key(|conflict| rank(*conflict));
            findings.push(finding(scene, fault, resource, pair));
        }
    }
}

/// A read that misses a write is worst, then a lost write.
pub(super) const fn rank(conflict: Conflict) -> u8 {
    match conflict {
        Conflict::ReadAfterWrite => 0,
        Conflict::WriteAfterWrite => 1,
        Conflict::WriteAfterRead => 2,
    }
}

fn finding(scene: &Scene<'_>, fault: Fault, resource: ResourceIndex, pair: Pair) -> Finding {
    let Pair { earlier, later, conflicts, .. } = pair;
    let gap = match fault {
        Fault::Race => gap::of_race(scene, &earlier, &later),
        Fault::Stale => gap::of_stale(scene, &earlier, &later),
    };
    let extent = Some(common(scene.program, &earlier, &later));
    let (first, second) = (Some(Spot::from(earlier.locus)), Some(Spot::from(later.locus)));
    let clash = Clash { conflicts, first: touch(earlier), second: touch(later), gap };
    let kind = match fault {
        Fault::Race => Kind::Race(clash),
        Fault::Stale => Kind::Stale(clash),
    };
    Finding { kind, first, second, resource: Some(resource), extent }
}

fn touch(mark: Mark) -> Touch {
    Touch { resource: mark.resource, extent: mark.extent, kind: mark.kind, stage: mark.stage }
}

/// The part of the later one's resource that both touch.
fn common(program: &Program, earlier: &Mark, later: &Mark) -> Extent {
    match (program.resource(later.resource).shape, &earlier.extent, &later.extent) {
        (Shape::Buffer { size, .. }, ..) => {
            // A buffer's place may begin before the part that the later one touches.
            let offset = match &later.extent {
                Extent::Bytes(bytes) => bytes.start,
                Extent::Whole | Extent::Subresources { .. } => 0,
            };
            let base = later.place.start.saturating_sub(offset);
            let start = earlier.place.start.max(later.place.start) - base;
            let end = earlier.place.end.min(later.place.end).saturating_sub(base);
            if start == 0 && end == size { Extent::Whole } else { Extent::Bytes(start..end) }
        }
        (
            Shape::Texture { .. },
            Extent::Subresources { mips, slices },
            Extent::Subresources { mips: m, slices: s },
        ) if earlier.resource == later.resource => Extent::Subresources {
            mips: mips.start.max(m.start)..mips.end.min(m.end),
            slices: slices.start.max(s.start)..slices.end.min(s.end),
        },
        (Shape::Texture { .. }, earlier_extent, Extent::Whole) if earlier.resource == later.resource => {
            earlier_extent.clone()
        }
        (Shape::Texture { .. }, ..) => later.extent.clone(),
    }
}
