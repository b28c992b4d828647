//! Programs as text, from outside: files, faults, there and back.

mod faults;
mod files;
mod races;
mod random;
mod round_trip;
mod runs;
