//! What is wrong with a call on a command buffer, an encoder, a queue or an allocator.
use fencepost_core::Stages;

use super::{Cause, ErrorKind};

#[derive(Debug, thiserror::Error)]
pub(crate) enum EncodeError {
    #[error("{call} on {buffer} while {encoder} is open. End that encoder first with `end_encoding`")]
    EncoderOpen { call: &'static str, buffer: String, encoder: String },
    #[error("{call} on {buffer}, which was committed already. Make a new command buffer for more work")]
    Committed { call: &'static str, buffer: String },
    #[error(
        "{call} on {buffer}, which has not begun, or not again since its commit. Call `begin` with a command allocator first"
    )]
    NotBegun { call: &'static str, buffer: String },
    #[error("{call} on {buffer}, which has ended. Commit it, or call `begin` to record it anew")]
    Ended { call: &'static str, buffer: String },
    #[error("`begin` on {buffer}, which has begun already. Call `end` first")]
    BegunTwice { buffer: String },
    #[error("commit of {buffer} before `end`. Call `end` once everything is recorded")]
    NotEnded { buffer: String },
    #[error("{buffer} stands twice in one commit. Record a second command buffer")]
    TwiceInGroup { buffer: String },
    #[error("{call} on {buffer} before its commit would never return. Commit it first")]
    NotCommitted { call: &'static str, buffer: String },
    #[error("{call} belongs to {belongs}, but {object} is {is}. {mend}")]
    WrongMode {
        call: &'static str,
        belongs: &'static str,
        object: String,
        is: &'static str,
        mend: &'static str,
    },
    #[error(
        "{what} belongs to device `{theirs}`, but {user} belongs to another one, `{ours}`. Use objects of one device: \
         each call that opens a device opens another, so open one and clone it"
    )]
    WrongDevice { what: String, theirs: String, user: String, ours: String },
    #[error("{buffer} belongs to another queue than {queue}. Commit it to the queue that made it")]
    WrongQueue { buffer: String, queue: String },
    #[error(
        "{allocator} serves {other}, which is still open. End that command buffer first, or use another allocator"
    )]
    AllocatorShared { allocator: String, other: String },
    #[error(
        "reset of {allocator} while {in_flight} command buffers recorded from it have not completed. \
         Wait for their feedback, or take turns with several allocators"
    )]
    AllocatorInFlight { allocator: String, in_flight: usize },
    #[error(
        "{call} names the stages {named:?}, but {encoder} encodes only {encodable:?}. \
         Leave the others out, or use a queue barrier for work of other passes"
    )]
    Stages { call: &'static str, named: Stages, encoder: String, encodable: Stages },
    #[error(
        "{call} names the stages {named:?} as those to wait for, but {encoder} cannot wait for its own: all draws of a tile are shaded at \
         once. End the pass, and order the next one by a queue barrier or a fence"
    )]
    LateStages { call: &'static str, named: Stages, encoder: String },
    #[error(
        "{encoder} waits for {fence} after updating it in the same pass, which can never be satisfied. \
         Wait before the update, or use a barrier inside the pass"
    )]
    FenceOrder { encoder: String, fence: String },
    #[error("`pop_debug_group` on {object} without an open group. Push one first")]
    NoDebugGroup { object: String },
}

impl Cause for EncodeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::EncoderOpen { .. } => ErrorKind::EncoderOpen,
            Self::Committed { .. } | Self::TwiceInGroup { .. } => ErrorKind::AlreadyCommitted,
            Self::NotBegun { .. } | Self::Ended { .. } | Self::BegunTwice { .. } | Self::NotEnded { .. } => {
                ErrorKind::NotRecording
            }
            Self::NotCommitted { .. } => ErrorKind::NotCommitted,
            Self::WrongMode { .. } => ErrorKind::WrongQueueMode,
            Self::WrongDevice { .. } => ErrorKind::WrongDevice,
            Self::WrongQueue { .. } | Self::NoDebugGroup { .. } => ErrorKind::InvalidArgument,
            Self::AllocatorShared { .. } | Self::AllocatorInFlight { .. } => ErrorKind::AllocatorInUse,
            Self::Stages { .. } | Self::LateStages { .. } => ErrorKind::InvalidStages,
            Self::FenceOrder { .. } => ErrorKind::FenceOrder,
        }
    }
}
