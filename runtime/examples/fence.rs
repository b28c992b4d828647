//! A fence between two passes holds what it names and nothing else: the order engine says so before anything runs.
use fencepost::replay::program::{Program, QueueMode};
use fencepost::replay::{self, program::value::expected};
use fencepost::{Error, Stages};
use fencepost_core::Order;

fn main() -> Result<(), Error> {
    let mut p = Program::builder();
    let q = p.queue("q", QueueMode::Explicit);
    let [a, b, c, d, e] = ["A", "B", "C", "D", "E"].map(|name| p.buffer(name, 256));
    let f = p.fence("F");
    let work = p.command_buffer("work", q, |items| {
        items.compute("producer", |pass| {
            pass.copy("copy", a, b).dispatch("kernel", [a], [c]).update_fence(f, Stages::DISPATCH);
        });
        items.compute("consumer", |pass| {
            pass.wait_for_fence(f, Stages::BLIT).copy("copy", c, d).dispatch("kernel", [e], [e]);
        });
    });
    p.steps().commit([work]);
    let program = p.build();

    let Ok(order) = Order::of(&program) else { unreachable!("the builder names only what is there") };
    assert!(order.is_ordered("producer.kernel", "consumer.copy"));
    assert!(order.is_unordered("producer.copy", "consumer.copy"));
    assert!(order.is_unordered("producer.kernel", "consumer.kernel"));

    let expected = expected(&program);
    let replay = replay::Replay::new(program);
    for seed in 0..50 {
        assert_eq!(replay.run(&replay::Options::seeded(seed))?.difference(&expected), None);
    }
    println!("the fence orders kernel → copy and leaves the rest free; 50 orders gave one result");
    Ok(())
}
