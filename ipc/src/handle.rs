//! Handles: what stands for a counter or for memory on the way to another process.
use std::fmt;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::Error;

/// What a handle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandleKind {
    /// A [`Counter`](crate::Counter).
    Counter,
    /// A [`SharedMemory`](crate::SharedMemory).
    Memory,
}

impl fmt::Display for HandleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "a counter",
            Self::Memory => "memory",
        })
    }
}

/// A counter or memory on its way to another process: a descriptor, what it is, and a label for people.
///
/// It is sent with [`send_handle`](crate::send_handle); who has a transport of their own sends the descriptor
/// ([`into_file`](Self::into_file)) and makes the object of it at the other side (`Counter::try_from(file)`).
#[derive(Debug)]
pub struct Handle {
    kind: HandleKind,
    label: String,
    file: OwnedFd,
}

impl Handle {
    /// A handle from its parts, for transports of one's own. What the descriptor is worth shows when the object is made of it.
    ///
    /// # Errors
    /// A label of more than [`MAX_LABEL`](Self::MAX_LABEL) bytes.
    pub fn new(kind: HandleKind, label: &str, file: OwnedFd) -> Result<Self, Error> {
        if label.len() > Self::MAX_LABEL {
            return Err(Error::LabelTooLong { length: label.len(), most: Self::MAX_LABEL });
        }
        Ok(Self { kind, label: label.to_owned(), file })
    }

    /// What it stands for, as its sender says.
    pub fn kind(&self) -> HandleKind {
        self.kind
    }

    /// Its label; empty where there is none.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The descriptor alone.
    pub fn into_file(self) -> OwnedFd {
        self.file
    }

    pub(crate) fn into_file_of(self, expected: HandleKind) -> Result<OwnedFd, Error> {
        if self.kind != expected {
            return Err(Error::WrongKind { found: self.kind, expected });
        }
        Ok(self.file)
    }

    /// The most bytes that a label has.
    pub const MAX_LABEL: usize = 1000;
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
