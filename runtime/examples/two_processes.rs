//! A pipeline of two processes: one filters frames on its device, the other encodes them to PNG, three frames in flight, with nothing
//! between them but shared events and shared buffers.
//!
//! ```sh
//! cargo run --example two_processes                                 # both, then rounds in which one of them is killed
//! cargo run --example two_processes -- produce name 100             # in one terminal,
//! cargo run --example two_processes -- consume name 100 some/folder # in another, before or after
//! ```
//!
//! `written` says how many frames the producer's device has written, `delivered` how many the consumer has on disk. Picture *n* lies in
//! buffer *n* mod 3, so frame *n* waits until frame *n* − 3 is delivered. Each side watches the socket over which the handles went: it
//! hangs up when the other process dies, and a wait that would never end ends.
#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("buffers and events of several processes need Linux");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::error::Error;
    use std::fs::{self, File};
    use std::io::{self, BufWriter};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command};
    use std::time::{Duration, Instant};

    use fencepost::{
        Buffer, BufferHandle, Device, PeerWatch, ResourceOptions, SharedEvent, SharedEventHandle,
    };

    const SIDE: u32 = 64;
    const IN_FLIGHT: u64 = 3;
    const UNTRACKED: ResourceOptions = ResourceOptions::SHARED.untracked();

    const FILTER: &str = "
        @group(0) @binding(0) var<storage> source: array<u32>;
        @group(0) @binding(1) var<storage, read_write> picture: array<u32>;
        @group(0) @binding(2) var<uniform> frame: u32;
        const side = 64u;
        @compute @workgroup_size(8, 8)
        fn filter_frame(@builtin(global_invocation_id) id: vec3u) {
            var sum = vec3u();
            for (var i = 0u; i < 9u; i++) {
                let x = (id.x + i % 3u + frame) % side;
                let y = (id.y + i / 3u) % side;
                let texel = source[y * side + x];
                sum += vec3u(texel & 255u, (texel >> 8u) & 255u, (texel >> 16u) & 255u);
            }
            let mean = sum / 9u;
            picture[id.y * side + id.x] = mean.x | (mean.y << 8u) | (mean.z << 16u) | 0xff000000u;
        }";

    pub(crate) fn main() -> Result<(), Box<dyn Error>> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let end = match words[..] {
            ["produce", name, frames] => produce(&connect(name)?, frames.parse()?)?,
            ["consume", name, frames, folder] => {
                consume(&connect(name)?, frames.parse()?, Path::new(folder))?
            }
            [] => return both(),
            _ => return Err("usage: two_processes [produce NAME FRAMES | consume NAME FRAMES FOLDER]".into()),
        };
        println!("{end:?}");
        Ok(())
    }

    /// How a side's work ended.
    #[derive(Debug, PartialEq)]
    enum End {
        /// Every frame is on disk.
        Complete,
        /// The other process has gone; so many frames are on disk.
        Alone { delivered: u64 },
    }

    /// What the two sides share.
    struct Pipeline {
        written: SharedEvent,
        delivered: SharedEvent,
        pictures: Vec<Buffer>,
        peer: PeerWatch,
    }

    impl Pipeline {
        /// Makes everything and gives it to the other side.
        fn give(device: &Device, socket: &UnixStream) -> Result<Self, fencepost::Error> {
            let (written, delivered) = (device.new_shared_event(), device.new_shared_event());
            written.set_label("written");
            delivered.set_label("delivered");
            let peer = watch(socket)?;
            let mut pictures = Vec::new();
            for _ in 0..IN_FLIGHT {
                let picture = device.new_shareable_buffer(u64::from(SIDE * SIDE * 4), UNTRACKED)?;
                picture.handle()?.send(socket)?;
                pictures.push(picture);
            }
            written.handle()?.send(socket)?;
            delivered.handle()?.send(socket)?;
            Ok(Self { written, delivered, pictures, peer })
        }

        fn receive(device: &Device, socket: &UnixStream) -> Result<Self, fencepost::Error> {
            let peer = watch(socket)?;
            let mut pictures = Vec::new();
            for _ in 0..IN_FLIGHT {
                pictures.push(device.buffer_from_handle(BufferHandle::receive(socket)?, UNTRACKED)?);
            }
            let event = || device.shared_event_from_handle(SharedEventHandle::receive(socket)?);
            Ok(Self { written: event()?, delivered: event()?, pictures, peer })
        }

        fn picture(&self, frame: u64) -> &Buffer {
            &self.pictures[(frame % IN_FLIGHT) as usize]
        }

        /// Waits for a value as long as the other side lives.
        fn wait(&self, event: &SharedEvent, value: u64) -> bool {
            loop {
                // Looked at first: what was raised before the death counts.
                let gone = self.peer.has_gone();
                if event.wait_until_signaled_value(value, Duration::from_millis(if gone { 0 } else { 20 })) {
                    return true;
                }
                if gone {
                    return false;
                }
            }
        }

        fn alone(&self) -> End {
            End::Alone { delivered: self.delivered.signaled_value() }
        }
    }

    fn watch(socket: &UnixStream) -> Result<PeerWatch, fencepost::Error> {
        Ok(PeerWatch::socket(socket)?)
    }

    /// Filters frames into the shared pictures.
    fn produce(socket: &UnixStream, frames: u64) -> Result<End, fencepost::Error> {
        let device = Device::cpu();
        let pipeline = match Pipeline::give(&device, socket) {
            Err(_) if watch(socket)?.has_gone() => return Ok(End::Alone { delivered: 0 }),
            pipeline => pipeline?,
        };
        let library = device.new_library_with_wgsl(FILTER)?;
        let filter = device.new_compute_pipeline_state(&library.new_function("filter_frame")?)?;
        let noise: Vec<u32> = (0..SIDE * SIDE).map(|texel| texel.wrapping_mul(0x9e37_79b9)).collect();
        let source = device.new_buffer_with_data(&noise, UNTRACKED)?;
        let queue = device.new_command_queue();
        for frame in 1..=frames {
            if !pipeline.wait(&pipeline.delivered, frame.saturating_sub(IN_FLIGHT)) {
                return Ok(pipeline.alone());
            }
            let work = queue.command_buffer();
            let mut encoder = work.compute_command_encoder()?;
            encoder.set_compute_pipeline_state(&filter)?;
            encoder.set_buffer(0, &source, 0)?;
            encoder.set_buffer(1, pipeline.picture(frame), 0)?;
            encoder.set_bytes(2, &[frame as u32])?;
            encoder.dispatch_threads([SIDE, SIDE, 1])?;
            encoder.end_encoding();
            work.encode_signal_event(&pipeline.written, frame)?;
            work.commit()?;
        }
        let complete = pipeline.wait(&pipeline.delivered, frames);
        Ok(if complete { End::Complete } else { pipeline.alone() })
    }

    /// Encodes what the producer has written. A frame counts as delivered when its file is whole and has its name.
    fn consume(socket: &UnixStream, frames: u64, folder: &Path) -> Result<End, Box<dyn Error>> {
        let device = Device::cpu();
        let pipeline = match Pipeline::receive(&device, socket) {
            Err(_) if watch(socket)?.has_gone() => return Ok(End::Alone { delivered: 0 }),
            pipeline => pipeline?,
        };
        let queue = device.new_command_queue();
        let picture = device.new_buffer(u64::from(SIDE * SIDE * 4), ResourceOptions::SHARED)?;
        for frame in 1..=frames {
            // The queue waits for the other process, as it would for another queue.
            let work = queue.command_buffer();
            work.encode_wait_for_event(&pipeline.written, frame)?;
            let mut encoder = work.blit_command_encoder()?;
            encoder.copy_buffer(pipeline.picture(frame), 0, &picture, 0, picture.length())?;
            encoder.end_encoding();
            work.commit()?;
            if !pipeline.wait(&pipeline.written, frame) {
                // Nobody is left to raise it. Work that waits keeps all that it uses, so let its wait run out: it ends with an error.
                device.set_event_timeout(Some(Duration::ZERO));
                let error = work.wait_until_completed().err().map(|error| error.kind());
                assert_eq!(error, Some(fencepost::ErrorKind::Timeout));
                return Ok(pipeline.alone());
            }
            work.wait_until_completed()?;
            let unfinished = folder.join("unfinished");
            encode(&unfinished, &picture.read(..)?)?;
            fs::rename(&unfinished, file(folder, frame))?;
            pipeline.delivered.set_signaled_value(frame);
        }
        Ok(End::Complete)
    }

    fn file(folder: &Path, frame: u64) -> PathBuf {
        folder.join(format!("frame-{frame:04}.png"))
    }

    fn encode(path: &Path, picture: &[u8]) -> Result<(), Box<dyn Error>> {
        let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), SIDE, SIDE);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(picture)?;
        Ok(writer.finish()?)
    }

    /// A connection with whoever calls the same name, first or second. The name is the system's to forget, also after a kill.
    fn connect(name: &str) -> io::Result<UnixStream> {
        let address = SocketAddr::from_abstract_name(format!("fencepost two_processes {name}"))?;
        loop {
            match UnixStream::connect_addr(&address) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                connected => return connected,
            }
            match UnixListener::bind_addr(&address) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                listener => return Ok(listener?.accept()?.0),
            }
        }
    }

    /// Both sides at work; then rounds in which the other one is killed at some moment, and this one must end well and hold nothing.
    fn both() -> Result<(), Box<dyn Error>> {
        let folder = std::env::temp_dir().join(format!("fencepost-two-processes-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let done = rounds(&folder);
        fs::remove_dir_all(&folder)?;
        done
    }

    fn rounds(folder: &Path) -> Result<(), Box<dyn Error>> {
        for we_produce in [true, false] {
            let frames = 24;
            assert_eq!(round(folder, we_produce, frames, None)?, End::Complete);
            assert_eq!(whole_files(folder, u64::MAX)?, frames);
        }
        println!("24 frames, {IN_FLIGHT} in flight, as producer and as consumer: all delivered");
        let rounds: u64 = std::env::var("FENCEPOST_ROUNDS").map_or(Ok(10), |text| text.parse())?;
        let (mut before, mut random, mut frames_seen) = (None, 0x2545_f491_4f6c_dd1d_u64, 0);
        for number in 0..rounds {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let moment = Duration::from_micros((random >> 33) % 30_000);
            match round(folder, number % 2 == 0, u64::MAX, Some(moment))? {
                End::Alone { delivered } => {
                    // What counts as delivered is there and whole. One more may be: its file came, the signal did not.
                    let files = whole_files(folder, delivered)?;
                    assert!(
                        files == delivered || files == delivered + 1,
                        "{files} files, {delivered} counted"
                    );
                    frames_seen += delivered;
                }
                End::Complete => return Err("nobody delivers that many frames".into()),
            }
            // The first rounds make what stays, such as threads of the library that linger.
            if number == 1 {
                before = Some(Held::settled(None)?);
            }
        }
        if let Some(before) = before {
            assert_eq!(Held::settled(Some(&before))?, before, "held before and after {rounds} rounds");
        }
        println!(
            "{rounds} rounds with a kill: {frames_seen} frames counted as delivered, all of them whole; nothing left"
        );
        Ok(())
    }

    /// This process is one side and a child is the other, which is killed `after` its start.
    fn round(
        folder: &Path,
        we_produce: bool,
        frames: u64,
        kill_after: Option<Duration>,
    ) -> Result<End, Box<dyn Error>> {
        for entry in fs::read_dir(folder)? {
            fs::remove_file(entry?.path())?;
        }
        let name = format!("{} {:?}", std::process::id(), Instant::now());
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(if we_produce { "consume" } else { "produce" }).arg(&name).arg(frames.to_string());
        if we_produce {
            command.arg(folder);
        }
        let mut child = command.stdout(std::process::Stdio::null()).spawn()?;
        let socket = meet(&name, &mut child)?;
        let killer = kill_after.map(|after| {
            std::thread::spawn(move || {
                std::thread::sleep(after);
                child.kill().and_then(|()| child.wait())
            })
        });
        let end = if we_produce { produce(&socket, frames)? } else { consume(&socket, frames, folder)? };
        if let Some(killer) = killer {
            killer.join().map_err(|_| "the killer panicked")??;
        }
        Ok(end)
    }

    /// Who comes first listens; a child that could not start is an error.
    fn meet(name: &str, child: &mut Child) -> Result<UnixStream, Box<dyn Error>> {
        let socket = connect(name)?;
        match child.try_wait()? {
            Some(status) if !status.success() => Err(format!("the other process ended with {status}").into()),
            _ => Ok(socket),
        }
    }

    /// How many frames from the first on have a whole file, of which the first `counted` must.
    fn whole_files(folder: &Path, counted: u64) -> Result<u64, Box<dyn Error>> {
        let mut whole = 0;
        while let Ok(file) = File::open(file(folder, whole + 1)) {
            let mut reader = png::Decoder::new(io::BufReader::new(file)).read_info()?;
            let mut picture = vec![0; (SIDE * SIDE * 4) as usize];
            reader.next_frame(&mut picture)?;
            whole += 1;
        }
        if counted != u64::MAX && whole < counted {
            return Err(format!("{counted} frames are delivered and only {whole} files are there").into());
        }
        Ok(whole)
    }

    /// What the system says that this process holds.
    #[derive(Debug, PartialEq)]
    struct Held {
        descriptors: usize,
        shared_mappings: usize,
        shared_kib: u64,
    }

    impl Held {
        fn now() -> io::Result<Self> {
            let status = fs::read_to_string("/proc/self/status")?;
            let shared = status.lines().find_map(|line| line.strip_prefix("RssShmem:")).unwrap_or("0 kB");
            Ok(Self {
                descriptors: fs::read_dir("/proc/self/fd")?.count(),
                shared_mappings: fs::read_to_string("/proc/self/maps")?.matches("memfd:fencepost").count(),
                shared_kib: shared.trim().trim_end_matches(" kB").parse().unwrap_or(0),
            })
        }

        /// Threads that were told to end take a moment: looks until it is as expected, or for the least that is held within a while.
        fn settled(expected: Option<&Self>) -> io::Result<Self> {
            let deadline = Instant::now() + Duration::from_secs(if expected.is_some() { 20 } else { 1 });
            loop {
                let now = Self::now()?;
                if expected.is_some_and(|expected| *expected == now) || Instant::now() >= deadline {
                    return Ok(now);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
