//! Validation: the judge of programs, fed by an app while it runs.
//!
//! A race seldom shows. Work that nothing orders mostly runs in the order in which it was given, and a buffer that is read too early was
//! mostly written long ago. So a device with validation on asks the order, not the outcome: what each commit touches is compared with
//! all that it could overlap, whether it has ended by luck or not, and so is what the CPU reads and writes.
//!
//! The judge is [`fencepost_core::validate::Online`]: the one that `fencepost check` has, fed piece by piece. All devices of a process
//! that validate share one, so that what they do to each other through shared events is seen.
//!
//! What it knows of the CPU is the order of its calls: how threads of the app tell each other something cannot be seen, so the CPU counts
//! as one thread.
mod feed;
mod finding;
mod mode;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Weak};

use fencepost_core::program::DeviceIndex;
use parking_lot::Mutex;

use crate::Error;
use crate::api::QueueShared;
use crate::error::ValidationError;
use crate::observe::{Gone, Group, Happening, Site, Watch, Watcher};
use crate::signal::EventBody;

pub use finding::{Finding, Place, Severity};
pub use mode::Validation;

pub(crate) use mode::mode;

use feed::Feed;

/// What is called with a finding.
type Handler = Arc<dyn Fn(&Finding) + Send + Sync>;

/// The validator of all devices of this process that validate; it goes with the last of them.
static SHARED: Mutex<Weak<Mutex<Feed>>> = Mutex::new(Weak::new());

/// A device's part in the validator.
pub(crate) struct Validator {
    feed: Arc<Mutex<Feed>>,
    denies: bool,
    handler: Mutex<Handler>,
    /// Found, and not told yet: handlers run when no lock is held.
    found: Mutex<Vec<Finding>>,
}

impl Validator {
    /// Lets a device be watched.
    pub(crate) fn attach(watch: &Watch, name: &str, mode: Validation) -> Option<Arc<Self>> {
        if mode == Validation::Off {
            return None;
        }
        let feed = {
            let mut shared = SHARED.lock();
            shared.upgrade().unwrap_or_else(|| {
                let made = Arc::new(Mutex::new(Feed::new()));
                *shared = Arc::downgrade(&made);
                made
            })
        };
        let device = feed.lock().add_device(name);
        let validator = Arc::new(Self {
            feed,
            denies: mode == Validation::Deny,
            handler: Mutex::new(Arc::new(finding::log)),
            found: Mutex::default(),
        });
        watch.add(Arc::clone(&validator) as _, device);
        Some(validator)
    }

    /// Whom to tell from now on.
    pub(crate) fn set_handler(&self, handler: Handler) {
        *self.handler.lock() = handler;
    }

    /// Whether commits that would race are refused.
    pub(crate) fn denies(&self) -> bool {
        self.denies
    }

    fn note(&self, found: Vec<Finding>) {
        if !found.is_empty() {
            self.found.lock().extend(found);
        }
    }
}

impl Watcher for Validator {
    fn tell(&self, device: DeviceIndex, happening: Happening<'_>, site: Site) {
        let found = match happening {
            // Judged already, and accepted.
            Happening::Commit(..) if self.denies => {
                self.feed.lock().accept(device);
                return;
            }
            happening => self.feed.lock().tell(device, happening, site),
        };
        self.note(found);
    }

    fn judge(
        &self,
        device: DeviceIndex,
        queue: &QueueShared,
        group: &Group,
        site: Site,
    ) -> Result<(), Error> {
        if !self.denies {
            return Ok(());
        }
        let mut feed = self.feed.lock();
        feed.remember(device, group);
        let found = feed.tell(device, Happening::Commit(queue, group), site);
        let first = found.iter().find(|finding| finding.severity() == Severity::Error).cloned();
        let result = match first {
            None => Ok(()),
            Some(finding) => {
                feed.undo(device);
                Err(ValidationError::Denied { finding }.into())
            }
        };
        drop(feed);
        self.note(found);
        result
    }

    fn undo(&self, device: DeviceIndex) {
        if self.denies {
            self.feed.lock().undo(device);
        }
    }

    fn outside(&self, event: &Arc<EventBody>, value: u64) {
        let found = self.feed.lock().outside(event, value);
        self.note(found);
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.feed).addr()
    }

    fn gone(&self, device: DeviceIndex, gone: Gone) {
        self.feed.lock().gone(device, gone);
    }

    fn after(&self) {
        let found = std::mem::take(&mut *self.found.lock());
        if found.is_empty() {
            return;
        }
        let handler = Arc::clone(&self.handler.lock());
        found.iter().for_each(|finding| handler(finding));
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validator").field("denies", &self.denies).finish_non_exhaustive()
    }
}
