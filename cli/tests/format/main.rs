//! Programs as text, from outside: files, faults, there and back.

mod edits;
mod faults;
mod files;
#[path = "../common/programs.rs"]
mod programs;
mod races;
mod random;
mod round_trip;
mod runs;
