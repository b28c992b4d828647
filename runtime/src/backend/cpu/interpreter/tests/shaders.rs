//! WGSL from end to end.
