//! Sixteen words of shared memory at once, which the compiler never makes of sixteen atomics by itself.
use std::sync::atomic::AtomicU32;

/// Words of a row.
pub(crate) const WIDTH: usize = 16;

/// A row by value.
pub(crate) type Row = [u32; WIDTH];

/// Relaxed loads of all words of a row.
#[inline(always)]
pub(crate) fn load(row: &[AtomicU32; WIDTH]) -> Row {
    machine::load(row)
}

/// Relaxed stores to all words of a row.
#[inline(always)]
pub(crate) fn store(row: &[AtomicU32; WIDTH], words: &Row) {
    machine::store(row, words);
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod machine {
    use std::arch::asm;
    use std::arch::x86_64::__m128i;
    use std::sync::atomic::AtomicU32;

    use super::{Row, WIDTH};

    #[inline(always)]
    pub(super) fn load(row: &[AtomicU32; WIDTH]) -> Row {
        let (a, b, c, d): (__m128i, __m128i, __m128i, __m128i);
        // SAFETY: the four loads read exactly the sixteen words of `row`. They stand for a relaxed atomic load of each: the machine
        // loads every aligned word of a vector at once, and the compiler knows nothing of the accesses but that they read `row`.
        unsafe {
            asm!("movdqu {a}, [{row}]", "movdqu {b}, [{row} + 16]", "movdqu {c}, [{row} + 32]",
                "movdqu {d}, [{row} + 48]", row = in(reg) row.as_ptr(), a = out(xmm_reg) a,
                b = out(xmm_reg) b, c = out(xmm_reg) c, d = out(xmm_reg) d,
                options(nostack, preserves_flags, readonly));
        }
        bytemuck::cast([a, b, c, d])
    }

    #[inline(always)]
    pub(super) fn store(row: &[AtomicU32; WIDTH], words: &Row) {
        let [a, b, c, d]: [__m128i; 4] = bytemuck::cast(*words);
        // SAFETY: the four stores write exactly the sixteen words of `row`, which may be written through a shared reference. They stand
        // for a relaxed atomic store of each: the machine stores every aligned word of a vector at once.
        unsafe {
            asm!("movdqu [{row}], {a}", "movdqu [{row} + 16], {b}", "movdqu [{row} + 32], {c}",
                "movdqu [{row} + 48], {d}", row = in(reg) row.as_ptr(), a = in(xmm_reg) a,
                b = in(xmm_reg) b, c = in(xmm_reg) c, d = in(xmm_reg) d,
                options(nostack, preserves_flags));
        }
    }
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
mod machine {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::{Row, WIDTH};

    #[inline(always)]
    pub(super) fn load(row: &[AtomicU32; WIDTH]) -> Row {
        std::array::from_fn(|lane| row[lane].load(Relaxed))
    }

    #[inline(always)]
    pub(super) fn store(row: &[AtomicU32; WIDTH], words: &Row) {
        for (cell, word) in row.iter().zip(words) {
            cell.store(*word, Relaxed);
        }
    }
}
