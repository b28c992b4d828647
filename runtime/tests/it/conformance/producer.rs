//! Producer barriers: S4, X9.
use fencepost::Stages;

use super::{Scene, right, wrong};

/// S4 with the kernel of the second pass on a buffer of its own; the copy that matters before or behind the barrier.
fn s4(copy_behind: bool) -> Scene {
    let mut s = Scene::explicit();
    s.commit("cb", |items, [a, b, c, d, e]| {
        items.compute("P1", |pass| {
            pass.copy("c1", a, b);
        });
        items.compute("P2", |pass| {
            if !copy_behind {
                pass.copy("c2", a, d);
            }
            pass.producer_barrier(Stages::BLIT, Stages::DISPATCH);
            if copy_behind {
                pass.copy("c2", a, d);
            }
            pass.dispatch("k2", [c], [c]);
        });
        items.compute("P3", |pass| {
            pass.dispatch("k3", [b, d], [e]);
        });
    });
    s
}

#[test]
fn s4_later_passes_wait_for_this_and_earlier_ones() {
    right(
        s4(false).p,
        &[["P2.c2", "P3.k3"], ["P1.c1", "P3.k3"]],
        &[["P1.c1", "P2.c2"], ["P1.c1", "P2.k2"], ["P2.c2", "P2.k2"], ["P2.k2", "P3.k3"]],
    );
}

#[test]
fn s4_v1_what_stands_behind_it_is_not_waited_for() {
    wrong(s4(true).p, ["P2.c2", "P3.k3"]);
}

#[test]
fn s4_on_the_consumers_side_it_misses_the_consumer() {
    let mut s = Scene::explicit();
    s.commit("cb", |items, [a, b, c, ..]| {
        items.compute("P1", |pass| {
            pass.copy("c1", a, b);
        });
        items.compute("P2", |pass| {
            pass.producer_barrier(Stages::BLIT, Stages::DISPATCH).dispatch("k2", [b], [c]);
        });
    });
    wrong(s.p, ["P1.c1", "P2.k2"]);
}

/// X9: a producer barrier in `b1`, its consumer in `b2`.
fn x9(swapped: bool) -> Scene {
    let mut s = Scene::explicit();
    let b1 = s.buffer("b1", |items, [a, b, ..]| {
        items.compute("P1", |pass| {
            pass.copy("c1", a, b).producer_barrier(Stages::BLIT, Stages::DISPATCH);
        });
    });
    let b2 = s.buffer("b2", |items, [_, b, c, ..]| {
        items.compute("P2", |pass| {
            pass.dispatch("k2", [b], [c]);
        });
    });
    s.p.steps().commit(if swapped { [b2, b1] } else { [b1, b2] });
    s
}

#[test]
fn x9_the_order_of_the_array_is_the_order_of_the_queue() {
    right(x9(false).p, &[["P1.c1", "P2.k2"]], &[]);
    wrong(x9(true).p, ["P1.c1", "P2.k2"]);
}
