//! Access expressions: `A`, `A:0..64`, `T:mip1`, `T:mip0..2,slice3`.

use core::ops::Range;

use fencepost_core::Extent;
use fencepost_core::program::{Part, ResourceIndex, Shape};
use miette::SourceSpan;

use super::super::document::Entry;
use super::super::error::{Fault, FaultKind};
use super::Parser;
use super::fields::{Fields, items, text};
use super::names::Kind;

/// A part of an access expression that names no part of the resource.
enum Wrong {
    /// It is not of the form.
    Form,
    /// It is, but the resource has no such part.
    Beyond,
}

impl Parser<'_> {
    /// The part of a resource that an entry names.
    pub(super) fn access(&mut self, entry: &Entry<'_>) -> Option<Part> {
        let expression = text(&mut self.faults, entry)?;
        self.expression(expression, entry.value_span)
    }

    /// The parts that a property names, none where it is absent.
    pub(super) fn accesses(&mut self, fields: &mut Fields<'_, '_>, name: &'static str) -> Option<Vec<Part>> {
        let Some(entry) = fields.property(name) else { return Some(Vec::new()) };
        let list = text(&mut self.faults, entry)?;
        let parts: Vec<Option<Part>> =
            items(entry, list).map(|(expression, span)| self.expression(expression, span)).collect();
        parts.into_iter().collect()
    }

    /// What an entry names, which is no range of bytes.
    pub(super) fn whole_or_images(&mut self, entry: &Entry<'_>) -> Option<Part> {
        let part = self.access(entry)?;
        if let Extent::Bytes(_) = part.extent {
            let text = text(&mut self.faults, entry)?.to_owned();
            let fault = Fault::new(FaultKind::BadAccess { text }, entry.value_span, "a range of bytes");
            self.faults.add(fault.help("a buffer stands here as a whole, a texture also by mips and slices"));
            return None;
        }
        Some(part)
    }

    /// The resource that an entry names, as a whole.
    pub(super) fn whole_resource(&mut self, entry: &Entry<'_>) -> Option<ResourceIndex> {
        let name = text(&mut self.faults, entry)?;
        self.resource_name(name, entry.value_span)
    }

    pub(super) fn resource_name(&mut self, name: &str, span: SourceSpan) -> Option<ResourceIndex> {
        if let Some((resource, _)) = name.split_once(':') {
            let fault =
                Fault::new(FaultKind::BadAccess { text: name.to_owned() }, span, "a part of a resource");
            self.faults.add(fault.help(format!("only a whole resource can stand here: `{resource}`")));
            return None;
        }
        let named = self.names.resolve(&mut self.faults, Kind::Resource, name, span)?;
        (!named.broken).then_some(ResourceIndex(named.index))
    }

    /// The texture that an entry names, as a whole.
    pub(super) fn whole_texture(&mut self, entry: &Entry<'_>) -> Option<ResourceIndex> {
        let resource = self.whole_resource(entry)?;
        self.texture_only(resource, entry.value_span)
    }

    pub(super) fn texture_only(
        &mut self,
        resource: ResourceIndex,
        span: SourceSpan,
    ) -> Option<ResourceIndex> {
        if let Shape::Texture { .. } = self.program.resource(resource).shape {
            return Some(resource);
        }
        let name = self.program.resource(resource).name.clone();
        let kind = FaultKind::WrongKind { name, expected: "a texture", found: "a buffer" };
        let fault = Fault::new(kind, span, "expected a texture").help("name a texture here");
        self.faults.add(match self.places.resource(resource) {
            Some(declaration) => fault.other(declaration, "declared here"),
            None => fault,
        });
        None
    }

    fn expression(&mut self, expression: &str, span: SourceSpan) -> Option<Part> {
        let (name, part) = match expression.split_once(':') {
            Some((name, part)) => (name, Some(part)),
            None => (expression, None),
        };
        let named = self.names.resolve(&mut self.faults, Kind::Resource, name, span)?;
        if named.broken {
            return None;
        }
        let resource = ResourceIndex(named.index);
        let Some(part) = part else { return Some(resource.whole()) };
        let (extent, form, size) = match self.program.resource(resource).shape {
            Shape::Buffer { size, .. } => {
                (bytes(part, size), format!("`{name}:0..64`, half open, in bytes"), format!("{size} bytes"))
            }
            Shape::Texture { mips, slices, .. } => (
                subresources(part, mips, slices),
                format!("`{name}:mip1`, `{name}:slice0..2` or `{name}:mip0..2,slice3`, ranges half open"),
                format!("{} and {}", counted(mips, "mip level"), counted(slices, "slice")),
            ),
        };
        match extent {
            Ok(extent) => Some(Part { resource, extent }),
            Err(wrong) => {
                self.faults.add(wrong.fault(expression, name, span, &form, &size));
                None
            }
        }
    }
}

impl Wrong {
    fn fault(self, expression: &str, name: &str, span: SourceSpan, form: &str, size: &str) -> Fault {
        let text = expression.to_owned();
        match self {
            Self::Form => Fault::new(FaultKind::BadAccess { text }, span, "not a part of this resource")
                .help(format!("write {form}, or `{name}` for all of it")),
            Self::Beyond => {
                let what = format!("`{name}`");
                Fault::new(FaultKind::OutsideResource { text, what }, span, format!("`{name}` has {size}"))
                    .help("name a part that is there, or declare the resource larger")
            }
        }
    }
}

fn counted(count: u32, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn bytes(part: &str, size: u64) -> Result<Extent, Wrong> {
    let (start, end) = part.split_once("..").ok_or(Wrong::Form)?;
    let range = number(start)?..number(end)?;
    if range.start > range.end {
        return Err(Wrong::Form);
    }
    if range.end > size { Err(Wrong::Beyond) } else { Ok(Extent::Bytes(range)) }
}

fn subresources(part: &str, mips: u32, slices: u32) -> Result<Extent, Wrong> {
    let (mut mip, mut slice) = (None, None);
    for piece in part.split(',') {
        let (place, range, there) = if let Some(range) = piece.strip_prefix("mip") {
            (&mut mip, range, mips)
        } else {
            (&mut slice, piece.strip_prefix("slice").ok_or(Wrong::Form)?, slices)
        };
        if place.replace(levels(range, there)?).is_some() {
            return Err(Wrong::Form);
        }
    }
    Ok(Extent::Subresources { mips: mip.unwrap_or(0..mips), slices: slice.unwrap_or(0..slices) })
}

fn levels(range: &str, there: u32) -> Result<Range<u32>, Wrong> {
    let (start, end) = match range.split_once("..") {
        Some((start, end)) => (number(start)?, number(end)?),
        None => {
            let start = number(range)?;
            (start, start.saturating_add(1))
        }
    };
    if start > end {
        return Err(Wrong::Form);
    }
    match u32::try_from(end) {
        // The start is not behind the end, which fits.
        Ok(end) if end <= there => Ok(start as u32..end),
        _ => Err(Wrong::Beyond),
    }
}

fn number(text: &str) -> Result<u64, Wrong> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Wrong::Form);
    }
    // Only digits: what does not fit is a number too large for any resource.
    text.parse().map_err(|_| Wrong::Beyond)
}
