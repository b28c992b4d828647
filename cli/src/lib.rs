//! What the `fencepost` tool is made of, for tests and for tools that want to be more than a caller of it.
//!
//! [`mod@format`] reads and writes programs.
#![forbid(unsafe_code)]

pub mod format;
