//! Memory barriers of concurrent compute passes: X2.
use fencepost::replay::program::{MemoryScope, Primitive};

use super::{Scene, right, right_values};

#[test]
fn x2_a_memory_barrier_orders_the_dispatches_around_it() {
    let mut s = Scene::tracked();
    s.commit("cb", |items, [a, b, c, d, e]| {
        items.compute_concurrent("P", |pass| {
            pass.dispatch("k1", [a], [b]).dispatch("k2", [a], [d]);
            pass.memory_barrier_buffers();
            pass.dispatch("k3", [b, d], [c]).dispatch("k4", [b], [e]);
        });
    });
    right(
        s.p,
        &[["P.k1", "P.k3"], ["P.k2", "P.k3"], ["P.k1", "P.k4"]],
        &[["P.k1", "P.k2"], ["P.k3", "P.k4"]],
    );
}

#[test]
fn x2_for_named_resources_it_orders_too() {
    let mut s = Scene::tracked();
    s.commit("cb", |items, [a, b, c, ..]| {
        items.compute_concurrent("P", |pass| {
            let scope = MemoryScope::Resources(vec![b]);
            pass.dispatch("k1", [a], [b]);
            pass.primitive(None, Primitive::MemoryBarrier { scope, after: None, before: None });
            pass.dispatch("k2", [b], [c]);
        });
    });
    right_values(s.p.build());
}

#[test]
fn in_a_serial_pass_it_has_nothing_to_do() {
    let mut s = Scene::tracked();
    s.commit("cb", |items, [a, b, c, ..]| {
        items.compute("P", |pass| {
            pass.dispatch("k1", [a], [b]).memory_barrier_buffers().dispatch("k2", [b], [c]);
        });
    });
    right(s.p, &[["P.k1", "P.k2"]], &[]);
}
