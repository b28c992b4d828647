//! Textures: images in levels and slices, and views of them.
//!
//! A view shares its texture's texels and its name in the order engine, so tracking sees through views. The CPU reaches texels by
//! copies that look first whether work in flight uses them.
use std::fmt;
use std::ops::Range;
use std::panic::Location;
use std::sync::Arc;

use fencepost_core::{Extent, MemoryId, ResourceDescriptor, ResourceId, ResourceShape, Tracking};

use crate::api::buffer::{HEAP_UNIT, own_tracking, round_up};
use crate::api::device::{DeviceShared, label_or_empty};
use crate::api::guard::Subject;
use crate::api::label::Label;
use crate::api::managed::CpuCopy;
use crate::api::memoryless::NoMemory;
use crate::api::resource::sealed::Sealed as _;
use crate::api::resource::{
    Home, Resource, ResourceCore, ResourceRef, resolve_options, resource_methods, sealed,
};
use crate::api::sharing::{self, CpuHold, OwnMemory, View, Wanted};
use crate::backend::Residence;
use crate::error::ResourceError;
use crate::observe::{Body, Happening, Site};
use crate::record::{LinearLayout, TextureBody, TextureRegion, TextureShape, TextureView};
use crate::{
    Error, HazardTrackingMode, PixelFormat, Region, SizeAndAlign, StorageMode, TextureDescriptor,
    TextureKind, TextureUsage,
};

/// Images that kernels and copies read and write, or a view of such.
///
/// Clones are the same texture. Its memory lives until the last clone and view is gone and no work in flight uses it.
///
/// ```
/// use fencepost::{Device, PixelFormat, Region, TextureDescriptor};
/// let device = Device::cpu();
/// let texture = device.new_texture(&TextureDescriptor::new_2d(PixelFormat::Rgba8Unorm, 2, 1))?;
/// texture.replace_region(Region::new(1, 0, 1, 1), 0, 0, &[1, 2, 3, 4], 4)?;
/// let mut texels = [0; 8];
/// texture.get_bytes(&mut texels, 8, Region::new(0, 0, 2, 1), 0, 0)?;
/// assert_eq!(texels, [0, 0, 0, 0, 1, 2, 3, 4]);
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLTexture")]
#[derive(Clone)]
pub struct Texture {
    pub(crate) view: TextureView,
    pub(crate) usage: TextureUsage,
    /// A view's own label; a texture's is in its body.
    view_label: Option<Arc<Label>>,
}

impl Texture {
    pub(crate) fn create(device: &Arc<DeviceShared>, descriptor: &TextureDescriptor) -> Result<Self, Error> {
        const CALL: &str = "`new_texture`";
        let shape = check_descriptor(CALL, descriptor)?;
        let options = resolve_options(descriptor.resource_options);
        let size = device.backend().texture_size_and_align(&shape).size;
        let allocation = match options.storage_mode {
            StorageMode::Memoryless => NoMemory::for_texture(CALL, descriptor)?,
            _ => device.allocate(size, Residence::Texture(shape))?,
        };
        let managed = match options.storage_mode {
            StorageMode::Managed => {
                let kind = ResourceShape::Texture { mips: shape.mips, slices: shape.slices };
                Some(CpuCopy::new(device, device.allocate(size, Residence::CpuCopy)?, 0, size, kind))
            }
            _ => None,
        };
        let image = match options.storage_mode {
            StorageMode::Memoryless => None,
            _ => device.backend().image(&allocation, 0, &shape, true)?,
        };
        let memory = OwnMemory::new(device);
        let tracking = own_tracking(options.hazard_tracking_mode);
        let resource = register(device, memory.id(), 0..size, &shape, tracking);
        let core = ResourceCore {
            label: Label::default(),
            device: Arc::clone(device),
            resource,
            options,
            home: Home::Own(memory),
            managed,
        };
        Ok(Self::from_body(TextureBody { resource, allocation, offset: 0, shape, image, core }, descriptor))
    }

    /// Another texture's memory, seen by `device`.
    pub(crate) fn sharing(
        device: &Arc<DeviceShared>,
        source: &Self,
        mode: HazardTrackingMode,
    ) -> Result<Self, Error> {
        const CALL: &str = "`new_texture_sharing`";
        if source.is_view() {
            let what = format!("{CALL} of {}, which is a view,", source.describe());
            let mend = "Share the texture itself and make a view of the new one";
            return Err(ResourceError::Unsupported { what, mend }.into());
        }
        let theirs = &source.view.body;
        let size = source.core().device.backend().texture_size_and_align(&theirs.shape).size;
        let bytes = theirs.offset..theirs.offset + size;
        let shared = sharing::share(CALL, device, &theirs.core, NOUN, bytes.clone(), mode)?;
        let allocation = device.backend().share(&theirs.allocation)?;
        let image = device.backend().share_image(theirs.image.as_ref())?;
        let tracking = own_tracking(shared.options.hazard_tracking_mode);
        let resource = register(device, shared.memory.id(), bytes.clone(), &theirs.shape, tracking);
        let core = ResourceCore {
            label: Label::default(),
            device: Arc::clone(device),
            resource,
            options: shared.options,
            home: Home::Own(Arc::clone(&shared.memory)),
            managed: None,
        };
        // From here on the drop of the core takes back what was done.
        let (offset, shape) = (theirs.offset, theirs.shape);
        let body = TextureBody { resource, allocation, offset, shape, image, core };
        shared.enter(CALL, source.describe(), View { device: Arc::downgrade(device), resource, bytes })?;
        let view = TextureView { body: Arc::new(body), ..source.view.clone() };
        Ok(Self { view, usage: source.usage, view_label: None })
    }

    pub(crate) fn from_body(body: TextureBody, descriptor: &TextureDescriptor) -> Self {
        let array = descriptor.texture_type == TextureKind::D2Array;
        let view = TextureView { array, ..TextureView::whole(&Arc::new(body)) };
        Self { view, usage: descriptor.usage, view_label: None }
    }

    /// Texels of a row of the first level.
    pub fn width(&self) -> u32 {
        self.view.level_size(0)[0]
    }

    /// Rows of the first level.
    pub fn height(&self) -> u32 {
        self.view.level_size(0)[1]
    }

    /// Columns and rows of a level; `[1, 1]` for levels beyond the last.
    pub fn level_size(&self, level: u32) -> [u32; 2] {
        self.view.level_size(level)
    }

    /// Levels.
    #[doc(alias = "mipmapLevelCount")]
    pub fn mipmap_level_count(&self) -> u32 {
        self.view.mips
    }

    /// Slices; 1 where it is no array.
    #[doc(alias = "arrayLength")]
    pub fn array_length(&self) -> u32 {
        self.view.slices
    }

    /// What a texel is.
    #[doc(alias = "pixelFormat")]
    pub fn pixel_format(&self) -> PixelFormat {
        self.view.format
    }

    /// One image or an array of them.
    #[doc(alias = "textureType")]
    pub fn texture_type(&self) -> TextureKind {
        if self.view.array { TextureKind::D2Array } else { TextureKind::D2 }
    }

    /// What kernels do with it.
    pub fn usage(&self) -> TextureUsage {
        self.usage
    }

    /// Bytes of memory that it takes: two copies where it is managed, none where it is memoryless or while its content is purged. A view
    /// answers for its texture.
    #[doc(alias = "allocatedSize")]
    pub fn allocated_size(&self) -> u64 {
        let core = self.core();
        core.allocated_size(core.device.backend().texture_size_and_align(&self.view.body.shape).size)
    }

    resource_methods!();

    /// Whether it is a view of another texture.
    #[doc(alias = "parentTexture")]
    pub fn is_view(&self) -> bool {
        self.view_label.is_some()
    }

    /// Its label; empty where there is none.
    pub fn label(&self) -> String {
        label_or_empty(self.own_label())
    }

    /// Gives it a name for messages. A view has a label of its own.
    #[doc(alias = "setLabel")]
    pub fn set_label(&self, label: &str) {
        self.own_label().set(label);
    }

    /// The same texels seen as another format of the same size.
    ///
    /// # Errors
    /// A format with texels of another size, or another format at all where the texture was made without
    /// [`TextureUsage::PIXEL_FORMAT_VIEW`].
    #[doc(alias = "newTextureViewWithPixelFormat:")]
    pub fn new_texture_view(&self, pixel_format: PixelFormat) -> Result<Self, Error> {
        self.new_texture_view_of(pixel_format, self.texture_type(), 0..self.view.mips, 0..self.view.slices)
    }

    /// Some levels and slices, seen as another format or shape.
    ///
    /// ```
    /// use fencepost::{Device, PixelFormat, TextureDescriptor, TextureKind};
    /// let device = Device::cpu();
    /// let texture = device.new_texture(&TextureDescriptor::new_2d(PixelFormat::R8Unorm, 64, 32).with_mips(3))?;
    /// let second = texture.new_texture_view_of(PixelFormat::R8Unorm, TextureKind::D2, 1..2, 0..1)?;
    /// assert_eq!((second.width(), second.height()), (32, 16));
    /// # Ok::<(), fencepost::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`new_texture_view`](Self::new_texture_view); also levels or slices that are not there, or several slices that are no array.
    #[doc(alias = "newTextureViewWithPixelFormat:textureType:levels:slices:")]
    pub fn new_texture_view_of(
        &self,
        pixel_format: PixelFormat,
        kind: TextureKind,
        levels: Range<u32>,
        slices: Range<u32>,
    ) -> Result<Self, Error> {
        const CALL: &str = "`new_texture_view`";
        self.check_view_format(CALL, pixel_format)?;
        self.check_part(CALL, "levels", &levels, self.view.mips)?;
        self.check_part(CALL, "slices", &slices, self.view.slices)?;
        if kind == TextureKind::D2 && slices.end - slices.start != 1 {
            let value = u64::from(slices.end - slices.start);
            return Err(ResourceError::Number {
                call: CALL,
                what: "the slice count of a view that is no array",
                value,
                least: 1,
                most: 1,
            }
            .into());
        }
        let view = TextureView {
            body: Arc::clone(&self.view.body),
            format: pixel_format,
            first_mip: self.view.first_mip + levels.start,
            mips: levels.end - levels.start,
            first_slice: self.view.first_slice + slices.start,
            slices: slices.end - slices.start,
            array: kind == TextureKind::D2Array,
        };
        Ok(Self { view, usage: self.usage, view_label: Some(Arc::default()) })
    }

    /// Copies texels in: rows of `bytes`, each `bytes_per_row` after the one before. Of a managed texture they go to the CPU's copy, and the
    /// next commit of work that uses the texture brings them over (rule 11.2.2).
    ///
    /// # Errors
    /// A region, level or slice that is not there; too few bytes; rows that overlap; private storage; work in flight that uses the
    /// level and slice (wait for it first).
    #[doc(alias = "replaceRegion:mipmapLevel:slice:withBytes:bytesPerRow:bytesPerImage:")]
    #[track_caller]
    pub fn replace_region(
        &self,
        region: Region,
        level: u32,
        slice: u32,
        bytes: &[u8],
        bytes_per_row: u64,
    ) -> Result<(), Error> {
        const CALL: &str = "`replace_region`";
        let (region, layout) = self.cpu_region(CALL, region, level, slice, bytes.len(), bytes_per_row)?;
        let _hold = self.hold(CALL, &region, true)?;
        self.copy_in(&region, layout, bytes)
    }

    /// Copies texels out, the other way round. Of a managed texture they come from the CPU's copy, which has what the GPU wrote once
    /// [`synchronize`](crate::BlitCommandEncoder::synchronize) has brought it.
    ///
    /// # Errors
    /// As [`replace_region`](Self::replace_region), but only work in flight that writes the level and slice stands in the way.
    #[doc(alias = "getBytes:bytesPerRow:bytesPerImage:fromRegion:mipmapLevel:slice:")]
    #[track_caller]
    pub fn get_bytes(
        &self,
        bytes: &mut [u8],
        bytes_per_row: u64,
        region: Region,
        level: u32,
        slice: u32,
    ) -> Result<(), Error> {
        const CALL: &str = "`get_bytes`";
        let (region, layout) = self.cpu_region(CALL, region, level, slice, bytes.len(), bytes_per_row)?;
        let _hold = self.hold(CALL, &region, false)?;
        self.copy_out(&region, layout, bytes)
    }

    /// Lets the heap give this memory to others. It cannot be taken back. See [`Buffer::make_aliasable`](crate::Buffer::make_aliasable).
    ///
    /// # Errors
    /// A texture that is on no heap, or a view.
    #[doc(alias = "makeAliasable")]
    #[track_caller]
    pub fn make_aliasable(&self) -> Result<(), Error> {
        if self.is_view() {
            return Err(ResourceError::NotAliasable {
                resource: self.describe(),
                why: "which is a view",
                mend: "Make the texture itself aliasable",
            }
            .into());
        }
        self.core().make_aliasable(NOUN)?;
        let watch = &self.core().device.watch;
        watch.tell(Happening::Aliasable(Body::Texture(&self.view.body)), Location::caller());
        Ok(())
    }

    /// "texture `label`", for messages.
    pub(crate) fn describe(&self) -> String {
        self.own_label().of(NOUN)
    }

    pub(crate) fn core(&self) -> &ResourceCore {
        &self.view.body.core
    }

    /// A rectangle of one level and slice of this view, as one of the body, checked.
    pub(crate) fn region(
        &self,
        call: &'static str,
        region: Region,
        level: u32,
        slice: u32,
    ) -> Result<TextureRegion, Error> {
        self.check_part(call, "level", &(level..level.saturating_add(1)), self.view.mips)?;
        self.check_part(call, "slice", &(slice..slice.saturating_add(1)), self.view.slices)?;
        let has = self.view.level_size(level);
        for axis in 0..2 {
            let start = u64::from(region.origin[axis]);
            let asked = start..start + u64::from(region.size[axis]);
            if asked.is_empty() || asked.end > u64::from(has[axis]) {
                let what = ["columns", "rows"][axis];
                let has = format!("{} {what} in level {level}", has[axis]);
                return Err(ResourceError::Texels { call, what, asked, texture: self.describe(), has }.into());
            }
        }
        let slice = self.view.first_slice + slice;
        Ok(TextureRegion {
            body: Arc::clone(&self.view.body),
            mip: self.view.first_mip + level,
            slices: slice..slice + 1,
            origin: region.origin,
            size: region.size,
        })
    }

    /// A level and a slice of this view, as those of the body, checked.
    pub(crate) fn image(&self, call: &'static str, level: u32, slice: u32) -> Result<(u32, u32), Error> {
        let size = self.view.level_size(level);
        let region = self.region(call, Region { origin: [0, 0], size }, level, slice)?;
        Ok((region.mip, region.slices.start))
    }

    fn own_label(&self) -> &Label {
        self.view_label.as_deref().unwrap_or_else(|| &self.core().label)
    }

    fn check_view_format(&self, call: &'static str, format: PixelFormat) -> Result<(), Error> {
        if format == self.view.format {
            return Ok(());
        }
        if format.bytes_per_texel() != self.view.format.bytes_per_texel() {
            return Err(ResourceError::Format {
                call,
                texture: self.describe(),
                format: self.view.format,
                why: "has texels of another size than the view would have",
                mend: "Choose a format with texels of the same size",
            }
            .into());
        }
        if self.usage.contains(TextureUsage::PIXEL_FORMAT_VIEW) {
            return Ok(());
        }
        Err(ResourceError::Usage { call, texture: self.describe(), usage: "PIXEL_FORMAT_VIEW" }.into())
    }

    pub(crate) fn check_part(
        &self,
        call: &'static str,
        what: &'static str,
        part: &Range<u32>,
        has: u32,
    ) -> Result<(), Error> {
        if part.start < part.end && part.end <= has {
            return Ok(());
        }
        let asked = u64::from(part.start)..u64::from(part.end);
        Err(ResourceError::Texels {
            call,
            what,
            asked,
            texture: self.describe(),
            has: format!("{has} of them"),
        }
        .into())
    }

    pub(crate) fn cpu_region(
        &self,
        call: &'static str,
        region: Region,
        level: u32,
        slice: u32,
        bytes: usize,
        bytes_per_row: u64,
    ) -> Result<(TextureRegion, LinearLayout), Error> {
        self.core().check_cpu_access(call, NOUN)?;
        let region = self.region(call, region, level, slice)?;
        let layout = LinearLayout { bytes_per_row, bytes_per_image: 0 };
        let needed = linear_bytes(call, self.view.format, region.size, layout)?;
        if (bytes as u64) < needed {
            let mend = "Give the rows of the whole region";
            return Err(ResourceError::Count { call, count: bytes as u64, needed, mend }.into());
        }
        Ok((region, LinearLayout { bytes_per_image: needed, ..layout }))
    }

    /// Copies texels in. Somebody holds the region.
    #[track_caller]
    pub(crate) fn copy_in(
        &self,
        region: &TextureRegion,
        layout: LinearLayout,
        bytes: &[u8],
    ) -> Result<(), Error> {
        self.tell(|body, extent| Happening::Write(body, extent), region, Location::caller());
        let backend = self.core().device.backend();
        let Some(copy) = &self.core().managed else {
            return backend.write_texture(&*region.body.allocation, region, layout, bytes);
        };
        backend.write_texture(&*copy.allocation, region, layout, bytes)?;
        self.tell(|body, extent| Happening::Published(body, extent), region, Location::caller());
        backend.texture_rows(region).into_iter().for_each(|row| copy.publish(row));
        Ok(())
    }

    /// Copies texels out. Somebody holds the region.
    #[track_caller]
    pub(crate) fn copy_out(
        &self,
        region: &TextureRegion,
        layout: LinearLayout,
        bytes: &mut [u8],
    ) -> Result<(), Error> {
        let memory = self.core().managed.as_ref().map_or(&region.body.allocation, |copy| &copy.allocation);
        self.core().device.backend().read_texture(&**memory, region, layout, bytes)?;
        self.tell(|body, extent| Happening::Read(body, extent), region, Location::caller());
        Ok(())
    }

    /// Tells whoever watches what the CPU does with a region.
    fn tell(
        &self,
        happening: impl for<'a> FnOnce(Body<'a>, &'a Extent) -> Happening<'a>,
        region: &TextureRegion,
        site: Site,
    ) {
        let watch = &self.core().device.watch;
        if watch.is_on() {
            watch.tell(happening(Body::Texture(&region.body), &region.extent()), site);
        }
    }

    fn hold(&self, call: &'static str, region: &TextureRegion, write: bool) -> Result<CpuHold, Error> {
        let words = || (format!("level {} of slice {}", region.mip, region.slices.start), self.describe());
        let subject = Subject { call, core: self.core(), memory: &region.body.allocation, words: &words };
        subject.copy(&Wanted { part: region.extent(), bytes: None, write })
    }
}

impl TextureRegion {
    /// The levels and slices it lies in.
    pub(crate) fn extent(&self) -> Extent {
        Extent::Subresources { mips: self.mip..self.mip + 1, slices: self.slices.clone() }
    }
}

impl Resource for Texture {}

impl sealed::Sealed for Texture {
    fn inside(&self) -> sealed::Inside<'_> {
        sealed::Inside(ResourceRef::Texture(&self.view))
    }
}

impl fmt::Debug for Texture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Texture")
            .field("label", self.own_label())
            .field("format", &self.view.format)
            .field("size", &self.view.level_size(0))
            .field("levels", &self.view.mips)
            .field("slices", &self.view.slices)
            .finish_non_exhaustive()
    }
}

/// What a texture takes on a heap.
pub(crate) fn size_and_align(
    device: &DeviceShared,
    descriptor: &TextureDescriptor,
) -> Result<SizeAndAlign, Error> {
    let shape = check_descriptor("`heap_texture_size_and_align`", descriptor)?;
    Ok(place_size(device, &shape))
}

pub(crate) fn place_size(device: &DeviceShared, shape: &TextureShape) -> SizeAndAlign {
    let own = device.backend().texture_size_and_align(shape);
    let align = own.align.max(HEAP_UNIT);
    SizeAndAlign { size: round_up(own.size, align), align }
}

/// Bytes from the first to the last texel of `size` texels in rows.
pub(crate) fn linear_bytes(
    call: &'static str,
    format: PixelFormat,
    size: [u32; 2],
    layout: LinearLayout,
) -> Result<u64, Error> {
    let texel = u64::from(format.bytes_per_texel());
    let row = u64::from(size[0]) * texel;
    if !layout.bytes_per_row.is_multiple_of(texel) {
        let what = "`bytes_per_row`";
        return Err(
            ResourceError::Alignment { call, what, value: layout.bytes_per_row, multiple: texel }.into()
        );
    }
    let between = u64::from(size[1]) - 1;
    let in_reach = |total: &u64| *total <= i64::MAX as u64;
    match layout.bytes_per_row.checked_mul(between).and_then(|above| above.checked_add(row)).filter(in_reach)
    {
        Some(total) if layout.bytes_per_row >= row || between == 0 => Ok(total),
        _ => {
            let value = layout.bytes_per_row;
            let most = i64::MAX as u64 / u64::from(size[1]);
            Err(ResourceError::Number { call, what: "`bytes_per_row`", value, least: row, most }.into())
        }
    }
}

/// That a descriptor makes sense, as the shape it means.
pub(crate) fn check_descriptor(
    call: &'static str,
    descriptor: &TextureDescriptor,
) -> Result<TextureShape, Error> {
    let &TextureDescriptor { pixel_format, width, height, mipmap_level_count, array_length, .. } = descriptor;
    let largest = width.max(height).max(1);
    let slices = if descriptor.texture_type == TextureKind::D2Array { MAX_SLICES } else { 1 };
    let numbers = [
        ("the width", width, MAX_SIDE),
        ("the height", height, MAX_SIDE),
        ("the level count", mipmap_level_count, largest.ilog2() + 1),
        ("the slice count", array_length, slices),
    ];
    for (what, value, most) in numbers {
        if value == 0 || value > most {
            let (value, most) = (u64::from(value), u64::from(most));
            return Err(ResourceError::Number { call, what, value, least: 1, most }.into());
        }
    }
    Ok(TextureShape { format: pixel_format, width, height, mips: mipmap_level_count, slices: array_length })
}

/// Gives a texture a name in the order engine.
pub(crate) fn register(
    device: &DeviceShared,
    memory: MemoryId,
    bytes: Range<u64>,
    shape: &TextureShape,
    tracking: Tracking,
) -> ResourceId {
    let shape = ResourceShape::Texture { mips: shape.mips, slices: shape.slices };
    device.submission.add_resource(ResourceDescriptor { memory, bytes, shape, tracking })
}

/// Metal's own limits.
const MAX_SIDE: u32 = 16_384;
const MAX_SLICES: u32 = 2_048;
pub(crate) const NOUN: &str = "texture";
