//! Hazard tracking: X4, X5, and the three hazards between passes.
use fencepost::replay::program::{BufferOptions, Builder, QueueMode, ResourceIndex, TrackingMode};

use super::{SIZE, Scene, right, right_values, wrong};

fn tracked(p: &mut Builder, name: &str) -> ResourceIndex {
    let options = BufferOptions { tracking: TrackingMode::Tracked, ..BufferOptions::default() };
    p.buffer_with(name, SIZE, options)
}

/// A write and a read of one tracked buffer in two passes.
fn written_then_read(mode: QueueMode) -> Scene {
    let mut s = Scene::new(mode);
    let t = tracked(&mut s.p, "T");
    s.commit("cb", |items, [a, b, ..]| {
        items.compute("P1", |pass| {
            pass.dispatch("k1", [a], [t]);
        });
        items.compute("P2", |pass| {
            pass.dispatch("k2", [t], [b]);
        });
    });
    s
}

#[test]
fn a_read_follows_the_write_before_it() {
    right(written_then_read(QueueMode::Tracked).p, &[["P1.k1", "P2.k2"]], &[]);
}

#[test]
fn x5_on_an_explicit_queue_tracking_is_inert() {
    wrong(written_then_read(QueueMode::Explicit).p, ["P1.k1", "P2.k2"]);
}

#[test]
fn writes_follow_reads_and_writes() {
    let mut s = Scene::tracked();
    let t = tracked(&mut s.p, "T");
    for (label, cb) in [("P1", "cb1"), ("P2", "cb2"), ("P3", "cb3")] {
        s.commit(cb, |items, [a, b, c, ..]| {
            let [read, write] = match label {
                "P1" => [a, t],
                "P2" => [t, b],
                _ => [c, t],
            };
            items.compute(label, |pass| {
                pass.dispatch("k", [read], [write]);
            });
        });
    }
    right(s.p, &[["P1.k", "P2.k"], ["P2.k", "P3.k"], ["P1.k", "P3.k"]], &[]);
}

#[test]
fn reads_overlap_and_so_do_parts_that_do_not_meet() {
    let mut s = Scene::tracked();
    let t = tracked(&mut s.p, "T");
    s.commit("cb", |items, [a, b, c, d, _]| {
        items.compute("P1", |pass| {
            pass.dispatch("k1", [a.bytes(0..128)], [t.bytes(0..128)]);
        });
        items.compute("P2", |pass| {
            pass.dispatch("k2", [a.bytes(0..128)], [t.bytes(128..256)]);
        });
        items.compute("P3", |pass| {
            pass.dispatch("k3", [t.bytes(0..128)], [b.bytes(0..128)]);
        });
        items.compute("P4", |pass| {
            pass.dispatch("k4", [t.bytes(0..64)], [c.bytes(0..64)]);
        });
        items.compute("P5", |pass| {
            pass.dispatch("k5", [t], [d]);
        });
    });
    right(
        s.p,
        &[["P1.k1", "P3.k3"], ["P1.k1", "P4.k4"], ["P1.k1", "P5.k5"], ["P2.k2", "P5.k5"]],
        &[["P1.k1", "P2.k2"], ["P2.k2", "P3.k3"], ["P3.k3", "P4.k4"], ["P3.k3", "P5.k5"]],
    );
}

/// X4: a buffer written through a pointer, declared or not.
fn x4(declared: Option<[bool; 2]>) -> Scene {
    let mut s = Scene::tracked();
    let t = tracked(&mut s.p, "T");
    s.commit("cb", |items, [a, b, ..]| {
        items.compute("P1", |pass| {
            if let Some([read, write]) = declared {
                pass.use_resource(t, read, write);
            }
            pass.indirect("k1", [a], [t]);
        });
        items.compute("P2", |pass| {
            pass.dispatch("k2", [t], [b]);
        });
    });
    s
}

#[test]
fn x4_what_is_reached_by_pointer_is_tracked_where_declared() {
    right(x4(Some([true, true])).p, &[["P1.k1", "P2.k2"]], &[]);
    wrong(x4(None).p, ["P1.k1", "P2.k2"]);
}

#[test]
fn x4_a_write_declared_as_a_read_is_a_race() {
    wrong(x4(Some([true, false])).p, ["P1.k1", "P2.k2"]);
}

#[test]
fn tracking_goes_over_queues_in_the_order_of_commits() {
    let mut s = Scene::tracked();
    let other = s.p.queue("other", QueueMode::Tracked);
    let t = tracked(&mut s.p, "T");
    s.commit("cb1", |items, [a, ..]| {
        items.compute("P1", |pass| {
            pass.dispatch("k1", [a], [t]);
        });
    });
    let b = s.r[1];
    let second = s.p.command_buffer("cb2", other, |items| {
        items.compute("P2", |pass| {
            pass.dispatch("k2", [t], [b]);
        });
    });
    s.p.steps().commit([second]);
    right_values(s.p.build());
}
