//! Every finding with the program that has it and the one that differs by what mends it.
use fencepost_core::explain::Explainer;
use fencepost_core::program::{
    Attachment, BufferOptions, Builder, CommandBufferIndex, DeviceKind, LoadAction, PassKind, Placement,
    Primitive, Program, QueueMode, ResourceIndex, Step, StorageMode, StoreAction, TextureOptions,
    TrackingMode, Work,
};
use fencepost_core::validate::{Finding, Kind, Severity, StuckReason, validate};
use fencepost_core::{Extent, Stages, Visibility};

fn findings(p: Builder) -> (Program, Vec<Finding>) {
    let program = p.build();
    let findings = validate(&program).unwrap();
    (program, findings)
}

/// `code first second resource`, a line a finding, and every one can be explained.
fn found(p: Builder) -> Vec<String> {
    let (program, findings) = findings(p);
    let explainer = Explainer::of(&program);
    let line = |finding: &Finding| {
        let explanation = explainer.explain(finding);
        assert!(explanation.what.ends_with('.') && explanation.advice.ends_with('.'), "{explanation:?}");
        let code = match &finding.kind {
            Kind::Misuse(misuse) => misuse.code(),
            Kind::Managed(managed) => managed.code(),
            _ => finding.code(),
        };
        let spots = [finding.first, finding.second].into_iter().flatten().map(|spot| explainer.path(spot));
        let resource = finding.resource.map(|resource| explainer.resource(resource).to_owned());
        core::iter::once(code.to_owned()).chain(spots).chain(resource).collect::<Vec<_>>().join(" ")
    };
    findings.iter().map(line).collect()
}

fn explicit() -> (Builder, [ResourceIndex; 3]) {
    let mut p = Program::builder();
    p.queue("q", QueueMode::Explicit);
    let buffers = ["A", "B", "C"].map(|name| p.buffer(name, 64));
    (p, buffers)
}

const Q: fencepost_core::program::QueueIndex = fencepost_core::program::QueueIndex(0);

fn commit(p: &mut Builder, buffers: impl IntoIterator<Item = CommandBufferIndex>) {
    p.steps().commit(buffers);
}

fn shared() -> BufferOptions {
    BufferOptions { storage: StorageMode::Shared, ..BufferOptions::default() }
}

#[test]
fn races_within_and_across_passes() {
    let program = |barrier: bool, one_pass: bool| {
        let (mut p, [a, b, c]) = explicit();
        let cb = p.command_buffer("cb", Q, |items| {
            items.compute("P1", |pass| {
                pass.copy("c1", a, b);
                if one_pass {
                    if barrier {
                        pass.barrier(Stages::BLIT, Stages::DISPATCH);
                    }
                    pass.dispatch("k1", [b], [c]);
                }
            });
            if !one_pass {
                items.compute("P2", |pass| {
                    if barrier {
                        pass.consumer_barrier(Stages::BLIT, Stages::DISPATCH);
                    }
                    pass.dispatch("k1", [b], [c]);
                });
            }
        });
        commit(&mut p, [cb]);
        found(p)
    };
    assert_eq!(program(false, true), ["race P1.c1 P1.k1 B"]);
    assert_eq!(program(false, false), ["race P1.c1 P2.k1 B"]);
    assert!(program(true, true).is_empty() && program(true, false).is_empty());
}

#[test]
fn a_barrier_without_visibility_leaves_what_it_orders_stale() {
    let program = |visibility: Visibility| {
        let (mut p, [a, b, c]) = explicit();
        let cb = p.command_buffer("cb", Q, |items| {
            items.compute("P1", |pass| {
                pass.copy("c1", a, b);
                let (after, before) = (Stages::BLIT, Stages::DISPATCH);
                pass.primitive(Some("b"), Primitive::Barrier { after, before, visibility });
                pass.dispatch("k1", [b], [c]).dispatch("k2", [c], [a]);
            });
        });
        commit(&mut p, [cb]);
        found(p)
    };
    // Writing A again behind its read needs no visibility.
    assert_eq!(program(Visibility::empty()), ["stale P1.c1 P1.k1 B", "race P1.k1 P1.k2 C"]);
    assert_eq!(program(Visibility::DEVICE), ["race P1.k1 P1.k2 C"]);
}

#[test]
fn the_cpu_races_where_it_does_not_wait() {
    let program = |waits: bool, early: bool| {
        let mut p = Program::builder();
        let q = p.queue("q", QueueMode::Explicit);
        let [a, b] = ["A", "B"].map(|name| p.buffer_with(name, 64, shared()));
        let cb = p.command_buffer("cb", q, |items| {
            items.compute("P", |pass| {
                pass.copy("c", a, b);
            });
        });
        if early {
            p.steps().write(a);
        }
        commit(&mut p, [cb]);
        if waits {
            p.steps().wait_until_completed(cb);
        }
        if !early {
            p.steps().write(a);
        }
        p.steps().read(b);
        found(p)
    };
    assert_eq!(program(true, true), [""; 0]);
    assert_eq!(program(true, false), [""; 0]);
    assert_eq!(program(false, true), ["race P.c cpu.#2 B"]);
    assert_eq!(program(false, false), ["race P.c cpu.#1 A", "race P.c cpu.#2 B"]);
}

#[test]
fn aliases_are_the_same_bytes() {
    let program = |offset| {
        let mut p = Program::builder();
        let q = p.queue("q", QueueMode::Explicit);
        let heap = p.heap("H", 256, false);
        let place = |offset| BufferOptions {
            placement: Placement::Heap { heap, offset },
            ..BufferOptions::default()
        };
        let (a, b) = (p.buffer_with("A", 64, place(0)), p.buffer_with("B", 64, place(offset)));
        let cb = p.command_buffer("cb", q, |items| {
            items.compute("P", |pass| {
                pass.fill("f", a, 1).fill("g", b, 2);
            });
        });
        commit(&mut p, [cb]);
        let (_, findings) = findings(p);
        findings
    };
    assert!(program(64).is_empty());
    let clash = program(32);
    assert_eq!(clash.len(), 1);
    assert_eq!(clash[0].extent, Some(fencepost_core::Extent::Bytes(0..32)));
    assert_eq!(clash[0].resource, Some(ResourceIndex(1)));
}

#[test]
fn draws_of_one_pass_write_attachments_in_their_order() {
    let mut p = Program::builder();
    let q = p.queue("q", QueueMode::Explicit);
    let t = p.texture("T", 8, 8, TextureOptions::default());
    let color = |load| vec![Attachment { texture: t.whole(), load, store: StoreAction::Store }];
    let cb = p.command_buffer("cb", q, |items| {
        items.render("R1", color(LoadAction::Clear), |pass| {
            pass.draw::<ResourceIndex, ResourceIndex>("d1", [], []).draw::<ResourceIndex, ResourceIndex>(
                "d2",
                [],
                [],
            );
        });
        items.render("R2", color(LoadAction::Load), |pass| {
            pass.draw::<ResourceIndex, ResourceIndex>("d3", [], []);
        });
    });
    commit(&mut p, [cb]);
    // The last draw of the first pass stands for all of it.
    assert_eq!(found(p), ["race R1.d2 R2.d3 T"]);
}

#[test]
fn stuck_waits_have_reasons() {
    let program = |signal: Option<u64>, late: bool| {
        let (mut p, _) = explicit();
        let e = p.event("E");
        let cb = p.command_buffer("cb", Q, |_| ());
        if let (Some(value), false) = (signal, late) {
            p.steps().signal_event("s", Q, e, value);
        }
        p.steps().wait_for_event("w", Q, e, 2);
        if let (Some(value), true) = (signal, late) {
            p.steps().signal_event("s", Q, e, value);
        }
        p.steps().commit([cb]).wait_until_completed(cb);
        let (_, findings) = findings(p);
        findings.into_iter().map(|finding| finding.kind).collect::<Vec<_>>()
    };
    let reason = |signal, late| match program(signal, late).as_slice() {
        [Kind::Stuck(stuck)] => {
            assert_eq!(stuck.behind.len(), 1, "the CPU waits for the command buffer behind the wait");
            Some(stuck.reason.clone())
        }
        other => {
            assert!(other.is_empty(), "{other:?}");
            None
        }
    };
    assert_eq!(reason(None, false), Some(StuckReason::NeverSignalled { value: 2, highest: None }));
    assert_eq!(reason(Some(1), false), Some(StuckReason::NeverSignalled { value: 2, highest: Some(1) }));
    assert!(matches!(reason(Some(2), true), Some(StuckReason::OwnFuture { .. })));
    assert_eq!(reason(Some(2), false), None);
}

#[test]
fn waits_that_wait_for_each_other_are_one_finding() {
    let mut p = Program::builder();
    let [qa, qb] = ["QA", "QB"].map(|name| p.queue(name, QueueMode::Tracked));
    let [e, f] = ["E", "F"].map(|name| p.event(name));
    let a = p.command_buffer("a", qa, |items| {
        items.wait_for_event("w", f, 1);
        items.signal_event("s", e, 1);
    });
    let b = p.command_buffer("b", qb, |items| {
        items.wait_for_event("w", e, 1);
        items.signal_event("s", f, 1);
    });
    commit(&mut p, [a]);
    commit(&mut p, [b]);
    let (program, findings) = findings(p);
    let [Finding { kind: Kind::Stuck(stuck), .. }] = findings.as_slice() else { panic!("{findings:?}") };
    let StuckReason::Cycle(all) = &stuck.reason else { panic!("{stuck:?}") };
    assert_eq!(all.iter().map(|locus| program.path(*locus)).collect::<Vec<_>>(), ["a.w", "b.w"]);
    assert!(stuck.behind.is_empty());
}

#[test]
fn a_wait_for_what_is_never_committed_is_stuck() {
    let (mut p, _) = explicit();
    let [one, two] = ["one", "two"].map(|label| p.command_buffer(label, Q, |_| ()));
    p.steps().commit([one]).wait_until_completed(two);
    assert_eq!(found(p), ["never-committed two", "stuck two cpu.#1"]);
}

#[test]
fn managed_copies_are_brought_over_or_missed() {
    let program = |published: Option<u64>, late: bool, synchronized: bool, waits: bool| {
        let mut p = Program::builder();
        let q = p.queue("q", QueueMode::Tracked);
        let m = p.buffer_with(
            "M",
            64,
            BufferOptions { storage: StorageMode::Managed, ..BufferOptions::default() },
        );
        let cb = p.command_buffer("cb", q, |items| {
            items.compute("K", |pass| {
                pass.dispatch("k", [m], [m]);
            });
            if synchronized {
                items.blit("S", |pass| {
                    pass.command("s", Work::Synchronize { resource: m, extent: Extent::Whole });
                });
            }
        });
        p.steps().write(m.bytes(0..32));
        let publish = published.map(|end| Step::DidModify(m.bytes(0..end)));
        p.steps().step(publish.clone().filter(|_| !late).unwrap_or(Step::Commit(Vec::new())));
        p.steps().commit([cb]);
        p.steps().step(publish.filter(|_| late).unwrap_or(Step::Commit(Vec::new())));
        if waits {
            p.steps().wait_until_completed(cb);
        }
        p.steps().read(m.bytes(0..16));
        found(p)
    };
    assert_eq!(program(Some(32), false, true, true), [""; 0]);
    assert_eq!(program(None, false, true, true), ["not-published cpu.#0 K.k M"]);
    assert_eq!(program(Some(16), false, true, true), ["not-published cpu.#0 K.k M"]);
    assert_eq!(program(Some(32), true, true, true), ["not-published cpu.#0 K.k M"]);
    assert_eq!(program(Some(32), false, false, true), ["not-synchronized K.k cpu.#5 M"]);
    assert_eq!(program(Some(32), false, true, false), ["not-synchronized K.k cpu.#4 M"]);
}

#[test]
fn a_publication_races_with_work_in_flight() {
    let program = |waits: bool| {
        let mut p = Program::builder();
        let q = p.queue("q", QueueMode::Explicit);
        let m = p.buffer_with(
            "M",
            64,
            BufferOptions { storage: StorageMode::Managed, ..BufferOptions::default() },
        );
        let c = p.buffer("C", 64);
        let frame = |p: &mut Builder, label: &str, to: ResourceIndex| {
            p.command_buffer(label, q, |items| {
                items.compute(label, |pass| {
                    pass.copy("c", m, to);
                });
            })
        };
        let d = p.buffer("D", 64);
        let (one, two) = (frame(&mut p, "one", c), frame(&mut p, "two", d));
        p.steps().commit([one]);
        if waits {
            p.steps().wait_until_completed(one);
        }
        p.steps().write(m).step(Step::DidModify(m.whole())).commit([two]);
        found(p)
    };
    assert_eq!(program(false), ["race one.c cpu.#2 M"]);
    assert_eq!(program(true), [""; 0]);
}

#[test]
fn undefined_contents_are_warned_of() {
    let program = |fills: bool| {
        let mut p = Program::builder();
        let q = p.queue("q", QueueMode::Tracked);
        let heap = p.heap("H", 64, true);
        let place =
            BufferOptions { placement: Placement::Heap { heap, offset: 0 }, ..BufferOptions::default() };
        let [a, b] = ["A", "B"].map(|name| p.buffer_with(name, 64, place));
        let c = p.buffer("C", 64);
        let t = p.texture("T", 8, 8, TextureOptions::default());
        let load = if fills { LoadAction::Clear } else { LoadAction::Load };
        let color = vec![Attachment { texture: t.whole(), load, store: StoreAction::Store }];
        let cb = p.command_buffer("cb", q, |items| {
            items.blit("P1", |pass| {
                pass.fill("f", a, 1);
            });
            items.blit("P2", |pass| {
                if fills {
                    pass.fill("g", b, 1);
                }
                pass.copy("c", b, c);
            });
            items.render("R", color, |pass| {
                pass.draw::<ResourceIndex, ResourceIndex>("d", [], []);
            });
        });
        commit(&mut p, [cb]);
        let program = p.build();
        let warnings = validate(&program).unwrap();
        assert!(warnings.iter().all(|finding| finding.severity() == Severity::Warning));
        let resources = warnings.iter().filter_map(|finding| finding.resource);
        resources.map(|resource| program.resource(resource).name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(program(false), ["B", "T"]);
    assert_eq!(program(true), [""; 0]);
}

#[test]
fn encoders_have_their_stages() {
    let program = |after: Stages, before: Stages| {
        let (mut p, [a, b, _]) = explicit();
        let cb = p.command_buffer("cb", Q, |items| {
            items.compute("P", |pass| {
                pass.copy("c", a, b);
                pass.primitive(
                    Some("b"),
                    Primitive::Barrier { after, before, visibility: Visibility::DEVICE },
                );
            });
            items.render("R", Vec::new(), |pass| {
                let (after, before, visibility) = (Stages::FRAGMENT, Stages::FRAGMENT, Visibility::DEVICE);
                pass.primitive(Some("b"), Primitive::Barrier { after, before, visibility });
            });
        });
        commit(&mut p, [cb]);
        found(p)
    };
    assert_eq!(program(Stages::BLIT, Stages::DISPATCH), ["fragment-in-after R.b"]);
    assert_eq!(program(Stages::VERTEX, Stages::BLIT), ["stage-not-in-encoder P.b", "fragment-in-after R.b"]);
    assert_eq!(program(Stages::BLIT, Stages::ALL), ["stage-not-in-encoder P.b", "fragment-in-after R.b"]);
    assert_eq!(program(Stages::empty(), Stages::BLIT), ["empty-stages P.b", "fragment-in-after R.b"]);
}

#[test]
fn fences_are_updated_elsewhere_first() {
    let program = |update: bool, same_pass: bool| {
        let (mut p, [a, b, _]) = explicit();
        let f = p.fence("F");
        let cb = p.command_buffer("cb", Q, |items| {
            if update && !same_pass {
                items.compute("P0", |pass| {
                    pass.update_fence(f, None);
                });
            }
            items.compute("P1", |pass| {
                if update && same_pass {
                    pass.primitive(Some("u"), Primitive::UpdateFence { fence: f, after: None });
                }
                pass.primitive(Some("w"), Primitive::WaitForFence { fence: f, before: None });
                pass.copy("c", a, b);
            });
        });
        commit(&mut p, [cb]);
        found(p)
    };
    assert_eq!(program(false, false), ["never-updated P1.w"]);
    assert_eq!(program(true, true), ["update-before-wait P1.u P1.w"]);
    assert_eq!(program(true, false), [""; 0]);
}

#[test]
fn calls_belong_to_queues_devices_and_memory() {
    let mut p = Program::builder();
    let [gpu, other] = ["gpu", "other"].map(|name| p.device(name, DeviceKind::Any));
    let tracked = p.queue_on("t", QueueMode::Tracked, gpu);
    let queue = p.queue_on("e", QueueMode::Explicit, gpu);
    let heap = p.heap("H", 64, false);
    let a = p.buffer("A", 64);
    let far = p.buffer_with("far", 64, BufferOptions { device: Some(other), ..BufferOptions::default() });
    let wish = BufferOptions {
        placement: Placement::Heap { heap, offset: 0 },
        tracking: TrackingMode::Tracked,
        ..BufferOptions::default()
    };
    let placed = p.buffer_with("placed", 64, wish);
    let e = p.event("E");
    let cb = p.command_buffer("cb", tracked, |items| {
        items.blit("P", |pass| {
            pass.copy("c", a, far);
        });
        items.compute("K", |pass| {
            pass.producer_barrier(Stages::DISPATCH, Stages::DISPATCH);
            pass.copy("c", a, a);
        });
    });
    let blit = p.command_buffer("blit", queue, |items| {
        items.pass("B", PassKind::Blit, |_| ());
        items.signal_event("s", e, 1);
    });
    let last = p.command_buffer("last", tracked, |items| {
        items.blit("L", |pass| {
            pass.fill("f", placed, 1);
        });
    });
    p.steps().commit([cb]).commit([cb]).enqueue(blit).commit([blit]).write(a);
    p.steps().step(Step::MakeAliasable(a)).step(Step::MakeAliasable(placed)).commit([last]);
    assert_eq!(
        found(p),
        [
            "tracked-on-untracked-heap placed",
            "wrong-device P.c far",
            "wrong-queue-mode K.#0",
            "stage-not-in-encoder K.c",
            "wrong-queue-mode B",
            "wrong-queue-mode blit.s",
            "use-after-aliasing cpu.#6 L.f placed",
            "committed-twice cpu.#0 cpu.#1",
            "wrong-queue-mode cpu.#2",
            "wrong-storage-mode cpu.#4 A",
            "not-aliasable cpu.#5 A",
        ]
    );
}

#[test]
fn signals_that_raise_nothing_are_warned_of() {
    let mut p = Program::builder();
    let q = p.queue("q", QueueMode::Tracked);
    let e = p.event("E");
    let cb = p.command_buffer("cb", q, |items| {
        items.signal_event("s1", e, 5);
        items.signal_event("s2", e, 3);
        items.signal_event("s3", e, 6);
    });
    commit(&mut p, [cb]);
    assert_eq!(found(p), ["signal-not-increasing cb.s1 cb.s2"]);
}
