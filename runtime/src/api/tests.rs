//! What encoders leave in a recording.
use fencepost_core::{AccessKind, Extent, Stage};

use crate::record::{Bound, Command, Item, Recording};
use crate::{
    Buffer, CommandBuffer, ComputeCommandEncoder, ComputePipelineState, Device, DispatchType, PassKind,
    PixelFormat, ResourceOptions, ResourceUsage, Stages, TextureDescriptor, TextureKind,
};

const SOURCE: &str = "
    @group(0) @binding(0) var<storage, read> input: array<u32>;
    @group(0) @binding(1) var<storage, read_write> output: array<u32>;
    @group(0) @binding(2) var<storage, read_write> counter: atomic<u32>;
    @group(1) @binding(0) var picture: texture_2d<f32>;
    @group(1) @binding(1) var drawing: texture_storage_2d<r32float, write>;
    @compute @workgroup_size(1) fn copy() { output[0] = input[0]; }
    @compute @workgroup_size(1) fn count() { atomicAdd(&counter, 1u); }
    @compute @workgroup_size(1) fn draw() { textureStore(drawing, vec2u(0), textureLoad(picture, vec2u(0), 0)); }";

struct Studio {
    device: Device,
    work: CommandBuffer,
    buffers: [Buffer; 2],
}

impl Studio {
    fn new() -> Self {
        let device = Device::cpu();
        let work = device.new_command_queue().command_buffer();
        let buffer = || device.new_buffer(64, ResourceOptions::SHARED).unwrap();
        let buffers = [buffer(), buffer()];
        Self { device, work, buffers }
    }

    fn pipeline(&self, function: &str) -> ComputePipelineState {
        let library = self.device.new_library_with_wgsl(SOURCE).unwrap();
        self.device.new_compute_pipeline_state(&library.new_function(function).unwrap()).unwrap()
    }

    /// An encoder with the copying kernel, bound to both buffers.
    fn copying(&self) -> ComputeCommandEncoder {
        let mut encoder = self.work.compute_command_encoder().unwrap();
        encoder.set_compute_pipeline_state(&self.pipeline("copy")).unwrap();
        encoder.set_buffer(0, &self.buffers[0], 16).unwrap();
        encoder.set_buffer(1, &self.buffers[1], 0).unwrap();
        encoder
    }

    fn look<R>(&self, look: impl FnOnce(&Recording) -> R) -> R {
        self.work.look(look)
    }
}

#[test]
fn a_dispatch_carries_bindings_and_accesses() {
    let studio = Studio::new();
    let mut encoder = studio.copying();
    encoder.dispatch_threadgroups([2, 3, 1]).unwrap();
    encoder.end_encoding();
    studio.look(|recording| {
        assert!(matches!(
            recording.items[..],
            [Item::BeginPass { .. }, Item::Command { stages: Stages::DISPATCH, .. }, Item::EndPass]
        ));
        let [Command::Dispatch { bindings, grid, .. }] = &recording.commands[..] else {
            panic!("one dispatch, not {:?}", recording.commands)
        };
        assert_eq!((grid.groups, bindings.clone()), ([2, 3, 1], 0..2));
        let [input, output] = &recording.accesses[..] else { panic!("two accesses") };
        assert_eq!((input.kind, &input.extent), (AccessKind::Read, &Extent::Bytes(16..64)));
        assert_eq!((output.kind, &output.extent), (AccessKind::Write, &Extent::Bytes(0..64)));
        assert_eq!(output.stage, Stage::Dispatch);
        assert_eq!(output.resource, studio.buffers[1].body.resource);
    });
}

#[test]
fn dispatches_with_the_same_bindings_share_them() {
    let studio = Studio::new();
    let mut encoder = studio.copying();
    for _ in 0..3 {
        encoder.dispatch_threadgroups([1, 1, 1]).unwrap();
        encoder.set_buffer(0, &studio.buffers[0], 16).unwrap();
    }
    encoder.set_buffer(0, &studio.buffers[0], 32).unwrap();
    encoder.dispatch_threadgroups([1, 1, 1]).unwrap();
    encoder.end_encoding();
    studio.look(|recording| {
        assert_eq!((recording.commands.len(), recording.bindings.len(), recording.accesses.len()), (4, 4, 4));
        assert_eq!((recording.buffers.len(), recording.pipelines.len()), (2, 1));
        let Bound::Buffer(moved) = &recording.bindings[2] else { panic!("a buffer is bound") };
        assert_eq!((moved.buffer, moved.offset, moved.length), (0, 32, 32));
    });
}

#[test]
fn a_refused_dispatch_leaves_nothing() {
    let studio = Studio::new();
    let mut encoder = studio.copying();
    encoder.set_compute_pipeline_state(&studio.pipeline("count")).unwrap();
    encoder.dispatch_threadgroups([1, 1, 1]).unwrap_err();
    encoder.end_encoding();
    studio.look(|recording| {
        assert!(
            recording.commands.is_empty() && recording.bindings.is_empty() && recording.accesses.is_empty()
        );
        assert_eq!(recording.items.len(), 2);
    });
}

#[test]
fn atomics_and_texture_levels_are_told_apart() {
    let studio = Studio::new();
    let image = TextureDescriptor::new_2d_array(PixelFormat::R32Float, 8, 8, 3).with_mips(4);
    let image = studio.device.new_texture(&image).unwrap();
    let view = |levels, slice: u32| {
        image.new_texture_view_of(PixelFormat::R32Float, TextureKind::D2, levels, slice..slice + 1).unwrap()
    };
    let mut encoder = studio.work.compute_command_encoder().unwrap();
    encoder.set_compute_pipeline_state(&studio.pipeline("count")).unwrap();
    encoder.set_buffer(2, &studio.buffers[0], 0).unwrap();
    encoder.dispatch_threadgroups([1, 1, 1]).unwrap();
    encoder.set_compute_pipeline_state(&studio.pipeline("draw")).unwrap();
    encoder.set_texture((1, 0), &view(0..2, 1)).unwrap();
    encoder.set_texture((1, 1), &view(2..4, 2)).unwrap();
    encoder.dispatch_threadgroups([1, 1, 1]).unwrap();
    encoder.end_encoding();
    studio.look(|recording| {
        let found: Vec<_> =
            recording.accesses.iter().map(|access| (access.kind, access.extent.clone())).collect();
        let texels = |mips, slices| Extent::Subresources { mips, slices };
        let expected = [
            (AccessKind::Atomic, Extent::Bytes(0..64)),
            (AccessKind::Read, texels(0..2, 1..2)),
            // A storage texture shows its first level alone.
            (AccessKind::Write, texels(2..3, 2..3)),
        ];
        assert_eq!(found, expected);
    });
}

#[test]
fn passes_and_commands_have_labels() {
    let studio = Studio::new();
    studio.work.push_debug_group("frame").unwrap();
    let mut encoder =
        studio.work.compute_command_encoder_with_dispatch_type(DispatchType::Concurrent).unwrap();
    encoder.set_compute_pipeline_state(&studio.pipeline("copy")).unwrap();
    encoder.set_buffer(0, &studio.buffers[0], 0).unwrap();
    encoder.set_buffer(1, &studio.buffers[1], 0).unwrap();
    encoder.dispatch_threadgroups([1, 1, 1]).unwrap();
    encoder.push_debug_group("second");
    encoder.insert_debug_signpost("here");
    encoder.use_resource(&studio.buffers[0], ResourceUsage::WRITE).unwrap();
    encoder.dispatch_threadgroups([1, 1, 1]).unwrap();
    encoder.set_label("blur");
    encoder.end_encoding();
    let mut blit = studio.work.blit_command_encoder().unwrap();
    blit.fill_buffer(&studio.buffers[0], ..4, 0).unwrap();
    blit.end_encoding();
    studio.look(|recording| {
        let labels: Vec<_> = (recording.items.iter())
            .filter_map(|item| match item {
                Item::BeginPass { label, .. } | Item::Command { label, .. } => Some(recording.label(*label)),
                _ => None,
            })
            .collect();
        assert_eq!(labels, [Some("blur"), Some("frame"), Some("second"), None, Some("frame")]);
        let posts: Vec<_> =
            recording.signposts.iter().map(|&(pass, text)| (pass, recording.label(Some(text)))).collect();
        assert_eq!(posts, [(0, Some("here"))]);
        assert!(matches!(
            recording.items[0],
            Item::BeginPass { kind: PassKind::Compute, dispatch_type: DispatchType::Concurrent, .. }
        ));
    });
}

#[test]
fn recordings_are_used_again() {
    let studio = Studio::new();
    let mut encoder = studio.copying();
    encoder.dispatch_threadgroups([1, 1, 1]).unwrap();
    encoder.end_encoding();
    let place = studio.look(|recording| recording.commands.as_ptr().addr());
    studio.work.commit().unwrap();
    studio.work.wait_until_completed().unwrap();
    // Whoever ran it lets go of it a little later than it completes.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let (mut again, mut others) = (false, Vec::new());
    while !again && std::time::Instant::now() < deadline {
        let recording = studio.device.shared.pool.take();
        assert!(recording.items.is_empty() && recording.buffers.is_empty());
        again = recording.commands.capacity() > 0 && recording.commands.as_ptr().addr() == place;
        // Kept: one that goes back would only be taken again.
        others.push(recording);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert!(again, "the vectors came back");
}
