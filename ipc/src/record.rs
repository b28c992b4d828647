//! A handle as bytes: one record of fixed length, so that a reader never has to trust a length from outside.
//!
//! ```text
//!   byte 0       8     9        10            12 … 12 + length    … 1023
//!        magic   kind  version  label length  label in UTF-8      0
//! ```
use crate::{Error, Handle, HandleKind};

/// Bytes of a record.
pub(crate) const LENGTH: usize = 1024;

pub(crate) fn encode(kind: HandleKind, label: &str) -> [u8; LENGTH] {
    let mut record = [0; LENGTH];
    record[..8].copy_from_slice(MAGIC);
    record[8] = match kind {
        HandleKind::Counter => 1,
        HandleKind::Memory => 2,
    };
    record[9] = VERSION;
    // A handle's label is never longer than this.
    let label = &label.as_bytes()[..label.len().min(Handle::MAX_LABEL)];
    record[10..LABEL].copy_from_slice(&(label.len() as u16).to_le_bytes());
    record[LABEL..LABEL + label.len()].copy_from_slice(label);
    record
}

pub(crate) fn decode(record: &[u8; LENGTH]) -> Result<(HandleKind, &str), Error> {
    if &record[..8] != MAGIC {
        return Err(Error::NotAHandle("it does not begin as one"));
    }
    if record[9] != VERSION {
        return Err(Error::NotAHandle("it has another version"));
    }
    let kind = match record[8] {
        1 => HandleKind::Counter,
        2 => HandleKind::Memory,
        _ => return Err(Error::NotAHandle("it stands for nothing that this library knows")),
    };
    let length = usize::from(u16::from_le_bytes([record[10], record[11]]));
    if length > Handle::MAX_LABEL {
        return Err(Error::NotAHandle("its label is too long"));
    }
    let (label, rest) = record[LABEL..].split_at(length);
    if rest.iter().any(|byte| *byte != 0) {
        return Err(Error::NotAHandle("it has bytes behind its label"));
    }
    let label = str::from_utf8(label).map_err(|_| Error::NotAHandle("its label is no text"))?;
    Ok((kind, label))
}

const MAGIC: &[u8; 8] = b"fencehnd";
const VERSION: u8 = 1;
const LABEL: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for kind in [HandleKind::Counter, HandleKind::Memory] {
            for label in ["", "frames", "Bilder – größer", &"x".repeat(Handle::MAX_LABEL)] {
                assert_eq!(decode(&encode(kind, label)).unwrap(), (kind, label));
            }
        }
    }

    #[test]
    fn damage_is_refused_and_never_a_panic() {
        let good = encode(HandleKind::Memory, "label");
        let refused = |at: usize, byte: u8| {
            let mut bad = good;
            bad[at] = byte;
            assert!(matches!(decode(&bad), Err(Error::NotAHandle(_))), "byte {at} as {byte}");
        };
        for at in [0, 7] {
            refused(at, 0);
        }
        for kind in [0, 3, 255] {
            refused(8, kind);
        }
        refused(9, 2);
        refused(10, 4); // the label's end stands behind the label
        refused(11, 255);
        refused(12, 0xff); // no text
        refused(LENGTH - 1, 1);
        // Interpreted, a few of them.
        let (places, bytes) = if cfg!(miri) { (61, 51) } else { (1, 1) };
        for at in (0..LENGTH).step_by(places) {
            for byte in (0..=255).step_by(bytes) {
                let mut changed = good;
                changed[at] = byte;
                let _either_way = decode(&changed);
            }
        }
    }
}
