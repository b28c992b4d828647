//! What the public API promises, on the CPU device.
mod aliasing;
mod bad_input;
mod capture;
mod common;
mod conformance;
mod events;
mod events_release;
mod events_sharing;
mod events_waiters;
mod faults;
mod frames;
mod guards;
#[cfg(target_os = "linux")]
mod limits;
mod liveness;
mod managed;
mod memory;
mod misuse;
mod parity;
#[cfg(target_os = "linux")]
mod processes;
mod schedules;
mod smoke;
mod storage;
mod threads;
mod transfers;
mod validation;
