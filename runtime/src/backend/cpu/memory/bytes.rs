//! Bytes of memory that is made of atomic words.
//!
//! Every access here means the same: per byte, a relaxed atomic access to the word that holds it, where a store of a part of a word is
//! a compare-exchange that leaves the word's other bytes alone. So two commands that race on neighbouring bytes do not lose each
//! other's, and a race on one byte yields one of its values.
//!
//! On x86-64 long runs go through `rep movsb` and `rep stosb`. The machine performs those as plain byte stores and loads, each of
//! which is what the rule above allows an observer to see; the compiler knows nothing of them but that they touch that memory.
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::Rows;

/// Below this many bytes the start-up of a string instruction costs more than it saves.
const LONG: usize = 192;

/// Bytes on the stack through which copies go that no string instruction can do.
const CHUNK: usize = 512;

/// Copies bytes out. Panics where the range is outside: callers have checked it.
pub(crate) fn read(words: &[AtomicU32], offset: usize, out: &mut [u8]) {
    check(words, offset, out.len());
    if out.len() >= LONG && machine::read(words, offset, out) {
        return;
    }
    let (head, rest) = out.split_at_mut(head_length(offset, out.len()));
    read_part(words, offset, head);
    let first = (offset + head.len()) / 4;
    let mut chunks = rest.chunks_exact_mut(4);
    let mut word = first;
    for chunk in &mut chunks {
        chunk.copy_from_slice(&words[word].load(Relaxed).to_ne_bytes());
        word += 1;
    }
    read_part(words, word * 4, chunks.into_remainder());
}

/// Copies bytes in. Panics where the range is outside: callers have checked it.
pub(crate) fn write(words: &[AtomicU32], offset: usize, bytes: &[u8]) {
    check(words, offset, bytes.len());
    if bytes.len() >= LONG && machine::write(words, offset, bytes) {
        return;
    }
    let (head, rest) = bytes.split_at(head_length(offset, bytes.len()));
    write_part(words, offset, head);
    let mut word = (offset + head.len()) / 4;
    let (chunks, tail) = rest.as_chunks::<4>();
    for chunk in chunks {
        words[word].store(u32::from_ne_bytes(*chunk), Relaxed);
        word += 1;
    }
    write_part(words, word * 4, tail);
}

/// Sets bytes. Panics where the range is outside: callers have checked it.
pub(crate) fn fill(words: &[AtomicU32], offset: usize, length: usize, value: u8) {
    check(words, offset, length);
    if length >= LONG && machine::fill(words, offset, length, value) {
        return;
    }
    let pattern = [value; CHUNK];
    let mut done = 0;
    while done < length {
        let step = CHUNK.min(length - done);
        write(words, offset + done, &pattern[..step]);
        done += step;
    }
}

/// Copies bytes; both sides may be the same memory and overlap. Panics where a range is outside: callers have checked it.
pub(crate) fn copy(
    source: &[AtomicU32],
    source_offset: usize,
    destination: &[AtomicU32],
    destination_offset: usize,
    length: usize,
) {
    check(source, source_offset, length);
    check(destination, destination_offset, length);
    let from = source.as_ptr().addr() + source_offset;
    let to = destination.as_ptr().addr() + destination_offset;
    let backwards = from < to && to < from + length;
    if !backwards
        && length >= LONG
        && machine::copy(source, source_offset, destination, destination_offset, length)
    {
        return;
    }
    let mut buffer = [0; CHUNK];
    let mut done = 0;
    while done < length {
        let step = CHUNK.min(length - done);
        let at = if backwards { length - done - step } else { done };
        read(source, source_offset + at, &mut buffer[..step]);
        write(destination, destination_offset + at, &buffer[..step]);
        done += step;
    }
}

/// Copies rows, in one run where they touch on both sides. Panics where a range is outside: callers have checked it.
pub(crate) fn copy_rows(
    source: &[AtomicU32],
    source_offset: usize,
    destination: &[AtomicU32],
    destination_offset: usize,
    rows: Rows,
) {
    if rows.source_pitch == rows.bytes && rows.destination_pitch == rows.bytes {
        copy(source, source_offset, destination, destination_offset, rows.bytes * rows.count);
        return;
    }
    for row in 0..rows.count {
        let from = source_offset + row * rows.source_pitch;
        let to = destination_offset + row * rows.destination_pitch;
        copy(source, from, destination, to, rows.bytes);
    }
}

/// The range must lie in the words; everything below relies on it.
fn check(words: &[AtomicU32], offset: usize, length: usize) {
    let end = offset.checked_add(length);
    assert!(end.is_some_and(|end| end <= words.len() * 4), "bytes outside of their memory");
}

/// Bytes up to the first whole word.
const fn head_length(offset: usize, length: usize) -> usize {
    let head = offset.wrapping_neg() % 4;
    if head < length { head } else { length }
}

/// At most three bytes of one word.
fn read_part(words: &[AtomicU32], offset: usize, out: &mut [u8]) {
    if out.is_empty() {
        return;
    }
    let word = words[offset / 4].load(Relaxed).to_ne_bytes();
    out.copy_from_slice(&word[offset % 4..][..out.len()]);
}

/// At most three bytes of one word.
fn write_part(words: &[AtomicU32], offset: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let word = &words[offset / 4];
    let mut old = word.load(Relaxed);
    loop {
        let mut new = old.to_ne_bytes();
        new[offset % 4..][..bytes.len()].copy_from_slice(bytes);
        match word.compare_exchange_weak(old, u32::from_ne_bytes(new), Relaxed, Relaxed) {
            Ok(_) => return,
            Err(now) => old = now,
        }
    }
}

/// String instructions. Each says whether it has done the work. Ranges have been checked.
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod machine {
    use std::arch::asm;
    use std::sync::atomic::AtomicU32;

    pub(super) fn read(words: &[AtomicU32], offset: usize, out: &mut [u8]) -> bool {
        let from = start(words, offset, out.len());
        // SAFETY: the source is in `words`, the destination is `out`, both of this length; they cannot overlap, as `out` is
        // exclusive. The accesses to `words` stand for relaxed atomic ones (see the module).
        unsafe { move_bytes(from, out.as_mut_ptr(), out.len()) };
        true
    }

    pub(super) fn write(words: &[AtomicU32], offset: usize, bytes: &[u8]) -> bool {
        let to = start(words, offset, bytes.len());
        // SAFETY: the destination is in `words`, the source is `bytes`, both of this length; they cannot overlap, as nothing writes
        // through what `bytes` borrows. The accesses to `words` stand for relaxed atomic ones (see the module).
        unsafe { move_bytes(bytes.as_ptr(), to, bytes.len()) };
        true
    }

    pub(super) fn copy(
        source: &[AtomicU32],
        source_offset: usize,
        destination: &[AtomicU32],
        destination_offset: usize,
        length: usize,
    ) -> bool {
        let from = start(source, source_offset, length);
        let to = start(destination, destination_offset, length);
        // SAFETY: both ranges are in their words, and the caller sees to it that copying upwards is right where they overlap. The
        // accesses stand for relaxed atomic ones (see the module).
        unsafe { move_bytes(from, to, length) };
        true
    }

    pub(super) fn fill(words: &[AtomicU32], offset: usize, length: usize, value: u8) -> bool {
        let to = start(words, offset, length);
        // SAFETY: the range is in `words`, which may be written through a shared reference; the direction flag is clear as at
        // every asm block. The stores stand for relaxed atomic ones (see the module).
        unsafe {
            asm!("rep stosb", inout("rcx") length => _, inout("rdi") to => _, in("al") value,
                options(nostack, preserves_flags));
        }
        true
    }

    /// The first byte of a range, which is checked once more: the asm relies on it.
    fn start(words: &[AtomicU32], offset: usize, length: usize) -> *mut u8 {
        let bytes = words.len() * 4;
        assert!(offset <= bytes && length <= bytes - offset, "bytes outside of their memory");
        words.as_ptr().cast::<u8>().cast_mut().wrapping_add(offset)
    }

    /// # Safety
    ///
    /// `length` bytes can be read at `from` and written at `to`, by bytes and upwards.
    unsafe fn move_bytes(from: *const u8, to: *mut u8, length: usize) {
        // SAFETY: the caller's promise; the direction flag is clear as at every asm block.
        unsafe {
            asm!("rep movsb", inout("rcx") length => _, inout("rsi") from => _, inout("rdi") to => _,
                options(nostack, preserves_flags));
        }
    }
}

/// Without string instructions nothing is done here, and words are copied one by one.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
mod machine {
    use std::sync::atomic::AtomicU32;

    pub(super) fn read(_: &[AtomicU32], _: usize, _: &mut [u8]) -> bool {
        false
    }

    pub(super) fn write(_: &[AtomicU32], _: usize, _: &[u8]) -> bool {
        false
    }

    pub(super) fn copy(_: &[AtomicU32], _: usize, _: &[AtomicU32], _: usize, _: usize) -> bool {
        false
    }

    pub(super) fn fill(_: &[AtomicU32], _: usize, _: usize, _: u8) -> bool {
        false
    }
}
