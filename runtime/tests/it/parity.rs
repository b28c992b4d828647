//! Every program of the folder that has one result: another device leaves the same bytes as the document says, and the CPU device leaves.
use fencepost::ErrorKind;
use fencepost::replay::Options;
use fencepost::replay::program::value::expected;
use fencepost_core::Order;
use fencepost_core::validate::{Severity, validate};

use super::capture::programs;
use super::common;

#[test]
fn programs_leave_the_same_bytes_on_every_device() {
    if common::on_cpu() {
        // Its own schedules are tried by `fencepost test`.
        return;
    }
    let (mut same, mut unsupported) = (0, 0);
    for (path, program) in programs() {
        let order = Order::of(&program).expect("names");
        let sound = order.stuck().is_empty()
            && validate(&program)
                .is_ok_and(|found| found.iter().all(|finding| finding.severity() != Severity::Error));
        if !sound {
            continue;
        }
        let meant = expected(&program);
        let replay = common::replay(program);
        match replay.run(&Options::default()) {
            Ok(outcome) => {
                assert!(outcome.finished, "{}", path.display());
                assert_eq!(outcome.difference(&meant), None, "{}", path.display());
                same += 1;
            }
            // Draws, and the mip levels of textures that are words to everybody else; places that the driver cannot bind.
            Err(error) => {
                let kind = error.kind();
                let known = matches!(
                    kind,
                    ErrorKind::Unsupported | ErrorKind::Misaligned | ErrorKind::DependencyFailed
                );
                assert!(known, "{}: {error}", path.display());
                unsupported += 1;
            }
        }
    }
    println!("{same} the same, {unsupported} unsupported");
    assert!(same >= 100, "{same} the same, {unsupported} unsupported");
}

/// A program with a race, for the outside judge: run alone by CI's step `vulkan`, which wants to see that validation layers object.
#[test]
fn a_race_stays_a_race() {
    if common::on_cpu() || std::env::var_os("FENCEPOST_TEST_RACE").is_none() {
        return;
    }
    let racy = |path: &std::path::Path| path.ends_with("scenarios/s1-v1-no-barrier.kdl");
    let (_, program) = programs().into_iter().find(|(path, _)| racy(path)).expect("the program is there");
    let outcome = common::replay(program).run(&Options::default()).expect("it runs");
    assert!(outcome.finished);
}
