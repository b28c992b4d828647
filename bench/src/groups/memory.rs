//! Bytes moved: copies between buffers and textures, what the CPU writes and reads, fills, and what publishing a part costs.
//!
//! The bar is the machine's own: `memcpy` of one thread and of all, over memory of the same size that was touched before, in turns
//! with ours. Copies of the device have all threads to themselves, so their bar is that of all threads; what the CPU writes and reads is
//! one thread's work.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use fencepost::{
    BlitCommandEncoder, Buffer, BufferLayout, CommandQueue, Device, Error, PixelFormat, Region,
    ResourceOptions, StorageMode, Texture, TextureDescriptor, TexturePlace,
};
use rayon::prelude::*;

/// Bytes that each row moves, unless `FENCEPOST_BENCH_MIB` says otherwise.
const MIB: u64 = 256;
/// Bytes of the managed buffer of which a hundredth is published.
const MANAGED_MIB: u64 = 1024;
/// Runs of each row: the least time counts.
const ROUNDS: usize = 7;

pub(crate) fn run() {
    let mib = std::env::var("FENCEPOST_BENCH_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(MIB);
    if let Err(error) = rows(mib << 20).and_then(|()| parts((mib * MANAGED_MIB / MIB) << 20)) {
        println!("{error}");
    }
}

/// One row: a name, and what is run again and again.
struct Row<'a> {
    name: &'static str,
    /// Index of the row that this one is held against.
    bar: usize,
    work: Box<dyn FnMut() -> Result<(), Error> + 'a>,
}

fn row<'a>(name: &'static str, bar: usize, work: impl FnMut() -> Result<(), Error> + 'a) -> Row<'a> {
    Row { name, bar, work: Box::new(work) }
}

/// What everybody copies between.
struct Scene {
    queue: CommandQueue,
    source: Buffer,
    target: Buffer,
    image: Texture,
    other: Texture,
    width: u32,
    height: u32,
}

impl Scene {
    fn new(bytes: u64) -> Result<Self, Error> {
        let device = Device::cpu();
        let width = 8192;
        let height = u32::try_from(bytes / (u64::from(width) * 4)).unwrap_or(1).clamp(1, 16_384);
        let shape = TextureDescriptor::new_2d(PixelFormat::Rgba8Unorm, width, height);
        Ok(Self {
            queue: device.new_command_queue(),
            source: device.new_buffer(bytes, ResourceOptions::SHARED)?,
            target: device.new_buffer(bytes, ResourceOptions::SHARED)?,
            image: device.new_texture(&shape)?,
            other: device.new_texture(&shape)?,
            width,
            height,
        })
    }

    /// Records, commits and waits.
    fn blit(&self, record: impl Fn(&mut BlitCommandEncoder) -> Result<(), Error>) -> Result<(), Error> {
        let work = self.queue.command_buffer();
        let mut blit = work.blit_command_encoder()?;
        record(&mut blit)?;
        blit.end_encoding();
        work.commit()?;
        work.wait_until_completed()
    }
}

/// Plain memory of the program.
struct Plain {
    from: RefCell<Vec<u8>>,
    to: RefCell<Vec<u8>>,
}

fn rows(bytes: u64) -> Result<(), Error> {
    let length = usize::try_from(bytes).unwrap_or(usize::MAX);
    let plain = Plain { from: RefCell::new(vec![1; length]), to: RefCell::new(vec![2; length]) };
    let scene = Scene::new(bytes)?;
    let mut rows = bars(&plain);
    rows.extend(by_device(&scene, bytes));
    rows.extend(by_cpu(&scene, &plain));
    let times = least(rows)?;
    println!("| {} MiB | GB/s | of its bar | the bar |", bytes >> 20);
    println!("|---|---|---|---|");
    for (name, bar, time) in &times {
        let rate = bytes as f64 / time.as_secs_f64() / 1e9;
        let (bar, _, least) = times[*bar];
        let part = 100.0 * least.as_secs_f64() / time.as_secs_f64();
        println!("| {name} | {rate:.2} | {part:.0} % | {bar} |");
    }
    Ok(())
}

/// Places of the bars among the rows.
const ONE: usize = 0;
const ALL: usize = 1;
const SET_ONE: usize = 2;
const SET_ALL: usize = 3;
const NEW: usize = 4;

fn bars(plain: &Plain) -> Vec<Row<'_>> {
    let pieces = plain.from.borrow().len().div_ceil(rayon::current_num_threads()).max(1);
    vec![
        row("memcpy, one thread", ONE, || {
            plain.to.borrow_mut().copy_from_slice(&plain.from.borrow());
            Ok(())
        }),
        row("memcpy, all threads (rayon)", ALL, move || {
            let (mut to, from) = (plain.to.borrow_mut(), plain.from.borrow());
            let pairs = to.par_chunks_mut(pieces).zip(from.par_chunks(pieces));
            pairs.for_each(|(to, from)| to.copy_from_slice(from));
            Ok(())
        }),
        row("memset, one thread", SET_ONE, || {
            plain.to.borrow_mut().fill(3);
            Ok(())
        }),
        row("memset, all threads (rayon)", SET_ALL, move || {
            plain.to.borrow_mut().par_chunks_mut(pieces).for_each(|to| to.fill(3));
            Ok(())
        }),
        row("memcpy into a new vector, one thread", NEW, || {
            std::hint::black_box(plain.from.borrow().to_vec());
            Ok(())
        }),
    ]
}

fn by_device(s: &Scene, bytes: u64) -> Vec<Row<'_>> {
    let size = [s.width, s.height];
    let (linear, place) = (BufferLayout::rows(u64::from(s.width) * 4), TexturePlace::default());
    vec![
        row("buffer to buffer", ALL, move || {
            s.blit(|blit| blit.copy_buffer(&s.source, 0, &s.target, 0, bytes))
        }),
        row("buffer to buffer, 3 bytes apart", ALL, move || {
            s.blit(|blit| blit.copy_buffer(&s.source, 0, &s.target, 3, bytes - 3))
        }),
        row("buffer to texture", ALL, move || {
            s.blit(|blit| blit.copy_buffer_to_texture(&s.source, linear, &s.image, place, size))
        }),
        row("texture to buffer", ALL, move || {
            s.blit(|blit| blit.copy_texture_to_buffer(&s.image, place, size, &s.target, linear))
        }),
        row("texture to texture", ALL, || s.blit(|blit| blit.copy_texture(&s.image, &s.other))),
        row("fill", SET_ALL, || s.blit(|blit| blit.fill_buffer(&s.target, .., 5))),
    ]
}

fn by_cpu<'a>(s: &'a Scene, plain: &'a Plain) -> Vec<Row<'a>> {
    let (pitch, all) = (u64::from(s.width) * 4, Region::new(0, 0, s.width, s.height));
    vec![
        row("write by the CPU", ONE, || s.source.write(0, &plain.from.borrow())),
        row("read by the CPU, into a slice", ONE, || s.target.read_into(0, &mut plain.to.borrow_mut())),
        row("read by the CPU, a new vector", NEW, || {
            std::hint::black_box(s.target.read::<u8>(..)?);
            Ok(())
        }),
        row("replace_region by the CPU", ONE, move || {
            s.image.replace_region(all, 0, 0, &plain.from.borrow(), pitch)
        }),
        row("get_bytes by the CPU", ONE, move || {
            s.image.get_bytes(&mut plain.to.borrow_mut(), pitch, all, 0, 0)
        }),
    ]
}

/// Every row once and again, in turns, so that a busy moment hits all of them: name, bar and least time.
fn least(mut rows: Vec<Row<'_>>) -> Result<Vec<(&'static str, usize, Duration)>, Error> {
    let mut times = vec![Duration::MAX; rows.len()];
    // The first round touches all memory.
    for round in 0..=ROUNDS {
        for (row, time) in rows.iter_mut().zip(&mut times) {
            let start = Instant::now();
            (row.work)()?;
            if round > 0 {
                *time = start.elapsed().min(*time);
            }
        }
    }
    Ok(rows.iter().zip(times).map(|(row, time)| (row.name, row.bar, time)).collect())
}

/// A managed buffer: what publishing all of it and a hundredth of it takes, until the commit that brings it over has ended.
fn parts(bytes: u64) -> Result<(), Error> {
    let device = Device::cpu();
    let queue = device.new_command_queue();
    let options = ResourceOptions { storage_mode: StorageMode::Managed, ..ResourceOptions::SHARED };
    let managed = device.new_buffer(bytes, options)?;
    let out = device.new_buffer(4, ResourceOptions::SHARED)?;
    let publish = |count: u64, length: u64| {
        for part in 0..count {
            let start = part * (bytes / count);
            managed.did_modify_range(start..start + length)?;
        }
        let work = queue.command_buffer();
        let mut blit = work.blit_command_encoder()?;
        blit.copy_buffer(&managed, 0, &out, 0, 4)?;
        blit.end_encoding();
        work.commit()?;
        work.wait_until_completed()
    };
    let hundredth = bytes / 100;
    let all = vec![7u8; usize::try_from(bytes).unwrap_or(usize::MAX)];
    managed.write(0, &all)?;
    drop(all);
    let times = least(vec![
        row("all of it", 0, || publish(1, bytes)),
        row("a hundredth in one piece", 0, || publish(1, hundredth)),
        row("a hundredth in 100 pieces", 0, || publish(100, hundredth / 100)),
        row("a hundredth in 10,000 pieces", 0, || publish(10_000, hundredth / 10_000)),
        row("nothing", 0, || publish(0, 0)),
    ])?;
    println!("\n| `did_modify_range` of {} MiB, and the commit | ms | of all of it |", bytes >> 20);
    println!("|---|---|---|");
    for (name, _, time) in &times {
        let part = 100.0 * time.as_secs_f64() / times[0].2.as_secs_f64();
        println!("| {name} | {:.3} | {part:.2} % |", time.as_secs_f64() * 1e3);
    }
    Ok(())
}
