//! Where an event's value lives, who will raise it, and who waits for it.
//!
//! Metal lets values repeat, fall short or come from several queues; the value is the largest of them. No semaphore of a driver can
//! do that, so the value is a word on the host, and a wait between two queues is an edge of the plan: the table of an event knows
//! which node of which device has promised which value. What waits on the CPU (threads, listeners, queues that nothing has promised
//! anything yet) is in the table too, and a raise that nobody watches never takes its lock.
//!
//! Deliberately absent: values that other processes see.
mod event;
mod level;
mod listener;
mod serial;

pub(crate) use event::{EventBody, EventUser, Standing};
pub use listener::SharedEventListener;
pub(crate) use serial::SerialQueue;
