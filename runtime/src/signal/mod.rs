//! Where an event's value lives, and who waits for it.

/// An event's value and its waiters.
#[derive(Debug)]
pub(crate) struct EventBody {}
