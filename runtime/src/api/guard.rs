//! Guards: the CPU's hold on bytes of a buffer.
//!
//! A hold and a commit look at each other under the device's lock: either the hold comes first and the commit that conflicts with it
//! fails, or the work comes first and the hold does. Between the two nothing can slip through.
use std::fmt;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;

use fencepost_core::Extent;

use crate::api::buffer::{NOUN, whole_values};
use crate::api::sharing::CpuHold;
use crate::error::ResourceError;
use crate::record::BufferBody;
use crate::submit::InFlight;
use crate::{Error, Pod};

/// Bytes of a buffer held for reading. Offsets count from the start of the held range.
///
/// ```
/// use fencepost::Device;
/// let buffer = Device::cpu().new_buffer_with_data(&[1u32, 2, 3, 4], Default::default())?;
/// let guard = buffer.read_guard(4..12)?;
/// assert_eq!(guard.read::<u32>(..)?, [2, 3]);
/// # Ok::<(), fencepost::Error>(())
/// ```
pub struct BufferReadGuard {
    held: Held,
}

/// Bytes of a buffer held for reading and writing. Offsets count from the start of the held range.
///
/// ```
/// use fencepost::Device;
/// let buffer = Device::cpu().new_buffer(16, Default::default())?;
/// let guard = buffer.write_guard(8..)?;
/// guard.write(4, &[7u32])?;
/// drop(guard);
/// assert_eq!(buffer.read::<u32>(..)?, [0, 0, 0, 7]);
/// # Ok::<(), fencepost::Error>(())
/// ```
pub struct BufferWriteGuard {
    held: Held,
}

struct Held {
    body: Arc<BufferBody>,
    range: Range<u64>,
    _hold: CpuHold,
}

impl BufferReadGuard {
    pub(crate) fn new(call: &'static str, body: &Arc<BufferBody>, range: Range<u64>) -> Result<Self, Error> {
        Ok(Self { held: Held::new(call, body, range, false)? })
    }

    /// Copies values out. The range is in bytes.
    ///
    /// # Errors
    /// A range outside of what is held, or with part of a value.
    #[track_caller]
    pub fn read<T: Pod>(&self, range: impl RangeBounds<u64>) -> Result<Vec<T>, Error> {
        self.held.read(range)
    }

    /// How many bytes are held.
    pub fn length(&self) -> u64 {
        self.held.length()
    }
}

impl BufferWriteGuard {
    pub(crate) fn new(call: &'static str, body: &Arc<BufferBody>, range: Range<u64>) -> Result<Self, Error> {
        Ok(Self { held: Held::new(call, body, range, true)? })
    }

    /// Copies values out. The range is in bytes.
    ///
    /// # Errors
    /// A range outside of what is held, or with part of a value.
    #[track_caller]
    pub fn read<T: Pod>(&self, range: impl RangeBounds<u64>) -> Result<Vec<T>, Error> {
        self.held.read(range)
    }

    /// Copies values in, from byte `offset` on.
    ///
    /// # Errors
    /// Values that reach beyond what is held.
    #[track_caller]
    pub fn write<T: Pod>(&self, offset: u64, values: &[T]) -> Result<(), Error> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let end = offset.saturating_add(bytes.len() as u64);
        let range = self.held.part("`write` of a guard", offset, end)?;
        self.held.body.tell_write(range.clone());
        let (memory, start) = self.held.body.cpu_memory();
        memory.write(start + range.start, bytes);
        Ok(())
    }

    /// How many bytes are held.
    pub fn length(&self) -> u64 {
        self.held.length()
    }
}

impl Held {
    fn new(
        call: &'static str,
        body: &Arc<BufferBody>,
        range: Range<u64>,
        write: bool,
    ) -> Result<Self, Error> {
        let hold = hold(call, body, range.clone(), write)?;
        Ok(Self { body: Arc::clone(body), range, _hold: hold })
    }

    fn length(&self) -> u64 {
        self.range.end - self.range.start
    }

    #[track_caller]
    fn read<T: Pod>(&self, range: impl RangeBounds<u64>) -> Result<Vec<T>, Error> {
        const CALL: &str = "`read` of a guard";
        let (start, end) = bounds(range, self.length());
        let range = self.part(CALL, start, end)?;
        let mut values = vec![T::zeroed(); whole_values::<T>(CALL, &range)?];
        let (memory, start) = self.body.cpu_memory();
        memory.read(start + range.start, bytemuck::cast_slice_mut(&mut values));
        self.body.tell_read(range);
        Ok(values)
    }

    /// Bytes of the buffer, from bytes of the held range.
    fn part(&self, call: &'static str, start: u64, end: u64) -> Result<Range<u64>, Error> {
        if start > end || end > self.length() {
            let buffer = format!("the held part of {}", self.body.core.label.of(NOUN));
            return Err(ResourceError::Bytes { call, start, end, buffer, length: self.length() }.into());
        }
        Ok(self.range.start + start..self.range.start + end)
    }
}

/// Holds bytes of a buffer, or says which command uses them.
pub(crate) fn hold(
    call: &'static str,
    body: &Arc<BufferBody>,
    range: Range<u64>,
    write: bool,
) -> Result<CpuHold, Error> {
    let core = &body.core;
    let bytes = body.offset + range.start..body.offset + range.end;
    core.hold(&Extent::Bytes(range.clone()), Some(bytes), write).map_err(|in_flight| {
        let part = format!("bytes {}..{}", range.start, range.end);
        conflict(call, part, core.label.of(NOUN), &in_flight, write)
    })
}

/// Words a conflict with work in flight.
#[cold]
pub(crate) fn conflict(
    call: &'static str,
    part: String,
    resource: String,
    in_flight: &InFlight,
    write: bool,
) -> Error {
    let does = if write { "uses it" } else { "writes it" };
    let mend = "Wait until that command buffer has completed";
    ResourceError::InFlight { call, part, resource, command: in_flight.to_string(), does, mend }.into()
}

/// Start and end of a range of at most `length` bytes.
pub(crate) fn bounds(range: impl RangeBounds<u64>, length: u64) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => last.saturating_add(1),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => length,
    };
    (start, end)
}

impl fmt::Debug for BufferReadGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferReadGuard").field("range", &self.held.range).finish_non_exhaustive()
    }
}

impl fmt::Debug for BufferWriteGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferWriteGuard").field("range", &self.held.range).finish_non_exhaustive()
    }
}
