//! Any bytes into the parser of programs: it ends, and what it reads prints as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    fencepost_fuzz::programs::format(bytes);
});
