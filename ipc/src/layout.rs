//! What stands where in a counter's memory.
//!
//! ```text
//!   byte 0      8         16 … 63   64        72         76 … 4095
//!        magic  version   0         value     parking    0
//! ```
//!
//! The first line of the cache never changes once a handle exists; the second is all that raises and waits touch. A change of anything
//! here is a new version: whoever knows another one refuses the counter.
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::Error;

/// Bytes of the file.
pub(crate) const LENGTH: u64 = 4096;
/// The value, as an index into words of 64 bits.
pub(crate) const VALUE: usize = 8;
/// The word to sleep on, as an index into words of 32 bits.
pub(crate) const PARKING: usize = 18;

/// Before anybody else has the file.
pub(crate) fn write_head(words: &[AtomicU64]) {
    words[MAGIC_AT].store(MAGIC, Relaxed);
    words[VERSION_AT].store(VERSION, Relaxed);
}

pub(crate) fn check_head(words: &[AtomicU64]) -> Result<(), Error> {
    let word = |index: usize| words.get(index).map(|word| word.load(Relaxed));
    if word(MAGIC_AT) != Some(MAGIC) {
        return Err(Error::NotACounter);
    }
    match word(VERSION_AT) {
        Some(VERSION) => Ok(()),
        found => Err(Error::WrongVersion { found: found.unwrap_or(0), expected: VERSION }),
    }
}

const MAGIC_AT: usize = 0;
const VERSION_AT: usize = 1;
/// "fencepct" as bytes on a little-endian machine; on another one it reads differently, and so do the values.
const MAGIC: u64 = u64::from_le_bytes(*b"fencepct");
const VERSION: u64 = 1;
