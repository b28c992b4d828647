//! Two textures in the same bytes of a heap, one after the other, kept apart by a fence.
use fencepost::{
    Device, Error, HazardTrackingMode, HeapDescriptor, HeapKind, PixelFormat, ResourceOptions,
    TextureDescriptor,
};

fn main() -> Result<(), Error> {
    let device = Device::system_default();
    let library = device.new_library_with_wgsl(
        "@group(0) @binding(0) var image: texture_storage_2d<r32uint, write>;
         @group(0) @binding(1) var<storage, read_write> out: array<u32>;
         @group(0) @binding(2) var shown: texture_2d<u32>;
         override value: u32 = 0;
         @compute @workgroup_size(8, 8)
         fn paint(@builtin(global_invocation_id) id: vec3<u32>) { textureStore(image, id.xy, vec4(value)); }
         @compute @workgroup_size(8, 8)
         fn show(@builtin(global_invocation_id) id: vec3<u32>) {
             out[id.y * 32 + id.x] = textureLoad(shown, id.xy, 0).x;
         }",
    )?;
    let options =
        ResourceOptions { hazard_tracking_mode: HazardTrackingMode::Untracked, ..ResourceOptions::PRIVATE };
    let image = TextureDescriptor::new_2d(PixelFormat::R32Uint, 32, 32).with_options(options);
    let place = device.heap_texture_size_and_align(&image)?;
    let heap = device.new_heap(&HeapDescriptor { size: place.size, kind: HeapKind::Automatic, options })?;
    let show = device.new_compute_pipeline_state(&library.new_function("show")?)?;
    let fence = device.new_fence();
    let queue = device.new_command_queue();

    let mut shown = Vec::new();
    for value in [7u32, 8, 9] {
        let paint = library.new_function_with_constants("paint", &[("value", f64::from(value))])?;
        let paint = device.new_compute_pipeline_state(&paint)?;
        let texture = heap.new_texture(&image)?;
        let out = device.new_buffer(32 * 32 * 4, ResourceOptions::SHARED)?;
        let work = queue.command_buffer();
        let mut compute = work.compute_command_encoder()?;
        // The bytes may still be in use as the texture before: no object says so, only the fence does.
        compute.wait_for_fence(&fence)?;
        compute.set_compute_pipeline_state(&paint)?;
        compute.set_texture(0, &texture)?;
        compute.dispatch_threads([32, 32, 1])?;
        compute.set_compute_pipeline_state(&show)?;
        compute.set_buffer(1, &out, 0)?;
        compute.set_texture(2, &texture)?;
        compute.dispatch_threads([32, 32, 1])?;
        compute.update_fence(&fence)?;
        compute.end_encoding();
        work.commit()?;
        texture.make_aliasable()?;
        shown.push((value, out, work));
    }
    for (value, out, work) in &shown {
        work.wait_until_completed()?;
        assert!(out.read::<u32>(..)?.iter().all(|word| word == value));
    }
    println!("three textures, one after another in {} bytes", heap.size());
    Ok(())
}
