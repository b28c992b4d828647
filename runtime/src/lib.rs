//! Metal's resource synchronization in Rust.
