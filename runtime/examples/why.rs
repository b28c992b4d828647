//! Why is one command before another? The order engine answers with the chain of primitives between the two.
use fencepost_core::Order;
use fencepost_core::Stages;
use fencepost_core::program::{Program, QueueMode};

fn main() {
    let mut p = Program::builder();
    let [render, simulate] = ["render", "simulate"].map(|name| p.queue(name, QueueMode::Explicit));
    let [particles, positions, image] = ["particles", "positions", "image"].map(|name| p.buffer(name, 256));
    let done = p.event("done");
    let step = p.command_buffer("step", simulate, |items| {
        items.compute("simulate", |pass| {
            pass.copy("load", particles, positions).barrier(Stages::BLIT, Stages::DISPATCH).dispatch(
                "move",
                [positions],
                [positions],
            );
        });
    });
    let frame = p.command_buffer("frame", render, |items| {
        items.compute("show", |pass| {
            pass.dispatch("draw", [positions], [image]);
        });
    });
    p.steps().wait_for_event("wait", render, done, 1).commit([frame]);
    p.steps().commit([step]).signal_event("signal", simulate, done, 1);
    let program = p.build();

    let Ok(order) = Order::of(&program) else { unreachable!("the builder names only what is there") };
    let (load, draw) = (order.named("simulate.load")[0], order.named("show.draw")[0]);
    let chain = order.why(load, draw).unwrap_or_default();
    println!("simulate.load is before show.draw:");
    for hop in &chain {
        let place = order.locus(hop.link.site).map_or_else(String::new, |locus| program.path(locus));
        println!("  by {:?} at {place}", hop.link.primitive);
    }
    assert!(!chain.is_empty());
    assert_eq!(order.why(draw, load), None, "nothing orders them the other way round");
}
