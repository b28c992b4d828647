//! Events where processes share no counters: nothing is outside.
use std::time::Instant;

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

    pub(super) fn look(&self, _: Option<Instant>, _: impl FnMut() -> bool) -> bool {
        false
    }

    pub(super) fn sleep_outside(&self, _: u64, _: Option<Instant>) -> Option<bool> {
        None
    }
}
