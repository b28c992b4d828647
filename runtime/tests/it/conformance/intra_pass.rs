//! Barriers within a pass: S1.
use fencepost::replay::program::Primitive;
use fencepost::{Stages, Visibility};

use super::{Scene, beside, right, right_values, wrong};

fn s1(barrier: Option<(Stages, Stages, Visibility)>) -> Scene {
    let mut s = Scene::explicit();
    s.commit("cb", |items, [a, b, _, d, e]| {
        items.compute("P0", |pass| {
            beside(pass, d);
        });
        items.compute("P1", |pass| {
            pass.copy("c1", a, b);
            if let Some((after, before, visibility)) = barrier {
                pass.primitive(None, Primitive::Barrier { after, before, visibility });
            }
            pass.dispatch("k1", [b], [b]);
            beside(pass, e);
        });
    });
    s
}

#[test]
fn s1_a_barrier_orders_copy_and_dispatch() {
    let s = s1(Some((Stages::BLIT, Stages::DISPATCH, Visibility::DEVICE)));
    right(
        s.p,
        &[["P1.c1", "P1.k1"]],
        &[["P0.beside", "P1.c1"], ["P0.beside", "P1.k1"], ["P1.k1", "P1.beside"]],
    );
}

#[test]
fn s1_v1_without_it_nothing_does() {
    wrong(s1(None).p, ["P1.c1", "P1.k1"]);
}

#[test]
fn s1_v2_without_visibility_it_orders_all_the_same() {
    // Freshness is not promised; on a device with one memory it comes with the order.
    right_values(s1(Some((Stages::BLIT, Stages::DISPATCH, Visibility::empty()))).p.build());
}

#[test]
fn s1_v3_v4_between_commands_of_one_stage() {
    let mut s = Scene::explicit();
    s.commit("cb", |items, [a, b, c, d, e]| {
        items.compute("P1", |pass| {
            pass.copy("c1", a, b).barrier(Stages::BLIT, Stages::BLIT).copy("c2", b, c);
        });
        items.compute("P2", |pass| {
            pass.dispatch("k1", [a], [d]).barrier(Stages::DISPATCH, Stages::DISPATCH).dispatch(
                "k2",
                [d],
                [e],
            );
        });
    });
    right(s.p, &[["P1.c1", "P1.c2"], ["P2.k1", "P2.k2"]], &[["P1.c1", "P2.k1"], ["P1.c2", "P2.k2"]]);
}

#[test]
fn s1_v6_with_its_stages_swapped_it_orders_nothing_here() {
    wrong(s1(Some((Stages::DISPATCH, Stages::BLIT, Visibility::DEVICE))).p, ["P1.c1", "P1.k1"]);
}

#[test]
fn a_barrier_of_a_pass_leaves_other_passes_alone() {
    let mut s = Scene::explicit();
    s.commit("cb", |items, [a, b, c, ..]| {
        items.compute("P1", |pass| {
            pass.copy("c1", a, b);
        });
        items.compute("P2", |pass| {
            pass.barrier(Stages::ALL & (Stages::BLIT | Stages::DISPATCH), Stages::DISPATCH).dispatch(
                "k2",
                [b],
                [c],
            );
        });
    });
    wrong(s.p, ["P1.c1", "P2.k2"]);
}
