//! Fences: S2 with its variants, X10.
use fencepost::Stages;
use fencepost::replay::program::{FenceIndex, QueueItems, ResourceIndex};

use super::{NONE, Scene, right, wrong};

fn producer(
    items: &mut QueueItems,
    label: &str,
    f: FenceIndex,
    after: Stages,
    [from, to, made]: [ResourceIndex; 3],
) {
    items.compute(label, |pass| {
        pass.copy("c1", from, to).dispatch("k1", NONE, [made]).update_fence(f, after);
    });
}

fn consumer(items: &mut QueueItems, label: &str, f: FenceIndex, [read, to, own]: [ResourceIndex; 3]) {
    items.compute(label, |pass| {
        pass.wait_for_fence(f, Stages::BLIT).copy("c2", read, to).dispatch("k2", [own], [own]);
    });
}

/// S2 with its update after these stages.
fn s2(after: Stages) -> Scene {
    let mut s = Scene::explicit();
    let f = s.p.fence("F");
    s.commit("cb", |items, [a, b, c, d, e]| {
        producer(items, "P1", f, after, [a, b, c]);
        consumer(items, "P2", f, [c, d, e]);
    });
    s
}

#[test]
fn s2_a_wait_joins_an_update() {
    right(
        s2(Stages::DISPATCH).p,
        &[["P1.k1", "P2.c2"]],
        &[["P1.c1", "P2.c2"], ["P1.c1", "P2.k2"], ["P1.k1", "P2.k2"], ["P1.c1", "P1.k1"], ["P2.c2", "P2.k2"]],
    );
}

#[test]
fn s2_v1_v2_over_command_buffers() {
    for together in [true, false] {
        let mut s = Scene::explicit();
        let f = s.p.fence("F");
        let first =
            s.buffer("cb1", |items, [a, b, c, ..]| producer(items, "P1", f, Stages::DISPATCH, [a, b, c]));
        let second = s.buffer("cb2", |items, [_, _, c, d, e]| consumer(items, "P2", f, [c, d, e]));
        if together {
            s.p.steps().commit([first, second]);
        } else {
            s.p.steps().commit([first]).commit([second]);
        }
        right(s.p, &[["P1.k1", "P2.c2"]], &[["P1.k1", "P2.k2"]]);
    }
}

#[test]
fn s2_v3_a_wait_joins_all_updates() {
    let build = |updates: [bool; 3]| {
        let mut s = Scene::explicit();
        let f = s.p.fence("F");
        s.commit("cb", |items, [_, b, c, d, e]| {
            for (label, (made, update)) in
                ["P1", "P2", "P3"].into_iter().zip([b, c, d].into_iter().zip(updates))
            {
                items.compute(label, |pass| {
                    pass.dispatch("k", NONE, [made]);
                    if update {
                        pass.update_fence(f, Stages::DISPATCH);
                    }
                });
            }
            items.compute("P4", |pass| {
                pass.wait_for_fence(f, Stages::DISPATCH).dispatch("k", [b, c, d], [e]);
            });
        });
        s
    };
    right(
        build([true; 3]).p,
        &[["P1.k", "P4.k"], ["P2.k", "P4.k"], ["P3.k", "P4.k"]],
        &[["P1.k", "P2.k"], ["P2.k", "P3.k"]],
    );
    wrong(build([true, false, true]).p, ["P2.k", "P4.k"]);
}

#[test]
fn s2_v4_a_wait_takes_nothing_away() {
    let mut s = Scene::explicit();
    let f = s.p.fence("F");
    s.commit("cb", |items, [a, b, c, d, e]| {
        producer(items, "P1", f, Stages::DISPATCH, [a, b, c]);
        for (label, to) in [("P2", d), ("P3", e)] {
            items.compute(label, |pass| {
                pass.wait_for_fence(f, Stages::BLIT).copy("c2", c, to);
            });
        }
    });
    right(s.p, &[["P1.k1", "P2.c2"], ["P1.k1", "P3.c2"]], &[["P2.c2", "P3.c2"]]);
}

#[test]
fn s2_v5_a_fence_goes_from_pass_to_pass() {
    let build = |again: bool| {
        let mut s = Scene::explicit();
        let f = s.p.fence("F");
        s.commit("cb", |items, [a, b, c, d, e]| {
            producer(items, "P1", f, Stages::DISPATCH, [a, b, c]);
            items.compute("P2", |pass| {
                pass.wait_for_fence(f, Stages::DISPATCH).dispatch("k2", [c], [d]);
                if again {
                    pass.update_fence(f, Stages::DISPATCH);
                }
            });
            items.compute("P3", |pass| {
                pass.wait_for_fence(f, Stages::BLIT).copy("c3", d, e);
            });
        });
        s
    };
    right(
        build(true).p,
        &[["P1.k1", "P2.k2"], ["P2.k2", "P3.c3"], ["P1.k1", "P3.c3"]],
        &[["P1.c1", "P3.c3"]],
    );
    wrong(build(false).p, ["P2.k2", "P3.c3"]);
}

#[test]
fn s2_v6_a_wait_that_finds_no_update_passes() {
    let mut s = Scene::explicit();
    let f = s.p.fence("F");
    s.commit("cb", |items, [a, b, c, d, e]| {
        consumer(items, "P2", f, [a, d, e]);
        producer(items, "P1", f, Stages::DISPATCH, [a, b, c]);
    });
    right(s.p, &[], &[["P1.k1", "P2.c2"]]);
}

#[test]
fn s2_v8_an_update_after_the_wrong_stage_orders_nothing_here() {
    wrong(s2(Stages::BLIT).p, ["P1.k1", "P2.c2"]);
}

#[test]
fn s2_v9_the_commit_array_decides() {
    let mut s = Scene::explicit();
    let f = s.p.fence("F");
    let first = s.buffer("cb1", |items, [a, b, c, ..]| producer(items, "P1", f, Stages::DISPATCH, [a, b, c]));
    let second = s.buffer("cb2", |items, [_, _, c, d, e]| consumer(items, "P2", f, [c, d, e]));
    s.p.steps().commit([second, first]);
    wrong(s.p, ["P1.k1", "P2.c2"]);
}

#[test]
fn s2_v10_without_stages_a_fence_takes_whole_passes() {
    let build = |wait: bool| {
        let mut s = Scene::tracked();
        let f = s.p.fence("F");
        s.commit("cb", |items, [a, b, c, d, _]| {
            items.blit("P1", |pass| {
                pass.copy("c1", a, b).update_fence(f, None);
            });
            items.compute("P2", |pass| {
                if wait {
                    pass.wait_for_fence(f, None);
                }
                pass.dispatch("k1", [b], [c]).dispatch("k2", [b, c], [d]);
            });
        });
        s
    };
    right(build(true).p, &[["P1.c1", "P2.k1"], ["P1.c1", "P2.k2"]], &[]);
    wrong(build(false).p, ["P1.c1", "P2.k1"]);
}

/// Without its wait the pass in the middle hands nothing on.
#[test]
fn x10_an_empty_pass_relays_a_fence() {
    let build = |wait: bool| {
        let mut s = Scene::tracked();
        let [f1, f2] = ["F1", "F2"].map(|name| s.p.fence(name));
        s.commit("cb", |items, [a, b, c, ..]| {
            items.blit("P1", |pass| {
                pass.copy("c1", a, b).update_fence(f1, None);
            });
            items.blit("P2", |pass| {
                if wait {
                    pass.wait_for_fence(f1, None);
                }
                pass.update_fence(f2, None);
            });
            items.blit("P3", |pass| {
                pass.wait_for_fence(f2, None).copy("c3", b, c);
            });
        });
        s
    };
    right(build(true).p, &[["P1.c1", "P3.c3"]], &[]);
    wrong(build(false).p, ["P1.c1", "P3.c3"]);
}
