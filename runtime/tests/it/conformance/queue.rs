//! Queues: X6, and what their own order does not give.
use super::{Scene, right, wrong};

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

#[test]
fn s5_render_passes_are_judged_but_not_run_here() {
    let mut s = Scene::explicit();
    s.commit("cb", |items, [a, ..]| {
        items.render("R1", Vec::new(), |pass| {
            pass.draw("d1", [a], super::NONE);
        });
    });
    let error = fencepost::replay::run(&s.p.build(), &fencepost::replay::Options::default()).unwrap_err();
    assert_eq!(error.kind(), fencepost::ErrorKind::Unsupported);
    assert!(error.to_string().contains("`R1` is a render pass"), "{error}");
}
