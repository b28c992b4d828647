//! Every message of this crate.
use std::fmt;
use std::io;

use rustix::io::Errno;

use crate::HandleKind;

/// Why something from outside was refused, or what the system would not do.
///
/// Nothing that arrives from another process is believed: each kind of damage has its variant, and none is a panic.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The descriptor is no memory file: a regular file, a pipe, a socket, memory in huge pages.
    NotMemory,
    /// The memory file can still shrink or grow, so that reading it could kill the reader. Its maker must seal it.
    NotSealed,
    /// The memory file cannot be written through this descriptor.
    ReadOnly,
    /// The memory file has another length than it must have.
    WrongLength {
        /// Its length in bytes.
        found: u64,
        /// The length of a counter.
        expected: u64,
    },
    /// A length of 0, or one that no address space holds.
    BadLength {
        /// The length in bytes.
        length: u64,
    },
    /// The memory file is no counter.
    NotACounter,
    /// The counter was made by another version of the layout.
    WrongVersion {
        /// Its version.
        found: u64,
        /// The version that this library knows.
        expected: u64,
    },
    /// The handle stands for something else.
    WrongKind {
        /// What it stands for.
        found: HandleKind,
        /// What it would have to stand for.
        expected: HandleKind,
    },
    /// A label that is too long to be sent.
    LabelTooLong {
        /// Its length in bytes.
        length: usize,
        /// The most bytes that can be sent.
        most: usize,
    },
    /// What came over the socket is no handle. The socket is out of step now: close it.
    NotAHandle(
        /// What is wrong with it.
        &'static str,
    ),
    /// The other side has closed the socket, or it is dead.
    Closed,
    /// The socket is of a kind that does not tell when the other side has gone.
    NotAConnection,
    /// More counters than one wait can take.
    TooManyCounters {
        /// How many there are.
        found: usize,
        /// The most.
        most: usize,
    },
    /// The system refused.
    System {
        /// What was to be done.
        call: &'static str,
        /// Its reason.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: the system refused `call`.
    pub(crate) fn system(call: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| Self::System { call, source: errno.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMemory => f.write_str("the descriptor is no memory file that can be shared"),
            Self::NotSealed => f.write_str(
                "the memory file is not sealed against shrinking and growing: its maker must seal it before it sends it",
            ),
            Self::ReadOnly => f.write_str("the memory file cannot be written through this descriptor"),
            Self::WrongLength { found, expected } => {
                write!(f, "the memory file has {found} bytes, a counter has {expected}")
            }
            Self::BadLength { length } => write!(f, "shared memory cannot have {length} bytes"),
            Self::NotACounter => f.write_str("the memory file holds no counter"),
            Self::WrongVersion { found, expected } => {
                write!(f, "the counter has layout {found}, this library knows layout {expected}")
            }
            Self::WrongKind { found, expected } => {
                write!(f, "the handle stands for {found}, not for {expected}")
            }
            Self::LabelTooLong { length, most } => {
                write!(f, "the label has {length} bytes, at most {most} can be sent")
            }
            Self::NotAHandle(what) => write!(f, "what came over the socket is no handle: {what}"),
            Self::Closed => f.write_str("the other side has closed the socket"),
            Self::NotAConnection => {
                f.write_str("only a connected Unix socket (stream or sequential packets) tells when the other side has gone")
            }
            Self::TooManyCounters { found, most } => {
                write!(f, "one wait can take {most} counters, not {found}")
            }
            Self::System { call, source } => write!(f, "the system refused to {call}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System { source, .. } => Some(source),
            _ => None,
        }
    }
}
