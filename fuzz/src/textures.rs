//! Regions of textures against a plain model: what the CPU and copies put where, with levels, slices, odd sizes, any pitch and views.
//!
//! The model keeps each image as rows of bytes without gaps, twice where the texture is managed, and knows by itself which calls make
//! sense. So it judges texels and refusals: a call that the model takes must leave what the model has, and one that it refuses must be
//! refused and leave everything as it was.
use std::sync::OnceLock;

use fencepost::{
    BlitCommandEncoder, Buffer, BufferLayout, CommandQueue, Device, Error, ErrorKind, PixelFormat, Region,
    ResourceOptions, Texture, TextureDescriptor, TextureKind, TexturePlace,
};

use crate::Choices;

/// Bytes as the choices of a texture and of what is done with its regions. Says what there was.
///
/// # Panics
/// The library and the model differ.
pub fn regions(bytes: &[u8]) -> &'static str {
    static DEVICE: OnceLock<(Device, CommandQueue)> = OnceLock::new();
    let (device, queue) = DEVICE.get_or_init(|| {
        let device = Device::cpu();
        let queue = device.new_command_queue();
        (device, queue)
    });
    let mut choices = Choices::replay(bytes.iter().map(|byte| u32::from(*byte)).collect());
    let mut test = Test::new(device, queue, &mut choices);
    let mut refused = 0;
    for _ in 0..1 + choices.below(24) {
        refused += u32::from(!test.step(&mut choices));
    }
    test.compare_all();
    match (test.model.is_managed, refused > 0) {
        (false, false) => "one copy",
        (false, true) => "one copy, something refused",
        (true, false) => "managed",
        (true, true) => "managed, something refused",
    }
}

/// What the texture should hold.
struct Model {
    format: PixelFormat,
    size: [u32; 2],
    mips: u32,
    slices: u32,
    is_managed: bool,
    /// Images by slice and level: the GPU's.
    gpu: Vec<Vec<u8>>,
    /// The CPU's; unused where there is one copy.
    cpu: Vec<Vec<u8>>,
    /// Of the CPU's, which bytes the next commit brings over.
    published: Vec<Vec<bool>>,
}

/// A part of an image, asked for in the numbers of a view.
#[derive(Clone, Copy, Debug)]
struct Asked {
    region: Region,
    level: u32,
    slice: u32,
}

struct Test<'a> {
    device: &'a Device,
    queue: &'a CommandQueue,
    texture: Texture,
    /// A view, and the first level and slice that it shows.
    view: (Texture, u32, u32),
    buffer: Buffer,
    bytes: Vec<u8>,
    model: Model,
    next: u8,
}

impl Model {
    fn new(choices: &mut Choices) -> Self {
        let format = choices.pick(&PixelFormat::EACH);
        let size = [1 + choices.below(21), 1 + choices.below(21)];
        let mips = 1 + choices.below(size[0].max(size[1]).ilog2() + 1);
        let slices = 1 + choices.below(4);
        let mut model = Self {
            format,
            size,
            mips,
            slices,
            is_managed: choices.one_in(2),
            gpu: Vec::new(),
            cpu: Vec::new(),
            published: Vec::new(),
        };
        for _slice in 0..slices {
            for level in 0..mips {
                let [width, height] = model.level_size(level);
                model.gpu.push(vec![0; (width * height * model.texel()) as usize]);
            }
        }
        model.cpu = model.gpu.clone();
        model.published = model.gpu.iter().map(|image| vec![false; image.len()]).collect();
        model
    }

    fn texel(&self) -> u32 {
        self.format.bytes_per_texel()
    }

    fn level_size(&self, level: u32) -> [u32; 2] {
        self.size.map(|side| side.checked_shr(level).unwrap_or(0).max(1))
    }

    fn image(&self, level: u32, slice: u32) -> usize {
        (slice * self.mips + level) as usize
    }

    fn is_inside(&self, asked: Asked) -> bool {
        let [width, height] = self.level_size(asked.level);
        let Region { origin: [x, y], size: [columns, rows] } = asked.region;
        asked.level < self.mips
            && asked.slice < self.slices
            && columns > 0
            && rows > 0
            && x + columns <= width
            && y + rows <= height
    }

    /// Bytes that rows with this pitch take; `None` where they are no rows.
    fn linear(&self, region: Region, pitch: u32) -> Option<usize> {
        let row = region.size[0] * self.texel();
        let fits = pitch.is_multiple_of(self.texel()) && (pitch >= row || region.size[1] == 1);
        fits.then(|| (pitch * (region.size[1] - 1) + row) as usize)
    }

    /// For each row of a region: where it starts among rows with this pitch, and its bytes of the image.
    fn rows(&self, asked: Asked, pitch: u32) -> Vec<(usize, std::ops::Range<usize>)> {
        let Region { origin: [x, y], size: [columns, rows] } = asked.region;
        let (texel, width) = (self.texel(), self.level_size(asked.level)[0]);
        let row = |number: u32| {
            let start = (((y + number) * width + x) * texel) as usize;
            ((number * pitch) as usize, start..start + (columns * texel) as usize)
        };
        (0..rows).map(row).collect()
    }

    /// A commit brings over what was published.
    fn commit(&mut self) {
        for (image, published) in self.published.iter_mut().enumerate() {
            for (byte, published) in published.iter_mut().enumerate().filter(|(_, published)| **published) {
                self.gpu[image][byte] = self.cpu[image][byte];
                *published = false;
            }
        }
    }
}

impl<'a> Test<'a> {
    fn new(device: &'a Device, queue: &'a CommandQueue, choices: &mut Choices) -> Self {
        let model = Model::new(choices);
        let [width, height] = model.size;
        let options = if model.is_managed { ResourceOptions::MANAGED } else { ResourceOptions::SHARED };
        let descriptor = TextureDescriptor::new_2d_array(model.format, width, height, model.slices)
            .with_mips(model.mips)
            .with_options(options);
        let texture = device.new_texture(&descriptor).expect("there is memory");
        let (level, slice) = (choices.below(model.mips), choices.below(model.slices));
        let view = texture
            .new_texture_view_of(model.format, TextureKind::D2Array, level..model.mips, slice..model.slices)
            .expect("it is there");
        let buffer = device.new_buffer(BUFFER as u64, ResourceOptions::SHARED).expect("there is memory");
        Self {
            device,
            queue,
            texture,
            view: (view, level, slice),
            buffer,
            bytes: vec![0; BUFFER],
            model,
            next: 1,
        }
    }

    /// One call. False: it was refused, as it should be.
    fn step(&mut self, choices: &mut Choices) -> bool {
        let through_view = choices.one_in(3);
        let asked = self.asked(choices);
        let pitch = self.pitch(choices, asked.region);
        let (texture, inside) = if through_view {
            let (view, level, slice) = &self.view;
            let inside = Asked { level: asked.level + level, slice: asked.slice + slice, ..asked };
            (view.clone(), inside)
        } else {
            (self.texture.clone(), asked)
        };
        match choices.below(6) {
            0 => self.replace(&texture, asked, inside, pitch, choices),
            1 => self.get(&texture, asked, inside, pitch, choices),
            2 | 3 => self.copy_rows(&texture, asked, inside, pitch, choices),
            4 => self.copy_region(&texture, asked, inside, choices),
            _ => self.synchronize(&texture, asked, inside),
        }
    }

    fn asked(&self, choices: &mut Choices) -> Asked {
        let beyond_mips = u32::from(choices.one_in(16));
        let level = choices.below(self.model.mips + beyond_mips);
        let [width, height] = self.model.level_size(level);
        let beyond = u32::from(choices.one_in(16));
        let (x, y) = (choices.below(width), choices.below(height));
        let size = [choices.below(width - x + beyond) + 1, choices.below(height - y + beyond) + 1];
        let beyond_slices = u32::from(choices.one_in(16));
        let slice = choices.below(self.model.slices + beyond_slices);
        let size = if choices.one_in(32) { [0, size[1]] } else { size };
        Asked { region: Region { origin: [x, y], size }, level, slice }
    }

    fn pitch(&self, choices: &mut Choices, region: Region) -> u32 {
        let row = region.size[0] * self.model.texel();
        let wider = row + choices.below(4) * self.model.texel();
        if choices.one_in(12) { wider + choices.pick(&[1, 0]) - choices.below(row + 1) } else { wider }
    }

    /// Bytes that were never there before.
    fn fresh(&mut self, length: usize) -> Vec<u8> {
        let bytes = (0..length).map(|byte| self.next.wrapping_mul(31).wrapping_add(byte as u8));
        let bytes = bytes.collect();
        self.next = self.next.wrapping_add(1);
        bytes
    }

    fn replace(
        &mut self,
        texture: &Texture,
        asked: Asked,
        inside: Asked,
        pitch: u32,
        choices: &mut Choices,
    ) -> bool {
        let needed = self.model.is_inside(inside).then(|| self.model.linear(asked.region, pitch)).flatten();
        let short = usize::from(choices.one_in(16));
        let bytes = self.fresh((needed.unwrap_or(64) + choices.below(3) as usize).saturating_sub(short * 4));
        let ok = needed.is_some_and(|needed| bytes.len() >= needed);
        let done = texture.replace_region(asked.region, asked.level, asked.slice, &bytes, u64::from(pitch));
        if !agree(done, ok, || format!("replace {asked:?} pitch {pitch}")) {
            return false;
        }
        let image = self.model.image(inside.level, inside.slice);
        for (from, to) in self.model.rows(inside, pitch) {
            let row = &bytes[from..from + to.len()];
            if self.model.is_managed {
                self.model.cpu[image][to.clone()].copy_from_slice(row);
                self.model.published[image][to].fill(true);
            } else {
                self.model.gpu[image][to].copy_from_slice(row);
            }
        }
        true
    }

    fn get(
        &mut self,
        texture: &Texture,
        asked: Asked,
        inside: Asked,
        pitch: u32,
        choices: &mut Choices,
    ) -> bool {
        let needed = self.model.is_inside(inside).then(|| self.model.linear(asked.region, pitch)).flatten();
        let room = needed.unwrap_or(64) + choices.below(3) as usize;
        let mut bytes = vec![0xee; room - usize::from(choices.one_in(16)).min(room)];
        let ok = needed.is_some_and(|needed| bytes.len() >= needed);
        let mut expected = bytes.clone();
        let done = texture.get_bytes(&mut bytes, u64::from(pitch), asked.region, asked.level, asked.slice);
        let ok = agree(done, ok, || format!("get {asked:?} pitch {pitch}"));
        if ok {
            let image = self.model.image(inside.level, inside.slice);
            let images = if self.model.is_managed { &self.model.cpu } else { &self.model.gpu };
            for (to, from) in self.model.rows(inside, pitch) {
                expected[to..to + from.len()].copy_from_slice(&images[image][from]);
            }
        }
        assert_eq!(bytes, expected, "get {asked:?} pitch {pitch} of {:?}", self.texture);
        ok
    }

    /// From the buffer or to it.
    fn copy_rows(
        &mut self,
        texture: &Texture,
        asked: Asked,
        inside: Asked,
        pitch: u32,
        choices: &mut Choices,
    ) -> bool {
        let to_texture = choices.one_in(2);
        let offset = choices.below(64) * if choices.one_in(12) { 1 } else { self.model.texel() };
        let needed = self.model.is_inside(inside).then(|| self.model.linear(asked.region, pitch)).flatten();
        let fits = |needed: usize| offset as usize + needed <= BUFFER;
        let ok = needed.is_some_and(fits) && offset.is_multiple_of(self.model.texel());
        let layout = BufferLayout { offset: u64::from(offset), bytes_per_row: u64::from(pitch) };
        let place = TexturePlace { level: asked.level, slice: asked.slice, origin: asked.region.origin };
        let (size, buffer) = (asked.region.size, self.buffer.clone());
        if to_texture {
            self.bytes = self.fresh(BUFFER);
            buffer.write(0, &self.bytes).expect("nothing is in flight");
        }
        let done = self.run(|blit| {
            if to_texture {
                blit.copy_buffer_to_texture(&buffer, layout, texture, place, size)
            } else {
                blit.copy_texture_to_buffer(texture, place, size, &buffer, layout)
            }
        });
        let ok = agree(done, ok, || format!("copy {asked:?} {layout:?} to texture: {to_texture}"));
        if ok {
            // What was published comes first: the commit brings it.
            self.model.commit();
            let image = self.model.image(inside.level, inside.slice);
            for (row, part) in self.model.rows(inside, pitch) {
                let row = offset as usize + row;
                let row = row..row + part.len();
                if to_texture {
                    self.model.gpu[image][part].copy_from_slice(&self.bytes[row]);
                } else {
                    self.bytes[row].copy_from_slice(&self.model.gpu[image][part]);
                }
            }
        }
        assert_eq!(self.buffer.read::<u8>(..).expect("it has completed"), self.bytes, "{asked:?} {layout:?}");
        ok
    }

    /// Within the texture.
    fn copy_region(&mut self, texture: &Texture, asked: Asked, inside: Asked, choices: &mut Choices) -> bool {
        let other = self.asked(choices);
        let to = Asked { region: Region { size: asked.region.size, ..other.region }, ..other };
        let apart = |axis: usize| {
            let end = |asked: Asked| asked.region.origin[axis] + asked.region.size[axis];
            end(inside) <= to.region.origin[axis] || end(to) <= inside.region.origin[axis]
        };
        let same = (inside.level, inside.slice) == (to.level, to.slice);
        let overlap = same && !apart(0) && !apart(1);
        let ok = self.model.is_inside(inside) && self.model.is_inside(to) && !overlap;
        let place = |asked: Asked| TexturePlace {
            level: asked.level,
            slice: asked.slice,
            origin: asked.region.origin,
        };
        let target = self.texture.clone();
        let done = self.run(|blit| {
            blit.copy_texture_region(texture, place(asked), asked.region.size, &target, place(to))
        });
        if !agree(done, ok, || format!("copy {asked:?} to {to:?}")) {
            return false;
        }
        self.model.commit();
        let (from, into) =
            (self.model.image(inside.level, inside.slice), self.model.image(to.level, to.slice));
        let pairs = self.model.rows(inside, 0).into_iter().zip(self.model.rows(to, 0));
        let rows: Vec<_> =
            pairs.map(|((_, source), (_, to))| (self.model.gpu[from][source].to_vec(), to)).collect();
        for (row, to) in rows {
            self.model.gpu[into][to].copy_from_slice(&row);
        }
        true
    }

    /// One image comes back to the CPU.
    fn synchronize(&mut self, texture: &Texture, asked: Asked, inside: Asked) -> bool {
        let there = inside.level < self.model.mips && inside.slice < self.model.slices;
        let ok = there && self.model.is_managed;
        let done = self.run(|blit| blit.synchronize_texture(texture, asked.slice, asked.level));
        if !agree(done, ok, || format!("synchronize {asked:?}")) {
            return false;
        }
        self.model.commit();
        let image = self.model.image(inside.level, inside.slice);
        self.model.cpu[image] = self.model.gpu[image].clone();
        true
    }

    /// Records with a pass of its own; committed and waited for where the call was taken.
    fn run(&self, record: impl FnOnce(&mut BlitCommandEncoder) -> Result<(), Error>) -> Result<(), Error> {
        let work = self.queue.command_buffer();
        let mut blit = work.blit_command_encoder()?;
        record(&mut blit)?;
        blit.end_encoding();
        work.commit()?;
        work.wait_until_completed()
    }

    /// Both copies of every image.
    fn compare_all(&mut self) {
        let model = &mut self.model;
        let texel = model.texel();
        let mut gpu = Vec::new();
        let largest = u64::from(model.size[0] * model.size[1] * texel);
        let rows = self.device.new_buffer(largest, ResourceOptions::SHARED).expect("there is memory");
        if model.is_managed {
            model.commit();
        }
        for slice in 0..model.slices {
            for level in 0..model.mips {
                let [width, height] = model.level_size(level);
                let mut bytes = vec![0; (width * height * texel) as usize];
                let (pitch, all) = (u64::from(width * texel), Region::new(0, 0, width, height));
                self.texture.get_bytes(&mut bytes, pitch, all, level, slice).expect("it is there");
                let image = model.image(level, slice);
                let expected = if model.is_managed { &model.cpu[image] } else { &model.gpu[image] };
                assert_eq!(&bytes, expected, "level {level} of slice {slice} of {:?}", self.texture);
                let work = self.queue.command_buffer();
                let mut blit = work.blit_command_encoder().expect("it is open");
                let place = TexturePlace { level, slice, origin: [0, 0] };
                let layout = BufferLayout::rows(pitch);
                blit.copy_texture_to_buffer(&self.texture, place, [width, height], &rows, layout)
                    .expect("it is there");
                blit.end_encoding();
                work.commit().expect("nothing is held");
                work.wait_until_completed().expect("it runs");
                gpu.push(rows.read::<u8>(..bytes.len() as u64).expect("it has completed"));
            }
        }
        assert_eq!(gpu, self.model.gpu, "the GPU's copy of {:?}", self.texture);
    }
}

/// Whether a call was taken; it must be taken where the model says so, and refused as misuse elsewhere.
fn agree(done: Result<(), Error>, ok: bool, what: impl Fn() -> String) -> bool {
    match (&done, ok) {
        (Ok(()), true) => true,
        (Err(error), false) => {
            let kinds = [
                ErrorKind::OutOfBounds,
                ErrorKind::Misaligned,
                ErrorKind::InvalidArgument,
                ErrorKind::WrongStorageMode,
            ];
            assert!(kinds.contains(&error.kind()), "{error:?} of {}", what());
            false
        }
        _ => panic!("{}: {done:?}, and the model says {ok}", what()),
    }
}

/// Bytes of the buffer that regions are copied from and to.
const BUFFER: usize = 8192;
