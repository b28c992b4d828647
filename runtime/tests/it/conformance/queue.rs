//! Queues: X6, and what their own order does not give.
use fencepost::Stages;

use super::{Scene, right, wrong, wrong_values};

#[test]
fn x6_a_reserved_place_holds_back_what_is_behind_it() {
    let mut s = Scene::tracked();
    let f = s.p.fence("F");
    let first = s.buffer("cb1", |items, [a, b, ..]| {
        items.blit("P1", |pass| {
            pass.copy("c1", a, b).update_fence(f, None);
        });
    });
    let second = s.buffer("cb2", |items, [_, b, c, ..]| {
        items.blit("P2", |pass| {
            pass.wait_for_fence(f, None).copy("c2", b, c);
        });
    });
    s.p.steps().enqueue(first).commit([second]).commit([first]);
    right(s.p, &[["P1.c1", "P2.c2"]], &[]);
}

#[test]
fn without_the_place_the_commits_decide() {
    let mut s = Scene::tracked();
    let f = s.p.fence("F");
    let first = s.buffer("cb1", |items, [a, b, ..]| {
        items.blit("P1", |pass| {
            pass.copy("c1", a, b).update_fence(f, None);
        });
    });
    let second = s.buffer("cb2", |items, [_, b, c, ..]| {
        items.blit("P2", |pass| {
            pass.wait_for_fence(f, None).copy("c2", b, c);
        });
    });
    s.p.steps().commit([second]).commit([first]);
    wrong(s.p, ["P1.c1", "P2.c2"]);
}

#[test]
fn buffers_of_one_queue_only_start_in_order() {
    let mut s = Scene::tracked();
    s.commit("cb1", |items, [a, b, ..]| {
        items.blit("P1", |pass| {
            pass.copy("c1", a, b);
        });
    });
    s.commit("cb2", |items, [_, b, c, ..]| {
        items.blit("P2", |pass| {
            pass.copy("c2", b, c);
        });
    });
    wrong(s.p, ["P1.c1", "P2.c2"]);
}

/// A pass that draws to a texture, and one whose fragments read it.
fn s5(between: impl FnOnce(&mut fencepost::replay::program::PassBuilder)) -> Scene {
    use fencepost::replay::program::{Attachment, LoadAction, StoreAction, TextureOptions};
    let mut s = Scene::explicit();
    let [t, u] = ["T", "U"].map(|name| s.p.texture(name, 16, 16, TextureOptions::default()));
    let color = |texture: fencepost::replay::program::ResourceIndex| {
        vec![Attachment { texture: texture.whole(), load: LoadAction::Clear, store: StoreAction::Store }]
    };
    s.commit("cb", |items, [a, ..]| {
        items.render("R1", color(t), |pass| {
            pass.draw("d1", [a], [a]).draw("d2", super::NONE, [a]);
        });
        items.render("R2", color(u), |pass| {
            between(pass);
            pass.draw("d3", super::NONE, [t]);
        });
    });
    s
}

#[test]
fn s5_a_pass_that_samples_what_another_one_drew() {
    let s = s5(|pass| {
        pass.consumer_barrier(Stages::FRAGMENT, Stages::FRAGMENT);
    });
    right(s.p, &[], &[]);
}

#[test]
fn s5_vertices_do_not_wait_for_fragments() {
    let s = s5(|pass| {
        pass.consumer_barrier(Stages::VERTEX, Stages::VERTEX);
    });
    wrong_values(s.p.build());
}
