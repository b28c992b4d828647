//! Commands as recorded: everything a backend needs to run one, everything the order engine needs to place it.
//!
//! The commonest command, a dispatch, must cost tens of nanoseconds to record. So commands hold indices into tables of their
//! recording: a buffer bound a thousand times is counted once, and dispatches with the same bindings share one list of them.
use std::ops::Range;

use fencepost_core::program::{LoadAction, StoreAction};
use fencepost_core::{Access, FenceId, Stages, Visibility};
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::record::{BufferBody, BufferSlice, TextureBody, TextureRegion};
use crate::signal::{EventBody, SignalRight};
use crate::{BarrierScope, DispatchType, PassKind};
use std::sync::Arc;

/// One thing in a recording.
#[derive(Debug)]
pub(crate) enum Item {
    BeginPass {
        kind: PassKind,
        dispatch_type: DispatchType,
        label: Option<u32>,
    },
    /// What the render pass that was just begun draws to: a range of `attachments`. The accesses of each of its draws end with
    /// theirs; what it does to them without a draw is a command of the fragment stage alone.
    Attach {
        attachments: Range<u32>,
    },
    /// The next of `commands`, one for each of the stages and in their order. Accesses are a range of the recording's `accesses`;
    /// commands may share one.
    Command {
        stages: Stages,
        label: Option<u32>,
        accesses: Range<u32>,
    },
    /// The next command makes these accesses through pointers: tracking does not see them, guards of the CPU do.
    Hidden {
        accesses: Range<u32>,
    },
    /// Later commands of this pass may use these accesses through pointers: tracking protects them (`use_resource`).
    Declare {
        accesses: Range<u32>,
    },
    Barrier {
        after: Stages,
        before: Stages,
        visibility: Visibility,
    },
    /// Metal 3: between the dispatches of a concurrent encoder; ignored in a serial one. Resources are a range of `accesses`
    /// (whole-resource accesses); an empty range means the scope counts.
    MemoryBarrier {
        scope: BarrierScope,
        resources: Range<u32>,
        after: Stages,
        before: Stages,
    },
    ConsumerBarrier {
        after_queue: Stages,
        before: Stages,
        visibility: Visibility,
    },
    ProducerBarrier {
        after: Stages,
        before_queue: Stages,
        visibility: Visibility,
    },
    UpdateFence {
        fence: FenceId,
        after: Stages,
    },
    WaitForFence {
        fence: FenceId,
        before: Stages,
    },
    EndPass,
    SignalEvent {
        event: SignalRight,
        value: u64,
    },
    WaitForEvent {
        event: Arc<EventBody>,
        value: u64,
    },
}

impl Item {
    /// Whether it is a synchronization with an empty set of stages. Recorded only for those who watch.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Self::Barrier { after, before, .. }
            | Self::MemoryBarrier { after, before, .. }
            | Self::ConsumerBarrier { after_queue: after, before, .. }
            | Self::ProducerBarrier { after, before_queue: before, .. } => {
                after.is_empty() || before.is_empty()
            }
            Self::UpdateFence { after: stages, .. } | Self::WaitForFence { before: stages, .. } => {
                stages.is_empty()
            }
            _ => false,
        }
    }

    /// The event of an event operation.
    pub(crate) fn event(&self) -> Option<&Arc<EventBody>> {
        match self {
            Self::SignalEvent { event, .. } => Some(event.body()),
            Self::WaitForEvent { event, .. } => Some(event),
            _ => None,
        }
    }
}

/// What a backend runs: the work of one stage. Indices and ranges point into the recording.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// `pipeline` of `pipelines`, `bindings` of `bindings` in the order of the function's own.
    Dispatch { pipeline: u32, bindings: Range<u32>, grid: Grid },
    /// Three `u32` group counts in a buffer, read when the command runs.
    DispatchIndirect { pipeline: u32, bindings: Range<u32>, arguments: BoundBuffer },
    /// As a dispatch; then the colours that it has left in memory of its own go to the attachment as `output` of `outputs` says.
    Fragments { pipeline: u32, bindings: Range<u32>, grid: Grid, output: u32 },
    /// One of `transfers`.
    Transfer(u32),
    /// Orders like a command and does nothing (content optimization where the layout never changes).
    Nothing,
}

/// What moves bytes without a kernel.
#[derive(Clone, Debug)]
pub(crate) enum Transfer {
    CopyBuffer {
        source: BufferSlice,
        destination: BufferSlice,
    },
    CopyBufferToTexture {
        source: BufferSlice,
        layout: LinearLayout,
        destination: TextureRegion,
    },
    CopyTextureToBuffer {
        source: TextureRegion,
        destination: BufferSlice,
        layout: LinearLayout,
    },
    /// Regions of equal size and texel size.
    CopyTexture {
        source: TextureRegion,
        destination: TextureRegion,
    },
    FillBuffer {
        destination: BufferSlice,
        value: u8,
    },
    /// Bytes of slices in their order, of as many bytes on both sides. What overlaps comes out as if by way of a third place.
    CopyParts {
        source: Vec<BufferSlice>,
        destination: Vec<BufferSlice>,
    },
    FillParts {
        destination: Vec<BufferSlice>,
        value: u8,
    },
    /// These bytes of the GPU come to the CPU's copy of a managed buffer.
    SynchronizeBuffer {
        buffer: Arc<BufferBody>,
        parts: SmallVec<[Range<u64>; 1]>,
    },
    /// The same for levels and slices of a texture.
    SynchronizeTexture {
        texture: Arc<TextureBody>,
        mips: Range<u32>,
        slices: Range<u32>,
    },
    /// Every level of the view from the one above it.
    GenerateMipmaps {
        texture: super::TextureView,
    },
}

/// How many invocations a dispatch starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    /// Workgroups in x, y, z.
    pub(crate) groups: [u32; 3],
    /// Invocations in x, y, z where the last groups are partial (`dispatch_threads`): lanes beyond do not run.
    pub(crate) threads: Option<[u32; 3]>,
}

/// The most workgroups of one dispatch in x, y and z: what every driver of the last ten years takes.
pub(crate) const MAX_GROUPS: [u32; 3] = [0x7fff_ffff, 65_535, 65_535];

impl Grid {
    /// Whether a dispatch may start so many groups of so many threads: within [`MAX_GROUPS`], and every invocation's place fits `u32`.
    pub(crate) fn fits(groups: [u32; 3], threads_per_group: [u32; 3]) -> bool {
        (0..3).all(|axis| {
            let invocations = u64::from(groups[axis]) * u64::from(threads_per_group[axis]);
            groups[axis] <= MAX_GROUPS[axis] && invocations <= 1 << 32
        })
    }
}

/// One resource bound to a dispatch, in the order of the function's bindings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bound {
    Buffer(BoundBuffer),
    /// `set_bytes`: words of the recording's `words`, padded with zeros to 4 bytes.
    Bytes {
        words: Range<u32>,
    },
    /// One of `textures`.
    Texture(u32),
    /// One of `samplers`.
    Sampler(u32),
}

/// Bytes of one of the recording's `buffers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BoundBuffer {
    /// Index into `buffers`.
    pub(crate) buffer: u32,
    /// Bytes from the start of the buffer. A multiple of 4.
    pub(crate) offset: u64,
    /// Bytes. A multiple of 4.
    pub(crate) length: u64,
}

/// Where the colours of a draw go. Draws of one pass that nothing orders run side by side, and still every pixel is the last draw's
/// (rule 1.3.7): so each leaves its colours apart, and a pixel is taken over unless a later draw has been there.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// The colours of this draw, pixel by pixel.
    pub(crate) colors: BoundBuffer,
    /// Pixels that one group of the dispatch computes.
    pub(crate) pixels_of_group: u64,
    /// The pixels of the attachment, in the same order.
    pub(crate) attachment: SmallVec<[BoundBuffer; 1]>,
    /// The number of the draw in its pass, from 1.
    pub(crate) draw: u32,
    /// Which draw was last at each pixel, for all draws of the pass.
    pub(crate) last: Arc<Mutex<Vec<u32>>>,
}

/// What a render pass draws to.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    /// As its draws touch it.
    pub(crate) access: Access,
    pub(crate) is_depth: bool,
    pub(crate) load: LoadAction,
    pub(crate) store: StoreAction,
}

/// Rows in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinearLayout {
    pub(crate) bytes_per_row: u64,
    pub(crate) bytes_per_image: u64,
}
