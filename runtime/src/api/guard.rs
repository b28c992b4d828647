//! Guards: the CPU's hold on bytes of a buffer.
//!
//! A hold and a commit look at each other under the device's lock: either the hold comes first and the commit that conflicts with it
//! fails, or the work comes first and the hold waits or is refused. Between the two nothing can slip through.
//!
//! Guards copy values in and out and give no references to the memory. A reference would have to promise that nobody else writes, and
//! that cannot be known: other processes may have the memory, and a program may let waiting work go while it keeps a guard.
use std::fmt;
use std::ops::{Bound, Range, RangeBounds};
use std::panic::Location;
use std::sync::Arc;

use fencepost_core::Extent;

use crate::api::buffer::{NOUN, whole_values};
use crate::api::resource::ResourceCore;
use crate::api::sharing::{CpuHold, Wanted};
use crate::backend::Allocation;
use crate::error::{DeviceError, ResourceError};
use crate::record::BufferBody;
use crate::submit::{Claimant, GuardTaken, Obstruction};
use crate::{Buffer, Error, Pod};

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

/// What to do while something is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meanwhile {
    Sleep,
    Refuse,
}

/// A resource as guards and messages name it.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) call: &'static str,
    pub(crate) core: &'a ResourceCore,
    pub(crate) memory: &'a Arc<dyn Allocation>,
    /// The part, and the resource with its label: asked for in messages alone.
    pub(crate) words: &'a dyn Fn() -> (String, String),
}

impl Buffer {
    /// Holds bytes for reading. It sleeps until no work in flight writes them and no write guard of another thread holds them; from then
    /// on, until the guard is dropped, work that would write them cannot be committed.
    ///
    /// It sleeps for ever where that work waits for something that never comes; [`Device::stuck_waits`](crate::Device::stuck_waits) then
    /// says for what. What stands behind a wait for a shared event that only the CPU can release is not waited for (rule 7.2.2).
    ///
    /// ```
    /// use fencepost::Device;
    /// let device = Device::cpu();
    /// let (queue, buffer) = (device.new_command_queue(), device.new_buffer(64, Default::default())?);
    /// let work = queue.command_buffer();
    /// let mut blit = work.blit_command_encoder()?;
    /// blit.fill_buffer(&buffer, .., 7)?;
    /// blit.end_encoding();
    /// work.commit()?;
    /// assert_eq!(buffer.read_guard(..4)?.read::<u8>(..)?, [7; 4]);
    /// # Ok::<(), fencepost::Error>(())
    /// ```
    ///
    /// # Errors
    /// A range outside of the buffer; private storage; a write guard of this same thread that holds some of the bytes.
    #[doc(alias = "contents")]
    #[track_caller]
    pub fn read_guard(&self, range: impl RangeBounds<u64>) -> Result<BufferReadGuard, Error> {
        let held = self.take("`read_guard`", range, false, Meanwhile::Sleep)?;
        Ok(BufferReadGuard { held })
    }

    /// The same without sleeping.
    ///
    /// # Errors
    /// As [`read_guard`](Self::read_guard); also work in flight that writes the bytes, which the error names, and any write guard that
    /// holds them.
    #[track_caller]
    pub fn try_read_guard(&self, range: impl RangeBounds<u64>) -> Result<BufferReadGuard, Error> {
        let held = self.take("`try_read_guard`", range, false, Meanwhile::Refuse)?;
        Ok(BufferReadGuard { held })
    }

    /// Holds bytes for reading and writing. It sleeps until no work in flight uses them and no guard of another thread holds them; from
    /// then on, until the guard is dropped, work that would use them cannot be committed. It may sleep for ever as
    /// [`read_guard`](Self::read_guard) may.
    ///
    /// # Errors
    /// A range outside of the buffer; private storage; a guard of this same thread that holds some of the bytes.
    #[doc(alias = "contents")]
    #[track_caller]
    pub fn write_guard(&self, range: impl RangeBounds<u64>) -> Result<BufferWriteGuard, Error> {
        let held = self.take("`write_guard`", range, true, Meanwhile::Sleep)?;
        Ok(BufferWriteGuard { held })
    }

    /// The same without sleeping.
    ///
    /// # Errors
    /// As [`write_guard`](Self::write_guard); also work in flight that uses the bytes, which the error names, and any guard that holds
    /// them.
    #[track_caller]
    pub fn try_write_guard(&self, range: impl RangeBounds<u64>) -> Result<BufferWriteGuard, Error> {
        let held = self.take("`try_write_guard`", range, true, Meanwhile::Refuse)?;
        Ok(BufferWriteGuard { held })
    }

    #[track_caller]
    fn take(
        &self,
        call: &'static str,
        range: impl RangeBounds<u64>,
        write: bool,
        meanwhile: Meanwhile,
    ) -> Result<Held, Error> {
        let range = self.range(call, range)?;
        self.body.core.check_cpu_access(call, NOUN)?;
        let words = || in_words(&self.body, &range);
        let subject = Subject { call, core: &self.body.core, memory: &self.body.allocation, words: &words };
        let hold = subject.take(&wanted(&self.body, &range, write), meanwhile, Location::caller())?;
        Ok(Held { body: Arc::clone(&self.body), range, _hold: hold })
    }
}

impl BufferReadGuard {
    /// Copies values out. The range is in bytes.
    ///
    /// # Errors
    /// A range outside of what is held, or with part of a value; no memory for the values.
    #[track_caller]
    pub fn read<T: Pod>(&self, range: impl RangeBounds<u64>) -> Result<Vec<T>, Error> {
        self.held.read(range)
    }

    /// Copies values out into `values`, from byte `offset` on.
    ///
    /// # Errors
    /// Values that reach beyond what is held.
    #[track_caller]
    pub fn read_into<T: Pod>(&self, offset: u64, values: &mut [T]) -> Result<(), Error> {
        self.held.read_into(offset, values)
    }

    /// How many bytes are held.
    pub fn length(&self) -> u64 {
        self.held.length()
    }
}

impl BufferWriteGuard {
    /// Copies values out. The range is in bytes.
    ///
    /// # Errors
    /// A range outside of what is held, or with part of a value; no memory for the values.
    #[track_caller]
    pub fn read<T: Pod>(&self, range: impl RangeBounds<u64>) -> Result<Vec<T>, Error> {
        self.held.read(range)
    }

    /// Copies values out into `values`, from byte `offset` on.
    ///
    /// # Errors
    /// Values that reach beyond what is held.
    #[track_caller]
    pub fn read_into<T: Pod>(&self, offset: u64, values: &mut [T]) -> Result<(), Error> {
        self.held.read_into(offset, values)
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
    fn length(&self) -> u64 {
        self.range.end - self.range.start
    }

    #[track_caller]
    fn read<T: Pod>(&self, range: impl RangeBounds<u64>) -> Result<Vec<T>, Error> {
        const CALL: &str = "`read` of a guard";
        let (start, end) = bounds(range, self.length());
        let range = self.part(CALL, start, end)?;
        let mut values = zeros(whole_values::<T>(CALL, &range)?)?;
        self.copy_out(range, bytemuck::cast_slice_mut(&mut values));
        Ok(values)
    }

    #[track_caller]
    fn read_into<T: Pod>(&self, offset: u64, values: &mut [T]) -> Result<(), Error> {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(values);
        let end = offset.saturating_add(bytes.len() as u64);
        let range = self.part("`read_into` of a guard", offset, end)?;
        self.copy_out(range, bytes);
        Ok(())
    }

    #[track_caller]
    fn copy_out(&self, range: Range<u64>, bytes: &mut [u8]) {
        let (memory, start) = self.body.cpu_memory();
        memory.read(start + range.start, bytes);
        self.body.tell_read(range);
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

impl Subject<'_> {
    /// Takes a guard.
    pub(crate) fn take(
        &self,
        wanted: &Wanted,
        meanwhile: Meanwhile,
        site: &'static Location<'static>,
    ) -> Result<CpuHold, Error> {
        let by = Claimant::guard(site);
        let hold = match meanwhile {
            Meanwhile::Sleep => {
                self.core.hold_when_free(wanted, by).map_err(|guard| self.waits_for_itself(guard))?
            }
            Meanwhile::Refuse => self.hold(wanted, by)?,
        };
        // Whoever holds the bytes has seen the end of all that was in the way.
        self.core.device.watch.learn(self.memory, site);
        for (device, _) in self.core.views_elsewhere() {
            device.watch.learn(self.memory, site);
        }
        Ok(hold)
    }

    /// Holds a part while the CPU copies.
    pub(crate) fn copy(&self, wanted: &Wanted) -> Result<CpuHold, Error> {
        self.hold(wanted, Claimant::copy())
    }

    fn hold(&self, wanted: &Wanted, by: Claimant) -> Result<CpuHold, Error> {
        self.core.hold(wanted, by).map_err(|refusal| {
            let (part, resource) = (self.words)();
            conflict(self.call, part, resource, &refusal.obstruction, wanted.write)
        })
    }

    #[cold]
    fn waits_for_itself(&self, guard: GuardTaken) -> Error {
        let (part, resource) = (self.words)();
        let waits = ", so that this thread would wait for itself";
        ResourceError::GuardInTheWay { call: self.call, part, resource, guard, waits }.into()
    }
}

/// Words what stands in the CPU's way.
#[cold]
pub(crate) fn conflict(
    call: &'static str,
    part: String,
    resource: String,
    obstruction: &Obstruction,
    write: bool,
) -> Error {
    match obstruction {
        Obstruction::Guard(guard) => {
            ResourceError::GuardInTheWay { call, part, resource, guard: *guard, waits: "" }.into()
        }
        Obstruction::Work(command) => {
            let does = if write { "uses it" } else { "writes it" };
            let mend = "Wait until that command buffer has completed";
            let command = command.to_string();
            ResourceError::InFlight { call, part, resource, command, does, mend }.into()
        }
    }
}

/// Holds bytes of a buffer while the CPU copies, or says what uses them.
pub(crate) fn hold(
    call: &'static str,
    body: &Arc<BufferBody>,
    range: &Range<u64>,
    write: bool,
) -> Result<CpuHold, Error> {
    let words = || in_words(body, range);
    let subject = Subject { call, core: &body.core, memory: &body.allocation, words: &words };
    subject.copy(&wanted(body, range, write))
}

fn wanted(body: &BufferBody, range: &Range<u64>, write: bool) -> Wanted {
    let bytes = body.offset + range.start..body.offset + range.end;
    Wanted { part: Extent::Bytes(range.clone()), bytes: Some(bytes), write }
}

fn in_words(body: &BufferBody, range: &Range<u64>) -> (String, String) {
    (format!("bytes {}..{}", range.start, range.end), body.core.label.of(NOUN))
}

/// Values to copy into: memory for them may be too much to ask for.
pub(crate) fn zeros<T: Pod>(count: usize) -> Result<Vec<T>, Error> {
    bytemuck::allocation::try_zeroed_vec(count).map_err(|()| {
        let bytes = (count as u64).saturating_mul(size_of::<T>() as u64);
        DeviceError::OutOfMemory { bytes }.into()
    })
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
