//! The `fencepost` tool: one file per verb.
#![forbid(unsafe_code)]
fn main() {}
