//! Loads, stores and atomics of buffers, workgroup memory, private memory and constants.
//!
//! Every address passes [`place`]: outside of what it addresses, a load yields 0, and a store or an atomic does nothing. Loads do not
//! look at which lanes are active: reading a word that is there harms nobody, and its value is never looked at.
//!
//! Sixteen lanes at once often read sixteen words in a row (a row of an image, a stretch of a vector), or all the same word. Both are
//! seen at run time, by looking at the indices, so that it does not matter how a kernel computes them.
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::code::{AtomicInstruction, Operand};
use super::machine::Machine;
use super::vector::{Lanes, Source, WIDTH};
use crate::backend::cpu::memory::row;
use crate::shader::lane::{AtomicOperation, Space};

/// Memory of words that all lanes share.
pub(super) trait Memory {
    fn length(&self) -> usize;
    fn load(&self, at: usize) -> u32;
    /// Words in a row, if all of them are there.
    fn load_row(&self, at: usize) -> Option<Lanes>;
}

/// Memory that can be changed.
pub(super) trait MemoryMut: Memory {
    fn store(&self, at: usize, word: u32);
    /// Words in a row, if all of them are there.
    fn store_row(&self, at: usize, words: &Lanes) -> bool;
    fn atomic(&self, at: usize, operation: AtomicOperation, operands: [u32; 2]) -> u32;
}

/// The one check of every address.
#[inline(always)]
pub(super) fn place(base: u32, index: u32, length: usize) -> Option<usize> {
    let at = u64::from(base) + u64::from(index);
    (at < length as u64).then_some(at as usize)
}

impl Machine<'_> {
    #[inline(always)]
    pub(super) fn load(&self, to: u32, space: Space, base: u32, index: Operand) {
        match space {
            Space::Buffer(binding) => self.load_from(self.buffer(binding), to, base, index),
            Space::Workgroup => self.load_from(self.workgroup, to, base, index),
            Space::Constant => self.load_from(self.tables, to, base, index),
            Space::Private => self.load_private(to, base, index),
        }
    }

    #[inline(always)]
    pub(super) fn load_uniform(&self, space: Space, base: u32, index: u32) -> u32 {
        #[inline(always)]
        fn from<M: Memory + ?Sized>(memory: &M, base: u32, index: u32) -> u32 {
            place(base, index, memory.length()).map_or(0, |at| memory.load(at))
        }
        match space {
            Space::Buffer(binding) => from(self.buffer(binding), base, index),
            Space::Workgroup => from(self.workgroup, base, index),
            Space::Constant => from(self.tables, base, index),
            Space::Private => unreachable!("private memory differs by lane, so its words are never uniform"),
        }
    }

    #[inline(always)]
    pub(super) fn store(&self, space: Space, base: u32, index: Operand, value: Operand) {
        match space {
            Space::Buffer(binding) => self.store_to(self.buffer(binding), base, index, value),
            Space::Workgroup => self.store_to(self.workgroup, base, index, value),
            Space::Private => self.store_private(base, index, value),
            Space::Constant => unreachable!("lowering never stores to constants"),
        }
    }

    #[inline(always)]
    fn load_from<M: Memory + ?Sized>(&self, memory: &M, to: u32, base: u32, index: Operand) {
        let to = self.lanes(to);
        let index = self.source(index);
        for (step, to) in to.iter().enumerate() {
            let index = index.step(step);
            let [in_row, all_same] = pattern(&index);
            let mut result = [0; WIDTH];
            if all_same {
                result = [place(base, index[0], memory.length()).map_or(0, |at| memory.load(at)); WIDTH];
            } else if in_row
                && let Some(row) = place(base, index[0], memory.length()).and_then(|at| memory.load_row(at))
            {
                result = row;
            } else {
                for lane in 0..WIDTH {
                    result[lane] = place(base, index[lane], memory.length()).map_or(0, |at| memory.load(at));
                }
            }
            to.set(result);
        }
    }

    #[inline(always)]
    fn store_to<M: MemoryMut + ?Sized>(&self, memory: &M, base: u32, index: Operand, value: Operand) {
        let (index, value) = (self.source(index), self.source(value));
        for (step, active) in self.active().iter().enumerate() {
            let (active, index, value) = (active.get(), index.step(step), value.step(step));
            let everybody = !active.contains(&0);
            if everybody
                && pattern(&index)[0]
                && place(base, index[0], memory.length()).is_some_and(|at| memory.store_row(at, &value))
            {
                continue;
            }
            for lane in 0..WIDTH {
                if active[lane] != 0
                    && let Some(at) = place(base, index[lane], memory.length())
                {
                    memory.store(at, value[lane]);
                }
            }
        }
    }

    #[inline(always)]
    fn load_private(&self, to: u32, base: u32, index: Operand) {
        let to = self.lanes(to);
        let index = self.source(index);
        for (step, to) in to.iter().enumerate() {
            let index = index.step(step);
            let mut result = [0; WIDTH];
            if pattern(&index)[1] {
                if let Some(word) = place(base, index[0], self.private_words) {
                    result = self.private_word(word, step).get();
                }
            } else {
                for lane in 0..WIDTH {
                    if let Some(word) = place(base, index[lane], self.private_words) {
                        result[lane] = self.private_word(word, step).as_array_of_cells()[lane].get();
                    }
                }
            }
            to.set(result);
        }
    }

    #[inline(always)]
    fn store_private(&self, base: u32, index: Operand, value: Operand) {
        let (index, value) = (self.source(index), self.source(value));
        for (step, active) in self.active().iter().enumerate() {
            let (active, index, value) = (active.get(), index.step(step), value.step(step));
            for lane in 0..WIDTH {
                if active[lane] != 0
                    && let Some(word) = place(base, index[lane], self.private_words)
                {
                    self.private_word(word, step).as_array_of_cells()[lane].set(value[lane]);
                }
            }
        }
    }

    /// One word of private memory for the lanes of a step (counted among active ones).
    #[inline(always)]
    fn private_word(&self, word: usize, step: usize) -> &Cell<Lanes> {
        &self.private[word * self.steps + self.first_step + step]
    }

    pub(super) fn atomic(&self, instruction: &AtomicInstruction) {
        match instruction.space {
            Space::Buffer(binding) => self.atomic_on(self.buffer(binding), instruction),
            Space::Workgroup => self.atomic_on(self.workgroup, instruction),
            Space::Private | Space::Constant => {
                unreachable!("atomics are on buffers and workgroup memory")
            }
        }
    }

    fn atomic_on<M: MemoryMut + ?Sized>(&self, memory: &M, instruction: &AtomicInstruction) {
        let AtomicInstruction { base, operation, .. } = *instruction;
        let index = self.source(instruction.index);
        if let (Some(Operand::Uniform(to)), Source::Uniform(index)) = (instruction.to, index) {
            let word = place(base, index, memory.length()).map_or(0, |at| memory.load(at));
            self.uniforms[to as usize].set(word);
            return;
        }
        let operands = instruction.operands.map(|operand| self.source(operand));
        let to = match instruction.to {
            Some(Operand::Lanes(slot)) => Some(self.lanes(slot)),
            _ => None,
        };
        for (step, active) in self.active().iter().enumerate() {
            let (active, index) = (active.get(), index.step(step));
            let [first, second] = operands.map(|operand| operand.step(step));
            let mut result = [0; WIDTH];
            for lane in 0..WIDTH {
                if active[lane] != 0
                    && let Some(at) = place(base, index[lane], memory.length())
                {
                    result[lane] = memory.atomic(at, operation, [first[lane], second[lane]]);
                }
            }
            if let Some(to) = to {
                to[step].set(result);
            }
        }
    }
}

/// Whether indices follow each other, and whether all are the same.
#[inline(always)]
fn pattern(index: &Lanes) -> [bool; 2] {
    let first = index[0];
    let (mut row, mut same) = (0, 0);
    for (lane, index) in index.iter().enumerate() {
        let distance = index.wrapping_sub(first);
        row |= distance ^ lane as u32;
        same |= distance;
    }
    [row == 0, same == 0]
}

/// What a word becomes.
#[inline(always)]
fn updated(old: u32, operation: AtomicOperation, [a, desired]: [u32; 2]) -> u32 {
    match operation {
        AtomicOperation::Load => old,
        AtomicOperation::Store(_) | AtomicOperation::Exchange(_) => a,
        AtomicOperation::Add(_) => old.wrapping_add(a),
        AtomicOperation::Subtract(_) => old.wrapping_sub(a),
        AtomicOperation::And(_) => old & a,
        AtomicOperation::Or(_) => old | a,
        AtomicOperation::ExclusiveOr(_) => old ^ a,
        AtomicOperation::SignedMin(_) => (old as i32).min(a as i32) as u32,
        AtomicOperation::SignedMax(_) => (old as i32).max(a as i32) as u32,
        AtomicOperation::UnsignedMin(_) => old.min(a),
        AtomicOperation::UnsignedMax(_) => old.max(a),
        AtomicOperation::CompareExchange { .. } => {
            if old == a {
                desired
            } else {
                old
            }
        }
    }
}

impl Memory for [u32] {
    #[inline(always)]
    fn length(&self) -> usize {
        self.len()
    }

    #[inline(always)]
    fn load(&self, at: usize) -> u32 {
        self[at]
    }

    #[inline(always)]
    fn load_row(&self, at: usize) -> Option<Lanes> {
        self.get(at..)?.first_chunk().copied()
    }
}

impl Memory for [Cell<u32>] {
    #[inline(always)]
    fn length(&self) -> usize {
        self.len()
    }

    #[inline(always)]
    fn load(&self, at: usize) -> u32 {
        self[at].get()
    }

    #[inline(always)]
    fn load_row(&self, at: usize) -> Option<Lanes> {
        let row: &[Cell<u32>; WIDTH] = self.get(at..)?.first_chunk()?;
        Some(std::array::from_fn(|lane| row[lane].get()))
    }
}

impl MemoryMut for [Cell<u32>] {
    #[inline(always)]
    fn store(&self, at: usize, word: u32) {
        self[at].set(word);
    }

    #[inline(always)]
    fn store_row(&self, at: usize, words: &Lanes) -> bool {
        let Some(row) = self.get(at..).and_then(|row| row.first_chunk::<WIDTH>()) else { return false };
        row.iter().zip(words).for_each(|(cell, word)| cell.set(*word));
        true
    }

    #[inline(always)]
    fn atomic(&self, at: usize, operation: AtomicOperation, operands: [u32; 2]) -> u32 {
        let old = self[at].get();
        self[at].set(updated(old, operation, operands));
        old
    }
}

impl Memory for [AtomicU32] {
    #[inline(always)]
    fn length(&self) -> usize {
        self.len()
    }

    #[inline(always)]
    fn load(&self, at: usize) -> u32 {
        self[at].load(Relaxed)
    }

    #[inline(always)]
    fn load_row(&self, at: usize) -> Option<Lanes> {
        self.get(at..)?.first_chunk().map(row::load)
    }
}

impl MemoryMut for [AtomicU32] {
    #[inline(always)]
    fn store(&self, at: usize, word: u32) {
        self[at].store(word, Relaxed);
    }

    #[inline(always)]
    fn store_row(&self, at: usize, words: &Lanes) -> bool {
        let Some(to) = self.get(at..).and_then(|to| to.first_chunk()) else { return false };
        row::store(to, words);
        true
    }

    #[inline(always)]
    fn atomic(&self, at: usize, operation: AtomicOperation, operands: [u32; 2]) -> u32 {
        let word = &self[at];
        let [a, desired] = operands;
        match operation {
            AtomicOperation::Load => word.load(Relaxed),
            AtomicOperation::Store(_) => {
                word.store(a, Relaxed);
                0
            }
            AtomicOperation::Add(_) => word.fetch_add(a, Relaxed),
            AtomicOperation::Subtract(_) => word.fetch_sub(a, Relaxed),
            AtomicOperation::And(_) => word.fetch_and(a, Relaxed),
            AtomicOperation::Or(_) => word.fetch_or(a, Relaxed),
            AtomicOperation::ExclusiveOr(_) => word.fetch_xor(a, Relaxed),
            AtomicOperation::UnsignedMin(_) => word.fetch_min(a, Relaxed),
            AtomicOperation::UnsignedMax(_) => word.fetch_max(a, Relaxed),
            AtomicOperation::Exchange(_) => word.swap(a, Relaxed),
            AtomicOperation::CompareExchange { .. } => {
                word.compare_exchange(a, desired, Relaxed, Relaxed).unwrap_or_else(|now| now)
            }
            AtomicOperation::SignedMin(_) | AtomicOperation::SignedMax(_) => {
                let mut old = word.load(Relaxed);
                loop {
                    let new = updated(old, operation, operands);
                    match word.compare_exchange_weak(old, new, Relaxed, Relaxed) {
                        Ok(_) => return old,
                        Err(now) => old = now,
                    }
                }
            }
        }
    }
}
