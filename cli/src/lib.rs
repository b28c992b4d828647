//! What the `fencepost` tool is made of, for tests and for tools that want to be more than a caller of it.
//!
//! [`mod@format`] reads and writes programs: the crate `fencepost-format`, under the name that it has always had here.
#![forbid(unsafe_code)]

pub use fencepost_format as format;
