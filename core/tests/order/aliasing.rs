//! Resources that overlap on a heap, against a model that knows bytes and nothing else (rules 2.2.2 and 2.3).
use fencepost_core::Order;
use fencepost_core::program::{
    BufferOptions, Part, Placement, Program, QueueMode, ResourceIndex, TrackingMode,
};
use fencepost_core::validate::{Kind, validate_order};
use proptest::collection::vec;
use proptest::prelude::*;

/// A buffer on the heap: its bytes, and whether it opted out of tracking.
type Placed = (std::ops::Range<u64>, bool);
/// What a pass touches: which buffer, which bytes of it, and whether it writes them.
type Touch = (usize, std::ops::Range<u64>, bool);

const HEAP: u64 = 64;

fn placed() -> impl Strategy<Value = Placed> {
    (0..HEAP / 4 - 1, 1..6u64, any::<bool>()).prop_map(|(start, words, opted_out)| {
        let start = start * 4;
        (start..(start + words * 4).min(HEAP), opted_out)
    })
}

fn touch() -> impl Strategy<Value = (prop::sample::Index, prop::sample::Index, prop::sample::Index, bool)> {
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>())
}

/// Two passes, one after another, on a heap that is tracked or not.
fn cases() -> impl Strategy<Value = (bool, Vec<Placed>, [Vec<Touch>; 2])> {
    (any::<bool>(), vec(placed(), 2..5), vec(touch(), 1..4), vec(touch(), 1..4)).prop_map(
        |(tracked, buffers, first, second)| {
            let touches =
                |all: Vec<(prop::sample::Index, prop::sample::Index, prop::sample::Index, bool)>| {
                    let one = |(buffer, start, words, writes): (
                        prop::sample::Index,
                        prop::sample::Index,
                        prop::sample::Index,
                        bool,
                    )| {
                        let buffer = buffer.index(buffers.len());
                        let length = (buffers[buffer].0.end - buffers[buffer].0.start) / 4;
                        let start = start.index(length as usize) as u64;
                        let end = start + 1 + words.index((length - start) as usize) as u64;
                        (buffer, start * 4..end * 4, writes)
                    };
                    all.into_iter().map(one).collect()
                };
            let passes = [touches(first), touches(second)];
            (tracked, buffers, passes)
        },
    )
}

fn program(tracked: bool, buffers: &[Placed], passes: &[Vec<Touch>; 2]) -> Program {
    let mut p = Program::builder();
    let q = p.queue("q", QueueMode::Tracked);
    let heap = p.heap("H", HEAP, tracked);
    for (number, (bytes, opted_out)) in buffers.iter().enumerate() {
        let tracking = if *opted_out { TrackingMode::Untracked } else { TrackingMode::Default };
        let placement = Placement::Heap { heap, offset: bytes.start };
        let options = BufferOptions { tracking, placement, ..BufferOptions::default() };
        p.buffer_with(&format!("B{number}"), bytes.end - bytes.start, options);
    }
    let cb = p.command_buffer("cb", q, |items| {
        for (number, touches) in passes.iter().enumerate() {
            items.compute(&format!("P{number}"), |pass| {
                let parts = |written: bool| -> Vec<Part> {
                    let all = touches.iter().filter(|(.., writes)| *writes == written);
                    all.map(|(buffer, bytes, _)| ResourceIndex(*buffer as u32).bytes(bytes.clone())).collect()
                };
                pass.dispatch("k", parts(false), parts(true));
            });
        }
    });
    p.steps().commit([cb]);
    p.build()
}

proptest! {
    #[test]
    fn aliases_clash_where_bytes_do_and_wait_where_the_heap_is_tracked((tracked, buffers, passes) in cases()) {
        let program = program(tracked, &buffers, &passes);
        let order = Order::of(&program).expect("it makes sense");
        let pairs = || passes[0].iter().flat_map(|first| passes[1].iter().map(move |second| (first, second)));
        // Bytes of the heap, one by one.
        let bytes = |(buffer, bytes, writes): &Touch| {
            let start = buffers[*buffer].0.start;
            (bytes.clone().map(move |byte| start + byte).collect::<Vec<_>>(), *writes)
        };
        let clash = pairs().any(|(first, second)| {
            let ((mine, write), (theirs, other)) = (bytes(first), bytes(second));
            (write || other) && mine.iter().any(|byte| theirs.contains(byte))
        });
        // The heap is one thing: whatever of it is tracked waits for what is tracked.
        let held = tracked
            && pairs().any(|(first, second)| {
                (first.2 || second.2) && !buffers[first.0].1 && !buffers[second.0].1
            });
        prop_assert_eq!(order.is_ordered("P0.k", "P1.k"), held);
        let races = validate_order(&program, &order).into_iter();
        let races = races.filter(|finding| matches!(finding.kind, Kind::Race(_))).count();
        prop_assert_eq!(races > 0, clash && !held, "{} races", races);
    }
}
