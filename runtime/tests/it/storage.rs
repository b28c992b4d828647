//! Storage modes and purgeable memory: who may touch what and when (rules 11.1 to 11.3).
use fencepost::{
    Buffer, BufferLayout, CpuCacheMode, CpuOptions, Device, ErrorKind, HazardTrackingMode, HeapDescriptor,
    HeapKind, PixelFormat, PurgeableState, Region, ResidencySetDescriptor, ResourceOptions, ResourceUsage,
    Schedule, StorageMode, Texture, TextureDescriptor, TexturePlace, TextureUsage,
};

use crate::common::{misuse, numbers, pipeline, run};

const ATTACHMENT: TextureDescriptor = TextureDescriptor::new_2d(PixelFormat::Rgba8Unorm, 4, 4)
    .with_usage(TextureUsage::RENDER_TARGET)
    .with_options(ResourceOptions::MEMORYLESS);

const WRONG: ErrorKind = ErrorKind::WrongStorageMode;

fn memoryless(device: &Device) -> Texture {
    let texture = device.new_texture(&ATTACHMENT).expect("it is an attachment and nothing else");
    texture.set_label("depth");
    texture
}

#[test]
fn only_attachments_are_memoryless() {
    let device = crate::common::device();
    misuse(
        device.new_buffer(16, ResourceOptions::MEMORYLESS),
        WRONG,
        &["`new_buffer`", "Memoryless", "private"],
    );
    for usage in [TextureUsage::SHADER_READ, TextureUsage::RENDER_TARGET | TextureUsage::SHADER_WRITE] {
        misuse(device.new_texture(&ATTACHMENT.with_usage(usage)), WRONG, &["`new_texture`", "RENDER_TARGET"]);
    }
    for options in [ResourceOptions::MANAGED, ResourceOptions::MEMORYLESS] {
        let heap = HeapDescriptor { size: 1024, options, ..Default::default() };
        misuse(device.new_heap(&heap), WRONG, &["`new_heap`"]);
    }
    let texture = memoryless(&device);
    assert_eq!((texture.storage_mode(), texture.allocated_size()), (StorageMode::Memoryless, 0));
    assert!(!texture.is_aliasable());
    // A heap has it as well, and gives it no place.
    let options = ResourceOptions::PRIVATE;
    let heap = device.new_heap(&HeapDescriptor { size: 256, options, ..Default::default() }).expect("memory");
    let on_none = heap.new_texture(&ATTACHMENT).expect("it takes no place");
    assert_eq!((heap.used_size(), on_none.heap_offset()), (0, None));
    misuse(on_none.make_aliasable(), ErrorKind::Aliasing, &["texture"]);
}

#[test]
fn nothing_reaches_a_memoryless_texture_but_a_render_pass() {
    let device = crate::common::device();
    let texture = memoryless(&device);
    let words = ["texture `depth`", "memoryless", "private"];
    let mut bytes = [0; 64];
    let all = Region::new(0, 0, 4, 4);
    misuse(texture.get_bytes(&mut bytes, 16, all, 0, 0), WRONG, &words);
    misuse(texture.replace_region(all, 0, 0, &bytes, 16), WRONG, &words);
    misuse(texture.set_purgeable_state(PurgeableState::Volatile), WRONG, &words);
    misuse(device.new_texture_sharing(&texture, Default::default()), WRONG, &words);
    let plain = device.new_texture(&ATTACHMENT.with_options(ResourceOptions::SHARED)).expect("memory");
    let (buffer, place, rows) =
        (numbers(&device, "rows", &[0; 16]), TexturePlace::default(), BufferLayout::rows(16));
    let work = device.new_command_queue().command_buffer();
    let mut blit = work.blit_command_encoder().expect("it is open");
    misuse(blit.copy_texture(&texture, &plain), WRONG, &words);
    misuse(blit.copy_texture(&plain, &texture), WRONG, &words);
    misuse(blit.copy_texture_to_buffer(&texture, place, [4, 4], &buffer, rows), WRONG, &words);
    misuse(blit.copy_buffer_to_texture(&buffer, rows, &texture, place, [4, 4]), WRONG, &words);
    misuse(blit.generate_mipmaps(&texture), WRONG, &words);
    misuse(blit.synchronize(&texture), WRONG, &words);
    misuse(blit.optimize_contents_for_gpu_access(&texture), WRONG, &words);
    blit.end_encoding();
    let mut kernels = work.compute_command_encoder().expect("it is open");
    misuse(kernels.set_texture(0, &texture), WRONG, &words);
    misuse(kernels.use_resource(&texture, ResourceUsage::READ), WRONG, &words);
    let view = texture.new_texture_view(PixelFormat::Rgba8Unorm).expect("the same format");
    misuse(kernels.set_texture(0, &view), WRONG, &["memoryless"]);
    kernels.end_encoding();
    run(&work);
}

#[test]
fn a_resource_tells_where_it_lives() {
    let device = crate::common::device();
    let written = ResourceOptions { cpu_cache_mode: CpuCacheMode::WriteCombined, ..ResourceOptions::SHARED };
    let descriptor = HeapDescriptor { size: 1 << 16, kind: HeapKind::Placement, options: written.tracked() };
    let heap = device.new_heap(&descriptor).expect("there is memory");
    misuse(heap.new_buffer_at(16, ResourceOptions::SHARED, 0), WRONG, &["cache mode", "WriteCombined"]);
    let buffer = heap.new_buffer_at(16, written, 512).expect("inside");
    assert_eq!(
        (buffer.cpu_cache_mode(), heap.cpu_cache_mode()),
        (written.cpu_cache_mode, written.cpu_cache_mode)
    );
    assert_eq!(buffer.hazard_tracking_mode(), HazardTrackingMode::Tracked);
    assert_eq!(buffer.heap().map(|heap| heap.size()), Some(heap.size()));
    assert_eq!((buffer.heap_offset(), buffer.allocated_size()), (Some(512), 16));
    // The cache mode changes speed and no meaning.
    buffer.write(0, &[7u32]).expect("nothing is in flight");
    assert_eq!(buffer.read::<u32>(..4).expect("nothing is in flight"), [7]);
    let shape = TextureDescriptor::new_2d(PixelFormat::R8Unorm, 8, 8);
    let managed = device.new_texture(&shape.with_options(ResourceOptions::MANAGED)).expect("memory");
    let shared = device.new_texture(&shape).expect("memory");
    assert!(shared.heap().is_none() && shared.heap_offset().is_none());
    assert_eq!(managed.allocated_size(), 2 * shared.allocated_size(), "two copies");
    assert!(shared.allocated_size() >= 64);
}

#[test]
fn what_is_lent_is_out_of_bounds_and_what_is_empty_is_lost() {
    use PurgeableState::{Empty, KeepCurrent, NonVolatile, Volatile};
    let device = crate::common::device();
    let queue = device.new_command_queue();
    // Whole pages and what is left of them.
    let length = 3 * 65_536 + 20;
    for options in [ResourceOptions::SHARED, ResourceOptions::MANAGED] {
        let cache = device.new_buffer_with_bytes(&vec![7; length], options).expect("there is memory");
        cache.set_label("cache");
        let full = cache.allocated_size();
        let kind = ErrorKind::Purgeable;
        assert_eq!(cache.set_purgeable_state(KeepCurrent).expect("it asks"), NonVolatile);
        assert_eq!(cache.set_purgeable_state(Volatile).expect("nobody uses it"), NonVolatile);
        misuse(cache.read::<u8>(..), kind, &["`read`", "buffer `cache`", "Volatile", "NonVolatile"]);
        misuse(cache.write(0, &[1u8]), kind, &["`write`"]);
        misuse(cache.read_guard(..).map(drop), kind, &["`cache`"]);
        misuse(cache.write_guard(..).map(drop), kind, &["`cache`"]);
        misuse(cache.contents(), kind, &["`contents`"]);
        let work = queue.command_buffer();
        let mut blit = work.blit_command_encoder().expect("it is open");
        blit.fill_buffer(&cache, ..4, 9).expect("inside");
        blit.end_encoding();
        misuse(work.commit(), kind, &["`commit`", "buffer `cache`", "Volatile"]);
        assert_eq!(
            cache.set_purgeable_state(NonVolatile).expect("nobody uses it"),
            Volatile,
            "it has survived"
        );
        assert_eq!(cache.read::<u8>(..).expect("it is there"), vec![7; length]);
        assert_eq!(cache.set_purgeable_state(Empty).expect("nobody uses it"), NonVolatile);
        assert_eq!((cache.allocated_size(), full > 0), (0, true));
        misuse(cache.read::<u8>(..), kind, &["Empty"]);
        assert_eq!(cache.set_purgeable_state(Volatile).expect("nobody uses it"), Empty);
        assert_eq!(cache.set_purgeable_state(KeepCurrent).expect("it asks"), Empty, "it stays so");
        assert_eq!(cache.set_purgeable_state(NonVolatile).expect("nobody uses it"), Empty, "it is lost");
        assert_eq!(cache.allocated_size(), full);
        // Undefined to a program; this device has nothing but zeros to give.
        assert_eq!(cache.read::<u8>(..).expect("it may be used again"), vec![0; length]);
        // The refused work is as it was.
        run(&work);
    }
}

#[test]
fn what_is_in_use_cannot_be_lent() {
    let device = crate::common::device();
    let (queue, gate) = (device.new_command_queue(), device.new_event());
    let (source, target) = (numbers(&device, "source", &[5; 4]), numbers(&device, "target", &[0; 4]));
    let work = queue.command_buffer();
    work.set_label("frame");
    work.encode_wait_for_event(&gate, 1).expect("it is open");
    let mut blit = work.blit_command_encoder().expect("it is open");
    blit.copy_buffer(&source, 0, &target, 0, 16).expect("inside");
    blit.end_encoding();
    work.commit().expect("nothing is held");
    let kind = ErrorKind::InFlight;
    misuse(source.set_purgeable_state(PurgeableState::Volatile), kind, &["`source`", "`frame`"]);
    misuse(target.set_purgeable_state(PurgeableState::Empty), kind, &["`target`"]);
    let signal = device.new_command_queue().command_buffer();
    signal.encode_signal_event(&gate, 1).expect("it is open");
    run(&signal);
    work.wait_until_completed().expect("the gate is open");
    let guard = source.read_guard(4..8).expect("nothing is in flight");
    misuse(source.set_purgeable_state(PurgeableState::Empty), kind, &["`source`", "guard"]);
    drop(guard);
    source.set_purgeable_state(PurgeableState::Empty).expect("nobody uses it");
    assert_eq!(target.read::<u32>(..).expect("it has completed"), [5; 4]);
}

#[test]
fn a_heap_is_lent_as_a_whole() {
    use PurgeableState::{Empty, KeepCurrent, NonVolatile, Volatile};
    let device = crate::common::device();
    let heap =
        device.new_heap(&HeapDescriptor { size: 4096, ..Default::default() }).expect("there is memory");
    heap.set_label("H");
    let [first, second] =
        ["first", "second"].map(|_| heap.new_buffer(16, ResourceOptions::SHARED).expect("there is room"));
    first.write(0, &[3u32]).expect("nothing is in flight");
    let kind = ErrorKind::Purgeable;
    misuse(first.set_purgeable_state(Volatile), kind, &["on a heap", "heap"]);
    let guard = second.read_guard(..).expect("nothing is in flight");
    misuse(heap.set_purgeable_state(Empty), ErrorKind::InFlight, &["heap `H`", "guard"]);
    drop(guard);
    assert_eq!(heap.set_purgeable_state(Volatile).expect("nobody uses it"), NonVolatile);
    assert_eq!(second.set_purgeable_state(KeepCurrent).expect("it asks"), Volatile);
    misuse(first.read::<u32>(..), kind, &["Volatile"]);
    let work = device.new_command_queue().command_buffer();
    let mut kernels = work.compute_command_encoder().expect("it is open");
    kernels.set_compute_pipeline_state(&pipeline(&device, "add")).expect("it is this device's");
    kernels.set_buffer(0, &second, 0).expect("inside");
    kernels.end_encoding();
    misuse(work.commit(), kind, &["`commit`"]);
    assert_eq!(heap.set_purgeable_state(Empty).expect("nobody uses it"), Volatile);
    assert_eq!(heap.current_allocated_size(), 0);
    assert_eq!(heap.set_purgeable_state(NonVolatile).expect("nobody uses it"), Empty);
    assert_eq!((heap.current_allocated_size(), heap.used_size()), (4096, 512), "places stay");
    assert_eq!(first.read::<u32>(..4).expect("it may be used again"), [0]);
    run(&work);
}

#[test]
fn lent_content_goes_when_there_is_no_room_and_at_once_where_order_is_adversarial() {
    use PurgeableState::{Empty, KeepCurrent, Volatile};
    let device = crate::common::device();
    let [oldest, newest, kept] = [1, 2, 3].map(|number| numbers(&device, "cache", &[number; 4]));
    oldest.set_purgeable_state(Volatile).expect("nobody uses it");
    newest.set_purgeable_state(Volatile).expect("nobody uses it");
    let endless = TextureDescriptor::new_2d_array(PixelFormat::Rgba32Uint, 16_384, 16_384, 2048);
    // 8 TiB each: however freely the system promises memory, its addresses come to an end.
    let taken: Vec<_> = (0..64).map_while(|_| device.new_texture(&endless).ok()).collect();
    assert!(taken.len() < 64, "{} of them", taken.len());
    let error = device.new_texture(&endless).expect_err("there is no room");
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    drop(taken);
    for cache in [&oldest, &newest] {
        assert_eq!(cache.set_purgeable_state(KeepCurrent).expect("it asks"), Empty, "it went for nothing");
    }
    assert_eq!(kept.read::<u32>(..).expect("it was never lent"), [3; 4]);
    let options = CpuOptions { schedule: Schedule::Adversarial(1), ..CpuOptions::default() };
    let cache = numbers(&Device::cpu_with(options), "cache", &[1; 4]);
    cache.set_purgeable_state(Volatile).expect("nobody uses it");
    assert_eq!(cache.set_purgeable_state(PurgeableState::NonVolatile).expect("nobody uses it"), Empty);
}

#[test]
fn memory_that_others_see_is_not_lent() {
    let (first, second) = (crate::common::device(), crate::common::device());
    let here = numbers(&first, "here", &[1; 64]);
    let there = second.new_buffer_sharing(&here, .., Default::default()).expect("it is reachable");
    for buffer in [&here, &there] {
        let lent = buffer.set_purgeable_state(PurgeableState::Volatile);
        misuse(lent, ErrorKind::Purgeable, &["other devices or processes"]);
    }
    let lent = numbers(&first, "lent", &[1; 64]);
    lent.set_purgeable_state(PurgeableState::Volatile).expect("nobody uses it");
    misuse(second.new_buffer_sharing(&lent, .., Default::default()), ErrorKind::Purgeable, &["`lent`"]);
}

#[test]
fn residency_sets_count_and_change_nothing() {
    let (device, other) = (Device::cpu(), Device::cpu());
    let heap =
        device.new_heap(&HeapDescriptor { size: 4096, ..Default::default() }).expect("there is memory");
    let (buffer, texture) = (numbers(&device, "numbers", &[1; 16]), memoryless(&device));
    let set =
        device.new_residency_set(&ResidencySetDescriptor { label: "frame".into(), initial_capacity: 3 });
    let add = |allocation: &Buffer| set.add_allocation(allocation).expect("it is this device's");
    add(&buffer);
    add(&buffer);
    set.add_allocation(&heap).expect("it is this device's");
    set.add_allocation(&texture).expect("it is this device's");
    assert_eq!((set.allocation_count(), set.contains_allocation(&buffer)), (0, false), "not committed");
    set.commit();
    assert_eq!((set.allocation_count(), set.allocated_size()), (3, 64 + 4096));
    set.remove_allocation(&buffer);
    assert!(set.contains_allocation(&buffer), "until the next commit");
    set.commit();
    assert!(!set.contains_allocation(&buffer) && set.contains_allocation(&heap));
    set.remove_all_allocations();
    set.commit();
    assert_eq!((set.allocation_count(), set.allocated_size()), (0, 0));
    set.request_residency();
    set.end_residency();
    let foreign = numbers(&other, "foreign", &[1; 4]);
    misuse(
        set.add_allocation(&foreign),
        ErrorKind::WrongDevice,
        &["buffer `foreign`", "residency set `frame`"],
    );
    let queue = device.new_command_queue();
    misuse(other.new_command_queue().add_residency_set(&set), ErrorKind::WrongDevice, &["`frame`"]);
    let sets: Vec<_> = (0..33).map(|_| device.new_residency_set(&Default::default())).collect();
    let all: Vec<_> = sets.iter().collect();
    queue.add_residency_sets(&all[..32]).expect("as many as there may be");
    queue.add_residency_set(all[5]).expect("it is there already");
    misuse(queue.add_residency_set(all[32]), ErrorKind::InvalidArgument, &["residency sets", "32"]);
    queue.remove_residency_set(all[0]);
    queue.add_residency_set(all[32]).expect("there is room");
    let work = queue.command_buffer();
    work.use_residency_set(&set).expect("it is open");
    misuse(other.new_command_queue().command_buffer().use_residency_set(&set), ErrorKind::WrongDevice, &[]);
    let mut blit = work.blit_command_encoder().expect("it is open");
    blit.fill_buffer(&buffer, .., 2).expect("in reach without any set");
    blit.end_encoding();
    run(&work);
    misuse(work.use_residency_set(&set), ErrorKind::AlreadyCommitted, &[]);
}
