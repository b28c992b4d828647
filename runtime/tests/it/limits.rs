//! Memory at its limits: what many rounds leave behind, and what is said when there is none left. Each in a process of its own, so that
//! what it holds and may hold is its own.
use std::process::Command;

use fencepost::{
    Buffer, BufferHandle, CommandQueue, ComputePipelineState, CpuOptions, Device, Error, ErrorKind, Fault,
    Frames, HazardTrackingMode, HeapDescriptor, HeapKind, PixelFormat, Region, ResourceOptions, Stages,
    StorageMode, TextureDescriptor, Visibility,
};

use crate::common::{pipeline, refused, run, still_works};

/// Tells a test that it is the other process, and which.
const PART: &str = "FENCEPOST_LIMITS_PART";
/// Rounds of the leak check. The whole check has 100,000.
const ROUNDS: &str = "FENCEPOST_LEAK_ROUNDS";
const MANAGED: ResourceOptions =
    ResourceOptions { storage_mode: StorageMode::Managed, ..ResourceOptions::SHARED };

/// Runs a test of this file again in another process, with so much address space in KiB.
fn elsewhere(test: &str, address_space_kib: Option<u64>) {
    let own = std::env::current_exe().expect("it has a name");
    let mut command = match address_space_kib {
        None => Command::new(own),
        Some(most) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("ulimit -v {most} && exec \"$0\" \"$@\"")]).arg(own);
            shell
        }
    };
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(PART, "1");
    // Arenas of many threads would take most of the address space.
    let output = command.env("MALLOC_ARENA_MAX", "2").output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ran = text(&output.stdout).contains("1 passed");
    assert!(output.status.success() && ran, "{}\n{}", text(&output.stdout), text(&output.stderr));
}

fn is_elsewhere() -> bool {
    std::env::var_os(PART).is_some()
}

/// What the system says that this process holds.
#[derive(Debug)]
struct Held {
    resident_kib: u64,
    descriptors: usize,
    mappings: usize,
    threads: usize,
}

impl Held {
    fn now() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).expect("Linux has it");
        let status = read("/proc/self/status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is there");
        Self {
            resident_kib: resident.trim().trim_end_matches(" kB").parse().expect("a number"),
            descriptors: std::fs::read_dir("/proc/self/fd").expect("Linux has it").count(),
            mappings: read("/proc/self/maps").lines().count(),
            threads: std::fs::read_dir("/proc/self/task").expect("Linux has it").count(),
        }
    }

    /// What was held before, once threads that were told to end have done so.
    fn settled(most_threads: usize) -> Self {
        let begin = std::time::Instant::now();
        loop {
            let held = Self::now();
            if held.threads <= most_threads || begin.elapsed() > std::time::Duration::from_secs(60) {
                return held;
            }
            std::thread::yield_now();
        }
    }
}

#[test]
fn nothing_is_left_after_many_rounds() {
    if !is_elsewhere() {
        return elsewhere("limits::nothing_is_left_after_many_rounds", None);
    }
    let rounds = std::env::var(ROUNDS).ok().and_then(|text| text.parse().ok()).unwrap_or(600_u64);
    let rig = Rig::new();
    let some = |rig: &Rig, from: u64, to: u64| {
        (from..to).for_each(|number| rig.round(number).expect("every round is well"));
    };
    some(&rig, 0, rounds / 4 + 100);
    let before = Held::now();
    some(&rig, 0, rounds);
    let after = Held::settled(before.threads);
    println!("{rounds} rounds: {before:?}, then {after:?}");
    assert!(after.descriptors <= before.descriptors, "{before:?} {after:?}");
    // Stacks and arenas of threads come and go.
    assert!(after.mappings <= before.mappings + 16, "{before:?} {after:?}");
    assert!(after.resident_kib <= before.resident_kib + 3 * 1024, "{before:?} {after:?}");
}

/// A device that lives through all rounds.
struct Rig {
    device: Device,
    queue: CommandQueue,
    explicit: CommandQueue,
    add: ComputePipelineState,
}

impl Rig {
    fn new() -> Self {
        Self::on(Device::cpu_with(CpuOptions { threads: 2, ..CpuOptions::default() }))
    }

    fn on(device: Device) -> Self {
        let (queue, explicit) = (device.new_command_queue(), device.new_explicit_command_queue());
        Self { add: pipeline(&device, "add"), queue, explicit, device }
    }

    /// Everything is made, used and dropped; every tenth time with a device of its own.
    fn round(&self, number: u64) -> Result<(), Error> {
        if number % 10 == 9 {
            let device = Device::cpu_with(CpuOptions { threads: 1, ..CpuOptions::default() });
            return Self::on(device).round(0);
        }
        let shareable = self.device.new_shareable_buffer(8192, ResourceOptions::SHARED)?;
        let buffers = [self.device.new_buffer(8192, MANAGED)?, self.on_heap(number)?, shareable];
        self.images()?;
        for buffer in &buffers {
            self.work(buffer)?;
        }
        self.sharing(&buffers[2])?;
        self.events()?;
        self.frames()?;
        // Refused, and nothing is kept.
        refused(self.device.new_buffer(u64::MAX, ResourceOptions::SHARED), ErrorKind::InvalidArgument, &[]);
        refused(buffers[1].try_read_guard(9000..), ErrorKind::OutOfBounds, &[]);
        Ok(())
    }

    fn on_heap(&self, number: u64) -> Result<Buffer, Error> {
        let kind = if number.is_multiple_of(2) { HeapKind::Automatic } else { HeapKind::Placement };
        let heap = self.device.new_heap(&HeapDescriptor { size: 16_384, kind, ..Default::default() })?;
        if kind == HeapKind::Placement {
            return heap.new_buffer_at(8192, ResourceOptions::SHARED, 256);
        }
        let first = heap.new_buffer(16_384, ResourceOptions::SHARED)?;
        refused(heap.new_buffer(256, ResourceOptions::SHARED), ErrorKind::HeapExhausted, &[]);
        first.make_aliasable()?;
        heap.new_buffer(8192, ResourceOptions::SHARED)
    }

    /// A kernel, a copy, a guard; half of it is never committed.
    fn work(&self, buffer: &Buffer) -> Result<(), Error> {
        let fence = self.device.new_fence();
        for commits in [true, false] {
            let work = self.queue.command_buffer();
            let mut compute = work.compute_command_encoder()?;
            compute.set_compute_pipeline_state(&self.add)?;
            compute.set_buffer(1, buffer, 0)?;
            compute.set_bytes(2, &[1u32, 0])?;
            compute.dispatch_threadgroups([4, 1, 1])?;
            compute.update_fence(&fence)?;
            compute.end_encoding();
            if commits {
                work.commit()?;
            }
        }
        let work = self.device.new_command_buffer();
        work.begin(&self.device.new_command_allocator())?;
        let mut compute = work.compute_command_encoder()?;
        compute.barrier_after_queue_stages(Stages::BLIT, Stages::BLIT, Visibility::DEVICE);
        compute.fill_buffer(buffer, 4096.., 3)?;
        compute.end_encoding();
        work.end()?;
        let group = self.explicit.commit(&[&work])?;
        drop(buffer.read_guard(..)?);
        let guard = buffer.write_guard(..16)?;
        guard.write(0, &[1u32, 2])?;
        drop(guard);
        group.wait_until_completed()
    }

    fn images(&self) -> Result<(), Error> {
        let shape = TextureDescriptor::new_2d(PixelFormat::Rgba8Unorm, 32, 32).with_all_mips();
        let image = self.device.new_texture(&shape.with_options(MANAGED))?;
        image.replace_region(Region::new(0, 0, 32, 1), 0, 0, &[7; 128], 128)?;
        let work = self.queue.command_buffer();
        let mut blit = work.blit_command_encoder()?;
        blit.generate_mipmaps(&image)?;
        blit.synchronize(&image)?;
        blit.end_encoding();
        work.commit()?;
        let guard = image.read_guard(1..2, 0..1)?;
        guard.get_bytes(&mut [0; 4], 4, Region::new(0, 0, 1, 1), 1, 0)
    }

    fn sharing(&self, shareable: &Buffer) -> Result<(), Error> {
        let other = Device::cpu_with(CpuOptions { threads: 1, ..CpuOptions::default() });
        let seen = other.new_buffer_sharing(shareable, 256.., HazardTrackingMode::Untracked)?;
        let file = std::os::fd::OwnedFd::from(shareable.handle()?);
        let mapped = other.buffer_from_handle(BufferHandle::from(file), ResourceOptions::SHARED)?;
        mapped.write(256, &[9u32])?;
        assert_eq!(seen.read::<u32>(..4)?, [9]);
        refused(seen.new_remote_buffer_view(&self.device), ErrorKind::Unsupported, &[]);
        Ok(())
    }

    fn events(&self) -> Result<(), Error> {
        let event = self.device.new_shared_event();
        let work = self.queue.command_buffer();
        work.encode_wait_for_event(&event, 1)?;
        work.encode_signal_event(&event, 2)?;
        let (sender, ended) = std::sync::mpsc::channel();
        work.add_completed_handler(move |_| sender.send(()).unwrap_or_default())?;
        work.commit()?;
        event.set_signaled_value(1);
        ended.recv().expect("the handler runs");
        // What nobody can release any more fails, and is let go.
        let plain = self.device.new_event();
        let stuck = self.device.new_command_queue().command_buffer();
        stuck.encode_wait_for_event(&plain, 1)?;
        stuck.commit()?;
        drop(plain);
        refused(stuck.wait_until_completed(), ErrorKind::Abandoned, &[]);
        Ok(())
    }

    fn frames(&self) -> Result<(), Error> {
        let mut frames = Frames::<_, 2>::new(|_| self.device.new_buffer(256, ResourceOptions::SHARED))?;
        for _ in 0..3 {
            let frame = frames.begin()?;
            let work = self.queue.command_buffer();
            let mut blit = work.blit_command_encoder()?;
            blit.fill_buffer(&frame, .., 1)?;
            blit.end_encoding();
            frame.commit(&work)?;
        }
        // Dropped while frames are in flight.
        Ok(())
    }
}

/// Bytes of the whole address space of the process that has little, and of one piece of it.
const SPACE: u64 = 1 << 30;
const PIECE: u64 = 32 << 20;

#[test]
fn no_memory_is_told_and_survived() {
    if !is_elsewhere() {
        return elsewhere("limits::no_memory_is_told_and_survived", Some(SPACE >> 10));
    }
    let device = Device::cpu_with(CpuOptions { threads: 2, ..CpuOptions::default() });
    let queue = device.new_command_queue();
    still_works(&queue);
    let shared = ResourceOptions::SHARED;
    let full = |result: Result<(), Error>, words: &[&str]| {
        let error = refused(result, ErrorKind::OutOfMemory, words);
        assert_eq!(error.fault(), Fault::OutOfMemory, "{error}");
    };
    full(device.new_buffer(2 * SPACE, shared).map(drop), &["2147483648 bytes"]);
    full(device.new_heap(&HeapDescriptor { size: 2 * SPACE, ..Default::default() }).map(drop), &[]);
    full(device.new_shareable_buffer(2 * SPACE, shared).map(drop), &["new_shareable_buffer"]);
    let large = TextureDescriptor::new_2d(PixelFormat::Rgba32Float, 16_384, 16_384);
    full(device.new_texture(&large).map(drop), &[]);

    // Piece by piece until it is gone.
    let fill = |options| {
        let mut pieces = Vec::new();
        loop {
            match device.new_buffer(PIECE, options) {
                Ok(piece) => pieces.push(piece),
                Err(error) => {
                    full(Err(error), &["memory"]);
                    return pieces;
                }
            }
        }
    };
    let mut pieces = fill(shared);
    let count = pieces.len();
    assert!(count > 10, "{count} pieces");
    full(pieces[0].read::<u8>(..).map(drop), &["33554432 bytes"]);
    full(pieces[0].read_guard(..).and_then(|guard| guard.read::<u32>(..)).map(drop), &[]);
    full(pieces[0].contents().and_then(|all| all.read::<u64>(..)).map(drop), &[]);
    assert_eq!(pieces[0].read::<u8>(..16).expect("a little is there"), [0; 16]);
    // What is there works on.
    let work = queue.command_buffer();
    let mut blit = work.blit_command_encoder().expect("it is open");
    blit.fill_buffer(&pieces[0], .., 7).expect("inside");
    blit.copy_buffer(&pieces[0], 0, &pieces[1], 0, PIECE).expect("inside");
    blit.end_encoding();
    run(&work);
    assert_eq!(pieces[1].read::<u8>(PIECE - 4..).expect("a little is there"), [7; 4]);
    // Room for one copy of a managed buffer, and not for two: none is kept.
    pieces.pop();
    full(device.new_buffer(PIECE, MANAGED).map(drop), &[]);
    pieces.push(device.new_buffer(PIECE, shared).expect("as before"));

    // All comes back.
    drop(pieces);
    for _ in 0..3 {
        assert!(fill(shared).len() >= count - 1, "what was dropped can be had again");
    }
    assert!(fill(MANAGED).len() >= count / 2 - 1);
    still_works(&queue);
}
