//! Where the callbacks of shared events run.
use std::sync::{Arc, OnceLock};

use super::SerialQueue;

/// A place where callbacks of shared events run, one after another, off every other thread.
///
/// Clones are the same listener. Its thread exists only while there is something to call.
#[doc(alias = "MTLSharedEventListener")]
#[derive(Clone, Debug)]
pub struct SharedEventListener {
    queue: Arc<SerialQueue>,
}

impl SharedEventListener {
    /// A listener of its own: its callbacks wait for nobody else's.
    pub fn new() -> Self {
        Self { queue: Arc::new(SerialQueue::new("fencepost listener")) }
    }

    /// The one listener that everybody shares, for short callbacks.
    #[doc(alias = "sharedListener")]
    pub fn shared() -> Self {
        static SHARED: OnceLock<SharedEventListener> = OnceLock::new();
        SHARED.get_or_init(Self::new).clone()
    }

    pub(super) fn push(&self, job: Box<dyn FnOnce() + Send>) {
        self.queue.push(job);
    }
}

impl Default for SharedEventListener {
    fn default() -> Self {
        Self::new()
    }
}
