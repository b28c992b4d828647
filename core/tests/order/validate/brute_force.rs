//! Races and stale accesses of random programs, against a comparison of every access with every other.
//!
//! Nothing is shared with the validator but the order, which has an oracle of its own.
use std::collections::{BTreeMap, BTreeSet};

use fencepost_core::program::{
    Locus, PassItem, Placement, Program, ResourceIndex, Shape, Step, StorageMode, Use, Work,
};
use fencepost_core::validate::{Clash, Kind, Spot, validate_order};
use fencepost_core::{AccessKind, Conflict, Extent, Moment, NodeId, Order};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use crate::random::programs;

struct Access {
    deed: usize,
    locus: Locus,
    node: NodeId,
    used: Use,
    /// The pass, for an attachment.
    attachment: Option<usize>,
}

/// Who clashes: the earlier, the later, stale or not, by which of its names the later touches the bytes.
type Pair = (Locus, Locus, bool, ResourceIndex);
type Found = BTreeMap<Pair, BTreeSet<u8>>;

fn accesses(program: &Program, order: &Order) -> Vec<Access> {
    let steps = program.all_steps();
    let (mut all, mut deed) = (Vec::new(), 0);
    for (m, moment) in order.moments().iter().enumerate() {
        match *moment {
            Moment::Step(number) => {
                deed += 1;
                let (part, kind) = match steps[number as usize] {
                    Step::Write(part) => (part, AccessKind::Write),
                    Step::Read(part) => (part, AccessKind::Read),
                    _ => continue,
                };
                if program.resource(part.resource).storage == StorageMode::Shared {
                    let locus = Locus::Step(number);
                    let used = Use { part: part.clone(), kind, stage: fencepost_core::Stage::Blit };
                    all.push(Access { deed, locus, node: order.nodes(locus)[0], used, attachment: None });
                }
            }
            Moment::Pass(buffer, place) => {
                let pass = program.pass(buffer, place).unwrap();
                let locus = Locus::Pass { buffer, pass: place };
                if let Some(node) = order.nodes(locus).first() {
                    deed += 1;
                    for used in pass.own_uses() {
                        all.push(Access { deed, locus, node: *node, used, attachment: Some(m) });
                    }
                }
                for (item, index) in pass.items.iter().zip(0..) {
                    let PassItem::Command(command) = item else { continue };
                    deed += 1;
                    let locus = Locus::PassItem { buffer, pass: place, item: index };
                    let bound = match &command.work {
                        Work::Draw { vertex_reads, vertex_writes, fragment_reads, fragment_writes } => {
                            [vertex_reads, vertex_writes, fragment_reads, fragment_writes]
                                .iter()
                                .flat_map(|list| list.iter())
                                .filter(|part| !part.extent.is_empty())
                                .count()
                        }
                        _ => usize::MAX,
                    };
                    for (n, used) in program.uses(pass, command).into_iter().enumerate() {
                        let stage = command
                            .work
                            .stages()
                            .iter_stages()
                            .position(|stage| stage == used.stage)
                            .unwrap();
                        let node = order.nodes(locus)[stage];
                        all.push(Access { deed, locus, node, used, attachment: (n >= bound).then_some(m) });
                    }
                }
            }
            _ => {}
        }
    }
    all
}

/// The bytes of an access, each as a memory and an offset; a texture is one byte, its parts are compared as parts.
fn bytes(program: &Program, used: &Use) -> Vec<(usize, u64)> {
    let resource = used.part.resource;
    let (memory, start) = match program.resource(resource).placement {
        Placement::Own => (100 + resource.index(), 0),
        Placement::SameAs(other) => (100 + other.index(), 0),
        Placement::Heap { heap, offset } => (heap.index(), offset),
    };
    match (program.resource(resource).shape, &used.part.extent) {
        (Shape::Texture { .. }, _) => vec![(memory, 0)],
        (Shape::Buffer { .. }, Extent::Bytes(range)) => {
            range.clone().map(|byte| (memory, start + byte)).collect()
        }
        (Shape::Buffer { size, .. }, _) => (0..size).map(|byte| (memory, start + byte)).collect(),
    }
}

fn mips_and_slices(extent: &Extent) -> [u32; 4] {
    match extent {
        Extent::Subresources { mips, slices } => [mips.start, mips.end, slices.start, slices.end],
        Extent::Whole | Extent::Bytes(_) => [0, u32::MAX, 0, u32::MAX],
    }
}

/// Every pair of conflicting accesses, and whether it is ordered and, where that matters, visible.
pub(crate) fn conflicting(program: &Program, order: &Order) -> Vec<(Locus, Locus, bool)> {
    let all = accesses(program, order);
    let bytes: Vec<Vec<(usize, u64)>> = all.iter().map(|access| bytes(program, &access.used)).collect();
    let texture =
        |access: &Access| matches!(program.resource(access.used.part.resource).shape, Shape::Texture { .. });
    let mut pairs = Vec::new();
    for (later, y) in all.iter().enumerate() {
        for (earlier, x) in all[..later].iter().enumerate() {
            let one_pass = x.attachment.is_some() && x.attachment == y.attachment;
            let apart = texture(x) && texture(y) && !x.used.part.extent.overlaps(&y.used.part.extent);
            let shared = bytes[earlier].iter().any(|byte| bytes[later].contains(byte));
            if x.used.kind.conflict(y.used.kind).is_none() || x.deed == y.deed || one_pass || apart || !shared
            {
                continue;
            }
            let names = [x.used.part.resource, y.used.part.resource];
            let seen = names.iter().all(|name| order.visible_to(x.node, y.node, *name));
            let well = order.ordered(x.node, y.node) && (!x.used.kind.writes() || seen);
            pairs.push((x.locus, y.locus, well));
        }
    }
    pairs
}

fn expected(program: &Program, order: &Order) -> Found {
    let all = accesses(program, order);
    let bytes: Vec<Vec<(usize, u64)>> = all.iter().map(|access| bytes(program, &access.used)).collect();
    let texture =
        |access: &Access| matches!(program.resource(access.used.part.resource).shape, Shape::Texture { .. });
    let one_pass = |a: &Access, b: &Access| a.attachment.is_some() && a.attachment == b.attachment;
    let meet = |a: &Access, b: &Access| {
        !texture(a) || !texture(b) || a.used.part.extent.overlaps(&b.used.part.extent)
    };
    let contains = |a: &Access, b: &Access| {
        let ([m0, m1, s0, s1], [n0, n1, t0, t1]) =
            (mips_and_slices(&a.used.part.extent), mips_and_slices(&b.used.part.extent));
        !texture(a) || (m0 <= n0 && n1.min(3) <= m1.min(3) && s0 <= t0 && t1.min(2) <= s1.min(2))
    };
    let seen = |x: &Access, y: &Access| {
        let names = [x.used.part.resource, y.used.part.resource];
        names.iter().all(|name| order.visible_to(x.node, y.node, *name))
    };
    let mut found = Found::new();
    for (later, y) in all.iter().enumerate() {
        for (earlier, x) in all[..later].iter().enumerate() {
            let Some(conflict) = x.used.kind.conflict(y.used.kind) else { continue };
            if x.deed == y.deed || one_pass(x, y) || !meet(x, y) {
                continue;
            }
            let ordered = order.ordered(x.node, y.node);
            if ordered && (!x.used.kind.writes() || seen(x, y)) {
                continue;
            }
            // Somebody between the two whom `y` meets at this byte as it would meet `x`.
            let stands = |z: &Access| {
                let class = match z.used.kind {
                    AccessKind::Write | AccessKind::ReadWrite => true,
                    kind => kind == x.used.kind,
                };
                class
                    && x.deed < z.deed
                    && z.deed < y.deed
                    && contains(z, x)
                    && (order.ordered(x.node, z.node) || one_pass(x, z))
            };
            let stood_for =
                |byte: &(usize, u64)| all.iter().zip(&bytes).any(|(z, own)| own.contains(byte) && stands(z));
            let own = &bytes[earlier];
            if own.iter().any(|byte| bytes[later].contains(byte) && !stood_for(byte)) {
                let pair = (x.locus, y.locus, ordered, y.used.part.resource);
                found.entry(pair).or_default().insert(number(conflict));
            }
        }
    }
    found
}

const fn number(conflict: Conflict) -> u8 {
    match conflict {
        Conflict::ReadAfterWrite => 0,
        Conflict::WriteAfterWrite => 1,
        Conflict::WriteAfterRead => 2,
    }
}

const fn locus(spot: Spot) -> Option<Locus> {
    match spot {
        Spot::At(locus) => Some(locus),
        Spot::Pass(buffer, pass) => Some(Locus::Pass { buffer, pass }),
        Spot::CommandBuffer(_) => None,
    }
}

fn reported(program: &Program, order: &Order) -> Result<Found, TestCaseError> {
    let mut found = Found::new();
    for finding in validate_order(program, order) {
        let (stale, Clash { conflicts, .. }) = match &finding.kind {
            Kind::Race(clash) => (false, clash),
            Kind::Stale(clash) => (true, clash),
            _ => continue,
        };
        let (Some(first), Some(second), Some(resource)) =
            (finding.first.and_then(locus), finding.second.and_then(locus), finding.resource)
        else {
            return Err(TestCaseError::fail(format!("a clash without places: {finding:?}")));
        };
        let conflicts: BTreeSet<u8> = conflicts.iter().map(|conflict| number(*conflict)).collect();
        let former = found.insert((first, second, stale, resource), conflicts);
        prop_assert!(former.is_none(), "told twice: {:?}", finding);
        prop_assert!(finding.extent.as_ref().is_some_and(|extent| !extent.is_empty()), "{:?}", finding);
    }
    Ok(found)
}

/// With places that overlap, and memory that the CPU reaches.
pub(super) fn aliased(mut program: Program) -> Program {
    let heap = |resource: usize, program: &Program| match program.resources[resource].placement {
        Placement::Heap { heap, .. } => heap,
        _ => unreachable!("the generator places these on heaps"),
    };
    program.resources[4].placement = Placement::Heap { heap: heap(4, &program), offset: 8 };
    program.resources[2].placement = Placement::SameAs(ResourceIndex(1));
    for resource in 0..3 {
        program.resources[resource].storage = StorageMode::Shared;
    }
    program
}

#[test]
fn every_clash_of_random_programs() {
    let cases = std::env::var("FENCEPOST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(2048);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let (races, stale, clean) = (std::cell::Cell::new(0), std::cell::Cell::new(0), std::cell::Cell::new(0));
    let result = TestRunner::new(config).run(&programs(), |program| {
        let program = aliased(program);
        let order = Order::of(&program).unwrap();
        let (found, expected) = (reported(&program, &order)?, expected(&program, &order));
        races.set(races.get() + found.keys().filter(|pair| !pair.2).count());
        stale.set(stale.get() + found.keys().filter(|pair| pair.2).count());
        clean.set(clean.get() + usize::from(found.is_empty()));
        prop_assert_eq!(found, expected);
        Ok(())
    });
    match result {
        Err(TestError::Fail(reason, program)) => panic!("{reason}\n{}", crate::agreement::shown(&program)),
        Err(error) => panic!("{error}"),
        Ok(()) => {}
    }
    println!("races {}, stale {}, clean programs {}", races.get(), stale.get(), clean.get());
    assert!(races.get() > 0 && stale.get() > 0 && clean.get() > 0, "degenerate programs");
}
