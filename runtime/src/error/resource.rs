//! What is wrong with a call on a buffer, a texture or a heap.
use std::ops::Range;

use super::{Cause, ErrorKind};
use crate::submit::GuardTaken;
use crate::{PixelFormat, PurgeableState, StorageMode};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ResourceError {
    #[error(
        "{call}: bytes {start}..{end} are outside of {buffer}, which has {length} bytes. Ask for a part of it"
    )]
    Bytes { call: &'static str, start: u64, end: u64, buffer: String, length: u64 },
    #[error("{call}: {what} {asked:?} is outside of {texture}, which has {has}. Ask for a part of it")]
    Texels { call: &'static str, what: &'static str, asked: Range<u64>, texture: String, has: String },
    #[error("{call}: {what} is {value}, but must be a multiple of {multiple}. Round it")]
    Alignment { call: &'static str, what: &'static str, value: u64, multiple: u64 },
    #[error("{call}: {what} is {value}, but must be from {least} to {most}")]
    Number { call: &'static str, what: &'static str, value: u64, least: u64, most: u64 },
    #[error("{call}: {count} bytes are given where {needed} are needed. {mend}")]
    Count { call: &'static str, count: u64, needed: u64, mend: &'static str },
    #[error("{call}: {left} and {right} differ in {what} ({left_value} and {right_value}). {mend}")]
    Mismatch {
        call: &'static str,
        left: String,
        right: String,
        what: &'static str,
        left_value: String,
        right_value: String,
        mend: &'static str,
    },
    #[error(
        "{call}: source and destination overlap in {resource} ({source_range} and {destination_range}). Copy in two steps"
    )]
    Overlap { call: &'static str, resource: String, source_range: String, destination_range: String },
    #[error("{call}: {texture} has the format {format:?}, which {why}. {mend}")]
    Format { call: &'static str, texture: String, format: PixelFormat, why: &'static str, mend: &'static str },
    #[error("{call}: {texture} was made without the usage {usage}. Add it to its descriptor")]
    Usage { call: &'static str, texture: String, usage: &'static str },
    #[error("{call}: the CPU cannot reach {resource}, whose storage mode is {mode:?}. {mend}")]
    Storage { call: &'static str, resource: String, mode: StorageMode, mend: &'static str },
    #[error(
        "{call} on {resource}, whose storage mode is {mode:?}: it has no second copy. Leave the call out, or make the resource managed"
    )]
    NotManaged { call: &'static str, resource: String, mode: StorageMode },
    #[error(
        "{call} of {resource}, which is memoryless: it has no bytes, and what it holds lives inside a render pass alone. \
         Make it private"
    )]
    Memoryless { call: &'static str, resource: String },
    #[error("{call} with storage mode {mode:?}. {mend}")]
    NoSuchStorage { call: &'static str, mode: StorageMode, mend: &'static str },
    #[error(
        "{call} of {resource}, whose purgeable state is {state:?}: its content is not there to be used. \
         Make it `NonVolatile` first, and look whether that call answers `Empty`"
    )]
    Purgeable { call: &'static str, resource: String, state: PurgeableState },
    #[error("`set_purgeable_state` on {resource}, {why}. {mend}")]
    NotPurgeable { resource: String, why: &'static str, mend: &'static str },
    #[error("{call}: {what} {asked} is asked for on {heap}, whose own is {own}. Use the heap's")]
    HeapMode { call: &'static str, what: &'static str, asked: String, heap: String, own: String },
    #[error(
        "{call}: tracked hazards are asked for on {heap}, which is untracked. Make the heap tracked, or order the uses yourself"
    )]
    HeapTracking { call: &'static str, heap: String },
    #[error("{call} belongs to {belongs} heaps, but {heap} is of the other kind. {mend}")]
    HeapKind { call: &'static str, belongs: &'static str, heap: String, mend: &'static str },
    #[error(
        "{call}: {needed} bytes are needed on {heap}, where the largest free piece has {largest} of {size} bytes. \
         Make resources aliasable once they are done with, or make a larger heap"
    )]
    HeapFull { call: &'static str, needed: u64, heap: String, largest: u64, size: u64 },
    #[error("`make_aliasable` on {resource}, {why}. {mend}")]
    NotAliasable { resource: String, why: &'static str, mend: &'static str },
    #[error(
        "{call}: {resource} was made aliasable, and its memory belongs to another resource of {heap} by now. \
         Make a new resource on the heap"
    )]
    Reused { call: &'static str, resource: String, heap: String },
    #[error("{call} of {part} of {resource} while {command} in flight {does}. {mend}")]
    InFlight {
        call: &'static str,
        part: String,
        resource: String,
        command: String,
        does: &'static str,
        mend: &'static str,
    },
    #[error("{call} of {resource} while the CPU holds some of its memory by a guard. Drop the guard first")]
    HeldByGuard { call: &'static str, resource: String },
    #[error("{call} of {part} of {resource}, which the CPU holds by {guard}{waits}. Drop that guard first")]
    GuardInTheWay {
        call: &'static str,
        part: String,
        resource: String,
        guard: GuardTaken,
        /// Why it is not waited for, where it could be.
        waits: &'static str,
    },
    #[error("{call} with a usage that says neither read nor write. Say what the kernels do")]
    NoUsage { call: &'static str },
    #[error("{what}: that range is empty or starts below 0. Give the lower level first")]
    Levels { what: String },
    #[error("{what} is not supported. {mend}")]
    Unsupported { what: String, mend: &'static str },
}

impl Cause for ResourceError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Bytes { .. } | Self::Texels { .. } => ErrorKind::OutOfBounds,
            Self::Alignment { .. } => ErrorKind::Misaligned,
            Self::Number { .. }
            | Self::Count { .. }
            | Self::Mismatch { .. }
            | Self::Overlap { .. }
            | Self::Format { .. }
            | Self::Usage { .. }
            | Self::HeapKind { .. }
            | Self::NoUsage { .. }
            | Self::Levels { .. } => ErrorKind::InvalidArgument,
            Self::Storage { .. }
            | Self::NotManaged { .. }
            | Self::HeapMode { .. }
            | Self::Memoryless { .. }
            | Self::NoSuchStorage { .. } => ErrorKind::WrongStorageMode,
            Self::Purgeable { .. } | Self::NotPurgeable { .. } => ErrorKind::Purgeable,
            Self::HeapTracking { .. } => ErrorKind::WrongTrackingMode,
            Self::HeapFull { .. } => ErrorKind::HeapExhausted,
            Self::NotAliasable { .. } | Self::Reused { .. } => ErrorKind::Aliasing,
            Self::InFlight { .. } | Self::HeldByGuard { .. } | Self::GuardInTheWay { .. } => {
                ErrorKind::InFlight
            }
            Self::Unsupported { .. } => ErrorKind::Unsupported,
        }
    }
}
