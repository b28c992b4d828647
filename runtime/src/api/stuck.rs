//! What a program that does not come to its end is told: which waits hold it, and who would have to signal.

/// A wait of a queue that nothing in flight will release. See [`Device::stuck_waits`](crate::Device::stuck_waits).
///
/// It prints as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StuckWait {
    /// Label of the queue that is held; empty where it has none.
    pub queue: String,
    /// Label of the command buffer that waits, maybe empty; `None` where the wait was put on the queue itself.
    pub command_buffer: Option<String>,
    /// Label of the event; empty where it has none.
    pub event: String,
    /// The value that is awaited.
    pub value: u64,
    /// The event's value now.
    pub reached: u64,
    /// All signals of the event that are committed, on any device of this process, and cannot run yet; also those that are too small.
    /// None of them: only the CPU, or work that is still to be committed, can release the wait.
    pub signals: Vec<PendingSignal>,
    /// Whether the program has a handle of the event: it could raise a shared one, and record and commit signals.
    pub has_handles: bool,
    /// Whether another process may have the event, and raise it.
    pub is_seen_outside: bool,
}

/// A signal that is committed and held back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingSignal {
    /// Label of its queue; empty where it has none.
    pub queue: String,
    /// Label of the command buffer that signals, maybe empty; `None` where the signal was put on the queue itself.
    pub command_buffer: Option<String>,
    /// The value that it would give the event.
    pub value: u64,
    /// What holds its queue; `None` where it goes on just now.
    pub behind: Option<Obstacle>,
}

/// What holds a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// A wait for an event.
    Wait {
        /// Label of the event; empty where it has none.
        event: String,
        /// The value that is awaited.
        value: u64,
    },
    /// A command buffer that was enqueued and is not committed.
    Uncommitted {
        /// Its label; empty where it has none.
        command_buffer: String,
    },
}
