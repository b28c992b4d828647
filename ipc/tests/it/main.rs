//! The crate as its users see it: with threads, with damaged and hostile input, and with processes that are killed.
#![cfg(target_os = "linux")]

mod counters;
mod hostile;
mod leaks;
mod old_kernel;
mod other;
mod processes;
mod refusals;
mod sockets;
