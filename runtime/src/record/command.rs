//! Commands as recorded: everything a backend needs to run one, everything the order engine needs to place it.
use std::ops::Range;
use std::sync::Arc;

use fencepost_core::{Access, FenceId, Stages, Visibility};
use smallvec::SmallVec;

use crate::backend::Pipeline;
use crate::record::{BufferSlice, SamplerBody, TextureView};
use crate::signal::EventBody;
use crate::{BarrierScope, DispatchType, PassKind};

/// A finished recording, immutable from commit on. Shared with the backend while in flight.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    /// The order of everything: passes, commands, synchronization, event operations.
    pub(crate) items: Vec<Item>,
    /// Commands in the order of [`Item::Command`].
    pub(crate) commands: Vec<Command>,
    /// Per command: its accesses, as a range of `accesses`.
    pub(crate) command_accesses: Vec<Range<u32>>,
    /// Accesses of all commands and of all declarations.
    pub(crate) accesses: Vec<Access>,
    /// Bindings of all dispatches; a dispatch holds a range.
    pub(crate) bindings: Vec<Bound>,
    /// Labels by index; commands and passes without one have none.
    pub(crate) labels: Vec<String>,
}

/// One thing in a recording.
#[derive(Debug)]
pub(crate) enum Item {
    BeginPass {
        kind: PassKind,
        dispatch_type: DispatchType,
        label: Option<u32>,
    },
    /// The next command of `commands`.
    Command {
        stages: Stages,
        label: Option<u32>,
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
        event: Arc<EventBody>,
        value: u64,
    },
    WaitForEvent {
        event: Arc<EventBody>,
        value: u64,
    },
}

/// What a backend runs.
#[derive(Debug)]
pub(crate) enum Command {
    Dispatch {
        pipeline: Arc<dyn Pipeline>,
        bindings: Range<u32>,
        grid: Grid,
    },
    /// Three `u32` group counts in a buffer, read when the command runs.
    DispatchIndirect {
        pipeline: Arc<dyn Pipeline>,
        bindings: Range<u32>,
        arguments: BufferSlice,
    },
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
    GenerateMipmaps {
        texture: TextureView,
    },
    /// Orders like a command and does nothing (content optimization where the layout never changes).
    Nothing,
}

/// How many invocations a dispatch starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    /// Workgroups in x, y, z.
    pub(crate) groups: [u32; 3],
    /// Invocations in x, y, z where the last groups are partial (`dispatch_threads`): lanes beyond do not run.
    pub(crate) threads: Option<[u32; 3]>,
}

/// One resource bound to a dispatch, in the order of the kernel's bindings.
#[derive(Clone, Debug)]
pub(crate) enum Bound {
    Buffer(BufferSlice),
    /// `set_bytes`: words copied at record time (padded with zeros to 4 bytes).
    Bytes(Arc<[u32]>),
    Texture(TextureView),
    Sampler(SamplerBody),
}

/// Rows in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinearLayout {
    pub(crate) bytes_per_row: u64,
    pub(crate) bytes_per_image: u64,
}

/// A rectangle of one mip of some slices.
#[derive(Clone, Debug)]
pub(crate) struct TextureRegion {
    pub(crate) view: TextureView,
    pub(crate) mip: u32,
    pub(crate) slices: Range<u32>,
    pub(crate) origin: [u32; 2],
    pub(crate) size: [u32; 2],
}

/// Lists of bindings while a dispatch is being recorded.
pub(crate) type BoundList = SmallVec<[Bound; 8]>;
