//! libFuzzer's bytes as a program: what mends it mends it, and no more than that.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    fencepost_fuzz::programs::fix(bytes);
});
