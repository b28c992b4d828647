//! What the validator tells: the core's findings, with words and with places in the app's source.
use std::fmt;
use std::panic::Location;

use fencepost_core::explain::Explanation;
use fencepost_core::validate::Finding as Found;
pub use fencepost_core::validate::Severity;

/// Something that is wrong in a running app.
///
/// Its text says what happens, with both sides, then which order there is and which is missing, then how to mend it; places in the
/// source stand below.
#[derive(Clone, Debug)]
pub struct Finding {
    pub(super) found: Box<Found>,
    pub(super) explanation: Explanation,
    pub(super) resource: Option<String>,
    pub(super) first: Option<Place>,
    pub(super) second: Option<Place>,
}

/// A command, a synchronization or a call of the CPU that has to do with a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Its label path: the encoder and the command.
    pub path: String,
    /// The call in the app; absent where it was recorded before anybody watched.
    pub location: Option<&'static Location<'static>>,
}

impl Finding {
    /// Its stable name: `race`, `stale`, `misuse` and so on.
    pub fn code(&self) -> &'static str {
        self.found.code()
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.found.severity()
    }

    /// What happens, in one sentence.
    pub fn what(&self) -> &str {
        &self.explanation.what
    }

    /// Which order there is and which is missing, where order is the matter.
    pub fn order(&self) -> Option<&str> {
        self.explanation.order.as_deref()
    }

    /// What mends it.
    pub fn advice(&self) -> &str {
        &self.explanation.advice
    }

    /// The name of the resource that it is about: its label, or one that it was given.
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// The earlier side, where there are two.
    pub fn first(&self) -> Option<&Place> {
        self.first.as_ref()
    }

    /// The side where it was found.
    pub fn second(&self) -> Option<&Place> {
        self.second.as_ref()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.code(), self.explanation.message(), self.explanation.advice)?;
        for place in self.first.iter().chain(&self.second) {
            write!(f, "\n  {place}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location {
            Some(location) => write!(f, "{} at {location}", self.path),
            None => f.write_str(&self.path),
        }
    }
}

/// Where findings go without a handler.
pub(super) fn log(finding: &Finding) {
    let level = match finding.severity() {
        Severity::Error => log::Level::Error,
        Severity::Warning => log::Level::Warn,
        Severity::Advice => log::Level::Info,
    };
    log::log!(target: TARGET, level, "{finding}");
}

/// Of what goes to the `log` crate.
pub(super) const TARGET: &str = "fencepost::validation";
