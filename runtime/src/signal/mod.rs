//! Where an event's value lives, who will raise it, and who waits for it.
//!
//! Metal lets values repeat, fall short or come from several queues; the value is the largest of them. No semaphore of a driver can
//! do that, so the value is a word on the host, and whoever raises it opens what waits for it: nodes in flight, queues that nothing has
//! promised anything yet, threads, tasks and listeners. All of them stand in one table for each event, and a raise that nobody watches
//! never takes its lock.
//!
//! A shared event that other processes see has a second word, in shared memory, which follows the first ([`outside`]).
mod event;
mod gate;
mod handle;
mod level;
mod listener;
mod once;
#[cfg_attr(not(target_os = "linux"), path = "inside_only.rs")]
mod outside;
mod promises;
mod rights;
mod serial;
mod sleeper;
#[cfg(target_os = "linux")]
mod watcher;

pub(crate) use event::{EventBody, EventUser, Standing};
pub(crate) use gate::Gate;
pub(crate) use handle::{EventHandle, SignalRight};
pub use listener::SharedEventListener;
pub(crate) use serial::SerialQueue;
pub use sleeper::Signaled;
pub(crate) use sleeper::sleep_until_any;
