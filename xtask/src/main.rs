//! Checks of this repository that no lint covers.
#![forbid(unsafe_code)]
fn main() {}
