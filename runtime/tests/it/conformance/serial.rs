//! Serial passes: X1, and the blit encoder.
use super::{Scene, right, wrong};

#[test]
fn x1_a_serial_pass_orders_untracked_memory() {
    let mut s = Scene::tracked();
    s.commit("cb", |items, [a, b, c, d, _]| {
        items.compute("P", |pass| {
            pass.dispatch("k1", [a], [b]).dispatch("k2", [b], [c]).dispatch("k3", [b, c], [d]);
        });
    });
    right(s.p, &[["P.k1", "P.k2"], ["P.k2", "P.k3"], ["P.k1", "P.k3"]], &[]);
}

#[test]
fn x2_a_concurrent_pass_does_not() {
    let mut s = Scene::tracked();
    s.commit("cb", |items, [a, b, c, ..]| {
        items.compute_concurrent("P", |pass| {
            pass.dispatch("k1", [a], [b]).dispatch("k2", [b], [c]);
        });
    });
    wrong(s.p, ["P.k1", "P.k2"]);
}

#[test]
fn a_compute_pass_of_an_explicit_queue_is_concurrent() {
    let mut s = Scene::explicit();
    s.commit("cb", |items, [a, b, c, ..]| {
        items.compute("P", |pass| {
            pass.dispatch("k1", [a], [b]).dispatch("k2", [b], [c]);
        });
    });
    wrong(s.p, ["P.k1", "P.k2"]);
}

#[test]
fn a_blit_pass_is_serial() {
    let mut s = Scene::tracked();
    s.commit("cb", |items, [a, b, c, ..]| {
        items.blit("P", |pass| {
            pass.copy("c1", a, b).copy("c2", b, c).fill("f", b, 3);
        });
    });
    right(s.p, &[["P.c1", "P.c2"], ["P.c2", "P.f"]], &[]);
}

#[test]
fn serial_passes_are_not_ordered_among_each_other() {
    let mut s = Scene::tracked();
    s.commit("cb", |items, [a, b, c, ..]| {
        items.blit("P1", |pass| {
            pass.copy("c1", a, b);
        });
        items.blit("P2", |pass| {
            pass.copy("c2", b, c);
        });
    });
    wrong(s.p, ["P1.c1", "P2.c2"]);
}
