//! What the filter says when it is done: on which device, how long each pass took, what ran at once.

use std::time::Duration;

use fencepost::{CommandBufferEncoderInfo, Device};

use super::Sync;
use super::stages::Filtered;

/// Prints the report.
pub(crate) fn print(device: &Device, sync: Sync, filtered: &Filtered) {
    let order = match sync {
        Sync::Fence => "one fence, resources untracked",
        Sync::Events => "an event value per stage, resources untracked",
        Sync::Tracked => "hazard tracking alone",
    };
    println!("device   {}", device.name());
    println!("order    {order}");
    let times = times(&filtered.passes);
    let start = times.iter().map(|time| time.started).min().unwrap_or_default();
    println!("{:<18}{:>12}{:>12}", "pass", "start ms", "time ms");
    for time in &times {
        println!(
            "{:<18}{:>12.3}{:>12.3}",
            time.label,
            ms(time.started - start),
            ms(time.ended - time.started)
        );
    }
    let busy = times.iter().map(|time| time.ended - time.started).sum();
    println!(
        "passes   {:.3} ms in all, {:.3} ms from first commit to completion",
        ms(busy),
        ms(filtered.elapsed)
    );
    println!("overlap  {}", overlap(&times));
}

/// When a pass ran, on the device's clock.
struct Time<'a> {
    label: &'a str,
    started: Duration,
    ended: Duration,
}

fn times(passes: &[CommandBufferEncoderInfo]) -> Vec<Time<'_>> {
    passes
        .iter()
        .filter_map(|pass| pass.gpu_times.map(|(started, ended)| Time { label: &pass.label, started, ended }))
        .collect()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The pairs of passes that ran at once, and for how long.
fn overlap(times: &[Time<'_>]) -> String {
    let mut pairs = Vec::new();
    for (index, first) in times.iter().enumerate() {
        for second in &times[index + 1..] {
            let both = first.ended.min(second.ended).saturating_sub(first.started.max(second.started));
            if !both.is_zero() {
                pairs.push(format!("{} with {} ({:.3} ms)", first.label, second.label, ms(both)));
            }
        }
    }
    if pairs.is_empty() {
        "none between passes: each stage reuses the memory of the one before".to_owned()
    } else {
        pairs.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(label: &str, started: u64, ended: u64) -> Time<'_> {
        Time { label, started: Duration::from_millis(started), ended: Duration::from_millis(ended) }
    }

    #[test]
    fn passes_that_ran_at_once_are_named_with_the_time() {
        let times = [time("a", 0, 2), time("b", 1, 4), time("c", 4, 5)];
        assert_eq!(overlap(&times), "a with b (1.000 ms)");
        assert!(overlap(&times[1..]).starts_with("none"));
    }
}
