//! Copies, fills and mip generation, as blit encoders and the compute encoders of explicit queues record them.
use std::sync::Arc;

use fencepost_core::{Access, AccessKind, Extent, Stage};

use crate::api::encoder::EncoderCore;
use crate::api::resource::ResourceRef;
use crate::api::texture::linear_bytes;
use crate::error::ResourceError;
use crate::record::{BufferSlice, Command, LinearLayout, TextureRegion, Transfer};
use crate::{Buffer, Error, Region, Resource, Stages, Texture};

/// Where the rows of an image are in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BufferLayout {
    /// Bytes from the start of the buffer to the first texel.
    pub offset: u64,
    /// Bytes from one row to the next.
    pub bytes_per_row: u64,
}

impl BufferLayout {
    /// Rows from the start of the buffer on.
    pub const fn rows(bytes_per_row: u64) -> Self {
        Self { offset: 0, bytes_per_row }
    }
}

/// Where an image is in a texture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TexturePlace {
    /// The level.
    pub level: u32,
    /// The slice.
    pub slice: u32,
    /// Column and row of the first texel.
    pub origin: [u32; 2],
}

impl TexturePlace {
    fn region(self, size: [u32; 2]) -> Region {
        Region { origin: self.origin, size }
    }
}

impl EncoderCore {
    pub(crate) fn copy_buffer(
        &mut self,
        source: &Buffer,
        source_offset: u64,
        destination: &Buffer,
        destination_offset: u64,
        size: u64,
    ) -> Result<(), Error> {
        const CALL: &str = "`copy_buffer`";
        let from = self.slice(CALL, source, source_offset, size)?;
        let to = self.slice(CALL, destination, destination_offset, size)?;
        let (start, other) = (source_offset, destination_offset);
        if source.body.resource == destination.body.resource && start < other + size && other < start + size {
            return Err(ResourceError::Overlap {
                call: CALL,
                resource: source.describe(),
                source_range: format!("bytes {start}..{}", start + size),
                destination_range: format!("bytes {other}..{}", other + size),
            }
            .into());
        }
        if size > 0 {
            let accesses = [of_buffer(&from, AccessKind::Read), of_buffer(&to, AccessKind::Write)];
            self.transfer(Transfer::CopyBuffer { source: from, destination: to }, accesses);
        }
        Ok(())
    }

    pub(crate) fn copy_buffer_to_texture(
        &mut self,
        source: &Buffer,
        layout: BufferLayout,
        destination: &Texture,
        place: TexturePlace,
        size: [u32; 2],
    ) -> Result<(), Error> {
        const CALL: &str = "`copy_buffer_to_texture`";
        let region = self.region(CALL, destination, place, size)?;
        let (slice, layout) = self.rows(CALL, source, layout, &region)?;
        let accesses = [of_buffer(&slice, AccessKind::Read), of_region(&region, AccessKind::Write)];
        self.transfer(Transfer::CopyBufferToTexture { source: slice, layout, destination: region }, accesses);
        Ok(())
    }

    pub(crate) fn copy_texture_to_buffer(
        &mut self,
        source: &Texture,
        place: TexturePlace,
        size: [u32; 2],
        destination: &Buffer,
        layout: BufferLayout,
    ) -> Result<(), Error> {
        const CALL: &str = "`copy_texture_to_buffer`";
        let region = self.region(CALL, source, place, size)?;
        let (slice, layout) = self.rows(CALL, destination, layout, &region)?;
        let accesses = [of_region(&region, AccessKind::Read), of_buffer(&slice, AccessKind::Write)];
        self.transfer(Transfer::CopyTextureToBuffer { source: region, destination: slice, layout }, accesses);
        Ok(())
    }

    pub(crate) fn copy_texture_region(
        &mut self,
        source: &Texture,
        from: TexturePlace,
        size: [u32; 2],
        destination: &Texture,
        to: TexturePlace,
    ) -> Result<(), Error> {
        const CALL: &str = "`copy_texture_region`";
        same_texels(CALL, source, destination)?;
        let (from, to) = (self.region(CALL, source, from, size)?, self.region(CALL, destination, to, size)?);
        if overlap(&from, &to) {
            return Err(ResourceError::Overlap {
                call: CALL,
                resource: source.describe(),
                source_range: format!("texels from {:?} on", from.origin),
                destination_range: format!("texels from {:?} on", to.origin),
            }
            .into());
        }
        let accesses = [of_region(&from, AccessKind::Read), of_region(&to, AccessKind::Write)];
        self.transfer(Transfer::CopyTexture { source: from, destination: to }, accesses);
        Ok(())
    }

    pub(crate) fn copy_texture(&mut self, source: &Texture, destination: &Texture) -> Result<(), Error> {
        const CALL: &str = "`copy_texture`";
        same_texels(CALL, source, destination)?;
        let shape = |texture: &Texture| {
            let [width, height] = texture.level_size(0);
            (width, height, texture.mipmap_level_count(), texture.array_length())
        };
        if shape(source) != shape(destination) {
            return Err(ResourceError::Mismatch {
                call: CALL,
                left: source.describe(),
                right: destination.describe(),
                what: "width, height, levels and slices",
                left_value: format!("{:?}", shape(source)),
                right_value: format!("{:?}", shape(destination)),
                mend: "Copy regions with `copy_texture_region`",
            }
            .into());
        }
        for level in 0..source.mipmap_level_count() {
            for slice in 0..source.array_length() {
                let place = TexturePlace { level, slice, origin: [0, 0] };
                self.copy_texture_region(source, place, source.level_size(level), destination, place)?;
            }
        }
        Ok(())
    }

    pub(crate) fn fill_buffer(
        &mut self,
        buffer: &Buffer,
        range: impl std::ops::RangeBounds<u64>,
        value: u8,
    ) -> Result<(), Error> {
        const CALL: &str = "`fill_buffer`";
        let range = buffer.range(CALL, range)?;
        let destination = self.slice(CALL, buffer, range.start, range.end - range.start)?;
        if !range.is_empty() {
            let accesses = [of_buffer(&destination, AccessKind::Write)];
            self.transfer(Transfer::FillBuffer { destination, value }, accesses);
        }
        Ok(())
    }

    pub(crate) fn generate_mipmaps(&mut self, texture: &Texture) -> Result<(), Error> {
        const CALL: &str = "`generate_mipmaps`";
        self.check_texture(CALL, texture)?;
        let view = &texture.view;
        if view.format.is_integer() {
            return Err(ResourceError::Format {
                call: CALL,
                texture: texture.describe(),
                format: view.format,
                why: "cannot be filtered",
                mend: "Fill the levels with a kernel of your own",
            }
            .into());
        }
        if view.mips < 2 {
            let (what, value, most) = ("the level count of the texture", u64::from(view.mips), 15);
            return Err(ResourceError::Number { call: CALL, what, value, least: 2, most }.into());
        }
        let slices = view.first_slice..view.first_slice + view.slices;
        let levels = |mips, kind| Access {
            resource: view.body.resource,
            extent: Extent::Subresources { mips, slices: slices.clone() },
            kind,
            stage: Stage::Blit,
        };
        let below = view.first_mip + 1..view.first_mip + view.mips;
        let accesses = [
            levels(view.first_mip..view.first_mip + 1, AccessKind::Read),
            levels(below, AccessKind::ReadWrite),
        ];
        self.transfer(Transfer::GenerateMipmaps { texture: view.clone() }, accesses);
        Ok(())
    }

    /// Texels stay where they are on every device that there is; for the order it counts as a write all the same.
    pub(crate) fn optimize_contents(&mut self, call: &'static str, texture: &Texture) -> Result<(), Error> {
        self.check_texture(call, texture)?;
        let view = &texture.view;
        let access = Access {
            resource: view.body.resource,
            extent: view.extent(),
            kind: AccessKind::ReadWrite,
            stage: Stage::Blit,
        };
        let recorder = self.recorder();
        recorder.keep_texture(&view.body);
        let accesses = recorder.accesses([access]);
        recorder.command(Command::Nothing, Stages::BLIT, accesses);
        self.used |= Stages::BLIT;
        Ok(())
    }

    /// Brings a managed resource's bytes from the GPU to the CPU, all of it or one image of a texture.
    pub(crate) fn synchronize(
        &mut self,
        call: &'static str,
        resource: &dyn Resource,
        image: Option<(u32, u32)>,
    ) -> Result<(), Error> {
        let reference = resource.reference();
        let (core, noun) = (reference.core(), reference.noun());
        self.buffer.device().owns(&core.device, || core.label.of(noun), || self.describe())?;
        core.check_alive(call, noun)?;
        let copy = core.copy(call, noun)?;
        let (transfer, extent) = match reference {
            ResourceRef::Buffer(body) => {
                let parts = std::iter::once(0..body.length).collect();
                (Transfer::SynchronizeBuffer { buffer: Arc::clone(body), parts }, Extent::Whole)
            }
            ResourceRef::Texture(view) => {
                let (mips, slices) = match image {
                    Some((level, slice)) => (level..level + 1, slice..slice + 1),
                    None => (
                        view.first_mip..view.first_mip + view.mips,
                        view.first_slice..view.first_slice + view.slices,
                    ),
                };
                let extent = Extent::Subresources { mips: mips.clone(), slices: slices.clone() };
                (Transfer::SynchronizeTexture { texture: Arc::clone(&view.body), mips, slices }, extent)
            }
        };
        let read = Access { resource: core.resource, extent, kind: AccessKind::Read, stage: Stage::Blit };
        // The CPU's copy is nothing that tracking knows of; guards of the CPU do.
        let written = Access { resource: copy.resource, kind: AccessKind::Write, ..read.clone() };
        let recorder = self.recorder();
        let hidden = recorder.accesses([written]);
        recorder.hide(&hidden);
        self.transfer(transfer, [read]);
        Ok(())
    }

    fn transfer<const N: usize>(&mut self, transfer: Transfer, accesses: [Access; N]) {
        let recorder = self.recorder();
        recorder.keep_managed(&transfer);
        let accesses = recorder.accesses(accesses);
        let index = recorder.recording.transfers.len() as u32;
        recorder.recording.transfers.push(transfer);
        recorder.command(Command::Transfer(index), Stages::BLIT, accesses);
        self.used |= Stages::BLIT;
    }

    fn slice(
        &self,
        call: &'static str,
        buffer: &Buffer,
        offset: u64,
        length: u64,
    ) -> Result<BufferSlice, Error> {
        self.check_buffer(call, buffer)?;
        buffer.part(call, offset, length)?;
        Ok(BufferSlice { body: std::sync::Arc::clone(&buffer.body), offset, length })
    }

    fn region(
        &self,
        call: &'static str,
        texture: &Texture,
        place: TexturePlace,
        size: [u32; 2],
    ) -> Result<TextureRegion, Error> {
        self.check_texture(call, texture)?;
        texture.region(call, place.region(size), place.level, place.slice)
    }

    /// The bytes of a buffer that the rows of a region take.
    fn rows(
        &self,
        call: &'static str,
        buffer: &Buffer,
        layout: BufferLayout,
        region: &TextureRegion,
    ) -> Result<(BufferSlice, LinearLayout), Error> {
        let format = region.body.shape.format;
        let texel = u64::from(format.bytes_per_texel());
        if !layout.offset.is_multiple_of(texel) {
            let what = "the offset into the buffer";
            return Err(ResourceError::Alignment { call, what, value: layout.offset, multiple: texel }.into());
        }
        let mut linear = LinearLayout { bytes_per_row: layout.bytes_per_row, bytes_per_image: 0 };
        linear.bytes_per_image = linear_bytes(call, format, region.size, linear)?;
        let slice = self.slice(call, buffer, layout.offset, linear.bytes_per_image)?;
        Ok((slice, linear))
    }

    pub(crate) fn check_buffer(&self, call: &'static str, buffer: &Buffer) -> Result<(), Error> {
        let core = &buffer.body.core;
        self.buffer.device().owns(&core.device, || buffer.describe(), || self.describe())?;
        core.check_alive(call, crate::api::buffer::NOUN)
    }

    pub(crate) fn check_texture(&self, call: &'static str, texture: &Texture) -> Result<(), Error> {
        let core = texture.core();
        self.buffer.device().owns(&core.device, || texture.describe(), || self.describe())?;
        core.check_alive(call, crate::api::texture::NOUN)
    }
}

fn of_buffer(slice: &BufferSlice, kind: AccessKind) -> Access {
    let extent = Extent::Bytes(slice.offset..slice.offset + slice.length);
    Access { resource: slice.body.resource, extent, kind, stage: Stage::Blit }
}

fn of_region(region: &TextureRegion, kind: AccessKind) -> Access {
    Access { resource: region.body.resource, extent: region.extent(), kind, stage: Stage::Blit }
}

fn same_texels(call: &'static str, left: &Texture, right: &Texture) -> Result<(), Error> {
    let (left_format, right_format) = (left.pixel_format(), right.pixel_format());
    if left_format == right_format {
        return Ok(());
    }
    Err(ResourceError::Mismatch {
        call,
        left: left.describe(),
        right: right.describe(),
        what: "format",
        left_value: format!("{left_format:?}"),
        right_value: format!("{right_format:?}"),
        mend: "Make a view of one in the other's format, or convert with a kernel",
    }
    .into())
}

fn overlap(left: &TextureRegion, right: &TextureRegion) -> bool {
    let apart = |axis: usize| {
        let end = |region: &TextureRegion| region.origin[axis].saturating_add(region.size[axis]);
        end(left) <= right.origin[axis] || end(right) <= left.origin[axis]
    };
    left.body.resource == right.body.resource
        && left.mip == right.mip
        && left.slices == right.slices
        && !apart(0)
        && !apart(1)
}

/// The methods of every encoder that copies, written once. `check_transfers` says where the encoder does not.
macro_rules! transfer_methods {
    () => {
        /// Copies bytes between buffers, or within one where the ranges do not overlap.
        ///
        /// # Errors
        /// Ranges outside of their buffers or that overlap; a buffer of another device; a compute encoder of a tracked queue.
        #[doc(alias = "copyFromBuffer:sourceOffset:toBuffer:destinationOffset:size:")]
        #[track_caller]
        pub fn copy_buffer(
            &mut self,
            source: &crate::Buffer,
            source_offset: u64,
            destination: &crate::Buffer,
            destination_offset: u64,
            size: u64,
        ) -> Result<(), crate::Error> {
            self.core.here();
            self.check_transfers("`copy_buffer`")?;
            self.core.copy_buffer(source, source_offset, destination, destination_offset, size)
        }

        /// Copies rows of a buffer into a rectangle of a texture.
        ///
        /// # Errors
        /// Rows outside of the buffer or that overlap; a rectangle outside of the texture; an offset or pitch that is not a multiple of
        /// a texel; an object of another device; a compute encoder of a tracked queue.
        #[doc(
            alias = "copyFromBuffer:sourceOffset:sourceBytesPerRow:sourceBytesPerImage:sourceSize:toTexture:"
        )]
        #[track_caller]
        pub fn copy_buffer_to_texture(
            &mut self,
            source: &crate::Buffer,
            layout: crate::BufferLayout,
            destination: &crate::Texture,
            place: crate::TexturePlace,
            size: [u32; 2],
        ) -> Result<(), crate::Error> {
            self.core.here();
            self.check_transfers("`copy_buffer_to_texture`")?;
            self.core.copy_buffer_to_texture(source, layout, destination, place, size)
        }

        /// Copies a rectangle of a texture into rows of a buffer.
        ///
        /// # Errors
        /// As [`copy_buffer_to_texture`](Self::copy_buffer_to_texture).
        #[doc(alias = "copyFromTexture:sourceSlice:sourceLevel:sourceOrigin:sourceSize:toBuffer:")]
        #[track_caller]
        pub fn copy_texture_to_buffer(
            &mut self,
            source: &crate::Texture,
            place: crate::TexturePlace,
            size: [u32; 2],
            destination: &crate::Buffer,
            layout: crate::BufferLayout,
        ) -> Result<(), crate::Error> {
            self.core.here();
            self.check_transfers("`copy_texture_to_buffer`")?;
            self.core.copy_texture_to_buffer(source, place, size, destination, layout)
        }

        /// Copies a rectangle of a texture into another of the same format, or within one where the rectangles do not overlap.
        ///
        /// # Errors
        /// Formats that differ; rectangles outside of their textures or that overlap; a texture of another device; a compute encoder of
        /// a tracked queue.
        #[doc(alias = "copyFromTexture:sourceSlice:sourceLevel:sourceOrigin:sourceSize:toTexture:")]
        #[track_caller]
        pub fn copy_texture_region(
            &mut self,
            source: &crate::Texture,
            from: crate::TexturePlace,
            size: [u32; 2],
            destination: &crate::Texture,
            to: crate::TexturePlace,
        ) -> Result<(), crate::Error> {
            self.core.here();
            self.check_transfers("`copy_texture_region`")?;
            self.core.copy_texture_region(source, from, size, destination, to)
        }

        /// Copies every level and slice of a texture into another of the same format and shape.
        ///
        /// # Errors
        /// Formats or shapes that differ; otherwise as [`copy_texture_region`](Self::copy_texture_region).
        #[doc(alias = "copyFromTexture:toTexture:")]
        #[track_caller]
        pub fn copy_texture(
            &mut self,
            source: &crate::Texture,
            destination: &crate::Texture,
        ) -> Result<(), crate::Error> {
            self.core.here();
            self.check_transfers("`copy_texture`")?;
            self.core.copy_texture(source, destination)
        }

        /// Sets bytes of a buffer.
        ///
        /// # Errors
        /// A range outside of the buffer; a buffer of another device; a compute encoder of a tracked queue.
        #[doc(alias = "fillBuffer:range:value:")]
        #[track_caller]
        pub fn fill_buffer(
            &mut self,
            buffer: &crate::Buffer,
            range: impl std::ops::RangeBounds<u64>,
            value: u8,
        ) -> Result<(), crate::Error> {
            self.core.here();
            self.check_transfers("`fill_buffer`")?;
            self.core.fill_buffer(buffer, range, value)
        }

        /// Makes every level of a texture from the one above it, by averaging.
        ///
        /// # Errors
        /// A texture with one level, or of integers; a texture of another device; a compute encoder of a tracked queue.
        #[doc(alias = "generateMipmapsForTexture")]
        #[track_caller]
        pub fn generate_mipmaps(&mut self, texture: &crate::Texture) -> Result<(), crate::Error> {
            self.core.here();
            self.check_transfers("`generate_mipmaps`")?;
            self.core.generate_mipmaps(texture)
        }

        /// Brings texels into the layout that kernels like best. The order of commands sees a write.
        ///
        /// # Errors
        /// A texture of another device; a compute encoder of a tracked queue.
        #[doc(alias = "optimizeContentsForGPUAccess")]
        #[track_caller]
        pub fn optimize_contents_for_gpu_access(
            &mut self,
            texture: &crate::Texture,
        ) -> Result<(), crate::Error> {
            self.core.here();
            self.check_transfers("`optimize_contents_for_gpu_access`")?;
            self.core.optimize_contents("`optimize_contents_for_gpu_access`", texture)
        }

        /// Brings texels into the layout that the CPU likes best. The order of commands sees a write.
        ///
        /// # Errors
        /// As [`optimize_contents_for_gpu_access`](Self::optimize_contents_for_gpu_access).
        #[doc(alias = "optimizeContentsForCPUAccess")]
        #[track_caller]
        pub fn optimize_contents_for_cpu_access(
            &mut self,
            texture: &crate::Texture,
        ) -> Result<(), crate::Error> {
            self.core.here();
            self.check_transfers("`optimize_contents_for_cpu_access`")?;
            self.core.optimize_contents("`optimize_contents_for_cpu_access`", texture)
        }
    };
}

pub(crate) use transfer_methods;
