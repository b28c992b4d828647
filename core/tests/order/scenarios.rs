//! The documented scenarios S1 to S11, X1 to X10 and X17 with their variants, as far as they are order.
//!
//! A pair that must be ordered is; a pair that may overlap is not ordered either way; each variant with the
//! synchronization wrong or missing leaves its conflict unordered.
use fencepost_core::program::{
    Attachment, BufferOptions, Builder, CommandBufferIndex, FenceIndex, LoadAction, MemoryScope, Part,
    Placement, Primitive, Program, QueueIndex, QueueMode, ResourceIndex, StoreAction, TextureOptions,
    TrackingMode,
};
use fencepost_core::{Order, Stages, Visibility};

const NONE: [ResourceIndex; 0] = [];
const DEVICE: Visibility = Visibility::DEVICE;

/// A program with one queue and buffers `A` to `E`, untracked.
struct Scene {
    p: Builder,
    q: QueueIndex,
    r: [ResourceIndex; 5],
}

impl Scene {
    fn new(mode: QueueMode) -> Self {
        let mut p = Program::builder();
        let q = p.queue("q", mode);
        let options = BufferOptions { tracking: TrackingMode::Untracked, ..BufferOptions::default() };
        let r = ["A", "B", "C", "D", "E"].map(|name| p.buffer_with(name, 64, options));
        Self { p, q, r }
    }

    fn explicit() -> Self {
        Self::new(QueueMode::Explicit)
    }

    fn tracked() -> Self {
        Self::new(QueueMode::Tracked)
    }

    /// A command buffer, not committed yet.
    fn buffer(
        &mut self,
        label: &str,
        write: impl FnOnce(&mut fencepost_core::program::QueueItems, [ResourceIndex; 5]),
    ) -> CommandBufferIndex {
        let r = self.r;
        self.p.command_buffer(label, self.q, |items| write(items, r))
    }

    /// The order once these have been committed, one by one.
    fn order(mut self, buffers: impl IntoIterator<Item = CommandBufferIndex>) -> Order {
        buffers.into_iter().for_each(|buffer| {
            self.p.steps().commit([buffer]);
        });
        order(self.p)
    }
}

fn order(p: Builder) -> Order {
    Order::of(&p.build()).unwrap()
}

#[track_caller]
fn before(order: &Order, first: &str, second: &str) {
    assert!(order.is_ordered(first, second), "{first} must be before {second}");
    let visible = |a| order.named(second).into_iter().all(|b| order.visible(a, b));
    assert!(order.named(first).into_iter().all(visible), "{first} must be visible to {second}");
}

#[track_caller]
fn beside(order: &Order, first: &str, second: &str) {
    assert!(order.is_unordered(first, second), "{first} and {second} may overlap");
}

/// S1, its barrier as given.
fn s1(after: Stages, to: Stages, visibility: Option<Visibility>) -> Order {
    let mut s = Scene::explicit();
    let cb = s.buffer("cb", |items, [a, b, ..]| {
        items.compute("P0", |pass| {
            pass.copy("c0", a, b).dispatch("k0", [a], [b]);
        });
        items.compute("P1", |pass| {
            pass.copy("c1", a, b);
            if let Some(visibility) = visibility {
                pass.primitive(Some("b"), Primitive::Barrier { after, before: to, visibility });
            }
            pass.dispatch("k1", [b], [b]);
        });
    });
    s.order([cb])
}

#[test]
fn s1_intra_pass_barrier() {
    let order = s1(Stages::BLIT, Stages::DISPATCH, Some(DEVICE));
    before(&order, "P1.c1", "P1.k1");
    for own in ["P1.c1", "P1.k1"] {
        beside(&order, "P0.c0", own);
        beside(&order, "P0.k0", own);
    }
}

#[test]
fn s1_variants() {
    beside(&s1(Stages::BLIT, Stages::DISPATCH, None), "P1.c1", "P1.k1");
    beside(&s1(Stages::DISPATCH, Stages::BLIT, Some(DEVICE)), "P1.c1", "P1.k1");
    beside(&s1(Stages::empty(), Stages::DISPATCH, Some(DEVICE)), "P1.c1", "P1.k1");
    let stale = s1(Stages::BLIT, Stages::DISPATCH, Some(Visibility::empty()));
    assert!(stale.is_ordered("P1.c1", "P1.k1"));
    assert!(!stale.visible(stale.named("P1.c1")[0], stale.named("P1.k1")[0]));
    let alias = s1(Stages::BLIT, Stages::DISPATCH, Some(Visibility::RESOURCE_ALIAS));
    before(&alias, "P1.c1", "P1.k1");
    for stage in [Stages::BLIT, Stages::DISPATCH] {
        let mut s = Scene::explicit();
        let cb = s.buffer("cb", |items, [a, b, c, ..]| {
            items.compute("P", |pass| {
                if stage == Stages::BLIT {
                    pass.copy("x", a, b).barrier(stage, stage).copy("y", b, c);
                } else {
                    pass.dispatch("x", [a], [b]).barrier(stage, stage).dispatch("y", [b], [c]);
                }
            });
        });
        before(&s.order([cb]), "P.x", "P.y");
    }
}

/// The producing pass of S2.
fn s2_producer(items: &mut fencepost_core::program::QueueItems, label: &str, f: FenceIndex, after: Stages) {
    let [a, b, c] = [0, 1, 2].map(ResourceIndex);
    items.compute(label, |pass| {
        pass.copy("c1", a, b).dispatch("k1", NONE, [c]).update_fence(f, after);
    });
}

/// The consuming pass of S2.
fn s2_consumer(items: &mut fencepost_core::program::QueueItems, label: &str, f: FenceIndex) {
    let [c, d, e] = [2, 3, 4].map(ResourceIndex);
    items.compute(label, |pass| {
        pass.wait_for_fence(f, Stages::BLIT).copy("c2", c, d).dispatch("k2", [e], [e]);
    });
}

#[test]
fn s2_fence() {
    for separate in [false, true] {
        let mut s = Scene::explicit();
        let f = s.p.fence("F");
        let order = if separate {
            let first = s.buffer("cb1", |items, _| s2_producer(items, "P1", f, Stages::DISPATCH));
            let second = s.buffer("cb2", |items, _| s2_consumer(items, "P2", f));
            s.order([first, second])
        } else {
            let cb = s.buffer("cb", |items, _| {
                s2_producer(items, "P1", f, Stages::DISPATCH);
                s2_consumer(items, "P2", f);
            });
            s.order([cb])
        };
        before(&order, "P1.k1", "P2.c2");
        for (first, second) in [
            ("P1.c1", "P2.c2"),
            ("P1.c1", "P2.k2"),
            ("P1.k1", "P2.k2"),
            ("P1.c1", "P1.k1"),
            ("P2.c2", "P2.k2"),
        ] {
            beside(&order, first, second);
        }
    }
}

#[test]
fn s2_one_commit_array_and_its_reverse() {
    for reversed in [false, true] {
        let mut s = Scene::explicit();
        let f = s.p.fence("F");
        let first = s.buffer("cb1", |items, _| s2_producer(items, "P1", f, Stages::DISPATCH));
        let second = s.buffer("cb2", |items, _| s2_consumer(items, "P2", f));
        s.p.steps().commit(if reversed { [second, first] } else { [first, second] });
        let order = order(s.p);
        assert!(order.stuck().is_empty());
        if reversed {
            beside(&order, "P1.k1", "P2.c2");
        } else {
            before(&order, "P1.k1", "P2.c2");
        }
    }
}

#[test]
fn s2_many_updates_and_many_waits() {
    let mut s = Scene::explicit();
    let f = s.p.fence("F");
    let cb = s.buffer("cb", |items, _| {
        ["P1a", "P1b", "P1c"].iter().for_each(|label| s2_producer(items, label, f, Stages::DISPATCH));
        s2_consumer(items, "P2", f);
        s2_consumer(items, "P3", f);
    });
    let order = s.order([cb]);
    for producer in ["P1a.k1", "P1b.k1", "P1c.k1"] {
        before(&order, producer, "P2.c2");
        before(&order, producer, "P3.c2");
    }
    beside(&order, "P2.c2", "P3.c2");
}

#[test]
fn s2_a_fence_that_goes_from_pass_to_pass() {
    let mut s = Scene::explicit();
    let f = s.p.fence("F");
    let cb = s.buffer("cb", |items, [.., c, d, e]| {
        s2_producer(items, "P1", f, Stages::DISPATCH);
        items.compute("P2", |pass| {
            pass.wait_for_fence(f, Stages::BLIT).copy("c2", c, d).dispatch("k2", [e], [e]);
            pass.update_fence(f, Stages::DISPATCH);
        });
        items.compute("P3", |pass| {
            pass.wait_for_fence(f, Stages::BLIT).copy("c3", e, d);
        });
    });
    let order = s.order([cb]);
    before(&order, "P1.k1", "P2.c2");
    before(&order, "P1.k1", "P3.c3");
    before(&order, "P2.k2", "P3.c3");
    beside(&order, "P2.c2", "P3.c3");
}

#[test]
fn s2_waits_that_find_nothing() {
    // Never updated; updated in the same pass only; updated after the wrong stage.
    let mut s = Scene::explicit();
    let [f, g] = ["F", "G"].map(|name| s.p.fence(name));
    let cb = s.buffer("cb", |items, [.., c, d, _]| {
        s2_producer(items, "P1", g, Stages::BLIT);
        s2_consumer(items, "P2", f);
        s2_consumer(items, "P3", g);
        items.compute("P4", |pass| {
            pass.dispatch("k4", NONE, [c]).update_fence(f, Stages::DISPATCH);
            pass.wait_for_fence(f, Stages::BLIT).copy("c4", c, d);
        });
    });
    let order = s.order([cb]);
    assert!(order.stuck().is_empty(), "a wait for a fence never hangs");
    beside(&order, "P1.k1", "P2.c2");
    beside(&order, "P1.k1", "P3.c2");
    before(&order, "P1.c1", "P3.c2");
    beside(&order, "P4.k4", "P4.c4");
}

#[test]
fn s2_without_stages() {
    let mut s = Scene::tracked();
    let f = s.p.fence("F");
    let cb = s.buffer("cb", |items, [a, b, c, d, e]| {
        items.blit("P1", |pass| {
            pass.copy("c1", a, b).fill("f1", c, 1).update_fence(f, None);
        });
        items.compute("P2", |pass| {
            pass.dispatch("k0", [e], [e]).wait_for_fence(f, None).dispatch("k1", [b], [c]).dispatch(
                "k2",
                [c],
                [d],
            );
        });
    });
    let order = s.order([cb]);
    for second in ["P2.k1", "P2.k2"] {
        before(&order, "P1.c1", second);
        before(&order, "P1.f1", second);
    }
    beside(&order, "P1.f1", "P2.k0");
}

/// S3 with its passes in command buffers of their own, committed one by one, behind a pass of an earlier one.
fn s3(consumer: bool) -> Order {
    let mut s = Scene::explicit();
    let earliest = s.buffer("cb0", |items, [a, .., e]| {
        items.compute("P0", |pass| {
            pass.copy("c0", a, e);
        })
    });
    let first = s.buffer("cb1", |items, [a, b, ..]| {
        items.compute("P1", |pass| {
            pass.copy("c1", a, b);
        })
    });
    let second = s.buffer("cb2", |items, [_, b, c, d, _]| {
        items.compute("P2", |pass| {
            pass.copy("c2", c, d);
            if consumer {
                pass.consumer_barrier(Stages::BLIT, Stages::DISPATCH);
            }
            pass.dispatch("k2", [b], [b]);
        });
    });
    let third = s.buffer("cb3", |items, [.., e]| {
        items.compute("P3", |pass| {
            pass.dispatch("k3", [e], [e]);
        })
    });
    s.order([earliest, first, second, third])
}

#[test]
fn s3_consumer_barrier() {
    let order = s3(true);
    for first in ["P0.c0", "P1.c1"] {
        before(&order, first, "P2.k2");
        before(&order, first, "P3.k3");
        beside(&order, first, "P2.c2");
    }
    beside(&order, "P2.c2", "P2.k2");
    beside(&order, "P2.c2", "P3.k3");
    beside(&order, "P2.k2", "P3.k3");
    beside(&s3(false), "P1.c1", "P2.k2");
}

#[test]
fn s3_a_barrier_for_stages_of_a_later_pass() {
    let mut s = Scene::explicit();
    let cb = s.buffer("cb", |items, [a, b, c, ..]| {
        items.compute("P1", |pass| {
            pass.copy("c1", a, b);
        });
        items.compute("P2", |pass| {
            pass.consumer_barrier(Stages::BLIT, Stages::VERTEX).dispatch("k2", [c], [c]);
        });
        items.render("R3", Vec::new(), |pass| {
            pass.draw("d3", [b], NONE);
        });
    });
    let order = s.order([cb]);
    let (copy, draw) = (order.named("P1.c1"), order.named("R3.d3"));
    assert!(order.visible(copy[0], draw[0]), "the vertex stage waits");
    assert!(!order.ordered(copy[0], draw[1]), "the fragment stage does not");
    beside(&order, "P1.c1", "P2.k2");
}

/// S4; the copy stands before or behind the barrier.
fn s4(copy_behind: bool) -> Order {
    let mut s = Scene::explicit();
    let first = s.buffer("cb1", |items, [a, b, c, d, e]| {
        items.compute("P1", |pass| {
            pass.copy("c1", a, b);
        });
        items.compute("P2", |pass| {
            if !copy_behind {
                pass.copy("c2", c, d);
            }
            pass.producer_barrier(Stages::BLIT, Stages::DISPATCH);
            if copy_behind {
                pass.copy("c2", c, d);
            }
            pass.dispatch("k2", [e], [e]);
        });
    });
    let second = s.buffer("cb2", |items, [.., d, _]| {
        items.compute("P3", |pass| {
            pass.dispatch("k3", [d], [d]);
        })
    });
    s.order([first, second])
}

#[test]
fn s4_producer_barrier() {
    let order = s4(false);
    before(&order, "P2.c2", "P3.k3");
    before(&order, "P1.c1", "P3.k3");
    for (first, second) in [("P1.c1", "P2.c2"), ("P1.c1", "P2.k2"), ("P2.c2", "P2.k2"), ("P2.k2", "P3.k3")] {
        beside(&order, first, second);
    }
    let order = s4(true);
    beside(&order, "P2.c2", "P3.k3");
    before(&order, "P1.c1", "P3.k3");
}

#[test]
fn s4_for_a_render_pass() {
    let mut s = Scene::explicit();
    let cb = s.buffer("cb", |items, [.., c, d, _]| {
        items.compute("P2", |pass| {
            pass.copy("c2", c, d).producer_barrier(Stages::BLIT, Stages::VERTEX | Stages::FRAGMENT);
        });
        items.render("R3", Vec::new(), |pass| {
            pass.draw("d3", [d], [d]);
        });
    });
    before(&s.order([cb]), "P2.c2", "R3.d3");
}

fn target(s: &mut Scene) -> Attachment {
    let texture = s.p.texture("T", 16, 16, TextureOptions::default());
    Attachment { texture: Part::from(texture), load: LoadAction::Clear, store: StoreAction::Store }
}

#[test]
fn s5_three_ways_to_split_a_render_pass() {
    for way in 0..4 {
        let mut s = Scene::explicit();
        let (f, t) = (s.p.fence("F"), target(&mut s));
        let other = s.r[0];
        let read = t.texture.resource;
        let cb = s.buffer("cb", |items, _| {
            items.render("R1", vec![t], |pass| {
                pass.draw("d1", NONE, NONE);
                match way {
                    1 => {
                        pass.producer_barrier(Stages::FRAGMENT, Stages::FRAGMENT);
                    }
                    2 => {
                        pass.update_fence(f, Stages::FRAGMENT);
                    }
                    _ => {}
                }
            });
            items.render("R2", Vec::new(), |pass| {
                match way {
                    0 => {
                        pass.consumer_barrier(Stages::FRAGMENT, Stages::FRAGMENT);
                    }
                    2 => {
                        pass.wait_for_fence(f, Stages::FRAGMENT);
                    }
                    _ => {}
                }
                pass.draw("d2", [other], [read]);
            });
        });
        let order = s.order([cb]);
        let (d1, d2) = (order.named("R1.d1"), order.named("R2.d2"));
        assert_eq!(order.visible(d1[1], d2[1]), way != 3, "way {way}: fragment to fragment");
        assert!(
            !order.ordered(d1[0], d2[0]) && !order.ordered(d1[1], d2[0]),
            "way {way}: R2's vertices run ahead"
        );
    }
}

#[test]
fn s5_a_tracked_attachment_needs_nothing() {
    for mode in [QueueMode::Tracked, QueueMode::Explicit] {
        let mut s = Scene::new(mode);
        let t = target(&mut s);
        let loaded = Attachment { load: LoadAction::Load, ..t.clone() };
        let cb = s.buffer("cb", |items, _| {
            items.render("R1", vec![t], |pass| {
                pass.draw("d1", NONE, NONE);
            });
            items.render("R2", vec![loaded], |pass| {
                pass.draw("d2", NONE, NONE);
            });
        });
        let order = s.order([cb]);
        let (d1, d2) = (order.named("R1.d1"), order.named("R2.d2"));
        assert_eq!(order.visible(d1[1], d2[1]), mode == QueueMode::Tracked);
        assert!(!order.ordered(d1[1], d2[0]));
    }
}

#[test]
fn s5_a_pass_without_draws_still_clears() {
    for (fenced, kind) in [(true, LoadAction::Clear), (false, LoadAction::Load)] {
        let mut s = Scene::explicit();
        let (f, t) = (s.p.fence("F"), target(&mut s));
        let alone = Attachment { load: kind, ..t.clone() };
        let cb = s.buffer("cb", |items, _| {
            items.render("R1", vec![t], |pass| {
                pass.draw("d1", NONE, NONE).update_fence(f, Stages::FRAGMENT);
            });
            // It stands behind what holds the pass, and in front of what stands behind that.
            items.render("R2", vec![alone], |pass| {
                pass.producer_barrier(Stages::FRAGMENT, Stages::VERTEX);
                if fenced {
                    pass.wait_for_fence(f, Stages::FRAGMENT);
                }
                pass.producer_barrier(Stages::FRAGMENT, Stages::FRAGMENT);
            });
            items.render("R3", Vec::new(), |pass| {
                pass.draw("d3", NONE, NONE);
            });
        });
        let order = s.order([cb]);
        let (d1, own, d3) = (order.named("R1.d1"), order.named("R2"), order.named("R3.d3"));
        assert_eq!((own.len(), order.named("cb.R2").len()), (1, 1));
        assert_eq!(order.visible(d1[1], own[0]), fenced);
        assert!(!order.ordered(d1[0], own[0]), "the fence captures fragments");
        assert!(order.ordered(own[0], d3[1]), "the second barrier waits for it");
        assert_eq!(
            order.ordered(own[0], d3[0]),
            !fenced,
            "the first one stands behind it where nothing holds"
        );
        assert_eq!(order.named("R1.d1:vertex"), d1[..1]);
        assert_eq!(order.named("cb.R1.d1:fragment"), d1[1..]);
        assert!(order.named("R1.d1:blit").is_empty() && order.named("R1.d1:no-stage").is_empty());
    }
}

#[test]
fn x4_a_declaration_in_a_render_pass_speaks_for_every_stage() {
    for mode in [QueueMode::Tracked, QueueMode::Explicit] {
        let mut s = Scene::new(mode);
        let a = s.p.buffer("tracked", 64);
        let cb = s.buffer("cb", |items, _| {
            items.compute("P1", |pass| {
                pass.dispatch("k1", NONE, [a]);
            });
            items.render("R2", Vec::new(), |pass| {
                pass.draw("d1", NONE, NONE).use_resource(a, true, false).draw("d2", NONE, NONE);
            });
        });
        let order = s.order([cb]);
        assert!(order.is_unordered("P1.k1", "R2.d1"), "a declaration counts from where it stands");
        assert_eq!(order.is_ordered("P1.k1", "R2.d2"), mode == QueueMode::Tracked);
    }
}

#[test]
fn s9_multistage_filter_with_a_fence() {
    for update_per_level in [true, false] {
        let mut s = Scene::tracked();
        let f = s.p.fence("F");
        let heap = s.p.heap("H", 4096, false);
        let options =
            TextureOptions { mips: 5, tracking: TrackingMode::Untracked, ..TextureOptions::default() };
        let out = s.p.texture("out", 64, 64, options);
        let placed =
            TextureOptions { placement: Placement::Heap { heap, offset: 0 }, ..TextureOptions::default() };
        let temporary: Vec<ResourceIndex> =
            (1..5).map(|i| s.p.texture(&format!("T{i}"), 32, 32, placed)).collect();
        let input = s.r[0];
        let cb = s.buffer("cb", |items, _| {
            items.blit("B0", |pass| {
                pass.copy("c", input, out.subresources(0..1, 0..1));
                pass.command("g", fencepost_core::program::Work::GenerateMipmaps { texture: out });
                pass.update_fence(f, None);
            });
            for (i, &t) in (1..5).zip(&temporary) {
                let level = out.subresources(i..i + 1, 0..1);
                items.compute(&format!("K{i}"), |pass| {
                    pass.wait_for_fence(f, None);
                    pass.dispatch("h", [level.clone()], [t.whole()]).dispatch("v", [t.whole()], [level]);
                    if update_per_level {
                        pass.update_fence(f, None);
                    }
                });
            }
        });
        let order = s.order([cb]);
        for i in 1..5 {
            before(&order, "B0.c", &format!("K{i}.h"));
            before(&order, "B0.g", &format!("K{i}.h"));
            before(&order, &format!("K{i}.h"), &format!("K{i}.v"));
        }
        for i in 1..4 {
            let (this, next) = (format!("K{i}.v"), format!("K{}.h", i + 1));
            if update_per_level {
                before(&order, &this, &next);
            } else {
                beside(&order, &this, &next);
            }
        }
    }
}

#[test]
fn x1_x2_serial_and_concurrent_passes() {
    let program = |concurrent: bool, barrier: bool| {
        let mut s = Scene::tracked();
        let cb = s.buffer("cb", |items, [a, b, ..]| {
            let write = |pass: &mut fencepost_core::program::PassBuilder| {
                pass.dispatch("w", NONE, [a]);
                if barrier {
                    pass.memory_barrier_buffers();
                }
                pass.dispatch("r", [a], [b]);
            };
            if concurrent { items.compute_concurrent("P", write) } else { items.compute("P", write) }
        });
        s.order([cb])
    };
    before(&program(false, false), "P.w", "P.r");
    before(&program(false, true), "P.w", "P.r");
    beside(&program(true, false), "P.w", "P.r");
    let scoped = program(true, true);
    assert!(scoped.is_ordered("P.w", "P.r"));
    let (w, r) = (scoped.named("P.w")[0], scoped.named("P.r")[0]);
    assert!(scoped.visible_to(w, r, ResourceIndex(0)) && !scoped.visible(w, r), "buffers, and nothing else");
}

#[test]
fn x2_a_memory_barrier_for_one_resource() {
    let mut s = Scene::tracked();
    let only = MemoryScope::Resources(vec![s.r[0]]);
    let cb = s.buffer("cb", |items, [a, b, c, ..]| {
        items.compute_concurrent("P", |pass| {
            pass.dispatch("w", NONE, [a, b]);
            pass.primitive(None, Primitive::MemoryBarrier { scope: only, after: None, before: None });
            pass.dispatch("r", [a, b], [c]);
        });
    });
    let order = s.order([cb]);
    let (w, r) = (order.named("P.w")[0], order.named("P.r")[0]);
    assert!(order.ordered(w, r));
    assert!(order.visible_to(w, r, ResourceIndex(0)) && !order.visible_to(w, r, ResourceIndex(1)));
}

#[test]
fn x3_a_tracked_heap_is_one_unit() {
    for tracked in [true, false] {
        let mut s = Scene::tracked();
        let heap = s.p.heap("H", 4096, tracked);
        let place = |offset| BufferOptions {
            placement: Placement::Heap { heap, offset },
            tracking: TrackingMode::Tracked,
            ..BufferOptions::default()
        };
        let [r1, r2] = [0, 1024].map(|offset| s.p.buffer_with(&format!("R{offset}"), 64, place(offset)));
        let cb = s.buffer("cb", |items, [a, ..]| {
            items.compute("P1", |pass| {
                pass.dispatch("k1", NONE, [r1]);
            });
            items.compute("P2", |pass| {
                pass.dispatch("k2", [r2], [a]);
            });
        });
        let order = s.order([cb]);
        if tracked {
            before(&order, "P1.k1", "P2.k2");
        } else {
            beside(&order, "P1.k1", "P2.k2");
        }
    }
}

#[test]
fn x4_x5_what_tracking_sees() {
    let program = |mode, declared: Option<bool>, indirect: bool| {
        let mut s = Scene::new(mode);
        let t = s.p.buffer("tracked", 64);
        let cb = s.buffer("cb", |items, [a, ..]| {
            items.compute("P1", |pass| {
                if let Some(write) = declared {
                    pass.use_resource(t, true, write);
                }
                if indirect {
                    pass.indirect("w", NONE, [t]);
                } else {
                    pass.dispatch("w", NONE, [t]);
                }
            });
            items.compute("P2", |pass| {
                pass.dispatch("r", [t], [a]);
            });
        });
        s.order([cb])
    };
    beside(&program(QueueMode::Tracked, None, true), "P1.w", "P2.r");
    before(&program(QueueMode::Tracked, Some(true), true), "P1.w", "P2.r");
    // Declared as read only, the write is still not seen.
    beside(&program(QueueMode::Tracked, Some(false), true), "P1.w", "P2.r");
    before(&program(QueueMode::Tracked, None, false), "P1.w", "P2.r");
    beside(&program(QueueMode::Explicit, None, false), "P1.w", "P2.r");
}

#[test]
fn x9_the_commit_array_decides() {
    for reversed in [false, true] {
        let mut s = Scene::explicit();
        let first = s.buffer("b1", |items, [a, b, ..]| {
            items.compute("P1", |pass| {
                pass.copy("c", a, b).producer_barrier(Stages::BLIT, Stages::DISPATCH);
            });
        });
        let second = s.buffer("b2", |items, [_, b, c, ..]| {
            items.compute("P2", |pass| {
                pass.dispatch("k", [b], [c]);
            })
        });
        s.p.steps().commit(if reversed { [second, first] } else { [first, second] });
        let order = order(s.p);
        if reversed {
            beside(&order, "P1.c", "P2.k");
        } else {
            before(&order, "P1.c", "P2.k");
        }
    }
}

#[test]
fn x10_a_fence_relayed_by_an_empty_pass() {
    let mut s = Scene::explicit();
    let [f1, f2] = ["F1", "F2"].map(|name| s.p.fence(name));
    let cb = s.buffer("cb", |items, [a, b, c, ..]| {
        items.compute("P1", |pass| {
            pass.copy("c1", a, b).update_fence(f1, None);
        });
        items.compute("P2", |pass| {
            pass.wait_for_fence(f1, None).update_fence(f2, None);
        });
        items.compute("P3", |pass| {
            pass.wait_for_fence(f2, None).copy("c3", b, c);
        });
    });
    before(&s.order([cb]), "P1.c1", "P3.c3");
}

/// Untracked work of many command buffers, of which the CPU waits for the last: on a tracked queue it has then seen all of them end.
#[test]
fn x17_completion_is_told_in_the_order_of_a_tracked_queue() {
    for mode in [QueueMode::Tracked, QueueMode::Explicit] {
        // More than what is followed one by one.
        const COUNT: usize = 30;
        let mut s = Scene::new(mode);
        let buffers: Vec<CommandBufferIndex> = (0..COUNT)
            .map(|number| {
                s.buffer(&format!("b{number}"), |items, [a, ..]| {
                    items.compute(&format!("P{number}"), |pass| {
                        pass.dispatch("k", [a], NONE);
                    });
                })
            })
            .collect();
        s.p.steps().commit(buffers.iter().copied());
        s.p.steps().wait_until_completed(buffers[COUNT - 2]).write(s.r[0]);
        let order = order(s.p);
        for number in 0..COUNT {
            let first = format!("P{number}.k");
            let told = match mode {
                QueueMode::Tracked => number < COUNT - 1,
                QueueMode::Explicit => number == COUNT - 2,
            };
            assert_eq!(order.is_ordered(&first, "cpu.#2"), told, "{mode:?}: {first}");
        }
    }
}
