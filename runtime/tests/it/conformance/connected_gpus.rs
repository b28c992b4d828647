//! S13: one GPU computes, another one fetches the result and draws with its own copy. A shared event each way orders them; tracking of
//! either device sees nothing of the other.
use fencepost::replay::program::{
    BufferOptions, Builder, DeviceKind, Placement, Program, QueueMode, TrackingMode,
};
use fencepost::{Device, ErrorKind, Fault, PixelFormat, ResourceOptions, TextureDescriptor};

use super::{SIZE, right, wrong};
use crate::common::refused;

/// `there`: the second device waits for the result. `back`: the first one waits for the copy before it writes anew.
fn s13(there: bool, back: bool) -> Builder {
    let mut p = Program::builder();
    let [a, b] = ["A", "B"].map(|name| p.device(name, DeviceKind::Any));
    let qa = p.queue_on("QA", QueueMode::Tracked, a);
    let qb = p.queue_on("QB", QueueMode::Tracked, b);
    let on = |device| BufferOptions {
        device: Some(device),
        tracking: TrackingMode::Tracked,
        ..BufferOptions::default()
    };
    let input = p.buffer_with("I", SIZE, BufferOptions { init: Some(0x1000), ..on(a) });
    let x = p.buffer_with("X", SIZE, on(a));
    let seen = p.buffer_with("XB", SIZE, BufferOptions { placement: Placement::SameAs(x), ..on(b) });
    let [y, z] = ["Y", "Z"].map(|name| p.buffer_with(name, SIZE, on(b)));
    let event = p.shared_event("SE");
    let first = p.command_buffer("a1", qa, |items| {
        items.compute("K1", |pass| {
            pass.dispatch("k", [input], [x]);
        });
        items.signal_event("s1", event, 1);
    });
    let fetch = p.command_buffer("b", qb, |items| {
        if there {
            items.wait_for_event("w1", event, 1);
        }
        items.blit("T", |pass| {
            pass.copy("c", seen, y);
        });
        items.signal_event("s2", event, 2);
        items.compute("D", |pass| {
            pass.dispatch("d", [y], [z]);
        });
    });
    let again = p.command_buffer("a2", qa, |items| {
        if back {
            items.wait_for_event("w2", event, 2);
        }
        items.compute("K2", |pass| {
            pass.dispatch("k", [x], [x]);
        });
    });
    p.steps().commit([first]).commit([fetch]).commit([again]);
    p
}

#[test]
fn s13_a_shared_event_each_way() {
    let ordered = [["K1.k", "T.c"], ["T.c", "D.d"], ["T.c", "K2.k"]];
    right(s13(true, true), &ordered, &[["D.d", "K2.k"]]);
}

#[test]
fn s13_without_the_wait_the_copy_is_of_old_bytes() {
    wrong(s13(false, true), ["K1.k", "T.c"]);
}

#[test]
fn s13_without_the_way_back_the_next_result_is_in_the_copy() {
    wrong(s13(true, false), ["T.c", "K2.k"]);
}

/// Rule 7.5.2: no device is in a peer group, and says so before anything is made.
#[test]
fn s13_remote_views_need_a_peer_group() {
    let (here, there) = (Device::cpu(), Device::cpu());
    for device in [&here, &there] {
        assert_eq!((device.peer_group_id(), device.peer_index(), device.peer_count()), (0, 0, 0));
    }
    let buffer = here.new_buffer(64, ResourceOptions::PRIVATE).expect("there is memory");
    buffer.set_label("result");
    let words = ["`new_remote_buffer_view`", "buffer `result`", "peer group", "new_buffer_sharing"];
    let error = refused(buffer.new_remote_buffer_view(&there), ErrorKind::Unsupported, &words);
    assert_eq!(error.fault(), Fault::Unsupported);
    refused(buffer.new_remote_buffer_view(&here), ErrorKind::Unsupported, &["the same device"]);
    assert!(buffer.remote_storage_buffer().is_none());
    let shape = TextureDescriptor::new_2d(PixelFormat::R8Unorm, 4, 4).with_options(ResourceOptions::PRIVATE);
    let image = here.new_texture(&shape).expect("there is memory");
    refused(image.new_remote_texture_view(&there), ErrorKind::Unsupported, &["new_texture_sharing"]);
    assert!(image.remote_storage_texture().is_none());
}
