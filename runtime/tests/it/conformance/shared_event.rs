//! Shared events between GPU and CPU: S8, S11, and the liveness rules L3 and L5.
use fencepost::replay::program::{Builder, EventIndex, Program, ResourceIndex, Steps};

use super::{SIZE, Scene, right, right_values, shared, wrong_values};

/// S8's event and the two buffers that the CPU touches: what it writes for `G3`, and what it sees of `G1`.
#[derive(Clone, Copy)]
struct Shared {
    x: EventIndex,
    written: ResourceIndex,
    seen: ResourceIndex,
}

/// S8: the CPU works between two values of one command buffer.
fn s8(waits: bool, cpu: impl FnOnce(&mut Steps, Shared)) -> Program {
    let mut s = Scene::tracked();
    let x = s.p.shared_event("X");
    let [written, seen] = ["W", "S"].map(|name| s.p.buffer_with(name, SIZE, shared()));
    let cb = s.buffer("cb", |items, [a, b, c, ..]| {
        items.compute("G1", |pass| {
            pass.dispatch("k", [a], [seen]);
        });
        items.signal_event("s1", x, 1);
        items.compute("G2", |pass| {
            pass.dispatch("k", [a], [b]);
        });
        items.signal_event("s2", x, 2);
        if waits {
            items.wait_for_event("w3", x, 3);
        }
        items.compute("G3", |pass| {
            pass.dispatch("k", [written, b], [c]);
        });
    });
    s.p.steps().commit([cb]);
    cpu(s.p.steps(), Shared { x, written, seen });
    s.p.steps().wait_until_completed(cb);
    s.p.build()
}

#[test]
fn s8_the_cpu_works_in_the_middle_of_a_command_buffer() {
    // L3 and L5: the CPU's store releases the queue, and all of it happens while the buffer has not completed.
    right_values(s8(true, |steps, s8| {
        steps.wait_until_signaled(s8.x, 2).read(s8.seen).write(s8.written).set_signaled_value(s8.x, 3);
    }));
}

#[test]
fn s8_v1_v2_by_notification() {
    right_values(s8(true, |steps, s8| {
        let (x, written) = (s8.x, s8.written);
        steps.notify(x, 2, |then| {
            then.write(written).set_signaled_value(x, 3);
        });
    }));
}

#[test]
fn s8_v3_a_smaller_value_changes_nothing() {
    right_values(s8(true, |steps, s8| {
        steps.wait_until_signaled(s8.x, 2).set_signaled_value(s8.x, 1);
        steps.write(s8.written).set_signaled_value(s8.x, 3);
    }));
}

#[test]
fn s8_a_buffer_that_does_not_wait_races_with_the_cpu() {
    wrong_values(s8(false, |steps, s8| {
        steps.wait_until_signaled(s8.x, 2).write(s8.written).set_signaled_value(s8.x, 3);
    }));
}

#[test]
fn s8_a_read_that_does_not_wait_sees_too_little() {
    let program = s8(true, |steps, s8| {
        steps.read(s8.seen).wait_until_signaled(s8.x, 2).write(s8.written).set_signaled_value(s8.x, 3);
    });
    let expected = fencepost::replay::program::value::expected(&program);
    let replay = fencepost::replay::Replay::new(program);
    let outcome = replay.run(&fencepost::replay::Options::seeded(1)).expect("it runs");
    assert_ne!(outcome.reads[&0], expected.reads[&0].1, "the CPU read before the GPU had started");
}

/// S11: six frames through three buffers; the CPU waits for the frame three before, or does not.
fn s11(waits: bool) -> Builder {
    let mut s = Scene::explicit();
    let x = s.p.shared_event("X");
    let vertices: Vec<ResourceIndex> =
        (0..3).map(|n| s.p.buffer_with(&format!("V{n}"), SIZE, shared())).collect();
    let q = s.q;
    for frame in 1..=6u64 {
        let vertices = vertices[frame as usize % 3];
        let out = s.p.buffer_with(&format!("O{frame}"), SIZE, super::untracked());
        let buffer = s.p.command_buffer(&format!("frame{frame}"), q, |items| {
            items.compute(&format!("F{frame}"), |pass| {
                pass.dispatch("draw", [vertices], [out]);
            });
        });
        if waits && frame > 3 {
            s.p.steps().wait_until_signaled(x, frame - 3);
        }
        s.p.steps().write(vertices).commit([buffer]).signal_event(&format!("s{frame}"), q, x, frame);
    }
    s.p
}

#[test]
fn s11_three_frames_in_flight() {
    right(s11(true), &[], &[["F1.draw", "F2.draw"], ["F2.draw", "F3.draw"], ["F5.draw", "F6.draw"]]);
}

#[test]
fn s11_without_the_wait_frames_mix() {
    wrong_values(s11(false).build());
}
