//! What it costs to record a tracked dispatch with two resources: our encoder, and wgpu's on a backend that does nothing.

use std::time::Duration;

use fencepost::{Buffer, ComputePipelineState, Error, ResourceOptions};
use fencepost_bench::lavapipe::Peer;
use fencepost_bench::ours::Ours;
use fencepost_bench::{Resource, Workload};

use crate::clock::{each, least};

const SOURCE: &str = "@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> b: array<u32>;
@compute @workgroup_size(1) fn main() { b[0] = a[0] + 1u; }";

const DISPATCHES: usize = 4096;
const BUDGET: Duration = Duration::from_millis(800);

pub(crate) fn run() {
    println!("| recording a dispatch that reads one buffer and writes another | ns each |");
    println!("|---|---|");
    match ours() {
        Ok(rows) => rows
            .iter()
            .for_each(|(name, time)| println!("| fencepost, {name} | {:.0} |", each(*time, DISPATCHES))),
        Err(error) => println!("| fencepost | {error} |"),
    }
    let resources = vec![Resource::zeros(4096), Resource::zeros(4096)];
    let workload =
        Workload { name: "record".to_owned(), source: SOURCE.to_owned(), resources, groups: [1, 1, 1] };
    for peer in std::iter::once(Peer::noop()).chain(Peer::lavapipe()) {
        let prepared = [peer.prepare(&workload), peer.prepare(&workload)];
        let time =
            least(10, BUDGET, || drop(fencepost_bench::lavapipe::record_in_turn(&prepared, DISPATCHES)));
        println!("| {} | {:.0} |", peer.name, each(time, DISPATCHES));
    }
}

/// Recording alone: the command buffer is dropped. Then with the same bindings for all dispatches.
fn ours() -> Result<Vec<(&'static str, Duration)>, Error> {
    let ours = Ours::new();
    let pipeline = ours.pipeline(SOURCE)?;
    let buffer = || ours.device.new_buffer(4096, ResourceOptions::SHARED);
    let pairs = [[buffer()?, buffer()?], [buffer()?, buffer()?]];
    record(&ours, &pipeline, &pairs)?;
    let turns = least(10, BUDGET, || record(&ours, &pipeline, &pairs).expect("it was recorded before"));
    let same = least(10, BUDGET, || record(&ours, &pipeline, &pairs[..1]).expect("it was recorded before"));
    Ok(vec![
        ("two buffers set for each dispatch, in turns", turns),
        ("the same two buffers set for each dispatch", same),
    ])
}

fn record(ours: &Ours, pipeline: &ComputePipelineState, pairs: &[[Buffer; 2]]) -> Result<(), Error> {
    let commands = ours.queue.command_buffer();
    let mut encoder = commands.compute_command_encoder()?;
    encoder.set_compute_pipeline_state(pipeline)?;
    for index in 0..DISPATCHES {
        let [from, to] = &pairs[index % pairs.len()];
        encoder.set_buffer(0, from, 0)?;
        encoder.set_buffer(1, to, 0)?;
        encoder.dispatch_threadgroups([1, 1, 1])?;
    }
    encoder.end_encoding();
    Ok(())
}
