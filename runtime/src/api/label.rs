//! Names that people give to objects, to find them again in messages and pictures.
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

/// A label that may be set at any time from any thread.
#[derive(Default)]
pub(crate) struct Label(Mutex<Option<Arc<str>>>);

impl Label {
    pub(crate) fn set(&self, label: &str) {
        *self.0.lock() = (!label.is_empty()).then(|| label.into());
    }

    pub(crate) fn get(&self) -> Option<Arc<str>> {
        self.0.lock().clone()
    }

    /// For messages: what it is, and its label if it has one.
    pub(crate) fn of(&self, noun: &str) -> String {
        match &*self.0.lock() {
            Some(label) => format!("{noun} `{label}`"),
            None => format!("{noun} without a label"),
        }
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lock().fmt(f)
    }
}
