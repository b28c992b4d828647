//! Metal's objects in Rust case, one file each.
