//! Whole kernels: our CPU device, lavapipe through wgpu, and loops over rayon. Each result is compared with the loops' result.

use std::time::Duration;

use fencepost_bench::compare::compare;
use fencepost_bench::kernels::{CASES, Case};
use fencepost_bench::lavapipe::Peer;
use fencepost_bench::ours::Ours;

use crate::clock::least;

const BUDGET: Duration = Duration::from_millis(1500);

/// A time, and how the result compares with that of the loops.
struct Cell {
    time: Option<Duration>,
    result: String,
}

pub(crate) fn run() {
    let (ours, peer) = (Ours::new(), Peer::lavapipe());
    println!("peer: {}", peer.as_ref().map_or("lavapipe is not here", |peer| &peer.name));
    println!(
        "| kernel | ours ms | lavapipe ms | rayon ms | ours is faster than lavapipe by | ours and rayon | lavapipe and rayon |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut logarithms = Vec::new();
    for (name, make) in CASES {
        let case = make();
        let (native, native_time) = native(&case);
        let mine = mine(&ours, &case, &native);
        let theirs = peer.as_ref().map_or_else(Cell::missing, |peer| theirs(peer, &case, &native));
        let ratio = match (mine.time, theirs.time) {
            (Some(mine), Some(theirs)) => {
                let ratio = theirs.as_secs_f64() / mine.as_secs_f64();
                logarithms.push(ratio.ln());
                format!("{ratio:.2}")
            }
            _ => String::new(),
        };
        let (mine_time, their_time) = (milliseconds(mine.time), milliseconds(theirs.time));
        let native_time = milliseconds(Some(native_time));
        println!(
            "| {name} | {mine_time} | {their_time} | {native_time} | {ratio} | {} | {} |",
            mine.result, theirs.result
        );
    }
    if !logarithms.is_empty() {
        let mean = logarithms.iter().sum::<f64>() / logarithms.len() as f64;
        println!("\ngeometric mean of the ratios: {:.2}", mean.exp());
    }
}

impl Cell {
    fn missing() -> Self {
        Self { time: None, result: String::new() }
    }
}

fn milliseconds(time: Option<Duration>) -> String {
    time.map(|time| format!("{:.1}", time.as_secs_f64() * 1e3)).unwrap_or_default()
}

fn native(case: &Case) -> (Vec<u8>, Duration) {
    let mut words = vec![0u32; case.output_words()];
    let time = least(3, BUDGET, || (case.native)(&case.workload.resources, &mut words));
    (bytemuck::cast_slice(&words).to_vec(), time)
}

/// The verdict on a result, loud where it is not what the kernel allows.
fn verdict(case: &Case, bytes: &[u8], native: &[u8]) -> String {
    let difference = compare(case.result, bytes, native);
    if difference.allowed { difference.text } else { format!("**WRONG: {}**", difference.text) }
}

fn mine(ours: &Ours, case: &Case, native: &[u8]) -> Cell {
    let measured = ours.prepare(&case.workload).and_then(|prepared| {
        prepared.run()?;
        let bytes = prepared.read(case.output)?;
        let time = least(3, BUDGET, || prepared.run().expect("it ran before"));
        Ok(Cell { time: Some(time), result: verdict(case, &bytes, native) })
    });
    measured.unwrap_or_else(|error| Cell { time: None, result: error.to_string().replace('\n', " ") })
}

fn theirs(peer: &Peer, case: &Case, native: &[u8]) -> Cell {
    let prepared = peer.prepare(&case.workload);
    prepared.run();
    let bytes = prepared.read(case.output);
    let time = least(3, BUDGET, || prepared.run());
    Cell { time: Some(time), result: verdict(case, &bytes, native) }
}
