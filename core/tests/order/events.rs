//! Scenarios with events, the CPU and slots of queues: S6, S8, S10, S11, X6, and the rules L1 to L6 that forbid order.
use fencepost_core::program::{
    BufferOptions, Builder, CommandBufferIndex, EventIndex, Locus, Program, QueueIndex, QueueItems,
    QueueMode, ResourceIndex, Steps, StorageMode, TrackingMode,
};
use fencepost_core::{Moment, NodeId, Order, Primitive, Stages};

const NONE: [ResourceIndex; 0] = [];

fn untracked(p: &mut Builder, name: &str) -> ResourceIndex {
    let tracking = TrackingMode::Untracked;
    p.buffer_with(
        name,
        64,
        BufferOptions { tracking, storage: StorageMode::Shared, ..BufferOptions::default() },
    )
}

fn pass(items: &mut QueueItems, label: &str) {
    items.compute(label, |pass| {
        pass.dispatch("k", NONE, NONE);
    });
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

fn step(order: &Order, number: u32) -> NodeId {
    order.nodes(Locus::Step(number))[0]
}

/// S6 on tracked queues; `values` are those of the two signals, the waits are for 1 and 2.
fn s6(values: [u64; 2], b_first: bool) -> Order {
    let mut p = Program::builder();
    let [qa, qb] = ["QA", "QB"].map(|name| p.queue(name, QueueMode::Tracked));
    let e = p.event("E");
    let a = p.command_buffer("a", qa, |items| {
        pass(items, "R1");
        items.signal_event("s1", e, values[0]);
        pass(items, "R2");
        items.wait_for_event("w2", e, 2);
        pass(items, "R3");
    });
    let b = p.command_buffer("b", qb, |items| {
        pass(items, "C1");
        items.wait_for_event("w1", e, 1);
        pass(items, "C2");
        items.signal_event("s2", e, values[1]);
        pass(items, "C3");
    });
    let all = if b_first { [b, a] } else { [a, b] };
    all.into_iter().for_each(|buffer| {
        p.steps().commit([buffer]);
    });
    order(p)
}

#[test]
fn s6_two_queues_and_one_event() {
    // L1 and L4: a signal in the middle of a buffer, and a wait committed before its signal.
    for b_first in [false, true] {
        let order = s6([1, 2], b_first);
        assert!(order.stuck().is_empty());
        for (first, second) in [("R1.k", "C2.k"), ("C1.k", "R3.k"), ("C2.k", "R3.k"), ("R1.k", "R3.k")] {
            before(&order, first, second);
        }
        for (first, second) in
            [("R2.k", "R3.k"), ("R1.k", "C1.k"), ("R2.k", "C1.k"), ("R2.k", "C2.k"), ("R3.k", "C3.k")]
        {
            beside(&order, first, second);
        }
    }
}

#[test]
fn s6_values() {
    // A signal of 5 releases both waits at once; then R3 has nothing to do with C2.
    let order = s6([5, 2], false);
    before(&order, "R1.k", "C2.k");
    beside(&order, "C2.k", "R3.k");
    beside(&order, "C1.k", "R3.k");
    // Nobody raises the event to 2.
    let order = s6([1, 1], false);
    assert_eq!(order.stuck().len(), 1);
    assert!(order.named("R3.k").is_empty(), "what stands behind a stuck wait was not played");
    // Nobody raises it at all: both queues are stuck.
    assert_eq!(s6([0, 0], false).stuck().len(), 2);
}

#[test]
fn s6_on_explicit_queues() {
    let mut p = Program::builder();
    let [qa, qb] = ["QA", "QB"].map(|name| p.queue(name, QueueMode::Explicit));
    let e = p.event("E");
    let mut buffer = |label: &str, queue| p.command_buffer(label, queue, |items| pass(items, label));
    let [r1, r2, r3] = ["R1", "R2", "R3"].map(|label| buffer(label, qa));
    let [c1, c2] = ["C1", "C2"].map(|label| buffer(label, qb));
    p.steps().commit([c1]).wait_for_event("w1", qb, e, 1).commit([c2]).signal_event("s2", qb, e, 2);
    p.steps()
        .commit([r1])
        .signal_event("s1", qa, e, 1)
        .commit([r2])
        .wait_for_event("w2", qa, e, 2)
        .commit([r3]);
    let order = order(p);
    before(&order, "R1.k", "C2.k");
    before(&order, "C1.k", "R3.k");
    beside(&order, "R2.k", "R3.k");
    beside(&order, "R2.k", "C2.k");
    let why = order.why(order.named("R1.k")[0], order.named("C2.k")[0]).unwrap();
    let primitives: Vec<Primitive> = why.iter().map(|hop| hop.link.primitive).collect();
    assert_eq!(primitives, [Primitive::EventSignal, Primitive::EventWait]);
    let places: Vec<Option<Locus>> = why.iter().map(|hop| order.locus(hop.link.site)).collect();
    assert_eq!(places, [Some(Locus::Step(5)), Some(Locus::Step(1))]);
}

#[test]
fn one_signal_releases_many_queues_and_stops_none() {
    // L2: a queue that waits does not stop another one.
    let mut p = Program::builder();
    let queues: Vec<QueueIndex> = (0..4).map(|n| p.queue(&format!("q{n}"), QueueMode::Tracked)).collect();
    let e = p.event("E");
    let waiting: Vec<CommandBufferIndex> = (1..4)
        .map(|n| {
            p.command_buffer(&format!("w{n}"), queues[n], |items| {
                items.wait_for_event("w", e, 1);
                pass(items, &format!("W{n}"));
            })
        })
        .collect();
    let free = p.command_buffer("free", queues[0], |items| {
        pass(items, "S");
        items.signal_event("s", e, 1);
        pass(items, "T");
    });
    waiting.into_iter().chain([free]).for_each(|buffer| {
        p.steps().commit([buffer]);
    });
    let order = order(p);
    assert!(order.stuck().is_empty());
    for n in 1..4 {
        before(&order, "S.k", &format!("W{n}.k"));
        beside(&order, "T.k", &format!("W{n}.k"));
    }
}

/// S8; how the CPU comes by the value 2.
fn s8(cpu: impl FnOnce(&mut Steps, EventIndex, ResourceIndex, CommandBufferIndex)) -> Order {
    let mut p = Program::builder();
    let q = p.queue("q", QueueMode::Tracked);
    let a = untracked(&mut p, "A");
    let x = p.shared_event("X");
    let cb = p.command_buffer("cb", q, |items| {
        pass(items, "G1");
        items.signal_event("s1", x, 1);
        pass(items, "G2");
        items.signal_event("s2", x, 2);
        items.wait_for_event("w3", x, 3);
        pass(items, "G3");
    });
    cpu(p.steps(), x, a, cb);
    order(p)
}

#[test]
fn s8_the_cpu_in_the_middle_of_a_command_buffer() {
    // L3 and L5: the notification runs and releases the queue while the buffer has not completed.
    let by_notify = s8(|steps, x, a, cb| {
        steps.notify(x, 2, |then| {
            then.write(a).set_signaled_value(x, 3);
        });
        steps.commit([cb]).wait_until_completed(cb);
    });
    // Registered after the value was reached: fires all the same.
    let late = s8(|steps, x, a, cb| {
        steps.commit([cb]).notify(x, 2, |then| {
            then.write(a).set_signaled_value(x, 3);
        });
    });
    let by_wait = s8(|steps, x, a, cb| {
        steps.commit([cb]).wait_until_signaled(x, 2).write(a).set_signaled_value(x, 3);
    });
    for (order, write) in [(by_notify, 1), (late, 2), (by_wait, 2)] {
        assert!(order.stuck().is_empty());
        let write = step(&order, write);
        for gpu in ["G1.k", "G2.k"] {
            assert!(order.visible(order.named(gpu)[0], write), "{gpu} before the CPU's work");
            before(&order, gpu, "G3.k");
        }
        assert!(order.visible(write, order.named("G3.k")[0]));
        beside(&order, "G1.k", "G2.k");
    }
}

#[test]
fn s8_a_smaller_value_changes_nothing() {
    let order = s8(|steps, x, _, cb| {
        steps.commit([cb]).wait_until_signaled(x, 2).set_signaled_value(x, 1);
    });
    assert_eq!(order.stuck().len(), 1, "3 never comes");
    assert!(order.named("G3.k").is_empty());
}

#[test]
fn s10_multistage_filter_with_events() {
    let mut p = Program::builder();
    let [q, other] = ["q", "other"].map(|name| p.queue(name, QueueMode::Tracked));
    let e = p.event("E");
    let mut count = 0;
    let mut frame = |p: &mut Builder, n: u32| {
        let buffer = p.command_buffer(&format!("frame{n}"), q, |items| {
            items.wait_for_event("begin", e, count);
            for stage in ["B0", "K1", "K2", "K3", "R"] {
                pass(items, &format!("{stage}_{n}"));
                count += 1;
                items.signal_event(&format!("s{count}"), e, count);
                items.wait_for_event(&format!("w{count}"), e, count);
            }
        });
        p.steps().commit([buffer]);
    };
    frame(&mut p, 0);
    frame(&mut p, 1);
    let free = p.command_buffer("free", other, |items| pass(items, "F"));
    p.steps().commit([free]);
    let order = order(p);
    assert!(order.stuck().is_empty(), "the first wait, for 0, passes at once");
    let stages = ["B0_0", "K1_0", "K2_0", "K3_0", "R_0", "B0_1", "K1_1", "K2_1", "K3_1", "R_1"];
    for pair in stages.windows(2) {
        before(&order, &format!("{}.k", pair[0]), &format!("{}.k", pair[1]));
    }
    stages.iter().for_each(|stage| beside(&order, "F.k", &format!("{stage}.k")));
}

#[test]
fn s11_triple_buffering() {
    let mut p = Program::builder();
    let q = p.queue("q", QueueMode::Tracked);
    let vertices: Vec<ResourceIndex> = (0..3).map(|n| untracked(&mut p, &format!("V{n}"))).collect();
    let frames: Vec<CommandBufferIndex> = (0..6)
        .map(|f| {
            let v = vertices[f % 3];
            p.command_buffer(&format!("cb{f}"), q, |items| {
                items.render(&format!("F{f}"), Vec::new(), |pass| {
                    pass.draw("d", [v], NONE);
                });
            })
        })
        .collect();
    let mut writes = Vec::new();
    let mut steps = 0;
    for f in 0..6 {
        if f >= 3 {
            p.steps().wait_until_completed(frames[f - 3]);
            steps += 1;
        }
        p.steps().write(vertices[f % 3]).commit([frames[f]]);
        writes.push(steps);
        steps += 2;
    }
    let order = order(p);
    for f in 0..6 {
        let draw = order.named(&format!("F{f}.d"))[0];
        assert!(order.visible(step(&order, writes[f]), draw));
        for (next, &number) in writes.iter().enumerate().skip(f + 1) {
            let write = step(&order, number);
            assert_eq!(order.visible(draw, write), next >= f + 3, "frame {f} and the write for frame {next}");
            assert!(!order.ordered(write, draw));
        }
    }
}

#[test]
fn x6_a_reserved_slot_holds_back_what_is_behind_it() {
    for committed in [true, false] {
        let mut p = Program::builder();
        let q = p.queue("q", QueueMode::Tracked);
        let [one, two] = ["one", "two"]
            .map(|label| p.command_buffer(label, q, |items| pass(items, &format!("P_{label}"))));
        p.steps().enqueue(one).commit([two]);
        if committed {
            p.steps().commit([one]);
        }
        let order = order(p);
        if committed {
            let passes: Vec<Moment> =
                order.moments().iter().filter(|moment| matches!(moment, Moment::Pass(..))).copied().collect();
            assert_eq!(passes, [Moment::Pass(one, 0), Moment::Pass(two, 0)]);
            assert!(
                order.ordered(step(&order, 2), order.named("P_two.k")[0]),
                "not before the first one's commit"
            );
            beside(&order, "P_one.k", "P_two.k");
        } else {
            assert!(order.named("P_two.k").is_empty());
        }
    }
}

#[test]
fn a_cpu_write_is_before_what_is_committed_later_only() {
    let mut p = Program::builder();
    let q = p.queue("q", QueueMode::Explicit);
    let a = untracked(&mut p, "A");
    let [one, two] =
        ["one", "two"].map(|label| p.command_buffer(label, q, |items| pass(items, &format!("P_{label}"))));
    p.steps().commit([one]).write(a).commit([two]);
    let order = order(p);
    let write = step(&order, 1);
    assert!(order.visible(write, order.named("P_two.k")[0]));
    assert!(
        !order.ordered(write, order.named("P_one.k")[0]) && !order.ordered(order.named("P_one.k")[0], write)
    );
}

#[test]
fn threads_run_beside_each_other() {
    let mut p = Program::builder();
    let a = untracked(&mut p, "A");
    p.steps().write(a);
    p.steps().thread("t", |steps| {
        steps.write(a);
    });
    p.steps().write(a);
    let order = order(p);
    let [first, inside, last] = [0, 2, 3].map(|number| step(&order, number));
    assert!(order.ordered(first, inside) && order.ordered(first, last));
    assert!(!order.ordered(inside, last) && !order.ordered(last, inside));
}

/// Queues `S0`, `S1` … each run a pass and raise `E` to the value given; `W` waits for `least` and runs a pass.
fn raced(values: &[u64], least: u64) -> Order {
    let mut p = Program::builder();
    let e = p.event("E");
    for (n, &value) in values.iter().enumerate() {
        let queue = p.queue(&format!("S{n}"), QueueMode::Tracked);
        let buffer = p.command_buffer(&format!("s{n}"), queue, |items| {
            pass(items, &format!("S{n}"));
            items.signal_event("s", e, value);
        });
        p.steps().commit([buffer]);
    }
    let queue = p.queue("W", QueueMode::Tracked);
    let buffer = p.command_buffer("w", queue, |items| {
        items.wait_for_event("w", e, least);
        pass(items, "W");
    });
    p.steps().commit([buffer]);
    order(p)
}

#[test]
fn where_several_signals_could_release_a_wait_none_is_sure() {
    let order = raced(&[1, 1], 1);
    beside(&order, "S0.k", "W.k");
    beside(&order, "S1.k", "W.k");
    let order = raced(&[1, 2], 2);
    before(&order, "S1.k", "W.k");
    beside(&order, "S0.k", "W.k");
    assert_eq!(raced(&[1, 1], 2).stuck().len(), 1, "signals do not add up");
}

#[test]
fn what_is_before_all_signals_is_before_the_wait() {
    // X feeds both signals; and one of them is itself behind the wait, which takes nothing away.
    let mut p = Program::builder();
    let [qx, q1, q2, qw] = ["X", "Q1", "Q2", "W"].map(|name| p.queue(name, QueueMode::Tracked));
    let [e, x] = ["E", "X"].map(|name| p.event(name));
    let source = p.command_buffer("source", qx, |items| {
        pass(items, "X");
        items.signal_event("x", x, 1);
    });
    let mut signal = |label: &str, queue| {
        p.command_buffer(label, queue, |items| {
            items.wait_for_event("wx", x, 1);
            pass(items, label);
            items.signal_event("s", e, 1);
        })
    };
    let [one, two] = [signal("one", q1), signal("two", q2)];
    let wait = p.command_buffer("wait", qw, |items| {
        items.wait_for_event("w", e, 1);
        pass(items, "W");
        items.signal_event("again", e, 7);
    });
    p.steps().commit([wait]).commit([one]).commit([two]).commit([source]);
    let order = order(p);
    before(&order, "X.k", "W.k");
    beside(&order, "one.k", "W.k");
    beside(&order, "two.k", "W.k");
}

#[test]
fn two_waits_that_could_each_release_the_other() {
    // w1 is released by `free` or by what follows w2, and w2 by `free` or by what follows w1.
    let mut p = Program::builder();
    let [qf, qa, qb] = ["F", "A", "B"].map(|name| p.queue(name, QueueMode::Tracked));
    let [e1, e2] = ["E1", "E2"].map(|name| p.event(name));
    let mut side = |label: &str, queue, waits, raises| {
        p.command_buffer(label, queue, |items| {
            items.wait_for_event("w", waits, 1);
            pass(items, label);
            items.signal_event("s", raises, 1);
        })
    };
    let [a, b] = [side("A", qa, e1, e2), side("B", qb, e2, e1)];
    let free = p.command_buffer("free", qf, |items| {
        pass(items, "F");
        items.signal_event("s1", e1, 1);
        pass(items, "G");
        items.signal_event("s2", e2, 1);
    });
    p.steps().commit([a]).commit([b]).commit([free]);
    let order = order(p);
    for behind in ["A.k", "B.k"] {
        before(&order, "F.k", behind);
        beside(&order, "G.k", behind);
    }
    beside(&order, "A.k", "B.k");
}

#[test]
fn deadlocks_are_reported() {
    let mut p = Program::builder();
    let [qa, qb] = ["QA", "QB"].map(|name| p.queue(name, QueueMode::Tracked));
    let [e, f] = ["E", "F"].map(|name| p.event(name));
    let mut side = |label: &str, queue, waits, raises| {
        p.command_buffer(label, queue, |items| {
            items.wait_for_event("w", waits, 1);
            items.signal_event("s", raises, 1);
        })
    };
    let [a, b] = [side("a", qa, e, f), side("b", qb, f, e)];
    p.steps().commit([a, b]).wait_until_completed(a);
    let program = p.build();
    let order = Order::of(&program).unwrap();
    let paths: Vec<String> = order.stuck().iter().map(|locus| program.path(*locus)).collect();
    assert_eq!(paths, ["a.w", "b.w", "cpu.#1"]);
}

#[test]
fn l6_a_fence_across_queues_follows_the_order_of_release() {
    let mut p = Program::builder();
    let [qa, qb] = ["QA", "QB"].map(|name| p.queue(name, QueueMode::Explicit));
    let f = p.fence("F");
    let update = p.command_buffer("u", qa, |items| {
        items.compute("U", |pass| {
            pass.dispatch("k", NONE, NONE).update_fence(f, Stages::DISPATCH);
        });
    });
    let wait = p.command_buffer("w", qb, |items| {
        items.compute("W", |pass| {
            pass.wait_for_fence(f, Stages::DISPATCH).dispatch("k", NONE, NONE);
        });
    });
    p.steps().commit([wait]).commit([update]);
    let order = order(p);
    assert!(order.stuck().is_empty(), "a wait never refers to what is committed later");
    beside(&order, "U.k", "W.k");
}

#[test]
fn a_program_that_names_what_is_not_there_is_an_error() {
    let mut p = Program::builder();
    p.steps().commit([CommandBufferIndex(3)]);
    let error = Order::of(&p.build()).unwrap_err();
    assert_eq!(error.to_string(), "the program names command buffer number 3, but declares only 0 of them");
}

#[test]
fn a_texture_larger_than_any_memory_breaks_nothing() {
    let mut p = Program::builder();
    let q = p.queue("q", QueueMode::Tracked);
    let options = fencepost_core::program::TextureOptions { mips: 9, slices: u32::MAX, ..Default::default() };
    let t = p.texture("T", u32::MAX, u32::MAX, options);
    let cb = p.command_buffer("cb", q, |items| {
        items.blit("P", |pass| {
            pass.fill("f", t.subresources(3..u32::MAX, 1..2), 1).fill("g", t, 2);
        });
    });
    p.steps().commit([cb]);
    before(&order(p), "P.f", "P.g");
}
