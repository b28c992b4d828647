//! Bytes of memory that is made of atomic words.
//!
//! Every access here means the same: per byte, a relaxed atomic access to the word that holds it, where a store of a part of a word is
//! a compare-exchange that leaves the word's other bytes alone. So two commands that race on neighbouring bytes do not lose each
//! other's, and a race on one byte yields one of its values.
//!
//! On x86-64 long runs go through `rep movsb` and `rep stosb`. The machine performs those as plain byte stores and loads, each of
//! which is what the rule above allows an observer to see; the compiler knows nothing of them but that they touch that memory.
//!
//! What is larger than the caches goes past them: a plain store reads the line that it overwrites, and throws out a line that somebody
//! may still want. Stores past the caches are ordered behind nothing, so each such run ends with a fence: whoever hands over afterwards
//! hands over what it wrote.
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::Rows;

/// Below this many bytes the start-up of a string instruction costs more than it saves.
const LONG: usize = 192;

/// Bytes on the stack through which copies go that no string instruction can do.
const CHUNK: usize = 512;

/// Of all that is moved together, from so many bytes on, stores go past the caches: more than the share of the last level that a core
/// can count on.
const STREAMED: u64 = 16 << 20;

/// Where the bytes of a long run go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stores {
    /// Into the caches: somebody will want them soon.
    Cached,
    /// Past the caches.
    Streaming,
}

impl Stores {
    /// For runs of what is so many bytes in all.
    pub(crate) const fn of_total(bytes: u64) -> Self {
        if bytes >= STREAMED { Self::Streaming } else { Self::Cached }
    }
}

/// Copies bytes out. Panics where the range is outside: callers have checked it.
pub(crate) fn read(words: &[AtomicU32], offset: usize, out: &mut [u8], stores: Stores) {
    check(words, offset, out.len());
    if out.len() >= LONG && machine::read(words, offset, out, stores) {
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
pub(crate) fn write(words: &[AtomicU32], offset: usize, bytes: &[u8], stores: Stores) {
    check(words, offset, bytes.len());
    if bytes.len() >= LONG && machine::write(words, offset, bytes, stores) {
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
pub(crate) fn fill(words: &[AtomicU32], offset: usize, length: usize, value: u8, stores: Stores) {
    check(words, offset, length);
    if length >= LONG && machine::fill(words, offset, length, value, stores) {
        return;
    }
    let pattern = [value; CHUNK];
    let mut done = 0;
    while done < length {
        let step = CHUNK.min(length - done);
        write(words, offset + done, &pattern[..step], Stores::Cached);
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
    stores: Stores,
) {
    check(source, source_offset, length);
    check(destination, destination_offset, length);
    let from = source.as_ptr().addr() + source_offset;
    let to = destination.as_ptr().addr() + destination_offset;
    let backwards = from < to && to < from + length;
    if !backwards
        && length >= LONG
        && machine::copy(source, source_offset, destination, destination_offset, length, stores)
    {
        return;
    }
    let mut buffer = [0; CHUNK];
    let mut done = 0;
    while done < length {
        let step = CHUNK.min(length - done);
        let at = if backwards { length - done - step } else { done };
        read(source, source_offset + at, &mut buffer[..step], Stores::Cached);
        write(destination, destination_offset + at, &buffer[..step], Stores::Cached);
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
    stores: Stores,
) {
    if rows.source_pitch == rows.bytes && rows.destination_pitch == rows.bytes {
        copy(source, source_offset, destination, destination_offset, rows.bytes * rows.count, stores);
        return;
    }
    for row in 0..rows.count {
        let from = source_offset + row * rows.source_pitch;
        let to = destination_offset + row * rows.destination_pitch;
        copy(source, from, destination, to, rows.bytes, stores);
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

/// Machine instructions for long runs. Each says whether it has done the work. Ranges have been checked.
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod machine {
    use std::arch::asm;
    use std::arch::x86_64::__m128i;
    use std::sync::atomic::AtomicU32;

    use super::Stores;

    /// Bytes of one turn of the loops that store past the caches: a line.
    const LINE: usize = 64;

    pub(super) fn read(words: &[AtomicU32], offset: usize, out: &mut [u8], stores: Stores) -> bool {
        let from = start(words, offset, out.len());
        // SAFETY: the source is in `words`, the destination is `out`, both of this length; they cannot overlap, as `out` is
        // exclusive. The accesses to `words` stand for relaxed atomic ones (see the module).
        unsafe { run(from, out.as_mut_ptr(), out.len(), stores) };
        true
    }

    pub(super) fn write(words: &[AtomicU32], offset: usize, bytes: &[u8], stores: Stores) -> bool {
        let to = start(words, offset, bytes.len());
        // SAFETY: the destination is in `words`, the source is `bytes`, both of this length; they cannot overlap, as nothing writes
        // through what `bytes` borrows. The accesses to `words` stand for relaxed atomic ones (see the module).
        unsafe { run(bytes.as_ptr(), to, bytes.len(), stores) };
        true
    }

    pub(super) fn copy(
        source: &[AtomicU32],
        source_offset: usize,
        destination: &[AtomicU32],
        destination_offset: usize,
        length: usize,
        stores: Stores,
    ) -> bool {
        let from = start(source, source_offset, length);
        let to = start(destination, destination_offset, length);
        // SAFETY: both ranges are in their words, and the caller sees to it that copying upwards is right where they overlap. The
        // accesses stand for relaxed atomic ones (see the module).
        unsafe { run(from, to, length, stores) };
        true
    }

    pub(super) fn fill(words: &[AtomicU32], offset: usize, length: usize, value: u8, stores: Stores) -> bool {
        let to = start(words, offset, length);
        let (head, body) = lines(to, length, stores);
        // SAFETY: the range is in `words`, which may be written through a shared reference. The stores stand for relaxed atomic ones
        // (see the module).
        unsafe { repeat_byte(to, head, value) };
        if body > 0 {
            // SAFETY: as before; the first byte is aligned, and `body` is some whole lines.
            unsafe { repeat_lines(to.wrapping_add(head), body, value) };
        }
        // SAFETY: as before.
        unsafe { repeat_byte(to.wrapping_add(head + body), length - head - body, value) };
        true
    }

    /// The first byte of a range, which is checked once more: the asm relies on it.
    fn start(words: &[AtomicU32], offset: usize, length: usize) -> *mut u8 {
        let bytes = words.len() * 4;
        assert!(offset <= bytes && length <= bytes - offset, "bytes outside of their memory");
        words.as_ptr().cast::<u8>().cast_mut().wrapping_add(offset)
    }

    /// Bytes up to the first vector, and bytes of whole lines behind them, of what is stored past the caches; otherwise all and none.
    fn lines(to: *const u8, length: usize, stores: Stores) -> (usize, usize) {
        let head = to.addr().wrapping_neg() % size_of::<__m128i>();
        if stores == Stores::Cached || length < head + LINE {
            return (length, 0);
        }
        (head, (length - head) / LINE * LINE)
    }

    /// # Safety
    ///
    /// `length` bytes can be read at `from` and written at `to`, upwards and by no more than a line at once.
    unsafe fn run(from: *const u8, to: *mut u8, length: usize, stores: Stores) {
        let (head, body) = lines(to, length, stores);
        // SAFETY: the caller's promise.
        unsafe { move_bytes(from, to, head) };
        if body > 0 {
            // SAFETY: the caller's promise; `to` is aligned behind the head, and `body` is some whole lines.
            unsafe { move_lines(from.wrapping_add(head), to.wrapping_add(head), body) };
        }
        let done = head + body;
        // SAFETY: the caller's promise.
        unsafe { move_bytes(from.wrapping_add(done), to.wrapping_add(done), length - done) };
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

    /// Past the caches. A prefetch beyond the end touches nothing.
    ///
    /// # Safety
    ///
    /// `length` bytes, at least one line and whole ones, can be read at `from` and written at `to`, which is aligned to a vector, by lines
    /// and upwards.
    unsafe fn move_lines(from: *const u8, to: *mut u8, length: usize) {
        // SAFETY: the caller's promise. The fence orders these stores before any later one, as plain stores are anyway.
        unsafe {
            asm!("2:",
                "prefetchnta [{from} + 1024]",
                "movdqu {a}, [{from}]", "movdqu {b}, [{from} + 16]",
                "movdqu {c}, [{from} + 32]", "movdqu {d}, [{from} + 48]",
                "movntdq [{to}], {a}", "movntdq [{to} + 16], {b}",
                "movntdq [{to} + 32], {c}", "movntdq [{to} + 48], {d}",
                "add {from}, 64", "add {to}, 64", "sub {left}, 64", "jnz 2b",
                "sfence",
                from = inout(reg) from => _, to = inout(reg) to => _, left = inout(reg) length => _,
                a = out(xmm_reg) _, b = out(xmm_reg) _, c = out(xmm_reg) _, d = out(xmm_reg) _,
                options(nostack));
        }
    }

    /// # Safety
    ///
    /// `length` bytes can be written at `to`.
    unsafe fn repeat_byte(to: *mut u8, length: usize, value: u8) {
        // SAFETY: the caller's promise; the direction flag is clear as at every asm block.
        unsafe {
            asm!("rep stosb", inout("rcx") length => _, inout("rdi") to => _, in("al") value,
                options(nostack, preserves_flags));
        }
    }

    /// Past the caches.
    ///
    /// # Safety
    ///
    /// `length` bytes, at least one line and whole ones, can be written at `to`, which is aligned to a vector.
    unsafe fn repeat_lines(to: *mut u8, length: usize, value: u8) {
        let pattern: __m128i = bytemuck::cast([value; size_of::<__m128i>()]);
        // SAFETY: the caller's promise. The fence orders these stores before any later one, as plain stores are anyway.
        unsafe {
            asm!("2:",
                "movntdq [{to}], {a}", "movntdq [{to} + 16], {a}",
                "movntdq [{to} + 32], {a}", "movntdq [{to} + 48], {a}",
                "add {to}, 64", "sub {left}, 64", "jnz 2b",
                "sfence",
                to = inout(reg) to => _, left = inout(reg) length => _, a = in(xmm_reg) pattern,
                options(nostack));
        }
    }
}

/// Without such instructions nothing is done here, and words are copied one by one.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
mod machine {
    use std::sync::atomic::AtomicU32;

    use super::Stores;

    pub(super) fn read(_: &[AtomicU32], _: usize, _: &mut [u8], _: Stores) -> bool {
        false
    }

    pub(super) fn write(_: &[AtomicU32], _: usize, _: &[u8], _: Stores) -> bool {
        false
    }

    pub(super) fn copy(_: &[AtomicU32], _: usize, _: &[AtomicU32], _: usize, _: usize, _: Stores) -> bool {
        false
    }

    pub(super) fn fill(_: &[AtomicU32], _: usize, _: usize, _: u8, _: Stores) -> bool {
        false
    }
}
