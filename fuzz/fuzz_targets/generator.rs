//! libFuzzer's bytes as the generator's choices: what the generator writes, the front end takes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fencepost_fuzz::generated(bytes));
