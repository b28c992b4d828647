//! Any text into the WGSL front end, any words into the SPIR-V front end: an error at worst, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fencepost_fuzz::front_end(bytes));
