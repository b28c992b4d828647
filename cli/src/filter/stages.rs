//! The filter itself: resources, stages, and what keeps them in order.

use std::time::Duration;

use fencepost::{
    BlitCommandEncoder, BufferLayout, CommandBuffer, CommandBufferEncoderInfo, ComputeCommandEncoder,
    ComputePipelineState, Device, Error, Event, Fence, Heap, HeapDescriptor, HeapKind, PixelFormat, Region,
    ResourceOptions, Texture, TextureDescriptor, TexturePlace,
};
use image::RgbaImage;

use super::Sync;
use super::gaussian::Taps;

/// Threads of a group in x and y, as the kernels declare them.
const GROUP: [u32; 2] = [16, 8];

/// The filter for pictures of one size.
#[derive(Debug)]
pub(crate) struct Filter<'a> {
    device: &'a Device,
    sync: Sync,
    levels: Texture,
    scratch: Heap,
    horizontal: ComputePipelineState,
    vertical: ComputePipelineState,
    taps: Taps,
}

/// What came out, and when each pass ran.
#[derive(Debug)]
pub(crate) struct Filtered {
    /// Level 0 as it was, the others blurred.
    pub(crate) levels: Vec<RgbaImage>,
    /// Every pass in the order of encoding.
    pub(crate) passes: Vec<CommandBufferEncoderInfo>,
    /// From commit to completion, as the CPU saw it.
    pub(crate) elapsed: Duration,
}

/// What keeps one stage after another while a command buffer is being encoded.
enum Order {
    Fence(Fence),
    Events { event: Event, value: u64 },
    Tracked,
}

impl<'a> Filter<'a> {
    /// Makes everything that does not depend on the picture's content. `levels` counts those below level 0.
    pub(crate) fn new(
        device: &'a Device,
        input: &RgbaImage,
        levels: Option<u32>,
        sigma: f32,
        sync: Sync,
    ) -> Result<Self, Error> {
        let library = device.new_library_with_wgsl(include_str!("blur.wgsl"))?;
        let pipeline = |name| device.new_compute_pipeline_state(&library.new_function(name)?);
        let options = match sync {
            Sync::Tracked => ResourceOptions::SHARED.tracked(),
            Sync::Fence | Sync::Events => ResourceOptions::SHARED.untracked(),
        };
        let all = TextureDescriptor::new_2d(PixelFormat::Rgba8Unorm, input.width(), input.height())
            .with_options(options)
            .with_all_mips();
        let mips = levels
            .map_or(all.mipmap_level_count, |levels| all.mipmap_level_count.min(levels.saturating_add(1)));
        let levels = device.new_texture(&all.with_mips(mips))?;
        levels.set_label("levels");

        let scratch_options = ResourceOptions { storage_mode: fencepost::StorageMode::Private, ..options };
        let largest = scratch_descriptor(levels.level_size(1), scratch_options);
        let place = device.heap_texture_size_and_align(&largest)?;
        let scratch = device.new_heap(&HeapDescriptor {
            size: place.size.next_multiple_of(place.align),
            kind: HeapKind::Automatic,
            options: scratch_options,
        })?;
        scratch.set_label("scratch");
        Ok(Self {
            device,
            sync,
            levels,
            scratch,
            horizontal: pipeline("horizontal")?,
            vertical: pipeline("vertical")?,
            taps: Taps::gaussian(sigma),
        })
    }

    /// How many stages a run has: the blit and one for each level below level 0.
    pub(crate) fn stages(&self) -> u64 {
        u64::from(self.levels.mipmap_level_count())
    }

    /// Filters a picture of the filter's size. `progress` hears how many stages have been committed.
    pub(crate) fn run(&self, input: &RgbaImage, progress: impl Fn(u64)) -> Result<Filtered, Error> {
        let mut order = match self.sync {
            Sync::Fence => Order::Fence(self.device.new_fence()),
            Sync::Events => Order::Events { event: self.device.new_event(), value: 0 },
            Sync::Tracked => Order::Tracked,
        };
        let queue = self.device.new_command_queue();
        let upload = self.device.new_buffer_with_bytes(input.as_raw(), ResourceOptions::SHARED)?;
        upload.set_label("picture");

        let started = std::time::Instant::now();
        let mut stages = Vec::new();
        let first = queue.command_buffer();
        order.blit(&first, "load and halve", |blit| {
            let [width, height] = self.levels.level_size(0);
            let rows = BufferLayout::rows(u64::from(width) * 4);
            blit.copy_buffer_to_texture(
                &upload,
                rows,
                &self.levels,
                TexturePlace::default(),
                [width, height],
            )?;
            // A picture of one texel has no level to make.
            if self.levels.mipmap_level_count() > 1 { blit.generate_mipmaps(&self.levels) } else { Ok(()) }
        })?;
        first.commit()?;
        stages.push(first);
        for level in 1..self.levels.mipmap_level_count() {
            let buffer = queue.command_buffer();
            self.blur(&buffer, &mut order, level)?;
            buffer.commit()?;
            stages.push(buffer);
        }

        let mut passes = Vec::new();
        for (done, stage) in (1..).zip(&stages) {
            stage.wait_until_completed()?;
            passes.extend(stage.encoder_infos());
            progress(done);
        }
        let elapsed = started.elapsed();
        let levels =
            (0..self.levels.mipmap_level_count()).map(|level| self.read(level)).collect::<Result<_, _>>()?;
        Ok(Filtered { levels, passes, elapsed })
    }

    /// One stage: the level along x into scratch memory that the stage before had, then along y back.
    fn blur(&self, buffer: &CommandBuffer, order: &mut Order, level: u32) -> Result<(), Error> {
        let size = self.levels.level_size(level);
        let scratch = self.scratch.new_texture(&scratch_descriptor(size, self.scratch.resource_options()))?;
        scratch.set_label(&format!("scratch {level}"));
        let view = self.levels.new_texture_view_of(
            PixelFormat::Rgba8Unorm,
            fencepost::TextureKind::D2,
            level..level + 1,
            0..1,
        )?;
        let groups = [size[0].div_ceil(GROUP[0]), size[1].div_ceil(GROUP[1]), 1];
        order.compute(buffer, &format!("level {level}"), |compute| {
            compute.set_compute_pipeline_state(&self.horizontal)?;
            compute.set_texture(0, &view)?;
            compute.set_bytes(1, &self.taps.words([1, 0]))?;
            compute.set_texture(2, &scratch)?;
            compute.dispatch_threadgroups(groups)?;
            compute.set_compute_pipeline_state(&self.vertical)?;
            compute.set_texture(0, &scratch)?;
            compute.set_bytes(1, &self.taps.words([0, 1]))?;
            compute.set_texture(3, &view)?;
            compute.dispatch_threadgroups(groups)
        })?;
        scratch.make_aliasable()
    }

    fn read(&self, level: u32) -> Result<RgbaImage, Error> {
        let [width, height] = self.levels.level_size(level);
        let mut picture = RgbaImage::new(width, height);
        let region = Region::new(0, 0, width, height);
        self.levels.get_bytes(&mut picture, u64::from(width) * 4, region, level, 0)?;
        Ok(picture)
    }
}

fn scratch_descriptor(size: [u32; 2], options: ResourceOptions) -> TextureDescriptor {
    TextureDescriptor::new_2d(PixelFormat::Rgba16Float, size[0], size[1]).with_options(options)
}

impl Order {
    /// A blit pass that starts after the stage before and that the next one waits for.
    fn blit(
        &mut self,
        buffer: &CommandBuffer,
        label: &str,
        encode: impl FnOnce(&mut BlitCommandEncoder) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.before(buffer)?;
        let mut blit = buffer.blit_command_encoder()?;
        blit.set_label(label);
        if let Self::Fence(fence) = self {
            blit.wait_for_fence(fence)?;
        }
        encode(&mut blit)?;
        if let Self::Fence(fence) = self {
            blit.update_fence(fence)?;
        }
        blit.end_encoding();
        self.after(buffer)
    }

    /// The same for a compute pass. Waiting first and updating last in one pass is what a fence allows.
    fn compute(
        &mut self,
        buffer: &CommandBuffer,
        label: &str,
        encode: impl FnOnce(&mut ComputeCommandEncoder) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.before(buffer)?;
        let mut compute = buffer.compute_command_encoder()?;
        compute.set_label(label);
        if let Self::Fence(fence) = self {
            compute.wait_for_fence(fence)?;
        }
        encode(&mut compute)?;
        if let Self::Fence(fence) = self {
            compute.update_fence(fence)?;
        }
        compute.end_encoding();
        self.after(buffer)
    }

    fn before(&self, buffer: &CommandBuffer) -> Result<(), Error> {
        match self {
            Self::Events { event, value } => buffer.encode_wait_for_event(event, *value),
            Self::Fence(_) | Self::Tracked => Ok(()),
        }
    }

    fn after(&mut self, buffer: &CommandBuffer) -> Result<(), Error> {
        match self {
            Self::Events { event, value } => {
                *value += 1;
                buffer.encode_signal_event(event, *value)
            }
            Self::Fence(_) | Self::Tracked => Ok(()),
        }
    }
}
