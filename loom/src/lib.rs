//! The files of the runtime and of ipc that hold lock-free words, compiled with loom's atomics instead of the machine's. Each holds its own models.
#![cfg(loom)]

#[path = "../../runtime/src/backend/cpu/claim.rs"]
mod claim;
#[path = "../../runtime/src/signal/level.rs"]
mod level;
#[path = "../../runtime/src/backend/cpu/links.rs"]
mod links;
#[path = "../../runtime/src/signal/once.rs"]
mod once;
#[path = "../../runtime/src/submit/progress.rs"]
mod progress;
#[path = "../../ipc/src/protocol.rs"]
mod protocol;
#[path = "../../runtime/src/signal/rights.rs"]
mod rights;
#[path = "../../runtime/src/backend/cpu/sleep.rs"]
mod sleep;
#[path = "../../runtime/src/backend/cpu/watched.rs"]
mod watched;
