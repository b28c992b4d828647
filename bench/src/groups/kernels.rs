//! Whole kernels: our CPU device, lavapipe through wgpu, and loops over rayon. Each result is compared with the others.

use std::time::Duration;

use fencepost_bench::compare::compare;
use fencepost_bench::kernels::{CASES, Case};
use fencepost_bench::lavapipe::Peer;

use crate::clock::least;

const BUDGET: Duration = Duration::from_millis(1500);

pub(crate) fn run() {
    let peer = Peer::lavapipe();
    println!("peer: {}", peer.as_ref().map_or("lavapipe is not here", |peer| &peer.name));
    println!("| kernel | lavapipe ms | rayon ms | lavapipe against rayon |");
    println!("|---|---|---|---|");
    for (name, make) in CASES {
        row(name, &make(), peer.as_ref());
    }
}

fn row(name: &str, case: &Case, peer: Option<&Peer>) {
    let mut native = vec![0u32; case.output_words()];
    let native_time = least(3, BUDGET, || (case.native)(&case.workload.resources, &mut native));
    let native: &[u8] = bytemuck::cast_slice(&native);
    let theirs = peer.map(|peer| {
        let prepared = peer.prepare(&case.workload);
        prepared.run();
        let bytes = prepared.read(case.output);
        (bytes, least(3, BUDGET, || prepared.run()))
    });
    let milliseconds = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
    let (their_time, difference) = theirs.as_ref().map_or_else(
        || ("".to_owned(), "".to_owned()),
        |(bytes, time)| (milliseconds(*time), compare(case.result, bytes, native).text),
    );
    println!("| {name} | {their_time} | {} | {difference} |", milliseconds(native_time));
}
