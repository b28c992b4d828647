//! libFuzzer's bytes as regions of a texture: what the library has is what a plain model has.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    fencepost_fuzz::textures::regions(bytes);
});
