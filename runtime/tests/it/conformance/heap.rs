//! Heaps: aliasing as in S9, and X3.
use fencepost::replay::program::{BufferOptions, Builder, HeapIndex, Placement, ResourceIndex};

use super::{SIZE, Scene, right, wrong};

fn placed(p: &mut Builder, name: &str, heap: HeapIndex, offset: u64) -> ResourceIndex {
    p.buffer_with(
        name,
        SIZE,
        BufferOptions { placement: Placement::Heap { heap, offset }, ..BufferOptions::default() },
    )
}

/// S9 on buffers: four levels, each blurred through scratch memory that all of them share. `update`: which stages update the fence.
fn s9(update: [bool; 4], tracked: bool) -> Scene {
    let mut s = Scene::tracked();
    let heap = s.p.heap("H", 4096, tracked);
    let scratch = ["T1", "T2", "T3", "T4"].map(|name| placed(&mut s.p, name, heap, 512));
    let f = s.p.fence("F");
    s.commit("cb", |items, [a, b, c, d, e]| {
        items.blit("B0", |pass| {
            for (label, level) in [("c1", b), ("c2", c), ("c3", d), ("c4", e)] {
                pass.copy(label, a, level);
            }
            pass.update_fence(f, None);
        });
        for (index, (level, scratch)) in [b, c, d, e].into_iter().zip(scratch).enumerate() {
            items.compute(&format!("K{}", index + 1), |pass| {
                if !tracked || index == 0 {
                    pass.wait_for_fence(f, None);
                }
                pass.dispatch("h", [level], [scratch]).dispatch("v", [scratch], [level]);
                if update[index] {
                    pass.update_fence(f, None);
                }
            });
        }
    });
    s
}

#[test]
fn s9_one_fence_goes_through_all_stages() {
    right(
        s9([true; 4], false).p,
        &[
            ["B0.c1", "K1.h"],
            ["K1.h", "K1.v"],
            ["K1.v", "K2.h"],
            ["K2.v", "K3.h"],
            ["K3.v", "K4.h"],
            ["B0.c4", "K4.h"],
        ],
        &[],
    );
}

#[test]
fn s9_a_stage_that_does_not_update_the_fence_races_through_the_alias() {
    wrong(s9([true, false, true, true], false).p, ["K2.v", "K3.h"]);
}

#[test]
fn aliases_on_a_tracked_heap_are_ordered_by_tracking() {
    // Only the first stage waits for the copies; a tracked heap orders the stages, its levels being untracked and its own.
    let mut s = Scene::tracked();
    let heap = s.p.heap("H", 4096, true);
    let [t1, t2] = ["T1", "T2"].map(|name| placed(&mut s.p, name, heap, 512));
    s.commit("cb", |items, [a, b, c, ..]| {
        items.compute("K1", |pass| {
            pass.dispatch("h", [a], [t1]).dispatch("v", [t1], [b]);
        });
        items.compute("K2", |pass| {
            pass.dispatch("h", [a], [t2]).dispatch("v", [t2], [c]);
        });
    });
    right(s.p, &[["K1.v", "K2.h"]], &[]);
}

#[test]
fn on_an_untracked_heap_nothing_orders_aliases() {
    let mut s = Scene::tracked();
    let heap = s.p.heap("H", 4096, false);
    let [t1, t2] = ["T1", "T2"].map(|name| placed(&mut s.p, name, heap, 512));
    s.commit("cb", |items, [a, b, c, ..]| {
        items.compute("K1", |pass| {
            pass.dispatch("h", [a], [t1]).dispatch("v", [t1], [b]);
        });
        items.compute("K2", |pass| {
            pass.dispatch("h", [b], [t2]).dispatch("v", [t2], [c]);
        });
    });
    wrong(s.p, ["K1.v", "K2.h"]);
}

#[test]
fn x3_unrelated_resources_of_a_tracked_heap_may_wait_for_each_other() {
    let mut s = Scene::tracked();
    let heap = s.p.heap("H", 4096, true);
    let [r1, r2] = [("R1", 0), ("R2", 1024)].map(|(name, offset)| placed(&mut s.p, name, heap, offset));
    s.commit("cb", |items, [a, b, ..]| {
        items.compute("P1", |pass| {
            pass.dispatch("k1", [a], [r1]);
        });
        items.compute("P2", |pass| {
            pass.dispatch("k2", [r2], [b]);
        });
    });
    right(s.p, &[], &[]);
}
