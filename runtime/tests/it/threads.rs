//! Objects that Metal lets threads share can be shared; encoders can only be moved.
use std::fmt::Debug;

use fencepost::{
    BlitCommandEncoder, Buffer, BufferReadGuard, BufferWriteGuard, CommandAllocator, CommandBuffer,
    CommandQueue, Commit, ComputeCommandEncoder, ComputePipelineState, Device, Error, Event, Fence, Function,
    Heap, Library, SamplerState, SharedEvent, SharedEventListener, Texture,
};

use crate::common::{numbers, run};

const fn shared<T: Send + Sync + Debug>() {}
const fn moved<T: Send + Debug>() {}

const _: () = {
    shared::<Device>();
    shared::<CommandQueue>();
    shared::<CommandBuffer>();
    shared::<CommandAllocator>();
    shared::<Commit>();
    shared::<Buffer>();
    shared::<Texture>();
    shared::<SamplerState>();
    shared::<Heap>();
    shared::<Fence>();
    shared::<Event>();
    shared::<SharedEvent>();
    shared::<SharedEventListener>();
    shared::<Library>();
    shared::<Function>();
    shared::<ComputePipelineState>();
    shared::<BufferReadGuard>();
    shared::<BufferWriteGuard>();
    shared::<Error>();
    moved::<ComputeCommandEncoder>();
    moved::<BlitCommandEncoder>();
};

#[test]
fn threads_record_and_commit_side_by_side() {
    let device = crate::common::device();
    let buffers: Vec<_> = (0..4).map(|_| numbers(&device, "own", &[0; 64])).collect();
    let queue = device.new_command_queue();
    std::thread::scope(|scope| {
        for buffer in &buffers {
            let queue = queue.clone();
            scope.spawn(move || {
                for round in 0..50u8 {
                    let work = queue.command_buffer();
                    let mut blit = work.blit_command_encoder().expect("it is open");
                    blit.fill_buffer(buffer, .., round).expect("inside");
                    blit.end_encoding();
                    run(&work);
                    assert_eq!(buffer.read::<u8>(..).expect("it has completed"), [round; 256]);
                }
            });
        }
    });
}
