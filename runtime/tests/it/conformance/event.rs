//! Events of one device: S6, S10, and the liveness rules L1, L2, L4.
use std::time::Duration;

use fencepost::replay::program::{
    CommandBufferIndex, EventIndex, Program, QueueIndex, QueueItems, QueueMode, ResourceIndex,
};
use fencepost::replay::{self, Options};

use super::{SIZE, Scene, right, untracked, wrong};

fn compute(items: &mut QueueItems, label: &str, read: ResourceIndex, write: ResourceIndex) {
    items.compute(label, |pass| {
        pass.dispatch("k", [read], [write]);
    });
}

/// S6 on two tracked queues, compute in the place of rendering: R1 → C2 → R3 through `B`, `C`, `D`. The others are on their own.
struct S6 {
    s: Scene,
    own: [ResourceIndex; 3],
    qb: QueueIndex,
    e: EventIndex,
}

impl S6 {
    fn new() -> Self {
        let mut s = Scene::tracked();
        let qb = s.p.queue("QB", QueueMode::Tracked);
        let e = s.p.event("E");
        let own = ["X", "Y", "Z"].map(|name| s.p.buffer_with(name, SIZE, untracked()));
        Self { s, own, qb, e }
    }

    /// The buffers of the two queues; what QB signals at its end.
    fn buffers(&mut self, wait: bool, last: u64) -> [CommandBufferIndex; 2] {
        let [a, b, c, d, _] = self.s.r;
        let ([x, y, z], e) = (self.own, self.e);
        let qa = self.s.buffer("QA", |items, _| {
            compute(items, "R1", a, b);
            items.signal_event("s1", e, 1);
            compute(items, "R2", x, x);
            items.wait_for_event("w2", e, 2);
            compute(items, "R3", c, d);
        });
        let qb = self.s.p.command_buffer("QB", self.qb, |items| {
            compute(items, "C1", a, y);
            if wait {
                items.wait_for_event("w1", e, 1);
            }
            compute(items, "C2", b, c);
            items.signal_event("s2", e, last);
            compute(items, "C3", a, z);
        });
        [qa, qb]
    }
}

#[test]
fn s6_two_queues_take_turns_inside_one_buffer_each() {
    // L1 and L2: C2 runs although QA's buffer has not finished. L4: with QB first, its wait is committed before its signal.
    for b_first in [false, true] {
        let mut s6 = S6::new();
        let [qa, qb] = s6.buffers(true, 2);
        let order = if b_first { [qb, qa] } else { [qa, qb] };
        for buffer in order {
            s6.s.p.steps().commit([buffer]);
        }
        right(
            s6.s.p,
            &[["R1.k", "C2.k"], ["C1.k", "R3.k"], ["C2.k", "R3.k"], ["R1.k", "R3.k"]],
            &[["R1.k", "C1.k"], ["R2.k", "C1.k"], ["R2.k", "C2.k"], ["R3.k", "C3.k"], ["R2.k", "R3.k"]],
        );
    }
}

#[test]
fn s6_without_its_wait_the_consumer_races() {
    let mut s6 = S6::new();
    let [qa, qb] = s6.buffers(false, 2);
    s6.s.p.steps().commit([qa]).commit([qb]);
    wrong(s6.s.p, ["R1.k", "C2.k"]);
}

#[test]
fn s6_v5_without_the_second_value_the_last_pass_never_runs() {
    let mut s6 = S6::new();
    let [qa, qb] = s6.buffers(true, 1);
    s6.s.p.steps().commit([qa]).commit([qb]);
    let options = Options { timeout: Duration::from_millis(200), ..Options::default() };
    let outcome = replay::run(&s6.s.p.build(), &options).expect("waiting is no error");
    assert!(!outcome.finished, "nobody raises the event to 2");
}

#[test]
fn s6_v2_on_explicit_queues_events_stand_between_commits() {
    let mut s = Scene::explicit();
    let other = s.p.queue("other", QueueMode::Explicit);
    let e = s.p.event("E");
    let (q, [a, b, c, d, _]) = (s.q, s.r);
    let mut buffer = |label: &str, queue, read, write| {
        s.p.command_buffer(label, queue, |items| compute(items, label, read, write))
    };
    let (r1, r3) = (buffer("R1", q, a, b), buffer("R3", q, c, d));
    let c2 = buffer("C2", other, b, c);
    s.p.steps().wait_for_event("w1", other, e, 1).commit([c2]).signal_event("s2", other, e, 2);
    s.p.steps().commit([r1]).signal_event("s1", q, e, 1).wait_for_event("w2", q, e, 2).commit([r3]);
    right(s.p, &[["R1.k", "C2.k"], ["C2.k", "R3.k"]], &[]);
}

#[test]
fn s6_v3_v6_one_larger_signal_releases_many_queues() {
    let mut s = Scene::tracked();
    let e = s.p.event("E");
    let [a, b, c, d, w] = s.r;
    for (name, to) in [("Q1", c), ("Q2", d), ("Q3", w)] {
        let queue = s.p.queue(name, QueueMode::Tracked);
        let waiting = s.p.command_buffer(name, queue, |items| {
            items.wait_for_event("w", e, 1);
            compute(items, name, b, to);
        });
        s.p.steps().commit([waiting]);
    }
    s.commit("cb", |items, _| {
        compute(items, "R1", a, b);
        items.signal_event("s", e, 5);
    });
    right(
        s.p,
        &[["R1.k", "Q1.k"], ["R1.k", "Q2.k"], ["R1.k", "Q3.k"]],
        &[["Q1.k", "Q2.k"], ["Q2.k", "Q3.k"]],
    );
}

#[test]
fn s6_v4_v7_values_that_were_reached_hold_nothing() {
    // The second frame with the first frame's value: its wait is satisfied from the start.
    let build = |second: u64| {
        let mut s = Scene::tracked();
        let other = s.p.queue("other", QueueMode::Tracked);
        let e = s.p.event("E");
        let [a, b, c, d, w] = s.r;
        for (frame, value, from, through, to) in [(1, 1, a, b, c), (2, second, a, d, w)] {
            let producer = s.buffer("p", |items, _| {
                compute(items, &format!("P{frame}"), from, through);
                items.signal_event("s", e, value);
            });
            let consumer = s.p.command_buffer("c", other, |items| {
                items.wait_for_event("w", e, value);
                compute(items, &format!("C{frame}"), through, to);
            });
            s.p.steps().commit([producer]).commit([consumer]);
        }
        s
    };
    right(build(2).p, &[["P1.k", "C1.k"], ["P2.k", "C2.k"]], &[["P2.k", "C1.k"]]);
    wrong(build(1).p, ["P2.k", "C2.k"]);
}

/// S10: two frames, each stage behind the one before by event values, and a queue that has nothing to do with it.
fn s10(skipped: Option<u64>) -> Program {
    let mut s = Scene::tracked();
    let other = s.p.queue("other", QueueMode::Tracked);
    let e = s.p.event("E");
    let [a, b, c, d, free] = s.r;
    let mut count = 0;
    for frame in 0..2 {
        s.commit(&format!("frame{frame}"), |items, _| {
            for (stage, [read, write]) in [("B0", [a, b]), ("K1", [b, c]), ("K2", [c, b]), ("R", [b, d])] {
                if skipped != Some(count) {
                    items.wait_for_event(&format!("w{count}"), e, count);
                }
                compute(items, &format!("{stage}_{frame}"), read, write);
                count += 1;
                items.signal_event(&format!("s{count}"), e, count);
            }
        });
    }
    let beside = s.p.command_buffer("beside", other, |items| compute(items, "F", free, free));
    s.p.steps().commit([beside]);
    s.p.build()
}

#[test]
fn s10_stages_behind_each_other_by_event_values() {
    super::right_values(s10(None));
}

#[test]
fn s10_a_stage_without_its_wait_races() {
    // Of the second frame: it overwrites all that the first one leaves.
    for skipped in [5, 6, 7] {
        super::wrong_values(s10(Some(skipped)));
    }
}

#[test]
fn l2_a_parked_queue_stops_no_other() {
    let mut s = Scene::tracked();
    let other = s.p.queue("other", QueueMode::Tracked);
    let e = s.p.event("E");
    let [a, b, c, d, _] = s.r;
    s.commit("parked", |items, _| {
        items.wait_for_event("w", e, 1);
        compute(items, "P", c, d);
    });
    let first = s.p.command_buffer("first", other, |items| compute(items, "F1", a, b));
    let second = s.p.command_buffer("second", other, |items| {
        items.wait_for_event("w0", e, 0);
        compute(items, "F2", a, c);
        items.signal_event("s", e, 1);
    });
    s.p.steps().commit([first]).wait_until_completed(first).commit([second]);
    right(s.p, &[["F2.k", "P.k"], ["F1.k", "F2.k"]], &[]);
}

/// S6 V8: two queues signal the same value. `W` follows what both follow, and reads what only one of them has written if `one` says so.
fn whichever_first(one: bool) -> Scene {
    let mut s = Scene::tracked();
    let [a, b, c, d, w] = s.r;
    let [e, x] = ["E", "X"].map(|name| s.p.event(name));
    let [q1, q2, qw] = ["Q1", "Q2", "QW"].map(|name| s.p.queue(name, QueueMode::Tracked));
    let waiting = s.p.command_buffer("w", qw, |items| {
        items.wait_for_event("w", e, 1);
        compute(items, "W", if one { c } else { b }, w);
    });
    s.p.steps().commit([waiting]);
    for (queue, label, to) in [(q1, "P1", c), (q2, "P2", d)] {
        let signaling = s.p.command_buffer(label, queue, |items| {
            items.wait_for_event("wx", x, 1);
            compute(items, label, a, to);
            items.signal_event("s", e, 1);
        });
        s.p.steps().commit([signaling]);
    }
    s.commit("x", |items, _| {
        compute(items, "P0", a, b);
        items.signal_event("sx", x, 1);
    });
    s
}

#[test]
fn s6_v8_whichever_signal_comes_first_releases_the_wait() {
    right(whichever_first(false).p, &[["P0.k", "W.k"]], &[["P1.k", "W.k"], ["P2.k", "W.k"]]);
    wrong(whichever_first(true).p, ["P1.k", "W.k"]);
}

/// X11: a signal of an explicit queue covers what was committed before it, not what comes after.
#[test]
fn x11_a_signal_before_a_commit_does_not_wait_for_it() {
    let build = |signal_first: bool| {
        let mut s = Scene::explicit();
        let other = s.p.queue("other", QueueMode::Explicit);
        let e = s.p.event("E");
        let (q, [a, b, c, ..]) = (s.q, s.r);
        let first = s.p.command_buffer("cb1", q, |items| compute(items, "P1", a, b));
        let second = s.p.command_buffer("cb2", other, |items| compute(items, "P2", b, c));
        if signal_first {
            s.p.steps().signal_event("s", q, e, 1).commit([first]);
        } else {
            s.p.steps().commit([first]).signal_event("s", q, e, 1);
        }
        s.p.steps().wait_for_event("w", other, e, 1).commit([second]);
        s
    };
    right(build(false).p, &[["P1.k", "P2.k"]], &[]);
    wrong(build(true).p, ["P1.k", "P2.k"]);
}

/// X12: what the CPU raised it cannot take back, neither for a wait that comes later nor for one that is there.
#[test]
fn x12_a_smaller_value_is_ignored() {
    for wait_first in [false, true] {
        let mut s = Scene::explicit();
        let x = s.p.shared_event("X");
        let (q, [a, b, c, ..]) = (s.q, s.r);
        let other = s.p.queue("other", QueueMode::Explicit);
        let written = s.p.buffer_with("W", super::SIZE, super::shared());
        let first = s.p.command_buffer("cb1", q, |items| compute(items, "P1", written, b));
        let second = s.p.command_buffer("cb2", other, |items| compute(items, "P2", a, c));
        if wait_first {
            s.p.steps().wait_for_event("w", q, x, 4).commit([first]);
        }
        s.p.steps().write(written).set_signaled_value(x, 5).set_signaled_value(x, 2);
        if !wait_first {
            s.p.steps().wait_for_event("w", q, x, 4).commit([first]);
        }
        s.p.steps().commit([second]).wait_until_signaled(x, 5).wait_until_completed(first);
        right(s.p, &[], &[["P1.k", "P2.k"]]);
    }
}
