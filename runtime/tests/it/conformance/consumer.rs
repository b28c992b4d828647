//! Consumer barriers: S3, and the consumer's side of S5 where no render pass is needed.
use fencepost::Stages;

use super::{Scene, right, wrong};

/// S3, its barrier in the consuming pass or behind the producer's copy.
fn s3(consumer: bool) -> Scene {
    let mut s = Scene::explicit();
    s.commit("cb", |items, [a, b, c, d, e]| {
        items.compute("P1", |pass| {
            pass.copy("c1", a, b);
            if !consumer {
                pass.consumer_barrier(Stages::BLIT, Stages::DISPATCH);
            }
        });
        items.compute("P2", |pass| {
            pass.copy("c2", c, d);
            if consumer {
                pass.consumer_barrier(Stages::BLIT, Stages::DISPATCH);
            }
            pass.dispatch("k2", [b], [b]);
        });
        items.compute("P3", |pass| {
            pass.dispatch("k3", [e], [e]);
        });
    });
    s
}

#[test]
fn s3_a_consumer_waits_for_earlier_passes_and_so_do_later_ones() {
    right(
        s3(true).p,
        &[["P1.c1", "P2.k2"], ["P1.c1", "P3.k3"]],
        &[["P1.c1", "P2.c2"], ["P2.c2", "P2.k2"], ["P2.c2", "P3.k3"], ["P2.k2", "P3.k3"]],
    );
}

#[test]
fn s3_on_the_producers_side_it_misses_the_producer() {
    wrong(s3(false).p, ["P1.c1", "P2.k2"]);
}

#[test]
fn s3_does_not_order_commands_of_its_own_pass() {
    let mut s = Scene::explicit();
    s.commit("cb", |items, [a, b, ..]| {
        items.compute("P1", |pass| {
            pass.copy("c1", a, b).consumer_barrier(Stages::BLIT, Stages::DISPATCH).dispatch("k1", [b], [b]);
        });
    });
    wrong(s.p, ["P1.c1", "P1.k1"]);
}

#[test]
fn s3_v1_v2_v3_over_commits_and_to_all_earlier_work() {
    let mut s = Scene::explicit();
    s.commit("cb0", |items, [a, _, c, ..]| {
        items.compute("P0", |pass| {
            pass.copy("c0", a, c);
        });
    });
    s.commit("cb1", |items, [a, b, ..]| {
        items.compute("P1", |pass| {
            pass.copy("c1", a, b);
        });
    });
    s.commit("cb2", |items, [_, b, ..]| {
        items.compute("P2", |pass| {
            pass.consumer_barrier(Stages::BLIT, Stages::DISPATCH).dispatch("k2", [b], [b]);
        });
    });
    s.commit("cb3", |items, [_, _, c, d, _]| {
        items.compute("P3", |pass| {
            pass.dispatch("k3", [c], [d]);
        });
    });
    right(
        s.p,
        &[["P0.c0", "P2.k2"], ["P1.c1", "P2.k2"], ["P0.c0", "P3.k3"], ["P1.c1", "P3.k3"]],
        &[["P0.c0", "P1.c1"], ["P2.k2", "P3.k3"]],
    );
}

#[test]
fn s3_on_a_tracked_queue_it_covers_untracked_memory() {
    let build = |barrier: bool| {
        let mut s = Scene::tracked();
        s.commit("cb", |items, [a, b, c, ..]| {
            items.blit("P1", |pass| {
                pass.copy("c1", a, b);
            });
            items.compute("P2", |pass| {
                if barrier {
                    pass.consumer_barrier(Stages::BLIT, Stages::DISPATCH);
                }
                pass.dispatch("k2", [b], [c]);
            });
        });
        s
    };
    right(build(true).p, &[["P1.c1", "P2.k2"]], &[]);
    wrong(build(false).p, ["P1.c1", "P2.k2"]);
}
