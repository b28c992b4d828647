//! What crosses the border of a process: numbers that only grow, memory, and the descriptors that stand for them.
//!
//! A [`Counter`] lives in shared memory. A raise is one atomic operation and, only when somebody sleeps, a system call; a wait looks for a
//! moment and then sleeps on a futex. [`SharedMemory`] is memory of a fixed length. A [`Handle`] stands for either on the way to another
//! process, which [`send_handle`] and [`receive_handle`] do over a Unix socket. A [`PeerWatch`] tells whether the other process lives.
//!
//! No other process is believed. Memory files must be sealed, so that none can be cut short under a reader; what they hold is checked once
//! where it has a shape, and read as nothing but numbers afterwards. A hostile peer can make a wait last until its deadline, and no more.
//!
//! Nothing here knows what the numbers count or what is in the memory. It runs on Linux, where memory files, seals and futexes are.
#![deny(unsafe_code)]
#![cfg(target_os = "linux")]

mod any;
mod counter;
mod error;
mod file;
mod handle;
mod layout;
mod mapping;
mod memory;
mod peer;
mod protocol;
mod record;
mod sleep;
mod socket;
mod spin;

pub use any::{MOST_COUNTERS, wait_any, wait_any_while, waits_for_several};
pub use counter::Counter;
pub use error::Error;
pub use handle::{Handle, HandleKind};
pub use memory::SharedMemory;
pub use peer::PeerWatch;
pub use sleep::Waited;
pub use socket::{receive_handle, send_handle};
pub use spin::{Spin, Spinning};
