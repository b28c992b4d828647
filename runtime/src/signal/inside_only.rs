//! Events where processes share no counters: nothing is outside.
use std::time::Duration;

use super::EventBody;

/// Nothing.
#[derive(Debug, Default)]
pub(super) struct Outside;

impl Outside {
    pub(super) fn is_open(&self) -> bool {
        false
    }
}

impl EventBody {
    #[inline]
    pub(super) fn raise_outside(&self, _: u64) {}

    pub(crate) fn fetch(&self) {}

    pub(super) fn watch_outside(&self) {}

    pub(super) fn sleep_outside(&self, _: u64, _: Option<Duration>) -> Option<bool> {
        None
    }
}
