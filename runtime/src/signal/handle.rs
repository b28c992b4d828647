//! Who may raise an event: handles of the program, and signals that were recorded.
//!
//! They are counted, for when nobody is left a wait will never pass, and whoever waits is told instead of being held for ever. A wait
//! holds the event without being counted.
use std::ops::Deref;
use std::sync::Arc;

use super::EventBody;

/// A handle of the program. Clones count.
#[derive(Debug)]
pub(crate) struct EventHandle(Arc<EventBody>);

/// A recorded signal.
#[derive(Debug)]
pub(crate) struct SignalRight(Arc<EventBody>);

impl EventHandle {
    /// The first handle of a new event.
    pub(crate) fn new(shared: bool) -> Self {
        Self::of(EventBody::new(shared))
    }

    pub(super) fn of(body: Arc<EventBody>) -> Self {
        body.rights.add_handle();
        Self(body)
    }
}

impl SignalRight {
    pub(crate) fn new(body: &Arc<EventBody>) -> Self {
        body.rights.add_signal();
        Self(Arc::clone(body))
    }

    pub(crate) fn body(&self) -> &Arc<EventBody> {
        &self.0
    }
}

impl Clone for EventHandle {
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.0))
    }
}

impl Drop for EventHandle {
    fn drop(&mut self) {
        if self.0.rights.drop_handle() {
            self.0.someone_left();
        }
    }
}

impl Clone for SignalRight {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for SignalRight {
    fn drop(&mut self) {
        if self.0.rights.drop_signal() && !self.0.has_handles() {
            self.0.someone_left();
        }
    }
}

impl Deref for EventHandle {
    type Target = Arc<EventBody>;

    fn deref(&self) -> &Arc<EventBody> {
        &self.0
    }
}

impl Deref for SignalRight {
    type Target = EventBody;

    fn deref(&self) -> &EventBody {
        &self.0
    }
}
