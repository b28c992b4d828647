//! Guards: when they wait, what they refuse, what they keep from being committed.
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use fencepost::{
    Buffer, CommandBuffer, CommandQueue, CpuOptions, Device, Error, ErrorKind, HazardTrackingMode,
    PixelFormat, Region, ResourceOptions, Schedule, TextureDescriptor, Validation,
};

use crate::common::{misuse, numbers, refused, run};

/// Fills bytes of a buffer.
fn fill(queue: &CommandQueue, buffer: &Buffer, bytes: std::ops::Range<u64>, value: u8) -> CommandBuffer {
    let work = queue.command_buffer();
    record_fill(&work, buffer, bytes, value);
    work
}

fn record_fill(work: &CommandBuffer, buffer: &Buffer, bytes: std::ops::Range<u64>, value: u8) {
    let mut blit = work.blit_command_encoder().expect("it is open");
    blit.fill_buffer(buffer, bytes, value).expect("inside");
    blit.end_encoding();
}

/// Lets what waits for value 1 go.
fn open(gate: &fencepost::Event) {
    let work = gate.device().new_command_queue().command_buffer();
    work.encode_signal_event(gate, 1).expect("it is open");
    work.commit().expect("nothing is held");
}

#[test]
fn a_guard_waits_for_the_work_that_is_in_its_way() {
    let device = Device::cpu();
    let (queue, gate) = (device.new_command_queue(), device.new_event());
    let buffer = numbers(&device, "data", &[0; 4]);
    let work = queue.command_buffer();
    work.encode_wait_for_event(&gate, 1).expect("it is open");
    record_fill(&work, &buffer, 4..12, 7);
    work.commit().expect("nothing is held");
    // Other bytes are free at once, and what only reads is in no reader's way.
    drop(buffer.write_guard(12..).expect("free"));
    misuse(buffer.try_write_guard(..), ErrorKind::InFlight, &["`try_write_guard`", "bytes 0..16", "`data`"]);
    misuse(buffer.try_read_guard(8..), ErrorKind::InFlight, &["`try_read_guard`", "bytes 8..16"]);
    let opened = Arc::new(AtomicBool::new(false));
    let waiting = [false, true].map(|write| {
        let (buffer, opened) = (buffer.clone(), Arc::clone(&opened));
        std::thread::spawn(move || {
            let read = if write {
                buffer.write_guard(4..12).expect("it comes free").read::<u8>(..)
            } else {
                buffer.read_guard(4..12).expect("it comes free").read::<u8>(..)
            };
            (read.expect("held"), opened.load(Ordering::SeqCst))
        })
    });
    opened.store(true, Ordering::SeqCst);
    open(&gate);
    for thread in waiting {
        assert_eq!(thread.join().expect("no panic"), (vec![7; 8], true));
    }
}

/// No event, no completion: the guard alone says when. Without it some order shows the old bytes.
#[test]
fn a_guard_waits_in_every_schedule() {
    let read = |seed: u64, guarded: bool| {
        let device = Device::cpu_with(CpuOptions {
            schedule: Schedule::Adversarial(seed),
            threads: 1,
            ..CpuOptions::default()
        });
        let buffer = numbers(&device, "data", &[0; 16]);
        let work = fill(&device.new_command_queue(), &buffer, 0..64, 9);
        work.commit().expect("nothing is held");
        if guarded {
            buffer.read_guard(..).expect("it comes free").read::<u8>(..).expect("held")
        } else {
            buffer.contents().expect("shared").read::<u8>(..).expect("inside")
        }
    };
    assert!((0..100).all(|seed| read(seed, true) == [9; 64]));
    assert!((0..100).any(|seed| read(seed, false) != [9; 64]), "no schedule shows the missing guard");
}

/// S8 by guards alone: the buffer cannot complete before the CPU has read and written, and a guard needs no more than the signal.
#[test]
fn a_guard_waits_for_no_more_than_the_signal_behind() {
    let device = Device::cpu();
    let (queue, event) = (device.new_command_queue(), device.new_shared_event());
    let [seen, written, out] = ["seen", "written", "out"].map(|label| numbers(&device, label, &[0; 4]));
    for round in 1..=50u8 {
        let at = u64::from(round) * 2;
        let work = queue.command_buffer();
        record_fill(&work, &seen, 0..16, round);
        work.encode_signal_event(&event, at - 1).expect("it is open");
        work.encode_wait_for_event(&event, at).expect("it is open");
        let mut blit = work.blit_command_encoder().expect("it is open");
        blit.copy_buffer(&written, 0, &out, 0, 16).expect("inside");
        blit.end_encoding();
        work.commit().expect("nothing is held");
        let bytes = seen.read_guard(..).expect("it comes free").read::<u8>(..).expect("held");
        assert_eq!(bytes, [round; 16]);
        written.write_guard(..).expect("what reads it waits for the CPU").write(0, &bytes).expect("held");
        event.set_signaled_value(at);
        assert_eq!(out.read_guard(..).expect("it comes free").read::<u8>(..).expect("held"), [round; 16]);
    }
}

#[test]
fn a_guard_is_given_when_the_work_fails() {
    let device = Device::cpu_with(CpuOptions {
        kernel_timeout: Some(std::time::Duration::from_millis(50)),
        ..CpuOptions::default()
    });
    let library = device
        .new_library_with_wgsl(
            "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
             @compute @workgroup_size(1) fn spin() { loop { if out[0] == 77u { break; } } }",
        )
        .expect("it is valid");
    let spin =
        device.new_compute_pipeline_state(&library.new_function("spin").expect("there")).expect("runs");
    let buffer = numbers(&device, "data", &[1, 2]);
    let queue = device.new_command_queue();
    let first = queue.command_buffer();
    let mut encoder = first.compute_command_encoder().expect("it is open");
    encoder.set_compute_pipeline_state(&spin).expect("same device");
    encoder.set_buffer(0, &buffer, 0).expect("same device");
    encoder.dispatch_threadgroups([1, 1, 1]).expect("all is bound");
    encoder.end_encoding();
    first.commit().expect("nothing is held");
    let second = fill(&queue, &buffer, 0..8, 3);
    second.commit().expect("nothing is held");
    let guard = buffer.read_guard(..).expect("failed work is over too");
    assert_eq!(guard.read::<u32>(..).expect("held"), [1, 2], "what depends on it did not run");
    refused(first.wait_until_completed(), ErrorKind::Timeout, &["spin"]);
}

#[test]
fn a_commit_into_a_guard_names_both() {
    let device = Device::cpu();
    let queue = device.new_command_queue();
    let [buffer, other] = ["data", "other"].map(|label| numbers(&device, label, &[0; 4]));
    let copy = |from: &Buffer, to: &Buffer| {
        let work = queue.command_buffer();
        work.set_label("frame");
        let mut blit = work.blit_command_encoder().expect("it is open");
        blit.set_label("moves");
        blit.push_debug_group("copy rows");
        blit.copy_buffer(from, 0, to, 0, 8).expect("inside");
        blit.end_encoding();
        work
    };
    let (reads, writes) = (copy(&buffer, &other), copy(&other, &buffer));
    let command = "command `copy rows` of pass `moves` of command buffer `frame`";

    let guard = buffer.read_guard(4..12).expect("free");
    let taken = format!("a read guard taken at {}:{}:", file!(), line!() - 1);
    misuse(writes.commit(), ErrorKind::InFlight, &[command, "bytes 4..12 of buffer `data`", &taken]);
    run(&reads);
    drop(guard);

    let reads = copy(&buffer, &other);
    let guard = buffer.write_guard(4..12).expect("free");
    let taken = format!("a write guard taken at {}:{}:", file!(), line!() - 1);
    misuse(writes.commit(), ErrorKind::InFlight, &[command, &taken]);
    misuse(reads.commit(), ErrorKind::InFlight, &[command, "bytes 4..12 of buffer `data`", &taken]);
    // Neither is lost: without the guard both go through.
    drop(guard);
    run(&writes);
    run(&reads);
}

#[test]
fn guards_keep_each_other_away() {
    let device = Device::cpu();
    let buffer = numbers(&device, "data", &[1, 2, 3, 4]);
    let guard = buffer.write_guard(4..12).expect("free");
    let taken = format!("a write guard taken at {}:{}:", file!(), line!() - 1);
    let kind = ErrorKind::InFlight;
    misuse(buffer.read_guard(..), kind, &["`read_guard`", "`data`", &taken, "wait for itself"]);
    misuse(buffer.try_write_guard(0..8), kind, &["`try_write_guard`", &taken]);
    misuse(buffer.read::<u32>(..), kind, &["`read`", &taken]);
    misuse(buffer.write(8, &[1u32]), kind, &["`write`", &taken]);
    assert_eq!(buffer.read::<u32>(..4).expect("other bytes"), [1]);
    drop(buffer.write_guard(12..).expect("other bytes"));
    // Another thread waits until it is dropped.
    let dropped = Arc::new(AtomicBool::new(false));
    let waiting = {
        let (buffer, dropped) = (buffer.clone(), Arc::clone(&dropped));
        std::thread::spawn(move || {
            let guard = buffer.read_guard(..).expect("it comes free");
            (guard.read::<u32>(..).expect("held"), dropped.load(Ordering::SeqCst))
        })
    };
    guard.write(0, &[20u32, 30]).expect("held");
    dropped.store(true, Ordering::SeqCst);
    drop(guard);
    assert_eq!(waiting.join().expect("no panic"), (vec![1, 20, 30, 4], true));
    // Readers share.
    let guards = [(); 2].map(|()| buffer.read_guard(..).expect("free"));
    let mut half = [0u32; 2];
    guards[1].read_into(8, &mut half).expect("held");
    assert_eq!((half, guards[0].length()), ([30, 4], 16));
    misuse(guards[0].read_into(12, &mut half), ErrorKind::OutOfBounds, &["12..20", "16 bytes"]);
}

#[test]
fn images_are_held_by_level_and_slice() {
    let device = Device::cpu();
    let (queue, gate) = (device.new_command_queue(), device.new_event());
    let shape = TextureDescriptor::new_2d_array(PixelFormat::R8Unorm, 4, 4, 2).with_mips(2);
    let image = device.new_texture(&shape).expect("there is memory");
    image.set_label("image");
    let source = device.new_buffer_with_bytes(&[5; 4], ResourceOptions::SHARED).expect("there is memory");
    let upload = |waits: bool| {
        let work = queue.command_buffer();
        if waits {
            work.encode_wait_for_event(&gate, 1).expect("it is open");
        }
        let mut blit = work.blit_command_encoder().expect("it is open");
        let place = fencepost::TexturePlace { level: 1, slice: 1, ..Default::default() };
        blit.copy_buffer_to_texture(&source, fencepost::BufferLayout::rows(2), &image, place, [2, 2])
            .expect("inside");
        blit.end_encoding();
        work
    };
    upload(true).commit().expect("nothing is held");
    let kind = ErrorKind::InFlight;
    misuse(image.try_read_guard(0..2, 1..2), kind, &["levels 0..2 of slices 1..2", "`image`"]);
    drop(image.try_write_guard(0..1, 0..2).expect("another level"));
    drop(image.try_write_guard(1..2, 0..1).expect("another slice"));
    open(&gate);
    let guard = image.read_guard(1..2, 0..2).expect("it comes free");
    let taken = format!("a read guard taken at {}:{}:", file!(), line!() - 1);
    let mut texels = [0; 4];
    let all = Region::new(0, 0, 2, 2);
    guard.get_bytes(&mut texels, 2, all, 1, 1).expect("held");
    assert_eq!(texels, [5; 4]);
    misuse(guard.get_bytes(&mut texels, 2, all, 0, 1), ErrorKind::OutOfBounds, &["level", "0..1", "1..2"]);
    misuse(upload(false).commit(), kind, &["levels 1..2 of slices 0..2 of texture `image`", &taken]);
    misuse(image.replace_region(all, 1, 1, &[0; 4], 2), kind, &[&taken]);
    drop(guard);
    let upper = image
        .new_texture_view_of(PixelFormat::R8Unorm, fencepost::TextureKind::D2, 1..2, 1..2)
        .expect("it is there");
    let guard = upper.write_guard(0..1, 0..1).expect("free");
    guard.replace_region(Region::new(1, 0, 1, 1), 0, 0, &[8], 1).expect("held");
    misuse(image.try_read_guard(1..2, 1..2), kind, &["write guard"]);
    misuse(guard.replace_region(all, 1, 0, &[0; 4], 2), ErrorKind::OutOfBounds, &["level"]);
    drop(guard);
    image.read_guard(1..2, 1..2).and_then(|guard| guard.get_bytes(&mut texels, 2, all, 1, 1)).expect("free");
    assert_eq!(texels, [5, 8, 5, 5]);
    misuse(image.read_guard(1..1, 0..1), ErrorKind::OutOfBounds, &["levels"]);
    let hidden = device.new_texture(&shape.with_options(ResourceOptions::PRIVATE)).expect("there is memory");
    misuse(hidden.write_guard(0..1, 0..1), ErrorKind::WrongStorageMode, &["Private"]);
}

#[test]
fn a_guard_waits_for_the_work_of_every_device() -> Result<(), Error> {
    let (here, there) = (Device::cpu(), Device::cpu());
    let source = numbers(&here, "source", &[0; 64]);
    let seen = there.new_buffer_sharing(&source, .., HazardTrackingMode::Untracked)?;
    // A second name on the other device: claims of one guard do not stand in each other's way.
    let again = there.new_buffer_sharing(&source, .., HazardTrackingMode::Untracked)?;
    let gate = there.new_event();
    let work = there.new_command_queue().command_buffer();
    work.encode_wait_for_event(&gate, 1)?;
    record_fill(&work, &seen, 0..256, 4);
    work.commit()?;
    let waiting = std::thread::spawn(move || source.write_guard(..)?.read::<u8>(..));
    open(&gate);
    assert_eq!(waiting.join().expect("no panic")?, [4; 256]);
    assert_eq!(again.read::<u8>(..)?, [4; 256]);
    Ok(())
}

#[test]
fn a_pointer_is_there_for_those_who_know() {
    let device = Device::cpu();
    let buffer = numbers(&device, "data", &[1, 2]);
    let contents = buffer.contents().expect("shared");
    let first = contents.as_ptr().expect("the CPU device's memory has an address");
    let heap =
        device.new_heap(&fencepost::HeapDescriptor { size: 512, ..Default::default() }).expect("memory");
    let placed = [(); 2].map(|()| heap.new_buffer(256, heap.resource_options()).expect("there is room"));
    let at = |buffer: &Buffer| buffer.contents().and_then(|contents| contents.as_ptr()).expect("it has one");
    assert_eq!(at(&placed[0]).addr().get().abs_diff(at(&placed[1]).addr().get()), 256, "of the part itself");
    assert_eq!(at(&buffer), first);
    let hidden = device.new_buffer(16, ResourceOptions::PRIVATE).expect("there is memory");
    misuse(hidden.contents(), ErrorKind::WrongStorageMode, &["Private"]);
}

/// With validation on: who holds a guard has seen the end of what was in its way, whether the program has asked for it or not.
#[test]
fn validation_knows_what_a_guard_has_seen() {
    let device = Device::cpu_with(CpuOptions { validation: Some(Validation::Report), ..Default::default() });
    let found = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&found);
    device.set_validation_handler(move |finding| sink.lock().expect("no panic").push(finding.clone()));
    let taken = || std::mem::take(&mut *found.lock().expect("no panic"));
    let (queue, event) = (device.new_command_queue(), device.new_shared_event());
    let [data, other] = ["data", "other"].map(|label| {
        let buffer = device.new_buffer(16, ResourceOptions::SHARED).expect("there is memory");
        buffer.set_label(label);
        buffer
    });

    // The handles are dropped at once: nobody asks them whether they have ended.
    fill(&queue, &data, 0..16, 1).commit().expect("nothing is held");
    fill(&queue, &other, 0..16, 2).commit().expect("nothing is held");
    assert_eq!(data.read_guard(..).expect("it comes free").read::<u8>(..).expect("held"), [1; 16]);
    data.write(0, &[3u8]).expect("its end is known by now");
    assert!(taken().is_empty());
    // The end of other work is not known by that.
    let _ = other.contents().expect("shared").read::<u8>(..);
    assert_eq!(taken().len(), 1);

    // Up to a signal in the middle, and no further.
    let work = queue.command_buffer();
    record_fill(&work, &data, 0..8, 4);
    work.encode_signal_event(&event, 1).expect("it is open");
    work.encode_wait_for_event(&event, 2).expect("it is open");
    record_fill(&work, &data, 8..16, 5);
    work.commit().expect("nothing is held");
    let guard = data.write_guard(..).expect("it comes free up to the wait");
    guard.write(0, &[6u8; 8]).expect("held");
    assert!(taken().is_empty());
    // Kept while the work behind the wait is let go: then it is in the way of nobody, and races.
    event.set_signaled_value(2);
    let site = line!() + 1;
    guard.write(8, &[7u8]).expect("held");
    let races = taken();
    assert_eq!((races.len(), races[0].code(), races[0].resource()), (1, "race", Some("data")), "{races:#?}");
    let lines = [races[0].first(), races[0].second()].map(|place| place.and_then(|place| place.location));
    assert!(lines.iter().flatten().any(|place| place.line() == site), "{races:#?}");
}
