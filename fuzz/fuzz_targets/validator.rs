//! libFuzzer's bytes as a program: the validator and brute force agree.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    fencepost_fuzz::programs::validator(bytes);
});
