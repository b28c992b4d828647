//! Validation in a running app: what is wrong is told, whatever happens to come first; what is right is not.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use fencepost::replay::{Options, Replay};
use fencepost::validation::{Finding, Place, Severity};
use fencepost::{
    Buffer, CommandBuffer, CpuOptions, Device, ErrorKind, ResourceOptions, SharedEvent, Stages, Validation,
    Visibility,
};
use fencepost_core::Order;
use fencepost_core::program::{BufferItem, Locus, Program};
use fencepost_core::validate::{Spot, validate};

use super::capture::{has_threads, programs};

/// A device that validates, and what it finds.
fn device(mode: Validation) -> (Device, Arc<Mutex<Vec<Finding>>>) {
    let device = Device::cpu_with(CpuOptions { validation: Some(mode), ..CpuOptions::default() });
    let found = Arc::new(Mutex::new(Vec::new()));
    collect(&device, &found);
    (device, found)
}

fn collect(device: &Device, found: &Arc<Mutex<Vec<Finding>>>) {
    let found = Arc::clone(found);
    device.set_validation_handler(move |finding| found.lock().expect("no panic").push(finding.clone()));
}

fn buffer(device: &Device, label: &str) -> Buffer {
    let buffer = device.new_buffer(256, ResourceOptions::SHARED.untracked()).expect("a buffer");
    buffer.set_label(label);
    buffer
}

fn explicit(device: &Device, record: impl FnOnce(&CommandBuffer)) -> CommandBuffer {
    let work = device.new_command_buffer();
    work.begin(&device.new_command_allocator()).expect("a beginning");
    record(&work);
    work.end().expect("an end");
    work
}

fn taken(found: &Arc<Mutex<Vec<Finding>>>) -> Vec<Finding> {
    std::mem::take(&mut found.lock().expect("no panic"))
}

fn line(place: Option<&Place>) -> u32 {
    let location = place.and_then(|place| place.location).expect("a call in this file");
    assert!(location.file().ends_with("validation.rs"), "{location}");
    location.line()
}

#[test]
fn a_race_is_told_with_both_labels_and_both_calls() {
    let (device, found) = device(Validation::Report);
    let numbers = buffer(&device, "the numbers");
    let queue = device.new_explicit_command_queue();
    let mut lines = [0, 0];
    let work = explicit(&device, |work| {
        let mut first = work.compute_command_encoder().expect("an encoder");
        first.set_label("write");
        first.push_debug_group("all of it");
        lines[0] = line!() + 1;
        first.fill_buffer(&numbers, .., 1).expect("a fill");
        first.end_encoding();
        let mut second = work.compute_command_encoder().expect("an encoder");
        second.set_label("overwrite");
        lines[1] = line!() + 1;
        second.fill_buffer(&numbers, 64..128, 2).expect("a fill");
        second.end_encoding();
    });
    queue.commit(&[&work]).expect("a commit").wait_until_completed().expect("an end");
    let found = taken(&found);
    let [race] = &found[..] else { panic!("one race, not {found:#?}") };
    assert_eq!(
        (race.code(), race.severity(), race.resource()),
        ("race", Severity::Error, Some("the numbers"))
    );
    assert_eq!([line(race.first()), line(race.second())], lines);
    let text = race.to_string();
    for part in ["write.all of it", "overwrite.fill1", "the numbers:64..128", "validation.rs"] {
        assert!(text.contains(part), "{part} is in\n{text}");
    }
}

#[test]
fn the_outcome_does_not_matter() {
    let (device, found) = device(Validation::Report);
    let numbers = buffer(&device, "numbers");
    let ran = Arc::new(AtomicBool::new(false));
    let queue = device.new_command_queue();
    let fill = || {
        let work = queue.command_buffer();
        let mut blit = work.blit_command_encoder().expect("an encoder");
        blit.fill_buffer(&numbers, .., 1).expect("a fill");
        blit.end_encoding();
        let ran = Arc::clone(&ran);
        work.add_scheduled_handler(move |_| ran.store(true, Ordering::Release)).expect("a handler");
        work.commit().expect("a commit");
        work
    };
    let first = fill();
    while !ran.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    // Scheduled is not completed, however long it takes to get here.
    let read = line!() + 1;
    let _ = numbers.contents().expect("shared").read::<u8>(..);
    let race = taken(&found);
    assert_eq!((race.len(), race[0].code(), line(race[0].second())), (1, "race", read));
    first.wait_until_completed().expect("an end");
    numbers.read::<u8>(..).expect("it has ended");
    fill().wait_until_completed().expect("an end");
    numbers.write(0, &[1u8]).expect("it has ended");
    assert!(taken(&found).is_empty());
}

#[test]
fn a_denied_commit_never_was() {
    let (device, found) = device(Validation::Deny);
    let [a, b] = ["a", "b"].map(|label| buffer(&device, label));
    let (queue, fence) = (device.new_command_queue(), device.new_fence());
    let fill = |buffer: &Buffer, value, before: bool, after: bool| {
        let work = queue.command_buffer();
        let mut blit = work.blit_command_encoder().expect("an encoder");
        if before {
            blit.wait_for_fence(&fence).expect("a wait");
        }
        blit.fill_buffer(buffer, .., value).expect("a fill");
        if after {
            blit.update_fence(&fence).expect("an update");
        }
        blit.end_encoding();
        work
    };
    let first = fill(&a, 1, false, false);
    first.commit().expect("nothing is in the way");

    // It would also have let others wait for what came before it.
    let racy = fill(&a, 2, false, true);
    let error = racy.commit().expect_err("a race");
    assert_eq!(error.kind(), ErrorKind::Validation);
    assert_eq!(error.finding().map(Finding::code), Some("race"));
    assert!(error.to_string().contains("validation.rs:"), "{error}");
    assert_eq!(taken(&found).len(), 1);

    // Its update never was: a wait for it orders nothing.
    let still = fill(&a, 3, true, false).commit().expect_err("a race still");
    assert_eq!(still.kind(), ErrorKind::Validation);
    // Its accesses never were: what touches other bytes goes through.
    fill(&b, 4, false, false).commit().expect("no race");
    first.wait_until_completed().expect("an end");
    assert_eq!(a.read::<u8>(..1).expect("it has ended"), [1]);

    // It can be committed still, now that the first one is known to have ended; then its update is one.
    taken(&found);
    racy.commit().expect("no race any more");
    fill(&a, 5, true, false).commit().expect("ordered by the fence");
    fill(&a, 6, false, false).commit().expect_err("and this one is not");
    assert_eq!(taken(&found).iter().filter(|finding| finding.severity() == Severity::Error).count(), 1);
}

#[test]
fn a_denied_group_keeps_its_place_and_its_signals() {
    let (device, found) = device(Validation::Deny);
    let a = buffer(&device, "a");
    let (queue, event) = (device.new_command_queue(), device.new_shared_event());
    let record = |value| {
        let work = queue.command_buffer();
        let mut blit = work.blit_command_encoder().expect("an encoder");
        blit.fill_buffer(&a, .., value).expect("a fill");
        blit.end_encoding();
        work.encode_signal_event(&event, u64::from(value)).expect("a signal");
        work
    };
    record(1).commit().expect("no race");
    let (second, third) = (record(2), record(3));
    second.enqueue().expect("a place");
    assert_eq!(second.commit().expect_err("a race").kind(), ErrorKind::Validation);
    assert!(event.wait_until_signaled_value(1, Duration::from_secs(60)));
    assert_eq!(second.status(), fencepost::CommandBufferStatus::Enqueued);
    // The first has ended, as the CPU knows by now.
    second.commit().expect("no race any more");
    assert!(event.wait_until_signaled_value(2, Duration::from_secs(60)));
    third.commit().expect("no race either");
    third.wait_until_completed().expect("an end");
    assert_eq!(taken(&found).len(), 1);
    assert_eq!(a.read::<u8>(..1).expect("it has ended"), [3]);
}

#[test]
fn triple_buffering_is_clean() {
    let (device, found) = device(Validation::Deny);
    let queue = device.new_command_queue();
    let frames: Vec<Buffer> = (0..3).map(|frame| buffer(&device, &format!("frame {frame}"))).collect();
    let sum = device.new_buffer(256, ResourceOptions::PRIVATE).expect("a buffer");
    // With a semaphore that completed handlers raise.
    let (free, wait) = mpsc::channel();
    (0..3).for_each(|_| free.send(()).expect("a receiver"));
    for frame in 0..100u32 {
        wait.recv().expect("a frame is free");
        let own = &frames[frame as usize % 3];
        own.write(0, &[frame; 64]).expect("nothing uses it");
        let work = queue.command_buffer();
        let mut blit = work.blit_command_encoder().expect("an encoder");
        blit.copy_buffer(own, 0, &sum, 0, 256).expect("a copy");
        blit.end_encoding();
        let free = free.clone();
        work.add_completed_handler(move |_| free.send(()).unwrap_or_default()).expect("a handler");
        work.commit().expect("no race");
    }
    (0..3).for_each(|_| wait.recv().expect("all frames end"));
    // With a shared event, on an explicit queue, in groups of one.
    let (queue, event) = (device.new_explicit_command_queue(), device.new_shared_event());
    for frame in 1..=100u64 {
        assert!(event.wait_until_signaled_value(frame.saturating_sub(3), Duration::from_secs(60)));
        let own = &frames[frame as usize % 3];
        own.contents().expect("shared").write(0, &[frame; 32]).expect("in bounds");
        let work = explicit(&device, |work| {
            let mut compute = work.compute_command_encoder().expect("an encoder");
            compute.barrier_after_queue_stages(Stages::BLIT, Stages::BLIT, Visibility::DEVICE);
            compute.copy_buffer(own, 0, &sum, 0, 256).expect("a copy");
            compute.end_encoding();
        });
        queue.commit(&[&work]).expect("no race");
        queue.signal_event(&event, frame).expect("a signal");
    }
    let found = taken(&found);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn one_frame_too_few_is_found() {
    let (device, found) = device(Validation::Report);
    let frames: Vec<Buffer> = (0..3).map(|frame| buffer(&device, &format!("frame {frame}"))).collect();
    let (queue, event) = (device.new_command_queue(), device.new_shared_event());
    let sum = device.new_buffer(256, ResourceOptions::PRIVATE).expect("a buffer");
    for frame in 1..=20u64 {
        // Four frames in flight, and three buffers.
        assert!(event.wait_until_signaled_value(frame.saturating_sub(4), Duration::from_secs(60)));
        let own = &frames[frame as usize % 3];
        own.contents().expect("shared").write(0, &[frame; 32]).expect("in bounds");
        let work = queue.command_buffer();
        let mut blit = work.blit_command_encoder().expect("an encoder");
        blit.copy_buffer(own, 0, &sum, 0, 256).expect("a copy");
        blit.end_encoding();
        work.encode_signal_event(&event, frame).expect("a signal");
        work.commit().expect("a commit");
    }
    let found = taken(&found);
    assert!(found.iter().all(|finding| finding.code() == "race"), "{found:#?}");
    let resources: BTreeSet<_> = found.iter().filter_map(|finding| finding.resource()).collect();
    assert_eq!(resources, BTreeSet::from(["frame 0", "frame 1", "frame 2"]));
}

#[test]
fn devices_see_what_orders_them() {
    let found = Arc::new(Mutex::new(Vec::new()));
    let device = || {
        let (device, _) = device(Validation::Report);
        collect(&device, &found);
        device
    };
    let (first, second) = (device(), device());
    let [there, back] = [first.new_shared_event(), first.new_shared_event()];
    let numbers = buffer(&first, "numbers");
    let queues = [first.new_explicit_command_queue(), first.new_explicit_command_queue()];
    let far = second.new_explicit_command_queue();
    let fill = |value| {
        explicit(&first, |work| {
            let mut compute = work.compute_command_encoder().expect("an encoder");
            compute.fill_buffer(&numbers, .., value).expect("a fill");
            compute.end_encoding();
        })
    };
    // From one queue of a device to the other, by the other device.
    queues[1].wait_for_event(&back, 1).expect("a wait");
    far.wait_for_event(&there, 1).expect("a wait");
    far.signal_event(&back, 1).expect("a signal");
    queues[0].commit(&[&fill(1)]).expect("a commit");
    queues[0].signal_event(&there, 1).expect("a signal");
    queues[1].commit(&[&fill(2)]).expect("a commit").wait_until_completed().expect("an end");
    assert!(taken(&found).is_empty());
    queues[0].commit(&[&fill(3)]).expect("a commit");
    queues[1].commit(&[&fill(4)]).expect("a commit").wait_until_completed().expect("an end");
    assert_eq!(taken(&found).len(), 1);
}

/// An event of ours as another process has it.
fn elsewhere(event: &SharedEvent) -> SharedEvent {
    let off = CpuOptions { validation: Some(Validation::Off), ..CpuOptions::default() };
    let handle = event.handle().expect("a handle");
    Device::cpu_with(off).shared_event_from_handle(handle).expect("the same event")
}

/// The scenario X16, turn after turn: first the CPU waits for the other process, then the queue does.
#[test]
fn what_another_process_keeps_apart_does_not_race() {
    const LONG: Duration = Duration::from_secs(60);
    let (device, found) = device(Validation::Deny);
    let numbers = buffer(&device, "numbers");
    let queue = device.new_command_queue();
    let [written, delivered] = [device.new_shared_event(), device.new_shared_event()];
    let (seen, answer) = (elsewhere(&written), elsewhere(&delivered));
    let other = std::thread::spawn(move || {
        for turn in 1..=40 {
            assert!(seen.wait_until_signaled_value(turn, LONG));
            answer.set_signaled_value(turn);
        }
    });
    for turn in 1..=40u64 {
        let work = queue.command_buffer();
        if turn <= 20 {
            assert!(delivered.wait_until_signaled_value(turn - 1, LONG));
        } else {
            work.encode_wait_for_event(&delivered, turn - 1).expect("a wait");
        }
        let mut blit = work.blit_command_encoder().expect("an encoder");
        blit.fill_buffer(&numbers, .., turn as u8).expect("a fill");
        blit.end_encoding();
        work.encode_signal_event(&written, turn).expect("a signal");
        work.commit().expect("the other process is in between");
    }
    assert!(delivered.wait_until_signaled_value(40, LONG));
    other.join().expect("no panic");
    assert_eq!(numbers.read::<u8>(..1).expect("it has ended"), [40]);
    let found = taken(&found);
    assert!(found.is_empty(), "{found:#?}");
}

/// The twin of X16: the other process has raised what is asked of it, and seen nothing before.
#[test]
fn what_another_process_cannot_have_seen_is_not_before_it() {
    let (device, found) = device(Validation::Report);
    let numbers = buffer(&device, "numbers");
    let queues = [device.new_command_queue(), device.new_command_queue()];
    let [written, delivered, gate] = [(); 3].map(|()| device.new_shared_event());
    let (_seen, answer) = (elsewhere(&written), elsewhere(&delivered));
    let fill = |queue: usize, wait: (&SharedEvent, u64)| {
        let work = queues[queue].command_buffer();
        work.encode_wait_for_event(wait.0, wait.1).expect("a wait");
        let mut blit = work.blit_command_encoder().expect("an encoder");
        blit.fill_buffer(&numbers, .., 1).expect("a fill");
        blit.end_encoding();
        work.encode_signal_event(&written, 1).expect("a signal");
        work.commit().expect("a commit");
        work
    };
    let held = fill(0, (&gate, 1));
    answer.set_signaled_value(1);
    assert!(delivered.wait_until_signaled_value(1, Duration::from_secs(60)));
    let released = fill(1, (&delivered, 1));
    assert!(taken(&found).is_empty(), "the first has not begun");
    gate.set_signaled_value(1);
    [held, released].iter().for_each(|work| work.wait_until_completed().expect("an end"));
    let found = taken(&found);
    let races: Vec<_> = found.iter().filter(|finding| finding.code() == "race").collect();
    assert_eq!((races.len(), races[0].resource()), (1, Some("numbers")), "{found:#?}");
}

/// Races and stale reads of a program: what they are about, without the names of command buffers.
fn expected(program: &Program) -> BTreeSet<(String, Option<String>)> {
    let findings = validate(program).expect("names");
    let races = findings.iter().filter(|finding| matches!(finding.code(), "race" | "stale"));
    races
        .map(|finding| {
            let resource = finding.resource.map(|resource| program.resource(resource).name.clone());
            let commands = [finding.first, finding.second].map(|spot| match spot {
                Some(Spot::At(locus @ Locus::PassItem { .. })) => program.path(locus),
                Some(Spot::Pass(buffer, pass)) => program.path(Locus::Pass { buffer, pass }),
                _ => "cpu".to_owned(),
            });
            (format!("{} {}", finding.code(), commands.join(" ")), resource)
        })
        .collect()
}

#[test]
fn programs_are_judged_in_the_running_app_as_in_text() {
    let (mut clean, mut racy) = (0, 0);
    for (path, program) in programs() {
        let order = Order::of(&program).expect("names");
        if has_threads(&program) || !order.stuck().is_empty() {
            continue;
        }
        let options = CpuOptions { validation: Some(Validation::Report), ..CpuOptions::default() };
        let replay = Replay::with_options(program.clone(), options);
        let found = Arc::new(Mutex::new(Vec::new()));
        replay.devices().iter().for_each(|device| collect(device, &found));
        if !replay.run(&Options::default()).is_ok_and(|outcome| outcome.finished) {
            continue;
        }
        // What ran before may still be known, and then a path starts with its command buffer.
        let pass_and_command = |place: Option<&Place>| {
            let path = place.map_or("", |place| &place.path);
            if path.starts_with("cpu.") {
                return "cpu".to_owned();
            }
            let buffers = program.command_buffers.iter();
            let mut rests = buffers.filter_map(|buffer| {
                let rest = path.strip_prefix(&buffer.label)?.strip_prefix('.')?;
                let is_pass = |item: &BufferItem| match item {
                    BufferItem::Pass(pass) => rest.starts_with(&pass.label),
                    BufferItem::Event(_) => false,
                };
                buffer.items.iter().any(is_pass).then_some(rest)
            });
            rests.next().unwrap_or(path).to_owned()
        };
        let found: BTreeSet<_> = taken(&found)
            .iter()
            .filter(|finding| matches!(finding.code(), "race" | "stale"))
            .map(|finding| {
                let places = [finding.first(), finding.second()].map(pass_and_command);
                let resource = finding.resource().map(str::to_owned);
                (format!("{} {}", finding.code(), places.join(" ")), resource)
            })
            .collect();
        let expected = expected(&program);
        assert_eq!(found, expected, "{}", path.display());
        if expected.is_empty() { clean += 1 } else { racy += 1 }
    }
    println!("{clean} clean, {racy} racy");
    assert!(clean >= 170 && racy >= 140, "{clean} {racy}");
}

/// What is no error, and cannot be meant.
#[test]
fn warnings_are_told_as_well() {
    let (device, found) = device(Validation::Deny);
    let words = |found: &Arc<Mutex<Vec<Finding>>>| -> Vec<String> {
        let found = taken(found);
        assert!(found.iter().all(|finding| finding.severity() == Severity::Warning), "{found:#?}");
        found.iter().map(ToString::to_string).collect()
    };
    let [first, second] = [device.new_command_queue(), device.new_command_queue()];
    let fence = device.new_fence();
    let pass = |queue: &fencepost::CommandQueue, waits: bool, after: Option<Stages>| {
        let work = queue.command_buffer();
        let mut blit = work.blit_command_encoder().expect("an encoder");
        if waits {
            blit.wait_for_fence(&fence).expect("a wait");
        }
        if let Some(after) = after {
            blit.update_fence_after_stages(&fence, after).expect("an update");
        }
        blit.end_encoding();
        work.commit().expect("a warning refuses nothing");
    };
    let told = |text: &str| {
        let words = words(&found);
        assert!(
            words.len() == 1 && words[0].contains(text) && words[0].contains("validation.rs"),
            "{words:#?}"
        );
    };
    pass(&first, true, None);
    told("which nothing has updated");
    pass(&first, false, Some(Stages::empty()));
    told("names no stage");
    pass(&first, false, Some(Stages::BLIT));
    assert!(words(&found).is_empty());
    pass(&second, true, None);
    told("queue");

    let event = device.new_shared_event();
    event.set_signaled_value(2);
    event.set_signaled_value(2);
    told("the event is at 2");

    let forgotten = first.command_buffer();
    forgotten.set_label("forgotten");
    forgotten.enqueue().expect("a place");
    drop(forgotten);
    event.set_signaled_value(3);
    let words = words(&found);
    assert!(words.len() == 1 && words[0].contains("forgotten"), "{words:#?}");
}

#[test]
fn without_validation_nothing_is_called() {
    let device = Device::cpu_with(CpuOptions { validation: Some(Validation::Off), ..CpuOptions::default() });
    assert_eq!(device.validation(), Validation::Off);
    let called = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&called);
    device.set_validation_handler(move |_| flag.store(true, Ordering::Relaxed));
    let numbers = buffer(&device, "numbers");
    let queue = device.new_explicit_command_queue();
    let work = explicit(&device, |work| {
        let mut compute = work.compute_command_encoder().expect("an encoder");
        compute.fill_buffer(&numbers, .., 1).expect("a fill");
        compute.fill_buffer(&numbers, .., 2).expect("a fill");
        compute.end_encoding();
    });
    queue.commit(&[&work]).expect("a commit").wait_until_completed().expect("an end");
    assert!(!called.load(Ordering::Relaxed));
}
