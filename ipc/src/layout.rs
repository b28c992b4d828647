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

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Vec<AtomicU64> {
        (0..LENGTH / 8).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn only_its_own_head_is_taken() {
        let words = page();
        assert!(matches!(check_head(&words), Err(Error::NotACounter)));
        write_head(&words);
        check_head(&words).unwrap();
        assert_eq!(words[VALUE].load(Relaxed), 0);
        for bit in 0..64 {
            words[MAGIC_AT].fetch_xor(1 << bit, Relaxed);
            assert!(matches!(check_head(&words), Err(Error::NotACounter)), "bit {bit}");
            words[MAGIC_AT].fetch_xor(1 << bit, Relaxed);
            words[VERSION_AT].fetch_xor(1 << bit, Relaxed);
            assert!(matches!(check_head(&words), Err(Error::WrongVersion { expected: 1, .. })), "bit {bit}");
            words[VERSION_AT].fetch_xor(1 << bit, Relaxed);
        }
        check_head(&words).unwrap();
    }

    /// What is shorter than a head is refused, not read.
    #[test]
    fn what_is_too_short_has_no_head() {
        let words = page();
        write_head(&words);
        assert!(matches!(check_head(&words[..1]), Err(Error::WrongVersion { found: 0, expected: 1 })));
        assert!(matches!(check_head(&[]), Err(Error::NotACounter)));
    }

    /// The value and the word to sleep on lie apart from the head and from each other, inside of the page.
    #[test]
    fn the_words_do_not_meet() {
        let (value, parking) = (VALUE * 8..VALUE * 8 + 8, PARKING * 4..PARKING * 4 + 4);
        assert!(value.start >= 64 && value.end <= parking.start && parking.end as u64 <= LENGTH);
        assert_eq!((value.start / 64, parking.start / 64), (1, 1), "one line of the cache");
    }
}
