//! Captures: the program of a running app means what the app means.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fencepost::capture::{self, Capture};
use fencepost::replay::{Options, Replay};
use fencepost::{Device, ResourceOptions, Stages};
use fencepost_core::program::{BufferItem, CommandBufferIndex, Locus, PassItem, Program, Step};
use fencepost_core::validate::{Finding, Kind, Severity, Spot, validate};
use fencepost_core::{NodeId, Order};

/// Every program of the repository, by file.
pub(crate) fn programs() -> Vec<(PathBuf, Program)> {
    fn add(folder: &Path, all: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("the folder of programs").flatten() {
            let path = entry.path();
            if path.is_dir() {
                add(&path, all);
            } else if path.extension().is_some_and(|ending| ending == "kdl") {
                all.push(path);
            }
        }
    }
    let mut files = Vec::new();
    // Named where the tests run on a machine that has not built them.
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../programs");
    add(&std::env::var_os("FENCEPOST_PROGRAMS").map_or_else(own, PathBuf::from), &mut files);
    files.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a program's text");
        let program = fencepost_format::parse("program", &text).expect("a program").program;
        (path, program)
    };
    files.into_iter().map(read).collect()
}

/// What a replay leaves when it is captured; nothing for a program that cannot be replayed to its end.
fn captured(program: &Program, order: &Order) -> Option<Program> {
    if !order.stuck().is_empty() {
        return None;
    }
    let replay = Replay::new(program.clone());
    let devices: Vec<&Device> = replay.devices().iter().collect();
    let capture = Capture::start(&devices);
    let outcome = replay.run(&Options::default());
    let captured = capture.finish();
    outcome.is_ok_and(|outcome| outcome.finished).then_some(captured)
}

/// The commands of a program and the CPU's accesses, each with a name that both programs have for it, and its nodes.
fn deeds<'a>(program: &Program, order: &'a Order) -> Vec<(String, &'a [NodeId])> {
    let mut deeds = Vec::new();
    for (body, buffer) in program.command_buffers.iter().zip(0..) {
        for (item, pass) in body.items.iter().zip(0..) {
            let BufferItem::Pass(inside) = item else { continue };
            let buffer = CommandBufferIndex(buffer);
            if inside.attachments_at().is_some() {
                let locus = Locus::Pass { buffer, pass };
                deeds.push((program.full_path(locus), order.nodes(locus)));
            }
            for (item, place) in inside.items.iter().zip(0..) {
                let locus = Locus::PassItem { buffer, pass, item: place };
                if let PassItem::Command(_) = item {
                    deeds.push((program.full_path(locus), order.nodes(locus)));
                }
            }
        }
    }
    let (mut reads, mut writes) = (0, 0);
    for (step, number) in program.all_steps().into_iter().zip(0..) {
        let name = match step {
            Step::Read(part) => {
                reads += 1;
                format!("read {reads} of {}", program.resource(part.resource).name)
            }
            Step::Write(part) => {
                writes += 1;
                format!("write {writes} of {}", program.resource(part.resource).name)
            }
            _ => continue,
        };
        deeds.push((name, order.nodes(Locus::Step(number))));
    }
    deeds
}

pub(crate) fn has_threads(program: &Program) -> bool {
    program.all_steps().iter().any(|step| matches!(step, Step::Thread { .. } | Step::Notify { .. }))
}

/// What is wrong, in words that do not depend on where the CPU's steps stand.
fn errors(program: &Program, findings: &[Finding]) -> BTreeSet<String> {
    let place = |spot: Option<Spot>| match spot {
        Some(Spot::Pass(buffer, pass)) => program.full_path(Locus::Pass { buffer, pass }),
        Some(Spot::At(locus @ Locus::PassItem { .. })) => program.full_path(locus),
        Some(Spot::At(Locus::Step(_))) => "cpu".to_owned(),
        other => format!("{other:?}"),
    };
    let errors = findings.iter().filter(|finding| finding.severity() == Severity::Error);
    let races = errors.filter(|finding| matches!(finding.kind, Kind::Race(_) | Kind::Stale(_)));
    races
        .map(|finding| {
            let resource = finding.resource.map(|resource| program.resource(resource).name.clone());
            format!("{} {} {} {resource:?}", finding.code(), place(finding.first), place(finding.second))
        })
        .collect()
}

#[test]
fn a_captured_program_has_the_order_and_the_races_of_the_app() {
    let (mut equal, mut at_least, mut racy) = (0, 0, 0);
    for (path, program) in programs() {
        let order = Order::of(&program).expect("a program of names");
        let Some(captured) = captured(&program, &order) else { continue };
        let name = path.display();
        let text = capture::print(&captured).expect("a captured program has a text");
        let again = fencepost_format::parse("captured", &text)
            .unwrap_or_else(|error| panic!("{name}: {:?}\n{text}", error.faults()));
        assert_eq!(again.program, captured, "{name}: the text reads as the program\n{text}");

        let captured_order = Order::of(&captured).expect("it names what it declares");
        let theirs = deeds(&captured, &captured_order);
        let find = |name: &str| theirs.iter().find(|(other, _)| other == name).map(|(_, nodes)| *nodes);
        let threads = has_threads(&program);
        let mine = deeds(&program, &order);
        let of_the_cpu = |name: &str| name.starts_with("read ") || name.starts_with("write ");
        for (first, nodes) in &mine {
            let Some(same) = find(first) else {
                // What the CPU wrote in two strokes without a pause is one step of a capture.
                assert!(of_the_cpu(first), "{name}: {first} is captured\n{text}");
                continue;
            };
            for (second, others) in mine.iter().filter(|(second, _)| second != first) {
                let Some(their_others) = find(second) else { continue };
                let ordered = order.ordered(nodes[0], others[0]);
                let theirs = captured_order.ordered(same[0], their_others[0]);
                // Threads of the CPU become one: that orders more, never less.
                if threads && (theirs || of_the_cpu(first) || of_the_cpu(second)) {
                    continue;
                }
                assert_eq!(theirs, ordered, "{name}: {first} before {second}\n{text}");
            }
        }
        if threads {
            at_least += 1;
            continue;
        }
        equal += 1;
        let mine = errors(&program, &validate(&program).expect("names"));
        racy += usize::from(!mine.is_empty());
        assert_eq!(errors(&captured, &validate(&captured).expect("names")), mine, "{name}\n{text}");
    }
    println!("{equal} with equal order, {at_least} with threads, {racy} with races");
    assert!(equal >= 300 && at_least >= 1 && racy >= 140, "{equal} {at_least} {racy}");
}

#[test]
fn a_capture_that_starts_late_knows_what_was_raised_before() {
    let device = Device::cpu();
    let (event, shared) = (device.new_event(), device.new_shared_event());
    let queue = device.new_explicit_command_queue();
    queue.signal_event(&event, 3).expect("a signal");
    queue.signal_event(&shared, 5).expect("a signal");
    assert!(shared.wait_until_signaled_value(5, std::time::Duration::from_secs(60)));

    let capture = queue.record();
    queue.wait_for_event(&event, 3).expect("a wait");
    queue.wait_for_event(&shared, 4).expect("a wait");
    let tracked = device.new_command_queue();
    let work = tracked.command_buffer();
    let other = device.new_event();
    work.encode_signal_event(&other, 1).expect("a signal");
    work.encode_wait_for_event(&other, 1).expect("a wait");
    work.commit().expect("a commit");
    work.wait_until_completed().expect("it ends");
    let program = capture.finish();
    assert_eq!(
        Order::of(&program).expect("names").stuck(),
        [],
        "{}",
        capture::print(&program).expect("text")
    );
}

/// The scenario X16, captured: what the other process raises is there, behind what it had seen.
#[test]
fn another_process_is_a_thread_of_the_program() {
    const LONG: std::time::Duration = std::time::Duration::from_secs(60);
    let device = Device::cpu();
    let queue = device.new_command_queue();
    let numbers = device.new_buffer(64, ResourceOptions::SHARED.untracked()).expect("a buffer");
    let [written, delivered] = [device.new_shared_event(), device.new_shared_event()];
    let elsewhere = |event: &fencepost::SharedEvent| {
        let handle = event.handle().expect("a handle");
        Device::cpu().shared_event_from_handle(handle).expect("the same event")
    };
    let (seen, answer) = (elsewhere(&written), elsewhere(&delivered));
    let capture = queue.record();
    for turn in 1..=3u64 {
        let work = queue.command_buffer();
        work.encode_wait_for_event(&delivered, turn - 1).expect("a wait");
        let mut blit = work.blit_command_encoder().expect("an encoder");
        blit.fill_buffer(&numbers, .., turn as u8).expect("a fill");
        blit.end_encoding();
        work.encode_signal_event(&written, turn).expect("a signal");
        work.commit().expect("a commit");
        assert!(seen.wait_until_signaled_value(turn, LONG));
        answer.set_signaled_value(turn);
    }
    assert!(delivered.wait_until_signaled_value(3, LONG));
    let program = capture.finish();
    let text = capture::print(&program).expect("a text");
    assert_eq!(fencepost_format::parse("captured", &text).expect("a program").program, program);
    assert_eq!(validate(&program).expect("names"), [], "{text}");
    assert!(has_threads(&program), "{text}");
    // Without that thread nothing is between the fills, and the waits never end.
    let mut alone = program.clone();
    alone.steps.retain(|step| !matches!(step, Step::Thread { .. }));
    assert!(!Order::of(&alone).expect("names").stuck().is_empty(), "{text}");
}

#[test]
fn labels_are_any_text_and_come_through() {
    let device = Device::cpu();
    let queue = device.new_command_queue();
    queue.set_label("main queue: the \"first\"");
    let buffers: Vec<_> = ["a b", "a-b", "", "ü:\u{202e}x", "\n"]
        .map(|label| {
            let buffer = device.new_buffer(64, ResourceOptions::SHARED).expect("a buffer");
            buffer.set_label(label);
            buffer
        })
        .into();
    let fence = device.new_fence();
    fence.set_label("a\tfence");
    let capture = queue.record();
    for label in ["", "frame {1}", "frame {1}"] {
        let work = queue.command_buffer();
        work.set_label(label);
        for pass in ["pass.\"quoted\"", "pass.\"quoted\"", ""] {
            let mut blit = work.blit_command_encoder().expect("an encoder");
            blit.set_label(pass);
            blit.wait_for_fence(&fence).expect("a wait");
            for buffer in &buffers {
                blit.push_debug_group("fill // not a comment");
                blit.fill_buffer(buffer, .., 1).expect("a fill");
                blit.pop_debug_group().expect("a group");
            }
            blit.update_fence_after_stages(&fence, Stages::BLIT).expect("an update");
            blit.end_encoding();
        }
        work.commit().expect("a commit");
    }
    let program = capture.finish();
    let text = capture::print(&program).expect("a text");
    let again =
        fencepost_format::parse("labels", &text).unwrap_or_else(|error| panic!("{:?}", error.faults()));
    assert_eq!(again.program, program);
    let names: Vec<&str> = program.resources.iter().map(|resource| &*resource.name).collect();
    assert_eq!(names, ["a-b", "a-b-2", "buffer1", "ü-\u{202e}x", "buffer2"]);
    let labels: Vec<&str> = program.command_buffers.iter().map(|buffer| &*buffer.label).collect();
    assert_eq!(labels, ["command-buffer1", "frame {1}", "frame {1}-2"]);
}

#[test]
fn nothing_is_written_down_before_and_after() {
    let device = Device::cpu();
    let queue = device.new_command_queue();
    let buffer = device.new_buffer(64, ResourceOptions::SHARED).expect("a buffer");
    let fill = || {
        let work = queue.command_buffer();
        let mut blit = work.blit_command_encoder().expect("an encoder");
        blit.fill_buffer(&buffer, .., 1).expect("a fill");
        blit.end_encoding();
        work.commit().expect("a commit");
        work.wait_until_completed().expect("it ends");
    };
    fill();
    let capture = device.start_capture();
    fill();
    let program = capture.finish();
    fill();
    assert_eq!((program.command_buffers.len(), program.steps.len()), (1, 2));
    drop(device.start_capture());
    let file = std::env::temp_dir().join(format!("fencepost-capture-{}.kdl", std::process::id()));
    let capture = device.start_capture();
    fill();
    capture.finish_to_file(&file).expect("a file");
    let text = std::fs::read_to_string(&file).expect("the file");
    std::fs::remove_file(&file).expect("the file is there");
    assert_eq!(fencepost_format::parse("file", &text).expect("a program").program.command_buffers.len(), 1);
    let error = device.start_capture().finish_to_file("/nowhere/at/all.kdl").expect_err("no folder");
    assert_eq!(error.kind(), fencepost::ErrorKind::File);
}
