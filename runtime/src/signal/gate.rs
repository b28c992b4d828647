//! A node in flight that waits for a value and for no node.
//!
//! Which signal gives the value is not known when the wait is handed over: a later one of another queue may be quicker, the CPU may be
//! quicker than both, and the one that was promised may fail. So the node follows none of them. It is opened by whoever makes the value
//! reach it, once, and a wait that nothing in flight will release any more fails.
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use fencepost_core::NodeId;

use super::once::Once;
use super::{EventBody, EventUser};
use crate::Error;

/// A node of a device that starts when an event has reached a value.
pub(crate) struct Gate {
    user: Weak<dyn EventUser>,
    event: Weak<EventBody>,
    node: NodeId,
    value: u64,
    /// When its queue came to the wait.
    since: Instant,
    /// Somebody opens it, or has done so.
    claimed: Once,
    opened: OnceLock<Instant>,
}

impl Gate {
    pub(crate) fn new(
        user: &Weak<dyn EventUser>,
        event: &Arc<EventBody>,
        node: NodeId,
        value: u64,
        since: Instant,
    ) -> Self {
        let (claimed, opened) = (Once::new(), OnceLock::new());
        Self { user: user.clone(), event: Arc::downgrade(event), node, value, since, claimed, opened }
    }

    /// The node that it holds.
    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    /// The event that opens it, where there is still anybody who could raise it.
    pub(crate) fn event(&self) -> Option<Arc<EventBody>> {
        self.event.upgrade()
    }

    /// When its queue came to the wait.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    pub(crate) fn value(&self) -> u64 {
        self.value
    }

    pub(crate) fn is_open(&self) -> bool {
        self.claimed.is_claimed()
    }

    /// The device whose node it is.
    pub(super) fn user(&self) -> &Weak<dyn EventUser> {
        &self.user
    }

    /// When it was opened.
    pub(crate) fn opened(&self) -> Option<Instant> {
        self.opened.get().copied()
    }

    /// The node may start, unless it was let go already.
    pub(crate) fn open(&self) {
        if self.claim()
            && let Some(user) = self.user.upgrade()
        {
            user.open(self.node);
        }
    }

    /// Nothing in flight will open it: its device knows whether anything else may, and what becomes of what is behind it.
    pub(crate) fn doubt(self: &Arc<Self>, error: &Error) {
        if let Some(user) = self.user.upgrade() {
            user.gate_doubted(self, error);
        }
    }

    /// Whatever the value is, it is not waited for any more.
    pub(crate) fn give_up(self: &Arc<Self>, error: Option<&Error>) {
        // Claimed first: whoever notes it down meanwhile sees that it is over, or what he has noted down is taken back here.
        let first = self.claim();
        if let Some(event) = self.event.upgrade() {
            event.withdraw_gate(self);
        }
        match (self.user.upgrade().filter(|_| first), error) {
            (Some(user), Some(error)) => user.gate_failed(self.node, error),
            (Some(user), None) => user.open(self.node),
            (None, _) => {}
        }
    }

    fn claim(&self) -> bool {
        let first = self.claimed.claim();
        if first {
            self.opened.set(Instant::now()).ok();
        }
        first
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("node", &self.node).field("value", &self.value).finish_non_exhaustive()
    }
}
